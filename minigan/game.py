r"""Chapter 6. Two players and one iteration, the same for every GAN in this library.

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

A game is a loss for each player, from `GAN` (chapter 7) to `R3GAN` (chapter 12). A condition
(chapter 8) changes only what the networks are given.
"""

from dataclasses import dataclass

from .arrays import array_namespace
from .players import Players


def move(mean, part, theta):
    r"""A part of the way from a mean to theta, in place: (19a)."""
    mean += part * (theta - mean)


@dataclass(eq=False, kw_only=True, repr=False)
class Game(Players):
    r"""The part that every GAN shares; a subclass adds `D_loss`, `G_loss` and `report`."""

    stop = 1  # of the shared pass's deltas; 0 where the slopes of D at its rows are needed
    processes = None  # that share every batch, if there are several (`minigan.lab.mpi`)

    # ---- the plain steps: the definition of the game ----

    def G_step(self, x, z, c=None):
        r"""(19) One step of G down $L_G(D(x), D(G(z)))$, D being constant.

        Two networks in a row are one long network: the delta that leaves D at its input
        arrives at G's output, and (10) goes on.
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
        r"""(20) One step of D down $L_D(D(x), D(G(z)))$, G being constant.

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

        (19a) $\bar\theta \leftarrow \bar\theta + (1 - \beta_t)(\theta - \bar\theta)$,
        $\quad \beta_t = \min\big(\beta, \frac{t}{t + 9}\big)$

        β is `ema_decay`, t counts G's steps. While t is small the average reaches back over a
        ninth of them, so that it has forgotten the start, whose weight is $1/\binom{t+9}{9}$.
        """
        self.G_optimizer.step(self.G.theta, dtheta)
        if self.G_average:
            t, mean = self.G_optimizer.t, self.G_average.theta
            move(mean, 1 - min(self.ema_decay, t / (t + 9)), self.G.theta)

    def add_penalty(self, dtheta, x, x_fake, c, rng):
        r"""D's whole gradient, in the place of the loss's, and the penalty's value or None."""
        penalty = self.penalty(x, x_fake, c, rng)
        if penalty is None:
            return dtheta, None
        dtheta += penalty[1]
        return dtheta, penalty[0]

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
        r"""(21) `G_step`, then `D_step` on the same fakes, with one pass through D.

        D has not moved when its turn comes, so both players read the same scores. And a
        score is one number per row, so by (10) every delta is linear in it: with $\delta_l$
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
        G_dtheta = self.G.gradient(G_trace, delta_G[:, : self.n_data])
        ds_D = xp.concat([ds_real, ds_fake])
        dtheta, penalty = self.D_gradient(trace, deltas, ds_D, x, G_trace[-1], c, rng)
        record = self.D_record(loss_D, ds_real, ds_fake, penalty, loss_G=loss_G)
        return self.descend(record, dtheta, G_dtheta)

    def D_update(self, x, x_fake, c=None, rng=None):
        r"""(21a) `D_step` with one pass: real and fake rows are stacked, so (1b) and (1c),
        sums over rows, add their contributions.
        """
        trace, s_real, s_fake = self.score_real_and_fake(x, x_fake, c)
        loss, ds_real, ds_fake = self.D_loss(s_real, s_fake)
        dtheta = self.D.gradient(trace, array_namespace(x).concat([ds_real, ds_fake]))
        dtheta, penalty = self.add_penalty(dtheta, x, x_fake, c, rng)
        record = self.D_record(loss, ds_real, ds_fake, penalty)
        return self.descend(record, dtheta)

    def descend(self, record, dtheta, *G_dtheta):
        r"""The end of both steps, or of D's; returns the record.

        What several processes have computed becomes what one would have, here and only here.
        """
        if self.processes:
            record, dtheta, *G_dtheta = self.processes.mean(record, dtheta, *G_dtheta)
        for own in G_dtheta:
            self.descend_G(own)
        self.descend_D(dtheta)
        return record

    def score_real_and_fake(self, x, x_fake, c):
        r"""D's trace of real rows above generated ones; the scores of each (m, 1)."""
        rows = [self.D_input(x, c), self.D_input(x_fake, c)]
        trace, m = self.D.forward(array_namespace(x, x_fake).concat(rows)), x.shape[0]
        return trace, trace[-1][:m, :], trace[-1][m:, :]

    def iteration(self, batches, rng, penalty_rng=None):
        r"""One iteration on fresh rows of `batches` and fresh noise; returns the record.

        batches : iterator of (x, labels); rng : numpy.random.Generator of the noise;
        penalty_rng : that of a penalty, by default the same.
        """
        penalty_rng = penalty_rng or rng
        steps = self.critic_steps()  # asked first: `update` advances the count it may depend on
        x, labels = next(batches)
        record = self.update(
            x, self.noise(x.shape[0], rng), self.condition(labels), penalty_rng
        )
        for _ in range(steps - 1):
            x, labels = next(batches)
            z, c = self.noise(x.shape[0], rng), self.condition(labels)
            x_fake = self.G.forward(self.G_input(z, c))[-1]
            record |= self.D_update(x, x_fake, c, penalty_rng)
        return record

    # ---- what a game, or a condition, may change ----

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

    def D_input(self, x, c):
        r"""What D is given."""
        return x
