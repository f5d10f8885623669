"""Arrays: the switch, and what it says when CuPy cannot be had; two libraries never meet;
what is larger than the memory is refused."""

import builtins
import os
import re
import subprocess
import sys
import types

import array_api_strict
import numpy as np
import pytest

from minigan import (
    CGAN,
    GAN,
    SGD,
    Adam,
    BackendError,
    MiniganError,
    Network,
    RMSProp,
    arrays,
    asarray_like,
    backend,
    mlp,
    to_numpy,
)
from minigan.arrays import array_namespace

SMALL = {"n_data": 4, "n_noise": 3, "G_hidden": (6,), "D_hidden": (5, 2)}


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


def test_cupy_that_does_not_work_says_why(monkeypatch):
    stub = types.ModuleType("cupy")

    def broken():
        raise RuntimeError("of another CUDA")

    stub.is_available = broken
    monkeypatch.setitem(sys.modules, "cupy", stub)
    with pytest.raises(BackendError, match="installed but does not work: of another CUDA$"):
        backend("cupy")


def test_cupy_that_works_is_used_through_the_standards_names(monkeypatch):
    stub, compat = types.ModuleType("cupy"), types.ModuleType("array_api_compat.cupy")
    stub.is_available = lambda: True
    monkeypatch.setitem(sys.modules, "cupy", stub)
    monkeypatch.setitem(sys.modules, "array_api_compat.cupy", compat)
    monkeypatch.delenv("MINIGAN_BACKEND", raising=False)
    assert backend("cupy") is compat
    assert backend().__name__ == backend("").__name__ == "array_api_compat.numpy"
    monkeypatch.setenv("MINIGAN_BACKEND", "cupy")
    assert backend() is compat
    assert backend("numpy").__name__ == "array_api_compat.numpy"
    monkeypatch.setenv("MINIGAN_BACKEND", "")
    assert backend().__name__ == "array_api_compat.numpy"


class OnAnotherDevice:
    """An array as CuPy has it: it comes home by `get`, and not otherwise."""

    def get(self):
        return np.arange(3)

    def __dlpack__(self, **_):
        raise TypeError("not on the host")


def test_what_comes_home_by_get_or_dlpack_or_is_a_list():
    host = np.arange(3)
    assert to_numpy(host) is host
    for away in (OnAnotherDevice(), abroad(host), [0, 1, 2]):
        home = to_numpy(away)
        assert type(home) is np.ndarray
        np.testing.assert_array_equal(home, host)


def test_a_host_array_stays_as_it_is_beside_another():
    host = np.arange(3)
    assert asarray_like(host, np.zeros(1)) is host
    there = asarray_like(host, abroad(np.zeros(1)))
    assert there.device == abroad(host).device
    assert type(there) is type(abroad(host))


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


def abroad(host):
    """The array in another library than NumPy."""
    return array_api_strict.asarray(host, device=array_api_strict.Device("device1"))


def meet(call):
    with pytest.raises(BackendError, match="met in one call"):
        call()


def test_two_libraries_never_meet():
    model, conditional = GAN(**SMALL), CGAN(**SMALL, n_classes=2)
    x, z, c = (np.ones((5, n), "float32") for n in (4, 3, 2))
    theta, network = np.zeros(3), mlp((4, 2), np.random.default_rng(0))
    for optimizer in (SGD(), RMSProp(), Adam()):
        meet(lambda optimizer=optimizer: optimizer.step(theta, abroad(theta)))
        meet(lambda optimizer=optimizer: optimizer.step(abroad(theta), theta))
    meet(lambda: network.forward(abroad(x)))
    for join, rows in ((conditional.G_input, z), (conditional.D_input, x)):
        meet(lambda join=join, rows=rows: join(rows, abroad(c)))
        meet(lambda join=join, rows=rows: join(abroad(rows), c))
    for rows, noise in ((abroad(x), z), (x, abroad(z)), (abroad(x), abroad(z))):
        meet(lambda rows=rows, noise=noise: model.update(rows, noise))


def test_it_is_the_update_itself_that_refuses_before_any_pass(monkeypatch):
    model, passes = GAN(**SMALL), []
    monkeypatch.setattr(Network, "forward", lambda *_: passes.append(1))
    x, z = np.ones((5, 4), "float32"), np.ones((5, 3), "float32")
    for rows, noise in ((abroad(x), z), (x, abroad(z)), (abroad(x), abroad(z))):
        meet(lambda rows=rows, noise=noise: model.update(rows, noise))
    assert passes == []


