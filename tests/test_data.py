"""Chapter 17: data from outside is what it claims to be, or refused; no row is ever lost."""

import contextlib
import dataclasses
import errno
import gzip
import hashlib
import itertools
import os
import re
import struct
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan
from minigan import DataError, MiniganError
from minigan.arrays import stream, to_numpy
from minigan.data import Batches, Dataset, as_dataset
from minigan.lab.download import (
    MNIST_SHA256,
    MNIST_SHAPE,
    _check_rate,
    _is_dead,
    _raise,
    cache_folder,
    download_mnist,
    file_name,
    mnist_folder,
    read_idx,
)
from minigan.lab.loaders import (
    _pixels,
    _title,
    grid,
    grid_modes,
    identify,
    idx_folder,
    load,
    mnist,
    ring,
    ring_modes,
    short_label,
)
from minigan.training import check_fit

DIGITS = Path(minigan.lab.__file__).parent / "digits"
PIXELS = bytes(range(24))  # four images of 2 x 3


def idx(*shape, content=PIXELS, kind=8):
    """An IDX file's bytes, written from the format's description."""
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, kind, len(shape), *shape) + content


IMAGES, LABELS = idx(4, 2, 3), idx(4, content=bytes([2, 0, 1, 1]))


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


# --- IDX


@pytest.mark.parametrize("name", ["a.gz", "a"])
def test_idx_images_and_labels_are_read(tmp_path, name):
    images = read_idx(write(tmp_path / "images" / name, IMAGES))
    assert images.dtype == np.uint8
    assert images.tolist() == np.arange(24).reshape(4, 2, 3).tolist()
    assert read_idx(write(tmp_path / "labels" / name, LABELS)).tolist() == [2, 0, 1, 1]


def test_gzip_is_known_by_its_content_not_its_name(tmp_path):
    assert read_idx(write(tmp_path / "a", gzip.compress(LABELS))).tolist() == [2, 0, 1, 1]
    (tmp_path / "b.gz").write_bytes(LABELS)
    assert read_idx(tmp_path / "b.gz").tolist() == [2, 0, 1, 1]


@pytest.mark.parametrize("name", ["a.gz", "a"])
def test_a_file_of_more_than_a_chunk_and_one_of_a_single_byte_are_read(tmp_path, name):
    pixels = np.random.default_rng(0).integers(256, size=(3, 700, 701)).astype("u1")
    found = read_idx(
        write(tmp_path / "many" / name, idx(*pixels.shape, content=pixels.tobytes()))
    )
    np.testing.assert_array_equal(found, pixels)
    assert read_idx(write(tmp_path / "one" / name, idx(1, content=b"\x07"))).tolist() == [7]


@pytest.mark.parametrize("name", ["a.gz", "a"])
def test_what_is_known_of_a_file_is_asked_of_it(tmp_path, name):
    path = write(tmp_path / name, IMAGES)
    known = {"sha256": hashlib.sha256(IMAGES).hexdigest(), "shape": (4, 2, 3)}
    assert read_idx(path, **known).shape == (4, 2, 3)
    for wrong, says in (
        ({"sha256": 64 * "0"}, f"expected content of SHA-256 {16 * '0'}…, got "),
        ({"shape": (4, 3, 2)}, r"expected shape \(4, 3, 2\), but it declares \(4, 2, 3\)$"),
    ):
        with pytest.raises(DataError, match=says):
            read_idx(path, **known | wrong)


HUGE = 2**32 - 1
BAD_IDX = {
    "empty": (b"", "expected IDX magic 00000801 (labels), 00000803 (images), 00000c02 (QMNIST"),
    "a PNG": (b"\x89PNG\r\n\x1a\n", "got '89504e47'"),
    "floats": (idx(6, content=PIXELS, kind=0x0D), "got '00000d01'"),
    "rank 2": (idx(4, 6), "got '00000802'"),
    "rank 65": (idx(*[1] * 65, content=b"x"), "got '00000841'"),
    "cut header": (IMAGES[:11], "the header ends after 11 bytes"),
    "cut content": (IMAGES[:-1], "declares (4, 2, 3), 24 bytes, but holds only 23"),
    "trailing": (IMAGES + b"!", "declares (4, 2, 3), 24 bytes, but holds more"),
    "no items": (idx(0, 28, 28, content=b""), "declares (0, 28, 28), 0 bytes"),
    "no width": (idx(HUGE, HUGE, 0, content=b""), "0 bytes; the file can hold 1 to"),
    "enormous": (idx(HUGE, HUGE, HUGE), "the file can hold 1 to"),
}


@pytest.mark.parametrize("name", ["a.gz", "a"])
@pytest.mark.parametrize("case", BAD_IDX)
def test_bad_idx_is_refused(tmp_path, case, name):
    content, says = BAD_IDX[case]
    path = write(tmp_path / name, content)
    with pytest.raises(DataError) as error:
        read_idx(path)
    assert str(path) in str(error.value)
    assert says in str(error.value)


@pytest.mark.parametrize(
    "damage",
    [
        lambda packed: packed[:-9],
        lambda packed: packed[:-8] + b"\xff\xff\xff\xff" + packed[-4:],  # the CRC
        lambda packed: packed[:10] + b"\xff" * 8 + packed[18:],
        lambda packed: packed[:5],
    ],
)
def test_corrupt_gzip_is_refused(tmp_path, damage):
    path = tmp_path / "a.gz"
    path.write_bytes(damage(gzip.compress(IMAGES)))
    with pytest.raises(DataError, match=r"a\.gz: "):
        read_idx(path)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("missing", "No such file"),
        (".", "Is a directory|Permission denied"),
        ("pipe", "expected a file, this is something else"),
        ("loop", "symbolic links|No such file"),
        ("x" * 300, "File name too long|No such file"),
    ],
)
def test_what_is_no_file_is_refused_at_once(tmp_path, name, says):
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "loop").symlink_to("loop")
    elif name in ("pipe", "loop"):
        pytest.skip("this system has no pipes in its folders")
    with pytest.raises(DataError, match=rf"{re.escape(name.strip('.'))}: .*({says})"):
        read_idx(tmp_path / name)


def test_a_file_that_may_not_be_read_is_refused(tmp_path, monkeypatch):
    def forbidden(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    path = write(tmp_path / "a", IMAGES)
    monkeypatch.setattr(os, "open", forbidden)
    with pytest.raises(DataError, match=r"cannot read .*a: Permission denied$"):
        read_idx(path)


@contextlib.contextmanager
def memory_below(limit):
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("declared", "says"),
    [(10**8, "but holds only 200000"), (4 * 10**9, "the file can hold 1 to")],
    ids=["plausible", "implausible"],
)
def test_memory_is_taken_for_what_is_there_not_for_what_is_declared(tmp_path, declared, says):
    noise = np.random.default_rng(0).bytes(200_000)
    path = write(tmp_path / "a.gz", idx(declared, content=noise))
    with memory_below(2_500_000), pytest.raises(DataError, match=f"{declared} bytes.*{says}"):
        read_idx(path)


@pytest.mark.parametrize("name", ["a.gz", "a"])
def test_qmnists_labels_are_read(tmp_path, name):
    """Their numbers are 32 bits wide and signed, eight to a row."""
    rows = np.arange(-8, 8, dtype=">i4").reshape(2, 8)
    found = read_idx(write(tmp_path / name, idx(2, 8, content=rows.tobytes(), kind=0x0C)))
    assert found.dtype == np.int32
    assert found.tolist() == rows.tolist()


