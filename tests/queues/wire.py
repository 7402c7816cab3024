"""A wire between a node and the database that can be cut, or lose an answer."""

import asyncio
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import asyncpg


class Wire:
    """A TCP proxy to the server of a DSN.

    Attributes:
        dsn: The database by way of this wire.
        lost: Set once an answer was lost.
    """

    def __init__(self, target, dsn):
        self._target = target
        self._dsn = dsn
        self._server = None
        self._pumps = set()
        self._port = 0
        self._marker = None
        self._frozen = False
        self.lost = asyncio.Event()

    @property
    def dsn(self):
        parts = urlsplit(self._dsn)
        return f"postgresql://{parts.username or 'postgres'}@127.0.0.1:{self._port}{parts.path}"

    async def open(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self):
        """Refuse connections, and end those that stand."""
        self._server.close()
        await self.drop()

    async def drop(self):
        """End the connections that stand; new ones are taken."""
        for pump in tuple(self._pumps):
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    def freeze(self):
        """Swallow everything, and say nothing, as a lost host does."""
        self._frozen = True

    def thaw(self):
        """Carry data again; what was swallowed is gone."""
        self._frozen = False

    def lose_answer(self, marker):
        """Swallow the answer that holds `marker`, or that to a statement that does, and end its connection."""
        self._marker = marker
        self.lost.clear()

    async def _accept(self, reader, writer):
        if isinstance(self._target, str):
            far_reader, far_writer = await asyncio.open_unix_connection(self._target)
        else:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        link = _Link(self)
        for pump in (link.ask(reader, far_writer), link.answer(far_reader, writer)):
            task = asyncio.create_task(pump)
            self._pumps.add(task)
            task.add_done_callback(self._pumps.discard)


class _Link:
    def __init__(self, wire):
        self._wire = wire
        self._doomed = False

    async def ask(self, source, sink):
        async for data in _chunks(source, sink):
            if self._wire._marker is not None and self._wire._marker in data:
                self._doomed = True
            if not self._wire._frozen:
                sink.write(data)
                await sink.drain()

    async def answer(self, source, sink):
        async for data in _chunks(source, sink):
            if self._wire._marker is not None and (self._doomed or self._wire._marker in data):
                self._wire._marker = None
                self._wire.lost.set()
                return
            if not self._wire._frozen:
                sink.write(data)
                await sink.drain()


async def _chunks(source, sink):
    try:
        while data := await source.read(262_144):
            yield data
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
