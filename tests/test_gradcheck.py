"""Chapters 15 and 16: the judge is judged. What is right passes, what is wrong fails."""

import functools
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from readers import ExpGain, PReLU, Softplus, SquaredGain
from strategies import hidden, normal, seeds, sizes

from minigan import Dense, LeakyReLU, MiniganError, Network, Sigmoid, bce_with_logits, mlp
from minigan import to_numpy as home
from minigan.arrays import array_namespace
from minigan.gradcheck import (
    FULL,
    TOLERANCE,
    Check,
    Checks,
    H,
    RecordingOptimizer,
    central_difference,
    check_adjoint,
    check_gradient,
    check_layer,
    check_loss,
    check_network,
    compare,
    complex_step,
    step_size,
)

# ---- layers that a third party might write ----


class Tanh:
    """y = tanh x, dx = dy (1 − y²)."""

    shapes = ()

    def forward(self, x):
        return array_namespace(x).tanh(x)

    def dx(self, dy, x, y):
        return dy * (1 - y * y)

    def tangent(self, u, x, y):
        return u * (1 - y * y)


class GainedSoftplus:
    """y = g log(1 + e^x) with a gain g of its own for each column."""

    def __init__(self, n):
        self.shapes = ((n,),)

    def forward(self, x, g):
        return g * self.unit(x)

    def unit(self, x):
        xp = array_namespace(x)
        return xp.log1p(xp.exp(x))

    def dx(self, dy, x, y, g):
        return dy * g / (1 + array_namespace(x).exp(-x))

    def dparams(self, dy, x, *args):
        return (array_namespace(x).sum(dy * self.unit(x), axis=0),)

    def tangent(self, u, x, y, g):
        return self.dx(u, x, y, g)


class GainedTanh:
    """y = tanh(a x) with a gain of its own for each column: every pass reads the output."""

    def __init__(self, n):
        self.shapes = ((n,),)

    def forward(self, x, a):
        return array_namespace(x).tanh(a * x)

    def dx(self, dy, x, y, a):
        return dy * a * (1 - y * y)

    def dparams(self, dy, x, y, a):
        return (array_namespace(x).sum(dy * x * (1 - y * y), axis=0),)

    def tangent(self, u, x, y, a):
        return self.dx(u, x, y, a)

    def tangent_dparams(self, dy, u, x, y, a):
        """The tangent is u a (1 − y²), and y moves by x (1 − y²) with a."""
        slope = (1 - y * y) * (1 - 2 * a * x * y)
        return (array_namespace(x).sum(dy * u * slope, axis=0),)


@st.composite
def third_party(draw):
    """(layer, x, *parameters)"""
    m, n = draw(sizes), draw(sizes)
    x = draw(normal(m, n, scale=st.sampled_from([1e-3, 1.0])))
    return draw(st.sampled_from([(Tanh(), x), (GainedSoftplus(n), x, draw(normal(n)))]))


def fixed(lib, shape=(3, 4), seed=0):
    return lib.array(np.random.default_rng(seed).standard_normal(shape))


def on_host(*shapes):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape) for shape in shapes]


def results(checks):
    """{name without the class: whether it passed}"""
    return {check.name.partition(".")[2] or "adjoint": check.passed for check in checks}


@given(third_party())
def test_a_third_partys_layer_is_proven_by_one_call(lib64, drawn):
    layer, *arrays = drawn
    checks = check_layer(layer, *map(lib64.array, arrays))
    names = ["dx", "dparams[0]", "tangent", "rows", "adjoint"]
    if len(arrays) == 1:
        names.remove("dparams[0]")
    assert results(checks) == dict.fromkeys(names, True), checks
    assert [check.method for check in checks] == ["complex step"] * (len(names) - 2) + [
        "comparison",
        "adjoint",
    ]


