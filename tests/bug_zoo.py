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
import re
import sys
import time
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np

import minigan.penalty
from minigan import (
    CGAN,
    GAN,
    R3GAN,
    SGD,
    WGAN,
    WGANGP,
    Adam,
    Conv,
    ConvTranspose,
    Dense,
    LeakyReLU,
    Network,
    Sigmoid,
    data,
)
from minigan.conv import Patches
from minigan.data import Batches
from minigan.game import Game
from minigan.losses import bce_with_logits, least_squares
from minigan.network import INITS
from minigan.optim import Optimizer
from minigan.penalty import gradient_penalty, zero_centred_penalty
from minigan.wgan import Wasserstein

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
    found: str  # owner/repository #thread, or owner/repository, file; or "a common slip"
    killed_by: tuple
    inject: callable
    game: str  # the game in which it can be seen


def seen_in(killed_by):
    """The first game that the killers play, "gan" by default."""
    tests = " ".join(killed_by)
    games = re.findall(r"\[numpy-(c?(?:wgan-gp|wgan|lsgan|gan|r3gan))\b", tests)
    if games:
        return games[0]
    return "r3gan" if "r1" in tests.lower() else "wgan-gp" if "test_penalty" in tests else "gan"


def bug(looks, does, found, *killed_by, game=None):
    """Add the decorated injection to the zoo; its name is the bug's."""

    def add(inject):
        name = inject.__name__.strip("_").replace("_", " ")
        game_of = game or seen_in(killed_by)
        ZOO.append(Bug(name, looks, does, found, killed_by, inject, game_of))
        return inject

    return add


def everywhere(patch, right, wrong):
    """Put `wrong` wherever a module of ours, or of the tests, knows the function `right`."""
    for module in list(sys.modules.values()):
        own = getattr(module, "__name__", "").startswith(("minigan", "test_"))
        for name, value in list(vars(module).items()) if own else ():
            if value is right:
                patch.setattr(module, name, wrong)


def squashed(s):
    """σ(s), for a score that should not have been squashed."""
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-s))


def penalty_at(patch, draw):
    """Let WGANGP take its points with ε = draw(rng, x)."""

    def penalty(self, x, x_fake, c, rng):
        eps = self.asarray(draw(rng, x).astype(self.real_dtype))
        x_hat = self.D_input(eps * x + (1 - eps) * x_fake, c)
        options = self.penalty_weight, self.one_sided, self.n_data
        return minigan.penalty.gradient_penalty(self.D, x_hat, *options)

    patch.setattr(WGANGP, "penalty", penalty)


def penalty_of(rule):
    """A `gradient_penalty` of another P, with the right gradient of it.

    rule(g, s, weight) is (P, ∂P/∂g, ∂P/∂s), g and s being D's slopes and scores.
    """

    def wrong(D, x_hat, penalty_weight=10.0, one_sided=False, n=None):
        trace = D.forward(x_hat)
        deltas = D.deltas(trace, np.ones_like(trace[-1]))
        value, u, ds = rule(deltas[0][:, :n], trace[-1], penalty_weight)
        rest = np.zeros_like(deltas[0][:, u.shape[1] :])
        tangents, grads = D.tangents(trace, np.hstack([u, rest])), []
        for l, layer in enumerate(D.layers):
            if D.params[l]:
                args = deltas[l + 1], tangents[l], trace[l], trace[l + 1], *D.params[l]
                grads += [grad.ravel() for grad in layer.tangent_dparams(*args)]
        return value, np.concatenate(grads) + D.gradient(trace, ds + 0 * trace[-1])

    return wrong


# ---- the passes ----


@bug(
    "layer.x = x    # in forward(); backward() reads self.x",
    "The fake pass overwrites what the real pass left behind, so the real rows' loss is "
    "multiplied with the activations of the fakes. D still learns something, which is why "
    "nobody notices.",
    "torch/nn #1015: a module remembers the input of its last forward pass alone",
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
    "mlpack/mlpack #1933: the generator was trained towards responses, not through D",
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
    "a common slip",
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
    "deeplearning4j/deeplearning4j #366; kvfrans/notes #5",
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
    "deeplearning4j/deeplearning4j #8178; MachineLearningLifeScience/stochman #10",
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
    "HIPS/autograd, examples/generative_adversarial_net.py",
    "test_layers.py::test_eq3_sigmoid_is_scipys_expit[numpy]",
    STEPS.format("gan"),
)
def sigma_of_2x(patch):
    patch.setattr(Sigmoid, "forward", lambda self, x: 0.5 * (np.tanh(x) + 1))
    patch.setattr(Sigmoid, "dx", lambda self, dy, x, y: dy * 2 * y * (1 - y))


