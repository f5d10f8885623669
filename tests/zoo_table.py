"""Which check catches which bug of the zoo:  python tests/zoo_table.py

Every bug is let out alone, and eight checks look for it, from what people do to what this
library does. A check catches a bug if it fails with it; without a bug all of them pass. The
verdict "samples look fine" takes minutes of training, so it is kept, with all the others, in
zoo_table.json:

    python tests/zoo_table.py             print the table, the training from what is kept
    python tests/zoo_table.py --train     train again what is not kept, and keep everything

The parts are the layers, the losses, a network and the gradient penalty, each with the
derivatives that it claims; the checks of parts differ only in how they measure the truth.
"""

import contextlib
import io
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the entries' tests, as pytest finds them

import bug_zoo
import test_games
from conftest import Library

from minigan import fast, losses, penalty
from minigan.conv import Conv, ConvTranspose
from minigan.errors import DivergedError
from minigan.game import Game
from minigan.gradcheck import check_gradient, check_layer, check_network, step_size
from minigan.lab.loaders import ring, ring_modes
from minigan.lab.metrics import modes_captured
from minigan.lab.models import build
from minigan.layers import Dense, LeakyReLU, Sigmoid
from minigan.network import Network, mlp
from minigan.training import train

KEPT = Path(__file__).with_suffix(".json")
NUMPY = Library("numpy", np.zeros(()))
SMALL = {"G_hidden": (64, 64), "D_hidden": (64, 64)}
GAMES = {  # each with rates that find the ring within 1,000 iterations
    "gan": {"lr": 1e-3, "D_lr": 3e-3},
    "cgan": {"n_classes": 8, "ema_decay": 0.0},
    "lsgan": {"lr": 1e-3, "D_lr": 3e-3},
    "wgan": {"clip": 0.1, "lr": 2e-3},
    "wgan-gp": {"penalty_weight": 1.0},
    "r3gan": {"ema_decay": 0.0},
}
BATCH = {"wgan": 64, "wgan-gp": 64}  # 128 in the others
SLOWER = {"wgan": {"D_lr": 2e-5}}  # else its first 100 steps end before anything is printed
STD, SEEDS = 0.1, (0, 1)


def claims(dtype="float64"):
    """(f, x, ∂f/∂x as it is claimed): the gradients of the parts, each of a scalar f."""
    rng = np.random.default_rng(0)

    def draw(*shape):
        """Numbers that keep away from 0, where LeakyReLU bends."""
        return (rng.choice([-1, 1], shape) * rng.uniform(0.3, 2, shape)).astype(dtype)

    for m, n, k in ((5, 3, 4), (4, 4, 4), (1, 2, 1)):
        layers = (Dense(n, k), (draw(n, k), draw(k))), (LeakyReLU(), ()), (Sigmoid(), ())
        for layer, params in layers:
            yield from of_layer(layer, draw(m, n), *params, draw=draw)
        for layer in of_pictures(n + 1, k):
            params = [draw(*shape) for shape in layer.shapes]
            yield from of_layer(layer, draw(m, layer.n), *params, draw=draw)
    for t in (0.0, 0.9, 1.0):
        for loss in (losses.bce_with_logits, losses.wasserstein, losses.least_squares):
            s = draw(6, 1)
            yield (lambda s, f=loss, t=t: f(s, t)[0]), s, loss(s, t)[1]
    network, x, v = mlp((3, 4, 2), rng, output="sigmoid", dtype=dtype), draw(5, 3), draw(5, 2)
    trace = network.forward(x)
    alike = lambda x, theta: x.astype(theta.dtype)  # noqa: E731
    run = lambda theta, x: np.sum(v * Network(network.layers, theta).forward(x)[-1])  # noqa: E731
    theta = network.theta + 0
    yield (lambda w: run(w, alike(x, w))), theta, network.gradient(trace, v)
    yield (lambda x: run(alike(theta, x), x)), x, network.deltas(trace, v)[0]
    D = mlp((3, 5, 1), rng, dtype=dtype)
    for P in (penalty.gradient_penalty, penalty.zero_centred_penalty):
        of_theta = lambda w, P=P: P(Network(D.layers, w), alike(x, w))[0]  # noqa: E731
        yield of_theta, D.theta + 0, P(D, x)[1]


