"""What does a critic's loss measure? Its estimate beside the exact distance, as both fall.

Saves wasserstein_estimate.png. python examples/wasserstein_estimate.py [STEPS]

On the line the earth mover's distance needs no critic: sort both samples and compare. A
clipped critic's estimate has a scale of its own; the penalty's critic speaks in true units.
The penalty is one-sided: on the line a slope that has the wrong sign must pass through 0 to
mend, and the two-sided penalty is highest there, so such a critic stays wrong.
"""

import argparse
from argparse import RawTextHelpFormatter

import numpy as np
from matplotlib.figure import Figure
from tqdm.auto import tqdm

import minigan
from minigan.lab.metrics import wasserstein_1d

parser = argparse.ArgumentParser(description=__doc__, formatter_class=RawTextHelpFormatter)
parser.add_argument("steps", type=int, nargs="?", default=1_000, help="iterations (1,000)")
steps = parser.parse_args().steps
rng = np.random.default_rng(0)
x = np.concatenate([rng.normal(-2, 0.3, 5000), rng.normal(2, 0.6, 5000)])[:, None]
common = {
    "n_data": 1,
    "n_noise": 1,
    "output": "linear",
    "G_hidden": (64, 64),
    "D_hidden": (64, 64),
}
models = {
    "WGAN, weights clipped at 0.1": minigan.WGAN(clip=0.1, **common),
    "WGAN-GP, λ = 10, one-sided": minigan.WGANGP(lr=2e-4, one_sided=True, **common),
}
figure = Figure(figsize=(10, 6.5), dpi=100, layout="constrained")
for (name, model), column in zip(models.items(), figure.subplots(2, 2, height_ratios=[3, 2]).T):
    step, estimate, exact = [], [], []
    for record in tqdm(minigan.train(model, x, steps, batch_size=128), total=steps, desc=name):
        if record["step"] % max(1, steps // 100) == 0:
            step.append(record["step"])
            estimate.append(record["w_estimate"])
            exact.append(wasserstein_1d(model.sample(len(x)), x))
    curves, density = column
    curves.plot(step, exact, c="black", label="exact W₁")
    curves.plot(step, estimate, c="tab:orange", label="the critic's estimate")
    curves.set(title=name, xlabel="step", ylim=(-0.3, 2.5))
    curves.legend(frameon=False)
    bins = np.linspace(-4, 5, 120)
    density.hist(x[:, 0], bins, density=True, color="lightgrey", label="data")
    density.hist(
        model.sample(10000)[:, 0], bins, density=True, histtype="step", color="tab:red"
    )
    density.plot([], [], c="tab:red", label="samples at the end")
    density.legend(frameon=False)
    for axis in column:
        axis.spines[["top", "right"]].set_visible(False)
figure.savefig("wasserstein_estimate.png")
