"""Figures of what flows where: boxes and arrows, with minigan's own numbers and shapes."""

import figures
import numpy as np
from drawing import Drawing, Panel, sign

from minigan import R3GAN, Adam, Batches, Dense, LeakyReLU, Network, Sigmoid
from minigan.penalty import gradient_penalty

SUB = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def vector(values):
    """(−4, 3), or 7 for a single number."""
    values = [sign(round(float(v), 4)) for v in np.ravel(values)]
    return values[0] if len(values) == 1 else f"({', '.join(values)})"


def shape(array):
    return f"({', '.join(map(str, array.shape))})"


def dense_flow():
    """x, δ and u through a Dense layer."""
    draw, rng = Drawing(480, 300), np.random.default_rng(0)
    dense, x = Dense(3, 2), rng.random((4, 3))
    params = rng.random((3, 2)), rng.random(2)
    y = dense.forward(x, *params)
    dy, u = np.ones_like(y), np.ones_like(x)
    dx, (dW, db) = dense.dx(dy, x, y, *params), dense.dparams(dy, x, y, *params)
    uW = dense.tangent(u, x, y, *params)
    draw.rect("", 180, 26, 120, 178, 8)
    draw.text(240, 18, "Dense(3, 2)", "name")
    lanes = (
        (58, "data", "x", x, "y = xW + b", y, 1),
        (112, "delta", "dx = dy Wᵀ", dx, "dy", dy, -1),
        (166, "tangent", "u", u, "uW", uW, 1),
    )
    for top, cls, left, a, right, b, way in lanes:
        ends = [(70, top), (172, top)], [(308, top), (410, top)]
        for begin, end in ends:
            draw.arrow(cls, *((begin, end) if way > 0 else (end, begin)), 8)
        draw.text(62, top + 5, shape(a), cls, "end")
        draw.text(418, top + 5, shape(b), cls, "start")
        draw.text(121, top - 9, left, cls)
        draw.text(359, top - 9, right, cls)
    draw.text(240, 63, f"W {shape(params[0])}, b {shape(params[1])}", "ink inside")
    draw.text(240, 117, "Wᵀ", "ink inside")
    draw.text(240, 171, "W", "ink inside")
    draw.arrow("delta", (240, 204), (240, 238), 8)
    draw.text(160, 258, f"dW = xᵀ dy  {shape(dW)}", "delta")
    draw.text(330, 258, f"db = Σᵢ dyᵢ  {shape(db)}", "delta")
    for at, cls, name in (
        (62, "data", "forward (1)"),
        (192, "delta", "backward (1a–c)"),
        (340, "tangent", "tangent (1d)"),
    ):
        draw.path(cls, [(at, 286), (at + 20, 286)])
        draw.text(at + 26, 291, name, cls, "start")
    return draw.svg(
        "What flows through a Dense layer",
        "A box, the layer, with four rows of three inputs on the left and of two outputs on "
        "the right. The input x goes through it to the right and becomes y. The delta dy "
        "comes back to the left and becomes dx, of the shape of x; on its way it leaves dW, "
        "of the shape of W, and db. The tangent u goes to the right like x and becomes uW.",
    )


def two_by_two():
    """The example on paper of chapter 1 as a network, one drawing for each row."""
    n = figures.run("layers")
    draw = Drawing(480, 452)
    x, W, b, dy, y = n["x"], n["W"], n["b"], n["dy"], n["dense"].forward(n["x"], n["W"], n["b"])
    dx = n["dense"].dx(dy, x, y, W, b)
    for i in (0, 1):
        top = 48 + 190 * i
        draw.text(240, top - 30, f"row {i + 1}", "name")
        left, right = [(130, top + 16), (130, top + 116)], [(350, top + 16), (350, top + 116)]
        for p in (0, 1):
            for j in (0, 1):
                (a, c), (d, e) = left[p], right[j]
                draw.path("edge", [(a, c), (d, e)])
                share = 0.3 if p != j else 0.5
                at = a + share * (d - a), c + share * (e - c)
                draw.text(at[0], at[1] - 3, sign(W[p, j]), "ink")
        for j in (0, 1):
            draw.circle("node", *left[j], 20)
            draw.circle("node", *right[j], 20)
            draw.text(left[j][0], left[j][1] + 5, sign(x[i, j]), "data inside")
            draw.text(right[j][0], right[j][1] + 5, sign(y[i, j]), "data inside")
            draw.text(96, left[j][1] + 5, f"dx = {sign(dx[i, j])}", "delta", "end")
            draw.text(384, right[j][1] + 5, f"dy = {sign(dy[i, j])}", "delta", "start")
            draw.text(384, right[j][1] + 24, f"b = {sign(b[j])}", "", "start")
    dW, db = n["dense"].dparams(dy, x, y, W, b)
    terms = [f"{sign(x[i, 1])}·{sign(dy[i, 0])}" for i in (0, 1)]
    draw.text(240, 420, f"dW₂₁ = {terms[0]} + {terms[1]} = {sign(dW[1, 0])}", "delta")
    terms = [sign(dy[i, 0]) for i in (0, 1)]
    draw.text(240, 443, f"db₁ = {terms[0]} + {terms[1]} = {sign(db[0])}", "delta")
    return draw.svg(
        "The example on paper as a network with its numbers",
        "Two inputs and two outputs joined by four weights, drawn once for each row. Row 1 "
        "has the inputs 1 and 2 and the outputs 3 and 1; the deltas 1 and 0 arrive and "
        "become 2 and 0. Row 2 has the inputs −1 and 3 and the outputs −1 and 4; the deltas "
        "2 and −1 become 5 and −1. A weight belongs to both rows, so its gradient is a sum "
        "over them.",
    )


