"""Chapter 21: the compiled convolutions give what the plain ones give, to the last bit."""

import copy
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from strategies import seeds
from test_conv import geometries

import minigan.fast
import minigan.fast_conv
from minigan import (
    CR3GAN,
    GAN,
    R3GAN,
    WGANGP,
    Batches,
    Conv,
    ConvTranspose,
    Dense,
    LeakyReLU,
    Network,
    Sigmoid,
)
from minigan.conv import Patches
from minigan.fast import accelerate
from minigan.fast_conv import FastConvNetwork, FastPatches, accelerate_pictures
from minigan.network import drawn
from minigan.workspace import Workspace

needs_numba = pytest.mark.skipif(not minigan.fast.njit, reason="Numba is not installed")
SMALL = {"network": "conv", "image_shape": (9, 10, 2), "n_data": 180}
SMALL |= {"n_noise": 5, "channels": 3}
GAMES = {"gan": GAN, "r3gan": R3GAN, "cr3gan": CR3GAN, "wgan-gp": WGANGP}


def fast(model):
    """A copy that takes the short ways."""
    other = copy.deepcopy(model)
    accelerate(other)
    accelerate_pictures(other)
    return other


def game(name, **options):
    """A game of small pictures, and its batches."""
    model = GAMES[name](**SMALL | options)
    rng = np.random.default_rng(0)
    return model, Batches(minigan.Dataset(rng.random((40, 180)), np.arange(40) % 10), 12)


@needs_numba
@given(geometries(), seeds)
@settings(max_examples=200)
def test_eq45_eq46_the_compiled_loops_give_the_same_bits(drawn_geometry, seed):
    plain, rng = Patches(*drawn_geometry), np.random.default_rng(seed)
    quick, (height, width) = FastPatches(*astuple(plain)), plain.places
    for dtype in ("float32", "float64"):
        x = rng.standard_normal((3, plain.n)).astype(dtype)
        X = rng.standard_normal((3 * height * width, plain.width)).astype(dtype)
        np.testing.assert_array_equal(quick.gather(x), plain.gather(x))
        inside = plain.n - plain.beside
        one, two = quick.scatter(X), plain.scatter(X)
        assert one.dtype == two.dtype == dtype
        np.testing.assert_array_equal(one[:, :inside], two[:, :inside])
        np.testing.assert_allclose(one[:, inside:], two[:, inside:], rtol=0, atol=1e-5)


@needs_numba
def test_a_slice_of_rows_and_a_transposed_matrix_are_read_as_they_lie():
    plain, rng = Patches(6, 5, 2, 4, 2, 1), np.random.default_rng(0)
    quick, wide = FastPatches(*astuple(plain)), rng.standard_normal((4, 99))
    x = wide[::2, 7 : 7 + plain.n]
    np.testing.assert_array_equal(quick.gather(x), plain.gather(x))
    X = rng.standard_normal((plain.width, 12)).T
    np.testing.assert_array_equal(quick.scatter(X), plain.scatter(X))


@needs_numba
@pytest.mark.parametrize("name", ["_gather", "_scatter"])
def test_the_loops_run_for_real_numbers_and_for_no_others(name, monkeypatch):
    calls, loop = [], getattr(minigan.fast_conv, name)
    monkeypatch.setattr(minigan.fast_conv, name, lambda *args: calls.append(1) or loop(*args))
    plain = Patches(6, 5, 2, 4, 2, 1)
    quick, method = FastPatches(*astuple(plain)), name.strip("_")
    shape = (1, plain.n) if method == "gather" else (6, plain.width)
    for array, so_far in (
        (np.ones(shape, "f"), 1),
        (np.ones(shape), 2),
        (np.ones(shape, "D"), 2),
    ):
        found, expected = getattr(quick, method)(array), getattr(plain, method)(array)
        np.testing.assert_array_equal(found, expected)
        assert len(calls) == so_far


@needs_numba
@pytest.mark.parametrize("name", GAMES)
def test_every_pass_but_the_joined_product_gives_the_same_bits(name):
    model, batches = game(name)
    quick = fast(model)
    assert type(quick.G) is type(quick.D) is FastConvNetwork
    assert repr(quick.D).replace("FastConvNetwork", "Network") == repr(model.D)
    x, labels = next(batches)
    rng = np.random.default_rng(1)
    for player in "GD":
        one, two = (getattr(each, player) for each in (model, quick))
        rows = rng.standard_normal((12, one.layers[0].n)).astype("float32")
        traces = one.forward(rows), two.forward(rows)
        dy = np.ones_like(traces[0][-1])
        every = zip(one.deltas(traces[0], dy), two.deltas(traces[1], dy), *traces)
        tangents = one.tangents(traces[0], rows), two.tangents(traces[1], rows)
        for a, b, c, d in every:
            np.testing.assert_array_equal(a, b)
            np.testing.assert_array_equal(c, d)
        for a, b in zip(*tangents):
            np.testing.assert_array_equal(a, b)
        grads = one.gradient(traces[0], dy), two.gradient(traces[1], dy)
        np.testing.assert_array_equal(*grads)


