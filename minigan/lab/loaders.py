r"""Data sets by name: digits, points in the plane; by path, whatever is your own.

| name | rows | what |
|---|---|---|
| mnist5k | 5,000 | the first 500 of each class of MNIST's training set, shipped with minigan |
| mnist | 60,000 | all of it, once `minigan download mnist` has run |
| stacked | 26,000 | three digits of mnist5k in the three colours of a picture: 1,000 modes |
| ring, grid | 100,000 | 8 Gaussians on a circle, 25 on a grid: to see which modes are lost |
| any folder | | IDX files under MNIST's names, as Fashion-MNIST, EMNIST and QMNIST come |
| FOLDER:letters | | of several sets in a folder, that of the files emnist-letters-... |
| any path | | images in a folder, arrays, tables: see `own` |
"""

import os
import re
from pathlib import Path

import numpy as np

from ..arrays import check_memory, stream
from ..data import Dataset
from ..errors import DataError, real_number, whole_number
from .download import known_mnist, mnist_folder
from .files import why
from .idx import INSIDE, choose_set, file_name, find_idx, read_idx, what_is_missing
from .own import load_own
from .pixels import Layout, rows_of
from .source import Reading, Source, naming
from .stacked import stacked


def load(name, data_dir=None, size=None, grey=None, background="white"):
    r"""The `Dataset` called `name`, one of the table above.

    data_dir : where the full MNIST lies; None is the folder it is downloaded to

    Of data by path:

    size : height and width, to which pictures are cropped and scaled, or in which rows of
        numbers are seen as pictures; one number is both
    grey : True makes pictures grey, False coloured, None leaves them as they are
    background : white or black, behind pixels that are transparent

    Raises DataError. A folder that is itself called mnist can be given as ./mnist.
    """
    name, reading = _as_text("data", name), Reading(size, grey, background)
    if name not in DIGITS and name not in MIXTURES:
        path, chosen = _place_of(name)
        is_idx = chosen is not None or (path.is_dir() and find_idx(path)[1])
        return idx_folder(name, reading=reading) if is_idx else load_own(path, reading)
    if not reading.is_usual:
        raise DataError(f"size, grey and background are for data of your own, not for {name}")
    return DIGITS[name](data_dir) if name in DIGITS else MIXTURES[name]()


def identify(name, data_dir=None):
    r"""(name, data_dir) as they mean the same wherever the program is started later.

    A path becomes absolute, with the name of the set that is meant, if it has one.
    """
    name = _as_text("data", name)
    data_dir = None if data_dir is None else _absolute(_as_text("data_dir", data_dir))
    if name in DIGITS or name in MIXTURES:
        return name, data_dir
    folder, chosen = _place_of(name)
    if not folder.is_dir():
        return str(folder), data_dir
    folder, found = find_idx(folder)
    chosen = choose_set(folder, found, chosen)
    return (f"{folder}:{chosen}" if chosen else str(folder)), data_dir


def short_label(name):
    r"""For the `name` that `identify` returned, a short one, which no other folder has."""
    if name in DIGITS or name in MIXTURES:
        return name
    import hashlib

    folder, chosen = _place_of(name)
    title = _title(folder, chosen) if folder.is_dir() else folder.name.partition(".")[0]
    title = re.sub(r"[^\w.-]+", "_", title)[:40] or "data"
    return f"{title}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:6]}"


USUAL = Reading()


def mnist5k(data_dir=None):
    r"""The digits shipped with minigan; see digits/PROVENANCE.txt.

    data_dir : where the test digits lie, for `evaluate`
    """
    digits = Path(__file__).parent / "digits" / "mnist5k.npz"
    data_dir = data_dir and _absolute(data_dir)
    source = Source(
        held_out=lambda n: _mnist_if_there(data_dir, "test"),
        more=lambda: _mnist_if_there(data_dir, "train"),
        digits=True,
    )
    with digits.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        x, labels = _pixels(arrays["x"]), arrays["labels"]
    return Dataset(x, labels, (28, 28), "mnist5k", source=source)


def mnist(data_dir=None, split="train"):
    r"""The 60,000 digits of the split "train" or the 10,000 of "test", verified."""
    found = _mnist_if_there(data_dir, split)
    if found is None:
        folder = data_dir or mnist_folder()
        raise DataError(
            f"data: {folder} does not hold both {file_name(split, 'images')}[.gz] and "
            f"{file_name(split, 'labels')}[.gz]; `minigan download mnist` fetches them"
        )
    return found


def _mnist_if_there(data_dir, split):
    r"""`mnist`, or None where one of the two files is absent."""
    file_name(split, "images")  # refuses another split
    folder, found = find_idx(_absolute(data_dir or mnist_folder()))
    paths = {kind: found.get(("", split, kind)) for kind in ("images", "labels")}
    if None in paths.values():
        return None
    arrays = {kind: read_idx(path, **known_mnist(split, kind)) for kind, path in paths.items()}
    source = Source(folder, held_out=lambda n: _mnist_if_there(folder, "test"), digits=True)
    x, shape = _pixels(arrays["images"]), arrays["images"].shape[1:]
    return Dataset(x, arrays["labels"], shape, "mnist", source=source)


