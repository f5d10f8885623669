"""The command line: minigan train | sample | evaluate | download | gradcheck."""

import argparse
import contextlib
import signal
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np

from ..arrays import BACKENDS
from ..errors import DivergedError, MiniganError, RunError
from . import evaluate
from .models import MODELS, RECIPES, build, describe
from .proofs import gradcheck_command

FROM_DATA = ("n_data", "output")  # the data decides these
AT_WILL = ("steps", "quiet", "resume", "backend", "out", "model", "command")

TRAIN_EXAMPLES = """examples:
  minigan train {0}                          the digits shipped with minigan
  minigan train {0} --steps 500 --out runs/try
  minigan train {0} --data mnist             all 60,000 (minigan download mnist, first)
  minigan train {0} --data fashion/          any folder of IDX files
  minigan train {0} --resume --steps 40000   go on where the last run stopped
"""
SAMPLE_EXAMPLES = """examples:
  minigan sample runs/gan-mnist5k -o digits.png
  minigan sample runs/gan-mnist5k -n 10000 --seed 1 -o digits.npz
  minigan sample runs/cgan-mnist5k --labels 3 1 4 1 5 -o pi.png
"""
DOWNLOAD_EXAMPLES = """examples:
  minigan download mnist
  minigan download mnist --to data/mnist
"""
GRADCHECK_EXAMPLES = """examples:
  minigan gradcheck
  minigan gradcheck --backend cupy --dtype float32
"""


def main(argv=None):
    r"""Run one command; returns the exit status: 0, 2 for a wrong input, 130 for Ctrl-C."""
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `minigan gradcheck | head` is no error
    args = parser().parse_args(argv)
    try:
        return args.command(args)
    except MiniganError as error:
        print(f"minigan: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("minigan: interrupted", file=sys.stderr)
        return 130


def parser():
    r"""The parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="minigan",
        description="GANs in NumPy, every gradient derived by hand.",
        epilog="minigan train gan    is a good start; each command has a --help of its own",
    )
    commands = top.add_subparsers(metavar="COMMAND", required=True)

    train = commands.add_parser("train", help="train a model; pictures go to a run folder")
    models = train.add_subparsers(metavar="MODEL", required=True)
    for name in MODELS:
        add_train_options(models, name)

    sample = add_command(commands, "sample", "draw samples from a run", SAMPLE_EXAMPLES)
    sample.set_defaults(command=sample_command, n=None, labels=None, seed=0)
    sample.add_argument("run", metavar="RUN", help="a run folder, such as runs/gan-mnist5k")
    sample.add_argument("-n", type=int, help="number of samples (default 100)")
    sample.add_argument("--labels", type=int, nargs="+", help="the classes wanted (cgan)")
    sample.add_argument("--seed", type=int, help="of the noise (default 0)")
    sample.add_argument("-o", "--output", required=True, metavar="FILE", help=".png or .npz")
    evaluate.add_options(add_command(commands, "evaluate", evaluate.TEXT, evaluate.EXAMPLES))

    download = add_command(commands, "download", "fetch the full MNIST", DOWNLOAD_EXAMPLES)
    download.set_defaults(command=download_command, to=None, url=None)
    download.add_argument("name", choices=["mnist"])
    download.add_argument("--to", metavar="DIR", help="default: where --data mnist looks")
    download.add_argument("--url", help="a mirror's address, in place of the known ones")

    proof = add_command(commands, "gradcheck", "prove every derivative", GRADCHECK_EXAMPLES)
    proof.set_defaults(command=gradcheck_command, dtype="float64", backend=None)
    proof.add_argument("--dtype", choices=["float64", "float32"], help="default float64")
    proof.add_argument("--backend", choices=BACKENDS, help="where the passes are computed")
    return top


def add_command(commands, name, text, examples):
    r"""A subcommand with its help, its examples, and no defaults of argparse's own."""
    return commands.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )


