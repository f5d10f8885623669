"""What mutation testing found untested: edges, defaults, and two libraries in one call."""

import dataclasses
import inspect

import array_api_strict
import numpy as np
import pytest

from minigan import (
    CGAN,
    GAN,
    SGD,
    WGAN,
    Adam,
    BackendError,
    DataError,
    Dense,
    LeakyReLU,
    MiniganError,
    Network,
    RMSProp,
    mlp,
    to_numpy,
)
from minigan.cgan import Conditional, conditional
from minigan.lab.models import MODELS
from minigan.penalty import CWGANGP, WGANGP, gradient_penalty

SMALL = {"n_data": 4, "n_noise": 3, "G_hidden": (6,), "D_hidden": (5, 2)}


def abroad(host):
    """The array in another library than NumPy."""
    return array_api_strict.asarray(host, device=array_api_strict.Device("device1"))


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


# ---- what is refused, and what at the very edge is not ----


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


@pytest.mark.parametrize("option", ["init", "output"])
def test_an_unknown_name_is_refused_by_the_parameters_own_name(option):
    with pytest.raises(MiniganError, match=f"^{option}: expected one of"):
        mlp((3, 2), np.random.default_rng(0), **{option: "other"})


@pytest.mark.parametrize("make", [SGD, RMSProp, Adam])
def test_the_smallest_and_the_greatest_decay(make):
    rates = {n: 0.0 for n in inspect.signature(make).parameters if n not in ("lr", "eps")}
    make(1e-300, **rates)
    for name in rates:
        with pytest.raises(MiniganError, match=f"^{name}: "):
            make(1.0, **rates | {name: 1.0})


# ---- defaults are those of the papers ----


def test_the_defaults_of_the_optimisers():
    assert vars(SGD()) == {"lr": 0.01, "t": 0, "momentum": 0.0}
    assert vars(RMSProp()) == {"lr": 1e-3, "t": 0, "rho": 0.9, "eps": 1e-8}
    assert vars(Adam()) == {"lr": 1e-3, "t": 0, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
    assert LeakyReLU().slope == 0.2


def test_both_players_get_the_rate_they_were_given():
    gan, wgan = (game(**SMALL, lr=0.5, D_lr=0.25) for game in (GAN, WGAN))
    assert [gan.G_optimizer.lr, gan.D_optimizer.lr] == [0.5, 0.25]
    assert [gan.G_optimizer.beta1, gan.D_optimizer.beta1] == [0.5, 0.5]
    assert [wgan.G_optimizer.lr, wgan.D_optimizer.lr] == [0.5, 0.25]
    assert [wgan.G_optimizer.rho, wgan.D_optimizer.rho] == [0.99, 0.99]


# ---- how a game is made ----


def test_the_weights_are_drawn_from_the_seed_g_first():
    options = {"slope": 0.3, "init": "glorot", "dtype": "float64"}
    model = GAN(**SMALL, **options, seed=5, output="linear")
    rng = np.random.default_rng(5)
    for network, sizes in ((model.G, (3, 6, 4)), (model.D, (4, 5, 2, 1))):
        expected = mlp(sizes, rng, **options)
        np.testing.assert_array_equal(network.theta, expected.theta)
        assert network.theta.dtype == np.float64
        assert network.layers[1].slope == 0.3
    assert (GAN(**SMALL, seed=6).G.theta != GAN(**SMALL, seed=5).G.theta).any()


def test_a_network_is_made_in_the_library_of_like():
    like = abroad(np.zeros(0))
    network = mlp((3, 2), np.random.default_rng(0), like=like)
    assert type(network.theta) is type(like)
    assert network.theta.device == like.device


def test_a_game_is_made_in_its_backends_library(monkeypatch):
    asked = []

    class Library:
        zeros = staticmethod(lambda n: abroad(np.zeros(n)))

    monkeypatch.setattr("minigan.game.backend", lambda name: asked.append(name) or Library)
    model = GAN(**SMALL, backend="cupy")
    assert asked == ["cupy"]
    assert type(model.G.theta) is type(model.D.theta) is type(abroad(np.zeros(0)))


def test_a_network_may_begin_with_a_layer_of_any_width():
    network = Network([LeakyReLU()], np.zeros(0))
    assert network.forward(np.ones((2, 7)))[-1].shape == (2, 7)
    with pytest.raises(MiniganError, match=r"x: expected shape \(m, n\), got \(7,\)"):
        network.forward(np.ones(7))


def test_the_average_begins_as_a_copy_of_the_generators_parameters():
    model = GAN(**SMALL, ema_decay=0.9)
    np.testing.assert_array_equal(model.G_average.theta, model.G.theta)
    assert not np.shares_memory(model.G_average.theta, model.G.theta)
    np.testing.assert_array_equal(model.sample(3), GAN(**SMALL).sample(3))


def test_any_game_is_made_conditional_and_keeps_its_parameters():
    class Own(WGANGP):
        """A game of the reader's own."""

    assert conditional(WGANGP) is CWGANGP
    assert conditional(GAN) is CGAN
    made = conditional(Own)
    assert made is conditional(Own)
    assert made.__name__ == "ConditionalOwn"
    assert made.__mro__[1:3] == (Conditional, Own)
    names = [field.name for field in dataclasses.fields(made)]
    assert set(names) == {"n_classes", *(field.name for field in dataclasses.fields(WGANGP))}
    with pytest.raises(TypeError, match="positional"):
        made(4)
    one, two = made(**SMALL), made(**SMALL)
    assert one != two  # a model is itself, not its parameters
    assert len({one, two}) == 2


def test_the_penalty_of_a_game_draws_one_number_a_row_and_knows_its_side():
    x, x_fake = np.random.default_rng(2).standard_normal((2, 40, 4)).astype("float32")
    eps = np.random.default_rng(3).random((40, 1), "float32")
    x_hat = eps * x + (1 - eps) * x_fake
    for one_sided in (False, True):
        model = WGANGP(**SMALL, one_sided=one_sided)
        model.D.theta *= 0.1  # slopes below 1: one side is punished, the other is not
        expected = gradient_penalty(model.D, x_hat, one_sided=one_sided)
        found = model.penalty(x, x_fake, None, np.random.default_rng(3))
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])
        assert (found[0] == 0) == one_sided


