r"""Chapter 20. The same iteration in memory that is taken once.

An iteration makes the same arrays again and again: activations, deltas, gradients. Here they
belong to the run. The lines of chapters 6 to 12 are run as they stand, on another pair of
networks with the same layers and the same $\theta$. Those networks

- write each product into an array kept for it, and each gradient to its place in the flat one;
- let an activation overwrite its input, and a delta the one above it: which slope (2a) has is
  told by the sign of y as well, since $0 \le \alpha < 1$, and (3a) needs y alone;
- sum (1c) in the loop that makes the delta.

G writes its rows into the lower half of the very array that D reads in (21), and the real rows
are gathered into the upper half, so that nothing has to be joined. z is drawn into one array.
With Numba, the games' methods find loops of chapter 18 in the place of the losses (4) and (7)
and of the average (19a).

Every operation is that of its definition, in the same order, so the numbers are the same to the
last bit. None of this memory is seen from outside: a record holds numbers, and who asks the
model itself for samples or a trace, even between two records, gets arrays of his own.

`train` asks a `Workspace` before each iteration which game to run. It is the model itself
wherever something is not as in chapters 1 to 12.
"""

import numpy as np

from . import fast, loops
from .arrays import aligned
from .data import Batches
from .fast import FAST, FastNetwork, ours
from .game import Game
from .layers import Dense, LeakyReLU, Sigmoid
from .optim import SGD

OPTIMIZERS = {SGD, *FAST.values()}
METHODS = {name for name in dir(Game) if callable(getattr(Game, name))} - {"critic_steps"}
KINDS = LeakyReLU, Sigmoid


class Loops:
    r"""What is done between the products, by the loops; they sum (1c) as they go."""

    sums = True
    forward = {LeakyReLU: loops.leaky_in_place, Sigmoid: loops.sigmoid_in_place}
    back = {LeakyReLU: loops.leaky_back, Sigmoid: loops.sigmoid_back}
    scaled, weighted = map(staticmethod, (loops.scaled, loops.weighted))


class Lines:
    r"""The same by NumPy, where Numba is missing."""

    sums = False
    forward = {LeakyReLU: loops.leaky_lines, Sigmoid: loops.sigmoid_lines}
    back = {LeakyReLU: loops.leaky_back_lines, Sigmoid: loops.sigmoid_back_lines}
    scaled, weighted = map(staticmethod, (loops.scaled_lines, loops.weighted_lines))


class Stage:
    r"""A Dense layer with the activation after it, or None, and the arrays of their passes.

    l : how many layers stand before it, so its input is $x_l$ of the trace and its output $x_h$
    rows : the most that a pass has; it takes the first rows of an array
    """

    def __init__(self, l, dense, activation, params, dtheta, rows):
        self.l, self.h, self.activation = l, l + 1 + bool(activation), activation
        self.way = Loops if fast.njit else Lines
        (self.W, *b), n, k = params, dense.n, dense.k
        self.b = b[0] if b else np.full(k, -0.0, self.W.dtype)  # v + (-0) is v, whatever v is
        self.spare = np.empty_like(self.b)  # of sums that nobody needs
        self.dW, self.db = dtheta[: n * k].reshape(n, k), dtheta[n * k :][:k]
        self.db = self.db if b else self.spare
        self.summed = self.way.sums and k > 1
        self.y, self.u = (aligned((rows, k), self.W.dtype) for _ in range(2))
        self.dx = aligned((rows, n), self.W.dtype)

    def forward(self, x, y):
        r"""(1), and the activation's (2) or (3), in y."""
        np.matmul(x, self.W, out=y)
        if self.activation:
            self.way.forward[type(self.activation)](y, self.b, self.constant())
        else:
            y += self.b

    def constant(self):
        r"""The slope of (2), or the 1 of (3), in the dtype of the loops."""
        return self.W.dtype.type(getattr(self.activation, "slope", 1))

    def back(self, d, y, db):
        r"""The activation's (2a) or (3a) in the place of its delta d, and (1c) in db."""
        if self.activation:
            self.way.back[type(self.activation)](d, y, self.constant(), db)
        if not (self.activation and self.summed):
            self.sum(d, db)

    def sum(self, d, db):
        r"""(1c) by NumPy, which sums a single column in an order of its own."""
        if db is not self.spare:
            np.add.reduce(d, axis=0, out=db)

    def below(self, d):
        r"""(1a), which for a single column is no product of matrices."""
        times = np.multiply if self.spare.size == 1 else np.matmul
        return times(d, self.W.T, out=self.dx[: len(d)])

    def gradient(self, x, d, factors, u):
        r"""(13) in dW and db, where they belong in the flat gradient."""
        if u is not None:
            self.way.weighted(factors, x, u)
            np.matmul(factors.T, d, out=self.db.reshape(1, -1))
            x = u
        else:
            self.way.scaled(factors, d, self.db)
            if not self.summed:
                self.sum(d, self.db)
        np.matmul(x.T, d, out=self.dW)


