"""Chapter 3: a network is its layers in order, its gradients are proven at any depth, any
object with the methods of a layer may stand in it, and a copy of it is a network of its own."""

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from readers import ExpGain, PReLU, Softplus, SquaredGain, stack
from strategies import hidden, normal, seeds, sizes

from minigan import Dense, LeakyReLU, MiniganError, Network, Sigmoid, mlp, to_numpy
from minigan.gradcheck import check_network
from minigan.network import INITS


@st.composite
def networks(draw, dtype="float64"):
    """(network on NumPy, rows x) with up to four hidden layers."""
    widths = draw(sizes), *draw(hidden), draw(sizes)
    rng = np.random.default_rng(draw(seeds))
    init, output = (
        draw(st.sampled_from(["he", "glorot"])),
        draw(st.sampled_from(["linear", "sigmoid"])),
    )
    network = mlp(widths, rng, init=init, output=output, dtype=dtype)
    network.theta += draw(st.sampled_from([1e-3, 0.1])) * rng.standard_normal(
        network.theta.shape
    )
    scale = st.sampled_from([1e-3, 1.0, 3.0])
    return network, draw(normal(sizes, widths[0], scale=scale)).astype(dtype)


@given(networks())
def test_eq9_forward_is_the_composition_row_by_row(lib, drawn):
    network, x = drawn
    dtype = lib.dtypes[-1]
    moved = Network(network.layers, lib.array(network.theta, dtype))
    trace = moved.forward(lib.array(x, dtype))
    assert len(trace) == len(network.layers) + 1
    at, rows = 0, x.tolist()
    for layer, output in zip(network.layers, trace[1:]):
        if isinstance(layer, Dense):
            W = network.theta[at : at + layer.n * layer.k].reshape(layer.n, layer.k)
            at += layer.n * layer.k
            b = network.theta[at : at + layer.k]
            at += layer.k
            rows = [
                [
                    math.fsum([b[j], *map(float.__mul__, row, W[:, j].tolist())])
                    for j in range(layer.k)
                ]
                for row in rows
            ]
        elif isinstance(layer, LeakyReLU):
            rows = [[v if v > 0 else 0.2 * v for v in row] for row in rows]
        else:
            rows = [[1 / (1 + math.exp(-v)) for v in row] for row in rows]
        error = np.linalg.norm(to_numpy(output) - rows)
        assert error <= 1e3 * np.finfo(dtype).eps * (1 + np.linalg.norm(rows))
    assert at == network.theta.size


@given(networks())
def test_eq10_eq11_eq12_every_pass_is_proven(lib64, drawn):
    network, x = drawn
    assume(well_conditioned(network, x))  # else 1e-13 is less than rounding leaves
    moved = Network(network.layers, lib64.array(network.theta))
    for check in check_network(moved, lib64.array(x)):
        assert check.passed, check


@given(networks())
def test_float32_gradients_agree_with_float64(lib, drawn):
    network, x = drawn
    theta, x = network.theta.astype("float32"), x.astype("float32")
    low = Network(network.layers, lib.array(theta))
    trace = low.forward(lib.array(x))
    dy = np.cos(np.arange(to_numpy(trace[-1]).size)).reshape(trace[-1].shape).astype("float32")
    dtheta = to_numpy(low.gradient(trace, lib.array(dy)))
    high = Network(network.layers, theta.astype(float))
    high_trace = high.forward(x.astype(float))
    expected = high.gradient(high_trace, dy.astype(float))
    assert dtheta.dtype == np.float32
    same_side = all(((to_numpy(a) > 0) == (b > 0)).all() for a, b in zip(trace, high_trace))
    if same_side:  # rounding may move a unit across the bend, where the gradient jumps
        error, eps = np.linalg.norm(dtheta - expected), np.finfo("float32").eps
        assert error <= 4 * eps * sum_of_magnitudes(high, x, dy)