@given(third_party())
def test_eq53_central_differences_prove_smooth_layers_to_1e7(lib64, drawn):
    layer, x, *params = drawn
    params = [np.sign(p) + p / (1 + abs(p)) for p in params]  # (53) wants numbers of order 1
    for check in check_layer(
        layer, lib64.array(x), *map(lib64.array, params), method="central difference"
    ):
        limits = {"adjoint": 1e-13, "comparison": 0.0, "central difference": 1e-7}
        assert check.tolerance == limits[check.method]
        assert check.passed, check


@pytest.mark.parametrize(
    ("layer", "names"),
    [
        (Softplus(), "dx tangent"),
        (SquaredGain(4), "dx dparams[0] tangent"),
        (ExpGain(4), "dx dparams[0] tangent"),  # whose gradient reads the output
        (PReLU(4), "dx dparams[0] tangent tangent_dparams[0]"),
        (GainedTanh(4), "dx dparams[0] tangent tangent_dparams[0]"),
    ],
)
def test_a_layer_is_checked_for_what_it_has(layer, names):
    checks = check_layer(layer, *on_host((3, 4), *getattr(layer, "shapes", ())))
    assert results(checks) == dict.fromkeys([*names.split(), "rows", "adjoint"], True), checks


def test_eq1e_a_wrong_gradient_of_the_tangent_is_caught(lib64):
    class Wrong(PReLU):
        def tangent_dparams(self, dy, u, x, y, a):
            return (array_namespace(x).sum(dy * u, axis=0),)  # the rows above zero too

        def dparams(self, dy, x, y, a):
            return PReLU.tangent_dparams(self, dy, x, x, y, a)

    found = results(check_layer(Wrong(4), fixed(lib64), fixed(lib64, (4,), 1)))
    assert found.pop("tangent_dparams[0]") is False
    assert set(found.values()) == {True}


# ---- (51), (52), (53) themselves ----


def squire_trapp(x):
    """The example of Squire & Trapp (1998), where differences lose half the digits."""
    return np.exp(x) / (np.sin(x) ** 3 + np.cos(x) ** 3) ** 0.5


def squire_trapp_slope(x):
    s, c = np.sin(x), np.cos(x)
    return squire_trapp(x) * (1 - 1.5 * (s * s * c - c * c * s) / (s**3 + c**3))


def test_eq51_a_complex_step_is_exact_to_rounding_and_eq53_to_its_square_root():
    x = np.array([1.5, 0.3, 0.0])
    exact = squire_trapp_slope(x)
    by_complex = complex_step(squire_trapp, x, np.ones(3))
    by_difference = central_difference(squire_trapp, x, np.ones(3))
    assert abs(by_complex / exact - 1).max() <= 2e-15
    assert 1e-13 < abs(by_difference / exact - 1).max() < 1e-8


def test_eq51_follows_the_direction_and_gives_one_number_per_output(lib64):
    A, x, u = (np.random.default_rng(i).standard_normal((3, 3)) for i in range(3))
    moved = lib64.array(A).T + 0j

    def f(x):
        return (x @ moved) ** 2

    slope = complex_step(f, lib64.array(x), lib64.array(u))
    np.testing.assert_allclose(home(slope), 2 * (x @ A.T) * (u @ A.T), rtol=1e-14)
    assert H == 1e-30


def test_eq53_errs_by_the_third_derivative_times_h_squared():
    """(x³)′ by central differences is 3x² + h², exactly."""
    h = step_size(np.zeros(1))
    error = central_difference(lambda x: x**3, np.zeros(1), np.ones(1))
    assert error == pytest.approx(h * h, rel=1e-12)
    assert h == pytest.approx(np.finfo(float).eps ** (1 / 3), rel=1e-12)
    assert step_size(np.zeros(1, "float32")) == pytest.approx(4.92e-3, rel=1e-2)


def test_eq53_asks_only_for_real_numbers_on_both_sides():
    asked = []
    central_difference(lambda x: asked.append(x.copy()) or x, np.array([2.0]), np.array([3.0]))
    h = step_size(np.zeros(1))
    assert [a.dtype for a in asked] == [np.float64] * 2
    np.testing.assert_allclose(np.ravel(asked), [2 + 3 * h, 2 - 3 * h], rtol=1e-15)


