"""The unique index of `bridge install --unique-index`, beside an Elixir node that runs and inserts meanwhile."""

import asyncio
import itertools
import subprocess
import sys

import asyncpg
import pytest
from engine.rig import blocked

from bridge import Job, Unique
from bridge.errors import RemoteError

from .conftest import done
from .crossings import in_elixir, in_python, insert
from .rows import check

ORDER = Unique(period="infinity", keys=["order"], index=True)
BY_ORDER = {"bridge_unique": {"fields": ["args", "queue", "worker"], "keys": ["order"], "states": "successful"}}
FROM_ELIXIR = {"bridge_unique": {"keys": ["order"]}}  # the guide's; what it leaves out has its default
UNIQUE = {"period": "infinity", "keys": ["order"]}

_orders = itertools.count(1)


@pytest.fixture(scope="module")
def installed(shared_node):
    """The output of the command that makes the index, while the node runs."""
    place = shared_node.place
    command = [
        sys.executable,
        "-m",
        "bridge",
        "install",
        "--unique-index",
        "--dsn",
        place.dsn,
        "--prefix",
        place.prefix,
    ]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.fixture
async def held(installed, shared, python):
    """The Python side of a database that has the index."""
    return await python(shared.at, queues={})


@pytest.fixture
def order():
    return next(_orders)


def charge(order, **options):
    return Job("Billing", queue="billing", args={"order": order}, unique=ORDER, **options)


async def charge_in_elixir(shared, order, **options):
    fields = await insert(
        shared.ex, "Billing", {"order": order}, **{"queue": "billing", "meta": FROM_ELIXIR, "unique": UNIQUE, **options}
    )
    return fields["id"], fields["conflict?"]


async def stored(shared, order):
    """The ids of all jobs of an order."""
    rows = await shared.at.conn.fetch(
        f"select id from {shared.at.table} where args @> $1::text::jsonb order by id", f'{{"order": {order}}}'
    )
    return [row["id"] for row in rows]


@pytest.mark.item("jobs: unique index, install")
async def test_the_command_makes_it_beside_a_running_node(shared, installed):
    assert "made the unique index bridge_jobs_unique" in installed
    numbers = await shared.ex.rpc('for n <- 1..3, do: Interop.insert("Interop.Ok", %{n: n}, queue: "elixir")')

    for place, number in enumerate(numbers, 1):
        await shared.at.settled(number, "completed")
        check(await shared.at.row(number), **in_elixir(args={"n": place}))


@pytest.mark.item("jobs: unique index, both ways")
async def test_elixir_finds_what_python_has_stored_with_the_rule(shared, held, order):
    job = await held.oban.enqueue(charge(order, meta={"by": "python"}))

    assert await charge_in_elixir(shared, order) == (job.id, True)
    check(
        await shared.at.row(job.id),
        worker="Billing", queue="billing", args={"order": order}, meta={"by": "python", **BY_ORDER},
    )  # fmt: skip


@pytest.mark.item("jobs: unique index, both ways")
async def test_python_finds_what_elixir_has_stored_with_the_rule(shared, held, order):
    number, conflict = await charge_in_elixir(shared, order)

    job = await held.oban.enqueue(charge(order))

    assert (conflict, job.id, job.conflict, job.meta) == (False, number, True, FROM_ELIXIR)
    check(await shared.at.row(number), worker="Billing", queue="billing", args={"order": order}, meta=FROM_ELIXIR)


@pytest.mark.item("jobs: unique index, both ways")
@pytest.mark.parametrize("rule", [BY_ORDER, FROM_ELIXIR], ids=["python's", "the guide's"])
async def test_where_elixir_does_not_look_the_index_still_keeps_it_out(shared, held, order, rule):
    """Oban says `on conflict do nothing`: there is no job, and no error."""
    job = await held.oban.enqueue(charge(order))

    fields = await insert(shared.ex, "Billing", {"order": order}, queue="billing", meta=rule)
    mine = ["Billing", {"order": order}, {"queue": "billing", "meta": rule}]
    other = ["Billing", {"order": order}, {"queue": "another", "meta": rule}]
    numbers = await shared.ex.rpc("Interop.Jobs.insert_all(jobs)", jobs=[mine, other, mine])

    assert (fields["id"], fields["conflict?"]) == (None, False)
    assert await stored(shared, order) == [job.id, *numbers]
    assert [(await shared.at.row(number))["queue"] for number in numbers] == ["another"]


@pytest.mark.item("jobs: unique index, at the same moment")
async def test_without_the_rule_the_languages_can_miss_each_other(shared, held, order):
    """As the guide says: neither sees what the other has not committed, and their locks are different ones."""
    unique = Unique(period="infinity", keys=["order"])
    held_job = ["Billing", {"order": order}, {"queue": "billing", "unique": UNIQUE}]

    (number,) = await shared.ex.rpc("Interop.Jobs.hold(jobs)", jobs=[held_job])
    job = await held.oban.enqueue(Job("Billing", queue="billing", args={"order": order}, unique=unique))
    await shared.ex.rpc("Interop.Jobs.settle(:commit)")

    assert await stored(shared, order) == sorted([number, job.id])


