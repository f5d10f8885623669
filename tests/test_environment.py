"""Every command in every environment: it does its work, or says why not and exits with 2.

An environment is what surrounds a command: the locale, the options of Python, the streams, the
user, the working directory, the room on the disk, the signals that arrive. Each case starts a
process there. To be quick, these processes find no Numba, and where pictures do not matter a
stand-in for Matplotlib; the rest is what a person has.
"""

import contextlib
import io
import json
import os
import random
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from PIL import Image

import minigan
from minigan.lab import cli, signals
from minigan.lab.checkpoint import load_checkpoint
from minigan.lab.run import Run

fcntl, pty, resource, termios = map(
    pytest.importorskip, ("fcntl", "pty", "resource", "termios")
)

PACKAGE = Path(minigan.__file__).parent
SIZE = ["--data", "ring", "--G-hidden", "8", "--D-hidden", "8", "--batch-size", "16"]
TRAIN = ["train", "gan", *SIZE, "--steps", "4", "--quiet"]
RESUME = ["train", "gan", "--resume", "--quiet", "--out", "run"]
PROOF = ["gradcheck", "--dtype", "float32"]
NO_SERVER = ["download", "mnist", "--to", "digits", "--url", "http://127.0.0.1:9/"]
MINIGAN, QUICK = ["-m", "minigan"], ["no_numba", "quick"]
LONG = ["train", "gan", *SIZE, "--steps", "60000", "--quiet", "--out"]

STAND_INS = {  # {folder: {file in it: its content}}
    "no_numba": {"numba/__init__.py": "raise ImportError('hidden')"},
    "bad_numba": {"numba/__init__.py": "raise SystemError('another NumPy')"},
    "no_cupy": {"cupy/__init__.py": "raise ImportError('hidden')"},
    "bad_cupy": {"cupy/__init__.py": "raise RuntimeError('not correctly installed')"},
    "empty_cupy": {"cupy/README": "A folder that only bears the name."},
    "bad_matplotlib": {"matplotlib/__init__.py": "raise ImportError('cannot map segment')"},
    "quick": {
        "matplotlib/__init__.py": "",
        "matplotlib/figure.py": """
class Anything:
    __call__ = __getitem__ = lambda self, *args, **options: self
    __getattr__ = lambda self, name: self
    __iter__ = lambda self: iter(())
Figure = Anything()
""",
        "matplotlib/backends/__init__.py": "",
        "matplotlib/backends/backend_agg.py": """
from PIL import Image
class FigureCanvasAgg:
    __init__ = lambda self, figure: None
    print_png = lambda self, file: Image.new("L", (9, 9)).save(file, "PNG")
""",
    },
    "latex": {"matplotlibrc": "text.usetex: True\n"},
    "script": {"minigan": "import sys\nfrom minigan.lab.cli import main\nsys.exit(main())\n"},
}


def is_root():
    return hasattr(os, "geteuid") and os.geteuid() == 0


def can(*command):
    """Whether a tool is there and is allowed to do that."""
    try:
        return subprocess.run(command, capture_output=True, timeout=20).returncode == 0
    except OSError:
        return False


# As an ordinary user, or as root without the right to read and write everything.
BOUND = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-all"]
BOUND = BOUND if is_root() else []
# Nobody's number, though one who may read everything, since Python itself may lie in a home.
STRANGER = ["setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups"]
STRANGER += ["--inh-caps", "-all,+dac_read_search", "--ambient-caps", "+dac_read_search"]
MOUNTING = ["unshare", "--mount"]

no_bounds = pytest.mark.skipif(is_root() and not can(*BOUND, "true"), reason="needs setpriv")
no_stranger = pytest.mark.skipif(
    not (is_root() and can(*STRANGER, "true")), reason="needs root and setpriv"
)
no_mount = pytest.mark.skipif(
    not (is_root() and can(*MOUNTING, "mount", "-t", "tmpfs", "tmpfs", "/mnt")),
    reason="needs root that may mount",
)
no_full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")


class Place:
    """A working directory with a finished run of four steps, and how commands start there."""

    def __init__(self, path, stand_ins):
        self.path, self.stand_ins = Path(path), stand_ins

    def __truediv__(self, name):
        return self.path / name

    def environ(self, env=(), stand_ins=QUICK):
        """The environment of this process without what would change how Python starts."""
        odd = "PYTHON", "MPL", "MATPLOTLIB", "MINIGAN", "NUMBA", "TQDM", "LC_"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(odd)}
        found = [str(self.stand_ins / name) for name in stand_ins] + [str(PACKAGE.parent)]
        kept |= {"PYTHONPATH": os.pathsep.join(found), "OPENBLAS_NUM_THREADS": "1"}
        kept |= {"MINIGAN_CACHE": str(self.path / "cache"), "NO_PROXY": "*", "no_proxy": "*"}
        kept |= dict(env)
        return {name: value for name, value in kept.items() if value is not None}

    def start(
        self, *args, program=MINIGAN, env=(), stand_ins=QUICK, python=(), wrap=(), **options
    ):
        """A process of `minigan ARGS`, or of another program."""
        command = [*wrap, sys.executable, *python, *program, *args]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": self.path}
        return subprocess.Popen(command, env=self.environ(env, stand_ins), **pipes | options)

    def run(self, *args, **options):
        """(status, stdout, stderr) of `start`."""
        return ended(self.start(*args, **options))

    def sh(self, script, *args, **options):
        """The same for a line of shell, in which "$@" is the command."""
        return self.run(*args, wrap=["sh", "-c", script, "sh"], **options)

    def works(self, *args, **options):
        status, out, err = self.run(*args, **options)
        assert status == 0, (args, out, err)
        return out

    def refuses(self, *args, words, **options):
        refused(self.run(*args, **options), words)

    def interrupted(self, *args, number=signal.SIGINT, after=0.0, **options):
        """The same for a command that gets a signal after so many seconds."""
        process = self.start(*args, **options)
        time.sleep(after)
        process.send_signal(number)
        return ended(process, interrupted=True)


