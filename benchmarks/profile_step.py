"""Where each microsecond of a training iteration goes, part by part, without and with Numba.

Every part is timed by a clock around its function, in another run than the last line, which is
an iteration without clocks. With Numba a bias is added in the activation's loop.

examples:
  python benchmarks/profile_step.py
  python benchmarks/profile_step.py -m 1024
"""

import argparse
import os
import time
from collections import defaultdict

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

PARTS = {  # name: the methods that are timed together; a part's own parts are not counted in it
    "matrix products and biases": "Dense.forward Dense.dx FastNetwork.forward",
    "gradient: products, row sums, joining": "Network.accumulate FastNetwork.accumulate",
    "Adam, both networks": "Adam.update FastAdam.update",
    "noise": "Game.noise",
    "LeakyReLU, both ways": "LeakyReLU.forward LeakyReLU.dx",
    "sigmoid, both ways": "Sigmoid.forward Sigmoid.dx",
    "losses and report": "GAN.D_loss GAN.G_loss GAN.report",
    "joining real rows and fakes": "Game.both",
    "the rest of both steps": "Game.update",
    "gathering real rows, and the rest": "Game.iteration",
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


def profile(m, n):
    """{contender: {part: microseconds}}, and of both the whole without clocks."""
    from contenders import Job, Minigan, MiniganNumba

    from minigan import compiled, game, gan, layers, network, optim

    found = {}
    contenders = {"NumPy": Minigan(Job(m=m)), "Numba": MiniganNumba(Job(m=m))}
    for name, contender in contenders.items():
        run(contender, 20)
        found[name] = {"an iteration without clocks": run(contender, n)}
    clocks = Clocks()
    owners = {}
    for module in (layers, network, optim, game, gan, compiled):
        owners |= {k: v for k, v in vars(module).items() if isinstance(v, type)}
    for part, methods in PARTS.items():
        for owner, method in (name.split(".") for name in methods.split()):
            clocks.wrap(owners[owner], method, part)
    for loops in (compiled.FORWARD, compiled.DX):
        for layer, loop in loops.items():
            part = "sigmoid, both ways" if layer is layers.Sigmoid else "LeakyReLU, both ways"
            loops[layer] = clocks.timed(loop, part)
    for name, contender in contenders.items():
        clocks.seconds.clear()
        run(contender, n)
        found[name] |= {part: 1e6 * s / n for part, s in clocks.seconds.items()}
    return found


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
    found = profile(args.m, args.n)
    print(f"| m = {args.m}, us an iteration | {' | '.join(found)} |\n|---|---|---|")
    for part in [*PARTS, "an iteration without clocks"]:
        print(f"| {part} | {' | '.join(f'{column[part]:.0f}' for column in found.values())} |")


if __name__ == "__main__":
    main()
