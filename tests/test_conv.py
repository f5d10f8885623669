"""Chapter 13: convolutions against six nested loops, SciPy and the complex step."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import convolve2d, correlate2d
from strategies import fewer, seeds

from minigan import Conv, ConvTranspose, LeakyReLU, MiniganError, Network, to_numpy
from minigan.conv import Patches
from minigan.gradcheck import check_layer, check_network

small = st.integers(1, 3)


few = st.integers(0, 2)


@st.composite
def geometries(draw, beside=few):
    """(h, w, c, K, s, p, beside): all that there is, down to a kernel of the padded side."""
    kernel = draw(st.integers(1, 4))
    padding = draw(st.integers(0, kernel - 1))
    sides = st.integers(max(1, kernel - 2 * padding), 7)
    stride = draw(st.integers(1, kernel + 1))
    return draw(sides), draw(sides), draw(small), kernel, stride, padding, draw(beside)


@st.composite
def layers(draw, cls, scale=None):
    """A layer, rows for it, its weights and its biases."""
    h, w, c, *sizes, beside = draw(geometries() if cls is Conv else geometries(st.just(0)))
    layer = cls((h, w, c), draw(small), *sizes, *([beside] if cls is Conv else []))
    rng, m = np.random.default_rng(draw(seeds)), draw(small)
    arrays = [rng.standard_normal(shape) for shape in ((m, layer.n), *layer.shapes)]
    arrays[0] *= 10.0 ** draw(st.integers(-6, 6))
    return (layer, *arrays)


conv, transpose = layers(Conv), layers(ConvTranspose)
both = st.one_of(conv, transpose)


def numbers(layer):
    """h, w, c, k, K, s, p and the places' height and width."""
    of = layer.patches
    return of.h, of.w, of.c, layer.k, of.kernel, of.stride, of.padding, *of.places


def pixel(x, u, v, q):
    """x[u, v, q] of one picture, and 0 outside of it."""
    inside = 0 <= u < x.shape[0] and 0 <= v < x.shape[1]
    return x[u, v, q] if inside else 0.0


def six_loops(layer, x, W, b):
    """(47) as it is written, one number at a time; and the sum of the terms' sizes."""
    h, w, c, k, K, s, p, height, width = numbers(layer)
    pictures, beside = x[:, : h * w * c].reshape(-1, h, w, c), x[:, h * w * c :]
    y = np.zeros((len(x), height, width, k))
    size = np.zeros_like(y)
    for i, r, t, j in itertools.product(*map(range, y.shape)):
        terms = [b[j], *(beside[i] * W[K * K * c :, j])]
        for a, e, q in itertools.product(range(K), range(K), range(c)):
            value = pixel(pictures[i], s * r + a - p, s * t + e - p, q)
            terms.append(value * W[(a * K + e) * c + q, j])
        y[i, r, t, j], size[i, r, t, j] = math.fsum(terms), math.fsum(map(abs, terms))
    return y.reshape(len(x), -1), np.linalg.norm(size)


def stamps(layer, x, W, b):
    """(48): every pixel of x stamps its filter on the larger picture."""
    h, w, c, k, K, s, p, height, width = numbers(layer)
    x = x.reshape(-1, height, width, k)
    y, size = np.zeros((2, len(x), h, w, c)) + b
    for i, r, t, j in itertools.product(*map(range, x.shape)):
        for a, e, q in itertools.product(range(K), range(K), range(c)):
            u, v = s * r + a - p, s * t + e - p
            if 0 <= u < h and 0 <= v < w:
                term = x[i, r, t, j] * W[(a * K + e) * c + q, j]
                y[i, u, v, q] += term
                size[i, u, v, q] += abs(term)
    return y.reshape(len(x), -1), np.linalg.norm(size)


@given(geometries())
def test_eq44_a_place_is_wherever_a_whole_patch_lies_in_the_padded_picture(drawn):
    h, w, _, K, s, p, _ = drawn
    counted = [sum(s * r + K <= side + 2 * p for r in range(side + 2 * p)) for side in (h, w)]
    assert list(Patches(*drawn).places) == counted


