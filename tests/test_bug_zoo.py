"""Every bug of the zoo, let out alone, is killed by the tests that the catalogue names."""

import json
import re
import subprocess
import sys
from pathlib import Path

import bug_zoo
import pytest
from bug_zoo import ZOO

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
SIXTEEN = """
    the fake pass overwrites the real pass; the generators gradient does not pass through D;
    elementwise product for a matrix product; the lost 1 over m; a sum where a mean is stated;
    sigma of 2x; adam without the power t; the clip before the step; the clip missing;
    the critics sign flipped; real and fake swapped; labels not permuted with their images;
    loss from clipped p and gradient from unclipped; a condition given to G but not to D;
    the saturating loss labelled non saturating; batches that never reach part of the data;
    leaky relu loses its slope on the way back
"""


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """What became of every test, with no bug and with each of them, in one other process."""
    report = tmp_path_factory.mktemp("zoo") / "report.json"
    done = subprocess.run(
        [sys.executable, bug_zoo.__file__, report], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(report.read_text())


@pytest.mark.parametrize("when", ["none", "none again"])
def test_without_a_bug_every_killer_passes(released, when):
    """The second time shows that no injection outlived its turn."""
    tests = {test for bug in ZOO for test in bug.killed_by}
    assert released[when] == dict.fromkeys(tests, "passed")


@pytest.mark.parametrize("bug", ZOO, ids=lambda bug: bug.name.replace(" ", "-"))
def test_the_bug_is_killed_by_an_assertion_of_each_of_its_killers(released, bug):
    outcomes = released[bug.name]
    assert sorted(outcomes) == sorted(bug.killed_by)
    for outcome in outcomes.values():
        assert outcome.startswith(("failed assert", "failed AssertionError"))


def test_the_zoo_has_the_bugs_it_was_built_for_and_describes_each():
    names = [bug.name for bug in ZOO]
    assert len(set(names)) == len(names)
    assert set(names) >= {" ".join(name.split()) for name in SIXTEEN.split(";")}
    for bug in ZOO:
        assert bug.killed_by
        for text in (bug.looks, bug.does, bug.found):
            assert text.strip()


@pytest.mark.parametrize("bug", ZOO, ids=lambda bug: bug.name.replace(" ", "-"))
def test_a_bug_names_a_thread_or_a_file_where_it_was_found_or_claims_nothing(bug):
    place = r"[\w.-]+/[\w.-]+( #\d+|, [\w./-]+\.\w+)(: [^;]+|, with [^;]+)?"
    assert bug.found == "a common slip" or all(
        re.fullmatch(place, each) for each in re.split(r"; |, (?=[\w.-]+/[\w.-]+ #)", bug.found)
    )


def test_the_kept_table_is_what_the_checks_of_gradients_and_steps_say():
    """The check that trains, and the suite itself, are measured by tests/zoo_table.py alone."""
    code = """
import json, zoo_table
quick = {n: c for n, (c, plays) in zoo_table.CHECKS.items() if c and not plays}
assert not any(map(zoo_table.catches, quick.values()))
found = {}
for bug in zoo_table.bug_zoo.ZOO:
    found[bug.name] = {name: zoo_table.catches(check, bug) for name, check in quick.items()}
print(json.dumps([list(zoo_table.CHECKS), found]))
"""
    options = {
        "cwd": Path(__file__).parent,
        "capture_output": True,
        "text": True,
        "timeout": 120,
    }
    done = subprocess.run([sys.executable, "-c", code], **options)
    assert done.returncode == 0, done.stderr
    names, found = json.loads(done.stdout)
    kept = json.loads(Path(bug_zoo.__file__).with_name("zoo_table.json").read_text("utf-8"))
    assert kept.keys() == found.keys()
    for bug, row in kept.items():
        assert sorted(row) == sorted(names), bug
        assert row["this suite"], bug
        assert found[bug].items() <= row.items(), bug


def test_the_page_and_the_drawing_are_the_catalogue_and_the_table():
    path = ROOT / "docs" / "zoo.py"
    check = subprocess.run(
        [sys.executable, path, "--check"], capture_output=True, text=True, timeout=60
    )
    assert check.returncode == 0, check.stderr
