"""A gate with TLS before a server that has none: it answers SSLRequest, takes the TLS off, and passes the rest on."""

import asyncio
import ssl
import struct
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import asyncpg
import trustme

#: What a client begins with, in place of a protocol version.
SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST = 80877103, 80877104, 80877102


class Certificates:
    """An authority, a server's certificate for `localhost`, and a client's; and an authority that nobody knows."""

    def __init__(self, folder):
        self.folder = folder
        self.authority, self.stranger = trustme.CA(), trustme.CA()
        self.root = self._write("root.crt", self.authority.cert_pem)
        self.other_root = self._write("other.crt", self.stranger.cert_pem)
        self.server = self.authority.issue_cert("localhost")
        client = self.authority.issue_cert("ada@example.org")
        self.client_cert = self._write("client.crt", *client.cert_chain_pems)
        self.client_key = self._write("client.key", client.private_key_pem)

    def _write(self, name, *pems):
        path = self.folder / name
        path.write_bytes(b"".join(pem.bytes() for pem in pems))
        path.chmod(0o600)
        return str(path)

    def context(self, *, asks_client=False):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.configure_cert(context)
        if asks_client:
            self.authority.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


class TlsGate:
    """A way to the server of `dsn` that takes TLS.

    Attributes:
        port: Where it listens, on this machine.
        ways: For each session that reached the server, `"tls"` or `"plain"`.
    """

    def __init__(self, target, path, context):
        self._target, self._path, self._context = target, path, context
        self._server = None
        self._tasks = set()
        self.port = 0
        self.ways = []

    def dsn(self, host="localhost", user="postgres", password="tell-nobody", **options):
        query = "&".join(f"{name}={value}" for name, value in options.items())
        return f"postgresql://{user}:{password}@{host}:{self.port}{self._path}{'?' if query else ''}{query}"

    async def open(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self):
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            await self._serve(reader, writer)
        except (OSError, ssl.SSLError, EOFError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _serve(self, reader, writer):
        way = "plain"
        while True:
            start = await reader.readexactly(8)
            length, code = struct.unpack("!II", start)
            if code not in (SSL_REQUEST, GSS_REQUEST):
                break
            takes = code == SSL_REQUEST and self._context is not None and way == "plain"
            writer.write(b"S" if takes else b"N")
            await writer.drain()
            if takes:
                await writer.start_tls(self._context)
                way = "tls"
        start += await reader.readexactly(length - 8)
        if code != CANCEL_REQUEST:
            self.ways.append(way)
        await self._pass_on(start, reader, writer)

    async def _pass_on(self, start, reader, writer):
        if isinstance(self._target, str):
            far_reader, far_writer = await asyncio.open_unix_connection(self._target)
        else:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        far_writer.write(start)
        pumps = [asyncio.create_task(_pump(*ends)) for ends in ((reader, far_writer), (far_reader, writer))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            far_writer.close()
            with suppress(OSError):
                await far_writer.wait_closed()


async def _pump(source, sink):
    with suppress(OSError):
        while data := await source.read(262_144):
            sink.write(data)
            await sink.drain()


@asynccontextmanager
async def gate_to(dsn, context):
    """An open gate to the server of `dsn`; without a context it takes no TLS."""
    conn = await asyncpg.connect(dsn)
    target = conn._addr
    await conn.close()
    gate = TlsGate(target, urlsplit(dsn).path, context)
    await gate.open()
    try:
        yield gate
    finally:
        await gate.close()
