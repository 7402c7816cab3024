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
        await asyncio.wait_for(oban.ready(), 20)


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
        (["jobs", "cancel", "1", "--yes"], "select, insert, update, delete"),
        (["jobs", "retry", "2", "--yes"], "select, insert, update, delete"),
        (["jobs", "delete", "1", "--yes"], "select, insert, update, delete"),
        (["jobs", "enqueue", "W"], "insert (state"),
        (["jobs", "enqueue", "V", "--unique", "true"], "insert (state"),
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
        assert f"grant {right}" in told.stderr
        assert f'on {roles.schema}.oban_jobs to "{roles.names["app_reader"]}"' in told.stderr
    assert await state_of(roles, 1) == "available"


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
        == 'grant usage on schema "a" to "R"; grant select on "a".b to "R"'
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
