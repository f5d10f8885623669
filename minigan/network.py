r"""Chapter 3. A network is a stack of layers on one flat parameter vector.

All parameters of a network live in one array $\theta$; each W and each b is a view of a
piece of it. An optimiser, a clip, a checkpoint or a proof then handles one array.

Backpropagation is the layers' rules applied in order, and nothing else:

| pass | computes | needs |
|---|---|---|
| `forward` | $x_0 \to x_1 \to \dots \to x_N$, the *trace* | $\theta$ |
| `deltas` | $\delta_N \to \dots \to \delta_0$, $\delta_l = \partial L/\partial x_l$ | trace |
| `accumulate` | $\partial L/\partial\theta$, layer by layer | trace, deltas |
| `tangents` | $u_0 \to \dots \to u_N$, a step in $x_0$ carried forward | trace |

The network has N layers; L is always the loss.

The trace belongs to the caller. Several may be alive at once (that of the real rows, of the
generated rows, and the generator's own). Each holds its own activations, so none can go stale.
"""

import math
from collections.abc import Sequence
from html import escape

import numpy as np

from .arrays import Array, array_namespace, asarray_like, check_memory, copied
from .errors import MiniganError, whole_number, word
from .layers import Dense, LeakyReLU, Sigmoid, mixing, require


class Network:
    r"""Layers $f_1, \dots, f_N$ applied in turn, with parameters $\theta$.

    layers : objects such as `Layer` describes
    theta : all parameters in one array (size,), in the order of the layers; the network
        keeps this very array, and `params[l]` are views of its pieces
    """

    params: list[list[Array]]

    def __init__(self, layers: Sequence, theta: Array):
        shapes = [getattr(layer, "shapes", ()) for layer in layers]
        for layer, own in zip(layers, shapes):
            require(layer, "forward", "dx", *(["dparams"] if own else []))
        size = sum(math.prod(shape) for own in shapes for shape in own)
        if theta.shape != (size,):
            raise MiniganError(f"theta: the layers need shape ({size},), got {theta.shape}")
        self.layers, self._theta = list(layers), theta
        self._make_views()

    def _make_views(self):
        xp, at, self.params = array_namespace(self._theta), 0, []
        for layer in self.layers:
            self.params.append([])
            for shape in getattr(layer, "shapes", ()):
                piece = self._theta[at : at + math.prod(shape)]
                self.params[-1].append(xp.reshape(piece, shape, copy=False))
                at += math.prod(shape)

    @property
    def theta(self) -> Array:
        r"""The parameters $\theta$; assigning to it changes the array in place."""
        return self._theta

    @theta.setter
    def theta(self, value):
        self._theta[...] = value

    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if name != "params"}

    def __setstate__(self, state):
        vars(self).update(state)
        self._make_views()  # a copy's params are views of its own theta

    def __repr__(self):
        sizes = [sum(math.prod(p.shape) for p in params) for params in self.params]
        lines = [f"{type(self).__name__} of {sum(sizes):,} parameters"]
        for layer, size in zip(self.layers, sizes):
            lines.append(f"  {layer!r:<32}{size:>12,}" if size else f"  {layer!r}")
        return "\n".join(lines)

    def _repr_html_(self):
        rows = "".join(
            f"<tr><td>{l}</td><td>{escape(repr(layer))}</td>"
            f"<td>{' + '.join('×'.join(map(str, p.shape)) for p in params)}</td></tr>"
            for l, (layer, params) in enumerate(zip(self.layers, self.params), 1)
        )
        return f"<table><tr><th>l</th><th>layer</th><th>parameters</th></tr>{rows}</table>"

    def forward(self, x: Array) -> list[Array]:
        r"""(9) $x_l = f_l(x_{l-1})$ for l = 1, …, N; the trace is $[x_0, \dots, x_N]$.

        Shapes: x (m, n), the trace a list of N + 1 arrays with m rows each.
        Raises MiniganError if x does not have the first layer's number of columns.
        """
        trace = [self.validate_input(x)]
        for layer, params in zip(self.layers, self.params):
            trace.append(layer.forward(trace[-1], *params))
        return trace

    def validate_input(self, x):
        r"""x itself, if it is an array that the first layer can take."""
        array_namespace(x, self.theta)
        n = getattr(self.layers[0], "n", None)
        if x.ndim != 2 or n not in (None, x.shape[1]):
            raise MiniganError(f"x: expected shape (m, {n or 'n'}), got {x.shape}")
        return x

    def deltas(self, trace: list[Array], dy: Array, stop: int = 0) -> list[Array]:
        r"""(10) $\delta_N = dy$ and $\delta_{l-1} = \texttt{dx}_l(\delta_l)$, down to l = stop.

        Shapes: dy (m, k) like the network's output, $\delta_l$ like $x_l$. With stop = 1
        the delta of the input, which no parameter needs, is not computed; entries below
        `stop` are None.
        """
        deltas = [None] * len(self.layers) + [dy]
        for l in range(len(self.layers), stop, -1):
            deltas[l - 1] = self.dx(l, deltas[l], trace[l - 1], trace[l])
        return deltas

    def dx(self, l, dy, x, y):
        r"""(10) for layer l alone: its input's delta from its output's."""
        return self.layers[l - 1].dx(dy, x, y, *self.params[l - 1])

    def accumulate(self, trace, deltas, factors=None, tangents=None):
        r"""(11) $\partial L/\partial\theta_l = \texttt{dparams}_l(\delta_l, x_{l-1})$, all in
        one flat array like θ.

        A parameter touches the loss only through its own layer's output $x_l$, whose share
        of the loss is $\delta_l$: hence one product per layer, and no order among them.
        factors (m, 1) : numbers by which row i of every delta is multiplied first.
        tangents : of a penalty on the slopes (chapter 11), whose gradient is added to that of
            the factors; without factors it stands alone
        """
        xp, grads = array_namespace(self.theta), []
        tangents = tangents or [None] * len(trace)
        passes = zip(self.layers, deltas[1:], tangents, trace, trace[1:], self.params)
        for layer, delta, u, x, y, params in passes:
            if params:
                own = layer_gradient(layer, factors, delta, u, x, y, params)
                grads += [xp.reshape(g, (-1,)) for g in own]
        return xp.concat(grads) if grads else xp.zeros_like(self.theta)

    def gradient(self, trace: list[Array], dy: Array) -> Array:
        r"""(10) then (11): $\partial L/\partial\theta$ from $dy = \partial L/\partial x_N$."""
        return self.accumulate(trace, self.deltas(trace, dy, stop=1))

    def tangents(self, trace: list[Array], u: Array) -> list[Array]:
        r"""(12) $u_l = \texttt{tangent}_l(u_{l-1})$: how $x_l$ moves when $x_0$ moves by u.

        Shapes: u (m, n) like the network's input; a list of N + 1 arrays like the trace.
        It is the deltas' mirror image: for every v and u,
        $\langle v, u_N\rangle = \langle \delta_0(v), u\rangle$.
        """
        tangents = [u]
        for l, layer in enumerate(self.layers, 1):
            require(layer, "tangent")
            tangents.append(self.tangent(l, tangents[-1], trace[l - 1], trace[l]))
        return tangents

    def tangent(self, l, u, x, y):
        r"""(12) for layer l alone: its output's tangent from its input's."""
        return self.layers[l - 1].tangent(u, x, y, *self.params[l - 1])