def idx_folder(folder, split="train", reading=USUAL):
    r"""The images in a folder of IDX files, and their labels if they are there.

    folder : its path, and after a colon the set that is meant, if there are several
    """
    folder, chosen = _place_of(_as_text("data", folder))
    inside, found = find_idx(folder)
    chosen = choose_set(inside, found, chosen, split)
    images = found.get((chosen, split, "images"))
    if images is None:
        raise DataError(f"data: {folder} {what_is_missing(folder, split)}")
    return _idx_set(inside, found, chosen, split, reading)


def _idx_set(folder, found, chosen, split, reading):
    r"""The `Dataset` of one set of the files found in a folder; None if it is not there."""
    images, labels = (found.get((chosen, split, kind)) for kind in ("images", "labels"))
    if images is None:
        return None
    x, shape = _read_images(images, reading)
    labels = labels and _read_labels(labels, len(x), images)
    source = Source(
        folder,
        held_out=lambda n: _idx_set(folder, find_idx(folder)[1], chosen, "test", reading),
    )
    return Dataset(x, labels, shape, _title(folder, chosen), source=source)


def _place_of(name):
    r"""(absolute path of a file or a folder, the set in it that is meant, or None)."""
    path = os.path.expanduser(name)
    if os.path.exists(path):
        return Path(_absolute(path)), None
    path, _, chosen = name.rpartition(":")
    path = os.path.expanduser(path)
    if os.path.isdir(path):
        return Path(_absolute(path)), chosen
    known = ", ".join((*DIGITS, *MIXTURES))
    if os.path.basename(name) != name or "." in name:
        raise DataError(
            f"data: there is no {name}, or not any more; name with --data where it is, or one "
            f"of {known}"
        )
    raise DataError(
        f"data: expected {known}, a folder of images, or an .npz, .npy, .csv or IDX file, got "
        f"{name!r}"
    )


def _read_images(path, reading):
    r"""(rows, shape of an image) from an IDX file of images."""
    images = read_idx(path)
    if images.ndim != 3:
        raise DataError(f"{path}: expected images (n, height, width), got {images.shape}")
    if path.name.startswith("emnist"):  # these are stored column by column
        images = images.swapaxes(1, 2)
    if reading.is_usual:
        return _pixels(images), images.shape[1:]
    with naming(path):
        return rows_of(images, Layout(images.shape[1:], 255.0), reading)


def _read_labels(path, n, images):
    labels = read_idx(path)
    if labels.ndim == 2:
        labels = labels[:, 0]  # QMNIST's other columns say who wrote the digit
    if labels.ndim != 1:
        raise DataError(f"{path}: expected labels (n,), got {labels.shape}")
    if len(labels) != n:
        held = f"{n} images, but {path.name} {len(labels)} labels"
        raise DataError(f"data: {images} holds {held}")
    return labels


def _title(folder, chosen):
    r"""What messages call the data: the set's name, or that of the folder of the files."""
    inside = folder.name in INSIDE
    return chosen or (folder.parent.name if inside else folder.name) or folder.name or "data"


def _as_text(what, path):
    if hasattr(path, "shape"):
        raise DataError(
            f"{what}: expected a name or a path, got an array; minigan.Dataset(x, labels, "
            "image_shape) makes a data set of one"
        )
    try:
        return os.fsdecode(path)
    except TypeError:
        raise DataError(f"{what}: expected a name or a path, got {path!r}") from None


def _absolute(path):
    try:
        return os.path.realpath(path)
    except OSError as error:  # the folder in which the program runs has gone
        raise DataError(f"data: {path} cannot be found: {why(error)}") from None


def _pixels(images):
    return np.divide(images, 255, dtype=np.float32, order="C").reshape(len(images), -1)


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
    modes = whole_number("modes", modes, "[1, 1e6]", DataError)
    radius = real_number("radius", radius, error=DataError)
    return _mixture("ring", ring_modes(modes, radius), n, std, seed)


def grid(n=100_000, std=0.05, seed=0):
    r"""The same around `grid_modes`."""
    return _mixture("grid", grid_modes(), n, std, seed)


def _mixture(name, centres, n, std, seed, drawn=0):
    r"""The data of a seed, or with `drawn` = 1 other points, which the data do not contain."""
    n = whole_number("n", n, error=DataError)
    std = real_number("std", std, "[0, inf)", DataError)
    seed = whole_number("seed", seed, "[0, inf)", DataError)
    check_memory(f"{name}: {n} points", 64 * n)
    rng = stream(seed, "points of a mixture", drawn)
    labels = rng.integers(len(centres), size=n)
    x = centres[labels] + std * rng.standard_normal((n, 2))
    source = Source(
        unseen="newly drawn points",
        held_out=lambda n: _mixture(name, centres, n, std, seed, drawn + 1),
        modes=centres,
        std=std,
    )
    return Dataset(x, labels, None, name, range(len(centres)), source)


DIGITS = {"mnist": mnist, "mnist5k": mnist5k}
MIXTURES = {"stacked": stacked, "ring": ring, "grid": grid}
