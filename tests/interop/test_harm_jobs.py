"""Ten thousand odd values and calls against a live Elixir node, 5,700 of them here: jobs, changes and filters."""

import json
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from bridge import Job, Oban
from bridge.engine.schema import install_own, quote_ident
from bridge.jobs import Registry

from .harm import Caller, told, unharmed
from .storm import Storm
from .watch import Watch

SHARED = {
    "queues": {"elixir": 20, "shared": 5, "one": 1},
    "config": "Logger.configure(level: :info)",
    "options": "plugins: []",  # the pruner takes rows that calls were to leave alone
}

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
async def client(shared):
    async with Oban(dsn=shared.at.dsn, prefix=shared.at.prefix, node="py@host-b", registry=Registry()) as oban:
        yield oban


@pytest.fixture
async def watch(shared):
    return await Watch.begin(shared.ex)


@pytest.mark.item("harm: 3,500 odd jobs, one by one and in bulk")
async def test_odd_jobs_harm_no_node(shared, client, watch):
    storm, call = Storm(), Caller(shared.at)

    async def one():
        return await client.enqueue(job(storm))

    async def many():
        return await client.enqueue_many(job(storm) for _ in range(4))

    for _ in range(2_500):
        await call(one)
    for _ in range(250):
        await call(many, 4)
    told(call)
    assert 200 < call.refused < 3_300
    await unharmed(shared.ex, shared.at, watch)


@pytest.mark.item("harm: 900 odd changes of jobs")
async def test_odd_changes_harm_no_node(shared, client, watch):
    storm, call = Storm(), Caller(shared.at)
    queues = ["elixir", "held", "held"]
    jobs = await client.enqueue_many(
        Job("Interop.Ok", queue=queues[n % 3], args={"n": n % 7}, meta={"n": n}) for n in range(90)
    )

    async def one():
        given = storm.either(lambda: changes(storm), 0.05)
        return await client.update_job(storm.choice(jobs), None if callable(given) else given)

    async def many():
        return await client.update_jobs(storm.either(lambda: storm.sample(jobs, 3), 0.1), lambda _job: changes(storm))

    for _ in range(600):
        await call(one)
    for _ in range(300):
        await call(many)
    told(call)
    assert 100 < call.refused < 850
    await unharmed(shared.ex, shared.at, watch)


@pytest.mark.item("harm: 900 odd filters of jobs to cancel, retry, delete, list and count")
async def test_odd_filters_harm_no_node(shared, client, watch):
    storm, call = Storm(), Caller(shared.at)
    jobs = [
        await client.enqueue_many(
            Job("Interop.Ok", queue=queue, args=storm.object(), tags=["x"], priority=n % 9) for n in range(30)
        )
        for queue in ("elixir", "held", "shared")
    ]

    async def one():
        method = storm.choice(
            [client.cancel_jobs, client.retry_jobs, client.delete_jobs, client.jobs, client.count_jobs]
        )
        if method not in (client.jobs, client.count_jobs) and storm.random() < 0.3:
            return await method(storm.either(lambda: storm.sample(jobs[storm.randrange(3)], 4), 0.5))
        return await method(**filters(storm))

    for _ in range(900):
        await call(one)
    told(call)
    assert 100 < call.refused < 850
    await unharmed(shared.ex, shared.at, watch)


@pytest.mark.item("harm: 400 odd calls of bridge_enqueue in SQL")
async def test_odd_calls_in_sql_harm_no_node(shared, watch):
    storm, call = Storm(), Caller(shared.at, asyncpg.PostgresError, asyncpg.DataError, UnicodeError)
    await install_own(shared.at.conn, shared.at.prefix)
    function = f"{quote_ident(shared.at.prefix)}.bridge_enqueue"

    async def one():
        given = {"worker": storm.choice(["Interop.Ok", "Interop.Ok", storm.text()]), **sql_options(storm)}
        named = ", ".join(f"{name} => ${nth}{_CASTS.get(name, '')}" for nth, name in enumerate(given, 1))
        return await shared.at.conn.fetchval(f"select {function}({named})", *given.values())

    for _ in range(400):
        await call(one)
    told(call)
    assert 30 < call.refused < 380
    await unharmed(shared.ex, shared.at, watch)


def job(storm):
    worker = storm.either(lambda: storm.choice(["Interop.Ok", "Interop.Ok", storm.fine_text()]), 0.1)
    return Job(worker, **options(storm))


