"""The command line: `minigan --help` lists its commands, and each has a --help of its own."""

import argparse
import os
import shlex
import signal
import sys

from .. import __version__
from ..arrays import BACKENDS
from ..errors import MiniganError
from . import commands, session, streams
from .exercises.command import add_exercise
from .files import plain, why
from .models import ABOUT, DATA, FROM_DATA, MODELS, RECIPES, parameters_of
from .source import BACKGROUNDS

GUIDE = """minigan trains small GANs in NumPy; every gradient is derived by hand.

  minigan train gan                 draws digits in half a minute, then names a report to open
  minigan train gan --data photos/ --size 28   your own images, arrays, tables
  minigan train r3gan --data ring   eight spots on a circle: which are found, which are lost?
  minigan compare RUN RUN           two runs side by side
  minigan evaluate RUN              what its samples are worth, beside genuine data
  minigan gradcheck                 every derivative, proven on this machine

minigan --help lists all commands, and each of them has a --help of its own.
"""
TRAIN_EXAMPLES = """examples:
  minigan train {0}                          the digits shipped with minigan
  minigan train {0} --seed 1 --out runs/another
  minigan train {0} --data mnist             all 60,000 (minigan download mnist, first)
  minigan train {0} --data photos/ --size 28   images in a folder; subfolders are classes
  minigan train {0} --data digits.npz        arrays of NumPy; also .npy, .csv and IDX files
  minigan train {0} --resume --steps 40000   go on where the last run stopped
"""
SAMPLE_EXAMPLES = """examples:
  minigan sample runs/gan-mnist5k -o digits.png
  minigan sample runs/gan-mnist5k -n 10000 --seed 1 -o digits.npz
  minigan sample runs/cgan-mnist5k --labels 3 1 4 1 5 -o pi.png
  minigan sample runs/cgan-mnist5k -n 100 --labels 3 7 -o some.png   3 and 7 in turn
"""
EVALUATE_EXAMPLES = """examples:
  minigan evaluate runs/gan-mnist5k
  minigan evaluate runs/cgan-mnist5k --n 2000
  minigan evaluate runs/gan-mnist5k --data-dir data/mnist   where the test digits lie
  minigan evaluate runs/gan-ring
  minigan evaluate runs/gan-photos --data /new/place/photos   data that were moved

The table is also kept in RUN/metrics.json.
"""
COMPARE_EXAMPLES = """examples:
  minigan compare runs/gan-ring runs/wgan-ring
  minigan compare runs/*-mnist5k -o digits.html

One page, to be opened in a browser: samples, curves and parameters beside each other.
"""
DOWNLOAD_EXAMPLES = """examples:
  minigan download mnist
  minigan download mnist --to data/mnist
"""
GRADCHECK_EXAMPLES = """examples:
  minigan gradcheck
  minigan gradcheck --backend cupy --dtype float32
  minigan gradcheck --exact                  what is rational, on fractions, by ==
"""
BOOK_EXAMPLES = """examples:
  python docs/build.py && minigan book   build the book, then read it
  minigan book a/folder --no-open        where it is, if not in docs/_build
"""


def main(argv: list[str] | None = None) -> int:
    r"""Run one command; returns the exit status: 0, 2 for a wrong input, 130 for Ctrl-C."""
    with streams.usable():
        return streams.flushed(run(argv))


def run(argv):
    r"""The exit status of a command, which has said on one line of stderr what is wrong."""
    try:
        if "\0" in "".join(argv or ()):  # which a shell cannot pass, and no file is called
            raise MiniganError("expected arguments without a NUL character")
        words = sys.argv[1:] if argv is None else argv
        if not words:
            print(GUIDE, end="")
            return 0
        refuse_data_as_model(words)
        args = parser().parse_args(words)
        return args.command(args)
    except SystemExit as ended:  # argparse has printed a help or what it does not understand
        return ended.code
    except KeyboardInterrupt:
        streams.say("minigan: interrupted")
        return 128 + signal.SIGINT
    except BrokenPipeError:
        return streams.BROKEN_PIPE
    except MemoryError:
        reason = "there is not enough memory for that"
    except OSError as error:
        reason = f"{error.filename}: {why(error)}" if error.filename else why(error)
    except (MiniganError, ImportError) as error:
        reason = str(error)
    streams.say(f"minigan: {plain(reason)}")
    return 2


