r"""A run folder: everything needed to look at a run, repeat it, or go on.

| file | holds |
|---|---|
| config.json | all parameters, the data, the seed, the versions, what was changed on the way |
| metrics.csv | one line per logged step |
| frames/ | the same noise, drawn through training |
| classes.json | the shares of the classes drawn through training |
| checkpoint.npz | the last good state |
| samples.png, losses.png, film.gif | pictures, drawn from the above |
| metrics.json | what `minigan evaluate` measured |
| report.html | all of it on one page |

The folder is a function of its checkpoint, its log, its frames and its looks at the classes:
whatever a kill has left missing or stale is made again by the next command. Only these names
are ever written, replaced or removed; other files in the folder are the user's.
"""

import contextlib
import io
import json
import os
import platform
import time
from pathlib import Path

import numpy as np

from ..errors import MiniganError, RunError
from ..players import RATES
from . import classes, log, plots
from .checkpoint import load_checkpoint, save_checkpoint
from .config import Config
from .equilibrium import equilibrium
from .files import plain, read_bytes, why, write_whole
from .folder import finish, frames, hold, is_begun, remove_own
from .models import describe
from .report import report
from .streams import say, say_beside_bar

FRAMES = 60  # in a film
LINES = 2000  # in metrics.csv
REPORTED = ("config.json", "classes.json", "metrics.json")  # beside the pictures' sources
LARGEST_FRAME = 2**24  # bytes of a picture


