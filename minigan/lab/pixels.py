r"""Arrays of your own as rows: which are pictures, how bright they are, and of what size."""

import math
from dataclasses import dataclass

import numpy as np

from ..arrays import check_memory
from ..errors import DataError
from .source import BACKGROUNDS, LARGEST_SIDE, coded

SEEN = 64  # a row of fewer numbers is never taken for a picture, unless a size is given
BRIGHT = 64  # a set of pictures of which no pixel is brighter counts in other units than 255
LUMA = np.array([299, 587, 114], np.float32) / 1000  # of red, green and blue, as Pillow has it


@dataclass(frozen=True)
class Layout:
    r"""How the rows of an array are understood, so that test rows are understood alike.

    shape : of a picture in the array, (h, w) or (h, w, c) or (c, h, w); None of points
    divisor : what pixels are divided by
    turned : whether pictures are stored column by column, as EMNIST's are
    """

    shape: tuple | None
    divisor: float = 1.0
    turned: bool = False


def layout_of(array, reading, turned=False):
    r"""The `Layout` of training rows in an array; raises DataError with what would work."""
    check_rows(array)
    shape = array.shape[1:]
    if array.ndim < 3:
        shape = seen_as(array, reading)
    elif array.ndim == 4 and shape[2] not in (1, 3, 4) and shape[0] not in (1, 3):
        raise DataError(f"expected 1, 3 or 4 colours, got shape {array.shape}")
    return Layout(shape, divisor_of(array) if shape else 1.0, turned)


def check_rows(array):
    r"""Raises DataError if these are neither rows nor pictures of real numbers."""
    if array.dtype.kind not in "biuf":
        raise DataError(f"expected real numbers, got {array.shape} of {array.dtype}")
    if array.size == 0 or array.ndim not in (1, 2, 3, 4):
        raise DataError(
            "expected rows (n, d), pictures (n, height, width) or (n, height, width, 3), got "
            f"shape {array.shape}"
        )


def seen_as(array, reading):
    r"""The shape of the picture in each row of numbers; None of points."""
    d = 1 if array.ndim == 1 else array.shape[1]
    if reading.size:
        h, w = reading.size
        if d == h * w:
            return h, w
        if d == 3 * h * w:
            return h, w, 3
        raise DataError(
            f"size: a row has {d} numbers, not {h} x {w} or {h} x {w} x 3; "
            + (f"--size {int(d**0.5)} would fit" if is_square(d) else "leave the size out")
        )
    side = pictures_side(array)
    return (side, side) if side and are_bytes(array) else None


def pictures_side(array):
    r"""The side of the square picture that each row of numbers may be; 0 if it cannot."""
    d = array.shape[1] if array.ndim == 2 else 1
    return int(d**0.5) if is_square(d) and d >= SEEN else 0


def is_square(d):
    r"""Whether a square has so many pixels."""
    return int(d**0.5) ** 2 == d


def are_bytes(array):
    r"""Whether all are whole numbers from 0 to 255, some of them large: most likely pixels."""
    low, high = float(array.min()), float(array.max())
    if not (low >= 0 and BRIGHT <= high <= 255):
        return False
    return array.dtype.kind in "iu" or not any((rows % 1).any() for rows in parts(array))


def parts(array, rows=1000):
    r"""The array a thousand rows at a time."""
    return (array[i : i + rows] for i in range(0, len(array), rows))


def divisor_of(array):
    r"""What brings the pixels into [0, 1]."""
    low, high = float(array.min()), float(array.max())
    if low >= 0 and high <= 1:
        return 1.0
    if low >= 0 and BRIGHT <= high <= 255:
        return 255.0
    if not np.isfinite([low, high]).all():
        i = np.argwhere(~np.isfinite(array))[0].tolist()
        raise DataError(f"expected finite pixels, got {array[tuple(i)]} at {i}")
    hint = f"x / {high:g}" if low >= 0 else f"(x - {low:g}) / {high - low:g}"
    raise DataError(
        f"expected pixels from 0 to 1 or from 0 to 255, got {low:g} to {high:g}; save {hint}"
    )


