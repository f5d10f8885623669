"""A GAN learns to draw digits. Saves gan_mnist.png.

python examples/gan_mnist.py [STEPS]
"""

import argparse
from argparse import RawTextHelpFormatter
from pathlib import Path

import minigan
from minigan.lab.plots import samples_png

parser = argparse.ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
parser.add_argument("steps", type=int, nargs="?", default=20_000, help="iterations (20,000)")
steps = parser.parse_args().steps
data = minigan.load("mnist5k")  # 5,000 genuine digits, x (5000, 784) in [0, 1]
model = minigan.GAN(n_data=784, n_noise=100)

# The bar shows: D is good when D(x) is high and D(G(z)) is low; G is good when it cannot be.
minigan.fit(model, data, steps, batch_size=64)

x = model.sample(100, seed=1)  # (100, 784)
Path("gan_mnist.png").write_bytes(samples_png(x, data.image_shape, scale=2))
