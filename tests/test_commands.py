"""The other commands, in this process: what they write and print, what they are told by their
options, and how each kind of failure ends."""

import json
import os
import re
import shlex

import numpy as np
import pytest
from PIL import Image

from minigan import (
    CGAN,
    GAN,
    BackendError,
    DataError,
    Dataset,
    RunError,
    __version__,
    load,
    load_checkpoint,
    save_checkpoint,
)
from minigan.gradcheck import Check
from minigan.lab import commands, plots
from minigan.lab.cli import main, parser
from minigan.lab.config import Config
from minigan.lab.folder import OWN
from minigan.lab.models import ABOUT, MODELS, RECIPES, describe
from minigan.lab.proofs import Proof
from minigan.lab.run import Run
from minigan.lab.session import fingerprint
from minigan.training import TrainState

SMALL = {"n_noise": 3, "G_hidden": (4,), "D_hidden": (5,)}
POINTS = SMALL | {"n_data": 2, "output": "linear"}
PIXELS = Dataset(np.random.default_rng(0).random((30, 6)), np.arange(30) % 3, (2, 3))


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MINIGAN_BACKEND", raising=False)
    monkeypatch.setattr(plots, "losses_png", lambda columns, guides: b"curves")
    return tmp_path


@pytest.fixture
def minigan(capsys):
    """Runs a command; returns (exit status, stdout, stderr)."""

    def command(*args):
        capsys.readouterr()
        status = main([*map(str, args)])
        return status, *capsys.readouterr()

    return command


@pytest.fixture
def refused(minigan):
    def command(*args, says):
        status, out, said = minigan(*args)
        assert (status, out) == (2, ""), said
        assert said == f"minigan: {says}\n"

    return command


def begin(folder, model, rows, **about):
    """A run of no steps, on these rows."""
    folder.mkdir()
    name, parameters = describe(model)
    config = Config(model=name, parameters=parameters, **about)
    return Run.create(folder, config, model, TrainState(), rows)


@pytest.fixture
def ring(place):
    """A run on the ring, which is loaded anew."""
    data = load("ring")
    begin(place / "r", GAN(**POINTS), data, data="ring", data_sha256=fingerprint(data))
    return place / "r"


@pytest.fixture
def digits(place):
    """A conditional run on pictures whose labels were 5, 7 and 9; its data have gone."""
    model = CGAN(**SMALL, n_data=6, n_classes=3)
    begin(place / "d", model, PIXELS, data="/gone", image_shape=(2, 3), classes=(5, 7, 9))
    return place / "d"


def npz(path):
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def model_of(folder):
    return load_checkpoint(folder / "checkpoint.npz")[0]


# ---- sample ----


@pytest.mark.parametrize(
    ("more", "n", "seed"),
    [([], 100, 0), (["-n", 7], 7, 0), (["--seed", 5], 100, 5), (["-n", 1, "--seed", 2], 1, 2)],
)
def test_samples_are_the_models_for_the_number_and_the_seed(ring, minigan, more, n, seed):
    assert minigan("sample", "r", *more, "-o", "x.npz") == (0, "", "")
    found = npz("x.npz")
    assert set(found) == {"x"}
    assert found["x"].dtype == np.float32
    np.testing.assert_array_equal(found["x"], model_of(ring).sample(n, seed))


@pytest.mark.parametrize(
    ("more", "labels"),
    [
        ([], np.resize([5, 7, 9], 100)),
        (["-n", 4], [5, 7, 9, 5]),
        (["--labels", 9, 5, 9], [9, 5, 9]),
        (["--labels", 7], [7]),
        (["--labels", 9, 5, "-n", 5], [9, 5, 9, 5, 9]),
        (["--labels", 9, 5, 7, "-n", 2], [9, 5]),
    ],
)
@pytest.mark.parametrize("seed", [0, 3])
def test_conditional_samples_are_of_the_classes_that_are_asked_for_in_turn(
    digits, minigan, more, labels, seed
):
    seeded = ["--seed", seed] if seed else []
    assert minigan("sample", "d", *more, *seeded, "--output", "x.npz") == (0, "", "")
    found = npz("x.npz")
    assert set(found) == {"x", "labels"}
    assert found["labels"].tolist() == list(labels)
    numbers = (np.array(labels) - 5) // 2
    expected = model_of(digits).sample(len(labels), seed, numbers)
    np.testing.assert_array_equal(found["x"], expected)


