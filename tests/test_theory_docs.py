"""The equations (T1), (T2), … of the book's theory, evaluated on small distributions and
networks against SciPy, the complex step, or the library's own steps."""

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize_scalar
from scipy.spatial.distance import cdist, jensenshannon
from scipy.special import expit, log_softmax, logit
from scipy.stats import entropy, wasserstein_distance
from strategies import seeds

from minigan import GAN, WGAN, Dense, LeakyReLU, Network, Sigmoid, mlp
from minigan.gradcheck import RecordingOptimizer, complex_step

PLACES = 5


def distribution(rng, size=PLACES):
    return rng.dirichlet(np.ones(size))


def value(q, p, g, t=1.0):
    """(T1) on places: p and g are probabilities, q what D answers at each place."""
    return np.sum(p * (t * np.log(q) + (1 - t) * np.log(1 - q)) + g * np.log(1 - q))


def gan(**options):
    small = {"n_data": 2, "n_noise": 2, "G_hidden": (6,), "D_hidden": (5,), "output": "linear"}
    return GAN(**small | options, dtype="float64")


def wgan(**options):
    small = {"n_data": 2, "n_noise": 2, "G_hidden": (6,), "D_hidden": (5,), "output": "linear"}
    return WGAN(**small | options, dtype="float64")


def gradient(f, theta):
    """The gradient of f at theta, entry by entry, by the complex step (51)."""
    return np.array([complex_step(f, theta, u) for u in np.eye(theta.size)])


def close(a, b, tolerance=1e-12):
    a, b = np.asarray(a), np.asarray(b)
    return np.linalg.norm(a - b) <= tolerance * max(np.linalg.norm(a), np.linalg.norm(b), 1e-3)


# ---- the optimal discriminator ----


@given(seeds)
def test_eqT1_the_loss_is_minus_goodfellows_value(seed):
    rng = np.random.default_rng(seed)
    real, fake = rng.integers(0, PLACES, 30), rng.integers(0, PLACES, 30)
    p, g = (np.bincount(rows, minlength=PLACES) / 30 for rows in (real, fake))
    s = rng.standard_normal((PLACES, 1))
    loss = gan(real_label=1.0).D_loss(s[real], s[fake])[0]
    assert close(-loss, value(expit(s[:, 0]), p, g))


@given(seeds, st.sampled_from([1.0, 0.9]))
def test_eqT2_eqT3_eqT5_the_best_answer_at_each_place(seed, t):
    rng = np.random.default_rng(seed)
    p, g = distribution(rng), distribution(rng)
    best = t * p / (p + g)
    for i in range(PLACES):
        at = functools.partial(value, p=p[i], g=g[i], t=t)
        found = minimize_scalar(lambda q, at=at: -at(q), bounds=(0, 1), method="bounded")
        assert at(best[i]) >= at(found.x) - 1e-12
        assert abs(found.x - best[i]) < 1e-4
    if t == 1.0:
        assert close(logit(best), np.log(p) - np.log(g), 1e-9)


@given(seeds)
def test_eqT4_the_best_value_is_the_jensen_shannon_divergence(seed):
    rng = np.random.default_rng(seed)
    p, g = distribution(rng), distribution(rng)
    assert close(value(p / (p + g), p, g), 2 * jensenshannon(p, g) ** 2 - np.log(4), 1e-9)


def test_js_is_log_2_whatever_the_distance_between_disjoint_distributions():
    for gap in (1, 2, 3):
        p, g = np.eye(4)[0], np.eye(4)[gap]
        assert jensenshannon(p, g) ** 2 == pytest.approx(np.log(2))


# ---- the two losses of the generator ----


@given(seeds)
def test_eqT6_the_ratio_of_the_two_losses_slopes(seed):
    s = 4 * np.random.default_rng(seed).standard_normal((7, 1))
    slow, fast = gan(minimax=True).G_loss(None, s)[1], gan().G_loss(None, s)[1]
    assert close(slow / fast, np.exp(s), 1e-9)


