"""Chapter 14: every game played by networks of convolutions."""

import json

import numpy as np
import pytest
from test_session import config_of

from minigan import MiniganError, to_numpy
from minigan.lab import cli, proofs
from minigan.lab.checkpoint import load_checkpoint, save_checkpoint
from minigan.lab.models import MODELS, build
from minigan.training import TrainState

every_game = pytest.mark.parametrize("name", MODELS)
PICTURES = {"network": "conv", "image_shape": (6, 7), "n_data": 42, "n_noise": 3, "channels": 2}
SMALL = ["--channels", "2", "--G-hidden", "--D-hidden", "--batch-size", "10", "--quiet"]


def shapes(image_shape, **options):
    """What the convolutions of D make of a picture, one after another."""
    n = int(np.prod(image_shape))
    model = build("gan", network="conv", image_shape=image_shape, n_data=n, **options)
    return [layer.smaller for layer in model.D.layers if hasattr(layer, "smaller")]


@pytest.mark.parametrize(
    ("image_shape", "made"),
    [
        ((28, 28), [(14, 14, 8), (7, 7, 16)]),
        ((32, 32, 3), [(16, 16, 8), (8, 8, 16), (4, 4, 32)]),
        ((27, 30), [(13, 15, 8), (6, 7, 16)]),
        ((64, 10), [(32, 5, 8)]),
        ((3, 2), [(1, 1, 8)]),
    ],
)
def test_eq50_a_picture_is_halved_while_it_has_eight_pixels_on_each_side(image_shape, made):
    assert shapes(image_shape) == made
    few = [(h, w, 3 * channels // 8) for h, w, channels in made]
    assert shapes(image_shape, channels=3) == few


def test_eq50_the_generators_convolutions_are_the_discriminators_transposed():
    model = build("cr3gan", network="conv", G_hidden=(64,), D_hidden=(), image_shape=(28, 28))
    assert list(map(repr, model.G.layers)) == [
        "Dense(n=110, k=64)",
        "LeakyReLU(slope=0.2)",
        "Dense(n=64, k=784)",
        "LeakyReLU(slope=0.2)",
        "ConvTranspose((7, 7, 16) to (14, 14, 8), kernel=4, stride=2, padding=1)",
        "LeakyReLU(slope=0.2)",
        "ConvTranspose((14, 14, 8) to (28, 28, 1), kernel=4, stride=2, padding=1)",
        "Sigmoid()",
    ]
    assert list(map(repr, model.D.layers)) == [
        "Conv((28, 28, 1) to (14, 14, 8), kernel=4, stride=2, padding=1, beside=10)",
        "LeakyReLU(slope=0.2)",
        "Conv((14, 14, 8) to (7, 7, 16), kernel=4, stride=2, padding=1)",
        "LeakyReLU(slope=0.2)",
        "Dense(n=784, k=1, bias=False)",
    ]


@pytest.mark.parametrize("player", "GD")
def test_eq14_eq49_a_layers_output_is_twice_as_large_as_its_input_whatever_it_is(player):
    """He's weights double the mean square, and ReLU halves it; near the border terms lack."""
    model = build("gan", network="conv", image_shape=(48, 48), n_data=48 * 48)
    network = getattr(model, player)
    for layer, params in zip(network.layers, network.params):
        if params:
            x = np.random.default_rng(0).standard_normal((40, layer.n), "float32")
            y = layer.forward(x, *params)
            if hasattr(layer, "patches"):
                sides = layer.larger if player == "G" else layer.smaller
                y = y.reshape(-1, *sides)[:, 2:-2, 2:-2]
            assert 1.4 < np.mean(y**2) < 2.8, layer


@every_game
@pytest.mark.parametrize("slope", [0.0, 0.2])
def test_eq19_eq20_eq21_eq21a_the_steps_of_every_game_are_proven(name, slope, monkeypatch):
    monkeypatch.setitem(proofs.GAMES, "one", (name, {"network": "conv", "slope": slope}))
    monkeypatch.setattr(proofs, "GAMES", {"one": proofs.GAMES["one"]})
    like = np.zeros(0)
    found = [*proofs.of_games((1, 3, (4, 5, 2)), "float64", like)]
    assert len(found) == 5
    for _, what, check in found:
        assert check.passed, (what, str(check))


@every_game
def test_a_game_of_pictures_is_saved_and_made_again(tmp_path, name):
    model = build(name, **PICTURES, G_hidden=(4,), D_hidden=(), seed=3)
    rng = np.random.default_rng(0)
    for player in "GD":
        network = getattr(model, player)
        network.theta[...] += 0.1 * rng.standard_normal(network.theta.shape, "float32")
    model.constrain()
    save_checkpoint(tmp_path / "c.npz", model, TrainState())
    found, _ = load_checkpoint(tmp_path / "c.npz")
    assert (found.network, found.image_shape, found.channels) == ("conv", (6, 7), 2)
    assert repr(found.D) == repr(model.D)
    np.testing.assert_array_equal(found.D.theta, model.D.theta)
    np.testing.assert_array_equal(found.sample(5, seed=1), model.sample(5, seed=1))


@pytest.mark.parametrize(
    "wrong",
    [{"image_shape": ()}, {"image_shape": (6, 6)}, {"image_shape": (42,)}, {"n_data": 41}],
)
def test_without_a_picture_of_that_size_there_are_no_such_networks(wrong):
    with pytest.raises(MiniganError, match="^network: conv is for pictures"):
        build("gan", **PICTURES | wrong)


def test_a_class_moves_the_score_and_gets_no_delta_of_x():
    model = build("cgan", **PICTURES, n_classes=3)
    x = np.random.default_rng(1).random((1, 42), "float32").repeat(3, 0)
    scores = model.D.forward(model.D_input(x, model.condition(np.arange(3))))[-1]
    assert len(set(to_numpy(scores).ravel().tolist())) == 3


def run(*words):
    return cli.main([*map(str, words)])


def test_a_run_of_pictures_is_resumed_sampled_and_evaluated(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run("train", "cgan", "--network", "conv", "--steps", 3, *SMALL) == 0
    folder = tmp_path / "runs" / "cgan-conv-mnist5k"
    about = config_of(folder)["parameters"]
    assert (about["network"], about["image_shape"], about["G_hidden"]) == ("conv", [28, 28], [])
    assert run("train", "cgan", "--network", "conv", "--resume", "--steps", 5, "--quiet") == 0
    assert run("train", "cgan", "--resume", "--steps", 6, "--quiet", "--out", folder) == 0
    assert run("train", "cgan", "--network", "mlp", "--resume", "--out", folder) == 2
    assert "was begun with network = conv, not mlp" in capsys.readouterr().err
    assert run("sample", folder, "--labels", 3, 1, "-o", "a.npz") == 0
    assert run("evaluate", folder, "--n", 20) == 0
    assert json.loads((folder / "metrics.json").read_text())["n"] == 20
    assert {"film.gif", "samples.png", "report.html"} <= {p.name for p in folder.iterdir()}
    model, state = load_checkpoint(folder / "checkpoint.npz")
    assert (state.step, model.n_condition) == (6, 10)


def test_going_on_gives_the_same_run_as_never_stopping(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ["r3gan", "--network", "conv", "--no-lr-decay", *SMALL]
    for steps, out in ((2, "a"), (4, "b")):
        assert run("train", *options, "--steps", steps, "--out", out) == 0
    assert run("train", "r3gan", "--resume", "--steps", 4, "--quiet", "--out", "a") == 0
    a, b = (load_checkpoint(f"{out}/checkpoint.npz")[0] for out in "ab")
    for player in "GD":
        one, two = (getattr(each, player).theta for each in (a, b))
        np.testing.assert_array_equal(one, two)


def test_points_have_no_pictures(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("train", "gan", "--network", "conv", "--data", "ring") == 2
    assert "rows of 2 numbers need an image_shape such as (28, 28) for 784, got none" in (
        capsys.readouterr().err
    )
    assert run("train", "gan", "--network", "cnn") == 2
    assert "network: expected one of mlp, conv, got 'cnn'" in capsys.readouterr().err
