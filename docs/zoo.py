"""Writes docs/pages/bug-zoo.md from the catalogue in tests/bug_zoo.py.

python docs/zoo.py            write the page
python docs/zoo.py --check    exit with status 1 if the page is not what it would write
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
PAGE = ROOT / "docs" / "pages" / "bug-zoo.md"

HEAD = """# The bug zoo

A wrong gradient rarely crashes. The losses still move, the samples still change, and what is
wrong is taken for the moods of a GAN. Below are {count} bugs, each of a kind that was found in
a real project: what it looks like in code, what it does to training, and the test of this
library that kills it.

Each of them is alive in `tests/bug_zoo.py`, where it can be put into minigan, one at a time, by
replacing one function. The test suite does so on every run, and each named test must then fail
by an assertion of its own, and must pass again as soon as the bug is gone:

```
python tests/bug_zoo.py
```
"""


def page():
    """The Markdown of the page."""
    from bug_zoo import ZOO

    return "\n".join([HEAD.format(count=len(ZOO)), *map(entry, ZOO)])


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
    for word, owner in (("generators", "generator's"), ("critics", "critic's")):
        name = name.replace(word, owner)
    name = name.replace("leaky relu", "LeakyReLU").replace("adam", "Adam")
    return name[0].upper() + name[1:]


def unique(lines):
    """The lines without those that came before."""
    return "\n".join(dict.fromkeys(lines.splitlines()))


def main(options):
    """Write or check the page; returns the exit status."""
    text = page()
    if "--check" not in options:
        PAGE.write_text(text, "utf-8")
    elif not PAGE.exists() or PAGE.read_text("utf-8") != text:
        print(f"{PAGE} is out of date: run python docs/zoo.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
