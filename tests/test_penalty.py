"""Chapter 11: the penalty's value against autograd's slope, its second-order gradient against
the complex step, and the points at which it is taken."""

import autograd.numpy as anp
import numpy as np
import pytest
import reference
from autograd import grad
from hypothesis import given
from hypothesis import strategies as st
from readers import ExpGain, PReLU, Softplus, stack
from strategies import seeds, sizes, slopes

from minigan import R3GAN, WGANGP, Dense, MiniganError, Network, conditional, mlp, to_numpy
from minigan.gradcheck import RecordingOptimizer, check_gradient, to_complex
from minigan.penalty import gradient_penalty, zero_centred_penalty

depths = st.lists(st.integers(1, 7), min_size=1, max_size=4).map(tuple)
shallow = st.lists(st.integers(1, 5), min_size=1, max_size=2).map(tuple)
weights = st.sampled_from([0.1, 1.0, 10.0])


@st.composite
def critics(draw, hidden=depths):
    """(critic of some hidden layers, rows, its sizes and slope), float64 on NumPy."""
    n, slope = draw(sizes), draw(slopes)
    widths, rng = (n, *draw(hidden), 1), np.random.default_rng(draw(seeds))
    D = mlp(widths, rng, slope=slope, dtype="float64")
    D.theta[...] += 0.1 * rng.standard_normal(D.theta.shape)
    return D, rng.standard_normal((draw(sizes), n)), widths, slope


def plain(theta, x, widths, slope, weight, one_sided):
    g = grad(lambda rows: anp.sum(reference.network(theta, widths, rows, slope)))(x)
    excess = anp.sqrt(anp.sum(g**2, axis=1)) - 1
    return weight * anp.mean((anp.maximum(excess, 0) if one_sided else excess) ** 2)


def slopes_are_there(D, x):
    return np.linalg.norm(D.deltas(D.forward(x), np.ones((len(x), 1)))[0], axis=1).min() > 1e-3


def excess_is_there(D, x, one_sided):
    """Whether ‖g‖ − 1 loses less than two digits in the row that counts most."""
    g = D.deltas(D.forward(x), np.ones((len(x), 1)))[0]
    excess = np.linalg.norm(g, axis=1) - 1
    return (excess.max() if one_sided else abs(excess).max()) > 0.01


@given(critics(), weights, st.booleans())
def test_eq34_the_penalty_is_the_mean_squared_excess_of_autograds_slope(
    drawn, weight, one_sided
):
    D, x, widths, slope = drawn
    value, _ = gradient_penalty(D, x, weight, one_sided)
    assert value == pytest.approx(plain(D.theta, x, widths, slope, weight, one_sided), 1e-12)


@given(critics(shallow), weights, st.booleans())
def test_eq35_eq38_its_gradient_is_the_complex_steps(lib64, drawn, weight, one_sided):
    D, x, *_ = drawn
    if not slopes_are_there(D, x):
        return  # where a slope vanishes, its norm has a kink
    if not excess_is_there(D, x, one_sided):
        return  # where a slope is 1, what is left of the gradient is rounding
    theta, x = lib64.array(D.theta), lib64.array(x)
    _, dtheta = gradient_penalty(Network(D.layers, theta), x, weight, one_sided)

    def P(theta):
        return gradient_penalty(Network(D.layers, theta), to_complex(x), weight, one_sided)[0]

    check = check_gradient("penalty", P, theta, dtheta)
    assert check.passed, check


@given(critics(), weights, st.booleans())
def test_eq38_its_gradient_is_autograds_second_order(drawn, weight, one_sided):
    D, x, widths, slope = drawn
    if not slopes_are_there(D, x):
        return
    expected = grad(plain)(D.theta, x, widths, slope, weight, one_sided)
    _, dtheta = gradient_penalty(D, x, weight, one_sided)
    assert np.linalg.norm(dtheta - expected) <= 1e-11 * np.linalg.norm(expected)


