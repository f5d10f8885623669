r"""Chapter 5. Two players and one iteration, the same for every GAN in this library.

The generator G turns noise z into rows G(z). The discriminator D, called the critic in a
WGAN, gives any row a score s. Each player has a loss of its own, computed from scores, and
descends it while the other stands still. Standing still costs nothing here: D's gradient
goes from (9) and (10) no further than D's first layer, and G's starts from the delta that
arrives at D's input, $\delta_0 = \partial L_G/\partial G(z)$;
$\partial L_G/\partial\theta_D$ is not formed.

**One iteration**: G steps on fresh fakes; D steps on those same fakes and on fresh real
rows; a critic that wants more (`critic_steps`) then steps again on fresh noise and data.
Algorithm 1 of Goodfellow et al. (2014) moves D first, k times, and draws new noise for G.
G first, on the fakes that D is about to see, is the order of most scripts, and lets one
pass through D serve both players exactly; `Game.update` shows how.

A game is a loss for each player: `GAN` (chapter 6), `WGAN` (10), `LSGAN` (11) and `WGANGP` (12).
A condition (chapter 7) changes only what the networks are given.
"""

from dataclasses import dataclass

import numpy as np

from .arrays import array_namespace, asarray_like, backend, to_numpy
from .errors import MiniganError
from .network import Network, mlp
from .optim import Adam


