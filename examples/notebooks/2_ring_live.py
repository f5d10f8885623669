# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A GAN on the ring, live
#
# Eight Gaussians on a circle are the smallest data on which a GAN can fail as it does on
# photographs: it may find three of the eight and forget the others.

# %%
# %pip install -q minigan

# %%
import numpy as np

import minigan
from minigan.lab.loaders import ring, ring_modes
from minigan.lab.metrics import modes_captured

try:
    from IPython.display import clear_output, display
except ImportError:  # run as a script there is nothing to draw on

    def display(*figures):
        pass

    clear_output = display

data = ring(n=5000, std=0.1)
data

# %% [markdown]
# `train` is a loop that you drive: each step is taken when its record is asked for. Here we
# look at the samples after every 250 steps.

# %%
model = minigan.GAN(n_data=2, n_noise=2, output="linear", D_lr=3e-3)
records = []
for record in minigan.train(model, data, steps=2000, batch_size=128):
    records.append(record)
    if record["step"] % 250 == 0:
        clear_output(True)
        display(minigan.show(model.sample(1000), behind=data))

# %%
modes, share = modes_captured(model.sample(2500), ring_modes(), std=0.1)
print(f"{modes} of 8 modes, {share:.0%} of the samples within three standard deviations")
minigan.plot(records)

# %% [markdown]
# Where does D push the samples? Uphill on its score: the delta that arrives at its input.

# %%
x = model.sample(8)
trace = model.D.forward(x)
pull = model.D.deltas(trace, np.ones_like(trace[-1]))[0]
for point, arrow in zip(x, pull):
    print(f"at {point.round(2)} D pulls along {arrow.round(2)}")

# %% [markdown]
# Now change one thing and run it again: `minimax=True`, `D_lr=3e-4`, or
# `minigan.WGANGP(penalty_weight=1.0, ...)`.