@bug(
    "dx = dy * x * (1 - x)    # x is the input; σ' = y (1 - y) is said of the output",
    "Far from 0 the slope is large and negative, so the output layer of G is pushed the wrong "
    "way, and the harder the farther it is out.",
    "a common slip",
    "test_layers.py::test_eq3a_eq3b_sigmoid_derivatives[numpy]",
    STEPS.format("gan"),
)
def the_sigmoids_slope_taken_at_its_input(patch):
    patch.setattr(Sigmoid, "dx", lambda self, dy, x, y: dy * x * (1 - x))


@bug(
    "db = dy.sum()    # for dy.sum(axis=0)",
    "One number is broadcast to all biases of the layer: they move together for ever, and "
    "begin to be told apart only by the weights.",
    "rasbt/stat453-deep-learning-ss21 #5",
    "test_layers.py::test_eq1a_eq1b_eq1c_eq1d_eq1e_dense_derivatives[numpy]",
    STEPS.format("gan"),
)
def one_gradient_for_all_biases(patch):
    dparams = Dense.dparams

    def one(self, dy, x, *args):
        dW, db = dparams(self, dy, x, *args)
        return dW, db * 0 + db.sum()

    patch.setattr(Dense, "dparams", one)


@bug(
    "std = sqrt(2 / n + k)    # for sqrt(2 / (n + k))",
    "The weights of a layer of 128 units are drawn ninety times too large. Every activation "
    "and every score is enormous, and the first losses are in the thousands.",
    "mlverse/torch #555",
    "test_network.py::test_eq14_eq15_initial_weights_have_the_published_spread[glorot]",
)
def glorots_bracket_missing(patch):
    def wrong(rng, n, k, shape=None):
        return rng.uniform(-1, 1, shape or (n, k)) * (6 / n + k) ** 0.5

    patch.setitem(INITS, "glorot", wrong)


@bug(
    "W = randn(n, k) * (2 / n)    # a variance where a standard deviation belongs",
    "Each layer makes its input eight times smaller, so what arrives at the end hardly "
    "depends on what went in. Training starts late; Adam makes it start at all.",
    "SethHWeidman/DLFS_code #10; dlvu/vugrad #2",
    "test_network.py::test_eq14_eq15_initial_weights_have_the_published_spread[he]",
)
def the_square_root_of_the_initial_spread_missing(patch):
    def wrong(rng, n, k, shape=None):
        return rng.standard_normal(shape or (n, k)) * 2 / n

    patch.setitem(INITS, "he", wrong)


# ---- the losses ----


@bug(
    "ds = sigmoid(s) - t    # the loss is a mean",
    "The gradient is m times too large. Adam divides it away, so it shows only with SGD, with "
    "a clip on the gradient, or when the batch size changes and everything diverges.",
    "hunkim/DeepLearningZeroToAll #173; jxgu1016/MNIST_center_loss_pytorch #9",
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
    "joelgrus/joelnet, joelnet/loss.py",
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
    "scikit-learn/scikit-learn, sklearn/neural_network/_base.py",
    "test_losses.py::test_eq4_bce_is_the_cross_entropy_of_scipys_log_expit[numpy]",
)
def loss_from_clipped_p_and_gradient_from_unclipped(patch):
    def wrong(s, t):
        with np.errstate(over="ignore"):
            p = 1 / (1 + np.exp(-s))
        p = np.where(p.real < 1e-7, 1e-7, np.where(p.real > 1 - 1e-7, 1 - 1e-7, p))
        return np.mean(-t * np.log(p) - (1 - t) * np.log(1 - p)), bce_with_logits(s, t)[1]

    everywhere(patch, bce_with_logits, wrong)


@bug(
    "loss = -np.log(sigmoid(s))",
    "Once D is sure of a fake, σ rounds to 0, the loss is infinite and the next parameter is "
    "NaN. Adding 1e-8 inside the logarithm only moves the failure.",
    "alexjc/neural-enhance #31; archsyscall/GANs-TensorFlow2 #3, with an ε inside",
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
    "taesungp/contrastive-unpaired-translation #32: two names for one loss",
    STEPS.format("gan"),
    STEPS.format("gan-minimax"),
)
def the_saturating_loss_labelled_non_saturating(patch):
    right = GAN.G_loss

    def swapped(self, *scores):
        other = type("Other", (), {"minimax": not self.minimax})
        return right(other, *scores)

    patch.setattr(GAN, "G_loss", swapped)


@bug(
    "loss = -np.log(sigmoid(s) + 1e-8)    # ds = sigmoid(s) - 1, of the loss without it",
    "Beside probabilities of ordinary size the gradient is right to eight digits. Where D is "
    "sure, the loss stops at 18.4 and the gradient does not.",
    "a common slip",
    "test_games.py::test_the_records_state_the_losses_that_were_descended[numpy-gan]",
    "test_losses.py::test_eq4_bce_is_the_cross_entropy_of_scipys_log_expit[numpy]",
)
def an_epsilon_in_the_logarithm_that_its_gradient_does_not_know(patch):
    def wrong(s, t):
        with np.errstate(all="ignore"):
            p = 1 / (1 + np.exp(-s))
            loss = -t * np.log(p + 1e-8) - (1 - t) * np.log(1 - p + 1e-8)
        return loss.mean(), bce_with_logits(s, t)[1]

    everywhere(patch, bce_with_logits, wrong)


