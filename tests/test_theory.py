"""What the papers prove about the games, measured on ours: training reaches the optimal
discriminator, the value of the game is a divergence, certainty silences one generator's loss
and not the other's, and no critic sees more than its slope times the distance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.stats import norm, wasserstein_distance
from strategies import hidden, seeds

from minigan import GAN, WGAN, mlp

PAIRS = [(norm(-1, 1), norm(1, 1)), (norm(0, 1), norm(0.5, 2)), (norm(0, 0.7), norm(3, 1))]


def rows(distribution, n):
    """n rows that stand for a distribution on the line: the middles of n equal parts of it."""
    return distribution.ppf((np.arange(n) + 0.5) / n)[:, None]


def best_score(p, g, x):
    """The logit of p/(p + g)."""
    return p.logpdf(x) - g.logpdf(x)


def jensen_shannon(p, g):
    """½ KL(p, (p + g)/2) + ½ KL(g, (p + g)/2), by numerical integration."""

    def half(a, b):
        def f(x):
            return a.pdf(x) * (a.logpdf(x) - np.log((a.pdf(x) + b.pdf(x)) / 2))

        return quad(f, *a.interval(1 - 1e-15), limit=200, epsabs=1e-10)[0]

    return (half(p, g) + half(g, p)) / 2


def game(**options):
    return GAN(n_data=1, n_noise=1, G_hidden=(), output="linear", real_label=1.0, **options)


# ---- the optimal discriminator, Goodfellow et al. (2014), proposition 1 and theorem 1 ----


@pytest.mark.parametrize(("p", "g"), PAIRS)
def test_training_reaches_the_optimal_discriminator(p, g):
    model = game(D_hidden=(16, 16), D_lr=1e-2, dtype="float64")
    x, x_fake = rows(p, 200), rows(g, 200)
    for step in range(800):
        model.D_optimizer.lr = 1e-2 * (1 - step / 800)
        record = model.D_step(x, x_fake)
    at = np.concatenate([x, x_fake])
    found = 1 / (1 + np.exp(-model.D.forward(at)[-1]))
    optimal = p.pdf(at) / (p.pdf(at) + g.pdf(at))
    assert np.mean(abs(found - optimal)) < 0.01
    value, best = -float(record["loss_D"]), -np.log(4) + 2 * jensen_shannon(p, g)
    assert best - 0.005 < value < best + 0.01  # a grid of rows is a little easier than p and g


@pytest.mark.parametrize(("p", "g"), PAIRS)
def test_the_value_of_the_game_is_the_jensen_shannon_divergence(p, g):
    model, n = game(), 20_000
    s_real, s_fake = (best_score(p, g, rows(side, n)) for side in (p, g))
    value = -model.D_loss(s_real, s_fake)[0]
    assert value == pytest.approx(-np.log(4) + 2 * jensen_shannon(p, g), abs=2e-4)
    assert -np.log(4) < value < 0
    rng = np.random.default_rng(0)
    for scale in (0.1, 1.0):  # and it is the maximum: any other score is worth less
        a, b = scale * rng.standard_normal(2)
        other = [s + a + b * rows(side, n) for s, side in ((s_real, p), (s_fake, g))]
        assert -model.D_loss(*other)[0] < value


def test_where_the_generator_is_perfect_the_value_is_minus_log_4():
    p = norm(0.3, 1.2)
    assert jensen_shannon(p, p) == pytest.approx(0, abs=1e-9)
    s = best_score(p, p, rows(p, 100))
    model = game(D_hidden=(8,), D_lr=1e-2, dtype="float64")
    loss, ds_real, ds_fake = model.D_loss(s, s)
    assert loss == pytest.approx(np.log(4), rel=1e-15)
    np.testing.assert_allclose(ds_real + ds_fake, 0, atol=1e-17)  # no score can be improved
    for _ in range(400):
        record = model.D_step(rows(p, 100), rows(p, 100))
    assert float(record["loss_D"]) == pytest.approx(np.log(4), abs=1e-4)
    assert float(record["D(x)"]) == pytest.approx(0.5, abs=5e-3)


# ---- certainty: σ(s) ~ e^s ----


@pytest.mark.parametrize("s", [-1.0, -5.0, -20.0, -200.0, -700.0])
def test_the_saturating_slope_dies_as_e_to_the_s_and_the_other_tends_to_one(s):
    """For s < 0, σ(s) = e^s/(1 + e^s) lies between e^s(1 − e^s) and e^s."""
    scores = np.full((4, 1), s)
    saturating = -4 * game(minimax=True).G_loss(None, scores)[1]
    other = -4 * game().G_loss(None, scores)[1]
    rounding = 1 + 1e-15
    assert (saturating <= np.exp(s) * rounding).all()
    assert (saturating >= np.exp(s) * (1 - np.exp(s)) / rounding).all()
    assert (other <= 1).all()
    assert (other >= (1 - np.exp(s)) / rounding).all()
    np.testing.assert_allclose(saturating + other, 1, rtol=1e-15)


@pytest.mark.parametrize("certainty", [2.0, 5.0, 10.0, 30.0])
def test_a_certain_discriminator_silences_the_minimax_generator_alone(certainty):
    """Shift D's last bias by −k. In all of θ_G, e^k ∂L_G tends to −mean e^{s} ∂s for (24), and
    ∂L_G itself to −mean ∂s for (23), s being the scores before the shift."""
    gradients = {}
    for minimax in (True, False):
        model = GAN(
            n_data=3, n_noise=2, G_hidden=(5,), D_hidden=(6,), minimax=minimax, dtype="float64"
        )
        z = np.random.default_rng(0).standard_normal((7, 2))
        fakes, dG = model.G.forward(z), []
        scores = model.D.forward(fakes[-1])
        weight = np.exp(scores[-1]) if minimax else np.ones_like(scores[-1])
        limit = model.G.gradient(fakes, model.D.deltas(scores, -weight / 7)[0])
        model.D.params[-1][1][...] -= certainty
        model.G_optimizer.step = lambda theta, dtheta, dG=dG: dG.append(dtheta)
        model.G_step(np.zeros((1, 3)), z)
        scale = np.exp(certainty) if minimax else 1.0
        error = np.linalg.norm(scale * dG[0] - limit) / np.linalg.norm(limit)
        assert error < 3 * np.exp(np.max(scores[-1]) - certainty) + 1e-13
        gradients[minimax] = np.linalg.norm(dG[0])
    assert gradients[True] < 20 * np.exp(-certainty) * gradients[False]


# ---- Kantorovich and Rubinstein ----


def lipschitz(network):
    """A bound on the slope: LeakyReLU's is at most 1, Dense's is W's largest singular value."""
    return np.prod([np.linalg.norm(params[0], 2) for params in network.params if params])