def test_what_the_memory_cannot_hold_is_not_unpacked(tmp_path, monkeypatch):
    """3,000 MiB declared by a file of 3 MB, which could indeed hold them."""
    size = 784 * (3_000 * 2**20 // 784)
    content = gzip.compress(idx(size // 784, 28, 28, content=b""))
    path = tmp_path / "a.gz"
    path.write_bytes(content + bytes(3_100_000))
    monkeypatch.setattr("minigan.arrays._memory", lambda: 4.9 * size)
    with memory_below(1_000_000), pytest.raises(DataError) as error:
        read_idx(path)
    assert f"{path}: an array of (4012408, 28, 28) would take 15" in str(error.value)


def test_what_is_not_of_mnists_size_is_not_unpacked(tmp_path):
    path = write(tmp_path / "train-images-idx3-ubyte.gz", idx(60_000, 28, 29, content=b""))
    write(tmp_path / "train-labels-idx1-ubyte.gz", LABELS)
    with path.open("ab") as file:
        file.write(bytes(100_000))
    with memory_below(1_000_000), pytest.raises(DataError) as error:
        mnist(tmp_path)
    assert "expected shape (60000, 28, 28), but it declares (60000, 28, 29)" in str(error.value)


def test_the_content_is_read_no_further_than_the_header_says(tmp_path, monkeypatch):
    """Behind that lie 30 MB and a damage."""
    packed = gzip.compress(idx(4, content=bytes(30_000_000)))
    path = tmp_path / "a.gz"
    path.write_bytes(packed[:-20] + bytes(12))
    with memory_below(2_000_000), pytest.raises(DataError, match="4 bytes, but holds more"):
        read_idx(path)


def damaged(rng, content):
    """The content after one to four accidents."""
    content = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        at, length = rng.integers(len(content) + 1), int(rng.integers(1, 9))
        kind = rng.integers(4)
        if kind == 0:
            del content[at:]
        elif kind == 1:
            del content[at : at + length]
        elif kind == 2:
            content[at:at] = rng.bytes(length)
        else:
            content[at : at + length] = rng.bytes(length)
    return bytes(content)


@pytest.mark.parametrize("packed", [False, True])
def test_a_damaged_file_is_read_or_refused(tmp_path, packed):
    rng = np.random.default_rng(packed)
    qmnist = idx(3, 8, content=bytes(96), kind=0x0C)
    says = []
    for _ in range(150):
        whole = [IMAGES, LABELS, qmnist][rng.integers(3)]
        path = tmp_path / "file"
        path.write_bytes(damaged(rng, gzip.compress(whole) if packed else whole))
        try:
            read_idx(path)
        except DataError as error:
            says.append(str(error))
    assert 100 < len(says) < 150
    assert all(str(path) in text and "\n" not in text for text in says)


# --- Dataset


def test_a_dataset_is_float32_and_int64():
    data = Dataset([[0, 1], [0.5, 0.25]], [1, 0], (1, 2), "mine")
    assert data.x.dtype == np.float32
    assert data.x.tolist() == [[0, 1], [0.5, 0.25]]
    assert data.labels.dtype == np.int64
    assert (data.image_shape, data.name, data.n_classes) == ((1, 2), "mine", 2)
    assert Dataset(np.zeros((2, 3))).n_classes == 0
    assert len(data) == 2
    shape = Dataset([[0, 1]], image_shape=[np.int64(1), np.uint8(2)]).image_shape
    assert (shape, type(shape), type(shape[0])) == ((1, 2), tuple, int)


def test_float32_rows_are_not_copied():
    x = np.zeros((3, 2), np.float32)
    assert np.shares_memory(Dataset(x).x, x)


def test_an_array_is_a_dataset_of_points_with_any_range():
    data = as_dataset([[-4.0, 300.0]])
    assert data.image_shape is data.labels is None
    assert data.x.tolist() == [[-4.0, 300.0]]
    assert as_dataset(data) is data


TWO = np.zeros((2, 6))
BAD_DATASETS = {
    "rank 0": ({"x": 1.0}, "x: expected rows and columns (n, d), got shape ()"),
    "rank 1": (
        {"x": [1.0, 2.0]},
        "x: expected rows and columns (n, d), got shape (2,); for points on a line give "
        "x.reshape(-1, 1)",
    ),
    "rank 3": (
        {"x": np.zeros((5, 2, 3))},
        "got shape (5, 2, 3); give x.reshape(5, -1) and image_shape=(2, 3)",
    ),
    "rank 4": (
        {"x": np.zeros((5, 2, 3, 1))},
        "(5, 2, 3, 1); give x.reshape(5, -1) and image_shape=(2, 3)",
    ),
    "colours": (
        {"x": np.zeros((5, 8, 9, 3))},
        "(5, 8, 9, 3); give x.reshape(5, -1) and image_shape=(8, 9, 3)",
    ),
    "colours first": (
        {"x": np.zeros((5, 3, 8, 9))},
        "give x.transpose(0, 2, 3, 1).reshape(5, -1) and image_shape=(8, 9, 3)",
    ),
    "rank 5": ({"x": np.zeros((5, 2, 2, 2, 2))}, "(5, 2, 2, 2, 2); give x.reshape(5, -1)"),
    "four colours": ({"x": TWO, "image_shape": (1, 1, 6)}, "got (1, 1, 6)"),
    "colours of others": (
        {"x": TWO, "image_shape": (2, 3, 3)},
        "image_shape: 2 x 3 x 3 is not the 6 columns of x",
    ),
    "no pictures": ({"x": np.zeros((0, 2, 3))}, "got shape (0, 2, 3)"),
    "no rows": ({"x": np.zeros((0, 6))}, "got shape (0, 6)"),
    "no columns": ({"x": np.zeros((2, 0))}, "got shape (2, 0)"),
    "words": ({"x": [["a", "b"]]}, "x: expected real numbers, got dtype <U1"),
    "complex": ({"x": [[1j]]}, "got dtype complex128"),
    "nothing": ({"x": None}, "got dtype object"),
    "NaN": (
        {"x": [[0.0, 1.0], [2.0, np.nan]]},
        "expected finite float32 numbers, got nan at [1, 1]",
    ),
    "infinite": ({"x": [[0.0, -np.inf]]}, "got -inf at [0, 1]"),
    "too large": ({"x": [[1e300]]}, "got inf at [0, 0]"),
    "bytes": (
        {"x": TWO + 255, "image_shape": (2, 3)},
        "[0, 1], got values from 255 to 255; divide them by 255",
    ),
    "few bytes": (
        {"x": TWO + [0, 1, 1, 1, 1, 2], "image_shape": (2, 3)},
        "[0, 1], got values from 0 to 2; divide them by 255",
    ),
    "no bytes": (
        {"x": TWO + [0, 1, 1, 1, 1, 256], "image_shape": (2, 3)},
        "x: expected pixels in [0, 1], got values from 0 to 256",
    ),
    "bright": (
        {"x": TWO + 1.25, "image_shape": (2, 3)},
        "got values from 1.25 to 1.25; divide them by 255",
    ),
    "negative": ({"x": TWO - 0.5, "image_shape": (2, 3)}, "got values from -0.5 to -0.5"),
    "both": ({"x": TWO + [-1, 0, 0, 0, 0, 2], "image_shape": (2, 3)}, "from -1 to 2"),
    "width": (
        {"x": TWO, "image_shape": (2, 2)},
        "image_shape: 2 x 2 is not the 6 columns of x",
    ),
    "minus": (
        {"x": TWO, "image_shape": (-2, -3)},
        "image_shape: -2 x -3 is not the 6 columns of x",
    ),
    "one side": ({"x": TWO, "image_shape": 6}, "(height, width, 3) of colours, got 6"),
    "sides": (
        {"x": TWO, "image_shape": (2.0, 3.0)},
        "expected (height, width), or (height, width, 3) of colours, got (2.0, 3.0)",
    ),
    "count": (
        {"x": TWO, "labels": [1]},
        "labels: expected one for each of 2 rows, got shape (1,)",
    ),
    "one-hot": ({"x": TWO, "labels": np.eye(2, dtype=int)}, "got shape (2, 2)"),
    "fraction": (
        {"x": TWO, "labels": [0.0, 1.0]},
        "labels: expected whole numbers, got dtype float64",
    ),
    "minus 1": ({"x": TWO, "labels": [0, -1]}, "labels: expected 0 or more, got -1"),
}


@pytest.mark.parametrize("case", BAD_DATASETS)
def test_bad_data_is_refused_by_name_and_number(case):
    arguments, says = BAD_DATASETS[case]
    with pytest.raises(DataError) as error:
        Dataset(**arguments)
    assert str(error.value).endswith(says)


def test_rows_of_unequal_length_are_refused():
    with pytest.raises(DataError, match="^x: expected a NumPy array: "):
        Dataset([[1.0], [1.0, 2.0]])


MASKED = np.ma.masked_array(np.zeros((3, 2)), [[0, 0], [0, 1], [0, 0]])


@pytest.mark.parametrize("x", [MASKED, list(MASKED), MASKED.astype(int)])
def test_a_masked_row_is_refused(x):
    with pytest.raises(DataError, match="x: expected no masked values, got some; leave their"):
        Dataset(x)


def test_a_masked_label_is_refused_and_a_mask_of_nothing_is_not():
    labels = np.ma.masked_array([0, 1, 1], [0, 0, 1])
    with pytest.raises(DataError, match="labels: expected no masked values"):
        Dataset(np.zeros((3, 2)), labels)
    data = Dataset(np.ma.masked_array(np.ones((3, 2))), np.ma.masked_array([0, 1, 1], False))
    assert (type(data.x), type(data.labels)) == (np.ndarray, np.ndarray)
    assert np.ma.masked_array([0.0, 1.0])[0] == 0


def test_an_array_on_another_device_is_refused(lib):
    x = lib.array(np.zeros((2, 2), np.float32))
    if type(x) is np.ndarray:
        assert Dataset(x).x is x
    else:
        with pytest.raises(DataError, match="x: expected a NumPy array"):
            Dataset(x)


# --- classes


def test_labels_that_begin_elsewhere_are_numbered_anew():
    data = Dataset(np.zeros((4, 2)), [26, 1, 3, 1])
    assert data.classes == (1, 3, 26)
    assert data.labels.tolist() == [2, 0, 1, 0]
    assert data.labels.dtype == np.int64
    assert data.n_classes == 3


def test_labels_from_0_without_a_gap_stay():
    labels = np.array([1, 0, 2, 1])
    data = Dataset(np.zeros((4, 2)), labels)
    assert np.shares_memory(data.labels, labels)
    assert data.classes == (0, 1, 2)


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 6), min_size=1, max_size=30))
def test_classes_by_labels_are_the_labels_that_came(values):
    data = Dataset(np.zeros((len(values), 1)), np.array(values, np.uint64))
    assert [data.classes[j] for j in data.labels] == values
    assert list(data.classes) == sorted(set(values))
    assert sorted(set(data.labels.tolist())) == list(range(data.n_classes))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int64", "uint64", ">i4", ">u8"])
def test_labels_of_every_width_keep_their_values(dtype):
    top = int(np.iinfo(dtype).max)
    data = Dataset(np.zeros((3, 2)), np.array([0, top, top], dtype))
    assert data.classes == (0, top)
    assert data.labels.tolist() == [0, 1, 1]


