"""What is wrong with a derivative is named, and nothing else is."""

import copy
import itertools

import numpy as np
import pytest
import wrongs
from hypothesis import given
from readers import PReLU, Softplus
from strategies import seeds

from minigan import (
    GAN,
    LSGAN,
    WGAN,
    WGANGP,
    Dense,
    LeakyReLU,
    MiniganError,
    Network,
    Sigmoid,
    mlp,
)
from minigan.gradcheck import (
    check_game,
    check_gradient,
    check_layer,
    check_loss,
    check_network,
)
from minigan.lab.diagnosis import diagnose
from minigan.lab.hypotheses import Case


def cause_of_layer(layer, shapes, what, x=None, seed=7):
    """What a check of the layer says of the pass: in its cause, or in the error it raises."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((6, 4)) if x is None else x
    params = [rng.standard_normal(shape) for shape in shapes]
    try:
        checks = check_layer(layer, x, *params)
    except MiniganError as error:
        return str(error).partition("; ")[2]
    except ValueError:  # an elementwise product needs as many rows as columns
        checks = check_layer(layer, x[:4], *params)
    (check,) = (check for check in checks if check.name.endswith(f".{what}"))
    assert not check.passed
    assert str(check).count("\n") == bool(check.cause)
    return check.cause


def right_share(judged):
    """The share of the mistakes that a hypothesis covers which are named; none is misnamed."""
    covered = named = 0
    for name, got, cause in judged:
        assert got in (cause, ""), name
        covered += cause != ""
        named += cause != "" and got == cause
    return named / covered, covered


@pytest.mark.parametrize("every", [2, pytest.param(1, marks=pytest.mark.slow)])
def test_mistakes_of_layers_are_named_and_never_misnamed(every):
    share, covered = right_share(
        (name, cause_of_layer(layer, shapes, what), cause)
        for name, layer, shapes, what, cause in itertools.islice(
            wrongs.layers(), 0, None, every
        )
    )
    assert covered > 500 / every
    assert share >= 0.99


def test_mistakes_of_losses_are_named_and_never_misnamed():
    share, covered = right_share(
        (name, check_loss(loss, s, t).cause, cause)
        for name, loss, s, t, cause in wrongs.losses()
    )
    assert covered > 70
    assert share >= 0.99


@pytest.mark.parametrize(("m", "seed"), [(1, 0), (2, 1), (4, 2), (20, 3)])
def test_no_mistake_is_misnamed_at_degenerate_points(m, seed):
    """One row, two rows, a square, many rows: the other points keep the hypotheses apart.

    Each takes one mistake of six, and no two the same.
    """
    x = np.random.default_rng(seed).standard_normal((m, 4))
    judged = []
    for name, layer, shapes, what, cause in itertools.islice(wrongs.layers(), seed, None, 6):
        try:
            got = cause_of_layer(layer, shapes, what, x, seed)
        except (AssertionError, ValueError):
            continue  # right at this point, such as a mean of one row
        judged.append(
            (
                name,
                got.replace(f"m = {min(m, 8)}", "m = 6").replace(
                    f"m² = {min(m, 8) ** 2}", "m² = 36"
                ),
                cause,
            )
        )
    share, covered = right_share(judged)
    assert covered > 60
    assert share >= 0.9


@given(seeds)
def test_random_numbers_are_not_explained(seed):
    rng = np.random.default_rng(seed)

    def noise(r, *args):
        return rng.standard_normal(np.shape(r))

    for layer, shapes, method in (
        (Sigmoid(), (), "dx"),
        (Dense(4, 4), ((4, 4), (4,)), "dx"),
        (LeakyReLU(), (), "tangent"),
    ):
        assert cause_of_layer(wrongs.mistaken(layer, method, noise), shapes, method) == ""


# ---- what the method cannot see ----


class Modulus:
    def forward(self, x):
        return abs(x)

    def dx(self, dy, x, y):
        return dy * np.sign(x)

    def tangent(self, u, x, y):
        return self.dx(u, x, y)


X = np.random.default_rng(0).standard_normal((6, 4))


def test_a_forward_pass_that_is_not_analytic_is_named():
    checks = check_layer(Modulus(), X)
    for check in checks[:2]:
        assert "not analytic (abs, maximum, a branch on a complex number?)" in check.cause
        assert check.cause.endswith('by method="central difference" it is right')
    wrong = wrongs.mistaken(Modulus(), "dx", lambda r, *args: -r)
    assert check_layer(wrong, X)[0].cause.endswith("the sign is wrong")
    assert check_layer(wrong, X, method="central difference")[0].cause == "the sign is wrong"
    assert all(check.passed for check in check_layer(Modulus(), X, method="central difference"))


def test_a_forward_pass_that_takes_no_complex_numbers_is_named():
    class Floor(Modulus):
        def forward(self, x):
            return x * np.heaviside(x, 0.0)

    message = "takes no complex numbers.*method='central difference'"
    with pytest.raises(MiniganError, match=message):
        check_layer(Floor(), X)


def test_eq53_float32_has_tolerances_of_its_own():
    x32 = (X + 0.2 * np.sign(X)).astype("float32")
    for method, limit in (("complex step", 1e-5), ("central difference", 1e-2)):
        for layer in (LeakyReLU(), Sigmoid(), wrongs.Tanh(), Softplus()):
            checks = check_layer(layer, x32, method=method)
            assert all(check.passed for check in checks), checks
            assert [check.tolerance for check in checks] == [limit, limit, 0.0, 1e-5]
            wrong = wrongs.mistaken(layer, "dx", lambda r, *args: r * 6)
            assert (
                check_layer(wrong, x32, method=method)[0].cause == "claimed = 6 × measured, "
                "a constant factor"
            )


def test_float16_within_float32_is_named():
    wrong = wrongs.mistaken(
        Sigmoid(), "dx", lambda r, *args: r.astype("float16").astype(r.dtype)
    )
    assert check_layer(wrong, X)[0].cause == "it is right, but rounded to float16"


def test_what_only_float32_rounds_is_not_called_wrong():
    """Far from zero, x + 1e6 − 1e6 has few digits left in float32 and enough in float64."""

    class Far(wrongs.Tanh):
        def forward(self, x):
            return np.tanh(x)

        def dx(self, dy, x, y):
            far = x.dtype.type(1e5)
            return dy * ((1 - y * y) + far - far)

    x32 = X.astype("float32")
    assert (
        check_layer(Far(), x32)[0].cause == "it is right in float64: float32's rounding is seen"
    )


def test_a_central_difference_that_is_too_coarse_is_named():
    class Steep(wrongs.Tanh):
        def forward(self, x):
            return np.tanh(1000 * x)

        def dx(self, dy, x, y):
            return 1000 * dy * (1 - y * y)

        def tangent(self, u, x, y):
            return self.dx(u, x, y)

    x = 1e-3 * X
    assert check_layer(Steep(), x)[0].passed
    cause = check_layer(Steep(), x, method="central difference")[0].cause
    assert cause == "it is right by the complex step: here the central difference is too coarse"


# ---- a layer that is not whole ----


@pytest.mark.parametrize("missing", ["tangent", "dparams", "shapes"])
def test_a_layer_that_lacks_something_is_named(missing):
    class Gain:
        shapes = ((4,),)

        def forward(self, x, a):
            return a * x

        def dx(self, dy, x, y, a):
            return a * dy

        def dparams(self, dy, x, y, a):
            return ((x * dy).sum(0),)

        def tangent(self, u, x, y, a):
            return a * u

    assert all(check.passed for check in check_layer(Gain(), X, np.arange(1.0, 5.0)))
    delattr(Gain, missing)
    with pytest.raises(MiniganError, match=f"Gain.*{missing}"):
        check_layer(Gain(), X, np.arange(1.0, 5.0))


def test_a_pass_that_returns_no_numbers_is_refused_without_a_diagnosis():
    lost = wrongs.mistaken(Dense(4, 3), "dparams", lambda r, *args: None, 0)
    with pytest.raises(MiniganError, match=r"dparams\[0\]: expected shape \(4, 3\), got None$"):
        check_layer(lost, X, np.ones((4, 3)), np.ones(3))


def test_what_is_measured_through_a_wrong_tangent_is_not_called_wrong_itself():
    wrong = wrongs.mistaken(Dense(4, 3), "tangent", lambda r, *args: 2 * r)
    W = np.random.default_rng(0).standard_normal((4, 3))
    checks = {c.name: c.cause for c in check_layer(wrong, X, W, np.ones(3)) if not c.passed}
    assert checks["Dense.tangent"] == "claimed = measured × 2"
    assert (
        checks["Dense.tangent_dparams[0]"] == "its truth is measured by tangent, which is wrong"
    )


def test_shapes_that_are_not_the_parameters_are_named():
    with pytest.raises(
        MiniganError, match=r"PReLU.shapes: expected \[\(4,\)\], got \(\(3,\),\)"
    ):
        check_layer(PReLU(3), X, np.ones(4))


def test_a_layer_without_its_parameters_is_refused():
    with pytest.raises(MiniganError, match=r"^Dense: .* shapes \(\(3, 2\), \(2,\)\) after x"):
        check_layer(Dense(3, 2), np.ones((4, 3)))


# ---- networks and whole steps ----


def network_with(wrong_layer=None, at=1):
    net = mlp((4, 5, 3), np.random.default_rng(0), dtype="float64")
    theta = net.theta + 0.1 * np.random.default_rng(1).standard_normal(net.theta.size)
    layers = list(net.layers)
    if wrong_layer:
        layers[at] = wrong_layer
    return Network(layers, theta)


def test_a_wrong_layer_is_found_in_its_network():
    lost = wrongs.mistaken(LeakyReLU(), "dx", lambda r, dy, x, y: dy)
    causes = {c.cause for c in check_network(network_with(lost), X) if not c.passed}
    assert causes == {"layer 2: LeakyReLU.dx is wrong; the factor f′(x) is missing"}
    bias = wrongs.mistaken(Dense(5, 3), "dparams", lambda r, *args: r / len(args[0]), 1)
    causes = {c.cause for c in check_network(network_with(bias, 2), X) if not c.passed}
    assert causes == {"layer 3: Dense.dparams[1] is wrong; claimed = measured / m, m = 6"}


PASSES = {
    "all over m": (lambda g: g / 6, "claimed = measured / 6, 6 being m"),
    "bias lost": (
        lambda g: np.concatenate([g[:-3], 0 * g[-3:]]),
        "only layer 3 (Dense): b (it is zero) is wrong",
    ),
    "first layer's sign": (
        lambda g: np.concatenate([-g[:25], g[25:]]),
        "only layer 1 (Dense): W (the sign is wrong) and "
        "layer 1 (Dense): b (the sign is wrong) is wrong",
    ),
    "something": (lambda g: g + 0.1, ""),
}


@pytest.mark.parametrize("wrong", PASSES)
def test_a_wrong_pass_through_right_layers_is_named(wrong, monkeypatch):
    mistake, cause = PASSES[wrong]
    right = Network.gradient
    monkeypatch.setattr(Network, "gradient", lambda self, *args: mistake(right(self, *args)))
    (check,) = (c for c in check_network(network_with(), X) if not c.passed)
    assert check.cause == cause


@pytest.mark.parametrize("cls", [GAN, WGAN, LSGAN, WGANGP])
def test_eq19_eq20_eq21_whole_steps_are_proven_and_their_mistakes_named(cls):
    game, rng = small(cls), np.random.default_rng(2)
    x, z = rng.standard_normal((6, 4)), rng.standard_normal((6, 3))
    before = game.D.theta.copy()
    assert all(check.passed for check in check_game(game, x, z))
    np.testing.assert_array_equal(game.D.theta, before)

    def causes(wrong):
        return {check.cause for check in check_game(wrong, x, z) if not check.passed}

    lost = copy.copy(game)
    layers = list(game.D.layers)
    layers[1] = wrongs.mistaken(layers[1], "dx", lambda r, dy, x, y: dy * (x > 0))
    lost.D = Network(layers, game.D.theta)
    assert causes(lost) == {
        "D, layer 2: LeakyReLU.dx is wrong; it is right only where x > 0; there it is zero"
    }
    summed = copy.copy(game)
    summed.G_loss = lambda *s: (game.G_loss(*s)[0], 6 * game.G_loss(*s)[1])
    (cause,) = causes(summed)
    assert cause.startswith("G_loss, ds: claimed = ")

    class Forgetful(cls):
        def G_step(self, x, z, c=None):
            self.descend_G(0 * self.G.theta)
            return {}, self.G.forward(z)[-1]

    assert causes(small(Forgetful)) == {"it is zero"}


def small(cls):
    widths = {"n_data": 4, "n_noise": 3, "G_hidden": (5,), "D_hidden": (5,)}
    game = cls(**widths, output="linear", dtype="float64")
    for network in (game.G, game.D):
        network.theta += 0.3 * np.random.default_rng(1).standard_normal(network.theta.size)
    return game


# ---- a gradient of any function ----


def test_the_gradient_of_any_function_is_explained():
    x = X[:, :3]
    right = np.cos(x) * 2

    def f(x):
        return 2 * np.sum(np.sin(x))

    for claim, cause in (
        (-right, "the sign is wrong"),
        (right / 2, "claimed = measured / 2"),
        (right[::-1], "its rows are in reverse order"),
        (right * x, "the factor x is there once too often"),
        (np.where(x > 0, right, 0), "it is right only where x > 0; there it is zero"),
        (right + 1, ""),
    ):
        assert check_gradient("f", f, x, claim).cause == cause


def test_along_directions_a_factor_is_still_seen():
    x = np.random.default_rng(0).standard_normal((60, 50))
    check = check_gradient("f", lambda x: np.sum(x**3), x, 6 * x * x)
    assert check.cause == "claimed = measured × 2"


def test_what_two_hypotheses_explain_alike_is_called_by_both_names():
    case = Case(2 * X[:2], X[:2], numbers={"m": 2, "the columns": 2})
    both = "claimed = measured × 2, 2 being m or claimed = measured × 2, 2 being the columns"
    assert diagnose([case]) == both
