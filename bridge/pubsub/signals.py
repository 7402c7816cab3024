"""Control messages for queues and running jobs, as typed values.

An Elixir node trusts what it reads on the channel `signal`: an unknown key in `scale` or `start` crashes a
producer or restarts every queue, a limit that is text crashes at the next fetch (Oban 2.23). So a signal that
could do that can't be built.
"""

from __future__ import annotations

import logging
from dataclasses import MISSING, Field, dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

from bridge.errors import InvalidSignal
from bridge.pubsub.throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger("bridge.pubsub")

ANY: Final = "any"
"""The ident that means every node."""
ALL_QUEUES: Final = "*"
"""The queue that means every queue, for `Pause` and `Resume`."""
MAX_LIMIT: Final = 2**31 - 1
MAX_INTERVAL: Final = 86_400_000
"""A day in milliseconds."""
MAX_QUEUE: Final = 127
"""The longest name of a queue, in characters."""
IDENT: Final = ('"any" or an instance\'s ident such as "Oban.web-1"', "an Elixir node's notifier crashes on any other")
"""What the key `ident` must hold and why, for messages."""

refused: Final = Throttle()
"""Counts the signals that `parse` understood but could not accept."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Fetch no more jobs for `queue`, or for every queue where it is `"*"`; running jobs go on."""

    action: ClassVar[str] = "pause"
    queue: str

    def __post_init__(self) -> None:
        _check_queue(self.queue, star=True)


@dataclass(frozen=True, slots=True)
class Resume:
    """Fetch jobs again for `queue`, or for every queue where it is `"*"`."""

    action: ClassVar[str] = "resume"
    queue: str

    def __post_init__(self) -> None:
        _check_queue(self.queue, star=True)


@dataclass(frozen=True, slots=True)
class Scale:
    """Run at most `limit` jobs of `queue` at a time on each node; `paused` pauses or resumes it as well."""

    action: ClassVar[str] = "scale"
    queue: str
    limit: int
    paused: bool | None = None

    def __post_init__(self) -> None:
        _check_queue(self.queue)
        _check_integer("limit", self.limit, MAX_LIMIT)
        _check_paused(self.paused, None)


