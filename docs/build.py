"""Builds the book from the source itself:  python docs/build.py [folder] [--pyodide FROM]

The docstrings stand on the left and the lines that they explain on the right. The result, in
docs/_build unless another folder is named, needs no network and no script to be read. KaTeX
typesets every formula during the build, in one node process; a formula that it does not know
ends the build with the names of the page and the formula. The playground is the one page that
needs scripts, and a server; `runtime.py` says where its parts come from.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import book
import runtime
from website import Site

DOCS = Path(__file__).resolve().parent
NPM = DOCS / "node_modules"
FONTS = (
    "source-serif-4/files/source-serif-4-latin-wght-normal",
    "source-serif-4/files/source-serif-4-latin-wght-italic",
    "source-serif-4/files/source-serif-4-greek-wght-normal",
    "source-code-pro/files/source-code-pro-latin-wght-normal",
    "source-code-pro/files/source-code-pro-greek-wght-normal",
)


def main(out=DOCS / "_build", pyodide=None, playground=True):
    """Write the whole site to the folder `out`, replacing what is there.

    pyodide : where NumPy's wheel for the playground is; see `runtime.bring`
    """
    if not (NPM / "minisearch").exists():
        npm = ["npm", "ci", "--no-fund", "--no-audit", "--loglevel=error"]
        subprocess.run(npm, cwd=DOCS, check=True)
    out = Path(out)
    shutil.rmtree(out, ignore_errors=True)
    (out / "fonts").mkdir(parents=True)
    if playground:
        playground = runtime.brought(out / "playground", pyodide)
    written = [*book.read(), book.playground()] if playground else book.read()
    site = Site(written, book.in_tests())
    pages, styles = typeset(
        [(page.slug, site.page(page)) for page in site.pages], site.formulas
    )
    for slug, text in pages:
        (out / f"{slug}.html").write_text(text, "utf-8")
    index(site, out)
    for name in ("style.css", "dark.css", "page.js", "search.js"):
        shutil.copy(DOCS / name, out)
    for font in FONTS:
        shutil.copy(NPM / "@fontsource-variable" / f"{font}.woff2", out / "fonts")
    katex = NPM / "katex" / "dist"
    css = (katex / "katex.min.css").read_text("utf-8")
    css = re.sub(r',url\([^)]*\.(woff|ttf)\) format\("\w+"\)', "", css)
    (out / "katex.css").write_text(css + styles, "utf-8")
    for font in (katex / "fonts").glob("*.woff2"):
        shutil.copy(font, out / "fonts")
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    print(f"{len(pages)} pages, {len(site.formulas)} formulas, {size / 1e6:.1f} MB in {out}")


def index(site, out):
    """What the search needs, in two scripts: MiniSearch with its settings, and the texts."""
    stemmer = (NPM / "stemmer" / "index.js").read_text("utf-8").replace("export ", "")
    library = (NPM / "minisearch" / "dist" / "umd" / "index.js").read_text("utf-8")
    library = re.sub(
        r"//# sourceMappingURL=.*|/\*\*?\s.*?\*/|^ +", "", library, flags=re.S | re.M
    )
    settings = (DOCS / "words.js").read_text("utf-8")
    (out / "minisearch.js").write_text("\n".join((library, stemmer, settings)), "utf-8")
    node = ["node", DOCS / "index.mjs", out / "minisearch.js"]
    asked = json.dumps(site.texts, ensure_ascii=False)
    run = subprocess.run(node, input=asked, capture_output=True, text=True, encoding="utf-8")
    if run.returncode:
        sys.exit(f"node: {run.stderr}")
    names = json.dumps(site.names, ensure_ascii=False)
    text = f"const NAMES = {names};\nconst TEXTS = {run.stdout};\n"
    (out / "index.js").write_text(text, "utf-8")


def lean(formula, names):
    """A formula without the copy of its source that KaTeX keeps in each, and without its
    inline styles: {style: the class that stands for it} are in `names`, where new ones go.
    """

    def named(match):
        name = names.setdefault(match[2], f"k{len(names)}")
        return f' class="{" ".join(filter(None, (match[1], name)))}"'

    formula = re.sub(r"<annotation.*?</annotation>", "", formula, flags=re.S)
    formula = formula.replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "")
    return re.sub(r'(?: class="([^"]*)")? style="([^"]*)"', named, formula)


def typeset(pages, formulas):
    """The pages with formula i in place of its mark, and the styles that the formulas need as
    rules of CSS; exits, naming the first formula that fails.
    """
    asked = json.dumps([{"tex": tex, "display": display} for _, tex, display in formulas])
    node = ["node", DOCS / "render.mjs"]
    run = subprocess.run(node, input=asked, capture_output=True, text=True, encoding="utf-8")
    if run.returncode:
        sys.exit(f"node: {run.stderr}")
    answers = json.loads(run.stdout)
    for (slug, tex, _), answer in zip(formulas, answers):
        if "error" in answer:
            sys.exit(f"page {slug}: {answer['error']}\n  in the formula ${tex}$")
    names = {}
    made = [lean(answer["html"], names) for answer in answers]
    rules = ((name, style.replace(";", "!important;")) for style, name in names.items())
    return [
        (slug, re.sub("\x02(\\d+)\x03", lambda mark: made[int(mark[1])], text))
        for slug, text in pages
    ], "".join(f".katex .{name}{{{style}}}" for name, style in rules)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description="Build the book.")
    options.add_argument("out", nargs="?", default=DOCS / "_build", help="default docs/_build")
    options.add_argument(
        "--pyodide", metavar="FROM", help="folder or address of NumPy's wheel for Pyodide"
    )
    options.add_argument("--no-playground", action="store_false", dest="playground")
    main(**vars(options.parse_args()))
