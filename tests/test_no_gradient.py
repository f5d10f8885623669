"""Chapter 9: what has no gradient does not move, bit for bit. RMSProp and Adam make a step of
full size of anything that is not exactly zero, so that rounding errors would do."""

import itertools
import json

import numpy as np
import pytest
from readers import Softplus, stack
from reference import network

from minigan import (
    CWGAN,
    WGAN,
    WGANGP,
    Dataset,
    Dense,
    MiniganError,
    TrainState,
    load_checkpoint,
    mlp,
    save_checkpoint,
    train,
)
from minigan.fast import FastNetwork, accelerate
from minigan.lab.models import MODELS
from minigan.layers import LeakyReLU
from minigan.network import Network

SIZES = [*range(1, 65), 100, 500]
WAYS = "plain", "one pass", "accelerated"
every_game = pytest.mark.parametrize("name", MODELS)


def small(name, **more):
    make = {"n_data": 3, "n_noise": 2, "G_hidden": (4,), "D_hidden": (4, 3), "slope": 0.0}
    classes = {"n_classes": 3} if name.startswith("c") else {}
    return MODELS[name](**make | classes | more)


def still(model):
    """{player: numbers of its θ that touch no loss}: a unit that never wakes, of each hidden
    layer, and whatever reads the class 2, which no row has."""
    found, n_classes = {}, model.n_condition
    for player in "GD":
        net = getattr(model, player)
        at, touched = 0, np.zeros(net.theta.size, bool)
        for l, (W, *b) in enumerate(params for params in net.params if params):
            mark = touched[at : at + W.size].reshape(W.shape)
            if l == 0 and n_classes:
                mark[-1] = True
            if l > 0:
                mark[0] = True  # what reads the sleeping unit
            at += W.size
            if l < sum(isinstance(layer, LeakyReLU) for layer in net.layers):
                W[:, 0] = b[0][0] = -0.01
                if l == 0 and player == "G":
                    b[0][0] = -1000  # the noise has both signs
                mark[:, 0] = touched[at] = True
            at += sum(each.size for each in b)
        found[player] = touched
    return found


def step(model, how, m, rng):
    """A step of both players on m rows of data in [0, 1], of the classes 0 and 1."""
    x = rng.random((m, 3), "float32")
    z, c = model.noise(m, rng), model.condition(rng.integers(0, 2, m))
    if how == "plain":
        record, x_fake = model.G_step(x, z, c)
        model.D_step(x, x_fake, c, rng)
    else:
        model.update(x, z, c, rng)
        model.D_update(x, model.generate(z, c), c, rng)


@every_game
@pytest.mark.parametrize("how", WAYS)
def test_what_has_no_gradient_does_not_move(name, how):
    model, rng = small(name), np.random.default_rng(0)
    sleeping = still(model)
    if how == "accelerated":
        accelerate(model)
        assert type(model.D) is FastNetwork
    before = {player: getattr(model, player).theta.copy() for player in "GD"}
    for m in SIZES:
        step(model, how, m, rng)
    for player, where in sleeping.items():
        theta = getattr(model, player).theta
        assert where.any()
        assert theta[where].tobytes() == before[player][where].tobytes(), player
        assert (theta[~where] != before[player][~where]).mean() > 0.4  # others may be clipped


@every_game
def test_what_that_test_takes_for_still_touches_no_loss(name):
    model, rng = small(name, dtype="float64"), np.random.default_rng(1)
    sleeping, losses = still(model), []
    x, z = rng.random((9, 3)), rng.standard_normal((9, 2))
    c = model.condition(rng.integers(0, 2, 9))
    for moved in (False, True):
        if moved:
            for player, where in sleeping.items():
                getattr(model, player).theta[where] -= 0.001 * rng.random(where.sum())
        fake = model.generate(z, c)
        s_real, s_fake = (model.D.forward(model.D_input(rows, c))[-1] for rows in (x, fake))
        penalty = model.penalty(x, fake, c, np.random.default_rng(0)) or (0.0,)
        losses.append(
            (model.G_loss(s_real, s_fake)[0], model.D_loss(s_real, s_fake)[0], penalty[0])
        )
    assert losses[0] == losses[1]


