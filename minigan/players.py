r"""Chapter 5. Two players: their networks, their optimisers, and what they are given.

The generator G turns noise z into rows G(z). The discriminator D, called the critic in a
WGAN, gives any row a score s. This file makes the two and holds what is theirs; chapter 6
lets them play.
"""

from dataclasses import InitVar, dataclass

import numpy as np

from .arrays import asarray_like, backend, check_memory, copied, stream, to_numpy
from .errors import Checked, MiniganError, fixed, parameter, whole_number, word
from .layers import Sigmoid
from .network import (
    INITS,
    OUTPUTS,
    Network,
    check_player,
    check_unbiased,
    drawn,
    mlp_layers,
)
from .optim import Adam, Optimizer

DTYPES = "float32", "float64", "complex128"
NETWORKS: dict = {}  # {name: the layers of a game's two players}; chapter 14 adds to them
RATES = {"lr": "G_optimizer", "D_lr": "D_optimizer"}  # of a game, and which optimiser's each is


class Rate:
    r"""The attribute `lr` or `D_lr` of a game: its optimiser's own `lr`, kept nowhere else.

    Before the optimiser is there, it is a number of the game from which that is made.
    """

    def __init__(self, name):
        self.name = name

    def __get__(self, game, cls):
        if game is None:
            return cls.__dataclass_fields__[self.name].default
        known = vars(game)
        return getattr(known.get(RATES[self.name]), "lr", known[self.name])

    def __set__(self, game, value):
        optimizer = vars(game).get(RATES[self.name], self)
        if optimizer is self:
            vars(game)[self.name] = value
        elif not hasattr(optimizer, "lr"):
            raise MiniganError(f"{self.name}: {type(optimizer).__name__} has no lr to change")
        else:
            optimizer.lr = value


class Rated(Checked):
    r"""Base of a dataclass with the parameters `lr` and `D_lr`."""

    def __new__(cls, *args, **parameters):
        for name in RATES:
            setattr(cls, name, Rate(name))  # where the dataclass has left the default
        return super().__new__(cls)


