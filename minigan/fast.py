r"""Chapter 19. The same numbers sooner: networks and optimisers that use the loops.

A network and an optimiser keep their meaning and their memory, and take shorter ways. Anything
else (a layer of another type, another dtype or shape) falls back to the plain chapters.

`train` calls `accelerate`. The loops need Numba, which `pip install 'minigan[fast]'` brings;
without it, two things remain that NumPy alone can do sooner.
"""

from inspect import isfunction

import numpy as np

from . import loops
from .layers import Dense, LeakyReLU, Sigmoid
from .loops import njit
from .network import Network
from .optim import Adam, RMSProp


def leaky_forward(layer, x, b):
    r"""Adds b to x and returns (2) of it."""
    y = np.empty(x.shape, x.dtype)
    loops.leaky(x, b, x.dtype.type(layer.slope), y)
    return y


def leaky_dx(layer, dy, x, y):
    r"""(2a)."""
    dx = np.empty(x.shape, x.dtype)
    loops.leaky_dx(dy.ravel(), x.ravel(), x.dtype.type(layer.slope), dx.reshape(-1))
    return dx


def sigmoid_forward(layer, x, b):
    r"""Adds b to x and returns (3) of it; the exponential is NumPy's."""
    y = np.empty(x.shape, x.dtype)
    loops.negative(x, b, y)
    with np.errstate(over="ignore"):
        np.exp(y, out=y)
    loops.sigmoid(y.reshape(-1), y.dtype.type(1))
    return y


def sigmoid_dx(layer, dy, x, y):
    r"""(3a)."""
    dx = np.empty(y.shape, y.dtype)
    loops.sigmoid_dx(dy.ravel(), y.ravel(), y.dtype.type(1), dx.reshape(-1))
    return dx


def weighted(factors, x, u):
    r"""$\mathrm{diag}(f)\,x + u$ of (13)."""
    if not (njit and x.shape == u.shape and factors.shape == (x.shape[0], 1)):
        return factors * x + u
    y = u.copy()
    loops.weighted(factors, x, y)
    return y


FORWARD = {LeakyReLU: leaky_forward, Sigmoid: sigmoid_forward}
DX = {LeakyReLU: leaky_dx, Sigmoid: sigmoid_dx}


class FastNetwork(Network):
    r"""A network whose Dense layers and known activations take the short ways of this file."""

    def forward(self, x):
        r"""(9), the activations adding the biases of the Dense layers before them."""
        x, dense, activations = self.validate_input(x), self.layers[::2], self.layers[1::2]
        if (
            not njit
            or x.dtype != self.theta.dtype
            or any(type(layer) is not Dense for layer in dense)
            or any(type(layer) not in FORWARD for layer in activations)
            or not all(layer.bias for layer in dense[: len(activations)])
        ):
            return super().forward(x)
        trace = [x]
        for (W, *b), activation in zip(self.params[::2], [*activations, None]):
            x = trace[-1] @ W
            if activation:
                trace += [x, FORWARD[type(activation)](activation, x, *b)]
            else:
                trace.append(np.add(x, *b, out=x) if b else x)
        return trace

    def dx(self, l, dy, x, y):
        r"""(10) for layer l alone. For one column, (1a) is an elementwise product."""
        layer = self.layers[l - 1]
        if type(layer) is Dense and layer.k == 1 and dy.ndim == 2 and dy.shape[1] == 1:
            return dy * self.params[l - 1][0].T
        like = dy.dtype == x.dtype == y.dtype == self.theta.dtype
        if njit and type(layer) in DX and like and dy.shape == x.shape == y.shape:
            return DX[type(layer)](layer, dy, x, y)
        return super().dx(l, dy, x, y)

    def tangent(self, l, u, x, y):
        r"""(12) for layer l alone; for an activation it is the same loop as `dx`."""
        same = type(self.layers[l - 1]) in DX
        return self.dx(l, u, x, y) if same else super().tangent(l, u, x, y)

    def accumulate(self, trace, deltas, factors=None, tangents=None):
        r"""(11) and (13) with every product written where it belongs in the flat array."""
        every = zip(self.layers, trace, deltas[1:], tangents or trace, self.params)
        passes = [each for each in every if each[4]]
        if any(
            type(layer) is not Dense or not x.dtype == dy.dtype == u.dtype == self.theta.dtype
            for layer, x, dy, u, _ in passes
        ):
            return super().accumulate(trace, deltas, factors, tangents)
        dtheta, at = np.empty_like(self.theta), 0
        for layer, x, dy, u, _ in passes:
            dW = at + layer.n * layer.k  # where it ends
            db = dtheta[dW : dW + layer.k * layer.bias]
            if tangents and factors is not None:
                x = weighted(factors, x, u)
                np.matmul(factors.T, dy, out=db.reshape(-1, layer.k)) if layer.bias else None
            elif tangents:
                x, db[...] = u, 0
            else:
                dy = dy if factors is None else factors * dy
                np.sum(dy, axis=0, out=db) if layer.bias else None
            np.matmul(x.T, dy, out=dtheta[at:dW].reshape(layer.n, layer.k))
            at = dW + db.size
        return dtheta


def same_size_and_dtype(*arrays):
    r"""Whether flat arrays have one size and one dtype, as a loop needs them."""
    return len({(array.size, array.dtype) for array in arrays}) == 1


class FastRMSProp(RMSProp):
    r"""(17) in one pass."""

    def update(self, theta, g):
        if not (njit and same_size_and_dtype(theta, self.v, g)):
            return super().update(theta, g)
        rates = self.rho, 1 - self.rho, self.lr, self.eps
        loops.rmsprop(theta, self.v, g, *map(theta.dtype.type, rates))


class FastAdam(Adam):
    r"""(18c) and the step in one pass."""

    def update(self, theta, g):
        if not (njit and same_size_and_dtype(theta, self.M, self.V, g)):
            return super().update(theta, g)
        rates = self.beta1, self.beta2, *self.rates()
        loops.adam(theta, self.M, self.V, g, *map(theta.dtype.type, rates))


FAST = {Network: FastNetwork, RMSProp: FastRMSProp, Adam: FastAdam}


def ours(*classes):
    r"""Whether all classes are this library's, and a reader has exchanged no method of them."""
    methods = [m for cls in classes for m in vars(cls).values() if isfunction(m)]
    packages = {str(part.__module__).partition(".")[0] for part in (*classes, *methods)}
    return packages <= {"minigan", "dataclasses"}


def accelerate(model):
    r"""Let a `Game` on NumPy, in float32 or float64, take the short ways of this file.

    Networks and optimisers stay the objects they are, of another class; layers are not touched.
    """
    for network, optimizer in ((model.G, model.G_optimizer), (model.D, model.D_optimizer)):
        floats = type(network.theta) is np.ndarray and network.theta.dtype.kind == "f"
        known = {type(layer) for layer in network.layers} & {Dense, *DX}
        if floats and ours(*known):
            for part in (network, optimizer):
                part.__class__ = FAST.get(type(part), type(part))
