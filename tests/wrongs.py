"""Wrong derivatives with their causes: layers and losses that a student may hand in.

Each subject is right; each mistake changes one of its passes. `layers()` and `losses()` yield
(id, subject, which pass, the cause that is to be named). A cause of "" says that no hypothesis
covers the mistake, so nothing may be named.
"""

import copy

import numpy as np
from readers import ExpGain, PReLU, Softplus, SquaredGain

from minigan import (
    Dense,
    LeakyReLU,
    Sigmoid,
    bce_with_logits,
    least_squares,
    softmax_cross_entropy,
    wasserstein,
)
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


class WrittenOut(PReLU):
    """PReLU whose passes do not call each other, so that one can be wrong alone."""

    def forward(self, x, a):
        return np.where(np.real(x) > 0, x, a * x)

    def tangent(self, u, x, y, a):
        return np.where(x > 0, u, a * u)

    def dparams(self, dy, x, y, a):
        return (np.where(x > 0, 0, dy * x).sum(0),)


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


def shortened(r):
    return r.astype("complex64" if np.iscomplexobj(r) else "float32")


# ---- mistakes that any pass may have: {name: (claim from the right one, cause)} ----


def where_last(r, axis, value):
    wrong = np.array(r)
    np.moveaxis(wrong, axis, 0)[-1] = value * np.moveaxis(wrong, axis, 0)[-1]
    return wrong


