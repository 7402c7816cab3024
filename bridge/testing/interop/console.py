"""The harness's end of a node's console: it listens, and asks the node that connects to evaluate Elixir."""

from __future__ import annotations

import hmac
import itertools
import queue
import secrets
import socket
import struct
import threading
from collections.abc import Mapping
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from bridge.codecs import etf
from bridge.errors import NodeFailed, RemoteError
from bridge.testing.interop.events import Events, Outcome

#: Starts the console in a BEAM whose environment holds its source.
EVALUATE: Final = 'Code.eval_string(Base.decode64!(System.fetch_env!("BRIDGE_CONSOLE")))'

_SOURCE: Final = Path(__file__).with_name("console.exs")
_LENGTH: Final = struct.Struct(">I")
_ROOMY: Final = etf.Limits(size=2**31, inflated=2**31, elements=2**31)  # what comes is from a node of the tests
_GREETING: Final = 10.0  # seconds in which whoever connects must show the token


class Hello(NamedTuple):
    """How a node introduces itself: versions as text, and its process number where it runs."""

    elixir: str
    otp: str
    pid: str


class Console:
    """Takes one connection, that of the node with the token, and talks with it from any thread.

    Attributes:
        hello: Done with the node's `Hello` once it has connected.
        events: What the node sends by `Bridge.Console.send(name, term)`.
    """

    def __init__(self, bind: str = "127.0.0.1") -> None:
        self.hello: Future[Hello] = Future()
        self.events = Events()
        self._token = secrets.token_hex(16)
        self._listener = socket.create_server((bind, 0))
        self._socket: socket.socket | None = None
        self._asked: dict[int, Future[Any]] = {}
        self._ended: NodeFailed | None = None
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        threading.Thread(target=self._serve, name="bridge-console", daemon=True).start()

    def script(self, address: str, *, owns: bool) -> str:
        """Return the Elixir source that connects a node to this console."""
        port = self._listener.getsockname()[1]
        options = f'%{{host: "{address}", port: {port}, token: "{self._token}", owns: {str(owns).lower()}}}'
        # Another test may have left its console in a node that already runs.
        quiet = "Code.put_compiler_option(:ignore_module_conflict, true)"
        return f"{quiet}\n{_SOURCE.read_text()}\nBridge.Console.main({options})\n"

    def submit(self, code: str, bindings: Mapping[str, Any]) -> Future[Any]:
        """Have `code` evaluated with `bindings` as its variables; the future holds its value or `RemoteError`."""
        number = next(self._numbers)
        request = etf.encode([number, code, dict(bindings)], "native", field="bindings")
        future: Future[Any] = Future()
        with self._lock:
            if self._ended is not None or self._socket is None:
                raise self._ended or NodeFailed("the node is not connected")
            self._asked[number] = future
            self._outgoing.put(request)  # a paused node takes no more than some megabytes, and the caller may be a loop
        return future

    def end(self, reason: NodeFailed) -> None:
        """Fail whatever is awaited: the node has ended."""
        with self._lock:
            self._ended = self._ended or reason
            asked, self._asked = list(self._asked.values()), {}
        for future in (self.hello, *asked):
            with suppress(InvalidStateError):
                future.set_exception(reason)

    def close(self) -> None:
        """Stop listening, and hang up."""
        reason = NodeFailed("the node was stopped")
        self.end(reason)
        self.events.end(reason)
        for each in (self._listener, self._socket):
            if each is not None:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits on it
                each.close()

    # In the threads

    def _serve(self) -> None:
        reason = NodeFailed("the connection to the node's console was lost")
        try:
            with self._take() as reader:  # it holds the connection open, too
                threading.Thread(target=self._write, name="bridge-console-write", daemon=True).start()
                while (frame := _read_frame(reader)) is not None:
                    self._hear(frame)
                reason = NodeFailed("the node closed its console")
        except (OSError, ValueError):
            pass  # the reason says so
        finally:
            self.end(reason)
            self.events.end(reason)
            self._outgoing.put(None)

    def _write(self) -> None:
        assert self._socket is not None  # noqa: S101 - taken before this thread began
        with suppress(OSError):  # the reader tells of it
            while (request := self._outgoing.get()) is not None:
                self._socket.sendall(_LENGTH.pack(len(request)) + request)

    def _take(self) -> Any:
        while True:
            taken, _ = self._listener.accept()
            taken.settimeout(_GREETING)
            reader = taken.makefile("rb")
            with suppress(OSError):
                greeting = _read_frame(reader, most=1_000)
                if greeting is not None and hmac.compare_digest(greeting, self._token.encode()):
                    taken.settimeout(None)
                    taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._socket = taken
                    return reader
            reader.close()
            taken.close()

    def _hear(self, frame: bytes) -> None:
        # A value is a term of its own within the frame, so that one we can't read breaks nothing else.
        match etf.decode(frame, limits=_ROOMY):
            case ("hello", *said):
                with suppress(InvalidStateError):  # the node has ended since it said so
                    self.hello.set_result(Hello(*map(str, said)))
            case ("event", name, term):
                self.events.put(str(name), _read_term(term))
            case ("reply", number, answer):
                self._settle(number, answer)

    def _settle(self, number: int, answer: Any) -> None:
        with self._lock:
            future = self._asked.pop(number, None)
        if future is None or not future.set_running_or_notify_cancel():
            return
        match answer:
            case ("ok", packed):
                term, error = _read_term(packed)
                future.set_exception(error) if error is not None else future.set_result(term)
            case ("error", banner, trace):
                future.set_exception(RemoteError(str(banner), str(trace)))


def _read_term(packed: bytes) -> Outcome:
    try:
        return Outcome(etf.decode(packed, limits=_ROOMY))
    except Exception as error:  # whatever it is, it is of whoever awaits the term
        return Outcome(None, error)


def _read_frame(reader: Any, most: int = 2**31) -> bytes | None:
    head = reader.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (size,) = _LENGTH.unpack(head)
    if size > most:
        return None
    frame: bytes = reader.read(size)
    return frame if len(frame) == size else None
