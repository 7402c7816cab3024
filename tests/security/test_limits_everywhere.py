"""Args and meta that are too large are refused by whatever way they come, and the caller's transaction goes on."""

import asyncio
import json

import asyncpg
import pytest
from adapters.kinds import KINDS, settled
from cli.conftest import bridge
from queues.rig import insert_row, row_of

from bridge import Job
from bridge.engine.schema import install_own
from bridge.errors import EncodeError
from bridge.sync import SyncOban

from .limits import document, fresh_limits, limits

__all__ = ["bridge", "fresh_limits", "limits"]

FIELDS = ["args", "meta"]


def too_large(field):
    return pytest.raises(EncodeError, match=f"^{field}: expected at most 2,000, got '2,001 bytes'; store it elsewhere")


async def queues(conn):
    return [row["queue"] for row in await conn.fetch("select queue from oban_jobs order by id")]


# Without an event loop


@pytest.mark.parametrize("field", FIELDS)
def test_the_client_for_code_without_an_event_loop_refuses_them(installed, limits, field):
    limits(args=2_000, meta=2_000)
    with SyncOban(dsn=installed) as oban:
        kept = oban.enqueue(Job("W", **{field: document(2_000)}))
        with too_large(field):
            oban.enqueue(Job("W", **{field: document(2_001)}))
        with too_large(field):
            oban.enqueue_many([Job("W"), Job("W", **{field: document(2_001)})])
        assert len(getattr(oban.get_job(kept.id), field)["a"]) == 2_000 - len('{"a":""}')
        assert oban.get_job(kept.id + 1) is None


# In the caller's transaction


@pytest.fixture(params=KINDS)
async def held(request, installed):
    """A connection or session of each library, in its default way of transactions."""
    async with KINDS[request.param](installed) as found:
        yield found


@pytest.mark.parametrize("field", FIELDS)
async def test_the_caller_s_transaction_goes_on_and_is_committed(start, conn, held, limits, field):
    limits(args=2_000, meta=2_000)
    oban = await start()
    large = {field: document(2_001)}
    await settled(held.execute("insert into oban_jobs (worker, queue) values ('W', 'by hand')"))
    await oban.enqueue(Job("W", queue="before"), conn=held.conn)
    with too_large(field):
        await oban.enqueue(Job("W", queue="large", **large), conn=held.conn)
    with too_large(field):
        await oban.enqueue_many([Job("W", queue="large"), Job("W", queue="large", **large)], conn=held.conn)
    await oban.enqueue_many([Job("W", queue="after")], conn=held.conn)
    await settled(held.execute("update oban_jobs set priority = 3 where queue = 'by hand'"))
    assert await queues(conn) == []
    await settled(held.commit())
    assert await queues(conn) == ["by hand", "before", "after"]
    assert await conn.fetchval("select priority from oban_jobs where queue = 'by hand'") == 3


@pytest.mark.parametrize("kind", ["psycopg", "psycopg2", "sqlalchemy session, psycopg"])
async def test_the_client_without_an_event_loop_leaves_it_alive_too(installed, conn, limits, kind):
    limits(args=2_000)
    async with KINDS[kind](installed) as held:

        def within():
            oban = SyncOban(conn=held.conn)
            oban.enqueue(Job("W", queue="before"))
            with too_large("args"):
                oban.enqueue(Job("W", args=document(2_001)))
            with too_large("args"):
                oban.enqueue_many([Job("W", queue="large"), Job("W", args=document(2_001))])
            oban.enqueue(Job("W", queue="after"))
            held.commit()

        await asyncio.to_thread(within)
    assert await queues(conn) == ["before", "after"]


@pytest.mark.parametrize("field", FIELDS)
async def test_a_refusal_in_the_middle_of_a_stream_takes_its_own_rows_back_alone(start, conn, held, limits, field):
    """The rows before it have been sent already, in a savepoint of their own."""
    limits(args=2_000, meta=2_000)
    oban = await start()
    await oban.enqueue(Job("W", queue="before"), conn=held.conn)

    def stream():
        yield from (Job("W", queue="lost") for _ in range(2_600))
        yield Job("W", queue="lost", **{field: document(2_001)})

    with too_large(field):
        await oban.enqueue_many(stream(), conn=held.conn)
    await oban.enqueue(Job("W", queue="after"), conn=held.conn)
    await settled(held.commit())
    assert await queues(conn) == ["before", "after"]


# From the command line


@pytest.mark.parametrize("field", FIELDS)
async def test_the_command_line_refuses_them_and_says_why(bridge, conn, field):
    variable = f"BRIDGE_{field.upper()}_LIMIT"
    path = bridge.folder / "job.json"
    path.write_text(json.dumps({"worker": "W", field: document(2_001)}))
    lines = bridge.folder / "jobs.jsonl"
    lines.write_text('{"worker": "W"}\n' + path.read_text() + "\n")
    job = await insert_row(conn)
    before = await row_of(conn, job)
    for command in (
        ("enqueue", "W", f"--{field}", json.dumps(document(2_001))),
        ("enqueue", "--from", lines),
        ("update", job, "--set", f"{field}={json.dumps(document(2_001))}"),
    ):
        done = await bridge.process("jobs", *command, **{variable: "2000"})
        assert (done.returncode, done.stdout) == (1, "")
        assert f"{field}: expected at most 2,000, got '2,001 bytes'; store it elsewhere" in done.stderr
        assert f"raise {variable}" in done.stderr
        assert "Traceback" not in done.stderr
        assert len(done.stderr) < 1_000
    assert await queues(conn) == ["default"]
    assert await row_of(conn, job) == before
    done = await bridge.process(
        "jobs", "update", job, "--set", f"{field}={json.dumps(document(2_000))}", **{variable: "2000"}
    )
    assert done.returncode == 0, done.stderr


# From SQL


@pytest.mark.parametrize("field", FIELDS)
async def test_the_function_for_sql_refuses_them_and_a_savepoint_goes_on(conn, limits, field):
    limits(args=2_000, meta=2_000)
    await install_own(conn)
    call = f"select bridge_enqueue('W', queue => $1, {field} => $2::text::jsonb)"
    largest = {"a": "x" * (2_000 - len('{"a": ""}'))}
    async with conn.transaction():
        await conn.execute(call, "before", json.dumps(largest))
        with pytest.raises(asyncpg.InvalidParameterValueError) as refusal:
            async with conn.transaction():
                await conn.execute(call, "large", json.dumps({"a": largest["a"] + "x"}))
        await conn.execute(call, "after", "{}")
    told = f"Store it elsewhere and pass a reference, or raise BRIDGE_{field.upper()}_LIMIT and run bridge upgrade."
    assert refusal.value.message == f"{field}: expected at most 2000 bytes of JSON, got 2001"
    assert refusal.value.hint == told
    assert await queues(conn) == ["before", "after"]
