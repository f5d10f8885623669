"""The games written again, plainly, for HIPS autograd to differentiate.

No line of minigan is used: networks are loops over (W, b), losses are the textbook
expressions, and the gradients are autograd's. It is slow, obvious, and the judge.
"""

import autograd.numpy as anp
import numpy as np
from autograd import grad


def network(theta, sizes, x, slope, output="linear", bias=True):
    """`bias`: of the last layer."""
    at = 0
    for i, (n, k) in enumerate(zip(sizes[:-1], sizes[1:])):
        W = anp.reshape(theta[at : at + n * k], (n, k))
        b = theta[at + n * k : at + n * k + k] if bias or i < len(sizes) - 2 else 0.0
        at += n * k + k
        x = anp.dot(x, W) + b
        if i < len(sizes) - 2:
            x = anp.where(x > 0, x, slope * x)
    return 1 / (1 + anp.exp(-x)) if output == "sigmoid" else x


def log_sigmoid(s):
    return -anp.logaddexp(0, -s)


def gan_D(s_real, s_fake, label=0.9):
    real = -anp.mean(label * log_sigmoid(s_real) + (1 - label) * log_sigmoid(-s_real))
    return real - anp.mean(log_sigmoid(-s_fake))


def gan_G(s_real, s_fake):
    return -anp.mean(log_sigmoid(s_fake))


def gan_G_minimax(s_real, s_fake):
    return anp.mean(log_sigmoid(-s_fake))


def wgan_D(s_real, s_fake):
    return anp.mean(s_fake) - anp.mean(s_real)


def wgan_G(s_real, s_fake):
    return -anp.mean(s_fake)


def lsgan_D(s_real, s_fake, a=0.0, b=1.0):
    return anp.mean((s_real - b) ** 2) / 2 + anp.mean((s_fake - a) ** 2) / 2


def lsgan_G(s_real, s_fake, c=1.0):
    return anp.mean((s_fake - c) ** 2) / 2


def r3gan_D(s_real, s_fake):
    return anp.mean(anp.logaddexp(0, s_fake - s_real))


def r3gan_G(s_real, s_fake):
    return anp.mean(anp.logaddexp(0, s_real - s_fake))


def one_hot(labels, n_classes):
    return np.array([[float(j == label) for j in range(n_classes)] for label in labels])


class Reference:
    """A game as two loss functions of (θ_G, θ_D), for one batch of x, z and labels."""

    def __init__(self, model, D_loss, G_loss, n_classes=0):
        width = n_classes
        self.weight = getattr(model, "penalty_weight", 0.0)  # of WGAN-GP's penalty
        self.gamma = getattr(model, "gamma", 0.0)  # of R1 and R2
        self.G_sizes = (model.n_noise + width, *model.G_hidden, model.n_data)
        self.D_sizes = (model.n_data + width, *model.D_hidden, 1)
        self.slope, self.output, self.n_classes = model.slope, model.output, n_classes
        self.of_D, self.of_G, self.bias = D_loss, G_loss, not model.shift_invariant

    def join(self, rows, labels):
        if not self.n_classes:
            return rows
        return anp.concatenate([rows, one_hot(labels, self.n_classes)], axis=1)

    def fakes(self, G, z, labels):
        return network(G, self.G_sizes, self.join(z, labels), self.slope, self.output)

    def score(self, D, x, labels):
        return network(D, self.D_sizes, self.join(x, labels), self.slope, bias=self.bias)

    def D_loss(self, D, x, x_fake, labels, eps=None):
        loss = self.of_D(self.score(D, x, labels), self.score(D, x_fake, labels))
        slope = grad(lambda rows: anp.sum(self.score(D, rows, labels)))
        if self.weight:
            norm = anp.sqrt(anp.sum(slope(eps * x + (1 - eps) * x_fake) ** 2, axis=1))
            return loss + self.weight * anp.mean((norm - 1) ** 2)
        for rows in (x, x_fake) if self.gamma else ():
            loss = loss + self.gamma / 2 * anp.mean(anp.sum(slope(rows) ** 2, axis=1))
        return loss

    def G_loss(self, G, D, x, z, labels):
        s_fake = self.score(D, self.fakes(G, z, labels), labels)
        return self.of_G(self.score(D, x, labels), s_fake)

    def D_gradient(self, D, x, x_fake, labels, eps=None):
        return grad(self.D_loss)(D, x, x_fake, labels, eps)

    def G_gradient(self, G, D, x, z, labels):
        return grad(self.G_loss)(G, D, x, z, labels)


class ReferenceAdam:
    def __init__(self, lr, beta2=0.999, beta1=0.5, eps=1e-8):
        self.lr, self.beta1, self.beta2, self.eps, self.past = lr, beta1, beta2, eps, []

    def step(self, theta, g):
        self.past.append(g)
        t = len(self.past)
        w1 = [(1 - self.beta1) * self.beta1 ** (t - i) for i in range(1, t + 1)]
        w2 = [(1 - self.beta2) * self.beta2 ** (t - i) for i in range(1, t + 1)]
        m = sum(w * g for w, g in zip(w1, self.past)) / sum(w1)
        v = sum(w * g**2 for w, g in zip(w2, self.past)) / sum(w2)
        return theta - self.lr * m / (np.sqrt(v) + self.eps)


class ReferenceRMSProp:
    def __init__(self, lr, rho=0.99, eps=1e-8):
        self.lr, self.rho, self.eps, self.v = lr, rho, eps, 0.0

    def step(self, theta, g):
        self.v = self.rho * self.v + (1 - self.rho) * g**2
        return theta - self.lr * g / (np.sqrt(self.v) + self.eps)
