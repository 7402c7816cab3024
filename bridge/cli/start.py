"""`bridge start`: runs queues until a signal ends it."""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import os
import signal
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import asyncpg
import typer

from bridge.cli.logs import log_event, set_up_logging
from bridge.cli.options import ConfigFile, Dsn, Prefix, embedded_dsn, values_of
from bridge.cli.target import remember, where_from
from bridge.config import Setting, default_node, load_settings, mask_password
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
_NOT_YET = (
    ConnectionError,
    TimeoutError,
    FileNotFoundError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.PostgresConnectionError,
)

#: Somebody else may still have to make the database, or Oban's tables in it.
_NOT_MADE = (asyncpg.InvalidCatalogNameError, SchemaError)

_LAST_WORDS = 1.0  # seconds that cancelled tasks may take to end


def start(
    *,
    dsn: Dsn = None,
    queues: Annotated[str | None, typer.Option(help="Names and limits: badges:10,default:5.")] = None,
    imports: Annotated[str | None, typer.Option("--import", help="Modules with workers, with commas between.")] = None,
    node: Annotated[str | None, typer.Option(help="This process's name; default DYNO, or host and process id.")] = None,
    name: Annotated[str | None, typer.Option(help="The instance's name; default Oban.")] = None,
    prefix: Prefix = None,
    processes: Annotated[
        int | None, typer.Option(help="Processes that run jobs, which import the workers too; default 1, this one.")
    ] = None,
    pool_max_size: Annotated[int | None, typer.Option(help="Connections at most; default 10.")] = None,
    shutdown_grace_period: Annotated[float | None, typer.Option(help="Seconds for running jobs; default 15.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error; default info.")] = None,
    file: ConfigFile = None,
    wait: Annotated[
        bool, typer.Option(help="Wait for the database and its tables too, not only for the server.")
    ] = False,
    dry_run: Annotated[bool, typer.Option(help="Check settings and imports, show them, and run nothing.")] = False,
) -> None:
    """Run queues until SIGTERM or SIGINT, which let running jobs end; a second signal stops at once."""
    arguments = {
        "dsn": dsn,
        "queues": queues,
        "imports": imports,
        "node": node,
        "name": name,
        "prefix": prefix,
        "processes": processes,
        "pool.max_size": pool_max_size,
        "shutdown_grace_period": shutdown_grace_period,
        "log_level": log_level,
    }
    settings = load_settings(arguments, file=file)
    import_workers(settings["imports"].value)
    services = _load_services(settings)
    _check_queues(settings)
    crontab = load_crontab(parse_cron(values_of(settings, "cron")), registry, instance=settings["name"].value)
    if dry_run:
        summary = _summary(settings) | {"cron": [f"{line.expression} {line.worker}" for line in crontab]}
        typer.echo(json.dumps(summary, indent=2, ensure_ascii=False))
        return
    set_up_logging(settings["log_level"].value)
    _warn_of_idle_workers(settings)
    embedded = settings["dsn"].value is None
    remember(settings["dsn"])
    oban = _build(settings, embedded_dsn() if embedded else settings["dsn"].value, services)
    _run(_serve(oban, settings, install=embedded, wait_for=_NOT_YET + (_NOT_MADE if wait else ())))


def import_workers(modules: list[str], setting: str = "imports") -> None:
    """Import the modules that register workers, or that `setting` names; the working folder is looked in first.

    Raises:
        InvalidSetting: There is no such module.
    """
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - sys.path holds text
    for module in modules:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            mend = f"no module {error.name!r} from here or the environment; check the name and the working folder"
            raise InvalidSetting(setting, module, "a module that can be imported", mend) from error


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


def _summary(settings: Mapping[str, Setting]) -> dict[str, Any]:
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


async def _serve(
    oban: Oban, settings: Mapping[str, Setting], *, install: bool, wait_for: tuple[type[Exception], ...]
) -> None:
    stopping = asyncio.Event()
    _handle_signals(stopping, oban)
    if install:
        await oban.install()
    if not await _start_when_possible(oban, stopping, settings["dsn"], wait_for):
        return
    log_event("bridge.started", **_summary(settings) | {"node": oban.node})
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
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


async def _start_when_possible(
    oban: Oban, stopping: asyncio.Event, dsn: Setting, wait_for: tuple[type[Exception], ...]
) -> bool:
    delay = RetryDelay()
    while not stopping.is_set():
        try:
            await oban.start()
        except wait_for as error:
            if delay.failures % 10 == 0:
                told = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
                log_event("bridge.waiting", reason=told, **where_from(dsn))
            await asyncio.wait([asyncio.create_task(stopping.wait())], timeout=delay.next())
        else:
            return True
    return False


def _handle_signals(stopping: asyncio.Event, oban: Oban) -> None:
    def on_signal(number: signal.Signals) -> None:
        if stopping.is_set():
            log_event("bridge.aborted", signal=number.name, orphaned=oban.running_jobs())
            sys.stdout.flush()
            os._exit(128 + number)
        stopping.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)


def _run(main: Any) -> None:
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(main)
