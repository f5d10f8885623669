"""Chapters 6 to 11: a game as an object. Its parameters and what is refused, networks of the
reader's own, copies of it, and the samples that it is asked for."""

import copy
import dataclasses
import gc
import json
import math
import pickle
import time
from dataclasses import asdict, fields

import array_api_strict
import numpy as np
import pytest
from readers import PReLU, Softplus, stack

from minigan import (
    CGAN,
    CLSGAN,
    CWGAN,
    CWGANGP,
    GAN,
    LSGAN,
    WGAN,
    WGANGP,
    Dense,
    LeakyReLU,
    MiniganError,
    Network,
    Sigmoid,
    conditional,
    mlp,
    train,
)
from minigan.arrays import stream, to_numpy
from minigan.cgan import Conditional
from minigan.data import Batches, Dataset
from minigan.errors import BackendError
from minigan.fast import accelerate
from minigan.gradcheck import RecordingOptimizer, check_gradient
from minigan.lab.models import MODELS
from minigan.training import TrainState

SMALL = {"n_data": 4, "n_noise": 3, "G_hidden": (6,), "D_hidden": (5, 2)}
every_game = pytest.mark.parametrize("name", MODELS)


def small(name, **more):
    classes = {"n_classes": 3} if name.startswith("c") else {}
    return MODELS[name](**SMALL | classes | more)


def play(model, seed, steps=2):
    """Some steps of both players, on rows, noise and labels that the seed draws."""
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        x, z = model.asarray(rng.random((5, model.n_data))), model.noise(5, rng)
        record = model.update(x, z, model.condition(rng.integers(0, 3, 5)), rng)
    return record


# ---- parameters ----


@pytest.mark.parametrize(
    ("cls", "name", "wrong", "right"),
    [
        (WGAN, "clip", 0.0, 1e-9),
        (WGAN, "n_critic", 0, 1),
        (GAN, "real_label", 0.0, 1e-9),
        (GAN, "real_label", 1.5, 1.0),
        (CGAN, "n_classes", 0, 1),
        (GAN, "n_data", 0, 1),
        (GAN, "n_noise", 0, 1),
        (GAN, "G_hidden", (3, 0), ()),
        (GAN, "D_hidden", (0, 3), (1, 1)),
        (GAN, "dtype", "float16", "complex128"),
        (GAN, "ema_decay", 1.0, 0.0),
        (GAN, "ema_decay", -0.1, 0.999),
        (GAN, "lr", 0.0, 1e-9),
        (WGANGP, "penalty_weight", 0.0, 1e-9),
    ],
)
def test_the_edge_of_every_parameter(cls, name, wrong, right):
    with pytest.raises(MiniganError, match=f"^{name}: "):
        cls(**SMALL | {name: wrong})
    assert getattr(cls(**SMALL | {name: right}), name) == right


OUTSIDE = {
    "[1, inf)": (0, -1),
    "[0, inf)": (-1,),
    "(0, inf)": (0.0, -0.1, math.inf),
    "(-inf, inf)": (-math.inf, math.inf),
    "[0, 1)": (-0.1, 1.0),
    "(0, 1]": (0.0, 1.1),
}
OF_ANOTHER_TYPE = {
    int: (1.5, 3.0, "3", None, True, [3], math.nan, 1j),
    float: ("0.1", None, True, [0.1], math.nan, 1j, 10**400),
    bool: (0, 1, "yes", None, math.nan),
    str: (3, None, "other", ["float32"], np.int8, math.nan),
    tuple: ("12", None, 2.5, True, (3, None), (3, 2.5), [[3]]),
    type(None): (3, "other", [], math.nan),
}


@every_game
def test_every_parameter_refuses_another_type_and_what_is_out_of_range_by_its_name(name):
    for field in fields(MODELS[name]):
        kind, within = type(field.default), field.metadata["within"]
        outside = OUTSIDE[within] if kind in (int, float) else ()
        if kind is tuple:
            outside = [(3, n) for n in OUTSIDE[within]]
        for wrong in (*OF_ANOTHER_TYPE[kind], *outside):
            with pytest.raises(MiniganError, match=f"^{field.name}: "):
                small(name, **{field.name: wrong})


