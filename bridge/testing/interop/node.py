"""One Elixir node: started, asked, frozen, cut off, killed and stopped."""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from bridge.errors import InvalidSetting, NodeError, NodeFailed, RemoteError
from bridge.testing.interop.console import Console, Hello
from bridge.testing.interop.gate import Gate
from bridge.testing.interop.runner import Boot, Process, Runner, check_environment

T = TypeVar("T")

#: All that were made and are still held, for whoever tells of a failed test.
LIVING: Final[weakref.WeakSet[ElixirNode]] = weakref.WeakSet()

_LAST_LINES: Final = 40
_ENDING: Final = 30.0  # seconds for a killed process to be gone

# Permanent, as in a release: a node whose application has ended ends too, and says so.
_START: Final = """
case Application.ensure_all_started(String.to_atom(app), :permanent) do
  {:ok, _apps} -> :ok
  {:error, {name, reason}} -> raise "#{name} did not start: " <> Application.format_error(reason)
end
"""
# Without this a release knows nothing of its settings before it starts, and then they would undo `config`.
_KNOW: Final = "Application.load(String.to_atom(app)); :ok"
_LOAD: Final = "Code.compile_string(source, file); :ok"
_READY: Final = "Bridge.Console.await(fn -> ({expression}) end, timeout)"


