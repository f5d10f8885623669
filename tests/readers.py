"""Layers that a reader may write: none derives from `Layer` or has more than it needs."""

import math

import numpy as np

from minigan import Dense, Network
from minigan.arrays import array_namespace


class Softplus:
    """y = log(1 + e^x), as README.md has it."""

    def forward(self, x):
        return np.log1p(np.exp(x))

    def dx(self, dy, x, y):
        return dy / (1 + np.exp(-x))

    def tangent(self, u, x, y):
        return self.dx(u, x, y)


class SquaredGain:
    """y = a² x with a gain of its own for each column: its `dparams` depends on a."""

    def __init__(self, n):
        self.shapes = ((n,),)

    def forward(self, x, a):
        return a * a * x

    def dx(self, dy, x, y, a):
        return a * a * dy

    def dparams(self, dy, x, y, a):
        return [array_namespace(dy).sum(2 * a * x * dy, axis=0)]

    def tangent(self, u, x, y, a):
        return self.dx(u, x, y, a)


class ExpGain:
    """y = e^a x with a gain of its own for each column: its `dparams` reads the output."""

    def __init__(self, n):
        self.shapes = ((n,),)

    def forward(self, x, a):
        return array_namespace(a).exp(a) * x

    def dx(self, dy, x, y, a):
        return array_namespace(a).exp(a) * dy

    def dparams(self, dy, x, y, a):
        return (array_namespace(dy).sum(dy * y, axis=0),)

    def tangent(self, u, x, y, a):
        return self.dx(u, x, y, a)


class PReLU:
    """y = x where x > 0, else a x, with a slope of its own for each column.

    He et al. (2015), Delving deep into rectifiers, equations 1 and 8. Where x is not above 0
    the tangent is a u, so the pairing of dy with it has the gradient Σ dy u in a.
    """

    kink = 0.0
    piecewise_linear = True

    def __init__(self, n):
        self.n, self.shapes = n, ((n,),)

    def forward(self, x, a):
        return self.dx(x, x, None, a)

    def dx(self, dy, x, y, a):
        xp = array_namespace(x)
        return xp.where(xp.real(x) > 0, dy, a * dy)

    def dparams(self, dy, x, y, a):
        return self.tangent_dparams(dy, x, x, y, a)

    def tangent(self, u, x, y, a):
        return self.dx(u, x, y, a)

    def tangent_dparams(self, dy, u, x, y, a):
        xp = array_namespace(x)
        return (xp.sum(xp.where(xp.real(x) > 0, 0.0, dy * u), axis=0),)


def stack(widths, activation=lambda k: Softplus(), seed=0, dtype="float64", bias=True):
    """A network of Dense layers, the last with a bias or without, and activations for k columns
    between them."""
    layers, rng = [], np.random.default_rng(seed)
    for n, k in zip(widths[:-1], widths[1:]):
        layers += [Dense(n, k), activation(k)]
    layers[-2:] = [Dense(n, k, bias)]
    size = sum(math.prod(s) for layer in layers for s in getattr(layer, "shapes", ()))
    return Network(layers, (rng.standard_normal(size) / 2).astype(dtype))
