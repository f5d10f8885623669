r"""Stacked digits: pictures of a thousand kinds, which can be counted.

Three digits, each drawn at random, are the red, the green and the blue of one picture. There
are $10^3$ triples, all as likely, so a generator that shows few of them can be told from one
that shows all, and a classifier of digits tells which it shows: it reads each colour by itself.

Sources: Metz et al. (2017), Unrolled generative adversarial networks; the measure is that of
Srivastava et al. (2017), VEEGAN, with the 26,000 samples of Lin et al. (2018), PacGAN.
"""

import numpy as np

from ..arrays import check_memory, stream
from ..data import Dataset
from ..errors import DataError, whole_number
from .metrics import divergence_of_counts
from .source import Source

COLOURS = 3
MODES = 10**COLOURS
N = 26_000  # rows of the data, and samples that are measured


def stacked(digits=None, n=N, seed=0, drawn=0):
    r"""n pictures of three digits each; the label $100a + 10b + c$ says which.

    digits : a `Dataset` of ten classes of grey pictures to draw from, each as often; None is
        the shipped `mnist5k`
    drawn : 0 for the data of a seed, 1 for other pictures of the same digits

    Shapes: x (n, h·w·3), pixel by pixel, the three digits of a pixel side by side.
    """
    if digits is None:
        from .loaders import mnist5k as shipped

        digits = shipped()
    if digits.n_classes != 10 or digits.image_shape is None or len(digits.image_shape) != 2:
        raise DataError(f"{digits.name}: expected grey pictures of ten classes")
    n = whole_number("n", n, error=DataError)
    seed = whole_number("seed", seed, "[0, inf)", DataError)
    check_memory(f"stacked: {n} pictures", 4 * n * COLOURS * digits.x.shape[1])
    rng = stream(seed, "digits of a stack", drawn)
    classes = rng.integers(10, size=(COLOURS, n))
    x = np.empty((n, digits.x.shape[1], COLOURS), np.float32)
    for colour, shown in enumerate(classes):
        x[:, :, colour] = digits.x[rows_that_show(digits.labels, shown, rng)]
    hundreds, tens, ones = classes
    source = Source(
        unseen="other triples of digits",
        held_out=lambda n: stacked(digits, n, seed, drawn + 1),
        stacked=True,
    )
    shape, labels = (*digits.image_shape, COLOURS), 100 * hundreds + 10 * tens + ones
    return Dataset(x.reshape(n, -1), labels, shape, "stacked", range(MODES), source)


def rows_that_show(labels, classes, rng):
    r"""For each of the classes (n,) the number of a row of that label, each as likely."""
    order, counts = np.argsort(labels, kind="stable"), np.bincount(labels, minlength=10)
    first = np.cumsum(counts) - counts
    return order[first[classes] + rng.integers(counts[classes])]


def read(judge, x):
    r"""The label of each row (n,): what the judge reads in each of its colours."""
    every = np.ascontiguousarray(np.reshape(x, (len(x), -1, COLOURS)).transpose(2, 0, 1))
    hundreds, tens, ones = map(judge.labels, every)
    return 100 * hundreds + 10 * tens + ones


def modes_and_divergence(labels):
    r"""(modes, KL divergence) of the labels of samples; see `divergence_of_counts`."""
    counts = np.bincount(labels, minlength=MODES)
    return int(np.count_nonzero(counts)), divergence_of_counts(counts)