def of_numpy(value):
    """The number as one of NumPy's scalars, a tuple of numbers as an array."""
    return np.asarray(value) if isinstance(value, tuple) else np.asarray(value)[()]


@every_game
@pytest.mark.parametrize("given_as", [of_numpy, np.asarray], ids=["scalars", "0-d arrays"])
def test_numbers_of_numpy_become_pythons_own(name, given_as):
    plain, numbers = small(name, seed=3, ema_decay=0.5), {}
    for key, value in asdict(plain).items():
        as_it_is = value is None or isinstance(value, str)
        numbers[key] = value if as_it_is else of_numpy(value)
        if type(value) in (int, float):
            numbers[key] = given_as(value)
    model = MODELS[name](**numbers)
    assert asdict(model) == asdict(plain)
    assert json.loads(json.dumps(asdict(model)))["n_noise"] == 3
    for key, value in asdict(plain).items():
        assert type(getattr(model, key)) is type(value), key
    assert {type(n) for n in model.G_hidden + model.D_hidden} == {int}
    np.testing.assert_array_equal(model.G.theta, plain.G.theta)


@pytest.mark.parametrize("hidden", [6, np.int64(6), [6], (6,), range(6, 7), np.array([6])])
def test_one_width_and_any_sequence_of_widths_will_do(hidden):
    model = GAN(**SMALL | {"G_hidden": hidden, "D_hidden": hidden})
    assert model.G_hidden == model.D_hidden == (6,)
    assert [layer.n for layer in model.G.layers if isinstance(layer, Dense)] == [3, 6]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_dtype_may_be_numpys_own(dtype):
    for given_as in (dtype, np.dtype(dtype), getattr(np, dtype)):
        model = GAN(**SMALL, dtype=given_as)
        assert type(model.dtype) is str
        assert model.dtype == model.G.theta.dtype == dtype


@every_game
def test_gradients_stay_float32_whatever_the_parameters_were_given_as(name):
    model = small(name)
    real = [field.name for field in fields(model) if type(field.default) is float]
    model = small(name, **{key: np.float64(getattr(model, key)) for key in real})
    model.G_optimizer, model.D_optimizer = RecordingOptimizer(), RecordingOptimizer()
    record = play(model, seed=0, steps=1)
    assert model.G_optimizer.dtheta.dtype == model.D_optimizer.dtheta.dtype == np.float32
    assert {value.dtype for value in record.values()} == {np.dtype("float32")}


@pytest.mark.parametrize("huge", [10**12, 10**30])
@pytest.mark.parametrize("key", ["n_data", "n_noise", "G_hidden", "D_hidden", "n_classes"])
def test_networks_larger_than_the_memory_are_refused_before_they_are_made(key, huge):
    begun = time.perf_counter()
    widths = f"a network of the widths .*{str(huge)[:-1]}"  # and what a condition adds to it
    with pytest.raises(MiniganError, match=rf"^{widths}.* would take .* GB of memory; "):
        small("cgan", **{key: huge})
    assert time.perf_counter() - begun < 1


@pytest.mark.parametrize("name", ["gan", "cgan"])
def test_more_samples_than_the_memory_holds_are_refused_before_any_is_drawn(name):
    model, begun = small(name), time.perf_counter()
    with pytest.raises(MiniganError, match="^1,000,000,000,000 samples would take"):
        model.sample(10**12)
    assert time.perf_counter() - begun < 1


# ---- how a game is made ----


def test_both_players_get_the_rate_they_were_given():
    gan, wgan = (game(**SMALL, lr=0.5, D_lr=0.25) for game in (GAN, WGAN))
    assert [gan.G_optimizer.lr, gan.D_optimizer.lr] == [0.5, 0.25]
    assert [gan.G_optimizer.beta1, gan.D_optimizer.beta1] == [0.5, 0.5]
    assert [wgan.G_optimizer.lr, wgan.D_optimizer.lr] == [0.5, 0.25]
    assert [wgan.G_optimizer.rho, wgan.D_optimizer.rho] == [0.99, 0.99]


