"""What faults promise of jobs in particular: that they come to their end, in time, and run just once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from typing import TYPE_CHECKING

from .ledger import Execution
from .machine import Limit
from .workers import THREADS

if TYPE_CHECKING:
    from .faults import Hit
    from .ground import Ground
    from .node import Node


async def begun(ground: Ground, jobs: Collection[int], within: float = 10.0, attempt: int = 0) -> None:
    """Wait until jobs that last are under way, in an attempt of theirs or, with 0, in any.

    Raises:
        AssertionError: They are not within so many seconds, as from all of these.
    """
    limit = Limit("jobs to begin", within)
    while missing := await _unbegun(ground, jobs, attempt):
        if limit.is_over():
            raise AssertionError(f"jobs {sorted(missing)[:5]} did not begin within {within:g} s")
        await asyncio.sleep(0.05)


async def _unbegun(ground: Ground, jobs: Collection[int], attempt: int) -> set[int]:
    if missing := set(jobs) - {run.job for run in _in_flight(ground) if attempt in (0, run.attempt)}:
        found = await executions(ground, missing)  # what is over by now has begun, too
        missing -= {job for job, runs in found.items() if any(attempt in (0, run.attempt) for run in runs)}
    return missing


def _in_flight(ground: Ground) -> list[Execution]:
    return ground.ledger.in_flight(_pids(ground))


def _pids(ground: Ground) -> set[int]:
    return {pid for node in ground.nodes for pid in node.pids()}


async def ended(ground: Ground, jobs: Collection[int], within: float, state: str = "completed") -> None:
    """Wait until all of these jobs are in a state."""
    limit = Limit(f"jobs to be {state}", within)
    statement = "select id, state::text from oban_jobs where id = any($1::bigint[]) and state::text <> $2 limit 5"
    while left := await ground.sql(statement, list(jobs), state):
        if limit.is_over():
            raise AssertionError(f"jobs are not {state} within {within:g} s: {[*map(tuple, left)]}")
        await asyncio.sleep(0.1)


async def left(
    ground: Ground, attempts: Collection[tuple[int, int]], within: float, since: float | None = None
) -> None:
    """Wait until no row says any more that one of these attempts, jobs and numbers, goes on.

    Raises:
        AssertionError: One does so many seconds after a moment by `time.monotonic()`, or after this call.
    """
    limit = Limit("rescues", within, since)
    while running := await _running(ground, attempts):
        if limit.is_over():
            raise AssertionError(f"jobs {running[:10]} still count as running, {within:g} s after")
        await asyncio.sleep(0.1)


async def rescued(ground: Ground, runs: Collection[Execution], hit: Hit) -> None:
    """Wait until a fault's victims are taken from the dead, in the time that it has for it."""
    assert hit.rescued is not None
    await left(ground, [(run.job, run.attempt) for run in runs], hit.rescued - hit.ended, since=hit.ended)


async def _running(ground: Ground, attempts: Collection[tuple[int, int]]) -> list[int]:
    rows = await ground.sql(
        "select id from oban_jobs join unnest($1::bigint[], $2::int[]) as r (id, attempt) using (id, attempt) "
        "where state = 'executing'",
        [job for job, _ in attempts],
        [attempt for _, attempt in attempts],
    )
    return [row["id"] for row in rows]


async def ended_in_order(ground: Ground, producers: Collection[str], pids: Collection[int]) -> None:
    """Assert that producers that have ended in order have left no job executing, but for those in threads.

    Args:
        ground: Where they were.
        producers: As `producers` returned them.
        pids: The processes that they were in.
    """
    rows = await ground.sql(
        "select id, attempt, worker from oban_jobs where state = 'executing' and attempted_by[2] = any($1::text[])",
        list(producers),
    )
    going_on = {(run.job, run.attempt) for run in ground.ledger.in_flight(pids)}
    left = [row for row in rows if row["worker"] not in THREADS or (row["id"], row["attempt"]) not in going_on]
    if left:
        raise AssertionError(f"{len(left)} jobs were not handed back: {[*map(tuple, left[:5])]}")


async def producers(ground: Ground, nodes: Collection[Node]) -> list[str]:
    """Return the ids of the producers of nodes that run."""
    names = [node.name for node in nodes]
    return [row["uuid"] for row in await ground.sql("select uuid from bridge_producers where node = any($1)", names)]


