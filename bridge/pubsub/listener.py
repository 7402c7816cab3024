"""One connection that listens, and is replaced whenever it is lost."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

from bridge.pubsub.throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bridge.pubsub.timing import Timing

    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]

logger = logging.getLogger("bridge.pubsub")

#: Seconds that a connection gets to close in order, when nobody listens any more.
FAREWELL = 1.0


class Listener:
    """Listens on a changing set of channels over a connection of its own.

    Attributes:
        connected: Set while all channels are being listened to over a connection believed alive.
    """

    def __init__(
        self,
        *,
        connect: Callable[[], Awaitable[Connection]],
        on_message: Callable[[int, str, str], None],
        on_connect: Callable[[], None],
        on_disconnect: Callable[[], None],
        timing: Timing,
    ) -> None:
        """Make a listener that is not started yet.

        Args:
            connect: Opens a connection straight to the server.
            on_message: Called with the sender's backend pid, the channel and the text, in order of arrival.
            on_connect: Called whenever all channels are being listened to over a new connection.
            on_disconnect: Called whenever a connection has ended, whoever ended it.
            timing: When to give up and when to try again.
        """
        self.connected = asyncio.Event()
        self._connect = connect
        self._on_message = on_message
        self._on_connect = on_connect
        self._on_disconnect = on_disconnect
        self._timing = timing
        self._wanted: set[str] = set()
        self._heard: set[str] = set()
        self._attempt = 0
        self._failures = Throttle()
        self._wake = asyncio.Event()
        self._ready = asyncio.Event()
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether it was started and not stopped; it may be without a connection meanwhile."""
        return self._task is not None

    async def start(self, *, wait: bool) -> None:
        """Connect, and stay connected until `stop`.

        Args:
            wait: Return once all channels are listened to, or raise what hindered that. Else return at once.
        """
        if self._task is None:
            connection = await self._open() if wait else None
            self._task = asyncio.get_running_loop().create_task(self._run(connection), name="bridge.pubsub")

    async def stop(self) -> None:
        """Close the connection; a second call does nothing."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
            await self._close()

    def add(self, channel: str) -> None:
        """Listen on `channel`, now if connected and after each reconnect."""
        self._wanted.add(channel)
        self._change()

    def remove(self, channel: str) -> None:
        """Listen on `channel` no more."""
        self._wanted.discard(channel)
        self._change()

    async def ready(self) -> None:
        """Wait until every channel is being listened to."""
        await self._ready.wait()

    def _change(self) -> None:
        if self._heard != self._wanted:
            self._ready.clear()
            self._wake.set()

    async def _run(self, connection: Connection | None) -> None:
        connection = connection or await self._try_open()
        while True:
            if connection is not None:
                await self._serve(connection)
            await asyncio.sleep(self._timing.delay(self._attempt))
            self._attempt += 1
            connection = await self._try_open()

    async def _try_open(self) -> Connection | None:
        try:
            return await self._open()
        except Exception as error:  # whatever it was, another attempt follows
            if (held_back := self._failures.admit("open")) is not None:
                logger.warning("can't listen, trying again: %s (%d more before)", _describe(error), held_back)
            return None

    async def _open(self) -> Connection:
        async with asyncio.timeout(self._timing.timeout):
            connection = await self._connect()
        self._connection = connection
        try:
            connection.add_termination_listener(lambda _connection: self._wake.set())
            await self._match_channels(connection)
        except BaseException:
            self._abandon(connection)
            raise
        self.connected.set()
        return connection

    async def _serve(self, connection: Connection) -> None:
        since = time.monotonic()
        logger.info("listening on %d channels", len(self._heard))
        try:
            self._on_connect()
            await self._watch(connection)
        except Exception as error:  # whatever it was, another connection follows
            self._report_loss(_describe(error))
        self._abandon(connection)
        if time.monotonic() - since >= self._timing.longest_delay:
            self._attempt = 0

    async def _watch(self, connection: Connection) -> None:
        while not connection.is_closed():
            await self._match_channels(connection)
            if not await self._woken():
                async with asyncio.timeout(self._timing.timeout):
                    await connection.execute("select 1")
        self._report_loss("closed from the other side")

    async def _woken(self) -> bool:
        try:
            async with asyncio.timeout(self._timing.probe_interval):
                await self._wake.wait()
        except TimeoutError:
            return False
        self._wake.clear()
        return True

    async def _match_channels(self, connection: Connection) -> None:
        async with asyncio.timeout(self._timing.timeout):
            while self._heard != self._wanted:
                for channel in self._wanted - self._heard:
                    await connection.add_listener(channel, self._receive)
                    self._heard.add(channel)
                for channel in self._heard - self._wanted:
                    await connection.remove_listener(channel, self._receive)
                    self._heard.discard(channel)
        self._ready.set()

    def _receive(self, _connection: Any, pid: int, channel: str, text: Any) -> None:
        self._on_message(pid, channel, text)

    async def _close(self) -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            await connection.close(timeout=min(self._timing.timeout, FAREWELL))
        except Exception as error:  # it ends here in any case
            logger.debug("the listening connection did not close in order: %s", _describe(error))
        finally:
            self._abandon(connection)

    def _abandon(self, connection: Connection) -> None:
        self._connection = None
        self._heard.clear()
        self._ready.clear()
        # A connection that came from a pool raises once it is closed.
        with suppress(asyncpg.InterfaceError):
            # Not close(): it waits for an answer, which a dead peer never gives.
            connection.terminate()
        if self.connected.is_set():
            self.connected.clear()
            self._on_disconnect()

    def _report_loss(self, reason: str) -> None:
        if (held_back := self._failures.admit("loss")) is not None:
            logger.warning("lost the listening connection: %s (%d more before)", reason, held_back)


def _describe(error: BaseException) -> str:
    # Other kinds of error may quote the DSN, and with it the password.
    if isinstance(error, (asyncpg.PostgresError, OSError)) and str(error):
        return f"{type(error).__name__}: {error}"
    return type(error).__name__
