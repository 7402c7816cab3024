"""An Elixir node and a Python node on one database.

`place` is a database and a prefix of a test's own; `elixir` and `python` start nodes there. Where a test changes
nothing that others would see, `shared` gives it the place and the Elixir node of all tests of its module.
"""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest
from queues.rig import ENDS, connected, events_of

from bridge import Oban
from bridge.jobs import Registry
from bridge.testing.interop import ElixirNode

pytest.register_assert_rewrite("interop.rows", "interop.endings")

from .places import Place  # noqa: E402 - after the line above
from .report import NAME as REPORT  # noqa: E402
from .report import Report, _versions_of_the_report  # noqa: E402, F401 - a fixture of all tests here
from .workers import register  # noqa: E402

SUPPORT = sorted((Path(__file__).parent / "support").glob("*.ex"))
ELIXIR, PYTHON = "ex@host-a", "py@host-b"

#: Merges options into those that the application starts Oban with.
MERGE = (
    "Application.put_env(:badge_forge, Oban, Keyword.merge(Application.fetch_env!(:badge_forge, Oban), [{options}]))"
)


def node_options(place, *, node=ELIXIR, queues=None, options="", config="", load=(), **more):
    """The arguments of an ElixirNode that runs Oban at a place.

    `queues` are names and limits, by default `{"elixir": 10}`; `options` is the Elixir of more options of Oban, such
    as `"plugins: [Oban.Plugins.Lifeline]"`; `config` and `load` are as those of ElixirNode.
    """
    queues = {"elixir": 10} if queues is None else queues
    merge = MERGE.replace("{options}", options) if options else ""
    return {
        "dsn": place.dsn,
        "env": {
            "OBAN_PREFIX": place.prefix,
            "OBAN_NODE": node,
            "OBAN_QUEUES": ",".join(f"{name}:{limit}" for name, limit in queues.items()),
        },
        "app": "badge_forge",
        "config": f"{merge}\n{config}".strip(),
        "load": [*SUPPORT, *load],
        "ready": "Interop.attach()",
        **more,
    }


def pytest_configure(config):
    config.addinivalue_line("markers", "item(text): the line of the conformance table that the test proves")
    config.pluginmanager.register(Report(config), REPORT)


async def done(ex, number, patience=10):
    """Wait until Elixir has written the end of a job's run; what ends before is another test's."""
    async with asyncio.timeout(patience):
        while (event := await ex.event("done", patience))["id"] != number:
            pass
    return event


async def ran(ex, number, patience=10):
    """Wait until Interop.Ok has been given a job, and return what it was given, by names of fields."""
    async with asyncio.timeout(patience):
        while (job := await ex.event("ran", patience))["id"] != number:
            pass
    return job


@pytest.fixture
async def places():
    """A function that makes a place: `await places(prefix=…, tables=…)`."""
    async with AsyncExitStack() as stack:

        async def make(prefix=None, *, tables=True):
            place = Place(prefix)
            await place.open(tables=tables)
            stack.push_async_callback(place.close)
            return place

        yield make


@pytest.fixture
async def place(places):
    """A database with Oban's tables in a prefix of its own."""
    return await places()


@pytest.fixture
async def elixir(elixir_nodes, place):
    """A function that starts an Elixir node: `await elixir(queues=…, options=…)`, see `node_options`."""

    async def start(at=place, **options):
        return await elixir_nodes(**node_options(at, **options)).start()

    return start


@pytest.fixture
async def python(place):
    """A function that starts a Python node with the workers of workers.py: `await python(queues=…)`.

    What it returns has `oban`, `registry`, `ends` (the events of jobs' ends: `await ends.of(job)`) and `ran` (what its
    jobs were given).
    """
    async with AsyncExitStack() as stack:

        async def start(at=place, *, node=PYTHON, queues=None, **options):
            ends = stack.enter_context(events_of(*ENDS))
            registry = Registry()
            ran = register(registry)
            options = {"shutdown_grace_period": 2, **options}
            oban = Oban(
                dsn=at.dsn,
                prefix=at.prefix,
                node=node,
                queues={"python": 10} if queues is None else queues,
                registry=registry,
                **options,
            )
            await stack.enter_async_context(oban)
            if queues != {}:  # without queues it listens only once somebody asks it to
                await connected(oban)
            return SimpleNamespace(oban=oban, registry=registry, ends=ends, ran=ran)

        yield start


@pytest.fixture(scope="session")
def versions(elixir_runner):
    """The versions beside which the tests run, as text: elixir, otp, oban."""
    with ElixirNode(elixir_runner) as node:
        oban = node.rpc_sync("Application.load(:oban); to_string(Application.spec(:oban, :vsn))")
        return {"elixir": node.hello.elixir, "otp": node.hello.otp, "oban": oban}


@pytest.fixture(scope="session")
def oban_version(versions):
    """The version of Oban as a tuple of numbers."""
    text = versions["oban"]
    return tuple(int(part) for part in text.split("-")[0].split("."))


@pytest.fixture(scope="module")
def shared_node(request, elixir_runner):
    """The Elixir node of a module's tests, and its place; a module may say its options: SHARED = {"queues": …}."""
    options = getattr(request.module, "SHARED", {})
    place = Place(options.get("prefix"))
    asyncio.run(_opened(place))
    try:
        more = {key: value for key, value in options.items() if key != "prefix"}
        with ElixirNode(elixir_runner, **node_options(place, **more)) as node:
            yield SimpleNamespace(place=place, node=node)
    finally:
        asyncio.run(_closed(place))


@pytest.fixture
async def shared(shared_node):
    """The module's Elixir node `ex`, and its place `at` with a connection of this test's."""
    place = shared_node.place
    await place.connect()
    yield SimpleNamespace(at=place, ex=shared_node.node)
    await place.disconnect()


async def _opened(place):
    await place.open()
    await place.disconnect()


async def _closed(place):
    await place.connect()
    await place.close()
