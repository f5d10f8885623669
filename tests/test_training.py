"""The training loop repeats itself bit for bit, takes each player's steps in order on fresh
rows, goes on exactly where it stopped, and stops at the first number that is none."""

import ctypes
import itertools
import json
import math
import os

import numpy as np
import pytest

import minigan
from minigan import CGAN, GAN, WGAN, DataError, Dataset, DivergedError, MiniganError, fast
from minigan.lab.loaders import ring, ring_modes
from minigan.lab.models import MODELS, build
from minigan.training import TrainState, check_finite, check_fit, finite, keep_heap, train
from minigan.wgan import Wasserstein

SMALL = {"n_noise": 4, "G_hidden": (8,), "D_hidden": (8,)}
POINTS = SMALL | {"n_data": 2, "output": "linear"}
DATA = ring(n=100)
every_game = pytest.mark.parametrize("name", MODELS)


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    """Nothing is compiled: the numbers are the same."""
    monkeypatch.setattr(fast, "njit", None)


@pytest.fixture
def few_steps(monkeypatch):
    """A young WGAN takes as many steps of its critic as an old one."""
    monkeypatch.setattr(WGAN, "critic_steps", Wasserstein.critic_steps)


def small(name="gan", **more):
    own = {"n_classes": 8} if name.startswith("c") else {}
    own |= {"n_critic": 3} if "wgan" in name else {}
    return build(name, **POINTS | own | more)


def thetas(model):
    average = [] if model.G_average is None else [model.G_average.theta]
    return np.concatenate([model.G.theta, model.D.theta, *average])


def run(model, steps, state=None, seed=0, stop=None):
    """The records of a run of so many steps, or of its first steps."""
    records = train(model, DATA, steps, batch_size=16, seed=seed, state=state)
    return list(itertools.islice(records, stop))


# ---- repeating, stopping, going on ----


@every_game
def test_the_same_seed_gives_the_same_run_and_another_does_not(name, few_steps):
    models = [small(name) for _ in range(3)]
    records = [run(model, 5, seed=seed) for model, seed in zip(models, (0, 0, 1))]
    assert records[0] == records[1] != records[2]
    np.testing.assert_array_equal(thetas(models[0]), thetas(models[1]))
    assert (thetas(models[0]) != thetas(models[2])).any()


def test_rows_and_noise_both_follow_the_seed(monkeypatch):
    seen = {}

    def update(self, x, z, c=None, rng=None):
        seen[self].append((x.tobytes(), z.tobytes()))
        return {"loss_D": np.zeros(())}

    monkeypatch.setattr(GAN, "update", update)
    found = []
    for seed in (0, 0, 1):
        model = small()
        seen[model] = []
        run(model, 3, seed=seed)
        found.append(seen[model])
    assert found[0] == found[1]
    for one, other in zip(found[0], found[2]):
        assert one[0] != other[0]
        assert one[1] != other[1]
    assert len({z for _, z in found[0]}) == 3


@every_game
@pytest.mark.parametrize("stop", [1, 4, 6])
def test_a_run_that_stops_and_goes_on_is_bit_for_bit_a_run_never_stopped(name, stop, few_steps):
    whole, halved = (small(name, ema_decay=0.5) for _ in range(2))
    records, state = run(whole, 7), TrainState(seed=0)
    first = run(halved, 7, state, stop=stop)
    state = TrainState.from_dict(json.loads(json.dumps(state.to_dict())))
    assert first + run(halved, 7, state) == records
    np.testing.assert_array_equal(thetas(halved), thetas(whole))


def test_training_is_a_generator_that_the_caller_may_stop():
    model, state = small(), TrainState()
    for record in train(model, DATA, 1000, batch_size=16, state=state):
        assert (state.step, state.rows) == (record["step"], 16 * record["step"])
        if record["step"] == 3:
            break
    assert model.G_optimizer.t == model.D_optimizer.t == 3


def test_steps_are_counted_from_the_beginning_of_the_run():
    model, state = small(), TrainState()
    assert [record["step"] for record in run(model, 3, state)] == [1, 2, 3]
    assert run(model, 3, state) == run(model, 0, state) == []
    assert [record["step"] for record in run(model, 5, state)] == [4, 5]
    assert state.step == 5
    for wrong in (-1, 2.0, "3", None):
        with pytest.raises(MiniganError, match="^steps: "):
            run(model, wrong)