@needs_numba
@pytest.mark.parametrize("name", GAMES)
def test_eq54_iterations_move_both_players_alike(name):
    """In float64 the one sum that is taken otherwise differs by rounding."""
    model, batches = game(name, dtype="float64")
    quick = fast(model)
    for each in (model, quick):
        rng, own = np.random.default_rng(2), copy.copy(batches)
        for _ in range(3):
            each.iteration(own, rng)
    for player in "GD":
        one, two = (getattr(each, player).theta for each in (model, quick))
        assert np.linalg.norm(one - two) <= 1e-11 * np.linalg.norm(one)


@needs_numba
def test_eq54_the_joined_gradient_is_the_sum_of_both():
    rng = np.random.default_rng(3)
    layers = [Conv((6, 6, 2), 3, beside=2), LeakyReLU(), Dense(27, 1, bias=False)]
    plain = drawn(layers, rng, "he", "float32")
    quick = FastConvNetwork(layers, plain.theta)
    x, u = rng.standard_normal((2, 8, 74)).astype("float32")
    trace = plain.forward(x)
    deltas, tangents = plain.deltas(trace, np.ones((8, 1), "float32")), plain.tangents(trace, u)
    factors = rng.standard_normal((8, 1)).astype("float32")
    loss = plain.accumulate(trace, deltas, factors)
    both = loss + plain.accumulate(trace, deltas, tangents=tangents)
    for expected, of_penalty in ((loss, None), (both, tangents)):
        found = quick.accumulate(trace, deltas, factors, of_penalty)
        assert found.dtype == np.float32
        assert np.linalg.norm(found - expected) <= 1e-6 * np.linalg.norm(expected)


def test_without_numba_and_with_complex_numbers_the_plain_layers_run(monkeypatch):
    monkeypatch.setattr(minigan.fast_conv, "njit", None)
    monkeypatch.setattr(minigan.fast, "njit", None)
    model, batches = game("r3gan")
    quick = fast(model)
    for each in (model, quick):
        each.iteration(copy.copy(batches), np.random.default_rng(4))
    np.testing.assert_allclose(quick.D.theta, model.D.theta, rtol=0, atol=1e-6)
    monkeypatch.undo()
    x = np.random.default_rng(5).random((2, 180)) * (1 + 1e-30j)
    np.testing.assert_array_equal(fast(model).D.forward(x)[-1], model.D.forward(x)[-1])


@needs_numba
def test_layers_that_are_not_known_run_as_they_are():
    class Twice:
        def forward(self, x):
            return 2 * x

        def dx(self, dy, x, y):
            return 2 * dy

    layers = [Twice(), Conv((4, 4), 2), Twice(), Sigmoid(), Dense(8, 1)]
    rng = np.random.default_rng(6)
    plain = drawn(layers, rng, "he", "float32")
    x = rng.random((3, 16)).astype("float32")
    quick = FastConvNetwork(layers, plain.theta)
    trace = plain.forward(x)
    for a, b in zip(trace, quick.forward(x)):
        np.testing.assert_array_equal(a, b)
    dy = np.ones((3, 1), "float32")
    np.testing.assert_array_equal(plain.gradient(trace, dy), quick.gradient(trace, dy))


@pytest.mark.parametrize("name", GAMES)
def test_iterations_of_pictures_run_outside_of_the_workspace(name):
    model, batches = game(name)
    for each in (model, fast(model)):
        assert Workspace(batches).for_model(each) is each


def test_networks_without_pictures_are_left_alone():
    model = GAN(n_data=4, n_noise=2, G_hidden=(3,), D_hidden=(3,))
    quick = fast(model)
    assert type(quick.D) is minigan.fast.FastNetwork
    assert type(fast(GAN(**SMALL, dtype="complex128")).D) is Network


@pytest.mark.parametrize(
    ("cls", "name"), [(Conv, "dparams"), (ConvTranspose, "forward"), (Patches, "gather")]
)
def test_a_method_that_a_reader_exchanges_is_the_one_that_runs(cls, name, monkeypatch):
    calls, method = [], getattr(cls, name)
    monkeypatch.setattr(cls, name, lambda *args: calls.append(args) or method(*args))
    model, batches = game("r3gan")
    fast(model).iteration(batches, np.random.default_rng(4))
    assert calls
