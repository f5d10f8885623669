r"""The contenders of the benchmarks: one iteration in each library, as experts would write it.

Every contender is a class with the same members, so that a benchmark can treat all alike:

    Contender(job)      a copy of the job's initial weights; batches come from the job's data
    draw()              what `step` needs for one iteration, by its own means
    step(z, rows, eps)  one iteration: G learns, then D on the same fakes, then D on fresh ones
    thetas()            the two flat thetas, G's and D's (the floor has none)

z is (n_critic, m, 100), rows (n_critic, m), eps (n_critic, m, 1) the places of a penalty's
points between real and generated rows. A flat theta is W1, b1, W2, b2, W3, b3, each W of shape
(n_in, n_out); its dtype is that of the run: float32 to be timed, float64 to be compared. No
contender averages G's parameters. The imports stand inside the classes, because a process loads
only the library it measures; minigan without Numba and minigan with it need a process each as
well.
"""

import sys

import numpy as np
from frameworks import Jax, JaxScan, Torch, TorchCompile, TorchFused
from job import CLIP, N_DATA, N_NOISE, REAL_LABEL, Job, numbers, split

__all__ = ["CONTENDERS", "N_NOISE", "Job", "numbers"]


class Floor:
    """Only the matrix products of the job's game, everything preallocated.

    Real and generated rows go through D together, and one backward pass through D serves
    both players; further critic steps need G forward and D both ways. The delta below D's one
    score per row is no matrix product (it is a row times a column). A penalty's products are
    those that its gradient needs: for WGAN-GP a pass of m further rows forward, down to the
    slopes and as tangents up again, with its own sums over the rows; for R1 and R2 the slopes
    of all rows, whose generated half G needs anyway, and the tangents.
    """

    def __init__(self, job):
        from minigan import backend

        self.xp, m, rng = backend(job.backend), job.m, numbers(2)

        def normal(*shape):
            return self.xp.asarray(rng.standard_normal(shape, np.float32))

        w, (n_z, *_), (n_x, *_) = job.width, job.sizes_G, job.sizes_D
        z, g1, g2, g3 = normal(m, n_z), normal(m, w), normal(m, w), normal(m, N_DATA)
        x, h1, h2, s, dx = (normal(2 * m, k) for k in (n_x, w, w, 1, n_x))
        U1, _, U2, _, U3, *_ = (normal(*v.shape) for v in split(job.thetas()[0], job.sizes_G))
        W1, _, W2, _, W3, *_ = (normal(*v.shape) for v in split(job.thetas()[1], job.sizes_D))
        dU1, dU2, dU3, dW1, dW2, dW3 = map(self.xp.empty_like, (U1, U2, U3, W1, W2, W3))
        generated = g3 if n_x > N_DATA else x[m:]  # beside a condition it is copied
        critic = [
            (z, U1, g1), (g1, U2, g2), (g2, U3, generated),  # G forward
            (x, W1, h1), (h1, W2, h2), (h2, W3, s),  # D forward, real and fake
            (h2, W2.T, h1),  # D's deltas
            (x.T, h1, dW1), (h1.T, h2, dW2), (h2.T, s, dW3),  # D's gradient
        ]  # fmt: skip
        if job.game == "wgan-gp":
            critic += [
                (x[:m], W1, h1[:m]), (h1[:m], W2, h2[:m]),
                (h2[:m], W2.T, h1[:m]), (h1[:m], W1.T, dx[:m]),  # the slopes
                (dx[:m], W1, h1[m:]), (h1[m:], W2, h2[m:]),  # the tangents
                (dx[:m].T, h1[:m], dW1), (h1[m:].T, h2[:m], dW2), (h2[m:].T, s[:m], dW3),
            ]  # fmt: skip
        out_of_D = [(h1[m:], W1.T, dx[m:])]
        if job.gamma:  # the slopes, and the tangents
            out_of_D = [(h1, W1.T, dx), (dx, W1, h1), (h1, W2, h2)]
        self.products = critic * job.n_critic + out_of_D + [
            (g2.T, dx[m:, :N_DATA], dU3), (dx[m:, :N_DATA], U3.T, g2),  # G's own
            (g1.T, g2, dU2), (g2, U2.T, g1), (z.T, g1, dU1),
        ]  # fmt: skip

    def draw(self):
        return None, None, None

    def step(self, z, rows, eps):
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
        options |= {"G_hidden": (job.width,) * 2, "D_hidden": (job.width,) * 2, "ema_decay": 0}
        if job.logits:
            options["real_label"] = REAL_LABEL
        if job.relativistic:
            options["gamma"] = job.gamma
        if job.game == "wgan":
            options["clip"] = CLIP
        name = job.game.removesuffix("-0").replace("-", "").upper()
        self.model = getattr(minigan, name)(**options)
        self.model.critic_steps = lambda: job.n_critic
        for network, theta in zip((self.model.G, self.model.D), job.thetas()):
            network.theta[...] = self.model.asarray(theta)
        accelerate(self.model)
        data = minigan.Dataset(job.data, job.labels)
        self.data, self.labels = self.model.asarray(job.data), data.labels
        self.rng = numbers(3)
        self.batches = minigan.Batches(data, job.m, to=self.model.standardised)
        self.workspace = Workspace(self.batches)

    def choose_loops(self):
        """Make `minigan.fast` find no Numba, and keep Numba's memory out of this process."""
        sys.modules.setdefault("numba", None)
        from minigan import fast

        fast.njit = None

    def draw(self):
        return None, None, None

    def step(self, z, rows, eps):
        game = self.workspace.for_model(self.model)
        if z is None:
            game.iteration(self.batches, self.rng)
            return
        for i, (noise, index, places) in enumerate(zip(z, rows, eps)):
            c = game.condition(None if self.labels is None else self.labels[index])
            x, given = self.data[index], Given(places)
            if i == 0:
                game.update(x, noise, c, given)
            else:
                game.D_update(x, game.generate(noise, c), c, given)

    def thetas(self):
        return self.model.G.theta, self.model.D.theta


class Given:
    """In the place of a generator, numbers drawn before."""

    def __init__(self, numbers):
        self.numbers = numbers

    def random(self, shape, dtype):
        return self.numbers


class MiniganNumba(Minigan):
    """This library as `minigan.train` runs it with the extra `fast`, which brings Numba."""

    def choose_loops(self):
        """Leave `minigan.fast` as it is, provided that it has found Numba."""
        from minigan import fast

        if fast.njit is None:
            raise ImportError("Numba is not installed, or it cannot compile here")


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
