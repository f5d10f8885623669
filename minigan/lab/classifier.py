r"""Chapter 22. A judge of digits: a small classifier made of the same layers.

To say which digits a generator draws, something must read them. This network has ten
scores per row and learns from genuine digits and their labels, each a little turned, sized,
slanted and shifted anew every time it is seen, by the cross-entropy of its softmax. It
reads 97.6% of MNIST's test digits after the 5,000 shipped ones, in 15 seconds, once: the
parameters are kept in the user's cache. Its last hidden layer also serves as the feature
space in which distributions of digits are compared.
"""

import contextlib
import hashlib

import numpy as np

from ..arrays import stream
from ..errors import DataError, DivergedError, real_number, whole_number
from ..losses import softmax_cross_entropy
from ..network import mlp
from ..optim import Adam
from .download import cache_folder
from .files import read_bytes, write_whole

SIDE = 28
HIDDEN = 512, 128
CHECKED = 32  # bytes of a `checksum`
VERSION = 2  # of the training; a new one leaves old caches alone
FEATURES = -2  # in a trace: the last hidden layer's output


class Classifier:
    r"""784 → 512 → 128 → 10 with LeakyReLU, trained by Adam with a falling rate.

    data : a `Dataset` of 28 × 28 pictures with labels
    epochs : passes over the data
    seed : of the weights, the order and the changes to each picture
    batch_size, lr : of the training
    cache : read the parameters of the same training from `cache_folder()` if they are there,
        and leave them there

    The same arguments give the same classifier. Raises DataError if the data are not
    labelled 28 × 28 pictures.
    """

    def __init__(self, data, epochs=40, seed=0, batch_size=100, lr=2e-3, cache=False):
        if data.image_shape != (SIDE, SIDE) or data.labels is None:
            raise DataError(f"{data.name}: a classifier needs labelled 28 x 28 images")
        epochs, m = whole_number("epochs", epochs), whole_number("batch_size", batch_size)
        seed, lr = whole_number("seed", seed, "[0, inf)"), real_number("lr", lr, "(0, inf)")
        training = epochs, seed, m, lr
        self.n_classes, sizes = data.n_classes, (SIDE * SIDE, *HIDDEN, data.n_classes)
        self.network = mlp(sizes, stream(seed, "weights of the classifier"), slope=0.1)
        folder = cache_folder() if cache else None
        path = folder and folder / f"classifier-{fingerprint(data, training)}.bin"
        if not (path and self._recall(path)):
            self._train(data, stream(seed, "training of the classifier"), epochs, m, lr)
            if path:
                self._keep(path)

    def _train(self, data, rng, epochs, m, lr):
        images = data.x.reshape(-1, SIDE, SIDE)
        targets = np.eye(data.n_classes, dtype="float32")
        optimizer = Adam(lr)
        for epoch in range(epochs):
            optimizer.lr = lr * (1 - epoch / epochs)
            order = rng.permutation(len(images))
            for i in range(0, max(1, len(images) - m + 1), m):
                rows = order[i : i + m]
                trace = self.network.forward(warped(images[rows], rng))
                _, ds = softmax_cross_entropy(trace[-1], targets[data.labels[rows]])
                optimizer.step(self.network.theta, self.network.gradient(trace, ds))
        if not np.isfinite(self.network.theta).all():
            raise DivergedError(f"{data.name}: the classifier has diverged; try a smaller lr")

    def _recall(self, path):
        r"""Whether the file held parameters that fit; whatever else it holds is ignored."""
        theta = self.network.theta
        try:
            content = read_bytes(path, CHECKED + theta.nbytes, DataError)
        except DataError:  # absent, too large, not a file
            return False
        sum_of_it, content = content[:CHECKED], content[CHECKED:]
        if len(content) != theta.nbytes or sum_of_it != checksum(content):
            return False
        numbers = np.frombuffer(content, "<f4")
        if not np.isfinite(numbers).all():
            return False
        theta[...] = numbers
        return True

    def _keep(self, path):
        content = self.network.theta.astype("<f4").tobytes()
        with contextlib.suppress(
            OSError, DataError
        ):  # it only costs the next call some seconds
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, lambda file: file.write(checksum(content) + content), DataError)

    def trace(self, x):
        r"""Every layer's output for the rows x (m, 784)."""
        return self.network.forward(np.asarray(x, dtype="float32"))

    def labels(self, x):
        r"""The class each row of x (m, 784) shows (m,)."""
        return self.trace(x)[-1].argmax(axis=1)

    def features(self, x):
        r"""The last hidden layer's output (m, 128)."""
        return self.trace(x)[FEATURES]


def checksum(content):
    r"""What a file in the cache begins with, as bytes: the SHA-256 of the rest of it."""
    return hashlib.sha256(content).digest()


def fingerprint(data, training):
    r"""A name for the outcome of training on these data in this way."""
    text = f"{VERSION} {HIDDEN} {training} {data.x.shape}"
    content = hashlib.sha256(text.encode())
    content.update(data.x)
    content.update(data.labels)
    return content.hexdigest()[:24]


def warped(images, rng, shift=2.0, angle=0.2, zoom=0.12, slant=0.15):
    r"""The images (m, 28, 28), each turned, sized, slanted and shifted at random, as rows.

    shift : pixels, at most, either way
    angle : radians, at most; zoom and slant are parts of the size

    Pixel (i, j) of the result is read at $A(i, j) + t$ in the image, between four pixels:
    linear interpolation in either direction. Coordinates are counted from the centre.
    """
    m, middle = len(images), (SIDE - 1) / 2
    turn, size, skew = (rng.uniform(-most, most, (m, 1)) for most in (angle, zoom, slant))
    down, right = rng.uniform(-shift, shift, (2, m, 1))
    i, j = np.indices((SIDE, SIDE)).reshape(2, 1, -1) - middle
    cos, sin = (1 + size) * np.cos(turn), (1 + size) * np.sin(turn)
    row = cos * i - sin * j + down
    column = sin * i + cos * j + skew * i + right
    # A margin of one pixel before and two behind; all that is beyond it is background, but
    # for a thousandth of the last row and column.
    padded = np.pad(images, ((0, 0), (1, 2), (1, 2)))
    side = SIDE + 3
    row, column = (
        np.clip(at + (middle + 1), 0, SIDE + 0.999).astype("float32") for at in (row, column)
    )
    i, j = row.astype(np.int32), column.astype(np.int32)
    row, column = row - i.astype("float32"), column - j.astype("float32")
    at = (np.arange(m, dtype=np.int32) * side**2)[:, None] + i * side + j
    pixels = padded.ravel()
    above = pixels[at] * (1 - column) + pixels[at + 1] * column
    below = pixels[at + side] * (1 - column) + pixels[at + side + 1] * column
    return above * (1 - row) + below * row
