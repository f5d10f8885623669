"""A seed is mixed with what its numbers are for. No two places share numbers, and
wherever a seed goes in, the same one gives the same result and another one another."""

import json
import math

import numpy as np
import pytest

from minigan import GAN, WGANGP, Batches, Dataset, MiniganError, TrainState, train
from minigan.arrays import PURPOSES, stream
from minigan.gradcheck import check_gradient, check_layer, check_network
from minigan.lab import proofs
from minigan.lab.checkpoint import load_checkpoint, save_checkpoint
from minigan.lab.classifier import Classifier
from minigan.lab.cli import main
from minigan.lab.evaluate import evaluate
from minigan.lab.loaders import grid, mnist5k, ring
from minigan.network import mlp

SMALL = {"n_data": 2, "n_noise": 3, "G_hidden": (6,), "D_hidden": (5,), "output": "linear"}
SEEDS = range(51)


def test_no_two_purposes_indices_or_seeds_share_numbers():
    """All numbers are made of these 64 bits, so no distribution and no scale can share them."""
    drawn = []
    for seed in SEEDS:
        drawn.append(
            np.random.default_rng(seed).bit_generator.random_raw(32)
        )  # the reader's own
        for purpose in PURPOSES:
            for index in ((), (0,), (1,), (2,), (2**32,)):
                drawn.append(stream(seed, purpose, *index).bit_generator.random_raw(32))
    drawn = np.concatenate(drawn)
    assert len(np.unique(drawn)) == len(drawn) == 51 * (1 + 5 * len(PURPOSES)) * 32


def test_streams_are_numpys_own_seed_sequences():
    """The children that `SeedSequence.spawn` would make, one in the other."""
    for number, purpose in enumerate(PURPOSES):
        child = np.random.SeedSequence(7).spawn(number + 1)[number]
        grandchild = child.spawn(3)[2]
        for key, index in ((child, ()), (grandchild, (2,))):
            expected = np.random.default_rng(key).random(3)
            np.testing.assert_array_equal(stream(7, purpose, *index).random(3), expected)


def shared(a, b):
    """Whether a stretch of the numbers a is a multiple of one of the numbers b."""
    a, b = a.ravel(), b.ravel()
    n = 6
    windows = np.lib.stride_tricks.sliding_window_view(a, n)
    others = np.lib.stride_tricks.sliding_window_view(b, n)
    lengths = np.linalg.norm(windows, axis=1)[:, None] * np.linalg.norm(others, axis=1)
    return bool((abs(windows @ others.T) > (1 - 1e-9) * lengths).any())


@pytest.mark.parametrize("seed", [0, 1, 5, 50])
def test_neither_scaled_weights_nor_orders_nor_noise_return_elsewhere(seed):
    model = GAN(**SMALL, seed=seed, dtype="float64", init="glorot")
    state = TrainState(seed)
    penalty = state.penalty_rng.standard_normal(30)
    weights = [model.G.params[0][0], model.D.params[0][0]]
    noise = stream(seed, "noise of samples").standard_normal((12, 3))
    places = [*weights, noise, model.noise(12, state.rng), penalty, ring(50, seed=seed).x]
    for i, a in enumerate(places):
        assert shared(-3.0 * a, a)
        assert not any(shared(a, b) for b in places[i + 1 :]), i
    orders = [[x.item() for x, _ in (next(b) for _ in range(20))] for b in epochs(seed)]
    assert len(set(map(tuple, orders))) == len(orders)


def epochs(seed, n=20):
    rows = np.arange(n, dtype="float32").reshape(-1, 1)
    return [Batches(rows, 1, seed, rows=n * epoch) for epoch in range(3)]


@pytest.mark.parametrize("seed", [-1, 1.0, None, True, "1", [1], 2**129])
def test_what_is_no_seed_is_refused(seed):
    with pytest.raises(MiniganError, match="^seed: "):
        stream(seed, "noise of samples")


# ---- wherever a seed goes in ----


def points(n=60):
    return np.random.default_rng(3).random((n, 2)).astype("float32")


def trained(seed, game=GAN, **more):
    model = game(**SMALL | more)
    list(train(model, points(), 3, 8, seed=seed))
    return np.concatenate([model.G.theta, model.D.theta])


