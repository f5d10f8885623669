"""Every example runs as it stands, with few steps, and saves the picture it promises."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

EXAMPLES = sorted(Path(__file__).parents[1].glob("examples/*.py"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_example(example, tmp_path):
    command = [sys.executable, "-W", "error", str(example), "40"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    promised = set(re.findall(r"\w+\.(?:png|gif)", example.read_text().split('"""')[1]))
    assert {path.name for path in tmp_path.iterdir()} == promised
    for name in promised:
        with Image.open(tmp_path / name) as picture:
            assert min(picture.size) >= 250


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_says_what_it_does(example, tmp_path):
    command = [sys.executable, str(example), "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert example.read_text().split('"""')[1].splitlines()[0] in done.stdout
    assert not list(tmp_path.iterdir())


def test_there_are_examples():
    assert len(EXAMPLES) >= 4
