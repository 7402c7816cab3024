"""`bridge install`, `upgrade`, `uninstall` and `status`: Oban's tables."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from bridge.cli.database import known_dsn
from bridge.cli.options import Dsn, Prefix, resolve_dsn, resolve_prefix
from bridge.cli.tables import clean
from bridge.config import load_settings
from bridge.engine import connect, schema
from bridge.errors import SchemaError

if TYPE_CHECKING:
    from bridge.engine.schema import Catalog, Lack

Result = TypeVar("Result")
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

_MAKERS = {
    "oban": "Oban's migrations, or bridge install",
    "oban-py": "oban-py",
    "elsewhere": "a program that upgrades them itself (version ∞)",
    "unknown": "a program that left no version",
}


def install(
    dsn: Dsn = None,
    prefix: Prefix = None,
    sql: Annotated[
        bool, typer.Option("--sql", help="Print the SQL for another migration tool, and do nothing.")
    ] = False,
    create_schema: Annotated[bool, typer.Option(help="Make the schema if it is missing.")] = True,
    unique_index: Annotated[
        bool, typer.Option("--unique-index", help="Make the index too by which jobs are unique in every language.")
    ] = False,
    worker_index: Annotated[
        bool,
        typer.Option(
            "--worker-index", help="Make the index too by which a fetch skips other nodes' jobs in the same queue."
        ),
    ] = False,
) -> None:
    """Make Oban's tables of version 14, and Bridge's own beside them. Tables that are there stay as they are."""
    name = resolve_prefix(prefix)
    if sql:
        tables = schema.install_sql(name, create_schema=create_schema) + schema.own_sql(name)
        indexes = [schema.unique_index_sql(name)] * unique_index + [schema.worker_index_sql(name)] * worker_index
        typer.echo("\n".join([tables, *indexes]), nl=False)
        return
    made, own, catalog = _run(dsn, lambda conn: _install(conn, name, create_schema=create_schema))
    unique = unique_index and _run(dsn, lambda conn: schema.install_unique_index(conn, name))
    worker = worker_index and _run(dsn, lambda conn: schema.install_worker_index(conn, name))
    if made:
        typer.echo(f"made Oban's tables, version {catalog.version}, in {_schema(name)}")
    else:
        changed = "Oban's tables were left as they are" if own or unique or worker else "nothing was changed"
        typer.echo(f"{changed}: {_schema(name)} has Oban's tables already, {_version(catalog)}{_hint(catalog)}")
    if own:
        typer.echo(f"made Bridge's own: {', '.join(own)}")
    if unique:
        typer.echo("made the unique index bridge_jobs_unique")
    if worker:
        typer.echo("made the worker index bridge_jobs_worker; nodes fetch by it from their next start on")


def upgrade(
    dsn: Dsn = None,
    prefix: Prefix = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Take no steps; put back lost indexes and checks while others work on.")
    ] = False,
    sql: Annotated[
        bool, typer.Option("--sql", help="Print the SQL for another migration tool, and do nothing.")
    ] = False,
    from_version: Annotated[
        int | None, typer.Option("--from", help="With --sql: the version to begin at; default the database's.")
    ] = None,
    to_version: Annotated[
        int | None, typer.Option("--to", help=f"With --sql: the version to end at; default {schema.NEWEST_VERSION}.")
    ] = None,
) -> None:
    """Bring Oban's tables from version 9 or later to 14, by the steps of Oban's own migrations, and make Bridge's own.

    The tables are locked meanwhile, and the indexes of versions 10 and 13 take minutes on a large table.
    """
    name = resolve_prefix(prefix)
    if sql and repair:
        raise typer.BadParameter("the SQL of repairs is what `bridge status` shows; leave out --sql or --repair")
    if sql:
        _print_upgrade(dsn, name, from_version, to_version)
        return
    if from_version is not None or to_version is not None:
        raise typer.BadParameter("--from and --to are for --sql; without it, bridge upgrade takes every step")
    act = schema.repair if repair else schema.upgrade
    done, catalog = _run(dsn, lambda conn: _act_and_inspect(conn, name, act))
    for step in done:
        typer.echo(f"{'put back' if repair else 'took step'} {step}")
    if not done:
        typer.echo(f"nothing {'to put back' if repair else 'to upgrade'}")
    if not repair and (own := _run(dsn, lambda conn: _install_own(conn, name))):
        typer.echo(f"made Bridge's own: {', '.join(own)}")
    typer.echo(f"{_schema(name)}: {_version(catalog)}{_hint(catalog)}")
    if any(step.startswith("V12:") for step in done):
        typer.echo("no trigger announces inserts any more: Elixir nodes of Oban before 2.17 wait for the next staging")


def _print_upgrade(dsn: str | None, prefix: str, from_version: int | None, to_version: int | None) -> None:
    if from_version is None:
        from_version = _run(dsn, lambda conn: schema.numbered_version(conn, prefix))
    end = schema.NEWEST_VERSION if to_version is None else to_version
    steps = schema.upgrade_sql(prefix, from_version=from_version, to_version=end)
    typer.echo(steps + schema.own_sql(prefix), nl=False)


def uninstall(
    dsn: Dsn = None,
    prefix: Prefix = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    sql: Annotated[
        bool, typer.Option("--sql", help="Print the SQL for another migration tool, and do nothing.")
    ] = False,
) -> None:
    """Drop Oban's tables with all jobs, and Bridge's own tables. The schema stays."""
    name = resolve_prefix(prefix)
    if sql:
        typer.echo(schema.uninstall_sql(name), nl=False)
        return
    address = known_dsn(load_settings({"dsn": dsn}))
    catalog, jobs = _run_on(address, lambda conn: _survey(conn, name))
    schema.require_ours(catalog)
    if not catalog.objects:
        typer.echo(f"nothing was dropped: {_schema(name)} has nothing of Oban's")
        return
    if not yes:
        typer.confirm(f"Drop {', '.join(catalog.objects)} from {_schema(name)}, with {_count(jobs)}?", abort=True)
    if not _run_on(address, lambda conn: schema.uninstall(conn, name)):
        typer.echo(f"nothing was dropped: meanwhile, someone else has removed what {_schema(name)} had of Oban's")
        return
    typer.echo(f"dropped {', '.join(catalog.objects)} from {_schema(name)}, with {_count(jobs)}")


def status(dsn: Dsn = None, prefix: Prefix = None, as_json: Json = False) -> None:
    """Show what the database has of Oban, and what it lacks.

    The exit code is 1 where Bridge can't run on it, or this role may not read its jobs.
    """
    settings = load_settings({"dsn": dsn, "prefix": prefix})
    catalog, jobs = _run_on(known_dsn(settings), lambda conn: _survey(conn, settings["prefix"].value))
    if as_json:
        facts = dataclasses.asdict(catalog) | {"supported": catalog.supported, "jobs": jobs}
        typer.echo(json.dumps(facts, ensure_ascii=False))
    else:
        _show(catalog, jobs)
    if not catalog.supported or isinstance(jobs, str):
        raise typer.Exit(1)


def _run(dsn: str | None, act: Callable[[Any], Awaitable[Result]]) -> Result:
    return _run_on(resolve_dsn(dsn), act)


def _run_on(address: str, act: Callable[[Any], Awaitable[Result]]) -> Result:
    return asyncio.run(_connected(address, act))


async def _connected(dsn: str, act: Callable[[Any], Awaitable[Result]]) -> Result:
    conn = await connect(dsn, timeout=None, statement_cache_size=0)  # so that any pooler will do
    try:
        return await act(conn)
    finally:
        await conn.close()


async def _install(conn: Any, prefix: str, *, create_schema: bool) -> tuple[bool, list[str], Catalog]:
    made = await schema.install(conn, prefix, create_schema=create_schema)
    return made, await _install_own(conn, prefix), await schema.inspect(conn, prefix)


async def _install_own(conn: Any, prefix: str) -> list[str]:
    try:
        return await schema.install_own(conn, prefix)
    except SchemaError as error:
        typer.echo(f"Bridge's own tables were not made, and nodes do with less: {error}", err=True)
        return []


async def _act_and_inspect(
    conn: Any, prefix: str, act: Callable[[Any, str], Awaitable[list[str]]]
) -> tuple[list[str], Catalog]:
    return await act(conn, prefix), await schema.inspect(conn, prefix)


async def _survey(conn: Any, prefix: str) -> tuple[Catalog, dict[str, int] | str]:
    """Return the catalog and the jobs by state, or why they can't be counted."""
    catalog = await schema.inspect(conn, prefix)
    if catalog.version is None:
        return catalog, {}
    if not catalog.supported:
        return catalog, "the table is not one that Bridge knows"
    try:
        found = await schema.count_jobs(conn, prefix)
    except SchemaError as error:
        return catalog, str(error)
    return catalog, {state: found.get(state, 0) for state in catalog.states}


