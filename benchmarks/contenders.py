r"""The contenders of bench_step.py: one iteration, each as its best users would write it.

Every contender is a class with the same members, so that the benchmark can treat them alike:

    Contender(m, thetas, data)  copies the initial weights; batches of m rows come from `data`
    draw()                      noise and row numbers for one iteration, by its own means
    step(z, rows)               one iteration: G learns, then D on the same fakes
    thetas()                    the two flat thetas, G's and D's (the floor has none)

A flat theta is W1, b1, W2, b2, W3, b3, each W of shape (n_in, n_out); its dtype is that of
the run: float32 to be timed, float64 to be compared. The imports stand inside the classes: a
process loads the one library it measures.
"""

import numpy as np

SIZES_G, SIZES_D = (100, 128, 128, 784), (784, 128, 128, 1)
SLOPE, REAL_LABEL = 0.2, 0.9
LR, BETA1, BETA2, EPS = 1e-3, 0.5, 0.999, 1e-8


def split(theta, sizes):
    """[W1, b1, W2, b2, W3, b3] as views of a flat theta."""
    views, at = [], 0
    for n, k in zip(sizes, sizes[1:]):
        views += [theta[at : at + n * k].reshape(n, k), theta[at + n * k : at + n * k + k]]
        at += n * k + k
    return views


def initial_thetas(dtype, seed=0):
    """He initialisation; every contender starts from these. The same numbers in any dtype."""
    rng, thetas = np.random.default_rng(seed), []
    for sizes in (SIZES_G, SIZES_D):
        thetas.append(np.zeros(sum(n * k + k for n, k in zip(sizes, sizes[1:])), np.float32))
        for W in split(thetas[-1], sizes)[::2]:
            W[...] = rng.standard_normal(W.shape) * np.sqrt(2 / len(W))
    return [theta.astype(dtype) for theta in thetas]


def row_numbers(n, m):
    """Row numbers of one batch after another, from a fresh permutation each epoch."""
    rng = np.random.default_rng(1)
    while True:
        order = rng.permutation(n)
        for at in range(0, n - m + 1, m):
            yield order[at : at + m]


class Floor:
    """Only the iteration's matrix products, everything preallocated: what no NumPy can beat.

    Real and generated rows go through D together, and one backward pass through D serves
    both players, so there are 15 products. The delta below D's one score per row is no
    matrix product (it is a row times a column).
    """

    def __init__(self, m, thetas, data):
        rng = np.random.default_rng(1)

        def normal(*shape):
            return rng.standard_normal(shape, np.float32)

        z, g1, g2, dx_fake = normal(m, 100), normal(m, 128), normal(m, 128), normal(m, 784)
        x, h1, h2, s = (
            normal(2 * m, 784),
            normal(2 * m, 128),
            normal(2 * m, 128),
            normal(2 * m, 1),
        )
        U1, _, U2, _, U3, _ = (normal(*v.shape) for v in split(thetas[0], SIZES_G))
        W1, _, W2, _, W3, _ = (normal(*v.shape) for v in split(thetas[1], SIZES_D))
        dU1, dU2, dU3, dW1, dW2, dW3 = map(np.empty_like, (U1, U2, U3, W1, W2, W3))
        self.products = [
            (z, U1, g1), (g1, U2, g2), (g2, U3, x[m:]),  # G forward
            (x, W1, h1), (h1, W2, h2), (h2, W3, s),  # D forward, real and fake
            (h2, W2.T, h1), (h1[m:], W1.T, dx_fake),  # D's deltas; G's way out of D
            (x.T, h1, dW1), (h1.T, h2, dW2), (h2.T, s, dW3),  # D's gradient
            (g2.T, dx_fake, dU3), (dx_fake, U3.T, g2),  # G's gradient and deltas
            (g1.T, g2, dU2), (g2, U2.T, g1), (z.T, g1, dU1),
        ]  # fmt: skip

    def draw(self):
        return None, None

    def step(self, z, rows):
        for a, b, out in self.products:
            np.matmul(a, b, out=out)


class Minigan:
    """This library, as `minigan.train` runs it."""

    def __init__(self, m, thetas, data):
        import minigan

        minigan.keep_heap()
        dtype = str(thetas[0].dtype)
        self.model = minigan.GAN(lr=LR, D_lr=LR, real_label=REAL_LABEL, dtype=dtype)
        self.model.G.theta[...], self.model.D.theta[...] = thetas
        self.data, self.rng = data, np.random.default_rng(1)
        self.batches = ((data[rows], None) for rows in row_numbers(len(data), m))

    def draw(self):
        return None, None

    def step(self, z, rows):
        if z is None:
            self.model.iteration(self.batches, self.rng)
        else:
            self.model.update(self.data[rows], z)

    def thetas(self):
        return self.model.G.theta, self.model.D.theta


