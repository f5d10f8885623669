r"""Chapter 16. A judge of digits: a small classifier made of the same layers.

To say which digits a generator draws, something must read them. This network has ten
scores per row and learns from genuine digits and their labels, slightly shifted each time
it sees them, by the cross-entropy of its softmax. Its hidden layer also serves as the
feature space in which distributions of digits are compared.
"""

import numpy as np

from .backend import array_namespace
from .errors import DataError
from .network import mlp
from .optim import Adam

SIDE = 28
FEATURES = -2  # in a trace: the last hidden layer's output


def softmax_cross_entropy(s, c):
    r"""Cross-entropy of the softmax of the scores s (m, k) with one-hot targets c (m, k).

    (31) $L = -\frac1m \sum_{ij} c_{ij} \log p_{ij}$, $p_{ij} = e^{s_{ij}} / \sum_l e^{s_{il}}$

    (31a) $\partial L/\partial s_{ij} = (p_{ij} - c_{ij})/m$, since
    $\log p_{ij} = s_{ij} - \log \sum_l e^{s_{il}}$, and the derivative of the last term by
    $s_{ij}$ is $p_{ij}$ once for each row, whose targets sum to 1.

    Subtracting each row's largest score changes nothing in (31) and keeps e from
    overflowing. Returns L and ∂L/∂s (m, k).
    """
    xp, m = array_namespace(s, c), s.shape[0]
    s = s - xp.max(xp.real(s), axis=1, keepdims=True)
    e = xp.exp(s)
    total = xp.sum(e, axis=1, keepdims=True)
    return xp.sum(c * (xp.log(total) - s)) / m, (e / total - c) / m


class Classifier:
    r"""784 → 256 → 128 → 10 with LeakyReLU, trained by Adam with a falling rate.

    data : a `Dataset` of 28 × 28 digits with labels
    epochs : passes over the data
    seed : of the weights, the order and the shifts

    Raises DataError if the data are not labelled 28 × 28 images.
    """

    def __init__(self, data, epochs=20, seed=0, batch_size=100, lr=2e-3):
        if data.image_shape != (SIDE, SIDE) or data.labels is None:
            raise DataError(f"{data.name}: a classifier needs labelled 28 x 28 images")
        rng = np.random.default_rng(seed)
        self.network = mlp((SIDE * SIDE, 256, 128, 10), rng, slope=0.1)
        images, targets = data.x.reshape(-1, SIDE, SIDE), np.eye(10, dtype="float32")
        optimizer, m = Adam(lr), batch_size
        for epoch in range(epochs):
            optimizer.lr = lr * (1 - epoch / epochs)
            order = rng.permutation(len(images))
            for i in range(0, len(images) - m + 1, m):
                rows = order[i : i + m]
                self._learn(optimizer, shifted(images[rows], rng), targets[data.labels[rows]])

    def _learn(self, optimizer, x, c):
        trace = self.network.forward(x)
        _, ds = softmax_cross_entropy(trace[-1], c)
        optimizer.step(self.network.theta, self.network.gradient(trace, ds))

    def trace(self, x):
        r"""Every layer's output for the rows x (m, 784)."""
        return self.network.forward(np.asarray(x, dtype="float32"))

    def labels(self, x):
        r"""The digit each row of x (m, 784) shows (m,)."""
        return self.trace(x)[-1].argmax(axis=1)

    def features(self, x):
        r"""The last hidden layer's output (m, 128)."""
        return self.trace(x)[FEATURES]


def shifted(images, rng, reach=2):
    r"""The images (m, 28, 28), each moved by up to `reach` pixels either way, as rows."""
    m = len(images)
    padded = np.pad(images, ((0, 0), (reach, reach), (reach, reach)))
    down, right = rng.integers(0, 2 * reach + 1, (2, m, 1, 1))
    side = np.arange(SIDE)
    moved = padded[np.arange(m)[:, None, None], down + side[:, None], right + side]
    return moved.reshape(m, SIDE * SIDE)
