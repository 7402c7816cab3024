"""The way to the database."""

import asyncio
from contextlib import asynccontextmanager

import asyncpg
import pytest
from pooler import transaction_pooler
from proxy import wire_to

from bridge import Oban
from bridge.doctor import Level, examine

from .rig import examined, found, opened, role


async def test_a_healthy_database_has_no_warning(installed, own):
    findings = await examined(installed)

    assert {finding.level for finding in findings.values()} <= {Level.OK, Level.NOTE}
    assert all(finding.looked for finding in findings.values())
    assert [name for name, finding in findings.items() if finding.level is Level.NOTE] == ["leases", "nodes"]


async def test_ids_are_one_word_each_and_every_finding_says_something(installed, own):
    for name, finding in (await examined(installed)).items():
        assert name.replace("-", "").isalpha()
        assert finding.seen
        assert finding.topic in ("connection", "schema", "nodes", "queues", "rows", "table")


async def test_tells_server_role_and_database(installed, own):
    finding = await found(installed, "server", "ok")

    assert f"PostgreSQL {finding.figures['version']}, database {finding.figures['database']}" in finding.seen


async def test_a_database_that_only_reads_is_a_problem(installed, own):
    name = await own.fetchval("select current_database()")
    await own.execute(f'alter database "{name}" set default_transaction_read_only = on')
    findings = await examined(installed)
    finding = findings["server"]
    assert finding.level is Level.PROBLEM
    assert all(finding.looked for finding in findings.values())  # so nothing is ever written
    assert "only reads" in finding.seen
    assert "primary" in finding.mend

    await own.execute("set default_transaction_read_only = off")
    await own.execute(f'alter database "{name}" reset default_transaction_read_only')
    await found(installed, "server", "ok")


@pytest.mark.parametrize("sessions", [1, 2])
async def test_a_pooler_in_transaction_mode_is_told_and_a_way_around_it_mends_that(installed, own, sessions):
    async with transaction_pooler(installed, sessions) as pooler:
        findings = await examined(pooler.dsn)
        assert findings["pooler"].level is Level.WARNING
        assert findings["pooler"].figures == {"pooler": "transaction"}
        assert "notifier.dsn" in findings["pooler"].mend
        assert findings["notifications"].level is Level.WARNING
        assert "not back within" in findings["notifications"].seen
        assert all(finding.looked for finding in findings.values())

        around = await examined(pooler.dsn, listen_dsn=installed, settings={"notifier.dsn": installed})
        assert around["pooler"].level is Level.OK
        assert around["notifications"].level is Level.OK


async def test_a_straight_way_is_no_pooler(installed, own):
    assert (await found(installed, "pooler", "ok")).figures == {"pooler": None}


async def test_a_way_that_is_carried_on_by_others_is_no_pooler(installed, own):
    async with wire_to(installed) as wire:
        assert (await found(wire.dsn, "pooler", "ok")).figures == {"pooler": None}


async def test_a_notification_is_measured(installed, own):
    finding = await found(installed, "notifications", "ok")

    assert 0 < finding.figures["milliseconds"] < 500


class LateEar:
    """A connection that listens, and hears its first notifications late."""

    def __init__(self, conn, delays):
        self._conn, self._delays = conn, iter(delays)

    async def add_listener(self, channel, hear):
        def hear_late(*message):
            asyncio.get_running_loop().call_later(next(self._delays, 0), hear, *message)

        self._hear = hear_late
        await self._conn.add_listener(channel, hear_late)

    async def remove_listener(self, channel, _hear):
        await self._conn.remove_listener(channel, self._hear)


@pytest.mark.parametrize(("delays", "level"), [([0.6, 0.6], "ok"), ([0.6, 0.6, 0.6], "warning")], ids=["some", "all"])
async def test_a_way_is_slow_where_one_notification_after_the_other_is(installed, own, delays, level):
    @asynccontextmanager
    async def listen():
        async with opened(installed) as conn:
            yield LateEar(conn, delays)

    finding = await found(installed, "notifications", level, listen=listen)

    assert finding.seen.startswith("a notification is back after")


async def test_no_connection_to_listen_by_is_a_warning(installed, own):
    finding = await found(
        installed, "notifications", "warning", listen_dsn="postgresql://u:tell-nobody@127.0.0.1:1/none"
    )

    assert "no connection that listens could be had" in finding.seen
    assert "tell-nobody" not in str(finding)


ALL = ("select, insert, update, delete on all tables in schema public", "usage on all sequences in schema public")


