"""k processes of mpiexec compute what one computes, speak as one, and end as one."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import minigan
from minigan import MiniganError, load_checkpoint
from minigan.lab.models import MODELS
from minigan.lab.mpi import Processes
from minigan.wgan import Wasserstein

PROGRAM = str(Path(__file__).with_name("mpi_program.py"))
MINIGAN = [sys.executable, "-m", "minigan"]
SIZE = ["--data", "ring", "--G-hidden", "8", "--D-hidden", "8", "--batch-size", "10", "--quiet"]
TRAIN = ["train", "gan", *SIZE, "--ema-decay", "0.9", "--no-lr-decay"]
LONG = [*TRAIN, "--steps", "1000000"]
MPIEXEC = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
absent = [] if importlib.util.find_spec("mpi4py") else ["mpi4py"]
absent += [] if MPIEXEC else ["mpiexec"]
with_mpi = pytest.mark.skipif(
    bool(absent), reason=f"without {' and '.join(absent)}; pip install mpi4py mpich"
)


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """An empty folder, in which minigan can be imported."""
    paths = [Path(minigan.__file__).parents[1], *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, paths)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def start(k, *command):
    return subprocess.Popen(
        [MPIEXEC, "-n", str(k), *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def end(process):
    """(exit status, stdout, stderr) without what mpiexec itself says."""
    texts = (text.decode().splitlines() for text in process.communicate(timeout=300))
    out, err = ([t for t in text if t and not t.startswith("[mpiexec@")] for text in texts)
    return process.returncode, out, err


def run(k, *command):
    return end(start(k, *command))


def wait_for(path, process):
    while not Path(path).is_file():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def thetas(folder):
    model, _ = load_checkpoint(Path(folder) / "checkpoint.npz")
    return np.concatenate([model.G.theta, model.D.theta, model.G_average.theta])


# ---- the mathematics, without MPI ----


class Recorder:
    """A communicator that is one of k, and keeps what it is given to add."""

    def __init__(self, rank, size):
        self.rank, self.size = rank, size

    def Allreduce(self, own, every):
        self.own, every[...] = own.copy(), own


def test_eq63_the_shares_are_all_rows_once_and_as_equal_as_can_be():
    for k in range(1, 9):
        for m in range(k, 40):
            shares = [Processes(Recorder(r, k)).share(m)[0] for r in range(k)]
            rows = [list(range(m))[share] for share in shares]
            assert sum(rows, []) == list(range(m))
            assert {len(own) for own in rows} <= {m // k, -(-m // k)}


def test_fewer_rows_than_processes_are_refused():
    with pytest.raises(MiniganError, match="a row for each of 4 processes, got 3"):
        Processes(Recorder(0, 4)).share(3)


def test_eq63a_the_weighted_sum_of_the_means_is_the_mean_of_all_rows():
    m, k, rows = 11, 4, np.random.default_rng(0).integers(-99, 99, (11, 3))
    total = 0
    for r in range(k):
        processes = Processes(Recorder(r, k))
        own = rows[processes.share(m)[0]]
        given = {"loss_D": own[:, 2].mean()}, own[:, :1].mean(0), own[:, 1:2].mean(0)
        record, a, b = processes.mean(*given)
        assert (list(record), a.shape, b.shape) == (["loss_D"], (1,), (1,))
        total = total + processes.comm.own
    expected = [float(Fraction(int(column.sum()), m)) for column in rows.T]
    assert total == pytest.approx([*expected, 0.0], rel=1e-14)


def test_gradients_of_any_library_come_back_to_it(lib):
    processes = Processes(Recorder(0, 1))
    processes.share(5)
    given = lib.array([1.0, 2.0], "float32"), lib.array([3.0], "float32")
    record, *found = processes.mean({"loss_G": given[1][0]}, *given)
    assert record == {"loss_G": 3.0}
    for one, other in zip(given, found):
        assert (type(one), one.dtype, one.shape) == (type(other), other.dtype, other.shape)
        assert [float(a) for a in one] == [float(b) for b in other]


def test_a_number_of_the_record_in_double_precision_does_not_widen_the_gradients():
    processes = Processes(Recorder(0, 1))
    processes.share(5)
    assert processes.mean({"loss_D": 1.0}, np.ones(2, "f"))[1].dtype == np.float32


@pytest.mark.parametrize("name", MODELS)
def test_one_process_of_many_draws_its_rows_of_the_same_numbers(name, monkeypatch):
    """Three processes in turn see together the rows, labels and noise that one sees."""
    monkeypatch.setattr(minigan.WGAN, "critic_steps", Wasserstein.critic_steps)
    cls = type("Watched", (MODELS[name],), {"penalty": lambda *args: None, "gamma": 0.0})
    data = minigan.load("ring")

    def seen(processes):
        own = {"n_classes": 8} if name.startswith("c") else {}
        model, found = cls(n_data=2, n_noise=3, output="linear", **own), []

        def update(x, z, c, rng):
            eps = rng.random((x.shape[0], 1), "float32")
            found.append(np.hstack([x, z, eps] if c is None else [x, c, z, eps]))
            return {"loss_D": 0.0}

        model.update, model.D_update = update, lambda x, x_fake, c, rng: {}
        list(minigan.train(model, data, 3, 8, processes=processes))
        return np.array(found) if processes is None else found

    shares = [seen(Processes(Recorder(r, 3))) for r in range(3)]
    together = [np.concatenate(rows) for rows in zip(*shares)]
    np.testing.assert_array_equal(together, seen(None))


def test_training_alone_afterwards_is_training_alone():
    model = minigan.GAN(n_data=2, n_noise=2, output="linear")
    x = np.zeros((8, 2), "f")
    minigan.train(model, x, 1, 8, processes=Processes(Recorder(0, 2)))
    assert model.processes
    list(minigan.train(model, x, 1, 8))
    assert model.processes is None


# ---- k processes compute what one computes ----


@with_mpi
@pytest.mark.parametrize(
    ("k", "case"),
    [(2, "float32-sgd"), (3, "float64-sgd"), (2, "float64-own"), (3, "float32-own")],
)
def test_every_game_is_the_same_on_k_processes_to_rounding(k, case):
    """After 200 iterations on 7 rows, by a step that is proportional to the gradient, or by the
    game's own rule.
    """
    status, out, err = run(k, sys.executable, PROGRAM, "equal", case)
    assert (status, err) == (0, [])
    found = json.loads(out[0])
    assert len(found) == (len(MODELS) if case.endswith("sgd") else 4)
    for name, far in found.items():
        assert far.pop("apart") == 0, name
        assert max(far.values()) < (1e-6 if case.startswith("float32") else 1e-13), (name, far)


@with_mpi
def test_a_run_goes_on_with_another_number_of_processes(place):
    subprocess.run([*MINIGAN, *TRAIN, "--steps", "12", "--out", "alone"], check=True)
    assert run(2, *MINIGAN, *TRAIN, "--steps", "8", "--out", "run") == (0, [], [])
    assert run(3, *MINIGAN, "train", "gan", "--resume", "--steps", "12", "--out", "run")[0] == 0
    assert abs(thetas("run") - thetas("alone")).max() < 1e-6
    names = sorted(path.relative_to("alone") for path in Path("alone").rglob("*"))
    assert sorted(path.relative_to("run") for path in Path("run").rglob("*")) == names
    logs = [Path(name, "metrics.csv").read_text().splitlines() for name in ("run", "alone")]
    assert [line.split(",")[0] for line in logs[0]] == [line.split(",")[0] for line in logs[1]]


# ---- they speak and end as one ----


@with_mpi
def test_what_is_wrong_is_said_once(place):
    (place / "taken").mkdir()
    (place / "taken" / "file").touch()
    for words, says in (
        ([*TRAIN, "--out", "taken"], "not empty"),
        ([*TRAIN, "--lr", "-1"], "lr: expected a positive number"),
        ([*TRAIN, "--batch-size", "2", "--out", "new"], "a row for each of 3 processes, got 2"),
        (["train", "gan", "--resume", "--overwrite"], "exclude each other"),
        (["train", "wgan-gp", *SIZE, "--lr", "1e30", "--D-lr", "1e30"], "last good state"),
    ):
        status, out, err = run(3, *MINIGAN, *words)
        assert (status, out, len(err)) == (2, [], 1), err
        assert err[0].startswith("minigan: ")
        assert says in err[0]


@with_mpi
def test_processes_of_different_commands_are_refused():
    other = [":", "-n", "1", *MINIGAN, *TRAIN, "--seed", "1"]
    assert run(1, *MINIGAN, *TRAIN, *other) == (
        *(2, []),
        ["minigan: mpiexec: expected one command, the same for all processes"],
    )


@with_mpi
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_mpiexec_stops_all_and_the_run_goes_on(number):
    process = start(2, *MINIGAN, *LONG, "--out", "run")
    wait_for("run/metrics.csv", process)
    process.send_signal(number)
    status, out, err = end(process)
    assert (status, out, len(err)) == (128 + number, [], 1)
    assert err[0].startswith("stopped and saved at step ")
    step = load_checkpoint("run/checkpoint.npz")[1].step
    assert err[0].split("step ")[1].startswith(f"{step};")
    more = [*MINIGAN, "train", "gan", "--resume", "--quiet", "--steps", str(step + 1)]
    assert run(2, *more, "--out", "run") == (0, [], [])


@with_mpi
def test_a_signal_to_one_process_stops_all_in_the_same_iteration():
    words = [sys.executable, PROGRAM, "struck", str(int(signal.SIGTERM)), "run", *LONG]
    status, out, err = run(3, *words)
    assert (status, out, len(err)) == (128 + signal.SIGTERM, [], 1)
    assert err[0].startswith("stopped and saved at step ")


@with_mpi
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no process can be killed here")
def test_a_process_killed_in_the_middle_ends_all_and_the_checkpoint_is_whole():
    words = [sys.executable, PROGRAM, "struck", str(int(signal.SIGKILL)), "run", *LONG]
    process = start(3, *words)
    wait_for("run/metrics.csv", process)
    before = time.monotonic()
    assert end(process)[0] != 0
    assert time.monotonic() - before < 10
    with pytest.raises(ProcessLookupError):  # process 0, which held the folder
        os.kill(int(Path("run/.lock").read_text()), 0)
    step = load_checkpoint("run/checkpoint.npz")[1].step
    more = [*MINIGAN, "train", "gan", "--resume", "--quiet", "--steps", str(step + 1)]
    assert run(2, *more, "--out", "run") == (0, [], [])


@with_mpi
def test_a_disk_that_is_gone_ends_all_with_one_message():
    process = start(3, *MINIGAN, *LONG, "--out", "run")
    wait_for("run/metrics.csv", process)
    shutil.rmtree("run")
    status, out, err = end(process)
    assert (status, out, len(err)) == (2, [], 1)
    assert err[0].startswith("minigan: cannot write run/")


# ---- without mpiexec, or without MPI ----


def alone(place, content, **env):
    """A run of one step where mpi4py is that; (exit status, stdout, stderr)."""
    (place / "mpi4py").mkdir(exist_ok=True)
    (place / "mpi4py" / "__init__.py").write_text("")
    (place / "mpi4py" / "MPI.py").write_text(content)
    (place / "numba.py").write_text("raise ModuleNotFoundError(name='numba')")
    paths = os.pathsep.join([str(place), os.environ["PYTHONPATH"]])
    done = subprocess.run(
        [*MINIGAN, *TRAIN, "--steps", "1", "--out", "run"],
        env=os.environ | {"PYTHONPATH": paths} | env,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


PRESENT = """
print("imported")
class COMM_WORLD:
    rank, size = 0, 1
    def Abort(status):
        print("aborted", status)
