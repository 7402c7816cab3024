"""Every event that comes, in its order, and workers to cause them."""

import asyncio
from contextlib import contextmanager

from bridge import telemetry
from bridge.telemetry import Instance
from tests.queues.rig import PATIENCE, Events, make_worker

__all__ = ["SHOP", "everything", "make_worker", "names"]

#: The instance that the fixture `shop` starts.
SHOP = Instance("Shop", "public", "web.1")


class Heard(Events):
    """All events; `named` picks those of a name."""

    def named(self, name):
        return [event for found, event in self if found == name]

    async def until(self, name, count=1, *, where=lambda _event: True):
        """Wait until so many events of a name have come, and return the last of them."""

        def there():
            found = [event for event in self.named(name) if where(event)]
            return found if len(found) >= count else None

        async with asyncio.timeout(PATIENCE), self._grown:
            await self._grown.wait_for(there)
        return there()[count - 1]


@contextmanager
def everything(*patterns):
    """Hear all events, or those of some patterns."""
    found = Heard()
    telemetry.attach(f"test-{id(found)}", patterns or "oban.*", found)
    try:
        yield found
    finally:
        telemetry.detach(f"test-{id(found)}")


def names(heard, *, without=()):
    """The names that were heard, each as often as it was."""
    return [name for name, _ in heard if not name.startswith(tuple(without))]
