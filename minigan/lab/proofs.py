r"""Every derivative in this library, proven on the spot: what `minigan gradcheck` prints.

In float64 each is compared with the complex step (51) through its own forward pass, and
each layer's backward rule with its forward-mode rule by the adjoint test (52). In float32,
where a proof would end in rounding, the same passes are compared with float64's.
"""

from dataclasses import dataclass, fields

import numpy as np

from ..arrays import array_namespace, asarray_like, backend, stream, to_numpy
from ..conv import Conv, ConvTranspose
from ..gradcheck import (
    Check,
    check_game,
    check_layer,
    check_loss,
    check_network,
    compare,
    step_gradients,
)
from ..layers import Dense, LeakyReLU, Sigmoid
from ..losses import (
    bce_with_logits,
    least_squares,
    relativistic,
    softmax_cross_entropy,
    wasserstein,
)
from ..network import Network, mlp
from .models import MODELS

# (seed, rows, widths): the last two have one row, and a network without hidden layers
CASES = ((0, 5, (3, 7, 6, 4)), (1, 8, (4, 9, 2)), (2, 1, (3, 5, 1)), (3, 6, (2, 3)))
FLOAT32 = 1e-5  # the largest relative error against float64
DERIVATIVES = {
    "Dense": (
        "(1a) dx",
        "(1b) dW",
        "(1c) db",
        "(1d) tangent",
        "(1e) dW of the tangent",
        "(1e) db of the tangent",
    ),
    "LeakyReLU": ("(2a) dx", "(2b) tangent"),
    "Sigmoid": ("(3a) dx", "(3b) tangent"),
    "Conv": (
        "(47a) dx",
        "(47b) dW",
        "(47c) db",
        "(47d) tangent",
        "(47e) dW of the tangent",
        "(47e) db of the tangent",
    ),
    "ConvTranspose": (
        "(48a) dx",
        "(48b) dW",
        "(48c) db",
        "(48d) tangent",
        "(48e) dW of the tangent",
        "(48e) db of the tangent",
    ),
    "network": ("(11) gradient of theta", "(10) delta of x", "(12) tangents"),
}
LOSSES = {
    "(4a)": (bce_with_logits, (0.0, 0.5, 0.9, 1.0)),
    "(5a)": (wasserstein, (1.0, -1.0)),
    "(6a)": (least_squares, (0.0, 1.0, -1.0)),
    "(7a)": (relativistic, (0.0, 2.0, -3.0)),
}
GAMES: dict = {name: (name, {}) for name in MODELS}
GAMES["gan, minimax"] = "gan", {"minimax": True}
GAMES |= {f"{name}, conv": (name, {"network": "conv"}) for name in ("cr3gan", "wgan-gp")}


@dataclass(frozen=True)
class Proof:
    r"""A line of the table: the worst of the checks of one derivative by one method."""

    equation: str
    what: str
    check: Check


def proofs(dtype="float64", backend_name=None):
    r"""A list of `Proof`, one per derivative and method.

    dtype : float64, to prove each derivative; float32, to compare it with float64's
    backend_name : numpy or cupy
    """
    like, worst = backend(backend_name).zeros(0), {}
    for case in CASES:
        for subject in (of_layers, of_losses, of_network, of_games):
            for equation, what, check in subject(case, dtype, like):
                key = equation, what, check.method
                known = worst.setdefault(key, check)
                if known.passed and not check.error <= known.error:
                    worst[key] = check
    return [Proof(equation, what, check) for (equation, what, _), check in worst.items()]


def table(found):
    r"""The lines that show what was found, each failure with its worst entry under it."""
    yield f"{'':7}{'derivative':<39}{'method':<13}{'worst':<9}{'limit':<7}".rstrip()
    for proof in found:
        check = proof.check
        number, verdict = proof.equation, "pass" if check.passed else "FAIL"
        yield (
            f"{number:<7}{proof.what:<39}{check.method:<13}"
            f"{check.error:<9.1e}{check.tolerance:<7.0e}{verdict}"
        )
        if not check.passed:
            yield f"{'':7}{check.worst}"
            if check.cause:
                yield f"{'':7}{check.cause}"
    failed = sum(not proof.check.passed for proof in found)
    yield ""
    yield f"{failed} of {len(found)} FAIL" if failed else f"all {len(found)} pass"


# ---- what is proven; each yields (equation, what, Check) ----


def of_layers(case, dtype, like):
    r"""(1) to (3), (47) and (48): each layer's methods, at random points."""
    seed, m, (n, *_, k) = case
    rng = stream(seed, "cases of a proof", 0)
    x, W, b, v, vk, u = draw(rng, dtype, (m, n), (n, k), (k,), (m, n), (m, k), (m, n))
    every = [(Dense(n, k), x, vk, u, (W, b)), (LeakyReLU(), x, v, u, ())]
    every.append((Sigmoid(), x, v, u, ()))
    shape = n, n + 1, 2
    for layer in Conv(shape, k, kernel=3, beside=2), ConvTranspose(shape, k, kernel=3):
        x, u, *params = draw(rng, dtype, (m, layer.n), (m, layer.n), *layer.shapes)
        (dy,) = draw(rng, dtype, layer.forward(x, *params).shape)
        every.append((layer, x, dy, u, params))
    for layer, x, dy, u, params in every:
        name = type(layer).__name__
        if dtype == "float64":
            checks = check_layer(layer, *move(like, x, *params), seed=seed)
        else:
            checks = against_float64(passes_of_layer(layer), like, x, dy, u, *params)
        for derivative, check in zip(DERIVATIVES[name], checks):
            equation, _, what = derivative.partition(" ")
            yield equation, f"{name}: {what}", check
        if dtype == "float64":
            yield "(21)", f"{name}: row by row", checks[-2]
            yield "(52)", f"{name}: adjoint of dx, tangent", checks[-1]