# ---- two libraries never meet in one call ----


def meet(call):
    with pytest.raises(BackendError, match="met in one call"):
        call()


def test_two_libraries_never_meet():
    model, conditional = GAN(**SMALL), CGAN(**SMALL, n_classes=2)
    x, z, c = (np.ones((5, n), "float32") for n in (4, 3, 2))
    theta, network = np.zeros(3), mlp((4, 2), np.random.default_rng(0))
    for optimizer in (SGD(), RMSProp(), Adam()):
        meet(lambda optimizer=optimizer: optimizer.step(theta, abroad(theta)))
        meet(lambda optimizer=optimizer: optimizer.step(abroad(theta), theta))
    meet(lambda: network.forward(abroad(x)))
    for join, rows in ((conditional.G_input, z), (conditional.D_input, x)):
        meet(lambda join=join, rows=rows: join(rows, abroad(c)))
        meet(lambda join=join, rows=rows: join(abroad(rows), c))
    for rows, noise in ((abroad(x), z), (x, abroad(z)), (abroad(x), abroad(z))):
        meet(lambda rows=rows, noise=noise: model.update(rows, noise))


def test_it_is_the_update_itself_that_refuses_before_any_pass(monkeypatch):
    model, passes = GAN(**SMALL), []
    monkeypatch.setattr(Network, "forward", lambda *_: passes.append(1))
    x, z = np.ones((5, 4), "float32"), np.ones((5, 3), "float32")
    for rows, noise in ((abroad(x), z), (x, abroad(z)), (abroad(x), abroad(z))):
        meet(lambda rows=rows, noise=noise: model.update(rows, noise))
    assert passes == []


# ---- the work that is not done ----


def test_a_gradient_does_not_compute_the_delta_of_the_input(monkeypatch):
    asked, dx = [], Dense.dx
    monkeypatch.setattr(Dense, "dx", lambda self, *a: asked.append(self.n) or dx(self, *a))
    network = mlp((3, 4, 5, 2), np.random.default_rng(0))
    trace = network.forward(np.ones((6, 3), "float32"))
    network.gradient(trace, trace[-1])
    assert asked == [5, 4]
    asked.clear()
    model = GAN(**SMALL)
    model.update(np.ones((7, 4), "float32"), np.ones((7, 3), "float32"))
    assert asked == [2, 5, 4, 6]  # D's deltas of both players, G's through D, G's own


# ---- one iteration ----


class Still:
    """An optimiser that moves nothing, past the first steps, when a WGAN takes a hundred."""

    t = 26

    def step(self, theta, dtheta):
        pass


@pytest.mark.parametrize("name", MODELS)
def test_an_iteration_takes_its_rows_and_gives_every_fake_its_condition(name):
    options = {"n_classes": 3} if name.startswith("c") else {}
    model, m, seen = MODELS[name](**SMALL, **options), 5, []
    if model.n_condition:
        labels = np.array([2, 0, 1, 1, 0])
        c = np.eye(3, dtype="float32")[labels]
    else:
        labels = c = None
    model.G_optimizer = model.D_optimizer = Still()
    D_update = model.D_update

    def watched(x, x_fake, c=None, *more):
        seen.append((x_fake.shape, c))
        return D_update(x, x_fake, c, *more)

    model.D_update = watched
    rows = iter([(np.full((m, 4), 0.5, "float32"), labels)] * 9)
    record = model.iteration(rows, np.random.default_rng(0))
    steps = 5 if "wgan" in name else 1
    assert len(list(rows)) == 9 - steps
    assert len(seen) == steps - 1
    assert {"loss_D", "loss_G"} <= record.keys()
    for shape, given in seen:
        assert shape == (m, 4)
        np.testing.assert_array_equal(given, c)


