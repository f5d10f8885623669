# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # First steps
#
# A layer, a network, a game of two players: what each is, and how to look at it. Everything
# is NumPy, and every gradient was derived by hand.

# %%
# %pip install -q minigan

# %%
import numpy as np

import minigan

data = minigan.load("mnist5k")  # 5,000 genuine digits, pixels in [0, 1]
data

# %% [markdown]
# A layer is its own formula, read in several directions: `forward` gives y, `dx` says how the
# loss changes with x if it changes by dy with y. A layer remembers nothing.

# %%
layer = minigan.LeakyReLU(0.2)
x = np.array([[-2.0, -1.0, 1.0, 2.0]])
y = layer.forward(x)
print("y  =", y)
print("dx =", layer.dx(np.ones_like(y), x, y))

# %% [markdown]
# A network is a stack of layers on one flat array θ.

# %%
rng = np.random.default_rng(0)
network = minigan.mlp((3, 8, 2), rng, dtype="float64")
network

# %% [markdown]
# Its `forward` returns every intermediate result, the *trace*; `gradient` needs the trace and
# the derivative of the loss at the output. The complex step proves it from the forward pass.

# %%
from minigan.gradcheck import check_network

trace = network.forward(rng.standard_normal((5, 3)))
print(network.gradient(trace, np.ones((5, 2))).shape, "for", network.theta.shape, "parameters")
check_network(network, rng.standard_normal((5, 3)))

# %% [markdown]
# A game has two networks. `fit` trains both, and `train` does so step by step.

# %%
model = minigan.GAN(n_data=784, n_noise=100)
records = minigan.fit(model, data, steps=1500)
minigan.plot(records)

# %%
minigan.show(model.sample(50, seed=1))

# %% [markdown]
# These are the first strokes. `minigan train gan` trains for 12,000 steps, in half a minute.
