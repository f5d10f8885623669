"""Damages files and options at random: minigan does what it is asked, or says why not.

    python tests/fuzz.py [CASES] [SEED] [--only config|metrics|checkpoint|idx|options]

A case copies a tiny run, damages a file of it or makes options up, and runs commands in this
process. It is a success, or a refusal: a MiniganError, or exit status 2. Anything else is a
fault; so are a warning, a changed file of the user's, many seconds, and much memory taken for
a checkpoint. `fuzz.py 1 NUMBER --only TARGET` shows the fault of that number.
"""

import argparse
import contextlib
import copy
import functools
import gzip
import io
import json
import os
import random
import re
import shlex
import shutil
import signal
import struct
import tempfile
import traceback
import warnings
import zipfile
from pathlib import Path

import numpy as np

import minigan.fast
from minigan.lab import checkpoint, cli, log, run

SECONDS, ROOM, MEMORY = 20, 2**30, 2**26  # of a case; bytes in all, and for a checkpoint
TRAIN = "train cgan --data ring --batch-size 16 --G-hidden 8 --D-hidden 8 --quiet"
FLAGS = {"sample r -o x.npz": "-n --labels --seed -o", "evaluate r": "--n --seed --data-dir"}
FLAGS[TRAIN] = "--steps --batch-size --seed --lr --D-lr --ema-decay --slope --G-hidden --init"
FLAGS[TRAIN] += " --D-hidden --n-noise --n-classes --dtype --backend --out --data --data-dir"
ENDS = {TRAIN: ["--steps 2", "--resume --out r", "--overwrite --out r"]}
WORDS = ["", " ", "x", "..", "/dev/null", "a\nb", "\x1b[2J", "é", "漢", "\udcff", "x" * 5000]
NUMBERS = [0, -1, 1, 2, 3, 0.5, 1e-300, 1e308, float("nan"), float("inf"), 2**31, 2**63, 2**64]
NUMBERS += [10**12, 10**17, -(10**12), 10**400]
ODD = [None, True, [], {}, [[]], [0], [2], [1, 2], ["8"], [1] * 3000, {"a": 1}, "\0", "\ud800"]
ODD += ["@nest", "@nest", "@digits", "@1e400", *WORDS, *NUMBERS]
HEADERS = ["$x_{$", "_hidden", "a" * 9000, "\0", "漢\u202e", "%s{}", "=1+1", "step"]
CELLS = [*map(str, NUMBERS), *WORDS[:9], "1_0", "٣", "9" * 5000]
KINDS = ["|O", "<f8", ">f4", "<f4", "<U9", "<U1000000000", "<i8", "<c8", "|V4", "x", "<M8[s]"]
SHAPES = [(), (1,), (10**12,), (10**12, 10**12), (-1,), (2, 3), (1,) * 40]
PACKED = [0, 0, 0, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


class TooSlow(BaseException):
    """Not an Exception, so that no reader mistakes it for damage."""


def some_bytes(rng, content):
    """The bytes flipped, inserted, cut, doubled, or in another encoding."""
    i, j = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    flipped, few = bytearray(content), rng.randbytes(rng.choice([1, 2, 40]))
    for _ in range(rng.choice([1, 1, 5, 50]) if content else 0):
        flipped[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    many = [flipped, content[:i] + few + content[i:], content[:i], content[i:], b"", few]
    many += [content[:i] + content[j:], content[:j] + content[i:], content + content]
    many += [content[:i] + bytes(j - i) + content[j:], b"\xef\xbb\xbf" + content]
    many += [content.replace(b"\n", b"\r\n"), content.replace(b"\n", b"\r"), b"\n" + content]
    many += [content.decode("latin-1").encode(code) for code in ("utf-16", "utf-8")]
    many.append(re.sub(rb"\d+", rng.choice([b"9" * 5000, b"-1", b"1e999"]), content, count=1))
    return bytes(rng.choice(many))


def some_json(rng, content):
    """The JSON with values of other types, names gone or added, or deeper than can be read."""
    about = json.loads(content)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        node, key = about, rng.choice([*about, "x"])
        while isinstance(node.get(key), dict) and node[key] and rng.random() < 0.8:
            node, key = node[key], rng.choice(list(node[key]))
        key = key if rng.random() < 0.9 else rng.choice(["more", "", "lr"])
        odd = copy.deepcopy(rng.choice(ODD))
        add = isinstance(node.get(key), list) and rng.random() < 0.5
        node[key] = [*node[key], odd] if add else odd
        if rng.random() < 0.1:
            del node[key]
    depth = rng.choice([50, 200, 300, 400, 600, 900, 5000, 100_000])
    text = json.dumps(about).replace('"@nest"', "[" * depth + "]" * depth)
    return text.replace('"@1e400"', "1e400").replace('"@digits"', "9" * 5000).encode()


def some_lines(rng, content):
    """The table with lines doubled, moved, blank or short, a second header, odd numbers."""
    lines = content.decode().splitlines()
    names, *others = (line.split(",") for line in [lines[0], *rng.choices(lines, k=2)])
    for row, odd in zip((names, *others), (HEADERS, CELLS, CELLS)):
        row[rng.randrange(len(row))] = rng.choice(odd)
    i, new = rng.randrange(len(lines)), [",".join(row) for row in others]
    new += ["", lines[0], lines[-1], lines[1][:9], "," * 99, rng.choice(lines)]
    lines[i : i + rng.randint(0, 1)] = rng.sample(new, rng.randint(1, 3))
    if rng.random() < 0.3:
        lines[0] = ",".join(names)
    return ("\n".join(lines) + rng.choice(["\n", "\n", "", "\n\n"])).encode()


def npy(kind, shape, content, fortran=False, version=1, length=None):
    """A file of NumPy's whose header may say anything."""
    head = repr({"descr": kind, "fortran_order": fortran, "shape": shape}).encode() + b"\n"
    size = struct.pack("<H" if version == 1 else "<I", length or len(head))
    return b"\x93NUMPY" + bytes([version, 0]) + size + head + content


def some_archive(rng, content):
    """The archive with members gone, added, renamed, and arrays of other types and shapes."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    what, i, method = rng.random(), rng.randrange(len(members)), rng.choice(PACKED)
    name, member = members[i]
    array = np.load(io.BytesIO(member))
    if what < 0.01:  # a few kilobytes that become 2^27
        members[0] = "about.npy", npy("<U1", (), bytes(2**27), version=2, length=2**27)
        method = rng.choice(PACKED[3:5])
    elif what < 0.4:
        text = some_json(rng, str(np.load(io.BytesIO(members[0][1])))).decode()
        members[0] = "about.npy", npy(f"<U{len(text)}", (), text.encode("utf-32-le"))
    elif what < 0.8:
        raw = [
            array.tobytes(),
            bytes(array.nbytes),
            b"\xff" * array.nbytes,
            b"",
            b"cos\nabs\n.",
        ]
        kind, shape = rng.choice([array.dtype.str, *KINDS]), rng.choice([array.shape, *SHAPES])
        rest = [False, True], [1, 1, 2, 3, 9], [None, None, 2**16 - 1]
        members[i] = name, npy(kind, shape, rng.choice(raw), *map(rng.choice, rest))
    else:
        new = [(f"../{name}", member), (name, some_bytes(rng, member)), ("x.npy", member)]
        members[i : i + rng.randint(0, 1)] = rng.sample(new, rng.randint(0, 2))
    with io.BytesIO() as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of two members of one name
        with zipfile.ZipFile(file, "w", method) as archive:
            for name, member in members:
                archive.writestr(name, member)
        content = bytearray(file.getvalue())
    for sign, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)) if rng.random() < 0.03 else ():
        content[content.find(sign) + at] |= 1  # as if encrypted
    return bytes(content if rng.random() < 0.97 else member)  # .npy in the place of .npz


def damage(rng, path, *ways):
    """Damage the file, or put something else in its place."""
    if rng.random() < 0.9:
        return path.write_bytes(rng.choice([some_bytes, *4 * ways])(rng, path.read_bytes()))
    path.unlink()
    links = ["nowhere", path.name, path.parent.parent / "user.txt", path.parent]
    makers = [path.mkdir, path.touch, lambda: os.mkfifo(path), lambda: None]
    rng.choice([*makers, *(functools.partial(path.symlink_to, to) for to in links)])()


def command(line, *more):
    """Whether a command succeeded; it was refused if not, with one line or argparse's."""
    said = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
        try:
            status = cli.main([*shlex.split(line), *map(str, more)])
        except SystemExit as stopped:  # argparse's lines are several
            status = stopped.code
    said = said.getvalue()
    right = {
        0: not said or "mode collapse?" in said,
        2: said.count("\n") == 1 or "error: " in said,
    }
    assert right.get(status), (status, said)
    return status == 0


def resumed(rng, r):
    """Go on with the run and draw from it: each is asked, and answers."""
    (r / rng.choice(["losses.png", "film.gif"])).unlink(missing_ok=True)
    trained = command(f"{TRAIN} --resume --out r", *rng.choice([[], [], ["--steps", 8]]))
    return command(f"sample r -n 3 -o x.{rng.choice(['png', 'npz'])}") and trained


def config(rng, r):
    damage(rng, r / "config.json", some_json)
    if rng.random() < 0.3:
        return resumed(rng, r)
    run.Run.open(r).change(6, steps=7)


def metrics(rng, r):
    damage(rng, r / "metrics.csv", some_lines)
    if rng.random() < 0.2:
        return resumed(rng, r)
    log.columns(r / "metrics.csv")
    one = run.Run.open(r)
    one.load()
    one.log({"step": 7, "loss_D": 1.0, "loss_G": 1.0, "D(x)": 0.5, "D(G(z))": 0.5})


def npz(rng, r):
    damage(rng, r / "checkpoint.npz", some_archive)
    if rng.random() < 0.2:
        return resumed(rng, r)
    Path("/proc/self/clear_refs").write_text("5")
    before = memory("VmRSS")
    try:
        checkpoint.load_checkpoint(r / "checkpoint.npz")
    finally:
        assert memory("VmHWM") - before < MEMORY, "too much memory was taken"


def memory(what):
    """Bytes of memory in use, or in use at most since that was cleared."""
    return 1024 * int(re.search(rf"{what}:\s+(\d+)", Path("/proc/self/status").read_text())[1])


def idx(rng, r):
    for name, sizes in (("images-idx3", (20, 4, 4)), ("labels-idx1", (20,))):
        path, head = r / f"train-{name}-ubyte", bytes([0, 0, 8, len(sizes)])
        path.write_bytes(head + np.array(sizes, ">u4").tobytes() + bytes(np.prod(sizes)))
        for way in rng.sample([gzip.compress, some_bytes, some_bytes, None], 2):
            if way is gzip.compress and path.is_file():
                path.write_bytes(way(path.read_bytes()))
            elif way and path.is_file():
                damage(rng, path)
    minigan.load(r)


def options(rng, r):
    line = rng.choice([TRAIN, *FLAGS])
    values, few = [*WORDS, *NUMBERS, "r", r, 7, "x.png", "r/samples.png"], [0, -1, "x", 4, 9e17]
    argv, flags = [], FLAGS[line].split()
    for flag in rng.choices(flags, k=rng.choice([1, 1, 2, 4])):
        chosen = rng.choices(few if flag == "--steps" else values, k=rng.choice([1, 1, 2]))
        argv += [flag, *chosen]
    return command(line, *argv, *rng.choice(ENDS.get(line, [""])).split())


TARGETS = {
    "config": config,
    "metrics": metrics,
    "checkpoint": npz,
    "idx": idx,
    "options": options,
}


def attempt(target, number, base):
    """Whether a case succeeded; False if it was refused. Raises whatever else happens."""
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        shutil.copytree(base, "r")
        own = [Path(place, name) for name in ("r/thesis.tex", "user.txt", "r/frames/notes.txt")]
        for path in own:
            path.write_text("years of work")
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        try:
            return target(random.Random(number), own[0].parent) is not False
        except minigan.MiniganError:
            return False
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            os.chdir("/")
            assert [path.read_text() for path in own] == ["years of work"] * 3


def too_slow(number, frame):
    raise TooSlow(f"more than {SECONDS} seconds")


def fuzz(name, cases, seed=0):
    """(successes, refusals, {number of a case: its fault}) of one target."""
    import resource  # not on Windows

    counts, faults, most = [0, 0], {}, resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGALRM, too_slow)
    with tempfile.TemporaryDirectory() as base, warnings.catch_warnings():
        warnings.simplefilter("always")  # they are written to stderr, where `command` sees them
        assert command(f"{TRAIN} --steps 6 --out", Path(base, "run"))
        resource.setrlimit(resource.RLIMIT_AS, (memory("VmSize") + ROOM, most[1]))
        for number in range(seed, seed + cases):
            try:
                counts[not attempt(TARGETS[name], number, Path(base, "run"))] += 1
            except (Exception, TooSlow) as error:
                faults[number] = error
    signal.signal(signal.SIGALRM, before)
    resource.setrlimit(resource.RLIMIT_AS, most)
    return *counts, faults


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("cases", type=int, nargs="?", default=5000)
    parser.add_argument("seed", type=int, nargs="?", default=0)
    parser.add_argument("--only", choices=TARGETS, action="append")
    asked, minigan.fast.njit = parser.parse_args(), None  # nothing is compiled
    for name in asked.only or TARGETS:
        good, bad, faults = fuzz(name, asked.cases, asked.seed)
        text = f"{name}: {asked.cases} cases, {good} successes, {bad} refusals, {len(faults)} "
        print(text + "faults", *faults, flush=True)
        for number, error in faults.items():
            print(f"  {number}: {error!r:.300}")
        for error in faults.values() if asked.cases == 1 else ():
            traceback.print_exception(error)
