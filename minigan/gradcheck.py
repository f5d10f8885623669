r"""Chapter 16. How a derivative is proven.

Each check compares what a backward pass claims with what chapter 15 measures, and says how far
the two are apart: the relative error of norms $\|a - b\| / \max(\|a\|, \|b\|)$, since single
entries may be lost in rounding and norms are not. A check that fails also says what is
wrong, if a simple hypothesis explains the numbers; `minigan.lab.diagnosis` tries them.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from html import escape
from typing import Any

import numpy as np

from .arrays import Array, array_namespace, stream, to_numpy
from .errors import MiniganError
from .layers import mixing, require
from .measure import (  # noqa: F401, what measures is asked for here as well
    FULL,
    METHODS,
    TOLERANCE,
    H,
    LayerAt,
    avoid_kink,
    central_difference,
    complex_step,
    gradient_of,
    random_like,
    require_floats,
    require_shapes,
    step_size,
    to_complex,
    tolerance_for,
)
from .network import Network


@dataclass(frozen=True)
class Check:
    r"""One comparison: what was checked, how, how far off it was, and what explains that."""

    name: str
    method: str
    error: float
    worst: str
    tolerance: float
    cause: str = ""

    @property
    def passed(self) -> bool:
        r"""Whether the error is within the tolerance; not so for NaN."""
        return self.error <= self.tolerance

    def __str__(self):
        verdict = "\n    ".join(self.verdict)
        return f"{self.name:<24} {self.method:<20} {self.error:8.1e}  {verdict}"

    @property
    def verdict(self) -> list[str]:
        r"""The lines that say how it ended."""
        if self.passed:
            return ["pass"]
        return [f"FAIL at {self.worst}", *([self.cause] if self.cause else [])]

    def because(self, ask: Callable[[Any], str]) -> "Check":
        r"""The same check; if it failed, with `cause_of(ask)`."""
        return self if self.passed else replace(self, cause=cause_of(ask))


def cause_of(ask: Callable[[Any], str]) -> str:
    r"""What ask(`minigan.lab.evidence`) answers; "" if it raises, since no check breaks by it.

    Here alone the book asks the lab, and only once a check has failed.
    """
    from .lab import evidence

    return evidence.answer(lambda: ask(evidence), "")


class Checks(list):
    r"""A list of `Check` that prints as a table."""

    def __repr__(self):
        return "\n".join(map(str, self)) or "no checks"

    def _repr_html_(self):
        rows = "".join(
            f"<tr><td>{escape(check.name)}</td><td>{check.method}</td><td>{check.error:.1e}</td>"
            f"<td>{'<br>'.join(map(escape, check.verdict))}</td></tr>"
            for check in self
        )
        return f"<table><tr><th>derivative<th>method<th>error<th>verdict</tr>{rows}</table>"


def compare(name, method, claim, reference, tolerance=None):
    r"""A `Check` of the claimed array against the reference."""
    a, b = (np.asarray(to_numpy(value), dtype=float) for value in (claim, reference))
    if a.shape != b.shape:
        raise MiniganError(f"{name}: expected shape {b.shape}, got {a.shape}")
    size = max(np.linalg.norm(a), np.linalg.norm(b))
    error = np.linalg.norm(a - b) / size if size > 0 else float(size)
    at = np.unravel_index(np.argmax(abs(a - b)), a.shape)
    worst = f"{name}{list(map(int, at))}: {a[at]:.6g} claimed, {b[at]:.6g} measured"
    limit = TOLERANCE[method] if tolerance is None else tolerance
    return Check(name, method, float(error), worst, limit)


def check_gradient(
    name: str, f: Callable, x: Array, dx: Array, method: str = "complex step", seed: int = 0
) -> Check:
    r"""Is `dx` the gradient at x of the scalar function f?

    Every entry is perturbed by itself if x has at most 2,000; otherwise dx is compared
    along eight random directions. Shapes: x and dx alike.
    """
    check = _check_gradient(name, f, x, dx, method, seed)
    return check.because(lambda lab: lab.explain_gradient(f, x, dx, method, seed))


def _check_gradient(name, f, x, dx, method, seed=0, measured=None):
    r"""The same without a cause; measured : what `gradient_of` says, if that is known."""
    require_floats(x)
    if x.shape != dx.shape:
        raise MiniganError(f"{name}: expected shape {tuple(x.shape)}, got {tuple(dx.shape)}")
    (directions, slopes), claim = measured or gradient_of(f, x, method, seed), to_numpy(dx)
    claim = claim if directions is None else directions @ np.ravel(claim)
    return compare(name, method, claim, slopes, tolerance_for(method, x))


def check_layer(
    layer: Any, x: Array, *params: Array, method: str = "complex step", seed: int = 0
) -> Checks:
    r"""Prove a layer: dx, every parameter's gradient, tangent, and the adjoint test.

    layer : any object that does what `Layer` describes
    x, params : real arrays of one library: the point at which to check

    Returns a list of `Check`. Raises MiniganError if the layer lacks a method or its shapes, or
    if x comes too near its bend.
    """
    require(layer, "forward", "dx", "tangent", *(["dparams"] if params else []))
    require_floats(x, *params)
    require_shapes(layer, params)
    avoid_kink(layer, x, method)
    at, claims, checks = LayerAt(layer, x, params, method, seed), {}, Checks()
    for what in at.passes():
        name = f"{at.name}.{what}"
        claims[what] = at.claim(what)
        claim, truth = at.pair(what, claims[what])
        why = lambda lab, what=what: lab.explain_layer(at, what)  # noqa: E731
        if claim.shape != truth.shape:
            got = None if claims[what] is None else claim.shape
            wrong = f"{name}: expected shape {truth.shape}, got {got}"
            raise MiniganError(f"{wrong}; {cause_of(why)}".removesuffix("; "))
        check = compare(name, method, claim, truth, tolerance_for(method, x))
        checks.append(check.because(why))
    checks.append(check_rows(f"{at.name}.rows", lambda x: layer.forward(x, *params), x))
    checks.append(check_adjoint(at.name, at.v, claims["tangent"], claims["dx"], at.u))
    return checks


def check_adjoint(name: str, v: Array, Ju: Array, JTv: Array, u: Array) -> Check:
    r"""(52) $\langle v, Ju\rangle = \langle J^\top v, u\rangle$, relative to $\|v\|\|Ju\|$."""
    limit = tolerance_for("adjoint", u)
    v, Ju, JTv, u = (np.asarray(to_numpy(a), dtype=float).ravel() for a in (v, Ju, JTv, u))
    forward, backward = v @ Ju, JTv @ u
    size = max(np.linalg.norm(v) * np.linalg.norm(Ju), np.linalg.norm(JTv) * np.linalg.norm(u))
    error = 0.0 if size == 0 else abs(forward - backward) / size
    worst = f"<v, Ju> = {forward:.6g}, <JTv, u> = {backward:.6g}"
    return Check(f"{name} <v,Ju>=<JTv,u>", "adjoint", float(error), worst, limit)


def check_rows(name: str, f: Callable, x: Array) -> Check:
    r"""Is each row of f(x) made of the same row of x alone, as (21) takes it to be?"""
    error = mixing(f, array_namespace(x).concat([x, x])[:2, ...])
    worst = f"a row moves by {error:.6g} when another is changed"
    return Check(name, "comparison", error, worst, 0.0)


def check_loss(loss: Callable, s: Array, t: Array, method: str = "complex step") -> Check:
    r"""Prove a loss of chapter 2: its ds against its own value. s (m, 1) real."""
    name = getattr(loss, "__name__", type(loss).__name__)
    check = _check_gradient(f"{name} ds", lambda s: loss(s, t)[0], s, loss(s, t)[1], method)
    return check.because(lambda lab: lab.explain_loss(loss, s, t, method))


def check_network(
    network: Network, x: Array, method: str = "complex step", seed: int = 0
) -> Checks:
    r"""Prove (10), (11) and (12), and that no rows mix, for a network; x (m, n) real."""
    require_floats(x, network.theta)
    rng = stream(seed, "vectors of a proof")
    trace = network.forward(x)
    for layer, before in zip(network.layers, trace):
        avoid_kink(layer, before, method)
    v, u = random_like(rng, trace[-1]), random_like(rng, x)
    xp = array_namespace(x)
    lift = to_complex if method == "complex step" else (lambda a: a)

    def of_theta(theta):
        return xp.sum(v * Network(network.layers, theta).forward(lift(x))[-1])

    def of_x(x):
        return Network(network.layers, lift(network.theta)).forward(x)[-1]

    deltas, tangents = network.deltas(trace, v), network.tangents(trace, u)
    theta, dtheta = network.theta, network.gradient(trace, v)
    moved = METHODS[method](of_x, x, u)
    checks = Checks([
        _check_gradient("network dtheta", of_theta, theta, dtheta, method),
        _check_gradient("network dx", lambda x: xp.sum(v * of_x(x)), x, deltas[0], method),
        compare("network tangents", method, tangents[-1], moved, tolerance_for(method, x)),
    ])  # fmt: skip
    for l in range(1, len(trace)):
        pairs = deltas[l], tangents[l], deltas[l - 1], tangents[l - 1]
        checks.append(check_adjoint(f"layer {l}", *pairs))
    checks.append(check_rows("network rows", lambda x: network.forward(x)[-1], x))
    checks[0] = checks[0].because(
        lambda lab: lab.explain_pass(network, of_theta, dtheta, x.shape[0], method)
    )
    return shared_cause(checks, lambda lab: lab.explain_layers(network, x, method, seed))


def shared_cause(checks, ask):
    r"""The checks with the cause that ask(lab) gives to all that failed, or else their own."""
    if all(check.passed for check in checks):
        return checks
    cause = cause_of(ask)
    return Checks(check.because(lambda lab, own=check.cause: cause or own) for check in checks)


def check_game(game: Any, x: Array, z: Array, c=None, method: str = "complex step") -> Checks:
    r"""Prove (19), (20), (21) and (21a): what each step of a game hands to its optimiser.

    x (m, n_data), z (m, n_noise), c (m, n_condition) or None; the game is not moved.
    """
    require_floats(x, z, game.G.theta, game.D.theta)
    claims, losses, checks = step_gradients(game, x, z, c), game_losses(game, x, z, c), Checks()
    players = {player: (getattr(game, player), f) for player, f in losses.items()}
    measured = {p: gradient_of(f, network.theta, method) for p, (network, f) in players.items()}
    for step, player, dtheta in claims:
        (network, f), known = players[player], measured[player]
        check = _check_gradient(step, f, network.theta, dtheta, method, measured=known)
        told = network, f, dtheta, x.shape[0], method
        checks.append(check.because(lambda lab, told=told: lab.explain_pass(*told)))
    return shared_cause(checks, lambda lab: lab.explain_game(game, x, z, c, method))


def step_gradients(game, x, z, c=None):
    r"""A list of (equation and step, player, gradient) of a game's four steps."""
    twin, rng = copy.copy(game), SameNumbers()
    twin.G_optimizer, twin.D_optimizer = G, D = RecordingOptimizer(), RecordingOptimizer()
    twin.constrain, twin.G_average = (lambda: None), None
    _, x_fake = twin.G_step(x, z, c)
    twin.D_step(x, x_fake, c, rng)
    found = [("(19) G_step", "G", G.dtheta), ("(20) D_step", "D", D.dtheta)]
    twin.D_update(x, x_fake, c, rng)
    found.append(("(21a) D_update", "D", D.dtheta))
    twin.update(x, z, c, rng)
    return [*found, ("(21) update", "G", G.dtheta), ("(21) update", "D", D.dtheta)]


