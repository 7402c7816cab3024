"""The roles by which nodes run, of docs/roles.md: each does all that it is for, and is refused the rest."""

import asyncio
import logging

import asyncpg
import pytest
from doctor.rig import examined
from queues.conftest import ends, gate, worker
from queues.rig import connected, node, until

from bridge import Record, Unique
from bridge.doctor import Level
from bridge.errors import SchemaError

from .roles import FAST, state_of, warnings

__all__ = ["ends", "gate", "worker"]


async def let_cron_begin(roles):
    """Remember the last minute as done, so that this one's jobs, and those of `@reboot`, are inserted at once."""
    await roles.admin.execute(
        f"""
        insert into {roles.schema}.bridge_crons (name, minute)
        values ('Oban', date_trunc('minute', timezone('UTC', now())) - interval '1 minute')
        """
    )


# The worker


@pytest.mark.parametrize("prefix", ["jobs", 'Ein "Schema"; --'])
async def test_a_whole_node_runs_as_the_worker_without_a_warning(roles, registry, worker, ends, caplog, prefix):
    caplog.set_level(logging.INFO)
    await let_cron_begin(roles)
    dead = await roles.admin.fetchval(
        f"""
        insert into {roles.schema}.bridge_producers (uuid, name, node, queue, rescue_after, started_at, beat_at)
        values (gen_random_uuid()::text, 'Oban', 'py@dead', 'default', 1, timezone('UTC', now()) - interval '1 day',
          timezone('UTC', now()) - interval '1 hour')
        returning uuid
        """
    )
    orphan = await roles.admin.fetchval(
        f"""
        insert into {roles.schema}.oban_jobs (state, worker, queue, attempt, attempted_at, attempted_by)
        values ('executing', 'W', 'default', 1, timezone('UTC', now()), array['py@dead', $1]) returning id
        """,
        dead,
    )
    old = await roles.admin.fetchval(
        f"""
        insert into {roles.schema}.oban_jobs (state, worker, queue, completed_at, scheduled_at)
        values ('completed', 'Gone', 'default', timezone('UTC', now()) - interval '9 days',
          timezone('UTC', now()) - interval '9 days') returning id
        """
    )

    async def process(job):
        if job.args.get("fail"):
            raise ValueError("on purpose")
        return Record(job.args)

    cls = worker(process)
    # Silence counts from its own start. It is told of a machine that stands still for half of that time.
    lifeline = {"interval": 0.2, "rescue_after": 6}
    options = {**FAST, "lifeline": lifeline, "prefix": prefix}
    options["pruner"] = {"mode": "on", "interval": 0.05, "max_age": 3_600}
    cron = [{"expression": "@reboot", "worker": "W", "name": "first"}]
    async with node(roles.dsns["worker"], registry, cron=cron, **options) as oban:
        await connected(oban)
        jobs = [
            await oban.enqueue(cls.new({"n": 1})),
            await oban.enqueue(cls.new({"n": 2}, schedule_in=0.1)),
            await oban.enqueue(cls.new({"n": 3}, unique=Unique())),
            await oban.enqueue(cls.new({"fail": True}, max_attempts=1)),
            *await oban.enqueue_many([cls.new({"n": n}) for n in range(4, 8)]),
        ]
        again = await oban.enqueue(cls.new({"n": 3}, unique=Unique()))
        assert (again.id, again.conflict) == (jobs[2].id, True)
        replaced = await oban.enqueue(
            cls.new({"n": 3}, priority=5, unique=Unique(), replace={"completed": ["priority"]})
        )
        assert replaced.conflict
        for job in jobs:
            await ends.of(job)
        await until(lambda: asyncio.sleep(0, any(event.job.id == orphan for _, event in ends)), patience=60)
        await until(lambda: asyncio.sleep(0, any(event.job.meta.get("cron") for _, event in ends)))

        async def pruned():
            return await state_of(roles, old) is None

        await until(pruned)
        assert await roles.admin.fetchval(
            f"select count(*) from {roles.schema}.bridge_producers where node <> 'py@dead'"
        )
        assert oban.is_leader
        await oban.pause_queue("default")
        waiting = await oban.enqueue(cls.new({"n": 9}))
        await oban.cancel_job(waiting)
        await oban.retry_job(waiting)
        await oban.cancel_job(waiting)
        await oban.delete_job(waiting)
        assert await oban.fetch_result(await oban.get_job(jobs[0].id)) == {"n": 1}
    told = [text for text in warnings(caplog) if "of nodes that died" not in text]
    assert told == []
    assert await roles.admin.fetchval(f"select count(*) from {roles.schema}.oban_peers") == 0


