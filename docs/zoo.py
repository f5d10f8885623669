"""Writes docs/pages/bug-zoo.md from the catalogue in tests/bug_zoo.py, and draws its table,
which tests/zoo_table.py has kept, in docs/figures/zoo.svg.

python docs/zoo.py            write both
python docs/zoo.py --check    exit with status 1 if they are not what it would write
"""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
PAGE = ROOT / "docs" / "pages" / "bug-zoo.md"
TABLE, DRAWING = ROOT / "tests" / "zoo_table.json", ROOT / "docs" / "figures" / "zoo.svg"

HEAD = """# The bug zoo

A wrong gradient rarely crashes. The losses still move, the samples still change, and what is
wrong is taken for the moods of a GAN. Below are {count} bugs, nearly all of them found in real
projects: what it looks like in code, what it does to training, the thread or the file where it
was found, and the tests of this library that kill it.

Each of them is alive in `tests/bug_zoo.py`, where it can be put into minigan, one at a time, by
replacing one function. The test suite does so on every run, and each named test must then fail
by an assertion of its own, and must pass again as soon as the bug is gone:

```
python tests/bug_zoo.py
```

## Which check catches which bug

Every bug was let out alone, and eight checks looked for it: what people do first, then how
gradients are usually checked, then what this library adds. A dot is a bug that the check
catches; without a bug all of them pass.

[[zoo]]

| the check | how | bugs caught |
|---|---|---|
{rows}

The parts are the layers, the losses, a network and the gradient penalty, at the same points
for each method. What a gradient check can find, the coarse one finds as well as the fine one,
but for an ε of 1e-8. Most of these bugs it cannot find: forward and backward pass agree, and
what they agree on is another loss, another player, another order of steps. Two thirds of the
bugs leave samples that look fine. That the suite catches all of them is no surprise, since a
bug that it did not catch would have become a test; the comparison is among the other seven. The
first column is one verdict on two runs for each bug; with other seeds a few of its dots move.

One command prints this table, in less than two minutes on one core. The training is kept in
`tests/zoo_table.json`; `--train` does what is missing there.

```
python tests/zoo_table.py
```
"""

HOW = {
    "samples look fine": "1,000 iterations on the ring of eight Gaussians: at least 7 modes, "
    "and two fifths of the samples within three standard deviations of one, in the better of "
    "two runs",
    "losses go down": "each player alone, the other standing still, lowers its own loss in 60 "
    "iterations by more than it goes up and down",
    "difference, 1e-3": "central differences of the parts in float32, relative error 1e-3",
    "difference, 1e-5": "the same in float64, with the step and the tolerances of "
    "`torch.autograd.gradcheck`",
    "adjoint": "each layer's backward rule against its forward-mode rule",
    "complex step": "the parts against the complex step, relative error 1e-13",
    "whole step": "three iterations, with losses, gradients, optimisers and clip, against a "
    "reference that shares no line with the library",
    "this suite": "all tests: the above, and each equation, the data, and what is resumed",
}


def page():
    """The Markdown of the page."""
    from bug_zoo import ZOO

    table = json.loads(TABLE.read_text("utf-8"))
    rows = [f"| {name} | {HOW[name]} | {caught(table, name)} |" for name in checks()]
    head = HEAD.replace("{count}", str(len(ZOO))).replace("{rows}", "\n".join(rows))
    return "\n".join([head, *map(entry, ZOO)])


def caught(table, check):
    """How many bugs the check catches."""
    return sum(row[check] for row in table.values())


def checks():
    """The names of the checks, from what people do to what this library does."""
    from zoo_table import CHECKS

    return list(CHECKS)


def drawing():
    """The table as an SVG in the site's colours, the bugs that most checks catch first."""
    from bug_zoo import ZOO

    table, line, left, step = json.loads(TABLE.read_text("utf-8")), 22, 440, 66
    columns = checks()
    width, top = left + step * len(columns), 118
    height = top + line * (len(table) + 1) + 8
    parts = []
    for i, check in enumerate(columns):
        x = left + step * i + step // 2
        turn = f"translate({x - 4} {top - 34}) rotate(-38)"
        parts.append(f'<text transform="{turn}">{check}</text>')
        at = f'x="{x}" y="{top - 10}" text-anchor="middle"'
        parts.append(f'<text class="data" {at}>{caught(table, check)}</text>')
        parts.append(f'<path class="grid" d="M{x} {top}V{height - 8}"/>')
    for number, bug in enumerate(sorted(ZOO, key=lambda bug: -sum(table[bug.name].values()))):
        y, row = top + line * (number + 1), table[bug.name]
        parts.append(f'<text x="{left - 6}" y="{y + 5}" text-anchor="end">{title(bug)}</text>')
        for i, check in enumerate(columns):
            if row[check]:
                x = left + step * i + step // 2
                parts.append(f'<circle cx="{x}" cy="{y}" r="7"/>')
    body = "\n".join(parts)
    box = f'viewBox="0 0 {width + 40} {height}" role="img" aria-labelledby="zoo-title"'
    return f"""<svg class="plot zoo" {box}>
<title id="zoo-title">Which of eight checks catches which of {len(ZOO)} bugs</title>
{body}
</svg>
"""


def entry(bug):
    """The section of one bug."""
    killers = "\n".join(f"- `{test.partition('[')[0]}`" for test in bug.killed_by)
    return f"""## {title(bug)}

```python
{bug.looks}
```

{bug.does}

*Found in:* {linked(bug.found)}.

Killed by

{unique(killers)}
"""


def linked(found):
    """The places where a bug was found, each linked to its thread or to its repository."""
    thread = r"([\w.-]+/[\w.-]+) #(\d+)"
    found = re.sub(thread, r"[\1 #\2](https://github.com/\1/issues/\2)", found)
    file = r"(?<![\w./\[-])([\w.-]+/[\w.-]+), ([\w./-]+\.\w+)"
    return re.sub(file, r"[\1](https://github.com/\1), `\2`", found)


def title(bug):
    """The bug's name as a heading."""
    name = bug.name.replace("1 over m", "1/m").replace("of 2x", "of 2x, for sigma of x")
    for word in ("generators", "critics", "discriminators", "sigmoids", "glorots"):
        if f"a {word}" not in name:
            name = name.replace(word, f"{word[:-1]}'s")
    name = name.replace("leaky relu", "LeakyReLU").replace("adam", "Adam")
    return name[0].upper() + name[1:]


def unique(lines):
    """The lines without those that came before."""
    return "\n".join(dict.fromkeys(lines.splitlines()))


def main(options):
    """Write or check the page and the drawing; returns the exit status."""
    for path, text in ((PAGE, page()), (DRAWING, drawing())):
        if "--check" not in options:
            path.write_text(text, "utf-8")
        elif not path.exists() or path.read_text("utf-8") != text:
            print(f"{path} is out of date: run python docs/zoo.py", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
