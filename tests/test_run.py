"""A run folder: what is written when, what of it is believed, and what is made again."""

import csv
import errno
import io
import json
import os
import platform

import numpy as np
import pytest
from PIL import Image

import minigan
from minigan import DivergedError, RunError, fast, load_checkpoint
from minigan.data import Dataset
from minigan.lab import log, plots
from minigan.lab import run as module
from minigan.lab.classes import read_looks
from minigan.lab.config import Config
from minigan.lab.files import lock
from minigan.lab.loaders import ring
from minigan.lab.models import build, describe
from minigan.lab.run import Run, drawn, restore, versions, write_measures
from minigan.training import TrainState, train

POINTS = {"n_data": 2, "n_noise": 3, "G_hidden": (4,), "D_hidden": (5,), "output": "linear"}
RING = ring(n=60)
PIXELS = Dataset(np.random.default_rng(0).random((40, 6)), image_shape=(2, 3))
RECORD = {"loss_D": 1.0, "loss_G": 2.0, "D(x)": 0.5, "D(G(z))": 0.25}


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    """Nothing is compiled, and curves are drawn quickly."""
    monkeypatch.setattr(fast, "njit", None)
    monkeypatch.setattr(plots, "losses_png", lambda columns, guides: repr(columns).encode())


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    return path


def small(name="gan", **more):
    return build(name, **POINTS | more)


def begin(folder, steps=4, data=RING, model=None):
    """A run that was just begun, and what it is trained with."""
    model, state = model or small(n_data=data.x.shape[1]), TrainState()
    name, parameters = describe(model)
    config = Config(model=name, data="ring", steps=steps, batch_size=8, parameters=parameters)
    return Run.create(folder, config, model, state, data), model, state, data


def play(run, model, state, data, steps):
    """Some steps, each logged and saved."""
    for record in train(model, data, steps, batch_size=8, state=state):
        run.log(record)
        run.save(model, state, data)


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def size(png):
    with Image.open(io.BytesIO(png)) as picture:
        return picture.size


# ---- beginning ----


def test_a_new_run_is_its_configuration_its_checkpoint_and_its_first_frame(folder):
    run, model, state, _ = begin(folder, steps=7)
    assert names(folder) == ["checkpoint.npz", "config.json", "frames/00000000.png"]
    assert run.folder == folder
    config = Config.read(folder / "config.json")
    assert vars(config) == vars(run.config)
    assert (config.steps, config.steps_per_film) == (7, 7)
    assert config.versions == versions()
    loaded, back = load_checkpoint(run.checkpoint)
    np.testing.assert_array_equal(loaded.G.theta, model.G.theta)
    assert back.to_dict() == state.to_dict()
    assert run.checkpoint == folder / "checkpoint.npz"


def test_the_versions_are_those_that_the_numbers_depend_on():
    assert versions() == {
        "minigan": minigan.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.platform(),
    }


def test_a_run_in_the_place_of_another_leaves_nothing_of_it_and_all_of_the_users(folder):
    run, *old = begin(folder)
    play(run, *old, 4)
    run.complete(*old)
    write_measures(run, {"n": 3})
    (folder / "thesis.tex").write_text("years of work")
    (folder / "frames" / "notes.txt").write_text("too")
    begin(folder, model=small(seed=1))
    assert names(folder) == [
        *("checkpoint.npz", "config.json", "frames/00000000.png", "frames/notes.txt"),
        "thesis.tex",
    ]
    assert Run.open(folder).config.parameters["seed"] == 1
    assert Run.open(folder).config.history == []


def test_a_run_that_cannot_begin_leaves_the_one_that_is_there(folder, monkeypatch):
    run, *_ = begin(folder)
    before = {name: (folder / name).read_bytes() for name in names(folder)}
    diverged = small(seed=1)
    diverged.G.theta[0] = np.nan
    with pytest.raises(DivergedError, match="not finite: G theta"):
        begin(folder, model=diverged)

    def refused(*places):
        assert places == (folder / ".new", folder / ".ready")  # which a kill may leave behind
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "rename", refused)
    with pytest.raises(RunError, match="^cannot begin a run in .*run: Permission denied$"):
        begin(folder, model=small(seed=1))
    assert {name: (folder / name).read_bytes() for name in names(folder)} == before
    assert set(os.listdir(folder)) == {"checkpoint.npz", "config.json", "frames"}


