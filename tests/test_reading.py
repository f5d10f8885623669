"""Reading the book: the search answers a beginner, the contents fold away, figures are legible,
and nothing on a page lies where it should not, on a screen, on a phone and on paper."""

import contextlib
import io
import re
import sys

import pytest
from browser import GEOMETRY, ROOT

sys.path.insert(0, str(ROOT / "docs"))
import book
import draw
import openings
import sources
import trained

PAGES = book.read()
CHAPTERS = [page.slug for page in PAGES if page.chapter is not None and page.part == "book"]
KINDS = ["index", "pictures", "layers", "penalty", "theory-4-gradient-penalty", "equations"]
KINDS += ["bug-zoo", "course", "own-data", "arrays", "cli", "sources"]  # one of each kind
SCREENS = {
    "desk, light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "desk, dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone, light": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"},
    "phone, dark": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
    "paper": {"viewport": {"width": 700, "height": 1000}, "color_scheme": "dark"},
}
QUESTIONS = {  # what a beginner asks: where it is answered, among the first three found
    "what is a GAN": ("pictures.html",),
    "what is a gradient": ("pictures.html#the-gradient-which-way-and-how-strongly",),
    "mode collapse": ("pictures.html#two-games-at-once", "gan.html#what-goes-wrong"),
    "chain rule": ("pictures.html#the-chain-rule-rates-multiply",),
    "lipschitz": ("theory-3-wasserstein.html", "wgan.html"),
    "how does backpropagation work": ("pictures.html#the-chain-rule", "index.html#one-step"),
    "why do all samples look the same": (
        "pictures.html",
        "gan.html",
        "theory-2",
        "bug-zoo.html",
    ),
    "vanishing gradient of the generator": ("theory-2-stalling.html", "gan.html"),
    "non-saturating loss": ("gan.html", "theory-2-stalling.html"),
    "label smoothing": ("gan.html", "theory-1-optimal-discriminator.html"),
    "gradient penalty": ("penalty.html", "theory-4-gradient-penalty.html"),
    "weight clipping": ("wgan.html", "theory-3-wasserstein.html"),
    "earth mover": ("wgan.html", "theory-3-wasserstein.html"),
    "leaky relu slope": ("layers.html#LeakyReLU", "layers.html#derivation-LeakyReLU.dx"),
    "numerical stability of cross-entropy": ("losses.html",),
    "adam bias correction": ("optim.html", "bug-zoo.html"),
    "learning rate": ("players.html", "optim.html", "theory-7-convergence.html"),
    "check a derivative": ("gradcheck.html", "proofs.html"),
    "conditional gan": ("cgan.html",),
    "does training converge": ("theory-7-convergence.html",),
    "how good are the samples": ("metrics.html", "evaluate.html", "theory-1", "training.html"),
    "train on my own data": ("loaders.html", "data.html", "idx.html", "training.html"),
}


IS_SEEN = """(pre, text) => {  // whether the last letter of the text is inside its box
  const range = document.createRange(), walk = document.createTreeWalker(pre, 4), ends = [];
  let all = "";
  while (walk.nextNode()) ends.push([(all += walk.currentNode.data).length, walk.currentNode]);
  const at = all.indexOf(text) + text.length;
  const [end, node] = ends.find(([end]) => end >= at);
  range.setStart(node, node.data.length - (end - at) - 1);
  range.setEnd(node, node.data.length - (end - at));
  const box = pre.getBoundingClientRect();
  return range.getBoundingClientRect().right <= box.right && box.right <= innerWidth;
}"""


@contextlib.contextmanager
def opened(chromium, **options):
    context = chromium.new_context(offline=True, **options)
    try:
        yield context.new_page()
    finally:
        context.close()


def show(page, site, slug, screen=""):
    if screen == "paper":
        page.emulate_media(media="print")
    page.goto((site / f"{slug}.html").as_uri(), wait_until="load")
    page.evaluate("document.fonts.ready")
    return page


