"""A process of Oban for Python for the run, and nodes of both Pythons on one database for each test."""

import asyncpg
import pytest

from bridge.engine.schema import install, install_own

from .interpreter import NoObanPy, find_interpreter, give_up
from .ours import Ours
from .peer import ObanPy, until
from .rows import read_row


@pytest.fixture(scope="session")
def obanpy_python():
    """The path of a Python that has Oban for Python."""
    try:
        return find_interpreter()
    except NoObanPy as error:
        give_up(error)


@pytest.fixture(scope="session")
def peer_process(obanpy_python):
    """The process, one for the run."""
    peer = ObanPy(obanpy_python)
    yield peer
    peer.close_input()
    assert peer.wait() == 0, peer.logs()


@pytest.fixture
async def peer(peer_process, database):
    """The process without nodes; at the end they are stopped, before the test's database goes.

    Nothing of what the others sent them may have made them complain.
    """
    yield peer_process
    complaints = await peer_process.clear()
    assert not complaints


@pytest.fixture
def tables(request):
    """Whose tables a test runs on: Oban's as Elixir has them, unless it says otherwise."""
    return getattr(request, "param", "elixir's")


@pytest.fixture
async def installed(database, peer, tables):
    """The DSN of a fresh database that both Pythons can run on."""
    conn = await asyncpg.connect(database)
    if tables == "elixir's":
        await install(conn, "public")
    await peer.call("install", dsn=database)
    await install_own(conn, "public")
    await conn.close()
    return database


@pytest.fixture
def obanpy(peer, installed):
    """A function that starts a node of Oban for Python on the test's database."""

    async def start_one(queues=None, **options):
        return await peer.node(installed, queues=queues or {}, **options)

    return start_one


@pytest.fixture
async def ours(registry):
    """Bridge's workers."""
    found = Ours(registry)
    yield found
    found.release()


@pytest.fixture
def row_when(installed):
    """A function that waits until a job is in a state, which no event tells of, and returns its row."""

    async def wait(job_id, *states):
        async def there():
            row = await read_row(installed, job_id)
            return row["state"] in states and row

        return await until(there)

    return wait
