"""Every numeric test runs on each array library that can be had: NumPy; array-api-strict on
a device that refuses silent conversion, and on one that knows no float64; CuPy on a GPU."""

import os
import signal

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import array_api_strict
import numpy as np
import pytest
from browser import chromium, site  # noqa: F401
from hypothesis import HealthCheck, Phase, settings

from minigan import fast
from minigan.arrays import asarray_like, backend
from minigan.errors import BackendError

shared = {"deadline": None, "suppress_health_check": list(HealthCheck)}
settings.register_profile("quick", max_examples=25, derandomize=True, **shared)
settings.register_profile("thorough", max_examples=2000, **shared)
phases = Phase.explicit, Phase.generate  # where failure is expected, it need not be made small
settings.register_profile("brief", settings.get_profile("quick"), phases=phases)
settings.load_profile("quick")


# A shell's background commands ignore Ctrl-C, and so does what they start; nohup's, the other.
for name in ("SIGINT", "SIGHUP"):
    number = getattr(signal, name, None)
    if number and signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)


class Library:
    """One array library and device: how to bring a host array there, which dtypes it has."""

    def __init__(self, name, like, dtypes=("float32", "float64")):
        self.name, self.like, self.dtypes = name, like, dtypes

    def __repr__(self):
        return self.name

    def array(self, host, dtype=None):
        host = np.asarray(host)
        return asarray_like(host if dtype is None else host.astype(dtype), self.like)


def strict(device, dtype):
    device = array_api_strict.Device(device)
    return array_api_strict.zeros((), dtype=getattr(array_api_strict, dtype), device=device)


MAKERS = {
    "numpy": lambda: Library("numpy", np.zeros(())),
    "strict": lambda: Library("strict", strict("device1", "float64")),
    "strict32": lambda: Library("strict32", strict("no_float64", "float32"), ("float32",)),
    "cupy": lambda: Library("cupy", backend("cupy").zeros(())),
}


@pytest.fixture(params=["numba", "without"])
def numba(request, monkeypatch):
    """Once with Numba, if it is installed, and once without."""
    if request.param == "without":
        monkeypatch.setattr(fast, "njit", None)
    elif not fast.njit:
        pytest.skip("Numba is not installed")


def pytest_addoption(parser):
    parser.addoption("--backend", choices=list(MAKERS), help="test only this array library")


def without_cupy():
    """Why CuPy cannot be tested here; None if it can."""
    try:
        backend("cupy")
    except BackendError as error:
        return str(error)


def pytest_generate_tests(metafunc):
    """`lib` is every library; `lib64` those with float64, where derivatives are proven."""
    only = metafunc.config.getoption("backend")
    for name, known in (("lib", list(MAKERS)), ("lib64", ["numpy", "strict", "cupy"])):
        if name in metafunc.fixturenames:
            there = [n for n in known if n != "cupy" or not without_cupy()]
            names = [only] if only else there
            metafunc.parametrize(name, names, indirect=True, scope="session")


def pytest_terminal_summary(terminalreporter):
    if without_cupy():
        terminalreporter.write_line(f"not tested on CuPy: {without_cupy()}")


@pytest.fixture(scope="session")
def lib(request):
    return library(request.param)


@pytest.fixture(scope="session")
def lib64(request):
    return library(request.param)


def library(name):
    try:
        return MAKERS[name]()
    except BackendError as error:
        pytest.skip(str(error))
