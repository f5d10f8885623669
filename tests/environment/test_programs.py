"""minigan within another program; a server that hangs up."""

import contextlib
import io
import os
import socket
import subprocess
import threading

import pytest
from place import NO_SERVER, SIZE, check_whole, in_this_process

import minigan
from minigan.lab import signals

PROGRAM = """
import os, signal, socket, sys, threading
from minigan.lab.cli import main

def own(number, frame):
    heard.append(number)

heard, names = [], ("SIGINT", "SIGTERM", "SIGHUP", "SIGPIPE", "SIGUSR1")
for name in names:
    signal.signal(getattr(signal, name), own)
streams = sys.stdin, sys.stdout, sys.stderr, sys.stdout.errors, sys.stderr.errors
train = sys.argv[1:]

def unchanged():
    assert all(signal.getsignal(getattr(signal, name)) is own for name in names)
    now = sys.stdin, sys.stdout, sys.stderr, sys.stdout.errors, sys.stderr.errors
    assert now == streams
    assert not heard, heard

for out in ("one", "two"):
    assert main([*train, "--steps", "4", "--out", out]) == 0
    unchanged()
assert main(["evaluate", "one", "--n", "20"]) == 0
assert main(["sample", "nowhere", "-o", "x.png"]) == 2
for words in (["--version"], ["sample"]):
    main(words)
    unchanged()

found = []
thread = threading.Thread(target=lambda: found.append(main([*train, "--steps", "4"])))
thread.start()
thread.join()
assert found == [0]
unchanged()

threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
assert main([*train, "--steps", "1000000", "--out", "three"]) == 143
unchanged()
os.kill(os.getpid(), signal.SIGINT)
assert heard == [signal.SIGINT]

signal.signal(signal.SIGPIPE, signal.SIG_IGN)
broken, stop = 0, threading.Event()

def serve():
    global broken
    while not stop.is_set():
        ours, theirs = socket.socketpair()
        theirs.close()
        try:
            ours.send(b"to a client who has left")
        except BrokenPipeError:
            broken += 1
        ours.close()

server = threading.Thread(target=serve)
server.start()
assert main(["evaluate", "one", "--n", "20"]) == 0
stop.set()
server.join()
assert broken
assert signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN
print("the program is unharmed")
"""


def test_a_program_may_call_main_again_and_again_and_from_a_thread(place):
    train = ["train", "gan", *SIZE, "--quiet"]
    out = place.works(*train, program=["-c", PROGRAM], stdin=subprocess.DEVNULL)
    assert out.endswith("the program is unharmed\n")
    for folder in ("one", "two", "runs/gan-ring"):
        assert check_whole(place / folder) == 4
    assert check_whole(place / "three") > 0


@pytest.mark.parametrize("words", [["sample", "a\0b", "-o", "x.png"], ["train\0", "gan"]])
def test_a_nul_character_is_refused(words):
    said = io.StringIO()
    assert in_this_process(words, None, said) == 2
    assert said.getvalue() == "minigan: expected arguments without a NUL character\n"


def test_calling_main_again_and_again_piles_nothing_up():
    lengths = []
    for _ in range(3):
        assert in_this_process(["sample", "nowhere", "-o", "x.png"], None, None) == 2
        lengths.append(len(signals.at_once))
    assert len(set(lengths[1:])) == 1


@pytest.mark.parametrize("start", [["-m", "other"], ["-m", "other.part"]])
def test_another_package_that_imports_minigan_keeps_its_ctrl_c(place, start):
    main = """
import atexit, os, signal, time
atexit.register(print, "cleaned up")
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(1)
except KeyboardInterrupt:
    print("interrupted, and what is open will be saved")
"""
    (place / "other").mkdir()
    (place / "other/__init__.py").write_text("import minigan\n", encoding="utf-8")
    for name in ("__main__.py", "part.py"):
        (place / "other" / name).write_text(main, encoding="utf-8")
    out = place.works(program=start)
    assert out == "interrupted, and what is open will be saved\ncleaned up\n"


def test_a_script_of_the_name_minigan_is_the_command(place):
    """As pip installs it."""
    script = [str(place.stand_ins / "script/minigan")]
    place.refuses("sample", "nowhere", "-o", "x.png", program=script, words="no run of minigan")
    assert place.works("--version", program=script) == f"minigan {minigan.__version__}\n"


@pytest.fixture
def rude_server():
    """The address of a server that closes every connection as soon as it is made."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with contextlib.suppress(OSError):
                        connection.shutdown(socket.SHUT_RDWR)
                    connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}/"
        server.close()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_hangs_up_is_a_reason_and_not_the_end(place, scheme, rude_server):
    for _ in range(2):
        place.refuses(*NO_SERVER[:-1], f"{scheme}://{rude_server}", words="cannot download")
    assert not os.listdir(place / "digits")
