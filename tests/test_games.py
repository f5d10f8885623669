"""Chapters 6 to 11, end to end: what one step does to θ_G and θ_D, against HIPS autograd and
against the complex step. Test suites of published GANs never compared the generator's
gradient through the critic; here it is the first thing compared."""

import functools
import math
from dataclasses import asdict

import numpy as np
import pytest
import reference
from autograd import grad
from hypothesis import given
from hypothesis import strategies as st
from reference import Reference, ReferenceAdam, ReferenceRMSProp
from strategies import fewer, normal, seeds, sizes

from minigan import (
    CGAN,
    CLSGAN,
    CR3GAN,
    CWGAN,
    CWGANGP,
    GAN,
    LSGAN,
    R3GAN,
    WGAN,
    WGANGP,
    Dense,
    Network,
    mlp,
    to_numpy,
)
from minigan.gradcheck import RecordingOptimizer, check_gradient, to_complex
from minigan.lab.models import MODELS
from minigan.penalty import gradient_penalty, zero_centred_penalty

GP_ADAM = functools.partial(ReferenceAdam, beta2=0.9)
R3_ADAM = functools.partial(ReferenceAdam, beta2=0.99, beta1=0.0)

GAMES = {
    "gan": (GAN, {}, reference.gan_D, reference.gan_G, ReferenceAdam),
    "gan-no-smoothing": (
        GAN,
        {"real_label": 1.0},
        functools.partial(reference.gan_D, label=1.0),
        reference.gan_G,
        ReferenceAdam,
    ),
    "gan-minimax": (
        GAN, {"minimax": True}, reference.gan_D, reference.gan_G_minimax, ReferenceAdam
    ),
    "cgan": (CGAN, {"n_classes": 3}, reference.gan_D, reference.gan_G, ReferenceAdam),
    "wgan": (WGAN, {}, reference.wgan_D, reference.wgan_G, ReferenceRMSProp),
    "wgan-gp": (WGANGP, {}, reference.wgan_D, reference.wgan_G, GP_ADAM),
    "lsgan": (LSGAN, {}, reference.lsgan_D, reference.lsgan_G, ReferenceAdam),
    "lsgan-abc": (
        LSGAN,
        {"a": -1.0, "b": 0.5, "c": 0.25},
        functools.partial(reference.lsgan_D, a=-1.0, b=0.5),
        functools.partial(reference.lsgan_G, c=0.25),
        ReferenceAdam,
    ),
    "r3gan": (R3GAN, {"gamma": 0.7}, reference.r3gan_D, reference.r3gan_G, R3_ADAM),
    "r3gan-0": (R3GAN, {"gamma": 0.0}, reference.r3gan_D, reference.r3gan_G, R3_ADAM),
    "cr3gan": (CR3GAN, {"n_classes": 3}, reference.r3gan_D, reference.r3gan_G, R3_ADAM),
    "cwgan": (CWGAN, {"n_classes": 3}, reference.wgan_D, reference.wgan_G, ReferenceRMSProp),
    "cwgan-gp": (CWGANGP, {"n_classes": 3}, reference.wgan_D, reference.wgan_G, GP_ADAM),
    "clsgan": (CLSGAN, {"n_classes": 3}, reference.lsgan_D, reference.lsgan_G, ReferenceAdam),
}  # fmt: skip


