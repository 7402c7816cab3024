"""Errors that leave without the frames that raised them."""

import inspect
import traceback

import pytest

from bridge.frames import drop_frames, frameless


def fail(secret):
    hidden = secret * 2
    try:
        int(hidden)
    except ValueError as error:
        raise LookupError("first") from error


@frameless
def call(secret, *, how=fail):
    """Do it."""
    how(secret)


@frameless
async def call_async(secret, *, how=fail):
    how(secret)


def frames_of(error):
    return [frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__)]


async def test_the_caller_is_where_it_was_raised():
    with pytest.raises(LookupError, match="first") as one:
        call("s3cr3t")
    with pytest.raises(LookupError, match="first") as two:
        await call_async("s3cr3t")
    for raised in (one, two):
        assert frames_of(raised.value) == ["test_the_caller_is_where_it_was_raised"]
        assert isinstance(raised.value.__cause__, ValueError)
        assert frames_of(raised.value.__cause__) == []


def test_what_is_hidden_is_gone():
    def hide(secret):
        try:
            fail(secret)
        except LookupError:
            raise OSError("away") from None

    with pytest.raises(OSError, match="away") as raised:
        call("s3cr3t", how=hide)
    assert raised.value.__context__ is None


def test_each_of_a_group_is_bare():
    def fail_twice(secret):
        errors = []
        for _ in range(2):
            try:
                fail(secret)
            except LookupError as error:
                errors.append(error)
        raise ExceptionGroup("both", errors)

    with pytest.raises(ExceptionGroup) as raised:
        call("s3cr3t", how=fail_twice)
    assert [frames_of(error) for error in raised.value.exceptions] == [[], []]


def call_while_handling():
    try:
        raise KeyError("mine")
    except KeyError:
        call("s3cr3t")


def test_what_the_caller_is_handling_is_left_alone():
    with pytest.raises(LookupError, match="first") as raised:
        call_while_handling()
    [mine] = [error for error in chain(raised.value) if isinstance(error, KeyError)]
    assert frames_of(mine) == ["call_while_handling"]


def chain(error):
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def test_errors_that_are_each_other_s_cause_have_an_end():
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__context__ = two, one
    drop_frames(one)


async def test_what_is_returned_is_returned_and_the_function_stays_what_it_was():
    assert frameless(len)([1]) == 1
    assert call.__doc__ == "Do it."
    assert str(inspect.signature(call)) == f"(secret, *, how={fail!r})"
    assert inspect.iscoroutinefunction(call_async)
