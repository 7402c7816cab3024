"""The console's door: who is let in, and what of what comes through it is read."""

import asyncio
import re
import socket
import struct
import threading
from contextlib import suppress

import pytest

from bridge.codecs import etf
from bridge.errors import DecodeError, NodeFailed
from bridge.testing.interop import console as console_module
from bridge.testing.interop.console import Console

PATIENCE = 60  # seconds for what should take milliseconds, on a busy machine


async def test_a_stranger_at_the_door_is_turned_away(monkeypatch):
    monkeypatch.setattr(console_module, "_GREETING", 600)  # none of them is waited for so long
    console = Console()
    port = int(console.script("127.0.0.1", owns=True).rpartition("port: ")[2].partition(",")[0])

    for greeting in (b"\x00\x00\x00\x20" + b"0" * 32, b"GET / HTTP/1.1\r\n\r\n", b"\xff\xff\xff\xff", b""):
        with socket.create_connection(("127.0.0.1", port)) as stranger:
            stranger.sendall(greeting)
            stranger.shutdown(socket.SHUT_WR)
            stranger.settimeout(PATIENCE)
            with suppress(ConnectionResetError):  # what it had said was not read
                assert await asyncio.to_thread(stranger.recv, 1) == b""

    assert not console.hello.done()
    console.close()


async def test_a_value_that_can_not_be_read_keeps_no_connection_open():
    others = threading.enumerate()
    console = Console()
    called = re.search(r'port: (\d+), token: "(\w+)"', console.script("127.0.0.1", owns=True))
    unreadable = etf.encode((etf.Atom("event"), "odd", b"\x83\x00"), "native")
    with socket.create_connection(("127.0.0.1", int(called[1]))) as node:
        for frame in (called[2].encode(), unreadable):
            node.sendall(struct.pack(">I", len(frame)) + frame)
        with pytest.raises(DecodeError) as kept:
            console.events.take("odd").result(PATIENCE)
    for thread in (each for each in threading.enumerate() if each not in others):
        await asyncio.to_thread(thread.join, PATIENCE)
    console.close()

    assert console._socket.fileno() == -1, kept  # the error holds the frames of the thread that read it


async def test_a_node_that_introduces_itself_after_its_end_was_noticed_is_heard_out():
    console = Console()
    called = re.search(r'port: (\d+), token: "(\w+)"', console.script("127.0.0.1", owns=True))
    console.end(NodeFailed("the node ended with 1"))
    with socket.create_connection(("127.0.0.1", int(called[1]))) as node:
        hello = etf.encode((etf.Atom("hello"), "1.18", "27", "1"), "native")
        event = etf.encode((etf.Atom("event"), "last", etf.encode(7, "native")), "native")
        for frame in (called[2].encode(), hello, event):
            node.sendall(struct.pack(">I", len(frame)) + frame)
        assert console.events.take("last").result(PATIENCE) == 7
    with pytest.raises(NodeFailed, match="ended with 1"):
        console.hello.result(PATIENCE)
    console.close()