def test_a_part_keeps_the_classes_of_the_whole():
    data = Dataset(np.eye(4), [5, 7, 7, 9], (2, 2), "mine", source="known")
    for rows in (slice(1, 3), [1, 2], np.array([False, True, True, False])):
        part = data.part(rows)
        assert part.labels.tolist() == [1, 1]
        assert part.x.tolist() == np.eye(4)[1:3].tolist()
        assert part.classes == (5, 7, 9)
        assert (part.image_shape, part.name, part.source) == ((2, 2), "mine", "known")
    again = dataclasses.replace(part, name="renamed")
    assert (again.labels.tolist(), again.classes) == ([1, 1], (5, 7, 9))
    assert Dataset(np.eye(2)).part([0]).labels is None


def test_classes_may_be_given_and_then_labels_are_their_numbers():
    data = Dataset(np.zeros((2, 1)), [0, 2], classes=range(10))
    assert (data.classes, data.labels.tolist()) == (tuple(range(10)), [0, 2])
    assert Dataset(np.zeros((2, 1)), [0, 1], classes=np.array([4, 6])).classes == (4, 6)
    assert Dataset(np.zeros((2, 1)), [7, 7], classes=None).classes == (7,)


@pytest.mark.parametrize(
    ("labels", "classes", "says"),
    [
        (
            [0, 3],
            (4, 5, 6),
            "labels: with classes given, expected their numbers, 0 to 2, got 3",
        ),
        ([0, 1], (5, 4), "classes: expected ascending numbers, got [5, 4]"),
        ([0, 1], (4, 4), "classes: expected ascending numbers, got [4, 4]"),
        ([0, 1], (0, 0.5), "classes: expected a whole number, got 0.5"),
        ([0, 1], "ab", "classes: expected a whole number, got 'ab'"),
        ([0, 0], 3.5, "classes: expected a whole number, got 3.5"),
        ([0, 0], (-1,), "classes: must be at least 0, got -1"),
    ],
)
def test_wrong_classes_are_refused(labels, classes, says):
    with pytest.raises(DataError) as error:
        Dataset(np.zeros((2, 1)), labels, classes=classes)
    assert str(error.value) == says


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (([[0.0, 1.0]],), "<Dataset 'data': 1 rows, 2 columns, no labels>"),
        (
            (np.zeros((1234, 6)), np.arange(1234) % 3, (2, 3), "mine"),
            "<Dataset 'mine': 1,234 rows, images of 2 x 3, the 3 classes 0 to 2>",
        ),
        (
            (np.zeros((3, 1)), [3, 9, 4], None, "few"),
            "<Dataset 'few': 3 rows, 1 columns, the 3 classes 3, 4, 9>",
        ),
        (
            (np.zeros((20, 1)), np.arange(20) ** 2),
            "<Dataset 'data': 20 rows, 1 columns, "
            "the 20 classes 0, 1, 4, 9, 16, 25, 36, 49, 64, 81, ...>",
        ),
        (
            (np.zeros((10, 1)), np.arange(10) ** 2),
            "<Dataset 'data': 10 rows, 1 columns, "
            "the 10 classes 0, 1, 4, 9, 16, 25, 36, 49, 64, 81>",
        ),
        (
            (np.zeros((11, 1)), np.arange(11) ** 2),
            "<Dataset 'data': 11 rows, 1 columns, "
            "the 11 classes 0, 1, 4, 9, 16, 25, 36, 49, 64, 81, ...>",
        ),
        (
            (np.zeros((2, 1)), [7, 7]),
            "<Dataset 'data': 2 rows, 1 columns, the one class 7>",
        ),
        (
            (np.zeros((2, 1)), [0, 3]),
            "<Dataset 'data': 2 rows, 1 columns, the 2 classes 0, 3>",
        ),
    ],
)
def test_a_dataset_says_what_it_is(arguments, says):
    assert repr(Dataset(*arguments)) == says


def cgan(n_classes):
    return minigan.CGAN(
        n_data=2, n_noise=2, G_hidden=(2,), D_hidden=(2,), output="linear", n_classes=n_classes
    )


@pytest.mark.parametrize(
    ("values", "n_classes", "says"),
    [
        (
            np.arange(1, 27),
            27,
            "labels: data has the 26 classes 1 to 26, numbered 0 to 25 here, so n_classes must "
            "be 26, got 27",
        ),
        (np.arange(1, 27), 10, "n_classes must be 26, got 10"),
        ([0, 2, 5], 6, "has the 3 classes 0, 2, 5, numbered 0 to 2 here"),
        ([4, 4], 2, "has the one class 4, numbered 0 here, so n_classes must be 1, got 2"),
        ([0, 1, 2], 2, "labels: data has labels up to 2, the model has 2 classes"),
    ],
)
def test_a_conditional_model_must_have_the_classes_of_the_data(values, n_classes, says):
    data = Dataset(np.zeros((len(values), 2)), values)
    with pytest.raises(DataError) as error:
        check_fit(cgan(n_classes), data)
    assert says in str(error.value)
    check_fit(cgan(data.n_classes), data)


def test_a_model_may_have_more_classes_than_data_whose_labels_are_numbers_from_0():
    check_fit(cgan(5), Dataset(np.zeros((3, 2)), [0, 1, 2]))
    check_fit(cgan(10), Dataset(np.zeros((3, 2)), [0, 1, 5], classes=range(10)))
    check_fit(cgan(3), Dataset(np.zeros((4, 2)), [5, 6, 9, 5]).part([0, 1]))


# --- the digits in the package


def test_the_shipped_digits_begin_as_mnist_does():
    """The training set starts 5 0 4 1 9 2 1 3 1 4, its first image adds up to 27525."""
    data = load("mnist5k")
    assert data.x.shape == (5000, 784)
    assert (data.image_shape, data.name, data.classes) == (
        (28, 28),
        "mnist5k",
        tuple(range(10)),
    )
    assert data.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert round(255 * float(data.x[0].sum(dtype=np.float64))) == 27525
    assert (data.x.min(), data.x.max()) == (0, 1)


def test_the_shipped_digits_are_500_of_each_class_and_all_different():
    data = load("mnist5k")
    assert np.bincount(data.labels).tolist() == [500] * 10
    assert len({row.tobytes() for row in data.x}) == 5000
    assert data.x.mean() == pytest.approx(0.1307, abs=0.002)  # of all 60,000: 0.1307


def test_the_provenance_names_the_sums_of_the_arrays():
    text = (DIGITS / "PROVENANCE.txt").read_text()
    with np.load(DIGITS / "mnist5k.npz", allow_pickle=False) as arrays:
        for name in ("x", "labels"):
            assert arrays[name].dtype == np.uint8
            assert hashlib.sha256(arrays[name].tobytes()).hexdigest() in text
    assert (DIGITS / "mnist5k.npz").stat().st_size < 1_000_000


def test_the_shipped_digits_are_the_first_500_of_each_class_of_the_real_training_set():
    if not (mnist_folder() / "train-images-idx3-ubyte.gz").exists():
        pytest.skip("the full MNIST is not on this machine")
    data, full = load("mnist5k"), mnist()
    assert np.bincount(full.labels)[:5].tolist() == [5923, 6742, 5958, 6131, 5842]
    first = np.concatenate([np.flatnonzero(full.labels == c)[:500] for c in range(10)])
    assert np.array_equal(full.x[np.sort(first)], data.x)
    assert np.array_equal(full.labels[np.sort(first)], data.labels)
    assert np.bincount(mnist(split="test").labels)[:5].tolist() == [980, 1135, 1032, 1010, 982]


# --- folders and names


@pytest.mark.parametrize(
    "images",
    [
        "train-images-idx3-ubyte.gz",
        "train-images-idx3-ubyte",
        "train-images.idx3-ubyte",
        "train-images.idx3-ubyte.gz",
    ],
)
def test_a_folder_of_idx_files_is_loaded_by_its_path(tmp_path, images):
    folder = tmp_path / "fashion"
    write(folder / images, IMAGES)
    write(folder / images.replace("images", "labels").replace("idx3", "idx1"), LABELS)
    data = load(str(folder))
    assert data.x == pytest.approx(np.arange(24).reshape(4, 6) / 255)
    assert data.labels.tolist() == [2, 0, 1, 1]
    assert (data.image_shape, data.name, data.n_classes) == ((2, 3), "fashion", 3)
    assert load(folder).name == "fashion"


def test_emnist_is_stood_upright(tmp_path):
    """It stores each image column by column, under names of its own."""
    write(tmp_path / "emnist-letters-train-images-idx3-ubyte.gz", IMAGES)
    write(
        tmp_path / "emnist-letters-test-images-idx3-ubyte.gz", idx(1, 2, 3, content=b"abcdef")
    )
    data = load(tmp_path)
    assert data.image_shape == (3, 2)
    assert np.round(255 * data.x[0]).tolist() == [0, 3, 1, 4, 2, 5]
    assert idx_folder(tmp_path, "test").x.shape == (1, 6)


@pytest.mark.parametrize("turned", [False, True])
def test_pixels_become_numbers_of_four_bytes_row_by_row(turned):
    images = np.random.default_rng(0).integers(256, size=(100, 40, 50)).astype("u1")
    with memory_below(5 * images.size):
        x = _pixels(images.swapaxes(1, 2) if turned else images)
    assert (x.dtype, x.shape, x.flags.c_contiguous) == (np.float32, (100, 2000), True)
    assert x[3, :2].tolist() == [
        np.float32(p) / np.float32(255)
        for p in (images[3, :2, 0] if turned else images[3, 0, :2])
    ]


def test_labels_may_be_absent_from_a_folder(tmp_path):
    write(tmp_path / "train-images-idx3-ubyte.gz", IMAGES)
    assert load(tmp_path).labels is None


