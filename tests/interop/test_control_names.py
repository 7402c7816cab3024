"""Signals for one node, by the address of an instance: its name as Elixir inspects it, a dot, and its node."""

from types import SimpleNamespace

import pytest

from .conftest import PYTHON
from .sides import ElixirSide, PythonSide, fence

SHARED = {"queues": {"alpha": 10}}

#: What Elixir code says, which is also what `inspect` shows of it and thus the instance's name in Python.
NAMES = ["MyApp.Oban2", "{:oban, 3}", '"string name"', ":oban", "Elixir", ":öban"]

NODES = ["web.1@10.0.0.7:4000", "wéb-ñöde", "Oban.ex@host-a", "any", "*", "\"quoted'", "{node}\\n%s$1", "n" * 100]


@pytest.fixture
async def instance(shared, python):
    """A function that starts an instance of a name on an Elixir node and on a Python node, both named at will."""
    opened = []

    async def start(name, elixir_node, python_node):
        code = f"Interop.Control.open({name}, node, [alpha: 10])"
        await shared.ex.rpc(code, node=elixir_node)
        opened.append(name)
        py = await python(shared.at, name=name, node=python_node, queues={"alpha": 10})
        return ElixirSide(shared.ex, elixir_node, name), PythonSide(py.oban, python_node)

    yield start
    for name in opened:
        await shared.ex.rpc(f"Interop.Control.close({name})")


@pytest.fixture
async def bystanders(shared, python):
    """The instance named Oban, on both: a signal for another instance on the same node is none of theirs."""
    await shared.ex.rpc('Interop.Control.reset(Oban, [{"alpha", 10}])')
    py = await python(shared.at, queues={"alpha": 10})
    return SimpleNamespace(ex=ElixirSide(shared.ex), py=PythonSide(py.oban))


@pytest.mark.item("control: instances by odd names")
@pytest.mark.parametrize("name", NAMES)
async def test_an_instance_of_an_odd_name_is_addressed(shared, instance, bystanders, name):
    # They have the nodes' names of the other instance: only the name of the instance tells who is meant.
    ex, py = await instance(name, bystanders.ex.node, PYTHON)
    everybody = (ex, py, bystanders.ex, bystanders.py)

    await py.pause("alpha", node=ex.node)
    await ex.shows("alpha", 10, True)
    await ex.pause_all(node=py.node)
    await py.shows("alpha", 10, True)
    await py.scale("alpha", 3, node=ex.node)
    await ex.shows("alpha", 3, True)
    await fence(shared.at, *everybody)

    found = [await side.check("alpha") for side in everybody]
    assert found == [(3, True), (10, True), (10, False), (10, False)]


@pytest.mark.item("control: a signal for all nodes is for instances of all names")
async def test_a_signal_for_all_is_for_instances_of_every_name(shared, instance, bystanders):
    ex, py = await instance("MyApp.Oban2", bystanders.ex.node, PYTHON)
    everybody = (ex, py, bystanders.ex, bystanders.py)

    for sender in everybody:
        await sender.pause("alpha")
        for side in everybody:
            await side.shows("alpha", 10, True)
        await sender.resume("alpha")
        for side in everybody:
            await side.shows("alpha", 10, False)


@pytest.mark.item("control: nodes by odd names")
@pytest.mark.parametrize("node", NODES)
async def test_a_node_of_an_odd_name_is_addressed(shared, instance, bystanders, node):
    ex, py = await instance("MyApp.Oban2", node, f"{node}-py")
    everybody = (ex, py, bystanders.ex, bystanders.py)

    await py.pause("alpha", node=ex.node)
    await ex.shows("alpha", 10, True)
    await ex.pause("alpha", node=py.node)
    await py.shows("alpha", 10, True)
    await fence(shared.at, *everybody)

    found = [await side.check("alpha") for side in everybody]
    assert found == [(10, True), (10, True), (10, False), (10, False)]


@pytest.mark.item("control: check_queue names the instance and its node")
async def test_check_queue_tells_the_same_of_both(instance, bystanders):
    ex, py = await instance("{:oban, 3}", "web.1", "web.2")

    seen = await ex.ex.rpc('Interop.Control.check({:oban, 3}, "alpha")')
    told = py.oban.check_queue("alpha")

    assert (seen["name"], seen["node"]) == ("{:oban, 3}", "web.1")
    assert (told.name, told.node) == ("{:oban, 3}", "web.2")
    assert bystanders.py.oban.check_queue("alpha").name == "Oban"
