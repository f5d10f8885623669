r"""Chapter 1. Three layers, each with its derivatives directly under its definition.

Backpropagation asks one thing of a layer $y = f(x)$: given how the loss $L$ changes with
its output, $dy = \partial L/\partial y$, say how $L$ changes with its input,
$dx = \partial L/\partial x$, and with its parameters. The chain rule answers:

$$\frac{\partial L}{\partial x_{ip}} = \sum_j \frac{\partial L}{\partial y_{ij}}
  \frac{\partial y_{ij}}{\partial x_{ip}}$$

Each class below is four readings of its own formula:

| method | direction | computes |
|---|---|---|
| `forward(x, *params)` | in → out | $y = f(x)$ |
| `dx(dy, x, y, *params)` | out → in | $\partial L/\partial x$ |
| `dparams(dy, x)` | out → parameters | $\partial L/\partial W$, $\partial L/\partial b$ |
| `tangent(u, x, y, *params)` | in → out | the change of $y$ when $x$ moves by $u$ |

A layer stores nothing. Its parameters come in as arguments and so do its own input x and
output y, which makes it impossible to use the activations of another pass by mistake.

One row of x is one sample; m is the number of rows. Every formula works in float32,
float64 and complex128; a branch looks at the real part only, so that the imaginary part
can carry a derivative through unharmed (the complex step of `gradcheck`).
"""

import numpy as np

from .backend import array_namespace
from .errors import MiniganError


class Dense:
    r"""Affine map of n inputs to k outputs.

    (1) $y = xW + b$, that is $y_{ij} = \sum_p x_{ip} W_{pj} + b_j$

    Shapes: x (m, n), W (n, k), b (k,), y (m, k).
    Source: Goodfellow, Bengio & Courville (2016), Deep Learning, section 6.5.
    """

    def __init__(self, n, k):
        for name, size in (("n", n), ("k", k)):
            if size < 1:
                raise MiniganError(f"Dense: {name} must be at least 1, got {size}")
        self.n, self.k = n, k
        self.shapes = ((n, k), (k,))

    def forward(self, x, W, b):
        y = x @ W
        y += b
        return y

    def dx(self, dy, x, y, W, b):
        r"""(1a) Only $y_{ij}$ with the same row i sees $x_{ip}$, with slope $W_{pj}$:
        $dx_{ip} = \sum_j dy_{ij} W_{pj}$, so $dx = dy\,W^\top$ (m, n).
        """
        return dy @ W.T if self.k > 1 else dy * W.T  # the same, and faster so for one column

    def dparams(self, dy, x):
        r"""(1b) Each row i sees $W_{pj}$ with slope $x_{ip}$: $dW = x^\top dy$ (n, k).

        (1c) Each row i sees $b_j$ with slope 1: $db_j = \sum_i dy_{ij}$ (k,).
        """
        return x.T @ dy, array_namespace(dy).sum(dy, axis=0)

    def tangent(self, u, x, y, W, b):
        r"""(1d) $(x + u)W + b = y + uW$: the step u moves y by $uW$ (m, k)."""
        return u @ W


class LeakyReLU:
    r"""A line with a bend at zero.

    (2) $y = x$ where $x > 0$, and $y = \alpha x$ elsewhere

    Shapes: x, y (m, n). $\alpha$ is `slope`, in [0, 1); 0 gives the plain ReLU.
    At the bend itself, where no derivative exists, $\alpha$ is used.
    Source: Maas, Hannun & Ng (2013), Rectifier nonlinearities improve neural network
    acoustic models.
    """

    shapes = ()
    kink = 0.0

    def __init__(self, slope=0.2):
        if not 0 <= slope < 1:
            raise MiniganError(f"slope: expected a number in [0, 1), got {slope}")
        self.slope = float(slope)

    def slopes(self, x):
        r"""$f'(x)$ entry by entry: 1 where $x > 0$, else $\alpha$.

        The mask as numbers, 1 or 0, raised to at least $\alpha$. A `where` would ask a
        question per entry whose answer no processor can predict, at ten times the price.
        """
        xp = array_namespace(x)
        x = xp.real(x)
        return xp.maximum(xp.astype(x > 0, x.dtype), self.slope)

    def forward(self, x):
        return self.slopes(x) * x

    def dx(self, dy, x, y):
        r"""(2a) The slope is 1 or $\alpha$: $dx = dy$ where $x > 0$, else $\alpha\,dy$."""
        return self.slopes(x) * dy

    def tangent(self, u, x, y):
        r"""(2b) The Jacobian is diagonal, so forward and backward are one rule: (2a)."""
        return self.dx(u, x, y)


class Sigmoid:
    r"""The logistic function, from a logit to a number between 0 and 1.

    (3) $y = \sigma(x) = \dfrac{1}{1 + e^{-x}}$

    Where $x \ll 0$, $e^{-x}$ overflows to infinity and 1/∞ = 0 is the right limit; nothing
    cancels on the way, so y is accurate against itself however small it is.
    Shapes: x, y (m, n), y in (0, 1).
    """

    shapes = ()

    def forward(self, x):
        return sigmoid(x)

    def dx(self, dy, x, y):
        r"""(3a) $\sigma' = \dfrac{e^{-x}}{(1 + e^{-x})^2} = \sigma(1 - \sigma)$, so
        $dx = dy\,y(1 - y)$. Where y is near 1, $1 - y$ cancels: the error is then rounding
        against dy, though not against dx.
        """
        dx = 1 - y
        dx *= y
        dx *= dy
        return dx

    def tangent(self, u, x, y):
        r"""(3b) The Jacobian is diagonal, so forward and backward are one rule: (3a)."""
        return self.dx(u, x, y)


def sigmoid(x):
    r"""(3) for an array of any shape."""
    with np.errstate(over="ignore"):
        y = array_namespace(x).exp(-x)
    y += 1
    y **= -1
    return y