def _schema(prefix: str) -> str:
    return clean(f"schema {schema.quote_ident(prefix)}")


def _version(catalog: Catalog) -> str:
    if catalog.version is None and catalog.in_the_way:
        return (
            f"no table oban_jobs, and in its way: {', '.join(catalog.in_the_way)}; remove it, or choose another prefix"
        )
    if catalog.version is None:
        return "no table oban_jobs; `bridge install` makes it"
    if catalog.version == 0 and not catalog.supported:
        return f"none: this oban_jobs is not Oban's table, it lacks {catalog.shortcomings}; choose another prefix"
    if not catalog.supported:
        return f"version {catalog.version}, too old: migrate to 9 or later with Oban's own migrations"
    if catalog.version in (0, schema.MANAGED_ELSEWHERE):
        return f"no version, made by {_MAKERS[catalog.origin]}"
    return f"version {catalog.version} of {schema.NEWEST_VERSION}"


def _hint(catalog: Catalog) -> str:
    count = len(catalog.lacks)
    return f"; it lacks {'one thing' if count == 1 else f'{count} things'}: see `bridge status`" if count else ""


def _count(jobs: dict[str, int] | str) -> str:
    if isinstance(jobs, str):
        return f"jobs that can't be counted ({jobs})"
    total = sum(jobs.values())
    return f"{total:,} {'job' if total == 1 else 'jobs'}"