@every_game
def test_a_game_says_truly_whether_a_number_added_to_every_score_changes_its_loss(name):
    model, rng = small(name, dtype="float64"), np.random.default_rng(0)
    s_real, s_fake = rng.standard_normal((2, 8, 1))
    loss, ds_real, ds_fake = model.D_loss(s_real, s_fake)
    moved = model.D_loss(s_real + 0.5, s_fake + 0.5)[0]
    assert model.shift_invariant == (abs(moved - loss) < 1e-12)
    assert model.shift_invariant == (abs(ds_real.sum() + ds_fake.sum()) < 1e-12)
    last = model.D.layers[-1]
    assert last.bias is not model.shift_invariant
    assert model.D.params[-1][0].shape == (3, 1)
    assert len(model.D.params[-1]) == (1 if model.shift_invariant else 2)
    assert all(layer.bias for layer in model.G.layers if isinstance(layer, Dense))


class Biased(WGAN):
    """The critic as it was, with an output bias."""

    shift_invariant = False


def test_an_output_bias_would_drift_by_rounding_alone():
    """This is why the last layer has none."""
    model, rng = (
        Biased(n_data=3, n_noise=2, G_hidden=(), D_hidden=(4,)),
        np.random.default_rng(0),
    )
    assert model.D.theta[-1] == 0
    for _ in range(200):
        model.update(rng.random((10, 3), "float32"), model.noise(10, rng))
    assert abs(model.D.theta[-1]) > 1e-3


# ---- networks of the reader's own ----


@pytest.mark.parametrize("cls", [WGAN, WGANGP, CWGAN])
def test_an_output_bias_of_the_readers_own_is_refused_and_the_message_says_what_to_write(cls):
    n = 3 * (cls is CWGAN)
    make = {"n_classes": 3} if n else {}
    message = (
        rf"^D: a number added to every score leaves the loss of {cls.__name__} as it is, .*; "
        r"write Dense\(5, 1, bias=False\), and theta without its last number$"
    )
    D = mlp((4 + n, 5, 1), np.random.default_rng(0))
    with pytest.raises(MiniganError, match=message):
        cls(D=D, n_noise=2, **make)
    layers = [*D.layers[:-1], Dense(5, 1, bias=False)]  # as the message says
    model = cls(D=Network(layers, D.theta[:-1]), n_noise=2, **make)
    assert model.n_data == 4
    assert model.D.layers[-1].bias is False


def test_a_game_that_sees_a_shift_keeps_its_bias_and_may_do_without():
    D = mlp((4, 5, 1), np.random.default_rng(0), bias=False)
    assert MODELS["gan"](D=D, n_noise=2).D is D
    other = stack((4, 5, 1), lambda k: Softplus(), bias=True)
    assert MODELS["lsgan"](D=other, n_noise=2).D is other


# ---- Dense and mlp without a bias ----


def test_without_a_bias_dense_is_the_dense_layer_with_a_bias_of_zero(lib):
    rng = np.random.default_rng(0)
    x, W, dy, u = (
        lib.array(rng.standard_normal(shape), lib.dtypes[0])
        for shape in ((5, 4), (4, 3), (5, 3), (5, 4))
    )
    zero = lib.array(np.zeros(3), lib.dtypes[0])
    bare, full = Dense(4, 3, bias=False), Dense(4, 3)
    y = bare.forward(x, W)
    assert (bare.shapes, bare.bias, repr(bare)) == (
        ((4, 3),),
        False,
        "Dense(n=4, k=3, bias=False)",
    )
    assert (full.shapes, full.bias, repr(full)) == (((4, 3), (3,)), True, "Dense(n=4, k=3)")
    assert bool((y == full.forward(x, W, zero)).all() if lib.name == "numpy" else True)
    pairs = [
        (bare.dx(dy, x, y, W), full.dx(dy, x, y, W, zero)),
        (bare.tangent(u, x, y, W), full.tangent(u, x, y, W, zero)),
        (*bare.dparams(dy, x, y, W), full.dparams(dy, x, y, W, zero)[0]),
        (*bare.tangent_dparams(dy, u, x, y, W), full.tangent_dparams(dy, u, x, y, W, zero)[0]),
    ]
    for own, other in pairs:
        assert bool((own == other).__array__().all() if lib.name == "numpy" else True)


@pytest.mark.parametrize("wrong", [0, 1, None, "no", [True]])
def test_a_bias_is_there_or_not(wrong):
    with pytest.raises(MiniganError, match="^Dense: bias: expected True or False, got"):
        Dense(2, 3, wrong)


