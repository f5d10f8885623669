"""minigan: generative adversarial networks in NumPy, every gradient derived by hand.

The modules of this folder are the book, to be read from `arrays` to `training`; those of
`minigan.lab` run around it: data sets, run folders, pictures, measures, the command line.
"""

from .lab import signals as _signals  # first: Ctrl-C may come while NumPy is imported

# isort: split
from .arrays import array_namespace, asarray_like, backend, to_numpy
from .cgan import CGAN, conditional
from .conv import Conv, ConvTranspose
from .data import Batches, Dataset
from .dcgan import NETWORKS
from .errors import (
    BackendError,
    CheckpointError,
    DataError,
    DivergedError,
    MiniganError,
    RunError,
)
from .gan import GAN
from .lab.checkpoint import load_checkpoint, save_checkpoint
from .lab.loaders import load
from .lab.notebook import fit, plot, show
from .layers import Dense, Layer, LeakyReLU, Sigmoid
from .losses import (
    bce_with_logits,
    least_squares,
    relativistic,
    softmax_cross_entropy,
    wasserstein,
)
from .lsgan import CLSGAN, LSGAN
from .network import Network, mlp
from .optim import SGD, Adam, RMSProp
from .penalty import CWGANGP, WGANGP, gradient_penalty, zero_centred_penalty
from .r3gan import CR3GAN, R3GAN
from .training import TrainState, keep_heap, train
from .wgan import CWGAN, WGAN

__version__ = "0.2.0"