@given(critics())
def test_eq38_no_bias_can_lower_it(drawn):
    D, x, *_ = drawn
    _, dtheta = gradient_penalty(D, x)
    for W_b in Network(D.layers, dtheta).params:
        if W_b:
            np.testing.assert_array_equal(W_b[1], 0)


# ---- R1 and R2 ----


def plain_zero_centred(theta, x, widths, slope, gamma):
    g = grad(lambda rows: anp.sum(reference.network(theta, widths, rows, slope)))(x)
    return gamma / 2 * anp.mean(anp.sum(g**2, axis=1))


@given(critics(), weights)
def test_eq36_eq37_eq38_r1_is_autograds_value_and_its_second_order(drawn, gamma):
    D, x, widths, slope = drawn
    value, dtheta = zero_centred_penalty(D, x, gamma)
    plain = plain_zero_centred(D.theta, x, widths, slope, gamma)
    assert value == pytest.approx(plain, 1e-12, abs=1e-300)
    expected = grad(plain_zero_centred)(D.theta, x, widths, slope, gamma)
    assert np.linalg.norm(dtheta - expected) <= 1e-13 * np.linalg.norm(expected)


@given(critics(shallow), weights)
def test_eq36_eq37_eq38_r1s_gradient_is_the_complex_steps(lib64, drawn, gamma):
    D, x, *_ = drawn
    theta, x = lib64.array(D.theta), lib64.array(x)
    _, dtheta = zero_centred_penalty(Network(D.layers, theta), x, gamma)

    def R(theta):
        return zero_centred_penalty(Network(D.layers, theta), to_complex(x), gamma)[0]

    check = check_gradient("R1", R, theta, dtheta)
    assert check.passed, check


def test_eq37_a_flat_critic_costs_nothing_and_is_no_special_case(lib):
    D = mlp((3, 4, 1), np.random.default_rng(0))
    D = Network(D.layers, lib.array(D.theta * 0))
    value, dtheta = zero_centred_penalty(D, lib.array(np.ones((2, 3)), "float32"))
    assert float(value) == 0
    np.testing.assert_array_equal(to_numpy(dtheta), 0)


def test_eq36_of_a_plane_is_half_its_slope_squared_by_default():
    D = Network([Dense(3, 1)], np.array([1.0, -2.0, 4.0, 5.0]))
    assert zero_centred_penalty(D, np.ones((2, 3)))[0] == (1 + 4 + 16) / 2


def test_eq37_the_slope_along_a_condition_is_free_under_r1_too():
    D = mlp((5, 4, 1), np.random.default_rng(0), dtype="float64")
    x = np.random.default_rng(1).standard_normal((6, 5))
    value, dtheta = zero_centred_penalty(D, x, 2.0, n=3)
    g = D.deltas(D.forward(x), np.ones((6, 1)))[0]
    assert value == pytest.approx(sum(v**2 for v in g[:, :3].ravel().tolist()) / 6, rel=1e-14)
    dW = Network(D.layers, dtheta).params[0][0]
    np.testing.assert_array_equal(dW[3:], 0)
    assert (dW[:3] != 0).any()


SMALL = {"n_data": 4, "n_noise": 3, "G_hidden": (6,), "D_hidden": (5, 2), "dtype": "float64"}


def batch(model, m=6):
    rng = np.random.default_rng(1)
    x, z = rng.standard_normal((m, 4)), rng.standard_normal((m, 3))
    return x, z, model.condition(np.arange(m) % 3)


