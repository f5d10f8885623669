"""`minigan evaluate`: each kind of run gets the measures that suit it, beside a control."""

import dataclasses
import json
import struct
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from minigan.arrays import stream
from minigan.data import Dataset
from minigan.errors import DataError, DivergedError, RunError
from minigan.lab import evaluate, metrics
from minigan.lab.checkpoint import load_checkpoint
from minigan.lab.classifier import Classifier
from minigan.lab.cli import main
from minigan.lab.loaders import Source, grid, load, ring
from minigan.lab.models import build
from minigan.lab.parzen import parzen

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
    model, _ = load_checkpoint("runs/gan-ring/checkpoint.npz")
    about = {"run": "gan-ring", "model": "gan", "step": 3}
    assert found == about | evaluate.evaluate(model, load("ring"), 400)
    assert main(["evaluate", "runs/gan-ring", "--n", "50", "--seed", "7"]) == 0
    found = json.loads(Path("runs/gan-ring/metrics.json").read_text())
    assert found == about | evaluate.evaluate(model, load("ring"), 50, seed=7)
    assert found["samples"] != evaluate.evaluate(model, load("ring"), 50)["samples"]


def test_a_perfect_generator_scores_like_the_control():
    data = load("mnist5k")
    found = evaluate.evaluate(Perfect(data, 10), data, 1000)
    ours, control = found["samples"], found["genuine"]
    assert ours["Frechet distance"] < 3 * control["Frechet distance"]
    assert ours["precision"] > 0.6
    assert ours["label accuracy"] == pytest.approx(control["label accuracy"], abs=0.05)
    assert len(metrics.missing_classes(ours["class shares"], control["class shares"])) == 0


def test_points_of_ones_own_get_what_applies(monkeypatch):
    data = Dataset(np.random.default_rng(0).standard_normal((400, 1)))
    found = evaluate.evaluate(Perfect(data), data, 100)["samples"]
    assert set(found) == {"precision", "recall", "W1"}
    monkeypatch.setitem(__import__("sys").modules, "scipy.optimize", None)
    found = evaluate.evaluate(Perfect(ring(500)), ring(500), 100)
    assert "minigan[metrics]" in evaluate.table({"run": "x", "step": 1} | found)


def test_wrong_input_is_refused(capsys):
    assert main(["evaluate", "nowhere"]) == 2
    assert "no run of minigan is here" in capsys.readouterr().err
    for n, says in ((3, "must be at least 10, got 3"), (2.5, "whole number, got 2.5")):
        with pytest.raises(RunError, match=f"^n: .*{says}"):
            evaluate.evaluate(build("gan"), load("ring"), n)


# ---- the rows that are compared ----


def numbered(n, start=0, unseen=None, more=None, **about):
    """Rows that are their own numbers, and a list of how many unseen ones were asked for."""
    asked = []
    source = Source(
        unseen="secret rows",
        held_out=lambda n: asked.append(n) or unseen,
        more=lambda: more,
    )
    return Dataset(start + np.arange(n)[:, None], source=source, **about), asked


def numbers(rows):
    return rows.x[:, 0].astype(int).tolist()


def test_the_control_is_training_rows_in_a_fixed_order_beside_rows_never_seen():
    data, asked = numbered(40, unseen=numbered(25, start=100)[0])
    control, unseen, against = evaluate.genuine(data, 15)
    assert numbers(control) == stream(0, "rows to be measured").permutation(40)[:15].tolist()
    assert numbers(unseen) == list(range(100, 125))
    assert (asked, against) == ([15], "25 secret rows")
    assert sorted(numbers(evaluate.genuine(data, 10**6)[0])) == list(range(40))
    assert asked[1:] == [10_000]


def test_of_more_unseen_rows_than_are_enough_the_first_are_taken(monkeypatch):
    data, asked = numbered(40, unseen=numbered(25, start=100)[0])
    monkeypatch.setattr(evaluate, "ENOUGH", 12)
    _, unseen, against = evaluate.genuine(data, 15)
    assert (numbers(unseen), against, asked) == (list(range(100, 112)), "12 secret rows", [12])


def test_the_control_is_taken_from_all_the_rows_that_there_are():
    """As from the 60,000 digits of which the 5,000 shipped are a part."""
    whole = numbered(90)[0]
    data, _ = numbered(40, unseen=numbered(25, start=100)[0], more=whole)
    control = evaluate.genuine(data, 15)[0]
    assert numbers(control) == stream(0, "rows to be measured").permutation(90)[:15].tolist()
    alone = numbered(40, more=whole)[0]  # nothing unseen: its own two halves
    assert sorted(sum(map(numbers, evaluate.genuine(alone, 15)[:2]), [])) == list(range(40))