def penalties(seed):
    """The points of the penalty alone: the same rows, noise and weights."""
    model, state = WGANGP(**SMALL, n_critic=1), TrainState(seed)
    rows = iter([(points(8), None)] * 3)
    rng = np.random.default_rng(0)
    return [float(model.iteration(rows, rng, state.penalty_rng)["penalty"]) for _ in range(3)]


def measured(seed):
    model = GAN(**SMALL)
    found = evaluate(model, Dataset(points(400)), n=50, seed=seed)
    return json.dumps(found["samples"])


def pixels(seed):
    """A measure of pictures: the log-likelihood of Parzen's window."""
    x = np.random.default_rng(5).random((60, 4)).astype("float32")
    data = Dataset(x, image_shape=(2, 2))
    model = GAN(**SMALL | {"n_data": 4, "output": "sigmoid"})
    return evaluate(model, data, n=20, seed=seed)["samples"]["Parzen log-likelihood"]


def classifier(seed):
    data = mnist5k().part(slice(0, 200))
    return Classifier(data, epochs=1, seed=seed).network.theta


def recorded(check):
    """The directions along which a check looked."""
    seen = []

    def f(x):
        seen.append(np.imag(x).copy())
        return (x**2).sum()

    check(f)
    return np.array(seen)


def large(seed):
    x = np.ones(2001)
    return recorded(lambda f: check_gradient("f", f, x, 2 * x, seed=seed))


class Watched:
    """y = x, which keeps what comes in."""

    def __init__(self):
        self.seen = []

    def forward(self, x):
        return x

    def dx(self, dy, x, y):
        self.seen.append(dy)
        return dy

    def tangent(self, u, x, y):
        self.seen.append(u)
        return u


def of_layer(seed):
    layer = Watched()
    check_layer(layer, np.ones((3, 2)), seed=seed)
    return np.stack(layer.seen)


def of_network(seed):
    network = mlp((2, 3), np.random.default_rng(0), dtype="float64")
    checks = check_network(network, np.ones((4, 2)), seed=seed)
    return [check.worst for check in checks if check.method == "adjoint"]


PLACES = {
    "weights of G": lambda seed: GAN(**SMALL, seed=seed).G.theta,
    "weights of D": lambda seed: GAN(**SMALL, seed=seed).D.theta,
    "sample": lambda seed: GAN(**SMALL).sample(5, seed),
    "train": trained,
    "train wgan-gp": lambda seed: trained(seed, WGANGP, n_critic=2),
    "penalty": penalties,
    "Batches": lambda seed: next(Batches(points(), 60, seed))[0],
    "evaluate points": measured,
    "evaluate pictures": pixels,
    "classifier": classifier,
    "ring": lambda seed: ring(30, seed=seed).x,
    "grid": lambda seed: grid(30, seed=seed).x,
    "points held out": lambda seed: ring(30, seed=seed).source.held_out(30).x,
    "check_gradient": large,
    "check_layer": of_layer,
    "check_network": of_network,
}


@pytest.mark.parametrize("place", PLACES)
def test_the_same_seed_gives_the_same_and_another_seed_another(place):
    one, again, other = (np.asarray(PLACES[place](seed)) for seed in (4, 4, 5))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_points_held_out_are_not_the_data_of_another_seed():
    """They were those of the next seed, so that two runs could hold out each other's data."""
    held_out = {ring(30, seed=seed).source.held_out(30).x.tobytes() for seed in range(5)}
    assert len(held_out) == 5
    assert not held_out & {ring(30, seed=seed).x.tobytes() for seed in range(6)}
    twice = ring(30).source.held_out(30).source.held_out(30)
    assert twice.x.tobytes() not in held_out


def test_the_rows_of_a_proof_are_not_its_vectors():
    seen = {}
    for seed in range(3):
        for k in range(4):
            seen[seed, k] = stream(seed, "cases of a proof", k).standard_normal(8).tobytes()
        seen[seed, "v"] = stream(seed, "vectors of a proof").standard_normal(8).tobytes()
    assert len(set(seen.values())) == len(seen)
    small = proofs.GameUnderProof("wgan-gp", (0, 5, (3, 7, 4)), "float64", np.zeros(0))
    assert not shared(small.x, small.model.G.params[0][0])


