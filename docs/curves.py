"""Figures of functions: what the library's own formulas give, as curves."""

import figures
import numpy as np
from drawing import Drawing, Panel, sign

from minigan import (
    SGD,
    Adam,
    Dense,
    LeakyReLU,
    Network,
    RMSProp,
    Sigmoid,
    bce_with_logits,
    least_squares,
    wasserstein,
)
from minigan.gradcheck import check_layer
from minigan.measure import central_difference, complex_step

ROUNDING = 2.0**-53  # as small as a relative error is shown; below it is none


def column(values, dtype="float64"):
    return np.asarray(values, dtype)[:, None]


def slope():
    """A loss of one number: its slope at three places, and the way down."""
    draw = Drawing(480, 250)
    score = Network([Dense(1, 1)], np.array([0.0, 0.0]))

    def loss(w):
        """L and dL/dw of the squared distance of w·2 from 1."""
        score.theta = [w, 0.0]
        trace = score.forward(np.array([[2.0]]))
        value, ds = least_squares(trace[-1], 1.0)
        return float(value), float(score.gradient(trace, ds)[0])

    w = np.linspace(-0.6, 1.6, 111)
    values = [loss(each)[0] for each in w]
    panels = [Panel(draw, (46 + 238 * i, 30, 190, 165), (-0.6, 1.6), (0, 2.5)) for i in (0, 1)]
    for panel, name in zip(panels, ("the slope says which way is down", "so step against it")):
        panel.axes((0, 1), (0, 1, 2), "the parameter w", "", name)
        panel.curve("ink", w, values)
    panels[0].drawing.text(15, 112, "the loss L", turned=True)
    for at, dx in ((-0.3, 14), (0.5, 0), (1.25, -14)):
        value, d = loss(at)
        half = 0.42 / (1 + d * d / 12) ** 0.5
        ends = [(at - half, value - half * d), (at + half, value + half * d)]
        panels[0].drawing.path("delta", [panels[0].at(*end) for end in ends])
        panels[0].dots("delta", [(at, value)], 4)
        anchor = "start" if dx > 0 else "end" if dx < 0 else "middle"
        panels[0].text(at, value, sign(round(d, 1)), "delta", anchor, dx, 5 if dx else -12)
    theta, optimizer, path = np.array([-0.35]), SGD(0.07), []
    for _ in range(8):
        value, d = loss(theta[0])
        path.append((theta[0], value))
        optimizer.step(theta, np.array([d]))
    for begin, end in zip(path, path[1:]):
        panels[1].arrow("data", begin, end)
    panels[1].dots("data", path, 3.5)
    return draw.svg(
        "What a gradient is",
        "Left: a loss over one parameter is a valley. Tangents touch it at three places: "
        "where the loss falls to the right the slope is negative, at the bottom it is 0, "
        "beyond it is positive. Right: steps against the slope go down the valley; where it "
        "is flatter the steps are shorter.",
    )


def leaky_relu():
    """LeakyReLU and its slope, and the sigmoid and its own."""
    draw, x = Drawing(480, 400), np.linspace(-4, 4, 161)
    cases = (
        ("LeakyReLU (2)", LeakyReLU(0.2), (-1, 4), (0, 2, 4)),
        ("Sigmoid (3)", Sigmoid(), (-0.05, 1.05), (0, 0.5, 1)),
    )
    for row, (name, layer, up, ticks) in enumerate(cases):
        y = layer.forward(column(x))
        dx = layer.dx(np.ones_like(y), column(x), y)
        top = 32 + 200 * row
        left = Panel(draw, (40, top, 190, 120), (-4, 4), up)
        left.axes((-4, 0, 4), ticks, "x", "", f"{name}: y")
        left.curve("data", x, y[:, 0])
        steep = (0, 1.05) if row == 0 else (0, 0.28)
        right = Panel(draw, (280, top, 190, 120), (-4, 4), steep)
        right.axes((-4, 0, 4), (0, 0.2, 1) if row == 0 else (0, 0.25), "x", "", "its slope")
        slopes = dx[:, 0].copy()
        if row == 0:
            slopes[np.argmax(x > 0)] = np.nan  # the slope jumps; no line joins its two values
            right.dots("delta", [(0, layer.slope)], 3.5)
        right.curve("delta", x, slopes)
    return draw.svg(
        "LeakyReLU and the sigmoid, each with its slope",
        "LeakyReLU is a line of slope 1 right of zero and of slope 0.2 left of it, so its "
        "slope jumps from 0.2 to 1 at zero. The sigmoid rises from 0 to 1, and its slope is "
        "a bump of height one quarter at zero that vanishes on both sides.",
    )


