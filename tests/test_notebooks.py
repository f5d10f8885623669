"""The notebooks of examples/notebooks run from top to bottom, as scripts and as notebooks, and
what a notebook shows of minigan is a picture or a table."""

import io
import re
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

import minigan
from minigan import GAN, DataError, Dataset, DivergedError, MiniganError, TrainState
from minigan.lab.cli import main
from minigan.lab.loaders import ring
from minigan.lab.run import Run

NOTEBOOKS = sorted((Path(__file__).parents[1] / "examples" / "notebooks").glob("*.py"))
PNG = b"\x89PNG"
POINTS = {"n_data": 2, "n_noise": 2, "output": "linear", "G_hidden": (8,), "D_hidden": (8,)}
BAD_ROWS = [np.ones((4, 7)), np.ones((2, 3, 4)), np.ones((4, 1)), np.ones(3)]


def fitted(steps=12, **options):
    model = GAN(**POINTS)
    return model, minigan.fit(model, ring(n=100), steps, 16, progress=False, **options)


# ---- the notebooks ----


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_pictures(notebook):
    jupytext, nbclient = map(pytest.importorskip, ("jupytext", "nbclient"))
    pytest.importorskip("ipykernel")
    book = jupytext.read(notebook)
    installs = [cell for cell in book.cells if "%pip install" in cell.source]
    assert [cell.source for cell in installs] == ["%pip install -q minigan"]
    book.cells.remove(installs[0])  # here minigan is installed
    nbclient.NotebookClient(book, timeout=120, kernel_name="python3").execute()
    shown = [output for cell in book.cells for output in cell.get("outputs", ())]
    assert any({"image/png", "text/html"} & set(each.get("data", ())) for each in shown)
    again = jupytext.reads(jupytext.writes(book, "ipynb"), "ipynb")
    written = jupytext.writes(again, "py:percent")
    assert all(cell.source.splitlines()[0] in written for cell in book.cells if cell.source)


def test_there_is_a_notebook_for_each_group_of_chapters():
    assert [path.stem[0] for path in NOTEBOOKS] == list("12345")
    for path in NOTEBOOKS:
        assert path.read_text("utf-8").count("# %pip install -q minigan\n") == 1


# ---- fit ----


def test_fit_trains_as_train_does_and_returns_every_record():
    model, records = fitted()
    twin = GAN(**POINTS)
    assert records == list(minigan.train(twin, ring(n=100), 12, 16))
    np.testing.assert_array_equal(model.G.theta, twin.G.theta)


def test_fit_goes_on_from_a_state():
    model, state = GAN(**POINTS), TrainState(seed=3)
    minigan.fit(model, ring(n=100), 5, 16, state=state, progress=False)
    more = minigan.fit(model, ring(n=100), 8, 16, state=state, progress=False)
    assert [record["step"] for record in more] == [6, 7, 8]
    assert state.step == 8


def test_fit_draws_a_bar_on_stderr_unless_told_not_to(capsys):
    model, state = GAN(**POINTS), TrainState(seed=3)
    minigan.fit(model, ring(n=100), 5, 16, state=state, progress=False)
    capsys.readouterr()
    records = minigan.fit(model, ring(n=100), 12, 16, state=state)
    out, err = capsys.readouterr()
    assert out == ""
    first, last = err.split("\r")[1], err.split("\r")[-1]
    assert "| 5/12 [" in first
    assert "| 12/12 [" in last
    assert "step/s, " in last
    for name, value in records[-1].items():
        assert (f"{name}={value:.2f}" in last) == (name != "step")
    fitted()
    assert capsys.readouterr() == ("", "")


def test_fit_refuses_what_train_refuses():
    with pytest.raises(DataError, match="3 columns"):
        minigan.fit(GAN(**POINTS), np.ones((50, 3)), 5, progress=False)
    model = GAN(**POINTS)
    model.D.theta[:] = np.nan
    with pytest.raises(DivergedError, match="step 1"):
        minigan.fit(model, ring(n=100), 5, 16, progress=False)


