r"""The same run on several processes, by MPI.

    mpiexec -n 4 minigan train gan --data mnist --batch-size 256

Each of k processes holds both players whole and computes the gradients of its share of every
batch. One `Allreduce` makes of them the gradients of the whole batch, and all take the same
step: k processes compute what one computes. Process 0 alone writes and speaks.

mpi4py (extra `mpi`) and the MPI library that it finds are imported where mpiexec has started
the process, and nowhere else. Where there is no such library, `pip install mpich` brings one. A
program of one's own gives `Processes` to `train`.
"""

import atexit
import contextlib
import os
import signal
import sys
import time
from dataclasses import replace

import numpy as np

from ..arrays import asarray_like, to_numpy
from ..errors import MiniganError


class Processes:
    r"""Those of a communicator of mpi4py, each with a share of every batch.

    comm : their communicator; all hold an equal model, equal data and an equal `TrainState`
    asked : a list to which a signal that asks this process to stop is appended, at any time

    In the iteration after which all are to stop, `heard` gets the signal, in every process.
    """

    def __init__(self, comm, asked=()):
        self.comm, self.asked, self.heard = comm, asked, []

    def share(self, m, *generators):
        r"""The slice of every batch of m rows that is this process's; its own generators.

        (63) Process r of k has the rows from $\lfloor mr/k \rfloor$ to
        $\lfloor m(r + 1)/k \rfloor$, without the last; any two $m_r$ differ by 1 at most.

        Raises MiniganError if there are fewer rows than processes.
        """
        r, k = self.comm.rank, self.comm.size
        if m < k:
            raise MiniganError(f"batch_size: expected a row for each of {k} processes, got {m}")
        rows = slice(m * r // k, m * (r + 1) // k)
        self.weight = (rows.stop - rows.start) / m
        return rows, *(Share(generator, m, rows) for generator in generators)

    def mean(self, record, *gradients):
        r"""The record and the gradients of the whole batch, from those of this process's rows.

        (63a) With $g_r = \frac1{m_r} \sum_i \nabla \ell_i$ over the rows i of process r,
        $\frac1m \sum_i \nabla \ell_i$ over all rows is $\sum_r \frac{m_r}{m}\,g_r$.

        So it is with the losses, and with what else is a mean over rows, times a number and
        plus a number. One Allreduce does for all of it, and for the question whether anybody
        was asked to stop.
        """
        parts = [to_numpy(each) for each in (*gradients, *record.values(), bool(self.asked))]
        own = np.hstack(parts, dtype=parts[0].dtype)
        own *= self.weight
        every = np.empty_like(own)
        self.comm.Allreduce(own, every)
        if every[-1] and not self.heard:
            self.heard.append(self.asked[0] if self.asked else signal.SIGTERM)
        *found, numbers = np.split(every[:-1], np.cumsum([g.shape[0] for g in gradients]))
        found = (asarray_like(one, like) for one, like in zip(found, gradients))
        return dict(zip(record, numbers.tolist())), *found


class Share:
    r"""A generator that draws for the whole batch, as all do, and gives one process its rows.

    So each row has the same noise, and the generator ends in the same state, whatever k is.
    """

    def __init__(self, generator, m, rows):
        self.generator, self.m, self.rows = generator, m, rows

    def __getattr__(self, name):
        draw = getattr(self.generator, name)
        return lambda size, *rest: draw((self.m, *size[1:]), *rest)[self.rows]


def launched():
    r"""(number of this process, how many there are) by mpiexec's variables; else (0, 1)."""
    for kind in ("PMI", "OMPI_COMM_WORLD"):  # of MPICH and its kin; of Open MPI
        if f"{kind}_SIZE" in os.environ:
            return tuple(int(os.environ[f"{kind}_{what}"]) for what in ("RANK", "SIZE"))
    return 0, 1


@contextlib.contextmanager
def joined(asked):
    r"""The `Processes` that mpiexec has started, or None; within, an error of one ends all.

    Raises MiniganError if mpi4py or its MPI library is missing, or is not that of mpiexec.
    """
    if launched()[1] == 1:
        yield None
        return
    try:
        from mpi4py.MPI import COMM_WORLD as comm
    except (ImportError, RuntimeError) as error:  # RuntimeError: of a library that is missing
        why = f"mpi4py cannot be used ({error}); pip install 'minigan[mpi]' mpich"
        raise MiniganError(f"mpiexec: {why}") from None
    try:
        if comm.size != launched()[1]:
            raise MiniganError("mpiexec is not that of the MPI library which mpi4py uses")
        if len(set(map(str, comm.allgather(sys.argv[1:])))) > 1 and not comm.rank:
            raise MiniganError("mpiexec: expected one command, the same for all processes")
        yield Processes(comm, asked)
    except BaseException:
        atexit.register(end_all, comm)  # once all is said
        raise


def end_all(comm):
    r"""End every process, so late that mpiexec has passed on what process 0 said last.

    What is still in the pipe to mpiexec is lost when it hears of the end first.
    """
    os.closerange(2, 3)
    time.sleep(2 if comm.rank else 1)
    comm.Abort(2)


def records(processes, *job):
    r"""`train` with the model, data, steps, batch_size and state that process 0 gives."""
    from ..training import train

    if processes:
        told = job and (job[0], replace(job[1], source=None), *job[2:])  # which has no pickle
        told = processes.comm.bcast(told)
        job = job or told
    *job, state = job
    return train(*job, state=state, processes=processes)


def work(processes):
    r"""What all processes but the first do; returns the exit status."""
    sys.stderr = sys.__stderr__  # for an error of this process alone; the others are of all
    with contextlib.suppress(MiniganError):
        for _ in records(processes):
            if processes.heard:
                break
    return 0
