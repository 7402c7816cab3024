"""Errors without the frames that raised them, where these hold a DSN: reporters of errors collect their variables."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

P = ParamSpec("P")
T = TypeVar("T")


def frameless(function: Callable[P, T]) -> Callable[P, T]:
    """Let errors leave a function, blocking or not, as if its caller had raised them.

    For what has a password among its arguments, or calls what has: Sentry sends the variables of every frame of a
    traceback, and `traceback` can print them. An error keeps its kind, its text and its causes.
    """
    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def call_async(*args: P.args, **options: P.kwargs) -> Any:
            before = sys.exception()
            try:
                return await function(*args, **options)
            except BaseException as error:
                del args, options
                drop_frames(error, before)
                raise

        return cast("Callable[P, T]", call_async)

    @wraps(function)
    def call(*args: P.args, **options: P.kwargs) -> T:
        before = sys.exception()
        try:
            return function(*args, **options)
        except BaseException as error:
            del args, options
            drop_frames(error, before)
            raise

    return call


def drop_frames(error: BaseException, before: BaseException | None = None) -> None:
    """Take the frames from an error and from its causes, and the errors that it hides, whose texts may quote a DSN.

    Args:
        error: An error that is being handled.
        before: What its caller was handling, which is the caller's matter.
    """
    seen, left = {id(before)}, [error]
    while left:
        found = left.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        found.__traceback__ = None
        if found.__suppress_context__:
            found.__context__ = None
        left += [each for each in (found.__cause__, found.__context__) if each is not None]
        if isinstance(found, BaseExceptionGroup):
            left += found.exceptions
