r"""Chapter 21. The Parzen window, the measure of the first GAN papers.

Put a small Gaussian on each of n samples; their sum is a density, and the test digits have
a likelihood under it. It is here because Goodfellow et al. (2014) and Mirza & Osindero
(2014) report it, and their numbers can be met only by their own measure. It says little: in
784 dimensions 10,000 windows cover next to nothing, so what counts is how close the nearest
sample lies, and the centres of k-means, blurred averages that no one would take for digits,
score better than genuine digits do (Theis et al. 2016, A note on the evaluation of
generative models). `benchmarks/reproduce.py` prints that row beside ours.
"""

import numpy as np

from ..errors import real_number
from .metrics import CHUNK, measurable, squared_distances

SIGMAS = np.logspace(-1, 0, 10)  # the grid of the published script


def parzen(samples, validation, test, sigmas=SIGMAS):
    r"""(mean log-likelihood of the test rows in nats, its standard error, the σ chosen).

    samples : generated rows (n, d), 10,000 in the papers
    validation : genuine rows, 1,000 in the papers; the σ that makes them likeliest is taken
    test : genuine rows, MNIST's 10,000

    Pixels lie in [0, 1]. The standard error is that of the mean over test rows, as published;
    it does not contain the chance of training, which only seeds show.
    """
    found = log_likelihoods(validation, samples, sigmas).mean(axis=1)
    best = int(np.argmax(found))
    each = log_likelihoods(test, samples, sigmas[best : best + 1])[0]
    return float(each.mean()), float(each.std() / np.sqrt(len(each))), float(sigmas[best])


def log_likelihoods(x, samples, sigmas):
    r"""$\log p(x_i)$ for each σ, (len(sigmas), m), of the rows x (m, d).

    (62) $p(x) = \dfrac1n \sum_j \mathcal N(x; s_j, \sigma^2 I)$, so
    $\log p(x_i) = \log \sum_j e^{-q_{ij}/2\sigma^2} - \log n
    - \dfrac d2 \log 2\pi\sigma^2$, $\quad q_{ij} = \|x_i - s_j\|^2$

    (62a) $\log \sum_j e^{v_j} = v^* + \log \sum_j e^{v_j - v^*}$ with $v^* = \max_j v_j$: no
    term exceeds 1 and one is 1, so the sum neither overflows nor vanishes.

    The distances are one matrix product per chunk of rows and serve every σ. In float32
    they err by about 1e-5, which (62) divides by $2\sigma^2 \ge 0.02$: far below a nat.
    """
    x, samples = measurable("Parzen", x, samples)
    sigmas = np.array([real_number("sigmas", sigma, "(0, inf)") for sigma in sigmas])
    n, d = samples.shape
    logs = np.empty((len(sigmas), len(x)))
    for i in range(0, len(x), CHUNK):
        q = squared_distances(x[i : i + CHUNK], samples)
        least = q.min(axis=1, keepdims=True)
        q -= least
        for at, sigma in enumerate(sigmas):
            e = np.exp(q * q.dtype.type(-0.5 / sigma**2))
            total = np.log(e.sum(axis=1, dtype=np.float64))
            logs[at, i : i + CHUNK] = total - least[:, 0] / (2 * sigma**2)
    return logs - np.log(n) - d / 2 * np.log(2 * np.pi * sigmas**2)[:, None]
