r"""What each command does; `cli` says how it is called."""

from pathlib import Path

import numpy as np

from ..errors import MiniganError, RunError
from .folder import OWN
from .session import load_data


def sample_command(args):
    r"""`minigan sample`: draw from a run's checkpoint into a picture or an .npz file."""
    from .files import write_whole
    from .plots import samples_png
    from .run import Run

    output = Path(args.output)
    if output.suffix not in (".png", ".npz"):
        raise RunError(f"-o: expected a name ending in .png or .npz, got {args.output}")
    run = Run.open(args.run)
    refuse_own(output, run)
    model, state = run.read()
    x, extra = draw(run.config, model, args)
    if output.suffix == ".npz":
        write_whole(output, lambda file: np.savez(file, x=x, **extra))
    else:
        shape = run.config.image_shape or None
        behind = None if shape else load_data(run.config).x
        picture = samples_png(x, shape, min(len(x), 10), behind, scale=2)
        write_whole(output, lambda file: file.write(picture))
    return 0


def draw(config, model, args):
    r"""(samples, what else is known of them) as the options ask."""
    if not model.n_condition:
        if args.labels:
            raise RunError(f"--labels: {args.run} is not conditional")
        return model.sample(100 if args.n is None else args.n, args.seed), {}
    values = np.array(config.classes or range(model.n_condition))
    asked = np.array(labels_of(args.labels, config, values) if args.labels else values)
    n = args.n if args.n is not None else (len(args.labels) if args.labels else 100)
    n = model.check_sample(n)
    x = model.sample(n, args.seed, np.searchsorted(values, asked))
    return x, {"labels": np.resize(asked, n)}


def labels_of(asked, config, values):
    r"""The values of the labels that are asked for by value or by name."""
    known = dict(zip(config.class_names, values.tolist()))
    if not known:
        known = {str(value): value for value in values.tolist()}
    elif len(known) == len(values):
        known = {str(value): value for value in values.tolist()} | known
    asked = [label.lstrip("0") or "0" if label.isdecimal() else label for label in asked]
    wrong = [label for label in asked if label not in known]
    if wrong:
        names = config.class_names
        held = ", ".join(names[:10]) + ", …" * (len(names) > 10)
        held = held or f"{values[0]} to {values[-1]}"
        raise RunError(f"--labels: expected classes of the run, {held}, got {wrong[0]}")
    return [known[label] for label in asked]


def evaluate_command(args):
    r"""`minigan evaluate`: print the table of a run and write it to its metrics.json."""
    from ..training import keep_heap
    from .evaluate import evaluate, table
    from .run import Run, restore, write_measures

    run = Run.open(args.run)
    model, state = run.read()
    data = load_data(run.config, args.data, args.data_dir)
    keep_heap()
    about = {"run": run.folder.resolve().name, "model": run.config.model, "step": state.step}
    measures = about | evaluate(model, data, args.n, args.seed)
    print(table(measures))
    write_measures(run, measures)
    restore(run.folder, model, state, data)
    return 0


def compare_command(args):
    r"""`minigan compare`: some runs side by side on one page, like each one's report.html."""
    from .files import read_bytes, write_whole
    from .report import MARK, Source, page
    from .run import Run

    output = Path(args.output)
    if output.suffix != ".html":
        raise RunError(f"-o: expected a name ending in .html, got {args.output}")
    if len(args.runs) < 2:
        raise RunError("expected two runs or more; one has a report.html of its own")
    if output.exists() and MARK not in read_bytes(output, 2**30):
        raise RunError(f"-o: {output} was not written by minigan; choose another name")
    runs = [(Run.open(folder), folder) for folder in args.runs]
    for run, _ in runs:
        refuse_own(output, run)
    content = page([Source(run.folder, folder, run.config) for run, folder in runs])
    write_whole(output, lambda file: file.write(content))
    print(f"open {output}")
    return 0


def refuse_own(output, run):
    r"""Raises RunError if a file that is to be written is one of the run's own."""
    if output.name in OWN and output.parent.resolve() == run.folder.resolve():
        raise RunError(f"-o: {output} belongs to the run itself; choose another name")


def download_command(args):
    r"""`minigan download`: the full MNIST, verified."""
    from .download import download_mnist

    print(f"MNIST is in {download_mnist(args.to, args.url)}")
    return 0


def gradcheck_command(args):
    r"""`minigan gradcheck`: print the table; the exit status is 1 if a proof failed."""
    from . import exact
    from .proofs import proofs, table

    if args.exact:
        if args.backend or args.dtype:
            raise MiniganError("--exact: runs on fractions; leave out --dtype and --backend")
        equal = exact.exact_proofs()
        print("what is rational in minigan, on exact fractions, by its own lines\n")
        print("\n".join(exact.table(equal)))
        return int(not all(proof.passed for proof in equal))
    args.dtype = args.dtype or "float64"
    proven = proofs(args.dtype, args.backend)
    how = "by forward passes alone" if args.dtype == "float64" else "by the same in float64"
    print(f"every derivative of minigan in {args.dtype}, measured {how}\n")
    print("\n".join(table(proven)))
    return int(not all(proof.check.passed for proof in proven))


def book_command(args):
    r"""`minigan book`: serve the built book until Ctrl-C."""
    from .serve import serve

    serve(args.folder, args.port, args.open)
    return 0
