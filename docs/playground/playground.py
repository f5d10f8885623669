"""What the playground runs: training in pieces, and the numbers of its pictures.

A worker of the browser runs this file with Pyodide, and the tests run it on the desk. It draws
nothing and derives nothing: the model, the steps, the losses and the bugs are minigan's.
`answer` is the way in: one message as JSON comes, one goes back.
"""

import json
import linecache
import re
import sys
import time
from pathlib import Path

import bug_zoo
import numpy as np

import minigan
from minigan import fast
from minigan.arrays import stream
from minigan.game import Game
from minigan.lab import loaders
from minigan.lab.metrics import modes_captured
from minigan.lab.models import ABOUT, MODELS, build, parameters_of
from minigan.training import TrainState

EDGE, TICKS, SAMPLES, ARROWS, IMAGES = 1.6, 40, 512, 64, 36
DEPTH = 4  # of the calls that are listed, from `Game.iteration` on
FOREVER = 10**15  # the reader stops it
LINES = np.stack([np.cos(np.pi * np.arange(8) / 8), np.sin(np.pi * np.arange(8) / 8)])

# Smaller networks than those of `minigan train … --data ring`, and rates that stay as they are.
# In float32 the rounding of another machine's products is seen after a hundred steps; in
# float64 it is not, and here that takes no longer.
SMALL = {"n_noise": 2, "G_hidden": (64, 64), "D_hidden": (64, 64), "lr_decay": False}
SMALL |= {"ema_decay": 0.0, "slope": 0.2, "dtype": "float64"}
GAMES = {
    "gan": {"real_label": 1.0, "lr": 5e-4, "D_lr": 1e-3},
    "wgan": {"clip": 0.1, "lr": 1e-3, "D_lr": 1e-3},
    "wgan-gp": {"penalty_weight": 0.3, "n_critic": 2, "lr": 1e-3, "D_lr": 1e-3},
    "lsgan": {"lr": 1e-3, "D_lr": 1e-3},
    "r3gan": {"gamma": 0.015, "lr": 1e-3, "D_lr": 1e-3},
}
DIGITS = {"n_noise": 32, "G_hidden": (128,), "D_hidden": (128,), "lr_decay": False}
DIGITS |= {"ema_decay": 0.0, "dtype": "float64"}
OF_THE_PAGE = {"n_data", "output", "shift", "scale", "init", "lr_decay", "seed", "dtype"}
OF_THE_PAGE |= {"backend", "n_classes"}  # what no reader is asked for


# ---- the data ----


def ring(points):
    data = loaders.ring(n=4000, std=0.05)
    return data.x, data.labels, data.source.modes, 0.05


def grid(points):
    data = loaders.grid(n=5000, std=0.1)
    return data.x / 3.2, data.labels, data.source.modes / 3.2, 0.1 / 3.2


def moons(points):
    rng = stream(0, "points of a mixture")
    angle, labels = np.pi * rng.random(4000), np.arange(4000) % 2
    upper = np.stack([np.cos(angle) - 0.5, np.sin(angle) - 0.25], axis=1)
    x = np.where(labels[:, None] == 0, upper, -upper)
    return 0.9 * x + 0.04 * rng.standard_normal((4000, 2)), labels, None, None


def line(points):
    rng = stream(0, "points of a mixture")
    along = rng.uniform(-1.2, 1.2, 4000)
    x = np.stack([along, 0.6 * along], axis=1) + 0.02 * rng.standard_normal((4000, 2))
    return x, (along > 0).astype(int), None, None


def own(points):
    """The reader's points (x, y, stroke), each repeated with a little spread."""
    points = np.reshape(np.asarray(points or [[0, 0, 0]], dtype=float), (-1, 3))
    rng = stream(0, "points of a mixture")
    x, stroke = np.resize(points[:, :2], (4000, 2)), np.resize(points[:, 2], 4000)
    return x + 0.03 * rng.standard_normal((4000, 2)), stroke.astype(int), None, None


PLANES = {"ring": ring, "grid": grid, "moons": moons, "line": line, "own": own}


# ---- the bugs ----


class Patch:
    """Attributes and entries replaced, until `undo` puts back what was there."""

    def __init__(self):
        self.undone = []

    def setattr(self, owner, name, value):
        before = vars(owner).get(name, self)
        back = delattr if before is self else setattr
        self.undone.append(lambda: back(owner, name, *([] if before is self else [before])))
        setattr(owner, name, value)

    def setitem(self, owner, name, value):
        self.undone.append(lambda before=owner[name]: owner.__setitem__(name, before))
        owner[name] = value

    def undo(self):
        while self.undone:
            self.undone.pop()()


def plainly(self, x, z, c=None, rng=None):
    """`Game.update` by its two plain steps: the shared pass leaves some bugs no room."""
    record, x_fake = self.G_step(x, z, c)
    return record | self.D_step(x, x_fake, c, rng)