def distance(x, y):
    """The exact W₁ of two sets of as many points: the cheapest way to pair them."""
    cost = cdist(x, y)
    return cost[linear_sum_assignment(cost)].mean()


@given(seeds, st.integers(1, 4), st.integers(1, 20), hidden)
def test_no_critic_sees_more_than_its_slope_times_the_distance(seed, n, m, widths):
    rng = np.random.default_rng(seed)
    D = mlp((n, *widths, 1), rng, dtype="float64")
    x, y = rng.standard_normal((m, n)), 1 + 2 * rng.standard_normal((m, n))
    estimate = np.mean(D.forward(x)[-1]) - np.mean(D.forward(y)[-1])
    assert abs(estimate) <= lipschitz(D) * distance(x, y) * (1 + 1e-12)
    if n == 1:
        assert distance(x, y) == pytest.approx(wasserstein_distance(x[:, 0], y[:, 0]), rel=1e-9)


@pytest.mark.parametrize("shift", [0.5, 3.0])
def test_a_trained_critic_keeps_below_the_bound_and_finds_most_of_the_distance(shift):
    """Two clouds, one the other's shift: W₁ is the shift, and a plane slope shows it all."""
    rng = np.random.default_rng(0)
    y = rng.standard_normal((60, 2))
    x = y + [shift, 0]
    model = WGAN(
        n_data=2, n_noise=1, G_hidden=(), D_hidden=(8,), clip=0.1, D_lr=1e-2, dtype="float64"
    )
    for _ in range(200):
        bound = lipschitz(model.D) * distance(x, y)
        record = model.D_step(x, y)
        assert record["w_estimate"] <= bound * (1 + 1e-12)
    assert distance(x, y) == pytest.approx(shift, rel=1e-9)
    assert record["w_estimate"] > 0.3 * bound  # 1/√2 is lost to a slope along the diagonal


def test_the_bound_is_reached_by_the_best_critic():
    x, y = rows(norm(2, 1), 50), rows(norm(0, 1), 50)
    D = mlp((1, 1), np.random.default_rng(0), dtype="float64")
    D.theta[...] = [-1.5, 4.0]
    estimate = np.mean(D.forward(y)[-1]) - np.mean(D.forward(x)[-1])
    assert estimate == pytest.approx(1.5 * wasserstein_distance(x[:, 0], y[:, 0]), rel=1e-12)
    assert lipschitz(D) == 1.5
