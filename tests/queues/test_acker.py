import asyncio

import asyncpg

from bridge import Record
from bridge.engine import Engine
from bridge.queues import acker

from .rig import row_of, until


async def test_a_row_that_somebody_holds_holds_up_no_other(start, worker, ends, installed, conn):
    reached, opened = asyncio.Event(), asyncio.Event()

    async def process(job):
        if job.args["wait"]:
            reached.set()
            await opened.wait()

    oban = await start(queues={"default": 20})
    cls = worker(process)
    held = await oban.enqueue(cls.new({"wait": True}))
    await reached.wait()
    other = await asyncpg.connect(installed)
    try:
        async with other.transaction():
            await other.execute("select from oban_jobs where id = $1 for update", held.id)
            opened.set()
            others = await oban.enqueue_many([cls.new({"wait": False}) for _ in range(50)])
            for job in others:
                await ends.of(job)
            assert (await row_of(conn, held))["state"] == "executing"
    finally:
        await other.close()

    assert (await ends.of(held)).recorded is True
    assert (await row_of(conn, held))["state"] == "completed"


async def test_an_outcome_too_slow_for_the_server_fails_alone(start, worker, ends, installed, conn):
    async def process(job):
        return Record("x" * 100_000) if job.args["slow"] else None

    # A server that cancels what is too long; one that measures would also cancel others, on a busy machine.
    await conn.execute(
        """
        create function dawdle() returns trigger language plpgsql as $$
        begin
          raise query_canceled using message = 'canceling statement due to statement timeout';
        end
        $$;
        create trigger dawdle before update on oban_jobs
        for each row when (length(new.meta::text) > 50000) execute function dawdle()
        """
    )
    oban = await start(queues={"default": 20})
    cls = worker(process)
    jobs = await oban.enqueue_many([cls.new({"slow": nth == 3}) for nth in range(30)])
    await ends.first(30)

    states = [(await row_of(conn, job))["state"] for job in jobs]
    assert states == ["discarded" if nth == 3 else "completed" for nth in range(30)]
    assert "statement timeout" in str((await row_of(conn, jobs[3]))["errors"])


async def test_an_outcome_waits_where_a_lock_lasts_longer_than_any_statement_may(
    start, worker, ends, installed, conn, gate, monkeypatch
):
    tries, ack = [], Engine.ack

    async def counted(self, uuid, acks):
        tries.append(acks)
        return await ack(self, uuid, acks)

    monkeypatch.setattr(acker, "ATTEMPTS", 1)
    monkeypatch.setattr(Engine, "ack", counted)
    database = await conn.fetchval("select current_database()")
    await conn.execute(f"alter database {database} set statement_timeout = 1000")
    oban = await start(queues={"default": 5})
    job = await oban.enqueue(worker(gate).new())
    await gate.entered(1)
    async with conn.transaction():
        await conn.execute("lock table oban_jobs in access exclusive mode")
        gate.open()
        await until(lambda: asyncio.sleep(0, len(tries) > 4), patience=60)
    assert (await ends.of(job)).recorded is True
    assert (await row_of(conn, job))["state"] == "completed"


async def test_cancelling_beside_acks_never_deadlocks(start, worker, installed, conn):
    async def process(_job):
        await asyncio.sleep(0)

    oban = await start(queues={"default": 50})
    cls = worker(process)

    async def hammer():
        for _ in range(20):
            await oban.cancel_jobs(state=["available", "executing"])
            await oban.retry_jobs(state="cancelled")

    await oban.enqueue_many(cls.new({}) for _ in range(500))
    await asyncio.gather(hammer(), hammer())
