"""What an argument may be, which of Python's types it becomes, and the
sentence with which anything else is refused."""

import inspect
import math
import re
from dataclasses import dataclass, fields
from fractions import Fraction

import numpy as np
import pytest

from minigan import GAN, DataError, MiniganError, errors
from minigan.errors import parameter, real_number, truth, whole_number, whole_numbers, word


def becomes(value, expected):
    assert value == expected
    assert type(value) is type(expected)


def refused(check, value, *more, says=""):
    with pytest.raises(MiniganError, match=f"^x: {re.escape(says)}"):
        check("x", value, *more)


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), np.array(3)])
def test_a_whole_number_becomes_an_int(value):
    becomes(whole_number("x", value), 3)


@pytest.mark.parametrize(
    "value",
    [3.0, np.float64(3), Fraction(3), "3", None, True, np.True_, [3], math.nan, 3j],
)
def test_what_is_no_whole_number_is_refused(value):
    refused(whole_number, value, says=f"expected a whole number, got {value!r}")


@pytest.mark.parametrize(
    "value", [0.5, np.float32(0.5), np.float64(0.5), np.array(0.5), Fraction(1, 2)]
)
def test_a_real_number_becomes_a_float(value):
    becomes(real_number("x", value), 0.5)
    becomes(real_number("x", 1), 1.0)


@pytest.mark.parametrize(
    "value", ["0.5", b"0.5", None, True, np.False_, 1j, [0.5], 10**400, np.ones(2)]
)
def test_what_is_no_real_number_is_refused(value):
    refused(real_number, value, says=f"expected a number, got {value!r}")


@pytest.mark.parametrize(
    ("within", "inside", "outside", "says"),
    [
        ("[1, inf)", [1, 2, 1e300], [0.999, -1, math.inf, math.nan], "must be at least 1"),
        ("[0, inf)", [0, 1e-300], [-1e-300, math.inf, math.nan], "must be at least 0"),
        ("(0, inf)", [1e-300], [0, -1, math.inf, math.nan], "expected a positive number"),
        ("(-inf, inf)", [-1e300, 0], [-math.inf, math.inf, math.nan], "expected a finite"),
        ("[0, 1)", [0, 0.999], [1, -1e-9, math.nan], "expected a number in [0, 1)"),
        ("(0, 1]", [1, 1e-9], [0, 1.001, math.nan], "expected a number in (0, 1]"),
        ("[1, 9e15]", [1, 9e15], [0, -5], "must be at least 1, got "),
        ("[1, 9e15]", [2], [9e15 + 2, 1e300, math.inf], "expected at most 9e+15, got "),
        ("(0, 9e15)", [1, 9e15 - 2], [9e15], "expected at most 9e+15, got "),
        ("(0, 9e15)", [1], [0, -1], "expected a positive number, got "),
        ("[0, 8e15]", [8e15], [-1, 9e15], "expected a number in [0, 8e15], got "),
        ("(-9e18, 9e18)", [0, -8e18], [9e18], "expected at most 9e+18, got "),
    ],
)
def test_an_interval_has_the_ends_that_its_brackets_say(within, inside, outside, says):
    for value in inside:
        becomes(real_number("x", value, within), float(value))
    for value in outside:
        refused(real_number, value, within, says=says)


def test_a_sentence_names_the_argument_what_was_expected_and_what_came():
    for check, value, within, sentence in (
        (whole_number, 0, "[1, inf)", "x: must be at least 1, got 0"),
        (
            whole_number,
            9 * 10**15 + 1,
            "[1, 9e15]",
            f"x: expected at most 9e+15, got {9 * 10**15 + 1}",
        ),
        (real_number, -2.5, "(0, inf)", "x: expected a positive number, got -2.5"),
        (real_number, math.inf, "(-inf, inf)", "x: expected a finite number, got inf"),
        (word, "tanh", ("linear", "sigmoid"), "x: expected one of linear, sigmoid, got 'tanh'"),
        (truth, 1, None, "x: expected True or False, got 1"),
        (whole_numbers, (3, 0), "[1, inf)", "x: must be at least 1, got 0"),
    ):
        with pytest.raises(MiniganError, match=f"^{re.escape(sentence)}$"):
            check("x", value, within)


