"""The short ways of the fast file are the plain lines, to the last bit, in every game."""

from dataclasses import fields

import numpy as np
import pytest

from minigan import fast
from minigan.errors import BackendError, MiniganError
from minigan.lab.models import MODELS
from minigan.layers import Dense, LeakyReLU
from minigan.network import Network, mlp
from minigan.optim import Adam
from minigan.training import train


@pytest.fixture(params=["numba", "without"], autouse=True)
def numba(request, monkeypatch):
    """Every test runs with Numba, if it is installed, and without."""
    if request.param == "without":
        monkeypatch.setattr(fast, "njit", None)
    elif not fast.njit:
        pytest.skip("Numba is not installed")


WIDTHS = {"n_data": 9, "n_noise": 4, "G_hidden": (17, 6), "D_hidden": (33, 8, 5)}


def game(name, **parameters):
    known = {field.name for field in fields(MODELS[name])}
    return MODELS[name](**WIDTHS | {k: v for k, v in parameters.items() if k in known})


def play(model, steps):
    """The records of some iterations on rows and noise that are always the same.

    Each is of at most three steps of D, for the hundred of a young WGAN show no more.
    """
    rng, records, asked = np.random.default_rng(0), [], model.critic_steps
    model.critic_steps = lambda: min(3, asked())

    def batches():
        while True:
            labels = rng.integers(0, 10, 7) if model.n_condition else None
            yield rng.random((7, 9), model.dtype), labels

    rows = batches()
    for _ in range(steps):
        records.append(model.iteration(rows, rng))
    return records


def same(actual, expected):
    """Bit for bit: the sign of a zero and the dtype count."""
    return actual.dtype == expected.dtype and actual.tobytes() == expected.tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("slope", [0.0, 0.2, np.float64(0.7)])
@pytest.mark.parametrize("output", ["sigmoid", "linear"])
@pytest.mark.parametrize("name", MODELS)
def test_a_quick_game_is_the_plain_game_bit_for_bit(name, dtype, slope, output):
    average = 0.9 if output == "sigmoid" else 0.0
    options = {"dtype": dtype, "slope": slope, "output": output, "ema_decay": average}
    plain, quick = (game(name, lr=np.float64(1e-3), **options) for _ in range(2))
    fast.accelerate(quick)
    assert type(quick.G) is type(quick.D) is fast.FastNetwork
    assert type(quick.D_optimizer).__name__.startswith("Fast")
    assert play(quick, 3) == play(plain, 3)
    for player in ("G", "D"):
        theta, expected = (getattr(model, player).theta for model in (quick, plain))
        assert theta.dtype == dtype
        assert same(theta, expected)
    assert same(quick.sample(3), plain.sample(3))


def quick_and_plain(layers, theta):
    plain, quick = Network(layers, theta), Network(layers, theta)
    quick.__class__ = fast.FastNetwork
    return quick, plain


ODD = {
    "nothing": lambda a: a,
    "float32": lambda a: a.astype("float32"),
    "complex": lambda a: a + 0j,
    "column by column": np.asfortranarray,
    "every other": lambda a: np.repeat(a, 2, axis=0)[::2],
    "extremes": lambda a: np.where(a > 1, np.inf, np.where(a < -1, -np.inf, a)),
    "not a number": lambda a: np.where(a > 1, np.nan, a),
    "zeros": lambda a: np.where(a > 0, 0.0, -0.0),
}


@pytest.mark.parametrize("output", ["sigmoid", "linear"])
@pytest.mark.parametrize("how", ODD)
def test_every_pass_is_the_plain_pass_and_leaves_what_it_is_given(output, how):
    network = mlp((3, 5, 4, 4), np.random.default_rng(0), output=output, dtype="float64")
    network.theta += 0.1
    rng = np.random.default_rng(1)
    x, dy = ODD[how](rng.standard_normal((6, 3))), ODD[how](rng.standard_normal((6, 4)))
    given, found = (x.copy(), dy.copy()), []
    for net in quick_and_plain(network.layers, network.theta):
        with np.errstate(invalid="ignore"):
            trace = net.forward(x)
            deltas = net.deltas(trace, dy)
            found.append([*trace, *deltas, net.accumulate(trace, deltas)])
            found[-1] += net.tangents(trace, x)
            x_1, x_2 = map(np.asfortranarray, trace[1:3])
            found[-1].append(net.dx(2, x_2, x_1, x_2))
    assert all(same(actual, expected) for actual, expected in zip(*found, strict=True))
    assert same(x, given[0])
    assert same(dy, given[1])


