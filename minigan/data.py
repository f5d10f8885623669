r"""Chapter 17. Data: rows to imitate, and batches of them.

    data = Dataset(x, labels, image_shape=(28, 28))
    for x, labels in Batches(data, 64):
        ...  # for ever; every row once per epoch

Pixels lie in [0, 1], with 0 the background.
"""

import math
import operator
import sys
from dataclasses import dataclass, replace

import numpy as np

from .arrays import array_namespace, asarray_like, stream
from .errors import DataError, whole_number


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    r"""Rows to imitate, checked once so that nothing later has to.

    x : (n, d), any real numbers; kept as float32
    labels : whole numbers from 0 (n,), or None; kept as int64, the number of each in `classes`
    image_shape : (height, width) of a row seen as a grey picture, (height, width, 3) of one in
        red, green and blue; its pixels must then be in [0, 1]; None for points, which may lie
        anywhere
    name : what messages call it
    classes : what the labels 0, 1, 2, ... stand for. By default the labels are taken as they
        come, 1 to 26 for instance: the classes are those that occur, in ascending order, and
        the labels are numbered anew. If classes are given, the labels are numbers of theirs,
        and some may be absent: `classes=range(10)` for digits of which none is a 5
    source : what its loader knows of it, a `minigan.lab.loaders.Source`, or None

    `len(data)` is the number of rows. Raises DataError.
    """

    x: np.ndarray
    labels: np.ndarray | None = None
    image_shape: tuple[int, ...] | None = None
    name: str = "data"
    classes: tuple[int, ...] = ()
    source: object = None

    def __post_init__(self):
        x = _as_rows(self.x)
        labels, classes = _as_labels(self.labels, self.classes, len(x))
        shape = self.image_shape if self.image_shape is None else _as_image_shape(self, x)
        found = {"x": x, "labels": labels, "image_shape": shape, "classes": classes}
        for name, value in found.items():
            object.__setattr__(self, name, value)

    def __len__(self):
        return len(self.x)

    def __repr__(self):
        if self.image_shape is None:
            what = f"{self.x.shape[1]} columns"
        else:
            what = f"images of {describe_shape(self.image_shape)}"
        return f"<Dataset {self.name!r}: {len(self):,} rows, {what}, {self.describe_classes()}>"

    @property
    def n_classes(self):
        r"""The number of classes, or 0 without labels."""
        return len(self.classes)

    def describe_classes(self):
        r"""The classes in words: "the 26 classes 1 to 26", or "the 3 classes 0, 2, 5"."""
        k, classes = self.n_classes, self.classes
        if k < 2:
            return f"the one class {classes[0]}" if k else "no labels"
        if classes[-1] - classes[0] == k - 1:
            return f"the {k} classes {classes[0]} to {classes[-1]}"
        return f"the {k} classes {', '.join(map(str, classes[:10]))}{', ...' * (k > 10)}"

    def part(self, rows):
        r"""Some of the rows: a slice, their numbers or a mask. The classes are the same."""
        labels = None if self.labels is None else self.labels[rows]
        return replace(self, x=self.x[rows], labels=labels)


def describe_shape(image_shape):
    r"""The shape of a picture in words: "28 x 28", or "28 x 28 in colour"."""
    h, w, *colour = image_shape
    return f"{h} x {w}{' in colour' * bool(colour)}"


def as_dataset(data):
    r"""A `Dataset` as it is, or one of points made of an array (n, d).

    For images or labels of your own: `Dataset(x, labels, image_shape=(28, 28))`.
    """
    return data if isinstance(data, Dataset) else Dataset(data)


def _as_array(name, given):
    if _is_masked(given):
        raise DataError(f"{name}: expected no masked values, got some; leave their rows out")
    try:
        return np.asarray(given)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"{name}: expected a NumPy array: {error}") from None


def _is_masked(given):
    r"""Whether a value is masked, in an array or in one of a list of arrays."""
    masked = sys.modules.get("numpy.ma")  # who never imported it has no masked array
    arrays = given if isinstance(given, (list, tuple)) else [given]
    return masked is not None and any(map(masked.is_masked, arrays))


def _as_rows(given):
    x = _as_array("x", given)
    if x.dtype.kind not in "biuf":
        raise DataError(f"x: expected real numbers, got dtype {x.dtype}")
    if x.ndim != 2 or x.size == 0:
        raise DataError(
            f"x: expected rows and columns (n, d), got shape {x.shape}{_reshaped(x.shape)}"
        )
    with np.errstate(over="ignore"):
        x = np.ascontiguousarray(x, np.float32)
    if not np.isfinite([x.min(), x.max()]).all():  # neither hides a NaN
        i, j = np.argwhere(~np.isfinite(x))[0]
        raise DataError(f"x: expected finite float32 numbers, got {x[i, j]} at [{i}, {j}]")
    return x


