r"""What an answer must stand: the library's own proofs at random points of random shapes.

Each proof yields findings. A `Check` speaks for itself: the student's derivative was compared
with his own forward pass, by `minigan.gradcheck`, and nobody had to know the answer. A `Value`
is what a definition gives, such as a loss or the parameters after a step, which no derivative
proves; it is compared with what the installed chapter gives at the same point, by the process
that called, so that this one holds no answer at all.
"""

import contextlib
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from ...arrays import stream
from ...errors import MiniganError
from ...gradcheck import check_gradient, check_layer, check_loss, check_network
from ..proofs import LOSSES, passes_of_layer
from .games import of_game, of_values
from .points import (
    UNMOVED,
    Curved,
    Scaled,
    Value,
    Wall,
    cases,
    chapter,
    during,
    frozen,
    named,
    refuses,
    unchanging,
)  # fmt: skip


def findings(proofs, seed):
    r"""All that the proofs find, at points and shapes that depend on the seed."""
    for name, *told in proofs:
        for case in cases(seed):
            yield from PROOFS[name](case, *told)


def values(proofs, seed):
    r"""The findings that are a `Value`, in the same order."""
    for name, *told in proofs:
        for case in cases(seed):
            found = (PROOFS | {"game": of_values})[name](case, *told)
            yield from (each for each in found if isinstance(each, Value))


SINGLE = (
    "dx",
    "dparams, dW",
    "dparams, db",
    "tangent",
    "tangent_dparams, dW",
    "tangent_dparams, db",
)


def of_layer(case, name):
    r"""A layer of chapter 1: `check_layer`, its forward pass, and its values at the bend."""
    seed, m, (n, *_, k) = case
    rng = stream(seed, "cases of an exercise", 1)
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
    names = SINGLE if params else (SINGLE[0], SINGLE[3])
    for what, kind in zip(names, [np.asarray(made).dtype for made in passes]):
        says = f"{name}.{what} is not float32 where x is; it has the kind of its arguments"
        yield Value(f"{name}.{what}", np.array(float(kind == np.float32)), says)
    if name == "Dense":
        yield from check_layer(unchanging(layers.Dense(n, k, bias=False)), x, W, seed=seed)


def of_loss(case, name):
    r"""A loss of chapter 2: its value, and its derivative by `check_loss`."""
    seed, m, (*_, k) = case
    rng = stream(seed, "cases of an exercise", 2)
    loss = getattr(chapter("losses"), name)
    if name == "softmax_cross_entropy":
        s = rng.standard_normal((m, k + 1))
        targets = (np.eye(k + 1)[rng.integers(0, k + 1, m)],)
    else:
        s = rng.standard_normal((m, 1))
        known = next(targets for each, targets in LOSSES.values() if each.__name__ == name)
        targets = (*known, rng.random((m, 1)))
    for t in targets:
        check = check_loss(named(lambda *args: loss(*map(frozen, args)), name), s, t)
        wide = name == "softmax_cross_entropy"  # its targets are c, and no t
        yield replace(check, cause=re.sub(r"\bt\b", "c", check.cause)) if wide else check
        for what, scores in (("", s), (" far out", 900 * s), (" far below", -900 * abs(s))):
            value, ds = loss(frozen(scores), frozen(t))
            yield Value(f"{name}{what}: value", value)
            yield Value(f"{name}{what}: ds", ds)


def of_network(case):
    r"""The passes of chapter 3 by `check_network`, and what they return besides."""
    seed, m, sizes = case
    rng, network = stream(seed, "cases of an exercise", 3), chapter("network")
    plain = network.mlp(sizes, rng, output="sigmoid", dtype="float64")
    plain.theta += 0.1 * rng.standard_normal(plain.theta.shape)
    layers = [Curved(), plain.layers[0], Scaled(), *plain.layers[1:]]
    at = sizes[0] * sizes[1] + sizes[1]
    theta = np.concatenate([plain.theta[:at], rng.uniform(0.5, 1, 1), plain.theta[at:]])
    for made in (plain, network.Network(layers, theta)):
        x, v, u = (rng.standard_normal((m, n)) for n in (sizes[0], sizes[-1], sizes[0]))
        yield from check_network(made, x, seed=seed)
        yield from of_passes(made, rng, x, v, u)
    yield from of_two_gradients(network, m, sizes, rng)
    yield from of_odd_networks(network, rng.standard_normal((m, sizes[0])), rng)


