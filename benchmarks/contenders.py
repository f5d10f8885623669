r"""The contenders of the benchmarks: one iteration in each library, as experts would write it.

Every contender is a class with the same members, so that a benchmark can treat all alike:

    Contender(job)   a copy of the job's initial weights; batches come from the job's data
    draw()           noise and row numbers for one iteration, by its own means
    step(z, rows)    one iteration: G learns, then D on the same fakes, then D on fresh ones
    thetas()         the two flat thetas, G's and D's (the floor has none)

z is (n_critic, m, 100), rows (n_critic, m). A flat theta is W1, b1, W2, b2, W3, b3, each W of
shape (n_in, n_out); its dtype is that of the run: float32 to be timed, float64 to be compared.
The imports stand inside the classes, because a process loads only the library it measures;
minigan without Numba and minigan with it need a process each as well.
"""

import sys
from dataclasses import dataclass

import numpy as np

N_NOISE, N_DATA, N_ROWS, SLOPE = 100, 784, 5000, 0.2
REAL_LABEL, BETA1, BETA2, RHO, EPS, CLIP = 0.9, 0.5, 0.999, 0.99, 1e-8, 0.01
GAMES = {"gan": 1, "wgan": 5, "r3gan": 1, "r3gan-0": 1}  # the critic's steps


@dataclass
class Job:
    """What all contenders are to do: the networks, the game, the rows, the initial weights."""

    m: int = 64
    width: int = 128
    game: str = "gan"
    dtype: str = "float32"
    backend: str = "numpy"
    lr: float = 1e-3
    D_lr: float = 1e-3
    seed: int = 0
    data: np.ndarray = None

    def __post_init__(self):
        if self.data is None:
            self.data = numbers(0).random((N_ROWS, N_DATA), np.float32)
        self.data = self.data.astype(self.dtype)
        self.n_critic = GAMES[self.game]
        self.gamma = 1.0 if self.game == "r3gan" else 0.0  # of R1 and R2
        self.sizes_G = N_NOISE, self.width, self.width, N_DATA
        self.sizes_D = N_DATA, self.width, self.width, 1

    def thetas(self):
        """He initialisation, a WGAN's critic clipped: the same numbers in any dtype."""
        from minigan.arrays import stream

        thetas = []
        for player, sizes in (("G", self.sizes_G), ("D", self.sizes_D)):
            rng = stream(self.seed, f"weights of {player}")
            n_theta = sum(n * k + k for n, k in zip(sizes, sizes[1:]))
            n_theta -= self.game != "gan" and player == "D"  # no bias is added to the score
            thetas.append(np.zeros(n_theta, np.float32))
            for W in split(thetas[-1], sizes)[::2]:
                W[...] = rng.standard_normal(W.shape) * np.sqrt(2 / len(W))
        if self.game == "wgan":
            np.clip(thetas[1], -CLIP, CLIP, out=thetas[1])
        return [theta.astype(self.dtype) for theta in thetas]

    def batches(self):
        """Row numbers of one batch after another, from a fresh permutation each epoch."""
        rng, n = numbers(1), len(self.data)
        while True:
            order = rng.permutation(n)
            for at in range(0, n - self.m + 1, self.m):
                yield order[at : at + self.m]

    def iterations(self):
        """The row numbers of one iteration after another, (n_critic, m)."""
        batches = self.batches()
        while True:
            yield np.stack([next(batches) for _ in range(self.n_critic)])


def numbers(index):
    """The generator of 0 the data, 1 the order, 2 a floor's matrices, 3 the noise, 4 a check's
    rows and noise, 5 samples.
    """
    from minigan.arrays import stream  # here, as a contender may have to hide Numba before

    return stream(0, "numbers of a benchmark", index)


def split(theta, sizes):
    """[W1, b1, W2, b2, W3, b3] as views of a flat theta; b3 only if it has one."""
    views, at = [], 0
    for n, k in zip(sizes, sizes[1:]):
        views += [theta[at : at + n * k].reshape(n, k), theta[at + n * k : at + n * k + k]]
        at += n * k + k
    return [view for view in views if view.size]


