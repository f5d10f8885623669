"""Measures what bugs of the zoo do to training: python docs/effects.py

Each game learns the ring of eight Gaussians, first as it stands and then with each of its bugs
injected, from the same seeds. It takes its plain steps, (19) and (20): the shared pass of (21)
has no second trace to overwrite, and so leaves no room for some of these bugs. A curve shows
the distance of the samples from the data during training. The measurements are kept in
docs/figures/effects.json, and `draw` draws from there.
"""

import json
import sys

import figures
import numpy as np
from drawing import Drawing, Panel

from minigan import fast
from minigan.game import Game
from minigan.lab.loaders import ring
from minigan.lab.models import build
from minigan.training import train

sys.path.insert(0, str(figures.book.ROOT / "tests"))
KEPT = figures.FIGURES / "effects.json"
STEPS, SEEDS = 1500, (0, 1, 2)
CRITIC_STEPS = 400  # the same for a game whose critic takes several steps in each iteration
NAMES = {  # bug: the name of its curve
    "leaky_relu_loses_its_slope_on_the_way_back": "slope lost",
    "the_fake_pass_overwrites_the_real_pass": "stale trace",
    "the_generators_gradient_does_not_pass_through_D": "not through D",
    "the_lost_1_over_m": "lost 1/m",
    "adam_without_the_power_t": "without power t",
    "gradients_that_add_up_from_step_to_step": "adding up",
    "the_saturating_loss_labelled_non_saturating": "saturating",
    "real_and_fake_swapped": "swapped",
    "a_condition_given_to_G_but_not_to_D": "not given to D",
    "the_clip_missing": "no clip",
    "the_critics_sign_flipped": "sign flipped",
    "the_penalty_without_its_second_derivative": "no 2nd derivative",
    "a_generator_that_never_trains": "G never trains",
    "the_generators_step_moves_D_too": "D moves too",
}
CHAPTERS = {  # chapter: (game, one bug or two)
    "layers": ("gan", "leaky_relu_loses_its_slope_on_the_way_back"),
    "losses": ("gan", "the_lost_1_over_m"),
    "network": (
        "gan",
        "the_fake_pass_overwrites_the_real_pass",
        "the_generators_gradient_does_not_pass_through_D",
    ),
    "optim": ("gan", "adam_without_the_power_t", "gradients_that_add_up_from_step_to_step"),
    "game": ("gan", "the_generators_step_moves_D_too", "a_generator_that_never_trains"),
    "gan": (
        "gan",
        "the_saturating_loss_labelled_non_saturating",
        "real_and_fake_swapped",
    ),
    "cgan": ("cgan", "a_condition_given_to_G_but_not_to_D"),
    "wgan": ("wgan", "the_clip_missing", "the_critics_sign_flipped"),
    "penalty": ("wgan-gp", "the_penalty_without_its_second_derivative"),
}


def distance(x, data):
    """The Wasserstein distance of the projections onto a line, its mean over 32 lines."""
    angle = np.pi * np.arange(32) / 32
    directions = np.stack([np.cos(angle), np.sin(angle)])
    q = (np.arange(500) + 0.5) / 500
    # of sorted numbers NumPy finds so many quantiles in half the time
    a, b = (np.quantile(np.sort(points @ directions, 0), q, axis=0) for points in (x, data))
    return float(abs(a - b).mean())


def distance_by_class(model, data):
    """The same for a model; for a conditional one, the mean over its classes."""
    if not model.n_condition:
        return distance(model.sample(2000, 1), data.x)
    labels = np.arange(2000) % 8
    x = model.sample(2000, 1, labels)
    found = [distance(x[labels == k], data.x[data.labels == k]) for k in range(8)]
    return float(np.mean(found))


