r"""Chapter 2. The losses, each returned together with its own derivative.

A discriminator (a critic, in a WGAN) answers each row with one number, the score s. A
loss compares the scores of m rows with a target t and returns the pair

$$L = \frac1m \sum_i \ell(s_i, t), \qquad
  ds_i = \frac{\partial L}{\partial s_i} = \frac1m\,\ell'(s_i, t)$$

so that the value and the gradient come from the same intermediate numbers and cannot
disagree. Every loss is minimised; `ds` is the derivative of the very L beside it. The
target t is a number, or one number per row (m, 1). Shapes: s and ds (m, 1), L a scalar.
"""

from .arrays import Array, array_namespace


def bce_with_logits(s: Array, t: float | Array) -> tuple[Array, Array]:
    r"""Binary cross-entropy of the probability $p = \sigma(s)$ with the target t in [0, 1].

    (4) $\ell = -t \log \sigma(s) - (1 - t) \log \sigma(-s)$, as $1 - \sigma(s) = \sigma(-s)$

    Written so, $\sigma$ rounds to 0 and its logarithm is lost. But
    $-\log\sigma(s) = \log(1 + e^{-s}) = \max(-s, 0) + \log(1 + e^{-|s|})$, whatever the sign
    of s, where nothing overflows and nothing cancels. With $e = e^{-|s|}$:

    $$\ell = \log(1 + e) + \begin{cases}(1 - t)\,s & s > 0\\ -t\,s & s \le 0\end{cases}$$

    (4a) $\ell' = (1 - t)\,\sigma(s) - t\,\sigma(-s)$, which is $\sigma(s) - t$ without the
    cancellation; by (3) its numerator over $1 + e$ is $(1 - t) - te$ where $s > 0$, and
    $(1 - t)e - t$ elsewhere.

    Source: Goodfellow et al. (2014), Generative adversarial nets, equation 1.
    """
    xp, m = array_namespace(s), s.shape[0]
    positive = xp.real(s) > 0
    e = xp.exp(xp.where(positive, -s, s))
    loss = xp.where(positive, (1 - t) * s, -t * s) + xp.log1p(e)
    ds = xp.where(positive, (1 - t) - t * e, (1 - t) * e - t) / (1 + e)
    return xp.sum(loss) / m, ds / m


def wasserstein(s: Array, t: float | Array) -> tuple[Array, Array]:
    r"""The mean score, to be raised where t = +1 and lowered where t = -1.

    (5) $\ell = -t s$

    (5a) $\ell' = -t$

    Source: Arjovsky, Chintala & Bottou (2017), Wasserstein GAN, equation 2: the critic
    minimises $\mathrm{mean}\,D(G(z)) - \mathrm{mean}\,D(x)$.
    """
    xp, m = array_namespace(s), s.shape[0]
    return xp.sum(-t * s) / m, xp.ones_like(s) * (-t / m)


def least_squares(s: Array, t: float | Array) -> tuple[Array, Array]:
    r"""Half the mean squared distance of the score from its target.

    (6) $\ell = \tfrac12 (s - t)^2$

    (6a) $\ell' = s - t$

    Source: Mao et al. (2017), Least squares generative adversarial networks, equation 2.
    """
    xp, m = array_namespace(s), s.shape[0]
    return xp.sum((s - t) ** 2) / (2 * m), (s - t) / m


def relativistic(s: Array, t: Array) -> tuple[Array, Array]:
    r"""Cross-entropy of the claim that a row is more real than its rival, whose score is t.

    (7) $\ell = \log(1 + e^{-(s - t)})$

    Here t is no target but the score of another row, (m, 1), and only the difference of the
    two counts. It is (4) of $s - t$ with the target 1, and so as safe from overflow.

    (7a) $\ell' = -\sigma(t - s)$, by (4a); and $+\sigma(t - s)$ is the derivative with respect
    to t, since only $s - t$ counts.

    Source: Jolicoeur-Martineau (2018), The relativistic discriminator, section 4; in pairs, as
    here, Huang, Gokaslan, Kuleshov & Tompkin (2024), The GAN is dead; long live the GAN!,
    equation 2.
    """
    return bce_with_logits(s - t, 1.0)


def softmax_cross_entropy(s: Array, c: Array) -> tuple[Array, Array]:
    r"""Cross-entropy of the softmax of the scores s (m, k) with one-hot targets c (m, k).

    (8) $L = -\frac1m \sum_{ij} c_{ij} \log p_{ij}$, $p_{ij} = e^{s_{ij}} / \sum_l e^{s_{il}}$

    (8a) $\partial L/\partial s_{ij} = (p_{ij} - c_{ij})/m$, since
    $\log p_{ij} = s_{ij} - \log \sum_l e^{s_{il}}$, and the derivative of the last term
    with respect to $s_{ij}$ is $p_{ij}$ once for each row, whose targets sum to 1.

    Subtracting each row's largest score changes nothing in (8) and keeps e from
    overflowing. Returns L and ∂L/∂s (m, k).
    """
    xp, m = array_namespace(s, c), s.shape[0]
    s = s - xp.max(xp.real(s), axis=1, keepdims=True)
    e = xp.exp(s)
    total = xp.sum(e, axis=1, keepdims=True)
    return xp.sum(c * (xp.log(total) - s)) / m, (e / total - c) / m