@bug(
    "D = Sequential(..., nn.Sigmoid())\nloss = nn.BCEWithLogitsLoss()(D(x), t)",
    "The probability is taken for a logit, so D can never say less than 0.5 nor more than "
    "0.73. Forward and backward agree, and a gradient check finds nothing.",
    "yudi-mars/daisyRec #15",
    "test_losses.py::test_eq4_bce_is_the_cross_entropy_of_scipys_log_expit[numpy]",
    STEPS.format("gan"),
)
def the_sigmoid_applied_twice(patch):
    def wrong(s, t):
        p = squashed(s)
        loss, dp = bce_with_logits(p, t)
        return loss, dp * p * (1 - p)

    everywhere(patch, bce_with_logits, wrong)


@bug(
    "loss_fake = bce(D(fake), 0.1)    # the real rows have 0.9",
    "The best D no longer calls bad samples bad: where there are no data it says 0.1, and G "
    "is rewarded for staying among the samples that it makes already.",
    "soumith/ganhacks #41",
    STEPS.format("gan"),
    "test_games.py::test_the_records_state_the_losses_that_were_descended[numpy-gan]",
)
def labels_smoothed_on_both_sides(patch):
    def both(self, s_real, s_fake):
        loss_real, ds_real = bce_with_logits(s_real, self.real_label)
        loss_fake, ds_fake = bce_with_logits(s_fake, 1 - self.real_label)
        return loss_real + loss_fake, ds_real, ds_fake

    patch.setattr(GAN, "D_loss", both)


@bug(
    "loss_fake = bce(D(fake), ones)    # for zeros, in D's step",
    "D learns to call everything real. Its loss falls quickly, G's with it, and nothing is "
    "learned by either.",
    "SerezD/vqvae-vqgan-pytorch-lightning #3; eriklindernoren/Keras-GAN #5",
    STEPS.format("gan"),
    "test_games.py::test_the_records_state_the_losses_that_were_descended[numpy-gan]",
)
def the_fakes_called_real_in_the_discriminators_step(patch):
    def all_real(self, s_real, s_fake):
        loss_real, ds_real = bce_with_logits(s_real, self.real_label)
        loss_fake, ds_fake = bce_with_logits(s_fake, self.real_label)
        return loss_real + loss_fake, ds_real, ds_fake

    patch.setattr(GAN, "D_loss", all_real)


@bug(
    "critic = Sequential(..., nn.Sigmoid())    # in a WGAN",
    "The critic's scores lie between 0 and 1, so the distance it can report is at most 1, and "
    "its gradient dies where it is sure: what the Wasserstein loss was to cure.",
    "ozanciga/gans-with-pytorch #2; bojone/T-GANs #3",
    STEPS.format("wgan"),
    WALKS.format("wgan-update"),
)
def a_sigmoid_at_the_end_of_the_critic(patch):
    D_loss, G_loss = Wasserstein.D_loss, Wasserstein.G_loss

    def of_D(self, s_real, s_fake):
        p_real, p_fake = squashed(s_real), squashed(s_fake)
        loss, d_real, d_fake = D_loss(self, p_real, p_fake)
        return loss, d_real * p_real * (1 - p_real), d_fake * p_fake * (1 - p_fake)

    def of_G(self, *scores):
        *real, p = map(squashed, scores)
        loss, dp = G_loss(self, *real, p)
        return loss, dp * p * (1 - p)

    patch.setattr(Wasserstein, "D_loss", of_D)
    patch.setattr(Wasserstein, "G_loss", of_G)


@bug(
    "D_loss = 0.5 * ((sigmoid(D(real)) - 1)**2 + sigmoid(D(fake))**2)",
    "The square of a probability is flat at both ends. The rows far from the boundary, which "
    "least squares was chosen to pull back, are the ones that are not pulled.",
    "hwalsuklee/tensorflow-generative-model-collections #19",
    "test_losses.py::test_eq6_eq6a_least_squares_is_half_the_mean_squared_distance[numpy]",
    STEPS.format("lsgan"),
)
def least_squares_of_a_probability(patch):
    def wrong(s, t):
        p = squashed(s)
        loss, dp = least_squares(p, t)
        return loss, dp * p * (1 - p)

    everywhere(patch, least_squares, wrong)


@bug(
    "loss_G = critic(fake).mean()    # or backward(one) for backward(mone)",
    "G is trained to lower the critic's score, and so runs from the data. The printed "
    "estimate grows, which looks like a critic that works well.",
    "Zeleni9/pytorch-wgan #51, Zeleni9/pytorch-wgan #53",
    STEPS.format("wgan"),
    WALKS.format("wgan-plain"),
)
def the_generators_sign_flipped(patch):
    right = Wasserstein.G_loss

    def flipped(self, *scores):
        loss, ds = right(self, *scores)
        return -loss, -ds

    patch.setattr(Wasserstein, "G_loss", flipped)


