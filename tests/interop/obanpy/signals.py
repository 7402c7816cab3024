"""How the queues of a node of either Python stand, awaited: a signal is obeyed a moment after it was sent."""

import asyncio

import asyncpg

from bridge.pubsub import Link

from .peer import PATIENCE, until


async def hearing(oban):
    """Return an instance of Bridge once messages reach it, which is a moment after it runs jobs."""
    async with asyncio.timeout(PATIENCE):
        await oban.notifier.wait_for(Link.CONNECTED)
    return oban


async def settled(node, **queues):
    """Wait until a node's queues stand as is said; None is a queue that doesn't run there."""

    async def as_said():
        return {name: await stands(node, name, wanted) for name, wanted in queues.items()} == queues

    await until(as_said)


async def at_rest(dsn):
    """Wait until no session of a database is at work: as a queue was paused, a fetch may have been under way."""
    conn = await asyncpg.connect(dsn)
    others = """
        select count(*)
        from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'
    """

    async def is_at_rest():
        return await conn.fetchval(others) == 0

    await until(is_at_rest)
    await conn.close()


async def stands(node, queue, wanted):
    """What a node says of a queue, as far as it is asked."""
    if hasattr(node, "check_queue"):
        info = node.check_queue(queue)
        found = None if info is None else {"limit": info.limit, "paused": info.paused}
    else:
        found = await node.call("check", queue=queue)
    return None if found is None else {name: found[name] for name in wanted or found}
