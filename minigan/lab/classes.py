r"""Which classes a generator draws, looked at whenever a frame of the film is drawn.

The looks are kept in classes.json, and the warnings of a mode collapse follow from them alone:
a run that was killed and went on tells the same as a run never stopped.
"""

import json
from dataclasses import asdict, dataclass

import numpy as np

from ..arrays import stream
from ..errors import DataError, RunError
from .files import read_bytes
from .metrics import class_shares, measurable, missing_classes
from .source import class_names

NAME = "classes.json"
LARGEST = 2**26  # bytes of it
MOST = 1000  # classes that are looked at
DIRECTIONS = 30  # in which rows are read, those of most variance
SHAPED = 0.8  # of the samples: with fewer that have shape, the generator is still noise
LONG, SHORT = 6, 2  # looks in a row after which a class is lost, and after which it is back


class Reader:
    r"""Reads the class of a sample, cheaply enough for the training loop.

    data : a `Dataset`; `classes` holds the values of its labels, and is empty where nothing
    can be read: without labels, with a single class, with more than a thousand, of stacks

    In the k directions of most variance, class j is a Gaussian with the mean $\mu_j$ and the
    covariance $C_j$ of its rows, and a sample z belongs to the class that minimises

    $$(z - \mu_j)^\top C_j^{-1} (z - \mu_j) + \log\det C_j$$

    On mixtures that is exact; of genuine digits it reads 97% rightly. Nothing is trained.
    """

    def __init__(self, data):
        there = [] if data.labels is None else np.unique(data.labels).tolist()
        names, stacked = class_names(data), getattr(data.source, "stacked", False)
        readable = 2 <= len(there) <= MOST and not stacked
        self.classes = [names[j] for j in there] if readable else []
        if not self.classes:
            return
        rows = stream(0, "rows to be watched").permutation(len(data))[:5000]
        kept = [data.x[data.labels == j][:2000] for j in there]
        self.centre = data.x[rows].mean(axis=0, dtype=np.float64)
        self.basis = directions(data.x[rows[:1000]] - self.centre)
        self.fit([self.project(x)[0] for x in kept])
        squared, rest = self.distances(data.x[rows])
        self.near = 4 * np.quantile(squared.min(axis=1), 0.99)
        self.rough = np.quantile(rest, 0.95)
        self.genuine = self.shares(data.x[rows])

    def fit(self, parts):
        r"""The Gaussian of each class from its rows; few rows lean on those of all classes."""
        k = self.basis.shape[1]
        self.means = [z.mean(axis=0) for z in parts]
        spread = [(z - mean).T @ (z - mean) for z, mean in zip(parts, self.means)]
        pooled = sum(spread) / sum(map(len, parts))
        floor = 1e-6 * np.var(np.concatenate(parts), axis=0).sum() + 1e-30
        pooled += floor / k * np.eye(k)
        both = [(s + k * pooled) / (len(z) + k) for s, z in zip(spread, parts)]
        self.whiten = [np.linalg.inv(np.linalg.cholesky(C)).T for C in both]
        self.log_det = [-2 * np.log(np.diag(w)).sum() for w in self.whiten]

    def project(self, x):
        r"""(z (n, k), the part of each row's square that lies outside of it (n,))."""
        x = x - self.centre
        z = x @ self.basis
        if self.basis.shape[0] == self.basis.shape[1]:
            return z, np.zeros(len(x))
        whole = (x * x).sum(axis=1)
        return z, 1 - (z * z).sum(axis=1) / np.maximum(whole, 1e-30)

    def distances(self, x):
        r"""(squared distance of each row from each class (n, classes), its part outside)."""
        z, rest = self.project(x)
        away = [(((z - mean) @ w) ** 2).sum(axis=1) for mean, w in zip(self.means, self.whiten)]
        return np.stack(away, axis=1), rest

    def shares(self, x):
        r"""The share of each class among the rows x (n, d)."""
        read = (self.distances(x)[0] + self.log_det).argmin(axis=1)
        return class_shares(read, len(self.classes))

    def shape(self, x):
        r"""The part of the rows that have shape, as 95 of a hundred genuine rows have: they are
        no rougher, and about as near to a class. Noise is not, whatever class it is read as.
        """
        squared, rest = self.distances(x)
        return float(np.mean((squared.min(axis=1) <= self.near) & (rest <= self.rough)))

    def look(self, model, n=500):
        r"""(shape, shares) of n samples of the model; None if they cannot be measured."""
        with np.errstate(over="ignore", invalid="ignore"):
            x = model.sample(n, seed=1)
        try:
            (x,) = measurable("samples", x, dtype=np.float64)
        except DataError:
            return None
        return self.shape(x), self.shares(x)