def test_each_players_weights_have_a_stream_of_their_own():
    options = {"slope": 0.3, "init": "glorot", "dtype": "float64"}
    model = GAN(**SMALL, **options, seed=5, output="linear")
    for player, sizes in (("G", (3, 6, 4)), ("D", (4, 5, 2, 1))):
        network = getattr(model, player)
        expected = mlp(sizes, stream(5, f"weights of {player}"), **options)
        np.testing.assert_array_equal(network.theta, expected.theta)
        assert network.theta.dtype == np.float64
        assert network.layers[1].slope == 0.3
    wider = GAN(**SMALL | {"G_hidden": (9, 9)}, **options, seed=5)
    np.testing.assert_array_equal(wider.D.theta, model.D.theta)
    other = GAN(**SMALL, **options, seed=6)
    assert (other.G.theta != model.G.theta).any()
    assert (other.D.theta != model.D.theta).any()


def abroad(n):
    return array_api_strict.zeros(n, device=array_api_strict.Device("device1"))


def test_a_game_is_made_in_its_backends_library(monkeypatch):
    asked = []

    class Library:
        zeros = staticmethod(lambda n: abroad(n))

    monkeypatch.setattr("minigan.players.backend", lambda name: asked.append(name) or Library)
    model = GAN(**SMALL, backend="cupy")
    assert asked == ["cupy"]
    assert type(model.G.theta) is type(model.D.theta) is type(abroad(0))


def test_the_average_begins_as_a_copy_of_the_generators_parameters():
    model = GAN(**SMALL, ema_decay=0.9)
    np.testing.assert_array_equal(model.G_average.theta, model.G.theta)
    assert not np.shares_memory(model.G_average.theta, model.G.theta)
    np.testing.assert_array_equal(model.sample(3), GAN(**SMALL).sample(3))


def test_conditional_games_live_as_long_as_their_games():
    class One(GAN):
        """A game of the reader's own."""

    class Two(GAN):
        """And another."""

    def made():
        return [(id(cls), cls.__bases__) for cls in map(conditional, (One, Two))]

    first = made()
    assert [bases for _, bases in first] == [(Conditional, One), (Conditional, Two)]
    gc.collect()
    assert made() == first


def test_any_game_is_made_conditional_and_keeps_its_parameters():
    class Own(WGANGP):
        """A game of the reader's own."""

    games = {GAN: CGAN, WGAN: CWGAN, WGANGP: CWGANGP, LSGAN: CLSGAN}
    assert {game: conditional(game) for game in games} == games
    made = conditional(Own)
    assert made is conditional(Own)
    assert made.__name__ == "ConditionalOwn"
    assert made.__mro__[1:3] == (Conditional, Own)
    assert made.__module__ == Own.__module__
    assert made.__doc__ == "Own, conditional."
    assert repr(made(**SMALL)).startswith("ConditionalOwn\nG: Network of ")
    names = [field.name for field in dataclasses.fields(made)]
    assert set(names) == {"n_classes", *(field.name for field in dataclasses.fields(WGANGP))}
    with pytest.raises(TypeError, match="positional"):
        made(4)
    one, two = made(**SMALL), made(**SMALL)
    assert one != two  # a model is itself, not its parameters
    assert len({one, two}) == 2


def test_a_game_shows_its_networks_and_optimisers():
    lines = repr(CGAN(**SMALL, n_classes=2)).splitlines()
    assert [line for line in lines if line[0] != " "] == [
        "CGAN",
        "G: Network of 64 parameters",  # (3 + 2 + 1) 6 + (6 + 1) 4
        "D: Network of 50 parameters",  # (4 + 2 + 1) 5 + (5 + 1) 2 + (2 + 1)
    ]
    assert [line.split() for line in lines if "Dense" in line] == [
        ["Dense(n=5,", "k=6)", "36"],
        ["Dense(n=6,", "k=4)", "28"],
        ["Dense(n=6,", "k=5)", "35"],
        ["Dense(n=5,", "k=2)", "12"],
        ["Dense(n=2,", "k=1)", "3"],
    ]
    assert sum("Adam(lr=" in line and "0 steps taken" in line for line in lines) == 2


# ---- networks of the reader's own ----

OWN = {"gan": (GAN, 0), "cgan": (CGAN, 3), "wgan": (WGAN, 0), "wgan-gp": (WGANGP, 0)}
every_own = pytest.mark.parametrize("name", OWN)