class InPlace(FastNetwork):
    r"""A network on the θ of another, whose passes write into arrays that it keeps.

    rows : the most that a pass has
    out : an array for the output of a pass of so many rows; None: one of its own

    The array `dtheta` is that of every gradient but a penalty's, which is added to it. A pass
    overwrites the arrays of the pass before, and a delta that it is given.
    """

    def __init__(self, network, rows, out=None):
        super().__init__(network.layers, network.theta)
        self.dtheta, self.stages = aligned(self.theta.shape, self.theta.dtype), []
        flat = self.dtheta
        for l, dense in enumerate(self.layers):
            if type(dense) is Dense:
                after = self.layers[l + 1 : l + 2]
                activation = after[0] if after and type(after[0]) in KINDS else None
                one = Stage(l, dense, activation, self.params[l], flat, rows)
                self.stages.append(one)
                flat = flat[sum(p.size for p in self.params[l]) :]
        if out is not None:
            self.stages[-1].y = out

    def forward(self, x):
        r"""(9); the entry of a layer before an activation is that of the activation."""
        trace, m = [x], len(x)
        for stage in self.stages:
            y = stage.y[:m]
            stage.forward(trace[-1], y)
            trace += [y] * (stage.h - stage.l)
        return trace

    def deltas(self, trace, dy, stop=0):
        r"""(10), a layer's delta being in the place of the one above an activation."""
        deltas, d = [None] * len(self.layers) + [dy], dy
        for stage in reversed(self.stages):
            stage.back(d, trace[stage.h], stage.spare)
            deltas[stage.l + 1] = d
            if stage.l or not stop:
                deltas[stage.l] = d = stage.below(d)
        return deltas

    def dx(self, l, dy, x, y):
        r"""(10) for the first layer alone."""
        return self.stages[0].below(dy) if l == 1 else super().dx(l, dy, x, y)

    def gradient(self, trace, dy):
        r"""(10) and (11), layer by layer."""
        d = np.ascontiguousarray(dy)
        for stage in reversed(self.stages):
            stage.back(d, trace[stage.h], stage.db)
            np.matmul(trace[stage.l].T, d, out=stage.dW)
            if stage.l:
                d = stage.below(d)
        return self.dtheta

    def accumulate(self, trace, deltas, factors=None, tangents=None):
        r"""(13) in `dtheta`, or a penalty's (38) alone in an array of its own."""
        if factors is None:
            return super().accumulate(trace, deltas, None, tangents)
        for stage in self.stages:
            l, u = stage.l, tangents and tangents[stage.l]
            stage.gradient(trace[l], deltas[l + 1], factors, u)
        return self.dtheta

    def tangents(self, trace, u):
        r"""(12); through an activation forward and backward are one rule."""
        tangents, m = [u], len(u)
        for stage in self.stages:
            u = np.matmul(u, stage.W, out=stage.u[:m])
            stage.back(u, trace[stage.h], stage.spare)
            tangents += [u] * (stage.h - stage.l)
        return tangents


