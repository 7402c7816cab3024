"""`bridge jobs list` and `bridge jobs show`."""

from __future__ import annotations

import asyncio
import json as plain_json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer

from bridge.cli import job_row
from bridge.cli.database import known_dsn, open_engine
from bridge.cli.imports import import_workers
from bridge.cli.moments import exact, relative
from bridge.cli.options import ConfigFile, Dsn, Prefix
from bridge.cli.selection import Selection, selecting
from bridge.cli.tables import Column, clean, print_json, print_table, say
from bridge.config import Setting, load_settings
from bridge.engine import Engine
from bridge.jobs import Job

Imports = Annotated[str | None, typer.Option("--import", help="Modules with workers or contracts, commas between.")]
Reveal = Annotated[bool, typer.Option("--reveal", help="Show values that contracts call sensitive.")]

NOT_THERE: Final = 2

_PAGE: Final = 1_000
_LONGEST: Final = 20_000
_GROUPS: Final = ("state", "queue", "worker")

_COLUMNS: Final = (
    Column("id", right=True),
    Column("state"),
    Column("queue", flexible=True, rank=2),
    Column("worker", flexible=True),
    Column("attempt", right=True, rank=3),
    Column("when", rank=1),
    Column("args", flexible=True, rank=4),
)


@selecting
def list_jobs(
    selection: Selection,
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="How many at most; 0 for all.")] = 20,
    count: Annotated[
        str | None, typer.Option("--count", help="Count them instead, by state, queue, worker; commas between.")
    ] = None,
    imports: Imports = None,
    reveal: Reveal = False,
    dsn: Dsn = None,
    prefix: Prefix = None,
    file: ConfigFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """List jobs, the newest first: all, or those that match every filter."""
    settings = load_settings({"dsn": dsn, "prefix": prefix, "imports": imports}, file=file)
    if count is not None:
        asyncio.run(_count(settings, selection, _groups(count), as_json=as_json))
        return
    import_workers(settings["imports"].value)
    asyncio.run(_list(settings, selection, limit, as_json=as_json, reveal=reveal))