@bug(
    "loss_G = -torch.log(critic(fake)).mean()    # in a WGAN",
    "A score may be negative, and its logarithm is NaN. Where all scores are positive it "
    "trains, towards the rows whose score is least.",
    "marian42/shapegan #2",
    STEPS.format("wgan"),
    "test_games.py::test_the_records_state_the_losses_that_were_descended[numpy-wgan]",
)
def the_logarithm_of_a_score(patch):
    def logarithm(self, *scores):
        s = scores[-1]
        with np.errstate(all="ignore"):
            return -np.log(s).mean(), -1 / s / len(s)

    patch.setattr(Wasserstein, "G_loss", logarithm)


# ---- the games ----


@bug(
    "loss_D = bce(D(fake), ones) + bce(D(real), zeros)",
    "D learns to call data fake, and G, which wants to be called real, runs away from the "
    "data as fast as it can.",
    "https-deeplearning-ai/GANs-Public #1; PrashanthaTP/wav2mov #6",
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
    "ddbourgin/numpy-ml, numpy_ml/neural_nets/losses/losses.py; wiseodd/wiseodd.github.io #3",
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
    "martinarjovsky/WassersteinGAN #50",
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
    "torchgan/torchgan #42; archsyscall/GANs-TensorFlow2 #2",
    WALKS.format("wgan-plain"),
    WALKS.format("wgan-update"),
)
def the_clip_missing(patch):
    patch.setattr(WGAN, "constrain", lambda self: None)


@bug(
    "G_input = concat([z, c])\nD_input = x    # or x and an embedding that is never fed",
    "D cannot tell a perfect seven from a perfect three, so G is never punished for ignoring "
    "c. Samples look fine and their labels mean nothing.",
    "a common slip",
    "test_games.py::test_eq25_eq26_eq27_the_condition_reaches_both_players[numpy]",
    STEPS.format("cgan"),
)
def a_condition_given_to_G_but_not_to_D(patch):
    right = CGAN.D_input
    patch.setattr(CGAN, "D_input", lambda self, x, c: right(self, x, c * 0))


@bug(
    "g_loss.backward()    # G's optimiser is never stepped",
    "The critic trains against fakes that never change. Its loss falls beautifully.",
    "PrashanthaTP/wav2mov #3",
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
    "osh/KerasGAN #1: the flag counts only at compile time",
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
    "for _ in range(2): D_loss.backward()    # D_optimizer.step() is nowhere",
    "G plays against a D of random weights. It wins at once, its loss is small, and what it "
    "makes is whatever those weights happen to like.",
    "zhaoyuzhi/deepfillv2 #6; zhaoyuzhi/DeblurGANv2-MobileNetv123-PyTorch #7",
    "test_games.py::test_a_step_moves_its_own_player_only[numpy-gan]",
    WALKS.format("gan-update"),
)
def a_discriminator_that_never_trains(patch):
    patch.setattr(Game, "descend_D", lambda self, dtheta: None)


@bug(
    "G_loss.backward(); G_optimizer.step(); G_optimizer.zero_grad()\n"
    "D_loss.backward(); D_optimizer.step()    # D.grad holds both",
    "G's loss has left its gradient in D, and D follows the sum of the two: a part of every "
    "step makes D easier to fool.",
    "Lightning-AI/pytorch-lightning #591",
    WALKS.format("gan-plain"),
    WALKS.format("gan-update"),
)
def the_generators_gradient_left_in_D(patch):
    G_step, update, descend_D = Game.G_step, Game.update, Game.descend_D

    def leave(self, x, z, c):
        x_fake = self.G.forward(self.G_input(z, c))[-1]
        s_real = self.D.forward(self.D_input(x, c))[-1]
        trace = self.D.forward(self.D_input(x_fake, c))
        self.left = self.D.gradient(trace, self.G_loss(s_real, trace[-1])[1])

    def step(self, x, z, c=None):
        leave(self, x, z, c)
        return G_step(self, x, z, c)

    def both(self, x, z, c=None, rng=None):
        leave(self, x, z, c)
        return update(self, x, z, c, rng)

    def sum_of_two(self, dtheta):
        descend_D(self, dtheta + vars(self).pop("left", 0))

    patch.setattr(Game, "G_step", step)
    patch.setattr(Game, "update", both)
    patch.setattr(Game, "descend_D", sum_of_two)


@bug(
    "for real in loader:\n    for _ in range(n_critic): train_critic(real)",
    "All steps of the critic see the same real rows. It learns these rows by heart instead of "
    "the distribution, and G is told where five dozen rows are.",
    "keras-team/keras-io #330",
    "test_games.py::test_eq30_the_critic_takes_its_steps_and_eq31_stays_within_the_clip[numpy]",
    game="wgan",
)
def the_critic_sees_the_same_rows_again(patch):
    right = Game.iteration
    patch.setattr(Game, "iteration", lambda s, rows, *rngs: right(s, repeat(next(rows)), *rngs))


