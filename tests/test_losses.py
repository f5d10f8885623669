"""Chapter 2: each value against SciPy, each ds against its own value."""

import decimal
import functools
from fractions import Fraction

import autograd.numpy as anp
import numpy as np
import pytest
import scipy.special
from autograd import grad
from hypothesis import given
from hypothesis import strategies as st
from strategies import normal, scores, seeds, sizes, targets

from minigan import (
    bce_with_logits,
    least_squares,
    relativistic,
    softmax_cross_entropy,
    to_numpy,
    wasserstein,
)
from minigan.gradcheck import check_gradient, check_loss

LOSSES = [bce_with_logits, wasserstein, least_squares, relativistic]


@given(scores(), targets)
def test_eq4_bce_is_the_cross_entropy_of_scipys_log_expit(lib, s, t):
    dtype = lib.dtypes[-1]
    s = s.astype(dtype).astype(float)
    log_p, log_q = scipy.special.log_expit(s), scipy.special.log_expit(-s)
    expected = np.mean(-t * log_p - (1 - t) * log_q)
    actual = float(bce_with_logits(lib.array(s, dtype), t)[0])
    assert abs(actual - expected) <= 8 * np.finfo(dtype).eps * expected + np.finfo(dtype).tiny


@given(scores(), targets)
def test_eq4a_bce_derivative_is_sigma_minus_t_without_cancellation(lib, s, t):
    dtype = lib.dtypes[-1]
    ds = to_numpy(bce_with_logits(lib.array(s, dtype), t)[1])
    s, t = s.astype(dtype).astype(float), float(t)
    up, down = (1 - t) * scipy.special.expit(s), t * scipy.special.expit(-s)
    error = abs(ds * len(s) - (up - down))
    assert (error <= 4 * np.finfo(dtype).eps * (up + down) + np.finfo(dtype).tiny).all()


@pytest.mark.parametrize("loss", LOSSES)
@given(scores(), targets)
def test_ds_is_the_derivative_of_the_value_beside_it(lib64, loss, s, t):
    s = np.concatenate([s, [[1.0], [-1.0]]])  # near its own zero, ds is lost in rounding
    check = check_loss(loss, lib64.array(s), t)
    assert check.passed, check


@given(normal(sizes, 1), targets)
def test_eq5_eq5a_wasserstein_is_the_mean_score(lib, s, t):
    dtype = lib.dtypes[-1]
    s = s.astype(dtype)
    value, ds = wasserstein(lib.array(s), t)
    scale = np.mean(np.abs(s.astype(float)))
    assert abs(float(value) + t * np.mean(s.astype(float))) <= 8 * np.finfo(dtype).eps * scale
    np.testing.assert_array_equal(to_numpy(ds), np.full(s.shape, -t / len(s), dtype))


@pytest.mark.parametrize("loss", LOSSES)
@given(scores())
def test_targets_may_differ_from_row_to_row(lib, loss, s):
    """A mean over rows is the mean of the rows' own losses."""
    dtype = lib.dtypes[-1]
    t = np.linspace(0, 1, len(s))[:, None].astype(dtype)
    value, ds = loss(lib.array(s, dtype), lib.array(t))
    rows = [loss(lib.array(s[i : i + 1], dtype), float(t[i, 0])) for i in range(len(s))]
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(
        float(value), np.mean([float(v) for v, _ in rows]), rtol=20 * eps, atol=800 * eps
    )
    singles = np.concatenate([to_numpy(d) for _, d in rows]) / len(s)
    np.testing.assert_allclose(to_numpy(ds), singles, rtol=4 * eps, atol=eps)


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_follow_the_dtype_of_the_scores(lib, loss):
    for dtype in lib.dtypes:
        value, ds = loss(lib.array([[1.0], [-2.0]], dtype), 0.9)
        assert str(value.dtype).endswith(dtype)
        assert to_numpy(ds).dtype == dtype


