"""Stacked digits: which pictures they are, and how the modes of samples are counted."""

from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from minigan.data import Dataset
from minigan.errors import DataError
from minigan.lab import evaluate, loaders
from minigan.lab.cli import main
from minigan.lab.loaders import identify, load, mnist5k, short_label
from minigan.lab.metrics import divergence_of_counts
from minigan.lab.models import STACKED, recipe
from minigan.lab.stacked import modes_and_divergence, read, stacked


@pytest.fixture(scope="module")
def data():
    return stacked(n=4000)


def test_each_colour_shows_a_shipped_digit_of_the_class_that_the_label_names(data):
    digits = mnist5k()
    classes = {row.tobytes(): label for row, label in zip(digits.x, digits.labels)}
    assert data.image_shape == (28, 28, 3)
    shown = [
        [classes[data.x[i, colour::3].tobytes()] for i in range(500)] for colour in range(3)
    ]
    assert [int(f"{a}{b}{c}") for a, b, c in zip(*shown)] == data.labels[:500].tolist()


def test_every_class_and_every_digit_of_it_is_as_likely_in_each_colour(data):
    """A χ² test of each colour's classes, of pairs of colours, and of the rows of a class."""
    digits = [data.labels // 100, data.labels // 10 % 10, data.labels % 10]
    for a, b in ((0, 1), (0, 2), (1, 2)):
        counts = np.bincount(10 * digits[a] + digits[b], minlength=100)
        assert scipy.stats.chisquare(counts).pvalue > 1e-4
    rows = {row.tobytes(): i for i, row in enumerate(mnist5k().x)}
    found = [rows[x[colour::3].tobytes()] for x in data.x for colour in range(3)]
    assert scipy.stats.chisquare(np.bincount(found, minlength=5000)).pvalue > 1e-4


def test_the_data_are_a_function_of_their_seed_and_unseen_rows_are_others(data):
    np.testing.assert_array_equal(stacked(n=50, seed=3).x, stacked(n=50, seed=3).x)
    assert not np.array_equal(stacked(n=50, seed=3).x, stacked(n=50, seed=4).x)
    unseen = data.source.held_out(50)
    assert len(unseen) == 50
    assert not {row.tobytes() for row in unseen.x} & {row.tobytes() for row in data.x}


def test_by_name_there_are_as_many_rows_as_are_measured():
    data = load("stacked")
    assert (data.name, len(data), data.n_classes) == ("stacked", 26_000, 1000)
    assert evaluate.usual_number(data) == 26_000
    assert (identify("stacked")[0], short_label("stacked")) == ("stacked", "stacked")


@pytest.mark.parametrize(
    "digits",
    [
        Dataset(np.zeros((4, 4)), image_shape=(2, 2)),
        Dataset(np.zeros((4, 4)), [0, 1, 2, 3], (2, 2)),
        Dataset(np.zeros((10, 12)), range(10), (2, 2, 3)),
        Dataset(np.zeros((10, 12)), range(10)),
    ],
)
def test_anything_but_ten_classes_of_grey_pictures_is_refused(digits):
    with pytest.raises(DataError, match="^data: expected grey pictures of ten classes"):
        stacked(digits)


def test_digits_of_classes_of_unequal_size_are_drawn_from_their_own():
    x = np.repeat(np.arange(13)[:, None] / 13, 4, axis=1)
    labels = [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 9, 9, 9]
    data = stacked(Dataset(x, labels, (2, 2)), n=2000)
    of_row = {np.float32(i / 13): label for i, label in enumerate(labels)}
    for colour, part in enumerate(
        (data.labels // 100, data.labels // 10 % 10, data.labels % 10)
    ):
        assert [of_row[value] for value in data.x[:, colour]] == part.tolist()
    assert set(data.x[data.labels // 100 == 9, 0]) == {
        np.float32(i / 13) for i in (0, 10, 11, 12)
    }


# ---- the measure ----


@given(st.lists(st.integers(0, 9), min_size=1, max_size=20).filter(any))
def test_eq59a_the_divergence_is_scipys_relative_entropy(counts):
    k = len(counts)
    expected = scipy.stats.entropy(counts, np.full(k, 1 / k))
    assert divergence_of_counts(counts) == pytest.approx(expected, abs=1e-12)


def test_eq59a_closed_forms():
    """One mode of k: log k. All alike: 0. An even half of them: log 2."""
    assert divergence_of_counts([0, 0, 7, 0]) == pytest.approx(np.log(4), rel=1e-15)
    assert divergence_of_counts(np.full(1000, 26)) == pytest.approx(0, abs=1e-14)
    assert divergence_of_counts([5, 0] * 500) == pytest.approx(np.log(2), rel=1e-14)


def test_eq59a_of_genuine_samples_the_divergence_is_that_of_a_chi_squared():
    """Mean (k − 1)/2n and deviation √(k − 1)/√2 n, of 200 histograms of fair draws."""
    n, k, rng = 26_000, 1000, np.random.default_rng(0)
    found = [divergence_of_counts(rng.multinomial(n, np.full(k, 1 / k))) for _ in range(200)]
    deviation = np.sqrt((k - 1) / 2) / n
    assert np.mean(found) == pytest.approx((k - 1) / 2 / n, rel=0.01)
    assert np.std(found) == pytest.approx(deviation, rel=0.2)


@pytest.mark.parametrize("counts", [[], [0, 0], [1, -1], [np.nan, 1]])
def test_what_is_no_histogram_is_refused(counts):
    with pytest.raises(DataError, match="^counts: expected"):
        divergence_of_counts(counts)


class Judge:
    """Reads a digit from the brightness of the first pixel."""

    def labels(self, x):
        assert x.shape[1:] == (784,)
        return np.rint(9 * x[:, 0]).astype(int)


def marked(labels):
    """A row for each label, whose colours say which digits it shows."""
    digits = np.stack([labels // 100, labels // 10 % 10, labels % 10], axis=1)
    return np.repeat(digits[:, None] / 9, 784, axis=1).reshape(len(labels), -1)


def test_a_label_is_what_the_judge_reads_in_each_colour():
    labels = np.random.default_rng(0).integers(1000, size=200)
    np.testing.assert_array_equal(read(Judge(), marked(labels)), labels)


class Collapsed:
    """A generator that knows the first `modes` of the labels."""

    def __init__(self, modes, n_condition):
        self.modes, self.n_condition = modes, n_condition

    def sample(self, n, seed=0, labels=None):
        return marked(np.arange(n) % self.modes if labels is None else labels % self.modes)


@pytest.mark.parametrize("n_condition", [0, 1000])
def test_evaluate_counts_the_modes_of_a_generator_and_of_genuine_rows(monkeypatch, n_condition):
    monkeypatch.setattr(evaluate, "Classifier", lambda data, cache: Judge())
    data = stacked(n=2000)
    found = evaluate.evaluate(Collapsed(99, n_condition), data, n=1980)
    ours = found["samples"]
    assert found["n"] == 1980
    assert found["against"] == "1,980 other triples of digits"
    assert ours["modes of 1000"] == 99
    assert ours["KL divergence"] == pytest.approx(np.log(1000 / 99), abs=2e-3)
    assert ("label accuracy" in ours) == (n_condition > 0)
    if n_condition:
        assert ours["label accuracy"] == pytest.approx(198 / 1980, abs=1e-9)
    assert list(found["genuine"]) == list(ours)
    assert "modes of 1000" in evaluate.table(found | {"run": "it", "step": 1})


def test_stacked_digits_on_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(loaders.MIXTURES, "stacked", lambda: stacked(n=100))
    monkeypatch.setattr(evaluate, "Classifier", lambda data, cache: Judge())
    small = ["--network", "conv", "--channels", "2", "--G-hidden", "--D-hidden", "--steps", "2"]
    assert main(["train", "cr3gan", "--data", "stacked", *small, "--quiet"]) == 0
    run = "runs/cr3gan-conv-stacked"
    capsys.readouterr()
    assert not Path(run, "classes.json").exists()  # of a thousand, none is watched
    assert main(["evaluate", run]) == 0
    assert "modes of 1000" in capsys.readouterr().out
    assert main(["sample", run, "-n", "4", "-o", "some.png"]) == 0
    with Image.open("some.png") as picture:
        assert picture.mode == "RGB"


def test_three_digits_at_once_have_a_recipe_of_their_own():
    ours = recipe("r3gan", "stacked", "conv")
    assert ours == recipe("r3gan", "mnist5k", "conv") | STACKED
    assert recipe("r3gan", "stacked") == recipe("r3gan", "mnist5k")


def test_modes_and_divergence_of_few_labels():
    assert modes_and_divergence([7, 7, 999, 7]) == (
        2,
        pytest.approx(np.log(1000) - scipy.stats.entropy([3, 1]), rel=1e-12),
    )
