r"""Chapter 22. The training loop, as a generator of records.

    for record in minigan.train(model, data, steps=1000):
        ...                     # plot it, log it, break

    records = minigan.fit(model, data, steps=1000)      # or all of them, with a progress bar

Each record is a dictionary of floats: `step`, `loss_D`, `loss_G` and what the game
reports. The loop holds nothing: what must be kept to go on later is the model and its
`TrainState`.
"""

import contextlib
import ctypes
import math
import os
from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np

from .arrays import array_namespace, stream
from .data import Batches, as_dataset
from .errors import DataError, DivergedError, whole_number


@dataclass
class TrainState:
    r"""Where a run stands: its seed, steps taken, rows consumed, and its random numbers.

    rng is the generator of the noise, penalty_rng that of a penalty's points. The order of the
    rows needs none: it follows from the seed and the rows consumed.
    """

    seed: int = 0
    step: int = 0
    rows: int = 0
    rng: "np.random.Generator | None" = field(default=None, repr=False)
    penalty_rng: "np.random.Generator | None" = field(default=None, repr=False)

    def __post_init__(self):
        for name in ("seed", "step", "rows"):
            setattr(self, name, whole_number(name, getattr(self, name), "[0, 9e15]"))
        self.rng = self.rng or stream(self.seed, "noise of the training")
        self.penalty_rng = self.penalty_rng or stream(self.seed, "points of the penalty")

    def to_dict(self):
        r"""The state as JSON can hold it."""
        about = {"seed": self.seed, "step": self.step, "rows": self.rows}
        for name in ("rng", "penalty_rng"):
            about[name] = getattr(self, name).bit_generator.state
        return about

    @classmethod
    def from_dict(cls, about):
        r"""The state that `to_dict` described; other keys are ignored."""
        state = cls(about["seed"], about["step"], about["rows"])
        state.rng.bit_generator.state = about["rng"]
        if "penalty_rng" in about:  # in older runs the noise's generator served the penalty too
            state.penalty_rng.bit_generator.state = about["penalty_rng"]
        return state


def train(model, data, steps, batch_size=64, seed=0, state=None, processes=None):
    r"""Train until `state.step` is `steps`, yielding a record after each iteration.

    Nothing is trained before the records are asked for: iterate over them, or call `fit`.

    Parameters
    ----------
    model : a `Game`, changed in place.
    data : a `Dataset`, or an array (n, n_data).
    steps : iterations in all, those already in `state` included.
    batch_size : rows of real data, and of fakes, in a step.
    seed : of the batches and the noise; unused if `state` is given.
    state : a `TrainState` to go on from; updated before each record.
    processes : those of `minigan.lab.mpi` that share every batch, or None.

    From here on the model runs by `accelerate`, and its iterations in a `Workspace`, with the
    same result.
    Raises DataError at once if the data does not suit the model, and DivergedError, while
    running, as soon as a loss is infinite or not a number.
    """
    from .fast import accelerate  # importing Numba takes a while
    from .fast_conv import accelerate_pictures
    from .workspace import Workspace

    data, steps = as_dataset(data), whole_number("steps", steps, "[0, inf)")
    check_fit(model, data)
    state = state or TrainState(seed)
    batches = Batches(data, batch_size, state.seed, state.rows, to=model.standardised)
    model.processes, generators = processes, (state.rng, state.penalty_rng)
    if processes:
        batches.part, *generators = processes.share(batches.batch_size, *generators)
    keep_heap()
    accelerate(model)
    accelerate_pictures(model)
    records = _records(model, batches, steps, state, generators, Workspace(batches))
    return Training(model, steps, state, records)


