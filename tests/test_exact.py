"""`minigan gradcheck --exact`: rational lines are proven by ==, and their mutants are not."""

import sys
from fractions import Fraction

import numpy as np
import pytest
from mutate import mutants, remade

from minigan import LSGAN, R3GAN, SGD, WGAN, Dense, LeakyReLU, Network
from minigan.game import Game
from minigan.lab import exact, exact_games
from minigan.lab.cli import main
from minigan.lab.dual import Dual, Number, along, draw, equal, gradient, slope
from minigan.losses import least_squares, wasserstein
from minigan.network import layer_gradient
from minigan.optim import Optimizer
from minigan.penalty import three_passes, widen, zero_centred_penalty
from minigan.wgan import Wasserstein


@pytest.mark.parametrize(
    "cases",
    [
        pytest.param(exact.CASES[3:] + ((2, (2, 1, 1)),), id="small ones"),
        pytest.param(exact.CASES, id="all", marks=pytest.mark.slow),
    ],
)
def test_the_command_prints_what_is_equal(capsys, cases, monkeypatch):
    monkeypatch.setattr(exact, "CASES", cases)
    assert main(["gradcheck", "--exact"]) == 0
    lines = capsys.readouterr().out.splitlines()
    proven = [line for line in lines if line.startswith("(")]
    assert lines[-1] == f"all {len(proven)} equal"
    assert all(line.endswith(" equal") for line in proven)
    assert max(map(len, lines)) < 80
    numbers = "(1) (1a) (1b) (1c) (1d) (1e) (2) (2a) (2b) (5) (5a) (6) (6a) (9) (10) (11) (12) "
    numbers += "(13) (16) (19) (19a) (20) (21) (21a) (28) (29) (32) (33) (36) (37) (38) (42) "
    numbers += "(43)"
    for number in numbers.split():
        assert any(line.split()[0] == number for line in proven), number


def test_exact_proofs_have_no_dtype(capsys):
    assert main(["gradcheck", "--exact", "--dtype", "float32"]) == 2
    assert "--exact: runs on fractions" in capsys.readouterr().err


def test_a_wrong_line_is_not_equal(capsys, monkeypatch):
    monkeypatch.setattr(exact, "CASES", SMALL[1:2])
    monkeypatch.setattr(Dense, "dx", lambda self, dy, x, y, W, b=None: 2 * (dy @ W.T))
    assert main(["gradcheck", "--exact"]) == 1
    lines = capsys.readouterr().out.splitlines()
    wrong = {line.split()[0] for line in lines if line.endswith("NOT EQUAL")}
    assert wrong >= {"(1a)", "(10)", "(19)"}
    assert not wrong & {"(1)", "(1b)", "(5a)", "(16)"}


@pytest.mark.slow
def test_the_chance_of_a_false_pass_is_negligible_for_all_patterns_together():
    for proof in exact.exact_proofs([exact.of_layers, exact.of_networks, exact.of_penalty]):
        assert proof.chance < -60, proof
    assert exact.ExactProof("(1)", "", 4, 3, True).chance == 2 + 6 - 256


# ---- the numbers themselves ----


def test_a_number_stays_a_fraction_beside_floats_and_arrays():
    third = Number(1, 3)
    for made in (third + 0.5, 0.5 - third, 2 * third, third / 4, 1.0 / third, -third, third**3):
        assert type(made) is Number
    assert 0.5 - third == Fraction(1, 6)
    assert third * np.float64(0.1) == Fraction(1, 3) * Fraction(0.1)
    assert (third * np.array([1, 0.5], object)).tolist() == [Fraction(1, 3), Fraction(1, 6)]


