"""Chapter 23: the loss against autograd and the complex step, the pictures, the cache."""

import errno
import io
import os
import tracemalloc
import zipfile

import numpy as np
import pytest

from minigan.data import Dataset
from minigan.errors import DataError, DivergedError, MiniganError
from minigan.lab.classifier import SIDE, Classifier, checksum, warped
from minigan.lab.loaders import load, ring


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def test_a_picture_that_is_not_changed_stays_and_shifts_are_shifts():
    images = np.random.default_rng(0).random((3, SIDE, SIDE), dtype="float32")
    still = {"shift": 0, "angle": 0, "zoom": 0, "slant": 0}
    rng = np.random.default_rng(1)
    np.testing.assert_allclose(warped(images, rng, **still).reshape(images.shape), images)

    class Down:
        """Draws no change but a shift by two rows."""

        def uniform(self, low, high, shape):
            drawn = np.zeros(shape)
            if len(shape) == 3:
                drawn[0] = -2
            return drawn

    moved = warped(images, Down()).reshape(images.shape)
    np.testing.assert_allclose(moved[:, 2:], images[:, :-2], atol=1e-6)
    np.testing.assert_allclose(moved[:, :2], 0, atol=1e-6)


def test_a_picture_of_many_kinds_keeps_its_ink_in_range():
    images = np.random.default_rng(0).random((50, SIDE, SIDE), dtype="float32")
    x = warped(images, np.random.default_rng(1))
    assert x.dtype == np.float32
    assert x.shape == (50, SIDE * SIDE)
    assert x.min() >= 0
    assert x.max() <= 1 + 1e-6


def few_digits(n=600):
    data = load("mnist5k")
    rows = np.random.default_rng(0).permutation(len(data.x))[:n]
    return Dataset(data.x[rows], data.labels[rows], (28, 28), "few")


def test_the_classifier_learns_repeats_itself_and_is_cached(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGAN_CACHE", str(tmp_path / "new"))
    data = few_digits()
    first = Classifier(data, epochs=4, cache=True)
    (path,) = (tmp_path / "new").glob("classifier-*.bin")
    held = data.x[:200], load("mnist5k")
    assert np.mean(first.labels(held[1].x) == held[1].labels) > 0.7
    again = Classifier(data, epochs=4)
    np.testing.assert_array_equal(first.network.theta, again.network.theta)
    assert first.features(held[0]).shape == (200, 128)

    def never(*_):
        raise AssertionError("trained again")

    with monkeypatch.context() as patch:
        patch.setattr(Classifier, "_train", never)
        cached = Classifier(data, epochs=4, cache=True)
    np.testing.assert_array_equal(first.network.theta, cached.network.theta)
    assert first._recall(path)
    other = Classifier(data, epochs=1, seed=1, cache=True)
    assert not np.array_equal(other.network.theta, first.network.theta)


def test_a_cache_that_cannot_be_written_is_no_obstacle(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MINIGAN_CACHE", str(tmp_path / "file"))
    Classifier(few_digits(100), epochs=1, cache=True)


def test_a_classifier_needs_labelled_pictures():
    with pytest.raises(DataError, match="ring: a classifier needs labelled 28 x 28 images"):
        Classifier(ring(100))


def damages(whole):
    """What a kill, a disk or a person can make of a file in the cache."""
    yield b""
    yield whole[:5000]
    yield whole[:-1]
    yield whole + b"x"
    yield whole[:-1] + bytes([whole[-1] ^ 1])  # one bit, and still a finite number
    yield bytes([whole[0] ^ 1]) + whole[1:]
    yield b"\x80\x04K\x01."  # a pickle
    yield bytes(len(whole))
    nan = np.full((len(whole) - 32) // 4, np.nan, "<f4").tobytes()
    yield checksum(nan) + nan
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("theta.npy", bytes(10_000_000))
    yield bomb.getvalue()
    yield bytes(2 * len(whole))


def test_a_damaged_cache_costs_time_only(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGAN_CACHE", str(tmp_path))
    data = few_digits(100)
    first = Classifier(data, epochs=1, cache=True)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    for damage in damages(whole):
        path.write_bytes(damage)
        again = Classifier(data, epochs=1, cache=True)
        np.testing.assert_array_equal(first.network.theta, again.network.theta)
        assert path.read_bytes() == whole  # mended
    path.write_bytes(bytes(10**6))
    with open(path, "r+b") as file:
        file.truncate(10**12)  # a file of a terabyte that takes no place
    tracemalloc.start()
    assert not first._recall(path)
    assert tracemalloc.get_traced_memory()[1] < 10 * len(whole)
    tracemalloc.stop()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in its folders")
def test_a_pipe_or_a_folder_in_the_cache_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGAN_CACHE", str(tmp_path))
    data = few_digits(100)
    first = Classifier(data, epochs=1, cache=True)
    (path,) = tmp_path.iterdir()
    path.unlink()
    os.mkfifo(path)
    again = Classifier(data, epochs=1, cache=True)
    np.testing.assert_array_equal(first.network.theta, again.network.theta)
    path.unlink()
    (path / "inside").mkdir(parents=True)
    Classifier(data, epochs=1, cache=True)
    assert (path / "inside").is_dir()
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_without_a_home_there_is_no_cache(monkeypatch):
    monkeypatch.setattr("minigan.lab.classifier.cache_folder", lambda: None)
    Classifier(few_digits(100), epochs=1, cache=True)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_cache_that_takes_nothing_is_no_obstacle(tmp_path, monkeypatch, number):
    def full(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setenv("MINIGAN_CACHE", str(tmp_path))
    monkeypatch.setattr(os, "replace", full)
    Classifier(few_digits(100), epochs=1, cache=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("n", [1, 3])
def test_a_classifier_of_very_few_pictures_and_of_one_class_can_be_had(n):
    one = Classifier(Dataset(np.ones((n, 784)), np.full(n, 7), (28, 28)), epochs=1)
    assert one.labels(np.zeros((2, 784))).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("epochs", 0), ("epochs", 1.5), ("batch_size", 0), ("seed", -1), ("lr", 0), ("lr", "x")],
)
def test_a_classifiers_parameters_are_checked(name, wrong):
    with pytest.raises(MiniganError, match=f"^{name}: "):
        Classifier(few_digits(20), **{name: wrong})


def test_numpys_numbers_name_the_same_training(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGAN_CACHE", str(tmp_path))
    data = few_digits(20)
    for kind in (int, np.int64, np.uint8):
        Classifier(data, epochs=kind(1), seed=kind(3), batch_size=kind(9), cache=True)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_classifier_that_diverges_says_so(monkeypatch):
    monkeypatch.setattr(
        "minigan.lab.classifier.Adam.step", lambda self, theta, _: theta.fill(np.nan)
    )
    with pytest.raises(DivergedError, match="few: the classifier has diverged"):
        Classifier(few_digits(20), epochs=1)
