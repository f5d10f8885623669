"""Chapter 17: the loss against autograd and the complex step, the pictures, the cache."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad
from hypothesis import given
from hypothesis import strategies as st
from strategies import seeds

import minigan
from minigan.data import Dataset
from minigan.errors import DataError
from minigan.gradcheck import check_gradient
from minigan.lab.classifier import SIDE, Classifier, warped
from minigan.lab.loaders import load, ring
from minigan.losses import softmax_cross_entropy


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


@given(seeds, st.integers(1, 6), st.integers(2, 11), st.sampled_from([1.0, 30.0]))
def test_eq7_eq7a_softmax_cross_entropy(lib64, seed, m, k, scale):
    s = scale * normal(seed, m, k)
    c = np.eye(k)[np.random.default_rng(seed).integers(k, size=m)]

    def plain(s):
        return -anp.sum(c * (s - anp.log(anp.sum(anp.exp(s), axis=1, keepdims=True)))) / m

    value, ds = softmax_cross_entropy(lib64.array(s), lib64.array(c))
    assert float(value) == pytest.approx(plain(s), rel=1e-12, abs=1e-12)
    np.testing.assert_allclose(minigan.to_numpy(ds), grad(plain)(s), rtol=1e-9, atol=1e-15)

    def L(s):
        return softmax_cross_entropy(s, lib64.array(c.astype(complex)))[0]

    s = lib64.array(s / (2 * scale))  # where no p is so near to 1 that p - c loses digits
    check = check_gradient("softmax", L, s, softmax_cross_entropy(s, lib64.array(c))[1])
    assert check.passed, check


def test_eq7_large_scores_do_not_overflow():
    s = np.array([[1e4, 0, -1e4]], "float32")
    for j, expected in enumerate([0, 1e4, 2e4]):
        assert softmax_cross_entropy(s, np.eye(3, dtype="float32")[[j]])[0] == expected


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
    (path,) = (tmp_path / "new").glob("classifier-*.npz")
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
    for damage in (b"", path.read_bytes()[:5000], b"\x80\x04K\x01."):
        path.write_bytes(damage)
        assert not first._recall(path)
    mended = Classifier(data, epochs=4, cache=True)
    np.testing.assert_array_equal(first.network.theta, mended.network.theta)
    other = Classifier(data, epochs=1, seed=1, cache=True)
    assert not np.array_equal(other.network.theta, first.network.theta)


def test_a_cache_that_cannot_be_written_is_no_obstacle(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MINIGAN_CACHE", str(tmp_path / "file"))
    Classifier(few_digits(100), epochs=1, cache=True)


def test_a_classifier_needs_labelled_pictures():
    with pytest.raises(DataError, match="ring: a classifier needs labelled 28 x 28 images"):
        Classifier(ring(100))
