"""Damages files and options at random: minigan does what it is asked, or says why not.

    python tests/fuzz.py [CASES] [SEED] [--only config|…|options|images|npz|npy|csv]

A case copies a tiny run, damages a file of it or makes options up, and runs commands in this
process. Whatever is neither a success nor a refusal (MiniganError, exit status 2) is a fault;
so are a warning, a changed file of the user's, and much time or memory taken. Each case has a
seed; `fuzz.py 1 SEED --only TARGET` raises its fault.
"""

import contextlib
import io
import json
import os
import random
import re
import resource
import shlex
import shutil
import signal
import struct
import sys
import tempfile
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

import minigan.fast
from minigan.lab import cli, log, run

SECONDS, ROOM, MEMORY = 20, 2**27, resource.RLIMIT_AS  # ROOM is in bytes
TRAIN = "train cgan --data ring --batch-size 16 --G-hidden 8 --D-hidden 8 --quiet"
FLAGS = {"sample r -o x.npz": "-n --labels --seed -o", "evaluate r": "--n --seed --data-dir"}
FLAGS[TRAIN] = "--steps --batch-size --seed --lr --D-lr --ema-decay --slope --G-hidden --init"
FLAGS[TRAIN] += " --D-hidden --n-noise --n-classes --dtype --backend --out --data --data-dir"
ENDS = {TRAIN: ["--steps 2", "--resume --out r --steps 7", "--overwrite --out r --steps 2"]}
WORDS = ["", " ", "x", "..", "/dev/null", "a\nb", "\x1b[2J", "漢", "\udcff", "r", "x" * 5000]
WORDS += [0, -1, 1, 2, 3, 7, 0.5, 1e-300, 1e308, float("nan"), float("inf"), 2**31, 2**63]
WORDS += [10**12, 10**17, -(10**12), 10**400, "9" * 5000]
ODD = [None, True, [], {}, [[]], [0], [2], [1, 2], ["8"], [1] * 3000, {"a": 1}, "\0", "\ud800"]
ODD += ["@nest", "@nest", "@digits", "@1e400", *WORDS]
CELLS = ["$x_{$", "_hidden", "\0", "=1+1", "step", "1_0", "٣", *WORDS]
KINDS = ["|O", "<f8", ">f4", "<f4", "<U9", "<U1000000000", "<i8", "<c8", "|V4", "x", "<M8[s]"]
SHAPES = [(), (1,), (10**12,), (10**12, 10**12), (-1,), (2, 3), (1,) * 40]
PACKED = [0, 0, 0, zipfile.ZIP_LZMA, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2]
IDX = b"\0\0\10\3" + 3 * b"\0\0\0\4" + 64 * b"\7"


def some_bytes(rng, old):
    """The bytes flipped, inserted, cut, doubled, or in another encoding."""
    i, j = sorted(rng.randrange(len(old)) for _ in range(2))
    flipped, few = bytearray(old), rng.randbytes(rng.choice([1, 2, 40]))
    for at in (i, j):
        flipped[at] ^= 1 << rng.randrange(8)
    new = [flipped, old[:i] + few + old[i:], old[:i], old[i:], b"", few, old[:i] + old[j:]]
    new += [old[:j] + old[i:], old + old, old[:i] + bytes(j - i) + old[j:], b"\n" + old]
    new += [old.replace(b"\n", b"\r\n"), old.replace(b"\n", b"\r"), b"\xef\xbb\xbf" + old]
    return bytes(rng.choice([*new, old.decode("latin-1").encode("utf-16")]))


def some_json(rng, old):
    """The JSON with values of other types, names gone or added, or deeper than can be read."""
    about = json.loads(old)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        node, key = about, rng.choice([*about, "new"])
        while isinstance(node.get(key), dict) and node[key] and rng.random() < 0.8:
            node, key = node[key], rng.choice([*node[key], "new"])
        odd, was = json.loads(json.dumps(rng.choice(ODD))), node.pop(key, None)
        if rng.random() < 0.9:
            node[key] = [*was, odd] if isinstance(was, list) and rng.random() < 0.5 else odd
    depth = rng.choice([50, 200, 300, 400, 600, 900, 5000, 100_000])
    text = json.dumps(about).replace('"@nest"', "[" * depth + "]" * depth)
    return text.replace('"@1e400"', "1e400").replace('"@digits"', "9" * 5000).encode()


