"""Training in memory of its own is the plain training, to the last bit, in every game; nobody
outside sees that memory; and what it is not made for runs as before."""

import copy
import math
import pickle
from dataclasses import fields

import numpy as np
import pytest

from minigan import GAN, Dataset, TrainState, conditional, fast
from minigan.data import Batches
from minigan.lab.models import MODELS
from minigan.layers import Dense, LeakyReLU, Sigmoid
from minigan.network import Network
from minigan.optim import SGD, Adam, RMSProp
from minigan.training import train
from minigan.workspace import InPlace, Workspace

pytestmark = pytest.mark.usefixtures("numba")  # every test with Numba and without


ROWS = np.random.default_rng(0).random((40, 9))
LABELS = np.arange(40) % 10
SMALL = {"n_data": 9, "n_noise": 4, "G_hidden": (17, 6), "D_hidden": (33, 8, 5)}


def game(name, **parameters):
    known = {field.name for field in fields(MODELS[name])}
    options = SMALL | {"n_critic": 2} | parameters
    model = MODELS[name](**{k: v for k, v in options.items() if k in known})
    asked = model.critic_steps
    model.critic_steps = lambda: min(3, asked())  # the hundred of a young WGAN show no more
    return model


def data(n_data=9):
    rows = np.resize(ROWS, (40, n_data))
    return Dataset(rows, LABELS, classes=range(10))


def steps(model, n, m=7, state=None, **options):
    state = state or TrainState()
    return list(train(model, data(model.n_data), state.step + n, m, state=state, **options))