async def test_the_doctor_is_content_with_a_worker(roles):
    findings = await examined(roles.dsns["worker"], prefix=roles.prefix)
    assert {finding.level for finding in findings.values()} <= {Level.OK, Level.NOTE}
    assert findings["rights"].seen.endswith("may do all that Bridge does")


async def test_the_worker_alters_and_makes_nothing(roles):
    conn = await asyncpg.connect(roles.dsns["worker"])
    for statement in (
        "alter table jobs.oban_jobs add column x text",
        "create table jobs.x (n int)",
        "drop table jobs.oban_jobs",
        "truncate jobs.oban_jobs",
        "create index on jobs.oban_jobs (worker)",
        "reindex table jobs.oban_jobs",
        "create trigger x before insert on jobs.oban_jobs execute function suppress_redundant_updates_trigger()",
        "create or replace function jobs.bridge_enqueue() returns int language sql return 1",
        "comment on table jobs.oban_jobs is '9'",
        "create role another",
        "alter role app_worker superuser",
        "grant select on jobs.oban_jobs to public",
    ):
        if statement.startswith("grant"):
            await conn.execute(roles.own(statement))  # PostgreSQL only warns, and grants nothing
            continue
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute(roles.own(statement))
    await conn.close()
    granted = "select has_table_privilege('public', format('%I.oban_jobs', $1::text), 'select')"
    assert not await roles.admin.fetchval(granted, roles.prefix)


WITHOUT = {
    "delete on oban_jobs": (
        "revoke delete on jobs.oban_jobs from app_worker",
        "pruner failed: permission denied for table oban_jobs",
        "grant select, insert, update, delete on {schema}.oban_jobs to {role}",
    ),
    "insert on oban_jobs": (
        "revoke insert on jobs.oban_jobs from app_worker",
        "cron failed: permission denied for table oban_jobs",
        "on {schema}.oban_jobs to {role}; grant usage on sequence {schema}.oban_jobs_id_seq to {role}",
    ),
    "the sequence": (
        "revoke usage on sequence jobs.oban_jobs_id_seq from app_worker",
        "cron failed: permission denied for sequence oban_jobs_id_seq",
        "grant usage on sequence {schema}.oban_jobs_id_seq to {role}",
    ),
    "writing leases": (
        "revoke insert, update, delete on jobs.oban_peers from app_worker",
        "the election failed: permission denied for table oban_peers",
        "grant select, insert, update, delete on {schema}.oban_peers to {role}",
    ),
    "producers": (
        "revoke all on jobs.bridge_producers from app_worker",
        "the producers can't be listed in bridge_producers: permission denied for table bridge_producers",
        "grant select, insert, update, delete on {schema}.bridge_producers to {role}",
    ),
    "crons": (
        "revoke all on jobs.bridge_crons from app_worker",
        "cron failed: permission denied for table bridge_crons",
        "grant select, insert, update, delete on {schema}.bridge_crons to {role}",
    ),
}


@pytest.mark.parametrize("without", WITHOUT)
async def test_a_node_without_a_right_runs_jobs_and_names_the_grant(roles, registry, worker, ends, caplog, without):
    revoke, said, grant = WITHOUT[without]
    await let_cron_begin(roles)
    await roles.admin.execute(
        f"insert into {roles.schema}.oban_jobs (state, worker, queue, completed_at, scheduled_at) "
        "values ('completed', 'Gone', 'default', '2020-01-01', '2020-01-01')"
    )
    job_id = await roles.admin.fetchval(
        f"insert into {roles.schema}.oban_jobs (worker, queue) values ('W', 'default') returning id"
    )
    await roles.execute(revoke)

    async def process(_job):
        return None

    worker(process)
    options = {**FAST, "prefix": roles.prefix, "pruner": {"mode": "on", "interval": 0.05}}
    cron = [{"expression": "@reboot", "worker": "W"}]
    async with node(roles.dsns["worker"], registry, cron=cron, **options):
        await until(lambda: asyncio.sleep(0, any(said in text for text in warnings(caplog))))
        await until(lambda: asyncio.sleep(0, any(event.job.id == job_id for _, event in ends)))

        async def completed():
            return await state_of(roles, job_id) == "completed"

        await until(completed)
    told = [text for text in warnings(caplog) if said in text]
    assert len(told) <= 2
    grantee = f'"{roles.names["app_worker"]}"'
    assert told[0].endswith(grant.format(schema=roles.schema, role=grantee))  # and nothing about an installation
    assert not any(record.exc_info for record in caplog.records if said in record.getMessage())


