r"""Chapter 1. Three layers, each with its derivatives directly under its definition.

Backpropagation asks one thing of a layer $y = f(x)$: given how the loss $L$ changes with
its output, $dy = \partial L/\partial y$, say how $L$ changes with its input,
$dx = \partial L/\partial x$, and with its parameters. The chain rule answers:

$$\frac{\partial L}{\partial x_{ip}} = \sum_j \frac{\partial L}{\partial y_{ij}}
  \frac{\partial y_{ij}}{\partial x_{ip}}$$

Each layer below is its own formula, read in several directions. One row of x is one
sample; m is the number of rows.
"""

import numpy as np

from .arrays import array_namespace, asarray_like, to_numpy
from .errors import MiniganError, real_number, truth, whole_number


class Layer:
    r"""What the library asks of a layer.

    | method | direction | computes |
    |---|---|---|
    | `forward(x, *params)` | in → out | $y = f(x)$ |
    | `dx(dy, x, y, *params)` | out → in | $\partial L/\partial x$, of the shape of x |
    | `dparams(dy, x, y, *params)` | out → parameters | $(\partial L/\partial W, \dots)$ |
    | `tangent(u, x, y, *params)` | in → out | the change of y when x moves by u |

    Shapes: x and u (m, n), y and dy (m, k). A layer stores nothing: its parameters come in
    as arguments and so do its own input x and output y, which makes it impossible to use
    the activations of another pass by mistake. Row i of y is made of row i of x alone. Only a
    layer with parameters needs `dparams`. In the critic of a gradient penalty (chapter 11) it
    needs `tangent_dparams(dy, u, x, y, *params)` as well: what `dparams` is to y, with the
    tangent of u in the place of y.

    A layer of your own need not derive from this class. What it lacks of the attributes
    below has the default given here; what it lacks of the methods is named when it is needed.
    """

    shapes: tuple[tuple[int, ...], ...] = ()  # of the parameters, in order
    n: int | None = None  # the columns of x that it takes; None: any number
    kink: float | None = None  # the value of x at which the slope jumps, if there is one
    piecewise_linear = False  # whether the slope is constant between its jumps
    fans: tuple[float, float] = (1, 1)  # terms in a column of y, and columns of y with one of x

    def __repr__(self):
        values = {name: v for name, v in vars(self).items() if name != "shapes"}
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in values.items())})"


class Dense(Layer):
    r"""Affine map of n inputs to k outputs.

    (1) $y = xW + b$, that is $y_{ij} = \sum_p x_{ip} W_{pj} + b_j$

    Shapes: x (m, n), W (n, k), b (k,), y (m, k). With bias=False there is no b, and what is
    said of it below is left out: W is the one parameter, and the map is linear.
    Source: Goodfellow, Bengio & Courville (2016), Deep Learning, section 6.5.
    """

    n: int
    piecewise_linear = True
    bias = True

    def __init__(self, n: int, k: int, bias: bool = True):
        self.n, self.k = whole_number("Dense: n", n), whole_number("Dense: k", k)
        self.shapes = ((self.n, self.k), (self.k,))
        if not truth("Dense: bias", bias):
            self.bias, self.shapes = False, self.shapes[:1]

    @property
    def fans(self):
        r"""n terms are summed in a column of y, and k columns of y have x's as a term."""
        return self.n, self.k

    def forward(self, x, W, b=None):
        y = x @ W
        if self.bias:
            y += b
        return y

    def dx(self, dy, x, y, W, b=None):
        r"""(1a) Only $y_{ij}$ with the same row i sees $x_{ip}$, with slope $W_{pj}$:
        $dx_{ip} = \sum_j dy_{ij} W_{pj}$, so $dx = dy\,W^\top$ (m, n).
        """
        return dy @ W.T

    def dparams(self, dy, x, y, W, b=None):
        r"""(1b) Each row i sees $W_{pj}$ with slope $x_{ip}$: $dW = x^\top dy$ (n, k).

        (1c) Each row i sees $b_j$ with slope 1: $db_j = \sum_i dy_{ij}$ (k,).
        """
        dW = x.T @ dy
        return (dW, array_namespace(dy).sum(dy, axis=0)) if self.bias else (dW,)

    def tangent(self, u, x, y, W, b=None):
        r"""(1d) $(x + u)W + b = y + uW$: the step u moves y by $uW$ (m, k)."""
        return u @ W

    def tangent_dparams(self, dy, u, x, y, W, b=None):
        r"""(1e) (1d) is (1) with u for x and without b: $dW = u^\top dy$ and $db = 0$."""
        dW = u.T @ dy
        return (dW, array_namespace(b).zeros_like(b)) if self.bias else (dW,)