def _reshaped(shape):
    r"""How an array of another shape is made into rows."""
    if 0 in shape or len(shape) in (0, 2):
        return ""
    if len(shape) == 1:
        return "; for points on a line give x.reshape(-1, 1)"
    n, *inner = shape
    turned = ""
    if len(inner) == 3 and inner[-1] == 1:
        inner.pop()
    elif len(inner) == 3 and inner[0] == 3 != inner[-1]:  # colours first, as PyTorch has them
        turned, inner = ".transpose(0, 2, 3, 1)", [*inner[1:], 3]
    is_picture = len(inner) == 2 or (len(inner) == 3 and inner[-1] == 3)
    pictures = f" and image_shape={tuple(inner)}" if is_picture else ""
    return f"; give x{turned}.reshape({n}, -1){pictures}"


def _as_image_shape(data, x):
    try:
        shape = tuple(map(operator.index, data.image_shape))
    except (TypeError, ValueError):
        shape = ()
    if len(shape) not in (2, 3) or shape[2:] not in ((), (1,), (3,)):
        raise DataError(
            "image_shape: expected (height, width), or (height, width, 3) of colours, got "
            f"{data.image_shape!r}"
        )
    if shape[0] < 1 or math.prod(shape) != x.shape[1]:
        size = " x ".join(map(str, shape))
        raise DataError(f"image_shape: {size} is not the {x.shape[1]} columns of x")
    low, high = x.min(), x.max()
    if low < 0 or high > 1:
        hint = "; divide them by 255" if low >= 0 and 1 < high <= 255 else ""
        raise DataError(
            f"x: expected pixels in [0, 1], got values from {low:g} to {high:g}{hint}"
        )
    return shape if shape[2:] == (3,) else shape[:2]


def _as_labels(given, classes, n):
    r"""(labels as numbers of classes, classes), both checked."""
    classes = np.ravel([] if classes is None else np.array(classes, dtype=object)).tolist()
    classes = tuple(whole_number("classes", value, "[0, inf)", DataError) for value in classes)
    if list(classes) != sorted(set(classes)):
        raise DataError(f"classes: expected ascending numbers, got {list(classes)}")
    if given is None:
        return None, ()
    labels = _as_array("labels", given)
    if labels.shape != (n,):
        raise DataError(f"labels: expected one for each of {n} rows, got shape {labels.shape}")
    if labels.dtype.kind not in "iu":
        raise DataError(f"labels: expected whole numbers, got dtype {labels.dtype}")
    low, high = int(labels.min()), int(labels.max())
    if low < 0:
        raise DataError(f"labels: expected 0 or more, got {low}")
    if classes and high >= len(classes):
        raise DataError(
            f"labels: with classes given, expected their numbers, 0 to {len(classes) - 1}, "
            f"got {high}"
        )
    if classes or (high < n and np.bincount(labels.astype(np.int64)).all()):
        return labels.astype(np.int64, copy=False), classes or tuple(range(high + 1))
    values, numbers = np.unique(labels, return_inverse=True)
    return numbers.astype(np.int64), tuple(values.tolist())


class Batches:
    r"""An endless iterator of (x, labels), every row once per epoch in a new random order.

    data : a `Dataset` or an array (n, d); without labels, None comes in their place
    batch_size : rows a batch, from 1 to n
    seed : of the orders; epoch e's is `stream(seed, "order of the rows", e).permutation(n)`
    rows : rows given so far; a batch depends on (seed, rows) alone, so this integer is
        all that must be kept to go on later
    to : called once on x and once on labels, to cast them or move them to a GPU

    A batch that crosses the end of an epoch takes the tail of one order and the head of
    the next: no row is ever left out. Raises DataError.
    """

    def __init__(self, data, batch_size, seed=0, rows=0, to=None):
        data, to = as_dataset(data), to or (lambda array: array)
        self.n = len(data)
        self.batch_size = whole_number("batch_size", batch_size, f"[1, {self.n}]", DataError)
        self.seed = whole_number("seed", seed, "[0, inf)", DataError)
        self.rows = whole_number("rows", rows, "[0, inf)", DataError)
        self.x = to(data.x)
        self.labels = None if data.labels is None else to(data.labels)
        self.part = slice(None)  # of every batch, the rows that are given
        self.out = None  # an array that the rows of x are written to, if there is one
        self._xp, self._epoch = array_namespace(self.x), None

    def __iter__(self):
        return self

    def __next__(self):
        epoch, start = divmod(self.rows, self.n)
        stop = start + self.batch_size
        index = self._order(epoch)[start : min(stop, self.n)]
        if stop > self.n:
            index = self._xp.concat([index, self._order(epoch + 1)[: stop - self.n]])
        self.rows, index = self.rows + self.batch_size, index[self.part]
        labels = None if self.labels is None else self._xp.take(self.labels, index)
        if self.out is not None:
            return np.take(self.x, index, axis=0, out=self.out, mode="clip"), labels
        return self._xp.take(self.x, index, axis=0), labels

    def _order(self, epoch):
        if epoch != self._epoch:
            order = stream(self.seed, "order of the rows", epoch).permutation(self.n)
            self._epoch, self._permutation = epoch, asarray_like(order, self.x)
        return self._permutation
