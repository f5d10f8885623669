r"""How long one training iteration takes: minigan, its matrix products alone, JAX and PyTorch.

The networks are the reference ones (G 100-128-128-784, D 784-128-128-1, float32, Adam). In one
iteration noise and real rows are drawn, the generator takes a step, and the discriminator takes
a step on the same fakes. --game cgan puts the one-hot class of each row beside it. With wgan
the critic then takes four more steps, by RMSProp and clipping; with wgan-gp as many by Adam and
the gradient penalty. r3gan is the relativistic game with R1 and R2, r3gan-0 the same without
them. The products alone are those of the game: of the penalty too, where there is one.
Each contender runs in a process of its own; all are pinned to the same
cores and use the same number of threads. In each round every contender is timed once, one after
another, and every ratio is taken within its round, so that a slow moment of the machine affects
all alike.

Before any timing, every contender computes three iterations from the same weights, noise and
rows, and the benchmark ends unless all arrive at the same theta in float64. The difference in
float32 is printed beside it for information only. There a pre-activation that lies within
rounding of LeakyReLU's bend may fall on either side of it and change whole columns of the
gradient: two correct programs can differ by 2e-4 with one seed and by 4e-6 with another.

"minigan" is this library where Numba is not installed, "minigan[fast]" the same with Numba.

examples:
  python benchmarks/bench_step.py
  python benchmarks/bench_step.py -m 64 --rounds 50 --only minigan "JAX jit"
  python benchmarks/bench_step.py --json step.json --plot step.png
  python benchmarks/bench_step.py --game wgan -m 64
  python benchmarks/bench_step.py --game wgan-gp -m 64 256
  python benchmarks/bench_step.py --game r3gan -m 64 256
  python benchmarks/bench_step.py --threads 2
  python benchmarks/bench_step.py -m 16 64 256 1024 4096 --only "minigan[fast]"
  python benchmarks/bench_step.py -m 64 --width 64 128 256 512 1024 --only "minigan[fast]"
  python benchmarks/bench_step.py --backend cupy
"""

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import sys
import time

import kernels
from job import GAMES

CHECK_ROWS, TOLERANCE = 64, 1e-10  # of theta in float64


