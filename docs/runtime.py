"""What the playground runs on, put beside its page: Pyodide, NumPy for it, and minigan's wheel.

Pyodide comes from npm, as KaTeX does. NumPy's wheel for it is in no package registry: it comes
from a folder or an address that is named, by an option of the build or by MINIGAN_PYODIDE, else
from where Pyodide itself would load it. In every case it must have the SHA-256 that Pyodide's
lock file states. minigan's wheel, and that of array-api-compat, are made by pip.
"""

import configparser
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import book

DOCS = Path(__file__).resolve().parent
PYODIDE = DOCS / "node_modules" / "pyodide"
ADDRESS = "https://cdn.jsdelivr.net/pyodide/v{}/full/"  # of this version's packages
CORE = "pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip"
PYTHON = DOCS / "playground" / "playground.py", book.TESTS / "bug_zoo.py"
PAGE = "start.js", "main.js", "worker.js", "address.js", "controls.js", "plane.js", "chart.js"


class Missing(Exception):
    """A part of the playground cannot be had."""


def brought(out, source=None):
    """Whether the folder `out` now holds all that the playground needs; if not, says why."""
    try:
        bring(out, source)
    except Missing as missing:
        shutil.rmtree(out, ignore_errors=True)
        print(f"The book is built without the playground: {missing}")
        return False
    return True


def bring(out, source=None):
    """Fill the folder `out`; raises Missing.

    source : a folder or an address that holds NumPy's wheel; by default that of
        MINIGAN_PYODIDE, else that of Pyodide's own packages
    """
    lock = PYODIDE / "pyodide-lock.json"
    if not lock.exists():
        raise Missing("pyodide is not in docs/node_modules; npm ci brings it there")
    (out / "pyodide").mkdir(parents=True)
    name, wheel = numpy_wheel(json.loads(lock.read_text("utf-8")), source)
    (out / "pyodide" / name).write_bytes(wheel)
    for core in (*CORE, lock.name):
        shutil.copy(PYODIDE / core, out / "pyodide")
    wheels = own_wheels(out)
    for path in (*PYTHON, *(DOCS / "playground" / each for each in (*PAGE, "playground.css"))):
        shutil.copy(path, out)
    files = {"WHEELS": wheels, "FILES": [path.name for path in PYTHON], "BUGS": bugs()}
    lines = (f"export const {name} = {json.dumps(value)};\n" for name, value in files.items())
    (out / "files.js").write_text("".join(lines), "utf-8")


def numpy_wheel(lock, source=None):
    """(name, bytes) of the wheel that the lock file of Pyodide names."""
    about, version = lock["packages"]["numpy"], pyodide_version()
    source = source or os.environ.get("MINIGAN_PYODIDE") or ADDRESS.format(version)
    name = about["file_name"].rpartition("/")[2]
    try:
        if re.match(r"https?://", source):
            with urllib.request.urlopen(f"{source.rstrip('/')}/{name}", timeout=20) as answer:
                wheel = answer.read()
        else:
            wheel = (Path(source) / name).read_bytes()
    except OSError as error:
        raise Missing(f"{name} cannot be had from {source}: {error}") from None
    if hashlib.sha256(wheel).hexdigest() != about["sha256"]:
        raise Missing(f"{name} from {source} has not the SHA-256 of pyodide-lock.json")
    return name, wheel


def pyodide_version():
    """The version of Pyodide that is installed."""
    return json.loads((PYODIDE / "package.json").read_text("utf-8"))["version"]


def own_wheels(out):
    """The names of the wheels of minigan and of array-api-compat, made in the folder `out`.

    minigan's is made of a copy, so that nothing is left in the checkout, or comes from there.
    """
    setup = configparser.ConfigParser()
    setup.read(book.ROOT / "setup.cfg", "utf-8")
    needs = setup["options"]["install_requires"].split()
    compat = next(need for need in needs if need.startswith("array-api-compat"))
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "minigan"
        shutil.copytree(book.PACKAGE, copy / "minigan", ignore=shutil.ignore_patterns("__py*"))
        for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(book.ROOT / name, copy)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "-q"]
        run = subprocess.run(
            [*pip, "--no-deps", "-w", out, copy, compat], capture_output=True, text=True
        )
    if run.returncode:
        raise Missing(f"pip cannot make minigan's wheel: {run.stderr.strip()}")
    return sorted(path.name for path in out.glob("*.whl"))


def bugs():
    """{name of a bug: the place of its entry in the book}."""
    import zoo
    from bug_zoo import ZOO

    return {bug.name: f"bug-zoo.html#{book.anchor(zoo.title(bug))}" for bug in ZOO}
