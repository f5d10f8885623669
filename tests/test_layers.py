"""Chapter 1: each forward pass against scalar loops and SciPy, each derivative proven."""

import math

import autograd.numpy as anp
import numpy as np
import pytest
import scipy.special
from autograd import grad, make_jvp
from hypothesis import given
from hypothesis import strategies as st
from readers import Softplus
from strategies import EXTREME, normal, scales, seeds, sizes, slopes

from minigan import Dense, LeakyReLU, MiniganError, Sigmoid, to_numpy
from minigan.gradcheck import check_layer
from minigan.layers import require


@st.composite
def dense(draw):
    m, n, k = draw(sizes), draw(sizes), draw(sizes)
    x, W, b = draw(normal(m, n)), draw(normal(n, k)), draw(normal(k))
    return Dense(n, k), x, W, b


def close(actual, expected, tolerance):
    """Relative error of norms; both arrays may be all zeros."""
    actual, expected = np.asarray(to_numpy(actual)), np.asarray(expected)
    assert actual.shape == expected.shape
    assert np.linalg.norm(actual - expected) <= tolerance * np.linalg.norm(expected)


@given(dense())
def test_eq1_dense_is_the_affine_map_entry_by_entry(lib, drawn):
    layer, x, W, b = drawn
    dtype = lib.dtypes[-1]
    x, W, b = (a.astype(dtype).astype(float) for a in (x, W, b))
    y = layer.forward(*(lib.array(a, dtype) for a in (x, W, b)))
    expected = [
        [math.fsum([b[j], *(row[p] * W[p, j] for p in range(layer.n))]) for j in range(layer.k)]
        for row in x
    ]
    terms = np.linalg.norm(abs(x) @ abs(W) + abs(b))
    assert np.linalg.norm(to_numpy(y) - expected) <= 8 * np.finfo(dtype).eps * terms


def test_eq1_eq1a_eq1b_eq1c_eq1d_eq1e_by_hand_where_every_shape_is_square(lib):
    """m = n = k = 2, where * would broadcast in silence: only the numbers can tell."""
    x, W, b, dy = (
        lib.array(np.array(rows, lib.dtypes[-1]))
        for rows in ([[1, 2], [3, 4]], [[5, 6], [7, 8]], [10, 20], [[1, -1], [2, 3]])
    )
    layer = Dense(2, 2)
    y = layer.forward(x, W, b)
    dW, db = layer.dparams(dy, x, y, W, b)
    expected = {
        "y": (y, [[1 * 5 + 2 * 7 + 10, 1 * 6 + 2 * 8 + 20], [53, 70]]),
        "dx": (layer.dx(dy, x, y, W, b), [[5 - 6, 7 - 8], [2 * 5 + 3 * 6, 2 * 7 + 3 * 8]]),
        "dW": (dW, [[1 * 1 + 3 * 2, -1 * 1 + 3 * 3], [2 * 1 + 4 * 2, -2 * 1 + 4 * 3]]),
        "db": (db, [3, 2]),
        "dW of the tangent": (layer.tangent_dparams(dy, x, x, y, W, b)[0], to_numpy(dW)),
        "db of the tangent": (layer.tangent_dparams(dy, x, x, y, W, b)[1], [0, 0]),
        "tangent": (layer.tangent(dy, x, y, W, b), [[5 - 7, 6 - 8], [31, 36]]),
    }
    for name, (actual, wanted) in expected.items():
        np.testing.assert_array_equal(to_numpy(actual), wanted, err_msg=name)


@given(dense())
def test_eq1a_eq1b_eq1c_eq1d_eq1e_dense_derivatives(lib64, drawn):
    layer, *arrays = drawn
    checks = check_layer(layer, *map(lib64.array, arrays))
    assert {check.name for check in checks} >= {f"Dense.tangent_dparams[{i}]" for i in (0, 1)}
    for check in checks:
        assert check.passed, check


