r"""A student's file, read and looked at before anything in it runs.

What is looked for: that it can be read as Python at all, that the rest of the chapter is as it
was, that something stands in the place of `...`, and that the answer is an answer. It may not
import, open, evaluate or reach behind the language. It may not use complex numbers, with which
it could measure a derivative in place of computing it, nor call what knows the result. This
keeps a student from fooling himself; it is no wall against someone who wants to get around it.
"""

import ast
import builtins
import re
from functools import lru_cache

from ...errors import MiniganError
from ..files import read_bytes
from .bugs import Bug
from .source import chapter_text, function_node, gaps, mark, student_text
from .table import BUGS, EXERCISES

LARGEST = 1_000_000  # bytes; the longest chapter has 20,000
NAME = re.compile(r"^#\s*minigan exercise:\s*([\w.]+)", re.M)
MARK = re.compile(r"^# written by minigan (\S+), ([0-9a-f]+)$", re.M)
NOT_TEXT = {
    b"PK\x03\x04": "a document of a word processor, or another archive",
    b"{\\rtf": "a document of a word processor",
    b"\xd0\xcf\x11\xe0": "a document of a word processor",
    b"%PDF": "a PDF",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
}
BUILTINS = set(
    """abs all any bool dict enumerate filter float int isinstance iter len list map max min
    next pow print range repr reversed round set slice sorted str sum super tuple type zip
    TypeError ValueError""".split()  # noqa: SIM905
)
COMPLEX = {
    "imag",
    "complex64",
    "complex128",
    "cdouble",
    "csingle",
    "to_complex",
    "complex_step",
}
READERS = {
    "load", "loadtxt", "fromfile", "genfromtxt", "memmap", "lib", "ctypeslib", "f2py",
    "testing", "gradient", "central_difference", "open_memmap", "DataSource", "source",
}  # fmt: skip


class NotAnAnswer(MiniganError):
    r"""The file cannot be taken as an answer, for a reason that one sentence tells."""


def read(path):
    r"""(the exercise, the text) of a student's file."""
    raw = read_bytes(path, LARGEST)
    if not raw.strip():
        raise NotAnAnswer("the file is empty; `minigan exercise start NAME --again` renews it")
    for magic, kind in NOT_TEXT.items():
        if raw.startswith(magic):
            raise NotAnAnswer(f"expected a text file, this is {kind}; save it as UTF-8 text")
    try:
        text = raw.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise NotAnAnswer(
            f"line {line}: byte {raw[error.start]:#x} is not UTF-8; save the file as UTF-8"
        ) from None
    return exercise_of(text), text


def exercise_of(text):
    r"""The exercise that the first lines of a file name."""
    found = NAME.search(text)
    by_key = {each.key: each for each in (*EXERCISES, *BUGS)}
    if not found or found[1] not in by_key:
        raise NotAnAnswer(
            "expected at the top the line `# minigan exercise: NAME` that `minigan exercise "
            "start` wrote"
        )
    exercise, written = by_key[found[1]], MARK.search(text)
    for other in by_key.values() if written and written[2] != mark(exercise) else ():
        if written[2] == mark(other):
            raise NotAnAnswer(
                f"the first line names {found[1]}, but the file was started as {other.key}; "
                "write that name back"
            )
    return exercise


def same_version(exercise, text):
    r"""Raises NotAnAnswer if the file was made of another version of the chapter."""
    written = MARK.search(text)
    if written and written[2] != mark(exercise):
        raise NotAnAnswer(
            f"it was written by another minigan ({written[1]}), whose chapter is not the one "
            "installed here; begin anew with `minigan exercise start "
            f"{exercise.key} --again`, which keeps this file beside the new one"
        )


def look(exercise, text):
    r"""Raises NotAnAnswer, with one sentence, if the text cannot be an answer."""
    tree = parsed(text)
    original = ast.parse(chapter_text(exercise.chapter))
    if isinstance(exercise, Bug):
        same_version(exercise, text)
        same_imports(tree, original)
        suspects = functions(tree).values()
        known = names_in(original)
    else:
        try:
            only_this_changed(exercise, tree, original)
        except NotAnAnswer:
            same_version(exercise, text)
            raise
        suspects = [function_node(tree, exercise.function)]
        known = names_in(function_node(original, exercise.function))
        for line in gaps(suspects[0]):
            raise NotAnAnswer(f'line {line}: "..." still stands where the answer belongs')
    for node in suspects:
        for each in ast.walk(node):
            plain(each, known)
    if not isinstance(exercise, Bug):
        no_more_of(exercise, suspects[0])


