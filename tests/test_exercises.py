"""The exercises: their texts come from the chapters, right answers pass, wrong ones do not."""

import ast
import functools
import json
import linecache
import os
import re
from pathlib import Path

import pytest
from bug_zoo import ZOO
from exercise_mutants import (
    EQUIVALENT,
    candidates,
    mutants,
    typical,
    verdict,
    whole,
    wrong_answers,
)

from minigan import Dense
from minigan.lab.cli import main
from minigan.lab.exercises import answer, check, hints, notebook, source
from minigan.lab.exercises.bugs import BUGS, Bug
from minigan.lab.exercises.table import EXERCISES, Exercise, find

ALL = [*EXERCISES, *BUGS]
BY_KEY = {each.key: each for each in ALL}
DX = BY_KEY["layers.Dense.dx"]
(LINE,) = source.gaps(source.function_node(ast.parse(source.student_text(DX)), DX.function))


def by_key(each):
    return each.key


def filled(exercise, *lines, level="a"):
    """The student's file with these lines in the place of the first gap."""
    head, gap, tail = source.student_text(exercise, level).partition("...  # your answer")
    indent = head[head.rindex("\n") + 1 :]
    return head + f"\n{indent}".join(lines) + tail


# ---- what the exercises are ----


def test_there_are_enough_of_them_and_each_has_its_own_name():
    assert len(EXERCISES) >= 30
    assert len(BUGS) >= 10
    assert len(BY_KEY) == len(ALL)
    assert {bug.name for bug in BUGS} <= {bug.name for bug in ZOO}


@pytest.mark.parametrize("exercise", EXERCISES, ids=by_key)
def test_the_students_file_is_the_chapter_with_a_gap(exercise):
    """Put back what was taken out, and it is the chapter to the last character."""
    chapter = source.chapter_text(exercise.chapter)
    made = source.student_text(exercise)
    head = source.header(exercise, "a")
    assert made.startswith(head)
    pieces, at = [], 0
    for first, last in source.holes(exercise, chapter):
        pieces.append(chapter[at:first])
        at = last
    pieces.append(chapter[at:])
    rest = made[len(head) :].replace(source.ANSWER, "")
    for piece in pieces:
        assert piece in rest
    gapped = [line for line in rest.splitlines() if "..." in line]
    assert made.count(source.ANSWER) <= len(gapped)
    node = source.function_node(ast.parse(made), exercise.function)
    assert source.gaps(node)
    assert source.numbers(exercise)
    with pytest.raises(answer.NotAnAnswer, match=r'"\.\.\." still stands'):
        answer.look(exercise, made)


@pytest.mark.parametrize("exercise", [e for e in EXERCISES if e.derive], ids=by_key)
def test_the_second_level_does_not_tell_the_derivation(exercise):
    made = source.student_text(exercise, "b")
    ast.parse(made)
    told = [
        p for p in hints.paragraphs(exercise) if p.startswith(exercise.gives_away or ("\0",))
    ]
    if exercise.derive == "equation":
        numbers = source.numbers(exercise)
        told += [p for p in hints.paragraphs(exercise) if hints.number_of(p) in numbers]
    assert told
    words = " ".join(made.split())
    for paragraph in told:
        assert " ".join(paragraph.split())[:70] not in words, paragraph


def proofs_of(exercise):
    """Of one game each, where there are several."""
    for proof in exercise.proofs if isinstance(exercise, Bug) else (exercise.proof,):
        games = proof[1:] if proof[0] == "game" else ()
        yield from ((("game", game) for game in games) if games else [proof])


@functools.cache
def solution_passes(proof):
    """The chapters are the solutions of all exercises; each proof need be tried once."""
    each = Exercise("losses", "wasserstein", proof)
    return verdict(each, source.chapter_text("losses")) == "right"