def worker(pipe, name, cores, threads, common):
    """A contender's process: answers each request with one object."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    from contenders import CONTENDERS, Job

    def make(**job):
        return CONTENDERS[name](Job(**common | job))

    try:
        if "orch" in name:
            import torch

            torch.set_num_threads(threads)
        make(m=4)
    except (ImportError, ValueError) as missing:  # minigan says so of a GPU without a driver
        pipe.send(f"missing: {missing}")
        return
    pipe.send(None)
    while True:
        try:
            what, argument = pipe.recv()
        except EOFError:  # the benchmark has ended
            return
        if what == "check":
            job = Job(m=CHECK_ROWS, dtype=argument, **common)
            answer = three_iterations(CONTENDERS[name](job), job)
        elif what == "prepare":
            contender = make(**argument)
            run(contender, 10, common["backend"])
            answer = run(contender, 5, common["backend"])
        elif what == "run":
            answer = run(contender, argument, common["backend"])
        elif what == "kernels":
            answer = kernels.of(name)
        elif what == "memory":
            answer = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        pipe.send(answer)


def run(contender, n, backend):
    """Seconds per iteration, over n calls; on a GPU by its own clock."""
    each = n * getattr(contender, "iterations", 1)
    if backend == "cupy":
        import cupy

        start, end = cupy.cuda.Event(), cupy.cuda.Event()
        start.record()
    begun = time.perf_counter()
    for _ in range(n):
        contender.step(*contender.draw())
    if backend == "cupy":
        end.record()
        end.synchronize()
        return cupy.cuda.get_elapsed_time(start, end) / 1000 / each
    return (time.perf_counter() - begun) / each


def three_iterations(contender, job):
    """Both thetas after three given iterations."""
    import numpy as np
    from contenders import numbers

    rng = numbers(4)
    for _ in range(3):
        contender.step(*job.given(rng))
    return [np.array(theta, np.float64) for theta in contender.thetas()]


def start(names, cores, threads, common, x64=False):
    """The processes of the contenders that are installed, as {name: ask(what, argument)}."""
    for variable in ("OPENBLAS", "OMP", "MKL"):
        os.environ[f"{variable}_NUM_THREADS"] = str(threads)
    eigen = "true" if threads > 1 else "false"
    flags = f"--xla_cpu_multi_thread_eigen={eigen} intra_op_parallelism_threads={threads}"
    os.environ["XLA_FLAGS"] = flags
    os.environ["JAX_PLATFORMS"], os.environ["JAX_ENABLE_X64"] = "cpu", str(int(x64))
    asks = {}
    for name in names:
        pipe, far = multiprocessing.get_context("spawn").Pipe()
        process = multiprocessing.get_context("spawn").Process
        arguments = far, name, cores, threads, common
        process(target=worker, args=arguments, daemon=True).start()
        far.close()
        try:
            missing = pipe.recv()
        except EOFError:
            missing = "missing: its process ended, see above"
        if missing and (x64 or common["backend"] == "cupy"):  # once, by the first call
            print(f"{name:20}{missing}")
        if not missing:
            asks[name] = asker(pipe)
    return asks


def asker(pipe):
    def ask(what, argument=None):
        pipe.send((what, argument))
        return pipe.recv()

    return ask


def check(asks):
    """Exit unless all contenders agree on theta after three iterations."""
    thetas = {name: ask("check", "float64") for name, ask in asks.items()}
    rounded = {name: ask("check", "float32") for name, ask in asks.items()}
    if not thetas:
        return
    reference = thetas[next(iter(thetas))]
    print(f"{'theta after 3 steps':20}{'float64':>10}{'float32':>10}   (distance to the first)")
    worst = {}
    for name in thetas:
        worst[name], single = (farthest(t[name], reference) for t in (thetas, rounded))
        print(f"{name:20}{worst[name]:10.0e}{single:10.0e}")
    wrong = [name for name in worst if not worst[name] <= TOLERANCE]
    if wrong:
        sys.exit(f"not the same iteration (tolerance {TOLERANCE:g}): {', '.join(wrong)}")
    print()


def farthest(thetas, reference):
    return max(abs(a - b).max() for a, b in zip(thetas, reference))


def measure(asks, job, rounds, round_seconds):
    """{name: [seconds per iteration, one a round]}, each round in another order."""
    counts = {
        name: max(1, round(round_seconds / ask("prepare", job))) for name, ask in asks.items()
    }
    times, names = {name: [] for name in asks}, list(asks)
    for _ in range(rounds):
        for name in names:
            times[name].append(asks[name]("run", counts[name]))
        names.append(names.pop(0))
    return times


def table(asks, times, about):
    """Print one size; return its rows for --json."""
    rows, m, threads = [], about["m"], about["threads"]
    plural = "s" * (threads > 1)
    print(f"{about['game']}, m = {m}, width {about['width']}, {threads} thread{plural}")
    print(
        f"{'':20}{'median us':>10}{'quartiles':>18}{'us a row':>10}"
        f"{'to floor':>10}{'quartiles':>14}{'peak MB':>9}"
    )
    for name, seconds in times.items():
        ratios = [a / b for a, b in zip(seconds, times["floor"])]
        low, median, high = (1e6 * q for q in statistics.quantiles(seconds, n=4))
        near, to_floor, far = statistics.quantiles(ratios, n=4)
        peak = asks[name]("memory")
        print(
            f"{name:20}{median:10.0f}{low:10.0f}-{high:<7.0f}{median / m:10.2f}{to_floor:10.2f}"
            f"{near:9.2f}-{far:.2f}{peak:9.0f}"
        )
        rows.append(about | {"contender": name, "median_us": median, "to_floor": to_floor})
        rows[-1] |= {"quartiles_us": [low, high], "peak_mb": peak}
    for ours in OURS:
        if ours in times and rivals(times):
            print(f"  {ours} takes " + ", ".join(versus(times, ours, r) for r in rivals(times)))
    print()
    return rows


OURS = "minigan", "minigan[fast]"


def rivals(times):
    return [name for name in times if name not in ("floor", *OURS)]


def versus(times, ours, name):
    ratios = [a / b for a, b in zip(times[ours], times[name])]
    return f"{statistics.median(ratios):.2f} of {name}"


def plot(rows, path):
    """Bars of the time per iteration in multiples of the floor, grouped by m."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    names = [n for n in dict.fromkeys(row["contender"] for row in rows) if n != "floor"]
    sizes = list(dict.fromkeys(row["m"] for row in rows))
    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    width = 0.8 / len(names)
    for i, name in enumerate(names):
        heights = [row["to_floor"] for row in rows if row["contender"] == name]
        bars = axes.bar([j + i * width for j in range(len(sizes))], heights, width, label=name)
        axes.bar_label(bars, fmt="%.2f", fontsize=7)
    axes.axhline(1, color="black", linewidth=0.8)
    axes.set_xticks(
        [j + 0.4 - width / 2 for j in range(len(sizes))], [f"m = {m}" for m in sizes]
    )
    axes.set_ylabel("time of one iteration\n(1 = its matrix products alone)")
    axes.legend(frameon=False, fontsize=8, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1))
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def parse_options():
    about, _, examples = __doc__.partition("\nexamples:")
    parser = argparse.ArgumentParser(
        description=about,
        epilog="examples:" + examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [*OURS, "JAX jit", "JAX scan"]
    names += ["PyTorch eager", "PyTorch fused Adam", "torch.compile"]
    parser.add_argument("-m", type=int, nargs="+", default=[64, 256, 1024], help="batch sizes")
    parser.add_argument("--width", type=int, nargs="+", default=[128], help="hidden units")
    parser.add_argument("--game", choices=list(GAMES), default="gan")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--round-seconds", type=float, default=0.05, help="of each contender")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--core", type=int, help="the first core to pin to; default: the last")
    parser.add_argument("--backend", choices=["numpy", "cupy"], default="numpy")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--plot", metavar="PNG")
    options = parser.parse_args()
    if options.rounds < 2:
        parser.error("--rounds: at least 2, for a median with a spread")
    if options.backend == "cupy":  # the others here are those of the CPU
        options.only = ["minigan"]
    return options


