"""The pytest plugin: a database, a schema or a rolled-back transaction a test.

pytest loads it in every project where Bridge is installed, so it does nothing until a fixture is asked for;
`-p no:bridge` leaves it out.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from bridge.oban import Oban
    from bridge.testing.databases import Databases
    from bridge.testing.interop import ElixirNode, Runner
    from bridge.testing.sandbox import Sandbox

_LOG_LINES = 60
_NO_NODE = "no Elixir node: "


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the command line's option and the settings."""
    group = parser.getgroup("bridge", "tests of jobs with Bridge")
    group.addoption("--bridge-dsn", metavar="DSN", help="the PostgreSQL server for the fixtures of Bridge")
    group.addoption("--bridge-elixir", metavar="RUNNER", help="how Elixir nodes run: mix:FOLDER, build:FOLDER, …")
    group.addoption("--bridge-elixir-required", action="store_true", help="fail where no Elixir node can run")
    parser.addini("bridge_elixir", "how Elixir nodes run, as --bridge-elixir", default="")
    parser.addini("bridge_dsn", "the PostgreSQL server for the fixtures of Bridge", default="")
    parser.addini("bridge_prefix", "the schema of Oban's tables in their databases", default="public")
    parser.addini("bridge_testing", "the mode of the fixture oban: manual or inline", default="manual")


def pytest_configure(config: pytest.Config) -> None:
    """Add the fixtures that pytest-asyncio runs, where it is there."""
    if config.pluginmanager.hasplugin("asyncio"):
        from bridge.testing import asyncio_fixtures  # noqa: PLC0415 - it needs pytest-asyncio

        config.pluginmanager.register(asyncio_fixtures, "bridge-asyncio")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Iterator[None]:
    """Show the last lines of the Elixir nodes that a failed test has, and once why there is none."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]  # pluggy types a wrapper's yield as None
    if report.skipped and call.excinfo is not None and str(call.excinfo.value).startswith(_NO_NODE):
        # One place for all of them: pytest tells a reason once for each place.
        report.longrepr = ("elixir_runner", 0, report.longrepr[2])
    nodes = sys.modules.get("bridge.testing.interop.node")
    if report.failed and nodes is not None:
        for node in tuple(nodes.LIVING):
            if lines := _logs(node).splitlines()[-_LOG_LINES:]:
                report.sections.append((f"log of {node!r}", "\n".join(lines)))


def _logs(node: ElixirNode) -> str:
    try:
        return node.logs()
    except Exception as error:  # it ends in this very moment, or its engine did; the test's own failure counts
        return f"its log can't be read: {error}"


@pytest.fixture(scope="session")
def bridge_dsn(request: pytest.FixtureRequest) -> Iterator[str]:
    """The DSN of a server: `--bridge-dsn`, the setting `bridge_dsn`, `BRIDGE_TEST_DSN` or `DATABASE_URL`.

    Without any of them it is an embedded one that lasts as long as the run; each process of xdist has its own.
    """
    if given := _given_dsn(request.config):
        yield given
        return
    from bridge.errors import ServerError  # noqa: PLC0415 - nothing of Bridge is imported before it is needed
    from bridge.postgres import temporary_server  # noqa: PLC0415

    server = temporary_server()
    try:
        running = server.__enter__()
    except ServerError as error:
        pytest.fail(f"{error}\nOr name a server: pytest --bridge-dsn=postgresql://…", pytrace=False)
    try:
        yield running.url("postgres")
    finally:
        server.__exit__(None, None, None)


@pytest.fixture(scope="session")
def bridge_prepare() -> Callable[[str], Any] | None:
    """Override it to return a function of a DSN that makes an application's own tables, run once before all tests."""
    return None


@pytest.fixture(scope="session")
def bridge_databases(
    request: pytest.FixtureRequest, bridge_dsn: str, bridge_prepare: Callable[[str], Any] | None
) -> Iterator[Databases]:
    """What makes the databases and schemas of this run, for fixtures of a project's own."""
    from bridge.address import mask_password  # noqa: PLC0415
    from bridge.testing.databases import Databases  # noqa: PLC0415

    databases = Databases(bridge_dsn, request.config.getini("bridge_prefix"), bridge_prepare)
    try:
        databases.__enter__()
    except OSError as error:
        told = f"the server at {mask_password(bridge_dsn)} did not answer: {error or type(error).__name__}"
        pytest.fail(f"{told}\nStart it, or name another: pytest --bridge-dsn=postgresql://…", pytrace=False)
    try:
        yield databases
    finally:
        databases.__exit__(None, None, None)


@pytest.fixture
def bridge_database(bridge_databases: Databases) -> Iterator[str]:
    """The DSN of a fresh database with Oban's tables, dropped after the test."""
    dsn = bridge_databases.create()
    yield dsn
    bridge_databases.drop(dsn)


