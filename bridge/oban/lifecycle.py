"""How an instance starts and stops, also while its database is away."""

from __future__ import annotations

import asyncio
import logging
from types import TracebackType
from typing import Any, Final, Literal, Self, get_args

import asyncpg

from bridge.engine import is_unavailable
from bridge.errors import InvalidSetting, SchemaError
from bridge.jobs import instances
from bridge.oban.inserting import Inserting
from bridge.pubsub.throttle import Throttle
from bridge.queues.backoff import RetryDelay
from bridge.runtime import Runtime

logger = logging.getLogger("bridge")

Connect = Literal["now", "wait", "background"]

#: Seconds between attempts at the end.
LONGEST: Final = 5.0
#: Seconds after which it is told again what an instance waits for.
TELL: Final = 25.0


def check_connect(value: Any) -> Connect:
    """Return a `Connect`.

    Raises:
        InvalidSetting: It is another value.
    """
    if value not in get_args(Connect):
        raise InvalidSetting("connect", value, f"one of {', '.join(get_args(Connect))}")
    found: Connect = value
    return found


def may_come(error: BaseException) -> bool:
    """Tell whether the database, or Oban's tables in it, may be there later: they are not yet, or not for now."""
    return is_unavailable(error) or isinstance(error, SchemaError | asyncpg.InvalidCatalogNameError)


class LifeCycle(Inserting):
    """Starts and stops, and is found by others while it runs, to insert by."""

    _connect_mode: Connect
    _changing: asyncio.Lock
    _opening: asyncio.Task[None] | None

    async def start(self) -> Self:
        """Connect, listen, and start the queues; returns the instance.

        Raises:
            SchemaError: The schema has no tables of Oban that Bridge knows.
            NotRunning: Another instance of that name is running in this process.
            OSError, asyncpg.PostgresError: The database can't be reached. This and a missing table are waited for
                instead where `connect` is `"wait"`; with `"background"` it is not even waited for, see `ready`.
        """
        async with self._changing:
            if self._runtime is None and self._opening is None:
                await self._begin()
        if self._connect_mode == "wait":
            try:
                await self.ready()
            except BaseException:
                await self.stop()
                raise
        return self

    async def ready(self) -> None:
        """Wait until the instance is connected, which one that connects in the background is not at first.

        Raises:
            NotRunning: It was not started.
            InvalidSetting: It can't ever connect.
        """
        if self._opening is not None:
            await asyncio.wait([self._opening])
            if self._opening is not None and not self._opening.cancelled():
                self._opening.result()
        _ = self._parts

    async def stop(self) -> None:
        """Stop the queues, giving running jobs their grace period, and disconnect; a second call does nothing."""
        async with self._changing:
            await self._give_up()
            if self._runtime is not None:
                try:
                    await self._runtime.close()
                finally:
                    self._runtime = None
                    instances.unregister(self.name, self)

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _begin(self) -> None:
        instances.register(self.name, self)
        if self._connect_mode != "now":
            self._opening = asyncio.create_task(self._open_patiently(), name="bridge-start")
            self._opening.add_done_callback(self._report)
            return
        try:
            self._runtime = await Runtime.open(self._plan, self._catalog)
        except BaseException:
            instances.unregister(self.name, self)
            raise

    async def _give_up(self) -> None:
        opening, self._opening, self._hindrance = self._opening, None, ""
        if opening is not None:
            opening.cancel()
            try:
                await asyncio.wait([opening])
            finally:  # also where the caller doesn't wait
                if self._runtime is None:
                    instances.unregister(self.name, self)

    async def _open_patiently(self) -> None:
        delay, told = RetryDelay(longest=LONGEST), Throttle(TELL)
        while self._runtime is None:
            try:
                self._runtime = await Runtime.open(self._plan)
            except Exception as error:
                if not may_come(error):
                    raise
                self._hindrance = f"{type(error).__name__}: {error}"
                if told.admit(self.name) is not None:
                    logger.warning("the instance %s can't start yet, trying again: %s", self.name, self._hindrance)
                await asyncio.sleep(delay.next())
        self._hindrance = ""
        if delay.failures:
            logger.info("the instance %s has started after %d attempts", self.name, delay.failures + 1)

    def _report(self, opening: asyncio.Task[None]) -> None:
        if not opening.cancelled() and (error := opening.exception()) is not None:
            self._hindrance = f"{type(error).__name__}: {error}"
            logger.error("the instance %s can't start: %s", self.name, error)
