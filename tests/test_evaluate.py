"""`minigan evaluate`: each kind of run gets the measures that suit it, beside a control."""

import dataclasses
import json
import struct
from pathlib import Path

import numpy as np
import pytest

from minigan.data import Dataset
from minigan.errors import DataError, DivergedError, RunError
from minigan.lab import evaluate, metrics
from minigan.lab.classifier import Classifier
from minigan.lab.cli import main
from minigan.lab.loaders import Source, grid, grid_modes, load, ring
from minigan.lab.models import build

TINY = ["--G-hidden", "8", "--D-hidden", "8", "--n-noise", "4", "--batch-size", "16"]
NOWHERE = "/nonexistent"


@pytest.fixture(autouse=True)
def quick(tmp_path, monkeypatch):
    """A classifier trained for a moment, and no cache but this test's."""
    monkeypatch.setenv("MINIGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MINIGAN_DATA", raising=False)
    whole = Classifier.__init__
    monkeypatch.setattr(
        Classifier,
        "__init__",
        lambda self, data, **options: whole(self, data, **{**options, "epochs": 1}),
    )
    monkeypatch.chdir(tmp_path)


class Perfect:
    """A generator that returns rows of a Dataset, of the class that is asked for."""

    def __init__(self, data, n_condition=0):
        self.data, self.n_condition = data, n_condition

    def sample(self, n, seed=0, labels=None):
        rng = np.random.default_rng(seed)
        if labels is None:
            return self.data.x[rng.integers(len(self.data.x), size=n)]
        return np.stack(
            [self.data.x[rng.choice(np.flatnonzero(self.data.labels == j))] for j in labels]
        )


@pytest.mark.parametrize("model", ["cgan"])
def test_a_run_on_digits(model, capsys):
    assert main(["train", model, "--steps", "3", "--quiet", *TINY]) == 0
    run = f"runs/{model}-mnist5k"
    capsys.readouterr()
    assert main(["evaluate", run, "--n", "300", "--data-dir", NOWHERE]) == 0
    text = capsys.readouterr().out
    found = json.loads(Path(run, "metrics.json").read_text())
    assert found["n"] == 300
    assert found["step"] == 3
    assert "as no test rows were found" in text
    ours, control = found["samples"], found["genuine"]
    assert list(ours) == list(control)
    assert ("label accuracy" in ours) == (model == "cgan")
    assert ours["Frechet distance"] > 10 * control["Frechet distance"]
    assert ours["Parzen log-likelihood"] < control["Parzen log-likelihood"]
    for name in ours:
        assert name in text or name == "class shares"
    assert f"share of class 9{ours['class shares'][9]:18.1%}" in text
    assert sum(ours["class shares"]) == pytest.approx(1)


def test_a_run_on_points(capsys):
    assert main(["train", "gan", "--data", "ring", "--steps", "3", "--quiet", *TINY]) == 0
    assert main(["evaluate", "runs/gan-ring", "--n", "400"]) == 0
    found = json.loads(Path("runs/gan-ring/metrics.json").read_text())
    assert set(found["samples"]) == {
        "modes of 8",
        "within 3 sigma",
        "precision",
        "recall",
        "W1",
    }
    assert found["genuine"]["modes of 8"] == 8
    assert found["genuine"]["W1"] < 0.3 < found["samples"]["W1"]
    assert "modes of 8" in capsys.readouterr().out


def test_a_perfect_generator_scores_like_the_control():
    data = load("mnist5k")
    found = evaluate.evaluate(Perfect(data, 10), data, 1000)
    ours, control = found["samples"], found["genuine"]
    assert ours["Frechet distance"] < 3 * control["Frechet distance"]
    assert ours["precision"] > 0.6
    assert ours["label accuracy"] == pytest.approx(control["label accuracy"], abs=0.05)
    assert len(metrics.missing_classes(ours["class shares"], control["class shares"])) == 0


