"""Jobs that are unique unless told otherwise."""

from bridge.jobs import Job

#: A rule for ever.
ONCE = {"period": "infinity"}


def make(args=None, **options):
    return Job("W", **{"queue": "alpha", "args": {"id": 1} if args is None else args, "unique": True, **options})


async def count(conn):
    return await conn.fetchval("select count(*) from oban_jobs")
