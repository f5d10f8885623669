r"""How an answer in a game is proven: whole steps, by forward passes alone."""

from dataclasses import replace

import numpy as np

from ...arrays import stream
from ...errors import MiniganError
from ...gradcheck import SameNumbers, check_game, compare, game_losses, step_gradients
from ...measure import gradient_of
from ..proofs import GameUnderProof
from .points import UNMOVED, Curved, Value, during, frozen


def of_game(case, *names):
    r"""The gradient of each step, by forward passes alone, and then `of_values`.

    The first game is played with a curved critic too, if it may have one.
    """
    for name in names:
        game = small(name, case)
        with during(told(name, game.model)):
            yield from of_gradients(game)
            if name == names[0] and not hasattr(game.model, "penalty_weight"):
                D = game.model.D
                game.model.D = type(D)([Curved(), *D.layers], D.theta)
                if hasattr(game.model, "gamma"):
                    game.model.gamma = 0.0
                yield from of_gradients(game)
    yield from of_values(case, *names)


def of_values(case, *names):
    r"""What games say of scores and conditions, and where their steps lead."""
    for name in names:
        for part in (of_definitions, of_steps):
            game = small(name, case)
            with during(told(name, game.model)):
                yield from part(game)


def told(name, model):
    r"""Where an error happened, and what is special there."""
    wider = "; with a condition, D's input has more columns than x" * bool(model.n_condition)
    return f"in the game {name}{wider}"


# numbers that a wrong answer does not hit by chance, as it may the defaults 0 and 1
ODD = {"a": -0.7, "b": 0.9, "c": 1.3, "real_label": 0.8, "clip": 0.05, "ema_decay": 0.6}
ODD |= {"gamma": 1.7}


def small(name, case):
    r"""A game to be proven, whose hidden layers have the widths of the case."""
    seed, m, widths = case
    game = GameUnderProof(name, (seed, m, (0, *widths, 0)), "float64", np.zeros(0))
    for parameter, value in ODD.items():
        if hasattr(game.model, parameter):
            setattr(game.model, parameter, value)
    return game


def of_gradients(game):
    r"""What each step hands to its optimiser, against the player's loss."""
    model, point = game.model, (game.x, game.z, game.c)
    losses, found = game_losses(model, *point), step_gradients(model, *point)
    for check, (step, player, dtheta) in zip(check_game(model, *point), found):
        what = f"{step.partition(' ')[2]}, gradient of {player}"
        f, theta = losses[player], getattr(model, player).theta
        if not check.passed and at_scale(f, theta, dtheta, game.seed):
            check = replace(check, error=0.0)
        yield replace(check, name=what, worst=check.worst.replace(step, what))


def at_scale(f, theta, dtheta, seed):
    r"""Whether a gradient that failed is zero up to rounding, and may be so.

    Where the rows of a small batch cancel, what remains has no digit that means anything. It is
    therefore compared again with the same linear function added to the loss, whose slopes r are
    about 0.1, and to the claim; only the scale of the error changes.
    """
    r = 0.1 * stream(seed, "cases of an exercise", 7).standard_normal(theta.shape)
    _, slopes = gradient_of(lambda theta: f(theta) + np.sum(r * theta), theta)
    return compare("", "complex step", dtheta + r, slopes).passed


def of_definitions(game):
    r"""What a game says of scores, conditions and its own schedule."""
    model, rng = game.model, stream(game.seed, "cases of an exercise", 8)
    s_real, s_fake = (frozen(rng.standard_normal((len(game.x), 1))) for _ in range(2))
    for what, parts in (
        ("D_loss", model.D_loss(s_real, s_fake)),
        ("G_loss", model.G_loss(s_real, s_fake)),
    ):
        yield from (Value(f"{what}, part {i}", part) for i, part in enumerate(parts))
    if model.n_condition:
        yield Value("condition", model.condition(np.array([2, 0, 1, 1])))
        yield Value("G_input", model.G_input(game.z, game.c))
        yield Value("D_input", model.D_input(game.x, game.c))
    if hasattr(model, "clip"):
        model.constrain()
        if abs(model.D.theta).max() > 2 * model.clip:
            raise MiniganError(f"constrain {UNMOVED}")
        yield Value("D after constrain", model.D.theta + 0)
    if hasattr(model, "n_critic"):
        for n_critic in (5, 3, 120):
            for t in (0, 1, 24, 25, 26, 499, 500, 501, 1000, 1250):
                model.n_critic, model.G_optimizer.t = n_critic, t
                what = f"critic_steps, n_critic={n_critic}, t={t}"
                yield Value(what, float(model.critic_steps()))


def of_steps(game):
    r"""The records, and both players' parameters, after real steps with real optimisers."""
    model, x, z, c, rng = game.model, frozen(game.x), frozen(game.z), game.c, SameNumbers()
    x_fake = frozen(model.G.forward(model.G_input(z, c))[-1] + 0)

    def again():
        model.ema_decay = min(model.ema_decay, 0.05)  # until now (19a) took t/(t + 9)
        return model.G_step(x, z, c)[0]

    for what, play in (
        ("G_step", lambda: model.G_step(x, z, c)[0]),
        ("D_step", lambda: model.D_step(x, x_fake, c, rng)),
        ("update", lambda: model.update(x, z, c, rng)),
        ("D_update", lambda: model.D_update(x, x_fake, c, rng)),
        ("G_step, again", again),
    ):
        for entry, value in sorted(play().items()):
            yield Value(f"{what}: {entry}", value)
        for player in ("G", "D"):
            yield Value(f"{player} after {what}", getattr(model, player).theta + 0)
        if model.G_average:
            yield Value(f"G_average after {what}", model.G_average.theta + 0)
