"""Figures of training, measured by python docs/trained.py

Each is measured by playing the library's own games, and the numbers are kept in
docs/figures/trained.json, from which the figures are drawn. `python docs/trained.py NAME`
measures those of one name again.
"""

import json
import sys

import figures
import numpy as np
from drawing import Drawing, Panel, sign

from minigan import CGAN, GAN, WGAN, WGANGP, Adam, train
from minigan.arrays import stream
from minigan.lab.loaders import ring

KEPT = figures.FIGURES / "trained.json"
GRID = np.linspace(-3.5, 4.5, 81)
PLANE = {"n_data": 2, "n_noise": 2, "output": "linear"}


def rounded(array, digits=3):
    """An array as lists of short numbers."""
    return np.asarray(array, float).round(digits).tolist()


def density(rows, width=0.18):
    """A smooth density of numbers, at the points of GRID."""
    bumps = np.exp(-0.5 * ((GRID[:, None] - rows.ravel()) / width) ** 2)
    return bumps.mean(axis=1) / (width * np.sqrt(2 * np.pi))


def normal(x, mean, std):
    return np.exp(-0.5 * ((x - mean) / std) ** 2) / (std * np.sqrt(2 * np.pi))


def probability(game, x):
    return 1 / (1 + np.exp(-game.D.forward(x[:, None])[-1][:, 0]))


# ---- a forger and an expert on one axis ----


def measure_forger():
    """A GAN of one number: snapshots of both densities, D, and the pull on some samples."""
    make = {"n_data": 1, "n_noise": 1, "G_hidden": (16,), "D_hidden": (32,)}
    game = GAN(**make, output="linear", dtype="float64", real_label=1.0, lr=1e-3, D_lr=3e-3)
    game.G.theta[...] *= 0.4
    game.D.theta[...] *= 0.2
    rng, z = np.random.default_rng(3), stream(0, "noise of samples").standard_normal((4000, 1))
    shots = []

    def rows(m=256):
        return rng.normal(2.0, 0.55, (m, 1)), rng.standard_normal((m, 1))

    def shoot():
        x = game.G.forward(z)[-1]
        at = np.quantile(x, np.linspace(0.1, 0.9, 5))[:, None]
        trace = game.D.forward(at)
        _, ds = game.G_loss(None, trace[-1])
        pull = -len(at) * game.D.deltas(trace, ds)[0]
        shot = density(x), probability(game, GRID), np.hstack([at, pull])
        shots.append([rounded(each) for each in shot])

    shoot()
    for _ in range(150):
        x, noise = rows()
        game.D_step(x, game.G.forward(noise)[-1])
    shoot()
    for _ in range(150):
        game.G_step(*rows())
    shoot()
    for _ in range(10_000):
        game.update(*rows())
    shoot()
    return shots


NAMES = (
    "at first, neither has learnt anything",
    "the expert has learnt to tell them apart",
    "the forger has moved along the arrows",
    "10,000 rounds later the expert can only guess",
)


def draw_forger(shots):
    draw, data = Drawing(480, 560), normal(GRID, 2.0, 0.55)
    for i, ((fakes, p, pulls), name) in enumerate(zip(shots, NAMES)):
        panel = Panel(draw, (28, 30 + 128 * i, 440, 84), (-3.5, 4.5), (0, 1.25))
        panel.axes({}, {0.5: "½"}, "", "", f"{i + 1}. {name}")
        for cls, values in (("data", data), ("delta", fakes)):
            panel.area(f"fill {cls}", GRID, np.minimum(values, 1.25))
            panel.curve(cls, GRID, np.minimum(values, 1.25))
        panel.curve("tangent", GRID, p)
        longest = max(1e-9, *(abs(g) for _, g in pulls))
        for k, (x, g) in enumerate(pulls if i < 3 else ()):
            height = 0.12 + 0.17 * k
            panel.arrow("ink", (x, height), (x + 1.1 * g / max(longest, 0.6), height), 6)
            panel.dots("ink", [(x, height)], 2)
        draw.path("ink thin", [panel.at(-3.5, 0), panel.at(4.5, 0)])
    for x, cls, text in (
        (30, "data", "genuine"),
        (130, "delta", "forged"),
        (214, "tangent", "expert’s answer"),
    ):
        draw.path(cls, [(x, 545), (x + 22, 545)])
        draw.text(x + 28, 550, text, cls, "start")
    draw.text(464, 550, "→ advice", "ink", "end")
    return draw.svg(
        "A forger and an expert on one axis",
        "Four pictures of one axis with the densities of genuine and of forged numbers and "
        "with the probability that the expert gives to genuine. At first the forgeries are a "
        "narrow heap away from the data and the expert's curve is nearly flat. Then the "
        "curve rises from the forgeries to the data, and arrows on the forgeries point "
        "toward the data. Then the forgeries have moved. At last both densities agree and "
        "the curve is flat at one half.",
    )


