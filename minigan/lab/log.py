r"""metrics.csv: one line per logged step, read line by line, so that damage stays small."""

import math
import os
import re
import stat

from ..errors import RunError
from .files import read_bytes, why, write_whole

LARGEST = 2**28  # bytes that are read
START = "step", "seconds"
NAME = re.compile(r"[A-Za-z0-9_()<> -]{1,40}")  # of a column


def read_log(path):
    r"""(names of the columns, rows) of what can be read: {} and no rows if nothing can.

    A row is kept if it has a number for every column and its step is higher than that of
    the row before. A line that a kill cut short, a second header, a blank line are not.
    """
    if not os.path.lexists(path):
        return (), []
    names, rows, last = (), [], 0
    text = read_bytes(path, LARGEST).decode("utf-8-sig", "replace")
    for line in text.splitlines(keepends=True):
        cells = tuple(cell.strip() for cell in line.split(","))
        if not names and _is_header(cells):
            names = cells
        row = _numbers(cells) if len(cells) == len(names) and line.endswith("\n") else None
        if row and row[0] > last:
            last = row[0]
            rows.append(cells)
    return names, rows


def _is_header(cells):
    known = cells[:2] == START and len(set(cells)) == len(cells) > 2
    return known and all(map(NAME.fullmatch, cells))


def _numbers(cells):
    r"""The cells as numbers, the first a whole one; None if one of them is none."""
    try:
        row = [int(cells[0]), *map(float, cells[1:])]
    except ValueError:
        return None
    return row if all(map(math.isfinite, row[1:])) else None


def columns(path):
    r"""{name: its numbers} of a log; {} if there are none."""
    names, rows = read_log(path)
    return dict(zip(names, zip(*(map(float, row) for row in rows)))) if rows else {}


def cut_log(path, step):
    r"""Drop what was logged after `step`; returns the seconds at the last row that is left."""
    names, rows = read_log(path)
    rows = [row for row in rows if int(row[0]) <= step]
    text = "".join(",".join(row) + "\n" for row in ([names, *rows] if names else []))
    write_whole(path, lambda file: file.write(text.encode()))
    return float(rows[-1][1]) if rows else 0.0


def begin(path, names):
    r"""Write the header, or take the order of the names from the one that is there.

    A log of other names is moved aside, to metrics.csv.old. Returns the names in order.
    """
    there = read_log(path)[0][2:]
    if sorted(there) == sorted(names):
        return list(there)
    try:
        if there:
            os.replace(path, f"{path}.old")
    except OSError as error:
        raise RunError(f"cannot move {path} aside: {why(error)}") from None
    write_whole(path, lambda file: file.write((",".join((*START, *names)) + "\n").encode()))
    return list(names)


def append(path, cells):
    r"""Add a row. Links are not followed."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    for extra in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"):
        flags |= getattr(os, extra, 0)
    try:
        with open(os.open(path, flags, 0o666), "ab") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise RunError(f"{path}: expected a file, this is something else")
            file.write((",".join(cells) + "\n").encode())
    except OSError as error:
        raise RunError(f"cannot write {path}: {why(error)}") from None
