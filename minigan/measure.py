r"""Chapter 15. How a derivative is measured.

A backward pass is a claim: this array is $\partial L/\partial x$. The claim is tested
against the forward pass alone, which knows nothing of derivatives, in three ways.

**Complex step**, the reference. For f analytic, Taylor's series along $i h u$ is
$f(x + ihu) = f(x) + ih\,f'(x)u - \tfrac{h^2}{2} f''(x)[u, u] - \dots$, and so

(51) $f'(x)u = \dfrac{\mathrm{Im}\, f(x + ihu)}{h} + O(h^2)$

Nothing is subtracted, so nothing cancels: with $h = 10^{-30}$ the error term is
$10^{-60}$ and the answer is exact to rounding.

**Adjoint test.** Forward mode carries a step u to $J u$, backward mode carries a delta v to
$J^\top v$, and the two can only agree if both are right:

(52) $\langle v, J u\rangle = \langle J^\top v, u\rangle$ for every u and v

**Central difference**, for code that cannot take complex numbers.

(53) $f'(x)u = \dfrac{f(x + hu) - f(x - hu)}{2h} + O(h^2)$

Rounding adds an error of $\varepsilon/h$, ε being the dtype's precision; the sum of the two is
least near $h = \varepsilon^{1/3}$, where it is about $\varepsilon^{2/3}$. The step
may not straddle a bend.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .arrays import Array, array_namespace, asarray_like, stream, to_numpy
from .errors import MiniganError

H = 1e-30
FULL = 2000  # up to so many entries each one is measured; beyond, random directions are
TOLERANCE = {"complex step": 1e-13, "adjoint": 1e-13, "central difference": 1e-7}
TOLERANCE_32 = {"complex step": 1e-5, "adjoint": 1e-5, "central difference": 1e-2}


def complex_step(f: Callable, x: Array, u: Array) -> Array:
    r"""(51) The derivative of f at x along u; x and u real, of one shape."""
    xp, moved = array_namespace(x, u), to_complex(x) + 1j * H * to_complex(u)
    try:
        return xp.imag(f(moved)) / H
    except TypeError as error:
        raise MiniganError(
            f"the function takes no complex numbers ({error}); "
            "measure it by method='central difference'"
        ) from error


def central_difference(f: Callable, x: Array, u: Array) -> Array:
    r"""(53) The same from two real evaluations, $h = \varepsilon^{1/3}$ for x's dtype."""
    h = step_size(x)
    return (f(x + h * u) - f(x - h * u)) / (2 * h)


METHODS = {"complex step": complex_step, "central difference": central_difference}


def step_size(x):
    r"""$\varepsilon^{1/3}$ of x's dtype: 6e-6 in float64, 5e-3 in float32."""
    return float(array_namespace(x).finfo(x.dtype).eps) ** (1 / 3)


def tolerance_for(method: str, x: Array) -> float:
    r"""The largest relative error of a right derivative, by the method and x's dtype."""
    short = str(x.dtype).endswith("float32")
    return (TOLERANCE_32 if short else TOLERANCE)[method]


def gradient_of(
    f: Callable, x: Array, method: str = "complex step", seed: int = 0
) -> tuple[np.ndarray | None, np.ndarray]:
    r"""The gradient at x of the scalar function f, on the host: (directions, slopes).

    Up to 2,000 entries each is moved by itself: directions is None, and the slopes have x's
    shape. Beyond, the slopes are those along eight random directions (8, size).
    """
    size = int(np.prod(x.shape))
    directions = (
        stream(seed, "directions of a gradient").standard_normal((8, size))
        if size > FULL
        else None
    )
    measure, real = METHODS[method], to_numpy(x).dtype
    slopes = [
        float(measure(f, x, asarray_like(u.reshape(x.shape).astype(real), x)))
        for u in (np.eye(size) if directions is None else directions)
    ]
    return directions, np.array(slopes) if size > FULL else np.reshape(slopes, x.shape)


def to_complex(x):
    r"""x as complex128."""
    xp = array_namespace(x)
    return xp.astype(x, xp.complex128)


def require_floats(*arrays):
    r"""Raises MiniganError for whole numbers, among which there is no small step."""
    for array in arrays:
        if not array_namespace(array).isdtype(array.dtype, "real floating"):
            raise MiniganError(f"expected an array of real numbers, got dtype {array.dtype}")


def avoid_kink(layer, x, method):
    r"""Raises MiniganError if an entry of x is so near the layer's bend that (53) straddles it,
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


def random_like(rng, array):
    r"""Standard normal numbers of the array's shape, dtype, library and device."""
    host = rng.standard_normal(array.shape).astype(to_numpy(array).dtype)
    return asarray_like(host, array)


# ---- a layer ----


def require_shapes(layer, params):
    r"""Raises MiniganError unless `layer.shapes` are those of its parameters."""
    name, shapes = type(layer).__name__, [tuple(p.shape) for p in params]
    got = getattr(layer, "shapes", None)
    if got is None and params:
        raise MiniganError(f"{name}: expected a layer with shapes, here {shapes}; it has none")
    if got and not params:
        raise MiniganError(f"{name}: expected parameters of the shapes {got} after x, got none")
    if params and [tuple(shape) for shape in got] != shapes:
        raise MiniganError(f"{name}.shapes: expected {shapes}, got {got}")


class LayerAt:
    r"""A layer at one point: what its passes claim, and what its forward pass says of them."""

    def __init__(self, layer: Any, x: Array, params, method="complex step", seed=0):
        rng = stream(seed, "vectors of a proof")
        self.layer, self.method, self.seed = layer, method, seed
        self.name = type(layer).__name__
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

    def pair(self, what, claim):
        r"""(claim, truth) on the host, both along directions if there are many entries."""
        (directions, truth), claim = self.measure(what), to_numpy(claim)
        return (claim if directions is None else directions @ np.ravel(claim)), truth


def gradients(layer, method, answer, n):
    r"""What `dparams` or `tangent_dparams` returned, if it is one gradient per parameter."""
    if not isinstance(answer, (tuple, list)) or len(answer) != n:
        got = len(answer) if isinstance(answer, (tuple, list)) else type(answer).__name__
        raise MiniganError(
            f"{type(layer).__name__}.{method}: expected a tuple of {n} gradients, one for each "
            f"parameter, got {got}"
        )
    return answer