@bug(
    "z = randn(m, 100)          # G's step\nz = rand(m, 100) * 2 - 1   # the critic's",
    "The critic learns to judge samples of another noise than those that G is judged by. It "
    "is right about a part of the plane where G's samples seldom are.",
    "cameronfabbri/Wasserstein-GAN-Tensorflow #1",
    "test_games.py::test_further_fakes_of_a_critic_are_fresh_and_follow_the_condition",
    game="wgan",
)
def two_kinds_of_noise(patch):
    iteration, noise = Game.iteration, Game.noise

    def counted(self, *args):
        self.draws = 0
        try:
            return iteration(self, *args)
        finally:
            del self.draws

    def uniform(self, m, rng):
        z = noise(self, m, rng)
        if "draws" in vars(self):
            self.draws += 1
            z = z if self.draws == 1 else self.asarray(rng.uniform(-1, 1, z.shape))
        return z

    patch.setattr(Game, "iteration", counted)
    patch.setattr(Game, "noise", uniform)


@bug(
    "average = (1 - decay) * average + decay * theta    # decay = 0.999",
    "The average is the last step, give or take a thousandth. Nothing is smoothed, and the "
    "samples flicker as they did without it.",
    "marin-community/levanter #883",
    "test_games.py::test_eq19a_samples_come_from_the_average_of_the_generators_parameters[numpy]",
)
def the_decay_of_the_average_backwards(patch):
    def backwards(self, dtheta):
        self.G_optimizer.step(self.G.theta, dtheta)
        if self.G_average:
            self.G_average.theta += self.ema_decay * (self.G.theta - self.G_average.theta)

    patch.setattr(Game, "descend_G", backwards)


# ---- the gradient penalty ----


@bug(
    "eps = torch.randn(m, 1)    # for torch.rand",
    "Half of the points lie beyond the data or behind the samples, where nobody asked for a "
    "slope of 1, and few lie between the two, where it was asked for.",
    "keras-team/keras-io #624, keras-team/keras-io #415, keras-team/keras-io #143",
    "test_penalty.py::test_eq39_points_lie_on_the_segments_uniformly_each_row_by_itself[WGANGP]",
    STEPS.format("wgan-gp"),
)
def epsilon_from_a_normal_distribution(patch):
    penalty_at(patch, lambda rng, x: rng.standard_normal((len(x), 1)))


@bug(
    "eps = torch.rand(x.shape)    # for torch.rand(m, 1)",
    "Every pixel mixes by its own number, so the points fill a box instead of lying on the "
    "segment. Most are noise that is neither data nor sample.",
    "eriklindernoren/PyTorch-GAN #5; hwalsuklee/tensorflow-generative-model-collections #33; "
    "tntrung/gan #2",
    "test_penalty.py::test_the_penalty_of_a_game_draws_one_number_a_row_and_knows_its_side",
    STEPS.format("wgan-gp"),
)
def one_epsilon_for_each_pixel(patch):
    penalty_at(patch, lambda rng, x: rng.random(x.shape))


@bug(
    "penalty = ((g.norm(2, dim=1) - 1)**2).mean()    # g is (m, 1, 28, 28)",
    "The norm runs over one channel and not over the pixels, so each pixel is asked for a "
    "slope of 1 by itself: 28 in all for a digit. The critic is far too steep.",
    "Zeleni9/pytorch-wgan #40; eriklindernoren/PyTorch-GAN #20; caogang/wgan-gp #27",
    "test_penalty.py::test_eq34_the_penalty_is_the_mean_squared_excess_of_autograds_slope",
    STEPS.format("wgan-gp"),
)
def a_norm_for_each_pixel(patch):
    def rule(g, s, weight):
        sign = np.where(g.real > 0, 1.0, -1.0)
        return weight * np.mean((sign * g - 1) ** 2), 2 * weight / g.size * (g - sign), 0

    everywhere(patch, gradient_penalty, penalty_of(rule))


@bug(
    "penalty = lam * tf.reduce_mean(norm - 1)**2    # for reduce_mean((norm - 1)**2)",
    "Slopes of 0 and of 2 make a mean of 1 and cost nothing. The critic may be flat here and "
    "steep there, and is.",
    "wiseodd/generative-models #31",
    "test_penalty.py::test_eq34_the_penalty_is_the_mean_squared_excess_of_autograds_slope",
    STEPS.format("wgan-gp"),
)
def the_square_of_the_mean_for_the_mean_of_the_squares(patch):
    def rule(g, s, weight):
        norm = np.sum(g * g, axis=1, keepdims=True) ** 0.5
        mean = np.mean(norm - 1)
        return weight * mean**2, 2 * weight * mean / len(g) * g / (norm + (norm == 0)), 0

    everywhere(patch, gradient_penalty, penalty_of(rule))