def some_lines(rng, old):
    """The table with lines doubled, moved, blank or short, a second header, odd cells."""
    lines = old.decode().splitlines()
    new = [line.split(",") for line in [lines[0], *rng.choices(lines, k=2)]]
    for row in new:
        row[rng.randrange(len(row))] = str(rng.choice(CELLS))
    new = [*map(",".join, new), "", lines[0], lines[-1], lines[1][:9], "," * 99, lines[2]]
    i = rng.choice([0, *range(len(lines))])
    lines[i : i + rng.randint(0, 1)] = rng.sample(new, rng.randint(1, 3))
    return ("\n".join(lines) + rng.choice(["\n", "\n", "", "\n\n"])).encode(errors="replace")


def npy(kind, shape, content, fortran=False, version=1, length=None):
    """A file of NumPy's whose header may say anything."""
    head = repr({"descr": kind, "fortran_order": fortran, "shape": shape}).encode() + b"\n"
    size = struct.pack("<H" if version == 1 else "<I", length or len(head))
    return b"\x93NUMPY" + bytes([version, 0]) + size + head + content


def some_archive(rng, old):
    """The archive with members gone, added, renamed, and arrays of other types and shapes."""
    with np.load(io.BytesIO(old)) as arrays:
        members = {name: npy(a.dtype.str, a.shape, a.tobytes()) for name, a in arrays.items()}
        name, what, method = rng.choice(arrays.files), rng.random(), rng.choice(PACKED)
        array = arrays[name]
        about = str(arrays["about"]).encode() if "about" in arrays else None
    if what < 0.01:  # a few kilobytes that become 2^29
        members[name] = npy("<U1", (), bytes(2**29), version=2, length=2**29)
        method = rng.choice(PACKED[4:])
    elif what < 0.4 and about:
        text = some_json(rng, about).decode()
        members["about"] = npy(f"<U{len(text)}", (), text.encode("utf-32-le"))
    elif what < 0.8:
        raw = [array.tobytes(), b"\xff" * array.nbytes, b"", b"cos\nabs\n."]
        kind, shape = rng.choice([array.dtype.str, *KINDS]), rng.choice([array.shape, *SHAPES])
        rest = [False, True], [1, 1, 2, 3, 9], [None, None, 2**16 - 1]
        members[name] = npy(kind, shape, rng.choice(raw), *map(rng.choice, rest))
    elif what < 0.9:
        members[rng.choice([f"../{name}", "x", "G_theta", "x_test"])] = members.pop(name)
    else:
        members[name] = some_bytes(rng, members[name])
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for each, member in members.items():
            archive.writestr(f"{each}.npy", member)
    new = bytearray(file.getvalue())
    for sign, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)) if rng.random() < 0.03 else ():
        new[new.find(sign) + at] |= 1  # as if encrypted
    return bytes(new if rng.random() < 0.97 else npy("<f4", (1,), bytes(4)))  # no .npz


def some_array(rng, old):
    """An array of another type or shape, or one that says so."""
    array = np.load(io.BytesIO(old))
    raw = [old[128:], b"\xff" * array.nbytes, b"", b"cos\nabs\n."]
    kind, shape = rng.choice([array.dtype.str, *KINDS]), rng.choice([array.shape, *SHAPES])
    rest = [False, True], [1, 1, 2, 3, 9], [None, None, 2**16 - 1]
    return npy(kind, shape, rng.choice(raw), *map(rng.choice, rest))


