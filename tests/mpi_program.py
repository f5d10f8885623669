"""What `test_mpi.py` lets mpiexec start:  python tests/mpi_program.py equal|struck …

equal DTYPE-RULE …     every game on all processes and on one: the largest differences, as JSON
struck SIGNAL FOLDER … `minigan train …`; process 1 gets the signal when FOLDER has a log
"""

import itertools
import json
import os
import sys
import threading
import time
from pathlib import Path

import numpy as np
from mpi4py.MPI import COMM_WORLD as comm

import minigan
from minigan.lab import cli
from minigan.lab.models import MODELS, build
from minigan.lab.mpi import Processes

ROWS, STEPS = 7, 200  # 7 rows are not divided by 2 or 3


def trained(name, processes, dtype, rule):
    """A small game after training, and its records."""
    rng = np.random.default_rng(5)
    data = minigan.Dataset(rng.random((50, 6)), rng.integers(0, 3, 50))
    more = {"n_classes": 3} if name.startswith("c") else {}
    more |= {"n_critic": 2} if "wgan" in name else {}
    widths = {"n_data": 6, "n_noise": 4, "G_hidden": (12, 9), "D_hidden": (9, 12)}
    model = build(name, **widths, ema_decay=0.9, lr_decay=True, dtype=dtype, **more)
    if rule == "sgd":
        rate = 1e-3 if "gp" in name else 1e-2  # a penalty of weight 10 is steep
        model.G_optimizer = minigan.SGD(rate, momentum=0.5)
        model.D_optimizer = minigan.SGD(rate, momentum=0.5)
    return model, list(minigan.train(model, data, STEPS, ROWS, 3, processes=processes))


def equal(*cases):
    """Prints {"DTYPE RULE GAME": {what: the largest difference}} for cases such as float32-sgd.

    "apart" is how many processes differ from process 0 in any bit of any θ.
    """
    minigan.WGAN.critic_steps = minigan.WGANGP.critic_steps  # a young critic's are a hundred
    found = {}
    for case, name in itertools.product(cases, MODELS):
        dtype, rule = case.split("-")
        if rule == "own" and MODELS[name].shift_invariant:
            continue  # there rounding alone is a gradient, of which such a rule makes steps
        model, records = trained(name, Processes(comm), dtype, rule)
        bits = comm.gather([p.theta.tobytes() for p in (model.G, model.D, model.G_average)])
        if comm.rank:
            continue
        alone, expected = trained(name, None, dtype, rule)
        assert [*map(list, records)] == [*map(list, expected)]
        pairs = [(a[key], b[key]) for a, b in zip(records, expected) for key in b]
        far = {"record": max(abs(a - b) / (1 + abs(b)) for a, b in pairs)}
        for player in ("G", "D", "G_average"):
            one, other = (getattr(game, player).theta for game in (model, alone))
            far[player] = float(abs(one - other).max())
        found[f"{dtype} {rule} {name}"] = far | {"apart": sum(b != bits[0] for b in bits)}
    if not comm.rank:
        print(json.dumps(found))


def struck(number, folder, *words):
    """A command of minigan, one process of which gets a signal in the middle."""

    def strike():
        while not (Path(folder) / "metrics.csv").is_file():
            time.sleep(0.02)
        os.kill(os.getpid(), int(number))

    if comm.rank == 1:
        threading.Thread(target=strike, daemon=True).start()
    sys.exit(cli.main([*words, "--out", folder]))


if __name__ == "__main__":
    {"equal": equal, "struck": struck}[sys.argv[1]](*sys.argv[2:])
