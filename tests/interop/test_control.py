"""Queues steered from either side, each signal for all nodes, for one, or for the sender alone."""

import contextlib

import pytest

from bridge.errors import RemoteError

from .sides import ElixirSide, PythonSide, can_name_nodes, fence

QUEUES = {"alpha": 10, "beta": 5}
SHARED = {"queues": QUEUES}

SCOPES = ["all nodes", "one node", "local only"]


@pytest.fixture
async def both(shared, python):
    """The two sides, with the queues alpha and beta of limits 10 and 5 on each."""
    await shared.ex.rpc("Interop.Control.reset(Oban, queues)", queues=list(QUEUES.items()))
    py = await python(shared.at, queues=QUEUES)
    return ElixirSide(shared.ex), PythonSide(py.oban)


@pytest.fixture(params=["Elixir → Python", "Python → Elixir"])
def sender(request, both):
    return both[request.param.startswith("Python")]


@pytest.fixture
def other(sender, both):
    return both[sender is both[0]]


@pytest.fixture(params=SCOPES)
def scope(request, sender, other):
    """The arguments of a scope, and the nodes that must obey."""
    match request.param:
        case "all nodes":
            return {}, {sender, other}
        case "one node":
            return {"node": other.node}, {other}
        case "local only":
            return {"local_only": True}, {sender}


async def expect(place, sides, obeying, queue, told, untold):
    """Once all have heard all, those that must obey stand as told, and the others as before."""
    for side in obeying:
        await side.shows(queue, *told)
    await fence(place, *sides)
    for side in sides:
        expected = told if side in obeying else untold
        assert await side.check(queue) == (expected or None), side.language


def refused_or(obeying, sender, arguments, oban_version):
    """What becomes of scaling and starting: an old Oban raises where a node is named, and then nobody obeys."""
    if "node" not in arguments or can_name_nodes(sender, oban_version):
        return contextlib.nullcontext(), obeying
    return pytest.raises(RemoteError, match="unexpected option"), set()


@pytest.mark.item("control: pause and resume one queue")
async def test_a_queue_is_paused_and_resumed(shared, both, sender, scope):
    arguments, obeying = scope

    await sender.pause("alpha", **arguments)
    await expect(shared.at, both, obeying, "alpha", (10, True), (10, False))
    assert [await side.check("beta") for side in both] == [(5, False)] * 2

    await sender.resume("alpha", **arguments)
    await expect(shared.at, both, obeying, "alpha", (10, False), (10, False))


@pytest.mark.item("control: resume is for the nodes it names")
async def test_a_queue_paused_everywhere_is_resumed_where_it_is_said(shared, both, sender, scope):
    arguments, obeying = scope
    await sender.pause("alpha")
    await expect(shared.at, both, both, "alpha", (10, True), ())

    await sender.resume("alpha", **arguments)
    await expect(shared.at, both, obeying, "alpha", (10, False), (10, True))


@pytest.mark.item("control: pause and resume all queues")
async def test_all_queues_are_paused_and_resumed(shared, both, sender, scope):
    arguments, obeying = scope

    await sender.pause_all(**arguments)
    await expect(shared.at, both, obeying, "alpha", (10, True), (10, False))
    await expect(shared.at, both, obeying, "beta", (5, True), (5, False))

    await sender.resume_all(**arguments)
    await expect(shared.at, both, obeying, "alpha", (10, False), (10, False))
    await expect(shared.at, both, obeying, "beta", (5, False), (5, False))


@pytest.mark.item("control: scale a queue")
async def test_a_queue_is_scaled(shared, both, sender, scope, oban_version):
    arguments, obeying = scope
    refusal, obeying = refused_or(obeying, sender, arguments, oban_version)

    with refusal:
        await sender.scale("alpha", 7, **arguments)
    await expect(shared.at, both, obeying, "alpha", (7, False), (10, False))
    assert [await side.check("beta") for side in both] == [(5, False)] * 2


@pytest.mark.item("control: a paused queue that is scaled stays paused")
async def test_scaling_a_paused_queue_resumes_nothing(shared, both, sender):
    await sender.pause("alpha")
    await sender.scale("alpha", 3)
    await expect(shared.at, both, both, "alpha", (3, True), ())


@pytest.mark.item("control: scale and pause in one signal of Elixir's")
async def test_elixir_scales_and_pauses_by_one_signal(shared, both):
    ex, _py = both
    await ex.scale("alpha", 3, paused=True)
    await expect(shared.at, both, both, "alpha", (3, True), ())
    await ex.scale("alpha", 4, paused=False)
    await expect(shared.at, both, both, "alpha", (4, False), ())


@pytest.mark.item("control: start a queue")
async def test_a_queue_is_started(shared, both, sender, scope, oban_version):
    arguments, obeying = scope
    refusal, obeying = refused_or(obeying, sender, arguments, oban_version)

    with refusal:
        await sender.start("gamma", 4, **arguments)
    await expect(shared.at, both, obeying, "gamma", (4, False), ())


@pytest.mark.item("control: start a paused queue")
async def test_a_queue_is_started_paused(shared, both, sender):
    await sender.start("gamma", 4, paused=True)
    await expect(shared.at, both, both, "gamma", (4, True), ())


@pytest.mark.item("control: a start of a queue that runs changes nothing")
async def test_a_queue_that_runs_is_not_started_anew(shared, both, sender):
    await sender.start("alpha", 4, paused=True)
    await expect(shared.at, both, both, "alpha", (10, False), ())


@pytest.mark.item("control: stop a queue")
async def test_a_queue_is_stopped(shared, both, sender, scope):
    arguments, obeying = scope

    await sender.stop("alpha", **arguments)
    await expect(shared.at, both, obeying, "alpha", (), (10, False))
    assert [await side.check("beta") for side in both] == [(5, False)] * 2


@pytest.mark.item("control: a stopped queue is started again")
async def test_a_stopped_queue_is_started_again(shared, both, sender, other):
    await sender.stop("alpha")
    await expect(shared.at, both, both, "alpha", (), ())

    await other.start("alpha", 2)
    await expect(shared.at, both, both, "alpha", (2, False), ())


@pytest.mark.item("control: a refresh interval travels with start")
async def test_a_refresh_interval_is_taken_over(shared, both, sender):
    ex, py = both
    if sender is py:
        await py.start("gamma", 4, refresh_interval=7)
    else:
        await ex.start("gamma", 4, refresh_interval=7_000)
    await expect(shared.at, both, both, "gamma", (4, False), ())

    assert py.oban.check_queue("gamma").refresh_interval == 7
    assert await shared.ex.rpc('Oban.check_queue(queue: "gamma").refresh_interval') == 7_000