@bug(
    "D_inter, _ = discriminator(x_hat)    # returns sigmoid(s), s\n"
    "g = tf.gradients(D_inter, [x_hat])",
    "A sigmoid is nowhere steeper than ¼, so a slope of 1 of the probability asks for a slope "
    "of 4 of the score, and more where D is sure.",
    "hwalsuklee/tensorflow-generative-model-collections #14",
    "test_penalty.py::test_eq34_the_penalty_is_the_mean_squared_excess_of_autograds_slope",
    STEPS.format("wgan-gp"),
)
def the_penalty_on_the_sigmoid_of_the_score(patch):
    def rule(g, s, weight):
        p = squashed(s)
        slope, bend = p * (1 - p), p * (1 - p) * (1 - 2 * p)
        steep = slope * g
        norm = np.sum(steep * steep, axis=1, keepdims=True) ** 0.5
        u = 2 * weight / len(g) * (norm - 1) * steep / (norm + (norm == 0))
        ds = bend * np.sum(u * g, axis=1, keepdims=True)
        return weight * np.mean((norm - 1) ** 2), u * slope, ds

    everywhere(patch, gradient_penalty, penalty_of(rule))


@bug(
    "norm = tf.sqrt(tf.reduce_sum(g**2, axis=1))    # and g may be 0",
    "The square root has no derivative at 0. One row at which the critic is flat, a dead "
    "network's or a constant one's, makes every parameter NaN.",
    "keras-team/keras-io #624, keras-team/keras-io #910",
    "test_penalty.py::test_eq35_a_slope_of_zero_is_safe[numpy]",
)
def the_square_root_at_zero(patch):
    def rule(g, s, weight):
        norm = np.sum(g * g, axis=1, keepdims=True) ** 0.5
        with np.errstate(all="ignore"):
            u = 2 * weight / len(g) * (norm - 1) * (g / norm)
        return weight * np.mean((norm - 1) ** 2), u, 0

    everywhere(patch, gradient_penalty, penalty_of(rule))


@bug(
    "gp = gradient_penalty(D, real, fake)\nloss_D = fake_score - real_score",
    "The penalty is computed and never added. The critic has neither clip nor penalty, and "
    "its 'distance' grows for ever.",
    "junyanz/pytorch-CycleGAN-and-pix2pix #1201; Ha0Tang/AttentionGAN #27; "
    "LixiangHan/GANs-for-1D-Signal #7",
    STEPS.format("wgan-gp"),
    WALKS.format("wgan-gp-update"),
)
def a_penalty_that_is_never_added(patch):
    patch.setattr(WGANGP, "penalty", lambda self, *args: None)


@bug(
    "norm = g.norm(2)    # for g.norm(2, dim=1)",
    "One norm for the whole batch: its slope of 1 is shared among the rows, so each row's is "
    "about 1/√m, and the larger the batch the flatter the critic.",
    "a common slip",
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
    "mlpack/mlpack #2891; ooples/AiDotNet #1844",
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
    "brownvc/R3GAN #20: a change that was proposed, and refused",
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
    "rosinality/style-based-gan-pytorch #34",
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
    "a common slip",
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
    "a common slip",
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
    "a common slip",
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
    "a common slip",
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
    "eriklindernoren/ML-From-Scratch #35",
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
    "for p in parameters:\n    t += 1    # for once in each step",
    "The corrections of the averages believe that more steps were taken than were. The first "
    "steps are too short, the later ones right.",
    "flashlight/flashlight #143; DiffSharp/DiffSharp #292; clab/dynet #77",
    "test_optim.py::test_eq18_eq18a_eq18b_eq18c_adam_is_autograds[numpy]",
    WALKS.format("gan-update"),
)
def a_clock_that_ticks_for_every_parameter(patch):
    right = Adam.update

    def wrong(self, theta, g):
        self.t += 3
        right(self, theta, g)

    patch.setattr(Adam, "update", wrong)


@bug(
    "theta -= lr * m_hat / np.sqrt(v_hat + eps)    # for np.sqrt(v_hat) + eps",
    "An ε of 1e-8 under the root is one of 1e-4 outside. A gradient as small as that, which "
    "Adam would have enlarged, is not, and G, whose gradients are small, learns more slowly.",
    "FluxML/Flux.jl #448; CyberZHG/keras-radam #29",
    "test_optim.py::test_eq18_eq18a_eq18b_eq18c_adam_is_autograds[numpy]",
    WALKS.format("gan-update"),
)
def epsilon_under_the_root(patch):
    def wrong(self, theta, g):
        self.M *= self.beta1
        self.M += g
        self.V *= self.beta2
        self.V += g * g
        m = self.M * (1 - self.beta1) / (1 - self.beta1**self.t)
        v = self.V * (1 - self.beta2) / (1 - self.beta2**self.t)
        theta -= self.lr * m / (v + self.eps) ** 0.5

    patch.setattr(Adam, "update", wrong)


