"""config.json and the games by name: each value's default, type and range, what is refused,
and what is noted when a run is changed."""

import json
from dataclasses import asdict, fields

import numpy as np
import pytest

import minigan
from minigan import CheckpointError, MiniganError, RunError
from minigan.lab import config as module
from minigan.lab.config import Config, is_shallow
from minigan.lab.models import (
    ABOUT,
    MODELS,
    RECIPES,
    build,
    checked,
    describe,
    model_class,
    modern,
    parameters_of,
    recipe,
)

POINTS = {"n_data": 2, "n_noise": 3, "G_hidden": [4], "D_hidden": [5], "output": "linear"}
DEFAULTS = {
    "model": "gan",
    "data": "mnist5k",
    "data_dir": None,
    "data_sha256": "",
    "size": (),
    "grey": None,
    "background": "white",
    "image_shape": (),
    "classes": (),
    "class_names": [],
    "seed": 0,
    "steps": 1,
    "batch_size": 64,
    "steps_per_film": 1,
    "history": [],
    "versions": {},
    "more": {},
}


LEFT_OUT = object()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "config.json"


def written(path, **changes):
    """A config.json with some values changed, or left out."""
    about = json.loads(Config(parameters=POINTS).to_json()) | changes
    path.write_text(json.dumps({k: v for k, v in about.items() if v is not LEFT_OUT}))
    return path


def refused(path, message):
    with pytest.raises(RunError) as caught:
        Config.read(path)
    assert str(caught.value).startswith(f"{path}: not a run's configuration (")
    assert message in str(caught.value)
    assert str(caught.value).endswith(")")


# ---- what a run holds ----


def test_what_is_not_said_is_the_default():
    config = Config()
    assert {k: v for k, v in vars(config).items() if k != "parameters"} == DEFAULTS
    assert config.parameters == {f.name: f.default for f in fields(minigan.GAN)}
    assert Config().history is not config.history


def test_every_value_is_kept(path):
    values = {
        "model": "cwgan-gp",
        "data": "/data/some where",
        "data_dir": "/data",
        "data_sha256": "abc",
        "size": (28,),
        "grey": True,
        "background": "black",
        "image_shape": (2, 3),
        "classes": (-5, 7, 9),
        "class_names": ["a", "é", ""],
        "seed": 4,
        "steps": 1000,
        "batch_size": 32,
        "steps_per_film": 500,
        "parameters": {f.name: f.default for f in fields(MODELS["cwgan-gp"])} | {"n_data": 6},
        "history": [{"step": 3, "lr": [0.1, 0.2]}],
        "versions": {"numpy": "2.0"},
        "more": {"note": "mine", "list": [1, {"a": None}]},
    }
    assert set(values) == {f.name for f in fields(Config)}
    config = Config(**values)
    assert vars(config) == values
    path.write_bytes(config.to_json())
    assert vars(Config.read(path)) == values


def test_the_file_is_json_that_a_person_can_edit():
    config = Config(more={"note": "mine"}, classes=(1, 2))
    text = config.to_json().decode()
    assert text.startswith('{\n  "model": "gan",\n  "data": "mnist5k",\n')
    assert text.endswith("}\n")
    about = json.loads(text)
    assert about["note"] == "mine"
    assert about["classes"] == [1, 2]
    assert set(about) == {*DEFAULTS, "parameters", "note"} - {"more"}


WHOLE = {"[1, 9e15]": (1, 9 * 10**15), "[0, 9e15]": (0, 9 * 10**15)}
RANGES = {"seed": "[0, 9e15]", "steps": "[1, 9e15]", "batch_size": "[1, 9e15]"}
RANGES["steps_per_film"] = "[1, 9e15]"


@pytest.mark.parametrize("name", RANGES)
def test_a_number_lies_in_its_range(path, name):
    low, high = WHOLE[RANGES[name]]
    for right in (low, high):
        assert getattr(Config.read(written(path, **{name: right})), name) == right
    for wrong in (low - 1, high + 1, 1.0, "1", None, True, [1], {}):
        refused(written(path, **{name: wrong}), f"{name}: ")


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("model", ["vae", "", "GAN", None, 3, ["gan"]]),
        ("data", [None, 3, [], {}]),
        ("data_dir", [3, [], {}]),
        ("data_sha256", [None, 3, []]),
        ("image_shape", [[1, 3], [2], [2, 1, 1], [0, 2], [2.0, 1], "21", 2, [-1, -2]]),
        ("size", [["a"], [0], "28", None]),
        ("grey", ["yes", 1, []]),
        ("background", ["grey", None, 0]),
        ("class_names", [[1], "cat", None, {}]),
        ("classes", [["a"], [0.5], [10**19], [-(10**19)], "1", [None]]),
        ("parameters", [None, 3, [], "x", {"layers": 3}, {"lr": -1}, {"G_hidden": [0]}]),
        ("history", [None, {}, "x", 3]),
        ("versions", [None, [], "x", 3]),
    ],
)
def test_a_value_of_another_type_or_beyond_its_range_is_refused(path, name, wrong):
    for value in wrong:
        refused(written(path, **{name: value}), "")
    if name not in ("parameters", "image_shape"):
        refused(written(path, **{name: wrong[-1]}), f"{name}: ")


