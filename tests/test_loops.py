"""Numba is used where it works, its work is kept on disk where that can be, and where it does
not work at all nothing is lost but time."""

import os
import shutil
import subprocess
import sys
import textwrap
import types
from concurrent.futures import ThreadPoolExecutor

import pytest

from minigan import loops

needs_numba = pytest.mark.skipif(not loops.njit, reason="Numba is not installed")


class Loop:
    """What Numba's decorator returns, as far as this library looks at it."""

    def __init__(self, saves):
        self.saves, self._cache = saves, None

    def enable_caching(self):
        if isinstance(self.saves, RuntimeError):
            raise self.saves
        self._cache = types.SimpleNamespace(save_overload=self.save, load_overload=self.load)

    def load(self, what):
        raise EOFError("Ran out of input")

    def save(self, *what):
        self.saves.append(what)
        if what == ("full",):
            raise OSError("no space left on device")


def numba_like(monkeypatch, disabled=False, saves=None):
    """Something in Numba's place; returns how its `njit` was called."""
    asked = []

    def njit(**options):
        asked.append(options)
        return lambda function: Loop([] if saves is None else saves)

    config = types.SimpleNamespace(DISABLE_JIT=disabled)
    monkeypatch.setitem(sys.modules, "numba", types.SimpleNamespace(config=config, njit=njit))
    return asked


def test_numba_is_used_if_it_works(monkeypatch):
    asked = numba_like(monkeypatch)
    decorate, broken = loops._compiler()
    assert type(decorate(len)) is Loop
    assert not broken
    assert asked == [{"error_model": "numpy"}]  # so that x/0 is infinite
    numba_like(monkeypatch, disabled=True)
    assert loops._compiler() == (None, "")
    monkeypatch.setitem(sys.modules, "numba", None)  # it is not there
    assert loops._compiler() == (None, "")


def test_a_folder_that_cannot_be_written_or_a_full_disk_costs_time_only(monkeypatch):
    numba_like(monkeypatch, saves=RuntimeError("no locator available"))
    assert loops._compiler()[0](len)._cache is None
    saves = []
    numba_like(monkeypatch, saves=saves)
    loop = loops._compiler()[0](len)
    for what in ("one", "full"):
        loop._cache.save_overload(what)
    assert saves == [("one",), ("full",)]
    assert loop._cache.load_overload("one") is None


TRAIN = """
import numpy as np, minigan, time
from minigan import fast, loops
model = minigan.GAN(n_data=3, n_noise=2, G_hidden=(4,), D_hidden=(4,))
begun = time.perf_counter()
[record] = minigan.train(model, np.ones((8, 3)) / 2, 1, 4)
found = getattr(loops.leaky_back, "stats", None)
hits = sum(found.cache_hits.values()) if found else None
print(record["loss_D"], model.G.theta.sum(), fast.njit is not None, hits, loops.broken)
"""


def process(tmp_path, code=TRAIN, **variables):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kept"), **variables}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=environment, capture_output=True,
        text=True, check=True, timeout=300,
    )  # fmt: skip
    assert not done.stderr
    *numbers, compiled, hits, broken = done.stdout.rstrip("\n").split(" ", 4)
    return numbers, compiled, hits, broken


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """The folder in which two processes that started together have left their loops, and what
    they said.
    """
    folder = tmp_path_factory.mktemp("together")
    with ThreadPoolExecutor(2) as pool:
        return folder, [*pool.map(process, [folder, folder])]


@needs_numba
def test_processes_that_start_together_do_not_disturb_each_other(together):
    (numbers, *said), (others, *also) = together[1]
    assert numbers == others
    for compiled, hits, broken in (said, also):
        assert (compiled, broken) == ("True", "")
        assert hits in ("0", "1")  # one may find what the other has compiled
    assert "0" in (said[1], also[1])


@needs_numba
def test_a_later_process_compiles_nothing(together):
    folder, ((numbers, *_), _) = together
    again, *second = process(folder)
    assert second == ["True", "1", ""]
    assert again == numbers
    another, *third = process(folder, NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="")
    assert third == ["True", "0", ""]  # another processor has loops of its own
    assert another == numbers


@needs_numba
def test_what_is_kept_and_spoilt_is_made_again(together, tmp_path):
    folder, ((numbers, *_), _) = together
    shutil.copytree(folder / "kept", tmp_path / "kept")
    spoilt = [*(tmp_path / "kept").rglob("*.nb*")]
    assert spoilt
    for path in spoilt:
        path.write_bytes(path.read_bytes()[:20])
    again, _, hits, _ = process(tmp_path)
    assert (again, hits) == (numbers, "0")


def broken_numba(tmp_path, source):
    """A folder whose Numba ends so when it is imported."""
    (tmp_path / "numba.py").write_text(textwrap.dedent(source), "utf-8")
    return os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])


@pytest.fixture(scope="module")
def without(tmp_path_factory):
    """What a process says that compiles nothing."""
    return process(tmp_path_factory.mktemp("without"), NUMBA_DISABLE_JIT="1")[0]


@pytest.mark.parametrize(
    ("source", "broken"),
    [
        ("raise SystemError('_internal failed')", "SystemError: _internal failed"),
        ("raise ImportError('needs NumPy 2.3')", "ImportError: needs NumPy 2.3"),
        ("import absent_llvm", "ModuleNotFoundError: No module named 'absent_llvm'"),
        ("from numba import njit", "ImportError: cannot import name 'njit'"),
    ],
)
def test_a_broken_numba_is_named_and_the_chapters_run(source, broken, without, tmp_path):
    path = broken_numba(tmp_path, source)
    numbers, compiled, hits, why = process(tmp_path, PYTHONPATH=path)
    assert (compiled, hits) == ("False", "None")
    assert why.startswith(broken)
    assert numbers == without
