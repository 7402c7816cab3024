"""One schema for both: whoever made the tables, the other side works on them and leaves them as they are."""

import re

import pytest
from engine.schema.catalog_dump import dump, expected

from bridge import Job
from bridge.engine.schema import inspect, install, uninstall, upgrade
from bridge.errors import RemoteError, SchemaError

from .places import ODD_PREFIXES, Place
from .rows import RECENT, check, ran_by

SHARED = {"queues": {}}

#: Starts another instance of Oban on the node, in a schema of its own.
START = """
spec = {Oban, name: name, repo: BadgeForge.Repo, prefix: prefix, node: "ex@" <> name, queues: [elixir: 5]}
{:ok, _pid} = Supervisor.start_child(BadgeForge.Supervisor, Supervisor.child_spec(spec, id: name))
:ok
"""
STOP = "Supervisor.terminate_child(BadgeForge.Supervisor, name)\nSupervisor.delete_child(BadgeForge.Supervisor, name)"
INSERT = 'Oban.insert!(name, Oban.Job.new(%{"by" => "elixir"}, worker: worker, queue: queue)).id'

#: The newest version that a release knows, where it is not 14.
NEWEST = {(2, 17): 12, (2, 18): 12, (2, 19): 12, (2, 20): 13}

SHORT_TAGS = "column oban_jobs.tags: character varying(255)[] default ARRAY[]::character varying[]"


class Corner:
    """A schema of the shared database, with an instance on either side."""

    def __init__(self, shared, prefix, name):
        self.ex, self.conn, self.prefix, self.name = shared.ex, shared.at.conn, prefix, name
        self.at = Place(prefix)
        self.at.dsn, self.at.conn = shared.at.dsn, shared.at.conn

    async def rpc(self, expression, **bindings):
        return await self.ex.rpc(expression, name=self.name, prefix=self.prefix, **bindings)

    async def migrate(self, direction, **options):
        options = {"create_schema": True, **options}
        told = ", ".join(f"{key}: {key}" for key in options)  # as text, so that the atoms come to be
        await self.rpc(f"Interop.migrate(:{direction}, [prefix: prefix, {told}])", **options)

    async def jobs_cross(self, python):
        """A job from either side runs on the other one."""
        py = await python(self.at, node=f"py@{self.name}", name=self.name)
        await self.rpc(START)
        try:
            ours = await py.oban.enqueue(Job("Interop.Ok", queue="elixir", args={"by": "python"}))
            theirs = await self.rpc(INSERT, worker="interop.Ok", queue="python")
            await self.ran(ours.id, "Interop.Ok", queue="elixir", args={"by": "python"}, node=f"ex@{self.name}")
            await self.ran(theirs, "interop.Ok", queue="python", args={"by": "elixir"}, node=f"py@{self.name}")
        finally:
            await self.rpc(STOP)
            await py.oban.stop()

    async def ran(self, number, worker, *, queue, args, node):
        check(
            await self.at.settled(number, "completed"),
            worker=worker,
            queue=queue,
            state="completed",
            args=args,
            attempt=1,
            attempted_by=ran_by(node),
            attempted_at=RECENT,
            completed_at=RECENT,
        )


@pytest.fixture
def corner(shared):
    """A function that gives a schema of that name, without tables."""
    return lambda prefix, name="corner": Corner(shared, prefix, name)


async def of_oban(conn, prefix):
    """The catalog of Oban's tables, without Bridge's own and Ecto's."""
    return [line for line in await dump(conn, prefix) if not re.match(r"[a-z]+ (bridge|schema_migrations)", line)]


def made(version, oban_version):
    """The catalog as a release of Oban makes that version; on an upgrade tags stay as they were."""
    lines = expected(f"V{version}")
    if oban_version < (2, 18, 1):
        lines = [SHORT_TAGS if line.startswith("column oban_jobs.tags:") else line for line in lines]
    if oban_version < (2, 21) and version < 14:
        lines = [line.replace("suspended, ", "") if line.startswith("enum") else line for line in lines]
    return sorted(lines)


# Our tables, then Elixir


@pytest.mark.item("schema: our install, then an Elixir node")
@pytest.mark.parametrize("prefix", ["public", "ours"])
async def test_elixirs_migrations_change_nothing_in_tables_of_ours(corner, python, prefix):
    here = corner(prefix)
    assert await install(here.conn, prefix)
    await here.jobs_cross(python)
    jobs = await here.at.rows()
    assert await of_oban(here.conn, prefix) == expected("V14")

    await here.migrate("up")

    assert await of_oban(here.conn, prefix) == expected("V14")
    assert await here.at.rows() == jobs


# Elixir's tables, then ours


@pytest.mark.item("schema: Elixir's migrations V11 to V14, then ours")
@pytest.mark.parametrize("version", [11, 12, 13, 14])
async def test_tables_that_elixir_migrated_work_for_both_before_and_after_an_upgrade(
    corner, python, oban_version, version
):
    """A release that doesn't know the version yet makes its newest."""
    here = corner(f"v{version}")
    version = min(version, NEWEST.get(oban_version[:2], 14))
    await here.migrate("up", version=version)
    assert await dump(here.conn, here.prefix) == made(version, oban_version)
    assert (await inspect(here.conn, here.prefix)).version == version
    assert not await install(here.conn, here.prefix)  # it is there
    await here.jobs_cross(python)
    assert await of_oban(here.conn, here.prefix) == made(version, oban_version)

    assert [step.partition(":")[0] for step in await upgrade(here.conn, here.prefix)] == [
        f"V{step}" for step in range(version + 1, 15)
    ]

    assert await of_oban(here.conn, here.prefix) == made(14, oban_version)
    await here.jobs_cross(python)
    await here.migrate("up")
    assert (await inspect(here.conn, here.prefix)).version == 14