def of_pictures(side, k):
    """A convolution and a transposed one, of pictures with two channels."""
    shape = side, side + 1, 2
    return Conv(shape, k, kernel=3, beside=1), ConvTranspose(shape, k, kernel=3)


def of_layer(layer, x, *params, draw):
    """The claims of a layer: of its input, then of its parameters."""
    y = layer.forward(x, *params)
    v, at = draw(*y.shape), (x, *params)
    grads = [layer.dx(v, x, y, *params)]
    grads += layer.dparams(v, x, y, *params) if params else ()
    for i, grad in enumerate(grads):

        def f(value, i=i):
            moved = [*at[:i], value, *at[i + 1 :]]
            return np.sum(v * layer.forward(*(a.astype(value.dtype) for a in moved)))

        yield f, at[i], grad


# ---- the checks; each raises AssertionError if it catches something ----


def complex_step():
    """The library's own: relative error 1e-13."""
    for f, x, claim in claims():
        assert check_gradient("claim", f, x, np.asarray(claim)).passed


def slopes(f, x, h):
    """The central difference of f in each entry of x."""
    found = np.empty(x.size)
    for i in range(x.size):
        ahead, behind = x.copy(), x.copy()
        ahead.flat[i] += h
        behind.flat[i] -= h
        found[i] = (f(ahead) - f(behind)) / (ahead.flat[i] - behind.flat[i])
    return found.reshape(x.shape)


def central_difference():
    """With the step and the tolerances of torch.autograd.gradcheck, in float64."""
    for f, x, claim in claims():
        np.testing.assert_allclose(claim, slopes(f, x, 1e-6), rtol=1e-3, atol=1e-5)


def central_difference_in_float32():
    """A relative error of 1e-3, as is usual where there is only single precision."""
    for f, x, claim in claims("float32"):
        found = slopes(f, x, np.float32(step_size(x)))
        gap = np.linalg.norm(claim - found)
        assert gap <= 1e-3 * max(np.linalg.norm(claim), np.linalg.norm(found))


def adjoint():
    """Backward rules against forward-mode rules, in the layers and in a network."""
    rng = np.random.default_rng(0)
    for layer, *params in (
        (Dense(3, 4), rng.standard_normal((3, 4)), rng.standard_normal(4)),
        (Dense(4, 4), rng.standard_normal((4, 4)), rng.standard_normal(4)),
        (LeakyReLU(),),
        (Sigmoid(),),
        *((layer, *map(rng.standard_normal, layer.shapes)) for layer in of_pictures(4, 3)),
    ):
        x = rng.standard_normal((4, getattr(layer, "n", None) or 3))
        assert check_layer(layer, x, *params)[-1].passed
    network = mlp((3, 4, 2), rng, output="sigmoid", dtype="float64")
    assert all(c.passed for c in check_network(network, rng.standard_normal((5, 3)))[3:])


def whole_step():
    """Three iterations of each game, plain or from one pass, beside HIPS autograd."""
    walk = test_games.test_three_iterations_move_both_players_as_the_reference_does
    with np.errstate(all="ignore"):
        for game in GAMES:
            walk(NUMPY, game, "plain")
        for game in ("gan", "wgan"):
            walk(NUMPY, game, "update")


def losses_go_down(game):
    """Each player alone, the other standing still, lowers its own loss in 60 iterations."""
    for player in "DG":
        still = {"lr": 1e-12} | SLOWER.get(game, {}) if player == "D" else {"D_lr": 1e-12}
        model = trained(game, 0, 60, still, G_hidden=(32,), D_hidden=(32,))
        loss = [record[f"loss_{player}"] for record in model]
        first, last = loss[:10], loss[-10:]  # lower by more than it goes up and down
        assert np.mean(last) < np.mean(first) - np.std(last)


def samples_look_fine(game):
    """After 1,000 iterations on the ring at least one run of two has 7 modes of 8, and two
    fifths of its samples within three standard deviations of one.
    """
    assert any(fine(trained(game, seed, 1000, {}).model) for seed in SEEDS)