def well_conditioned(network, x):
    """Whether the passes of `check_network` lose less than two digits to cancellation."""
    rng, trace = np.random.default_rng(0), network.forward(x)
    v, u = rng.standard_normal(trace[-1].shape), rng.standard_normal(x.shape)
    layers = [layer for layer in network.layers if not isinstance(layer, Sigmoid)]
    magnitudes = Network(layers, abs(network.theta))
    moves = magnitudes.tangents(magnitudes.forward(abs(x)), abs(u))[-1]
    deltas = magnitudes.deltas(magnitudes.forward(abs(x)), abs(v))[0]
    return all(
        np.linalg.norm(full) < 100 * np.linalg.norm(left)
        for full, left in (
            (sum_of_magnitudes(network, x, v), network.gradient(trace, v)),
            (moves, network.tangents(trace, u)[-1]),
            (deltas, network.deltas(trace, v)[0]),
        )
    )


def sum_of_magnitudes(network, x, dy):
    """What a gradient would be if nothing in it cancelled: rounding is relative to this.

    All numbers are taken without their signs. A saturated sigmoid cancels too, in 1 − y, and
    errs by rounding of dy (chapter 1): it is left out.
    """
    layers = [layer for layer in network.layers if not isinstance(layer, Sigmoid)]
    magnitudes = Network(layers, abs(network.theta))
    trace = magnitudes.forward(abs(x).astype(float))
    return np.linalg.norm(magnitudes.gradient(trace, abs(dy).astype(float)))


@given(networks(), seeds)
def test_two_traces_live_side_by_side(drawn, seed):
    """The gradient of one pass does not change when another pass has run in between."""
    network, x = drawn
    trace = network.forward(x)
    alone = network.gradient(trace, np.ones_like(trace[-1]))
    other = network.forward(np.random.default_rng(seed).standard_normal(x.shape))
    network.gradient(other, np.ones_like(other[-1]))
    np.testing.assert_array_equal(network.gradient(trace, np.ones_like(trace[-1])), alone)


@given(networks())
def test_gradients_do_not_disturb_their_inputs(drawn):
    network, x = drawn
    kept_x, kept_theta = x.copy(), network.theta.copy()
    trace = network.forward(x)
    kept_trace, dy = [a.copy() for a in trace], np.ones_like(trace[-1])
    network.gradient(trace, dy)
    network.tangents(trace, network.deltas(trace, dy)[0])
    np.testing.assert_array_equal(x, kept_x)
    np.testing.assert_array_equal(network.theta, kept_theta)
    np.testing.assert_array_equal(dy, np.ones_like(trace[-1]))
    for array, kept in zip(trace, kept_trace):
        np.testing.assert_array_equal(array, kept)


def test_parameters_are_views_of_theta():
    network = mlp((3, 4, 2), np.random.default_rng(0))
    network.theta[...] = np.arange(network.theta.size)
    W, b = network.params[0]
    np.testing.assert_array_equal(W, np.arange(12).reshape(3, 4))
    np.testing.assert_array_equal(b, np.arange(12, 16))
    np.testing.assert_array_equal(network.params[2][1], [24, 25])


def test_deltas_stop_where_asked():
    network = mlp((3, 4, 2), np.random.default_rng(0))
    trace = network.forward(np.ones((5, 3), "float32"))
    deltas = network.deltas(trace, np.ones((5, 2), "float32"), stop=1)
    assert [d is None for d in deltas] == [True, False, False, False]


@pytest.mark.parametrize(
    ("init", "std", "largest"),
    [("he", math.sqrt(2 / 400), np.inf), ("glorot", math.sqrt(2 / 1000), math.sqrt(6 / 1000))],
    ids=["he", "glorot"],
)
def test_eq14_eq15_initial_weights_have_the_published_spread(init, std, largest):
    W = INITS[init](np.random.default_rng(0), 400, 600)
    assert W.shape == (400, 600)
    assert abs(W.std() / std - 1) < 0.01  # 240,000 draws: three standard errors are 0.004
    assert abs(W.mean()) < 5 * std / math.sqrt(W.size)
    assert abs(W).max() <= largest
    if np.isfinite(largest):
        assert abs(W).max() > 0.999 * largest


