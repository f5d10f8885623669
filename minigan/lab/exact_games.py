r"""SGD, and whole iterations of four games, on exact fractions: a part of `exact`."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ..cgan import Conditional
from ..game import Game
from ..gradcheck import RecordingOptimizer
from ..layers import Dense, LeakyReLU
from ..lsgan import LSGAN
from ..network import Network
from ..optim import SGD
from ..penalty import zero_centred_penalty
from ..r3gan import R3GAN
from ..wgan import WGAN
from .dual import draw, equal, gradient, score_slopes
from .exact_layers import Bent, OwnDense


def of_sgd(rng, m, sizes):
    r"""(16): three steps with momentum, by its two lines."""
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
    yield "(16)", "SGD: three steps with momentum", 1, 0, right and sgd.t == 3


@dataclass(eq=False, kw_only=True, repr=False)
class Paired(Conditional, Game):
    r"""A rational game that uses all that a game may: pairs of rows, a condition, a penalty.

    Its losses are squares of the difference of two scores, and its penalty is R1's at points
    between the rows of a pair, as WGAN-GP's is.
    """

    def D_loss(self, s_real, s_fake):
        d, m = s_real - s_fake - 1, len(s_real)
        return (d * d).sum() / (2 * m), d / m, -d / m

    def G_loss(self, s_real, s_fake):
        d, m = s_fake - s_real - 1, len(s_real)
        return (d * d).sum() / (2 * m), d / m

    def report(self, loss_D, ds_real, ds_fake):
        return {"sums": 2 * ds_real.sum() + 3 * ds_fake.sum()}

    def penalty(self, x, x_fake, c, rng):
        eps = rng.random((len(x), 1), self.real_dtype)
        x_hat = self.D_input(eps * x + (1 - eps) * x_fake, c)
        return zero_centred_penalty(self.D, x_hat, 1.5, self.n_data)


@dataclass(eq=False, kw_only=True, repr=False)
class Squares(Conditional, R3GAN):
    r"""R3GAN with squares for its logarithms; R1, R2 and the one pass are its own."""

    def D_loss(self, s_real, s_fake):
        d, m = s_real - s_fake - 1, len(s_real)
        return (d * d).sum() / (2 * m), d / m, -d / m

    def G_loss(self, s_real, s_fake):
        loss, ds, _ = self.D_loss(s_fake, s_real)
        return loss, ds


def half(d):
    r"""Half the mean square."""
    return (d * d).sum() / Fraction(2 * len(d))


def mean(s):
    r"""The mean."""
    return s.sum() / Fraction(len(s))


# {game: (the number of G's loss, and of D's; G's loss, and D's; what is reported)}, by
# definition, of the scores r of real and f of generated rows
DEFINITIONS: dict = {
    Paired: (
        ("(19)", "(20)"),
        lambda r, f, game: half(f - r - 1),
        lambda r, f, game: half(r - f - 1),
        lambda r, f, game: {"sums": 2 * mean(r - f - 1) - 3 * mean(r - f - 1)},
    ),
    Squares: (
        ("(19)", "(20)"),
        lambda r, f, game: half(f - r - 1),
        lambda r, f, game: half(r - f - 1),
        lambda r, f, game: {"D(x)>D(G(z))": 1 + mean(r - f - 1)},
    ),
    LSGAN: (
        ("(33)", "(32)"),
        lambda r, f, game: half(f - game.c),
        lambda r, f, game: half(r - game.b) + half(f - game.a),
        lambda r, f, game: {"D(x)": mean(r), "D(G(z))": mean(f)},
    ),
    WGAN: (
        ("(29)", "(28)"),
        lambda r, f, game: -mean(f),
        lambda r, f, game: mean(f) - mean(r),
        lambda r, f, game: {"w_estimate": 2 * (mean(r) - mean(f))},
    ),
}


def of_games(rng, m, sizes):
    r"""(19) to (21), (28), (29), (32), (33), (42), (43): whole iterations."""
    for cls in DEFINITIONS:
        wide = cls in (Paired, Squares)  # by a condition
        if wide and m > 2:
            continue  # the signs of so many rows have more patterns than a bound can bear
        for way, t in (("plain", 8), ("one pass", 62)):  # t / (t + 9) is 1/2 next, or 7/8
            play = Play(cls, rng, m, sizes[1:2] if wide else sizes[1:-1])
            play.draw_again(rng, t)
            yield from play.iteration(way)
            play.draw_again(rng, t)
            yield from play.second_step()
            if cls is Squares and way == "one pass":
                play.game.gamma = 0.0
                play.draw_again(rng, t)
                yield from play.iteration(way)


class Play:
    r"""A small game on fractions, moved by an SGD that keeps its gradients, and its rows."""

    def __init__(self, cls, rng, m, hidden):
        self.m, self.name, self.hidden = m, cls.__name__, hidden
        self.numbers, self.L_G, self.L_D, self.report = DEFINITIONS[cls]
        self.wide = cls in (Paired, Squares)
        options = {"n_classes": 2} if self.wide else {}
        widths = {"G_hidden": hidden, "D_hidden": hidden, "output": "linear", "scale": 2.0}
        self.game = game = cls(n_data=3, n_noise=2, dtype="float64", **widths, **options)
        for player in "GD":
            layers = self.layers(player)
            size = sum(int(np.prod(shape)) for one in layers for shape in one.shapes)
            setattr(game, player, Network(layers, draw(rng, size)))
            setattr(game, f"{player}_optimizer", Descent(0.125, 0.5))
        self.optimizers = game.G_optimizer, game.D_optimizer
        if cls is LSGAN:
            game.a, game.b, game.c = draw(rng, 3)
        elif cls is WGAN:
            game.clip = 6.0
        elif cls is Squares:
            game.gamma = 1.5
        game.ema_decay = 0.75
        self.degree = 4 * (len(hidden) + 2)
        self.signs = (4 * sum(hidden) + 15 if self.wide else 3 * sum(hidden)) * m

    def layers(self, player):
        r"""Dense and LeakyReLU; with a condition, D begins with a layer of one's own."""
        n, k = self.game.ends()[player]
        widths = getattr(self.game, f"{player}_hidden")
        own = self.wide and player == "D"
        layers: list = [Bent(n)] if own else []
        for k_hidden in widths:
            layers += [Dense(n, k_hidden), LeakyReLU(0.25)]
            n = k_hidden
        return [*layers, OwnDense(n, k) if own else Dense(n, k)]

    def draw_again(self, rng, t):
        r"""Other rows, parameters and velocities, after t steps."""
        self.x, self.z, self.eps = (
            draw(rng, self.m, 3),
            draw(rng, self.m, 2),
            draw(rng, self.m, 1),
        )
        self.c = draw(rng, self.m, 2) if self.wide else None
        for network in (self.game.G, self.game.D, self.game.G_average):
            network.theta = draw(rng, network.theta.size)
        self.theta_D = self.game.D.theta.copy()
        for optimizer, network in zip(self.optimizers, (self.game.G, self.game.D)):
            optimizer.load_state({"t": t, "v": draw(rng, network.theta.size)})

    def random(self, shape, dtype):
        r"""Stands in for the generator of the penalty's numbers."""
        return self.eps

    # ---- the losses by definition, of forward passes alone ----

    def fakes(self, theta):
        r"""G(z), or G(z, c)."""
        return Network(self.game.G.layers, theta).forward(self.joined(self.z))[-1]

    def scores(self, theta, rows):
        r"""D's scores."""
        return Network(self.game.D.layers, theta).forward(self.joined(rows))[-1]

    def joined(self, rows):
        r"""The rows beside their condition."""
        return rows if self.c is None else np.concatenate([rows, self.c], axis=1)

    def loss_G(self, theta):
        r"""G's loss as a function of its parameters."""
        pair = (self.scores(self.theta_D, rows) for rows in (self.x, self.fakes(theta)))
        return self.L_G(*pair, self.game)

    def loss_D(self, theta):
        r"""D's loss, the penalty included."""
        pair = (self.scores(theta, rows) for rows in (self.x, self.x_fake))
        return self.L_D(*pair, self.game) + self.penalty(theta)

    @property
    def weight(self):
        r"""Half the γ of the penalty."""
        return Fraction(getattr(self.game, "gamma", 1.5)) / 2

    def penalty(self, theta):
        r"""(36) at points between the rows of a pair, or (42) at the rows themselves."""
        at = {
            "Paired": (self.eps * self.x + (1 - self.eps) * self.x_fake,),
            "Squares": (self.x, self.x_fake),
        }
        P = Fraction(0)
        for rows in at.get(self.name, ()):
            g = score_slopes(lambda x: self.scores(theta, x), rows)
            P = P + self.weight / self.m * (g * g).sum()
        return P

    # ---- what is proven ----

    def iteration(self, way):
        r"""One iteration: the gradients, the record and where the networks went."""
        game, c = self.game, self.c
        before = [network.theta.copy() for network in (game.G, game.D, game.G_average)]
        optimizers = self.optimizers
        velocity = [optimizer.v.copy() for optimizer in optimizers]
        self.x_fake = self.fakes(before[0])
        truth = gradient(self.loss_G, before[0]), gradient(self.loss_D, before[1])
        values = self.loss_G(before[0]), self.loss_D(before[1])
        if way == "plain":
            record, made = game.G_step(self.x, self.z, c)
            same, numbers = equal((made, self.x_fake)), ("(19)", "(20)")
            record = record | game.D_step(self.x, made, c, self)
        else:
            record, same = game.update(self.x, self.z, c, self), True
            numbers = "(21)", "(21)"
        if self.name == "Squares":
            numbers = numbers[0], "(42)" if way == "plain" else "(43)"
        name = f"{self.name}: {way}"
        for i, player in enumerate("GD"):
            right = equal((optimizers[i].dtheta, truth[i])) and same
            yield numbers[i], f"{name}, gradient of {player}", *self.bound, right
        for number, key, value in zip(self.numbers, ("loss_G", "loss_D"), values):
            yield number, f"{name}, {key}", *self.bound, equal((record[key], value))
        yield self.numbers[1], f"{name}, what is reported", *self.bound, self.reported(record)
        v = [velocity[i] / 2 - truth[i] / 8 for i in (0, 1)]
        yield from self.moved(name, before, v)

    @property
    def bound(self):
        r"""(degree, signs)."""
        return self.degree, self.signs

    def reported(self, record):
        r"""Whether the record has what the game reports, and its penalty."""
        pair = (self.scores(self.theta_D, rows) for rows in (self.x, self.x_fake))
        right = self.report(*pair, self.game)
        if self.wide and self.weight:
            right["penalty"] = self.penalty(self.theta_D)
        return equal(*((record[key], value) for key, value in right.items()))

    def moved(self, name, before, v):
        r"""(16), (19a) and (31): where a step with the velocity v leads."""
        after, signs = [before[i] + v[i] for i in (0, 1)], self.signs
        if self.name == "WGAN":
            after[1] = np.vectorize(lambda a: min(max(a, -6), 6), otypes=[object])(after[1])
            signs += 2 * len(after[1])  # which bound a number is at, or none
        t = self.game.G_optimizer.t
        beta = min(Fraction(self.game.ema_decay), Fraction(t, t + 9))
        after.append(before[2] + (1 - beta) * (after[0] - before[2]))
        now = [network.theta for network in (self.game.G, self.game.D, self.game.G_average)]
        what = f"{name}, where the networks went"
        yield "(19a)", what, self.degree, signs, equal(*zip(now, after))

    def second_step(self):
        r"""(21a): a further step of the critic."""
        self.x_fake, theta = self.fakes(self.game.G.theta), self.theta_D
        truth, value = gradient(self.loss_D, theta), self.loss_D(theta)
        record = self.game.D_update(self.x, self.x_fake, self.c, self)
        right = equal((self.game.D_optimizer.dtheta, truth), (record["loss_D"], value))
        right = right and self.reported(record)
        yield "(21a)", f"{self.name}: D_update, gradient of D", *self.bound, right


class Descent(SGD, RecordingOptimizer):
    r"""SGD that keeps the gradient which it was given."""

    def step(self, theta, dtheta):
        RecordingOptimizer.step(self, theta, dtheta)
        super().step(theta, dtheta)
