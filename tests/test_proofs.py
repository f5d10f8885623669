"""`minigan gradcheck`, as a subprocess and from within: nothing is missing, nothing hides."""

import inspect
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from minigan import (
    GAN,
    WGAN,
    WGANGP,
    Conv,
    ConvTranspose,
    Dense,
    Layer,
    LeakyReLU,
    Network,
    Sigmoid,
    layers,
    losses,
    softmax_cross_entropy,
)
from minigan.arrays import backend
from minigan.errors import BackendError
from minigan.game import Game
from minigan.gradcheck import Check, SameNumbers
from minigan.lab import proofs as module
from minigan.lab.cli import main
from minigan.lab.models import MODELS
from minigan.lab.proofs import CASES, GAMES, LOSSES, GameUnderProof, Proof, proofs, table


def gradcheck(*options, bug=""):
    """Run the command in a process of its own, after the bug has been injected there."""
    code = f"import sys\nfrom minigan.lab.cli import main\n{bug}\nsys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", code, "gradcheck", *options],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )


@pytest.fixture(scope="module")
def proven():
    """The command as it is, and the processor's seconds that it took."""
    begun = seconds_of_children()
    return gradcheck(), seconds_of_children() - begun


def seconds_of_children():
    """Of the processor: on a busy machine the clock on the wall says nothing of the command."""
    times = os.times()
    return times.children_user + times.children_system


def test_the_command_proves_everything_within_ten_seconds(proven):
    done, seconds = proven
    assert seconds < 10
    assert done.returncode == 0, done.stdout
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    found = [line for line in lines if line.startswith("(")]
    assert lines[0].startswith("every derivative of minigan in float64")
    assert lines[-1] == f"all {len(found)} pass"
    assert all(line.split()[-1] == "pass" for line in found)
    assert max(map(len, lines)) < 80
    numbers = "1a 1b 1c 1d 1e 2a 2b 3a 3b 4a 5a 6a 7a 8a 10 11 12 19 20 21 21a 52"
    for equation in numbers.split():
        assert any(line.startswith(f"({equation}) ") for line in found), equation


BUG = """
from minigan import Sigmoid
from minigan.lab import proofs
Sigmoid.dx = lambda self, dy, x, y: dy * y
proofs.CASES, proofs.GAMES = proofs.CASES[:1], {"gan": proofs.GAMES["gan"]}
"""


def test_an_injected_bug_gives_exit_status_1_and_is_named():
    done = gradcheck(bug=BUG)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    wrong = [i for i, line in enumerate(lines) if line.endswith("FAIL")]
    named = {lines[i].split()[0] for i in wrong[:-1]}
    assert named >= {"(3a)", "(3b)", "(10)", "(11)", "(19)", "(21)"}
    assert not named & {"(1a)", "(2a)", "(4a)", "(20)"}
    assert "claimed" in lines[wrong[0] + 1]
    assert "measured" in lines[wrong[0] + 1]
    assert lines[-1].startswith(f"{len(wrong) - 1} of ")
    assert lines[-1].endswith(" FAIL")


def test_float32_is_compared_with_float64(capsys):
    assert main(["gradcheck", "--dtype", "float32"]) == 0
    text = capsys.readouterr().out
    assert "in float32, measured by the same in float64" in text
    assert "1e-05  pass" in text
    assert "complex step" not in text


def test_a_pass_that_loses_digits_fails_in_float32(monkeypatch):
    dx = Dense.dx

    def half(self, dy, *args):
        rounded = dy.astype("float16").astype("float32") if dy.dtype == "float32" else dy
        return dx(self, rounded, *args)

    monkeypatch.setattr(Dense, "dx", half)
    failed = {proof.equation for proof in proofs("float32") if not proof.check.passed}
    assert failed >= {"(1a)", "(10)", "(19)", "(21)"}
    assert not failed & {"(1b)", "(1c)", "(1d)", "(2a)"}


def test_nothing_that_has_a_derivative_is_left_out(proven):
    lines = proven[0].stdout.splitlines()
    what = {line[7:].partition(":")[0] for line in lines if line.startswith("(")}
    for chapter, kind in ((layers, inspect.isclass), (losses, inspect.isfunction)):
        for name, thing in inspect.getmembers(chapter, kind):
            if thing.__module__ == chapter.__name__ and thing is not Layer:
                assert name in what
    assert what >= set(MODELS) | set(GAMES) | {"gan, minimax", "network"}


