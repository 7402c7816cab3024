"""The pipe between a parent and a child: messages in frames, a length before each."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Final

import msgspec

#: Bytes of a frame's length.
_LENGTH: Final = 4

#: Seconds since the last write after which a message is written at once, and not together with those that follow.
_QUIET: Final = 0.001

_encode: Final = msgspec.msgpack.Encoder().encode


def frame(message: Any) -> bytes:
    """Return a message as it goes through the pipe.

    Raises:
        OverflowError: It is longer than 4 GiB.
    """
    encoded = _encode(message)
    return len(encoded).to_bytes(_LENGTH) + encoded


def receive(sock: socket.socket, kind: Any) -> Any:
    """Return the next message, for code that has no event loop yet.

    Raises:
        EOFError: The other end was closed.
    """
    length = int.from_bytes(_receive_exactly(sock, _LENGTH))
    return msgspec.msgpack.decode(_receive_exactly(sock, length), type=kind)


def _receive_exactly(sock: socket.socket, length: int) -> bytes:
    found = bytearray()
    while len(found) < length:
        part = sock.recv(min(length - len(found), 1_048_576))
        if not part:
            raise EOFError("the other end of the pipe was closed")
        found += part
    return bytes(found)


class Channel(asyncio.Protocol):
    """One end of the pipe on an event loop.

    Args:
        kind: The messages that come in, as a type.
        on_message: Gets each of them.
        on_closed: Called once the other end is gone, after the last message.
    """

    def __init__(self, kind: Any, on_message: Callable[[Any], None], on_closed: Callable[[], None]) -> None:
        self._decode = msgspec.msgpack.Decoder(kind).decode
        self._on_message = on_message
        self._on_closed = on_closed
        self._transport: Any = None
        self._loop = asyncio.get_running_loop()
        self._unread = bytearray()
        self._unsent: list[bytes] = []
        self._written_at = 0.0

    async def open(self, sock: socket.socket) -> None:
        """Begin to send and to hear; the socket is the channel's from now on."""
        sock.setblocking(False)
        await self._loop.create_unix_connection(lambda: self, sock=sock)

    def send(self, message: Any) -> None:
        """Send a message; those of one round of the event loop go together. Once the pipe is closed, it is lost."""
        self._unsent.append(frame(message))
        if self._loop.time() - self._written_at > _QUIET:
            self._flush()
        elif len(self._unsent) == 1:
            self._loop.call_soon(self._flush)

    def close(self) -> None:
        """Send what is left, and close this end."""
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def _flush(self) -> None:
        if self._transport is None or not self._unsent:
            return
        whole, self._unsent = b"".join(self._unsent), []
        if not self._transport.is_closing():
            self._transport.write(whole)
        self._written_at = self._loop.time()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: D102 - asyncio.Protocol's
        self._transport = transport
        self._flush()

    def data_received(self, data: bytes) -> None:  # noqa: D102 - asyncio.Protocol's
        unread = self._unread
        unread += data
        start = 0
        while (begin := start + _LENGTH) <= len(unread):
            end = begin + int.from_bytes(unread[start:begin])
            if end > len(unread):
                break
            self._on_message(self._decode(bytes(unread[begin:end])))
            start = end
        del unread[:start]

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: D102 - asyncio.Protocol's
        self._on_closed()
