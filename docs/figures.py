"""The measured figures of the book, from the very numbers that its pages print.

The examples of a page are run, and what they leave is drawn. `draw` keeps the drawings, and
those of the other files, in docs/figures.
"""

import doctest
import re

import book
from drawing import Drawing, Panel

FIGURES = book.ROOT / "docs" / "figures"


def run(slug):
    """{name: value} of everything that the examples of a page have defined."""
    text = (book.PAGES / f"{slug}.md").read_text("utf-8")
    blocks = re.findall(r"^```python\n(>>> .*?)^```", text, re.S | re.M)
    names = {}
    for example in doctest.DocTestParser().get_examples("\n".join(blocks)):
        exec(compile(example.source, slug, "single"), names)
    return names


def stall():
    """The length of the generator's gradient under both losses, while D learns."""
    steps, _, minimax, non_saturating = zip(*run("theory-2-stalling")["rows"])
    drawing = Drawing(480, 262)
    panel = Panel(drawing, (66, 16, 270, 190), (0, 1000), (1e-3, 10), "y")
    ticks = {10: "10", 1: "1", 0.1: "0.1", 0.01: "0.01", 0.001: "0.001"}
    panel.axes({s: f"{s:,}" for s in steps}, ticks, "steps of the discriminator")
    drawing.text(15, 111, "length of G's gradient", turned=True)
    for cls, name, values in (
        ("data", "non-saturating (23)", non_saturating),
        ("delta", "minimax (24)", minimax),
    ):
        panel.curve(cls, steps, values)
        panel.dots(cls, zip(steps, values), 3)
        panel.text(1000, values[-1], name, cls, dx=10)
    return drawing.svg(
        "Length of the generator's gradient while the discriminator learns",
        "On a logarithmic axis. Both losses start with a gradient of about 0.6. In 1,000 "
        "steps of the discriminator that of the minimax loss falls to 0.005, and that of the "
        "non-saturating loss grows to 7.",
    )


def plane(box, across, up, ticks, labels):
    """(lines of SVG, a function from a point to "x y"): axes with ticks in a box of pixels.

    box : left, top, width, height; across and up : the lowest and the highest value
    """
    left, top, width, height = box

    def point(a, b):
        x = left + (a - across[0]) / (across[1] - across[0]) * width
        return f"{x:.1f} {top + (up[1] - b) / (up[1] - up[0]) * height:.1f}"

    parts = []
    for a, b, dx, dy, anchor in (
        *((a, up[0], 0, 18, "middle") for a in ticks if across[0] <= a <= across[1]),
        *((across[0], b, -8, 5, "end") for b in ticks if up[0] <= b <= up[1]),
    ):
        x, y = point(a, b).split()
        line = f"M{x} {y}v{-height}" if anchor == "middle" else f"M{x} {y}h{width}"
        parts.append(f'<path class="grid" d="{line}"/>')
        number = f"{a if anchor == 'middle' else b:g}".replace("-", "−")
        parts.append(
            f'<text x="{x}" y="{y}" dx="{dx}" dy="{dy}" text-anchor="{anchor}">{number}</text>'
        )
    x, y = left + width / 2, top + height + 36
    parts.append(f'<text x="{x:g}" y="{y:g}" text-anchor="middle">{labels[0]}</text>')
    x, y = left - 40, top + height / 2
    turned = f'transform="rotate(-90 {x:g} {y:g})" ' if len(labels[1]) > 1 else ""
    parts.append(
        f'<text {turned}x="{x:g}" y="{y:g}" dy="5" text-anchor="middle">{labels[1]}</text>'
    )
    return parts, point


def svg(title, about, width, height, parts):
    """A whole drawing, with its title and a description for those who cannot see it."""
    body = "\n".join(parts)
    box = f'viewBox="0 0 {width} {height}"'
    return f"""<svg class="plot large" {box} role="img" aria-label="{title}">
<title>{title}</title>
<desc>{about}</desc>
{body}
</svg>
"""


