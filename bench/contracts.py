"""What a contract costs: decoding, checking and building ten fields, beside decoding them to a dict.

Run it with `python -m bench.contracts`. The rounds of both are interleaved, and the least and the median of them are
told, so that other work on the machine shows and doesn't mislead.
"""

from __future__ import annotations

import statistics
import sys
import time
import types
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from bridge.codecs import json
from bridge.contracts.runtime import Contract, OpenEnum, define
from bridge.contracts.runtime.check import compile_checks

ROUNDS, CALLS = 200, 500
TARGET = 3.0  # microseconds

_SCHEMA = r"""{"type":"object","required":["id","name","company","email","seat","copies","theme","at","key","labels"],
"properties":{
"id":{"type":"integer","minimum":1},
"name":{"type":"string","maxLength":80,"minLength":1},
"company":{"type":"string","maxLength":120},
"email":{"type":"string","maxLength":254,"minLength":3},
"seat":{"type":"string","maxLength":8,"minLength":1},
"copies":{"type":"integer","maximum":10,"minimum":1},
"theme":{"type":"string","enum":["light","dark"],"x-name":"Theme","x-module":"bench_contract"},
"at":{"type":"string","format":"date-time"},
"key":{"type":"string","format":"uuid"},
"labels":{"type":"array","maxItems":20,"items":{"type":"string"}}},
"x-name":"Badge","x-module":"bench_contract"}"""

BYTES = (
    b'{"id": 4711, "name": "Grace Hopper", "company": "United States Navy", "email": "grace@example.com", '
    b'"seat": "A-12", "copies": 2, "theme": "dark", "at": "2026-05-01T09:30:00.123456Z", '
    b'"key": "018f3a52-7c3e-7d8a-9b1e-2f6a5c4d3e2b", "labels": ["speaker", "vip", "dinner"]}'
)


class Theme(OpenEnum):
    """The colours of a badge."""

    LIGHT = "light"
    DARK = "dark"


class Badge(Contract[None], frozen=True, kw_only=True):
    """Ten fields."""

    id: int
    name: str
    company: str
    email: str
    seat: str
    copies: int
    theme: Theme
    at: datetime
    key: UUID
    labels: list[str]


def main() -> int:
    """Print the figures; 1 where a check costs more than the target."""
    _install()
    plain = msgspec.json.decode
    value = plain(BYTES)
    check = compile_checks(Badge.__contract__.schema, mode="read")
    object_ = Badge.cast(value)
    ways: dict[str, Callable[[], Any]] = {
        "msgspec.json.decode": lambda: plain(BYTES),
        "cast, from bytes": lambda: Badge.cast(BYTES),
        "cast, of a dict": lambda: Badge.cast(value),
        "the collecting checker alone": lambda: check(value),
        "dump, checked": object_.dump,
        "json.decode of the codec": lambda: json.decode(BYTES),
    }
    found = _measure(ways)
    base = found["msgspec.json.decode"]
    for name, times in found.items():
        print(f"{name:30} least {min(times):7.3f} µs   median {statistics.median(times):7.3f} µs")
    cast = found["cast, from bytes"]
    over = min(cast) - min(base), statistics.median(cast) - statistics.median(base)
    print(f"over msgspec.json.decode: least {over[0]:.3f} µs, median {over[1]:.3f} µs (target: at most {TARGET} µs)")
    return int(over[0] > TARGET)


def _measure(ways: dict[str, Callable[[], Any]]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, call in ways.items():
            begun = time.perf_counter_ns()
            for _ in range(CALLS):
                call()
            found[name].append((time.perf_counter_ns() - begun) / CALLS / 1_000)
    return found


def _install() -> None:
    # A script is `__main__`, and the classes of a contract are found in the module of its name.
    module = sys.modules["bench_contract"] = types.ModuleType("bench_contract")
    for cls in (Theme, Badge):
        cls.__module__ = "bench_contract"
        setattr(module, cls.__name__, cls)
    define(Badge, worker="Bench.Badge", serves="python", schema=_SCHEMA)


if __name__ == "__main__":
    sys.exit(main())