def ended(process, interrupted=False):
    """(status, stdout, stderr) of a process that has neither stumbled nor hung."""
    out, err = (text.decode(errors="replace") for text in process.communicate(timeout=60))
    if interrupted and "KeyboardInterrupt" in err and str(PACKAGE) not in err:
        return -signal.SIGINT, out, ""  # Python was still starting, and says so at length
    assert "Traceback" not in err, err
    assert "Exception ignored" not in err, err
    return process.returncode, out, err


def refused(done, words):
    status, out, err = done
    assert status == 2, done
    assert err.startswith("minigan: "), done
    assert err.count("\n") == 1, done
    assert words in err, done


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stand_ins")
    for name, files in STAND_INS.items():
        for file, content in files.items():
            (folder / name / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / name / file).write_text(content, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory, stand_ins):
    """A folder with a finished run, and one of the digits, which are not changed any more."""
    place = Place(tmp_path_factory.mktemp("trained"), stand_ins)
    place.works(*TRAIN, "--out", "run", stand_ins=["no_numba"])
    return place.path


@pytest.fixture
def place(tmp_path, trained, stand_ins):
    shutil.copytree(trained / "run", tmp_path / "run")
    return Place(tmp_path, stand_ins)


def content(folder):
    """{name: bytes} of all files but the lock."""
    files = (path for path in sorted(Path(folder).rglob("*")) if path.is_file())
    return {str(p.relative_to(folder)): p.read_bytes() for p in files if p.name != ".lock"}


def check_whole(folder):
    """Whatever bears a final name is complete, and nothing unfinished is left beside it.

    Returns the step of the checkpoint, or None if no run was begun.
    """
    names = [path.name for path in Path(folder).rglob("*")]
    assert not [name for name in names if name.endswith(".part") or name == ".new"]
    for path in Path(folder).rglob("*.*"):
        if path.suffix in (".png", ".gif"):
            with Image.open(path) as picture:
                picture.load()
        if path.suffix == ".json":
            json.loads(path.read_bytes())
    if not (Path(folder) / "config.json").exists():
        assert not (Path(folder) / "checkpoint.npz").exists()
        return None
    return load_checkpoint(Run.open(folder).checkpoint)[1].step


def wait_for(path):
    for _ in range(1200):
        if path.exists() and path.stat().st_size:
            return
        time.sleep(0.02)
    raise AssertionError(f"{path} was never written")


# ---- Python, the locale, what is installed ----

EVERY = """
import json, sys
from minigan.lab.cli import main
sys.argv[0] = "minigan"
for words, expected in json.loads(sys.argv[1]):
    try:
        status = main(words)
    except SystemExit as stopped:
        status = stopped.code
    if status != expected:
        sys.exit(f"{words}: status {status}")
"""
COMMANDS = [
    ([*TRAIN, "--out", "new"], 0),
    (["sample", "new", "-o", "x.png"], 0),
    (["sample", "new", "-n", "3", "-o", "x.npz"], 0),
    (["evaluate", "new", "--n", "40"], 0),
    (["train", "gan", "--resume", "--out", "new"], 0),
    (PROOF, 0),
    (NO_SERVER, 2),
    (["sample", "nowhere", "-o", "x.png"], 2),
    (["--version"], 0),
    *(([*command, "--help"], 0) for command in ([], ["train"], ["train", "cwgan-gp"])),
    *(([command, "--help"], 0) for command in ("sample", "evaluate", "download", "gradcheck")),
]
REFUSALS = "cannot download train-images-idx3-ubyte.gz", "nowhere: no run of minigan is here"


def every_command_works(place, python=(), commands=COMMANDS, **options):
    """All commands in one process; returns what they said on stderr beside the refusals."""
    options = {"stand_ins": ["no_numba"]} | options
    options |= {"python": python, "program": ["-c", EVERY]}
    status, _, err = place.run(json.dumps(commands), **options)
    assert status == 0, err
    lines = [line for line in err.replace("\0", "").splitlines() if line]  # of UTF-16
    for words in REFUSALS if commands is COMMANDS else ():
        said = [line for line in lines if words in line]
        assert len(said) == 1, err
        lines.remove(said[0])
    if commands is COMMANDS:
        assert check_whole(place / "new") == 4
        assert {"samples.png", "losses.png", "film.gif", "metrics.json"} <= set(
            os.listdir(place / "new")
        )
        assert not (place / "digits").exists() or not os.listdir(place / "digits")
    return lines


