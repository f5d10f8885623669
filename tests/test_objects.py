"""Games, networks, optimisers, batches and states handled as Python's objects are: copied,
pickled, rolled back, shared, driven in turn or at the same time, derived from. Each works as it
would alone, or says why not. Attributes that are changed have a file of their own."""

import copy
import pickle
import threading
from dataclasses import dataclass

import numpy as np
import pytest

from minigan import (
    CGAN,
    GAN,
    SGD,
    WGAN,
    WGANGP,
    Adam,
    Batches,
    CheckpointError,
    Dataset,
    MiniganError,
    TrainState,
    conditional,
    mlp,
    save_checkpoint,
    train,
)
from minigan.errors import parameter
from minigan.fast import FastNetwork, accelerate
from minigan.game import Game
from minigan.lab.models import MODELS

SMALL = {"n_data": 3, "n_noise": 2, "G_hidden": (4,), "D_hidden": (4,)}
DATA = Dataset(np.random.default_rng(0).random((40, 3)), np.arange(40) % 3)
every_game = pytest.mark.parametrize("name", MODELS)


def small(name, **more):
    classes = {"n_classes": 3} if name.startswith("c") else {}
    return MODELS[name](**SMALL | classes | {"ema_decay": 0.5} | more)


def thetas(model):
    networks = model.G, model.D, model.G_average
    return np.concatenate([network.theta for network in networks if network])


def run(model, steps, state):
    return list(train(model, DATA, steps, 8, state=state))


def same(model, other):
    np.testing.assert_array_equal(thetas(model), thetas(other))


# ---- copies ----


def pickled(thing):
    return pickle.loads(pickle.dumps(thing))


@every_game
@pytest.mark.parametrize("twin_of", [copy.deepcopy, pickled])
def test_1_2_a_run_that_was_copied_or_pickled_on_the_way_goes_on_as_the_original(name, twin_of):
    model, state = small(name), TrainState(3)
    run(model, 2, state)
    twin, twins_state = twin_of((model, state))
    assert run(twin, 4, twins_state) == run(model, 4, state)
    same(twin, model)


def test_1_a_shallow_copy_shares_its_parts_and_nothing_else():
    """As `copy.copy` of any object: the same networks, but attributes of its own."""
    model = GAN(**SMALL)
    twin = copy.copy(model)
    assert twin.G is model.G
    twin.real_label = 0.5
    assert model.real_label == 0.9
    run(twin, 1, TrainState())
    same(twin, model)


# ---- rolled back ----


@every_game
def test_3_a_step_can_be_taken_back_and_taken_again(name):
    model, state = small(name), TrainState(1)
    run(model, 2, state)
    kept = {player: getattr(model, player).theta.copy() for player in ("G", "D", "G_average")}
    optimizers = [one.state() for one in (model.G_optimizer, model.D_optimizer)]
    stood = copy.deepcopy(state)
    first, after = run(model, 4, state), thetas(model)
    for player, theta in kept.items():
        getattr(model, player).theta = theta
    for one, then in zip((model.G_optimizer, model.D_optimizer), optimizers):
        one.load_state(then)
    assert run(model, 4, stood) == first
    np.testing.assert_array_equal(thetas(model), after)
    for one, then in zip((model.G_optimizer, model.D_optimizer), optimizers):
        assert one.t > then["t"]  # what was kept is not what goes on


# ---- shared, in turn, at the same time ----


def test_4_two_models_in_turn_on_one_source_of_batches_see_every_row_once():
    models, batches = [GAN(**SMALL), WGANGP(**SMALL, n_critic=2)], Batches(DATA, 4)
    states = [TrainState(seed) for seed in (0, 1)]
    seen = []

    def watched():
        for x, labels in batches:
            seen.extend(map(bytes, x))
            yield x, labels

    rows = watched()
    for _ in range(5):
        for model, state in zip(models, states):
            model.iteration(rows, state.rng, state.penalty_rng)
    assert batches.rows == len(seen) == 5 * (4 + 8)
    assert len(set(seen[:40])) == 40
    assert all(np.isfinite(thetas(model)).all() for model in models)


def test_4_two_runs_in_turn_do_not_disturb_each_other():
    alone = [small(name) for name in ("gan", "cwgan-gp")]
    expected = [run(model, 4, TrainState(seed)) for seed, model in enumerate(alone)]
    models = [small(name) for name in ("gan", "cwgan-gp")]
    runs = [train(model, DATA, 4, 8, seed=seed) for seed, model in enumerate(models)]
    assert [list(pair) for pair in zip(*expected)] == [list(pair) for pair in zip(*runs)]
    for model, other in zip(models, alone):
        same(model, other)


def test_4_two_generators_of_one_model_take_turns_at_it():
    """Both move the same model; each counts its own steps."""
    model = GAN(**SMALL)
    first, second = (train(model, DATA, 3, 8, seed=seed) for seed in (0, 1))
    steps = [record["step"] for pair in zip(first, second) for record in pair]
    assert steps == [1, 1, 2, 2, 3, 3]
    assert model.G_optimizer.t == 6


def test_6_threads_that_train_models_of_their_own_compute_what_each_computes_alone():
    names = ["gan", "cgan", "wgan-gp", "lsgan"]
    alone = [small(name) for name in names]
    expected = [run(model, 12, TrainState(seed)) for seed, model in enumerate(alone)]
    found, models = {}, [None] * len(names)
    ready = threading.Barrier(len(names))

    def work(seed):
        ready.wait()
        models[seed] = small(names[seed])  # classes, too, are touched when a model is made
        found[seed] = run(models[seed], 12, TrainState(seed))

    threads = [threading.Thread(target=work, args=[seed]) for seed in range(len(names))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[seed] for seed in range(len(names))] == expected
    for model, other in zip(models, alone):
        same(model, other)


