"""A pooler in transaction mode: clients share sessions of the server, each for the length of a transaction."""

import asyncio
import struct
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import asyncpg

_SSL, _CANCEL = 80877103, 80877102


class Pooler:
    """Speaks just enough of PostgreSQL's protocol to hand its sessions around, the last one used first."""

    def __init__(self, target, dsn, sessions):
        self._target = target
        self._dsn = dsn
        self._count = sessions
        self._free = asyncio.LifoQueue()
        self._writers = []
        self._tasks = set()
        self._hello = b""

    @property
    def dsn(self):
        parts = urlsplit(self._dsn)
        port = self._server.sockets[0].getsockname()[1]
        return f"postgresql://{parts.username or 'postgres'}@127.0.0.1:{port}{parts.path}"

    async def open(self):
        for _ in range(self._count):
            reader, writer = await self._connect()
            self._writers.append(writer)
            self._free.put_nowait((reader, writer))
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def close(self):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _connect(self):
        if isinstance(self._target, str):
            reader, writer = await asyncio.open_unix_connection(self._target)
        else:
            reader, writer = await asyncio.open_connection(*self._target)
        parts = urlsplit(self._dsn)
        fields = ["user", parts.username or "postgres", "database", parts.path[1:]]
        body = struct.pack("!i", 196608) + b"".join(field.encode() + b"\0" for field in fields) + b"\0"
        writer.write(struct.pack("!i", len(body) + 4) + body)
        hello = b""
        while (message := await _message(reader))[:1] != b"Z":
            assert message[:1] != b"E", message
            hello += message if message[:1] != b"K" else b""
        self._hello = hello + b"K" + struct.pack("!iii", 12, 1, 1) + message  # no process of the server's
        return reader, writer

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._writers.append(writer)
        with suppress(asyncio.IncompleteReadError, OSError):
            while (code := await _startup(reader)) == _SSL:
                writer.write(b"N")
            if code != _CANCEL:
                writer.write(self._hello)
                await self._relay(reader, writer)
        writer.close()

    async def _relay(self, reader, writer):
        asked = asyncio.Queue()
        reading = asyncio.create_task(_read_into(asked, reader))
        try:
            while (message := await asked.get())[:1] not in (b"X", b""):
                session = await self._free.get()
                try:
                    await _transaction(message, asked, writer, *session)
                finally:
                    self._free.put_nowait(session)
        finally:
            reading.cancel()


async def _read_into(asked, reader):
    with suppress(asyncio.IncompleteReadError, OSError):
        while True:
            asked.put_nowait(await _message(reader))
    asked.put_nowait(b"")  # the client has gone


async def _transaction(message, asked, writer, far_reader, far_writer):
    """Carry everything back and forth until the server says that no transaction is open."""

    async def carry():
        while True:
            far_writer.write(await asked.get())

    far_writer.write(message)
    carrying = asyncio.create_task(carry())
    try:
        while not (answer := await _message(far_reader)).startswith(b"Z") or not answer.endswith(b"I"):
            writer.write(answer)
        writer.write(answer)
    finally:
        carrying.cancel()


async def _message(reader):
    head = await reader.readexactly(5)
    return head + await reader.readexactly(struct.unpack("!i", head[1:])[0] - 4)


async def _startup(reader):
    [length] = struct.unpack("!i", await reader.readexactly(4))
    return struct.unpack("!i", (await reader.readexactly(length - 4))[:4])[0]


@asynccontextmanager
async def transaction_pooler(dsn, sessions=2):
    """A pooler in transaction mode before the server of `dsn`."""
    conn = await asyncpg.connect(dsn)
    target = conn._addr
    await conn.close()
    pooler = Pooler(target, dsn, sessions)
    await pooler.open()
    try:
        yield pooler
    finally:
        await pooler.close()