def test_a_delta_of_another_shape_broadcasts_or_is_refused_as_in_numpy():
    network = mlp((3, 5, 4, 1), np.random.default_rng(0), dtype="float64")
    x = np.random.default_rng(1).standard_normal((6, 3))
    quick, plain = quick_and_plain(network.layers, network.theta)
    one = np.ones((1, 1))
    assert same(quick.deltas(quick.forward(x), one)[0], plain.deltas(plain.forward(x), one)[0])
    with pytest.raises(ValueError, match="broadcast"):
        quick.deltas(quick.forward(x), np.ones((5, 1)))


class ScaledDense(Dense):
    """A layer of the reader's own, where a Dense stood."""

    def forward(self, x, W, b):
        return 2 * super().forward(x, W, b)

    def dx(self, dy, x, y, W, b):
        return 2 * super().dx(dy, x, y, W, b)

    def dparams(self, dy, x, *args):
        return super().dparams(2 * dy, x, *args)


class SteepReLU(LeakyReLU):
    """One where an activation stood."""

    def slopes(self, x):
        return 3 * super().slopes(x)


@pytest.mark.parametrize(
    ("at", "layer"), [(2, ScaledDense(33, 8)), (1, SteepReLU()), (1, LeakyReLU(0.5))]
)
def test_layers_may_be_exchanged_at_any_time(at, layer):
    plain, quick = game("gan"), game("gan")
    fast.accelerate(quick)
    for model in (plain, quick):
        model.iteration(iter([(np.ones((4, 9), "float32"), None)]), np.random.default_rng(0))
        model.D.layers[at] = layer
    assert play(quick, 3) == play(plain, 3)
    assert same(quick.D.theta, plain.D.theta)


def test_what_is_not_an_array_is_refused_as_by_the_plain_network():
    model = game("gan")
    fast.accelerate(model)
    with pytest.raises(BackendError, match="list"):
        model.G.forward([[1.0, 2.0]])
    with pytest.raises(MiniganError, match=r"x: expected shape \(m, 4\)"):
        model.G.forward(np.ones((2, 3), "float32"))


def test_a_memory_of_another_size_is_refused_as_in_numpy():
    model = game("gan")
    fast.accelerate(model)
    play(model, 1)
    model.G = mlp((4, 50, 9), np.random.default_rng(0), output="sigmoid")
    with pytest.raises(ValueError, match="broadcast"):
        play(model, 1)


def test_what_is_of_another_class_or_dtype_stays():
    class Own(Network):
        """A network of the reader's own."""

    class OwnAdam(Adam):
        """And an optimiser."""

    model = game("gan")
    model.D, model.G_optimizer = Own(model.D.layers, model.D.theta), OwnAdam()
    fast.accelerate(model)
    kinds = [type(part) for part in (model.G, model.D, model.G_optimizer, model.D_optimizer)]
    assert kinds == [fast.FastNetwork, Own, OwnAdam, fast.FastAdam]
    proof = game("gan", dtype="complex128")
    fast.accelerate(proof)
    assert type(proof.G) is Network


def test_other_libraries_stay(lib):
    model = game("gan", dtype=lib.dtypes[0])
    model.G = Network(model.G.layers, lib.array(model.G.theta))
    fast.accelerate(model)
    assert (type(model.G) is Network) == (lib.name != "numpy")


def test_the_optimiser_that_the_caller_holds_is_the_one_that_steps():
    model = game("gan")
    held, before = model.G_optimizer, model.G.theta.copy()
    records = train(model, np.random.default_rng(0).random((50, 9)), 2, 16)
    held.lr = 1e-12
    list(records)
    assert held.t == 2
    np.testing.assert_allclose(model.G.theta, before, atol=1e-9)


def test_train_is_quick_with_numba_and_the_same_without(monkeypatch):
    x = np.random.default_rng(0).random((50, 9))
    quick, plain = game("gan"), game("gan")
    records = list(train(quick, x, 5, 16))
    assert type(quick.G) is fast.FastNetwork
    monkeypatch.setattr(fast, "njit", None)
    assert list(train(plain, x, 5, 16)) == records
    assert same(plain.G.theta, quick.G.theta)
