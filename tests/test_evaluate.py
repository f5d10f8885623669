"""`minigan evaluate`: each kind of run gets the measures that suit it, beside a control."""

import json
from pathlib import Path

import numpy as np
import pytest

from minigan.data import Dataset
from minigan.lab import evaluate, metrics
from minigan.lab.classifier import Classifier
from minigan.lab.cli import main
from minigan.lab.loaders import Source, grid_modes, idx_folder, load, ring
from minigan.lab.models import build

TINY = ["--G-hidden", "8", "--D-hidden", "8", "--n-noise", "4", "--batch-size", "16"]
NOWHERE = "/nonexistent"


@pytest.fixture(autouse=True)
def quick(tmp_path, monkeypatch):
    """A classifier trained for a moment, and no cache but this test's."""
    monkeypatch.setenv("MINIGAN_CACHE", str(tmp_path / "cache"))
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
    found = evaluate.evaluate(Perfect(data, 10), data, 1000, NOWHERE)
    ours, control = found["samples"], found["genuine"]
    assert ours["Frechet distance"] < 3 * control["Frechet distance"]
    assert ours["precision"] > 0.6
    assert ours["label accuracy"] == pytest.approx(control["label accuracy"], abs=0.05)
    assert len(metrics.missing_classes(ours["class shares"], control["class shares"])) == 0


def test_a_collapse_is_named():
    data = load("mnist5k")
    ones = Dataset(data.x[data.labels == 1], None, (28, 28))
    found = evaluate.evaluate(Perfect(ones), data, 300, NOWHERE)
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


def test_the_loop_warns_of_a_collapse_once(tmp_path, capsys):
    from minigan.lab.run import Run
    from minigan.training import TrainState

    data = load("grid")
    run = Run.create(tmp_path / "run", {"steps": 100})
    assert len(grid_modes()) == 25
    narrow = Perfect(Dataset(data.x[data.labels < 23]))
    for step, model in ((30, Perfect(data)), (40, narrow), (50, narrow), (60, narrow)):
        run.warn_of_collapse(model, TrainState(step=step), data)
    assert capsys.readouterr().err == (
        "step 50: hardly any samples of class 23, 24: a mode collapse?\n"
    )


def test_wrong_input_is_refused(capsys):
    assert main(["evaluate", "nowhere"]) == 2
    assert "no run of minigan here" in capsys.readouterr().err
    with pytest.raises(ValueError, match="--n: must be at least 10, got 3"):
        evaluate.evaluate(build("gan"), load("ring"), 3)


def test_help_has_examples(capsys):
    with pytest.raises(SystemExit):
        main(["evaluate", "--help"])
    assert "minigan evaluate runs/gan-mnist5k" in capsys.readouterr().out