@pytest.mark.parametrize("cls", [R3GAN, conditional(R3GAN)])
def test_eq42_the_penalty_of_the_game_is_r1_and_r2(cls):
    model = cls(**SMALL, gamma=0.6, **({"n_classes": 3} if cls is not R3GAN else {}))
    x, z, c = batch(model)
    x_fake = model.generate(z, c)
    value, dtheta = model.penalty(x, x_fake, c, None)
    R1, R2 = (
        zero_centred_penalty(model.D, model.D_input(rows, c), 0.6, 4) for rows in (x, x_fake)
    )
    assert value == R1[0] + R2[0]
    np.testing.assert_array_equal(dtheta, R1[1] + R2[1])
    assert cls(**SMALL, gamma=0.0).penalty(x, x_fake, c, None) is None


@pytest.mark.parametrize("cls", [R3GAN, conditional(R3GAN)])
@given(seeds, st.integers(1, 6), depths, st.sampled_from([1e-3, 1.0, 30.0]))
def test_eq13_eq43_one_pass_gives_the_loss_and_both_penalties(cls, seed, m, hidden, gamma):
    """The pass against the sum of three: the loss's own, that of R1 and that of R2."""
    model = cls(**SMALL | {"D_hidden": hidden, "gamma": gamma, "seed": seed % 1000})
    model.D.theta[...] += 0.1 * np.random.default_rng(seed).standard_normal(model.D.theta.shape)
    x, z, c = batch(model, m)
    model.G_optimizer, model.D_optimizer = G, D = RecordingOptimizer(), RecordingOptimizer()
    record, x_fake = model.G_step(x, z, c)
    record |= model.D_step(x, x_fake, c)
    plain = G.dtheta, D.dtheta
    shared = model.update(x, z, c)
    assert shared == pytest.approx(record, rel=1e-12)
    for one, other in zip((G.dtheta, D.dtheta), plain):
        assert np.linalg.norm(one - other) <= 1e-13 * np.linalg.norm(other)


class ByItsOutput(ExpGain):
    """y = e^a x, linear in x: its tangent e^a u is taken from the output, as u y/x."""

    piecewise_linear = True

    def tangent_dparams(self, dy, u, x, y, a):
        return self.dparams(dy, None, u * y / x, a)


@pytest.mark.parametrize("layer", [PReLU, ByItsOutput])
def test_eq13_eq43_layers_of_the_readers_own_add_loss_and_penalty(layer):
    D = stack((4, 5, 6, 1), layer, 1, bias=False)
    model = R3GAN(G=stack((3, 6, 4)), D=D, gamma=0.5)
    model.G_optimizer = model.D_optimizer = rule = RecordingOptimizer()
    x, z, _ = batch(model)
    _, x_fake = model.G_step(x, z)
    model.D_step(x, x_fake)
    plain = rule.dtheta

    def L_D(theta):
        twin = R3GAN(G=model.G, D=Network(D.layers, theta.real + 0), gamma=0.5)
        twin.D = Network(D.layers, theta)
        s_real, s_fake = (twin.D.forward(to_complex(rows))[-1] for rows in (x, x_fake))
        penalty = twin.penalty(to_complex(x), to_complex(x_fake), None, None)
        return twin.D_loss(s_real, s_fake)[0] + penalty[0]

    check = check_gradient("D", L_D, D.theta, plain)
    assert check.passed, check
    model.update(x, z)
    assert np.linalg.norm(rule.dtheta - plain) <= 1e-13 * np.linalg.norm(plain)


@pytest.mark.parametrize("play", ["update", "D_step"])
def test_r3gan_refuses_a_curved_critic(play):
    model = R3GAN(G=stack((3, 6, 4)), D=stack((4, 5, 1), bias=False))
    x, z, _ = batch(model)
    with pytest.raises(MiniganError, match="^gradient penalty: Softplus is curved"):
        getattr(model, play)(x, z if play == "update" else x)
    flat = R3GAN(G=stack((3, 6, 4)), D=stack((4, 5, 1), bias=False), gamma=0.0)
    assert "penalty" not in flat.update(x, z)


