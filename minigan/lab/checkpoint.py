r"""A run on disk: one file, whole or absent.

A checkpoint is one .npz with every number that training needs to go on: θ of both
networks, the optimisers with their averages, the states of the random generators, and
how many steps and rows have passed. Saving and loading go by one list of its arrays: what the
loader would refuse is not written, and nothing is unpacked whose size is not known before.
It holds arrays and one line of JSON; opening a stranger's file runs none of its code.
"""

import errno
import json
import math

import numpy as np

from ..arrays import to_numpy
from ..errors import BackendError, CheckpointError, DivergedError, MiniganError
from ..optim import SGD, Adam, RMSProp
from ..training import TrainState
from .files import open_regular, write_whole
from .models import build, describe, modern

FORMAT = 3  # in 2, a shift-invariant game's D had an output bias; 1 had no optimisers' settings
OPTIMIZERS = {cls.__name__: cls for cls in (SGD, RMSProp, Adam)}
LARGEST_TEXT = 2**20  # bytes of the line of JSON; it has about a thousand


def save_checkpoint(path, model, state):
    r"""Write model and `TrainState` to `path`; the file there before stays until the end.

    Raises DivergedError, and leaves the old file, if a number is not finite; CheckpointError
    if the model is not one that `load_checkpoint` can make again; RunError if the file cannot
    be written.
    """
    name, parameters = describe(model)
    check_layers(model)
    optimizers = {player: optimizer_settings(model, player) for player in "GD"}
    about = {"format": FORMAT, "model": name, "parameters": parameters}
    about |= {"optimizers": optimizers, **state.to_dict()}
    arrays = {"about": np.array(json.dumps(about))}
    for member, array in members(model).items():
        arrays[member] = to_numpy(array)
        if not np.isfinite(arrays[member]).all():
            raise DivergedError(f"step {state.step}: not finite: {member.replace('_', ' ')}")
    for player in "GD":
        arrays[f"{player}_optimizer_t"] = np.array(optimizer(model, player).t, np.int64)
    write_whole(path, lambda file: np.savez(file, **arrays))


def load_checkpoint(path, backend=None):
    r"""(model, `TrainState`) as they were saved, on `backend`.

    Raises CheckpointError if the file is missing, truncated, not a minigan checkpoint, of
    another format version, or does not fit its own description; BackendError if the backend
    is not there.
    """
    import zipfile  # slow to import: only when it is used

    with open_regular(path, CheckpointError) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                return _load(archive, backend)
        except BackendError:
            raise
        except MiniganError as error:
            raise CheckpointError(f"{path}: {error}") from None
        except MemoryError:
            raise CheckpointError(f"{path}: there is not enough memory to read it") from None
        except Exception as error:  # whatever a damaged file makes the readers raise
            if getattr(error, "errno", errno.EINVAL) not in (None, errno.EINVAL):
                raise  # no wrong place to seek: the system's own trouble, told above
            reason = f"{type(error).__name__}: {error}"
            text = f"{path}: truncated, or not a minigan checkpoint ({reason})"
            raise CheckpointError(text) from error


def _load(archive, backend):
    about = json.loads(str(read_member(archive, "about", (), largest=LARGEST_TEXT)))
    if about["format"] not in range(1, FORMAT + 1):
        raise CheckpointError(
            f"format version {about['format']}, this minigan reads 1 to {FORMAT}; "
            "a newer minigan may read it"
        )
    parameters = modern(about["parameters"]) | {"backend": backend}
    model = build(about["model"], **parameters)
    for player, (kind, settings) in about.get("optimizers", {}).items():
        if player not in ("G", "D") or kind not in OPTIMIZERS:
            raise CheckpointError(f"optimizers: expected {', '.join(OPTIMIZERS)}, got {kind!r}")
        setattr(model, f"{player}_optimizer", OPTIMIZERS[kind](**settings))
    for player in "GD":
        t = read_member(archive, f"{player}_optimizer_t", (), np.dtype(np.int64))
        _begin(optimizer(model, player), getattr(model, player).theta, int(t))
    for member, array in members(model).items():
        size, dtype = math.prod(array.shape), np.dtype(model.dtype)
        more = about["format"] < 3 and model.shift_invariant and member.startswith("D_")
        found = read_member(archive, member, (size + more,), dtype)
        if not np.isfinite(found).all():
            raise CheckpointError(f"{member}: expected finite numbers")
        array[...] = model.asarray(found[:size])  # without the output bias, the last of all
    return model, TrainState.from_dict(about)