def test_eq52_a_matrix_and_its_transpose_agree_and_another_does_not():
    rng = np.random.default_rng(0)
    A, v, u = rng.standard_normal((3, 4)), rng.standard_normal(3), rng.standard_normal(4)
    right = check_adjoint("A", v, A @ u, A.T @ v, u)
    assert right.passed
    assert right.name == "A <v,Ju>=<JTv,u>"
    B = A + 1e-10
    wrong = check_adjoint("A", v, A @ u, B.T @ v, u)
    assert not wrong.passed
    size = max(np.linalg.norm(v) * np.linalg.norm(A @ u), np.linalg.norm(B.T @ v) * norm(u))
    assert wrong.error == pytest.approx(abs(v @ (A - B) @ u) / size, rel=1e-4)
    assert wrong.worst == f"<v, Ju> = {v @ A @ u:.6g}, <JTv, u> = {v @ B @ u:.6g}"


norm = np.linalg.norm


def test_eq52_zero_agrees_with_zero():
    assert check_adjoint("0", *np.zeros((4, 2))).error == 0.0
    assert check_adjoint("0", *np.zeros((4, 2))).passed


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("place", range(4))
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_eq52_nan_and_infinity_never_pass(bad, place):
    arguments = np.ones((4, 3))
    arguments[place, 1] = bad
    assert not check_adjoint("J", *arguments).passed


# ---- wrong layers ----

WRONG_DX = {
    "sign": lambda dx: -dx,
    "factor": lambda dx: 2 * dx,
    "transposed rows": lambda dx: dx[::-1, :],
    "sum instead of each": lambda dx: dx * 0 + dx.sum(),
    "lost": lambda dx: dx * 0,
    "off by 1e-11": lambda dx: dx * (1 + 1e-11),
    "nan": lambda dx: dx * np.nan,
}


@pytest.mark.parametrize("wrong", WRONG_DX)
def test_a_wrong_dx_is_caught_twice(wrong):
    class Wrong(Tanh):
        def dx(self, dy, x, y):
            return WRONG_DX[wrong](super().dx(dy, x, y))

    x = np.random.default_rng(0).standard_normal((3, 4))
    assert results(check_layer(Wrong(), x)) == {
        "dx": False,
        "tangent": True,
        "rows": True,
        "adjoint": False,
    }


def test_a_wrong_tangent_is_caught_twice(lib64):
    class Wrong(Tanh):
        def tangent(self, u, x, y):
            return u * (1 - y)

    found = results(check_layer(Wrong(), fixed(lib64)))
    assert found == {"dx": True, "tangent": False, "rows": True, "adjoint": False}


def test_eq51_catches_two_wrongs_that_agree_with_each_other(lib64):
    """σ(2x) for σ(x): forward and backward mode share the mistake, the adjoint test passes."""

    class Wrong(Tanh):
        def dx(self, dy, x, y):
            return dy * (1 - array_namespace(x).tanh(2 * x) ** 2)

        def tangent(self, u, x, y):
            return self.dx(u, x, y)

    found = results(check_layer(Wrong(), fixed(lib64)))
    assert found == {"dx": False, "tangent": False, "rows": True, "adjoint": True}


def test_a_wrong_parameter_gradient_is_caught_and_its_worst_entry_named():
    class Wrong(Dense):
        def dparams(self, dy, x, *args):
            dW, db = super().dparams(dy, x, *args)
            dW[2, 1] += 1
            return dW, db / len(x)

    rng = np.random.default_rng(0)
    x, W, b = rng.standard_normal((5, 3)), rng.standard_normal((3, 2)), rng.standard_normal(2)
    checks = check_layer(Wrong(3, 2), x, W, b)
    found = results(checks)
    assert found == {
        "dx": True,
        "dparams[0]": False,
        "dparams[1]": False,
        "tangent": True,
        "tangent_dparams[0]": True,
        "tangent_dparams[1]": True,
        "rows": True,
        "adjoint": True,
    }
    place, numbers = checks[1].worst.split(": ")
    claimed, measured = (float(number.split()[0]) for number in numbers.split(", "))
    assert place == "Wrong.dparams[0][2, 1]"
    assert claimed - measured == pytest.approx(1, abs=1e-4)
    assert f"FAIL at {checks[1].worst}" in str(checks[1])
    assert str(checks[0]).endswith("pass")