def lanes(draw, top, values, cls, label, way, name):
    """One pass through the layers: numbers in a row, with arrows between them."""
    xs = np.linspace(124, 446, len(values))
    draw.text(8, top + 5, label, cls, "start")
    for l, value in enumerate(values):
        draw.text(xs[l], top + 5, vector(value), cls)
        draw.text(xs[l], top + 23, name.format(str(l).translate(SUB)), "")
    half = [4.2 * len(vector(v)) + 6 for v in values]
    for l in range(len(values) - 1):
        begin, end = (xs[l] + half[l], top), (xs[l + 1] - half[l + 1], top)
        draw.arrow(cls, *((begin, end) if way > 0 else (end, begin)), 7)


def example():
    """(network, x) of the worked example of chapters 3 and 11."""
    theta = np.array([1.0, 2, 5, -1, 0, 0, 2, 1, 0])
    return Network([Dense(2, 2), LeakyReLU(0.5), Dense(2, 1)], theta), np.array([[1.0, -1]])


def layer_heads(draw, names, height):
    """The layers as bars between the numbers of the passes."""
    xs = np.linspace(124, 446, len(names) + 1)
    for l, name in enumerate(names):
        middle = (xs[l] + xs[l + 1]) / 2
        draw.rect("", middle - 7, 30, 14, height, 4)
        draw.text(middle, 20, name, "name")


def backprop():
    """Forward and backward through the worked example."""
    draw, (network, x) = Drawing(480, 232), example()
    trace = network.forward(x)
    deltas = network.deltas(trace, np.ones((1, 1)))
    layer_heads(draw, ("Dense", "LeakyReLU", "Dense"), 128)
    lanes(draw, 58, trace, "data", "forward (9)", 1, "x{}")
    lanes(draw, 122, deltas, "delta", "deltas (10)", -1, "δ{}")
    parts = network.accumulate(trace, deltas)
    xs = np.linspace(124, 446, 4)
    for l, at, own in ((0, 0, parts[:4]), (2, 2, parts[6:8])):
        middle = (xs[at] + xs[at + 1]) / 2
        draw.arrow("delta", (middle, 160), (middle, 182), 7)
        number = str(l + 1).translate(SUB)
        draw.text(middle, 200, f"dW{number} = x{str(l).translate(SUB)}ᵀ δ{number}", "delta")
        draw.text(middle, 220, f"= {vector(own)}", "delta")
    draw.text(8, 205, "(11)", "delta", "start")
    return draw.svg(
        "Forward and backward through a network of three layers",
        "The row (1, −1) goes through Dense, LeakyReLU and Dense and becomes −1. The delta 1 "
        "comes back as (2, 1), (1, 1) and (3, 4). Each Dense layer's gradient is its own "
        "input times the delta at its output.",
    )


