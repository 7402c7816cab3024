"""Whether an Elixir node took harm: what it had, what calls legitimately changed, and what it has."""

import asyncio
from collections import Counter

from .conftest import ELIXIR

#: The address of the node's instance.
IDENT = f"Oban.{ELIXIR}"


class Watch:
    """An Elixir node under observation.

    Attributes:
        queues: What its queues should be: limit and whether it is paused, by name.
    """

    def __init__(self, ex, seen):
        self._ex = ex
        self._seen = seen
        self.queues = {name: (queue["limit"], queue["paused"]) for name, queue in seen["queues"].items()}
        self._pids = {name: queue["pids"] for name, queue in seen["queues"].items()}

    @classmethod
    async def begin(cls, ex):
        """Take down what there is now."""
        await ex.rpc("Interop.Watch.start()")
        return cls(ex, await ex.rpc("Interop.Watch.look()"))

    async def obey(self, signal):
        """Change what should be, as Oban does on a signal for this node; wait where the node needs a moment."""
        if signal.get("ident", "any") not in ("any", IDENT):
            return
        queue, action = signal.get("queue"), signal.get("action")
        known = isinstance(queue, str) and queue in self.queues
        match action:
            case "pause" | "resume":
                for name in self.queues if queue == "*" else [queue] if known else []:
                    self.queues[name] = (self.queues[name][0], action == "pause")
            case "scale" if known:
                self.queues[queue] = (signal["limit"], signal.get("paused", self.queues[queue][1]))
            case "start" if isinstance(queue, str) and not known:
                self.queues[queue] = (signal["limit"], signal.get("paused", False))
                self._pids[queue] = await self._until(queue, runs=True)
            case "stop" if known:
                del self.queues[queue]
                await self._until(queue, runs=False)

    async def settle(self, patience=15):
        """Wait until the queues are what they should be; whether they are, `damages` tells."""
        deadline = asyncio.get_running_loop().time() + patience
        while asyncio.get_running_loop().time() < deadline:
            look = await self._ex.rpc("Interop.Watch.look()")
            if {name: (queue["limit"], queue["paused"]) for name, queue in look["queues"].items()} == self.queues:
                return
            await asyncio.sleep(0.02)

    async def damages(self):
        """What the node lost, each in a line; the log's warnings are none."""
        now = await self._ex.rpc("Interop.Watch.look()")
        found = [f"the process was {self._seen['os']} and is {now['os']}"] if now["os"] != self._seen["os"] else []
        lasting = self._seen["lasting"]
        found += [f"{role} was {pid} and is {now['lasting'].get(role)}" for role, pid in lasting.items()
                  if now["lasting"].get(role) != pid]  # fmt: skip
        for name, state in self.queues.items():
            queue = now["queues"].get(name)
            if queue is None:
                found.append(f"the queue {name!r} is gone")
            elif (queue["limit"], queue["paused"]) != state:
                found.append(f"the queue {name!r} should be {state} and is {queue['limit'], queue['paused']}")
            elif queue["pids"] != self._pids[name]:
                found.append(f"the queue {name!r} was started anew")
        found += [f"nobody asked for the queue {name!r}" for name in now["queues"].keys() - self.queues.keys()]
        return found + [text for level, text in now["reports"] if level != "warning"]

    async def warnings(self):
        """The log's warnings, without what differs from one to the next, and how often each came."""
        look = await self._ex.rpc("Interop.Watch.look()")
        return Counter(text[:160] for level, text in look["reports"] if level == "warning")

    async def _until(self, queue, *, runs):
        """Wait until a queue runs or is gone; return its processes."""
        deadline = asyncio.get_running_loop().time() + 20
        while asyncio.get_running_loop().time() < deadline:
            found = await self._ex.rpc("Interop.Watch.queue(queue)", queue=queue)
            if not runs and found is None:
                return None
            if runs and found is not None and _stands(found):
                return found["pids"]
            await asyncio.sleep(0.002)
        raise AssertionError(f"the queue {queue!r} should {'run' if runs else 'be gone'}: {await self.damages()}")


def _stands(queue):
    """Whether all processes of a queue are there: they begin one after the other."""
    _producer, siblings = queue["pids"] or ("", "nil")
    return "nil" not in siblings
