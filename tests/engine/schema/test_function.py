"""`bridge_enqueue`: a job from any language that speaks SQL."""

import json
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from bridge.codecs.json import LIMITS, limit_of
from bridge.engine.schema import inspect, install, install_own, own_sql, quote_ident, uninstall
from bridge.errors import SchemaError
from bridge.jobs import Job
from engine.rig import Ear, between, row

from .oban_databases import ALL, make, stranger
from .test_install import ODD_NAMES

AT = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)


@pytest.fixture
async def conn(database):
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@pytest.fixture
async def own(conn):
    await install(conn)
    await install_own(conn)
    return conn


async def enqueue(conn, arguments, *values, prefix="public"):
    return await conn.fetchval(f"select {quote_ident(prefix)}.bridge_enqueue({arguments})", *values)


async def test_a_name_is_enough(own):
    before = await own.fetchval("select timezone('UTC', clock_timestamp())")
    job = await row(own, await enqueue(own, "'W'"))

    moment = job.pop("inserted_at")
    assert between(before, moment)
    assert job.pop("scheduled_at") == moment
    assert job == {
        "id": 1, "state": "available", "queue": "default", "worker": "W", "args": {}, "errors": [], "attempt": 0,
        "max_attempts": 20, "attempted_at": None, "completed_at": None, "attempted_by": None, "discarded_at": None,
        "priority": 0, "tags": [], "meta": {}, "cancelled_at": None,
    }  # fmt: skip


async def test_every_option(own):
    call = """
      worker => 'My.Worker', args => '{"a": [1, "é"]}', queue => 'größe', priority => 9, max_attempts => 3,
      scheduled_at => $1, tags => array[' B', 'a', 'b ', '', null], meta => '{"m": null}'
    """
    job = await row(own, await enqueue(own, call, AT))

    assert (job["state"], job["scheduled_at"]) == ("scheduled", AT.replace(tzinfo=None))
    assert (job["worker"], job["queue"], job["priority"], job["max_attempts"]) == ("My.Worker", "größe", 9, 3)
    assert (job["args"], job["meta"], job["tags"]) == ({"a": [1, "é"]}, {"m": None}, ["b", "a"])


async def test_a_time_from_now(own):
    job = await row(own, await enqueue(own, "'W', schedule_in => '1 hour'"))

    late = job["scheduled_at"] - job["inserted_at"]
    assert job["state"] == "scheduled"
    assert timedelta(hours=1) <= late < timedelta(hours=1, minutes=1)


async def test_the_session_s_time_zone_and_search_path_change_nothing(own):
    await own.execute("set timezone to 'America/New_York'; set search_path to ''; set datestyle to 'german'")
    job = await enqueue(own, "'W', scheduled_at => $1", AT)
    await own.execute("reset all")

    assert (await row(own, job))["scheduled_at"] == AT.replace(tzinfo=None)


async def test_tags_are_those_of_python(own):
    tags = ["vip", " Vav\v", "\t\n\r\fv ", "v", "VIP"]
    job = await row(own, await enqueue(own, "'W', tags => $1", tags))
    assert job["tags"] == Job("W", tags=tags).tags == ["vip", "vav", "v"]


async def test_functions_that_others_may_make_are_not_called(own):
    await own.execute(
        """
        create function strange() returns text language plpgsql as $$ begin raise 'called'; end $$;
        create function unnest(text[]) returns setof text language sql as 'select strange()';
        create function jsonb_build_object(text, text) returns jsonb language sql as 'select strange()::jsonb';
        create function strange(text[], text) returns text[] language sql as 'select array[strange()]';
        create aggregate array_agg(text) (sfunc = strange, stype = text[]);
        """
    )
    job = await row(own, await enqueue(own, "'W', tags => array['x']"))
    assert (job["tags"], job["queue"]) == (["x"], "default")