@st.composite
def critics_with_slopes_of_their_own(draw):
    """(critic of Dense and PReLU layers, rows, its sizes), float64 on NumPy."""
    widths = (draw(sizes), *draw(depths), 1)
    D, rng = stack(widths, PReLU, draw(seeds)), np.random.default_rng(draw(seeds))
    return D, rng.standard_normal((draw(sizes), widths[0])), widths


def with_slopes(theta, sizes, x):
    """The same critic, written plainly for autograd."""
    at = 0
    for i, (n, k) in enumerate(zip(sizes[:-1], sizes[1:])):
        if i:
            x = anp.where(x > 0, x, theta[at : at + n] * x)
            at += n
        x = anp.dot(x, anp.reshape(theta[at : at + n * k], (n, k)))
        x = x + theta[at + n * k : at + n * k + k]
        at += n * k + k
    return x


def plain_with_slopes(theta, x, widths):
    g = grad(lambda rows: anp.sum(with_slopes(theta, widths, rows)))(x)
    return 10 * anp.mean((anp.sqrt(anp.sum(g**2, axis=1)) - 1) ** 2)


@given(critics_with_slopes_of_their_own())
def test_eq1e_eq38_a_readers_layer_with_slopes_that_are_parameters_by_autograd(drawn):
    D, x, widths = drawn
    if not slopes_are_there(D, x):
        return
    value, dtheta = gradient_penalty(D, x)
    assert value == pytest.approx(plain_with_slopes(D.theta, x, widths), 1e-12)
    expected = grad(plain_with_slopes)(D.theta, x, widths)
    assert np.linalg.norm(dtheta - expected) <= 1e-11 * np.linalg.norm(expected)


@pytest.mark.parametrize("seed", range(3))
def test_eq1e_eq38_a_readers_layer_with_slopes_that_are_parameters_by_complex_step(lib64, seed):
    D = stack((3, 5, 4, 1), PReLU, seed)
    x = lib64.array(np.random.default_rng(seed).standard_normal((4, 3)))
    theta = lib64.array(D.theta)
    _, dtheta = gradient_penalty(Network(D.layers, theta), x)

    def P(theta):
        return gradient_penalty(Network(D.layers, theta), to_complex(x))[0]

    check = check_gradient("penalty", P, theta, dtheta)
    assert check.passed, check


@pytest.mark.parametrize(
    ("cls", "lacks", "why"),
    [
        (Softplus, None, "^gradient penalty: Softplus is curved"),
        (PReLU, "piecewise_linear", "^gradient penalty: PReLU is curved"),
        (PReLU, "tangent", "^PReLU: expected a layer with .*; missing: tangent "),
        (PReLU, "tangent_dparams", "^PReLU: .*; missing: tangent_dparams "),
    ],
)
def test_a_critic_with_a_layer_that_lacks_what_the_penalty_needs_is_refused(
    cls, lacks, why, monkeypatch
):
    D = stack((3, 4, 1), PReLU) if cls is PReLU else stack((3, 4, 1))
    if lacks:
        monkeypatch.delattr(cls, lacks)
    with pytest.raises(MiniganError, match=why):
        gradient_penalty(D, np.ones((2, 3)))


def test_eq35_a_slope_of_zero_is_safe(lib):
    D = mlp((3, 4, 1), np.random.default_rng(0))
    D = Network(D.layers, lib.array(D.theta * 0))
    value, dtheta = gradient_penalty(D, lib.array(np.ones((2, 3)), "float32"))
    assert float(value) == 10.0
    np.testing.assert_array_equal(to_numpy(dtheta), 0)


def test_the_slope_along_a_condition_is_free():
    """Columns beyond n change neither the norm nor, through it, their weights' share."""
    D = mlp((5, 4, 1), np.random.default_rng(0), dtype="float64")
    x = np.random.default_rng(1).standard_normal((6, 5))
    _, dtheta = gradient_penalty(D, x, n=3)
    check = check_gradient(
        "penalty",
        lambda t: gradient_penalty(Network(D.layers, t), to_complex(x), n=3)[0],
        D.theta,
        dtheta,
    )
    assert check.passed, check
    dW = Network(D.layers, dtheta).params[0][0]
    np.testing.assert_array_equal(dW[3:], 0)
    assert (dW[:3] != 0).any()


