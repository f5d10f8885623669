"""Every command in environments that people have: without docstrings, on consoles of other
encodings, without a home, from an install that cannot be written, with a broken Numba."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from minigan.lab.cli import main

PACKAGE = Path(__file__).resolve().parents[1] / "minigan"
SMALL = ["--data", "ring", "--G-hidden", "8", "--D-hidden", "8", "--batch-size", "16"]
TRAIN = ["train", "gan", *SMALL, "--steps", "4", "--quiet"]
COMMANDS = {
    "train": [*TRAIN, "--out", "new"],
    "resume": ["train", "gan", "--resume", "--steps", "6", "--quiet", "--out", "run"],
    "sample": ["sample", "run", "-n", "5", "-o", "x.png"],
    "evaluate": ["evaluate", "run", "--n", "30"],
    "gradcheck": ["gradcheck", "--dtype", "float32"],
    "help": ["train", "wgan-gp", "--help"],
}
ENVIRONMENTS = {
    "-OO": (["-OO"], {}),
    "cp1252": ([], {"PYTHONIOENCODING": "cp1252"}),
    "ascii": ([], {"PYTHONIOENCODING": "ascii"}),
    "LC_ALL=C": ([], {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
    "no HOME": ([], {"HOME": None, "MINIGAN_CACHE": None}),
    "no such backend of Matplotlib": ([], {"MPLBACKEND": "module://nowhere"}),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a run, a copy of the package that is read-only, and a Numba that breaks."""
    folder = tmp_path_factory.mktemp("environment")
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, folder / "install" / "minigan", ignore=ignore)
    for path in [folder / "install", *(folder / "install").rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    (folder / "broken").mkdir()
    (folder / "broken" / "numba.py").write_text(
        "raise SystemError('of another NumPy')", "utf-8"
    )
    done = minigan(folder, [*TRAIN, "--out", "run"])
    assert done.returncode == 0, done.stderr
    yield folder
    for path in [folder / "install", *(folder / "install").rglob("*")]:
        path.chmod(0o755)


def minigan(folder, command, options=(), **changes):
    environment = os.environ | {
        "PYTHONPATH": f"{folder / 'install'}{os.pathsep}{folder / 'broken'}"
    }
    environment = {k: v for k, v in (environment | changes).items() if v is not None}
    line = [sys.executable, *options, "-m", "minigan", *command]
    return subprocess.run(line, cwd=folder, env=environment, capture_output=True, timeout=120)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_command_works(place, tmp_path, environment, command):
    shutil.copytree(place / "run", tmp_path / "run")
    for name in ("install", "broken"):
        (tmp_path / name).symlink_to(place / name)
    options, changes = ENVIRONMENTS[environment]
    done = minigan(tmp_path, COMMANDS[command], options, **changes)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr


def test_a_run_may_have_a_name_in_any_script(place):
    done = minigan(place, [*TRAIN[:-1], "--out", "日本"], PYTHONIOENCODING="cp1252")
    assert done.returncode == 0, done.stderr
    assert (place / "日本" / "samples.png").exists()


@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.skipif(os.name != "posix", reason="a shell closes the streams")
def test_closed_streams_do_not_matter(place, tmp_path, closed):
    line = f"{sys.executable} -m minigan {' '.join(TRAIN)} --out {tmp_path / 'run'} {closed}"
    path = f"{place / 'install'}{os.pathsep}{place / 'broken'}"
    done = subprocess.run(line, shell=True, env=os.environ | {"PYTHONPATH": path}, timeout=120)
    assert done.returncode == 0
    assert (tmp_path / "run" / "film.gif").exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_output_is_one_sentence(place):
    line = f"{sys.executable} -m minigan evaluate run --n 30 > /dev/full"
    path = f"{place / 'install'}{os.pathsep}{place / 'broken'}"
    environment = os.environ | {"PYTHONPATH": path}
    run = {"shell": True, "cwd": place, "env": environment, "capture_output": True}
    done = subprocess.run(line, **run, timeout=120)
    assert done.returncode == 2
    assert done.stderr == b"minigan: No space left on device\n"


def test_a_missing_gpu_is_not_a_damaged_checkpoint(place):
    if minigan(place, ["gradcheck", "--backend", "cupy"]).returncode == 0:
        pytest.skip("CuPy works here")
    for name in ("sample", "evaluate"):
        done = minigan(place, COMMANDS[name], MINIGAN_BACKEND="cupy")
        assert done.returncode == 2
        assert done.stderr.startswith(b"minigan: backend: CuPy")


def test_the_command_line_serves_a_thread_and_leaves_its_program_as_it_was(tmp_path, capfd):
    pipe = getattr(signal, "SIGPIPE", signal.SIGINT)
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, pipe)]
    errors, statuses = sys.stderr.errors, []
    command = [*TRAIN, "--out", str(tmp_path / "run")]
    thread = threading.Thread(target=lambda: statuses.append(main(command)))
    thread.start()
    thread.join()
    statuses.append(main(["sample", str(tmp_path / "run"), "-o", str(tmp_path / "x.npz")]))
    assert statuses == [0, 0]
    after = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, pipe)]
    assert after == before
    assert sys.stderr.errors == errors


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
@pytest.mark.parametrize("name", ["train", "evaluate", "gradcheck"])
def test_ctrl_c_at_any_moment_ends_without_a_traceback(place, tmp_path, name):
    path = f"{place / 'install'}{os.pathsep}{place / 'broken'}"
    environment, statuses = os.environ | {"PYTHONPATH": path}, set()
    for number in range(8):
        command = [*COMMANDS[name]]
        if name == "train":
            command[-1] = str(tmp_path / str(number))
        process = subprocess.Popen(
            [sys.executable, "-m", "minigan", *command],
            cwd=place,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        time.sleep(0.6 + 0.1 * number)  # before, Python itself may not be there yet
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[1]
        assert b"Exception ignored" not in said
        assert b"Traceback" not in said, said
        statuses.add(process.returncode)
    assert statuses <= {0, 130, -signal.SIGINT}  # the last: while the interpreter ends
