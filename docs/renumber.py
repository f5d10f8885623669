"""Numbers the equations in reading order, everywhere:  python docs/renumber.py [--check]

A new equation may be given any free number where it stands, such as (99), or (99a) to belong
to the equation above it. This script then counts the equations of the chapters in reading
order. One with a letter stays with its number, wherever it stands, and takes the next letter.
Each mention changes with its equation: in docstrings, comments and strings, in the names of
tests (`eq99_`), and in Markdown. Code stays as it is, so the 10 of `np.eye(10)` does too.

With --check nothing is written, and the exit status is 1 if a number is out of order.
"""

import io
import re
import sys
import tokenize
from itertools import accumulate
from string import ascii_lowercase

import book

# What stands before a number, and the number: (99) but not f(99), eq99_ and eq-99.
MENTIONS = (
    re.compile(r"((?<![\w)])\()(\d{1,2}[a-z]?)(?=\\?\))"),
    re.compile(r"((?<![^\W_])eq-?)(\d{1,2}[a-z]?)(?![^\W_])"),
)
# The tokens that hold words. An f-string is one STRING before Python 3.12, pieces since.
WORDS = {"STRING", "FSTRING_MIDDLE", "TSTRING_MIDDLE", "COMMENT", "NAME"}
FOLDERS = "minigan", "tests", "docs", "examples", "benchmarks"
EXAMPLES = "docs/renumber.py", "tests/test_docs.py"  # their numbers are only examples


def in_order(numbers):
    """{old number: new number}, counted in the order given."""
    new, count, letters = {}, 0, {}
    for old in numbers:
        base = old.rstrip(ascii_lowercase)
        if base == old:
            count += 1
            new[old] = f"{count}"
        else:
            home = new.get(base, f"{count}")
            letters[home] = letters.get(home, -1) + 1
            new[old] = home + ascii_lowercase[letters[home]]
    return new


def renumbered(text, new, is_python):
    """The text with the new number in each mention of an equation."""
    if not is_python:
        return replaced(text, new)
    lines = io.StringIO(text).readlines()
    starts = [0, *accumulate(map(len, lines))]
    parts, at = [], 0
    for token in tokenize.generate_tokens(iter(lines).__next__):
        if tokenize.tok_name[token.type] in WORDS:
            first, last = (starts[row - 1] + column for row, column in (token.start, token.end))
            parts += [text[at:first], replaced(text[first:last], new)]
            at = last
    return "".join(parts) + text[at:]


def replaced(words, new):
    """The same for text without code. All numbers change at once: 5 to 6 while 6 to 7."""
    for mention in MENTIONS:
        words = mention.sub(lambda found: found[1] + new.get(found[2], found[2]), words)
    return words


def files():
    """Every file in which an equation may be mentioned."""
    yield book.ROOT / "README.md"
    for folder in FOLDERS:
        for path in sorted((book.ROOT / folder).rglob("*.*")):
            name = path.relative_to(book.ROOT).as_posix()
            skip = name in EXAMPLES or re.search("/(node_modules|_build)/", name)
            if path.suffix in (".py", ".md") and not skip:
                yield path


def main(options):
    """Renumber, or only say what is out of order; returns the exit status."""
    numbers = [number for number in book.definitions(book.read()) if number[0] != "T"]
    moved = {old: new for old, new in in_order(numbers).items() if old != new}
    for old, new in moved.items():
        print(f"({old}) becomes ({new})")
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
