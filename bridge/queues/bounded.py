"""Waiting for a call to the database so long and no longer."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def within(limit: float, call: Coroutine[Any, Any, T]) -> T:
    """Return what `call` returns, or leave it behind after `limit` seconds.

    `asyncio.timeout` is no bound here: a cancelled call still waits until its pool has put the connection in order, and
    for that the pool asks a server that may not answer.

    Raises:
        TimeoutError: It took longer.
    """
    task = asyncio.create_task(call)
    try:
        await asyncio.wait([task], timeout=limit)
    finally:
        task.cancel()
    if not task.done():
        raise TimeoutError(f"the database did not answer within {limit:g} s")
    return task.result()
