r"""Standard output and standard error, whatever they are.

They may be missing, closed, on a full disk, a pipe that nobody reads any more, a terminal
that has gone, or a console that cannot show a Greek letter. None of this may cost a result.
"""

import contextlib
import os
import sys

from ..errors import RunError
from . import mpi, signals
from .files import why

BROKEN_PIPE = 128 + 13  # the status of a process that SIGPIPE ends, as under `| head`


@contextlib.contextmanager
def usable():
    r"""Within, both streams take any text: one that is not there leads nowhere, as do those of
    all processes of mpiexec but the first, and a character that the console cannot show is
    printed as its code.
    """
    with contextlib.ExitStack() as stack:
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if stream is None or getattr(stream, "closed", False) or mpi.launched()[0]:
                nowhere = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
                stack.callback(setattr, sys, name, stream)
                setattr(sys, name, nowhere)
            elif hasattr(stream, "reconfigure"):
                stack.callback(_reconfigure, stream, stream.errors)
                _reconfigure(stream, "backslashreplace")
        yield


def _reconfigure(stream, errors):
    with contextlib.suppress(OSError, ValueError):
        stream.reconfigure(errors=errors)


def say(text):
    r"""A line of stderr, if it can be written."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def progress(iterable=None, **options):
    r"""A progress bar of tqdm on stderr around the iterable; what it cannot show it omits."""
    try:
        from tqdm import tqdm

        return tqdm(iterable, file=_Patient(sys.stderr), **options)
    except ValueError as error:  # tqdm reads settings from variables such as TQDM_MININTERVAL
        raise RunError(f"the progress bar's settings TQDM_…: {error}") from None


def say_beside_bar(text):
    r"""A line of stderr, if it can be written, which does not tear a progress bar."""
    from tqdm import tqdm

    tqdm.write(text, file=_Patient(sys.stderr))


class _Patient:
    r"""A stream to which nothing need be written; to tqdm it is the stream itself."""

    def __init__(self, stream):
        self.stream = stream

    def __eq__(self, other):
        return self.stream is getattr(other, "stream", other)

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def write(self, text):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            self.stream.write(text)

    def flush(self):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            self.stream.flush()


def flushed(status):
    r"""The exit status when everything is printed: what cannot be is noticed here, and not by
    the interpreter at its end.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        status = BROKEN_PIPE
    except (OSError, ValueError) as error:
        say(f"minigan: cannot write to standard output: {why(error)}")
        status = 2
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            _forget(stream)
    return status


def _forget(stream):
    r"""Let the text that cannot be written go nowhere, if the process is ours."""
    if signals.AS_COMMAND:
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
