"""Every exception: where it stands in the tree, and that its message says enough."""

import inspect
import pickle
import re

import pytest

from bridge import Oban, errors
from bridge.config import load_settings
from bridge.errors import (
    BridgeError,
    DecodeError,
    InstanceNotFound,
    InvalidJob,
    InvalidSetting,
    JobTimeout,
    NotRunning,
    ValidationError,
    message_of,
    printable,
    shorten,
)

CLASSES = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, BaseException)]


def drawn():
    """The tree of the docstring, as (depth, name, built-in base) a line."""
    for line in errors.__doc__.splitlines():
        if found := re.match(r"([│├└─ ]*)([A-Z]\w+)(?: +\((\w+)\))?", line):
            yield len(found[1]) // 4, found[2], found[3]


def test_the_tree_is_as_it_is_drawn():
    path, names = [], []
    for depth, name, builtin in drawn():
        if not hasattr(errors, name):
            continue
        cls = getattr(errors, name)
        path[depth:] = [cls]
        names.append(name)
        bases = [*(path[depth - 1 : depth] if depth else [Exception])]
        if builtin is not None:
            bases.append(getattr(__import__("builtins"), builtin))
        assert list(cls.__bases__) == bases, name

    assert sorted(names) == sorted(cls.__name__ for cls in CLASSES)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_one_except_catches_them_all(cls):
    assert issubclass(cls, BridgeError)
    assert cls.__doc__


@pytest.mark.parametrize(
    ("cls", "builtin"),
    [(ValidationError, ValueError), (DecodeError, ValueError), (JobTimeout, TimeoutError), (NotRunning, RuntimeError)],
)
def test_they_are_what_python_would_raise(cls, builtin):
    assert issubclass(cls, builtin)


class TestValidationError:
    def test_says_what_was_expected_what_came_and_what_to_do(self):
        error = InvalidJob("priority", 10, "an integer from 0 to 9", "lower it")

        assert str(error) == "priority: expected an integer from 0 to 9, got 10; lower it"
        assert (error.field, error.value, error.expected, error.mend) == (
            "priority",
            10,
            "an integer from 0 to 9",
            "lower it",
        )

    def test_without_a_mend(self):
        assert str(InvalidJob("tags", None, "a list")) == "tags: expected a list, got None"

    def test_a_long_value_is_cut(self):
        message = str(InvalidJob("queue", "q" * 1_000_000, "less"))

        assert message == f"queue: expected less, got '{'q' * 78}…"

    def test_it_travels_between_processes(self):
        error = pickle.loads(pickle.dumps(InvalidJob("a", [1], "b", "c")))

        assert isinstance(error, InvalidJob)
        assert (str(error), error.value) == ("a: expected b, got [1]; c", [1])


class TestDecodeError:
    def test_says_what_is_wrong_and_where(self):
        assert str(DecodeError("it ends too soon", 12)) == "it ends too soon, at byte 12"
        assert str(DecodeError("it ends too soon", 0)) == "it ends too soon, at byte 0"
        assert str(DecodeError("it ends too soon")) == "it ends too soon"

    def test_it_travels_between_processes(self):
        error = pickle.loads(pickle.dumps(DecodeError("broken", 3)))

        assert (error.reason, error.offset) == ("broken", 3)


def test_a_lookup_error_shows_its_message_as_it_is():
    assert str(InstanceNotFound("no instance named 'x'")) == "no instance named 'x'"


class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


@pytest.mark.parametrize(
    ("value", "shown"),
    [("a", "'a'"), (None, "None"), ("\ud800\0", "'\\ud800\\x00'"), (Unspeakable(), "<Unspeakable>")],
    ids=["text", "None", "no Unicode", "no repr"],
)
def test_a_value_for_a_message(value, shown):
    assert shorten(value) == shown


def cyclic():
    """A list and a dict that hold each other."""
    value = [{}]
    value[0]["self"] = value
    return value


def deep():
    """A list in a list, and so on, deeper than Python's stack."""
    value = []
    for _ in range(100_000):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (10**5000, "<int of 16610 bits>"),
        (-(10**5000), "<int of 16610 bits>"),
        ([10**5000], "[<int of 16610 bits>]"),
        (cyclic(), "[{'self': [{'self': [...]}]}]"),
        (deep(), "[[[[[...]]]]]"),
    ],
    ids=["huge", "minus huge", "a huge item", "cyclic", "deep"],
)
def test_a_value_that_python_can_t_write_out_can_be_told_of(value, shown):
    assert shorten(value) == shown
    assert str(InvalidJob("state", value, "less")) == f"state: expected less, got {shown}"


@pytest.mark.parametrize("field", ["node", "name", "prefix", "shutdown_grace_period", "queues"])
@pytest.mark.parametrize("value", [10**5000, cyclic(), deep()], ids=["huge", "cyclic", "deep"])
def test_an_option_that_python_can_t_write_out_is_refused_with_its_name(field, value):
    with pytest.raises(InvalidSetting, match=field):
        Oban(**{"dsn": "postgresql://h/d", field: value})


@pytest.mark.parametrize("value", [10**5000, cyclic(), deep()], ids=["huge", "cyclic", "deep"])
def test_a_switch_that_python_can_t_write_out_is_refused_with_its_name(value):
    with pytest.raises(InvalidSetting, match="insert_trigger: expected true or false"):
        load_settings({"insert_trigger": value}, environment={})


def test_an_option_s_name_that_python_can_t_write_out_is_refused():
    with pytest.raises(InvalidSetting, match="pool_options: expected an option of it, got <int of 16610 bits>"):
        Oban(dsn="postgresql://h/d", pool_options={10**5000: 1})


@pytest.mark.parametrize(("length", "shown"), [(8, "'aaaaaaaa'"), (9, "'aaaaaaaa…"), (900, "'aaaaaaaa…")])
def test_a_value_is_cut_to_the_limit(length, shown):
    assert shorten("a" * length, 10) == shown


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("no"), "no"),
        (ValueError(), ""),
        (KeyError("k"), "'k'"),
        (ValueError("\0 \ud800 é🦉\n"), "\\x00 \\ud800 é🦉\n"),
        (Unspeakable(), "<no text: __str__ raised RuntimeError>"),
    ],
    ids=["plain", "none", "a key", "what jsonb can't hold", "a failing __str__"],
)
def test_an_errors_text(error, text):
    assert message_of(error) == text


@pytest.mark.parametrize("text", ["", "plain", "é🦉\n\t", "\0", "\ud800", "a\udfff\0b"])
def test_printable_text_can_be_stored(text):
    shown = printable(text)

    assert "\0" not in shown
    assert shown.encode().decode() == shown
    if text == text.encode("utf-8", "ignore").decode() and "\0" not in text:
        assert shown == text
