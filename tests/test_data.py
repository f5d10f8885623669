"""Chapter 11: data from outside is what it claims to be, or refused; no row is ever lost."""

import contextlib
import gzip
import hashlib
import itertools
import struct
import threading
import tracemalloc
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan
from minigan import DataError
from minigan.arrays import to_numpy
from minigan.data import (
    Batches,
    Dataset,
    as_dataset,
    grid,
    grid_modes,
    idx_folder,
    load,
    mnist,
    ring,
    ring_modes,
)
from minigan.lab.download import MNIST_SHA256, download_mnist, file_name, mnist_folder, read_idx

DIGITS = Path(minigan.__file__).parent / "digits"
PIXELS = bytes(range(24))  # four images of 2 x 3


def idx(*shape, content=PIXELS, kind=8):
    """An IDX file's bytes, written from the format's description."""
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, kind, len(shape), *shape) + content


IMAGES, LABELS = idx(4, 2, 3), idx(4, content=bytes([3, 0, 1, 1]))


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
    assert read_idx(write(tmp_path / "labels" / name, LABELS)).tolist() == [3, 0, 1, 1]


def test_gzip_is_known_by_its_content_not_its_name(tmp_path):
    assert read_idx(write(tmp_path / "a", gzip.compress(LABELS))).tolist() == [3, 0, 1, 1]