class Floor:
    """Only the iteration's matrix products, everything preallocated.

    Real and generated rows go through D together, and one backward pass through D serves
    both players; further critic steps need G forward and D both ways. The delta below D's one
    score per row is no matrix product (it is a row times a column). R1 and R2 are left out, so
    that the games with and without them can be compared.
    """

    def __init__(self, job):
        from minigan import backend

        self.xp, m, rng = backend(job.backend), job.m, numbers(2)

        def normal(*shape):
            return self.xp.asarray(rng.standard_normal(shape, np.float32))

        w = job.width
        z, g1, g2 = normal(m, N_NOISE), normal(m, w), normal(m, w)
        x, h1, h2, s = (normal(2 * m, k) for k in (N_DATA, w, w, 1))
        dx_fake = normal(m, N_DATA)
        U1, _, U2, _, U3, *_ = (normal(*v.shape) for v in split(job.thetas()[0], job.sizes_G))
        W1, _, W2, _, W3, *_ = (normal(*v.shape) for v in split(job.thetas()[1], job.sizes_D))
        dU1, dU2, dU3, dW1, dW2, dW3 = map(self.xp.empty_like, (U1, U2, U3, W1, W2, W3))
        critic = [
            (z, U1, g1), (g1, U2, g2), (g2, U3, x[m:]),  # G forward
            (x, W1, h1), (h1, W2, h2), (h2, W3, s),  # D forward, real and fake
            (h2, W2.T, h1),  # D's deltas
            (x.T, h1, dW1), (h1.T, h2, dW2), (h2.T, s, dW3),  # D's gradient
        ]  # fmt: skip
        self.products = critic * job.n_critic + [
            (h1[m:], W1.T, dx_fake),  # G's way out of D
            (g2.T, dx_fake, dU3), (dx_fake, U3.T, g2),  # G's gradient and deltas
            (g1.T, g2, dU2), (g2, U2.T, g1), (z.T, g1, dU1),
        ]  # fmt: skip

    def draw(self):
        return None, None

    def step(self, z, rows):
        for a, b, out in self.products:
            self.xp.matmul(a, b, out=out)


class Minigan:
    """This library as `minigan.train` runs it where Numba is not installed."""

    def __init__(self, job):
        self.choose_loops()
        import minigan
        from minigan.fast import accelerate
        from minigan.workspace import Workspace

        minigan.keep_heap()
        options = {"lr": job.lr, "D_lr": job.D_lr, "dtype": job.dtype, "backend": job.backend}
        options |= {"G_hidden": (job.width,) * 2, "D_hidden": (job.width,) * 2}
        if job.game == "gan":
            self.model = minigan.GAN(real_label=REAL_LABEL, **options)
        elif job.game != "wgan":
            self.model = minigan.R3GAN(gamma=job.gamma, **options)
        else:
            self.model = minigan.WGAN(clip=CLIP, **options)
            self.model.critic_steps = lambda: job.n_critic
        for network, theta in zip((self.model.G, self.model.D), job.thetas()):
            network.theta[...] = self.model.asarray(theta)
        accelerate(self.model)
        self.data, self.rng = self.model.asarray(job.data), numbers(3)
        self.batches = minigan.Batches(job.data, job.m, to=self.model.standardised)
        self.workspace = Workspace(self.batches)

    def choose_loops(self):
        """Make `minigan.fast` find no Numba, and keep Numba's memory out of this process."""
        sys.modules.setdefault("numba", None)
        from minigan import fast

        fast.njit = None

    def draw(self):
        return None, None

    def step(self, z, rows):
        game = self.workspace.for_model(self.model)
        if z is None:
            game.iteration(self.batches, self.rng)
            return
        game.update(self.data[rows[0]], z[0])
        for noise, index in zip(z[1:], rows[1:]):
            game.D_update(self.data[index], game.generate(noise))

    def thetas(self):
        return self.model.G.theta, self.model.D.theta


class MiniganNumba(Minigan):
    """This library as `minigan.train` runs it with the extra `fast`, which brings Numba."""

    def choose_loops(self):
        """Leave `minigan.fast` as it is, provided that it has found Numba."""
        from minigan import fast

        if fast.njit is None:
            raise ImportError("Numba is not installed, or it cannot compile here")


