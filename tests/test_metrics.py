"""Chapters 20 and 21: each measure against SciPy, scikit-learn or a closed form."""

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix
from sklearn.neighbors import KernelDensity, NearestNeighbors
from strategies import seeds

from minigan.errors import DataError, MiniganError
from minigan.lab import metrics
from minigan.lab.loaders import grid, grid_modes, ring, ring_modes
from minigan.lab.parzen import SIGMAS, log_likelihoods, parzen


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


# ---- Fréchet ----


@given(seeds, st.integers(1, 9))
def test_eq56_eq56a_frechet_distance_is_that_by_scipys_square_root(seed, d):
    a = normal(seed, 40, d) @ normal(seed + 1, d, d)
    b = normal(seed + 2, 50, d) @ normal(seed + 3, d, d) + 1
    C_a, C_b = (np.atleast_2d(np.cov(x.T)) for x in (a, b))
    root = scipy.linalg.sqrtm(C_a @ C_b).real
    step = a.mean(0) - b.mean(0)
    expected = step @ step + np.trace(C_a + C_b - 2 * root)
    assert metrics.frechet_distance(a, b) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_eq56_closed_forms():
    """A shift costs its square; along common axes (σ − τ)² per axis; the same rows nothing."""
    a = normal(0, 100, 3)
    shift = np.array([1.0, 2.0, -2.0])
    assert metrics.frechet_distance(a, a + shift) == pytest.approx(9)
    assert metrics.frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    doubled = 2 * (a - a.mean(0)) + a.mean(0)
    assert metrics.frechet_distance(a, doubled) == pytest.approx(np.trace(np.cov(a.T)))
    flat = np.stack([a[:, 0], np.zeros(100)], axis=1)  # a singular covariance
    assert metrics.frechet_distance(flat, flat + 1) == pytest.approx(2)


def test_eq56_of_known_gaussians_is_the_closed_form():
    """N(0, diag(1, 4)) and N((3, 4), R diag(9, 16) Rᵀ), by rows of just these moments."""
    axes = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]]) * np.sqrt(3 / 2)  # covariance I
    turn = np.array([[3.0, -4], [4, 3]]) / 5
    a = axes * [1, 2]
    along = axes * [3, 4] + [3, 4]
    assert metrics.frechet_distance(a, along) == pytest.approx(25 + (1 - 3) ** 2 + (2 - 4) ** 2)
    turned = axes * [3, 4] @ turn.T + [3, 4]
    C_a, C_b = np.diag([1.0, 4]), turn @ np.diag([9, 16]) @ turn.T
    expected = 25 + 5 + 25 - 2 * np.trace(scipy.linalg.sqrtm(C_a @ C_b).real)
    assert metrics.frechet_distance(a, turned) == pytest.approx(expected)


def test_eq56_needs_two_rows_of_one_width_and_computes_in_float64():
    for sets in ((normal(0, 1, 2), normal(1, 5, 2)), (normal(1, 5, 2), normal(0, 1, 2))):
        with pytest.raises(DataError, match="Fréchet distance: expected at least 2 rows, got"):
            metrics.frechet_distance(*sets)
    with pytest.raises(DataError, match=r"rows of one width, got .*\(5, 2\) and \(5, 3\)"):
        metrics.frechet_distance(normal(1, 5, 2), normal(0, 5, 3))
    pair = normal(0, 2, 2)
    assert metrics.frechet_distance(pair, pair + [3, 4]) == pytest.approx(25)
    far = (1000 + normal(0, 50, 2)).astype("float32")
    exact = metrics.frechet_distance(far.astype("float64"), 2.0 * far)
    assert metrics.frechet_distance(far, 2 * far) == pytest.approx(exact, rel=1e-12)


# ---- labels ----


def test_eq57_label_accuracy_is_the_diagonal_of_sklearns_confusion():
    asked = np.arange(1000) % 10
    read = np.where(np.random.default_rng(0).random(1000) < 0.8, asked, 3)
    p, error = metrics.label_accuracy(read, asked)
    assert p == pytest.approx(confusion_matrix(asked, read).trace() / 1000)
    assert error == pytest.approx(scipy.stats.binom(1000, p).std() / 1000)