def test_a_dual_number_carries_the_derivative_of_a_rational_function():
    x = Dual(Number(2, 7), 1)
    y = (3 * x**3 - x / 2 + 1) / (x * x + 5) - 1 / x
    a = Fraction(2, 7)
    top, down = 3 * a**3 - a / 2 + 1, a * a + 5
    right = ((9 * a * a - Fraction(1, 2)) * down - top * 2 * a) / down**2 + 1 / a**2
    assert y.value == top / down - 1 / a
    assert y.slope == right
    assert [x > 0, x > a, x < 1, x < a, x >= a, x >= 1, x <= a, x <= 0] == [True, False] * 4
    assert x != y


def test_dual_numbers_within_dual_numbers_give_second_derivatives():
    """x³ y: the mixed derivative is 3x², in either order of nesting."""
    x, y = Number(5, 3), Number(-2, 9)
    for inner, outer in ((1, 2), (2, 1)):
        made = Dual(x, 1, inner) ** 3 * Dual(y, 1, outer)
        assert slope(slope(made, 2), 1) == 3 * x * x


def test_the_gradient_by_the_definition():
    rng = np.random.default_rng(0)
    x = draw(rng, 2, 3)
    assert equal((gradient(lambda x: (x * x * x).sum(), x), 3 * x * x))
    assert slope(along(x, x)).tolist() == x.tolist()
    assert equal((0.1 * along(x, 0 * x), Fraction(0.1) * x))  # no constant becomes a float
    assert not equal((x, x[0]))
    assert not equal((x, x + Fraction(1, 10**60)))
    assert len(set(x.flat)) == 6


# ---- mutants ----

ALIKE = {  # the same numbers in every case
    "least_squares, line 11: s - t → t - s": "squared",
    "Optimizer.step, line 3: array_namespace(theta, dtheta) → array_namespace(dtheta, theta)":
        "both are of one library",
    "LeakyReLU.slopes, line 5: xp.maximum(xp.astype(x > 0, x.dtype), self.slope) → "
    "xp.maximum(self.slope, xp.astype(x > 0, x.dtype))": "the larger of the two",
    "LeakyReLU.tangent, line 3: self.dx(u, x, y) → self.dx(u, y, x)": "y > 0 where x > 0",
    "Network.accumulate, line 17: 1 → 2": "NumPy reads any negative size as what remains",
    "Network.gradient, line 3: self.deltas(trace, dy, stop=1) → self.deltas(trace, dy)":
        "one delta more, which no parameter needs",
    "layer_gradient, line 17: zip(own, layer.tangent_dparams(delta, u, x, y, *params)) → "
    "zip(layer.tangent_dparams(delta, u, x, y, *params), own)": "added in the other order",
    "Game.update, line 15: array_namespace(x, z, self.D.theta) → "
    "array_namespace(z, x, self.D.theta)": "all are of one library",
    "Game.update, line 15: array_namespace(x, z, self.D.theta) → "
    "array_namespace(x, self.D.theta, z)": "all are of one library",
    "Game.update, line 20: self.D.deltas(trace, xp.ones_like(trace[-1]), stop=self.stop) → "
    "self.D.deltas(trace, xp.ones_like(trace[-1]))": "one delta more, which nothing reads",
    "Game.descend_G, line 13: min(self.ema_decay, t / (t + 9)) → "
    "min(t / (t + 9), self.ema_decay)": "the smaller of the two",
    "R3GAN.D_gradient, line 19: 0 → 1": "of this delta only the shape is read",
    "Game.score_real_and_fake, line 4: array_namespace(x, x_fake) → "
    "array_namespace(x_fake, x)": "both are of one library",
}  # fmt: skip
OWN = {  # the functions whose lines are proven, and the subjects that prove them
    "layers": [(Dense, "forward dx dparams tangent tangent_dparams"),
               (LeakyReLU, "slopes forward dx tangent")],
    "losses": [("losses", [wasserstein, least_squares])],
    "networks": [(Network, "forward deltas dx accumulate gradient tangents tangent")],
    "penalty": [("penalty", [zero_centred_penalty, three_passes, widen])],
    "sgd": [(SGD, "update"), (Optimizer, "step")],
    "games": [(Game, "G_step D_step update D_update descend_G descend_D D_record add_penalty "
                     "score_real_and_fake D_gradient"),
              (R3GAN, "report penalty D_gradient"), (LSGAN, "D_loss G_loss report"),
              (Wasserstein, "D_loss G_loss report"), (WGAN, "constrain")],
}  # fmt: skip


