r"""The process in which a student's file stands in the place of a chapter.

It is started as a script, without minigan: the package is made here, of the installed folder,
and the one chapter comes from the student's text. So the original is nowhere in this process,
and the installed package is not touched. What was found goes into a file, as JSON.
"""

import contextlib
import importlib.util
import json
import re
import sys
import traceback
import types
import warnings

# what a diagnosis says of the answer itself, and what is said instead
WITHHELD = {
    r"where \S+ @ \S+ belongs": "where another product belongs",
    r"the factor .+? is missing": "a factor is missing",
}


class Instead:
    r"""Finds the student's text where the chapter is asked for."""

    def __init__(self, package, chapter, text, path):
        self.name, self.text, self.path = f"{package}.{chapter}", text, path

    def find_spec(self, name, path=None, target=None):
        r"""What `sys.meta_path` asks of its members."""
        if name == self.name:
            return importlib.util.spec_from_loader(name, self, origin=self.path)
        return None

    def create_module(self, spec):
        r"""The ordinary module."""

    def exec_module(self, module):
        r"""Run the student's text as the module's."""
        module.__file__ = self.path
        exec(compile(self.text, self.path, "exec"), vars(module))


@contextlib.contextmanager
def staged(job, package="minigan"):
    r"""The findings, one after another, where the student's file is the chapter.

    job : a dictionary of folder, chapter, text, path, proofs and seed
    package : the name under which the package is made; none of its modules may be loaded
    """
    finder = Instead(package, job["chapter"], job["text"], job["path"])
    module = types.ModuleType(package)
    module.__path__ = [job["folder"]]
    sys.modules[package] = module
    sys.meta_path.insert(0, finder)
    try:
        probes = importlib.import_module(f"{package}.lab.exercises.probes")
        yield probes.findings(job["proofs"], job["seed"])
    finally:
        sys.meta_path.remove(finder)
        for name in [n for n in sys.modules if n == package or n.startswith(f"{package}.")]:
            del sys.modules[name]


def proven(job, package="minigan"):
    r"""All findings, and the sentence on what stopped them or None, as JSON can hold them."""
    found, error = [], None
    try:
        with staged(job, package) as findings:
            found.extend(map(as_json, findings))
    except BaseException as reason:  # SystemExit too
        error = sentence(reason, job["path"])
    return {"findings": found, "error": error}


def as_json(found):
    r"""A `Check` as the line it prints and whether it passed, a `Value` as its numbers."""
    if not hasattr(found, "numbers"):
        return {
            "check": discreet(str(found)),
            "name": found.name,
            "passed": bool(found.passed),
            "error": float(found.error),
        }
    import numpy as np

    numbers = np.asarray(found.numbers)
    if numbers.dtype.kind not in "fiub":
        kind = "complex numbers" if numbers.dtype.kind == "c" else f"{found.numbers!r}"[:60]
        raise TypeError(f"{found.name}: expected real numbers, got {kind}")
    return {
        "name": found.name,
        "shape": list(numbers.shape),
        "numbers": numbers.astype(float).ravel().tolist(),
    }


def discreet(text):
    r"""The text without the answer, where a diagnosis has it."""
    for pattern, instead in WITHHELD.items():
        text = re.sub(pattern, instead, text)
    return text


def sentence(reason, path):
    r"""What went wrong, with the line of the student's file in which it did."""
    frames = traceback.extract_tb(reason.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == path]
    what = type(reason).__name__
    if isinstance(reason, SystemExit):
        told = "the file ends the program"
    elif isinstance(reason, RecursionError):
        told = "a function calls itself without end"
    elif isinstance(reason, ValueError) and "read-only" in str(reason):
        told = "this changes an argument, which belongs to the caller; make a new array"
    elif any(cls.__name__ == "MiniganError" for cls in type(reason).__mro__):
        told = discreet(str(reason))
    else:
        told = f"{what}: {reason}"
    ours = told == discreet(str(reason))
    told = told[:300]
    if re.search(r"\bNone(Type)?\b", told):
        told = re.sub(r"(?<=got None); .*", "", told) + "; is a `return` missing?"
    told += getattr(reason, "during", "")
    if lines:
        return f"line {lines[-1]}: {told}"
    return told if ours else f"what was returned cannot be used: {told}"


def limit(seconds):
    r"""Let the system end this process after so many seconds of computing, where it can."""
    with contextlib.suppress(ImportError, ValueError, OSError):  # Windows has no resource
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))


def main():
    r"""Read the job from stdin, and write what was found where it says."""
    del sys.path[0]  # this script's folder
    job = json.loads(sys.stdin.buffer.read())
    sys.path[:] = job["sys_path"]
    limit(job["seconds"])
    warnings.simplefilter("ignore")
    found = proven(job)
    with open(job["result"], "w", encoding="utf-8") as file:
        json.dump(found, file)


if __name__ == "__main__":
    main()