@given(seeds)
def test_eqT7_the_minimax_gradient_is_bounded_by_what_D_gives_the_fakes(seed):
    game = gan(minimax=True, seed=seed % 1000)
    game.G_optimizer = taken = RecordingOptimizer()
    z = np.random.default_rng(seed).standard_normal((6, 2))
    game.G_step(np.zeros((1, 2)), z)
    s, slopes = game.D.forward(game.generate(z))[-1], []
    for row in z:
        trace = game.G.forward(row[None])
        D_trace = game.D.forward(trace[-1])
        slopes.append(game.G.gradient(trace, game.D.deltas(D_trace, np.ones((1, 1)))[0]))
    sizes = np.linalg.norm(slopes, axis=1)
    size, middle = np.linalg.norm(taken.dtheta), np.mean(expit(s[:, 0]) * sizes)
    assert size <= middle * (1 + 1e-12)
    assert middle <= sizes.max() * expit(s).mean() * (1 + 1e-12)


@given(seeds)
def test_eqT8_eqT9_what_each_generator_loss_descends(seed):
    rng = np.random.default_rng(seed)
    p, theta = distribution(rng), rng.standard_normal(PLACES)

    def generated(theta):
        e = np.exp(theta)
        return e / e.sum()

    def kl(a, b):
        return (a * np.log(a / b)).sum()

    def js(theta):
        g = generated(theta)
        return (kl(p, (p + g) / 2) + kl(g, (p + g) / 2)) / 2

    g0 = generated(theta)
    assert close(np.log(g0), log_softmax(theta))
    assert close([js(theta), kl(g0, p)], [jensenshannon(p, g0) ** 2, entropy(g0, p)], 1e-9)
    q = p / (p + g0)
    slow = gradient(lambda t: generated(t) @ np.log(1 - q), theta)
    fast = gradient(lambda t: generated(t) @ -np.log(q), theta)
    assert close(slow, 2 * gradient(js, theta), 1e-9)
    assert close(fast, gradient(lambda t: kl(generated(t), p) - 2 * js(t), theta), 1e-9)


# ---- the earth mover's distance ----


def cheapest_plan(x, y):
    """(T10) by linear programming: the least cost, and the prices f and h of its dual."""
    m, d = len(x), cdist(x, y)
    rows = np.kron(np.eye(m), np.ones(m))
    columns = np.kron(np.ones(m), np.eye(m))
    found = linprog(d.ravel(), A_eq=np.vstack([rows, columns]), b_eq=np.full(2 * m, 1 / m))
    return found.fun, found.eqlin.marginals[:m], found.eqlin.marginals[m:]


def points(seed, m=6, n=2):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((m, n)), rng.standard_normal((m, n)) + rng.standard_normal(n)


@given(seeds)
def test_eqT10_eqT11_on_a_line_the_cheapest_plan_is_sorted(seed):
    x, y = points(seed, n=1)
    W = cheapest_plan(x, y)[0]
    assert close(W, np.mean(abs(np.sort(x, axis=0) - np.sort(y, axis=0))), 1e-7)
    assert close(W, wasserstein_distance(x[:, 0], y[:, 0]), 1e-7)


@given(seeds)
def test_eqT12_a_critic_never_overestimates_and_eqT13_the_best_one_reaches(seed):
    x, y = points(seed)
    W, _, h = cheapest_plan(x, y)
    D = mlp((2, 8, 8, 1), np.random.default_rng(seed), dtype="float64")
    gain = (D.forward(x)[-1].mean() - D.forward(y)[-1].mean()) / lipschitz_bound(D)
    assert gain <= W + 1e-9
    everywhere = np.vstack([x, y, points(seed + 1)[0]])
    best = (cdist(everywhere, y) - h).min(axis=1)
    steps = cdist(best[:, None], best[:, None])
    assert (steps <= cdist(everywhere, everywhere) + 1e-9).all()
    assert close(best[:6].mean() - best[6:12].mean(), W, 1e-7)


@given(seeds, st.floats(0.1, 10))
def test_eqT14_a_critic_of_slope_K_measures_K_times_the_distance(seed, K):
    x, y = points(seed)
    m, d = len(x), cdist(np.vstack([x, y]), np.vstack([x, y]))
    i, j = np.triu_indices(2 * m, 1)
    apart = np.zeros((len(i), 2 * m))
    apart[np.arange(len(i)), i], apart[np.arange(len(i)), j] = 1, -1
    gain = np.repeat([1 / m, -1 / m], m)
    limits = np.tile(K * d[i, j], 2)
    found = linprog(-gain, np.vstack([apart, -apart]), limits, bounds=(None, None))
    assert close(-found.fun, K * cheapest_plan(x, y)[0], 1e-6)


def lipschitz_bound(D):
    return np.prod([np.linalg.norm(params[0], 2) for params in D.params if params])


