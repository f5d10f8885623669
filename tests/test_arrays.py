"""Chapter 0: the switch, and what it says when CuPy cannot be had; two libraries never meet;
what is larger than the memory is refused."""

import builtins
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
    Network,
    RMSProp,
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
