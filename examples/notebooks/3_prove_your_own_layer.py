# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Prove your own layer
#
# A backward pass is a claim about the forward pass. The forward pass, run on numbers with a
# tiny imaginary part, knows whether the claim is true:
# $f'(x)u = \mathrm{Im}\, f(x + ihu)/h + O(h^2)$, with $h = 10^{-30}$ and nothing subtracted.

# %%
# %pip install -q minigan

# %%
import numpy as np

import minigan
from minigan.gradcheck import check_layer

x = np.random.default_rng(0).standard_normal((5, 4))

# %% [markdown]
# Softplus, $y = \log(1 + e^x)$, whose slope is $1/(1 + e^{-x})$.


# %%
class Softplus:
    def forward(self, x):
        return np.log1p(np.exp(x))

    def dx(self, dy, x, y):
        return dy / (1 + np.exp(-x))

    def tangent(self, u, x, y):
        return self.dx(u, x, y)


check_layer(Softplus(), x)

# %% [markdown]
# A slip that looks right: the slope of the *output*.


# %%
class Slipped(Softplus):
    def dx(self, dy, x, y):
        return dy / (1 + np.exp(-y))


check_layer(Slipped(), x)

# %% [markdown]
# The check says which entry is off by most. Note the adjoint test: it passes, because
# `tangent` makes the same mistake. Only the forward pass can tell.
#
# A layer with a parameter returns one gradient for each of them.


# %%
class Scale:
    shapes = ((1,),)

    def forward(self, x, a):
        return a * x

    def dx(self, dy, x, y, a):
        return a * dy

    def dparams(self, dy, x, y, a):
        return (np.sum(dy * x, keepdims=True)[0],)

    def tangent(self, u, x, y, a):
        return a * u


check_layer(Scale(), x, np.array([1.5]))

# %% [markdown]
# What is proven works in a network, in a game and in training.

# %%
rng = np.random.default_rng(0)
layers = [minigan.Dense(2, 16), Softplus(), minigan.Dense(16, 2)]
size = 2 * 16 + 16 + 16 * 2 + 2
G = minigan.Network(layers, rng.standard_normal(size) / 2)
model = minigan.GAN(G=G, D=minigan.mlp((2, 32, 1), rng, dtype="float64"))
records = minigan.fit(model, rng.standard_normal((500, 2)) @ [[1, 0.8], [0, 0.4]], steps=500)
minigan.show(model.sample(500))
