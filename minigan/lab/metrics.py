r"""Chapter 20. What a sample is worth.

Nothing a GAN minimises says whether its samples are any good, so they are measured from
outside. Every measure here is a plain function of NumPy arrays; none is worth much without
its **control**, genuine rows scored in the same way, which `minigan evaluate` prints beside
it. And none says everything: a generator that repeats one perfect digit has full precision,
one that returns the training set has a perfect Fréchet distance.

| measure | asks | blind to |
|---|---|---|
| Fréchet distance | are mean and spread of the features right? | all higher moments |
| precision, recall | how much of one set lies within the other? | how often it is there |
| class histogram | is every digit drawn? | how well, and variety within one |
| label accuracy | is it the digit that was asked for? | variety |
| modes, quality | for mixtures whose modes are known | shape of a mode |
| W₁ | how far must samples be carried to become data? | nothing, but slow |
| Parzen window | how likely are test digits? | nearly everything: see `parzen.py` |
"""

import numpy as np

from ..arrays import check_memory
from ..errors import DataError, MiniganError

CHUNK = 1000  # rows of a matrix of distances that exist at one time
COLLAPSED = 0.1  # a class is missing below this part of its share among genuine rows
LARGEST = 1e15  # of a number that is measured: float32 can still hold its square


def measurable(name, *sets, dtype=None, least=1):
    r"""The sets of rows as arrays (n, d) of the same d; raises DataError if one has no measure.

    That is one with fewer than `least` rows, or with numbers that are not finite or beyond
    `LARGEST`, as a model that has diverged makes them.
    """
    sets = [np.asarray(rows, dtype=dtype) for rows in sets]
    shapes = " and ".join(str(rows.shape) for rows in sets)
    if any(rows.ndim != 2 or rows.dtype.kind not in "biuf" for rows in sets):
        raise DataError(
            f"{name}: expected rows of real numbers (n, d), got rows of shape {shapes}"
        )
    if len({rows.shape[1] for rows in sets}) > 1 or not all(rows.size for rows in sets):
        raise DataError(f"{name}: expected rows of one width, got rows of shape {shapes}")
    if min(map(len, sets)) < least:
        raise DataError(f"{name}: expected at least {least} rows, got rows of shape {shapes}")
    extremes = [float(extreme) for rows in sets for extreme in (rows.min(), rows.max())]
    beyond = [extreme for extreme in extremes if not abs(extreme) < LARGEST]  # NaN is, too
    if beyond:
        raise DataError(f"{name}: expected numbers below {LARGEST:g}, got {beyond[0]:g}")
    return [rows if rows.dtype.kind == "f" else rows.astype(np.float64) for rows in sets]


def squared_distances(a, b):
    r"""$\|a_i - b_j\|^2 = \|a_i\|^2 + \|b_j\|^2 - 2\,a_i b_j^\top$ as one product.

    Shapes: a (m, d), b (n, d). Returns (m, n), never negative. What cancels costs about
    $\varepsilon\|a\|^2$, so points close together but far from 0 should be centred first.
    """
    product = a @ b.T
    product *= -2
    product += np.sum(a * a, axis=1)[:, None]
    product += np.sum(b * b, axis=1)
    return np.maximum(product, 0, out=product)


def frechet_distance(a, b):
    r"""The squared Fréchet distance of two Gaussians with the moments of a and b.

    (56) $d^2 = \|\mu_a - \mu_b\|^2 + \mathrm{tr}(C_a + C_b) - 2\,\mathrm{tr}\,(C_a C_b)^{1/2}$

    (56a) $\mathrm{tr}\,(C_a C_b)^{1/2} = \sum_i \sqrt{\lambda_i}$ with λ the eigenvalues of
    the symmetric $S C_b S$, $S = C_a^{1/2}$: they are those of $S S C_b$, and a symmetric
    matrix has real ones.

    In the features of a digit classifier it is the kin of the FID (Heusel et al. 2017,
    equation 6), but the features differ, so values compare only among themselves; so do
    those of different n, as the estimate is biased upwards by about 1/n.
    Shapes: a (m, d), b (n, d), m and n at least 2.
    """
    a, b = measurable("Fréchet distance", a, b, dtype=np.float64, least=2)
    C_a, C_b = (np.atleast_2d(np.cov(rows, rowvar=False)) for rows in (a, b))
    values, vectors = np.linalg.eigh(C_a)
    S = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(S @ C_b @ S), 0)).sum()
    step = a.mean(axis=0) - b.mean(axis=0)
    return float(step @ step + np.trace(C_a) + np.trace(C_b) - 2 * cross)


def label_accuracy(read, asked):
    r"""(57) The share of samples read as the class that was asked for, and its standard error.

    $p = \frac1n \#\{i : \text{read}_i = \text{asked}_i\}$, $\quad
    \mathrm{se} = \sqrt{p(1 - p)/n}$. The reader errs as well: the control says how often.
    """
    read, asked = np.asarray(read), np.asarray(asked)
    if read.shape != asked.shape or read.ndim != 1 or not read.size:
        raise DataError(
            f"labels: expected as many as were asked for, {asked.shape}, got {read.shape}"
        )
    p = float(np.mean(read == asked))
    return p, float(np.sqrt(p * (1 - p) / len(read)))


def class_shares(labels, n_classes):
    r"""The share of each class among the labels (n,), as (n_classes,)."""
    if not len(labels):
        raise DataError("labels: expected at least one, got none")
    return np.bincount(labels, minlength=n_classes) / len(labels)


