"""The playground: what its worker runs, on the desk; then the page, served to a browser.

The browser's part needs Chromium, npm, and NumPy's wheel for Pyodide, in a folder or at an
address that MINIGAN_PYODIDE names.
"""

import contextlib
import hashlib
import importlib
import json
import os
import re
import shutil
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from browser import FLAGS, ROOT, identifiers, require, require_modules, run_build

import minigan
from minigan.lab import serve
from minigan.lab.loaders import ring
from minigan.lab.metrics import wasserstein_1d
from minigan.lab.models import MODELS, build

for folder in ("docs", "docs/playground", "tests"):
    sys.path.insert(0, str(ROOT / folder))
import bug_zoo  # noqa: E402
import playground  # noqa: E402
import runtime  # noqa: E402

START = {"data": "ring", "game": "r3gan", "batch": 128, "seed": 0, "bug": "", "points": []}
START |= {"parameters": {}}
CHOSEN = [{"data": data, "points": [[0.5, 0, 0], [0, 1, 1]]} for data in playground.PLANES]


def ask(do, **message):
    answer = json.loads(playground.answer(json.dumps({"do": do} | message)))
    assert "error" not in answer, answer["error"]
    return answer


@pytest.fixture(autouse=True)
def library_left_as_it_was():
    """No bug outlives the test that has let it out."""
    yield
    if playground.session:
        playground.session.close()


def started(**chosen):
    return ask("start", settings=START | chosen)


# ---- on the desk ----


def test_a_session_is_the_training_of_the_library():
    """In pieces, with pictures and listed steps between them, the numbers are the same."""
    started(seed=3)
    ask("run", steps=7, seconds=60)
    ask("step")
    ask("run", steps=12, seconds=60)
    found = ask("theta")
    parameters = playground.recipe("r3gan", True)
    model = build("r3gan", n_data=2, output="linear", seed=3, **parameters)
    data = ring(n=4000, std=0.05)
    records = list(minigan.train(model, data, 20, batch_size=128, seed=3))
    assert len(records) == 20
    assert found == {"G": model.G.theta.tolist(), "D": model.D.theta.tolist()}


@pytest.mark.parametrize("game", MODELS)
@pytest.mark.parametrize("chosen", [*CHOSEN, {"data": "digits"}], ids=lambda c: c["data"])
def test_every_game_learns_every_data(game, chosen):
    batch = 16 if chosen["data"] == "digits" else 64
    first = started(game=game, batch=batch, **chosen)
    frame = ask("run", steps=2, seconds=60)
    assert (first["step"], frame["step"]) == (0, 2)
    assert frame["rate"] > 0
    assert np.isfinite(list(frame["record"].values())).all()
    if chosen["data"] == "digits":
        assert np.shape(frame["images"]) == (playground.IMAGES, 784)
        assert 0 <= np.min(frame["images"]) <= np.max(frame["images"]) <= 255
        return
    assert np.shape(frame["x"]) == (playground.SAMPLES, 2)
    assert np.shape(frame["pull"]) == (playground.ARROWS, 2)
    assert np.shape(frame["landscape"]) == (playground.TICKS**2,)
    assert max(map(abs, frame["landscape"])) in (99, 100)
    assert abs(np.asarray(first["data"])).max() < playground.EDGE


@pytest.mark.parametrize("game", MODELS)
def test_an_arrow_is_the_difference_quotient_of_the_generators_loss(game):
    started(game=game)
    session = playground.session
    model, x = session.model, session.model.generate(session.z, session.c)[:8]
    real, c = session.real[:8], None if session.c is None else session.c[:8]

    def loss(rows):
        s_real, s_fake = (model.D.forward(model.D_input(r, c))[-1] for r in (real, rows))
        return model.G_loss(s_real, s_fake)[0]

    expected, eps = np.zeros_like(x), 1e-6
    for at in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[at] = eps
        expected[at] = -len(x) * (loss(x + step) - loss(x - step)) / (2 * eps)
    np.testing.assert_allclose(session.pull(x, real, session.c), expected, atol=1e-7)


def test_the_distance_is_the_mean_of_w1_over_eight_lines():
    frame = started()
    x = playground.session.model.generate(playground.session.z)
    data = playground.session.data.x[: len(x)]
    angles = np.pi * np.arange(8) / 8
    lines = [np.array([np.cos(angle), np.sin(angle)]) for angle in angles]
    expected = np.mean([wasserstein_1d(x @ line, data @ line) for line in lines])
    assert frame["w1"] == pytest.approx(expected, rel=1e-5)


