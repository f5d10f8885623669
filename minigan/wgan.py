r"""Chapter 9. The Wasserstein GAN.

The score is no longer a logit. By the Kantorovich–Rubinstein duality the earth mover's
distance between the data and the generated rows is

$$W = \sup_{\|D\|_L \le 1} \mathbb E_x D(x) - \mathbb E_z D(G(z))$$

over all critics D that change by at most 1 per unit of distance. So the critic is trained
nearly to the optimum, by several descent steps for each of the generator's, and its loss,
sign turned, estimates W (times the Lipschitz constant that the clip happens to allow).
G then descends the estimate. Changed against the GAN: the losses, a clip that bounds the
critic's slope, several critic steps, and RMSProp, as momentum proved unstable with it.

A number added to all scores drops out of the difference, so the derivative by a bias of the
last layer is zero, and the critic has no such bias. If it had one, its gradient, a sum over
real rows and one over generated rows that cancel, would be zero only up to rounding; and
RMSProp and Adam divide a gradient by its own size, so a step made of rounding errors is as
long as any other. To such optimisers a gradient near zero is nothing like a gradient of zero.
"""

from dataclasses import dataclass

from .arrays import array_namespace
from .cgan import Conditional
from .errors import parameter
from .game import Game
from .losses import wasserstein
from .optim import RMSProp


@dataclass(eq=False, kw_only=True, repr=False)
class Wasserstein(Game):
    r"""What WGAN and WGAN-GP share: the two losses and a critic that takes more steps."""

    n_critic: int = parameter(5, "the critic's steps per step of the generator", "[1, inf)")
    shift_invariant = True

    def critic_steps(self):
        return self.n_critic

    def D_loss(self, s_real, s_fake):
        r"""(28) $L_D = \mathrm{mean}\,D(G(z)) - \mathrm{mean}\,D(x)$, by (5) with t = ±1.

        Returns $L_D$, $\partial L_D/\partial s$ of the real rows and of the fakes.
        """
        loss_real, ds_real = wasserstein(s_real, +1.0)
        loss_fake, ds_fake = wasserstein(s_fake, -1.0)
        return loss_real + loss_fake, ds_real, ds_fake

    def G_loss(self, s_real, s_fake):
        r"""(29) $L_G = -\mathrm{mean}\,D(G(z))$: the part of W that G can change."""
        return wasserstein(s_fake, +1.0)

    def report(self, loss_D, ds_real, ds_fake):
        r"""`w_estimate` $= \mathrm{mean}\,D(x) - \mathrm{mean}\,D(G(z)) = -L_D$, a distance in
        units of the data, times `scale` if they were divided by it.
        """
        return {"w_estimate": -loss_D * self.scale}


@dataclass(eq=False, kw_only=True, repr=False)
class WGAN(Wasserstein):
    r"""The Wasserstein GAN with weight clipping.

    Source: Arjovsky, Chintala & Bottou (2017), Wasserstein GAN, algorithm 1. The schedule
    (30) is not in the paper but in the authors' own implementation.
    """

    lr: float = parameter(5e-4, "learning rate of the generator", "(0, inf)")
    D_lr: float = parameter(5e-4, "learning rate of the critic", "(0, inf)")
    clip: float = parameter(0.01, "bound on every weight and bias of the critic", "(0, inf)")

    def __post_init__(self, G, D):
        super().__post_init__(G, D)
        self.constrain()

    def optimizers(self):
        r"""RMSProp for both, each with its own rate."""
        return RMSProp(self.lr, rho=0.99), RMSProp(self.D_lr, rho=0.99)

    def critic_steps(self):
        r"""(30) 100 in each of the first 25 iterations and in every 500th, else n_critic.

        A critic far from its optimum says little about W, so it gets a good start.
        """
        t = self.G_optimizer.t
        return max(100, self.n_critic) if t < 25 or t % 500 == 0 else self.n_critic

    def constrain(self):
        r"""(31) $\theta_D \leftarrow \mathrm{clip}(\theta_D, -c, c)$: bounded weights, so a
        bounded slope, whatever the step was.
        """
        theta = self.D.theta
        theta[...] = array_namespace(theta).clip(theta, -self.clip, self.clip)


@dataclass(eq=False, kw_only=True, repr=False)
class CWGAN(Conditional, WGAN):
    r"""The conditional Wasserstein GAN with weight clipping."""
