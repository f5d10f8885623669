r"""Chapter 15. How a derivative is proven.

A backward pass is a claim: this array is $\partial L/\partial x$. The claim is tested
against the forward pass alone, which knows nothing of derivatives, in three ways.

**Complex step**, the reference. For f analytic, Taylor's series along $i h u$ is
$f(x + ihu) = f(x) + ih\,f'(x)u - \tfrac{h^2}{2} f''(x)[u, u] - \dots$, and so

(44) $f'(x)u = \dfrac{\mathrm{Im}\, f(x + ihu)}{h} + O(h^2)$

Nothing is subtracted, so nothing cancels: with $h = 10^{-30}$ the error term is
$10^{-60}$ and the answer is exact to rounding.

**Adjoint test.** Forward mode carries a step u to $J u$, backward mode carries a delta v to
$J^\top v$, and the two can only agree if both are right:

(45) $\langle v, J u\rangle = \langle J^\top v, u\rangle$ for every u and v

**Central difference**, for code that cannot take complex numbers.

(46) $f'(x)u = \dfrac{f(x + hu) - f(x - hu)}{2h} + O(h^2)$

Rounding adds an error of $\varepsilon/h$, ε being the dtype's precision; the sum of the two is
least near $h = \varepsilon^{1/3}$, where it is about $\varepsilon^{2/3}$. The step
may not straddle a bend.

Every result is a `Check` with the relative error of norms
$\|a - b\| / \max(\|a\|, \|b\|)$: single entries may be lost in rounding, norms are not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from .arrays import Array, array_namespace, asarray_like, stream, to_numpy
from .errors import MiniganError
from .layers import mixing, require
from .network import Network

H = 1e-30
TOLERANCE = {"complex step": 1e-13, "adjoint": 1e-13, "central difference": 1e-7}
FULL = 2000  # up to so many entries each one is checked; beyond, random directions are


@dataclass(frozen=True)
class Check:
    r"""One comparison: what was checked, how, and how far off it was."""

    name: str
    method: str
    error: float
    worst: str
    tolerance: float

    @property
    def passed(self) -> bool:
        r"""Whether the error is within the tolerance; not so for NaN."""
        return self.error <= self.tolerance

    def __str__(self):
        verdict = "pass" if self.passed else f"FAIL at {self.worst}"
        return f"{self.name:<24} {self.method:<20} {self.error:8.1e}  {verdict}"


class Checks(list):
    r"""A list of `Check` that prints as a table."""

    def __repr__(self):
        return "\n".join(map(str, self)) or "no checks"

    def _repr_html_(self):
        rows = "".join(
            f"<tr><td>{escape(check.name)}</td><td>{check.method}</td><td>{check.error:.1e}</td>"
            f"<td>{'pass' if check.passed else 'FAIL at ' + escape(check.worst)}</td></tr>"
            for check in self
        )
        return f"<table><tr><th>derivative<th>method<th>error<th>verdict</tr>{rows}</table>"


def complex_step(f: Callable, x: Array, u: Array) -> Array:
    r"""(44) The derivative of f at x along u; x and u real, of one shape."""
    xp = array_namespace(x, u)
    return xp.imag(f(to_complex(x) + 1j * H * to_complex(u))) / H


def central_difference(f: Callable, x: Array, u: Array) -> Array:
    r"""(46) The same from two real evaluations, $h = \varepsilon^{1/3}$ for x's dtype."""
    h = step_size(x)
    return (f(x + h * u) - f(x - h * u)) / (2 * h)


METHODS = {"complex step": complex_step, "central difference": central_difference}


def step_size(x):
    r"""$\varepsilon^{1/3}$ of x's dtype: 6e-6 in float64, 5e-3 in float32."""
    return float(array_namespace(x).finfo(x.dtype).eps) ** (1 / 3)


def to_complex(x):
    r"""x as complex128."""
    xp = array_namespace(x)
    return xp.astype(x, xp.complex128)


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
    require_floats(x)
    if x.shape != dx.shape:
        raise MiniganError(f"{name}: expected shape {tuple(x.shape)}, got {tuple(dx.shape)}")
    shape, size = x.shape, int(np.prod(x.shape))
    if size <= FULL:
        claim, directions = to_numpy(dx), np.eye(size)
    else:
        directions = stream(seed, "directions of a gradient").standard_normal((8, size))
        claim = directions @ np.ravel(to_numpy(dx))
    measure, real = METHODS[method], to_numpy(x).dtype
    slopes = [
        float(measure(f, x, asarray_like(u.reshape(shape).astype(real), x))) for u in directions
    ]
    return compare(name, method, claim, np.reshape(slopes, claim.shape))