class SmallGame:
    """A small game in float64 on one library, a batch to play with, and its reference."""

    def __init__(
        self, game, lib, seed=0, G_hidden=(7, 6), D_hidden=(6, 5), m=5, remember=False
    ):
        cls, options, D_loss, G_loss, self.optimizer = GAMES[game]
        dtype = lib.dtypes[-1]
        make = {
            "n_data": 4,
            "n_noise": 3,
            "dtype": dtype,
            "seed": seed % 1000,
            "ema_decay": 0.0,
        }
        self.model = cls(**make, G_hidden=G_hidden, D_hidden=D_hidden, **options)
        rng = np.random.default_rng(seed)
        for name in ("G", "D"):  # biases too must be in general position
            net = getattr(self.model, name)
            theta = net.theta + 0.1 * rng.standard_normal(net.theta.shape).astype(dtype)
            setattr(self.model, name, Network(net.layers, lib.array(theta)))
            if remember:
                setattr(self.model, f"{name}_optimizer", RecordingOptimizer())
                self.model.constrain = lambda: None
        self.lib = lib
        n_classes = getattr(self.model, "n_classes", 0)
        self.x = rng.random((m, 4)).astype(dtype)
        self.z = rng.standard_normal((m, 3)).astype(dtype)
        self.labels = rng.integers(0, n_classes, m) if n_classes else None
        self.reference = Reference(self.model, D_loss, G_loss, n_classes)
        self.eps = np.random.default_rng(7).random((m, 1), dtype)
        self.G, self.D = (to_numpy(n.theta).astype(float) for n in (self.model.G, self.model.D))

    @property
    def c(self):
        return (
            None if self.labels is None else self.model.condition(self.lib.array(self.labels))
        )

    def play(self, how):
        """One G step and one D step on the same fakes, plainly or from a shared pass."""
        x, z, rng = self.lib.array(self.x), self.lib.array(self.z), np.random.default_rng(7)
        if how == "update":
            return self.model.update(x, z, self.c, rng)
        record, x_fake = self.model.G_step(x, z, self.c)
        D_step = self.model.D_update if how == "D_update" else self.model.D_step
        return record | D_step(x, x_fake, self.c, rng)

    def gradients(self, how):
        """What the optimisers, which only record, are given: (∂L_G/∂θ_G, ∂L_D/∂θ_D)."""
        self.play(how)
        return self.model.G_optimizer.dtheta, self.model.D_optimizer.dtheta

    def expected(self):
        """(∂L_G/∂θ_G, ∂L_D/∂θ_D) by autograd."""
        x, z = self.x.astype(float), self.z.astype(float)
        fakes = self.reference.fakes(self.G, z, self.labels)
        return (
            self.reference.G_gradient(self.G, self.D, x, z, self.labels),
            self.reference.D_gradient(self.D, x, fakes, self.labels, self.eps.astype(float)),
        )


def relative(actual, expected):
    return np.linalg.norm(to_numpy(actual) - expected) / np.linalg.norm(expected)


WAYS = "plain", "update", "D_update"
every_way = pytest.mark.parametrize("how", WAYS)
every_game = pytest.mark.parametrize("game", GAMES)
widths = st.lists(st.integers(1, 6), max_size=2).map(tuple)


@every_game
@fewer
@given(seeds, st.integers(1, 6), widths, widths)
def test_eq19_eq20_eq21_eq21a_gradients_equal_autograds(lib, game, seed, m, G_, D_):
    tolerance, floor = (1e-12, 1e-15) if lib.dtypes[-1] == "float64" else (1e-4, 1e-6)
    small = SmallGame(game, lib, seed, G_, D_, m, remember=True)
    gradients = small.expected()
    for how in WAYS:
        for dtheta, expected in zip(small.gradients(how), gradients):
            gap = np.linalg.norm(to_numpy(dtheta) - expected)
            assert gap <= tolerance * np.linalg.norm(expected) + floor, how


@every_game
def test_eq19_eq20_gradients_equal_the_complex_step_and_eq21_eq21a_the_plain_ones(lib64, game):
    small = SmallGame(game, lib64, G_hidden=(3, 2), D_hidden=(3, 2), remember=True)
    model, x, z = small.model, lib64.array(small.x), lib64.array(small.z)
    c, gradients = small.c, {how: small.gradients(how) for how in WAYS}
    x_fake, complex_c = model.generate(z, c), None if c is None else to_complex(c)

    def G_loss(theta):
        fakes = Network(model.G.layers, theta).forward(model.G_input(to_complex(z), complex_c))
        D = Network(model.D.layers, to_complex(model.D.theta))
        rows = (model.D_input(rows, complex_c) for rows in (to_complex(x), fakes[-1]))
        return model.G_loss(*(D.forward(r)[-1] for r in rows))[0]

    def D_loss(theta):
        D = Network(model.D.layers, theta)
        rows = (model.D_input(to_complex(rows), complex_c) for rows in (x, x_fake))
        loss = model.D_loss(*(D.forward(r)[-1] for r in rows))[0]
        if "gp" in game:
            eps = lib64.array(small.eps)
            x_hat = model.D_input(to_complex(eps * x + (1 - eps) * x_fake), complex_c)
            return loss + gradient_penalty(D, x_hat, n=4)[0]
        for row in (x, x_fake) if getattr(model, "gamma", 0) else ():
            row = model.D_input(to_complex(row), complex_c)
            loss = loss + zero_centred_penalty(D, row, model.gamma, n=4)[0]
        return loss

    players = ("G", G_loss, model.G.theta), ("D", D_loss, model.D.theta)
    for (name, loss, theta), *ways in zip(players, *gradients.values()):
        check = check_gradient(name, loss, theta, ways[0])
        assert check.passed, check
        for dtheta in ways[1:]:
            assert relative(dtheta, to_numpy(ways[0])) < 1e-13