@dataclass(eq=False, kw_only=True, repr=False)
class Players(Rated):
    r"""G and D, each with its optimiser, and the moving average of G.

    The networks are multilayer perceptrons of the widths below, or such as chapter 14 makes
    for pictures, unless they are given as G and D: a `Network` from noise to data, and one from
    data to one score per row. What they were made of is fixed; every other parameter may be
    changed at any time.
    """

    n_data: int = fixed(784, "width of a data row, such as 784 for the digits", "[1, inf)")
    n_noise: int = fixed(100, "width of the noise z", "[1, inf)")
    network: str = fixed("mlp", "kind of both networks: mlp, or conv for pictures", NETWORKS)
    G_hidden: tuple = fixed((128, 128), "widths of the generator's layers", "[1, inf)")
    D_hidden: tuple = fixed((128, 128), "widths of the discriminator's layers", "[1, inf)")
    channels: int = fixed(8, "of conv: channels of the largest layer; they double", "[1, inf)")
    image_shape: tuple = fixed((), "of conv: height, width and channels of a row", "[1, inf)")
    slope: float = fixed(0.2, "slope of LeakyReLU below zero; 0 is ReLU", "[0, 1)")
    output: str = fixed(
        "sigmoid", "the generator's last layer: sigmoid for data in [0, 1]", tuple(OUTPUTS)
    )
    init: str = fixed("he", "how weights are drawn: he or glorot", tuple(INITS))
    lr: float = parameter(1e-3, "learning rate of the generator", "(0, inf)")
    D_lr: float = parameter(1e-3, "learning rate of the discriminator", "(0, inf)")
    ema_decay: float = parameter(
        0.0, "decay of the moving average of G that draws samples; 0 is none", "[0, 1)"
    )
    lr_decay: bool = parameter(False, "let both learning rates fall linearly to 0 over the run")
    shift: float = fixed(
        0.0, "subtracted from the data before the networks see them", "(-inf, inf)"
    )
    scale: float = fixed(1.0, "by which the data are divided then", "(0, inf)")
    seed: int = fixed(0, "of the initial weights", "[0, inf)")
    dtype: str = fixed("float32", "float32 to train, float64 to prove", DTYPES)
    backend: str | None = fixed(None, "numpy or cupy; default MINIGAN_BACKEND, else numpy")
    G: InitVar[Network | None] = None
    D: InitVar[Network | None] = None

    G_average = None
    n_condition = 0
    shift_invariant = False  # whether a number added to every score leaves $L_D$ as it is

    def __post_init__(self, G, D):
        self.take_widths(G, D)
        like, layers = backend(self.backend).zeros(0), {} if G and D else self.layers()
        make = self.init, self.dtype, like
        of_G, of_D = (stream(self.seed, f"weights of {player}") for player in "GD")
        self.G = G or drawn(layers["G"], of_G, *make)
        self.D = D or drawn(layers["D"], of_D, *make)
        for player, (n, k) in self.ends().items() if G or D else ():
            rows = self.asarray(np.outer([1.0, 2.0], np.ones(n)))
            check_player(player, getattr(self, player), rows, k)
        if self.shift_invariant:
            check_unbiased("D", self.D, type(self).__name__)
        self.G_optimizer, self.D_optimizer = self.optimizers()
        self.made = True

    def __setattr__(self, name, value):
        r"""Assigns; an average of G begins when it gets a decay, or with another G."""
        super().__setattr__(name, value)
        if name == "G" or (name == "ema_decay" and self.G and not (value and self.G_average)):
            copy = Network(self.G.layers, copied(self.G.theta)) if self.ema_decay else None
            self.G_average = copy

    def ends(self):
        r"""{player: columns of its input and of its output}."""
        z, x = self.n_noise + self.n_condition, self.n_data + self.n_condition
        return {"G": (z, self.n_data), "D": (x, 1)}

    def layers(self):
        r"""{player: the layers of its network}, as the parameters describe them."""
        return NETWORKS[self.network](self)

    def take_widths(self, G, D):
        r"""Networks that were given decide n_noise, n_data, the output and the dtype."""
        dtypes = []
        for player, name, network in (("G", "n_noise", G), ("D", "n_data", D)):
            if network is None:
                continue
            if not isinstance(network, Network):
                raise MiniganError(f"{player}: expected a Network, got {network!r}")
            n = getattr(network.layers[0], "n", None) or self.n_condition + getattr(self, name)
            if n <= self.n_condition:
                raise MiniganError(f"{player}: {n} columns leave none beside the condition's")
            setattr(self, name, n - self.n_condition)
            dtypes.append(str(network.theta.dtype).rpartition(".")[2])
            self.dtype = word(f"{player}: dtype", dtypes[-1], DTYPES)
        if len(set(dtypes)) > 1:
            raise MiniganError(f"G and D: expected one dtype, got {' and '.join(dtypes)}")
        if G is not None:
            self.output = "sigmoid" if isinstance(G.layers[-1], Sigmoid) else "linear"

    def __repr__(self):
        lines = [type(self).__name__]
        for player in "GD":
            network, optimizer = (getattr(self, player + end) for end in ("", "_optimizer"))
            lines += [f"{player}: {network!r}", f"  {optimizer!r}"]
        return "\n".join(lines)

    def noise(self, m, rng):
        r"""$z \sim \mathcal N(0, 1)$, (m, n_noise), drawn on the host and moved."""
        return self.asarray(rng.standard_normal((m, self.n_noise), self.real_dtype))

    @property
    def real_dtype(self):
        r"""The dtype in which random numbers are drawn."""
        return "float32" if self.dtype == "float32" else "float64"

    def asarray(self, host):
        r"""The host array in the model's library; floats in its dtype, integers as such."""
        if host.dtype.kind == "f":
            host = host.astype(self.dtype, copy=False)
        return asarray_like(host, self.G.theta)

    def standardised(self, host):
        r"""Rows of data as the networks see them, $(x - a)/s$, with `shift` a and `scale` s;
        labels as they are. Both in the model's library.
        """
        x = (host - self.shift) / self.scale if host.dtype.kind == "f" else host
        return self.asarray(x)

    def generate(self, z, c=None):
        r"""G(z), or G(z, c), with the averaged parameters if there are any (m, n_data)."""
        return (self.G_average or self.G).forward(self.G_input(z, c))[-1]

    def sample(self, n: int, seed: int = 0) -> np.ndarray:
        r"""n generated rows as a NumPy array (n, n_data), the same for the same seed."""
        n = self.check_sample(n)
        return self.in_units_of_data(self.noise(n, stream(seed, "noise of samples")))

    def in_units_of_data(self, z, c=None):
        r"""The rows $s\,G(z) + a$ as a NumPy array (m, n_data)."""
        return to_numpy(self.generate(z, c)) * self.scale + self.shift

    def check_sample(self, n):
        r"""n as an int; raises MiniganError if so many samples need more than the memory."""
        n = whole_number("n", n, "[1, inf)")
        numbers = self.n_data + sum(getattr(layer, "n", None) or 0 for layer in self.G.layers)
        check_memory(f"{n:,} samples", 8 * n * numbers)
        return n

    def optimizers(self) -> tuple[Optimizer, Optimizer]:
        r"""G's and D's optimiser: Adam with $\beta_1 = 0.5$ (Radford et al. 2016)."""
        return Adam(self.lr, beta1=0.5), Adam(self.D_lr, beta1=0.5)

    def G_input(self, z, c):
        r"""What G is given."""
        return z


def perceptrons(game):
    r"""The layers of two multilayer perceptrons of the widths `G_hidden` and `D_hidden`."""
    (z, x), (columns, score) = game.ends()["G"], game.ends()["D"]
    G = mlp_layers((z, *game.G_hidden, x), game.slope, game.output, True)
    D_bias = not game.shift_invariant
    D = mlp_layers((columns, *game.D_hidden, score), game.slope, "linear", D_bias)
    return {"G": G, "D": D}


NETWORKS["mlp"] = perceptrons
