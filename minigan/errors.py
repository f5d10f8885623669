"""The errors that minigan raises on purpose, and the checks of arguments that raise them.

Each message is one sentence for a person: it names the argument, what was expected and
what came. The command line prints it on one line and exits with status 2.
"""

import functools
import math
import operator
from dataclasses import field
from typing import Any


class MiniganError(ValueError):
    """Base of every error below; catch it to catch them all."""


class BackendError(MiniganError):
    """An array library is missing, has no driver, or two of them met in one call."""


class DataError(MiniganError):
    """The data, the labels or a data file cannot be used."""


class CheckpointError(MiniganError):
    """A checkpoint is truncated, is not ours, or belongs to another architecture."""


class RunError(MiniganError):
    """A run folder cannot be used as asked."""


class DivergedError(MiniganError):
    """A loss or a parameter became infinite or not a number."""


def parameter(
    default: Any, text: str, within: str | tuple | dict | None = None, fixed: bool = False
) -> Any:
    r"""A field of a `Checked` dataclass that says what it means and which values it may have.

    text : one line; it becomes the help of the command line's option
    within : an interval of numbers such as "[0, 1)", or the words allowed
    fixed : whether what is made of it stays as it is, so that it cannot be changed later

    The default's type is the parameter's.
    """
    return field(default=default, metadata={"help": text, "within": within, "fixed": fixed})


fixed = functools.partial(parameter, fixed=True)


class Checked:
    r"""Base of a dataclass whose parameters are checked whenever one is assigned.

    Each becomes Python's own type, within its range: NumPy's scalars int and float, a list of
    widths a tuple. Raises MiniganError, also if a fixed parameter is assigned once the object
    is `made`.
    """

    __dataclass_fields__: dict
    made = False

    def __setattr__(self, name, value):
        one = self.__dataclass_fields__.get(name)
        if one is not None and "help" in one.metadata:
            if self.made and one.metadata["fixed"]:
                raise MiniganError(
                    f"{name}: the model was made with {getattr(self, name)!r} and its networks "
                    f"stay as they are; make another model with {name}={value!r}"
                )
            if not (value is None and one.default is None):
                value = CHECKS[type(one.default)](name, value, one.metadata["within"])
        super().__setattr__(name, value)


def whole_number(name: str, value, within="[1, inf)", error=MiniganError) -> int:
    r"""The value as an int; raises an error if it is no whole number or not in the interval."""
    try:
        number = None if _is_bool(value) else operator.index(value)
    except TypeError:
        number = None
    if number is None:
        raise error(f"{name}: expected a whole number, got {value!r}")
    return _inside(name, number, within, error)


def real_number(name: str, value, within="(-inf, inf)", error=MiniganError) -> float:
    r"""The value as a float; raises an error if it is no real number or not in the interval."""
    try:
        number = None if _is_bool(value) or isinstance(value, (str, bytes)) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = None
    if number is None:
        raise error(f"{name}: expected a number, got {value!r}")
    return _inside(name, number, within, error)


def word(name, value, within=None):
    r"""The value as a str, or the name of what has one, as `numpy.float32`; one of `within`."""
    text = value
    if not isinstance(value, str):
        text = getattr(value, "name", None) or getattr(value, "__name__", None)
    if not isinstance(text, str) or (within and text not in within):
        expected = f"one of {', '.join(within)}" if within else "a text"
        raise MiniganError(f"{name}: expected {expected}, got {value!r}")
    return str(text)


def truth(name, value, within=None):
    r"""The value as a bool."""
    if not _is_bool(value):
        raise MiniganError(f"{name}: expected True or False, got {value!r}")
    return bool(value)


def whole_numbers(name, value, within):
    r"""The values as a tuple of int; a single number is a tuple of one."""
    try:
        values = list(value)
    except TypeError:
        values = [value]
    return tuple(whole_number(name, each, within) for each in values)


CHECKS = {int: whole_number, float: real_number, tuple: whole_numbers, bool: truth}
CHECKS |= {str: word, type(None): word}


def _is_bool(value):
    return isinstance(value, bool) or str(getattr(value, "dtype", "")) == "bool"


def _inside(name, number, within, error):
    r"""The number, if it lies in an interval such as "(0, 1]"."""
    low, high = map(float, within[1:-1].split(","))
    over = number >= low if within[0] == "[" else number > low
    under = number <= high if within[-1] == "]" else number < high
    if over and under:
        return number
    if high >= 9e15:  # as good as infinite
        expected = {"[": f"must be at least {low:g}", "(": "expected a positive number"}
        if number > low and not math.isinf(high):
            expected = {within[0]: f"expected at most {high:g}"}
        expected = "expected a finite number" if math.isinf(low) else expected[within[0]]
    else:
        expected = f"expected a number in {within}"
    raise error(f"{name}: {expected}, got {number}")
