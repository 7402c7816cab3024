"""A way to the server that loses connections without a word: what a gate can't do to some of them and not to others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Self, TypeAlias

_CHUNK: Final = 64 * 1024

_Stream: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Tunnel:
    """Carries connections to a port of this machine, as an async context manager.

    A firewall or a router that restarts forgets what it carried: neither end is told, and each waits for the other. New
    connections are carried as if nothing had been.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._links: set[_Link] = set()
        self._forgotten: list[_Link] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for link in [*self._links, *self._forgotten]:
            link.end()

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None
        number: int = self._server.sockets[0].getsockname()[1]
        return number

    @property
    def standing(self) -> int:
        """How many connections it carries."""
        return len(self._links)

    def forget(self) -> None:
        """Carry nothing more of the connections that stand, and tell nobody."""
        for link in self._links:
            link.stop()
        self._forgotten += self._links
        self._links.clear()

    def mute(self) -> None:
        """Carry no more answers on the connections that stand, only what is sent to the server."""
        for link in self._links:
            link.mute()

    def drop(self) -> None:
        """End the connections that stand, and tell both ends."""
        for link in tuple(self._links):
            link.end()
        self._links.clear()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
        else:
            self._links.add(_Link((reader, writer), far, self._links.discard))


class _Link:
    """A connection: a task for each direction."""

    def __init__(self, near: _Stream, far: _Stream, on_end: Callable[[_Link], None]) -> None:
        self._writers = (near[1], far[1])
        self._on_end = on_end
        self._there = asyncio.create_task(self._pump(near[0], far[1]))
        self._back = asyncio.create_task(self._pump(far[0], near[1]))

    def stop(self) -> None:
        """Carry nothing, and keep both ends."""
        self._there.cancel()
        self._back.cancel()

    def mute(self) -> None:
        """Carry nothing back."""
        self._back.cancel()

    def end(self) -> None:
        """Reset both ends."""
        self.stop()
        for writer in self._writers:
            writer.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while part := await source.read(_CHUNK):
                sink.write(part)
                await sink.drain()
        self.end()
        self._on_end(self)
