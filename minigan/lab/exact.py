r"""What is rational in this library, proven with `==`: what `minigan gradcheck --exact` prints.

Dense, LeakyReLU, the squares, the Wasserstein loss, R1 and SGD only add, multiply and divide.
So their chapters' own lines run on exact fractions as well, in object arrays, and nothing is
rounded. A derivative by the definition alone is computed beside each by a dual number,
$a + b\epsilon$ with $\epsilon^2 = 0$, for which $f(a + b\epsilon) = f(a) + f'(a)b\,\epsilon$ is
no approximation. The two must be equal, numerator by numerator.

Both sides are polynomials in the random numbers, for each pattern of the signs that LeakyReLU
sees. By Schwartz and Zippel, two different polynomials of degree d agree at a point whose
coordinates are drawn from N numbers with a probability of at most d/N. Here N is $2^{128}$, and
the table gives the bound for all patterns together.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from numbers import Rational
from typing import Any

import numpy as np

from ..arrays import stream
from ..gradcheck import RecordingOptimizer
from ..layers import Dense, LeakyReLU
from ..losses import least_squares, wasserstein
from ..lsgan import LSGAN
from ..network import Network
from ..optim import SGD
from ..penalty import zero_centred_penalty
from ..wgan import WGAN

BITS = 128  # each number is drawn from as many as 2**BITS
# (rows, widths of a network): a loss divides by the rows in floating point, which is exact for
# a power of two
CASES = ((4, (3, 4, 2)), (2, (3, 3, 3, 3)), (1, (2, 3, 1)), (8, (2, 1)))


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
        return Number(of_fractions(self, Fraction(other)))

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
        level, a, b, c, d = self._paired(other)
        return Dual(a + c, b + d, level)

    def __mul__(self, other):
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
    return number if isinstance(number, Dual) else Fraction(number)


def base(number):
    r"""The number without its ε's, which decides a branch."""
    while isinstance(number, Dual):
        number = number.value
    return number