def add_train_options(models, name):
    r"""`minigan train NAME` with one option per parameter of the model."""
    text = MODELS[name].__doc__.partition("\n")[0].rstrip(".")
    sub = add_command(models, name, text[0].lower() + text[1:], TRAIN_EXAMPLES.format(name))
    sub.set_defaults(command=train_command, model=name)
    recipe = RECIPES[name]
    help_of = {f.name: f.metadata.get("help") for f in fields(MODELS[name])}
    run = sub.add_argument_group("the run")
    run.add_argument("--data", help="mnist5k (default), mnist, ring, grid, or an IDX folder")
    run.add_argument("--data-dir", metavar="DIR", help="where the full MNIST lies")
    run.add_argument("--steps", type=int, help=f"iterations in all (default {recipe['steps']})")
    run.add_argument("--batch-size", type=int, help=f"rows (default {recipe['batch_size']})")
    run.add_argument("--seed", type=int, help="of weights, batches and noise (default 0)")
    run.add_argument("--backend", choices=BACKENDS, help=help_of["backend"])
    run.add_argument("--out", metavar="RUN", help=f"run folder (default runs/{name}-DATA)")
    run.add_argument("--resume", action="store_true", help="go on with the run in the folder")
    run.add_argument("--overwrite", action="store_true", help="replace the run in the folder")
    run.add_argument("--quiet", action="store_true", help="no progress bar")
    own = sub.add_argument_group("the model")
    for field in fields(MODELS[name]):
        if field.name not in (*FROM_DATA, "seed", "backend"):
            add_parameter(own, field, help_of[field.name])


def add_parameter(group, field, text):
    r"""One option for one parameter, typed by its default."""
    flag, default = "--" + field.name.replace("_", "-"), field.default
    if isinstance(default, bool):
        group.add_argument(flag, action="store_true", help=text)
    elif isinstance(default, tuple):
        widths = " ".join(map(str, default))
        group.add_argument(flag, type=int, nargs="*", help=f"{text} (default {widths})")
    else:
        group.add_argument(flag, type=type(default), help=f"{text} (default {default})")


def train_command(args):
    r"""`minigan train`: begin or resume a run, with a progress bar, then draw it."""
    from ..training import TrainState, train
    from .loaders import load
    from .run import Run

    given = vars(args)
    if given.get("resume") and given.get("overwrite"):
        raise RunError("--resume and --overwrite exclude each other")
    folder = given.get("out") or f"runs/{args.model}-{Path(given.get('data', 'mnist5k')).name}"
    if given.get("resume"):
        run = Run.open(folder)
        config = run.config
        check_same(given, config, folder)
        data = load(config["data"], config["data_dir"])
        model, state = run.load(given.get("backend", config["parameters"]["backend"]))
    else:
        config, data, model = new_run(args.model, given)
        state = TrainState(config["seed"])
    steps = given.get("steps", config["steps"])
    records = train(model, data, steps, config["batch_size"], state=state)
    if given.get("resume"):
        run.set_steps(steps)  # the next --resume goes as far without being told
    else:
        run = Run.create(folder, config, given.get("overwrite", False))
        run.save(model, state, data)
    return train_loop(run, records, model, state, data, given.get("quiet", False))


def new_run(name, given):
    r"""(config, data, model) of a run that is to begin, from the options given."""
    from .loaders import load

    config = {"model": name, "data": "mnist5k", "data_dir": None, "seed": 0} | RECIPES[name]
    config = {key: given.get(key, value) for key, value in config.items()}
    if config["steps"] < 1:
        raise RunError(f"--steps: must be at least 1, got {config['steps']}")
    data = load(config["data"], config["data_dir"])
    parameters = {f.name: given[f.name] for f in fields(MODELS[name]) if f.name in given}
    parameters["n_data"] = data.x.shape[1]
    parameters["output"] = "sigmoid" if data.image_shape else "linear"
    if not data.image_shape:
        parameters.setdefault("n_noise", 2)
    if "n_classes" in {f.name for f in fields(MODELS[name])}:
        parameters.setdefault("n_classes", max(1, data.n_classes))
    model = build(name, **parameters)
    config |= {"image_shape": data.image_shape, "parameters": describe(model)[1]}
    return config, data, model