def test_a_picture_has_the_columns_of_the_data(path):
    shape = Config.read(written(path, image_shape=[2, 1])).image_shape
    assert shape == (2, 1)
    points = POINTS | {"n_data": 18}
    assert Config.read(written(path, image_shape=[2, 3, 3], parameters=points)).image_shape == (
        *(2, 3, 3),
    )
    refused(written(path, image_shape=[3, 3, 2], parameters=points), "image_shape: ")
    refused(written(path, image_shape=[2, 2]), "image_shape: expected height and width of 2")


@pytest.mark.parametrize("name", ["model", "parameters"])
def test_a_file_without_a_model_and_its_parameters_is_none_of_ours(path, name):
    refused(written(path, **{name: LEFT_OUT}), "no model and parameters are in it")


@pytest.mark.parametrize("name", sorted({*DEFAULTS} - {"model", "more"}))
def test_what_is_left_out_is_the_default(path, name):
    assert getattr(Config.read(written(path, **{name: LEFT_OUT})), name) == DEFAULTS[name]


def test_points_have_no_shape_or_none_as_version_0_1_wrote_it(path):
    assert Config.read(written(path, image_shape=None)).image_shape == ()


def test_names_that_minigan_does_not_know_are_kept(path):
    config = Config.read(written(path, note=[1, 2], more={"inner": 1}))
    assert config.more == {"note": [1, 2], "more": {"inner": 1}}
    path.write_bytes(config.to_json())
    assert json.loads(path.read_text())["note"] == [1, 2]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"3", b'"model parameters"', b"\xff{}", b"null"]
)
def test_another_file_of_that_name_is_refused(path, content):
    path.write_bytes(content)
    refused(path, "")


def test_an_editors_mark_at_the_beginning_does_no_harm(path):
    path.write_bytes(b"\xef\xbb\xbf" + Config(seed=3).to_json())
    assert Config.read(path).seed == 3


def test_a_missing_or_enormous_file_is_refused(path, monkeypatch):
    with pytest.raises(RunError, match="^cannot read .*No such file"):
        Config.read(path)
    size = written(path).stat().st_size
    assert module.LARGEST >= 10**6
    monkeypatch.setattr(module, "LARGEST", size)
    Config.read(path)
    monkeypatch.setattr(module, "LARGEST", size - 1)
    with pytest.raises(RunError, match=f"expected at most {size - 1:,} bytes"):
        Config.read(path)


def nested(depth, inside=0):
    for i in range(depth):
        inside = [inside] if i % 2 else {"a": inside}
    return inside


def test_objects_may_be_nested_twenty_deep(path):
    assert is_shallow(nested(20))
    assert not is_shallow(nested(21))
    assert is_shallow([nested(19), 3, "x" * 100, None])
    assert not is_shallow([3, nested(20), 4])
    assert is_shallow(7)
    assert Config.read(written(path, note=nested(19))).more == {"note": nested(19)}
    refused(written(path, note=nested(20)), "it is nested too deeply")
    path.write_text('{"model": "gan", "parameters": ' + 10**5 * "[" + 10**5 * "]" + "}")
    refused(path, "")


def test_the_names_of_version_0_1_are_read(path):
    old = POINTS | {"average": 0.5, "weight": 3.0}
    config = Config.read(written(path, model="wgan-gp", parameters=old))
    assert config.parameters["ema_decay"] == 0.5
    assert config.parameters["penalty_weight"] == 3.0


# ---- changes ----


def test_a_change_is_noted_with_its_step_and_what_was_there():
    config = Config(steps=10, parameters=POINTS)
    lr = config.parameters["lr"]
    config.change(4, steps=20, lr=0.5)
    config.change(6, data="ring", lr=0.5, steps=20)
    config.change(7, steps=30)
    assert config.steps == 30
    assert config.parameters["lr"] == 0.5
    assert not hasattr(config, "lr")
    assert config.data == "ring"
    assert config.history == [
        {"step": 4, "steps": [10, 20]},
        {"step": 4, "lr": [lr, 0.5]},
        {"step": 6, "data": ["mnist5k", "ring"]},
        {"step": 7, "steps": [20, 30]},
    ]


# ---- the games by name ----

every_name = pytest.mark.parametrize("name", MODELS)


def test_each_game_has_a_name_a_recipe_and_a_sentence():
    assert {name: cls.__name__ for name, cls in MODELS.items()} == {
        "gan": "GAN",
        "cgan": "CGAN",
        "wgan": "WGAN",
        "wgan-gp": "WGANGP",
        "lsgan": "LSGAN",
        "cwgan": "CWGAN",
        "cwgan-gp": "CWGANGP",
        "clsgan": "CLSGAN",
        "r3gan": "R3GAN",
        "cr3gan": "CR3GAN",
    }
    assert set(RECIPES) == set(ABOUT) == set(MODELS)
    for name, own in RECIPES.items():
        assert (own["steps"] in range(4000, 14001), own["batch_size"]) == (True, 64)
        assert set(own) - {"steps", "batch_size"} <= set(parameters_of(name))
    for name in ("lsgan", "clsgan"):  # Pearson's χ², as the page derives it
        a, b, c = (RECIPES[name][target] for target in "abc")
        assert (b - c, b - a) == (1, 2)
    for name, text in ABOUT.items():
        assert text.startswith("a conditional " if name.startswith("c") else "a ")
        assert ("Wasserstein" in text) == ("wgan" in name)
        assert ("gradient penalty" in text) == name.endswith("-gp")
        assert ("weight clipping" in text) == name.endswith("wgan")
        assert ("least squares" in text) == name.endswith("lsgan")


