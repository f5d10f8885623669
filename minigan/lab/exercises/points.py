r"""The points at which an answer is tried, and the stand-ins that are used there."""

import contextlib
from dataclasses import dataclass
from importlib import import_module

import numpy as np

from ...arrays import stream
from ...errors import MiniganError
from ...layers import Layer

LIMIT = 1e-12  # of values, which a different order of the same sums may change by rounding

UNMOVED = "did not move theta; change the array itself, as `theta -= …` and `theta[...] = …` do"


@dataclass(frozen=True)
class Value:
    r"""Numbers that are to agree with those of the installed chapter."""

    name: str
    numbers: np.ndarray
    says: str = ""  # what is said in the place of the numbers if they differ


def cases(seed):
    r"""(seed, rows, widths): one row, width 1, a square, and something random."""
    rng = stream(seed, "cases of an exercise", 0)
    m, *widths = (int(n) for n in rng.integers(2, 7, 5))
    seeds = [int(n) for n in rng.integers(0, 2**31, 4)]
    k = widths[0]
    shapes = (m, widths[:3]), (1, (3, 4, 2)), (4, (1, 2, 1)), (k, (k, k, k))
    return [(seed, rows, tuple(wide)) for seed, (rows, wide) in zip(seeds, shapes)]


def chapter(name):
    r"""A chapter beside this package: with the student's file in its place, that file."""
    return import_module(f"{__package__.rpartition('.lab.')[0]}.{name}")


def frozen(array):
    r"""The same array, but it cannot be written to: arguments are not an answer's to change."""
    if isinstance(array, np.ndarray):
        array = array.view()
        array.flags.writeable = False
    return array


class Twin:
    r"""Stands in for a layer and gives its methods arrays that cannot be written to."""

    def __init__(self, layer):
        vars(self).update(vars(layer), _layer=layer)  # its numbers, such as a slope, are seen

    def __getattr__(self, name):
        known = getattr(self._layer, name)
        if not callable(known):
            return known
        return lambda *args: known(*map(frozen, args))


def unchanging(layer):
    r"""A twin of the layer under the layer's own name."""
    return type(type(layer).__name__, (Twin,), {})(layer)


@contextlib.contextmanager
def during(where):
    r"""Whatever is raised here is told with the words that say where."""
    try:
        yield
    except Exception as error:
        error.during = getattr(error, "during", f" ({where})")
        raise


def named(function, name):
    r"""The function under another name, which a check will print."""
    function.__name__ = name
    return function


class Curved(Layer):
    r"""$y = \tanh x + x/2$, whose rule uses both x and y: confusing them is found out."""

    def forward(self, x, scale=1.0):
        return scale * (np.tanh(x) + x / 2)

    def dx(self, dy, x, y, scale=1.0):
        r"""$dx = dy\,(3/2 - (y - x/2)^2)$."""
        return scale * (1.5 - (y / scale - x / 2) ** 2) * dy

    def tangent(self, u, x, y, *scale):
        r"""The same rule."""
        return self.dx(u, x, y, *scale)


class Scaled(Curved):
    r"""$y = a(\tanh x + x/2)$ with one parameter a."""

    shapes = ((1,),)

    def dparams(self, dy, x, y, scale):
        r"""$da = \sum dy\,y/a$."""
        return (np.sum(dy * y / scale, keepdims=True).reshape(1),)


class Wall:
    r"""A layer without a tangent."""

    def forward(self, x):
        return x

    def dx(self, dy, x, y):
        r"""The identity's."""
        return dy


def refuses(call):
    r"""Whether a call raises MiniganError."""
    try:
        call()
    except MiniganError:
        return True
    return False
