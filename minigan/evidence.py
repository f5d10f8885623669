r"""Chapter 16. Where a wrong derivative shows what it is.

A hypothesis of chapter 14 needs points at which it can be told from the others. This chapter
finds them. A layer is tried again on 7 rows and on 5, with other parameters, and its backward
pass is asked what it answers when y is put in the place of x; a loss likewise. A wrong network
is a wrong layer, or a wrong pass through right ones, so its layers are tried one by one.
"""

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .arrays import Array, array_namespace, asarray_like, stream, to_numpy
from .diagnosis import answer, explain, numbers_of, powers
from .errors import MiniganError
from .hypotheses import Case
from .measure import METHODS, gradient_of, random_like, to_complex, tolerance_for

ROUNDING = {"complex step": 1e-10, "central difference": 1e-6}
MANY = 8  # rows up to which the truth of each by itself is measured


class LayerAt:
    r"""A layer at one point: what its passes claim, and what its forward pass says of them."""

    def __init__(self, layer: Any, x: Array, params, method="complex step", seed=0):
        rng = stream(seed, "vectors of a proof")
        self.layer, self.method, self.seed, self.name = (
            layer,
            method,
            seed,
            type(layer).__name__,
        )
        self.x, self.params = x, list(params)
        self.y = layer.forward(x, *params)
        self.v, self.u = (random_like(rng, array) for array in (self.y, x))
        lift = to_complex if method == "complex step" else (lambda a: a)
        self.lifted = [lift(x), *map(lift, params)]
        names = ("W", "b") if len(self.params) == 2 else range(len(self.params))
        self.names = [n if isinstance(n, str) else f"params[{n}]" for n in names]

    def passes(self):
        r"""The names of the derivatives that the layer claims."""
        each = range(len(self.params))
        found = ["dx", *(f"dparams[{i}]" for i in each), "tangent"]
        if hasattr(self.layer, "tangent_dparams"):
            found += [f"tangent_dparams[{i}]" for i in each]
        return found

    def known(self, what):
        r"""{name: array} of what the pass is given."""
        given = dict(zip(self.names, self.params)) | {"x": self.x, "y": self.y}
        given |= {} if what == "tangent" else {"dy": self.v}
        return given | ({"u": self.u} if "tangent" in what else {})

    def claim(self, what, **others):
        r"""What the layer's pass answers, given others of the arrays that it is given."""
        given = self.known(what) | others
        method, _, i = what.rstrip("]").partition("[")
        params = [given[name] for name in self.names]
        drives = [given[name] for name in ("dy", "u") if name in given]
        answer = getattr(self.layer, method)(*drives, given["x"], given["y"], *params)
        return gradients(self.layer, method, answer, len(self.params))[int(i)] if i else answer

    def measure(self, what, **drives):
        r"""(directions, slopes) as `gradient_of` has them, by the forward pass alone."""
        v, u = drives.get("dy", self.v), drives.get("u", self.u)
        method, _, i = what.rstrip("]").partition("[")

        def output(*args):
            y = self.layer.forward(*args)
            return self.layer.tangent(u, args[0], y, *args[1:]) if "tangent_" in method else y

        def at(value, place):
            return output(*(value if i == place else a for i, a in enumerate(self.lifted)))

        if what == "tangent":
            return None, to_numpy(METHODS[self.method](lambda x: at(x, 0), self.x, u))
        place = 0 if what == "dx" else int(i) + 1
        point, xp = [self.x, *self.params][place], array_namespace(v)
        return gradient_of(lambda a: xp.sum(v * at(a, place)), point, self.method, self.seed)

    def check(self, what):
        r"""(claim, truth) on the host, both along directions if there are many entries."""
        claim, (directions, truth) = to_numpy(self.claim(what)), self.measure(what)
        return (claim if directions is None else directions @ np.ravel(claim)), truth

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


def gradients(layer, method, answer, n):
    r"""What `dparams` or `tangent_dparams` returned, if it is one gradient per parameter."""
    if not isinstance(answer, (tuple, list)) or len(answer) != n:
        got = len(answer) if isinstance(answer, (tuple, list)) else type(answer).__name__
        raise MiniganError(
            f"{type(layer).__name__}.{method}: expected a tuple of {n} gradients, one for each "
            f"parameter, got {got}"
        )
    return answer


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


def explain_layer(layer: Any, what: str, x: Array, params, method: str, seed: int) -> str:
    r"""What is wrong with one pass of a layer that failed at x; "" if nothing explains it."""
    here = [to_float64(a) for a in (x, *params)]
    others = [[asarray_like(a, x) for a in point] for point in probes(x, params, seed)]

    def case(point, method):
        at = LayerAt(layer, point[0], point[1:], method, seed)
        return at.case(what) if np.isfinite(to_numpy(at.y)).all() else None

    few = [here[0][: min(MANY, x.shape[0]), ...], *here[1:]]
    point = here if case(few, method).passes() else few  # it may be wrong at other rows only

    def cases(method):
        first = case(point, method)
        first.short = x.dtype != here[0].dtype
        yield first
        yield from filter(None, (answer(lambda p=p: case(p, method), None) for p in others))

    return explain(cases, method)


def to_float64(x):
    r"""x as float64."""
    return array_namespace(x).astype(x, array_namespace(x).float64)


# ---- losses and networks ----


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
            claim, truth = at.check(what)
            limit = tolerance_for(method, x)
            if claim.shape != truth.shape or not Case(claim, truth, tolerance=limit).passes():
                why = explain_layer(layer, what, before, params, method, seed)
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
