"""The book: it builds, every page reads well in a browser with no network and no script
errors, every numbered equation has a test of its number, and every example runs."""

import ast
import doctest
import functools
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import minigan

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "docs"))
import book  # noqa: E402
import effects  # noqa: E402
import figures  # noqa: E402

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SLUGS = [page.slug for page in book.read()]
EXAMPLES = [
    path for path in [*sorted(book.PAGES.glob("*.md")), ROOT / "README.md"] if path.exists()
]


# ---- equations and tests name each other ----


def in_tests():
    """{number: [names of the tests that bear it]}"""
    found = {}
    for path in sorted((ROOT / "tests").glob("test_*.py")):
        for name in re.findall(r"^\s*def (test_\w+)", path.read_text("utf-8"), re.M):
            for number in re.findall(r"(?<=_)eq(T?\d+[a-z]?)(?=_|$)", name):
                found.setdefault(number, []).append(f"{path.name}::{name}")
    return found


def test_every_numbered_equation_has_a_test_and_every_test_an_equation():
    defined, tested = book.definitions(book.read()), in_tests()
    untested = [f"({n}) in {slug}" for n, slug in defined.items() if n not in tested]
    unknown = [
        f"eq{n} in {', '.join(names)}" for n, names in tested.items() if n not in defined
    ]
    assert not untested + unknown, (
        f"equations without a test: {'; '.join(untested) or 'none'}\n"
        f"tests without an equation: {'; '.join(unknown) or 'none'}"
    )


# ---- examples ----


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_print_what_the_page_says(path):
    text = path.read_text("utf-8")
    blocks = re.findall(r"^```(?:python|pycon)\n(>>> .*?)^```", text, re.S | re.M)
    example = doctest.DocTestParser().get_doctest(
        "\n".join(blocks), {}, path.name, str(path), 0
    )
    report = []
    doctest.DocTestRunner(verbose=False).run(example, out=report.append)
    assert not report, "".join(report)


def test_figures_show_what_the_examples_measured():
    for name, figure in figures.MEASURED.items():
        assert (figures.FIGURES / f"{name}.svg").read_text("utf-8") == figure(), name


def test_figures_of_bugs_show_the_kept_measurements():
    kept = json.loads(effects.KEPT.read_text())
    for chapter in effects.CHAPTERS:
        drawn = (figures.FIGURES / f"bug-{chapter}.svg").read_text("utf-8")
        assert drawn == effects.draw(chapter, kept), chapter


def test_a_measured_curve_repeats_itself_and_a_bug_bends_it(monkeypatch):
    monkeypatch.setattr(effects, "SEEDS", (0,))
    monkeypatch.setattr(effects, "STEPS", 100)
    name = "the_generators_gradient_does_not_pass_through_D"
    correct, wrong = effects.measure("gan"), effects.measure("gan", name)
    assert correct[0][0] == 10
    assert correct != wrong
    assert correct == effects.measure("gan")


# ---- the site ----


def require(found, what):
    """Skips where something is missing; on CI, which installs everything, fails."""
    if not found:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"{what} is missing")


def require_modules(*names):
    for name in names:
        require(importlib.util.find_spec(name), f"{name} (pip install 'minigan[docs]')")


def run_build(*args):
    require(shutil.which("node") and shutil.which("npm"), "node or npm")
    require_modules("pygments", "markdown_it", "mdit_py_plugins")
    command = [sys.executable, ROOT / "docs" / "build.py", *args]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8")


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("book") / "site"
    start = time.perf_counter()
    run = run_build(folder)
    assert run.returncode == 0, run.stdout + run.stderr
    assert not run.stderr, f"mentions of what no page defines:\n{run.stderr}"
    assert time.perf_counter() - start < 30
    return folder


def test_the_site_is_complete_small_and_local(site):
    assert {path.stem for path in site.glob("*.html")} == set(SLUGS)
    assert sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) < 5e6
    for path in [*site.glob("*.html"), *site.glob("*.css"), *site.glob("*.js")]:
        text = re.sub(r'xmlns="[^"]*"', "", path.read_text("utf-8"))
        assert not re.search(r"(?:src|href)=.https?:|url\([\"']?(?:https?:|//)", text), (
            path.name
        )


def test_every_public_name_and_every_equation_stands_on_a_page(site):
    pages = {path.stem: path.read_text("utf-8") for path in site.glob("*.html")}
    everything = "".join(pages.values())
    for name, value in vars(minigan).items():
        if not name.startswith("_") and getattr(value, "__module__", "").startswith("minigan"):
            assert f'id="{name}"' in everything, name
    for number, slug in book.definitions(book.read()).items():
        assert pages[slug].count(f'id="eq-{number}"') == 1, number


