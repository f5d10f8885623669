"""What the book is made of: the modules' docstrings and lines, and the hand-written pages.

A module becomes a page of blocks: its head, then each class head, method and function.
A block's prose is the docstring, and its code is the very lines of the file without the
docstring, so neither can drift from what runs. An equation is defined by the first paragraph,
in reading order, that starts with its number, "(10) …"; anywhere else the number is a mention.
A test proves the equations that its name bears, as `test_eq10_eq11_…` does.
"""

import ast
import re
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE, PAGES, TESTS = ROOT / "minigan", ROOT / "docs" / "pages", ROOT / "tests"
LAB = PACKAGE / "lab"
NUMBER = r"\((T?\d{1,2}[a-z]?)\)"
DEFS = ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef
PARTS = {"book": "The book", "theory": "The theory", "proof": "The proof"}
PARTS |= {"course": "For a class", "ground": "Groundwork", "lab": "The lab"}
PARTS |= {"playground": "The playground", "sources": "Sources"}
GROUND = "errors", "arrays"  # what every chapter stands on, and nobody need read first

EQUATIONS = """Each numbered equation is evaluated by at least one test, and the test bears its
number in its name. So `pytest -k eq10_` runs whatever proves equation (10). Below, each
equation is followed by its tests; a number leads back to the place where it is derived.

[[equations]]
"""
SOURCES = """What the book builds on, each with the pages that name it.

[[sources]]
"""


@dataclass
class Block:
    names: list  # [] for the module, ["Dense", "Dense.__init__", "Dense.forward"], ["Dense.dx"]
    kind: str  # module, class, function or method
    prose: str
    lines: dict  # {line number: line}, the docstring left out

    @property
    def code(self):
        return "\n".join(self.lines.values())


@dataclass
class Page:
    slug: str
    part: str  # front, or one of PARTS
    title: str
    chapter: int | None = None
    file: str = ""  # of a module, such as minigan/game.py
    blocks: list = field(default_factory=list)
    text: str = ""  # Markdown: the whole page, or what follows the blocks

    @property
    def short(self):
        """The title up to its first comma, for lists."""
        return re.split(r"[,.:;]", self.title)[0]

    @property
    def kicker(self):
        """What stands above the title: "Chapter 6", or the part of the book."""
        return PARTS.get(self.part, "") if self.chapter is None else f"Chapter {self.chapter}"


@dataclass
class Equation:
    slug: str  # of the page that defines it
    name: str  # of the class or function that defines it, "" where it has none
    statement: str  # Markdown: the paragraph that starts with its number


@dataclass
class Test:
    file: str  # test_games.py
    name: str
    line: int
    source: str


def read():
    """All pages in reading order."""
    files = [*sorted(PACKAGE.glob("*.py")), *sorted(LAB.rglob("*.py"))]
    modules = [module(path) for path in files if not path.stem.startswith("__")]
    modules.sort(key=lambda page: (page.chapter is None, page.chapter or 0))
    pictures = written(PAGES / "pictures.md", "book")
    pictures.chapter = 0
    theory = [written(path, "theory") for path in sorted(PAGES.glob("theory-*.md"))]
    proof = [Page("equations", "proof", "Every equation and its tests", text=EQUATIONS)]
    proof += [written(path, "proof") for path in PAGES.glob("bug-zoo.md")]
    return [
        *(written(path, "front") for path in PAGES.glob("index.md")),
        pictures,
        *(page for page in modules if page.part == "book"),
        *theory,
        *proof,
        *(written(path, "course") for path in PAGES.glob("course.md")),
        *(page for page in modules if page.part == "ground"),
        *(written(path, "lab") for path in PAGES.glob("own-data.md")),
        *(page for page in modules if page.part == "lab"),
        Page("sources", "sources", "Papers and books", text=SOURCES),
    ]


def playground():
    """The page that trains; it stands after all others, if its parts can be had."""
    return written(PAGES / "playground.md", "playground")


def anchor(heading):
    """The id of a heading on its page."""
    return re.sub(r"\W+", "-", re.sub(r"\$[^$]*\$", "", heading).lower()).strip("-")


def definitions(pages):
    """{number: Equation} in reading order, the chapters of the book and the lab first."""
    found = {}
    for page in sorted(pages, key=lambda page: page.chapter is None):
        prose = [("".join(b.names[:1]), to_markdown(b.prose)) for b in page.blocks]
        for name, text in [*prose, ("", page.text)]:
            for paragraph in re.split(r"\n[ \t]*\n", text):
                number = re.match(rf"\s*{NUMBER}\s", paragraph)
                if number:
                    found.setdefault(number[1], Equation(page.slug, name, paragraph.strip()))
    return found


def in_tests():
    """{number: the tests that bear it in their names}, such as test_eq19_eq20_…"""
    found = {}
    for path in sorted(TESTS.glob("test_*.py")):
        source = path.read_text("utf-8")
        lines = source.splitlines()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                first = min(n.lineno for n in (node, *node.decorator_list))
                code = textwrap.dedent("\n".join(lines[first - 1 : node.end_lineno]))
                for number in re.findall(r"(?<=_)eq(T?\d+[a-z]?)(?=_)", node.name):
                    test = Test(path.name, node.name, node.lineno, code)
                    found.setdefault(number, []).append(test)
    return found


