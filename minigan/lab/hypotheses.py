r"""What may be wrong with a derivative.

Most wrong derivatives are wrong in one of a few ways: a sign, a factor m, a transposed axis, a
slope that was forgotten. Each of these is a hypothesis that can be tested, since it says what
the wrong numbers would be. Here the claimed gradient is compared with what each
hypothesis makes of the measured one; only what gives the claimed numbers to rounding is named.

One point may not tell two hypotheses apart: of two rows, 2 and m are one number. Hence a
hypothesis must explain several points, of other numbers of rows. It *makes* the claim of the
measured numbers, as minus does for a wrong sign. Or it *mends* the claim: if a pass is right
as soon as y is put in the place of x, then it read x where y belongs. Where two hypotheses
explain all points, both are named.
"""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import permutations, product
from typing import Any

import numpy as np

Fits = Callable[["Case"], bool]


def rolled(steps):
    r"""The shift of an axis by so many steps."""
    return lambda a, axis: np.roll(a, steps, axis)


MOVES: dict[str, tuple[Callable, Callable]] = {  # each with its way back
    "in reverse order": (np.flip, np.flip),
    "shifted by one": (rolled(1), rolled(-1)),
    "shifted by one, backward": (rolled(-1), rolled(1)),
}
AXES = "rows", "columns", "third axis", "fourth axis"


@dataclass
class Case:
    r"""A claim at one point, its measured truth, and what is known of the point.

    claim : the claimed array; None if the backward pass raised an error at this point
    known : {name: array} of what the pass was given
    numbers : {name: number} that a factor may be, such as m
    drive : the array in which the pass is linear: dy, or u of a tangent
    input : the array at whose zero a slope may change: x, or a loss's s
    makes : {hypothesis: the claim that it makes}, of hypotheses for this pass alone
    again : the claim with other arrays in the place of known ones
    factors : {name: array} of further factors that a derivative may have, such as f′(x)
    measure : the truth with another array in the place of the drive
    each_row : a function that measures `rows`, the truth of each row by itself (m, shape)
    short : whether what failed was in float32, of which this is the like in float64
    parts : {name: (slice, shape)} of a flat gradient
    tolerance : how far rounding may take the truth
    """

    claim: Any
    truth: Any
    known: dict[str, Any] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)
    drive: str = ""
    input: str = "x"
    makes: dict[str, Any] = field(default_factory=dict)
    factors: dict[str, Any] = field(default_factory=dict)
    again: Callable | None = None
    measure: Callable | None = None
    each_row: Callable | None = None
    short: bool = False
    parts: dict[str, tuple] = field(default_factory=dict)
    tolerance: float = 1e-10

    def same(self, a, b):
        r"""Whether two arrays are equal but for rounding."""
        a, b = np.asarray(a), np.asarray(b)
        if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
            return False
        size = max(np.linalg.norm(a), np.linalg.norm(b))
        return bool(np.linalg.norm(a - b) <= self.tolerance * size)

    @functools.cached_property
    def rows(self):
        r"""The truth of each row of the batch by itself (m, shape of the truth)."""
        return self.each_row()

    def passes(self):
        r"""Whether the claim is the truth."""
        return self.claim is not None and self.same(self.claim, self.truth)

    def right(self):
        r"""Which entries of the claim are right, as an array of bool."""
        size = np.max(abs(self.truth), initial=0.0)
        return abs(self.claim - self.truth) <= 10 * self.tolerance * size


def explains(fits, cases):
    r"""Whether a hypothesis fits every case. One that cannot be computed does not."""
    try:
        return all(fits(case) for case in cases)
    except Exception:  # arrays that do not go together, or a pass that refuses them
        return False


def makes(prediction: Callable) -> Fits:
    r"""The hypothesis that the claim is prediction(case), or that both raise an error."""

    def fits(case):
        try:
            predicted = prediction(case)
        except ValueError:
            return case.claim is None
        return case.claim is not None and case.same(case.claim, predicted)

    return fits


def mends(repaired: Callable) -> Fits:
    r"""The hypothesis that repaired(case) is the truth."""
    return lambda case: case.same(case.truth, repaired(case))


# ---- the whole array: zero, rounded, a sign, a factor ----


def values(cases: list[Case]) -> Iterator[tuple[str, Fits]]:
    r"""Not finite, zero, or rounded to a shorter dtype."""
    yield "it is not finite", lambda case: not np.isfinite(case.claim).all()
    yield "it is zero", lambda case: not case.claim.any()
    for name, digits in ("float32", 1e-6), ("float16", 1e-2):

        def rounded(case, name=name, digits=digits):
            short = case.claim.astype(name).astype(case.claim.dtype)
            near = abs(case.claim - case.truth) <= digits * np.max(abs(case.truth))
            return bool((short == case.claim).all() and near.all()) and case.tolerance < digits

        yield f"it is right, but rounded to {name}", rounded


