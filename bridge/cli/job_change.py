"""`bridge jobs cancel`, `retry`, `delete` and `update`: counted, asked about, and bound to what was counted."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer

from bridge.cli.database import known_dsn, open_engine
from bridge.cli.imports import import_workers
from bridge.cli.job_enqueue import know_files
from bridge.cli.job_read import Imports
from bridge.cli.job_values import parse_changes
from bridge.cli.options import ConfigFile, Dsn, Prefix
from bridge.cli.selection import Selection, selecting
from bridge.cli.tables import print_json, say
from bridge.config import Setting, load_settings
from bridge.engine import Engine
from bridge.jobs import JobState

REFUSED: Final = 2

_PAGE: Final = 10_000
_BATCH: Final = 5_000
_TOLD: Final = 20
_STATES: Final = frozenset(JobState)

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]
All = Annotated[bool, typer.Option("--all", help="Every job, where neither ids nor filters are given.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Count them, and do nothing.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

_Act = Callable[[Engine, Mapping[str, Any]], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class _Change:
    """A change: its verb, its participle, the states of the jobs that it leaves alone, and whether all go at once."""

    verb: str
    done: str
    leaves: Collection[JobState]
    act: _Act
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class _Way:
    """How it is to be done."""

    everything: bool
    yes: bool
    dry_run: bool
    as_json: bool


@selecting
def cancel(
    selection: Selection,
    everything: All = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    dsn: Dsn = None,
    prefix: Prefix = None,
    file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Cancel jobs that have not ended; those that run are stopped, wherever they run."""

    async def act(engine: Engine, filters: Mapping[str, Any]) -> int:
        return len(await engine.cancel(filters))

    settings = load_settings({"dsn": dsn, "prefix": prefix}, file=file)
    ended = (JobState.CANCELLED, JobState.COMPLETED, JobState.DISCARDED)
    _run(_Change("cancel", "cancelled", ended, act), settings, selection, _Way(everything, yes, dry_run, as_json))