HUGE = 2**32 - 1
BAD_IDX = {
    "empty": (b"", "expected IDX magic 00000801 or 00000803, got ''"),
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


@pytest.mark.parametrize("name", ["missing", "."])
def test_what_is_no_file_is_refused(tmp_path, name):
    with pytest.raises(DataError, match="there is no such file"):
        read_idx(tmp_path / name)


@contextlib.contextmanager
def memory_below(limit):
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


def test_a_gzip_bomb_is_not_unpacked(tmp_path):
    """50 MB of zeros behind a header that declares four bytes."""
    path = write(tmp_path / "a.gz", idx(4, content=bytes(50_000_000)))
    with memory_below(2_000_000), pytest.raises(DataError, match="4 bytes, but holds more"):
        read_idx(path)


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


# --- Dataset


def test_a_dataset_is_float32_and_int64():
    data = Dataset([[0, 1], [0.5, 0.25]], [4, 0], (1, 2), "mine")
    assert data.x.dtype == np.float32
    assert data.x.tolist() == [[0, 1], [0.5, 0.25]]
    assert data.labels.dtype == np.int64
    assert (data.image_shape, data.name, data.n_classes) == ((1, 2), "mine", 5)
    assert Dataset(np.zeros((2, 3))).n_classes == 0


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
    "rank 1": ({"x": [1.0, 2.0]}, "x: expected rows and columns (n, d), got shape (2,)"),
    "rank 3": ({"x": np.zeros((2, 2, 3))}, "got shape (2, 2, 3)"),
    "no rows": ({"x": np.zeros((0, 6))}, "got shape (0, 6)"),
    "no columns": ({"x": np.zeros((2, 0))}, "got shape (2, 0)"),
    "ragged": ({"x": [[1.0], [1.0, 2.0]]}, "x: expected a NumPy array"),
    "words": ({"x": [["a", "b"]]}, "x: expected real numbers, got dtype <U1"),
    "complex": ({"x": [[1j]]}, "got dtype complex128"),
    "nothing": ({"x": None}, "got dtype object"),
    "NaN": (
        {"x": [[0.0, 1.0], [2.0, np.nan]]},
        "expected finite float32 numbers, got nan at [1, 1]",
    ),
    "infinite": ({"x": [[0.0, -np.inf]]}, "got -inf at [0, 1]"),
    "too large": ({"x": [[1e300]]}, "got inf at [0, 0]"),
    "bytes": ({"x": TWO + 255, "image_shape": (2, 3)}, "[0, 1], got values from 255 to 255"),
    "negative": ({"x": TWO - 0.5, "image_shape": (2, 3)}, "got values from -0.5 to -0.5"),
    "width": (
        {"x": TWO, "image_shape": (2, 2)},
        "image_shape: 2 x 2 is not the 6 columns of x",
    ),
    "minus": ({"x": TWO, "image_shape": (-2, -3)}, "image_shape: -2 x -3 is not the 6"),
    "one side": ({"x": TWO, "image_shape": 6}, "image_shape: expected (height, width), got 6"),
    "sides": (
        {"x": TWO, "image_shape": (2.0, 3.0)},
        "expected (height, width), got (2.0, 3.0)",
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
    assert says in str(error.value)


def test_an_array_on_another_device_is_refused(lib):
    x = lib.array(np.zeros((2, 2), np.float32))
    if type(x) is np.ndarray:
        assert Dataset(x).x is x
    else:
        with pytest.raises(DataError, match="x: expected a NumPy array"):
            Dataset(x)


# --- the digits in the package


def test_the_shipped_digits_begin_as_mnist_does():
    """The training set starts 5 0 4 1 9 2 1 3 1 4, its first image adds up to 27525."""
    data = load("mnist5k")
    assert data.x.shape == (5000, 784)
    assert data.image_shape == (28, 28)
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
    assert data.labels.tolist() == [3, 0, 1, 1]
    assert (data.image_shape, data.name, data.n_classes) == ((2, 3), "fashion", 4)
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


def test_labels_may_be_absent_from_a_folder(tmp_path):
    write(tmp_path / "train-images-idx3-ubyte.gz", IMAGES)
    assert load(tmp_path).labels is None


def test_an_unfinished_download_is_not_taken_for_the_file(tmp_path):
    write(tmp_path / "train-images-idx3-ubyte.gz", IMAGES)
    write(tmp_path / "train-images-idx3-ubyte.gz.17.part", b"")
    assert len(load(tmp_path).x) == 4


BAD_FOLDERS = {
    "empty": ([], "holds no train-images-idx3-ubyte[.gz]"),
    "labels only": ([("train-labels-idx1-ubyte", LABELS)], "holds no train-images"),
    "two sets": (
        [(f"emnist-{one}-train-images-idx3-ubyte", IMAGES) for one in ("letters", "mnist")],
        "holds more than one set: emnist-letters-train",
    ),
    "other labels": (
        [
            ("train-images-idx3-ubyte", IMAGES),
            ("train-labels-idx1-ubyte", idx(2, content=b"ab")),
        ],
        "labels: expected one for each of 4 rows, got shape (2,)",
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
    with pytest.raises(
        DataError, match="mnist, mnist5k, ring, grid or a folder .* got 'cifar'"
    ):
        load("cifar")


# --- MNIST, with four small files in the place of the real ones


@pytest.fixture
def small_mnist(monkeypatch):
    """The four files by name, their sums known to minigan as the right ones."""
    contents = {}
    for split, pixels in (("train", PIXELS), ("test", PIXELS[::-1])):
        for kind, content in (("images", idx(4, 2, 3, content=pixels)), ("labels", LABELS)):
            sha256 = hashlib.sha256(content).hexdigest()
            monkeypatch.setitem(MNIST_SHA256[split], kind, sha256)
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


def test_missing_mnist_says_how_to_get_it(tmp_path, small_mnist):
    with pytest.raises(DataError, match="no train-images.*`minigan download mnist`"):
        load("mnist", tmp_path)
    write(tmp_path / "train-images-idx3-ubyte", small_mnist["train-images-idx3-ubyte"])
    with pytest.raises(DataError, match="no train-labels.*`minigan download mnist`"):
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
    assert mnist(folder).labels.tolist() == [3, 0, 1, 1]


def test_the_default_folder_is_where_load_looks(tmp_path, server, monkeypatch):
    monkeypatch.setenv("MINIGAN_DATA", str(tmp_path / "here"))
    assert download(None, server.url) == tmp_path / "here"
    assert len(load("mnist").x) == 4


def test_only_what_is_missing_or_wrong_is_fetched(tmp_path, server):
    download(tmp_path, server.url)
    server.asked.clear()
    write(tmp_path / "train-labels-idx1-ubyte.gz", LABELS + b"!")
    (tmp_path / "t10k-images-idx3-ubyte.gz").unlink()
    download(tmp_path, server.url.rstrip("/"))
    assert server.asked == ["/train-labels-idx1-ubyte.gz", "/t10k-images-idx3-ubyte.gz"]
    download(tmp_path, server.url)
    assert len(server.asked) == 2


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


FAILURES = {
    "404": (None, "HTTP Error 404: Not Found"),
    "dies half-way": (half, "closed after 50 of 100 bytes"),
    "dies without a length": (half_of_unknown_length, "Compressed file ended"),
    "stalls": (stall, "timed out"),
    "never answers": (silence, "timed out"),
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


def test_a_failed_download_keeps_the_file_that_was_there(tmp_path, server):
    path = write(tmp_path / FIRST[1:], b"mine")
    before = path.read_bytes()
    server.files[FIRST] = half
    with pytest.raises(DataError, match="closed after 50"):
        download(tmp_path, server.url)
    assert path.read_bytes() == before


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
    download(tmp_path / "quiet", server.url)
    assert capsys.readouterr() == ("", "")
    download_mnist(tmp_path / "loud", server.url)
    assert "train-images-idx3-ubyte.gz: 100%" in capsys.readouterr().err


# --- mixtures


def test_the_modes_are_where_the_protocol_puts_them():
    assert ring_modes() == pytest.approx(
        np.exp(2j * np.pi * np.arange(8) / 8).view(float).reshape(8, 2)
    )
    assert ring_modes(3, radius=2.0)[0].tolist() == [2, 0]
    assert grid_modes().tolist() == [[i, j] for i in range(-4, 5, 2) for j in range(-4, 5, 2)]


@pytest.mark.parametrize(
    ("data", "modes", "std"),
    [(ring(20_000), ring_modes(), 0.01), (grid(20_000), grid_modes(), 0.05)],
    ids=["ring", "grid"],
)
def test_a_mixture_has_equal_modes_of_the_stated_spread(data, modes, std):
    """Counts within five standard deviations of a fair multinomial's."""
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
    assert (load("ring").name, load("grid").name) == ("ring", "grid")
    assert np.linalg.norm(ring(50, radius=3.0, std=0.0, modes=4).x, axis=1) == pytest.approx(3)


@pytest.mark.parametrize("wrong", [{"n": 0}, {"n": -1}, {"modes": 0}])
def test_a_mixture_of_nothing_is_refused(wrong):
    with pytest.raises(DataError, match="ring: expected n and modes from 1, got"):
        ring(**wrong)


# --- batches


def numbered(n):
    """Row i holds i and -i, its label is 7 i."""
    i = np.arange(n)
    return Dataset(np.stack([i, -i], axis=1), 7 * i)


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
        assert (labels == 7 * x[:, 0]).all()
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
    order = [np.random.default_rng([3, epoch]).permutation(10).tolist() for epoch in (0, 1)]
    assert rows_of(batches, 5) == order[0] + order[1]
    assert order[0] != order[1]


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
    x, labels = next(Batches(np.eye(3), 2))
    assert x.shape == (2, 3)
    assert labels is None


def test_a_batch_is_a_copy():
    data = numbered(3)
    next(Batches(data, 3))[0][:] = 0
    assert data.x.any()


@pytest.mark.parametrize("size", [0, -1, 11])
def test_a_batch_of_no_rows_or_of_more_than_there_are_is_refused(size):
    with pytest.raises(DataError, match=f"batch_size: expected 1 to 10 rows, got {size}"):
        Batches(numbered(10), size)


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"rows": -1}])
def test_a_negative_seed_or_position_is_refused(wrong):
    with pytest.raises(DataError, match="seed and rows: expected 0 or more"):
        Batches(numbered(10), 2, **wrong)
