"""What the readers of a channel take for granted, so that no message breaks it.

An Elixir node doesn't doubt what it hears: an `ident` that is no text ends its notifier whatever the channel, and
a wrong key ends or misleads the process that listens there (Oban 2.23, Oban Met 1.3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn

from bridge.errors import InvalidPayload
from bridge.pubsub import channels, signals

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def check(channel: str, payload: Mapping[str, Any]) -> None:
    """Refuse a message that would harm an Elixir node.

    Args:
        channel: The short name. One that is neither Oban's nor Oban Met's may carry anything.
        payload: The message as its readers will have it, after it was encoded.

    Raises:
        InvalidSignal: A message on `"signal"` that `signals.check` refuses.
        InvalidPayload: A message on another channel.
    """
    if channel != channels.SIGNAL and not isinstance(payload.get("ident", ""), str):
        raise InvalidPayload("ident", payload["ident"], *signals.IDENT)
    if contract := _CONTRACTS.get(channel):
        contract(payload)


def _check_insert(payload: Mapping[str, Any]) -> None:
    queue = payload.get("queue")
    if not isinstance(queue, str) or not 1 <= len(queue) <= signals.MAX_QUEUE:
        raise InvalidPayload("queue", queue, f"a queue's name, 1 to {signals.MAX_QUEUE} characters of text")


def _check_leader(payload: Mapping[str, Any]) -> None:
    _check_keys(payload, channels.LEADER, "down")
    _check_text(payload, "down", "the instance's name as text")


def _check_sonar(payload: Mapping[str, Any]) -> None:
    # A `time` would take the place of the receiver's own clock, so that the node is never forgotten, or at once.
    _check_keys(payload, channels.SONAR, "node", "ping")
    _check_text(payload, "node", "the node's name as text")
    if payload.get("ping") is not True:
        raise InvalidPayload("ping", payload.get("ping"), "true")


def _check_keys(payload: Mapping[str, Any], channel: str, *known: str) -> None:
    for key in payload:
        if key not in known:
            keys = " and ".join(known)
            raise InvalidPayload(key, payload[key], f"only {keys} on the channel {channel}", "leave this key out")


def _check_text(payload: Mapping[str, Any], key: str, expected: str) -> None:
    if not isinstance(payload.get(key), str) or not payload[key]:
        raise InvalidPayload(key, payload.get(key), expected)


def _refuse(payload: Mapping[str, Any]) -> NoReturn:
    raise InvalidPayload(
        "channel",
        payload,
        "no message on gossip, metrics and cronitor",
        "Oban Met and Oban Web crash on wrong ones and Bridge doesn't publish them yet: use a channel of your own",
    )


_CONTRACTS: Final[Mapping[str, Callable[[Mapping[str, Any]], None]]] = {
    channels.SIGNAL: signals.check,
    channels.INSERT: _check_insert,
    channels.LEADER: _check_leader,
    channels.SONAR: _check_sonar,
    channels.GOSSIP: _refuse,
    channels.METRICS: _refuse,
    channels.CRONITOR: _refuse,
}