def test_an_unfinished_download_is_not_taken_for_the_file(tmp_path):
    write(tmp_path / "train-images-idx3-ubyte.gz", IMAGES)
    write(tmp_path / "train-images-idx3-ubyte.gz.17.part", b"")
    assert len(load(tmp_path).x) == 4


BAD_FOLDERS = {
    "empty": ([], "holds nothing; minigan reads images (PNG, JPEG, BMP, GIF, WebP), .npz, "),
    "labels only": ([("train-labels-idx1-ubyte", LABELS)], "holds no file train-images"),
    "two sets": (
        [(f"emnist-{one}-train-images-idx3-ubyte", IMAGES) for one in ("letters", "mnist")],
        "holds emnist-letters, emnist-mnist; choose one, as in ",
    ),
    "other labels": (
        [
            ("train-images-idx3-ubyte", IMAGES),
            ("train-labels-idx1-ubyte", idx(2, content=b"ab")),
        ],
        "train-images-idx3-ubyte holds 4 images, but train-labels-idx1-ubyte 2 labels",
    ),
    "images as labels": (
        [("train-images-idx3-ubyte", IMAGES), ("train-labels-idx1-ubyte", IMAGES)],
        "train-labels-idx1-ubyte: expected labels (n,), got (4, 2, 3)",
    ),
    "labels as images": (
        [("emnist-x-train-images-idx3-ubyte", LABELS)],
        "expected images (n, height, width), got (4,)",
    ),
}


@pytest.mark.parametrize("case", BAD_FOLDERS)
def test_a_bad_folder_is_refused(tmp_path, case):
    contents, says = BAD_FOLDERS[case]
    for name, content in contents:
        write(tmp_path / name, content)
    with pytest.raises(DataError) as error:
        load(tmp_path)
    assert says in str(error.value)


def test_an_unknown_name_is_told_the_known_ones():
    with pytest.raises(DataError) as error:
        load("cifar")
    assert str(error.value) == (
        "data: expected mnist, mnist5k, stacked, ring, grid, a folder of images, or an .npz, "
        ".npy, .csv or IDX file, got 'cifar'"
    )


def test_a_folder_may_be_named_from_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    write(tmp_path / "kept" / "emnist-letters-train-images-idx3-ubyte", IMAGES)
    for name in ("~/kept", "~/kept:letters"):
        assert load(name).name == "emnist-letters"
        assert identify(name)[0] == f"{tmp_path.resolve() / 'kept'}:emnist-letters"


@pytest.mark.parametrize(
    ("folder", "title"),
    [
        ("/a/fashion", "fashion"),
        ("/a/raw", "a"),
        ("/raw", "raw"),
        ("/gzip/raw", "gzip"),
        ("/", "data"),
    ],
)
def test_data_are_called_by_the_folder_that_has_a_name_of_its_own(folder, title):
    assert _title(Path(folder), "") == _title(Path(folder), None) == title
    assert _title(Path(folder), "emnist-letters") == "emnist-letters"


@pytest.mark.parametrize("beside", [False, True])
def test_kaggles_mnist_is_read(tmp_path, beside):
    """Each file in a folder of its own name; perhaps beside it under a dotted one."""
    for kind, rank, content in (("images", 3, IMAGES), ("labels", 1, LABELS)):
        for split in ("train", "t10k"):
            name = f"{split}-{kind}-idx{rank}-ubyte"
            write(tmp_path / name / name, content)
            if beside:
                write(tmp_path / name.replace("-idx", ".idx"), content)
    assert load(tmp_path).labels.tolist() == [2, 0, 1, 1]
    assert len(idx_folder(tmp_path, "test")) == 4


@pytest.mark.parametrize("inside", ["raw", "gzip"])
def test_torchvisions_folder_is_read(tmp_path, inside):
    write(tmp_path / "FashionMNIST" / inside / "train-images-idx3-ubyte", IMAGES)
    write(tmp_path / "FashionMNIST" / inside / "t10k-images-idx3-ubyte", IMAGES)
    data = load(tmp_path / "FashionMNIST")
    assert data.name == "FashionMNIST"
    assert load(tmp_path / "FashionMNIST" / inside).name == "FashionMNIST"
    assert len(data.source.held_out(9)) == 4
    assert data.source.folder == (tmp_path / "FashionMNIST" / inside).resolve()


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_qmnists_first_column_is_the_digit(tmp_path, suffix):
    rows = np.arange(32, dtype=">i4").reshape(4, 8)
    labels = idx(4, 8, content=rows.tobytes(), kind=0x0C)
    for split in ("train", "test"):
        write(tmp_path / f"qmnist-{split}-images-idx3-ubyte{suffix}", IMAGES)
        write(tmp_path / f"qmnist-{split}-labels-idx2-int{suffix}", labels)
    data = load(tmp_path)
    assert data.classes == (0, 8, 16, 24)
    assert data.image_shape == (2, 3)  # not turned, as EMNIST's are
    assert data.source.held_out(9).classes == (0, 8, 16, 24)


SPLITS = "balanced", "byclass", "bymerge", "digits", "letters", "mnist"


@pytest.fixture
def emnist(tmp_path):
    """All of EMNIST in one folder; the first pixel of a split is its number."""
    for i, split in enumerate(SPLITS):
        for part in ("train", "test"):
            name = f"emnist-{split}-{part}"
            content = bytes([i]) + PIXELS[1:]
            write(tmp_path / f"{name}-images-idx3-ubyte.gz", idx(4, 2, 3, content=content))
            write(
                tmp_path / f"{name}-labels-idx1-ubyte.gz", idx(4, content=bytes([1, 26, 7, 1]))
            )
    write(tmp_path / "emnist-letters-mapping.txt", b"1 65 97")
    return tmp_path


@pytest.mark.parametrize("i", range(6))
@pytest.mark.parametrize("prefix", ["", "emnist-"])
def test_one_of_several_sets_is_chosen_by_name(emnist, prefix, i):
    data = load(f"{emnist}:{prefix}{SPLITS[i]}")
    assert data.name == f"emnist-{SPLITS[i]}"
    assert round(255 * float(data.x[0, 0])) == i
    assert data.classes == (1, 7, 26)
    assert round(255 * float(data.source.held_out(9).x[0, 0])) == i


@pytest.mark.parametrize("chosen", ["", ":", ":letter", ":emnist", ":nist", ":letters-train"])
def test_sets_among_which_nothing_is_chosen_are_listed(emnist, chosen):
    with pytest.raises(DataError) as error:
        load(f"{emnist}{chosen}")
    names = ", ".join(f"emnist-{split}" for split in SPLITS)
    assert f"holds {names}; choose one, as in {emnist}:emnist-mnist" in str(error.value)


def test_files_without_a_sets_name_are_the_ones_that_are_meant(emnist):
    write(emnist / "train-images-idx3-ubyte", IMAGES)
    assert load(emnist).name == emnist.name
    assert load(f"{emnist}:letters").name == "emnist-letters"
    with pytest.raises(DataError, match="holds one without a name, emnist-balanced, "):
        load(f"{emnist}:other")


def test_a_set_is_one_of_images_of_the_split_that_is_meant(tmp_path):
    write(tmp_path / "emnist-letters-train-images-idx3-ubyte", IMAGES)
    write(tmp_path / "emnist-digits-train-labels-idx1-ubyte", LABELS)
    assert identify(tmp_path) == (f"{tmp_path.resolve()}:emnist-letters", None)
    write(tmp_path / "emnist-mnist-test-images-idx3-ubyte", IMAGES)
    assert load(tmp_path).name == "emnist-letters"
    assert idx_folder(tmp_path, "test").name == "emnist-mnist"
    with pytest.raises(DataError) as error:
        identify(tmp_path)
    assert str(error.value) == (
        f"data: {tmp_path.resolve()} holds emnist-letters, emnist-mnist; choose one, as in "
        f"{tmp_path.resolve()}:emnist-mnist"
    )


def test_a_set_is_chosen_by_its_whole_name_or_all_that_follows_the_first_dash(tmp_path):
    for name, n in (("emnist-letters", 4), ("letters", 2), ("mine-by-class", 3)):
        content = idx(n, 2, 3, content=PIXELS[: 6 * n])
        write(tmp_path / f"{name}-train-images-idx3-ubyte", content)
    for chosen, n in (("letters", 2), ("emnist-letters", 4), ("by-class", 3)):
        assert len(load(f"{tmp_path}:{chosen}")) == n
    with pytest.raises(DataError, match="choose one"):
        load(f"{tmp_path}:class")


def test_no_set_can_be_chosen_where_there_is_none(tmp_path):
    write(tmp_path / "emnist-letters-train-labels-idx1-ubyte", LABELS)
    with pytest.raises(DataError) as error:
        load(f"{tmp_path}:letters")
    assert str(error.value) == (
        f"data: {tmp_path.resolve()} holds no set of images; choose one, as in "
        f"{tmp_path.resolve()}:letters"
    )


def test_a_folder_whose_name_has_a_colon_is_read(tmp_path):
    write(tmp_path / "a:letters" / "train-images-idx3-ubyte", IMAGES)
    write(tmp_path / "a:letters" / "emnist-digits-train-images-idx3-ubyte", IMAGES)
    assert load(tmp_path / "a:letters").name == "a:letters"
    assert load(f"{tmp_path}/a:letters:digits").name == "emnist-digits"


