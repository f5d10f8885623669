r"""Chapter 8. The same game with a condition.

Mirza & Osindero give both players a condition c, here the class of a digit. G is asked for
a sample of class c, and D judges whether a row is real *as a sample of class c*: a perfect
seven is a fake when c says three. Nothing else changes, so this chapter changes nothing
else, and it composes with any game: `class CGAN(Conditional, GAN)`.
"""

from dataclasses import dataclass

import numpy as np

from .arrays import array_namespace, device, stream
from .errors import DataError, fixed, parameter
from .game import Game
from .gan import GAN


@dataclass(eq=False, kw_only=True, repr=False)
class Conditional:
    r"""Joins a condition to what G and D are given; stands before a `Game` in a class.

    It has no base: were it a `Game` itself, the defaults of `Game` would come in with it and
    hide those that the game behind it has changed.
    Source: Mirza & Osindero (2014), Conditional generative adversarial nets, equation 2.
    """

    n_classes: int = fixed(10, "number of classes", "[1, inf)")

    @property
    def n_condition(self):
        r"""The width of c: one column per class."""
        return self.n_classes

    def condition(self, labels):
        r"""(25) One-hot: $c_{ij} = 1$ where j is the label of row i, else 0.

        labels : integers (m,) in the model's library. Returns c (m, n_classes).
        """
        xp = array_namespace(labels)
        classes = xp.arange(self.n_classes, device=device(labels))
        return xp.astype(labels[:, None] == classes, self.G.theta.dtype)

    def G_input(self, z, c):
        r"""(26) $[z, c]$ (m, n_noise + n_classes)."""
        return array_namespace(z, c).concat([z, c], axis=1)

    def D_input(self, x, c):
        r"""(27) $[x, c]$ (m, n_data + n_classes).

        Of the delta that comes back, the first n_data columns are x's: c is given, not
        made, and G has no say in it.
        """
        return array_namespace(x, c).concat([x, c], axis=1)

    def sample(self, n: int | None = None, seed: int = 0, labels=None) -> np.ndarray:
        r"""n rows of the asked classes, (n, n_data), the labels repeating in turn up to n.

        Without n, one row for each label; without labels, all classes 0, 1, 2, … in turn.
        Raises DataError for a label outside 0 … n_classes − 1.
        """
        labels = self.check_labels(range(self.n_classes) if labels is None else labels)
        n = self.check_sample(labels.size if n is None else n)
        c = self.condition(self.asarray(np.resize(labels, n)))
        return self.in_units_of_data(self.noise(n, stream(seed, "noise of samples")), c)

    def check_labels(self, labels):
        r"""The labels as an array of at least one; raises DataError if one has no class."""
        try:
            labels = np.atleast_1d(labels)
        except ValueError as error:  # rows of unequal length
            raise DataError(f"labels: expected whole numbers: {error}") from None
        if labels.dtype.kind not in "iu" or labels.ndim != 1 or not labels.size:
            raise DataError(f"labels: expected whole numbers, got {labels.tolist()}")
        wrong = labels[(labels < 0) | (labels >= self.n_classes)]
        if wrong.size:
            raise DataError(f"labels: expected 0 to {self.n_classes - 1}, got {wrong[0]}")
        return labels


@dataclass(eq=False, kw_only=True, repr=False)
class CGAN(Conditional, GAN):
    r"""The conditional GAN: (22) and (23) with D(x, c) and D(G(z, c), c).

    The fakes of an iteration carry the labels of its real rows, so both have the same
    distribution of classes. A class may be lost for some hundred steps while the others
    improve; samples are therefore drawn with averaged parameters.
    """

    D_lr: float = parameter(5e-4, "learning rate of the discriminator", "(0, inf)")
    ema_decay: float = parameter(
        0.999, "decay of the moving average of G that draws samples; 0 is none", "[0, 1)"
    )


def conditional(game: type[Game]) -> type:
    r"""The conditional form of a game of your own, the same class at every call.

    It is `class (Conditional, game)`, which the games of this library have written out, and
    which must be written out for a game that is to be pickled.
    """
    for cls in game.__subclasses__():
        if cls.__bases__ == (Conditional, game):
            return cls
    about = {"__doc__": f"{game.__name__}, conditional.", "__module__": game.__module__}
    cls = type(f"Conditional{game.__name__}", (Conditional, game), about)
    return _kept.setdefault(game, dataclass(eq=False, repr=False)(cls))


_kept: dict[type, type] = {}  # a class that nothing refers to would be made anew
