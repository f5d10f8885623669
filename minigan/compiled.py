r"""The lines between the matrix products, compiled.

NumPy runs one operation at a time over whole arrays: Adam's three equations are ten passes
over memory. A compiler makes one of them. This file writes the elementwise lines of
earlier chapters once more, entry by entry, and derives nothing. Each loop performs the
operations of its definition in the definition's order, so its result is the same to the
last bit, and a run begun with Numba may go on without it.

`pip install 'minigan[fast]'` brings Numba, and `train` then calls `compile_model`. Without
Numba, importing this file is an ImportError.
"""

import copy

import numpy as np
from numba import njit

from .layers import Dense, LeakyReLU, Sigmoid
from .network import Network
from .optim import Adam, RMSProp

loop = njit(error_model="numpy")  # x/0 is infinite: no check stands in the way of SIMD


@loop
def _leaky_forward(y, b, slope):
    r"""The bias of (1), then (2), in the place of $xW$."""
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            x = y[i, j] + b[j]
            y[i, j] = x if x > 0 else slope * x


@loop
def _leaky_dx(dy, y, slope):
    r"""(2a) in the place of dy."""
    for i in range(y.size):
        dy[i] = dy[i] if y[i] > 0 else slope * dy[i]


@loop
def _negative(y, b):
    r"""The bias of (1), then $-x$ for (3), in the place of $xW$."""
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            y[i, j] = -(y[i, j] + b[j])


@loop
def _sigmoid_forward(e, one):
    r"""(3) in the place of $e^{-x}$."""
    for i in range(e.size):
        e[i] = one / (e[i] + one)


@loop
def _sigmoid_dx(dy, y, one):
    r"""(3a) in the place of dy."""
    for i in range(y.size):
        dy[i] = (one - y[i]) * y[i] * dy[i]


@loop
def _rmsprop(theta, v, g, rho, rest, lr, eps):
    r"""(13), `rest` being $1 - \rho$."""
    for i in range(theta.size):
        v[i] = rho * v[i] + rest * g[i] * g[i]
        theta[i] -= lr * g[i] / (np.sqrt(v[i]) + eps)


@loop
def _adam(theta, M, V, g, beta1, beta2, rate, eps):
    r"""(14c), then the step with the two numbers of `Adam.rates`."""
    for i in range(theta.size):
        M[i] = beta1 * M[i] + g[i]
        V[i] = beta2 * V[i] + g[i] * g[i]
        theta[i] -= rate * M[i] / (np.sqrt(V[i]) + eps)


def _flat(array):
    r"""A view in one dimension: an array that has none would be copied, and the result lost."""
    assert array.flags.c_contiguous
    return array.reshape(-1)


class CompiledLeakyReLU(LeakyReLU):
    r"""(2) in the place of xW and (2a) in the place of dy, as $x > 0$ just where $y > 0$."""

    def overwrite(self, y, b):
        _leaky_forward(y, b, y.dtype.type(self.slope))

    def overwrite_dx(self, dy, y):
        _leaky_dx(_flat(dy), _flat(y), y.dtype.type(self.slope))


class CompiledSigmoid(Sigmoid):
    r"""(3), after NumPy's exponential, in the place of xW and (3a) in the place of dy."""

    def overwrite(self, y, b):
        _negative(y, b)
        with np.errstate(over="ignore"):
            np.exp(y, out=y)
        _sigmoid_forward(_flat(y), y.dtype.type(1))

    def overwrite_dx(self, dy, y):
        _sigmoid_dx(_flat(dy), _flat(y), y.dtype.type(1))


class CompiledRMSProp(RMSProp):
    r"""(13) in one pass."""

    def update(self, theta, g):
        rates = self.rho, 1 - self.rho, self.lr, self.eps
        _rmsprop(theta, self.v, g, *map(theta.dtype.type, rates))


class CompiledAdam(Adam):
    r"""(14c) and the step in one pass."""

    def update(self, theta, g):
        rates = self.beta1, self.beta2, *self.rates()
        _adam(theta, self.M, self.V, g, *map(theta.dtype.type, rates))


class CompiledNetwork(Network):
    r"""The passes of chapter 3 over less memory: what is not needed again is overwritten.

    In a network of Dense layers with an activation behind each, an activation's output takes
    the place of its input, the bias being added on the way, and of the two deltas likewise.
    The caller's x and dy stay. Every product of (8) is written where it belongs in the flat
    gradient.
    """

    def forward(self, x):
        trace, activations = [self.checked(x)], [*self.layers[1::2], None]
        for (W, b), activation in zip(self.params[::2], activations):
            y = trace[-1] @ W
            if activation:
                activation.overwrite(y, b)
                trace.append(y)
            else:
                y += b
            trace.append(y)
        return trace

    def deltas(self, trace, dy, stop=0):
        if not self.layers[-1].shapes:
            dy = np.array(dy, order="C")
        deltas = [None] * len(self.layers) + [dy]
        for l in range(len(self.layers), stop, -1):
            if self.layers[l - 1].shapes:
                dy = self.dx(l, dy, trace[l - 1], trace[l])
            else:
                self.layers[l - 1].overwrite_dx(dy, trace[l])
            deltas[l - 1] = dy
        return deltas

    def accumulate(self, trace, deltas):
        dtheta, at = np.empty_like(self.theta), 0
        for layer, x, delta in zip(self.layers, trace, deltas[1:]):
            if layer.shapes:
                dW, db = at + layer.n * layer.k, at + (layer.n + 1) * layer.k  # where they end
                np.matmul(x.T, delta, out=dtheta[at:dW].reshape(layer.n, layer.k))
                np.sum(delta, axis=0, out=dtheta[dW:db])
                at = db
        return dtheta


COMPILED = {LeakyReLU: CompiledLeakyReLU, Sigmoid: CompiledSigmoid}
COMPILED |= {RMSProp: CompiledRMSProp, Adam: CompiledAdam}


def compile_model(model):
    r"""Let a `Game` on NumPy, in float32 or float64, run on the loops above."""
    theta = model.G.theta
    if type(theta) is np.ndarray and theta.dtype.kind == "f":
        compile_network(model.G)
        compile_network(model.D)
        for optimizer in (model.G_optimizer, model.D_optimizer):
            optimizer.__class__ = COMPILED.get(type(optimizer), type(optimizer))


def compile_network(network):
    r"""The same for a network, if Dense layers and known activations take turns in it."""
    dense, activations = network.layers[::2], network.layers[1::2]
    if (
        type(network) is Network
        and all(type(layer) is Dense for layer in dense)
        and all(type(layer) in COMPILED for layer in activations)
    ):
        network.layers = [compiled(layer) for layer in network.layers]
        network.__class__ = CompiledNetwork


def compiled(layer):
    r"""A layer like the given one, which other networks may share, with loops if it has any."""
    layer = copy.copy(layer)
    layer.__class__ = COMPILED.get(type(layer), type(layer))
    return layer
