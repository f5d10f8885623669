"""`minigan train`, in this process: each option reaches the run, a run that goes on is the run
that never stopped, and what may be changed on the way is kept with its history."""

import io
import json
import os
import re
import shlex
import shutil
import signal

import numpy as np
import pytest
from kill_runs import content

from minigan import DataError, Dataset, fast, load, load_checkpoint
from minigan.data import Batches
from minigan.lab import plots, session, streams
from minigan.lab import run as run_module
from minigan.lab.cli import main, parser
from minigan.lab.config import Config
from minigan.lab.log import read_log
from minigan.lab.models import FROM_DATA, MODELS, RECIPES, checked, parameters_of, recipe
from minigan.lab.run import Run
from minigan.lab.session import class_values, fingerprint, load_data, new_run
from minigan.training import TrainState, train
from minigan.wgan import WGAN, Wasserstein

TINY = ("--G-hidden", "4", "--D-hidden", "5", "--batch-size", "8", "--quiet")
RING = ("--data", "ring", *TINY)
every_model = pytest.mark.parametrize("name", MODELS)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """An empty folder; nothing is compiled, curves are quick, a young WGAN is as an old one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MINIGAN_BACKEND", raising=False)
    monkeypatch.setattr(fast, "njit", None)
    monkeypatch.setattr(plots, "losses_png", lambda log, guides: repr(log["loss_D"]).encode())
    monkeypatch.setattr(plots, "SIDE", 60)  # pixels of a picture of points
    monkeypatch.setattr(WGAN, "critic_steps", Wasserstein.critic_steps)
    return tmp_path


@pytest.fixture
def minigan(capsys):
    """Runs a command; returns (exit status, stdout, stderr)."""

    def command(*args):
        capsys.readouterr()
        status = main([*map(str, args)])
        return status, *capsys.readouterr()

    return command


@pytest.fixture
def ok(minigan):
    """Runs a quiet command that must succeed and say nothing on stderr; returns its stdout."""

    def command(*args):
        status, out, said = minigan(*args)
        assert (status, said) == (0, "")
        return out

    return command


@pytest.fixture
def refused(minigan):
    """Runs a command that must be refused with status 2 and one line."""

    def command(*args, says):
        status, out, said = minigan(*args)
        assert (status, out) == (2, ""), said
        assert said.startswith("minigan: ")
        assert said.count("\n") == 1
        assert says in said

    return command


PARSER = parser()


def options_of(*args):
    return vars(PARSER.parse_args([*map(str, args)]))


def config_of(folder):
    return json.loads((folder / "config.json").read_text())


def state_of(folder):
    return load_checkpoint(folder / "checkpoint.npz")


def arrays_of(folder):
    return content(folder)["checkpoint.npz"]


def steps_of(folder):
    return [int(row[0]) for row in read_log(folder / "metrics.csv")[1]]


def digits_folder(path, labels=(5, 7), n=20, seed=0):
    """A folder of IDX files: pictures of 2 by 3 pixels, with labels."""
    path.mkdir()
    rng = np.random.default_rng(seed)
    pixels, names = (
        rng.integers(0, 256, (n, 2, 3), "uint8"),
        np.resize(labels, n).astype("uint8"),
    )
    images = b"\0\0\10\3" + np.array([n, 2, 3], ">i4").tobytes() + pixels.tobytes()
    (path / "train-images-idx3-ubyte").write_bytes(images)
    classes = b"\0\0\10\1" + np.array([n], ">i4").tobytes() + names.tobytes()
    (path / "train-labels-idx1-ubyte").write_bytes(classes)
    return path


# ---- defaults and options ----


@every_model
def test_what_is_not_asked_for_is_the_recipe_the_data_and_the_game(name):
    """On the digits that come with minigan."""
    config, data, model = new_run(options_of("train", name))
    recipe = RECIPES[name]
    assert (config.steps, config.batch_size) == (recipe["steps"], recipe["batch_size"])
    assert (config.model, config.seed, config.data, config.data_dir) == (
        name,
        0,
        "mnist5k",
        None,
    )
    expected = {"n_data": 784, "output": "sigmoid"}
    if "n_classes" in parameters_of(name):
        expected |= {"n_classes": 10}
    expected |= {key: value for key, value in recipe.items() if key in parameters_of(name)}
    assert config.parameters == checked(name, expected)
    assert type(model) is MODELS[name]
    assert (config.image_shape, config.classes) == ((28, 28), ())
    assert config.data_sha256 == fingerprint(data) == fingerprint(load("mnist5k"))


@every_model
@pytest.mark.parametrize("kind", ["ring", "grid"])
def test_points_ask_for_their_own_recipe_a_linear_output_and_units_of_their_own(name, kind):
    config, data, _ = new_run(options_of("train", name, "--data", kind))
    usual = recipe(name, kind)
    expected = {key: value for key, value in usual.items() if key in parameters_of(name)}
    expected |= {"n_data": 2, "output": "linear"}
    expected |= {"shift": float(data.x.mean()), "scale": float(data.x.std())}
    if "n_classes" in parameters_of(name):
        expected |= {"n_classes": data.n_classes}
    assert config.parameters == checked(name, expected)
    assert (config.steps, config.batch_size) == (usual["steps"], usual["batch_size"])
    assert (config.image_shape, config.classes, config.data) == ((), (), kind)
    assert config.data_sha256 == fingerprint(data)


def another(field):
    """(what is typed, the value that it means), which is not the default."""
    default, within = field.default, field.metadata["within"]
    flag = "--" + field.name.replace("_", "-")
    if isinstance(default, bool):
        return [flag.replace("--", "--no-") if default else flag], not default
    if isinstance(default, tuple):
        return [flag, "3", "4"], (3, 4)
    if isinstance(default, str):
        value = next(word for word in reversed([*within]) if word != default)
        return [flag, value], value
    value = default / 2 if default and isinstance(default, float) else default + 1
    value = 0.5 if default == 0.0 and isinstance(default, float) else value
    return [flag, str(value)], value


@every_model
def test_every_parameter_is_an_option_that_reaches_the_model(name, capsys):
    usual = new_run(options_of("train", name, "--data", "ring"))[0].parameters
    for field in parameters_of(name).values():
        if field.name in (*FROM_DATA, "seed", "backend", "network"):  # "conv": test_dcgan.py
            continue
        typed, value = another(field)
        config, _, model = new_run(options_of("train", name, "--data", "ring", *typed))
        assert config.parameters[field.name] == getattr(model, field.name) == value
        assert value != field.default
        assert isinstance(value, bool) or value != usual[field.name]
    with pytest.raises(SystemExit):
        PARSER.parse_args(["train", name, "--help"])
    text = " ".join(capsys.readouterr().out.split())
    for field in parameters_of(name).values():
        flag = "--" + field.name.replace("_", "-")
        default = RECIPES[name].get(field.name, field.default)
        there = f"{flag} " in text or f"{flag}, --no-" in text
        assert there == (field.name not in FROM_DATA), flag
        if isinstance(default, tuple):
            default = " ".join(map(str, default))
        if field.name not in (*FROM_DATA, "seed", "backend") and not isinstance(default, bool):
            about = text[text.rindex(f"{flag} ") :]
            assert f"(default {default})" in about.split(" --")[0]


def test_what_a_recipe_has_on_can_be_put_off():
    for more, decay in ([], True), (["--no-lr-decay"], False), (["--lr-decay"], True):
        config, _, model = new_run(options_of("train", "gan", "--data", "ring", *more))
        assert config.parameters["lr_decay"] is model.lr_decay is decay


def test_a_network_may_have_no_hidden_layers():
    _, _, model = new_run(options_of("train", "gan", "--data", "ring", "--G-hidden"))
    assert model.G_hidden == ()


def test_the_options_of_a_run_reach_it(ok, place):
    run = ["--steps", 2, "--batch-size", 7, "--seed", 5, "--backend", "numpy", "--out", "there"]
    ok("train", "gan", *RING, *run, "--data-dir", "some")
    config = config_of(place / "there")
    found = {key: config[key] for key in ("steps", "batch_size", "seed", "data", "data_dir")}
    assert found == {
        "steps": 2,
        "batch_size": 7,
        "seed": 5,
        "data": "ring",
        "data_dir": str(place / "some"),
    }
    model, state = state_of(place / "there")
    assert (state.step, state.rows, state.seed) == (2, 14, 5)
    assert (config["parameters"]["seed"], model.seed) == (5, 5)
    assert config["parameters"]["backend"] == "numpy"


def test_options_that_are_cut_short_are_not_guessed(minigan):
    status, out, said = minigan("train", "gan", "--step", 3)
    assert (status, out) == (2, "")
    assert "unrecognized arguments: --step 3" in said


# ---- a run that begins ----


def test_the_same_seed_is_the_same_run_and_another_is_another_in_every_place(ok, place):
    for folder, seed in (("one", 3), ("two", 3), ("other", 4)):
        ok("train", "gan", *RING, "--steps", 2, "--seed", seed, "--out", folder)
    one, two, other = (content(place / folder) for folder in ("one", "two", "other"))
    assert one == two
    for name in ("frames/00000000.png", "frames/00000002.png", "metrics.csv"):
        assert one[name] != other[name]
    for name in ("G_theta", "D_theta"):
        assert one["checkpoint.npz"][name] != other["checkpoint.npz"][name]


def test_the_seed_names_the_weights_the_noise_and_the_order_of_the_rows(ok, place, monkeypatch):
    ok("train", "gan", *RING, "--steps", 3, "--seed", 3, "--out", "run")
    config, data, model = new_run(options_of("train", "gan", *RING, "--seed", 3))
    assert model.seed == config.seed == 3
    list(train(model, data, 3, 8, state=TrainState(3)))
    found, _ = state_of(place / "run")
    np.testing.assert_array_equal(found.G.theta, model.G.theta)
    other, batches = TrainState(4), Batches(data, 8, 4)
    assert (next(batches)[0] != next(Batches(data, 8, 3))[0]).any()
    assert (model.noise(4, other.rng) != model.noise(4, TrainState(3).rng)).all()


LOUD = [option for option in RING if option != "--quiet"]


def test_a_quiet_run_says_nothing_and_another_says_on_stdout_where_to_look(minigan):
    train = ["train", "gan", *LOUD, "--steps", 2]
    assert minigan(*train, "--quiet") == (0, "", "")
    look = "open a b/report.html, or samples.png, film.gif and losses.png\n"
    assert minigan(*train, "--out", "a b") == (0, look, "")


class Terminal(io.StringIO):
    """A stream on which a progress bar is drawn."""

    def isatty(self):
        return True


def test_a_terminal_is_shown_a_bar_with_what_tells_most_unless_it_is_to_be_quiet(
    minigan, monkeypatch
):
    monkeypatch.setattr("tqdm.tqdm.monitor_interval", 0)  # no thread is left behind
    for quiet in ([], ["--quiet"]):
        screen = Terminal()
        monkeypatch.setattr("sys.stderr", screen)
        train = ["train", "gan", *LOUD, *quiet, "--steps", 3, "--out", f"run{len(quiet)}"]
        assert minigan(*train)[0] == 0
        said = screen.getvalue()
        if quiet:
            assert said == ""
        else:
            last = said.rstrip().rpartition("\r")[2]
            assert "3/3 [" in last
            assert re.search(r" left, D\(x\)=0\.\d\d, D\(G\(z\)\)=0\.\d\d\]$", last)
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    minigan("train", "gan", "--resume", "--out", "run0", "--steps", 5)
    assert "| 3/5 [" in screen.getvalue()
    assert "| 5/5 [" in screen.getvalue()


def test_a_line_beside_a_bar_does_not_tear_it(monkeypatch):
    monkeypatch.setattr("tqdm.tqdm.monitor_interval", 0)
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    bar = streams.progress(range(3), disable=False, mininterval=0)
    next(iter(bar))
    streams.say_beside_bar("step 1: class 3 came back")
    bar.close()
    line = next(text for text in screen.getvalue().split("\n") if "came back" in text)
    assert line.rpartition("\r")[2] == "step 1: class 3 came back"
    monkeypatch.setattr("sys.stderr", None)
    streams.say_beside_bar("nobody reads this")


@pytest.mark.parametrize(
    ("record", "shown"),
    [
        ({"loss_D": 1.0, "D(x)": 0.456, "D(G(z))": 0.1, "loss_G": 2}, ["D(x)", "D(G(z))"]),
        ({"loss_D": 1.0, "loss_G": 2.0, "w_estimate": 0.4, "penalty": 1.0}, ["w_estimate"]),
        ({"loss_D": 1.0, "loss_G": 2.0}, ["loss_D", "loss_G"]),
        ({"a": 1.0, "b": 2.0, "c": 3.0}, ["a", "b"]),
    ],
)
def test_a_bar_shows_the_one_or_two_numbers_that_tell_most(record, shown):
    found = session.telling({"step": 7} | record)
    assert found == {name: f"{record[name]:.2f}" for name in shown}


@pytest.mark.parametrize("data", ["ring", "mnist5k"])
def test_a_run_has_a_folder_of_its_models_and_its_datas_name(ok, place, data):
    ok("train", "lsgan", "--data", data, *TINY, "--steps", 1)
    folder = place / "runs" / f"lsgan-{data}"
    assert set(os.listdir(place / "runs")) == {folder.name}
    assert set(os.listdir(folder)) == {
        *("config.json", "metrics.csv", "checkpoint.npz", "frames", ".lock"),
        *("samples.png", "losses.png", "film.gif", "report.html", "classes.json"),
    }


def test_digits_of_ones_own_keep_their_place_their_shape_and_the_values_of_their_labels(
    ok, place
):
    folder = digits_folder(place / "mine")
    ok("train", "cgan", "--data", "mine", *TINY, "--steps", 1, "--out", "run")
    config = config_of(place / "run")
    assert (config["data"], config["image_shape"]) == (str(folder), [2, 3])
    assert config["classes"] == [5, 7]
    parameters = config["parameters"]
    assert (parameters["n_classes"], parameters["n_data"]) == (2, 6)
    assert (parameters["output"], parameters["n_noise"]) == ("sigmoid", 100)


def test_the_model_is_saved_when_a_frame_is_due_and_at_the_end(ok, place, monkeypatch):
    monkeypatch.setattr(run_module, "FRAMES", 2)
    saved, save = [], Run.save

    def counted(self, model, state, data):
        saved.append(state.step)
        save(self, model, state, data)

    monkeypatch.setattr(Run, "save", counted)
    ok("train", "gan", *RING, "--steps", 7, "--out", "run")
    assert saved == [0, 3, 6, 7]
    assert sorted(os.listdir(place / "run/frames")) == [f"{i:08d}.png" for i in saved]
    assert steps_of(place / "run") == [1, 2, 3, 4, 5, 6, 7]


def test_a_run_is_replaced_only_if_that_is_asked(ok, refused, place):
    train = ["train", "gan", *RING, "--steps", 1]
    ok(*train, "--seed", 1)
    refused(*train, "--seed", 2, says="runs/gan-ring holds a run already; --resume")
    assert config_of(place / "runs/gan-ring")["seed"] == 1
    ok(*train, "--seed", 2, "--overwrite")
    assert config_of(place / "runs/gan-ring")["seed"] == 2
    refused(
        *train, "--overwrite", "--resume", says="--resume and --overwrite exclude each other"
    )


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--batch-size", "9" * 9], "batch_size"),
        (["--batch-size", "0"], "batch_size"),
        (["--seed", "-1"], "seed: must be at least 0, got -1"),
        (["--lr", "-1"], "lr: expected a positive number, got -1"),
        (["--n-noise", "0"], "n_noise: must be at least 1, got 0"),
        (["--n-noise", "9" * 10], "GB of memory"),
        (["--out", "/proc/new"], "cannot make the run folder /proc/new: "),
        (["--n-classes", "7"], "has 7 classes"),
        (["--steps", "0"], "steps: must be at least 1, got 0"),
        (["--data", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_trained_makes_no_folder(refused, place, more, says):
    refused("train", "cgan", *RING, *more, says=says)
    assert os.listdir(place) == []


# ---- a run that goes on ----


def files_of(folder):
    """What the folder holds, but for config.json, whose history differs, and its report."""
    files = content(folder)
    del files["config.json"], files["report.html"]
    return files


AVERAGED = ["--ema-decay", 0.9, "--dtype", "float64"]


@pytest.mark.parametrize(
    ("name", "more"), [*((name, []) for name in MODELS), ("gan", AVERAGED), ("cwgan", AVERAGED)]
)
def test_a_run_that_goes_on_is_the_run_never_stopped_in_every_file(ok, place, name, more):
    """With rates that stay: those that fall depend on how many steps there are in all."""
    n_critic = ["--n-critic", 2] if "wgan" in name else []
    options = [*RING, "--no-lr-decay", *more, *n_critic]
    ok("train", name, *options, "--steps", 5, "--out", "once")
    ok("train", name, *options, "--steps", 1, "--out", "parts")
    for steps in (3, 5):
        ok("train", name, "--resume", "--steps", steps, "--out", "parts", "--quiet")
    assert files_of(place / "parts") == files_of(place / "once")
    (_, state), config = state_of(place / "parts"), config_of(place / "parts")
    assert (state.step, config["steps"], config["steps_per_film"]) == (5, 5, 1)
    assert config["history"] == [{"step": 1, "steps": [1, 3]}, {"step": 3, "steps": [3, 5]}]
    seconds = [float(row[1]) for row in read_log(place / "parts/metrics.csv")[1]]
    assert seconds == sorted(seconds)
    assert steps_of(place / "parts") == [1, 2, 3, 4, 5]


@pytest.fixture
def begun(ok, place):
    """A run of two steps."""
    ok("train", "gan", *RING, "--steps", 2, "--out", "run")
    return place / "run"


RESUME = ("train", "gan", "--resume", "--quiet", "--out", "run")


def test_the_folder_of_a_run_that_goes_on_is_the_default_one_too(ok, place):
    ok("train", "gan", *RING, "--steps", 1)
    assert ok("train", "gan", "--data", "ring", "--resume", "--steps", 3, "--quiet") == ""
    assert state_of(place / "runs/gan-ring")[1].step == 3


def test_the_film_and_the_log_keep_the_pace_that_the_run_began_with(ok, place, monkeypatch):
    monkeypatch.setattr(run_module, "FRAMES", 2)
    monkeypatch.setattr(run_module, "LINES", 2)
    ok("train", "gan", *RING, "--steps", 4, "--out", "run")
    assert steps_of(place / "run") == [1, 2, 4]
    ok(*RESUME, "--steps", 9)
    drawn = [0, 2, 4, 6, 8, 9]
    assert sorted(os.listdir(place / "run/frames")) == [f"{i:08d}.png" for i in drawn]
    assert steps_of(place / "run") == [1, 2, 4, 6, 8, 9]


@pytest.mark.parametrize("name", ["gan", "cwgan-gp", "r3gan"])
def test_a_killed_run_goes_on_from_its_checkpoint_and_forgets_what_came_after(
    ok, place, monkeypatch, name
):
    save = Run.save

    def kept(self, model, state, data):
        save(self, model, state, data)
        shutil.copy(self.checkpoint, place / f"{state.step}.npz")

    monkeypatch.setattr(Run, "save", kept)
    ok("train", name, *RING, "--steps", 6, "--out", "run")
    once = content(place / "run")
    for step in (0, 3, 5):
        shutil.copy(place / f"{step}.npz", place / "run/checkpoint.npz")
        ok("train", name, *RESUME[2:])
        assert content(place / "run") == once


def test_without_steps_a_run_goes_on_to_the_last_that_was_asked_for(ok, begun):
    config = config_of(begun) | {"steps": 4}
    (begun / "config.json").write_text(json.dumps(config))
    assert ok(*RESUME) == ""
    assert state_of(begun)[1].step == 4
    assert config_of(begun)["history"] == []


@pytest.mark.parametrize("steps", [[], ["--steps", 2], ["--steps", 1]])
def test_a_run_that_has_ended_is_made_whole_and_says_so(ok, begun, steps):
    before = content(begun)
    for name in ("film.gif", "samples.png", "frames/00000002.png"):
        (begun / name).unlink()
    out = ok(*RESUME, *steps)
    assert out == "run is already at step 2; --steps with a larger N goes on\n"
    assert content(begun) == before


def test_a_frame_that_a_kill_left_undrawn_is_drawn_when_the_run_goes_on(ok, begun):
    frame = begun / "frames" / "00000002.png"
    drawn = frame.read_bytes()
    frame.unlink()
    ok(*RESUME, "--steps", 3)
    assert frame.read_bytes() == drawn


def test_the_backend_is_the_runs_unless_another_is_named(ok, place, monkeypatch):
    asked, load_run = [], Run.load
    monkeypatch.setattr(
        Run, "load", lambda self, backend: asked.append(backend) or load_run(self, backend)
    )
    ok("train", "gan", *RING, "--steps", 1, "--out", "run")
    for more in ([], ["--backend", "numpy"]):
        ok(*RESUME, *more)
    ok("train", "gan", *RING, "--steps", 1, "--out", "other", "--backend", "numpy")
    for more in ([], ["--backend", "numpy"]):
        ok(*RESUME[:-1], "other", *more)
    assert asked == [None, "numpy", "numpy", "numpy"]


def test_the_data_of_a_run_that_goes_on_are_looked_for_where_it_is_told(ok, begun, monkeypatch):
    asked = []
    monkeypatch.setattr(
        session, "load_data", lambda *args: asked.append(args[1:]) or load_data(*args)
    )
    for more in ([], ["--data", "ring"], ["--data-dir", "digits"]):
        ok(*RESUME, *more)
    assert asked == [(None, None), ("ring", None), (None, "digits")]


RATES = [("--lr", "lr", "G"), ("--D-lr", "D_lr", "D")]


@pytest.mark.parametrize(("flag", "name", "player"), RATES)
def test_a_rate_may_be_changed_and_is_kept_with_its_history(ok, begun, flag, name, player):
    before = config_of(begun)["parameters"][name]
    model, state = state_of(begun)
    setattr(model, name, 0.25)
    getattr(model, f"{player}_optimizer").lr = 0.25
    list(train(model, load("ring"), 4, 8, state=state))
    ok(*RESUME, "--steps", 4, flag, 0.25)
    found, _ = state_of(begun)
    np.testing.assert_array_equal(found.G.theta, model.G.theta)
    np.testing.assert_array_equal(found.D.theta, model.D.theta)
    config = config_of(begun)
    assert config["parameters"][name] == getattr(found, name) == 0.25
    assert getattr(found, f"{player}_optimizer").lr == 0.25
    assert config["history"] == [
        {"step": 2, name: [before, 0.25]},
        {"step": 2, "steps": [2, 4]},
    ]
    ok(*RESUME, "--steps", 5)
    again, _ = state_of(begun)
    rates = again.G_optimizer.lr, again.D_optimizer.lr
    assert rates == (again.lr, again.D_lr) == (found.lr, found.D_lr)


def test_rates_that_were_edited_in_the_file_are_taken(ok, begun):
    config = config_of(begun)
    config["parameters"] |= {"lr": 0.5, "D_lr": 0.125}
    (begun / "config.json").write_text(json.dumps(config))
    ok(*RESUME, "--steps", 3)
    model, _ = state_of(begun)
    assert (model.lr, model.G_optimizer.lr) == (0.5, 0.5)
    assert (model.D_lr, model.D_optimizer.lr) == (0.125, 0.125)


@pytest.mark.parametrize(
    "same",
    [
        ["--batch-size", 8],
        ["--seed", 0],
        ["--slope", 0.0],
        ["--G-hidden", 4],
        ["--dtype", "float32"],
        ["--backend", "numpy"],
        ["--data", "ring"],
    ],
)
def test_what_the_run_was_begun_with_may_be_said_again(ok, begun, same):
    ok(*RESUME, "--steps", 3, *same)
    assert config_of(begun)["history"] == [{"step": 2, "steps": [2, 3]}]
    assert state_of(begun)[1].step == 3


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (["--batch-size", 9], "run was begun with batch_size = 8, not 9; resume without"),
        (["--seed", 1], "run was begun with seed = 0, not 1"),
        (["--slope", 0.5], "run was begun with slope = 0.0, not 0.5"),
        (["--G-hidden", 4, 4], "run was begun with G_hidden = (4,), not (4, 4)"),
        (["--D-hidden"], "run was begun with D_hidden = (5,), not ()"),
        (["--dtype", "float64"], "run was begun with dtype = float32, not float64"),
        (["--minimax"], "run was begun with minimax = False, not True"),
        (["--n-noise", 3], "run was begun with n_noise = 2, not 3"),
        (["--lr", -1], "lr: expected a positive number, got -1"),
        (["--D-lr", 0], "lr: expected a positive number, got 0"),
        (["--steps", -1], "steps: must be at least"),
        (["--data", "grid"], "data: grid does not hold the rows that the run was begun with"),
        (["--data", "nowhere"], "nowhere"),
        (["--out", "none"], "none: no run of minigan is here; without --resume one begins"),
    ],
)
def test_another_option_is_refused_and_changes_nothing(refused, begun, other, says):
    before = content(begun)
    refused(*RESUME, "--steps", 3, *other, says=says)
    assert content(begun) == before


def test_a_run_of_another_game_names_the_command_that_goes_on_with_it(refused, begun):
    says = (
        "run holds a gan run, not a wgan run; go on with: minigan train gan --resume --out run"
    )
    refused("train", "wgan", "--resume", "--out", "run", says=says)


def test_data_that_moved_are_named_and_noted(ok, refused, place):
    folder = digits_folder(place / "mine")
    ok("train", "gan", "--data", "mine", *TINY, "--steps", 1, "--out", "run")
    folder.rename(place / "moved")
    refused(*RESUME, "--steps", 2, says="mine")
    digits_folder(place / "other", seed=1)
    refused(*RESUME, "--steps", 2, "--data", "other", says="does not hold the rows")
    ok(*RESUME, "--steps", 2, "--data", "moved", "--data-dir", "digits")
    config = config_of(place / "run")
    moved, digits = str(place / "moved"), str(place / "digits")
    assert (config["data"], config["data_dir"]) == (moved, digits)
    assert config["history"] == [
        {"step": 1, "data": [str(folder), moved]},
        {"step": 1, "data_dir": [None, digits]},
        {"step": 1, "steps": [1, 2]},
    ]
    ok(*RESUME, "--steps", 3)
    assert state_of(place / "run")[1].step == 3


# ---- a run that is stopped ----


@pytest.mark.parametrize(
    ("name", "folder"), [("SIGINT", "run"), ("SIGTERM", "a run"), ("SIGHUP", "-run")]
)
def test_a_signal_saves_the_run_and_says_how_to_go_on(
    minigan, place, monkeypatch, name, folder
):
    if not hasattr(signal, name):
        pytest.skip(f"no {name} here")
    number, log = getattr(signal, name), Run.log

    def third(self, record):
        if record["step"] in (3, 5):
            os.kill(os.getpid(), number)
        return log(self, record)

    before = signal.getsignal(number)
    monkeypatch.setattr(run_module, "FRAMES", 1)  # nothing is due at the third step
    monkeypatch.setattr(Run, "log", third)
    status, out, said = minigan("train", "gan", *RING, "--steps", 99, f"--out={folder}")
    assert (status, out) == (128 + number, "")
    assert signal.getsignal(number) == before
    begin, _, command = said.partition("go on with: ")
    assert begin == "\nstopped and saved at step 3; "
    assert state_of(place / folder)[1].step == 3
    assert steps_of(place / folder) == [1, 2, 3]
    assert (place / folder / "film.gif").exists()
    program, *args = shlex.split(command)
    assert program == "minigan"
    assert minigan(*args, "--steps", 4, "--quiet") == (0, "", "")
    assert state_of(place / folder)[1].step == 4
    status, out, said = minigan(*args, "--steps", 99, "--quiet")
    assert (status, out) == (128 + number, "")
    assert said.startswith("\nstopped and saved at step 5; go on with: minigan train gan")
    assert state_of(place / folder)[1].step == 5


def test_a_run_that_diverges_says_where_the_last_good_state_is(minigan, place, monkeypatch):
    monkeypatch.setattr(run_module, "FRAMES", 1)
    rates = ["--lr", "1e30", "--D-lr", "1e30"]
    status, out, said = minigan("train", "gan", *RING, *rates, "--steps", 99, "--out", "run")
    assert (status, out) == (2, "")
    assert said.startswith("minigan: step ")
    assert said.endswith(
        "; the last good state is in run/checkpoint.npz: go on from it with smaller rates by "
        "minigan train gan --resume --out run --lr LR --D-lr LR\n"
    )
    assert state_of(place / "run")[1].step == 0
    assert minigan(*RESUME, "--steps", 3, "--lr", 1e-3, "--D-lr", 1e-3) == (0, "", "")


# ---- the data of a run ----


def test_a_few_rows_and_labels_are_known_by_a_name():
    x, labels = np.arange(12.0).reshape(6, 2), np.arange(6) % 3
    data = Dataset(x, labels)
    name = fingerprint(data)
    assert name == fingerprint(Dataset(x.copy(), labels.copy()))
    assert len(name) == 64
    others = [Dataset(x), Dataset(x, labels[::-1].copy()), Dataset(x.reshape(4, 3))]
    others += [Dataset(x[:5], labels[:5])]
    for i in range(6):
        changed = x.copy()
        changed[i, 1] += 1
        others.append(Dataset(changed, labels))
        changed = labels.copy()
        changed[i] = (changed[i] + 1) % 3
        others.append(Dataset(x, changed))
    assert len({name, *map(fingerprint, others)}) == 1 + len(others)


@pytest.mark.parametrize(("n", "every"), [(999, 1), (1999, 1), (2000, 2), (3500, 3)])
def test_of_many_rows_about_a_thousand_are_looked_at(n, every):
    x = np.zeros((n, 1))
    name, noticed = fingerprint(Dataset(x)), []
    for i in range(7):
        x[i] = 1
        noticed += [i] if fingerprint(Dataset(x)) != name else []
        x[i] = 0
    assert noticed == list(range(0, 7, every))


def test_only_labels_that_are_not_numbered_from_0_are_kept():
    x = np.zeros((6, 1))
    assert class_values(Dataset(x)) == ()
    assert class_values(Dataset(x, np.arange(6) % 3)) == ()
    assert class_values(Dataset(x, [5, 7, 5, 7, 9, 9])) == (5, 7, 9)
    assert class_values(Dataset(x, [1, 2, 1, 2, 1, 2])) == (1, 2)


def test_the_data_of_a_run_are_looked_for_where_it_says_or_where_they_are_now(place):
    folder = digits_folder(place / "mine")
    data = load(str(folder))
    config = Config(data=str(folder), data_sha256=fingerprint(data))
    np.testing.assert_array_equal(load_data(config).x, data.x)
    shutil.copytree(folder, place / "moved")
    np.testing.assert_array_equal(load_data(config, str(place / "moved")).x, data.x)
    other = digits_folder(place / "other", seed=1)
    with pytest.raises(DataError, match=f"^data: {other} does not hold the rows"):
        load_data(config, str(other))
    config.data_sha256 = "0" * 64
    with pytest.raises(DataError, match=f"^data: {folder} does not hold the rows"):
        load_data(config)
    config.data_sha256 = ""  # of a run that was begun without one
    np.testing.assert_array_equal(load_data(config).x, data.x)


def test_the_place_of_the_full_mnist_is_passed_on(monkeypatch):
    asked = []
    data = Dataset(np.ones((3, 2)))
    loader = "minigan.lab.loaders.load"
    monkeypatch.setattr(loader, lambda *args, **_: asked.append(args) or data)
    config = Config(data="mnist5k", data_dir="/kept")
    load_data(config)
    load_data(config, None, "/given")
    load_data(config, "mnist")
    assert asked == [("mnist5k", "/kept"), ("mnist5k", "/given"), ("mnist", "/kept")]