@pytest.mark.parametrize("method", ["dparams", "tangent_dparams"])
@pytest.mark.parametrize(
    ("returned", "got"),
    [
        (lambda dW, db: (dW,), "1"),
        (lambda dW, db: (dW, db, db), "3"),
        (lambda dW, db: dW, "ndarray"),
    ],
)
def test_a_wrong_number_of_gradients_is_refused(method, returned, got):
    class Wrong(Dense):
        """One gradient too few, one too many, or the array that forgot its tuple."""

    right = getattr(Dense, method)
    setattr(Wrong, method, lambda *args: returned(*right(*args)))
    message = f"^Wrong.{method}: expected a tuple of 2 gradients, .*, got {got}$"
    with pytest.raises(MiniganError, match=message):
        check_layer(Wrong(3, 2), *on_host((5, 3), (3, 2), (2,)))


@pytest.mark.parametrize("missing", ["forward", "dx", "tangent", "dparams"])
def test_a_layer_that_lacks_a_method_is_named(missing, monkeypatch):
    monkeypatch.delattr(PReLU, missing)
    with pytest.raises(
        MiniganError, match=f"^PReLU: expected a layer with .*; missing: {missing} "
    ):
        check_layer(PReLU(4), *on_host((3, 4), (4,)))


def test_a_forward_pass_that_drops_the_imaginary_part_does_not_pass_unseen():
    """`abs` is not analytic: (51) then reports an error, and (53) judges in its place."""

    class Modulus(Tanh):
        def forward(self, x):
            return abs(x) * x

        def dx(self, dy, x, y):
            return dy * 2 * abs(x)

        def tangent(self, u, x, y):
            return self.dx(u, x, y)

    x = np.random.default_rng(0).standard_normal((3, 4))
    assert not all(check.passed for check in check_layer(Modulus(), x))
    assert all(check.passed for check in check_layer(Modulus(), x, method="central difference"))


@pytest.mark.parametrize(
    ("method", "near"), [("complex step", 0.0), ("central difference", 1e-5)]
)
def test_a_point_on_the_bend_is_refused(lib64, method, near):
    x = lib64.array([[1.0, -near]])
    message = re.escape(f"x: an entry is {near:.1e} from the bend of LeakyReLU at 0")
    with pytest.raises(MiniganError, match=message):
        check_layer(LeakyReLU(), x, method=method)


def test_how_near_the_bend_is_too_near():
    safe, h = lambda x, **how: check_layer(LeakyReLU(), np.array([[x, 1.0]]), **how), 6.06e-6
    assert all(check.passed for check in safe(1e-300))
    assert all(check.passed for check in safe(-21 * h, method="central difference"))
    with pytest.raises(MiniganError, match="choose x farther than 1.2e-04 from it"):
        safe(19 * h, method="central difference")


def test_a_bend_elsewhere_than_at_zero():
    class Shifted(LeakyReLU):
        kink = 3.0

    with pytest.raises(MiniganError, match="bend of Shifted at 3"):
        check_layer(Shifted(), np.array([[3.0]]))