def test_a_state_that_is_given_decides_the_seed():
    one, other = (run(small(), 2, TrainState(seed=5), seed=seed) for seed in (0, 1))
    assert one == other == run(small(), 2, seed=5)


def test_the_seed_is_0_and_the_batch_size_64_unless_they_are_given():
    state = TrainState(0)
    found = list(train(small(), DATA, 2, state=state))
    assert state.rows == 128
    assert found == list(train(small(), DATA, 2))
    assert found == list(train(small(), DATA, 2, batch_size=64, seed=0))


def test_where_a_run_stands_is_whole_numbers_from_0():
    state = TrainState()
    assert (state.seed, state.step, state.rows) == (0, 0, 0)
    for name in ("seed", "step", "rows"):
        for right in (0, 9 * 10**15, np.int64(3)):
            value = getattr(TrainState(**{name: right}), name)
            assert (value, type(value)) == (right, int)
        for wrong in (-1, 9 * 10**15 + 1, 1.0, "1", None, True):
            with pytest.raises(MiniganError, match=f"^{name}: "):
                TrainState(**{name: wrong})


def test_where_a_run_stands_is_kept_as_json_and_comes_back():
    state = TrainState(3, 4, 5)
    run(small(), 7, state)
    kept = json.loads(json.dumps(state.to_dict()))
    assert {name: kept[name] for name in ("seed", "step", "rows")} == {
        "seed": 3,
        "step": 7,
        "rows": 5 + 3 * 16,
    }
    back = TrainState.from_dict(kept | {"note": "mine"})
    assert back.to_dict() == state.to_dict() == kept
    assert run(small(), 9, back) == run(small(), 9, state)


# ---- one iteration ----


def calls_of(monkeypatch, name):
    """What an iteration does, in order; the rows that were given, and the noise."""
    cls, events, rows, noise = MODELS[name], [], [], []
    for step, do in (("G", cls.descend_G), ("D", cls.descend_D)):

        def wrapped(self, *args, step=step, do=do):
            events.append(step)
            return do(self, *args)

        monkeypatch.setattr(cls, f"descend_{step}", wrapped)

    class Spied(minigan.Batches):
        def __next__(self):
            events.append("rows")
            x, labels = super().__next__()
            rows.append(x)
            return x, labels

    def drawn(self, m, rng, do=cls.noise):
        noise.append(do(self, m, rng))
        return noise[-1]

    monkeypatch.setattr("minigan.training.Batches", Spied)
    monkeypatch.setattr(cls, "noise", drawn)
    return events, rows, noise


@every_game
def test_g_steps_then_d_and_a_critic_again_on_fresh_rows_and_noise(
    name, few_steps, monkeypatch
):
    model, state, k = small(name), TrainState(), 3 if "wgan" in name else 1
    events, rows, noise = calls_of(monkeypatch, name)
    for step in (1, 2):
        run(model, step, state)
        assert events == ["rows", "G", "D", *(k - 1) * ["rows", "D"]]
        assert state.rows == 16 * k * step
        events.clear()
    assert all(len(x) == 16 for x in (*rows, *noise))
    assert len({x.tobytes() for x in rows}) == len({z.tobytes() for z in noise}) == 2 * k
    assert (model.G_optimizer.t, model.D_optimizer.t) == (2, 2 * k)


def test_a_young_wgans_critic_takes_a_hundred_steps_and_each_takes_rows():
    model, state = small("wgan"), TrainState()
    run(model, 1, state)
    assert (state.rows, model.D_optimizer.t, model.G_optimizer.t) == (1600, 100, 1)


def test_every_row_comes_once_before_one_comes_again(monkeypatch):
    _, rows, _ = calls_of(monkeypatch, "gan")
    list(train(small(), DATA, 10, batch_size=20))
    for epoch in (rows[:5], rows[5:]):
        given = np.concatenate(epoch)
        np.testing.assert_array_equal(np.sort(given, axis=0), np.sort(DATA.x, axis=0))
    assert (np.concatenate(rows[:5]) != np.concatenate(rows[5:])).any()