@every_way
@every_game
def test_three_iterations_move_both_players_as_the_reference_does(lib64, game, how):
    """Loss, backward pass, optimiser, clip and their order, all at once.

    With this seed every unit of D bends for some row, until a clip has made it small. The bias
    of one that does not moves all scores alike: where a game has only their differences, its
    gradient is nothing but rounding errors, of which Adam makes steps.
    """
    small = SmallGame(game, lib64, seed=7, D_hidden=(4, 3), m=32)
    G_rule, D_rule = small.optimizer(small.model.lr), small.optimizer(small.model.D_lr)
    for _ in range(3):
        G_gradient, D_gradient = small.expected()
        small.G, small.D = G_rule.step(small.G, G_gradient), D_rule.step(small.D, D_gradient)
        if game.endswith("wgan"):
            small.D = np.array([min(max(w, -0.01), 0.01) for w in small.D])
        small.play(how)
        assert relative(small.model.G.theta, small.G) < 1e-12
        assert relative(small.model.D.theta, small.D) < 1e-12


@every_game
def test_the_records_state_the_losses_that_were_descended(lib64, game):
    small = SmallGame(game, lib64, remember=True)
    record = small.play("update")
    ref = small.reference
    fakes = ref.fakes(small.G, small.z, small.labels)
    s_real, s_fake = (ref.score(small.D, rows, small.labels) for rows in (small.x, fakes))
    loss_D = ref.D_loss(small.D, small.x, fakes, small.labels, small.eps)
    expected = {"loss_D": loss_D, "loss_G": ref.of_G(s_real, s_fake)}
    if "wgan" in game:
        expected["w_estimate"] = np.mean(s_real) - np.mean(s_fake)
    elif "r3gan" in game:
        expected["D(x)>D(G(z))"] = np.mean(1 / (1 + np.exp(s_fake - s_real)))
    elif "lsgan" in game:
        expected |= {"D(x)": np.mean(s_real), "D(G(z))": np.mean(s_fake)}
    else:
        expected["D(x)"] = np.mean(1 / (1 + np.exp(-s_real)))
        expected["D(G(z))"] = np.mean(1 / (1 + np.exp(-s_fake)))
    if ref.weight or ref.gamma:
        expected["penalty"] = loss_D - ref.of_D(s_real, s_fake)
    assert record.keys() == expected.keys()
    for name, value in expected.items():
        assert float(record[name]) == pytest.approx(value, rel=1e-12, abs=1e-14)


def check_losses(game, lib, s_real, s_fake):
    """A game's losses of given scores, and their derivatives, against the plain expressions."""
    cls, options, of_D, of_G, _ = GAMES[game]
    model, dtype = cls(n_data=2, G_hidden=(2,), D_hidden=(2,), **options), lib.dtypes[-1]
    moved = [lib.array(s, dtype) for s in (s_real, s_fake)]
    s_real, s_fake = (s.astype(dtype).astype(float) for s in (s_real, s_fake))
    loss_D, ds_real, ds_fake = model.D_loss(*moved)
    loss_G, ds_G = model.G_loss(*moved)
    tolerance = 100 * float(np.finfo(dtype).eps)
    for actual, expected in (
        (loss_D, of_D(s_real, s_fake)),
        (loss_G, of_G(s_real, s_fake)),
        (ds_real, grad(of_D, 0)(s_real, s_fake)),
        (ds_fake, grad(of_D, 1)(s_real, s_fake)),
        (ds_G, grad(of_G, 1)(s_real, s_fake)),
    ):
        gap = np.abs(np.asarray(to_numpy(actual), float) - expected).max()
        assert gap <= tolerance * (1 + np.abs(expected).max())