def test_a_history_says_how_far_it_came_and_shows_its_curves():
    _, records = fitted()
    said = repr(records)
    assert said.startswith("<History of 12 steps, at 12: loss_")
    assert f"loss_G {records[-1]['loss_G']:.3g}" in said
    assert records._repr_png_().startswith(PNG)
    many = type(records)([{"step": 2500, "loss_D": 0.12345, "D(x)": 2.0}] * 1234)
    assert repr(many) == "<History of 1,234 steps, at 2,500: loss_D 0.123, D(x) 2>"
    assert repr(type(records)()) == "<History of no steps>"
    assert type(records)()._repr_png_() is None


# ---- what train returns ----


def test_a_training_that_nobody_iterates_says_how_to_use_it():
    model = GAN(**POINTS)
    before = model.G.theta.copy()
    training = minigan.train(model, ring(n=100), 3, 16)
    said = repr(training)
    assert said.startswith("<Training of a GAN: 0 of 3 steps taken; ")
    assert ": for record in training: ..., or minigan.fit(model, data, steps) for all" in said
    np.testing.assert_array_equal(model.G.theta, before)
    assert next(training)["step"] == 1
    assert "1 of 3 steps taken; " in repr(training)
    assert len(list(training)) == 2
    assert repr(training) == "<Training of a GAN: 3 of 3 steps taken>"


def test_a_training_is_a_generator_in_every_way():
    training = minigan.train(GAN(**POINTS), ring(n=100), 9, 16)
    assert iter(training) is training
    assert training.send(None)["step"] == 1
    with pytest.raises(KeyError):
        training.throw(KeyError("mine"))
    assert list(training) == []
    training = minigan.train(GAN(**POINTS), ring(n=100), 9, 16)
    training.close()
    assert list(training) == []


# ---- show and plot ----


def test_show_draws_the_very_pixels():
    x = np.random.default_rng(0).random((7, 36))
    (axis,) = minigan.show(x, columns=3).axes
    drawn = axis.images[0].get_array()
    assert drawn.shape == (3 * 8, 3 * 8)  # 6 x 6 and a border
    np.testing.assert_array_equal(drawn[1:7, 9:15], np.round(255 * x[1]).reshape(6, 6))
    np.testing.assert_array_equal(drawn[17:23, 9:], 0)  # there is no eighth
    assert minigan.show(x).axes[0].images[0].get_array().shape == (8, 7 * 8)


