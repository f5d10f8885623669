"""Chapters 1, 5 and 11: a row of a layer's output is made of the same row of its input. A layer
that mixes rows may have every derivative right; the check of the rows alone finds it out."""

import copy

import array_api_strict
import numpy as np
import pytest
from readers import Softplus, SquaredGain, stack

from minigan import (
    CGAN,
    GAN,
    LSGAN,
    WGAN,
    Dense,
    LeakyReLU,
    MiniganError,
    Network,
    Sigmoid,
    asarray_like,
    train,
)
from minigan.arrays import array_namespace
from minigan.gradcheck import RecordingOptimizer, check_layer, check_network
from minigan.layers import mixing


class BatchNorm:
    """y = (x − mean) / √(variance + ε) over the rows, with both its derivatives.

    Ioffe & Szegedy (2015), Batch normalization, algorithm 1 without scale and shift.
    """

    eps = 0.1

    def parts(self, x):
        xp = array_namespace(x)
        centred = x - xp.mean(x, axis=0)
        return xp, centred, (xp.mean(centred * centred, axis=0) + self.eps) ** 0.5

    def forward(self, x):
        _, centred, std = self.parts(x)
        return centred / std

    def dx(self, dy, x, y):
        xp, _, std = self.parts(x)
        return (dy - xp.mean(dy, axis=0) - y * xp.mean(dy * y, axis=0)) / std

    def tangent(self, u, x, y):
        return self.dx(u, x, y)  # its Jacobian is symmetric


class Mean(BatchNorm):
    """y = x − mean over the rows."""

    def forward(self, x):
        return self.parts(x)[1]

    def dx(self, dy, x, y):
        return dy - array_namespace(dy).mean(dy, axis=0)


class FromBelow(BatchNorm):
    """Each row adds the row after it, and none looks back: only one change can be seen."""

    def shift(self, x, way):
        zero = x[:1, ...] * 0
        xp = array_namespace(x)
        return xp.concat([x[1:, ...], zero]) if way > 0 else xp.concat([zero, x[:-1, ...]])

    def forward(self, x):
        return x + self.shift(x, 1)

    def dx(self, dy, x, y):
        return dy + self.shift(dy, -1)

    def tangent(self, u, x, y):
        return u + self.shift(u, 1)


class Largest:
    """y = x over the largest of the batch; its derivatives are not needed here."""

    def forward(self, x):
        return x / x.max()

    def dx(self, dy, x, y):
        return dy / x.max()


class Detached(BatchNorm):
    """A batch normalisation whose derivatives take mean and variance for constants."""

    def dx(self, dy, x, y):
        return dy / self.parts(x)[2]


class Noisy:
    """y = x + noise: rows do not mix, though no two passes are alike."""

    def __init__(self):
        self.rng = np.random.default_rng(0)

    def forward(self, x):
        return x + self.rng.standard_normal(x.shape)

    def dx(self, dy, x, y):
        return dy

    def tangent(self, u, x, y):
        return u


MIXERS = [BatchNorm(), Mean(), FromBelow()]
every_mixer = pytest.mark.parametrize("layer", MIXERS, ids=lambda layer: type(layer).__name__)


@every_mixer
@pytest.mark.parametrize("m", [2, 5])
@pytest.mark.parametrize("method", ["complex step", "central difference"])
def test_rows_that_mix_are_one_failed_check_among_right_derivatives(layer, m, method, lib64):
    x = lib64.array(np.random.default_rng(m).standard_normal((m, 3)))
    checks = check_layer(layer, x, method=method)
    name = type(layer).__name__
    assert [check.name for check in checks if not check.passed] == [f"{name}.rows"], checks
    (rows,) = [check for check in checks if not check.passed]
    assert rows.worst.startswith("a row moves by ")
    assert "when another is changed" in str(rows)


@every_mixer
def test_a_network_with_such_a_layer_fails_the_same_check(layer):
    network = Network([Dense(3, 4), layer, Dense(4, 2)], stack((3, 4, 2)).theta)
    checks = check_network(network, np.random.default_rng(0).standard_normal((5, 3)))
    assert [check.name for check in checks if not check.passed] == ["network rows"], checks


@pytest.mark.parametrize("m", [1, 2, 6])
def test_layers_that_keep_rows_apart_pass_even_if_only_one_row_is_given(m):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((m, 3))
    for layer, *params in (
        (Dense(3, 2), rng.standard_normal((3, 2)), np.ones(2)),
        (Dense(3, 2, bias=False), rng.standard_normal((3, 2))),
        (LeakyReLU(),),
        (Sigmoid(),),
        (Softplus(),),
        (SquaredGain(3), np.ones(3)),
    ):
        (check,) = [c for c in check_layer(layer, x, *params) if c.name.endswith(".rows")]
        assert (check.passed, check.error, check.tolerance) == (True, 0.0, 0.0)