rows = normal(sizes, 1, scale=st.sampled_from([0.1, 1.0, 10.0]))


@given(rows, rows)
def test_eq22_eq23_the_gans_losses_are_cross_entropies(lib, s_real, s_fake):
    check_losses("gan", lib, s_real, s_fake)


@given(rows, rows)
def test_eq24_the_minimax_loss_is_the_other_one(lib, s_real, s_fake):
    check_losses("gan-minimax", lib, s_real, s_fake)


@given(rows, rows)
def test_eq28_eq29_the_wgans_losses_are_differences_of_means(lib, s_real, s_fake):
    check_losses("wgan", lib, s_real, s_fake)


@given(rows, rows)
def test_eq32_eq33_the_lsgans_losses_are_mean_squares(lib, s_real, s_fake):
    check_losses("lsgan-abc", lib, s_real, s_fake)


@given(sizes, seeds, st.sampled_from([0.1, 1.0, 10.0]))
def test_eq40_eq41_the_relativistic_losses_compare_row_with_row(lib, m, seed, scale):
    s_real, s_fake = scale * np.random.default_rng(seed).standard_normal((2, m, 1))
    check_losses("r3gan", lib, s_real, s_fake)


@every_game
def test_a_step_moves_its_own_player_only(lib, game):
    small = SmallGame(game, lib)
    model = small.model
    G, D = to_numpy(model.G.theta).copy(), to_numpy(model.D.theta).copy()
    _, x_fake = model.G_step(lib.array(small.x), lib.array(small.z), small.c)
    np.testing.assert_array_equal(to_numpy(model.D.theta), D)
    assert (to_numpy(model.G.theta) != G).any()
    G = to_numpy(model.G.theta).copy()
    model.D_step(lib.array(small.x), x_fake, small.c, np.random.default_rng(7))
    np.testing.assert_array_equal(to_numpy(model.G.theta), G)
    assert (to_numpy(model.D.theta) != D).any()


@every_game
def test_a_small_step_lowers_the_players_own_loss(game, lib64):
    small = SmallGame(game, lib64)
    model, z, x = small.model, lib64.array(small.z), lib64.array(small.x)
    model.G_optimizer.lr = model.D_optimizer.lr = 1e-5
    model.constrain()
    before, x_fake = model.G_step(x, z, small.c)
    after, _ = model.G_step(x, z, small.c)
    assert float(after["loss_G"]) < float(before["loss_G"])
    before = model.D_step(x, x_fake, small.c, np.random.default_rng(7))
    after = model.D_step(x, x_fake, small.c, np.random.default_rng(7))
    assert float(after["loss_D"]) < float(before["loss_D"])


@every_game
def test_float32_stays_float32(game, lib):
    small = SmallGame(game, lib)
    model, dtype = small.model, lib.dtypes[0]
    model = type(model)(**{**asdict(model), "dtype": dtype})
    for name in ("G", "D"):
        net = getattr(model, name)
        setattr(model, name, Network(net.layers, lib.array(net.theta)))
    x, z = lib.array(small.x, dtype), lib.array(small.z, dtype)
    c = None if small.labels is None else model.condition(lib.array(small.labels))
    record = model.update(x, z, c, np.random.default_rng(7))
    for value in record.values():
        assert str(value.dtype).endswith(dtype)
    for optimizer in (model.G_optimizer, model.D_optimizer):
        for slot in optimizer.slots:
            assert to_numpy(getattr(optimizer, slot)).dtype == dtype


class Rows:
    """A source of batches that counts what was taken."""

    def __init__(self, small):
        self.small, self.taken = small, 0

    def __iter__(self):
        return self

    def __next__(self):
        self.taken += 1
        labels = self.small.labels
        return self.small.lib.array(self.small.x), (
            None if labels is None else self.small.lib.array(labels)
        )