REFUSED = {
    "worker => ''": "worker: expected a name of 1 to 127 characters",
    "worker => null": "worker: expected",
    "worker => repeat('x', 128)": "worker: expected",
    "'W', queue => ''": "queue: expected a name of 1 to 127 characters",
    "'W', queue => null": "queue: expected",
    "'W', queue => repeat('x', 128)": "queue: expected",
    "'W', '[]'": "args: expected a JSON object",
    "'W', 'null'": "args: expected",
    "'W', null": "args: expected",
    """'W', ('{"a": [{"b": 1' || repeat('0', 1024) || '}]}')::jsonb""": "args: expected numbers that Elixir can load",
    """'W', ('{"a": -1' || repeat('0', 1023) || '}')::jsonb""": "args: expected numbers",
    """'W', ('{"a": 1' || repeat('0', 309) || '.5}')::jsonb""": "args: expected numbers",
    """'W', meta => ('{"a": 1' || repeat('0', 309) || '.0}')::jsonb""": "args: expected numbers",
    "'W', meta => '1'": "meta: expected a JSON object",
    "'W', meta => null": "meta: expected",
    "'W', priority => 10": "priority: expected 0, the first, to 9, the last",
    "'W', priority => -1": "priority: expected",
    "'W', priority => null": "priority: expected",
    "'W', max_attempts => 0": "max_attempts: expected 1 to 2000000000",
    "'W', max_attempts => 2000000001": "max_attempts: expected 1 to 2000000000",
    "'W', max_attempts => null": "max_attempts: expected",
    "'W', scheduled_at => now(), schedule_in => '1 s'": "only one of scheduled_at and schedule_in",
    "'W', scheduled_at => 'infinity'": "scheduled_at: expected a time within the years 1 to 9999",
    "'W', scheduled_at => '-infinity'": "scheduled_at: expected",
    "'W', scheduled_at => '0044-03-15 BC'": "scheduled_at: expected",
    "'W', schedule_in => '9000 years'": "scheduled_at: expected",
}


async def test_the_longest_numbers_that_elixir_loads_are_taken(own):
    for number in ("1" + "0" * 1_023, "-1" + "0" * 1_022, "1" + "0" * 308 + ".5", "0." + "0" * 2_000 + "1"):
        job = await enqueue(own, f"""'W', '{{"a": {number}, "b": "{"7" * 2_000}"}}'""")
        assert await own.fetchval("select args ->> 'a' from oban_jobs where id = $1", job) == number


async def test_the_longest_args_and_meta_are_those_of_python(own):
    largest = "x" * (LIMITS["args"] - len('{"a": ""}'))
    await enqueue(own, "'W', jsonb_build_object('a', $1::text)", largest)
    with pytest.raises(asyncpg.InvalidParameterValueError, match=r"^args: expected at most 16777216 .* got 16777217\n"):
        await enqueue(own, "'W', jsonb_build_object('a', $1::text)", largest + "x")
    await enqueue(own, "'W', meta => jsonb_build_object('a', $1::text)", largest + "x")
    assert f"meta_text) > {LIMITS['meta']} then" in own_sql()


async def test_bytes_count_and_not_characters_and_not_what_is_stored_of_them(own):
    await enqueue(own, "'W', jsonb_build_object('a', repeat('ü', 8388603))")
    with pytest.raises(asyncpg.InvalidParameterValueError, match=r"^args: expected at most .* got 16777217\n"):
        await enqueue(own, "'W', jsonb_build_object('a', repeat('ü', 8388604))")


async def test_limits_are_those_of_whoever_installs_it(own, monkeypatch):
    monkeypatch.setenv("BRIDGE_ARGS_LIMIT", "1024")
    monkeypatch.setenv("BRIDGE_META_LIMIT", "2048")
    limit_of.cache_clear()
    try:
        assert await install_own(own) == ["bridge_enqueue()"]
        assert await install_own(own) == []
        for name, limit in (("args", 1_024), ("meta", 2_048)):
            room = limit - len('{"a": ""}')
            await enqueue(own, f"'W', {name} => jsonb_build_object('a', repeat('x', {room}))")
            with pytest.raises(asyncpg.InvalidParameterValueError) as refusal:
                await enqueue(own, f"'W', {name} => jsonb_build_object('a', repeat('x', {room + 1}))")
            assert refusal.value.message == f"{name}: expected at most {limit} bytes of JSON, got {limit + 1}"
            assert f"raise BRIDGE_{name.upper()}_LIMIT and run bridge upgrade" in refusal.value.hint
    finally:
        limit_of.cache_clear()


