"""A short form of tests/fuzz.py, which tries five thousand cases of each kind."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("resource", reason="memory cannot be limited here")


@pytest.mark.parametrize(
    "target",
    ["config", "metrics", "classes", "checkpoint", "idx", "options"]
    + ["images", "npz", "npy", "csv"],
)
def test_damaged_files_and_odd_options_succeed_or_are_refused(target):
    fuzz = Path(__file__).with_name("fuzz.py")
    command = [sys.executable, str(fuzz), "25", "1000", "--only", target]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "25 cases" in done.stdout
    assert " 0 faults" in done.stdout