def some_image(rng, old):
    """A PNG whose sums are right, whatever else is wrong; of another format, some bytes."""
    if not old.startswith(b"\x89PNG"):
        return some_bytes(rng, old)
    chunks, at = [], 8
    while at < len(old):
        size = struct.unpack(">I", old[at : at + 4])[0]
        chunks.append((old[at + 4 : at + 8], old[at + 8 : at + 8 + size]))
        at += 12 + size
    i = rng.randrange(len(chunks))
    kind, body = chunks[i]
    if kind == b"IHDR" and rng.random() < 0.5:
        sides = [rng.choice([0, 1, 4, 5000, 12_000, 2**17, 2**31 - 1]) for _ in range(2)]
        body = struct.pack(">II", *sides) + body[8:]
    elif body:
        body = some_bytes(rng, body)
    new = [(kind, body), (rng.choice([b"tRNS", b"PLTE", b"eXIf", b"zTXt", b"acTL"]), body)]
    chunks[i : i + rng.randint(0, 1)] = rng.sample(new, rng.randint(1, 2))
    packed = old[:8]
    for kind, body in chunks:
        packed += struct.pack(">I", len(body)) + kind + body
        packed += struct.pack(">I", zlib.crc32(kind + body))
    return packed


def damage(rng, path, way):
    """Damage the file, or put something else in its place."""
    if rng.random() < 0.9:
        return path.write_bytes(rng.choice([some_bytes, way, way])(rng, path.read_bytes()))
    path.unlink()
    to = rng.choice(["nowhere", path.name, "..", "../user.txt"])
    others = [path.mkdir, path.touch, lambda: os.mkfifo(path), lambda: None]
    rng.choice([lambda: path.symlink_to(to), rng.choice(others)])()


def use(rng, target):
    """Whether a command succeeded with made up options, or with the run that was damaged."""
    if target == "options":
        line, argv = rng.choice([TRAIN, *FLAGS]), []
        for flag in rng.choices(FLAGS[line].split(), k=rng.choice([1, 1, 2, 4])):
            few = [0, -1, "x", 4, 9e17] if flag == "--steps" else [*WORDS, "r/samples.png"]
            argv += [flag, *rng.choices(few, k=rng.choice([1, 1, 2]))]
        return command(line, *argv, *rng.choice(ENDS.get(line, [""])).split())
    if target == "idx":
        return minigan.load("r")
    if target in OWN:
        how = {"size": rng.choice([None, None, 4, (2, 8)]), "grey": rng.choice([None, True])}
        data = minigan.load(f"r/own/{target}", **how)
        return [data, data.source.held_out(9)]
    if rng.random() < 0.2:
        Path("r/losses.png").unlink()
        trained = command(f"{TRAIN} --resume --out r --steps", rng.choice([4, 6, 6, 8]))
        return command(f"sample r -n 3 -o x.{rng.choice(['png', 'npz'])}") and trained
    one = run.Run.open("r")
    one.change(6, steps=7)
    log.columns("r/metrics.csv")
    one.load()
    return one.log({"step": 7, "loss_D": 1, "loss_G": 1, "D(x)": 0.5, "D(G(z))": 0.5})


def command(line, *more):
    """Whether a command succeeded; it was refused if not, with one line or argparse's."""
    out, said = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
        status = cli.main([*shlex.split(line), *map(str, more)])
    told = re.compile(r"step \d+: (hardly any samples|class)")
    said = [text for text in said.getvalue().splitlines() if not told.match(text)]
    right = {0: not said, 2: len(said) == 1 or "usage: " in "".join(said[:1])}
    assert right.get(status), (status, said)
    return status == 0


TARGETS = {"config": ("r/config.json", some_json), "metrics": ("r/metrics.csv", some_lines)}
TARGETS |= {"classes": ("r/classes.json", some_json)}
TARGETS |= {"checkpoint": ("r/checkpoint.npz", some_archive), "options": ()}
TARGETS |= {"idx": ("r/train-images-idx3-ubyte", some_bytes)}
OWN = {"images": some_image, "npz": some_archive, "npy": some_array, "csv": some_lines}
TARGETS |= {name: (f"r/own/{name}", way) for name, way in OWN.items()}


