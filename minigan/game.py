r"""Chapter 5. Two players and one iteration, the same for every GAN in this library.

The generator G turns noise z into rows G(z). The discriminator D, called the critic in a
WGAN, gives any row a score s. Each player has a loss of its own, computed from scores, and
descends it while the other is held fixed. Holding a player fixed needs no machinery: D's
gradient stops at D's first layer, G's gradient starts from the delta at D's input,
$\delta_0 = \partial L_G/\partial G(z)$, and $\partial L_G/\partial\theta_D$ is never computed.

**One iteration**: G steps on fresh fakes; D steps on those same fakes and on fresh real
rows; a critic that wants more (`critic_steps`) then steps again on fresh noise and data.
Algorithm 1 of Goodfellow et al. (2014) moves D first, k times, and draws new noise for G.
G first, on the fakes that D is about to see, is the order of most scripts, and lets one
pass through D serve both players exactly; `Game.update` shows how.

A game is a loss for each player, from `GAN` (chapter 6) to `R3GAN` (chapter 11). A condition
(chapter 7) changes only what the networks are given.
"""

from dataclasses import InitVar, dataclass

import numpy as np

from .arrays import array_namespace, asarray_like, backend, check_memory, to_numpy
from .errors import MiniganError, check_parameters, parameter, whole_number, word
from .layers import Sigmoid
from .network import INITS, OUTPUTS, Network, mlp
from .optim import Adam, Optimizer

DTYPES = "float32", "float64", "complex128"


