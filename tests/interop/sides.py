"""Two sides of control, Elixir's and Python's, behind the same methods: a test names who sends and who obeys."""

import asyncio
import itertools
import json
from types import SimpleNamespace

from queues.rig import PATIENCE

from .conftest import ELIXIR, PYTHON

_fences = itertools.count(1)


class ElixirSide:
    """An instance of Oban on an Elixir node; `name` is the Elixir of its name."""

    language = "Elixir"

    def __init__(self, ex, node=ELIXIR, name="Oban"):
        self.ex, self.node, self.name = ex, node, name

    async def check(self, queue):
        """The limit and whether it is paused; None where the queue doesn't run."""
        seen = await self.ex.rpc(f"Interop.Control.check({self.name}, queue)", queue=queue)
        return None if seen is None else (seen["limit"], seen["paused"])

    async def shows(self, queue, *expected):
        """Wait until the queue has this limit and is paused or not; with nothing, until it is gone."""
        await self.ex.rpc(
            f"Interop.Control.await({self.name}, queue, expected)", queue=queue, expected=[*expected] or None
        )

    async def pause(self, queue, **scope):
        await self._tell("pause_queue", queue=queue, **scope)

    async def resume(self, queue, **scope):
        await self._tell("resume_queue", queue=queue, **scope)

    async def pause_all(self, **scope):
        await self._tell("pause_all_queues", **scope)

    async def resume_all(self, **scope):
        await self._tell("resume_all_queues", **scope)

    async def scale(self, queue, limit, **scope):
        await self._tell("scale_queue", queue=queue, limit=limit, **scope)

    async def start(self, queue, limit, **more):
        await self._tell("start_queue", queue=queue, limit=limit, **more)

    async def stop(self, queue, **scope):
        await self._tell("stop_queue", queue=queue, **scope)

    async def _tell(self, function, **options):
        said = await self.ex.rpc(
            f"Interop.Control.tell({self.name}, function, options)", function=function, options=options
        )
        assert str(said) == "ok"


class PythonSide:
    """An instance in this process."""

    language = "Python"

    def __init__(self, oban, node=PYTHON):
        self.oban, self.node = oban, node
        self.pause, self.resume, self.scale = oban.pause_queue, oban.resume_queue, oban.scale_queue
        self.pause_all, self.resume_all = oban.pause_all_queues, oban.resume_all_queues
        self.start, self.stop = oban.start_queue, oban.stop_queue

    async def check(self, queue):
        seen = self.oban.check_queue(queue)
        return None if seen is None else (seen.limit, seen.paused)

    async def shows(self, queue, *expected):
        async with asyncio.timeout(PATIENCE):
            while await self.check(queue) != (expected or None):  # noqa: ASYNC110 - a queue sets no Event
                await asyncio.sleep(0.001)


def can_name_nodes(sender, oban_version):
    """Whether a side can scale or start a queue on one node by name: Oban before 2.19 refuses its own option."""
    return sender.language == "Python" or oban_version >= (2, 19)


async def ended(py, number):
    """Wait for the end of a job on a Python node, and return the event."""
    return await py.ends.of(SimpleNamespace(id=number))


async def started(ex, number):
    """Wait until an Elixir node has begun a job."""
    async with asyncio.timeout(PATIENCE):
        while (await ex.event("started"))["id"] != number:
            pass


async def send_raw(place, channel, text):
    """Send a text as it stands, from a connection of nobody's."""
    await place.conn.execute("select pg_notify($1, $2)", f"{place.prefix}.oban_{channel}", text)


async def fence(place, *sides):
    """Return once these nodes have obeyed all that was sent before: messages keep their order.

    What stands for that is a queue that is started last.
    """
    queue = f"fence-{next(_fences)}"
    signal = {"action": "start", "ident": "any", "queue": queue, "limit": 1}
    await send_raw(place, "signal", json.dumps(signal))
    for side in sides:
        await side.shows(queue, 1, False)
