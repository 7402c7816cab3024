"""`bridge maintain prune|rescue|reindex`: what the services do, by hand."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from bridge.cli.database import known_dsn, open_engine
from bridge.cli.options import ConfigFile, Dsn, Prefix
from bridge.cli.sections import values_of
from bridge.cli.tables import print_json, say
from bridge.config import Setting, load_settings
from bridge.engine import Engine, Orphan, Retention
from bridge.errors import SchemaError
from bridge.maintenance import Lifeline, Pruner, Reindexer
from bridge.maintenance.log import logger

app = typer.Typer(help="Prune, rescue and reindex by hand, by the settings of the nodes.", no_args_is_help=True)

DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

_Act = Callable[[Engine, dict[str, Setting]], Awaitable[dict[str, Any]]]


@app.callback()
def maintain() -> None:
    """Prune, rescue and reindex by hand, by the settings of the nodes."""


@app.command()
def prune(
    dsn: Dsn = None,
    prefix: Prefix = None,
    file: ConfigFile = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    force: Annotated[bool, typer.Option("--force", help="Prune though an Elixir node leads.")] = False,
) -> None:
    """Delete jobs that have ended and had their time, by the rules of the section pruner."""

    async def act(engine: Engine, settings: dict[str, Setting]) -> dict[str, Any]:
        options = values_of(settings, "pruner")
        pruner = Pruner(engine, lambda: True, **options)
        if dry_run:
            rules = [(retention, jobs) for retention, jobs in await pruner.count() if jobs]
            return {"jobs": sum(jobs for _, jobs in rules), "rules": [_rule(*rule) for rule in rules]}
        if options["mode"] != "on" and not force and await engine.elixir_leads():
            raise SchemaError(
                "an Elixir node may lead here, and may want jobs kept for longer; look at --dry-run, then prune with "
                "--force, or set pruner.mode to 'on'"
            )
        return {"jobs": await pruner.prune(), "producers": await pruner.forget_producers()}

    found = _run(act, dsn, prefix, file)
    if as_json:
        _print_json(found, dry_run)
        return
    say(f"{_count(found['jobs'])} {_would(dry_run, 'deleted')}")
    for rule in found.get("rules", ()):
        say(f"  {rule['jobs']:,} {rule['state']}{_scope(rule)}: {_limits(rule)}")


@app.command()
def rescue(
    dsn: Dsn = None, prefix: Prefix = None, file: ConfigFile = None, dry_run: DryRun = False, as_json: Json = False
) -> None:
    """Hand back jobs of Python nodes that died.

    Heartbeats are believed as they stand, from the start of the database's server on. A node watches for longer before
    it believes them; so just after an outage, wait until the nodes have been heard again.
    """

    async def act(engine: Engine, settings: dict[str, Setting]) -> dict[str, Any]:
        lifeline = Lifeline(engine, lambda: True, rescue_after=settings["lifeline.rescue_after"].value)
        clock = await engine.read_clock()
        look = clock.now, clock.server_since, lifeline.rescue_after
        if dry_run:
            orphans: Sequence[Orphan] = await engine.orphans(*look, limit=None)
        else:
            with _untold():
                done = await lifeline.rescue(clock, clock.server_since)
            orphans = [*done.rescued, *done.discarded]
        unheard = Counter(orphan.node for orphan in await engine.unheard(None, clock.now, limit=None))
        return {
            "rescued": [_orphan(orphan) for orphan in orphans if orphan.state == "available"],
            "discarded": [_orphan(orphan) for orphan in orphans if orphan.state == "discarded"],
            "left_alone": dict(unheard),
        }

    found = _run(act, dsn, prefix, file)
    if as_json:
        _print_json(found, dry_run)
        return
    for key, done in (("rescued", "made available again"), ("discarded", "discarded, without attempts left")):
        say(f"{_count(len(found[key]))} {_would(dry_run, done)}{_by_node(found[key])}")
    for node, jobs in sorted(found["left_alone"].items()):
        say(f"left alone: {_count(jobs)} of {node or 'an unnamed node'}, Elixir's or one without a heartbeat")


@app.command()
def reindex(
    dsn: Dsn = None, prefix: Prefix = None, file: ConfigFile = None, dry_run: DryRun = False, as_json: Json = False
) -> None:
    """Build the indexes of the section reindexer anew, while others write; it exits with 1 where one can't be."""

    async def act(engine: Engine, settings: dict[str, Setting]) -> dict[str, Any]:
        options = values_of(settings, "reindexer")
        chosen = {name: options[name] for name in ("indexes", "timeout") if name in options}
        reindexer = Reindexer(engine, lambda: True, **chosen)
        return dataclasses.asdict(await (reindexer.plan() if dry_run else reindexer.reindex()))

    found = _run(act, dsn, prefix, file)
    if as_json:
        _print_json(found, dry_run)
    else:
        for index in found["rebuilt"]:
            say(f"{index['name']} ({index['bytes'] / 1_048_576:.1f} MiB) {_would(dry_run, 'built anew')}")
        for index in found["dropped"]:
            say(f"{index['name']}, left over from a rebuild, {_would(dry_run, 'dropped')}")
        for name in found["missing"]:
            say(f"{name}: the table has no such index")
        for name, reason in found["failed"]:
            say(f"{name}: {reason}", err=True)
    if found["failed"]:
        raise typer.Exit(1)


def _run(act: _Act, dsn: str | None, prefix: str | None, file: Any) -> dict[str, Any]:
    settings = load_settings({"dsn": dsn, "prefix": prefix}, file=file)
    return asyncio.run(_act(act, settings, known_dsn(settings)))


async def _act(act: _Act, settings: dict[str, Setting], dsn: str) -> dict[str, Any]:
    async with open_engine(settings, dsn) as engine:
        return await act(engine, settings)


@contextmanager
def _untold() -> Iterator[None]:
    """Keep a service from logging what this command will print."""
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _print_json(found: dict[str, Any], dry_run: bool) -> None:
    print_json({"dry_run": dry_run, **found})


def _rule(retention: Retention, jobs: int) -> dict[str, Any]:
    names = ("state", "queue", "worker", "max_age", "max_len")
    return {"jobs": jobs, **{name: getattr(retention, name) for name in names}}


def _orphan(orphan: Orphan) -> dict[str, Any]:
    return {name: getattr(orphan, name) for name in ("id", "queue", "worker", "node")}


def _would(dry_run: bool, done: str) -> str:
    return f"would be {done}" if dry_run else f"{done}"


def _count(jobs: int) -> str:
    return f"{jobs:,} {'job' if jobs == 1 else 'jobs'}"


def _scope(rule: dict[str, Any]) -> str:
    return "".join(f" of {kind} {rule[kind]}" for kind in ("queue", "worker") if rule[kind] is not None)


def _limits(rule: dict[str, Any]) -> str:
    age = None if rule["max_age"] is None else f"older than {rule['max_age']:g} s"
    length = None if rule["max_len"] is None else f"beyond the last {rule['max_len']:,}"
    return " or ".join(limit for limit in (age, length) if limit)


def _by_node(orphans: Sequence[dict[str, Any]]) -> str:
    jobs = Counter(orphan["node"] for orphan in orphans)
    return f" ({', '.join(f'{count:,} of {node}' for node, count in sorted(jobs.items()))})" if jobs else ""