@dataclass(eq=False, kw_only=True, repr=False)
class Game:
    r"""The part that every GAN shares; a subclass adds `D_loss`, `G_loss` and `report`.

    The networks are multilayer perceptrons of the widths below, unless they are given as G
    and D: a `Network` from noise to data, and one from data to one score per row.
    """

    n_data: int = parameter(784, "width of a data row, such as 784 for the digits", "[1, inf)")
    n_noise: int = parameter(100, "width of the noise z", "[1, inf)")
    G_hidden: tuple = parameter((128, 128), "widths of the generator's layers", "[1, inf)")
    D_hidden: tuple = parameter((128, 128), "widths of the discriminator's layers", "[1, inf)")
    slope: float = parameter(0.2, "slope of LeakyReLU below zero; 0 is ReLU", "[0, 1)")
    output: str = parameter(
        "sigmoid", "the generator's last layer: sigmoid for data in [0, 1]", tuple(OUTPUTS)
    )
    init: str = parameter("he", "how weights are drawn: he or glorot", tuple(INITS))
    lr: float = parameter(1e-3, "learning rate of the generator", "(0, inf)")
    D_lr: float = parameter(1e-3, "learning rate of the discriminator", "(0, inf)")
    ema_decay: float = parameter(
        0.0, "decay of the moving average of G that draws samples; 0 is none", "[0, 1)"
    )
    seed: int = parameter(0, "of the initial weights", "[0, inf)")
    dtype: str = parameter("float32", "float32 to train, float64 to prove", DTYPES)
    backend: str | None = parameter(None, "numpy or cupy; default MINIGAN_BACKEND, else numpy")
    G: InitVar[Network | None] = None
    D: InitVar[Network | None] = None

    n_condition = 0
    stop = 1  # of the shared pass's deltas; 0 where the slopes of D at its rows are needed

    def __post_init__(self, G, D):
        check_parameters(self)
        self.take_widths(G, D)
        rng, like = np.random.default_rng(self.seed), backend(self.backend).zeros(0)
        make = {"slope": self.slope, "init": self.init, "dtype": self.dtype, "like": like}
        sizes = self.sizes()
        self.G = G or mlp(sizes["G"], rng, output=self.output, **make)
        self.D = D or mlp(sizes["D"], rng, **make)
        for player in "GD" if G or D else "":
            self.check_network(player, *sizes[player])
        self.G_optimizer, self.D_optimizer = self.optimizers()
        self.G_average = Network(self.G.layers, self.G.theta + 0) if self.ema_decay else None

    def sizes(self):
        r"""{player: widths of its layers, from input to output}."""
        z, x = self.n_noise + self.n_condition, self.n_data + self.n_condition
        return {"G": (z, *self.G_hidden, self.n_data), "D": (x, *self.D_hidden, 1)}

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

    def check_network(self, player, n, *widths):
        r"""Raises MiniganError if a player does not take and give the columns that it must."""
        network, k = getattr(self, player), widths[-1]
        try:
            shape = tuple(network.forward(self.asarray(np.zeros((2, n))))[-1].shape)
        except (ValueError, TypeError) as error:
            raise MiniganError(f"{player}, given rows of {n} columns: {error}") from None
        if shape != (2, k):
            raise MiniganError(f"{player}: two rows must give shape (2, {k}), got {shape}")

    def __repr__(self):
        lines = [type(self).__name__]
        for player in "GD":
            network, optimizer = (getattr(self, player + end) for end in ("", "_optimizer"))
            lines += [f"{player}: {network!r}", f"  {optimizer!r}"]
        return "\n".join(lines)

    # ---- the plain steps: the definition of the game ----

    def G_step(self, x, z, c=None):
        r"""(17) One step of G down $L_G(D(x), D(G(z)))$, D being constant.

        Two networks in a row are one long network: the delta that leaves D at its input
        arrives at G's output, and (9) goes on.
        Shapes: x (m, n_data), z (m, n_noise), c (m, n_condition) or None. Returns record, G(z).
        """
        G_trace = self.G.forward(self.G_input(z, c))
        real, fake = (self.D_input(rows, c) for rows in (x, G_trace[-1]))
        D_trace = self.D.forward(fake)
        loss, ds = self.G_loss(self.D.forward(real)[-1], D_trace[-1])
        dx_fake = self.D.deltas(D_trace, ds)[0][:, : self.n_data]
        self.descend_G(self.G.gradient(G_trace, dx_fake))
        return {"loss_G": loss}, G_trace[-1]

    def D_step(self, x, x_fake, c=None, rng=None):
        r"""(18) One step of D down $L_D(D(x), D(G(z)))$, G being constant.

        Two passes, two traces, both alive; the loss is a sum over the two, hence so is
        the gradient. Shapes: x and x_fake (m, n_data). rng : of a penalty that draws
        numbers. Returns the record.
        """
        real, fake = (self.D.forward(self.D_input(rows, c)) for rows in (x, x_fake))
        loss, ds_real, ds_fake = self.D_loss(real[-1], fake[-1])
        dtheta = self.D.gradient(real, ds_real) + self.D.gradient(fake, ds_fake)
        dtheta, penalty = self.add_penalty(dtheta, x, x_fake, c, rng)
        self.descend_D(dtheta)
        return self.D_record(loss, ds_real, ds_fake, penalty)

    def descend_G(self, dtheta):
        r"""The end of G's step: the optimiser, then the average of its parameters.

        (17a) $\bar\theta \leftarrow \bar\theta + (1 - \beta)(\theta - \bar\theta)$,
        β being `ema_decay`
        """
        self.G_optimizer.step(self.G.theta, dtheta)
        if self.G_average:
            mean = self.G_average.theta
            mean += (1 - self.ema_decay) * (self.G.theta - mean)

    def add_penalty(self, dtheta, x, x_fake, c, rng):
        r"""D's whole gradient, and the penalty's value or None."""
        penalty = self.penalty(x, x_fake, c, rng)
        return (dtheta + penalty[1], penalty[0]) if penalty else (dtheta, None)

    def descend_D(self, dtheta):
        r"""The end of D's step: the optimiser, then the constraint."""
        self.D_optimizer.step(self.D.theta, dtheta)
        self.constrain()

    def D_record(self, loss, ds_real, ds_fake, penalty, **also):
        r"""What D's step reports: the whole loss, the game's own numbers, the penalty alone."""
        own = also | self.report(loss, ds_real, ds_fake)
        if penalty is None:
            return {"loss_D": loss, **own}
        return {"loss_D": loss + penalty, **own, "penalty": penalty}

    # ---- both steps from one pass ----

    def update(self, x, z, c=None, rng=None):
        r"""(19) `G_step`, then `D_step` on the same fakes, with one pass through D.

        D has not moved when its turn comes, so both players read the same scores. And a
        score is one number per row, so by (9) every delta is linear in it: with $\delta_l$
        the deltas of the scores themselves (seeded with ones) and $ds_i$ the factor of
        row i,

        $$\frac{\partial L_D}{\partial x_l} = \mathrm{diag}(ds_D)\,\delta_l, \qquad
          \frac{\partial L_G}{\partial x_l} = \mathrm{diag}(ds_G)\,\delta_l$$

        Rows 0 … m − 1 of the pass are real, rows m … 2m − 1 generated; G's gradient leaves
        D through the generated ones. Shapes as above. Returns the record.
        """
        xp, m = array_namespace(x, z, self.D.theta), x.shape[0]
        G_trace = self.G.forward(self.G_input(z, c))
        trace, s_real, s_fake = self.score_real_and_fake(x, G_trace[-1], c)
        loss_G, ds_G = self.G_loss(s_real, s_fake)
        loss_D, ds_real, ds_fake = self.D_loss(s_real, s_fake)
        deltas = self.D.deltas(trace, xp.ones_like(trace[-1]), stop=self.stop)
        delta_G = ds_G * deltas[self.stop][m:, :]
        if self.stop:
            delta_G = self.D.dx(1, delta_G, trace[0][m:, :], trace[1][m:, :])
        self.descend_G(self.G.gradient(G_trace, delta_G[:, : self.n_data]))
        ds_D = xp.concat([ds_real, ds_fake])
        dtheta, penalty = self.D_gradient(trace, deltas, ds_D, x, G_trace[-1], c, rng)
        self.descend_D(dtheta)
        return self.D_record(loss_D, ds_real, ds_fake, penalty, loss_G=loss_G)

    def D_update(self, x, x_fake, c=None, rng=None):
        r"""(19a) `D_step` with one pass: real and fake rows are stacked, so (1b) and (1c),
        sums over rows, add their contributions.
        """
        trace, s_real, s_fake = self.score_real_and_fake(x, x_fake, c)
        loss, ds_real, ds_fake = self.D_loss(s_real, s_fake)
        dtheta = self.D.gradient(trace, array_namespace(x).concat([ds_real, ds_fake]))
        dtheta, penalty = self.add_penalty(dtheta, x, x_fake, c, rng)
        self.descend_D(dtheta)
        return self.D_record(loss, ds_real, ds_fake, penalty)

    def score_real_and_fake(self, x, x_fake, c):
        r"""D's trace of real rows above generated ones; the scores of each (m, 1)."""
        rows = [self.D_input(x, c), self.D_input(x_fake, c)]
        trace, m = self.D.forward(array_namespace(x, x_fake).concat(rows)), x.shape[0]
        return trace, trace[-1][:m, :], trace[-1][m:, :]

    def iteration(self, batches, rng):
        r"""One iteration on fresh rows of `batches` and fresh noise; returns the record.

        batches : iterator of (x, labels); rng : numpy.random.Generator of the noise.
        """
        steps = self.critic_steps()  # asked first: `update` advances the count it may depend on
        x, labels = next(batches)
        record = self.update(x, self.noise(x.shape[0], rng), self.condition(labels), rng)
        for _ in range(steps - 1):
            x, labels = next(batches)
            z, c = self.noise(x.shape[0], rng), self.condition(labels)
            record |= self.D_update(x, self.G.forward(self.G_input(z, c))[-1], c, rng)
        return record

    # ---- samples ----

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

    def generate(self, z, c=None):
        r"""G(z), or G(z, c), with the averaged parameters if there are any (m, n_data)."""
        return (self.G_average or self.G).forward(self.G_input(z, c))[-1]

    def sample(self, n: int, seed: int = 0) -> np.ndarray:
        r"""n generated rows as a NumPy array (n, n_data), the same for the same seed."""
        n = self.check_sample(n)
        rng = np.random.default_rng(whole_number("seed", seed, "[0, inf)"))
        return to_numpy(self.generate(self.noise(n, rng)))

    def check_sample(self, n):
        r"""n as an int; raises MiniganError if so many samples need more than the memory."""
        n, numbers = whole_number("n", n, "[1, inf)"), max(map(sum, self.sizes().values()))
        check_memory(f"{n:,} samples", 8 * n * numbers)
        return n

    # ---- what a game, or a condition, may change ----

    def optimizers(self) -> tuple[Optimizer, Optimizer]:
        r"""G's and D's optimiser: Adam with $\beta_1 = 0.5$ (Radford et al. 2016)."""
        return Adam(self.lr, beta1=0.5), Adam(self.D_lr, beta1=0.5)

    def critic_steps(self):
        r"""How many steps D takes in this iteration."""
        return 1

    def constrain(self):
        r"""What is done to D after each of its steps: nothing."""

    def penalty(self, x, x_fake, c, rng):
        r"""A further term of $L_D$ and its gradient in $\theta_D$, or None: there is none."""

    def D_gradient(self, trace, deltas, ds, *rows):
        r"""D's whole gradient from the shared pass, and the penalty's value or None."""
        return self.add_penalty(self.D.accumulate(trace, deltas, ds), *rows)

    def condition(self, labels):
        r"""The condition c of the rows with these labels: none."""

    def G_input(self, z, c):
        r"""What G is given."""
        return z

    def D_input(self, x, c):
        r"""What D is given."""
        return x
