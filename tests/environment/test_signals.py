"""Ctrl-C, SIGTERM and SIGHUP at any moment."""

import os
import random
import select
import shutil
import signal
import struct
import subprocess
import time

import pytest
from place import LONG, MINIGAN, PROOF, RESUME, TRAIN, check_whole, content, ended, wait_for

from minigan.lab.checkpoint import load_checkpoint

fcntl = pytest.importorskip("fcntl")
pty = pytest.importorskip("pty")
termios = pytest.importorskip("termios")


STOPPING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
MOMENTS = 12
STEPS = 10


def seconds(place, *args, **options):
    begin = time.monotonic()
    place.works(*args, **options)
    return time.monotonic() - begin


@pytest.mark.parametrize("number", STOPPING, ids=lambda number: number.name)
def test_a_training_that_is_asked_to_stop_saves_and_can_go_on(place, number):
    train = [*TRAIN[:-2], str(STEPS), "--quiet", "--out", "new"]
    longest, rng, saved = seconds(place, *train), random.Random(int(number)), 0
    shutil.rmtree(place / "new")
    for _ in range(MOMENTS):
        begun = (place / "new/config.json").exists()
        status, _, err = place.interrupted(
            *train, *["--resume"] * begun, number=number, after=1.05 * longest * rng.random()
        )
        assert status in (0, 128 + number, -number), (status, err)
        if status == 0:
            assert check_whole(place / "new") == STEPS
            shutil.rmtree(place / "new")
        elif "stopped and saved at step " in err:
            step = int(err.partition("saved at step ")[2].partition(";")[0])
            assert check_whole(place / "new") == step
            assert (place / "new/film.gif").exists()
            saved += 1
    assert saved
    begun = (place / "new/config.json").exists()
    place.works(*train, *["--resume"] * begun)
    assert check_whole(place / "new") == STEPS


@pytest.mark.parametrize("command", [["evaluate", "run", "--n", "50"], PROOF], ids=" ".join)
def test_ctrl_c_ends_other_commands_at_once(place, command):
    longest, rng, before = seconds(place, *command), random.Random(0), content(place / "run")
    script, ends = str(place.stand_ins / "script/minigan"), set()
    for i in range(MOMENTS):
        options = {"program": [script] if i % 3 == 0 else MINIGAN}
        after = 1.05 * longest * rng.random()
        status, _, err = place.interrupted(*command, after=after, **options)
        assert status in (0, 130, -signal.SIGINT), (status, err)
        assert err.strip() in ("", "minigan: interrupted")
        ends.add(status)
    assert 130 in ends
    for number in (signal.SIGTERM, signal.SIGHUP):
        done = place.interrupted(*command, number=number, after=0.7 * longest)
        assert done[0] in (0, -number)
        assert done[2] == ""
    after = content(place / "run")
    assert {name: after[name] for name in before} == before
    check_whole(place / "run")


HOOK = """
import os, sys

class Fork:
    "At every import a child is interrupted; that must end it with status 130."
    def find_spec(self, name, path=None, target=None):
        begun = "minigan.lab.signals" in sys.modules
        if not (begun and hasattr(sys.modules.get("signal"), "Signals")):
            return None  # before, nothing can be done about a signal
        child = os.fork()
        if child == 0:
            sys.meta_path.remove(self)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            os.kill(os.getpid(), 2)
            return None
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        with open(os.environ["FOUND"], "a", encoding="utf-8") as file:
            file.write(f"{name} {status}\\n")

sys.meta_path.insert(0, Fork())
"""


@pytest.mark.parametrize("command", [PROOF, ["evaluate", "run", "--n", "20"]], ids=" ".join)
def test_ctrl_c_during_any_import_ends_with_130(place, command):
    (place / "hook").mkdir()
    (place / "hook/sitecustomize.py").write_text(HOOK, encoding="utf-8")
    path = place.environ()["PYTHONPATH"] + os.pathsep + str(place / "hook")
    env = {"FOUND": str(place / "found"), "PYTHONPATH": path}
    place.works(*command, env=env)
    found = dict(line.split() for line in (place / "found").read_text("utf-8").splitlines())
    assert {"numpy", "argparse", "minigan.lab.cli", "minigan.lab.commands"} <= found.keys()
    assert {name: status for name, status in found.items() if status != "130"} == {}


