r"""The same run on several processes, by MPI.

    mpiexec -n 4 minigan train gan --data mnist --batch-size 256

Each of k processes holds both players whole, and a share of every batch. Each computes the
gradients of its own rows, one `Allreduce` turns them into those of the whole batch, and all
take the same step; so k processes compute what one computes. Process 0 alone writes and speaks.

mpi4py and an MPI library (`pip install 'minigan[mpi]'`) are imported if mpiexec has started
this process, and not otherwise. A program of one's own passes `Processes` to `train`.
"""

import atexit
import contextlib
import os
import signal
import sys
from dataclasses import replace

import numpy as np

from ..arrays import asarray_like, to_numpy
from ..data import Dataset
from ..errors import DivergedError, MiniganError

INSTALL = "pip install 'minigan[mpi]'"


class Processes:
    r"""Those of an mpi4py communicator, each with a share of every batch.

    comm : the communicator; its processes hold equal models, data and `TrainState`s
    asked : a list to which a signal to stop is appended, at any time

    `heard` holds the signal after the iteration in which any process was asked: all have then
    heard of it, in the same iteration.
    """

    def __init__(self, comm, asked=()):
        self.comm, self.asked, self.heard = comm, asked, []

    def share(self, m, *generators):
        r"""The slice of a batch of m rows that is this process's, and its own generators.

        (99) $m_r = \lfloor m(r+1)/k \rfloor - \lfloor mr/k \rfloor$: shares of process
        r = 0, …, k − 1 differ by one row at most, and k need not divide m.

        Raises MiniganError if there are fewer rows than processes.
        """
        r, k = self.comm.rank, self.comm.size
        if m < k:
            raise MiniganError(f"batch_size: expected a row for each of {k} processes, got {m}")
        rows = slice(m * r // k, m * (r + 1) // k)
        self.weight = (rows.stop - rows.start) / m
        return rows, *(Share(generator, m, rows) for generator in generators)

    def mean(self, record, gradients):
        r"""The record and the gradients of the whole batch, from those of all shares.

        (99a) $g = \sum_r \frac{m_r}{m}\,g_r$, since $g_r = \frac1{m_r}\sum_i \nabla\ell_i$ over
        the rows of process r. So are the losses, and whatever a record holds that is a mean
        over rows, plus or times a constant.

        One Allreduce does for all of it, and for whether a process was asked to stop.
        """
        numbers = np.stack([to_numpy(value) for value in record.values()])
        own = np.concatenate([*map(to_numpy, gradients), numbers, np.zeros(1, numbers.dtype)])
        own *= self.weight
        own[-1] = bool(self.asked)
        every = np.empty_like(own)
        self.comm.Allreduce(own, every)
        if every[-1] and not self.heard:
            self.heard.append(self.asked[0] if self.asked else signal.SIGTERM)
        sizes = [gradient.shape[0] for gradient in gradients]
        *found, numbers = np.split(every[:-1], np.cumsum(sizes))
        found = [asarray_like(part, like) for part, like in zip(found, gradients)]
        return dict(zip(record, numbers.tolist())), *found


class Share:
    r"""A generator that draws for the whole batch, as all do, and gives one's own rows.

    So row i has the same noise, and the generator the same state, whatever k is.
    """

    def __init__(self, generator, m, rows):
        self.generator, self.m, self.rows = generator, m, rows

    def __getattr__(self, name):
        draw = getattr(self.generator, name)
        return lambda size, *rest: draw((self.m, *size[1:]), *rest)[self.rows]


def launched():
    r"""(number of this process, how many there are) as mpiexec tells it; without it (0, 1)."""
    for kind in ("PMI", "OMPI_COMM_WORLD"):  # of MPICH and its kin, and of Open MPI
        if f"{kind}_SIZE" in os.environ:
            return tuple(int(os.environ[f"{kind}_{what}"]) for what in ("RANK", "SIZE"))
    return 0, 1


@contextlib.contextmanager
def joined(asked):
    r"""The `Processes` that mpiexec has started, or None; an error in one of them ends all.

    Raises MiniganError where mpi4py, an MPI library or the one of this mpiexec is missing.
    """
    size = launched()[1]
    if size == 1:
        yield None
        return
    try:
        from mpi4py.MPI import COMM_WORLD as comm
    except (ImportError, RuntimeError) as error:  # RuntimeError: there is no MPI library
        raise MiniganError(f"mpiexec: mpi4py cannot be used ({error}); {INSTALL}") from None
    if comm.size != size:
        raise MiniganError(
            f"mpiexec started {size} processes, but the MPI library that mpi4py uses knows of "
            f"{comm.size}; use the mpiexec of that library"
        )
    try:
        if len(set(map(tuple, comm.allgather(sys.argv[1:])))) > 1:
            raise MiniganError("mpiexec: expected one command for all processes, got several")
        yield Processes(comm, asked)
    except BaseException:
        atexit.register(end_all, comm)  # at exit, since why is yet to be said
        raise


def end_all(comm):
    r"""End every process, wherever it is; MPI itself has nothing to say."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    comm.Abort(2)


def records(processes, *job):
    r"""`train` for the job of process 0: (model, data, steps, batch_size, state)."""
    from ..training import train

    if processes:  # where a row of the data came from is of no use elsewhere
        sent = [replace(each, source=None) if type(each) is Dataset else each for each in job]
        told = processes.comm.bcast(sent)
        job = job or told
    *job, state = job
    return train(*job, state=state, processes=processes)


def work(processes):
    r"""The part of any process but the first; returns the exit status."""
    try:
        for _ in records(processes):
            if processes.heard:
                return 128 + processes.heard[0]
    except DivergedError:  # everywhere at once; process 0 says so
        return 2
    except Exception as error:
        with contextlib.suppress(OSError):
            os.write(2, f"minigan: process {processes.comm.rank}: {error}\n".encode())
        raise
    return 0