def refuse_data_as_model(words):
    r"""Raises MiniganError that proposes --data if a data set stands in a model's place."""
    name = words[1] if words[:1] == ["train"] and len(words) > 1 else ""
    if name in DATA or (name not in MODELS and os.path.exists(name)):
        raise MiniganError(
            f"{name} is data, not a model; try: minigan train gan --data {shlex.quote(name)}"
        )


def parser():
    r"""The parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="minigan",
        description="GANs in NumPy, every gradient derived by hand.",
        epilog="minigan train gan    is a good start; each command has a --help of its own",
    )
    top.add_argument("--version", action="version", version=f"minigan {__version__}")
    subs = top.add_subparsers(metavar="COMMAND", required=True)
    train = subs.add_parser("train", help="train a model; pictures go to a run folder")
    models = train.add_subparsers(metavar="MODEL", required=True)
    for name in MODELS:
        add_train(models, name)
    add_sample(subs)
    add_evaluate(subs)
    add_compare(subs)
    add_download(subs)
    add_gradcheck(subs)
    add_exercise(subs, add_command)
    add_book(subs)
    return top


def add_command(subs, name, text, examples, run, **defaults):
    r"""A subcommand with its help, its examples, and no defaults of argparse's own."""
    sub = subs.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    sub.set_defaults(command=run, **defaults)
    return sub


def add_train(models, name):
    r"""`minigan train NAME` with one option per parameter of the model."""
    recipe, known = RECIPES[name], parameters_of(name)
    text = f"train {ABOUT[name]}"
    examples = TRAIN_EXAMPLES.format(name)
    sub = add_command(models, name, text, examples, session.train_command, model=name)
    run = sub.add_argument_group("the run")
    run.add_argument(
        "--data", help="mnist5k (default), mnist, stacked, ring, grid, or a path to yours"
    )
    run.add_argument("--data-dir", metavar="DIR", help="where the full MNIST lies")
    add_reading(run)
    run.add_argument("--steps", type=int, help=f"iterations in all (default {recipe['steps']})")
    run.add_argument("--batch-size", type=int, help=f"rows (default {recipe['batch_size']})")
    run.add_argument("--seed", type=int, help="of weights, batches and noise (default 0)")
    run.add_argument("--backend", choices=BACKENDS, help=known["backend"].metadata["help"])
    run.add_argument("--out", metavar="RUN", help=f"run folder (default runs/{name}-DATA)")
    run.add_argument("--resume", action="store_true", help="go on with the run in the folder")
    run.add_argument("--overwrite", action="store_true", help="replace the run in the folder")
    run.add_argument("--quiet", action="store_true", help="no progress bar")
    own = sub.add_argument_group("the model")
    for field in known.values():
        if field.name not in (*FROM_DATA, "seed", "backend"):
            add_parameter(own, field, recipe.get(field.name, field.default))


def add_reading(group):
    r"""How pictures of one's own are read."""
    text = "pixels, to which pictures are cropped and scaled, or in which rows are seen"
    group.add_argument("--size", type=int, nargs="+", metavar=("HEIGHT", "WIDTH"), help=text)
    action, text = argparse.BooleanOptionalAction, "grey or colours (default: as pictures are)"
    group.add_argument("--grey", action=action, help=text)
    text = "behind what is transparent: white (default) or black"
    group.add_argument("--background", choices=list(BACKGROUNDS), help=text)


