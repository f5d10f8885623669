r"""The files of a run folder: how a run is begun, replaced, held, and mended after a kill.

A new run is built in `.new`, which is renamed to `.ready` when it is complete; then its files
move up, and what is left of an older run is removed. Every step may be done twice. So after
a kill the next command either finds nothing of the new run, or brings all of it into place.
"""

import contextlib
import os
import re
from pathlib import Path

from ..errors import RunError
from .config import Config
from .files import PARTIAL, lock, why

DRAWN = ("samples.png", "losses.png", "film.gif", "report.html")
OWN = ("config.json", "metrics.csv", "metrics.json", "classes.json", "checkpoint.npz", *DRAWN)
FIRST = ("checkpoint.npz", "frames/00000000.png", "config.json")  # of which a new run consists
UNFINISHED = {".lock", ".new"}  # with which a run may begin


def is_begun(folder):
    r"""Whether a run was begun in the folder, and perhaps not finished beginning."""
    return any(_is_there(Path(folder) / name) for name in ("config.json", ".ready"))


def _is_there(path):
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:  # it may be there, in a folder that cannot be looked into
        raise RunError(f"cannot read {path}: {why(error)}") from None
    return True


def frames(folder):
    r"""The paths of the film's frames, in order; other files in frames/ are not ours."""
    inside = Path(folder) / "frames"
    if inside.is_symlink() or not inside.is_dir():
        return []
    return [path for _, path in sorted((int(p.stem), p) for p in inside.iterdir() if _ours(p))]


def _ours(path):
    name = re.fullmatch(r"([0-9]{8,15})\.png", path.name)
    return bool(name) and path.name == f"{int(name[1]):08d}.png"


@contextlib.contextmanager
def hold(folder):
    r"""The folder of a run for this process alone, mended if a kill left something undone."""
    if not is_begun(folder):
        raise RunError(f"{folder}: no run of minigan is here; without --resume one begins")
    with lock(folder):
        finish(folder)
        yield


@contextlib.contextmanager
def hold_new(folder, overwrite=False):
    r"""The folder in which a run is to begin, made if need be, for this process alone.

    Raises RunError if something else is in the folder, or a run, unless that one may be
    replaced: then it must be a run that can be read, in a folder of its own.
    """
    folder = Path(folder)
    check_free(folder, overwrite)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot make the run folder {folder}: {why(error)}") from None
    with lock(folder):
        finish(folder)
        check_free(folder, overwrite)
        yield


def check_free(folder, overwrite):
    r"""Raises RunError, with the reason, if no run can begin in the folder."""
    try:
        inside = set(os.listdir(folder)) if os.path.lexists(folder) else set()
    except OSError as error:
        raise RunError(f"cannot use the run folder {folder}: {why(error)}") from None
    if inside <= UNFINISHED:
        return
    if not is_begun(folder):
        raise RunError(f"{folder} is not empty and not a run of minigan; choose another --out")
    if not overwrite:
        raise RunError(
            f"{folder} holds a run already; --resume continues it, --overwrite replaces "
            "it, --out names another folder"
        )
    if folder.is_symlink() or os.path.ismount(folder):
        what = "a link" if folder.is_symlink() else "the root of a file system"
        raise RunError(f"--overwrite: {folder} is {what}; name the folder itself, or another")
    if (folder / "config.json").exists():
        Config.read(folder / "config.json")
    drawn = folder / "frames"
    if os.path.lexists(drawn) and not is_real_folder(drawn):
        raise RunError(f"--overwrite: {drawn} is not a folder of its own; choose another --out")


def is_real_folder(path):
    r"""Whether the path is a folder, and not a link to one."""
    return os.path.isdir(path) and not os.path.islink(path)


def finish(folder):
    r"""Complete what a killed process had begun: a new run's move, half-written files."""
    folder, ready = Path(folder), Path(folder) / ".ready"
    remove_own(folder / ".new")
    if os.path.lexists(ready / "config.json"):  # the last to move: something is left to do
        first = [folder / name for name in FIRST]
        for path in own_files(folder):
            if path not in first:
                path.unlink(missing_ok=True)
        (folder / "frames").mkdir(exist_ok=True)
        for name in FIRST:
            if os.path.lexists(ready / name):
                os.replace(ready / name, folder / name)
    remove_own(ready)
    remove_partial(folder)


def remove_partial(folder):
    r"""Remove the files that a killed process had only begun to write."""
    for place in (folder, folder / "frames"):
        for path in list(place.iterdir()) if is_real_folder(place) else ():
            name = PARTIAL.fullmatch(path.name)
            if name and (name[1] in OWN or _ours(path.with_name(name[1]))):
                path.unlink(missing_ok=True)


def own_files(folder):
    r"""The files of a run that are there, by the names that minigan gives."""
    paths = [Path(folder) / name for name in OWN]
    return [path for path in paths if os.path.lexists(path)] + frames(folder)


def remove_own(folder):
    r"""Remove a hidden folder of ours, if it is there, with what minigan put into it."""
    if not is_real_folder(folder):
        return
    for path in own_files(folder):
        path.unlink(missing_ok=True)
    remove_partial(folder)
    for path in (folder / "frames", folder):
        with contextlib.suppress(OSError):
            path.rmdir()