def test_the_error_may_be_one_of_the_caller():
    for check in (whole_number, real_number):
        for value in ("3", -1):
            with pytest.raises(DataError, match="^x: "):
                check("x", value, "[0, inf)", DataError)


@pytest.mark.parametrize(
    "value", ["float32", np.str_("float32"), np.float32, np.dtype("float32"), np.dtype("<f4")]
)
def test_a_word_may_be_given_by_what_has_it_as_a_name(value):
    becomes(word("x", value, ("float32", "float64")), "float32")
    becomes(word("x", value), "float32")


@pytest.mark.parametrize("value", ["float16", np.float16, "Float32", "", None, 32, ["float32"]])
def test_another_word_is_refused(value):
    refused(word, value, ("float32", "float64"), says="expected one of float32, float64, got")


def test_a_whole_number_lies_from_1_unless_told_otherwise():
    becomes(whole_number("x", 1), 1)
    refused(whole_number, 0, says="must be at least 1, got 0")
    becomes(real_number("x", -1e300), -1e300)
    refused(real_number, math.inf, says="expected a finite number, got inf")


@pytest.mark.parametrize("value", [None, 3, ["numpy"]])
def test_where_any_word_will_do_what_is_none_is_refused(value):
    refused(word, value, says=f"expected a text, got {value!r}")


def test_true_and_false_become_bools_and_nothing_else_is_either():
    for value in (True, np.True_, np.bool_(1)):
        becomes(truth("x", value), True)
    becomes(truth("x", np.False_), False)
    for value in (0, 1, 1.0, None, "yes", np.int64(1), []):
        refused(truth, value, says=f"expected True or False, got {value!r}")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([3, 4], (3, 4)),
        ((), ()),
        (range(1, 4), (1, 2, 3)),
        (np.array([3, 4], "uint8"), (3, 4)),
        ([np.int64(3), np.array(4)], (3, 4)),
        (3, (3,)),
        (np.int64(3), (3,)),
        (np.array(3), (3,)),
        ([0, 2], (0, 2)),
    ],
)
def test_whole_numbers_become_a_tuple_of_ints_and_one_a_tuple_of_one(value, expected):
    found = whole_numbers("x", value, "[0, inf)")
    becomes(found, expected)
    assert {type(each) for each in found} <= {int}


@pytest.mark.parametrize("value", [(3, 0), (3, None), "12", 2.5, None, True, [[3, 4]], [3.0]])
def test_what_are_no_whole_numbers_is_refused(value):
    refused(whole_numbers, value, "[1, inf)")


def test_a_readers_own_parameter_is_checked_as_the_others_are():
    @dataclass(eq=False, kw_only=True, repr=False)
    class Own(GAN):
        """A game with a parameter of each kind."""

        times: int = parameter(2, "a whole number", "[1, inf)")
        share: float = parameter(0.5, "a number", "[0, 1]")
        where: str | None = parameter(None, "a word, or nothing", ("here", "there"))
        free: object = None

    small = {"n_data": 2, "G_hidden": 3, "D_hidden": 3}
    own = Own(**small, times=np.int64(3), share=1, free=np.float32(1))
    becomes((own.times, own.share, own.where), (3, 1.0, None))
    assert Own(**small, where="here").where == "here"
    assert type(own.free) is np.float32  # not declared by `parameter`: as it came
    for name, wrong in (("times", 0), ("share", 1.5), ("where", "away")):
        with pytest.raises(MiniganError, match=f"^{name}: "):
            Own(**small, **{name: wrong})


def test_a_parameter_is_fixed_only_if_that_is_said():
    for make, is_fixed in ((parameter, False), (errors.fixed, True)):
        one = make(3, "a number", "[1, inf)")
        assert one.default == 3
        assert one.metadata == {"help": "a number", "within": "[1, inf)", "fixed": is_fixed}


def test_a_parameter_carries_its_help_and_its_range():
    about = {field.name: field.metadata for field in fields(GAN)}
    assert about["real_label"]["within"] == "(0, 1]"
    assert all(0 < len(each["help"]) < 80 for each in about.values())


def test_one_class_catches_every_error():
    known = [e for _, e in inspect.getmembers(errors, inspect.isclass) if e is not type]
    raised = [e for e in known if issubclass(e, Exception)]
    assert len(raised) == 6
    assert all(issubclass(e, MiniganError) and issubclass(e, ValueError) for e in raised)
