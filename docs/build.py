"""Builds the book from the source itself:  python docs/build.py [folder] [--pyodide FROM]

The docstrings stand on the left and the lines that they explain on the right. The result, in
docs/_build unless another folder is named, needs no network and no script to be read. KaTeX
typesets every formula during the build, in one node process; a formula that it does not know
ends the build with the names of the page and the formula. The playground is the one page that
needs scripts, and a server; `runtime.py` says where its parts come from.
"""

import argparse
import html
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import book
import runtime
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.deflist import deflist_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

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
    if not NPM.exists():
        npm = ["npm", "ci", "--no-fund", "--no-audit", "--loglevel=error"]
        subprocess.run(npm, cwd=DOCS, check=True)
    out = Path(out)
    shutil.rmtree(out, ignore_errors=True)
    (out / "fonts").mkdir(parents=True)
    if playground:
        playground = runtime.brought(out / "playground", pyodide)
    written = [*book.read(), book.playground()] if playground else book.read()
    site = Site(written, book.in_tests())
    pages = typeset([(page.slug, site.page(page)) for page in site.pages], site.formulas)
    for slug, text in pages:
        (out / f"{slug}.html").write_text(text, "utf-8")
    index = json.dumps(site.index, ensure_ascii=False)
    (out / "index.js").write_text(f"const INDEX = {index};\n", "utf-8")
    for name in ("style.css", "search.js"):
        shutil.copy(DOCS / name, out)
    for font in FONTS:
        shutil.copy(NPM / "@fontsource-variable" / f"{font}.woff2", out / "fonts")
    katex = NPM / "katex" / "dist"
    css = (katex / "katex.min.css").read_text("utf-8")
    css = re.sub(r',url\([^)]*\.(woff|ttf)\) format\("\w+"\)', "", css)
    (out / "katex.css").write_text(css, "utf-8")
    for font in (katex / "fonts").glob("*.woff2"):
        shutil.copy(font, out / "fonts")
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    print(f"{len(pages)} pages, {len(site.formulas)} formulas, {size / 1e6:.1f} MB in {out}")


def typeset(pages, formulas):
    """The pages with formula i in place of its mark; exits, naming the first that fails."""
    asked = json.dumps([{"tex": tex, "display": display} for _, tex, display in formulas])
    node = ["node", DOCS / "render.mjs"]
    run = subprocess.run(node, input=asked, capture_output=True, text=True, encoding="utf-8")
    if run.returncode:
        sys.exit(f"node: {run.stderr}")
    answers = json.loads(run.stdout)
    for (slug, tex, _), answer in zip(formulas, answers):
        if "error" in answer:
            sys.exit(f"page {slug}: {answer['error']}\n  in the formula ${tex}$")
    return [
        (slug, re.sub("\x02(\\d+)\x03", lambda mark: answers[int(mark[1])]["html"], text))
        for slug, text in pages
    ]


