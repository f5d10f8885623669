"""The games by name, and how to build one from a plain dictionary, as in a checkpoint."""

from dataclasses import asdict, fields

from ..cgan import CGAN
from ..errors import CheckpointError, MiniganError, check_parameters
from ..gan import GAN
from ..lsgan import CLSGAN, LSGAN
from ..penalty import CWGANGP, WGANGP
from ..r3gan import CR3GAN, R3GAN
from ..wgan import CWGAN, WGAN

MODELS = {"gan": GAN, "cgan": CGAN, "wgan": WGAN, "wgan-gp": WGANGP, "lsgan": LSGAN}
MODELS |= {"r3gan": R3GAN, "cwgan": CWGAN, "cwgan-gp": CWGANGP, "clsgan": CLSGAN}
MODELS |= {"cr3gan": CR3GAN}

ABOUT = {
    "gan": "a generative adversarial network (Goodfellow et al. 2014)",
    "cgan": "a conditional GAN (Mirza & Osindero 2014)",
    "wgan": "a Wasserstein GAN with weight clipping (Arjovsky et al. 2017)",
    "wgan-gp": "a Wasserstein GAN with gradient penalty (Gulrajani et al. 2017)",
    "lsgan": "a least squares GAN (Mao et al. 2017)",
    "r3gan": "a relativistic GAN with R1 and R2 (Huang et al. 2024)",
    "cwgan": "a conditional Wasserstein GAN with weight clipping",
    "cwgan-gp": "a conditional Wasserstein GAN with gradient penalty",
    "clsgan": "a conditional least squares GAN",
    "cr3gan": "a conditional relativistic GAN with R1 and R2",
}

# What `minigan train MODEL` does when it is not told otherwise.
RECIPES = {
    "gan": {"steps": 12000, "batch_size": 64},
    "cgan": {"steps": 14000, "batch_size": 64},
    "wgan": {"steps": 4000, "batch_size": 64},
    "wgan-gp": {"steps": 4000, "batch_size": 64},
    "lsgan": {"steps": 8000, "batch_size": 64},
    "r3gan": {"steps": 8000, "batch_size": 64},
    "cwgan": {"steps": 4000, "batch_size": 64},
    "cwgan-gp": {"steps": 4000, "batch_size": 64},
    "clsgan": {"steps": 8000, "batch_size": 64},
    "cr3gan": {"steps": 8000, "batch_size": 64},
}
RATES = ("lr", "D_lr")  # parameters that may be changed when a run is resumed
FORMERLY = {"average": "ema_decay", "weight": "penalty_weight"}  # in version 0.1


def model_class(name):
    r"""The class called `name`; raises MiniganError saying which exist."""
    if not isinstance(name, str) or name not in MODELS:
        raise MiniganError(f"model: expected one of {', '.join(MODELS)}, got {name!r}")
    return MODELS[name]


def build(name, **parameters):
    r"""A new model; raises MiniganError for a parameter the model does not have."""
    return model_class(name)(**checked(name, parameters))


def parameters_of(name):
    r"""{parameter: field} of the model called `name`, each with its default and its help."""
    return {field.name: field for field in fields(model_class(name))}


def checked(name, parameters):
    r"""All parameters of the model called `name` as plain values, those not given by default.

    Nothing is built. Raises MiniganError as `build` does.
    """
    cls, known = model_class(name), parameters_of(name)
    for parameter in parameters:
        if parameter not in known:
            raise MiniganError(f"{name}: no parameter {parameter!r}; it has {', '.join(known)}")
    model = object.__new__(cls)
    for parameter, field in known.items():
        setattr(model, parameter, parameters.get(parameter, field.default))
    check_parameters(model)
    return asdict(model)


def modern(parameters):
    r"""The parameters of a run or a checkpoint under the names they have today."""
    if not isinstance(parameters, dict):
        raise MiniganError(f"parameters: expected an object, got {parameters!r}")
    return {FORMERLY.get(name, name): value for name, value in parameters.items()}


def describe(model):
    r"""(name, parameters) such that `build(name, **parameters)` makes the same model."""
    names = {cls: name for name, cls in MODELS.items()}
    if type(model) not in names:
        games = ", ".join(cls.__name__ for cls in names)
        raise CheckpointError(
            f"{type(model).__name__}: only the games of this library can be saved ({games}); "
            "keep model.G.theta and model.D.theta of another with numpy.savez"
        )
    return names[type(model)], asdict(model)
