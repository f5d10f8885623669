r"""Is it any good? Every measure that suits a run, beside its control.

The control is genuine training rows, as many, scored in the same way: no generator is
expected to do better, and one that does has found a weakness of the measure. Where it can
be had, both are compared with rows that neither the generator nor the classifier has seen:
MNIST's test digits, the "t10k" files of a folder, or newly drawn points. Else the data is
halved: the control is one half, what it is compared with the other.
"""

import json
from pathlib import Path

import numpy as np

from ..data import Dataset
from ..errors import DataError, MiniganError, RunError
from . import metrics
from .loaders import grid, grid_modes, idx_folder, load, mnist, ring, ring_modes
from .parzen import parzen

TEXT = "measure what a run's samples are worth, beside genuine data"
EXAMPLES = """examples:
  minigan evaluate runs/gan-mnist5k
  minigan evaluate runs/cgan-mnist5k --n 2000
  minigan evaluate runs/gan-mnist5k --data-dir data/mnist   where the test digits lie
  minigan evaluate runs/gan-ring

The table is also kept in RUN/metrics.json.
"""
MIXTURES = {"ring": (ring, ring_modes, 0.01), "grid": (grid, grid_modes, 0.05)}
LARGEST_W1 = 2000  # rows: the time of an assignment grows with their cube


def add_options(command):
    r"""The options of `minigan evaluate`."""
    command.set_defaults(command=evaluate_command, n=None, data_dir=None, seed=1)
    command.add_argument("run", metavar="RUN", help="a run folder, such as runs/gan-mnist5k")
    command.add_argument("--n", type=int, help="samples (default 10000; of points 2500)")
    command.add_argument("--data-dir", metavar="DIR", help="where the full MNIST lies")
    command.add_argument("--seed", type=int, help="of the noise (default 1)")


def evaluate_command(args):
    r"""`minigan evaluate`: print the table of a run and write it to its metrics.json."""
    from ..training import keep_heap
    from .checkpoint import load_checkpoint
    from .run import Run

    run = Run.open(args.run)
    model, state = load_checkpoint(run.checkpoint)
    data = load(run.config["data"], args.data_dir or run.config["data_dir"])
    keep_heap()
    about = {"run": Path(args.run).name, "model": run.config["model"], "step": state.step}
    found = about | evaluate(model, data, args.n, args.data_dir, args.seed)
    print(table(found))
    run.write("metrics.json", json.dumps(found, indent=2).encode() + b"\n")
    return 0


def evaluate(model, data, n=None, data_dir=None, seed=1):
    r"""Every measure of the model's samples and of genuine rows, as a dictionary.

    model : a trained `Game`; data : the `Dataset` it learned from
    n : samples; None is 10,000 pictures or 2,500 points, fewer if there are fewer genuine
    data_dir : where MNIST's test digits are looked for; by default the user's cache

    "samples" and "genuine" hold {measure: value, or a list of values}; "against" says
    with which rows both are compared.
    """
    n = n if n is not None else (10_000 if data.image_shape else 2_500)
    if n < 10:
        raise RunError(f"--n: must be at least 10, got {n}")
    control, unseen, against = genuine(data, n, data_dir)
    n = min(n, len(control.x), len(unseen.x))
    asked = np.arange(n) % model.n_condition if model.n_condition else None
    x = model.sample(n, seed) if asked is None else model.sample(n, seed, asked)
    measure = pictures(data) if data.image_shape else points(data)
    found = {"n": n, "against": against}
    found["samples"] = measure(x, asked, unseen)
    found["genuine"] = measure(control.x[:n], None if asked is None else control.labels, unseen)
    return found


def genuine(data, n, data_dir):
    r"""(control, unseen rows, what to call these), the rows in a random but fixed order."""
    if data.name in MIXTURES:
        unseen, against = MIXTURES[data.name][0](n, seed=1), f"{n} newly drawn points"
    else:
        unseen = held_out(data, data_dir)
        against = unseen and f"{len(unseen.x)} test rows"
        if unseen and data.name == "mnist5k":
            data = mnist(data_dir)  # there are more of the same kind
    rows = np.random.default_rng(0).permutation(len(data.x))
    if unseen is None:
        half = len(rows) // 2
        against = f"{half} of the training rows, as no test rows were found"
        return part(data, rows[half:]), part(data, rows[:half]), against
    return part(data, rows[:n]), part(unseen, slice(10_000)), against


