r"""Chapter 10. Least squares.

The score is pulled towards a number instead of being pushed past zero: b for real rows, a
for generated ones, and G pulls its own towards c. A row far on the right side of the
boundary, which the cross-entropy no longer moves, is still pulled back to where the data
are. Pulling the scores to +1 and −1 by squares (a = −1, b = c = 1) is what many tutorials
label "WGAN"; it is this loss, and its value estimates no distance.
"""

from dataclasses import dataclass

from .arrays import array_namespace
from .cgan import Conditional
from .errors import parameter
from .game import Game
from .losses import least_squares


@dataclass(eq=False, kw_only=True, repr=False)
class LSGAN(Game):
    r"""The least squares GAN.

    If b − c = 1 and b − a = 2, then at the optimal D, G's loss plus
    $\tfrac12 \mathbb E_x (D(x) - c)^2$ is half a Pearson $\chi^2$ divergence (section 3.2.2).
    The default is a = 0, b = c = 1 (section 3.2.3).
    Source: Mao et al. (2017), Least squares generative adversarial networks, equation 2.
    """

    a: float = parameter(0.0, "D's target for generated rows", "(-inf, inf)")
    b: float = parameter(1.0, "D's target for real rows", "(-inf, inf)")
    c: float = parameter(1.0, "the generator's target for its own rows", "(-inf, inf)")

    def D_loss(self, s_real, s_fake):
        r"""(32) $L_D = \tfrac12\,\mathrm{mean}\,(D(x) - b)^2
        + \tfrac12\,\mathrm{mean}\,(D(G(z)) - a)^2$.

        Returns $L_D$, $\partial L_D/\partial s$ of the real rows and of the fakes.
        """
        loss_real, ds_real = least_squares(s_real, self.b)
        loss_fake, ds_fake = least_squares(s_fake, self.a)
        return loss_real + loss_fake, ds_real, ds_fake

    def G_loss(self, s_real, s_fake):
        r"""(33) $L_G = \tfrac12\mathrm{mean}\,(D(G(z)) - c)^2$."""
        return least_squares(s_fake, self.c)

    def report(self, loss_D, ds_real, ds_fake):
        r"""The mean scores of real rows and of fakes.

        (6a) says $m\,ds = s - t$, so $\mathrm{mean}\,s = t + \sum_i ds_i$.
        """
        xp = array_namespace(ds_real)
        return {"D(x)": self.b + xp.sum(ds_real), "D(G(z))": self.a + xp.sum(ds_fake)}


@dataclass(eq=False, kw_only=True, repr=False)
class CLSGAN(Conditional, LSGAN):
    r"""The conditional least squares GAN."""