def parsed(text):
    r"""The text's syntax tree."""
    try:
        return ast.parse(text)
    except SyntaxError as error:
        at = f"line {error.lineno}: " if error.lineno else ""
        if isinstance(error, TabError):
            reason = "tabs and blanks are mixed; indent with blanks"
        elif found := re.search(r"[‘’“”–—«»\u00a0\u200b\ufeff]", error.text or ""):
            reason = (
                f"the character U+{ord(found[0]):04X} is no Python, though it may look like it"
            )
        else:
            reason = f"this is not valid Python: {error.msg}"
        raise NotAnAnswer(at + reason) from None
    except (ValueError, RecursionError, MemoryError) as error:  # a NUL byte; ((((…
        raise NotAnAnswer(f"this is not valid Python: {error}") from None


def functions(tree):
    r"""{name: node} of every function and method, such as "Dense.dx"."""
    found = {}
    for node in tree.body:
        inside = node.body if isinstance(node, ast.ClassDef) else ()
        for each in (node, *inside):
            if isinstance(each, ast.FunctionDef):
                owner = f"{node.name}." if each is not node else ""
                found[owner + each.name] = each
    return found


def bare(node, but=None):
    r"""What a tree says, without docstrings, and without the body of the function `but`."""
    shown = ast.parse(ast.unparse(node))
    for each in ast.walk(shown):
        if isinstance(each, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(
            each
        ):
            each.body[0] = ast.Pass()
    target = function_node(shown, but) if but else None
    if target:
        target.body = [ast.Pass()]
    return ast.dump(shown)


@lru_cache(maxsize=4)
def rest_of_chapter(chapter, name):
    r"""What the chapter says without the body of the function of that name."""
    return bare(ast.parse(chapter_text(chapter)), name)


def only_this_changed(exercise, tree, original):
    r"""Everything but the exercise's function is as it was in the chapter."""
    name = exercise.function
    theirs, ours = functions(tree), functions(original)
    if name not in theirs:
        raise NotAnAnswer(f"{name} is missing; it is what is to be completed")
    same_imports(tree, original)
    if bare(tree, name) == rest_of_chapter(exercise.chapter, name):
        return
    for other in ours:
        if other not in theirs:
            raise NotAnAnswer(f"{other} is missing; only {name} is to be changed")
        if other != name and bare(theirs[other]) != bare(ours[other]):
            raise NotAnAnswer(f"{other} was changed; only {name} is to be changed")
    extra = [other for other in theirs if other not in ours]
    if extra:
        raise NotAnAnswer(f"{extra[0]} is new; the whole answer stands in {name}")
    if head(theirs[name]) != head(ours[name]):
        raise NotAnAnswer(f"{name}: the line with `def` was changed; leave it as it was")
    raise NotAnAnswer(f"something outside {name} was changed; leave it as it was")


def head(function):
    r"""What the lines say that stand above a function's body, but for its name."""
    return [ast.dump(each) for each in (function.args, *function.decorator_list)]


def same_imports(tree, original):
    r"""No import was added, and none is missing."""
    kinds = ast.Import, ast.ImportFrom
    before = {ast.unparse(node) for node in ast.walk(original) if isinstance(node, kinds)}
    for node in ast.walk(tree):
        if isinstance(node, kinds) and ast.unparse(node) not in before:
            raise NotAnAnswer(
                f"line {node.lineno}: `{ast.unparse(node)}`: an answer imports nothing"
            )
    now = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, kinds)}
    if before - now:
        raise NotAnAnswer(
            f"`{sorted(before - now)[0]}` is missing; leave the imports as they were"
        )


def names_in(tree):
    r"""All names and attributes in a tree."""
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return names | {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def no_more_of(exercise, node):
    r"""A name that the exercise refuses stands only where the chapter has it."""
    left = function_node(ast.parse(student_text(exercise)), exercise.function)
    for name in exercise.refused:
        before, after = (
            [n for n in ast.walk(f) if name in (getattr(n, "id", 0), getattr(n, "attr", 0))]
            for f in (left, node)
        )
        if len(after) > len(before):
            line = max(each.lineno for each in after)
            raise NotAnAnswer(f"line {line}: {name} knows the result already; write it out")


def plain(node, known):
    r"""Raises NotAnAnswer if a node of an answer is none of its business."""
    at = f"line {getattr(node, 'lineno', 0)}: "
    name = getattr(node, "id", None) or getattr(node, "attr", None)
    if isinstance(node, (ast.Global, ast.Nonlocal, ast.Await, ast.AsyncFunctionDef)):
        raise NotAnAnswer(at + "an answer keeps to its own names")
    if isinstance(node, ast.Constant) and isinstance(node.value, (complex, bytes)):
        raise NotAnAnswer(at + "an answer computes with real numbers; it measures nothing")
    if not isinstance(name, str) or name in known:
        return
    is_builtin = isinstance(node, ast.Name) and hasattr(builtins, name)
    if name.startswith("__") or name in READERS or (is_builtin and name not in BUILTINS):
        if name == "NotImplementedError":  # which nbgrader puts there
            raise NotAnAnswer(f"{at}this still stands where the answer belongs")
        raise NotAnAnswer(f"{at}{name} has no place in an answer")
    if name in COMPLEX:
        raise NotAnAnswer(f"{at}{name}: an answer computes a derivative; it measures none")
