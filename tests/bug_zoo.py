"""The bug zoo: mistakes that real GAN projects shipped, each kept alive here.

Every entry says what the bug looks like in code, what it does to training, where its kind was
found, how to inject it into minigan, and which tests kill it. `test_bug_zoo.py` injects them
one at a time; `docs/zoo.py` turns this catalogue into a page. On its own,

    python tests/bug_zoo.py

injects every bug in turn and tells what became of it.
"""

import contextlib
import io
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from minigan import CGAN, GAN, R3GAN, WGAN, Adam, Dense, LeakyReLU, Network, Sigmoid
from minigan.data import Batches
from minigan.game import Game
from minigan.losses import bce_with_logits
from minigan.optim import Optimizer
from minigan.penalty import gradient_penalty, zero_centred_penalty

TESTS = Path(__file__).parent
ZOO = []
STEPS = "test_games.py::test_eq19_eq20_eq21_eq21a_gradients_equal_autograds[numpy-{}]"
R1 = "test_penalty.py::test_eq36_eq37_eq38_r1_is_autograds_value_and_its_second_order"
PAIR = "test_games.py::test_eq40_eq41_the_relativistic_losses_compare_row_with_row[numpy]"
WALKS = "test_games.py::test_three_iterations_move_both_players_as_the_reference_does[numpy-{}]"


@dataclass(frozen=True)
class Bug:
    name: str
    looks: str  # one to three lines of code, as the bug looks where it is found
    does: str  # what it does to training
    found: str  # the kind of project
    killed_by: tuple
    inject: callable


def bug(looks, does, found, *killed_by):
    """Add the decorated injection to the zoo; its name is the bug's."""

    def add(inject):
        name = inject.__name__.strip("_").replace("_", " ")
        ZOO.append(Bug(name, looks, does, found, killed_by, inject))
        return inject

    return add


def everywhere(patch, right, wrong):
    """Put `wrong` wherever a module of ours, or of the tests, knows the function `right`."""
    for module in list(sys.modules.values()):
        own = getattr(module, "__name__", "").startswith(("minigan", "test_"))
        for name, value in list(vars(module).items()) if own else ():
            if value is right:
                patch.setattr(module, name, wrong)


# ---- the passes ----


@bug(
    "layer.x = x    # in forward(); backward() reads self.x",
    "The fake pass overwrites what the real pass left behind, so the real rows' loss is "
    "multiplied with the activations of the fakes. D still learns something, which is why "
    "nobody notices.",
    "two popular NumPy GAN tutorials; any framework whose layers store their input",
    STEPS.format("gan"),
    "test_network.py::test_two_traces_live_side_by_side",
)
def the_fake_pass_overwrites_the_real_pass(patch):
    forward = Network.forward

    def one_memory(self, x):
        trace = forward(self, x)
        kept = vars(self).setdefault("kept", trace)
        if kept is not trace and kept[0].shape == trace[0].shape:
            for old, new in zip(kept[1:], trace[1:]):
                old[...] = new
        self.kept = [trace[0], *kept[1:]] if kept[0].shape == trace[0].shape else trace
        return self.kept

    patch.setattr(Network, "forward", one_memory)


@bug(
    "dG = d_loss * ones_like(G_out)    # straight from the loss to G's output",
    "The gradient of the score is handed to every pixel alike: G is told to be brighter or "
    "darker as a whole, never where. Samples become uniform grey.",
    "NumPy GANs written layer by layer, where D has no backward pass to its input",
    STEPS.format("gan"),
    STEPS.format("wgan"),
)
def the_generators_gradient_does_not_pass_through_D(patch):
    deltas = Network.deltas

    def short(self, trace, dy, stop=0):
        found = deltas(self, trace, dy, stop)
        if stop == 0 and dy.shape[1] == 1:
            found[0] = dy * np.ones_like(trace[0])
        return found

    patch.setattr(Network, "deltas", short)


@bug(
    "dx = dy * W.T    # for dy @ W.T",
    "Where the shapes differ NumPy refuses; where they agree it broadcasts and says nothing. "
    "A test with a square layer and a batch of the same size sees no error, only a wrong "
    "direction.",
    "student code and tutorials that write * for np.dot",
    "test_layers.py::test_eq1_eq1a_eq1b_eq1c_eq1d_eq1e_by_hand_where_every_shape_is_square[numpy]",
)
def elementwise_product_for_a_matrix_product(patch):
    dx = Dense.dx

    def elementwise(self, dy, x, y, W, *b):
        return dy * W.T if dy.shape == W.T.shape else dx(self, dy, x, y, W, *b)

    patch.setattr(Dense, "dx", elementwise)


