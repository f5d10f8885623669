r"""A run on disk: one file, whole or absent.

A checkpoint is one .npz with every number that training needs to go on: θ of both
networks, the optimisers' averages, the state of the random generator, and how many steps
and rows have passed. It is written beside the old one, flushed to disk and renamed over
it: whatever happens, one of the two is there and whole. It holds arrays and one line of
JSON, and is read with allow_pickle=False: opening a stranger's file runs none of its code.
"""

import json
import os

import numpy as np

from ..arrays import to_numpy
from ..errors import CheckpointError, RunError
from ..training import TrainState, check_finite
from .models import build, describe

FORMAT = 1


def write_atomically(path, write):
    r"""Call `write(file)` on a temporary file, flush it to disk, rename it to `path`.

    Raises RunError, with the old file still in place, if the disk is full or forbids it.
    """
    partial = f"{path}.partial"
    try:
        with open(partial, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        if os.path.exists(partial):
            os.unlink(partial)
        raise RunError(f"cannot write {path}: {error.strerror or error}") from error


def save_checkpoint(path, model, state):
    r"""Write model and `TrainState` to `path`; the file there before stays until the end.

    Raises DivergedError, and leaves the old file, if a parameter is not finite; RunError
    if the file cannot be written.
    """
    check_finite(model, {}, state.step)
    name, parameters = describe(model)
    about = {"format": FORMAT, "model": name, "parameters": parameters, **state.to_dict()}
    arrays = {"about": np.array(json.dumps(about))}
    for player in ("G", "D"):
        arrays[f"{player}_theta"] = to_numpy(getattr(model, player).theta)
        for key, value in getattr(model, f"{player}_optimizer").state().items():
            arrays[f"{player}_optimizer_{key}"] = to_numpy(value)
    if model.ema_decay:
        arrays["G_average_theta"] = to_numpy(model.G_average.theta)
    write_atomically(path, lambda file: np.savez(file, **arrays))


def load_checkpoint(path, backend=None):
    r"""(model, `TrainState`) as they were saved, on `backend`.

    Raises CheckpointError if the file is missing, truncated, not a minigan checkpoint, of
    another format version, holds pickled objects, or does not fit its own description.
    """
    arrays = _read(path)
    try:
        about = json.loads(str(arrays.pop("about")))
        if about["format"] != FORMAT:
            raise CheckpointError(
                f"{path}: format version {about['format']}, this minigan reads {FORMAT}"
            )
        model = build(about["model"], **(about["parameters"] | {"backend": backend}))
        state = TrainState.from_dict(about)
        _restore(model, arrays)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{path}: not a minigan checkpoint ({error})") from error
    return model, state


def _read(path):
    import zipfile  # slow to import, as is all that reads files: only when it is used
    import zlib

    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such checkpoint") from None
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error) as e:
        raise CheckpointError(f"{path}: truncated, or not a minigan checkpoint ({e})") from e


def _restore(model, arrays):
    players = {"G": model.G, "D": model.D} | (
        {"G_average": model.G_average} if model.ema_decay else {}
    )
    for player, network in players.items():
        network.theta[...] = _fitting(model, arrays, f"{player}_theta", network.theta)
    for player in ("G", "D"):
        optimizer, theta = getattr(model, f"{player}_optimizer"), players[player].theta
        state = {"t": int(arrays[f"{player}_optimizer_t"])}
        for slot in optimizer.slots if state["t"] else ():
            state[slot] = _fitting(model, arrays, f"{player}_optimizer_{slot}", theta)
        optimizer.load_state(state)


def _fitting(model, arrays, name, like):
    array = arrays[name]
    if array.shape != like.shape or not np.isfinite(array).all():
        raise CheckpointError(
            f"{name}: expected {like.shape[0]} finite numbers for this architecture, "
            f"got shape {array.shape}"
        )
    return model.asarray(array)
