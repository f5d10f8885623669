r"""What loaders know of data beyond their rows, and how pictures of your own are read."""

import contextlib
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data import Dataset
from ..errors import DataError, MiniganError, whole_numbers

LARGEST_SIDE = 128  # pixels: a row of more is beyond networks without convolution
BACKGROUNDS = {"white": 255, "black": 0}


@dataclass(frozen=True, eq=False)
class Source:
    r"""What a loader knows of a `Dataset` beyond its rows.

    folder : the absolute path of the folder that its files lie in
    unseen : what `held_out` returns, in words
    held_out : given how many rows are wanted, a `Dataset` that training never sees, or None
    more : gives a larger `Dataset` of which this one is a part, or None
    modes : of a mixture of Gaussians, their centres (k, d), and `std` the deviation of each
    digits : whether these are MNIST's digits, which a classifier of `mnist5k` can read
    stacked : whether these are three of such digits in three colours
    names : of the classes, if they are called by words
    told : what a person should know of how files of theirs were understood, in words
    """

    folder: Path | None = None
    unseen: str = "test rows"
    held_out: Callable = lambda n: None
    more: Callable = lambda: None
    modes: np.ndarray | None = None
    std: float = 0.0
    digits: bool = False
    stacked: bool = False
    names: tuple[str, ...] = ()
    told: str = ""


def class_names(data):
    r"""What the classes of a `Dataset` are called: their names, or the values of the labels."""
    names = data.source.names if isinstance(data.source, Source) else ()
    return list(names or data.classes)


@dataclass(frozen=True)
class Reading:
    r"""How pictures are read.

    size : height and width, to which they are scaled and cropped, or in which rows of numbers
        are seen; one number is both; () leaves pictures as they are
    grey : whether they become grey, or coloured; None leaves them as they are
    background : white or black, behind pixels that are transparent
    """

    size: tuple = ()
    grey: bool | None = None
    background: str = "white"

    def __post_init__(self):
        size = () if self.size is None else self.size
        try:
            size = whole_numbers("size", size, f"[2, {LARGEST_SIDE}]")
        except MiniganError as error:
            raise DataError(str(error)) from None
        if len(size) > 2:
            raise DataError(f"size: expected one number, or height and width, got {list(size)}")
        if self.grey not in (None, True, False):
            raise DataError(f"grey: expected True, False or None, got {self.grey!r}")
        if self.background not in BACKGROUNDS:
            raise DataError(f"background: expected white or black, got {self.background!r}")
        object.__setattr__(self, "size", size * 2 if len(size) == 1 else size)

    @property
    def is_usual(self):
        r"""Whether nothing is asked."""
        return self == Reading()


@dataclass(frozen=True)
class Part:
    r"""What the name of a file, of a folder or of an array says of its content.

    split : "train", "test", or "" if it says neither
    role : "x", "labels", or ""
    rest : the other words, by which one belongs to another
    """

    split: str
    role: str
    rest: tuple


SPLITS = {"train": "train", "training": "train"}
SPLITS |= dict.fromkeys(("test", "testing", "t10k"), "test")
SPLITS |= dict.fromkeys(("val", "valid", "validation", "dev"), "validation")
ROLES = dict.fromkeys(("x", "images", "image", "imgs", "img", "data", "samples", "pixels"), "x")
ROLES |= dict.fromkeys(("y", "labels", "label", "targets", "target", "classes"), "labels")
IGNORED = re.compile(r"idx\d?|ubyte|int|gz|arr|npz|npy|csv|tsv|txt")


def part_of(name):
    r"""The `Part` of a name such as kmnist-train-imgs, x_test or train.images.idx3-ubyte."""
    words = re.findall(r"[^\W_]+", name.lower())
    words = [word for word in words if not IGNORED.fullmatch(word)]
    split = next((SPLITS[word] for word in words if word in SPLITS), "")
    role = next((ROLES[word] for word in words if word in ROLES), "")
    return Part(split, role, tuple(w for w in words if w not in SPLITS and w not in ROLES))


def in_order(name):
    r"""A key by which names sort alike on every file system, however it writes an accent."""
    return unicodedata.normalize("NFC", name), name


def is_hidden(name):
    r"""Whether a file or folder is not the user's data but a file manager's."""
    return name.startswith(".") or name.lower() in ("thumbs.db", "desktop.ini", "__macosx")


def coded(texts):
    r"""(labels, classes, names) of labels that are words; words that are whole numbers from 0
    are those numbers, and have no names.
    """
    words = sorted(set(texts), key=in_order)
    numbers = {word: int(word) for word in words if re.fullmatch(r"\d{1,18}", word, re.ASCII)}
    if len(numbers) == len(words):
        return np.array([numbers[text] for text in texts], np.int64), (), ()
    place = {word: i for i, word in enumerate(words)}
    labels = np.array([place[text] for text in texts], np.int64)
    return labels, tuple(range(len(words))), tuple(words)


@contextlib.contextmanager
def naming(path):
    r"""Errors within name the file or the folder."""
    try:
        yield
    except MiniganError as error:
        text = str(error)
        raise DataError(text if text.startswith(f"{path}: ") else f"{path}: {text}") from None


def dataset(path, x, labels=None, image_shape=None, name="data", classes=(), source=None):
    r"""A `Dataset` from a file or a folder, whose errors name it."""
    with naming(path):
        return Dataset(x, labels, image_shape, name, classes, source)
