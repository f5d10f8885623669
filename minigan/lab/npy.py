r"""Arrays in NumPy's own files, read without ever running what a file says.

An .npy file is a header and the numbers; an .npz file is a zip archive of such files. Only
numbers and text are read: what was pickled is refused. No more is unpacked than the header
declares, and nothing that the memory cannot hold.
"""

import contextlib
import io
import math
import os
import struct

import numpy as np

from ..arrays import check_memory
from ..errors import DataError, MiniganError
from .files import open_regular
from .idx import DEFLATE
from .source import naming, part_of

LARGEST_HEADER = 10_000  # bytes, as NumPy has it
MAGIC = b"\x93NUMPY"
SHOWN = 6  # arrays that a message lists


@contextlib.contextmanager
def damaged(path, what):
    r"""Whatever a damaged file makes the readers raise becomes a DataError that names it."""
    try:
        with naming(path):
            yield
    except MiniganError:
        raise
    except MemoryError:
        raise DataError(f"{path}: there is not enough memory to read it") from None
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"[:200]
        raise DataError(f"{path}: truncated, or not {what} ({reason})") from None


def read_npy(path):
    r"""The array in an .npy file; raises DataError."""
    with open_regular(path, DataError) as file, damaged(path, "an .npy file of NumPy"):
        return read_array(file, os.fstat(file.fileno()).st_size)


def read_npz(path, split):
    r"""(x, labels or None) of "train" or "test" in an .npz file, None without such an x."""
    import zipfile  # slow to import: only when it is used

    with (
        open_regular(path, DataError) as file,
        damaged(path, "an .npz file of NumPy"),
        zipfile.ZipFile(file) as archive,
    ):
        names = [name[:-4] for name in archive.namelist() if name.endswith(".npy")]
        chosen = choose(list(dict.fromkeys(names)), split)
        if chosen is None and split == "train":
            raise DataError(nothing_chosen(archive, names))
        return chosen and tuple(_member(archive, name) for name in chosen)


def choose(names, split):
    r"""The names (of x, of the labels or None) of those in an archive; None if none is clear.

    They may be called x and labels, images or imgs, y or targets, with train or test before or
    behind; arr_0 and arr_1, as NumPy calls them, are x and labels. Validation rows serve where
    no test rows are.
    """
    if len(names) == 1:
        return (names[0], None) if split == "train" else None
    if set(names) == {"arr_0", "arr_1"}:
        return ("arr_0", "arr_1") if split == "train" else None
    parts = {name: part_of(name) for name in names}
    for one in {"train": ("train", ""), "test": ("test", "validation")}[split]:
        inside = [name for name in names if parts[name].split == one]
        named = [name for name in inside if not parts[name].rest]
        x = [name for name in named if parts[name].role == "x"][:1]
        x = x or [name for name in inside if parts[name].role != "labels"]
        labels = [name for name in named if parts[name].role == "labels"]
        if x:
            return (x[0], labels[0] if labels else None) if len(x) == 1 else None
    return None


def nothing_chosen(archive, names):
    r"""What an archive holds, and what it should hold."""
    listed = []
    for name in names[:SHOWN]:
        with archive.open(f"{name}.npy") as file:
            shape, _, dtype = header(file)
            listed.append(f"{name} {shape} of {dtype}")
    held = ", ".join(listed) + ", …" * (len(names) > SHOWN)
    return (
        f"holds {held or 'no array'}; expected one array, or x (images, x_train, train_images, "
        "…) and perhaps labels (y, y_train, train_labels, …)"
    )


def _member(archive, name):
    if name is None:
        return None
    info = archive.getinfo(f"{name}.npy")
    if info.compress_type not in (0, 8):  # stored or deflated; others unpack all at once
        raise DataError(f"{name}: packed in a way that is not NumPy's")
    with archive.open(info) as file:
        try:
            return read_array(file, info.compress_size * (DEFLATE if info.compress_type else 1))
        except MiniganError as error:
            raise DataError(f"{name}: {error}") from None


def header(file):
    r"""(shape, whether in Fortran's order, dtype) that an open .npy file declares."""
    start = file.read(8)
    if start[:6] != MAGIC:
        raise DataError(f"expected NumPy's {MAGIC!r}, got {start[:6]!r}")
    size = file.read(2 if start[6] == 1 else 4)
    length = struct.unpack("<H" if start[6] == 1 else "<I", size)[0]
    if length > LARGEST_HEADER:
        raise DataError(f"declares a header of {length} bytes; at most {LARGEST_HEADER}")
    whole = io.BytesIO(size + file.read(length))
    if start[6] == 1:
        return np.lib.format.read_array_header_1_0(whole)
    return np.lib.format.read_array_header_2_0(whole)


def read_array(file, largest):
    r"""The array in an open .npy file, which can hold at most `largest` bytes."""
    shape, fortran, dtype = header(file)
    if dtype.hasobject:
        raise DataError(
            "holds pickled Python objects, which minigan never runs; save numbers, as by "
            "np.array(x, dtype='float32')"
        )
    if dtype.kind not in "biufUS":
        raise DataError(f"expected an array of real numbers, got {shape} of {dtype}")
    if any(each < 0 for each in shape) or len(shape) > 32:
        raise DataError(f"declares the shape {shape}")
    size = math.prod(shape) * dtype.itemsize
    if size > largest:
        raise DataError(f"declares {shape} of {dtype}, {size} bytes, and holds fewer")
    check_memory(f"an array of {shape}", 2 * size + 4 * math.prod(shape))
    content = bytearray()
    while chunk := file.read(min(2**20, size - len(content))):
        content += chunk
    if len(content) != size:
        raise DataError(f"declares {shape} of {dtype}, {size} bytes, but holds {len(content)}")
    array = np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")
    return array.astype(dtype.newbyteorder("="), copy=False)
