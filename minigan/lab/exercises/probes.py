r"""What an answer must stand: the library's own proofs at random points of random shapes.

Each proof yields findings. A `Check` speaks for itself: the student's derivative was compared
with his own forward pass, by `minigan.gradcheck`, and nobody had to know the answer. A `Value`
is what a definition gives, such as a loss or the parameters after a step, which no derivative
proves; it is compared with what the installed chapter gives at the same point, by the process
that called, so that this one holds no answer at all.
"""

from dataclasses import dataclass
from importlib import import_module

import numpy as np

from ...gradcheck import check_gradient, check_layer, check_loss, check_network
from ..proofs import LOSSES, GameUnderProof, passes_of_layer

LIMIT = 1e-12  # of values, which a different order of the same sums may change by rounding


@dataclass(frozen=True)
class Value:
    r"""Numbers that are to agree with those of the installed chapter."""

    name: str
    numbers: np.ndarray


def findings(proofs, seed):
    r"""All that the proofs find, at points and shapes that depend on the seed."""
    for name, *told in proofs:
        for case in cases(seed):
            yield from PROOFS[name](case, *told)


def cases(seed):
    r"""(seed, rows, widths): one row, width 1, a square, and something random."""
    rng = np.random.default_rng(seed)
    m, *widths = (int(n) for n in rng.integers(2, 7, 5))
    seeds = [int(n) for n in rng.integers(0, 2**31, 4)]
    k = widths[0]
    shapes = (m, widths), (1, (3, 5, 2)), (4, (1, 2, 1)), (k, (k, k, k))
    return [(seed, rows, tuple(wide)) for seed, (rows, wide) in zip(seeds, shapes)]


def chapter(name):
    r"""A chapter beside this package: with the student's file in its place, that file."""
    return import_module(f"{__package__.rpartition('.lab.')[0]}.{name}")


def frozen(array):
    r"""The same array, but it cannot be written to: arguments are not an answer's to change."""
    if isinstance(array, np.ndarray):
        array = array.view()
        array.flags.writeable = False
    return array


class Twin:
    r"""Stands in for a layer and gives its methods arrays that cannot be written to."""

    def __init__(self, layer):
        self._layer = layer

    def __getattr__(self, name):
        known = getattr(self._layer, name)
        if not callable(known):
            return known
        return lambda *args: known(*map(frozen, args))


def unchanging(layer):
    r"""A twin of the layer under the layer's own name."""
    return type(type(layer).__name__, (Twin,), {})(layer)


def of_layer(case, name):
    r"""A layer of chapter 1: `check_layer`, its forward pass, and its values at the bend."""
    seed, m, (n, *_, k) = case
    rng = np.random.default_rng(seed)
    layers = chapter("layers")
    x, W, b, dy, u = (rng.standard_normal(s) for s in ((m, n), (n, k), (k,), (m, n), (m, n)))
    made, params = {
        "Dense": lambda: (layers.Dense(n, k), (W, b)),
        "LeakyReLU": lambda: (layers.LeakyReLU((0.2, 0.0, 0.7)[seed % 3]), ()),
        "Sigmoid": lambda: (layers.Sigmoid(), ()),
    }[name]()
    layer = unchanging(made)
    yield from check_layer(layer, x, *params, seed=seed)
    yield Value(f"{name}.forward", layer.forward(x, *params))
    if not params:
        at_bend, far = np.zeros((m, n)), 800 * np.sign(x)
        for what, at in (("at 0", at_bend), ("far out", far)):
            y = layer.forward(at)
            yield Value(f"{name}.forward {what}", y)
            yield Value(f"{name}.dx {what}", layer.dx(dy, at, y))
            yield Value(f"{name}.tangent {what}", layer.tangent(u, at, y))
    single = [a.astype(np.float32) for a in (x, np.resize(dy, (m, k if params else n)), u)]
    passes = passes_of_layer(made)(*single, *(p.astype(np.float32) for p in params))
    kinds = [float(np.asarray(made).dtype == np.float32) for made in passes]
    yield Value(f"{name}: float32 in, float32 out", np.array(kinds))