def check_layer(
    layer: Any, x: Array, *params: Array, method: str = "complex step", seed: int = 0
) -> Checks:
    r"""Prove a layer: dx, every parameter's gradient, tangent, its rows, the adjoint test.

    layer : any object that does what `Layer` describes
    x, params : real arrays of one library: the point at which to check

    Raises MiniganError if the layer lacks a method, or if x comes too near its bend.
    """
    require(layer, "forward", "dx", "tangent", *(["dparams"] if params else []))
    require_floats(x, *params)
    avoid_kink(layer, x, method)
    xp, rng = array_namespace(x, *params), stream(seed, "vectors of a proof")
    y = layer.forward(x, *params)
    v, u = (random_like(rng, array) for array in (y, x))
    complex_params = [to_complex(p) for p in params] if method == "complex step" else params

    def pairing(i, what=layer.forward):
        def f(value):
            args = [x if method != "complex step" else to_complex(x), *complex_params]
            args[i] = value
            return xp.sum(v * what(*args))

        return f

    def tangent(x, *params):
        return layer.tangent(u, x, layer.forward(x, *params), *params)

    name = type(layer).__name__
    dx, du = layer.dx(v, x, y, *params), layer.tangent(u, x, y, *params)
    checks = Checks([check_gradient(f"{name}.dx", pairing(0), x, dx, method)])
    for i, grad in enumerate(_gradients(layer, "dparams", len(params), v, x, y, *params)):
        what = f"{name}.dparams[{i}]"
        checks.append(check_gradient(what, pairing(i + 1), params[i], grad, method))
    moved = METHODS[method](lambda x: layer.forward(x, *complex_params), x, u)
    checks.append(compare(f"{name}.tangent", method, du, moved))
    if hasattr(layer, "tangent_dparams"):
        args = len(params), v, u, x, y, *params
        grads = _gradients(layer, "tangent_dparams", *args)
        for i, grad in enumerate(grads):
            what = f"{name}.tangent_dparams[{i}]"
            f = pairing(i + 1, tangent)
            checks.append(check_gradient(what, f, params[i], grad, method))
    checks.append(check_rows(f"{name}.rows", lambda x: layer.forward(x, *params), x))
    checks.append(check_adjoint(name, v, du, dx, u))
    return checks


def _gradients(layer, method, n, *args):
    r"""What `dparams` or `tangent_dparams` returns, one gradient for each parameter."""
    if not n:
        return ()
    grads = getattr(layer, method)(*args)
    if not isinstance(grads, (tuple, list)) or len(grads) != n:
        got = len(grads) if isinstance(grads, (tuple, list)) else type(grads).__name__
        raise MiniganError(
            f"{type(layer).__name__}.{method}: expected a tuple of {n} gradients, one for each "
            f"parameter, got {got}"
        )
    return grads


def check_adjoint(name: str, v: Array, Ju: Array, JTv: Array, u: Array) -> Check:
    r"""(45) $\langle v, Ju\rangle = \langle J^\top v, u\rangle$, relative to $\|v\|\|Ju\|$."""
    v, Ju, JTv, u = (np.asarray(to_numpy(a), dtype=float).ravel() for a in (v, Ju, JTv, u))
    forward, backward = v @ Ju, JTv @ u
    size = max(np.linalg.norm(v) * np.linalg.norm(Ju), np.linalg.norm(JTv) * np.linalg.norm(u))
    error = 0.0 if size == 0 else abs(forward - backward) / size
    worst = f"<v, Ju> = {forward:.6g}, <JTv, u> = {backward:.6g}"
    return Check(f"{name} <v,Ju>=<JTv,u>", "adjoint", float(error), worst, TOLERANCE["adjoint"])


def check_rows(name: str, f: Callable, x: Array) -> Check:
    r"""Is each row of f(x) made of the same row of x alone, as (21) takes it to be?"""
    error = mixing(f, array_namespace(x).concat([x, x])[:2, ...])
    worst = f"a row moves by {error:.6g} when another is changed"
    return Check(name, "comparison", error, worst, 0.0)


def check_loss(loss: Callable, s: Array, t: Array, method: str = "complex step") -> Check:
    r"""Prove a loss of chapter 2: its ds against its own value. s (m, 1) real."""
    name = getattr(loss, "__name__", type(loss).__name__)
    return check_gradient(f"{name} ds", lambda s: loss(s, t)[0], s, loss(s, t)[1], method)


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
    as_input = to_complex if method == "complex step" else (lambda a: a)

    def of_theta(theta):
        return xp.sum(v * Network(network.layers, theta).forward(as_input(x))[-1])

    def of_x(x):
        return Network(network.layers, as_input(network.theta)).forward(x)[-1]

    (dx, *deltas), tangents = network.deltas(trace, v), network.tangents(trace, u)
    dtheta = network.gradient(trace, v)
    checks = Checks([check_gradient("network dtheta", of_theta, network.theta, dtheta, method)])
    checks.append(check_gradient("network dx", lambda x: xp.sum(v * of_x(x)), x, dx, method))
    moved = METHODS[method](of_x, x, u)
    checks.append(compare("network tangents", method, tangents[-1], moved))
    for l, delta in enumerate(deltas, 1):
        checks.append(check_adjoint(f"layer {l}", delta, tangents[l], dx, tangents[l - 1]))
        dx = delta
    checks.append(check_rows("network rows", lambda x: network.forward(x)[-1], x))
    return checks


def require_floats(*arrays):
    r"""Raises MiniganError for whole numbers, among which there is no small step."""
    for array in arrays:
        if not array_namespace(array).isdtype(array.dtype, "real floating"):
            raise MiniganError(f"expected an array of real numbers, got dtype {array.dtype}")


def avoid_kink(layer, x, method):
    r"""Raises MiniganError if an entry of x is so near the layer's bend that (46) straddles it,
    or, for the complex step, exactly on it.
    """
    kink = getattr(layer, "kink", None)
    if kink is None:
        return
    h = 0.0 if method == "complex step" else 20 * step_size(x)
    distance = float(np.min(abs(to_numpy(x) - kink)))
    if distance <= h:
        raise MiniganError(
            f"x: an entry is {distance:.1e} from the bend of {type(layer).__name__} at "
            f"{kink:g}, where no derivative exists; choose x farther than {h:.1e} from it"
        )


class RecordingOptimizer:
    r"""Stands in for an optimiser: keeps the gradient in `dtheta` and moves nothing."""

    dtheta, t = None, 0

    def step(self, theta, dtheta):
        self.dtheta = dtheta


def random_like(rng, array):
    r"""Standard normal numbers of the array's shape, dtype, library and device."""
    host = rng.standard_normal(array.shape).astype(to_numpy(array).dtype)
    return asarray_like(host, array)
