r"""Chapter 12. The relativistic game with R1 and R2, in one pass.

D no longer says whether a row is real, but which of two rows is the more real. Each real row is
paired with a generated one, and only the difference of their scores counts:

$$\min_G \max_D\; \mathbb E_{x, z}\,\log\sigma\big(D(x) - D(G(z))\big)$$

So D cannot win by giving all generated rows one low score: it must put each below its partner,
and a mode of the data that G has left keeps its own pull. This alone need not converge. R1 and
R2 of chapter 11, on the very rows that are being judged, make it converge near the equilibrium;
a page of theory shows both for a game of two numbers.

**One pass for all of it.** The slopes that R1 and R2 punish are the deltas which the shared
pass (21) has already: seeded with ones, they are the derivatives of the scores of real and
generated rows alike. Only the tangents are added. WGAN-GP cannot do this, as its points lie
between the rows and need a pass of their own.
"""

from dataclasses import dataclass

from .arrays import array_namespace
from .cgan import Conditional
from .errors import parameter
from .game import Game
from .losses import relativistic
from .optim import Adam
from .penalty import check_piecewise_linear, widen, zero_centred_penalty


@dataclass(eq=False, kw_only=True, repr=False)
class R3GAN(Game):
    r"""The relativistic GAN with R1 and R2.

    Source: Huang, Gokaslan, Kuleshov & Tompkin (2024), The GAN is dead; long live the GAN! A
    modern baseline GAN, section 2.
    """

    shift_invariant = True

    lr: float = parameter(4e-3, "learning rate of the generator", "(0, inf)")
    D_lr: float = parameter(4e-3, "learning rate of the discriminator", "(0, inf)")
    lr_decay: bool = parameter(True, "let both learning rates fall linearly to 0 over the run")
    ema_decay: float = parameter(
        0.999, "decay of the moving average of G that draws samples; 0 is none", "[0, 1)"
    )
    gamma: float = parameter(1.0, "weight of the penalties R1 and R2; 0 is none", "[0, inf)")

    def optimizers(self):
        r"""Adam with $\beta_1 = 0$, $\beta_2 = 0.99$ for both, as the authors have it.

        A shorter memory of the squares than 0.999 is worth much: on the ring the share of
        samples within three standard deviations rose from 97 to 99%.
        """
        return Adam(self.lr, 0.0, 0.99), Adam(self.D_lr, 0.0, 0.99)

    def D_loss(self, s_real, s_fake):
        r"""(40) $L_D = \mathrm{mean}\,\log(1 + e^{-(D(x) - D(G(z)))})$, by (7), row i of x
        against row i of G(z).

        Returns $L_D$, $\partial L_D/\partial s$ of the real rows and of the fakes.
        """
        loss, ds = relativistic(s_real, s_fake)
        return loss, ds, -ds

    def G_loss(self, s_real, s_fake):
        r"""(41) $L_G = \mathrm{mean}\,\log(1 + e^{-(D(G(z)) - D(x))})$: real and generated rows
        exchanged. The real rows' scores are constants to G, but they decide how much each
        generated row is moved.
        """
        return relativistic(s_fake, s_real)

    def report(self, loss_D, ds_real, ds_fake):
        r"""The mean probability that D gives to a real row being the more real of its pair.

        (7a) says $m\,ds = -\sigma(-(D(x) - D(G(z))))$, so the mean of
        $\sigma(D(x) - D(G(z)))$ is $1 + \sum_i ds_i$.
        """
        return {"D(x)>D(G(z))": 1 + array_namespace(ds_real).sum(ds_real)}

    def penalty(self, x, x_fake, c, rng):
        r"""(42) R1 + R2: (36) at the real rows and at the generated ones, with one γ."""
        if not self.gamma:
            return None
        rows = self.D_input(x, c), self.D_input(x_fake, c)
        R1, R2 = (zero_centred_penalty(self.D, r, self.gamma, self.n_data) for r in rows)
        return R1[0] + R2[0], R1[1] + R2[1]

    @property
    def stop(self):
        r"""The deltas of the shared pass go down to D's input, where they are the slopes."""
        return 0 if self.gamma else 1

    def D_gradient(self, trace, deltas, ds, *rows):
        r"""(43) The gradient of $L_D$ + R1 + R2 from the pass that has served both losses.

        The pass has 2m rows and each R is a mean over m, so $u_0 = \frac\gamma m\,\delta_0$ for
        all. Its tangents are the only further pass, and (13) joins them to the loss:

        $$dW_l = \big(\mathrm{diag}(ds)\,x_{l-1} + u_{l-1}\big)^\top \delta_l$$

        And since $\langle\delta_0, u_0\rangle$ is the sum of the last tangents, by (52),

        $$R_1 + R_2 = \frac{\gamma}{2m}\,\langle\delta_0, \delta_0\rangle
          = \frac12\,\langle\delta_0, u_0\rangle = \frac12 \sum_i u_{N,i}$$
        """
        if not self.gamma:
            return super().D_gradient(trace, deltas, ds, *rows)
        check_piecewise_linear(self.D)
        m = ds.shape[0] // 2
        u = self.gamma / m * deltas[0][:, : self.n_data]
        tangents = self.D.tangents(trace, widen(u, deltas[0]))
        dtheta = self.D.accumulate(trace, deltas, ds, tangents)
        return dtheta, array_namespace(ds).sum(tangents[-1]) / 2


@dataclass(eq=False, kw_only=True, repr=False)
class CR3GAN(Conditional, R3GAN):
    r"""The conditional relativistic GAN with R1 and R2."""