class Jax:
    """The whole iteration in one jit, noise included; donated state is updated in place."""

    def __init__(self, m, thetas, data):
        import jax
        import jax.numpy as jnp

        def mlp(p, x):
            for W, b in zip(p[:-2:2], p[1:-2:2]):
                x = jax.nn.leaky_relu(x @ W + b, SLOPE)
            return x @ p[-2] + p[-1]

        def bce(s, target):
            return jnp.mean(jax.nn.softplus(s) - target * s)

        def loss_G(G, D, z):
            fake = jax.nn.sigmoid(mlp(G, z))
            return bce(mlp(D, fake), 1.0), fake

        def loss_D(D, x, fake):
            return bce(mlp(D, x), REAL_LABEL) + bce(mlp(D, fake), 0.0)

        def adam(t, p, grads, m1, m2):
            m1 = [BETA1 * m + (1 - BETA1) * g for m, g in zip(m1, grads)]
            m2 = [BETA2 * v + (1 - BETA2) * g * g for v, g in zip(m2, grads)]
            c1, c2 = 1 - BETA1**t, 1 - BETA2**t
            steps = [LR * (m / c1) / (jnp.sqrt(v / c2) + EPS) for m, v in zip(m1, m2)]
            return [w - step for w, step in zip(p, steps)], m1, m2

        def iteration(state, data, z, rows):
            G, D, t, key = state
            if z is None:
                key, now = jax.random.split(key)
                z = jax.random.normal(now, (m, 100), data.dtype)
            (value_G, fake), dG = jax.value_and_grad(loss_G, has_aux=True)(G[0], D[0], z)
            value_D, dD = jax.value_and_grad(loss_D)(D[0], data[rows], fake)
            G, D = (adam(t + 1, p, grads, *rest) for (p, *rest), grads in ((G, dG), (D, dD)))
            return (G, D, t + 1, key), (value_G, value_D)

        def player(theta, sizes):
            p = [jnp.array(v) for v in split(theta, sizes)]
            return p, [jnp.zeros_like(v) for v in p], [jnp.zeros_like(v) for v in p]

        G, D = player(thetas[0], SIZES_G), player(thetas[1], SIZES_D)
        self.state = G, D, jnp.zeros((), thetas[0].dtype), jax.random.key(1)
        self.data, self.rows = jnp.asarray(data), row_numbers(len(data), m)
        self.wait, self.iteration = jax.block_until_ready, jax.jit(iteration, donate_argnums=0)

    def draw(self):
        return None, next(self.rows)

    def step(self, z, rows):
        self.state, losses = self.iteration(self.state, self.data, z, rows)
        self.wait(losses)

    def thetas(self):
        return [np.concatenate([np.ravel(v) for v in player[0]]) for player in self.state[:2]]


class Torch:
    """PyTorch, eager. The fakes are detached for D, and D is frozen while G learns."""

    fused, compiled = None, False

    def __init__(self, m, thetas, data):
        import torch
        from torch import nn

        torch.manual_seed(1)
        real = {"dtype": torch.from_numpy(data).dtype}
        bce = nn.functional.binary_cross_entropy_with_logits

        def mlp(sizes, theta, *output):
            layers = []
            for n, k in zip(sizes, sizes[1:]):
                layers += [nn.Linear(n, k, **real), nn.LeakyReLU(SLOPE)]
            net = nn.Sequential(*layers[:-1], *output)
            with torch.no_grad():
                for p, v in zip(net.parameters(), split(theta, sizes)):
                    p.copy_(torch.tensor(v.T))
            return net, torch.optim.Adam(
                net.parameters(), LR, (BETA1, BETA2), EPS, fused=self.fused
            )

        self.G, self.G_adam = G, _ = mlp(SIZES_G, thetas[0], nn.Sigmoid())
        self.D, self.D_adam = D, _ = mlp(SIZES_D, thetas[1])
        zero, one = torch.zeros(m, 1, **real), torch.ones(m, 1, **real)
        targets = torch.cat([REAL_LABEL * one, zero])

        def loss_G(z):
            fake = G(z)
            return bce(D(fake), one), fake

        def loss_D(x, fake):
            if self.compiled:  # two passes: there the concatenation costs more than it saves
                return bce(D(x), targets[:m]) + bce(D(fake), zero)
            return 2 * bce(D(torch.cat([x, fake])), targets)

        wrap = torch.compile if self.compiled else lambda f: f
        self.loss_G, self.loss_D = wrap(loss_G), wrap(loss_D)
        self.torch, self.noise_shape = torch, (m, 100)
        self.data, self.rows = torch.from_numpy(data), row_numbers(len(data), m)

    def draw(self):
        return self.torch.randn(self.noise_shape), next(self.rows)

    def step(self, z, rows):
        x = self.data[self.torch.from_numpy(rows)]
        self.D.requires_grad_(False)
        loss, fake = self.loss_G(self.torch.as_tensor(z))
        self.G_adam.zero_grad()
        loss.backward()
        self.G_adam.step()
        self.D.requires_grad_(True)
        loss = self.loss_D(x, fake.detach())
        self.D_adam.zero_grad()
        loss.backward()
        self.D_adam.step()

    def thetas(self):
        nets = self.G, self.D
        return [
            np.concatenate([p.detach().numpy().T.ravel() for p in n.parameters()]) for n in nets
        ]


class TorchFused(Torch):
    """The same with Adam as one fused kernel."""

    fused = True


class TorchCompile(TorchFused):
    """The same with both losses, forward and backward, through torch.compile."""

    compiled = True


CONTENDERS = {
    "floor": Floor,
    "minigan": Minigan,
    "JAX jit": Jax,
    "PyTorch eager": Torch,
    "PyTorch fused Adam": TorchFused,
    "torch.compile": TorchCompile,
}
