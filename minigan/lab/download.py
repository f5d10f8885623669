r"""The full MNIST: where it is kept, and how it is fetched.

Neither a mirror nor a file is believed before it is checked: not that it answers, nor that
it ends, nor that what it sends is MNIST.
"""

import contextlib
import functools
import itertools
import os
import time
from pathlib import Path

from ..errors import DataError, real_number
from . import streams
from .files import _lock, open_regular, plain, why, write_whole
from .idx import file_name, read_idx, unpack

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
MNIST_SHA256 = {  # of the uncompressed content, which a mirror may have compressed anew
    "train": {
        "images": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "labels": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    },
    "test": {
        "images": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "labels": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
}
MNIST_SHAPE = {
    "train": {"images": (60_000, 28, 28), "labels": (60_000,)},
    "test": {"images": (10_000, 28, 28), "labels": (10_000,)},
}
LARGEST_DOWNLOAD = 2**24  # bytes; the largest of the four has 9.9 million
SLOWEST = 2**10  # bytes a second, on the average


def cache_folder():
    r"""Where minigan keeps what it can make again; None if there is no home to keep it in.

    It is MINIGAN_CACHE, or ~/.cache/minigan.
    """
    folder = os.path.expanduser(os.environ.get("MINIGAN_CACHE") or "~/.cache/minigan")
    return None if folder.startswith("~") else Path(folder)


def mnist_folder():
    r"""Where the full MNIST is kept: MINIGAN_DATA, or mnist in `cache_folder()`.

    Without a home it is in the system's folder for temporary files, where others may write;
    but no file is used there or anywhere that is not MNIST's by its SHA-256.
    """
    if os.environ.get("MINIGAN_DATA"):
        return Path(os.path.expanduser(os.environ["MINIGAN_DATA"]))
    if cache := cache_folder():
        return cache / "mnist"
    import tempfile  # slow to import

    try:
        return Path(tempfile.gettempdir()) / "minigan-mnist"
    except OSError:
        raise DataError(
            "data: there is no home to keep MNIST in; set MINIGAN_DATA to a folder"
        ) from None


def known_mnist(split, kind):
    r"""What `read_idx` must find in one of MNIST's files."""
    return {"sha256": MNIST_SHA256[split][kind], "shape": MNIST_SHAPE[split][kind]}


def download_mnist(to=None, url=None, timeout=30, progress=True):
    r"""Fetch the four files of MNIST that are not there yet; returns their folder.

    to : the folder, made if need be; default `mnist_folder()`
    url : a mirror's address, in place of `MIRRORS`, which are tried in turn
    timeout : seconds after which a mirror is given up that sends nothing, or next to nothing
    progress : whether to draw a bar per file

    A file takes its name only when it is complete and its SHA-256 is right; what else has
    that name already is left alone. Raises DataError, with what happened at each mirror.
    """
    timeout = real_number("timeout", timeout, "(0, inf)", DataError)
    folder = Path(to) if to else mnist_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"to: cannot make the folder {folder}: {why(error)}") from None
    mirrors = (url,) if url else MIRRORS
    for split, kind in itertools.product(MNIST_SHA256, ("images", "labels")):
        path, known = folder / f"{file_name(split, kind)}.gz", known_mnist(split, kind)
        remove_leftovers(path)
        if not _is_there(path, known):
            _fetch(path, known, mirrors, timeout, progress)
    return folder


def _is_there(path, known):
    r"""Whether the file is there, packed or not; raises DataError if it is another one."""
    there = [p for p in (path.with_suffix(""), path) if os.path.lexists(p)]
    for each in there:
        try:
            read_idx(each, **known)
        except DataError as error:
            raise DataError(
                f"{error}; this is not MNIST's file, so move it elsewhere, or choose another "
                "folder with --to"
            ) from None
    return bool(there)


def remove_leftovers(path):
    r"""Remove what unfinished downloads of the file have left, those that were killed.

    A download that goes on has locked its file, or has created it only now and not yet
    written to it. Where there are no locks, nothing is removed.
    """
    parts = path.parent.glob(f".{path.name}.{8 * '[0-9a-f]'}.part")  # as `write_whole` has it
    for part in filter(_is_dead, list(parts)):
        with contextlib.suppress(OSError):
            part.unlink()


