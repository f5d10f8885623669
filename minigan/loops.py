r"""Chapter 18. The lines between the matrix products, compiled.

NumPy runs one operation at a time over whole arrays: Adam's three equations are ten passes
over memory. A compiler makes one of them. This file writes the elementwise lines of earlier
chapters once more, entry by entry, and derives nothing. Each loop performs the operations of
its definition in the definition's order, so its result is the same to the last bit, and a run
begun with Numba may go on without it.

Two chapters use the loops: 19 in networks and optimisers that anybody may call, whose arrays
are then the caller's; 20 in the iterations of `train`, whose arrays are overwritten in place,
and where the games' own methods take the loops of the losses and of the average.
"""

import contextlib
from inspect import isfunction
from types import FunctionType

import numpy as np

from . import game, losses


def _compiler():
    r"""(Numba's decorator or None, why an installed Numba does not work or "")."""
    try:
        from numba import config, njit
    except Exception as error:
        absent = type(error) is ModuleNotFoundError and error.name == "numba"
        return None, "" if absent else f"{type(error).__name__}: {error}"
    return (None if config.DISABLE_JIT else _kept(njit(error_model="numpy"))), ""


def _kept(njit):
    r"""The decorator of a loop, which is compiled at its first call and then kept on disk.

    What is kept serves later processes until this file, Numba or the processor is another.
    Where nothing can be written or read, each process compiles its own.
    """

    def decorate(function):
        loop = njit(function)
        with contextlib.suppress(RuntimeError):  # there is no folder that Numba may use
            loop.enable_caching()
            disk = loop._cache
            disk.load_overload = _if_possible(disk.load_overload)
            disk.save_overload = _if_possible(disk.save_overload)
        return loop

    return decorate


def _if_possible(method):
    def call(*arguments):
        with contextlib.suppress(Exception):  # a full disk, a file cut short
            return method(*arguments)

    return call


njit, broken = _compiler()  # with error_model="numpy", x/0 is infinite
loop = njit or (lambda function: function)


@loop
def leaky(x, b, slope, y):
    r"""The bias of (1), added to $xW$ in place, then (2)."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            x[i, j] += b[j]
            y[i, j] = x[i, j] if x[i, j] > 0 else slope * x[i, j]


@loop
def leaky_dx(dy, x, slope, dx):
    r"""(2a)."""
    for i in range(x.size):
        dx[i] = dy[i] if x[i] > 0 else slope * dy[i]


@loop
def negative(x, b, y):
    r"""The bias of (1), added to $xW$ in place, then $-x$ for (3)."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            x[i, j] += b[j]
            y[i, j] = -x[i, j]


@loop
def sigmoid(e, one):
    r"""(3) in the place of $e^{-x}$."""
    for i in range(e.size):
        e[i] = one / (e[i] + one)


@loop
def sigmoid_dx(dy, y, one, dx):
    r"""(3a)."""
    for i in range(y.size):
        dx[i] = (one - y[i]) * y[i] * dy[i]


@loop
def weighted(f, x, u):
    r"""(13): $f x + u$, in the place of u."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            u[i, j] = f[i, 0] * x[i, j] + u[i, j]


@loop
def rmsprop(theta, v, g, rho, rest, lr, eps):
    r"""(17), `rest` being $1 - \rho$."""
    for i in range(theta.size):
        v[i] = rho * v[i] + rest * g[i] * g[i]
        theta[i] -= lr * g[i] / (np.sqrt(v[i]) + eps)


@loop
def adam(theta, M, V, g, beta1, beta2, rate, eps):
    r"""(18c), then the step with the two numbers of `Adam.rates`."""
    for i in range(theta.size):
        M[i] = beta1 * M[i] + g[i]
        V[i] = beta2 * V[i] + g[i] * g[i]
        theta[i] -= rate * M[i] / (np.sqrt(V[i]) + eps)


@loop
def exponent(s, e):
    r"""$-|s|$, whose exponential is e in (4)."""
    for i in range(s.size):
        e[i] = -s[i] if s[i] > 0 else s[i]


@loop
def cross_entropy(s, e, t, u, m, loss, ds):
    r"""(4), the place of $\ell$ holding $\log(1 + e)$, and (4a), u being $1 - t$."""
    one = s.dtype.type(1)
    for i in range(s.size):
        if s[i] > 0:
            loss[i] = u * s[i] + loss[i]
            ds[i] = (u - t * e[i]) / (one + e[i]) / m
        else:
            loss[i] = -t * s[i] + loss[i]
            ds[i] = (u * e[i] - t) / (one + e[i]) / m


def bce_with_logits(s, t):
    r"""(4) and (4a); exponential and logarithm are NumPy's, and so is the sum."""
    m, number = len(s), s.dtype.type
    loss, ds, e = np.empty((3, *s.shape), s.dtype)
    flat = [array.reshape(-1) for array in (s, e, loss, ds)]
    exponent(*flat[:2])
    np.exp(e, out=e)
    np.log1p(e, out=loss)
    cross_entropy(*flat[:2], number(t), number(1 - t), number(m), *flat[2:])
    return np.sum(loss) / m, ds