def dirac_paths():
    """The paths of four games of two numbers, each in a plane of its own."""
    parts, classes = [], ("delta", "tangent", "delta", "data")
    for i, (name, path) in enumerate(run("theory-7-convergence")["paths"].items()):
        left, top = 60 + 320 * (i % 2), 34 + 320 * (i // 2)
        box = left, top, 240, 240
        lines, point = plane(box, (-2.4, 2.4), (-2.4, 2.4), (-2, -1, 0, 1, 2), ("θ", "ψ"))
        cls, (x, y) = classes[i], point(0, 0).split()
        begin, end = (point(*path[at]).split() for at in (0, -1))
        parts += [
            *lines,
            f'<text class="name" x="{left + 120}" y="{top - 12}" text-anchor="middle">'
            f"{name}</text>",
            f'<path class="{cls}" d="M{"L".join(point(*at) for at in path)}"/>',
            f'<circle class="{cls} dot" cx="{begin[0]}" cy="{begin[1]}" r="4.5"/>',
            f'<circle class="{cls}" cx="{end[0]}" cy="{end[1]}" r="5"/>',
            f'<path class="ink" d="M{x} {y}m-5 -5l10 10m0 -10l-10 10"/>',
        ]
    about = (
        "Four planes of the generator's number θ and the discriminator's ψ. The WGAN played "
        "simultaneously spirals out from the equilibrium at the origin; played in turn it "
        "stays on an ellipse; WGAN-GP keeps to a cycle around the origin; R3GAN spirals in."
    )
    return svg("Paths of four games of two numbers", about, 640, 640, parts)


def dirac_eigenvalues():
    """The eigenvalues of an iteration of the GAN with R1 in the complex plane."""
    box, ticks = (60, 16, 504, 420), (-1.5, -1, -0.5, 0, 0.5, 1)
    parts, point = plane(
        box, (-1.6, 1.4), (-1.25, 1.25), ticks, ("real part", "imaginary part")
    )
    x, y = point(0, 0).split()
    radius = 504 / 3.0
    gammas = [i / 100 for i in range(101)]
    for side in (1, -1):  # 1 - λ by (T30)
        arc = [point(1 - g / 2, side * (1 - g * g) ** 0.5 / 2) for g in gammas]
        parts.append(f'<path class="soft" d="M{"L".join(arc)}"/>')
    parts.append(f'<path class="soft" d="M{point(-1.55, 0)}L{point(1, 0)}"/>')
    parts.append(f'<circle class="data" cx="{x}" cy="{y}" r="{radius:.1f}"/>')
    for gamma, found in run("theory-7-convergence")["roots"].items():
        pair = sorted(found, key=lambda root: (root.imag, -root.real))
        for root in pair:
            x, y = map(float, point(root.real, root.imag).split())
            cls = "tangent" if max(map(abs, pair)) < 1 - 1e-9 else "delta"
            parts.append(f'<circle class="{cls} dot" cx="{x}" cy="{y}" r="5"/>')
        x, y = map(float, point(pair[-1].real, pair[-1].imag).split())
        dx, dy, anchor = (-10, 2, "end") if abs(pair[-1].imag) > 1e-6 else (0, -12, "middle")
        if gamma < 0.5:
            dx, dy, anchor = (18, -12, "middle") if gamma else (11, 5, "start")
        parts.append(
            f'<text x="{x}" y="{y}" dx="{dx}" dy="{dy}" text-anchor="{anchor}">'
            f"{'γ = ' if gamma in (0, 1) else ''}{gamma:g}</text>"
        )
    about = (
        "The complex plane with the unit circle. The pair of eigenvalues of one iteration "
        "lies outside the circle for γ = 0 and on it for γ = 0.25. For larger γ it moves "
        "inward on an arc, meets on the real axis at γ = 1 and parts there; one of the two "
        "goes toward 1, the other passes 0 and leaves the circle at −1 between γ = 2 and γ = "
        "2.5."
    )
    title = "Eigenvalues of one iteration of the GAN with R1, for growing γ"
    return svg(title, about, 640, 492, parts)


def patches():
    """A picture of nine pixels, the matrix of its four patches, and what becomes of them."""
    parts, kinds = [], ("data", "delta", "tangent", "ink")
    tall, cell = 4 * 36, 36

    def square(x, y, text, cls=""):
        box = f'<path class="{cls or "grid"}" d="M{x} {y}h{cell}v{cell}h-{cell}z"/>'
        label = f'<text class="name" x="{x + cell / 2:g}" y="{y + cell / 2:g}" dy="5"'
        parts.extend([box, f'{label} text-anchor="middle">{text}</text>'])

    def title(x, text, y=30):
        parts.append(f'<text x="{x:g}" y="{y}" text-anchor="middle">{text}</text>')

    title(74, "x")
    for i in range(9):
        square(20 + cell * (i % 3), 68 + cell * (i // 3), i + 1)
    for place, cls in enumerate(kinds):
        x, y = 20 + cell * (place % 2), 68 + cell * (place // 2)
        inset = 4 + 2 * place
        side = 2 * cell - 2 * inset
        parts.append(
            f'<path class="{cls}" d="M{x + inset} {y + inset}h{side}v{side}h-{side}z"/>'
        )
    title(262, "X, a patch in each row")
    for place, cls in enumerate(kinds):
        for at in range(4):
            pixel = place + place // 2 + at + at // 2 + 1
            square(190 + cell * at, 50 + cell * place, pixel)
        y = 50 + cell * place
        parts.append(f'<path class="{cls}" d="M188 {y + 3}v{cell - 6}"/>')
    title(356, "·", 50 + tall / 2 + 5)
    title(394, "W")
    for at, name in enumerate(("00", "01", "10", "11")):
        square(376, 50 + cell * at, f'<tspan>W</tspan><tspan font-size="10">{name}</tspan>')
    title(434, "+ b =", 50 + tall / 2 + 5)
    title(506, "y")
    for place, cls in enumerate(kinds):
        square(470 + cell * (place % 2), 86 + cell * (place // 2), "", cls)
    for start, end, word, y, cls in (
        (132, 180, "gather", 116, "data"),
        (180, 132, "scatter", 150, "delta"),
    ):
        tip = 5 if end > start else -5
        arrow = f"M{start} {y}H{end}m{-tip} -4l{tip} 4l{-tip} 4"
        parts.append(f'<path class="{cls}" d="{arrow}"/>')
        parts.append(
            f'<text class="{cls}" x="156" y="{y - 8 if end > start else y + 18}" '
            f'text-anchor="middle" font-size="12">{word}</text>'
        )
    about = (
        "A picture of 3 by 3 pixels, numbered 1 to 9, in which four overlapping squares of 2 "
        "by 2 are outlined. Beside it a matrix with a row for each: 1 2 4 5, 2 3 5 6, 4 5 7 8 "
        "and 5 6 8 9. Times a column of four weights it gives the four numbers of the output."
    )
    return svg("A convolution is a product of patches and weights", about, 560, 212, parts)


def mpi_speedup():
    """How many times as fast two processes are, by the model and as measured."""
    page = run("mpi")
    m, *curves = zip(*page["rows"])
    drawing = Drawing(480, 290)
    panel = Panel(drawing, (60, 16, 290, 215), (m[0], m[-1]), (0, 2), "x")
    labels = "rows of a batch", "times as fast as one process"
    panel.axes({2**k: f"{2**k:,}" for k in (5, 7, 9, 11, 13)}, [0, 0.5, 1, 1.5, 2], *labels)
    for row, (name, values) in enumerate(zip(page["NETWORKS"], curves)):
        cls = ("data", "tangent", "delta")[row]
        panel.curve(cls, m, values)  # they end so near each other that the names get a list
        drawing.path(cls, [(364, 30 + 22 * row), (384, 30 + 22 * row)])
        drawing.text(390, 35 + 22 * row, name, cls, "start")
    panel.dots("data", page["measured"], 5)
    return drawing.svg(
        "Two processes beside one, by the cost model",
        "Three curves that rise with the batch toward 2: two processes that share memory, with "
        "the measured points on it, then 10 Gbit/s and 1 Gbit/s, which pass 1 ever later.",
    )


MEASURED = {
    "patches": patches,
    "mpi-speedup": mpi_speedup,
    "stall": stall,
    "dirac-paths": dirac_paths,
    "dirac-eigenvalues": dirac_eigenvalues,
}