@given(seeds)
def test_eqT15_the_clip_bounds_the_critics_slope(seed):
    game = wgan(D_hidden=(9, 7), clip=0.05, seed=seed % 1000)
    game.constrain()
    x, y = points(seed)
    rise = abs(game.D.forward(x)[-1] - game.D.forward(y)[-1])[:, 0]
    bound = lipschitz_bound(game.D)
    assert (rise <= bound * np.linalg.norm(x - y, axis=1) * (1 + 1e-12)).all()
    sizes = [(layer.n, layer.k) for layer in game.D.layers if isinstance(layer, Dense)]
    assert bound <= np.prod([0.05 * np.sqrt(n * k) for n, k in sizes]) * (1 + 1e-12)


@given(seeds)
def test_eqT16_a_linear_critic_ends_in_a_corner_of_the_clip(seed):
    x, y = points(seed)
    game = wgan(D_hidden=(), clip=0.01)
    for _ in range(200):
        game.D_step(x, y)
    corner = 0.01 * np.sign(x.mean(axis=0) - y.mean(axis=0))
    assert close(game.D.params[0][0][:, 0], corner)


def test_eqT17_clipped_weights_scale_a_delta_by_c_root_n():
    rng = np.random.default_rng(0)
    for n, k, c in ((128, 128, 0.01), (500, 20, 0.1), (64, 256, 1.0)):
        delta, W = rng.standard_normal((200, k)), c * rng.choice([-1.0, 1.0], (n, k))
        back = Dense(n, k).dx(delta, None, None, W, None)
        ratio = np.sqrt((back**2).sum() / (delta**2).sum())
        assert ratio == pytest.approx(c * np.sqrt(n), rel=0.05)


# ---- the gradient penalty ----


def penalty(D, x_hat, lam=10.0):
    """(T18), from the deltas seeded with ones."""
    trace = D.forward(x_hat)
    g = D.deltas(trace, np.ones_like(trace[-1]))[0]
    return lam / len(x_hat) * ((np.sqrt((g * g).sum(axis=1)) - 1) ** 2).sum()


def three_passes(D, x_hat, lam=10.0):
    trace = D.forward(x_hat)
    deltas = D.deltas(trace, np.ones_like(trace[-1]))
    g = deltas[0]
    u = 2 * lam / len(x_hat) * (1 - 1 / np.linalg.norm(g, axis=1, keepdims=True)) * g
    return trace, deltas, D.tangents(trace, u)


def critic(seed):
    rng = np.random.default_rng(seed)
    D = mlp((3, 6, 5, 1), rng, dtype="float64")
    D.theta += 0.1 * rng.standard_normal(D.theta.shape)
    return D, rng.standard_normal((4, 3))


@given(seeds)
def test_eqT18_the_deltas_seeded_with_ones_are_each_rows_own_gradient(seed):
    D, x_hat = critic(seed)
    g = np.vstack([gradient(lambda row: D.forward(row[None])[-1][0, 0], row) for row in x_hat])
    expected = 10 * np.mean((np.linalg.norm(g, axis=1) - 1) ** 2)
    assert close(penalty(D, x_hat), expected)


@given(seeds)
def test_eqT19_the_penaltys_derivative_by_the_slopes(seed):
    D, x_hat = critic(seed)
    _, deltas, u = three_passes(D, x_hat)

    def of_slopes(g):
        g = g.reshape(4, 3)
        return 10 / 4 * ((np.sqrt((g * g).sum(axis=1)) - 1) ** 2).sum()

    assert close(u[0].ravel(), gradient(of_slopes, deltas[0].ravel()))


@given(seeds)
def test_eqT20_eqT21_eqT22_the_penaltys_gradient_by_three_passes(seed):
    D, x_hat = critic(seed)
    _, deltas, u = three_passes(D, x_hat)
    pairings = [np.sum(delta * tangent) for delta, tangent in zip(deltas, u)]
    assert close(pairings, [pairings[0]] * len(pairings))
    claim = Network(D.layers, np.zeros_like(D.theta))
    for l, views in enumerate(claim.params, 1):
        if views:
            views[0][...] = u[l - 1].T @ deltas[l]

    def of_theta(theta):
        return Network(D.layers, theta)

    def phi(theta):
        trace = of_theta(theta).forward(x_hat)
        return np.sum(u[0] * of_theta(theta).deltas(trace, np.ones((4, 1)))[0])

    expected = gradient(lambda theta: penalty(of_theta(theta), x_hat), D.theta)
    assert close(gradient(phi, D.theta), expected)
    assert close(claim.theta, expected)


