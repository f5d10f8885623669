"""Chapter 22: the loss against autograd and the complex step, the pictures, the cache."""

import errno
import hashlib
import io
import os
import tracemalloc
import zipfile

import numpy as np
import pytest
import scipy.ndimage

from minigan.arrays import stream
from minigan.data import Dataset
from minigan.errors import DataError, DivergedError, MiniganError
from minigan.lab import classifier
from minigan.lab.classifier import SIDE, Classifier, checksum, fingerprint, warped
from minigan.lab.loaders import load, ring
from minigan.network import mlp


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


class Drawn:
    """Draws what it is told: angles, zooms, slants, then shifts down and to the right."""

    def __init__(self, *told):
        self.told, self.asked = list(told), []

    def uniform(self, low, high, shape):
        self.asked.append((low, high, shape))
        return np.reshape(self.told.pop(0), shape)


def test_a_picture_that_is_not_changed_stays():
    images = np.random.default_rng(0).random((3, SIDE, SIDE), dtype="float32")
    still = {"shift": 0, "angle": 0, "zoom": 0, "slant": 0}
    found = warped(images, np.random.default_rng(1), **still)
    np.testing.assert_allclose(found.reshape(images.shape), images)


def test_a_picture_is_turned_sized_slanted_and_shifted_as_scipy_does_it():
    """Each by its own numbers; what comes in from outside is background."""
    images = np.random.default_rng(0).random((4, SIDE, SIDE), dtype="float32")
    angle, zoom, slant = [0, 0.2, -0.13, 3.0], [0, 0.1, -0.12, 0.4], [0, 0.15, -0.1, 0.3]
    shifts = np.array([[-2, 1.3, -0.4, 20], [0.5, 2, -1.7, -9]])
    framed = np.pad(images[:, 1:-1, 1:-1], ((0, 0), (1, 1), (1, 1)))
    for pictures, tolerance in ((framed, 1e-5), (images, 1e-3)):
        found = warped(pictures, Drawn(angle, zoom, slant, shifts)).reshape(images.shape)
        for k, image in enumerate(pictures):
            cos, sin = np.cos(angle[k]), np.sin(angle[k])
            A = (1 + zoom[k]) * np.array([[cos, -sin], [sin, cos]])
            A[1, 0] += slant[k]
            at = 13.5 - A @ [13.5, 13.5] + shifts[:, k]
            how = {"order": 1, "mode": "grid-constant"}
            expected = scipy.ndimage.affine_transform(image, A, at, **how)
            np.testing.assert_allclose(found[k], expected, atol=tolerance)


def test_the_changes_are_drawn_either_way_as_far_as_documented():
    images = np.zeros((2, SIDE, SIDE), "float32")
    rng = Drawn([0, 0], [0, 0], [0, 0], np.zeros(4))
    warped(images, rng)
    each, both = (2, 1), (2, 2, 1)
    assert rng.asked == [
        (-0.2, 0.2, each),
        (-0.12, 0.12, each),
        (-0.15, 0.15, each),
        (-2.0, 2.0, both),
    ]


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
    monkeypatch.setenv("MINIGAN_CACHE", str(tmp_path / "new" / "deep"))
    data = few_digits()
    first = Classifier(data, epochs=4, cache=True)
    (path,) = (tmp_path / "new" / "deep").glob("classifier-*.bin")
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


def test_the_judge_reads_digits_that_it_has_not_seen():
    """After four looks at 1,500 of them: 89%, and no class worse than 78%."""
    data = load("mnist5k")
    judge = Classifier(data.part(slice(1500)), epochs=4, batch_size=50)
    unseen = data.part(slice(3000, None))
    right = judge.labels(unseen.x) == unseen.labels
    assert right.mean() > 0.89
    assert min(right[unseen.labels == j].mean() for j in range(10)) > 0.78
    assert judge.n_classes == 10


class Watched:
    """Sees what a training shows to its network, and does not warp it."""

    def __init__(self, monkeypatch):
        self.batches, self.rates = [], []
        loss, step = classifier.softmax_cross_entropy, classifier.Adam.step

        def spy_loss(s, targets):
            self.batches.append((self.images, targets))
            return loss(s, targets)

        def spy_step(optimizer, theta, dtheta):
            self.rates.append(optimizer.lr)
            step(optimizer, theta, dtheta)

        def same(images, rng):
            self.images = images.copy()
            return images.reshape(len(images), -1)

        monkeypatch.setattr(classifier, "warped", same)
        monkeypatch.setattr(classifier, "softmax_cross_entropy", spy_loss)
        monkeypatch.setattr(classifier.Adam, "step", spy_step)


def test_each_epoch_shows_each_picture_once_in_a_new_order_beside_its_label(monkeypatch):
    """Of 23 rows in batches of 5, three wait for another epoch. The rate falls to a quarter."""
    watched = Watched(monkeypatch)
    x = np.broadcast_to(np.arange(23)[:, None] / 23, (23, 784))
    data = Dataset(x, np.arange(23) % 4, (28, 28))
    Classifier(data, epochs=4, seed=2, batch_size=5, lr=1e-3)
    assert watched.rates == pytest.approx(np.repeat([1e-3, 7.5e-4, 5e-4, 2.5e-4], 4))
    orders = []
    for images, targets in watched.batches:
        assert images.shape == (5, 28, 28)
        assert targets.dtype == np.float32
        rows = np.round(23 * images[:, 3, 4]).astype(int)
        np.testing.assert_array_equal(targets, np.eye(4)[rows % 4])
        orders += rows.tolist()
    epochs = [tuple(orders[i : i + 20]) for i in range(0, 80, 20)]
    assert len(set(epochs)) == 4
    assert all(len(set(epoch)) == 20 for epoch in epochs)
    assert len(set(orders)) == 23


