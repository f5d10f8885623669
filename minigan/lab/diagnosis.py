r"""What is wrong with a derivative that is not right.

The hypotheses of `hypotheses` are put to the evidence, the simple ones first: the whole array,
then its axes, products and sums, and at last those that say where it is wrong. The first kind
that explains all points is the diagnosis. But before a derivative is called wrong, the method
that measured it is asked: a forward pass with `abs` in it has no complex step, and a central
difference has few digits.
"""

import functools
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations, permutations

import numpy as np

from ..arrays import stream, to_numpy
from ..measure import METHODS
from .hypotheses import (
    AXES,
    Case,
    Fits,
    axes,
    axes_read,
    explains,
    factors,
    makes,
    mends,
    missing,
    products,
    values,
)


def diagnose(cases: list[Case]) -> str:
    r"""What explains all cases, of which the first is wrong; "" if nothing does."""
    with np.errstate(all="ignore"):
        return first(cases, (*SIMPLE, *SHAPED))


def first(cases, groups):
    r"""What explains the cases, by the first group of hypotheses of which one does."""
    for hypotheses in groups:
        texts = [text for text, fits in hypotheses(cases) if explains(fits, cases)]
        if texts:
            return " or ".join(dict.fromkeys(texts)) if len(set(texts)) <= 3 else ""
    return ""


def orders(cases: list[Case]) -> Iterator[tuple[str, Fits]]:
    r"""The right rows or columns in another order."""
    for axis in range(cases[0].truth.ndim):
        fits = makes(lambda case, axis=axis: permuted(case, axis))
        yield f"its {AXES[axis]} are in another order", fits


def permuted(case, axis):
    r"""The truth in the order in which its rows, or columns, stand in the claim."""
    truth, claim = (np.moveaxis(a, axis, 0) for a in (case.truth, case.claim))
    flat = truth.reshape(len(truth), -1)
    order = [int(np.argmin(((flat - row.ravel()) ** 2).sum(1))) for row in claim]
    if len(set(order)) != len(truth):
        raise ValueError("not a permutation")
    return np.moveaxis(truth[order], 0, axis)


def special(cases: list[Case]) -> Iterator[tuple[str, Fits]]:
    r"""The hypotheses that the cases bring with them."""
    for text in cases[0].makes:
        yield text, makes(lambda case, text=text: case.makes[text])


# ---- arrays in the place of others ----


def exchanged(cases: list[Case]) -> Iterator[tuple[str, Fits]]:
    r"""One array stands where another belongs, and no other would do.

    A pass that is right only for some x is mended by whatever lies among them; it is not
    mistaken about which array it reads.
    """
    for a, b in permutations(cases[0].known, 2) if cases[0].again else ():
        if cases[0].known[a].shape == cases[0].known[b].shape:

            def fits(case, a=a, b=b):
                others = strangers(case.known[a].shape)
                return mends(lambda case: case.again(**{a: case.known[b]}))(case) and not any(
                    case.same(case.truth, case.again(**{a: other})) for other in others
                )

            yield f"{a} stands where {b} belongs", fits


def swapped(cases: list[Case]) -> Iterator[tuple[str, Fits]]:
    r"""Two arrays have each other's places."""
    for a, b in combinations(cases[0].known, 2) if cases[0].again else ():

        def swap(case, a=a, b=b):
            return case.again(**{a: case.known[b], b: case.known[a]})

        yield f"{a} and {b} are exchanged", mends(swap)


def strangers(shape):
    r"""Arrays that have nothing to do with anything: above 0, below 0, near 0."""
    z = stream(0, "vectors of a proof", 3).standard_normal(shape)
    return abs(z), -abs(z), 0.01 * z


# ---- sums ----


def sums(cases: list[Case]) -> Iterator[tuple[str, Fits]]:
    r"""A sum over the wrong axis, over too many, or none."""
    for axis in range(cases[0].truth.ndim):

        def summed(case, axis=axis):
            total = case.truth.sum(axis=axis, keepdims=True)
            return np.broadcast_to(total, case.truth.shape)

        yield f"it is summed over its {AXES[axis]}", makes(summed)
        mean = makes(lambda case, s=summed, axis=axis: s(case) / case.truth.shape[axis])
        yield f"it is averaged over its {AXES[axis]}", mean
    if cases[0].truth.size > 1:
        whole = makes(lambda case: np.full(case.truth.shape, case.truth.sum()))
        yield "it is the sum of all entries", whole
    for scale in (0, 1):  # a loss of n rows, when it is transposed, divides by its columns

        def turned(case, scale=scale):
            if case.truth.shape[1] == 1:
                raise ValueError("one column has no other axis")
            found = case.again(**{name: a.T for name, a in case.known.items()}).T
            return found * (found.shape[1] / len(found)) ** scale

        yield "its sums run over the wrong axis", mends(turned)
    if cases[0].each_row is None:
        return
    yield "the sum over the rows is missing", makes(lambda case: case.rows)
    yield "only the first row is counted", makes(lambda case: case.rows[0])
    yield "only the last row is counted", makes(lambda case: case.rows[-1])
    for axis in range(1, cases[0].rows.ndim):
        fits = makes(lambda case, axis=axis: case.rows.sum(axis=axis))
        yield "the sum runs over the wrong axis", fits


# ---- wrong in one place only ----