@dataclass(eq=False, kw_only=True)
class Game:
    r"""The part that every GAN shares; a subclass adds `D_loss`, `G_loss` and `report`.

    n_data : width of a data row: 784 for the digits, 2 for points in the plane
    n_noise : width of the noise z
    G_hidden : widths of the generator's hidden layers
    D_hidden : widths of the discriminator's hidden layers
    slope : of LeakyReLU below zero, in [0, 1)
    output : the generator's last layer: sigmoid for data in [0, 1], else linear
    init : of the weights: he or glorot
    lr : learning rate of the generator
    D_lr : learning rate of the discriminator
    average : decay of the moving average of the generator's parameters that samples are
        drawn with, such as 0.999; 0 draws them with the last parameters
    seed : draws the initial weights
    dtype : float32 to train, float64 or complex128 to prove
    backend : numpy or cupy; by default what MINIGAN_BACKEND says, else numpy
    """

    n_data: int = 784
    n_noise: int = 100
    G_hidden: tuple = (128, 128)
    D_hidden: tuple = (128, 128)
    slope: float = 0.2
    output: str = "sigmoid"
    init: str = "he"
    lr: float = 1e-3
    D_lr: float = 1e-3
    average: float = 0.0
    seed: int = 0
    dtype: str = "float32"
    backend: str = None

    n_condition = 0

    def __post_init__(self):
        self.check()
        rng = np.random.default_rng(self.seed)
        z_width, x_width = self.n_noise + self.n_condition, self.n_data + self.n_condition
        make = {"slope": self.slope, "init": self.init, "dtype": self.dtype}
        make["like"] = backend(self.backend).zeros(0)
        sizes = z_width, *self.G_hidden, self.n_data
        self.G = mlp(sizes, rng, output=self.output, **make)
        self.D = mlp((x_width, *self.D_hidden, 1), rng, **make)
        self.G_optimizer, self.D_optimizer = self.optimizers()
        self.G_average = Network(self.G.layers, self.G.theta + 0) if self.average else None

    def check(self):
        r"""Raises MiniganError for a width below 1 or an unknown dtype."""
        for name in ("n_data", "n_noise", "G_hidden", "D_hidden"):
            if np.min(getattr(self, name), initial=1) < 1:
                raise MiniganError(f"{name}: must be at least 1, got {getattr(self, name)}")
        known = ("float32", "float64", "complex128")
        if self.dtype not in known:
            raise MiniganError(f"dtype: expected one of {', '.join(known)}, got {self.dtype!r}")
        if not 0 <= self.average < 1:
            raise MiniganError(f"average: expected a number in [0, 1), got {self.average}")

    def optimizers(self):
        r"""G's and D's optimiser: Adam with $\beta_1 = 0.5$ (Radford et al. 2016)."""
        return Adam(self.lr, beta1=0.5), Adam(self.D_lr, beta1=0.5)

    def critic_steps(self):
        r"""How many steps D takes in this iteration."""
        return 1

    def constrain(self):
        r"""What is done to D after each of its steps: nothing."""

    def penalty(self, x, x_fake, c, rng):
        r"""A further term of $L_D$ and its gradient by $\theta_D$, or None: there is none."""

    def condition(self, labels):
        r"""The condition c of the rows with these labels: none."""

    def G_input(self, z, c):
        r"""What G is given."""
        return z

    def D_input(self, x, c):
        r"""What D is given."""
        return x

    # ---- the plain steps: the definition of the game ----

    def G_step(self, z, c=None):
        r"""(17) One step of G down $L_G(s)$, $s = D(G(z))$, D being constant.

        Two networks in a row are one long network: the delta that leaves D at its input
        arrives at G's output, and (9) goes on.
        Shapes: z (m, n_noise), c (m, n_condition) or None. Returns the record and G(z).
        """
        G_trace = self.G.forward(self.G_input(z, c))
        D_trace = self.D.forward(self.D_input(G_trace[-1], c))
        loss, ds = self.G_loss(D_trace[-1])
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
        record = {"loss_D": loss, **self.report(loss, ds_real, ds_fake)}
        return record | self.descend_D(loss, dtheta, x, x_fake, c, rng)

    def descend_D(self, loss, dtheta, x, x_fake, c, rng):
        r"""The end of D's step: its penalty if it has one, the optimiser, its constraint."""
        record, penalty = {}, self.penalty(x, x_fake, c, rng)
        if penalty:
            value, more = penalty
            record = {"loss_D": loss + value, "penalty": value}
            dtheta = dtheta + more
        self.D_optimizer.step(self.D.theta, dtheta)
        self.constrain()
        return record

    def descend_G(self, dtheta):
        r"""The end of G's step: the optimiser, then the average of its parameters.

        (17a) $\bar\theta \leftarrow \bar\theta + (1 - \beta)(\theta - \bar\theta)$,
        β being `average`
        """
        self.G_optimizer.step(self.G.theta, dtheta)
        if self.average:
            mean = self.G_average.theta
            mean += (1 - self.average) * (self.G.theta - mean)

    # ---- both steps from one pass ----

    def update(self, x, z, c=None, rng=None):
        r"""(19) `G_step`, then `D_step` on the same fakes, with one pass through D.

        D has not moved when its turn comes, so both players read the same scores. And a
        score is one number a row, so by (9) every delta is linear in it: with $\delta_l$
        the deltas of the scores themselves (seeded with ones) and $ds_i$ the factor of
        row i,

        $$\frac{\partial L_D}{\partial x_l} = \mathrm{diag}(ds_D)\,\delta_l, \qquad
          \frac{\partial L_G}{\partial x_l} = \mathrm{diag}(ds_G)\,\delta_l$$

        Rows 0 … m − 1 of the pass are real, rows m … 2m − 1 generated; G's gradient leaves
        D through the generated ones. Shapes as above. Returns the record.
        """
        xp, m = array_namespace(x, z, self.D.theta), x.shape[0]
        G_trace = self.G.forward(self.G_input(z, c))
        trace, s_real, s_fake = self.both(x, G_trace[-1], c)
        loss_G, ds_G = self.G_loss(s_fake)
        loss_D, ds_real, ds_fake = self.D_loss(s_real, s_fake)

        deltas = self.D.deltas(trace, xp.ones_like(trace[-1]), stop=1)
        delta_G = ds_G * deltas[1][m:, :]
        dx_fake = self.D.dx(1, delta_G, trace[0][m:, :], trace[1][m:, :])[:, : self.n_data]
        self.descend_G(self.G.gradient(G_trace, dx_fake))

        ds_D = xp.concat([ds_real, ds_fake])
        deltas_D = [None] + [
            ds_D * delta if layer.shapes else None
            for layer, delta in zip(self.D.layers, deltas[1:])
        ]
        D_dtheta = self.D.accumulate(trace, deltas_D)
        record = {"loss_D": loss_D, "loss_G": loss_G, **self.report(loss_D, ds_real, ds_fake)}
        return record | self.descend_D(loss_D, D_dtheta, x, G_trace[-1], c, rng)

    def D_update(self, x, x_fake, c=None, rng=None):
        r"""(19a) `D_step` with one pass: its two sums over rows are one sum over both."""
        trace, s_real, s_fake = self.both(x, x_fake, c)
        loss, ds_real, ds_fake = self.D_loss(s_real, s_fake)
        dtheta = self.D.gradient(trace, array_namespace(x).concat([ds_real, ds_fake]))
        record = {"loss_D": loss, **self.report(loss, ds_real, ds_fake)}
        return record | self.descend_D(loss, dtheta, x, x_fake, c, rng)

    def both(self, x, x_fake, c):
        r"""D's trace of real rows above generated ones; the scores of each (m, 1)."""
        rows = [self.D_input(x, c), self.D_input(x_fake, c)]
        trace, m = self.D.forward(array_namespace(x, x_fake).concat(rows)), x.shape[0]
        return trace, trace[-1][:m, :], trace[-1][m:, :]

    def iteration(self, batches, rng):
        r"""One iteration on fresh rows of `batches` and fresh noise; returns the record.

        batches : iterator of (x, labels); rng : numpy.random.Generator of the noise.
        """
        steps = self.critic_steps()
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

    def sample(self, n, seed=0):
        r"""n generated rows as a NumPy array (n, n_data), the same for the same seed."""
        return to_numpy(self.generate(self.noise(n, np.random.default_rng(seed))))
