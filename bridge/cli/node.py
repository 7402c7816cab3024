"""The process that `bridge start` becomes: a node that runs queues until a signal ends it."""

from __future__ import annotations

import asyncio
import errno
import logging
import math
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg

from bridge.address import mask_password
from bridge.cli import streams
from bridge.cli.imports import import_workers
from bridge.cli.logs import log_event, set_up_logging
from bridge.cli.sections import values_of
from bridge.cli.target import embedded_dsn, remember, where_from
from bridge.config import Setting, default_node, load_settings
from bridge.cron import load_crontab, parse_cron
from bridge.errors import InvalidSetting, SchemaError
from bridge.jobs import registry
from bridge.maintenance import Service
from bridge.oban import Oban
from bridge.queues import parse_queues
from bridge.queues.backoff import RetryDelay
from bridge.queues.loop import loop_factory

logger = logging.getLogger("bridge")

#: The server is starting, stopping, full or not there yet: worth waiting for.
_NOT_YET: Final = (
    ConnectionError,
    TimeoutError,
    FileNotFoundError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.PostgresConnectionError,
)

#: The same, as the network has it: no way leads to the server, or its machine is off.
_NO_WAY: Final = frozenset({
    errno.EADDRNOTAVAIL, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETUNREACH, errno.ETIMEDOUT,
})  # fmt: skip

#: Somebody else may still have to make the database, Oban's tables in it or its host's name; or a standby is about to
#: take over, and until then no server takes writes.
_NOT_MADE: Final = (
    asyncpg.InvalidCatalogNameError,
    asyncpg.TargetServerAttributeNotMatched,
    SchemaError,
    socket.gaierror,
)