@given(geometries(), seeds)
def test_eq45_eq46_scatter_is_the_transpose_of_gather(lib, drawn, seed):
    """In whole numbers, of which no sum is rounded."""
    patches, rng, dtype = Patches(*drawn), np.random.default_rng(seed), lib.dtypes[-1]
    height, width = patches.places
    x = rng.integers(-9, 10, (2, patches.n)).astype(dtype)
    X = rng.integers(-9, 10, (2 * height * width, patches.width)).astype(dtype)
    gathered, scattered = patches.gather(lib.array(x)), patches.scatter(lib.array(X))
    assert gathered.shape == X.shape
    assert scattered.shape == x.shape
    assert str(gathered.dtype) == str(scattered.dtype) == str(lib.array(x).dtype)
    assert np.vdot(X, to_numpy(gathered)) == np.vdot(to_numpy(scattered), x)


def assert_outputs(oracle, lib, layer, *arrays):
    """A layer's outputs are the oracle's (outputs, size of their terms), to rounding."""
    dtype = lib.dtypes[-1]
    arrays = [a.astype(dtype) for a in arrays]
    y = to_numpy(layer.forward(*map(lib.array, arrays)))
    expected, size = oracle(layer, *(a.astype(float) for a in arrays))
    assert y.shape == expected.shape
    assert np.linalg.norm(y - expected) <= 8 * np.finfo(dtype).eps * size


@given(conv)
def test_eq45_eq47_a_convolution_is_six_nested_loops(lib, drawn):
    assert_outputs(six_loops, lib, *drawn)


@given(transpose)
def test_eq46_eq48_a_transposed_convolution_stamps_its_filters(lib, drawn):
    assert_outputs(stamps, lib, *drawn)


@given(layers(Conv))
def test_eq47_a_convolution_is_what_scipy_calls_a_correlation(drawn):
    layer, x, W, b = drawn
    h, w, c, k, K, s, p, *places = numbers(layer)
    pictures = np.pad(x[:, : h * w * c].reshape(-1, h, w, c), ((0, 0), (p, p), (p, p), (0, 0)))
    filters = W[: K * K * c].reshape(K, K, c, k)
    expected = np.zeros((len(x), *places, k)) + b
    expected += (x[:, h * w * c :] @ W[K * K * c :])[:, None, None, :]
    for i, j, q in itertools.product(range(len(x)), range(k), range(c)):
        every = correlate2d(pictures[i, :, :, q], filters[:, :, q, j], mode="valid")
        expected[i, :, :, j] += every[::s, ::s]
    scale = np.linalg.norm(x) * np.linalg.norm(W) + np.linalg.norm(b)
    np.testing.assert_allclose(
        layer.forward(x, W, b), expected.reshape(len(x), -1), rtol=0, atol=1e-14 * scale
    )


@given(layers(ConvTranspose))
def test_eq48_with_zeros_between_its_pixels_scipy_convolves_the_smaller_picture(drawn):
    layer, x, W, b = drawn
    h, w, c, k, K, s, p, height, width = numbers(layer)
    spread = np.zeros((len(x), s * (height - 1) + 1, s * (width - 1) + 1, k))
    spread[:, ::s, ::s] = x.reshape(-1, height, width, k)
    filters, expected = W.reshape(K, K, c, k), np.zeros((len(x), h + 2 * p, w + 2 * p, c))
    for i, j, q in itertools.product(range(len(x)), range(k), range(c)):
        full = convolve2d(spread[i, :, :, j], filters[:, :, q, j])
        expected[i, : full.shape[0], : full.shape[1], q] += full
    expected = (expected[:, p : p + h, p : p + w] + b).reshape(len(x), -1)
    scale = np.linalg.norm(x) * np.linalg.norm(W) + np.linalg.norm(b)
    np.testing.assert_allclose(layer.forward(x, W, b), expected, rtol=0, atol=1e-14 * scale)


@fewer
@given(conv)
def test_eq47a_eq47b_eq47c_eq47d_eq47e_derivatives(lib64, drawn):
    layer, *arrays = drawn
    checks = check_layer(layer, *map(lib64.array, arrays))
    assert {check.name for check in checks} >= {f"Conv.tangent_dparams[{i}]" for i in (0, 1)}
    for check in checks:
        assert check.passed, check


