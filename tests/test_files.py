"""Files are written whole or not at all, read only as far as they can be believed, and a folder
is one process's at a time."""

import errno
import os
import re
import subprocess
import sys

import pytest

from minigan import DataError, RunError
from minigan.lab import files, signals
from minigan.lab.files import (
    lock,
    open_regular,
    plain,
    read_bytes,
    unfinished,
    why,
    write_whole,
)

posix = pytest.mark.skipif(os.name != "posix", reason="as POSIX has it")


def fails(number):
    def call(*_, **__):
        raise OSError(number, os.strerror(number))

    return call


# ---- what is said ----


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.ENOSPC, "No space left"), "No space left"),
        (OSError("a message alone"), "a message alone"),
        (OSError(), "OSError"),
        (TimeoutError(), "TimeoutError"),
        (ValueError("closed"), "closed"),
    ],
)
def test_a_reason_is_the_systems_words_or_the_errors_or_its_name(error, says):
    assert why(error) == says


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b é 漢", "a b é 漢"),
        ("one\ntwo\r\nthree\n", "one two three"),
        ("\x1b[2J\0\t", "\\x1b[2J\\x00\\x09"),
        ("\u202e\udcff", "\\x202e\\xdcff"),
        ("", ""),
    ],
)
def test_a_text_is_one_line_that_steers_no_terminal(text, expected):
    assert plain(text) == expected


# ---- writing ----


def test_a_file_is_written_beside_its_place_flushed_and_renamed(tmp_path, monkeypatch):
    path, seen = tmp_path / "x.json", []
    path.write_bytes(b"old")

    def synced(handle, sync=os.fsync):
        (partial,) = set(os.listdir(tmp_path)) - {"x.json"}
        seen.append((partial, path.read_bytes(), (tmp_path / partial).read_bytes()))
        assert unfinished == {str(tmp_path / partial)}
        assert os.fstat(handle).st_ino == (tmp_path / partial).stat().st_ino
        sync(handle)

    monkeypatch.setattr(os, "fsync", synced)
    for place in (path, str(path)):
        write_whole(place, lambda file: file.write(b"new"))
        assert path.read_bytes() == b"new"
        path.write_bytes(b"old")
    for partial, before, written in seen:
        assert re.fullmatch(r"\.x\.json\.[0-9a-f]{8}\.part", partial)
        assert files.PARTIAL.fullmatch(partial)[1] == "x.json"
        assert (before, written) == (b"old", b"new")
    assert seen[0][0] != seen[1][0]
    assert os.listdir(tmp_path) == ["x.json"]
    assert unfinished == set()


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("error", [RunError, DataError])
def test_what_cannot_be_written_leaves_the_old_file_and_no_litter(
    tmp_path, monkeypatch, call, error
):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, call, fails(errno.ENOSPC))
    more = () if error is RunError else (error,)
    with pytest.raises(error, match=f"^cannot write {path}: No space left on device$"):
        write_whole(path, lambda file: file.write(b"new"), *more)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x"]
    assert unfinished == set()


def test_an_error_of_the_writers_own_passes_and_leaves_no_litter(tmp_path):
    def wrong(file):
        file.write(b"some")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_whole(tmp_path / "x", wrong)
    assert os.listdir(tmp_path) == []
    assert unfinished == set()


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path):
    with pytest.raises(RunError, match="^cannot write .*no/x: No such file or directory$"):
        write_whole(tmp_path / "no" / "x", lambda file: None)


@posix
def test_a_link_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "thesis").write_bytes(b"years of work")
    (tmp_path / "x").symlink_to("thesis")
    write_whole(tmp_path / "x", lambda file: file.write(b"new"))
    assert (tmp_path / "thesis").read_bytes() == b"years of work"
    assert not (tmp_path / "x").is_symlink()
    assert (tmp_path / "x").read_bytes() == b"new"


def test_a_name_without_a_folder_is_one_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_whole("x", lambda file: file.write(b"new"))
    assert os.listdir(tmp_path) == ["x"]


def test_a_process_that_is_to_end_at_once_removes_what_it_has_not_finished(tmp_path):
    path = tmp_path / ".x.00000000.part"
    path.write_bytes(b"some")
    unfinished.update({str(path), str(tmp_path / "gone")})
    try:
        for clean in signals.at_once:
            clean()
    finally:
        unfinished.clear()
    assert os.listdir(tmp_path) == []


# ---- reading ----


@pytest.mark.parametrize("content", [b"", b"1234"])
def test_a_file_is_read_up_to_a_size(tmp_path, content):
    path = tmp_path / "x"
    path.write_bytes(content)
    for largest in (len(content), len(content) + 1, 10**6):
        assert read_bytes(path, largest) == content
    if content:
        with pytest.raises(RunError, match=f"^{path}: expected at most 3 bytes$"):
            read_bytes(path, 3)
        with pytest.raises(DataError, match=f"^{path}: expected at most 0 bytes$"):
            read_bytes(path, 0, DataError)


