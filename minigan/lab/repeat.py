r"""The commands that make a run again, from its config.json alone."""

import shlex

from .models import FROM_DATA, parameters_of, recipe

READING = ("size", "grey", "background")  # of pictures of one's own
OPTIONS = ("data", "data_dir", *READING, "steps", "batch_size", "seed")  # not of the model
PLACES = ("data", "data_dir")  # where the data lie now is where they are looked for


def commands(config, out="again"):
    r"""The lines of a shell, comments among them, that repeat the run in the folder `out`.

    What was changed on the way is changed again at the same step.
    """
    now = {name: getattr(config, name) for name in OPTIONS} | config.parameters
    changes = changes_of(config, now)
    for values in reversed(changes.values()):
        now |= {name: old for name, (old, _) in values.items()}
    end, steps = f" --out {out}", now["steps"]
    lines = [f"minigan train {config.model}{_options(config, now)}{end}"]
    for step, values in changes.items():
        if step != steps:
            lines.append(f"# stop it at step {step} by Ctrl-C, then")
        flags = "".join(_option(name, new) for name, (_, new) in values.items())
        lines.append(f"minigan train {config.model} --resume{flags}{end}")
        steps = values.get("steps", (0, steps))[1]
    return lines


def changes_of(config, known):
    r"""{step: {name: (value before, value after)}} of the history, as far as it is one."""
    changes = {}
    for change in config.history:
        step = change.get("step") if isinstance(change, dict) else None
        for name, pair in change.items() if isinstance(step, int) else ():
            if name in known and name not in PLACES and _is_pair(pair):
                values = changes.setdefault(step, {})
                values[name] = (values.get(name, pair)[0], pair[1])
    return changes


def _is_pair(value):
    return (
        isinstance(value, (list, tuple))
        and len(value) == 2
        and all(isinstance(each, (int, float)) for each in value)
    )


def _options(config, now):
    r"""The options of the run's beginning, without those that go without saying."""
    usual = recipe(config.model, now["data"], now["network"])
    default = {name: field.default for name, field in parameters_of(config.model).items()}
    names = [*OPTIONS, *(name for name in default if name not in (*FROM_DATA, *OPTIONS))]
    default |= {"data": "mnist5k", "data_dir": None, "seed": 0} | usual
    default |= {"size": (), "grey": None, "background": "white"}
    given = [name for name in names if now[name] != default[name]]
    return "".join(_option(name, now[name]) for name in given)


def _option(name, value):
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return f" --{flag}" if value else f" --no-{flag}"
    values = value if isinstance(value, (tuple, list)) else [value]
    return " ".join([f" --{flag}", *(shlex.quote(str(each)) for each in values)])
