"""Eight Gaussians on a circle: watch a GAN find all the modes in seconds. Saves ring.gif.

python examples/ring.py [STEPS]
"""

import argparse
import io
from argparse import RawTextHelpFormatter
from pathlib import Path

from tqdm.auto import tqdm

import minigan
import minigan.lab.loaders
from minigan.lab.plots import film_gif, samples_png

parser = argparse.ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
parser.add_argument("steps", type=int, nargs="?", default=3_000, help="iterations (3,000)")
steps = parser.parse_args().steps
data = minigan.lab.loaders.ring(std=0.05)
model = minigan.GAN(n_data=2, output="linear", n_noise=2)

frames = []
for record in tqdm(minigan.train(model, data, steps, batch_size=128), total=steps):
    if record["step"] % max(1, steps // 40) == 0:
        picture = samples_png(model.sample(1000), image_shape=None, behind=data.x)
        frames.append(io.BytesIO(picture))

Path("ring.gif").write_bytes(film_gif(frames))
