"""The book: it builds, every page reads well in a browser with no network and no script
errors, every numbered equation has a test of its number, and every example runs."""

import ast
import doctest
import re
import shutil
import subprocess
import sys

import pytest
from browser import GEOMETRY, LOOK, ROOT, identifiers, require, require_modules

import minigan

sys.path.insert(0, str(ROOT / "docs"))
import book
import effects
import renumber

SLUGS = [page.slug for page in book.read()]
EXAMPLES = [
    path for path in [*sorted(book.PAGES.glob("*.md")), ROOT / "README.md"] if path.exists()
]


# ---- equations and tests name each other ----


@pytest.fixture(scope="module")
def tested():
    return book.in_tests()


@pytest.fixture(scope="module")
def defined():
    return book.definitions(book.read())


def test_every_numbered_equation_has_a_test_and_every_test_an_equation(defined, tested):
    untested = [f"({n}) in {each.slug}" for n, each in defined.items() if n not in tested]
    unknown = [
        f"eq{n} in {', '.join(test.name for test in tests)}"
        for n, tests in tested.items()
        if n not in defined
    ]
    assert not untested + unknown, (
        f"equations without a test: {'; '.join(untested) or 'none'}\n"
        f"tests without an equation: {'; '.join(unknown) or 'none'}"
    )


def test_the_command_of_an_equation_runs_its_tests():
    """`pytest -k eq9_` selects what holds eq9_ in its name, so no name may end in a number."""
    for path in book.TESTS.glob("test_*.py"):
        nodes = ast.walk(ast.parse(path.read_text("utf-8")))
        names = [node.name for node in nodes if isinstance(node, ast.FunctionDef)]
        assert not [name for name in names if re.search(r"_eqT?\d+[a-z]?$", name)], path.name


def test_the_source_of_a_test_is_shown_whole(tested):
    for test in sum(tested.values(), []):
        lines = (book.TESTS / test.file).read_text("utf-8").splitlines()
        assert lines[test.line - 1].startswith(f"def {test.name}(")
        assert ast.parse(test.source).body[0].name == test.name


def test_equations_are_defined_in_the_chapters_first():
    """A page of theory stands before the lab, and may still start with one of its numbers."""
    theory = book.Page("theory", "theory", "Theory", text="(7) is used.\n\n(T1) $a$")
    chapter = book.Page("metrics", "lab", "Measures", 15, text="Words.\n\n(7) $b$\n\n(8)$c$")
    found = book.definitions([theory, chapter])
    assert list(found) == ["7", "T1"]
    assert (found["7"].slug, found["7"].statement) == ("metrics", "(7) $b$")


# ---- their numbers ----


def test_equations_are_numbered_in_reading_order(capsys):
    assert renumber.main(["--check"]) == 0, capsys.readouterr().out


def test_numbers_are_counted_and_a_letter_stays_with_its_number():
    old = ["1", "99", "2", "2b", "2a", "4", "2c", "98a", "97a"]
    new = ["1", "2", "3", "3a", "3b", "4", "3c", "4a", "4b"]
    assert renumber.in_order(old) == dict(zip(old, new))


OLD = r'''"""(5) gives (6) and (7a), not (50), f(5) or (5, 6)."""
x = f(5) + np.eye(5)[(5)] - (6)  # by (5) and (6)


def test_eq5_eq6_the_sum_eq7a(lib, eq=5):  # é (5)
    """é (5),
    (6)""" + """(7a)
    (8)""" + rf"{x:5d}(5) \(6\) {{(7a)}} {f(5)} é (6)" + "test_a.py::test_eq5_by_hand"
    y = f"""(5)
    {x} (6) {f(6)}""", "see layers.html#eq-5", "eq55_", b"\5"
'''
NEW = r'''"""(6) gives (7) and (5), not (50), f(5) or (5, 6)."""
x = f(5) + np.eye(5)[(5)] - (6)  # by (6) and (7)


def test_eq6_eq7_the_sum_eq5(lib, eq=5):  # é (6)
    """é (6),
    (7)""" + """(5)
    (8)""" + rf"{x:5d}(6) \(7\) {{(5)}} {f(5)} é (7)" + "test_a.py::test_eq6_by_hand"
    y = f"""(6)
    {x} (7) {f(6)}""", "see layers.html#eq-6", "eq55_", b"\5"
'''


def test_words_and_names_are_renumbered_at_once_and_code_is_not():
    assert renumber.renumbered(OLD, {"5": "6", "6": "7", "7a": "5"}, is_python=True) == NEW
    assert renumber.renumbered(OLD, {}, is_python=True) == OLD


def test_markdown_is_renumbered():
    new = {"5": "6", "6": "7"}
    old = "(5) $y$; by (6), [it](game.html#eq-5); `np.eye(5)`, `pytest -k eq5_`, (T5), (5 rows)"
    assert renumber.renumbered(old, new, is_python=False) == (
        "(6) $y$; by (7), [it](game.html#eq-6); `np.eye(5)`, `pytest -k eq6_`, (T5), (5 rows)"
    )