def test_a_failure_is_shown_with_its_worst_entry_beneath():
    right = Check("a", "adjoint", 0.0, "", 1e-13)
    wrong = Check("b", "complex step", 0.5, "b[3]: 1 claimed, 2 measured", 1e-13)
    lines = list(table([Proof("(52)", "the one", right), Proof("(10)", "the other", wrong)]))
    assert lines[1:] == [
        "(52)   the one                                adjoint      0.0e+00  1e-13  pass",
        "(10)   the other                              complex step 5.0e-01  1e-13  FAIL",
        "       b[3]: 1 claimed, 2 measured",
        "",
        "1 of 2 FAIL",
    ]


@pytest.mark.parametrize("rows", [5, 8, 1, 6])
def test_nan_in_one_of_the_cases_fails(rows, monkeypatch):
    dx = LeakyReLU.dx

    def sometimes(self, dy, x, y):
        return dx(self, dy, x, y) * (np.nan if len(x) == rows else 1)

    monkeypatch.setattr(LeakyReLU, "dx", sometimes)
    monkeypatch.setattr("minigan.lab.proofs.GAMES", {})
    failed = {proof.equation for proof in proofs() if not proof.check.passed}
    assert failed >= {"(2a)", "(2b)", "(52)"}
    assert not failed & {"(1a)", "(3a)", "(4a)"}


def test_the_worst_of_the_cases_is_the_one_that_is_shown(monkeypatch):
    tangents = Network.tangents

    def drifting(self, trace, u):
        return [(1 + 1e-14 * len(u)) * v for v in tangents(self, trace, u)]

    monkeypatch.setattr(Network, "tangents", drifting)
    monkeypatch.setattr("minigan.lab.proofs.GAMES", {})
    (check,) = (proof.check for proof in proofs() if proof.equation == "(12)")
    assert check.passed
    assert check.error == pytest.approx(8e-14, abs=2e-15)  # the case of eight rows


# ---- what is proven, and that each line of it can fail ----

OF_LAYERS = {
    "(1a) Dense: dx",
    "(1b) Dense: dW",
    "(1c) Dense: db",
    "(1d) Dense: tangent",
    "(1e) Dense: dW of the tangent",
    "(1e) Dense: db of the tangent",
    "(2a) LeakyReLU: dx",
    "(2b) LeakyReLU: tangent",
    "(3a) Sigmoid: dx",
    "(3b) Sigmoid: tangent",
}
KINDS = {"(47)": "Conv", "(48)": "ConvTranspose"}
PARTS_OF = "a) {}: dx", "b) {}: dW", "c) {}: db", "d) {}: tangent"
PARTS_OF += "e) {}: dW of the tangent", "e) {}: db of the tangent"
OF_LAYERS |= {f"{n[:-1]}{part.format(name)}" for n, name in KINDS.items() for part in PARTS_OF}
LAYERS = "Dense", "LeakyReLU", "Sigmoid", *KINDS.values()
OF_LOSSES = {
    "(4a) bce_with_logits: ds",
    "(5a) wasserstein: ds",
    "(6a) least_squares: ds",
    "(8a) softmax_cross_entropy: ds",
    "(7a) relativistic: ds",
}
OF_NETWORKS = {"(11) network: gradient of theta", "(10) network: delta of x"}
OF_NETWORKS |= {"(12) network: tangents"}
ADJOINT = {f"(52) {name}: adjoint of dx, tangent" for name in LAYERS}
ADJOINT |= {"(52) network: adjoint, layer by layer"}
ROWS = {f"(21) {name}: row by row" for name in (*LAYERS, "network")}
STEPS = ("(19) {}: G_step, gradient of G", "(21) {}: update, gradient of G")
D_STEPS = ("(20) {}: D_step, gradient of D", "(21a) {}: D_update, gradient of D")
D_STEPS += ("(21) {}: update, gradient of D",)
SLIGHTLY = {"float64": 1e-12, "float32": 1e-4}
every_dtype = pytest.mark.parametrize("dtype", SLIGHTLY)


def of(games, *steps):
    return {step.format(name) for name in games for step in steps}


@pytest.fixture
def one_case(monkeypatch):
    """One small case, which fails as all of them do, and is not diagnosed."""
    monkeypatch.setattr(module, "CASES", CASES[:1])
    monkeypatch.setattr("minigan.gradcheck.cause_of", lambda ask: "")


def failed(dtype):
    return {f"{p.equation} {p.what}" for p in proofs(dtype) if not p.check.passed}


def bend(monkeypatch, cls, method, dtype, at=None):
    """The method's result, or one part of it, made wrong by a little."""
    right = cls.__dict__.get(method) or getattr(cls, method)

    def scaled(value):
        wrong = value is not None and value.dtype == dtype
        return value * (1 + SLIGHTLY[dtype]) if wrong else value

    def bent(self, *args, **options):
        made = right(self, *args, **options)
        if at is None:
            return scaled(made)
        return type(made)(scaled(v) if i == at % len(made) else v for i, v in enumerate(made))

    monkeypatch.setattr(cls, method, bent)


LINE = re.compile(
    r"(\(\w+\)) +(.+?) +(complex step|adjoint|comparison|float32) +\S+ +(\S+) +pass"
)


@every_dtype
def test_every_derivative_is_proven_by_the_method_and_the_limit_of_its_dtype(
    dtype, proven, capsys
):
    text = proven[0].stdout
    if dtype == "float32":
        main(["gradcheck", "--dtype", dtype])
        text = capsys.readouterr().out
    found = [LINE.fullmatch(line).groups() for line in text.splitlines() if line[:1] == "("]
    lines = [f"{equation} {what}" for equation, what, *_ in found]
    expected = OF_LAYERS | OF_LOSSES | OF_NETWORKS | of(GAMES, *STEPS, *D_STEPS)
    expected |= ADJOINT | ROWS if dtype == "float64" else set()
    assert len(lines) == len(set(lines))
    assert set(lines) == expected
    assert set(GAMES) == {*MODELS, "gan, minimax", "cr3gan, conv", "wgan-gp, conv"}
    for line, (_, _, method, limit) in zip(lines, found):
        right = ("complex step", 1e-13) if dtype == "float64" else ("float32", 1e-5)
        right = ("adjoint", 1e-13) if line in ADJOINT else right
        right = ("comparison", 0.0) if line in ROWS else right
        assert (method, float(limit)) == right, line


PARTS = {
    (Dense, "dx", None): {"(1a) Dense: dx"},
    (Dense, "dparams", 0): {"(1b) Dense: dW"},
    (Dense, "dparams", 1): {"(1c) Dense: db"},
    (Dense, "tangent", None): {"(1d) Dense: tangent"},
    (Dense, "tangent_dparams", 0): {"(1e) Dense: dW of the tangent"},
    (Sigmoid, "dx", None): {"(3a) Sigmoid: dx", "(3b) Sigmoid: tangent"},
    (Sigmoid, "tangent", None): {"(3b) Sigmoid: tangent"},
    (LeakyReLU, "dx", None): {"(2a) LeakyReLU: dx", "(2b) LeakyReLU: tangent"},
    (LeakyReLU, "tangent", None): {"(2b) LeakyReLU: tangent"},
    (Conv, "dx", None): {"(47a) Conv: dx"},
    (Conv, "dparams", 0): {"(47b) Conv: dW"},
    (Conv, "dparams", 1): {"(47c) Conv: db"},
    (Conv, "tangent", None): {"(47d) Conv: tangent"},
    (Conv, "tangent_dparams", 0): {"(47e) Conv: dW of the tangent"},
    (ConvTranspose, "dx", None): {"(48a) ConvTranspose: dx"},
    (ConvTranspose, "dparams", 0): {"(48b) ConvTranspose: dW"},
    (ConvTranspose, "dparams", 1): {"(48c) ConvTranspose: db"},
    (ConvTranspose, "tangent_dparams", 0): {"(48e) ConvTranspose: dW of the tangent"},
}