COMMON = {
    "sign": (lambda r, m: -r, "the sign is wrong"),
    "no mean": (lambda r, m: r * m, "claimed = measured × m, m = 6"),
    "mean": (lambda r, m: r / m, "claimed = measured / m, m = 6"),
    "m squared": (lambda r, m: r * m * m, "claimed = measured × m², m² = 36"),
    "minus mean": (lambda r, m: -r / m, "claimed = −measured / m, m = 6"),
    "twice": (lambda r, m: 2 * r, "claimed = measured × 2"),
    "half": (lambda r, m: r / 2, "claimed = measured / 2"),
    "constant": (lambda r, m: 1.7 * r, "claimed = 1.7 × measured, a constant factor"),
    "zero": (lambda r, m: 0 * r, "it is zero"),
    "nan": (lambda r, m: r * np.nan, "it is not finite"),
    "float32": (lambda r, m: shortened(r), "it is right, but rounded to float32"),
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
    "columns summed": (
        lambda r: 0 * r + r.sum(1, keepdims=True),
        "it is summed over its columns",
    ),
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

# ---- what is put in the place of a right pass ----


def mistaken(layer, method, wrong, i=None):
    """A copy of the layer, one of whose passes is wrong(right answer, *its arguments)."""
    right, twin = getattr(layer, method), copy.copy(layer)

    def claim(*args):
        answer = right(*args)
        if i is None:
            return wrong(answer, *args)
        return tuple(wrong(a, *args) if j == i else a for j, a in enumerate(answer))

    cls = type(type(layer).__name__, (type(layer),), {method: lambda self, *args: claim(*args)})
    twin.__class__ = cls
    return twin


def elementwise():
    """(name, layer, what its slope is called)"""
    return [
        ("leaky", LeakyReLU(0.3), "f′(x)"),
        ("sigmoid", Sigmoid(), "f′(x) = y(1 − y)"),
        ("tanh", Tanh(), "f′(x) = 1 − y²"),
        ("softplus", Softplus(), "f′(x)"),
        ("cube", Cube(), "f′(x)"),
    ]


def with_parameters():
    """(name, layer, shapes of its parameters)"""
    return [
        ("dense", Dense(4, 3), ((4, 3), (3,))),
        ("square dense", Dense(4, 4), ((4, 4), (4,))),
        ("affine", Affine(4), ((4,), (4,))),
        ("squared gain", SquaredGain(4), ((4,),)),
        ("exp gain", ExpGain(4), ((4,),)),
        ("prelu", WrittenOut(4), ((4,),)),
    ]


def common():
    """Mistakes of any pass as functions of the right answer."""
    for name, (wrong, cause) in COMMON.items():
        yield name, (lambda r, *args, wrong=wrong: wrong(r, len(args[1]))), cause


def layers():
    """(id, layer, shapes of its parameters, the wrong pass, its cause)"""
    for kind, layer, slope in elementwise():
        for method in ("dx", "tangent"):
            drive = "dy" if method == "dx" else "u"
            rows = BY_ROWS | BY_COLUMNS | COLUMN_LAST
            shaped = [(n, (lambda r, *a, w=w: w(r)), c) for n, (w, c) in rows.items()]
            extra = [
                (n, (lambda r, d, x, y, w=w: w(d, x, y, r)), c.format(slope=slope))
                for n, (w, c) in EXTRA_DX.items()
            ]
            for name, wrong, cause in [*common(), *shaped, *extra]:
                cause = cause.replace("dy", drive)
                yield (
                    f"{kind}.{method}, {name}",
                    mistaken(layer, method, wrong),
                    (),
                    method,
                    cause,
                )
    yield from by_hand()
    for kind, layer, shapes in with_parameters():
        for i in range(len(shapes)):
            for name, wrong, cause in common():
                twin = mistaken(layer, "dparams", wrong, i)
                yield f"{kind}.dparams[{i}], {name}", twin, shapes, f"dparams[{i}]", cause
        for method in ("dx", "tangent"):
            for name, wrong, cause in common():
                yield (
                    f"{kind}.{method}, {name}",
                    mistaken(layer, method, wrong),
                    shapes,
                    method,
                    cause,
                )
    for name, wrong, cause in common():
        yield f"row softmax, {name}", mistaken(RowSoftmax(), "dx", wrong), (), "dx", cause


def by_hand():
    """Mistakes of one layer alone: the wrong lines, and what is wrong with them."""
    square, tall = ((4, 4), (4,)), ((4, 3), (3,))
    leaky, sigmoid, tanh = LeakyReLU(0.3), Sigmoid(), Tanh()
    lines = [
        ("dense", Dense(4, 4), square, "dx", lambda r, dy, x, y, W, b: dy @ W,
         "dy @ W stands where dy @ W.T belongs"),
        ("dense", Dense(4, 4), square, "dx", lambda r, dy, x, y, W, b: dy * W.T,
         "the elementwise product dy * W.T stands where dy @ W.T belongs"),
        ("dense", Dense(4, 4), square, "dx", lambda r, dy, x, y, W, b: dy * W,
         "the elementwise product dy * W stands where dy @ W.T belongs"),
        ("dense", Dense(4, 4), square, "tangent", lambda r, u, x, y, W, b: u @ W.T,
         "u @ W.T stands where u @ W belongs"),
        ("dense", Dense(4, 3), tall, "tangent", lambda r, u, x, y, W, b: r + b,
         ""),
        ("dense", Dense(4, 4), square, "dparams[0]", lambda r, dy, x, y, W, b: dy.T @ x,
         "it is transposed"),
        ("dense", Dense(4, 3), tall, "dparams[0]", lambda r, dy, x, y, W, b: dy.T @ x,
         "it is transposed"),
        ("dense", Dense(4, 4), square, "dparams[0]", lambda r, dy, x, y, W, b: y.T @ dy,
         "y stands where x belongs"),
        ("dense", Dense(4, 4), square, "dparams[0]", lambda r, dy, x, y, W, b: x.T @ y,
         "y stands where dy belongs"),
        ("dense", Dense(4, 6), ((4, 6), (6,)), "dparams[1]",
         lambda r, dy, x, y, W, b: dy.sum(1), "the sum runs over the wrong axis"),
        ("dense", Dense(4, 3), tall, "dparams[1]", lambda r, dy, x, y, W, b: dy,
         "the sum over the rows is missing"),
        ("dense", Dense(4, 3), tall, "dparams[1]", lambda r, dy, x, y, W, b: dy[0],
         "only the first row is counted"),
        ("dense", Dense(4, 3), tall, "dparams[1]", lambda r, dy, x, y, W, b: dy[-1],
         "only the last row is counted"),
        ("dense", Dense(4, 3), tall, "dparams[1]", lambda r, dy, x, y, W, b: dy.mean(0),
         "claimed = measured / m, m = 6"),
        ("dense", Dense(4, 3), tall, "dparams[0]", lambda r, dy, x, y, W, b: x[::-1].T @ dy,
         "it reads x with its rows in reverse order or "
         "it reads dy with its rows in reverse order"),
        ("dense", Dense(4, 3), tall, "dparams[0]", lambda r, dy, x, y, W, b: r / 3,
         "claimed = measured / 3, 3 being the columns of y"),
        ("dense", Dense(4, 3), tall, "dparams[0]", lambda r, dy, x, y, W, b: r / 4,
         "claimed = measured / 4, 4 being the columns of x"),
        ("affine", Affine(4), ((4,), (4,)), "dparams[0]", lambda r, dy, x, y, W, b: dy.sum(0),
         "the factor x is missing"),
        ("affine", Affine(4), ((4,), (4,)), "dparams[0]",
         lambda r, dy, x, y, W, b: (dy * y).sum(0), "y stands where x belongs"),
        ("affine", Affine(4), ((4,), (4,)), "dparams[0]",
         lambda r, dy, x, y, W, b: x.sum(0), "the factor dy is missing"),
        ("affine", Affine(4), ((4,), (4,)), "dx", lambda r, dy, x, y, W, b: dy * b,
         "b stands where W belongs"),
        ("affine", Affine(4), ((4,), (4,)), "dx", lambda r, dy, x, y, W, b: dy,
         "the factor W = f′(x) is missing"),
        ("affine", Affine(4), ((4,), (4,)), "dx", lambda r, dy, x, y, W, b: dy * W * W,
         "the factor W = f′(x) is there once too often"),
        ("affine", Affine(4), ((4,), (4,)), "tangent", lambda r, u, x, y, W, b: u * W + b, ""),
        ("prelu", WrittenOut(4), ((4,),), "dparams[0]", lambda r, dy, x, y, a: (dy * x).sum(0),
         "it is right where x < 0, wrong elsewhere"),
        ("prelu", WrittenOut(4), ((4,),), "dparams[0]",
         lambda r, dy, x, y, a: np.where(x > 0, 0, dy).sum(0), "the factor x is missing"),
        ("prelu", WrittenOut(4), ((4,),), "dx", lambda r, dy, x, y, a: np.where(x > 0, dy, 0),
         "it is right only where x > 0; there it is zero"),
        ("prelu", WrittenOut(4), ((4,),), "dx", lambda r, dy, x, y, a: a * dy,
         "it is right only where x < 0"),
        ("gain", SquaredGain(4), ((4,),), "dparams[0]",
         lambda r, dy, x, y, a: (a * x * dy).sum(0), "claimed = measured / 2"),
        ("gain", SquaredGain(4), ((4,),), "dparams[0]",
         lambda r, dy, x, y, a: (2 * x * dy).sum(0), "the factor params[0] is missing"),
        ("gain", ExpGain(4), ((4,),), "dparams[0]",
         lambda r, dy, x, y, a: (dy * x).sum(0), "x stands where y belongs"),
        ("sigmoid", sigmoid, (), "dx", lambda r, dy, x, y: dy * x * (1 - x),
         "x stands where y belongs"),
        ("sigmoid", sigmoid, (), "dx", lambda r, dy, x, y: dy * y,
         "the factor 1 − y is missing"),
        ("sigmoid", sigmoid, (), "dx", lambda r, dy, x, y: dy * (1 - y),
         "the factor y is missing"),
        ("sigmoid", sigmoid, (), "dx", lambda r, dy, x, y: y * (1 - y),
         "the factor dy is missing"),
        ("sigmoid", sigmoid, (), "dx", lambda r, dy, x, y: r * y * (1 - y),
         "the factor f′(x) = y(1 − y) is there once too often"),
        ("sigmoid", sigmoid, (), "dx", lambda r, dy, x, y: dy * slope_of_sigmoid(y),
         "y stands where x belongs"),
        ("sigmoid", sigmoid, (), "dx", lambda r, dy, x, y: dy[::-1] * y * (1 - y),
         "it reads dy with its rows in reverse order"),
        ("sigmoid", sigmoid, (), "dx", lambda r, dy, x, y: dy * np.roll(y * (1 - y), 1, 0),
         "it reads y with its rows shifted by one"),
        ("sigmoid", sigmoid, (), "dx", lambda r, dy, x, y: dy * (1 - y * y), ""),
        ("tanh", tanh, (), "dx", lambda r, dy, x, y: dy * (1 - x * x),
         "x stands where y belongs"),
        ("tanh", tanh, (), "dx", lambda r, dy, x, y: dy * (1 - np.tanh(y) ** 2),
         "y stands where x belongs"),
        ("tanh", tanh, (), "dx", lambda r, dy, x, y: dy * (1 - y), ""),
        ("leaky", leaky, (), "dx", lambda r, dy, x, y: dy * (x > 0),
         "it is right only where x > 0; there it is zero"),
        ("leaky", leaky, (), "dx", lambda r, dy, x, y: 0.3 * dy,
         "it is right only where x < 0; there claimed = measured × 0.3, 0.3 being slope"),
        ("leaky", leaky, (), "dx", lambda r, dy, x, y: 0.3 * r,
         "claimed = measured × 0.3, 0.3 being slope"),
        ("leaky", leaky, (), "dx", lambda r, dy, x, y: r / 0.3,
         "claimed = measured / 0.3, 0.3 being slope"),
        ("leaky", leaky, (), "dx", lambda r, dy, x, y: np.where(dy > 0, dy, 0.3 * dy), ""),
        ("leaky", leaky, (), "dx", lambda r, dy, x, y: np.where(x > 0, 0.3, 1) * dy, ""),
        ("softmax", RowSoftmax(), (), "dx", lambda r, dy, x, y: dy * y * (1 - y), ""),
        ("softmax", RowSoftmax(), (), "dx",
         lambda r, dy, x, y: dy - (dy * y).sum(1, keepdims=True), "the factor y is missing"),
        ("softmax", RowSoftmax(), (), "dx",
         lambda r, dy, x, y: x * (dy - (dy * x).sum(1, keepdims=True)),
         "x stands where y belongs"),
        ("softmax", RowSoftmax(), (), "dx",
         lambda r, dy, x, y: y * (dy - (dy * y).sum(0)), "its sums run over the wrong axis"),
    ]  # fmt: skip
    for n, (kind, layer, shapes, what, wrong, cause) in enumerate(lines):
        method, _, i = what.rstrip("]").partition("[")
        twin = mistaken(layer, method, wrong, int(i) if i else None)
        yield f"{kind}.{what}, by hand {n}", twin, shapes, what, cause


# ---- losses ----


def losses():
    """(id, loss, scores, targets, its cause)"""
    rng = np.random.default_rng(3)
    s, pair = rng.standard_normal((2, 6, 1))
    wide, c = rng.standard_normal((6, 4)), np.eye(4)[rng.integers(0, 4, 6)]
    known = [
        (bce_with_logits, s, 0.9), (wasserstein, s, 1.0), (least_squares, s, 0.7),
        (relativistic, s, pair), (softmax_cross_entropy, wide, c), (cauchy, s, 0.3),
        (quartic, s, 0.4),
    ]  # fmt: skip
    for loss, scores, t in known:
        for name, (wrong, cause) in COMMON.items():
            if loss is wasserstein and name == "float32":
                continue  # 1/6 in float32 is a constant factor as well

            def mistake(s, t, loss=loss, wrong=wrong):
                return loss(s, t)[0], wrong(loss(s, t)[1], len(s))

            yield f"{loss.__name__}, {name}", mistake, scores, t, cause

    def p(s):
        return 1 / (1 + np.exp(-s))

    ds = [
        (least_squares, s, 0.7, lambda s, t: s / len(s), ""),
        (least_squares, s, 0.7, lambda s, t: (t - s) / len(s), "the sign is wrong"),
        (least_squares, s, 0.7, lambda s, t: s - t, "claimed = measured × m, m = 6"),
        (least_squares, s, 0.7, lambda s, t: (p(s) - t) / len(s),
         "it is taken at σ(s) instead of s"),
        (least_squares, s, 0.7, lambda s, t: np.maximum(s - t, 0) / len(s), ""),
        (bce_with_logits, s, 0.9, lambda s, t: (p(s) - t) / len(s) * p(s) * (1 - p(s)),
         "the factor σ(s)(1 − σ(s)) is there once too often"),
        (bce_with_logits, s, 0.9, lambda s, t: (s - t) / len(s), ""),
        (bce_with_logits, s, 0.9, lambda s, t: (p(p(s)) - t) / len(s),
         "it is taken at σ(s) instead of s"),
        (bce_with_logits, s, 0.9, lambda s, t: np.where(s > 0, p(s) - t, 0) / len(s),
         "it is right only where s > 0; there it is zero"),
        (bce_with_logits, s, 0.9, lambda s, t: p(s) / len(s), ""),
        (softmax_cross_entropy, wide, c, lambda s, c: (axis0(s) - c) / len(s),
         "its sums run over the wrong axis"),
        (softmax_cross_entropy, wide, c, lambda s, c: (axis1(s) - c) / s.size,
         "claimed = measured / 4, 4 being the columns"),
        (softmax_cross_entropy, wide, c, lambda s, c: c - axis1(s),
         "claimed = −measured × m, m = 6"),
        (softmax_cross_entropy, wide, c, lambda s, c: axis1(s) / len(s), ""),
        (wasserstein, s, 1.0, lambda s, t: np.ones_like(s) / len(s) * t, "the sign is wrong"),
        (wasserstein, s, 1.0, lambda s, t: -t * s / len(s),
         "the factor s is there once too often"),
        (relativistic, s, pair, lambda s, t: relativistic(t, s)[1], "s and t are exchanged"),
        (cauchy, s, 0.3, lambda s, t: (s - t) / (1 + (s - t) ** 2) / len(s),
         "claimed = measured / 2"),
        (quartic, s, 0.4, lambda s, t: 4 * (s - t) ** 2 / len(s), ""),
    ]  # fmt: skip
    for n, (loss, scores, t, wrong, cause) in enumerate(ds):

        def mistake(s, t, loss=loss, wrong=wrong):
            return loss(s, t)[0], wrong(s, t)

        yield f"{loss.__name__}, by hand {n}", mistake, scores, t, cause


def axis0(s):
    return np.exp(s) / np.exp(s).sum(0)


def axis1(s):
    return np.exp(s) / np.exp(s).sum(1, keepdims=True)


def slope_of_sigmoid(x):
    return np.exp(-x) / (1 + np.exp(-x)) ** 2
