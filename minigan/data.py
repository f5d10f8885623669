r"""Chapter 11. Data: digits, points in the plane, and batches.

A `Dataset` is one float32 array, one row a sample, with labels where there are any. The
pixels of images lie in [0, 1]. `load` finds it by name:

| name | rows |
|---|---|
| mnist5k | 5,000 digits shipped with minigan, the first 500 of each class of MNIST |
| mnist | the 60,000 training digits, from `minigan download mnist` or a folder |
| ring | 8 Gaussians on a circle |
| grid | 25 Gaussians on a square lattice |
| any folder | images in IDX format, as Fashion-MNIST and EMNIST come |
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .backend import array_namespace
from .errors import DataError
from .idx import read_idx

NAMES = ("mnist5k", "mnist", "ring", "grid")

# SHA-256 of the uncompressed content, so that plain and gzip files are verified alike.
MNIST_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


@dataclass(frozen=True, eq=False)
class Dataset:
    r"""Rows to imitate.

    x : float32 (n, d)
    labels : whole numbers from 0 (n,), or None
    image_shape : (height, width) of a row seen as a picture in [0, 1], or None for points
    name : what messages call it

    Raises DataError if x is not two-dimensional, is empty, not finite, or, for images,
    outside [0, 1]; or if labels or image_shape do not fit x.
    """

    x: np.ndarray
    labels: np.ndarray = None
    image_shape: tuple = None
    name: str = "data"

    def __post_init__(self):
        x = np.asarray(self.x, dtype=np.float32)
        if x.ndim != 2:
            raise DataError(f"{self.name}: expected rows and columns, got shape {x.shape}")
        if x.size == 0:
            raise DataError(f"{self.name}: expected at least one row, got shape {x.shape}")
        if not np.isfinite(x).all():
            row = np.argwhere(~np.isfinite(x))[0][0]
            raise DataError(f"{self.name}: row {row} holds a number that is not finite")
        object.__setattr__(self, "x", x)
        self._check_images()
        self._check_labels()

    def _check_images(self):
        if self.image_shape is None:
            return
        h, w = self.image_shape
        if h * w != self.x.shape[1]:
            raise DataError(
                f"{self.name}: {h} x {w} images need {h * w} columns, got {self.x.shape[1]}"
            )
        low, high = self.x.min(), self.x.max()
        if low < 0 or high > 1:
            raise DataError(f"{self.name}: pixels must be in [0, 1], got {low:g} to {high:g}")

    def _check_labels(self):
        if self.labels is None:
            return
        labels = np.asarray(self.labels)
        if labels.shape != (len(self.x),):
            raise DataError(
                f"labels: expected {len(self.x)}, one a row, got shape {labels.shape}"
            )
        if labels.dtype.kind not in "iu":
            raise DataError(f"labels: expected whole numbers, got {labels.dtype}")
        if labels.min() < 0:
            raise DataError(f"labels: expected 0 or more, got {labels.min()}")
        object.__setattr__(self, "labels", labels.astype(np.int64))

    @property
    def n_classes(self):
        r"""The largest label plus one, or 0 without labels."""
        return 0 if self.labels is None else int(self.labels.max()) + 1


def as_dataset(data):
    r"""A `Dataset` as it is, or one made of an array (n, d)."""
    return data if isinstance(data, Dataset) else Dataset(data)


def load(name, data_dir=None):
    r"""The `Dataset` called `name`, one of the table above, or in the folder `name`.

    data_dir : where the full MNIST lies; None is the folder it is downloaded to.
    Raises DataError for an unknown name, a missing file or a damaged one.
    """
    if name == "mnist":
        return mnist(data_dir)
    if name in NAMES:
        return {"mnist5k": mnist5k, "ring": ring, "grid": grid}[name]()
    if not Path(name).is_dir():
        raise DataError(f"data: expected one of {', '.join(NAMES)} or a folder, got {name!r}")
    return idx_folder(name)


def mnist5k():
    r"""The digits shipped with minigan; see digits/PROVENANCE.txt."""
    with np.load(Path(__file__).parent / "digits" / "mnist5k.npz", allow_pickle=False) as file:
        return _images(file["x"].reshape(-1, 28, 28), file["labels"], "mnist5k")


def mnist_folder():
    r"""Where MNIST is downloaded to and looked for: MINIGAN_DATA, or a folder of the user's."""
    home = os.environ.get("MINIGAN_DATA") or Path.home() / ".cache" / "minigan"
    return Path(home) / "mnist"


def mnist(data_dir=None, split="train"):
    r"""The full MNIST: 60,000 digits (split "train") or 10,000 others ("t10k"), verified."""
    folder = Path(data_dir or mnist_folder())
    arrays = []
    for kind in ("images-idx3", "labels-idx1"):
        name = f"{split}-{kind}-ubyte"
        path = find(folder, [name])
        if path is None:
            raise DataError(f"{folder}: no {name}; `minigan download mnist` fetches it")
        arrays.append(read_idx(path, verify=verifier(name)))
    return _images(*arrays, "mnist")