def show(
    job_id: Annotated[int, typer.Argument(metavar="ID", help="The job's id.")],
    imports: Imports = None,
    reveal: Reveal = False,
    dsn: Dsn = None,
    prefix: Prefix = None,
    file: ConfigFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show all there is to know of one job: its args, errors and recorded result."""
    settings = load_settings({"dsn": dsn, "prefix": prefix, "imports": imports}, file=file)
    import_workers(settings["imports"].value)
    job = asyncio.run(_get(settings, job_id))
    if job is None:
        say(f"error: there is no job {job_id}: it was deleted or pruned, or has another prefix", err=True)
        raise typer.Exit(NOT_THERE)
    if as_json:
        print_json(job_row.columns_of(job, reveal=reveal) | job_row.result_of(job, reveal=reveal))
    else:
        _print(job, reveal=reveal)


# Listing


async def _list(
    settings: Mapping[str, Setting], selection: Selection, limit: int, *, as_json: bool, reveal: bool
) -> None:
    async with open_engine(settings, known_dsn(settings)) as engine:
        found = _newest(engine, selection.filters, limit)
        if as_json:
            async for job in found:
                print_json(job_row.columns_of(job, reveal=reveal))
            return
        jobs = [job async for job in found]
        _print_table(jobs, reveal=reveal)
        if limit and len(jobs) == limit:
            rows = await engine.count(selection.filters, ("state",))
            total = sum(row["jobs"] for row in rows)
            if total > limit:
                say(f"the newest {limit:,} of {total:,}; --limit 0 lists all", err=True)


async def _newest(engine: Engine, filters: Mapping[str, Any], limit: int) -> AsyncIterator[Job[Any]]:
    left, below = limit or None, dict[str, Any]()
    while True:
        page = min(_PAGE, _PAGE if left is None else left)
        jobs = await engine.select({**filters, **below}, page)
        for job in jobs:
            yield job
        left = None if left is None else left - len(jobs)
        if len(jobs) < page or left == 0:
            return
        last = (jobs[-1].id or 1) - 1
        if last == 0:
            return
        below = {"max_id": last}


def _print_table(jobs: list[Job[Any]], *, reveal: bool) -> None:
    if not jobs:
        say("no job matches")
        return
    now = datetime.now(UTC)
    print_table(_COLUMNS, [_cells(job, now, reveal=reveal) for job in jobs])


def _cells(job: Job[Any], now: datetime, *, reveal: bool) -> list[str]:
    return [
        str(job.id),
        str(job.state),
        job.queue,
        job.worker,
        f"{job.attempt}/{job.max_attempts}",
        job_row.when(job, now),
        job_row.brief(job_row.args_of(job, reveal=reveal)),
    ]


# Counting


def _groups(text: str) -> tuple[Any, ...]:
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    for group in found:
        if group not in _GROUPS:
            raise typer.BadParameter(f"{group!r} is none of {', '.join(_GROUPS)}", param_hint="--count")
    return found


async def _count(
    settings: Mapping[str, Setting], selection: Selection, groups: tuple[Any, ...], *, as_json: bool
) -> None:
    async with open_engine(settings, known_dsn(settings)) as engine:
        rows = await engine.count(selection.filters, groups)
    if as_json:
        for row in rows:
            print_json({**{group: row[group] for group in groups}, "jobs": row["jobs"]})
    elif rows:
        columns = [*(Column(group, flexible=True) for group in groups), Column("jobs", right=True)]
        print_table(columns, [[*(row[group] for group in groups), f"{row['jobs']:,}"] for row in rows])
    else:
        say("no job matches")


# Showing


async def _get(settings: Mapping[str, Setting], job_id: int) -> Job[Any] | None:
    async with open_engine(settings, known_dsn(settings)) as engine:
        return await engine.get(job_id)


def _print(job: Job[Any], *, reveal: bool) -> None:
    say(f"job {job.id}: {job.worker}")
    for name, text in _facts(job).items():
        say(f"  {name:<13}{text}")
    if not reveal and (tag := job_row.unknown_contract(job)) is not None:
        say(f"its contract {tag} is not known here, so nothing is hidden: name its module by --import", err=True)
    _print_part("args", job_row.pretty(job_row.args_of(job, reveal=reveal)))
    if meta := job_row.meta_of(job, reveal=reveal):
        _print_part("meta", job_row.pretty(meta))
    result = job_row.result_of(job, reveal=reveal)
    if "result" in result:
        _print_part("result", job_row.pretty(result["result"]))
    elif result:
        _print_part("result", clean(f"can't be read: {result['result_error']}"))
    _print_errors(job)


def _facts(job: Job[Any]) -> dict[str, str]:
    now = datetime.now(UTC)
    times = {name.removesuffix("_at"): getattr(job, name) for name in job_row.TIMES}
    by = ", last by " + " ".join(map(str, job.attempted_by)) if job.attempted_by else ""
    facts = {
        "state": str(job.state),
        "queue": f"{job.queue}, priority {job.priority}",
        "attempts": f"{job.attempt} of {job.max_attempts}{by}",
        "tags": ", ".join(map(str, job.tags)),
        **{name: f"{exact(time)} ({relative(time, now)})" for name, time in times.items() if time is not None},
    }
    return {name: text for name, text in facts.items() if text}


def _print_errors(job: Job[Any]) -> None:
    errors = job_row.errors_of(job)
    for entry in errors if isinstance(errors, list) else [errors]:
        if isinstance(entry, Mapping) and isinstance(entry.get("error"), str):
            heading = f"error of attempt {entry.get('attempt', '?')}, {entry.get('at', 'at an unknown time')}"
            _print_part(clean(heading), clean(entry["error"], keep="\n\t"))
        else:
            _print_part("error", clean(plain_json.dumps(entry, ensure_ascii=False, default=str)))


def _print_part(heading: str, text: str) -> None:
    """Print a heading and a text, already clean, below it."""
    more = len(text) - _LONGEST
    if more > 0:
        text = f"{text[:_LONGEST]}\n… {more:,} more characters; --json shows all"
    typer.echo(f"{heading}\n" + "\n".join(f"  {line}" for line in text.split("\n")))
