"""Draws the measured figures of the book, from the very numbers that its pages print:
python docs/figures.py

The examples of a page are run. They leave a list called `rows`, each row being x and then one
value for each curve. It is drawn as an SVG in the site's colours and kept in docs/figures.
"""

import doctest
import math
import re

import book

FIGURES = book.ROOT / "docs" / "figures"
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 300, 70, 150, 20, 50


def run(slug):
    """{name: value} of everything that the examples of a page have defined."""
    text = (book.PAGES / f"{slug}.md").read_text("utf-8")
    blocks = re.findall(r"^```python\n(>>> .*?)^```", text, re.S | re.M)
    names = {}
    for example in doctest.DocTestParser().get_examples("\n".join(blocks)):
        exec(compile(example.source, slug, "single"), names)
    return names


def draw(title, x_label, x, curves, low, high):
    """An SVG of the curves, {label: (class, values)}, over x.

    The axis of values is logarithmic, from 10^low to 10^high.
    """

    def point(a, b):
        across = (a - x[0]) / (x[-1] - x[0]) * (WIDTH - LEFT - RIGHT)
        up = (math.log10(b) - low) / (high - low) * (HEIGHT - TOP - BOTTOM)
        return f"{LEFT + across:.1f} {HEIGHT - BOTTOM - up:.1f}"

    parts = []
    for power in range(low, high + 1):
        at = point(x[0], 10**power).split()[1]
        label = f"{10.0**power:g}"
        parts.append(f'<path class="grid" d="M{LEFT} {at}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 10}" y="{at}" dy="5" text-anchor="end">{label}</text>')
    for a in x:
        at = point(a, 10**low).split()[0]
        parts.append(f'<text x="{at}" y="{HEIGHT - 26}" text-anchor="middle">{a}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 4}" text-anchor="middle">{x_label}</text>')
    for label, (cls, values) in curves.items():
        points = [point(a, b) for a, b in zip(x, values)]
        parts.append(f'<path class="{cls}" d="M{"L".join(points)}"/>')
        at, height = points[-1].split()
        parts.append(
            f'<text class="{cls}" x="{float(at) + 10}" y="{height}" dy="5">{label}</text>'
        )
    body = "\n".join(parts)
    return f"""<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">
<title>{title}</title>
{body}
</svg>
"""


def stall():
    """The length of the generator's gradient under both losses, while D learns."""
    steps, _, minimax, non_saturating = zip(*run("theory-2-stalling")["rows"])
    curves = {"non-saturating": ("data", non_saturating), "minimax": ("delta", minimax)}
    title = "Length of the generator's gradient while the discriminator learns"
    return draw(title, "steps of the discriminator", steps, curves, -3, 1)


MEASURED = {"stall": stall}

if __name__ == "__main__":
    for name, figure in MEASURED.items():
        (FIGURES / f"{name}.svg").write_text(figure(), "utf-8")
