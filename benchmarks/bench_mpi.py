r"""How long an iteration takes on several processes, and which part of it is spent waiting.

The processes that mpiexec starts train the GAN of the given width, in float32 with Adam, each
on a core of its own with one thread: one alone, without MPI, then two together, then four.
An iteration of a process has three parts:

| part | from | to |
|---|---|---|
| computing | the last Allreduce | this one: the gradients of m/k rows, and the step |
| waiting | this process is at the Allreduce | the last one is |
| exchange | the last one is at the Allreduce | all have the sum |

The processes that have no part in it sleep. Every round times each number of processes once,
one after another. What is printed is the fastest round of each, since other work on a machine
only adds to a time; "as fast" is the quotient of the fastest, and in brackets the median of
the rounds' own quotients. Processes that share cores (marked *) wait for each other's, which
says nothing of more machines. The latency is the time of an Allreduce of one number.

examples:
  mpiexec -n 2 python benchmarks/bench_mpi.py
  mpiexec -n 2 python benchmarks/bench_mpi.py -m 32 64 128 256 512 1024 --rounds 9
  mpiexec -n 4 python benchmarks/bench_mpi.py -m 256 --width 128
"""

import argparse
import itertools
import os
import statistics
import time

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from mpi4py.MPI import COMM_WORLD as EVERY

import minigan
from minigan.lab.mpi import Processes

CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


class Timed:
    """A communicator that notes when each Allreduce began and ended, and what it moved."""

    def __init__(self, comm):
        self.comm, self.rank, self.size, self.times = comm, comm.rank, comm.size, []

    def Allreduce(self, own, every):
        begun = time.perf_counter()
        self.comm.Allreduce(own, every)
        self.times.append((begun, time.perf_counter()))
        self.bytes = own.nbytes

    def latency(self):
        """Seconds of an Allreduce of one number."""
        one = np.zeros(1)
        for _ in range(200):
            self.Allreduce(one, one + 0)
        return statistics.median(end - begun for begun, end in self.times[-100:])


def sleep_until_all_are_here():
    """A barrier at which nobody keeps a core busy."""
    request = EVERY.Ibarrier()
    while not request.Test():
        time.sleep(0.002)


class Team:
    """The first k processes in training; the others have `records` of None."""

    def __init__(self, k, m, width):
        comm, self.records = EVERY.Split(int(k > EVERY.rank), EVERY.rank), None
        if k > EVERY.rank:
            self.comm = Timed(comm)
            self.latency = self.comm.latency() if k > 1 else 0.0
            model = minigan.GAN(G_hidden=(width, width), D_hidden=(width, width))
            x = np.random.default_rng(0).random((2 * m, 784), "float32")
            processes = Processes(self.comm) if k > 1 else None
            self.records = minigan.train(model, x, 10**9, m, processes=processes)
            self.run(2)  # in which loops are compiled

    def run(self, iterations):
        """{part: its median time} in process 0, of whatever the slowest process needed."""
        self.comm.times, begun = [], time.perf_counter()
        for _ in itertools.islice(self.records, iterations):
            pass
        whole = (time.perf_counter() - begun) / iterations
        inside = np.array([end - begun for begun, end in self.comm.times] or [0.0])
        wholes, insides = self.comm.comm.gather(whole), self.comm.comm.gather(inside)
        if not self.comm.rank:
            exchange = float(np.median(np.min(insides, axis=0)))
            within = float(np.median(np.mean(insides, axis=0)))
            return {
                "whole": max(wholes),
                "computing": statistics.mean(wholes) - float(np.mean(insides)),
                "waiting": within - exchange,
                "exchange": exchange,
            }


def measured(m, width, rounds, iterations):
    """[{k: parts}] of each round, and {k: Team}, in process 0."""
    ks = [k for k in (1, 2, 4, 8, 16, 32, 64) if k <= EVERY.size]
    teams = {k: Team(k, m, width) for k in ks}
    found = []
    for _ in range(rounds):
        found.append({})
        for k, team in teams.items():
            sleep_until_all_are_here()
            if team.records:
                found[-1][k] = team.run(iterations)
    sleep_until_all_are_here()
    return found, teams


def show(m, found, teams):
    """The lines of one batch size."""
    for k, team in teams.items():
        parts = min((f[k] for f in found), key=lambda one: one["whole"])
        times = " | ".join(f"{1e3 * part:.1f}" for part in parts.values())
        middle = statistics.median(f[1]["whole"] / f[k]["whole"] for f in found)
        faster = f"{min(f[1]['whole'] for f in found) / parts['whole']:.2f} ({middle:.2f})"
        sent, star = getattr(team.comm, "bytes", 0) / 1e6, "*" * (k > len(CORES or [0]))
        latency = f"{1e6 * team.latency:.1f}"
        print(f"| {m} | {k}{star} | {times} | {sent:.2f} | {latency} | {faster} |", flush=True)


def main():
    """Measure and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-m", type=int, nargs="+", default=[64, 256, 1024], help="rows")
    parser.add_argument("--width", type=int, default=1024, help="of each hidden layer")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--iterations", type=int, default=4, help="of a round")
    args = parser.parse_args()
    if CORES:
        os.sched_setaffinity(0, {CORES[EVERY.rank % len(CORES)]})
    if not EVERY.rank:
        print("times in ms, the latency in µs")
        print("| m | k | iteration | computing | waiting | exchange | MB | latency | as fast |")
        print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for m in args.m:
        found, teams = measured(m, args.width, args.rounds, args.iterations)
        if not EVERY.rank:
            show(m, found, teams)


if __name__ == "__main__":
    main()
