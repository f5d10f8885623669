"""Chapter 2: each value against SciPy, each ds against its own value."""

import numpy as np
import pytest
import scipy.special
from hypothesis import given
from strategies import normal, scores, sizes, targets

from minigan import bce_with_logits, least_squares, to_numpy, wasserstein
from minigan.gradcheck import check_loss

LOSSES = [bce_with_logits, wasserstein, least_squares]


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
