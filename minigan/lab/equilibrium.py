r"""What a game reports once its samples cannot be told from data: guides for its curves."""

import numpy as np

from .models import build

HIGHEST = 60.0  # of a score that is looked for


def equilibrium(name, parameters):
    r"""{what is reported: its value} where generated and real rows have one distribution.

    Then D's loss is least at a score s that is the same for all rows, where its derivative
    $\sum \partial L_D/\partial s$ is zero; it is found by halving. A value that another score
    would leave as good and change, as a critic's $L_G$, is left out; so are penalties.
    """
    small = {"n_data": 1, "n_noise": 1, "G_hidden": (), "D_hidden": (), "dtype": "float64"}
    small |= {"network": "mlp", "backend": "numpy", "ema_decay": 0.0}
    game = build(name, **parameters | small)

    def slope(s):
        _, ds_real, ds_fake = game.D_loss(s, s)
        return float(ds_real[0, 0] + ds_fake[0, 0])

    s = least(slope)
    found = reported(game, s)
    if game.shift_invariant:
        other = reported(game, s + 1)
        return {name: value for name, value in found.items() if value == other[name]}
    return found


def least(slope):
    r"""The score (1, 1) at which a slope that rises with it is zero; 0 if it is zero there."""
    s = np.zeros((1, 1))
    if slope(s) == 0:
        return s
    low, high = s - HIGHEST, s + HIGHEST
    for _ in range(80):
        s = (low + high) / 2
        low, high = (s, high) if slope(s) < 0 else (low, s)
    return s


def reported(game, s):
    r"""What the game reports of one real and one generated row of the score s (1, 1)."""
    loss_D, ds_real, ds_fake = game.D_loss(s, s)
    values = {"loss_D": loss_D, "loss_G": game.G_loss(s, s)[0]}
    values |= game.report(loss_D, ds_real, ds_fake)
    return {name: float(value) for name, value in values.items()}