def with_own_networks(name, **more):
    """A game of layers that the library does not know, from 3 columns of noise to 4 of data."""
    cls, n = OWN[name]
    activation = PReLU if cls is WGANGP else lambda k: Softplus()
    critic = stack((4 + n, 5, 1), activation, 1, bias=cls not in (WGAN, WGANGP))
    more |= {"n_classes": n} if n else {}
    return cls(G=stack((3 + n, 6, 4)), D=critic, **more)


@every_own
def test_widths_dtype_and_output_follow_the_networks(name):
    model = with_own_networks(name)
    found = model.n_noise, model.n_data, model.dtype, model.output, model.real_dtype
    assert found == (3, 4, "float64", "linear", "float64")
    assert model.sample(3).shape == (3, 4)
    assert model.sample(3).dtype == np.float64
    squashed = Network([*stack((3, 4)).layers, Sigmoid()], np.zeros(16, "float32"))
    other = GAN(G=squashed, n_data=4, D_hidden=5)
    assert (other.output, other.dtype, str(other.D.theta.dtype)) == (
        "sigmoid",
        *["float32"] * 2,
    )
    assert other.G is squashed


def test_one_network_may_be_given_and_the_other_made():
    critic = stack((4, 5, 1))
    model = GAN(D=critic, n_noise=3, G_hidden=(), output="linear")
    assert model.D is critic
    assert [(layer.n, layer.k) for layer in model.G.layers] == [(3, 4)]
    assert model.G.theta.dtype == np.float64


def losses(model, x, x_fake, z, c):
    """{player: its loss as a function of its parameters}, by forward passes alone."""

    def game(**theta):
        twin = copy.copy(model)
        for player, value in theta.items():
            setattr(twin, player, Network(getattr(model, player).layers, value))
        return twin

    def L_G(theta):
        twin = game(G=theta, D=model.D.theta + 0j)
        rows = twin.G.forward(twin.G_input(z, c))[-1]
        return twin.G_loss(*(twin.D.forward(twin.D_input(r, c))[-1] for r in (x, rows)))[0]

    def L_D(theta):
        twin = game(D=theta)
        scores = [twin.D.forward(twin.D_input(rows, c))[-1] for rows in (x, x_fake)]
        penalty = twin.penalty(x, x_fake, c, np.random.default_rng(1))
        return twin.D_loss(*scores)[0] + (penalty[0] if penalty else 0)

    return {"G": L_G, "D": L_D}


@every_own
def test_eq19_eq20_eq21_hold_for_layers_that_minigan_does_not_know(name):
    model, rng = with_own_networks(name), np.random.default_rng(0)
    model.G_optimizer, model.D_optimizer = G, D = RecordingOptimizer(), RecordingOptimizer()
    model.constrain = lambda: None
    x, z = rng.random((5, 4)), rng.standard_normal((5, 3))
    c = model.condition(np.array([0, 1, 2, 1, 0]))
    _, x_fake = model.G_step(x, z, c)
    model.D_step(x, x_fake, c, np.random.default_rng(1))
    plain = {"G": G.dtheta, "D": D.dtheta}
    for player, loss in losses(model, x, x_fake, z, c).items():
        check = check_gradient(player, loss, getattr(model, player).theta, plain[player])
        assert check.passed, check
    model.update(x, z, c, np.random.default_rng(1))
    for player, dtheta in (("G", G.dtheta), ("D", D.dtheta)):
        error = np.linalg.norm(dtheta - plain[player]) / np.linalg.norm(dtheta)
        assert error < 1e-13, player


@every_own
def test_they_train_and_the_quick_ways_leave_their_numbers_alone(name):
    data = Dataset(np.random.default_rng(0).random((40, 4)), np.arange(40) % 3)
    quick, plain = with_own_networks(name), with_own_networks(name)
    batches, state = Batches(data, 8, to=plain.asarray), TrainState()
    for record in train(quick, data, 3, batch_size=8):
        assert {
            "step": record["step"],
            **plain.iteration(batches, state.rng, state.penalty_rng),
        } == record
    assert (plain.G.theta != with_own_networks(name).G.theta).all()
    np.testing.assert_array_equal(quick.G.theta, plain.G.theta)
    np.testing.assert_array_equal(quick.D.theta, plain.D.theta)