@dataclass(frozen=True, slots=True)
class Start:
    """Start `queue` with `limit` jobs at a time, paused or not; a node where it runs leaves it as it is.

    `dispatch_cooldown` and `refresh_interval` are milliseconds, as in Oban; a node that isn't told has its own.
    """

    action: ClassVar[str] = "start"
    queue: str
    limit: int
    paused: bool = False
    dispatch_cooldown: int | None = None
    refresh_interval: int | None = None

    def __post_init__(self) -> None:
        _check_queue(self.queue)
        _check_integer("limit", self.limit, MAX_LIMIT)
        _check_paused(self.paused)
        for field in ("dispatch_cooldown", "refresh_interval"):
            if getattr(self, field) is not None:
                _check_integer(field, getattr(self, field), MAX_INTERVAL)


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop `queue` once its running jobs have ended, or the grace period has."""

    action: ClassVar[str] = "stop"
    queue: str

    def __post_init__(self) -> None:
        _check_queue(self.queue)


@dataclass(frozen=True, slots=True)
class Pkill:
    """End the running job `job_id`, which has been cancelled; every node gets it, and the owner acts."""

    action: ClassVar[str] = "pkill"
    job_id: int

    def __post_init__(self) -> None:
        _check_integer("job_id", self.job_id, 2**63 - 1)


Signal: TypeAlias = Pause | Resume | Scale | Start | Stop | Pkill

_KINDS: Final[Mapping[Any, type[Signal]]] = {kind.action: kind for kind in (Pause, Resume, Scale, Start, Stop, Pkill)}


def ident(name: str, node: str) -> str:
    """Return the address of an instance on a node: `ident("Oban", "web-1")` is `"Oban.web-1"`.

    `name` is what Elixir's `inspect` shows for the instance's name (`Oban`, `MyApp.Oban2`, `{:oban, 3}`).
    """
    return f"{name}.{node}"


def in_scope(payload: Mapping[str, Any], own: str) -> bool:
    """Tell whether a message is for the instance whose ident is `own`.

    Without an `ident` it is for everybody, and so with `"any"`; otherwise both must be equal, to the byte
    (Oban 2.23: an instance's name doesn't matter for `"any"`).
    """
    return "ident" not in payload or payload["ident"] in (ANY, own)


def to_payload(signal: Signal, ident: str = ANY) -> dict[str, Any]:
    """Return the message for `signal`, addressed to `ident`; `Pkill` has no address, as in Oban.

    Raises:
        InvalidSignal: The ident is no text, or empty.
    """
    if not isinstance(ident, str) or not ident:
        raise InvalidSignal("ident", ident, *IDENT)
    given = {field.name: value for field in fields(signal) if (value := getattr(signal, field.name)) != field.default}
    address = {} if isinstance(signal, Pkill) else {"ident": ident}
    return {"action": signal.action, **address, **given}


def parse(payload: Mapping[str, Any]) -> Signal | None:
    """Return the signal that another node sent, or None where it is not for us. Never raises.

    Unknown actions are left alone, and so are unknown keys, among them Oban Pro's `global_limit` and
    `rate_limit`. A signal that lacks what it needs, or whose limit is text or less than 1, is ignored,
    counted in `refused.total` and logged at a bounded rate.
    """
    kind = _kind_of(payload)
    if kind is None:
        return None
    try:
        return _parse_scale(payload) if kind is Scale else _read(kind, payload)
    except InvalidSignal as error:
        if (held_back := refused.admit(kind.action)) is not None:
            logger.warning("ignored a %s signal: %s (%d more before)", kind.action, error, held_back)
        return None


def check(payload: Mapping[str, Any]) -> None:
    """Refuse a message for the channel `signal` that would harm an Elixir node.

    An action that Oban doesn't know passes, because Elixir nodes ignore it, but for an ident that is no text.

    Raises:
        InvalidSignal: A key that the action doesn't know, or a value that is null or of the wrong type.
    """
    if not isinstance(payload.get("ident", ANY), str):
        raise InvalidSignal("ident", payload["ident"], *IDENT)
    kind = _kind_of(payload)
    if kind is None:
        return
    _read(kind, payload)
    known = {"action", "ident", *(field.name for field in fields(kind))}
    for key, value in payload.items():
        if key not in known or value is None:
            keys = ", ".join(sorted(known))
            raise InvalidSignal(str(key), value, f"only {keys} in a {kind.action} signal", "leave this key out")


def _kind_of(payload: Mapping[str, Any]) -> type[Signal] | None:
    action = payload.get("action")
    return _KINDS.get(action) if isinstance(action, str) else None


def _parse_scale(payload: Mapping[str, Any]) -> Signal | None:
    # Pro scales `local_limit` or only its global limits; Elixir's `paused` alone acts like pause or resume.
    paused = payload.get("paused")
    limit = payload.get("limit", payload.get("local_limit"))
    if limit is not None:
        return Scale(payload.get("queue", ""), limit, paused)
    if paused is None:
        return None
    _check_paused(paused)
    return (Pause if paused else Resume)(payload.get("queue", ""))


def _read(kind: type[Signal], payload: Mapping[str, Any]) -> Signal:
    return kind(**{field.name: _value(field, payload.get(field.name)) for field in fields(kind)})


def _value(field: Field[Any], value: Any) -> Any:
    return field.default if value is None and field.default is not MISSING else value


def _check_queue(queue: object, *, star: bool = False) -> None:
    if not isinstance(queue, str) or not 1 <= len(queue) <= MAX_QUEUE or "\0" in queue:
        raise InvalidSignal("queue", queue, f"a queue's name, 1 to {MAX_QUEUE} characters of text")
    if queue == ALL_QUEUES and not star:
        raise InvalidSignal("queue", queue, "one queue's name", 'only pause and resume take "*"')


def _check_integer(field: str, value: object, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise InvalidSignal(field, value, f"an integer from 1 to {most}")


def _check_paused(paused: object, *also: None) -> None:
    if not isinstance(paused, bool) and paused not in also:
        raise InvalidSignal("paused", paused, "true or false")