@posix
def test_no_more_memory_is_taken_than_the_file_has(tmp_path, monkeypatch):
    """`read(n)` reserves n bytes at once, whatever there is to read."""
    path, asked = tmp_path / "x", []
    path.write_bytes(b"1234")

    class Spied:
        def __init__(self, file):
            self.file = file

        def fileno(self):
            return self.file.fileno()

        def read(self, n):
            asked.append(n)
            return self.file.read(n)

    opened = open_regular

    class Context:
        def __init__(self, *args):
            self.inner = opened(*args)

        def __enter__(self):
            return Spied(self.inner.__enter__())

        def __exit__(self, *args):
            return self.inner.__exit__(*args)

    monkeypatch.setattr(files, "open_regular", Context)
    assert read_bytes(path, 10**12) == b"1234"
    with pytest.raises(RunError):
        read_bytes(path, 2)
    assert asked == [5, 3]


@pytest.mark.parametrize("error", [RunError, DataError])
def test_what_cannot_be_opened_is_a_sentence_of_the_callers_error(tmp_path, error):
    more = () if error is RunError else (error,)
    for name, says in (("no", "No such file or directory"), (".", "Is a directory|Permission")):
        with pytest.raises(error, match=f"cannot read .*: ({says})|expected a file"):
            read_bytes(tmp_path / name, 10, *more)


@posix
@pytest.mark.parametrize("writer", [False, True])
def test_a_pipe_is_not_waited_for(tmp_path, writer):
    path = tmp_path / "x"
    os.mkfifo(path)
    held = os.open(path, os.O_RDWR) if writer else None
    with pytest.raises(RunError, match=f"^{path}: expected a file, this is something else$"):
        read_bytes(path, 10)
    if writer:
        os.close(held)


def test_trouble_while_reading_is_the_same_sentence(tmp_path):
    (tmp_path / "x").write_bytes(b"1234")
    opened = []

    def broken():
        with open_regular(tmp_path / "x") as file:
            opened.append(file)
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.raises(RunError, match="^cannot read .*x: Input/output error$"):
        broken()
    assert opened[0].closed


# ---- the lock ----


def test_a_folder_is_held_by_one_process_which_is_named(tmp_path):
    with lock(tmp_path):
        assert (tmp_path / ".lock").read_text() == str(os.getpid())
        message = f"^{tmp_path} is in use by process {os.getpid()}; wait until it ends, or name"
        with pytest.raises(RunError, match=message), lock(tmp_path):
            pytest.fail("held twice")
        assert (tmp_path / ".lock").read_text() == str(os.getpid())
    assert (tmp_path / ".lock").read_bytes() == b""
    with lock(str(tmp_path)):
        pass


HOLDER = """
import sys
from minigan.lab.files import lock
with lock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@posix
def test_the_lock_of_a_process_that_was_killed_is_gone_and_its_note_does_not_matter(tmp_path):
    line = [sys.executable, "-c", HOLDER, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(line, **pipes) as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(RunError, match=f"in use by process {process.pid};"), lock(tmp_path):
            pytest.fail("held twice")
        process.kill()
    assert (tmp_path / ".lock").read_text() == str(process.pid)
    with lock(tmp_path):
        assert (tmp_path / ".lock").read_text() == str(os.getpid())


def test_the_lock_is_let_go_of_whatever_happens_within(tmp_path):
    with pytest.raises(ZeroDivisionError), lock(tmp_path):
        raise ZeroDivisionError
    with lock(tmp_path):
        pass


@pytest.mark.parametrize("error", [BlockingIOError, PermissionError])
def test_a_note_that_cannot_be_read_names_nobody(tmp_path, monkeypatch, error):
    def held(file):
        raise error

    (tmp_path / ".lock").write_bytes(b" \n")
    monkeypatch.setattr(files, "_lock", held)
    with pytest.raises(RunError, match="is in use by process unknown; wait"), lock(tmp_path):
        pytest.fail("held twice")
    (tmp_path / ".lock").write_bytes(b"\xff" * 5 + b"1" * 99)
    with (
        pytest.raises(RunError, match=f"process {5 * chr(0xFFFD)}{15 * '1'}; "),
        lock(tmp_path),
    ):
        pytest.fail("held twice")


def test_where_there_are_no_locks_the_folder_is_used_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_lock", fails(errno.ENOLCK))
    with lock(tmp_path):
        assert (tmp_path / ".lock").read_text() == str(os.getpid())


def test_a_note_that_cannot_be_written_does_no_harm(tmp_path, monkeypatch):
    class Full:
        def seek(self, at):
            raise OSError(errno.ENOSPC, "full")

    files._write_all(Full(), b"1")
    (tmp_path / ".lock").write_bytes(b"a longer note")
    with lock(tmp_path):
        assert (tmp_path / ".lock").read_text() == str(os.getpid())


@posix
def test_a_lock_is_a_file_of_its_own(tmp_path):
    path, other = tmp_path / ".lock", tmp_path / "thesis"
    other.write_text("years of work")
    path.symlink_to("thesis")
    with pytest.raises(RunError, match=f"^cannot write in {tmp_path}: "), lock(tmp_path):
        pytest.fail("held by a link")
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(RunError, match=f"^{path}: expected a file, this is"), lock(tmp_path):
        pytest.fail("held by a pipe")
    assert other.read_text() == "years of work"
    with pytest.raises(RunError, match="^cannot write in .*no: No such"), lock(tmp_path / "no"):
        pytest.fail("held in no folder")


@posix
def test_others_may_write_the_lock_as_the_users_mask_allows(tmp_path):
    before = os.umask(0)
    try:
        with lock(tmp_path):
            assert (tmp_path / ".lock").stat().st_mode & 0o777 == 0o666
    finally:
        os.umask(before)
