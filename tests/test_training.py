"""Chapters 14 and 15: training repeats itself bit for bit, stops at the first NaN, resumes
exactly, and never loses the last good checkpoint."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import minigan
from minigan import CGAN, GAN, WGAN, CheckpointError, DataError, DivergedError, RunError
from minigan.lab.checkpoint import load_checkpoint, save_checkpoint
from minigan.lab.loaders import ring, ring_modes
from minigan.training import TrainState, train

SMALL = {"n_noise": 4, "G_hidden": (8,), "D_hidden": (8,)}
POINTS = SMALL | {"n_data": 2, "output": "linear"}


def small(cls):
    return cls(**POINTS, **({"n_classes": 8} if cls is CGAN else {}))


def thetas(model):
    """Every number that is trained, or averaged, in one array."""
    networks = model.G, model.D, model.G_average
    return np.concatenate([network.theta for network in networks if network])


def run(model, steps, state=None, seed=0):
    return list(train(model, ring(n=100), steps, batch_size=16, seed=seed, state=state))


every_model = pytest.mark.parametrize("cls", [GAN, CGAN, WGAN])


@every_model
def test_the_same_seed_gives_the_same_run_and_another_does_not(cls):
    models = [small(cls) for _ in range(3)]
    records = [run(model, 12, seed=seed) for model, seed in zip(models, (0, 0, 1))]
    assert records[0] == records[1]
    np.testing.assert_array_equal(thetas(models[0]), thetas(models[1]))
    assert (thetas(models[0]) != thetas(models[2])).any()


@every_model
@pytest.mark.parametrize("stop", [1, 5, 11])
def test_a_resumed_run_is_bit_for_bit_a_run_never_stopped(cls, stop, tmp_path):
    whole, halved = small(cls), small(cls)
    records = run(whole, 12)
    state = TrainState(seed=0)
    first = run(halved, stop, state)
    save_checkpoint(tmp_path / "c.npz", halved, state)
    resumed, state = load_checkpoint(tmp_path / "c.npz")
    second = run(resumed, 12, state)
    assert first + second == records
    np.testing.assert_array_equal(thetas(resumed), thetas(whole))


def test_training_is_a_generator_that_the_caller_may_stop():
    model = small(GAN)
    for record in train(model, ring(n=100), 1000, batch_size=16):
        if record["step"] == 3:
            break
    assert model.G_optimizer.t == 3
    assert set(record) == {"step", "loss_D", "loss_G", "D(x)", "D(G(z))"}
    assert all(type(value) in (int, float) for value in record.values())


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


@pytest.mark.parametrize(
    ("cls", "options", "data", "message"),
    [
        (GAN, POINTS | {"n_data": 3}, ring(n=50), "ring has 2 columns, the model needs 3"),
        (GAN, SMALL | {"n_data": 2}, ring(n=50), "a sigmoid output stays in"),
        (CGAN, POINTS | {"n_classes": 7}, ring(n=50), "7"),
        (CGAN, POINTS, np.ones((50, 2)), "has no labels, which a conditional model needs"),
        (GAN, POINTS, np.ones(50), r"\(50,\)"),
        (GAN, POINTS, np.full((50, 2), np.nan), "nan|finite"),
        (GAN, POINTS, np.ones((8, 2)), "batch_size"),
    ],
)
def test_unsuitable_data_is_refused_before_the_first_step(cls, options, data, message):
    model = cls(**options)
    before = thetas(model).copy()
    with pytest.raises(DataError, match=message):
        train(model, data, 10, batch_size=16)
    np.testing.assert_array_equal(thetas(model), before)


@pytest.mark.parametrize("player", ["G", "D"])
def test_a_parameter_that_is_not_a_number_stops_the_run_and_is_named(player):
    model = small(GAN)
    records = train(model, ring(n=100), 10, batch_size=16)
    next(records)
    getattr(model, player).theta[0] = np.nan
    with pytest.raises(DivergedError, match=f"step 2: .*a parameter of {player}.*smaller lr"):
        next(records)


def test_a_model_that_diverged_is_not_saved_over_the_last_good_checkpoint(tmp_path):
    model, path = small(GAN), tmp_path / "c.npz"
    save_checkpoint(path, model, TrainState())
    good = path.read_bytes()
    model.D.theta[3] = np.inf
    with pytest.raises(DivergedError, match="not finite: D theta"):
        save_checkpoint(path, model, TrainState())
    assert path.read_bytes() == good


@pytest.fixture
def saved(tmp_path):
    """A checkpoint after three steps and the arrays in it."""
    model, state = small(GAN), TrainState()
    run(model, 3, state)
    path = tmp_path / "c.npz"
    save_checkpoint(path, model, state)
    with np.load(path, allow_pickle=False) as file:
        return path, dict(file)


def assert_refused(path, message):
    with pytest.raises(CheckpointError, match=message) as caught:
        load_checkpoint(path)
    assert str(path) in str(caught.value) or "theta" in str(caught.value)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_checkpoint_is_refused(saved, share):
    path, _ = saved
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert_refused(path, "truncated, or not a minigan checkpoint")


def test_a_flipped_bit_is_noticed(saved):
    path, _ = saved
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert_refused(path, "truncated, or not a minigan checkpoint")


def test_pickles_are_never_loaded(saved, tmp_path):
    path, arrays = saved

    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "exploded"),)

    np.savez(path, **(arrays | {"G_theta": np.array([Bomb()], dtype=object)}))
    assert_refused(path, r"G_theta: expected shape .* got \(1,\) of object")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04"])
def test_a_file_that_is_not_ours_is_refused(tmp_path, content):
    (tmp_path / "c.npz").write_bytes(content)
    assert_refused(tmp_path / "c.npz", "not a minigan checkpoint")


def test_a_missing_checkpoint_says_so(tmp_path):
    assert_refused(tmp_path / "c.npz", "cannot read .*No such file")


def about(arrays, **changes):
    known = json.loads(str(arrays["about"]))
    return {**arrays, "about": np.array(json.dumps(known | changes))}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: about(a, format=99), "format version 99, this minigan reads 1 to 3"),
        (lambda a: about(a, model="vae"), "model: expected one of gan, cgan, wgan"),
        (lambda a: about(a, parameters={"layers": 3}), "no parameter 'layers'"),
        (lambda a: about(a, parameters=POINTS | {"G_hidden": (9,)}), "G_theta: expected"),
        (lambda a: about(a, rng={"bit_generator": "MT19937"}), "not a minigan checkpoint"),
        (lambda a: {k: v for k, v in a.items() if k != "D_theta"}, "D_theta"),
        (lambda a: {k: v for k, v in a.items() if k != "about"}, "about"),
        (lambda a: a | {"D_theta": a["D_theta"] * np.nan}, "D_theta: expected"),
        (lambda a: a | {"D_optimizer_V": a["D_theta"][:3]}, "D_optimizer_V: expected"),
    ],
)
def test_a_checkpoint_that_does_not_fit_its_description_is_refused(saved, change, message):
    path, arrays = saved
    np.savez(path, **change(arrays))
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(path)


def test_no_space_keeps_the_old_checkpoint_and_leaves_no_litter(saved, monkeypatch):
    path, _ = saved
    good = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"cannot write .*c\.npz: No space left on device"):
        save_checkpoint(path, small(GAN), TrainState())
    assert path.read_bytes() == good
    assert os.listdir(path.parent) == ["c.npz"]


KILLED = """
import itertools, sys
from minigan import GAN, TrainState, save_checkpoint
model = GAN()
for step in itertools.count(1):
    save_checkpoint(sys.argv[1], model, TrainState(step=step))
    if step == 1:
        print("ready", flush=True)
