"""Chapter 0: the switch, and what it says when CuPy cannot be had."""

import builtins
import subprocess
import sys
import types

import numpy as np
import pytest

from minigan import GAN, BackendError, asarray_like, backend, to_numpy
from minigan.arrays import array_namespace


def test_numpy_is_the_default(monkeypatch):
    monkeypatch.delenv("MINIGAN_BACKEND", raising=False)
    assert type(backend().zeros(1)) is np.ndarray


def test_the_environment_variable_decides_and_an_argument_overrules_it(monkeypatch):
    monkeypatch.setenv("MINIGAN_BACKEND", "torch")
    with pytest.raises(BackendError, match="expected one of numpy, cupy, got 'torch'"):
        GAN()
    assert type(GAN(backend="numpy").G.theta) is np.ndarray


def test_cupy_not_installed_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without_cupy(name, *args, **kwargs):
        if name == "cupy":
            raise ModuleNotFoundError("No module named 'cupy'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_cupy)
    with pytest.raises(
        BackendError, match=r"CuPy is not installed; pip install 'minigan\[cupy"
    ):
        backend("cupy")


def test_cupy_without_a_driver_says_so(monkeypatch):
    stub = types.ModuleType("cupy")
    stub.is_available = lambda: False
    monkeypatch.setitem(sys.modules, "cupy", stub)
    with pytest.raises(BackendError, match="finds no CUDA driver or GPU"):
        GAN(backend="cupy")


def test_arrays_come_home_and_go_back(lib):
    host = np.arange(6, dtype=lib.dtypes[0]).reshape(2, 3)
    moved = lib.array(host)
    assert array_namespace(moved) is array_namespace(moved, asarray_like(host, moved))
    np.testing.assert_array_equal(to_numpy(moved), host)


def test_two_libraries_in_one_call_are_both_named(lib):
    if lib.name == "numpy":
        pytest.skip("NumPy and NumPy are one library")
    model = GAN(n_data=3, G_hidden=(4,), D_hidden=(4,))
    x = lib.array(np.ones((2, 3)), "float32")
    with pytest.raises(BackendError, match=rf"{lib.name.rstrip('32')}.*numpy"):
        model.D.forward(x)
    with pytest.raises(BackendError, match="numpy"):
        model.update(x, model.noise(2, np.random.default_rng(0)))


def test_what_is_not_an_array_is_refused():
    with pytest.raises(BackendError, match="expected an array of numpy or cupy, got list"):
        array_namespace([1.0, 2.0])


def test_importing_minigan_imports_little_besides_numpy():
    """What is slow to import waits until it is used."""
    program = "import sys, numpy; before = set(sys.modules); import minigan; "
    program += "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    program += "; print('numpy.random' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    loaded, random = found.stdout.splitlines()
    slow = {"matplotlib", "PIL", "tqdm", "scipy", "numba", "argparse", "gzip", "hashlib"}
    assert "minigan" in loaded.split()
    assert not slow & set(loaded.split())
    assert random == "False"
