"""A place with a finished run, for every test of this folder."""

import shutil

import pytest
from place import STAND_INS, TRAIN, Place


@pytest.fixture(scope="session")
def stand_ins(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stand_ins")
    for name, files in STAND_INS.items():
        for file, content in files.items():
            (folder / name / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / name / file).write_text(content, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def trained(tmp_path_factory, stand_ins):
    """A folder with a finished run, and one of the digits, which are not changed any more."""
    place = Place(tmp_path_factory.mktemp("trained"), stand_ins)
    place.works(*TRAIN, "--out", "run", stand_ins=["no_numba"])
    return place.path


@pytest.fixture
def place(tmp_path, trained, stand_ins):
    shutil.copytree(trained / "run", tmp_path / "run")
    return Place(tmp_path, stand_ins)