# ---- the best discriminator of two Gaussians ----


def measure_optimal():
    """D's answer after some steps, on two Gaussians that stay as they are."""
    make = {"n_data": 1, "n_noise": 1, "G_hidden": (4,), "D_hidden": (32, 32)}
    game = GAN(**make, output="linear", dtype="float64", real_label=1.0, D_lr=2e-3)
    game.D.theta[...] *= 0.3
    rng, shots = np.random.default_rng(0), {}
    for step in range(2001):
        if step in (0, 20, 100, 2000):
            shots[str(step)] = rounded(probability(game, GRID))
        game.D_step(rng.normal(1.2, 0.7, (512, 1)), rng.normal(-0.6, 1.0, (512, 1)))
    return shots


def draw_optimal(shots):
    draw = Drawing(480, 300)
    panel = Panel(draw, (46, 16, 340, 210), (-3.5, 4.5), (0, 1))
    panel.axes((-3, -2, -1, 0, 1, 2, 3, 4), (0, 0.5, 1), "x")
    p, g = normal(GRID, 1.2, 0.7), normal(GRID, -0.6, 1.0)
    for cls, values in (("data", p), ("delta", g)):
        panel.area(f"fill {cls}", GRID, values)
    panel.text(1.2, 0.1, "p", "data", "middle")
    panel.text(-0.6, 0.1, "g", "delta", "middle")
    panel.curve("tangent wide", GRID, p / (p + g))
    for q, dash in zip(shots.values(), ("d1", "d2", "d3", "")):
        panel.curve(f"ink {dash}", GRID, q)
    for i, (step, dash) in enumerate(zip(shots, ("d1", "d2", "d3", ""))):
        y = 40 + 22 * i
        draw.path(f"ink {dash}", [(396, y - 4), (422, y - 4)])
        draw.text(428, y, f"{int(step):,}", "", "start")
    draw.text(396, 134, "steps of D", "", "start")
    draw.path("tangent wide", [(60, 284), (86, 284)])
    draw.text(94, 289, "the best answer (T2), p / (p + g)", "tangent", "start")
    return draw.svg(
        "Training reaches the best discriminator",
        "Two Gaussian densities, the data's on the right and the generated one's on the "
        "left. D's probability is flat before training, becomes a slope after 20 steps and "
        "steeper after 100. After 2,000 it lies on the curve p/(p + g), rising from 0 to 1 "
        "between the two, and falling a little where both densities have run out.",
    )


# ---- a map from noise to data ----


def data_of_the_ring(n=5000):
    return ring(n=n, std=0.05)


def measure_map():
    """Where a trained generator sends circles of noise."""
    from minigan import R3GAN

    data = data_of_the_ring()
    game = R3GAN(**PLANE, gamma=0.05, lr=2e-3, D_lr=2e-3)
    for _ in train(game, data, 3000, 128):
        pass
    angle = 2 * np.pi * np.arange(97) / 96
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    lines = [r * circle for r in (0.3, 0.75, 1.25, 1.9)]
    lines += [np.outer(np.linspace(0.3, 1.9, 33), circle[12 * k]) for k in range(8)]
    return {
        "z": [rounded(line) for line in lines],
        "x": [rounded(game.generate(line.astype("float32"))) for line in lines],
        "dots": [rounded(game.sample(160)), rounded(data.x[:160])],
    }