def test_two_games_may_share_a_discriminator():
    D = mlp((3, 4, 1), np.random.default_rng(0))
    one, two = (GAN(D=D, n_noise=2, G_hidden=(4,), seed=seed) for seed in (0, 1))
    accelerate(one)
    assert type(two.D) is FastNetwork
    before = D.theta.copy()
    run(one, 1, TrainState())
    between = D.theta.copy()
    run(two, 1, TrainState())
    assert (before != between).any()
    assert (D.theta != between).any()


# ---- derived from ----


class Drifting(WGANGP):
    """With the further term ε mean D(x)², as Karras et al. (2018) have it, section A.1.

    Now a number added to every score is seen, so D has an output bias.
    """

    shift_invariant = False

    def D_loss(self, s_real, s_fake):
        loss, ds_real, ds_fake = super().D_loss(s_real, s_fake)
        m = len(s_real)
        return loss + 0.001 * (s_real**2).sum() / m, ds_real + 0.002 * s_real / m, ds_fake


@dataclass(eq=False, kw_only=True, repr=False)
class Hinge(Game):
    """A game of the reader's own, the hinge loss of Lim & Ye (2017), with a parameter."""

    margin: float = parameter(1.0, "beyond which a score is right enough", "(0, inf)")

    def D_loss(self, s_real, s_fake):
        m = len(s_real)
        real, fake = self.margin - s_real, self.margin + s_fake
        loss = (real.clip(0).sum() + fake.clip(0).sum()) / m
        return loss, (real > 0) / np.float32(-m), (fake > 0) / np.float32(m)

    def G_loss(self, s_real, s_fake):
        return -s_fake.mean(), np.full_like(s_fake, -1 / len(s_fake))

    def report(self, loss_D, ds_real, ds_fake):
        return {}


@pytest.mark.parametrize("cls", [Drifting, Hinge, conditional(Hinge), conditional(Drifting)])
def test_7_10_games_derived_from_ours_train_and_are_copied_but_not_saved(cls, tmp_path):
    more = {"n_classes": 3} if "n_classes" in cls.__dataclass_fields__ else {}
    model = cls(**SMALL, **more)
    assert model.D.layers[-1].bias
    state = TrainState()
    run(model, 2, state)
    twin = copy.deepcopy(model)
    assert run(twin, 4, copy.deepcopy(state)) == run(model, 4, state)
    assert np.isfinite(thetas(model)).all()
    with pytest.raises(CheckpointError, match="only the games of this library can be saved"):
        save_checkpoint(tmp_path / "c.npz", model, state)


def test_10_a_parameter_of_a_game_of_ones_own_is_checked_when_it_is_changed():
    model = Hinge(**SMALL, margin=np.int64(2))
    assert type(model.margin) is float
    model.margin = 3
    with pytest.raises(MiniganError, match="^margin: expected a positive number, got 0"):
        model.margin = 0


def test_10_a_game_that_lacks_a_loss_is_not_mistaken_for_one():
    with pytest.raises(AttributeError, match="no attribute 'G_loss'"):
        run(Game(**SMALL), 1, TrainState())


# ---- optimisers of one's own ----


class Signs:
    """θ ← θ − lr sign(g): all that is asked of an optimiser is `step`, and its steps `t`."""

    t = 0

    def __init__(self, lr):
        self.lr = lr

    def step(self, theta, dtheta):
        self.t += 1
        theta -= self.lr * np.sign(dtheta)


@pytest.mark.parametrize("name", ["gan", "wgan", "wgan-gp", "cgan"])
def test_9_an_optimiser_of_ones_own_moves_the_model_but_is_not_saved(name, tmp_path):
    model, state = small(name), TrainState()
    model.G_optimizer = Signs(lr=np.float32(0.01))
    model.D_optimizer = SGD(lr=0.01, momentum=0.5)  # another of ours may be saved
    before = model.G.theta.copy()
    run(model, 1, state)
    moved = abs(model.G.theta - before)
    np.testing.assert_allclose(moved[moved > 0], 0.01, rtol=1e-4)
    assert (model.lr, model.D_lr) == (np.float32(0.01), 0.01)
    model.lr = 0.02
    assert model.G_optimizer.lr == 0.02
    assert "Signs" in repr(model)
    with pytest.raises(
        CheckpointError, match=r"^G_optimizer: only SGD, RMSProp, Adam can be saved"
    ):
        save_checkpoint(tmp_path / "c.npz", model, state)
    model.G_optimizer = Adam()
    save_checkpoint(tmp_path / "c.npz", model, state)


def test_a_wgan_says_by_its_steps_when_the_critic_starts_well():
    """(30) counts G's steps by its optimiser, whichever it is."""
    model = WGAN(**SMALL)
    model.G_optimizer = Signs(lr=0.01)
    model.G_optimizer.t = 30
    assert model.critic_steps() == 5


def test_a_state_belongs_to_one_run():
    """Given to a second run it goes on with it, where the first one stopped."""
    one, two, state = CGAN(**SMALL, n_classes=3), CGAN(**SMALL, n_classes=3), TrainState()
    run(one, 2, state)
    assert [record["step"] for record in run(two, 4, state)] == [3, 4]
    assert run(two, 4, state) == []