@pytest.fixture
def run_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(*words):
    assert main(list(map(str, words))) == 0


def config_and_theta(folder):
    model, state = load_checkpoint(folder / "checkpoint.npz")
    return np.concatenate([model.G.theta, model.D.theta])


def test_the_seeds_of_the_command_line(run_folder):
    quick = ["train", "gan", "--data", "ring", "--quiet", "--steps", 2, "--batch-size", 8]
    for name, seed in (("a", 4), ("b", 4), ("c", 5)):
        command(*quick, "--seed", seed, "--out", run_folder / name)
    a, b, c = (config_and_theta(run_folder / name) for name in "abc")
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()
    for name, seed in (("a", 4), ("b", 4), ("c", 5)):
        command("sample", "a", "-n", 5, "--seed", seed, "-o", f"{name}.npz")
    x = {name: np.load(f"{name}.npz")["x"].tobytes() for name in "abc"}
    assert x["a"] == x["b"] != x["c"]
    tables = []
    for seed in (4, 4, 5):
        command("evaluate", "a", "--n", 40, "--seed", seed)
        tables.append(json.loads((run_folder / "a" / "metrics.json").read_text())["samples"])
    assert tables[0] == tables[1] != tables[2]


def test_a_run_on_points_that_an_older_version_drew_goes_on_with_new_ones(run_folder):
    """Its config.json knows the points of old by a checksum, and nothing draws them now."""
    quick = ["train", "gan", "--data", "ring", "--quiet", "--batch-size", 8, "--out", "a"]
    command(*quick, "--steps", 2)
    path = run_folder / "a" / "config.json"
    about = json.loads(path.read_text()) | {"data_sha256": "0" * 64}
    path.write_text(json.dumps(about))
    command(*quick, "--steps", 4, "--resume")
    command("sample", "a", "-n", 5, "-o", "x.png")
    command("evaluate", "a", "--n", 40)
    assert load_checkpoint(run_folder / "a" / "checkpoint.npz")[1].step == 4


# ---- what a run keeps ----


@pytest.mark.parametrize("stop", [1, 4])
def test_a_run_with_a_penalty_is_resumed_bit_for_bit(stop, tmp_path):
    """Both generators are kept, and that of the penalty is not that of the noise."""
    make = {**SMALL, "n_critic": 2, "ema_decay": 0.5}
    whole, halved, state = WGANGP(**make), WGANGP(**make), TrainState(3)
    records = list(train(whole, points(), 6, 8, seed=3))
    first = list(train(halved, points(), stop, 8, state=state))
    save_checkpoint(tmp_path / "c.npz", halved, state)
    resumed, state = load_checkpoint(tmp_path / "c.npz")
    assert first + list(train(resumed, points(), 6, 8, state=state)) == records
    for own, other in zip(parts(resumed), parts(whole), strict=True):
        np.testing.assert_array_equal(own, other)
    about = json.loads(json.dumps(state.to_dict()))
    assert about["rng"]["state"] != about["penalty_rng"]["state"]
    assert math.isfinite(records[-1]["penalty"])


def parts(model):
    networks = model.G, model.D, model.G_average
    return [network.theta for network in networks if network]


def test_the_state_of_an_older_run_keeps_its_generator_for_the_noise():
    older, rng = TrainState(3, 5, 40).to_dict(), np.random.default_rng(11)
    del older["penalty_rng"]
    older["rng"] = rng.bit_generator.state
    state = TrainState.from_dict(older)
    np.testing.assert_array_equal(state.rng.random(4), rng.random(4))
    expected = stream(3, "points of the penalty").random(4)
    np.testing.assert_array_equal(state.penalty_rng.random(4), expected)


def test_a_penalty_does_not_change_the_noise_that_a_run_draws():
    """With and without random points of a penalty, the generator sees the same noise."""
    seen = []
    for draws in (True, False):
        model, state = WGANGP(**SMALL, n_critic=2), TrainState(1)
        noise, kept = model.noise, []
        model.noise = lambda m, rng, noise=noise, kept=kept: (
            kept.append(noise(m, rng)) or kept[-1]
        )
        if not draws:
            model.penalty = lambda *args: None
        list(train(model, points(), 3, 8, state=state))
        seen.append(np.concatenate(kept))
    np.testing.assert_array_equal(*seen)
