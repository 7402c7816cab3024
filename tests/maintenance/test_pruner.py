"""Jobs that have ended and had their time are deleted, and no others."""

import asyncio
import logging
from datetime import timedelta

import pytest
from engine.rig import put
from queues.rig import PATIENCE, insert_row, states

from bridge.engine import utc_now
from bridge.engine.pruning import _condition
from bridge.errors import InvalidSetting
from bridge.maintenance import Pruner, parse_retention
from bridge.maintenance.pruner import check_pruner

from .rig import engine_on, plan_of, producer

UNFINISHED = ("available", "scheduled", "executing", "retryable", "suspended")
TIMES = {"completed": "completed_at", "cancelled": "cancelled_at", "discarded": "discarded_at"}


@pytest.fixture
async def engine(installed):
    async with engine_on(installed) as found:
        yield found


@pytest.fixture
def pruner(engine):
    def make(**options):
        return Pruner(engine, options.pop("is_leader", lambda: True), **{"mode": "on", **options})

    return make


def ago(seconds):
    return utc_now() - timedelta(seconds=seconds)


async def ended(conn, state, seconds, **columns):
    """A job that ended so many seconds ago; return its id."""
    times = {TIMES[state]: ago(seconds), "scheduled_at": ago(seconds + 5), **columns}
    return await insert_row(conn, state=state, **times)


async def left(conn):
    return [row["id"] for row in await conn.fetch("select id from oban_jobs order by id")]


async def elixirs_lease(conn, seconds=30):
    await conn.execute(
        "insert into oban_peers values ('Oban', 'ex@host', now(), timezone('UTC', now()) + $1 * interval '1 s') "
        "on conflict (name) do update set expires_at = excluded.expires_at",
        float(seconds),
    )


# What goes and what stays


@pytest.mark.parametrize("state", TIMES)
async def test_a_job_goes_when_it_ended_longer_ago_than_its_age(pruner, conn, state):
    await ended(conn, state, 61)
    young = await ended(conn, state, 5)
    service = pruner(max_age=60)
    await service.run_once()
    assert await left(conn) == [young]
    assert service.pruned == 1


@pytest.mark.parametrize("state", UNFINISHED)
async def test_a_job_that_has_not_ended_stays_whatever_its_times_say(pruner, conn, state):
    job = await put(conn, state, queue="q", worker="W")
    await pruner(max_age=0, max_len=0, queues={"q": 0}, workers={"V": 0}).run_once()
    assert await left(conn) == [job]


async def test_a_completed_jobs_age_counts_from_its_end_not_from_its_time(pruner, conn):
    """Oban deletes a job that waited for its minute the moment it completes, with its result."""
    job = await ended(conn, "completed", 5, scheduled_at=ago(3600))
    await pruner(max_age=60).run_once()
    assert await left(conn) == [job]


async def test_a_completed_job_without_a_time_of_its_end_goes_by_the_time_it_was_due(pruner, conn):
    await insert_row(conn, state="completed", scheduled_at=ago(61))
    young = await insert_row(conn, state="completed", scheduled_at=ago(30))
    await pruner(max_age=60).run_once()
    assert await left(conn) == [young]


async def test_the_last_ones_to_end_are_kept_by_number_in_each_state(pruner, conn):
    kept = []
    for state in TIMES:
        for seconds in (30, 10, 40, 20):  # they end in another order than they came
            job = await ended(conn, state, seconds)
            kept += [job] if seconds <= 20 else []
    await pruner(max_age="infinity", max_len=2).run_once()
    assert await left(conn) == kept


async def test_of_age_and_number_the_first_to_be_reached_counts(pruner, conn):
    jobs = [await ended(conn, "completed", seconds) for seconds in (1000, 500, 400, 300)]
    await pruner(max_age=600, max_len=3).run_once()
    assert await left(conn) == jobs[1:]
    await pruner(max_age=600, max_len=2).run_once()
    assert await left(conn) == jobs[2:]
    await pruner(max_age=350, max_len=2).run_once()
    assert await left(conn) == jobs[3:]


async def test_none_is_kept_where_the_number_is_none(pruner, conn):
    for state in TIMES:
        await ended(conn, state, 0)
    await pruner(max_age="infinity", max_len=0).run_once()
    assert await left(conn) == []