def main():
    options = parse_options()
    first = (os.cpu_count() or 1) - options.threads if options.core is None else options.core
    cores = range(max(first, 0), max(first, 0) + options.threads)
    common, rows = {"game": options.game, "backend": options.backend}, []

    if "OPENBLAS_CORETYPE" in os.environ:
        core = os.environ["OPENBLAS_CORETYPE"]
        print(f"OPENBLAS_CORETYPE={core} chooses NumPy's kernels here, not the processor\n")
    if options.backend == "numpy":
        check(start(options.only, cores, options.threads, common, x64=True))
    asks = start(["floor", *options.only], cores, options.threads, common)
    if "floor" not in asks:
        sys.exit("nothing to compare with: the matrix products cannot run (see --backend)")
    if options.backend == "numpy":
        print(f"{'processor':20}{kernels.processor()}")
        print("".join(f"{name:20}{ask('kernels')}\n" for name, ask in asks.items()))
    for width in options.width:
        for m in options.m:
            times = measure(
                asks, {"m": m, "width": width}, options.rounds, options.round_seconds
            )
            about = {"m": m, "width": width, "game": options.game, "threads": options.threads}
            rows += table(asks, times, about)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(rows, file, indent=1)
    if options.plot:
        plot(rows, options.plot)


if __name__ == "__main__":
    main()