def test_classes_without_values_of_their_own_are_numbered_from_0(place, minigan, refused):
    begin(place / "run", CGAN(**SMALL, n_data=6, n_classes=3), PIXELS, image_shape=(2, 3))
    assert minigan("sample", "run", "-n", 4, "-o", "x.npz")[0] == 0
    assert npz("x.npz")["labels"].tolist() == [0, 1, 2, 0]
    says = "--labels: expected classes of the run, 0 to 2, got 3"
    refused("sample", "run", "--labels", 1, 3, "-o", "x.npz", says=says)


@pytest.mark.parametrize(
    ("more", "size"),
    [
        ([], (100, 80)),
        (["-n", 20], (100, 16)),
        (["-n", 10], (100, 8)),
        (["-n", 3], (30, 8)),
        (["--labels", 5], (10, 8)),
        (["-n", 11], (100, 16)),
    ],
)
def test_pictures_of_digits_stand_in_lines_of_ten_twice_as_large(digits, minigan, more, size):
    assert minigan("sample", "d", *more, "-o", "x.png") == (0, "", "")
    with Image.open("x.png") as picture:
        assert picture.size == size


def test_points_are_drawn_over_the_data_of_the_run(ring, minigan):
    assert minigan("sample", "r", "-n", 30, "-o", "x.png") == (0, "", "")
    with Image.open("x.png") as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors()}
    assert colours == {(255, 255, 255), plots.GREY, plots.ORANGE}


def test_the_name_of_the_output_says_what_it_is(ring, refused, place):
    for name in ("x.jpg", "x", "png", "x.PNG", "x.npz.gz"):
        says = f"-o: expected a name ending in .png or .npz, got {name}"
        refused("sample", "r", "-o", name, says=says)
    assert set(os.listdir(place)) == {"r"}


def test_the_runs_own_files_are_not_written_over(ring, refused, minigan, place):
    (place / "other").mkdir()
    (place / "link").symlink_to("r")
    before = (ring / "checkpoint.npz").read_bytes()
    for name in (name for name in OWN if name.endswith((".png", ".npz"))):
        for folder in ("r", "./r", "other/../r", place / "r", "link"):
            says = f"-o: {os.path.join(folder, name)} belongs to the run itself"
            says = says.replace("./r", "r") if folder == "./r" else says
            refused(
                "sample", "r", "-o", f"{folder}/{name}", says=f"{says}; choose another name"
            )
        assert minigan("sample", "r", "-o", f"other/{name}") == (0, "", "")
    assert minigan("sample", "r", "-o", "r/mine.png") == (0, "", "")
    assert (ring / "checkpoint.npz").read_bytes() == before
    assert set(os.listdir(ring)) == {"checkpoint.npz", "config.json", "frames", "mine.png"}


def test_samples_that_cannot_be_had_are_refused(ring, digits, refused, minigan):
    refused("sample", "no", "-o", "x.png", says="no: no run of minigan is here")
    says = "--labels: r is not conditional"
    refused("sample", "r", "--labels", 1, "-o", "x.npz", says=says)
    refused("sample", "r", "-n", 0, "-o", "x.npz", says="n: must be at least 1, got 0")
    refused("sample", "d", "-n", 0, "-o", "x.npz", says="n: must be at least 1, got 0")
    says = "seed: must be at least 0, got -1"
    refused("sample", "r", "--seed", -1, "-o", "x.npz", says=says)
    for labels, wrong in (([5, 6, 8], 6), ([4, 6], 4), ([10], 10), ([0], 0), ([-1], -1)):
        says = f"--labels: expected classes of the run, 5 to 9, got {wrong}"
        refused("sample", "d", "--labels", *labels, "-o", "x.npz", says=says)
    for run in ("r", "d"):
        status, _, said = minigan("sample", run, "-n", 10**11, "-o", "x.npz")
        assert status == 2
        assert "GB of memory" in said
    says = "cannot write no/x.npz: No such file or directory"
    refused("sample", "r", "-o", "no/x.npz", says=says)


# ---- evaluate ----


@pytest.fixture
def measured(monkeypatch):
    """Stands in for the measures: returns what they were asked for."""
    asked = []

    def evaluate(model, data, n, seed):
        asked.append((type(model), data.name, n, seed))
        return {"n": 3, "share": 0.5}

    monkeypatch.setattr("minigan.lab.evaluate.evaluate", evaluate)
    monkeypatch.setattr("minigan.lab.evaluate.table", lambda measures: f"TABLE {measures}")
    return asked