def test_a_collapse_is_named():
    data = load("mnist5k")
    ones = Dataset(data.x[data.labels == 1], None, (28, 28))
    found = evaluate.evaluate(Perfect(ones), data, 300)
    text = evaluate.table({"run": "runs/x", "step": 9} | found)
    assert "hardly any samples of class 0, " in text
    assert found["samples"]["recall"] < 0.5


def test_points_of_ones_own_get_what_applies(monkeypatch):
    data = Dataset(np.random.default_rng(0).standard_normal((400, 1)))
    found = evaluate.evaluate(Perfect(data), data, 100)["samples"]
    assert set(found) == {"precision", "recall", "W1"}
    monkeypatch.setitem(__import__("sys").modules, "scipy.optimize", None)
    found = evaluate.evaluate(Perfect(ring(500)), ring(500), 100)
    assert "minigan[metrics]" in evaluate.table({"run": "x", "step": 1} | found)


@pytest.mark.parametrize("offset", [0, 100])
def test_the_loop_warns_of_a_collapse_once(tmp_path, capsys, offset):
    """Classes are called by the values of their labels."""
    from minigan.lab.config import Config
    from minigan.lab.run import Run
    from minigan.training import TrainState

    points = grid()
    data = Dataset(points.x, points.labels + offset)
    run = Run(tmp_path / "run", Config(model="gan", steps=100))
    assert len(grid_modes()) == 25
    narrow = Perfect(data.part(data.labels < 23))
    for step, model in ((30, Perfect(data)), (40, narrow), (50, narrow), (60, narrow)):
        run.warn_of_collapse(model, TrainState(step=step), data)
    assert capsys.readouterr().err == (
        f"step 50: hardly any samples of class {offset + 23}, {offset + 24}: a mode collapse?\n"
    )


def test_wrong_input_is_refused(capsys):
    assert main(["evaluate", "nowhere"]) == 2
    assert "no run of minigan is here" in capsys.readouterr().err
    for n, says in ((3, "must be at least 10, got 3"), (2.5, "whole number, got 2.5")):
        with pytest.raises(RunError, match=f"^n: .*{says}"):
            evaluate.evaluate(build("gan"), load("ring"), n)


# ---- the right data to compare with ----


