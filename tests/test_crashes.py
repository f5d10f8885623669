"""A process that ends at any one of its file operations leaves a folder that the next command
makes whole: each operation in turn is the last one."""

import os
import shutil
import sys

import pytest
from kill_runs import content

from minigan import fast
from minigan.lab import plots
from minigan.lab.cli import main

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
TRAIN = ["train", "gan", "--data", "ring", "--steps", "4", "--batch-size", "8", "--quiet"]
TRAIN += ["--G-hidden", "4", "--D-hidden", "4"]
CALLS = "open", "replace", "rename", "unlink", "mkdir", "rmdir", "fsync"


def run(*options):
    assert main([*TRAIN, *map(str, options)]) == 0


def crash(at, *options):
    """Run the command in a child that ends at file operation number `at`; whether it did."""
    child = os.fork()
    if child == 0:
        count = iter(range(10**6))

        def last(call):
            def counted(*args, **more):
                if next(count) == at:
                    os._exit(9)
                return call(*args, **more)

            return counted

        for name in CALLS:
            setattr(os, name, last(getattr(os, name)))
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
        os._exit(main([*TRAIN, *map(str, options)]))
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, 9), f"operation {at}: exit status {code}"
    return code == 9


@pytest.fixture
def once(tmp_path, monkeypatch):
    monkeypatch.setattr(fast, "njit", None)
    monkeypatch.setattr(plots, "losses_png", lambda columns: repr(columns["loss_D"]).encode())
    run("--out", tmp_path / "once")
    run("--out", tmp_path / "other", "--seed", 1)
    return tmp_path


def test_a_run_that_crashes_at_any_file_operation_ends_as_one_never_stopped(once):
    expected, at, folder = content(once / "once"), 0, once / "run"
    while crash(at, "--out", folder):
        begun = any((folder / name).exists() for name in ("config.json", ".ready"))
        run("--out", folder, *(["--resume"] if begun else []))
        assert content(folder) == expected, f"operation {at}"
        shutil.rmtree(folder)
        at += 1
    assert at > 60


def test_overwriting_leaves_the_old_run_or_the_new_one_and_the_users_files(once):
    old, new = content(once / "once"), content(once / "other")
    at, folder = 0, once / "run"
    crashed = True
    while crashed:
        shutil.copytree(once / "once", folder)
        (folder / "frames" / "notes.txt").write_text("years of work")
        crashed = crash(at, "--out", folder, "--overwrite", "--seed", 1)
        run("--out", folder, "--resume")
        found = content(folder)
        assert found.pop("frames/notes.txt") == b"years of work"
        assert found in (old, new), f"operation {at}"
        shutil.rmtree(folder)
        at += 1
    assert found == new
    assert at > 60
