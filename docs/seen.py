"""Figures of pictures: what both kinds of networks draw, and what a trained D sees.

Measured by python docs/seen.py, in some minutes, and kept in docs/figures/seen.json.
"""

import base64
import io
import json

import figures
import numpy as np
from drawing import Drawing

from minigan import keep_heap, train
from minigan.lab.loaders import load
from minigan.lab.models import build, recipe

KEPT = figures.FIGURES / "seen.json"
STEPS = {"mlp": 23_000, "conv": 5_800}  # a minute each of one core of an AMD EPYC
ACROSS, DOWN, SIDE = 8, 7, 28
SHADES = 16


def trained(network):
    """R3GAN after a minute, by the recipe of `minigan train r3gan --network NETWORK`."""
    data = load("mnist5k")
    own = recipe("r3gan", "mnist5k", network)
    del own["steps"]
    m = own.pop("batch_size")
    shape = data.image_shape if network == "conv" else ()
    game = build("r3gan", network=network, image_shape=shape, **own)
    for _ in train(game, data, STEPS[network], m):
        pass
    return game


def measure():
    """What the figures show: PNGs of samples and of maps, and the numbers of the filters."""
    keep_heap()
    games, data = {name: trained(name) for name in STEPS}, load("mnist5k")
    found = {name: png(sheet(one.sample(ACROSS * DOWN, 1))) for name, one in games.items()}
    game = games["conv"]
    row = data.x[np.flatnonzero(data.labels == 4)[:1]]
    trace = game.D.forward(row)
    W = game.D.params[0][0]
    found["filters"] = (W / np.abs(W).max()).T.round(2).tolist()
    maps = [trace[l][0] for l in (2, 4)]
    convs = game.D.layers[0], game.D.layers[2]
    found["digit"] = png(row.reshape(SIDE, SIDE))
    for name, values, conv in zip(("first", "second"), maps, convs):
        pictures = np.moveaxis(values.reshape(conv.smaller), -1, 0)
        found[name] = [png(each) for each in np.maximum(pictures, 0) / pictures.max()]
    return found


def sheet(rows):
    """Digits side by side, with no space between them."""
    tiles = rows.reshape(DOWN, ACROSS, SIDE, SIDE)
    return tiles.transpose(0, 2, 1, 3).reshape(DOWN * SIDE, ACROSS * SIDE)


def png(pixels):
    """Ink on nothing, as a PNG in base64: the paper is that of the page."""
    from PIL import Image

    shades = np.rint(np.clip(pixels, 0, 1) * (SHADES - 1)).astype(np.uint8)
    picture, file = Image.fromarray(shades, "P"), io.BytesIO()
    picture.putpalette([0] * 3 * SHADES)
    alphas = bytes(round(255 * i / (SHADES - 1)) for i in range(SHADES))
    picture.save(file, "PNG", transparency=alphas, bits=4, optimize=True)
    return base64.b64encode(file.getvalue()).decode("ascii")


def draw_samples(kept):
    draw, width = Drawing(480, 224), 224
    for left, name, text in (
        (8, "mlp", "multilayer perceptrons, 23,000 iterations"),
        (248, "conv", "convolutions, 5,800 iterations"),
    ):
        draw.text(left + width / 2, 14, text, "ink small")
        draw.image(kept[name], left, 24, width, width * DOWN / ACROSS)
    return draw.svg(
        "Digits by multilayer perceptrons and by convolutions after the same time",
        "Two sheets of 56 samples. Those of the multilayer perceptrons have speckled and "
        "frayed strokes; those of the convolutions are smooth, though some are no digit.",
    )


def draw_maps(kept):
    draw, step, size = Drawing(480, 262), 46, 38
    draw.image(kept["digit"], 8, 92, 56, 56)
    draw.text(36, 164, "a row", "small")
    for j, (weights, picture) in enumerate(zip(kept["filters"], kept["first"])):
        left = 108 + step * j
        for at, weight in enumerate(weights):
            cls, side = ("data", "delta")[weight < 0], size / 4 * np.sqrt(abs(weight))
            x, y = left + size / 4 * (at % 4 + 0.5), 22 + size / 4 * (at // 4 + 0.5)
            draw.rect(f"solid fill {cls}", x - side / 2, y - side / 2, side, side)
        draw.rect("frame", left, 22, size, size)
        draw.image(picture, left, 92, size, size)
        draw.rect("frame", left, 92, size, size)
    for j, picture in enumerate(kept["second"]):
        left, top = 108 + step * (j % 8), 164 + 48 * (j // 8)
        draw.image(picture, left, top, size, size)
        draw.rect("frame", left, top, size, size)
    middle = 108 + 4 * step - 4
    for y, text in (
        (14, "filters of the first convolution, 4 × 4 each"),
        (84, "what each makes of the row, 14 × 14"),
        (156, "maps of the second convolution, 7 × 7"),
    ):
        draw.text(middle, y, text, "ink small")
    return draw.svg(
        "Filters and feature maps of a trained discriminator",
        "A handwritten four, the eight filters of the first convolution as squares of two "
        "colours for positive and negative weights, the eight maps that they make of the "
        "four, and the sixteen maps of the second convolution.",
    )


SEEN = {"beside": draw_samples, "maps": draw_maps}


def drawn(name):
    """The figure of that name, from what is kept."""
    return SEEN[name](json.loads(KEPT.read_text("utf-8")))


if __name__ == "__main__":
    KEPT.write_text(json.dumps(measure()) + "\n", "utf-8")
    for name in SEEN:
        (figures.FIGURES / f"{name}.svg").write_text(drawn(name), "utf-8")
