"""What a game reports at equilibrium, beside what its paper says."""

import math

import pytest

from minigan.lab.equilibrium import equilibrium
from minigan.lab.models import MODELS, checked


def of(name, **parameters):
    return equilibrium(name, checked(name, parameters))


@pytest.mark.parametrize("prefix", ["", "c"])
def test_the_known_equilibria(prefix):
    """Goodfellow et al. (2014), section 4.1: D is 1/2, and its loss log 4, but for the sign."""
    half = {"D(x)": 0.5, "D(G(z))": 0.5}
    found = of(f"{prefix}gan", real_label=1.0)
    assert found == pytest.approx(half | {"loss_D": math.log(4), "loss_G": math.log(2)})
    found = of(f"{prefix}gan", real_label=1.0, minimax=True)
    assert found["loss_G"] == pytest.approx(-math.log(2))
    found = of(f"{prefix}lsgan")
    assert found == pytest.approx(half | {"loss_D": 0.25, "loss_G": 0.125})
    found = of(f"{prefix}r3gan")
    expected = {"loss_D": math.log(2), "loss_G": math.log(2), "D(x)>D(G(z))": 0.5}
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("name", ["wgan", "wgan-gp", "cwgan", "cwgan-gp"])
def test_a_critics_distance_is_zero_and_its_generators_loss_is_any(name):
    assert of(name, scale=3.0) == {"loss_D": 0.0, "w_estimate": 0.0}


@pytest.mark.parametrize("t", [0.5, 0.7, 0.9])
def test_a_smoothed_label_moves_the_equilibrium(t):
    """The best constant for targets t and 0, equally often, is their mean; by its entropy."""
    p = t / 2
    found = of("gan", real_label=t)
    assert found["D(x)"] == pytest.approx(p)
    assert found["D(G(z))"] == pytest.approx(p)
    entropy = -p * math.log(p) - (1 - p) * math.log(1 - p)
    assert found["loss_D"] == pytest.approx(2 * entropy)


@pytest.mark.parametrize("name", MODELS)
def test_every_game_has_one_at_any_size(name):
    found = of(name, n_data=3, n_noise=50, G_hidden=(9,), output="linear", dtype="float32")
    assert "loss_D" in found
    assert all(map(math.isfinite, found.values()))
