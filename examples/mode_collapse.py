"""The ring under all five losses, with D's landscape and the pull on the samples, as a film.

Saves mode_collapse.gif and its last frame, mode_collapse.png.

python examples/mode_collapse.py [STEPS]

Blue is where D sees fakes, red where it sees data. Gold are the data, black the samples, and
arrows show where D pulls them.
"""

import argparse
import io
from argparse import RawTextHelpFormatter
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from tqdm.auto import tqdm

import minigan
from minigan.lab.loaders import ring
from minigan.lab.plots import film_gif

parser = argparse.ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
parser.add_argument("steps", type=int, nargs="?", default=3_000, help="iterations (3,000)")
steps = parser.parse_args().steps
data, frames, edge = ring(std=0.05), 2 if steps < 100 else 40, 1.6
common = {"n_data": 2, "n_noise": 2, "output": "linear", "G_hidden": (64, 64)}
models = {
    "minimax": minigan.GAN(minimax=True, **common),
    "non-saturating": minigan.GAN(**common),
    "least squares": minigan.LSGAN(**common),
    "WGAN, clipped": minigan.WGAN(clip=0.1, **common),
    "WGAN-GP": minigan.WGANGP(penalty_weight=1.0, **common),
}
runs = [minigan.train(model, data, steps, batch_size=64) for model in models.values()]
ticks = np.linspace(-edge, edge, 60, dtype="float32")
plane = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)


def picture(step):
    figure = Figure(figsize=(15, 3.5), dpi=80, layout="constrained")
    for axis, (name, model) in zip(figure.subplots(1, 5), models.items()):
        s = model.D.forward(plane)[-1].reshape(60, 60)
        s = (s - np.median(s)) / (np.abs(s - np.median(s)).max() + 1e-9)
        axis.contourf(ticks, ticks, s, np.linspace(-1, 1, 21), cmap="RdBu_r", alpha=0.75)
        x = model.sample(600)
        trace = model.D.forward(x[:60])
        pull = model.D.deltas(trace, np.ones_like(trace[-1]))[0]  # uphill
        pull = 0.2 * pull / (np.linalg.norm(pull, axis=1).max() + 1e-9)
        axis.scatter(*data.x[:400].T, s=6, c="gold", lw=0)
        axis.scatter(*x.T, s=4, c="black", lw=0)
        axis.quiver(*x[:60].T, *pull.T, angles="xy", scale_units="xy", scale=1, width=5e-3)
        axis.set(xlim=(-edge, edge), ylim=(-edge, edge), xticks=[], yticks=[], aspect="equal")
        axis.set_title(name, fontsize=13)
    figure.suptitle(f"step {step}", fontsize=11, color="grey")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer


film = [picture(0)]
for records in tqdm(zip(*runs), total=steps):
    if records[0]["step"] % max(1, steps // frames) == 0:
        film.append(picture(records[0]["step"]))
Path("mode_collapse.png").write_bytes(film[-1].getvalue())
Path("mode_collapse.gif").write_bytes(film_gif(film))