def of_passes(made, rng, x, v, u):
    r"""All that the passes through a network return."""
    trace = made.forward(frozen(x))
    deltas = made.deltas([*map(frozen, trace)], frozen(v))
    tangents = made.tangents(trace, frozen(u))
    for what, arrays in (("trace", trace), ("deltas", deltas), ("tangents", tangents)):
        yield Value(f"length of {what}", np.array([float(len(arrays))]))
        yield from (Value(f"network {what}[{l}]", array) for l, array in enumerate(arrays))
    stopped = made.deltas(trace, v, stop=1)
    yield Value(
        "deltas, stop=1: None is 1, an array 0", np.array([float(d is None) for d in stopped])
    )
    factors = frozen(rng.standard_normal((len(x), 1)))
    gradient = made.accumulate(trace, deltas, factors=factors)
    yield Value("accumulate with factors", gradient)


def of_two_gradients(network, m, sizes, rng):
    r"""The gradient of a loss and of what its tangents add up to, each alone and both at once.

    f, v, u : factors of the rows, what the scores are weighted with, the tangents' start
    """
    made = network.mlp(sizes, rng, bias=False, dtype="float64")
    twin = type("Twin", (type(made.layers[0]),), {})  # another class with Dense's rules
    made.layers.append(twin(sizes[-1], 2))
    theta = rng.standard_normal(made.theta.size + 2 * sizes[-1] + 2)
    f, v, x, u = (rng.standard_normal((m, n)) for n in (1, 2, sizes[0], sizes[0]))

    def both(theta):
        moved = network.Network(made.layers, theta)
        trace = moved.forward(x)
        return np.sum(v * (f * trace[-1] + moved.tangents(trace, u)[-1]))

    made = network.Network(made.layers, theta)
    trace = made.forward(x)
    deltas, tangents = made.deltas(trace, v), made.tangents(trace, u)
    dtheta = made.accumulate(trace, deltas, frozen(f), [*map(frozen, tangents)])
    yield check_gradient("gradient of both", both, theta, dtheta)
    yield Value("gradient of the tangents", made.accumulate(trace, deltas, tangents=tangents))


def of_odd_networks(network, x, rng):
    r"""A network without parameters, one that x does not fit, one that knows no tangent."""
    bare, wall = (
        network.Network([Curved()], np.zeros(0)),
        network.Network([Wall()], np.zeros(0)),
    )
    with during("in a network without parameters"):
        shape = bare.gradient(bare.forward(x), x).shape
    yield Value("network without parameters: shape of dtheta", np.array(shape, float))
    wide = network.mlp((x.shape[1] + 1, 2), rng, dtype="float64")
    refused = refuses(lambda: wide.forward(x)), refuses(lambda: wall.tangents([x, x], x))
    yield Value("MiniganError where a layer cannot go on?", np.array(refused, float))


def of_init(case, name):
    r"""How weights are drawn: the same numbers from the same generator."""
    seed, m, (n, *_, k) = case
    rng = stream(seed, "cases of an exercise", 4)
    drawn = getattr(chapter("network"), name)(rng, n, m + k)
    yield Value(f"{name}(rng, {n}, {m + k})", drawn)


