"""A short form of tests/fuzz.py, which tries five thousand cases of each kind."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("resource", reason="memory cannot be limited here")


@pytest.fixture(scope="module")
def tried():
    """The lines that tell what became of each kind, by one process."""
    command = [sys.executable, str(Path(__file__).with_name("fuzz.py")), "15", "1000"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "target",
    ["config", "metrics", "classes", "checkpoint", "idx", "options"]
    + ["images", "npz", "npy", "csv"],
)
def test_damaged_files_and_odd_options_succeed_or_are_refused(target, tried):
    assert f"\n{target}: 15 cases, " in "\n" + tried
    (line,) = (line for line in tried.splitlines() if line.startswith(f"{target}: "))
    assert line.endswith(" 0 faults"), tried
