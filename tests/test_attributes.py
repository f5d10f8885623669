"""Chapters 4 and 5: attributes of a game that are changed after it was made. Each either works
from the next step on, as if the game had been made so, or says why it cannot be changed."""

import copy
import dataclasses
import math
import pickle
from dataclasses import asdict, fields

import numpy as np
import pytest

from minigan import (
    CGAN,
    GAN,
    SGD,
    WGAN,
    WGANGP,
    MiniganError,
    TrainState,
    load_checkpoint,
    save_checkpoint,
    train,
)
from minigan.errors import Checked, fixed, parameter
from minigan.gradcheck import RecordingOptimizer
from minigan.lab.models import MODELS
from minigan.optim import Optimizer

SMALL = {"n_data": 3, "n_noise": 2, "G_hidden": (4,), "D_hidden": (4,)}
every_game = pytest.mark.parametrize("name", MODELS)
FIXED = {
    "n_data",
    "n_noise",
    "G_hidden",
    "D_hidden",
    "slope",
    "output",
    "init",
    "seed",
    "dtype",
}
FIXED |= {"backend", "n_classes", "shift", "scale", "network", "channels", "image_shape"}
OTHERS = {  # a value that differs from every game's default
    "lr": 0.02,
    "D_lr": 0.03,
    "ema_decay": 0.1,
    "lr_decay": True,
    "gamma": 0.7,
    "minimax": True,
    "real_label": 0.6,
    "n_critic": 3,
    "clip": 0.07,
    "penalty_weight": 2.5,
    "one_sided": True,
    "a": -0.5,
    "b": 0.7,
    "c": 0.3,
}
WRONG = {float: ("0.1", None, True, math.nan), int: (1.5, "3", None), bool: (0, 1, None)}


def small(name, **more):
    classes = {"n_classes": 3} if name.startswith("c") else {}
    model = MODELS[name](**SMALL | classes | more)
    model.critic_steps = lambda: getattr(
        model, "n_critic", 1
    )  # not the hundred of a young WGAN
    return model


def play(model, steps=3, seed=0):
    """Everything that some steps of both players and the samples after them give."""
    rng = np.random.default_rng(seed)

    def batches():
        while True:
            yield rng.random((5, 3), "float32"), rng.integers(0, 3, 5)

    records = [model.iteration(batches(), rng) for _ in range(steps)]
    return records, model.G.theta.tolist(), model.D.theta.tolist(), model.sample(3).tolist()


def free(model):
    return [field for field in fields(model) if not field.metadata["fixed"]]


@every_game
def test_every_parameter_is_fixed_or_may_be_changed(name):
    model = small(name)
    known = {field.name for field in fields(model)}
    assert {field.name for field in free(model)} == known - FIXED
    assert known - FIXED <= set(OTHERS)


@every_game
def test_what_the_networks_were_made_of_is_fixed_and_the_message_says_so(name):
    model = small(name)
    before = asdict(model)
    for field in fields(model):
        if field.name in FIXED:
            for value in (before[field.name], 5, "linear"):
                message = (
                    f"^{field.name}: the model was made with .* and its networks stay as they "
                    f"are; make another model with {field.name}="
                )
                with pytest.raises(MiniganError, match=message):
                    setattr(model, field.name, value)
    assert asdict(model) == before


@every_game
def test_a_parameter_changed_at_once_is_the_parameter_of_the_making(name):
    for field in free(small(name)):
        changed, made = small(name), small(name, **{field.name: OTHERS[field.name]})
        setattr(changed, field.name, OTHERS[field.name])
        assert asdict(changed) == asdict(made)
        if field.name == "clip":
            changed.constrain()  # a game that is made with a clip begins clipped
            changed.D.theta = made.D.theta
        assert play(changed) == play(made), field.name