@every_name
@pytest.mark.parametrize("data", ["ring", "grid"])
def test_points_have_a_recipe_of_their_own_a_conditional_game_that_of_its_game(name, data):
    found, plain = recipe(name, data), name.removeprefix("c")
    assert found == recipe(plain, data)
    assert {key: found[key] for key in ("n_noise", "slope", "lr_decay")} == {
        "n_noise": 2,
        "slope": 0.0,
        "lr_decay": True,
    }
    assert (found["G_hidden"], found["D_hidden"]) == ((128,) * 4, (128,) * 3)
    assert checked(name, {k: v for k, v in found.items() if k in parameters_of(name)})
    assert set(found) - {"steps", "batch_size"} <= set(parameters_of(plain))
    special = {
        "gan": {"steps": 20000, "batch_size": 512, "real_label": 1.0, "lr": 1e-3, "D_lr": 1e-3},
        "wgan": {"steps": 10000, "batch_size": 128, "clip": 0.1, "ema_decay": 0.0},
        "wgan-gp": {"steps": 15000, "penalty_weight": 0.3, "n_critic": 2, "lr": 2.5e-3},
        "lsgan": {"steps": 20000, "batch_size": 256, "lr": 1e-3, "D_lr": 1e-3},
        "r3gan": {"steps": 15000, "gamma": 0.015, "D_lr": 2.5e-3, "ema_decay": 0.999},
    }[plain]
    special |= {"steps": 25000} if data == "grid" else {}
    assert {key: found[key] for key in special} == special


def test_other_data_have_the_recipe_of_the_game():
    for name in MODELS:
        for data in ("mnist5k", "mnist", "/data/ring"):
            assert recipe(name, data) == RECIPES[name]


@every_name
def test_a_game_is_built_by_its_name_and_described_by_it(name):
    given = POINTS | {"lr": 0.25, "seed": 3}
    model = build(name, **given)
    assert type(model) is MODELS[name]
    assert (model.lr, model.seed, model.G_hidden, model.D_hidden) == (0.25, 3, (4,), (5,))
    described, parameters = describe(model)
    assert described == name
    assert parameters == checked(name, given) == asdict(MODELS[name](**given))
    assert list(parameters) == list(parameters_of(name))
    twin = build(described, **parameters)
    np.testing.assert_array_equal(twin.G.theta, model.G.theta)
    np.testing.assert_array_equal(twin.D.theta, model.D.theta)


@every_name
def test_parameters_that_are_not_given_are_the_games_own(name):
    assert checked(name, {}) == {f.name: f.default for f in fields(MODELS[name])}
    assert parameters_of(name) == {f.name: f for f in fields(MODELS[name])}


def test_nothing_is_built_to_check_parameters():
    assert checked("gan", {"n_data": 10**12})["n_data"] == 10**12
    assert checked("gan", {"G_hidden": np.array([3])})["G_hidden"] == (3,)


@pytest.mark.parametrize(
    "make", [lambda **p: build("wgan", **p), lambda **p: checked("wgan", p)]
)
def test_a_parameter_that_a_game_has_not_is_refused_by_name(make):
    message = "^wgan: no parameter 'real_label'; it has .*n_data, .*n_critic, clip$"
    with pytest.raises(MiniganError, match=message):
        make(n_data=2, real_label=0.5)
    with pytest.raises(MiniganError, match="^clip: expected a positive number, got 0"):
        make(clip=0)


@pytest.mark.parametrize("name", ["vae", "GAN", "", None, 3, ["gan"], {}])
def test_a_name_that_no_game_has_is_refused_and_those_that_exist_are_told(name):
    for call in (model_class, build, parameters_of, lambda name: checked(name, {})):
        with pytest.raises(MiniganError, match="^model: expected one of gan, cgan, .*, got "):
            call(name)


def test_old_names_become_todays_and_others_stay():
    old = {"average": 1, "weight": 2, "lr": 3}
    assert modern(old) == {"ema_decay": 1, "penalty_weight": 2, "lr": 3}
    assert modern({"ema_decay": 1}) == {"ema_decay": 1}
    for wrong in (None, [], "x", 3):
        with pytest.raises(MiniganError, match="^parameters: expected an object, got "):
            modern(wrong)


def test_a_game_of_the_readers_own_has_no_name():
    class Own(minigan.GAN):
        """A game of the reader's own."""

    for model in (Own(**POINTS), minigan.conditional(Own)(**POINTS)):
        with pytest.raises(CheckpointError, match="only the games of this library .*GAN, CGAN"):
            describe(model)
