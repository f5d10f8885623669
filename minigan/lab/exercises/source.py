r"""The student's file: a chapter's own text without the lines that are the answer.

Nothing is copied by hand. The text is read from the module beside this package, the missing
lines are found in its syntax tree, and `...` stands in their place.
"""

import ast
import functools
import hashlib
import re
from itertools import accumulate
from pathlib import Path

from ... import __version__
from ...errors import MiniganError
from .bugs import Bug

PACKAGE = Path(__file__).resolve().parents[2]
NUMBER = re.compile(r"\s*\((\d{1,2}[a-z]?)\)\s")
ANSWER = "  # your answer"
ITEMS = re.compile(r"\n(?=\d\. \*\*)")
FACTS = re.compile(r"(?:Shapes|Returns|factors \().*", re.S)  # these stay
NOTHING = ("\0",)  # with which no paragraph begins


@functools.cache
def chapter_text(chapter):
    r"""The text of minigan/CHAPTER.py as it is installed."""
    return (PACKAGE / f"{chapter}.py").read_text("utf-8")


def function_node(tree, name):
    r"""The definition of `Class.method` or `function` in a module's tree; None if missing."""
    node = tree
    for part in name.split("."):
        kinds = ast.FunctionDef, ast.ClassDef
        inside = [n for n in node.body if isinstance(n, kinds) and n.name == part]
        if not inside:
            return None
        node = inside[-1]
    return node


@functools.cache
def numbers(exercise):
    r"""The numbers that the exercise's equations have today, such as ("1b",)."""
    if isinstance(exercise, Bug):
        return ()
    found = docstring_numbers(exercise)
    return tuple(found[i] for i in exercise.equations) if exercise.equations else tuple(found)


def docstring_numbers(exercise):
    r"""All numbers in the docstring of the function, or of the first one around it with any."""
    tree, names = ast.parse(chapter_text(exercise.chapter)), exercise.function.split(".")
    for depth in range(len(names), 0, -1):
        node = function_node(tree, ".".join(names[:depth]))
        text = ast.get_docstring(node) or ""
        found = [NUMBER.match(part) for part in re.split(r"\n\s*\n", text)]
        if any(found):
            return [match[1] for match in found if match]
    return []


def title(exercise):
    r"""Such as "(1a) Dense.dx"."""
    if isinstance(exercise, Bug):
        return f"find the bug in {exercise.chapter}.py"
    part = f": {exercise.part}" if exercise.part else ""
    known = " ".join(f"({number})" for number in numbers(exercise))
    return f"{known} {exercise.function}{part}"


def student_text(exercise, level="a"):
    r"""The whole of the student's file."""
    text = chapter_text(exercise.chapter)
    if isinstance(exercise, Bug):
        return header(exercise, level) + with_bug(exercise, text)
    if level == "b" and not exercise.derive:
        raise MiniganError(
            f"{exercise.key}: has no second level, as its equation is a definition; start it "
            "without --derive"
        )
    text = with_hole(exercise, text)
    return header(exercise, level) + (text if level == "a" else underived(exercise, text))


def header(exercise, level):
    r"""The comment that says what is to be done; its first line names the exercise."""
    if isinstance(exercise, Bug):
        task = "This chapter has one bug. Find it with the check's help and mend it."
        level = ""
    else:
        task = f'In {exercise.function}, write what is missing in the place of "...".'
        level = f", level {level}"
    return (
        f"# minigan exercise: {exercise.key}{level}\n"
        f"# written by minigan {__version__}, {mark(exercise)}\n"
        f"# {title(exercise)}\n# {task}\n"
        "# Leave the rest as it is, import nothing, and then run: minigan exercise check\n"
    )


def mark(exercise):
    r"""Tells an exercise, and the chapter's text of which its file is made, from any other."""
    text = f"{exercise.key}\n{chapter_text(exercise.chapter)}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def with_bug(bug, text):
    r"""The chapter with the bug in it."""
    first, last = span(text, function_node(ast.parse(text), bug.function))
    body = text[first:last]
    if body.count(bug.right) != 1:
        raise MiniganError(f"{bug.key}: {bug.function} has changed; its edit must be renewed")
    return text[:first] + body.replace(bug.right, bug.wrong) + text[last:]


# ---- the hole ----


@functools.lru_cache(maxsize=4)
def lines_of(text):
    r"""The lines of a text, and where in it each begins."""
    lines = text.splitlines(keepends=True)
    return lines, [0, *accumulate(map(len, lines))]