@pytest.fixture
def desk(chromium):
    with opened(chromium, **SCREENS["desk, light"]) as page:
        yield page


@pytest.fixture
def phone(chromium):
    with opened(chromium, has_touch=True, **SCREENS["phone, light"]) as page:
        yield page


# ---- figures ----


def numbers(drawing):
    return [
        float(number) for number in re.findall(r"(?<=[ ML\"])-?\d+\.\d(?=[ \"MLZ])", drawing)
    ]


def without_numbers(drawing):
    return re.sub(r"-?\d+\.\d", "", drawing)


def test_the_kept_figures_are_what_the_library_draws_today():
    """Up to a unit of the drawing, since another processor rounds in another way."""
    for name, figure in draw.drawings().items():
        with contextlib.redirect_stdout(io.StringIO()):
            today = figure()
        kept = (draw.figures.FIGURES / f"{name}.svg").read_text("utf-8")
        assert without_numbers(kept) == without_numbers(today), name
        far = [abs(a - b) for a, b in zip(numbers(kept), numbers(today), strict=True)]
        assert max(far) <= 1, name


def test_a_measured_figure_repeats_itself():
    kept = trained.json.loads(trained.KEPT.read_text("utf-8"))["optimal-discriminator"]
    found = trained.measure_optimal()
    for step in ("0", "20"):
        assert found[step] == pytest.approx(kept[step], abs=2e-3)


def test_every_figure_says_what_it_shows():
    named = set(draw.drawings())
    assert len(named) > 30
    for name in named:
        drawing = (draw.figures.FIGURES / f"{name}.svg").read_text("utf-8")
        assert re.search(r'role="img" aria-label="[^"]{10,}"', drawing), name
        assert "<title>" in drawing, name
        assert len(re.search(r"<desc>(.*?)</desc>", drawing, re.S)[1]) > 60, name


def test_every_figure_stands_on_a_page(site):
    everything = "".join(path.read_text("utf-8") for path in site.glob("*.html"))
    for name in draw.drawings():
        assert f'id="figure-{name}"' in everything, name


@pytest.mark.parametrize("screen", ["desk, light", "phone, dark"])
def test_every_chapter_has_a_figure_on_its_first_screen(site, chromium, screen):
    assert {slug for slug in CHAPTERS if slug != "pictures"} == set(openings.OPENINGS)
    with opened(chromium, **SCREENS[screen]) as page:
        for slug in CHAPTERS:
            box = show(page, site, slug).locator("main svg").first.bounding_box()
            seen = (
                min(SCREENS[screen]["viewport"]["height"], box["y"] + box["height"]) - box["y"]
            )
            assert seen > min(box["height"] / 2, 150), f"{slug}: {box}"


# ---- where things lie ----


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("slug", KINDS)
def test_nothing_lies_where_it_should_not(site, chromium, slug, screen):
    with opened(chromium, **SCREENS[screen]) as page:
        seen = show(page, site, slug, screen).evaluate(GEOMETRY)
    assert seen["outside"] == []
    assert seen["widths"] == []
    assert seen["cut"] == []
    assert seen["texts"] == []
    assert seen["faint"] == []
    contents, main = seen["contents"], seen["main"]
    if screen.startswith("desk"):
        assert contents["right"] <= main["left"] + 1
        assert contents["width"] > 200
    else:
        assert contents["width"] == 0


# ---- search ----


def found(page, asked):
    page.fill("#search input", asked)
    page.wait_for_function(
        "asked => document.querySelector('#found').dataset.asked === asked", arg=asked
    )
    links = page.locator("#found a")
    return [links.nth(i).get_attribute("href") for i in range(links.count())]


def test_the_search_answers_a_beginner(site, desk):
    show(desk, site, "index")
    missed = {}
    for question, answers in QUESTIONS.items():
        first = found(desk, question)[:3]
        if not any(href.startswith(answers) for href in first):
            missed[question] = first
    assert len(QUESTIONS) >= 20
    assert missed == {}


