r"""Whether an answer is right: looked at here, run in a process of its own, judged here.

The student's process proves what can be proven from the student's own forward pass, and sends
back the numbers of what cannot; those are compared here with the installed chapter's.
"""

import contextlib
import json
import math
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from ...errors import MiniganError
from ...gradcheck import compare
from . import answer, child, probes
from .bugs import Bug
from .points import LIMIT
from .source import PACKAGE, student_text, title

SECONDS = 10  # of computing, after which an answer is stopped; the machine may be busy
PATIENCE = 120.0  # seconds by the clock, whatever the answer does
SHOWN = 2000  # characters of what an answer prints
LINES = 4  # of failed checks
ROUNDING = 1e-10  # where no error is larger, other points are tried
TRIES = 3
# a definition, and what the values are called that it makes
DEFINES = {
    "forward": "(forward|trace)",
    "slopes": "forward",
    "sigmoid": "forward",
    "value": "(value|P)",
}
SMALL = 1e-7  # errors that a number such as ε makes
NEAR = "nearly right: is a small number added, or are digits lost?"
NAN = "nan: there 0 is divided by 0, or infinity taken from infinity"


@dataclass(repr=False)
class Verdict:
    r"""What became of an answer: right; or the reason, or the checks that failed."""

    exercise: object
    right: bool = False
    reason: str = ""
    failed: list = field(default_factory=list)
    proven: int = 0
    printed: str = ""
    error: float = 0.0

    def __repr__(self):
        if self.right:
            return f"right; {title(self.exercise)} passes {self.proven} checks"
        return f"not yet{': ' if self.reason else ''}{self.reason}"


def check_file(path, seed=None):
    r"""The `Verdict` on a student's file, which runs in a process of its own."""
    exercise, text = answer.read(path)
    return judge(exercise, text, os.path.abspath(path), seed)


def judge(exercise, text, path, seed=None, run=None):
    r"""The `Verdict` on a text; `run` is `in_process` or, by default, `in_child`."""
    verdict = Verdict(exercise)
    try:
        answer.look(exercise, text)
    except answer.NotAnAnswer as reason:
        verdict.reason = str(reason)
        return verdict
    if isinstance(exercise, Bug) and text == student_text(exercise):
        verdict.reason = "the bug is still in it; this is what the checks say:"
    seed = int.from_bytes(os.urandom(4), "big") if seed is None else seed
    proofs = exercise.proofs if isinstance(exercise, Bug) else (exercise.proof,)
    job = {
        "folder": str(PACKAGE),
        "chapter": exercise.chapter,
        "text": text,
        "path": path,
        "proofs": proofs,
        "seed": seed,
    }
    for job["seed"] in range(seed, seed + TRIES):
        found, verdict.printed = (run or in_child)(job)
        weigh(verdict, found, proofs, job["seed"])
        if verdict.right or verdict.error > ROUNDING:
            break
    return verdict


def weigh(verdict, found, proofs, seed):
    r"""Fill in the verdict from what the student's process found.

    Beside an answer that is wrong, what fails by rounding alone is not shown.
    """
    if found["error"]:
        verdict.reason = found["error"]
    failed, verdict.proven = [], 0
    ours = iter(reference(proofs, seed))
    for theirs in found["findings"]:
        line = failure(theirs, ours)
        if not line:
            verdict.proven += 1
        else:
            failed.append((theirs["name"], line, theirs.get("error", 1.0)))
    verdict.error = largest([float(bool(found["error"])), *(error for *_, error in failed)])
    every = verdict.error <= ROUNDING
    shown = [(name, line) for name, line, error in failed if every or not error <= ROUNDING]
    verdict.failed = own_first(verdict.exercise, shown)
    verdict.right = bool(verdict.proven) and not failed and not found["error"]


def own_first(exercise, failed):
    r"""The lines of failed checks, the first of each name, the student's own quantity before.

    A wrong definition makes right derivatives of the chapter fail; nothing is said of those.
    """
    lines = {}
    for name, line in failed:
        lines.setdefault(name, line)
    if isinstance(exercise, Bug):
        return list(lines.values())
    last = exercise.part or exercise.function.rpartition(".")[2]
    word = re.compile(rf"\b{DEFINES.get(last, last)}\b")
    own = {name: line for name, line in lines.items() if word.search(name)}
    return list((own if own and last in DEFINES else own | lines).values())


def largest(errors):
    r"""The largest error; NaN counts as 1."""
    return max(1.0 if math.isnan(error) else error for error in errors)


@lru_cache(maxsize=8)
def reference(proofs, seed):
    r"""The values that the installed chapters give."""
    return list(probes.values(proofs, seed))


def failure(theirs, ours):
    r"""The line of a finding that failed, or "": a value takes the next of ours."""
    if "check" in theirs:
        near = theirs["error"] < SMALL and "\n" not in theirs["check"]
        return "" if theirs["passed"] else theirs["check"] + f"\n    {NEAR}" * near
    return differs(theirs, next(ours))


def differs(theirs, ours):
    r"""The line of a failed comparison of a value with the installed chapter's, or ""."""
    claim = np.reshape(theirs["numbers"], theirs["shape"])
    try:
        with np.errstate(all="ignore"):
            check = compare(ours.name, "definition", claim, ours.numbers, LIMIT)
    except MiniganError as error:
        return str(error)
    if check.passed:
        return ""
    if ours.says:
        return ours.says
    nan = np.isnan(claim).any()
    return str(replace(check, cause=NAN if nan else NEAR if check.error < SMALL else ""))


# ---- where it runs ----


def in_process(job):
    r"""The findings, from this process; for tests, of texts that are known to come back."""
    return child.proven(job, f"minigan_of_exercise_{job['seed']}"), ""


def in_child(job):
    r"""(the findings, what was printed) from a process that is stopped in the end."""
    handle, result = tempfile.mkstemp(suffix=".json", prefix="minigan-")
    os.close(handle)
    try:
        more = {"sys_path": sys.path, "result": result, "seconds": SECONDS}
        job = json.dumps(job | more).encode()
        code, printed = run_script(job)
        content = Path(result).read_text("utf-8")
    finally:
        with contextlib.suppress(OSError):
            os.unlink(result)
    if content:
        return json.loads(content), printed
    if code is None:
        reason = f"it did not end within {PATIENCE:g} seconds; or is the machine very busy?"
    elif code == -getattr(signal, "SIGXCPU", 0) != 0:
        reason = f"it did not end within {SECONDS} seconds of computing"
    else:
        reason = f"it ended the process (status {code}) before the checks were through"
    return {"findings": [], "error": reason}, printed


def run_script(job):
    r"""(exit status or None, the beginning of what was printed) of `child.py`."""
    process = subprocess.Popen(
        [sys.executable, child.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"},
    )
    kept = bytearray()

    def drain():
        with process.stdout as stream:
            while chunk := stream.read1(65536):
                kept.extend(chunk[: SHOWN - len(kept)])

    reader = threading.Thread(target=drain, daemon=True)
    reader.start()
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(job)
        process.stdin.close()
    try:
        code = process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        code = None
    finally:
        process.kill()
        process.wait()
    reader.join(1)
    return code, kept.decode("utf-8", "replace")