async def test_queues_and_workers_have_rules_of_their_own(pruner, conn):
    jobs = {
        (queue, worker): await ended(conn, "completed", 100, queue=queue, worker=worker)
        for queue in ("a", "b")
        for worker in ("V", "W")
    }
    # a keeps longer than that, b doesn't, and W keeps for ever in any queue.
    await pruner(max_age=1000, queues={"b": 60}, workers={"W": "infinity"}).run_once()
    assert await left(conn) == [jobs["a", "V"], jobs["a", "W"], jobs["b", "W"]]
    await pruner(max_age=60, queues={"a": {"states": {"completed": 1000}}}, workers={"W": 10}).run_once()
    assert await left(conn) == [jobs["a", "V"]]


async def test_the_number_of_a_queue_counts_its_jobs_alone(pruner, conn):
    jobs = [await ended(conn, "completed", 100 - n, queue="ab"[n % 2]) for n in range(8)]
    await pruner(max_age="infinity", queues={"a": {"max_len": 1}}).run_once()
    assert await left(conn) == [jobs[1], jobs[3], jobs[5], jobs[6], jobs[7]]


@pytest.mark.parametrize("limit", [1, 7, 100])
async def test_a_round_deletes_all_in_batches(pruner, conn, limit):
    await conn.execute(
        "insert into oban_jobs (worker, state, scheduled_at, completed_at) "
        "select 'W', 'completed', '2026-01-01', '2026-01-01' from generate_series(1, 30)"
    )
    service = pruner(limit=limit)
    await service.run_once()
    assert (await left(conn), service.pruned) == ([], 30)


async def test_a_job_that_somebody_holds_waits_and_holds_nobody_up(pruner, conn, installed):
    held, free = await ended(conn, "completed", 61), await ended(conn, "completed", 61)
    async with conn.transaction():
        await conn.execute("select from oban_jobs where id = $1 for update", held)
        async with asyncio.timeout(PATIENCE):
            await pruner(max_age=60).run_once()
    assert await left(conn) == [held] != [free]


async def test_a_job_that_is_retried_at_that_moment_stays(pruner, conn, engine):
    """The retry has locked the row, and commits after the pruner has chosen it."""
    job = await ended(conn, "discarded", 61)
    transaction = conn.transaction()
    await transaction.start()
    await conn.execute("update oban_jobs set state = 'available' where id = $1", job)
    await pruner(max_age=60).run_once()
    await transaction.commit()
    await pruner(max_age=60).run_once()
    assert await states(conn) == {"available": 1}


async def test_two_pruners_at_once_delete_each_job_once(pruner, conn):
    await conn.execute(
        "insert into oban_jobs (worker, state, scheduled_at, completed_at) "
        "select 'W', 'completed', '2026-01-01', '2026-01-01' from generate_series(1, 5000)"
    )
    one, other = pruner(limit=100), pruner(limit=100)
    await asyncio.gather(one.run_once(), other.run_once())
    await one.run_once()
    assert (one.pruned + other.pruned, await left(conn)) == (5000, [])


#: Jobs ended minutes ago, as whole ones count: none gets too old between a look and the next.
RULES = (
    {"max_age": 50.5 * 60},
    {"max_age": "infinity", "max_len": 7},
    {"max_age": 50.5 * 60, "max_len": 20},
    {"max_age": 80.5 * 60, "states": {"discarded": 10.5 * 60, "cancelled": {"max_len": 1}}},
    {
        "max_age": 90.5 * 60,
        "queues": {"a": {"max_len": 3}},
        "workers": {"V": {"max_age": 20.5 * 60, "states": {"completed": 5.5 * 60}}},
    },
    {"max_age": "infinity", "queues": {"a": 0}, "workers": {"V": "infinity"}},
)