@pytest.mark.item("jobs: unique index, at the same moment")
@pytest.mark.parametrize("end", ["commit", "rollback"])
async def test_python_waits_for_the_transaction_of_elixir(shared, held, order, end):
    held_job = ["Billing", {"order": order}, {"queue": "billing", "meta": FROM_ELIXIR, "unique": UNIQUE}]
    (number,) = await shared.ex.rpc("Interop.Jobs.hold(jobs)", jobs=[held_job])

    inserting = asyncio.create_task(held.oban.enqueue(charge(order)))
    await blocked(shared.at.conn)
    await shared.ex.rpc(f"Interop.Jobs.settle(:{end})")
    job = await inserting

    assert await stored(shared, order) == [job.id]
    assert (job.conflict, job.id == number) == ((True, True) if end == "commit" else (False, False))


@pytest.mark.item("jobs: unique index, at the same moment")
@pytest.mark.parametrize("end", ["commit", "rollback"])
async def test_elixir_waits_for_the_transaction_of_python(shared, held, order, end):
    conn = await asyncpg.connect(shared.at.dsn)
    transaction = conn.transaction()
    await transaction.start()
    job = await held.oban.enqueue(charge(order), conn=conn)

    inserting = asyncio.create_task(charge_in_elixir(shared, order))
    await blocked(shared.at.conn)
    await getattr(transaction, end)()
    number, conflict = await inserting
    await conn.close()

    assert conflict is False
    if end == "commit":
        assert (number, await stored(shared, order)) == (None, [job.id])
    else:
        assert await stored(shared, order) == [number]


@pytest.mark.item("jobs: unique index, at the same moment")
async def test_of_hundreds_that_both_insert_at_once_each_is_there_once(shared, held):
    first, count = 1_000_000, 300
    options = {"queue": "billing", "meta": FROM_ELIXIR, "unique": UNIQUE}
    code = """
    for n <- 1..count, into: %{} do
      job = Interop.Jobs.insert("Billing", %{order: first + n}, options)
      {first + n, {job["id"], job["conflict?"]}}
    end
    """

    elixir = asyncio.create_task(shared.ex.rpc(code, first=first, count=count, options=options))
    python = {n: await held.oban.enqueue(charge(n)) for n in range(first + 1, first + count + 1)}
    elixir = await elixir

    for n, job in python.items():
        number, conflict = elixir[n]
        assert await stored(shared, n) == [job.id]
        if job.conflict:
            assert (number, conflict) == (job.id, False)
        else:
            assert number in (job.id, None)
            assert conflict == (number is not None)


@pytest.mark.item("jobs: unique index, jobs that run")
async def test_jobs_with_the_rule_run_in_both_as_others_do(shared, installed, python, order):
    py = await python(shared.at)

    theirs = await insert(shared.ex, "interop.Ok", {"order": order}, queue="python", meta=FROM_ELIXIR)
    ours = await py.oban.enqueue(Job("Interop.Ok", queue="elixir", args={"order": order}, unique=ORDER))
    await done(shared.ex, ours.id)
    await py.ends.next()

    check(await shared.at.row(theirs["id"]), **in_python(args={"order": order}, meta=FROM_ELIXIR))
    check(await shared.at.row(ours.id), **in_elixir(args={"order": order}, meta=BY_ORDER))


@pytest.mark.item("jobs: unique index, jobs that run")
@pytest.mark.parametrize("mode", ["raise", "snooze", "cancel"])
async def test_jobs_with_the_rule_fail_and_wait_in_elixir_as_others_do(shared, held, order, mode):
    args = {"order": order, "mode": mode, "seconds": 60}
    job = await held.oban.enqueue(Job("Interop.Outcome", queue="elixir", args=args, unique=ORDER))
    await done(shared.ex, job.id)

    state = {"raise": "retryable", "snooze": "scheduled", "cancel": "cancelled"}[mode]
    row = await shared.at.row(job.id)
    assert (row["state"], row["attempt"], row["meta"]) == (state, 1, BY_ORDER)
    again = await held.oban.enqueue(Job("Interop.Outcome", queue="elixir", args=args, unique=ORDER))
    assert again.conflict == (mode != "cancel")


@pytest.mark.item("jobs: unique index, retry of an older duplicate")
async def test_the_retry_of_an_older_duplicate_raises_in_elixir_and_is_left_out_in_python(shared, held, order):
    old, new = await held.oban.enqueue(charge(order)), None
    await held.oban.cancel_job(old)
    new = await held.oban.enqueue(charge(order))
    before = await shared.at.row(old.id)

    with pytest.raises(RemoteError, match="bridge_jobs_unique"):
        await shared.ex.rpc("Oban.retry_job(id)", id=old.id)
    retried = await held.oban.retry_jobs([old.id])

    assert (new.conflict, retried) == (False, 0)
    assert await shared.at.row(old.id) == before
    await held.oban.cancel_job(new)
    await shared.ex.rpc("Oban.retry_job(id)", id=old.id)
    assert (await shared.at.row(old.id))["state"] == "available"
