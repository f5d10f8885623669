r"""Where a wrong derivative shows what it is.

A hypothesis needs points at which it can be told from the others. Here they are found. A layer
is tried again on 7 rows and on 5, with other parameters, and its backward pass is asked what it
answers when y is put in the place of x; a loss likewise. A wrong network is a wrong layer, or a
wrong pass through right ones, so its layers are tried one by one.
"""

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..arrays import Array, array_namespace, asarray_like, stream, to_numpy
from ..measure import METHODS, LayerAt, gradient_of, tolerance_for
from .diagnosis import answer, explain, numbers_of, powers
from .hypotheses import Case

ROUNDING = {"complex step": 1e-10, "central difference": 1e-6}
MANY = 8  # rows up to which the truth of each by itself is measured


class Evidence(LayerAt):
    r"""A layer at one point, with all that a hypothesis may ask of it."""

    def case(self, what):
        r"""The evidence of one pass at this point."""
        known = {name: to_numpy(array) for name, array in self.known(what).items()}

        def moved(arrays):
            return {name: asarray_like(np.asarray(a), self.x) for name, a in arrays.items()}

        def again(**others):
            return answer(lambda: numbers_of(self.claim(what, **moved(others))))

        directions, truth = self.measure(what)
        claim = answer(again, None)
        if directions is not None:
            claim = None if claim is None else directions @ np.ravel(claim)
            return Case(claim, truth, tolerance=ROUNDING[self.method])
        drive = "u" if what == "tangent" else "dy"

        def measure(delta):
            return self.measure(what, **moved({drive: delta}))[1]

        def each_row():
            m = self.x.shape[0]
            masks = np.eye(m).reshape(m, m, *[1] * (self.y.ndim - 1))
            return np.stack([measure(known["dy"] * mask) for mask in masks])

        few = "dparams" in what and self.x.shape[0] <= MANY
        return Case(
            claim,
            truth,
            known,
            self.numbers(),
            drive,
            again=again,
            each_row=each_row if few else None,
            measure=measure,
            tolerance=ROUNDING[self.method],
            **self.slopes(what, known[drive]),
        )

    def numbers(self):
        r"""{name: number}: the rows, the columns, and the layer's own numbers."""
        n, k = self.x.shape[-1], self.y.shape[-1]
        columns = {"the columns of x": n, "the columns of y": k}
        own = {
            name: value
            for name, value in getattr(self.layer, "__dict__", {}).items()
            if type(value) in (int, float) and name not in ("n", "k") and value
        }
        return {**powers(self.x.shape[0]), **(columns if n != k else {"the columns": n}), **own}

    def slopes(self, what, drive):
        r"""The slope f′ of an elementwise layer, at x and, as mistaken, at y."""
        if self.x.shape != self.y.shape or "dparams" in what:
            return {}
        measure, ones = METHODS[self.method], array_namespace(self.x).ones_like(self.x)

        def at(x, u):
            return to_numpy(measure(lambda x: self.layer.forward(x, *self.lifted[1:]), x, u))

        slope, along = at(self.x, ones), at(self.x, self.u)
        if not np.allclose(slope * to_numpy(self.u), along, rtol=1e-6, atol=0):
            return {}
        makes = {"f′ is taken at y instead of x": drive * at(self.y, ones)}
        return {"factors": {"f′(x)": slope}, "makes": makes}


def probes(x, params, seed):
    r"""Other points (x, *params) of the same columns: 7 rows made of x's numbers, 5 normal."""
    rng = stream(seed, "vectors of a proof", 1)
    x, params = to_numpy(x), [to_numpy(p) for p in params]
    for m in (7, 5):
        shape = m, *x.shape[1:]
        rows = rng.choice(x.ravel(), shape) * (0.5 + rng.random(shape))
        moved = [
            p * (0.5 + rng.random(p.shape)) + (p == 0) * rng.random(p.shape) for p in params
        ]
        yield (rows if m == 7 else rng.standard_normal(shape)), *moved


def explain_layer(at: LayerAt, what: str) -> str:
    r"""What is wrong with one pass of a layer that failed there; "" if nothing explains it."""
    layer, x, params, method, seed = at.layer, at.x, at.params, at.method, at.seed
    if "tangent_" in what and not passes(at, "tangent"):
        return "its truth is measured by tangent, which is wrong"
    here = [to_float64(a) for a in (x, *params)]
    others = [[asarray_like(a, x) for a in point] for point in probes(x, params, seed)]

    def case(point, method):
        at = Evidence(layer, point[0], point[1:], method, seed)
        return at.case(what) if np.isfinite(to_numpy(at.y)).all() else None

    few = [here[0][: min(MANY, x.shape[0]), ...], *here[1:]]
    point = here if case(few, method).passes() else few  # it may be wrong at other rows only

    def cases(method):
        first = case(point, method)
        first.short = x.dtype != here[0].dtype
        yield first
        yield from filter(None, (answer(lambda p=p: case(p, method), None) for p in others))

    return explain(cases, method)


def passes(at, what):
    r"""Whether one pass of a layer is right at a point."""
    claim, truth = at.pair(what, at.claim(what))
    limit = tolerance_for(at.method, at.x)
    return claim.shape == truth.shape and Case(claim, truth, tolerance=limit).passes()


def to_float64(x):
    r"""x as float64."""
    return array_namespace(x).astype(x, array_namespace(x).float64)


# ---- gradients, losses, networks and games ----