@given(seeds)
def test_eqT23_a_curved_layer_sends_one_more_delta_back(seed):
    rng = np.random.default_rng(seed)
    layers = [Dense(3, 5), Sigmoid(), Dense(5, 4), Sigmoid(), Dense(4, 1)]
    D = Network(layers, rng.standard_normal(3 * 5 + 5 + 5 * 4 + 4 + 4 + 1))
    x_hat = rng.standard_normal((4, 3))
    trace, deltas, u = three_passes(D, x_hat)
    claim, rho = Network(layers, np.zeros_like(D.theta)), np.zeros((4, 1))
    for l in range(len(layers), 0, -1):  # rho arrives at x_l
        if claim.params[l - 1]:
            dW, db = claim.params[l - 1]
            dW[...] = u[l - 1].T @ deltas[l] + trace[l - 1].T @ rho
            db[...] = rho.sum(axis=0)
        rho = D.dx(l, rho, trace[l - 1], trace[l])
        if isinstance(layers[l - 1], Sigmoid):
            y = trace[l]
            rho = rho + y * (1 - y) * (1 - 2 * y) * u[l - 1] * deltas[l]
    expected = gradient(lambda theta: penalty(Network(layers, theta), x_hat), D.theta)
    assert close(claim.theta, expected)


# ---- one pass for both players, and what is discarded ----


@given(seeds, st.sampled_from([Dense(3, 4), LeakyReLU(0.2), Sigmoid()]))
def test_eqT24_every_layer_is_linear_in_each_rows_delta(seed, layer):
    rng = np.random.default_rng(seed)
    x, params = rng.standard_normal((5, 3)), [rng.standard_normal(s) for s in layer.shapes]
    y, c = layer.forward(x, *params), rng.standard_normal((5, 1))
    dy = rng.standard_normal(y.shape)
    assert close(layer.dx(c * dy, x, y, *params), c * layer.dx(dy, x, y, *params))


@given(seeds)
def test_eqT25_all_losses_share_the_deltas_of_the_scores(seed):
    D, x = critic(seed)
    trace = D.forward(x)
    ones = D.deltas(trace, np.ones((4, 1)))
    for loss in (gan().G_loss, gan(minimax=True).G_loss, wgan().G_loss):
        ds = loss(None, trace[-1])[1]
        for own, shared in zip(D.deltas(trace, ds), ones):
            assert close(own, ds * shared)


def losses(game, x, z):
    """(L_G, L_D) as functions of both players' parameters."""

    def scores(G, D):
        G, D = Network(game.G.layers, G), Network(game.D.layers, D)
        return D.forward(x.astype(G.theta.dtype))[-1], D.forward(G.forward(z)[-1])[-1]

    def L_G(G, D):
        return game.G_loss(*scores(G, D))[0]

    def L_D(G, D):
        return game.D_loss(*scores(G, D))[0]

    return L_G, L_D


GAMES = {"gan": gan, "minimax": functools.partial(gan, minimax=True), "wgan": wgan}


@pytest.mark.parametrize("name", GAMES)
@given(seed=seeds)
def test_eqT26_eqT27_each_player_gets_its_own_gradient_and_the_sum_would_stop_G(name, seed):
    game = GAMES[name](seed=seed % 1000)
    rng = np.random.default_rng(seed)
    x, z = rng.standard_normal((4, 2)), rng.standard_normal((4, 2)) + 0j
    G, D = game.G.theta.copy(), game.D.theta.copy()
    L_G, L_D = losses(game, x, z)
    own_G = gradient(lambda G: L_G(G, D + 0j), G)
    own_D = gradient(lambda D: L_D(G + 0j, D), D)
    other = gradient(lambda G: L_D(G, D + 0j), G)
    game.G_optimizer, game.D_optimizer, game.constrain = (
        RecordingOptimizer(),
        RecordingOptimizer(),
        lambda: None,
    )
    game.update(x, z.real)
    assert close(game.G_optimizer.dtheta, own_G)
    assert close(game.D_optimizer.dtheta, own_D)
    assert np.linalg.norm(other) > 0
    if name != "gan":
        assert np.linalg.norm(own_G + other) <= 1e-12 * np.linalg.norm(other)
