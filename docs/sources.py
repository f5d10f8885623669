"""The papers and books that the text names, and the links to them.

Each is described once, in bibliography.json. A citation is written as authors write it,
"Goodfellow et al. (2014)", "Mirza & Osindero 2014", and is found by its names and its year.
"""

import html
import json
import re
from pathlib import Path

KEPT = Path(__file__).with_name("bibliography.json")
WORKS = json.loads(KEPT.read_text("utf-8"))
YEAR = r"(?:19|20)\d\d"
LIKE_ONE = re.compile(rf"\b[A-Z]\w+(?:,? (?:&|and) [A-Z]\w+| et al\.)?,?\s+\(?{YEAR}\b")


def names(authors):
    """All the ways in which the authors of a work may be called, the longest first."""
    if len(authors) < 3:
        return [" & ".join(authors)]
    return [f"{', '.join(authors[:-1])} & {authors[-1]}", f"{authors[0]} et al."]


def pattern(work):
    """What cites a work: its authors and its year, in brackets or not, on one line or two."""
    called = "|".join(re.escape(name).replace(r"\ ", r"\s+") for name in names(work["authors"]))
    return rf"\b(?:{called}),?\s+(?:\({work['year']}\)|\(?{work['year']}\b)"


PATTERNS = [(work, re.compile(pattern(work))) for work in WORKS]


def cited(text):
    """[(piece of the text, the work that it cites or None)], the pieces in order."""
    found = []
    for work, regex in PATTERNS:
        found += [(match.start(), match.end(), work) for match in regex.finditer(text)]
    pieces, at = [], 0
    for start, end, work in sorted(found, key=lambda each: each[0]):
        pieces += [(text[at:start], None), (text[start:end], work)]
        at = end
    return [*pieces, (text[at:], None)]


def link(text, work):
    """HTML of a citation."""
    title = html.escape(work["title"])
    return f'<a class="cite" href="{work["url"]}" title="{title}">{html.escape(text)}</a>'


def unknown(text):
    """What looks like a citation and is of no work in the bibliography."""
    return LIKE_ONE.findall("".join(piece for piece, work in cited(text) if not work))


def listed(citing):
    """HTML of the whole bibliography.

    citing : {address of a work: {slug of a page: its title}} of the pages that cite it
    """
    rows = ""
    for work in WORKS:
        title, authors = html.escape(work["title"]), html.escape(names(work["authors"])[0])
        pages = citing.get(work["url"], {}).items()
        where = ", ".join(f'<a href="{slug}.html">{page}</a>' for slug, page in pages)
        rows += (
            f'<li><a class="cite" href="{work["url"]}">{title}</a><br>{authors} '
            f"({work['year']})<br><small>{where}</small></li>\n"
        )
    return f'<ul class="works">{rows}</ul>'