ENVIRONMENTS = {
    "python -O": (["-O"], {"MPLBACKEND": "TkAgg", "PYTHONDONTWRITEBYTECODE": "1"}),
    "python -OO": (["-OO"], {"MPLBACKEND": "qtagg"}),
    "developer mode": (["-X", "dev", "-W", "error"], {"MPLBACKEND": "module://nonexistent"}),
    "cp1252": ([], {"PYTHONIOENCODING": "cp1252", "PYTHONUNBUFFERED": "1"}),
    "ascii": ([], {"PYTHONIOENCODING": "ascii", "LC_ALL": "POSIX"}),
    "utf-16": ([], {"PYTHONIOENCODING": "utf-16", "PYTHONUTF8": "1", "COLUMNS": "1"}),
    "the C locale": ([], {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
    "without a home": ([], {"HOME": None, "MINIGAN_CACHE": None, "COLUMNS": "wide"}),
}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_command_works_in(place, name):
    python, env = ENVIRONMENTS[name]
    assert not every_command_works(place, python, env=env)


def test_every_text_file_is_opened_with_an_encoding(place):
    python = ["-X", "warn_default_encoding", "-W", "always::EncodingWarning"]
    said = every_command_works(place, python, stand_ins=QUICK)
    assert not [line for line in said if str(PACKAGE) in line]


def test_every_command_works_where_matplotlib_can_keep_nothing(place):
    (place / "file").touch()
    env = {"MPLCONFIGDIR": str(place / "file/folder"), "HOME": str(place / "file")}
    said = every_command_works(place, env=env | {"MINIGAN_CACHE": None})
    assert all("MPLCONFIGDIR" in line or "mkdir" in line for line in said)


def test_every_command_works_beside_a_numba_that_cannot_be_imported(place):
    assert not every_command_works(place, stand_ins=["bad_numba", "quick"])


def test_every_command_works_with_little_memory_and_few_files(place):
    limits = 'ulimit -v 1000000 && ulimit -n 10 && exec "$@"'
    assert not every_command_works(place, wrap=["sh", "-c", limits, "sh"])


@pytest.mark.parametrize("how", ["bad_matplotlib", "latex"])
def test_a_matplotlib_that_cannot_draw_costs_no_more_than_its_picture(place, how):
    env = {"MATPLOTLIBRC": str(place.stand_ins / "latex"), "PATH": os.devnull}
    found = {"latex": ["no_numba"], "bad_matplotlib": [how, "no_numba"]}[how]
    status, _, err = place.run(*TRAIN, "--out", "new", env=env, stand_ins=found)
    assert status in (0, 2), err
    assert err.count("\n") <= 1, err
    assert check_whole(place / "new") == 4
    (place / "run/losses.png").unlink()
    status, out, err = place.run("evaluate", "run", "--n", "40", env=env, stand_ins=found)
    assert status in (0, 2), err
    assert "precision" in out
    assert (place / "run/metrics.json").exists()


@pytest.mark.parametrize("how", ["no_cupy", "bad_cupy", "empty_cupy"])
def test_a_missing_cupy_is_not_mistaken_for_a_damaged_checkpoint(place, how):
    begin, before = [*TRAIN, "--out", "new"], content(place / "run")
    others = (["sample", "run", "-o", "x.png"], ["evaluate", "run"], [*RESUME, "--steps", "9"])
    for command in (begin, *(others if how == "no_cupy" else others[:1])):
        env = {"MINIGAN_BACKEND": "cupy"}
        place.refuses(*command, env=env, stand_ins=[how, "no_numba"], words="backend: CuPy")
    assert content(place / "run") == before
    assert not (place / "new").exists()


@pytest.mark.parametrize(
    "env", [{"NUMBA_DISABLE_JIT": "1"}, {"NUMBA_CACHE_DIR": os.path.join(os.devnull, "x")}]
)
def test_numba_itself_in_odd_moods(place, env):
    pytest.importorskip("numba")
    begin = time.monotonic()
    place.works(*TRAIN, "--out", "new", env=env, stand_ins=["quick"])
    assert time.monotonic() - begin < 40
    assert check_whole(place / "new") == 4


def test_python_m_minigan_works_from_a_checkout_that_is_not_installed(place):
    out = place.works("--version", cwd=PACKAGE.parent, env={"PYTHONPATH": None})
    assert out == f"minigan {minigan.__version__}\n"


@no_bounds
def test_every_command_works_in_a_package_that_cannot_be_written(place):
    without = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, place / "lib/minigan", ignore=without)
    before = sorted((place / "lib").rglob("*"))
    for path in before:
        path.chmod(0o555 if path.is_dir() else 0o444)
    path = os.pathsep.join([str(place.stand_ins / "no_numba"), str(place / "lib")])
    assert not every_command_works(
        place, env={"PYTHONPATH": path, "HOME": None, "MINIGAN_CACHE": None}, wrap=BOUND
    )
    assert sorted((place / "lib").rglob("*")) == before
    for path in before:
        path.chmod(0o755)


NAMES = ["日本", "a b\nc", "-x", "'$(x)\"", os.fsdecode(b"bytes \xff\xfe")]


def test_a_run_may_have_any_name(place):
    try:
        os.mkdir(place / NAMES[-1])
    except OSError:
        pytest.skip("this file system has names in UTF-8 only")
    commands = []
    for name in NAMES:
        commands += [[*TRAIN[:-1], f"--out={name}"], ["sample", f"-o{name}.npz", "--", name]]
        commands += [["evaluate", "--n", "20", "--", name]]
    every_command_works(place, commands=[(c, 0) for c in commands], stand_ins=["quick"])
    for name in NAMES:
        assert check_whole(place / name) == 4
        assert (place / f"{name}.npz").exists()
        assert json.loads((place / name / "metrics.json").read_bytes())["run"] == name
    env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    out = place.works("train", "gan", "--resume", "--out", NAMES[0], env=env)
    assert "is already at step 4" in out
    place.works(*TRAIN, "--out", "äöü/日本", env=env)
    assert check_whole(place / "äöü/日本") == 4


# ---- streams ----

FIRST = [
    ([*TRAIN[:-1], "--out", "new"], 0),
    (["evaluate", "run", "--n", "20"], 0),
    (PROOF, 0),
    (["sample", "nowhere", "-o", "x.png"], 2),
    (["train", "gan", "--stepz"], 2),
    (["--version"], 0),
]


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_every_command_works_with_closed_streams(place, closed):
    wrap = ["sh", "-c", f'exec "$@" {closed}', "sh"]
    every_command_works(place, commands=FIRST, wrap=wrap, stand_ins=QUICK)
    assert check_whole(place / "new") == 4


@no_full
@pytest.mark.parametrize(
    "command",
    [
        ["--version"],
        ["--help"],
        PROOF,
        ["evaluate", "run", "--n", "20"],
        ["train", "gan", "--resume", "--out", "run"],
        [*TRAIN[:-1], "--out", "new"],
    ],
    ids=" ".join,
)
def test_a_full_disk_behind_stdout_is_noticed(place, command):
    with open("/dev/full", "wb") as full:
        process = place.start(*command, stdout=full)
        err = process.communicate(timeout=60)[1].decode()
    refused((process.returncode, "", err), "No space left on device")
    for name in ("run", "new"):
        assert check_whole(place / name) == (4 if (place / name).exists() else None)


WARNED = ["train", "cgan", *SIZE[2:], "--steps", "8", "--quiet", "--out", "new"]


@pytest.mark.parametrize(
    "where", ["2>/dev/null", "2>&-", ">&- 2>&-", pytest.param("2>/dev/full", marks=no_full)]
)
def test_a_warning_that_nobody_can_read_does_not_end_the_training(place, where):
    """Before its eighth step this model draws hardly any samples of most classes."""
    status, out, _ = place.sh(f'exec "$@" {where}', *WARNED)
    assert status == 0
    assert out == ""
    assert check_whole(place / "new") == 8
    assert (place / "new/film.gif").exists()


@no_full
def test_a_refusal_that_nobody_can_read_is_one_by_its_status(place):
    for where in ("2>&-", "2>/dev/full", ">&- 2>&-"):
        for command in (["sample", "nowhere", "-o", "x.png"], ["train", "gan", "--stepz"]):
            assert place.sh(f'exec "$@" {where}', *command)[0] == 2


def test_a_pipe_that_is_closed_ends_a_command_without_a_word(place):
    for command in (PROOF, ["--help"], ["evaluate", "run", "--n", "20"]):
        status, out, err = place.sh('{ "$@"; echo $? >&2; } | head -n 1', *command)
        assert (status, out.count("\n")) == (0, 1)
        assert err.strip() in ("0", "141")
        process = place.start(*command)
        process.stdout.close()
        err = process.stderr.read()
        process.stderr.close()
        assert process.wait(60) in (-signal.SIGPIPE, 128 + signal.SIGPIPE)
        assert err == b""


def in_this_process(words, out, err):
    """The status of `cli.main` with these streams."""
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            return cli.main(words)
        except SystemExit as stopped:
            return stopped.code


def full():
    stream = open("/dev/full", "w", encoding="utf-8")  # noqa: SIM115
    stream.write("what the program has said before")
    return stream


def closed():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    stream.close()
    return stream


CALLS = [(PROOF, 0), (["--version"], 0), (["train", "gan", "--stepz"], 2), (["train"], 2)]
CALLS += [(["sample", "nowhere", "-o", "x.png"], 2)]


@pytest.mark.parametrize("words", CALLS, ids=lambda call: " ".join(call[0]))
def test_a_program_without_streams_may_call_main(words):
    assert in_this_process(words[0], None, None) == words[1]


@pytest.mark.parametrize("make", [closed, pytest.param(full, marks=no_full)])
@pytest.mark.parametrize("words", CALLS, ids=lambda call: " ".join(call[0]))
def test_a_program_whose_streams_are_closed_or_full_may_call_main(words, make):
    out = make()
    try:
        assert in_this_process(words[0], out, io.StringIO()) in (words[1], 2)
    finally:
        with contextlib.suppress(OSError):
            out.close()


def test_streams_are_left_as_they_were():
    one, other = (io.TextIOWrapper(io.BytesIO(), "ascii", "strict") for _ in range(2))
    for out, err in ((one, other), (one, one)):
        assert in_this_process(["sample", "日本", "-o", "x.png"], out, err) == 2
        assert (out.errors, err.errors) == ("strict", "strict")
    err.flush()
    assert rb"\u65e5\u672c: no run of minigan is here" in err.buffer.getvalue()


# ---- the working directory, other people's folders ----

GONE = "mkdir gone && cd gone && rmdir ../gone && exec"


def test_a_working_directory_that_was_deleted(place):
    run = str(place / "run")
    for command, words in (
        ([*TRAIN], "runs/gan-ring: No such file or directory"),
        (["sample", run, "-o", "x.npz"], "cannot write x.npz: No such file or directory"),
        (["evaluate", "run"], "run: no run of minigan is here"),
        (["train", "gan", "--data", "digits"], "digits"),
        (NO_SERVER, "digits: No such file or directory"),
    ):
        refused(place.sh(f'{GONE} "$@"', *command), words)
    for command in (["evaluate", run, "--n", "20"], [*RESUME[:-1], run], ["--version"]):
        assert place.sh(f'{GONE} "$@"', *command)[0] == 0


@no_bounds
def test_a_working_directory_that_cannot_be_read(place):
    (place / "locked").mkdir()
    (place / "locked").chmod(0)
    bound = " ".join(BOUND)
    for command in ([*TRAIN], ["sample", str(place / "run"), "-o", "x.npz"], NO_SERVER):
        done = place.sh(f'cd locked && exec {bound} "$@"', *command)
        refused(done, "Permission denied")
    assert place.sh(f'cd locked && exec {bound} "$@"', "--version")[0] == 0
    (place / "locked").chmod(0o700)


@no_bounds
def test_a_run_that_cannot_be_read_is_not_said_to_be_absent(place):
    (place / "locked").mkdir()
    shutil.move(place / "run", place / "locked/run")
    (place / "locked").chmod(0)
    for command in (["sample", "locked/run", "-o", "x.npz"], ["evaluate", "locked/run"]):
        place.refuses(*command, wrap=BOUND, words="Permission denied")
    (place / "locked").chmod(0o700)


@no_stranger
def test_every_command_works_for_a_user_without_name_or_home(place):
    (place / "own").mkdir()
    os.chown(place / "own", 54321, 54321)
    own = Place(place / "own", place.stand_ins)
    said = every_command_works(
        own, wrap=STRANGER, env={"HOME": None, "MINIGAN_CACHE": None, "MINIGAN_DATA": None}
    )
    assert all("MPLCONFIGDIR" in line for line in said)


@no_stranger
def test_a_run_of_somebody_else_may_be_looked_at_only(place):
    before = content(place / "run")
    options = {"wrap": STRANGER, "env": {"HOME": None}}
    denied = "Permission denied"
    place.refuses("evaluate", "run", "--n", "20", words=denied, **options)
    place.refuses(*RESUME, "--steps", "9", words=denied, **options)
    place.refuses(*TRAIN, "--out", "run", "--overwrite", words=denied, **options)
    place.refuses(*TRAIN, "--out", "new", words=denied, **options)
    place.refuses("sample", "run", "-o", "x.npz", words=denied, **options)
    place.refuses(*NO_SERVER, words=denied, **options)
    assert content(place / "run") == before
    assert sorted(os.listdir(place.path)) == ["run"]


# ---- disks: full, read-only, gone ----


def at_most(size):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("size", [0, 1, 400, 3000, 5900])
def test_a_full_disk_in_the_way_of_a_new_run(place, size):
    done = place.run(*TRAIN, "--out", "new", preexec_fn=at_most(size))
    refused(done, "new/")
    assert "File too large" in done[2]
    assert set(os.listdir(place / "new")) <= {".lock"}
    place.works(*TRAIN, "--out", "new")
    assert check_whole(place / "new") == 4


@pytest.mark.parametrize("size", [0, 300, 900, 6050])
def test_a_full_disk_in_the_way_of_a_run_that_goes_on(place, size):
    before = content(place / "run")
    done = place.run(*RESUME, "--steps", "9", preexec_fn=at_most(size))
    refused(done, "run/")
    assert "File too large" in done[2]
    step, after = check_whole(place / "run"), content(place / "run")
    kept = before.keys() if step == 4 else [n for n in before if n.startswith("frames/")]
    grown = "config.json", "metrics.csv"
    assert {n: after[n] for n in kept if n not in grown} == {
        n: before[n] for n in kept if n not in grown
    }
    place.works(*RESUME, "--steps", "9")
    assert check_whole(place / "run") == 9


@pytest.mark.parametrize("size", [0, 400])
def test_a_full_disk_in_the_way_of_samples_and_measures(place, size):
    before = content(place.path)
    for command, words in (
        (["sample", "run", "-o", "x.npz"], "cannot write x.npz"),
        (["sample", "run", "-o", "x.png"], "cannot write x.png"),
        (["evaluate", "run", "--n", "20"], "cannot write run/metrics.json"),
        ([*TRAIN, "--out", "run", "--overwrite"], "run"),
    ):
        place.refuses(*command, words=words, preexec_fn=at_most(size))
        assert content(place.path) == before


def test_what_is_measured_is_not_lost_for_want_of_room_for_pictures(place):
    (place / "run/film.gif").unlink()
    place.works("evaluate", "run", "--n", "20", preexec_fn=at_most(5000))
    assert json.loads((place / "run/metrics.json").read_bytes())["step"] == 4
    assert not (place / "run/film.gif").exists()


MOUNT = "mount -t tmpfs -o size={} tmpfs disk && {}; status=$?; cp -a disk copy; exit $status"


@no_mount
@pytest.mark.parametrize("size", ["4k", "16k", "24k", "48k", "64k"])
def test_a_file_system_that_fills_up_while_a_run_is_written(place, size):
    (place / "disk").mkdir()
    wrap = [*MOUNTING, "sh", "-c", MOUNT.format(size, '"$@"'), "sh"]
    place.refuses(*TRAIN, "--out", "disk/new", wrap=wrap, words="No space left on device")
    assert check_whole(place / "copy/new") in ((None,) if size == "4k" else (None, 0, 1, 2, 4))


@no_mount
@pytest.mark.parametrize("free", [0, 4, 8])
def test_a_file_system_that_is_full_but_for_some_kilobytes(place, free):
    """What can be done there is done: measures need one page, a run that is over needs none."""
    (place / "disk").mkdir()
    fill = "cp -a run disk; head -c 1M /dev/zero 2>/dev/null >disk/fill"
    script = MOUNT.format("256k", f'{fill}; truncate -s -{free}k disk/fill; "$@"')
    wrap = [*MOUNTING, "sh", "-c", script, "sh"]
    status, out, err = place.run("evaluate", "disk/run", "--n", "20", wrap=wrap)
    if free:
        assert status == 0, err
        assert (place / "copy/run/metrics.json").exists()
    else:
        refused((status, out, err), "cannot write disk/run/metrics.json: No space left")
    assert check_whole(place / "copy/run") == 4


@no_mount
def test_a_read_only_file_system(place):
    (place / "disk").mkdir()
    ready = "mount -t tmpfs tmpfs disk && cp -a run disk && mount -o remount,ro disk"
    wrap = [*MOUNTING, "sh", "-c", f'{ready} && exec "$@"', "sh"]
    for command in (
        [*TRAIN, "--out", "disk/new"],
        [*TRAIN, "--out", "disk/run", "--overwrite"],
        [*RESUME[:-1], "disk/run", "--steps", "9"],
        ["sample", "disk/run", "-o", "disk/x.npz"],
        ["evaluate", "disk/run", "--n", "20"],
        [*NO_SERVER[:3], "disk", *NO_SERVER[4:]],
    ):
        place.refuses(*command, wrap=wrap, words="Read-only file system")
    place.works("sample", "disk/run", "-o", "x.npz", wrap=wrap)


def test_a_folder_that_vanishes_while_its_run_is_trained(place):
    process = place.start(*LONG, "new")
    wait_for(place / "new/metrics.csv")
    (place / "new").rename(place / "elsewhere")
    refused(ended(process), "cannot write new/")
    assert not (place / "new").exists()
    step = check_whole(place / "elsewhere")
    more = ["--steps", str(step + 3), "--out", "elsewhere"]
    place.works(*RESUME[:-2], *more)
    assert check_whole(place / "elsewhere") == step + 3


@no_bounds
def test_a_folder_that_becomes_read_only_while_its_run_is_trained(place):
    process = place.start(*LONG, "new", wrap=BOUND)
    wait_for(place / "new/metrics.csv")
    for folder in ("new/frames", "new"):
        (place / folder).chmod(0o500)
    refused(ended(process), "Permission denied")
    for folder in ("new", "new/frames"):
        (place / folder).chmod(0o700)
    step = check_whole(place / "new")
    place.works(*RESUME[:-1], "new", "--steps", str(step + 3), wrap=BOUND)
    assert check_whole(place / "new") == step + 3


# ---- signals ----

STOPPING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
MOMENTS = 12
STEPS = 10


def seconds(place, *args, **options):
    begin = time.monotonic()
    place.works(*args, **options)
    return time.monotonic() - begin


@pytest.mark.parametrize("number", STOPPING, ids=lambda number: number.name)
def test_a_training_that_is_asked_to_stop_saves_and_can_go_on(place, number):
    train = [*TRAIN[:-2], str(STEPS), "--quiet", "--out", "new"]
    longest, rng, saved = seconds(place, *train), random.Random(int(number)), 0
    shutil.rmtree(place / "new")
    for _ in range(MOMENTS):
        begun = (place / "new/config.json").exists()
        status, _, err = place.interrupted(
            *train, *["--resume"] * begun, number=number, after=1.05 * longest * rng.random()
        )
        assert status in (0, 128 + number, -number), (status, err)
        if status == 0:
            assert check_whole(place / "new") == STEPS
            shutil.rmtree(place / "new")
        elif "stopped and saved at step " in err:
            step = int(err.partition("saved at step ")[2].partition(";")[0])
            assert check_whole(place / "new") == step
            assert (place / "new/film.gif").exists()
            saved += 1
    assert saved
    begun = (place / "new/config.json").exists()
    place.works(*train, *["--resume"] * begun)
    assert check_whole(place / "new") == STEPS


@pytest.mark.parametrize("command", [["evaluate", "run", "--n", "50"], PROOF], ids=" ".join)
def test_ctrl_c_ends_other_commands_at_once(place, command):
    longest, rng, before = seconds(place, *command), random.Random(0), content(place / "run")
    script, ends = str(place.stand_ins / "script/minigan"), set()
    for i in range(MOMENTS):
        options = {"program": [script] if i % 3 == 0 else MINIGAN}
        after = 1.05 * longest * rng.random()
        status, _, err = place.interrupted(*command, after=after, **options)
        assert status in (0, 130, -signal.SIGINT), (status, err)
        assert err.strip() in ("", "minigan: interrupted")
        ends.add(status)
    assert 130 in ends
    for number in (signal.SIGTERM, signal.SIGHUP):
        for part in (0.3, 0.9):
            done = place.interrupted(*command, number=number, after=part * longest)
            assert done[0] in (0, -number)
            assert done[2] == ""
    after = content(place / "run")
    assert {name: after[name] for name in before} == before
    check_whole(place / "run")


HOOK = """
import os, sys

class Fork:
    "At every import a child is interrupted; that must end it with status 130."
    def find_spec(self, name, path=None, target=None):
        begun = "minigan.lab.signals" in sys.modules
        if not (begun and hasattr(sys.modules.get("signal"), "Signals")):
            return None  # before, nothing can be done about a signal
        child = os.fork()
        if child == 0:
            sys.meta_path.remove(self)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            os.kill(os.getpid(), 2)
            return None
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        with open(os.environ["FOUND"], "a", encoding="utf-8") as file:
            file.write(f"{name} {status}\\n")

sys.meta_path.insert(0, Fork())
"""


@pytest.mark.parametrize("command", [PROOF, ["evaluate", "run", "--n", "20"]], ids=" ".join)
def test_ctrl_c_during_any_import_ends_with_130(place, command):
    (place / "hook").mkdir()
    (place / "hook/sitecustomize.py").write_text(HOOK, encoding="utf-8")
    path = place.environ()["PYTHONPATH"] + os.pathsep + str(place / "hook")
    env = {"FOUND": str(place / "found"), "PYTHONPATH": path}
    place.works(*command, env=env)
    found = dict(line.split() for line in (place / "found").read_text("utf-8").splitlines())
    assert {"numpy", "argparse", "minigan.lab.cli", "minigan.lab.commands"} <= found.keys()
    assert {name: status for name, status in found.items() if status != "130"} == {}


def test_a_signal_that_is_ignored_stays_ignored(place):
    """As SIGHUP is under nohup, and SIGINT for a job in a shell's background."""
    ignored = signal.SIGHUP, signal.SIGINT

    def ignore():
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)

    train = [*TRAIN[:-2], "300", "--quiet", "--out", "new"]
    process = place.start(*train, preexec_fn=ignore)
    for moment in ("at once", "while it trains"):
        for number in ignored:
            process.send_signal(number)
        if moment == "at once":
            wait_for(place / "new/metrics.csv")
    status, _, err = ended(process)
    assert status == 0
    assert "minigan: " not in err
    assert check_whole(place / "new") == 300


