r"""Chapter 11. Penalties on the slope, and the derivative of a derivative by hand.

A critic may change by at most 1 per unit of distance. Instead of clipping its weights, a
penalty P in its loss asks something of its slopes $g_i = \nabla_x D(x_i)$ at some rows $x_i$.
Two kinds are in use. They differ in where the rows lie and in what the slope is to be:

| penalty | rows | the slope is to be |
|---|---|---|
| WGAN-GP | $\hat x$, on the segments between real and generated rows | 1 |
| R1 | the real rows | 0 |
| R2 | the generated rows | 0 |

P is made of a derivative, and to descend it we need its derivative with respect to
$\theta_D$. It takes three passes, all of them known from chapter 3.

1. **Backward.** g is the delta of the scores at D's input: seed (10) with ones, go down to
   $\delta_0 = g$.
2. **Forward.** Let $u = \partial P/\partial g$. To first order in any change of $\theta$,
   P changes as the number $\langle u, g\rangle$ does with u held fixed. But g is D's
   gradient, so $\langle u_i, g_i\rangle$ is how much the score of row i moves when
   $x_i$ moves by $u_i$: it is the tangent $u_N$ of (12), started at $u_0 = u$.
3. **Accumulate.** What remains is the derivative of $u_N$, summed over the rows, with respect
   to the parameters. Through Dense layers tangents go as $u_l = u_{l-1} W_l$, through
   LeakyReLU as $u_l = f'(x_{l-1})\,u_{l-1}$ with a slope that does not depend on $\theta$.
   This is the forward pass of a network without biases whose input is u, and its deltas are
   the ones of step 1. So by (1e) $dW_l = u_{l-1}^\top \delta_l$ and $db_l = 0$.

Step 3 holds because the layers' slopes are piecewise constant: f″ = 0 except at the bend. A
curved layer's slope would move with $\theta$ and add a term, so such a critic is refused.
"""

from dataclasses import dataclass

from .arrays import Array, array_namespace
from .cgan import Conditional
from .errors import MiniganError, parameter
from .layers import require
from .network import Network
from .optim import Adam
from .wgan import Wasserstein


def gradient_penalty(
    D: Network,
    x_hat: Array,
    penalty_weight: float = 10.0,
    one_sided: bool = False,
    n: int | None = None,
) -> tuple[Array, Array]:
    r"""WGAN-GP's penalty P, slopes of 1, and $\partial P/\partial\theta_D$.

    D : a `Network` of piecewise linear layers with one score per row
    x_hat : the rows $\hat x$ at which the slope is to be 1 (m, columns)
    penalty_weight : λ
    one_sided : punish only slopes above 1
    n : the slope is that along the first n columns, the others being a condition; None
        for all

    (34) $P = \lambda\,\mathrm{mean}_i\,(\|g_i\| - 1)^2$, or with $\max(0, \|g_i\| - 1)^2$

    (35) $u_i = \partial P/\partial g_i
    = \dfrac{2\lambda}{m}\,(\|g_i\| - 1)\,\dfrac{g_i}{\|g_i\|}$,
    and 0 where $g_i = 0$, since the norm has no slope there; $u_i$ is row i of $u_0$

    Raises MiniganError if D has a layer whose slope is not piecewise constant.
    Source: Gulrajani et al. (2017), Improved training of Wasserstein GANs, equation 3.
    """

    def of_slopes(g):
        xp, m = array_namespace(g), g.shape[0]
        norm = xp.sum(g * g, axis=1, keepdims=True) ** 0.5
        excess = norm - 1
        if one_sided:
            excess = xp.where(xp.real(excess) > 0, excess, 0.0)
        u = (2 * penalty_weight / m) * excess / xp.where(norm == 0, 1.0, norm) * g
        return penalty_weight * xp.sum(excess**2) / m, u

    return three_passes(D, x_hat, n, of_slopes)