@fewer
@given(transpose)
def test_eq48a_eq48b_eq48c_eq48d_eq48e_derivatives(lib64, drawn):
    layer, *arrays = drawn
    for check in check_layer(layer, *map(lib64.array, arrays)):
        assert check.passed, check


@given(transpose, seeds)
def test_eq47a_eq48_forward_of_the_one_is_dx_of_the_other(lib, drawn, seed):
    layer, x, W, b = drawn
    _, _, c, k, *sizes, _, _ = numbers(layer)
    other = Conv(layer.larger, k, *sizes)
    assert (other.smaller, other.shapes[0]) == (layer.smaller, layer.shapes[0])
    dtype, rng = lib.dtypes[-1], np.random.default_rng(seed)
    b, b_other, y = np.zeros(c), np.zeros(k), rng.standard_normal((len(x), other.n))
    x, y, W, b, b_other = (lib.array(a, dtype) for a in (x, y, W, b, b_other))
    pairs = (
        (layer.forward(x, W, b), other.dx(x, y, x, W, b_other)),
        (other.forward(y, W, b_other), layer.dx(y, x, y, W, b)),
    )
    for one, two in pairs:
        np.testing.assert_array_equal(to_numpy(one), to_numpy(two))


def test_eq45_eq47_eq47a_eq47b_eq47c_by_hand(lib):
    """A picture of 3 × 3, a kernel of 2 × 2, no padding, steps of one: four places."""
    dtype = lib.dtypes[-1]
    layer = Conv((3, 3), 1, kernel=2, stride=1, padding=0)
    x, W, b, dy = (
        lib.array(np.array(rows, dtype))
        for rows in (
            [[1, 2, 3, 4, 5, 6, 7, 8, 9]], [[1], [0], [0], [-1]], [10], [[1, 0, 0, 2]]
        )
    )  # fmt: skip
    y = layer.forward(x, W, b)
    X = [[1, 2, 4, 5], [2, 3, 5, 6], [4, 5, 7, 8], [5, 6, 8, 9]]
    expected = {
        "X": (layer.patches.gather(x), X),
        "y": (y, [[10 - 4] * 4]),
        "dx": (layer.dx(dy, x, y, W, b), [[1, 0, 0, 0, -1 + 2, 0, 0, 0, -2]]),
        "dW": (layer.dparams(dy, x, y, W, b)[0], [[11], [14], [20], [23]]),
        "db": (layer.dparams(dy, x, y, W, b)[1], [3]),
    }
    for name, (actual, wanted) in expected.items():
        np.testing.assert_array_equal(to_numpy(actual), wanted, err_msg=name)


def test_eq48_by_hand_two_stamps_overlap_in_one_column(lib):
    dtype = lib.dtypes[-1]
    layer = ConvTranspose((2, 5), 1, kernel=2, stride=3, padding=0)
    x, W, b = (lib.array(np.array(a, dtype)) for a in ([[1, 10]], [[1], [2], [3], [4]], [100]))
    y = to_numpy(layer.forward(x, W, b))
    np.testing.assert_array_equal(y, [[101, 102, 100, 110, 120, 103, 104, 100, 130, 140]])
    layer = ConvTranspose((2, 3), 1, kernel=2, stride=1, padding=0)
    y = to_numpy(layer.forward(x, W, b))
    np.testing.assert_array_equal(y, [[101, 100 + 2 + 10, 120, 103, 100 + 4 + 30, 140]])


@given(both)
def test_float32_stays_float32_and_agrees_with_float64(lib, drawn):
    layer, x, W, b = drawn
    x = x / max(abs(x).max(), 1e-30)
    rng = np.random.default_rng(0)
    shape = layer.forward(x, W, b).shape
    dy, u = rng.standard_normal(shape), rng.standard_normal(x.shape)
    low, high = (
        everything(layer, *(lift(a.astype("float32")) for a in (x, dy, u, W, b)))
        for lift in (lib.array, lambda a: a.astype(float))
    )
    size = sum(map(np.linalg.norm, (x, dy, u, b))) * (np.linalg.norm(W) + 1)
    for a, exact in zip(low, high):
        assert a.dtype == np.float32
        assert exact.dtype == np.float64
        assert np.linalg.norm(a - exact) <= 1e-6 * (np.linalg.norm(exact) + size)