def held_out(data, data_dir):
    r"""The test split of the data, or None if it is not there."""
    try:
        if data.name in ("mnist", "mnist5k"):
            return mnist(data_dir, "test")
        return idx_folder(data_dir or data.name, "test") if data.image_shape else None
    except DataError:
        return None


def part(data, rows):
    r"""The Dataset of some rows."""
    labels = None if data.labels is None else data.labels[rows]
    return Dataset(data.x[rows], labels, data.image_shape, data.name)


def points(data):
    r"""The measures of points: modes, quality and W₁ where they apply."""
    mixture = MIXTURES.get(data.name)

    def measure(x, asked, unseen):
        found = {}
        if mixture:
            modes = mixture[1]()
            captured, quality = metrics.modes_captured(x, modes, mixture[2])
            found[f"modes of {len(modes)}"] = captured
            found["within 3 sigma"] = quality
        found["precision"], found["recall"] = metrics.precision_recall(unseen.x[: len(x)], x)
        if x.shape[1] == 1:
            found["W1"] = metrics.wasserstein_1d(x, unseen.x[: len(x)])
        elif x.shape[1] == 2:
            few = min(len(x), LARGEST_W1)
            try:
                found["W1"] = metrics.wasserstein_distance(x[:few], unseen.x[:few])
            except MiniganError as error:
                found["W1"] = str(error)
        return found

    return measure


def pictures(data):
    r"""The measures of pictures; those in a classifier's features if it can be had."""
    from .classifier import SIDE, Classifier

    judge = None
    if data.image_shape == (SIDE, SIDE) and data.labels is not None:
        judge = Classifier(load("mnist5k") if data.name == "mnist" else data, cache=True)

    def measure(x, asked, unseen):
        found = {}
        if judge:
            of_x, of_unseen = judge.features(x), judge.features(unseen.x)
            found["Frechet distance"] = metrics.frechet_distance(of_x, of_unseen)
            n = min(len(x), len(of_unseen))
            ratio = metrics.precision_recall(of_unseen[:n], of_x[:n])
            found["precision"], found["recall"] = ratio
            read = judge.labels(x)
            if asked is not None:
                found["label accuracy"] = metrics.label_accuracy(read, asked[: len(x)])[0]
            found["class shares"] = metrics.class_shares(read, data.n_classes).tolist()
        few = min(1000, len(unseen.x) // 2)  # the last rows choose sigma, the others judge
        window = parzen(x, unseen.x[-few:], unseen.x[:-few])
        names = "Parzen log-likelihood", "its standard error", "its sigma"
        return found | dict(zip(names, window))

    return measure


def table(found):
    r"""The two columns as text, with the classes that are missing."""
    ours, control = found["samples"], found["genuine"]
    lines = [
        f"{found['run']} at step {found['step']}: {found['n']} samples against "
        f"{found['against']}",
        "",
        f"{'':24}{'samples':>10}{'genuine':>10}",
    ]
    for name, value in ours.items():
        if isinstance(value, list):
            pairs = enumerate(zip(value, control[name]))
            lines += [
                f"{'share of class ' + str(j):24}{a:10.1%}{b:10.1%}" for j, (a, b) in pairs
            ]
        elif isinstance(value, str):
            lines.append(f"{name:24}  {value}")
        else:
            lines.append(f"{name:24}{shown(name, value)}{shown(name, control[name])}")
    shares = ours.get("class shares")
    lost = metrics.missing_classes(shares, control["class shares"]) if shares else ()
    if len(lost):
        lines += [
            "",
            f"hardly any samples of class {', '.join(map(str, lost))}: a mode collapse",
        ]
    return "\n".join(lines)


def shown(name, value):
    r"""A number in ten columns: shares in percent."""
    if name in ("precision", "recall", "label accuracy", "within 3 sigma"):
        return f"{value:10.1%}"
    return f"{value:10d}" if isinstance(value, int) else f"{value:10.3g}"
