r"""Tables of numbers as text: .csv and its kin, with or without a header.

One column may hold labels: the one that the header calls label, class, target or species, the
only one of words, or, where all other numbers of a row are the pixels of a square, the first.
A first column without a name, or called id or index, counts the rows and is left out.
"""

import csv
import io
import math
import os
import re

import numpy as np

from ..arrays import check_memory
from ..errors import DataError
from .files import open_regular, plain
from .npy import damaged
from .pixels import are_bytes, pictures_side

LABELS = ("label", "labels", "class", "target", "species")
COUNTS = ("", "id", "index", "unnamed: 0")  # a first column that only counts the rows
DELIMITERS = "\t;|,"  # in this order: with semicolons, commas may be decimal ones
LONGEST = 2**22  # characters of a line: a picture of 128 x 128 in colour has 200,000
LONGEST_LABEL = 100
MISSING = "a number is missing; leave such rows out"


def read_table(path):
    r"""(x (n, d) in float32, labels as words (n,) or None); raises DataError."""
    with open_regular(path, DataError) as file, damaged(path, "a table of numbers"):
        size = os.fstat(file.fileno()).st_size
        check_memory("its numbers", 6 * size)
        encoding = "utf-16" if file.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        file.seek(0)
        text = io.TextIOWrapper(file, encoding, errors="strict")
        try:
            return _read(text)
        except UnicodeDecodeError:
            raise DataError("not a table of numbers: its bytes are no text in UTF-8") from None
        finally:
            text.detach()


def _read(text):
    lines = Lines(text)
    first, second = lines.peek(), lines.peek(1)
    if not first:
        raise DataError("it is empty; expected a row of numbers on each line")
    delimiter = delimiter_of(second or first)
    names, row = cells(first, delimiter), cells(second or first, delimiter)
    has_header = is_header(names, row if second else None)
    if has_header and not second:
        raise DataError("it has a header and no rows")
    left_out = [0] if has_header and len(row) > 1 and names[0].lower() in COUNTS else []
    words = [j for j, cell in enumerate(row) if not is_number(cell) and j not in left_out]
    column = label_column(names if has_header else [], words, row)
    lines.skip = int(has_header)
    kept = [j for j in range(len(row)) if j != column and j not in left_out]
    x, labels = numbers(lines, delimiter, len(row), kept, column)
    if not has_header and labels is None and is_labelled(x):
        return x[:, 1:], x[:, 0]
    return x, labels if labels is None else np.array(labels)


def is_header(names, row):
    r"""Whether the first line names the columns, given its cells and those of the second."""
    words = [j for j, cell in enumerate(names) if not is_number(cell)]
    if row is None:
        return len(words) == len(names)
    same = words == [j for j, cell in enumerate(row) if not is_number(cell)]
    return bool(words) and not (same and all(names[j].lower() not in LABELS for j in words))


class Lines:
    r"""The lines of a text that are not empty, without what comes before `skip`."""

    def __init__(self, text):
        self.text, self.ahead, self.number, self.skip = text, [], 0, 0

    def _next(self):
        while line := self.text.readline(LONGEST):
            self.number += 1
            if len(line) == LONGEST:
                raise DataError(f"line {self.number} has more than {LONGEST:,} characters")
            if stripped := line.strip("\r\n\0").strip(" "):
                return self.number, stripped
        return None

    def peek(self, at=0):
        r"""The text of one of the next lines; empty where there is none."""
        while len(self.ahead) <= at:
            self.ahead.append(self._next())
        return self.ahead[at][1] if self.ahead[at] else ""

    def __iter__(self):
        for one in self.ahead[self.skip :]:
            if one:
                yield one
        while self.ahead[-1] and (one := self._next()):
            yield one


def delimiter_of(line):
    r"""What stands between the cells of a line; None is any blanks."""
    return next((each for each in DELIMITERS if each in line), None)


def cells(line, delimiter):
    r"""The cells of a line, without the quotes around them."""
    line = line.lstrip("# ") if line.startswith("#") else line
    if delimiter is None:
        return line.split()
    line = line.replace(",", ".") if delimiter == ";" else line
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter))]


def is_number(cell):
    r"""Whether the cell is a number, or nothing, which cannot be a name."""
    return cell == "" or number(cell) is not None


def number(cell):
    r"""The cell as a float; None if it is none."""
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def label_column(names, words, rows):
    r"""The column that holds labels, or None."""
    called = [j for j, name in enumerate(names[: len(rows)]) if name.lower() in LABELS]
    if len(called) > 1:
        raise DataError(f"two columns are called {', '.join(names[j] for j in called)}")
    other = [j for j in words if j not in called]
    if len(other) > (not called):
        named = ", ".join(plain(names[j] if names else rows[j])[:40] for j in other[:4])
        raise DataError(
            f"its columns {named} hold words; expected numbers, and at most one column of "
            "labels, named label"
        )
    return (called + other or [None])[0]


def numbers(lines, delimiter, width, kept, column):
    r"""(the numbers of the columns kept (n, d), the texts of the labels or None)."""
    if not kept:
        raise DataError("it has labels and no numbers")
    found, labels, count = [], [], max(1, 2**16 // len(kept))
    for at, line in lines:
        plainly = delimiter in (",", "\t") and '"' not in line
        row = line.split(delimiter) if plainly else cells(line, delimiter)
        if len(row) != width:
            raise DataError(f"line {at}: expected {width} cells as above, got {len(row)}")
        if column is not None:
            labels.append(label(row[column], at))
        if sum(map(len, found[-1:])) in (0, count):
            found.append([])
        found[-1].append(numbers_of([row[j] for j in kept] if len(kept) < width else row, at))
        if len(found[-1]) == count:
            found[-1] = np.stack(found[-1])
    x = np.concatenate([np.stack(block) for block in found])
    return x, (labels if column is not None else None)


def numbers_of(row, at):
    r"""The cells of a row as float32."""
    with np.errstate(over="ignore"):  # what becomes infinite is refused with all that is
        try:
            return np.array(row, np.float32)
        except ValueError:
            raise DataError(f"line {at}: {wrong(row)}") from None


def label(cell, at):
    r"""A label as text; 3.0 is 3."""
    cell = plain(cell.strip())
    if not cell:
        raise DataError(f"line {at}: the label is missing")
    if len(cell) > LONGEST_LABEL:
        raise DataError(f"line {at}: a label of more than {LONGEST_LABEL} characters")
    value = number(cell)
    whole = value is not None and math.isfinite(value) and value == int(value) >= 0
    return str(int(value)) if whole and abs(value) < 2**53 else cell


def wrong(row):
    r"""What is wrong with a row that is not all numbers."""
    cell = next((cell for cell in row if number(cell) is None), "")
    if re.fullmatch(r"\s*", cell):
        return MISSING
    return f"expected a number, got {plain(cell)[:40]!r}"


def is_labelled(x):
    r"""Whether the first column of pixels without a header is their labels, as MNIST's is."""
    pixels, first = x[:, 1:], x[:, 0]
    is_whole = np.isfinite(first).all() and not (first % 1).any() and first.min() >= 0
    return bool(is_whole and pictures_side(pixels) and are_bytes(pixels))