def test_eq58_missing_classes_are_those_below_a_tenth_of_their_share():
    shares = metrics.class_shares(np.array([0, 0, 1, 2, 2, 2]), 4)
    np.testing.assert_allclose(shares, [2 / 6, 1 / 6, 3 / 6, 0])
    assert metrics.missing_classes(shares, np.full(4, 0.25)).tolist() == [3]
    assert metrics.missing_classes([0.5, 0.5, 0.0], [0.5, 0.5, 0.0]).tolist() == []
    genuine = np.full(4, 0.25)
    assert metrics.missing_classes([0.024, 0.026, 0.0249, 0.9], genuine).tolist() == [0, 2]
    assert metrics.missing_classes([0.0125, 0.05], [0.125, 0.5]).tolist() == []  # not below


# ---- modes ----


@pytest.mark.parametrize(
    ("data", "modes", "std"), [(ring, ring_modes(), 0.01), (grid, grid_modes(), 0.05)]
)
def test_eq59_genuine_points_pass_as_the_chi_distribution_says(data, modes, std):
    captured, quality = metrics.modes_captured(data(n=20000).x, modes, std)
    assert captured == len(modes)
    assert quality == pytest.approx(scipy.stats.chi(2).cdf(3), abs=0.003)


def test_eq59_by_hand():
    x = [[0.0, 0.29], [0.0, 0.31], [1.0, 0.0], [5.0, 5.0]]
    assert metrics.modes_captured(x, np.array([[0.0, 0], [1, 0], [2, 0]]), 0.1) == (2, 0.5)
    assert metrics.modes_captured(x[3:], np.zeros((1, 2)), 0.1) == (0, 0.0)


def test_eq59_a_point_at_three_sigma_exactly_is_not_within_it():
    modes = np.array([[0.0, 0], [8, 0]])
    on, inside = [[0.75, 0.0], [8, -0.75]], [[0.7499, 0.0], [7.2501, 0]]
    assert metrics.modes_captured(on, modes, 0.25) == (0, 0.0)
    assert metrics.modes_captured(inside, modes, 0.25) == (2, 1.0)
    assert metrics.modes_captured(on[:1] + inside[1:], modes, 0.25) == (1, 0.5)
    corner = [[0.6, 0.6]]  # each coordinate is near enough, but not the point
    assert metrics.modes_captured(corner, modes, 0.25) == (0, 0.0)
    space = np.array([[0.0, 0, 0], [1, 2, 2]])
    assert metrics.modes_captured([[1, 2, 1.5]], space, 0.25) == (1, 1.0)


# ---- precision and recall ----


@given(seeds, st.integers(1, 5))
def test_eq60_precision_and_recall_by_sklearns_neighbours(seed, k):
    real, fake = normal(seed, 60, 3), 1.5 * normal(seed + 1, 50, 3) + 0.5

    def share(points, centres):
        radius = NearestNeighbors(n_neighbors=k + 1).fit(centres).kneighbors(centres)[0][:, k]
        distance = np.linalg.norm(points[:, None] - centres, axis=2)
        return (distance <= radius).any(axis=1).mean()

    precision, recall = metrics.precision_recall(real, fake, k)
    assert precision == pytest.approx(share(fake, real))
    assert recall == pytest.approx(share(real, fake))


def test_eq60_by_hand_on_the_line():
    """With k = 1 the balls around 0, 2, 6, 12 have radii 2, 2, 4, 6, edges included."""
    real = np.array([[0.0], [2], [6], [12]])
    fake = np.array([[-2.0], [-2.5], [8], [18], [18.5], [11], [4], [4.5]])
    assert metrics.precision_recall(real, fake, k=1)[0] == 6 / 8
    assert metrics.precision_recall(fake, real, k=1)[1] == 6 / 8
    away = [np.hstack([rows + 1e5, 0 * rows - 1e5]) for rows in (real, fake)]
    assert metrics.precision_recall(*away, k=1)[0] == 6 / 8
    few = np.array([[-1.0], [1], [7], [19]])  # radii 2, 2, 6, 12: all real rows are within
    assert metrics.precision_recall(real, few, k=1) == (3 / 4, 1.0)
    assert metrics.precision_recall(few, real, k=1) == (1.0, 3 / 4)
    far = np.array([[-6.0], [-6.5], [14], [18.5]])  # with k = 2: 6, 4, 6, 10
    assert metrics.precision_recall(real, far, k=2)[0] == 3 / 4