def rows_of(array, layout, reading):
    r"""(rows (n, d) in float32, image_shape or None) of an array of that layout."""
    check_rows(array)
    if layout.shape is None:
        if reading.grey is not None or reading.size:
            raise DataError("holds points, which have no size and no colour")
        return (array[:, None] if array.ndim == 1 else array), None
    check_memory(f"pictures {array.shape}", 8 * array.size)
    if array.size != len(array) * math.prod(layout.shape):
        raise DataError(f"expected rows of {layout.shape}, got shape {array.shape}")
    x = np.divide(array, layout.divisor, dtype=np.float32)
    x = x.reshape(len(x), *layout.shape)
    x = x.swapaxes(1, 2) if layout.turned else x
    x = coloured(x if x.ndim == 4 else x[..., None], reading)
    if not reading.size and max(x.shape[1:3]) > LARGEST_SIDE:
        h, w = x.shape[1:3]
        raise DataError(
            f"holds pictures of {h} x {w}; those of more than {LARGEST_SIDE} x {LARGEST_SIDE} "
            "are too large to learn from; --size 28 crops and scales them"
        )
    if reading.size not in ((), x.shape[1:3]):
        x = np.stack([scaled(picture, reading.size) for picture in x])
    shape = x.shape[1:] if x.shape[3] == 3 else x.shape[1:3]
    return np.ascontiguousarray(x).reshape(len(x), -1), shape


def coloured(x, reading):
    r"""Pictures (n, h, w, 1) or (n, h, w, 3), as asked, from any of four kinds."""
    if x.shape[3] not in (1, 3, 4):
        x = np.moveaxis(x, 1, 3)  # colours first, as PyTorch has them
    if x.shape[3] == 4:
        behind = BACKGROUNDS[reading.background] / 255
        x = x[..., :3] * x[..., 3:] + behind * (1 - x[..., 3:])
    if reading.grey and x.shape[3] == 3:
        return (x @ LUMA)[..., None]
    if reading.grey is False and x.shape[3] == 1:
        return x.repeat(3, axis=3)
    return x


def scaled(picture, size):
    r"""A picture (h, w, c), cropped to the proportions of `size` and scaled to it."""
    from PIL import Image

    h, w = picture.shape[:2]
    box = crop((w, h), size[::-1])
    each = [
        Image.fromarray(np.ascontiguousarray(picture[..., c])).resize(
            size[::-1], Image.Resampling.LANCZOS, box
        )
        for c in range(picture.shape[2])
    ]
    return np.clip(np.stack([np.asarray(one) for one in each], axis=-1), 0, 1)


def crop(size, wanted):
    r"""The largest box in the middle of a picture that has the proportions of another, both
    given as (width, height).
    """
    (w, h), (w_wanted, h_wanted) = size, wanted
    scale = min(w / w_wanted, h / h_wanted)
    left, top = (w - scale * w_wanted) / 2, (h - scale * h_wanted) / 2
    return max(0.0, left), max(0.0, top), min(w, w - left), min(h, h - top)


def labels_of(array, n):
    r"""(labels, classes, names) for `Dataset` from an array of labels of n rows.

    They may be whole numbers, also as floats, words, a column (n, 1), or one-hot rows.
    """
    array = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    is_number = array.dtype.kind in "biuf"
    one_hot = array.ndim == 2 and is_number and ((array == 0) | (array == 1)).all()
    if one_hot and (array.sum(axis=1) == 1).all():
        return array.argmax(axis=1), tuple(range(array.shape[1])), ()
    if array.shape != (n,):
        raise DataError(f"expected one label for each of {n} rows, got shape {array.shape}")
    if array.dtype.kind in "US":
        text = array.astype(str) if array.dtype.kind == "U" else np.char.decode(array, "utf-8")
        return coded(text.tolist())
    if array.dtype.kind == "b":
        array = array.astype(np.int64)
    if array.dtype.kind == "f" and np.isfinite(array).all() and not (array % 1).any():
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise DataError(f"expected whole numbers or words as labels, got {array.dtype}")
    return array, (), ()
