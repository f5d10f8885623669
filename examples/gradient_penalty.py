"""What the gradient penalty does to a critic: slopes of 1 between two clouds of points.

Saves gradient_penalty.png. python examples/gradient_penalty.py [STEPS]

The generator stands still; two critics learn to tell the clouds apart, one with its weights
clipped, one with the penalty. Above, their score with its level lines; below, the length of
its gradient at points between the clouds, which the true distance asks to be 1.
"""

import argparse
from argparse import RawTextHelpFormatter

import numpy as np
from matplotlib.figure import Figure
from tqdm.auto import trange

import minigan

parser = argparse.ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
parser.add_argument("steps", type=int, nargs="?", default=2_000, help="iterations (2,000)")
steps = parser.parse_args().steps
rng = np.random.default_rng(0)
common = {"n_data": 2, "output": "linear", "D_hidden": (64, 64, 64), "D_lr": 1e-3}
critics = {"weights clipped at 0.1": minigan.WGAN(clip=0.1, **common)}
critics["gradient penalty, λ = 10"] = minigan.WGANGP(**common)
ticks = np.linspace(-3, 3, 121, dtype="float32")
plane = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)


def clouds(m):
    angle = rng.uniform(0, np.pi, (2, m))
    turn = np.stack([np.cos(angle), np.sin(angle)], axis=-1) * [[[1]], [[-1]]]
    shift = np.array([[[-0.7, -0.3]], [[0.7, 0.3]]])
    return (1.4 * turn + shift + 0.1 * rng.standard_normal((2, m, 2))).astype("float32")


figure = Figure(figsize=(10, 8), dpi=100, layout="constrained")
axes = figure.subplots(2, 2, height_ratios=[2.4, 1])
for (name, model), (map_, bars) in zip(critics.items(), axes.T):
    for _ in trange(steps, desc=name):
        model.D_step(*clouds(128), rng=rng)
    real, fake = clouds(500)
    x_hat = fake + rng.random((500, 1), "float32") * (real - fake)
    trace = model.D.forward(x_hat)
    g = model.D.deltas(trace, np.ones_like(trace[-1]))[0]
    s = model.D.forward(plane)[-1].reshape(121, 121)
    map_.contourf(ticks, ticks, s, 24, cmap="RdBu_r", alpha=0.8)
    map_.contour(ticks, ticks, s, 24, colors="white", linewidths=0.4)
    map_.scatter(*real.T, s=4, c="darkred", label="data")
    map_.scatter(*fake.T, s=4, c="midnightblue", label="generated")
    map_.set(title=name, xticks=[], yticks=[], aspect="equal")
    map_.legend(loc="upper left")
    bars.hist(np.linalg.norm(g, axis=1), np.geomspace(0.01, 100, 81), color="tab:orange")
    bars.axvline(1, c="black", lw=0.8)
    bars.set(xlabel="length of the critic's gradient", yticks=[], xscale="log")
    bars.spines[["top", "right", "left"]].set_visible(False)
figure.savefig("gradient_penalty.png")