@every_dtype
@pytest.mark.parametrize("part", PARTS, ids=lambda part: f"{part[0].__name__}.{part[1]}")
def test_a_layers_derivative_that_is_wrong_by_a_little_fails_in_its_line(
    part, dtype, one_case, monkeypatch
):
    bend(monkeypatch, *part[:2], dtype, part[2])
    monkeypatch.setattr(module, "GAMES", {})
    assert failed(dtype) - OF_NETWORKS - ADJOINT == PARTS[part]
    monkeypatch.setitem(SLIGHTLY, dtype, 1e-2)  # (52) sees what is not orthogonal to v
    adjoint = f"(52) {part[0].__name__}: adjoint of dx, tangent"
    # a dx and a tangent that are wrong alike agree with each other
    alone = part[1] in ("dx", "tangent") and len(PARTS[part]) == 1
    assert (adjoint in failed(dtype)) == (alone and dtype == "float64")


def test_eq1e_a_bias_that_the_tangent_sees_fails_in_its_line(one_case, monkeypatch):
    right = Dense.tangent_dparams
    monkeypatch.setattr(
        Dense, "tangent_dparams", lambda *args: (right(*args)[0], right(*args)[1] + 1e-20)
    )
    monkeypatch.setattr(module, "GAMES", {})
    assert failed("float64") == {"(1e) Dense: db of the tangent"}


@every_dtype
@pytest.mark.parametrize(
    ("equation", "target"), [(n, t) for n, (_, targets) in LOSSES.items() for t in targets]
)
def test_a_loss_that_is_wrong_by_a_little_for_one_target_fails_in_its_line(
    equation, target, dtype, one_case, monkeypatch
):
    right, targets = LOSSES[equation]

    def bent(s, t):
        loss, ds = right(s, t)
        return loss, ds * (1 + SLIGHTLY[dtype]) if t == target and s.dtype == dtype else ds

    bent.__name__ = right.__name__
    monkeypatch.setitem(LOSSES, equation, (bent, targets))
    monkeypatch.setattr(module, "GAMES", {})
    assert failed(dtype) == {f"{equation} {right.__name__}: ds"}


@every_dtype
def test_the_classifiers_loss_fails_in_its_line(dtype, one_case, monkeypatch):
    def bent(s, c):
        loss, ds = softmax_cross_entropy(s, c)
        return loss, ds * (1 + SLIGHTLY[dtype]) if s.dtype == dtype else ds

    bent.__name__ = "softmax_cross_entropy"
    monkeypatch.setattr(module, "softmax_cross_entropy", bent)
    monkeypatch.setattr(module, "GAMES", {})
    assert failed(dtype) == {"(8a) softmax_cross_entropy: ds"}


@every_dtype
@pytest.mark.parametrize(
    ("method", "at", "line"),
    [
        ("gradient", None, "(11) network: gradient of theta"),
        ("tangents", -1, "(12) network: tangents"),
        ("deltas", 0, "(10) network: delta of x"),
    ],
)
def test_a_networks_pass_that_is_wrong_by_a_little_fails_in_its_line(
    method, at, line, dtype, one_case, monkeypatch
):
    bend(monkeypatch, Network, method, dtype, at)
    monkeypatch.setattr(module, "GAMES", {})
    assert failed(dtype) - ADJOINT == {line}
    monkeypatch.setitem(SLIGHTLY, dtype, 1e-2)  # (52) sees what is not orthogonal to v
    adjoint = {"(52) network: adjoint, layer by layer"}
    assert failed(dtype) & ADJOINT == (
        adjoint if at is not None and dtype == "float64" else set()
    )


def hand_over(monkeypatch, method, dtype):
    """What a step hands to its optimiser made wrong by a little."""
    right = getattr(Game, method)

    def bent(self, dtheta):
        wrong = 1 + SLIGHTLY[dtype] if dtheta.dtype == dtype else 1
        return right(self, dtheta * dtheta.dtype.type(wrong))

    monkeypatch.setattr(Game, method, bent)


@every_dtype
@pytest.mark.parametrize(("method", "steps"), [("descend_G", STEPS), ("descend_D", D_STEPS)])
def test_every_step_of_every_game_that_is_wrong_by_a_little_fails_in_its_line(
    method, steps, dtype, one_case, monkeypatch
):
    hand_over(monkeypatch, method, dtype)
    assert failed(dtype) == of(GAMES, *steps)


