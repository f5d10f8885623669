r"""What config.json holds, described once: every name, its type, its range.

A run is begun from this description, and a file that was edited by hand is read by it.
"""

import json
import math
from dataclasses import asdict, dataclass, field, fields

from ..errors import Checked, MiniganError, RunError, parameter
from .files import read_bytes
from .models import MODELS, checked, modern
from .source import BACKGROUNDS

LARGEST = 2**20  # bytes of a config.json; it has about a thousand
COUNT = "[1, 9e15]"
DEPTH = 20  # of objects within objects; a config.json has three


@dataclass(kw_only=True)
class Config(Checked):
    r"""The parameters of a run; `parameters` are the model's own. Raises MiniganError."""

    model: str = parameter("gan", "the game", tuple(MODELS))
    data: str = parameter("mnist5k", "name of the data set, or its absolute path")
    data_dir: str | None = parameter(None, "where the full MNIST lies")
    data_sha256: str = parameter("", "of some of the rows, to know the data again")
    size: tuple = parameter((), "to which pictures are scaled, as it was given", COUNT)
    grey: bool | None = None  # whether pictures are made grey, or coloured
    background: str = parameter("white", "behind what is transparent", tuple(BACKGROUNDS))
    image_shape: tuple = parameter((), "height, width, and 3 of colours; none of points", COUNT)
    classes: tuple = parameter((), "the labels' values", "[-9e18, 9e18]")
    class_names: list = field(default_factory=list)  # if they are called by words
    seed: int = parameter(0, "of weights, batches and noise", "[0, 9e15]")
    steps: int = parameter(1, "iterations in all", COUNT)
    batch_size: int = parameter(64, "rows of an iteration", COUNT)
    steps_per_film: int = parameter(1, "the steps asked for when the run began", COUNT)
    parameters: dict = field(default_factory=dict)
    history: list = field(default_factory=list)
    versions: dict = field(default_factory=dict)
    more: dict = field(default_factory=dict)  # what else the file holds is kept

    def __post_init__(self):
        self.parameters = checked(self.model, modern(self.parameters))
        for name, kind in (("history", list), ("versions", dict), ("class_names", list)):
            if not isinstance(getattr(self, name), kind):
                raise MiniganError(f"{name}: got {getattr(self, name)!r}")
        if not all(isinstance(name, str) for name in self.class_names):
            raise MiniganError(f"class_names: expected texts, got {self.class_names!r}")
        if not (self.grey is None or isinstance(self.grey, bool)):
            raise MiniganError(f"grey: expected true, false or null, got {self.grey!r}")
        shape, n_data = self.image_shape, self.parameters["n_data"]
        right = len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)
        if shape and not (right and math.prod(shape) == n_data):
            raise MiniganError(f"image_shape: expected height and width of {n_data} pixels")

    def to_json(self):
        r"""The file's content, as bytes."""
        about = {**asdict(self), **self.more}
        del about["more"]
        return json.dumps(about, indent=2).encode() + b"\n"

    @classmethod
    def read(cls, path):
        r"""The configuration in the file; raises RunError if it holds anything else."""
        try:
            about = json.loads(read_bytes(path, LARGEST).decode("utf-8-sig"))
            if not isinstance(about, dict) or "model" not in about or "parameters" not in about:
                raise MiniganError("no model and parameters are in it")
            if not is_shallow(about):
                raise MiniganError("it is nested too deeply")
            if about.get("image_shape") is None:  # points, as version 0.1 wrote them
                about["image_shape"] = ()
            known = {one.name for one in fields(cls)} - {"more"}
            more = {name: value for name, value in about.items() if name not in known}
            return cls(**{k: v for k, v in about.items() if k in known}, more=more)
        except RunError:
            raise
        except (ValueError, TypeError, RecursionError) as error:
            raise RunError(f"{path}: not a run's configuration ({error})") from None

    def change(self, step, **values):
        r"""Set parameters of the run or of its model, and note in `history` what they were."""
        for name, value in values.items():
            place = self.parameters if name in self.parameters else vars(self)
            if place[name] != value:
                self.history.append({"step": step, name: [place[name], value]})
                place[name] = value


def is_shallow(value):
    r"""Whether objects and lists are nested at most `DEPTH` deep."""
    layer = [value]
    for _ in range(DEPTH):
        inside = [v.values() if isinstance(v, dict) else v for v in layer if _holds(v)]
        layer = [each for values in inside for each in values]
    return not any(map(_holds, layer))


def _holds(value):
    return isinstance(value, (dict, list))