@bug(
    "theta += v\nv = momentum * v - lr * g    # for the other way round",
    "Every step follows the gradient of the step before; the first does nothing. With much "
    "momentum and a large rate, what converged begins to swing.",
    "mdenil/dropout #4",
    "test_optim.py::test_eq16_sgd_with_momentum[numpy]",
)
def a_momentum_that_is_one_step_late(patch):
    def wrong(self, theta, g):
        theta += self.v
        self.v *= self.momentum
        self.v -= self.lr * g

    patch.setattr(SGD, "update", wrong)


@bug(
    "torch.save({'G': G.state_dict(), 'D': D.state_dict()}, path)    # and no optimiser",
    "A resumed run starts with empty averages and t = 0. Its first step moves every parameter "
    "by the whole learning rate, and the loss leaps at each restart.",
    "dansuh17/segan-pytorch #14; NVlabs/stylegan2-ada-pytorch #108",
    "test_optim.py::test_a_saved_state_goes_on_bit_for_bit[Adam]",
)
def an_optimiser_that_forgets_when_it_is_resumed(patch):
    patch.setattr(Optimizer, "load_state", lambda self, state: None)


@bug(
    "loss.backward()\noptimizer.step()    # zero_grad() is nowhere",
    "Each step follows the sum of all gradients so far: a momentum that never decays. The "
    "players overshoot and circle.",
    "ajbrock/BigGAN-PyTorch #25; Project-MONAI/GenerativeModels #102",
    "test_optim.py::test_eq16_sgd_with_momentum[numpy]",
    WALKS.format("gan-update"),
)
def gradients_that_add_up_from_step_to_step(patch):
    right = Optimizer.step

    def wrong(self, theta, dtheta):
        self.total = dtheta + vars(self).get("total", 0)
        right(self, theta, self.total)

    patch.setattr(Optimizer, "step", wrong)


# ---- the convolutions ----


@bug(
    "dx = correlate2d(dy, W, mode='full')    # for convolve2d, or for W turned around",
    "The delta of a filter reaches the pixels opposite to those that the filter saw. Filters "
    "that look the same from both sides train; others pull the layer below the wrong way.",
    "astrorama/SourceXtractorPlusPlus #72: one taken for the other, in a forward pass",
    "test_conv.py::test_eq47a_eq47b_eq47c_eq47d_eq47e_derivatives[numpy]",
    "test_conv.py::test_eq45_eq47_eq47a_eq47b_eq47c_by_hand[numpy]",
)
def the_filter_turned_around_on_the_way_back(patch):
    right = Conv.dx

    def wrong(self, dy, x, y, W, b):
        around = W + 0
        inside = self.patches.width - self.patches.beside
        filters = W[:inside].reshape(-1, self.patches.c, W.shape[1])
        around[:inside] = filters[::-1].reshape(inside, -1)
        return right(self, dy, x, y, around, b)

    patch.setattr(Conv, "dx", wrong)


@bug(
    "dA[h : h + f, w : w + f] += W * dZ[h, w]    # for s * h and s * w",
    "With strides of one nothing is wrong. With strides of two all deltas crowd into one "
    "corner of the picture, and what lies elsewhere in it is never corrected.",
    "enggen/Deep-Learning-Coursera #7; Kulbear/deep-learning-coursera #34",
    "test_conv.py::test_eq47a_eq47b_eq47c_eq47d_eq47e_derivatives[numpy]",
    "test_conv.py::test_eq47a_eq48_forward_of_the_one_is_dx_of_the_other[numpy]",
)
def the_stride_forgotten_on_the_way_back(patch):
    def wrong(self, dy, x, y, W, b):
        of = self.patches
        (height, width), inside = of.places, of.h * of.w * of.c
        X = (dy.reshape(-1, self.k) @ W.T).reshape(len(dy), height, width, of.width)
        padded = of.padded(dy, len(dy))
        for at, (lines, columns) in enumerate(of.windows()):
            part = X[..., at * of.c : (at + 1) * of.c]
            i, j = lines.start, columns.start
            padded[:, i : i + height, j : j + width] += part
        dx = padded[of.middle()].reshape(len(dy), inside)
        beside = X[..., of.width - of.beside :].sum(axis=(1, 2))
        return np.concatenate([dx, beside], axis=1)

    patch.setattr(Conv, "dx", wrong)


@bug(
    "x = np.pad(x, ((0, 0), (0, 2 * p), (0, 2 * p), (0, 0)))    # p zeros belong on each side",
    "Every shape is right and every gradient too, as forward and backward pass agree. The "
    "picture is shifted in each layer, its upper left border is never seen whole, and weights "
    "of another library give other results.",
    "taehoonlee/tensornets #25; vtjeng/MIPVerify.jl #23: paddings of another library",
    "test_conv.py::test_eq45_eq47_a_convolution_is_six_nested_loops[numpy]",
    "test_conv.py::test_eq47_a_convolution_is_what_scipy_calls_a_correlation",
    "test_conv.py::test_eq48_with_zeros_between_its_pixels_scipy_convolves_the_smaller_picture",
)
def the_padding_on_one_side(patch):
    def wrong(self):
        return slice(None), slice(self.h), slice(self.w), slice(None)

    patch.setattr(Patches, "middle", wrong)


