"""Pictures: sample grids, curves, films. Everything here reads and draws only."""

import importlib
import io
import os

import numpy as np
from PIL import Image  # comes with matplotlib

SIDE = 480  # of a picture of points
LARGEST_SIDE = 10_000  # pixels of a film
LARGEST_VALUE = 1e30  # of a curve: near the largest float, Matplotlib's axes overflow
GREY, ORANGE = (200, 200, 200), (194, 65, 12)


def sample_grid(x, image_shape, columns):
    r"""Rows of pixels in [0, 1] as one picture, `columns` to a line: uint8 (H, W), or
    (H, W, 3) in colour.
    """
    h, w, *colour = image_shape
    lines = -(-len(x) // columns)
    grid = np.zeros((lines * columns, h + 2, w + 2, *colour))
    grid[: len(x), 1:-1, 1:-1] = np.clip(x, 0, 1).reshape(-1, h, w, *colour)
    grid = grid.reshape(lines, columns, h + 2, w + 2, *colour).swapaxes(1, 2)
    whole = grid.reshape(lines * (h + 2), columns * (w + 2), *colour)
    return np.round(255 * whole).astype(np.uint8)


def point_cloud(x, behind):
    r"""Points of the plane over those `behind` (grey), uint8 (SIDE, SIDE, 3).

    Of more columns the first two are drawn; of one, each row a little above the last.
    """
    picture = np.full((SIDE, SIDE, 3), 255, np.uint8)
    bound = 1.3 * float(np.abs(behind[:, :2]).max()) or 1.0
    for points, colour in ((behind[:2000], GREY), (x, ORANGE)):
        if points.shape[1] == 1:
            up = np.linspace(-bound, bound, len(points) + 2)[1:-1]
            points = np.column_stack([points, up])
        pixels = ((points[:, :2] / bound + 1) / 2 * SIDE).astype(int)
        right, up = pixels[((pixels > 0) & (pixels < SIDE - 1)).all(axis=1)].T
        for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):  # a dot is two pixels wide
            picture[SIDE - 1 - up - i, right + j] = colour
    return picture


def samples_png(x, image_shape, columns=10, behind=None, scale=1):
    r"""Samples as PNG bytes: a grid of images, or points in the plane over the data's.

    scale : screen pixels per pixel of an image
    """
    if image_shape is None:
        picture = point_cloud(x, behind)
    else:
        picture = sample_grid(x, image_shape, columns).repeat(scale, 0).repeat(scale, 1)
    return image_png(picture)


def image_png(picture):
    r"""A uint8 array (H, W) or (H, W, 3) as PNG bytes."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def losses_png(columns, guides=None):
    r"""The figure of `draw_losses` as PNG bytes."""
    figure = matplotlib_part("figure").Figure((8, 6), dpi=100, layout="constrained")
    draw_losses(figure, columns, guides)
    return figure_png(figure)


def draw_losses(figure, columns, guides=None):
    r"""The curves of metrics.csv, given as {name: array}, in an empty figure.

    The losses share one panel; everything else the game reports is drawn below it. Each curve
    is smoothed, with what was logged pale behind it.

    guides : {name: its value once samples cannot be told from data}, drawn as dashed lines
    """
    axes = figure.subplots(2, sharex=True)
    for axis, names in zip(axes, panels(columns)):
        for name in names:
            values = np.clip(columns[name], -LARGEST_VALUE, LARGEST_VALUE)
            (curve,) = axis.plot(columns["step"], smoothed(values), lw=1.4, label=name)
            axis.plot(columns["step"], values, lw=0.6, alpha=0.3, c=curve.get_color(), zorder=1)
            if name in (guides or {}):
                axis.axhline(guides[name], lw=0.9, ls="--", c=curve.get_color(), alpha=0.8)
        if any(name in (guides or {}) for name in names):
            axis.plot([], [], lw=0.9, ls="--", c="grey", label="at equilibrium")
        if names:  # Matplotlib warns of a legend without curves; above the curves it hides none
            axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=5, frameon=False)
        axis.grid(alpha=0.3)
    axes[-1].set_xlabel("step")


def panels(columns):
    r"""The names of the curves, as [the losses, everything else]."""
    names = [name for name in columns if name not in ("step", "seconds")]
    losses = [name for name in names if name.startswith("loss")]
    return [losses, [name for name in names if name not in losses]]


def smoothed(values):
    r"""Each value's mean with its neighbours, a fiftieth of the curve on each side, (n,)."""
    window = np.ones(2 * (len(values) // 50) + 1)
    count = np.convolve(np.ones(len(values)), window, "same")
    return np.convolve(values, window, "same") / count


def film_gif(frames, milliseconds=120):
    r"""PNG files as one looping GIF, the last frame held for two seconds, as bytes.

    A file that is no picture, or none of the first one's size, is left out; None if no file
    is left.
    """
    pictures = []
    for frame in frames:
        picture = _picture(frame, pictures[0].size if pictures else None)
        pictures += [picture] if picture else []
    if not pictures:
        return None
    durations = [milliseconds] * (len(pictures) - 1) + [2000]
    buffer = io.BytesIO()
    options = {"save_all": True, "append_images": pictures[1:], "loop": 0}
    pictures[0].save(buffer, "GIF", duration=durations, **options)
    return buffer.getvalue()


def _picture(file, size):
    r"""The PNG in the file in a palette of colours, if it can be read and has that size."""
    try:
        with Image.open(file, formats=["PNG"]) as picture:
            if max(picture.size) > LARGEST_SIDE or size not in (None, picture.size):
                return None
            return picture.convert("P", palette=Image.Palette.ADAPTIVE)
    except Exception:  # a damaged file makes Pillow raise nearly anything
        return None


def figure_png(figure):
    r"""A figure of Matplotlib as PNG bytes."""
    buffer = io.BytesIO()
    matplotlib_part("backends.backend_agg").FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()


def matplotlib_part(module):
    r"""A module of Matplotlib, which is slow to import. It is told of no display: what
    MPLBACKEND names may not be installed, and files are all that is drawn here.
    """
    named = os.environ.pop("MPLBACKEND", None)
    try:
        return importlib.import_module(f"matplotlib.{module}")
    finally:
        if named is not None:
            os.environ["MPLBACKEND"] = named