def missing_classes(shares, genuine):
    r"""The classes a generator has lost: those with less than a tenth of the genuine share.

    (58) class j is missing if $p_j < q_j/10$, p and q the shares of samples and of data
    """
    shares, genuine = np.asarray(shares), np.asarray(genuine)
    return np.flatnonzero(shares < COLLAPSED * genuine)


def modes_captured(x, modes, std):
    r"""(modes captured, share of high quality) of the points x (n, 2).

    (59) A sample is of high quality if it lies within $3\sigma$ of the nearest mode:
    $\min_k \|x_i - \mu_k\| < 3\sigma$. A mode is captured if at least one such sample is
    nearest to it.

    A genuine sample passes with probability $1 - e^{-9/2} = 98.9\%$; more than that means
    that the generator's modes are too narrow. Source: Lin et al. (2018), PacGAN, section
    4.1, after Srivastava et al. (2017), VEEGAN; there with 2,500 samples.
    """
    x, modes = measurable("modes", x, modes, dtype=np.float64)
    squared = ((x[:, None] - modes) ** 2).sum(axis=-1)
    nearest, good = squared.argmin(axis=1), squared.min(axis=1) < (3 * std) ** 2
    return len(np.unique(nearest[good])), float(good.mean())


def divergence_of_counts(counts):
    r"""The KL divergence, in nats, of a histogram (k,) from k modes that are equally likely.

    (59a) $\mathrm{KL}(p \,\|\, q) = \sum_{j: p_j > 0} p_j \log(p_j/q_j)$ with
    $p_j = n_j/n$ and $q_j = 1/k$

    It is log k if all n samples are in one mode, and 0 if each mode has n/k of them. Of n
    genuine samples it is about $(k - 1)/2n$, as $2n\,\mathrm{KL}$ is then nearly a χ² of k − 1
    degrees of freedom (Wilks 1938): 0.019 for 26,000 samples of 1,000 modes.
    """
    counts = measurable("counts", np.atleast_2d(counts))[0].ravel()
    if counts.min() < 0 or not counts.any():
        raise DataError("counts: expected numbers from 0, and not zeros alone")
    shares = counts[counts > 0] / counts.sum()
    return float(shares @ np.log(shares * counts.size))


def precision_recall(real, fake, k=3):
    r"""Improved precision and recall of the rows `fake` (n, d) against `real` (m, d).

    (60) precision $= \frac1n \#\{j : \exists i\; \|f_j - r_i\| \le \rho_i\}$, where $\rho_i$ is
    the distance from $r_i$ to its k-th nearest neighbour among the other real rows; recall is
    the same with the two sets exchanged.

    Precision is the share of samples that lie in the estimated manifold of the data, recall
    the share of the data in that of the samples. Equal numbers of rows make them fair. An
    outlier with a large ball flatters them. Source: Kynkäänniemi et al. (2019), Improved
    precision and recall, equations 1 and 2; k = 3 is theirs.
    """
    real, fake = measurable("precision", real, fake, dtype=np.float32)
    if not 1 <= k < min(len(real), len(fake)):
        raise DataError(f"k: expected 1 to {min(len(real), len(fake)) - 1}, got {k}")
    centre = real.mean(axis=0)
    real, fake = real - centre, fake - centre
    return _within(fake, real, k), _within(real, fake, k)


def _within(points, centres, k):
    r"""The share of `points` inside the ball of at least one of the centres."""
    inside = np.zeros(len(points), dtype=bool)
    for i in range(0, len(centres), CHUNK):
        own = squared_distances(centres[i : i + CHUNK], centres)
        rows = np.arange(len(own))
        own[rows, i + rows] = -1.0  # itself comes first, whatever rounding made of it
        radius = np.partition(own, k, axis=1)[:, k : k + 1]
        near = squared_distances(centres[i : i + CHUNK], points) <= radius
        inside |= near.any(axis=0)
    return float(inside.mean())


def wasserstein_1d(a, b):
    r"""The exact earth mover's distance between two samples of the same size on the line.

    (61) $W_1 = \frac1n \sum_i |a_{(i)} - b_{(i)}|$, both in ascending order: on the line no two
    loads ever need to cross.
    """
    columns = (np.atleast_2d(np.transpose(rows)).T for rows in (a, b))
    a, b = measurable("W1", *columns, dtype=np.float64)
    if a.shape != b.shape or a.shape[1] != 1:
        raise DataError(f"W1: expected samples of the same size, got {a.shape} and {b.shape}")
    return float(np.mean(np.abs(np.sort(a, axis=0) - np.sort(b, axis=0))))


def wasserstein_distance(a, b):
    r"""The exact earth mover's distance between two samples of n rows each, $n \lesssim 3000$.

    (61a) $W_1 = \min_\pi \frac1n \sum_i \|a_i - b_{\pi(i)}\|$ over all permutations π: between
    equal samples an optimal plan that splits no load always exists (Birkhoff).

    Found by SciPy's assignment in $O(n^3)$. Even two genuine samples are apart, by about
    $n^{-1/2}$ in the plane: read it beside its control. Raises MiniganError without SciPy.
    """
    try:
        from scipy.optimize import linear_sum_assignment
        from scipy.spatial.distance import cdist
    except ImportError:
        message = "exact W1 needs SciPy: pip install 'minigan[metrics]'"
        raise MiniganError(message) from None
    a, b = measurable("W1", a, b, dtype=np.float64)
    if a.shape != b.shape:
        raise DataError(f"W1: expected samples of the same size, got {a.shape} and {b.shape}")
    check_memory(f"W1 of {len(a)} rows", 16 * len(a) ** 2)
    cost = cdist(a, b)
    return float(cost[linear_sum_assignment(cost)].mean())
