"""Your own data: ten data sets of ten layouts are trained on and measured from one line each,
many bad ones are refused in one sentence each, and pixels are where they belong."""

import contextlib
import gzip
import io
import json
import os
import shutil
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import minigan
from minigan import DataError, Dataset, fast, load
from minigan.lab import images, own, plots, tables
from minigan.lab import npy as npy_module
from minigan.lab.cli import main
from minigan.lab.loaders import identify, short_label
from minigan.lab.own import partner
from minigan.lab.source import part_of

TINY = ("--G-hidden", "4", "--D-hidden", "5", "--n-noise", "3")


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fast, "njit", None)
    monkeypatch.setattr(plots, "losses_png", lambda log, guides: b"drawn")
    return tmp_path


@pytest.fixture
def ok(capsys):
    def command(line, *more):
        capsys.readouterr()
        status = main([*line.split(), *map(str, more)])
        out, said = capsys.readouterr()
        assert (status, said) == (0, "")
        return out

    return command


@pytest.fixture
def refused(capsys):
    def command(line, says):
        capsys.readouterr()
        status = main(line.split())
        out, said = capsys.readouterr()
        assert (status, out, said.count("\n")) == (2, "", 1)
        assert says in said

    return command


def pixels(*shape, seed=0):
    return np.random.default_rng(seed).integers(256, size=shape).astype(np.uint8)


def image(path, array, **options):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = array if isinstance(array, Image.Image) else Image.fromarray(array)
    picture.save(path, **options)
    return path


def text(path, content):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(content if isinstance(content, bytes) else content.encode())


def table(n, d, header=None, labels=None, of=None):
    rows = np.random.default_rng(0).integers(256, size=(n, d)) if of is None else of
    lines = [",".join(map(str, row)) for row in rows.tolist()]
    if labels:
        lines = [f"{labels[i % len(labels)]},{line}" for i, line in enumerate(lines)]
    return "\n".join([*([header] if header else []), *lines]) + "\n"


def idx(array):
    return (
        struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()
    )


# ---- ten data sets, one line each ----


def photos(place):
    """Of several sizes, in several formats, in three classes with names."""
    for k, name in enumerate(("cat", "dog", "école")):
        for i in range(10):
            suffix = ("png", "jpg", "bmp", "gif", "webp")[i % 5]
            image(place / name / f"{i}.{suffix}", pixels(20 + i, 30 - k, 3, seed=i))
    text(place / "cat" / "Thumbs.db", b"x")
    text(place / ".DS_Store", b"x")
    text(place / "cat" / "._0.png", b"x")


def flat(place):
    for i in range(25):
        image(place / f"{i}.png", pixels(8, 9, seed=i))


def split_folders(place):
    for part, n in (("train", 12), ("test", 10)):
        for digit in "37":
            for i in range(n):
                image(place / "mnist_png" / part / digit / f"{i}.png", pixels(6, 6, seed=i))


def kuzushiji(place):
    """kmnist-train-imgs.npz and its kin, each with a single arr_0."""
    place.mkdir()
    for part, n in (("train", 30), ("test", 20)):
        np.savez_compressed(place / f"kmnist-{part}-imgs.npz", pixels(n, 28, 28))
        np.savez_compressed(place / f"kmnist-{part}-labels.npz", np.arange(n) % 3)
    text(place / "kmnist_classmap.csv", "index,codepoint,char\n0,U+304A,お\n")


def keras(place):
    place.mkdir()
    arrays = {"x_train": pixels(30, 8, 8), "y_train": np.arange(30) % 4}
    np.savez(place / "mnist.npz", **arrays, x_test=pixels(20, 8, 8), y_test=np.arange(20) % 4)


def medmnist(place):
    place.mkdir()
    arrays = {}
    for part, n in (("train", 30), ("val", 10), ("test", 20)):
        arrays[f"{part}_images"] = pixels(n, 7, 7, 3)
        arrays[f"{part}_labels"] = np.arange(n)[:, None].astype(np.uint8) % 2
    np.savez(place / "pathmnist.npz", **arrays)


def quickdraw(place):
    place.mkdir()
    np.save(place / "cat.npy", pixels(40, 784))


def kaggle(place):
    header = "label," + ",".join(f"pixel{i}" for i in range(64))
    text(place / "digits_train.csv", table(30, 64, header, [1, 2, 5]))
    text(place / "digits_test.csv", table(20, 64, header, [1, 2, 5]))


def iris(place):
    names = ["Iris-setosa", "Iris-virginica"]
    rows = np.random.default_rng(0).random((40, 4)).round(1)
    lines = [",".join([*map(str, row), names[i % 2]]) for i, row in enumerate(rows)]
    text(place / "iris.data", "\n".join(lines) + "\n\n")


def any_idx(place):
    place.mkdir()
    (place / "shapes.idx").write_bytes(idx(pixels(30, 5, 4)))
    (place / "kinds").write_bytes(gzip.compress(idx(np.arange(30, dtype="u1") % 3)))


TEN = {  # how it is made: options, what is told of it, what its samples are compared with
    photos: ("--size 12", "30 images of 12 x 12 in colour, the 3 classes cat, dog, école", ""),
    flat: ("", "25 images of 8 x 9, no labels", ""),
    split_folders: ("", "24 images of 6 x 6, the 2 classes 3, 7", "20 test images"),
    kuzushiji: ("", "30 images of 28 x 28, the 3 classes 0 to 2", "20 test rows"),
    keras: ("", "30 images of 8 x 8, the 4 classes 0 to 3", "20 test rows"),
    medmnist: ("", "30 images of 7 x 7 in colour, the 2 classes 0 to 1", "20 test rows"),
    quickdraw: ("", "40 images of 28 x 28, no labels", ""),
    kaggle: ("", "30 images of 8 x 8, the 3 classes 1, 2, 5", "20 test rows"),
    iris: ("", "40 points of 4 columns, the 2 classes Iris-setosa, Iris-virginica", ""),
    any_idx: ("", "30 images of 5 x 4, the 3 classes 0 to 2", ""),
}


@pytest.mark.parametrize("make", TEN, ids=lambda make: make.__name__)
def test_ten_data_sets_train_and_are_measured_from_one_line_each(ok, place, make):
    make(place / "mine")
    options, told, unseen = TEN[make]
    game = "gan" if "no labels" in told else "cgan"
    out = ok(f"train {game} --data mine {options} --steps 2 --out run", *TINY)
    assert out.splitlines()[0].endswith(f": {told}")
    report = (place / "run/report.html").read_bytes()
    config = json.loads((place / "run/config.json").read_text())
    assert os.path.isabs(config["data"])
    os.chdir("/")
    out = ok("evaluate", place / "run")
    assert f"samples against {unseen}" in out
    for name in ("samples.png", "film.gif", "report.html"):
        assert (place / "run" / name).stat().st_size
    for name in config["class_names"]:
        assert json.dumps(name)[1:-1].encode() in report
    os.chdir(place)
    shutil.move("mine", "moved")
    ok(f"train {game} --resume --out run --data moved --steps 3 --quiet")
    shutil.move("moved", "again")
    ok("evaluate run --data again")


