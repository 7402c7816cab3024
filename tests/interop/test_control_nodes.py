"""Two Elixir nodes and two Python nodes: a signal for one leaves the three others alone. Also by the command line."""

import asyncio
import sys
from contextlib import asynccontextmanager

import pytest
from cli.rig import Commands, clean_environment
from queues.rig import PATIENCE

from bridge.pubsub import channels
from bridge.queues.census import Census

from .sides import ElixirSide, PythonSide, fence

QUEUES = {"alpha": 10, "beta": 5}


class ServedSide:
    """A node that `bridge start` runs, whose queues are known by the census; its queue beta must never stop."""

    def __init__(self, notifier, node):
        self.node, self._beta = node, ()
        self._census = Census(notifier)
        notifier.listen(channels.CENSUS, self._census.hear)

    async def check(self, queue):
        # A node answers for all of its queues at once, so that the answer for beta is the whole one.
        states = [state for state in await self._census.ask(self._beta, PATIENCE) if state.node == self.node]
        found = [state for state in states if state.queue == queue and not state.stopping]
        return (found[0].limit, found[0].paused) if found else None

    async def shows(self, queue, *expected):
        async with asyncio.timeout(PATIENCE):
            while await self.check(queue) != (expected or None):
                pass

    async def meet(self):
        """Wait until it answers."""
        async with asyncio.timeout(3 * PATIENCE):
            while not self._beta:
                states = await self._census.ask((), 0.1)
                self._beta = [state.uuid for state in states if (state.node, state.queue) == (self.node, "beta")]


@asynccontextmanager
async def served(place, notifier, node, folder):
    """A Python node as a process of its own."""
    queues = ",".join(f"{name}:{limit}" for name, limit in QUEUES.items())
    settings = {"DATABASE_URL": place.dsn, "BRIDGE_PREFIX": place.prefix, "BRIDGE_NODE": node, "BRIDGE_QUEUES": queues}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", "start"), env=clean_environment(**settings), cwd=folder
    )
    try:
        side = ServedSide(notifier, node)
        await side.meet()
        yield side
    finally:
        process.terminate()
        assert await process.wait() == 0


@pytest.mark.item("control: a signal for one of four nodes")
async def test_a_signal_for_one_of_four_nodes_leaves_three_alone(place, elixir, python, tmp_path, oban_version):
    one, two = await asyncio.gather(elixir(node="ex@host-1", queues=QUEUES), elixir(node="ex@host-2", queues=QUEUES))
    py = await python(node="py@host-3", queues=QUEUES)
    ex, other_ex = ElixirSide(one, "ex@host-1"), ElixirSide(two, "ex@host-2")
    here = PythonSide(py.oban, "py@host-3")
    async with served(place, py.oban.notifier, "py@host-4", tmp_path) as there:
        nodes = [ex, other_ex, here, there]
        for sender in (ex, here):
            # Oban before 2.19 can't say which node scales or starts a queue, and 2.19's nodes don't obey its start.
            scaler = sender if oban_version >= (2, 20) else here
            for target in nodes:
                await steer(place, sender, scaler, target, nodes)


async def steer(place, sender, scaler, target, nodes):
    """Do everything to one node, and look at all after each message."""
    node = target.node
    await sender.pause("alpha", node=node)
    await look(place, "alpha", target, (10, True), nodes, (10, False))
    await scaler.scale("alpha", 3, node=node)
    await look(place, "alpha", target, (3, True), nodes, (10, False))
    await sender.resume_all(node=node)
    await look(place, "alpha", target, (3, False), nodes, (10, False))
    await sender.stop("alpha", node=node)
    await look(place, "alpha", target, (), nodes, (10, False))
    await scaler.start("alpha", 10, node=node)
    await look(place, "alpha", target, (10, False), nodes, (10, False))
    await scaler.start("gamma", 4, node=node)
    await look(place, "gamma", target, (4, False), nodes, ())
    await sender.stop("gamma", node=node)
    await look(place, "gamma", target, (), nodes, ())


async def look(place, queue, target, told, nodes, untold):
    await target.shows(queue, *told)
    await fence(place, *nodes)
    for side in nodes:
        expected = told if side is target else untold
        assert await side.check(queue) == (expected or None), side.node


@pytest.mark.item("control: from the command line")
async def test_the_command_line_steers_both_languages(place, elixir, python, tmp_path):
    ex = ElixirSide(await elixir(queues=QUEUES, options="name: MyApp.Oban2"), name="MyApp.Oban2")
    here = PythonSide((await python(queues=QUEUES)).oban)
    bridge = Commands(place.dsn, tmp_path)

    async def tell(*arguments):
        result = await bridge.run("queues", *arguments, "--prefix", place.prefix)
        assert result.exit_code == 0, result.output

    await tell("pause", "alpha")
    for side in (ex, here):
        await side.shows("alpha", 10, True)
    await tell("resume", "--all")
    for side in (ex, here):
        await side.shows("alpha", 10, False)

    await tell("pause", "--all", "--node", ex.node, "--instance", "MyApp.Oban2")
    await look(place, "beta", ex, (5, True), [ex, here], (5, False))
    await tell("scale", "alpha", "2")
    await ex.shows("alpha", 2, True)
    await here.shows("alpha", 2, False)
    await tell("start", "gamma", "--limit", "4")
    await tell("stop", "beta")
    for side in (ex, here):
        await side.shows("gamma", 4, False)
        await side.shows("beta")