@bug(
    "db = dy.mean(axis=0)    # ds was divided by m already",
    "The biases learn m times more slowly than the weights. Adam hides it almost entirely, "
    "plain gradient descent does not.",
    "NumPy networks where both the loss and the layer average over the batch",
    "test_layers.py::test_eq1a_eq1b_eq1c_eq1d_eq1e_dense_derivatives[numpy]",
    STEPS.format("wgan"),
)
def the_bias_gradient_is_averaged_twice(patch):
    dparams = Dense.dparams

    def twice(self, dy, x, *args):
        dW, *db = dparams(self, dy, x, *args)
        return (dW, *(each / len(dy) for each in db))

    patch.setattr(Dense, "dparams", twice)


@bug(
    "grad = dy * (x > 0)    # forward: where(x > 0, x, 0.2 * x)",
    "The forward pass leaks and the backward pass does not. A unit below zero counts but "
    "never learns: the dead units that LeakyReLU was chosen to avoid.",
    "code that was changed from ReLU to LeakyReLU in one place",
    "test_layers.py::test_eq2a_eq2b_leaky_relu_derivatives[numpy]",
    STEPS.format("gan"),
)
def leaky_relu_loses_its_slope_on_the_way_back(patch):
    patch.setattr(LeakyReLU, "dx", lambda self, dy, x, y: dy * (x.real > 0))


@bug(
    "def sigmoid(x): return 0.5 * (np.tanh(x) + 1)",
    "That is σ(2x). Forward and backward agree, so a gradient check of the layer against "
    "itself passes; but probabilities are too sure, and beside a loss that uses the true σ "
    "the gradient is wrong.",
    "HIPS autograd's own GAN example",
    "test_layers.py::test_eq3_sigmoid_is_scipys_expit[numpy]",
    STEPS.format("gan"),
)
def sigma_of_2x(patch):
    patch.setattr(Sigmoid, "forward", lambda self, x: 0.5 * (np.tanh(x) + 1))
    patch.setattr(Sigmoid, "dx", lambda self, dy, x, y: dy * 2 * y * (1 - y))


# ---- the losses ----


@bug(
    "ds = sigmoid(s) - t    # the loss is a mean",
    "The gradient is m times too large. Adam divides it away, so it shows only with SGD, with "
    "a clip on the gradient, or when the batch size changes and everything diverges.",
    "tutorials that derive the gradient of one sample and then feed a batch",
    "test_losses.py::test_eq4a_bce_derivative_is_sigma_minus_t_without_cancellation[numpy]",
    STEPS.format("gan"),
)
def the_lost_1_over_m(patch):
    def wrong(s, t):
        loss, ds = bce_with_logits(s, t)
        return loss, ds * s.shape[0]

    everywhere(patch, bce_with_logits, wrong)


@bug(
    'def MSE(...): return np.sum(...)    # "mean"',
    "The number that is printed grows with the batch, and is compared with papers that print "
    "a mean. The gradient beside it is right, so training is unharmed and the plot is not.",
    "libraries for teaching, joelnet among them",
    "test_losses.py::test_eq4_bce_is_the_cross_entropy_of_scipys_log_expit[numpy]",
    "test_games.py::test_the_records_state_the_losses_that_were_descended[numpy-gan]",
)
def a_sum_where_a_mean_is_stated(patch):
    def wrong(s, t):
        loss, ds = bce_with_logits(s, t)
        return loss * s.shape[0], ds

    everywhere(patch, bce_with_logits, wrong)


@bug(
    "p = np.clip(sigmoid(s), 1e-7, 1 - 1e-7)\nloss, ds = -np.log(p), sigmoid(s) - 1",
    "The loss goes flat at 16.1 while the gradient goes on, so a line search or a stopping "
    "rule that reads the loss is misled just where D has lost.",
    "scikit-learn's MLPClassifier, Keras-like losses on probabilities",
    "test_losses.py::test_eq4_bce_is_the_cross_entropy_of_scipys_log_expit[numpy]",
)
def loss_from_clipped_p_and_gradient_from_unclipped(patch):
    def wrong(s, t):
        p = np.clip(1 / (1 + np.exp(-np.clip(s.real, -700, 700))), 1e-7, 1 - 1e-7)
        return np.mean(-t * np.log(p) - (1 - t) * np.log(1 - p)), bce_with_logits(s, t)[1]

    everywhere(patch, bce_with_logits, wrong)