@pytest.mark.parametrize("rules", RULES, ids=str)
async def test_a_dry_run_counts_what_a_run_deletes(pruner, conn, rules):
    for nth in range(120):
        state = (*TIMES, *UNFINISHED)[nth % 8]
        columns = {"queue": "ab"[nth % 2], "worker": "VW"[nth // 2 % 2]}
        if state in TIMES:
            await ended(conn, state, nth * 60, **columns)
        else:
            await insert_row(conn, state=state, **columns)
    before = len(await left(conn))
    service = pruner(limit=4, **rules)
    counted = await service.count()
    assert len(await left(conn)) == before
    assert await service.prune() == sum(jobs for _, jobs in counted) == before - len(await left(conn)) > 0


# Who may


async def test_a_node_that_does_not_lead_prunes_nothing(pruner, conn):
    job = await ended(conn, "completed", 61)
    await pruner(max_age=60, is_leader=lambda: False).run_once()
    assert await left(conn) == [job]


async def test_a_pruner_that_is_off_does_nothing(pruner, conn):
    job = await ended(conn, "completed", 61)
    await pruner(max_age=60, mode="off").run_once()
    assert await left(conn) == [job]


async def test_nothing_is_pruned_while_an_elixir_node_leads_and_for_a_while_after(pruner, conn, caplog):
    caplog.set_level(logging.INFO)
    job = await ended(conn, "completed", 61)
    service = pruner(max_age=60, mode="auto", quiet=600)
    service._quiet_since -= 601
    await elixirs_lease(conn)
    await service.run_once()
    assert await left(conn) == [job]
    await elixirs_lease(conn, -1)  # Elixir's only node is being deployed
    await service.run_once()
    assert await left(conn) == [job]
    service._quiet_since -= 601
    await service.run_once()
    assert await left(conn) == []
    assert [text for text in caplog.messages if "have ended" in text] == [
        "jobs that have ended are left to Elixir's pruner, because an Elixir node leads here",
        "this node deletes jobs that have ended and had their time",
    ]


async def test_a_node_that_just_came_says_from_when_on_it_prunes(pruner, caplog):
    caplog.set_level(logging.INFO)
    await pruner(max_age=60, mode="auto", quiet=600).run_once()
    [told] = caplog.messages
    begin, _, rest = told.partition("from ")
    assert begin == "this node deletes jobs that have ended and had their time "
    assert 600 >= int(rest.split()[0]) > 500
    assert " s from now on, unless " in rest


async def test_a_node_that_just_came_prunes_nothing_before_it_has_watched(pruner, conn):
    job = await ended(conn, "completed", 61)
    service = pruner(max_age=60, mode="auto", quiet=600)
    await service.run_once()
    assert await left(conn) == [job]


async def test_a_node_watches_before_it_leads(pruner, conn):
    leads = []
    job = await ended(conn, "completed", 61)
    service = pruner(max_age=60, mode="auto", quiet=600, is_leader=lambda: bool(leads))
    service._quiet_since -= 601
    await elixirs_lease(conn)
    await service.run_once()
    await elixirs_lease(conn, -1)
    leads.append(True)
    await service.run_once()
    assert await left(conn) == [job]


async def test_pruning_beside_elixir_may_be_wanted(pruner, conn):
    await ended(conn, "completed", 61)
    await elixirs_lease(conn)
    await pruner(max_age=60, mode="on").run_once()
    assert await left(conn) == []


# Bridge's own rows, and the plan


async def test_producers_that_died_long_ago_and_left_nothing_are_forgotten(pruner, engine, conn):
    await engine.prepare_producers()
    await producer(conn, silent=86_500)
    owing, fresh = await producer(conn, silent=86_500), await producer(conn, silent=86_000)
    await insert_row(conn, state="executing", attempted_by=["n", owing])
    await pruner().run_once()
    assert {row["uuid"] for row in await conn.fetch("select uuid from bridge_producers")} == {owing, fresh}


async def test_old_jobs_are_found_by_an_index_among_many_young_ones(engine, conn):
    await conn.execute(
        "insert into oban_jobs (worker, state, scheduled_at, completed_at, cancelled_at, discarded_at) "
        "select 'W', (array['completed', 'cancelled', 'discarded'])[1 + n % 3]::oban_job_state, at, at, at, at "
        "from generate_series(1, 30000) as n, "
        "lateral (select timezone('UTC', now()) - n * interval '1 second' as at) as x"
    )
    await conn.execute("analyze oban_jobs")
    for retention in parse_retention():
        statement = engine._sql.fill("prune_jobs", condition=_condition(retention, "$6"), state=retention.state)
        plan = await plan_of(conn, statement, ago(29_000), None, None, [], [], 10_000)
        assert "Seq Scan" not in plan
        indexed = {"completed": "scheduled_at", "cancelled": "cancelled_at", "discarded": "discarded_at"}
        condition = next(line for line in plan.splitlines() if "Index Cond" in line and "state" in line)
        assert indexed[retention.state] in condition


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"interval": 0}, "pruner.interval"),
        ({"mode": "always"}, "pruner.mode"),
        ({"limit": 0}, "pruner.limit"),
        ({"limit": 200_000}, "pruner.limit"),
        ({"max_age": "x"}, "pruner.max_age"),
    ],
)
def test_options_that_a_pruner_cant_have_are_refused(options, field):
    with pytest.raises(InvalidSetting) as caught:
        check_pruner(**options)
    assert caught.value.field == field
