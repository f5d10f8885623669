"""Your own data: ten data sets of ten layouts are trained on and measured from one line each,
many bad ones are refused in one sentence each, and pixels are where they belong."""

import gzip
import io
import json
import os
import random
import shutil
import struct
import tracemalloc
import unicodedata
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import minigan
from minigan import DataError, Dataset, fast, load
from minigan.lab import images, plots
from minigan.lab.cli import main
from minigan.lab.loaders import identify, short_label
from minigan.lab.own import partner
from minigan.lab.pixels import LUMA, crop
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
    ok(f"train {game} --data mine {options} --steps 2 --quiet --out run", *TINY)
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


@pytest.mark.parametrize("make", TEN, ids=lambda make: make.__name__)
def test_how_data_were_understood_is_told(capsys, place, make):
    make(place / "mine")
    options, told, _ = TEN[make]
    assert main([*f"train gan --data mine {options} --steps 1".split(), *TINY]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.endswith(f": {told}")


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


def pipe(place):
    (place / "m").mkdir()
    os.mkfifo(place / "m/a.png")


def dangling(place):
    (place / "m").mkdir()
    (place / "m/a.png").symlink_to("nowhere")


def two_files(place):
    for name in ("a.npy", "b.npy"):
        text(place / "m" / name, npy(np.ones((3, 2))))


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
        "m/a.png: an empty file; expected an ",
    ),
    "no image": (
        lambda p: text(p / "m/a.jpg", b"<html>"),
        "m/a.jpg: truncated, or not an image ",
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
        "m holds a.svg; minigan reads images (",
    ),
    "images of two sizes": (
        two_sizes,
        "m/b.png: an image of 8 x 9, a.png of 9 x 8; --size 8 crops and scales them all",
    ),
    "a large image": (
        lambda p: image(p / "m/a.png", pixels(200, 300)),
        "an image of 200 x 300; ",
    ),
    "images beside classes": (
        beside,
        "holds images such as a.png beside subfolders such as cat/",
    ),
    "a pipe": (pipe, "m/a.png: expected a file, this is something else"),
    "a dangling link": (dangling, "cannot read /place/m/a.png: No such file or directory"),
    "nothing": (
        lambda p: (p / "m").mkdir(),
        "m holds nothing; minigan reads images (PNG, JPEG",
    ),
    "two files": (two_files, "m holds a.npy, b.npy; choose one, as in /place/m/a.npy"),
    "other labels": (
        labels_apart,
        "train-labels.npy: expected one label for each of 30 rows, got ",
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
        "m/x.npy: declares (9, 9) of float64, 648 bytes, and holds fewer",
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
        "m/x.npy: expected rows (n, d)",
    ),
    "no rows": (
        lambda p: text(p / "m/x.npy", npy(np.ones((0, 3)))),
        "m/x.npy: expected rows (n, d)",
    ),
    "five axes": (
        lambda p: text(p / "m/x.npy", npy(np.ones((2,) * 5))),
        "m/x.npy: expected rows (n, d), pictures (n, height, width) or (n, height, width, 3), got",
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
        "m/x.csv: it is empty; expected a row",
    ),
    "a header alone": (
        lambda p: text(p / "m/x.csv", "a,b\n"),
        "m/x.csv: it has a header and no ",
    ),
    "labels alone": (
        lambda p: text(p / "m/x.csv", "label\n1\n2\n"),
        "m/x.csv: it has labels and no numbers",
    ),
    "two columns of words": (
        lambda p: text(p / "m/x.csv", "name,city,age\nA,B,3\n"),
        "m/x.csv: its columns name, city hold words; expected numbers, and at most one column",
    ),
    "decimal commas": (
        lambda p: text(p / "m/x.csv", "1,5;2,5\n3,5;4,5\n"),
        "m/x.csv: its columns",
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
        "packed with gzip and holds no IDX file; unpack it",
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
            "m/x.npy: size: a row has 64 numbers, not 9 x 9 or 9 x 9 x 3; --size 8 would",
        ),
    ],
)
def test_wrong_options_are_refused(place, options, says):
    text(place / "m/x.npy", npy(pixels(9, 64)))
    assert says in said_of(place, "m", **options)


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
    refused(
        "evaluate r", "does not hold the rows that the run was begun with; --data names the"
    )


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
