"""The pytest plugin, in small projects that have their own suites."""

import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
from dataclasses import dataclass

import asyncpg
import pytest
from databases import SERVER

HEAD = """
import asyncio
import asyncpg
import pytest
from bridge import Oban, Worker, worker
from bridge.testing import ANY, all_enqueued, assert_enqueued, drain_queue, mode

@worker(name="App.Mail", queue="mail")
class Mail(Worker):
    async def process(self, job):
        return job.args["to"]
"""

SUITE = """
async def test_enqueue(oban):
    await Mail.enqueue({"to": "ada"})
    await assert_enqueued(worker=Mail, args={"to": ANY})
    assert await drain_queue(queue="mail") == {"cancelled": 0, "discard": 0, "failure": 0, "snoozed": 0, "success": 1}

async def test_nothing_is_left(oban, bridge_sandbox):
    assert await all_enqueued() == []
    assert await bridge_sandbox.conn.fetchval("select count(*) from oban_jobs") == 0
    await bridge_sandbox.conn.execute("insert into oban_jobs (worker) values ('Raw')")
    assert [job.worker for job in await all_enqueued(oban)] == ["Raw"]

@pytest.mark.parametrize("nth", range(4))
async def test_database(bridge_database, nth):
    async with Oban(dsn=bridge_database, name="Own", queues={"mail": 2}) as own:
        job = await own.enqueue(Mail.new({"to": "ada"}))
        while (await own.get_job(job.id)).state != "completed":
            await asyncio.sleep(0.01)
        assert await own.count_jobs() == {"completed": 1}

@pytest.mark.parametrize("nth", range(4))
async def test_schema(bridge_dsn, bridge_schema, nth):
    async with Oban(dsn=bridge_dsn, prefix=bridge_schema, name="Own") as own:
        await own.enqueue(Mail.new({"to": "ada"}))
        assert await own.count_jobs() == {"available": 1}

def test_without_a_loop(bridge_database):
    async def look():
        conn = await asyncpg.connect(bridge_database)
        try:
            return await conn.fetchval("select count(*) from oban_jobs")
        finally:
            await conn.close()
    assert asyncio.run(look()) == 0
"""

AUTO = "asyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = error\n"


@dataclass
class Run:
    """What came of a suite."""

    code: int
    text: str

    def outcomes(self):
        counts = re.findall(r"(\d+) (passed|failed|errors?|skipped)", self.text.splitlines()[-1])
        return {kind.removesuffix("s"): int(number) for number, kind in counts}


class Project:
    """A folder with a project's own suite."""

    def __init__(self, folder):
        self.folder = folder
        self.settings("")

    def settings(self, text):
        (self.folder / "pytest.ini").write_text(f"[pytest]\n{AUTO}{text}")

    def write(self, name, text):
        (self.folder / name).write_text(textwrap.dedent(text))

    def command(self, *arguments):
        return [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]

    def environment(self, **variables):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
        return {name: value for name, value in {**kept, **variables}.items() if value is not None}

    def run(self, *arguments, **variables):
        found = subprocess.run(
            self.command(*arguments), check=False, cwd=self.folder, env=self.environment(**variables),
            capture_output=True, text=True, timeout=100,
        )  # fmt: skip
        return Run(found.returncode, found.stdout + found.stderr)


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def test_a_suite_uses_all_fixtures(project):
    project.write("test_app.py", HEAD + SUITE)
    run = project.run()
    assert (run.code, run.outcomes()) == (0, {"passed": 11}), run.text


def test_processes_of_xdist_do_not_meet(project):
    project.write("test_app.py", HEAD + SUITE)
    run = project.run("-n", "3", "--dist", "load")
    assert (run.code, run.outcomes()) == (0, {"passed": 11}), run.text


@pytest.mark.parametrize("arguments", [(), ("-n", "2")])
def test_without_a_server_an_embedded_one_is_started(project, arguments):
    project.write("test_app.py", HEAD + SUITE)
    run = project.run(*arguments, **{SERVER: None, "DATABASE_URL": None})
    assert (run.code, run.outcomes()) == (0, {"passed": 11}), run.text


