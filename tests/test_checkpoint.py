"""A checkpoint is what was saved, for every game, optimiser and setting; what does not fit its
own description is refused, member by member; and saving never costs the last good one."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest
from readers import stack

from minigan import (
    GAN,
    SGD,
    WGAN,
    WGANGP,
    Adam,
    BackendError,
    CheckpointError,
    Dense,
    DivergedError,
    LeakyReLU,
    Network,
    RMSProp,
    RunError,
    Sigmoid,
    fast,
    load_checkpoint,
    save_checkpoint,
)
from minigan.lab import checkpoint as module
from minigan.lab.loaders import ring
from minigan.lab.models import MODELS, build, describe
from minigan.training import TrainState, train
from minigan.wgan import Wasserstein

POINTS = {"n_data": 2, "n_noise": 3, "G_hidden": (4,), "D_hidden": (5,), "output": "linear"}
DATA = ring(n=40)


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    """Nothing is compiled, and a young WGAN takes no hundred steps: they show no more."""
    monkeypatch.setattr(fast, "njit", None)
    monkeypatch.setattr(WGAN, "critic_steps", Wasserstein.critic_steps)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "c.npz"


def small(name="gan", **more):
    classes = {"n_classes": 8} if name.startswith("c") else {}
    critic = {"n_critic": 2} if "wgan" in name else {}
    return build(name, **POINTS | classes | critic | more)


def play(model, state, steps):
    return list(train(model, DATA, state.step + steps, batch_size=8, state=state))


def same(actual, expected):
    """Bit for bit."""
    return actual.dtype == expected.dtype and actual.tobytes() == expected.tobytes()


def assert_same_model(actual, expected):
    assert describe(actual) == describe(expected)
    assert same(actual.G.theta, expected.G.theta)
    assert same(actual.D.theta, expected.D.theta)
    assert (actual.G_average is None) == (expected.G_average is None)
    if expected.G_average:
        assert same(actual.G_average.theta, expected.G_average.theta)
        assert not np.shares_memory(actual.G_average.theta, actual.G.theta)
    for player in "GD":
        one, other = (getattr(model, f"{player}_optimizer") for model in (actual, expected))
        assert type(one).__name__.removeprefix("Fast") == type(other).__name__.removeprefix(
            "Fast"
        )
        assert one.settings() == other.settings()
        assert one.t == other.t
        for slot in other.slots if other.t else ():
            assert same(getattr(one, slot), getattr(other, slot)), (player, slot)


SETTINGS = {
    "as the game comes": {},
    "float64": {"dtype": "float64", "seed": 5},
    "with an average": {"ema_decay": 0.9, "slope": 0.3, "init": "glorot"},
    "without hidden layers": {"G_hidden": (), "D_hidden": (), "lr": 0.5, "D_lr": 0.25},
}


@pytest.mark.parametrize("steps", [0, 3])
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("name", MODELS)
def test_what_is_loaded_is_what_was_saved_and_goes_on_as_it_would_have(
    path, name, settings, steps
):
    model, state = small(name, **SETTINGS[settings]), TrainState(seed=7)
    play(model, state, steps)
    save_checkpoint(path, model, state)
    loaded, back = load_checkpoint(path)
    assert_same_model(loaded, model)
    assert back.to_dict() == state.to_dict()
    assert (back.seed, back.step, back.rows) == (7, steps, state.rows)
    assert play(loaded, back, 2) == play(model, state, 2)
    assert_same_model(loaded, model)
    assert back.to_dict() == state.to_dict()


OPTIMIZERS = {
    "SGD": lambda: SGD(0.01, momentum=0.5),
    "RMSProp": lambda: RMSProp(0.02, rho=0.5, eps=1e-3),
    "Adam": lambda: Adam(0.03, 0.25, 0.75, eps=1e-3),
}


@pytest.mark.parametrize("of_D", OPTIMIZERS)
@pytest.mark.parametrize("of_G", OPTIMIZERS)
def test_each_player_keeps_its_own_optimiser_with_its_settings(path, of_G, of_D):
    model, state = small(), TrainState()
    model.G_optimizer, model.D_optimizer = OPTIMIZERS[of_G](), OPTIMIZERS[of_D]()
    play(model, state, 2)
    model.D_step(DATA.x[:4], DATA.x[:4])  # one step more than G
    save_checkpoint(path, model, state)
    loaded, _ = load_checkpoint(path)
    assert (loaded.G_optimizer.t, loaded.D_optimizer.t) == (2, 3)
    assert_same_model(loaded, model)


def test_the_paths_type_does_not_matter_and_the_backend_may_be_named(path):
    model = small()
    save_checkpoint(str(path), model, TrainState())
    loaded, _ = load_checkpoint(str(path), backend="numpy")
    assert loaded.backend == "numpy"
    assert load_checkpoint(path)[0].backend is None
    with pytest.raises(BackendError, match="^backend: expected one of numpy, cupy, got 'x'"):
        load_checkpoint(path, backend="x")


def test_what_is_saved_later_does_not_change_what_was_loaded(path):
    model, state = small(ema_decay=0.5), TrainState()
    play(model, state, 1)
    save_checkpoint(path, model, state)
    loaded, _ = load_checkpoint(path)
    before = loaded.G.theta.copy()
    play(model, state, 1)
    save_checkpoint(path, model, state)
    assert same(loaded.G.theta, before)
    assert_same_model(load_checkpoint(path)[0], model)


# ---- what is not saved ----


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    "where", ["G", "D", "G_average", "G_optimizer.M", "G_optimizer.V", "D_optimizer.M"]
)
def test_a_model_that_diverged_is_not_saved_over_the_last_good_checkpoint(path, where, bad):
    model, state = small(ema_decay=0.5), TrainState()
    play(model, state, 2)
    save_checkpoint(path, model, state)
    good = path.read_bytes()
    part, _, slot = where.partition(".")
    getattr(getattr(model, part), slot or "theta")[-1] = bad
    named = where.replace(".", " ").replace("_", " ") + ("" if slot else " theta")
    with pytest.raises(DivergedError, match=f"^step 2: not finite: {named}$"):
        save_checkpoint(path, model, state)
    assert path.read_bytes() == good
    assert os.listdir(path.parent) == ["c.npz"]


class OwnAdam(Adam):
    """An optimiser of the reader's own."""


