"""What carries the bytes of a gate: one thread, and a selector over all its connections."""

from __future__ import annotations

import logging
import queue
import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Final, TypeAlias

from bridge.errors import NodeError

#: A host and a port, or the path of a Unix socket.
Address: TypeAlias = tuple[str, int] | str

_log: Final = logging.getLogger(__name__)

_CHUNK: Final = 256 * 1024
_HELD: Final = 4 * 1024 * 1024  # bytes that a direction may hold back before its source has to wait
_PATIENCE: Final = 10.0  # seconds for the server to take a connection
_RESET: Final = struct.pack("ii", 1, 0)  # linger for 0 s: a close that tells of a reset
_READ: Final = selectors.EVENT_READ
_WRITE: Final = selectors.EVENT_WRITE


class Ferry:
    """Takes connections on a port and carries their bytes to and from a server, as a test asks.

    Its methods hand what is to be done to the thread, and wait until it is done.

    Attributes:
        port: Where it listens.
        taken: How many connections it has taken.
        listener: What it listens with; None where it refuses connections.
        frozen: Whether it carries nothing.
    """

    def __init__(self, bind: str, servers: Sequence[Address]) -> None:
        self._bind, self._servers = bind, servers
        self._keeper = _bound(bind, 0)
        self.port: int = self._keeper.getsockname()[1]
        self.taken = 0
        self.listener: socket.socket | None = None
        self.frozen = False
        self._delay = 0.0
        self._open = True
        self._links: set[_Link] = set()
        self._late: set[_Link] = set()  # those that hold what is not due yet
        self._new: set[socket.socket] = set()  # taken, with no connection to the server yet
        self._room = memoryview(bytearray(_CHUNK))
        self._asked: queue.SimpleQueue[tuple[Callable[[], None], Future[None]]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._counted = threading.Lock()  # held while a connection is in neither set, or in both
        self._selector = selectors.DefaultSelector()
        self._ear, self._bell = socket.socketpair()
        self._watch(self._ear, _READ, self._obey)
        self._mend()
        self._thread = threading.Thread(target=self._run, name="bridge-gate", daemon=True)
        self._thread.start()

    # From any thread

    def stop(self) -> None:
        """End everything."""
        self._do(self._stop)
        self._thread.join()

    def cut(self) -> None:
        """Refuse connections, and reset those that stand."""
        self._do(self._cut)

    def mend(self) -> None:
        """Take connections."""
        self._do(self._mend)

    def drop(self) -> None:
        """Reset the connections that stand."""
        self._do(self._drop)

    def freeze(self) -> None:
        """Carry nothing."""
        self._do(partial(self._freeze, frozen=True))

    def thaw(self) -> None:
        """Carry on."""
        self._do(partial(self._freeze, frozen=False))

    def delay(self, seconds: float) -> None:
        """Carry what comes from now on so much later."""
        self._do(partial(setattr, self, "_delay", seconds))

    @property
    def standing(self) -> int:
        """How many connections stand."""
        with self._counted:
            return len(self._links) + len(self._new)

    def _do(self, act: Callable[[], None]) -> None:
        done: Future[None] = Future()
        with self._lock:
            if not self._open:
                raise NodeError("the gate was closed")
            self._asked.put((act, done))
            self._bell.send(b".")
        done.result()

    # In the thread

    def _run(self) -> None:
        try:
            while self._open:
                for key, events in self._selector.select(self._pause()):
                    key.data(events)
                for link in tuple(self._late):
                    self._carry(link)
        finally:
            self._end()

    def _pause(self) -> float | None:
        if self.frozen or not self._late:
            return None
        return max(0.0, min(link.due() for link in self._late) - time.monotonic())

    def _obey(self, _: int) -> None:
        self._ear.recv(1)
        act, done = self._asked.get()
        try:
            act()
        except BaseException as error:
            done.set_exception(error)
        else:
            done.set_result(None)

    def _stop(self) -> None:
        self._open = False

    def _end(self) -> None:
        with self._lock:  # whoever asks from now on is told that it is closed
            self._open = False
        self._cut()
        for each in (self._keeper, self._ear, self._bell, self._selector):
            each.close()
        with suppress(queue.Empty):
            while True:
                self._asked.get_nowait()[1].set_exception(NodeError("the gate was closed"))

    def _freeze(self, *, frozen: bool) -> None:
        self.frozen = frozen
        self._listen()
        for link in tuple(self._links):
            self._carry(link)

    def _mend(self) -> None:
        if self.listener is None:
            self.listener = _bound(self._bind, self.port)
            self.listener.listen(512)
            self._listen()

    def _cut(self) -> None:
        if self.listener is not None:
            self._watch(self.listener, 0)
            self.listener.close()
            self.listener = None
        self._drop()

    def _drop(self) -> None:
        for near in tuple(self._new):
            self._new.discard(near)
            _reset(near)
        for link in tuple(self._links):
            self._break(link)

    def _listen(self) -> None:
        if self.listener is not None:
            self._watch(self.listener, 0 if self.frozen else _READ, self._accept)

    def _accept(self, _: int) -> None:
        if self.listener is None:
            return
        with suppress(OSError):  # it is gone already
            near, _peer = self.listener.accept()
            self.taken += 1
            self._new.add(near)
            # A server that doesn't answer must not hold up the others.
            threading.Thread(target=self._reach, args=(near,), name="bridge-gate-connect", daemon=True).start()

    def _reach(self, near: socket.socket) -> None:
        far = _connected(self._servers)
        try:
            self._do(partial(self._join, near, far))
        except NodeError:
            if far is not None:
                far.close()

    def _join(self, near: socket.socket, far: socket.socket | None) -> None:
        wanted = near in self._new
        if far is not None and wanted:
            link = _Link(near, far)
            with self._counted:
                self._new.discard(near)
                self._links.add(link)
            self._carry(link)
            return
        self._new.discard(near)
        for each in (near, far):
            if each is not None:
                _reset(each)

    def _carry(self, link: _Link, source: socket.socket | None = None, events: int = 0) -> None:
        """Move what can be moved, and see to it that we hear of the rest."""
        if link not in self._links:
            return  # it broke in this very round
        try:
            if events & _READ and source is not None:
                link.take(source, self._room, self._delay)
            waits = not self.frozen and link.give()
        except OSError:
            self._break(link)
            return
        if link.over():
            self._break(link)
            return
        (self._late.add if waits else self._late.discard)(link)
        for end in link.ends:
            self._watch(end, 0 if self.frozen else link.wanted(end), partial(self._carry, link, end))

    def _break(self, link: _Link) -> None:
        self._links.discard(link)
        self._late.discard(link)
        for end in link.ends:
            self._watch(end, 0)
            if link.over():
                end.close()
            else:
                _reset(end)

    def _watch(self, which: socket.socket, events: int, call: Callable[[int], None] | None = None) -> None:
        try:
            known = self._selector.get_key(which)
        except KeyError:
            if events:
                self._selector.register(which, events, call)
            return
        if not events:
            self._selector.unregister(which)
        elif known.events != events:
            self._selector.modify(which, events, known.data)


class _Pipe:
    """One direction of a connection, with what was read and is not delivered yet, and when each part is due."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source, self.sink = source, sink
        self.held: deque[tuple[float, memoryview]] = deque()
        self.size = 0
        self.ended = False  # the source has no more
        self.done = False  # and the sink knows

    def take(self, room: memoryview, delay: float) -> None:
        """Read once; it is passed on at once where nothing holds it back."""
        try:
            size = self.source.recv_into(room)
        except BlockingIOError:
            return
        sent = 0
        if not size:
            self.ended = True
        elif not delay and not self.held:
            sent = _send(self.sink, room[:size])
        if sent < size or self.ended:  # an end is a part without bytes
            self.held.append((time.monotonic() + delay, memoryview(bytes(room[sent:size]))))
            self.size += size - sent

    def give(self) -> None:
        """Deliver what is due."""
        now = time.monotonic()
        while self.held and self.held[0][0] <= now:
            due, part = self.held.popleft()
            if not part:
                self.done = True
                with suppress(OSError):  # it ended as well
                    self.sink.shutdown(socket.SHUT_WR)
                return
            sent = _send(self.sink, part)
            self.size -= sent
            if sent < len(part):
                self.held.appendleft((due, part[sent:]))
                return


class _Link:
    """A connection: the node's end, the server's, and a pipe each way."""

    def __init__(self, near: socket.socket, far: socket.socket) -> None:
        self.ends = (near, far)
        for end in self.ends:
            end.setblocking(False)
            if end.family != socket.AF_UNIX:
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._pipes = (_Pipe(near, far), _Pipe(far, near))

    def take(self, source: socket.socket, room: memoryview, delay: float) -> None:
        """Read from one end."""
        self._pipes[self.ends.index(source)].take(room, delay)

    def give(self) -> bool:
        """Deliver what is due; return whether something is not."""
        for pipe in self._pipes:
            pipe.give()
        now = time.monotonic()
        return any(pipe.held and pipe.held[0][0] > now for pipe in self._pipes)

    def due(self) -> float:
        """Return when the next part that is not due yet will be."""
        now = time.monotonic()
        return min((pipe.held[0][0] for pipe in self._pipes if pipe.held and pipe.held[0][0] > now), default=now)

    def over(self) -> bool:
        """Return whether both ends know that it ended."""
        return all(pipe.done for pipe in self._pipes)

    def wanted(self, end: socket.socket) -> int:
        """Return for which events of an end the selector should wait."""
        first, second = self._pipes if end is self.ends[0] else self._pipes[::-1]
        reads = _READ if not first.ended and first.size < _HELD else 0
        writes = _WRITE if second.held and second.held[0][0] <= time.monotonic() else 0
        return reads | writes


def _bound(bind: str, port: int) -> socket.socket:
    """Return a socket of that address; another one of ours on the same port keeps it while none listens."""
    made = socket.socket(socket.AF_INET6 if ":" in bind else socket.AF_INET)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind((bind, port))
    except OSError as error:
        made.close()
        raise NodeError(
            f"the gate can't listen on {bind}: {error.strerror or error}; name an address of this machine"
        ) from error
    made.setblocking(False)
    return made


def _connected(servers: Sequence[Address]) -> socket.socket | None:
    trouble: list[str] = []
    for address in servers:
        try:
            return _connect(address)
        except OSError as error:
            trouble.append(f"{address}: {error.strerror or error}")
    _log.warning("the gate could not reach PostgreSQL, and ended a connection: %s", "; ".join(trouble))
    return None


def _connect(address: Address) -> socket.socket:
    if isinstance(address, tuple):
        return socket.create_connection(address, _PATIENCE)
    made = socket.socket(socket.AF_UNIX)
    try:
        made.settimeout(_PATIENCE)
        made.connect(address)
    except OSError:
        made.close()
        raise
    else:
        return made


def _send(sink: socket.socket, part: memoryview) -> int:
    try:
        return sink.send(part)
    except BlockingIOError:
        return 0


def _reset(end: socket.socket) -> None:
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    end.close()