def test_many_classes_are_told_in_part_and_what_looks_like_pictures_too(capsys, place, ok):
    words = [f"kind {letter}" for letter in "abcdefghijk"]
    text("x.csv", table(1210, 1, "label,a", words))
    assert main(["train", "gan", "--data", "x.csv", "--steps", "1", "--out", "a"]) == 0
    told = "x: 1,210 points of 1 column, the 11 classes " + ", ".join(words[:10]) + ", ..."
    assert capsys.readouterr().out.splitlines()[0] == told
    text("flat.csv", table(4, 64, of=np.full((4, 64), 0.5)))
    assert main(["train", "gan", "--data", "flat.csv", "--steps", "1", "--out", "b"]) == 0
    told = [
        "flat: 4 points of 64 columns, no labels",
        "taken for points; --size 8 sees pictures in them",
    ]
    assert capsys.readouterr().out.splitlines()[:2] == told
    config = json.loads((place / "b/config.json").read_text())
    assert config["parameters"]["shift"] == 0.5
    assert config["parameters"]["scale"] == 1.0  # the rows are all the same
    assert ok("train gan --data flat.csv --steps 1 --out c --quiet") == ""


# ---- what is refused, in one sentence each ----


def png_declaring(width, height, content=b"\0" * 100):
    """A PNG whose header declares any size."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))]
    chunks += [(b"IDAT", zlib.compress(content)), (b"IEND", b"")]
    packed = b"\x89PNG\r\n\x1a\n"
    for kind, body in chunks:
        sum_of_it = struct.pack(">I", zlib.crc32(kind + body))
        packed += struct.pack(">I", len(body)) + kind + body + sum_of_it
    return packed


def npz(path, **members):
    """An archive of files that may say anything."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)


def npy(array):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=array.dtype == object)
    return file.getvalue()


def header(descr, shape):
    head = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode() + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head


def truncated(place):
    whole = image(place / "a/whole.png", pixels(20, 20, 3)).read_bytes()
    text(place / "m/a.png", whole[:300])


def two_sizes(place):
    image(place / "m/a.png", pixels(9, 8))
    image(place / "m/b.png", pixels(8, 9))


def beside(place):
    image(place / "m/a.png", pixels(9, 8))
    image(place / "m/cat/b.png", pixels(9, 8))


def beside_splits(place):
    for name in ("train/a", "test/a", "b"):
        image(place / f"m/{name}.png", pixels(9, 8))


def pipe(place):
    (place / "m").mkdir()
    os.mkfifo(place / "m/a.png")


def dangling(place):
    (place / "m").mkdir()
    (place / "m/a.png").symlink_to("nowhere")


def two_files(place):
    for name in ("a.npy", "b.npy"):
        text(place / "m" / name, npy(np.ones((3, 2))))


def many_files(place):
    for name in "abcde":
        text(place / "m" / f"{name}.npy", npy(np.ones((3, 2))))


def many_others(place):
    for name in ("a.svg", "b\n.svg", "d.svg", "e.svg"):
        text(place / "m" / name, "<svg/>")
    (place / "m" / "c").mkdir()