def test_a_curved_critic_is_refused_with_the_reason():
    D = mlp((3, 1), np.random.default_rng(0), output="sigmoid")
    with pytest.raises(MiniganError, match="Sigmoid is curved, and its second derivative"):
        gradient_penalty(D, np.ones((2, 3), "float32"))


@pytest.mark.parametrize("cls", [WGANGP, conditional(WGANGP)])
def test_eq39_points_lie_on_the_segments_uniformly_each_row_by_itself(cls, monkeypatch):
    seen = []

    def spy(D, x_hat, *args):
        seen.append(x_hat)
        return gradient_penalty(D, x_hat, *args)

    monkeypatch.setattr("minigan.penalty.gradient_penalty", spy)
    model = cls(n_data=2, G_hidden=(4,), D_hidden=(4,), dtype="float64")
    m = 20000
    x, x_fake = np.tile([0.0, 2.0], (m, 1)), np.tile([1.0, -2.0], (m, 1))
    labels = np.arange(m) % 10
    model.penalty(x, x_fake, model.condition(labels), np.random.default_rng(0))
    eps = 1 - seen[0][:, 0]
    np.testing.assert_allclose(seen[0][:, 1], 4 * eps - 2, atol=1e-12)
    assert 0 <= eps.min() <= eps.max() < 1
    quantiles = np.quantile(eps, [0.1, 0.25, 0.5, 0.75, 0.9])
    np.testing.assert_allclose(quantiles, [0.1, 0.25, 0.5, 0.75, 0.9], atol=0.02)
    assert len(np.unique(eps)) > 0.99 * m
    if cls is not WGANGP:
        np.testing.assert_array_equal(seen[0][:, 2:], reference.one_hot(labels, 10))


def test_the_penalty_of_a_game_draws_one_number_a_row_and_knows_its_side():
    small = {"n_data": 4, "n_noise": 3, "G_hidden": (6,), "D_hidden": (5, 2)}
    x, x_fake = np.random.default_rng(2).standard_normal((2, 40, 4)).astype("float32")
    eps = np.random.default_rng(3).random((40, 1), "float32")
    x_hat = eps * x + (1 - eps) * x_fake
    for one_sided in (False, True):
        model = WGANGP(**small, one_sided=one_sided)
        model.D.theta *= 0.1  # slopes below 1: one side is punished, the other is not
        expected = gradient_penalty(model.D, x_hat, one_sided=one_sided)
        found = model.penalty(x, x_fake, None, np.random.default_rng(3))
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])
        assert (found[0] == 0) == one_sided


def test_a_trained_critic_has_slopes_near_one():
    """What the penalty is for: between two distributions the critic's slope goes to 1."""
    rng = np.random.default_rng(0)
    model = WGANGP(
        n_data=2, output="linear", D_hidden=(32, 32), dtype="float64", penalty_weight=100.0
    )
    centres = np.array([[[2.0, 0]], [[-2.0, 0]]])
    for _ in range(600):
        x, x_fake = rng.standard_normal((2, 64, 2)) + centres
        model.D_step(x, x_fake, None, rng)
    x, x_fake = rng.standard_normal((2, 500, 2)) + centres
    x_hat = x + rng.random((500, 1)) * (x_fake - x)
    g = model.D.deltas(model.D.forward(x_hat), np.ones((500, 1)))[0]
    assert np.median(abs(np.linalg.norm(g, axis=1) - 1)) < 0.1


def test_the_penalty_must_have_a_positive_weight():
    with pytest.raises(MiniganError, match="weight: expected a positive number, got 0"):
        WGANGP(penalty_weight=0.0)
