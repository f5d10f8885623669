r"""SGD, and whole iterations of LSGAN and WGAN, on exact fractions: a part of `exact`."""

from fractions import Fraction

import numpy as np

from ..gradcheck import RecordingOptimizer
from ..lsgan import LSGAN
from ..network import Network
from ..optim import SGD
from ..wgan import WGAN
from .dual import draw, equal, gradient


def of_sgd(rng, m, sizes):
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


def of_games(rng, m, sizes):
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
    r"""A small game on fractions, moved by an SGD that also keeps its gradients."""
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


def of_steps(game, name, way, x, z, degree, signs):
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
        signs += 2 * len(moved[1])  # which bound a number is at, or none
    mean = before[2] + (moved[0] - before[2]) / 4
    pairs = zip((game.G.theta, game.D.theta, game.G_average.theta), (*moved, mean))
    yield "(17a)", f"{name}: {way}, where the networks went", degree, signs, equal(*pairs)


def of_second_step(game, name, x, z, degree, signs):
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


def of_record(game, name, way, x, x_fake, before, record, values, degree, signs):
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
