"""How many seconds of training until the samples are good: minigan and the frameworks.

All train the default GAN (minigan train gan: reference networks, 64 rows, Adam with 0.001 for
G and 0.0003 for D) on the 5,000 shipped digits, from the same initial weights. As in
bench_step.py, each runs in a process of its own on one core and is called once an iteration.
The time is that of the training, with compilation and without imports. It does not contain the
comparison of 5,000 samples with the digits, every 250 iterations, by the Frechet distance in
the features of minigan's classifier (about 1 between two halves of the genuine digits). The
noise differs from one contender to the other, and the time with it; hence several seeds.

examples:
  python benchmarks/time_to_quality.py
  python benchmarks/time_to_quality.py --only minigan "JAX jit" --seeds 0 --threshold 60
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

NAMES = ["minigan", "minigan[fast]", "JAX jit", "PyTorch fused Adam"]
LOOK_EVERY, MOST, SAMPLES = 250, 12_000, 5000


def train(name, seed, threshold):
    """(seconds, iterations, distance) when the distance first passes, or at the end."""
    import numpy as np
    from contenders import CONTENDERS, N_NOISE, Job, numbers

    import minigan
    from minigan.lab.classifier import Classifier
    from minigan.lab.metrics import frechet_distance

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    digits = minigan.load("mnist5k")
    job = Job(lr=1e-3, D_lr=3e-4, seed=seed, data=digits.x)
    judge = Classifier(digits, cache=True)
    genuine = judge.features(digits.x)
    judged = minigan.GAN()
    z = numbers(5).standard_normal((SAMPLES, N_NOISE), np.float32)
    seconds, step, distance, contender = 0.0, 0, float("inf"), CONTENDERS[name](job)
    while distance > threshold and step < MOST:
        begun = time.perf_counter()
        for _ in range(LOOK_EVERY):
            contender.step(*contender.draw())
        judged.G.theta[...] = contender.thetas()[0]
        seconds, step = seconds + time.perf_counter() - begun, step + LOOK_EVERY
        distance = frechet_distance(judge.features(judged.generate(z)), genuine)
    return seconds, step, distance


def main():
    about, _, examples = __doc__.partition("\nexamples:")
    parser = argparse.ArgumentParser(
        description=about,
        epilog="examples:" + examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="NAME")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threshold", type=float, default=40.0, help="Frechet distance")
    parser.add_argument("--one", nargs=2, metavar=("NAME", "SEED"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(train(args.one[0], int(args.one[1]), args.threshold)))
        return
    print(f"| until {args.threshold:g} | seconds | iterations | each seed's seconds |")
    print("|---|---|---|---|", flush=True)
    environment = os.environ | {f"{v}_NUM_THREADS": "1" for v in ("OPENBLAS", "OMP", "MKL")}
    environment |= {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}
    for name in args.only:
        runs = []
        for seed in args.seeds:
            command = [sys.executable, __file__, "--threshold", str(args.threshold)]
            command += ["--one", name, str(seed)]
            run = subprocess.run(command, env=environment, capture_output=True, text=True)
            if run.returncode:
                print(f"| {name} | missing: {run.stderr.strip().splitlines()[-1]} | | |")
                break
            runs.append(json.loads(run.stdout.splitlines()[-1]))
        else:
            seconds, steps, distances = zip(*runs)
            each = ", ".join(
                f"{s:.1f}" if d <= args.threshold else f"over {s:.1f}" for s, _, d in runs
            )
            middle = statistics.median(seconds), statistics.median(steps)
            print(f"| {name} | {middle[0]:.1f} | {middle[1]:.0f} | {each} |", flush=True)


if __name__ == "__main__":
    main()
