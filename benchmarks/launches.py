"""How many array operations one training iteration asks for: on a GPU, its kernel launches.

No GPU is needed, because the games run on array-api-strict. Each of its functions and operators
is counted when the library calls it, but not when array-api-strict calls it inside another, and
not if it only makes a view. CuPy launches about one kernel for each operation, two for a sum,
and one for each array that a concatenation joins. Moves from the host to the device are counted
separately; in an iteration only the random numbers are moved.

example:
  pip install array-api-strict && python benchmarks/launches.py
"""

import argparse
import functools
import types
from collections import Counter

import array_api_strict
import numpy as np

import minigan.players
from minigan.arrays import asarray_like
from minigan.lab.models import MODELS
from minigan.network import Network

VIEWS = {"reshape", "permute_dims", "__getitem__", "asarray", "real"}
OPERATORS = (
    "add sub mul truediv pow matmul neg abs lt le gt ge eq ne iadd isub imul itruediv ipow "
    "radd rsub rmul rtruediv rpow getitem setitem"
)


class Count:
    """While open, counts the operations that are called from outside, by name."""

    def __init__(self):
        self.calls, self.depth, self.before = Counter(), 0, []

    def __enter__(self):
        for name in array_api_strict.__all__:
            if isinstance(getattr(array_api_strict, name), types.FunctionType):
                self.wrap(array_api_strict, name)
        for name in OPERATORS.split():
            self.wrap(type(array_api_strict.zeros(1)), f"__{name}__")
        self.wrap(minigan.players, "asarray_like")
        return self

    def wrap(self, owner, name):
        plain = getattr(owner, name)
        self.before.append((owner, name, plain))

        @functools.wraps(plain)
        def counted(*args, **options):
            self.calls[name] += self.depth == 0
            self.depth += 1
            try:
                return plain(*args, **options)
            finally:
                self.depth -= 1

        setattr(owner, name, counted)

    def __exit__(self, *_):
        for owner, name, plain in reversed(self.before):
            setattr(owner, name, plain)


def count(name, m=64):
    """(operations, moves from the host, matrix products) of one iteration of a game."""
    model, like = MODELS[name](), array_api_strict.zeros((), dtype=array_api_strict.float32)
    for player in ("G", "D"):
        network = getattr(model, player)
        setattr(model, player, Network(network.layers, asarray_like(network.theta, like)))
    model.critic_steps = lambda: getattr(model, "n_critic", 1)
    x = asarray_like(np.random.default_rng(0).random((m, 784), "float32"), like)
    labels = asarray_like(np.arange(m) % 10, like)
    rows = iter(lambda: (x, labels if model.n_condition else None), None)
    model.iteration(rows, np.random.default_rng(0))  # the optimisers' memory is made here
    with Count() as counted:
        model.iteration(rows, np.random.default_rng(0))
    launches = {n: k for n, k in counted.calls.items() if n not in VIEWS}
    moves = launches.pop("asarray_like")
    return sum(launches.values()), moves, launches["__matmul__"]


def main():
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    print("| game | operations an iteration | moves from the host | matrix products |")
    print("|---|---|---|---|")
    for name in MODELS:
        operations, moves, products = count(name)
        print(f"| {name} | {operations} | {moves} | {products} |")


if __name__ == "__main__":
    main()