def fine(model):
    modes, share = modes_captured(model.sample(2000, seed=1), ring_modes(), STD)
    return modes >= 7 and share >= 0.4


class Records(list):
    """A list of records that knows the model that made them."""

    model = None


def trained(game, seed, steps, options, **widths):
    """The records of a game on the ring; a run that diverges fails the check."""
    options = GAMES[game] | SMALL | widths | options
    model = build(game, n_data=2, n_noise=2, output="linear", seed=seed, **options)
    records = Records()
    records.model = model
    try:
        with np.errstate(all="ignore"):
            records += train(model, ring(5000, std=STD), steps, BATCH.get(game, 128), seed)
    except DivergedError as error:
        raise AssertionError(str(error)) from None
    return records


def plainly(patch):
    """Let games take the steps (17) and (18), in which each bug can show; nothing compiled."""

    def update(self, x, z, c=None, rng=None):
        record, x_fake = self.G_step(x, z, c)
        return record | self.D_step(x, x_fake, c, rng)

    patch.setattr(Game, "update", update)
    patch.setattr(fast, "accelerate", lambda model: None)


CHECKS = {  # what the table calls it: (the check, whether it plays the bug's game)
    "samples look fine": (samples_look_fine, True),
    "losses go down": (losses_go_down, True),
    "difference, 1e-3": (central_difference_in_float32, False),
    "difference, 1e-5": (central_difference, False),
    "adjoint": (adjoint, False),
    "complex step": (complex_step, False),
    "whole step": (whole_step, False),
    "this suite": (None, False),
}


def catches(check, bug=None, game=None):
    """Whether the check fails with the bug."""
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()):
        if game:
            plainly(patch)
        if bug:
            bug.inject(patch)
        try:
            check(game) if game else check()
        except AssertionError:
            return True
    return False


def kept():
    return json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}


def released():
    """What became of the tests of each bug, in a process whose games nothing has touched."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, bug_zoo.__file__, str(report)]
        subprocess.run(command, check=True, capture_output=True)
        return json.loads(report.read_text("utf-8"))


def measure(again=False):
    """{bug: {check: whether it is caught}}, the training from what is kept or done again."""
    table = kept()
    outcomes = released()
    for bug in bug_zoo.ZOO:
        row = table.setdefault(bug.name, {})
        for name, (check, plays) in CHECKS.items():
            if check is samples_look_fine:
                if again and name not in row:
                    row[name] = catches(check, bug, bug.game)
                    keep(table)
            elif check:
                row[name] = catches(check, bug, bug.game if plays else None)
        tests = outcomes[bug.name]
        row["this suite"] = all("failed" in tests.get(test, "") for test in bug.killed_by)
    return {bug.name: table[bug.name] for bug in bug_zoo.ZOO}


def keep(table):
    rows = [f"{json.dumps(name)}: {json.dumps(row)}" for name, row in table.items()]
    KEPT.write_text("{\n" + ",\n".join(rows) + "\n}\n", "utf-8")


def lines(table):
    """The table as text: a dot where a check catches a bug."""
    width = max(map(len, table)) + 2
    for i, name in enumerate(CHECKS):
        yield " " * width + "|  " * i + name
    for bug, row in table.items():
        marks = "".join(f"{'●' if row.get(name) else '·'}  " for name in CHECKS)
        yield f"{bug:<{width}}{marks}".rstrip()
    caught = [sum(bool(row.get(name)) for row in table.values()) for name in CHECKS]
    yield ""
    yield f"caught, of {len(table)}".ljust(width) + "".join(f"{n:<3}" for n in caught).rstrip()


if __name__ == "__main__":
    begun = time.perf_counter()
    again = "--train" in sys.argv
    for name, (check, plays) in CHECKS.items():
        for game in GAMES if plays else (None,):
            if check and (again or check is not samples_look_fine):
                assert not catches(check, None, game), f"{name} fails without a bug: {game}"
    found = measure(again)
    if again:
        keep(found)
    print("\n".join(lines(found)))
    print(f"{time.perf_counter() - begun:.0f} s")
