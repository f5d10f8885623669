"""The book reads from front to back: each chapter is short and asks only for earlier ones."""

import ast
import functools
import graphlib
import inspect
import pkgutil
import re
from importlib import import_module
from pathlib import Path

import pytest

import minigan

PACKAGE = Path(minigan.__file__).parent
BOOK = sorted(path for path in PACKAGE.glob("*.py") if not path.stem.startswith("__"))
LAB = sorted(path for path in (PACKAGE / "lab").rglob("*.py") if path.stem != "__init__")
TREES = {path: ast.parse(path.read_text("utf-8")) for path in [*BOOK, *LAB]}

# What a class's docstring may describe for its one method: an equation, or the class itself.
THE_METHOD_ITSELF = {"forward", "update", "step"}


def chapter(path):
    """The number of a chapter; the errors and then the arrays stand before them all."""
    found = re.match(r"Chapter (\d+)\.", ast.get_docstring(TREES[path]))
    return int(found[1]) if found else ("errors", "arrays").index(path.stem) - 1


def imports(path, of_nodes=ast.walk):
    """The modules of minigan that a file imports, as paths from minigan such as `lab.run`."""
    home = list(path.parent.relative_to(PACKAGE).parts)
    for node in of_nodes(TREES[path]):
        if isinstance(node, ast.Import):
            found = [name.name.split(".") for name in node.names]
            yield from (".".join(parts[1:]) for parts in found if parts[0] == "minigan")
        elif isinstance(node, ast.ImportFrom):
            parts = (node.module or "").split(".")
            if node.level:
                parts = [*home[: len(home) + 1 - node.level], *parts]
            elif parts.pop(0) != "minigan":
                continue
            stem = ".".join(filter(None, parts))
            names = [f"{stem}.{name.name}".strip(".") for name in node.names]
            yield from [name for name in names if exists(name)] or [stem]


def dotted(path):
    """Such as lab.run."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def exists(name):
    return (PACKAGE / f"{name.replace('.', '/')}.py").exists()


def outside_functions(tree):
    """What runs at import: everything but the bodies of functions."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, (ast.FunctionDef, ast.Lambda)):
            yield node
            yield from outside_functions(node)


def test_the_chapters_are_in_the_order_in_which_they_are_read():
    stems = [path.stem for path in sorted(BOOK, key=chapter)]
    assert stems == [
        *("errors", "arrays", "layers", "losses", "network", "optim", "players", "game", "gan"),
        *("cgan", "wgan", "lsgan", "penalty", "r3gan", "conv", "dcgan", "measure", "gradcheck"),
        *("data", "loops", "fast", "workspace", "fast_conv", "training"),
    ]
    assert sorted(map(chapter, BOOK)) == list(range(-1, len(BOOK) - 1))


@pytest.mark.parametrize("path", BOOK, ids=lambda path: path.stem)
def test_a_chapter_imports_only_earlier_ones(path):
    """Inside functions too. The lab is imported once, within one: a failed check asks why."""
    earlier = {other.stem for other in BOOK if chapter(other) < chapter(path)}
    assert set(imports(path, outside_functions)) <= earlier
    asks = {"lab.evidence"} if path.stem == "gradcheck" else set()
    assert set(imports(path)) - earlier == asks


@pytest.mark.parametrize("path", LAB, ids=lambda path: path.stem)
def test_the_lab_imports_modules_that_exist(path):
    known = {other.stem for other in BOOK} | set(map(dotted, LAB))
    known |= {""}  # minigan itself, for its version
    assert set(imports(path)) <= known


def test_the_lab_has_no_circle_of_imports():
    graph = {dotted(path): set(imports(path, outside_functions)) for path in LAB}
    tuple(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError


def test_the_reader_of_imports_sees_every_way_of_importing(monkeypatch):
    source = """
import os, minigan, minigan.gan
from minigan.lab import cli
from .run import Run
from ..game import Game
from .. import optim, __version__
def later():
    from . import plots
    from numpy import exp
"""
    monkeypatch.setitem(TREES, LAB[0], ast.parse(source))
    found = ["", "gan", "lab.cli", "lab.run", "game", "optim"]
    assert list(imports(LAB[0], outside_functions)) == found
    assert sorted(imports(LAB[0])) == sorted([*found, "lab.plots"])


def test_the_book_is_short():
    files = [path for path in PACKAGE.iterdir() if path.is_file()]
    assert len(files) <= 26
    lengths = {path.stem: len(path.read_text("utf-8").splitlines()) for path in BOOK}
    assert not {stem: lines for stem, lines in lengths.items() if lines > 300}


def test_no_name_of_minigan_is_also_a_modules():
    """`import minigan.x` and `minigan.x` never mean two things."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text("utf-8"))
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names = {name.asname or name.name for node in froms for name in node.names}
    modules = {module.name for module in pkgutil.iter_modules(minigan.__path__)}
    assert {"GAN", "train", "backend"} <= names
    assert {"gan", "training", "arrays", "lab"} <= modules
    assert not names & modules
    import_module("minigan.training")
    assert inspect.isfunction(minigan.train)


def documented(node, inside=()):
    """(names, definition) of every public module, class, function and method in a tree."""
    yield inside, node
    for each in node.body:
        if isinstance(each, (ast.ClassDef, ast.FunctionDef)) and not each.name.startswith("_"):
            if isinstance(each, ast.ClassDef):
                yield from documented(each, (*inside, each.name))
            else:
                yield (*inside, each.name), each


@pytest.mark.parametrize("path", BOOK, ids=lambda path: path.stem)
def test_whatever_is_public_has_a_docstring(path):
    """A method may inherit it, or be the one that the docstring of its class is about."""
    module = import_module(f"minigan.{path.stem}")
    for names, node in documented(TREES[path]):
        text = ast.get_docstring(node)
        if not text and isinstance(node, ast.FunctionDef):
            thing = functools.reduce(inspect.getattr_static, names, module)
            text = inspect.getdoc(thing) or node.name in THE_METHOD_ITSELF
        assert text, f"{path.stem}: {'.'.join(names)}"


@pytest.mark.parametrize("path", [*BOOK, *LAB], ids=lambda path: path.stem)
def test_a_docstring_with_a_backslash_is_raw(path):
    source = path.read_text("utf-8")
    for node in ast.walk(TREES[path]):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            text = ast.get_docstring(node, clean=False) and node.body[0].value
            written = ast.get_source_segment(source, text) if text else ""
            assert "\\" not in written or written.startswith("r"), (path.stem, node.lineno)


def test_random_numbers_come_from_one_function():
    """`stream` alone makes a generator, and nothing draws from NumPy's global one."""
    made = []
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and ast.unparse(node).startswith("np.random."):
                made.append((path.stem, node.attr))
            elif isinstance(node, ast.ImportFrom):
                assert "random" not in (node.module or "").split("."), path.stem
    assert sorted(set(made)) == [("arrays", "SeedSequence"), ("arrays", "default_rng")]
    source = inspect.getsource(minigan.arrays.stream)
    assert source.count("default_rng(") == 1
    assert sum(path.read_text("utf-8").count("default_rng(") for path in TREES) == 1
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "stream":
                purpose = node.args[1]
                constant = isinstance(purpose, ast.Constant)
                assert not constant or purpose.value in minigan.arrays.PURPOSES, path.stem