def test_the_layers_of_an_mlp():
    network = mlp((3, 4, 5, 2), np.random.default_rng(0), slope=0.1, output="sigmoid")
    kinds = [Dense, LeakyReLU, Dense, LeakyReLU, Dense, Sigmoid]
    assert [type(layer) for layer in network.layers] == kinds
    assert network.layers[1].slope == 0.1
    assert network.theta.dtype == np.float32
    for l in (0, 2, 4):
        np.testing.assert_array_equal(network.params[l][1], 0)


@pytest.mark.parametrize("shape", [(5, 4), (3,), (5, 3, 1)])
def test_rows_of_another_width_are_refused(shape):
    network = mlp((3, 2), np.random.default_rng(0))
    with pytest.raises(MiniganError, match=r"x: expected shape \(m, 3\), got"):
        network.forward(np.ones(shape, "float32"))


def test_theta_of_another_length_is_refused():
    with pytest.raises(MiniganError, match=r"theta: the layers need shape \(8,\), got \(7,\)"):
        Network([Dense(3, 2)], np.zeros(7))


@pytest.mark.parametrize("option", ["init", "output"])
def test_an_unknown_name_is_refused_by_the_parameters_own_name(option):
    with pytest.raises(MiniganError, match=f"^{option}: expected one of"):
        mlp((3, 2), np.random.default_rng(0), **{option: "other"})


@pytest.mark.parametrize("option", [{"init": "xavier"}, {"output": "tanh"}])
def test_unknown_names_say_which_exist(option):
    with pytest.raises(MiniganError, match="expected one of (he, glorot|linear, sigmoid), got"):
        mlp((3, 2), np.random.default_rng(0), **option)


def test_a_network_is_made_in_the_library_of_like(lib):
    network = mlp((3, 2), np.random.default_rng(0), like=lib.like)
    assert type(network.theta) is type(lib.like)
    assert network.theta.device == lib.like.device


def test_a_network_may_begin_with_a_layer_of_any_width():
    network = Network([LeakyReLU()], np.zeros(0))
    assert network.forward(np.ones((2, 7)))[-1].shape == (2, 7)
    with pytest.raises(MiniganError, match=r"x: expected shape \(m, n\), got \(7,\)"):
        network.forward(np.ones(7))


def test_a_network_shows_its_layers_and_how_many_parameters_each_has():
    layers = [Dense(784, 100), LeakyReLU(0.1), Dense(100, 10), PReLU(10), Sigmoid()]
    lines = repr(Network(layers, np.zeros(79_520))).splitlines()
    assert lines[0] == "Network of 79,520 parameters"
    shown = [line.split() for line in lines[1:]]
    assert shown[0] == ["Dense(n=784,", "k=100)", "78,500"]
    assert shown[1] == ["LeakyReLU(slope=0.1)"]
    assert shown[2] == ["Dense(n=100,", "k=10)", "1,010"]
    assert shown[3][-1] == "10"
    assert shown[4] == ["Sigmoid()"]


# ---- layers of the reader's own ----


def gained():
    """Softplus as README.md has it, and a gain whose `dparams` depends on the gain."""
    layers = [Dense(3, 4), Softplus(), SquaredGain(4), Dense(4, 2)]
    return Network(layers, np.random.default_rng(0).standard_normal(30))


@pytest.mark.parametrize("make", [gained, lambda: stack((3, 5, 4, 2), PReLU)])
def test_eq10_eq11_eq12_hold_for_layers_that_do_not_derive_from_layer(make):
    for check in check_network(make(), np.random.default_rng(1).standard_normal((6, 3))):
        assert check.passed, check


def test_eq11_the_gradient_of_a_squared_gain_by_hand():
    """y = a² x: ∂L/∂a_j = 2 a_j Σ_i dy_ij x_ij."""
    network = Network([SquaredGain(2)], np.array([3.0, -1.0]))
    x, dy = np.array([[1.0, 2.0], [4.0, 0.5]]), np.array([[1.0, 10.0], [2.0, 100.0]])
    trace = network.forward(x)
    np.testing.assert_array_equal(trace[-1], [[9, 2], [36, 0.5]])
    np.testing.assert_array_equal(network.gradient(trace, dy), [6 * (1 + 8), -2 * (20 + 50)])