def of_optimizer(case, name):
    r"""The parameters after each of six steps, one of them with a gradient that is zero."""
    seed, m, (n, *_) = case
    rng = stream(seed, "cases of an exercise", 5)
    cls = getattr(chapter("optim"), name)
    own = {"SGD": ("momentum",), "RMSProp": ("rho",), "Adam": ("beta1", "beta2")}[name]
    optimizer = cls(rng.uniform(0.01, 0.1), **{rate: rng.uniform(0.3, 0.9) for rate in own})
    if name != "SGD":
        optimizer.eps = 1e-3
    theta = rng.standard_normal(m * n)
    for t in range(1, 7):
        g = rng.standard_normal(theta.shape) * (t != 3)
        before = theta.copy()
        optimizer.step(theta, frozen(g))
        if t == 1 and (theta == before).all():
            raise MiniganError(f"{name}: the first step {UNMOVED}")
        yield Value(f"{name}: theta after step {t}", theta.copy())


def of_rates(case):
    r"""The rates that an iteration sees, and those after it, however it ends."""
    rng, optim = stream(case[0], "cases of an exercise", 9), chapter("optim")
    G, D = (optim.SGD(rng.uniform(0.01, 0.1)) for _ in "GD")
    model = SimpleNamespace(G_optimizer=G, D_optimizer=D)
    for part, ends in ((0.0, ""), (rng.uniform(0.1, 0.9), ""), (0.5, "an error")):
        with contextlib.suppress(ZeroDivisionError), chapter("training").decayed(model, part):
            yield Value(f"both rates within, {part:.2g} of the run", np.array([G.lr, D.lr]))
            1 / (not ends)
        yield Value(f"both rates after {ends or 'it'}", np.array([G.lr, D.lr]))


def of_penalty(case, name):
    r"""A penalty of chapter 11: its value, and its gradient in theta by the complex step."""
    seed, m, sizes = case
    rng, network = stream(seed, "cases of an exercise", 6), chapter("network")
    penalty, narrow = getattr(chapter("penalty"), name), max(1, sizes[0] - 1)
    ways = {
        "gradient_penalty": ((False, None), (True, None), (False, narrow)),
        "zero_centred_penalty": ((None,), (narrow,)),
    }[name]
    D = network.mlp((*sizes[:-1], 1), rng, dtype="float64")
    D.theta += 0.3 * rng.standard_normal(D.theta.shape)
    x_hat, weight = frozen(rng.standard_normal((m, sizes[0]))), float(rng.uniform(0.5, 3))
    for options in ((weight, *way) for way in ways):

        def P(theta, options=options):
            return penalty(network.Network(D.layers, theta), x_hat, *options)[0]

        value, dtheta = penalty(D, x_hat, *options)
        yield check_gradient(name, P, D.theta, dtheta)
        yield Value(f"{name}: P", value)
        yield Value(f"{name}: its gradient", dtheta)
    yield from of_refusals(penalty, network)
    flat = network.Network(D.layers, 0 * D.theta)
    parts = zip(("P", "gradient"), penalty(flat, x_hat))
    yield from (Value(f"{name}, all slopes 0: {what}", part) for what, part in parts)


def of_refusals(penalty, network):
    r"""Critics with layers that the penalty cannot have."""
    linear = type("Linear", (Scaled,), {"piecewise_linear": True})
    silent = type("Silent", (Wall,), {"tangent": lambda self, u, x, y: u})
    critics = [(Wall(),), (Curved(),), (linear(),), (silent(),)]
    rows, sizes = np.ones((2, 1)), [sum(map(len, getattr(c[0], "shapes", ()))) for c in critics]
    for layers, size in zip(critics, sizes):
        critic = network.Network(layers, np.ones(size))
        refused = refuses(lambda critic=critic: penalty(critic, rows))
        yield Value(f"MiniganError for {type(layers[0]).__name__}?", np.array(float(refused)))


PROOFS = {
    "layer": of_layer,
    "loss": of_loss,
    "network": of_network,
    "init": of_init,
    "optimizer": of_optimizer,
    "penalty": of_penalty,
    "rates": of_rates,
    "game": of_game,
}
