"""The rows of reproduce.py: what is trained, how it is measured, and the table that results.

Each row is a generator: it takes the options (`only`, `seeds`, `data_dir`, `more`) and yields
the name of a table with the table's lines so far, once after every trial.
"""

import csv
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import minigan
from minigan.data import Dataset
from minigan.lab import stacked
from minigan.lab.classifier import Classifier
from minigan.lab.loaders import grid, grid_modes, load, mnist, ring, ring_modes
from minigan.lab.metrics import (
    class_shares,
    frechet_distance,
    label_accuracy,
    modes_captured,
    wasserstein_distance,
)
from minigan.lab.models import FOR_POINTS, RECIPES, build, recipe
from minigan.lab.parzen import parzen

ASKED = np.arange(10_000) % 10  # the digits in turn


def heading(*columns):
    return [row(*columns), "|" + "---|" * len(columns)]


def row(*cells):
    return f"| {' | '.join(map(str, cells))} |"


def mean(values):
    """Mean and, of more than one value, its standard error, as text."""
    values = np.asarray(values, float)
    if len(values) == 1:
        return f"{values[0]:.4g}"
    return f"{values.mean():.4g} ± {values.std(ddof=1) / np.sqrt(len(values)):.2g}"


def trained(name, data, steps, batch_size, seed, **parameters):
    """A model at the end of its training."""
    model = build(name, seed=seed, **parameters)
    for _ in minigan.train(model, data, steps, batch_size, seed):
        pass
    return model


# ---- ring and grid ----

DATA = {"ring": (ring, ring_modes(), 0.01), "grid": (grid, grid_modes(), 0.05)}


def mixture(args):
    """PacGAN's protocol; the recipes, those of the command line, are a table of their own."""
    make, modes, std = DATA[args.row]
    yield f"{args.row} recipes", recipe_table(args.row)
    columns = f"modes of {len(modes)}", "high quality", "KL divergence", "trials", "CPU s each"
    lines = heading("", *columns)
    for name in args.only or FOR_POINTS:
        found, begun = [], time.process_time()
        for seed in args.seeds:
            data = make(seed=seed)
            units = {"shift": float(data.x.mean()), "scale": float(data.x.std())}
            fixed = {"n_data": 2, "output": "linear"} | units
            game = trained(name, data, seed=seed, **recipe(name, args.row), **fixed)
            divergence = kl_divergence(game.sample(10_000, 1), modes, std)
            found.append((*modes_captured(game.sample(2500, 1), modes, std), divergence))
            captured, quality, divergence = np.array(found).T
            cells = mean(captured), f"{mean(100 * quality)}%", mean(divergence), len(found)
            seconds = (time.process_time() - begun) / len(found)
            line = row(f"{name}, ours", *cells, f"{seconds:.0f}")
            yield args.row, [*lines, line]
        lines.append(line)


def kl_divergence(x, modes, std):
    """Kullback-Leibler divergence of the samples' histogram from the genuine one, in nats.

    A bin for each mode, of the samples within three standard deviations of it, and one for all
    others, which holds exp(-9/2) of the genuine ones.
    """
    squared = ((x[:, None] - modes) ** 2).sum(axis=-1)
    bins = np.where(squared.min(axis=1) < (3 * std) ** 2, squared.argmin(axis=1), len(modes))
    shares = np.bincount(bins, minlength=len(modes) + 1) / len(x)
    other = np.exp(-4.5)
    genuine = np.append(np.full(len(modes), (1 - other) / len(modes)), other)
    there = shares > 0
    return float((shares[there] * np.log(shares[there] / genuine[there])).sum())


def recipe_table(data):
    lines = heading("recipe", "iterations", "rows", "parameters")
    for name in FOR_POINTS:
        own = dict(recipe(name, data))
        steps, m = own.pop("steps"), own.pop("batch_size")
        text = ", ".join(f"{key} {value}" for key, value in own.items())
        lines.append(row(name, f"{steps:,}", m, text))
    return lines


# ---- the Parzen window ----

NETWORKS = {"G_hidden": (512, 512), "D_hidden": (240, 240), "n_noise": 8}
NETWORKS |= {"lr": 3e-4, "D_lr": 3e-4, "ema_decay": 0.9995}
STEPS, BATCH_SIZE = 20_000, 128