def factors(cases: list[Case]) -> Iterator[tuple[str, Fits]]:
    r"""The wrong sign, or a constant factor, by name if it has one."""
    yield "the sign is wrong", makes(lambda case: -case.truth)
    named: list[str] = []
    for name, sign, power in product([*cases[0].numbers, "2"], (1, -1), (1, -1)):

        def value(case, name=name, sign=sign, power=power):
            return sign * (case.numbers | {"2": 2.0})[name] ** power

        fits = makes(lambda case, value=value: value(case) * case.truth)
        if name == "2" and named:
            continue  # the 2 is the columns, or the like
        if any(abs(value(case)) != 1 for case in cases) and explains(fits, cases):
            operator = "×" if power == 1 else "/"
            number = call(name, cases)
            named.append(f"claimed = {'−' * (sign < 0)}measured {operator} {number}")
    yield from ((text, lambda case: True) for text in named)
    there = [case for case in cases if case.claim is not None] or cases[:1]
    truth, claim = (
        np.concatenate([np.ravel(getattr(case, name)) for case in there])
        for name in ("truth", "claim")
    )
    if not named and claim.size == truth.size and np.count_nonzero(truth) >= 3:
        c = claim @ truth / (truth @ truth)
        if abs(c - 1) > 1e-6 and abs(c + 1) > 1e-6:
            fits = makes(lambda case: c * case.truth)
            yield f"claimed = {c:.6g} × measured, a constant factor", fits


def call(name, cases):
    r"""How a number is called: as its name where it varies, else as what it happens to be."""
    value, *others = (case.numbers.get(name, 2) for case in cases)
    if any(other != value for other in others):
        return f"{name}, {name} = {value:g}"
    return f"{value:g}" if name == "2" else f"{value:g}, {value:g} being {name}"


# ---- axes and products ----


def axes(cases: list[Case]) -> Iterator[tuple[str, Fits]]:
    r"""Transposed, reversed, shifted or permuted; then the same of what the pass reads."""
    if cases[0].truth.ndim == 2:
        yield "it is transposed", makes(lambda case: case.truth.T)
    for axis in range(cases[0].truth.ndim):
        for text, (move, _) in MOVES.items():
            fits = makes(lambda case, move=move, axis=axis: move(case.truth, axis))
            yield f"its {AXES[axis]} are {text}", fits


def axes_read(cases: list[Case]) -> Iterator[tuple[str, Fits]]:
    r"""The same of an array that the pass reads."""
    for name, array in cases[0].known.items() if cases[0].again else ():
        if array.ndim == 2:
            fits = mends(lambda case, name=name: case.again(**{name: case.known[name].T}))
            yield f"{name} is transposed", fits
        for axis, (text, (_, back)) in product(range(array.ndim), MOVES.items()):

            def moved(case, name=name, axis=axis, back=back):
                return case.again(**{name: back(case.known[name], axis)})

            yield f"it reads {name} with its {AXES[axis]} {text}", mends(moved)


def products(cases: list[Case]) -> Iterator[tuple[str, Fits]]:
    r"""Another product of two arrays, elementwise or not, than the one that is right."""
    known = {name: a for name, a in cases[0].known.items() if a.ndim == 2}
    for (a, b), ta, tb in product(permutations(known, 2), (False, True), (False, True)):

        def pair(case, a=a, b=b, ta=ta, tb=tb):
            A, B = case.known[a], case.known[b]
            return A.T if ta else A, B.T if tb else B

        if explains(mends(lambda case, pair=pair: np.matmul(*pair(case))), cases):
            right = f"{a}{'.T' * ta} @ {b}{'.T' * tb}"
            yield from wrong_products(a, b, right)


def wrong_products(a, b, right):
    r"""Hypotheses of what may stand in the place of the right product of a and b."""
    for (p, q), tp, tq in product(((a, b), (b, a)), (False, True), (False, True)):
        name = f"{p}{'.T' * tp} {{}} {q}{'.T' * tq}"
        for operator, multiply in (("@", np.matmul), ("*", np.multiply)):
            if operator == "*" and p == b:
                continue  # it commutes

            def wrong(case, p=p, q=q, tp=tp, tq=tq, multiply=multiply):
                P, Q = case.known[p], case.known[q]
                return multiply(P.T if tp else P, Q.T if tq else Q)

            text = "the elementwise product " * (operator == "*") + name.format(operator)
            yield f"{text} stands where {right} belongs", makes(wrong)


# ---- factors that differ from entry to entry, and arrays in the wrong place ----


def missing(cases: list[Case]) -> Iterator[tuple[str, Fits]]:
    r"""A factor that is missing, or is there once too often; then the same within a sum."""
    texts: dict[str, list] = {"{} is missing": [], "{} is there once too often": []}
    for name in derived(cases[0]):
        tries = [
            mends(lambda case, name=name: case.claim * derived(case)[name]),
            makes(lambda case, name=name: case.truth * derived(case)[name]),
            makes(lambda case, name=name: (case.rows / beside(case, name)).sum(axis=0)),
            makes(lambda case, name=name: (case.rows * beside(case, name)).sum(axis=0)),
        ]
        for text, pair in zip(texts, (tries[::2], tries[1::2])):
            if any(explains(fits, cases) for fits in pair):
                texts[text].append(name)
    for text, names in texts.items():
        if names:
            yield "the factor " + text.format(" = ".join(names)), lambda case: True


def derived(case):
    r"""{name: array} of the factors that a derivative may have."""
    found = case.known | case.factors
    if "y" in found:
        y = found["y"]
        found |= {"1 − y": 1 - y, "y(1 − y)": y * (1 - y), "1 − y²": 1 - y * y}
    return found


def beside(case, name):
    r"""The factor in the shape of `case.rows`, (m, shape of a parameter)."""
    factor, shape = derived(case)[name], case.rows.shape
    if factor.ndim != 2 or len(factor) != shape[0]:
        raise ValueError("not of the rows")
    if len(shape) == 3 and factor.shape[1] == shape[1]:
        return factor[:, :, None]
    return factor[:, None, :] if len(shape) == 3 else factor