def _begin(optimizer, theta, t):
    r"""Averages of the right size, which `members` then fills; t steps have been taken."""
    if not 0 <= t < 2**53:
        raise CheckpointError(f"t: expected a number of steps from 0, got {t}")
    optimizer.load_state({"t": t} | {slot: 0 * theta for slot in optimizer.slots if t})


def members(model):
    r"""{name in the file: array of the model} of every array that a checkpoint holds."""
    arrays = {"G_theta": model.G.theta, "D_theta": model.D.theta}
    if model.ema_decay:
        arrays["G_average_theta"] = model.G_average.theta
    for player in "GD":
        one = optimizer(model, player)
        for slot in one.slots if one.t else ():
            arrays[f"{player}_optimizer_{slot}"] = getattr(one, slot)
    return arrays


def optimizer(model, player):
    r"""The optimiser of "G" or of "D"."""
    return getattr(model, f"{player}_optimizer")


def optimizer_settings(model, player):
    r"""(name of its class, its settings); raises CheckpointError for a class of one's own."""
    one = optimizer(model, player)
    name = type(one).__name__.removeprefix("Fast")
    if name not in OPTIMIZERS or not type(one).__module__.startswith("minigan."):
        raise CheckpointError(
            f"{player}_optimizer: only {', '.join(OPTIMIZERS)} can be saved, not "
            f"{type(one).__name__}; keep model.{player}.theta with numpy.savez"
        )
    return name, one.settings()


def check_layers(model):
    r"""Raises CheckpointError if a network is not the one that the parameters describe."""
    for player, described in model.layers().items():
        layers = getattr(model, player).layers
        if list(map(_signature, layers)) != list(map(_signature, described)):
            raise CheckpointError(
                f"{player}: a checkpoint holds the networks that the model's parameters "
                f"describe; this one has {', '.join(map(repr, layers))}; keep "
                f"model.{player}.theta with numpy.savez"
            )


def _signature(layer):
    return type(layer), repr(layer)


def read_member(archive, name, shape, dtype=None, largest=0):
    r"""One array of an .npz file, unpacked only if its header declares what is expected.

    dtype : None is text of at most `largest` bytes
    """
    expected = largest if dtype is None else math.prod(shape) * dtype.itemsize
    try:
        info = archive.getinfo(f"{name}.npy")
    except KeyError:
        raise CheckpointError(f"{name} is missing") from None
    if info.compress_type not in (0, 8):  # stored or deflated; others unpack all at once
        raise CheckpointError(f"{name}: packed in a way that is not NumPy's")
    with archive.open(info) as file:
        read = {(1, 0): np.lib.format.read_array_header_1_0}.get(
            np.lib.format.read_magic(file), np.lib.format.read_array_header_2_0
        )
        declared, _, kind = read(file)
        size = math.prod(declared) * kind.itemsize
        fits = kind.kind == "U" if dtype is None else kind.newbyteorder("=") == dtype
        if declared != shape or not fits or size > expected:
            wanted = "text" if dtype is None else dtype
            raise CheckpointError(
                f"{name}: expected shape {shape} of {wanted} for this architecture, "
                f"got {declared} of {kind}"
            )
        content = file.read(size + 1)
    if len(content) != size:
        raise CheckpointError(f"{name}: expected {size} bytes, got {len(content)}")
    return np.frombuffer(content, kind).reshape(shape)