def test_every_line_of_a_module_is_on_its_page_as_code_or_as_prose():
    for path in book.PACKAGE.glob("*.py"):
        source = path.read_text("utf-8")
        shown = {}
        for block in book.split(source):
            assert not shown.keys() & block.lines.keys()
            shown |= block.lines
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, (*book.DEFS, ast.Module)) and ast.get_docstring(node):
                doc = node.body[0]
                assert not shown.keys() & set(range(doc.lineno, doc.end_lineno + 1))
                shown |= dict.fromkeys(range(doc.lineno, doc.end_lineno + 1))
        for number, line in enumerate(source.splitlines(), 1):
            assert shown.get(number, "") in (line, None), f"{path.name}:{number}"


def test_a_command_that_katex_does_not_know_ends_the_build(tmp_path, monkeypatch):
    require_modules("pygments", "markdown_it", "mdit_py_plugins")
    require(shutil.which("node") and (book.ROOT / "docs" / "node_modules").exists(), "KaTeX")
    import build as builder

    with pytest.raises(SystemExit, match=r"(?s)page layers: .*\\wrong.*formula \$\\wrong x\$"):
        builder.typeset([("layers", "")], [("layers", r"\wrong x", False)])


# ---- in a browser ----


@pytest.fixture(scope="module")
def chromium():
    require_modules("playwright")
    path = shutil.which("chromium")
    require(path, "chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module", params=[(1280, "light"), (390, "dark")], ids=str)
def context(chromium, request):
    width, scheme = request.param
    context = chromium.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
    )
    yield context
    context.close()


@pytest.mark.parametrize("slug", SLUGS)
def test_a_page_in_the_browser(site, context, slug):
    page, trouble, asked = context.new_page(), [], []
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("requestfailed", lambda request: trouble.append(f"failed: {request.url}"))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((site / f"{slug}.html").as_uri(), wait_until="load")
    page.evaluate("document.fonts.ready")
    seen = page.evaluate(LOOK)
    page.close()
    assert not trouble
    assert [url for url in asked if not url.startswith((site.as_uri(), "data:"))] == []
    assert seen["scrollWidth"] <= seen["innerWidth"], seen["wide"]
    assert seen["errors"] == 0
    assert seen["formulas"] == seen["expected"]
    assert seen["clipped"] == []
    for link in seen["links"]:
        file, _, anchor = link.partition("#")
        assert anchor in identifiers(site, file or f"{slug}.html"), link


def test_the_search_finds_a_symbol_and_an_equation(site, context):
    page = context.new_page()
    page.goto((site / "index.html").as_uri())
    for words, href in (
        ("accumulate", "network.html#Network.accumulate"),
        ("(1b)", "layers.html#eq-1b"),
    ):
        page.fill("#search input", words)
        assert page.locator("#search li a").first.get_attribute("href") == href
    page.close()


LOOK = """() => {
  const wide = [...document.querySelectorAll("main *")].filter((e) => {
    for (let p = e.parentElement; p; p = p.parentElement)
      if (getComputedStyle(p).overflowX !== "visible") return false;
    return e.getBoundingClientRect().right > innerWidth + 1;
  });
  const boxes = [...document.querySelectorAll("main .katex-html .base, main pre")];
  const clipped = boxes.filter((e) => {
    let p = e;  // whatever does not fit must have a box that scrolls
    while (p && !/auto|scroll/.test(getComputedStyle(p).overflowX)) p = p.parentElement;
    return !p && e.getBoundingClientRect().right > innerWidth + 1;
  });
  const name = (e) => `${e.tagName} ${e.className} ${e.textContent.slice(0, 60)}`;
  return {
    scrollWidth: document.scrollingElement.scrollWidth,
    innerWidth,
    wide: wide.slice(0, 5).map(name),
    clipped: clipped.map(name),
    errors: document.querySelectorAll(".katex-error").length,
    formulas: document.querySelectorAll("main .katex").length,
    expected: Number(document.querySelector("main").dataset.formulas),
    links: [...document.querySelectorAll("a[href]")].map((a) => a.getAttribute("href")),
  };
}"""


@functools.cache
def identifiers(site, file):
    """Every id of a page; the empty string stands for the page itself."""
    path = site / file
    return (
        {"", *re.findall(r'\bid="([^"]+)"', path.read_text("utf-8"))} if path.exists() else ()
    )