@pytest.mark.parametrize("exercise", ALL, ids=by_key)
def test_the_solution_is_accepted_and_a_wrong_answer_is_not(exercise):
    count = len(candidates(exercise))
    assert count >= 12
    assert any(" -> " in what for what in candidates(exercise))  # a mutant of the answer
    answer.look(exercise, source.chapter_text(exercise.chapter))
    assert all(map(solution_passes, proofs_of(exercise)))
    what, text = next(iter(wrong_answers(exercise, count // 4, count // 2).items()))
    assert verdict(exercise, text) != "right", what


@pytest.mark.slow
@pytest.mark.parametrize("exercise", ALL, ids=by_key)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_every_wrong_answer_is_refused(exercise):
    for what, text in wrong_answers(exercise).items():
        assert verdict(exercise, text) != "right", what


def test_each_exception_is_a_change_that_there_is():
    found = {}
    named = {function for function, _, _ in EQUIVALENT}
    for each in ALL:
        function = f"{each.chapter}.{each.function}"
        if function in named and function not in found:
            found[function] = set(mutants(whole(each)))
        if function in named and not isinstance(each, Bug):
            found[function].update(typical(each))
    for function, told, why in EQUIVALENT:
        assert any(told in what for what in found[function]), (function, told, why)


def test_find_takes_numbers_keys_and_their_ends():
    number = source.numbers(DX)[0]
    for word in (number, f"({number})", "layers.Dense.dx", "dense.dx"):
        assert find(word, source.numbers) is DX
    with pytest.raises(ValueError, match="minigan exercise list"):
        find("99z", source.numbers)
    with pytest.raises(ValueError, match=r"layers\.Dense\.dx.*layers\.Sigmoid\.dx"):
        find("dx", source.numbers)


# ---- what the check refuses ----

CHEATS = {
    "the library": (
        "from minigan.layers import Dense",
        "return Dense.dx(self, dy, x, y, W, b)",
    ),
    "importlib": ("import importlib", "return importlib.import_module('minigan')"),
    "a hidden import": ("return __import__('minigan').Dense.dx(self, dy, x, y, W, b)",),
    "the file": ("exec(open('layers.py').read())", "return 0"),
    "the call stack": ("return dy.__class__.__mro__",),
    "a complex step": ("return self.forward(dy + 1e-30j, W.T, 0 * b).imag / 1e-30",),
    "its own forward": ("return self.forward(dy, W.T, 0 * x[0])",),
    "by name": ("return getattr(self, 'for' + 'ward')(dy, W.T, 0 * x[0])",),
    "numpy's files": ("return np.load('answer.npy')",),
}


@pytest.mark.parametrize("lines", CHEATS.values(), ids=CHEATS)
def test_an_answer_computes_what_is_asked(lines):
    with pytest.raises(answer.NotAnAnswer, match=f"^line ({LINE}|{LINE + 1}): "):
        answer.look(DX, filled(DX, *lines))


def test_a_central_difference_is_not_near_enough():
    sigmoid = BY_KEY["layers.Sigmoid.dx"]
    lines = (
        "h = 1e-5",
        "return dy * (1 / (1 + np.exp(-x - h)) - 1 / (1 + np.exp(-x + h))) / (2 * h)",
    )
    text = filled(sigmoid, *lines)
    answer.look(sigmoid, text)
    assert verdict(sigmoid, text) == "prove"


def test_the_steps_are_not_called_from_each_other():
    step = BY_KEY["game.Game.D_step"]
    text = source.student_text(step).replace(
        "dtheta = ...", "return self.D_update(x, x_fake, c)"
    )
    with pytest.raises(answer.NotAnAnswer, match="D_update knows the result already"):
        answer.look(step, text.replace("...  # your answer", "None"))


def test_a_name_that_is_refused_stands_only_where_the_chapter_has_it():
    """The chapter's own line passes on what has no penalty; an answer may not do so too."""
    one_pass = BY_KEY["r3gan.R3GAN.D_gradient"]
    chapter = source.chapter_text(one_pass.chapter)
    answer.look(one_pass, chapter)
    solution = "u = self.gamma / m * deltas[0][:, : self.n_data]"
    text = chapter.replace(solution, "return super().D_gradient(trace, deltas, ds, *rows)")
    assert text != chapter
    line = text[: text.rindex("super()")].count("\n") + 1
    with pytest.raises(answer.NotAnAnswer, match=f"^line {line}: D_gradient knows"):
        answer.look(one_pass, text)


CHANGES = {
    "another function": (("return u @ W", "return u @ W * 1"), "Dense.tangent was changed"),
    "a missing one": (("def slopes", "def slope"), "LeakyReLU.slopes is missing"),
    "a new one": (("def require", "def helper():\n    pass\n\n\ndef require"), "helper is new"),
    "its arguments": (
        ("def dx(self, dy, x, y, W, b=None)", "def dx(self, dy, *rest)"),
        "was changed",
    ),
    "a constant": (("kink = 0.0", "kink = 1.0"), "outside Dense.dx was changed"),
    "an import": (
        ("import numpy as np\n", "import numpy as np\nimport os\n"),
        "imports nothing",
    ),
    "one import fewer": (("import numpy as np\n", ""), "`import numpy as np` is missing"),
}


@pytest.mark.parametrize(("edit", "told"), CHANGES.values(), ids=CHANGES)
def test_the_rest_of_the_chapter_stays_as_it_was(edit, told):
    text = filled(DX, "return dy @ W.T")
    answer.look(DX, text)
    assert edit[0] in text
    with pytest.raises(answer.NotAnAnswer, match=told):
        answer.look(DX, text.replace(*edit, 1))


RIGHT = filled(DX, "return dy @ W.T")
FILES = {
    "nothing": (b"", "the file is empty"),
    "blanks": (b" \n\n", "the file is empty"),
    "another file": (b"print(1)\n", "expected at the top"),
    "an unknown exercise": (b"# minigan exercise: layers.Dense.dy\n", "expected at the top"),
    "a Word document": (b"PK\x03\x04...", "a document of a word processor"),
    "rich text": (b"{\\rtf1", "a document of a word processor"),
    "UTF-16": (RIGHT.encode("utf-16"), "text in UTF-16"),
    "Latin-1": (RIGHT.replace("# In", "# ü In").encode("latin-1", "replace"),
                "byte 0xfc is not UTF-8"),
    "quotes of Word": (RIGHT.replace("return dy @ W.T", "return dy @ W.T  + ‘a’").encode(),
                       r"line \d+: the character U\+2018 is no Python"),
    "tabs and blanks": (RIGHT.replace(" " * 8 + "return dy", "\treturn dy").encode(),
                        "tabs and blanks are mixed"),
    "a missing bracket": (RIGHT.replace("return dy @ W.T", "return (dy @ W.T").encode(),
                          r"line \d+: this is not valid Python: '\(' was never closed"),
    "a NUL": (RIGHT.replace("return dy", "\0 return dy").encode(), "this is not valid Python"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "told"), FILES.values(), ids=FILES)
def test_a_file_that_cannot_be_an_answer_is_told_in_one_sentence(
    content, told, tmp_path, capsys
):
    path = tmp_path / "my answer.py"
    path.write_bytes(content)
    assert main(["exercise", "check", str(path)]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith(f"{path}: not yet: ")
    assert out.count("\n") == 1
    assert re.search(told, out), out


# ---- through real processes ----


def test_a_right_answer_is_right_and_soon(tmp_path, capsys):
    """With Windows' line ends, a byte order mark, in a folder with blanks."""
    path = tmp_path / "a folder" / "an answer.py"
    path.parent.mkdir()
    path.write_bytes(b"\xef\xbb\xbf" + RIGHT.replace("\n", "\r\n").encode())
    begun = sum(os.times()[:4])
    assert main(["exercise", "check", str(path)]) == 0
    assert sum(os.times()[:4]) - begun < 5  # of the processors; it takes a tenth of it
    assert "right; (" in capsys.readouterr().out
    kept = json.loads((path.parent / "progress.json").read_text())["exercises"]
    assert kept["layers.Dense.dx"]["right"] is True


OUTCOMES = {
    "a wrong answer": (["return dy @ W.T * 2"], r"FAIL at Dense\.dx\["),
    "a wrong shape": (["return dy"], "Dense.dx: expected shape"),
    "nothing": (["pass"], r"Dense\.dx: expected shape \(\d, \d\), got None"),
    "an error": (["return dy @ W"], f"line {LINE}: ValueError"),
    "an argument changed": (["dy *= 2", "return dy @ W.T"], "changes an argument"),
    "no end": (["while True:", "    pass"], "did not end within 1 seconds of computing"),
    "a call of itself": (["return self.dx(dy, x, y, W, b)"], "calls itself without end"),
    "thousands of lines": (["for i in range(9**4):", "    print('w' * 80)", "return dy @ W.T"],
                        "right"),
}  # fmt: skip


@pytest.mark.parametrize(("lines", "told"), OUTCOMES.values(), ids=OUTCOMES)
def test_whatever_an_answer_does_is_told(lines, told, tmp_path, capsys, monkeypatch):
    if "no end" in told or "within" in told:
        monkeypatch.setattr(check, "SECONDS", 1)
    path = tmp_path / "x.py"
    path.write_text(filled(DX, *lines))
    status = main(["exercise", "check", str(path)])
    out = capsys.readouterr().out
    assert re.search(told, out), out
    assert status == int("right;" not in out)
    assert len(out) < 5000


def test_no_warning_stands_beside_a_verdict(tmp_path, capfd):
    text = source.student_text(BY_KEY["losses.softmax_cross_entropy.ds"])
    (tmp_path / "x.py").write_text(text.replace("/ m, ...", "/ m, -c / (e / total) / m"))
    assert main(["exercise", "check", str(tmp_path / "x.py")]) == 1
    out, err = capfd.readouterr()
    assert err == ""
    assert "nan: there 0 is divided by 0" in out


DIAGNOSES = {
    "layers.Dense.dx": {
        "return -(dy @ W.T)": "the sign is wrong",
        "return 1.7 * (dy @ W.T)": "claimed = 1.7 × measured, a constant factor",
        "return x @ W @ W.T": "",
        "return np.where(x > 0, dy @ W.T, 0)": "it is right only where x > 0; there it is zero",
        "return dy @ W.T / len(x)": "claimed = measured / m, m = ",
    },
    "layers.LeakyReLU.dx": {
        "return dy": "a factor is missing",
        "return self.slope * dy": "it is right only where x < 0",
    },
    "layers.Sigmoid.dx": {
        "return dy": "a factor is missing",
        "return dy * x * (1 - x)": "x stands where y belongs",
        "return dy * y * (1 - y) * y": "the factor y is there once too often",
    },
}
SAID = [(key, line, said) for key, each in DIAGNOSES.items() for line, said in each.items()]


@pytest.mark.parametrize(("key", "line", "said"), SAID)
def test_a_wrong_answer_is_told_what_is_wrong_with_it(key, line, said):
    """And not what would be right: a factor that is missing has no name here."""
    each = BY_KEY[key]
    verdict = check.judge(each, filled(each, line), "x.py", 1, check.in_process)
    first, _, cause = verdict.failed[0].partition("\n")
    assert " FAIL at " in first
    assert cause.strip().startswith(said)
    assert bool(cause) == bool(said)
    assert not verdict.right


ABOUT = {
    "float64 for float32": (
        "layers.LeakyReLU.dx", "self.slopes(x) * dy", "np.where(x > 0, 1, self.slope) * dy",
        "^LeakyReLU.dx is not float32 where x is",
    ),
    "a wrong definition": (
        "losses.least_squares.value", "(2 * m)", "m",
        "^least_squares: value [^\n]* FAIL (?!.*least_squares ds)",
    ),
    "a wrong forward pass": (
        "layers.Dense.forward", "x @ W\n", "-x @ W\n", r"^Dense\.forward (?!.*Dense\.dx)"
    ),
    "no return": (
        "layers.Dense.dx", "return dy @ W.T", "dy @ W.T",
        r"^Dense.dx: expected [^;]* got None; is a `return` missing\?$",
    ),
    "no return, deeper": (
        "network.Network.tangents", "return tangents", "tangents", "is a `return` missing",
    ),
    "a condition's columns": (
        "game.Game.G_step", "[:, : self.n_data]", "",
        "in the game cgan; with a condition, D's input has more columns",
    ),
    "no parameters": (
        "network.Network.accumulate", " if grads else xp.zeros_like(self.theta)", "",
        "concatenate.*in a network without parameters",
    ),
    "0/0": (
        "penalty.gradient_penalty.u", "xp.where(norm == 0, 1.0, norm)", "norm",
        "all slopes 0: gradient.*there 0 is divided by 0",
    ),
    "an epsilon": (
        "penalty.gradient_penalty.u", "xp.where(norm == 0, 1.0, norm)", "(norm + 1e-11)",
        "nearly right: is a small number added",
    ),
    "a step on a new array": (
        "optim.SGD.update", "theta += self.v", "theta = theta + self.v", "did not move theta",
    ),
    "a clip of a new array": (
        "wgan.WGAN.constrain", "theta[...] = ", "theta = ", "^constrain did not move theta",
    ),
    "targets called c": (
        "losses.softmax_cross_entropy.ds", "(e / total - c) / m", "(e / total - 1) * c / m",
        "the factor c is there once too often",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("key", "right", "wrong", "told"), ABOUT.values(), ids=ABOUT)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_verdict_is_about_what_the_student_wrote(key, right, wrong, told):
    each = BY_KEY[key]
    chapter = source.chapter_text(each.chapter)
    begin, _ = source.span(chapter, source.function_node(ast.parse(chapter), each.function))
    assert right in chapter[begin:]
    text = chapter[:begin] + chapter[begin:].replace(right, wrong, 1)
    verdict = check.judge(each, text, "x.py", 1, check.in_process)
    said = "\n".join(filter(None, [verdict.reason, *verdict.failed]))
    assert not verdict.right
    assert re.search(told, said, re.S), said


def test_no_diagnosis_tells_the_answer():
    told = {
        "got (4, 2); the elementwise product dy * W stands where dy @ W.T belongs": (
            "got (4, 2); the elementwise product dy * W stands where another product belongs"
        ),
        "the factor f′(x) = y(1 − y) is missing": "a factor is missing",
        "the factor y is there once too often": "the factor y is there once too often",
    }
    for text, shown in told.items():
        found = check.child.discreet(text)
        assert shown in found
        assert not re.search("W.T|f′|1 − y", found)


def test_what_only_rounding_fails_is_not_shown_beside_a_wrong_derivative():
    """Alone, it is tried at other points, and shown where it fails at all of them."""
    wrong = {"check": "Dense.dx FAIL", "name": "Dense.dx", "passed": False, "error": 2.0}
    rounded = {"check": "Dense FAIL", "name": "Dense.dW", "passed": False, "error": 1e-12}
    for found, shown, tried in (
        ([rounded, wrong], ["Dense.dx FAIL"], [7]),
        ([rounded], [f"Dense FAIL\n    {check.NEAR}"], [7, 8, 9]),
    ):
        seeds = []

        def run(job, found=found, seeds=seeds):
            seeds.append(job["seed"])
            return {"findings": found, "error": None}, ""

        verdict = check.judge(DX, RIGHT, "x.py", 7, run)
        assert (verdict.failed, verdict.right, seeds) == (shown, False, tried)


def test_an_answer_that_ends_the_process_is_not_right(tmp_path):
    """As a crash in a library would; the check's look does not let an answer do so itself."""
    text = RIGHT.replace("return dy @ W.T", "import os; os._exit(0)")
    job = {"folder": str(source.PACKAGE), "chapter": "layers", "text": text, "path": "x.py"}
    found, _ = check.in_child(job | {"proofs": (DX.proof,), "seed": 0})
    assert found["findings"] == []
    assert "ended the process" in found["error"]


def test_the_installed_chapter_is_not_in_the_childs_process():
    probe = (
        "import sys; raise ValueError([(n, m.__file__) for n, m in sys.modules.items() "
        "if n in ('minigan.layers', 'minigan.lab.cli')])"
    )
    text = RIGHT.replace("return dy @ W.T", probe)
    job = {"folder": str(source.PACKAGE), "chapter": "layers", "text": text, "path": "x.py"}
    found, _ = check.in_child(job | {"proofs": (DX.proof,), "seed": 0})
    assert found["error"].endswith("[('minigan.layers', 'x.py')]")


# ---- the commands ----


def test_a_student_goes_through_an_exercise(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    number = source.numbers(DX)[0]
    assert main(["exercise", "start", number]) == 0
    path = tmp_path / "exercises" / "layers_Dense_dx.py"
    assert f"on line {LINE}." in capsys.readouterr().out
    assert main(["exercise", "start", number]) == 2
    assert "--again" in capsys.readouterr().err
    assert main(["exercise", "start", number, "--again", "--derive"]) == 0
    assert "Yours to derive" in path.read_text("utf-8")
    assert main(["exercise", "check"]) == 1
    seen = []
    for _ in range(4):
        capsys.readouterr()
        assert main(["exercise", "hint"]) == 0
        seen.append(capsys.readouterr().out)
    assert len(set(seen)) == 3
    assert "dy @ W.T" not in "".join(seen)
    path.write_text(path.read_text().replace("...  # your answer", "return dy @ W.T"))
    assert main(["exercise", "check"]) == 0
    assert main(["exercise", "solution", number]) == 0
    assert "return dy @ W.T" in capsys.readouterr().out
    assert main(["exercise", "progress"]) == 0
    out = capsys.readouterr().out
    assert "right" in out
    assert "2 checks, 4 hints, solution seen" in out
    assert f"1 of {len(ALL)} exercises are right" in out
    assert main(["exercise", "list"]) == 0
    assert capsys.readouterr().out.count("right") == 1


def test_a_bug_is_found_and_mended(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    bug = BUGS[0]
    assert main(["exercise", "start", bug.key, "--to", "bugs"]) == 0
    path = tmp_path / "bugs" / f"{bug.key}_{bug.chapter}.py"
    assert main(["exercise", "check", str(path)]) == 1
    out = capsys.readouterr().out
    assert "the bug is still in it" in out
    assert "FAIL" in out
    path.write_text(path.read_text("utf-8").replace(bug.wrong, bug.right), "utf-8")
    assert main(["exercise", "check", str(path)]) == 0
    assert main(["exercise", "start", "bug2", "--derive"]) == 2


@pytest.mark.parametrize("content", ["", "[]", '{"exercises": {"a": 1}}', "[" * 100_000])
def test_a_progress_that_is_not_ours_is_named(content, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "progress.json").write_text(content)
    assert main(["exercise", "progress"]) == 2
    assert "progress.json: expected the progress" in capsys.readouterr().err


def start(*words):
    """The file that was started."""
    assert main(["exercise", "start", *words]) == 0
    return Path("exercises", "layers_Dense_dx.py")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_a_student_wrote_is_never_replaced(here, capsys):
    path = start("Dense.dx")
    start("Dense.dx", "--again")  # as it was written: nothing to keep
    assert [each.name for each in path.parent.glob("*.py")] == [path.name]
    path.write_text(RIGHT)
    start("Dense.dx", "--again")
    assert "what was there is kept in" in capsys.readouterr().out
    assert path.with_suffix(".1.py").read_text() == RIGHT
    path.write_text("mine")
    assert main(["exercise", "start", "Dense.dx", "--again"]) == 2
    assert path.read_text() == "mine"
    export = ["exercise", "export", "--notebook", "Dense.dx", "bug3", "--to", "nb"]
    assert main(export) == main(export) == 0
    written = Path("nb", "layers_Dense_dx.ipynb")
    book = json.loads(written.read_text("utf-8"))
    book["cells"][2]["outputs"] = [{"text": "what ran is as it was written"}]
    written.write_text(json.dumps(book))
    assert main(export) == 0
    for mine in (written.read_text("utf-8").replace("...", "dy @ W.T"), "hello"):
        written.write_text(mine)
        capsys.readouterr()
        assert main(export) == 2
        assert "is not as minigan wrote it" in capsys.readouterr().err
        assert written.read_text() == mine


def test_a_check_in_the_current_folder_hides_no_progress(here, capsys):
    start("Dense.dx")
    Path("hw1.py").write_text(RIGHT)
    assert main(["exercise", "check", "hw1.py"]) == 0
    assert not Path("progress.json").exists()
    capsys.readouterr()
    assert main(["exercise", "progress"]) == 0
    out = capsys.readouterr().out
    assert "1 check, 0 hints" in out
    assert "1 of " in out


def test_files_of_another_version_or_name_are_told(capsys):
    mark, changed = source.mark(DX), RIGHT.replace("return u @ W", "return (u + 0) @ W")
    answer.look(DX, RIGHT.replace(mark, "0" * 12))  # only words differ, if at all
    for exercise, text in (
        (DX, changed.replace(mark, "0" * 12)),
        (BUGS[0], source.student_text(BUGS[0]).replace(source.mark(BUGS[0]), "0" * 12)),
    ):
        with pytest.raises(
            answer.NotAnAnswer, match=f"by another minigan.*{exercise.key} --again"
        ):
            answer.look(exercise, text)
    with pytest.raises(answer.NotAnAnswer, match="started as layers.Dense.dx"):
        answer.exercise_of(RIGHT.replace(DX.key, "layers.Dense.forward"))


def test_names_folders_and_files_are_taken_everywhere(here, capsys):
    start("Dense.dx").write_text(RIGHT)
    assert main(["exercise", "start", "bug5", "--to", "bugs"]) == 0
    Path("loose").mkdir()
    Path("loose", "a.py").write_text(RIGHT)
    Path("loose", "other.py").write_text("print(1)\n")
    for word, status, told in (
        ("Dense.dx", 0, "Dense_dx.py: right"), ("exercises", 0, "Dense_dx.py: right"),
        ("loose", 0, "a.py: right"), ("Sigmoid.dx", 2, "was not started in"),
        (".", 2, "nothing was started"), ("Dense.dxx", 2, "did you mean Dense.dx?"),
    ):  # fmt: skip
        capsys.readouterr()
        assert main(["exercise", "check", word]) == status, word
        assert told in "".join(capsys.readouterr())
    for words in (["bug5"], ["bug5", "--to", "bugs"], [str(Path("bugs", "bug5_game.py"))]):
        capsys.readouterr()
        assert main(["exercise", "hint", *words]) == 0
        out = capsys.readouterr().out
        assert ("was not started in exercises" in out) == (
            len(words) == 1 and "5_" not in words[0]
        )
    assert "hint 2 of 3" in out
    assert main(["exercise", "solution", "bug7"]) == 0
    assert "\n    self.constrain()\n    self.D_opt" in capsys.readouterr().out


def test_bare_exercise_is_a_guide_and_a_foreign_progress_stops_no_list(here, capsys):
    assert main(["exercise"]) == 0
    assert "minigan exercise start" in capsys.readouterr().out
    Path("exercises").mkdir()
    Path("exercises", "progress.json").write_text("[]")
    assert main(["exercise", "list"]) == main(["exercise", "hint", "Dense.dx"]) == 0
    assert "progress.json: expected" in capsys.readouterr().err
    assert main(["exercise", "start", "Dense.dx"]) == 2
    assert not Path("exercises", "layers_Dense_dx.py").exists()


@pytest.mark.parametrize("exercise", EXERCISES, ids=by_key)
def test_every_gap_is_marked(exercise):
    text = source.student_text(exercise)
    node = source.function_node(ast.parse(text), exercise.function)
    for line in source.gaps(node):
        assert text.splitlines()[line - 1].endswith(source.ANSWER)


def test_the_given_part_of_a_statement_stays_in_the_teachers_notebook():
    shown = notebook.marked(BY_KEY["losses.softmax_cross_entropy.ds"])
    outside = shown.partition(notebook.BEGIN)[0]
    assert "    # return xp.sum(c * (xp.log(total) - s)) / m, ...\n" in outside
    assert "# a" not in notebook.marked(BY_KEY["optim.Adam.rates.corrections"])


# ---- notebooks ----


def code_of(book):
    return ["".join(c["source"]) for c in book["cells"] if c["cell_type"] == "code"]


@pytest.mark.parametrize("exercise", EXERCISES, ids=by_key)
def test_a_students_notebook_has_no_answer_and_the_teachers_has_it_between_marks(exercise):
    book = json.loads(notebook.written(exercise))
    assert "".join(book["cells"][-1]["source"]).startswith(f'assert check("{exercise.key}"')
    chapter = source.chapter_text(exercise.chapter)
    secret = [
        line.strip()
        for first, last in source.holes(exercise, chapter)
        for line in chapter[first:last].splitlines()
    ]
    student = code_of(book)[1]
    for line in filter(lambda line: len(line) > 3, secret):
        assert line not in student
    teacher = next(c for c in code_of(json.loads(notebook.written(exercise, True)))
                   if notebook.BEGIN in c)  # fmt: skip
    assert ast.dump(ast.parse(teacher)) == ast.dump(ast.parse(source.solution_text(exercise)))
    without, hidden = [], False
    for line in teacher.splitlines():
        hidden = hidden or notebook.BEGIN in line
        without += [] if hidden else [line]
        hidden = hidden and notebook.END not in line
    for line in filter(lambda line: len(line) > 3, secret):
        assert line not in "\n".join(without)


@pytest.mark.parametrize("bug", BUGS, ids=by_key)
def test_a_notebook_of_a_bug_has_the_chapter_with_the_bug(bug):
    student, teacher = (json.loads(notebook.written(bug, which)) for which in (False, True))
    assert isinstance(bug, Bug)
    assert source.student_text(bug).strip() in code_of(student)[1]
    assert code_of(student)[1] == code_of(teacher)[1]
    words = next(c for c in teacher["cells"] if notebook.BEGIN in "".join(c["source"]))
    assert bug.name in "".join(words["source"])
    assert bug.name not in json.dumps(student)


def defined(text, name):
    """The function that a cell of a notebook defines, with its source where inspect looks."""
    place = f"<cell {len(linecache.cache)}>"
    linecache.cache[place] = (len(text), None, text.splitlines(keepends=True), place)
    space = {}
    exec(compile(text, place, "exec"), space)
    return space[name]


def test_the_check_of_a_notebook_raises_what_is_wrong():
    right = defined("def dx(self, dy, x, y, W, b=None):\n    return dy @ W.T\n", "dx")
    assert notebook.check(DX.key, right).right
    for body, told in (
        ("return dy @ W.T * 3", "FAIL at Dense.dx"),
        ("...", r'line 2: "\.\.\." still stands'),
        ("raise NotImplementedError()", "line 2: this still stands where the answer belongs"),
    ):
        wrong = defined(f"def dx(self, dy, x, y, W, b=None):\n    {body}\n", "dx")
        with pytest.raises(answer.NotAnAnswer, match=told):
            notebook.check(DX.key, wrong)
    with pytest.raises(answer.NotAnAnswer, match="the library's own"):
        notebook.check(DX.key, Dense.dx)
    with pytest.raises(answer.NotAnAnswer, match="expected the function"):
        notebook.check(DX.key, 3)
    with pytest.raises(ValueError, match="key: expected"):
        notebook.check("Dense", right)


def test_all_notebooks_are_written(tmp_path, capsys):
    assert main(["exercise", "export", "--notebook", "--to", str(tmp_path / "n")]) == 0
    assert len(list((tmp_path / "n").glob("*.ipynb"))) == len(ALL)
    assert main(["exercise", "export", "--to", str(tmp_path)]) == 2


def test_the_course_names_exercises_that_there_are():
    page = Path(__file__).resolve().parents[1] / "docs" / "pages" / "course.md"
    rows = re.findall(r"^\| (`.*) \| \d+ \|$", page.read_text("utf-8"), re.M)
    named = [name for row in rows for name in re.findall(r"`([^`-][^`]*)`", row)]
    assert len(named) > 40
    for name in named:
        assert find(name, source.numbers).key.endswith(name)
