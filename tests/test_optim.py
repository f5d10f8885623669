"""Chapter 4: the optimisers against closed forms of their sums and HIPS autograd's Adam; what
they remember can be kept, copied and gone back to."""

import copy
import inspect
import math
import pickle

import numpy as np
import pytest
from autograd.misc.optimizers import adam
from hypothesis import given
from hypothesis import strategies as st
from strategies import seeds, sizes

from minigan import SGD, Adam, BackendError, MiniganError, RMSProp, to_numpy

rates = st.sampled_from([0.0, 0.5, 0.9, 0.999])
steps = st.integers(1, 6)
learning = st.sampled_from([1e-4, 1e-2, 1.0])
EVERY = [lambda: SGD(0.1, 0.9), RMSProp, Adam]
gradient_scales = st.sampled_from([1e-6, 1e-3, 1.0, 1e3, 1e6])


@st.composite
def descents(draw):
    """(θ₀, the gradients of each step)."""
    n, rng = draw(sizes), np.random.default_rng(draw(seeds))
    gradients = draw(gradient_scales) * rng.standard_normal((draw(steps), n))
    return rng.standard_normal(n), gradients


def descend(lib, optimizer, theta, gradients, dtype=None):
    dtype = dtype or lib.dtypes[-1]
    theta = lib.array(theta, dtype) + 0
    for g in gradients:
        optimizer.step(theta, lib.array(g, dtype))
    assert to_numpy(theta).dtype == dtype
    return to_numpy(theta)


def assert_moved_alike(lib, theta, start, expected):
    eps, move = np.finfo(lib.dtypes[-1]).eps, np.linalg.norm(expected - start)
    assert np.linalg.norm(theta - expected) <= 50 * eps * (move + np.linalg.norm(start))


def weighted(rate, gradients, t):
    """Σ_{i ≤ t} rate^(t−i) g_i, the closed form of a ← rate·a + g."""
    return sum(rate ** (t - i) * g for i, g in enumerate(gradients[:t], 1))


@given(descents(), learning, rates)
def test_eq16_sgd_with_momentum(lib, drawn, lr, momentum):
    start, gradients = drawn
    theta = descend(lib, SGD(lr, momentum), start, gradients)
    moves = [lr * weighted(momentum, gradients, t) for t in range(1, len(gradients) + 1)]
    assert_moved_alike(lib, theta, start, start - sum(moves))


@given(descents(), learning, rates)
def test_eq17_rmsprop(lib, drawn, lr, rho):
    start, gradients = drawn
    theta = descend(lib, RMSProp(lr, rho), start, gradients)
    expected = start - sum(
        lr * g / (np.sqrt((1 - rho) * weighted(rho, gradients**2, t)) + 1e-8)
        for t, g in enumerate(gradients, 1)
    )
    assert_moved_alike(lib, theta, start, expected)


@given(descents(), learning, rates, rates)
def test_eq18_eq18a_eq18b_eq18c_adam_is_autograds(lib, drawn, lr, beta1, beta2):
    start, gradients = drawn
    theta = descend(lib, Adam(lr, beta1, beta2), start, gradients)
    reference = adam(
        lambda _, i: gradients[i], start, None, len(gradients), lr, beta1, beta2, eps=1e-8
    )
    assert_moved_alike(lib, theta, start, reference)


@pytest.mark.parametrize("t", [1, 2, 10])
def test_eq18a_a_constant_gradient_moves_adam_by_lr_each_step(lib, t):
    """m̂ = g and v̂ = g² exactly at every t: the power t in 1 − β^t is what makes it so."""
    theta = descend(lib, Adam(0.01, eps=0.0), np.zeros(2), np.tile([3.0, -0.2], (t, 1)))
    np.testing.assert_allclose(theta, [-0.01 * t, 0.01 * t], rtol=1e-5)


@pytest.mark.parametrize("make", [SGD, RMSProp, Adam])
def test_a_small_step_descends(lib, make):
    start = np.array([3.0, -2.0])
    theta = descend(lib, make(1e-3), start, [2 * start])
    assert (theta**2).sum() < (start**2).sum()


@pytest.mark.parametrize("make", EVERY)
def test_a_saved_state_goes_on_bit_for_bit(make):
    rng = np.random.default_rng(0)
    gradients, whole, halved = rng.standard_normal((6, 5)), np.ones(5), np.ones(5)
    first, second, unbroken = make(), make(), make()
    for g in gradients:
        unbroken.step(whole, g)
    for g in gradients[:3]:
        first.step(halved, g)
    second.load_state({key: np.copy(value)[()] for key, value in first.state().items()})
    for g in gradients[3:]:
        second.step(halved, g)
    np.testing.assert_array_equal(whole, halved)


def after_some_steps(make, steps=3):
    """(optimiser, θ, further gradients)"""
    gradients = np.random.default_rng(0).standard_normal((6, 5))
    optimizer, theta = make(), np.ones(5)
    for g in gradients[:steps]:
        optimizer.step(theta, g)
    return optimizer, theta, gradients[3:]


@pytest.mark.parametrize("make", EVERY)
def test_going_back_to_a_kept_state_repeats_the_same_steps(make):
    optimizer, theta, gradients = after_some_steps(make)
    kept, start, ends = optimizer.state(), theta.copy(), []
    for _ in range(3):
        optimizer.load_state(kept)
        theta[...] = start
        for g in gradients:
            optimizer.step(theta, g)
        ends.append(theta.copy())
    assert (ends[0] != start).all()
    np.testing.assert_array_equal(ends[1:], ends[:1] * 2)


