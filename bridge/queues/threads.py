"""Synchronous workers, each in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable
from typing import Any


def run_in_thread(name: str, function: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
    """Call `function` in a new daemon thread and return the future of its result.

    A thread can't be stopped: where the future is cancelled it goes on, its result is dropped, and being a daemon it
    keeps no process alive. A pool would make such threads take the place of other jobs.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def settle(result: Any, error: BaseException | None) -> None:
        if future.cancelled():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def run() -> None:
        result: Any = None
        error: BaseException | None = None
        try:
            result = context.run(function, *args)
        except (StopIteration, GeneratorExit) as raised:
            # Out of a future, these two would end the coroutine that awaits it, or close it.
            error = RuntimeError(f"the worker raised {type(raised).__name__}")
            error.__cause__ = raised
        except BaseException as raised:  # whatever ends the worker is the job's outcome
            error = raised
        with contextlib.suppress(RuntimeError):  # The loop was closed meanwhile: nobody waits any more.
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future