# Names

#: What Ecto refuses, for it would end the quotes around the name.
REFUSED = ['qu"ote']
#: What fells Oban's notifier with each message: it takes what follows the first dot for the channel.
DOTTED = ["Inter.Op"]
#: What Oban's own migrations fail with: in places they leave the name without quotes.
UNMADE = ["Inter.Op", "o'b an"]


@pytest.mark.item("schema: prefixes with odd names")
@pytest.mark.parametrize("prefix", [prefix for prefix in ODD_PREFIXES if prefix not in REFUSED + DOTTED])
async def test_jobs_cross_in_a_schema_of_ours_with_an_odd_name(corner, python, prefix):
    here = corner(prefix)
    await install(here.conn, prefix)
    await here.jobs_cross(python)


@pytest.mark.item("schema: prefixes with odd names")
@pytest.mark.parametrize("prefix", [prefix for prefix in ODD_PREFIXES if prefix not in REFUSED])
async def test_elixirs_migrations_change_nothing_in_a_schema_of_ours_with_an_odd_name(corner, oban_version, prefix):
    """Before 2.22 they fail at a name with an apostrophe, which they escape as PostgreSQL does not."""
    here = corner(prefix)
    await install(here.conn, prefix)
    if "'" in prefix and oban_version < (2, 22):
        with pytest.raises(RemoteError, match="aborted"):
            await here.migrate("up")
    else:
        await here.migrate("up")
    assert await of_oban(here.conn, prefix) == expected("V14")


@pytest.mark.item("schema: prefixes with odd names")
@pytest.mark.parametrize("prefix", [prefix for prefix in ODD_PREFIXES if prefix not in REFUSED + UNMADE])
async def test_jobs_cross_in_a_schema_of_elixirs_with_an_odd_name(corner, python, oban_version, prefix):
    here = corner(f"{prefix}2")
    await here.migrate("up")
    assert await of_oban(here.conn, here.prefix) == made(NEWEST.get(oban_version[:2], 14), oban_version)
    await here.jobs_cross(python)


@pytest.mark.item("schema: prefixes with odd names")
@pytest.mark.parametrize("prefix", UNMADE)
async def test_a_name_is_too_odd_for_elixirs_own_migrations(corner, prefix):
    here = corner(f"{prefix}2")
    with pytest.raises(RemoteError, match=r"syntax|aborted"):
        await here.migrate("up")
    assert not await here.conn.fetchval("select exists (select from pg_namespace where nspname = $1)", here.prefix)


@pytest.mark.item("schema: prefixes with odd names")
@pytest.mark.parametrize("prefix", DOTTED)
async def test_a_name_with_a_dot_fells_elixirs_notifier_and_is_fine_for_python(corner, python, prefix):
    """This is what the notifier does with each message, Elixir's own pings too."""
    here = corner(prefix)
    await install(here.conn, prefix)
    hear = 'Oban.Notifiers.Postgres.notify(prefix <> ".oban_sonar", "{}", %{channels: %{}, conf: Oban.config()})'
    with pytest.raises(RemoteError, match="no match"):
        await here.rpc(hear)
    await python_runs(here, python)


@pytest.mark.item("schema: prefixes with odd names")
@pytest.mark.parametrize("prefix", REFUSED)
async def test_a_name_with_quotes_is_refused_by_ecto_and_fine_for_python(corner, python, prefix):
    here = corner(prefix)
    await install(here.conn, prefix)
    with pytest.raises(RemoteError, match="is not permitted"):
        await here.rpc("BadgeForge.Repo.all(Oban.Job, prefix: prefix)")
    await python_runs(here, python)


async def python_runs(here, python):
    """A job of Python's own runs."""
    py = await python(here.at, name="alone")
    await py.ends.of(await py.oban.enqueue(Job("interop.Ok", queue="python")))
    await py.oban.stop()


# One side takes the tables away


@pytest.mark.item("schema: down of one side")
async def test_after_elixirs_down_python_says_what_is_missing_and_installs_anew(corner, python, oban_version):
    """A release before 2.21 knows no way down from version 14, and leaves the tables as they are."""
    here = corner("gone")
    await install(here.conn, here.prefix)
    await python_runs(here, python)
    if oban_version < (2, 21):
        with pytest.raises(RemoteError, match=r"V14.down/1 is undefined"):
            await here.migrate("down", version=1)
        assert await of_oban(here.conn, here.prefix) == expected("V14")
        return await here.jobs_cross(python)
    await here.migrate("down", version=1)
    assert await of_oban(here.conn, here.prefix) == []
    with pytest.raises(SchemaError, match="bridge install"):
        await python(here.at, name="without")
    assert await install(here.conn, here.prefix)
    return await here.jobs_cross(python)


@pytest.mark.item("schema: down of one side")
async def test_after_our_uninstall_elixir_migrates_anew(corner, python, oban_version):
    here = corner("ours_gone")
    await install(here.conn, here.prefix)
    await python_runs(here, python)
    assert await uninstall(here.conn, here.prefix)
    assert await dump(here.conn, here.prefix) == []
    await here.migrate("up")
    assert await of_oban(here.conn, here.prefix) == made(NEWEST.get(oban_version[:2], 14), oban_version)
    await here.jobs_cross(python)
