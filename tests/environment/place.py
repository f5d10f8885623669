"""Every command in every environment: it does its work, or says why not and exits with 2.

An environment is what surrounds a command: the locale, the options of Python, the streams, the
user, the working directory, the room on the disk, the signals that arrive. Each case starts a
process there. To be quick, these processes find no Numba, and where pictures do not matter a
stand-in for Matplotlib; the rest is what a person has.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

import minigan
from minigan.lab import cli
from minigan.lab.checkpoint import load_checkpoint
from minigan.lab.run import Run

PACKAGE = Path(minigan.__file__).parent
SIZE = ["--data", "ring", "--G-hidden", "8", "--D-hidden", "8", "--batch-size", "16"]
SIZE += ["--ema-decay", "0", "--seed", "20"]  # a seed of which no collapse is told so early
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
        kept |= {
            "PYTHONPATH": os.pathsep.join(found),
            "OPENBLAS_NUM_THREADS": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
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


EVERY = """
import json, sys
from minigan.lab.cli import main
sys.argv[0] = "minigan"
for words, expected in json.loads(sys.argv[1]):
    status = main(words)
    if status != expected:
        sys.exit(f"{words}: status {status}")
"""
COMMANDS = [
    ([*TRAIN, "--out", "new"], 0),
    (["sample", "new", "-o", "x.png"], 0),
    (["sample", "new", "-n", "3", "-o", "x.npz"], 0),
    (["evaluate", "new", "--n", "40"], 0),
    (["train", "gan", "--resume", "--out", "new"], 0),
    (["compare", "new", "new", "-o", "both.html"], 0),
    (PROOF, 0),
    (NO_SERVER, 2),
    (["sample", "nowhere", "-o", "x.png"], 2),
    (["--version"], 0),
    *(([*command, "--help"], 0) for command in ([], ["train"], ["train", "cwgan-gp"])),
    *(
        ([command, "--help"], 0)
        for command in ("sample", "evaluate", "compare", "download", "gradcheck")
    ),
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
        drawn = {"samples.png", "losses.png", "film.gif", "report.html", "classes.json"}
        drawn |= {"metrics.json"}
        if any("cannot draw losses.png" in line for line in lines):
            drawn -= {"losses.png"}
        assert drawn <= set(os.listdir(place / "new"))
        assert not (place / "digits").exists() or not os.listdir(place / "digits")
    return lines


def in_this_process(words, out, err):
    """The status of `cli.main` with these streams."""
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        return cli.main(words)