def test_a_folder_of_something_else_says_what_is_in_it(tmp_path):
    for name in ("zebra.mp3", "apple.tif", "b.mp4"):
        write(tmp_path / name, b"")
    (tmp_path / "MNIST").mkdir()
    for names in ("MNIST/, apple.tif, b.mp4, zebra.mp3", "MNIST/, apple.tif, b.mp4, c.png2, …"):
        with pytest.raises(DataError) as error:
            load(tmp_path)
        assert str(error.value) == (
            f"data: {tmp_path} holds {names}; minigan reads images (PNG, JPEG, BMP, GIF, "
            "WebP), .npz, .npy, .csv and IDX files"
        )
        write(tmp_path / "c.png2", b"")


def test_pipes_and_folders_in_the_place_of_files_are_not_opened(tmp_path):
    (tmp_path / "train-images-idx3-ubyte").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "train-images.idx3-ubyte")
        os.mkfifo(tmp_path / "train-labels-idx1-ubyte")
    with pytest.raises(DataError, match="holds train-images-idx3-ubyte/.*; minigan reads "):
        load(tmp_path)


def test_a_folder_that_may_not_be_read_is_refused(tmp_path, monkeypatch):
    def forbidden(_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", forbidden)
    with pytest.raises(DataError, match="data: cannot read the folder .*: Permission denied$"):
        load(tmp_path)


def test_a_damaged_folder_is_read_or_refused(tmp_path):
    rng = np.random.default_rng(2)
    for _ in range(100):
        for name, content in (("images-idx3", IMAGES), ("labels-idx1", LABELS)):
            content = damaged(rng, content) if rng.random() < 0.6 else content
            write(tmp_path / f"train-{name}-ubyte", content)
        with contextlib.suppress(DataError):
            assert len(load(tmp_path)) > 0


# --- what data is called, wherever the program is started


def test_a_folder_is_identified_by_its_absolute_path(emnist, monkeypatch):
    fashion = emnist / "fashion" / "raw"
    write(fashion / "train-images-idx3-ubyte", IMAGES)
    monkeypatch.chdir(emnist)
    for name in ("fashion", "./fashion/", "fashion/raw", "fashion/../fashion", fashion):
        assert identify(name) == (str(fashion.resolve()), None)
    assert identify(".:letters") == (f"{emnist.resolve()}:emnist-letters", None)
    monkeypatch.chdir("/")
    for name in (str(fashion), f"{emnist}:letters"):
        assert load(identify(name)[0]).name == load(name).name
        assert identify(identify(name)[0]) == identify(name)


def test_the_name_of_a_set_that_is_alone_is_kept_for_when_it_is_not(tmp_path):
    write(tmp_path / "emnist-letters-train-images-idx3-ubyte", IMAGES)
    name, _ = identify(tmp_path)
    write(tmp_path / "emnist-digits-train-images-idx3-ubyte", IMAGES)
    assert load(name).name == "emnist-letters"


@pytest.mark.parametrize("name", ["mnist", "mnist5k", "stacked", "ring", "grid"])
def test_a_built_in_name_stays_even_beside_a_folder_of_that_name(tmp_path, monkeypatch, name):
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    assert identify(name, "here") == (name, str(tmp_path.resolve() / "here"))
    assert short_label(name) == name
    assert identify(f"./{name}")[0] == str((tmp_path / name).resolve())
    assert short_label(identify(f"./{name}")[0]).startswith(f"{name}-")


def test_labels_of_folders_are_short_and_differ(emnist):
    found = []
    for name in ("a/raw", "b/raw", "c/fashion", "d/fashion", "e/" + 90 * "é", "f/x y\t:?"):
        write(emnist / name / "train-images-idx3-ubyte", IMAGES)
        found.append(short_label(identify(emnist / name)[0]))
    found += [short_label(identify(f"{emnist}:{split}")[0]) for split in SPLITS]
    assert len(set(found)) == len(found)
    shapes = [
        "a",
        "b",
        "fashion",
        "fashion",
        40 * "é",
        "x_y_",
        *(f"emnist-{s}" for s in SPLITS),
    ]
    for label, shape in zip(found, shapes):
        assert re.fullmatch(rf"{shape}-[0-9a-f]{{6}}", label)


@pytest.mark.parametrize("function", [load, identify])
def test_a_folder_that_has_gone_is_named_with_what_helps(tmp_path, function):
    gone = str(tmp_path / "gone")
    for name in (gone, f"{gone}:letters", gone + "/"):
        with pytest.raises(DataError) as error:
            function(name)
        assert str(error.value) == (
            f"data: there is no {name}, or not any more; name with --data where it is, or one "
            "of mnist, mnist5k, stacked, ring, grid"
        )


def test_a_place_is_text_or_a_path():
    with pytest.raises(DataError, match="^data_dir: expected a name or a path, got 3$"):
        identify("ring", 3)


@pytest.mark.parametrize("function", [load, identify, idx_folder])
@pytest.mark.parametrize("name", [None, 3, ["ring"]])
def test_a_name_is_text_or_a_path(function, name):
    with pytest.raises(DataError, match="^data: expected a name or a path, got "):
        function(name)


def test_the_folder_in_which_the_program_runs_may_have_gone(tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    here.rmdir()
    with pytest.raises(DataError, match="data: data cannot be found: No such file"):
        identify("ring", "data")
    with pytest.raises(DataError):
        load("data")
    assert load("ring").name == "ring"


def test_points_and_digits_know_what_was_held_out(tmp_path, small_mnist):
    data = ring(50, radius=2.0, std=0.1, modes=3, seed=4)
    fresh = data.source.held_out(20)
    assert fresh.x.tolist() == data.source.held_out(20).x.tolist()
    assert not set(map(bytes, fresh.x)) & set(map(bytes, data.x))
    off = np.linalg.norm(fresh.x - ring_modes(3, 2.0)[fresh.labels], axis=1)
    assert 0 < off.min() < off.max() < 5 * 0.1
    assert data.source.modes.tolist() == ring_modes(3, 2.0).tolist()
    assert (data.source.std, data.source.digits) == (0.1, False)
    assert load("mnist5k", tmp_path).source.held_out(9) is None
    assert load("mnist5k", tmp_path).source.more() is None
    for name, content in small_mnist.items():
        write(tmp_path / name, content)
    for name in ("mnist", "mnist5k"):
        source = load(name, tmp_path).source
        assert source.digits
        assert np.round(255 * source.held_out(9).x[0]).tolist() == [23, 22, 21, 20, 19, 18]
    assert len(source.more()) == 4
    own = load(str(tmp_path)).source  # the same files, but nobody has verified them
    assert not own.digits
    assert len(own.held_out(9)) == 4
    (tmp_path / "t10k-images-idx3-ubyte").unlink()
    assert own.held_out(9) is None


# --- MNIST, with four small files in the place of the real ones


@pytest.fixture
def small_mnist(monkeypatch):
    """The four files by name, their sums known to minigan as the right ones."""
    contents = {}
    for split, pixels in (("train", PIXELS), ("test", PIXELS[::-1])):
        for kind, content in (("images", idx(4, 2, 3, content=pixels)), ("labels", LABELS)):
            sha256 = hashlib.sha256(content).hexdigest()
            monkeypatch.setitem(MNIST_SHA256[split], kind, sha256)
            monkeypatch.setitem(
                MNIST_SHAPE[split], kind, (4, 2, 3) if kind == "images" else (4,)
            )
            contents[file_name(split, kind)] = content
    return contents


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_mnist_is_verified_by_its_uncompressed_content(tmp_path, small_mnist, suffix):
    for name, content in small_mnist.items():
        write(tmp_path / (name + suffix), content)
    assert np.round(255 * load("mnist", tmp_path).x[0]).tolist() == [0, 1, 2, 3, 4, 5]
    assert np.round(255 * mnist(tmp_path, "test").x[0]).tolist() == [23, 22, 21, 20, 19, 18]
    assert mnist(tmp_path).name == "mnist"


@pytest.mark.parametrize("kind", ["images", "labels"])
def test_other_data_under_mnists_name_is_refused(tmp_path, small_mnist, kind):
    for name, content in small_mnist.items():
        changed = content[:-1] + b"\t" if kind in name else content
        write(tmp_path / name, changed)
    with pytest.raises(
        DataError, match=f"train-{kind}-idx.-ubyte: expected content of SHA-256"
    ):
        mnist(tmp_path)


def test_the_place_of_mnist_stays_when_the_program_goes_elsewhere(
    tmp_path, small_mnist, monkeypatch
):
    for name, content in small_mnist.items():
        write(tmp_path / "here" / name, content)
    monkeypatch.setenv("MINIGAN_DATA", str(tmp_path / "nowhere"))
    monkeypatch.chdir(tmp_path)
    sources = [load(name, "here").source for name in ("mnist", "mnist5k")]
    assert sources[0].folder == tmp_path.resolve() / "here"
    monkeypatch.chdir("/")
    for source in sources:
        held_out = source.held_out(9)
        assert (held_out.name, held_out.image_shape) == ("mnist", (2, 3))
        assert held_out.labels.tolist() == [2, 0, 1, 1]
    assert np.round(255 * sources[1].more().x[0]).tolist() == [0, 1, 2, 3, 4, 5]


def test_missing_mnist_says_how_to_get_it(tmp_path, small_mnist, monkeypatch):
    with pytest.raises(DataError) as error:
        load("mnist", tmp_path)
    says = (
        "does not hold both train-images-idx3-ubyte[.gz] and train-labels-idx1-ubyte[.gz]; "
        "`minigan download mnist` fetches them"
    )
    assert str(error.value) == f"data: {tmp_path} {says}"
    monkeypatch.setenv("MINIGAN_DATA", str(tmp_path / "other"))
    with pytest.raises(DataError) as error:
        mnist()
    assert str(error.value) == f"data: {tmp_path / 'other'} {says}"
    write(tmp_path / "train-images-idx3-ubyte", small_mnist["train-images-idx3-ubyte"])
    with pytest.raises(DataError, match="both .*train-labels.*`minigan download mnist`"):
        load("mnist", tmp_path)


def test_mnist_is_looked_for_where_the_environment_says(tmp_path, small_mnist, monkeypatch):
    for name, content in small_mnist.items():
        write(tmp_path / name, content)
    monkeypatch.setenv("MINIGAN_DATA", str(tmp_path))
    assert len(load("mnist").x) == 4
    monkeypatch.delenv("MINIGAN_DATA")
    assert mnist_folder() == Path.home() / ".cache" / "minigan" / "mnist"


def test_an_unknown_split_is_refused(tmp_path):
    with pytest.raises(DataError, match="split: expected train or test, got 'validation'"):
        mnist(tmp_path, "validation")


# --- download


class Mirror(BaseHTTPRequestHandler):
    """Sends files[path]: bytes, or a function of the handler; else 404."""

    def do_GET(self):
        self.server.asked.append(self.path)
        content = self.server.files.get(self.path)
        if callable(content):
            content(self)
        elif content is None:
            self.send_error(404)
        else:
            self.begin(len(content))
            self.wfile.write(content)

    def begin(self, length=None):
        self.send_response(200)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch, small_mnist):
    """A mirror on this machine: `files` by path, `asked` what was asked for, `url`."""
    monkeypatch.setenv("no_proxy", "*")
    with ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as server:
        server.files = {f"/{name}.gz": gzip.compress(c) for name, c in small_mnist.items()}
        server.asked, server.released = [], threading.Event()
        server.url = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()


FIRST = "/train-images-idx3-ubyte.gz"


def download(to, url, timeout=5):
    return download_mnist(to, url, timeout, progress=False)


def test_mnist_is_downloaded_whole(tmp_path, server):
    folder = download(tmp_path / "new" / "folder", server.url)
    assert folder == tmp_path / "new" / "folder"
    assert {path.name for path in folder.iterdir()} == {name[1:] for name in server.files}
    assert mnist(folder).labels.tolist() == [2, 0, 1, 1]


def test_the_default_folder_is_where_load_looks(tmp_path, server, monkeypatch):
    monkeypatch.setenv("MINIGAN_DATA", str(tmp_path / "here"))
    assert download(None, server.url) == tmp_path / "here"
    assert len(load("mnist").x) == 4


def test_only_what_is_missing_is_fetched(tmp_path, server, small_mnist):
    download(tmp_path, server.url)
    server.asked.clear()
    (tmp_path / "train-labels-idx1-ubyte.gz").unlink()
    (tmp_path / "t10k-images-idx3-ubyte.gz").unlink()
    name = "t10k-labels-idx1-ubyte"
    (tmp_path / f"{name}.gz").unlink()
    write(tmp_path / name, small_mnist[name])  # unpacked by a person
    download(tmp_path, server.url.rstrip("/"))
    assert server.asked == ["/train-labels-idx1-ubyte.gz", "/t10k-images-idx3-ubyte.gz"]
    download(tmp_path, server.url)
    assert len(server.asked) == 2


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("content", [LABELS + b"!", LABELS[:-1], idx(4, content=b"abcd"), b""])
def test_another_file_of_that_name_is_left_alone(tmp_path, server, suffix, content):
    """Fashion-MNIST has the very same names."""
    path = write(tmp_path / f"train-labels-idx1-ubyte{suffix}", content)
    before = path.read_bytes()
    with pytest.raises(DataError, match="not MNIST's file, so move it elsewhere, or .*--to"):
        download(tmp_path, server.url)
    assert path.read_bytes() == before
    assert not (tmp_path / "t10k-labels-idx1-ubyte.gz").exists()


def half(handler):
    handler.begin(100)
    handler.wfile.write(bytes(50))


def half_of_unknown_length(handler):
    handler.begin()
    handler.wfile.write(gzip.compress(IMAGES)[:20])


def stall(handler):
    handler.begin(100)
    handler.wfile.write(bytes(50))
    handler.wfile.flush()
    handler.server.released.wait(10)


def silence(handler):
    handler.server.released.wait(10)


def hang_up(handler):
    handler.close_connection = True


def no_http(handler):
    handler.wfile.write(b"220 mail.example ESMTP\r\n")
    handler.close_connection = True


def flood(handler):
    handler.begin()
    with contextlib.suppress(ConnectionError):
        for _ in range(2**9):
            handler.wfile.write(bytes(2**16))


def drip(handler):
    handler.begin(100_000)
    with contextlib.suppress(ConnectionError):
        while not handler.server.released.wait(0.02):
            handler.wfile.write(b"x")
            handler.wfile.flush()


def drip_the_header(handler):
    with contextlib.suppress(ConnectionError):
        handler.wfile.write(b"HTTP/1.0 200 OK\r\n")
        while not handler.server.released.wait(0.02):
            handler.wfile.write(b"X")
            handler.wfile.flush()


def announce_too_much(handler):
    handler.begin(10**12)
    handler.wfile.write(bytes(50))


def announce_nonsense(handler):
    handler.begin("\x1b[31m")


def to_itself(handler):
    handler.send_response(302)
    handler.send_header("Location", handler.path)
    handler.end_headers()


FAILURES = {
    "404": (None, "HTTP Error 404: Not Found"),
    "dies half-way": (half, "closed after 50 of 100 bytes"),
    "dies without a length": (half_of_unknown_length, "Compressed file ended"),
    "drips its header": (drip_the_header, "sent nothing for 0.3 seconds"),
    "announces too much": (announce_too_much, "sent more than 16777216 bytes"),
    "announces nonsense": (announce_nonsense, "cannot download"),
    "leads to itself": (to_itself, "HTTP Error 302"),
    "never answers": (silence, "0.3 seconds"),
    "hangs up": (hang_up, "closed connection without response"),
    "not HTTP": (no_http, "220 mail.example ESMTP"),
    "never ends": (flood, "sent more than 16777216 bytes"),
    "a web page": (b"<html>Log in</html>", "expected IDX magic"),
    "wrong content": (
        gzip.compress(idx(4, 2, 3, content=b"z" * 24)),
        "expected content of SHA-256",
    ),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_failed_download_says_where_and_why_and_leaves_nothing(tmp_path, server, case):
    server.files[FIRST], says = FAILURES[case]
    with pytest.raises(DataError) as error:
        download(tmp_path, server.url, timeout=0.3)
    message = str(error.value)
    assert message.startswith(f"cannot download train-images-idx3-ubyte.gz; {server.url}: ")
    assert says in message
    assert ".part" not in message
    assert list(tmp_path.iterdir()) == []


def test_the_second_mirror_is_asked_where_the_first_fails(tmp_path, server, monkeypatch):
    server.files["/bad" + FIRST] = half
    mirrors = (server.url + "bad/", server.url)
    monkeypatch.setattr("minigan.lab.download.MIRRORS", mirrors)
    assert len(mnist(download(tmp_path, None)).x) == 4
    assert server.asked[:2] == ["/bad" + FIRST, FIRST]


def test_every_mirrors_failure_is_told(tmp_path, server, monkeypatch):
    del server.files[FIRST]
    server.files["/bad" + FIRST] = half
    monkeypatch.setattr("minigan.lab.download.MIRRORS", (server.url + "bad/", server.url))
    with pytest.raises(DataError) as error:
        download(tmp_path, None)
    assert f"{server.url}bad/: closed after 50 of 100 bytes; " in str(error.value)
    assert str(error.value).endswith(f"{server.url}: HTTP Error 404: Not Found")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "nonsense", "http://[/"])