def plainly(model, n, *args, **options):
    """The same by the chapters alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "accelerate", lambda model: None)
        records = steps(model, n, *args, **options)
    assert type(model.G) is Network
    return records


def in_place(model, m=7):
    """Whether training takes the short way now."""
    fast.accelerate(model)
    batches = Batches(data(model.n_data), m, to=model.standardised)
    return type(Workspace(batches).for_model(model).G) is InPlace


def memory(model):
    """Every array that a run must keep, as bytes."""
    arrays = [model.G.theta, model.D.theta]
    for rule in (model.G_optimizer, model.D_optimizer):
        arrays += [value for name, value in rule.state().items() if name != "t"]
    if model.G_average:
        arrays.append(model.G_average.theta)
    return [(array.dtype, array.tobytes()) for array in arrays]


def check_same(make, n=10, m=7):
    quick, plain = make(), make()
    assert in_place(quick, m)
    assert steps(quick, n, m) == plainly(plain, n, m)
    assert memory(quick) == memory(plain)


# ---- the same numbers ----


@pytest.mark.parametrize(("output", "dtype"), [("sigmoid", "float32"), ("linear", "float64")])
@pytest.mark.parametrize("name", MODELS)
def test_sixty_iterations_are_the_plain_ones_bit_for_bit(name, output, dtype):
    check_same(lambda: game(name, output=output, dtype=dtype), 60)


@pytest.mark.parametrize("slope", [0.0, np.float64(0.7)])
@pytest.mark.parametrize("name", MODELS)
def test_so_they_are_with_another_slope_an_average_and_falling_rates(name, slope):
    check_same(lambda: game(name, slope=slope, ema_decay=0.9, lr_decay=True, lr=1e-2))


@pytest.mark.parametrize("m", [1, 2, 3, 16, 40])
@pytest.mark.parametrize("name", ["gan", "cgan", "wgan-gp", "cr3gan"])
def test_so_they_are_for_every_size_of_a_batch(name, m):
    check_same(lambda: game(name), m=m)


@pytest.mark.parametrize(
    "widths",
    [
        {"n_data": 1, "n_noise": 1, "G_hidden": (1,), "D_hidden": (1,)},
        {"n_data": 1, "G_hidden": (1, 5), "D_hidden": (6, 1)},
        {"n_data": 2, "n_noise": 1, "G_hidden": (), "D_hidden": ()},
        {"n_data": 1, "n_noise": 1, "G_hidden": (), "D_hidden": ()},
        {"n_data": 300, "n_noise": 130, "G_hidden": (129, 31), "D_hidden": (257,)},
    ],
)
@pytest.mark.parametrize("name", ["gan", "cgan", "wgan", "wgan-gp", "clsgan", "r3gan"])
def test_so_they_are_for_every_width(name, widths):
    for m in (1, 7):
        check_same(lambda: game(name, **widths), m=m)


OPTIONS = [
    ("gan", {"minimax": True, "real_label": 1.0}),
    ("lsgan", {"a": -1.0, "b": 1.0, "c": 0.0}),
    ("wgan-gp", {"one_sided": True, "penalty_weight": 0.1}),
    ("cwgan-gp", {"one_sided": True, "n_critic": 1}),
    ("r3gan", {"gamma": 0.0}),
    ("r3gan", {"gamma": 7.0, "ema_decay": 0.0}),
    ("wgan", {"clip": 1e-3}),
    ("gan", {"shift": 0.5, "scale": 0.25, "output": "linear"}),
]


@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_so_they_are_with_every_option_of_a_game(name, options):
    check_same(lambda: game(name, **options))


def test_so_they_are_with_further_critic_steps_in_a_game_that_has_none():
    def make():
        model = game("cr3gan")
        model.critic_steps = lambda: 3
        return model

    check_same(make)


def stack(*layers, dtype="float32"):
    size = sum(math.prod(shape) for layer in layers for shape in getattr(layer, "shapes", ()))
    theta = np.random.default_rng(0).standard_normal(size).astype(dtype) / 2
    return Network(list(layers), theta)


STACKS = {
    "no biases": [Dense(4, 6, False), LeakyReLU(), Dense(6, 9, False), Sigmoid()],
    "one layer": [Dense(4, 9)],
    "one layer, no bias": [Dense(4, 9, False), LeakyReLU(0.1)],
    "two Dense in a row": [Dense(4, 6), Dense(6, 6, False), LeakyReLU(0.0), Dense(6, 9)],
    "a sigmoid within": [Dense(4, 6), Sigmoid(), Dense(6, 9), LeakyReLU(0.5)],
    "a narrow place": [Dense(4, 1), LeakyReLU(), Dense(1, 9), Sigmoid()],
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layers", STACKS)
def test_so_they_are_for_every_stack_of_the_layers(layers, dtype):
    within, rest = STACKS[layers], [LeakyReLU(0.3), Dense(9, 1)]
    if type(within[-1]) is not Dense:
        rest.pop(0)
    for ending in ([], [Sigmoid()]):
        D = [Dense(9, 4), LeakyReLU(), *within, *rest, *ending]
        check_same(lambda D=D: GAN(G=stack(*within, dtype=dtype), D=stack(*D, dtype=dtype)))


@pytest.mark.parametrize("layers", STACKS)
def test_eq10_so_is_the_delta_of_each_layer_by_itself(layers):
    network, rng = stack(*STACKS[layers]), np.random.default_rng(1)
    inside, x = InPlace(network, 7), rng.standard_normal((7, 4), "float32")
    trace = network.forward(x)
    for l, (before, after) in enumerate(zip(trace, trace[1:]), 1):
        dy = rng.standard_normal(after.shape, "float32")
        np.testing.assert_array_equal(
            inside.dx(l, dy, before, after), network.dx(l, dy, before, after)
        )


@pytest.mark.parametrize("rules", [(SGD(0.1, 0.5), Adam()), (RMSProp(), SGD())])
def test_so_they_are_with_every_optimiser(rules):
    def make():
        model = game("gan")
        model.G_optimizer, model.D_optimizer = copy.deepcopy(rules)
        return model

    check_same(make)


EXTREMES = [0.0, -0.0, 1e-40, 1e30, -1e30, np.inf, -np.inf, np.nan]


@pytest.mark.parametrize("name", ["gan", "cgan", "lsgan", "wgan", "wgan-gp", "r3gan"])
@pytest.mark.parametrize("bad", EXTREMES)
def test_so_they_are_for_rows_and_parameters_that_are_not_finite(name, bad):
    """A record may then be NaN, and one NaN is like another."""
    found = []
    for quick in (True, False):
        for of_theta in (False, True):
            model, rows = game(name), ROWS[:7].astype("float32")
            if of_theta:
                model.D.theta[3] = model.G.theta[-2] = bad
            else:
                rows[2, 3] = bad
            batches = Batches(data(), 7, to=model.standardised)
            if quick:
                fast.accelerate(model)
            played = Workspace(batches).for_model(model) if quick else model
            labels = LABELS[:7] if model.n_condition else None
            with np.errstate(all="ignore"):
                given = iter([(rows, labels)] * 9)
                records = [played.iteration(given, np.random.default_rng(0)) for _ in range(2)]
            found.append([np.array([float(v) for r in records for v in r.values()])])
            found[-1] += [model.G.theta, model.D.theta]
    half = len(found) // 2
    for actual, expected in zip(found[:half], found[half:]):
        for a, e in zip(actual, expected):
            np.testing.assert_array_equal(a, e)
            assert (np.signbit(a) == np.signbit(e))[~np.isnan(e)].all()


@pytest.mark.parametrize("name", MODELS)
def test_a_run_may_change_its_way_at_any_step(name):
    whole, parts = (game(name, ema_decay=0.9, lr_decay=False) for _ in range(2))
    state = TrainState()
    records = plainly(whole, 30)
    found = steps(parts, 8, state=state)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "njit", None)
        found += steps(parts, 9, state=state)
    found += steps(parts, 13, state=state)
    assert found == records
    assert memory(parts) == memory(whole)


# ---- nobody sees the memory ----


@pytest.mark.parametrize("name", ["cgan", "r3gan", "wgan-gp"])
def test_what_a_caller_holds_never_changes(name):
    model, held, known = game(name, ema_decay=0.9), [], []
    fast.accelerate(model)
    z = np.ones((7, 4), "float32")
    for record in train(model, data(), 6, 7):
        c = model.condition(LABELS[:7]) if model.n_condition else None
        rows = model.D_input(ROWS[:7].astype("float32"), c)
        trace = model.D.forward(rows)
        deltas = model.D.deltas(trace, np.ones((7, 1), "float32"))
        arrays = [model.sample(7), *trace, *deltas, model.D.gradient(trace, deltas[-1])]
        arrays += [*model.G.forward(model.G_input(z, c)), *model.D.tangents(trace, rows)]
        arrays += [value for rule in (model.G_optimizer, model.D_optimizer)
                   for name, value in rule.state().items() if name != "t"]  # fmt: skip
        held.append([record, copy.deepcopy(model), arrays])
        known.append(pickle.dumps([dict(record), memory(model), arrays]))
    for (record, then, arrays), bytes_then in zip(held, known, strict=True):
        assert pickle.dumps([dict(record), memory(then), arrays]) == bytes_then


def test_the_memory_is_overwritten_and_so_not_what_the_caller_holds():
    """The test above would see it: the rows that D reads are others after each iteration."""
    model = game("gan")
    fast.accelerate(model)
    batches = Batches(data(), 7, to=model.standardised)
    inside, rng = Workspace(batches).for_model(model), np.random.default_rng(0)
    inside.iteration(batches, rng)
    rows, before = inside.rows, inside.rows.copy()
    assert np.shares_memory(next(batches)[0], rows)
    inside.iteration(batches, rng)
    assert inside.rows is rows
    assert (rows != before).mean() > 0.9


def pickled(model):
    return pickle.loads(pickle.dumps(model))


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, pickled])
def test_a_copy_of_a_model_in_training_goes_on_as_the_model_does(how):
    model, whole, state = MODELS["cgan"](**SMALL), MODELS["cgan"](**SMALL), TrainState()
    records = plainly(whole, 12)
    running = train(model, data(), 12, 7, state=state)
    found = [next(running) for _ in range(5)]
    other, there = how(model), TrainState.from_dict(copy.deepcopy(state.to_dict()))
    assert type(other) is type(model)
    if how is not copy.copy:  # which shares the networks
        assert memory(other) == memory(model)
        assert steps(other, 7, state=there) == records[5:]
        assert memory(other) == memory(whole)
    assert found + list(running) == records
    assert memory(model) == memory(whole)


def test_two_runs_of_two_models_share_nothing():
    models = [MODELS["wgan-gp"](**SMALL, seed=seed) for seed in (0, 0, 1, 1)]
    expected = [plainly(model, 4) for model in models[1::2]]
    runs = [train(model, data(), 4, 7) for model in models[::2]]
    found = [[next(run) for run in runs] for _ in range(4)]
    assert [list(records) for records in zip(*found)] == expected


# ---- what may change between two records, and what it is not made for ----


class OwnSigmoid(Sigmoid):
    """A layer of the reader's own."""


