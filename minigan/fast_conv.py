r"""Chapter 21. Convolutions sooner: gather and scatter compiled, biases and bends in one pass.

The matrix products of a convolution are NumPy's here as well. What surrounds them is copying,
and NumPy copies a picture K × K times, each time a pixel here and a pixel there. The loops of
this file follow the memory instead: a line of a patch, K · c numbers, is one piece of a line
of the picture. They perform the additions of (46) in its order, so their results are the same
to the last bit.

One sum is taken in another order. (13) moves the factors of the rows from the deltas to the
inputs, where the tangents of a penalty can be added to them, and so a Dense layer needs one
product for a loss and its penalty. So does a convolution, since (45) is linear:

(54) $dW = \mathrm{gather}\big(\mathrm{diag}(f)\,x + u\big)^\top \delta$, and for the transposed
convolution $\mathrm{gather}(\delta)^\top \big(\mathrm{diag}(f)\,x + u\big)$

In float32 it differs from the sum of two products by some $10^{-7}$ of its size.
"""

from dataclasses import astuple
from functools import cached_property

import numpy as np

from .conv import Conv, ConvTranspose, OfPictures, Patches, by_pixel, over_pixels
from .fast import FORWARD, FastNetwork, ours, weighted
from .layers import Dense
from .loops import loop, njit
from .network import layer_gradient


@loop
def _gather(x, h, w, c, kernel, stride, padding, height, width, lines, X, n):
    r"""(45) for rows x (m, h·w·c) and patches X (m·height·width, at least $K^2c$).

    lines : zeros for the lines of one padded picture, and the same memory as X sees it, in
        which a number is n of those of x
    """
    own, seen = lines
    run, step = kernel * c // n, stride * c // n
    for i in range(x.shape[0]):
        for u in range(h):
            line, pixels = own[u + padding, padding * c :], x[i, u * w * c :]
            for e in range(w * c):
                line[e] = pixels[e]
        for r in range(height):
            for t in range(width):
                patch = X[(i * height + r) * width + t]
                for a in range(kernel):
                    part, at = patch[a * run :], seen[stride * r + a, step * t :]
                    if run == 2:  # for which a loop takes twice as long
                        part[0], part[1] = at[0], at[1]
                    else:
                        for e in range(run):
                            part[e] = at[e]


@loop
def _scatter(X, h, w, c, kernel, stride, padding, height, width, x):
    r"""(46) for patches X and rows x as above."""
    run = kernel * c
    lines = np.zeros((h + 2 * padding, (w + 2 * padding) * c), x.dtype)
    for i in range(x.shape[0]):
        lines[:] = 0
        for r in range(height):
            for t in range(width):
                patch = X[(i * height + r) * width + t]
                for a in range(kernel):
                    part, seen = patch[a * run :], lines[stride * r + a, stride * t * c :]
                    if run == 4:  # for which a loop takes half as long again
                        seen[0] += part[0]
                        seen[1] += part[1]
                        seen[2] += part[2]
                        seen[3] += part[3]
                    else:
                        for e in range(run):
                            seen[e] += part[e]
        for u in range(h):
            line, pixels = lines[u + padding, padding * c :], x[i, u * w * c :]
            for e in range(w * c):
                pixels[e] = line[e]


class FastPatches(Patches):
    r"""Patches that are gathered and scattered by the loops of this file."""

    @cached_property
    def sizes(self):
        r"""What the loops need to know."""
        return self.h, self.w, self.c, self.kernel, self.stride, self.padding, *self.places

    @cached_property
    def in_pairs(self):
        r"""Whether two numbers of float32 can always be copied as one of 64 bits."""
        c = self.c
        ends = self.kernel * c, self.stride * c, (self.w + 2 * self.padding) * c, self.width
        return all(end % 2 == 0 for end in ends)

    def gather(self, x):
        r"""(45)."""
        if not suits(x):
            return super().gather(x)
        inside, (height, width) = self.h * self.w * self.c, self.places
        X = np.empty((len(x) * height * width, self.width), x.dtype)
        lines = np.zeros(
            (self.h + 2 * self.padding, (self.w + 2 * self.padding) * self.c), x.dtype
        )
        wide = np.float64 if self.in_pairs and x.dtype == np.float32 else x.dtype
        every = lines, lines.view(wide)
        _gather(x, *self.sizes, every, X.view(wide), 1 + (wide != x.dtype))
        if self.beside:
            every = X.reshape(len(x), height * width, self.width)
            every[:, :, self.width - self.beside :] = x[:, None, inside:]
        return X

    def scatter(self, X):
        r"""(46)."""
        if not suits(X):
            return super().scatter(X)
        inside, (height, width) = self.h * self.w * self.c, self.places
        every = X.reshape(-1, height * width, self.width)
        x = np.empty((len(every), self.n), X.dtype)
        _scatter(X, *self.sizes, x)
        if self.beside:
            x[:, inside:] = every[:, :, self.width - self.beside :].sum(axis=1)
        return x


def suits(array):
    r"""Whether the loops can read that array."""
    return njit and type(array) is np.ndarray and array.dtype.kind == "f"


class FastConvNetwork(FastNetwork):
    r"""A network with convolutions that takes the short ways of this file."""

    def forward(self, x):
        r"""(9), an activation adding the bias of the layer before it in its own pass."""
        trace, waiting = [self.validate_input(x)], None
        if not suits(x) or x.dtype != self.theta.dtype:
            return super().forward(x)
        for layer, params, after in zip(self.layers, self.params, [*self.layers[1:], None]):
            x = trace[-1]
            if waiting is not None:
                y = FORWARD[type(layer)](layer, by_pixel(x, len(waiting)), waiting)
                y, waiting = y.reshape(x.shape), None
            elif len(params) == 2 and type(layer) in PRODUCTS and type(after) in FORWARD:
                W, waiting = params
                y = layer.tangent(x, x, None, W)
            else:
                y = layer.forward(x, *params)
            trace.append(y)
        return trace

    def accumulate(self, trace, deltas, factors=None, tangents=None):
        r"""(11), with (54) where rows have factors."""
        if factors is None or not suits(self.theta):
            return super().accumulate(trace, deltas, factors, tangents)
        grads, tangents = [], tangents or [None] * len(trace)
        for l, (layer, params) in enumerate(zip(self.layers, self.params)):
            if params:
                args = layer, factors, deltas[l + 1], tangents[l], trace[l], trace[l + 1]
                own = joined if isinstance(layer, OfPictures) else layer_gradient
                grads += [grad.reshape(-1) for grad in own(*args, params)]
        return np.concatenate(grads)


def joined(layer, factors, delta, u, x, y, params):
    r"""(54), and $db = f^\top\delta$, the pixels summed."""
    moved = factors * x if u is None else weighted(factors, x, u)
    dW, db = layer.tangent_dparams(delta, moved, x, y, *params)
    return dW, over_pixels(factors.T @ delta, db.size)


PRODUCTS = Dense, Conv, ConvTranspose  # whose tangent is their output without the bias


def accelerate_pictures(model):
    r"""Let the convolutions of an accelerated `Game` take the short ways of this file.

    A network stays the object it is, of another class; a layer gets compiled patches.
    """
    for network in (model.G, model.D):
        of_pictures = [layer for layer in network.layers if type(layer) in PRODUCTS[1:]]
        if type(network) is FastNetwork and ours(Patches, *map(type, of_pictures)):
            network.__class__ = FastConvNetwork if of_pictures else FastNetwork
            for layer in of_pictures:
                layer.patches = FastPatches(*astuple(layer.patches))
