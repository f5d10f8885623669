"""What our source asks of an array library exists in CuPy, on a machine without a GPU too."""

import ast
import importlib
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PACKAGE = HERE.parent / "minigan"
SOURCES = sorted([*PACKAGE.glob("*.py"), *PACKAGE.glob("lab/*.py")])
ANSWERS_WITH_A_LIBRARY = ("array_namespace", "backend")


def is_library(node, known):
    """Whether the expression is an array library: such a call, or a variable holding one."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in ANSWERS_WITH_A_LIBRARY
    return ast.unparse(node) in known


def asked_of_the_library(source):
    """The names taken from an array library: of `xp.exp(…)`, `array_namespace(x).sum(…)`, …"""
    tree, known = ast.parse(source), set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign):
            continue
        target, value = node.targets[0], node.value
        pairs = [(target, value)]
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            pairs = zip(target.elts, value.elts)
        known |= {ast.unparse(t) for t, v in pairs if is_library(v, ())}
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and is_library(node.value, known)
    }


def asked():
    """{name: the files that ask for it}"""
    found = {}
    for path in SOURCES:
        for name in asked_of_the_library(path.read_text("utf-8")):
            found.setdefault(name, []).append(path.name)
    return {name: files for name, files in found.items() if not name.startswith("__")}


def test_the_reader_of_the_source_sees_every_way_of_asking():
    source = (
        "xp, m = array_namespace(x), 3\nself._xp = array_namespace(x)\nlib = backend(name)\n"
        "xp.exp(x); self._xp.concat(y); lib.zeros(3); array_namespace(a, b).sum(c)\n"
        "backend('cupy').ones(3); np.fft(x); other.roll(x); x.T"
    )
    assert asked_of_the_library(source) == {"exp", "concat", "zeros", "sum", "ones"}
    assert asked().keys() >= {"exp", "where", "sum", "concat", "maximum", "clip", "finfo"}
    assert "layers.py" in asked()["astype"]
    assert any(path.parent.name == "lab" for path in SOURCES)


def test_every_name_is_in_cupys_published_list():
    listed = (HERE / "cupy_api.txt").read_text("utf-8").splitlines()
    names = {line for line in listed if not line.startswith("#")}
    assert len(names) > 400
    missing = {name: files for name, files in asked().items() if name not in names}
    assert not missing


def test_every_name_is_in_the_installed_cupy():
    pytest.importorskip("cupy", reason="CuPy is not installed; the published list was checked")
    library = importlib.import_module("array_api_compat.cupy")
    missing = {name: files for name, files in asked().items() if not hasattr(library, name)}
    assert not missing