def draw(rng, *shape):
    r"""An object array of fractions $k/2^{124}$, k drawn from $2^{128}$ numbers around 0."""
    found = np.empty(shape, object)
    for at in np.ndindex(shape):
        k = int.from_bytes(rng.bytes(BITS // 8), "big") - 2 ** (BITS - 1)
        found[at] = Number(k, 2 ** (BITS - 4))
    return found


def along(x, u, level=1):
    r"""The array $x + u\epsilon$."""
    return np.vectorize(lambda a, b: Dual(a, b, level), otypes=[object])(x, u)


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


def equal(*pairs):
    r"""Whether each claim is its truth: the same shape, and the same numbers."""
    return all(
        np.shape(a) == np.shape(b) and bool(np.all(np.equal(a, b, dtype=object)))
        for a, b in pairs
    )


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
        r"""The base-2 logarithm of the bound on the probability of a false pass."""
        return math.log2(self.degree) + self.signs - BITS


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
        layer = Dense(n, k, bias)
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
    r"""Dense, LeakyReLU, …, Dense of random fractions, and how many units have a bend."""
    sizes = (*sizes[:-1], 1) if score else sizes
    layers: list = []
    for n, k in zip(sizes, sizes[1:]):
        layers += [Dense(n, k), LeakyReLU(0.25)]
    layers.pop()
    size = sum(math.prod(shape) for layer in layers for shape in layer.shapes)
    return Network(layers, draw(rng, size)), sum(sizes[1:-1])


def of_networks(rng, m, sizes) -> Lines:
    r"""(8) to (11), and (90): a network's passes, by forward passes alone."""
    network, bends = network_of(rng, sizes)
    x, v, u, factors = (draw(rng, m, n) for n in (sizes[0], sizes[-1], sizes[0], 1))
    degree, signs, trace = len(sizes) + 1, bends * m, network.forward(x)
    of = lambda theta, x: Network(network.layers, theta).forward(x)[-1]  # noqa: E731
    by_hand = x
    for params in network.params:
        one = affine if params else (lambda x: np.where(x > 0, x, x * Fraction(1, 4)))
        by_hand = one(by_hand, *params)
    yield "(8)", "network: forward", degree, signs, equal((trace[-1], by_hand))
    dx = gradient(lambda x: (v * of(network.theta, x)).sum(), x)
    deltas, theta = network.deltas(trace, v), network.theta
    yield "(9)", "network: delta of x", degree, signs, equal((deltas[0], dx))
    dtheta = gradient(lambda theta: (v * of(theta, x)).sum(), theta)
    right = equal(
        (network.accumulate(trace, deltas), dtheta), (network.gradient(trace, v), dtheta)
    )
    yield "(10)", "network: gradient of theta", degree, signs, right
    dtheta = gradient(lambda theta: (factors * v * of(theta, x)).sum(), theta)
    right = equal((network.accumulate(trace, deltas, factors), dtheta))
    yield "(10)", "network: gradient, by factors", degree + 1, signs, right
    tangents = network.tangents(trace, u)
    moved = slope(of(theta, along(x, u)))
    yield "(11)", "network: tangents", degree, signs, equal((tangents[-1], moved))
    second = gradient(lambda theta: (v * slope(of(theta, along(x, u, 2)), 2)).sum(), theta)
    claims = network.accumulate(trace, deltas, tangents=tangents)
    yield "(34)", "network: gradient of the tangents", degree, signs, equal((claims, second))
    claims = network.accumulate(trace, deltas, factors, tangents)
    right = equal((claims, dtheta + second))
    yield "(90)", "network: both in one product", degree + 1, signs, right


# ---- the penalty on the slopes ----


def of_penalty(rng, m, sizes) -> Lines:
    r"""(92) and (93): R1 and R2, the derivative of a derivative."""
    D, bends = network_of(rng, sizes, score=True)
    x, gamma = draw(rng, m, sizes[0]), 1.5
    for n in (None, max(1, sizes[0] - 1)):

        def value(theta, n=n):
            r"""(92) by forward passes: the slopes are dual numbers of a second kind."""
            score = lambda x: Network(D.layers, theta).forward(x)[-1].sum()  # noqa: E731
            g = gradient(score, x, 2)[:, :n]
            return Fraction(gamma) / (2 * m) * (g * g).sum()

        P, dtheta = zero_centred_penalty(D, x, gamma, n)
        degree, signs = 2 * len(sizes), bends * m
        yield "(92)", "R1, R2: value", degree, signs, equal((P, value(D.theta)))
        right = equal((dtheta, gradient(value, D.theta)))
        yield "(93)", "R1, R2: second-order gradient of theta", degree, signs, right


# ---- optimisers and whole steps ----


def of_sgd(rng, m, sizes) -> Lines:
    r"""(14): three steps with momentum, by its two lines."""
    theta, sgd = draw(rng, 5), SGD(lr=0.125, momentum=0.75)
    expected, v = theta.copy(), np.zeros(5, object)
    right = True
    for _ in range(3):
        g = draw(rng, 5)
        before = g.copy()
        sgd.step(theta, g)
        v = Fraction(3, 4) * v - Fraction(1, 8) * g
        expected = expected + v
        right = right and equal((theta, expected), (sgd.v, v), (g, before))
    yield "(14)", "SGD: three steps with momentum", 1, 0, right and sgd.t == 3


def of_games(rng, m, sizes) -> Lines:
    r"""(17) to (19), (26), (27), (30), (31): whole iterations of LSGAN and WGAN."""
    hidden = sizes[1:-1]
    for cls in (LSGAN, WGAN):
        for way in ("plain", "one pass"):
            game = exact_game(cls, rng, hidden)
            bends, name = sum(hidden) * m * 3, cls.__name__
            degree = 4 * (len(hidden) + 2)
            for _ in range(2):  # the second step has a velocity to go on with
                draw_again(game, rng)
                x, z = draw(rng, m, 3), draw(rng, m, 2)
                yield from of_steps(game, name, way, x, z, degree, bends)
            draw_again(game, rng)
            yield from of_second_step(game, name, x, z, degree, bends)


def draw_again(game, rng):
    r"""Other parameters: after a step they are fractions of too many digits."""
    for network in (game.G, game.D, game.G_average):
        network.theta = draw(rng, network.theta.size)


def exact_game(cls, rng, hidden):
    r"""A small game on fractions, moved by SGD, or rather by one that also keeps the gradient."""
    widths = {"G_hidden": hidden, "D_hidden": hidden, "output": "linear", "dtype": "float64"}
    game = cls(n_data=3, n_noise=2, slope=0.25, **widths)
    for player in "GD":
        network = getattr(game, player)
        setattr(game, player, Network(network.layers, draw(rng, network.theta.size)))
        setattr(game, f"{player}_optimizer", Descent(0.125, 0.5))
    if cls is LSGAN:
        game.a, game.b, game.c = draw(rng, 3)
    else:
        game.clip = 6.0
    game.G_average, game.ema_decay = Network(game.G.layers, game.G.theta + 0), 0.75
    return game


class Descent(SGD, RecordingOptimizer):
    r"""SGD that keeps the gradient which it was given."""

    def step(self, theta, dtheta):
        RecordingOptimizer.step(self, theta, dtheta)
        super().step(theta, dtheta)


def of_steps(game, name, way, x, z, degree, signs) -> Lines:
    r"""One iteration: the gradients, the record and where both networks went."""
    before = [network.theta.copy() for network in (game.G, game.D, game.G_average)]
    velocity = [getattr(o, "v", 0) + 0 * t for o, t in zip(optimizers(game), before)]
    x_fake = game.G.forward(z)[-1]
    L_G, L_D = exact_losses(game, name, x, z)
    truth = gradient(L_G, before[0]), gradient(L_D(x_fake), before[1])
    values = L_G(before[0]), L_D(x_fake)(before[1])
    if way == "plain":
        record, made = game.G_step(x, z)
        same_fakes = equal((made, x_fake))
        record = record | game.D_step(x, x_fake)
        numbers = "(17)", "(18)"
    else:
        record, same_fakes, numbers = game.update(x, z), True, ("(19)", "(19)")
    claims = [o.dtheta for o in optimizers(game)]
    for i, player in enumerate("GD"):
        what = f"{name}: {way}, gradient of {player}"
        yield numbers[i], what, degree, signs, equal((claims[i], truth[i])) and same_fakes
    yield from of_record(game, name, way, x, x_fake, before, record, values, degree, signs)
    v = [velocity[i] / 2 - truth[i] / 8 for i in (0, 1)]
    moved = [before[i] + v[i] for i in (0, 1)]
    if name == "WGAN":
        moved[1] = np.vectorize(lambda a: min(max(a, -6), 6), otypes=[object])(moved[1])
    mean = before[2] + (moved[0] - before[2]) / 4
    pairs = zip((game.G.theta, game.D.theta, game.G_average.theta), (*moved, mean))
    yield "(17a)", f"{name}: {way}, where the networks went", degree, signs, equal(*pairs)


def of_second_step(game, name, x, z, degree, signs) -> Lines:
    r"""(19a): a further step of the critic."""
    x_fake, theta = game.G.forward(z)[-1], game.D.theta.copy()
    L_D = exact_losses(game, name, x, z)[1](x_fake)
    truth = gradient(L_D, theta)
    record = game.D_update(x, x_fake)
    right = equal((game.D_optimizer.dtheta, truth), (record["loss_D"], L_D(theta)))
    yield "(19a)", f"{name}: D_update, gradient of D", degree, signs, right


def optimizers(game):
    r"""G's and D's."""
    return game.G_optimizer, game.D_optimizer


def exact_losses(game, name, x, z):
    r"""(L_G of theta_G, a function of the fakes that gives L_D of theta_D), by definition."""
    G, D, theta_D = game.G, game.D, game.D.theta.copy()
    of = lambda network, theta, x: Network(network.layers, theta).forward(x)[-1]  # noqa: E731
    mean = lambda s: s.sum() / Fraction(len(x))  # noqa: E731
    if name == "WGAN":
        return (
            lambda theta: -mean(of(D, theta_D, of(G, theta, z))),
            lambda fake: lambda theta: mean(of(D, theta, fake)) - mean(of(D, theta, x)),
        )
    half = lambda s, t: mean((s - t) ** 2) / 2  # noqa: E731
    return (
        lambda theta: half(of(D, theta_D, of(G, theta, z)), game.c),
        lambda fake: (
            lambda theta: half(of(D, theta, x), game.b) + half(of(D, theta, fake), game.a)
        ),
    )


def of_record(game, name, way, x, x_fake, before, record, values, degree, signs) -> Lines:
    r"""(26), (27), (30), (31) and what is reported."""
    numbers = ("(27)", "(26)") if name == "WGAN" else ("(31)", "(30)")
    for number, key, value in zip(numbers, ("loss_G", "loss_D"), values):
        yield number, f"{name}: {way}, {key}", degree, signs, equal((record[key], value))
    D = Network(game.D.layers, before[1])
    real, fake = (D.forward(rows)[-1].sum() / len(x) for rows in (x, x_fake))
    if name == "WGAN":
        pairs = [(record["w_estimate"], real - fake)]
    else:
        pairs = [(record["D(x)"], real), (record["D(G(z))"], fake)]
    yield numbers[1], f"{name}: {way}, what is reported", degree, signs, equal(*pairs)


SUBJECTS: tuple[Subject, ...] = (
    of_layers,
    of_losses,
    of_networks,
    of_penalty,
    of_sgd,
    of_games,
)