_LAST_WORDS = 1.0  # seconds that cancelled tasks may take to end
_TELL = 25.0  # seconds after which it is told again what a node waits for


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that can be known of a node before it starts.

    Attributes:
        settings: Its settings, checked.
        services: Those of the application.
        crontab: What is enqueued by time: expressions and workers' names.
    """

    settings: Mapping[str, Setting]
    services: list[Service]
    crontab: list[str]


def prepare(arguments: Mapping[str, Any], file: Path | None) -> Prepared:
    """Read the settings and import the workers.

    Raises:
        InvalidSetting: One can't be used, or no queue is named.
    """
    settings = load_settings(arguments, file=file)
    import_workers(settings["imports"].value)
    services = _load_services(settings)
    _check_queues(settings)
    crontab = load_crontab(parse_cron(values_of(settings, "cron")), registry, instance=settings["name"].value)
    return Prepared(settings, services, [f"{line.expression} {line.worker}" for line in crontab])


def run(prepared: Prepared, *, wait: bool) -> None:
    """Run the node until SIGTERM, SIGINT or SIGHUP.

    Args:
        prepared: What it is.
        wait: Whether to wait for the database, its tables and the server's name too, and not only for its answer.
    """
    settings = prepared.settings
    set_up_logging(settings["log_level"].value)
    _warn_of_idle_workers(settings)
    embedded = settings["dsn"].value is None
    remember(settings["dsn"])
    oban = _build(settings, embedded_dsn() if embedded else settings["dsn"].value, prepared.services)
    _run(_serve(oban, settings, install=embedded, wait=wait))


def summary(settings: Mapping[str, Setting]) -> dict[str, Any]:
    """Return what the node is, for its log and for people; passwords are masked."""
    dsn, processes = settings["dsn"].value, settings["processes"].value
    return {
        "dsn": "the embedded PostgreSQL" if dsn is None else mask_password(dsn),
        "name": settings["name"].value,
        "prefix": settings["prefix"].value,
        "node": settings["node"].value or default_node(),
        "queues": settings["queues"].value,
        **({"processes": processes} if processes > 1 else {}),
        "workers": registry.names(),
    }


def _load_services(settings: Mapping[str, Setting]) -> list[Service]:
    setting = settings["services"]
    try:
        return [_load_service(name) for name in setting.value]
    except InvalidSetting as error:
        error.source = setting.source
        raise


def _load_service(name: str) -> Service:
    module, _, attribute = name.rpartition(".")
    import_workers([module] if module else [], "services")
    found: Any = getattr(sys.modules.get(module), attribute, None)
    is_class = isinstance(found, type) and issubclass(found, Service)
    made: Any = found() if is_class else found
    if not isinstance(made, Service):
        raise InvalidSetting("services", name, "a subclass of bridge.maintenance.Service, such as work.Sweep")
    return made


def _check_queues(settings: Mapping[str, Setting]) -> None:
    try:
        found = parse_queues(settings["queues"].value)
    except InvalidSetting as error:
        error.source = settings["queues"].source
        raise
    if not found:
        raise InvalidSetting("queues", {}, "at least one queue", "add --queues default:10, or [queues] to bridge.toml")


def _warn_of_idle_workers(settings: Mapping[str, Setting]) -> None:
    queues = parse_queues(settings["queues"].value)
    if not registry.names() and all(options.workers == "known" for options in queues.values()):
        logger.warning("no worker is registered, so no job will run: name modules with workers by --import")
    for name in registry.names():
        queue = registry.resolve(name).options.queue
        if queue not in queues:
            logger.warning("worker %s has the queue %s, which doesn't run here: add it to --queues", name, queue)


def _build(settings: Mapping[str, Setting], dsn: str, services: list[Service]) -> Oban:
    plain = ("name", "prefix", "node", "queues", "insert_trigger", "shutdown_grace_period")
    return Oban(
        dsn=dsn,
        stager=values_of(settings, "stager"),
        leader=values_of(settings, "leader"),
        cron=values_of(settings, "cron"),
        lifeline=values_of(settings, "lifeline"),
        pruner=values_of(settings, "pruner"),
        reindexer=values_of(settings, "reindexer"),
        notifier=values_of(settings, "notifier"),
        pool_options=values_of(settings, "pool"),
        services=services,
        processes={"count": settings["processes"].value, "imports": settings["imports"].value},
        **{option: settings[option].value for option in plain},
    )


async def _serve(oban: Oban, settings: Mapping[str, Setting], *, install: bool, wait: bool) -> None:
    stopping = asyncio.Event()
    _handle_signals(stopping, oban)
    if install:
        await oban.install()
    if not await _start_when_possible(oban, stopping, settings["dsn"], wait=wait):
        log_event("bridge.stopping", waiting=True)
        log_event("bridge.stopped")
        await _abandon_the_rest()
        return
    log_event("bridge.started", **summary(settings) | {"node": oban.node})
    try:
        await stopping.wait()
        log_event("bridge.stopping", grace=settings["shutdown_grace_period"].value)
    finally:
        await oban.stop()
    log_event("bridge.stopped")
    await _abandon_the_rest()


async def _abandon_the_rest() -> None:
    """End the process where tasks go on though they were cancelled: the event loop would wait for them for ever."""
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    if not rest:
        return
    for task in rest:
        task.cancel()
    _, pending = await asyncio.wait(rest, timeout=_LAST_WORDS)
    if pending:
        log_event("bridge.abandoned", tasks=len(pending))
        streams.flush()
        os._exit(0)


async def _start_when_possible(oban: Oban, stopping: asyncio.Event, dsn: Setting, *, wait: bool) -> bool:
    delay, waiting = RetryDelay(), _Waiting(dsn)
    stop = asyncio.create_task(stopping.wait())
    while not stopping.is_set():
        attempt = asyncio.create_task(oban.start())
        await _watch(attempt, stop, waiting)
        if not attempt.done():
            attempt.cancel()
            break
        if (error := attempt.exception()) is None:
            stop.cancel()
            return True
        if not _may_come(error) and not (wait and isinstance(error, _NOT_MADE)):
            raise error
        waiting.tell(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
        await asyncio.wait([stop], timeout=delay.next())
    return False


async def _watch(attempt: asyncio.Task[Any], stop: asyncio.Task[Any], waiting: _Waiting) -> None:
    """Wait until an attempt to start, or the node, has ended; tell now and then that it goes on."""
    begun = time.monotonic()
    while not (attempt.done() or stop.done()):
        await asyncio.wait([attempt, stop], timeout=_TELL, return_when=asyncio.FIRST_COMPLETED)
        if not (attempt.done() or stop.done()):
            waiting.tell(f"no answer for {time.monotonic() - begun:.0f} s")


class _Waiting:
    """Tells what a node waits for: at once, and then about twice a minute."""

    def __init__(self, dsn: Setting) -> None:
        self._where = where_from(dsn)
        self._told = -math.inf

    def tell(self, reason: str) -> None:
        now = time.monotonic()
        if now - self._told >= _TELL - 1:
            self._told = now
            log_event("bridge.waiting", reason=reason, **self._where)


def _may_come(error: BaseException) -> bool:
    """Tell whether the server may answer later."""
    if isinstance(error, _NOT_YET):
        return True
    # Where a host has several addresses and none of them answers, asyncio tells of all in one error without a number.
    return isinstance(error, OSError) and (error.errno in _NO_WAY or (type(error) is OSError and error.errno is None))


def _handle_signals(stopping: asyncio.Event, oban: Oban) -> None:
    asked = False

    def on_signal(number: signal.Signals) -> None:
        nonlocal asked
        # A closed terminal sends two, the shell's and the kernel's, and systemd may send one right after SIGTERM.
        by_somebody = number != signal.SIGHUP
        if asked and by_somebody:
            log_event("bridge.aborted", signal=number.name, orphaned=oban.running_jobs())
            streams.flush()
            os._exit(128 + number)
        asked = asked or by_somebody
        stopping.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores it
            loop.add_signal_handler(number, on_signal, number)


def _run(main: Any) -> None:
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(main)
    streams.flush()
