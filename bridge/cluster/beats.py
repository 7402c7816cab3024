"""What the node that stages tells the others: that it does, and for how long they may count on it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, Final

#: The channel of these messages, which is Bridge's own: no node of Elixir's listens there.
CHANNEL: Final = "stager"

#: The longest promise that is believed, in seconds: one that is forged must not stop staging for long.
LONGEST: Final = 30.0

#: How many leaders are listened to, and how long their leases' names may be, so that junk can't fill the memory.
MOST: Final = 100
LONGEST_NAME: Final = 8_000

#: Seconds after which a node that hears nothing takes it that nobody stages: from when it began to hear, and from when
#: a leader said that it stops, which the next one has heard too.
PATIENCE: Final = 2.5
SUCCESSION: Final = 0.5


class Beats:
    """Keeps the promises of other nodes' stagers, and makes those of this one.

    A leader that dies keeps its lease until that runs out, and nobody else leads meanwhile. But its promises end
    within seconds, so that the others know that they have to help themselves.

    Args:
        lease: The lease of this node's instance.
        node: This node's name.
        interval: Seconds between rounds of a stager; where these are rare, longer promises are believed.
    """

    def __init__(self, lease: str, node: str, *, interval: float = 1.0) -> None:
        self._lease = lease
        self._node = node
        self._longest = max(LONGEST, interval * 3)
        self._promises: dict[str, float] = {}
        self._patient_until = 0.0
        self.expect()

    def message(self, within: float) -> str:
        """Return the text of a promise to be heard of again within so many seconds."""
        return json.dumps({"lease": self._lease, "node": self._node, "within": round(within, 3)})

    def hear(self, _channel: str, payload: Mapping[str, Any]) -> None:
        """Hear a promise."""
        lease, node, within = (payload.get(key) for key in ("lease", "node", "within"))
        own = (lease, node) == (self._lease, self._node)
        if isinstance(lease, str) and isinstance(within, int | float) and within > 0 and not own:
            self._keep(lease, min(within, self._longest))

    def promised(self, *, leads: bool) -> float:
        """Return for how many seconds another node has promised to stage; 0 where none has.

        Among the leaders of several instances, the one whose lease comes first by name stages for all: for a node that
        `leads`, only the promises of those before it count.
        """
        until = (at for lease, at in self._promises.items() if not leads or lease < self._lease)
        return max(max(until, default=0.0) - time.monotonic(), 0.0)

    def overdue(self) -> bool:
        """Tell whether a promise should have come by now, and has not."""
        return time.monotonic() > max(self._patient_until, *self._promises.values(), 0.0)

    def forget(self, lease: str) -> None:
        """Hear that a leader has stopped, so that its promises are void; wait for those of the next one."""
        self._promises.pop(lease, None)
        self.expect(SUCCESSION)

    def expect(self, patience: float = PATIENCE) -> None:
        """Wait so many seconds for a first promise, before it is overdue."""
        self._patient_until = time.monotonic() + patience

    def _keep(self, lease: str, within: float) -> None:
        now = time.monotonic()
        if lease not in self._promises:
            self._promises = {name: until for name, until in self._promises.items() if until > now}
            if len(lease) > LONGEST_NAME or len(self._promises) >= MOST:
                return
        self._promises[lease] = now + within