@pytest.mark.parametrize("player", "GD")
def test_an_optimiser_of_ones_own_is_refused(path, player):
    model, twin = small(), type("Adam", (Adam,), {})  # even under the name of ours
    for own in (OwnAdam(), twin()):
        setattr(model, f"{player}_optimizer", own)
        message = f"^{player}_optimizer: only SGD, RMSProp, Adam can be saved, not "
        with pytest.raises(CheckpointError, match=message):
            save_checkpoint(path, model, TrainState())
    assert not path.exists()


def test_layers_of_ones_own_and_networks_of_other_widths_are_refused(path):
    def give(player, layers):
        model = small()
        network = getattr(model, player)
        network.layers[: len(layers)] = layers
        return model

    own, longer = GAN(G=stack((3, 4, 2)), D=stack((2, 5, 1))), small()
    longer.G.layers.append(Sigmoid())
    for player, model in (
        ("G", own),
        ("G", give("G", [Dense(3, 4), LeakyReLU(0.3)])),
        ("D", give("D", [Dense(2, 5), LeakyReLU(0.3)])),
        ("D", give("D", [Dense(2, 6)])),
        ("D", give("D", [Dense(2, 5), type("LeakyReLU", (LeakyReLU,), {})()])),
        ("G", longer),
    ):
        with pytest.raises(
            CheckpointError, match=f"^{player}: a checkpoint holds the networks"
        ):
            save_checkpoint(path, model, TrainState())
    assert not path.exists()


