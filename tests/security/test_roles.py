"""The roles of docs/roles.md: each does all that it is for, and is refused the rest, by a message with the GRANT."""

import asyncio
import json
import logging
from contextlib import asynccontextmanager

import asyncpg
import pytest
from cli.rig import Commands
from doctor.rig import examined
from queues.conftest import ends, gate, worker
from queues.rig import connected, insert_row, node, until

from bridge import Job, Record, Unique
from bridge.doctor import Level
from bridge.engine import Connections, Engine
from bridge.engine.denials import what_was_denied
from bridge.engine.schema import inspect
from bridge.engine.statements import Statements
from bridge.errors import SchemaError

__all__ = ["ends", "gate", "worker"]

FAST = {"stager": {"interval": 0.05}, "lifeline": {"interval": 0.2, "rescue_after": 1}}


@asynccontextmanager
async def engine_of(dsn, prefix):
    async with asyncpg.create_pool(dsn, min_size=1, max_size=2) as pool:
        async with pool.acquire() as conn:
            catalog = await inspect(conn, prefix)
        yield Engine(Connections(pool), prefix, catalog)


@pytest.fixture
async def enqueuer(roles):
    async with engine_of(roles.dsns["enqueuer"], roles.prefix) as engine:
        yield engine


@pytest.fixture
async def reader(roles):
    async with engine_of(roles.dsns["reader"], roles.prefix) as engine:
        yield engine


@pytest.fixture
def bridge(roles, tmp_path):
    """Runs a command in the page's schema, as any role."""

    async def run(role, *command):
        return await Commands(roles.dsns[role], tmp_path).process(*command, BRIDGE_PREFIX=roles.prefix)

    return run


async def state_of(roles, job_id):
    return await roles.admin.fetchval(f"select state::text from {roles.schema}.oban_jobs where id = $1", job_id)


