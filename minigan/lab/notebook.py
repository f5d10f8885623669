r"""For a notebook or a prompt: train with a progress bar, look at samples, draw the curves.

    records = minigan.fit(model, data, steps=2000)
    minigan.plot(records)
    minigan.show(model.sample(100))

`show` and `plot` return figures of Matplotlib that a notebook displays, and that
`figure.savefig(name)` keeps. No state of `pyplot` is touched.
"""

import functools
import math
import warnings

import numpy as np

from ..arrays import to_numpy
from ..data import Dataset
from ..errors import DataError, whole_number
from ..training import train

SHOWN = 100  # rows of a data set


class History(list):
    r"""The records of a training, in order; a notebook shows their curves."""

    def __repr__(self):
        if not self:
            return "<History of no steps>"
        last = ", ".join(f"{k} {v:.3g}" for k, v in self[-1].items() if k != "step")
        return f"<History of {len(self):,} steps, at {self[-1]['step']:,}: {last}>"

    def _repr_png_(self):
        return plot(self)._repr_png_() if self else None


def fit(model, data, steps, batch_size=64, seed=0, state=None, progress=True):
    r"""Train as `train` does, to the end, under a progress bar; returns all records.

    The arguments are those of `train`. progress : whether to draw the bar
    """
    records, found = train(model, data, steps, batch_size, seed, state), History()
    with _bar(total=steps, initial=records.state.step, disable=not progress) as bar:
        for record in records:
            found.append(record)
            if bar.update() or record["step"] == steps:  # drawn a few times a second
                values = {k: f"{v:.2f}" for k, v in record.items() if k != "step"}
                bar.set_postfix(values, refresh=record["step"] == steps)
    return found


def _bar(**options):
    r"""A progress bar: a notebook's in a notebook that has widgets, else one of text."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there are no widgets
        from tqdm.auto import tqdm

        return tqdm(unit="step", **options)


def plot(records):
    r"""The curves of a list of records, as `fit` returns them: a Matplotlib figure."""
    from .plots import draw_losses  # imports Pillow

    records = list(records)
    if not records:
        raise DataError("records: expected at least one, got none; were they all iterated?")
    columns = {name: np.array([record[name] for record in records]) for name in records[0]}
    figure = _figure_class()(figsize=(8, 5), dpi=100, layout="constrained")
    draw_losses(figure, columns)
    return figure


def show(x, image_shape=None, columns=10, behind=None):
    r"""Rows as pictures, or as points of the plane: a Matplotlib figure.

    x : rows (n, d), one row (d,), or a `Dataset`, of which the first 100 rows are shown
    image_shape : (height, width) of a row, or (height, width, 3); by default the data set's,
        or else a square
    columns : pictures in a line
    behind : points (n, 2) to be drawn in grey behind those of x

    Raises DataError if the rows are neither points nor pictures.
    """
    x, shape = _rows(x, image_shape)
    if not shape:
        figure = _figure_class()(figsize=(5, 5), dpi=100, layout="constrained")
        _scatter(figure.subplots(), x, behind)
        return figure
    from .plots import sample_grid

    h, w, *_ = shape
    columns = min(whole_number("columns", columns), len(x))
    size = 0.6 * columns * w / h + 0.1, 0.6 * -(-len(x) // columns) + 0.1
    figure = _figure_class()(figsize=size, dpi=100)
    axis = figure.add_axes((0, 0, 1, 1))
    axis.imshow(sample_grid(x, shape, columns), cmap="gray", vmin=0, vmax=255)
    axis.set_axis_off()
    return figure


def _rows(x, image_shape):
    r"""The rows to be shown, and the shape of each as a picture; () for points."""
    if isinstance(x, Dataset):
        x, image_shape = x.x[:SHOWN] if x.image_shape else x.x, image_shape or x.image_shape
    x = np.atleast_2d(np.asarray(to_numpy(x), float))
    n = x.shape[1]
    if x.ndim == 2 and n == 2 and image_shape is None:
        return x, ()
    square, third = (math.isqrt(n),) * 2, (math.isqrt(n // 3),) * 2
    shape = tuple(image_shape or (square if math.prod(square) == n else (*third, 3)))
    right = len(shape) in (2, 3) and shape[2:] in ((), (3,)) and math.prod(shape) == n
    if x.ndim != 2 or not right or min(shape) < 2:
        raise DataError(
            f"x: expected points (n, 2) or square pictures in rows, got shape {x.shape}; "
            "give image_shape=(height, width) or (height, width, 3) for others"
        )
    return x, shape


def _scatter(axis, x, behind):
    if behind is not None:
        behind = behind.x if isinstance(behind, Dataset) else np.asarray(to_numpy(behind))
        axis.scatter(*behind[:2000].T, s=4, c="lightgrey", lw=0)
    axis.scatter(*x[:2000].T, s=4, c="tab:orange", lw=0)
    axis.set_aspect("equal")


@functools.cache
def _figure_class():
    r"""Matplotlib's Figure, which shows itself in a notebook without `pyplot`."""
    from .plots import figure_png, matplotlib_part

    class Figure(matplotlib_part("figure").Figure):
        def _repr_png_(self):
            return figure_png(self)

    return Figure


def _picture_of(data):
    r"""What a notebook shows of a `Dataset`; None if it has neither pictures nor points."""
    shown = data.image_shape is not None or data.x.shape[1] == 2
    return show(data)._repr_png_() if shown else None


Dataset._repr_png_ = _picture_of  # type: ignore[attr-defined]  # the book itself draws nothing
