r"""Chapter 10. The gradient penalty, and the derivative of a derivative by hand.

A critic may change by at most 1 per unit of distance. Instead of clipping its weights,
WGAN-GP asks for a slope of 1 at points $\hat x$ on the segments between real and generated
rows, and punishes the distance from it with the weight λ:

$$P = \lambda\,\frac1m \sum_i (\|g_i\| - 1)^2, \qquad g_i = \nabla_{\hat x} D(\hat x_i)$$

P is made of a derivative, and to descend it we need its derivative with respect to
$\theta_D$. It takes three passes, all of them known from chapter 3.

1. **Backward.** g is the delta of the scores at D's input: seed (9) with ones, go down to
   $\delta_0 = g$.
2. **Forward.** Let $u = \partial P/\partial g$. To first order in any change of $\theta$,
   P changes as the number $\langle u, g\rangle$ does with u held fixed. But g is D's
   gradient, so $\langle u_i, g_i\rangle$ is how much the score of row i moves when
   $\hat x_i$ moves by $u_i$: it is the tangent $u_N$ of (11), started at $u_0 = u$.
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
    r"""The penalty P and $\partial P/\partial\theta_D$.

    D : a `Network` of piecewise linear layers with one score per row
    x_hat : the rows $\hat x$ at which the slope is to be 1 (m, columns)
    penalty_weight : λ
    one_sided : punish only slopes above 1
    n : the slope is that along the first n columns, the others being a condition; None
        for all

    (32) $P = \lambda\,\mathrm{mean}_i\,(\|g_i\| - 1)^2$, or with $\max(0, \|g_i\| - 1)^2$

    (33) $u_i = \partial P/\partial g_i
    = \dfrac{2\lambda}{m}\,(\|g_i\| - 1)\,\dfrac{g_i}{\|g_i\|}$,
    and 0 where $g_i = 0$, since the norm has no slope there; $u_i$ is row i of $u_0$

    (34) $dW_l = u_{l-1}^\top \delta_l$, $db_l = 0$ for each Dense layer l

    Raises MiniganError if D has a layer whose slope is not piecewise constant.
    Source: Gulrajani et al. (2017), Improved training of Wasserstein GANs, equation 3.
    """
    for layer, params in zip(D.layers, D.params):
        require(layer, *(["tangent_dparams"] if params else []))
        if not getattr(layer, "piecewise_linear", False):
            raise MiniganError(
                f"gradient penalty: {type(layer).__name__} is curved, and its second "
                "derivative is missing from (34); the critic's layers must be piecewise "
                "linear, as Dense and LeakyReLU are"
            )
    xp, m = array_namespace(x_hat), x_hat.shape[0]
    trace = D.forward(x_hat)
    deltas = D.deltas(trace, xp.ones_like(trace[-1]))
    g = deltas[0][:, :n]
    norm = xp.sum(g * g, axis=1, keepdims=True) ** 0.5
    excess = norm - 1
    if one_sided:
        excess = xp.where(xp.real(excess) > 0, excess, 0.0)
    u = (2 * penalty_weight / m) * excess / xp.where(norm == 0, 1.0, norm) * g
    rest = xp.zeros_like(deltas[0][:, g.shape[1] :])
    tangents = D.tangents(trace, xp.concat([u, rest], axis=1))
    grads = []
    passes = zip(D.layers, deltas[1:], tangents, trace, trace[1:], D.params)
    for layer, delta, tangent, x, y, params in passes:
        if params:
            own = layer.tangent_dparams(delta, tangent, x, y, *params)
            grads += [xp.reshape(grad, (-1,)) for grad in own]
    return penalty_weight * xp.sum(excess**2) / m, xp.concat(grads)


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
        r"""(35) P at $\hat x = \epsilon x + (1 - \epsilon)\,G(z)$, ε uniform in [0, 1), one per
        row.
        """
        eps = self.asarray(rng.random((x.shape[0], 1), self.real_dtype))
        x_hat = self.D_input(eps * x + (1 - eps) * x_fake, c)
        return gradient_penalty(self.D, x_hat, self.penalty_weight, self.one_sided, self.n_data)


@dataclass(eq=False, kw_only=True, repr=False)
class CWGANGP(Conditional, WGANGP):
    r"""The conditional Wasserstein GAN with gradient penalty."""