def of_loss(case, name):
    r"""A loss of chapter 2: its value, and its derivative by `check_loss`."""
    seed, m, (*_, k) = case
    rng = np.random.default_rng(seed)
    loss = getattr(chapter("losses"), name)
    if name == "softmax_cross_entropy":
        s = rng.standard_normal((m, k + 1))
        targets = (np.eye(k + 1)[rng.integers(0, k + 1, m)],)
    else:
        s = rng.standard_normal((m, 1))
        known = next(targets for each, targets in LOSSES.values() if each.__name__ == name)
        targets = (*known, rng.random((m, 1)))
    for t in targets:
        yield check_loss(named(lambda *args: loss(*map(frozen, args)), name), s, t)
        for what, scores in (("", s), (" far out", 900 * s), (" far below", -900 * abs(s))):
            value, ds = loss(frozen(scores), frozen(t))
            yield Value(f"{name}{what}: value", value)
            yield Value(f"{name}{what}: ds", ds)


def named(function, name):
    r"""The function under another name, which a check will print."""
    function.__name__ = name
    return function


def of_network(case):
    r"""The passes of chapter 3 by `check_network`, and what they return besides."""
    seed, m, sizes = case
    rng, network = np.random.default_rng(seed), chapter("network")
    made = network.mlp(sizes, rng, output="sigmoid", dtype="float64")
    made.theta += 0.1 * rng.standard_normal(made.theta.shape)
    x, v, u = (rng.standard_normal((m, n)) for n in (sizes[0], sizes[-1], sizes[0]))
    yield from check_network(made, x, seed=seed)
    trace = made.forward(frozen(x))
    deltas = made.deltas([*map(frozen, trace)], frozen(v))
    yield Value("network: length of trace, deltas, tangents", np.array([
        len(trace), len(deltas), len(made.tangents(trace, frozen(u)))
    ]))  # fmt: skip
    for what, arrays in (("trace", trace), ("deltas", deltas)):
        yield from (Value(f"network {what}[{l}]", a) for l, a in enumerate(arrays))
    stopped = made.deltas(trace, v, stop=1)
    yield Value("network: deltas below stop", np.array([d is None for d in stopped], float))
    yield Value("network: accumulate with factors", made.accumulate(
        trace, deltas, factors=frozen(rng.standard_normal((m, 1)))
    ))  # fmt: skip
    bare = network.Network([chapter("layers").LeakyReLU()], np.zeros(0))
    shape = bare.gradient(bare.forward(x), x).shape
    yield Value("network without parameters: shape of dtheta", np.array(shape, float))


def of_init(case, name):
    r"""How weights are drawn: the same numbers from the same generator."""
    seed, m, (n, *_, k) = case
    drawn = getattr(chapter("network"), name)(np.random.default_rng(seed), n, m + k)
    yield Value(f"{name}(rng, {n}, {m + k})", drawn)


def of_optimizer(case, name):
    r"""The parameters after each of six steps, one of them with a gradient that is zero."""
    seed, m, (n, *_) = case
    rng = np.random.default_rng(seed)
    cls = getattr(chapter("optim"), name)
    own = {"SGD": ("momentum",), "RMSProp": ("rho",), "Adam": ("beta1", "beta2")}[name]
    optimizer = cls(rng.uniform(0.01, 0.1), **{rate: rng.uniform(0.3, 0.9) for rate in own})
    if name != "SGD":
        optimizer.eps = 1e-3
    theta = rng.standard_normal(m * n)
    for t in range(1, 7):
        g = rng.standard_normal(theta.shape) * (t != 3)
        optimizer.step(theta, frozen(g))
        yield Value(f"{name}: theta after step {t}", theta.copy())


