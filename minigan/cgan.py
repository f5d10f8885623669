r"""Chapter 7. The same game with a condition.

Mirza & Osindero give both players a condition c, here the class of a digit. G is asked for
a sample of class c, and D judges whether a row is real *as a sample of class c*: a perfect
seven is a fake when c says three. Nothing else changes, so this chapter changes nothing
else, and it composes with any game: `class CGAN(Conditional, GAN)`.
"""

from dataclasses import dataclass

import numpy as np

from .arrays import array_namespace, device, to_numpy
from .errors import DataError, MiniganError
from .gan import GAN


@dataclass(eq=False, kw_only=True)
class Conditional:
    r"""Joins a condition to what G and D are given; stands before a `Game` in a class.

    n_classes : number of classes

    Source: Mirza & Osindero (2014), Conditional generative adversarial nets, equation 2.
    """

    n_classes: int = 10

    def check(self):
        super().check()
        if self.n_classes < 1:
            raise MiniganError(f"n_classes: must be at least 1, got {self.n_classes}")

    @property
    def n_condition(self):
        r"""The width of c: one column per class."""
        return self.n_classes

    def condition(self, labels):
        r"""(23) One-hot: $c_{ij} = 1$ where j is the label of row i, else 0.

        labels : integers (m,) in the model's library. Returns c (m, n_classes).
        """
        xp = array_namespace(labels)
        classes = xp.arange(self.n_classes, device=device(labels))
        return xp.astype(labels[:, None] == classes, self.G.theta.dtype)

    def G_input(self, z, c):
        r"""(24) $[z, c]$ (m, n_noise + n_classes)."""
        return array_namespace(z, c).concat([z, c], axis=1)

    def D_input(self, x, c):
        r"""(25) $[x, c]$ (m, n_data + n_classes).

        Of the delta that comes back, the first n_data columns are x's: c is given, not
        made, and G has no say in it.
        """
        return array_namespace(x, c).concat([x, c], axis=1)

    def sample(self, n=None, seed=0, labels=None):
        r"""Rows of the asked classes, (n, n_data); without labels 0, 1, 2, … in turn.

        Raises DataError for a label outside 0 … n_classes − 1, or if n is another number.
        """
        if labels is None:
            labels = np.arange(self.n_classes if n is None else n) % self.n_classes
        labels = np.asarray(labels)
        if labels.dtype.kind not in "iu" or labels.ndim != 1:
            raise DataError(f"labels: expected whole numbers, got {labels.tolist()}")
        wrong = labels[(labels < 0) | (labels >= self.n_classes)]
        if wrong.size:
            raise DataError(f"labels: expected 0 to {self.n_classes - 1}, got {wrong[0]}")
        if n not in (None, labels.size):
            raise DataError(f"n: {n} samples asked for, but {labels.size} labels given")
        z = self.noise(labels.size, np.random.default_rng(seed))
        return to_numpy(self.generate(z, self.condition(self.asarray(labels))))


@dataclass(eq=False, kw_only=True)
class CGAN(Conditional, GAN):
    r"""The conditional GAN: (20) and (21) with D(x, c) and D(G(z, c), c).

    The fakes of an iteration carry the labels of its real rows, so both have the same
    distribution of classes. A class may be lost for some hundred steps while the others
    improve; samples are therefore drawn with averaged parameters.
    """

    D_lr: float = 5e-4
    average: float = 0.999


def conditional(cls):
    r"""The conditional form of any game: `conditional(WGAN)` is `class (Conditional, WGAN)`."""
    name = f"Conditional{cls.__name__}"
    bases, doc = (Conditional, cls), f"{cls.__doc__.partition(chr(10))[0][:-1]}, conditional."
    return dataclass(eq=False, kw_only=True)(type(name, bases, {"__doc__": doc}))