class Run:
    r"""An open run folder. `Run.create` begins one, `Run.open` continues one."""

    def __init__(self, folder, config):
        self.folder, self.config = Path(folder), config
        self.frame_every = max(1, config.steps_per_film // FRAMES)
        self.log_every = max(1, config.steps_per_film // LINES)
        self.seconds, self.started = 0.0, time.monotonic()
        self.names, self.reader = None, None

    @classmethod
    def open(cls, folder):
        r"""An existing run; raises RunError if the folder holds none."""
        if not is_begun(folder):
            raise RunError(f"{folder}: no run of minigan is here")
        return cls(folder, Config.read(Path(folder) / "config.json"))

    @classmethod
    def create(cls, folder, config, model, state, data):
        r"""Begin a run in a folder that is held, in the place of the one that may be there.

        The new run is complete in a folder inside before the old one's files are removed.
        """
        folder, new = Path(folder), Path(folder) / ".new"
        config.steps_per_film, config.versions = config.steps, versions()
        run = cls(new, config)
        try:
            (new / "frames").mkdir(parents=True, exist_ok=True)
            run.write("config.json", config.to_json())
            run.save(model, state, data)
            os.rename(new, folder / ".ready")
        except OSError as error:
            raise RunError(f"cannot begin a run in {folder}: {why(error)}") from None
        finally:
            remove_own(new)
        finish(folder)
        run.folder = folder
        return run

    def _repr_png_(self):
        path = self.folder / "samples.png"
        return path.read_bytes() if path.is_file() else None

    def write(self, name, content):
        r"""Write bytes to a file of the folder, whole or not at all."""
        write_whole(self.folder / name, lambda file: file.write(content))

    @property
    def checkpoint(self):
        r"""The path of the run's checkpoint."""
        return self.folder / "checkpoint.npz"

    def change(self, step, **values):
        r"""Keep a change of a parameter in config.json, with its history."""
        self.config.change(step, **values)
        self.write("config.json", self.config.to_json())

    def read(self, backend=None):
        r"""(model, state) of the checkpoint; RunError if config.json tells of another model."""
        model, state = load_checkpoint(self.checkpoint, backend)
        (name, parameters), known = describe(model), self.config.parameters
        free = ("backend", *RATES)
        wrong = [p for p in parameters if p not in free and parameters[p] != known.get(p)]
        if name != self.config.model or wrong:
            raise RunError(
                f"{self.folder}: config.json and checkpoint.npz disagree about "
                f"{[*wrong, 'model'][0]}; give config.json back what it had, or begin another "
                "run with --out"
            )
        return model, state

    def load(self, backend=None):
        r"""`read`, for a run that goes on: what was logged and drawn later is dropped."""
        model, state = self.read(backend)
        self.seconds = log.cut_log(self.folder / "metrics.csv", state.step)
        for frame in frames(self.folder):
            if int(frame.stem) > state.step:
                frame.unlink(missing_ok=True)
        looks = classes.read_looks(self.folder)
        if looks and looks.cut(state.step):
            self.write(classes.NAME, looks.to_json())
        return model, state

    def log(self, record):
        r"""Append a record to metrics.csv, if its turn has come; says whether it did.

        That is the first step, the last, and every `log_every`-th.
        """
        step = record["step"]
        if step % self.log_every and step not in (1, self.config.steps):
            return False
        seconds = self.seconds + time.monotonic() - self.started
        if self.names is None:
            names = [name for name in record if name != "step"]
            self.names = log.begin(self.folder / "metrics.csv", names)
        numbers = (f"{record[name]:.7g}" for name in self.names)
        log.append(self.folder / "metrics.csv", [str(step), f"{seconds:.3f}", *numbers])
        return True

    def save(self, model, state, data):
        r"""Write the checkpoint and, if their turn has come, a frame and a look."""
        save_checkpoint(self.checkpoint, model, state)
        self.keep(model, state, data)

    def keep(self, model, state, data):
        r"""The frame and the look of this step, unless they are there or none is due."""
        if state.step % self.frame_every == 0 or state.step == self.config.steps:
            self.frame(model, state, data)
            if state.step:
                self.look(model, state, data)

    def frame(self, model, state, data):
        r"""The film's frame of this step, unless it is there."""
        path = self.folder / "frames" / f"{state.step:08d}.png"
        if not path.is_file():
            write_whole(path, lambda file: file.write(self.picture(model, data)))

    def look(self, model, state, data):
        r"""The look at the classes of this step, unless it is there; says what was lost."""
        looks = classes.read_looks(self.folder)
        if looks and looks.looks[-1:] and looks.looks[-1][0] >= state.step:
            return
        self.reader = self.reader or classes.Reader(data)
        seen = self.reader.look(model) if self.reader.classes else None
        if seen:
            if not looks or looks.classes != self.reader.classes:
                looks = classes.Looks(self.reader.classes, self.reader.genuine.tolist(), [])
            looks.add(state.step, *seen)
            self.write(classes.NAME, looks.to_json())
            for step, text in looks.told(self.config.steps_per_film):
                if step == state.step:
                    say_beside_bar(text)

    @staticmethod
    def picture(model, data, scale=1):
        r"""What the model generates from the same noise each time, as PNG bytes."""
        with np.errstate(over="ignore", invalid="ignore"):  # a diverging model is drawn too
            x = model.sample(100 if data.image_shape else 1000)
            return plots.samples_png(x, data.image_shape, behind=data.x, scale=scale)

    def complete(self, model, state, data):
        r"""Make again what is missing or older than the checkpoint: a frame, the pictures."""
        (self.folder / "frames").mkdir(exist_ok=True)
        self.keep(model, state, data)
        makers = {"samples.png": lambda: self.picture(model, data, scale=2)}
        makers["losses.png"] = self.draw_losses
        makers["film.gif"] = self.draw_film
        makers["report.html"] = lambda: report(self.folder, self.config)
        for name, make in makers.items():
            if self.is_stale(name) and (content := drawn(name, make)):
                self.write(name, content)

    def is_stale(self, name):
        r"""Whether a picture is not there, or is older than what it is drawn from."""
        sources = (
            ("config.json", "classes.json", "metrics.json") if name == "report.html" else ()
        )
        try:
            drawn, saved = (self.folder / name).lstat(), self.checkpoint.stat().st_mtime_ns
        except OSError:
            return True
        for source in sources:
            with contextlib.suppress(OSError):
                saved = max(saved, (self.folder / source).stat().st_mtime_ns)
        return drawn.st_mtime_ns < saved or not drawn.st_size

    def draw_losses(self):
        r"""losses.png, from the log; None if nothing is logged."""
        columns = log.columns(self.folder / "metrics.csv")
        guides = equilibrium(self.config.model, self.config.parameters)
        return plots.losses_png(columns, guides) if columns else None

    def draw_film(self):
        r"""film.gif, from the frames that can be read; None if there are none."""
        pictures = []
        for path in frames(self.folder):
            with contextlib.suppress(RunError):
                pictures.append(io.BytesIO(read_bytes(path, LARGEST_FRAME)))
        return plots.film_gif(pictures)


def drawn(name, make):
    r"""What `make` draws; None, and a line on stderr, if a library of pictures is broken."""
    try:
        return make()
    except (MiniganError, OSError):
        raise
    except Exception as error:
        say(f"minigan: cannot draw {name}: {plain(str(error))}")


def versions():
    r"""The versions of what a run's numbers depend on."""
    import minigan

    about = {"minigan": minigan.__version__, "numpy": np.__version__}
    return about | {"python": platform.python_version(), "machine": platform.platform()}


def restore(folder, model, state, data):
    r"""Make the folder whole, if no other process holds it and it can be written."""
    with contextlib.suppress(RunError, OSError), hold(folder):
        Run.open(folder).complete(model, state, data)


def write_measures(run, measures):
    r"""Keep what was measured in the run's metrics.json."""
    run.write("metrics.json", json.dumps(measures, indent=2).encode() + b"\n")
