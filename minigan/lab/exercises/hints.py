r"""Hints and solutions, read from the chapters like everything else."""

import ast
import re
import textwrap

from .bugs import Bug
from .source import NUMBER, chapter_text, function_node, numbers, solution_text, title


def hints(exercise):
    r"""From a nudge to nearly the answer: the definition, the derivation, the names used."""
    if isinstance(exercise, Bug):
        owner = exercise.function.partition(".")[0]
        return [
            f"It is in {owner}. Run the check: the first derivative that fails is the nearest.",
            f"It is in {exercise.function}. Compare its lines with its docstring.",
            f"The bug zoo calls it: {exercise.name}.",
        ]
    own = [p for p in paragraphs(exercise) if number_of(p) in numbers(exercise)]
    rest = [p for p in paragraphs(exercise) if p.startswith(exercise.gives_away or ("\0",))]
    first = definition(exercise)
    nudge = [f"It follows from the definition.\n\n{first}"] if first not in own else []
    return [
        *nudge,
        "The chapter derives it so.\n\n" + "\n\n".join([*own, *rest]),
        used(exercise),
    ]


def paragraphs(exercise):
    r"""All paragraphs of the docstrings of the function and of what is around it."""
    tree, names = ast.parse(chapter_text(exercise.chapter)), exercise.function.split(".")
    nodes = [tree, *(function_node(tree, ".".join(names[: i + 1])) for i in range(len(names)))]
    found = []
    for node in nodes:
        text = ast.get_docstring(node) or ""
        found += [
            item for part in re.split(r"\n\s*\n|\n(?=\d\. \*\*)", text) for item in [part]
        ]
    return found


def number_of(paragraph):
    r"""The number of the equation that a paragraph starts with, or None."""
    found = NUMBER.match(paragraph)
    return found[1] if found else None


def definition(exercise):
    r"""The first numbered paragraph around the function, or the first of its docstring."""
    numbered = [p for p in paragraphs(exercise) if number_of(p)]
    tree = ast.parse(chapter_text(exercise.chapter))
    own = ast.get_docstring(function_node(tree, exercise.function)) or ""
    return numbered[0] if numbered else own


def used(exercise):
    r"""How long the library's own answer is, and which names and operators stand in it."""
    if exercise.hole:
        lines = "The library's answer fills each gap with one expression"
    else:
        count = len([line for line in solution_text(exercise).splitlines()[1:] if line.strip()])
        lines = f"The library's answer has {count} line{'s' if count > 1 else ''}"
    node = function_node(ast.parse(chapter_text(exercise.chapter)), exercise.function)
    names = sorted({n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)})
    words = {ast.MatMult: "@", ast.Mult: "*", ast.Div: "/", ast.Pow: "**", ast.Sub: "-"}
    signs = {words[type(n.op)] for n in ast.walk(node) if type(getattr(n, "op", None)) in words}
    told = [f"uses {' '.join(sorted(signs))}"] if signs else []
    told += [f"has the names {', '.join(names)}"] if names else []
    return f"{lines}; the function {' and '.join(told)}." if told else f"{lines}."


def solution(exercise):
    r"""The library's own lines, and where the book derives them."""
    if isinstance(exercise, Bug):
        wrong, right = (
            textwrap.indent(textwrap.dedent(f"{' ' * 8}{lines.lstrip()}"), " " * 4)
            for lines in (exercise.wrong, exercise.right)
        )
        shown = f"in {exercise.function}, in the place of\n{wrong}\n"
        mended = f"write\n{right}\n"
        return f"{shown}{mended}\nIts name in the zoo: {exercise.name}."
    line = function_node(ast.parse(chapter_text(exercise.chapter)), exercise.function).lineno
    pages = " ".join(f"{exercise.chapter}.html#eq-{number}" for number in numbers(exercise))
    where = f"minigan/{exercise.chapter}.py, line {line}; in the book {pages}"
    return f"{title(exercise)}\n\n{solution_text(exercise)}\n\n{where}"