def draw_map(kept):
    draw = Drawing(480, 268)
    left = Panel(draw, (20, 34, 196, 196), (-2.2, 2.2), (-2.2, 2.2))
    right = Panel(draw, (268, 34, 196, 196), (-1.5, 1.5), (-1.5, 1.5))
    left.axes((-2, 0, 2), {}, "", "", "noise z")
    right.axes((-1, 0, 1), {}, "", "", "G(z)")
    right.dots("data", kept["dots"][1], 2.2)
    for panel, key in ((left, "z"), (right, "x")):
        for i, line in enumerate(kept[key]):
            panel.curve("delta" if i < 4 else "ink thin", *zip(*line))
    draw.arrow("ink", (222, 132), (262, 132), 9)
    draw.text(242, 122, "G", "name")
    draw.text(240, 262, "dots: data", "data")
    return draw.svg(
        "A generator is a map from noise to data",
        "On the left circles and rays in the plane of the noise. On the right where a "
        "trained generator sends them: the sheet is stretched and folded so that most of it "
        "lies on the eight heaps of the data, which stand on a circle.",
    )


# ---- a condition ----


def measure_classes():
    """Samples of a conditional GAN by class, right and with D not given the condition."""
    import pytest

    sys.path.insert(0, str(figures.book.TESTS))
    from bug_zoo import ZOO

    data, found = ring(n=5000, std=0.1), []
    for bug in (None, "a condition given to G but not to D"):
        with pytest.MonkeyPatch.context() as patch:
            if bug:
                next(each for each in ZOO if each.name == bug).inject(patch)
            game = CGAN(**PLANE, n_classes=8)
            for _ in train(game, data, 3000, 128):
                pass
            found.append(rounded(game.sample(64, 0)))
    return found


def draw_classes(found):
    draw = Drawing(480, 262)
    for i, (points, name) in enumerate(zip(found, ("D is given the class", "D is not"))):
        panel = Panel(draw, (14 + 240 * i, 30, 212, 212), (-1.5, 1.5), (-1.5, 1.5))
        panel.axes((), (), "", "", name)
        for k in range(8):
            angle = 2 * np.pi * k / 8
            panel.drawing.circle("node", *panel.at(np.cos(angle), np.sin(angle)), 18)
            panel.text(1.36 * np.cos(angle), 1.36 * np.sin(angle), str(k), "data", "middle")
        for at, (x, y) in enumerate(points):
            if abs(x) < 1.5 and abs(y) < 1.5:
                cls = ("ink", "delta", "tangent", "data")[at % 8 % 4]
                panel.text(x, y, str(at % 8), f"{cls} small inside", "middle", 0, 4)
    return draw.svg(
        "Samples of eight classes, with and without a condition given to D",
        "Eight heaps of data on a circle, numbered 0 to 7. Each sample is drawn as the "
        "number of the class that was asked for. On the left every number lies on its own "
        "heap. On the right, where D never sees the class, the numbers are mixed.",
    )


# ---- a clip against a penalty ----

REAL, FAKE = ((-2.0, 0.2), (0.0, 0.2), (2.0, 0.2)), ((-1.0, 0.2), (1.0, 0.2))


def mixture(rng, parts, m):
    centres = np.array(parts)[rng.integers(len(parts), size=m)]
    return (centres[:, 0] + centres[:, 1] * rng.standard_normal(m))[:, None]


def measure_critics():
    """A critic with a clip and one with a penalty, trained on the same rows; their weights."""
    make = {"n_data": 1, "n_noise": 1, "G_hidden": (4,), "D_hidden": (64, 64)}
    make |= {"output": "linear", "dtype": "float64"}
    found = {}
    games = {"clip": WGAN(**make, clip=0.1), "penalty": WGANGP(**make, one_sided=True)}
    for name, game in games.items():
        rng = np.random.default_rng(0)
        for _ in range(4000):
            x, fake = mixture(rng, REAL, 256), mixture(rng, FAKE, 256)
            game.D_step(x, fake, None, rng)
        weights = np.concatenate([p[0].ravel() for p in game.D.params if p])
        share = np.histogram(weights / abs(weights).max(), 24, (-1, 1))[0] / len(weights)
        found[name] = [rounded(game.D.forward(GRID[:, None])[-1][:, 0], 5), rounded(share, 4)]
    return found