def parzen_row(args):
    """Goodfellow's protocol, for samples, genuine training digits and k-means centres."""
    from sklearn.cluster import MiniBatchKMeans

    data, test = mnist(args.data_dir), mnist(args.data_dir, "test").x
    train, validation = Dataset(data.x[:50_000], data.labels[:50_000], (28, 28)), data.x[-1000:]
    lines = heading("samples", "nats", "sigma", "CPU s")
    centres = MiniBatchKMeans(1000, random_state=0, n_init=1).fit(train.x).cluster_centers_
    sets = {"genuine, 10,000 training digits": train.x[:10_000]}
    sets["k-means, 1,000 centres"] = centres.astype("float32")
    for name, rows in sets.items():
        lines.append(parzen_line(name, parzen(rows, validation, test), ""))
        yield "parzen", lines
    curves = heading("seed 0", "iterations", "CPU s", "nats")
    for name in args.only or ["gan", "cgan"]:
        found = []
        for seed in args.seeds:
            for step, seconds, value in through_training(name, train, seed, validation, test):
                if seed == 0:
                    curves.append(row(name, step, f"{seconds:.0f}", f"{value[0]:.1f}"))
                    yield "parzen curves", curves
            found.append(value[0])
            lines.append(parzen_line(f"{name}, seed {seed}", value, f"{seconds:.0f}"))
            yield "parzen", lines
        lines.append(row(f"{name}, over {len(found)} seeds", mean(found), "", ""))
        yield "parzen", lines


def parzen_line(name, found, seconds):
    value, error, sigma = found
    return row(name, f"{value:.1f} ± {error:.1f}", f"{sigma:.2f}", seconds)