def directions(x):
    r"""The directions of most variance of centred rows x (n, d), as columns (d, k)."""
    n, d = x.shape
    if d <= DIRECTIONS:
        return np.eye(d)
    values, vectors = np.linalg.eigh(x @ x.T)  # n is small, d may be large
    top = values[-DIRECTIONS:] > 1e-9 * values[-1]
    basis = x.T @ vectors[:, -DIRECTIONS:][:, top]
    return basis / np.linalg.norm(basis, axis=0)


@dataclass
class Looks:
    r"""What classes.json holds.

    classes : the labels' values; genuine : their shares among genuine rows
    looks : [step, shape, shares], in the order of the steps
    """

    classes: list
    genuine: list
    looks: list

    def to_json(self):
        r"""The file's content, as bytes."""
        return json.dumps(asdict(self)).encode() + b"\n"

    def add(self, step, shape, shares):
        r"""Keep a look, in four digits."""
        self.looks.append([step, round(shape, 4), [round(float(p), 4) for p in shares]])

    def cut(self, step):
        r"""Forget the looks after that step; says whether there were any."""
        kept = [look for look in self.looks if look[0] <= step]
        before, self.looks = len(self.looks), kept
        return len(kept) < before

    def told(self, steps):
        r"""[(step, sentence)] of a run of so many steps: which classes were lost (58), in six
        looks in a row, and which came back, in two.

        From a quarter of the run on, a class is lost that was drawn and is not any more; from
        half of it on, also one that never was. Samples without shape say nothing.
        """
        found, lost, drawn, seen = [], set(), set(), []
        for step, shape, shares in self.looks:
            if shape < SHAPED or 4 * step < steps:
                seen = []
                continue
            seen.append(set(missing_classes(shares, self.genuine).tolist()))
            gone = set.intersection(*seen[-LONG:]) if len(seen) >= LONG else set()
            there = set(range(len(self.classes))) - set.union(*seen[-SHORT:])
            there = there if len(seen) >= SHORT else set()
            new = (gone if 2 * step >= steps else gone & drawn) - lost
            back, drawn = there & lost, drawn | there
            lost = (lost | new) - back
            if new:
                text = f"hardly any samples of {self.named(lost)}: a mode collapse?"
                found.append((step, f"step {step}: {text}"))
            if back:
                found.append((step, f"step {step}: {self.named(back)} came back"))
        return found

    def is_sound(self):
        r"""Whether everything is of the kind that `add` has left."""
        k, shares = len(self.classes), [self.genuine, *(shares for _, _, shares in self.looks)]
        numbers = [float(p) for each in shares for p in each] + [s for _, s, _ in self.looks]
        steps = [-1, *(step for step, _, _ in self.looks)]
        return (
            k > 1
            and all(len(each) == k for each in shares)
            and all(isinstance(each, int) for each in steps)
            and {type(each) for each in self.classes} in ({int}, {str})
            and all(low < high for low, high in zip(steps, steps[1:]))
            and all(0 <= p <= 1 for p in numbers)
        )

    def named(self, places):
        r"""The classes at these places, in words."""
        names = ", ".join(str(self.classes[j]) for j in sorted(places))
        return f"class {names}" if len(places) == 1 else f"classes {names}"


def read_looks(folder):
    r"""The `Looks` of a run folder; None if there are none, or none that can be read."""
    try:
        about = json.loads(read_bytes(folder / NAME, LARGEST))
        found = Looks(**about)
        return found if found.is_sound() else None
    except (RunError, ValueError, TypeError, RecursionError, OverflowError):
        return None