def some_of_ones_own(place):
    """A small data set of each kind, in folders called as the kinds."""
    rng = np.random.default_rng(0)
    for name in OWN:
        (place / name).mkdir(parents=True)
    for suffix in ("png", "jpg", "gif", "bmp", "webp"):
        Image.fromarray(rng.integers(256, size=(8, 8, 4)).astype("u1")).convert(
            "RGBA" if suffix in ("png", "webp") else "RGB"
        ).save(place / f"images/a.{suffix}", exif=b"Exif\0\0MM\0*\0\0\0\10\0\0")
    x, labels = rng.integers(256, size=(9, 8, 8)).astype("u1"), np.arange(9) % 2
    np.savez_compressed(place / "npz/x.npz", x=x, labels=labels, x_test=x, y_test=labels)
    for name, array in (("imgs", x), ("labels", labels)):
        np.save(place / f"npy/train-{name}.npy", array)
    for name in ("train", "test"):
        lines = [f"{row[0]},{row[1]},{'ab'[row[2] % 2]}\n" for row in x[:, 0].tolist()]
        (place / f"csv/{name}.csv").write_text("x,y,label\n" + "".join(lines))


def attempt(target, seed):
    """Whether a case succeeded; False if it was refused. Raises whatever else happens."""
    rng, own = random.Random(seed), [Path(n) for n in ("r/thesis", "user.txt", "r/frames/x")]
    for path in own:
        path.write_text("years of work")
    if TARGETS[target]:
        path, way = Path(TARGETS[target][0]), TARGETS[target][1]
        damage(rng, rng.choice(sorted(path.iterdir())) if path.is_dir() else path, way)
    pages, most = Path("/proc/self/statm").read_text().split()[0], resource.getrlimit(MEMORY)
    resource.setrlimit(MEMORY, (4096 * int(pages) + ROOM, most[1]))
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        done = bool(use(rng, target))
    except minigan.MiniganError as error:
        done = "MemoryError" in str(error) and 1 / 0
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(MEMORY, most)
    assert [path.read_text() for path in own] == ["years of work"] * 3
    return done


def tiny_run(place):
    """A short run in a folder, and data beside it."""
    assert command(f"{TRAIN} --steps 6 --out", place)
    (place / "train-images-idx3-ubyte").write_bytes(IDX)
    some_of_ones_own(place / "own")


def fuzz(target, cases, seed, tiny):
    """(successes, refusals, {seed of a case: its fault}) of one target on copies of a run."""
    counts, faults = [0, 0], {}
    before = os.getcwd(), signal.signal(signal.SIGALRM, signal.default_int_handler)
    with warnings.catch_warnings():
        warnings.simplefilter("always")  # they are written to stderr, where `command` sees them
        for case in range(seed, seed + cases):
            with tempfile.TemporaryDirectory() as place:
                os.chdir(place)
                shutil.copytree(tiny, "r")
                try:
                    counts[not attempt(target, case)] += 1
                except (Exception, KeyboardInterrupt) as error:
                    faults[case] = f"{error!r:.200}"
                    if cases == 1:
                        raise
                finally:
                    os.chdir(before[0])
    signal.signal(signal.SIGALRM, before[1])
    return *counts, faults


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # an alarm is not Ctrl-C
    minigan.fast.njit = None  # nothing is compiled
    numbers = [int(word) for word in sys.argv[1:] if word.isdecimal()]
    cases, seed = [*numbers, *(5000, 0)[len(numbers) :]]
    with tempfile.TemporaryDirectory() as base:
        tiny_run(Path(base, "r"))
        for name in [word for word in sys.argv if word in TARGETS] or TARGETS:
            good, bad, faults = fuzz(name, cases, seed, Path(base, "r"))
            text = f"{cases} cases, {good} successes, {bad} refusals, {len(faults)} faults"
            print(f"{name}: {text}", *(f"\n  {n}: {fault}" for n, fault in faults.items()))
