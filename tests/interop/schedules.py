"""Jobs of both languages that are due one after the other, and the ways in which a node goes and comes back."""

import asyncio
from datetime import UTC, datetime, timedelta

from queues.rig import until

from bridge import Job

#: How late a job may start, in seconds, whatever dies.
LATEST = 3.0

WAYS = {
    "killed": ("kill", "start"),
    "frozen": ("pause", "resume"),
    "cut off": ("disconnect", "reconnect"),
    "stopped": ("stop", "start"),
}


async def schedule(place, py, ex, seconds):
    """Insert jobs that are due in so many seconds: of each, one for either language from either; return their ids."""
    now = datetime.now(UTC)
    times = [now + timedelta(seconds=each) for each in seconds]
    kinds = (("interop.Ok", "python"), ("Interop.Ok", "elixir"))
    jobs = await py.enqueue_many(
        [Job(worker, queue=queue, scheduled_at=time) for time in times for worker, queue in kinds]
    )
    theirs = [[worker, {}, {"queue": queue, "scheduled_at": time}] for time in times for worker, queue in kinds]
    return {job.id for job in jobs} | (set(await ex.rpc("Interop.insert_all(jobs)", jobs=theirs)) if ex else set())


async def completed(place, ids, patience=30):
    """Wait until all of them are completed."""
    statement = f"select count(*) from {place.table} where id = any($1::bigint[]) and state = 'completed'"

    async def all_are():
        return await place.conn.fetchval(statement, list(ids)) == len(ids)

    try:
        await until(all_are, patience)
    except TimeoutError:
        rows = await place.conn.fetch(
            f"select state::text, queue, count(*) from {place.table} where id = any($1::bigint[]) group by 1, 2",
            list(ids),
        )
        raise AssertionError(f"not all of {len(ids)} jobs are completed: {[tuple(row) for row in rows]}") from None


async def check_times(journal, ids):
    """Each job was started once, and none late."""
    assert await journal.runs(ids) == dict.fromkeys(ids, 1)
    for state in ("available", "executing"):
        late = await journal.lateness(state, ids)
        assert late.keys() == ids
        assert max(late.values()) < LATEST, (state, sorted(late.values())[-5:])
        assert min(late.values()) >= 0, f"too early: {min(late.values())}"


async def holder(place, name="Oban"):
    """The node of a live lease."""
    table = place.table.replace("oban_jobs", "oban_peers")
    return await place.conn.fetchval(
        f"select node from {table} where name = $1 and expires_at > timezone('UTC', now())", name
    )


async def held_by(place, node, name="Oban", patience=20):
    """Wait until a node holds a lease."""

    async def is_so():
        return await holder(place, name) == node

    await until(is_so, patience)


async def freeze(node, place):
    """Pause a node while it is in no transaction, whose locks would stay with it."""
    busy = """
    select exists (
      select
      from pg_stat_activity
      where datname = current_database()
        and backend_type = 'client backend'
        and pid <> pg_backend_pid()
        and xact_start is not null
    )
    """
    async with asyncio.timeout(10):
        await node.pause()
        while await place.conn.fetchval(busy):
            await node.resume()
            await asyncio.sleep(0.01)
            await node.pause()