@pytest.mark.parametrize(
    ("more", "n", "seed"),
    [([], None, 1), (["--n", 30, "--seed", 4], 30, 4), (["--n", 0], 0, 1)],
)
def test_the_measures_are_printed_and_kept(ring, minigan, measured, more, n, seed):
    kept = {"run": "r", "model": "gan", "step": 0, "n": 3, "share": 0.5}
    assert minigan("evaluate", "./r/", *more) == (0, f"TABLE {kept}\n", "")
    assert measured == [(GAN, "ring", n, seed)]
    assert json.loads((ring / "metrics.json").read_text()) == kept


def test_the_step_of_the_checkpoint_is_told(place, minigan, measured):
    run = begin(place / "r", GAN(**POINTS), Dataset(np.ones((5, 2))), data="ring", steps=9)
    save_checkpoint(run.checkpoint, GAN(**POINTS), TrainState(step=7))
    assert minigan("evaluate", "r")[0] == 0
    assert json.loads((place / "r" / "metrics.json").read_text())["step"] == 7


def test_a_run_that_is_measured_is_made_whole(ring, minigan, measured):
    assert minigan("evaluate", "r")[0] == 0
    assert set(os.listdir(ring)) == {
        *("checkpoint.npz", "config.json", "frames", "metrics.json", ".lock"),
        *("samples.png", "film.gif", "report.html"),  # without a log there are no curves
    }


def test_data_that_moved_are_named(ring, minigan, measured, monkeypatch):
    asked = []

    def load_data(config, *places):
        asked.append((config.data, *places))
        return Dataset(np.ones((3, 2)))

    monkeypatch.setattr(commands, "load_data", load_data)
    minigan("evaluate", "r")
    minigan("evaluate", "r", "--data", "moved", "--data-dir", "digits")
    assert asked == [("ring", None, None), ("ring", "moved", "digits")]


def test_a_ring_is_really_measured(ring, minigan):
    status, out, said = minigan("evaluate", "r", "--n", 20)
    assert (status, said) == (0, "")
    assert "of 8" in out or "modes" in out
    measures = json.loads((ring / "metrics.json").read_text())
    assert measures["n"] == 20
    assert set(measures) >= {"run", "model", "step", "samples", "genuine"}


def test_a_run_that_is_not_there_is_not_measured(refused, measured):
    refused("evaluate", "no", says="no: no run of minigan is here")
    assert measured == []


def test_measuring_keeps_freed_memory(ring, minigan, measured, monkeypatch):
    called = []
    monkeypatch.setattr("minigan.training.keep_heap", lambda: called.append(1))
    minigan("evaluate", "r")
    assert called == [1]


# ---- download and gradcheck ----


@pytest.mark.parametrize(
    ("more", "asked"),
    [([], (None, None)), (["--to", "there", "--url", "http://x"], ("there", "http://x"))],
)
def test_what_was_downloaded_is_told(minigan, monkeypatch, more, asked):
    found = []
    monkeypatch.setattr(
        "minigan.lab.download.download_mnist", lambda *args: found.append(args) or "/a/place"
    )
    assert minigan("download", "mnist", *more) == (0, "MNIST is in /a/place\n", "")
    assert found == [asked]
    assert minigan("download", "fashion")[0] == 2


RIGHT = Proof("(1a)", "the one", Check("a", "adjoint", 0.0, "", 1e-13))
WRONG = Proof("(2a)", "the other", Check("b", "adjoint", 0.5, "worst", 1e-13))


@pytest.mark.parametrize(
    ("proven", "status"), [([RIGHT], 0), ([RIGHT, WRONG], 1), ([WRONG, RIGHT], 1), ([WRONG], 1)]
)
@pytest.mark.parametrize(
    ("more", "asked", "title"),
    [
        ([], ("float64", None), "float64, measured by forward passes alone"),
        (["--dtype", "float32"], ("float32", None), "float32, measured by the same in float64"),
        (["--backend", "numpy"], ("float64", "numpy"), "float64, measured by forward passes"),
    ],
)
def test_the_status_of_the_proofs_is_1_if_one_failed(
    minigan, monkeypatch, proven, status, more, asked, title
):
    found = []
    monkeypatch.setattr("minigan.lab.proofs.proofs", lambda *args: found.append(args) or proven)
    ended, out, said = minigan("gradcheck", *more)
    assert (ended, said) == (status, "")
    assert found == [asked]
    lines = out.splitlines()
    assert lines[0].startswith(f"every derivative of minigan in {title}")
    assert lines[1] == ""
    assert sum(line.startswith("(") for line in lines) == len(proven)
    failed = proven.count(WRONG)
    assert lines[-1] == (f"{failed} of {len(proven)} FAIL" if failed else "all 1 pass")


