"""A Wasserstein GAN, whose loss means something: it falls as the samples get better.

Saves wgan_mnist.png, and wgan_mnist_estimate.png with the estimate through training.

    python examples/wgan_mnist.py [STEPS]
"""

import argparse
from argparse import RawTextHelpFormatter
from pathlib import Path

import minigan
from minigan.lab.plots import samples_png

parser = argparse.ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
parser.add_argument("steps", type=int, nargs="?", default=8_000, help="iterations (8,000)")
steps = parser.parse_args().steps
data = minigan.load("mnist5k")
model = minigan.WGAN(n_data=784, n_noise=100, clip=0.01, n_critic=5)

records = minigan.fit(model, data, steps, batch_size=64)

minigan.plot(records).savefig("wgan_mnist_estimate.png")
Path("wgan_mnist.png").write_bytes(
    samples_png(model.sample(100, seed=1), data.image_shape, scale=2)
)
