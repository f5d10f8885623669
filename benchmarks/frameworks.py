"""One training iteration in JAX and in PyTorch; `contenders.py` says what a contender is."""

import numpy as np
from job import CLIP, EPS, N_NOISE, PENALTY_WEIGHT, REAL_LABEL, RHO, SLOPE, split


class Jax:
    """The whole iteration in one jit, noise included; donated state is updated in place."""

    iterations = 1  # in one call

    def __init__(self, job):
        import jax
        import jax.numpy as jnp

        self.jax, self.jnp, self.job = jax, jnp, job

        def player(theta, sizes):
            p = [jnp.array(v) for v in split(theta, sizes)]
            return p, [jnp.zeros_like(v) for v in p], [jnp.zeros_like(v) for v in p]

        G, D = map(player, job.thetas(), (job.sizes_G, job.sizes_D))
        self.state = G, D, jnp.zeros((), job.dtype), jax.random.key(1)
        data = [jnp.asarray(job.data)]
        data += [] if job.labels is None else [jnp.asarray(job.conditions())]
        self.data, self.rows = data, job.iterations()

        def several(state, data, z, rows, eps):
            return jax.lax.scan(
                lambda now, r: self.iteration(now, data, z, r, eps), state, rows
            )

        self.one, self.several = (
            jax.jit(f, donate_argnums=0) for f in (self.iteration, several)
        )

    def mlp(self, p, x, *c):
        x = self.jnp.concatenate([x, *c], axis=1) if c else x
        *hidden, (W3, *b3) = (p[at : at + 2] for at in range(0, len(p), 2))
        for W, b in hidden:
            x = self.jax.nn.leaky_relu(x @ W + b, SLOPE)
        return x @ W3 + b3[0] if b3 else x @ W3

    def generate(self, G, z, c):
        return self.jax.nn.sigmoid(self.mlp(G, z, *c))

    def bce(self, s, target):
        return self.jnp.mean(self.jax.nn.softplus(s) - target * s)

    def loss_G(self, G, D, z, x, c):
        fake = self.generate(G, z, c)
        s = self.mlp(D, fake, *c)
        if self.job.relativistic:
            return self.jnp.mean(self.jax.nn.softplus(self.mlp(D, x) - s)), fake
        return self.bce(s, 1.0) if self.job.logits else -self.jnp.mean(s), fake

    def loss_D(self, D, x, fake, c, eps):
        jnp, job = self.jnp, self.job
        s_real, s_fake = self.mlp(D, x, *c), self.mlp(D, fake, *c)
        if job.logits:
            return self.bce(s_real, REAL_LABEL) + self.bce(s_fake, 0.0)
        if job.relativistic:
            loss = jnp.mean(self.jax.nn.softplus(s_fake - s_real))
            if not job.gamma:
                return loss
            g = self.slopes(D, jnp.concatenate([x, fake]))
            return loss + job.gamma / (2 * job.m) * jnp.sum(g * g)
        loss = jnp.mean(s_fake) - jnp.mean(s_real)
        if job.game == "wgan":
            return loss
        g = self.slopes(D, eps * x + (1 - eps) * fake)
        return loss + PENALTY_WEIGHT * jnp.mean((jnp.sqrt(jnp.sum(g * g, axis=1)) - 1) ** 2)

    def slopes(self, D, rows):
        return self.jax.grad(lambda rows: self.jnp.sum(self.mlp(D, rows)))(rows)

    def descend(self, lr, t, p, grads, m1, m2):
        sqrt = self.jnp.sqrt
        if self.job.betas is None:
            m2 = [RHO * v + (1 - RHO) * g * g for v, g in zip(m2, grads)]
            steps = [lr * g / (sqrt(v) + EPS) for v, g in zip(m2, grads)]
        else:
            beta1, beta2 = self.job.betas
            m1 = [beta1 * m + (1 - beta1) * g for m, g in zip(m1, grads)]
            m2 = [beta2 * v + (1 - beta2) * g * g for v, g in zip(m2, grads)]
            c1, c2 = 1 - beta1**t, 1 - beta2**t
            steps = [lr * (m / c1) / (sqrt(v / c2) + EPS) for m, v in zip(m1, m2)]
        return [w - step for w, step in zip(p, steps)], m1, m2

    def descend_D(self, D, t, *rows):
        value, grads = self.jax.value_and_grad(self.loss_D)(D[0], *rows)
        p, *rest = self.descend(self.job.D_lr, t, D[0], grads, *D[1:])
        if self.job.game == "wgan":
            p = [self.jnp.clip(w, -CLIP, CLIP) for w in p]
        return (p, *rest), value

    def iteration(self, state, data, z, rows, eps):
        (G, D, t, key), (n, m), dtype = state, rows.shape, self.job.dtype
        if z is None:
            key, *now = self.jax.random.split(key, 3)
            z = self.jax.random.normal(now[0], (n, m, N_NOISE), dtype)
            eps = self.jax.random.uniform(now[1], (n, m, 1), dtype)
        x, *c = (each[rows[0]] for each in data)
        of_G = self.jax.value_and_grad(self.loss_G, has_aux=True)
        (value_G, fake), grads = of_G(G[0], D[0], z[0], x, c)
        D, value_D = self.descend_D(D, t * n + 1, x, fake, c, eps[0])
        G = self.descend(self.job.lr, t + 1, G[0], grads, *G[1:])
        for i in range(1, n):
            x, *c = (each[rows[i]] for each in data)
            fake = self.generate(G[0], z[i], c)
            D, value_D = self.descend_D(D, t * n + 1 + i, x, fake, c, eps[i])
        return (G, D, t + 1, key), (value_G, value_D)

    def draw(self):
        rows = [next(self.rows) for _ in range(self.iterations)]
        return None, rows[0] if self.iterations == 1 else np.stack(rows), None

    def step(self, z, rows, eps):
        run = self.one if rows.ndim == 2 else self.several
        self.state, losses = run(self.state, self.data, z, rows, eps)
        self.jax.block_until_ready(losses)

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

        torch.manual_seed(1)
        self.torch, self.job, self.rows = torch, job, job.iterations()
        self.data = [torch.from_numpy(job.data)]
        self.data += [] if job.labels is None else [torch.from_numpy(job.conditions())]
        theta_G, theta_D = job.thetas()
        self.G = self.mlp(job.sizes_G, theta_G, torch.nn.Sigmoid())
        self.D = self.mlp(job.sizes_D, theta_D)
        self.G_rule, self.D_rule = self.rule(self.G, job.lr), self.rule(self.D, job.D_lr)
        real = torch.ones(job.m, 1, dtype=self.data[0].dtype)
        self.targets = torch.cat([REAL_LABEL * real, 0 * real])
        self.bce = torch.nn.functional.binary_cross_entropy_with_logits
        if self.compiled:
            if job.gamma or job.game == "wgan-gp":
                raise ValueError("torch.compile does not differentiate twice")
            self.loss_G, self.loss_D = map(torch.compile, (self.loss_G, self.loss_D))

    def mlp(self, sizes, theta, *output):
        nn, layers, views = self.torch.nn, [], split(theta, sizes)
        for i, (n, k) in enumerate(zip(sizes, sizes[1:])):
            bias = 2 * i + 1 < len(views)
            layers += [nn.Linear(n, k, bias, dtype=self.data[0].dtype), nn.LeakyReLU(SLOPE)]
        net = nn.Sequential(*layers[:-1], *output)
        with self.torch.no_grad():
            for p, v in zip(net.parameters(), views):
                p.copy_(self.torch.tensor(v.T))
        return net

    def rule(self, net, lr):
        if self.job.betas is None:
            return self.torch.optim.RMSprop(net.parameters(), lr, RHO, EPS)
        return self.torch.optim.Adam(
            net.parameters(), lr, self.job.betas, EPS, fused=self.fused
        )

    def beside(self, x, c):
        return self.torch.cat([x, *c], 1) if c else x

    def loss_G(self, z, x, c):
        fake = self.G(self.beside(z, c))
        if self.job.relativistic:
            with self.torch.no_grad():
                real = self.D(x)
            return self.torch.nn.functional.softplus(real - self.D(fake)).mean(), fake
        s = self.D(self.beside(fake, c))
        return self.bce(s, self.torch.ones_like(s)) if self.job.logits else -s.mean(), fake

    def loss_D(self, x, fake, c, eps):
        job, m = self.job, self.job.m
        if self.compiled and job.logits:  # there the cat costs more than it saves
            halves = zip((x, fake), self.targets.split(m))
            return sum(self.bce(self.D(self.beside(rows, c)), t) for rows, t in halves)
        rows = self.torch.cat([x, fake])
        rows = self.beside(rows, [self.torch.cat([*c, *c])] if c else c)
        s = self.D(rows.requires_grad_(bool(job.gamma)))
        if job.logits:
            return 2 * self.bce(s, self.targets)
        if job.relativistic:
            loss = self.torch.nn.functional.softplus(s[m:] - s[:m]).mean()
            if not job.gamma:
                return loss
            return loss + job.gamma / (2 * m) * self.slopes(s, rows).square().sum()
        loss = s[m:].mean() - s[:m].mean()
        if job.game == "wgan":
            return loss
        rows = self.torch.lerp(fake, x, eps).requires_grad_()
        slope = self.slopes(self.D(rows), rows).norm(dim=1)
        return loss + PENALTY_WEIGHT * (slope - 1).square().mean()

    def slopes(self, s, rows):
        return self.torch.autograd.grad(s.sum(), rows, create_graph=True)[0]

    def draw(self):
        shape, with_points = (self.job.n_critic, self.job.m), self.job.game == "wgan-gp"
        eps = self.torch.rand(*shape, 1) if with_points else [None] * self.job.n_critic
        return self.torch.randn(*shape, N_NOISE), next(self.rows), eps

    def step(self, z, rows, eps):
        torch, rows = self.torch, self.torch.from_numpy(rows)
        z, eps = (torch.from_numpy(a) if isinstance(a, np.ndarray) else a for a in (z, eps))
        self.D.requires_grad_(False)
        x, *c = (each[rows[0]] for each in self.data)
        loss, fake = self.loss_G(z[0], x, c)
        self.G_rule.zero_grad()
        loss.backward()
        self.G_rule.step()
        self.D.requires_grad_(True)
        self.descend_D(x, fake.detach(), c, eps[0])
        for i in range(1, self.job.n_critic):
            x, *c = (each[rows[i]] for each in self.data)
            with torch.no_grad():
                fake = self.G(self.beside(z[i], c))
            self.descend_D(x, fake, c, eps[i])

    def descend_D(self, *rows):
        loss = self.loss_D(*rows)
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
