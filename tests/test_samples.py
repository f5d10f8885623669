"""Chapters 6 and 7: noise and rows on their way in, samples on their way out."""

import numpy as np
import pytest

from minigan import CGAN, GAN, DataError, MiniganError
from minigan.arrays import stream

SMALL = {"n_data": 4, "n_noise": 3, "G_hidden": (6,), "D_hidden": (5, 2)}


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
def test_noise_is_drawn_in_the_real_dtype_of_the_model(dtype):
    model, real = GAN(**SMALL, dtype=dtype), "float32" if dtype == "float32" else "float64"
    z = model.noise(7, np.random.default_rng(3))
    expected = np.random.default_rng(3).standard_normal((7, 3), real)
    assert z.dtype == dtype
    np.testing.assert_array_equal(z, expected)


def test_floats_take_the_models_dtype_and_whole_numbers_stay():
    model = GAN(**SMALL)
    floats, whole = np.ones(3), np.arange(3)
    assert model.asarray(floats).dtype == np.float32
    assert model.asarray(whole) is whole
    same = floats.astype("float32")
    assert model.asarray(same) is same


def test_samples_are_g_of_noise_from_the_seed():
    model = GAN(**SMALL)
    expected = model.generate(model.noise(6, stream(4, "noise of samples")))
    np.testing.assert_array_equal(model.sample(6, seed=4), expected)
    np.testing.assert_array_equal(model.sample(6), model.sample(6, seed=0))
    assert (model.sample(6) != expected).any()


def test_conditional_samples_take_the_classes_in_turn_or_as_asked():
    model = CGAN(**SMALL, n_classes=3)
    z, eye = model.noise(5, stream(0, "noise of samples")), np.eye(3, dtype="float32")
    in_turn = model.generate(z, eye[[0, 1, 2, 0, 1]])
    np.testing.assert_array_equal(model.sample(5), in_turn)
    np.testing.assert_array_equal(model.sample(5, labels=[0, 1, 2, 0, 1]), in_turn)
    np.testing.assert_array_equal(model.sample(labels=[0, 1, 2, 0, 1]), in_turn)
    assert model.sample().shape == (3, 4)
    np.testing.assert_array_equal(model.sample(5, labels=[0, 1, 2]), in_turn)
    np.testing.assert_array_equal(model.sample(5, labels=range(3)), in_turn)
    other = model.generate(model.noise(5, stream(9, "noise of samples")), eye[[2] * 5])
    np.testing.assert_array_equal(model.sample(5, seed=9, labels=[2] * 5), other)


@pytest.mark.parametrize(
    ("n", "labels", "message"),
    [
        (None, [0.5], r"labels: expected whole numbers, got \[0.5\]"),
        (None, [[0, 1]], r"labels: expected whole numbers, got \[\[0, 1\]\]"),
        (None, [0, 3], "labels: expected 0 to 2, got 3"),
        (None, [-1, 2], "labels: expected 0 to 2, got -1"),
        (3, [], r"labels: expected whole numbers, got \[\]"),
    ],
)
def test_labels_that_cannot_be_drawn_are_refused(n, labels, message):
    with pytest.raises(DataError, match=f"^{message}$"):
        CGAN(**SMALL, n_classes=3).sample(n, labels=labels)


def test_labels_of_any_whole_dtype_are_drawn():
    model = CGAN(**SMALL, n_classes=3)
    for dtype in ("uint8", "int32", "int64"):
        labels = np.array([0, 2], dtype)
        np.testing.assert_array_equal(model.sample(labels=labels), model.sample(labels=[0, 2]))


def test_samples_may_take_the_memory_that_is_there_and_no_more(monkeypatch):
    model = GAN(n_data=4, n_noise=3, G_hidden=(6,), D_hidden=(5, 2))
    widest = 8 * 100 * (3 + 6 + 4)  # every row of every layer of G in float64
    monkeypatch.setattr("minigan.arrays._memory", lambda: widest)
    assert model.sample(100).shape == (100, 4)
    monkeypatch.setattr("minigan.arrays._memory", lambda: widest - 1)
    with pytest.raises(MiniganError, match="^100 samples would take"):
        model.sample(100)


@pytest.mark.parametrize("labels", [2, [2], np.int64(2), np.array(2), (2, 2)])
def test_one_label_asks_for_that_class_alone(labels):
    model = CGAN(**SMALL, n_classes=3)
    expected = model.sample(labels=[2] * 7)
    np.testing.assert_array_equal(model.sample(7, labels=labels), expected)
    np.testing.assert_array_equal(model.sample(np.int64(7), np.int64(0), labels), expected)
    assert len(model.sample(labels=labels)) == np.size(labels)


def test_fewer_samples_than_labels_take_the_first_of_them():
    model = CGAN(**SMALL, n_classes=3)
    first = model.sample(2, labels=[1, 0])
    np.testing.assert_array_equal(model.sample(2, labels=[1, 0, 2, 2]), first)


@pytest.mark.parametrize("game", [GAN, CGAN])
@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"n": 3, "seed": -1}, "seed: must be at least 0, got -1"),
        ({"n": 3, "seed": 1.0}, "seed: expected a whole number, got 1.0"),
        ({"n": 3, "seed": None}, "seed: expected a whole number, got None"),
        ({"n": 0}, "n: must be at least 1, got 0"),
        ({"n": -3}, "n: must be at least 1, got -3"),
        ({"n": 2.0}, "n: expected a whole number, got 2.0"),
        ({"n": True}, "n: expected a whole number, got True"),
    ],
)
def test_samples_that_cannot_be_drawn_are_refused(game, how, message):
    with pytest.raises(MiniganError, match=f"^{message}$"):
        game(**SMALL).sample(**how)
