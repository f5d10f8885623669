r"""How a command ends when it is asked to: Ctrl-C, SIGTERM, SIGHUP.

This module is imported before everything else, since a person may press Ctrl-C while NumPy
loads. In a process that was started as the command `minigan`, Ctrl-C then ends it at once,
with status 130 and without a traceback. In a program that imports minigan nothing is changed.
"""

import _signal  # type: ignore[import-not-found]  # `signal` takes milliseconds to import
import contextlib
import os
import sys

AS_COMMAND = os.path.basename("".join(sys.argv[:1])) in ("minigan", "minigan.exe") or (
    sys.argv[:1] == ["-m"]  # until the module is found, `python -m NAME` calls itself so
    and sys.orig_argv[-len(sys.argv)].removeprefix("-m") == "minigan"
)
at_once: list = []  # what is called before the process ends


def _end_at_once(number, frame):
    for clean in at_once:
        clean()
    if sys.__stderr__:
        with contextlib.suppress(OSError):
            os.write(2, b"\nminigan: interrupted\n")
    os._exit(128 + number)


if AS_COMMAND and _signal.getsignal(_signal.SIGINT) is not _signal.SIG_IGN:
    with contextlib.suppress(ValueError):  # Python allows it in the main thread alone
        _signal.signal(_signal.SIGINT, _end_at_once)

import signal  # noqa: E402
import threading  # noqa: E402

STOPPING = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


@contextlib.contextmanager
def stop_when_asked():
    r"""Within, the first signal to stop is only noted in the list that is yielded.

    A second one acts as if there were no first. What is ignored, as SIGHUP is under `nohup`,
    stays ignored; outside the main thread, where Python allows no handlers, nothing is done.
    """
    asked, before = [], {}

    def note(number, frame):
        asked.append(number)
        restore()

    def restore():
        for number, handler in before.items():
            signal.signal(number, handler)

    if threading.current_thread() is threading.main_thread():
        for number in STOPPING:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, note)
    try:
        yield asked
    finally:
        restore()