def bzipped(place):
    (place / "m").mkdir()
    with zipfile.ZipFile(place / "m/x.npz", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("x.npy", npy(np.ones((3, 2))))


def labels_apart(place):
    text(place / "m/train-imgs.npy", npy(pixels(30, 8, 8)))
    text(place / "m/train-labels.npy", npy(np.arange(29)))


class Trap:
    """Runs a program when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("opened",)


def pickled():
    array = np.empty(2, dtype=object)
    array[:] = [Trap(), Trap()]
    return npy(array)


OBJECTS = "holds pickled Python objects, which minigan never runs; save numbers"
BAD = {
    "an empty image": (
        lambda p: text(p / "m/a.png", b""),
        "an empty file; expected an ",
    ),
    "no image": (
        lambda p: text(p / "m/a.jpg", b"<html>"),
        "m/a.jpg: truncated, or not ",
    ),
    "a truncated image": (truncated, "m/a.png: truncated, or not an image in PNG, JPEG, BMP, "),
    "a bomb": (
        lambda p: text(p / "m/a.png", png_declaring(12_000, 12_000)),
        "m/a.png: an image of 12000 x 12000; images of more than 128 x 128 are too large",
    ),
    "a larger bomb": (
        lambda p: text(p / "m/a.png", png_declaring(2**31 - 1, 2**31 - 1)),
        "m/a.png: truncated, or not an image in PNG",
    ),
    "an SVG": (
        lambda p: text(p / "m/a.svg", "<svg/>"),
        "m holds a.svg; minigan reads ",
    ),
    "images of two sizes": (
        two_sizes,
        "m/b.png: an image of 8 x 9, a.png of 9 x 8; --size 8 crops and scales them all",
    ),
    "a large image": (
        lambda p: image(p / "m/a.png", pixels(200, 300)),
        "of 200 x 300; ",
    ),
    "images beside classes": (
        beside,
        "such as a.png beside subfolders such as cat/",
    ),
    "images beside train and test": (
        beside_splits,
        "such as b.png beside subfolders such as test/",
    ),
    "a quotation without an end": (
        lambda p: text(p / "m/x.csv", '1,"' + "2" * 140_000 + "\n"),
        "m/x.csv: truncated, or not a table of numbers (Error: field larger than ",
    ),
    "a pipe": (pipe, "m/a.png: expected a file, this is something else"),
    "a dangling link": (dangling, "cannot read /place/m/a.png: No such file or directory"),
    "nothing": (
        lambda p: (p / "m").mkdir(),
        "m holds nothing; minigan reads ",
    ),
    "two files": (two_files, "m holds a.npy, b.npy; choose one, as in /place/m/a.npy"),
    "many files": (
        many_files,
        "m holds a.npy, b.npy, c.npy, d.npy, …; choose one, as in /place/m/a.npy",
    ),
    "many others": (many_others, "m holds a.svg, b .svg, c/, d.svg, …; minigan reads images ("),
    "packed by bzip2": (bzipped, "m/x.npz: x: packed in a way that is not NumPy's"),
    "another magic": (
        lambda p: text(p / "m/x.npy", b"\x93NumPy\1\0"),
        "m/x.npy: expected NumPy's b'\\x93NUMPY', got b'\\x93NumPy'",
    ),
    "a long header": (
        lambda p: text(p / "m/x.npy", header("<f8", (1,) * 4000)),
        "m/x.npy: declares a header of 12052 bytes; at most 10000",
    ),
    "a negative shape": (
        lambda p: text(p / "m/x.npy", header("<f8", (-3, -3)) + bytes(72)),
        "m/x.npy: declares the shape (-3, -3)",
    ),
    "many arrays": (
        lambda p: npz(p / "m/x.npz", **{name: npy(np.ones(2)) for name in "abcdefg"}),
        "e (2,) of float64, f (2,) of float64, …; expected one array, or x (images, x_train, ",
    ),
    "dim pixels": (
        lambda p: text(p / "m/x.npy", npy(np.full((2, 8, 8), 63))),
        "got 63 to 63; save x / 63",
    ),
    "bright pixels": (
        lambda p: text(p / "m/x.npy", npy(np.full((2, 8, 8), 256))),
        "got 256 to 256; save x / 256",
    ),
    "labels between numbers": (
        lambda p: npz(p / "m/x.npz", x=npy(np.ones((2, 3))), y=npy(np.array([0.5, 1]))),
        "m/x.npz: expected whole numbers or words as labels, got float64",
    ),
    "two columns of labels": (
        lambda p: text(p / "m/x.csv", "label,a,Class\n1,2,3\n"),
        "m/x.csv: two columns are called label, Class",
    ),
    "words without a header": (
        lambda p: text(p / "m/x.csv", f"A,B,3\nC{'d' * 50},D,4\n"),
        f"m/x.csv: its columns C{'d' * 39}, D hold words; expected numbers",
    ),
    "a long label": (
        lambda p: text(p / "m/x.csv", f"label,a\n{'b' * 100},2\n{'b' * 101},2\n"),
        "m/x.csv: line 3: a label of more than 100 characters",
    ),
    "other labels": (
        labels_apart,
        "labels.npy: expected one label for each of 30 rows",
    ),
    "pickled objects": (lambda p: text(p / "m/x.npy", pickled()), f"m/x.npy: {OBJECTS}"),
    "in an archive": (lambda p: npz(p / "m/x.npz", x=pickled()), f"m/x.npz: x: {OBJECTS}"),
    "unclear arrays": (
        lambda p: npz(p / "m/x.npz", a=npy(np.ones((2, 3))), b=npy(np.ones(2))),
        "m/x.npz: holds a (2, 3) of float64, b (2,) of float64; expected one array, or x (",
    ),
    "no array": (lambda p: npz(p / "m/x.npz"), "m/x.npz: holds no array; expected one array"),
    "a truncated array": (
        lambda p: text(p / "m/x.npy", npy(np.ones((9, 9)))[:-1]),
        "m/x.npy: declares (9, 9) of float64, 648 bytes, but holds 647",
    ),
    "an array that is too large": (
        lambda p: text(p / "m/x.npy", header("<f8", (10**9, 10**9))),
        "m/x.npy: declares (1000000000, 1000000000) of float64, 8000000000000000000 bytes",
    ),
    "a bomb of zeros": (
        lambda p: npz(p / "m/x.npz", x=header("<f8", (10**7, 8)) + bytes(2**20)),
        "m/x.npz: x: declares (10000000, 8) of float64, 640000000 bytes, ",
    ),
    "complex numbers": (
        lambda p: text(p / "m/x.npy", npy(np.ones((3, 2)) * 1j)),
        "m/x.npy: expected an array of real numbers, got (3, 2) of complex128",
    ),
    "words": (
        lambda p: text(p / "m/x.npy", npy(np.array([["a"]]))),
        "m/x.npy: expected real numbers, got (1, 1) of <U1",
    ),
    "one number": (
        lambda p: text(p / "m/x.npy", npy(np.array(3))),
        "x.npy: expected rows (n",
    ),
    "no rows": (
        lambda p: text(p / "m/x.npy", npy(np.ones((0, 3)))),
        "x.npy: expected rows (n",
    ),
    "large pictures": (
        lambda p: text(p / "m/x.npy", npy(pixels(2, 200, 90))),
        "m/x.npy: holds pictures of 200 x 90; those of more than 128 x 128 are too large ",
    ),
    "five axes": (
        lambda p: text(p / "m/x.npy", npy(np.ones((2,) * 5))),
        "x.npy: expected rows (n, d), pictures (n, height, width) or (n, height, width, 3)",
    ),
    "dark pixels": (
        lambda p: text(p / "m/x.npy", npy(np.arange(17.0 * 64).reshape(-1, 8, 8) % 17)),
        "m/x.npy: expected pixels from 0 to 1 or from 0 to 255, got 0 to 16; save x / 16",
    ),
    "pixels about zero": (
        lambda p: text(p / "m/x.npy", npy(np.linspace(-1, 1, 128).reshape(2, 8, 8))),
        "m/x.npy: expected pixels from 0 to 1 or from 0 to 255, got -1 to 1; save (x - -1) / 2",
    ),
    "NaN": (
        lambda p: text(p / "m/x.npy", npy(np.full((4, 2), np.nan))),
        "m/x.npy: x: expected finite float32 numbers, got nan at [0, 0]",
    ),
    "NaN in pictures": (
        lambda p: text(p / "m/x.npy", npy(np.full((4, 2, 2), np.nan))),
        "m/x.npy: expected finite pixels, got nan at [0, 0, 0]",
    ),
    "five colours": (
        lambda p: text(p / "m/x.npy", npy(np.ones((2, 4, 4, 5)))),
        "m/x.npy: expected 1, 3 or 4 colours, got shape (2, 4, 4, 5)",
    ),
    "a cell of words": (
        lambda p: text(p / "m/x.csv", "a,b\n1,2\n3,four\n"),
        "m/x.csv: line 3: expected a number, got 'four'",
    ),
    "an empty cell": (
        lambda p: text(p / "m/x.csv", "a,b\n1,2\n3,\n"),
        "m/x.csv: line 3: a number is missing; leave such rows out",
    ),
    "unequal lines": (
        lambda p: text(p / "m/x.csv", "1,2\n3,4\n5\n"),
        "m/x.csv: line 3: expected 2 cells as above, got 1",
    ),
    "an empty table": (
        lambda p: text(p / "m/x.csv", ""),
        "m/x.csv: it is empty; expected ",
    ),
    "a header alone": (
        lambda p: text(p / "m/x.csv", "a,b\n"),
        "m/x.csv: it has a header and",
    ),
    "labels alone": (
        lambda p: text(p / "m/x.csv", "label\n1\n2\n"),
        "m/x.csv: it has labels and no numbers",
    ),
    "two columns of words": (
        lambda p: text(p / "m/x.csv", "name,city,age\nA,B,3\n"),
        "m/x.csv: its columns name, city hold words; expected numbers, and at most one column",
    ),
    "thousands": (
        lambda p: text(p / "m/x.csv", "a;b\n1,5;2,5\n3,5;4.000,5\n"),
        "m/x.csv: line 3: expected a number, got '4.000.5'",
    ),
    "a table that is none": (
        lambda p: text(p / "m/x.csv", bytes(range(128, 256))),
        "m/x.csv: not a table of numbers: its bytes are no text in UTF-8",
    ),
    "a missing label": (
        lambda p: text(p / "m/x.csv", "label,a\n1,2\n,2\n"),
        "m/x.csv: line 3: the label is missing",
    ),
    "an infinite number": (
        lambda p: text(p / "m/x.csv", "a,b\n1,2\n1e99,2\n"),
        "m/x.csv: x: expected finite float32 numbers, got inf at [1, 0]",
    ),
}
NAMED = {  # a file that is given by its own name
    "a pickle": ("a.pkl", b"\x80\4K\1.", "a pickle, which may run programs and is not opened"),
    "a zip": ("a.zip", b"PK\3\4rest", "a zip archive; unpack it, and give the folder"),
    "one image": ("a.png", png_declaring(3, 3), "one image; give the folder that holds many"),
    "gzip": (
        "a.gz",
        gzip.compress(b"text"),
        "packed with gzip and holds no IDX file; ",
    ),
    "a film": ("a.mp4", b"\0\0\0 ftyp", "not of a kind that minigan reads: images (PNG, "),
    "nothing at all": ("a", b"", "not of a kind that minigan reads: images (PNG, "),
    "HDF5": ("a.h5", b"\x89HDF\r\n", "an HDF5 file; save its arrays with numpy.savez"),
    "labels": ("a.npz", npy(np.ones((2, 2))), "truncated, or not an .npz file of NumPy ("),
}


def said_of(place, path, **options):
    """The one sentence with which data are refused."""
    with pytest.raises(DataError) as error:
        load(path, **options)
    said = str(error.value)
    assert "\n" not in said
    return said.replace(str(place.resolve()), "/place")


@pytest.mark.parametrize("case", BAD)
def test_bad_data_are_refused_in_one_sentence_that_names_them(place, refused, case):
    make, says = BAD[case]
    make(place)
    assert says in said_of(place, place / "m")
    refused("train gan --data m", says=says.replace("/place", str(place.resolve())))
    assert not (place / "runs").exists()
    assert not (place / "opened").exists()


@pytest.mark.parametrize("case", NAMED)
def test_a_file_of_another_kind_is_told_what_it_is(place, case):
    name, content, says = NAMED[case]
    text(place / name, content)
    assert f"/place/{name}: {says}" in said_of(place, name)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"size": 1}, "size: expected a number in [2, 128], got 1"),
        ({"size": (3, 4, 5)}, "size: expected one number, or height and width, got [3, 4, 5]"),
        ({"size": "28"}, "size: expected a whole number, got '2'"),
        ({"grey": "yes"}, "grey: expected True, False or None, got 'yes'"),
        ({"background": "grey"}, "background: expected white or black, got 'grey'"),
        (
            {"size": 9},
            "m/x.npy: size: a row has 64 numbers, not 9 x 9 or 9 x 9 x 3; --size 8 ",
        ),
        ({"size": 9, "n": 63}, "not 9 x 9 or 9 x 9 x 3; leave the size out"),
    ],
)
def test_wrong_options_are_refused(place, options, says):
    text(place / "m/x.npy", npy(pixels(9, options.pop("n", 64))))
    assert says in said_of(place, "m", **options)


def test_images_that_are_too_many_or_too_large_to_unpack_are_refused(place, monkeypatch):
    text(place / "m/a.png", png_declaring(6000, 6000))
    says = "m/a.png: an image of 6000 x 6000; expected at most 33,554,432 pixels"
    assert says in said_of(place, "m", size=28)
    for name, shape in (("a", (128, 30)), ("b", (40, 128))):
        image(place / f"m/{name}.png", pixels(*shape))
    assert "--size 28 crops and scales them all" in said_of(place, "m")
    assert load("m", size=28).image_shape == (28, 28)
    monkeypatch.setattr(images, "MOST_FILES", 2)
    assert len(load("m", size=28)) == 2
    image(place / "m/c.png", pixels(30, 30))
    assert said_of(place, "m", size=28) == "data: /place/m holds more than 2 images"


def test_what_the_memory_or_the_system_refuses_is_one_sentence(place, monkeypatch):
    text("x.npy", npy(np.ones((3, 2))))
    image("m/a.png", pixels(3, 3))

    def fails(error):
        def call(*_):
            raise error

        return call

    monkeypatch.setattr(npy_module, "read_array", fails(MemoryError()))
    assert said_of(place, "x.npy") == "/place/x.npy: there is not enough memory to read it"
    monkeypatch.setattr(npy_module, "read_array", fails(ValueError("long " * 99)))
    assert said_of(place, "x.npy").endswith(f" (ValueError: {('long ' * 99)[:188]})")
    monkeypatch.setattr(os, "scandir", fails(PermissionError(13, "Permission denied")))
    assert said_of(place, "m") == "data: cannot read the folder /place/m: Permission denied"


def test_options_for_data_of_ones_own_are_refused_elsewhere(place):
    text(place / "m/x.npy", npy(np.ones((9, 3))))
    assert "are for data of your own, not for ring" in said_of(place, "ring", size=8)
    assert "m/x.npy: holds points, which have no size and no colour" in said_of(
        place, "m", grey=True
    )
    assert "expected a name or a path, got an array" in said_of(place, np.ones((3, 4)))


def test_labels_in_the_place_of_pictures_are_refused(place):
    kuzushiji(place / "m")
    said = said_of(place, "m/kmnist-train-labels.npz")
    assert said.endswith("holds labels; give the file kmnist-train-imgs.npz beside it")


def test_a_run_keeps_how_its_data_were_read(place, ok, refused):
    photos(place / "m")
    ok("train gan --data m --size 9 8 --grey --steps 1 --quiet --out r", *TINY)
    config = json.loads((place / "r/config.json").read_text())
    assert (config["size"], config["grey"], config["image_shape"]) == ([9, 8], True, [9, 8])
    assert "--size 9 8 --grey" in (place / "r/report.html").read_text()
    ok("train gan --data m --resume --size 9 8 --grey --steps 2 --quiet --out r")
    for option, says in (
        ("--no-grey", "was begun with grey = True, not False"),
        ("--size 9", "was begun with size = (9, 8), not (9,)"),
        ("--background black", "was begun with background = white, not black"),
    ):
        refused(f"train gan --data m --resume {option} --out r", says)
    image(place / "m/cat/0.png", pixels(20, 20, 3, seed=99))
    refused("evaluate r", "does not hold the rows that the run was begun with; --data names")


def test_small_data_set_their_own_batches(place, ok):
    flat(place / "m")
    ok("train gan --data m --steps 1 --quiet --out r", *TINY)
    assert json.loads((place / "r/config.json").read_text())["batch_size"] == 25
    assert "--batch-size 25" in (place / "r/report.html").read_text()


def test_samples_are_asked_for_by_the_names_of_classes(place, ok, refused):
    photos(place / "m")
    ok("train cgan --data m --size 8 --steps 1 --quiet --out r", *TINY)
    ok("sample r -o x.npz --labels école cat 1")
    with np.load("x.npz") as found:
        assert found["labels"].tolist() == [2, 0, 1]
        assert found["x"].shape == (3, 8 * 8 * 3)
    ok("sample r -n 4 -o x.png")
    with Image.open("x.png") as picture:
        assert (picture.mode, picture.size) == ("RGB", (80, 20))
    refused("sample r -o y.npz --labels bird", "classes of the run, cat, dog, école, got bird")
    assert "share of class" not in ok("evaluate r")


# ---- every pixel in its place ----


def only(folder, **options):
    """The one image in a folder, as numbers from 0 to 255."""
    data = load(folder, **options)
    assert len(data) == 1
    return np.round(255 * data.x[0]).reshape(data.image_shape).astype(int)


UPRIGHT = {  # what turns the stored pixels, by the definition of EXIF's first row and column
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a[::-1].swapaxes(0, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a[:, ::-1].swapaxes(0, 1),
}


@pytest.mark.parametrize("turn", [*UPRIGHT, 0, 9, 65535])
@pytest.mark.parametrize("size", [None, (3, 2)])
def test_an_image_is_turned_as_exif_says(place, turn, size):
    """Scaled, too: each pixel is a block of 4 x 4, whose middle keeps its colour."""
    stored = pixels(2, 3, 3) if turn in (5, 6, 7, 8) else pixels(3, 2, 3)
    exif = Image.Exif()
    exif[0x0112] = turn
    blocks = stored.repeat(4, 0).repeat(4, 1) if size else stored
    image("m/a.png", blocks, exif=exif)
    expected = UPRIGHT.get(turn, UPRIGHT[1])(stored).astype(int)
    found = only("m", size=size)
    if size:  # Lanczos mixes neighbours at the edges of the blocks
        assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.98
    else:
        assert (found == expected).all()


def test_the_middle_is_cropped(place):
    """Of a picture of 40 x 100, the middle 40 x 40, and a little of what is beside it."""
    wide = np.zeros((40, 100, 3), np.uint8)
    wide[:, 18:82] = 200
    image("m/a.png", wide)
    assert (only("m", size=10) == 200).all()
    image("m/a.png", wide.swapaxes(0, 1))
    assert (only("m", size=10) == 200).all()
    assert only("m", size=(4, 10), grey=True).shape == (4, 10)


@pytest.mark.parametrize(("background", "level"), [("white", 255), ("black", 0)])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB", "L"])
def test_transparent_pixels_lie_on_the_background(place, background, level, mode):
    """The first pixel is opaque, the second transparent, the third of half in RGBA and LA."""
    rgba = np.array([[[40, 40, 40, 255], [90, 90, 90, 0], [60, 60, 60, 128]]], np.uint8)
    picture, options = Image.fromarray(rgba.repeat(2, 0)), {}
    if mode == "LA":
        picture = picture.convert("LA")
    elif mode != "RGBA":  # one colour is declared to be transparent
        picture = picture.convert("RGB").convert(mode, palette=Image.Palette.ADAPTIVE)
        last = picture.getpixel((1, 0))
        options["transparency"] = last
    image("m/a.png", picture, **options)
    mixed = round(60 * 128 / 255 + level * 127 / 255) if mode in ("RGBA", "LA") else 60
    found = only("m", background=background)[0]
    assert abs(found - [40, level, mixed]).max() <= 1
    told = load("m", background=background).source.told
    other = {"white": "black", "black": "white"}[background]
    assert told == (
        f"1 of them transparent in places, laid on {background} "
        f"(--background {other} for the other)"
    )


def test_an_opaque_image_with_an_alpha_is_not_called_transparent(place):
    image("m/a.png", np.full((3, 3, 4), 255, np.uint8))
    assert load("m").source.told == ""


def test_pictures_are_grey_if_none_has_a_colour(place):
    grey = pixels(3, 4)
    image("m/a.png", grey)
    image("m/b.png", grey[..., None].repeat(3, 2))
    assert load("m").image_shape == (3, 4)
    assert load("m", grey=False).image_shape == (3, 4, 3)
    image("m/c.png", pixels(3, 4, 3))
    assert load("m").image_shape == (3, 4, 3)
    red, green, blue = pixels(3, 4, 3).astype(float).transpose(2, 0, 1)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    assert abs(255 * load("m", grey=True).x[2].reshape(3, 4) - luma).max() <= 1
    text("n/x.npy", npy(pixels(1, 3, 4, 3)))
    assert abs(255 * load("n", grey=True).x[0].reshape(3, 4) - luma).max() <= 1e-3
    assert load("n/x.npy", grey=False).image_shape == (3, 4, 3)


def test_grey_of_sixteen_bits_keeps_its_upper_eight(place):
    levels = np.array([[0, 255, 256, 32768, 65535]], np.uint16).repeat(2, 0)
    image("m/a.png", Image.fromarray(levels))
    assert only("m")[0].tolist() == [0, 0, 1, 128, 255]


@pytest.mark.parametrize("suffix", ["png", "bmp", "gif", "webp", "jpg"])
def test_every_format_is_read(place, suffix):
    levels = np.arange(0, 256, 16, dtype=np.uint8).reshape(4, 4).repeat(8, 0).repeat(8, 1)
    image(
        f"m/a.{suffix.upper()}", levels, format={"jpg": "jpeg"}.get(suffix, suffix), quality=95
    )
    assert abs(only("m", grey=True)[4::8, 4::8] - levels[4::8, 4::8]).max() <= 3


def test_the_first_picture_of_a_film_is_read(place):
    first, second = (Image.fromarray(np.full((4, 4), level, np.uint8)) for level in (50, 200))
    image("m/a.gif", first, save_all=True, append_images=[second])
    assert (only("m") == 50).all()


def test_a_large_jpeg_is_scaled_from_a_part_of_it(place):
    image("m/a.jpg", np.full((4000, 3000, 3), (200, 100, 50), np.uint8))
    found = only("m", size=16)
    assert abs(found - [200, 100, 50]).max() <= 2


# ---- order and names ----


def test_the_order_of_files_is_theirs_and_not_the_file_systems(place, monkeypatch):
    names = [
        "b/2.png",
        "a/10.png",
        "a/9.png",
        "B/é.png",
        "b/e\u0301.png",
        "a/x/1.png",
        "c d/ü.png",
    ]
    for i, name in enumerate(names):
        image(Path("m") / name, np.full((2, 2), i, np.uint8))
    order = [3, 1, 2, 5, 0, 4, 6]  # B, a, b, c d: by the code points of the composed names
    data = load("m")
    assert np.round(255 * data.x[:, 0]).tolist() == order
    assert data.source.names == ("B", "a", "b", "c d")
    assert data.labels.tolist() == [0, 1, 1, 1, 2, 2, 3]
    real = os.scandir

    def backwards(path):
        return contextlib.nullcontext(sorted(real(path), key=lambda e: e.name, reverse=True))

    monkeypatch.setattr(os, "scandir", backwards)
    assert np.round(255 * load("m").x[:, 0]).tolist() == order


def test_decomposed_names_are_composed(place):
    for name in ("e\u0301", "z"):
        image(Path("m") / name / "a.png", pixels(2, 2))
    assert load("m").source.names == ("z", "é")


def test_hidden_files_and_those_of_file_managers_are_left_alone(place):
    image("m/a.png", pixels(2, 2))
    for name in (
        ".b.png",
        "._a.png",
        "__MACOSX/a.png",
        ".cache/b.png",
        "Thumbs.db",
        "notes.txt",
    ):
        text(Path("m") / name, b"none of yours")
    assert len(load("m")) == 1


def test_links_that_lead_back_are_followed_once(place):
    image("m/cat/a.png", pixels(2, 2))
    image("elsewhere/b.png", pixels(2, 2))
    Path("m/dog").symlink_to(place / "elsewhere")
    Path("m/cat/loop").symlink_to(place / "m/cat")
    Path("m/cat/up").symlink_to(place / "m")
    data = load("m")
    assert set(data.source.names) == {"cat", "dog"}


def test_classes_that_are_numbers_are_those_numbers(place):
    for name in ("10", "9", "2"):
        image(Path("m") / name / "a.png", pixels(2, 2))
    data = load("m")
    assert (data.classes, data.labels.tolist(), data.source.names) == (
        (2, 9, 10),
        [2, 0, 1],
        (),
    )


def test_a_folder_in_a_folder_is_gone_down_into(place):
    for i in range(3):
        image(Path("m/data/images") / f"{i}.png", pixels(2, 2))
    assert load("m").labels is None
    for split in ("training", "valid"):
        for name in ("a", "b"):
            image(Path("n/data") / split / name / "0.png", pixels(2, 2))
    data = load("n")
    assert (len(data), data.source.names, data.name) == (2, ("a", "b"), "n")
    assert data.source.held_out(9).source.names == ("a", "b")
    for split, n in (("train", 3), ("test", 2)):
        for i in range(n):
            image(Path("p") / split / f"{i}.png", pixels(2, 2))
    data = load("p")
    assert (len(data), data.labels, len(data.source.held_out(9))) == (3, None, 2)
    for name in ("train", "plane"):  # these are classes
        image(Path("o") / name / "0.png", pixels(2, 2))
    assert load("o").source.names == ("plane", "train")


def test_an_image_that_vanishes_is_one_sentence(place, monkeypatch):
    image("m/a.png", pixels(2, 2))
    image("m/b.png", pixels(2, 2))
    find = own.find_images

    def found(folder):
        names = find(folder)
        os.unlink(place / "m/b.png")
        return names

    monkeypatch.setattr(own, "find_images", found)
    said = said_of(place, "m")
    assert said == "cannot read /place/m/b.png: No such file or directory"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all")
def test_a_subfolder_that_may_not_be_read_is_one_sentence(place):
    image("m/a/b.png", pixels(2, 2))
    os.chmod("m/a", 0)
    said = said_of(place, "m")
    os.chmod("m/a", 0o700)
    assert "cannot read the folder /place/m/a: Permission denied" in said


# ---- arrays ----


@pytest.mark.parametrize(
    ("shape", "image_shape", "options"),
    [
        ((5,), None, {}),
        ((5, 4), None, {}),
        ((5, 63), None, {}),
        ((5, 64), (8, 8), {}),
        ((5, 72), None, {}),
        ((5, 72), (8, 9), {"size": (8, 9)}),
        ((5, 192), (8, 8, 3), {"size": 8}),
        ((5, 6, 7), (6, 7), {}),
        ((5, 6, 7, 1), (6, 7), {}),
        ((5, 6, 7, 3), (6, 7, 3), {}),
        ((5, 1, 6, 7), (6, 7), {}),
        ((5, 3, 6, 7), (6, 7, 3), {}),
        ((5, 6, 7, 4), (6, 7, 3), {}),
        ((5, 6, 7), (6, 7, 3), {"grey": False}),
        ((5, 6, 8), (3, 4), {"size": (3, 4)}),
    ],
)
def test_an_array_is_rows_or_pictures_by_its_shape(place, shape, image_shape, options):
    array = pixels(*shape)
    text("x.npy", npy(array))
    data = load("x.npy", **options)
    assert (len(data), data.image_shape) == (5, image_shape)
    if image_shape is None:
        assert (data.x == array.reshape(5, -1)).all()
    elif shape[1:] == (3, 6, 7):
        first = np.stack([array[0, c] for c in range(3)], axis=-1)
        assert data.x[0] == pytest.approx(first.ravel() / 255)
    elif shape[-1] == 4:
        colour, alpha = array[0, ..., :3] / 255, array[0, ..., 3:] / 255
        assert data.x[0] == pytest.approx((colour * alpha + 1 - alpha).ravel(), abs=1e-6)
    elif not options:
        assert data.x == pytest.approx(array.reshape(5, -1) / 255)


@pytest.mark.parametrize("dtype", ["u1", "<i2", ">u4", "<i8", "f2", ">f4", "f8"])
@pytest.mark.parametrize("fortran", [False, True])
def test_every_type_and_order_of_numbers_is_read(place, dtype, fortran):
    array = np.asarray(pixels(4, 5, 6), dtype, order="F" if fortran else "C")
    np.save("x.npy", array)
    assert load("x.npy").x == pytest.approx(array.reshape(4, 30).astype(float) / 255)


def test_numbers_from_0_to_1_stay(place):
    np.save("x.npy", np.linspace(0, 1, 96).reshape(2, 6, 8))
    assert load("x.npy").x == pytest.approx(np.linspace(0, 1, 96).reshape(2, 48), abs=1e-7)
    np.save("z.npy", np.array([[[0, 1], [1, 1]]], bool))
    assert load("z.npy").x.tolist() == [[0, 1, 1, 1]]


@pytest.mark.parametrize(
    ("labels", "values", "names"),
    [
        (np.array([7, 5, 7]), [7, 5, 7], ()),
        (np.array([7.0, 5.0, 7.0]), [7, 5, 7], ()),
        (np.array([[7], [5], [7]]), [7, 5, 7], ()),
        (np.array([True, False, True]), [1, 0, 1], ()),
        (np.array([[0, 1, 0], [1, 0, 0], [0, 1, 0]]), [1, 0, 1], ()),
        (np.array(["b", "a", "b"]), [1, 0, 1], ("a", "b")),
        (np.array([b"b", b"a", b"b"]), [1, 0, 1], ("a", "b")),
        (np.array(["10", "9", "10"]), [10, 9, 10], ()),
    ],
)
def test_labels_are_numbers_words_or_one_hot(place, labels, values, names):
    np.savez("x.npz", x=np.ones((3, 2)), labels=labels)
    data = load("x.npz")
    assert [data.classes[j] for j in data.labels] == values
    assert data.source.names == names


@pytest.mark.parametrize(
    "names",
    [
        *(("x", "y"), ("x", "labels"), ("images", "targets"), ("arr_0", "arr_1"), ("X", "Y")),
        *(("x_train", "y_train"), ("train_images", "train_labels"), ("imgs", "label")),
        *(("data", "target"), ("faces", "labels"), ("train-x", "train-y")),
    ],
)
def test_arrays_are_found_under_the_names_in_use(place, names):
    np.savez("m.npz", **dict(zip(names, (np.ones((3, 2)), np.array([0, 1, 1])))))
    assert load("m.npz").labels.tolist() == [0, 1, 1]


def test_test_rows_are_measured_in_the_units_of_the_training_rows(place):
    """Though none of their pixels is bright."""
    x = {"x_train": pixels(4, 8, 8), "x_test": np.full((3, 8, 8), 51, np.uint8)}
    np.savez("m.npz", **x)
    assert load("m.npz").source.held_out(9).x == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("x_test", "says"),
    [
        (np.array(3), "expected rows (n, d)"),
        (np.ones((3, 8, 7)), "expected rows of (8, 8), got shape (3, 8, 7)"),
        (np.array([["a"]]), "expected real numbers, got (1, 1) of <U1"),
        (
            np.full((3, 8, 8), 999),
            "expected pixels in [0, 1], got values from 3.91765 to 3.91765",
        ),
    ],
)
def test_test_rows_that_are_none_are_refused(place, x_test, says):
    np.savez("m.npz", x_train=pixels(4, 8, 8), x_test=x_test)
    with pytest.raises(DataError, match="m.npz: ") as error:
        load("m.npz").source.held_out(9)
    assert says in str(error.value)


def test_what_is_emnists_is_stood_upright_in_tables_too(place):
    rows = pixels(3, 64)
    rows[0, :9] = [255, *range(8)]
    text("emnist-letters-train.csv", table(3, 64, labels=[1, 2, 3], of=rows))
    data = load("emnist-letters-train.csv")
    assert data.x[0] == pytest.approx(rows[0].reshape(8, 8).T.ravel() / 255)
    assert data.classes == (1, 2, 3)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_of_numpys_files_is_read(place, version):
    with open("x.npy", "wb") as file:
        np.lib.format.write_array(file, np.arange(6.0).reshape(3, 2), version)
    assert load("x.npy").x.tolist() == [[0, 1], [2, 3], [4, 5]]


def test_a_fraction_among_thousands_of_whole_numbers_makes_them_points(place):
    x = np.full((1500, 64), 255.0)
    np.save("x.npy", x)
    assert load("x.npy").image_shape == (8, 8)
    x[1400, 3] = 0.5
    np.save("x.npy", x)
    assert load("x.npy").image_shape is None
    for brightest, shape in ((63, None), (64, (8, 8)), (255, (8, 8)), (256, None)):
        np.save("x.npy", np.full((2, 64), brightest))
        assert load("x.npy").image_shape == shape


def test_arrays_are_scaled_from_their_middle(place):
    blocks = pixels(3, 4, 8)
    wide = np.zeros((3, 16, 40), np.uint8)
    wide[:, :, 4:36] = blocks.repeat(4, 1).repeat(4, 2)
    np.save("x.npy", wide)
    found = load("x.npy", size=(4, 8)).x.reshape(blocks.shape)
    assert np.corrcoef(found.ravel(), blocks.ravel())[0, 1] > 0.97
    assert 0 <= found.min() <= found.max() <= 1


def test_no_more_is_unpacked_than_is_declared(place):
    head = header("<f4", (3, 2))
    npz("m.npz", x=head + bytes(2**28))
    tracemalloc.start()
    assert load("m.npz").x.tolist() == [[0, 0]] * 3
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()


def test_what_the_memory_cannot_hold_is_not_begun(place, monkeypatch):
    np.save("x.npy", np.ones((40, 2)))
    np.save("p.npy", pixels(2, 9, 9))
    text("t.csv", "1,2\n" * 50)
    for name in "ab":
        image(f"m/{name}.png", pixels(6, 6))
    paths = {"x.npy": "x.npy: an array of (40, 2)", "p.npy": "p.npy: pictures (2, 9, 9)"}
    paths |= {"t.csv": "t.csv: its numbers", "m": "2 images of 6 x 6"}
    for memory in (1000, 10_000):
        monkeypatch.setattr("minigan.arrays._memory", lambda memory=memory: memory)
        for path, what in paths.items():
            if memory > 1000:
                load(path)
                continue
            with pytest.raises(minigan.MiniganError) as error:
                load(path)
            assert f"{what} would take 0 GB of memory; there are 0" in str(error.value)


# ---- tables ----

ROWS = [[1.5, 2, 3], [4, -5, 6e3]]


@pytest.mark.parametrize(
    "content",
    [
        "1.5,2,3\n4,-5,6e3\n",
        "a,b,c\n1.5,2,3\n4,-5,6e3",
        "a,b,c\r\n1.5,2,3\r\n\r\n4,-5,6e3\r\n",
        '"a","b","c"\n"1.5",2,3\n4,"-5",6e3\n',
        "1.5;2;3\n4;-5;6e3\n",
        "a;b;c\n1,5;2;3\n4;-5;6e3\n",
        "a|b|c\n1.5|2|3\n4|-5|6e3\n\0\0",
        "a\tb\tc\n1.5\t2\t3\n4\t-5\t6e3\n",
        "  1.5  2 3\n 4 -5   6e3\n",
        "# a b c\n1.5 2 3\n4 -5 6e3\n",
        "\ufeffa,b,c\n1.5,2,3\n4,-5,6e3\n",
        "a, b, c\n1.5, 2, 3\n4, -5, 6e3\n",
        ",a,b,c\n0,1.5,2,3\n1,4,-5,6e3\n",
        "Id,a,b,c\n1,1.5,2,3\n2,4,-5,6e3\n",
        "a,b,c\n1.5,2,3\n4,-5,6e3\n".encode("utf-16"),
    ],
)
def test_tables_are_read_as_programs_write_them(place, content):
    text("x.csv", content)
    data = load("x.csv")
    assert data.x.tolist() == ROWS
    assert data.labels is None


@pytest.mark.parametrize(
    ("content", "values", "names"),
    [
        ("label,a\n5,1\n7,2\n5,3\n", [5, 7, 5], ()),
        ("a,Class\n1,5\n2,7\n3,5\n", [5, 7, 5], ()),
        ("a,target\n1,5.0\n2,7.0\n3,5.0\n", [5, 7, 5], ()),
        ("a,kind\n1,b\n2,a\n3,b\n", [1, 0, 1], ("a", "b")),
        ("1,b\n2,a\n3,b\n", [1, 0, 1], ("a", "b")),
        ("1,z\n2,e\u0301\n3,z\n", [0, 1, 0], ("z", "e\u0301")),  # in the order of é
        ('1,"b, c"\n2,a\n3,"b, c"\n', [1, 0, 1], ("a", "b, c")),
        ("a,label\n1,-1\n2,1\n3,-1\n", [0, 1, 0], ("-1", "1")),
        ("0,1,species\n1,1,b\n2,1,a\n3,1,b\n", [1, 0, 1], ("a", "b")),
    ],
)
def test_labels_are_found_in_tables(place, content, values, names):
    text("x.csv", content)
    data = load("x.csv")
    assert [data.classes[j] for j in data.labels] == values
    assert data.source.names == names
    assert data.x[:, 0].tolist() == [1, 2, 3]


def test_labels_are_words_unless_they_are_whole_numbers_from_0(place):
    words = "1e300", "2.0", f"{2**53}.0", "inf", "nan"
    text("x.csv", "label,a\n" + "".join(f"{word},1\n" for word in words))
    assert load("x.csv").source.names == ("1e300", "2", *words[2:])
    text("x.csv", f"label,a\n{2**53 - 1}.0,1\n3,1\n")
    assert load("x.csv").classes == (3, 2**53 - 1)


def test_long_tables_are_read_whole_and_endless_lines_not(place, monkeypatch):
    rows = np.random.default_rng(0).integers(999, size=(70, 2000))
    text("x.csv", table(70, 2000, of=rows))
    assert load("x.csv").x.tolist() == rows.tolist()
    monkeypatch.setattr(tables, "LONGEST", 12)
    text("x.csv", "1,2\n3,4\n" + "5" * 10 + "\n")
    assert "line 3: expected 2 cells" in said_of(place, "x.csv")
    text("x.csv", "1,2\n3,4\n" + "5" * 12 + "\n")
    assert "x.csv: line 3 has more than 12 characters" in said_of(place, "x.csv")


def test_pixels_without_a_header_begin_with_their_label(place):
    rows = pixels(4, 65)
    rows[:, 0] = [3, 1, 3, 0]
    text("mnist_train.csv", table(4, 65, of=rows))
    data = load("mnist_train.csv")
    assert data.image_shape == (8, 8)
    assert [data.classes[j] for j in data.labels] == [3, 1, 3, 0]
    assert data.x == pytest.approx(rows[:, 1:] / 255)
    text("few.csv", table(4, 5, of=rows[:, :5]))
    assert load("few.csv").labels is None
    assert load("few.csv").x.tolist() == rows[:, :5].tolist()


def test_rows_that_may_be_pictures_are_told_of(place):
    text("x.csv", table(4, 64, of=np.full((4, 64), 0.5)))
    data = load("x.csv")
    assert data.image_shape is None
    assert data.source.told == "taken for points; --size 8 sees pictures in them"
    assert load("x.csv", size=8).image_shape == (8, 8)


# ---- names of files ----


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("kmnist-train-imgs.npz", ("train", "x", ("kmnist",))),
        ("k49-test-labels.npz", ("test", "labels", ("k49",))),
        ("train.images.idx3-ubyte.gz", ("train", "x", ())),
        ("x_test", ("test", "x", ())),
        ("Validation", ("validation", "", ())),
        ("strains.csv", ("", "", ("strains",))),
        ("日本_train.csv", ("train", "", ("日本",))),
    ],
)
def test_what_names_say(name, says):
    part = part_of(name)
    assert (part.split, part.role, part.rest) == says


def test_idx_files_belong_together_by_their_names(place):
    for part in ("train", "test"):
        for kind, array in (("images", pixels(9, 2, 2)), ("labels", np.ones(9, "u1"))):
            Path(f"mine.{part}.{kind}").write_bytes(idx(array))
    assert (
        partner(Path("mine.train.images").absolute(), role="labels").name == "mine.train.labels"
    )
    data = load("mine.train.images")
    assert data.labels.tolist() == [0] * 9
    assert len(data.source.held_out(9)) == 9


def test_pictures_under_mnists_names_are_scaled_and_coloured_too(place):
    levels = np.arange(9, dtype="u1").repeat(16).reshape(9, 4, 4) * 20
    for name in ("train", "t10k"):
        Path(f"{name}-images-idx3-ubyte").write_bytes(idx(levels))
    data = load(place, size=2, grey=False)
    assert data.image_shape == (2, 2, 3)
    assert data.x == pytest.approx(levels[:, :1, 0].repeat(12, 1) / 255, abs=1e-6)
    assert data.source.held_out(9).image_shape == (2, 2, 3)


def test_a_place_is_absolute_and_has_a_short_label(place, monkeypatch):
    np.save("ä b.npy", np.ones((3, 2)))
    name, _ = identify("ä b.npy")
    assert name == str((place / "ä b.npy").resolve())
    assert short_label(name).startswith("ä_b-")
    monkeypatch.chdir("/")
    assert len(load(name)) == 3
    monkeypatch.setenv("HOME", str(place))
    assert identify("~/ä b.npy")[0] == name


# ---- pictures in colour, wherever pictures are drawn ----


def test_show_draws_colours():
    x = np.random.default_rng(0).random((3, 12))
    for shown in (minigan.show(x), minigan.show(Dataset(x, image_shape=(2, 2, 3)))):
        drawn = shown.axes[0].images[0].get_array()
        assert drawn.shape == (4, 12, 3)
        assert (drawn[1:3, 5:7] == np.round(255 * x[1]).reshape(2, 2, 3)).all()


def test_a_film_keeps_colours(place):
    frames = []
    for level in (0, 1):
        x = np.tile([1.0, 0.0, level], (1, 16))
        frames.append(io.BytesIO(plots.samples_png(x, (4, 4, 3), 1, scale=2)))
    with Image.open(io.BytesIO(plots.film_gif(frames))) as film:
        for i, colour in enumerate([(255, 0, 0), (255, 0, 255)]):
            film.seek(i)
            assert film.convert("RGB").getpixel((6, 6)) == colour


def test_points_on_a_line_are_drawn():
    x = np.linspace(-1, 1, 50)[:, None]
    picture = plots.point_cloud(x, x)
    assert (picture == plots.ORANGE).all(axis=2).sum() > 50
    assert plots.point_cloud(np.zeros((3, 1)), np.zeros((3, 1))).shape == picture.shape


def test_a_picture_of_one_colour_channel_is_grey():
    assert Dataset(np.ones((2, 6)), image_shape=(2, 3, 1)).image_shape == (2, 3)
    assert repr(Dataset(np.ones((2, 12)), image_shape=(2, 2, 3))) == (
        "<Dataset 'data': 2 rows, images of 2 x 2 in colour, no labels>"
    )