def test_networks_that_the_parameters_describe_may_have_been_given(path):
    one = small(seed=3)
    model = GAN(**POINTS, G=Network(one.G.layers, one.G.theta), D=one.D)
    save_checkpoint(path, model, TrainState())
    assert_same_model(load_checkpoint(path)[0], model)


def test_no_space_keeps_the_old_checkpoint_and_leaves_no_litter(path, monkeypatch):
    save_checkpoint(path, small(), TrainState())
    good = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"cannot write .*c\.npz: No space left on device"):
        save_checkpoint(path, small(), TrainState(step=1))
    assert path.read_bytes() == good
    assert os.listdir(path.parent) == ["c.npz"]


KILLED = """
import itertools, sys
from minigan import GAN, TrainState, save_checkpoint
model = GAN()
for step in itertools.count(1):
    save_checkpoint(sys.argv[1], model, TrainState(step=step))
    if step == 1:
        print("ready", flush=True)
"""


def test_kill_minus_nine_while_saving_leaves_a_readable_checkpoint(path):
    for delay in (0.005, 0.02, 0.05):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout.readline() == "ready\n"
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        model, state = load_checkpoint(path)
        assert state.step >= 1
        assert np.isfinite(model.G.theta).all()


# ---- what is not loaded ----


@pytest.fixture
def saved(path):
    """A checkpoint after three steps and the arrays in it."""
    model, state = small(ema_decay=0.5), TrainState()
    play(model, state, 3)
    save_checkpoint(path, model, state)
    with np.load(path, allow_pickle=False) as file:
        return path, dict(file)


def refused(path, message, arrays=None):
    if arrays is not None:
        np.savez(path, **arrays)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_checkpoint(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_checkpoint_is_refused(saved, share):
    path, _ = saved
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refused(path, "truncated, or not a minigan checkpoint")


def test_a_flipped_bit_is_noticed(saved):
    path, _ = saved
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    refused(path, "truncated, or not a minigan checkpoint")


def test_pickles_are_never_loaded(saved, tmp_path):
    path, arrays = saved

    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "exploded"),)

    bomb = np.array([Bomb()], dtype=object)
    refused(path, r"G_theta: expected .* got \(1,\) of object", arrays | {"G_theta": bomb})
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04"])
def test_a_file_that_is_not_ours_is_refused(path, content):
    path.write_bytes(content)
    refused(path, r"truncated, or not a minigan checkpoint \(BadZipFile: .+\)$")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.EIO, "Input/output error"), "^cannot read .*c.npz: Input/output error$"),
        (OSError(errno.EINVAL, "Invalid argument"), "not a minigan checkpoint .OSError: "),
        (MemoryError(), "c.npz: there is not enough memory to read it$"),
        (KeyError("about"), "not a minigan checkpoint .KeyError: 'about'.$"),
    ],
)
def test_trouble_of_the_system_is_not_a_damaged_file(saved, monkeypatch, error, says):
    def fails(file):
        raise error

    monkeypatch.setattr(zipfile, "ZipFile", fails)
    refused(saved[0], says)


def test_a_missing_checkpoint_says_so(path):
    refused(path, "cannot read .*No such file")


MEMBERS = ("G_theta", "D_theta", "G_average_theta", "G_optimizer_M", "G_optimizer_V")
MEMBERS += ("D_optimizer_M", "D_optimizer_V")


@pytest.mark.parametrize("name", MEMBERS)
def test_an_array_has_the_shape_and_the_dtype_that_the_parameters_say(saved, name):
    path, arrays = saved
    good = arrays[name]
    for bad in (
        good[:-1],
        np.append(good, good[:1]),
        good[:, None],
        good[0],
        good[:0],
        good.astype("float64"),
        good.astype("float16"),
        good.view("int32"),
        good.astype("complex64"),
        good.astype("U9"),
        good.astype(object),
    ):
        shape = re.escape(str(good.shape))
        message = f"{name}: expected shape {shape} of float32 for this architecture, got"
        said = refused(path, message, arrays | {name: bad})
        assert said.endswith(f"for this architecture, got {bad.shape} of {bad.dtype}")
    without = {key: array for key, array in arrays.items() if key != name}
    refused(path, f"{name} is missing", without)


