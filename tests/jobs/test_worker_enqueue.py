"""A worker's `enqueue`: through which instance, in whose transaction, and what it writes."""

import pytest

from bridge import SyncOban, job
from bridge.engine.schema import install
from bridge.errors import InstanceNotFound, InvalidJob
from bridge.jobs import registry

from .rig import define


async def test_enqueue_goes_to_the_workers_instance(start, conn):
    await install(conn, "elsewhere")
    await start()
    await start(name="Somewhere", prefix="elsewhere")

    with pytest.raises(InvalidJob, match="priority: expected an integer from 0 to 9, got 10"):
        await define(oban="Somewhere").enqueue(priority=10)
    await define(oban="Somewhere").enqueue({"a": 1})

    assert await conn.fetchval("select array_agg(args::text) from elsewhere.oban_jobs") == ['{"a": 1}']
    assert await conn.fetchval("select count(*) from oban_jobs") == 0


async def test_enqueue_in_the_callers_transaction(start, conn):
    await start()
    transaction = conn.transaction()
    await transaction.start()
    job = await define().enqueue({"a": 1}, conn=conn)
    assert await conn.fetchval("select count(*) from oban_jobs where id = $1", job.id) == 1
    await transaction.rollback()

    assert await conn.fetchval("select count(*) from oban_jobs") == 0


async def test_enqueue_through_an_instance_that_is_given(start):
    oban = await start(name="Second")

    @job(name="Sum")
    def add(a, b):
        return a + b

    try:
        for given in (oban, "Second"):
            assert (await define().enqueue({"a": 1}, oban=given)).id > 0
            assert (await add.enqueue(1, b=2, oban=given)).args == {"a": 1, "b": 2}
    finally:
        registry.unregister(add.worker)


async def test_enqueue_through_what_is_no_asynchronous_instance():
    with pytest.raises(InvalidJob, match=r"oban: expected an instance, .*; SyncOban\.enqueue takes Worker\.new"):
        await define().enqueue({"a": 1}, oban=SyncOban())


async def test_enqueue_without_that_instance():
    with pytest.raises(InstanceNotFound, match=r"no instance named 'Nowhere' is running .*; start one first"):
        await define(oban="Nowhere").enqueue()


async def test_enqueue_writes_a_row(start, conn):
    defined = define(name="Mail.Send", queue="mail", meta={"m": 1})
    await start()

    job = await defined.enqueue({"a": 1}, tags=["x"])

    found = await conn.fetchrow(
        "select worker, queue, args::text, meta::text, tags from oban_jobs where id = $1", job.id
    )
    assert tuple(found) == ("Mail.Send", "mail", '{"a": 1}', '{"m": 1}', ["x"])
