"""A wire between a node and the database that can be cut or frozen, or lose an answer."""

import asyncio
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import asyncpg


class Wire:
    """A TCP proxy to the server of a DSN.

    Attributes:
        dsn: The database by way of this wire.
        lost: Set once an answer was lost.
        taken: Set once a connection was taken.
    """

    def __init__(self, target, dsn):
        self._target = target
        self._dsn = dsn
        self._server = None
        self._pumps = set()
        self._sinks = set()
        self._port = 0
        self._marker = None
        self._frozen = asyncio.Event()
        self._stranded = asyncio.Event()
        self.lost = asyncio.Event()
        self.taken = asyncio.Event()

    @property
    def dsn(self):
        parts = urlsplit(self._dsn)
        return f"postgresql://{parts.username or 'postgres'}@127.0.0.1:{self._port}{parts.path}"

    async def connect(self):
        """Return a new connection by way of this wire."""
        return await asyncpg.connect(self._dsn, host="127.0.0.1", port=self._port)

    async def open(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self):
        """Refuse connections, and end those that stand."""
        self._server.close()
        await self.drop()

    async def drop(self):
        """End the connections that stand; new ones are taken."""
        sinks, pumps = tuple(self._sinks), tuple(self._pumps)
        # Closed here: a pump that is cancelled before its first step would never do it.
        for sink in sinks:
            sink.close()
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, *(sink.wait_closed() for sink in sinks), return_exceptions=True)
        self._sinks.difference_update(sinks)

    def freeze(self):
        """Swallow everything, and say nothing, as a lost host does."""
        self._frozen.set()

    def strand(self):
        """Let the connections that stand swallow everything from now on; new ones work."""
        self._stranded.set()
        self._stranded = asyncio.Event()

    def lose_answer(self, marker):
        """Swallow the answer that holds `marker`, or that to a statement that does, and end its connection."""
        self._marker = marker
        self.lost.clear()

    async def _accept(self, reader, writer):
        self._sinks.add(writer)
        if isinstance(self._target, str):
            far_reader, far_writer = await asyncio.open_unix_connection(self._target)
        else:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        self._sinks.add(far_writer)
        self.taken.set()
        doomed, silent = asyncio.Event(), (self._frozen, self._stranded)
        for pump in (self._ask(reader, far_writer, doomed, silent), self._answer(far_reader, writer, doomed, silent)):
            task = asyncio.create_task(pump)
            self._pumps.add(task)
            task.add_done_callback(self._pumps.discard)

    async def _ask(self, source, sink, doomed, silent):
        def carry(data):
            if self._marker is not None and self._marker in data:
                doomed.set()
            return not any(event.is_set() for event in silent)

        await _pump(source, sink, carry)

    async def _answer(self, source, sink, doomed, silent):
        def carry(data):
            if self._marker is not None and (doomed.is_set() or self._marker in data):
                self._marker = None
                self.lost.set()
                sink.close()
                return False
            return not any(event.is_set() for event in silent)

        await _pump(source, sink, carry)


async def _pump(source, sink, carry):
    try:
        while data := await source.read(262_144):
            if carry(data):
                sink.write(data)
                await sink.drain()
            elif sink.is_closing():
                break
    except OSError:
        pass
    finally:
        sink.close()
        with suppress(OSError):
            await sink.wait_closed()


@asynccontextmanager
async def wire_to(dsn):
    """An open wire to the server of `dsn`."""
    conn = await asyncpg.connect(dsn)
    target = conn._addr
    await conn.close()
    wire = Wire(target, dsn)
    await wire.open()
    try:
        yield wire
    finally:
        await wire.cut()