def potential():
    """The best critic of slope at most 1, from the two distribution functions."""
    step = GRID[1] - GRID[0]
    p, g = (sum(normal(GRID, *part) for part in parts) / len(parts) for parts in (REAL, FAKE))
    slope = np.sign(np.round(np.cumsum(g - p) * step, 3))
    return np.cumsum(slope) * step, p, g


def draw_critics(found):
    draw = Drawing(480, 304)
    best, p, g = potential()
    inside = (GRID >= -2.65) & (GRID <= 2.65)
    x = GRID[inside]
    left = Panel(draw, (30, 34, 200, 210), (-2.7, 2.7), (-1.1, 1.1))
    left.axes((-2, -1, 0, 1, 2), {}, "x", "", "the critic, centred")
    for cls, values in (("data", p), ("delta", g)):
        left.area(f"fill {cls}", x, -1.1 + 0.5 * values[inside])

    def centred(values):  # a critic is determined up to a constant
        values = np.array(values)
        return (values - np.average(values, weights=p + g))[inside]

    left.curve("soft solid", x, centred(best))
    clip, penalty = centred(found["clip"][0]), centred(found["penalty"][0])
    left.curve("tangent", x, penalty)
    left.curve("delta", x, clip)
    right = Panel(draw, (286, 34, 170, 210), (-1, 1), (0, 0.62))
    percent = {0: "0", 0.25: "25%", 0.5: "50%"}
    right.axes({-1: "−1", 0: "0", 1: "1"}, percent, "weight / largest", "", "weights")
    edges = np.linspace(-1, 1, 25)
    for cls, key in (("tangent", "penalty"), ("delta", "clip")):
        share = np.array(found[key][1])
        xs, ys = np.repeat(edges, 2)[1:-1], np.repeat(share, 2)
        right.area(f"fill {cls}", xs, ys)
        right.curve(cls, xs, ys)
    rows = (
        ("soft solid", "the best of slope 1", 30, 296),
        ("tangent", "with the penalty", 184, 296),
        ("delta", "with the clip", 350, 296),
    )
    for cls, name, a, b in rows:
        draw.path(cls, [(a, b - 5), (a + 24, b - 5)])
        draw.text(a + 31, b, name, "" if cls[0] == "s" else cls.split()[0], "start")
    return draw.svg(
        "A critic with a clip and one with a penalty",
        "Left: data in three heaps, generated rows in two between them. The best critic of "
        "slope 1 goes down and up twice in straight lines, and the critic with the penalty "
        "follows it. The critic with the clip has a single valley. Right: the clipped "
        "weights pile up at both bounds, those with the penalty form one heap around 0.",
    )


# ---- mode collapse ----


RATES = {"G learns ten times as fast as D": (3e-3, 3e-4), "D learns as fast as G": (1e-3, 1e-3)}
MOMENTS = 300, 800, 1400, 2400


def measure_collapse():
    """Samples of the same game on the ring, when G is too fast for D and when it is not."""
    data, rows = ring(n=5000, std=0.02), []
    make = {"G_hidden": (64, 64), "D_hidden": (64, 64), "real_label": 1.0}
    for lr, D_lr in RATES.values():
        game = GAN(**PLANE, **make, lr=lr, D_lr=D_lr)
        game.G_optimizer, game.D_optimizer = Adam(lr, 0.9), Adam(D_lr, 0.9)
        rows.append([])
        for record in train(game, data, MOMENTS[-1], 64):
            if record["step"] in MOMENTS:
                x = game.sample(150)
                rows[-1].append([rounded(x, 2), modes(x)])
    return rows


def modes(x):
    """How many of the eight heaps hold at least 2% of the samples."""
    centres = np.stack([np.cos(np.pi * np.arange(8) / 4), np.sin(np.pi * np.arange(8) / 4)], 1)
    far = np.linalg.norm(x[:, None] - centres, axis=2)
    near = far.argmin(axis=1)[far.min(axis=1) < 0.25]
    return int((np.bincount(near, minlength=8) >= 0.02 * len(x)).sum())