"""


def test_without_mpiexec_nothing_is_imported(place):
    assert alone(place, "raise SystemExit('imported')") == (0, "", "")
    assert alone(place, "raise SystemExit('imported')", PMI_RANK="0", PMI_SIZE="1")[0] == 2


@pytest.mark.parametrize("kind", ["PMI", "OMPI_COMM_WORLD"])
@pytest.mark.parametrize("error", ["ImportError('No module')", "RuntimeError('no library')"])
def test_a_missing_library_is_one_sentence_of_the_first_process(place, kind, error):
    status, out, err = alone(
        place, f"raise {error}", **{f"{kind}_SIZE": "2", f"{kind}_RANK": "0"}
    )
    reason = error.split("'")[1]
    assert (status, out) == (2, "")
    hint = "pip install 'minigan[mpi]' mpich"
    assert err == f"minigan: mpiexec: mpi4py cannot be used ({reason}); {hint}\n"
    env = {f"{kind}_SIZE": "2", f"{kind}_RANK": "1"}
    assert alone(place, f"raise {error}", **env) == (2, "", "")
    assert not (place / "run").exists()


def test_an_mpiexec_of_another_library_is_refused(place):
    status, out, err = alone(place, PRESENT, PMI_SIZE="2", PMI_RANK="0")
    assert (status, out) == (2, "imported\naborted 2\n")
    assert err == "minigan: mpiexec is not that of the MPI library which mpi4py uses\n"
