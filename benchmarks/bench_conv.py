r"""How long an iteration of convolutional players takes: minigan, its products, JAX, PyTorch.

The networks are those of `--network conv` for digits (D: 28 × 28 · 1, 14 × 14 · 8, 7 × 7 · 16,
128, a score; G the other way from 100 numbers of noise; other channels by --channels), in
float32, with Adam. In one iteration the generator takes a step, and the discriminator a step
on the same fakes. r3gan is the relativistic game with R1 and R2, whose second derivatives JAX
and PyTorch take by differentiating twice.

Before any timing, every contender computes two iterations from the same weights, noise and rows
in float64, and the benchmark ends unless all arrive at the same parameters. All run in one
process on one core; in each round every contender is timed once, and every ratio is taken
within its round. The time is the process's own: what other programs take does not count.

    OPENBLAS_NUM_THREADS=1 taskset -c 1 python benchmarks/bench_conv.py
    python benchmarks/bench_conv.py --game gan -m 64 --rounds 20
"""

import argparse
import os
import statistics
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
flags = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ.setdefault("XLA_FLAGS", flags)

import numpy as np  # noqa: E402

import minigan  # noqa: E402
from minigan import fast, fast_conv  # noqa: E402
from minigan.lab.models import build  # noqa: E402

NETWORKS = {"network": "conv", "image_shape": (28, 28), "G_hidden": (128,), "D_hidden": (128,)}
GAMES = {"gan": {}, "r3gan": {"gamma": 0.3}}


def game_of(name, dtype):
    """The game, its weights a little moved, so that no bias is zero."""
    model = build(
        name, **NETWORKS, **GAMES[name], lr=1e-3, D_lr=1e-3, ema_decay=0.0, dtype=dtype
    )
    rng = np.random.default_rng(0)
    for network in (model.G, model.D):
        network.theta += 0.01 * rng.standard_normal(network.theta.shape)
    return model


class Minigan:
    """This library on NumPy alone."""

    def __init__(self, name, dtype):
        self.model = game_of(name, dtype)

    def step(self, x, z):
        self.model.update(x, z)

    def thetas(self):
        return self.model.G.theta, self.model.D.theta


class MiniganFast(Minigan):
    """This library as `minigan.train` runs it with Numba."""

    def __init__(self, name, dtype):
        if fast.njit is None:
            raise ImportError("Numba is not installed")
        super().__init__(name, dtype)
        fast.accelerate(self.model)
        fast_conv.accelerate_pictures(self.model)