def check_same(given, config, folder):
    r"""Raises RunError if an option contradicts the run that is to be resumed."""
    saved = config["parameters"] | config
    for name, value in given.items():
        value = list(value) if isinstance(value, tuple) else value
        if name not in AT_WILL and name in saved and saved[name] != value:
            raise RunError(
                f"{folder} was begun with {name} = {saved[name]}, not {value}; "
                "resume without that option, or begin another run with --out"
            )
    if config["model"] != given["model"]:
        raise RunError(f"{folder} holds a {config['model']} run, not a {given['model']} run")


def train_loop(run, records, model, state, data, quiet):
    r"""Train to the run's last step, logging and saving; returns the exit status."""
    from tqdm import tqdm

    steps, begun = run.config["steps"], state.step
    if begun >= steps:
        print(f"{run.folder} is already at step {begun}; --steps N with a larger N goes on")
        return 0
    bar = tqdm(records, total=steps, initial=begun, disable=quiet, unit="step")
    with stop_on_interrupt() as stop, naming_the_checkpoint(run):
        for record in bar:
            if run.log(record):
                shown = {name: f"{v:.3g}" for name, v in record.items() if name != "step"}
                bar.set_postfix(shown, refresh=False)
            if stop or state.step % run.frame_every == 0 or state.step == steps:
                run.save(model, state, data)
            if stop:
                break
    bar.close()
    run.draw(model, data)
    if stop:
        print(
            f"\nstopped and saved at step {state.step}; go on with: "
            f"minigan train {run.config['model']} --resume --out {run.folder}",
            file=sys.stderr,
        )
        return 130
    if not quiet:
        print(f"look at {run.folder}/samples.png, film.gif and losses.png")
    return 0


@contextlib.contextmanager
def naming_the_checkpoint(run):
    r"""Adds to a DivergedError where the state before it is."""
    try:
        yield
    except DivergedError as error:
        raise DivergedError(f"{error}; the last good checkpoint is {run.checkpoint}") from error


@contextlib.contextmanager
def stop_on_interrupt():
    r"""Within, the first Ctrl-C only makes the yielded list true; the second interrupts."""
    stop = []

    def remember(*_):
        stop.append(True)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, remember)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def sample_command(args):
    r"""`minigan sample`: draw from a run's checkpoint into a picture or an .npz file."""
    from .checkpoint import load_checkpoint, write_atomically
    from .loaders import load
    from .plots import samples_png
    from .run import Run

    suffix = Path(args.output).suffix
    if suffix not in (".png", ".npz"):
        raise RunError(f"-o: expected a name ending in .png or .npz, got {args.output}")
    run = Run.open(args.run)
    model, _ = load_checkpoint(run.checkpoint)
    n = args.n if args.n is not None or args.labels else 100
    if n is not None and n < 1:
        raise RunError(f"-n: must be at least 1, got {n}")
    if model.n_condition:
        labels = args.labels or [i % model.n_condition for i in range(n)]
        x, extra = model.sample(n, args.seed, labels), {"labels": np.array(labels)}
    elif args.labels:
        raise RunError(f"--labels: {args.run} is not conditional")
    else:
        x, extra = model.sample(n, args.seed), {}
    if suffix == ".npz":
        write_atomically(args.output, lambda file: np.savez(file, x=x, **extra))
    else:
        shape = run.config["image_shape"]
        behind = None if shape else load(run.config["data"], run.config["data_dir"]).x
        picture = samples_png(x, shape, min(len(x), 10), behind, scale=2)
        write_atomically(args.output, lambda file: file.write(picture))
    return 0


def download_command(args):
    r"""`minigan download`: the full MNIST, verified."""
    from .download import download_mnist

    print(f"MNIST is in {download_mnist(args.to, args.url)}")
    return 0
