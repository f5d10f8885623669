"""The compiled lines are the plain lines, to the last bit, in every game."""

import sys
from dataclasses import fields

import numpy as np
import pytest

from minigan.models import MODELS
from minigan.network import Network, mlp
from minigan.train import compile_if_numba, train

compiled = pytest.importorskip("minigan.compiled", reason="Numba is not installed")

WIDTHS = {"n_data": 9, "n_noise": 4, "G_hidden": (17, 6), "D_hidden": (33, 8, 5)}


def game(name, **parameters):
    known = {field.name for field in fields(MODELS[name])}
    return MODELS[name](**WIDTHS | {k: v for k, v in parameters.items() if k in known})


def play(model, steps):
    """The records of some iterations on rows and noise that are always the same."""
    rng, records = np.random.default_rng(0), []

    def batches():
        while True:
            labels = rng.integers(0, 10, 7) if model.n_condition else None
            yield rng.random((7, 9), model.dtype), labels

    rows = batches()
    for _ in range(steps):
        records.append(model.iteration(rows, rng))
    return records


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("slope", [0.0, 0.2, 0.7])
@pytest.mark.parametrize("output", ["sigmoid", "linear"])
@pytest.mark.parametrize("name", MODELS)
def test_a_compiled_game_is_the_plain_game_bit_for_bit(name, dtype, slope, output):
    plain, fast = (
        game(name, dtype=dtype, slope=slope, output=output, average=0.9) for _ in range(2)
    )
    compiled.compile_model(fast)
    assert type(fast.G) is type(fast.D) is compiled.CompiledNetwork
    assert type(fast.D_optimizer).__name__.startswith("Compiled")
    assert play(fast, 3) == play(plain, 3)
    for player in ("G", "D", "G_average"):
        theta, expected = (getattr(model, player).theta for model in (fast, plain))
        assert theta.dtype == dtype
        np.testing.assert_array_equal(theta, expected)
    np.testing.assert_array_equal(fast.sample(3), plain.sample(3))


def test_infinite_and_missing_numbers_are_the_same_too():
    x = np.array([[np.inf, -np.inf, np.nan, -0.0, 1e-45, -1e-45, 100.0, -100.0]], "float32")
    for layer in (compiled.LeakyReLU(0.2), compiled.Sigmoid()):
        with np.errstate(invalid="ignore"):
            expected = layer.forward(x)
            expected_dx = layer.dx(x, x, expected)
        y, dx, fast = x.copy(), x.copy(), compiled.compiled(layer)
        fast.overwrite(y, np.zeros(8, "float32"))
        fast.overwrite_dx(dx, y)
        np.testing.assert_array_equal(y, expected)
        np.testing.assert_array_equal(dx, expected_dx)


@pytest.mark.parametrize("output", ["sigmoid", "linear"])
def test_what_the_caller_gave_is_not_overwritten(output):
    network = mlp((3, 5, 4), np.random.default_rng(0), output=output, dtype="float64")
    compiled.compile_network(network)
    x, dy = np.random.default_rng(1).standard_normal((2, 6, 4))
    x = x[:, :3]
    given_x, given_dy = x.copy(), dy.copy()
    trace = network.forward(x)
    network.gradient(trace, dy)
    network.deltas(trace, dy)
    np.testing.assert_array_equal(x, given_x)
    np.testing.assert_array_equal(dy, given_dy)
    assert trace[0] is x


def test_what_cannot_be_compiled_runs_as_it_was():
    class Odd(compiled.LeakyReLU):
        """A layer of the reader's own."""

    class Own(Network):
        """A network of the reader's own."""

    model = game("gan")
    model.D = Own(model.D.layers, model.D.theta)
    for layers in ([Odd(0.2), *model.G.layers], [compiled.LeakyReLU(0.2), *model.G.layers]):
        model.G = Network(layers, model.G.theta)
        compiled.compile_model(model)
        assert type(model.G) is Network
        assert type(model.D) is Own
    proof = game("gan", dtype="complex128")
    compiled.compile_model(proof)
    assert type(proof.G) is Network


def test_compiling_one_model_or_one_twice_changes_no_other():
    first, second = game("gan"), game("gan")
    layers = list(second.G.layers)
    compiled.compile_model(first)
    before = list(first.G.layers)
    compiled.compile_model(first)
    assert [type(layer) for layer in first.G.layers] == [type(layer) for layer in before]
    assert second.G.layers == layers
    assert not any(type(layer).__name__.startswith("Compiled") for layer in layers)


def test_the_optimiser_that_the_caller_holds_is_the_one_that_steps():
    model = game("gan")
    held, before = model.G_optimizer, model.G.theta.copy()
    records = train(model, np.random.default_rng(0).random((50, 9)), 2, 16)
    held.lr = 1e-12
    list(records)
    assert held.t == 2
    np.testing.assert_allclose(model.G.theta, before, atol=1e-9)


def test_train_compiles_where_numba_is_and_is_the_same_without(monkeypatch):
    x = np.random.default_rng(0).random((50, 9))
    fast, plain = game("gan"), game("gan")
    records = list(train(fast, x, 5, 16))
    assert type(fast.G) is compiled.CompiledNetwork
    monkeypatch.setitem(sys.modules, "minigan.compiled", None)
    assert list(train(plain, x, 5, 16)) == records
    assert type(plain.G) is Network
    compile_if_numba(plain)
    assert type(plain.G) is Network
