"""Walks through the noise of a conditional GAN: from sample to sample, from class to class.

Saves interpolate.png. python examples/interpolate.py [STEPS]

Five rows: the noise goes round from one draw to another, the class stays. Five rows: the
noise stays, the condition goes from one digit to the next, through what no digit is.
"""

import argparse
from argparse import RawTextHelpFormatter
from pathlib import Path

import numpy as np

import minigan
from minigan.lab.plots import samples_png

parser = argparse.ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
parser.add_argument("steps", type=int, nargs="?", default=10_000, help="iterations (10,000)")
steps = parser.parse_args().steps
model = minigan.CGAN(ema_decay=0.999 if steps > 1000 else 0.0)
minigan.fit(model, minigan.load("mnist5k"), steps)

rng, columns = np.random.default_rng(3), 14
t = np.linspace(0, 1, columns, dtype="float32")[:, None]
one_hot = np.eye(10, dtype="float32")
rows = []
for digit in (2, 3, 5, 7, 8):
    a, b = model.noise(2, rng)
    # Along an arc: on a straight line the noise would be shorter than any the model has seen.
    z = np.cos(t * np.pi / 2) * a + np.sin(t * np.pi / 2) * b
    rows.append(model.generate(z, np.repeat(one_hot[[digit]], columns, axis=0)))
for start, end in ((0, 6), (1, 7), (3, 8), (4, 9), (5, 2)):
    z = np.repeat(model.noise(1, rng), columns, axis=0)
    rows.append(model.generate(z, (1 - t) * one_hot[start] + t * one_hot[end]))
picture = samples_png(np.concatenate(rows), (28, 28), columns, scale=2)
Path("interpolate.png").write_bytes(picture)