def test_a_generator_of_the_readers_own_learns_where_the_data_are():
    """Softplus layers all the way, on a cloud at (3, −2)."""
    data = np.random.default_rng(0).standard_normal((500, 2)) / 4 + [3, -2]
    model = GAN(G=stack((2, 8, 2)), D=stack((2, 8, 1), seed=1), lr=5e-3, D_lr=5e-3)
    before = abs(model.sample(500).mean(axis=0) - [3, -2]).max()
    for _ in train(model, data, 600, batch_size=50):
        pass
    assert before > 1
    assert abs(model.sample(500).mean(axis=0) - [3, -2]).max() < 0.5


@pytest.mark.parametrize(
    ("cls", "G", "D", "message"),
    [
        (GAN, (3, 6, 4), (5, 2, 1), r"G: two rows must give shape \(2, 5\), got \(2, 4\)$"),
        (GAN, (3, 6, 4), (4, 6, 2), r"D: two rows must give shape \(2, 1\), got \(2, 2\)$"),
        (WGAN, (3, 6, 4), (4, 6, 2), r"D: two rows must give shape \(2, 1\), got \(2, 2\)$"),
        (WGANGP, (3, 6, 4), (5, 1), r"G: two rows must give shape \(2, 5\), got \(2, 4\)$"),
        (CGAN, (13, 6, 5), (14, 6, 1), r"G: two rows must give shape \(2, 4\), got \(2, 5\)$"),
    ],
)
def test_networks_of_the_wrong_widths_are_refused_by_the_players_name(cls, G, D, message):
    with pytest.raises(MiniganError, match=f"^{message}"):
        cls(G=stack(G), D=stack(D))


@pytest.mark.parametrize(("G", "D"), [((3, 4), (14, 1)), ((10, 4), (14, 1)), ((13, 4), (4, 1))])
def test_networks_too_narrow_for_the_condition_are_refused_by_the_players_name(G, D):
    without_a_width_below_zero = r"^[GD]\b[^-]*$"
    with pytest.raises(MiniganError, match=without_a_width_below_zero):
        CGAN(G=stack(G), D=stack(D), n_classes=10)


def test_layers_that_do_not_follow_each_other_are_refused_by_the_players_name():
    G = Network([Dense(3, 6), Softplus(), Dense(5, 4)], np.zeros(48))
    with pytest.raises(MiniganError, match="^G"):
        GAN(G=G, D=stack((4, 1)))


@pytest.mark.parametrize("wrong", ["mlp", mlp, [Dense(3, 4)], np.zeros(16), 3])
def test_what_is_not_a_network_is_refused(wrong):
    for player in ({"G": wrong}, {"D": wrong}):
        with pytest.raises(MiniganError, match="^[GD]: expected a Network, got "):
            GAN(**SMALL, **player)


def test_networks_of_two_dtypes_are_refused():
    with pytest.raises(MiniganError, match=r"^[GD]\b"):
        GAN(G=stack((3, 4), dtype="float32"), D=stack((4, 1), dtype="float64"))


@pytest.mark.parametrize("method", ["G_input", "D_input"])
def test_eq26_eq27_a_condition_of_another_library_is_refused_by_both_names(method):
    one, other = np.ones((2, 4), "f"), array_api_strict.ones((2, 3))
    for rows, c in ((one, other), (other, one)):
        with pytest.raises(BackendError, match="^arrays of .* and of .* met in one call"):
            getattr(CGAN(**SMALL, n_classes=3), method)(rows, c)


def test_eq25_a_condition_lies_where_its_labels_do():
    device = array_api_strict.Device("device1")
    networks = {
        player: Network(network.layers, array_api_strict.asarray(network.theta, device=device))
        for player, network in vars(CGAN(**SMALL, n_classes=3)).items()
        if player in "GD"
    }
    model = CGAN(**SMALL, n_classes=3, **networks)
    c = model.condition(array_api_strict.asarray([2, 0], device=device))
    assert c.device == device
    np.testing.assert_array_equal(to_numpy(c), [[0, 0, 1], [1, 0, 0]])


