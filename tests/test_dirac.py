"""The theory of convergence: the games of two numbers of its page, played by the library,
against fields, Jacobians and rates derived by hand."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from minigan import GAN, LSGAN, R3GAN, WGANGP, zero_centred_penalty
from minigan.wgan import Wasserstein

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "docs"))
import figures

PAGE = figures.run("theory-7-convergence")
dirac, field, play, jacobian, GANR1 = (
    PAGE[name] for name in ("dirac", "field", "play", "jacobian", "GANR1")
)
GAMMA = 0.3


class WassersteinR1(Wasserstein):
    """A game whose field is linear: β = 1."""

    gamma = GAMMA

    def penalty(self, x, x_fake, c, rng):
        return zero_centred_penalty(self.D, x, self.gamma)


def sigma(s):
    return 1 / (1 + np.exp(-s))


# name: (class, options, the field by hand, its Jacobian by hand, eigenvalues by hand)
def spiral(beta, gamma):
    root = np.sqrt(complex(gamma**2 / 4 - beta**2))
    return [[0, -beta], [beta, gamma]], [gamma / 2 - root, gamma / 2 + root]


GAMES = {
    "minimax": (
        GAN, {"minimax": True, "real_label": 1.0},
        lambda t, p: (-sigma(p * t) * p, sigma(p * t) * t), *spiral(0.5, 0),
    ),
    "non-saturating": (
        GAN, {"real_label": 1.0},
        lambda t, p: (-sigma(-p * t) * p, sigma(p * t) * t), *spiral(0.5, 0),
    ),
    "relativistic": (
        R3GAN, {"gamma": 0.0},
        lambda t, p: (-sigma(-p * t) * p, sigma(p * t) * t), *spiral(0.5, 0),
    ),
    "wgan": (Wasserstein, {}, lambda t, p: (-p, t), *spiral(1, 0)),
    "lsgan": (
        LSGAN, {"a": -1.0},
        lambda t, p: ((p * t - 1) * p, (p * t + 1) * t), *spiral(1, 0),
    ),
    "lsgan-0": (
        LSGAN, {}, lambda t, p: ((p * t - 1) * p, p * t * t), [[0, -1], [0, 0]], [0, 0],
    ),
    "r1": (
        GANR1, {"real_label": 1.0},
        lambda t, p: (-sigma(-p * t) * p, sigma(p * t) * t + p), *spiral(0.5, 1.0),
    ),
    "r1-wgan": (WassersteinR1, {}, lambda t, p: (-p, t + GAMMA * p), *spiral(1, GAMMA)),
    "r1 and r2": (
        R3GAN, {"gamma": GAMMA},
        lambda t, p: (-sigma(-p * t) * p, sigma(p * t) * t + 2 * GAMMA * p),
        *spiral(0.5, 2 * GAMMA),
    ),
}  # fmt: skip
every = pytest.mark.parametrize("name", GAMES)
numbers = st.floats(-3, 3)


@every
@given(numbers, numbers)
def test_eqT28_the_librarys_field_is_the_one_by_hand(name, theta, psi):
    cls, options, by_hand, *_ = GAMES[name]
    v = field(dirac(cls, **options), theta, psi)
    np.testing.assert_allclose(v, by_hand(theta, psi), rtol=1e-13, atol=1e-14)


@given(numbers, st.floats(0.01, 3), st.sampled_from([1.0, -1.0]))
def test_eqT28_wgan_gp_drives_psi_to_one_from_either_side(theta, psi, sign):
    v = field(dirac(WGANGP), theta, sign * psi)
    expected = -sign * psi, theta + 20 * (psi - 1) * sign
    np.testing.assert_allclose(v, expected, rtol=1e-12, atol=1e-12)
    flat = field(dirac(WGANGP, one_sided=True), theta, sign * min(psi, 1))
    np.testing.assert_allclose(flat, [-sign * min(psi, 1), theta], rtol=1e-12, atol=1e-12)


@every
def test_eqT28_eqT30_jacobians_and_eigenvalues_at_the_equilibrium(name):
    cls, options, _, by_hand, eigenvalues = GAMES[name]
    J = jacobian(dirac(cls, "complex128", **options))
    np.testing.assert_allclose(J, by_hand, rtol=0, atol=1e-16)
    trace, det = sum(eigenvalues), np.prod(eigenvalues)  # a double one is lost to rounding
    np.testing.assert_allclose([np.trace(J), J[0, 0] * J[1, 1] - J[0, 1] * J[1, 0]],
                               [trace, det], atol=1e-15)  # fmt: skip
    found = sorted(np.linalg.eigvals(J), key=lambda e: (e.imag, e.real))
    np.testing.assert_allclose(found, sorted(eigenvalues, key=lambda e: (e.imag, e.real)),
                               atol=1e-7 if name == "r1" else 1e-15)  # fmt: skip


@given(st.floats(0.01, 3))
def test_eqT30_at_gamma_1_the_slower_eigenvalue_is_fastest(gamma):
    game = dirac(GANR1, "complex128", real_label=1.0)
    game.gamma = gamma
    slowest = min(np.linalg.eigvals(jacobian(game)).real)
    assert slowest == pytest.approx(
        gamma / 2 if gamma <= 1 else (gamma - np.sqrt(gamma**2 - 1)) / 2, abs=1e-7
    )
    assert slowest <= 0.5 + 1e-7


RADIAL = {
    "minimax": lambda s: 0 * s,
    "wgan": lambda s: 0 * s,
    "non-saturating": lambda s: -s * np.tanh(s / 2),
    "relativistic": lambda s: -s * np.tanh(s / 2),
    "lsgan": lambda s: -2 * s**2,
}


@pytest.mark.parametrize("name", RADIAL)
@given(numbers, numbers)
def test_eqT29_how_the_distance_changes_in_continuous_time(name, theta, psi):
    cls, options, *_ = GAMES[name]
    v = field(dirac(cls, **options), theta, psi)
    at = np.array([theta, psi])
    assert -at @ v == pytest.approx(RADIAL[name](theta * psi), rel=1e-12, abs=1e-13)


@pytest.mark.parametrize("name", ["minimax", "non-saturating"])
def test_eqT29_the_flow_circles_or_creeps_inward(name):
    cls, options, *_ = GAMES[name]
    game = dirac(cls, **options)
    flow = solve_ivp(
        lambda t, at: -field(game, *at), (0, 100), [1.0, 0.0], rtol=1e-9, atol=1e-11
    )
    r = np.hypot(*flow.y)
    if name == "minimax":
        np.testing.assert_allclose(r, 1, atol=1e-5)
    else:  # d(r²)/dt = −r⁴/8 on average, so 1/r² grows by 1/8 per unit of time
        assert r[-1] ** -2 == pytest.approx(1 + 100 / 8, rel=0.03)


def iteration(game, h, alternating):
    """The matrix of one iteration of a linear game, a column for each start."""
    columns = [play(game, h, 1, tuple(u), alternating)[1] for u in np.eye(2)]
    return np.stack(columns, axis=1)


def by_hand(h, beta, gamma, alternating):
    last = 1 - h * gamma - (h * beta) ** 2 * alternating
    return np.array([[1, h * beta], [-h * beta, last]])


rates, kinds = st.floats(0.01, 4), st.booleans()


@given(rates, st.floats(0, 3), kinds)
def test_eqT31_the_matrix_of_an_iteration(h, gamma, alternating):
    game = dirac(WassersteinR1)
    game.gamma = gamma
    found = iteration(game, h, alternating)
    np.testing.assert_allclose(found, by_hand(h, 1, gamma, alternating), rtol=1e-14, atol=1e-14)


@given(rates)
def test_eqT32_without_a_penalty_one_way_leaves_and_the_other_goes_round(h):
    M = iteration(dirac(Wasserstein), h, False)
    np.testing.assert_allclose(M.T @ M, (1 + h**2) * np.eye(2), rtol=1e-13, atol=1e-13)
    turns = iteration(dirac(Wasserstein), h, True)
    assert np.linalg.det(turns) == pytest.approx(1, abs=1e-13)
    if h < 1.99:
        np.testing.assert_allclose(abs(np.linalg.eigvals(turns)), 1, rtol=1e-12)
    if h > 2.01:
        assert max(abs(np.linalg.eigvals(turns))) > 1


@pytest.mark.parametrize("name", ["non-saturating", "relativistic"])
@pytest.mark.parametrize("h", [pytest.param(0.05, marks=pytest.mark.slow), 0.1, 0.2])
@pytest.mark.parametrize("start", [0.7, 1.4])
def test_eqT33_simultaneous_descent_ends_on_a_circle(name, h, start):
    cls, options, *_ = GAMES[name]
    steps = int(60 / h**2 / 4)
    path = play(dirac(cls, **options), h, steps, (start * np.sqrt(2 * h), 0.0))
    r = np.hypot(*path[-int(60 / h) :].T)
    assert np.mean(r) == pytest.approx(np.sqrt(2 * h), rel=0.5 * h + 0.02)


def bound(gamma, beta, alternating):
    """The largest rate that converges."""
    if alternating:
        return (np.sqrt(gamma**2 + 4 * beta**2) - gamma) / beta**2
    if gamma <= 2 * beta:
        return gamma / beta**2
    return (gamma - np.sqrt(gamma**2 - 4 * beta**2)) / beta**2


@given(st.floats(0.02, 4), st.sampled_from([0.5, 1.0]), kinds, st.sampled_from([0.99, 1.01]))
def test_eqT34_eqT35_the_rates_that_converge(gamma, beta, alternating, part):
    M = by_hand(part * bound(gamma, beta, alternating), beta, gamma, alternating)
    assert (max(abs(np.linalg.eigvals(M))) < 1) == (part < 1)


@pytest.mark.parametrize("alternating", [False, True])
@pytest.mark.parametrize("gamma", [0.3, 1.5])
def test_eqT34_eqT35_games_converge_below_the_rate_and_not_above(gamma, alternating):
    game = dirac(GANR1, real_label=1.0)
    game.gamma = gamma
    for part in (0.97, 1.03):
        h = part * bound(gamma, 0.5, alternating)
        r = np.hypot(*play(game, h, 150, (1e-12, 0.0), alternating).T)
        assert (max(r[-30:]) < max(r[60:90])) == (part < 1)


@given(st.floats(0.01, 1.9), numbers, numbers)
def test_eqT36_taking_turns_stays_on_an_ellipse(h, theta, psi):
    theta, psi = play(dirac(Wasserstein), h, 50, (theta, psi), True).T
    invariant = theta**2 + psi**2 + h * theta * psi
    scale = max(abs(theta**2) + abs(psi**2))
    np.testing.assert_allclose(invariant, invariant[0], rtol=0, atol=1e-12 * scale + 1e-300)