@given(normal(sizes, 1), targets)
def test_eq6_eq6a_least_squares_is_half_the_mean_squared_distance(lib, s, t):
    dtype = lib.dtypes[-1]
    s = s.astype(dtype).astype(float)
    value, ds = least_squares(lib.array(s, dtype), t)
    eps = float(np.finfo(dtype).eps)
    expected = sum((v - t) ** 2 for v in s.ravel().tolist()) / (2 * len(s))
    assert float(value) == pytest.approx(expected, rel=20 * eps, abs=eps**2)
    np.testing.assert_allclose(to_numpy(ds), (s - t) / len(s), rtol=4 * eps, atol=eps)


@given(scores(), seeds)
def test_eq7_eq7a_relativistic_is_the_softplus_of_the_difference(lib, s, seed):
    dtype = lib.dtypes[-1]
    s = s.astype(dtype)
    rival = s[np.random.default_rng(seed).permutation(len(s))]
    value, ds = relativistic(lib.array(s), lib.array(rival))
    d, eps = (s - rival).astype(float), np.finfo(dtype).eps
    expected = np.mean(-scipy.special.log_expit(d))
    assert abs(float(value) - expected) <= 8 * eps * expected + np.finfo(dtype).tiny
    slope = -scipy.special.expit(-d)
    error = abs(to_numpy(ds) * len(s) - slope)
    assert (error <= 4 * eps * abs(slope) + np.finfo(dtype).tiny).all()


@given(seeds, st.integers(1, 6), st.integers(2, 11), st.sampled_from([1.0, 30.0]))
def test_eq8_eq8a_softmax_cross_entropy(lib64, seed, m, k, scale):
    s = scale * np.random.default_rng(seed).standard_normal((m, k))
    c = np.eye(k)[np.random.default_rng(seed).integers(k, size=m)]

    def plain(s):
        return -anp.sum(c * (s - anp.log(anp.sum(anp.exp(s), axis=1, keepdims=True)))) / m

    value, ds = softmax_cross_entropy(lib64.array(s), lib64.array(c))
    assert float(value) == pytest.approx(plain(s), rel=1e-12, abs=1e-12)
    np.testing.assert_allclose(to_numpy(ds), grad(plain)(s), rtol=1e-9, atol=1e-15)

    def L(s):
        return softmax_cross_entropy(s, lib64.array(c.astype(complex)))[0]

    s = lib64.array(s / (2 * scale))  # where no p is so near to 1 that p - c loses digits
    check = check_gradient("softmax", L, s, softmax_cross_entropy(s, lib64.array(c))[1])
    assert check.passed, check


def test_eq8_large_scores_do_not_overflow():
    s = np.array([[1e4, 0, -1e4]], "float32")
    for j, expected in enumerate([0, 1e4, 2e4]):
        assert softmax_cross_entropy(s, np.eye(3, dtype="float32")[[j]])[0] == expected


def test_eq8_each_row_has_a_largest_score_of_its_own():
    s, c = np.array([[1e4, 0.0], [0.0, 0.0]]), np.eye(2)
    value, ds = softmax_cross_entropy(s, c)
    assert value == pytest.approx(np.log(2) / 2)
    np.testing.assert_allclose(ds, [[0, 0], [0.25, -0.25]])


# ---- entry by entry, against sixty digits ----

FAR = [0.0, *(10.0**k for k in range(-300, 3, 7)), 0.3, 1.0, 2.5, 17.0, 36.5, 40.0, 88.0, 104.0]
FAR += [300.0, 700.0, 745.0, 746.0, 1000.0]
SCORES = sorted({sign * s for s in FAR for sign in (1.0, -1.0)})
TARGETS = 0.0, 0.1, 0.5, 0.9, 1.0


def sixty_digits(function):
    """The function of Decimals, to sixty digits and without underflow."""

    @functools.wraps(function)
    def of_floats(*numbers):
        with decimal.localcontext(decimal.Context(prec=60, Emin=-9999, Emax=9999)):
            return function(*map(decimal.Decimal, numbers))

    return of_floats