def test_the_landscape_is_ds_score_from_the_top_left_to_the_bottom_right():
    frame = started()
    D = playground.session.model.D
    corners = np.array([[-1.6, 1.6], [1.6, 1.6], [-1.6, -1.6], [1.6, -1.6]])
    s, k = D.forward(corners)[-1][:, 0], playground.TICKS
    shown = np.array(frame["landscape"])[[0, k - 1, k * (k - 1), k * k - 1]]
    assert (np.argsort(shown) == np.argsort(s)).all()
    slope = np.polyfit(s, shown, 1)[0]
    np.testing.assert_allclose(shown - shown[0], slope * (s - s[0]), atol=1.5)


# ---- the bugs ----


def at_home(bug):
    """A game in which the bug can be seen."""
    tests = " ".join(bug.killed_by)
    games = re.findall(r"numpy-(c?(?:wgan-gp|wgan|lsgan|r3gan|gan))\b", tests)
    return [*games, "gan", "r3gan", "wgan-gp", "wgan", "cgan", "lsgan"]


def pristine():
    """Every function of minigan's modules and classes, by its name."""
    found = {}
    for name, module in list(sys.modules.items()):
        if name.startswith("minigan"):
            for owner in [module, *(v for v in vars(module).values() if isinstance(v, type))]:
                of_owner = [(key, v) for key, v in vars(owner).items() if callable(v)]
                found |= {(name, repr(owner), key): v for key, v in of_owner}
    return found


UNSEEN = {
    "elementwise product for a matrix product": "needs rows of the weights' own shape",
    "sigma of 2x": "G of points ends without a sigmoid",
    "the sigmoids slope taken at its input": "G of points ends without a sigmoid",
    "glorots bracket missing": "all layers but the last are followed by LeakyReLU",
    "labels smoothed on both sides": "labels are 1 here",
    "the decay of the average backwards": "samples come from G itself here",
    "a momentum that is one step late": "no game has plain momentum",
    "an optimiser that forgets when it is resumed": "nothing is resumed",
    "labels that begin at one": "points are labelled by no file",
    "the filter turned around on the way back": "points have no convolutions",
    "the stride forgotten on the way back": "points have no convolutions",
    "the padding on one side": "points have no convolutions",
    "the fan in of a transpose without its stride": "points have no convolutions",
    "patches in another order of axes": "points have no convolutions",
}


@pytest.mark.slow
def test_most_bugs_show_themselves_in_some_game_and_leave_nothing_behind():
    started()
    before, unseen = pristine(), set()
    for bug in bug_zoo.ZOO:
        games = dict.fromkeys(at_home(bug))
        chosen = (START | {"game": game, "bug": bug.name} for game in games)
        if not any(map(playground.changes, chosen)):
            unseen.add(bug.name)
    assert pristine() == before
    assert unseen == set(UNSEEN)


def test_a_bug_of_another_game_is_said_to_change_nothing():
    assert started(game="wgan", bug="the clip missing")["touched"]
    assert not started(game="gan", bug="the clip missing")["touched"]
    assert not started(game="gan")["touched"]


def test_a_bug_that_cannot_begin_is_undone():
    text = json.dumps(
        {"do": "start", "settings": START | {"bug": "the clip missing", "batch": 0}}
    )
    before = pristine()
    assert json.loads(playground.answer(text))["error"].startswith("batch_size: ")
    assert pristine() == before


def test_a_patch_puts_back_what_was_there_in_the_reverse_order():
    class Base:
        a = 1

    class Owner(Base):
        pass

    patch, entries = playground.Patch(), {"he": 1}
    for value in (2, 3):
        patch.setattr(Owner, "a", value)
        patch.setitem(entries, "he", value)
    assert (Owner.a, entries) == (3, {"he": 3})
    patch.undo()
    assert ("a" in vars(Owner), Owner.a, entries) == (False, 1, {"he": 1})


# ---- the lines that run ----


