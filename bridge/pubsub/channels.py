"""The names of PostgreSQL's notification channels, and whether they can work."""

from __future__ import annotations

from typing import Final

from bridge.errors import InvalidPayload

INSERT: Final = "insert"
"""Jobs became available: `{"queue": "default"}`."""
SIGNAL: Final = "signal"
"""Control messages for queues and running jobs, see `bridge.pubsub.signals`."""
LEADER: Final = "leader"
"""A leader gave up: `{"down": "Oban"}`."""
SONAR: Final = "sonar"
"""Nodes that tell each other that they are there: `{"node": "web-1", "ping": true}`."""
CENSUS: Final = "census"
"""Bridge's own: somebody asks how the queues of Python nodes stand, and they answer, see `bridge.queues.census`."""
GOSSIP: Final = "gossip"
"""Oban Met's: queues and their running jobs."""
METRICS: Final = "metrics"
"""Oban Met's: counts and durations."""
CRONITOR: Final = "cronitor"
"""Oban Met's: the crontab."""

MAX_BYTES: Final = 63
"""The longest name of a channel. Beyond it `LISTEN` cuts the name without a word, and `pg_notify` fails."""


def channel_name(prefix: str, name: str) -> str:
    """Return the channel that Oban uses for `name` in the schema `prefix`: `public.oban_insert`.

    The prefix stands there literally, whatever characters it has, so the channel must be quoted in SQL
    (Oban 2.23: `Oban.Notifiers.Postgres`).
    """
    return f"{prefix}.oban_{name}"


def fits(channel: str) -> bool:
    """Tell whether PostgreSQL can carry messages on `channel`.

    Where it can't, as with a prefix of more than 51 bytes on `signal`, a node has to poll.
    """
    try:
        encoded = channel.encode()
    except UnicodeEncodeError:
        return False
    return 0 < len(encoded) <= MAX_BYTES and b"\0" not in encoded


def require(prefix: str, name: str) -> str:
    """Return the channel for `name`.

    Raises:
        InvalidPayload: PostgreSQL can't carry messages on it.
    """
    channel = channel_name(prefix, name)
    if not name or not fits(channel):
        raise InvalidPayload(
            "channel",
            channel,
            f"a name of at most {MAX_BYTES} bytes of UTF-8 without NUL",
            "shorten the name or the prefix, or let the node poll",
        )
    return channel