def test_a_failed_assertion_shows_the_line_of_the_test_and_the_difference(project):
    project.write("test_app.py", HEAD + """
async def test_mail(oban):
    await Mail.enqueue({"to": "ada"})
    await assert_enqueued(worker=Mail, args={"to": "bob"})

async def test_after(oban):
    assert await all_enqueued() == []
""")  # fmt: skip
    run = project.run()
    assert (run.code, run.outcomes()) == (1, {"failed": 1, "passed": 1})
    assert '>       await assert_enqueued(worker=Mail, args={"to": "bob"})' in run.text
    assert "args.to: expected 'bob', found 'ada'" in run.text
    assert "enqueued.py" not in run.text.partition("short test summary")[0]


def test_a_mark_is_enough_in_pytest_asyncios_strict_mode(project):
    project.settings("")
    project.write("pytest.ini", "[pytest]\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = error\n")
    project.write("test_app.py", HEAD + """
@pytest.mark.asyncio
async def test_mail(oban):
    await Mail.enqueue({"to": "ada"})
    await assert_enqueued(worker=Mail)
""")  # fmt: skip
    run = project.run()
    assert (run.code, run.outcomes()) == (0, {"passed": 1}), run.text


def test_anyio_runs_the_fixtures_too(project):
    project.write("pytest.ini", "[pytest]\nfilterwarnings = error\n")
    project.write("test_app.py", HEAD + """
@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.mark.anyio
async def test_mail(oban, bridge_sandbox):
    await Mail.enqueue({"to": "ada"})
    await assert_enqueued(worker=Mail)
    assert await bridge_sandbox.conn.fetchval("select count(*) from oban_jobs") == 1

@pytest.mark.anyio
async def test_after(oban):
    assert await all_enqueued() == []
""")  # fmt: skip
    for arguments in (("-o", "asyncio_default_fixture_loop_scope=function"), ("-p", "no:asyncio")):
        run = project.run(*arguments)
        assert (run.code, run.outcomes()) == (0, {"passed": 2}), run.text


def test_without_a_plugin_for_coroutines_the_fixtures_say_what_is_missing(project):
    project.write("pytest.ini", "[pytest]\n")
    project.write("test_app.py", "def test_mail(oban): pass\n\n\ndef test_database(bridge_database): pass\n")
    run = project.run("-p", "no:asyncio", "-p", "no:anyio")
    assert run.outcomes() == {"error": 1, "passed": 1}
    assert "oban needs an event loop; install pytest-asyncio" in run.text


def test_settings_choose_the_mode_and_the_schema(project):
    project.settings("bridge_testing = inline\nbridge_prefix = private\n")
    project.write("test_app.py", HEAD + """
async def test_mail(oban, bridge_sandbox):
    assert (await Mail.enqueue({"to": "ada"})).state == "completed"
    with mode("manual"):
        await Mail.enqueue({"to": "ada"})
    assert await bridge_sandbox.conn.fetchval("select count(*) from private.oban_jobs") == 1
""")  # fmt: skip
    run = project.run()
    assert (run.code, run.outcomes()) == (0, {"passed": 1}), run.text


def test_an_applications_own_tables_are_prepared_once(project):
    project.write("conftest.py", """
        import asyncpg, pytest

        @pytest.fixture(scope="session")
        def bridge_prepare():
            async def migrate(dsn):
                conn = await asyncpg.connect(dsn)
                await conn.execute("create table notes (text text)")
                await conn.close()
            return migrate
    """)  # fmt: skip
    project.write("test_app.py", HEAD + """
@pytest.mark.parametrize("nth", range(2))
async def test_notes(oban, bridge_sandbox, nth):
    await bridge_sandbox.conn.execute("insert into notes values ('x')")
    await Mail.enqueue({"to": "ada"})
    assert await bridge_sandbox.conn.fetchval("select count(*) from notes") == 1

async def test_database(bridge_database):
    conn = await asyncpg.connect(bridge_database)
    assert await conn.fetchval("select count(*) from notes") == 0
    await conn.close()
""")  # fmt: skip
    run = project.run()
    assert (run.code, run.outcomes()) == (0, {"passed": 3}), run.text


