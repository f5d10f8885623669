r"""Data sets by name: digits, points in the plane, folders of IDX files.

| name | rows | what |
|---|---|---|
| mnist5k | 5,000 | the first 500 of each class of MNIST's training set, shipped with minigan |
| mnist | 60,000 | all of it, once `minigan download mnist` has run |
| ring, grid | 100,000 | 8 Gaussians on a circle, 25 on a grid: to see which modes are lost |
| any folder | | IDX files under MNIST's names, as Fashion-MNIST and EMNIST come |
"""

import re
from pathlib import Path

import numpy as np

from ..data import Dataset
from ..errors import DataError
from .download import MNIST_SHA256, file_name, mnist_folder, read_idx


def load(name, data_dir=None):
    r"""The `Dataset` called `name`, one of the table above, or in the folder `name`.

    data_dir : where the full MNIST lies; None is the folder it is downloaded to

    Raises DataError. A folder that is itself called mnist can be given as ./mnist.
    """
    if name == "mnist":
        return mnist(data_dir)
    if name in BUILT_IN:
        return BUILT_IN[name]()
    if not Path(name).is_dir():
        known = ", ".join(("mnist", *BUILT_IN))
        raise DataError(f"data: expected {known} or a folder of IDX files, got {str(name)!r}")
    return idx_folder(name)


def mnist5k():
    r"""The digits shipped with minigan; see digits/PROVENANCE.txt."""
    digits = Path(__file__).parent / "digits" / "mnist5k.npz"
    with digits.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return Dataset(_pixels(arrays["x"]), arrays["labels"], (28, 28), "mnist5k")


def mnist(data_dir=None, split="train"):
    r"""The 60,000 digits of the split "train" or the 10,000 of "test", verified."""
    return idx_folder(data_dir or mnist_folder(), split, MNIST_SHA256.get(split))


def idx_folder(folder, split="train", sha256=None):
    r"""The images in a folder of IDX files, and their labels if they are there.

    sha256 : of the genuine "images" and "labels"; with it, both must be there and right
    """
    images, labels = (_find(folder, split, kind) for kind in ("images", "labels"))
    if images is None or (sha256 and labels is None):
        hint = "; `minigan download mnist` fetches it" if sha256 else ""
        missing = file_name(split, "labels" if images else "images")
        raise DataError(f"data: {folder} holds no {missing}[.gz]{hint}")
    known = sha256 or {}
    images = _read_images(images, known.get("images"))
    labels = labels and read_idx(labels, known.get("labels"))
    name = "mnist" if sha256 else Path(folder).resolve().name
    return Dataset(_pixels(images), labels, images.shape[1:], name)


def _find(folder, split, kind):
    r"""The split's file of that kind under any of the names in use, or None."""
    name = file_name(split, kind).replace("t10k", "(t10k|test)").replace("-idx", "[-.]idx")
    named = re.compile(rf"(emnist-\w+-)?{name}(\.gz)?").fullmatch
    folder = Path(folder)
    inside = folder.iterdir() if folder.is_dir() else ()
    found = sorted(path.name for path in inside if named(path.name))
    if len({one.removesuffix(".gz") for one in found}) > 1:
        raise DataError(f"data: {folder} holds more than one set: {', '.join(found)}")
    return folder / found[0] if found else None


def _read_images(path, sha256):
    images = read_idx(path, sha256)
    if images.ndim != 3:
        raise DataError(f"{path}: expected images (n, height, width), got {images.shape}")
    # EMNIST's are stored column by column
    return images.swapaxes(1, 2) if path.name.startswith("emnist") else images


def _pixels(images):
    return np.divide(images.reshape(len(images), -1), 255, dtype=np.float32)


def ring_modes(modes=8, radius=1.0):
    r"""The centres on the circle, $r(\cos(2\pi i/k), \sin(2\pi i/k))$, as (modes, 2)."""
    angle = 2 * np.pi * np.arange(modes) / modes
    return radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def grid_modes():
    r"""The centres $(i, j)$ with i and j of −4, −2, 0, 2, 4, as (25, 2)."""
    ticks = np.arange(-4.0, 5.0, 2.0)
    return np.stack(np.meshgrid(ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 2)


def ring(n=100_000, radius=1.0, std=0.01, modes=8, seed=0):
    r"""n points of Gaussians around `ring_modes`, equally likely; a label is its Gaussian.

    Source: the protocol of Lin et al. (2018), PacGAN.
    """
    return _mixture(ring_modes(modes, radius), n, std, seed, "ring")


def grid(n=100_000, std=0.05, seed=0):
    r"""The same around `grid_modes`."""
    return _mixture(grid_modes(), n, std, seed, "grid")


def _mixture(centres, n, std, seed, name):
    if n < 1 or len(centres) < 1:
        raise DataError(f"{name}: expected n and modes from 1, got {n} and {len(centres)}")
    rng = np.random.default_rng(seed)
    labels = rng.integers(len(centres), size=n)
    return Dataset(centres[labels] + std * rng.standard_normal((n, 2)), labels, None, name)


BUILT_IN = {"mnist5k": mnist5k, "ring": ring, "grid": grid}


def identify(name, data_dir=None):
    r"""(name or absolute path, absolute data_dir): the data as config.json keeps it."""
    folder = None if data_dir is None else str(Path(data_dir).resolve())
    return (name if name in ("mnist", *BUILT_IN) else str(Path(name).resolve())), folder


def short_label(name):
    r"""A short name of the data for a run folder."""
    return Path(name).name
