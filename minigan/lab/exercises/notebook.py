r"""Exercises as notebooks, for students and for the teacher, and the check of an answer in one.

A notebook holds the derivation, one cell to answer in, and the check as its last cell. The
check knows no answer, so the student's version has none to hide. In the teacher's the solution
stands between the marks that `nbgrader generate_assignment` and `otter assign` take out.
"""

import ast
import hashlib
import inspect
import json
import re
import sys
import textwrap

from ...errors import MiniganError
from ..files import read_bytes
from . import answer
from .bugs import Bug
from .check import LINES, judge
from .hints import solution
from .source import (
    ANSWER,
    PACKAGE,
    chapter_text,
    function_node,
    gaps,
    solution_text,
    student_text,
    title,
)
from .table import BUGS, EXERCISES

LARGEST = 50_000_000  # bytes; with pictures in it, a notebook is large
BEGIN, END = "# BEGIN SOLUTION", "# END SOLUTION"


def check(key, function):
    r"""The `Verdict` on an answer in a notebook; raises NotAnAnswer, saying why, if wrong.

    key : of the exercise, such as "layers.Dense.dx"
    function : the function that was defined, or for a bug the name of the file that was written
    """
    exercise = {each.key: each for each in (*EXERCISES, *BUGS)}.get(key)
    if exercise is None:
        raise MiniganError(f"key: expected the name of an exercise, got {key!r}")
    if isinstance(exercise, Bug):
        text, path, above = answer.read(function)[1], str(function), 0
    else:
        text, path = placed(exercise, source_of(function)), "<answer>"
        tree = ast.parse(chapter_text(exercise.chapter))
        above = function_node(tree, exercise.function).lineno - 1
    verdict = judge(exercise, text, path)
    if not verdict.right:
        reason = re.sub(
            r"^line (\d+)", lambda row: f"line {int(row[1]) - above}", verdict.reason
        )
        told = [reason or "not yet:", *verdict.failed[:LINES]]
        raise answer.NotAnAnswer("\n".join(told))
    if "IPython" in sys.modules:  # not printed: otter compares what is printed with nothing
        sys.modules["IPython"].display.display(verdict)
    return verdict


def source_of(function):
    r"""The text of a function that was defined in a notebook."""
    code = getattr(function, "__code__", None)
    if code is None:
        raise answer.NotAnAnswer(f"expected the function that you defined, got {function!r}")
    if code.co_filename.startswith(str(PACKAGE)):
        raise answer.NotAnAnswer(f"{function.__name__} is the library's own; define yours")
    return textwrap.dedent(inspect.getsource(function))


def placed(exercise, source):
    r"""The chapter's text with this text in the place of the exercise's function."""
    text = chapter_text(exercise.chapter)
    node = function_node(ast.parse(text), exercise.function)
    lines = text.splitlines()
    own = textwrap.indent(source.rstrip("\n"), " " * node.col_offset).splitlines()
    lines[node.lineno - 1 : node.end_lineno] = own
    return "\n".join(lines) + "\n"


# ---- writing ----


