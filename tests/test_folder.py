"""A run folder is begun, replaced, held and mended; minigan touches its own files alone."""

import os
import re

import pytest

from minigan import RunError
from minigan.lab import folder as module
from minigan.lab.config import Config
from minigan.lab.files import lock
from minigan.lab.folder import (
    OWN,
    check_free,
    finish,
    frames,
    hold,
    hold_new,
    is_begun,
    remove_own,
    remove_partial,
)

posix = pytest.mark.skipif(os.name != "posix", reason="as POSIX has it")
FRAME = "frames/00000000.png"


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    return path


def fill(folder, *names, content=b"old"):
    """Files of these names; a config.json is one that can be read."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(Config().to_json() if name.endswith("config.json") else content)


def names(folder):
    found = (path for path in folder.rglob("*") if path.is_file() or path.is_symlink())
    return {str(path.relative_to(folder)) for path in found}


def refused(message, call, *args):
    with pytest.raises(RunError, match=message):
        call(*args)


# ---- what is there ----


@pytest.mark.parametrize("name", ["config.json", ".ready"])
def test_a_run_was_begun_where_its_configuration_is_or_a_new_one_is_ready(folder, name):
    assert not is_begun(folder)
    assert not is_begun(folder / "no")
    (folder / name).symlink_to("nowhere")
    assert is_begun(folder)
    assert is_begun(str(folder))
    (folder / name).unlink()
    (folder / name).mkdir()
    assert is_begun(folder)
    (folder / "file").write_text("")
    assert not is_begun(folder / "file")
    for other in (".new", "checkpoint.npz", "frames", "metrics.csv", ".lock"):
        fill(folder / "other", other)
    assert not is_begun(folder / "other")


def test_a_folder_that_cannot_be_looked_into_is_not_said_to_be_empty(folder, monkeypatch):
    def denied(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(module.os, "lstat", denied)
    message = f"^cannot read {folder / 'config.json'}: Permission denied$"
    refused(message, is_begun, folder)


def test_frames_are_in_the_order_of_their_steps_and_other_files_are_not_among_them(folder):
    assert frames(folder) == []
    ours = ["00000000", "00000009", "00000010", "99999999", "100000000", "123456789012345"]
    fill(folder, *(f"frames/{name}.png" for name in ours))
    others = ["1.png", "000000001.png", "00000001.PNG", "00000001.png.part", "x00000001.png"]
    others += [
        "00000001.pngx",
        "0000001.png",
        "1234567890123456.png",
        "notes.txt",
        "0000000a.png",
    ]
    fill(folder, *(f"frames/{name}" for name in others))
    assert [path.name for path in frames(folder)] == [f"{name}.png" for name in ours]
    assert [path.parent for path in frames(str(folder))] == [folder / "frames"] * len(ours)


@posix
def test_frames_are_not_looked_for_through_a_link_or_in_a_file(folder):
    fill(folder, "elsewhere/00000000.png")
    (folder / "frames").symlink_to("elsewhere")
    assert frames(folder) == []
    (folder / "frames").unlink()
    (folder / "frames").write_text("")
    assert frames(folder) == []


# ---- where a run can begin ----


def free(folder, overwrite=False):
    check_free(folder, overwrite)
    return True


def test_a_run_begins_where_nothing_is_or_what_a_killed_one_left(folder):
    assert free(folder / "no")
    assert free(folder)
    fill(folder, ".lock", ".new/config.json")
    assert free(folder)
    assert free(folder, overwrite=True)


@pytest.mark.parametrize(
    "name", ["thesis.tex", "checkpoint.npz", ".hidden", "frames/x", ".neww"]
)
def test_a_folder_of_something_else_is_left_alone_whatever_is_asked(folder, name):
    fill(folder, name)
    message = f"^{folder} is not empty and not a run of minigan; choose another --out$"
    for overwrite in (False, True):
        refused(message, check_free, folder, overwrite)
    assert names(folder) == {name}


@pytest.mark.parametrize("name", ["config.json", ".ready/config.json"])
def test_a_run_is_replaced_only_if_that_is_asked(folder, name):
    fill(folder, name, "thesis.tex")
    refused(
        f"^{folder} holds a run already; --resume continues it, ", check_free, folder, False
    )
    assert free(folder, overwrite=True)


def test_a_run_that_cannot_be_read_is_not_replaced(folder):
    (folder / "config.json").write_text('{"something": "else"}')
    refused("not a run's configuration", check_free, folder, True)


@posix
def test_a_link_to_a_run_is_not_replaced(folder):
    fill(folder, "config.json")
    link = folder.with_name("link")
    link.symlink_to("run")
    message = f"^--overwrite: {link} is a link; name the folder itself, or another$"
    refused(message, check_free, link, True)


def test_the_root_of_a_file_system_is_not_replaced(folder, monkeypatch):
    fill(folder, "config.json")
    monkeypatch.setattr(module.os.path, "ismount", lambda path: path == folder)
    message = f"^--overwrite: {folder} is the root of a file system; name the folder"
    refused(message, check_free, folder, True)


@posix
@pytest.mark.parametrize("what", ["link", "dead link", "file"])
def test_a_run_whose_frames_are_elsewhere_is_not_replaced(folder, what):
    fill(folder, "config.json", "elsewhere/x")
    drawn = folder / "frames"
    if what == "file":
        drawn.write_text("mine")
    else:
        drawn.symlink_to("elsewhere" if what == "link" else "nowhere")
    message = f"^--overwrite: {drawn} is not a folder of its own; choose another --out$"
    refused(message, check_free, folder, True)


def test_a_file_in_the_place_of_the_folder_is_a_sentence(folder):
    fill(folder, "file")
    message = f"^cannot use the run folder {folder / 'file'}: Not a directory$"
    refused(message, check_free, folder / "file", False)


# ---- holding ----


def test_a_run_is_held_and_mended_first(folder):
    fill(folder, ".ready/config.json", ".ready/checkpoint.npz", f".ready/{FRAME}")
    fill(folder, ".metrics.csv.00000000.part")
    with hold(folder):
        assert names(folder) == {"config.json", "checkpoint.npz", FRAME, ".lock"}
        refused("is in use by process", lambda: hold(folder).__enter__())
    with hold(str(folder)):
        pass


def test_where_no_run_is_nothing_is_held(folder):
    message = f"^{folder}: no run of minigan is here; without --resume one begins$"
    refused(message, lambda: hold(folder).__enter__())
    assert os.listdir(folder) == []


def test_a_folder_for_a_new_run_is_made_held_and_mended(folder):
    deep = folder / "a" / "b"
    with hold_new(str(deep)):
        assert names(deep) == {".lock"}
        refused("is in use by process", lambda: hold_new(deep).__enter__())
    fill(deep, ".new/config.json")
    with hold_new(deep):
        assert names(deep) == {".lock"}


def test_a_folder_with_a_run_is_held_for_a_new_one_only_if_that_is_asked(folder):
    fill(folder, "config.json")
    refused("holds a run already", lambda: hold_new(folder).__enter__())
    assert names(folder) == {"config.json"}
    with hold_new(folder, overwrite=True):
        assert names(folder) == {"config.json", ".lock"}


def test_a_run_that_began_while_the_lock_was_awaited_is_not_overwritten(folder, monkeypatch):
    """Two processes begin a run at once: the second finds out when it holds the folder."""

    def finished(place):
        fill(folder, "config.json")

    monkeypatch.setattr(module, "finish", finished)
    refused("holds a run already", lambda: hold_new(folder).__enter__())
    with lock(folder):  # it has been let go of
        pass


def test_a_folder_that_cannot_be_made_is_a_sentence(folder, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.Path, "mkdir", full)
    message = f"^cannot make the run folder {folder / 'new'}: No space left on device$"
    refused(message, lambda: hold_new(folder / "new").__enter__())


# ---- mending ----

NEW = ("checkpoint.npz", FRAME, "config.json")
MINE = ("thesis.tex", "frames/notes.txt", "frames/1.png", ".new/mine", ".ready/mine", "other/x")


@pytest.mark.parametrize("moved", range(4))
def test_a_new_run_moves_into_the_place_of_the_old_wherever_it_was_interrupted(folder, moved):
    """In order: the checkpoint, the first frame, config.json; what is old is removed first."""
    fill(folder, *OWN, "frames/00000000.png", "frames/00000007.png", *MINE)
    fill(folder, ".samples.png.0123abcd.part", "frames/.00000007.png.0123abcd.part")
    fill(folder, *(f".ready/{name}" for name in NEW), content=b"new")
    for name in NEW[:moved]:
        os.replace(folder / ".ready" / name, folder / name)
    finish(folder)
    if moved < 3:
        assert names(folder) == {*NEW, *MINE}
        for name in NEW[:2]:
            assert (folder / name).read_bytes() == b"new"
    else:  # all of it had moved: nothing of the folder is old any more
        assert names(folder) == {*OWN, "frames/00000000.png", "frames/00000007.png", *MINE}
    finish(folder)
    assert names(folder) >= {*NEW, *MINE}
    assert (folder / "config.json").read_bytes() == Config().to_json()


def test_a_new_run_makes_the_folder_of_frames(folder):
    fill(folder, *(f".ready/{name}" for name in NEW))
    finish(str(folder))
    assert names(folder) == {*NEW}
    assert set(os.listdir(folder)) == {"checkpoint.npz", "config.json", "frames"}


def test_a_run_that_was_still_being_built_is_removed_and_the_old_one_stays(folder):
    fill(folder, "config.json", "checkpoint.npz", *(f".new/{name}" for name in NEW))
    fill(folder, ".new/.config.json.01234567.part", ".ready/checkpoint.npz")
    finish(folder)
    assert set(os.listdir(folder)) == {"config.json", "checkpoint.npz"}


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        (".config.json.0123abcd.part", True),
        (".metrics.csv.00000000.part", True),
        ("frames/.00000003.png.0123abcd.part", True),
        ("frames/.config.json.0123abcd.part", True),
        (".thesis.tex.0123abcd.part", False),
        (".config.json.0123abc.part", False),
        (".config.json.0123abcg.part", False),
        (".config.json.0123abcd.part.bak", False),
        ("config.json.0123abcd.part", False),
        ("frames/.1.png.0123abcd.part", False),
        ("other/.config.json.0123abcd.part", False),
    ],
)
def test_half_written_files_are_known_by_their_names(folder, name, ours):
    fill(folder, name)
    remove_partial(folder)
    assert names(folder) == (set() if ours else {name})


@posix
def test_half_written_files_behind_a_link_are_left(folder):
    fill(folder, "elsewhere/.00000003.png.0123abcd.part")
    (folder / "frames").symlink_to("elsewhere")
    remove_partial(folder)
    assert "elsewhere/.00000003.png.0123abcd.part" in names(folder)


def test_what_minigan_put_into_a_hidden_folder_is_removed_and_nothing_else(folder):
    new = folder / ".new"
    remove_own(new)  # it is not there
    fill(new, *OWN, FRAME, ".checkpoint.npz.0123abcd.part")
    remove_own(new)
    assert not new.exists()
    fill(new, *OWN, FRAME, "frames/mine")
    remove_own(new)
    assert names(new) == {"frames/mine"}
    (new / "frames/mine").unlink()
    fill(new, "mine")
    remove_own(new)
    assert set(os.listdir(new)) == {"mine"}


def test_files_that_vanish_meanwhile_are_no_obstacle(folder, monkeypatch):
    fill(folder, *(f".ready/{name}" for name in NEW), ".new/x")
    gone = [folder / "metrics.csv", folder / ".new" / "config.json"]
    monkeypatch.setattr(module, "own_files", lambda place: gone)
    partial = folder / ".config.json.0123abcd.part"
    monkeypatch.setattr(module.Path, "iterdir", lambda place: iter([partial]))
    finish(folder)
    monkeypatch.undo()
    assert names(folder) == {*NEW, ".new/x"}


@posix
def test_a_link_in_the_place_of_a_hidden_folder_is_not_followed(folder):
    fill(folder, "elsewhere/config.json")
    (folder / ".new").symlink_to("elsewhere")
    remove_own(folder / ".new")
    assert names(folder) == {".new", "elsewhere/config.json"}


def test_the_names_of_a_run_are_those_that_its_page_lists():
    """The table at the head of `minigan.lab.run`."""
    from minigan.lab import run

    listed = re.findall(
        r"[\w.]+\.(?:json|csv|npz|png|gif|html)", run.__doc__.split("The folder is")[0]
    )
    assert set(listed) == set(OWN)
