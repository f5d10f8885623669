"""Every example runs as it stands, with few steps, and saves the picture it promises."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

EXAMPLES = sorted(Path(__file__).parents[1].glob("examples/*.py"))
every_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)


def run(monkeypatch, folder, *words):
    """What the words of a command line do, in this process; any warning is an error."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", [*map(str, words)])
    runpy.run_path(sys.argv[0], run_name="__main__")


def saved(example, folder):
    """Whether the pictures that the example promises are there, and nothing else."""
    promised = set(re.findall(r"\w+\.(?:png|gif)", example.read_text("utf-8").split('"""')[1]))
    assert promised
    for name in promised:
        with Image.open(folder / name) as picture:
            assert min(picture.size) >= 250
    return {path.name for path in folder.iterdir()} == promised


@every_example
def test_example(example, tmp_path, monkeypatch):
    run(monkeypatch, tmp_path, example, "6")
    assert saved(example, tmp_path)


def test_an_example_is_a_program(tmp_path):
    (example,) = (path for path in EXAMPLES if path.name == "gan_mnist.py")
    command = [sys.executable, "-W", "error", str(example), "40"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert saved(example, tmp_path)


@every_example
def test_an_example_says_what_it_does(example, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, tmp_path, example, "--help")
    out, err = capsys.readouterr()
    assert (ended.value.code, err) == (0, "")
    assert example.read_text("utf-8").split('"""')[1].splitlines()[0] in out
    assert not list(tmp_path.iterdir())


def test_there_are_examples():
    assert len(EXAMPLES) >= 4
