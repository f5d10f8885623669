r"""Your own data: a folder of images, arrays of NumPy, a table, or IDX files, found by path.

| path | rows |
|---|---|
| a folder of images | each image; subfolders are classes, or train and test |
| .npy, .npz | the rows of an array, or pictures (n, h, w) and (n, h, w, 3) |
| .csv and its kin | the lines of a table |
| an IDX file of any name | its pictures |
| a folder with one of these files | the same |

Labels and test rows may lie in files beside it, whose names differ by one word: imgs and
labels, train and test.
"""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DataError
from .files import open_regular, plain
from .idx import KINDS, read_idx
from .images import classes_of, entries, find_images, is_image, read_images
from .npy import read_npy, read_npz
from .pixels import Layout, labels_of, layout_of, pictures_side, rows_of
from .source import Source, coded, dataset, naming, part_of
from .tables import read_table

SPLITS = ("train", "")  # of a file that may be trained on
TABLES = (".csv", ".tsv", ".txt", ".data")
READ = "images (PNG, JPEG, BMP, GIF, WebP), .npz, .npy, .csv and IDX files"
BEGINNINGS = {  # of a file that is not read: what it is, and what would work
    b"\x80": "a pickle, which may run programs and is not opened; save arrays with numpy.savez",
    b"PK\3\4": "a zip archive; unpack it, and give the folder",
    b"\x1f\x8b": "packed with gzip and holds no IDX file; unpack it",
    b"\x89HDF": "an HDF5 file; save its arrays with numpy.savez",
    b"MATLAB": "a file of MATLAB; save its arrays with numpy.savez",
    b"PAR1": "a Parquet file; save its columns as .csv",
    b"BZh": "packed with bzip2; unpack it",
    b"\xfd7zXZ": "packed with xz; unpack it",
}


def load_own(path, reading):
    r"""The `Dataset` in a file or a folder; raises DataError that names what it found."""
    path = Path(path)
    if not path.is_dir():
        return file_set(path, reading)
    found = find_images(path)
    if found:
        return image_set(path, found, reading)
    return file_set(the_file_in(path), reading, path.name)


# ---- images ----


def image_set(folder, found, reading):
    r"""The `Dataset` of the images found in a folder, in which train and test may be apart."""
    name = folder.name or "data"
    folder, found = descend(folder, found)
    splits = {names[0]: part_of(names[0]).split for names in found if len(names) > 1}
    apart = "train" in splits.values() and all(splits.values())
    if not apart or any(len(names) == 1 for names in found):
        return images_of(folder, found, reading, name)
    inside = {}
    for names in found:
        inside.setdefault(splits[names[0]], (names[0], []))[1].append(names[1:])
    kept, images = inside["train"]
    unseen = inside.get("test") or inside.get("validation")

    def held_out(n):
        return images_of(folder / unseen[0], unseen[1], reading, name) if unseen else None

    return images_of(folder / kept, images, reading, name, held_out)


def descend(folder, found):
    r"""The folder within, and its images, as long as all lie in one subfolder of others."""
    while len({names[0] for names in found}) == 1 and min(map(len, found)) > 2:
        folder, found = folder / found[0][0], [names[1:] for names in found]
    return folder, found


def images_of(folder, images, reading, name, held_out=Source.held_out):
    r"""The `Dataset` of these images."""
    words = classes_of(folder, images)
    x, shape, transparent = read_images(folder, images, reading)
    labels, classes, names = (None, (), ()) if words is None else coded(words)
    told = ""
    if transparent:
        other = {"white": "black", "black": "white"}[reading.background]
        told = (
            f"{transparent:,} of them transparent in places, laid on {reading.background} "
            f"(--background {other} for the other)"
        )
    source = Source(folder, "test images", held_out, names=names, told=told)
    return dataset(folder, x, labels, shape, name, classes, source)


# ---- files ----


@dataclass(frozen=True)
class Held:
    r"""What a file holds: an array of rows, and labels as they come, from the file `beside`."""

    path: Path
    x: np.ndarray
    labels: np.ndarray | None = None
    beside: Path | None = None


def file_set(path, reading, name=None):
    r"""The `Dataset` of one file, with the labels and the test rows beside it."""
    kind, part = kind_of(path), part_of(path.name)
    if kind is None:
        raise DataError(f"{path}: {what_it_is(path)}")
    if part.role == "labels" and (x := partner(path, role="x")):
        raise DataError(f"{path}: holds labels; give the file {x.name} beside it")
    held = hold(path, kind)
    turned = path.name.startswith("emnist")  # stored column by column
    with naming(path):
        if kind == "idx" and held.x.ndim == 3:
            layout = Layout(held.x.shape[1:], 255.0, turned)
        else:
            layout = layout_of(held.x, reading, turned)
    name = name or path.name.partition(".")[0] or "data"

    def held_out(n):
        found = unseen(path, kind)
        return found and set_of(found, layout, reading, name)

    return set_of(held, layout, reading, name, held_out)