def add_parameter(group, field, default):
    r"""One option for one parameter, typed by its default."""
    flag = "--" + field.name.replace("_", "-")
    text = field.metadata["help"]
    if isinstance(default, bool):
        group.add_argument(flag, action=argparse.BooleanOptionalAction, help=text)
    elif isinstance(default, tuple):
        widths = " ".join(map(str, default))
        group.add_argument(flag, type=int, nargs="*", help=f"{text} (default {widths})")
    else:
        group.add_argument(flag, type=type(default), help=f"{text} (default {default})")


def add_sample(subs):
    r"""`minigan sample`."""
    run, defaults = commands.sample_command, {"n": None, "labels": None, "seed": 0}
    text = "draw samples from a run"
    sub = add_command(subs, "sample", text, SAMPLE_EXAMPLES, run, **defaults)
    sub.add_argument("run", metavar="RUN", help="a run folder, such as runs/gan-mnist5k")
    sub.add_argument("-n", type=int, help="number of samples (default 100, or one per label)")
    sub.add_argument("--labels", nargs="+", help="the classes wanted, in turn (cgan)")
    sub.add_argument("--seed", type=int, help="of the noise (default 0)")
    sub.add_argument("-o", "--output", required=True, metavar="FILE", help=".png or .npz")


def add_evaluate(subs):
    r"""`minigan evaluate`."""
    text = "measure what a run's samples are worth, beside genuine data"
    defaults = {"n": None, "data": None, "data_dir": None, "seed": 1}
    run = commands.evaluate_command
    sub = add_command(subs, "evaluate", text, EVALUATE_EXAMPLES, run, **defaults)
    sub.add_argument("run", metavar="RUN", help="a run folder, such as runs/gan-mnist5k")
    sub.add_argument("--n", type=int, help="samples (default 10000; of points 2500)")
    sub.add_argument("--data", metavar="PATH", help="where the run's data lies now, if moved")
    sub.add_argument("--data-dir", metavar="DIR", help="where the full MNIST lies")
    sub.add_argument("--seed", type=int, help="of the noise (default 1)")


def add_compare(subs):
    r"""`minigan compare`."""
    text, defaults = "put runs side by side on one page", {"output": "compare.html"}
    run = commands.compare_command
    sub = add_command(subs, "compare", text, COMPARE_EXAMPLES, run, **defaults)
    sub.add_argument("runs", metavar="RUN", nargs="+", help="run folders, two or more")
    sub.add_argument("-o", "--output", metavar="FILE", help="default compare.html")


def add_download(subs):
    r"""`minigan download`."""
    run, defaults = commands.download_command, {"to": None, "url": None}
    text = "fetch the full MNIST"
    sub = add_command(subs, "download", text, DOWNLOAD_EXAMPLES, run, **defaults)
    sub.add_argument("name", choices=["mnist"])
    sub.add_argument("--to", metavar="DIR", help="default: where --data mnist looks")
    sub.add_argument("--url", help="a mirror's address, in place of the known ones")


def add_gradcheck(subs):
    r"""`minigan gradcheck`."""
    run, defaults = commands.gradcheck_command, {"dtype": None, "backend": None, "exact": False}
    text = "prove every derivative"
    sub = add_command(subs, "gradcheck", text, GRADCHECK_EXAMPLES, run, **defaults)
    sub.add_argument("--dtype", choices=["float64", "float32"], help="default float64")
    sub.add_argument("--backend", choices=BACKENDS, help="where the passes are computed")
    sub.add_argument("--exact", action="store_true", help="on exact fractions, by ==")


def add_book(subs):
    r"""`minigan book`."""
    run, defaults = commands.book_command, {"folder": "docs/_build", "port": 0, "open": True}
    text = "serve the built book, and its playground, to a browser on this machine"
    sub = add_command(subs, "book", text, BOOK_EXAMPLES, run, **defaults)
    sub.add_argument("folder", nargs="?", help="the built book (default docs/_build)")
    sub.add_argument("--port", type=int, help="default: a free one")
    sub.add_argument("--no-open", dest="open", action="store_false", help="only print where")
