"""report.html: what it tells of a run, what it believes, and how it opens in a browser."""

import base64
import hashlib
import importlib.util
import json
import os
import re
import shlex
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest

from minigan import fast
from minigan.lab import plots, report, session
from minigan.lab.classes import SHAPED
from minigan.lab.cli import main, parser
from minigan.lab.config import Config
from minigan.lab.log import read_log
from minigan.lab.models import MODELS
from minigan.lab.repeat import commands

SMALL = ["--G-hidden", "4", "--D-hidden", "5", "--batch-size", "8", "--quiet"]
EVIL = "</script><img src=x onerror=alert(1)>&\"'{{data}}"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A short run of a GAN on the ring, evaluated, and one of a WGAN on digits."""
    place = tmp_path_factory.mktemp("runs")
    before, fast.njit, here = fast.njit, None, os.getcwd()
    os.chdir(place)
    try:
        train("gan", "--data", "ring", "--steps", "30")
        train("cwgan", "--steps", "3", "--seed", "5")
        assert main(["evaluate", "runs/gan-ring", "--n", "20"]) == 0
        yield place
    finally:
        os.chdir(here)
        fast.njit = before


def train(*options):
    assert main(["train", *options, *SMALL]) == 0


def told(page):
    """The data in a page."""
    return json.loads(
        re.search(r'<script type="application/json" id="data">(.*)</script>', page)[1]
    )


class Reading(HTMLParser):
    """What a person reads on a page: its parts in order, a table as the cells of its rows."""

    TEXTS = ("h1", "h2", "p", "pre", "summary", "button")

    def __init__(self, page):
        super().__init__()
        self.open, self.parts = [], []
        self.feed(re.search("(?s)<main>(.*)</main>", page)[1])
        assert self.open == []

    def handle_starttag(self, tag, _):
        if tag != "input":
            self.open.append(tag)
        if tag in self.TEXTS:
            self.parts.append((tag, [""]))
        if tag == "table":
            self.parts.append((tag, []))
        if tag == "tr":
            self.parts[-1][1].append([])
        if tag in ("td", "th"):
            self.parts[-1][1][-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if {"td", "th"} & set(self.open):
            self.parts[-1][1][-1][-1] += text
        elif {*self.TEXTS} & set(self.open):
            self.parts[-1][1][-1] += text
        else:
            assert not text.strip(), text


def read(page):
    """[(tag, its text, or the rows of a table)] below the title and the player."""
    parts = Reading(page).parts
    assert [tag for tag, _ in parts[:3]] == ["h1", "p", "button"]
    return [(tag, text if tag == "table" else text[0]) for tag, text in parts[3:]]


def settings(folder):
    """The table of parameters by what the files of a run say."""
    config = json.loads((folder / "config.json").read_text())
    found = {name: config[name] for name in ("model", "data", "steps", "batch_size", "seed")}
    own = {
        name: value for name, value in config["parameters"].items() if value not in (None, [])
    }
    found |= own | {f"run on {name}": value for name, value in config["versions"].items()}
    checkpoint = (folder / "checkpoint.npz").read_bytes()
    found["SHA-256 of checkpoint.npz"] = hashlib.sha256(checkpoint).hexdigest()
    return {
        k: " ".join(map(str, v)) if isinstance(v, list) else str(v) for k, v in found.items()
    }


def measured(folder):
    """The table of an evaluation, likewise."""
    found = json.loads((folder / "metrics.json").read_text())
    for name, ours in found["samples"].items():
        both = ours, found["genuine"][name]
        kind = {"W1": "{:.3g}", "modes of 8": "{}"}.get(name, "{:.1%}")
        yield [name, *map(kind.format, both)]


def test_a_page_reads_from_the_game_to_its_parameters(runs):
    folder = runs / "runs/gan-ring"
    about, *parts = read((folder / "report.html").read_text("utf-8"))
    game = "a generative adversarial network (Goodfellow et al. 2014)"
    assert about == ("p", f"{game}; step 30 of 30, seed 0")
    line = "minigan train gan --data ring --steps 30 --batch-size 8 --G-hidden 4 --D-hidden 5"
    against = "20 samples of step 30 and as many genuine rows, against 20 newly drawn points"
    assert parts == [
        ("h2", "Evaluation"),
        ("p", against),
        ("table", [["", "samples", "genuine"], *measured(folder)]),
        ("h2", "Make it again"),
        ("pre", f"{line} --out again"),
        ("h2", "Parameters"),
        ("table", [list(row) for row in settings(folder).items()]),
    ]


def test_a_page_of_two_runs_names_each_and_tells_first_what_differs(runs):
    names = "gan-ring", "cwgan-mnist5k"
    folders = [runs / "runs" / name for name in names]
    page = report.page([report.Source(*pair) for pair in zip(folders, names)]).decode()
    parts = read(page)
    titles = [("h2", name) for name in names]
    assert [part for part in parts if part[0] == "h2"] == [
        *titles,
        *(("h2", title) for title in ("Evaluation", "Make it again", "What differs")),
    ]
    assert parts[3] == (
        "p",
        "cwgan on mnist5k, a conditional Wasserstein GAN with weight clipping; step 3 of 3, "
        "seed 5",
    )
    assert ("p", "gan-ring: 20 samples of step 30 and as many genuine rows, against 20 newly "
            "drawn points") in parts  # fmt: skip
    measures, differ, whole = (rows for tag, rows in parts if tag == "table")
    assert measures == [["", "gan-ring samples", "genuine"], *measured(folders[0])]
    columns = [settings(folder) for folder in folders]
    cells = {name: [own.get(name, "") for own in columns] for name in columns[0] | columns[1]}
    assert whole == [["", *names], *([name, *both] for name, both in cells.items())]
    assert differ == [row for row in whole if row[1] != row[2]]
    at = parts.index(("summary", "All parameters"))
    assert parts[at - 1 :] == [("table", differ), parts[at], ("table", whole)]
    commands = [text for _, text in parts[parts.index(("h2", "Make it again")) + 1 :]][:4]
    assert commands[::2] == [*names]
    assert [text.split()[2] for text in commands[1::2]] == ["gan", "cwgan"]
    twins = report.page([report.Source(folders[0], name) for name in "ab"]).decode()
    assert ("p", "Nothing.") in read(twins)


def test_measures_that_another_run_has_not_are_left_empty(runs, tmp_path):
    shutil.copy(runs / "runs/gan-ring/config.json", tmp_path)
    kept = {"samples": {"precision": 0.5, "shares": [0.25, 0.75]}, "classes": ["cat", "dog"]}
    kept |= {"genuine": {"precision": 1.0, "shares": [0.5, 0.5], "told": "far"}, "step": 3}
    (tmp_path / "metrics.json").write_text(json.dumps(kept))
    runs_of = [report.Source(tmp_path, "a"), report.Source(runs / "runs/gan-ring", "b")]
    rows = next(part for tag, part in read(report.page(runs_of).decode()) if tag == "table")
    assert rows[0] == ["", "a samples", "genuine", "b samples", "genuine"]
    assert [row[:3] for row in rows[1:]] == [
        ["precision", "50.0%", "100.0%"],
        ["share of class cat", "25.0%", "50.0%"],
        ["share of class dog", "75.0%", "50.0%"],
        ["told", "", "far"],
        *([name, "", ""] for name in ("modes of 8", "within 3 sigma", "recall", "W1")),
    ]
    assert [row[3:] for row in rows[2:5]] == [["", ""]] * 3


def test_the_page_holds_every_frame_the_curves_and_the_checksum(runs):
    folder = runs / "runs/gan-ring"
    page = (folder / "report.html").read_text("utf-8")
    (run,) = told(page)
    frames = sorted((folder / "frames").glob("*.png"))
    assert len(frames) == 31
    for path, (step, png) in zip(frames, run["frames"], strict=True):
        assert (int(path.stem), path.read_bytes()) == (step, base64.b64decode(png))
    assert run["log"]["step"] == list(range(1, 31))
    assert run["panels"] == [["loss_D", "loss_G"], ["D(x)", "D(G(z))"]]
    assert run["guides"]["D(x)"] == 0.5  # on points, labels are not smoothed
    assert run["classes"]["classes"] == list(range(8))
    assert {*run["classes"]} == {"classes", "genuine", "looks", "told"}
    assert (run["name"], run["shaped"]) == ("gan on ring", SHAPED)
    names, rows = read_log(folder / "metrics.csv")
    raw = run["log"]["loss_D"]["raw"]
    assert raw == pytest.approx([float(row[names.index("loss_D")]) for row in rows], rel=1e-3)
    assert all(len(repr(abs(value)).strip("0.").replace(".", "")) <= 4 for value in raw)
    assert "<title>gan on ring</title>" in page


def test_a_page_asks_for_nothing_and_tells_no_place(runs):
    for name in ("gan-ring", "cwgan-mnist5k"):
        page = (runs / "runs" / name / "report.html").read_text("utf-8")
        text = page.replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"(?:src|href)=|url\(|https?:|@import", text)
        assert str(runs) not in page
        assert "seconds" not in told(page)[0]["log"]


def test_what_is_measured_later_makes_the_page_again(runs, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(runs / "runs/gan-ring", folder)
    (folder / "metrics.json").unlink()
    (folder / "report.html").unlink()
    assert main(["train", "gan", "--resume", "--out", str(folder)]) == 0
    assert "Evaluation" not in (folder / "report.html").read_text("utf-8")
    assert main(["evaluate", str(folder), "--n", "20"]) == 0
    assert (folder / "report.html").read_bytes() == (
        runs / "runs/gan-ring/report.html"
    ).read_bytes()


# ---- what is read is not believed ----


def test_texts_of_the_users_are_escaped(runs, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(runs / "runs/gan-ring", folder)
    measures = json.loads((folder / "metrics.json").read_text())
    measures["samples"] |= {EVIL: 1.0, "W1": EVIL}
    measures |= {"against": EVIL, "n": EVIL}
    (folder / "metrics.json").write_text(json.dumps(measures))
    config = json.loads((folder / "config.json").read_text())
    config |= {"data": EVIL, "versions": {EVIL: EVIL}, "history": [{"step": 1, EVIL: [1, 2]}]}
    (folder / "config.json").write_text(json.dumps(config))
    page = report.page([report.Source(folder, EVIL), report.Source(folder)]).decode()
    assert page.count("<script") == page.count("</script>") == 2
    assert "<img src" not in page
    assert told(page)[0]["name"] == EVIL
    assert page.count("&lt;/script&gt;&lt;img") >= 6
    assert b"\\ud800" in report.page([report.Source(folder, "\ud800")])  # no character


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "nan",
        '{"samples": 1, "genuine": 2, "classes": [], "step": 3}',
        "[" * 9999,
    ]
    + [
        '{"samples": {"x": 1e5, "precision": '
        + "9" * 400
        + '}, "genuine": {}, "classes": [], "step": 3}'
    ]
    + ['{"samples": {"x": {}}, "genuine": {}, "classes": [], "step": 3}']
    + ['{"samples": {"x": [1]}, "genuine": {}, "classes": 3, "step": 3}'],
)
def test_measures_that_cannot_be_read_are_left_out(runs, tmp_path, text):
    (tmp_path / "metrics.json").write_text(text)
    assert report.measures(tmp_path) is None
    assert report.measures(runs / "runs/gan-ring")["step"] == 30


def test_frames_that_are_none_are_left_out_and_many_are_thinned(tmp_path, monkeypatch):
    (tmp_path / "frames").mkdir()
    png = plots.image_png(np.zeros((2, 2), np.uint8))
    for step in range(300):
        (tmp_path / "frames" / f"{step:08d}.png").write_bytes(png if step != 296 else b"<svg>")
    steps = [step for step, _ in report.pictures(tmp_path)]
    assert steps[-2:] == [293, 299]
    assert len(steps) == 99
    monkeypatch.setattr(report, "LARGEST", 3 * len(png))
    assert [step for step, _ in report.pictures(tmp_path)] == [293, 299]


def test_a_long_log_is_thinned_and_smoothed_first():
    step = np.arange(1, 2001)
    found = report.curves({"step": step, "seconds": step, "loss_D": step % 2 * 1e308})
    assert found["step"] == list(range(5, 2001, 5))
    assert set(found) == {"step", "loss_D"}
    assert max(found["loss_D"]["raw"]) == 1e30
    assert found["loss_D"]["smooth"][200] == pytest.approx(5e29, rel=0.02)


def test_a_folder_of_which_little_is_left_has_a_page(runs, tmp_path):
    shutil.copy(runs / "runs/gan-ring/config.json", tmp_path)
    page = report.report(tmp_path).decode()
    (run,) = told(page)
    assert (run["frames"], run["panels"], run["classes"]) == ([], [], None)
    assert "; step 0 of 30, seed 0</p>" in page
    assert '<th scope="row">SHA-256 of checkpoint.npz</th><td></td>' in page
    shutil.copytree(runs / "runs/gan-ring/frames", tmp_path / "frames")
    assert "; step 30 of 30, seed 0</p>" in report.report(tmp_path).decode()


# ---- the command that repeats a run ----


PARSER = parser()


def config_of(line):
    options = vars(PARSER.parse_args(shlex.split(line)[1:]))
    return session.new_run(options)[0]


@pytest.mark.parametrize("name", MODELS)
def test_the_command_of_a_run_is_the_run(name):
    more = "--seed 3 --lr 2e-05 --G-hidden --D-hidden 3 4 --no-lr-decay --dtype float64"
    for options in ("--data mnist5k", "--data ring", "--data grid", more):
        config = config_of(f"minigan train {name} {options}")
        (again,) = commands(config)
        assert again.endswith(" --out again")
        assert config_of(again) == config
    assert commands(config_of(f"minigan train {name}")) == [f"minigan train {name} --out again"]


def test_changes_on_the_way_are_made_again():
    config = Config(model="gan", parameters={"lr": 4e-3, "ema_decay": 0.999}, steps=12000)
    config.batch_size = 64
    config.change(100, lr=2e-3)
    config.change(100, D_lr=1e-5)
    config.change(200, lr=1e-3)
    config.change(12000, steps=15000)
    assert commands(config, "new") == [
        "minigan train gan --lr 0.004 --out new",
        "# stop it at step 100 by Ctrl-C, then",
        "minigan train gan --resume --lr 0.002 --D-lr 1e-05 --out new",
        "# stop it at step 200 by Ctrl-C, then",
        "minigan train gan --resume --lr 0.001 --out new",
        "minigan train gan --resume --steps 15000 --out new",
    ]


@pytest.mark.parametrize(
    "entry", [3, {}, {"step": "x"}, {"step": 1, "lr": 3}, {"step": 1, "q": [1, 2]}]
)
def test_a_history_that_is_none_is_passed_over(entry):
    config = Config(steps=12000, parameters={"ema_decay": 0.999}, history=[entry])
    assert commands(config) == ["minigan train gan --out again"]


def test_a_folder_with_a_space_is_quoted():
    config = Config(data="/my data/x", steps=12000, parameters={"ema_decay": 0.999})
    assert commands(config) == ["minigan train gan --data '/my data/x' --out again"]


# ---- runs side by side ----


def test_runs_are_compared_on_one_page(runs, tmp_path, capsys):
    folders = [str(runs / "runs" / name) for name in ("gan-ring", "cwgan-mnist5k")]
    before = {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()}
    out = tmp_path / "both.html"
    for _ in range(2):  # its own page may be replaced
        assert main(["compare", *folders, "-o", str(out)]) == 0
    assert capsys.readouterr().out == 2 * f"open {out}\n"
    page = out.read_text("utf-8")
    assert [run["name"] for run in told(page)] == folders
    assert page.count("2 runs of minigan</") == 2
    assert before == {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()}


def test_what_cannot_be_compared_is_refused(runs, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one, two = (str(runs / "runs" / name) for name in ("gan-ring", "cwgan-mnist5k"))
    (tmp_path / "mine.html").write_text("<p>years of work</p>")
    for line, says in (
        ([one], "expected two runs or more"),
        ([one, "nowhere"], "no run of minigan is here"),
        ([one, two, "-o", "x.png"], "expected a name ending in .html"),
        ([one, two, "-o", "mine.html"], "mine.html was not written by minigan"),
        ([one, two, "-o", f"{two}/report.html"], "belongs to the run itself"),
    ):
        assert main(["compare", *line]) == 2
        assert says in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["mine.html"]
    assert (tmp_path / "mine.html").read_text() == "<p>years of work</p>"


# ---- in a browser ----

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]


@pytest.fixture(scope="module")
def chromium():
    missing = None if importlib.util.find_spec("playwright") else "playwright"
    missing = missing or (None if shutil.which("chromium") else "chromium")
    if missing:
        stop = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        stop(f"{missing} is missing, in which the report would be opened")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=FLAGS
        )
        yield browser
        browser.close()


@pytest.fixture(params=[(1280, "light"), (390, "dark")], ids=str)
def opened(chromium, request):
    """Opens a page without a network; whatever it complains of or asks for is a failure."""
    width, scheme = request.param
    context = chromium.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
    )
    page, trouble = context.new_page(), []
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("request", lambda asked: trouble.append(asked.url))

    def load(path):
        page.goto(path.as_uri(), wait_until="load")
        return page

    yield load
    own = [text for text in trouble if not text.startswith(("data:", "file:"))]
    context.close()
    assert own == []


def seen(page, what):
    return page.evaluate(f"(() => {what})()")


NOW = 'Number(document.querySelector("svg .now").getAttribute("x1"))'


def test_the_report_moves_in_step(runs, opened):
    page = opened(runs / "runs/gan-ring/report.html")
    assert seen(page, "document.scrollingElement.scrollWidth <= innerWidth")
    picture, slider = page.locator("img"), page.locator("#player input")
    assert picture.get_attribute("alt") == "samples at step 30"
    assert seen(page, 'document.querySelector("img").naturalWidth') == plots.SIDE
    assert page.locator("#player output").inner_text() == "step 30"
    last, value = seen(page, NOW), page.locator(".legend b").first.inner_text()
    slider.focus()
    for _ in range(10):
        page.keyboard.press("ArrowLeft")
    assert picture.get_attribute("alt") == "samples at step 20"
    assert seen(page, NOW) < last
    assert page.locator(".legend b").first.inner_text() != value
    page.keyboard.press("Home")
    assert picture.get_attribute("alt") == "samples at step 0"
    box = page.locator("svg").first.bounding_box()
    page.mouse.click(box["x"] + 46 + (box["width"] - 54) / 2, box["y"] + 50)
    assert picture.get_attribute("alt") == "samples at step 15"


def test_the_report_plays_to_its_end(runs, opened):
    page = opened(runs / "runs/cwgan-mnist5k/report.html")
    play = page.locator("#player button")
    play.focus()
    page.keyboard.press("Space")
    assert play.inner_text() == "Pause"
    page.get_by_role("button", name="Play").wait_for()
    assert page.locator("img").get_attribute("alt") == "samples at step 3"


def test_curves_and_guides_lie_within_their_panels(runs, opened):
    page = opened(runs / "runs/gan-ring/report.html")
    for box in seen(page, BOXES):
        assert box["inside"], box
    assert page.locator('svg line[stroke-dasharray="6 4"]').count() == 4


BOXES = """[...document.querySelectorAll("svg > text, svg > rect")].map((e) => {
  const own = e.getBoundingClientRect(), all = e.closest("svg").getBoundingClientRect();
  return { text: e.textContent, inside: own.left >= all.left - 1 && own.right <= all.right + 1
    && own.top >= all.top - 2 && own.bottom <= all.bottom + 2 };
})"""


def test_runs_are_side_by_side_on_one_scale(runs, opened, tmp_path):
    folders = [str(runs / "runs" / name) for name in ("gan-ring", "cwgan-mnist5k")]
    out = tmp_path / "compare.html"
    assert main(["compare", *folders, "-o", str(out)]) == 0
    page = opened(out)
    assert seen(page, "document.scrollingElement.scrollWidth <= innerWidth")
    assert page.locator("img").count() == 2
    page.locator("#player input").fill("2")
    alts = [page.locator("img").nth(i).get_attribute("alt") for i in (0, 1)]
    assert alts == ["samples at step 2"] * 2
    tops = [page.locator("img").nth(i).bounding_box()["y"] for i in (0, 1)]
    assert (tops[0] == tops[1]) == (page.viewport_size["width"] == 1280)
    ticks = 'document.querySelectorAll("article")[{}].querySelector("svg > text").textContent'
    assert seen(page, ticks.format(0)) == seen(page, ticks.format(1))


def test_texts_of_the_users_do_nothing_in_a_browser(runs, opened, tmp_path):
    folder = runs / "runs/gan-ring"
    path = tmp_path / "page.html"
    path.write_bytes(report.page([report.Source(folder, EVIL), report.Source(folder, "b")]))
    page = opened(path)
    assert page.locator("h2").first.inner_text() == EVIL
    assert page.locator("img").count() == 2
