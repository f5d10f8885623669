# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A conditional GAN on digits
#
# Both players are told a class c. G is asked for a seven, and D judges whether a row is a
# real *seven*: a perfect three is a fake when c says seven.

# %%
# %pip install -q minigan

# %%
import numpy as np

import minigan

data = minigan.load("mnist5k")
model = minigan.CGAN(n_data=784, n_noise=100, n_classes=10, ema_decay=0.99)
model

# %% [markdown]
# The condition is a row of ten numbers, one of them 1, that stands beside the noise and
# beside the pixels.

# %%
c = model.condition(np.array([7]))
print("c =", c[0])
print("G is given", model.G_input(np.zeros((1, 100), "float32"), c).shape)
print("D is given", model.D_input(np.zeros((1, 784), "float32"), c).shape)

# %%
records = minigan.fit(model, data, steps=3000)
minigan.plot(records)

# %% [markdown]
# One line for each class. With 3,000 of the 14,000 steps of `minigan train cgan`, most of
# them can be read.

# %%
minigan.show(model.sample(labels=np.repeat(np.arange(10), 10), seed=1))

# %% [markdown]
# Between two classes lies a condition that no digit has.

# %%
z = np.repeat(model.noise(1, np.random.default_rng(0)), 10, axis=0)
t = np.linspace(0, 1, 10, dtype="float32")[:, None]
one_hot = np.eye(10, dtype="float32")
minigan.show(model.generate(z, (1 - t) * one_hot[4] + t * one_hot[9]))