class Joined:
    r"""Stands before a game in a class: its real and its generated rows are in one array."""

    def score_real_and_fake(self, x, x_fake, c):
        r"""D's trace and scores as in (21); what is already in its half is not copied."""
        rows, m, n = self.rows, x.shape[0], self.n_data
        for half, own, given in ((rows[:m], self.real, x), (rows[m:], self.fake, x_fake)):
            if given is not own:
                half[:, :n] = given
            if c is not None:
                half[:, n:] = c
        trace = self.D.forward(rows)
        return trace, trace[-1][:m], trace[-1][m:]

    def noise(self, m, rng):
        r"""z as chapter 6 draws it, in one array."""
        return rng.standard_normal(out=self.z, dtype=self.z.dtype)


def in_place(model, m):
    r"""The game that shares every attribute of the model but its two networks.

    m : the rows of a batch. A condition stands beside a row in D's input; then G and `Batches`
    write their rows elsewhere, and these are copied.
    """
    n, n_condition = model.n_data, model.n_condition
    rows = aligned((2 * m, n + n_condition), model.G.theta.dtype)
    real, fake = (None, None) if n_condition else (rows[:m], rows[m:])
    G, D = InPlace(model.G, m, fake), InPlace(model.D, 2 * m)
    own = {"rows": rows, "real": real, "fake": fake}
    own |= {"G": property(lambda self: G), "D": property(lambda self: D)}
    own["z"] = aligned((m, model.n_noise), rows.dtype)
    if fast.njit:
        methods = (
            getattr(type(model), name, None) for name in ("D_loss", "G_loss", "descend_G")
        )
        own |= {method.__name__: loops.with_loops(method) for method in methods if method}
    game = object.__new__(type(type(model).__name__, (Joined, type(model)), own))
    object.__setattr__(game, "__dict__", vars(model))
    return game


def suits(network):
    r"""Whether a network is of Dense layers, each with at most one activation after it."""
    kinds = [type(layer) for layer in network.layers]
    return (
        type(network) is FastNetwork
        and network.theta.dtype in (np.float32, np.float64)
        and network.theta.flags.c_contiguous
        and kinds[0] is Dense
        and all(kind is Dense or kind in KINDS for kind in kinds)
        and all(Dense in pair for pair in zip(kinds, kinds[1:]))
    )


class Workspace:
    r"""The memory of one run, made when it is first needed.

    batches : the run's `Batches`, which gather their rows where D reads them
    """

    def __init__(self, batches):
        self.batches, self.game = batches, None

    def for_model(self, model):
        r"""The game to run in the next iteration: in this memory, or the model itself.

        A caller may exchange a network, a layer or an optimiser between two records.
        """
        if self.game is None or not self.serves(model):
            self.game = in_place(model, self.batches.batch_size) if self.can(model) else None
            if type(self.batches) is Batches:  # a subclass may keep what it gives
                self.batches.out = self.game and self.game.real
        return self.game or model

    def can(self, model):
        r"""Whether the model's parts are all of this library."""
        parts = *model.G.layers, *model.D.layers, model.G_optimizer, model.D_optimizer
        return bool(
            not model.processes
            and ours(*type(model).__mro__[:-1], *map(type, parts))
            and suits(model.G)
            and suits(model.D)
            and model.G.theta.dtype == model.D.theta.dtype == self.batches.x.dtype
            and self.unchanged(model)
        )

    def serves(self, model):
        r"""Whether the game is still the model's: its class, its networks, its layers."""
        pairs = (self.game.G, model.G), (self.game.D, model.D)
        return (
            type(self.game).__mro__[2] is type(model)
            and all(a.theta is b.theta and a.layers == b.layers for a, b in pairs)
            and self.unchanged(model)
        )

    def unchanged(self, model):
        r"""Whether what may change in place is as in the chapters: slopes, rules, methods."""
        layers, own = (*model.G.layers, *model.D.layers), vars(model)
        return (
            all(0 <= layer.slope < 1 for layer in layers if type(layer) is LeakyReLU)
            and {type(model.G_optimizer), type(model.D_optimizer)} <= OPTIMIZERS
            and METHODS.isdisjoint(own)
        )
