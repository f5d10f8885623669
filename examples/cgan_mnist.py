"""A conditional GAN draws the digit it is asked for. Saves cgan_mnist.png, one row a class.

python examples/cgan_mnist.py [STEPS]
"""

import argparse
from argparse import RawTextHelpFormatter
from pathlib import Path

import numpy as np

import minigan
from minigan.lab.plots import samples_png

parser = argparse.ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
parser.add_argument("steps", type=int, nargs="?", default=20_000, help="iterations (20,000)")
steps = parser.parse_args().steps
data = minigan.load("mnist5k")
model = minigan.CGAN(n_data=784, n_noise=100, n_classes=10)

minigan.fit(model, data, steps, batch_size=64)

labels = np.repeat(np.arange(10), 10)  # ten zeros, ten ones, ...
x = model.sample(labels=labels, seed=1)
Path("cgan_mnist.png").write_bytes(samples_png(x, data.image_shape, scale=2))