def zero_centred_penalty(
    D: Network, x: Array, gamma: float = 1.0, n: int | None = None
) -> tuple[Array, Array]:
    r"""The penalty P of slopes of 0, and $\partial P/\partial\theta_D$.

    It is called R1 if the rows x (m, columns) are real, R2 if they are generated. D and n are
    those of `gradient_penalty`; gamma : γ

    (36) $P = \dfrac\gamma2\,\mathrm{mean}_i\,\|g_i\|^2$

    (37) $u_i = \partial P/\partial g_i = \dfrac\gamma m\,g_i$: no norm, no division, no
    special case

    Raises MiniganError if D has a layer whose slope is not piecewise constant.
    Source: Mescheder, Geiger & Nowozin (2018), Which training methods for GANs do actually
    converge?, equations 9 and 10.
    """

    def of_slopes(g):
        xp, m = array_namespace(g), g.shape[0]
        return gamma / (2 * m) * xp.sum(g * g), gamma / m * g

    return three_passes(D, x, n, of_slopes)


def three_passes(D, x, n, of_slopes):
    r"""P and $\partial P/\partial\theta_D$ of any penalty on the slopes g at the rows x.

    of_slopes : a function of g (m, n) that returns P and $u = \partial P/\partial g$ (m, n)

    (38) $dW_l = u_{l-1}^\top \delta_l$, $db_l = 0$ for each Dense layer l
    """
    check_piecewise_linear(D)
    trace = D.forward(x)
    deltas = D.deltas(trace, array_namespace(x).ones_like(trace[-1]))
    P, u = of_slopes(deltas[0][:, :n])
    tangents = D.tangents(trace, widen(u, deltas[0]))
    return P, D.accumulate(trace, deltas, tangents=tangents)


def check_piecewise_linear(D):
    r"""Raises MiniganError if D has a layer whose slope is not piecewise constant."""
    for layer, params in zip(D.layers, D.params):
        require(layer, *(["tangent_dparams"] if params else []))
        if not getattr(layer, "piecewise_linear", False):
            raise MiniganError(
                f"gradient penalty: {type(layer).__name__} is curved, and its second "
                "derivative is missing from (38); the critic's layers must be piecewise "
                "linear, as Dense and LeakyReLU are"
            )


def widen(u, delta):
    r"""u beside zeros for the columns of a condition, along which nothing moves."""
    if u.shape == delta.shape:
        return u
    xp = array_namespace(u)
    return xp.concat([u, xp.zeros_like(delta[:, u.shape[1] :])], axis=1)


@dataclass(eq=False, kw_only=True, repr=False)
class WGANGP(Wasserstein):
    r"""The Wasserstein GAN with gradient penalty.

    Source: Gulrajani et al. (2017), Improved training of Wasserstein GANs, algorithm 1.
    """

    penalty_weight: float = parameter(10.0, "weight of the gradient penalty", "(0, inf)")
    one_sided: bool = parameter(False, "punish only slopes above 1")

    def optimizers(self):
        r"""Adam with $\beta_1 = 0.5$, $\beta_2 = 0.9$ for both, as in the authors' script for
        MNIST; algorithm 1 has $\beta_1 = 0$.
        """
        return Adam(self.lr, 0.5, 0.9), Adam(self.D_lr, 0.5, 0.9)

    def penalty(self, x, x_fake, c, rng):
        r"""(39) P at $\hat x = \epsilon x + (1 - \epsilon)\,G(z)$, ε uniform in [0, 1), one per
        row.
        """
        eps = self.asarray(rng.random((x.shape[0], 1), self.real_dtype))
        x_hat = self.D_input(eps * x + (1 - eps) * x_fake, c)
        return gradient_penalty(self.D, x_hat, self.penalty_weight, self.one_sided, self.n_data)


@dataclass(eq=False, kw_only=True, repr=False)
class CWGANGP(Conditional, WGANGP):
    r"""The conditional Wasserstein GAN with gradient penalty."""