def test_an_address_that_leads_nowhere_is_an_error_of_ours(tmp_path, url):
    with pytest.raises(DataError, match="cannot download train-images"):
        download(tmp_path, url)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    write(tmp_path / "file", b"")
    with pytest.raises(DataError, match="to: cannot make the folder"):
        download(tmp_path / "file" / "folder", None)


def test_progress_is_drawn_only_on_request(tmp_path, server, capsys):
    """In bytes, of as many as the server has announced, if it has."""
    download(tmp_path / "quiet", server.url)
    assert capsys.readouterr() == ("", "")
    labels = "/train-labels-idx1-ubyte.gz"
    content = server.files[labels]
    server.files[labels] = lambda handler: handler.begin() or handler.wfile.write(content)
    download_mnist(tmp_path / "loud", server.url)
    text, n, k = capsys.readouterr().err, len(server.files[FIRST]), len(content)
    assert re.search(rf"{FIRST[1:]}: 100%\|.*\| {n}\.0/{n}\.0 \[.*B/s\]", text)
    assert re.search(rf"\r{labels[1:]}: {k}\.0B \[.*B/s\]", text)


def test_a_server_may_lead_elsewhere_and_need_not_know_the_length(tmp_path, server):
    content = server.files[FIRST]

    def elsewhere(handler):
        handler.send_response(302)
        handler.send_header("Location", "/there")
        handler.end_headers()

    for length in (None, "", 0, -5):
        server.files[FIRST] = elsewhere
        server.files["/there"] = lambda handler, length=length: (
            handler.begin(length) or handler.wfile.write(content)
        )
        if length == 0:  # this one says that there is nothing
            with pytest.raises(DataError, match="Compressed file ended|expected IDX magic"):
                download(tmp_path / "nothing", server.url)
        else:
            folder = download(tmp_path / f"of{length}", server.url)
            assert (folder / FIRST[1:]).read_bytes() == content


