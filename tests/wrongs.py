"""Wrong derivatives with their causes: layers and losses that a student may hand in.

Each subject is right; each mistake changes one of its passes. `layers()` and `losses()` yield
(id, subject, which pass, the cause that is to be named). A cause of "" says that no hypothesis
covers the mistake, so nothing may be named.
"""

import copy

import numpy as np
from readers import ExpGain, PReLU, Softplus, SquaredGain

from minigan import Dense, LeakyReLU, Sigmoid
from minigan import bce_with_logits, least_squares, softmax_cross_entropy, wasserstein
from minigan.losses import relativistic


class Tanh:
    def forward(self, x):
        return np.tanh(x)

    def dx(self, dy, x, y):
        return dy * (1 - y * y)

    def tangent(self, u, x, y):
        return u * (1 - y * y)


class Cube(Tanh):
    def forward(self, x):
        return x**3

    def dx(self, dy, x, y):
        return dy * 3 * x * x

    def tangent(self, u, x, y):
        return u * 3 * x * x


class Affine:
    """y = a x + b, a gain and a shift for each column."""

    def __init__(self, n):
        self.shapes = ((n,), (n,))

    def forward(self, x, W, b):
        return W * x + b

    def dx(self, dy, x, y, W, b):
        return dy * W

    def dparams(self, dy, x, y, W, b):
        return (dy * x).sum(0), dy.sum(0)

    def tangent(self, u, x, y, W, b):
        return u * W


class RowSoftmax(Tanh):
    """y_ij = exp x_ij / Σ_l exp x_il: the columns are not alone."""

    def forward(self, x):
        e = np.exp(x)
        return e / e.sum(1, keepdims=True)

    def dx(self, dy, x, y):
        return y * (dy - (dy * y).sum(1, keepdims=True))

    def tangent(self, u, x, y):
        return self.dx(u, x, y)


def cauchy(s, t):
    """log(1 + (s − t)²), robust to rows that are far away."""
    return np.log(1 + (s - t) ** 2).mean(), 2 * (s - t) / (1 + (s - t) ** 2) / len(s)


def quartic(s, t):
    return ((s - t) ** 4).sum() / len(s), 4 * (s - t) ** 3 / len(s)


# ---- mistakes that any pass may have: {name: (claim from the right one, cause)} ----


def where_last(r, axis, value):
    wrong = np.array(r)
    np.moveaxis(wrong, axis, 0)[-1] = value * np.moveaxis(wrong, axis, 0)[-1]
    return wrong


COMMON = {
    "sign": (lambda r, m: -r, "the sign is wrong"),
    "no mean": (lambda r, m: r * m, "claimed = measured × m, m = 6"),
    "mean": (lambda r, m: r / m, "claimed = measured / m, m = 6"),
    "minus mean": (lambda r, m: -r / m, "claimed = −measured / m, m = 6"),
    "twice": (lambda r, m: 2 * r, "claimed = measured × 2"),
    "half": (lambda r, m: r / 2, "claimed = measured / 2"),
    "constant": (lambda r, m: 1.7 * r, "claimed = 1.7 × measured, a constant factor"),
    "zero": (lambda r, m: 0 * r, "it is zero"),
    "nan": (lambda r, m: r * np.nan, "it is not finite"),
    "float32": (lambda r, m: r.astype("float32"), "it is right, but rounded to float32"),
    # what no hypothesis covers
    "more": (lambda r, m: r + 0.1, ""),
    "square": (lambda r, m: r * abs(r), ""),
    "nearly": (lambda r, m: r * (1 + 1e-3 * np.sin(r)), ""),
}
BY_ROWS = {
    "rows reversed": (lambda r: r[::-1], "its rows are in reverse order"),
    "rows shifted": (lambda r: np.roll(r, 1, 0), "its rows are shifted by one"),
    "rows shifted back": (lambda r: np.roll(r, -1, 0), "its rows are shifted by one, backward"),
    "rows exchanged": (
        lambda r: np.concatenate([r[1::-1], r[2:]]),
        "its rows are in another order",
    ),
    "rows summed": (lambda r: 0 * r + r.sum(0), "it is summed over its rows"),
    "rows averaged": (lambda r: 0 * r + r.mean(0), "it is averaged over its rows"),
    "all summed": (lambda r: 0 * r + r.sum(), "it is the sum of all entries"),
    "last row lost": (lambda r: where_last(r, 0, 0), "only row -1 is wrong; there it is zero"),
    "first row": (
        lambda r: where_last(r[::-1], 0, -1)[::-1],
        "only row 0 is wrong; there the sign is wrong",
    ),
}
BY_COLUMNS = {
    "columns reversed": (lambda r: r[..., ::-1], "its columns are in reverse order"),
    "columns shifted": (lambda r: np.roll(r, 1, -1), "its columns are shifted by one"),
    "columns summed": (lambda r: 0 * r + r.sum(1, keepdims=True), "it is summed over its columns"),
    "last column": (
        lambda r: where_last(r, 1, 2),
        "only column -1 is wrong; there claimed = measured × 2",
    ),
}
COLUMN_LAST = {
    "last column": (
        lambda r: where_last(r, 1, 2),
        "only column 3 is wrong; there claimed = measured × 2",
    )
}
EXTRA_DX = {
    "no slope": (lambda dy, x, y, r: dy, "the factor {slope} is missing"),
    "no dy": (lambda dy, x, y, r: r / dy, "the factor dy is missing"),
    "dy twice": (lambda dy, x, y, r: r * dy, "the factor dy is there once too often"),
    "x too": (lambda dy, x, y, r: r * x, "the factor x is there once too often"),
    "above zero": (
        lambda dy, x, y, r: r * (x > 0),
        "it is right only where x > 0; there it is zero",
    ),
    "below zero": (
        lambda dy, x, y, r: r * (x < 0),
        "it is right only where x < 0; there it is zero",
    ),
    "above zero, else minus": (
        lambda dy, x, y, r: np.where(x > 0, r, -r),
        "it is right only where x > 0; there the sign is wrong",
    ),
    "offset": (lambda dy, x, y, r: r + dy * x * y, ""),
    "other function": (lambda dy, x, y, r: dy * np.cos(x), ""),
}
