"""Names of workers: looked up, never imported."""

import asyncio
import sys

import pytest
from queues.rig import PATIENCE

from bridge.errors import InvalidWorker, JobError, UnknownWorker
from bridge.jobs import Registry, Worker


def make(name, module=__name__):
    return type(name, (Worker,), {"process": lambda self, job: None, "__module__": module, "__qualname__": name})


def test_a_worker_is_found_by_each_of_its_names(registry):
    send = make("Send")
    registry.register(send, ["Mail.Send", "Mail.Old"])

    assert registry.resolve("Mail.Send") is registry.resolve("Mail.Old") is send
    assert registry.names() == ["Mail.Old", "Mail.Send"]


@pytest.mark.parametrize(
    "name",
    ["os.system", "os", "builtins.eval", "this", "antigravity", "bridge.jobs.Worker", "mail.send", "", "a\0", "../x"],
)
def test_a_name_that_nobody_registered_is_unknown_and_imports_nothing(registry, name):
    registry.register(make("Send"), ["Mail.Send"])
    before = set(sys.modules)

    with pytest.raises(UnknownWorker) as error:
        registry.resolve(name)

    assert str(error.value) == f"unknown worker: {name}"
    assert isinstance(error.value, JobError)
    assert set(sys.modules) == before


async def test_a_row_with_the_name_of_a_module_is_left_alone(start, conn):
    """A name comes from whoever can write to the table."""
    await conn.execute("insert into oban_jobs (queue, worker) values ('alpha', 'antigravity'), ('alpha', 'os.system')")
    oban = await start(queues={"alpha": {"limit": 5, "workers": "any"}})

    jobs = []
    async with asyncio.timeout(PATIENCE):
        while len(jobs) < 2:
            jobs = await oban.jobs(state="retryable")

    assert {job.errors[0]["error"].splitlines()[0] for job in jobs} == {
        "** (bridge.errors.UnknownWorker) unknown worker: antigravity",
        "** (bridge.errors.UnknownWorker) unknown worker: os.system",
    }
    assert "antigravity" not in sys.modules


def test_a_taken_name(registry):
    registry.register(make("Send"), ["Taken"])

    with pytest.raises(InvalidWorker) as refusal:
        registry.register(make("Other"), ["Free", "Taken"])

    assert str(refusal.value) == (
        f"name: expected a name that is not taken, got 'Taken'; {__name__}.Send has it already"
    )
    assert registry.names() == ["Taken"]


def test_a_class_of_the_same_path_takes_over(registry):
    old, new = make("Send"), make("Send")
    registry.register(old, ["A", "B"])
    registry.register(new, ["A", "B"])

    assert registry.resolve("A") is registry.resolve("B") is new


def test_the_same_name_in_another_module_is_another_class(registry):
    registry.register(make("Send", "one"), ["A"])

    with pytest.raises(InvalidWorker, match=r"one\.Send has it already"):
        registry.register(make("Send", "two"), ["A"])


@pytest.mark.parametrize("name", ["", "n" * 128, "a\0", None, 1])
def test_a_name_that_no_row_holds(registry, name):
    with pytest.raises(InvalidWorker, match="name: expected text"):
        registry.register(make("Send"), [name])

    assert registry.names() == []


def test_a_worker_is_forgotten_with_all_its_names(registry):
    send, other = make("Send"), make("Other")
    registry.register(send, ["A", "B"])
    registry.register(other, ["C"])

    registry.unregister(send)

    assert registry.names() == ["C"]


def test_each_change_shows_in_the_version(registry):
    """A producer asks for the names again only when it has changed."""
    send = make("Send")
    versions = [registry.version]
    registry.register(send, ["A"])
    versions.append(registry.version)
    registry.unregister(send)
    versions.append(registry.version)

    assert len(set(versions)) == 3


def test_registries_share_nothing(registry):
    registry.register(make("Send"), ["A"])

    assert Registry().names() == []
