"""A gate with TLS before a server that has none: it answers SSLRequest, takes the TLS off, and passes the rest on."""

import asyncio
import ssl
import struct
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

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

    def locked_key(self, password):
        """The client's key, which only a password opens."""
        key = load_pem_private_key(Path(self.client_key).read_bytes(), None)
        shape = (Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode()))
        return self._write("locked.key", trustme.Blob(key.private_bytes(*shape)))

    def revocations(self, *, server):
        """The authority's list of certificates that hold no more: with the server's on it, or without."""
        root = x509.load_pem_x509_certificate(self.authority.cert_pem.bytes())
        leaf = x509.load_pem_x509_certificate(self.server.cert_chain_pems[0].bytes())
        now = datetime.now(UTC)
        made = x509.CertificateRevocationListBuilder().issuer_name(root.subject)
        made = made.last_update(now - timedelta(days=1)).next_update(now + timedelta(days=1))
        if server:
            revoked = x509.RevokedCertificateBuilder().serial_number(leaf.serial_number).revocation_date(now)
            made = made.add_revoked_certificate(revoked.build())
        key = load_pem_private_key(self.authority.private_key_pem.bytes(), None)
        listed = made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
        return self._write(f"revoked-{server}.crl", trustme.Blob(listed))

    def _write(self, name, *pems):
        path = self.folder / name
        path.write_bytes(b"".join(pem.bytes() for pem in pems))
        path.chmod(0o600)
        return str(path)

    def context(self, *, asks_client=False, stranger=False):
        """A server's context; by a stranger, with a certificate that its own authority has signed."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (self.stranger.issue_cert("localhost") if stranger else self.server).configure_cert(context)
        context.set_alpn_protocols(["postgresql"])
        if asks_client:
            self.authority.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


class TlsGate:
    """A way to the server of `dsn` that takes TLS.

    Attributes:
        port: Where it listens, on this machine.
        ways: For each session that reached the server, `"tls"`, `"plain"` or `"direct tls"`.
    """

    def __init__(self, target, path, context, *, direct=False):
        self._target, self._path, self._context, self._direct = target, path, context, direct
        self._server = None
        self._tasks = set()
        self.port = 0
        self.ways = []

    def dsn(self, host="localhost", user="postgres", password="tell-nobody", *, before=(), **options):
        """The DSN by this gate, or by one of those `before` it that lets pass."""
        query = "&".join(f"{name}={value}" for name, value in options.items())
        hosts = ",".join(f"{host}:{gate.port}" for gate in (*before, self))
        return f"postgresql://{user}:{password}@{hosts}{self._path}{'?' if query else ''}{query}"

    async def open(self):
        context = self._context if self._direct else None
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=context)
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
        way = self._straight(writer) if self._direct else "plain"
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

    @staticmethod
    def _straight(writer):
        # PostgreSQL ends a session that begins with TLS and doesn't name its protocol there.
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "postgresql"
        return "direct tls"

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
async def gate_to(dsn, context, *, direct=False):
    """An open gate to the server of `dsn`; without a context it takes no TLS, `direct` none that is asked for first."""
    conn = await asyncpg.connect(dsn)
    target = conn._addr
    await conn.close()
    gate = TlsGate(target, urlsplit(dsn).path, context, direct=direct)
    await gate.open()
    try:
        yield gate
    finally:
        await gate.close()