@pytest.mark.parametrize("method", ["complex step", "central difference"])
@pytest.mark.parametrize(
    ("part", "at", "caught"),
    [
        ("dx", None, "dx"),
        ("tangent", None, "tangent tangent_dparams[0]"),  # which is measured through it
        ("dparams", 0, "dparams[0]"),
        ("dparams", 1, "dparams[1]"),
        ("tangent_dparams", 0, "tangent_dparams[0]"),
    ],
)
def test_either_method_catches_each_part_alone(part, at, caught, method):
    right = getattr(Dense, part)

    class Wrong(Dense):
        """One of its derivatives is off by a ten-thousandth."""

    def bent(self, *args):
        made = right(self, *args)
        if at is None:
            return 1.0001 * made
        return tuple(1.0001 * v if i == at else v for i, v in enumerate(made))

    setattr(Wrong, part, bent)
    checks = check_layer(Wrong(4, 3), *on_host((5, 4), (4, 3), (3,)), method=method)
    wrong = {name for name, passed in results(checks).items() if not passed}
    assert wrong - {"adjoint"} == {*caught.split()}
    assert ("adjoint" in wrong) == (at is None)
    assert {check.method for check in checks} == {method, "adjoint", "comparison"}


def test_the_seed_decides_the_directions():
    class Asked(Tanh):
        def dx(self, dy, x, y):
            seen.append((dy.copy(), x))
            return super().dx(dy, x, y)

        def tangent(self, u, x, y):
            seen.append((u.copy(), x))
            return super().tangent(u, x, y)

    x, found = np.ones((3, 4)), []
    for seed in ({}, {"seed": 0}, {"seed": 1}):
        seen = []
        check_layer(Asked(), x, **seed)
        found.append(seen)
        assert [v.shape for v, _ in seen] == [(3, 4), (3, 4)]
        assert all(point is x for _, point in seen)
        assert (seen[0][0] != seen[1][0]).all()
    for first, same, other in zip(*found):
        np.testing.assert_array_equal(first[0], same[0])
        assert (first[0] != other[0]).all()


# ---- whole networks, losses, gradients ----


@given(seeds, hidden)
def test_eq52_every_layer_of_a_network_has_its_own_adjoint_test(seed, widths):
    rng = np.random.default_rng(seed)
    network = mlp((3, *widths, 2), rng, output="sigmoid", dtype="float64")
    names = [check.name for check in check_network(network, rng.standard_normal((2, 3)))]
    assert names[:3] == ["network dtheta", "network dx", "network tangents"]
    layers = [f"layer {l} <v,Ju>=<JTv,u>" for l in range(1, len(network.layers) + 1)]
    assert names[3:] == [*layers, "network rows"]


def test_eq53_a_smooth_network_by_central_differences(lib64):
    layers = [Dense(3, 4), Sigmoid(), Dense(4, 2), Sigmoid()]
    network = Network(layers, fixed(lib64, (26,)))
    for check in check_network(network, fixed(lib64, (5, 3), 1), method="central difference"):
        assert check.passed, check


def test_a_network_with_a_unit_on_its_bend_is_refused():
    network = mlp((2, 3, 1), np.random.default_rng(0), dtype="float64")
    with pytest.raises(MiniganError, match="bend of LeakyReLU"):
        check_network(network, np.zeros((1, 2)))


@pytest.mark.parametrize("wrong", ["deltas", "accumulate", "tangents"])
def test_a_wrong_pass_of_a_network_is_caught(wrong, monkeypatch):
    network = mlp((3, 4, 2), np.random.default_rng(0), dtype="float64")
    right = getattr(Network, wrong)

    def first_layer_lost(self, *args, **options):
        result = right(self, *args, **options)
        if wrong == "accumulate":
            return np.concatenate([result[:3] * 2, result[3:]])
        if wrong == "tangents":
            return [*result[:-1], 2 * result[-1]]
        return [None if result[0] is None else 2 * result[0], *result[1:]]

    monkeypatch.setattr(Network, wrong, first_layer_lost)
    checks = {c.name: c.passed for c in check_network(network, np.ones((2, 3)))}
    culprit = {"deltas": "network dx", "accumulate": "network dtheta"}
    assert not checks[culprit.get(wrong, "network tangents")]


