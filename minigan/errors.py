"""The errors minigan raises on purpose.

Each message is one sentence for a person: it names the argument, what was expected and
what came. The command line prints it on one line and exits with status 2.
"""


class MiniganError(ValueError):
    """Base of every error below; catch it to catch them all."""


class BackendError(MiniganError):
    """An array library is missing, has no driver, or two of them met in one call."""


class DataError(MiniganError):
    """The data, the labels or a data file cannot be used."""


class CheckpointError(MiniganError):
    """A checkpoint is truncated, is not ours, or belongs to another architecture."""


class RunError(MiniganError):
    """A run folder cannot be used as asked."""


class DivergedError(MiniganError):
    """A loss or a parameter became infinite or not a number."""
