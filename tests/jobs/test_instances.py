"""The running instances of a process, by name."""

import pytest

from bridge import Oban
from bridge.errors import InstanceNotFound, NotRunning
from bridge.jobs import instances


async def test_a_started_instance_is_found_by_its_name(start):
    first, second = await start(), await start(name="Second")

    assert Oban.get_instance() is first
    assert Oban.get_instance("Second") is second


async def test_a_stopped_instance_is_not_found(start):
    oban = await start(name="Brief")
    await oban.stop()

    with pytest.raises(InstanceNotFound) as error:
        Oban.get_instance("Brief")
    assert str(error.value) == "no instance named 'Brief' is running (running: none); start one first"


async def test_the_running_ones_are_named(start):
    await start(name="B")
    await start(name="A")

    with pytest.raises(InstanceNotFound, match=r"no instance named 'C' is running \(running: A, B\); start one first"):
        instances.find("C")


async def test_a_name_is_one_instances_at_a_time(start, installed):
    first = await start(name="Only")
    other = Oban(dsn=installed, name="Only")

    with pytest.raises(NotRunning, match="an instance named 'Only' is running already; stop it, or give this one an"):
        await other.start()

    assert Oban.get_instance("Only") is first
    await first.stop()
    async with other:
        assert Oban.get_instance("Only") is other


async def test_an_instance_that_could_not_start_is_not_found(database):
    with pytest.raises(Exception, match="no table oban_jobs"):
        await Oban(dsn=database, name="Broken").start()

    with pytest.raises(InstanceNotFound):
        instances.find("Broken")