def test_eq60_one_neighbour_and_all_but_one_can_be_asked_for_and_three_are_usual():
    real, fake = normal(0, 60, 2), normal(1, 50, 2) + 1
    found = [metrics.precision_recall(real, fake, k) for k in range(1, 6)]
    assert metrics.precision_recall(real, fake) == found[2]
    assert found[1] != found[2] != found[3]
    fake = fake[:6]
    assert metrics.precision_recall(real, fake, 5)[0] == 1
    for k in (0, 6):
        for sets in ((real, fake), (fake, real)):
            with pytest.raises(DataError, match=f"^k: expected 1 to 5, got {k}$"):
                metrics.precision_recall(*sets, k)


@pytest.mark.parametrize("chunk", [1, 7, 59, 60])
def test_eq60_the_chunks_are_one_matrix(monkeypatch, chunk):
    real, fake = np.round(normal(0, 60, 2), 1), np.round(1.5 * normal(1, 50, 2) + 0.5, 1)
    whole = [metrics.precision_recall(*sets, 2) for sets in ((real, fake), (fake, real))]
    monkeypatch.setattr(metrics, "CHUNK", chunk)
    assert [
        metrics.precision_recall(*sets, 2) for sets in ((real, fake), (fake, real))
    ] == whole


def test_eq60_far_from_the_origin_and_extremes():
    real = normal(0, 200, 2)
    far = np.array([1000, -1000])
    moved = metrics.precision_recall(real + far, 1.5 * real + 0.5 + far)
    assert moved == pytest.approx(metrics.precision_recall(real, 1.5 * real + 0.5), abs=0.01)
    assert metrics.precision_recall(real, real) == (1.0, 1.0)
    assert metrics.precision_recall(real, real + 100) == (0.0, 0.0)
    assert metrics.precision_recall(real, np.zeros((50, 2))) == (1.0, 0.0)


@given(seeds, st.integers(1, 5), st.integers(1, 5), st.integers(1, 4))
def test_squared_distances_are_those_of_a_loop(seed, m, n, d):
    a, b = normal(seed, m, d), 3 * normal(seed + 1, n, d)
    expected = [[sum((p - q) ** 2 for p, q in zip(row, other)) for other in b] for row in a]
    np.testing.assert_allclose(metrics.squared_distances(a, b), expected, atol=1e-12)
    assert (metrics.squared_distances(1e4 + a, 1e4 + a) >= 0).all()


# ---- W1 ----


@given(seeds, st.integers(1, 50))
def test_eq61_on_the_line_it_is_scipys(seed, n):
    a, b = normal(seed, n), 2 * normal(seed + 1, n) + 1
    expected = scipy.stats.wasserstein_distance(a, b)
    assert metrics.wasserstein_1d(a, b) == pytest.approx(expected)
    flat = np.stack([a, np.zeros(n)], 1), np.stack([b, np.zeros(n)], 1)
    assert metrics.wasserstein_distance(*flat) == pytest.approx(expected)


def test_eq61a_in_the_plane_it_is_scipys_and_a_shift_costs_its_length():
    a, b = normal(0, 30, 2), normal(1, 30, 2)
    expected = scipy.stats.wasserstein_distance_nd(a, b)
    assert metrics.wasserstein_distance(a, b) == pytest.approx(expected)
    shuffled = np.random.default_rng(0).permutation(a) + [3, 4]
    assert metrics.wasserstein_distance(a, shuffled) == pytest.approx(5)


def test_eq61_a_line_may_be_a_column_or_not():
    a, b = [3.0, 0, 1], [5.0, 6, 8]
    assert metrics.wasserstein_1d(a, b) == 5
    assert metrics.wasserstein_1d(np.array(a)[:, None], b) == 5
    with pytest.raises(DataError, match=r"^W1: expected samples .* got \(3, 2\) and \(3, 2\)$"):
        metrics.wasserstein_1d(np.zeros((3, 2)), np.zeros((3, 2)))