def test_eq11_a_network_without_parameters_has_a_gradient_of_no_entries():
    network = Network([Softplus()], np.zeros(0))
    trace = network.forward(np.ones((5, 3)))
    assert network.gradient(trace, np.ones((5, 3))).shape == (0,)


@pytest.mark.parametrize(
    ("cls", "without", "why"),
    [
        (Softplus, "dx", "Softplus: expected a layer with forward, dx; missing: dx"),
        (
            Softplus,
            "forward",
            "Softplus: expected a layer with forward, dx; missing: forward",
        ),
        (
            PReLU,
            "dparams",
            "PReLU: expected a layer with forward, dx, dparams; missing: dparams",
        ),
    ],
)
def test_a_layer_that_lacks_a_method_is_named_where_the_network_is_made(
    cls, without, why, monkeypatch
):
    monkeypatch.delattr(cls, without)
    layer = cls(3) if cls is PReLU else cls()
    with pytest.raises(MiniganError, match=f"^{why}"):
        Network([layer], np.zeros(3 if cls is PReLU else 0))


def test_a_layer_without_a_tangent_serves_until_a_tangent_is_asked_for(monkeypatch):
    monkeypatch.delattr(Softplus, "tangent")
    network = stack((3, 4, 2))
    trace = network.forward(np.ones((5, 3)))
    assert network.gradient(trace, np.ones((5, 2))).shape == network.theta.shape
    with pytest.raises(MiniganError, match="^Softplus: .*; missing: tangent "):
        network.tangents(trace, np.ones((5, 3)))


# ---- one array of parameters, and copies of it ----


def test_eq11_a_layer_may_read_its_output_for_its_parameters():
    rng = np.random.default_rng(0)
    theta = rng.standard_normal(3 * 4 + 4 + 4)
    network = Network([Dense(3, 4), ExpGain(4)], theta)
    assert all(check.passed for check in check_network(network, rng.standard_normal((5, 3))))


def test_a_pickle_holds_theta_once():
    network = mlp((50, 40), np.random.default_rng(0))
    assert len(pickle.dumps(network)) < 1.2 * network.theta.nbytes


def test_theta_is_assigned_in_place():
    network = gained()
    theta, W = network.theta, network.params[0][0]
    network.theta = np.arange(30)
    assert network.theta is theta
    np.testing.assert_array_equal(W, np.arange(12).reshape(3, 4))
    network.theta *= 2
    network.theta = -network.theta
    assert network.theta is theta
    np.testing.assert_array_equal(network.params[2][0], [-32, -34, -36, -38])
    with pytest.raises(ValueError, match="broadcast"):
        network.theta = np.zeros(29)


@pytest.mark.parametrize("twin_of", [copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))])
def test_a_copy_has_parameters_of_its_own_and_views_of_them(twin_of):
    network, x = gained(), np.random.default_rng(1).standard_normal((6, 3))
    before = network.forward(x)[-1]
    twin = twin_of(network)
    np.testing.assert_array_equal(twin.forward(x)[-1], before)
    assert not np.shares_memory(twin.theta, network.theta)
    assert twin.layers[0] is not network.layers[0]
    twin.theta += 1
    for own, other in zip(sum(twin.params, []), sum(network.params, [])):
        np.testing.assert_array_equal(own, other + 1)
    np.testing.assert_array_equal(network.forward(x)[-1], before)


def test_a_network_may_take_the_memory_that_is_there_and_no_more(monkeypatch):
    rng, numbers = np.random.default_rng(0), (3 + 1) * 4 + (4 + 1) * 2
    monkeypatch.setattr("minigan.arrays._memory", lambda: 40 * numbers)  # drawn, cast, moved
    assert mlp((3, 4, 2), rng).theta.size == numbers
    monkeypatch.setattr("minigan.arrays._memory", lambda: 40 * numbers - 1)
    with pytest.raises(MiniganError, match="^a network of the widths 3 4 2 would take"):
        mlp((3, 4, 2), rng)


def test_a_width_of_zero_is_refused_by_its_name():
    with pytest.raises(MiniganError, match="^sizes: must be at least 1, got 0"):
        mlp((3, 0, 2), np.random.default_rng(0))
