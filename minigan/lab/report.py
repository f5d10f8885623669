r"""report.html: one page of a run, or of several side by side, that needs nothing else.

It is drawn from the run folder's own files, like the pictures, and holds no clock and no path:
the same files give the same page. What the page does is in `report_page.html`; every text of
the user's is escaped here.
"""

import base64
import contextlib
import hashlib
import json
import re
from html import escape
from pathlib import Path

import numpy as np

from ..errors import RunError
from . import log
from .classes import SHAPED, read_looks
from .config import Config
from .equilibrium import equilibrium
from .evaluate import shown
from .files import open_regular, read_bytes
from .folder import frames
from .models import ABOUT
from .plots import panels, smoothed
from .repeat import OPTIONS, commands

MARK = b'<meta name="generator" content="minigan">'  # by which a page of ours is known
PAGE = Path(__file__).with_name("report_page.html")
FRAMES = 120  # in a page, at most
POINTS = 400  # of a curve
LARGEST_FRAME = 2**24  # bytes of a picture
LARGEST = 2**25  # bytes of all pictures of a run
LARGEST_MEASURES = 2**20
UNSOUND = (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError)


class Source:
    r"""What a page tells of one run, read from its folder.

    name : what the run is called; of a page in the run's own folder, what it is
    """

    def __init__(self, folder, name=None, config=None):
        self.folder = Path(folder)
        self.config = config or Config.read(self.folder / "config.json")
        self.what = f"{self.config.model} on {self.config.data}"
        self.name = self.what if name is None else name
        self.frames = pictures(self.folder)
        self.log = log.columns(self.folder / "metrics.csv")
        self.looks = read_looks(self.folder)
        self.measures = measures(self.folder)
        self.sha256 = sha256(self.folder / "checkpoint.npz")
        self.step = int(max([0, *self.log.get("step", ()), *(s for s, _ in self.frames)]))

    def data(self):
        r"""What the page's lines of JavaScript draw, as JSON can hold it."""
        looks = self.looks
        return {
            "name": self.name,
            "frames": self.frames,
            "log": curves(self.log),
            "panels": [names for names in panels(self.log) if names],
            "guides": equilibrium(self.config.model, self.config.parameters),
            "classes": looks and vars(looks) | {"told": looks.told(self.config.steps_per_film)},
            "shaped": SHAPED,
        }


def report(folder, config=None):
    r"""The page of a run in its own folder, as bytes."""
    return page([Source(folder, config=config)])


def page(runs):
    r"""The page of some `Source`s, as bytes."""
    title = runs[0].name if len(runs) == 1 else f"{len(runs)} runs of minigan"
    data = json.dumps([run.data() for run in runs], allow_nan=False)
    parts = {
        "title": escape(title),
        "heads": "".join(map(head, runs)),
        "tables": measured(runs) + repeated(runs) + parameters(runs),
        "data": data.replace("<", "\\u003c"),  # so that no text ends the script
    }
    text = re.sub(r"\{\{(\w+)\}\}", lambda slot: parts[slot[1]], PAGE.read_text("utf-8"))
    return text.encode(errors="backslashreplace")


# ---- what is read ----


def pictures(folder):
    r"""[(step, PNG in base64)] of the frames that can be read; of many, some, and the last."""
    found, total = [], 0
    for path in reversed(thinned(frames(folder), FRAMES)):
        with contextlib.suppress(RunError):
            content = read_bytes(path, LARGEST_FRAME)
            total += len(content)
            if total > LARGEST:
                break
            if content.startswith(b"\x89PNG"):
                found.append((int(path.stem), base64.b64encode(content).decode()))
    return found[::-1]