def game_losses(game, x, z, c=None):
    r"""{player: its loss as a function of its parameters}, by forward passes alone."""
    x_fake, rng = game.G.forward(game.G_input(z, c))[-1], SameNumbers()

    def L_G(theta):
        rows = Network(game.G.layers, theta).forward(game.G_input(z, c))[-1]
        return game.G_loss(*(game.D.forward(game.D_input(r, c))[-1] for r in (x, rows)))[0]

    def L_D(theta):
        twin = copy.copy(game)
        twin.D = Network(game.D.layers, theta)
        scores = (twin.D.forward(twin.D_input(rows, c))[-1] for rows in (x, x_fake))
        penalty = twin.penalty(x, x_fake, c, rng)
        loss = twin.D_loss(*scores)[0]
        return loss + penalty[0] if penalty else loss

    return {"G": L_G, "D": L_D}


class SameNumbers:
    r"""Stands in for the generator of a penalty's numbers: the same ones at every call."""

    def random(self, shape, dtype):
        r"""Numbers between 0 and 1 that float32 has as well."""
        return stream(0, "points of the penalty").random(shape, "float32").astype(dtype)


class RecordingOptimizer:
    r"""Stands in for an optimiser: keeps the gradient in `dtheta` and moves nothing."""

    dtheta, t = None, 0

    def step(self, theta, dtheta):
        self.dtheta = dtheta
