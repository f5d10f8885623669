r"""IDX, the format of MNIST and its kin: how such files are found and how they are read.

Nothing in a file is believed before it is checked, least of all the sizes that it declares:
no more is unpacked than they say, and nothing at all that the memory cannot hold.
"""

import math
import os
import re
from pathlib import Path

import numpy as np

from ..arrays import check_memory
from ..errors import DataError, MiniganError
from .files import open_regular, why

KINDS = {  # a file's first four bytes: the type of its numbers and how many sizes follow
    "00000801": ("labels", np.dtype("u1")),
    "00000803": ("images", np.dtype("u1")),
    "00000c02": ("QMNIST's labels", np.dtype(">i4")),
}
BYTES = {"00000801": 17, "00000803": 5, "00000c02": 5}  # taken for each that is in the file
DEFLATE = 1032  # the most bytes that one byte of a gzip file can become

SPLITS = {"train": "train", "t10k": "test", "test": "test"}
NAME = re.compile(
    rf"(?:(\w[\w.-]*)-)?({'|'.join(SPLITS)})-(images|labels)[-.]idx[123]-(?:ubyte|int)(?:\.gz)?"
)
INSIDE = ("", "raw", "gzip")  # where the files lie in torchvision's folder, in EMNIST's archive


def file_name(split, kind):
    r"""MNIST's name for the "images" or "labels" of the split "train" or "test"."""
    if split not in ("train", "test"):
        raise DataError(f"split: expected train or test, got {split!r}")
    rank = {"images": 3, "labels": 1}[kind]
    return f"{'train' if split == 'train' else 't10k'}-{kind}-idx{rank}-ubyte"


def find_idx(folder):
    r"""(the folder of the files, {(set, split, kind): path}) of all IDX files in a folder.

    They may lie in one of `INSIDE`, and each in a folder of its own name, as Kaggle has it.
    The set is what stands before MNIST's name, such as emnist-letters, or nothing.
    """
    for name in INSIDE:
        inside = Path(folder) / name
        try:
            found = _files_in(inside) if inside.is_dir() else {}
        except OSError as error:
            raise DataError(f"data: cannot read the folder {inside}: {why(error)}") from None
        if found:
            return inside, found
    return Path(folder), {}


def _files_in(folder):
    found = {}
    for path in sorted(folder.iterdir()):
        named = NAME.fullmatch(path.name)
        if named and path.is_dir():
            path = path / path.name
        if named and path.is_file():
            found.setdefault((named[1] or "", SPLITS[named[2]], named[3]), path)
    return found


def choose_set(folder, found, chosen=None, split=None):
    r"""The name in full of the set that is meant, of those that `find_idx` found.

    chosen : its name, or the end of it, as letters for emnist-letters; None is the one whose
        files bear no name, or the only one. Raises DataError if that is not clear.
    """
    images = (key for key in found if key[2] == "images" and split in (key[1], None))
    sets = sorted({key[0] for key in images})
    if not chosen and ("" in sets or not sets):
        return ""
    fit = [one for one in sets if chosen in (None, one, one.partition("-")[2])]
    if chosen in fit or len(fit) == 1:
        return chosen if chosen in fit else fit[0]
    listed = ", ".join(one or "one without a name" for one in sets) or "no set of images"
    raise DataError(
        f"data: {folder} holds {listed}; choose one, as in {folder}:{(sets or ['letters'])[-1]}"
    )


def what_is_missing(folder, split):
    r"""What a folder without images holds instead, and what it should hold."""
    images, labels = (f"{file_name(split, kind)}[.gz]" for kind in ("images", "labels"))
    inside = sorted(Path(folder).iterdir())
    names = [path.name + "/" * path.is_dir() for path in inside[:4]] or ["nothing"]
    return (
        f"holds no file {images}; it holds {', '.join(names)}{', …' * (len(inside) > 4)}; "
        f"minigan reads IDX files under MNIST's names, labels in {labels}"
    )


def read_idx(path, sha256=None, shape=None):
    r"""The array in an IDX file: uint8 labels (n,) or images (n, h, w), int32 (n, 8) of QMNIST.

    sha256 : if given, what the uncompressed content must sum to
    shape : if given, what the header must declare

    The file may be compressed with gzip. Its header is four bytes, 0, 0, the type (8 for
    uint8, 12 for int32) and the rank, then each size as a big-endian uint32. Raises DataError.
    """
    with open_regular(path, DataError) as file:
        try:
            return unpack(file, sha256, shape)
        except MiniganError as error:
            raise DataError(f"{path}: {error}") from None


def unpack(file, sha256=None, shape=None):
    r"""What `read_idx` returns, from an open file."""
    import gzip  # slow to import: only when a file is read
    import zlib

    size = os.fstat(file.fileno()).st_size
    packed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    if not packed:
        return _array(file, size, sha256, shape)
    try:
        with gzip.GzipFile(fileobj=file) as content:
            return _array(content, size * DEFLATE, sha256, shape)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"damaged, or not a gzip file: {error}") from None


def _array(file, largest, sha256, shape):
    head, declared, dtype = _header(file, largest, shape)
    size = math.prod(declared) * dtype.itemsize
    content = bytearray()
    while chunk := file.read(min(2**20, size + 1 - len(content))):
        content += chunk
    if len(content) != size:
        held = "more" if len(content) > size else f"only {len(content)}"
        raise DataError(f"declares {declared}, {size} bytes, but holds {held}")
    if sha256:
        _check_sum(head, content, sha256)
    array = np.frombuffer(content, dtype).reshape(declared)
    return array.astype(dtype.newbyteorder("="), copy=False)


def _header(file, largest, shape):
    r"""(the header's bytes, the shape, the type), if the content can be and is wanted."""
    magic = file.read(4)
    if magic.hex() not in KINDS:
        known = ", ".join(f"{key} ({kind})" for key, (kind, _) in KINDS.items())
        raise DataError(f"expected IDX magic {known}, got '{magic.hex()}'")
    sizes = file.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise DataError(f"truncated: the header ends after {4 + len(sizes)} bytes")
    declared = tuple(np.frombuffer(sizes, ">u4").tolist())
    dtype = KINDS[magic.hex()][1]
    size = math.prod(declared) * dtype.itemsize
    if not 0 < size <= largest:
        raise DataError(f"declares {declared}, {size} bytes; the file can hold 1 to {largest}")
    if shape not in (None, declared):
        raise DataError(f"expected shape {shape}, but it declares {declared}")
    check_memory(f"an array of {declared}", BYTES[magic.hex()] * size)
    return magic + sizes, declared, dtype


def _check_sum(head, content, sha256):
    import hashlib

    total = hashlib.sha256(head)
    total.update(content)
    found = total.hexdigest()
    if found != sha256:
        raise DataError(f"expected content of SHA-256 {sha256[:16]}…, got {found[:16]}…")