def passes_of_layer(layer):
    r"""The layer's derivatives in the order in which `check_layer` has them."""

    def passes(x, dy, u, *params):
        y = layer.forward(x, *params)
        made = layer.dx(dy, x, y, *params), layer.tangent(u, x, y, *params)
        if not params:
            return made
        of_tangent = layer.tangent_dparams(dy, u, x, y, *params)
        return made[0], *layer.dparams(dy, x, y, *params), made[1], *of_tangent

    return passes


def of_losses(case, dtype, like):
    r"""(4) and (5), and the classifier's (8): ds."""
    seed, m, (*_, k) = case
    rng = stream(seed, "cases of a proof", 1)
    s, wide = draw(rng, dtype, (m, 1), (m, k + 1))
    c = np.eye(k + 1, dtype=dtype)[rng.integers(0, k + 1, m)]
    every = [(n, loss, s, t) for n, (loss, targets) in LOSSES.items() for t in targets]
    for equation, loss, scores, t in [*every, ("(8a)", softmax_cross_entropy, wide, c)]:
        if dtype == "float64":
            moved, t = move(like, scores)[0], move(like, c)[0] if t is c else t
            check = check_loss(loss, moved, t)
        else:

            def ds(s, loss=loss, t=t):
                return (loss(s, asarray_like(t.astype(str(s.dtype)), s) if t is c else t)[1],)

            check = against_float64(ds, like, scores)[0]
        yield equation, f"{loss.__name__}: ds", check


def of_network(case, dtype, like):
    r"""(10), (11) and (12): the passes through a stack of layers."""
    seed, m, sizes = case
    rng = stream(seed, "cases of a proof", 2)
    network = mlp(sizes, rng, output="sigmoid", dtype=dtype)
    (biases,) = draw(rng, dtype, network.theta.shape)
    theta = network.theta + np.asarray(0.1, dtype) * biases
    x, v, u = draw(rng, dtype, (m, sizes[0]), (m, sizes[-1]), (m, sizes[0]))
    if dtype == "float64":
        theta, x = move(like, theta, x)
        checks = check_network(Network(network.layers, theta), x, seed=seed)
    else:

        def passes(theta, x, v, u):
            moved = Network(network.layers, theta)
            trace = moved.forward(x)
            delta = moved.deltas(trace, v)[0]
            return moved.gradient(trace, v), delta, moved.tangents(trace, u)[-1]

        checks = against_float64(passes, like, theta, x, v, u)
    for derivative, check in zip(DERIVATIVES["network"], checks):
        equation, _, what = derivative.partition(" ")
        yield equation, f"network: {what}", check
    for check in checks[3:]:
        kind = "adjoint, layer by layer" if check.method == "adjoint" else "row by row"
        yield "(52)" if check.method == "adjoint" else "(21)", f"network: {kind}", check


def of_games(case, dtype, like):
    r"""(19), (20) and (21): what each step of each game hands to its optimiser."""
    for name in GAMES:
        game = GameUnderProof(name, case, dtype, like)
        if dtype == "float64":
            checks = check_game(game.model, game.x, game.z, game.c)
        else:
            exact = GameUnderProof(name, case, "float64", like, rounded=True).gradients()
            checks = [
                compare(step, "float32", low, high, FLOAT32)
                for (step, _, low), (_, _, high) in zip(game.gradients(), exact)
            ]
        for (step, player, _), check in zip(game.gradients(), checks):
            equation, _, method = step.partition(" ")
            yield equation, f"{name}: {method}, gradient of {player}", check


class GameUnderProof:
    r"""A small game and a batch to play it with."""

    def __init__(self, name, case, dtype, like, rounded=False):
        self.seed, m, (_, *hidden, _) = case
        model_name, options = GAMES[name]
        cls = MODELS[model_name]
        if "n_classes" in {field.name for field in fields(cls)}:
            options = options | {"n_classes": 3}
        widths = {"n_data": 4, "n_noise": 3, "G_hidden": hidden, "D_hidden": hidden[::-1]}
        if "network" in options:
            widths |= {"n_data": 20, "image_shape": (4, 5), "channels": 2}
        library = array_namespace(like).__name__.rpartition(".")[2]
        self.model = cls(**widths, **options, dtype=dtype, backend=library)
        rng = stream(self.seed, "cases of a proof", 3)
        host = "float32" if rounded else dtype
        for network in (self.model.G, self.model.D):
            start = to_numpy(network.theta).astype(host)
            (noise,) = draw(rng, host, start.shape)
            theta = (start + np.asarray(0.1, host) * noise).astype(dtype)
            network.theta[...] = asarray_like(theta, network.theta)
        x, z = draw(rng, host, (m, self.model.n_data), (m, 3))
        self.x, self.z = (asarray_like(a.astype(dtype), like) for a in (x, z))
        self.c = self.model.condition(asarray_like(rng.integers(0, 3, m), like))

    def gradients(self):
        r"""A list of (equation and step, player, gradient)."""
        return step_gradients(self.model, self.x, self.z, self.c)


# ---- drawing and comparing ----


def draw(rng, dtype, *shapes):
    r"""Standard normal arrays of these shapes, on the host."""
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def move(like, *hosts):
    r"""The host arrays in the library of `like`."""
    return [asarray_like(host, like) for host in hosts]


def against_float64(passes, like, *hosts):
    r"""A `Check` of each result of `passes` in float32 against the same in float64."""
    low, high = (
        passes(*move(like, *(host.astype(dtype) for host in hosts)))
        for dtype in ("float32", "float64")
    )
    return [compare("result", "float32", a, b, FLOAT32) for a, b in zip(low, high)]