@given(dense(), seeds)
def test_eq1d_eq1e_the_tangent_and_its_gradient_are_autograds(lib64, drawn, seed):
    """Autograd pushes u forward, and differentiates what comes out with respect to W."""
    layer, x, W, b = drawn
    rng = np.random.default_rng(seed)
    u, v = rng.standard_normal(x.shape), rng.standard_normal((len(x), layer.k))

    def tangent(W):
        return make_jvp(lambda x: anp.dot(x, W) + b)(x)(u)[1]

    dy, moved_u, *arrays = map(lib64.array, (v, u, x, W, b))
    y = layer.forward(*arrays)
    dW, db = layer.tangent_dparams(dy, moved_u, arrays[0], y, *arrays[1:])
    close(layer.tangent(moved_u, arrays[0], y, *arrays[1:]), tangent(W), 1e-14)
    close(dW, grad(lambda W: anp.sum(v * tangent(W)))(W), 1e-14)
    np.testing.assert_array_equal(to_numpy(db), np.zeros_like(b))


@given(normal(sizes, sizes), slopes)
def test_eq2_leaky_relu_entry_by_entry(lib, x, slope):
    dtype = lib.dtypes[-1]
    y = LeakyReLU(slope).forward(lib.array(x, dtype))
    expected = [[v if v > 0 else slope * v for v in row] for row in x.astype(dtype).tolist()]
    close(y, expected, np.finfo(dtype).eps)


@given(normal(sizes, sizes), slopes)
def test_eq2a_eq2b_leaky_relu_derivatives(lib64, x, slope):
    for check in check_layer(LeakyReLU(slope), lib64.array(x)):
        assert check.passed, check


@pytest.mark.parametrize("slope", [0.0, 0.2])
def test_eq2a_at_the_bend_the_slope_below_zero_is_used(lib, slope):
    x = lib.array([[0.0, -0.0]], lib.dtypes[-1])
    dx = LeakyReLU(slope).dx(x + 1, x, LeakyReLU(slope).forward(x))
    np.testing.assert_array_equal(to_numpy(dx), np.full((1, 2), slope, lib.dtypes[-1]))


@given(normal(sizes, sizes, scale=st.sampled_from([1e-6, 1e-3, 1.0, 10.0, 1e3, 1e6])))
def test_eq3_sigmoid_is_scipys_expit(lib, x):
    dtype = lib.dtypes[-1]
    x = np.concatenate([x.ravel(), EXTREME])[None, :].astype(dtype)
    expected = scipy.special.expit(x.astype(float))
    y = to_numpy(Sigmoid().forward(lib.array(x)))
    tiny = np.finfo(dtype).tiny
    np.testing.assert_allclose(y, expected, rtol=4 * np.finfo(dtype).eps, atol=tiny)


@given(normal(sizes, sizes, scale=st.sampled_from([1e-6, 1e-3, 0.1, 1.0])))
def test_eq3a_eq3b_sigmoid_derivatives(lib64, x):
    for check in check_layer(Sigmoid(), lib64.array(x)):
        assert check.passed, check


@given(normal(sizes, sizes, scale=st.sampled_from([10.0, 100.0, 1e6])))
def test_eq3a_a_saturated_sigmoid_errs_by_less_than_rounding_of_dy(lib, x):
    """y(1 − y) cancels where y is near 1: its error is then small against dy, not itself."""
    dtype = lib.dtypes[-1]
    x = np.concatenate([x.ravel(), EXTREME])[None, :].astype(dtype)
    moved = lib.array(x)
    dx = to_numpy(Sigmoid().dx(moved * 0 + 1, moved, Sigmoid().forward(moved)))
    exact = scipy.special.expit(x.astype(float)) * scipy.special.expit(-x.astype(float))
    np.testing.assert_allclose(dx, exact, rtol=0, atol=2 * np.finfo(dtype).eps)


