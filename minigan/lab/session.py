r"""`minigan train`: a run is begun or resumed, trained, and left whole."""

import contextlib
import hashlib
import shlex

import numpy as np

from ..data import describe_shape
from ..errors import DivergedError, RunError
from ..players import RATES
from . import mpi
from .config import Config
from .files import plain
from .models import build, checked, describe, parameters_of, recipe
from .repeat import READING
from .signals import stop_when_asked
from .source import class_names
from .streams import progress, say

BAR = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{remaining} left{postfix}]"
PLACES = ("data", "data_dir")  # may have moved since
AT_WILL = ("steps", "quiet", "resume", "backend", "out", "model", "command", *PLACES, *RATES)


def train_command(args):
    r"""`minigan train`: begin or resume a run, with a progress bar, then draw it."""
    options = vars(args)
    if options.get("resume") and options.get("overwrite"):
        raise RunError("--resume and --overwrite exclude each other")
    with stop_when_asked() as asked, mpi.joined(asked) as processes:
        if processes and processes.comm.rank:
            return mpi.work(processes)
        asked = processes.heard if processes else asked
        return (resume if options.get("resume") else begin)(options, asked, processes)


def begin(options, asked, processes=None):
    r"""Begin a run in its folder and train it; returns the exit status."""
    from ..training import TrainState
    from .folder import hold_new
    from .run import Run

    config, data, model = new_run(options)
    folder = options.get("out") or default_folder(config, options)
    state = TrainState(config.seed)
    records = mpi.records(processes, model, data, config.steps, config.batch_size, state)
    with hold_new(folder, options.get("overwrite", False)):
        run = Run.create(folder, config, model, state, data)
        if data.source.folder and not options.get("quiet"):
            print("\n".join(told_of(data)))
        return train_loop(run, records, model, state, data, options.get("quiet"), asked)


def resume(options, asked, processes=None):
    r"""Go on with the run in its folder; returns the exit status."""
    from .folder import hold
    from .run import Run

    folder = options.get("out") or default_folder(new_config(options), options)
    with hold(folder):
        run = Run.open(folder)
        check_same(options, run)
        data = load_data(run.config, options.get("data"), options.get("data_dir"))
        model, state = run.load(options.get("backend", run.config.parameters["backend"]))
        change_rates(run, model, state.step, options)
        run.keep(model, state, data)  # a kill may have come between it and the checkpoint
        if moved := {name: value for name, value in zip(PLACES, places(options)) if value}:
            run.change(state.step, **moved)
        steps = options.get("steps", run.config.steps)
        records = mpi.records(processes, model, data, steps, run.config.batch_size, state)
        if steps <= state.step:
            run.complete(model, state, data)
            print(f"{folder} is already at step {state.step}; --steps with a larger N goes on")
            return 0
        run.change(state.step, steps=steps)
        return train_loop(run, records, model, state, data, options.get("quiet"), asked)


def network_of(options):
    r"""The kind of networks that is asked for."""
    return options.get("network", "mlp")


def new_config(options):
    r"""The `Config` of a run from the options given, before its data are known."""
    name = options["model"]
    chosen = {key: options[key] for key in ("seed", "steps", "batch_size") if key in options}
    chosen |= {key: options[key] for key in READING if key in options}
    data, data_dir = places({"data": "mnist5k"} | options)
    usual = recipe(name, data, network_of(options))
    usual = {key: usual[key] for key in ("steps", "batch_size")}
    return Config(**usual | chosen, model=name, data=data, data_dir=data_dir)


def places(options):
    r"""(data, data_dir) as config.json keeps them; None for one that was not given."""
    from .loaders import identify

    data, data_dir = identify(options.get("data", "mnist5k"), options.get("data_dir"))
    return data if "data" in options else None, data_dir


def new_run(options):
    r"""(config, data, model) of a run that is to begin, from the options given."""
    config = new_config(options)
    data = load_data(config)
    if "batch_size" not in options:
        config.batch_size = min(config.batch_size, len(data))
    network = network_of(options)
    known = parameters_of(config.model)
    chosen = recipe(config.model, config.data, network) | options
    own = {key: value for key, value in chosen.items() if key in known}
    own |= {"n_data": data.x.shape[1], "output": "sigmoid" if data.image_shape else "linear"}
    if network != "mlp":
        own["image_shape"] = data.image_shape or ()
    if not data.image_shape:
        own |= {"shift": float(data.x.mean()), "scale": float(data.x.std()) or 1.0}
    if "n_classes" in known:
        own.setdefault("n_classes", max(1, data.n_classes))
    model = build(config.model, **own)
    config.parameters = describe(model)[1]
    config.image_shape = tuple(data.image_shape or ())
    config.classes, config.data_sha256 = class_values(data), fingerprint(data)
    config.class_names = list(data.source.names)
    return config, data, model