async def not_completed(ground: Ground, attempts: Collection[tuple[int, int]]) -> None:
    """Assert that attempts, jobs and numbers, which somebody else has ended have not been completed since."""
    rows = await ground.sql(
        "select id from oban_jobs join unnest($1::bigint[], $2::int[]) as r (id, attempt) using (id, attempt) "
        "where state = 'completed'",
        [job for job, _ in attempts],
        [attempt for _, attempt in attempts],
    )
    if rows:
        raise AssertionError(f"jobs {[row['id'] for row in rows]} were completed though they had been rescued")


async def all_written(ground: Ground, hit: Hit, within: float = 5.0) -> float:
    """Wait until all that had ended by a fault's end has its outcome in its row, but for what faults have hit.

    So nothing of it is on its way any more when the next fault strikes, which could not explain its loss. Return that
    moment, the fault's end.

    Raises:
        AssertionError: An outcome is not written so many seconds after the fault's end, or a second after this call
            where that comes later.
    """
    limit = Limit("outcomes to be written", max(within, time.monotonic() + 1 - hit.ended), since=hit.ended)
    runs = await _ended(ground, hit)
    while running := set(await _running(ground, [(run.job, run.attempt) for run in runs])):
        if limit.is_over():
            late = [run for run in runs if run.job in running]
            raise AssertionError(
                f"{hit.fault}: {len(late)} outcomes are not written {within:g} s after, {await _why(ground, late)}"
            )
        await asyncio.sleep(0.1)
    return hit.ended


async def _ended(ground: Ground, hit: Hit) -> list[Execution]:
    """Return executions that ended by a fault's end, that none has hit, and whose rows say that they go on."""
    going_on = {(run.job, run.attempt) for run in _in_flight(ground)}
    rows = await ground.sql("select id, attempt from oban_jobs where state = 'executing'")
    attempts = {(row["id"], row["attempt"]) for row in rows} - going_on
    found = await executions(ground, {job for job, _ in attempts}) if attempts else {}
    return [
        run
        for runs in found.values()
        for run in runs
        if (run.job, run.attempt) in attempts
        and run.ended is not None
        and run.ended <= hit.ended
        and run.outcome != "interrupted"
        and not any(each.explains(run) for each in (*ground.hits, hit))
    ]


async def _why(ground: Ground, late: list[Execution]) -> str:
    """Return what may tell why outcomes are late: what their nodes have said last, and what the server does."""
    names = {run.node for run in late}
    said = [str(line)[:300] for node in ground.nodes if node.name in names for line in node.lines()[-3:]]
    busy = await ground.sql(
        "select pid, state, wait_event, now() - xact_start as since, left(query, 500) as query, pg_blocking_pids(pid) "
        "from pg_stat_activity where backend_type = 'client backend' and state <> 'idle' and pid <> pg_backend_pid()"
    )
    return f"as of {late[0]}; nodes said {said}; the server does {[dict(row) for row in busy]}"


async def written(ground: Ground, pids: Collection[int], since: float) -> None:
    """Assert that what ended in processes, since a moment by `time.monotonic()`, has its outcome in its row."""

    def find() -> list[tuple[int, int]]:
        lines = (
            line for line in ground.ledger.lines(since) if line.mark == "E" and line.pid in pids and line.time > since
        )
        return [(line.job, line.attempt) for line in lines if line.outcome != "interrupted"]

    await left(ground, await asyncio.to_thread(find), within=0)


async def never_begun(ground: Ground, attempts: Collection[tuple[int, int]]) -> set[tuple[int, int]]:
    """Return those attempts, jobs and numbers, that have begun nowhere until now."""
    found = await executions(ground, {job for job, _ in attempts})
    return set(attempts) - {(run.job, run.attempt) for runs in found.values() for run in runs}


async def ran_once(ground: Ground, jobs: Collection[int]) -> None:
    """Assert that each of these jobs ran once, and completed."""
    for job, runs in (await executions(ground, jobs)).items():
        if [run.outcome for run in runs] != ["completed"]:
            raise AssertionError(f"job {job} did not run just once: {runs}")


async def executions(ground: Ground, jobs: Collection[int]) -> dict[int, list[Execution]]:
    """Return how these jobs ran; reading all of the ledger takes its time, in which the harness goes on."""
    found = await asyncio.to_thread(ground.ledger.executions, set(jobs))
    return {job: found.get(job, []) for job in jobs}