@bug(
    "n = kernel * kernel * m.out_channels    # of a ConvTranspose2d with a stride of 2",
    "A pixel of the larger picture is a sum of (kernel / stride)² terms for each channel, not "
    "kernel². So each layer of G makes its input smaller by the stride, and the first samples "
    "are a grey without contrast.",
    "ClementPinard/FlowNetPytorch #19; akanimax/pro_gan_pytorch #44",
    "test_conv.py::test_eq49_the_sum_in_a_pixel_has_so_many_terms[4-2]",
    "test_dcgan.py::test_eq14_eq49_a_layers_output_is_twice_as_large_as_its_input_whatever_it_is[G]",
)
def the_fan_in_of_a_transpose_without_its_stride(patch):
    def wrong(self):
        area = self.patches.kernel**2
        return self.k * area, self.patches.c * area

    patch.setattr(ConvTranspose, "fans", property(wrong))


@bug(
    "cols = cols.reshape(n_patches, -1)    # of (K * K, m, h, w, c), which it cannot turn",
    "A row of the matrix of patches holds numbers of many places, and of many pictures. The "
    "losses fall, as a function of the batch is learnt; alone, a picture gives something else.",
    "ravin-d-27/PyDeepFlow #84",
    "test_conv.py::test_eq45_eq47_a_convolution_is_six_nested_loops[numpy]",
    "test_conv.py::test_eq45_eq46_scatter_is_the_transpose_of_gather[numpy]",
    "test_conv.py::test_eq47a_eq47b_eq47c_eq47d_eq47e_derivatives[numpy]",
)
def patches_in_another_order_of_axes(patch):
    right = Patches.gather

    def wrong(self, x):
        X = right(self, x)
        inside = self.width - self.beside
        offsets = X[:, :inside].reshape(len(X), -1, self.c).swapaxes(0, 1)
        return np.concatenate([offsets.reshape(len(X), inside), X[:, inside:]], axis=1)

    patch.setattr(Patches, "gather", wrong)


# ---- the data ----


@bug(
    "idx = np.random.randint(0, n // 2, batch)    # or a tail that is always dropped",
    "Part of the data is never seen, always the same part. Where the file is sorted by class, "
    "whole digits are missing from the samples, and it is taken for mode collapse.",
    "muzairkhattak/PromptSRC #22: of ten classes, the last two were never seen",
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
    "Borda/kaggle_image-classify #12: the labels were taken before the shuffle",
    "test_data.py::test_every_row_comes_once_per_epoch_with_its_label",
    game="cgan",
)
def labels_not_permuted_with_their_images(patch):
    right = Batches.__next__

    def wrong(self):
        start = self.rows
        x, labels = right(self)
        return x, None if labels is None else self.labels[np.arange(start, self.rows) % self.n]

    patch.setattr(Batches, "__next__", wrong)


@bug(
    "rng = np.random.default_rng(seed)    # anew in every epoch, or in every worker",
    "Each epoch comes in the order of the first: the same rows share a batch for ever, and "
    "what was random is not. Random crops and flips repeat in the same way.",
    "pytorch/pytorch #5059",
    "test_data.py::test_the_order_is_the_documented_one",
)
def the_same_order_in_every_epoch(patch):
    right = Batches._order
    patch.setattr(Batches, "_order", lambda self, epoch: right(self, 0))


@bug(
    "labels = emnist_letters.targets    # 1 to 26\none_hot(labels, 26)",
    "The last class has no column and one column has no class. Where the library checks "
    "nothing, Z is drawn as the condition of no letter at all.",
    "pytorch/vision #2630",
    "test_data.py::test_labels_that_begin_elsewhere_are_numbered_anew",
    game="cgan",
)
def labels_that_begin_at_one(patch):
    right = data._as_labels

    def as_they_came(given, classes, n):
        labels, found = right(given, classes, n)
        return (labels, found) if labels is None else (np.asarray(given, np.int64), found)

    patch.setattr(data, "_as_labels", as_they_came)


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
    import pytest  # here, as the playground's browser has none

    witness, silence = Witness(), io.StringIO()
    options = ["-q", "-p", "no:cacheprovider", "--no-header", "--tb=no", "--backend=numpy"]
    quiet = "-Wignore::pytest.PytestAssertRewriteWarning"  # this is not the first session
    where = [f"--rootdir={TESTS.parent}", "--hypothesis-profile=brief", quiet]
    with contextlib.redirect_stdout(silence):
        pytest.main([*options, *where, *(f"{TESTS}/{test}" for test in tests)], [witness])
    return witness.outcomes


def release_all():
    """{name of the bug, or "none": what `run` says of its tests}, one bug after another."""
    import pytest

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