def test_pictures_keep_their_greys_and_their_proportions():
    figure = minigan.show(np.full((25, 800), 0.5), image_shape=(20, 40))
    with Image.open(io.BytesIO(figure._repr_png_())) as picture:
        colours = np.asarray(picture.convert("RGB")).astype(int)
    h, w, _ = colours.shape
    assert (w, h) == (10 * 120 + 10, 3 * 60 + 10)  # each 60 pixels high, and a margin
    assert (np.ptp(colours, axis=2) == 0).all()
    assert colours[60 // 2, 120 // 2].tolist() == [128] * 3
    assert colours[5:-5, 5:-5].max() <= 130  # no tick, and not as bright as can be
    assert colours[-40:-5, -60:-5].max() == 0  # there is no thirtieth


@pytest.mark.parametrize("shape", [(2, 18), (18, 2), (4, 9)])
def test_show_takes_pictures_that_are_not_square(shape):
    x = np.linspace(0, 1, 36)
    drawn = minigan.show(x, image_shape=shape).axes[0].images[0].get_array()
    np.testing.assert_array_equal(drawn[1:-1, 1:-1], np.round(255 * x).reshape(shape))


def test_show_draws_points_over_those_behind():
    x, behind = np.random.default_rng(0).standard_normal((2, 2500, 2))
    for given in (behind, Dataset(behind)):
        (axis,) = minigan.show(x, behind=given).axes
        grey, orange = (np.asarray(each.get_offsets()) for each in axis.collections)
        np.testing.assert_allclose(grey, behind[:2000], atol=1e-6)
        np.testing.assert_array_equal(orange, x[:2000])
        assert axis.get_aspect() == 1
    with Image.open(io.BytesIO(axis.figure._repr_png_())) as picture:
        found = {colour for _, colour in picture.convert("RGB").getcolors(2**20)}
    assert {(255, 127, 14), (211, 211, 211)} <= found  # tab:orange and lightgrey


@pytest.mark.parametrize("x", BAD_ROWS, ids=lambda x: str(x.shape))
def test_show_refuses_what_is_no_picture(x):
    with pytest.raises(DataError, match="x: expected points .*image_shape"):
        minigan.show(x)


def test_show_refuses_no_columns():
    with pytest.raises(MiniganError, match="columns"):
        minigan.show(np.ones((4, 9)), columns=0)


def test_plot_draws_every_number_of_the_records():
    _, records = fitted()
    figure = minigan.plot(records)
    lines = [line for axis in figure.axes for line in axis.lines]
    names = [line.get_label() for line in lines[::2]]  # each followed by its pale raw curve
    assert sorted(names) == sorted(records[0].keys() - {"step"})
    for name, line in zip(names, lines[1::2], strict=True):
        expected = [(record["step"], record[name]) for record in records]
        np.testing.assert_array_equal(line.get_xydata(), expected)
    with pytest.raises(DataError, match="at least one"):
        minigan.plot([])


def test_figures_show_themselves_and_leave_pyplot_alone(tmp_path):
    _, records = fitted()
    sizes = {minigan.plot(iter(records)): (800, 500), minigan.show(np.ones((4, 2))): (500, 500)}
    for figure, size in sizes.items():
        assert figure._repr_png_().startswith(PNG)
        figure.savefig(tmp_path / "figure.png")
        with Image.open(tmp_path / "figure.png") as picture:
            assert picture.size == size
    assert plt.get_fignums() == []


def test_a_data_set_shows_its_pictures_or_points_or_nothing():
    x = np.random.default_rng(0).random((150, 36))
    assert Dataset(x, image_shape=(6, 6))._repr_png_().startswith(PNG)
    assert ring(n=50)._repr_png_().startswith(PNG)
    assert Dataset(x)._repr_png_() is None
    drawn = minigan.show(Dataset(x, image_shape=(6, 6))).axes[0].images[0].get_array()
    assert drawn.shape == (80, 80)  # a hundred of them
    drawn = minigan.show(Dataset(x, image_shape=(6, 6)), (4, 9)).axes[0].images[0].get_array()
    assert drawn.shape == (60, 110)
    assert len(minigan.show(ring(n=150)).axes[0].collections[0].get_offsets()) == 150


def test_a_run_shows_its_samples_once_there_are_some(tmp_path):
    folder = tmp_path / "run"
    train = ["train", "gan", "--data", "ring", "--steps", "3", "--quiet", "--out", str(folder)]
    assert main(train) == 0
    assert Run.open(folder)._repr_png_() == (folder / "samples.png").read_bytes()
    (folder / "samples.png").unlink()
    assert Run.open(folder)._repr_png_() is None


def test_a_network_shows_a_table_of_its_layers():
    network = minigan.mlp((3, 8, 2), np.random.default_rng(0))
    table = network._repr_html_()
    cells = re.findall(r"<td>(.*?)</td>", table)
    assert cells == [
        *("1", "Dense(n=3, k=8)", "3×8 + 8"),
        *("2", "LeakyReLU(slope=0.2)", ""),
        *("3", "Dense(n=8, k=2)", "8×2 + 2"),
    ]
    frame = "".join(re.split(r"<t[dh]>.*?</t[dh]>", table))
    assert frame == f"<table>{4 * '<tr></tr>'}</table>"


def test_importing_minigan_imports_nothing_that_draws():
    code = "import minigan, sys; print({'matplotlib', 'PIL', 'tqdm'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr
