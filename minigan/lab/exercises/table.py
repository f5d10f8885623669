r"""The exercises: which lines of which chapter are missing, and how an answer is proven.

An exercise holds no mathematics. It names a function of a chapter and the part of its body that
is taken out; `source` makes the student's file from the chapter's own text, and `probes` proves
what comes back. To add one, add a line to `EXERCISES`. Equations are looked up by the numbers
that they have today.
"""

from dataclasses import dataclass
from difflib import get_close_matches

from ...errors import MiniganError
from .bugs import BUGS


@dataclass(frozen=True)
class Exercise:
    r"""One function of one chapter, to be completed.

    chapter, function : such as "layers" and "Dense.dx"
    proof : the function of `probes` that proves it, and what it is told
    hole : what is taken out: "" for the whole body; else names, for the values that are
        assigned to them, and "return", "return[1]" for that part of a pair that is returned,
        "return.right" for the right factor
    part : tells two exercises in one function apart
    equations : which of the docstring's equations are meant, counted from 0; () for all
    derive : if there is a second level, what it takes out as well: "equation", the docstring's
        numbered paragraph and what gives it away; "around", the latter alone
    gives_away : how further paragraphs begin that tell the derivation
    refused : names that would make the answer a call of a function that knows it; they may
        stand where the chapter has them
    """

    chapter: str
    function: str
    proof: tuple
    hole: str = ""
    part: str = ""
    equations: tuple = ()
    derive: str = ""
    gives_away: tuple = ()
    refused: tuple = ()

    @property
    def key(self):
        r"""The name under which it stays known, such as layers.Dense.dx."""
        return ".".join(filter(None, (self.chapter, self.function, self.part)))


def layer(name, function, **options):
    r"""An exercise in a layer."""
    refused = () if function in ("forward", "slopes") else ("forward",)
    options = {"refused": refused, "derive": "equation" if refused else ""} | options
    return Exercise("layers", f"{name}.{function}", ("layer", name), **options)


def loss(name, *equations, **options):
    r"""Two exercises in a loss: its value and its derivative."""
    value, slope = ("loss", "ds") if options.pop("named", False) else ("return[0]", "return[1]")
    proof = ("loss", name)
    yield Exercise("losses", name, proof, value, "value", equations[:1], **options)
    yield Exercise("losses", name, proof, slope, "ds", equations[1:], "equation", **options)


def network(function, **options):
    r"""An exercise in a backward or tangent pass of chapter 3."""
    options = {"derive": "equation", "refused": ("forward",)} | options
    return Exercise("network", f"Network.{function}", ("network",), **options)


def penalty(function, *options):
    r"""An exercise in a penalty of chapter 11, or in the passes that serve both."""
    known = "gradient_penalty" if function == "three_passes" else function
    return Exercise("penalty", function, ("penalty", known), *options)


def game(chapter, function, *games, **options):
    r"""An exercise that is proven by playing these games."""
    return Exercise(chapter, function, ("game", *games), **options)


ALL_GAMES = "gan", "wgan", "cgan", "cwgan-gp", "r3gan"
PASS_1, PASS_2, PASS_3 = "1. **Backward", "2. **Forward", "3. **Accumulate"
EXERCISES = (
    layer("Dense", "forward", hole="y"),
    layer("Dense", "dx"),
    layer("Dense", "dparams", hole="dW", part="dW", equations=(0,)),
    layer("Dense", "dparams", hole="return[1]", part="db", equations=(1,)),
    layer("Dense", "tangent"),
    layer("Dense", "tangent_dparams", hole="dW return[1]"),
    layer("LeakyReLU", "slopes"),
    layer("LeakyReLU", "dx"),
    layer("LeakyReLU", "tangent"),
    Exercise("layers", "sigmoid", ("layer", "Sigmoid")),
    layer("Sigmoid", "dx"),
    layer("Sigmoid", "tangent"),
    *loss("bce_with_logits", 0, 1, named=True),
    *loss("wasserstein", 0, 1),
    *loss("least_squares", 0, 1),
    Exercise(
        "losses", "relativistic", ("loss", "relativistic"), derive="equation", equations=(1,),
        gives_away=("Here t",),
    ),
    *loss("softmax_cross_entropy", 0, 1),
    Exercise("network", "Network.forward", ("network",)),
    network("deltas"),
    network("accumulate", gives_away=("A parameter touches",)),
    network("tangents"),
    Exercise(
        "network", "layer_gradient", ("network",), "dW return[1]", derive="equation",
        refused=("dparams", "tangent_dparams"),
    ),
    Exercise("network", "he", ("init", "he"), "return.right"),
    Exercise("network", "glorot", ("init", "glorot"), "return.right"),
    Exercise("optim", "SGD.update", ("optimizer", "SGD")),
    Exercise("optim", "RMSProp.update", ("optimizer", "RMSProp")),
    Exercise(
        "optim", "Adam.rates", ("optimizer", "Adam"), "a c", "corrections", (1,), "equation",
        gives_away=("Both averages", "They are $a"),
    ),
    Exercise(
        "optim", "Adam.rates", ("optimizer", "Adam"), "return", "rates", (2,), "around",
        gives_away=("They are $a", "$$\\theta"),
    ),
    Exercise("optim", "Adam.update", ("optimizer", "Adam"), equations=(0, 3)),
    game(
        "game", "Game.G_step", *ALL_GAMES, hole="G_trace D_trace dx_fake", derive="around",
        gives_away=("Two networks",), refused=("update",),
    ),
    game(
        "game", "Game.D_step", *ALL_GAMES, hole="loss dtheta", derive="around",
        gives_away=("Two passes",), refused=("D_update", "update"),
    ),
    game("game", "Game.descend_G", "cgan"),
    game(
        "game", "Game.update", *ALL_GAMES, hole="deltas delta_G ds_D dtheta",
        derive="around", gives_away=("D has not moved", "$$\\frac", "Rows 0"),
        refused=("G_step", "D_step", "D_update"),
    ),
    game("game", "Game.D_update", *ALL_GAMES, hole="dtheta", refused=("D_step", "update")),
    game("gan", "GAN.D_loss", "gan", "cgan"),
    game("gan", "GAN.G_loss", "gan", "gan, minimax"),
    game("cgan", "Conditional.condition", "cgan"),
    game("cgan", "Conditional.G_input", "cgan", hole="return"),
    game("cgan", "Conditional.D_input", "cgan", hole="return"),
    game("wgan", "Wasserstein.D_loss", "wgan"),
    game("wgan", "Wasserstein.G_loss", "wgan", hole="return"),
    game("wgan", "WGAN.critic_steps", "wgan"),
    game("wgan", "WGAN.constrain", "wgan"),
    game("lsgan", "LSGAN.D_loss", "lsgan"),
    game("lsgan", "LSGAN.G_loss", "lsgan", hole="return"),
    penalty("gradient_penalty", "norm excess return[0]", "value", (0,)),
    penalty("gradient_penalty", "u", "u", (1,), "equation"),
    penalty("zero_centred_penalty", "return[0]", "value", (0,)),
    penalty("zero_centred_penalty", "return[1]", "u", (1,), "equation"),
    penalty("three_passes", "deltas", "backward", (), "around", (PASS_1,)),
    penalty("three_passes", "tangents", "forward", (), "around", (PASS_2,)),
    penalty("three_passes", "return[1]", "accumulate", (), "equation", (PASS_3, "Step 3")),
    game("penalty", "WGANGP.penalty", "wgan-gp", "cwgan-gp", hole="eps x_hat"),
    game("r3gan", "R3GAN.D_loss", "r3gan"),
    game("r3gan", "R3GAN.G_loss", "r3gan", hole="return"),
    game("r3gan", "R3GAN.penalty", "r3gan", "cr3gan", hole="R1 R2"),
    game(
        "r3gan", "R3GAN.D_gradient", "r3gan", "cr3gan", hole="u tangents dtheta",
        derive="around", gives_away=("The pass has", "$$dW_l", "And since", "$$R_1"),
        refused=("penalty", "add_penalty", "zero_centred_penalty", "D_gradient"),
    ),
    Exercise("training", "decayed", ("rates",), "rule"),
)  # fmt: skip


def find(word, number):
    r"""The exercise of that key, or the first with that equation's number.

    number : a function that tells an exercise's equations, ("1a",)
    """
    plain = word.strip("() ")
    by_key = {each.key.lower(): each for each in (*EXERCISES, *BUGS)}
    if plain.lower() in by_key:
        return by_key[plain.lower()]
    found = [each for each in EXERCISES if plain in number(each)]
    found += [e for e in EXERCISES if not found and e.key.lower().endswith(f".{plain.lower()}")]
    if not found:
        raise MiniganError(
            f"{word}: expected an equation that has an exercise, such as 2a, or a name, such "
            f"as Dense.dx or bug1{meant(plain)}; `minigan exercise list` shows them all"
        )
    if len(found) > 1:
        names = ", ".join(each.key for each in found)
        raise MiniganError(f"{word}: several exercises belong to it; name one: {names}")
    return found[0]


def meant(word):
    r"""The question whether a name like this one was meant, or ""."""
    names = {}
    for each in (*EXERCISES, *BUGS):
        parts = each.key.split(".")
        for i in range(len(parts)):
            names.setdefault(".".join(parts[i:]).lower(), ".".join(parts[i:]))
    near = get_close_matches(word.lower(), names, 1, 0.75)
    return f" (did you mean {names[near[0]]}?)" if near else ""
