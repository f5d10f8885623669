r"""What is rational in this library, proven with `==`: what `minigan gradcheck --exact` prints.

Dense, LeakyReLU, the squares, the Wasserstein loss, R1 and SGD only add, multiply and divide.
So their chapters' own lines run on exact fractions as well, in object arrays, and nothing is
rounded. A derivative by the definition alone is computed beside each by a dual number,
$a + b\epsilon$ with $\epsilon^2 = 0$, for which $f(a + b\epsilon) = f(a) + f'(a)b\,\epsilon$ is
no approximation. The two must be equal, numerator by numerator.

Both sides are polynomials in the random numbers, for each pattern of the signs that LeakyReLU
sees. By Schwartz and Zippel, two different polynomials of degree d agree at a point whose
coordinates are drawn from N numbers with a probability of at most d/N. Here N is $2^{256}$, and
the table gives the bound for all patterns together.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ..arrays import stream
from ..layers import Dense, LeakyReLU
from ..losses import least_squares, wasserstein
from ..network import Network
from ..penalty import zero_centred_penalty
from .dual import BITS, Number, along, draw, equal, gradient, score_slopes, slope
from .exact_games import of_games, of_sgd
from .exact_layers import Bent, OwnDense

# (rows, widths of a network): a loss divides by the rows in floating point, which is exact for
# a power of two
CASES = ((4, (3, 4, 2)), (2, (3, 3, 3, 3)), (1, (2, 3, 1)), (8, (2, 1)))


@dataclass(frozen=True)
class ExactProof:
    r"""A line of the table: an identity of polynomials, and whether it held at every point.

    degree : at most that of either side; signs : numbers whose sign chooses the polynomial
    """

    equation: str
    what: str
    degree: int
    signs: int
    passed: bool

    @property
    def chance(self) -> float:
        r"""The base-2 logarithm of the bound on the probability of a false pass.

        A wrong pass may see other signs than a right one, so those of both sides count.
        """
        return math.log2(self.degree) + 2 * self.signs - BITS


def exact_proofs(subjects=None) -> list[ExactProof]:
    r"""A list of `ExactProof`, one for each identity: equal in all cases, or not."""
    found: dict = {}
    for proof in each_proof(subjects):
        known = found.setdefault((proof.equation, proof.what), proof)
        degree, signs = max(known.degree, proof.degree), max(known.signs, proof.signs)
        passed = known.passed and proof.passed
        found[proof.equation, proof.what] = ExactProof(
            proof.equation, proof.what, degree, signs, passed
        )
    return list(found.values())


def each_proof(subjects=None) -> Iterator[ExactProof]:
    r"""The proofs one by one, case by case."""
    for number, (m, sizes) in enumerate(CASES):
        rng = stream(number, "cases of a proof", 4)
        for subject in subjects or SUBJECTS:
            for equation, what, degree, signs, passed in subject(rng, m, sizes):
                yield ExactProof(equation, what, degree, signs, passed)


def table(found: list[ExactProof]) -> Iterator[str]:
    r"""The lines that show what was found."""
    yield f"{'':7}{'identity':<44}{'degree':<8}{'chance':<9}"
    for proof in found:
        verdict = "equal" if proof.passed else "NOT EQUAL"
        chance = f"2^{math.ceil(proof.chance)}"
        yield f"{proof.equation:<7}{proof.what:<44}{proof.degree:<8}{chance:<9}{verdict}"
    failed = sum(not proof.passed for proof in found)
    yield ""
    yield f"{failed} of {len(found)} NOT EQUAL" if failed else f"all {len(found)} equal"


Lines = Iterator[tuple[str, str, int, int, bool]]  # equation, what, degree, signs, passed
Subject = Callable[[Any, int, tuple], Lines]


# ---- layers ----


def of_layers(rng, m, sizes) -> Lines:
    r"""(1) and (2): the forward passes by their definitions, the others by dual numbers."""
    n, k = sizes[0], sizes[-1]
    for bias in (True, False):
        layer: Any = Dense(n, k, bias)
        params = [draw(rng, *shape) for shape in layer.shapes]
        x, v, u = draw(rng, m, n), draw(rng, m, k), draw(rng, m, n)
        yield from of_layer("(1)", layer, affine, rng, x, v, u, *params)
    for alpha in (Fraction(1, 5), Fraction(0)):
        layer = LeakyReLU()
        layer.slope = alpha
        x, v, u = draw(rng, m, n), draw(rng, m, n), draw(rng, m, n)
        x.flat[0] = Number(1, 3) if x.flat[0] > 0 else Number(-1, 3)
        bent = lambda x, a=alpha: np.where(x > 0, x, a * x)  # noqa: E731
        yield from of_layer("(2)", layer, bent, rng, x, v, u)
    at_bend = np.array([[Number(0)]], object)
    flat = equal((layer.slopes(at_bend), at_bend), (layer.forward(at_bend), at_bend))
    yield "(2)", "LeakyReLU: the slope at the bend is alpha", 1, 0, flat


def of_layer(number, layer, definition, rng, x, v, u, *params) -> Lines:
    r"""Every pass of one layer."""
    name, y = type(layer).__name__, layer.forward(x, *params)
    signs = 0 if number == "(1)" else x.size
    pairs = lambda i: lambda a: (v * layer.forward(*put((x, *params), i, a))).sum()  # noqa: E731
    moved = slope(layer.forward(along(x, u), *params))
    yield number, f"{name}: forward", 3, signs, equal((y, definition(x, *params)))
    dx, tangent = layer.dx(v, x, y, *params), layer.tangent(u, x, y, *params)
    yield f"{number[:-1]}a)", f"{name}: dx", 3, signs, equal((dx, gradient(pairs(0), x)))
    letter = "d" if params else "b"
    yield f"{number[:-1]}{letter})", f"{name}: tangent", 3, signs, equal((tangent, moved))
    if not params:
        return
    of_tangent = lambda i: lambda a: (v * slope(  # noqa: E731
        layer.forward(along(x, u, 2), *put(params, i, a)), 2)).sum()  # fmt: skip
    grads = layer.dparams(v, x, y, *params)
    second = layer.tangent_dparams(v, u, x, y, *params)
    for i, what in enumerate(("dW", "db")[: len(params)]):
        right = equal((grads[i], gradient(pairs(i + 1), params[i])))
        yield f"(1{'bc'[i]})", f"{name}: {what}", 3, signs, right
        right = equal((second[i], gradient(of_tangent(i), params[i])))
        yield "(1e)", f"{name}: {what} of the tangent", 3, signs, right


def affine(x, W, b=None):
    r"""(1) by its sums."""
    y = np.empty((len(x), W.shape[1]), object)
    for i, j in np.ndindex(y.shape):
        y[i, j] = sum(x[i, p] * W[p, j] for p in range(len(W))) + (0 if b is None else b[j])
    return y


def put(args, i, value):
    r"""The arguments with another in place i."""
    return [value if j == i else arg for j, arg in enumerate(args)]


# ---- losses ----


def of_losses(rng, m, sizes) -> Lines:
    r"""(5) and (6): the value by its definition, and ds."""
    s, each = draw(rng, m, 1), draw(rng, m, 1)
    for number, loss, entry in (
        ("(5)", wasserstein, lambda s, t: -t * s),
        ("(6)", least_squares, lambda s, t: (s - t) ** 2 / Fraction(2)),
    ):
        for t in (draw(rng, 1)[0], each):
            L, ds = loss(s, t)
            t_of = t if np.ndim(t) else np.full((m, 1), t)
            value = sum(entry(s[i, 0], t_of[i, 0]) for i in range(m)) / m
            yield number, f"{loss.__name__}: value", 2, 0, equal((L, value))
            right = equal((ds, gradient(lambda s, t=t, loss=loss: loss(s, t)[0], s)))
            yield f"{number[:-1]}a)", f"{loss.__name__}: ds", 2, 0, right


# ---- networks ----


def network_of(rng, sizes, score=False):
    r"""Dense, PReLU, LeakyReLU, …, Dense of random fractions, and how many bends there are."""
    sizes = (*sizes[:-1], 1) if score else sizes
    layers: list = []
    for n, k in zip(sizes, sizes[1:]):
        layers += [Dense(n, k), Bent(k), LeakyReLU(0.25)]
    layers[-3:] = [OwnDense(*sizes[-2:])]
    size = sum(math.prod(shape) for layer in layers for shape in layer.shapes)
    return Network(layers, draw(rng, size)), 2 * sum(sizes[1:-1])


def of_networks(rng, m, sizes) -> Lines:
    r"""(9) to (12), and (13): a network's passes, by forward passes alone."""
    network, bends = network_of(rng, sizes)
    x, v, u, factors = (draw(rng, m, n) for n in (sizes[0], sizes[-1], sizes[0], 1))
    degree, signs, trace = 2 * len(sizes), bends * m, network.forward(x)
    of = lambda theta, x: Network(network.layers, theta).forward(x)[-1]  # noqa: E731
    by_hand = x
    for layer, params in zip(network.layers, network.params):
        a = params[0] if params else Fraction(1, 4)
        dense = isinstance(layer, Dense)
        by_hand = (
            affine(by_hand, *params) if dense else np.where(by_hand > 0, by_hand, a * by_hand)
        )
    yield "(9)", "network: forward", degree, signs, equal((trace[-1], by_hand))
    dx = gradient(lambda x: (v * of(network.theta, x)).sum(), x)
    deltas, theta = network.deltas(trace, v), network.theta
    yield "(10)", "network: delta of x", degree, signs, equal((deltas[0], dx))
    dtheta = gradient(lambda theta: (v * of(theta, x)).sum(), theta)
    right = equal(
        (network.accumulate(trace, deltas), dtheta), (network.gradient(trace, v), dtheta)
    )
    yield "(11)", "network: gradient of theta", degree, signs, right
    dtheta = gradient(lambda theta: (factors * v * of(theta, x)).sum(), theta)
    right = equal((network.accumulate(trace, deltas, factors), dtheta))
    yield "(11)", "network: gradient, by factors", degree + 1, signs, right
    tangents = network.tangents(trace, u)
    moved = slope(of(theta, along(x, u)))
    yield "(12)", "network: tangents", degree, signs, equal((tangents[-1], moved))
    second = gradient(lambda theta: (v * slope(of(theta, along(x, u, 2)), 2)).sum(), theta)
    claims = network.accumulate(trace, deltas, tangents=tangents)
    yield "(38)", "network: gradient of the tangents", degree, signs, equal((claims, second))
    claims = network.accumulate(trace, deltas, factors, tangents)
    right = equal((claims, dtheta + second))
    yield "(13)", "network: both in one product", degree + 1, signs, right


# ---- the penalty on the slopes ----


def of_penalty(rng, m, sizes) -> Lines:
    r"""(36) and (37): R1 and R2, the derivative of a derivative."""
    D, bends = network_of(rng, sizes, score=True)
    x, gamma = draw(rng, m, sizes[0]), 1.5
    for n in (None, max(1, sizes[0] - 1)):

        def value(theta, n=n):
            g = score_slopes(lambda x: Network(D.layers, theta).forward(x)[-1], x)[:, :n]
            return Fraction(gamma) / (2 * m) * (g * g).sum()

        P, dtheta = zero_centred_penalty(D, x, gamma, n)
        degree, signs = 4 * len(sizes), bends * m
        yield "(36)", "R1, R2: value", degree, signs, equal((P, value(D.theta)))
        right = equal((dtheta, gradient(value, D.theta)))
        yield "(37)", "R1, R2: second-order gradient of theta", degree, signs, right


SUBJECTS: tuple[Subject, ...] = (
    of_layers,
    of_losses,
    of_networks,
    of_penalty,
    of_sgd,
    of_games,
)