@given(st.data(), seeds)
def test_float32_agrees_with_float64_and_no_dtype_is_changed(lib, data, seed):
    m, n, k = (data.draw(sizes) for _ in range(3))
    rng, scale = np.random.default_rng(seed), data.draw(scales)
    W, b = rng.standard_normal((n, k)), rng.standard_normal(k)
    x, v, u = scale * rng.standard_normal((m, n)), *rng.standard_normal((2, m, n))
    vk = rng.standard_normal((m, k))
    layers = (Dense(n, k), (W, b), vk), (LeakyReLU(0.2), (), v), (Sigmoid(), (), v)
    for layer, params, dy in layers:
        low, high = (
            passes(layer, *(lift(a.astype("float32")) for a in (x, dy, u, *params)))
            for lift in (lib.array, lambda a: a.astype(float))
        )
        size = np.linalg.norm(dy) + np.linalg.norm(u)
        if params:
            size = (np.linalg.norm(x) + size) * (np.linalg.norm(W) + 1) + np.linalg.norm(b)
        for a, exact in zip(low, high):
            assert a.dtype == np.float32
            assert exact.dtype == np.float64
            assert np.linalg.norm(a - exact) <= 1e-6 * (np.linalg.norm(exact) + size)


def passes(layer, x, dy, u, *params):
    """Everything a layer computes, on the host."""
    y = layer.forward(x, *params)
    outs = [y, layer.dx(dy, x, y, *params), layer.tangent(u, x, y, *params)]
    if params:
        outs += layer.dparams(dy, x, y, *params)
        outs += layer.tangent_dparams(dy, u, x, y, *params)
    return [to_numpy(out) for out in outs]


def test_complex128_stays_complex128(lib64):
    x = lib64.array(np.array([[1 + 1e-30j, -1.0]]))
    W, b = lib64.array(np.ones((2, 3), complex)), lib64.array(np.zeros(3, complex))
    for layer, params in ((Dense(2, 3), (W, b)), (LeakyReLU(), ()), (Sigmoid(), ())):
        assert to_numpy(layer.forward(x, *params)).dtype == np.complex128


@pytest.mark.parametrize(("n", "k", "name"), [(0, 3, "n"), (3, 0, "k"), (-1, 3, "n")])
def test_a_dense_layer_needs_sizes_of_at_least_one(n, k, name):
    with pytest.raises(MiniganError, match=f"Dense: {name}: must be at least 1"):
        Dense(n, k)


def test_the_slope_is_0_2_unless_another_is_given():
    assert LeakyReLU().slope == 0.2
    assert repr([Dense(3, 2), LeakyReLU(), LeakyReLU(0.1), Sigmoid()]) == (
        "[Dense(n=3, k=2), LeakyReLU(slope=0.2), LeakyReLU(slope=0.1), Sigmoid()]"
    )


@pytest.mark.parametrize("slope", [-0.1, 1.0, float("nan")])
def test_a_slope_outside_zero_to_one_is_refused(slope):
    with pytest.raises(MiniganError, match=r"slope: expected a number in \[0, 1\)"):
        LeakyReLU(slope)


def test_sizes_and_slopes_of_numpy_become_pythons_own():
    layer = Dense(np.int64(3), np.array(2))
    assert repr(layer) == "Dense(n=3, k=2)"
    assert layer.shapes == ((3, 2), (2,))
    assert type(layer.n) is type(layer.k) is int
    assert type(LeakyReLU(np.float32(0.5)).slope) is float
    for wrong in (3.0, "3", None, True):
        with pytest.raises(MiniganError, match="Dense: n: expected a whole number, got"):
            Dense(wrong, 2)


def test_require_names_every_method_that_is_missing():
    require(Dense(3, 2), "forward", "dx", "dparams", "tangent", "tangent_dparams")
    message = "^Softplus: expected a layer with dx, dparams, moved; missing: dparams, moved "
    with pytest.raises(MiniganError, match=message):
        require(Softplus(), "dx", "dparams", "moved")
