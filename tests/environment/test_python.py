"""Python's options, the locale, what is installed and what is broken."""

import json
import os
import shutil
import time

import pytest
from place import (
    BOUND,
    PACKAGE,
    QUICK,
    RESUME,
    TRAIN,
    check_whole,
    content,
    every_command_works,
    no_bounds,
)

import minigan

ENVIRONMENTS = {
    "python -O": (["-O"], {"MPLBACKEND": "TkAgg", "PYTHONDONTWRITEBYTECODE": "1"}),
    "python -OO": (["-OO"], {"MPLBACKEND": "qtagg"}),
    "developer mode": (["-X", "dev", "-W", "error"], {"MPLBACKEND": "module://nonexistent"}),
    "cp1252": ([], {"PYTHONIOENCODING": "cp1252", "PYTHONUNBUFFERED": "1"}),
    "ascii": ([], {"PYTHONIOENCODING": "ascii", "LC_ALL": "POSIX"}),
    "utf-16": ([], {"PYTHONIOENCODING": "utf-16", "PYTHONUTF8": "1", "COLUMNS": "1"}),
    "the C locale": ([], {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
    "without a home": ([], {"HOME": None, "MINIGAN_CACHE": None, "COLUMNS": "wide"}),
}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_command_works_in(place, name):
    python, env = ENVIRONMENTS[name]
    assert not every_command_works(place, python, env=env)


def test_every_text_file_is_opened_with_an_encoding(place):
    python = ["-X", "warn_default_encoding", "-W", "always::EncodingWarning"]
    said = every_command_works(place, python, stand_ins=QUICK)
    assert not [line for line in said if str(PACKAGE) in line]


def test_every_command_works_where_matplotlib_can_keep_nothing(place):
    (place / "file").touch()
    env = {"MPLCONFIGDIR": str(place / "file/folder"), "HOME": str(place / "file")}
    said = every_command_works(place, env=env | {"MINIGAN_CACHE": None})
    assert all("MPLCONFIGDIR" in line or "mkdir" in line for line in said)


def test_every_command_works_beside_a_numba_that_cannot_be_imported(place):
    assert not every_command_works(place, stand_ins=["bad_numba", "quick"])


def test_every_command_works_with_little_memory_and_few_files(place):
    limits = 'ulimit -v 1000000 && ulimit -n 10 && exec "$@"'
    assert not every_command_works(place, wrap=["sh", "-c", limits, "sh"])


@pytest.mark.parametrize("how", ["bad_matplotlib", "latex"])
def test_a_matplotlib_that_cannot_draw_costs_no_more_than_its_picture(place, how):
    env = {"MATPLOTLIBRC": str(place.stand_ins / "latex"), "PATH": os.devnull}
    found = {"latex": ["no_numba"], "bad_matplotlib": [how, "no_numba"]}[how]
    status, _, err = place.run(*TRAIN, "--out", "new", env=env, stand_ins=found)
    assert status in (0, 2), err
    assert err.count("\n") <= 1, err
    assert check_whole(place / "new") == 4
    (place / "run/losses.png").unlink()
    status, out, err = place.run("evaluate", "run", "--n", "40", env=env, stand_ins=found)
    assert status in (0, 2), err
    assert "precision" in out
    assert (place / "run/metrics.json").exists()


@pytest.mark.parametrize("how", ["no_cupy", "bad_cupy", "empty_cupy"])
def test_a_missing_cupy_is_not_mistaken_for_a_damaged_checkpoint(place, how):
    begin, before = [*TRAIN, "--out", "new"], content(place / "run")
    others = (["sample", "run", "-o", "x.png"], ["evaluate", "run"], [*RESUME, "--steps", "9"])
    for command in (begin, *(others if how == "no_cupy" else others[:1])):
        env = {"MINIGAN_BACKEND": "cupy"}
        place.refuses(*command, env=env, stand_ins=[how, "no_numba"], words="backend: CuPy")
    assert content(place / "run") == before
    assert not (place / "new").exists()


@pytest.mark.parametrize(
    "env", [{"NUMBA_DISABLE_JIT": "1"}, {"NUMBA_CACHE_DIR": os.path.join(os.devnull, "x")}]
)
def test_numba_itself_in_odd_moods(place, env):
    pytest.importorskip("numba")
    begin = time.monotonic()
    place.works(*TRAIN, "--out", "new", env=env, stand_ins=["quick"])
    assert time.monotonic() - begin < 40
    assert check_whole(place / "new") == 4


def test_python_m_minigan_works_from_a_checkout_that_is_not_installed(place):
    out = place.works("--version", cwd=PACKAGE.parent, env={"PYTHONPATH": None})
    assert out == f"minigan {minigan.__version__}\n"


@no_bounds
def test_every_command_works_in_a_package_that_cannot_be_written(place):
    without = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, place / "lib/minigan", ignore=without)
    before = sorted((place / "lib").rglob("*"))
    for path in before:
        path.chmod(0o555 if path.is_dir() else 0o444)
    path = os.pathsep.join([str(place.stand_ins / "no_numba"), str(place / "lib")])
    assert not every_command_works(
        place,
        env={"PYTHONPATH": path, "HOME": None, "MINIGAN_CACHE": None},
        wrap=BOUND,
        stand_ins=QUICK,
    )
    assert sorted((place / "lib").rglob("*")) == before
    for path in before:
        path.chmod(0o755)


NAMES = ["日本", "a b\nc", "-x", "'$(x)\"", os.fsdecode(b"bytes \xff\xfe")]


def test_a_run_may_have_any_name(place):
    try:
        os.mkdir(place / NAMES[-1])
    except OSError:
        pytest.skip("this file system has names in UTF-8 only")
    commands = []
    for name in NAMES:
        commands += [[*TRAIN[:-1], f"--out={name}"], ["sample", f"-o{name}.npz", "--", name]]
        commands += [["evaluate", "--n", "20", "--", name]]
    every_command_works(place, commands=[(c, 0) for c in commands], stand_ins=["quick"])
    for name in NAMES:
        assert check_whole(place / name) == 4
        assert (place / f"{name}.npz").exists()
        assert json.loads((place / name / "metrics.json").read_bytes())["run"] == name
    env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    out = place.works("train", "gan", "--resume", "--out", NAMES[0], env=env)
    assert "is already at step 4" in out
    place.works(*TRAIN, "--out", "äöü/日本", env=env)
    assert check_whole(place / "äöü/日本") == 4
