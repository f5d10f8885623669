r"""Chapter 14. Networks for pictures: DCGAN without batch normalisation.

Radford, Metz and Chintala made both players of convolutions whose strides halve or double the
picture, instead of Dense layers: D goes from a large picture of few channels to a small one of
many, G the other way. With `network="conv"` any game of this library is played by such players,
since a game asks of its networks only to take rows and to give rows.

What differs from the paper, and why.

- **No batch normalisation.** It makes the score of a row depend on the rows beside it. Then the
  score of a row is not one number with one delta, and the shared pass (21) and the penalties
  of chapter 11 lose their meaning; a `Game` refuses such a network. What keeps training stable
  here are the penalties themselves, the moving average (19a), and weights of the right
  size at the start, which for a transposed convolution takes the number of terms of (49).
- **A sigmoid, not tanh, at the end of G**, as pixels here lie in [0, 1].
- **LeakyReLU in G as well**, as in the other networks here.
- **The class** of a conditional game is joined to the noise, as in (26), before G's Dense
  layer. In D it is joined to every patch: D's first layer is a Dense layer on patches, and
  what is [x, c] for all pixels in (27) is [patch, c] for each of them.

Source: Radford, Metz & Chintala (2016), Unsupervised representation learning with deep
convolutional generative adversarial networks, section 3 and figure 1.
"""

from .conv import Conv, ConvTranspose
from .errors import MiniganError
from .layers import LeakyReLU
from .network import OUTPUTS, mlp_layers
from .players import NETWORKS

LEAST = 8  # pixels: a smaller side is not halved any more


def pictures(game):
    r"""The layers of both players for rows of pictures.

    game : its `image_shape` is (h, w) or (h, w, channels), its `channels` those of the largest
        convolution, which double whenever the picture is halved; `G_hidden` and `D_hidden` are
        the widths of the Dense layers, which see all of the picture

    (50) D: Conv, LeakyReLU, Conv, LeakyReLU, …, Dense, LeakyReLU, …, Dense to one score.
    G: Dense, LeakyReLU, …, Dense, LeakyReLU, ConvTranspose, LeakyReLU, …, ConvTranspose, and
    the layer of `output`: its convolutions are those of D, each transposed, from the last to
    the first

    Of the digits D makes 14 × 14 · 8 numbers, then 7 × 7 · 16, then `D_hidden`, then a score.
    Raises MiniganError if the game knows of no pictures.
    """
    shape = picture(game)
    convs = [Conv(shape, game.channels, beside=game.n_condition)]
    while min(convs[-1].smaller[:2]) >= LEAST:
        convs.append(Conv(convs[-1].smaller, 2 * convs[-1].k))
    mirrored = [ConvTranspose(conv.larger, conv.k) for conv in reversed(convs)]
    smallest, (z, _) = mirrored[0].n, game.ends()["G"]
    D, G = [], mlp_layers((z, *game.G_hidden, smallest), game.slope, "linear", True)
    for conv, transpose in zip(convs, mirrored):
        D += [conv, LeakyReLU(game.slope)]
        G += [LeakyReLU(game.slope), transpose]
    bias = not game.shift_invariant
    D += mlp_layers((smallest, *game.D_hidden, 1), game.slope, "linear", bias)
    return {"G": [*G, *OUTPUTS[game.output]], "D": D}


def picture(game):
    r"""(height, width, channels) of the game's rows."""
    shape = (*game.image_shape, 1)[:3]
    if len(game.image_shape) not in (2, 3) or shape[0] * shape[1] * shape[2] != game.n_data:
        raise MiniganError(
            f"network: conv is for pictures; rows of {game.n_data} numbers need an image_shape "
            f"such as (28, 28) for 784, got {game.image_shape or 'none'}"
        )
    return shape


NETWORKS["conv"] = pictures