def test_what_a_killed_beginning_left_is_no_obstacle(folder):
    (folder / ".new" / "frames").mkdir(parents=True)
    begin(folder)
    assert names(folder) == ["checkpoint.npz", "config.json", "frames/00000000.png"]


@pytest.mark.parametrize(
    ("steps", "frame_every", "log_every"),
    [
        (1, 1, 1),
        (59, 1, 1),
        (119, 1, 1),
        (120, 2, 1),
        (1999, 33, 1),
        (3999, 66, 1),
        (4000, 66, 2),
        (12000, 200, 6),
    ],
)
def test_a_film_has_sixty_frames_or_a_few_more_and_a_log_two_thousand_lines(
    folder, steps, frame_every, log_every
):
    run = Run(str(folder), Config(steps=10**6, steps_per_film=steps))
    assert (run.frame_every, run.log_every) == (frame_every, log_every)
    assert run.folder == folder


# ---- opening ----


def test_only_what_is_a_run_is_opened(folder):
    for place in (folder, folder / "nowhere"):
        with pytest.raises(RunError, match=f"^{place}: no run of minigan is here$"):
            Run.open(place)
    begin(folder)
    assert vars(Run.open(str(folder)).config) == vars(Config.read(folder / "config.json"))
    (folder / "config.json").write_text("{}")
    with pytest.raises(RunError, match="not a run's configuration"):
        Run.open(folder)


def test_a_change_is_kept_in_the_file(folder):
    run, *_ = begin(folder)
    run.change(3, steps=9, lr=0.5)
    config = Config.read(folder / "config.json")
    assert (config.steps, config.parameters["lr"]) == (9, 0.5)
    assert config.history == [
        {"step": 3, "steps": [4, 9]},
        {"step": 3, "lr": [0.001, 0.5]},
    ]


OTHER = {
    "n_noise": 4,
    "G_hidden": (9,),
    "slope": 0.5,
    "output": "sigmoid",
    "init": "glorot",
    "ema_decay": 0.5,
    "seed": 7,
    "dtype": "float64",
    "minimax": True,
    "real_label": 1.0,
}


@pytest.mark.parametrize("name", OTHER)
def test_a_configuration_of_another_model_is_refused_by_the_parameters_name(folder, name):
    run, *_ = begin(folder)
    run.config.parameters[name] = OTHER[name]
    message = (
        f"^{folder}: config.json and checkpoint.npz disagree about {name}; give config.json"
    )
    for call in (run.read, run.load):
        with pytest.raises(RunError, match=message):
            call()


def test_a_checkpoint_of_another_game_is_refused(folder):
    run, *_ = begin(folder, model=small("wgan"))
    run.config.model = "cwgan"
    with pytest.raises(RunError, match="config.json and checkpoint.npz disagree about model;"):
        run.read()


@pytest.mark.parametrize("changes", [{"lr": 0.5}, {"D_lr": 0.5}, {"backend": "numpy"}])
def test_rates_and_the_backend_may_be_edited(folder, changes):
    run, model, *_ = begin(folder)
    run.config.parameters |= changes
    found, _ = run.read("numpy")
    assert found.backend == run.load("numpy")[0].backend == "numpy"
    assert run.read()[0].backend is run.load()[0].backend is None
    np.testing.assert_array_equal(found.G.theta, model.G.theta)