@every_game
def test_a_parameter_changed_on_the_way_has_an_effect(name):
    model = small(name)
    play(model)
    for field in free(model):
        if field.name == "lr_decay":
            continue  # which is the training loop's: tests/test_schedule.py
        same, changed = copy.deepcopy(model), copy.deepcopy(model)
        for twin in (same, changed):
            twin.critic_steps = lambda twin=twin: getattr(twin, "n_critic", 1)
        setattr(changed, field.name, OTHERS[field.name])
        assert play(same, seed=1) != play(changed, seed=1), field.name


@every_game
def test_a_value_out_of_range_is_refused_by_name_and_nothing_changes(name):
    model = small(name)
    before = asdict(model)
    for field in free(model):
        wrong = WRONG[type(field.default)]
        if type(field.default) is not bool:
            low, high = field.metadata["within"][1:-1].split(",")
            wrong += (
                (float(high),) if float(high) < math.inf and field.name != "real_label" else ()
            )
            wrong += (int(float(low)) - 1,) if float(low) > -math.inf else ()
        for value in wrong:
            with pytest.raises(MiniganError, match=f"^{field.name}: "):
                setattr(model, field.name, value)
    assert asdict(model) == before
    assert model.G_optimizer.lr == before["lr"]


# ---- rates ----

RATES = pytest.mark.parametrize(("rate", "player"), [("lr", "G"), ("D_lr", "D")])


@every_game
@RATES
def test_a_rate_is_one_number_wherever_it_is_changed(name, rate, player):
    model = small(name)
    optimizer = getattr(model, f"{player}_optimizer")
    other = {"lr": "D_lr", "D_lr": "lr"}[rate]
    kept = getattr(model, other)
    setattr(model, rate, np.float64(0.25))
    assert (optimizer.lr, getattr(model, rate), type(optimizer.lr)) == (0.25, 0.25, float)
    optimizer.lr = 0.5
    assert getattr(model, rate) == asdict(model)[rate] == 0.5
    setattr(model, f"{player}_optimizer", SGD(lr=0.125))
    assert getattr(model, rate) == 0.125
    assert getattr(model, other) == kept
    assert f"{player}: Network" in repr(model)
    assert "SGD(lr=0.125" in repr(model)


@RATES
def test_an_optimiser_of_ones_own_without_a_rate_says_so(rate, player):
    model = GAN(**SMALL)
    made = getattr(model, rate)
    setattr(model, f"{player}_optimizer", RecordingOptimizer())
    assert getattr(model, rate) == made
    with pytest.raises(MiniganError, match=f"^{rate}: RecordingOptimizer has no lr to change$"):
        setattr(model, rate, 0.1)


def test_the_default_of_a_rate_can_still_be_read_from_the_class():
    for cls, lr, D_lr in ((GAN, 1e-3, 3e-4), (CGAN, 1e-3, 5e-4), (WGAN, 5e-4, 5e-4)):
        for _ in range(2):
            assert (cls.lr, cls.D_lr) == (lr, D_lr)
            cls(**SMALL)
    with pytest.raises(MiniganError, match="^lr: expected a positive number, got 0"):
        GAN(lr=0)


def test_a_game_of_ones_own_may_have_another_rate():
    @dataclasses.dataclass(eq=False, kw_only=True, repr=False)
    class Slow(WGANGP):
        """With rates and a parameter of its own."""

        lr: float = parameter(1e-5, "a small one", "(0, inf)")
        depth: int = fixed(3, "of something that is made once", "[1, 9]")

    model = Slow(**SMALL)
    assert (model.lr, model.G_optimizer.lr, Slow.lr, WGANGP.lr) == (1e-5, 1e-5, 1e-5, 1e-3)
    model.lr = 2e-5
    assert model.G_optimizer.lr == 2e-5
    with pytest.raises(MiniganError, match=r"^depth: the model was made with 3 .* depth=4$"):
        model.depth = 4
    assert Slow(**SMALL, lr=0.5, depth=9).G_optimizer.lr == 0.5


@pytest.mark.parametrize(
    "twin_of", [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))]
)
def test_a_copys_rates_are_those_of_its_own_optimisers(twin_of):
    model = GAN(**SMALL)
    model.lr = 0.25
    twin = twin_of(model)
    assert twin.lr == twin.G_optimizer.lr == 0.25
    twin.lr = 0.5
    assert model.lr == (0.5 if twin.G_optimizer is model.G_optimizer else 0.25)
    with pytest.raises(MiniganError, match="^n_data: "):
        twin.n_data = 5


def test_a_rate_changed_anywhere_is_saved_and_loaded(tmp_path):
    model, path = WGAN(**SMALL), tmp_path / "c.npz"
    model.lr, model.D_optimizer.lr = 0.25, 0.5
    save_checkpoint(path, model, TrainState())
    found, _ = load_checkpoint(path)
    assert (found.lr, found.G_optimizer.lr, found.D_lr, found.D_optimizer.lr) == (
        *(0.25, 0.25),
        *(0.5, 0.5),
    )


def test_a_rate_may_fall_while_a_run_goes_on():
    data, moved = np.random.default_rng(0).random((40, 3)), []
    model = GAN(**SMALL)
    before = model.G.theta.copy()
    for record in train(model, data, 6, 8):
        moved.append(abs(model.G.theta - before).max())
        before = model.G.theta.copy()
        model.lr = 1e-3 if record["step"] < 3 else 1e-9
    assert min(moved[:3]) > 1e-4
    assert max(moved[3:]) < 1e-7


# ---- the average ----


def test_an_average_may_begin_later_go_on_with_another_decay_and_end():
    model = GAN(**SMALL)
    play(model)
    assert model.G_average is None
    model.ema_decay = 0.75
    begun = model.G_average
    np.testing.assert_array_equal(begun.theta, model.G.theta)
    assert not np.shares_memory(begun.theta, model.G.theta)
    play(model)
    model.ema_decay = 0.5
    assert model.G_average is begun
    model.G_optimizer.t, mean = 9, begun.theta.copy()
    model.G_step(np.zeros((4, 3), "float32"), model.noise(4, np.random.default_rng(0)))
    np.testing.assert_allclose(begun.theta, mean + (model.G.theta - mean) / 2, rtol=1e-6)
    model.ema_decay = 0.0
    assert model.G_average is None
    play(model)


def test_an_average_follows_a_generator_that_is_replaced():
    model, other = GAN(**SMALL, ema_decay=0.5), GAN(**SMALL, seed=1)
    model.G = other.G
    np.testing.assert_array_equal(model.G_average.theta, other.G.theta)
    assert model.G_average is not model.G


def test_an_average_that_began_later_is_kept_in_a_checkpoint(tmp_path):
    model = GAN(**SMALL)
    play(model)
    model.ema_decay = 0.9
    play(model)
    save_checkpoint(tmp_path / "c.npz", model, TrainState())
    found, _ = load_checkpoint(tmp_path / "c.npz")
    np.testing.assert_array_equal(found.G_average.theta, model.G_average.theta)
    assert found.ema_decay == 0.9


# ---- the base ----


def test_whatever_is_no_parameter_is_assigned_as_ever():
    @dataclasses.dataclass
    class Plain(Checked):
        """With a field that is no parameter."""

        steps: int = parameter(1, "a number", "[1, 9]")
        notes: list = dataclasses.field(default_factory=list)

    one = Plain(steps=np.int64(3), notes="anything")
    assert (one.steps, type(one.steps), one.notes) == (3, int, "anything")
    one.colour = "blue"
    with pytest.raises(MiniganError, match=r"^steps: expected a number in \[1, 9\], got 10$"):
        one.steps = 10
    assert one.steps == 3


def test_an_optimiser_is_not_a_game():
    """Its numbers may be changed at will, and the next step uses them."""
    assert not issubclass(Optimizer, Checked)
    sgd, theta = SGD(lr=0.5), np.ones(2)
    sgd.lr = np.float32(0.25)
    sgd.step(theta, np.ones(2))
    np.testing.assert_array_equal(theta, 0.75)
