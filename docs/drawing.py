"""Drawings as SVG, in the site's colours, without a plotting library.

The classes data, delta and tangent are the colours of the three passes everywhere in the book.
A drawing is about 480 units wide, which a phone still shows at a legible size.
"""

import math
from html import escape


def sign(value):
    """A number as it is printed in a figure, with a minus sign that is one."""
    return f"{value:g}".replace("-", "−")


class Drawing:
    def __init__(self, width, height):
        self.width, self.height, self.parts = width, height, []

    def path(self, cls, points, closed=False):
        """Straight lines from point to point; what is not finite breaks the line."""
        d, pen = "", "M"
        for x, y in points:
            if not (math.isfinite(x) and math.isfinite(y)):
                pen = "M"
                continue
            d += f"{pen}{x:.1f} {y:.1f}"
            pen = "L"
        self.parts.append(f'<path class="{cls}" d="{d}{"Z" * closed}"/>')

    def circle(self, cls, x, y, r):
        self.parts.append(f'<circle class="{cls}" cx="{x:.1f}" cy="{y:.1f}" r="{r:g}"/>')

    def rect(self, cls, x, y, width, height, round=0):
        corner = f' rx="{round}"' if round else ""
        self.parts.append(
            f'<rect class="{cls}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
            f'height="{height:.1f}"{corner}/>'
        )

    def image(self, png, x, y, width, height):
        """A PNG in base64, whose ink is black by day and white by night."""
        self.parts.append(
            f'<image href="data:image/png;base64,{png}" x="{x:.1f}" y="{y:.1f}" '
            f'width="{width:.1f}" height="{height:.1f}"/>'
        )

    def text(self, x, y, text, cls="", anchor="middle", turned=False):
        turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
        cls = f' class="{cls}"' if cls else ""
        self.parts.append(
            f'<text{cls} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{turn}>'
            f"{escape(text, quote=False)}</text>"
        )

    def arrow(self, cls, begin, end, head=7):
        """A straight arrow."""
        (x, y), (a, b) = begin, end
        length = math.hypot(a - x, b - y)
        if length < 0.5:
            return
        dx, dy = (a - x) / length, (b - y) / length
        head = min(head, length)
        foot = a - head * dx, b - head * dy
        self.path(cls, [begin, foot])
        side = 0.45 * head
        wings = [
            (foot[0] + side * dy, foot[1] - side * dx),
            (foot[0] - side * dy, foot[1] + side * dx),
        ]
        self.path(f"{cls} head", [end, *wings], closed=True)

    def svg(self, title, about):
        """The whole drawing, with a description for those who cannot see it."""
        body = "\n".join(self.parts)
        title, about = escape(title, quote=True), escape(about, quote=False)
        return (
            f'<svg class="plot" viewBox="0 0 {self.width} {self.height}" role="img" '
            f'aria-label="{title}">\n<title>{title}</title>\n<desc>{about}</desc>\n{body}\n</svg>\n'
        )


class Panel:
    """Axes in a box of a drawing, linear or logarithmic.

    box : left, top, width, height; across and up : the lowest and the highest value
    """

    def __init__(self, drawing, box, across, up, log=""):
        self.drawing, self.box, self.across, self.up, self.log = drawing, box, across, up, log

    def at(self, a, b):
        """The place of a point."""
        left, top, width, height = self.box
        x, y = self.share(a, self.across, "x"), self.share(b, self.up, "y")
        return left + x * width, top + (1 - y) * height

    def share(self, value, limits, axis):
        low, high = limits
        if axis in self.log:
            if not value > 0:
                return math.nan
            value, low, high = math.log10(value), math.log10(low), math.log10(high)
        return (value - low) / (high - low)

    def axes(self, ticks_x, ticks_y, x_label="", y_label="", name=""):
        """Grid lines with their numbers, {value: text} or a list, and what the axes show."""
        left, top, width, height = self.box
        draw = self.drawing
        ticks_x, ticks_y = (
            t if isinstance(t, dict) else {v: sign(v) for v in t} for t in (ticks_x, ticks_y)
        )
        for value, label in ticks_x.items():
            x, _ = self.at(value, self.up[1])
            draw.path("grid", [(x, top), (x, top + height)])
            draw.text(x, top + height + 17, label)
        for value, label in ticks_y.items():
            _, y = self.at(self.across[1], value)
            draw.path("grid", [(left, y), (left + width, y)])
            draw.text(left - 7, y + 5, label, anchor="end")
        if x_label:
            draw.text(left + width / 2, top + height + 35, x_label)
        if y_label:
            draw.text(left - 42, top + height / 2, y_label, turned=True)
        if name:
            draw.text(left + width / 2, top - 9, name, "name")

    def curve(self, cls, x, y):
        """A curve; what leaves the box is cut off there."""
        points = [(float(a), float(b)) for a, b in zip(x, y)]
        gap = math.nan, math.nan
        self.drawing.path(cls, [self.at(*p) if self.inside(*p) else gap for p in points])

    def inside(self, a, b):
        x, y = self.share(a, self.across, "x"), self.share(b, self.up, "y")
        return -1e-9 <= x <= 1 + 1e-9 and -1e-9 <= y <= 1 + 1e-9

    def area(self, cls, x, y):
        """What is under a curve."""
        points = [self.at(float(a), float(b)) for a, b in zip(x, y)]
        (first, _), (last, _), floor = points[0], points[-1], self.at(0, self.up[0])[1]
        self.drawing.path(cls, [(first, floor), *points, (last, floor)], closed=True)

    def dots(self, cls, points, r=3):
        for a, b in points:
            if self.inside(float(a), float(b)):
                self.drawing.circle(f"{cls} dot", *self.at(float(a), float(b)), r)

    def text(self, a, b, text, cls="", anchor="start", dx=0, dy=5):
        x, y = self.at(a, b)
        self.drawing.text(x + dx, y + dy, text, cls, anchor)

    def arrow(self, cls, begin, end, head=6):
        self.drawing.arrow(cls, self.at(*map(float, begin)), self.at(*map(float, end)), head)