@pytest.mark.parametrize("name", MEMBERS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_every_number_is_finite(saved, name, bad):
    path, arrays = saved
    arrays[name][-1] = bad
    refused(path, f"{name}: expected finite numbers", arrays)


def test_numbers_written_on_another_machine_are_the_same(saved):
    path, arrays = saved
    model, _ = load_checkpoint(path)
    swapped = {k: a.astype(a.dtype.newbyteorder()) for k, a in arrays.items() if k != "about"}
    np.savez(path, **arrays | swapped)
    assert_same_model(load_checkpoint(path)[0], model)


@pytest.mark.parametrize("player", "GD")
def test_the_steps_taken_are_one_whole_number_from_0(saved, player):
    path, arrays = saved
    name = f"{player}_optimizer_t"
    for bad in (-1, 2**53):
        refused(path, f"t: expected a number of steps from 0, got {bad}", arrays | {name: bad})
    for bad in (3.0, np.int32(3), True, "3", [3]):
        refused(path, f"{name}: expected shape ", arrays | {name: np.array(bad)})
    refused(path, f"{name} is missing", {k: v for k, v in arrays.items() if k != name})
    np.savez(path, **arrays | {name: np.int64(2**53 - 1)})
    model, _ = load_checkpoint(path)
    assert getattr(model, f"{player}_optimizer").t == 2**53 - 1


def test_before_the_first_step_there_are_no_averages_to_read(saved):
    path, arrays = saved
    np.savez(path, **arrays | {"G_optimizer_t": np.int64(0)})
    model, _ = load_checkpoint(path)
    assert model.G_optimizer.state() == {"t": 0}
    assert model.D_optimizer.t == 3


def about(arrays, **changes):
    """The arrays with some of what their line of JSON says changed."""
    known = json.loads(str(arrays["about"])) | changes
    known = {key: value for key, value in known.items() if value is not LEFT_OUT}
    return {**arrays, "about": np.array(json.dumps(known))}


LEFT_OUT = object()


@pytest.mark.parametrize("name", ["seed", "step", "rows"])
def test_seed_step_and_rows_are_whole_numbers_from_0(saved, name):
    path, arrays = saved
    for bad in (-1, 2**60, 1.0, "1", None, [1], True):
        refused(path, f"{name}: ", about(arrays, **{name: bad}))
    refused(path, "not a minigan checkpoint", about(arrays, **{name: LEFT_OUT}))


OTHER_WIDTHS = {"n_data": 2, "n_noise": 3, "G_hidden": (9,), "D_hidden": (5,)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 99}, "format version 99, this minigan reads "),
        ({"format": 0}, "format version 0, this minigan reads "),
        ({"format": module.FORMAT + 1}, f"format version {module.FORMAT + 1}, this minigan"),
        ({"format": LEFT_OUT}, "not a minigan checkpoint"),
        ({"model": "vae"}, "model: expected one of gan, cgan, wgan"),
        ({"model": None}, "model: expected one of gan, cgan, wgan"),
        ({"model": "wgan"}, "wgan: no parameter 'minimax'"),
        ({"parameters": {"layers": 3}}, "no parameter 'layers'"),
        ({"parameters": None}, "parameters: expected an object"),
        ({"parameters": OTHER_WIDTHS}, "G_theta: expected"),
        ({"optimizers": {"G": ["Own", {}]}}, "expected SGD, RMSProp, Adam, got 'Own'"),
        ({"optimizers": {"X": ["Adam", {}]}}, "optimizers: expected "),
        ({"optimizers": {"D": ["Adam", {"lr": -1}]}}, "lr: expected a positive number"),
        ({"optimizers": {"D": ["Adam", {"new": 1}]}}, "not a minigan checkpoint"),
        ({"optimizers": {"D": ["SGD", {}]}}, "D_optimizer_v is missing"),
        ({"optimizers": [1]}, "not a minigan checkpoint"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(saved, changes, message):
    path, arrays = saved
    refused(path, message, about(arrays, **changes))


def test_the_description_is_one_text_of_bounded_length(saved, monkeypatch):
    path, arrays = saved
    refused(path, "about is missing", {k: v for k, v in arrays.items() if k != "about"})
    text = str(arrays["about"])
    for bad in (np.array([text]), np.array(text.encode()), np.array(3)):
        refused(path, r"about: expected shape \(\) of text", arrays | {"about": bad})
    refused(path, "not a minigan checkpoint", arrays | {"about": np.array(text[:-1])})
    refused(path, "not a minigan checkpoint", arrays | {"about": np.array("[]")})
    np.savez(path, **arrays)
    assert module.LARGEST_TEXT >= 10**6
    monkeypatch.setattr(module, "LARGEST_TEXT", 4 * len(text))  # NumPy takes 4 bytes a letter
    load_checkpoint(path)
    monkeypatch.setattr(module, "LARGEST_TEXT", 4 * len(text) - 1)
    refused(path, "about: expected shape ")


def test_what_is_not_asked_for_is_not_read(saved):
    path, arrays = saved
    model, state = load_checkpoint(path)
    np.savez(path, **about(arrays, note="mine"), extra=np.ones(3))
    loaded, back = load_checkpoint(path)
    assert_same_model(loaded, model)
    assert back.to_dict() == state.to_dict()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_DEFLATED])