@pytest.mark.parametrize("n", [40, 41, 2041])
def test_without_unseen_rows_the_control_is_one_half_and_is_compared_with_the_other(n):
    control, other, against = evaluate.genuine(numbered(n)[0], 10)
    half = n // 2
    order = stream(0, "rows to be measured").permutation(n).tolist()
    assert numbers(other) == order[:half]
    assert numbers(control) == order[half:]
    assert against == f"{half:,} of the training rows, as no secret rows were found"
    assert evaluate.genuine(Dataset(np.zeros((20, 1))), 9)[2] == (
        "10 of the training rows, as no test rows were found"
    )


@pytest.mark.parametrize(("n", "n_unseen", "few"), [(10, 10, 0), (9, 10, 9), (10, 9, 9)])
def test_ten_rows_on_either_side_are_enough(n, n_unseen, few):
    data, _ = numbered(n, unseen=numbered(n_unseen)[0])
    if not few:
        assert list(map(len, evaluate.genuine(data, 100)[:2])) == [10, 10]
    else:
        with pytest.raises(DataError) as error:
            evaluate.genuine(data, 100)
        assert str(error.value) == (
            "data: data has 9 rows, too few to be measured; needed are 10 for each side of a "
            "comparison"
        )


class Asked:
    """A generator that notes how it is asked; its samples are 1,000, 1,001, ..."""

    def __init__(self, n_condition=0):
        self.n_condition, self.asked = n_condition, []

    def sample(self, *how):
        self.asked.append([np.asarray(each).tolist() for each in how])
        return 1000.0 + np.arange(how[0])[:, None]


@pytest.fixture
def measured(monkeypatch):
    """What is measured, [(kind, data, x, asked, unseen)]; its measure is its number here."""
    calls = []
    for kind in ("points", "pictures"):

        def make(data, kind=kind):
            return lambda *given: calls.append((kind, data, *given)) or {"at": len(calls)}

        monkeypatch.setattr(evaluate, kind, make)
    return calls


def test_samples_and_as_many_genuine_rows_are_measured_alike(measured):
    """Samples against unseen rows; training rows against the same."""
    data, _ = numbered(40, unseen=numbered(25, start=100)[0])
    model = Asked()
    found = evaluate.evaluate(model, data, 12)
    against = {"n": 12, "against": "25 secret rows", "classes": []}
    assert found == against | {"samples": {"at": 1}, "genuine": {"at": 2}}
    order = stream(0, "rows to be measured").permutation(40)[:12].tolist()
    for call, rows in zip(measured, (list(range(1000, 1012)), order)):
        assert call[:2] == ("points", data)
        assert call[2][:, 0].tolist() == rows
        assert call[3] is None
        assert numbers(call[4]) == list(range(100, 125))
    evaluate.evaluate(model, data, 12, seed=5)
    assert model.asked == [[12, 1], [12, 5]]


@pytest.mark.parametrize(
    ("n", "n_data", "n_unseen", "expected"),
    [(30, 40, 25, 25), (30, 20, 25, 20), (7, 40, 40, 7)],
)
def test_so_many_are_measured_as_there_are_on_every_side(
    measured, monkeypatch, n, n_data, n_unseen, expected
):
    monkeypatch.setattr(evaluate, "LEAST", 5)
    data, _ = numbered(n_data, unseen=numbered(n_unseen)[0])
    model = Asked()
    assert evaluate.evaluate(model, data, n)["n"] == expected
    assert [len(call[2]) for call in measured] == [expected, expected]
    assert model.asked == [[expected, 1]]


@pytest.mark.parametrize(("shape", "n"), [(None, 2500), ((1, 1), 10_000)])
def test_without_a_number_it_is_that_of_the_papers(measured, shape, n):
    x = np.zeros((n + 5, 1))
    unseen = Dataset(x, image_shape=shape)
    data = dataclasses.replace(unseen, source=Source(held_out=lambda n: unseen))
    model = Asked()
    model.sample = lambda n, seed: np.zeros((n, 1))
    assert evaluate.evaluate(model, data)["n"] == n
    assert {call[0] for call in measured} == {"pictures" if shape else "points"}