def everything(layer, x, dy, u, *params):
    """Everything a layer computes, on the host."""
    y = layer.forward(x, *params)
    outs = y, layer.dx(dy, x, y, *params), layer.tangent(u, x, y, *params)
    outs += layer.dparams(dy, x, y, *params)
    return [*map(to_numpy, outs + layer.tangent_dparams(dy, u, x, y, *params))]


@fewer
@given(seeds)
def test_eq47_eq48_a_network_of_both_is_proven_as_any_other(lib64, seed):
    layers = [Conv((3, 3), 2, 3, beside=1), LeakyReLU(), ConvTranspose((3, 4), 2, 3)]
    rng = np.random.default_rng(seed)
    size = sum(math.prod(shape) for layer in layers for shape in layer.shapes)
    theta, x = rng.standard_normal(size), rng.standard_normal((2, layers[0].n))
    for check in check_network(Network(layers, lib64.array(theta)), lib64.array(x)):
        assert check.passed, check


@pytest.mark.parametrize(("kernel", "stride"), [(4, 2), (3, 1), (6, 3), (2, 2), (5, 2)])
def test_eq49_the_sum_in_a_pixel_has_so_many_terms(kernel, stride):
    """With one filter of ones, a pixel far from the border counts its stamps."""
    k, sides = 3, (12 * stride, 12 * stride)
    layer = ConvTranspose(sides, k, kernel, stride, padding=0)
    W, b = np.ones(layer.shapes[0]), np.zeros(1)
    y = layer.forward(np.ones((1, layer.n)), W, b).reshape(sides)
    inner = y[4 * stride : 8 * stride, 4 * stride : 8 * stride]
    assert math.isclose(inner.mean(), layer.fans[0], rel_tol=1e-12)
    fans = Conv(sides, k, kernel, stride, padding=0).fans
    assert fans == (kernel**2, k * (kernel / stride) ** 2)
    assert layer.fans == (k * (kernel / stride) ** 2, kernel**2)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"shape": 28}, r"shape: expected height, width, channels, got \(28,\)"),
        ({"shape": (28, 0)}, "shape: must be at least 1, got 0"),
        ({"shape": (1, 2, 3, 4)}, "shape: expected height, width, channels, got"),
        ({"k": 0}, "k: must be at least 1, got 0"),
        ({"kernel": 0}, "kernel: must be at least 1, got 0"),
        (
            {"kernel": 7},
            "kernel: expected at most 6, the smaller side of the picture ",
        ),
        ({"stride": 0}, "stride: must be at least 1, got 0"),
        ({"stride": 2.0}, "stride: expected a whole number, got 2.0"),
        ({"padding": 4}, r"padding: expected a number in \[0, 3\], got 4"),
        ({"padding": -1}, "padding: expected a number in"),
    ],
)
@pytest.mark.parametrize("cls", [Conv, ConvTranspose])
def test_sizes_that_make_no_convolution_are_refused(cls, wrong, message):
    given = {"shape": (5, 4), "k": 2} | wrong
    with pytest.raises(MiniganError, match=f"^{cls.__name__}: {message}"):
        cls(**given)


def test_columns_beside_a_picture_are_counted_from_none():
    with pytest.raises(MiniganError, match="^Conv: beside: must be at least 0, got -1"):
        Conv((5, 4), 2, beside=-1)


def test_a_layer_says_what_it_makes_of_what():
    assert repr(Conv((28, 28), 16, beside=10)) == (
        "Conv((28, 28, 1) to (14, 14, 16), kernel=4, stride=2, padding=1, beside=10)"
    )
    assert repr(ConvTranspose((5, 7, 3), 8, kernel=3, padding=0)) == (
        "ConvTranspose((2, 3, 8) to (5, 7, 3), kernel=3, stride=2, padding=0)"
    )
