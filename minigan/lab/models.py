"""The games by name, and how to build one from a plain dictionary, as in a checkpoint."""

import re
from dataclasses import asdict, fields

from ..cgan import CGAN, conditional
from ..errors import MiniganError
from ..gan import GAN
from ..lsgan import LSGAN
from ..penalty import WGANGP
from ..wgan import WGAN

MODELS = {"gan": GAN, "cgan": CGAN, "wgan": WGAN, "wgan-gp": WGANGP, "lsgan": LSGAN}
MODELS |= {f"c{name}": conditional(MODELS[name]) for name in ("wgan", "wgan-gp", "lsgan")}

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
    return names[type(model)], asdict(model)


def parameter_help(cls):
    r"""{parameter: its one-line description}, read from the docstrings of the class."""
    text = "\n".join(base.__doc__ or "" for base in reversed(cls.__mro__))
    found = re.findall(r"^    (\w+) : (.+(?:\n        .+)*)", text, re.MULTILINE)
    return {name: " ".join(words.split()) for name, words in found}