def test_eq30_the_critic_takes_its_steps_and_eq31_stays_within_the_clip(lib):
    small = SmallGame("wgan", lib)
    model, rows = small.model, Rows(small)
    steps, clips = [], []
    D_step, constrain = model.D_optimizer.step, model.constrain

    def counted(*args):
        steps.append(1)
        D_step(*args)

    def clipped():
        constrain()
        clips.append(float(np.max(np.abs(to_numpy(model.D.theta)))))

    model.D_optimizer.step, model.constrain = counted, clipped
    x, z = lib.array(small.x), lib.array(small.z)
    model.G_step(x, z)  # the averages exist from the first step on
    rng, counts = np.random.default_rng(0), {}
    for t in (0, 24, 25, 26, 499, 500, 501):
        model.G_optimizer.t, before = t, len(steps)
        model.iteration(rows, rng)
        counts[t] = len(steps) - before
    assert counts == {0: 100, 24: 100, 25: 5, 26: 5, 499: 5, 500: 100, 501: 5}
    assert rows.taken == sum(counts.values()) == len(clips)
    assert max(clips) <= np.asarray(0.01, lib.dtypes[-1]) + 1e-9
    assert min(clips) > 0


def test_eq25_eq26_eq27_the_condition_reaches_both_players(lib):
    small = SmallGame("cgan", lib)
    model, labels = small.model, [2, 0, 1, 1, 2]
    c = model.condition(lib.array(np.array(labels)))
    np.testing.assert_array_equal(to_numpy(c), reference.one_hot(labels, 3))
    z, x = lib.array(small.z), lib.array(small.x)
    given_G, given_D = to_numpy(model.G_input(z, c)), to_numpy(model.D_input(x, c))
    np.testing.assert_array_equal(given_G, np.hstack([small.z, to_numpy(c)]))
    np.testing.assert_array_equal(given_D, np.hstack([small.x, to_numpy(c)]))


@every_game
def test_the_iteration_of_the_cgan_gives_fakes_the_labels_of_its_rows(game, lib):
    small = SmallGame(game, lib)
    small.model.critic_steps = lambda: 1
    seen = []
    update = small.model.update
    small.model.update = lambda x, z, c, rng: seen.append(c) or update(x, z, c, rng)
    small.model.iteration(Rows(small), np.random.default_rng(0))
    if small.labels is None:
        assert seen[0] is None
    else:
        np.testing.assert_array_equal(to_numpy(seen[0]), reference.one_hot(small.labels, 3))


def test_eq19a_samples_come_from_the_average_of_the_generators_parameters(lib64):
    small = SmallGame("gan", lib64)
    model, beta = small.model, 0.75
    model.ema_decay = beta
    mean = to_numpy(model.G.theta).copy()
    model.G_average = Network(model.G.layers, lib64.array(mean.copy()))
    z = lib64.array(small.z)
    for t in range(1, 31):
        model.G_step(lib64.array(small.x), z)
        keep = t / (t + 9) if t < 27 else beta  # 27/36 is β
        mean = keep * mean + (1 - keep) * to_numpy(model.G.theta)
    assert relative(model.G_average.theta, mean) < 1e-14
    expected = small.reference.fakes(mean, small.z, None)
    assert relative(model.generate(z), expected) < 1e-13


def test_eq19a_the_average_forgets_the_start_as_binomials_grow():
    """With a generator that stands at 1, and an average that began at 0."""
    model = GAN(n_data=2, n_noise=2, ema_decay=0.999, dtype="float64", G_hidden=(3,))
    model.G_optimizer = Counting()
    model.G.theta[...], model.G_average.theta[...] = 1, 0
    for t in range(1, 101):
        model.descend_G(0 * model.G.theta)
        assert model.G_average.theta == pytest.approx(1 - 1 / math.comb(t + 9, 9), rel=1e-13)


class Counting:
    """An optimiser that only counts its steps."""

    t = 0

    def step(self, theta, dtheta):
        self.t += 1


# ---- one iteration ----

SMALL = {"n_data": 4, "n_noise": 3, "G_hidden": (6,), "D_hidden": (5, 2)}


class Still:
    """An optimiser that moves nothing, past the first steps, when a WGAN takes a hundred."""

    t = 26

    def step(self, theta, dtheta):
        pass


