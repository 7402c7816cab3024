"""Ten thousand odd values and calls against a live Elixir node, 1,400 of them here: outcomes, instances, contracts."""

import asyncio

import pytest
from queues.rig import make_worker

from bridge import Cancel, Discard, Job, Oban, Record, Snooze
from bridge.errors import SchemaError
from bridge.jobs import Registry
from python_demo.contracts import GenerateBadge, PrintCenter

from .harm import Caller, told, unharmed
from .storm import Silent, Storm
from .watch import Watch

SHARED = {
    "queues": {"elixir": 20, "printing": 5, "one": 1},
    "config": "Logger.configure(level: :info)",
    "options": "plugins: []",  # the pruner takes rows that calls were to leave alone
    "prefix": "ünïcödé",
}

pytestmark = pytest.mark.timeout(180)


class HostileError(Exception):
    """Says whatever it was made with, or breaks when it is asked."""

    def __str__(self):
        return self.args[0] if isinstance(self.args[0], str) else self.args[0].text


@pytest.fixture
async def watch(shared):
    return await Watch.begin(shared.ex)


@pytest.mark.item("harm: 600 jobs with odd outcomes in Python, whose rows Elixir then runs")
async def test_odd_outcomes_harm_no_node(shared, watch):
    storm, call = Storm(), Caller(shared.at)
    ran = asyncio.Queue()
    registry = Registry()

    async def process(job):
        ran.put_nowait(job.id)
        return await outcome(storm)

    make_worker(registry, process, "Odd", queue="odd")
    options = {"dsn": shared.at.dsn, "prefix": shared.at.prefix, "node": "py@host-b", "queues": {"odd": 20}}
    async with Oban(**options, registry=registry, shutdown_grace_period=5) as oban:
        jobs = await oban.enqueue_many(Job("Odd", queue="odd", meta=storm.object()) for _ in range(600))
        for _ in jobs:
            await asyncio.wait_for(ran.get(), 30)
    call.calls = len(jobs)
    left = await shared.at.states()
    async with Oban(dsn=shared.at.dsn, prefix=shared.at.prefix, registry=Registry()) as client:
        # Whatever is in errors and meta now, Elixir has to load when it takes the jobs.
        moved = await client.update_jobs(jobs, {"queue": "elixir", "worker": "Interop.Ok"})
        assert len(moved) == len(jobs)
        await client.retry_jobs(jobs)
        async with asyncio.timeout(60):
            while (await shared.at.states()).get("completed") != len(jobs):  # noqa: ASYNC110 - nor do rows
                await asyncio.sleep(0.05)
    told(call, left=left)
    assert {"completed", "cancelled", "discarded", "retryable", "scheduled"} <= left.keys()
    await unharmed(shared.ex, shared.at, watch)


@pytest.mark.item("harm: 400 instances with odd names, nodes, prefixes, queues and crontabs")
async def test_odd_instances_harm_no_node(shared, watch):
    storm, call = Storm(), Caller(shared.at, SchemaError)
    began = 0

    async def begin():
        nonlocal began
        oban = Oban(dsn=shared.at.dsn, registry=Registry(), pool_options={"max_size": 2}, **settings(storm, shared.at))
        if storm.random() < 0.3:
            async with oban:
                began += 1
                await oban.enqueue(Job("Interop.Ok", queue="elixir"))

    for _ in range(400):
        await call(begin)
    told(call, began=began)
    assert 100 < call.refused < 380
    assert began > 5
    await unharmed(shared.ex, shared.at, watch)


@pytest.mark.item("harm: 400 odd args of jobs with a contract")
async def test_odd_args_of_contracts_harm_no_node(shared, watch):
    storm, call = Storm(), Caller(shared.at, TypeError)
    async with Oban(dsn=shared.at.dsn, prefix=shared.at.prefix, registry=Registry()) as client:

        async def one():
            contract = storm.choice([PrintCenter, PrintCenter, GenerateBadge])
            given = {"id": storm.either(lambda: storm.randrange(1, 10**6)), "name": storm.either(storm.fine_text)}
            if contract is PrintCenter:
                given["path"] = storm.either(storm.fine_text)
            if storm.random() < 0.1:
                return await client.enqueue(
                    Job("BadgeForge.PrintCenter", queue="printing", args={**given, **storm.object()})
                )
            return await client.enqueue(contract(**given).new(**storm.some(priority=lambda: 3)))

        for _ in range(400):
            await call(one)
    told(call)
    assert 50 < call.refused < 380
    await unharmed(shared.ex, shared.at, watch)


async def outcome(storm):
    """End as the dice say."""
    match storm.randrange(8):
        case 0:
            return Cancel(storm.value())
        case 1:
            return Discard(storm.value())
        case 2:
            return Record(storm.value())
        case 3:
            return Snooze(storm.choice([10**6, 10**9, storm.value()]), meta=storm.either(storm.object, 0.3))
        case 4:
            raise HostileError(storm.choice([storm.text(), storm.text() * 100, None]))
        case 5:
            raise storm.choice([KeyError, RecursionError, UnicodeError, AssertionError, TimeoutError])(storm.value())
        case 6:
            raise ExceptionGroup(storm.text(), [HostileError(storm.text()), ValueError(Silent())])
    return storm.value()


def settings(storm, at):
    """Arguments of an instance; most that are right make it start beside the node."""
    found = storm.some(
        name=lambda: storm.name("Oban", "MyApp.Oban", '"text"', "{:oban, 3}"),
        node=lambda: storm.name("py@host-b", "other"),
        queues=lambda: storm.choice([{}, {storm.fine_text(): 1}, {storm.text(): storm.value()}]),
        cron=lambda: crontab(storm),
        shutdown_grace_period=lambda: 1,
        notifier=lambda: {"enabled": storm.random() < 0.5},
        lifeline=lambda: storm.choice([{"enabled": False}, {"rescue_after": storm.value()}]),
        pruner=lambda: {"mode": "off"},
        stager=lambda: storm.choice([{"mode": "auto"}, {"mode": storm.text()}]),
    )
    return {**found, "prefix": at.prefix if storm.random() < 0.8 else storm.either(storm.text, 0.3)}


def crontab(storm):
    def entry():
        expression = storm.name("@reboot", "* * * * *", "0 0 1 1 *", "60 * * * *", "* * * * 7")
        options = {
            "external": True,
            "queue": "elixir",
            **storm.some(args=storm.object, tags=lambda: [storm.fine_text()]),
        }
        return (expression, storm.name("Interop.Ok"), options)

    return [entry() for _ in range(storm.choice([1, 2]))]
