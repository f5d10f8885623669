"""Disks that are full, read-only, or gone."""

import json
import os

import pytest
from place import (
    BOUND,
    LONG,
    MOUNTING,
    NO_SERVER,
    RESUME,
    TRAIN,
    check_whole,
    content,
    ended,
    no_bounds,
    no_mount,
    refused,
    wait_for,
)

resource = pytest.importorskip("resource")


def at_most(size):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("size", [0, 400, 5700])
def test_a_full_disk_in_the_way_of_a_new_run(place, size):
    done = place.run(*TRAIN, "--out", "new", preexec_fn=at_most(size))
    refused(done, "new/")
    assert "File too large" in done[2]
    assert set(os.listdir(place / "new")) <= {".lock"}
    place.works(*TRAIN, "--out", "new")
    assert check_whole(place / "new") == 4


@pytest.mark.parametrize("size", [0, 300, 900, 6050])
def test_a_full_disk_in_the_way_of_a_run_that_goes_on(place, size):
    before = content(place / "run")
    done = place.run(*RESUME, "--steps", "9", preexec_fn=at_most(size))
    refused(done, "run/")
    assert "File too large" in done[2]
    step, after = check_whole(place / "run"), content(place / "run")
    kept = before.keys() if step == 4 else [n for n in before if n.startswith("frames/")]
    grown = "config.json", "metrics.csv"
    assert {n: after[n] for n in kept if n not in grown} == {
        n: before[n] for n in kept if n not in grown
    }
    place.works(*RESUME, "--steps", "9")
    assert check_whole(place / "run") == 9


@pytest.mark.parametrize("size", [0, 400])
def test_a_full_disk_in_the_way_of_samples_and_measures(place, size):
    before = content(place.path)
    for command, words in (
        (["sample", "run", "-o", "x.npz"], "cannot write x.npz"),
        (["sample", "run", "-o", "x.png"], "cannot write x.png"),
        (["evaluate", "run", "--n", "20"], "cannot write run/metrics.json"),
        ([*TRAIN, "--out", "run", "--overwrite"], "run"),
    ):
        place.refuses(*command, words=words, preexec_fn=at_most(size))
        assert content(place.path) == before


def test_what_is_measured_is_not_lost_for_want_of_room_for_pictures(place):
    (place / "run/film.gif").unlink()
    place.works("evaluate", "run", "--n", "20", preexec_fn=at_most(5000))
    assert json.loads((place / "run/metrics.json").read_bytes())["step"] == 4
    assert not (place / "run/film.gif").exists()


MOUNT = "mount -t tmpfs -o size={} tmpfs disk && {}; status=$?; cp -a disk copy; exit $status"


@no_mount
@pytest.mark.parametrize("size", ["4k", "24k", "48k", "64k"])
def test_a_file_system_that_fills_up_while_a_run_is_written(place, size):
    (place / "disk").mkdir()
    wrap = [*MOUNTING, "sh", "-c", MOUNT.format(size, '"$@"'), "sh"]
    place.refuses(*TRAIN, "--out", "disk/new", wrap=wrap, words="No space left on device")
    assert check_whole(place / "copy/new") in ((None,) if size == "4k" else (None, 0, 1, 2, 4))


@no_mount
@pytest.mark.parametrize("free", [0, 4])
def test_a_file_system_that_is_full_but_for_some_kilobytes(place, free):
    """What can be done there is done: measures need one page, a run that is over needs none."""
    (place / "disk").mkdir()
    fill = "cp -a run disk; head -c 1M /dev/zero 2>/dev/null >disk/fill"
    script = MOUNT.format("256k", f'{fill}; truncate -s -{free}k disk/fill; "$@"')
    wrap = [*MOUNTING, "sh", "-c", script, "sh"]
    status, out, err = place.run("evaluate", "disk/run", "--n", "20", wrap=wrap)
    if free:
        assert status == 0, err
        assert (place / "copy/run/metrics.json").exists()
    else:
        refused((status, out, err), "cannot write disk/run/metrics.json: No space left")
    assert check_whole(place / "copy/run") == 4


@no_mount
def test_a_read_only_file_system(place):
    (place / "disk").mkdir()
    ready = "mount -t tmpfs tmpfs disk && cp -a run disk && mount -o remount,ro disk"
    wrap = [*MOUNTING, "sh", "-c", f'{ready} && exec "$@"', "sh"]
    for command in (
        [*TRAIN, "--out", "disk/new"],
        [*TRAIN, "--out", "disk/run", "--overwrite"],
        [*RESUME[:-1], "disk/run", "--steps", "9"],
        ["sample", "disk/run", "-o", "disk/x.npz"],
        ["evaluate", "disk/run", "--n", "20"],
        [*NO_SERVER[:3], "disk", *NO_SERVER[4:]],
    ):
        place.refuses(*command, wrap=wrap, words="Read-only file system")
    place.works("sample", "disk/run", "-o", "x.npz", wrap=wrap)


def test_a_folder_that_vanishes_while_its_run_is_trained(place):
    process = place.start(*LONG, "new")
    wait_for(place / "new/metrics.csv")
    (place / "new").rename(place / "elsewhere")
    refused(ended(process), "cannot write new/")
    assert not (place / "new").exists()
    step = check_whole(place / "elsewhere")
    more = ["--steps", str(step + 3), "--out", "elsewhere"]
    place.works(*RESUME[:-2], *more)
    assert check_whole(place / "elsewhere") == step + 3


@no_bounds
def test_a_folder_that_becomes_read_only_while_its_run_is_trained(place):
    process = place.start(*LONG, "new", wrap=BOUND)
    wait_for(place / "new/metrics.csv")
    for folder in ("new/frames", "new"):
        (place / folder).chmod(0o500)
    refused(ended(process), "Permission denied")
    for folder in ("new", "new/frames"):
        (place / folder).chmod(0o700)
    step = check_whole(place / "new")
    place.works(*RESUME[:-1], "new", "--steps", str(step + 3), wrap=BOUND)
    assert check_whole(place / "new") == step + 3
