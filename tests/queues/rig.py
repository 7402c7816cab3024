"""Workers, rows and the events of jobs, for tests of running queues."""

import asyncio
import inspect
import json
from contextlib import asynccontextmanager, contextmanager

import asyncpg

from bridge import Oban, telemetry
from bridge.jobs import Worker
from bridge.jobs.worker import build_options
from bridge.pubsub import Link
from bridge.telemetry import events

PATIENCE = 20  # seconds for what should take milliseconds, on a busy machine

TIMES = ("inserted_at", "scheduled_at", "attempted_at", "completed_at", "cancelled_at", "discarded_at")


def make_worker(registry, function, name="W", *, methods=None, **options):
    """Register a worker whose `process` is `function(job)`, under `name`, in a registry of the test's own."""

    async def process_async(_self, job):
        return await function(job)

    def process(_self, job):
        return function(job)

    is_async = any(map(inspect.iscoroutinefunction, (function, type(function).__call__)))
    method = process_async if is_async else process
    cls = type(name, (Worker,), {"process": method, "__qualname__": name, **(methods or {})})
    cls.options = build_options(name, options)
    registry.register(cls, (cls.options.name, *cls.options.aliases))
    return cls


class Events(list):
    """The (name, event) pairs of one kind that were sent, in their order."""

    def __init__(self):
        super().__init__()
        self._grown = asyncio.Condition()
        self._notices = set()

    def __call__(self, name, event):
        self.append((name, event))
        notice = asyncio.ensure_future(self._tell())
        self._notices.add(notice)
        notice.add_done_callback(self._notices.discard)

    async def next(self, count=1):
        """Wait until `count` events have come in all, and return the last of them."""
        return (await self.first(count))[-1]

    async def first(self, count, patience=PATIENCE):
        """Wait until `count` events have come in all, and return these."""
        async with asyncio.timeout(patience), self._grown:
            await self._grown.wait_for(lambda: len(self) >= count)
        return [event for _, event in self[:count]]

    async def of(self, job, attempt=None):
        """Wait for the event of a job, or of one of its attempts."""
        found = []

        def there():
            found[:] = [event for _, event in self if event.job.id == job.id and attempt in (None, event.job.attempt)]
            return found

        async with asyncio.timeout(PATIENCE), self._grown:
            await self._grown.wait_for(there)
        return found[-1]

    async def _tell(self):
        async with self._grown:
            self._grown.notify_all()


@contextmanager
def events_of(*names):
    """Collect the events of these names."""
    found = Events()
    handler_id = f"test-{id(found)}"
    telemetry.attach(handler_id, names, found)
    try:
        yield found
    finally:
        telemetry.detach(handler_id)


ENDS = (events.JOB_STOP, events.JOB_EXCEPTION)


async def row_of(conn, job, prefix="public"):
    """A job's row, its JSON decoded."""
    job_id = job if isinstance(job, int) else job.id
    schema = '"' + prefix.replace('"', '""') + '"'
    statement = f"select *, to_jsonb(errors) as error_list from {schema}.oban_jobs where id = $1"
    row = dict(await conn.fetchrow(statement, job_id))
    for field in ("args", "meta", "error_list"):
        row[field] = None if row[field] is None else json.loads(row[field])
    row["errors"] = row.pop("error_list")
    return row


async def insert_row(conn, *, worker="W", queue="default", prefix="public", **columns):
    """Insert a row as another program would, with no word to anybody; return its id."""
    schema = '"' + prefix.replace('"', '""') + '"'
    values = {"worker": worker, "queue": queue, **columns}
    places = ", ".join(f"${nth}{_CASTS.get(name, '')}" for nth, name in enumerate(values, 1))
    names = ", ".join(values)
    statement = f"insert into {schema}.oban_jobs ({names}) values ({places}) returning id"
    return await conn.fetchval(statement, *values.values())


_CASTS = {"state": "::text::public.oban_job_state", "args": "::text::jsonb", "meta": "::text::jsonb"}


async def states(conn, prefix="public"):
    """How many jobs are in each state."""
    schema = '"' + prefix.replace('"', '""') + '"'
    rows = await conn.fetch(f"select state::text, count(*) from {schema}.oban_jobs group by 1")
    return {row["state"]: row["count"] for row in rows}


async def notify(conn, channel, text, prefix="public"):
    """Send a text on a channel, as another program would."""
    await conn.execute("select pg_notify($1, $2)", f"{prefix}.oban_{channel}", text)


async def connected(oban):
    """Wait until an instance hears messages."""
    async with asyncio.timeout(PATIENCE):
        await oban.notifier.wait_for(Link.CONNECTED)


async def heard(oban):
    """Wait until an instance has dealt with every signal that was sent before this."""
    reached = asyncio.Event()
    subscription = oban.notifier.listen("signal", lambda _channel, payload: payload.get("mark") == 1 and reached.set())
    await subscription.ready()
    await oban.notifier.notify("signal", {"action": "nothing", "mark": 1})
    async with asyncio.timeout(PATIENCE):
        await reached.wait()
    subscription.cancel()


async def pause(oban, queue="default"):
    """Pause a queue of this node, and wait until it rests: a fetch or a cool-down may have been under way."""
    await oban.pause_queue(queue, local_only=True)
    producer = oban._parts.queues._producers[queue]
    await until(lambda: asyncio.sleep(0, not producer._wake.is_set() and producer._early is None))


async def until(condition, patience=PATIENCE):
    """Wait for what no event tells of; `condition` is async."""
    async with asyncio.timeout(patience):
        while not (found := await condition()):  # noqa: ASYNC110 - a row sets no Event
            await asyncio.sleep(0.005)
    return found


class Gate:
    """A worker that says when it started, and goes on when it is told to.

    Attributes:
        most: The most jobs that were in it at once.
        runs: How often each job came in, by id.
    """

    def __init__(self):
        self.inside = 0
        self.most = 0
        self.runs = {}
        self._open = asyncio.Event()
        self._entered = asyncio.Condition()
        self.total = 0

    async def __call__(self, job):
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.runs[job.id] = self.runs.get(job.id, 0) + 1
        async with self._entered:
            self.total += 1
            self._entered.notify_all()
        try:
            await self._open.wait()
        finally:
            self.inside -= 1

    def open(self):
        self._open.set()

    def close(self):
        self._open.clear()

    async def entered(self, count):
        """Wait until jobs have come in `count` times in all."""
        async with asyncio.timeout(PATIENCE), self._entered:
            await self._entered.wait_for(lambda: self.total >= count)


@asynccontextmanager
async def reconnected(dsn):
    conn = await asyncpg.connect(dsn)
    try:
        yield conn
    finally:
        await conn.close()


@asynccontextmanager
async def node(dsn, registry, **options):
    async with Oban(
        dsn=dsn, registry=registry, **{"queues": {"default": 20}, "shutdown_grace_period": 2, **options}
    ) as oban:
        yield oban


def returning(value):
    async def process(_job):
        return value

    return process
