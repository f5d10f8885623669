"""What the default runs reach: every digit's share, label accuracy, the critic's estimate.

Trains each model by its command line as it stands, once per seed, and lets a classifier,
trained on the genuine training digits, read 10,000 samples of each. The full MNIST must be
there (minigan download mnist), as its test digits say how good the classifier itself is.

examples:
  python benchmarks/quality.py
  python benchmarks/quality.py --models gan --seeds 0 1 2 --data-dir data/mnist
"""

import argparse
import csv
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from minigan.arrays import keep_heap
from minigan.data import mnist
from minigan.lab.checkpoint import load_checkpoint
from minigan.lab.classifier import Classifier

N = 10_000


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=["gan", "cgan", "wgan"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--data-dir", help="where the full MNIST lies")
    args, more = parser.parse_known_args()
    keep_heap()
    judge = Classifier(mnist(args.data_dir), epochs=8)
    test = mnist(args.data_dir, split="test")
    accuracy = np.mean(judge.labels(test.x) == test.labels)
    print(f"the classifier reads {accuracy:.2%} of the genuine test digits\n")
    print("| model | seed | seconds | of CPU | rarest digit | labels right | w: last of peak |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for model in args.models:
        for seed in args.seeds:
            with tempfile.TemporaryDirectory() as folder:
                print(row(model, seed, Path(folder) / "run", judge, more), flush=True)


def row(name, seed, run, judge, more):
    """One line of the table."""
    command = [sys.executable, "-m", "minigan", "train", name, "--quiet", "--seed", str(seed)]
    begun, cpu = time.perf_counter(), cpu_seconds()
    subprocess.run([*command, "--out", str(run), *more], check=True)
    seconds, cpu = time.perf_counter() - begun, cpu_seconds() - cpu
    model, _ = load_checkpoint(run / "checkpoint.npz")
    asked = np.arange(N) % 10
    x = model.sample(N, 1, asked) if model.n_condition else model.sample(N, 1)
    read = judge.labels(x)
    rarest = np.bincount(read, minlength=10).min() / N
    right = f"{np.mean(read == asked):.2%}" if model.n_condition else ""
    share = estimate_share(run / "metrics.csv")
    return f"| {name} | {seed} | {seconds:.0f} | {cpu:.0f} | {rarest:.1%} | {right} | {share} |"


def cpu_seconds():
    """Processor time of all finished child processes."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def estimate_share(path):
    """The mean of the last tenth of w_estimate's curve over its largest smoothed value."""
    with open(path, newline="") as file:
        lines = list(csv.DictReader(file))
    if "w_estimate" not in lines[0]:
        return ""
    w = np.array([float(line["w_estimate"]) for line in lines])
    smooth = np.convolve(w, np.ones(20) / 20, "valid")
    return f"{w[-len(w) // 10 :].mean() / smooth.max():.1%}"


if __name__ == "__main__":
    main()