def told_of(data):
    r"""How data of one's own were understood, in lines of text."""
    shape, names = data.image_shape, class_names(data)
    d = data.x.shape[1]
    what = (
        f"images of {describe_shape(shape)}" if shape else f"points of {d} column{'s'[: d - 1]}"
    )
    classes = data.describe_classes()
    if data.source.names:
        listed = ", ".join(names[:10]) + ", ..." * (len(names) > 10)
        classes = f"the {len(names)} classes {listed}"
    yield plain(f"{data.name}: {len(data):,} {what}, {classes}")
    if data.source.told:
        yield plain(data.source.told)


def default_folder(config, options):
    r"""runs/MODEL-DATA, or runs/MODEL-conv-DATA."""
    from .loaders import short_label

    network = network_of(options)
    parts = config.model, *([network] if network != "mlp" else []), short_label(config.data)
    return f"runs/{'-'.join(parts)}"


def check_same(options, run):
    r"""Raises RunError if an option contradicts the run that is to be resumed."""
    config, folder = run.config, run.folder
    if config.model != options["model"]:
        raise RunError(
            f"{folder} holds a {config.model} run, not a {options['model']} run; "
            f"go on with: {again(run)}"
        )
    saved = vars(config) | config.parameters
    for name, value in options.items():
        value = tuple(value) if isinstance(value, list) else value
        same = (value,) if name in READING else (value, None)
        if name not in AT_WILL and name in saved and saved[name] not in same:
            raise RunError(
                f"{folder} was begun with {name} = {saved[name]}, not {value}; "
                "resume without that option, or begin another run with --out"
            )


def change_rates(run, model, step, options):
    r"""Keep the rates that were given in config.json, and go on with those that are there."""
    rates = {name: options[name] for name in RATES if name in options}
    rates = checked(run.config.model, run.config.parameters | rates)
    run.change(step, **{name: rates[name] for name in RATES})
    for name in RATES:
        setattr(model, name, rates[name])


def train_loop(run, records, model, state, data, quiet, asked):
    r"""Train to the run's last step, logging and saving; returns the exit status."""
    steps = run.config.steps
    bar = progress(records, total=steps, initial=state.step, disable=quiet, bar_format=BAR)
    with explaining_divergence(run):
        for record in bar:
            if run.log(record):
                bar.set_postfix(telling(record), refresh=False)
            if asked or state.step % run.frame_every == 0 or state.step == steps:
                run.save(model, state, data)
            if asked:
                break
    bar.close()
    run.complete(model, state, data)
    if asked:
        say(f"\nstopped and saved at step {state.step}; go on with: {again(run)}")
        return 128 + asked[0]
    if not quiet:
        print(f"open {run.folder}/report.html, or samples.png, film.gif and losses.png")
    return 0


def telling(record):
    r"""{name: text} of the numbers that tell most, few enough for a line: what the game reports
    beside its losses, or else those.
    """
    names = [n for n in record if n not in ("step", "penalty")]
    own = [n for n in names if not n.startswith("loss")] or names
    return {name: f"{record[name]:.2f}" for name in own[:2]}


@contextlib.contextmanager
def explaining_divergence(run):
    r"""Adds to a DivergedError where the state before it is, and how to go on from there."""
    try:
        yield
    except DivergedError as error:
        raise DivergedError(
            f"{error}; the last good state is in {run.checkpoint}: go on from it with smaller "
            f"rates by {again(run)} --lr LR --D-lr LR"
        ) from error


def again(run):
    r"""The command that goes on with the run."""
    out = shlex.quote(str(run.folder))
    out = f"--out={out}" if out.startswith("-") else f"--out {out}"  # else taken for an option
    return f"minigan train {run.config.model} --resume {out}"


def class_values(data):
    r"""The values of the labels, if they are not 0, 1, 2, …"""
    values = () if data.labels is None else tuple(int(value) for value in data.classes)
    return () if values == tuple(range(len(values))) else values


def load_data(config, moved_to=None, data_dir=None):
    r"""The data of a run, wherever it lies now; raises DataError if it is not the same.

    Points of the run's own mixture are drawn anew, and another version may draw others.
    """
    from ..errors import DataError
    from .loaders import load

    name = moved_to or config.data
    how = {key: getattr(config, key) for key in READING}
    data = load(name, data_dir or config.data_dir, **how)
    drawn = name == config.data and data.source is not None and data.source.modes is not None
    if not drawn and config.data_sha256 not in ("", fingerprint(data)):
        raise DataError(
            f"data: {name} does not hold the rows that the run was begun "
            "with; --data names the place where they are"
        )
    return data


def fingerprint(data):
    r"""A name for the rows and labels, made of about a thousand of them."""
    every = slice(None, None, max(1, len(data.x) // 1000))
    content = hashlib.sha256(str(data.x.shape).encode())
    content.update(np.ascontiguousarray(data.x[every]))
    if data.labels is not None:
        content.update(np.ascontiguousarray(data.labels[every]))
    return content.hexdigest()
