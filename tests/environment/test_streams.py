"""Standard streams that are closed, full, read by nobody, or absent."""

import contextlib
import io
import signal

import pytest
from place import (
    PROOF,
    QUICK,
    SIZE,
    TRAIN,
    check_whole,
    every_command_works,
    in_this_process,
    no_full,
    refused,
)

FIRST = [
    ([*TRAIN[:-1], "--out", "new"], 0),
    (["evaluate", "run", "--n", "20"], 0),
    (PROOF, 0),
    (["sample", "nowhere", "-o", "x.png"], 2),
    (["train", "gan", "--stepz"], 2),
    (["--version"], 0),
]


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_every_command_works_with_closed_streams(place, closed):
    wrap = ["sh", "-c", f'exec "$@" {closed}', "sh"]
    every_command_works(place, commands=FIRST, wrap=wrap, stand_ins=QUICK)
    assert check_whole(place / "new") == 4


@no_full
@pytest.mark.parametrize(
    "command",
    [
        ["--version"],
        ["--help"],
        PROOF,
        ["evaluate", "run", "--n", "20"],
        ["train", "gan", "--resume", "--out", "run"],
        [*TRAIN[:-1], "--out", "new"],
    ],
    ids=" ".join,
)
def test_a_full_disk_behind_stdout_is_noticed(place, command):
    with open("/dev/full", "wb") as full:
        process = place.start(*command, stdout=full)
        err = process.communicate(timeout=60)[1].decode()
    refused((process.returncode, "", err), "No space left on device")
    for name in ("run", "new"):
        assert check_whole(place / name) == (4 if (place / name).exists() else None)


WARNED = ["train", "cgan", *SIZE[2:], "--steps", "8", "--quiet", "--out", "new"]


@pytest.mark.parametrize(
    "where", ["2>/dev/null", "2>&-", ">&- 2>&-", pytest.param("2>/dev/full", marks=no_full)]
)
def test_a_warning_that_nobody_can_read_does_not_end_the_training(place, where):
    """Before its eighth step this model draws hardly any samples of most classes."""
    status, out, _ = place.sh(f'exec "$@" {where}', *WARNED)
    assert status == 0
    assert out == ""
    assert check_whole(place / "new") == 8
    assert (place / "new/film.gif").exists()


@no_full
def test_a_refusal_that_nobody_can_read_is_one_by_its_status(place):
    for where in ("2>&-", "2>/dev/full", ">&- 2>&-"):
        for command in (["sample", "nowhere", "-o", "x.png"], ["train", "gan", "--stepz"]):
            assert place.sh(f'exec "$@" {where}', *command)[0] == 2


def test_a_pipe_that_is_closed_ends_a_command_without_a_word(place):
    for command in (PROOF, ["--help"], ["evaluate", "run", "--n", "20"]):
        status, out, err = place.sh('{ "$@"; echo $? >&2; } | head -n 1', *command)
        assert (status, out.count("\n")) == (0, 1)
        assert err.strip() in ("0", "141")
        process = place.start(*command)
        process.stdout.close()
        err = process.stderr.read()
        process.stderr.close()
        assert process.wait(60) in (-signal.SIGPIPE, 128 + signal.SIGPIPE)
        assert err == b""


def full():
    stream = open("/dev/full", "w", encoding="utf-8")  # noqa: SIM115
    stream.write("what the program has said before")
    return stream


def closed():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    stream.close()
    return stream


CALLS = [(PROOF, 0), (["--version"], 0), (["train", "gan", "--stepz"], 2), (["train"], 2)]
CALLS += [(["sample", "nowhere", "-o", "x.png"], 2)]


@pytest.mark.parametrize("words", CALLS, ids=lambda call: " ".join(call[0]))
def test_a_program_without_streams_may_call_main(words):
    assert in_this_process(words[0], None, None) == words[1]


@pytest.mark.parametrize("make", [closed, pytest.param(full, marks=no_full)])
@pytest.mark.parametrize("words", CALLS, ids=lambda call: " ".join(call[0]))
def test_a_program_whose_streams_are_closed_or_full_may_call_main(words, make):
    out = make()
    try:
        assert in_this_process(words[0], out, io.StringIO()) in (words[1], 2)
    finally:
        with contextlib.suppress(OSError):
            out.close()


def test_streams_are_left_as_they_were():
    one, other = (io.TextIOWrapper(io.BytesIO(), "ascii", "strict") for _ in range(2))
    for out, err in ((one, other), (one, one)):
        assert in_this_process(["sample", "日本", "-o", "x.png"], out, err) == 2
        assert (out.errors, err.errors) == ("strict", "strict")
    err.flush()
    assert rb"\u65e5\u672c: no run of minigan is here" in err.buffer.getvalue()


def test_a_setting_of_the_progress_bar_that_is_no_number_is_named(place):
    train = [word for word in TRAIN if word != "--quiet"]
    env = {"TQDM_MININTERVAL": "often"}
    place.refuses(*train, "--out", "new", env=env, words="the progress bar's settings TQDM_")
    place.works("train", "gan", "--resume", "--out", "new")
    assert check_whole(place / "new") == 4


@no_full
def test_a_progress_bar_that_cannot_be_shown_costs_nothing(place):
    train = [word for word in TRAIN if word != "--quiet"]
    assert place.sh('exec "$@" 2>/dev/full', *train, "--out", "new")[0] == 0
    assert check_whole(place / "new") == 4