@pytest.mark.parametrize("method", ["complex step", "central difference"])
@pytest.mark.parametrize("wrong", ["deltas", "gradient", "tangents"])
def test_either_method_catches_each_pass_alone(wrong, method, monkeypatch):
    layers = [Dense(3, 4), Sigmoid(), Dense(4, 2), Sigmoid()]
    network, right = Network(layers, on_host((26,))[0]), getattr(Network, wrong)

    def bent(self, *args, **options):
        made = right(self, *args, **options)
        if wrong == "gradient":
            return 1.0001 * made
        at = 0 if wrong == "deltas" else len(made) - 1
        return [v if i != at or v is None else 1.0001 * v for i, v in enumerate(made)]

    monkeypatch.setattr(Network, wrong, bent)
    checks = check_network(network, *on_host((5, 3)), method=method)
    lost = {check.name for check in checks if not check.passed}
    named = {"deltas": ("dx", 1), "gradient": ("dtheta", None), "tangents": ("tangents", 4)}
    what, layer = named[wrong]
    adjoint = {f"layer {layer} <v,Ju>=<JTv,u>"} if layer else set()
    assert lost == {f"network {what}"} | adjoint
    assert {check.method for check in checks} == {method, "adjoint", "comparison"}


def test_the_seed_decides_a_networks_directions(monkeypatch):
    network, x = Network([Dense(3, 2)], np.ones(8)), np.ones((5, 3))
    asked, tangents = [], Network.tangents
    monkeypatch.setattr(
        Network, "tangents", lambda self, trace, u: asked.append(u) or tangents(self, trace, u)
    )
    for seed in ({}, {"seed": 0}, {"seed": 1}):
        check_network(network, x, **seed)
    np.testing.assert_array_equal(asked[0], asked[1])
    assert (asked[0] != asked[2]).all()
    assert asked[0].shape == (5, 3)


def test_whole_numbers_are_refused_wherever_they_are(lib):
    x, whole = lib.array(np.ones((2, 2)), "float32"), lib.array(np.ones((2, 2), "int32"))
    theta = lib.array(np.ones(3), "float32")
    message = "^expected an array of real numbers, got dtype .*int32"
    for call in (
        lambda: check_layer(Tanh(), whole),
        lambda: check_layer(GainedSoftplus(2), x, whole[0, :]),
        lambda: check_gradient("g", sum_of_cubes, whole, whole),
        lambda: check_network(Network([Dense(2, 1)], theta), whole),
    ):
        with pytest.raises(MiniganError, match=message):
            call()


def sum_of_cubes(x):
    return array_namespace(x).sum(x * x * x)


@pytest.mark.parametrize("size", [FULL, FULL + 1])
@pytest.mark.parametrize("method", ["complex step", "central difference"])
def test_beyond_2000_entries_random_directions_are_taken(size, method):
    calls = []

    def f(x):
        calls.append(1)
        return sum_of_cubes(x)

    x = np.random.default_rng(0).standard_normal(size)
    check = check_gradient("cubes", f, x, 3 * x * x, method)
    assert check.passed, check
    each = 1 if method == "complex step" else 2
    assert len(calls) == each * (size if size <= FULL else 8)


def test_the_random_directions_of_a_gradient_are_those_of_its_seed():
    asked = []

    def f(x):
        asked.append(x.imag.copy())
        return sum_of_cubes(x)

    x = np.ones(FULL + 1)
    for seed in ({}, {"seed": 0}, {"seed": 1}):
        assert check_gradient("cubes", f, x, 3 * x, **seed).passed
    first, same, other = np.reshape(asked, (3, 8, FULL + 1))
    np.testing.assert_array_equal(first, same)
    assert (first != other).all()


@pytest.mark.parametrize("seed", range(5))
def test_random_directions_catch_a_single_wrong_entry_of_many(lib64, seed):
    x = fixed(lib64, (50, 60))
    right = 3 * home(x) ** 2
    wrong = right.copy()
    wrong[7, 7] += 1e-6
    assert check_gradient("cubes", sum_of_cubes, x, lib64.array(right), seed=seed).passed
    check = check_gradient("cubes", sum_of_cubes, x, lib64.array(wrong), seed=seed)
    assert not check.passed
    assert check.worst.startswith("cubes[")


