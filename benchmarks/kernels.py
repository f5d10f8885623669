"""Which processor this is, and which kernels multiply on it, as far as the libraries tell."""

import os
import platform
import re
import tempfile


def processor():
    """Its name, and the widest of the vector instructions that matter here."""
    try:
        with open("/proc/cpuinfo", encoding="ascii") as file:
            told = dict(re.findall(r"^(.+?)\s*: (.*)$", file.read(), re.MULTILINE))
    except OSError:
        return platform.processor() or platform.machine()
    widest = [name for name in ("avx512f", "avx2") if name in told.get("flags", "").split()]
    about = told.get("model name"), *(f"{k} {told.get(k)}" for k in ("cpu family", "model"))
    return ", ".join([*map(str, about), *widest[:1]])


def numpy():
    """The BLAS that NumPy has loaded, and the processor whose kernels it chose."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return "not told without threadpoolctl"
    found = [each for each in threadpool_info() if each["user_api"] == "blas"]
    each = found[0] if found else {}
    names = each.get("internal_api", "unknown"), each.get("version"), each.get("architecture")
    return " ".join(name for name in names if name)


def torch():
    """What MKL says of itself when it multiplies; it says so past Python's own output."""
    import torch

    if not torch.backends.mkl.is_available():
        return "no MKL"
    with tempfile.TemporaryFile() as file:
        kept = os.dup(1)
        os.dup2(file.fileno(), 1)
        try:
            with torch.backends.mkl.verbose(1):
                torch.ones(64, 64) @ torch.ones(64, 64)
        finally:
            os.dup2(kept, 1)
            os.close(kept)
        file.seek(0)
        said = file.read().decode("ascii", "replace")
    found = re.search(r"oneMKL (\S+).*? for .*? architecture (.+?),? Lnx", said)
    return f"MKL {found[1]}, kernels for {found[2]}" if found else "MKL, which does not tell"


def jax():
    """XLA compiles its own products, or calls Eigen, and does not say for which processor."""
    import jax

    return f"XLA of jaxlib {jax.lib.__version__}, which does not tell"


def of(name):
    """Of a contender."""
    return torch() if "orch" in name else jax() if "JAX" in name else numpy()