def functions():
    """(subject, owner, name, function)"""
    for subject, owners in OWN.items():
        for owner, names in owners:
            if isinstance(owner, str):
                for function in names:
                    yield subject, sys.modules[f"minigan.{owner}"], function.__name__, function
            else:
                for name in names.split():
                    yield subject, owner, name, vars(owner)[name]
    module = sys.modules["minigan.network"]
    yield "networks", module, "layer_gradient", layer_gradient


# cases that reject most mutants at once
SMALL = (1, (2, 1, 1)), (2, (2, 1, 1)), (2, (2, 3, 2))


def proven(subject):
    """Whether the exact proofs of a subject hold; an error is a failure."""
    try:
        for cases in (SMALL, exact.CASES):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(exact, "CASES", cases)
                if not all(proof.passed for proof in exact.each_proof([subject])):
                    return False
        return True
    except Exception:
        return False


def survivors(which):
    """Descriptions of the mutants that exact proof does not reject, and how many there are."""
    subject = getattr(exact, f"of_{which}")
    alive, count = [], 0
    for name_of, owner, name, function in functions():
        if name_of != which:
            continue
        for description, mutant in mutants(function, owner):
            count += 1
            if description in ALIKE:
                alive.append(description)
                continue
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(owner, name, mutant)
                for module in list(sys.modules.values()):
                    if getattr(module, "__name__", "").startswith("minigan"):
                        for key, value in list(vars(module).items()):
                            if value is function and module is not owner:
                                patch.setattr(module, key, mutant)
                if proven(subject):
                    alive.append(description)
    return alive, count


def remembered(gradient):
    """The truth by the definition, which no mutant of a game's lines can change."""

    known = {}

    def of(f, x):
        key = f.__func__, tuple(x)  # among so many numbers no two points are alike
        if key not in known:
            known[key] = gradient(f, x)
        return known[key]

    return of


@pytest.mark.slow
def test_the_functions_made_anew_without_a_change_are_proven(monkeypatch):
    """So a mutant is rejected by its change, and not since it was made from a tree."""
    monkeypatch.setattr(exact, "CASES", SMALL[1:2])
    for _, owner, name, function in functions():
        monkeypatch.setattr(owner, name, remade(function, owner))
    assert all(proof.passed for proof in exact.each_proof())


@pytest.mark.slow
@pytest.mark.parametrize("which", OWN)
@pytest.mark.filterwarnings("ignore")
def test_every_mutant_of_a_rational_line_is_rejected_by_exact_proof_alone(which, monkeypatch):
    monkeypatch.setattr(exact_games, "gradient", remembered(exact_games.gradient))
    alive, count = survivors(which)
    assert count >= 8
    assert set(alive) <= set(ALIKE), set(alive) - set(ALIKE)


@pytest.fixture(scope="module")
def alike():
    """{description: (subject, owner, name, mutant)} of what is said to be alike."""
    return {
        d: (which, owner, name, mutant)
        for which, owner, name, function in functions()
        for d, mutant in mutants(function, owner)
        if d in ALIKE
    }


def test_what_is_said_to_be_alike_still_exists(alike):
    assert set(alike) == set(ALIKE)


@pytest.mark.slow
def test_what_is_said_to_be_alike_computes_the_same(alike):
    for which, owner, name, mutant in alike.values():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(owner, name, mutant)
            patch.setattr(exact, "CASES", SMALL[:1])
            assert all(
                proof.passed for proof in exact.each_proof([getattr(exact, f"of_{which}")])
            )