@pytest.mark.parametrize("size", [5, 3000])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_nan_and_infinity_never_pass(size, bad):
    x = np.ones(size)
    dx = 3 * x
    dx[3] = bad
    assert not check_gradient("cubes", sum_of_cubes, x, dx).passed
    assert not check_gradient("cubes", lambda x: sum_of_cubes(x) * bad, x, 3 * x).passed


def test_losses_are_proven_and_wrong_ones_caught(lib64):
    s = fixed(lib64, (6, 1))
    right = check_loss(bce_with_logits, s, 0.9)
    assert right.passed
    assert right.name == "bce_with_logits ds"

    def lost_mean(s, t):
        loss, ds = bce_with_logits(s, t)
        return loss, ds * s.shape[0]

    wrong = check_loss(lost_mean, s, 0.9)
    assert not wrong.passed
    assert wrong.error == pytest.approx(5 / 6, rel=1e-12)
    named = check_loss(functools.partial(bce_with_logits), s, 0.9, method="central difference")
    assert named.passed
    assert (named.name, named.method) == ("partial ds", "central difference")
    assert (right.method, wrong.method) == ("complex step", "complex step")


@pytest.mark.parametrize("values", [[[1]], [[1, 2, 3]], [[-4, 7]]])
def test_rows_of_whole_numbers_never_pass_a_wrong_layer(values):
    """A direction rounded to whole numbers may be all zeros, along which nothing is wrong."""

    class Wrong(SquaredGain):
        def dparams(self, dy, x, y, a):
            return [array_namespace(dy).sum(7 * dy, axis=0)]

    x = np.array(values)
    try:
        checks = check_layer(Wrong(x.shape[1]), x, 3 + x[0])
    except MiniganError:
        return  # to refuse them is as good
    assert not results(checks)["dparams[0]"]


def test_gradients_of_another_shape_are_refused():
    with pytest.raises(MiniganError, match=r"g: expected shape \(3,\), got \(1, 3\)"):
        check_gradient("g", sum_of_cubes, np.ones(3), np.ones((1, 3)))
    with pytest.raises(MiniganError, match=r"g: expected shape \(2,\), got \(3,\)"):
        compare("g", "complex step", np.ones(3), np.ones(2))


# ---- the verdict ----


def test_the_error_is_relative_to_the_larger_norm():
    check = compare("a", "complex step", [3.0, 4.0], [3.0, 4.0 + 1e-12])
    assert check.error == pytest.approx(1e-12 / 5, rel=1e-3)
    assert compare("a", "complex step", [0.0, 0.0], [3.0, 4.0]).error == 1.0
    assert compare("a", "complex step", [3.0, 4.0], [0.0, 0.0]).error == 1.0
    assert compare("a", "complex step", [0.0], [0.0]).error == 0.0
    assert compare("a", "complex step", 1.0, 2.0).worst == "a[]: 1 claimed, 2 measured"


def test_the_tolerance_belongs_to_the_method_unless_given():
    assert TOLERANCE == {"complex step": 1e-13, "adjoint": 1e-13, "central difference": 1e-7}
    for method, tolerance in TOLERANCE.items():
        assert compare("a", method, [1.0], [1.0]).tolerance == tolerance
    assert compare("a", "complex step", [1.0], [1.1], tolerance=0.2).passed
    assert not compare("a", "complex step", [1.0], [1.0 + 1e-15], tolerance=0.0).passed


def test_errors_of_float32_are_measured_in_float64():
    huge = np.full(3, 1e30, "float32")  # whose squares float32 cannot hold
    assert compare("a", "complex step", huge, huge).error == 0.0
    assert compare("a", "complex step", huge, 2 * huge).error == pytest.approx(0.5, rel=1e-6)
    assert check_adjoint("J", huge, huge, huge, huge).passed
    assert not check_adjoint("J", huge, huge, 2 * huge, huge).passed


