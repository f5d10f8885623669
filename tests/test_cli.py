"""The command line, as a subprocess: what a person types, sees, and finds in the folder."""

import csv
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from minigan.lab.checkpoint import load_checkpoint
from minigan.lab.cli import parser
from minigan.lab.models import MODELS, RECIPES

TINY = ["--G-hidden", "8", "--D-hidden", "8", "--n-noise", "4", "--batch-size", "16"]


def minigan(*args, cwd, **options):
    command = [sys.executable, "-m", "minigan", *map(str, args)]
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=120, **options
    )


def ok(*args, cwd):
    done = minigan(*args, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done


def refused(*args, cwd, message):
    """Exit status 2 and one line that says why, on stderr; nothing on stdout."""
    done = minigan(*args, cwd=cwd)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert done.stderr.startswith("minigan: ")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    assert message in done.stderr
    assert done.stdout == ""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """One short run of each model on the digits, and one on the ring."""
    cwd = tmp_path_factory.mktemp("cli")
    for name in MODELS:
        ok("train", name, "--steps", 30, *TINY, cwd=cwd)
    ok("train", "gan", "--data", "ring", "--steps", 30, *TINY, cwd=cwd)
    return cwd


@pytest.mark.parametrize("run", ["gan-mnist5k", "cgan-mnist5k", "wgan-mnist5k", "gan-ring"])
def test_a_run_folder_holds_everything(runs, run):
    folder = runs / "runs" / run
    files = {"config.json", "metrics.csv", "checkpoint.npz", "frames"}
    files |= {"samples.png", "losses.png", "film.gif", ".lock"}
    assert set(os.listdir(folder)) == files
    config = json.loads((folder / "config.json").read_text())
    assert config["steps"] == 30
    assert config["seed"] == 0
    assert config["parameters"]["G_hidden"] == [8]
    assert set(config["versions"]) >= {"minigan", "numpy", "python"}
    with open(folder / "metrics.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [int(line["step"]) for line in lines] == list(range(1, 31))
    estimate = "w_estimate" if run.startswith("wgan") else "D(x)"
    assert all(np.isfinite(float(line[estimate])) for line in lines)
    with Image.open(folder / "film.gif") as film:
        assert film.n_frames == 31
    with Image.open(folder / "samples.png") as picture:
        assert min(picture.size) >= 400
    with Image.open(folder / "losses.png") as picture:
        assert min(picture.size) >= 400


def test_samples_as_npz(runs):
    ok("sample", "runs/cgan-mnist5k", "--labels", 3, 1, 4, "-o", "pi.npz", cwd=runs)
    with np.load(runs / "pi.npz", allow_pickle=False) as file:
        assert file["x"].shape == (3, 784)
        assert file["x"].dtype == np.float32
        assert 0 <= file["x"].min() <= file["x"].max() <= 1
        assert file["labels"].tolist() == [3, 1, 4]
    ok("sample", "runs/gan-mnist5k", "-n", 7, "--seed", 5, "-o", "x.npz", cwd=runs)
    model, _ = load_checkpoint(runs / "runs/gan-mnist5k/checkpoint.npz")
    with np.load(runs / "x.npz") as file:
        assert file.files == ["x"]
        np.testing.assert_array_equal(file["x"], model.sample(7, seed=5))


@pytest.mark.parametrize("run", ["gan-mnist5k", "cgan-mnist5k", "gan-ring"])
def test_samples_as_a_picture(runs, run):
    ok("sample", f"runs/{run}", "-n", 20, "-o", "some.png", cwd=runs)
    with Image.open(runs / "some.png") as picture:
        assert picture.size == ((600, 120) if "mnist" in run else (480, 480))


def test_a_resumed_run_is_the_run_never_stopped(runs):
    ok("train", "gan", *TINY, "--steps", 20, "--out", "parts", cwd=runs)
    done = ok("train", "gan", "--resume", "--steps", 30, "--out", "parts", cwd=runs)
    assert "parts/samples.png" in done.stdout
    ok("train", "gan", *TINY, "--steps", 30, "--out", "once", "--quiet", cwd=runs)
    thetas = []
    for folder in ("parts", "once"):
        model, state = load_checkpoint(runs / folder / "checkpoint.npz")
        assert state.step == 30
        thetas.append(np.concatenate([model.G.theta, model.D.theta]))
    np.testing.assert_array_equal(*thetas)
    with open(runs / "parts" / "metrics.csv") as file:
        assert [int(line["step"]) for line in csv.DictReader(file)] == list(range(1, 31))


def test_a_run_killed_before_its_first_frame_can_be_resumed(tmp_path):
    process = start("train", "gan", "--steps", 600000, "--quiet", *TINY, cwd=tmp_path)
    wait_for_lines(tmp_path / "runs/gan-mnist5k/metrics.csv", 1)
    process.kill()
    process.communicate()
    folder = tmp_path / "runs/gan-mnist5k"
    assert load_checkpoint(folder / "checkpoint.npz")[1].step == 0
    (folder / "metrics.csv").write_text("step,sec")  # as if cut within the first line
    ok("train", "gan", "--resume", "--steps", 5, "--quiet", cwd=tmp_path)
    assert load_checkpoint(folder / "checkpoint.npz")[1].step == 5
    assert json.loads((folder / "config.json").read_text())["steps"] == 5
    with open(folder / "metrics.csv") as file:
        assert [int(line["step"]) for line in csv.DictReader(file)] == [1, 5]


def test_resuming_a_finished_run_says_so(runs):
    done = ok("train", "gan", "--resume", cwd=runs)
    assert "already at step 30" in done.stdout


def start(*args, cwd):
    return subprocess.Popen(
        [sys.executable, "-m", "minigan", *map(str, args)],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_lines(path, n):
    for _ in range(600):
        if path.exists() and path.read_text().count("\n") > n:
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} never had {n} lines")


def test_ctrl_c_saves_says_where_and_exits_130(tmp_path):
    process = start("train", "gan", "--steps", 200000, *TINY, cwd=tmp_path)
    wait_for_lines(tmp_path / "runs/gan-mnist5k/metrics.csv", 3)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "minigan train gan --resume --out runs/gan-mnist5k" in errors
    assert "Traceback" not in errors
    _, state = load_checkpoint(tmp_path / "runs/gan-mnist5k/checkpoint.npz")
    assert state.step > 100
    more = state.step + 5
    ok("train", "gan", "--resume", "--steps", more, cwd=tmp_path)


def test_kill_minus_nine_leaves_a_run_that_can_be_resumed(tmp_path):
    process = start("train", "gan", "--steps", 6000, "--quiet", *TINY, cwd=tmp_path)
    wait_for_lines(tmp_path / "runs/gan-mnist5k/metrics.csv", 150)
    process.kill()
    process.communicate()
    with open(tmp_path / "runs/gan-mnist5k/metrics.csv", "a") as file:
        file.write("5999,1.0,0.")  # as if cut in the middle of a line
    _, state = load_checkpoint(tmp_path / "runs/gan-mnist5k/checkpoint.npz")
    assert 0 < state.step < 6000
    ok("train", "gan", "--resume", "--steps", state.step + 30, "--quiet", cwd=tmp_path)
    with open(tmp_path / "runs/gan-mnist5k/metrics.csv") as file:
        steps = [int(line["step"]) for line in csv.DictReader(file)]
    assert steps == sorted(set(steps))
    assert steps[-1] == state.step + 30


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["train", "gan"], "--resume continues it, --overwrite replaces it"),
        (["train", "gan", "--out", "."], "not empty and not a run of minigan"),
        (["train", "gan", "--resume", "--out", "nowhere"], "no run of minigan is here"),
        (["train", "gan", "--resume", "--overwrite"], "exclude each other"),
        (["train", "gan", "--resume", "--slope", "0.5"], "begun with slope = 0.2, not 0.5"),
        (["train", "gan", "--resume", "--lr", "-1"], "lr: expected a positive number, got -1"),
        (["train", "cgan", "--resume", "--out", "runs/gan-mnist5k"], "holds a gan run"),
        (
            ["train", "gan", "--out", "new", "--steps", "0"],
            "steps: must be at least 1, got 0",
        ),
        (["train", "gan", "--out", "new", "--lr", "-1"], "lr: expected a positive number"),
        (["train", "gan", "--out", "new", "--batch-size", "5001"], "5001"),
        (["train", "gan", "--out", "new", "--batch-size", "0"], "batch_size"),
        (["train", "gan", "--out", "new", "--data", "fashion"], "fashion"),
        (["train", "gan", "--out", "new", "--n-noise", "0"], "n_noise: must be at least 1"),
        (["train", "wgan", "--out", "new", "--clip", "0"], "clip: expected a positive number"),
        (["train", "cgan", "--out", "new", "--n-classes", "9"], "9"),
        (["train", "gan", "--out", "new", "--backend", "cupy"], "backend: CuPy"),
        (["train", "gan", "--out", "/proc/new"], "cannot make the run folder /proc/new"),
        (["sample", "nowhere", "-o", "x.png"], "no run of minigan is here"),
        (["sample", "runs/gan-mnist5k", "-o", "x.jpg"], "ending in .png or .npz, got x.jpg"),
        (["sample", "runs/gan-mnist5k", "-n", "0", "-o", "x.png"], "n: must be at least 1"),
        (["sample", "runs/gan-mnist5k", "--labels", "1", "-o", "x.png"], "is not conditional"),
        (["sample", "runs/cgan-mnist5k", "--labels", "12", "-o", "x.png"], "got 12"),
        (["sample", "runs/gan-mnist5k", "-n", "10" + 10 * "0", "-o", "x.npz"], "GB of memory"),
        (["sample", "runs/gan-mnist5k", "-o", "runs/gan-mnist5k/checkpoint.npz"], "belongs to"),
        (["train", "gan", "--out", "new", "--n-noise", "1" + 9 * "0"], "GB of memory"),
        (["train", "gan", "--out", "new", "--seed", "-1"], "seed: must be at least 0, got -1"),
        (["sample", "runs/gan-mnist5k", "-o", "no/such/x.png"], "cannot write no/such/x.png"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_gets_one_clear_line_and_exit_status_2(runs, args, message):
    before = (runs / "runs/gan-mnist5k/checkpoint.npz").read_bytes()
    refused(*args, cwd=runs, message=message)
    assert not (runs / "new").exists()
    assert (runs / "runs/gan-mnist5k/checkpoint.npz").read_bytes() == before


def test_overwrite_replaces_a_run_and_nothing_else(tmp_path):
    train = ["train", "gan", "--steps", 3, *TINY, "--quiet", "--out", "run"]
    ok(*train, cwd=tmp_path)
    ok(*train, "--overwrite", "--seed", 1, cwd=tmp_path)
    assert json.loads((tmp_path / "run/config.json").read_text())["seed"] == 1
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/thesis.tex").write_text("years of work")
    refused(
        *train, "--overwrite", "--out", "precious", cwd=tmp_path, message="not a run of minigan"
    )
    assert (tmp_path / "precious/thesis.tex").exists()


def test_a_run_that_diverges_keeps_its_checkpoint(tmp_path):
    done = minigan(
        *("train", "gan", "--lr", "1e30", "--D-lr", "1e30", "--steps", 50, *TINY, "--quiet"),
        cwd=tmp_path,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("minigan: step ")
    assert "not finite: " in done.stderr
    assert "the last good state is in" in done.stderr
    assert done.stderr.count("\n") == 1
    load_checkpoint(tmp_path / "runs/gan-mnist5k/checkpoint.npz")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root writes anywhere")
def test_no_permission_in_the_run_folder(runs, tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    refused("train", "gan", "--out", folder / "run", cwd=runs, message="Permission denied")


@pytest.mark.parametrize(
    "command", [[], ["train"], *(["train", m] for m in MODELS), ["sample"], ["download"]]
)
def test_help_has_examples_everywhere(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        parser().parse_args([*command, "--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    assert "minigan " + " ".join(command) in text
    if len(command) != 1 or command[0] != "train":
        assert "example" in text or "good start" in text
    if command[:1] == ["train"] and len(command) == 2:
        assert f"default {RECIPES[command[1]]['steps']}" in text
        assert "--G-hidden" in text
        assert "learning rate" in text


def test_the_entry_point_and_the_module_are_the_same(tmp_path):
    assert "usage: minigan" in ok("--help", cwd=tmp_path).stdout
    assert "usage: minigan train gan" in ok("train", "gan", "--help", cwd=tmp_path).stdout


def test_argparse_errors_exit_with_2(tmp_path):
    done = minigan("train", "gan", "--stepz", 3, cwd=tmp_path)
    assert done.returncode == 2
    assert "unrecognized arguments: --stepz" in done.stderr
