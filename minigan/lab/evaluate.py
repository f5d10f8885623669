r"""Is it any good? Every measure that suits a run, beside its control.

The control is genuine training rows, as many, scored in the same way: no generator is
expected to do better, and one that does has found a weakness of the measure. Where it can
be had, both are compared with rows that neither the generator nor the classifier has seen:
MNIST's test digits, the "t10k" files of a folder, or newly drawn points. Else the data is
halved: the control is one half, what it is compared with the other.

What there is to compare with is known from the data's `Source`, never from its name.
"""

import numpy as np

from ..arrays import stream
from ..errors import DataError, DivergedError, MiniganError, RunError, whole_number
from . import metrics, stacked
from .classifier import SIDE, Classifier
from .loaders import mnist5k
from .parzen import parzen
from .source import Source, class_names

LARGEST_W1 = 2000  # rows: the time of an assignment grows with their cube
LEAST = 10  # rows, of which something can be said
ENOUGH = 10_000  # rows that were never seen


def evaluate(model, data, n=None, seed=1):
    r"""Every measure of the model's samples and of genuine rows, as a dictionary.

    model : a trained `Game`; data : the `Dataset` it learned from
    n : samples; None is 10,000 pictures, 26,000 stacked ones or 2,500 points, and fewer if
        there are fewer genuine rows
    seed : of the samples, which are those that `model.sample` draws with it

    "samples" and "genuine" hold {measure: value, or a list of values}; "against" says
    with which rows both are compared, and "classes" what is in the lists. Raises
    DataError if there are too few rows, and DivergedError if samples are not finite.
    """
    n = n if n is not None else usual_number(data)
    n = whole_number("n", n, f"[{LEAST}, inf)", RunError)
    control, unseen, against = genuine(data, n)
    n = min(n, len(control), len(unseen))
    asked = np.arange(n) % model.n_condition if model.n_condition else None
    x = samples(model, data, n, seed, asked)
    measure = measures(data)
    found = {"n": n, "against": against, "classes": class_names(data)}
    found["samples"] = measure(x, asked, unseen)
    found["genuine"] = measure(control.x[:n], None if asked is None else control.labels, unseen)
    return found


def usual_number(data):
    r"""How many samples are measured if nothing is said."""
    if is_stacked(data):
        return stacked.N
    return 10_000 if data.image_shape else 2_500


def is_stacked(data):
    r"""Whether these are stacked digits, which have a protocol of their own."""
    return data.source is not None and data.source.stacked


def measures(data):
    r"""The measures that suit the data, as a function of rows, labels and unseen rows."""
    if is_stacked(data):
        return stacks
    return pictures(data) if data.image_shape else points(data)


def samples(model, data, n, seed, asked):
    r"""n samples (n, d), all finite and as wide as the data."""
    with np.errstate(over="ignore", invalid="ignore"):
        x = model.sample(n, seed) if asked is None else model.sample(n, seed, asked)
    if x.shape[1] != data.x.shape[1]:
        raise DataError(
            f"data: {data.name} has {data.x.shape[1]} columns, the model makes {x.shape[1]}"
        )
    try:
        return metrics.measurable("samples", x)[0]
    except DataError as error:
        raise DivergedError(f"the model has diverged, {error}") from None


def genuine(data, n):
    r"""(control, unseen rows, what to call these), the rows in a random but fixed order."""
    source = data.source or Source()
    most = stacked.N if is_stacked(data) else ENOUGH
    unseen = source.held_out(min(n, most))
    if unseen is not None:
        unseen, data = unseen.part(slice(most)), source.more() or data
    enough(data, len(data) // 2 if unseen is None else len(data))
    rows = stream(0, "rows to be measured").permutation(len(data))
    if unseen is None:
        half = len(rows) // 2
        against = f"{half:,} of the training rows, as no {source.unseen} were found"
        return data.part(rows[half:]), data.part(rows[:half]), against
    enough(unseen, len(unseen))
    if unseen.image_shape != data.image_shape:
        raise DataError(
            f"data: {data.name} has images of {data.image_shape}, its {source.unseen} of "
            f"{unseen.image_shape}"
        )
    return data.part(rows[:n]), unseen, f"{len(unseen):,} {source.unseen}"


def enough(data, n):
    r"""Raises DataError if that are too few rows to be compared with anything."""
    if n < LEAST:
        raise DataError(
            f"data: {data.name} has {len(data)} rows, too few to be measured; needed are "
            f"{LEAST} for each side of a comparison"
        )


def points(data):
    r"""The measures of points: modes, quality and W₁ where they apply."""
    source = data.source or Source()

    def measure(x, asked, unseen):
        found, n = {}, len(x)
        if source.modes is not None and source.std:
            captured, quality = metrics.modes_captured(x, source.modes, source.std)
            found[f"modes of {len(source.modes)}"] = captured
            found["within 3 sigma"] = quality
        found["precision"], found["recall"] = metrics.precision_recall(unseen.x[:n], x)
        if x.shape[1] <= 2:
            found["W1"] = carried(x, unseen.x[:n])
        return found

    return measure


def carried(x, y):
    r"""W₁ of points on a line or in a plane; where it cannot be had, the reason."""
    if x.shape[1] == 1:
        return metrics.wasserstein_1d(x, y)
    few = min(len(x), LARGEST_W1)
    try:
        return metrics.wasserstein_distance(x[:few], y[:few])
    except MiniganError as error:
        return str(error)


def judge_of(data):
    r"""The classifier that reads such pictures; None if none can be had."""
    if data.image_shape != (SIDE, SIDE) or data.n_classes < 2:
        return None
    digits = data.source is not None and data.source.digits
    return Classifier(mnist5k() if digits else data, cache=True)


def pictures(data):
    r"""The measures of pictures; those in a classifier's features if it can be had."""
    judge = judge_of(data)

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
        few = min(1000, len(unseen) // 2)  # the last rows choose sigma, the others judge
        window = parzen(x, unseen.x[-few:], unseen.x[:-few])
        names = "Parzen log-likelihood", "its standard error", "its sigma"
        return found | dict(zip(names, window))

    return measure


def stacks(x, asked, unseen):
    r"""The measures of stacked digits, which need no unseen rows."""
    label = stacked.read(Classifier(mnist5k(), cache=True), x)
    modes, divergence = stacked.modes_and_divergence(label)
    found = {f"modes of {stacked.MODES}": modes, "KL divergence": divergence}
    if asked is not None:
        found["label accuracy"] = metrics.label_accuracy(label, asked[: len(x)])[0]
    return found


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
            rows = zip(found["classes"], value, control[name])
            lines += [f"{f'share of class {j}':24}{a:10.1%}{b:10.1%}" for j, a, b in rows]
        elif isinstance(value, str):
            lines.append(f"{name:24}  {value}")
        else:
            lines.append(f"{name:24}{shown(name, value)}{shown(name, control[name])}")
    shares = ours.get("class shares", [])
    missing = metrics.missing_classes(shares, control.get("class shares", []))
    if len(missing):
        lost = ", ".join(str(found["classes"][j]) for j in missing)
        lines += ["", f"hardly any samples of class {lost}: a mode collapse"]
    return "\n".join(lines)


def shown(name, value):
    r"""A number in ten columns: shares in percent."""
    if name in ("precision", "recall", "label accuracy", "within 3 sigma"):
        return f"{value:10.1%}"
    return f"{value:10d}" if isinstance(value, int) else f"{value:10.3g}"