def test_a_proof_stays_in_the_dtype_of_its_point():
    seen = set()

    class Heard(Tanh):
        def forward(self, x):
            seen.add(x.dtype)
            return super().forward(x)

        def dx(self, dy, x, y):
            seen.update((dy.dtype, y.dtype))
            return super().dx(dy, x, y)

    x = np.random.default_rng(0).standard_normal((2, 3)).astype("float32")
    check_layer(Heard(), x, method="central difference")
    assert seen == {np.dtype("float32")}


@pytest.mark.parametrize("at", [1, 3])
def test_a_layer_that_mixes_rows_is_seen_wherever_it_stands(at):
    class Mixed(Sigmoid):
        def forward(self, x):
            return super().forward(x) + 1e-9 * x[:1]

    layers = [Dense(3, 4), Sigmoid(), Dense(4, 2), Sigmoid()]
    layers[at] = Mixed()
    check = check_network(Network(layers, on_host((26,))[0]), on_host((5, 3))[0])[-1]
    assert (check.name, check.passed) == ("network rows", False)
    assert re.fullmatch(r"a row moves by [\d.e+-]+ when another is changed", check.worst)
    assert check.worst.split()[4] == f"{check.error:.6g}"


@pytest.mark.parametrize("method", TOLERANCE)
def test_a_gradient_may_be_off_by_just_the_tolerance(method):
    """A linear function has no error of its own; the claim is off by a known factor."""
    c = np.random.default_rng(0).standard_normal((3, 4))
    for times, passes in ((0.5, True), (2.0, False), (-0.5, True), (-2.0, False)):
        claim = c * (1 + times * TOLERANCE[method])
        if method == "adjoint":
            check = check_adjoint("J", c, c, claim, c)
        else:
            check = check_gradient(
                "f", lambda x: array_namespace(x).sum(c * x), c, claim, method
            )
        assert check.passed is passes, check
        assert (check.method, check.tolerance) == (method, TOLERANCE[method])


def test_the_tolerance_itself_passes_and_more_does_not():
    assert Check("a", "adjoint", 0.5, "", 0.5).passed
    assert not Check("a", "adjoint", np.nextafter(0.5, 1), "", 0.5).passed
    assert not Check("a", "adjoint", math.nan, "", 0.5).passed
    assert not Check("a", "adjoint", math.inf, "", 0.5).passed


def test_a_list_of_checks_is_a_table_in_words_and_in_a_notebook():
    checks = check_layer(Dense(3, 2), *on_host((5, 3), (3, 2), (2,)))
    lines = repr(checks).splitlines()
    assert len(lines) == len(checks) == 8
    assert lines[1].split() == [
        "Dense.dparams[0]",
        "complex",
        "step",
        lines[1].split()[3],
        "pass",
    ]
    html = checks._repr_html_()
    assert html.count("<tr>") == 9
    assert html.count("<td>pass</td>") == 8
    assert "<td>Dense &lt;v,Ju&gt;=&lt;JTv,u&gt;</td>" in html
    assert html.count("</tr><tr><td>") == len(checks)
    assert html.startswith("<table><tr><th>")
    assert html.endswith("</td></tr></table>")
    wrong = Checks([Check("a<b", "adjoint", 0.5, "a<b[3]: 1 claimed", 1e-13)])
    assert repr(wrong).endswith("5.0e-01  FAIL at a<b[3]: 1 claimed")
    assert "<td>FAIL at a&lt;b[3]: 1 claimed</td>" in wrong._repr_html_()
    assert repr(Checks()) == "no checks"
    assert type(check_network(Network([Dense(1, 1)], np.ones(2)), np.ones((1, 1)))) is Checks


def test_a_recording_optimiser_keeps_the_gradient_and_moves_nothing():
    optimizer, theta, dtheta = RecordingOptimizer(), np.ones(3), np.arange(3.0)
    optimizer.step(theta, dtheta)
    assert optimizer.dtheta is dtheta
    np.testing.assert_array_equal(theta, 1)