async def let_cron_begin(roles):
    """Remember the last minute as done, so that this one's jobs, and those of `@reboot`, are inserted at once."""
    await roles.admin.execute(
        f"""
        insert into {roles.schema}.bridge_crons (name, minute)
        values ('Oban', date_trunc('minute', timezone('UTC', now())) - interval '1 minute')
        """
    )


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


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
    options = {**FAST, "prefix": prefix, "pruner": {"mode": "on", "interval": 0.05, "max_age": 3_600}}
    cron = [{"expression": "@reboot", "worker": "W", "name": "first"}]
    async with node(roles.dsns["worker"], registry, cron=cron, **options) as oban:
        await asyncio.wait_for(connected(oban), 10)
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
        await until(lambda: asyncio.sleep(0, any(event.job.id == orphan for _, event in ends)))
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
        "grant delete on {schema}.oban_jobs to",
    ),
    "insert on oban_jobs": (
        "revoke insert on jobs.oban_jobs from app_worker",
        "cron failed: permission denied for table oban_jobs",
        "on {schema}.oban_jobs to",
    ),
    "the sequence": (
        "revoke usage on sequence jobs.oban_jobs_id_seq from app_worker",
        "cron failed: permission denied for sequence oban_jobs_id_seq",
        "grant usage on sequence {schema}.oban_jobs_id_seq to",
    ),
    "writing leases": (
        "revoke insert, update, delete on jobs.oban_peers from app_worker",
        "the election failed: permission denied for table oban_peers",
        "grant insert, update on {schema}.oban_peers to",
    ),
    "producers": (
        "revoke all on jobs.bridge_producers from app_worker",
        "the producers can't be listed in bridge_producers: permission denied for table bridge_producers",
        "grant select, insert, update on {schema}.bridge_producers to",
    ),
    "crons": (
        "revoke all on jobs.bridge_crons from app_worker",
        "cron failed: permission denied for table bridge_crons",
        "on {schema}.bridge_crons to",
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
    assert grant.format(schema=roles.schema) in told[0]
    assert not any(record.exc_info for record in caplog.records if said in record.getMessage())


# The runner


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


# The enqueuer


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
    assert f"grant {right} on {roles.schema}.oban_jobs to " in str(told.value)


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


# The reader


async def test_the_reader_looks_at_everything(roles, bridge):
    await roles.admin.execute(f"insert into {roles.schema}.oban_jobs (worker, args) values ('W', '{{\"n\": 1}}')")
    for command in (["jobs", "list"], ["jobs", "show", "1"], ["queues", "list"], ["status"], ["doctor"]):
        told = await bridge("reader", *command)
        assert told.returncode == 0, told.stdout + told.stderr
    assert "rights: role" in told.stdout
    assert "only reads: enough for looking, and for no node" in told.stdout
    assert "not looked at" not in told.stdout


@pytest.mark.parametrize(
    ("command", "right"),
    [
        (["jobs", "cancel", "1", "--yes"], "update"),
        (["jobs", "retry", "2", "--yes"], "update"),
        (["jobs", "delete", "1", "--yes"], "update, delete"),
        (["jobs", "enqueue", "W"], "insert"),
        (["maintain", "prune"], ""),
        (["install"], ""),
        (["maintain", "reindex"], ""),
    ],
)
async def test_the_reader_is_told_what_it_may_not(roles, bridge, command, right):
    await roles.admin.execute(
        f"insert into {roles.schema}.oban_jobs (worker, state, cancelled_at) "
        "values ('W', 'available', null), ('W', 'cancelled', '2020-01-01')"
    )
    told = await bridge("reader", *command)
    if command == ["install"]:
        assert told.returncode == 0  # everything is there already, so nothing has to be made
        return
    assert told.returncode == 1, told.stdout
    assert "Traceback" not in told.stderr
    if right:
        assert f"grant {right} on {roles.schema}.oban_jobs to" in told.stderr
    assert await state_of(roles, 1) == "available"


async def test_a_doctor_that_may_see_nothing_says_for_each_check_which_grant_it_lacks(roles):
    findings = await examined(roles.dsns["enqueuer"], prefix=roles.prefix)
    blind = [finding for finding in findings.values() if not finding.looked]
    assert {"poison-rows"} <= {finding.id for finding in blind}
    for finding in blind:
        assert f"grant select on {roles.schema}." in finding.seen


# What is told for each statement


def test_every_statement_s_refusal_has_a_mend():
    statements = Statements("jobs")
    for name in ("fetch_jobs", "insert_job", "prune_jobs", "elect_leader", "lock_minute", "beat_producers"):
        text = (
            statements[name]
            if "{" not in statements[name]
            else statements.fill(name, table="oban_peers", condition="true")
        )
        for table in ("oban_jobs", "oban_peers", "bridge_crons", "bridge_producers"):
            if f'"jobs".{table}' in text:
                denied = what_was_denied(text, f"permission denied for table {table}")
                assert denied.table == table
                assert denied.rights
    assert what_was_denied("select 1", "permission denied for table x") is None
    assert (
        what_was_denied('select 1 from "a".b', "keine Berechtigung für Schema a").mend("R")
        == 'grant usage on schema "a" to "R"'
    )
    made = what_was_denied(statements["create_crons"], "permission denied for schema jobs")
    assert "`bridge install`, which makes bridge_crons" in made.mend("R")
    assert "owner" in what_was_denied(statements.fill("reindex", index='"x"'), "must be owner of index x").mend("R")


async def test_a_node_that_may_make_no_table_asks_for_the_installation(roles, registry, worker, ends, caplog):
    await roles.admin.execute(f"drop table {roles.schema}.bridge_producers, {roles.schema}.bridge_crons")
    worker(lambda _job: None)
    cron = [{"expression": "@reboot", "worker": "W"}]
    async with node(roles.dsns["worker"], registry, cron=cron, prefix=roles.prefix, **FAST):
        await until(lambda: asyncio.sleep(0, "bridge_crons" in str(warnings(caplog))))
    told = "\n".join(warnings(caplog))
    assert "let the owner of Oban's tables run `bridge install`, which makes bridge_producers" in told
    assert "which makes bridge_crons" in told


async def test_a_stranger_is_told_of_the_schema(roles):
    await roles.execute("revoke usage on schema jobs from app_reader")
    async with engine_of(roles.dsns["reader"], roles.prefix) as engine:
        with pytest.raises(SchemaError, match=f'grant usage on schema "jobs" to "{roles.names["app_reader"]}"'):
            await engine.get(1)


async def test_rows_that_others_wrote_stay_as_they_are_for_a_role_that_may_not_write(roles, reader):
    await insert_row(roles.admin, prefix=roles.prefix)
    for act in (lambda: reader.insert(Job("W")), lambda: reader.insert_many([Job("W")])):
        with pytest.raises(SchemaError, match=r"permission denied for (table|sequence)"):
            await act()
    assert await roles.admin.fetchval(f"select count(*) from {roles.schema}.oban_jobs") == 1
