"""Odd values and calls, drawn from a seed: the same seed makes the same storm."""

import enum
import math
import os
import random
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType

import msgspec

#: Text that breaks code which does not expect it. Some is refused everywhere, the rest must go through unharmed.
TEXTS = [
    *("", " ", "\t\n", "x", "a" * 127, "a" * 128, "ü" * 127, "日本語", "💥" * 127, "İıẞﬁΣς", "\u202eevil", "e\u0301"),
    *("\x00", "a\x00b", "\ud800", "x\udfff", "\x01\x7f\x80\x9f", "\ufffe\uffff", "\u2028", "\ufeffx"),
    *("'; drop table oban_jobs; --", '"', "\\", "\\u0000", "$1", "%s", "{}", "#{System.halt()}", "*", "any", "Z:"),
    *("nil", "true", "Elixir", "Elixir.", "Elixir.Kernel", ":erlang", "erlang", "Interop.Ok", "Elixir.Interop.Ok"),
    *(".", "..", "Interop.Ok.", "Interop..Ok", "interop.ok", "Oban", "Oban.Notifier", "badge_forge", "null", "[]"),
    *('{"queue":1}', "default", "H4sI"),
]


class Colour(enum.Enum):
    RED = "red"
    NONE = None


class Text(str):
    __slots__ = ()

    def __str__(self):
        return "other"


class Number(int):
    pass


class BrokenError(ValueError):
    """What a mapping of the caller's raises by itself; it may come through."""


class Broken(Mapping):
    """A mapping that breaks when it is looked into."""

    def __getitem__(self, key):
        raise BrokenError(key)

    def __iter__(self):
        return iter(["gone"])

    def __len__(self):
        return 1


class Silent:
    """Neither its text nor its repr can be had."""

    def __repr__(self):
        raise RuntimeError("no repr")


@dataclass
class Point:
    x: object = 1
    raw: bytes = b"\x00\xff"


class Shape(msgspec.Struct):
    sides: object = 3


def endless():
    loop = []
    loop.append(loop)
    return loop


def deep(depth, leaf=1):
    for level in range(depth):
        leaf = {"d": leaf} if level % 2 else [leaf]
    return leaf


NOW = datetime(2026, 1, 1, tzinfo=UTC)

#: Values that are themselves, however often they are drawn.
_SAME = [
    *(None, True, False, 0, 1, -1, 9, 10, 127, 2**31 - 1, 2**31, 2**63 - 1, 2**63, -(2**63), 10**1023, 10**1024),
    *(-(10**1023), 1 << 4000, Number(7), Text("text"), 0.0, -0.0, 0.1, 1.5, 1e22, 1e-7, 5e-324, -1e300),
    *(1.7976931348623157e308, math.nan, math.inf, -math.inf, 1j, b"", b"\xff\x00", bytearray(b"x"), ...),
    *map(Decimal, ("1.10", "1e400", "1e-400", "NaN", "sNaN", "-Infinity", "1" * 500 + ".5")),
    *(
        date(1, 1, 1),
        time(23, 59, 59),
        timedelta(days=-1),
        timedelta.max,
        uuid.UUID(int=0),
        NOW,
        NOW.replace(tzinfo=None),
    ),
    *(datetime.max.replace(tzinfo=zone) for zone in (None, UTC, timezone(timedelta(hours=-12)))),
    *(
        datetime.min.replace(tzinfo=UTC),
        Colour.RED,
        Colour.NONE,
        Colour,
        Point,
        Point(),
        Shape(),
        Silent(),
        print,
        Broken(),
    ),
    *({1, "a"}, range(3), memoryview(b"x"), MappingProxyType({"a": 1}), OrderedDict(z=1, a=2), endless(), deep(90)),
    *(deep(250), deep(600), {1: 2}, {None: 1, "None": 2}, {"": ""}, {"a": {"b": {}}}, {"\x00": 1}, {"\ud800": 1}),
    *({(1, 2): 3}, [[], {}, ()], list(range(2_000))),
]

#: Makers of values, some of JSON and some of nothing that JSON has.
SCALARS = [*(lambda value=value: value for value in _SAME), lambda: iter([1]), lambda: (number for number in [1])]


class Storm(random.Random):
    """Draws odd values. `INTEROP_SEED` repeats a run, whose seed a failure shows."""

    def __init__(self):
        seed = int(os.environ.get("INTEROP_SEED") or random.SystemRandom().randrange(10**9))
        print(f"INTEROP_SEED={seed}")
        super().__init__(seed)

    def text(self):
        """Any text."""
        if self.random() < 0.6:
            return self.choice(TEXTS)
        alphabet = self.choice(["ab_.", 'aé"\\ ', "a💥\u0301\x01", "ab\x00\ud800", "SELECT ' ; --"])
        return "".join(self.choices(alphabet, k=self.choice([1, 3, 9, 40, 130, 1_000])))

    def fine_text(self):
        """Text that every column and message holds."""
        while True:
            found = self.text()[:100]
            if found.strip() and "\x00" not in found and found.isprintable():
                return found

    def value(self, depth=3):
        """Anything."""
        if depth and self.random() < 0.35:
            if self.random() < 0.5:
                return [self.value(depth - 1) for _ in range(self.randrange(5))]
            return {self.text(): self.value(depth - 1) for _ in range(self.randrange(5))}
        return self.text() if self.random() < 0.3 else self.choice(SCALARS)()

    def json(self, depth=4):
        """What JSON, the table and a BEAM hold."""
        if depth and self.random() < 0.5:
            if self.random() < 0.5:
                return [self.json(depth - 1) for _ in range(self.randrange(6))]
            return {self.fine_text(): self.json(depth - 1) for _ in range(self.randrange(6))}
        wide = self.randrange(-(2 ** self.randrange(1, 3_300)), 2**64)
        return self.choice([None, True, self.fine_text(), self.random(), 1e308, -5e-324, wide, "\u2028\x7f", "💥" * 50])

    def name(self, *usual):
        """One of these, or now and then any text."""
        return self.choice(usual) if self.random() < 0.7 else self.text()

    def object(self):
        """An object of such JSON."""
        return {self.fine_text(): self.json() for _ in range(self.randrange(6))}

    def either(self, fine, odds=0.1):
        """What `fine()` draws, or now and then anything."""
        return self.value() if self.random() < odds else fine()

    def some(self, odds=0.1, /, **makers):
        """A few of these arguments, drawn by their makers; now and then anything stands in one's place."""
        return {name: self.either(make, odds) for name, make in makers.items() if self.random() < 0.4}