@pytest.mark.parametrize("make", EVERY)
def test_a_kept_state_shares_no_array_with_those_who_gave_it_or_took_it(make):
    first, _, _ = after_some_steps(make)
    second, third, state = make(), make(), first.state()
    for each in (second, third):
        each.load_state(state)
    assert state.keys() == {"t", *first.slots}
    for slot in first.slots:
        arrays = [state[slot], *(getattr(each, slot) for each in (first, second, third))]
        for i, one in enumerate(arrays):
            assert not any(np.shares_memory(one, other) for other in arrays[:i])
            np.testing.assert_array_equal(one, arrays[0])


@pytest.mark.parametrize("twin_of", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
@pytest.mark.parametrize("steps", [0, 3])
@pytest.mark.parametrize("make", EVERY)
def test_a_copy_goes_on_as_the_original_and_by_itself(make, steps, twin_of):
    first, theta, gradients = after_some_steps(make, steps)
    second, twin = twin_of(first), theta.copy()
    for optimizer, own in ((first, theta), (second, twin)):
        for g in gradients:
            optimizer.step(own, g)
    np.testing.assert_array_equal(twin, theta)
    assert second.t == first.t == steps + 3


def test_an_optimiser_shows_its_settings_and_its_steps():
    optimizer = RMSProp(0.01)
    assert repr(optimizer) == "RMSProp(lr=0.01, rho=0.9, eps=1e-08), 0 steps taken"
    optimizer.t = 12_000
    assert repr(optimizer).endswith(", 12,000 steps taken")
    assert repr(SGD()) == "SGD(lr=0.01, momentum=0), 0 steps taken"


def test_the_defaults_of_the_optimisers():
    assert vars(SGD()) == {"lr": 0.01, "t": 0, "momentum": 0.0}
    assert vars(RMSProp()) == {"lr": 1e-3, "t": 0, "rho": 0.9, "eps": 1e-8}
    assert vars(Adam()) == {"lr": 1e-3, "t": 0, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}


@pytest.mark.parametrize("make", [SGD, RMSProp, Adam])
def test_rates_of_numpy_become_floats_and_float32_stays_float32(make):
    names = [n for n in inspect.signature(make).parameters if n != "lr"]
    optimizer = make(np.float32(0.5), **{n: np.float64(0.5) for n in names})
    assert {type(value) for value in optimizer.settings().values()} == {float}
    g, ends = np.random.default_rng(0).standard_normal(99).astype("float32"), []
    for lr in (0.1, np.float64(0.1)):
        optimizer, theta = make(), np.ones(99, "float32")
        optimizer.lr = lr  # as a schedule may do, between two steps
        optimizer.step(theta, g)
        ends.append(theta)
        assert {getattr(optimizer, slot).dtype for slot in optimizer.slots} == {g.dtype}
    np.testing.assert_array_equal(*ends)


@pytest.mark.parametrize("make", [SGD, RMSProp, Adam])
def test_complex_gradients_are_followed(make):
    """A derivative carried in the imaginary part survives a step."""
    theta = np.array([1.0 + 0j, 2.0])
    make(0.1).step(theta, np.array([1 + 1e-30j, 2.0]))
    assert theta.dtype == np.complex128
    assert np.isfinite(theta).all()


@pytest.mark.parametrize("lr", [0.0, -1.0, math.nan])
def test_a_rate_must_be_positive(lr):
    with pytest.raises(MiniganError, match="lr: expected a positive number"):
        Adam(lr)


@pytest.mark.parametrize("make", [SGD, RMSProp, Adam])
def test_the_smallest_and_the_greatest_decay(make):
    rates = {n: 0.0 for n in inspect.signature(make).parameters if n not in ("lr", "eps")}
    make(1e-300, **rates)
    for name in rates:
        with pytest.raises(MiniganError, match=f"^{name}: "):
            make(1.0, **rates | {name: 1.0})


@pytest.mark.parametrize("make", [SGD, RMSProp, Adam])
@pytest.mark.parametrize("wrong", ["0.1", None, True, math.nan, [0.1]])
def test_every_rate_of_a_wrong_type_is_refused_by_its_name(make, wrong):
    for name in inspect.signature(make).parameters:
        with pytest.raises(MiniganError, match=f"^{name}: "):
            make(**{name: wrong})


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: Adam(beta1=1.0), "beta1"),
        (lambda: Adam(beta2=-0.1), "beta2"),
        (lambda: RMSProp(rho=1.5), "rho"),
        (lambda: SGD(momentum=1.0), "momentum"),
    ],
)
def test_a_decay_must_lie_in_zero_to_one(make, name):
    with pytest.raises(MiniganError, match=rf"{name}: expected a number in \[0, 1\)"):
        make()


def test_a_gradient_of_another_shape_is_refused():
    with pytest.raises(MiniganError, match=r"dtheta: expected shape \(3,\), got \(4,\)"):
        SGD().step(np.zeros(3), np.zeros(4))


def test_a_gradient_of_another_library_is_refused(lib):
    if lib.name == "numpy":
        pytest.skip("NumPy against itself is one library")
    with pytest.raises(BackendError, match="numpy .* met in one call"):
        SGD().step(lib.array(np.zeros(3), "float32"), np.zeros(3, "float32"))


@pytest.mark.parametrize("make", [RMSProp, Adam])
def test_a_negative_epsilon_is_refused(make):
    assert make(eps=0.0).eps == 0
    with pytest.raises(MiniganError, match="^eps: must be at least 0, got -1"):
        make(eps=-1.0)