def test_to_read_a_run_changes_nothing_and_to_go_on_drops_what_came_after_its_checkpoint(
    folder,
):
    run, *rest = begin(folder)
    play(run, *rest, 2)
    saved = run.checkpoint.read_bytes()
    play(run, *rest, 4)
    run.checkpoint.write_bytes(saved)
    mine = folder / "frames" / "000000099.png"  # no name of ours
    mine.write_text("mine")
    again = Run.open(folder)
    before = names(folder)
    assert again.read()[1].step == 2
    assert names(folder) == before
    assert len(log.read_log(folder / "metrics.csv")[1]) == 4
    _, state = again.load()
    assert state.step == 2
    assert [row[0] for row in log.read_log(folder / "metrics.csv")[1]] == ["1", "2"]
    frames = {f"frames/{step:08d}.png" for step in (0, 1, 2)}
    others = {"checkpoint.npz", "config.json", "metrics.csv", "classes.json"}
    assert set(names(folder)) == {*others, *frames, "frames/000000099.png"}
    assert [look[0] for look in read_looks(folder).looks] == [1, 2]
    assert again.seconds == float(log.read_log(folder / "metrics.csv")[1][-1][1])


def test_a_frame_that_vanishes_meanwhile_is_no_obstacle(folder, monkeypatch):
    run, *_ = begin(folder)
    monkeypatch.setattr(module, "frames", lambda place: [place / "frames" / "00000009.png"])
    assert run.load()[1].step == 0


# ---- the log ----