class Site:
    """Every page's HTML, with links between them and marks where formulas will stand."""

    def __init__(self, pages, tests):
        self.pages, self.tests = pages, tests
        self.defined = book.definitions(pages)
        self.formulas = []  # (slug, tex, display)
        self.symbols = {}  # {name: (slug, anchor)}
        for page in pages:
            for block in page.blocks:
                for name in block.names:
                    self.symbols.setdefault(name, (page.slug, "#" + name))
        # For the search: what it is called, what kind it is, where it stands.
        self.index = [[page.title, page.kicker, page.slug + ".html"] for page in pages]
        self.index += [
            [name, "symbol", f"{slug}.html{at}"]
            for name, (slug, at) in self.symbols.items()
            if "._" not in name
        ]
        self.index += [
            [f"({number})", "equation", f"{equation.slug}.html#eq-{number}"]
            for number, equation in self.defined.items()
        ]
        self.md = MarkdownIt("commonmark", {"html": False, "typographer": True})
        self.md.enable(["table", "smartquotes"]).use(deflist_plugin)
        self.md.use(dollarmath_plugin, allow_labels=False, double_inline=True)
        rules = self.md.renderer.rules
        rules["math_inline"] = self.math
        rules["math_inline_double"] = rules["math_block"] = self.math
        rules["fence"] = rules["code_block"] = self.fence
        rules["table_open"] = lambda *_: '<div class="scroll"><table>\n'
        rules["table_close"] = lambda *_: "</table></div>\n"

    # ---- a page ----

    def page(self, page):
        """The whole HTML document of one page."""
        self.slug, self.headings, self.seen, before = page.slug, [], set(), len(self.formulas)
        blocks = "".join(map(self.block, page.blocks))
        text = self.markdown(page.text) if page.text else ""
        if page.blocks and text:
            text = f'<article class="after">{text}</article>'
        at = self.pages.index(page)
        near = {"prev": self.pages[at - 1] if at else None}
        near["next"] = self.pages[at + 1] if at + 1 < len(self.pages) else None
        links = "".join(
            f'<a rel="{rel}" href="{p.slug}.html"><small>{word} · {p.kicker}</small>'
            f"{plain(p)}</a>"
            if p
            else "<span></span>"
            for (rel, p), word in zip(near.items(), ("Before", "Next"))
        )
        above = " · ".join(filter(None, [page.kicker, page.file]))
        return TEMPLATE.format(
            title=html.escape("minigan" if page.part == "front" else f"{page.title} · minigan"),
            part=page.part,
            kicker=html.escape(above),
            heading=self.md.renderInline(page.title, {}),
            content=blocks + text,
            formulas=len(self.formulas) - before,
            links=links,
        )

    def block(self, block):
        """One row: the prose of a block, and its lines."""
        *anchors, _ = [*block.names[1:], ""]
        head, ids = "", "".join(f'<a id="{name}"></a>' for name in anchors)
        if block.names:
            name, level = block.names[0], 3 if block.kind == "method" else 2
            owner, _, last = name.rpartition(".")
            label = (f"<i>{owner}.</i>" if owner else "") + last
            first, last = min(block.lines), max(block.lines)
            where = f"{first}–{last}" if last > first else first
            label = f'<a href="#{name}">{label}</a><small>{where}</small>'
            head = f'<h{level} id="{name}">{label}</h{level}>'
        prose = self.markdown(book.to_markdown(block.prose)) if block.prose else ""
        code = f'<div class="code"><pre>{pygments(block.code, "python")}</pre></div>'
        prose = f'<div class="prose">{ids}{head}{prose}</div>'
        return f'<section class="block {block.kind}">{prose}{code}</section>\n'

    # ---- Markdown ----

    def markdown(self, text):
        """HTML of Markdown text, its equation numbers and symbols linked."""
        tokens = self.md.parse(text)
        for i, token in enumerate(tokens):
            if token.type == "heading_open":
                self.anchor(token, tokens[i + 1])
            if token.type != "inline":
                continue
            insert = re.fullmatch(r"\[\[([\w-]+)\]\]", token.content)
            if insert:
                tokens[i - 1].type, tokens[i + 1].type = "html_block", "html_block"
                token.children = [raw(self.insert(insert[1]))]
            else:
                before = tokens[i - 1]
                top = before.type == "paragraph_open" and before.level == 0
                if before.type != "dt_open":  # a parameter may be called like a function
                    self.link(token, before if top else None)
        return self.md.renderer.render(tokens, self.md.options, {})

    def link(self, inline, paragraph):
        """Numbers in the text become links; a paragraph's first may be a definition."""
        children, inside = [], False
        for at, child in enumerate(inline.children):
            inside = child.type == "link_open" or (inside and child.type != "link_close")
            if child.type == "code_inline" and child.content in self.symbols and not inside:
                slug, anchor = self.symbols[child.content]
                name = html.escape(child.content)
                children.append(raw(f'<a href="{slug}.html{anchor}"><code>{name}</code></a>'))
                continue
            if child.type != "text" or inside:
                children.append(child)
                continue
            parts = re.split(rf"(?<!\w){book.NUMBER}", child.content)
            for number, (text, is_number) in enumerate(zip(parts, [False, True] * len(parts))):
                if not is_number:
                    children.append(Token("text", "", 0, content=text))
                    continue
                starts = at == 0 and number == 1 and not parts[0] and paragraph
                children.append(raw(self.number(text, paragraph if starts else None)))
        inline.children = children

    def number(self, number, paragraph):
        """(10) as the definition that its paragraph is, or as a link to it."""
        if number not in self.defined:
            print(f"page {self.slug}: no equation ({number}) is defined", file=sys.stderr)
            return f"({number})"
        slug = self.defined[number].slug
        href = f"{'' if slug == self.slug else f'{slug}.html'}#eq-{number}"
        if not paragraph or number in self.seen or self.slug not in (slug, "equations"):
            return f'<a class="mention" href="{href}">({number})</a>'
        self.seen.add(number)
        paragraph.attrs = {"class": "equation", "id": f"eq-{number}"}
        proof = (
            f'<a class="tested" href="equations.html#eq-{number}" title="tests of ({number})"'
            f' aria-label="proof: the tests of equation ({number})">proof</a>'
            if self.slug == slug and number in self.tests
            else ""
        )
        number = f'<a class="number" href="{href}">({number})</a>'
        return f'<span class="label">{number}{proof}</span>'

    def anchor(self, heading, inline):
        """An id for a heading, which links to itself."""
        name = book.anchor(inline.content)
        heading.attrs["id"] = name
        inline.children = [raw(f'<a href="#{name}">'), *inline.children, raw("</a>")]
        words = re.sub(r"[$`*\\]", "", inline.content)
        self.index.append([words, self.slug, f"{self.slug}.html#{name}"])

    def insert(self, name):
        """What stands for [[name]] in a page: a list, the README's commands, or a drawing."""
        if name == "reading-order":
            return "".join(map(self.listed, book.PARTS))
        if name == "equations":
            return self.proofs()
        if name == "playground":
            return (DOCS / "playground" / "page.html").read_text("utf-8")
        if name == "try-it":
            return TRY_IT if any(page.slug == "playground" for page in self.pages) else ""
        if name == "commands":
            readme = book.ROOT / "README.md"
            text = readme.read_text("utf-8") if readme.exists() else ""
            found = re.findall(r"<!-- (?:run|test) -->\s*```\w*\n(.*?)```", text, re.S)
            return "".join(f'<pre class="shell">{html.escape(each)}</pre>' for each in found)
        drawing = (DOCS / "figures" / f"{name}.svg").read_text("utf-8")
        return f'<figure class="scroll">{drawing}</figure>'

    def listed(self, part):
        """The pages of one part, each with its chapter, its module and its title."""
        rows = ""
        for page in self.pages:
            if page.part == part:
                number = "" if page.chapter is None else page.chapter
                name = f"<small>{number}</small>{page.slug}" if page.blocks else ""
                title = self.md.renderInline(page.title, {})
                rows += f'<li><a href="{page.slug}.html"><span>{name}</span>{title}</a></li>'
        return f'<h3 id="{part}">{book.PARTS[part]}</h3><ol class="reading {part}">{rows}</ol>'

    def proofs(self):
        """Every equation with the tests that bear its number, page by page."""
        pages, rows, slug = {page.slug: page for page in self.pages}, "", None
        for number, equation in self.defined.items():
            if equation.slug != slug:
                slug = equation.slug
                title = self.md.renderInline(pages[slug].title, {})
                title = f"<small>{pages[slug].kicker}</small>{title}"
                rows += f'<h2><a href="{slug}.html">{title}</a></h2>\n'
            tests, name = self.tests.get(number, []), equation.name
            line = f"<code>pytest -k eq{number}_</code>" if tests else ""
            line += f'<a href="{slug}.html#{name}"><code>{name}</code></a>' if name else ""
            rows += f'{self.markdown(equation.statement)}<div class="tests"><p>{line}</p>'
            rows += f"{''.join(map(folded, tests))}</div>\n"
        return rows

    def math(self, tokens, at, options, env):
        """A mark in place of the formula, which is kept for KaTeX."""
        display = tokens[at].type != "math_inline"
        self.formulas.append((self.slug, tokens[at].content.strip(), display))
        mark = f"\x02{len(self.formulas) - 1}\x03"
        return f'<span class="display">{mark}</span>' if display else mark

    def fence(self, tokens, at, options, env):
        """A code block, as a console session if it has prompts."""
        code, language = tokens[at].content, tokens[at].info or "python"
        language = "pycon" if code.lstrip().startswith(">>>") else language
        return f'<pre class="example">{pygments(code, language)}</pre>\n'


