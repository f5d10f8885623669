"""The short ways of the fast file are the plain lines, to the last bit, in every game, and are
taken where they fit and nowhere else."""

import itertools
import math
from dataclasses import fields

import numpy as np
import pytest

from minigan import GAN, fast, loops, losses
from minigan.errors import BackendError, MiniganError
from minigan.game import move
from minigan.lab.models import MODELS
from minigan.layers import Dense, LeakyReLU, Sigmoid
from minigan.network import Network, mlp
from minigan.optim import SGD, Adam, RMSProp
from minigan.training import train

pytestmark = pytest.mark.usefixtures("numba")  # every test with Numba and without


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


# ---- each loop by itself ----

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.3, -7.5, 1e-40, -1e-40, 5e-324, 88.5, -88.5, 710.0, -745.0]
SPECIAL += [1e30, -1e30, np.inf, -np.inf, np.nan]


def grid(dtype, n):
    """n arrays (rows, 6) that hold every combination of extreme numbers, and random ones."""
    with np.errstate(over="ignore"):
        special = np.array(list(itertools.product(SPECIAL, repeat=n))).astype(dtype).T
    random = np.random.default_rng(0).standard_normal((n, 600)).astype(dtype)
    arrays = np.concatenate([special, random], axis=1)
    return [row[: row.size // 6 * 6].reshape(-1, 6) for row in arrays]


def alike(actual, expected):
    """Bit for bit, but for the bits by which one NaN differs from another."""
    assert actual.dtype == expected.dtype
    nan = np.isnan(expected)
    np.testing.assert_array_equal(np.isnan(actual), nan)
    assert np.where(nan, 0, actual).tobytes() == np.where(nan, 0, expected).tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layer", [LeakyReLU(), LeakyReLU(0.0), Sigmoid()])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_layer_after_a_bias_is_its_definition_for_every_number(layer, dtype):
    forward, dx = fast.FORWARD[type(layer)], fast.DX[type(layer)]
    x, dy = grid(dtype, 2)
    for b in (np.zeros(6, dtype), np.array([1, -1, 0.1, -0.0, 1e30, np.inf], dtype)):
        before = x + b
        given = x.copy()
        y = forward(layer, given, b)
        alike(given, before)  # the bias is added in place
        alike(y, layer.forward(before))
        alike(dx(layer, dy, before, y), layer.dx(dy, before, y))
    for matrix in (np.asfortranarray, lambda a: np.repeat(a, 2, axis=0)[::2]):
        alike(dx(layer, matrix(dy), matrix(x), matrix(y)), layer.dx(dy, x, y))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("plain", "quick"),
    [
        (RMSProp(0.1, 0.9), fast.FastRMSProp(0.1, 0.9)),
        (RMSProp(0.1, 0.0, eps=0.0), fast.FastRMSProp(0.1, 0.0, eps=0.0)),
        (Adam(0.1, 0.5, 0.9), fast.FastAdam(0.1, 0.5, 0.9)),
        (Adam(0.1, 0.0, 0.25, eps=0.0), fast.FastAdam(0.1, 0.0, 0.25, eps=0.0)),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_an_optimisers_pass_is_its_definition_for_every_number(plain, quick, dtype):
    theta, g = (array.ravel() for array in grid(dtype, 2))
    twin, plain.t, quick.t = theta.copy(), 0, 0
    for gradient in (g, theta[::-1].copy(), g):
        plain.step(theta, gradient)
        quick.step(twin, gradient)
        alike(twin, theta)
        for slot in plain.slots:
            alike(getattr(quick, slot), getattr(plain, slot))


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


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_weighted_rows_are_their_definition_for_every_number(dtype):
    f, x = grid(dtype, 2)
    for u in (x[::-1].copy(), np.zeros_like(x)):
        for column in range(6):
            factors = f[:, column : column + 1].copy()
            alike(fast.weighted(factors, x, u), factors * x + u)
    one = np.ones((1, 1), dtype)  # other shapes as in NumPy
    alike(fast.weighted(one, x, u), one * x + u)
    alike(fast.weighted(factors, x, u[:1]), factors * x + u[:1])
    with pytest.raises(ValueError, match="broadcast"):
        fast.weighted(factors[:-1], x, u)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_loss_is_its_definition_for_every_number(dtype):
    s = grid(dtype, 1)[0].reshape(-1, 1)
    rows = [s, s[:1], s[:7], *s.reshape(-1, 1, 1)[:20]]
    for some in rows:
        for t in (0, 0.0, 0.3, 0.9, 1.0, 1):
            for loop in loops.bce_with_logits, loops.relativistic:
                plain = getattr(losses, loop.__name__)
                target = t if loop is loops.bce_with_logits else some[::-1].copy()
                for a, b in zip(loop(some, target), plain(some, target)):
                    alike(np.asarray(a), np.asarray(b))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_moving_average_is_its_definition_for_every_number(dtype):
    theta, mean = (each.ravel() for each in grid(dtype, 2))
    for part in (0.0, 0.9, 1 - 0.999, 1.0):
        quick, plain = mean.copy(), mean.copy()
        loops.move(quick, part, theta)
        move(plain, part, theta)
        alike(quick, plain)


def test_a_games_method_asks_the_loops_for_its_losses_and_keeps_a_readers_own(monkeypatch):
    model, s = GAN(), np.ones((3, 1), "f")
    seen = []

    def loop(s, t):
        seen.append(t)
        return losses.bce_with_logits(s, t)

    monkeypatch.setitem(loops.LOOPS, losses.bce_with_logits, loop)
    loops.with_loops(GAN.D_loss)(model, s, s)
    assert seen == [0.9, 0.0]
    monkeypatch.setattr("minigan.gan.bce_with_logits", lambda s, t: (7.0, s))
    assert loops.with_loops(GAN.G_loss)(model, s, s) == (7.0, s)
    assert seen == [0.9, 0.0]


# ---- whole passes ----


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
            found[-1].append(net.accumulate(trace, deltas, factors=x[:, :1]))
            tangents = net.tangents(trace, x)
            found[-1].append(net.accumulate(trace, deltas, None, tangents))
            found[-1].append(net.accumulate(trace, deltas, x[:, :1], tangents))
            x_1, x_2 = map(np.asfortranarray, trace[1:3])
            found[-1].append(net.dx(2, x_2, x_1, x_2))
    for actual, expected in zip(*found, strict=True):
        alike(actual, expected)
    assert same(x, given[0])
    assert same(dy, given[1])


# ---- where the short ways are taken ----


class Spy:
    """Counts the calls of the plain way and of the short one."""

    def __init__(self, monkeypatch):
        self.plain, self.short = 0, 0
        for method in ("forward", "accumulate", "dx"):
            self.watch(monkeypatch, Network, method, "plain")
        for table in (fast.FORWARD, fast.DX):
            for kind, function in table.items():
                monkeypatch.setitem(table, kind, self.counted(function, "short"))

    def watch(self, monkeypatch, cls, method, way):
        monkeypatch.setattr(cls, method, self.counted(getattr(cls, method), way))

    def counted(self, function, way):
        def call(*args, **options):
            setattr(self, way, getattr(self, way) + 1)
            return function(*args, **options)

        return call

    def __call__(self, function, *args):
        """(plain calls, short calls) of the function."""
        self.plain = self.short = 0
        function(*args)
        return self.plain, self.short


def network(*layers, dtype="float64"):
    size = sum(math.prod(shape) for layer in layers for shape in getattr(layer, "shapes", ()))
    theta = np.random.default_rng(0).standard_normal(size).astype(dtype)
    return quick_and_plain(list(layers), theta)[0]


class OwnSigmoid(Sigmoid):
    """A layer of the reader's own."""


@pytest.mark.parametrize(
    ("layers", "dtype", "taken"),
    [
        ([Dense(3, 4), LeakyReLU(), Dense(4, 2), Sigmoid()], "float64", 2),
        ([Dense(3, 4), LeakyReLU(), Dense(4, 2)], "float64", 1),
        ([Dense(3, 4)], "float64", 0),
        ([Dense(3, 4), LeakyReLU(), Dense(4, 2, bias=False)], "float64", 1),
        ([Dense(3, 4, bias=False)], "float64", 0),
        ([Dense(3, 4, bias=False), LeakyReLU(), Dense(4, 2)], "float64", None),
        ([Dense(3, 4), LeakyReLU(), Dense(4, 2, bias=False), Sigmoid()], "float64", None),
        ([Dense(3, 4), LeakyReLU()], "float32", None),
        ([Dense(3, 4), OwnSigmoid()], "float64", None),
        ([Dense(3, 4), LeakyReLU(), Dense(4, 4), OwnSigmoid()], "float64", None),
        ([Dense(3, 4), OwnSigmoid(), Dense(4, 4), LeakyReLU()], "float64", None),
        ([Dense(3, 4), Dense(4, 2)], "float64", None),
        ([Dense(3, 4), LeakyReLU(), Sigmoid()], "float64", None),
        ([LeakyReLU(), Dense(3, 4)], "float64", None),
    ],
)
def test_the_forward_pass_is_short_for_dense_layers_and_known_activations(
    layers, dtype, taken, monkeypatch
):
    spy, net = Spy(monkeypatch), network(*layers)
    x = np.random.default_rng(1).standard_normal((5, 3)).astype(dtype)
    expected = (0, taken) if taken is not None and fast.njit else (1, 0)
    assert spy(net.forward, x) == expected


@pytest.mark.parametrize("odd", [None, "dy", "x", "y"])
@pytest.mark.parametrize("how", ["dtype", "shape"])
def test_an_activations_dx_is_short_where_shapes_and_dtypes_are_alike(odd, how, monkeypatch):
    spy, net = Spy(monkeypatch), network(Dense(3, 4), LeakyReLU(), Dense(4, 4), Sigmoid())
    for kind in (LeakyReLU, Sigmoid):  # Sigmoid's own refuses one row for five
        monkeypatch.setattr(kind, "dx", lambda *args: None)
    for l in (2, 4):
        given = dict.fromkeys(("dy", "x", "y"), np.ones((5, 4)))
        if odd:
            other = np.ones((5, 4), "float32") if how == "dtype" else np.ones((1, 4))
            given[odd] = other
        short = fast.njit and not odd
        assert spy(lambda l=l, given=given: net.dx(l, **given)) == ((0, 1) if short else (1, 0))


def test_an_activation_of_ones_own_has_its_own_dx(monkeypatch):
    spy, net, one = Spy(monkeypatch), network(Dense(3, 4), OwnSigmoid()), np.ones((5, 4))
    assert spy(net.dx, 2, one, one, one) == (1, 0)
    y = np.full((5, 4), 0.25)
    np.testing.assert_array_equal(net.tangent(2, one, one, y), y * (1 - y))


@pytest.mark.parametrize(
    ("module", "own"),
    [("minigan", True), ("minigan.layers", True), ("minigan.lab.exact_layers", True)]
    + [("minigans.layers", False), ("mine", False), ("mine.minigan", False)],
)
def test_a_class_is_this_librarys_by_the_package_that_it_stands_in(module, own):
    kind = type("Kind", (), {"__module__": module})
    assert fast.ours(kind) is own
    assert fast.ours(Dense, kind) is own


@pytest.mark.parametrize(
    ("k", "dy", "plain"),
    [(1, (5, 1), 0), (1, (5, 2), 1), (1, (1,), 1), (2, (5, 2), 1), (2, (5, 1), 1)],
)
def test_a_dense_layer_of_one_column_is_an_elementwise_product(k, dy, plain, monkeypatch):
    spy, net = Spy(monkeypatch), network(Dense(3, k))
    x, y, dy = np.ones((5, 3)), np.ones((5, k)), np.ones(dy)
    monkeypatch.setattr(Dense, "dx", lambda *args: None)
    assert spy(net.dx, 1, dy, x, y) == (plain, 0)


def test_one_column_gives_the_numbers_of_the_matrix_product():
    W, dy = np.array([[0.5, -3.0, 1e-300, 7.0]]), np.array([[2.0], [-1e-200], [1e300], [0.1]])
    net = network(Dense(4, 1))
    net.theta[:4] = W
    x, y = np.ones((4, 4)), np.ones((4, 1))
    np.testing.assert_array_equal(
        net.dx(1, dy, x, y), [[d * w for w in W[0]] for d in dy[:, 0]]
    )


@pytest.mark.parametrize("odd", [None, "x", "dy"])
@pytest.mark.parametrize("at", [0, 2])
def test_gradients_are_written_in_place_where_dtypes_are_alike(odd, at, monkeypatch):
    net = network(Dense(3, 4), LeakyReLU(), Dense(4, 2))
    trace = net.forward(np.ones((5, 3)))
    deltas = net.deltas(trace, np.ones((5, 2)))
    if odd == "x":
        trace[at] = trace[at].astype("float32")
    if odd == "dy":
        deltas[at + 1] = deltas[at + 1].astype("float32")
    spy = Spy(monkeypatch)
    assert spy(net.accumulate, trace, deltas) == (1 if odd else 0, 0)


@pytest.mark.parametrize(
    ("factors", "u", "short"),
    [((5, 1), (5, 3), True), ((1, 1), (5, 3), False), ((5, 3), (5, 3), False)]
    + [((5, 1), (1, 3), False), ((3, 1), (3, 3), None)],
)
def test_rows_are_weighted_in_one_pass_where_shapes_fit(factors, u, short, monkeypatch):
    calls, loop = [], loops.weighted
    monkeypatch.setattr(loops, "weighted", lambda *args: calls.append(1) or loop(*args))
    x, f, u = np.ones((5, 3)), np.full(factors, 2.0), np.ones(u)
    if short is None:
        with pytest.raises(ValueError, match="broadcast"):
            fast.weighted(f, x, u)
    else:
        np.testing.assert_array_equal(fast.weighted(f, x, u), np.full((5, 3), 3.0))
    assert len(calls) == bool(short and fast.njit)


def test_a_tangent_in_another_dtype_is_left_to_the_plain_way(monkeypatch):
    net = network(Dense(3, 4), LeakyReLU(), Dense(4, 2))
    trace = net.forward(np.ones((5, 3)))
    deltas, tangents = net.deltas(trace, np.ones((5, 2))), net.tangents(trace, np.ones((5, 3)))
    spy = Spy(monkeypatch)
    assert spy(net.accumulate, trace, deltas, None, tangents) == (0, 0)
    tangents[2] = tangents[2].astype("float32")
    assert spy(net.accumulate, trace, deltas, None, tangents) == (1, 0)


@pytest.mark.parametrize("output", ["sigmoid", "linear"])
@pytest.mark.parametrize("bias", [False, True])
def test_a_network_without_an_output_bias_is_the_plain_one_bit_for_bit(bias, output):
    network = mlp(
        (3, 5, 4), np.random.default_rng(0), bias=bias, output=output, dtype="float64"
    )
    network.theta += 0.1
    rng, found = np.random.default_rng(1), []
    x, dy, factors = (rng.standard_normal((6, n)) for n in (3, 4, 1))
    for net in quick_and_plain(network.layers, network.theta):
        trace = net.forward(x)
        deltas, tangents = net.deltas(trace, dy), net.tangents(trace, x)
        found.append([*trace, *deltas, *tangents])
        for more in ((), (factors,), (None, tangents), (factors, tangents)):
            found[-1].append(net.accumulate(trace, deltas, *more))
    assert all(same(actual, expected) for actual, expected in zip(*found, strict=True))


def test_a_tangent_through_an_activation_is_its_loop(monkeypatch):
    spy, net = Spy(monkeypatch), network(Dense(3, 4), LeakyReLU(), Dense(4, 4), Sigmoid())
    ones = np.ones((5, 4))
    for l in (2, 4):
        assert spy(net.tangent, l, ones, ones, ones) == ((0, 1) if fast.njit else (1, 0))
    assert spy(net.tangent, 3, ones, ones, ones) == (0, 0)
    np.testing.assert_array_equal(net.tangent(3, ones, ones, ones), ones @ net.params[2][0])


def test_the_gradients_of_a_layer_of_ones_own_are_its_own(monkeypatch):
    net = network(Dense(3, 4), LeakyReLU(), ScaledDense(4, 2))
    trace = net.forward(np.ones((5, 3)))
    deltas = net.deltas(trace, np.ones((5, 2)))
    assert Spy(monkeypatch)(net.accumulate, trace, deltas) == (1, 0)


@pytest.mark.parametrize("kind", [RMSProp, Adam])
def test_an_optimiser_is_short_where_sizes_and_dtypes_are_alike(kind, monkeypatch):
    quick, spy = fast.FAST[kind](0.5), Spy(monkeypatch)
    spy.watch(monkeypatch, kind, "update", "plain")
    theta, g = np.ones(3, "float32"), np.full(3, 0.5, "float32")
    short = 0 if fast.njit else 1
    assert spy(quick.step, theta, g) == (short, 0)
    assert spy(quick.step, theta, g.astype("float64")) == (1, 0)
    assert spy(quick.step, theta.astype("float64"), g) == (1, 0)
    for slot in quick.slots:
        kept = getattr(quick, slot)
        setattr(quick, slot, kept.astype("float64"))
        assert spy(quick.step, theta, g) == (1, 0)
        setattr(quick, slot, kept[:1])
        with pytest.raises(ValueError, match="broadcast"):
            quick.step(theta, g)
        setattr(quick, slot, kept.astype("float32"))
    assert spy(quick.step, theta, g) == (short, 0)


def test_each_kind_has_its_short_form_and_others_stay():
    model = game("gan")
    model.G_optimizer, model.D_optimizer = RMSProp(), SGD()
    fast.accelerate(model)
    assert type(model.G_optimizer) is fast.FastRMSProp
    assert type(model.D_optimizer) is SGD
    fast.accelerate(model)  # again: nothing changes
    assert type(model.G_optimizer) is fast.FastRMSProp
    assert type(model.G) is type(model.D) is fast.FastNetwork


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