def relativistic(s, t):
    r"""(7) and (7a)."""
    return bce_with_logits(s - t, 1.0)


@loop
def average(mean, part, theta):
    r"""(19a)."""
    for i in range(mean.size):
        mean[i] += part * (theta[i] - mean[i])


def move(mean, part, theta):
    r"""(19a)."""
    average(mean, mean.dtype.type(part), theta)


LOOPS = {
    losses.bce_with_logits: bce_with_logits,
    losses.relativistic: relativistic,
    game.move: move,
}


def with_loops(method):
    r"""A method of a game, in which functions of earlier chapters are those of this file."""
    names = method.__globals__
    compiled = {key: LOOPS[f] for key, f in names.items() if isfunction(f) and f in LOOPS}
    code, name, defaults = method.__code__, method.__name__, method.__defaults__
    return FunctionType(code, names | compiled, name, defaults, method.__closure__)


# ---- in place ----


@loop
def leaky_in_place(x, b, slope):
    r"""The bias of (1) and then (2), in the place of $xW$."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            v = x[i, j] + b[j]
            x[i, j] = v if v > 0 else slope * v


@loop
def leaky_back(d, y, slope, db):
    r"""(2a) in the place of dy, and (1c)."""
    db[:] = 0
    for i in range(d.shape[0]):
        for j in range(d.shape[1]):
            v = d[i, j] if y[i, j] > 0 else slope * d[i, j]
            d[i, j] = v
            db[j] += v


@loop
def negative_in_place(x, b):
    r"""The bias of (1) and then $-x$ for (3), in the place of $xW$."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            x[i, j] = -(x[i, j] + b[j])


@loop
def sigmoid_back(d, y, one, db):
    r"""(3a) in the place of dy, and (1c)."""
    db[:] = 0
    for i in range(d.shape[0]):
        for j in range(d.shape[1]):
            v = (one - y[i, j]) * y[i, j] * d[i, j]
            d[i, j] = v
            db[j] += v


@loop
def scaled(f, d, db):
    r"""One player's deltas (21) in the place of those of the scores, and (1c)."""
    db[:] = 0
    for i in range(d.shape[0]):
        for j in range(d.shape[1]):
            v = f[i, 0] * d[i, j]
            d[i, j] = v
            db[j] += v


def sigmoid_in_place(x, b, one):
    r"""The bias of (1) and then (3), in the place of $xW$; the exponential is NumPy's."""
    negative_in_place(x, b)
    np.exp(x, out=x)
    sigmoid(x.reshape(-1), one)


# ---- the same by NumPy, but for (1c) ----


def leaky_lines(x, b, slope):
    r"""The bias of (1) and then (2), in the place of $xW$."""
    x += b
    x *= np.maximum(x > 0, slope)


def leaky_back_lines(d, y, slope, db):
    r"""(2a) in the place of dy."""
    d *= np.maximum(y > 0, slope)


def sigmoid_lines(x, b, one):
    r"""The bias of (1) and then (3), in the place of $xW$."""
    x += b
    np.exp(np.negative(x, out=x), out=x)
    x += one
    x **= -1


def sigmoid_back_lines(d, y, one, db):
    r"""(3a) in the place of dy."""
    slopes = one - y
    slopes *= y
    d *= slopes


def scaled_lines(f, d, db):
    r"""One player's deltas (21) in the place of those of the scores."""
    d *= f


def weighted_lines(f, x, u):
    r"""(13): $f x + u$, in the place of u."""
    u += f * x