@pytest.mark.parametrize("game", MODELS)
def test_the_listed_lines_stand_in_the_source(game):
    started(game=game)
    calls = ask("step")["calls"]
    assert [call[2] for call in calls][0] == "Game.iteration"
    assert {call[0] for call in calls} == set(range(playground.DEPTH))
    assert {"D_loss", "G_loss"} <= {call[2].rpartition(".")[2] for call in calls}
    for _, page, name, equation, line, where, times in calls:
        file, _, number = where.partition(":")
        lines = (ROOT / "minigan" / file).read_text("utf-8").splitlines()
        assert lines[int(number) - 1].strip() == line
        assert times >= 1
        assert f"({equation}" in (ROOT / "minigan" / f"{page}.py").read_text("utf-8")
        thing = importlib.import_module(f"minigan.{page}")
        for part in name.split("."):
            thing = getattr(thing, part)


def test_a_bug_is_among_the_lines():
    started(game="gan", bug="real and fake swapped")
    assert ["bug-zoo", "swapped"] in [call[1:3] for call in ask("step")["calls"]]


def test_mistakes_are_answered_in_the_librarys_words():
    for parameters, says in (({"lr": -1}, "lr: expected"), ({"G_hidden": ["x"]}, "G_hidden")):
        message = {"do": "start", "settings": START | {"parameters": parameters}}
        assert json.loads(playground.answer(json.dumps(message)))["error"].startswith(says)


# ---- the parts ----


def lock_of(wheel, name="numpy-1-any.whl"):
    return {
        "packages": {"numpy": {"file_name": name, "sha256": hashlib.sha256(wheel).hexdigest()}}
    }


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A folder with a wheel, and Pyodide's version without Pyodide."""
    monkeypatch.setattr(runtime, "pyodide_version", lambda: "1.2")
    monkeypatch.delenv("MINIGAN_PYODIDE", raising=False)
    folder = tmp_path / "v1.2" / "full"
    folder.mkdir(parents=True)
    (folder / "numpy-1-any.whl").write_bytes(b"wheel")
    (tmp_path / "index.html").write_text("")
    return folder


@pytest.fixture
def address(tmp_path, shelf):
    with serve.server(tmp_path) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()
        thread.join()


def test_numpys_wheel_comes_from_a_folder_an_address_or_where_pyodide_has_it(
    shelf, address, monkeypatch
):
    lock, found = lock_of(b"wheel"), ("numpy-1-any.whl", b"wheel")
    assert runtime.numpy_wheel(lock, str(shelf)) == found
    assert runtime.numpy_wheel(lock, f"{address}/v1.2/full") == found
    monkeypatch.setattr(runtime, "ADDRESS", address + "/v{}/full/")
    assert runtime.numpy_wheel(lock) == found
    monkeypatch.setenv("MINIGAN_PYODIDE", "/nowhere")
    with pytest.raises(runtime.Missing, match="numpy-1-any.whl cannot be had from /nowhere"):
        runtime.numpy_wheel(lock)
    assert runtime.numpy_wheel(lock, str(shelf)) == found


def test_another_wheel_than_the_locked_one_is_refused(shelf, address):
    for source in (str(shelf), f"{address}/v1.2/full"):
        with pytest.raises(runtime.Missing, match="has not the SHA-256"):
            runtime.numpy_wheel(lock_of(b"another"), source)
    with pytest.raises(runtime.Missing, match="cannot be had from .*404"):
        runtime.numpy_wheel(lock_of(b"wheel", "gone.whl"), f"{address}/v1.2/full")


def test_pyodide_is_the_one_that_was_tried():
    package = json.loads((ROOT / "docs/package.json").read_text())["dependencies"]
    locked = json.loads((ROOT / "docs/package-lock.json").read_text())["packages"]
    assert package["pyodide"] == locked["node_modules/pyodide"]["version"] == "314.0.3"


def test_the_book_is_built_without_it_where_the_wheel_is_missing(tmp_path):
    run = run_build(tmp_path / "site", "--pyodide", tmp_path / "nowhere")
    assert run.returncode == 0, run.stderr
    assert "The book is built without the playground: numpy-" in run.stdout
    assert not (tmp_path / "site" / "playground").exists()
    assert not (tmp_path / "site" / "playground.html").exists()
    assert "playground.html" not in (tmp_path / "site" / "index.html").read_text("utf-8")


# ---- in a browser ----


def wheel_folder():
    """Where NumPy's wheel is; skips, also on CI, where it is not."""
    found = os.environ.get("MINIGAN_PYODIDE")
    if not found:
        pytest.skip("MINIGAN_PYODIDE names no folder with NumPy's wheel for Pyodide")
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("playground") / "site"
    wheel = wheel_folder()
    run = run_build(folder, "--pyodide", wheel)
    assert run.returncode == 0, run.stdout + run.stderr
    assert (folder / "playground.html").exists(), run.stdout
    return folder


