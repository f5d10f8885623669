"""The games by name, and how to build one from a plain dictionary, as in a checkpoint."""

from dataclasses import asdict, fields

from ..cgan import CGAN
from ..errors import CheckpointError, MiniganError
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

# The targets of the Pearson χ² divergence. With a = 0 and b = c = 1 D wins against our small
# networks within a thousand steps on pictures, and no digit is ever drawn.
CHI_SQUARED = {"a": -1.0, "b": 1.0, "c": 0.0, "D_lr": 5e-4, "ema_decay": 0.999}
# What `minigan train MODEL` does when it is not told otherwise: on pictures …
RECIPES: dict = {
    "gan": {"steps": 12000, "batch_size": 64, "ema_decay": 0.999},
    "cgan": {"steps": 14000, "batch_size": 64},
    "wgan": {"steps": 4000, "batch_size": 64},
    "wgan-gp": {"steps": 4000, "batch_size": 64},
    "lsgan": {"steps": 8000, "batch_size": 64} | CHI_SQUARED,
    "r3gan": {"steps": 12000, "batch_size": 64},
    "cwgan": {"steps": 4000, "batch_size": 64},
    "cwgan-gp": {"steps": 4000, "batch_size": 64},
    "clsgan": {"steps": 12000, "batch_size": 64} | CHI_SQUARED,
    "cr3gan": {"steps": 12000, "batch_size": 64},
}
# … by convolutions, whose iterations take longer and do more …
CONV = {"G_hidden": (128,), "D_hidden": (128,)}
FOR_CONV: dict = {
    "gan": {"steps": 10000},
    "wgan": {"steps": 2000},
    "wgan-gp": {"steps": 2000},
    "lsgan": {"steps": 8000},
    "r3gan": {"steps": 22000, "gamma": 0.3, "lr": 2e-3, "D_lr": 2e-3},
}
# … which three digits at once keep busy longer …
STACKED = {"steps": 48000, "G_hidden": (256,), "D_hidden": (256,)}
# … and on the points of a mixture, where a sample is right only within three hundredths of a
# radius: networks without smooth slopes, rates that fall to zero, and averaged weights.
POINTS = {"n_noise": 2, "slope": 0.0, "G_hidden": (128,) * 4, "D_hidden": (128,) * 3}
POINTS |= {"lr_decay": True, "ema_decay": 0.999, "batch_size": 256}
RATE = {"lr": 2.5e-3, "D_lr": 2.5e-3}
FOR_POINTS = {
    "gan": {"steps": 20000, "batch_size": 512, "real_label": 1.0, "lr": 1e-3, "D_lr": 1e-3},
    "wgan": {"steps": 10000, "batch_size": 128, "clip": 0.1, "ema_decay": 0.0},
    "wgan-gp": {"steps": 15000, "penalty_weight": 0.3, "n_critic": 2} | RATE,
    "lsgan": {"steps": 20000, "lr": 1e-3, "D_lr": 1e-3},
    "r3gan": {"steps": 15000, "gamma": 0.015} | RATE,
}
DATA = ("mnist5k", "mnist", "stacked", "ring", "grid")  # by name
MIXTURES = {"ring": {}, "grid": {"steps": 25000}}


def recipe(name, data, network="mlp"):
    r"""What is done with that model on those data: steps, batch_size and model parameters."""
    if data not in MIXTURES:
        own = CONV | FOR_CONV[name.removeprefix("c")] if network == "conv" else {}
        if own and data == "stacked":
            own |= STACKED
        return RECIPES[name] | own
    return POINTS | FOR_POINTS[name.removeprefix("c")] | MIXTURES[data]


FROM_DATA = ("n_data", "image_shape", "output", "shift", "scale")  # which the data decide
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