@pytest.mark.parametrize(
    ("arguments", "variables", "settings", "server"),
    [
        (("--bridge-dsn", "postgresql://o@h/option"), {}, "postgresql://s@h/setting", "option"),
        ((), {SERVER: "postgresql://v@h/variable"}, "postgresql://s@h/setting", "setting"),
        ((), {SERVER: "postgresql://v@h/variable", "DATABASE_URL": "postgresql://u@h/url"}, "", "variable"),
        ((), {SERVER: None, "DATABASE_URL": "postgresql+asyncpg://u@h/url"}, "", "url"),
        ((), {SERVER: None, "DATABASE_URL": "mysql://u@h/other"}, "", "postgres"),
    ],
)  # fmt: skip
def test_the_server_is_the_one_that_was_named_nearest(project, arguments, variables, settings, server):
    project.settings(f"bridge_dsn = {settings}\n")
    project.write("test_app.py", f"""
        from urllib.parse import urlsplit

        def test_dsn(bridge_dsn):
            assert (urlsplit(bridge_dsn).scheme, urlsplit(bridge_dsn).path) == ("postgresql", "/{server}")
    """)  # fmt: skip
    run = project.run(*arguments, **variables)
    assert (run.code, run.outcomes()) == (0, {"passed": 1}), run.text


def test_a_project_that_uses_no_fixture_notices_nothing(project):
    project.write("test_app.py", """
        import sys, threading

        def test_quiet(request):
            assert threading.active_count() == 1
            assert "bridge.testing.databases" not in sys.modules
            assert "bridge.testing.sandbox" not in sys.modules
            assert "bridge.postgres" not in sys.modules
    """)  # fmt: skip
    run = project.run(**{SERVER: "postgresql://nowhere.invalid/none"})
    assert (run.code, run.outcomes()) == (0, {"passed": 1}), run.text
    assert "bridge" not in run.text


def test_the_plugin_is_left_out_where_that_is_asked(project):
    project.write("test_app.py", "def test_none(request):\n    request.getfixturevalue('bridge_dsn')\n")
    run = project.run("-p", "no:bridge")
    assert run.outcomes() == {"failed": 1}
    assert "fixture 'bridge_dsn' not found" in run.text


def test_a_server_that_is_not_there_is_named_without_its_password(project):
    project.write("test_app.py", "def test_database(bridge_database): pass\n")
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    run = project.run(**{SERVER: f"postgresql://ada:tell-nobody@127.0.0.1:{port}/x"})
    assert run.outcomes() == {"error": 1}, run.text
    assert f"the server at postgresql://ada:***@127.0.0.1:{port}/x did not answer" in run.text
    assert "name another: pytest --bridge-dsn=" in run.text
    assert "Traceback" not in run.text
    assert "tell-nobody" not in run.text


async def test_a_killed_run_is_cleared_away_by_the_next(project, database):
    project.write("test_app.py", """
        import os, pathlib, signal

        def test_killed(bridge_database, bridge_schema):
            pathlib.Path("left").write_text(f"{bridge_database} {bridge_schema}")
            if os.environ.get("KILL"):
                os.kill(os.getpid(), signal.SIGKILL)
    """)  # fmt: skip
    assert project.run(KILL="1", **{SERVER: database}).code == -signal.SIGKILL
    dsn, schema = (project.folder / "left").read_text().split()
    conn = await asyncpg.connect(database)
    database_left = "select count(*) from pg_database where datname = $1"
    schema_left = "select count(*) from pg_namespace where nspname = $1"
    name = dsn.partition("?")[0].rpartition("/")[2]
    assert (await conn.fetchval(database_left, name), await conn.fetchval(schema_left, schema)) == (1, 1)

    run = project.run(**{SERVER: database})

    assert (run.code, run.outcomes()) == (0, {"passed": 1}), run.text
    assert (await conn.fetchval(database_left, name), await conn.fetchval(schema_left, schema)) == (0, 0)
    await conn.close()