def test_networks_of_two_libraries_are_refused():
    G, D = stack((3, 4)), stack((4, 1))
    D = Network(D.layers, array_api_strict.asarray(D.theta))
    with pytest.raises(MiniganError, match="^D, given rows of 4 columns: arrays of .* met in"):
        GAN(G=G, D=D)


# ---- copies ----


def pickled(thing):
    return pickle.loads(pickle.dumps(thing))


def arrays(model):
    """Every array that training changes."""
    networks = [model.G, model.D, *([model.G_average] if model.G_average else [])]
    memories = [model.G_optimizer.state(), model.D_optimizer.state()]
    return [n.theta for n in networks] + [a for m in memories for a in m.values()]


@every_game
@pytest.mark.parametrize("begun", [0, 2])
@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("twin_of", [copy.deepcopy, pickled])
def test_a_copy_trains_on_as_the_original_would_and_by_itself(name, begun, quick, twin_of):
    model = small(name, ema_decay=0.9)
    if quick:
        accelerate(model)
    if begun:
        play(model, seed=0, steps=begun)
    twin = twin_of(model)
    assert type(twin.D) is type(model.D)
    assert asdict(twin) == asdict(model)
    for each in (model, twin):
        play(each, seed=1)
    for own, other in zip(arrays(twin), arrays(model), strict=True):
        np.testing.assert_array_equal(own, other)
    assert not np.shares_memory(twin.G.theta, model.G.theta)
    np.testing.assert_array_equal(twin.sample(3), model.sample(3))


def test_a_run_may_be_forked():
    model, state = small("cwgan-gp"), TrainState(seed=3)
    rng = np.random.default_rng(0)
    data = Dataset(rng.random((40, 4)), np.arange(40) % 3)
    list(train(model, data, 3, 8, state=state))
    twin = copy.deepcopy((model, state))
    assert list(train(model, data, 6, 8, state=state)) == list(
        train(twin[0], data, 6, 8, state=twin[1])
    )


# ---- networks that begin with a layer of any width ----


def from_any(layer, sizes, seed=0):
    """A network of the sizes, behind a layer that takes any number of columns."""
    rng = np.random.default_rng(seed)
    inner = mlp(sizes, rng, dtype="float64")
    return Network([layer, *inner.layers], inner.theta)


@pytest.mark.parametrize("first", [LeakyReLU(0.3), Sigmoid(), Softplus()], ids=repr)
def test_eq21_is_eq19_and_eq20_whatever_the_first_layer_of_D_reads(first):
    rng, gradients = np.random.default_rng(1), []
    x, z = rng.standard_normal((5, 4)), rng.standard_normal((5, 3))
    for shared in (True, False):
        model = GAN(
            G=from_any(first, (3, 6, 4)), D=from_any(first, (4, 5, 1)), n_noise=3, n_data=4
        )
        model.G_optimizer = model.D_optimizer = optimizer = Listing()
        if shared:
            model.update(x, z)
        else:
            _, x_fake = model.G_step(x, z)
            model.D_step(x, x_fake)
        gradients.append(optimizer.all)
    for one, other in zip(*gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-15)


class Listing:
    """Stands in for both optimisers: keeps every gradient and moves nothing."""

    t = 0

    def __init__(self):
        self.all = []

    def step(self, theta, dtheta):
        self.all.append(dtheta)


def test_a_network_that_takes_any_width_is_given_the_games():
    G, D = from_any(LeakyReLU(), (3 + 2, 4)), from_any(LeakyReLU(), (4 + 2, 1))
    model = CGAN(G=G, D=D, n_noise=3, n_data=4, n_classes=2)
    assert (model.n_noise, model.n_data) == (3, 4)
    assert model.sample(5).shape == (5, 4)


def test_a_network_of_half_precision_is_refused():
    G = stack((3, 4))
    with pytest.raises(MiniganError, match="^G: dtype: expected one of .*float16"):
        GAN(G=Network(G.layers, G.theta.astype("float16")))


def test_one_network_that_does_not_fit_the_other_is_refused():
    with pytest.raises(
        MiniganError, match=r"^G: two rows must give shape \(2, 4\), got \(2, 5\)"
    ):
        GAN(G=stack((3, 5)), n_data=4)


def test_without_a_decay_there_is_no_average():
    assert GAN(**SMALL).G_average is None