@pytest.mark.parametrize("at", [0, 1])
def test_a_penalty_or_its_gradient_that_is_wrong_fails_where_it_is_asked_for(
    at, one_case, monkeypatch
):
    right = WGANGP.penalty

    def bent(self, *args):
        return tuple(v * (1 + 1e-9) if i == at else v for i, v in enumerate(right(self, *args)))

    monkeypatch.setattr(WGANGP, "penalty", bent)
    few = {
        name: GAMES[name] for name in ("gan", "wgan", "wgan-gp", "cwgan-gp", "wgan-gp, conv")
    }
    monkeypatch.setattr(module, "GAMES", few)
    assert failed("float64") == of(("wgan-gp", "cwgan-gp", "wgan-gp, conv"), *D_STEPS)


def test_a_game_whose_loss_is_wrong_fails_and_no_other(one_case, monkeypatch):
    def bent(self, s_real, s_fake, right=WGAN.D_loss):
        loss, ds_real, ds_fake = right(self, s_real, s_fake)
        return loss, ds_real * (1 + 1e-9), ds_fake

    monkeypatch.setattr(WGAN, "D_loss", bent)
    assert failed("float64") == of(("wgan", "cwgan"), *D_STEPS)


def test_the_minimax_loss_is_proven_by_itself(one_case, monkeypatch):
    def bent(self, *scores, right=GAN.G_loss):
        loss, ds = right(self, *scores)
        return loss, ds * (1 + 1e-9) if self.minimax else ds

    monkeypatch.setattr(GAN, "G_loss", bent)
    assert failed("float64") == of(("gan, minimax",), *STEPS)


def test_rows_that_mix_fail_in_their_lines(one_case, monkeypatch):
    def mixed(self, x, right=LeakyReLU.forward):
        return right(self, x) + 1e-9 * x[:1]

    monkeypatch.setattr(LeakyReLU, "forward", mixed)
    monkeypatch.setattr(module, "GAMES", {})
    assert failed("float64") >= {"(21) LeakyReLU: row by row", "(21) network: row by row"}
    assert not failed("float64") & {"(21) Dense: row by row", "(21) Sigmoid: row by row"}


@pytest.mark.parametrize("name", GAMES)
def test_float32_and_float64_play_with_the_same_numbers(name):
    like = np.zeros(0)
    for case in CASES:
        low = GameUnderProof(name, case, "float32", like)
        high = GameUnderProof(name, case, "float64", like, rounded=True)
        pairs = [(low.x, high.x), (low.z, high.z), (low.model.G.theta, high.model.G.theta)]
        pairs.append((low.model.D.theta, high.model.D.theta))
        pairs.append([SameNumbers().random((4, 1), dtype) for dtype in ("float32", "float64")])
        for a, b in pairs:
            assert (a.dtype, b.dtype) == ("float32", "float64")
            np.testing.assert_array_equal(a, b)
        if low.c is not None:
            np.testing.assert_array_equal(low.c, high.c)
        n = 20 if "conv" in name else 4
        assert (low.x.shape, low.z.shape) == ((case[1], n), (case[1], 3))


def test_no_parameter_under_proof_is_zero():
    """Biases start at zero, where a wrong derivative may vanish; these were moved."""
    for name in GAMES:
        model = GameUnderProof(name, CASES[0], "float64", np.zeros(0)).model
        assert (model.G.theta != 0).all()
        assert (model.D.theta != 0).all()
        assert (model.G_hidden, model.D_hidden) == ((7, 6), (6, 7))


def test_a_gpu_is_used_or_its_absence_is_one_clear_line():
    done = gradcheck("--backend", "cupy", "--dtype", "float32")
    if done.returncode == 0:
        assert done.stdout.splitlines()[-1].startswith("all ")
        return
    with pytest.raises(BackendError) as absent:
        backend("cupy")
    assert done.returncode == 2
    assert done.stderr == f"minigan: {absent.value}\n"


def test_the_help_has_examples(capsys):
    assert main(["gradcheck", "--help"]) == 0
    text = capsys.readouterr().out
    assert "examples:\n  minigan gradcheck\n" in text