@pytest.fixture
def bridge_schema(bridge_databases: Databases) -> Iterator[str]:
    """A fresh schema with Oban's tables in the database of `bridge_dsn`, for `Oban(prefix=…)`."""
    name = bridge_databases.create_schema()
    yield name
    bridge_databases.drop_schema(name)


@pytest.fixture(scope="session")
def elixir_runner(request: pytest.FixtureRequest) -> Runner:
    """What runs Elixir nodes: `--bridge-elixir`, `BRIDGE_ELIXIR` or the setting `bridge_elixir`.

    Where none is named, or none can run here, the tests that ask for it are skipped with the reason;
    `--bridge-elixir-required`, or `BRIDGE_ELIXIR_REQUIRED=1`, fails them instead.
    """
    from bridge.errors import BridgeError, NodeUnavailable  # noqa: PLC0415
    from bridge.testing.interop.choice import choose  # noqa: PLC0415 - it imports the docker SDK's runner

    option = request.config.getoption
    named = option("--bridge-elixir") or os.environ.get("BRIDGE_ELIXIR") or request.config.getini("bridge_elixir")
    required = option("--bridge-elixir-required") or os.environ.get("BRIDGE_ELIXIR_REQUIRED", "0") not in ("", "0")
    try:
        return choose(str(named or ""))
    except NodeUnavailable as error:
        if not required:
            pytest.skip(f"{_NO_NODE}{error}")
        why = f"{_NO_NODE}{error}"
    except BridgeError as error:
        why = str(error)
    pytest.fail(why, pytrace=False)  # not while the error is handled: pytest would show it a second time


@pytest.fixture
def elixir_nodes(elixir_runner: Runner) -> Iterator[Callable[..., ElixirNode]]:
    """A function that makes an `ElixirNode` of its keyword arguments, to be started; all end with the test."""
    from bridge.testing.interop import ElixirNode  # noqa: PLC0415

    with ExitStack() as made:

        def make(**options: Any) -> ElixirNode:
            node = ElixirNode(elixir_runner, **options)
            made.push(node)  # its end, whatever becomes of the others
            return node

        yield make


@pytest.fixture
def bridge_sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """A transaction that is rolled back after the test, as a pool for `Oban(pool=…)`; `.conn` is its connection."""
    found: Sandbox = request.getfixturevalue(f"_bridge_sandbox_{_runner(request)}")
    return found


@pytest.fixture
def oban(request: pytest.FixtureRequest) -> Oban:
    """A started instance named `Oban` in testing mode `manual`, all of whose work is rolled back after the test."""
    found: Oban = request.getfixturevalue(f"_bridge_oban_{_runner(request)}")
    return found


# AnyIO takes any asynchronous fixture of its tests; pytest-asyncio wants them marked.


@pytest.fixture
async def _bridge_sandbox_anyio(bridge_databases: Databases) -> AsyncIterator[Sandbox]:
    async with open_sandbox(bridge_databases) as opened:
        yield opened


@pytest.fixture
async def _bridge_oban_anyio(pytestconfig: pytest.Config, bridge_sandbox: Sandbox) -> AsyncIterator[Oban]:
    async with open_instance(pytestconfig, bridge_sandbox) as opened:
        yield opened


@asynccontextmanager
async def open_sandbox(databases: Databases) -> AsyncIterator[Sandbox]:
    """Open what `bridge_sandbox` is."""
    from bridge.testing.sandbox import sandbox  # noqa: PLC0415

    async with sandbox(databases.shared()) as opened:
        yield opened


@asynccontextmanager
async def open_instance(config: pytest.Config, sandbox: Sandbox) -> AsyncIterator[Oban]:
    """Start what `oban` is."""
    from bridge.oban import Oban  # noqa: PLC0415

    async with Oban(
        pool=sandbox, prefix=config.getini("bridge_prefix"), testing=config.getini("bridge_testing")
    ) as found:
        yield found


def _runner(request: pytest.FixtureRequest) -> str:
    if "anyio_backend" in request.fixturenames:
        return "anyio"
    if request.config.pluginmanager.hasplugin("bridge-asyncio"):
        return "asyncio"
    mend = "install pytest-asyncio, or mark the test with pytest.mark.anyio"
    pytest.fail(f"{request.fixturename} needs an event loop; {mend}", pytrace=False)


_POSTGRESQL = re.compile(r"(postgres(?:ql)?)(?:\+[a-z0-9]+)?(://.*)")


def _given_dsn(config: pytest.Config) -> str:
    named = config.getoption("--bridge-dsn") or config.getini("bridge_dsn") or os.environ.get("BRIDGE_TEST_DSN")
    if named:
        return str(named)
    # Other libraries write their driver into it, and other projects have no PostgreSQL at all.
    found = _POSTGRESQL.fullmatch(os.environ.get("DATABASE_URL", ""))
    return f"{found[1]}{found[2]}" if found else ""