def test_both_libraries_and_their_arrays_are_named():
    said = "arrays of numpy (ndarray) and of array_api_strict (Array) met in one call; move one"
    with pytest.raises(BackendError, match=f"^{re.escape(said)} with asarray or to_numpy$"):
        array_namespace(np.ones(2), abroad(np.ones(2)))


def test_the_library_of_an_array_is_found_and_remembered(monkeypatch):
    monkeypatch.setattr(arrays, "_namespace_of", {})
    for array, name in (
        (np.ones(2), "array_api_compat.numpy"),
        (abroad(1), "array_api_strict"),
    ):
        assert array_namespace(array).__name__ == name
        assert arrays._namespace_of[type(array)] is array_namespace(array)


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


@pytest.mark.parametrize(
    ("n_bytes", "says"), [(10**12, None), (10**12 + 1, "1,000 GB of memory; there are 1,000$")]
)
def test_all_of_the_memory_may_be_used_and_no_more(n_bytes, says, monkeypatch):
    monkeypatch.setattr(arrays, "_memory", lambda: 10**12)
    if says is None:
        arrays.check_memory("it", n_bytes)
    else:
        with pytest.raises(MiniganError, match=f"^it would take {says}"):
            arrays.check_memory("it", n_bytes)


def absent(*_):
    raise OSError("no such thing here")


@pytest.mark.parametrize(
    ("machine", "container", "limit", "there_is"),
    [
        (8000, "9000\n", 9000, 8000),
        (8000, "7000\n", 9000, 7000),
        (8000, "7000", 6000, 6000),
        (8000, "max\n", -1, 8000),
        (8000, None, -1, 8000),
        (None, "7000", -1, 7000),
        (None, None, 6000, 6000),
        (None, None, -1, sys.maxsize),
        (8000, None, sys.maxsize, 8000),  # no limit, as macOS says it
        (-1000, "max", -1, sys.maxsize),  # the system does not know
        (8000, "0", 9000, 8000),
        (8000, "1", 9000, 1),
    ],
)
def test_the_memory_is_the_least_of_what_machine_container_and_limit_allow(
    machine, container, limit, there_is, monkeypatch
):
    resource = types.ModuleType("resource")
    resource.RLIMIT_AS = 9
    resource.getrlimit = {9: (limit, 1)}.__getitem__
    monkeypatch.setitem(sys.modules, "resource", resource)
    known = {"SC_PHYS_PAGES": machine and machine // 1000, "SC_PAGE_SIZE": 1000}
    sysconf = absent if machine is None else known.__getitem__
    monkeypatch.setattr(os, "sysconf", sysconf, raising=False)

    def read_text(path, encoding):
        assert (str(path), encoding) == ("/sys/fs/cgroup/memory.max", "ascii")
        return absent() if container is None else container

    monkeypatch.setattr(arrays.Path, "read_text", read_text)
    assert arrays._memory() == there_is


@pytest.mark.parametrize("error", [OSError, ValueError])
def test_a_system_that_refuses_to_tell_sets_no_bound(error, monkeypatch):
    def refuses(*_, **__):
        raise error("no such name")

    resource = types.SimpleNamespace(RLIMIT_AS=9, getrlimit=refuses)
    monkeypatch.setitem(sys.modules, "resource", resource)
    monkeypatch.setattr(os, "sysconf", refuses, raising=False)
    monkeypatch.setattr(arrays.Path, "read_text", refuses)
    assert arrays._memory() == sys.maxsize


def test_without_any_of_the_three_there_is_no_bound(monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)
    monkeypatch.delattr(os, "sysconf", raising=False)
    monkeypatch.setattr(arrays.Path, "read_text", absent)
    assert arrays._memory() == sys.maxsize


LIMITED = """
import resource, minigan
resource.setrlimit(resource.RLIMIT_AS, (2 * 10**9, 2 * 10**9))
model = minigan.GAN(n_data=10, n_noise=10, G_hidden=(), D_hidden=())
assert model.sample(100).shape == (100, 10)
for refused in (lambda: model.sample(10**8), lambda: minigan.GAN(n_data=10**6)):
    try:
        refused()
    except minigan.MiniganError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux enforces such a limit")
def test_a_limit_of_the_system_is_known_and_named():
    found = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True)
    samples, network = found.stdout.splitlines()
    assert samples.startswith("100,000,000 samples would take ")
    assert network.startswith("a network of the widths 100 128 128 1000000 would take ")
    for sentence in (samples, network):
        assert sentence.endswith(" GB of memory; there are 2")