def test_members_are_stored_or_deflated(saved, method):
    path, _ = saved
    model, _ = load_checkpoint(path)
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, member in content.items():
            archive.writestr(name, member)
    if method == zipfile.ZIP_DEFLATED:
        assert_same_model(load_checkpoint(path)[0], model)
    else:
        refused(path, "about: packed in a way that is not NumPy's")


@pytest.mark.parametrize("change", [4, -4])
def test_a_member_has_the_bytes_that_its_header_declares(saved, change):
    path, arrays = saved
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    member = content["D_theta.npy"]
    content["D_theta.npy"] = member[:change] if change < 0 else member + bytes(change)
    with zipfile.ZipFile(path, "w") as archive:
        for name, member in content.items():
            archive.writestr(name, member)
    size = arrays["D_theta"].nbytes
    refused(path, f"D_theta: expected {size} bytes, got {size + min(change, 1)}")


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_both_forms_of_numpys_header_are_read(saved, version):
    path, arrays = saved
    model, _ = load_checkpoint(path)
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, array, version)
    assert_same_model(load_checkpoint(path)[0], model)


def test_a_checkpoint_of_version_0_1_is_read(path):
    """It had no optimisers' settings, other names for two parameters, and a bias behind the
    critic's last layer."""
    model, state = WGANGP(**POINTS, penalty_weight=3.0, ema_decay=0.5), TrainState()
    play(model, state, 2)
    save_checkpoint(path, model, state)
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    for name in ("D_theta", "D_optimizer_M", "D_optimizer_V"):
        arrays[name] = np.append(arrays[name], arrays[name].dtype.type(7))
    parameters = json.loads(str(arrays["about"]))["parameters"]
    parameters["average"] = parameters.pop("ema_decay")
    parameters["weight"] = parameters.pop("penalty_weight")
    old = about(arrays, format=1, parameters=parameters, optimizers=LEFT_OUT)
    np.savez(path, **old)
    loaded, back = load_checkpoint(path)
    assert_same_model(loaded, model)
    assert back.to_dict() == state.to_dict()
