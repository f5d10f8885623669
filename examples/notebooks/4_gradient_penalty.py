# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The gradient penalty in three passes
#
# WGAN-GP punishes the critic for slopes that are not 1:
# $P = \lambda\,\mathrm{mean}_i(\|g_i\| - 1)^2$ with $g_i = \nabla_{\hat x} D(\hat x_i)$. To
# descend it, one needs the derivative of a derivative. No tape is needed, only three passes.

# %%
# %pip install -q minigan

# %%
import numpy as np

import minigan
from minigan.gradcheck import check_gradient

rng = np.random.default_rng(0)
D = minigan.mlp((2, 16, 16, 1), rng, dtype="float64")
x_hat, m, weight = rng.standard_normal((8, 2)), 8, 10.0

# %% [markdown]
# **1. Backward.** Seeded with ones, the delta at the input is g.

# %%
trace = D.forward(x_hat)
deltas = D.deltas(trace, np.ones_like(trace[-1]))
g = deltas[0]
norm = np.linalg.norm(g, axis=1, keepdims=True)
P = weight * np.mean((norm - 1) ** 2)
print(f"slopes {norm.ravel().round(2)}, P = {P:.4f}")

# %% [markdown]
# **2. Forward.** With $u = \partial P/\partial g$, carry u through the network as a tangent.

# %%
u = 2 * weight / m * (norm - 1) * g / norm
tangents = D.tangents(trace, u)

# %% [markdown]
# **3. Accumulate.** The last tangent is $\langle u_i, g_i\rangle$, a number made by a network
# whose weights are those of D: $dW_l = u_{l-1}^\top \delta_l$, and no bias takes part.

# %%
dtheta = []
for l, (layer, params) in enumerate(zip(D.layers, D.params)):
    if params:
        dtheta += [(tangents[l].T @ deltas[l + 1]).ravel(), np.zeros(layer.k)]
dtheta = np.concatenate(dtheta)

# %% [markdown]
# The library does the same, and the complex step agrees with both to rounding.

# %%
value, gradient = minigan.gradient_penalty(D, x_hat, weight)
print("the library's P and ours:", float(value), P)
print("largest difference of the gradients:", abs(gradient - dtheta).max())


def penalty_of(theta):
    return minigan.gradient_penalty(minigan.Network(D.layers, theta), x_hat + 0j, weight)[0]


print(check_gradient("dP/dtheta", penalty_of, D.theta, dtheta))

# %% [markdown]
# What it does to a critic that learns to tell two clouds apart:

# %%
left = rng.standard_normal((500, 2)).astype("float32") - [2, 0]
right = rng.standard_normal((500, 2)).astype("float32") + [2, 0]
minigan.show(right, behind=left)

# %%
model = minigan.WGANGP(n_data=2, output="linear", D_hidden=(32, 32))
for _ in range(600):
    rows = rng.integers(0, 500, (2, 64))
    real, fake = left[rows[0]].astype("float32"), right[rows[1]].astype("float32")
    model.D_step(real, fake, rng=rng)
middle = ((left + right) / 2).astype("float32")
trace = model.D.forward(middle)
slopes = np.linalg.norm(model.D.deltas(trace, np.ones_like(trace[-1]))[0], axis=1)
print(f"slopes between the clouds: {slopes.mean():.2f} ± {slopes.std():.2f}")