"""


def test_kill_minus_nine_while_saving_leaves_a_readable_checkpoint(tmp_path):
    path = tmp_path / "c.npz"
    for delay in (0.005, 0.02, 0.05):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout.readline() == "ready\n"
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        model, state = load_checkpoint(path)
        assert state.step >= 1
        assert np.isfinite(model.G.theta).all()


@pytest.mark.parametrize(
    ("cls", "option", "message"),
    [
        (GAN, {"n_noise": 0}, "n_noise: must be at least 1, got 0"),
        (GAN, {"G_hidden": (128, 0)}, "G_hidden: must be at least 1, got 0"),
        (GAN, {"lr": -1.0}, "lr: expected a positive number"),
        (GAN, {"real_label": 1.5}, "real_label"),
        (GAN, {"dtype": "float16"}, "dtype: expected one of float32, float64, complex128"),
        (GAN, {"backend": "torch"}, "backend: expected one of numpy, cupy, got 'torch'"),
        (CGAN, {"n_classes": 0}, "n_classes: must be at least 1"),
        (WGAN, {"clip": 0.0}, "clip: expected a positive number"),
        (WGAN, {"n_critic": 0}, "n_critic: must be at least 1"),
        (WGAN, {"D_lr": 0.0}, "lr: expected a positive number"),
    ],
)
def test_impossible_parameters_are_refused(cls, option, message):
    with pytest.raises(minigan.MiniganError, match=message):
        cls(**option)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([3, 10], "labels: expected 0 to 9, got 10"),
        ([-1], "labels: expected 0 to 9, got -1"),
        ([1.5], "labels: expected whole numbers"),
    ],
)
def test_labels_outside_the_classes_cannot_be_sampled(labels, message):
    with pytest.raises(DataError, match=message):
        CGAN().sample(labels=labels)


def test_samples_repeat_with_their_seed():
    model = CGAN()
    np.testing.assert_array_equal(model.sample(4, seed=3), model.sample(4, seed=3))
    assert (model.sample(4, seed=3) != model.sample(4, seed=4)).any()
    assert model.sample(labels=[3, 1, 4]).shape == (3, 784)
    assert model.sample(5, labels=[3, 1, 4]).shape == (5, 784)