class OwnAdam(Adam):
    """An optimiser of the reader's own, which keeps the gradients it is given."""

    def update(self, theta, g):
        self.kept = [*getattr(self, "kept", []), g]
        super().update(theta, g)


class OwnLoss(GAN):
    """A game of the reader's own, which keeps the scores."""

    def G_loss(self, s_real, s_fake):
        self.scores = s_fake
        return super().G_loss(s_real, s_fake)


def other_layer(model):
    model.G.layers[-1] = OwnSigmoid()


def other_slope(model):
    model.D.layers[1].slope = 1.5


def other_rule(model):
    model.D_optimizer = OwnAdam(1e-3)


def other_method(model):
    model.penalty = lambda *args: None


def other_class(model):
    model.__class__ = OwnLoss


def three_activations(model):
    model.D.layers[1:2] = [LeakyReLU(), LeakyReLU()]
    model.D = Network(model.D.layers, model.D.theta)


NOT_MADE_FOR = [other_layer, other_slope, other_rule, other_method, other_class]
NOT_MADE_FOR += [three_activations]


@pytest.mark.parametrize("change", NOT_MADE_FOR)
def test_what_the_memory_is_not_made_for_runs_as_before(change):
    model = game("gan")
    assert in_place(model)
    change(model)
    assert not in_place(model)