def span(text, node):
    r"""Where a node begins and ends in the text, which `ast` counts in bytes of UTF-8."""
    lines, starts = lines_of(text)

    def at(row, column):
        return starts[row - 1] + len(lines[row - 1].encode()[:column].decode())

    return (
        at(node.lineno, node.col_offset),
        at(node.end_lineno, node.end_col_offset),
    )


def holes(exercise, text):
    r"""The (begin, end) in the text of everything that is to be taken out, in order."""
    node = function_node(ast.parse(text), exercise.function)
    if not exercise.hole:
        body = node.body[1:] if ast.get_docstring(node) else node.body
        return [(span(text, body[0])[0], span(text, body[-1])[1])]
    return sorted(span(text, each) for each in taken_out(exercise, node))


def taken_out(exercise, node):
    r"""The expressions in a function that the words of the exercise's hole stand for."""
    words = exercise.hole.split()
    yield from assigned(node, [word for word in words if not word.startswith("return")])
    yield from (returned(node, word) for word in words if word.startswith("return"))


def returned(node, hole):
    r"""What "return", "return[1]" or "return.right" means in a function."""
    values = [each.value for each in ast.walk(node) if isinstance(each, ast.Return)]
    if hole == "return.right":
        return values[-1].right
    if hole == "return":
        return values[-1]
    pairs = [each.body if isinstance(each, ast.IfExp) else each for each in values]
    return next(e for e in pairs if len(getattr(e, "elts", "")) > 1).elts[int(hole[7:-1])]


def assigned(node, names):
    r"""The values of all assignments to one of these names."""
    for each in ast.walk(node):
        if isinstance(each, (ast.Assign, ast.AugAssign)):
            targets = each.targets if isinstance(each, ast.Assign) else [each.target]
            inside = {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
            if inside & set(names):
                yield each.value


def with_hole(exercise, text):
    r"""The chapter's text with `...` for the answer."""
    for first, last in reversed(holes(exercise, text)):
        rest, end, after = text[last:].partition("\n")
        rest = rest.removesuffix(ANSWER) + ANSWER
        text = f"{text[:first]}...{rest}{end}{after}"
    return text


def gaps(node):
    r"""The lines on which `...` stands in a function, but for those where it is an index."""
    indices = {
        id(inner)
        for each in ast.walk(node)
        if isinstance(each, ast.Subscript)
        for inner in ast.walk(each.slice)
    }
    constants = [each for each in ast.walk(node) if isinstance(each, ast.Constant)]
    return [c.lineno for c in constants if c.value is ... and id(c) not in indices]


def solution_text(exercise):
    r"""The lines of the chapter that are the answer, the function they stand in around them."""
    text = chapter_text(exercise.chapter)
    node = function_node(ast.parse(text), exercise.function)
    first, last = span(text, node)
    lines = text[:last].splitlines()[node.lineno - 1 :]
    doc = node.body[0] if ast.get_docstring(node) else None
    if doc:
        del lines[doc.lineno - node.lineno : doc.end_lineno - node.lineno + 1]
    indent = node.col_offset
    return "\n".join(line[indent:] for line in lines)


# ---- the derivation ----


def underived(exercise, text):
    r"""The text with its derivation taken out: numbered paragraphs and what goes with them."""
    names = exercise.function.split(".")
    for depth in range(len(names) + 1):
        tree = ast.parse(text)
        node = function_node(tree, ".".join(names[:depth])) if depth else tree
        if ast.get_docstring(node):
            first, last = span(text, node.body[0])
            text = text[:first] + silenced(exercise, text[first:last]) + text[last:]
    return text


def silenced(exercise, docstring):
    r"""A docstring, with its quotes, without what tells the derivation."""
    opening = re.match(r'\w*"""', docstring)[0]
    body = docstring.removeprefix(opening).removesuffix('"""')
    parts = [
        "\n".join(filter(None, (told(exercise, item) for item in ITEMS.split(part))))
        for part in re.split(r"\n[ \t]*\n", body.rstrip())
    ]
    return f'{opening}{(chr(10) * 2).join(filter(None, parts))}{body[len(body.rstrip()) :]}"""'


def told(exercise, part):
    r"""What is left of a paragraph, or an item of a list: all of it, its shapes, or nothing."""
    number, indent = NUMBER.match(part), re.match(r"\s*", part)[0]
    if number and exercise.derive == "equation" and number[1] in numbers(exercise):
        kept = f"{indent}({number[1]}) Yours to derive."
    elif part.strip().startswith(exercise.gives_away or NOTHING):
        kept = ""
    else:
        return part
    facts = FACTS.search(part)
    return "\n".join(filter(None, (kept, f"{indent or ' ' * 8}{facts[0]}" if facts else "")))
