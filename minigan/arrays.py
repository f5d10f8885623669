r"""Arrays of NumPy on the CPU or of CuPy on a CUDA GPU, and random numbers.

Only this file knows which array libraries exist. `backend("cupy")` answers with the
library in which a model makes its first arrays; from there on the arrays carry their
library with them, and `array_namespace(x)` finds it again wherever a formula needs a
function (`exp`, `where`, `sum`) rather than an operator (`@`, `+`, `*`). The functions
are those of the Python array API standard, so the same lines run on either.

Random numbers always come from a NumPy `Generator` on the host and are then moved, so a
seed names the same numbers, whatever the backend. All of them come from `stream`.
"""

import contextlib
import importlib
import math
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import array_api_compat
import numpy as np
from array_api_compat import device

from .errors import BackendError, MiniganError, whole_number

BACKENDS = ("numpy", "cupy")
INSTALL_CUPY = "pip install 'minigan[cupy]' for CUDA 13, 'minigan[cupy12]' for CUDA 12"
Array = Any  # an array of NumPy or of CuPy, which have no type in common
_namespace_of: dict[type, ModuleType] = {}
PURPOSES = (  # the place is the number, so a new one goes to the end
    "weights of G",
    "weights of D",
    "order of the rows",  # index: the epoch
    "noise of the training",
    "points of the penalty",
    "noise of samples",  # those that are measured are the samples of that seed
    "points of a mixture",  # index: 0 of the data, 1 of points held out
    "rows to be measured",
    "rows to be watched",
    "weights of the classifier",
    "training of the classifier",
    "directions of a gradient",
    "vectors of a proof",
    "cases of a proof",  # index: what is proven
    "numbers of a benchmark",  # index: what they are
    "cases of an exercise",  # index: what is proven
    "digits of a stack",  # index: 0 of the data, 1 of pictures held out
)


def stream(seed: int, purpose: str, *index: int) -> "np.random.Generator":
    r"""The random numbers of this seed for one of `PURPOSES`, and for one index within it.

    Were two places to draw from generators of the same seed, they would draw the same numbers:
    the noise of the first samples would be the weights of the first layer. NumPy's
    `SeedSequence` mixes the seed with a key, here (number of the purpose, index), so that every
    place has numbers of its own, which look independent of all the others.
    Raises MiniganError if the seed is not a whole number from 0.
    """
    seed = whole_number("seed", seed, "[0, 3.4e38]")  # the 128 bits that are mixed with the key
    key = PURPOSES.index(purpose), *index
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def backend(name: str | None = None) -> ModuleType:
    r"""The array library called `name`: "numpy", "cupy", or None for MINIGAN_BACKEND.

    Without a name and without the environment variable MINIGAN_BACKEND it is NumPy.
    Raises BackendError for an unknown name, or where CuPy is absent or has no driver.
    """
    name = name or os.environ.get("MINIGAN_BACKEND") or "numpy"
    if name not in BACKENDS:
        raise BackendError(f"backend: expected one of {', '.join(BACKENDS)}, got {name!r}")
    if name == "cupy":
        _require_cupy()
    return importlib.import_module(f"array_api_compat.{name}")


def _require_cupy():
    try:
        import cupy

        there = cupy.is_available()
    except ImportError:
        raise BackendError(f"backend: CuPy is not installed; {INSTALL_CUPY}") from None
    except Exception as error:  # installed, but for another Python, NumPy or CUDA
        raise BackendError(f"backend: CuPy is installed but does not work: {error}") from None
    if not there:
        raise BackendError(
            "backend: CuPy is installed but finds no CUDA driver or GPU on this machine; "
            "install the NVIDIA driver, or use backend='numpy'"
        )


def array_namespace(*arrays: Array) -> ModuleType:
    r"""The library the arrays belong to; raises BackendError if they belong to two."""
    kind = type(arrays[0])
    for array in arrays[1:]:
        if type(array) is not kind:
            raise BackendError(
                f"arrays of {_library(arrays[0])} and of {_library(array)} met in one call; "
                "move one with asarray or to_numpy"
            )
    if kind not in _namespace_of:
        try:
            _namespace_of[kind] = array_api_compat.array_namespace(arrays[0])
        except TypeError:
            raise BackendError(
                f"expected an array of {' or '.join(BACKENDS)}, got {kind.__name__}"
            ) from None
    return _namespace_of[kind]


def _library(array):
    return f"{type(array).__module__.split('.')[0]} ({type(array).__name__})"


def asarray_like(host: np.ndarray, like: Array) -> Array:
    r"""The host array `host` in the library, and on the device, of the array `like`."""
    if type(like) is np.ndarray:
        return host
    return array_namespace(like).asarray(host, device=device(like))


def aligned(shape, dtype) -> np.ndarray:
    r"""A NumPy array with no values yet, which begins where a line of the cache begins.

    A line has 64 bytes, and NumPy's own arrays begin at any multiple of 16. Three of four begin
    within a line; then every wide load of a loop reads two lines, and Adam's loop takes more
    than twice as long.
    """
    n_bytes = math.prod(np.atleast_1d(shape).tolist()) * np.dtype(dtype).itemsize
    memory = np.empty(n_bytes + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + n_bytes].view(dtype).reshape(shape)


def copied(array: Array) -> Array:
    r"""A copy, `aligned` if it is a NumPy array of numbers that loops run over."""
    if type(array) is not np.ndarray or array.dtype.kind != "f":
        return array_namespace(array).asarray(array, copy=True)
    copy = aligned(array.shape, array.dtype)
    copy[...] = array
    return copy


def to_numpy(array: Array) -> np.ndarray:
    r"""The same numbers as a NumPy array on the host."""
    if type(array) is np.ndarray:
        return array
    if hasattr(array, "get"):  # CuPy's way home
        return array.get()
    return np.from_dlpack(array) if hasattr(array, "__dlpack__") else np.asarray(array)


def check_memory(what: str, n_bytes: int) -> None:
    r"""Raises MiniganError, naming the size, if the machine has not that many bytes in all."""
    here = _memory()
    if n_bytes > here:
        raise MiniganError(
            f"{what} would take {n_bytes // 10**9:,} GB of memory; there are {here // 10**9:,}"
        )


def _memory():
    r"""Bytes of memory that this process may have: the machine's, or a limit below it."""
    known = [sys.maxsize]
    with contextlib.suppress(AttributeError, OSError, ValueError):  # not on Windows
        known.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with contextlib.suppress(OSError, ValueError):  # a container's limit, or "max"
        known.append(int(Path("/sys/fs/cgroup/memory.max").read_text("ascii")))
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        known.append(resource.getrlimit(resource.RLIMIT_AS)[0])
    return min(size for size in known if size > 0)  # no limit is -1, or the largest number
