"""An outcome reaches its row whatever the database says to it, and holds up no other."""

import asyncio

import pytest
from proxy import wire_to

from bridge import Record, Snooze

from .rig import node, row_of, states, until


@pytest.mark.parametrize(
    ("result", "state", "max_attempts"),
    [(Record("lost-on-the-way"), "completed", 20), (Snooze(60, meta={"x": "lost-on-the-way"}), "scheduled", 21)],
)
async def test_an_outcome_whose_answer_was_lost_is_written_once_and_told_as_written(
    installed, worker, ends, conn, registry, caplog, result, state, max_attempts
):
    async def process(_job):
        return result

    cls = worker(process)
    marker = b"lost-on-the-way"
    if isinstance(result, Record):
        from bridge.codecs.recorded import encode_recorded

        marker = encode_recorded(result.value).encode()
    async with wire_to(installed) as wire, node(wire.dsn, registry) as oban:
        wire.lose_answer(marker)
        job = await oban.enqueue(cls.new())
        event = await ends.of(job)
        assert wire.lost.is_set()
    assert event.recorded
    row = await row_of(conn, job)
    assert (row["state"], row["max_attempts"], row["attempt"]) == (state, max_attempts, 1)
    assert "changed by somebody else" not in caplog.text


async def test_an_error_whose_answer_was_lost_is_recorded_once(installed, worker, ends, conn, registry):
    async def process(_job):
        raise ValueError("lost-on-the-way")

    cls = worker(process)
    async with wire_to(installed) as wire, node(wire.dsn, registry) as oban:
        wire.lose_answer(b"lost-on-the-way")
        job = await oban.enqueue(cls.new())
        event = await ends.of(job)
        assert wire.lost.is_set()
    assert event.recorded
    assert len((await row_of(conn, job))["errors"]) == 1


async def test_a_right_that_is_missing_for_a_while_costs_no_outcome(
    installed, worker, ends, conn, gate, registry, caplog
):
    # Roles are the server's, which other tests use at the same time.
    visitor = f"visitor_of_{await conn.fetchval('select current_database()')}"
    await conn.execute(f"create role {visitor} login; grant all on oban_jobs, oban_peers to {visitor}")
    await conn.execute(f"grant all on sequence oban_jobs_id_seq to {visitor}")
    try:
        cls = worker(gate)
        async with node(installed.replace("postgres@", f"{visitor}@"), registry) as oban:
            jobs = await oban.enqueue_many(cls.new() for _ in range(3))
            await gate.entered(3)
            await conn.execute(f"revoke update on oban_jobs from {visitor}")
            gate.open()
            await until(lambda: asyncio.sleep(0, "outcomes wait for the database" in caplog.text))
            await conn.execute(f"grant update on oban_jobs to {visitor}")
            await ends.first(3)
        assert [(await row_of(conn, job))["state"] for job in jobs] == ["completed"] * 3
    finally:
        await conn.execute(f"drop owned by {visitor}; drop role {visitor}")


async def test_an_outcome_that_the_database_refuses_is_told_and_holds_up_no_other(
    installed, start, worker, ends, conn, caplog, gate
):
    await conn.execute("alter table oban_jobs add constraint no_beer check (not (meta ? 'beer'))")

    async def process(job):
        await gate(job)
        return Snooze(60, meta={"beer": 1}) if job.args["beer"] else None

    cls = worker(process)
    oban = await start(queues={"default": 20})
    jobs = await oban.enqueue_many(cls.new({"beer": nth == 5}) for nth in range(10))
    await gate.entered(10)
    gate.open()
    await ends.first(10)
    found = [(await row_of(conn, job)) for job in jobs]
    assert [row["state"] for row in found] == ["completed"] * 5 + ["discarded"] + ["completed"] * 4
    assert "the database refused the outcome" in found[5]["errors"][0]["error"]
    assert "no_beer" in found[5]["errors"][0]["error"]
    event = await ends.of(jobs[5])
    assert (event.state, event.recorded) == ("discarded", True)
    await ends.of(await oban.enqueue(cls.new({"beer": False})))


async def test_a_row_that_refuses_every_outcome_is_given_up_and_the_queue_goes_on(
    start, worker, ends, conn, caplog, gate
):
    cls = worker(gate)
    oban = await start(queues={"default": 5})
    stuck, free = await oban.enqueue_many([cls.new(), cls.new()])
    await gate.entered(2)
    await conn.execute(f"alter table oban_jobs add constraint stuck check (id <> {stuck.id} or state = 'executing')")
    gate.open()
    assert (await ends.of(free)).recorded
    assert (await ends.of(stuck)).recorded is False
    assert (await row_of(conn, stuck))["state"] == "executing"
    assert f"the database refused the outcome of job {stuck.id}" in caplog.text
    assert "changed by somebody else" not in caplog.text


async def test_outcomes_that_take_too_long_together_are_written_in_parts(installed, worker, ends, conn, gate, registry):
    # A server that cancels whatever takes longer than 20 rows do.
    await conn.execute(
        """
        create function dawdle() returns trigger language plpgsql as $$
        begin
          if (select count(*) from changed where state = 'completed') > 20 then
            raise query_canceled using message = 'canceling statement due to statement timeout';
          end if;
          return null;
        end
        $$;
        create trigger dawdle after update on oban_jobs referencing new table as changed
        for each statement execute function dawdle()
        """
    )
    cls = worker(gate)
    async with node(installed, registry, queues={"default": 100}) as oban:
        await oban.enqueue_many(cls.new() for _ in range(100))
        await gate.entered(100)
        gate.open()
        await ends.first(100)
    assert await states(conn) == {"completed": 100}
    assert all(event.recorded for _, event in ends)
