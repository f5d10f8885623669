r"""How long one training iteration takes, against the matrix products alone and the frameworks.

One iteration of the reference networks (G 100-128-128-784, D 784-128-128-1, float32, Adam):
noise and real rows are drawn, the generator learns, the discriminator learns on the same
fakes. Each contender lives in a process of its own, pinned to the same core(s), with as many
threads. The clock goes round: in a round every contender is timed once, one after another,
and every ratio is taken within its round, so a slow moment of the machine hits all alike.

Before any timing, three iterations from the same weights, noise and rows must give every
contender the same theta. That is proven in float64. In float32 a single pre-activation within
rounding of LeakyReLU's bend may fall on either side of it, which moves whole columns of the
gradient: two correct programs may then differ by 2e-4, where with another seed it is 4e-6.
The float32 difference is printed beside the proof; it judges nobody.

examples:
  python benchmarks/bench_step.py
  python benchmarks/bench_step.py -m 64 --rounds 50 --only minigan "JAX jit"
  python benchmarks/bench_step.py --json step.json --plot step.png
"""

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import sys
import time

SYNTHETIC_ROWS = 5000
CHECK_ROWS, TOLERANCE = 64, 1e-10  # of theta in float64


def worker(pipe, name, cores, threads):
    """A contender's process: answers each request with one object."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    import numpy as np
    from contenders import CONTENDERS, initial_thetas

    def make(m, dtype="float32"):
        data = np.random.default_rng(0).random((SYNTHETIC_ROWS, 784), np.float32)
        return CONTENDERS[name](m, initial_thetas(dtype), data.astype(dtype))

    try:
        if "orch" in name:
            import torch

            torch.set_num_threads(threads)
        make(4)
    except ImportError as missing:
        pipe.send(f"missing: {missing}")
        return
    pipe.send(None)
    while True:
        try:
            what, argument = pipe.recv()
        except EOFError:  # the benchmark has ended
            return
        if what == "check":
            answer = three_iterations(make(CHECK_ROWS, argument), argument)
        elif what == "prepare":
            contender = make(argument)
            run(contender, 10)
            answer = run(contender, 5)
        elif what == "run":
            answer = run(contender, argument)
        elif what == "memory":
            answer = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        pipe.send(answer)


def run(contender, n):
    """Seconds per iteration, over n of them."""
    start = time.perf_counter()
    for _ in range(n):
        contender.step(*contender.draw())
    return (time.perf_counter() - start) / n


def three_iterations(contender, dtype):
    """Both thetas after three given iterations."""
    import numpy as np

    rng = np.random.default_rng(2)
    for _ in range(3):
        rows = rng.permutation(SYNTHETIC_ROWS)[:CHECK_ROWS]
        z = rng.standard_normal((CHECK_ROWS, 100), np.float32)
        contender.step(z.astype(dtype), rows)
    return [np.array(theta, np.float64) for theta in contender.thetas()]


def start(names, cores, threads, x64=False):
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
        process(target=worker, args=(far, name, cores, threads), daemon=True).start()
        far.close()
        try:
            missing = pipe.recv()
        except EOFError:
            missing = "missing: its process ended, see above"
        if missing and x64:  # said once: the comparison comes first
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
    rounded = {name: asks[name]("check", "float32") for name in thetas}
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


def measure(asks, m, rounds, round_seconds):
    """{name: [seconds per iteration, one a round]}; the order turns from round to round."""
    counts = {
        name: max(1, round(round_seconds / ask("prepare", m))) for name, ask in asks.items()
    }
    times, names = {name: [] for name in asks}, list(asks)
    for _ in range(rounds):
        for name in names:
            times[name].append(asks[name]("run", counts[name]))
        names.append(names.pop(0))
    return times


def table(asks, times, m, threads):
    """Print one size; return its rows for --json."""
    rows = []
    print(f"m = {m}, {threads} thread{'s' * (threads > 1)}")
    print(
        f"{'':20}{'median us':>10}{'quartiles':>18}"
        f"{'to floor':>10}{'quartiles':>14}{'peak MB':>9}"
    )
    for name, seconds in times.items():
        ratios = [a / b for a, b in zip(seconds, times["floor"])]
        low, median, high = (1e6 * q for q in statistics.quantiles(seconds, n=4))
        near, to_floor, far = statistics.quantiles(ratios, n=4)
        peak = asks[name]("memory")
        print(
            f"{name:20}{median:10.0f}{low:10.0f}-{high:<7.0f}{to_floor:10.2f}"
            f"{near:9.2f}-{far:.2f}{peak:9.0f}"
        )
        rows.append({"m": m, "threads": threads, "contender": name, "median_us": median})
        rows[-1] |= {"to_floor": to_floor, "quartiles_us": [low, high], "peak_mb": peak}
    if "minigan" in times:
        print("  minigan takes " + ", ".join(versus(times, name) for name in rivals(times)))
    print()
    return rows


def rivals(times):
    return [name for name in times if name not in ("floor", "minigan")]


def versus(times, name):
    ratios = [a / b for a, b in zip(times["minigan"], times[name])]
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
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def main():
    about, _, examples = __doc__.partition("\nexamples:")
    parser = argparse.ArgumentParser(
        description=about,
        epilog="examples:" + examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = ["minigan", "JAX jit", "PyTorch eager", "PyTorch fused Adam", "torch.compile"]
    parser.add_argument("-m", type=int, nargs="+", default=[64, 256, 1024], help="batch sizes")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--round-seconds", type=float, default=0.05, help="of each contender")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--core", type=int, help="the first core to pin to; default: the last")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--plot", metavar="PNG")
    options = parser.parse_args()
    if options.rounds < 2:
        parser.error("--rounds: at least 2, for a median with a spread")
    first = (os.cpu_count() or 1) - options.threads if options.core is None else options.core
    cores = range(max(first, 0), max(first, 0) + options.threads)

    check(start(options.only, cores, options.threads, x64=True))
    asks, rows = start(["floor", *options.only], cores, options.threads), []
    for m in options.m:
        times = measure(asks, m, options.rounds, options.round_seconds)
        rows += table(asks, times, m, options.threads)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(rows, file, indent=1)
    if options.plot:
        plot(rows, options.plot)


if __name__ == "__main__":
    main()
