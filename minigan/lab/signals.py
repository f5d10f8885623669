r"""How a command ends when it is asked to: Ctrl-C, SIGTERM, SIGHUP.

This module is imported before NumPy, since a person may press Ctrl-C while NumPy loads. In a
process that was started as the command `minigan`, Ctrl-C then ends it at once, with status
130 and without a traceback. In a program that imports minigan nothing is changed.
"""

import contextlib
import os
import signal
import sys
import threading

AS_COMMAND = os.path.basename("".join(sys.argv[:1])) in ("minigan", "minigan.exe", "-m")
STOPPING = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
at_once: list = []  # what is called before the process ends


def _end_at_once(number, frame):
    for clean in at_once:
        clean()
    if sys.__stderr__:
        with contextlib.suppress(OSError):
            os.write(2, b"\nminigan: interrupted\n")
    os._exit(128 + number)


def _in_main_thread():
    return threading.current_thread() is threading.main_thread()


if AS_COMMAND and _in_main_thread() and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
    signal.signal(signal.SIGINT, _end_at_once)


@contextlib.contextmanager
def broken_pipes_end():
    r"""Within, writing to a pipe that nobody reads ends the process: `minigan … | head`."""
    if not (hasattr(signal, "SIGPIPE") and _in_main_thread()):
        yield
        return
    before = signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGPIPE, before)


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

    if _in_main_thread():
        for number in STOPPING:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, note)
    try:
        yield asked
    finally:
        restore()
