"""Where the time of a training iteration goes, part by part, without Numba and with it.

Every part is timed by a clock around its methods. The last line is the time of an iteration
in another run, without any clocks. Each column is measured in a process of its own.

examples:
  python benchmarks/profile_step.py
  python benchmarks/profile_step.py -m 1024
"""

import argparse
import os
import time
from collections import defaultdict
from multiprocessing import get_context

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

PARTS = {  # name: the methods that are timed together; a part's own parts are not counted in it
    "matrix products, biases, activations": "Stage.forward",
    "deltas: products, activations, row sums": "Stage.below Stage.back",
    "gradient: products, row sums": "Stage.gradient InPlace.gradient",
    "Adam, both networks": "Adam.update FastAdam.update",
    "noise": "GAN.noise",
    "losses and report": "GAN.D_loss GAN.G_loss GAN.report",
    "gathering real rows": "Batches.__next__",
    "the rest": "GAN.iteration",
}


class Clocks:
    """Seconds spent in each part, without the parts inside it."""

    def __init__(self):
        self.seconds, self.inside = defaultdict(float), [0.0]

    def wrap(self, owner, method, part):
        setattr(owner, method, self.timed(getattr(owner, method), part))

    def timed(self, plain, part):
        def timed(*args, **options):
            begun = time.perf_counter()
            self.inside.append(0.0)
            try:
                return plain(*args, **options)
            finally:
                whole = time.perf_counter() - begun
                self.seconds[part] += whole - self.inside.pop()
                self.inside[-1] += whole

        return timed


def run(contender, n):
    """Microseconds an iteration."""
    begun = time.perf_counter()
    for _ in range(n):
        contender.step(*contender.draw())
    return 1e6 * (time.perf_counter() - begun) / n


def profile(name, m, n):
    """{part: microseconds}, and of the whole without clocks; for a process of its own."""
    from contenders import CONTENDERS, Job

    contender = CONTENDERS[name](Job(m=m))
    run(contender, 20)
    whole = run(contender, n)

    from minigan import data, fast, optim, workspace

    clocks, owners = Clocks(), {}
    for module in (data, optim, fast, workspace):
        owners |= {k: v for k, v in vars(module).items() if isinstance(v, type)}
    owners["GAN"] = type(contender.workspace.game)  # the game as the workspace runs it
    for part, methods in PARTS.items():
        for owner, method in (each.split(".") for each in methods.split()):
            clocks.wrap(owners[owner], method, part)
    run(contender, n)
    found = {part: 1e6 * seconds / n for part, seconds in clocks.seconds.items()}
    return found | {"an iteration without clocks": whole}


def main():
    about, _, examples = __doc__.partition("\nexamples:")
    parser = argparse.ArgumentParser(
        description=about,
        epilog="examples:" + examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-m", type=int, default=64, help="batch size")
    parser.add_argument("-n", type=int, default=1000, help="iterations")
    args = parser.parse_args()
    names = {"without Numba": "minigan", "with Numba": "minigan[fast]"}
    with get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        work = [(name, args.m, args.n) for name in names.values()]
        columns = pool.starmap(profile, work, chunksize=1)
    print(f"| m = {args.m}, us an iteration | {' | '.join(names)} |\n|---|---|---|")
    for part in [*PARTS, "an iteration without clocks"]:
        print(f"| {part} | {' | '.join(f'{column[part]:.0f}' for column in columns)} |")


if __name__ == "__main__":
    main()
