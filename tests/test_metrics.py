"""Chapters 17 and 17: each measure against SciPy, scikit-learn or a closed form."""

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix
from sklearn.neighbors import KernelDensity, NearestNeighbors
from strategies import seeds

from minigan.data import Dataset
from minigan.errors import DataError, MiniganError
from minigan.lab import metrics
from minigan.lab.loaders import grid, grid_modes, load, ring, ring_modes
from minigan.lab.parzen import SIGMAS, log_likelihoods, parzen


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


# ---- Fréchet ----


@given(seeds, st.integers(1, 9))
def test_eq39_eq39a_frechet_distance_is_that_by_scipys_square_root(seed, d):
    a = normal(seed, 40, d) @ normal(seed + 1, d, d)
    b = normal(seed + 2, 50, d) @ normal(seed + 3, d, d) + 1
    C_a, C_b = (np.atleast_2d(np.cov(x.T)) for x in (a, b))
    root = scipy.linalg.sqrtm(C_a @ C_b).real
    step = a.mean(0) - b.mean(0)
    expected = step @ step + np.trace(C_a + C_b - 2 * root)
    assert metrics.frechet_distance(a, b) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_eq39_closed_forms():
    """A shift costs its square; along common axes (σ − τ)² per axis; the same rows nothing."""
    a = normal(0, 100, 3)
    shift = np.array([1.0, 2.0, -2.0])
    assert metrics.frechet_distance(a, a + shift) == pytest.approx(9)
    assert metrics.frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    doubled = 2 * (a - a.mean(0)) + a.mean(0)
    assert metrics.frechet_distance(a, doubled) == pytest.approx(np.trace(np.cov(a.T)))
    flat = np.stack([a[:, 0], np.zeros(100)], axis=1)  # a singular covariance
    assert metrics.frechet_distance(flat, flat + 1) == pytest.approx(2)


def test_eq39_needs_rows_of_one_width():
    with pytest.raises(DataError, match=r"got rows of shape \(1, 2\)"):
        metrics.frechet_distance(normal(0, 1, 2), normal(1, 5, 2))


# ---- labels ----


def test_eq40_label_accuracy_is_the_diagonal_of_sklearns_confusion():
    asked = np.arange(1000) % 10
    read = np.where(np.random.default_rng(0).random(1000) < 0.8, asked, 3)
    p, error = metrics.label_accuracy(read, asked)
    assert p == pytest.approx(confusion_matrix(asked, read).trace() / 1000)
    assert error == pytest.approx(scipy.stats.binom(1000, p).std() / 1000)


def test_eq41_missing_classes_are_those_below_a_tenth_of_their_share():
    shares = metrics.class_shares(np.array([0, 0, 1, 2, 2, 2]), 4)
    np.testing.assert_allclose(shares, [2 / 6, 1 / 6, 3 / 6, 0])
    assert metrics.missing_classes(shares, np.full(4, 0.25)).tolist() == [3]
    assert metrics.missing_classes([0.5, 0.5, 0.0], [0.5, 0.5, 0.0]).tolist() == []


class Fixed:
    def __init__(self, x):
        self.x = x

    def sample(self, n, seed=0):
        return self.x[np.random.default_rng(seed).integers(len(self.x), size=n)]


