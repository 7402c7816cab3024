"""What a notifier has seen since it was made."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """Plain numbers, for status pages and tests.

    Attributes:
        received: Notifications that came in, of whatever kind.
        junk: Those that held no JSON object in any form that Oban writes.
        ignored: Those addressed to another instance or node.
        failed: Callbacks that raised.
        dropped: Messages that were not delivered because their callback was too far behind.
        reconnects: Connections after the first.
    """

    received: int = 0
    junk: int = 0
    ignored: int = 0
    failed: int = 0
    dropped: int = 0
    reconnects: int = 0