@selecting
def retry(
    selection: Selection,
    everything: All = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    dsn: Dsn = None,
    prefix: Prefix = None,
    file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Make jobs available again, whatever became of them, with at least one attempt left."""

    async def act(engine: Engine, filters: Mapping[str, Any]) -> int:
        return len(await engine.retry(filters))

    settings = load_settings({"dsn": dsn, "prefix": prefix}, file=file)
    under_way = (JobState.AVAILABLE, JobState.EXECUTING)
    _run(_Change("retry", "retried", under_way, act), settings, selection, _Way(everything, yes, dry_run, as_json))


@selecting
def delete(
    selection: Selection,
    everything: All = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    dsn: Dsn = None,
    prefix: Prefix = None,
    file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Delete jobs that don't run, for good."""

    async def act(engine: Engine, filters: Mapping[str, Any]) -> int:
        return len(await engine.delete(filters))

    settings = load_settings({"dsn": dsn, "prefix": prefix}, file=file)
    change = _Change("delete", "deleted", (JobState.EXECUTING,), act)
    _run(change, settings, selection, _Way(everything, yes, dry_run, as_json))


@selecting
def update(
    selection: Selection,
    assignments: Annotated[
        list[str],
        typer.Option("--set", help="COLUMN=VALUE: args, max_attempts, meta, priority, queue, scheduled_at, ..."),
    ],
    imports: Imports = None,
    everything: All = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    dsn: Dsn = None,
    prefix: Prefix = None,
    file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Change columns of jobs, of all of them or none; contracts hold for new args.

    Text columns take the text, others JSON; meta is merged into what is there. A new scheduled_at, such as 'in 5m',
    makes the job scheduled.
    """
    settings = load_settings({"dsn": dsn, "prefix": prefix, "imports": imports}, file=file)
    import_workers(settings["imports"].value)
    know_files(settings)
    changes = parse_changes(assignments)

    async def act(engine: Engine, filters: Mapping[str, Any]) -> int:
        return len(await engine.update(filters, changes))

    change = _Change("update", "updated", (), act, at_once=True)
    _run(change, settings, selection, _Way(everything, yes, dry_run, as_json))


# What they share


def _run(change: _Change, settings: Mapping[str, Setting], selection: Selection, way: _Way) -> None:
    _check_aim(change, selection, everything=way.everything)
    filters = _narrowed(change, selection)
    dsn = known_dsn(settings)
    # One loop for the count and one for the change: between them somebody may think for long, or press Ctrl-C.
    found = asyncio.run(_find(settings, dsn, filters))
    if found and not way.dry_run:
        _ask(change, found, selection, yes=way.yes)
    done = 0 if way.dry_run or not found else asyncio.run(_change(change, settings, dsn, filters, list(found)))
    _report(change, found, done, way)
    if missed := _missed(selection, found):
        reasons = asyncio.run(_why(change, settings, dsn, missed))
        for reason in reasons[:_TOLD]:
            say(reason, err=True)
        raise typer.Exit(REFUSED)


def _check_aim(change: _Change, selection: Selection, *, everything: bool) -> None:
    if not selection.filters and not everything:
        _refuse(f"name the jobs to {change.verb} by ids or filters, or pass --all")
    if selection.filters and everything:
        _refuse("--all goes with neither ids nor filters")


def _narrowed(change: _Change, selection: Selection) -> dict[str, Any]:
    """Return the filters, narrowed to states of jobs that the change reaches."""
    wanted = selection.filters.get("state")
    states = [state for state in JobState if state not in change.leaves and (wanted is None or state in wanted)]
    if wanted and not states and _STATES.issuperset(wanted):
        _refuse(f"{change.verb} leaves {', '.join(wanted)} jobs alone")
    if wanted and not states:
        return dict(selection.filters)  # the engine says what is wrong with them
    return {**selection.filters, "state": states}


async def _find(settings: Mapping[str, Setting], dsn: str, filters: Mapping[str, Any]) -> dict[int, str]:
    """Return ids and states of all jobs that match."""
    found: dict[int, str] = {}
    after = dict[str, Any]()
    async with open_engine(settings, dsn) as engine:
        while page := await engine.ids({**filters, **after}, _PAGE):
            found.update(page)
            after = {"min_id": page[-1][0] + 1}
    return found


def _ask(change: _Change, found: Mapping[int, str], selection: Selection, *, yes: bool) -> None:
    """Let whoever sits there decide about jobs that nobody named one by one."""
    if yes or (selection.ids and not selection.by_filters):
        return
    if not sys.stdin.isatty():
        _refuse(f"this would {change.verb} {_count(found)}; nobody can be asked here, so pass --yes to do it")
    typer.confirm(f"{change.verb.capitalize()} {_count(found)}?", abort=True)


async def _change(
    change: _Change, settings: Mapping[str, Setting], dsn: str, filters: Mapping[str, Any], ids: Sequence[int]
) -> int:
    """Change the jobs of these ids that still match; in batches, so that no lock is held for long."""
    size = len(ids) if change.at_once else _BATCH
    done = 0
    async with open_engine(settings, dsn) as engine:
        for start in range(0, len(ids), size):
            try:
                done += await change.act(engine, {**filters, "id": ids[start : start + size]})
            except BaseException as error:  # Ctrl-C, too
                if done:
                    what = "the error" if isinstance(error, Exception) else "it was interrupted"
                    say(f"{change.done} {done:,} of {len(ids):,} jobs before {what}", err=True)
                raise
    return done


def _report(change: _Change, found: Mapping[int, str], done: int, way: _Way) -> None:
    if way.as_json:
        print_json({"matched": len(found), change.done: done, "dry_run": way.dry_run})
        return
    if not found:
        say(f"no job to {change.verb}")
    elif way.dry_run:
        say(f"{_count(found)} would be {change.done}")
    else:
        say(f"{change.done} {_count(found) if done == len(found) else _jobs(done)}")
    if done and done < len(found):
        say(f"{len(found) - done:,} of those counted have changed meanwhile, or somebody else holds them", err=True)
    if done and change.verb == "cancel" and "executing" in found.values():
        say("nodes stop the jobs that run within moments, if they listen")


def _missed(selection: Selection, found: Mapping[int, str]) -> list[int]:
    return [job_id for job_id in dict.fromkeys(selection.ids) if job_id not in found]


async def _why(change: _Change, settings: Mapping[str, Setting], dsn: str, ids: Sequence[int]) -> list[str]:
    """Return why each of the named jobs was left alone."""
    async with open_engine(settings, dsn) as engine:
        states = dict(await engine.ids({"id": list(ids)}, len(ids)))
    return [_reason(change, job_id, states.get(job_id)) for job_id in ids]


def _reason(change: _Change, job_id: int, state: str | None) -> str:
    if state is None:
        return f"job {job_id} is not there"
    if state in change.leaves:
        return f"job {job_id} was left alone: it is {state}"
    return f"job {job_id} was left alone: the other filters don't match it, or it has changed meanwhile"


def _count(found: Mapping[int, str]) -> str:
    states = Counter(found.values())
    return f"{_jobs(len(found))} ({', '.join(f'{count:,} {state}' for state, count in _in_order(states))})"


def _in_order(states: Counter[str]) -> Iterable[tuple[str, int]]:
    return sorted(states.items(), key=lambda each: (-each[1], each[0]))


def _jobs(number: int) -> str:
    return f"{number:,} {'job' if number == 1 else 'jobs'}"


def _refuse(message: str) -> None:
    say(f"error: {message}", err=True)
    raise typer.Exit(REFUSED)