def test_rows_that_mix_are_seen_in_a_single_row_given_twice():
    (check,) = [c for c in check_layer(Mean(), np.ones((1, 3))) if c.name == "Mean.rows"]
    assert not check.passed


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_how_far_a_row_moves(dtype):
    x = np.array([[1.0], [2.0]], dtype)
    assert mixing(lambda x: x, x) == 0
    # 2 becomes 0.3 · 2 + 0.1 = 0.7, which moves the mean by (2 − 0.7)/2
    assert mixing(Mean().forward, x) == pytest.approx(0.65)
    assert mixing(Largest().forward, x) > 0.4
    assert mixing(Noisy().forward, x) == 0
    np.testing.assert_array_equal(x, np.array([[1.0], [2.0]], dtype))


def test_either_row_may_be_the_one_that_reads_the_other():
    x = np.array([[1.0], [2.0]])
    assert mixing(FromBelow().forward, x) == pytest.approx(1.3)  # 2 becomes 0.7
    assert mixing(lambda x: FromBelow().forward(x[::-1])[::-1], x) == pytest.approx(0.6)


def test_rows_are_compared_on_the_device_where_they_are():
    like = array_api_strict.zeros((), device=array_api_strict.Device("device1"))
    assert mixing(Mean().forward, asarray_like(np.array([[1.0], [2.0]]), like)) > 0


# ---- games ----


def mixed(widths, layer, bias=True):
    network = stack(widths, lambda k: layer, bias=bias)
    assert layer in network.layers
    return network


@pytest.mark.parametrize(
    "layer", [*MIXERS, Largest(), Detached()], ids=lambda x: type(x).__name__
)
@pytest.mark.parametrize("cls", [GAN, LSGAN, WGAN, CGAN])
def test_a_player_that_mixes_rows_is_refused_with_the_reason(cls, layer):
    n = 3 if cls is CGAN else 0
    more = {"n_classes": 3} if n else {}
    bias = cls is not WGAN
    G, D = stack((2 + n, 5, 4)), stack((4 + n, 5, 1), bias=bias)
    cls(G=G, D=D, **more)
    with pytest.raises(
        MiniganError,
        match="^D: a row of the output changes when another row of the input does, but the "
        r"pass that serves both players \(21\) takes each score to be that of one row alone; ",
    ):
        cls(G=G, D=mixed((4 + n, 5, 1), layer, bias), **more)
    with pytest.raises(
        MiniganError,
        match="^G: a row of the output changes when another row of the input does, but a "
        "sample must not depend on those that are drawn beside it; .* batch normalisation$",
    ):
        cls(G=mixed((2 + n, 5, 4), layer), D=D, **more)


def test_a_last_layer_that_mixes_rows_is_refused_as_any_other():
    D = stack((4, 5, 1))
    with pytest.raises(MiniganError, match="^D: a row of the output changes"):
        GAN(G=stack((2, 5, 4)), D=Network([*D.layers, Mean()], D.theta))


def test_noise_within_a_discriminator_is_not_taken_for_a_mixture():
    model = GAN(G=stack((2, 5, 4)), D=mixed((4, 5, 1), Noisy()))
    assert len(list(train(model, np.random.default_rng(0).random((30, 4)), 2, 8))) == 2


def test_what_is_refused_would_have_broken_one_pass_for_both(monkeypatch):
    """(21) and (20) are one gradient for every D but such a one."""
    found = {}
    for layer in (Softplus(), BatchNorm()):
        with monkeypatch.context() as patch:
            patch.setattr("minigan.network.mixing", lambda f, x: 0.0)
            model = GAN(G=stack((2, 5, 4)), D=mixed((4, 5, 1), layer))
        plain, shared = copy.copy(model), copy.copy(model)
        rng = np.random.default_rng(0)
        x, z = rng.random((6, 4)), rng.standard_normal((6, 2))
        for game in (plain, shared):
            game.G_optimizer, game.D_optimizer = RecordingOptimizer(), RecordingOptimizer()
        _, x_fake = plain.G_step(x, z)
        plain.D_step(x, x_fake)
        shared.update(x, z)
        a, b = plain.D_optimizer.dtheta, shared.D_optimizer.dtheta
        found[type(layer).__name__] = np.linalg.norm(a - b) / np.linalg.norm(a)
    assert found["Softplus"] < 1e-14
    assert found["BatchNorm"] > 0.1