@pytest.fixture(scope="module")
def origin(site):
    with serve.server(site) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def chromium(site):
    require_modules("playwright")
    path = shutil.which("chromium")
    require(path, "chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@contextlib.contextmanager
def opened(chromium, origin, words="", width=1280, scheme="light", **options):
    """The page, ready; at the end it has asked no other host, and complained of nothing."""
    size = {"width": width, "height": 900}
    context = chromium.new_context(viewport=size, color_scheme=scheme, **options)
    page, trouble, asked = context.new_page(), [], []
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("requestfailed", lambda request: trouble.append(f"failed: {request.url}"))
    context.on("request", lambda request: asked.append(request.url))
    page.goto(f"{origin}/playground.html{words}")
    page.wait_for_selector("#play[data-ready]", timeout=60_000)
    yield page
    context.close()
    assert not trouble
    assert any(url.endswith(".wasm") for url in asked)
    assert [url for url in asked if not url.startswith((origin, "data:"))] == []


@pytest.fixture(scope="module")
def wide(chromium, origin):
    with opened(chromium, origin) as page:
        yield page


def shown(page, name):
    return page.evaluate(f"Number(play.dataset.{name} || 0)")


def ran(page, what, seconds=60):
    page.wait_for_function(what, timeout=1000 * seconds)


def test_the_same_seed_gives_the_same_theta_as_numpy_on_the_desk(wide):
    for game in ("r3gan", "wgan-gp"):
        settings = START | {"game": game, "seed": 5}
        theta = wide.evaluate(
            """async (settings) => {
              await ask({do: "start", settings});
              await ask({do: "run", steps: 100, seconds: 600});
              return ask({do: "theta"});
            }""",
            settings,
        )
        ask("start", settings=settings)
        ask("run", steps=100, seconds=600)
        for player, values in ask("theta").items():
            np.testing.assert_allclose(theta[player], values, rtol=0, atol=1e-5)


def test_seven_of_eight_modes_within_a_minute_from_the_start(wide):
    wide.click("#again")
    wide.wait_for_function("play.dataset.step === '0'")
    wide.click("#run")
    ran(wide, "Number(play.dataset.modes) >= 7 && Number(play.dataset.step) > 400")
    wide.click("#run")
    assert wide.inner_text("#run") == "Run"


def test_it_is_ready_and_fast_enough(chromium, origin):
    """On two quiet cores. Where others work, that says nothing, and it is skipped."""
    if os.getloadavg()[0] > 0.75 * (os.cpu_count() or 1):
        pytest.skip(f"the machine is busy: its load is {os.getloadavg()[0]:.1f}")
    begun = time.perf_counter()
    with opened(chromium, origin) as page:
        assert time.perf_counter() - begun <= 10
        page.click("#run")
        ran(page, "play.dataset.step > 50")
        steps, frames, since = shown(page, "step"), shown(page, "frames"), time.perf_counter()
        page.wait_for_timeout(5000)
        spent = time.perf_counter() - since
        assert (shown(page, "step") - steps) / spent >= 100
        assert (shown(page, "frames") - frames) / spent >= 10


def test_one_step_lists_its_lines_and_keeps_the_arrows_of_before(wide, site):
    wide.click("#again")
    wide.wait_for_function("play.dataset.step === '0'")
    wide.click("#step")
    ran(wide, "play.dataset.step === '1'")
    links = wide.eval_on_selector_all("#lines a", "all => all.map(a => a.getAttribute('href'))")
    assert len(links) > 20
    for link in links:
        file, _, anchor = link.partition("#")
        assert anchor in identifiers(site, file), link
    assert "before the last step" in wide.inner_text(".legend")


def test_keys_run_pause_and_step(wide):
    wide.evaluate("document.activeElement.blur()")
    wide.keyboard.press("r")
    ran(wide, "play.dataset.step === '0'")
    wide.keyboard.press("ArrowRight")
    ran(wide, "play.dataset.step === '1'")
    wide.keyboard.press("Space")
    ran(wide, "play.dataset.step > 20")
    wide.keyboard.press("Space")
    assert wide.inner_text("#run") == "Run"


def test_the_address_repeats_what_was_chosen(chromium, origin, wide):
    wide.select_option("[name=data]", "moons")
    wide.select_option("[name=game]", "wgan")
    ran(wide, "document.querySelector('[data-parameter=clip]')")
    wide.fill("[data-parameter=clip]", "0.2")
    wide.fill("[name=seed]", "7")
    wide.keyboard.press("Tab")
    wide.select_option("[name=bug]", "the clip missing")
    ran(wide, "play.dataset.step === '0' && location.hash.includes('bug')")
    words = wide.evaluate("location.hash")
    assert words == "#data=moons&game=wgan&seed=7&bug=the+clip+missing&clip=0.2"
    with opened(chromium, origin, words) as page:
        assert page.input_value("[data-parameter=clip]") == "0.2"
        assert page.input_value("[name=game]") == "wgan"
        assert "D_optimizer.step()" in page.inner_text("#bug")
        first, second = (p.evaluate("ask({do: 'theta'})") for p in (page, wide))
        assert first == second
    wide.evaluate("location.hash = ''")
    ran(wide, "document.querySelector('[name=game]').value === 'r3gan'")


def test_a_mistake_is_said_and_the_next_choice_mends_it(wide):
    wide.fill("[data-parameter=lr]", "-1")
    wide.keyboard.press("Tab")
    ran(wide, "document.getElementById('status').textContent.startsWith('lr: expected')")
    wide.fill("[data-parameter=lr]", "0.002")
    wide.keyboard.press("Tab")
    ran(wide, "document.getElementById('status').textContent.startsWith('step 0')")


def test_points_are_drawn_with_mouse_keys_and_finger(chromium, origin):
    with opened(chromium, origin, "#data=own", width=390, has_touch=True) as page:
        box = page.locator("#plane").bounding_box()
        middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(*middle)
        page.mouse.down()
        page.mouse.move(middle[0] + 60, middle[1], steps=10)
        page.mouse.up()
        ran(page, "play.dataset.step === '0' && location.hash.includes('points=')")
        drawn = page.evaluate("location.hash.length")
        page.touchscreen.tap(middle[0] - 40, middle[1] + 40)
        ran(page, f"location.hash.length > {drawn}")
        drawn = page.evaluate("location.hash.length")
        page.focus("#plane")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Enter")
        ran(page, f"location.hash.length > {drawn}")
        page.click("#run")
        ran(page, "play.dataset.step > 10")
        page.click("#clear")
        ran(page, "document.getElementById('status').textContent === 'Draw some points.'")


def test_digits_are_learned_in_the_second_tab(wide):
    wide.click("#tab-digits")
    ran(wide, "location.hash.includes('digits') && play.dataset.step === '0'")
    wide.click("#run")
    ran(wide, "play.dataset.step > 20")
    wide.click("#run")
    assert not wide.is_visible("#w1")
    wide.click("#tab-plane")
    ran(wide, "play.dataset.step === '0' && !location.hash.includes('digits')")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (390, "light")])
