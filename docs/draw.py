"""Draws every figure of the book that code draws: python docs/draw.py

The numbers come from the library, at once or as they were kept: docs/effects.py and
docs/trained.py and docs/seen.py measure what takes longer, and docs/zoo.py draws its own table.
"""

import contextlib
import functools
import io
import json

import curves
import diagrams
import effects
import figures
import seen
import trained


def drawings():
    """{name of a figure: a function that draws it}"""
    kept = json.loads(effects.KEPT.read_text("utf-8"))
    found = figures.MEASURED | curves.CURVES | diagrams.DIAGRAMS
    found |= {name: functools.partial(trained.drawn, name) for name in trained.TRAINED}
    found |= {name: functools.partial(seen.drawn, name) for name in seen.SEEN}
    found |= {f"bug-{c}": functools.partial(effects.draw, c, kept) for c in effects.CHAPTERS}
    return found


if __name__ == "__main__":
    for name, figure in drawings().items():
        with contextlib.redirect_stdout(io.StringIO()):  # the pages' examples print
            text = figure()
        (figures.FIGURES / f"{name}.svg").write_text(text, "utf-8")