def test_classes_are_asked_for_in_turn_and_genuine_rows_have_their_own(measured):
    labels = np.arange(40) % 4 + 6
    data, _ = numbered(40, unseen=numbered(25)[0], labels=labels)
    model = Asked(n_condition=3)
    found = evaluate.evaluate(model, data, 11)
    assert found["classes"] == [6, 7, 8, 9]
    in_turn = [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1]
    assert model.asked == [[11, 1, in_turn]]
    assert measured[0][3].tolist() == in_turn
    control = stream(0, "rows to be measured").permutation(40)[:11]
    assert measured[1][3][:11].tolist() == (control % 4).tolist()
    evaluate.evaluate(Asked(), data, 11)
    assert measured[3][3] is None  # nothing was asked for, so nothing is compared


# ---- what is measured of them ----


def test_points_are_measured_against_as_many_unseen_ones():
    rng = np.random.default_rng(0)
    modes = np.array([[0.0, 0], [4, 0], [0, 4]])
    x = modes[[0, 0, 1, 1, 1, 0, 1, 0, 1, 0]] + 0.5 * rng.standard_normal((10, 2))
    unseen = Dataset(modes[rng.integers(3, size=30)] + 0.5 * rng.standard_normal((30, 2)))
    data = Dataset(np.zeros((5, 2)), source=Source(modes=modes, std=0.5))
    found = evaluate.points(data)(x, None, unseen)
    distance = np.linalg.norm(x[:, None] - modes, axis=2).min(axis=1)
    precision, recall = metrics.precision_recall(unseen.x[:10], x)
    assert precision != recall
    assert found == {
        "modes of 3": 2,
        "within 3 sigma": pytest.approx(np.mean(distance < 1.5)),
        "precision": precision,
        "recall": recall,
        "W1": pytest.approx(scipy.stats.wasserstein_distance_nd(x, unseen.x[:10])),
    }
    for source in (None, Source(), Source(modes=modes), Source(std=0.5)):
        plain = evaluate.points(Dataset(np.zeros((5, 2)), source=source))(x, None, unseen)
        assert plain == {name: found[name] for name in ("precision", "recall", "W1")}


def test_w1_is_exact_on_the_line_and_of_the_first_rows_in_the_plane(monkeypatch):
    monkeypatch.setattr(evaluate, "LARGEST_W1", 7)
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((12, 2)), 1 + rng.standard_normal((12, 2))
    expected = scipy.stats.wasserstein_distance_nd(a[:7], b[:7])
    assert evaluate.carried(a, b) == pytest.approx(expected)
    line = a[:, :1], b[:, :1]
    expected = scipy.stats.wasserstein_distance(*(rows[:, 0] for rows in line))
    assert evaluate.carried(*line) == pytest.approx(expected)
    monkeypatch.setitem(__import__("sys").modules, "scipy.optimize", None)
    assert evaluate.carried(*line) == pytest.approx(expected)
    assert "pip install 'minigan[metrics]'" in evaluate.carried(a, b)


class Judge:
    """Reads the class from the first three pixels; the others are its features."""

    def labels(self, x):
        return x[:, :3].argmax(axis=1)

    def features(self, x):
        return x[:, 3:]


def test_pictures_are_measured_in_a_judges_features(monkeypatch):
    rng = np.random.default_rng(0)
    x, rows = rng.random((30, 6)), rng.random((50, 6)) ** 2
    unseen = Dataset(rows, np.arange(50) % 3, (2, 3))
    x[:, 2] = 0  # nothing is read as the third class
    asked = np.tile([0, 1, 2], 20)
    monkeypatch.setattr(evaluate, "judge_of", lambda data: Judge() if data is unseen else None)
    found = evaluate.pictures(unseen)(x, asked, unseen)
    rows = unseen.x
    read = np.where(x[:, 1] > x[:, 0], 1, 0)
    precision, recall = metrics.precision_recall(rows[:30, 3:], x[:, 3:])
    assert precision != recall
    window = parzen(x, rows[25:], rows[:25])
    assert found == {
        "Frechet distance": metrics.frechet_distance(x[:, 3:], rows[:, 3:]),
        "precision": precision,
        "recall": recall,
        "label accuracy": pytest.approx(np.mean(read == asked[:30])),
        "class shares": pytest.approx([np.mean(read == 0), np.mean(read == 1), 0]),
        "Parzen log-likelihood": window[0],
        "its standard error": window[1],
        "its sigma": window[2],
    }
    assert list(found)[:5] == [
        "Frechet distance",
        "precision",
        "recall",
        "label accuracy",
        "class shares",
    ]
    unasked = evaluate.pictures(unseen)(x, None, unseen)
    assert unasked == {name: found[name] for name in found if name != "label accuracy"}
    unjudged = evaluate.pictures(Dataset(rows, None, (2, 3)))(x, asked, unseen)
    assert unjudged == {name: found[name] for name in list(found)[5:]}
    many = np.concatenate([x, x])
    again = evaluate.pictures(unseen)(many, None, unseen)["precision"]
    assert again == metrics.precision_recall(rows[:, 3:], many[:50, 3:])[0]