def bce():
    """The cross-entropy with target 1 and its derivative in float32, in two forms."""
    draw = Drawing(480, 262)
    s = np.linspace(-130, 30, 321, dtype="float32")
    with np.errstate(all="ignore"):
        naive = -np.log(1 / (1 + np.exp(-s)))
    stable = np.array([bce_with_logits(column([v], "float32"), 1.0)[0] for v in s])
    left = Panel(draw, (44, 34, 186, 170), (-130, 30), (-8, 138))
    left.axes((-100, -50, 0), (0, 50, 100), "score s", "", "loss, target 1")
    left.curve("data wide", s, stable)
    left.curve("delta", s, naive)
    last = int(np.argmax(np.isfinite(naive)))
    left.dots("delta", [(s[last], naive[last])], 4.5)
    left.text(s[last], naive[last], "here the textbook", "delta", dx=9, dy=-4)
    left.text(s[last], naive[last], "form is infinite", "delta", dx=9, dy=11)
    s = np.linspace(0, 30, 121, dtype="float32")
    with np.errstate(all="ignore"):
        naive = np.abs(1 / (1 + np.exp(-s)) - np.float32(1))
    stable = np.array([abs(bce_with_logits(column([v], "float32"), 1.0)[1].item()) for v in s])
    right = Panel(draw, (286, 34, 186, 170), (0, 30), (1e-14, 2), "y")
    ticks = {1: "1", 1e-4: "10⁻⁴", 1e-8: "10⁻⁸", 1e-12: "10⁻¹²"}
    right.axes((0, 10, 20, 30), ticks, "score s", "", "size of its slope")
    right.curve("data wide", s, stable)
    right.curve("delta", s, naive)
    last = int(np.argmax(naive == 0)) - 1
    right.dots("delta", [(s[last], naive[last])], 4.5)
    right.text(s[last], naive[last], "from here on 0", "delta", "end", -10, 12)
    draw.path("data wide", [(90, 252), (114, 252)])
    draw.text(120, 257, "(4) and (4a)", "data", "start")
    draw.path("delta", [(236, 252), (260, 252)])
    draw.text(266, 257, "−log(1 / (1 + e⁻ˢ)) and σ − 1", "delta", "start")
    return draw.svg(
        "Cross-entropy and its slope in float32, in the stable form and in the textbook's",
        "Left: the loss with target 1 falls along a line to zero. The textbook's form "
        "follows it from the right only to a score of about −88, where it becomes infinite. "
        "Right: the size of the slope falls exponentially with the score. The textbook's "
        "form leaves the curve near 15 and is exactly 0 from about 17 on.",
    )


