"""Notifiers on a real server, and a wire between them that can be cut or frozen."""

import asyncio
from contextlib import asynccontextmanager, suppress

import asyncpg

from bridge.pubsub.notifier import Notifier
from bridge.pubsub.timing import Timing

QUICK = Timing(probe_interval=30, timeout=5, first_delay=0.01, longest_delay=0.05)
IDENT = "Oban.py@host-a"


class Inbox(asyncio.Queue):
    """A callback that keeps what it was called with."""

    def __call__(self, channel, payload):
        self.put_nowait((channel, payload))

    async def next(self):
        async with asyncio.timeout(10):
            return await self.get()

    async def payloads(self, count):
        return [(await self.next())[1] for _ in range(count)]


class Sender:
    """Sends any text on any channel, as another program would."""

    def __init__(self, connection):
        self.connection = connection

    async def publish(self, channel, texts):
        # A statement each: equal texts of one transaction are delivered once.
        for text in texts:
            await self.connection.execute("select pg_notify($1, $2)", channel, text)

    async def end_listeners(self):
        """End every connection that has listened, as an administrator or a failover would."""
        statement = """
            select pg_terminate_backend(pid)
            from pg_stat_activity
            where datname = current_database()
              and pid <> pg_backend_pid()
              and backend_type = 'client backend'
        """
        return len(await self.connection.fetch(statement))

    async def others(self):
        """Return how many other connections the database has."""
        statement = """
            select count(*)
            from pg_stat_activity
            where datname = current_database()
              and pid <> pg_backend_pid()
              and backend_type = 'client backend'
        """
        return await self.connection.fetchval(statement)


@asynccontextmanager
async def sending(dsn):
    connection = await asyncpg.connect(dsn)
    try:
        yield Sender(connection)
    finally:
        await connection.close()


def make(dsn, sender, *, connect=None, prefix="public", ident=IDENT, timing=QUICK, **options):
    return Notifier(
        connect=connect or (lambda: asyncpg.connect(dsn)),
        publish=sender.publish,
        prefix=prefix,
        ident=ident,
        timing=timing,
        **options,
    )


@asynccontextmanager
async def listening(dsn, **options):
    """A started notifier and the sender that it publishes through."""
    async with sending(dsn) as sender:
        notifier = make(dsn, sender, **options)
        await notifier.start()
        try:
            yield notifier, sender
        finally:
            await notifier.stop()


class Wire:
    """A TCP proxy to the server of a DSN."""

    def __init__(self, target):
        self._target = target
        self._server = None
        self._frozen = asyncio.Event()
        self._pumps = set()
        self.port = 0

    async def open(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self):
        """Refuse connections, and end those that stand."""
        self._server.close()
        await self._end_pumps()

    def freeze(self):
        """Let the connections that stand swallow everything from now on; new ones work."""
        self._frozen.set()
        self._frozen = asyncio.Event()

    async def _end_pumps(self):
        pumps = tuple(self._pumps)
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)

    async def _accept(self, reader, writer):
        if isinstance(self._target, str):
            far_reader, far_writer = await asyncio.open_unix_connection(self._target)
        else:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            pump = asyncio.create_task(_pump(source, sink, self._frozen))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)


async def _pump(source, sink, frozen):
    try:
        while data := await source.read(65_536):
            if not frozen.is_set():
                sink.write(data)
                await sink.drain()
    except OSError:
        pass
    finally:
        sink.close()
        with suppress(OSError):
            await sink.wait_closed()


@asynccontextmanager
async def wire_to(dsn):
    """An open wire, and a `connect` that goes through it."""
    connection = await asyncpg.connect(dsn)
    target = connection._addr
    await connection.close()
    wire = Wire(target)
    await wire.open()
    try:
        yield wire, lambda: asyncpg.connect(dsn, host="127.0.0.1", port=wire.port)
    finally:
        await wire.cut()