def set_of(held, layout, reading, name, held_out=Source.held_out):
    r"""The `Dataset` of what a file holds."""
    labels, classes, names = None, (), ()
    with naming(held.path):
        x, shape = rows_of(held.x, layout, reading)
    if held.labels is not None:
        with naming(held.beside):
            labels, classes, names = labels_of(held.labels, len(x))
    side = 0 if shape else pictures_side(held.x)
    told = f"taken for points; --size {side} sees pictures in them" if side else ""
    source = Source(held.path.parent, "test rows", held_out, names=names, told=told)
    return dataset(held.path, x, labels, shape, name, classes, source)


def hold(path, kind, split="train"):
    r"""What a file holds of a split, with the labels beside it; None if it has no such rows."""
    beside = path
    if kind == "npz":
        x, labels = read_npz(path, split) or (None, None)
    elif kind == "table":
        x, labels = read_table(path)
    else:
        x, labels = read_npy(path) if kind == "npy" else read_idx(path), None
    if labels is None and kind != "table" and (found := partner(path, role="labels")):
        beside, labels = found, labels_in(found, kind)
    return None if x is None else Held(path, x, labels, beside)


def unseen(path, kind):
    r"""What is held of rows that training never sees: in the same archive, or in a file that is
    called test instead of train.
    """
    found = hold(path, kind, "test") if kind == "npz" else None
    if found is None and part_of(path.name).split == "train":
        beside = partner(path, split="test") or partner(path, split="validation")
        found = beside and hold(beside, kind)
    return found


def labels_in(path, kind):
    r"""The labels in a file of their own."""
    if kind == "npz":
        return read_npz(path, "train")[0]
    labels = read_npy(path) if kind == "npy" else read_idx(path)
    return labels[:, 0] if kind == "idx" and labels.ndim == 2 else labels  # of QMNIST


def partner(path, role=None, split=None):
    r"""The file beside it whose name says the same but for its role or its split; None if
    there is none. The role of an IDX file is known by its content.
    """
    part, kind = part_of(path.name), kind_of(path).split()[0]
    role, split = role or ("labels" if part.role == "labels" else "x"), split or part.split
    alike = []
    for other in files_in(path.parent):
        if kind != "idx" and other.suffix.lower() != path.suffix.lower():
            continue
        its, its_kind = part_of(other.name), (kind_of(other) or "none").split()
        is_labels = its_kind[-1] == "labels" or (kind != "idx" and its.role == "labels")
        if its_kind[0] == kind and its.split == split and is_labels == (role == "labels"):
            alike.append((other, its.rest))
    alike = [(other, rest) for other, rest in alike if other.name != path.name]
    exact = [other for other, rest in alike if rest == part.rest]
    if kind == "idx" and role == "labels" and len(alike) == 1:
        exact = [alike[0][0]]
    return exact[0] if exact else None


def the_file_in(folder):
    r"""The one file of training rows in a folder; raises DataError if that is not clear."""
    files = files_in(folder)
    kinds = {path: kind_of(path) for path in files}
    found = [path for path in files if kinds[path] in ("npy", "npz", "table", "idx")]
    found = [path for path in found if part_of(path.name).role != "labels"]
    by_split = {split: [p for p in found if part_of(p.name).split == split] for split in SPLITS}
    found = by_split["train"] or by_split[""]
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(path.name for path in found[:4]) + ", …" * (len(found) > 4)
        raise DataError(f"data: {folder} holds {listed}; choose one, as in {found[0]}")
    names = [plain(entry.name) + "/" * os.path.isdir(entry.path) for entry in entries(folder)]
    listed = ", ".join(names[:4]) + ", …" * (len(names) > 4)
    raise DataError(f"data: {folder} holds {listed or 'nothing'}; minigan reads {READ}")


def files_in(folder):
    r"""The files in a folder, in order."""
    return [
        Path(folder) / entry.name for entry in entries(folder) if os.path.isfile(entry.path)
    ]


def kind_of(path):
    r"""npy, npz, table, idx, idx labels, or None for what is not read."""
    suffix = path.suffix.lower()
    if suffix in (".npy", ".npz"):
        return suffix[1:]
    if suffix in TABLES:
        return "table"
    start = beginning(path)
    kind, _ = KINDS.get(start[:4].hex(), (None, None))
    return {"images": "idx", None: None}.get(kind, "idx labels")


def beginning(path):
    r"""The first bytes of a file, unpacked if they can be; nothing if it cannot be read."""
    import gzip

    with contextlib.suppress(DataError), open_regular(path, DataError) as file:
        start = file.read(8)
        if start[:2] == b"\x1f\x8b":
            file.seek(0)
            with contextlib.suppress(Exception), gzip.GzipFile(fileobj=file) as content:
                unpacked = content.read(8)
                return unpacked if unpacked[:4].hex() in KINDS else start
        return start
    return b""


def what_it_is(path):
    r"""Why a file that is not read is not, and what would work."""
    with open_regular(path, DataError):  # raises if it cannot be read
        pass
    start = beginning(path)
    if is_image(path.name):
        return "one image; give the folder that holds many"
    for head, what in BEGINNINGS.items():
        if start.startswith(head):
            return what
    return f"not of a kind that minigan reads: {READ}"