@pytest.mark.parametrize("again", [0.0, 0.002, 0.05])
def test_ctrl_c_twice_ends_at_once_and_the_run_can_go_on(place, again):
    process = place.start(*LONG, "new")
    wait_for(place / "new/metrics.csv")
    process.send_signal(signal.SIGINT)
    time.sleep(again)
    process.send_signal(signal.SIGINT)
    status, _, err = ended(process)
    assert status in (130, -signal.SIGINT)  # that if the first was over when the second came
    assert "interrupted" in err or "stopped and saved" in err
    assert check_whole(place / "new") is not None
    step = load_checkpoint(place / "new/checkpoint.npz")[1].step
    place.works(*RESUME[:-1], "new", "--steps", str(step + 3))
    assert check_whole(place / "new") == step + 3


@pytest.mark.parametrize("streams", ["2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_what_is_said_of_ctrl_c_is_not_written_into_a_file(place, streams):
    """With stderr closed, a file that is opened next has its number."""
    process = place.start(*LONG, "new", wrap=["sh", "-c", f'exec "$@" {streams}', "sh"])
    wait_for(place / "new/metrics.csv")
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.002)
    assert ended(process)[0] == 130
    files = (path for path in (place / "new").rglob("*") if path.is_file())
    assert not [path for path in files if b"interrupted" in path.read_bytes()]


def test_ctrl_c_in_a_pipeline_whose_reader_has_gone_saves_the_run(place):
    process = place.start(*LONG, "new", stderr=subprocess.STDOUT)
    wait_for(place / "new/metrics.csv")
    process.stdout.close()
    process.send_signal(signal.SIGINT)
    assert process.wait(60) in (130, -signal.SIGPIPE)
    assert check_whole(place / "new") > 0
    assert (place / "new/film.gif").exists()


def test_a_terminal_that_is_closed_stops_a_training_which_saves(place):
    """The terminal is gone, so nothing can be said, and nothing need be."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    options = {"stdin": theirs, "stdout": theirs, "stderr": theirs, "start_new_session": True}
    terminal = "import fcntl, os, sys, termios\nfcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    terminal += "os.execv(sys.executable, [sys.executable, '-m', 'minigan', *sys.argv[1:]])"
    loud = [word for word in LONG if word != "--quiet"]
    process = place.start(*loud, "new", program=["-c", terminal], **options)
    os.close(theirs)
    begun, shown = None, b""
    while begun is None or time.monotonic() < begun + 0.3:
        if select.select([ours], [], [], 0.05)[0]:
            shown += os.read(ours, 4096)
        if begun is None and (place / "new/metrics.csv").exists():
            begun = time.monotonic()
        assert process.poll() is None, shown
    os.close(ours)
    assert process.wait(60) == 128 + signal.SIGHUP
    assert b"step/s" in shown
    assert check_whole(place / "new") > 0
    assert (place / "new/film.gif").exists()


@pytest.mark.parametrize("name", ["a b", "-x", "$HOME"])
def test_what_is_said_after_ctrl_c_can_be_pasted(place, name):
    process = place.start(*LONG[:-1], f"--out={name}")
    wait_for(place / name / "metrics.csv")
    process.send_signal(signal.SIGINT)
    status, _, err = ended(process)
    assert status == 130
    command = err.partition("go on with: minigan ")[2].strip()
    assert command
    step = check_whole(place / name)
    script = f'exec "$@" {command} --quiet --steps {step + 2}'
    assert place.sh(script)[0] == 0
    assert check_whole(place / name) == step + 2


# ---- minigan within another program ----

PROGRAM = """
import os, signal, socket, sys, threading
from minigan.lab.cli import main

def own(number, frame):
    heard.append(number)

heard, names = [], ("SIGINT", "SIGTERM", "SIGHUP", "SIGPIPE", "SIGUSR1")
for name in names:
    signal.signal(getattr(signal, name), own)
streams = sys.stdin, sys.stdout, sys.stderr, sys.stdout.errors, sys.stderr.errors
train = sys.argv[1:]

def unchanged():
    assert all(signal.getsignal(getattr(signal, name)) is own for name in names)
    now = sys.stdin, sys.stdout, sys.stderr, sys.stdout.errors, sys.stderr.errors
    assert now == streams
    assert not heard, heard

for out in ("one", "two"):
    assert main([*train, "--steps", "4", "--out", out]) == 0
    unchanged()
assert main(["evaluate", "one", "--n", "20"]) == 0
assert main(["sample", "nowhere", "-o", "x.png"]) == 2
for words in (["--version"], ["sample"]):
    try:
        main(words)
    except SystemExit:
        pass
    unchanged()

found = []
thread = threading.Thread(target=lambda: found.append(main([*train, "--steps", "4"])))
thread.start()
thread.join()
assert found == [0]
unchanged()

threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
assert main([*train, "--steps", "1000000", "--out", "three"]) == 143
unchanged()
os.kill(os.getpid(), signal.SIGINT)
assert heard == [signal.SIGINT]

signal.signal(signal.SIGPIPE, signal.SIG_IGN)
broken, stop = 0, threading.Event()

def serve():
    global broken
    while not stop.is_set():
        ours, theirs = socket.socketpair()
        theirs.close()
        try:
            ours.send(b"to a client who has left")
        except BrokenPipeError:
            broken += 1
        ours.close()

server = threading.Thread(target=serve)
server.start()
assert main(["evaluate", "one", "--n", "20"]) == 0
stop.set()
server.join()
assert broken
assert signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN
print("the program is unharmed")
"""


def test_a_program_may_call_main_again_and_again_and_from_a_thread(place):
    train = ["train", "gan", *SIZE, "--quiet"]
    out = place.works(*train, program=["-c", PROGRAM], stdin=subprocess.DEVNULL)
    assert out.endswith("the program is unharmed\n")
    for folder in ("one", "two", "runs/gan-ring"):
        assert check_whole(place / folder) == 4
    assert check_whole(place / "three") > 0


def test_calling_main_again_and_again_piles_nothing_up():
    lengths = []
    for _ in range(3):
        assert in_this_process(["sample", "nowhere", "-o", "x.png"], None, None) == 2
        lengths.append(len(signals.at_once))
    assert len(set(lengths[1:])) == 1


@pytest.mark.parametrize("start", [["-m", "other"], ["-m", "other.part"]])
def test_another_package_that_imports_minigan_keeps_its_ctrl_c(place, start):
    main = """
import atexit, os, signal, time
atexit.register(print, "cleaned up")
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(1)
except KeyboardInterrupt:
    print("interrupted, and what is open will be saved")
"""
    (place / "other").mkdir()
    (place / "other/__init__.py").write_text("import minigan\n", encoding="utf-8")
    for name in ("__main__.py", "part.py"):
        (place / "other" / name).write_text(main, encoding="utf-8")
    out = place.works(program=start)
    assert out == "interrupted, and what is open will be saved\ncleaned up\n"


def test_a_script_of_the_name_minigan_is_the_command(place):
    """As pip installs it."""
    script = [str(place.stand_ins / "script/minigan")]
    place.refuses("sample", "nowhere", "-o", "x.png", program=script, words="no run of minigan")
    assert place.works("--version", program=script) == f"minigan {minigan.__version__}\n"


# ---- the network ----


@pytest.fixture
def rude_server():
    """The address of a server that closes every connection as soon as it is made."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with contextlib.suppress(OSError):
                        connection.shutdown(socket.SHUT_RDWR)
                    connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}/"
        server.close()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_hangs_up_is_a_reason_and_not_the_end(place, scheme, rude_server):
    for _ in range(2):
        place.refuses(*NO_SERVER[:-1], f"{scheme}://{rude_server}", words="cannot download")
    assert not os.listdir(place / "digits")
