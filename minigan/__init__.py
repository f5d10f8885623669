"""minigan: generative adversarial networks in NumPy, every gradient derived by hand."""

from .backend import asarray_like, backend, keep_heap, to_numpy
from .cgan import CGAN, conditional
from .checkpoint import load_checkpoint, save_checkpoint
from .data import Dataset, load
from .errors import (
    BackendError,
    CheckpointError,
    DataError,
    DivergedError,
    MiniganError,
    RunError,
)
from .gan import GAN
from .layers import Dense, LeakyReLU, Sigmoid
from .losses import bce_with_logits, least_squares, wasserstein
from .lsgan import LSGAN
from .network import Network, mlp
from .optim import SGD, Adam, RMSProp
from .penalty import WGANGP, gradient_penalty
from .train import TrainState, train
from .version import __version__
from .wgan import WGAN