def test_so_much_is_taken_from_a_server_and_no_more(tmp_path, server, monkeypatch):
    n = max(map(len, server.files.values()))
    monkeypatch.setattr("minigan.lab.download.LARGEST_DOWNLOAD", n)
    assert len(mnist(download(tmp_path / "fits", server.url))) == 4
    monkeypatch.setattr("minigan.lab.download.LARGEST_DOWNLOAD", n - 1)
    with pytest.raises(DataError, match=f"sent more than {n - 1} bytes$"):
        download(tmp_path / "does not", server.url)


@pytest.mark.parametrize(
    ("size", "seconds", "enough"),
    [(0, 30, True), (1024 * 31, 31, True), (1024 * 31 - 1, 31, False), (10, 40.4, False)],
)
def test_a_server_may_be_slow_at_first_but_not_on_the_average(size, seconds, enough):
    if enough:
        _check_rate(size, seconds, 30)
    else:
        with pytest.raises(
            DataError, match=f"^sent only {size} bytes in {seconds:.0f} seconds$"
        ):
            _check_rate(size, seconds, 30)


def test_an_error_without_words_is_called_by_its_kind():
    for error, says in (
        (ConnectionResetError(), "ConnectionResetError"),
        (OSError("so"), "so"),
    ):
        with pytest.raises(DataError, match=f"^{says}$"):
            _raise(error)


def receivers():
    return [each for each in threading.enumerate() if "_receive" in each.name]


@pytest.mark.parametrize(
    ("how", "says"),
    [(drip, "sent only"), (stall, "sent nothing for 0.3 seconds")],
    ids=["drips", "stalls"],
)
def test_what_was_given_up_is_received_no_further(tmp_path, server, how, says):
    """And a thread that waits for a server does not keep the program from its end."""
    seen = []
    server.files[FIRST] = lambda handler: seen.extend(receivers()) or how(handler)
    with pytest.raises(DataError, match=f"{FIRST[1:]}; {server.url}: {says}"):
        download(tmp_path, server.url, timeout=0.3)
    assert list(tmp_path.iterdir()) == []
    assert [each.daemon for each in seen] == [True]
    seen[0].join(4)  # to the next piece, or until a socket's time is over
    assert not seen[0].is_alive()
    assert not server.released.is_set()


def test_without_locks_all_is_downloaded_and_nothing_removed(tmp_path, server, monkeypatch):
    left = write(tmp_path / f".{FIRST[1:]}.0000000b.part", b"half")
    with monkeypatch.context() as patch:
        patch.setattr("minigan.lab.download._lock", refuse(errno.ENOLCK))
        download(tmp_path, server.url)
        assert left.exists()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse(errno.EACCES))  # and what may not be removed stays
        assert len(mnist(download(tmp_path, server.url))) == 4
    assert left.exists()


@pytest.mark.skipif(os.name != "posix", reason="locks by flock")
def test_a_download_is_locked_until_it_has_its_name(tmp_path, server, monkeypatch):
    """So that no other process takes it for a leftover; then the lock is gone."""
    dead, replace = [], os.replace

    def watch(partial, path):
        dead.append(_is_dead(Path(partial)))
        replace(partial, path)

    monkeypatch.setattr(os, "replace", watch)
    download(tmp_path, server.url)
    assert dead == [False] * 4
    assert all(_is_dead(path) for path in tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="files have owners")
def test_a_leftover_is_ours_and_either_begun_or_a_minute_old(tmp_path, monkeypatch):
    now = time.time()
    for content, age, dead in ((b"", 40, False), (b"", 80, True), (b"x", 0, True)):
        part = write(tmp_path / "part", content)
        os.utime(part, (now - age, now - age))
        assert _is_dead(part) == dead
    with monkeypatch.context() as patch:  # where users have no numbers, it is ours
        patch.delattr(os, "geteuid")
        assert _is_dead(part)
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    assert not _is_dead(part)
    assert not _is_dead(tmp_path / "nothing")


def test_what_a_server_says_cannot_steer_a_terminal(tmp_path, server):
    def evil(handler):
        handler.send_response(404, "\x1b]0;owned\x07\x1b[2J" + 5000 * "!")
        handler.end_headers()

    server.files[FIRST] = evil
    with pytest.raises(DataError) as error:
        download(tmp_path, server.url)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 500
    assert "owned" in str(error.value)


def test_a_bomb_is_refused_by_its_header(tmp_path, server):
    """11 MB that would become 11 GB."""
    packed = gzip.compress(idx(2**24, 28, 28, content=b""))
    server.files[FIRST] = packed + bytes(13_000_000)
    with (
        memory_below(20_000_000),
        pytest.raises(DataError, match=r"it declares \(16777216, 28"),
    ):
        download(tmp_path, server.url)


def refuse(number):
    def refusing(*_, **__):
        raise OSError(number, os.strerror(number))

    return refusing


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT])
@pytest.mark.parametrize("call", ["os.fsync", "os.replace", "builtins.open"])
def test_a_disk_that_takes_no_more_is_one_sentence(tmp_path, server, monkeypatch, number, call):
    """No mirror is to blame, so no other one is asked."""
    monkeypatch.setattr("minigan.lab.download.MIRRORS", (server.url, server.url))
    with monkeypatch.context() as patch:
        patch.setattr(call, refuse(number))
        with pytest.raises(DataError) as error:
            download(tmp_path, None)
    path = tmp_path / FIRST[1:]
    assert str(error.value) == f"cannot write {path}: {os.strerror(number)}"
    assert list(tmp_path.iterdir()) == []
    assert len(server.asked) <= 1


def test_a_folder_that_vanishes_is_one_sentence(tmp_path, server):
    folder = tmp_path / "folder"

    def vanish(handler):
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        handler.begin(len(content))
        handler.wfile.write(content)

    content, server.files[FIRST] = server.files[FIRST], vanish
    with pytest.raises(DataError, match="^cannot (write|read) .*: No such file or directory$"):
        download(folder, server.url)


KILLED = """
import sys
from minigan.lab import download
for split, kinds in download.MNIST_SHAPE.items():
    kinds["images"], kinds["labels"] = (4, 2, 3), (4,)
download.download_mnist(sys.argv[1], sys.argv[2], 30, progress=False)
"""


def begin_and_wait(folder, server):
    """A process that has begun a download and is waiting for the rest."""

    def stop_half_way(handler):
        handler.begin(100)
        handler.wfile.write(bytes(50))
        handler.wfile.flush()
        handler.server.released.wait(60)

    whole, server.files[FIRST] = server.files[FIRST], stop_half_way
    command = [sys.executable, "-c", KILLED, folder, server.url]
    process = subprocess.Popen(command, env=os.environ | {"no_proxy": "*"})
    until = time.monotonic() + 60
    while not any(path.stat().st_size for path in folder.glob(".*.part")):
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.01)
    server.files[FIRST] = whole
    return process


@pytest.mark.skipif(os.name != "posix", reason="locks by flock")
def test_what_a_killed_download_left_is_removed_and_what_a_live_one_writes_is_not(
    tmp_path, server
):
    process = begin_and_wait(tmp_path, server)
    (alive,) = tmp_path.glob(".*.part")
    download(tmp_path, server.url)
    assert alive.exists()
    process.kill()
    process.wait()
    assert alive.exists()
    download(tmp_path, server.url)  # even though there is nothing to fetch
    assert {path.name for path in tmp_path.iterdir()} == {name[1:] for name in server.files}


def test_other_files_are_not_taken_for_leftovers(tmp_path, server):
    name = FIRST[1:]
    others = [
        f".{name}.part",
        f"{name}.12345678.part",
        f".{name}.1234567.part",
        f".{name}.x.part",
    ]
    others += [f".{name}.mine.12345678.part", f".{name}.12345678.part.bak"]
    others += [".t10k.12345678.part", f".x{name}.12345678.part"]
    for other in others:
        write(tmp_path / other, b"mine")
    fresh = write(tmp_path / f".{name}.0000000a.part", b"")  # of a download that now begins
    dead = write(tmp_path / f".{name}.0000000b.part", b"half")
    old = write(tmp_path / f".{name}.0000000c.part", b"")
    os.utime(old, (0, 0))
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / f".{name}.0000000d.part")
    download(tmp_path, server.url)
    assert all((tmp_path / other).exists() for other in others)
    assert fresh.exists()
    if os.name == "posix":
        assert not dead.exists()
        assert not old.exists()


