"""`minigan gradcheck`, as a subprocess and from within: nothing is missing, nothing hides."""

import inspect
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from minigan import Dense, Layer, LeakyReLU, Network, layers, losses
from minigan.arrays import backend
from minigan.errors import BackendError
from minigan.gradcheck import Check
from minigan.lab.cli import main
from minigan.lab.models import MODELS
from minigan.lab.proofs import GAMES, Proof, proofs, table


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
    """The command as it is, and the seconds that it took."""
    begun = time.perf_counter()
    return gradcheck(), time.perf_counter() - begun


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
    numbers = "1a 1b 1c 1d 1e 2a 2b 3a 3b 4a 5a 6a 7a 9 10 11 17 18 19 19a 37"
    for equation in numbers.split():
        assert any(line.startswith(f"({equation}) ") for line in found), equation


BUG = "from minigan import Sigmoid\nSigmoid.dx = lambda self, dy, x, y: dy * y"


def test_an_injected_bug_gives_exit_status_1_and_is_named():
    done = gradcheck(bug=BUG)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    wrong = [i for i, line in enumerate(lines) if line.endswith("FAIL")]
    named = {lines[i].split()[0] for i in wrong[:-1]}
    assert named >= {"(3a)", "(3b)", "(9)", "(10)", "(17)", "(19)"}
    assert not named & {"(1a)", "(2a)", "(4a)", "(18)"}
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
    assert failed >= {"(1a)", "(9)", "(17)", "(19)"}
    assert not failed & {"(1b)", "(1c)", "(1d)", "(2a)"}


def test_nothing_that_has_a_derivative_is_left_out(proven):
    lines = proven[0].stdout.splitlines()
    what = {line[7:].partition(":")[0] for line in lines if line.startswith("(")}
    for module, kind in ((layers, inspect.isclass), (losses, inspect.isfunction)):
        for name, thing in inspect.getmembers(module, kind):
            if thing.__module__ == module.__name__ and thing is not Layer:
                assert name in what
    assert what >= set(MODELS) | set(GAMES) | {"gan, minimax", "network"}


def test_a_failure_is_shown_with_its_worst_entry_beneath():
    right = Check("a", "adjoint", 0.0, "", 1e-13)
    wrong = Check("b", "complex step", 0.5, "b[3]: 1 claimed, 2 measured", 1e-13)
    lines = list(table([Proof("(37)", "the one", right), Proof("(9)", "the other", wrong)]))
    assert lines[1:] == [
        "(37)   the one                               adjoint       0.0e+00  1e-13  pass",
        "(9)    the other                             complex step  5.0e-01  1e-13  FAIL",
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
    assert failed >= {"(2a)", "(2b)", "(37)"}
    assert not failed & {"(1a)", "(3a)", "(4a)"}


def test_the_worst_of_the_cases_is_the_one_that_is_shown(monkeypatch):
    tangents = Network.tangents

    def drifting(self, trace, u):
        return [(1 + 1e-14 * len(u)) * v for v in tangents(self, trace, u)]

    monkeypatch.setattr(Network, "tangents", drifting)
    monkeypatch.setattr("minigan.lab.proofs.GAMES", {})
    (check,) = (proof.check for proof in proofs() if proof.equation == "(11)")
    assert check.passed
    assert check.error == pytest.approx(8e-14, abs=2e-15)  # the case of eight rows


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
