r"""Chapter 7. Goodfellow's game.

D's score is a logit: $\sigma(s)$ is the probability it gives to the row being real. D wants
1 for real rows and 0 for generated ones, G wants D to be wrong:

$$\min_G \max_D\; \mathbb E_x \log \sigma(D(x))
  + \mathbb E_z \log(1 - \sigma(D(G(z))))$$

Both sides are binary cross-entropies (4) with targets 1 and 0.
"""

from dataclasses import dataclass

from .arrays import array_namespace
from .errors import parameter
from .game import Game
from .losses import bce_with_logits


@dataclass(eq=False, kw_only=True, repr=False)
class GAN(Game):
    r"""The generative adversarial network.

    `real_label` below 1 is one-sided label smoothing (Salimans et al. 2016, section 3.4),
    which keeps D from certainty.
    Source: Goodfellow et al. (2014), Generative adversarial nets, section 3.
    """

    D_lr: float = parameter(3e-4, "learning rate of the discriminator", "(0, inf)")
    minimax: bool = parameter(False, "give the generator the original minimax loss")
    real_label: float = parameter(0.9, "the discriminator's target for real rows", "(0, 1]")

    def D_loss(self, s_real, s_fake):
        r"""(22) $L_D = \mathrm{BCE}(D(x), t) + \mathrm{BCE}(D(G(z)), 0)$, t = `real_label`.

        Returns $L_D$, $\partial L_D/\partial s$ of the real rows and of the fakes.
        """
        loss_real, ds_real = bce_with_logits(s_real, self.real_label)
        loss_fake, ds_fake = bce_with_logits(s_fake, 0.0)
        return loss_real + loss_fake, ds_real, ds_fake

    def G_loss(self, s_real, s_fake):
        r"""G's loss and its derivative with respect to the scores of its rows.

        (23) non-saturating: $L_G = \mathrm{BCE}(D(G(z)), 1) = -\mathrm{mean} \log\sigma(s)$

        (24) minimax: $L_G = -\mathrm{BCE}(D(G(z)), 0) = \mathrm{mean} \log(1 - \sigma(s))$

        Where D is sure that a row is fake, $\sigma(s) \to 0$, and (4a) gives
        $\partial L_G/\partial s = (\sigma(s) - 1)/m \to -1/m$ for (23) but
        $-\sigma(s)/m \to 0$ for (24): the minimax generator learns nothing just where it
        is worst. Both push s up; section 3 advises (23), which is the default.
        """
        if self.minimax:
            loss, ds = bce_with_logits(s_fake, 0.0)
            return -loss, -ds
        return bce_with_logits(s_fake, 1.0)

    def report(self, loss_D, ds_real, ds_fake):
        r"""The mean probability of being real that D gives to real rows and to fakes.

        (4a) says $m\,ds = \sigma(s) - t$, so $\mathrm{mean}\,\sigma(s) = t + \sum_i ds_i$.
        """
        xp = array_namespace(ds_real)
        return {"D(x)": self.real_label + xp.sum(ds_real), "D(G(z))": xp.sum(ds_fake)}