class Jax:
    """The whole iteration in one jit, noise included; donated state is updated in place."""

    iterations = 1  # in one call

    def __init__(self, job):
        import jax
        import jax.numpy as jnp

        def mlp(p, x):
            *hidden, (W3, *b3) = (p[at : at + 2] for at in range(0, len(p), 2))
            for W, b in hidden:
                x = jax.nn.leaky_relu(x @ W + b, SLOPE)
            return x @ W3 + b3[0] if b3 else x @ W3

        def generate(G, z):
            return jax.nn.sigmoid(mlp(G, z))

        def bce(s, target):
            return jnp.mean(jax.nn.softplus(s) - target * s)

        def slopes(D, rows):
            return jax.grad(lambda rows: jnp.sum(mlp(D, rows)))(rows)

        def loss_G(G, D, z, x):
            fake = generate(G, z)
            s = mlp(D, fake)
            if "r3gan" in job.game:
                return jnp.mean(jax.nn.softplus(mlp(D, x) - s)), fake
            return bce(s, 1.0) if job.game == "gan" else -jnp.mean(s), fake

        def loss_D(D, x, x_fake):
            real, fake = mlp(D, x), mlp(D, x_fake)
            if "r3gan" in job.game:
                loss = jnp.mean(jax.nn.softplus(fake - real))
                if not job.gamma:
                    return loss
                g = slopes(D, jnp.concatenate([x, x_fake]))
                return loss + job.gamma / (2 * job.m) * jnp.sum(g * g)
            if job.game == "gan":
                return bce(real, REAL_LABEL) + bce(fake, 0.0)
            return jnp.mean(fake) - jnp.mean(real)

        def adam(lr, t, p, grads, m1, m2):
            m1 = [BETA1 * m + (1 - BETA1) * g for m, g in zip(m1, grads)]
            m2 = [BETA2 * v + (1 - BETA2) * g * g for v, g in zip(m2, grads)]
            c1, c2 = 1 - BETA1**t, 1 - BETA2**t
            steps = [lr * (m / c1) / (jnp.sqrt(v / c2) + EPS) for m, v in zip(m1, m2)]
            return [w - step for w, step in zip(p, steps)], m1, m2

        def rmsprop(lr, t, p, grads, unused, v):
            v = [RHO * a + (1 - RHO) * g * g for a, g in zip(v, grads)]
            steps = [lr * g / (jnp.sqrt(a) + EPS) for a, g in zip(v, grads)]
            return [w - step for w, step in zip(p, steps)], unused, v

        rule = rmsprop if job.game == "wgan" else adam

        def descend_D(D, t, x, fake):
            value, grads = jax.value_and_grad(loss_D)(D[0], x, fake)
            p, *rest = rule(job.D_lr, t, D[0], grads, *D[1:])
            clipped = [jnp.clip(w, -CLIP, CLIP) for w in p] if job.game == "wgan" else p
            return (clipped, *rest), value

        def iteration(state, data, z, rows):
            G, D, t, key = state
            if z is None:
                key, now = jax.random.split(key)
                z = jax.random.normal(now, (job.n_critic, job.m, N_NOISE), data.dtype)
            t = t + 1
            x = data[rows[0]]
            of_G = jax.value_and_grad(loss_G, has_aux=True)
            (value_G, fake), grads = of_G(G[0], D[0], z[0], x)
            D, value_D = descend_D(D, t, x, fake)
            G = rule(job.lr, t, G[0], grads, *G[1:])
            for i in range(1, job.n_critic):
                D, value_D = descend_D(D, t, data[rows[i]], generate(G[0], z[i]))
            return (G, D, t, key), (value_G, value_D)

        def player(theta, sizes):
            p = [jnp.array(v) for v in split(theta, sizes)]
            return p, [jnp.zeros_like(v) for v in p], [jnp.zeros_like(v) for v in p]

        G, D = map(player, job.thetas(), (job.sizes_G, job.sizes_D))
        self.state = G, D, jnp.zeros((), job.dtype), jax.random.key(1)

        def several(state, data, z, rows):
            return jax.lax.scan(lambda state, r: iteration(state, data, z, r), state, rows)

        self.data, self.rows = jnp.asarray(job.data), job.iterations()
        self.wait = jax.block_until_ready
        self.iteration, self.several = (
            jax.jit(f, donate_argnums=0) for f in (iteration, several)
        )

    def draw(self):
        rows = [next(self.rows) for _ in range(self.iterations)]
        return None, rows[0] if self.iterations == 1 else np.stack(rows)

    def step(self, z, rows):
        run = self.iteration if rows.ndim == 2 else self.several
        self.state, losses = run(self.state, self.data, z, rows)
        self.wait(losses)

    def thetas(self):
        return [np.concatenate([np.ravel(v) for v in player[0]]) for player in self.state[:2]]


