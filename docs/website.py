"""Every page's HTML: prose beside the lines that it explains, links, sidebar, search text."""

import ast
import html
import re
import sys
from pathlib import Path

import book
import openings
import sources
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.deflist import deflist_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

DOCS = Path(__file__).resolve().parent
ASIDE = "proof", "ground", "lab"  # parts whose pages the search names after the others
LONG = 40  # characters of a line of code, above which it may have to be broken


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
        self.chapters = {page.chapter: page for page in pages if page.chapter is not None}
        # For the search: the symbols and the equations by name, and the text of every section.
        self.names = [
            [name, "symbol", f"{slug}.html{at}"]
            for name, (slug, at) in self.symbols.items()
            if "._" not in name
        ]
        self.names += [
            [f"({number})", "equation", f"{equation.slug}.html#eq-{number}"]
            for number, equation in self.defined.items()
        ]
        self.texts, self.citing = [], {}
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
        self.slug, self.title, self.sections = page.slug, self.inline(page.title), []
        self.seen, self.deriving, before = set(), False, len(self.formulas)
        self.weight = 0.5 if page.part in ASIDE else 1.5 if page.chapter == 0 else 1
        derivations, text = book.placed(page.text) if page.blocks else ({}, page.text)
        self.section(page.title, "")
        content = ""
        for block in page.blocks:
            for name in block.names:
                content += self.derivation(name, derivations.pop(name, ""))
            content += self.block(block)
        if derivations:
            left = ", ".join(derivations)
            print(f"page {page.slug}: no block is called {left}", file=sys.stderr)
        text = self.markdown(text) if text.strip() else ""
        if page.blocks and text:
            text = f'<article class="after">{text}</article>'
        return TEMPLATE.format(
            title=html.escape("minigan" if page.part == "front" else f"{page.title} · minigan"),
            part=page.part + " text" * (not page.blocks and page.part != "playground"),
            slug=page.slug,
            kicker=html.escape(" · ".join(filter(None, [page.kicker, page.file]))),
            heading=self.inline(page.title),
            content=content + text,
            formulas=len(self.formulas) - before,
            sidebar=self.sidebar(page),
            links=self.neighbours(page),
        )

    def neighbours(self, page):
        """The links at the foot of a page: to the one before it and to the one after it."""
        at = self.pages.index(page)
        near = {"prev": self.pages[at - 1] if at else None}
        near["next"] = self.pages[at + 1] if at + 1 < len(self.pages) else None
        where = {"prev": "Before", "next": "Next"}
        if page.part == "front":  # who knows what a GAN is begins with chapter 1
            near = {"prev": self.chapters[0], "next": self.chapters[1]}
            where["prev"] = "New to it? In pictures"
        return "".join(
            f'<a rel="{rel}" href="{p.slug}.html">'
            f"<small>{where[rel]}{' · ' * bool(p.kicker)}{p.kicker}</small>{plain(p.title)}</a>"
            if p
            else "<span></span>"
            for rel, p in near.items()
        )

    def sidebar(self, page):
        """All pages, part by part, and under the present one its sections."""
        rows = ""
        for part, title in book.PARTS.items():
            items = ""
            for each in self.pages:
                if each.part == part:
                    items += self.entry(each, page)
            here = " open" if part in (page.part, "book") else ""
            if items:
                rows += f"<details{here}><summary>{title}</summary><ul>{items}</ul></details>"
        return rows

    def entry(self, each, page):
        """One page in the sidebar."""
        number = "" if each.chapter is None else f"<small>{each.chapter}</small>"
        here, inner = "", ""
        if each is page:
            here = ' aria-current="page"'
            inner = "".join(
                f'<li><a href="#{anchor}">{name}</a></li>' for name, anchor in self.sections
            )
            inner = f"<ul>{inner}</ul>" if inner else ""
        name = f"{number}<span>{plain(each.short)}</span>"
        return f'<li><a href="{each.slug}.html"{here}>{name}</a>{inner}</li>'

    def section(self, title, anchor):
        """What follows is text of a section, for the search."""
        href = f"{self.slug}.html{'#' * bool(anchor)}{anchor}"
        page = plain(next(page for page in self.pages if page.slug == self.slug).title)
        self.texts.append(
            {"id": len(self.texts), "title": words(title), "page": html.unescape(page)}
            | {"href": href, "text": "", "weight": self.weight}
        )

    def derivation(self, name, text):
        """A row of its own above the block of that name: the derivation of what it states."""
        if not text:
            return ""
        anchor = f"derivation-{name}"
        self.section(f"{name}, derived", anchor)
        self.deriving = True  # what its paragraphs begin with are mentions
        content, self.deriving = self.markdown(text), False
        label = f'<p class="kicker"><a href="#{anchor}">{name}, derived</a></p>'
        return f'<section class="derivation" id="{anchor}">{label}{content}</section>\n'

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
            self.section(" ".join(block.names), name)
            if level == 2 and name[0] != "_":
                self.sections.append((f"<code>{name}</code>", name))
        prose = self.markdown(book.to_markdown(block.prose)) if block.prose else ""
        prose = f'<div class="prose">{ids}{head}{prose}</div>'
        if block.kind == "module":
            return self.opening(block, prose)
        code = f'<div class="code"><pre>{pygments(block.code, "python")}</pre></div>'
        return f'<section class="block {block.kind}">{prose}{code}</section>\n'

    def opening(self, block, prose):
        """The first row of a chapter: what it is about, its figure, and its imports folded."""
        imports, rest = parted(block.code)
        name, caption = openings.OPENINGS.get(self.slug, ("", ""))
        beside = self.drawing(name, caption) if name else ""
        if imports:
            lines = f"<pre>{pygments(imports, 'python')}</pre>"
            beside += f'<details class="imports"><summary>imports</summary>{lines}</details>'
        if rest:
            beside += f"<pre>{pygments(rest, 'python')}</pre>"
        alone = "" if name or rest else " alone"
        alone += "" if block.prose else " bare"
        return (
            f'<section class="block module{alone}">{prose}<div class="code">{beside}</div>'
            "</section>\n"
        )

    # ---- Markdown ----

    def markdown(self, text):
        """HTML of Markdown text, its equation numbers and symbols linked."""
        tokens = self.md.parse(text)
        for i, token in enumerate(tokens):
            if token.type == "heading_open":
                self.anchor(token, tokens[i + 1])
            if token.type != "inline":
                continue
            insert = re.fullmatch(r"\[\[([\w-]+)(?:: (.+))?\]\]", token.content, re.S)
            if insert:
                tokens[i - 1].type, tokens[i + 1].type = "html_block", "html_block"
                token.children = [raw(self.insert(*insert.groups()))]
            else:
                if tokens[i - 1].type != "heading_open" and self.slug not in ("equations",):
                    self.texts[-1]["text"] += words(token.content) + " "
                before = tokens[i - 1]
                top = before.type == "paragraph_open" and before.level == 0
                if before.type != "dt_open":  # a parameter may be called like a function
                    self.link(token, before if top else None)
        return self.md.renderer.render(tokens, self.md.options, {})

    def link(self, inline, paragraph):
        """Numbers in the text become links; a paragraph's first may be a definition."""
        children, inside = [], False
        for at, child in enumerate(joined(inline.children)):
            inside = child.type == "link_open" or (inside and child.type != "link_close")
            if child.type == "code_inline" and child.content in self.symbols and not inside:
                slug, anchor = self.symbols[child.content]
                name = html.escape(child.content)
                children.append(raw(f'<a href="{slug}.html{anchor}"><code>{name}</code></a>'))
                continue
            if child.type != "text" or inside:
                children.append(child)
                continue
            for piece, work in sources.cited(child.content):
                if work:
                    self.citing.setdefault(work["url"], {})[self.slug] = self.title
                    children.append(raw(sources.link(piece, work)))
                    continue
                first = at == 0 and child.content.startswith(piece)
                children += self.numbers(piece, paragraph if first else None)
            for citation in sources.unknown(child.content):
                print(f"page {self.slug}: {citation} is in no bibliography", file=sys.stderr)
        inline.children = children

    def numbers(self, text, paragraph):
        """The text with links in place of "(10)" and "chapter 3"; the first may be defined."""
        regex = r"((?<!\w)\(T?\d{1,2}[a-z]?\)|\b[Cc]hapter \d+\b)"  # book.NUMBER in one group
        children = []
        for i, part in enumerate(re.split(regex, text)):
            if i % 2 == 0:
                children.append(Token("text", "", 0, content=part))
            elif part[0] == "(":
                starts = paragraph and i == 1 and text.startswith(part) and not self.deriving
                children.append(raw(self.number(part[1:-1], paragraph if starts else None)))
            else:
                page = self.chapters.get(int(part.split()[1]))
                href = f'<a href="{page.slug}.html">{part}</a>' if page else part
                children.append(raw(href if page and page.slug != self.slug else part))
        return children

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
        self.section(inline.content, name)
        if heading.tag == "h2":
            self.sections.append((plain(inline.content), name))

    def inline(self, text):
        """HTML of one line of Markdown."""
        return self.md.renderInline(text, {})

    def insert(self, name, caption=None):
        """What stands for [[name]] in a page: a list, the README's commands, or a drawing.

        A drawing may have a caption, [[name: caption]].
        """
        if name == "reading-order":
            return "".join(map(self.listed, book.PARTS))
        if name == "equations":
            return self.proofs()
        if name == "sources":
            return sources.listed(self.citing)
        if name == "playground":
            return (DOCS / "playground" / "page.html").read_text("utf-8")
        if name == "try-it":
            return TRY_IT if any(page.slug == "playground" for page in self.pages) else ""
        if name == "commands":
            readme = book.ROOT / "README.md"
            text = readme.read_text("utf-8") if readme.exists() else ""
            found = re.findall(r"<!-- (?:run|test) -->\s*```\w*\n(.*?)```", text, re.S)
            return "".join(f'<pre class="shell">{html.escape(each)}</pre>' for each in found)
        return self.drawing(name, caption)

    def drawing(self, name, caption):
        """A figure: its drawing, and its caption if there is one."""
        drawing = (DOCS / "figures" / f"{name}.svg").read_text("utf-8")
        if caption:
            inline = self.md.parseInline(caption)[0]
            self.link(inline, None)
            self.texts[-1]["text"] += words(caption) + " "
            caption = self.md.renderer.render([inline], self.md.options, {})
            caption = f"<figcaption>{caption}</figcaption>"
        return f'<figure class="scroll" id="figure-{name}">{drawing}{caption or ""}</figure>'

    def listed(self, part):
        """The pages of one part, each with its chapter, its module and its title."""
        rows = ""
        for page in self.pages:
            if page.part == part:
                number = "" if page.chapter is None else page.chapter
                name = ""
                if page.blocks or page.chapter is not None:
                    name = f"<small>{number}</small>{page.slug}"
                title = self.inline(page.title)
                line = f"<span>{name}</span><span>{title}</span>"
                rows += f'<li><a href="{page.slug}.html">{line}</a></li>'
        if not rows:  # the book was built without its playground
            return ""
        return f'<h3 id="{part}">{book.PARTS[part]}</h3><ol class="reading {part}">{rows}</ol>'

    def proofs(self):
        """Every equation with the tests that bear its number, page by page."""
        pages, rows, slug = {page.slug: page for page in self.pages}, "", None
        for number, equation in self.defined.items():
            if equation.slug != slug:
                slug = equation.slug
                title = self.inline(pages[slug].title)
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
    text = re.sub(r'<span class="(?:n|nb|ne|nn|o|p|w|bp|vm)">(.*?)</span>', r"\1", text)
    lines = zip(text.split("\n"), code.rstrip("\n").split("\n"))
    return "".join(breakable(line, code) for line, code in lines).rstrip("\n")