# ---- the command line itself ----


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (RunError("no run"), 2, "no run"),
        (DataError("two\nlines \x1b[2J"), 2, "two lines \\x1b[2J"),
        (BackendError("backend: CuPy"), 2, "backend: CuPy"),
        (ImportError("No module named 'scipy'"), 2, "No module named 'scipy'"),
        (MemoryError(), 2, "there is not enough memory for that"),
        (FileNotFoundError(2, "No such file", "a/file"), 2, "a/file: No such file"),
        (OSError(28, "No space left"), 2, "No space left"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_each_failure_is_one_line_and_a_status(minigan, monkeypatch, error, status, says):
    def fails(args):
        raise error

    monkeypatch.setattr(commands, "download_command", fails)
    assert minigan("download", "mnist") == (status, "", f"minigan: {says}\n")


def test_a_pipe_that_nobody_reads_ends_a_command_as_the_system_would(minigan, monkeypatch):
    def fails(args):
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(commands, "download_command", fails)
    assert minigan("download", "mnist") == (141, "", "")


def test_a_fault_of_ours_is_not_hidden(minigan, monkeypatch):
    def fails(args):
        raise ZeroDivisionError

    monkeypatch.setattr(commands, "download_command", fails)
    with pytest.raises(ZeroDivisionError):
        minigan("download", "mnist")


@pytest.mark.parametrize("status", [0, 1, 3])
def test_the_status_of_a_command_is_the_programs(minigan, monkeypatch, status):
    monkeypatch.setattr(commands, "download_command", lambda args: status)
    assert minigan("download", "mnist") == (status, "", "")


def test_a_character_that_no_file_has_is_refused(refused):
    says = "expected arguments without a NUL character"
    refused("sample", "a\0b", "-o", "x.png", says=says)


def test_arguments_are_those_of_the_program_unless_given(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["minigan", "--version"])
    assert main() == 0
    assert capsys.readouterr().out == f"minigan {__version__}\n"


LINES = {
    "train": ["train [-h] MODEL ...", *(f"{name} " for name in MODELS)],
    "sample": ["-n N", "--labels LABELS", "--seed SEED", "-o FILE", "RUN a run folder, such"],
    "evaluate": ["--n N", "--data PATH", "--data-dir DIR", "--seed SEED", "RUN a run folder, "],
    "compare": ["RUN [RUN ...]", "-o FILE", "RUN run folders, two or more"],
    "download": ["--to DIR", "--url URL", "{mnist}"],
    "gradcheck": ["--dtype {float64,float32}", "--backend {numpy,cupy}", "--exact"],
    "exercise": ["WHAT ...", "list show all exercises"],
    "book": ["--port PORT", "--no-open", "[folder]", "folder the built book"],
}


def test_help_is_on_stdout_with_status_0_and_names_every_command(minigan):
    status, out, said = minigan("--help")
    assert (status, said) == (0, "")
    assert out.startswith("usage: minigan [-h] [--version] COMMAND ...\n")
    for name in LINES:
        assert name in out.split("COMMAND")[-1].split()
    assert "\n\nGANs in NumPy, every gradient derived by hand.\n\n" in out
    assert re.search(r"^    train +train a model; pictures go to a run folder$", out, re.M)
    assert out.endswith("a good start; each command has a --help of its own\n")


def test_the_name_alone_is_answered_by_a_guide_whose_commands_exist(minigan):
    status, out, said = minigan()
    assert (status, said) == (0, "")
    assert max(map(len, out.splitlines())) <= 100
    assert out.endswith(" has a --help of its own.\n")
    lines = [line.split("  ")[1].split() for line in out.splitlines() if line[:2] == "  "]
    assert len(lines) >= 4
    for line in lines:
        parser().parse_args(line[1:])


@pytest.mark.parametrize("name", ["ring", "grid", "mnist", "mnist5k", "stacked", "my folder"])
def test_data_in_the_place_of_a_model_are_told_where_they_belong(refused, place, name):
    (place / "my folder").mkdir()
    line = f"minigan train gan --data {shlex.quote(name)}"
    refused("train", name, says=f"{name} is data, not a model; try: {line}")


EXPLAINED = [(name,) for name in LINES] + [("train", name) for name in MODELS]


@pytest.mark.parametrize("line", EXPLAINED, ids=" ".join)
def test_a_help_says_of_every_option_what_it_is_for_and_its_examples_can_be_typed(
    minigan, monkeypatch, line
):
    monkeypatch.setenv("COLUMNS", "999")
    status, text, said = minigan(*line, "--help")
    assert (status, said) == (0, "")
    assert text.startswith(f"usage: minigan {' '.join(line)} ")
    usage, rest = text.split("\n\n", 1)
    told = re.findall(r"^  (-.*?)(?: {2,}|\n {8,})(\S.*)$", rest, re.M)
    flags = {flag for names, _ in told for flag in re.findall(r"--?[a-zA-Z][\w-]*", names)}
    assert flags >= set(re.findall(r"(?<=[\[ ])--?[a-zA-Z][\w-]*", usage))
    for _, words in told:
        assert re.match(r"[a-z.]|D's ", words), words
        assert not words.isupper()
    examples = rest.partition("examples:\n")[2]
    examples = re.findall(r"^  minigan (.*?)(?: {2,}.*)?$", examples, re.M)
    assert examples or line == ("train",)
    parse = parser().parse_args
    for example in examples:
        parse(example.split())
    text = " ".join(text.split())
    for words in LINES.get(" ".join(line), []):
        assert words in text
    assert not re.search(r"\(\d{1,2}[a-z]?\)", text)  # an equation's number says nothing here


def test_a_help_begins_with_the_sentence_by_which_the_command_is_listed(minigan, monkeypatch):
    monkeypatch.setenv("COLUMNS", "999")
    for before, names in ((), [*LINES][1:]), (("train",), MODELS):
        listed = minigan(*before, "--help")[1]
        for name in names:
            about = minigan(*before, name, "--help")[1].split("\n\n")[1]
            (text,) = re.findall(rf"^    {name}\s+(\S.*)$", listed, re.M)
            assert about == f"{text[0].upper()}{text[1:]}."
            assert text[0].islower()


@pytest.mark.parametrize("name", MODELS)
def test_the_help_of_a_game_has_its_recipe_and_examples(minigan, name):
    out = minigan("train", name, "--help")[1]
    text = " ".join(out.split())
    assert f" {' '.join(ABOUT[name].split())}. " in text
    for what, default in RECIPES[name].items():
        assert f"--{what.replace('_', '-')} " in text
        assert f"(default {default})" in text
    assert f"--out RUN run folder (default runs/{name}-DATA)" in text
    assert "the run: --data DATA mnist5k (default), " in text
    assert "--data-dir DIR where the full MNIST lies --size HEIGHT [WIDTH ...] pixels, " in text
    assert "--grey, --no-grey grey or colours (default: as pictures are)" in text
    assert "--background {white,black} behind what is transparent: white (default)" in text
    assert "the model: --n-noise N_NOISE " in text
    for line in (
        f"minigan train {name} --seed 1 --out runs/another",
        "(minigan download mnist",
    ):
        assert line in out


@pytest.mark.parametrize(
    "line",
    [
        "train",
        "train vae",
        "train gan --lr x",
        "train gan --dtype 3.5 --steps 1.5",
        "sample r",
        "sample -o x.png",
        "sample r -o x.png --labels",
        "sample r -o x.png -n 1.5",
        "evaluate",
        "evaluate r --seed x",
        "evaluate r --see 1",
        "gradcheck --dtype float16",
        "gradcheck --backend torch",
        "train gan --backend torch",
        "download",
        "nothing",
    ],
)
def test_what_cannot_be_understood_is_told_on_stderr_with_status_2(minigan, line):
    status, out, said = minigan(*line.split())
    assert (status, out) == (2, "")
    assert said.startswith("usage: minigan")
    assert ": error: " in said.splitlines()[-1]


SAMPLE = {"run": "r", "output": "x.png", "n": None, "labels": None, "seed": 0}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("sample r -o x.png", SAMPLE),
        ("evaluate r", {"run": "r", "n": None, "data": None, "data_dir": None, "seed": 1}),
        ("compare r s", {"runs": ["r", "s"], "output": "compare.html"}),
        ("download mnist", {"name": "mnist", "to": None, "url": None}),
        ("gradcheck", {"dtype": None, "backend": None, "exact": False}),
        ("train gan", {"model": "gan"}),
        ("train gan --quiet", {"model": "gan", "quiet": True}),
        ("train gan --resume --overwrite", {"model": "gan", "resume": True, "overwrite": True}),
    ],
)
def test_what_is_not_typed_is_the_default(line, expected):
    found = vars(parser().parse_args(line.split()))
    assert callable(found.pop("command"))
    assert found == expected
