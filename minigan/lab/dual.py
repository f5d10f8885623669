r"""Exact numbers that the chapters' lines run on: fractions, and dual numbers made of them.

A `Number` is a fraction that is not drawn into floating point by a float beside it. A `Dual`,
$a + b\epsilon$ with $\epsilon^2 = 0$, carries a derivative: by Taylor's series, which then has
two terms, $f(a + b\epsilon) = f(a) + f'(a)b\,\epsilon$. Both live in object arrays.
"""

import math
from fractions import Fraction
from numbers import Rational

import numpy as np

BITS = 256  # each number is drawn from as many as 2**BITS


class Number(Fraction):
    r"""A fraction that stays one beside a float, which is a fraction as well."""

    __hash__ = Fraction.__hash__

    def __pow__(self, n):
        return Number(Fraction(self) ** n)

    def __neg__(self):
        return Number(-Fraction(self))


def _operator(name):
    of_fractions = getattr(Fraction, name)

    def operate(self, other):
        if not isinstance(other, (Rational, float)):  # a dual number, or an array
            return NotImplemented
        if isinstance(other, float):
            other = Fraction(other)
        return Number(of_fractions(self, other))

    return operate


for _name in ("add", "sub", "mul", "truediv"):
    for _form in (f"__{_name}__", f"__r{_name}__"):
        setattr(Number, _form, _operator(_form))


class Dual:
    r"""$a + b\epsilon$, $\epsilon^2 = 0$, with exact a and b.

    level : of nested dual numbers, those of a lower level are constants to a higher one
    """

    __slots__ = "level", "value", "slope"

    def __init__(self, value, slope=Fraction(0), level=1):
        self.value, self.slope, self.level = exact(value), exact(slope), level

    def _paired(self, other):
        r"""(level, self's value and slope, other's value and slope)."""
        other = exact(other)
        level = max(self.level, getattr(other, "level", 0))
        parts = [
            (a.value, a.slope) if getattr(a, "level", 0) == level else (a, Fraction(0))
            for a in (self, other)
        ]
        return level, *parts[0], *parts[1]

    def __add__(self, other):
        other = exact(other)
        if getattr(other, "level", 0) < self.level:  # a constant
            return Dual(self.value + other, self.slope, self.level)
        level, a, b, c, d = self._paired(other)
        return Dual(a + c, b + d, level)

    def __mul__(self, other):
        other = exact(other)
        if getattr(other, "level", 0) < self.level:
            return Dual(self.value * other, self.slope * other, self.level)
        level, a, b, c, d = self._paired(other)
        return Dual(a * c, a * d + b * c, level)

    def __truediv__(self, other):
        level, a, b, c, d = self._paired(other)
        return Dual(a / c, (b * c - a * d) / (c * c), level)

    def __pow__(self, n):
        return math.prod([self] * n, start=Fraction(1)) if n else Fraction(1)

    def __neg__(self):
        return Dual(-self.value, -self.slope, self.level)

    def __sub__(self, other):
        return self + -exact(other)

    def __rsub__(self, other):
        return -self + other

    def __rtruediv__(self, other):
        return Dual(other, 0, self.level) / self

    __radd__, __rmul__ = __add__, __mul__

    def __gt__(self, other):
        return base(self) > base(other)

    def __lt__(self, other):
        return base(self) < base(other)

    def __ge__(self, other):
        return base(self) >= base(other)

    def __le__(self, other):
        return base(self) <= base(other)

    def __eq__(self, other):
        _, a, b, c, d = self._paired(other)
        return a == c and b == d

    __hash__ = None  # type: ignore[assignment]


def exact(number):
    r"""The number as a fraction, as which every float is one; a `Dual` as it is."""
    return number if type(number) in (Dual, Fraction) else Fraction(number)


def base(number):
    r"""The number without its ε's, which decides a branch."""
    while isinstance(number, Dual):
        number = number.value
    return number


def draw(rng, *shape):
    r"""An object array of fractions $k/2^{252}$, k drawn from $2^{256}$ numbers around 0."""
    found = np.empty(shape, object)
    for at in np.ndindex(shape):
        k = int.from_bytes(rng.bytes(BITS // 8), "big") - 2 ** (BITS - 1)
        found[at] = Number(k, 2 ** (BITS - 4))
    return found


def along(x, u, level=1):
    r"""The array $x + u\epsilon$, whose entries are constants where u is 0."""
    return np.vectorize(lambda a, b: Dual(a, b, level) if b else a, otypes=[object])(x, u)


def slope(y, level=1):
    r"""The coefficients of ε in an array or a number."""
    take = lambda a: a.slope if getattr(a, "level", 0) == level else Fraction(0)  # noqa: E731
    return np.vectorize(take, otypes=[object])(y) if np.ndim(y) else take(y)


def gradient(f, x, level=1):
    r"""$\partial f/\partial x$ of a scalar function by the definition, entry by entry."""
    found = np.empty(x.shape, object)
    for at in np.ndindex(x.shape):
        unit = np.zeros(x.shape, object)
        unit[at] = Fraction(1)
        found[at] = slope(f(along(x, unit, level)), level)
    return found


def score_slopes(scores, x):
    r"""The slopes of each row's score along its own entries, by dual numbers of a second kind:
    their coefficients may be dual numbers of the first.
    """
    return gradient(lambda x: scores(x).sum(), x, 2)


def equal(*pairs):
    r"""Whether each claim is its truth: the same shape, and the same numbers."""
    return all(
        np.shape(a) == np.shape(b) and bool(np.all(np.equal(a, b, dtype=object)))
        for a, b in pairs
    )