def breakable(line, code):
    """A line of HTML that, where it is too long for its column, goes on a little further in."""
    if len(code) <= LONG:
        return line + "\n"
    indent = len(code) - len(code.lstrip(" .>"))
    return f'<span class="line" style="--in:{indent}">{line}\n</span>'


def parted(code):
    """(the imports of a module, what else stands at its head)."""
    lines, imports = code.split("\n"), set()
    for node in ast.parse(code).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            imports |= set(range(node.lineno - 1, node.end_lineno))
    rest = [line for i, line in enumerate(lines) if i not in imports]
    first = [line for i, line in enumerate(lines) if i in imports]
    return "\n".join(first), "\n".join(rest).strip("\n")


def joined(children):
    """The tokens, with texts on either side of a line's end made one."""
    found = []
    for child in children:
        text = "\n" if child.type == "softbreak" else child.content
        if child.type in ("text", "softbreak") and found and found[-1].type == "text":
            found[-1].content += text
        else:
            found.append(child)
    return found


def words(markdown):
    """The words of Markdown, without its formulas and marks, for the search."""
    text = re.sub(r"\$+[^$]*\$+", "…", markdown)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return " ".join(re.sub(r"[*`\\]", "", text).split())


def raw(text):
    """A token of finished HTML."""
    return Token("html_inline", "", 0, content=text)


def plain(title):
    """A title without its math and code marks."""
    return html.escape(re.sub(r"[$`*\\]", "", title))


TRY_IT = """<p class="try"><a href="playground.html">Train a GAN in your browser</a>, with
minigan itself: choose the data and the game, run it, stop it, break it.</p>"""
TEMPLATE = (DOCS / "page.html").read_text("utf-8")