@bug(
    "loss = -np.log(sigmoid(s))",
    "Once D is sure of a fake, σ rounds to 0, the loss is infinite and the next parameter is "
    "NaN. Adding 1e-8 inside the logarithm only moves the failure.",
    "most NumPy GANs; it is why losses take logits",
    "test_losses.py::test_eq4_bce_is_the_cross_entropy_of_scipys_log_expit[numpy]",
)
def the_logarithm_of_a_probability_that_rounds_to_zero(patch):
    def wrong(s, t):
        with np.errstate(all="ignore"):
            p = 1 / (1 + np.exp(-s))
            loss = -t * np.log(p) - (1 - t) * np.log(1 - p)
        return loss.mean(), bce_with_logits(s, t)[1]

    everywhere(patch, bce_with_logits, wrong)


@bug(
    "# non-saturating loss\nloss_G = np.log(1 - sigmoid(s)).mean()",
    "The comment names the one and the code is the other. Early on, when every fake is found "
    "out, G's gradient is nearly zero, and the collapse is blamed on GANs.",
    "an annotated paper implementation (labml documents one and codes the other)",
    STEPS.format("gan"),
    STEPS.format("gan-minimax"),
)
def the_saturating_loss_labelled_non_saturating(patch):
    right = GAN.G_loss

    def swapped(self, *scores):
        other = type("Other", (), {"minimax": not self.minimax})
        return right(other, *scores)

    patch.setattr(GAN, "G_loss", swapped)


# ---- the games ----


@bug(
    "loss_D = bce(D(fake), ones) + bce(D(real), zeros)",
    "D learns to call data fake, and G, which wants to be called real, runs away from the "
    "data as fast as it can.",
    "scripts with two label arrays and one call for both",
    STEPS.format("gan"),
    "test_games.py::test_the_records_state_the_losses_that_were_descended[numpy-gan]",
)
def real_and_fake_swapped(patch):
    right = GAN.D_loss

    def swapped(self, s_real, s_fake):
        loss, ds_fake, ds_real = right(self, s_fake, s_real)
        return loss, ds_real, ds_fake

    patch.setattr(GAN, "D_loss", swapped)


@bug(
    "loss_D = D(real).mean() - D(fake).mean()    # and then minimised",
    "The critic scores fakes above data and G follows it there. Both losses look lively; with "
    "a second wrong sign in the update everything is right again, until one of them is fixed.",
    "WGAN ports; numpy-ml cancels one wrong sign with another",
    STEPS.format("wgan"),
    WALKS.format("wgan-update"),
)
def the_critics_sign_flipped(patch):
    right = WGAN.D_loss

    def flipped(self, s_real, s_fake):
        return tuple(-part for part in right(self, s_real, s_fake))

    patch.setattr(WGAN, "D_loss", flipped)


@bug(
    "for p in D.parameters(): p.clamp_(-c, c)\nD_optimizer.step()",
    "The critic that G sees has left the clip again by one step. With RMSProp's first step of "
    "ten learning rates that is half the clip, so the Lipschitz bound does not hold.",
    "WGAN ports that put the clip at the top of the loop",
    WALKS.format("wgan-plain"),
    "test_games.py::test_eq30_the_critic_takes_its_steps_and_eq31_stays_within_the_clip[numpy]",
)
def the_clip_before_the_step(patch):
    right, step = WGAN.constrain, Optimizer.step
    clips = []

    def postponed(self):
        clips[:] = [lambda: right(self)]

    def clip_first(self, theta, dtheta):
        for clip in clips:
            clip()
        step(self, theta, dtheta)

    patch.setattr(WGAN, "constrain", postponed)
    patch.setattr(Optimizer, "step", clip_first)