def test_a_new_equation_is_numbered_in_a_copy_of_the_whole_book(defined, tmp_path):
    ignore = shutil.ignore_patterns("node_modules", "_build", "__pycache__")
    for folder in ("minigan", "docs", "tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignore)
    shutil.copy(ROOT / "README.md", tmp_path)
    n = next(int(number) for number, each in defined.items() if each.slug == "losses")
    losses = tmp_path / "minigan" / "losses.py"
    text = losses.read_text("utf-8").replace(f"({n}) $", f"(99) $0 = 0$\n\n    ({n}) $", 1)
    losses.write_text(text, "utf-8")

    def run(*options):
        command = [sys.executable, tmp_path / "docs" / "renumber.py", *options]
        return subprocess.run(command, capture_output=True, encoding="utf-8")

    check = run("--check")
    assert check.returncode == 1
    assert check.stdout.startswith(f"(99) becomes ({n})\n({n}) becomes ({n + 1})\n")
    assert losses.read_text("utf-8") == text
    assert run().returncode == 0
    assert run("--check").returncode == 0
    assert f"({n}) $0 = 0$\n\n    ({n + 1}) $" in losses.read_text("utf-8")
    assert f"def test_eq{n + 1}_" in (tmp_path / "tests/test_losses.py").read_text("utf-8")
    for name in renumber.EXAMPLES:
        assert (tmp_path / name).read_text("utf-8") == (ROOT / name).read_text("utf-8")


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


def test_a_measured_curve_repeats_itself_and_a_bug_bends_it(monkeypatch):
    monkeypatch.setattr(effects, "SEEDS", (0,))
    monkeypatch.setattr(effects, "STEPS", 40)
    name = "the_generators_gradient_does_not_pass_through_D"
    correct, wrong = effects.measure("gan"), effects.measure("gan", name)
    assert correct[0][0] == 4
    assert correct != wrong
    assert correct == effects.measure("gan")


# ---- the site ----


def test_the_site_is_complete_small_and_local(site):
    assert {path.stem for path in site.glob("*.html")} == set(SLUGS)
    assert sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) < 8e6
    for path in [*site.glob("*.html"), *site.glob("*.css"), *site.glob("*.js")]:
        text = re.sub(r'xmlns="[^"]*"', "", path.read_text("utf-8"))
        text = re.sub(r'<a (?:class="cite" )?href="https://[^"]*"', "", text)  # a reader may go
        assert not re.search(r"(?:src|href)=.https?:|url\([\"']?(?:https?:|//)", text), (
            path.name
        )


def test_every_public_name_and_every_equation_stands_on_a_page(site, defined):
    pages = {path.stem: path.read_text("utf-8") for path in site.glob("*.html")}
    everything = "".join(pages.values())
    for name, value in vars(minigan).items():
        if not name.startswith("_") and getattr(value, "__module__", "").startswith("minigan"):
            assert f'id="{name}"' in everything, name
    for number, equation in defined.items():
        assert pages[equation.slug].count(f'id="eq-{number}"') == 1, number


def test_no_formula_is_left_as_it_was_typed(site):
    for path in site.glob("*.html"):
        text = path.read_text("utf-8")
        text = re.sub(r"<(pre|code|annotation|style)\b.*?</\1>", "", text, flags=re.S)
        assert not re.findall(r".{,40}(?:\$|\\[a-z]+).{,40}", text), path.name


def test_every_equation_links_to_its_tests_and_they_link_back(site, defined, tested):
    text = (site / "equations.html").read_text("utf-8")
    entries = dict(
        re.findall(r'id="eq-(\w+)">(.*?)(?=<p class="equation"|</main>)', text, re.S)
    )
    assert list(entries) == list(defined)
    for number, equation in defined.items():
        link = f'class="tested" href="equations.html#eq-{number}"'
        assert (site / f"{equation.slug}.html").read_text("utf-8").count(link) == 1, number
        assert f'href="{equation.slug}.html#eq-{number}"' in entries[number]
        assert f"pytest -k eq{number}_</code>" in entries[number]
        assert entries[number].count("<details>") == len(tested[number])
        for test in tested[number]:
            assert f'<span class="nf">{test.name}</span>' in entries[number], test.name


def test_every_line_of_a_module_is_on_its_page_as_code_or_as_prose():
    for path in book.PACKAGE.rglob("*.py"):
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
    seen, lies = page.evaluate(LOOK), page.evaluate(GEOMETRY)
    page.close()
    assert not trouble
    assert [url for url in asked if not url.startswith((site.as_uri(), "data:"))] == []
    assert seen["scrollWidth"] <= seen["innerWidth"], seen["wide"]
    assert seen["errors"] == 0
    assert seen["formulas"] == seen["expected"]
    assert seen["clipped"] == []
    assert [lies[what] for what in ("outside", "widths", "cut", "texts", "faint")] == [[]] * 5
    for link in seen["links"]:
        if link.startswith("https://"):
            continue
        file, _, anchor = link.partition("#")
        assert anchor in identifiers(site, file or f"{slug}.html"), link


def test_the_search_finds_a_symbol_and_an_equation(site, context, defined):
    page = context.new_page()
    page.goto((site / "index.html").as_uri())
    number, equation = list(defined.items())[2]
    for words, href in (
        ("accumulate", "network.html#Network.accumulate"),
        (f"({number})", f"{equation.slug}.html#eq-{number}"),
    ):
        page.fill("#search input", words)
        assert page.locator("#search li a").first.get_attribute("href") == href
    page.close()
