"""Pictures, by their pixels; curves, by what they are drawn from; films, frame by frame."""

import importlib
import io
import os

import matplotlib
import numpy as np
import pytest
from PIL import Image

from minigan.lab import plots
from minigan.lab.loaders import load, ring
from minigan.lab.models import build
from minigan.lab.run import Run

WHITE = (255, 255, 255)


def opened(content):
    """The picture in some PNG bytes."""
    picture = Image.open(io.BytesIO(content))
    assert picture.format == "PNG"
    return picture


# --- grids of pictures

E = [[9, 9, 9], [9, 0, 0], [9, 9, 0], [9, 0, 0], [9, 9, 9]]  # no two of its sides are alike
E[0][2], E[4][1] = 5, 1
SMALL = np.array([E, np.add(E, 20), np.add(E, 40)]) / 255  # three pictures of 5 x 3


def test_a_grid_is_filled_line_by_line_each_picture_upright_in_a_black_frame():
    grid = plots.sample_grid(SMALL.reshape(3, -1), (5, 3), columns=2)
    line = np.zeros((7, 10), np.uint8), np.zeros((7, 10), np.uint8)
    line[0][1:6, 1:4], line[0][1:6, 6:9] = E, np.add(E, 20)
    line[1][1:6, 1:4] = np.add(E, 40)
    assert grid.dtype == np.uint8
    np.testing.assert_array_equal(grid, np.concatenate(line))


@pytest.mark.parametrize(("n", "lines"), [(1, 1), (3, 1), (4, 2), (6, 2), (7, 3)])
def test_a_grid_has_as_many_lines_as_its_pictures_need(n, lines):
    grid = plots.sample_grid(np.ones((n, 2)), (1, 2), columns=3)
    assert grid.shape == (3 * lines, 12)
    assert (grid == 255).sum() == 2 * n


def test_a_pixel_has_the_nearest_of_256_shades_and_no_other():
    x = np.array([[0, 0.25, 0.497, 0.5, 1, 1.2, 7, -0.1, -3, 254.6 / 255]])
    found = plots.sample_grid(x, (1, 10), 1)[1, 1:-1]
    assert found.tolist() == [0, 64, 127, 128, 255, 255, 255, 0, 0, 255]


def test_a_digit_in_a_file_is_the_digit_of_the_data_enlarged():
    """Not upside down, turned, mirrored, inverted or pale, and in its own place."""
    data = load("mnist5k")
    digits = np.round(255 * data.x[:23]).astype(int).reshape(-1, 28, 28)
    for scale in (1, 2, 3):
        picture = opened(plots.samples_png(data.x[:23], (28, 28), scale=scale))
        assert (picture.mode, picture.size) == ("L", (300 * scale, 90 * scale))
        pixels = np.array(picture)
        for k, digit in enumerate(digits):
            top, left = 30 * (k // 10) + 1, 30 * (k % 10) + 1
            for di in range(scale):
                part = pixels[di::scale, scale - 1 :: scale]
                np.testing.assert_array_equal(
                    part[top : top + 28, left : left + 28], digit, err_msg=str(k)
                )


def test_a_picture_may_have_any_number_of_columns_and_is_not_enlarged_unasked():
    picture = opened(plots.samples_png(np.ones((8, 6)), (2, 3), columns=4))
    assert picture.size == (4 * 5, 2 * 4)


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 3)])
def test_an_array_is_the_picture_in_its_file(shape):
    pixels = np.random.default_rng(0).integers(256, size=shape).astype(np.uint8)
    np.testing.assert_array_equal(np.array(opened(plots.image_png(pixels))), pixels)


# --- points


def coloured(picture, colour):
    """The (row, column) of all pixels of a colour."""
    return set(zip(*(k.tolist() for k in np.nonzero((picture == colour).all(axis=2)))))


def dot(right, up):
    """The two by two pixels of a point, counted from the lower left corner."""
    return {(479 - up - i, right + j) for i in (0, 1) for j in (0, 1)}