@bug(
    "D_optimizer.step()    # and nothing after it",
    "The supremum over all functions is infinite: the critic grows without end, and the "
    "'distance' it reports with it.",
    "GANs turned into WGANs by exchanging the loss alone",
    WALKS.format("wgan-plain"),
    WALKS.format("wgan-update"),
)
def the_clip_missing(patch):
    patch.setattr(WGAN, "constrain", lambda self: None)


@bug(
    "G_input = concat([z, c])\nD_input = x    # or x and an embedding that is never fed",
    "D cannot tell a perfect seven from a perfect three, so G is never punished for ignoring "
    "c. Samples look fine and their labels mean nothing.",
    "CGAN scripts made from a GAN",
    "test_games.py::test_eq25_eq26_eq27_the_condition_reaches_both_players[numpy]",
    STEPS.format("cgan"),
)
def a_condition_given_to_G_but_not_to_D(patch):
    right = CGAN.D_input
    patch.setattr(CGAN, "D_input", lambda self, x, c: right(self, x, c * 0))


@bug(
    "g_loss.backward()    # G's optimiser is never stepped",
    "The critic trains against fakes that never change. Its loss falls beautifully.",
    "numpy-ml's WGAN-GP",
    "test_games.py::test_a_step_moves_its_own_player_only[numpy-wgan]",
    WALKS.format("wgan-update"),
)
def a_generator_that_never_trains(patch):
    def frozen(method):
        def play(self, *args, **options):
            kept = self.G.theta.copy()
            result = method(self, *args, **options)
            self.G.theta[...] = kept
            return result

        return play

    patch.setattr(Game, "update", frozen(Game.update))
    patch.setattr(Game, "G_step", frozen(Game.G_step))


@bug(
    "combined.compile(...)    # before D.trainable = False",
    "In G's step D is moved too, and along G's loss: it is trained to be fooled. D never "
    "gets good, and G has nothing to learn from.",
    "Keras scripts, where the flag counts only at compile time",
    "test_games.py::test_a_step_moves_its_own_player_only[numpy-gan]",
    WALKS.format("gan-plain"),
)
def the_generators_step_moves_D_too(patch):
    right = Game.G_step

    def both(self, x, z, c=None):
        record, x_fake = right(self, x, z, c)
        s_real = self.D.forward(self.D_input(x, c))[-1]
        trace = self.D.forward(self.D_input(x_fake, c))
        self.D.theta -= self.lr * self.D.gradient(trace, self.G_loss(s_real, trace[-1])[1])
        return record, x_fake

    patch.setattr(Game, "G_step", both)


@bug(
    "norm = g.norm(2)    # for g.norm(2, dim=1)",
    "One norm for the whole batch: its slope of 1 is shared among the rows, so each row's is "
    "about 1/√m, and the larger the batch the flatter the critic.",
    "WGAN-GP ports",
    "test_penalty.py::test_eq34_the_penalty_is_the_mean_squared_excess_of_autograds_slope",
)
def the_penalty_of_the_whole_batch_at_once(patch):
    def wrong(D, x_hat, penalty_weight=10.0, one_sided=False, n=None):
        trace = D.forward(x_hat)
        g = D.deltas(trace, np.ones_like(trace[-1]))[0][:, :n]
        excess = np.sum(g * g) ** 0.5 - 1
        gradient = gradient_penalty(D, x_hat, penalty_weight, one_sided, n)[1]
        return penalty_weight * excess**2, gradient

    everywhere(patch, gradient_penalty, wrong)


@bug(
    "g = grad(D(x_hat), x_hat)    # without create_graph=True",
    "The penalty is in the loss and its gradient is not: g is a constant to autograd. The "
    "printed penalty is right, and grows unhindered.",
    "WGAN-GP ports; hand-written ones that stop at the first derivative",
    "test_penalty.py::test_eq38_its_gradient_is_autograds_second_order",
    "test_penalty.py::test_eq35_eq38_its_gradient_is_the_complex_steps[numpy]",
)
def the_penalty_without_its_second_derivative(patch):
    def wrong(D, *args, **options):
        value, dtheta = gradient_penalty(D, *args, **options)
        return value, 0 * dtheta

    everywhere(patch, gradient_penalty, wrong)


