r"""Rational layers such as a reader may write, with which `exact` tries the networks."""

import numpy as np

from ..layers import Dense


class Bent:
    r"""PReLU, y = x where x > 0 and else $a_j x$; its passes read x and y, as a layer may.

    Source: He et al. (2015), Delving deep into rectifiers, equation 1.
    """

    piecewise_linear = True

    def __init__(self, n):
        self.n, self.shapes = n, ((n,),)

    def forward(self, x, a):
        return np.where(x > 0, x, a * x)

    def dx(self, dy, x, y, a):
        return dy * y / x

    def dparams(self, dy, x, y, a):
        return (np.where(x > 0, 0 * y, dy * y / a).sum(axis=0),)

    def tangent(self, u, x, y, a):
        return u * y / x

    def tangent_dparams(self, dy, u, x, y, a):
        return (np.where(x > 0, 0 * y, dy * u * y / (a * x)).sum(axis=0),)


class OwnDense(Dense):
    r"""A layer of one's own, which no chapter knows by its type."""
