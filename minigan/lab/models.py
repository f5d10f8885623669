"""The games by name, and how to build one from a plain dictionary, as in a checkpoint."""

from dataclasses import asdict, fields

from ..cgan import CGAN
from ..errors import MiniganError
from ..gan import GAN
from ..lsgan import CLSGAN, LSGAN
from ..penalty import CWGANGP, WGANGP
from ..wgan import CWGAN, WGAN

MODELS = {"gan": GAN, "cgan": CGAN, "wgan": WGAN, "wgan-gp": WGANGP, "lsgan": LSGAN}
MODELS |= {"cwgan": CWGAN, "cwgan-gp": CWGANGP, "clsgan": CLSGAN}

# What `minigan train MODEL` does when it is not told otherwise.
RECIPES = {
    "gan": {"steps": 12000, "batch_size": 64},
    "cgan": {"steps": 14000, "batch_size": 64},
    "wgan": {"steps": 4000, "batch_size": 64},
    "wgan-gp": {"steps": 4000, "batch_size": 64},
    "lsgan": {"steps": 8000, "batch_size": 64},
    "cwgan": {"steps": 4000, "batch_size": 64},
    "cwgan-gp": {"steps": 4000, "batch_size": 64},
    "clsgan": {"steps": 8000, "batch_size": 64},
}


def model_class(name):
    r"""The class called `name`; raises MiniganError saying which exist."""
    if name not in MODELS:
        raise MiniganError(f"model: expected one of {', '.join(MODELS)}, got {name!r}")
    return MODELS[name]


def build(name, **parameters):
    r"""A new model; raises MiniganError for a parameter the model does not have."""
    cls = model_class(name)
    known = [field.name for field in fields(cls)]
    for parameter in parameters:
        if parameter not in known:
            raise MiniganError(f"{name}: no parameter {parameter!r}; it has {', '.join(known)}")
    return cls(**parameters)


def describe(model):
    r"""(name, parameters) such that `build(name, **parameters)` makes the same model."""
    names = {cls: name for name, cls in MODELS.items()}
    if type(model) not in names:
        raise MiniganError(
            f"{type(model).__name__}: only the games of this library can be saved by name "
            f"({', '.join(cls.__name__ for cls in names)}); keep model.G.theta and "
            "model.D.theta with numpy.savez"
        )
    return names[type(model)], asdict(model)