def explain_gradient(f: Callable, x: Array, dx: Array, method: str, seed: int = 0, **about):
    r"""What is wrong with the gradient dx of the scalar function f at x.

    about : what else is known, the fields of `Case`
    """

    def case(method):
        directions, slopes = gradient_of(f, x, method, seed)
        if directions is None:
            return Case(to_numpy(dx), slopes, **{"known": {"x": to_numpy(x)}} | about)
        along = directions @ np.ravel(to_numpy(dx))
        return Case(along, slopes, numbers=about.get("numbers", {}))

    return explain(lambda method: iter([case(method)]), method)


def explain_pass(network: Any, f: Callable, dtheta: Array, m: int, method: str) -> str:
    r"""What is wrong with the gradient of f in a network's theta, made from m rows."""
    about: dict = {"numbers": {"m": m}, "parts": parts(network)}
    return explain_gradient(f, network.theta, dtheta, method, **about)


def explain_loss(loss: Callable, s: Array, t: Any, method: str) -> str:
    r"""What is wrong with the ds of a loss at s."""
    return explain(functools.partial(loss_cases, loss, s, t), method)


def loss_cases(loss: Callable, s: Array, t: Any, method: str) -> Iterator[Case]:
    r"""The evidence of a loss: at s, and at 7 and 5 rows of other scores and targets."""
    rng, host = stream(0, "vectors of a proof", 2), to_numpy(s).astype(float)
    points, rowwise = [(host, t)], getattr(t, "ndim", 0) > 0 and t.shape[0] == s.shape[0]
    for m in (7, 5):
        at = rng.integers(0, len(host), m)
        rows = host[at] + rng.standard_normal((m, *host.shape[1:]))
        moved = 0.6 * t + 0.2 if isinstance(t, float) else t
        points.append((rows, to_numpy(t)[at] if rowwise else moved))

    def move(a):
        return asarray_like(np.asarray(a, float), s) if np.ndim(a) else a

    def case(s_host, t):
        here = move(s_host), move(t if isinstance(t, (int, float)) else to_numpy(t))

        def again(s=here[0], t=here[1]):
            return answer(lambda: numbers_of(loss(move(s), move(t))[1]))

        def slope(s, t=here[1]):
            return gradient_of(lambda s: loss(s, t)[0], move(s), method)[1]

        p, claim = 1 / (1 + np.exp(-s_host)), answer(lambda: again(), None)
        factors = {"σ(s)": p, "1 − σ(s)": 1 - p, "σ(s)(1 − σ(s))": p * (1 - p)}
        makes = {"it is taken at σ(s) instead of s": slope(p)}
        known, numbers = {"s": s_host}, powers(len(s_host))
        if np.ndim(t):
            known["t"] = to_numpy(t)
        elif t not in (0, 1, -1):
            numbers["t"] = t
        if s_host.shape[-1] > 1:
            numbers["the columns"] = s_host.shape[-1]
        return Case(
            claim, slope(here[0]), known, numbers, input="s", makes=makes, factors=factors,
            again=again, tolerance=ROUNDING[method],
        )  # fmt: skip

    yield case(*points[0])
    yield from filter(None, (answer(lambda p=p: case(*p), None) for p in points[1:]))


def parts(network: Any) -> dict[str, tuple]:
    r"""{name: (slice of theta, shape)} of the parameters of a network's layers."""
    found, at = {}, 0
    for l, layer in enumerate(network.layers, 1):
        shapes = getattr(layer, "shapes", ())
        names = ("W", "b") if len(shapes) == 2 else [f"params[{i}]" for i in range(len(shapes))]
        for name, shape in zip(names, shapes):
            size = math.prod(shape)
            found[f"layer {l} ({type(layer).__name__}): {name}"] = slice(at, at + size), shape
            at += size
    return found


def explain_layers(network: Any, x: Array, method: str = "complex step", seed: int = 0) -> str:
    r"""Which of a network's layers is wrong on the rows x, and how; "" if all are right."""
    trace = network.forward(x)
    for l, (layer, before, params) in enumerate(zip(network.layers, trace, network.params), 1):
        at = LayerAt(layer, before, params, method, seed)
        for what in at.passes():
            if not passes(at, what):
                why = explain_layer(at, what)
                return f"layer {l}: {at.name}.{what} is wrong" + (f"; {why}" if why else "")
    return ""


def explain_game(game: Any, x: Array, z: Array, c: Any, method: str) -> str:
    r"""What is wrong with a game's steps: a layer of G or D, or the ds of a loss; or ""."""
    rows = game.G.forward(game.G_input(z, c))[-1]
    real, fake = (game.D.forward(game.D_input(r, c))[-1] for r in (x, rows))
    for player, given in ("G", game.G_input(z, c)), ("D", game.D_input(x, c)):
        own = explain_layers(getattr(game, player), given, method)
        if own:
            return f"{player}, {own}"
    losses: dict[str, tuple] = {
        "D_loss, ds of the real rows": (lambda s, t: game.D_loss(s, t)[:2], real, fake),
        "D_loss, ds of the fakes": (lambda s, t: game.D_loss(t, s)[::2], fake, real),
        "G_loss, ds": (lambda s, t: game.G_loss(t, s), fake, real),
    }
    for name, (loss, s, t) in losses.items():
        cases = functools.partial(loss_cases, loss, s, t)
        if not next(cases(method)).passes():
            return f"{name}: {explain(cases, method) or 'it is wrong'}"
    return ""
