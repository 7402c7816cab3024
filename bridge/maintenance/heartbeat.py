"""The heartbeat: tells the database that this node's producers are alive, so that nobody takes their jobs away."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

from bridge.clock import elapsed
from bridge.engine import Engine, is_denied
from bridge.errors import SchemaError
from bridge.maintenance.log import logger
from bridge.maintenance.service import Service

_NEVER: Final = float("-inf")

#: Seconds of silence after which a node's jobs may be rescued, where it asks for no other time.
RESCUE_AFTER: Final = 45.0

#: Seconds after which the list is looked for again where it could not be made.
RETRY: Final = 300.0


class Heartbeat(Service):
    """Beats for the producers of this node, four times in `rescue_after` seconds, and before they claim jobs.

    One statement a beat for all of them. A worker that blocks the event loop holds up this service too, though its
    node is alive; so does a pool without a free connection. Therefore a thread watches, and beats by a connection of
    its own where the service is late by two intervals. What stops the thread as well makes a node look dead: a stopped
    process, a suspended machine, a C extension that holds the interpreter's lock. Its jobs are rescued then, and what
    it writes of them later is dropped, because outcomes are guarded by attempt and producer.

    Without the table `bridge_producers`, where the role can't make it, jobs run all the same; then nobody can tell who
    is alive, and jobs of nodes that die stay `executing`. The log says so once. Where a role loses its right to the
    table while producers of it are listed, others will take them for dead: that is an outage, and no jobs are claimed.

    Args:
        engine: Where the producers are listed.
        instance: The instance's name.
        node: This node's name.
        rescue_after: Seconds of silence after which jobs of this node may be rescued, by whoever does it.
        connect: Opens a connection for the thread; without it there is no thread.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        instance: str,
        node: str,
        rescue_after: float = RESCUE_AFTER,
        connect: Callable[[], Awaitable[Any]] | None = None,
    ) -> None:
        super().__init__("heartbeat", rescue_after / 4, engine.oban)
        self.rescue_after = rescue_after
        #: How often the thread had to beat.
        self.relieved = 0
        self._blamed = 0
        self._engine = engine
        self._instance = instance
        self._node = node
        self._connect = connect
        # Both are replaced and never changed, because the thread reads them.
        self._producers: Mapping[str, str] = {}
        self._beaten: Mapping[str, float] = {}
        self._retired: set[str] = set()
        self._prepared = False
        self._listed = True
        self._retry_at = _NEVER
        self._beating = asyncio.Lock()
        self._stopped = threading.Event()
        self._saying: threading.Thread | None = None

    def start(self) -> None:
        """Begin to beat, and to watch."""
        super().start()
        if self._connect is not None:
            self._stopped.clear()
            threading.Thread(target=self._watch, name="bridge-heartbeat", daemon=True).start()

    async def stop(self) -> None:
        """Beat no more: what the producers have left behind is rescued once `rescue_after` has passed."""
        self._stopped.set()
        await super().stop()

    def is_heard(self) -> bool:
        """Tell whether no beat of this node's producers is late, or there is no list of them.

        One that has not beaten yet is not late: it has claimed no jobs.
        """
        return not (self._listed and self._late(self._producers.keys() & self._beaten.keys()))

    async def run_once(self) -> None:
        """Beat for all producers."""
        if self._listed:
            await self._forget_retired()
        if self._producers and elapsed() >= self._retry_at:
            async with self._beating:
                await self._beat()

    def _delay(self) -> float:
        # After an outage, those that are not heard soon are taken for dead.
        return super()._delay() / (4 if self._failures else 1)

    async def ensure(self, uuid: str, queue: str) -> None:
        """Return when a producer may claim jobs: its last beat is not long ago, so nobody takes it for dead.

        Raises:
            OSError, asyncpg.PostgresError: The database can't be reached.
        """
        if uuid not in self._producers:
            self._producers = {**self._producers, uuid: queue}
        if self._listed and self._late([uuid]):
            async with self._beating:
                if self._late([uuid]):  # Another queue may have beaten for all.
                    await self._beat()

    async def forget(self, uuid: str, timeout: float) -> None:
        """Take a producer that has stopped off the list, unless the database doesn't answer in time.

        One that has left jobs behind, in threads that can't be stopped, stays on it and beats on as long as this node
        does: they may still be running.
        """
        if uuid in self._producers:
            self._retired.add(uuid)
            forgetting = asyncio.create_task(self._forget_retired())
            await asyncio.wait([forgetting], timeout=timeout)
            if forgetting.cancel() or forgetting.exception():
                logger.warning("a producer that stopped could not be taken off the list; it will be taken for dead")

    def leave(self, uuid: str) -> None:
        """Beat no more for a producer that may have left claims in the table: as it is dead then, they are rescued.

        It stays on the list meanwhile: nobody rescues what a producer left that was taken off it.
        """
        self._retired.discard(uuid)
        self._producers = {other: queue for other, queue in self._producers.items() if other != uuid}

    # Beating

    async def _beat(self) -> None:
        try:
            if not self._prepared:
                await self._engine.prepare_producers()
                self._prepared = True
            await self._send()
        except SchemaError as error:
            if self._beaten and is_denied(error):
                raise
            if self._listed:
                logger.warning(
                    "jobs of nodes that die stay executing, because the producers can't be listed in bridge_producers: "
                    "%s",
                    error,
                )
            self._prepared = self._listed = False
            self._beaten = {}
            self._retry_at = elapsed() + RETRY
        else:
            self._listed, self._retry_at = True, _NEVER

    async def _send(self, conn: Any = None) -> None:
        begun = elapsed()
        producers = self._producers
        await self._engine.beat(
            producers, instance=self._instance, node=self._node, rescue_after=self.rescue_after, conn=conn
        )
        self._beaten = dict.fromkeys(producers, begun)

    def _late(self, uuids: Iterable[str]) -> bool:
        oldest = min((self._beaten.get(uuid, _NEVER) for uuid in uuids), default=float("inf"))
        return elapsed() - oldest > 2 * self.interval

    # Forgetting

    async def _forget_retired(self) -> None:
        async with self._beating:  # A beat that is under way would list them again.
            for uuid in tuple(self._retired):
                if await self._is_gone(uuid):
                    self._retired.discard(uuid)
                    self._producers = {other: queue for other, queue in self._producers.items() if other != uuid}

    async def _is_gone(self, uuid: str) -> bool:
        try:
            return await self._engine.forget_producer(uuid)
        except SchemaError:
            return True  # There is no list.

    # The thread

    def _watch(self) -> None:
        seen = elapsed()
        wait = expected = self.interval / 4
        suspended = False  # and not heard since
        while not self._stopped.wait(wait):
            still = elapsed() - seen - expected
            seen, expected = elapsed(), wait
            if still > 2 * self.interval:
                suspended = True
                self._tell_of_suspension(still)
            if self.is_heard():
                suspended = False
            else:
                expected += self.interval
                try:
                    asyncio.run(self._relieve(blame=not suspended))
                except Exception as error:
                    self._say(logging.DEBUG, "the heartbeat's thread failed: %s", error)

    def _say(self, level: int, text: str, *values: Any) -> None:
        """Log in another thread: the loop may hold the log's lock while nobody reads what it writes."""
        if self._saying is None or not self._saying.is_alive():
            self._saying = threading.Thread(
                target=logger.log, args=(level, text, *values), name="bridge-heartbeat-log", daemon=True
            )
            self._saying.start()

    def _tell_of_suspension(self, seconds: float) -> None:
        # This thread asks nothing of the loop or of the pool, so neither can have held it up.
        taken = seconds + self.interval > self.rescue_after
        self._say(
            logging.WARNING,
            "this process stood still for %.1f s: it was suspended, or its machine, or a C extension held the "
            "interpreter's lock%s",
            seconds,
            f"; after {self.rescue_after:g} s of silence others may have taken its jobs" if taken else "",
        )

    async def _relieve(self, *, blame: bool) -> None:
        assert self._connect is not None  # noqa: S101 - there is no thread without it
        async with asyncio.timeout(self.interval):
            conn = await self._connect()
            try:
                await self._send(conn)
            finally:
                conn.terminate()
        self.relieved += 1
        # After an outage or a suspension, of which the log tells already, the thread is just the first to get through.
        if not blame or self._failures:
            return
        self._blamed += 1
        if self._blamed % 10 == 1:
            self._say(
                logging.WARNING,
                "the event loop is blocked, or the pool has no connection free: a thread keeps up the heartbeat; let "
                "what blocks it be a plain `def`, which runs in a thread, or raise pool_options.max_size",
            )