def test_a_signal_that_is_ignored_stays_ignored(place):
    """As SIGHUP is under nohup, and SIGINT for a job in a shell's background."""
    ignored = signal.SIGHUP, signal.SIGINT

    def ignore():
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)

    train = [*TRAIN[:-2], "300", "--quiet", "--out", "new"]
    process = place.start(*train, preexec_fn=ignore)
    for moment in ("at once", "while it trains"):
        for number in ignored:
            process.send_signal(number)
        if moment == "at once":
            wait_for(place / "new/metrics.csv")
    status, _, err = ended(process)
    assert status == 0
    assert "minigan: " not in err
    assert check_whole(place / "new") == 300


@pytest.mark.parametrize("again", [0.0, 0.002, 0.05])
def test_ctrl_c_twice_ends_at_once_and_the_run_can_go_on(place, again):
    process = place.start(*LONG, "new")
    wait_for(place / "new/metrics.csv")
    process.send_signal(signal.SIGINT)
    time.sleep(again)
    process.send_signal(signal.SIGINT)
    status, _, err = ended(process)
    assert status in (130, -signal.SIGINT)  # that if the first was over when the second came
    assert "interrupted" in err or "stopped and saved" in err
    assert check_whole(place / "new") is not None
    step = load_checkpoint(place / "new/checkpoint.npz")[1].step
    place.works(*RESUME[:-1], "new", "--steps", str(step + 3))
    assert check_whole(place / "new") == step + 3


@pytest.mark.parametrize("streams", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_what_is_said_of_ctrl_c_is_not_written_into_a_file(place, streams):
    """With stderr closed, a file that is opened next has its number."""
    process = place.start(*LONG, "new", wrap=["sh", "-c", f'exec "$@" {streams}', "sh"])
    wait_for(place / "new/metrics.csv")
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.002)
    assert ended(process)[0] == 130
    files = (path for path in (place / "new").rglob("*") if path.is_file())
    assert not [path for path in files if b"interrupted" in path.read_bytes()]


def test_ctrl_c_in_a_pipeline_whose_reader_has_gone_saves_the_run(place):
    process = place.start(*LONG, "new", stderr=subprocess.STDOUT)
    wait_for(place / "new/metrics.csv")
    process.stdout.close()
    process.send_signal(signal.SIGINT)
    assert process.wait(60) in (130, -signal.SIGPIPE)
    assert check_whole(place / "new") > 0
    assert (place / "new/film.gif").exists()


def test_a_terminal_that_is_closed_stops_a_training_which_saves(place):
    """The terminal is gone, so nothing can be said, and nothing need be."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    options = {"stdin": theirs, "stdout": theirs, "stderr": theirs, "start_new_session": True}
    terminal = "import fcntl, os, sys, termios\nfcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    terminal += "os.execv(sys.executable, [sys.executable, '-m', 'minigan', *sys.argv[1:]])"
    loud = [word for word in LONG if word != "--quiet"]
    process = place.start(*loud, "new", program=["-c", terminal], **options)
    os.close(theirs)
    begun, shown = None, b""
    while begun is None or time.monotonic() < begun + 0.3:
        if select.select([ours], [], [], 0.05)[0]:
            shown += os.read(ours, 4096)
        if begun is None and (place / "new/metrics.csv").exists():
            begun = time.monotonic()
        assert process.poll() is None, shown
    os.close(ours)
    assert process.wait(60) == 128 + signal.SIGHUP
    assert b" left, D(x)=" in shown
    assert check_whole(place / "new") > 0
    assert (place / "new/film.gif").exists()


@pytest.mark.parametrize("name", ["a b", "-x", "$HOME"])
def test_what_is_said_after_ctrl_c_can_be_pasted(place, name):
    process = place.start(*LONG[:-1], f"--out={name}")
    wait_for(place / name / "metrics.csv")
    process.send_signal(signal.SIGINT)
    status, _, err = ended(process)
    assert status == 130
    command = err.partition("go on with: minigan ")[2].strip()
    assert command
    step = check_whole(place / name)
    script = f'exec "$@" {command} --quiet --steps {step + 2}'
    assert place.sh(script)[0] == 0
    assert check_whole(place / name) == step + 2