def test_points_are_dots_at_their_places_upwards_and_to_the_right_over_grey_ones():
    behind = np.array([[10.0, 0.0], [-6.5, -9.75]])  # so the edges are at -13 and 13
    x = np.array([[6.5, -3.25], [0.0, 13 * 0.75]])
    picture = plots.point_cloud(x, behind)
    assert (picture.shape, picture.dtype) == ((480, 480, 3), np.uint8)
    orange, grey = dot(360, 180) | dot(240, 420), dot(424, 240) | dot(120, 60)
    assert coloured(picture, plots.ORANGE) == orange
    assert coloured(picture, plots.GREY) == grey
    assert len(coloured(picture, WHITE)) == 480**2 - 16


def test_samples_hide_the_data_behind_them():
    picture = plots.point_cloud(np.zeros((1, 2)), np.array([[0.0, 0.0], [1.0, 1.0]]))
    assert dot(240, 240) == coloured(picture, plots.ORANGE)
    assert len(coloured(picture, plots.GREY)) == 4


@pytest.mark.parametrize(("pixel", "there"), [(0, 0), (1, 1), (478, 1), (479, 0), (900, 0)])
def test_a_point_at_the_edge_is_drawn_if_its_whole_dot_fits(pixel, there):
    at = ((pixel + 0.5) / 480 * 2 - 1) * 1.3
    behind = np.array([[1.0, 0.0]])
    for point, place in (((at, 0.0), (pixel, 240)), ((0.0, at), (240, pixel))):
        found = coloured(plots.point_cloud(np.array([point]), behind), plots.ORANGE)
        assert found == (dot(*place) if there else set())


def test_what_cannot_be_drawn_is_left_out():
    x = np.array([[np.nan, 0], [np.inf, 0], [0, -np.inf], [1e300, 1e300], [0.0, 0.0]])
    with np.errstate(over="ignore", invalid="ignore"):
        found = plots.point_cloud(x, np.array([[1.0, 0.0]]))
    assert coloured(found, plots.ORANGE) == dot(240, 240)


