"""Kills runs at random moments and compares what the next command makes of their folders with
a run that was never stopped: python tests/kill_runs.py [KILLS] [SEED]

A run is begun; again and again it is killed after a random time and resumed, until it ends.
Then every file must be that of the run never stopped, pictures and film included. Only the
seconds in metrics.csv may differ. Most kills are by SIGKILL, which no process can notice.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

STEPS = 600
TRAIN = ["gan", "--data", "ring", "--steps", str(STEPS), "--batch-size", "16", "--quiet"]
TRAIN += ["--G-hidden", "8", "--D-hidden", "8", "--ema-decay", "0.9"]
SIGNALS = [signal.SIGKILL] * 4 + [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]


def minigan(*args, kill_after=None, number=signal.SIGKILL):
    """Run a command, killed after so many seconds; returns (its status, what it said)."""
    command = [sys.executable, "-m", "minigan", *map(str, args)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if kill_after is not None:
        time.sleep(kill_after)
        process.send_signal(number)
    said = b"".join(process.communicate(timeout=120)).decode()
    return process.returncode, said


def train(folder, **kill):
    """Begin the run, or resume it if it was begun; returns whether it has ended."""
    begun = any((folder / name).exists() for name in ("config.json", ".ready"))
    status, said = minigan("train", *TRAIN, "--out", folder, *["--resume"] * begun, **kill)
    assert "Traceback" not in said, said
    assert status in (0, 129, 130, 143, -1, -2, -9, -15), said
    return status == 0


def content(folder):
    """{name: what the file holds}, without seconds, and the arrays of the checkpoint."""
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != ".lock":
            files[str(path.relative_to(folder))] = path.read_bytes()
    lines = files["metrics.csv"].decode().splitlines()
    files["metrics.csv"] = [line.split(",")[:1] + line.split(",")[2:] for line in lines]
    with np.load(folder / "checkpoint.npz", allow_pickle=False) as arrays:
        files["checkpoint.npz"] = {name: arrays[name].tobytes() for name in arrays.files}
    return files


def restored(kills, seed, say=lambda text: None):
    """(runs that ended as the one never stopped, runs, kills) for at least so many kills."""
    rng, runs, same, done = random.Random(seed), 0, 0, 0
    with tempfile.TemporaryDirectory() as place:
        once = Path(place) / "once"
        begin = time.perf_counter()
        assert train(once)
        longest, expected = 1.1 * (time.perf_counter() - begin), content(once)
        while done < kills:
            runs, folder = runs + 1, Path(place) / f"run{runs}"
            for _ in range(rng.randint(1, 5)):
                moment = longest * rng.random() ** 0.7
                done += 1
                if train(folder, kill_after=moment, number=rng.choice(SIGNALS)):
                    break
            train(folder)
            found = content(folder)
            wrong = [
                n for n in found.keys() | expected.keys() if found.get(n) != expected.get(n)
            ]
            same += not wrong
            say(f"run {runs}: {done} kills so far, {wrong or 'as never stopped'}")
    return same, runs, done


if __name__ == "__main__":
    kills, seed = [*map(int, sys.argv[1:]), *(200, 0)[len(sys.argv) - 1 :]]
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    same, runs, done = restored(kills, seed, lambda text: print(text, flush=True))
    print(f"{done} kills: {same} of {runs} run folders as if never stopped")
    sys.exit(same != runs)
