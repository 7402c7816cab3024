"""The role of docs/roles.md that only enqueues, and what somebody who can't is told."""

import json

import asyncpg
import pytest
from doctor.rig import examined
from queues.conftest import ends, gate, worker
from queues.rig import node

from bridge import Job, Unique
from bridge.doctor import Level
from bridge.errors import SchemaError

from .roles import state_of, warnings

__all__ = ["ends", "gate", "worker"]


async def test_the_enqueuer_enqueues_in_every_way(roles, enqueuer, registry):
    job = await enqueuer.insert(Job("W", args={"n": 1}, tags=["a"], meta={"m": 1}, priority=3, schedule_in=60))
    many = await enqueuer.insert_many([Job("W", args={"n": n}) for n in range(2_500)])
    conn = await asyncpg.connect(roles.dsns["enqueuer"])
    by_sql = await conn.fetchval(f"select {roles.schema}.bridge_enqueue('W', '{{}}')")
    async with conn.transaction():
        within = await enqueuer.insert(Job("W"), conn)
    await conn.close()
    assert len({job.id, by_sql, within.id, *(each.id for each in many)}) == 2_503
    assert (job.state, many[0].state) == ("scheduled", "available")


async def test_an_instance_without_queues_needs_no_more_than_the_enqueuer_may(roles, registry, worker, caplog):
    cls = worker(lambda _job: None)
    async with node(roles.dsns["enqueuer"], registry, queues={}, prefix=roles.prefix) as oban:
        job = await oban.enqueue(cls.new({"n": 1}))
    assert await state_of(roles, job.id) == "available"
    assert warnings(caplog) == []


REFUSED = {
    "reading": (lambda engine: engine.get(1), "select"),
    "unique jobs": (lambda engine: engine.insert(Job("W", unique=Unique())), "select"),
    "cancelling": (lambda engine: engine.cancel([1]), "update"),
    "deleting": (lambda engine: engine.delete([1]), "delete"),
}


@pytest.mark.parametrize("what", ["reading", "unique jobs"])
async def test_the_enqueuer_is_told_what_it_may_not(roles, enqueuer, what):
    act, right = REFUSED[what]
    with pytest.raises(
        SchemaError, match="permission denied for table oban_jobs; grant the role what it needs"
    ) as told:
        await act(enqueuer)
    assert f'grant {right} on {roles.schema}.oban_jobs to "{roles.names["app_enqueuer"]}"' in str(told.value)


async def test_the_enqueuer_reads_no_args_and_changes_nothing(roles):
    conn = await asyncpg.connect(roles.dsns["enqueuer"])
    await roles.admin.execute(f"insert into {roles.schema}.oban_jobs (worker) values ('W')")
    for statement in (
        "select args from jobs.oban_jobs",
        "select meta from jobs.oban_jobs",
        "select errors from jobs.oban_jobs",
        "update jobs.oban_jobs set state = 'available'",
        "delete from jobs.oban_jobs",
        "insert into jobs.oban_jobs (worker, attempt) values ('W', 3)",
        "insert into jobs.oban_jobs (worker, errors) values ('W', '{}')",
        "select * from jobs.oban_peers",
        "select * from jobs.bridge_producers",
        "create table jobs.x (n int)",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute(roles.own(statement))
    await conn.close()


async def test_the_grant_that_a_message_names_is_the_one_that_helps(roles, enqueuer):
    with pytest.raises(SchemaError) as told:
        await enqueuer.get(1)
    grant = str(told.value).rpartition(": ")[2]
    await roles.admin.execute(grant)
    assert await enqueuer.get(1) is None


async def test_enqueuing_by_the_command_line_is_no_failure_where_the_job_can_not_be_read_back(roles, bridge):
    for options in ([], ["--json"]):
        told = await bridge("enqueuer", "jobs", "enqueue", "W", "-q", "alpha", *options)
        assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["id"] == 2
    refused = await bridge("enqueuer", "jobs", "list")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f'grant select on {roles.schema}.oban_jobs to "{roles.names["app_enqueuer"]}"' in refused.stderr


async def test_the_doctor_knows_an_enqueuer_and_says_in_one_line_what_it_may_not_look_at(roles, bridge):
    told = await bridge("enqueuer", "doctor")
    assert told.returncode == 0, told.stdout
    name = roles.names["app_enqueuer"]
    assert f"• rights: role {name} only enqueues: enough for enqueueing, and for no node" in told.stdout
    assert told.stdout.count("may not look") == 1
    assert f"• not-looked-at: role {name} may not look at what " in told.stdout
    assert "<the role>" not in told.stdout
    assert (await bridge("enqueuer", "doctor", "--strict")).returncode == 0


async def test_an_enqueuer_that_lacks_a_column_is_at_fault(roles):
    await roles.execute("revoke insert (tags) on jobs.oban_jobs from app_enqueuer")
    assert (await examined(roles.dsns["enqueuer"], prefix=roles.prefix))["rights"].level is Level.PROBLEM


async def test_whoever_may_do_nothing_enqueues_by_what_one_message_names(roles, bridge):
    await roles.execute(
        "revoke all on all tables in schema jobs from app_reader; revoke usage on schema jobs from app_reader"
    )
    refused = await bridge("reader", "jobs", "enqueue", "W")
    assert refused.returncode == 1
    await roles.admin.execute(refused.stderr.rpartition(": ")[2])
    told = await bridge("reader", "jobs", "enqueue", "W")
    assert told.returncode == 0, told.stderr
    assert "only enqueues" in (await examined(roles.dsns["reader"], prefix=roles.prefix))["rights"].seen


async def test_the_role_is_named_on_a_connection_of_the_caller_s_too(roles, enqueuer):
    conn = await asyncpg.connect(roles.dsns["reader"])  # which is whose right is missing
    try:
        for act in (lambda: enqueuer.insert(Job("W"), conn), lambda: enqueuer.insert_many([Job("W")], conn)):
            with pytest.raises(SchemaError) as told:
                await act()
            assert f'to "{roles.names["app_reader"]}"' in str(told.value)
        async with conn.transaction():
            with pytest.raises(SchemaError) as told:
                await enqueuer.insert_many([Job("W"), Job("V", unique=Unique())], conn)
            assert f'to "{roles.names["app_reader"]}"' in str(told.value)
    finally:
        await conn.close()