def test_it_can_be_read_and_reached_at_every_width(chromium, origin, width, scheme):
    with opened(chromium, origin, "#game=gan", width=width, scheme=scheme) as page:
        page.click("#step")
        ran(page, "play.dataset.step === '1'")
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width
        boxes = page.evaluate(
            """() => [...document.querySelectorAll("#play :is(button, input, select, canvas)")]
              .filter((e) => e.offsetParent).map((e) => {
                const {left, right, width, height} = e.getBoundingClientRect();
                return [e.id || e.name, left, right, width, height];
              })"""
        )
        assert len(boxes) > 15
        for name, left, right, across, high in boxes:
            assert 0 <= left < right <= width, name
            assert across >= 12, name
            assert high >= 12, name
        unnamed = page.evaluate(
            """() => [...document.querySelectorAll("#play :is(input, select, canvas)")]
              .filter((e) => !(e.getAttribute("aria-label") || e.labels[0].textContent.trim()))
              .map((e) => e.id || e.name)"""
        )
        assert unnamed == []


def test_a_page_from_a_file_says_how_it_is_served(site, chromium):
    context = chromium.new_context(offline=True)
    page, trouble = context.new_page(), []
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.goto((Path(site) / "playground.html").as_uri())
    assert "minigan book" in page.inner_text("#notice")
    assert not page.is_visible("#play")
    context.close()
    assert not trouble


def test_the_front_page_leads_to_it_and_the_rest_of_the_book_stays_small(site):
    assert 'href="playground.html"' in (site / "index.html").read_text("utf-8")
    files = [path for path in site.rglob("*") if path.is_file()]
    beside = [path for path in files if site / "playground" not in path.parents]
    assert sum(path.stat().st_size for path in beside) <= 8e6