@pytest.mark.parametrize(
    ("grants", "missing", "mend"),
    [
        (("select, insert, update on all tables in schema public", ALL[1]), "DELETE on oban_jobs", "delete on"),
        (
            ALL[:1],
            "USAGE on the sequence of oban_jobs",
            'grant usage on sequence "public"."oban_jobs_id_seq" to "patient_',
        ),
        (("select on oban_jobs",), "INSERT on oban_peers", '"public".bridge_producers'),
        ((), "SELECT on oban_jobs", "delete on"),
    ],
)
async def test_rights_that_a_role_lacks_are_named_with_the_grant(installed, own, grants, missing, mend):
    async with role(own, installed, *grants) as dsn:
        finding = await found(dsn, "rights", "problem")
        assert missing in finding.figures["lacks"]
        assert mend in finding.mend

        await own.execute(finding.mend)
        await found(dsn, "rights", "ok")


async def test_a_role_with_all_rights_but_those_to_create(installed, own):
    async with role(own, installed, *ALL) as dsn:
        findings = await examined(dsn)

    assert {finding.level for finding in findings.values()} <= {Level.OK, Level.NOTE}


async def test_a_role_without_its_schema_is_given_all_in_one_go(installed, own):
    await own.execute("revoke usage on schema public from public")
    async with role(own, installed) as dsn:
        finding = await found(dsn, "rights", "problem")
        assert finding.figures["lacks"][0] == "USAGE on schema public"
        assert 'grant usage on schema "public" to "patient_' in finding.mend
        await own.execute(finding.mend)
        await found(dsn, "rights", "ok")


async def test_row_security_that_hides_jobs_is_a_problem(installed, own):
    await own.execute("alter table oban_jobs enable row level security")
    async with role(own, installed, *ALL) as dsn:
        assert "row security hides rows of oban_jobs" in (await found(dsn, "rights", "problem")).seen
        await own.execute("alter table oban_jobs disable row level security")
        await found(dsn, "rights", "ok")


async def test_what_a_role_may_not_look_at_is_one_finding_with_the_grants_for_all_of_it(installed, own):
    async with role(own, installed) as dsn:
        findings = await examined(dsn)
        [blind] = [finding for finding in findings.values() if not finding.looked]
        assert (blind.id, blind.level, blind.details) == ("not-looked-at", Level.WARNING, ())
        checks = blind.figures["checks"]
        assert {"poison-rows", "nodes", "leases"} <= set(checks)
        assert findings.keys().isdisjoint(checks)
        assert f"may not look at what {len(checks)} checks ask for: {', '.join(checks)}" in blind.seen
        assert findings["schema"].level is Level.OK

        await own.execute(blind.mend.partition(": ")[2])
        findings = await examined(dsn)
        assert all(finding.looked for finding in findings.values())
        assert "only reads" in findings["rights"].seen


async def test_a_question_that_takes_too_long_is_given_up_and_the_others_go_on(installed, own):
    findings = {}
    async with own.transaction():
        async for finding in examine(lambda: opened(installed), timeout=1.5):
            findings[finding.id] = finding
            if finding.id == "nodes":  # from here on nobody gets at the table
                await own.execute("lock table oban_jobs in access exclusive mode")

    late = findings["exhausted-rows"]
    assert (late.looked, late.level) == (False, Level.WARNING)
    assert "no answer within 1.5 s" in late.seen
    assert "--timeout" in late.mend
    assert findings["leases"].looked
    assert "long-transactions" in findings
    await found(installed, "exhausted-rows", "ok")


async def test_a_table_that_is_locked_from_the_start_is_one_problem(installed, own):
    async with own.transaction():
        await own.execute("lock table oban_jobs in access exclusive mode")
        findings = await examined(installed, timeout=0.3)

    assert [(name, finding.level, finding.looked) for name, finding in findings.items()] == [
        ("schema", Level.PROBLEM, False)
    ]
    assert "no answer within 0.3 s" in findings["schema"].seen


async def test_an_instance_examines_itself_by_its_own_pool_or_dsn(start, own):
    oban = await start(queues={"alpha": 1})
    by_id = {finding.id: finding for finding in await oban.diagnose()}

    assert by_id["nodes"].figures["python"][oban.node]["queues"] == ["alpha"]
    assert by_id["notifications"].level is Level.OK


async def test_a_pool_with_one_connection_is_enough_for_all_but_the_listening(installed, own):
    async with asyncpg.create_pool(installed, min_size=1, max_size=1) as pool:
        findings = {finding.id: finding for finding in await Oban(pool=pool).diagnose(timeout=2)}

    assert "no connection that listens" in findings["notifications"].seen
    assert findings["poison-rows"].looked