def test_the_search_marks_what_it_found_and_says_when_there_is_nothing(site, desk):
    show(desk, site, "layers")
    assert found(desk, "mode collapse")
    marks = desk.locator("#found mark").all_text_contents()
    assert any("collapse" in mark.lower() for mark in marks)
    assert found(desk, "xylophone zebra") == []
    assert "Nothing was found for “xylophone zebra”" in desk.inner_text("#found")
    desk.keyboard.press("Escape")
    desk.wait_for_selector("#found", state="hidden")


def test_what_is_found_is_seen_on_a_phone(site, phone):
    show(phone, site, "layers")
    assert found(phone, "chain rule")
    box = phone.locator("#found").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    assert box["width"] > 300


def test_the_search_is_used_by_keys(site, desk):
    show(desk, site, "index")
    desk.keyboard.press("/")
    desk.keyboard.type("gradient penalty")
    links = found(desk, "gradient penalty")
    for key, chosen in (("ArrowDown", 0), ("ArrowDown", 1), ("ArrowUp", 0), ("ArrowUp", -1)):
        desk.keyboard.press(key)
        at = chosen % len(links)
        assert desk.get_attribute("#search input", "aria-activedescendant") == f"found-{at}"
        assert (
            desk.locator('#found [aria-selected="true"] a').get_attribute("href") == links[at]
        )
    desk.keyboard.press("Enter")
    desk.wait_for_url(f"**/{links[-1]}")


# ---- contents, next, theme, copy ----


def test_the_contents_list_the_pages_and_the_sections_of_this_one(site, desk):
    show(desk, site, "layers")
    chapters = desk.locator("#contents details").first.locator(":scope > ul > li > a")
    hrefs = [chapters.nth(i).get_attribute("href") for i in range(chapters.count())]
    assert hrefs == [f"{slug}.html" for slug in CHAPTERS]
    inner = desk.locator("#contents [aria-current] + ul a").all_text_contents()
    assert {"Dense", "LeakyReLU", "On paper", "What goes wrong"} <= set(inner)
    for page in PAGES[1:]:
        assert desk.locator(f'#contents a[href="{page.slug}.html"]').count() == 1, page.slug


def test_the_contents_fold_away_and_stay_so(site, desk):
    show(desk, site, "layers")
    assert desk.is_visible("#contents")
    desk.click("#menu")
    assert desk.is_hidden("#contents")
    show(desk, site, "losses")
    assert desk.is_hidden("#contents")
    desk.click("#menu")
    assert desk.is_visible("#contents")


def test_on_a_phone_the_contents_come_over_the_text(site, phone):
    show(phone, site, "layers")
    assert phone.is_hidden("#contents")
    phone.tap("#menu")
    assert phone.is_visible("#contents")
    assert phone.get_attribute("#menu", "aria-expanded") == "true"
    phone.keyboard.press("Escape")
    assert phone.is_hidden("#contents")
    phone.tap("#menu")
    phone.tap('#contents a[href="losses.html"]')
    phone.wait_for_url("**/losses.html")
    assert phone.is_hidden("#contents")


def test_without_scripts_the_contents_are_at_the_end(site, chromium):
    with opened(chromium, java_script_enabled=False, **SCREENS["phone, light"]) as page:
        show(page, site, "layers")
        assert page.is_visible("#contents")
        page.click("#menu")
        assert page.url.endswith("#contents")


def test_next_from_the_front_leads_to_chapter_1_and_then_through_the_book(site, desk):
    show(desk, site, "index")
    for slug in CHAPTERS[1:]:
        desk.click('footer a[rel="next"]')
        desk.wait_for_url(f"**/{slug}.html")
    show(desk, site, "index")
    assert desk.get_attribute('footer a[rel="prev"]', "href") == "pictures.html"
    show(desk, site, "pictures")
    assert desk.get_attribute('footer a[rel="next"]', "href") == "layers.html"