def written(exercise, solutions=False, level="a"):
    r"""The notebook as JSON; with solutions, the teacher's version."""
    level = level if getattr(exercise, "derive", "") else "a"
    fill = bug_cells if isinstance(exercise, Bug) else cells
    made = fill(exercise, solutions, level)
    for i, each in enumerate(made):
        each["id"] = f"cell-{i}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    about = {"kernelspec": kernel, "language_info": {"name": "python"}}
    about["minigan"] = {"written": fingerprint(made)}
    book = {"cells": made, "metadata": about, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(book, indent=1, ensure_ascii=False) + "\n"


def fingerprint(cells):
    r"""Of what stands in the cells; what came out of them does not count."""
    text = json.dumps([[c["cell_type"], "".join(c["source"])] for c in cells])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def unedited(path):
    r"""Whether a file is a notebook that minigan wrote and nobody has changed."""
    try:
        book = json.loads(read_bytes(path, LARGEST))
        return book["metadata"]["minigan"]["written"] == fingerprint(book["cells"])
    except (ValueError, KeyError, TypeError, RecursionError, MiniganError):
        return False


def cells(exercise, solutions, level):
    r"""The cells of an exercise in which lines are missing."""
    name = exercise.function.rpartition(".")[2]
    text = student_text(exercise, level)
    task = (
        f"# {title(exercise)}\n\n{derivation(exercise, text)}\n\n"
        f"**Your task.** In `{name}` below, write what is missing{sought(exercise)}, and run "
        "the cell. The last cell says whether it is right."
    )
    setup = (
        "# where minigan is missing: %pip install minigan\n"
        "from minigan.lab.exercises.notebook import check\n"
        f"from minigan.{exercise.chapter} import *  # the names that the chapter knows"
    )
    shown = marked(exercise) if solutions else with_gap(exercise, text)
    cell = code(shown, grader("answer", solution=True))
    return framed(exercise, solutions, [markdown(task), code(setup), cell], name)


def sought(exercise):
    r"""Which names are to be given a value, in words."""
    if not exercise.hole or exercise.hole.startswith("return"):
        return ""
    return ": " + ", ".join(f"`{name}`" for name in exercise.hole.split())


def bug_cells(bug, solutions, level):
    r"""The cells of a chapter with a bug, which is in both versions; and one for words."""
    file = f"{bug.key}_{bug.chapter}.py"
    task = (
        f"# Find the bug\n\nThe cell below is chapter `{bug.chapter}` with one bug in it, of a "
        "kind that was found in a real project. Find it, mend it in the cell, run the cell. "
        "The last cell proves the whole chapter and says where it fails."
    )
    setup = (
        "# where minigan is missing: %pip install minigan\n"
        "from minigan.lab.exercises.notebook import check"
    )
    words = "**Which line was it, and what would it have done to training?** Write here:"
    if solutions:
        words += f"\n\n{BEGIN}\n{solution(bug)}\n{END}"
    asked = markdown(words) | {"metadata": grader("words", grade=True, solution=True)}
    if solutions:
        asked["metadata"]["tags"] = ["otter_assign_solution_cell"]
    cell = code(f"%%writefile {file}\n{student_text(bug)}".rstrip())
    return framed(bug, solutions, [markdown(task), code(setup), cell, asked], f'"{file}"')


def framed(exercise, solutions, first, what):
    r"""The cells, then the check; in the teacher's version with otter's marks around them."""
    last = code(f'assert check("{exercise.key}", {what})', grader("check", grade=True))
    if not solutions:
        return [*first, last]
    unsolved = "\nrun_tests: false" if isinstance(exercise, Bug) else ""
    return [
        raw(
            "# ASSIGNMENT CONFIG\nexport_cell: false\ncheck_all_cell: false\n"
            f"strip_solutions_from_all_cells: true{unsolved}"
        ),
        first[1],
        raw(f"# BEGIN QUESTION\nname: {exercise.key.replace('.', '_')}\npoints: 1"),
        first[0],
        *first[2:],
        raw("# BEGIN TESTS"),
        last,
        raw("# END TESTS"),
        raw("# END QUESTION"),
    ]


def derivation(exercise, text):
    r"""The docstrings of the function and of what is around it, as the student has them."""
    tree, names = ast.parse(text), exercise.function.split(".")
    around = [tree] if len(names) == 1 else [function_node(tree, names[0])]
    docs = [
        ast.get_docstring(n) or "" for n in (*around, function_node(tree, exercise.function))
    ]
    return "\n\n".join(filter(None, docs))


def with_gap(exercise, text):
    r"""The function with its gaps and without its docstring."""
    node = function_node(ast.parse(text), exercise.function)
    first = node.body[0] if ast.get_docstring(node) else None
    lines = text.splitlines()[node.lineno - 1 : node.end_lineno]
    comment = text.splitlines()[node.end_lineno - 1]
    lines[-1] = comment
    if first:
        del lines[first.lineno - node.lineno : first.end_lineno - node.lineno + 1]
    return textwrap.dedent("\n".join(lines))


def marked(exercise):
    r"""The function with its solution between marks: the statements that have a gap."""
    solved, gapped = solution_text(exercise), with_gap(exercise, student_text(exercise))
    if not exercise.hole:
        return between(solved.splitlines(), first_of_body(solved), len(solved.splitlines()))
    lines, body = solved.splitlines(), ast.parse(gapped).body[0]
    statements = [n for n in ast.walk(body) if isinstance(n, ast.stmt) and n is not body]
    shift = 0
    for gap in sorted(set(gaps(body))):
        around = [n for n in statements if n.lineno <= gap <= n.end_lineno]
        innermost = max(around, key=lambda node: node.col_offset)
        first = innermost.lineno - 1 + shift
        length = statement_length("\n".join(lines), first)
        lines = between(lines, first, first + length).splitlines()
        given = given_of(gapped.splitlines()[innermost.lineno - 1 : innermost.end_lineno])
        lines[first:first] = given
        shift += 2 + length + len(given) - (innermost.end_lineno - innermost.lineno + 1)
    text = "\n".join(lines)
    return re.sub(rf"\n *{END}\n *{BEGIN}\n", "\n", text)  # one region for neighbours


def given_of(statement):
    r"""The lines of a statement with a gap as comments, if more of it is given than a name.

    The marks take out whole statements; what is given in them would be lost.
    """
    if re.fullmatch(rf"\s*(\w+ =|return) \.\.\.({ANSWER})?", statement[0]):
        return []
    text = textwrap.dedent("\n".join(statement)).replace(ANSWER, "")
    indent = statement[0][: len(statement[0]) - len(statement[0].lstrip())]
    return textwrap.indent(text, f"{indent}# ").splitlines()


def first_of_body(text):
    r"""The index of the first line of a function's body."""
    return ast.parse(text).body[0].body[0].lineno - 1


def statement_length(text, first):
    r"""How many lines the statement has that begins on line `first`, counted from 0."""
    starts = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.stmt)]
    found = next(n for n in starts if n.lineno == first + 1)
    return found.end_lineno - found.lineno + 1


def between(lines, first, last):
    r"""The lines with marks around those from first to last."""
    indent = lines[first][: len(lines[first]) - len(lines[first].lstrip())]
    return "\n".join(
        [*lines[:first], indent + BEGIN, *lines[first:last], indent + END, *lines[last:]]
    )


def grader(name, grade=False, solution=False):
    r"""What nbgrader wants to know of a cell."""
    about = {
        "grade": grade,
        "grade_id": name,
        "locked": grade and not solution,
        "schema_version": 3,
    }
    about |= {"solution": solution, "task": False} | ({"points": 1} if grade else {})
    return {"nbgrader": about} if grade or solution else {}


def markdown(text):
    r"""A cell of words."""
    return {"cell_type": "markdown", "metadata": {}, "source": text.splitlines(keepends=True)}


def raw(text):
    r"""A cell that only otter reads."""
    return {"cell_type": "raw", "metadata": {}, "source": text.splitlines(keepends=True)}


def code(text, metadata=None):
    r"""A cell of code that has not run."""
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": metadata or {},
        "outputs": [],
        "source": text.splitlines(keepends=True),
    }