@pytest.mark.parametrize("name", ["ring", "grid", "mnist5k"])
def test_eq41_the_watch_sees_what_is_lost_and_nothing_else(name):
    data = load(name)
    watch = metrics.CollapseWatch(data)
    assert watch.missing(Fixed(data.x)).tolist() == []
    left = data.x[data.labels < data.n_classes // 2]
    lost = watch.missing(Fixed(left)).tolist()
    expected = list(range(data.n_classes // 2, data.n_classes))
    if name != "mnist5k":
        assert lost == expected
    one = watch.missing(Fixed(data.x[data.labels == 1])).tolist()
    assert len(one) >= (6 if name == "mnist5k" else data.n_classes - 1)
    assert 1 not in one


def test_data_without_labels_are_not_watched():
    watch = metrics.CollapseWatch(Dataset(normal(0, 10, 2)))
    assert watch.missing(Fixed(normal(0, 10, 2))) is None


# ---- modes ----


@pytest.mark.parametrize(
    ("data", "modes", "std"), [(ring, ring_modes(), 0.01), (grid, grid_modes(), 0.05)]
)
def test_eq42_genuine_points_pass_as_the_chi_distribution_says(data, modes, std):
    captured, quality = metrics.modes_captured(data(n=20000).x, modes, std)
    assert captured == len(modes)
    assert quality == pytest.approx(scipy.stats.chi(2).cdf(3), abs=0.003)


def test_eq42_by_hand():
    x = [[0.0, 0.29], [0.0, 0.31], [1.0, 0.0], [5.0, 5.0]]
    assert metrics.modes_captured(x, np.array([[0.0, 0], [1, 0], [2, 0]]), 0.1) == (2, 0.5)
    assert metrics.modes_captured(x[3:], np.zeros((1, 2)), 0.1) == (0, 0.0)


# ---- precision and recall ----


@given(seeds, st.integers(1, 5))
def test_eq43_precision_and_recall_by_sklearns_neighbours(seed, k):
    real, fake = normal(seed, 60, 3), 1.5 * normal(seed + 1, 50, 3) + 0.5

    def share(points, centres):
        radius = NearestNeighbors(n_neighbors=k + 1).fit(centres).kneighbors(centres)[0][:, k]
        distance = np.linalg.norm(points[:, None] - centres, axis=2)
        return (distance <= radius).any(axis=1).mean()

    precision, recall = metrics.precision_recall(real, fake, k)
    assert precision == pytest.approx(share(fake, real))
    assert recall == pytest.approx(share(real, fake))


def test_eq43_more_rows_than_a_chunk_and_extremes():
    real = normal(0, metrics.CHUNK + 200, 2)
    assert metrics.precision_recall(real, real) == (1.0, 1.0)
    assert metrics.precision_recall(real, real + 100) == (0.0, 0.0)
    one = np.zeros((50, 2))
    precision, recall = metrics.precision_recall(real, one)
    assert precision == 1.0
    assert recall == 0.0
    with pytest.raises(DataError, match="k: expected 1 to 4, got 5"):
        metrics.precision_recall(real, real[:5], k=5)


# ---- W1 ----


@given(seeds, st.integers(1, 50))
def test_eq44_on_the_line_it_is_scipys(seed, n):
    a, b = normal(seed, n), 2 * normal(seed + 1, n) + 1
    expected = scipy.stats.wasserstein_distance(a, b)
    assert metrics.wasserstein_1d(a, b) == pytest.approx(expected)
    flat = np.stack([a, np.zeros(n)], 1), np.stack([b, np.zeros(n)], 1)
    assert metrics.wasserstein_distance(*flat) == pytest.approx(expected)


def test_eq44a_in_the_plane_it_is_scipys_and_a_shift_costs_its_length():
    a, b = normal(0, 30, 2), normal(1, 30, 2)
    expected = scipy.stats.wasserstein_distance_nd(a, b)
    assert metrics.wasserstein_distance(a, b) == pytest.approx(expected)
    shuffled = np.random.default_rng(0).permutation(a) + [3, 4]
    assert metrics.wasserstein_distance(a, shuffled) == pytest.approx(5)


def test_eq44_wants_samples_of_one_size():
    for distance in (metrics.wasserstein_1d, metrics.wasserstein_distance):
        with pytest.raises(
            DataError, match=r"samples of the same size, got \(4, 1\) and \(6, 1\)"
        ):
            distance(normal(0, 4, 1), normal(0, 6, 1))


def test_without_scipy_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "scipy.optimize", None)
    with pytest.raises(MiniganError, match=r"pip install 'minigan\[metrics\]'"):
        metrics.wasserstein_distance(normal(0, 4, 2), normal(0, 4, 2))


# ---- Parzen ----


@given(seeds, st.sampled_from([0.1, 0.5, 3.0]), st.sampled_from(["float32", "float64"]))
def test_eq45_eq45a_the_window_is_sklearns_kernel_density(seed, sigma, dtype):
    samples, x = normal(seed, 30, 5).astype(dtype), normal(seed + 1, 7, 5).astype(dtype)
    expected = KernelDensity(bandwidth=sigma).fit(samples).score_samples(x)
    actual = log_likelihoods(x, samples, [sigma])[0]
    tolerance = 200 * np.finfo(dtype).eps
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance / sigma**2)


def test_eq45_one_window_is_a_gaussian_far_out_too():
    x = np.array([[0.0, 0.0], [3.0, 4.0], [300.0, 400.0]])
    expected = scipy.stats.multivariate_normal([0, 0], 0.25 * np.eye(2)).logpdf(x)
    np.testing.assert_allclose(log_likelihoods(x, x[:1], [0.5])[0], expected)


def test_eq45_the_protocol_chooses_sigma_on_the_validation_rows():
    """Windows on samples of N(0, 1): the best of the grid is the best by sklearn too."""
    samples, validation, test = normal(0, 500, 2), normal(1, 200, 2), normal(2, 3000, 2)
    mean, error, sigma = parzen(samples, validation, test)
    scores = [KernelDensity(bandwidth=s).fit(samples).score(validation) for s in SIGMAS]
    assert sigma == SIGMAS[np.argmax(scores)]
    each = KernelDensity(bandwidth=sigma).fit(samples).score_samples(test)
    assert mean == pytest.approx(each.mean())
    assert error == pytest.approx(scipy.stats.sem(each, ddof=0))
    with pytest.raises(DataError, match=r"rows of one width, got .*\(200, 2\) and \(5, 3\)"):
        parzen(normal(0, 5, 3), validation, test)


# ---- what cannot be measured, and what hardly can ----

MEASURES = {
    "frechet": metrics.frechet_distance,
    "precision": metrics.precision_recall,
    "w1 on the line": lambda a, b: metrics.wasserstein_1d(a[:, 0], b[:, 0]),
    "w1": metrics.wasserstein_distance,
    "modes": lambda a, b: metrics.modes_captured(a, b[:3], 0.5),
    "parzen": lambda a, b: parzen(a, b[:6], b[6:]),
}


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e20, -1e300])
@pytest.mark.parametrize("side", [0, 1])
def test_samples_of_a_model_that_diverged_are_refused_in_one_sentence(measure, bad, side):
    sets = [normal(0, 12, 2), normal(1, 12, 2)]
    sets[side][0, 0] = bad
    with np.errstate(over="ignore"), pytest.raises(DataError) as error:
        measure(*sets)
    assert ": expected numbers below 1e+15, got " in str(error.value)


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
@pytest.mark.parametrize("x", [np.zeros((12, 2)), np.full((12, 2), 0.7), np.eye(12, 2)])
@pytest.mark.parametrize("other", [0.0, 0.3, 1e9])
def test_constant_pictures_have_numbers(measure, x, other):
    found = np.ravel(measure(x, x + other))
    assert np.isfinite(found).all()