@sixty_digits
def exact_bce(s, t):
    """−t log σ(s) − (1 − t) log σ(−s), then its derivative's two parts."""
    up, down = 1 / (1 + (-s).exp()), 1 / (1 + s.exp())
    return -t * up.ln() - (1 - t) * down.ln(), (1 - t) * up, t * down


@sixty_digits
def exact_log_sigma(s):
    """log σ(s) by its series log(1 − q) = −q − q²/2 − … where q = σ(−s) is lost beside 1."""
    q = 1 / (1 + s.exp())
    return -sum(q**k / k for k in range(1, 5))


def entries(dtype):
    for s in SCORES:
        s = float(np.asarray(s, dtype))
        for t in TARGETS:
            yield s, t


def near(actual, expected, scale, dtype, ulps):
    """Within so many units in the last place of `scale`, or of the smallest number there is."""
    limits = np.finfo(dtype)
    allowed = ulps * decimal.Decimal(float(limits.eps)) * abs(scale)
    least = decimal.Decimal(float(limits.tiny))  # below it digits are lost, or it is 0 at once
    return abs(decimal.Decimal(float(actual)) - expected) <= allowed + least


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_eq4_eq4a_bce_to_the_last_digits_of_every_entry(lib, dtype):
    """A mean over rows would hide an entry that lost all its digits, as log(1 + e) does."""
    if dtype not in lib.dtypes:
        pytest.skip(f"{lib} has no {dtype}")
    for s, t in entries(dtype):
        value, ds = bce_with_logits(lib.array([[s]], dtype), t)
        loss, up, down = exact_bce(s, t)
        if s > 60 and t == 1:
            loss = -exact_log_sigma(s)
        if s < -60 and t == 0:
            loss = -exact_log_sigma(-s)
        assert near(to_numpy(value), loss, loss, dtype, 4), (s, t)
        assert near(to_numpy(ds)[0, 0], up - down, up + down, dtype, 4), (s, t)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_eq5_eq6_each_entry_is_exact(lib, dtype):
    if dtype not in lib.dtypes:
        pytest.skip(f"{lib} has no {dtype}")
    for s, t in entries(dtype):
        t = float(np.asarray(2 * t - 1, dtype))
        value, ds = wasserstein(lib.array([[s]], dtype), t)
        product = Fraction(-t) * Fraction(s)
        product = decimal.Decimal(product.numerator) / product.denominator
        assert near(to_numpy(value), product, product, dtype, 1), (s, t)
        assert float(to_numpy(ds)[0, 0]) == -t
        value, ds = least_squares(lib.array([[s]], dtype), t)
        gap = Fraction(s) - Fraction(t)
        gap, half = (decimal.Decimal(g.numerator) / g.denominator for g in (gap, gap**2 / 2))
        assert near(to_numpy(ds)[0, 0], gap, gap, dtype, 1), (s, t)
        assert near(to_numpy(value), half, half, dtype, 4), (s, t)


@sixty_digits
def exact_softmax(*scores):
    """(log p, p) of the first of the scores."""
    total = sum(s.exp() for s in scores)
    return scores[0] - total.ln(), scores[0].exp() / total


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_eq8_eq8a_softmax_to_the_last_digits_of_every_entry(lib, dtype):
    if dtype not in lib.dtypes:
        pytest.skip(f"{lib} has no {dtype}")
    for s in SCORES:
        s = float(np.asarray(s, dtype))
        rows = lib.array([[s, 0.25, -0.5]], dtype)
        value, ds = softmax_cross_entropy(rows, lib.array([[1.0, 0.0, 0.0]], dtype))
        log_p, p = exact_softmax(s, 0.25, -0.5)
        assert near(to_numpy(value), -log_p, 1 + abs(decimal.Decimal(s)), dtype, 4), s
        assert near(to_numpy(ds)[0, 0], p - 1, 1, dtype, 4), s
