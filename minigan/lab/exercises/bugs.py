r"""Find the bug: chapters with one bug of the zoo in them.

Each is an edit of the chapter's own text. The proofs of the chapter say that something is wrong
and where it shows; the student finds the line and mends it.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bug:
    r"""A chapter with one bug of the zoo in it, to be found and mended.

    key : tells nothing of the bug
    chapter, function : where it is
    right, wrong : the edit of the function's text that puts it in
    name : the bug's in the zoo
    proofs : what proves the chapter
    """

    key: str
    chapter: str
    function: str
    right: str
    wrong: str
    name: str
    proofs: tuple


LAYERS = tuple(("layer", name) for name in ("Dense", "LeakyReLU", "Sigmoid"))
GAMES = ("game", "gan", "wgan", "cgan", "cwgan-gp", "r3gan")
GAN_GAMES, CRITICS = ("game", "gan", "gan, minimax", "cgan"), ("game", "wgan", "cwgan")
LOSSES = (
    "bce_with_logits", "wasserstein", "least_squares", "relativistic", "softmax_cross_entropy"
)  # fmt: skip
LOSS_PROOFS = tuple(("loss", name) for name in LOSSES)
OPTIM_PROOFS = tuple(("optimizer", name) for name in ("SGD", "RMSProp", "Adam"))
PENALTIES = ("penalty", "gradient_penalty"), ("penalty", "zero_centred_penalty")
BUGS = (
    Bug(
        "bug1", "layers", "LeakyReLU.dx", "self.slopes(x) * dy", "dy * (x > 0)",
        "leaky relu loses its slope on the way back", LAYERS,
    ),
    Bug(
        "bug2", "layers", "Dense.dparams", "sum(dy, axis=0)", "mean(dy, axis=0)",
        "the bias gradient is averaged twice", LAYERS,
    ),
    Bug(
        "bug3", "losses", "bce_with_logits", "m, ds / m", "m, ds",
        "the lost 1 over m", LOSS_PROOFS,
    ),
    Bug(
        "bug4", "losses", "bce_with_logits", "xp.sum(loss) / m", "xp.sum(loss)",
        "a sum where a mean is stated", LOSS_PROOFS,
    ),
    Bug(
        "bug5", "game", "Game.G_step", "self.D.deltas(D_trace, ds)[0]",
        "(ds * array_namespace(ds).ones_like(D_trace[0]))",
        "the generators gradient does not pass through D", (GAMES,),
    ),
    Bug(
        "bug6", "game", "Game.D_step", "self.D.gradient(real, ds_real)",
        "self.D.gradient(fake[:-1] + real[-1:], ds_real)",
        "the fake pass overwrites the real pass", (GAMES,),
    ),
    Bug(
        "bug7", "game", "Game.descend_D",
        "        self.D_optimizer.step(self.D.theta, dtheta)\n        self.constrain()",
        "        self.constrain()\n        self.D_optimizer.step(self.D.theta, dtheta)",
        "the clip before the step", (GAMES,),
    ),
    Bug(
        "bug8", "gan", "GAN.D_loss", "bce_with_logits(s_real, self.real_label)",
        "bce_with_logits(s_real, 1 - self.real_label)",
        "real and fake swapped", (GAN_GAMES,),
    ),
    Bug(
        "bug9", "gan", "GAN.G_loss", "if self.minimax", "if not self.minimax",
        "the saturating loss labelled non saturating", (GAN_GAMES,),
    ),
    Bug(
        "bug10", "wgan", "Wasserstein.D_loss",
        "loss_real, ds_real = wasserstein(s_real, +1.0)\n"
        "        loss_fake, ds_fake = wasserstein(s_fake, -1.0)",
        "loss_real, ds_real = wasserstein(s_real, -1.0)\n"
        "        loss_fake, ds_fake = wasserstein(s_fake, +1.0)",
        "the critics sign flipped", (CRITICS,),
    ),
    Bug(
        "bug11", "cgan", "Conditional.D_input", "concat([x, c], axis=1)",
        "concat([x, 0 * c], axis=1)",
        "a condition given to G but not to D", (("game", "cgan", "cwgan"),),
    ),
    Bug(
        "bug12", "penalty", "three_passes", "D.accumulate(trace, deltas, tangents=tangents)",
        "0 * D.theta", "the penalty without its second derivative", PENALTIES,
    ),
    Bug(
        "bug13", "penalty", "gradient_penalty",
        "xp.sum(g * g, axis=1, keepdims=True)", "xp.sum(g * g, keepdims=True)",
        "the penalty of the whole batch at once", PENALTIES,
    ),
    Bug(
        "bug14", "optim", "Adam.rates", "(1 - self.beta1**self.t)", "(1 - self.beta1)",
        "adam without the power t", OPTIM_PROOFS,
    ),
)  # fmt: skip