@pytest.mark.parametrize("arguments", REFUSED)
async def test_what_would_harm_a_node_is_refused(own, arguments):
    with pytest.raises(asyncpg.InvalidParameterValueError, match=REFUSED[arguments]):
        await enqueue(own, arguments)
    assert await own.fetchval("select count(*) from oban_jobs") == 0


async def test_a_commit_announces_it(own, database):
    async with Ear.on(database) as ear:
        transaction = own.transaction()
        await transaction.start()
        await enqueue(own, "'W', queue => 'lost'")
        await transaction.rollback()
        async with own.transaction():
            await enqueue(own, "'W', queue => 'al\"pha'")
            await enqueue(own, "'W', queue => 'later', schedule_in => '1 s'")
            assert await ear.queues() == []
        assert await ear.queues() == ['al"pha']


@pytest.mark.parametrize("kind", ALL)
async def test_jobs_are_announced_once_on_tables_of_any_age(conn, database, kind):
    await make(conn, kind, "public")
    await install_own(conn)
    async with Ear.on(database) as ear:
        job = await row(conn, await enqueue(conn, "'W', '{\"a\": 1}', 'alpha', tags => array['x']"))
        assert (job["state"], job["args"], job["tags"]) == ("available", {"a": 1}, ["x"])
        assert await ear.queues() == ["alpha"]


async def test_a_schema_of_any_name(conn, database):
    for prefix in ["$bridge$ $bridge_$", *ODD_NAMES]:
        await install(conn, prefix)
        await conn.execute(own_sql(prefix))
        assert "bridge_enqueue()" not in await install_own(conn, prefix)
        short = len(f"{prefix}.oban_insert".encode()) <= 63
        async with Ear.on(database, prefix if short else "public") as ear:
            assert await enqueue(conn, "'W', queue => 'alpha'", prefix=prefix) == 1
            assert await ear.queues() == (["alpha"] if short else [])
        stored = await conn.fetchval(f"select args::text from {quote_ident(prefix)}.oban_jobs")
        assert json.loads(stored) == {}


async def test_one_of_another_release_is_replaced(own):
    await own.execute("drop function bridge_enqueue")
    assert await install_own(own) == ["bridge_enqueue()"]
    source = await own.fetchval("select prosrc from pg_proc where proname = 'bridge_enqueue'")
    [signature] = await own.fetchrow("select oid::regprocedure::text from pg_proc where proname = 'bridge_enqueue'")
    definition = await own.fetchval("select pg_get_functiondef($1::regprocedure)", signature)
    await own.execute(definition.replace("expected 1 to 2000000000", "former"))
    assert await install_own(own) == ["bridge_enqueue()"]
    assert await own.fetchval("select prosrc from pg_proc where proname = 'bridge_enqueue'") == source


async def test_a_trigger_may_call_it(own):
    await own.execute(
        """
        create table orders (number int);
        create function on_order() returns trigger language plpgsql as $$
        begin
          perform bridge_enqueue('Ship', jsonb_build_object('order', new.number));
          return null;
        end $$;
        create trigger on_order after insert on orders for each row execute function on_order();
        """
    )
    await own.execute("insert into orders values (5), (6)")
    assert await own.fetchval("select array_agg(args ->> 'order' order by id) from oban_jobs") == ["5", "6"]


async def test_it_has_the_rights_of_its_caller(own):
    async with stranger(own):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied for table oban_jobs"):
            await enqueue(own, "'W'")


async def test_it_does_not_keep_obans_migrations_from_dropping_the_table(own):
    await own.execute("drop table oban_jobs; drop type oban_job_state")
    with pytest.raises(SchemaError):
        (await inspect(own)).require()
    assert await uninstall(own)
    assert (await inspect(own)).objects == ()
