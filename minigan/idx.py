r"""MNIST's file format: a big-endian header, then the numbers, plain or gzip.

Two zero bytes, the type (8 for uint8), the number of dimensions, each dimension as four
bytes, and the content. A header is not believed before the file is seen to be as long.
"""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from .errors import DataError

GZIP_LIMIT = 1032  # deflate cannot expand a byte to more


def read_idx(path, verify=None):
    r"""The uint8 array in an IDX file.

    verify : called with (path, whole content) before it is used, to check a checksum.
    Raises DataError if the file is missing, damaged, of another format, or declares more
    or less than it holds.
    """
    path = Path(path)
    zipped = path.suffix == ".gz"
    try:
        with gzip.open(path) if zipped else open(path, "rb") as file:
            head = file.read(4)
            if len(head) < 4 or head[:3] != b"\0\0\x08" or head[3] == 0:
                raise DataError(
                    f"{path}: not an IDX file of bytes: starts with {head.hex(' ') or 'nothing'}, "
                    "expected 00 00 08 and the number of dimensions"
                )
            head += file.read(4 * head[3])
            shape = tuple(np.frombuffer(head[4:], ">u4").tolist())
            size = math.prod(shape)
            most = path.stat().st_size * (GZIP_LIMIT if zipped else 1)
            if len(head) < 4 + 4 * head[3] or size > most:
                raise DataError(f"{path}: truncated: too short for the {shape} it declares")
            content = file.read(size + 1)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: damaged or unreadable ({error})") from error
    if len(content) != size:
        state = "truncated" if len(content) < size else "longer than declared"
        raise DataError(f"{path}: {state}: {shape} is {size} bytes, got {len(content)}")
    if verify:
        verify(path, head + content)
    return np.frombuffer(content, np.uint8).reshape(shape)