@pytest.mark.parametrize(
    ("cls", "name"), [(GAN, "update"), (Dense, "dx"), (LeakyReLU, "forward")]
)
def test_a_method_that_a_reader_exchanges_is_the_one_that_runs(cls, name, monkeypatch):
    calls, method = [], getattr(cls, name)
    monkeypatch.setattr(cls, name, lambda *args: calls.append(args) or method(*args))
    steps(game("gan"), 2)
    assert calls


@pytest.mark.parametrize("change", [change for change in NOT_MADE_FOR if change != other_slope])
def test_it_may_come_and_go_between_two_records(change):
    found = []
    for quick in (True, False):
        model, records = game("gan"), []
        with pytest.MonkeyPatch.context() as patch:
            if not quick:
                patch.setattr(fast, "accelerate", lambda model: None)
            for step, record in enumerate(train(model, data(), 8, 7)):
                records.append(record)
                if step == 2:
                    change(model)
        found.append((records, memory(model)))
    assert found[0] == found[1]


def test_another_network_or_parameter_is_taken_at_once():
    def changed(model, step):
        if step == 1:
            model.G = MODELS["gan"](**SMALL, seed=5).G
            fast.accelerate(model)
        elif step == 2:
            model.D_lr, model.real_label, model.ema_decay = 0.01, 0.7, 0.9
        elif step == 3:
            model.D.layers[1].slope = 0.6
        elif step == 4:
            model.G.theta = model.G.theta * 0.5

    found = []
    for quick in (True, False):
        model, records = game("gan"), []
        with pytest.MonkeyPatch.context() as patch:
            if not quick:
                patch.setattr(fast, "accelerate", lambda model: None)
            for step, record in enumerate(train(model, data(), 8, 7)):
                records.append(record)
                changed(model, step)
        found.append((records, memory(model)))
    assert found[0] == found[1]


@pytest.mark.parametrize("dtype", ["complex128"])
def test_another_dtype_is_left_to_the_chapters(dtype):
    assert not in_place(game("gan", dtype=dtype))


def test_arrays_of_another_library_are_left_to_the_chapters(lib):
    if lib.name != "numpy":
        model = game("gan", dtype=lib.dtypes[0])
        for player in ("G", "D"):
            network = getattr(model, player)
            setattr(model, player, Network(network.layers, lib.array(network.theta)))
        fast.accelerate(model)
        batches = Batches(data(), 7, to=model.standardised)
        assert Workspace(batches).for_model(model) is model
        assert batches.out is None


def test_a_conditional_form_of_ones_own_game_is_ones_own():
    assert in_place(conditional(GAN)(**SMALL, n_classes=10))
    assert not in_place(conditional(OwnLoss)(**SMALL, n_classes=10))
