"""Chapters 5 and 16: rates that fall over a run, and data in units of their own."""

import numpy as np
import pytest

from minigan import CGAN, GAN, SGD, WGAN, WGANGP, DataError, Dataset, TrainState, train
from minigan.lab.checkpoint import load_checkpoint, save_checkpoint
from minigan.lab.cli import main
from minigan.lab.config import Config
from minigan.lab.loaders import ring

SMALL = {"n_data": 2, "n_noise": 2, "output": "linear", "G_hidden": (6,), "D_hidden": (6,)}
GAMES = [GAN, CGAN, WGANGP]


def small(cls, **more):
    classes = {"n_classes": 8} if cls is CGAN else {}
    return cls(**SMALL | classes | more)


class Heard(SGD):
    """An optimiser that keeps the rates it was given."""

    def update(self, theta, g):
        self.__dict__.setdefault("heard", []).append(self.lr)
        super().update(theta, g)


def last(records):
    return [*records][-1]


@pytest.mark.parametrize("decay", [False, True])
def test_eq55_the_rates_fall_on_a_line_to_zero_or_stay(decay):
    model = small(WGAN, lr_decay=decay)
    model.critic_steps = lambda: 2
    model.G_optimizer, model.D_optimizer = Heard(2**-10), Heard(2**-9)
    last(train(model, ring(n=50), 8, batch_size=5))
    falling = [1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125] if decay else [1] * 8
    assert model.G_optimizer.heard == [2**-10 * part for part in falling]
    assert model.D_optimizer.heard == [2**-9 * part for part in falling for _ in range(2)]
    assert (model.lr, model.D_lr) == (2**-10, 2**-9)


def test_the_rates_are_the_models_own_between_iterations_and_after_a_fault():
    model = small(GAN, lr=0.5, lr_decay=True)
    records = train(model, ring(n=50), 4, batch_size=5)
    for _ in range(2):
        next(records)
        assert model.lr == 0.5
    model.lr = 0.1  # from here on the line leads to zero from another height
    next(records)
    assert model.lr == 0.1
    model.D_optimizer.update = None
    with pytest.raises(TypeError):
        next(records)
    assert (model.lr, model.D_lr) == (0.1, 3e-4)


@pytest.mark.parametrize("cls", GAMES)
@pytest.mark.parametrize("stop", [1, 5])
def test_a_run_with_falling_rates_is_resumed_bit_for_bit(cls, stop, tmp_path):
    options = {"lr_decay": True, "ema_decay": 0.9, "shift": 0.3, "scale": 0.7}
    whole, part = small(cls, **options), small(cls, **options)
    last(train(whole, ring(n=60), 9, batch_size=7))
    state = TrainState()
    records = train(part, ring(n=60), 9, batch_size=7, state=state)
    for _ in range(stop):
        next(records)
    save_checkpoint(tmp_path / "c.npz", part, state)
    part, state = load_checkpoint(tmp_path / "c.npz")
    last(train(part, ring(n=60), 9, batch_size=7, state=state))
    for name in ("G", "D", "G_average"):
        one, other = getattr(whole, name).theta, getattr(part, name).theta
        assert one.tobytes() == other.tobytes(), name
    np.testing.assert_array_equal(whole.sample(5), part.sample(5))


@pytest.mark.parametrize("cls", GAMES)
def test_units_of_data_are_those_of_data_scaled_by_hand(cls):
    """Powers of two, so that not one bit is rounded."""
    data = ring(n=60)
    other = Dataset((data.x - np.float32(0.25)) / np.float32(4), data.labels)
    plain, scaled = small(cls), small(cls, shift=0.25, scale=4)
    one = [*train(plain, other, 6, batch_size=7)]
    two = [*train(scaled, data, 6, batch_size=7)]
    assert plain.G.theta.tobytes() == scaled.G.theta.tobytes()
    for a, b in zip(one, two):
        distance = a.pop("w_estimate", 0), b.pop("w_estimate", 0)
        assert distance[1] == 4 * distance[0]
        assert a == b
    np.testing.assert_array_equal(scaled.sample(8), 4 * plain.sample(8) + np.float32(0.25))


def test_a_sigmoid_needs_data_that_are_in_its_range_when_scaled():
    data = Dataset(np.array([[0.0, 255.0], [10.0, 20.0]]))
    for units in ({"scale": 255}, {"shift": -255, "scale": 510}):
        model = small(GAN, output="sigmoid", **units)
        assert last(train(model, data, 1, batch_size=2))["step"] == 1
    with pytest.raises(DataError, match="goes from 0 to 127.5, but a sigmoid"):
        train(small(GAN, output="sigmoid", scale=2), data, 1, batch_size=2)


@pytest.mark.parametrize("data", ["ring", "grid"])
def test_the_command_standardises_points_and_samples_in_their_own_units(tmp_path, data):
    out = tmp_path / "run"
    train = ["train", "r3gan", "--data", data, "--steps", "2", "--batch-size", "8", "--quiet"]
    assert main([*train, "--out", str(out), "--G-hidden", "4", "--no-lr-decay"]) == 0
    config = Config.read(out / "config.json")
    x = {"ring": ring().x.std(), "grid": 8**0.5}[data]
    assert abs(config.parameters["scale"] - x) < 0.02
    assert abs(config.parameters["shift"]) < 0.02
    assert config.parameters["G_hidden"] == (4,)
    assert config.parameters["D_hidden"] == (128,) * 3
    assert config.parameters["lr_decay"] is False
    assert config.parameters["lr"] == 2.5e-3
    assert main(["train", "gan", "--steps", "1", "--quiet", "--out", str(tmp_path / "d")]) == 0
    digits = Config.read(tmp_path / "d" / "config.json")
    assert (digits.parameters["shift"], digits.parameters["scale"]) == (0.0, 1.0)
