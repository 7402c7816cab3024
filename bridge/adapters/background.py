"""A pool of asyncpg for blocking code: its event loop runs in a thread of its own."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, TypeVar
from weakref import WeakSet, finalize

from typing_extensions import override

from bridge.adapters.executor import Executor

T = TypeVar("T")

#: Seconds that connections get to be given back, and then to close in order, before they are dropped.
CLOSE = 2.0

_CLOSED = "the client was closed while it was in use; close it when its threads are done"


class BackgroundPool:
    """A pool whose calls block the thread that makes them; any number of threads may.

    It connects when it is first used. A process that was forked from this one gets connections of its own.

    Args:
        open_pool: Opens asyncpg's pool, within the thread.
    """

    def __init__(self, open_pool: Callable[[], Awaitable[Any]]) -> None:
        self._open_pool = open_pool
        self._opening = threading.Lock()
        self._lane: _Lane | None = None
        self._close: Callable[[], Any] = _nothing
        _pools.add(self)

    async def fetch(self, statement: str, *values: Any, timeout: float | None = None) -> list[Any]:
        """Run a statement on one of the connections."""
        with self._used() as lane:
            rows: list[Any] = lane.call(lane.pool.fetch(statement, *values, timeout=timeout))
            return rows

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Executor]:
        """Yield one of the connections."""
        with self._used() as lane:
            held = lane.call(_awaited(lane.pool.acquire))
            try:
                yield _Lent(lane, held)
            finally:
                lane.call(lane.pool.release(held))

    def close(self) -> None:
        """Close the connections when they are given back, and end the thread; the next use opens them again."""
        with self._opening:
            lane, self._lane = self._lane, None
        if lane is not None:
            self._close()

    def forget(self) -> None:
        """Leave the connections to the process that opened them, whose child this one is."""
        self._opening = threading.Lock()  # another thread of the parent may have held it
        if self._lane is not None:
            _left.append(self._lane)
            self._lane = None

    @contextmanager
    def _used(self) -> Iterator[_Lane]:
        with self._opening:
            if self._lane is None:
                self._lane = _Lane(self._open_pool)
                self._close = finalize(self, self._lane.close)  # at the end of the process too
            lane = self._lane
            lane.enter()
        try:
            yield lane
        finally:
            lane.leave()


class _Lane:
    """A thread with an event loop, and the pool that lives on it."""

    def __init__(self, open_pool: Callable[[], Awaitable[Any]]) -> None:
        self.pool: Any = None
        self._process = os.getpid()
        self._gate = threading.Condition()
        self._users = 0
        self._ended = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="bridge-sync", daemon=True)
        self._thread.start()
        try:
            self.pool = self.call(_awaited(open_pool))
        except BaseException:
            self.close()
            raise

    def enter(self) -> None:
        """Keep it open until `leave`."""
        with self._gate:
            self._users += 1

    def leave(self) -> None:
        """Let it be closed."""
        with self._gate:
            self._users -= 1
            self._gate.notify_all()

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the thread, and return what it returns.

        Raises:
            ConnectionError: The client is closed, or was meanwhile.
        """
        with self._gate:  # what comes after the end of the thread would be waited for forever
            if self._ended:
                coroutine.close()
                raise ConnectionError(_CLOSED)
            future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except CancelledError:
            raise ConnectionError(_CLOSED) from None
        finally:
            future.cancel()  # the caller was interrupted; otherwise it is done, and this does nothing

    def close(self) -> None:
        """Close the pool and end the thread; a second call does nothing, nor does one in another process."""
        if self._process != os.getpid():
            return
        if threading.current_thread() is self._thread:  # the garbage collector may be run by any thread
            threading.Thread(target=self.close, name="bridge-sync-close").start()
            return
        with self._gate:
            self._gate.wait_for(lambda: self._users == 0, CLOSE)
            if self._ended:
                return
            self._ended = True
        try:
            asyncio.run_coroutine_threadsafe(_closed(self.pool), self._loop).result()
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


class _Lent(Executor):
    """A connection of the pool, until it is given back."""

    blocking = True

    def __init__(self, lane: _Lane, held: Any) -> None:
        self._lane = lane
        self._held = held

    @override
    async def fetch(self, statement: str, values: Sequence[Any], timeout: float | None = None) -> list[Any]:
        rows: list[Any] = self._lane.call(self._held.fetch(statement, *values, timeout=timeout))
        return rows

    @override
    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        transaction = self._held.transaction()
        self._lane.call(transaction.start())
        try:
            yield
        except BaseException:
            with suppress(Exception):  # where the connection is lost, the error that was raised says so
                self._lane.call(transaction.rollback())
            raise
        self._lane.call(transaction.commit())


def _nothing() -> None:
    """What there is to close before anything was opened."""


async def _awaited(make: Callable[[], Awaitable[T]]) -> T:
    return await make()


async def _closed(pool: Any) -> None:
    """Close a pool, and end what is still under way."""
    try:
        if pool is not None:
            await asyncio.wait_for(pool.close(), CLOSE)
    except TimeoutError:
        pool.terminate()
    finally:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


_pools: WeakSet[BackgroundPool] = WeakSet()

#: What a forked process has of its parent's: kept, because collecting it would close what the parent uses.
_left: list[_Lane] = []


def _forget_all() -> None:
    for pool in list(_pools):
        pool.forget()


os.register_at_fork(after_in_child=_forget_all)