def folded(test):
    """A test's name, which opens to its source."""
    name, where = test.name.replace("_", "_<wbr>"), f"{test.file}:{test.line}"
    return (
        f"<details><summary><code>{name}</code> <small>{where}</small></summary>"
        f'<pre class="example">{pygments(test.source, "python")}</pre></details>\n'
    )


def pygments(code, language):
    """Highlighted HTML, in those of Pygments' short class names that style.css colours."""
    lexer = get_lexer_by_name(language, stripnl=False)
    text = highlight(code, lexer, HtmlFormatter(nowrap=True)).rstrip("\n")
    return re.sub(r'<span class="(?:n|nb|ne|nn|o|p|w|bp|vm)">(.*?)</span>', r"\1", text)


def raw(text):
    """A token of finished HTML."""
    return Token("html_inline", "", 0, content=text)


def plain(page):
    """A page's title without its math and code marks."""
    return html.escape(re.sub(r"[$`\\]", "", page.title))


TRY_IT = """<p class="try"><a href="playground.html">Train a GAN in your browser</a>, with
minigan itself: choose the data and the game, run it, stop it, break it.</p>"""
TEMPLATE = (DOCS / "page.html").read_text("utf-8")

if __name__ == "__main__":
    options = argparse.ArgumentParser(description="Build the book.")
    options.add_argument("out", nargs="?", default=DOCS / "_build", help="default docs/_build")
    options.add_argument(
        "--pyodide", metavar="FROM", help="folder or address of NumPy's wheel for Pyodide"
    )
    options.add_argument("--no-playground", action="store_false", dest="playground")
    main(**vars(options.parse_args()))