@pytest.mark.parametrize(
    ("n", "few"), [(10, 5), (11, 5), (1999, 999), (2001, 1000), (2500, 1000)]
)
def test_the_last_unseen_rows_choose_sigma_and_the_others_judge(monkeypatch, n, few):
    calls = []
    monkeypatch.setattr(evaluate, "parzen", lambda *given: calls.append(given) or (1, 2, 3))
    unseen, x = Dataset(np.arange(n)[:, None] / n, image_shape=(1, 1)), np.zeros((4, 1))
    found = evaluate.pictures(unseen)(x, None, unseen)
    assert list(found.values()) == [1, 2, 3]
    ((samples, validation, test),) = calls
    assert samples is x
    assert validation.tolist() == unseen.x[n - few :].tolist()
    assert test.tolist() == unseen.x[: n - few].tolist()


@pytest.mark.parametrize(("shape", "k"), [((28, 28), 2), ((28, 28), 1), ((14, 56), 2)])
def test_who_judges_reads_digits_and_has_two_classes_to_tell_apart(monkeypatch, shape, k):
    options = {}
    monkeypatch.setattr(Classifier, "__init__", lambda self, data, **how: options.update(how))
    data = Dataset(np.zeros((4, 784)), np.arange(4) % k, shape)
    judge = evaluate.judge_of(data)
    if (shape, k) == ((28, 28), 2):
        assert isinstance(judge, Classifier)
        assert options == {"cache": True}
    else:
        assert judge is None


def test_the_table_to_the_letter():
    """Each class beside its own share, by its name; what is missing below."""
    found = {"run": "gan-x", "step": 70, "n": 300, "against": "25 secret rows"}
    found["classes"] = [4, 7, 9]
    ours = {
        "Frechet distance": 12.3456,
        "precision": 0.25,
        "recall": 0.5,
        "label accuracy": 1.0,
        "class shares": [0.95, 0.001, 0.049],
        "W1": "exact W1 needs SciPy",
        "modes of 8": 7,
        "within 3 sigma": 0.125,
    }
    control = {
        "Frechet distance": 0.123456,
        "precision": 0.75,
        "recall": 0.995,
        "label accuracy": 0.98,
        "class shares": [0.25, 0.25, 0.5],
        "W1": 0.25,
        "modes of 8": 8,
        "within 3 sigma": 0.989,
    }
    lines = [
        "gan-x at step 70: 300 samples against 25 secret rows",
        "",
        "                           samples   genuine",
        "Frechet distance              12.3     0.123",
        "precision                    25.0%     75.0%",
        "recall                       50.0%     99.5%",
        "label accuracy              100.0%     98.0%",
        "share of class 4             95.0%     25.0%",
        "share of class 7              0.1%     25.0%",
        "share of class 9              4.9%     50.0%",
        "W1                        exact W1 needs SciPy",
        "modes of 8                       7         8",
        "within 3 sigma               12.5%     98.9%",
    ]
    lost = ["", "hardly any samples of class 7, 9: a mode collapse"]
    text = evaluate.table(found | {"samples": ours, "genuine": control})
    assert text.split("\n") == lines + lost
    ours["class shares"] = control["class shares"]
    text = evaluate.table(found | {"samples": ours, "genuine": control}).split("\n")
    assert (len(text), text[-1]) == (len(lines), lines[-1])
    del ours["class shares"], control["class shares"]
    text = evaluate.table(found | {"samples": ours, "genuine": control}).split("\n")
    assert text == lines[:7] + lines[10:]


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
    undefined = Asked()
    undefined.sample = lambda n, seed: np.full((n, 2), np.inf) - np.inf
    with pytest.raises(DivergedError, match="the model has diverged, samples: .* got nan$"):
        evaluate.evaluate(undefined, ring(100), 50)


def test_a_model_of_other_data_is_a_sentence():
    model = build("gan", n_data=3, output="linear", n_noise=2)
    with pytest.raises(DataError, match="ring has 2 columns, the model makes 3"):
        evaluate.evaluate(model, ring(100), 50)


def test_help_has_examples(capsys):
    assert main(["evaluate", "--help"]) == 0
    assert "minigan evaluate runs/gan-mnist5k" in capsys.readouterr().out