@pytest.mark.parametrize("name", MODELS)
def test_an_iteration_takes_its_rows_and_gives_every_fake_its_condition(name):
    options = {"n_classes": 3} if name.startswith("c") else {}
    model, m, seen = MODELS[name](**SMALL, **options), 5, []
    if model.n_condition:
        labels = np.array([2, 0, 1, 1, 0])
        c = np.eye(3, dtype="float32")[labels]
    else:
        labels = c = None
    model.G_optimizer = model.D_optimizer = Still()
    D_update = model.D_update

    def watched(x, x_fake, c=None, *more):
        seen.append((x_fake.shape, c))
        return D_update(x, x_fake, c, *more)

    model.D_update = watched
    rows = iter([(np.full((m, 4), 0.5, "float32"), labels)] * 9)
    record = model.iteration(rows, np.random.default_rng(0))
    steps = 5 if "wgan" in name else 1
    assert len(list(rows)) == 9 - steps
    assert len(seen) == steps - 1
    assert {"loss_D", "loss_G"} <= record.keys()
    for shape, condition in seen:
        assert shape == (m, 4)
        np.testing.assert_array_equal(condition, c)


def test_further_fakes_of_a_critic_are_fresh_and_follow_the_condition():
    model = MODELS["cwgan"](**SMALL, n_classes=3, n_critic=2)
    labels, z = [np.array([0, 1, 2]), np.array([2, 2, 1])], []
    seen, forward = [], model.G.forward
    model.G_optimizer = model.D_optimizer = Still()
    noise = model.noise
    model.noise = lambda *args: z.append(noise(*args)) or z[-1]
    model.G.forward = lambda x: seen.append(x) or forward(x)
    fakes, D_update = [], model.D_update
    model.D_update = lambda x, x_fake, *more: fakes.append(x_fake) or D_update(x, x_fake, *more)
    rows = iter([(np.ones((3, 4), "float32"), each) for each in labels])
    model.iteration(rows, np.random.default_rng(0))
    drawn = np.random.default_rng(0)
    for each in z:
        np.testing.assert_array_equal(each, drawn.standard_normal(each.shape, "float32"))
    np.testing.assert_array_equal(fakes, [forward(seen[1])[-1]])
    for G_input, noise, classes in zip(seen, z, labels):
        np.testing.assert_array_equal(G_input, np.hstack([noise, np.eye(3)[classes]]))


@pytest.mark.parametrize("name", MODELS)
def test_the_plain_steps_report_what_the_update_reports(name):
    options = {"n_classes": 3} if name.startswith("c") else {}
    x, z = (np.random.default_rng(i).random((5, n)) for i, n in ((0, 4), (1, 3)))
    records = []
    for plain in (True, False):
        model = MODELS[name](**SMALL, **options, dtype="float64")
        c, rng = model.condition(np.array([0, 1, 2, 0, 1])), np.random.default_rng(2)
        if plain:
            record, x_fake = model.G_step(x, z, c)
            record |= model.D_step(x, x_fake, c, rng)
        else:
            record = model.update(x, z, c, rng)
        records.append({key: float(value) for key, value in record.items()})
    assert records[0] == pytest.approx(records[1], rel=1e-12)


def test_a_gradient_does_not_compute_the_delta_of_the_input(monkeypatch):
    asked, dx = [], Dense.dx
    monkeypatch.setattr(Dense, "dx", lambda self, *a: asked.append(self.n) or dx(self, *a))
    network = mlp((3, 4, 5, 2), np.random.default_rng(0))
    trace = network.forward(np.ones((6, 3), "float32"))
    network.gradient(trace, trace[-1])
    assert asked == [5, 4]
    asked.clear()
    model = GAN(**SMALL)
    model.update(np.ones((7, 4), "float32"), np.ones((7, 3), "float32"))
    assert asked == [2, 5, 4, 6]  # D's deltas of both players, G's through D, G's own


def test_eq21a_reports_what_the_plain_step_of_D_reports(lib64):
    for name in ("gan", "wgan-gp"):
        small = SmallGame(name, lib64, remember=True)
        x, x_fake = lib64.array(small.x), lib64.array(small.x[::-1].copy())
        plain, shared = (
            step(x, x_fake, None, np.random.default_rng(7))
            for step in (small.model.D_step, small.model.D_update)
        )
        assert list(plain) == list(shared)
        for key, value in plain.items():
            assert float(shared[key]) == pytest.approx(float(value), rel=1e-12), key