@pytest.mark.parametrize(
    "measure",
    [*(MEASURES[name] for name in MEASURES if "line" not in name), metrics.wasserstein_1d],
)
@pytest.mark.parametrize("shape", [(0, 2), (12, 0), (2, 3, 4), (0,)])
def test_what_is_not_rows_is_refused(measure, shape):
    with pytest.raises(DataError, match="expected rows of|expected samples"):
        measure(np.zeros(shape), np.zeros(shape))


def test_labels_are_read_only_if_there_are_as_many_as_were_asked_for():
    for read, asked in (([], []), ([1, 2], [1]), ([[1, 2]], [[1, 2]]), ([1], 1)):
        with pytest.raises(DataError, match="^labels: expected as many as were asked for"):
            metrics.label_accuracy(np.array(read), np.array(asked))
    with pytest.raises(DataError, match="labels: expected at least one"):
        metrics.class_shares(np.array([], int), 3)
    assert metrics.class_shares(np.array([1]), 3).tolist() == [0, 1, 0]


def test_the_distance_of_more_rows_than_fit_is_refused(monkeypatch):
    monkeypatch.setattr("minigan.arrays._memory", lambda: 15_999)
    with pytest.raises(MiniganError, match="W1 of 1000 rows would take"):
        metrics.wasserstein_distance(normal(0, 1000, 2), normal(1, 1000, 2))


def test_a_window_has_a_width():
    with pytest.raises(MiniganError, match="sigmas: expected a positive number, got 0.0"):
        log_likelihoods(normal(0, 3, 2), normal(1, 3, 2), [0.5, 0.0])


# ---- the watch ----


def test_the_watch_names_classes_by_their_values():
    points = grid(2000)
    data = Dataset(points.x, 3 * points.labels + 100)
    left = data.part(data.labels > 1).x
    assert metrics.CollapseWatch(data).missing(Fixed(left)).tolist() == [100, 103]


def test_the_watch_looks_at_the_classes_that_there_are():
    """Class 0 of labels from 1 to 26 once switched it off, and so did any that was absent."""
    points = ring(2000)
    data = points.part(points.labels != 3)
    watch = metrics.CollapseWatch(data)
    assert watch.missing(Fixed(data.x)).tolist() == []
    assert watch.missing(Fixed(data.x[data.labels > 3])).tolist() == [0, 1, 2]


def test_the_watch_sees_all_classes_of_sorted_rows():
    points = ring(20_000)
    data = points.part(np.argsort(points.labels))
    left = data.part(data.labels < 7).x
    assert metrics.CollapseWatch(data).missing(Fixed(left)).tolist() == [7]


def test_the_watch_sees_points_far_from_the_origin():
    points = ring(2000)
    data = Dataset(points.x + 1000, points.labels)
    watch = metrics.CollapseWatch(data)
    assert watch.missing(Fixed(data.x[data.labels != 2])).tolist() == [2]


@pytest.mark.parametrize("labels", [None, np.full(2000, 5), np.arange(2000)])
def test_the_watch_says_nothing_of_no_class_one_or_thousands(labels):
    watch = metrics.CollapseWatch(Dataset(normal(0, 2000, 2), labels))
    assert watch.missing(Fixed(normal(0, 10, 2))) is None


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_the_watch_says_nothing_of_a_model_that_diverged(bad):
    assert metrics.CollapseWatch(ring(500)).missing(Fixed(np.full((9, 2), bad))) is None