def idx(path, array):
    """The array as an IDX file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = struct.pack(f">{array.ndim}I", *array.shape)
    path.write_bytes(bytes([0, 0, 8, array.ndim]) + shape + array.astype("u1").tobytes())


def small_folder(folder, n=60, side=8, n_test=30, shade=0):
    """A folder of pictures of one shade, and lighter ones as its test rows, with labels."""
    rng = np.random.default_rng(0)
    for split, m, light in (("train", n, shade), ("t10k", n_test, shade + 100)):
        idx(
            folder / f"{split}-images-idx3-ubyte", light + rng.integers(9, size=(m, side, side))
        )
        idx(folder / f"{split}-labels-idx1-ubyte", 1 + np.arange(m) % 3)
    return folder


def test_test_rows_are_those_of_the_datas_own_folder(tmp_path, monkeypatch):
    """Not those of a folder of the same name in the place where the program is started."""
    small_folder(tmp_path / "mine" / "pictures")
    small_folder(tmp_path / "other" / "pictures", n_test=40, shade=100)
    monkeypatch.chdir(tmp_path / "mine")
    data = load("pictures")
    for place in ("/", tmp_path / "other", tmp_path / "mine"):
        monkeypatch.chdir(place)
        _, unseen, against = evaluate.genuine(data, 20)
        assert against == "30 test rows"
        assert 100 <= 255 * unseen.x.mean() < 110


@pytest.mark.parametrize("name", ["mnist", "ring", "grid", "mnist5k", "raw"])
def test_a_folder_may_have_any_name(tmp_path, monkeypatch, name):
    """The digits' classifier does not judge one called mnist; one called ring has no modes."""
    small_folder(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    data = load(f"./{name}")
    found = evaluate.evaluate(Perfect(data), data, 20)
    assert found["against"] == "30 test rows"
    assert set(found["samples"]) == {"Parzen log-likelihood", "its standard error", "its sigma"}


def test_a_dataset_may_have_any_name():
    for name in ("mnist", "mnist5k", "ring", "grid"):
        data = Dataset(np.random.default_rng(0).random((60, 3)), name=name)
        found = evaluate.evaluate(Perfect(data), data, 20)
        assert "30 of the training rows" in found["against"]
        assert set(found["samples"]) == {"precision", "recall"}


@pytest.mark.parametrize("digits", [True, False])
def test_the_shipped_digits_judge_only_mnist(monkeypatch, digits):
    taught = []
    monkeypatch.setattr(Classifier, "__init__", lambda _, data, **__: taught.append(data.name))
    pictures = Dataset(np.zeros((4, 784)), [0, 1, 1, 0], (28, 28), "mnist")
    evaluate.judge_of(dataclasses.replace(pictures, source=Source(digits=digits)))
    evaluate.judge_of(pictures)
    assert taught == ["mnist5k" if digits else "mnist", "mnist"]


@pytest.mark.parametrize(
    ("make", "modes"), [(ring, 8), (grid, 25), (lambda n: ring(n, 3.0, 0.2, 5), 5)]
)
def test_a_mixture_is_measured_by_its_own_modes_and_spread(make, modes):
    data = make(3000)
    found = evaluate.evaluate(Perfect(make(2000)), data, 400)
    assert found["against"] == "400 newly drawn points"
    for column in ("samples", "genuine"):
        assert found[column][f"modes of {modes}"] == modes
        assert found[column]["within 3 sigma"] > 0.95


def test_a_mixture_of_points_without_spread_has_no_measure_of_it():
    data = ring(100, std=0.0)
    assert "within 3 sigma" not in evaluate.evaluate(Perfect(data), data, 50)["samples"]


def test_newly_drawn_points_are_not_those_of_the_training(tmp_path):
    data = ring(500, seed=1)
    _, unseen, _ = evaluate.genuine(data, 500)
    assert not set(map(tuple, unseen.x)) & set(map(tuple, data.x))


def test_test_rows_of_another_shape_are_refused(tmp_path):
    folder = small_folder(tmp_path / "x")
    idx(folder / "t10k-images-idx3-ubyte", np.zeros((30, 8, 9)))
    data = load(folder)
    with pytest.raises(DataError, match=r"x has images of \(8, 8\), its test rows of \(8, 9\)"):
        evaluate.genuine(data, 20)
    (folder / "t10k-images-idx3-ubyte").write_bytes(b"damaged")
    with pytest.raises(DataError, match="t10k-images-idx3-ubyte: expected IDX magic"):
        evaluate.genuine(data, 20)
    (folder / "t10k-images-idx3-ubyte").unlink()
    assert "as no test rows were found" in evaluate.genuine(data, 20)[2]


def test_a_part_is_compared_with_what_the_whole_is(tmp_path):
    data = load(small_folder(tmp_path / "x"))
    assert evaluate.genuine(data.part(slice(20)), 20)[2] == "30 test rows"


# ---- classes by their values ----


def test_classes_are_shown_by_their_values():
    digits = load("mnist5k")
    some = digits.part(np.isin(digits.labels, (1, 4, 7)))
    data = Dataset(some.x, 20 + some.labels, (28, 28), "odd")
    assert data.classes == (21, 24, 27)
    ones = Perfect(data.part(data.labels == 0))
    found = evaluate.evaluate(ones, data, 300)
    assert found["classes"] == [21, 24, 27]
    text = evaluate.table({"run": "x", "step": 1} | found)
    for value in data.classes:
        assert f"share of class {value} " in text
    assert "hardly any samples of class 24, 27: a mode collapse" in text
    assert json.loads(json.dumps(found)) == found


# ---- little data, odd data, a model that diverged ----


def pictures(n, side=28, classes=3, fill=None):
    x = np.random.default_rng(0).random((n, side * side)) if fill is None else fill
    x = np.broadcast_to(x, (n, side * side))
    return Dataset(x, classes and np.arange(n) % classes, (side, side))


ODD = {
    "20 rows": pictures(20),
    "21 rows of one class": pictures(21, classes=1),
    "no labels": pictures(40, classes=None),
    "black": pictures(40, fill=0.0),
    "white": pictures(40, fill=1.0),
    "black, unlabelled": pictures(40, fill=0.0, classes=None),
    "5 x 5": pictures(40, side=5),
    "1 x 1": pictures(40, side=1),
    "64 x 64": pictures(40, side=64, classes=10),
    "as many classes as rows": pictures(30, classes=30),
    "points": Dataset(np.random.default_rng(0).random((20, 2)), [0, 1] * 10),
    "on a line": Dataset(np.random.default_rng(0).random((20, 1))),
    "in space": Dataset(np.random.default_rng(0).random((20, 3))),
    "one point": Dataset(np.full((40, 2), 3.0)),
    "far away": Dataset(1e6 + np.random.default_rng(0).random((40, 2))),
}


@pytest.mark.parametrize("n", [10, 10_000, None])
@pytest.mark.parametrize("data", ODD.values(), ids=ODD)
def test_odd_data_has_sensible_numbers(data, n):
    found = evaluate.evaluate(Perfect(data), data, n)
    assert found["n"] == 10 if n == 10 else found["n"] == len(data) // 2
    for column in ("samples", "genuine"):
        for value in found[column].values():
            assert isinstance(value, str) or np.isfinite(value).all()
    assert ("class shares" in found["samples"]) == (
        data.image_shape == (28, 28) and data.n_classes > 1
    )
    assert evaluate.table({"run": "x", "step": 1} | found)


@pytest.mark.parametrize("n", [1, 2, 3, 9, 19])
def test_too_few_rows_are_refused_in_a_sentence(n, tmp_path):
    for data in (pictures(n), Dataset(np.zeros((n, 2)))):
        with pytest.raises(DataError, match=f"data has {n} rows, too few to be measured"):
            evaluate.evaluate(Perfect(data), data)
    data = load(small_folder(tmp_path / "x", n_test=n))
    if n < 10:
        with pytest.raises(DataError, match=f"x has {n} rows, too few"):
            evaluate.evaluate(Perfect(data), data)


def test_conditional_models_are_asked_for_every_class():
    data = pictures(40, classes=4)
    found = evaluate.evaluate(Perfect(data, 4), data, 20)
    assert 0 <= found["samples"]["label accuracy"] <= 1
    assert 0 <= found["genuine"]["label accuracy"] <= 1
    unlabelled = pictures(40, classes=None)
    model = Perfect(data, 4)
    assert "label accuracy" not in evaluate.evaluate(model, unlabelled, 20)["samples"]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
def test_a_model_that_diverged_is_a_sentence(bad):
    data = ring(100)
    x = np.zeros((100, 2))
    x[7] = bad
    model = Perfect(data)
    model.sample = lambda n, seed: np.resize(x, (n, 2))
    with pytest.raises(DivergedError, match="the model has diverged, samples: .* got "):
        evaluate.evaluate(model, data, 50)


def test_a_model_that_overflows_on_the_way_is_a_sentence():
    model = build("gan", n_data=2, output="linear", n_noise=2)
    model.G.theta[...] = 1e30
    with pytest.raises(DivergedError, match="the model has diverged"):
        evaluate.evaluate(model, ring(100), 50)


def test_a_model_of_other_data_is_a_sentence():
    model = build("gan", n_data=3, output="linear", n_noise=2)
    with pytest.raises(DataError, match="ring has 2 columns, the model makes 3"):
        evaluate.evaluate(model, ring(100), 50)


def test_help_has_examples(capsys):
    assert main(["evaluate", "--help"]) == 0
    assert "minigan evaluate runs/gan-mnist5k" in capsys.readouterr().out
