"""A process that ends at one of its file operations, or to which the system refuses one, leaves
a folder that the next command makes whole: each operation in turn is that one."""

import errno
import io
import os
import shutil
import sys

import pytest
from kill_runs import content

from minigan import fast
from minigan.lab import files, plots
from minigan.lab.cli import main

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.slow,
]
TRAIN = ["train", "gan", "--data", "ring", "--steps", "4", "--batch-size", "8", "--quiet"]
TRAIN += ["--G-hidden", "4", "--D-hidden", "4"]
CALLS = "open", "replace", "rename", "unlink", "mkdir", "rmdir", "fsync"


def run(*options):
    assert main([*TRAIN, *map(str, options)]) == 0


def end():
    os._exit(9)


def full():
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def child(at, what, *options):
    """The exit status of the command in a process of its own, at whose file operation number
    `at` something happens; and whether it happened."""
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        count = iter(range(10**6))

        def counted(call):
            def operation(*args, **more):
                if not reads(call, args) and next(count) == at:
                    os.write(writer, b"!")
                    what()
                return call(*args, **more)

            return operation

        for name in CALLS:
            setattr(os, name, counted(getattr(os, name)))
        files.open = counted(open)
        sys.stdout = sys.stderr = io.StringIO()
        try:
            status = main([*TRAIN, *map(str, options)])
            os._exit(status if status != 2 or one_line(sys.stderr.getvalue()) else 3)
        except BaseException:
            os._exit(4)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        happened = pipe.read() == b"!"
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), happened


def reads(call, args):
    """Whether the call opens a file only to read it."""
    how = args[1] if call.__name__ == "open" else "w"
    return how == "rb" or (isinstance(how, int) and not how & (os.O_WRONLY | os.O_RDWR))


def one_line(said):
    return said.rpartition("minigan: ")[2].count("\n") == 1


def begun(folder):
    return any((folder / name).exists() for name in ("config.json", ".ready"))


@pytest.fixture
def once(tmp_path, monkeypatch):
    monkeypatch.setattr(fast, "njit", None)
    monkeypatch.setattr(plots, "losses_png", lambda log, guides: repr(log["loss_D"]).encode())
    run("--out", tmp_path / "once")
    run("--out", tmp_path / "other", "--seed", 1)
    return tmp_path


@pytest.mark.parametrize("what", [end, full])
def test_a_run_that_fails_at_any_file_operation_ends_as_one_never_stopped(once, what):
    expected, at, folder, happened = content(once / "once"), 0, once / "run", True
    while happened:
        status, happened = child(at, what, "--out", folder)
        assert status in ((9,) if what is end else (0, 2)) if happened else status == 0, at
        run("--out", folder, *["--resume"] * begun(folder))
        assert content(folder) == expected, f"operation {at}"
        shutil.rmtree(folder)
        at += 1
    assert at > 60


@pytest.mark.parametrize("what", [end, full])
def test_overwriting_leaves_the_old_run_or_the_new_one_and_the_users_files(once, what):
    old, new = content(once / "once"), content(once / "other")
    at, folder, happened = 0, once / "run", True
    while happened:
        shutil.copytree(once / "once", folder)
        (folder / "frames" / "notes.txt").write_text("years of work")
        status, happened = child(at, what, "--out", folder, "--overwrite", "--seed", 1)
        assert status in ((9,) if what is end else (0, 2)) if happened else status == 0, at
        run("--out", folder, "--resume")
        found = content(folder)
        assert found.pop("frames/notes.txt") == b"years of work"
        assert found in (old, new), f"operation {at}"
        shutil.rmtree(folder)
        at += 1
    assert found == new
    assert at > 60
