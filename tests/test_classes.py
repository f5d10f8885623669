"""Which classes a generator draws: how they are read, what is kept, what is told of a loss."""

import json

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from minigan import Dataset, load
from minigan.lab import classes
from minigan.lab.classes import LONG, Looks, Reader, read_looks
from minigan.lab.loaders import grid, ring
from minigan.lab.metrics import missing_classes


class Fixed:
    """A generator that returns rows that are there."""

    def __init__(self, x):
        self.x = x

    def sample(self, n, seed=0):
        return self.x[np.random.default_rng(seed).integers(len(self.x), size=n)]


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def missing(data, x):
    reader = Reader(data)
    shape, shares = reader.look(Fixed(x))
    assert shape > classes.SHAPED
    return [reader.classes[j] for j in missing_classes(shares, reader.genuine)]


# ---- reading ----


@pytest.mark.parametrize("name", ["ring", "grid", "mnist5k"])
def test_eq58_what_is_lost_is_seen_and_nothing_else(name):
    data = load(name)
    assert missing(data, data.x) == []
    left = data.x[data.labels < data.n_classes // 2]
    assert missing(data, left) == list(range(data.n_classes // 2, data.n_classes))
    others = [j for j in range(data.n_classes) if j != 1]
    assert missing(data, data.x[data.labels == 1]) == others


def test_digits_are_read_rightly_though_none_was_learned():
    data = load("mnist5k")
    rng = np.random.default_rng(0).permutation(5000)
    reader = Reader(data.part(rng[:4000]))
    wrong = 0
    for j in range(10):
        shares = reader.shares(data.x[rng[4000:]][data.labels[rng[4000:]] == j])
        wrong += 1 - shares[j]
    assert wrong / 10 < 0.08


def test_a_sample_belongs_to_the_likelier_of_two_gaussians():
    """On a line, N(0, 1) and N(10, 9): the densities meet at 2.94, and at -5.44 again."""
    x = np.concatenate([normal(0, 4000, 1), 10 + 3 * normal(1, 4000, 1)])
    reader = Reader(Dataset(x, np.repeat([0, 1], 4000)))
    for value, one in ((0.0, 0), (2.6, 0), (3.3, 1), (-4.5, 0), (-6.5, 1), (40.0, 1)):
        assert reader.shares(np.array([[value]]))[one] == 1, value


def test_a_class_is_the_gaussian_of_its_rows():
    """By NumPy's mean and covariance and SciPy's distance: a class of 1,500 rows keeps its own
    to a thousandth, one of a single row has that of all.
    """
    x = np.concatenate(
        [normal(0, 1500, 2) @ [[2, 1], [0, 1]], 5 + normal(1, 1500, 2), [[9, 9]]]
    )
    reader = Reader(Dataset(x, np.repeat([0, 1, 2], [1500, 1500, 1])))
    x = np.asarray(x, "float32")
    parts = x[:1500], x[1500:3000], x[3000:]
    own = [np.cov(part.T, bias=True) for part in parts[:2]]
    own.append(2 / 3 * sum(own) / 2)  # two of its three parts
    points = np.array([[0.0, 0.0], [3, 1], [-2, 4], [9, 8]], "float32")
    found, outside = reader.distances(points)
    for j, (part, C) in enumerate(zip(parts, own)):
        expected = cdist(
            points, part.mean(0, keepdims=True), "mahalanobis", VI=np.linalg.inv(C)
        )
        assert found[:, j] == pytest.approx(expected[:, 0] ** 2, rel=0.01, abs=1e-6)
        assert reader.log_det[j] == pytest.approx(np.log(np.linalg.det(C)), abs=0.01)
    assert outside.tolist() == [0] * 4  # nothing lies outside of a plane


def test_many_columns_are_read_in_the_thirty_directions_of_most_variance():
    """By the singular vectors of the rows; a rank of fewer leaves fewer."""
    x = normal(0, 200, 60) * np.linspace(1, 9, 60)
    basis, lengths = classes.directions(x), np.linalg.svd(x, compute_uv=False)
    np.testing.assert_allclose(basis.T @ basis, np.eye(30), atol=1e-8)
    assert ((x @ basis) ** 2).sum() == pytest.approx((lengths[:30] ** 2).sum())
    assert classes.directions(x[:, :31]).shape == (31, 30)
    np.testing.assert_array_equal(classes.directions(x[:, :30]), np.eye(30))
    flat = normal(1, 200, 5) @ normal(2, 5, 60)
    assert classes.directions(flat).shape == (60, 5)
    data = Dataset(flat, np.arange(200) % 2)
    reader = Reader(data)
    assert abs(reader.project(data.x)[1]).max() < 1e-5
    away = np.linalg.svd(flat)[2][-1]  # across all rows
    assert reader.project(reader.centre + away[None])[1] == pytest.approx(1, abs=1e-6)


def test_classes_are_called_by_their_labels_and_only_those_that_are_there_are_looked_at():
    points = ring(2000)
    data = Dataset(points.x, 3 * points.labels + 100)
    assert missing(data, data.part(data.labels > 1).x) == [100, 103]
    data = points.part(points.labels != 3)
    assert Reader(data).classes == [0, 1, 2, 4, 5, 6, 7]
    assert missing(data, data.x[data.labels > 3]) == [0, 1, 2]


def test_points_far_from_the_origin_and_sorted_rows_are_read():
    points = ring(20_000)
    data = points.part(np.argsort(points.labels))
    assert missing(data, data.part(data.labels < 7).x) == [7]
    data = Dataset(points.x + [1000, -1000], points.labels)
    assert missing(data, data.x[data.labels != 2]) == [2]


@pytest.mark.parametrize("labels", [None, np.full(2000, 5), np.arange(2000) % 1001])
def test_nothing_is_read_of_no_class_one_or_thousands(labels):
    assert Reader(Dataset(normal(0, 2000, 2), labels)).classes == []


@pytest.mark.parametrize("k", [2, 1000])
def test_two_classes_are_read_and_a_thousand_of_a_few_equal_rows(k):
    data = Dataset(np.arange(2.0 * k)[:, None] // 2, np.arange(2 * k) // 2)
    reader = Reader(data)
    np.testing.assert_array_equal(reader.shares(data.x), np.full(k, 1 / k))


def test_noise_has_no_shape_and_genuine_rows_have():
    data, rng = load("mnist5k"), np.random.default_rng(0)
    reader = Reader(data)
    assert reader.shape(data.x) == pytest.approx(0.95, abs=0.02)
    mean = data.x.mean(axis=0)
    noise = (rng.random((500, 784)), rng.random((500, 784)) < mean)
    for x in (*noise, np.full((5, 784), 0.5), np.roll(data.x[:500], 8, axis=1)):
        assert reader.shape(x.astype("float32")) < 0.2
    reader = Reader(ring(1000))
    assert reader.shape(ring(500, seed=1).x) > 0.97
    assert reader.shape(normal(0, 500, 2)) < 0.1


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_a_model_that_diverged_is_not_looked_at(bad):
    assert Reader(ring(500)).look(Fixed(np.full((9, 2), bad))) is None


def test_a_look_is_at_five_hundred_samples_of_one_noise():
    asked = []

    class Asked:
        def sample(self, n, seed):
            asked.append((n, seed))
            return ring(n).x

    reader = Reader(ring(500))
    assert reader.look(Asked())[0] > 0.9
    assert reader.look(Asked(), 40)[0] > 0.9
    assert asked == [(500, 1), (40, 1)]


# ---- telling ----

ALL = [0.3, 0.3, 0.4]


def looks(*lost, shape=1.0, every=10):
    """Looks at three classes, in each of which those named are missing."""
    found = Looks([5, 7, 9], ALL, [])
    for k, gone in enumerate(lost, 1):
        shares = [0.0 if str(j) in gone else p for j, p in zip(found.classes, ALL)]
        found.add(every * k, shape, shares)
    return found


def test_a_class_that_was_drawn_is_lost_after_six_looks_and_back_after_two():
    told = looks(*["", ""], *["7"] * LONG, *["", "7", "", ""]).told(40)
    assert told == [
        (80, "step 80: hardly any samples of class 7: a mode collapse?"),
        (120, "step 120: class 7 came back"),
    ]
    assert looks(*["", ""], *["7"] * (LONG - 1), "").told(40) == []


def test_what_was_lost_is_named_together_and_once():
    told = looks("", "", *["7"] * 3, *["57"] * 9, *["5"] * 2).told(40)
    assert [text for _, text in told] == [
        "step 80: hardly any samples of class 7: a mode collapse?",
        "step 110: hardly any samples of classes 5, 7: a mode collapse?",
        "step 160: class 7 came back",
    ]


def test_a_class_that_never_was_drawn_is_late_until_half_of_the_run():
    assert looks(*["9"] * 20).told(300)[0][0] == 150
    assert looks(*["9"] * 20).told(500) == []


def test_the_first_quarter_of_a_run_says_nothing():
    early = looks(*["", ""], *["7"] * 20)
    assert early.told(40)[0][0] == 80
    assert early.told(320)[0][0] == 160  # never drawn since step 80


def test_samples_without_shape_say_nothing_and_break_a_row():
    assert looks(*["", ""], *["7"] * 20, shape=0.79).told(40) == []
    broken = looks(*["", ""], *["7"] * 11)
    broken.looks[6][1] = 0.5
    assert broken.told(40)[0][0] == 130


def test_a_collapse_of_the_ring_is_told():
    data = ring(2000)
    reader, narrow = Reader(data), data.x[data.labels < 4]
    kept = Looks(reader.classes, reader.genuine.tolist(), [])
    for step in range(1, 20):
        kept.add(step, *reader.look(Fixed(data.x if step < 8 else narrow)))
    text = "step 13: hardly any samples of classes 4, 5, 6, 7: a mode collapse?"
    assert kept.told(20) == [(13, text)]


# ---- keeping ----


def test_looks_are_kept_in_a_file_and_come_back(tmp_path):
    kept = looks("", "5", "57")
    kept.looks = [[0, 0.0, [0.0, 0.0, 1.0]], *kept.looks]
    kept.add(40, 0.98764, [0.12344, 0.87656, 0.0])
    assert kept.looks[-1] == [40, 0.9876, [0.1234, 0.8766, 0.0]]
    (tmp_path / "classes.json").write_bytes(kept.to_json())
    assert read_looks(tmp_path) == kept
    assert kept.cut(20)
    assert not kept.cut(20)
    assert [look[0] for look in kept.looks] == [0, 10, 20]


@pytest.mark.parametrize(
    "damage",
    [
        {"looks": [[10, 1.0, [0.3, 0.7]]]},
        {"looks": [[10, 1.0, [0.3, 0.3, 2.0]]]},
        {"looks": [[10, 1.0, [0.3, 0.8, -0.1]]]},
        {"looks": [[10, 1.1, ALL]]},
        {"looks": [[-1, 1.0, ALL]]},
        {"genuine": [0.3, 0.8, -0.1]},
        {"classes": ["5", 7, 9]},
        {"looks": [[10, 1.0, [0.3, 0.3, "x"]]]},
        {"looks": [[10, 1.0]]},
        {"looks": [[10, None, ALL]]},
        {"looks": [["10", 1.0, ALL]]},
        {"looks": [[10, 1.0, ALL], [10, 1.0, ALL]]},
        {"looks": [[10, float("nan"), ALL]]},
        {"looks": [[10, 1.0, [0.3, 0.3, 10**400]]]},
        {"looks": None},
        {"genuine": [0.5, 0.5]},
        {"classes": ["<b>", 7, 9]},
        {"classes": [5]},
        {"other": 1},
    ],
)
def test_a_file_that_was_damaged_is_no_file(tmp_path, damage):
    about = json.loads(looks("").to_json()) | damage
    (tmp_path / "classes.json").write_text(json.dumps(about))
    assert read_looks(tmp_path) is None
    assert read_looks(tmp_path / "nowhere") is None


def test_mixtures_of_many_modes_are_read_in_the_order_of_their_labels():
    data = grid(5000)
    reader = Reader(data)
    for j in (0, 12, 24):
        assert reader.shares(data.x[data.labels == j])[j] > 0.99
