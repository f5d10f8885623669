"""The command line as a process of its own: what a person types, sees, and finds in the folder,
also when the process is stopped or killed. What each option does is in test_session.py and
test_commands.py."""

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

TINY = ["--G-hidden", "8", "--D-hidden", "8", "--n-noise", "4", "--batch-size", "16"]
RING = ["--data", "ring"]


def minigan(*args, cwd, env=None):
    command = [sys.executable, "-m", "minigan", *map(str, args)]
    options = {"capture_output": True, "text": True, "timeout": 120}
    return subprocess.run(command, cwd=cwd, env=env, **options)


def ok(*args, **options):
    done = minigan(*args, **options)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture
def plain(tmp_path):
    """A folder, and an environment without Numba, where a process starts sooner."""
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden/numba.py").write_text("raise ModuleNotFoundError(name='numba')")
    paths = [str(tmp_path / "hidden"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"cwd": tmp_path, "env": os.environ | {"PYTHONPATH": os.pathsep.join(paths)}}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A short run on the digits and one on the ring."""
    cwd = tmp_path_factory.mktemp("cli")
    ok("train", "cgan", "--steps", 8, *TINY, cwd=cwd)
    ok("train", "wgan-gp", *RING, "--steps", 8, *TINY, cwd=cwd)
    return cwd


@pytest.mark.parametrize(
    ("run", "also"), [("cgan-mnist5k", "D(x)"), ("wgan-gp-ring", "w_estimate")]
)
def test_a_run_folder_holds_everything(runs, run, also):
    folder = runs / "runs" / run
    files = {"config.json", "metrics.csv", "checkpoint.npz", "frames"}
    files |= {"samples.png", "losses.png", "film.gif", "report.html", "classes.json", ".lock"}
    assert set(os.listdir(folder)) == files
    config = json.loads((folder / "config.json").read_text())
    assert config["steps"] == 8
    assert config["parameters"]["G_hidden"] == [8]
    with open(folder / "metrics.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [int(line["step"]) for line in lines] == list(range(1, 9))
    assert all(np.isfinite(float(line[also])) for line in lines)
    with Image.open(folder / "film.gif") as film:
        assert film.n_frames == 9
    for name in ("samples.png", "losses.png"):
        with Image.open(folder / name) as picture:
            assert min(picture.size) >= 400


def test_a_run_can_be_sampled_by_another_process(runs):
    line = ["sample", "runs/cgan-mnist5k", "--labels", 3, 1, 4, "--seed", 5, "-o", "pi.npz"]
    done = ok(*line, cwd=runs)
    assert (done.stdout, done.stderr) == ("", "")
    model, _ = load_checkpoint(runs / "runs/cgan-mnist5k/checkpoint.npz")
    with np.load(runs / "pi.npz", allow_pickle=False) as file:
        np.testing.assert_array_equal(file["x"], model.sample(3, 5, [3, 1, 4]))
        assert 0 <= file["x"].min() <= file["x"].max() <= 1


def start(*args, cwd, env):
    command = [sys.executable, "-m", "minigan", *map(str, args)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=cwd, env=env, **pipes)


def wait_for_lines(path, n):
    for _ in range(600):
        if path.exists() and path.read_text().count("\n") > n:
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} never had {n} lines")


def steps_of(folder):
    with open(folder / "metrics.csv", newline="") as file:
        return [int(line["step"]) for line in csv.DictReader(file)]


def test_a_run_killed_before_its_first_frame_can_be_resumed(tmp_path, plain):
    process = start("train", "gan", *RING, "--steps", 600000, "--quiet", *TINY, **plain)
    folder = tmp_path / "runs/gan-ring"
    wait_for_lines(folder / "metrics.csv", 1)
    process.kill()
    process.communicate()
    assert load_checkpoint(folder / "checkpoint.npz")[1].step == 0
    (folder / "metrics.csv").write_text("step,sec")  # as if cut within the first line
    ok("train", "gan", *RING, "--resume", "--steps", 5, "--quiet", **plain)
    assert load_checkpoint(folder / "checkpoint.npz")[1].step == 5
    assert json.loads((folder / "config.json").read_text())["steps"] == 5
    assert steps_of(folder) == [1, 5]


def test_ctrl_c_saves_says_where_and_exits_130(tmp_path, plain):
    process = start("train", "gan", *RING, "--steps", 200000, *TINY, **plain)
    folder = tmp_path / "runs/gan-ring"
    wait_for_lines(folder / "metrics.csv", 3)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "minigan train gan --resume --out runs/gan-ring" in errors
    assert "Traceback" not in errors
    _, state = load_checkpoint(folder / "checkpoint.npz")
    assert state.step > 100
    steps = steps_of(folder)
    assert steps == sorted(set(steps))
    assert steps[-1] <= state.step


def test_kill_minus_nine_leaves_a_run_that_can_be_resumed(tmp_path, plain):
    process = start("train", "gan", *RING, "--steps", 20000, "--quiet", *TINY, **plain)
    folder = tmp_path / "runs/gan-ring"
    wait_for_lines(folder / "metrics.csv", 50)
    process.kill()
    process.communicate()
    with open(folder / "metrics.csv", "a") as file:
        file.write("19999,1.0,0.")  # as if cut in the middle of a line
    _, state = load_checkpoint(folder / "checkpoint.npz")
    assert 0 < state.step < 20000
    more = ["--resume", "--steps", state.step + 30, "--quiet"]
    ok("train", "gan", *RING, *more, **plain)
    steps = steps_of(folder)
    assert steps == sorted(set(steps))
    assert steps[-1] == state.step + 30


def test_a_wrong_input_is_one_line_on_stderr_and_status_2(runs):
    before = (runs / "runs/cgan-mnist5k/checkpoint.npz").read_bytes()
    done = minigan("train", "cgan", cwd=runs)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("minigan: runs/cgan-mnist5k holds a run already; --resume")
    assert done.stderr.count("\n") == 1
    assert (runs / "runs/cgan-mnist5k/checkpoint.npz").read_bytes() == before


def test_the_entry_point_and_the_module_are_the_same(tmp_path):
    assert "usage: minigan" in ok("--help", cwd=tmp_path).stdout
    assert "usage: minigan train gan" in ok("train", "gan", "--help", cwd=tmp_path).stdout


@pytest.mark.skipif(os.name != "posix", reason="needs a terminal as POSIX has it")
def test_on_a_terminal_of_eighty_columns_the_bar_keeps_a_bar_and_the_numbers(tmp_path, plain):
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    command = [sys.executable, "-m", "minigan", "train", "gan", "--steps", "100000", *TINY]
    process = subprocess.Popen(command, stderr=theirs, stdout=theirs, **plain)
    os.close(theirs)
    screen = b""
    while screen.count(b"\r") < 4:
        screen += os.read(ours, 4096)
    process.kill()
    process.wait()
    os.close(ours)
    line = screen.decode().split("\r")[-2]
    assert len(line) <= 80
    assert "D(G(z))=" in line
    assert len(line.split("|")[1]) >= 15
