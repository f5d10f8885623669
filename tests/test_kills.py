"""A short form of tests/kill_runs.py, which kills two hundred times."""

import pytest
from kill_runs import restored

pytestmark = pytest.mark.slow


def test_runs_killed_at_random_moments_end_as_if_never_stopped():
    same, runs, kills = restored(kills=5, seed=2)
    assert kills >= 5
    assert same == runs