NAMES = {
    "gan": ["D(x)", "D(G(z))"],
    "wgan": ["w_estimate"],
    "wgan-gp": ["w_estimate", "penalty"],
}
NAMES |= {"lsgan": ["D(x)", "D(G(z))"], "r3gan": ["D(x)>D(G(z))", "penalty"]}


@every_game
def test_a_record_holds_the_step_the_losses_and_what_the_game_reports(name, few_steps):
    for record in run(small(name), 2):
        assert next(iter(record)) == "step"
        assert set(record) == {"step", "loss_D", "loss_G", *NAMES[name.removeprefix("c")]}
        assert type(record.pop("step")) is int
        assert all(type(v) is float and math.isfinite(v) for v in record.values())


def test_a_complex_model_reports_real_numbers():
    """Complex parameters are there to prove derivatives; they may be trained all the same."""
    found = run(small(dtype="complex128"), 3)
    assert found == [pytest.approx(each, rel=1e-9) for each in run(small(dtype="float64"), 3)]


def test_an_array_will_do_for_data():
    x = np.random.default_rng(0).random((40, 2))
    model = small()
    records = list(train(model, x, 2, batch_size=8))
    assert records == list(train(small(), Dataset(x), 2, batch_size=8))


def test_the_ring_is_learned_in_seconds():
    """At least 7 of 8 modes, each with samples within three standard deviations."""
    data = ring(n=5000, std=0.05)
    model = GAN(n_data=2, output="linear", n_noise=2)
    for _ in train(model, data, 3000, batch_size=128):
        pass
    distance = np.linalg.norm(model.sample(2000)[:, None] - ring_modes()[None], axis=2)
    nearest, near = distance.argmin(axis=1), distance.min(axis=1) < 3 * 0.05
    counts = np.bincount(nearest[near], minlength=8)
    assert (counts >= 20).sum() >= 7, counts


# ---- data that do not suit the model ----


def labelled(labels):
    return Dataset(np.full((len(labels), 2), 0.5), labels)


@pytest.mark.parametrize(
    ("cls", "options", "data", "message"),
    [
        (GAN, POINTS | {"n_data": 3}, DATA, "^data: ring has 2 columns, the model needs 3$"),
        (
            GAN,
            SMALL | {"n_data": 2},
            np.full((50, 2), -1e-6),
            "goes from -1e-06 to -1e-06, but",
        ),
        (GAN, SMALL | {"n_data": 2}, np.full((50, 2), 1.001), "a sigmoid output stays in"),
        (CGAN, POINTS | {"n_classes": 7}, DATA, "labels up to 7, the model has 7 classes"),
        (CGAN, POINTS, np.ones((50, 2)), "has no labels, which a conditional model needs"),
        (
            CGAN,
            POINTS | {"n_classes": 9},
            labelled([5, 7, 9] * 10),
            "numbered 0 to 2 here, so n_classes must be 3, got 9$",
        ),
        (
            CGAN,
            POINTS | {"n_classes": 2},
            labelled([4] * 20),
            "numbered 0 here, so n_classes must be 1, got 2$",
        ),
        (
            CGAN,
            POINTS | {"n_classes": 3},
            labelled([0, 2] * 10),
            "numbered 0 to 1 here, so n_classes must be 2, got 3$",
        ),
        (GAN, POINTS, np.ones(50), r"\(50,\)"),
        (GAN, POINTS, np.full((50, 2), np.nan), "finite"),
        (GAN, POINTS, np.ones((8, 2)), "batch_size"),
    ],
)
def test_unsuitable_data_is_refused_before_the_first_step(cls, options, data, message):
    model = cls(**options)
    before = thetas(model).copy()
    with pytest.raises(DataError, match=message):
        train(model, data, 10, batch_size=16)
    np.testing.assert_array_equal(thetas(model), before)


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (GAN(**SMALL | {"n_data": 2}), Dataset([[0.0, 1.0], [1.0, 0.0]])),
        (GAN(**POINTS), Dataset([[-5.0, 1e6]])),
        (GAN(**POINTS), labelled([5, 7])),
        (CGAN(**POINTS, n_classes=8), DATA),
        (CGAN(**POINTS, n_classes=9), DATA),
        (CGAN(**POINTS, n_classes=2), labelled([5, 7])),
        (CGAN(**POINTS, n_classes=1), labelled([4, 4])),
    ],
)
def test_data_that_just_suit_the_model_are_taken(model, data):
    check_fit(model, data)


