r"""A run folder: everything needed to look at a run, repeat it, or go on.

| file | holds |
|---|---|
| config.json | all parameters, the data's name, the seed, the versions |
| metrics.csv | one line per logged step |
| frames/ | the same noise, drawn through training |
| samples.png, losses.png, film.gif | pictures, drawn from the above |
| checkpoint.npz | the last good state |
"""

import csv
import json
import platform
import shutil
import sys
import time
from pathlib import Path

import numpy as np

from ..errors import RunError
from . import plots
from .checkpoint import load_checkpoint, save_checkpoint, write_atomically
from .metrics import CollapseWatch

FRAMES = 60  # in a film
LINES = 2000  # in metrics.csv


class Run:
    r"""An open run folder. `Run.create` begins one, `Run.open` continues one."""

    def __init__(self, folder, config):
        self.folder, self.config = Path(folder), config
        self.frame_every = max(1, config["steps_per_film"] // FRAMES)
        self.log_every = max(1, config["steps_per_film"] // LINES)
        self.seconds, self.started = 0.0, time.monotonic()
        self.watch, self.lost, self.warned = None, set(), 0

    @classmethod
    def create(cls, folder, config, overwrite=False):
        r"""Begin a run; raises RunError if the folder is in use and `overwrite` is not set."""
        folder = Path(folder)
        try:
            if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
                cls._clear(folder, overwrite)
            (folder / "frames").mkdir(parents=True)
        except OSError as error:
            raise RunError(f"cannot use the run folder {folder}: {error.strerror}") from error
        config = config | {"steps_per_film": config["steps"], "versions": versions()}
        run = cls(folder, config)
        run.set_steps(config["steps"])
        return run

    def set_steps(self, steps):
        r"""Keep in config.json, with all the rest, at which step the run is to end."""
        self.config["steps"] = steps
        self.write("config.json", json.dumps(self.config, indent=2).encode() + b"\n")

    @staticmethod
    def _clear(folder, overwrite):
        if not (folder / "config.json").is_file():
            raise RunError(
                f"{folder} is not empty and not a run of minigan; choose another --out"
            )
        if not overwrite:
            raise RunError(
                f"{folder} holds a run already; --resume continues it, --overwrite replaces "
                "it, --out names another folder"
            )
        shutil.rmtree(folder)

    @classmethod
    def open(cls, folder):
        r"""An existing run; raises RunError if the folder holds none."""
        path = Path(folder) / "config.json"
        try:
            config = json.loads(path.read_text())
            return cls(folder, config)
        except OSError as error:
            raise RunError(f"{folder}: no run of minigan here ({error.strerror})") from error
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(f"{path}: not a run's configuration ({error})") from error

    def write(self, name, content):
        r"""Write bytes to a file of the folder, whole or not at all."""
        write_atomically(self.folder / name, lambda file: file.write(content))

    @property
    def checkpoint(self):
        r"""The path of the run's checkpoint."""
        return self.folder / "checkpoint.npz"

    def load(self, backend=None):
        r"""(model, state) of the checkpoint; drops what was logged after it."""
        model, state = load_checkpoint(self.checkpoint, backend)
        lines = self._lines()
        kept = [line for line in lines[1:] if int(line[0]) <= state.step]
        self.seconds = float(kept[-1][1]) if kept else 0.0
        text = "".join(",".join(line) + "\n" for line in [*lines[:1], *kept])
        self.write("metrics.csv", text.encode())
        for frame in self._frames():
            if int(frame.stem) > state.step:
                frame.unlink()
        return model, state

    def _lines(self):
        path = self.folder / "metrics.csv"
        if not path.exists():
            return []
        whole = path.read_text().rpartition("\n")[0]  # a kill may have cut the last line
        return list(csv.reader(whole.splitlines()))

    def _frames(self):
        return sorted((self.folder / "frames").glob("*.png"))

    def log(self, record):
        r"""Append a record to metrics.csv, if its turn has come; says whether it did.

        That is the first step, the last, and every `log_every`-th.
        """
        step = record["step"]
        if step % self.log_every and step not in (1, self.config["steps"]):
            return False
        path = self.folder / "metrics.csv"
        seconds = self.seconds + time.monotonic() - self.started
        values = [record["step"], f"{seconds:.3f}"]
        values += [f"{value:.7g}" for name, value in record.items() if name != "step"]
        try:
            with open(path, "a", newline="") as file:
                if file.tell() == 0:
                    names = [name for name in record if name != "step"]
                    csv.writer(file, lineterminator="\n").writerow(["step", "seconds", *names])
                csv.writer(file, lineterminator="\n").writerow(values)
        except OSError as error:
            raise RunError(f"cannot write {path}: {error.strerror}") from error
        return True

    def save(self, model, state, data):
        r"""Write the checkpoint and draw a frame of the film; warn of a collapse."""
        save_checkpoint(self.checkpoint, model, state)
        self.write(f"frames/{state.step:08d}.png", self.picture(model, data))
        if 4 * state.step >= self.config["steps"]:
            self.warn_of_collapse(model, state, data)

    def warn_of_collapse(self, model, state, data):
        r"""Say on stderr when two frames in a row miss more classes (41) than yet said."""
        from tqdm import tqdm

        self.watch = self.watch or CollapseWatch(data)
        found = self.watch.missing(model)
        before, self.lost = self.lost, set() if found is None else set(found.tolist())
        lost = sorted(before & self.lost)
        if len(lost) > self.warned:
            self.warned, names = len(lost), ", ".join(map(str, lost))
            text = f"step {state.step}: hardly any samples of class {names}: a mode collapse?"
            tqdm.write(text, file=sys.stderr)

    @staticmethod
    def picture(model, data, scale=1):
        r"""What the model generates from the same noise each time, as PNG bytes."""
        with np.errstate(over="ignore", invalid="ignore"):  # a diverging model is drawn too
            x = model.sample(100 if data.image_shape else 1000)
            return plots.samples_png(x, data.image_shape, behind=data.x, scale=scale)

    def draw(self, model, data):
        r"""samples.png, film.gif and losses.png."""
        self.write("samples.png", self.picture(model, data, scale=2))
        self.write("film.gif", plots.film_gif(self._frames()))
        names, *lines = self._lines()
        columns = dict(zip(names, np.array(lines, float).T))
        self.write("losses.png", plots.losses_png(columns))


def versions():
    r"""The versions of what a run's numbers depend on."""
    import importlib.metadata

    packages = {"minigan": "minigan", "numpy": "numpy"}
    found = {name: importlib.metadata.version(package) for name, package in packages.items()}
    return found | {"python": platform.python_version(), "machine": platform.platform()}