def layer_gradient(layer, factors, delta, u, x, y, params):
    r"""The gradient of one layer's parameters: of a loss, of a penalty, or of their sum.

    (13) The loss gives a Dense layer $x^\top \mathrm{diag}(f)\,\delta$ by (1b), f being the
    factors, and the penalty $u^\top\delta$ by (1e): with the same delta, so one product does,
    $dW = (\mathrm{diag}(f)\,x + u)^\top \delta$. The bias is a weight whose input is always 1,
    so its tangent is 0: $db = f^\top\delta$.
    """
    if u is None:
        return layer.dparams(delta if factors is None else factors * delta, x, y, *params)
    if factors is None:
        return layer.tangent_dparams(delta, u, x, y, *params)
    if type(layer) is Dense:
        dW = (factors * x + u).T @ delta
        return (dW, factors.T @ delta) if layer.bias else (dW,)
    own = layer.dparams(factors * delta, x, y, *params)
    return [a + b for a, b in zip(own, layer.tangent_dparams(delta, u, x, y, *params))]


ROW_BY_ROW = {
    "G": "a sample must not depend on those that are drawn beside it",
    "D": "the pass that serves both players (21) takes each score to be that of one row alone",
}


def check_player(name, network, rows, k):
    r"""Raises MiniganError if "G" or "D" does not make k columns of each of two rows alone."""
    try:
        shape = tuple(network.forward(rows)[-1].shape)
    except (ValueError, TypeError) as error:
        raise MiniganError(f"{name}, given rows of {rows.shape[1]} columns: {error}") from None
    if shape != (2, k):
        raise MiniganError(f"{name}: two rows must give shape (2, {k}), got {shape}")
    if mixing(lambda x: network.forward(x)[-1], rows) > 0:
        raise MiniganError(
            f"{name}: a row of the output changes when another row of the input does, but "
            f"{ROW_BY_ROW[name]}; leave out what mixes rows, such as a batch normalisation"
        )