# ---- numbers that are none ----


@pytest.mark.parametrize("player", ["G", "D"])
def test_a_parameter_that_is_not_a_number_stops_the_run_and_is_named(player):
    model = small()
    records = train(model, DATA, 10, batch_size=16)
    next(records)
    getattr(model, player).theta[0] = np.nan
    with pytest.raises(DivergedError, match=f"step 2: .*a parameter of {player}.*smaller lr"):
        next(records)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["loss_G", "D(x)"])
def test_a_run_stops_at_the_first_record_that_is_not_finite(name, bad, monkeypatch):
    count, iteration = iter(range(1, 10)), GAN.iteration

    def third_is_bad(self, *args):
        return iteration(self, *args) | ({name: np.float32(bad)} if next(count) == 3 else {})

    monkeypatch.setattr(GAN, "iteration", third_is_bad)
    records, state = [], TrainState()
    with pytest.raises(DivergedError) as caught:
        records.extend(train(small(lr=0.25), DATA, 10, batch_size=16, state=state))
    said = f"step 3: not finite: {name}; try a smaller lr (now 0.25), and look for extreme "
    assert str(caught.value) == said + "values in the data"
    assert state.step == 3


@pytest.mark.filterwarnings("error")
@every_game
def test_a_rate_that_is_far_too_large_ends_in_one_error_and_no_warning(name, few_steps):
    model = small(name, lr=1e30, D_lr=1e30)
    with pytest.raises(DivergedError, match=r"^step \d+: not finite: .*\(now 1e\+30\)"):
        run(model, 1000)


def test_what_is_not_finite_is_named_all_of_it():
    model = small()
    good = {"loss_D": 1.0, "loss_G": -2.0}
    check_finite(model, good, 5)
    for player in "GD":
        with_nan = small()
        getattr(with_nan, player).theta[-1] = np.nan
        with pytest.raises(
            DivergedError, match=f"^step 5: not finite: a parameter of {player};"
        ):
            check_finite(with_nan, good, 5)
    model.G.theta[2] = model.D.theta[0] = -np.inf
    named = "loss_D, loss_G, a parameter of G, a parameter of D"
    with pytest.raises(DivergedError, match=f"^step 7: not finite: {named}; try"):
        check_finite(model, {"loss_D": math.nan, "x": 0.0, "loss_G": math.inf}, 7)


def test_one_entry_that_is_not_finite_is_found(lib):
    assert finite(lib.array(np.array([1e30, -1e30, 0.0]), lib.dtypes[0])) is True
    for bad in (np.nan, np.inf, -np.inf):
        for place in range(3):
            theta = np.zeros(3)
            theta[place] = bad
            assert finite(lib.array(theta, lib.dtypes[0])) is False


# ---- memory ----


class LibC:
    """Stands in for the C library: remembers what it is told."""

    def __init__(self):
        self.told = []

    def mallopt(self, name, value):
        self.told.append((name, value))


def test_glibc_is_told_by_malloc_hs_numbers_to_keep_freed_memory(monkeypatch):
    """M_MMAP_THRESHOLD is −3 and M_TRIM_THRESHOLD is −1; both become a gigabyte."""
    libc, asked = LibC(), []
    monkeypatch.setattr(ctypes, "CDLL", lambda name: asked.append(name) or libc)
    monkeypatch.setattr(os, "name", "posix")
    keep_heap()
    assert asked == [None]  # the process itself
    assert sorted(libc.told) == [(-3, 2**30), (-1, 2**30)]


def test_another_c_library_is_told_nothing(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    keep_heap()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: pytest.fail("asked for a C library"))
    monkeypatch.setattr("minigan.training.os.name", "nt")
    keep_heap()


def test_training_keeps_the_heap_and_takes_the_short_ways(monkeypatch):
    called = []
    monkeypatch.setattr("minigan.training.keep_heap", lambda: called.append(1))
    model = small()
    run(model, 1)
    assert called == [1]
    assert type(model.G) is type(model.D) is fast.FastNetwork