def test_further_fakes_of_a_critic_are_fresh_and_follow_the_condition():
    model = MODELS["cwgan"](**SMALL, n_classes=3, n_critic=2)
    labels, z = [np.array([0, 1, 2]), np.array([2, 2, 1])], []
    seen, forward = [], model.G.forward
    model.G_optimizer = model.D_optimizer = Still()
    noise = model.noise
    model.noise = lambda *args: z.append(noise(*args)) or z[-1]
    model.G.forward = lambda x: seen.append(x) or forward(x)
    fakes, D_update = [], model.D_update
    model.D_update = lambda x, x_fake, *more: fakes.append(x_fake) or D_update(x, x_fake, *more)
    rows = iter([(np.ones((3, 4), "float32"), given) for given in labels])
    model.iteration(rows, np.random.default_rng(0))
    assert (z[0] != z[1]).all()
    np.testing.assert_array_equal(fakes, [forward(seen[1])[-1]])
    for given, noise, condition in zip(seen, z, labels):
        np.testing.assert_array_equal(given, np.hstack([noise, np.eye(3)[condition]]))


@pytest.mark.parametrize("name", MODELS)
def test_the_plain_steps_report_what_the_update_reports(name):
    options = {"n_classes": 3} if name.startswith("c") else {}
    x, z = (np.random.default_rng(i).random((5, n)) for i, n in ((0, 4), (1, 3)))
    records = []
    for plain in (True, False):
        model = MODELS[name](**SMALL, **options, dtype="float64")
        c, rng = model.condition(np.array([0, 1, 2, 0, 1])), np.random.default_rng(2)
        if plain:
            record, x_fake = model.G_step(z, c)
            record |= model.D_step(x, x_fake, c, rng)
        else:
            record = model.update(x, z, c, rng)
        records.append({key: float(value) for key, value in record.items()})
    assert records[0] == pytest.approx(records[1], rel=1e-12)


# ---- arrays on their way in, samples on their way out ----


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
def test_noise_is_drawn_in_the_real_dtype_of_the_model(dtype):
    model, real = GAN(**SMALL, dtype=dtype), "float32" if dtype == "float32" else "float64"
    z = model.noise(7, np.random.default_rng(3))
    expected = np.random.default_rng(3).standard_normal((7, 3), real)
    assert z.dtype == dtype
    np.testing.assert_array_equal(z, expected)


def test_floats_take_the_models_dtype_and_whole_numbers_stay():
    model = GAN(**SMALL)
    floats, whole = np.ones(3), np.arange(3)
    assert model.asarray(floats).dtype == np.float32
    assert model.asarray(whole) is whole
    same = floats.astype("float32")
    assert model.asarray(same) is same


def test_samples_are_g_of_noise_from_the_seed():
    model = GAN(**SMALL)
    expected = model.generate(model.noise(6, np.random.default_rng(4)))
    np.testing.assert_array_equal(model.sample(6, seed=4), expected)
    np.testing.assert_array_equal(model.sample(6), model.sample(6, seed=0))
    assert (model.sample(6) != expected).any()


def test_conditional_samples_take_the_classes_in_turn_or_as_asked():
    model = CGAN(**SMALL, n_classes=3)
    z, eye = model.noise(5, np.random.default_rng(0)), np.eye(3, dtype="float32")
    in_turn = model.generate(z, eye[[0, 1, 2, 0, 1]])
    np.testing.assert_array_equal(model.sample(5), in_turn)
    np.testing.assert_array_equal(model.sample(5, labels=[0, 1, 2, 0, 1]), in_turn)
    np.testing.assert_array_equal(model.sample(labels=[0, 1, 2, 0, 1]), in_turn)
    assert model.sample().shape == (3, 4)
    np.testing.assert_array_equal(model.sample(5, labels=[0, 1, 2]), in_turn)
    np.testing.assert_array_equal(model.sample(5, labels=range(3)), in_turn)
    other = model.generate(model.noise(5, np.random.default_rng(9)), eye[[2] * 5])
    np.testing.assert_array_equal(model.sample(5, seed=9, labels=[2] * 5), other)


@pytest.mark.parametrize(
    ("n", "labels", "message"),
    [
        (None, [0.5], r"labels: expected whole numbers, got \[0.5\]"),
        (None, [[0, 1]], r"labels: expected whole numbers, got \[\[0, 1\]\]"),
        (None, [0, 3], "labels: expected 0 to 2, got 3"),
        (None, [-1, 2], "labels: expected 0 to 2, got -1"),
        (3, [], r"labels: expected whole numbers, got \[\]"),
    ],
)
def test_labels_that_cannot_be_drawn_are_refused(n, labels, message):
    with pytest.raises(DataError, match=f"^{message}$"):
        CGAN(**SMALL, n_classes=3).sample(n, labels=labels)


def test_labels_of_any_whole_dtype_are_drawn():
    model = CGAN(**SMALL, n_classes=3)
    for dtype in ("uint8", "int32", "int64"):
        labels = np.array([0, 2], dtype)
        np.testing.assert_array_equal(model.sample(labels=labels), model.sample(labels=[0, 2]))