def _is_dead(part):
    with contextlib.suppress(OSError, DataError), open_regular(part, DataError) as file:
        about = os.fstat(file.fileno())
        ours = about.st_uid == getattr(os, "geteuid", lambda: about.st_uid)()
        begun = about.st_size > 0 or time.time() - about.st_mtime > 60
        if ours and begun:
            _lock(file)
            return True
    return False


def _fetch(path, known, mirrors, timeout, progress):
    r"""The file from the first mirror that has it, whole and right."""
    failures = []
    for mirror in mirrors:
        url = f"{mirror.rstrip('/')}/{path.name}"
        try:
            return _fetch_from(url, path, known, timeout, progress)
        except _CannotWrite as error:
            raise DataError(str(error)) from None
        except DataError as error:
            failures.append(plain(f"{mirror}: {error}")[:300])
    raise DataError(f"cannot download {path.name}; " + "; ".join(failures))


def _fetch_from(url, path, known, timeout, progress):
    with contextlib.ExitStack() as held:
        save = functools.partial(_save, url, known, timeout, progress, held)
        write_whole(path, save, _CannotWrite)


class _CannotWrite(Exception):
    """The fault lies on this side: another mirror would not help."""


def _save(url, known, timeout, progress, held, file):
    r"""What is at `url` into the file, if it is what is known of it; else raises DataError."""
    with contextlib.suppress(OSError):  # a file system without locks
        _lock(file)
        if os.name == "posix":  # hold the lock until the file, closed, has got its name
            held.callback(os.close, os.dup(file.fileno()))
    _copy(url, timeout, progress, file)
    with open_regular(file.name, _CannotWrite) as content:
        unpack(content, **known)


def _copy(url, timeout, progress, file):
    r"""What is at `url` into the file; raises DataError if it ends too early or is too slow."""
    pieces = _pieces(url, timeout)
    begun, size, promised = time.monotonic(), 0, next(pieces)
    about = {"total": promised or None, "unit": "B", "unit_scale": True}
    with streams.progress(desc=Path(url).name, disable=not progress, **about) as bar:
        for piece in pieces:
            file.write(piece)
            file.flush()  # from now on it is a leftover, should this process be killed
            bar.update(len(piece))
            size += len(piece)
            _check_rate(size, time.monotonic() - begun, timeout)
    if size < promised:
        raise DataError(f"closed after {size} of {promised} bytes")


def _check_rate(size, seconds, timeout):
    if seconds > timeout and size < SLOWEST * seconds:
        raise DataError(f"sent only {size} bytes in {seconds:.0f} seconds")


def _pieces(url, timeout):
    r"""The length that the server announces, or 0; then what is at `url`, piece by piece.

    Another thread receives it: a server that sends its headers a byte at a time would hold
    up this one for ever, as each byte begins the time of a socket anew.
    """
    import queue
    import threading

    came, given_up = queue.SimpleQueue(), threading.Event()
    about = url, timeout, came.put, given_up
    threading.Thread(target=_receive, args=about, daemon=True).start()
    try:
        for piece, error in iter(lambda: came.get(timeout=timeout), END):
            _raise(error)
            yield piece
    except queue.Empty:
        raise DataError(f"sent nothing for {timeout:g} seconds") from None
    finally:
        given_up.set()


END = None, None


def _raise(error):
    if error:
        raise DataError(str(error) or type(error).__name__)


def _receive(url, timeout, put, given_up):
    r"""Put (piece, None) for each of `_sent`, then `END`; or (None, what went wrong)."""
    try:
        for piece in _sent(url, 2 * timeout, given_up):  # the other thread gives up before
            put((piece, None))
        put(END)
    except Exception as error:  # of the network, of the protocol, of the address
        put((None, error))


def _sent(url, timeout, given_up):
    r"""The length that the server announces, or 0; then what it sends, until it ends."""
    from urllib.request import urlopen

    with urlopen(url, timeout=timeout) as reply:
        size, promised = 0, max(0, int(reply.headers.get("Content-Length") or 0))
        yield promised
        while max(size, promised) <= LARGEST_DOWNLOAD and not given_up.is_set():
            piece = reply.read1(2**16)
            if not piece:
                return
            size += len(piece)
            yield piece
    raise DataError(f"sent more than {LARGEST_DOWNLOAD} bytes")
