"""What a node knows of its way to the other nodes."""

from __future__ import annotations

from enum import StrEnum


class Link(StrEnum):
    """Whether there is a connection to listen on."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"


class Status(StrEnum):
    """Whom a node hears (Oban 2.23: `Oban.Sonar`).

    Attributes:
        UNKNOWN: It has not found out yet, or doesn't listen.
        ISOLATED: Not even its own messages come back: there is no connection, or a pooler that keeps none for it.
        SOLITARY: It hears itself alone.
        CLUSTERED: It hears other nodes too.
    """

    UNKNOWN = "unknown"
    ISOLATED = "isolated"
    SOLITARY = "solitary"
    CLUSTERED = "clustered"