def test_dark_and_light_by_a_switch(site, desk):
    color = "getComputedStyle(document.body).backgroundColor"
    light = show(desk, site, "index").evaluate(color)
    desk.click("button.theme")
    dark = desk.evaluate(color)
    assert dark != light
    assert show(desk, site, "layers").evaluate(color) == dark
    desk.click("button.theme")
    assert desk.evaluate(color) == light
    desk.emulate_media(color_scheme="dark")
    assert show(desk, site, "index").evaluate(color) == light  # what was chosen counts


def test_paper_is_white_whatever_the_theme(site, desk):
    show(desk, site, "index")
    desk.click("button.theme")
    desk.emulate_media(media="print")
    color = desk.evaluate("getComputedStyle(document.body).backgroundColor")
    assert min(map(int, re.findall(r"\d+", color)[:3])) > 240


def test_a_session_is_copied_as_it_was_typed(site, desk):
    show(desk, site, "layers")
    desk.evaluate("navigator.clipboard.writeText = (text) => { window.took = text; }")
    session = desk.locator("pre.example", has=desk.locator(".gp")).first
    session.hover()
    session.locator("button.copy").click()
    desk.wait_for_function("window.took")
    lines = desk.evaluate("window.took").splitlines()
    assert lines[0] == "import numpy as np"
    assert lines[-1] == "dW.tolist(), db.tolist()"
    assert not [line for line in lines if line.startswith((">>>", "[["))]
    code = desk.locator(".code pre", has_text="return dy @ W.T")
    code.hover()
    code.locator("button.copy").click()
    desk.wait_for_function("window.took.includes('return dy @ W.T')")
    assert "copy" not in desk.evaluate("window.took")


@pytest.mark.parametrize("screen", ["desk, light", "phone, dark"])
def test_long_lines_of_code_are_seen_to_their_end(site, chromium, screen):
    with opened(chromium, **SCREENS[screen]) as page:
        for slug, text in (("index", "minigan train gan"), ("layers", "return dy @ W.T")):
            show(page, site, slug)
            pre = page.locator("main pre", has_text=text).first
            end = pre.evaluate(IS_SEEN, text)
            assert end, slug


def test_imports_are_folded_and_derivations_stand_before_their_lines(site, desk):
    for page in PAGES:
        if not page.blocks:
            continue
        text = (site / f"{page.slug}.html").read_text("utf-8")
        assert '<details class="imports" open' not in text
        for name in book.placed(page.text)[0]:
            assert text.index(f'id="derivation-{name}"') < text.index(f'id="{name}"'), name
    tops = show(desk, site, "layers").evaluate(
        "['derivation-Dense.dx', 'Dense.dx'].map("
        "(id) => document.getElementById(id).getBoundingClientRect().top)"
    )
    assert 0 < tops[1] - tops[0] < 600


# ---- sources ----


def test_a_citation_is_found_by_its_names_and_its_year():
    text = "see Arjovsky & Bottou (2017), Goodfellow et\nal. 2014 and Nobody & Sons (1999)"
    cited = [(piece, work["url"]) for piece, work in sources.cited(text) if work]
    assert cited == [
        ("Arjovsky & Bottou (2017)", "https://arxiv.org/abs/1701.04862"),
        ("Goodfellow et\nal. 2014", "https://arxiv.org/abs/1406.2661"),
    ]
    assert len(sources.unknown(text)) == 1


def test_every_source_is_linked_where_it_is_named_and_every_work_is_named(site):
    everything = ""
    for page in PAGES:
        text = (site / f"{page.slug}.html").read_text("utf-8")
        everything += text if page.slug != "sources" else ""
        for source in re.findall(r"<p>Source: (.*?)</p>", text, re.S):
            assert 'class="cite" href="https://' in source, f"{page.slug}: {source}"
    for work in sources.WORKS:
        assert f'href="{work["url"]}"' in everything, work["title"]