class LeakyReLU(Layer):
    r"""A line with a bend at zero.

    (2) $y = x$ where $x > 0$, and $y = \alpha x$ elsewhere

    Shapes: x, y (m, n). $\alpha$ is `slope`, in [0, 1); 0 gives the plain ReLU.
    At the bend itself, where no derivative exists, $\alpha$ is used.
    Source: Maas, Hannun & Ng (2013), Rectifier nonlinearities improve neural network
    acoustic models.
    """

    kink = 0.0
    piecewise_linear = True

    def __init__(self, slope: float = 0.2):
        self.slope = real_number("slope", slope, "[0, 1)")

    def slopes(self, x):
        r"""$f'(x)$ entry by entry: 1 where $x > 0$, else $\alpha$."""
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


class Sigmoid(Layer):
    r"""The logistic function, from a logit to a number between 0 and 1.

    (3) $y = \sigma(x) = \dfrac{1}{1 + e^{-x}}$

    Shapes: x, y (m, n), y in (0, 1).
    """

    def forward(self, x):
        return sigmoid(x)

    def dx(self, dy, x, y):
        r"""(3a) $\sigma' = \dfrac{e^{-x}}{(1 + e^{-x})^2} = \sigma(1 - \sigma)$, so
        $dx = dy\,y(1 - y)$.
        """
        dx = 1 - y
        dx *= y
        dx *= dy
        return dx

    def tangent(self, u, x, y):
        r"""(3b) The Jacobian is diagonal, so forward and backward are one rule: (3a)."""
        return self.dx(u, x, y)


def sigmoid(x):
    r"""(3) for an array of any shape. Where $x \ll 0$, $e^{-x}$ overflows to infinity, and
    $1/\infty = 0$ is the right limit.
    """
    with np.errstate(over="ignore"):
        y = array_namespace(x).exp(-x)
    y += 1
    y **= -1
    return y


def require(layer, *methods):
    r"""Raises MiniganError if the layer lacks one of the methods, naming all that it lacks."""
    if isinstance(layer, type):
        raise MiniganError(f"expected a layer, got the class {layer.__name__} itself")
    missing = [method for method in methods if not hasattr(layer, method)]
    if missing:
        raise MiniganError(
            f"{type(layer).__name__}: expected a layer with {', '.join(methods)}; missing: "
            f"{', '.join(missing)} (minigan.Layer says what each computes)"
        )


def mixing(f, x):
    r"""How far a row of f(x) moves, at most, when the other row of x (2, n) is changed.

    It is 0 if each row of f(x) is made of its own row of x, as in every layer of this library.
    A layer that also reads the other rows, as a batch normalisation does, mixes them.
    """
    rows, before = to_numpy(x), to_numpy(f(x))
    if len(before) != 2 or not (to_numpy(f(x)) == before).all():  # it draws random numbers
        return 0.0
    moves = []
    for i in (0, 1):
        changed = rows.copy()
        changed[i] = 0.3 * rows[i] + 0.1
        after = to_numpy(f(asarray_like(changed, x)))
        moves.append(abs(after - before)[1 - i].max())
    return float(max(moves))