@pytest.fixture
def clock(monkeypatch):
    """The monotonic clock, to be set by hand."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def table(folder):
    with open(folder / "metrics.csv", newline="") as file:
        return list(csv.reader(file))


def test_the_first_step_the_last_and_every_nth_are_logged_with_seconds(folder, clock):
    config = Config(steps=11, steps_per_film=3 * module.LINES)
    run = Run(folder, config)
    for step in range(1, 12):
        clock[0] += 0.25
        assert run.log({"step": step} | RECORD) is (step in (1, 3, 6, 9, 11))
    assert table(folder) == [
        ["step", "seconds", "loss_D", "loss_G", "D(x)", "D(G(z))"],
        ["1", "0.250", "1", "2", "0.5", "0.25"],
        ["3", "0.750", "1", "2", "0.5", "0.25"],
        ["6", "1.500", "1", "2", "0.5", "0.25"],
        ["9", "2.250", "1", "2", "0.5", "0.25"],
        ["11", "2.750", "1", "2", "0.5", "0.25"],
    ]


def test_the_seconds_of_a_run_that_goes_on_go_on(folder, clock):
    run, model, state, data = begin(folder, steps=2)
    clock[0] += 7
    play(run, model, state, data, 1)
    clock[0] += 1000  # nobody trains
    run = Run.open(folder)
    run.load()
    clock[0] += 2.5
    run.log({"step": 2} | RECORD)
    assert [row[1] for row in table(folder)] == ["seconds", "7.000", "9.500"]


def test_a_record_is_written_with_seven_digits_under_the_names_that_are_there(folder, clock):
    (folder / "metrics.csv").write_text("step,seconds,D(x),loss_G,D(G(z)),loss_D\n")
    run = Run(folder, Config())
    for step in (1, 2):
        run.log({"step": step} | RECORD | {"loss_D": 1 / 3 * 10**step, "D(x)": 123456789.0})
    assert table(folder)[1:] == [
        ["1", "0.000", "1.234568e+08", "2", "0.25", "3.333333"],
        ["2", "0.000", "1.234568e+08", "2", "0.25", "33.33333"],
    ]


# ---- saving ----


def frames(folder):
    return [int(path.stem) for path in sorted((folder / "frames").glob("*.png"))]


def test_a_frame_is_drawn_every_nth_step_and_at_the_last(folder):
    run, model, state, data = begin(folder, steps=7)
    run.frame_every = 3
    for state.step in range(1, 8):
        run.save(model, state, data)
        assert load_checkpoint(run.checkpoint)[1].step == state.step
    assert frames(folder) == [0, 3, 6, 7]


def test_a_frame_that_is_there_stays(folder):
    run, model, state, data = begin(folder)
    path = folder / "frames" / "00000000.png"
    path.write_bytes(b"drawn before")
    run.frame(model, state, data)
    assert path.read_bytes() == b"drawn before"
    path.unlink()
    run.frame(model, state, data)
    assert size(path.read_bytes()) == (plots.SIDE, plots.SIDE)


# ---- pictures ----


def test_a_picture_is_drawn_from_the_same_noise_each_time(folder):
    model = small()
    assert Run.picture(model, RING) == Run.picture(model, RING)
    model.G.theta += 0.3
    assert Run.picture(model, RING) != Run.picture(small(), RING)


@pytest.mark.parametrize(
    ("data", "n", "scale", "pixels"),
    [
        (PIXELS, 100, 1, (50, 40)),
        (PIXELS, 100, 2, (100, 80)),
        (RING, 1000, 1, (plots.SIDE, plots.SIDE)),
    ],
)
def test_a_picture_has_a_hundred_images_or_a_thousand_points(
    monkeypatch, data, n, scale, pixels
):
    model, asked, draw = small(n_data=data.x.shape[1]), [], minigan.GAN.sample
    monkeypatch.setattr(minigan.GAN, "sample", lambda self, n: asked.append(n) or draw(self, n))
    assert size(Run.picture(model, data, scale=scale)) == pixels
    assert asked == [n]


def test_points_are_drawn_over_those_of_the_data():
    model = small()
    with Image.open(io.BytesIO(Run.picture(model, RING))) as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors()}
    assert colours == {(255, 255, 255), plots.GREY, plots.ORANGE}


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_model_that_is_diverging_is_drawn_without_a_warning():
    model = small(n_data=6)
    model.G.theta[:] = 3e38 * np.sign(model.G.theta)
    assert size(Run.picture(model, PIXELS)) == (50, 40)


PICTURES = ("samples.png", "losses.png", "film.gif", "report.html")


@pytest.fixture
def trained(folder):
    """A run after its four steps, complete."""
    run, *rest = begin(folder)
    play(run, *rest, 4)
    run.complete(*rest)
    return run, *rest


def film(folder):
    with Image.open(folder / "film.gif") as pictures:
        return pictures.n_frames


def test_a_complete_run_has_its_pictures_and_its_report(trained, folder):
    run, model, _, data = trained
    assert set(PICTURES) < set(names(folder))
    assert (folder / "samples.png").read_bytes() == Run.picture(model, data, scale=2)
    assert (folder / "losses.png").read_bytes() == repr(
        log.columns(folder / "metrics.csv")
    ).encode()
    assert film(folder) == 5
    assert frames(folder) == [0, 1, 2, 3, 4]


def test_the_samples_of_a_complete_run_are_twice_as_large_as_in_its_film(folder):
    run, *rest = begin(folder, data=PIXELS, model=small(n_data=6, output="sigmoid"))
    run.complete(*rest)
    assert size((folder / "frames" / "00000000.png").read_bytes()) == (50, 40)
    assert size((folder / "samples.png").read_bytes()) == (100, 80)


def test_what_is_missing_is_made_again_and_what_is_there_stays(trained, folder):
    run, *rest = trained
    for name in PICTURES:
        before = {other: (folder / other).read_bytes() for other in PICTURES}
        for other in PICTURES:
            if other != name:
                (folder / other).write_bytes(b"as it was")
        (folder / name).unlink()
        run.complete(*rest)
        assert (folder / name).read_bytes() == before[name]
        for other in PICTURES:
            if other != name:
                assert (folder / other).read_bytes() == b"as it was"
                (folder / other).write_bytes(before[other])


def test_the_last_frame_is_drawn_again_and_its_folder_made(trained, folder):
    run, *rest = trained
    for path in (folder / "frames").iterdir():
        path.unlink()
    (folder / "frames").rmdir()
    (folder / "film.gif").unlink()
    run.complete(*rest)
    assert frames(folder) == [4]
    assert film(folder) == 1


def test_a_picture_is_stale_if_it_is_older_than_the_checkpoint_or_empty(trained, folder):
    run, *_ = trained
    path, saved = folder / "samples.png", run.checkpoint.stat().st_mtime_ns
    for time, stale in ((saved - 1, True), (saved, False), (saved + 1, False)):
        os.utime(path, ns=(time, time))
        assert run.is_stale("samples.png") is stale
    path.write_bytes(b"")
    assert run.is_stale("samples.png")
    path.unlink()
    assert run.is_stale("samples.png")
    path.symlink_to("losses.png")
    os.utime(path, ns=(saved - 1, saved - 1), follow_symlinks=False)
    assert run.is_stale("samples.png")
    run.checkpoint.unlink()
    assert run.is_stale("losses.png")


def test_without_a_log_there_are_no_curves_and_without_frames_no_film(folder):
    run, *rest = begin(folder)
    (folder / "frames" / "00000000.png").unlink()
    assert run.draw_losses() is None
    assert run.draw_film() is None
    run.frame_every = 5
    rest[1].step = 1
    run.complete(*rest)
    assert names(folder) == ["checkpoint.npz", "config.json", "report.html", "samples.png"]


def test_frames_that_cannot_be_read_are_left_out_of_the_film(trained, folder, monkeypatch):
    run, *rest = trained
    shown = folder / "frames" / "00000001.png"
    shown.write_bytes(b"no picture")
    (folder / "frames" / "00000002.png").unlink()
    (folder / "frames" / "00000002.png").mkdir()
    with Image.open(io.BytesIO(run.draw_film())) as pictures:
        assert pictures.n_frames == 3
    shown.write_bytes(bytes(10**5))
    monkeypatch.setattr(module, "LARGEST_FRAME", 10**5 - 1)
    with Image.open(io.BytesIO(run.draw_film())) as pictures:
        assert pictures.n_frames == 3


def test_a_library_that_cannot_draw_costs_its_picture_and_one_line(
    trained, folder, monkeypatch, capsys
):
    run, *rest = trained

    def broken(*_):
        raise ImportError("no such\nlibrary\x1b[2J")

    monkeypatch.setattr(plots, "losses_png", broken)
    for name in PICTURES:
        (folder / name).unlink()
    run.complete(*rest)
    said = capsys.readouterr()
    assert said.err == "minigan: cannot draw losses.png: no such library\\x1b[2J\n"
    assert said.out == ""
    assert {*PICTURES} - {*names(folder)} == {"losses.png"}


def test_what_minigan_or_the_system_says_of_a_picture_is_an_error():
    for error in (RunError("full"), OSError(28, "full")):

        def broken(error=error):
            raise error

        with pytest.raises(type(error), match="full"):
            drawn("samples.png", broken)
    assert drawn("samples.png", lambda: b"drawn") == b"drawn"


# ---- what other commands leave ----


def test_a_folder_is_made_whole_unless_another_process_holds_it(trained, folder):
    run, *rest = trained
    before = {name: (folder / name).read_bytes() for name in names(folder)}
    missing = ("film.gif", "samples.png", "frames/00000004.png")
    for name in missing:
        (folder / name).unlink()
    with lock(folder):
        restore(folder, *rest)
        assert not set(missing) & set(names(folder))
    restore(folder, *rest)
    assert {name: (folder / name).read_bytes() for name in names(folder)} == before | {
        ".lock": b""
    }


def test_a_folder_that_cannot_be_written_is_left(trained, folder, monkeypatch):
    _, *rest = trained
    (folder / "film.gif").unlink()

    def refused(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "fsync", refused)
    restore(folder, *rest)
    assert not (folder / "film.gif").exists()
    monkeypatch.undo()
    for path in (folder / "frames").iterdir():
        path.unlink()
    (folder / "frames").rmdir()
    (folder / "frames").write_text("a file in the place of the folder")
    restore(folder, *rest)
    assert not (folder / "film.gif").exists()


def test_what_was_measured_is_kept_as_json(folder):
    run, *_ = begin(folder)
    write_measures(run, {"n": 3, "share": 0.5})
    text = (folder / "metrics.json").read_text()
    assert json.loads(text) == {"n": 3, "share": 0.5}
    assert text == '{\n  "n": 3,\n  "share": 0.5\n}\n'