def placed(text):
    """({block: Markdown}, the rest) of a chapter's page.

    "[[before NAME]]" begins a derivation that stands before the block of that name. It ends at
    the next one, or where a section begins.
    """
    parts = re.split(r"^\[\[before ([\w.]+)\]\]\n|^(?=## )", text, flags=re.M)
    before, rest = {}, parts[0]
    for name, part in zip(parts[1::2], parts[2::2]):
        if name:
            before[name] = part.strip()
        else:
            rest += part
    return before, rest


def written(path, part):
    """A page of its own from a Markdown file that starts with "# Title"."""
    title, _, text = path.read_text("utf-8").partition("\n")
    return Page(path.stem, part, title.removeprefix("# "), text=text)


def module(path):
    """The page of a module: its blocks, then the Markdown page of the same name, if any."""
    blocks = split(path.read_text("utf-8"))
    head, _, blocks[0].prose = blocks[0].prose.partition("\n\n")
    head = " ".join(head.split()).rstrip(".")
    chapter = re.match(r"Chapter (\d+)\. ", head)
    extra = PAGES / f"{path.stem}.md"
    inner = path.parent.name if path.parent not in (PACKAGE, LAB) else ""
    return Page(
        f"{inner}-{path.stem}" if inner else path.stem,
        "lab" if LAB in path.parents else "ground" if path.stem in GROUND else "book",
        head[chapter.end() :] if chapter else head,
        int(chapter[1]) if chapter else None,
        path.relative_to(ROOT).as_posix(),
        blocks,
        extra.read_text("utf-8") if extra.exists() else "",
    )


def split(source):
    """The blocks of a module's source; together they hold every line of it, in order.

    What has no docstring of its own (`__init__`, `forward`, a constant) joins the block above.
    """
    source_lines, tree = source.splitlines(), ast.parse(source)
    blocks = []

    def above(node):
        """The first line of a definition: that of its comments and decorators."""
        line = min([node.lineno] + [decorator.lineno for decorator in node.decorator_list])
        while line > 1 and re.match(r"\s*(#|$)", source_lines[line - 2]):
            line -= 1
        return line

    def add(node, kind, name, first, last):
        """A block for lines first … last, or more lines for the block above."""
        doc = ast.get_docstring(node) if node else None
        lines = {i: source_lines[i - 1] for i in range(first, last + 1)}
        if doc:
            start, end = node.body[0].lineno, node.body[0].end_lineno
            blank = end < last and not source_lines[end].strip()
            lines = {i: line for i, line in lines.items() if not start <= i <= end + blank}
        if doc or not blocks:
            blocks.append(Block([], kind, doc or "", {}))
        blocks[-1].names += [name] if name else []
        blocks[-1].lines |= lines

    def cut(node, kind, name, first, last):
        """A block for the head of a module or class, then one for each definition in it."""
        inner = [child for child in node.body if isinstance(child, DEFS)]
        starts = [above(child) for child in inner] + [last + 1]
        add(node, kind, name, first, starts[0] - 1)
        for child, start, following in zip(inner, starts, starts[1:]):
            end, qualified = child.end_lineno, f"{name}.{child.name}".lstrip(".")
            if isinstance(child, ast.ClassDef):
                cut(child, "class", qualified, start, end)
            else:
                add(child, "method" if name else "function", qualified, start, end)
            add(None, "", "", end + 1, following - 1)

    cut(tree, "module", "", 1, len(source_lines))
    for block in blocks:  # blank lines at either end
        numbers = [i for i, line in block.lines.items() if line.strip()]
        between = range(numbers[0], numbers[-1] + 1) if numbers else ()
        block.lines = {i: line for i, line in block.lines.items() if i in between}
    return blocks


def to_markdown(doc):
    """A docstring as Markdown.

    Lines "name : what" become a definition list, lines that start with "Shapes:" or "Source:"
    become paragraphs, and a formula comes to stand on one line, where its + is no list.
    """
    doc = re.sub(r"(?<!\$)\$[^$]+\$", lambda formula: formula[0].replace("\n", " "), doc)
    doc = re.sub(r"^(\w+)\n-{3,}\n", r"**\1**\n\n", doc, flags=re.M)
    doc = re.sub(r"\n(?=(?:Shapes|Sources?): )", "\n\n", doc)
    entry = r"[*\w][*\w, ]* : .+(?:\n[ \t]+\S.*)*\n?"

    def listed(match):
        parts = re.findall(r"^([*\w][*\w, ]*) : (.+(?:\n[ \t]+\S.*)*)", match[0], re.M)
        return "\n" + "\n".join(
            ", ".join(f"`{n.strip()}`" for n in names.split(","))
            + "\n: "
            + " ".join(what.split())
            + "\n"
            for names, what in parts
        )

    return re.sub(rf"(?<![^\n])(?:{entry})+", listed, doc)