class JaxScan(Jax):
    """Ten iterations in one call, between which the caller sees nothing."""

    iterations = 10


class Torch:
    """PyTorch, eager. The fakes are detached for D, and D is frozen while G learns."""

    fused, compiled = None, False

    def __init__(self, job):
        import torch
        from torch import nn

        torch.manual_seed(1)
        m, real = job.m, {"dtype": torch.from_numpy(job.data).dtype}
        bce = nn.functional.binary_cross_entropy_with_logits

        def mlp(sizes, theta, *output):
            layers, views = [], split(theta, sizes)
            for i, (n, k) in enumerate(zip(sizes, sizes[1:])):
                bias = 2 * i + 1 < len(views)
                layers += [nn.Linear(n, k, bias, **real), nn.LeakyReLU(SLOPE)]
            net = nn.Sequential(*layers[:-1], *output)
            with torch.no_grad():
                for p, v in zip(net.parameters(), views):
                    p.copy_(torch.tensor(v.T))
            return net

        def optimizer(net, lr):
            if job.game == "wgan":
                return torch.optim.RMSprop(net.parameters(), lr, RHO, EPS)
            betas = BETA1, BETA2
            return torch.optim.Adam(net.parameters(), lr, betas, EPS, fused=self.fused)

        theta_G, theta_D = job.thetas()
        self.G = G = mlp(job.sizes_G, theta_G, nn.Sigmoid())
        self.D = D = mlp(job.sizes_D, theta_D)
        self.G_rule, self.D_rule = optimizer(G, job.lr), optimizer(D, job.D_lr)
        zero, one = torch.zeros(m, 1, **real), torch.ones(m, 1, **real)
        targets = torch.cat([REAL_LABEL * one, zero])

        relativistic = "r3gan" in job.game
        if relativistic and self.compiled:
            raise ValueError("torch.compile does not differentiate twice")

        def loss_G(z, x):
            fake = G(z)
            if relativistic:
                with torch.no_grad():
                    real = D(x)
                return nn.functional.softplus(real - D(fake)).mean(), fake
            s = D(fake)
            return bce(s, one) if job.game == "gan" else -s.mean(), fake

        def loss_D(x, fake):
            if self.compiled and job.game == "gan":  # there the cat costs more than it saves
                return bce(D(x), targets[:m]) + bce(D(fake), zero)
            rows = torch.cat([x, fake]).requires_grad_(bool(job.gamma))
            s = D(rows)
            if relativistic:
                loss = nn.functional.softplus(s[m:] - s[:m]).mean()
                if not job.gamma:
                    return loss
                (g,) = torch.autograd.grad(s.sum(), rows, create_graph=True)
                return loss + job.gamma / (2 * m) * g.square().sum()
            return 2 * bce(s, targets) if job.game == "gan" else s[m:].mean() - s[:m].mean()

        wrap = torch.compile if self.compiled else lambda f: f
        self.loss_G, self.loss_D = wrap(loss_G), wrap(loss_D)
        self.torch, self.job = torch, job
        self.data, self.rows = torch.from_numpy(job.data), job.iterations()

    def draw(self):
        return self.torch.randn(self.job.n_critic, self.job.m, N_NOISE), next(self.rows)

    def step(self, z, rows):
        z, rows = self.torch.as_tensor(z), self.torch.from_numpy(rows)
        self.D.requires_grad_(False)
        loss, fake = self.loss_G(z[0], self.data[rows[0]])
        self.G_rule.zero_grad()
        loss.backward()
        self.G_rule.step()
        self.D.requires_grad_(True)
        self.descend_D(self.data[rows[0]], fake.detach())
        for i in range(1, self.job.n_critic):
            with self.torch.no_grad():
                fake = self.G(z[i])
            self.descend_D(self.data[rows[i]], fake)

    def descend_D(self, x, fake):
        loss = self.loss_D(x, fake)
        self.D_rule.zero_grad()
        loss.backward()
        self.D_rule.step()
        if self.job.game == "wgan":
            with self.torch.no_grad():
                for p in self.D.parameters():
                    p.clamp_(-CLIP, CLIP)

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
    "minigan[fast]": MiniganNumba,
    "JAX jit": Jax,
    "JAX scan": JaxScan,
    "PyTorch eager": Torch,
    "PyTorch fused Adam": TorchFused,
    "torch.compile": TorchCompile,
}
