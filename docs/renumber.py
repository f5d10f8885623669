"""Numbers the equations in reading order, everywhere:  python docs/renumber.py [--check]

A new equation may be given any free number, such as (99) or (99a), where it stands. This
script then counts: an equation that starts a paragraph of a chapter takes the next number,
one with a letter the next letter. Each mention of it changes with it: in docstrings,
comments and strings, in the names of tests (`eq17_`), in the Markdown pages.
"""

import io
import re
import sys
import tokenize

import book

MENTION = re.compile(r"(?<![\w)])\((\d{1,2}[a-z]?)\)")
IN_A_NAME = re.compile(r"(?<=_)eq(\d{1,2}[a-z]?)(?=_)")
FOLDERS = "minigan", "tests", "docs", "examples", "benchmarks"


def in_order(numbers):
    """{old number: new number}, counted in the order given."""
    new, at, letter = {}, 0, ""
    for old in numbers:
        if old[-1].isdigit():
            at, letter = at + 1, ""
        else:
            letter = chr(ord(letter) + 1) if letter else "a"
        new[old] = f"{at}{letter}"
    return new


def renumbered(text, new, is_python):
    """The text with every mention of an equation replaced by its new number."""

    def mentions(piece):
        piece = MENTION.sub(lambda m: f"({new.get(m[1], m[1])})", piece)
        return IN_A_NAME.sub(lambda m: f"eq{new.get(m[1], m[1])}", piece)

    if not is_python:
        return mentions(text)
    lines = text.splitlines(keepends=True)
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    kinds = {"STRING", "COMMENT", "NAME", "FSTRING_MIDDLE"}
    for token in reversed(tokens):
        if tokenize.tok_name[token.type] in kinds:
            (top, left), (bottom, right) = token.start, token.end
            old = "".join(lines[top - 1 : bottom])
            tail = len(lines[bottom - 1]) - right
            middle = old[left : len(old) - tail]
            whole = old[:left] + mentions(middle) + old[len(old) - tail :]
            lines[top - 1 : bottom] = [whole] + [""] * (bottom - top)
    return "".join(lines)


def files():
    """Every file in which an equation may be mentioned."""
    yield book.ROOT / "README.md"
    for folder in FOLDERS:
        for path in sorted((book.ROOT / folder).rglob("*")):
            inside = path.relative_to(book.ROOT).parts
            if path.suffix in (".py", ".md") and not {"node_modules", "_build"} & set(inside):
                yield path


def main(options, new=None):
    """Renumber, or only say whether something is out of order; returns the exit status."""
    defined = [n for n in book.definitions(book.read()) if n[0] != "T"]
    new = new or in_order(defined)
    moved = {old: number for old, number in new.items() if old != number}
    for old, number in moved.items():
        print(f"({old}) becomes ({number})")
    if "--check" in options:
        return int(bool(moved))
    for path in files() if moved else ():
        before = path.read_text("utf-8")
        after = renumbered(before, moved, path.suffix == ".py")
        if after != before:
            path.write_text(after, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