def _show(catalog: Catalog, jobs: dict[str, int] | str) -> None:
    from rich.console import Console  # noqa: PLC0415 - slow to import, and most commands print without it
    from rich.table import Table  # noqa: PLC0415

    console = Console(highlight=False, markup=False, emoji=False)
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold")
    for name, value in _facts(catalog, jobs).items():
        facts.add_row(name, clean(value))
    console.print(facts)
    if catalog.lacks:
        lacks = Table("it lacks", "so that", "mended by", title_justify="left")
        for lack in catalog.lacks:
            lacks.add_row(lack.name, lack.consequence, _mended_by(lack))
        console.print(lacks)
    for sql in dict.fromkeys(lack.mend for lack in catalog.lacks if not lack.by_upgrade):
        typer.echo(sql)  # plain, so that it can be copied


def _facts(catalog: Catalog, jobs: dict[str, int] | str) -> dict[str, str]:
    facts = {
        "schema": catalog.prefix + ("" if catalog.schema_exists else " (there is none)"),
        "version": _version(catalog).removeprefix("version "),
    }
    if catalog.version is None:
        return facts
    counts = jobs if isinstance(jobs, str) else ", ".join(f"{state} {count:,}" for state, count in jobs.items())
    return {
        **facts,
        "made by": _MAKERS[catalog.origin],
        "inserts": "announced by a trigger" if catalog.announces_inserts else "announced by whoever inserts",
        "leases": _leases(catalog),
        "unique index": "bridge_jobs_unique" if catalog.has_unique_index else "none",
        "worker index": "bridge_jobs_worker" if catalog.has_worker_index else "none",
        "jobs": counts if isinstance(jobs, str) else f"{counts}; {_count(jobs)} in all",
    }


def _leases(catalog: Catalog) -> str:
    if catalog.has_peers:
        return "in oban_peers"
    if "bridge_peers" in catalog.objects:
        return "in bridge_peers: Python's nodes lead, Elixir's can't"
    return "in bridge_peers, which a Python node makes when it leads; Elixir's nodes can't lead"


def _mended_by(lack: Lack) -> str:
    if lack.by_upgrade:
        return "bridge upgrade"
    return "the SQL below" if lack.by_hand else "bridge upgrade --repair, or the SQL below"
