r"""MNIST's files: where they lie, how they are read, and how they are fetched.

Nothing in a file is believed before it is checked: not the sizes it declares, and not
that it is MNIST.
"""

import math
import os
from pathlib import Path

import numpy as np

from ..errors import DataError

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
MNIST_SHA256 = {  # of the uncompressed content, which a mirror may have compressed anew
    "train": {
        "images": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "labels": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    },
    "test": {
        "images": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "labels": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
}
LARGEST_DOWNLOAD = 2**24  # bytes; the largest of the four has 9.9 million


def mnist_folder():
    r"""Where the full MNIST is kept: MINIGAN_DATA, or ~/.cache/minigan/mnist."""
    return Path(os.environ.get("MINIGAN_DATA") or "~/.cache/minigan/mnist").expanduser()


def file_name(split, kind):
    r"""MNIST's name for the "images" or "labels" of the split "train" or "test"."""
    if split not in MNIST_SHA256:
        raise DataError(f"split: expected {' or '.join(MNIST_SHA256)}, got {split!r}")
    rank = {"images": 3, "labels": 1}[kind]
    return f"{'train' if split == 'train' else 't10k'}-{kind}-idx{rank}-ubyte"


def read_idx(path, sha256=None):
    r"""The uint8 array in an IDX file: labels (n,) or images (n, h, w); gzip or plain.

    sha256 : if given, what the uncompressed content must sum to.

    The header is four bytes 0, 0, 8 (for uint8) and the rank, then each dimension as a
    big-endian uint32. Raises DataError.
    """
    import gzip  # slow to import, as is hashlib: only when a file is read
    import zlib

    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: there is no such file")
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        ratio = 1032 if packed else 1  # deflate makes at most 1032 bytes of one
        with (gzip.open if packed else open)(path, "rb") as file:
            return _read_idx(file, path.stat().st_size * ratio, sha256)
    except (OSError, EOFError, zlib.error, DataError) as error:
        raise DataError(f"{path}: {error}") from None


def _read_idx(file, largest, sha256):
    import hashlib

    magic = file.read(4)
    if magic not in (b"\0\0\x08\x01", b"\0\0\x08\x03"):
        raise DataError(f"expected IDX magic 00000801 or 00000803, got '{magic.hex()}'")
    sizes = file.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise DataError(f"truncated: the header ends after {4 + len(sizes)} bytes")
    shape = tuple(np.frombuffer(sizes, ">u4").tolist())
    declared = math.prod(shape)
    if not 0 < declared <= largest:
        raise DataError(f"declares {shape}, {declared} bytes; the file can hold 1 to {largest}")
    content = bytearray()
    while chunk := file.read(min(2**20, declared + 1 - len(content))):
        content += chunk
    if len(content) != declared:
        held = "more" if len(content) > declared else f"only {len(content)}"
        raise DataError(f"declares {shape}, {declared} bytes, but holds {held}")
    found = hashlib.sha256(magic + sizes + content).hexdigest()
    if sha256 not in (None, found):
        raise DataError(f"expected content of SHA-256 {sha256[:16]}…, got {found[:16]}…")
    return np.frombuffer(content, np.uint8).reshape(shape)


def download_mnist(to=None, url=None, timeout=30, progress=True):
    r"""Fetch the four files of MNIST that are not there yet; returns their folder.

    to : the folder, made if need be; default `mnist_folder()`
    url : a mirror's address, in place of `MIRRORS`, which are tried in turn
    timeout : seconds without a byte after which a mirror is given up
    progress : whether to draw a bar per file

    A file takes its name only when it is complete and its SHA-256 is right. Raises
    DataError with what happened at each mirror.
    """
    folder = Path(to) if to else mnist_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"to: cannot make the folder {folder}: {error.strerror}") from None
    mirrors = (url,) if url else MIRRORS
    for split, known in MNIST_SHA256.items():
        for kind, sha256 in known.items():
            path = folder / f"{file_name(split, kind)}.gz"
            if not _is_right(path, sha256):
                _fetch(path, sha256, mirrors, timeout, progress)
    return folder


def _is_right(path, sha256):
    try:
        read_idx(path, sha256)
    except DataError:
        return False
    return True


def _fetch(path, sha256, mirrors, timeout, progress):
    r"""The file from the first mirror that has it, whole and right."""
    from http.client import HTTPException

    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    failures = []
    for mirror in mirrors:
        try:
            _save(f"{mirror.rstrip('/')}/{path.name}", part, timeout, progress)
            read_idx(part, sha256)
            return os.replace(part, path)
        except (OSError, HTTPException, ValueError) as error:
            failures.append(f"{mirror}: {error}".replace(f"{part}: ", ""))
        finally:
            part.unlink(missing_ok=True)
    raise DataError(f"cannot download {path.name}; " + "; ".join(failures))


def _save(url, part, timeout, progress):
    r"""What is at `url` into the file `part`; raises if the connection ends too early."""
    from urllib.request import urlopen

    from tqdm import tqdm

    with urlopen(url, timeout=timeout) as reply, part.open("wb") as file:
        promised = int(reply.headers.get("Content-Length") or 0)
        about = {"total": promised, "unit": "B", "unit_scale": True, "disable": not progress}
        with tqdm(desc=url.rpartition("/")[2], **about) as bar:
            while chunk := reply.read(2**16):
                file.write(chunk)
                bar.update(len(chunk))
                if file.tell() > LARGEST_DOWNLOAD:
                    raise DataError(f"sent more than {LARGEST_DOWNLOAD} bytes")
            if file.tell() < promised:
                raise DataError(f"closed after {file.tell()} of {promised} bytes")