def check_unbiased(name, network, game):
    r"""Raises MiniganError if the network ends in a bias; the game gives it no gradient."""
    last = network.layers[-1]
    if isinstance(last, Dense) and last.bias:
        raise MiniganError(
            f"{name}: a number added to every score leaves the loss of {game} as it is, so the "
            "last layer's bias has no gradient, only rounding errors; write "
            f"Dense({last.n}, {last.k}, bias=False), and theta without its last number"
        )


def he(rng, n, k, shape=None):
    r"""(14) $W_{pj} \sim \mathcal N(0, 2/n)$ keeps the size of x through Dense and ReLU.

    shape : of W, if it is not (n, k): n is then the number of terms in a column of y
    Source: He et al. (2015), Delving deep into rectifiers, equation 10.
    """
    return rng.standard_normal(shape or (n, k)) * math.sqrt(2 / n)


def glorot(rng, n, k, shape=None):
    r"""(15) $W_{pj} \sim \mathcal U(-a, a)$, $a = \sqrt{6/(n + k)}$.

    shape : of W, if it is not (n, k): k is then the number of columns of y with one of x
    Source: Glorot & Bengio (2010), Understanding the difficulty of training deep
    feedforward neural networks, equation 16.
    """
    return rng.uniform(-1, 1, shape or (n, k)) * math.sqrt(6 / (n + k))


INITS = {"he": he, "glorot": glorot}
OUTPUTS = {"linear": (), "sigmoid": (Sigmoid(),)}


def mlp_layers(sizes, slope, output, bias):
    r"""Dense, LeakyReLU, Dense, …, Dense, and the output's layer: "linear" has none."""
    word("output", output, tuple(OUTPUTS))
    layers = []
    for n, k in zip(sizes[:-1], sizes[1:]):
        layers += [Dense(n, k), LeakyReLU(slope)]
    layers[-2:] = [Dense(n, k, bias), *OUTPUTS[output]]
    return layers


def mlp(
    sizes: Sequence[int],
    rng: "np.random.Generator",
    *,
    slope: float = 0.2,
    output: str = "linear",
    init: str = "he",
    bias: bool = True,
    dtype: str = "float32",
    like: Array | None = None,
) -> Network:
    r"""A multilayer perceptron of `mlp_layers`, its weights drawn and its biases zero.

    sizes : widths from input to output, for example (100, 128, 128, 784)
    rng : numpy.random.Generator that draws the weights
    slope : LeakyReLU's slope below zero
    output : "linear" or "sigmoid"
    init : "he" (14) or "glorot" (15)
    bias : of the last Dense layer; the others always have one
    dtype : of theta
    like : theta is made in the library and on the device of this array; None is NumPy
    """
    sizes = [whole_number("sizes", size) for size in sizes]
    if len(sizes) < 2:
        raise MiniganError(f"sizes: expected at least two widths, got {sizes}")
    word("init", init, tuple(INITS))
    return drawn(mlp_layers(sizes, slope, output, bias), rng, init, dtype, like)


def drawn(layers, rng, init, dtype, like=None):
    r"""The network of these layers, weights drawn in their order by `INITS[init]`, biases 0."""
    made = [layer for layer in layers if getattr(layer, "shapes", ())]
    size = sum(math.prod(shape) for layer in made for shape in layer.shapes)
    widths = [*(layer.n for layer in made), made[-1].shapes[-1][-1]]
    check_memory(f"a network of the widths {' '.join(map(str, widths))}", 40 * size)
    parts = []
    for layer in made:
        W, *b = layer.shapes
        parts += [INITS[init](rng, *layer.fans, W).ravel(), *map(np.zeros, b)]
    theta = np.concatenate(parts).astype(dtype)
    return Network(layers, copied(theta if like is None else asarray_like(theta, like)))
