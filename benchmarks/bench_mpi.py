r"""How long an iteration takes on several processes, and which part of it is spent waiting.

One process without MPI, and k processes by mpiexec, train the GAN of the given width in float32
with Adam, each process on one core with one thread. An iteration of process r has three parts:

| part | from | to |
|---|---|---|
| computing | the last Allreduce | this one: the gradients of m/k rows, and the step |
| waiting | process r is at the Allreduce | the last process is |
| exchange | the last process is | all have the sum: of the processes, the shortest time in it |

In a round one number of processes is timed after another. Every time is the median over the
iterations, and then over the rounds; a ratio is taken within its round. With more processes
than cores (marked *) they wait for each other's cores, which says nothing of more machines.

The comment under a line is the time of an Allreduce of one number, the latency of the cost
model that the page on several processes derives.

examples:
  python benchmarks/bench_mpi.py
  python benchmarks/bench_mpi.py -k 1 2 -m 1024 --width 1024 --rounds 5
  python benchmarks/bench_mpi.py -m 64 256 1024 --width 128
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = os.cpu_count() if not hasattr(os, "sched_getaffinity") else len(os.sched_getaffinity(0))
MPIEXEC = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")


class Timed:
    """A communicator that notes when each Allreduce began and ended, and what it moved."""

    def __init__(self, comm):
        self.comm, self.rank, self.size, self.times = comm, comm.rank, comm.size, []

    def Allreduce(self, own, every):
        begun = time.perf_counter()
        self.comm.Allreduce(own, every)
        self.times.append((begun, time.perf_counter()))
        self.bytes = own.nbytes


def worker(k, m, width, iterations):
    """One process of k: process 0 prints the parts of an iteration as JSON."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        rank = int(os.environ.get("PMI_RANK", os.environ.get("OMPI_COMM_WORLD_RANK", 0)))
        os.sched_setaffinity(0, {cores[rank % len(cores)]})
    import numpy as np

    import minigan
    from minigan.lab.mpi import Processes

    processes, small = None, []
    if k > 1:
        from mpi4py.MPI import COMM_WORLD

        comm = Timed(COMM_WORLD)
        processes, one = Processes(comm), np.zeros(1)
        for _ in range(200):
            comm.Allreduce(one, one + 0)
        small, comm.times = [end - begun for begun, end in comm.times[100:]], []
    model = minigan.GAN(G_hidden=(width, width), D_hidden=(width, width))
    x = np.random.default_rng(0).random((4 * m, 784), "float32")
    ends = [time.perf_counter()]
    for _ in minigan.train(model, x, iterations + 2, m, processes=processes):
        ends.append(time.perf_counter())
    whole = np.diff(ends)[2:]  # the first iterations compile
    if not processes:
        print(json.dumps({"whole": float(np.median(whole)), "bytes": 0}))
        return
    within = np.diff(np.array(comm.times)[2:])[:, 0]
    every, inside = np.array(COMM_WORLD.gather(whole)), np.array(COMM_WORLD.gather(within))
    if not comm.rank:
        parts = {"whole": every.max(0), "computing": every.mean(0) - inside.mean(0)}
        parts |= {"exchange": inside.min(0), "waiting": inside.mean(0) - inside.min(0)}
        found = {name: float(np.median(part)) for name, part in parts.items()}
        print(json.dumps(found | {"bytes": comm.bytes, "small": float(np.median(small))}))


def measure(k, m, width, iterations):
    """What the worker's process 0 finds."""
    command = [sys.executable, __file__, "--worker", *map(str, (k, m, width, iterations))]
    command = command if k == 1 else [MPIEXEC, "-n", str(k), *command]
    env = os.environ | dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    return json.loads(subprocess.run(command, env=env, check=True, capture_output=True).stdout)


def main():
    """Measure and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-k", type=int, nargs="+", default=[1, 2, 4], help="processes")
    parser.add_argument("-m", type=int, nargs="+", default=[64, 256, 1024], help="rows")
    parser.add_argument("--width", type=int, default=1024, help="of each hidden layer")
    parser.add_argument("--iterations", type=int, default=10, help="of a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--worker", type=int, nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        worker(*args.worker)
        return
    if not MPIEXEC:
        parser.error("mpiexec is not here; pip install mpi4py mpich")
    print(f"{HERE} cores; times in ms; the processes with * share cores")
    print("| m | k | iteration | computing | waiting | exchange | MB sent | times as fast |")
    print("|---|---|---|---|---|---|---|---|")
    for m in args.m:
        rounds = [
            {k: measure(k, m, args.width, args.iterations) for k in args.k}
            for _ in range(args.rounds)
        ]
        for k in args.k:
            show(m, k, rounds)


def show(m, k, rounds):
    """A line of the table: medians over the rounds, each ratio taken within its round."""
    middle = {name: statistics.median(r[k][name] for r in rounds) for name in rounds[0][k]}
    parts = [middle.get(name, 0) for name in ("computing", "waiting", "exchange")]
    parts[0] = parts[0] or middle["whole"]
    times = " | ".join(f"{1e3 * part:.1f}" for part in (middle["whole"], *parts))
    faster = statistics.median(r[min(r)]["whole"] / r[k]["whole"] for r in rounds)
    star = "*" * (k > HERE)
    print(f"| {m} | {k}{star} | {times} | {middle['bytes'] / 1e6:.2f} | {faster:.2f} |")
    if "small" in middle:
        print(f"<!-- an Allreduce of one number: {1e6 * middle['small']:.1f} us -->")


if __name__ == "__main__":
    main()