class Products:
    """The matrix products of an iteration, and nothing between them."""

    def __init__(self, name, dtype, m=64):
        model, self.products, rng = game_of(name, dtype), [], np.random.default_rng(1)
        penalty = name == "r3gan"
        for network, rows, passes in ((model.G, m, 1), (model.D, 2 * m, 1 + penalty)):
            own = [layer for layer in network.layers if layer.shapes]
            for l, layer in enumerate(own):
                n, k = layer.shapes[0]
                places = np.prod(layer.patches.places) if hasattr(layer, "patches") else 1
                X = rng.standard_normal((rows * places, n)).astype(dtype)
                Y = rng.standard_normal((rows * places, k)).astype(dtype)
                W = rng.standard_normal((n, k)).astype(dtype)
                up = (Y, W.T) if type(layer).__name__ == "ConvTranspose" else (X, W)
                down = (X, W) if type(layer).__name__ == "ConvTranspose" else (Y, W.T)
                self.products += [up] * passes + [(X.T, Y)]  # forward and tangents, gradient
                if network is model.D and not l and not penalty:
                    down = (Y[: len(Y) // 2], W.T)  # G's way out of D
                if (network is model.D or l) and k > 1:
                    self.products.append(down)

    def step(self, x, z):
        for a, b in self.products:
            a @ b


class Torch:
    """PyTorch, eager, its pictures in the order of bytes that its kernels prefer."""

    def __init__(self, name, dtype):
        import torch

        torch.set_num_threads(1)
        self.torch, self.name, self.gamma = torch, name, GAMES[name].get("gamma", 0)
        self.model = model = game_of(name, dtype)
        self.G, self.D = (self.leaves(network) for network in (model.G, model.D))
        betas = {"gan": (0.5, 0.999), "r3gan": (0.0, 0.99)}[name]
        make = lambda leaves: torch.optim.Adam(leaves, lr=1e-3, betas=betas, fused=True)  # noqa: E731
        self.G_optimizer, self.D_optimizer = make(self.G), make(self.D)

    def leaves(self, network):
        found = []
        for layer, params in zip(network.layers, network.params):
            for p in params:
                p = self.torch.tensor(p)
                if hasattr(layer, "patches") and p.ndim == 2:
                    p = p.reshape(4, 4, layer.patches.c, layer.k).permute(3, 2, 0, 1)
                    p = p.contiguous(memory_format=self.torch.channels_last)
                found.append(p.requires_grad_())
        return found

    def run(self, leaves, network, x):
        F, at = self.torch.nn.functional, 0
        for layer in network.layers:
            kind, own = type(layer).__name__, leaves[at : at + len(layer.shapes)]
            at += len(own)
            if kind == "Dense":
                x = x.reshape(len(x), -1) @ own[0] + (own[1] if len(own) > 1 else 0)
            elif kind == "Conv":
                x = x.reshape(-1, *layer.larger).permute(0, 3, 1, 2)
                x = F.conv2d(x, *own, stride=2, padding=1).permute(0, 2, 3, 1)
            elif kind == "ConvTranspose":
                x = x.reshape(-1, *layer.smaller).permute(0, 3, 1, 2)
                x = F.conv_transpose2d(x, *own, stride=2, padding=1).permute(0, 2, 3, 1)
            else:
                x = F.leaky_relu(x, 0.2) if kind == "LeakyReLU" else self.torch.sigmoid(x)
        return x.reshape(len(x), -1)

    def step(self, x, z):
        torch, model, m = self.torch, self.model, len(x)
        F, bce = torch.nn.functional, torch.nn.functional.binary_cross_entropy_with_logits
        x, z = torch.from_numpy(x), torch.from_numpy(z)
        fake = self.run(self.G, model.G, z)
        s_fake = self.run(self.D, model.D, fake)
        rows = torch.cat([x, fake.detach()]).requires_grad_(self.name == "r3gan")
        s = self.run(self.D, model.D, rows)
        if self.name == "gan":
            loss_G = bce(s_fake, torch.ones_like(s_fake))
            loss_D = bce(s[:m], torch.full_like(s[:m], 0.9)) + bce(
                s[m:], torch.zeros_like(s[m:])
            )
        else:
            loss_G = F.softplus(s[:m].detach() - s_fake).mean()
            (g,) = torch.autograd.grad(s.sum(), rows, create_graph=True)
            loss_D = F.softplus(s[m:] - s[:m]).mean() + self.gamma / 2 / m * (g * g).sum()
        grads = torch.autograd.grad(loss_G, self.G), torch.autograd.grad(loss_D, self.D)
        for leaves, own, optimizer in zip(
            (self.G, self.D), grads, (self.G_optimizer, self.D_optimizer)
        ):
            for leaf, grad in zip(leaves, own):
                if leaf.ndim == 4:  # fused Adam reads a gradient in the weights' order of bytes
                    grad = grad.contiguous(memory_format=torch.channels_last)
                leaf.grad = grad
            optimizer.step()

    def thetas(self):
        for leaves in (self.G, self.D):
            flat = [p.permute(2, 3, 1, 0) if p.ndim == 4 else p for p in leaves]
            yield np.concatenate([p.detach().numpy().ravel() for p in flat])


class Jax:
    """JAX, the whole iteration in one jit."""

    def __init__(self, name, dtype):
        import jax

        jax.config.update("jax_enable_x64", True)
        self.jax, self.name, self.gamma = jax, name, GAMES[name].get("gamma", 0)
        self.model = model = game_of(name, dtype)
        beta1, beta2 = {"gan": (0.5, 0.999), "r3gan": (0.0, 0.99)}[name]
        thetas = [jax.numpy.array(network.theta) for network in (model.G, model.D)]
        self.state = [*thetas, *(0 * t for t in thetas for _ in "mv"), jax.numpy.array(0)]

        def adam(theta, m, v, g, t):
            m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
            hat = m / (1 - beta1**t), v / (1 - beta2**t)
            move = 1e-3 * hat[0] / (jax.numpy.sqrt(hat[1]) + 1e-8)
            return (
                theta - move.astype(theta.dtype),
                m.astype(theta.dtype),
                v.astype(theta.dtype),
            )

        def step(state, x, z):
            G, D, mG, vG, mD, vD, t = state
            dG, dD = self.gradients(G, D, x, z)
            G, mG, vG = adam(G, mG, vG, dG, t + 1)
            D, mD, vD = adam(D, mD, vD, dD, t + 1)
            return [G, D, mG, vG, mD, vD, t + 1]

        self.jitted = jax.jit(step, donate_argnums=0)

    def gradients(self, G, D, x, z):
        jax, m = self.jax, len(x)
        softplus, score = jax.nn.softplus, lambda D, rows: self.run(D, self.model.D, rows)

        def loss_G(G):
            fake = self.run(G, self.model.G, z)
            if self.name == "gan":
                return softplus(-score(D, fake)).mean(), fake
            return softplus(score(D, x) - score(D, fake)).mean(), fake

        (_, fake), dG = jax.value_and_grad(loss_G, has_aux=True)(G)
        rows = jax.numpy.concatenate([x, fake])

        def loss_D(D):
            s, pull = jax.vjp(lambda rows: score(D, rows), rows)
            real, made = s[:m], s[m:]
            if self.name == "gan":
                return (0.9 * softplus(-real) + 0.1 * softplus(real) + softplus(made)).mean()
            (g,) = pull(jax.numpy.ones_like(s))
            return softplus(made - real).mean() + self.gamma / 2 / m * (g * g).sum()

        return dG, jax.grad(loss_D)(D)

    def run(self, theta, network, x):
        jax, at = self.jax, 0
        names = "NHWC", "HWIO", "NHWC"
        for layer in network.layers:
            own, kind = [], type(layer).__name__
            for shape in layer.shapes:
                own.append(theta[at : at + int(np.prod(shape))].reshape(shape))
                at += int(np.prod(shape))
            if kind == "Dense":
                x = x.reshape(len(x), -1) @ own[0] + (own[1] if len(own) > 1 else 0)
            elif kind == "Conv":
                W = own[0].reshape(4, 4, layer.patches.c, layer.k)
                x = x.reshape(-1, *layer.larger)
                pad = [(1, 1), (1, 1)]
                x = jax.lax.conv_general_dilated(x, W, (2, 2), pad, dimension_numbers=names)
                x = x + own[1]
            elif kind == "ConvTranspose":
                W = own[0].reshape(4, 4, layer.patches.c, layer.k)[::-1, ::-1].swapaxes(2, 3)
                x = x.reshape(-1, *layer.smaller)
                more = {"lhs_dilation": (2, 2), "dimension_numbers": names}
                x = (
                    jax.lax.conv_general_dilated(x, W, (1, 1), [(2, 2), (2, 2)], **more)
                    + own[1]
                )
            else:
                x = jax.nn.leaky_relu(x, 0.2) if kind == "LeakyReLU" else jax.nn.sigmoid(x)
        return x.reshape(len(x), -1)

    def step(self, x, z):
        self.state = self.jitted(self.state, x, z)
        self.state[0].block_until_ready()

    def thetas(self):
        return map(np.asarray, self.state[:2])


CONTENDERS = {"products": Products, "minigan[fast]": MiniganFast, "minigan": Minigan}
CONTENDERS |= {"PyTorch": Torch, "JAX jit": Jax}


def numbers(m, dtype):
    rng = np.random.default_rng(2)
    x, z = rng.random((m, 784)), rng.standard_normal((m, 100))
    return x.astype(dtype), z.astype(dtype)


def make(name, dtype):
    """{name: contender} of those that are installed."""
    found = {}
    for what, cls in CONTENDERS.items():
        try:
            found[what] = cls(name, dtype)
        except ImportError as missing:
            print(f"{what}: {missing}")
    return found


def check(name):
    """All contenders arrive at the same parameters in float64."""
    reference = None
    for what, one in make(name, "float64").items():
        if what == "products":
            continue
        for _ in range(2):
            one.step(*numbers(8, "float64"))
        found = np.concatenate([np.ravel(theta) for theta in one.thetas()])
        reference = found if reference is None else reference
        error = np.linalg.norm(found - reference) / np.linalg.norm(reference)
        print(f"{what:<16} differs by {error:.1e}")
        assert error < 1e-9, what


def measure(name, m, rounds, steps):
    """Median milliseconds of an iteration, and the median of its ratios to the products."""
    contenders, spent = make(name, "float32"), {}
    x, z = numbers(m, "float32")
    for one in contenders.values():
        for _ in range(5):
            one.step(x, z)
    for _ in range(rounds):
        for what, one in contenders.items():
            begun = time.process_time()
            for _ in range(steps):
                one.step(x, z)
            spent.setdefault(what, []).append((time.process_time() - begun) / steps * 1e3)
    floor = spent["products"]
    for what, times in spent.items():
        ratio = statistics.median(a / b for a, b in zip(times, floor))
        best = min(times)
        print(f"{what:<16}{statistics.median(times):8.2f} ms{best:8.2f} at best{ratio:8.2f} ×")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--game", choices=GAMES, default="r3gan")
    parser.add_argument("-m", type=int, default=64, help="rows of an iteration")
    parser.add_argument("--channels", type=int, default=8, help="of the first convolution")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=5, help="iterations in a round")
    options = parser.parse_args()
    NETWORKS["channels"] = options.channels
    minigan.keep_heap()
    check(options.game)
    measure(options.game, options.m, options.rounds, options.steps)