@pytest.mark.parametrize(
    ("n", "m", "sizes"),
    [(3, 5, [3]), (5, 5, [5]), (6, 5, [5]), (9, 5, [5]), (10, 5, [5, 5]), (1, 1, [1])],
)
def test_batches_are_full_unless_there_are_fewer_rows(monkeypatch, n, m, sizes):
    watched = Watched(monkeypatch)
    Classifier(few_digits(n), epochs=1, batch_size=m)
    assert [len(images) for images, _ in watched.batches] == sizes


def test_the_training_begins_with_the_seeds_network_and_descends(monkeypatch):
    """Adam's first step takes each parameter by lr down its slope, by central differences."""
    Watched(monkeypatch)
    data = few_digits(8)
    rng = stream(3, "weights of the classifier")
    net = mlp((784, 512, 128, data.n_classes), rng, slope=0.1)
    start = net.theta.astype("float64")
    step = Classifier(data, epochs=1, seed=3, batch_size=8).network.theta - start
    net.theta = start

    def loss():
        s = net.forward(data.x.astype("float64"))[-1]
        scores = s - np.log(np.exp(s).sum(axis=1, keepdims=True))
        return -scores[np.arange(8), data.labels].mean()

    for at in (-1, -9, -200, -1200):
        slopes = []
        for h in (1e-4, -1e-4):
            net.theta = start.copy()
            net.theta[at] += h
            slopes.append(loss() / h)
        assert step[at] == pytest.approx(-2e-3 * np.sign(sum(slopes)), rel=1e-3)
    assert np.abs(step).max() == pytest.approx(2e-3, rel=1e-3)


def test_the_features_are_what_the_last_layer_of_the_network_reads():
    data = few_digits(50)
    judge = Classifier(data, epochs=1)
    trace = judge.trace(data.x.astype("float64"))
    assert [y.shape[1] for y in trace] == [784, 512, 512, 128, 128, data.n_classes]
    assert {y.dtype.name for y in trace} == {"float32"}
    np.testing.assert_allclose(trace[4], np.where(trace[3] > 0, trace[3], 0.1 * trace[3]))
    features = judge.features(data.x)
    np.testing.assert_array_equal(features, trace[4])
    W, b = judge.network.params[-1]
    scores = features @ W + b
    np.testing.assert_allclose(scores, trace[-1], rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(judge.labels(data.x), [row.argmax() for row in scores])


def test_every_part_of_a_training_is_in_its_name(monkeypatch):
    data, training = few_digits(20), (40, 0, 100, 2e-3)
    name = fingerprint(data, training)
    assert len(name) == 24
    assert set(name) <= set("0123456789abcdef")
    again = Dataset(data.x.copy(), data.labels.copy(), (28, 28), "another name")
    assert fingerprint(again, training) == name
    x, labels = data.x.copy(), data.labels.copy()
    x[7, 300], labels[4] = 0.5, (labels[4] + 1) % 10
    changed = [(Dataset(x, data.labels, (28, 28)), training)]
    changed += [(Dataset(data.x, labels, (28, 28), classes=range(10)), training)]
    changed += [(data, other) for other in ((41, *training[1:]), (*training[:3], 1e-3))]
    names = {fingerprint(*each) for each in changed} | {name}
    for constant, value in (("VERSION", classifier.VERSION + 1), ("HIDDEN", (512, 64))):
        with monkeypatch.context() as patch:
            patch.setattr(classifier, constant, value)
            names.add(fingerprint(data, training))
    assert len(names) == 7


def test_the_usual_training_is_the_one_that_was_measured(tmp_path, monkeypatch):
    named = []
    monkeypatch.setenv("MINIGAN_CACHE", str(tmp_path))
    monkeypatch.setattr(Classifier, "_train", lambda *_: None)
    monkeypatch.setattr(classifier, "fingerprint", lambda data, how: named.append(how))
    Classifier(few_digits(20), cache=True)
    assert named == [(40, 0, 100, 2e-3)]


def test_each_training_has_a_file_of_its_own_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGAN_CACHE", str(tmp_path))
    data, one = few_digits(20), {"epochs": 1, "cache": True}
    Classifier(data, epochs=1)
    assert list(tmp_path.iterdir()) == []
    first = Classifier(data, **one)
    (path,) = tmp_path.iterdir()
    numbers = first.network.theta.astype("<f4").tobytes()
    assert path.read_bytes() == hashlib.sha256(numbers).digest() + numbers
    others = [{"seed": 1}, {"batch_size": 10}, {"lr": 1e-3}, {"epochs": 2}]
    for k, other in enumerate(others, 2):
        Classifier(data, **one | other)
        assert len(list(tmp_path.iterdir())) == k
    Classifier(few_digits(21), **one)
    assert len(list(tmp_path.iterdir())) == len(others) + 2


def test_a_cache_that_cannot_be_written_is_no_obstacle(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MINIGAN_CACHE", str(tmp_path / "file"))
    Classifier(few_digits(100), epochs=1, cache=True)


def test_a_classifier_needs_labelled_pictures():
    wide = Dataset(np.zeros((3, 784)), [0, 1, 2], (14, 56))
    for data in (ring(100), wide, Dataset(np.zeros((3, 784)), None, (28, 28))):
        with pytest.raises(
            DataError, match=f"^{data.name}: a classifier needs labelled 28 x 28"
        ):
            Classifier(data)


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