def draw_collapse(rows):
    draw = Drawing(480, 334)
    for row, (name, frames) in enumerate(zip(RATES, rows)):
        top = 44 + 168 * row
        draw.text(240, top - 26, name, "name")
        for i, (step, (points, count)) in enumerate(zip(MOMENTS, frames)):
            panel = Panel(draw, (8 + 119 * i, top, 106, 106), (-1.5, 1.5), (-1.5, 1.5))
            draw.rect("frame", *panel.box)
            for k in range(8):
                angle = np.pi * k / 4
                draw.circle("data", *panel.at(np.cos(angle), np.sin(angle)), 7)
            panel.dots("delta", points, 1.8)
            label = f"step {step:,}: {count} of 8"
            draw.text(panel.box[0] + 53, top - 7, label, "small")
    told = "; ".join(
        f"{name}: {', '.join(str(count) for _, count in frames)}"
        for name, frames in zip(RATES, rows)
    )
    return draw.svg(
        "Mode collapse, as two strips of four frames",
        "The data are eight heaps on a circle. Frame by frame, the generator's samples, and "
        f"how many of the heaps they reach. {told}.",
    )


# ---- what a run records ----


def measure_record():
    """The losses of both players and D's mean answers over a run on the ring."""
    from effects import distance

    data, rows = data_of_the_ring(), []
    game = GAN(**PLANE, G_hidden=(64, 64), D_hidden=(64, 64), real_label=1.0)
    for record in train(game, data, 6000, 128):
        if record["step"] % 60 == 0:
            names = "step", "loss_D", "loss_G", "D(x)", "D(G(z))"
            rows.append(
                [*(float(record[k]) for k in names), distance(game.sample(1000), data.x)]
            )
    return rounded(rows, 4)


def draw_record(rows):
    draw, columns = Drawing(480, 380), list(zip(*rows))
    step = columns[0]
    ticks = {0: "0", 2000: "2,000", 4000: "4,000", 6000: "6,000"}
    panels = (
        (
            (0, 3),
            (0, 0.693, 1.386, 2.5),
            "losses",
            (("data", "L of D", 1), ("delta", "L of G", 2)),
        ),
        ((0, 1), (0, 0.5, 1), "answers", (("data", "D(x)", 3), ("delta", "D(G(z))", 4))),
        ((0, 0.8), (0, 0.4, 0.8), "distance", (("tangent", "W₁", 5),)),
    )
    for i, (up, marks, name, curves) in enumerate(panels):
        panel = Panel(draw, (52, 12 + 116 * i, 330, 96), (0, 6000), up)
        names = {0.693: "log 2", 1.386: "log 4"}
        panel.axes(
            ticks if i == 2 else dict.fromkeys(ticks, ""),
            {m: names.get(m, sign(m)) for m in marks},
            "iterations" if i == 2 else "",
        )
        for k, (cls, label, column) in enumerate(curves):
            panel.curve(cls, step, np.clip(columns[column], *up))
            draw.text(394, 44 + 116 * i + 22 * k, label, cls, "start")
        draw.text(394, 24 + 116 * i, name, "name", "start")
    return draw.svg(
        "What a run records",
        "Three panels over 6,000 iterations on the ring. The loss of D ends near log 4 and "
        "that of G near log 2. D's mean answers to data and to samples meet at one half. "
        "Meanwhile the distance of the samples from the data, which the losses do not show, "
        "falls.",
    )


TRAINED = {
    "forger": (measure_forger, draw_forger),
    "optimal-discriminator": (measure_optimal, draw_optimal),
    "map": (measure_map, draw_map),
    "classes": (measure_classes, draw_classes),
    "clip-or-penalty": (measure_critics, draw_critics),
    "mode-collapse": (measure_collapse, draw_collapse),
    "record": (measure_record, draw_record),
}


def drawn(name):
    """The figure of that name, from the kept numbers."""
    return TRAINED[name][1](json.loads(KEPT.read_text("utf-8"))[name])


def main(names):
    """Measure what is named, and what is not kept yet."""
    kept = json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}
    for name, (measure, _) in TRAINED.items():
        if name in names or name not in kept:
            kept[name] = measure()
    text = ",\n".join(f"{json.dumps(n)}: {json.dumps(kept[n])}" for n in TRAINED)
    KEPT.write_text(f"{{{text}}}\n", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
