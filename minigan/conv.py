r"""Chapter 13. Convolution: a Dense layer on patches of a picture, and the same read backward.

To a Dense layer a picture is a row of numbers like any other: were its pixels shuffled, always
in the same way, it would learn as well. A convolution knows which pixels are neighbours. It
looks at one patch of K × K pixels at a time, and at every patch through the same weights. Two
facts carry this chapter.

1. **A convolution is a Dense layer on patches.** `gather` copies every patch to a row of its
   own, and $y = XW + b$ of (1) does the rest. A copy is linear in what is copied, so its
   transpose, `scatter`, which adds every number back to where it came from, is its derivative.
2. **The transposed convolution is that same layer, read backward.** What is `dx` of the one is
   `forward` of the other. The first makes a picture smaller, the second makes it larger.

Rows stay rows: a picture of h × w pixels with c channels is a row of h·w·c numbers, pixel by
pixel, the channels of a pixel side by side. The layers reshape inside, so what other chapters
say of rows holds here, and any game can be played by networks of such layers.
"""

from dataclasses import dataclass
from functools import cached_property

from .arrays import array_namespace, device
from .errors import MiniganError, whole_number, whole_numbers
from .layers import Layer


@dataclass(frozen=True)
class Patches:
    r"""The patches of pictures: windows of K × K pixels in steps of s.

    h, w, c : height, width and channels of a picture
    kernel, stride : K and s
    padding : p; zeros that lie around the picture on each side
    beside : columns that follow the pixels of a row, and stand beside all its patches

    Below, (r, t) is the place of a patch, (a, b) a pixel's place in it, and q a channel.

    (44) The places are $h' \times w'$ with
    $h' = \big\lfloor (h + 2p - K)/s \big\rfloor + 1$, and $w'$ likewise

    Source: Dumoulin & Visin (2016), A guide to convolution arithmetic for deep learning,
    relationship 6.
    """

    h: int
    w: int
    c: int
    kernel: int
    stride: int
    padding: int
    beside: int = 0

    @cached_property
    def places(self):
        r"""(h', w') of (44)."""
        spans = (side + 2 * self.padding - self.kernel for side in (self.h, self.w))
        return tuple(span // self.stride + 1 for span in spans)

    @property
    def n(self):
        r"""The columns of a row: h·w·c pixels, then those beside them."""
        return self.h * self.w * self.c + self.beside

    @property
    def width(self):
        r"""The columns of a patch, $K^2c$, then those beside it."""
        return self.kernel**2 * self.c + self.beside

    @property
    def overlap(self):
        r"""$(K/s)^2$: in how many patches a pixel is that is in any."""
        return max(1.0, self.kernel / self.stride) ** 2

    def windows(self):
        r"""For each (a, b), the pixels at (a, b) of their patches, as slices of the picture."""
        ends = [self.stride * (count - 1) + 1 for count in self.places]
        for a in range(self.kernel):
            for b in range(self.kernel):
                yield tuple(slice(i, i + end, self.stride) for i, end in zip((a, b), ends))

    def gather(self, x):
        r"""(45) $X_{irt,abq} = x_{i,\,sr+a-p,\,st+b-p,\,q}$, and 0 outside of the picture.

        Shapes: x (m, n), X (m·h'·w', width): the patches of the first row, then those of the
        second.
        """
        xp, m, inside = array_namespace(x), x.shape[0], self.h * self.w * self.c
        padded = self.padded(x, m)
        padded[self.middle()] = xp.reshape(x[:, :inside], (m, self.h, self.w, self.c))
        parts = [padded[:, lines, columns, :] for lines, columns in self.windows()]
        if self.beside:
            every = (m, *self.places, self.beside)
            parts.append(xp.broadcast_to(x[:, None, None, inside:], every))
        return xp.reshape(xp.concat(parts, axis=3), (-1, self.width))

    def scatter(self, X):
        r"""(46) $x_{iuvq} = \sum_{rtab} X_{irt,abq}$ over all (r, t, a, b) with
        $sr + a - p = u$ and $st + b - p = v$: the transpose of (45).

        (45) copies a pixel to every patch that sees it. So in
        $\langle X, \mathrm{gather}(x)\rangle$ it is multiplied by the sum of all entries of X
        at which a copy stands, and (46) is that sum. What came from the padding is dropped.
        """
        xp, m = array_namespace(X), X.shape[0] // (self.places[0] * self.places[1])
        X, padded = xp.reshape(X, (m, *self.places, self.width)), self.padded(X, m)
        windows, ends = [*self.windows()], range(self.width - self.beside, 0, -self.c)
        for (lines, columns), end in zip(reversed(windows), ends):
            padded[:, lines, columns, :] += X[:, :, :, end - self.c : end]
        x = xp.reshape(padded[self.middle()], (m, -1))
        if not self.beside:
            return x
        beside = X[:, :, :, self.width - self.beside :]
        return xp.concat([x, xp.sum(beside, axis=(1, 2))], axis=1)

    def padded(self, like, m):
        r"""Zeros for m pictures and the padding around them, (m, h + 2p, w + 2p, c)."""
        shape = m, self.h + 2 * self.padding, self.w + 2 * self.padding, self.c
        return array_namespace(like).zeros(shape, dtype=like.dtype, device=device(like))

    def middle(self):
        r"""Where the picture lies in `padded`."""
        lines, columns = (slice(self.padding, self.padding + side) for side in (self.h, self.w))
        return slice(None), lines, columns, slice(None)


class OfPictures(Layer):
    r"""What a convolution and its transpose share: the larger picture, and the patches of it.

    shape : (h, w, c) of the larger picture; c may be left out, and is 1
    k : channels of the smaller picture, whose pixels are the h' × w' places of (44)
    kernel, stride, padding : K, s, p of `Patches`
    """

    n: int
    piecewise_linear = True

    def __init__(self, shape, k, kernel, stride, padding, beside=0):
        name = type(self).__name__
        shape = whole_numbers(f"{name}: shape", shape, "[1, inf)")
        if len(shape) not in (2, 3):
            raise MiniganError(f"{name}: shape: expected height, width, channels, got {shape}")
        h, w, c = (*shape, 1)[:3]
        self.k, K = whole_number(f"{name}: k", k), whole_number(f"{name}: kernel", kernel)
        p = whole_number(f"{name}: padding", padding, f"[0, {K - 1}]")
        side = min(h, w) + 2 * p
        if side < K:
            raise MiniganError(
                f"{name}: kernel: expected at most {side}, the smaller side of the picture "
                f"with its padding, got {K}"
            )
        beside = whole_number(f"{name}: beside", beside, "[0, inf)")
        stride = whole_number(f"{name}: stride", stride)
        self.patches = Patches(h, w, c, K, stride, p, beside)

    @property
    def larger(self):
        r"""(h, w, c)."""
        return self.patches.h, self.patches.w, self.patches.c

    @property
    def smaller(self):
        r"""(h', w', k)."""
        return *self.patches.places, self.k

    def __repr__(self):
        of, ends = self.patches, [self.larger, self.smaller]
        before, after = ends if isinstance(self, Conv) else reversed(ends)
        beside = f", beside={of.beside}" * (of.beside > 0)
        sizes = f"kernel={of.kernel}, stride={of.stride}, padding={of.padding}{beside}"
        return f"{type(self).__name__}({before} to {after}, {sizes})"


def by_pixel(y, k):
    r"""Rows of pictures with k channels (m, pixels·k) as one row a pixel (m·pixels, k)."""
    return array_namespace(y).reshape(y, (-1, k))


def by_picture(y, m):
    r"""The m rows of pictures again."""
    return array_namespace(y).reshape(y, (m, -1))


def over_pixels(dy, k):
    r"""The sum of all pixels of all rows, first over the rows, (k,)."""
    xp = array_namespace(dy)
    return xp.sum(by_pixel(xp.sum(dy, axis=0), k), axis=0)


class Conv(OfPictures):
    r"""Convolution of pictures (h, w, c) to smaller ones (h', w', k).

    (47) $y_{irtj} = \sum_{abq} x_{i,\,sr+a-p,\,st+b-p,\,q}\,W_{abq,j} + b_j$, that is
    $y = XW + b$ with the patches X of (45)

    Shapes: x (m, h·w·c + beside), W ($K^2c$ + beside, k), b (k,), y (m, h'·w'·k). A column of W
    is a filter, and the rows of W that follow the $K^2c$ of the patch are those of the columns
    beside it: a class c adds $c W$ to every pixel of y. The field calls this a convolution,
    though the filter is not turned around as in mathematics; SciPy calls it a correlation.
    Source: LeCun et al. (1989), Backpropagation applied to handwritten zip code recognition.
    """

    def __init__(self, shape, k, kernel=4, stride=2, padding=1, beside=0):
        super().__init__(shape, k, kernel, stride, padding, beside)
        self.n, self.shapes = self.patches.n, ((self.patches.width, self.k), (self.k,))

    @property
    def fans(self):
        r"""A pixel of y is a sum of `width` terms; one of x is seen from $K^2/s^2$ places."""
        return self.patches.width, self.k * self.patches.overlap

    def forward(self, x, W, b):
        y = self.patches.gather(x) @ W
        y += b
        return by_picture(y, x.shape[0])

    def dx(self, dy, x, y, W, b):
        r"""(47a) By (1a) $dX = dy\,W^\top$, and x is copied into X by (45), whose transpose
        is (46): $dx = \mathrm{scatter}(dy\,W^\top)$.
        """
        return self.patches.scatter(by_pixel(dy, self.k) @ W.T)

    def dparams(self, dy, x, y, W, b):
        r"""(47b) By (1b) $dW = X^\top dy$: a sum over all places of all rows, as all of them
        share one W.

        (47c) By (1c) $db_j = \sum_{irt} dy_{irtj}$.
        """
        return self.patches.gather(x).T @ by_pixel(dy, self.k), over_pixels(dy, self.k)

    def tangent(self, u, x, y, W, b=None):
        r"""(47d) (45) is linear, so (1d) holds with the patches of u:
        $\mathrm{gather}(u)\,W$.
        """
        return by_picture(self.patches.gather(u) @ W, x.shape[0])

    def tangent_dparams(self, dy, u, x, y, W, b):
        r"""(47e) (1e) with the patches of u: $dW = \mathrm{gather}(u)^\top dy$ and $db = 0$."""
        dW = self.patches.gather(u).T @ by_pixel(dy, self.k)
        return dW, array_namespace(b).zeros_like(b)


class ConvTranspose(OfPictures):
    r"""Transposed convolution of pictures (h', w', k) to larger ones (h, w, c).

    (48) $y_{iuvq} = \sum_{rtabj} x_{irtj}\,W_{abq,j} + b_q$ over all (r, t, a, b) with
    $sr + a - p = u$ and $st + b - p = v$, that is $y = \mathrm{scatter}(xW^\top) + b$

    Every pixel of x stamps the filters on the larger picture, times its own value: (47a), with
    x for dy. As several h shrink to one h', the larger picture is given: the layer is the
    transpose of `Conv(shape, k, kernel, stride, padding)`, with the same W.

    Shapes: x (m, h'·w'·k), W ($K^2c$, k), b (c,), y (m, h·w·c).
    Sources: Zeiler et al. (2010), Deconvolutional networks; Radford, Metz & Chintala (2016),
    Unsupervised representation learning with deep convolutional GANs.
    """

    def __init__(self, shape, k, kernel=4, stride=2, padding=1):
        super().__init__(shape, k, kernel, stride, padding)
        (h, w, _), c = self.smaller, self.patches.c
        self.n, self.shapes = h * w * self.k, ((self.patches.width, self.k), (c,))

    @property
    def fans(self):
        r"""(49) A pixel of y gets a stamp only where $sr + a - p = u$: of K offsets a one in s,
        so the sum (48) has $k\,(K/s)^2$ terms, and that, not $kK^2$, is n in (14).
        """
        return self.k * self.patches.overlap, self.patches.width

    def forward(self, x, W, b):
        y = by_pixel(self.tangent(x, x, None, W, b), self.patches.c)
        y += b
        return by_picture(y, x.shape[0])

    def dx(self, dy, x, y, W, b):
        r"""(48a) The transpose of $x \mapsto \mathrm{scatter}(xW^\top)$ takes its two parts in
        turn, each transposed: $dx = \mathrm{gather}(dy)\,W$, which is (47) without b.
        """
        return by_picture(self.patches.gather(dy) @ W, dy.shape[0])

    def dparams(self, dy, x, y, W, b):
        r"""(48b) $\langle dy, \mathrm{scatter}(xW^\top)\rangle
        = \langle\mathrm{gather}(dy), xW^\top\rangle$, in which $W_{abq,j}$ has the factor
        $\sum_{irt} \mathrm{gather}(dy)_{irt,abq}\,x_{irtj}$: $dW = \mathrm{gather}(dy)^\top x$.

        (48c) $db_q = \sum_{iuv} dy_{iuvq}$.
        """
        dW = self.patches.gather(dy).T @ by_pixel(x, self.k)
        return dW, over_pixels(dy, self.patches.c)

    def tangent(self, u, x, y, W, b=None):
        r"""(48d) (48) is linear but for b, so a step u moves y by
        $\mathrm{scatter}(uW^\top)$.
        """
        return self.patches.scatter(by_pixel(u, self.k) @ W.T)

    def tangent_dparams(self, dy, u, x, y, W, b):
        r"""(48e) (48b) with u for x, and $db = 0$."""
        dW = self.patches.gather(dy).T @ by_pixel(u, self.k)
        return dW, array_namespace(b).zeros_like(b)
