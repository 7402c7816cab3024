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
#: Characters of a node's name that are shown to people.
SHOWN: Final = 255

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
        self._nodes: dict[str, str] = {}
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
            self._keep(lease, min(within, self._longest), node)

    def promised(self, *, leads: bool) -> float:
        """Return for how many seconds another node has promised to stage; 0 where none has.

        Among the leaders of several instances, the one whose lease comes first by name stages for all: for a node that
        `leads`, only the promises of those before it count.
        """
        until = (at for lease, at in self._promises.items() if not leads or lease < self._lease)
        return max(max(until, default=0.0) - time.monotonic(), 0.0)

    def who_promised(self) -> str:
        """Return the node whose lease comes first by name, of those whose promises hold; empty where none does."""
        now = time.monotonic()
        leases = sorted(lease for lease, until in self._promises.items() if until > now)
        return self._nodes[leases[0]] if leases else ""

    def overdue(self) -> bool:
        """Tell whether a promise should have come by now, and has not."""
        return time.monotonic() > max(self._patient_until, *self._promises.values(), 0.0)

    def forget(self, lease: str) -> None:
        """Hear that a leader has stopped, so that its promises are void; wait for those of the next one."""
        self._promises.pop(lease, None)
        self._nodes.pop(lease, None)
        self.expect(SUCCESSION)

    def expect(self, patience: float = PATIENCE) -> None:
        """Wait so many seconds for a first promise, before it is overdue."""
        self._patient_until = time.monotonic() + patience

    def _keep(self, lease: str, within: float, node: Any) -> None:
        now = time.monotonic()
        if lease not in self._promises:
            self._promises = {name: until for name, until in self._promises.items() if until > now}
            self._nodes = {name: each for name, each in self._nodes.items() if name in self._promises}
            if len(lease) > LONGEST_NAME or len(self._promises) >= MOST:
                return
        self._promises[lease] = now + within
        self._nodes[lease] = _shown(node)


def _shown(node: Any) -> str:
    """Return a node's name as a log may show it: anybody may write to the channel."""
    known = isinstance(node, str) and node.isprintable() and 0 < len(node) <= SHOWN
    return node if known else "of another name"
