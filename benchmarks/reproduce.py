"""Published figures beside ours: python benchmarks/reproduce.py ROW [options]

| ROW | what it measures | what it needs |
|---|---|---|
| ring, grid | modes captured and samples of high quality, for every loss | |
| parzen | log-likelihood of the test digits under a Parzen window | MNIST, scikit-learn |
| labels | how often a conditional sample shows the digit that was asked for | |
| average | what an average of the generator's parameters is worth | |
| estimate | the critic's estimate beside the exact distance, for seed 0 | SciPy |
| stacked | modes of stacked digits that are found, through a training | |
| quality | what the runs of `minigan train` reach as they stand | MNIST |

A trial is a training with one seed. After each, the row's table in docs/reproduction.md is
written anew, from the samples of this call alone; the text around the table is written by hand,
and so are the published figures in it, which stay. `minigan download mnist` fetches MNIST.
"""

import argparse
import re
import sys
from pathlib import Path

from protocols import ROWS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reproduction.md"
TRIALS = {
    "quality": 3,
    "stacked": 1,
}  # of the other rows 10, unless it is said


def main():
    args, shown = parse_options(), set()
    for mark, lines in ROWS[args.row](args):
        write(mark, lines, args.command if mark == args.row else None)
        print("\n".join(lines[-1:] if mark in shown else lines), flush=True)
        shown.add(mark)


def parse_options():
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="The row quality hands any other option on to `minigan train`.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("row", choices=ROWS, metavar="ROW")
    parser.add_argument("--only", "--models", nargs="+", metavar="MODEL", help="these models")
    seeds = parser.add_mutually_exclusive_group()
    text = "as many seeds, from 0 on (default 10, for quality 3, for stacked 1)"
    seeds.add_argument("--trials", type=int, metavar="N", help=text)
    seeds.add_argument("--seeds", type=int, nargs="+", metavar="SEED", help="these seeds")
    parser.add_argument("--data-dir", metavar="DIR", help="where the full MNIST lies")
    args, args.more = parser.parse_known_args()
    if args.more and args.row != "quality":
        parser.error(f"unrecognized arguments: {' '.join(args.more)}")
    words = ["python benchmarks/reproduce.py", args.row]
    words += ["--trials", args.trials] if args.trials else []
    words += ["--seeds", *args.seeds] if args.seeds else []
    words += ["--only", *args.only] if args.only else []
    args.command = " ".join(map(str, words + args.more))
    args.seeds = args.seeds or range(args.trials or TRIALS.get(args.row, 10))
    return args


def write(mark, lines, command=None):
    """Put a table between its marks in the page, after the command that made it.

    The published rows of the table that stood there follow the new heading.
    """
    page = PAGE.read_text("utf-8")
    old = re.search(rf"(?<=<!-- {mark} -->\n).*?(?=<!-- /{mark} -->)", page, re.S)
    if not old:
        sys.exit(f"{PAGE}: <!-- {mark} --> and <!-- /{mark} --> must surround the table")
    published = [line for line in old[0].splitlines() if "published" in line]
    new = [*lines[:2], *published, *lines[2:]]
    new = [f"`{command}`:", "", *new] if command else new
    text = "\n" + "\n".join(new) + "\n\n"
    PAGE.write_text(page[: old.start()] + text + page[old.end() :], "utf-8")


if __name__ == "__main__":
    main()
