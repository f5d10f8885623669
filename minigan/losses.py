r"""Chapter 2. Three losses, each returned together with its own derivative.

A discriminator (a critic, in a WGAN) answers each row with one number, the score s. A
loss compares the scores of m rows with a target t and returns the pair

$$L = \frac1m \sum_i \ell(s_i, t), \qquad
  ds_i = \frac{\partial L}{\partial s_i} = \frac1m\,\ell'(s_i, t)$$

so that the value and the gradient come from the same intermediate numbers and cannot
disagree. Every loss is minimised; `ds` is the derivative of the very L beside it. The
target t is a number, or one number a row (m, 1). Shapes: s and ds (m, 1), L a scalar.
"""

from .backend import array_namespace
from .layers import exp_minus_abs, sigmoid


def bce_with_logits(s, t):
    r"""Binary cross-entropy of the probability $p = \sigma(s)$ with the target t in [0, 1].

    (4) $\ell = -t \log \sigma(s) - (1 - t) \log(1 - \sigma(s))
         = \log(1 + e^{s}) - t s$

    The second form follows from $\log\sigma(s) = s - \log(1 + e^s)$ and
    $\log(1 - \sigma(s)) = -\log(1 + e^s)$. A large s would overflow $e^s$, so the softplus
    is split: $\log(1 + e^s) = \max(s, 0) + \log(1 + e^{-|s|})$.

    (4a) $\ell' = \sigma(s) - t$

    Source: Goodfellow et al. (2014), Generative adversarial nets, equation 1.
    """
    xp, m = array_namespace(s), s.shape[0]
    e = exp_minus_abs(s)
    softplus = xp.where(xp.real(s) > 0, s, 0.0) + xp.log1p(e)
    return xp.sum(softplus - t * s) / m, (sigmoid(s, e) - t) / m


def wasserstein(s, t):
    r"""The mean score, to be raised where t = +1 and lowered where t = -1.

    (5) $\ell = -t s$

    (5a) $\ell' = -t$

    Source: Arjovsky, Chintala & Bottou (2017), Wasserstein GAN, equation 2: the critic
    minimises $\mathrm{mean}\,D(G(z)) - \mathrm{mean}\,D(x)$.
    """
    xp, m = array_namespace(s), s.shape[0]
    return xp.sum(-t * s) / m, xp.ones_like(s) * (-t / m)


