"""What all tests share: one PostgreSQL for the run, and a database of its own for each test.

The embedded server is started once; `BRIDGE_TEST_DSN` names another one to test against, with a role that may create
databases.
"""

import itertools
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from databases import SERVER, dsn_of, run_on_server
from hypothesis import settings

from bridge import Oban
from bridge.engine.schema import install
from bridge.jobs import Registry
from bridge.postgres import temporary_server

# How long an example takes is a matter of the machine.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")

_numbers = itertools.count()

INTEROP = Path(__file__).parent / "interop"


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput") or os.environ.get(SERVER):
        return  # A worker process inherits the variable of its controller.
    # Shells make their background jobs, and all that these start, deaf to it; tests interrupt programs.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    running = temporary_server(settings={"fsync": "off", "max_connections": "300"})
    os.environ[SERVER] = running.__enter__().url("postgres")
    config.add_cleanup(lambda: (os.environ.pop(SERVER), running.__exit__(None, None, None)))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    # What needs an Elixir node is asked for by name: `make interop-test`.
    if collection_path == INTEROP and not any(INTEROP in (path, *path.parents) for path in asked(config)):
        return True
    return None


def asked(config: pytest.Config) -> list[Path]:
    return [Path(config.invocation_params.dir, argument.partition("::")[0]).resolve() for argument in config.args]


@pytest.fixture
async def database() -> AsyncIterator[str]:
    """The DSN of a fresh, empty database."""
    name = f"bridge_{os.getpid()}_{next(_numbers)}"
    await run_on_server(f'create database "{name}"')
    yield dsn_of(name)
    await run_on_server(f'drop database "{name}" with (force)')


@pytest.fixture
async def installed(database: str) -> str:
    """The DSN of a fresh database with Oban's tables."""
    conn = await asyncpg.connect(database)
    await install(conn, "public")
    await conn.close()
    return database


@pytest.fixture
async def conn(installed: str) -> AsyncIterator[Any]:
    """A plain connection to the test's database, with Oban's tables."""
    connection = await asyncpg.connect(installed)
    yield connection
    await connection.close()


@pytest.fixture
def registry() -> Registry:
    """An empty registry: tests don't see each other's workers."""
    return Registry()


@pytest.fixture
async def start(installed: str, registry: Registry) -> AsyncIterator[Callable[..., Any]]:
    """A function that starts an instance on the test's database and stops it at the end."""
    async with AsyncExitStack() as stack:

        async def start_one(**options: Any) -> Oban:
            options = {"dsn": installed, "registry": registry, "shutdown_grace_period": 2, **options}
            return await stack.enter_async_context(Oban(**options))

        yield start_one