class ElixirNode:
    """A BEAM with an application that runs Oban, for a test.

    `async with ElixirNode(runner, dsn=…) as node` starts it and stops it; `with` does so in tests without an event
    loop, where `node.rpc_sync` asks. Every awaitable works from any loop. What it needs of the application is nothing:
    the harness brings its own end. The node reaches the database through a gate, which `disconnect` closes.

    Args:
        runner: How it is run: `Mix`, `Release`, `Containers` or `Running`.
        dsn: The database. Default: none is told, and there is nothing to disconnect.
        dsn_variable: The variable of its environment that tells the DSN.
        env: More of its environment.
        app: The application that is started; None starts none.
        config: Elixir that is evaluated before the application starts, such as `Application.put_env(…)`.
        load: Files of Elixir that are compiled before that, such as workers of a test.
        ready: Elixir that is true once the node may be used, asked until it is.
        boot_timeout: Seconds until it must be ready.

    Raises:
        InvalidSetting: One of these is nothing that a process can be started with.
        NodeError: The DSN is none, or a running node is to be given what it has already.
    """

    def __init__(
        self,
        runner: Runner,
        *,
        dsn: str | None = None,
        dsn_variable: str = "DATABASE_URL",
        env: Mapping[str, str] | None = None,
        app: str | None = None,
        config: str = "",
        load: Sequence[str | Path] = (),
        ready: str = "true",
        boot_timeout: float = 60.0,
    ) -> None:
        if not runner.owns and (dsn or env or config):
            raise NodeError("a running node has its own database, environment and configuration; leave these out")
        if dsn is not None:
            Gate(dsn)  # says what is wrong with it before anything is compiled
        check_environment({**(env or {}), **({dsn_variable: dsn} if dsn is not None else {})})
        if not 0 < boot_timeout < float("inf"):
            raise InvalidSetting("boot_timeout", boot_timeout, "seconds, more than 0")
        self._runner = runner
        self._dsn, self._dsn_variable = dsn, dsn_variable
        self._env = dict(env or {})
        self._app, self._config, self._ready = app, config, ready
        self._load = [Path(path) for path in load]
        self._boot_timeout = boot_timeout
        self._gate: Gate | None = None
        self._console: Console | None = None
        self._process: Process | None = None
        self._ended = threading.Event()
        self._booting = threading.Lock()  # held for as long as a start takes
        self._launching = threading.Lock()  # whoever gives a start up sees its process, or it isn't made
        self._status: int | None = None
        self._logs = ""
        self.hello: Hello | None = None
        LIVING.add(self)

    # Life

    async def start(self) -> Self:
        """Boot the node and return once it is ready; a stopped or killed one starts anew.

        Raises:
            NodeUnavailable: This machine lacks what runs it.
            NodeFailed: It did not build, boot or get ready; the message ends with the last lines that it wrote.
        """
        given_up = threading.Event()
        boot = asyncio.ensure_future(asyncio.to_thread(self._start, given_up))
        try:
            return await asyncio.shield(boot)
        except asyncio.CancelledError:
            boot.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # else asyncio logs it
            given_up.set()
            await asyncio.shield(asyncio.to_thread(self._abandon))
            raise

    async def stop(self, timeout: float = 30.0) -> None:
        """End it gracefully (SIGTERM), as a deployment does, and by force after `timeout` seconds."""
        await asyncio.to_thread(self._stop, timeout)

    async def kill(self) -> None:
        """End it at once (SIGKILL), as a crash does."""
        await asyncio.to_thread(self._kill)

    async def pause(self) -> None:
        """Freeze it: its connections stay open, and nothing answers until `resume`."""
        await asyncio.to_thread(lambda: self._started().pause())

    async def resume(self) -> None:
        """Let it go on."""
        await asyncio.to_thread(lambda: self._started().resume())

    async def disconnect(self) -> None:
        """Cut it off from the database, and refuse it until `reconnect`."""
        await asyncio.to_thread(self._cut().cut)

    async def reconnect(self) -> None:
        """Let it reach the database again."""
        await asyncio.to_thread(self._cut().mend)

    @property
    def gate(self) -> Gate:
        """The gate between the node and the database, for delays and half-open connections."""
        return self._cut()

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and not self._ended.is_set()

    def __repr__(self) -> str:
        state = f"pid {self.hello.pid}" if self.running and self.hello else "not running"
        return f"<ElixirNode {self._runner.name}, {state}>"

    def logs(self) -> str:
        """Return all that it wrote to standard output and error, in this life or its last."""
        return self._process.logs() if self._process is not None else self._logs

    # Questions

    async def rpc(self, expression: str, /, timeout: float = 30.0, **bindings: Any) -> Any:
        """Evaluate Elixir on the node and return the value, as `bridge.codecs.etf.decode` reads it.

        Args:
            expression: Elixir. The variables are fresh every time.
            timeout: Seconds to wait for the value; the node goes on evaluating after that.
            **bindings: Variables of the expression. Values cross as native terms: text as binaries, `etf.Atom` as
                atoms, tuples, dicts, datetimes.

        Raises:
            RemoteError: It raised, threw or exited; with Elixir's own message and trace.
            NodeFailed: The node ended before it answered.
            TimeoutError: It took longer.
            DecodeError: The value is no term that can be read.
        """
        asked = asyncio.wrap_future(self._ask(expression, bindings))
        async with asyncio.timeout(timeout):
            return await asked

    def rpc_sync(self, expression: str, /, timeout: float = 30.0, **bindings: Any) -> Any:
        """As `rpc`, for tests without an event loop."""
        return self._ask(expression, bindings).result(timeout)

    async def event(self, name: str, timeout: float = 10.0) -> Any:
        """Return the next term that Elixir code sent by `Bridge.Console.send(name, term)`; they wait in a queue.

        Raises:
            TimeoutError: None came within `timeout` seconds.
        """
        events = self._connected().events
        waited = events.take(name)
        try:
            async with asyncio.timeout(timeout):
                return await asyncio.wrap_future(waited)
        except asyncio.CancelledError:
            events.give_back(name, waited)
            raise
        except TimeoutError:
            events.give_back(name, waited)
            raise _no_event(name, timeout) from None
        except NodeFailed as error:
            raise await asyncio.to_thread(self._end_of_events, error) from error

    def event_sync(self, name: str, timeout: float = 10.0) -> Any:
        """As `event`, for tests without an event loop."""
        events = self._connected().events
        waited = events.take(name)
        try:
            return waited.result(timeout)
        except NodeFailed as error:
            raise self._end_of_events(error) from error
        except BaseException as error:
            if not waited.done() or waited.exception() is not error:  # it is ours, and not the event's
                events.give_back(name, waited)
            if isinstance(error, FutureTimeout):
                raise _no_event(name, timeout) from None
            raise

    # Contexts

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.shield(asyncio.to_thread(self._end))

    def __enter__(self) -> Self:
        return self._start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    # In a thread

    def _start(self, given_up: threading.Event | None = None) -> Self:
        if not self._booting.acquire(blocking=False):
            raise NodeError("this node is being started already")
        try:
            if self.running:
                raise NodeError("this node runs already; stop or kill it first")
            for path in self._load:
                if not path.is_file():
                    raise NodeError(f"load: there is no file {path}")
            self._release()
            self._runner.prepare()
            try:
                self._boot(time.monotonic() + self._boot_timeout, given_up or threading.Event())
            except BaseException:
                self._end()
                raise
        finally:
            self._booting.release()
        return self

    def _abandon(self) -> None:
        """End a boot that nobody awaits any more; one that still compiles ends itself after that."""
        with self._launching:
            process, console = self._process, self._console
        if process is None:
            return
        if self._runner.owns:
            process.kill()
        if console is not None:
            console.close()
        with self._booting:
            pass  # the thread has ended

    def _boot(self, deadline: float, given_up: threading.Event) -> None:
        if self._dsn is not None and self._gate is None:
            self._gate = Gate(self._dsn, self._runner.bind)
            self._gate.open()
        self._ended = threading.Event()
        console = self._console = Console(self._runner.bind)
        script = console.script(self._runner.address, owns=self._runner.owns)
        with self._launching:
            if given_up.is_set():
                raise NodeFailed("the start of this node was given up")
            self._process = self._runner.launch(Boot(script, self._environment()))
        threading.Thread(target=self._watch, args=(self._process, console), name="bridge-node", daemon=True).start()
        self.hello = self._until(deadline, console.hello, "did not connect to the harness")
        if self._app is not None and self._runner.owns:
            self._setup(deadline, _KNOW, app=self._app)
        for path in self._load:
            self._setup(deadline, _LOAD, source=path.read_text(), file=str(path))
        if self._config:
            self._setup(deadline, self._config)
        if self._app is not None and self._runner.owns:
            self._setup(deadline, _START, app=self._app)
        left = int(1000 * max(0.0, deadline - time.monotonic()))
        self._setup(deadline, _READY.format(expression=self._ready), timeout=left)

    def _setup(self, deadline: float, expression: str, **bindings: Any) -> None:
        try:
            self._until(deadline, self._connected().submit(expression, bindings), "was not ready")
        except RemoteError as error:
            raise self._failure(f"did not get ready: {error.banner}") from error

    def _until(self, deadline: float, future: Future[T], told: str) -> T:
        try:
            return future.result(max(0.0, deadline - time.monotonic()))
        except FutureTimeout as error:
            raise self._failure(f"{told} within {self._boot_timeout:g} s") from error
        except NodeFailed as error:
            # The exit status says more than that the connection is gone.
            self._ended.wait(5.0 if self._runner.owns else 0.0)
            raise self._failure("ended while it booted" if self._ended.is_set() else str(error)) from error

    def _watch(self, process: Process, console: Console) -> None:
        try:
            self._status = process.wait()
        finally:
            self._ended.set()
            console.end(NodeFailed(f"the node ended with {self._status}"))

    def _stop(self, timeout: float) -> None:
        process = self._started()
        process.resume()
        process.terminate()
        if not self._ended.wait(timeout):
            process.kill()
            self._ended.wait()

    def _kill(self) -> None:
        self._started().kill()
        self._ended.wait()

    def _end(self) -> None:
        try:
            if self._process is not None and self._runner.owns:
                self._process.kill()
                self._ended.wait(_ENDING)
        finally:
            self._release()
            gate, self._gate = self._gate, None
            if gate is not None:
                gate.close()

    def _release(self) -> None:
        console, self._console = self._console, None
        process, self._process = self._process, None
        if console is not None:
            console.close()
        if process is not None:
            try:
                self._logs = process.logs()
            except NodeFailed as error:  # the engine of a container is gone
                self._logs = str(error)
            process.close()

    # What there is

    def _ask(self, expression: str, bindings: Mapping[str, Any]) -> Future[Any]:
        return self._connected().submit(expression, bindings)

    def _connected(self) -> Console:
        if self._console is None:
            raise NodeFailed("the node is not running; start it first")
        return self._console

    def _started(self) -> Process:
        with self._launching:  # a process may run before the call that launches it has returned
            process = self._process
        if process is None or self._ended.is_set():
            raise NodeFailed("the node is not running; start it first")
        return process

    def _cut(self) -> Gate:
        if self._gate is None:
            raise NodeError("there is no gate to this node's database: it was started without dsn=, or by another")
        return self._gate

    def _environment(self) -> dict[str, str]:
        if self._gate is None:
            return self._env
        return {self._dsn_variable: self._gate.url(self._runner.address), **self._env}

    def _end_of_events(self, error: NodeFailed) -> NodeFailed:
        if self._runner.owns and self._ended.wait(5.0):
            return self._failure("ended while an event was awaited")
        return error

    def _failure(self, told: str) -> NodeFailed:
        last = "\n".join(self.logs().strip().splitlines()[-_LAST_LINES:])
        status = f" (exit status {self._status})" if self._ended.is_set() else ""
        return NodeFailed(f"the Elixir node ({self._runner.name}) {told}{status}\n{last}".rstrip())


def _no_event(name: str, timeout: float) -> TimeoutError:
    return TimeoutError(f"no event {name!r} came from the node within {timeout:g} s")