def learn(name, seed):
    """[(step, distance)] of one run."""
    data = ring(n=5000, std=0.05)
    more = {"n_classes": 8, "ema_decay": 0.0} if name.startswith("c") else {}
    model = build(name, n_data=2, output="linear", n_noise=2, seed=seed, **more)
    curve, steps = [], CRITIC_STEPS if "wgan" in name else STEPS
    for record in train(model, data, steps, 128, seed):
        if record["step"] % (steps // 10) == 0:
            curve.append((record["step"], distance_by_class(model, data)))
    return curve


def plainly(self, x, z, c=None, rng=None):
    """`Game.update` as it is defined, by the two plain steps."""
    record, x_fake = self.G_step(x, z, c)
    return record | self.D_step(x, x_fake, c, rng)


def measure(name, bug=None):
    """[(step, median distance over the seeds)] of a game, with one bug or with none."""
    import pytest
    from bug_zoo import ZOO

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Game, "update", plainly)
        patch.setattr(Game, "D_update", Game.D_step)
        patch.setattr(fast, "accelerate", lambda model: None)  # the bugs are in plain lines
        if bug:
            next(b for b in ZOO if b.name == bug.replace("_", " ")).inject(patch)
        curves = [learn(name, seed) for seed in SEEDS]
    return [(step, float(np.median(d))) for step, *d in merge(curves)]


def merge(curves):
    """Rows of (step, one value for each curve)."""
    return [(row[0][0], *(value for _, value in row)) for row in zip(*curves)]


def marks(low, high):
    """{value: text} of round numbers on a logarithmic axis, not too many."""
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    heads = (1, 2, 5) if high < 60 * low else (1,)
    found = [head * 10.0**power for power in powers for head in heads]
    found = [value for value in found if low < value < high]
    every = 1 + len(found) // 6
    found = found[::every]
    return {v: "10⁶" if v == 1e6 else f"{v:,.0f}" if v >= 1 else f"{v:g}" for v in found}


def draw(chapter, kept):
    """The chapter's figure: the kept distances, and how many times the correct they are."""
    game, *bugs = CHAPTERS[chapter]
    steps = [step for step, _ in kept[game]]
    curves = {"correct": ("data", [d for _, d in kept[game]])}
    for bug, cls in zip(bugs, ("delta", "tangent")):
        curves[NAMES[bug]] = (cls, [max(d, 1e-3) for _, d in kept[f"{game} {bug}"]])
    drawing, every = Drawing(480, 400), [d for _, values in curves.values() for d in values]
    low, high = min(every) / 1.15, max(every) * 1.15
    ticks = dict.fromkeys(steps[1::2], "")
    top = Panel(drawing, (80, 14, 252, 170), (0, steps[-1]), (low, high), "y")
    top.axes(ticks, marks(low, high))
    drawing.text(15, 99, "distance from the data", turned=True)
    ratios = [d / c for _, v in curves.values() for d, c in zip(v, curves["correct"][1])]
    least, most = min(0.5, *ratios) / 1.15, max(2, *ratios) * 1.15
    below = Panel(drawing, (80, 216, 252, 120), (0, steps[-1]), (least, most), "y")
    times = {t: f"{text} ×" for t, text in marks(least, most).items()}
    below.axes({step: f"{step:,}" for step in ticks}, times, "iterations")
    drawing.text(15, 276, "times the correct", turned=True)
    for k, (name, (cls, values)) in enumerate(curves.items()):
        top.curve(cls, steps, values)
        top.dots(cls, zip(steps, values), 3)
        below.curve(cls, steps, [d / c for d, c in zip(values, curves["correct"][1])])
        drawing.path(cls, [(344, 30 + 24 * k), (358, 30 + 24 * k)])
        drawing.text(364, 35 + 24 * k, name, cls, "start")
    return drawing.svg(
        f"Distance of {game}'s samples from the data, without and with a bug",
        "Above, the distance over the iterations on a logarithmic axis; below, how many "
        "times that of the correct game it is. At the end: "
        + ", ".join(f"{name} {values[-1]:.2g}" for name, (_, values) in curves.items())
        + ".",
    )


def main():
    """Measure every curve and keep the numbers."""
    kept = {}
    for game, *bugs in CHAPTERS.values():
        for bug in (None, *bugs):
            key = f"{game} {bug}" if bug else game
            kept[key] = kept.get(key) or measure(game, bug)
            print(key, [round(d, 3) for _, d in kept[key]], flush=True)
    KEPT.write_text(json.dumps(kept, indent=0) + "\n")


if __name__ == "__main__":
    main()