def penalty_passes():
    """The three passes of the gradient penalty, with the numbers of the worked example."""
    draw, (network, x) = Drawing(480, 330), example()
    trace = network.forward(x)
    deltas = network.deltas(trace, np.ones((1, 1)))
    norm = float(np.linalg.norm(deltas[0]))
    u = 20 * (norm - 1) * deltas[0] / norm
    tangents = network.tangents(trace, u)
    penalty, dtheta = gradient_penalty(network, x)
    layer_heads(draw, ("Dense", "LeakyReLU", "Dense"), 204)
    lanes(draw, 54, trace, "data", "0. forward", 1, "x{}")
    lanes(draw, 122, deltas, "delta", "1. backward", -1, "δ{}")
    lanes(draw, 206, tangents, "tangent", "2. forward", 1, "u{}")
    draw.text(120, 164, f"P = 10 ({sign(norm)} − 1)² = {sign(float(penalty))}", "ink", "start")
    draw.arrow("tangent", (108, 152), (108, 190), 7)
    draw.text(8, 288, "3. accumulate", "ink", "start")
    xs = np.linspace(124, 446, 4)
    for at, own in ((0, dtheta[:4]), (2, dtheta[6:8])):
        middle = (xs[at] + xs[at + 1]) / 2
        draw.arrow("ink", (middle, 236), (middle, 262), 7)
        number, before = str(at + 1).translate(SUB), str(at).translate(SUB)
        draw.text(middle + 6 * (at == 0), 288, f"dW{number} = u{before}ᵀ δ{number}", "ink")
        draw.text(middle, 310, f"= {vector(own)}", "ink")
    return draw.svg(
        "The three passes of the gradient penalty with their numbers",
        "The forward pass of (1, −1) gives −1. Pass 1, backward, starts from 1 and ends in "
        "the slope (3, 4), whose penalty is 160. Pass 2 carries the tangent (48, 64) forward "
        "to 400. Pass 3 multiplies the tangent before each Dense layer by the delta behind "
        "it.",
    )


def one_pass():
    """One backward pass through D, weighted for both players."""
    n = figures.run("theory-5-one-pass")
    draw = Drawing(480, 316)
    trace, delta, ds_D, ds_G = n["trace"], n["delta"], n["ds_D"], n["ds_G"]
    draw.text(240, 20, "one backward pass from ones gives δ, a row for each row of D", "name")
    columns = ((92, "row of D"), (196, "x"), (290, "score"), (394, "δ₀ = ∂s/∂x"))
    for at, title in columns:
        draw.text(at, 50, title)
    for i, kind in enumerate(("real", "generated")):
        y = 80 + 32 * i
        draw.rect("", 36, y - 20, 420, 27, 4)
        draw.text(92, y - 1, kind, "ink inside")
        draw.text(196, y - 1, vector(trace[0][i]), "data inside")
        draw.text(290, y - 1, vector(trace[-1][i]), "data inside")
        draw.text(394, y - 1, vector(delta[0][i]), "delta inside")
    draw.arrow("delta", (150, 126), (120, 158), 8)
    draw.arrow("delta", (340, 126), (370, 158), 8)
    draw.text(120, 178, "times D's ∂L/∂s, row by row", "delta")
    draw.text(368, 178, "times G's ∂L/∂s, the fakes", "delta")
    W = n["D"].accumulate(trace, [None, ds_D * delta[1]])
    for i in (0, 1):
        draw.text(120, 204 + 22 * i, f"{sign(ds_D[i, 0])} · x{vector(trace[0][i])}ᵀ δ₁", "ink")
    draw.arrow("ink", (120, 236), (120, 258), 7)
    draw.text(120, 280, f"dW of D = {vector(W[:2])}", "data")
    draw.text(368, 214, f"{sign(ds_G)} · {vector(delta[0][1])}", "ink")
    draw.arrow("ink", (368, 236), (368, 258), 7)
    draw.text(368, 280, f"delta for G = {vector(ds_G * delta[0][1])}", "data")
    draw.text(240, 308, "so neither player needs a backward pass of its own")
    return draw.svg(
        "One pass through D serves both players",
        "A real and a generated row go through D together, and one backward pass from ones "
        "gives the derivative of each row's score. Weighted row by row with D's derivatives "
        "it gives D's gradient (−1, 0); the generated row weighted with G's gives the delta "
        "(−2, 1) from which G learns.",
    )