def places(cases: list[Case]) -> Iterator[tuple[str, Fits]]:
    r"""Right but in some parts, in one row or column, or right only on one side of zero."""
    if any(case.claim is None or case.claim.shape != case.truth.shape for case in cases):
        return
    yield from wrong_parts(cases)
    name = cases[0].input
    for sign, side in ((">", 1), ("<", -1)):
        text = f"it is right only where {name} {sign} 0"
        if all(getattr(c.known.get(name), "shape", None) == c.truth.shape for c in cases):
            yield from within(text, cases, [side * case.known[name] <= 0 for case in cases])
        elif cases[0].measure:
            text = text.replace("only ", "") + ", wrong elsewhere"
            yield text, functools.partial(one_sided, side=side)
    for axis in range(cases[0].truth.ndim):
        at = [lone(case, axis) for case in cases]
        at = (
            at
            if len(set(at)) == 1
            else [i and i - case.truth.shape[axis] for i, case in zip(at, cases)]
        )
        if None not in at and len(set(at)) == 1:
            what = "entry" if cases[0].truth.ndim == 1 else AXES[axis].removesuffix("s")
            where = [np.zeros(case.truth.shape, bool) for case in cases]
            for mask, i in zip(where, at):
                np.moveaxis(mask, axis, 0)[i] = True
            yield from within(f"only {what} {at[0]} is wrong", cases, where)


def within(text, cases, where):
    r"""The hypothesis that a claim is wrong all over some masks and right beside them."""
    right = [case.right() for case in cases]
    beside = np.concatenate([ok[~mask] for ok, mask in zip(right, where)])
    inside = np.concatenate([ok[mask] for ok, mask in zip(right, where)])
    if beside.size >= 3 and beside.all() and inside.size and not inside.any():
        cut = [
            Case(
                case.claim[mask],
                case.truth[mask],
                numbers=case.numbers,
                tolerance=case.tolerance,
            )
            for case, mask in zip(cases, where)
        ]
        why = first(cut, SIMPLE)
        yield text + (f"; there {why}" if why else ""), lambda case: True


def one_sided(case, side):
    r"""Whether a gradient is right for a delta on one side of x's zero, and only there."""
    right = []
    if not case.measure(case.known[case.drive] * (side * case.known["x"] > 0)).any():
        return False  # of zeros anything is right
    for mask in (side * case.known["x"] > 0, side * case.known["x"] < 0):
        delta = case.known[case.drive] * mask
        right.append(case.same(case.again(**{case.drive: delta}), case.measure(delta)))
    return right == [True, False]


def lone(case, axis):
    r"""The only index along an axis, of three or more, at which the claim is wrong, or None."""
    wrong = np.flatnonzero(
        ~np.moveaxis(case.right(), axis, 0).reshape(case.truth.shape[axis], -1).all(1)
    )
    return int(wrong[0]) if len(wrong) == 1 and case.truth.shape[axis] >= 3 else None


def wrong_parts(cases):
    r"""Which parts of a flat gradient are wrong, each with what explains it."""
    found, right = [], 0
    for name, (where, shape) in cases[0].parts.items():
        cut = [
            replace(case, claim=case.claim[where].reshape(shape), parts={},
                    truth=case.truth[where].reshape(shape), again=None, each_row=None, known={})
            for case in cases
        ]  # fmt: skip
        if all(case.right().all() for case in cut):
            right += 1
        else:
            found.append((name, first(cut, (*SIMPLE, axes))))
    if found and (right or all(why for _, why in found)):
        text = " and ".join(f"{name} ({why})" if why else name for name, why in found)
        yield f"only {text} is wrong" if right else text, lambda case: True


SIMPLE = values, factors
SHAPED = (axes, products, missing, exchanged, swapped, axes_read, orders, sums, special, places)

NOT_ANALYTIC = (
    "the forward pass is not analytic (abs, maximum, a branch on a complex number?), so the "
    'complex step cannot measure it; by method="central difference" '
)


def explain(cases: Callable, method: str) -> str:
    r"""The diagnosis of cases(method), unless the other method says that the method erred.

    cases : a function of the method that yields each `Case`, the one that failed first
    """
    other = next(m for m in METHODS if m != method)
    first, check = (answer(lambda m=m: next(cases(m)), None) for m in (method, other))
    if first is None:
        return ""
    if first.passes():
        return "it is right in float64: float32's rounding is seen" if first.short else ""
    if check and method == "central difference" and check.passes():
        return "it is right by the complex step: here the central difference is too coarse"
    roughly = replace(first, tolerance=1e-3)
    if check and method == "complex step" and not roughly.same(first.truth, check.truth):
        why = "it is right" if check.passes() else diagnose([*cases(other)])
        return NOT_ANALYTIC + (why or "it is wrong too")
    return diagnose([*cases(method)])


def answer(ask, *instead):
    r"""ask(), which is anyone's code: what it raises is a ValueError, or gives `instead`."""
    try:
        return ask()
    except Exception as error:
        if instead:
            return instead[0]
        raise ValueError(str(error)) from error


def numbers_of(array):
    r"""The array on the host; raises ValueError if what a pass returned is none of numbers."""
    host = np.asarray(to_numpy(array))
    if host.dtype.kind not in "biuf":
        raise ValueError(f"expected numbers, got {host.dtype}")
    return host


def powers(m):
    r"""What a mean over m rows may leave in a factor."""
    return {"m": m, "m²": m * m, **({"m/(m − 1)": m / (m - 1)} if m > 1 else {})}