def test_eq61_wants_samples_of_one_size():
    for distance in (metrics.wasserstein_1d, metrics.wasserstein_distance):
        with pytest.raises(
            DataError,
            match=r"^W1: expected samples of the same size, got \(4, 1\) and \(6, 1\)$",
        ):
            distance(normal(0, 4, 1), normal(0, 6, 1))


def test_without_scipy_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "scipy.optimize", None)
    with pytest.raises(
        MiniganError, match=r"^exact W1 needs SciPy: pip install 'minigan\[metr"
    ):
        metrics.wasserstein_distance(normal(0, 4, 2), normal(0, 4, 2))


# ---- Parzen ----


@given(seeds, st.sampled_from([0.1, 0.5, 3.0]), st.sampled_from(["float32", "float64"]))
def test_eq62_eq62a_the_window_is_sklearns_kernel_density(seed, sigma, dtype):
    samples, x = normal(seed, 30, 5).astype(dtype), normal(seed + 1, 7, 5).astype(dtype)
    expected = KernelDensity(bandwidth=sigma).fit(samples).score_samples(x)
    actual = log_likelihoods(x, samples, [sigma])[0]
    tolerance = 200 * np.finfo(dtype).eps
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance / sigma**2)


def test_eq62_one_window_is_a_gaussian_far_out_too():
    x = np.array([[0.0, 0.0], [3.0, 4.0], [300.0, 400.0]])
    expected = scipy.stats.multivariate_normal([0, 0], 0.25 * np.eye(2)).logpdf(x)
    np.testing.assert_allclose(log_likelihoods(x, x[:1], [0.5])[0], expected)


def test_eq62_by_a_loop_over_rows_samples_and_widths(monkeypatch):
    """In several chunks, the last one short; no chunk or width takes the place of another."""
    monkeypatch.setattr("minigan.lab.parzen.CHUNK", 3)
    samples, x = normal(0, 4, 2), normal(1, 8, 2)
    expected = [
        [
            np.log(np.mean([scipy.stats.norm(s, w).pdf(row).prod() for s in samples]))
            for row in x
        ]
        for w in (0.3, 1.0, 2.5)
    ]
    found = log_likelihoods(x, samples, [0.3, 1.0, 2.5])
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_eq62_the_published_grid_of_widths():
    assert (len(SIGMAS), SIGMAS[0], SIGMAS[-1]) == (10, 0.1, 1)
    np.testing.assert_allclose(SIGMAS[1:] / SIGMAS[:-1], 10 ** (1 / 9))


def test_eq62_the_protocol_chooses_sigma_on_the_validation_rows():
    """Windows on samples of N(0, 1): the best of the grid is the best by sklearn too."""
    samples, validation, test = normal(0, 500, 2), normal(1, 200, 2), normal(2, 3000, 2)
    mean, error, sigma = parzen(samples, validation, test)
    scores = [KernelDensity(bandwidth=s).fit(samples).score(validation) for s in SIGMAS]
    assert sigma == SIGMAS[np.argmax(scores)]
    each = KernelDensity(bandwidth=sigma).fit(samples).score_samples(test)
    assert mean == pytest.approx(each.mean())
    assert error == pytest.approx(scipy.stats.sem(each, ddof=0))
    given = [0.05, 0.7, 20.0]  # the best is in the middle
    assert parzen(samples, validation, test[:9], given)[2] == 0.7
    with pytest.raises(DataError, match=r"^Parzen: .* width, got .*\(200, 2\) and \(5, 3\)$"):
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


NAMES = {
    "frechet": "Fréchet distance",
    "precision": "precision",
    "w1 on the line": "W1",
    "w1": "W1",
    "modes": "modes",
    "parzen": "Parzen",
}


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e20, -1e300])
@pytest.mark.parametrize("side", [0, 1])
def test_samples_of_a_model_that_diverged_are_refused_in_one_sentence(name, bad, side):
    sets = [normal(0, 12, 2), normal(1, 12, 2)]
    sets[side][0, 0] = bad
    with np.errstate(over="ignore"), pytest.raises(DataError) as error:
        MEASURES[name](*sets)
    assert str(error.value).startswith(f"{NAMES[name]}: expected numbers below 1e+15, got ")