class Training(Generator):
    r"""What `train` returns: a generator of records that says how far it is."""

    def __init__(self, model, steps, state, records):
        self.model, self.steps, self.state, self._records = model, steps, state, records

    def send(self, value):
        return self._records.send(value)

    def throw(self, *error):
        return self._records.throw(*error)

    def __repr__(self):
        taken = f"{self.state.step:,} of {self.steps:,} steps taken"
        how = "" if self.state.step >= self.steps else (
            "; each is taken when its record is asked for: for record in training: ..., "
            "or minigan.fit(model, data, steps) for all of them"
        )  # fmt: skip
        return f"<Training of a {type(self.model).__name__}: {taken}{how}>"


def _records(model, batches, steps, state, generators, workspace):
    while state.step < steps:
        part = state.step / steps if model.lr_decay else 0.0
        with decayed(model, part), np.errstate(over="ignore", invalid="ignore"):
            record = workspace.for_model(model).iteration(batches, *generators)
        record = {name: float(value.real) for name, value in record.items()}
        state.step += 1
        state.rows = batches.rows
        if not all(map(math.isfinite, record.values())):
            check_finite(model, record, state.step)
        yield {"step": state.step, **record}


@contextlib.contextmanager
def decayed(model, part):
    r"""Within, both learning rates are smaller by a part, and afterwards what they were.

    (55) With `lr_decay`, $\eta_t = (1 - t/T)\,\eta$ in the iteration after the first t of T.

    A run that goes on to a larger T takes the rates of that T from there.
    """
    rates = [(rule, rule.lr) for rule in (model.G_optimizer, model.D_optimizer) if part]
    for rule, lr in rates:
        rule.lr = (1 - part) * lr
    try:
        yield
    finally:
        for rule, lr in rates:
            rule.lr = lr


def keep_heap():
    r"""Tell glibc to keep freed memory for this process instead of returning it.

    An iteration makes the same temporaries again and again. Above 128 KB glibc hands each
    one back to the kernel when it is freed, and getting it again costs more than the
    arithmetic done in it. `train` calls this once; importing minigan does not. With another
    C library nothing happens.
    """
    mmap_threshold, trim_threshold, limit = -3, -1, 1 << 30  # names and numbers of malloc.h
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt:
        mallopt(mmap_threshold, limit)
        mallopt(trim_threshold, limit)


def check_fit(model, data):
    r"""Raises DataError if the data's width, range or labels do not suit the model."""
    n = data.x.shape[1]
    if n != model.n_data:
        raise DataError(f"data: {data.name} has {n} columns, the model needs {model.n_data}")
    low, high = ((value - model.shift) / model.scale for value in (data.x.min(), data.x.max()))
    if model.output == "sigmoid" and not (low >= 0 and high <= 1):
        raise DataError(
            f"data: {data.name} goes from {low:g} to {high:g}, but a sigmoid "
            "output stays in [0, 1]; scale the data, or use output='linear'"
        )
    if model.n_condition and data.labels is None:
        raise DataError(f"data: {data.name} has no labels, which a conditional model needs")
    k = data.n_classes
    if model.n_condition and data.classes != tuple(range(k)) and k != model.n_condition:
        to = f" to {k - 1}" if k > 1 else ""
        raise DataError(
            f"labels: {data.name} has {data.describe_classes()}, numbered 0{to} here, so "
            f"n_classes must be {k}, got {model.n_condition}"
        )
    if model.n_condition and k > model.n_condition:
        raise DataError(
            f"labels: {data.name} has labels up to {k - 1}, "
            f"the model has {model.n_condition} classes"
        )


def check_finite(model, record, step):
    r"""Raises DivergedError, naming the network and what to try, at the first NaN or ∞."""
    bad = [name for name, value in record.items() if not math.isfinite(value)]
    players = [player for player in "GD" if not finite(getattr(model, player).theta)]
    if bad or players:
        where = [f"a parameter of {player}" for player in players]
        raise DivergedError(
            f"step {step}: not finite: {', '.join(bad + where)}; "
            f"try a smaller lr (now {model.lr:g}), and look for extreme values in the data"
        )


def finite(theta):
    r"""Whether every entry of theta is a finite number."""
    xp = array_namespace(theta)
    return bool(xp.all(xp.isfinite(theta)))
