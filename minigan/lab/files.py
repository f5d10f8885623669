r"""Files: read only as far as they can be believed, written whole or not at all.

Whatever minigan writes, it writes beside its place under a name of its own, flushes it to
disk and renames it. A kill at any moment leaves the old file or the new one, and at most a
hidden `.NAME.xxxxxxxx.part`, which the next command in that run folder removes.
"""

import contextlib
import os
import re
import stat
from pathlib import Path

from ..errors import RunError
from . import signals

PARTIAL = re.compile(r"\.(.+)\.[0-9a-f]{8}\.part")
unfinished: set[str] = set()  # the partial files of this process


def _remove_unfinished():
    for path in list(unfinished):
        with contextlib.suppress(OSError):
            os.unlink(path)


signals.at_once.append(_remove_unfinished)


def why(error):
    r"""The reason in an OSError, in the system's own words."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def plain(text):
    r"""The text on one line, without the codes by which its author could steer a terminal."""
    text = " ".join(text.splitlines())
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def write_whole(path, write, error=RunError):
    r"""Call `write(file)` on a new file, flush it to disk, rename it to `path`.

    A link at `path` is replaced, not followed. Raises `error`, with the old file still in
    its place, if the disk is full, the folder has gone, or the system forbids it.
    """
    folder, name = os.path.split(os.fspath(path))
    partial = os.path.join(folder, f".{name}.{os.urandom(4).hex()}.part")
    unfinished.add(partial)
    try:
        with open(partial, "xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as reason:
        raise error(f"cannot write {path}: {why(reason)}") from None
    finally:
        with contextlib.suppress(OSError):
            os.unlink(partial)
        unfinished.discard(partial)


def read_bytes(path, largest, error=RunError):
    r"""The content of a regular file of at most `largest` bytes; raises `error` otherwise."""
    with open_regular(path, error) as file:
        size = os.fstat(file.fileno()).st_size
        content = file.read(min(size, largest) + 1)  # so many bytes are reserved at once
    if len(content) > largest:
        raise error(f"{path}: expected at most {largest:,} bytes")
    return content


@contextlib.contextmanager
def open_regular(path, error=RunError):
    r"""The file, open for reading; a pipe, which might be waited for for ever, is refused."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _BINARY)
        with open(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise error(f"{path}: expected a file, this is something else")
            yield file
    except OSError as reason:
        raise error(f"cannot read {path}: {why(reason)}") from None


_BINARY = getattr(os, "O_BINARY", 0)


@contextlib.contextmanager
def lock(folder):
    r"""Hold the folder for this process alone; raises RunError, naming the process, if taken.

    The operating system lets go of the lock when its process ends, however it ends. On a
    file system that knows no locks there is none.
    """
    path = Path(folder) / ".lock"
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        handle = os.open(path, flags, 0o666)
    except OSError as reason:
        raise RunError(f"cannot write in {folder}: {why(reason)}") from None
    with open(handle, "r+b", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise RunError(f"{path}: expected a file, this is something else")
        try:
            _lock(file)
        except (BlockingIOError, PermissionError):
            holder = file.read(20).decode("ascii", "replace").strip()
            raise RunError(
                f"{folder} is in use by process {holder or 'unknown'}; wait until it ends, or "
                "name another folder with --out"
            ) from None
        except OSError:
            pass
        try:
            _write_all(file, str(os.getpid()).encode())
            yield
        finally:
            _write_all(file, b"")


def _write_all(file, content):
    with contextlib.suppress(OSError):  # a full disk: the lock holds, only its note is missing
        file.seek(0)
        file.truncate()
        file.write(content)
        file.flush()


try:
    import fcntl

    def _lock(file):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

except ImportError:  # Windows
    import msvcrt

    def _lock(file):
        file.seek(2**30)  # beyond the note, which others may read
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        file.seek(0)