def test_distances_of_numbers_in_float32_are_computed_in_float64():
    a, b = (1000 + normal(seed, 37, 2).astype("float32") for seed in (0, 1))
    wide = a.astype("float64"), b.astype("float64")
    for measure in (
        metrics.wasserstein_distance,
        lambda *c: metrics.wasserstein_1d(*(x[:, 0] for x in c)),
    ):
        assert measure(a, b) == measure(*wide)
    x, zero = np.array([[1 + 2.0**-13, 0]], "float32"), np.zeros((1, 2), "float32")
    within = float(np.sqrt(1 + 2.0**-12 + 2.0**-25) / 3)  # in float32 the squares are equal
    assert metrics.modes_captured(x, zero, within) == (1, 1.0)


def test_what_can_be_measured_comes_back_as_floats():
    whole, half, single = np.eye(2, dtype=int), np.eye(2, dtype="float16"), np.eye(2) < 1
    found = metrics.measurable("x", whole, half, single, [[1, 2]])
    assert [rows.dtype.name for rows in found] == ["float64", "float16", "float64", "float64"]
    assert [rows.tolist() for rows in found[::3]] == [[[1, 0], [0, 1]], [[1, 2]]]
    assert metrics.measurable("x", whole, dtype="float32")[0].dtype == np.float32
    almost = np.array([[np.nextafter(1e15, 0), -np.nextafter(1e15, 0)]])
    np.testing.assert_array_equal(metrics.measurable("x", almost)[0], almost)


@pytest.mark.parametrize(
    ("sets", "least", "says"),
    [
        ([[[1e15]]], 1, "numbers below 1e+15, got 1e+15"),
        ([[[-1e15, 2]], [[3, 4]]], 1, "numbers below 1e+15, got -1e+15"),
        ([[[0]], [[0], [-1e16]]], 1, "numbers below 1e+15, got -1e+16"),
        ([[[1j]]], 1, "rows of real numbers (n, d), got rows of shape (1, 1)"),
        ([[["a"]]], 1, "rows of real numbers (n, d), got rows of shape (1, 1)"),
        ([[[1]], [1]], 1, "rows of real numbers (n, d), got rows of shape (1, 1) and (1,)"),
        ([[[1]], [[1, 2]]], 1, "rows of one width, got rows of shape (1, 1) and (1, 2)"),
        ([[[1]], np.ones((0, 1))], 1, "rows of one width, got rows of shape (1, 1) and (0, 1)"),
        ([[[1]], [[1], [2]]], 2, "at least 2 rows, got rows of shape (1, 1) and (2, 1)"),
    ],
)
def test_what_cannot_be_measured_is_refused_with_its_shapes(sets, least, says):
    with pytest.raises(DataError) as error:
        metrics.measurable("them", *sets, least=least)
    assert str(error.value) == f"them: expected {says}"


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
    with pytest.raises(DataError, match="^labels: expected at least one, got none$"):
        metrics.class_shares(np.array([], int), 3)
    assert metrics.class_shares(np.array([1]), 3).tolist() == [0, 1, 0]


def test_the_distance_of_more_rows_than_fit_is_refused(monkeypatch):
    a, b = normal(0, 10, 2), normal(1, 10, 2)
    monkeypatch.setattr("minigan.arrays._memory", lambda: 16 * 10**2)
    assert metrics.wasserstein_distance(a, b) > 0
    monkeypatch.setattr("minigan.arrays._memory", lambda: 16 * 10**2 - 1)
    with pytest.raises(MiniganError, match="^W1 of 10 rows would take"):
        metrics.wasserstein_distance(a, b)


def test_a_window_has_a_width():
    with pytest.raises(MiniganError, match="sigmas: expected a positive number, got 0.0"):
        log_likelihoods(normal(0, 3, 2), normal(1, 3, 2), [0.5, 0.0])