def let_out(name):
    """The `Patch` that holds the bug of this name, or holds nothing for ""."""
    patch = Patch()
    if name:
        patch.setattr(Game, "update", plainly)
        patch.setattr(Game, "D_update", Game.D_step)
        patch.setattr(fast, "accelerate", lambda model: None)
        next(bug for bug in bug_zoo.ZOO if bug.name == name).inject(patch)
    return patch


def changes(settings):
    """Whether the bug changes anything in this game: three steps with it and without."""
    found = []
    for bug in (settings["bug"], ""):
        session = Session(settings | {"bug": bug}, plain=True)
        try:
            record = session.run(steps=3, seconds=60)
            theta = np.concatenate([session.model.G.theta, session.model.D.theta])
            found.append((record, theta.tolist()))
        except minigan.MiniganError:
            return True
        finally:
            session.close()
    return found[0] != found[1]


# ---- a session ----


class Session:
    """A model in training.

    settings : {"data", "points", "game", "batch", "seed", "bug", "parameters"}
    plain : take the plain steps that a bug is let out in, also without one
    """

    def __init__(self, settings, plain=False):
        self.patch = let_out(settings["bug"])
        if plain and not settings["bug"]:
            self.patch.setattr(Game, "update", plainly)
            self.patch.setattr(Game, "D_update", Game.D_step)
            self.patch.setattr(fast, "accelerate", lambda model: None)
        try:
            self.begin(settings)
        except Exception:
            self.close()
            raise

    def begin(self, settings):
        name, seed = settings["game"], settings["seed"]
        self.is_plane = settings["data"] != "digits"
        if self.is_plane:
            x, labels, self.modes, self.std = PLANES[settings["data"]](settings["points"])
            self.data = minigan.Dataset(x, labels)
        else:
            self.data = minigan.load("mnist5k")
        known = {"n_data": self.data.x.shape[1], "seed": seed}
        known["output"] = "linear" if self.is_plane else "sigmoid"
        if MODELS[name].__mro__[1].__name__ == "Conditional":
            known["n_classes"] = self.data.n_classes
        known |= recipe(name, self.is_plane) | settings["parameters"]
        self.model = build(name, **known)
        self.state = TrainState(seed)
        self.records = minigan.train(
            self.model, self.data, FOREVER, settings["batch"], state=self.state
        )
        self.look_at()

    def look_at(self):
        """Choose, once, the noise and the real rows that every picture shows."""
        model, data = self.model, self.data
        n = SAMPLES if self.is_plane else IMAGES
        self.z, self.c = model.noise(n, stream(1, "noise of samples")), None
        rows = np.arange(n) % len(data)
        if model.n_condition:
            labels = np.arange(n) % model.n_condition
            of_class = [np.flatnonzero(data.labels == k) for k in range(data.n_classes)]
            rows = np.array([np.resize(of_class[k], n)[i] for i, k in enumerate(labels)])
            self.c = model.condition(model.asarray(labels))
        self.real = model.asarray(data.x[rows])
        self.sorted = np.sort(data.x[:SAMPLES] @ LINES, axis=0) if self.is_plane else None

    def close(self):
        """Put the library back as it was."""
        self.patch.undo()

    def run(self, steps=FOREVER, seconds=0.0):
        """Train for so many steps or so long; returns the mean of the records."""
        until, sums, n = time.perf_counter() + seconds, {}, 0
        while n < steps:
            for name, value in next(self.records).items():
                sums[name] = sums.get(name, 0.0) + value
            n += 1
            if time.perf_counter() > until:
                break
        return {name: value / n for name, value in sums.items() if name != "step"}

    # ---- what is seen ----

    def frame(self, record):
        """Everything that one picture shows, as JSON can hold it."""
        x = self.model.generate(self.z, self.c)
        seen = {"step": self.state.step, "record": record}
        if not self.is_plane:
            return seen | {"images": (255 * x).astype(int).tolist()}
        pull = self.pull(x[:ARROWS], self.real[:ARROWS], self.c)
        seen |= {"x": rounded(x), "pull": rounded(pull, 6), "landscape": self.landscape()}
        seen["w1"] = float(abs(np.sort(x @ LINES, axis=0) - self.sorted).mean())
        if self.modes is not None and np.isfinite(x).all():
            found, share = modes_captured(x, self.modes, self.std)
            seen |= {"modes": found, "of": len(self.modes), "share": share}
        return seen

    def pull(self, x, real, c):
        r"""$-m\,\partial L_G/\partial x$, the way in which G's loss asks each row to go."""
        model, c = self.model, None if c is None else c[: len(x)]
        trace = model.D.forward(model.D_input(x, c))
        s_real = model.D.forward(model.D_input(real, c))[-1]
        ds = model.G_loss(s_real, trace[-1])[1]
        return -len(x) * model.D.deltas(trace, ds)[0][:, : model.n_data]

    def landscape(self):
        """D over the plane, for class 0 if there are classes: rows from top to bottom,
        from −100 to 100, 0 being the median."""
        ticks = np.linspace(-EDGE, EDGE, TICKS)
        plane = np.stack(np.meshgrid(ticks, -ticks), axis=-1).reshape(-1, 2)
        c = None if self.c is None else np.repeat(self.c[:1], len(plane), axis=0)
        s = self.model.D.forward(self.model.D_input(self.model.asarray(plane), c))[-1][:, 0]
        s = s - np.median(s)
        return np.nan_to_num(100 * s / (abs(s).max() + 1e-12)).astype(int).tolist()

    def walk(self):
        """One step, and the functions of minigan that it calls, in order."""
        return walked(lambda: self.run(steps=1))