def options(storm):
    """Options of a job, most of them right."""
    return storm.some(
        args=storm.object,
        queue=lambda: queue(storm),
        max_attempts=lambda: storm.choice([1, 20, 3, 2 * 10**9]),
        priority=lambda: storm.randrange(10),
        tags=lambda: [storm.fine_text() for _ in range(storm.randrange(4))],
        meta=storm.object,
        scheduled_at=lambda: moment(storm),
        state=lambda: "suspended",
        unique=lambda: storm.choice([True, unique(storm)]),
        replace=lambda: storm.choice([["args"], {"scheduled": ["tags", "meta"]}, ["queue", "worker"]]),
    )


def unique(storm):
    return storm.some(
        period=lambda: storm.choice([60, 0.5, "infinity", timedelta(days=1)]),
        fields=lambda: storm.sample(["args", "meta", "queue", "worker"], 2),
        keys=lambda: [storm.fine_text()],
        states=lambda: storm.choice(["all", "incomplete", ["available", "scheduled"]]),
        timestamp=lambda: storm.choice(["inserted_at", "scheduled_at"]),
        index=lambda: storm.choice([True, False]),
    )


def queue(storm):
    return storm.choice(["elixir", "elixir", "elixir", "shared", "one", "held", storm.fine_text()])


def moment(storm):
    return datetime.now(UTC) + timedelta(seconds=storm.choice([-(10**10), -1, 0, 1, 10**10]))


def changes(storm):
    return storm.some(
        args=storm.object,
        queue=lambda: queue(storm),
        max_attempts=lambda: storm.choice([1, 2, 3, 20, 2 * 10**9]),
        priority=lambda: storm.randrange(10),
        tags=lambda: [storm.fine_text()],
        meta=storm.object,
        scheduled_at=lambda: moment(storm),
        worker=lambda: storm.choice(["Interop.Ok", storm.fine_text()]),
    )


def filters(storm):
    """Filters, most of them right; some of all of their kind, so that there is nothing that they spare."""
    states = ["available", "scheduled", "executing", "retryable", "completed", "cancelled", "discarded", "suspended"]
    found = storm.some(
        state=lambda: storm.choice([storm.choice(states), storm.sample(states, 3)]),
        queue=lambda: storm.choice(["elixir", ["held", "shared"], storm.fine_text()]),
        worker=lambda: storm.choice(["Interop.Ok", storm.fine_text()]),
        args=storm.object,
        tags=lambda: ["x"],
        has_tags=lambda: ["x", storm.fine_text()],
        priority=lambda: storm.choice([0, [1, 2, 3]]),
        error=storm.fine_text,
        node=storm.fine_text,
        min_id=lambda: storm.choice([1, 2**63 - 1]),
        scheduled_before=lambda: moment(storm),
        cancelled_after=lambda: moment(storm),
    )
    names = [name for name in (storm.text() for _ in range(2)) if name.isidentifier() and name not in ("limit", "by")]
    return found if storm.random() < 0.9 else {**found, **{name: storm.value() for name in names}}


_CASTS = {"args": "::text::jsonb", "meta": "::text::jsonb"}

#: Numbers and nesting that jsonb takes, among them some that Elixir can't load.
_DOCUMENTS = [
    "[1]",
    "null",
    '"x"',
    "{",
    '{"a": NaN}',
    '{"a": "\\u0000"}',
    '{"a": "\\ud800"}',
    '{"a": 1e400}',
    '{"a": 1e-400}',
]
_DOCUMENTS += [f'{{"a": 1{"0" * 400}.5}}', f'{{"a": 1{"0" * 1_023}}}', f'{{"a": 1{"0" * 1_024}}}', '{"a": -1e-16383}']
_DOCUMENTS += ['{"a": 1e100000}', f'{{"a": {"[" * 200}1{"]" * 200}}}', '{"": {"": [{}]}}']


def sql_options(storm):
    def document():
        return storm.choice([storm.choice(_DOCUMENTS), json.dumps(storm.object())])

    found = storm.some(
        0,
        queue=lambda: storm.choice([queue(storm), storm.text()]),
        priority=lambda: storm.choice([0, 9, 5, -1, 10]),
        max_attempts=lambda: storm.choice([1, 20, 3, 0, -1, 2 * 10**9]),
        tags=lambda: [storm.choice([storm.fine_text(), storm.text()])],
        scheduled_at=lambda: moment(storm),
    )
    documents = {name: document() for name in ("args", "meta") if storm.random() < 0.5}
    return {**found, **documents}
