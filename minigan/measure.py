r"""Chapter 13. How a derivative is measured.

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
"""

from collections.abc import Callable

import numpy as np

from .arrays import Array, array_namespace, asarray_like, stream, to_numpy
from .errors import MiniganError

H = 1e-30
FULL = 2000  # up to so many entries each one is measured; beyond, random directions are
TOLERANCE = {"complex step": 1e-13, "adjoint": 1e-13, "central difference": 1e-7}
TOLERANCE_32 = {"complex step": 1e-5, "adjoint": 1e-5, "central difference": 1e-2}


def complex_step(f: Callable, x: Array, u: Array) -> Array:
    r"""(44) The derivative of f at x along u; x and u real, of one shape."""
    xp, moved = array_namespace(x, u), to_complex(x) + 1j * H * to_complex(u)
    try:
        return xp.imag(f(moved)) / H
    except TypeError as error:
        raise MiniganError(
            f"the function takes no complex numbers ({error}); "
            "measure it by method='central difference'"
        ) from error


def central_difference(f: Callable, x: Array, u: Array) -> Array:
    r"""(46) The same from two real evaluations, $h = \varepsilon^{1/3}$ for x's dtype."""
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


def random_like(rng, array):
    r"""Standard normal numbers of the array's shape, dtype, library and device."""
    host = rng.standard_normal(array.shape).astype(to_numpy(array).dtype)
    return asarray_like(host, array)