def recipe(name, is_plane):
    """The parameters with which the playground begins a game."""
    plain = "gan" if name == "cgan" else name.removeprefix("c")
    return SMALL | GAMES[plain] if is_plane else DIGITS


def rounded(x, digits=3):
    return np.round(np.nan_to_num(x.astype(float)), digits).tolist()


# ---- the lines that run ----


def functions():
    """{code: (page of the book, name, number of its equation)} of the chapters' functions."""
    found, chapters = {}, Path(minigan.__file__).parent
    for module in list(sys.modules.values()):
        path = Path(getattr(module, "__file__", None) or "")
        if path.parent != chapters or path.stem in ("arrays", "errors", "training"):
            continue
        classes = [value for value in vars(module).values() if isinstance(value, type)]
        for owner in [module, *classes]:
            for value in vars(owner).values():
                value = getattr(value, "__func__", value)
                if getattr(value, "__code__", None) and value.__module__ == module.__name__:
                    number = re.match(r"\((\d+\w?)\)", value.__doc__ or "")
                    about = path.stem, value.__qualname__, number[1] if number else ""
                    found[value.__code__] = about
    return found


def walked(step):
    """(what `step` returns, its calls of minigan's functions).

    A call is [depth, page, name, equation, the line that calls, its file and number, times].
    What is called by the same line again is counted.
    """
    known, stack, calls = functions(), [], {}

    def watch(frame, event, _):
        code = frame.f_code
        at_home = code in known or code.co_filename == bug_zoo.__file__
        if event == "return" and at_home and stack and stack[-1] is code:
            stack.pop()
        by = frame.f_back
        if event != "call" or not at_home or not by:  # none calls what Numba has compiled
            return
        if not stack and code is not minigan.game.Game.iteration.__code__:
            return
        about = known.get(code, ("bug-zoo", code.co_name, ""))
        where = f"{Path(by.f_code.co_filename).name}:{by.f_lineno}"
        line = linecache.getline(by.f_code.co_filename, by.f_lineno).strip()
        key = len(stack), *about, line, where
        calls[key] = calls.get(key, 0) + 1
        stack.append(code)

    sys.setprofile(watch)
    try:
        result = step()
    finally:
        sys.setprofile(None)
    return result, [[*key, times] for key, times in calls.items() if key[0] < DEPTH]


# ---- messages ----


def about():
    """What can be chosen: games with their parameters, and the bugs."""
    games = {}
    for name in MODELS:
        own = {key: one for key, one in parameters_of(name).items() if key not in OF_THE_PAGE}
        games[name] = {
            "about": ABOUT[name],
            "parameters": {key: one.metadata["help"] for key, one in own.items()},
            "plane": {k: recipe(name, True).get(k, one.default) for k, one in own.items()},
            "digits": {k: recipe(name, False).get(k, one.default) for k, one in own.items()},
        }
    bugs = [{"name": b.name, "looks": b.looks, "does": b.does} for b in bug_zoo.ZOO]
    return {"games": games, "data": [*PLANES, "digits"], "bugs": bugs}


session = None


def answer(text):
    """The answer to one message, both as JSON; a mistake of the reader's comes as "error"."""
    global session
    message = json.loads(text)
    try:
        return json.dumps(reply(**message))
    except minigan.MiniganError as error:
        return json.dumps({"error": str(error)})


def reply(do, settings=None, steps=FOREVER, seconds=0.0):
    """What `answer` answers: about, start, run, step or theta."""
    global session
    if do == "about":
        return about()
    if do == "start":
        if session:
            session.close()
        touched = bool(settings["bug"]) and changes(settings)
        session = Session(settings)
        shown = session.data.x[:1000] if session.is_plane else session.real
        return session.frame({}) | {"data": rounded(shown), "touched": touched}
    if do == "theta":
        return {p: getattr(session.model, p).theta.tolist() for p in "GD"}
    if do == "step":
        record, calls = session.walk()
        return session.frame(record) | {"calls": calls}
    begun, before = time.perf_counter(), session.state.step
    record = session.run(steps, seconds)
    rate = (session.state.step - before) / (time.perf_counter() - begun)
    return session.frame(record) | {"rate": rate}