def batches():
    """Every row once in each epoch; a batch may cross its end."""
    draw, data = Drawing(480, 226), np.arange(10.0)[:, None]
    taken, n = Batches(data, 4), 10
    rows = [int(v) for _ in range(5) for v in next(taken)[0].ravel()]
    for epoch in (0, 1):
        top = 40 + 90 * epoch
        draw.text(24, top - 14, f"epoch {epoch + 1}", "name", "start")
        for i in range(n):
            x = 24 + 44 * i
            cls = ("data", "delta", "tangent", "data", "delta")[(epoch * n + i) // 4]
            draw.rect(f"fill {cls}", x, top, 40, 30, 4)
            draw.text(x + 20, top + 21, str(rows[epoch * n + i]), f"{cls} inside")
    for k in range(5):
        first, last = 4 * k, 4 * k + 3
        cls = ("data", "delta", "tangent", "data", "delta")[k]
        for epoch in {first // n, last // n}:
            begin, end = max(first, epoch * n) % n, min(last, epoch * n + n - 1) % n
            y = 40 + 90 * epoch + 38
            draw.path(cls, [(24 + 44 * begin, y), (24 + 44 * end + 40, y)])
            draw.text(44 + 22 * (begin + end), y + 17, f"batch {k + 1}", cls)
    draw.text(240, 216, "ten rows in batches of four: each row once an epoch, none left out")
    return draw.svg(
        "Batches cross the end of an epoch",
        "Ten rows in a random order, and below it in another one. Batches of four take them "
        "in turn; the third takes the last two rows of the first order and the first two of "
        "the second.",
    )


class Counted(np.ndarray):
    """An array that counts the passes over memory that are made with it."""

    passes = 0

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        Counted.passes += 1
        plain = [np.asarray(a) if isinstance(a, Counted) else a for a in inputs]
        if out:
            options["out"] = tuple(np.asarray(a) for a in out)
        found = getattr(ufunc, method)(*plain, **options)
        return (
            out[0] if out else found.view(Counted) if isinstance(found, np.ndarray) else found
        )


def passes():
    """How many passes over memory NumPy makes for what a compiled loop does in one."""
    draw = Drawing(480, 226)
    x = np.linspace(-1, 1, 8).view(Counted)
    theta, adam = x.copy(), Adam()
    adam.step(theta, x + 0)
    adam.M, adam.V = adam.M.view(Counted), adam.V.view(Counted)
    sigmoid = Sigmoid()
    y = sigmoid.forward(x)
    jobs = (
        ("Adam's step (18)", lambda: adam.update(theta, x)),
        ("Sigmoid forward (3)", lambda: sigmoid.forward(x)),
        ("Sigmoid back (3a)", lambda: sigmoid.dx(x, x, y)),
    )
    for row, (name, run) in enumerate(jobs):
        Counted.passes = 0
        run()
        top = 34 + 56 * row
        draw.text(150, top + 15, name, "name", "end")
        for i in range(Counted.passes):
            draw.rect("fill delta", 164 + 20 * i, top - 6, 16, 14, 2)
        draw.text(
            172 + 20 * Counted.passes, top + 6, f"NumPy: {Counted.passes}", "delta", "start"
        )
        draw.rect("fill data", 164, top + 14, 16, 14, 2)
        draw.text(192, top + 26, "compiled: 1", "data", "start")
    draw.text(240, 212, "passes over memory, one square each")
    return draw.svg(
        "Passes over memory, with NumPy and compiled",
        "For each of Adam's step, the sigmoid and its derivative a row of squares, one for "
        "each operation that NumPy runs over whole arrays, and one square for the compiled "
        "loop that does them all.",
    )


def chain():
    """The chain rule: rates multiply."""
    draw = Drawing(480, 210)
    network = Network([Dense(1, 1), LeakyReLU(0.5), Dense(1, 1)], np.array([3.0, -9, -2, 1]))
    trace = network.forward(np.array([[1.0]]))
    deltas = network.deltas(trace, np.ones((1, 1)))
    values = [float(v.item()) for v in trace]
    rates = [float(deltas[l].item() / deltas[l + 1].item()) for l in range(3)]
    xs = (40, 173, 306, 439)
    names = ("a", "b = 3a − 9", "c: halved below 0", "L = −2c + 1")
    for x, value, name in zip(xs, values, names):
        draw.circle("node", x, 70, 24)
        draw.text(x, 75, sign(value), "data inside")
        draw.text(x, 34, name, "name")
    for l in range(3):
        draw.arrow("data", (xs[l] + 28, 70), (xs[l + 1] - 28, 70), 8)
        draw.text((xs[l] + xs[l + 1]) / 2, 60, f"× {sign(rates[l])}", "data")
    for l in range(2, -1, -1):
        draw.arrow("delta", (xs[l + 1] - 28, 124), (xs[l] + 28, 124), 8)
    for x, delta in zip(xs, deltas):
        draw.text(x, 129, sign(float(delta.item())), "delta")
    product = " · ".join(f"({sign(r)})" if r < 0 else sign(r) for r in rates)
    draw.text(240, 166, f"∂L/∂a = {product} = {sign(float(deltas[0].item()))}", "delta")
    draw.text(240, 194, "each arrow's rate, multiplied along the way back")
    return draw.svg(
        "The chain rule: rates multiply",
        "Four numbers in a row. a = 1 gives b = −6, that gives c = −3, and that gives L = 7. "
        "The rates of the three steps are 3, one half and −2. Going back from L, whose rate "
        "is 1, they are multiplied: −2, −1, −3. So L falls by 3 when a grows by 1.",
    )


def transport():
    """The earth mover's distance on a line, and a critic that measures it."""
    draw = Drawing(480, 210)
    panel = Panel(draw, (30, 20, 430, 150), (-0.6, 5.6), (-0.2, 3))
    real, fake = [0, 3], [1, 5]
    panel.axes((0, 1, 2, 3, 4, 5), {}, "where the rows are")
    for i, (x, y) in enumerate(zip(real, fake)):
        height = 1.1 + 0.9 * i
        panel.arrow("tangent", (y, height), (x + 0.08, height), 8)
        middle = (x + y) / 2
        panel.text(middle, height, f"{abs(x - y)} · ½", "tangent", "middle", 0, -8)
        for at in (x, y):
            draw.path("soft", [panel.at(at, 0.3), panel.at(at, height)])
    panel.dots("data", [(x, 0.3) for x in real], 7)
    panel.dots("delta", [(y, 0.3) for y in fake], 7)
    draw.text(40, 34, "data", "data", "start")
    draw.text(90, 34, "generated", "delta", "start")
    W = sum(abs(x - y) for x, y in zip(real, fake)) / 2
    draw.text(460, 34, f"W = {sign(W)}", "tangent", "end")
    return draw.svg(
        "The earth mover's distance on a line",
        "Two rows of data at 0 and 3, two generated rows at 1 and 5. The cheapest way to "
        "move the generated ones is by 1 and by 2, half of the mass each, so the distance is "
        "1.5.",
    )


def halves():
    """The players of chapter 14 on the digits: D from left to right, G from right to left."""
    draw, xs = Drawing(480, 286), (62, 186, 290, 372, 444)
    model = R3GAN(network="conv", image_shape=(28, 28), G_hidden=(128,), D_hidden=(128,))
    for player, cls, middle, way in (("D", "data", 74, 1), ("G", "tangent", 206, -1)):
        layers = [
            layer for layer in getattr(model, player).layers if getattr(layer, "shapes", ())
        ]
        layers = layers[::way]  # from the picture to the score, or to the noise
        sizes = [layer.larger for layer in layers[:2]] + [layers[1].smaller]
        sizes += [(layers[2].n, layers[2].k)[::way][1:], (layers[3].n, layers[3].k)[::way][1:]]
        for x, (*sides, k) in zip(xs, sizes):
            side = 3 * sides[0] if sides else 6
            tall = side if sides else 12 + 30 * (k > 1)
            for behind in (8, 4, 0)[0 if k > 1 and sides else 2 :]:
                at = x - side / 2 + behind, middle - tall / 2 - behind
                draw.rect("node", *at, side, tall, 2)
            name = " × ".join(map(str, (*sides, k) if k > 1 and sides else sides or [k]))
            draw.text(x, middle + 64, name, "ink")
        gaps = (106, 158), (220, 272), (314, 362), (382, 434)
        for (a, b), layer in zip(gaps, layers):
            begin, end = ((a, middle), (b, middle))[::way]
            draw.arrow(cls, begin, end, 8)
            names = {"Conv": "Conv", "ConvTranspose": "Convᵀ", "Dense": "Dense"}
            draw.text((a + b) / 2, middle - 9, names[type(layer).__name__], cls)
        draw.text(14, middle - 44, player, cls)
    draw.text(430, 108, "score", "small")
    draw.text(430, 240, "noise", "small")
    return draw.svg(
        "Both players of convolutions, for digits",
        "D goes from 28 by 28 pixels to 14 by 14 with 8 channels, to 7 by 7 with 16, to 128 "
        "units and to one score. Below it G goes the same way back, from 100 numbers of noise "
        "to 128 units, 7 by 7, 14 by 14 and a picture of 28 by 28.",
    )


DIAGRAMS = {
    "dense-flow": dense_flow,
    "two-by-two": two_by_two,
    "backprop": backprop,
    "penalty-passes": penalty_passes,
    "one-pass": one_pass,
    "batches": batches,
    "passes": passes,
    "chain": chain,
    "halves": halves,
    "transport": transport,
}