UNFIT = {
    "everything": """
        revoke all on all tables in schema jobs from app_worker;
        revoke usage on schema jobs from app_worker
    """,
    "the schema": "revoke usage on schema jobs from app_worker",
    "reading jobs": "revoke select on jobs.oban_jobs from app_worker",
    "writing jobs": "revoke update on jobs.oban_jobs from app_worker",
}


@pytest.mark.parametrize("without", UNFIT)
async def test_a_node_that_could_run_nothing_does_not_start_and_names_all_grants(roles, registry, worker, without):
    await roles.execute("revoke usage on sequence jobs.oban_jobs_id_seq from app_worker")
    await roles.execute(UNFIT[without])
    worker(lambda _job: None)
    with pytest.raises(SchemaError, match="can't run jobs, because it lacks") as told:
        async with node(roles.dsns["worker"], registry, prefix=roles.prefix):
            pass
    assert f"role {roles.names['app_worker']} " in str(told.value)
    await roles.admin.execute(str(told.value).rpartition(": ")[2])
    async with node(roles.dsns["worker"], registry, prefix=roles.prefix):
        pass
    lacks = (await examined(roles.dsns["worker"], prefix=roles.prefix))["rights"].figures["lacks"]
    assert lacks == []


async def test_a_node_that_waits_for_its_database_waits_for_its_rights_too(roles, registry, worker, caplog):
    await roles.execute("revoke usage on schema jobs from app_worker")
    worker(lambda _job: None)
    async with node(roles.dsns["worker"], registry, prefix=roles.prefix, connect="background") as oban:
        await until(lambda: asyncio.sleep(0, "lacks usage on schema" in caplog.text))
        await roles.execute("grant usage on schema jobs to app_worker")
        await asyncio.wait_for(oban.ready(), 60)


async def test_start_exits_without_the_rights_to_run_anything(roles, bridge):
    await roles.execute("revoke usage on schema jobs from app_worker; revoke all on jobs.oban_jobs from app_worker")
    told = await bridge("worker", "start", "--queues", "default:1")
    assert told.returncode == 1
    assert "bridge.started" not in told.stdout + told.stderr
    assert "lacks usage on schema" in told.stderr
    assert f'grant usage on schema {roles.schema} to "{roles.names["app_worker"]}"' in told.stderr


# The runner


async def test_the_doctor_knows_a_runner(roles):
    findings = await examined(roles.dsns["runner"], prefix=roles.prefix)
    assert {finding.level for finding in findings.values()} <= {Level.OK, Level.NOTE}
    assert "only runs jobs: enough for a node with leader.enabled = false" in findings["rights"].seen
    await roles.execute("revoke delete on jobs.bridge_producers from app_runner")
    assert (await examined(roles.dsns["runner"], prefix=roles.prefix))["rights"].level is Level.PROBLEM


async def test_a_runner_runs_jobs_and_can_not_change_what_they_are(roles, registry, worker, ends, caplog):
    async def process(job):
        return Record(job.args)

    worker(process)
    job_id = await roles.admin.fetchval(
        f"""insert into {roles.schema}.oban_jobs (worker, queue, args)
        values ('W', 'default', '{{"n": 1}}') returning id"""
    )
    async with node(
        roles.dsns["runner"], registry, prefix=roles.prefix, leader={"enabled": False}, stager={"interval": 0.05}
    ):

        async def completed():
            return await state_of(roles, job_id) == "completed"

        await until(completed)
    assert warnings(caplog) == []
    conn = await asyncpg.connect(roles.dsns["runner"])
    for statement in (
        "update jobs.oban_jobs set args = '{}'",
        "update jobs.oban_jobs set worker = 'X'",
        "insert into jobs.oban_jobs (worker) values ('X')",
        "delete from jobs.oban_jobs",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute(roles.own(statement))
    await conn.close()


async def test_a_node_that_may_make_no_table_asks_for_the_installation(roles, registry, worker, ends, caplog):
    await roles.admin.execute(f"drop table {roles.schema}.bridge_producers, {roles.schema}.bridge_crons")
    worker(lambda _job: None)
    cron = [{"expression": "@reboot", "worker": "W"}]
    async with node(roles.dsns["worker"], registry, cron=cron, prefix=roles.prefix, **FAST):
        for table in ("bridge_producers", "bridge_crons"):
            told = f"let the owner of Oban's tables run `bridge install`, which makes {table}"
            await until(lambda told=told: asyncio.sleep(0, any(told in text for text in warnings(caplog))))