def test_downloads_into_one_folder_at_a_time_do_not_meet(tmp_path, server):
    threads = [threading.Thread(target=download, args=(tmp_path, server.url)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {path.name for path in tmp_path.iterdir()} == {name[1:] for name in server.files}
    assert len(mnist(tmp_path)) == 4


@pytest.mark.parametrize("timeout", [0, -1, np.nan, "soon", None])
def test_a_time_to_wait_is_a_positive_number(tmp_path, timeout):
    with pytest.raises(DataError, match="^timeout: expected a .*number, got "):
        download_mnist(tmp_path, "http://127.0.0.1:1/", timeout)


# --- where things are kept


@pytest.fixture
def nobody(monkeypatch):
    """A process without HOME, of a user whose number no list has."""
    for name in ("HOME", "USERPROFILE", "MINIGAN_DATA", "MINIGAN_CACHE"):
        monkeypatch.delenv(name, raising=False)
    if "posix" in os.name:
        pwd = pytest.importorskip("pwd")

        def unknown(_):
            raise KeyError("uid not found")

        monkeypatch.setattr(pwd, "getpwuid", unknown)


def test_without_a_home_nothing_is_cached_and_mnist_is_with_the_temporary_files(nobody):
    assert cache_folder() is None
    assert mnist_folder() == Path(tempfile.gettempdir()) / "minigan-mnist"
    assert load("mnist5k").source.held_out(9) is None or mnist_folder().exists()


def test_without_a_home_and_a_temporary_folder_a_sentence_says_what_to_set(nobody, monkeypatch):
    def none():
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    with pytest.raises(DataError, match="no home to keep MNIST in; set MINIGAN_DATA"):
        load("mnist")


def test_without_a_home_mnist_is_still_loaded_and_downloaded(
    nobody, tmp_path, server, monkeypatch
):
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    assert download(None, server.url) == tmp_path / "minigan-mnist"
    assert len(load("mnist")) == 4


def test_the_cache_holds_mnist_unless_it_has_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MINIGAN_DATA", raising=False)
    assert cache_folder() == tmp_path / "cache"
    assert mnist_folder() == tmp_path / "cache" / "mnist"
    monkeypatch.setenv("MINIGAN_DATA", "~/mine")
    assert mnist_folder() == Path.home() / "mine"
    monkeypatch.setenv("MINIGAN_CACHE", "~/kept")
    assert cache_folder() == Path.home() / "kept"
    monkeypatch.setenv("MINIGAN_CACHE", "~no-such-user/kept")
    assert cache_folder() is None


@pytest.mark.parametrize("name", ["HOME", "MINIGAN_DATA"])
def test_a_folder_that_is_not_there_is_a_sentence(tmp_path, monkeypatch, name):
    monkeypatch.delenv("MINIGAN_DATA", raising=False)
    monkeypatch.delenv("MINIGAN_CACHE", raising=False)
    monkeypatch.setenv(name, str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match="nowhere.* does not hold both"):
        load("mnist")


# --- mixtures


def test_the_modes_are_where_the_protocol_puts_them():
    assert ring_modes() == pytest.approx(
        np.exp(2j * np.pi * np.arange(8) / 8).view(float).reshape(8, 2)
    )
    assert ring_modes(3, radius=2.0)[0].tolist() == [2, 0]
    assert grid_modes().tolist() == [[i, j] for i in range(-4, 5, 2) for j in range(-4, 5, 2)]


@pytest.mark.parametrize(
    ("name", "mixture", "modes", "std"),
    [("ring", ring, ring_modes(), 0.01), ("grid", grid, grid_modes(), 0.05)],
)
def test_a_mixture_has_equal_modes_of_the_stated_spread(name, mixture, modes, std):
    """Counts within five standard deviations of a fair multinomial's."""
    data = mixture(20_000)
    assert (data.source.unseen, data.source.held_out(3).name) == ("newly drawn points", name)
    counts, p = np.bincount(data.labels), 1 / len(modes)
    assert len(counts) == len(modes)
    assert np.abs(counts - 20_000 * p).max() < 5 * np.sqrt(20_000 * p * (1 - p))
    offset = data.x - modes[data.labels]
    assert offset.std(axis=0) == pytest.approx([std, std], rel=0.03)
    assert np.abs(offset.mean(axis=0)).max() < 5 * std / np.sqrt(20_000)
    assert abs(np.corrcoef(offset.T)[0, 1]) < 5 / np.sqrt(20_000)
    assert data.image_shape is None


def test_a_mixture_is_a_function_of_its_seed():
    assert np.array_equal(ring(50, seed=1).x, ring(50, seed=1).x)
    assert not np.array_equal(ring(50, seed=1).x, ring(50, seed=2).x)
    for function, name in ((ring, "ring"), (grid, "grid")):
        data = load(name)
        assert (data.name, len(data)) == (name, 100_000)
        assert data.source.std == {"ring": 0.01, "grid": 0.05}[name]
        assert np.array_equal(function(50, seed=0).x, function(50).x)
        assert not np.array_equal(function(50, seed=1).x, function(50).x)
    assert np.linalg.norm(ring(50, radius=3.0, std=0.0, modes=4).x, axis=1) == pytest.approx(3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"n": 0},
        {"n": 2.5},
        {"modes": 0},
        {"modes": 10**6 + 1},
        {"seed": -1},
        {"std": -0.1},
        {"std": np.inf},
        {"radius": np.inf},
    ],
)
def test_a_mixture_of_nothing_is_refused(wrong):
    with pytest.raises(DataError, match=f"^{next(iter(wrong))}: "):
        ring(**wrong)


def test_a_mixture_that_no_memory_holds_is_refused(monkeypatch):
    with pytest.raises(MiniganError, match="ring: 1000000000000000 points would take"):
        ring(10**15)
    monkeypatch.setattr("minigan.arrays._memory", lambda: 640)
    assert len(grid(10)) == 10
    with pytest.raises(MiniganError, match="grid: 11 points would take"):
        grid(11)


def test_a_mixture_may_have_one_mode_without_spread():
    assert ring(9, modes=1, std=0).x.tolist() == [[1, 0]] * 9


def test_a_few_points_have_the_classes_of_all():
    assert ring(1).n_classes == 8
    assert grid(2).n_classes == 25


# --- batches


def numbered(n):
    """Row i holds i and -i, its label is n - 1 - i."""
    i = np.arange(n)
    return Dataset(np.stack([i, -i], axis=1), n - 1 - i)


@st.composite
def runs(draw):
    n = draw(st.integers(1, 40))
    return n, draw(st.integers(1, n)), draw(st.integers(0, 2**64))


def rows_of(batches, count):
    """The numbers of the rows in the next `count` batches, checked against their labels."""
    taken = []
    for x, labels in itertools.islice(batches, count):
        assert x.shape == (batches.batch_size, 2)
        assert (x[:, 1] == -x[:, 0]).all()
        assert (labels == batches.n - 1 - x[:, 0]).all()
        taken += x[:, 0].astype(int).tolist()
    return taken


@given(runs())
def test_every_row_comes_once_per_epoch_with_its_label(run):
    n, m, seed = run
    taken = rows_of(Batches(numbered(n), m, seed), -(-4 * n // m))
    for start in range(0, 4 * n, n):
        assert sorted(taken[start : start + n]) == list(range(n))


@given(runs(), st.integers(0, 200))
def test_resuming_at_any_row_goes_on_as_if_never_stopped(run, rows):
    n, m, seed = run
    one_by_one = rows_of(Batches(numbered(n), 1, seed), rows + 3 * m)
    resumed = Batches(numbered(n), m, seed, rows)
    assert rows_of(resumed, 3) == one_by_one[rows:]
    assert resumed.rows == rows + 3 * m
    resumed.rows = rows
    assert rows_of(resumed, 3) == one_by_one[rows:]


def test_the_order_is_the_documented_one():
    batches = Batches(numbered(10), 4, seed=3)
    streams = [stream(3, "order of the rows", epoch) for epoch in (0, 1)]
    order = [rng.permutation(10).tolist() for rng in streams]
    assert rows_of(batches, 5) == order[0] + order[1]
    assert order[0] != order[1]
    first = stream(0, "order of the rows", 0).permutation(10).tolist()
    assert rows_of(Batches(numbered(10), 10), 1) == first


def test_another_seed_is_another_order():
    assert rows_of(Batches(numbered(40), 40, 0), 1) != rows_of(Batches(numbered(40), 40, 1), 1)


def test_batches_are_gathered_on_the_device_of_the_data(lib):
    here = Batches(numbered(7), 3, seed=1)
    there = Batches(numbered(7), 3, seed=1, to=lib.array)
    for (x, labels), (x2, labels2) in itertools.islice(zip(here, there), 5):
        assert type(x2) is type(lib.array(x))
        assert np.array_equal(to_numpy(x2), x)
        assert np.array_equal(to_numpy(labels2), labels)


def test_a_cast_is_done_once_and_reaches_every_batch():
    calls = []
    batches = Batches(numbered(5), 2, to=lambda a: calls.append(a) or a.astype(np.float64))
    x, labels = [next(batches) for _ in range(9)][-1]
    assert x.dtype == labels.dtype == np.float64
    assert len(calls) == 2


def test_points_without_labels_come_with_none():
    calls = []
    x, labels = next(Batches(np.eye(3), 2, to=lambda a: calls.append(a) or a + 1))
    assert x.shape == (2, 3)
    assert x.min() == 1
    assert labels is None
    assert len(calls) == 1


def test_a_batch_is_a_copy():
    data = numbered(3)
    next(Batches(data, 3))[0][:] = 0
    assert data.x.any()


@pytest.mark.parametrize("size", [0, -1, 11, 2.0, "2", None, True, np.nan])
def test_a_batch_of_no_rows_or_of_more_than_there_are_is_refused(size):
    with pytest.raises(DataError, match="^batch_size: expected a .*number.*, got "):
        Batches(numbered(10), size)


@pytest.mark.parametrize("name", ["seed", "rows"])
@pytest.mark.parametrize("wrong", [-1, 0.5, "1", None, [1]])
def test_a_seed_or_position_is_a_whole_number_from_0(name, wrong):
    with pytest.raises(DataError, match=f"^{name}: "):
        Batches(numbered(10), 2, **{name: wrong})


def test_numpys_integers_are_whole_numbers():
    batches = Batches(numbered(10), np.int32(4), np.uint8(3), np.int64(4))
    assert rows_of(batches, 2) == rows_of(Batches(numbered(10), 4, 3, 4), 2)
    assert {type(n) for n in (batches.batch_size, batches.seed, batches.rows)} == {int}
