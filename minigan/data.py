r"""Chapter 12. Data: rows to imitate, and batches of them.

    data = Dataset(x, labels, image_shape=(28, 28))     # or minigan.load("mnist5k")
    for x, labels in Batches(data, 64):                 # for ever; every row once per epoch
        ...

Pixels lie in [0, 1], with 0 the background.
"""

import operator
from dataclasses import dataclass, field

import numpy as np

from .arrays import array_namespace, asarray_like
from .errors import DataError


@dataclass(frozen=True, eq=False)
class Dataset:
    r"""Rows to imitate, checked once so that nothing later has to.

    x : (n, d), any real numbers; kept as float32
    labels : whole numbers from 0 (n,), kept as int64, or None
    image_shape : (height, width) of a row seen as a picture, whose pixels must then be in
        [0, 1]; None for points, which may lie anywhere
    name : what messages call it

    Raises DataError.
    """

    x: np.ndarray = field(repr=False)
    labels: np.ndarray | None = field(default=None, repr=False)
    image_shape: tuple[int, int] | None = None
    name: str = "data"

    def __post_init__(self):
        x = _as_rows(self.x)
        object.__setattr__(self, "x", x)
        if self.image_shape is not None:
            object.__setattr__(self, "image_shape", _as_image_shape(self.image_shape, x))
        if self.labels is not None:
            object.__setattr__(self, "labels", _as_labels(self.labels, len(x)))

    @property
    def n_classes(self):
        r"""The largest label plus one, or 0 without labels."""
        return 0 if self.labels is None else int(self.labels.max()) + 1


def as_dataset(data):
    r"""A `Dataset` as it is, or one of points made of an array (n, d).

    For images or labels of your own: `Dataset(x, labels, image_shape=(28, 28))`.
    """
    return data if isinstance(data, Dataset) else Dataset(data)


def _as_array(name, given):
    try:
        return np.asarray(given)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"{name}: expected a NumPy array: {error}") from None


def _as_rows(given):
    x = _as_array("x", given)
    if x.dtype.kind not in "biuf":
        raise DataError(f"x: expected real numbers, got dtype {x.dtype}")
    if x.ndim != 2 or x.size == 0:
        raise DataError(f"x: expected rows and columns (n, d), got shape {x.shape}")
    with np.errstate(over="ignore"):
        x = np.ascontiguousarray(x, np.float32)
    finite = np.isfinite(x)
    if not finite.all():
        i, j = np.argwhere(~finite)[0]
        raise DataError(f"x: expected finite float32 numbers, got {x[i, j]} at [{i}, {j}]")
    return x


def _as_image_shape(given, x):
    try:
        h, w = map(operator.index, given)
    except (TypeError, ValueError):
        raise DataError(f"image_shape: expected (height, width), got {given!r}") from None
    if h < 1 or h * w != x.shape[1]:
        raise DataError(f"image_shape: {h} x {w} is not the {x.shape[1]} columns of x")
    low, high = x.min(), x.max()
    if low < 0 or high > 1:
        raise DataError(f"x: expected pixels in [0, 1], got values from {low:g} to {high:g}")
    return h, w


def _as_labels(given, n):
    labels = _as_array("labels", given)
    if labels.shape != (n,):
        raise DataError(f"labels: expected one for each of {n} rows, got shape {labels.shape}")
    if labels.dtype.kind not in "iu":
        raise DataError(f"labels: expected whole numbers, got dtype {labels.dtype}")
    if labels.min() < 0:
        raise DataError(f"labels: expected 0 or more, got {labels.min()}")
    return labels.astype(np.int64, copy=False)


class Batches:
    r"""An endless iterator of (x, labels), every row once per epoch in a new random order.

    data : a `Dataset` or an array (n, d); without labels, None comes in their place
    batch_size : rows a batch, from 1 to n
    seed : of the orders; epoch e's is `np.random.default_rng([seed, e]).permutation(n)`
    rows : rows given so far; a batch depends on (seed, rows) alone, so this integer is
        all that must be kept to go on later
    to : called once on x and once on labels, to cast them or move them to a GPU

    A batch that crosses the end of an epoch takes the tail of one order and the head of
    the next: no row is ever left out. Raises DataError.
    """

    def __init__(self, data, batch_size, seed=0, rows=0, to=None):
        data, to = as_dataset(data), to or (lambda array: array)
        self.n, self.batch_size, self.seed, self.rows = len(data.x), batch_size, seed, rows
        if not 1 <= batch_size <= self.n:
            raise DataError(f"batch_size: expected 1 to {self.n} rows, got {batch_size}")
        if seed < 0 or rows < 0:
            raise DataError(f"seed and rows: expected 0 or more, got {seed} and {rows}")
        self.x = to(data.x)
        self.labels = None if data.labels is None else to(data.labels)
        self._xp, self._epoch = array_namespace(self.x), None

    def __iter__(self):
        return self

    def __next__(self):
        epoch, start = divmod(self.rows, self.n)
        stop = start + self.batch_size
        index = self._order(epoch)[start : min(stop, self.n)]
        if stop > self.n:
            index = self._xp.concat([index, self._order(epoch + 1)[: stop - self.n]])
        self.rows += self.batch_size
        labels = None if self.labels is None else self._xp.take(self.labels, index, axis=0)
        return self._xp.take(self.x, index, axis=0), labels

    def _order(self, epoch):
        if epoch != self._epoch:
            order = np.random.default_rng([self.seed, epoch]).permutation(self.n)
            self._epoch, self._permutation = epoch, asarray_like(order, self.x)
        return self._permutation