def thinned(values, most):
    r"""At most so many of the values, evenly spaced, the last among them."""
    every = -(-len(values) // most)
    return list(values[::-1][:: max(1, every)][::-1])


def curves(columns):
    r"""{name: {"raw", "smooth"}} and the steps of a log, with few points and digits."""
    found = {"step": [int(step) for step in thinned(columns.get("step", ()), POINTS)]}
    for name in sum(panels(columns), []):
        values = np.clip(columns[name], -1e30, 1e30)
        both = {"raw": values, "smooth": smoothed(values)}
        found[name] = {
            kind: [float(f"{v:.4g}") for v in thinned(all_of_it, POINTS)]
            for kind, all_of_it in both.items()
        }
    return found


def measures(folder):
    r"""What `minigan evaluate` has kept in metrics.json; None if nothing, or nothing sound."""
    try:
        found = json.loads(read_bytes(folder / "metrics.json", LARGEST_MEASURES))
        pairs = found["samples"], found["genuine"]
        list(map(measure_rows, pairs, [found["classes"]] * 2))
        return found if isinstance(found["step"], int) else None
    except (RunError, *UNSOUND):
        return None


def sha256(path):
    r"""The checksum of a file, as `sha256sum` prints it; empty if it cannot be read."""
    found = hashlib.sha256()
    try:
        with open_regular(path) as file:
            while part := file.read(2**20):
                found.update(part)
    except RunError:
        return ""
    return found.hexdigest()


# ---- what is written ----


def head(run):
    r"""The place of one run in the page: its name, and what the lines of the page fill."""
    config = run.config
    lines = [f"<h2>{escape(run.name)}</h2>"] if run.name != run.what else []
    what = f"{run.what}, " if lines else ""
    lines.append(
        f"<p>{escape(what + ABOUT[config.model])}; step {run.step:,} of {config.steps:,}, seed "
        f"{config.seed}</p>"
    )
    return f'<article>{"".join(lines)}<div class="run"></div></article>'


def table(columns, rows, note=""):
    r"""An HTML table: the names of its columns, and rows that begin with their own name."""
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    lines = [
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        + "</tr>"
        for name, *cells in rows
    ]
    head = f"<thead><tr><td></td>{top}</tr></thead>" if any(columns) else ""
    body = f"<table>{head}<tbody>{''.join(lines)}</tbody></table>"
    return f'{note}<div class="scroll" tabindex="0">{body}</div>'


def named(runs):
    r"""The names of the columns of some runs; a single one needs none."""
    return [run.name if len(runs) > 1 else "" for run in runs]


def measure_rows(values, names):
    r"""{measure: text} of one column of metrics.json, a list as one row for each class."""
    found = {}
    for name, value in values.items():
        if isinstance(value, list):
            rows = zip(names, value)
            found |= {f"share of class {j}": f"{share:.1%}" for j, share in rows}
        else:
            found[str(name)] = value if isinstance(value, str) else shown(name, value).strip()
    return found


def measured(runs):
    r"""What `minigan evaluate` measured of each run, beside genuine data."""
    columns, cells, notes = [], [], []
    for run, name in zip(runs, named(runs)):
        if not (found := run.measures):
            continue
        columns += [f"{name} samples".strip(), "genuine"]
        cells += [
            measure_rows(found[kind], found["classes"]) for kind in ("samples", "genuine")
        ]
        about = f"{found.get('n')} samples of step {found['step']}"
        told = f"{about} and as many genuine rows, against {found.get('against')}"
        notes.append(f"<p>{escape(f'{name}: {told}' if name else told)}</p>")
    if not columns:
        return ""
    names = dict.fromkeys(name for column in cells for name in column)
    rows = [(name, *(column.get(name, "") for column in cells)) for name in names]
    return "<h2>Evaluation</h2>" + table(columns, rows, "".join(notes))


def parameters(runs):
    r"""All parameters and versions; of several runs, first what differs."""
    settings = [settings_of(run) for run in runs]
    names = dict.fromkeys(name for each in settings for name in each)
    rows = [(name, *(each.get(name, "") for each in settings)) for name in names]
    if len(runs) == 1:
        return "<h2>Parameters</h2>" + table(named(runs), rows)
    differ = [row for row in rows if len(set(row[1:])) > 1]
    whole = table(named(runs), rows)
    return (
        "<h2>What differs</h2>"
        + (table(named(runs), differ) if differ else "<p>Nothing.</p>")
        + f"<details><summary>All parameters</summary>{whole}</details>"
    )


def settings_of(run):
    r"""{parameter: text} of a run, with its versions and the checksum of its checkpoint."""
    config = run.config
    names = ("model", *OPTIONS)
    found = {name: getattr(config, name) for name in names} | config.parameters
    if not config.image_shape or "/" not in config.data:  # these are of pictures of one's own
        del found["size"], found["grey"], found["background"]
    found = {name: value for name, value in found.items() if value not in (None, ())}
    found |= {f"run on {name}": value for name, value in config.versions.items()}
    found["SHA-256 of checkpoint.npz"] = run.sha256
    return {str(name): in_words(value) for name, value in found.items()}


def in_words(value):
    r"""A parameter as it is typed on the command line."""
    return " ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


def repeated(runs):
    r"""The commands that make each run again."""
    blocks = []
    for run, name in zip(runs, named(runs)):
        lines = "\n".join(commands(run.config))
        caption = f"<p>{escape(name)}</p>" if name else ""
        blocks.append(f'{caption}<pre tabindex="0"><code>{escape(lines)}</code></pre>')
    return "<h2>Make it again</h2>" + "".join(blocks)
