"""The working directory, and the folders of other people."""

import os
import shutil

from place import (
    BOUND,
    NO_SERVER,
    RESUME,
    STRANGER,
    TRAIN,
    Place,
    content,
    every_command_works,
    no_bounds,
    no_stranger,
    refused,
)

GONE = "mkdir gone && cd gone && rmdir ../gone && exec"


def test_a_working_directory_that_was_deleted(place):
    run = str(place / "run")
    for command, words in (
        ([*TRAIN], "runs/gan-ring: No such file or directory"),
        (["sample", run, "-o", "x.npz"], "cannot write x.npz: No such file or directory"),
        (["evaluate", "run"], "run: no run of minigan is here"),
        (["train", "gan", "--data", "digits"], "digits"),
        (NO_SERVER, "digits: No such file or directory"),
    ):
        refused(place.sh(f'{GONE} "$@"', *command), words)
    for command in (["evaluate", run, "--n", "20"], [*RESUME[:-1], run], ["--version"]):
        assert place.sh(f'{GONE} "$@"', *command)[0] == 0


@no_bounds
def test_a_working_directory_that_cannot_be_read(place):
    (place / "locked").mkdir()
    (place / "locked").chmod(0)
    bound = " ".join(BOUND)
    for command in ([*TRAIN], ["sample", str(place / "run"), "-o", "x.npz"], NO_SERVER):
        done = place.sh(f'cd locked && exec {bound} "$@"', *command)
        refused(done, "Permission denied")
    assert place.sh(f'cd locked && exec {bound} "$@"', "--version")[0] == 0
    (place / "locked").chmod(0o700)


@no_bounds
def test_a_run_that_cannot_be_read_is_not_said_to_be_absent(place):
    (place / "locked").mkdir()
    shutil.move(place / "run", place / "locked/run")
    (place / "locked").chmod(0)
    for command in (["sample", "locked/run", "-o", "x.npz"], ["evaluate", "locked/run"]):
        place.refuses(*command, wrap=BOUND, words="Permission denied")
    (place / "locked").chmod(0o700)


@no_stranger
def test_every_command_works_for_a_user_without_name_or_home(place):
    (place / "own").mkdir()
    os.chown(place / "own", 54321, 54321)
    own = Place(place / "own", place.stand_ins)
    said = every_command_works(
        own, wrap=STRANGER, env={"HOME": None, "MINIGAN_CACHE": None, "MINIGAN_DATA": None}
    )
    assert all("MPLCONFIGDIR" in line or "cannot draw losses.png" in line for line in said)


@no_stranger
def test_a_run_of_somebody_else_may_be_looked_at_only(place):
    before = content(place / "run")
    options = {"wrap": STRANGER, "env": {"HOME": None}}
    denied = "Permission denied"
    place.refuses("evaluate", "run", "--n", "20", words=denied, **options)
    place.refuses(*RESUME, "--steps", "9", words=denied, **options)
    place.refuses(*TRAIN, "--out", "run", "--overwrite", words=denied, **options)
    place.refuses(*TRAIN, "--out", "new", words=denied, **options)
    place.refuses("sample", "run", "-o", "x.npz", words=denied, **options)
    place.refuses(*NO_SERVER, words=denied, **options)
    assert content(place / "run") == before
    assert sorted(os.listdir(place.path)) == ["run"]