@pytest.mark.parametrize("output", ["linear", "sigmoid"])
@pytest.mark.parametrize("sizes", [(3, 1), (3, 4, 2), (3, 4, 5, 1)])
def test_an_mlps_last_dense_layer_alone_may_lack_its_bias(sizes, output):
    draw = {"output": output, "init": "glorot"}
    full, bare = (
        mlp(sizes, np.random.default_rng(2), bias=bias, **draw) for bias in (True, False)
    )
    dense = [layer for layer in bare.layers if isinstance(layer, Dense)]
    assert [layer.bias for layer in dense] == [True] * (len(dense) - 1) + [False]
    assert [type(layer) for layer in bare.layers] == [type(layer) for layer in full.layers]
    np.testing.assert_array_equal(bare.theta, full.theta[: -sizes[-1]])
    x = np.random.default_rng(0).standard_normal((6, 3)).astype("float32")
    expected = network(bare.theta.astype(float), sizes, x, 0.2, output, bias=False)
    np.testing.assert_allclose(bare.forward(x)[-1], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("biases", list(itertools.product([True, False], repeat=3)))
def test_the_quick_passes_are_the_plain_ones_whichever_layer_has_a_bias(biases):
    layers = []
    for n, k, bias in zip((3, 5, 4), (5, 4, 2), biases):
        layers += [Dense(n, k, bias), LeakyReLU()]
    layers.pop()
    size = sum(np.prod(shape) for layer in layers for shape in layer.shapes)
    theta = np.random.default_rng(0).standard_normal(size).astype("float32")
    x = np.random.default_rng(1).standard_normal((6, 3)).astype("float32")
    plain, quick = Network(layers, theta), Network(layers, theta)
    quick.__class__ = FastNetwork
    found = []
    for net in (plain, quick):
        trace = net.forward(x)
        deltas = net.deltas(trace, x[:, :2])
        found.append([*trace, *deltas, net.accumulate(trace, deltas, factors=x[:, :1])])
    for own, other in zip(*found, strict=True):
        assert own.tobytes() == other.tobytes()


# ---- older checkpoints ----


def written_before(path, model, version):
    """A checkpoint as the format `version` had it: D's last number is an output bias."""
    with np.load(path) as file:
        arrays = dict(file)
    for member in ("D_theta", *(name for name in arrays if name.startswith("D_optimizer_"))):
        if arrays[member].ndim:
            arrays[member] = np.append(arrays[member], np.float32(0.125))
    about = json.loads(str(arrays["about"]))
    about["format"] = version
    del about["penalty_rng"]
    if version == 1:
        del about["optimizers"]
        renamed = {"ema_decay": "average", "penalty_weight": "weight"}
        parameters = about["parameters"].items()
        about["parameters"] = {renamed.get(key, key): value for key, value in parameters}
    np.savez(path, **arrays | {"about": np.array(json.dumps(about))})
    return arrays["D_theta"]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("name", ["wgan", "wgan-gp", "cwgan", "cwgan-gp"])
@pytest.mark.parametrize("steps", [0, 2])
def test_an_older_critic_is_loaded_without_its_output_bias(tmp_path, name, version, steps):
    model, state, rng = small(name, n_critic=2, ema_decay=0.5), TrainState(), np.random
    model.critic_steps = lambda: 2
    x = rng.default_rng(0).random((30, 3)).astype("float32")
    data = Dataset(x / 2, np.arange(30) % 3)
    list(train(model, data, steps, 10, state=state))
    path = tmp_path / "c.npz"
    del model.critic_steps
    save_checkpoint(path, model, state)
    theta = written_before(path, model, version)
    found, went = load_checkpoint(path)
    np.testing.assert_array_equal(found.D.theta, theta[:-1])
    np.testing.assert_array_equal(found.D.theta, model.D.theta)
    for slot in found.D_optimizer.slots if steps else ():
        own, other = (getattr(each.D_optimizer, slot) for each in (found, model))
        np.testing.assert_array_equal(own, other)
    rows = found.D_input(data.x, found.condition(data.labels))
    widths = found.n_data + found.n_condition, *found.D_hidden, 1
    old = network(theta.astype(float), widths, rows.astype(float), 0.0)
    moved = found.D.forward(rows)[-1] - old
    np.testing.assert_allclose(moved, -0.125, atol=1e-6)  # one number for all scores
    records = list(train(found, data, steps + 2, 10, state=went))
    assert len(records) == 2


@pytest.mark.parametrize("name", ["gan", "lsgan"])
def test_an_older_discriminator_keeps_its_bias(tmp_path, name):
    model, path = small(name), tmp_path / "c.npz"
    model.D.theta[-1] = 0.5
    save_checkpoint(path, model, TrainState())
    with np.load(path) as file:
        arrays = dict(file)
    about = json.loads(str(arrays["about"])) | {"format": 2}
    np.savez(path, **arrays | {"about": np.array(json.dumps(about))})
    np.testing.assert_array_equal(load_checkpoint(path)[0].D.theta, model.D.theta)
