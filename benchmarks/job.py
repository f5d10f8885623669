r"""What the contenders of the benchmarks are to do: the games, the networks, the numbers."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

N_NOISE, N_DATA, N_ROWS, N_CLASSES, SLOPE = 100, 784, 5000, 10, 0.2
REAL_LABEL, CLIP, PENALTY_WEIGHT, EPS, RHO = 0.9, 0.01, 10.0, 1e-8, 0.99


class Rules(NamedTuple):
    """How a game is played: as this library plays it if nothing else is said."""

    critic_steps: int = 1
    betas: tuple = (0.5, 0.999)  # of Adam; None where it is RMSProp
    gamma: float = 0.0  # of R1 and R2


GAMES = {
    "gan": Rules(),
    "cgan": Rules(),
    "wgan": Rules(5, None),
    "wgan-gp": Rules(5, (0.5, 0.9)),
    "r3gan": Rules(1, (0.0, 0.99), 1.0),
    "r3gan-0": Rules(1, (0.0, 0.99)),
}


@dataclass
class Job:
    """The networks, the game, the rows and their labels, the initial weights."""

    m: int = 64
    width: int = 128
    game: str = "gan"
    dtype: str = "float32"
    backend: str = "numpy"
    lr: float = 1e-3
    D_lr: float = 1e-3
    seed: int = 0
    data: np.ndarray = None

    def __post_init__(self):
        if self.data is None:
            self.data = numbers(0).random((N_ROWS, N_DATA), np.float32)
        self.data = self.data.astype(self.dtype)
        self.n_critic, self.betas, self.gamma = GAMES[self.game]
        self.logits = self.game in ("gan", "cgan")  # whether D's score is one
        self.relativistic = self.game.startswith("r3gan")
        self.labels, n_condition = None, 0
        if self.game == "cgan":
            self.labels, n_condition = numbers(6).integers(N_CLASSES, size=len(self.data)), 10
        self.sizes_G = N_NOISE + n_condition, self.width, self.width, N_DATA
        self.sizes_D = N_DATA + n_condition, self.width, self.width, 1

    def conditions(self):
        """One-hot: a row for each row of the data."""
        return np.eye(N_CLASSES, dtype=self.dtype)[self.labels]

    def thetas(self):
        """He initialisation, a WGAN's critic clipped: the same numbers in any dtype."""
        from minigan.arrays import stream

        thetas = []
        for player, sizes in (("G", self.sizes_G), ("D", self.sizes_D)):
            rng = stream(self.seed, f"weights of {player}")
            n_theta = sum(n * k + k for n, k in zip(sizes, sizes[1:]))
            n_theta -= player == "D" and not self.logits  # no bias is added to the score
            thetas.append(np.zeros(n_theta, np.float32))
            for W in split(thetas[-1], sizes)[::2]:
                W[...] = rng.standard_normal(W.shape) * np.sqrt(2 / len(W))
        if self.game == "wgan":
            np.clip(thetas[1], -CLIP, CLIP, out=thetas[1])
        return [theta.astype(self.dtype) for theta in thetas]

    def batches(self):
        """Row numbers of one batch after another, from a fresh permutation each epoch."""
        rng, n = numbers(1), len(self.data)
        while True:
            order = rng.permutation(n)
            for at in range(0, n - self.m + 1, self.m):
                yield order[at : at + self.m]

    def iterations(self):
        """The row numbers of one iteration after another, (n_critic, m)."""
        batches = self.batches()
        while True:
            yield np.stack([next(batches) for _ in range(self.n_critic)])

    def given(self, rng):
        """(z, rows, eps) of one iteration, for a check."""
        shape = self.n_critic, self.m
        rows = rng.permutation(len(self.data))[: self.n_critic * self.m].reshape(shape)
        z = rng.standard_normal((*shape, N_NOISE), np.float32).astype(self.dtype)
        return z, rows, rng.random((*shape, 1), np.float32).astype(self.dtype)


def numbers(index):
    """The generator of 0 the data, 1 the order, 2 a floor's matrices, 3 the noise, 4 a check's
    rows and noise, 5 samples, 6 the labels.
    """
    from minigan.arrays import stream  # here, as a contender may have to hide Numba before

    return stream(0, "numbers of a benchmark", index)


def split(theta, sizes):
    """[W1, b1, W2, b2, W3, b3] as views of a flat theta; b3 only if it has one."""
    views, at = [], 0
    for n, k in zip(sizes, sizes[1:]):
        views += [theta[at : at + n * k].reshape(n, k), theta[at + n * k : at + n * k + k]]
        at += n * k + k
    return [view for view in views if view.size]