@bug(
    "R1 = gamma / 2 * g.square().sum(1).mean()\nloss_D += R1.detach()",
    "R1 is in the loss and not in its gradient. The printed loss looks right and D is free: "
    "the players circle, as they do without a penalty.",
    "a user's own R3GAN, and the change proposed to the authors' in its issue 20",
    R1,
    "test_penalty.py::test_eq36_eq37_eq38_r1s_gradient_is_the_complex_steps[numpy]",
    STEPS.format("r3gan"),
)
def the_zero_centred_penalty_detached(patch):
    def wrong(D, *args, **options):
        value, dtheta = zero_centred_penalty(D, *args, **options)
        return value, 0 * dtheta

    everywhere(patch, zero_centred_penalty, wrong)


@bug(
    "real = softplus(-D(x))\ng = grad(real.sum(), x)    # for grad(D(x).sum(), x)",
    "The slope is that of the loss and not of the score: D's slope times σ(−s). Where D is "
    "sure the penalty falls silent, so D can escape it by being sure.",
    "a popular StyleGAN for PyTorch (style-based-gan-pytorch, issue 34)",
    R1,
)
def softplus_before_R1(patch):
    def wrong(D, x, gamma=1.0, n=None):
        trace, m = D.forward(x), len(x)
        w = 1 / (1 + np.exp(trace[-1]))
        deltas = D.deltas(trace, np.ones_like(w))
        u = gamma / m * w**2 * deltas[0]
        dtheta = D.accumulate(trace, deltas, tangents=D.tangents(trace, u))
        return np.sum(u * deltas[0]) / 2, dtheta

    everywhere(patch, zero_centred_penalty, wrong)


@bug(
    "R1 = gamma / 2 * slopes(fake).square().sum(1).mean()    # for slopes(real)",
    "That is R2 alone. While the fakes are far from the data, D is flat where they are and as "
    "steep as it likes at the data.",
    "ports that reuse the rows of another penalty, or the last batch that went through D",
    STEPS.format("r3gan"),
    "test_penalty.py::test_eq42_the_penalty_of_the_game_is_r1_and_r2[R3GAN]",
)
def R1_at_generated_rows_only(patch):
    def R2(self, x, x_fake, c, rng):
        rows = self.D_input(x_fake, c)
        return zero_centred_penalty(self.D, rows, self.gamma, self.n_data)

    patch.setattr(R3GAN, "penalty", R2)


@bug(
    "g.square().mean()    # for g.square().sum(dim=1).mean()",
    "The slope's square is divided by the number of columns: with 784 pixels γ = 1 acts as "
    "γ = 0.0013, and a γ from a paper does nothing.",
    "R1 ports that take the mean over everything",
    R1,
    STEPS.format("r3gan"),
)
def the_penalty_averaged_over_the_columns(patch):
    def wrong(D, x, gamma=1.0, n=None):
        return zero_centred_penalty(D, x, gamma / x[:, :n].shape[1], n)

    everywhere(patch, zero_centred_penalty, wrong)


@bug(
    "loss_D = softplus(D(real) - D(fake)).mean()",
    "D learns to put the data below the fakes, and G, whose sign is the other one, follows D "
    "away from the data.",
    "relativistic losses, where one sign alone says which rows are real",
    PAIR,
    STEPS.format("r3gan"),
)
def the_relativistic_pair_exchanged(patch):
    right = R3GAN.D_loss

    def exchanged(self, s_real, s_fake):
        loss, ds_fake, ds_real = right(self, s_fake, s_real)
        return loss, ds_real, ds_fake

    patch.setattr(R3GAN, "D_loss", exchanged)


@bug(
    "loss_G = softplus(-D(fake)).mean()    # D(real) is not in it",
    "Only D compares. But a relativistic D says nothing about a single score, which may drift "
    "by any constant: G's gradient swells or dies with the drift.",
    "GANs turned relativistic in the loss of D alone",
    PAIR,
    STEPS.format("r3gan"),
)
def the_generators_half_of_the_pair_missing(patch):
    patch.setattr(R3GAN, "G_loss", lambda self, s_real, s_fake: bce_with_logits(s_fake, 1.0))


# ---- the optimisers ----