def of_penalty(case):
    r"""The penalty of chapter 10: its value, and its gradient in theta by the complex step."""
    seed, m, sizes = case
    rng, network = np.random.default_rng(seed), chapter("network")
    penalty = chapter("penalty").gradient_penalty
    D = network.mlp((*sizes[:-1], 1), rng, dtype="float64")
    D.theta += 0.3 * rng.standard_normal(D.theta.shape)
    x_hat, weight = frozen(rng.standard_normal((m, sizes[0]))), float(rng.uniform(0.5, 3))
    for one_sided, n in ((False, None), (True, None), (False, max(1, sizes[0] - 1))):
        options = weight, one_sided, n

        def P(theta, options=options):
            return penalty(network.Network(D.layers, theta), x_hat, *options)[0]

        value, dtheta = penalty(D, x_hat, *options)
        yield check_gradient("gradient_penalty", P, D.theta, dtheta)
        yield Value("gradient_penalty: P", value)
        yield Value("gradient_penalty: its gradient", dtheta)
    flat = network.Network(D.layers, 0 * D.theta)
    yield from (Value(f"at slope 0: {i}", part) for i, part in enumerate(penalty(flat, x_hat)))


def of_game(case, *names):
    r"""Games: the gradient of each step by forward passes alone, and where the steps lead."""
    for name in names:
        game = GameUnderProof(name, (*case[:2], (0, *case[2], 0)), "float64", np.zeros(0))
        played = GameUnderProof(name, (*case[:2], (0, *case[2], 0)), "float64", np.zeros(0))
        judges = game.losses()
        for step, player, dtheta in game.gradients():
            what = f"{step.partition(' ')[2]}, gradient of {player}"
            yield check_gradient(
                what, judges[player], getattr(game.model, player).theta, dtheta
            )
        yield from of_definitions(game)
        yield from of_steps(played)


def of_definitions(game):
    r"""What a game says of scores, conditions and its own schedule."""
    model, rng = game.model, np.random.default_rng(game.seed)
    s_real, s_fake = (frozen(rng.standard_normal((len(game.x), 1))) for _ in range(2))
    for what, parts in (
        ("D_loss", model.D_loss(s_real, s_fake)),
        ("G_loss", model.G_loss(s_fake)),
    ):
        yield from (Value(f"{what}, part {i}", part) for i, part in enumerate(parts))
    if model.n_condition:
        yield Value("condition", model.condition(np.array([2, 0, 1, 1])))
        yield Value("G_input", model.G_input(game.z, game.c))
        yield Value("D_input", model.D_input(game.x, game.c))
    if hasattr(model, "n_critic"):
        counts = []
        for n_critic in (5, 3, 120):
            for t in (0, 1, 24, 25, 26, 499, 500, 501, 1000, 1250):
                model.n_critic, model.G_optimizer.t = n_critic, t
                counts.append(model.critic_steps())
        yield Value("critic_steps", np.array(counts, float))


def of_steps(game):
    r"""The records, and both players' parameters, after real steps with real optimisers."""
    model, x, z, c = game.model, frozen(game.x), frozen(game.z), game.c
    if hasattr(model, "clip"):
        model.clip = 0.3
    x_fake = frozen(model.G.forward(model.G_input(z, c))[-1] + 0)
    for what, play in (
        ("G_step", lambda: model.G_step(z, c)[0]),
        ("D_step", lambda: model.D_step(x, x_fake, c, game)),
        ("update", lambda: model.update(x, z, c, game)),
        ("D_update", lambda: model.D_update(x, x_fake, c, game)),
        ("G_step, again", lambda: model.G_step(z, c)[0]),
    ):
        for entry, value in sorted(play().items()):
            yield Value(f"{what}: {entry}", value)
        for player in ("G", "D"):
            yield Value(f"{player} after {what}", getattr(model, player).theta + 0)
        if model.G_average:
            yield Value(f"G_average after {what}", model.G_average.theta + 0)


PROOFS = {
    "layer": of_layer,
    "loss": of_loss,
    "network": of_network,
    "init": of_init,
    "optimizer": of_optimizer,
    "penalty": of_penalty,
    "game": of_game,
}