def descents():
    """Four optimisers on a long valley."""
    draw = Drawing(480, 330)
    scale = np.array([1.0, 20.0])  # f = (x² + 20 y²) / 2
    panel = Panel(draw, (40, 14, 424, 230), (-4.4, 1.8), (-1.5, 1.5))
    panel.axes((-4, -3, -2, -1, 0, 1), (-1, 0, 1), "θ₁")
    draw.text(12, 140, "θ₂")
    angle = np.linspace(0, 2 * np.pi, 121)
    for level in (0.25, 1, 2.5, 5, 9):
        r = np.sqrt(2 * level / scale)
        ring = [(r[0] * np.cos(t), r[1] * np.sin(t)) for t in angle]
        inside = [p if -4.4 <= p[0] <= 1.8 and abs(p[1]) <= 1.5 else (np.nan, 0) for p in ring]
        draw.path("soft", [panel.at(*p) for p in inside])
    runs = (
        ("soft solid", "SGD", SGD(0.02)),
        ("delta", "SGD, momentum 0.9 (16)", SGD(0.02, momentum=0.9)),
        ("tangent", "RMSProp (17)", RMSProp(0.1, rho=0.9)),
        ("data", "Adam (18)", Adam(0.3, beta1=0.5, beta2=0.999)),
    )
    for i, (cls, name, optimizer) in enumerate(runs):
        theta, path = np.array([-4.0, 1.2]), []
        for _ in range(41):
            path.append(tuple(theta))
            optimizer.step(theta, scale * theta)
        panel.curve(cls, *zip(*path))
        panel.dots(cls, path, 2.2)
        x, y = 60 + 180 * (i % 2), 305 + 18 * (i // 2)
        draw.path(cls, [(x, y - 4), (x + 24, y - 4)])
        draw.text(x + 31, y, name, cls.split()[0], "start")
    panel.drawing.path("ink", [panel.at(-0.07, -0.05), panel.at(0.07, 0.05)])
    panel.drawing.path("ink", [panel.at(-0.07, 0.05), panel.at(0.07, -0.05)])
    return draw.svg(
        "Forty steps of four optimisers in a long valley",
        "Level lines of a valley twenty times steeper across than along. Plain descent "
        "creeps along its floor. Momentum swings across it and overshoots. RMSProp and Adam "
        "take steps of nearly equal size along both axes and reach the neighbourhood of the "
        "minimum.",
    )


def generator_losses():
    """G's two losses and their slopes over the score of a fake."""
    from minigan import GAN

    draw, s = Drawing(480, 262), np.linspace(-6, 4, 101)
    game = GAN(n_data=1, n_noise=1, G_hidden=(), D_hidden=(), dtype="float64")
    left = Panel(draw, (40, 34, 190, 170), (-6, 4), (-4.2, 6.2))
    left.axes((-6, -3, 0, 3), (-4, 0, 4), "score of a fake", "", "G's loss")
    right = Panel(draw, (284, 34, 190, 170), (-6, 4), (-1.04, 0.04))
    right.axes((-6, -3, 0, 3), (-1, -0.5, 0), "score of a fake", "", "its slope")
    for cls, game.minimax in (("delta", True), ("data", False)):
        found = [game.G_loss(None, np.array([[v]])) for v in s]
        left.curve(cls, s, [loss for loss, _ in found])
        right.curve(cls, s, [ds.item() for _, ds in found])
    right.text(-5.8, -0.1, "no pull", "delta", dy=0)
    right.text(-5.8, -0.9, "full pull", "data", dy=0)
    draw.path("data", [(60, 252), (84, 252)])
    draw.text(90, 257, "non-saturating (23)", "data", "start")
    draw.path("delta", [(280, 252), (304, 252)])
    draw.text(310, 257, "minimax (24)", "delta", "start")
    return draw.svg(
        "The generator's two losses, and their slopes",
        "Both losses fall with the score that D gives to a fake. The slope of the minimax "
        "loss is near 0 where D is sure of a fake, at scores below −3, and near −1 above 3. "
        "That of the non-saturating loss is the other way round.",
    )


def pulls():
    """How strongly three games pull a fake, by its score."""
    draw, s = Drawing(480, 250), np.linspace(-4, 4, 81)
    panel = Panel(draw, (52, 16, 280, 185), (-4, 4), (-5.2, 3.2))
    panel.axes((-4, -2, 0, 1, 2, 4), (-5, -3, -1, 0, 1, 3), "score of a fake")
    draw.text(14, 108, "slope of G's loss", turned=True)
    kinds = (
        ("delta", "least squares (33)", lambda v: least_squares(v, 1.0)),
        ("data", "cross-entropy (23)", lambda v: bce_with_logits(v, 1.0)),
        ("tangent", "Wasserstein (29)", lambda v: wasserstein(v, 1.0)),
    )
    for cls, name, loss in kinds:
        ds = [loss(np.array([[v]]))[1].item() for v in s]
        panel.curve(cls, s, ds)
        dy = {"delta": 5, "data": -2, "tangent": 15}[cls]
        panel.text(4, ds[-1], name, cls, dx=9, dy=dy)
    return draw.svg(
        "How the pull on a fake depends on its score",
        "The slope of G's loss over the score of a fake. Wasserstein's is −1 everywhere. "
        "That of the cross-entropy goes from −1 to 0: what is taken for real is left alone. "
        "That of least squares is a line through 0 at the target 1, so that what lies beyond "
        "the target is pulled back.",
    )


def spirals():
    """R3GAN of two numbers: the distance from the equilibrium, by γ."""
    names = figures.run("theory-7-convergence")
    draw = Drawing(480, 262)
    panel = Panel(draw, (58, 16, 300, 190), (0, 120), (1e-3, 3), "y")
    ticks = {1: "1", 0.1: "0.1", 0.01: "0.01", 0.001: "0.001"}
    panel.axes((0, 40, 80, 120), ticks, "iterations")
    draw.text(14, 110, "distance from equilibrium", turned=True)
    origin, rng = np.zeros((1, 1)), np.random.default_rng(0)
    for cls, gamma in (("delta", 0.0), ("tangent", 0.1), ("data", 0.5)):
        game = names["dirac"](names["R3GAN"], gamma=gamma)
        game.G_optimizer, game.D_optimizer = SGD(0.2), SGD(0.2)
        game.G.theta[...], game.D.theta[...] = 1.0, 1.0
        far = []
        for _ in range(121):
            far.append(float(np.hypot(game.G.theta[0], game.D.theta[0])))
            game.update(origin, origin, None, rng)
        panel.curve(cls, range(121), far)
        shown = [i for i, r in enumerate(far) if r > 1e-3]
        if len(shown) == 121:
            panel.text(120, far[-1], f"γ = {gamma:g}", cls, dx=8)
        else:
            panel.text(50, far[50], f"γ = {gamma:g}", cls, dx=10, dy=0)
    return draw.svg(
        "R1 and R2 let the players come to rest",
        "The distance of a game of two numbers from its equilibrium over 120 iterations, on "
        "a logarithmic axis. Without the penalties it hardly falls. With γ = 0.1 it falls "
        "slowly and with γ = 0.5 quickly.",
    )


def step_sizes():
    """The error of three ways to measure a derivative, by the step."""
    draw, x, u = Drawing(480, 285), np.array([1.1]), np.array([1.0])

    def f(v):
        return v * v * v * v

    true = 4 * 1.1**3
    steps = 10.0 ** np.arange(-20, 0, 0.25)
    kinds = {"delta": [], "tangent": [], "data": []}
    for h in steps:
        one_sided = ((f(x + h) - f(x)) / h)[0]
        central = ((f(x + h) - f(x - h)) / (2 * h))[0]
        complex_ = (f(x + 1j * h).imag / h)[0]
        for cls, found in zip(kinds, (one_sided, central, complex_)):
            kinds[cls].append(max(abs(found / true - 1), ROUNDING))
    panel = Panel(draw, (64, 16, 280, 200), (1e-20, 1), (1e-17, 2), "xy")
    ticks = {1e-16: "10⁻¹⁶", 1e-12: "10⁻¹²", 1e-8: "10⁻⁸", 1e-4: "10⁻⁴", 1: "1"}
    panel.axes({**ticks, 1e-20: "10⁻²⁰"}, ticks, "step h")
    draw.text(15, 116, "relative error", turned=True)
    names = ("one-sided", "central (53)", "complex step (51)")
    for (cls, errors), name in zip(kinds.items(), names):
        panel.curve(cls, steps, errors)
        draw.text(354, {"delta": 60, "tangent": 84, "data": 206}[cls], name, cls, "start")
    own = abs(central_difference(f, x, u) / true - 1)[0]
    exact = max(abs(complex_step(f, x, u) / true - 1)[0], ROUNDING)
    draw.text(
        64, 274, f"as minigan measures: central {own:.0e}, complex {exact:.0e}", "", "start"
    )
    return draw.svg(
        "The error of three ways to measure a derivative",
        "On logarithmic axes. The error of the one-sided difference falls with the step to "
        "about 1e-8 and rises again as the step shrinks further; that of the central "
        "difference reaches about 1e-11. That of the complex step falls to rounding and "
        "stays there for every smaller step.",
    )


class Slip(Sigmoid):
    """A sigmoid whose derivative is computed from x where y belongs."""

    def dx(self, dy, x, y):
        return dy * x * (1 - x)


def checks():
    """The error of each check of a right and of a wrong layer, beside its tolerance."""
    draw, x = Drawing(480, 250), np.array([[0.5, -1.0, 2.0], [0.3, 1.2, -0.4]])
    panel = Panel(draw, (150, 16, 312, 160), (1e-17, 10), (0, 1), "x")
    ticks = {1e-16: "10⁻¹⁶", 1e-12: "10⁻¹²", 1e-8: "10⁻⁸", 1e-4: "10⁻⁴", 1: "1"}
    panel.axes(ticks, {}, "relative error")
    found = [check_layer(layer, x) for layer in (Sigmoid(), Slip())]
    for row, (right, wrong) in enumerate(zip(*found)):
        height = 0.87 - 0.25 * row
        draw.text(
            140,
            panel.at(1, height)[1] + 5,
            "adjoint" if right.method == "adjoint" else right.name,
            "ink",
            "end",
        )
        for cls, check in (("data", right), ("delta", wrong)):
            panel.dots(cls, [(max(check.error, ROUNDING), height)], 6 if cls == "data" else 4)
        if right.tolerance:
            marks = [panel.at(right.tolerance, height + d) for d in (-0.07, 0.07)]
            draw.path("ink d2", marks)
    for at, cls, name in ((60, "data", "right"), (170, "delta", "wrong")):
        draw.circle(f"{cls} dot", at, 236, 5)
        draw.text(at + 12, 241, name, cls, "start")
    draw.path("ink d2", [(286, 230), (286, 244)])
    draw.text(298, 241, "tolerance", "ink", "start")
    return draw.svg(
        "The checks of a right layer and of a wrong one",
        "For each check a line with the relative error on a logarithmic axis. Those of the "
        "right layer lie at rounding, below 1e-15, far below the tolerance. Of the wrong "
        "layer the derivative and its tangent lie near 1; the adjoint test compares the "
        "mistake with itself and passes.",
    )


CURVES = {
    "checks": checks,
    "slope": slope,
    "leaky-relu": leaky_relu,
    "bce": bce,
    "descents": descents,
    "generator-losses": generator_losses,
    "pulls": pulls,
    "spirals": spirals,
    "step-sizes": step_sizes,
}
