"""What the book is made of: the modules' docstrings and lines, and the hand-written pages.

A module becomes a page of blocks: its head, then each class head, method and function.
A block's prose is the docstring, its code the very lines of the file without the docstring,
so neither can drift from what runs. An equation is defined by the first paragraph, in
reading order, that starts with its number, "(9) …"; anywhere else the number is a mention.
"""

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE, PAGES = ROOT / "minigan", ROOT / "docs" / "pages"
NUMBER = r"\((T?\d{1,2}[a-z]?)\)"
DEFINITION = re.compile(rf"(?:\A|\n[ \t]*\n){NUMBER}(?=\s)")
DEFS = ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef


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
    part: str  # front, chapter, theory or module
    title: str
    kicker: str
    blocks: list = field(default_factory=list)
    text: str = ""  # Markdown: the whole page, or what follows the blocks

    def prose(self):
        return [block.prose for block in self.blocks] + [self.text]


def read():
    """All pages in reading order: front, chapters, theory, the remaining modules."""
    hidden = ("__init__", "__main__", "version")
    modules = [module(p) for p in sorted(PACKAGE.glob("*.py")) if p.stem not in hidden]
    chapters = [page for page in modules if page.part == "chapter"]
    chapters.sort(key=lambda page: (int(re.search(r"\d+", page.kicker)[0]), page.slug))
    theory = [written(path, "theory") for path in sorted(PAGES.glob("theory-*.md"))]
    theory += [written(path, "proof") for path in PAGES.glob("bug-zoo.md")]
    front = [written(path, "front") for path in PAGES.glob("index.md")]
    return front + chapters + theory + [page for page in modules if page.part == "module"]


def definitions(pages):
    """{number: slug of the page that defines it}, in reading order."""
    found = {}
    for page in pages:
        for prose in page.prose():
            for number in DEFINITION.findall(prose):
                found.setdefault(number, page.slug)
    return found


def written(path, part):
    """A page of its own from a Markdown file that starts with "# Title"."""
    title, _, text = path.read_text("utf-8").partition("\n")
    return Page(path.stem, part, title.removeprefix("# "), part.capitalize(), text=text)


def module(path):
    """The page of a module: its blocks, then the Markdown page of the same name, if any."""
    source = path.read_text("utf-8")
    blocks = split(source)
    head, _, blocks[0].prose = blocks[0].prose.partition("\n\n")
    head = " ".join(head.split()).rstrip(".")
    chapter = re.match(r"Chapter (\d+)\. ", head)
    extra = PAGES / f"{path.stem}.md"
    return Page(
        path.stem,
        "chapter" if chapter else "module",
        head[chapter.end() :] if chapter else head,
        f"Chapter {chapter[1]}" if chapter else "Module",
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
    """A docstring as Markdown: "name : what" lines become a definition list, and
    the lines that start with "Shapes:" or "Source:" paragraphs."""
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