def test_two_thousand_points_of_the_data_are_drawn_and_all_of_the_samples():
    at = np.stack([np.arange(2100) % 70, np.arange(2100) // 70], axis=1) / 70 + 0.007
    for behind, x, colour, n in (
        (at, at[:0], plots.GREY, 2000),
        (at[-1:], at, plots.ORANGE, 2100),
    ):
        picture = plots.point_cloud(x * np.ones(2), behind)
        seen = coloured(picture, colour)
        assert len(seen) == 4 * n


def test_of_points_in_space_the_first_two_coordinates_are_drawn():
    flat, deep = np.array([[0.5, 0.25]]), np.array([[0.5, 0.25, 0.1]])
    behind = np.array([[1.0, 0.0]])
    expected = plots.point_cloud(flat, behind)
    np.testing.assert_array_equal(plots.point_cloud(deep, np.eye(1, 3)), expected)
    found = np.array(opened(plots.samples_png(flat, None, behind=behind)))
    np.testing.assert_array_equal(found, expected)


def test_a_run_draws_its_own_samples_over_its_own_data():
    data = ring(500)
    model = build("gan", n_data=2, output="linear", n_noise=2)
    found = np.array(opened(Run.picture(model, data)))
    np.testing.assert_array_equal(found, plots.point_cloud(model.sample(1000), data.x))


# --- curves

COLUMNS = {
    "step": (1.0, 20.0, 30.0),
    "seconds": (0.1, 0.2, 0.4),
    "loss_D": (1.4, 1.3, 1.2),
    "D(x)": (0.5, 0.6, 0.7),
    "loss_G": (0.7, 0.8, 0.6),
    "D(G(z))": (0.5, 0.4, 0.3),
}


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were made into files."""
    figures, png = [], plots.figure_png
    monkeypatch.setattr(plots, "figure_png", lambda each: figures.append(each) or png(each))
    return figures


def test_each_curve_has_its_values_over_the_steps_under_its_own_name(drawn):
    """The losses above, whatever else is reported below; never the seconds."""
    picture = opened(plots.losses_png(COLUMNS))
    assert picture.size == (800, 600)
    (figure,) = drawn
    panels = [["loss_D", "loss_G"], ["D(x)", "D(G(z))"]]
    assert len(figure.axes) == 2
    for axis, names in zip(figure.axes, panels):
        assert [text.get_text() for text in axis.get_legend().get_texts()] == names
        smooth, raw = axis.lines[::2], axis.lines[1::2]
        assert [line.get_label() for line in smooth] == names
        for lines in (smooth, raw):  # of so few values, none is changed by smoothing
            for name, line in zip(names, lines, strict=True):
                assert tuple(line.get_xdata()) == COLUMNS["step"]
                assert tuple(line.get_ydata()) == COLUMNS[name]
        for over, under in zip(smooth, raw):
            assert over.get_color() == under.get_color()
            assert over.get_zorder() > under.get_zorder()
            assert under.get_alpha() == 0.3
        grid = axis.get_xgridlines() + axis.get_ygridlines()
        assert {(line.get_visible(), line.get_alpha()) for line in grid} == {(True, 0.3)}
    above, below = figure.axes
    assert above.get_position().y0 > below.get_position().y1
    assert (above.get_xlabel(), below.get_xlabel()) == ("", "step")
    assert above.get_xlim() == below.get_xlim()
    above.set_xlim(5, 6)
    assert below.get_xlim() == (5, 6)


def test_a_curve_is_smoothed_by_its_neighbours_a_fiftieth_on_each_side():
    values = np.random.default_rng(0).standard_normal(250)
    found = plots.smoothed(values)
    for i in (0, 1, 4, 5, 6, 100, 244, 245, 249):
        near = values[max(0, i - 5) : i + 6]
        assert found[i] == pytest.approx(near.mean(), abs=1e-12)
    assert plots.smoothed(values[:49]).tolist() == values[:49].tolist()


def test_guides_are_dashed_lines_of_their_curves_colours_and_named_once(drawn):
    plots.losses_png(COLUMNS, {"loss_D": 1.39, "D(x)": 0.5, "D(G(z))": 0.5, "w_estimate": 0.0})
    above, below = drawn[0].axes
    for axis, expected in ((above, {"loss_D": 1.39}), (below, {"D(x)": 0.5, "D(G(z))": 0.5})):
        colours = {line.get_label(): line.get_color() for line in axis.lines}
        dashed = [line for line in axis.lines if line.get_linestyle() == "--"]
        seen = {line.get_color(): line.get_ydata()[0] for line in dashed[: len(expected)]}
        assert seen == {colours[name]: value for name, value in expected.items()}
        texts = [text.get_text() for text in axis.get_legend().get_texts()]
        assert texts.count("at equilibrium") == 1


def test_the_legend_covers_no_data_and_nothing_is_cut_off(drawn):
    plots.losses_png(COLUMNS | {"penalty": (1.0, 2.0, 3.0)}, {"D(x)": 0.5, "loss_D": 1.4})
    for axis in drawn[0].axes:
        legend, frame = axis.get_legend().get_window_extent(), axis.get_window_extent()
        assert legend.y0 >= frame.y1 - 1
        assert frame.x0 - 5 <= legend.x0
        assert legend.x1 <= 800
        whole = axis.get_tightbbox()
        assert whole.x0 >= 0
        assert whole.y0 >= 0
        assert whole.y1 <= 600
    assert drawn[0].axes[0].get_window_extent().width > 700  # no room is wasted either


def test_the_picture_of_curves_has_its_size_whatever_the_user_has_set(drawn):
    with matplotlib.rc_context({"figure.dpi": 50}):
        assert opened(plots.losses_png(COLUMNS)).size == (800, 600)


def test_a_curve_near_the_largest_float_is_drawn_at_its_limit(drawn):
    huge = COLUMNS | {"loss_D": (1.0, -1e308, 1e308)}
    assert opened(plots.losses_png(huge)).size == (800, 600)
    for line in drawn[0].axes[0].lines[:2]:
        assert tuple(line.get_ydata()) == (1.0, -1e30, 1e30)


def test_a_game_that_reports_nothing_but_losses_has_its_curves(drawn):
    alone = {name: COLUMNS[name] for name in ("step", "seconds", "loss_D", "loss_G")}
    assert opened(plots.losses_png(alone)).size == (800, 600)
    assert [len(axis.lines) for axis in drawn[0].axes] == [4, 0]


@pytest.mark.parametrize("named", [None, "", "no such backend"])
@pytest.mark.parametrize("broken", [False, True])
def test_matplotlib_is_told_of_no_display_and_the_environment_stays(monkeypatch, named, broken):
    """What MPLBACKEND names may not be installed."""
    monkeypatch.delenv("MPLBACKEND", raising=False)
    if named is not None:
        monkeypatch.setenv("MPLBACKEND", named)

    def import_module(name):
        asked.append((name, "MPLBACKEND" in os.environ))
        if broken:
            raise ImportError(name)
        return name

    asked = []
    monkeypatch.setattr(importlib, "import_module", import_module)
    if broken:
        with pytest.raises(ImportError, match=r"^matplotlib\.figure$"):
            plots.matplotlib_part("figure")
    else:
        assert plots.matplotlib_part("figure") == "matplotlib.figure"
    assert asked == [("matplotlib.figure", False)]
    assert os.environ.get("MPLBACKEND") == named


# --- films


def frame(colour, size=(6, 4), form="PNG"):
    """A file of one colour, with one pixel of another."""
    picture = Image.new("RGB", size, colour)
    picture.putpixel((1, 0), plots.GREY)
    file = io.BytesIO()
    picture.save(file, form)
    file.seek(0)
    return file


COLOURS = [(250, 3, 7), plots.ORANGE, (11, 22, 33), (44, 155, 66)]


def frames_of(film):
    """[(the colour of a frame, its milliseconds)]."""
    found = []
    for k in range(film.n_frames):
        film.seek(k)
        picture = film.convert("RGB")
        assert picture.getpixel((1, 0)) == plots.GREY
        found.append((picture.getpixel((5, 3)), film.info["duration"]))
    return found


def test_a_film_shows_every_frame_in_order_and_holds_the_last():
    content = plots.film_gif([frame(colour) for colour in COLOURS])
    with Image.open(io.BytesIO(content)) as film:
        assert (film.format, film.size, film.info["loop"]) == ("GIF", (6, 4), 0)
        assert frames_of(film) == list(zip(COLOURS, [120, 120, 120, 2000]))
    with Image.open(io.BytesIO(plots.film_gif([frame(COLOURS[0])]))) as film:
        assert (film.n_frames, film.convert("RGB").getpixel((5, 3))) == (1, COLOURS[0])
    other = plots.film_gif([frame(colour) for colour in COLOURS[:2]], milliseconds=50)
    with Image.open(io.BytesIO(other)) as film:
        assert frames_of(film) == list(zip(COLOURS, [50, 2000]))


def test_a_film_of_digits_keeps_their_shades():
    shades = np.arange(256, dtype=np.uint8).reshape(16, 16)
    frames = [io.BytesIO(plots.image_png(picture)) for picture in (shades, shades.T)]
    with Image.open(io.BytesIO(plots.film_gif(frames))) as film:
        for k, picture in enumerate((shades, shades.T)):
            film.seek(k)
            np.testing.assert_array_equal(np.array(film.convert("L")), picture)


def test_what_is_no_picture_of_the_first_ones_size_is_left_out():
    damaged = io.BytesIO(frame((0, 0, 0)).read()[:50])
    others = [frame((0, 0, 0), (4, 6)), damaged, io.BytesIO(b""), frame((0, 0, 0), form="BMP")]
    mixed = [damaged, frame(COLOURS[0]), *others, frame(COLOURS[1]), *others]
    with Image.open(io.BytesIO(plots.film_gif(mixed))) as film:
        assert frames_of(film) == list(zip(COLOURS, [120, 2000]))
    assert plots.film_gif([damaged, io.BytesIO(b"x")]) is None
    assert plots.film_gif([]) is None


@pytest.mark.parametrize("turned", [False, True])
def test_a_film_is_no_wider_or_higher_than_its_limit(turned):
    side = plots.LARGEST_SIDE
    assert side == 10_000
    for longer, there in ((side, True), (side + 1, False)):
        size = (4, longer) if turned else (longer, 4)
        assert (plots.film_gif([frame((0, 0, 0), size)]) is not None) == there
