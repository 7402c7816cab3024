"""Nodes whose jobs run in other processes."""

import asyncio
import logging
from datetime import datetime

import pytest

from bridge.jobs import registry as default_registry
from queues.rig import PATIENCE, row_of, until


@pytest.fixture
def app():
    """The workers, known to the registry of this process for the length of a test."""
    from queues.processes import app

    for cls in app.WORKERS:
        default_registry.register(cls, (cls.options.name, *cls.options.aliases))
    yield app
    for cls in app.WORKERS:
        default_registry.unregister(cls)


@pytest.fixture
def begin(start, app):
    """A function that starts an instance with two processes and waits until both are there."""

    async def begin_one(**options):
        oban = await start(**{"queues": {"default": 10}, "processes": 2, "registry": default_registry, **options})
        if oban._plan.processes.count > 1:
            await until(lambda: asyncio.sleep(0, len(ready(oban)) == oban._plan.processes.count), 60)
        return oban

    return begin_one


@pytest.fixture
def go(tmp_path):
    """The file that jobs wait for whose args are `until`."""
    return tmp_path / "go"


@pytest.fixture
def until_go(go):
    """Args of jobs that end once the file `go` is there."""
    return {"until": str(go)}


@pytest.fixture
def begun(said, app):
    """A function that enqueues a job and waits until a process is in the midst of it."""

    async def begin_job(oban, job):
        found = await oban.enqueue(job)
        record = await said.of(f"begun {found.id}")
        return found, record.process

    return begin_job


@pytest.fixture
def imported(tmp_path, monkeypatch):
    """The file that processes wait for which import the module `importing`."""
    path = tmp_path / "imported"
    monkeypatch.setenv("BRIDGE_TESTS_IMPORTED", str(path))
    return path


#: Processes that do.
IMPORTING = {"count": 2, "imports": ["queues.processes.importing"]}


def wait_of(row):
    """The seconds from a job's failure to its next attempt."""
    at = datetime.fromisoformat(row["errors"][0]["at"]).replace(tzinfo=None)
    return (row["scheduled_at"] - at).total_seconds()


def ready(oban):
    """The processes that take jobs."""
    return [child for child in oban._parts.processes._children if child.takes_jobs]


class Said(logging.Handler):
    """What was logged, and waiting for it."""

    def __init__(self):
        super().__init__()
        self.records = []
        self._grown = asyncio.Condition()
        self._notices = set()
        self._loop = asyncio.get_running_loop()

    def emit(self, record):
        self.records.append(record)
        self._loop.call_soon_threadsafe(self._note)

    def _note(self):
        notice = self._loop.create_task(self._tell())
        self._notices.add(notice)
        notice.add_done_callback(self._notices.discard)

    async def of(self, text, patience=PATIENCE * 2):
        found = []

        def there():
            found[:] = [record for record in self.records if text in record.getMessage()]
            return found

        async with asyncio.timeout(patience), self._grown:
            await self._grown.wait_for(there)
        return found[0]

    def texts(self):
        return [record.getMessage() for record in self.records]

    async def _tell(self):
        async with self._grown:
            self._grown.notify_all()


@pytest.fixture
async def said():
    """The log of this process, in which that of its children is."""
    handler, root = Said(), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler
    root.setLevel(before)
    root.removeHandler(handler)


@pytest.fixture
def ended(conn):
    """A function that waits until jobs have an end, and returns their rows."""

    async def wait(*jobs, states=("completed",), patience=60):
        async def rows():
            found = [await row_of(conn, job) for job in jobs]
            return found if all(row["state"] in states for row in found) else None

        return await until(rows, patience)

    return wait