@bug(
    "m_hat = m / (1 - beta1)    # for 1 - beta1**t",
    "At t = 1 it is right. Later the averages are no longer too small but are still blown up: "
    "with β₁ = 0.5 the step tends to 2 · √0.001, a sixteenth of the learning rate.",
    "ML-From-Scratch's Adam",
    "test_optim.py::test_eq18_eq18a_eq18b_eq18c_adam_is_autograds[numpy]",
    "test_optim.py::test_eq18a_a_constant_gradient_moves_adam_by_lr_each_step[numpy-10]",
)
def adam_without_the_power_t(patch):
    right = Adam.update

    def wrong(self, theta, g):
        t, self.t = self.t, 1
        right(self, theta, g)
        self.t = t

    patch.setattr(Adam, "update", wrong)


@bug(
    "loss.backward()\noptimizer.step()    # zero_grad() is nowhere",
    "Each step follows the sum of all gradients so far: a momentum that never decays. The "
    "players overshoot and circle.",
    "PyTorch scripts, where gradients add up until they are cleared",
    "test_optim.py::test_eq16_sgd_with_momentum[numpy]",
    WALKS.format("gan-update"),
)
def gradients_that_add_up_from_step_to_step(patch):
    right = Optimizer.step

    def wrong(self, theta, dtheta):
        self.total = dtheta + vars(self).get("total", 0)
        right(self, theta, self.total)

    patch.setattr(Optimizer, "step", wrong)


# ---- the data ----


@bug(
    "idx = np.random.randint(0, n // 2, batch)    # or a tail that is always dropped",
    "Part of the data is never seen, always the same part. Where the file is sorted by class, "
    "whole digits are missing from the samples, and it is taken for mode collapse.",
    "Keras-GAN-like scripts with half batches; loaders that drop the last batch unshuffled",
    "test_data.py::test_every_row_comes_once_per_epoch_with_its_label",
    "test_data.py::test_the_order_is_the_documented_one",
)
def batches_that_never_reach_part_of_the_data(patch):
    right = Batches._order
    patch.setattr(Batches, "_order", lambda self, epoch: right(self, epoch) // 2)


@bug(
    "x = x[rng.permutation(n)]    # the labels stay as they were",
    "Every image has some other image's label. A CGAN learns that the condition means "
    "nothing, and gives any digit for any label.",
    "scripts that shuffle in place",
    "test_data.py::test_every_row_comes_once_per_epoch_with_its_label",
)
def labels_not_permuted_with_their_images(patch):
    right = Batches.__next__

    def wrong(self):
        start = self.rows
        x, labels = right(self)
        return x, None if labels is None else self.labels[np.arange(start, self.rows) % self.n]

    patch.setattr(Batches, "__next__", wrong)


# ---- releasing them, one at a time ----


class Witness:
    """A pytest plugin that remembers what became of each test."""

    def __init__(self):
        self.outcomes = {}

    def pytest_runtest_logreport(self, report):
        if report.when == "call" or report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            first = crash.message.split("\n")[0] if crash else ""
            self.outcomes[report.nodeid.rpartition("/")[2]] = (
                f"{report.outcome} {first}".strip()
            )


def run(tests):
    """{test: "passed", or "failed" and why} of these tests on NumPy, in this process."""
    witness, silence = Witness(), io.StringIO()
    options = ["-q", "-p", "no:cacheprovider", "--no-header", "--tb=no", "--backend=numpy"]
    quiet = "-Wignore::pytest.PytestAssertRewriteWarning"  # this is not the first session
    where = [f"--rootdir={TESTS.parent}", "--hypothesis-profile=brief", quiet]
    with contextlib.redirect_stdout(silence):
        pytest.main([*options, *where, *(f"{TESTS}/{test}" for test in tests)], [witness])
    return witness.outcomes


def release_all():
    """{name of the bug, or "none": what `run` says of its tests}, one bug after another."""
    tests = sorted({test for bug in ZOO for test in bug.killed_by})
    found = {"none": run(tests)}
    for bug in ZOO:
        with pytest.MonkeyPatch.context() as patch:
            bug.inject(patch)
            found[bug.name] = run(bug.killed_by)
    found["none again"] = run(tests)
    return found


if __name__ == "__main__":
    begun = time.perf_counter()
    found = release_all()
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(json.dumps(found))
    for bug in ZOO:
        survived = [t for t in bug.killed_by if "failed" not in found[bug.name].get(t, "")]
        print(f"{'SURVIVED' if survived else 'killed':<10}{bug.name}", *survived)
    print(f"{len(ZOO)} bugs in {time.perf_counter() - begun:.0f} s")