def through_training(name, data, seed, validation, test):
    """(step, CPU seconds, Parzen's three numbers) at the end, and of seed 0 oftener."""
    model, seconds = build(name, seed=seed, **NETWORKS), 0.0
    begun = time.process_time()
    for record in minigan.train(model, data, STEPS, BATCH_SIZE, seed):
        step = record["step"]
        if step == STEPS or (seed == 0 and step % (STEPS // 8) == 0):
            seconds += time.process_time() - begun
            yield step, seconds, parzen(model.sample(10_000, 1), validation, test)
            begun = time.process_time()


# ---- the shipped digits ----


def labels(args):
    """Label accuracy of 10,000 samples of the default run, classes in turn."""
    data = load("mnist5k")
    judge = Classifier(data, cache=True)
    lines = heading("", "labels right", "trials", "CPU s each")
    for name in args.only or ["cgan"]:
        found, begun = [], time.process_time()
        for seed in args.seeds:
            model = trained(name, data, seed=seed, **RECIPES[name])
            read = judge.labels(model.sample(10_000, 1, ASKED))
            found.append(100 * label_accuracy(read, ASKED)[0])
            seconds = (time.process_time() - begun) / len(found)
            cells = f"{mean(found)}%", len(found), f"{seconds:.0f}"
            line = row(f"`minigan train {name}`", *cells)
            yield "labels", [*lines, line]
        lines.append(line)


def average(args):
    """The same runs sampled with the last parameters and with averaged ones."""
    data = load("mnist5k")
    judge = Classifier(data, cache=True)
    genuine = judge.features(data.x)
    lines = heading("run", "sampled with", "Fréchet distance", "labels right", "trials")
    for name in args.only or ["gan", "cgan"]:
        found = {"the last parameters": [], "their average, 0.999": []}
        for seed in args.seeds:
            model = trained(name, data, seed=seed, **RECIPES[name] | {"ema_decay": 0.999})
            for how, network in zip(found, (None, model.G_average)):
                model.G_average = network
                x = model.sample(10_000, 1, *[ASKED] * (model.n_condition > 0))
                right = 100 * label_accuracy(judge.labels(x), ASKED)[0]
                found[how].append((frechet_distance(judge.features(x), genuine), right))
            shown = []
            for how, values in found.items():
                distance, right = np.transpose(values)
                right = f"{mean(right)}%" if model.n_condition else ""
                shown.append(row(name, how, mean(distance), right, len(values)))
            yield "average", [*lines, *shown]
        lines += shown


# ---- the critic's estimate ----

ESTIMATORS = {"wgan": {"clip": 0.05, "lr": 1e-4}, "wgan-gp": {"penalty_weight": 1.0}}
CRITICS = {"n_data": 2, "n_noise": 2, "output": "linear", "n_critic": 20}
LOOKS = 20, 50, 100, 200, 500, 1000, 2000


def estimate(args):
    """The critic's estimate through training, and the exact distance at the same steps."""
    data = ring(radius=1.0, std=0.05)
    floor = wasserstein_distance(data.x[:1000], data.x[1000:2000])
    lines = heading("model", "step", "critic's estimate", "exact W1", "ratio")
    lines.append(row("two genuine samples", "", "", f"{floor:.4f}", ""))
    for name in args.only or ESTIMATORS:
        model, estimates = build(name, **CRITICS, **ESTIMATORS[name]), []
        for record in minigan.train(model, data, LOOKS[-1], 128):
            estimates.append(record["w_estimate"])
            if record["step"] in LOOKS:
                found = np.mean(estimates[-10:])
                exact = wasserstein_distance(model.sample(1000), data.x[:1000])
                cells = f"{found:.4f}", f"{exact:.4f}", f"{found / exact:.2f}"
                lines.append(row(name, record["step"], *cells))
                yield "estimate", lines


# ---- the default runs ----


def quality(args):
    """Each model by its command line, read by a classifier trained on the full MNIST."""
    minigan.keep_heap()
    judge, test = Classifier(mnist(args.data_dir), epochs=8), mnist(args.data_dir, "test")
    lines = heading(
        "model", "seed", "seconds", "of CPU", "rarest digit", "labels right", "w: last of peak"
    )
    lines.append(row("genuine test digits", "", "", "", *read(judge, test.x, test.labels), ""))
    yield "quality", lines
    for name in args.only or ["gan", "cgan", "wgan", "wgan-gp"]:
        for seed in args.seeds:
            with tempfile.TemporaryDirectory() as folder:
                run = Path(folder) / "run"
                cells = default_run(name, seed, run, judge, args.more)
            lines.append(row(name, seed, *cells))
            yield "quality", lines


def default_run(name, seed, run, judge, more):
    """Seconds, processor seconds, what the classifier reads, and the estimate's share."""
    command = [sys.executable, "-m", "minigan", "train", name, "--quiet", "--seed", str(seed)]
    begun, cpu = time.perf_counter(), cpu_seconds()
    subprocess.run([*command, "--out", str(run), *more], check=True)
    seconds, cpu = time.perf_counter() - begun, cpu_seconds() - cpu
    model, _ = minigan.load_checkpoint(run / "checkpoint.npz")
    asked = [ASKED] * (model.n_condition > 0)
    digits = read(judge, model.sample(len(ASKED), 1, *asked), *asked)
    return f"{seconds:.0f}", f"{cpu:.0f}", *digits, estimate_share(run / "metrics.csv")


def read(judge, x, asked=None):
    """The share of the rarest digit and, if digits were asked for, of the right ones."""
    found = judge.labels(x)
    right = "" if asked is None else f"{label_accuracy(found, asked)[0]:.2%}"
    return f"{class_shares(found, 10).min():.1%}", right


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


# ---- stacked digits ----


def stacks(args):
    """Modes and divergence of 26,000 samples, at an eighth, a quarter, ... of the training."""
    data, judge = load("stacked"), Classifier(load("mnist5k"), cache=True)
    lines = heading("", "seed", "iterations", "CPU s", "modes of 1000", "KL divergence")
    modes, divergence = stacked.modes_and_divergence(data.labels)
    lines.append(row("the data themselves", "", "", "", modes, f"{divergence:.3f}"))
    for name in args.only or ["r3gan"]:
        for seed in args.seeds:
            own = recipe(name, "stacked", "conv")
            steps, m = own.pop("steps"), own.pop("batch_size")
            fixed = {"n_data": data.x.shape[1], "image_shape": data.image_shape}
            model, seconds = build(name, network="conv", seed=seed, **fixed, **own), 0.0
            begun = time.process_time()
            for record in minigan.train(model, data, steps, m, seed):
                if record["step"] * 8 % steps:
                    continue
                seconds += time.process_time() - begun
                read_as = stacked.read(judge, model.sample(stacked.N, 1))
                modes, divergence = stacked.modes_and_divergence(read_as)
                cells = seed, f"{record['step']:,}", f"{seconds:.0f}", modes
                lines.append(row(f"{name}, ours", *cells, f"{divergence:.3f}"))
                yield "stacked", lines
                begun = time.process_time()


ROWS = {"ring": mixture, "grid": mixture, "parzen": parzen_row, "labels": labels}
ROWS |= {"average": average, "estimate": estimate, "quality": quality}
ROWS["stacked"] = stacks
