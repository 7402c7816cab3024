"""Messages that nobody should send on Oban's channels, and valid ones that are for others."""

from __future__ import annotations

import base64
import gzip
import itertools
import json
from random import Random
from typing import Any, Final

from bridge.cluster import CHANNEL as STAGER
from bridge.pubsub.channels import CENSUS, CRONITOR, GOSSIP, INSERT, LEADER, METRICS, SIGNAL, SONAR, channel_name

from .workers import QUEUE

CHANNELS: Final = (INSERT, SIGNAL, LEADER, SONAR, CENSUS, STAGER, GOSSIP, METRICS, CRONITOR)

_MOST: Final = 7_999  # bytes that PostgreSQL takes

#: No object of JSON, or none that may be unpacked.
_TEXTS: Final = (
    "",
    " ",
    "\n",
    "x" * _MOST,
    "é" * (_MOST // 2),
    "\x1b[2J\r\n{}",
    "{",
    '{"queue": "work"',
    "{'queue': 'work'}",
    "null",
    "true",
    "5",
    "-1e400",
    '"text"',
    '["a", {"b": []}]',
    "[" * _MOST,
    '{"a":' * 1_500,
    '{"a":' * 1_300 + "1" + "}" * 1_300,
    '{"n": ' + "9" * 7_900 + "}",
    '{"queue": "\\ud800"}',
    '{"queue": NaN}',
    "{} {}",
    "\ufeff{}",
    "H4sI",
    "H4sI" + "A" * 400,
    "H4sI!!!!",
    "Z:",
    "Z:H4sI",
    "Z:" + "é" * 100,
    "Z:{}",
)

#: What a field may be that should be something else.
_VALUES: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1.5, 2**31, 2**63, 10**400, "", "\0", "x" * 5_000, "*", "any", "Oban.nowhere", [], [[]],
    {}, {"a": {"b": None}}, "'; drop table oban_jobs; --", "\ud83d\ude00", "2024-01-01", "__import__",
)  # fmt: skip

#: The fields that are read of a message on each channel.
_FIELDS: Final = {
    INSERT: ("queue", "ident"),
    SIGNAL: ("action", "queue", "limit", "paused", "job_id", "ident"),
    LEADER: ("down", "ident"),
    SONAR: ("node", "ping", "ident"),
    CENSUS: ("question", "answer", "queues", "ident"),
    STAGER: ("lease", "node"),
    GOSSIP: ("name", "node", "ident"),
    METRICS: ("node", "metrics", "ident"),
    CRONITOR: ("node", "crontab", "ident"),
}

#: Signals that would do much, were they for an instance that is here.
_ELSEWHERE: Final[tuple[dict[str, Any], ...]] = (
    {"action": "pause", "queue": "*"},
    {"action": "stop", "queue": QUEUE},
    {"action": "scale", "queue": QUEUE, "limit": 1},
    {"action": "start", "queue": "another", "limit": 5},
    {"action": "pkill", "job_id": 1},
)

#: Signals for everybody that say less than they must, or what can't be.
_WRONG: Final[tuple[dict[str, Any], ...]] = (
    {"action": "pause"},
    {"action": "pause", "queue": ["work"]},
    {"action": "scale", "queue": QUEUE, "limit": 0},
    {"action": "scale", "queue": QUEUE, "limit": "20"},
    {"action": "scale", "queue": "*", "limit": 20},
    {"action": "scale", "limit": {}},
    {"action": "start", "queue": QUEUE},
    {"action": "stop", "queue": "*"},
    {"action": "pkill", "job_id": "1"},
    {"action": "pkill", "job_id": 2**62},
    {"action": ["pause"], "queue": QUEUE},
    {"action": "explode", "queue": QUEUE},
)


def messages(random: Random) -> list[tuple[str, str]]:
    """Return full names of channels, with a text for each: every text on every channel, and wrong objects."""
    texts = [*_TEXTS, *_packed()]
    found = list(itertools.product(CHANNELS, texts))
    for channel, names in _FIELDS.items():
        found += ((channel, _written(_object(random, names))) for _ in range(60))
    for signal in _ELSEWHERE:
        found += ((SIGNAL, _written({**signal, "ident": f"Oban.{node}"})) for node in ("nowhere", "A", "a ", "b.a", ""))
        found.append((SIGNAL, _written({**signal, "ident": "Another.a"})))
    found += ((SIGNAL, _written(signal)) for signal in _WRONG)
    found += ((SONAR, _written({"node": f"{random.random()}", "ping": True})) for _ in range(50))
    found += ((INSERT, _written({"queue": queue})) for queue in (QUEUE, "nobody's", "probe_a") for _ in range(20))
    return [(channel_name("public", channel), text) for channel, text in found if len(text.encode()) <= _MOST]


def _packed() -> list[str]:
    """Return what is behind gzip and base64: whole, cut short, followed by something, and far too large."""
    whole = gzip.compress(b'{"queue": "work"}', mtime=0)
    bomb = gzip.compress(b'{"a": "' + b"x" * 4_000_000 + b'"}', mtime=0)
    deep = gzip.compress(b'{"a":' * 150_000 + b"1" + b"}" * 150_000, mtime=0)
    parts = (whole, whole[:-6], whole[:14], whole + b"more", whole + whole, bomb, deep, b"\x1f\x8b\x08junk")
    plain = [base64.b64encode(part).decode() for part in parts]
    assert max(map(len, plain)) < _MOST
    return [*plain, *(f"Z:{text}" for text in plain), plain[0][:-3], plain[0] + "="]


def _object(random: Random, names: tuple[str, ...]) -> dict[str, Any]:
    """Return an object with some of the fields, whose values are of any kind but for an action that is known."""
    found = {name: random.choice(_VALUES) for name in random.sample(names, random.randint(1, len(names)))}
    return found | {"ident": "Oban.nowhere"} if "action" in found else found


def _written(payload: dict[str, Any]) -> str:
    return json.dumps(payload)