def verifier(name):
    r"""A function that raises DataError unless it is given the content of MNIST's file."""

    def verify(path, content):
        found = hashlib.sha256(content).hexdigest()
        if found != MNIST_SHA256[name]:
            raise DataError(
                f"{path}: not MNIST's {name}: SHA-256 {found[:12]}…, "
                f"expected {MNIST_SHA256[name][:12]}…"
            )

    return verify


def idx_folder(folder):
    r"""The training images in a folder of IDX files, and their labels if they are there."""
    folder = Path(folder)
    images = find(folder, ["train-images-idx3-ubyte", "*-train-images-idx3-ubyte"])
    if images is None:
        raise DataError(f"{folder}: no file like train-images-idx3-ubyte or …ubyte.gz in it")
    name = images.name.replace("images", "labels").replace("idx3", "idx1")
    labels = images.with_name(name)
    return _images(read_idx(images), read_idx(labels) if labels.exists() else None, folder.name)


def find(folder, patterns):
    r"""The first file, plain or gzip, with a dash or a dot before idx; None if there is none."""
    for pattern in patterns:
        for variant in (pattern, pattern.replace("-idx", ".idx")):
            for path in sorted([*folder.glob(variant), *folder.glob(variant + ".gz")]):
                return path
    return None


def _images(images, labels, name):
    if images.ndim != 3:
        raise DataError(f"{name}: expected images (n, height, width), got {images.shape}")
    x = images.reshape(len(images), -1).astype(np.float32)
    x /= 255
    labels = None if labels is None else labels.astype(np.int64)
    return Dataset(x, labels, images.shape[1:], name)


def ring_modes(modes=8, radius=1.0):
    r"""The centres on the circle (modes, 2)."""
    angle = 2 * np.pi * np.arange(modes) / modes
    return radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def grid_modes():
    r"""The centres at −4, −2, 0, 2, 4 in both directions (25, 2)."""
    ticks = np.arange(-4.0, 5.0, 2.0)
    return np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)


def ring(n=10000, std=0.01, modes=8, radius=1.0, seed=0):
    r"""n points around `ring_modes` (Lin et al. 2018, PacGAN, section 4.1)."""
    return _mixture(ring_modes(modes, radius), n, std, seed, "ring")


def grid(n=10000, std=0.05, seed=0):
    r"""n points around `grid_modes` (Lin et al. 2018, PacGAN, section 4.1)."""
    return _mixture(grid_modes(), n, std, seed, "grid")


def _mixture(centres, n, std, seed, name):
    rng = np.random.default_rng(seed)
    labels = rng.integers(len(centres), size=n)
    return Dataset(centres[labels] + std * rng.standard_normal((n, 2)), labels, None, name)


class Batches:
    r"""An endless iterator of (x, labels), every row once per epoch in a new random order.

    Epoch e goes through the rows in the order `default_rng([seed, e]).permutation(n)`, and
    a batch that crosses the end of an epoch takes the tail of one order and the head of
    the next: no row is ever left out, and `rows`, the number of rows given so far, is all
    that must be kept to go on later.

    data : a `Dataset`
    batch_size : rows a batch, from 1 to n
    to : called once each on data.x and data.labels to move them to where training happens
    """

    def __init__(self, data, batch_size, seed=0, rows=0, to=lambda array: array):
        self.n = len(data.x)
        if not 1 <= batch_size <= self.n:
            raise DataError(f"batch_size: expected 1 to {self.n}, the rows, got {batch_size}")
        self.batch_size, self.seed, self.rows, self.to = batch_size, seed, rows, to
        self.x = to(data.x)
        self.labels = None if data.labels is None else to(data.labels)
        self.orders = {}

    def __iter__(self):
        return self

    def __next__(self):
        start, stop = self.rows, self.rows + self.batch_size
        first, last = start // self.n, (stop - 1) // self.n
        index = self._order(first)[start - first * self.n : stop - first * self.n]
        if last > first:
            head = self._order(last)[: stop - last * self.n]
            index = array_namespace(index).concat([index, head])
        self.rows = stop
        take = array_namespace(self.x).take
        labels = None if self.labels is None else take(self.labels, index, axis=0)
        return take(self.x, index, axis=0), labels

    def _order(self, epoch):
        if epoch not in self.orders:
            order = np.random.default_rng([self.seed, epoch]).permutation(self.n)
            self.orders = {epoch: self.to(order)} | {
                e: kept for e, kept in self.orders.items() if e == epoch - 1
            }
        return self.orders[epoch]
