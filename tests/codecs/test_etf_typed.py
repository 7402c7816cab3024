"""Terms as typed objects."""

import enum
import time as time_module
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, TypedDict
from uuid import UUID

import msgspec
import pytest

from bridge.codecs import etf
from bridge.codecs.etf import Atom, BitString, ImproperList, PairMap, Pid, Struct
from bridge.errors import DecodeError


class State(enum.Enum):
    READY = "ready"


class Level(enum.IntEnum):
    HIGH = 3


class BadgeFile(msgspec.Struct, rename="camel"):
    badge_id: int
    data: bytes
    name: str = ""
    tags: list[str] = []
    when: datetime | None = None
    price: Decimal | None = None
    state: State = State.READY


@dataclass
class Card:
    files: dict[str, bytes]
    owner: "BadgeFile | None" = None


class Row(TypedDict):
    raw: bytes


class Point(NamedTuple):
    x: int
    raw: bytes


class Cat(msgspec.Struct, tag=True):
    raw: bytes


class Dog(msgspec.Struct, tag=True):
    raw: str


class Pair(msgspec.Struct, array_like=True, tag=True):
    left: bytes
    right: str


class Tree(msgspec.Struct):
    raw: bytes
    children: list["Tree"] = []


MOMENT = datetime(2026, 1, 2, tzinfo=UTC)
CALENDAR = Atom("Elixir.Calendar.ISO")
PRECISE = Struct("Time", {"calendar": CALENDAR, "hour": 1, "minute": 2, "second": 3, "microsecond": (0, 3)})


@pytest.mark.parametrize(
    ("value", "annotation", "typed"),
    [
        ({"badgeId": 7, "data": "text"}, BadgeFile, BadgeFile(7, b"text")),
        ({"badgeId": 7, "data": b"\xff", "unknown": 1}, BadgeFile, BadgeFile(7, b"\xff")),
        ({Atom("badgeId"): 7, Atom("data"): "a", Atom("state"): Atom("ready")}, BadgeFile, BadgeFile(7, b"a")),
        (Struct("B", {"badgeId": 7, "data": "", "tags": [Atom("b")]}), BadgeFile, BadgeFile(7, b"", tags=["b"])),
        ({"badgeId": 7, "data": "", "when": "2026-01-02T00:00:00Z"}, BadgeFile, BadgeFile(7, b"", when=MOMENT)),
        ({"badgeId": 7, "data": "", "when": MOMENT}, BadgeFile, BadgeFile(7, b"", when=MOMENT)),
        ({"badgeId": 7, "data": "", "price": Decimal("1.10")}, BadgeFile, BadgeFile(7, b"", price=Decimal("1.10"))),
        ({"badgeId": 7, "data": "", "price": "1.10"}, BadgeFile, BadgeFile(7, b"", price=Decimal("1.10"))),
        ({"files": {"a": "text", "b": b"\xff"}}, Card, Card({"a": b"text", "b": b"\xff"})),
        ({"files": {}, "owner": {"badgeId": 1, "data": "x"}}, Card, Card({}, BadgeFile(1, b"x"))),
        ({"raw": "x"}, Row, {"raw": b"x"}),
        ((1, "x"), Point, Point(1, b"x")),
        ({"type": "Dog", "raw": "x"}, Cat | Dog, Dog("x")),
        ({Atom("type"): Atom("Cat"), Atom("raw"): "x"}, Cat | Dog, Cat(b"x")),
        ({"raw": "x", "children": [{"raw": "y"}]}, Tree, Tree(b"x", [Tree(b"y")])),
        (["a", b"\xff"], list[bytes], [b"a", b"\xff"]),
        (("a", 1), tuple[bytes, int], (b"a", 1)),
        (["a"], tuple[bytes, ...], (b"a",)),
        (frozenset({"a"}), set[bytes], {b"a"}),
        ({"k": "v"}, dict[bytes, str], {b"k": "v"}),
        ({1: "v"}, dict[int, bytes], {1: b"v"}),
        ("a", bytes | None, b"a"),
        (("Pair", "x", "y"), Pair, Pair(b"x", "y")),
        ("a", Annotated[bytes, msgspec.Meta(max_length=3)], b"a"),
        ("a", Annotated[bytes, msgspec.Meta(max_length=3)] | int, b"a"),
        (Atom("ok"), Literal["ok", "error"], "ok"),
        (Atom("ok"), str, "ok"),
        (Atom("ok"), Atom, Atom("ok")),
        (Atom("ok"), Atom | None, Atom("ok")),
        ({Atom("a"): [Atom("b")]}, dict[str, Any], {"a": [Atom("b")]}),
        ("12345678-1234-5678-1234-567812345678", UUID, UUID("12345678-1234-5678-1234-567812345678")),
        (date(2026, 1, 2), date, date(2026, 1, 2)),
        (PRECISE, time, time(1, 2, 3)),
        (Pid(b"Xw\x00" + bytes(12)), Pid, Pid(b"Xw\x00" + bytes(12))),
        ([1, [2]], list[Any], [1, [2]]),
        (PairMap(((1, "a"), (2.5, "b"))), dict[float, bytes], {1.0: b"a", 2.5: b"b"}),
        ((Atom("ok"), "x"), Any, (Atom("ok"), "x")),
        (Struct("B", {"a": Atom("b")}), Struct, Struct("B", {"a": Atom("b")})),
        ([Struct("B", {})], list[Struct | None], [Struct("B", {})]),
        (BitString(b"\xa0", 3), BitString, BitString(b"\xa0", 3)),
        (ImproperList((1, "a"), b"\xff"), ImproperList | None, ImproperList((1, "a"), b"\xff")),
        (10**999, Decimal, Decimal(10**999)),
        ({"n": 7}, dict[str, Decimal | None], {"n": Decimal(7)}),
    ],
)  # fmt: skip
def test_a_term_becomes_what_was_asked_for(value: Any, annotation: Any, typed: Any) -> None:
    decoded = etf.decode(etf.encode(value, "native"), type=annotation)
    assert decoded == typed
    assert type(decoded) is type(typed)


@pytest.mark.parametrize(
    ("value", "annotation", "reason"),
    [
        ({"badgeId": "7", "data": ""}, BadgeFile, r"Expected `int`, got `str` - at `\$\.badgeId`"),
        ({"badgeId": 7.0, "data": ""}, BadgeFile, r"Expected `int`, got `float`"),
        ({"badgeId": True, "data": ""}, BadgeFile, r"Expected `int`, got `bool`"),
        ({"badgeId": 7}, BadgeFile, "missing required field `data`"),
        ({"badgeId": 7, "data": "", "state": Atom("lost")}, BadgeFile, "Invalid enum value 'lost'"),
        (b"\xff", str, "Expected `str`, got `bytes`"),
        ("1", int, "Expected `int`, got `str`"),
        ([1, "a"], list[int], r"at `\$\[1\]`"),
        ((1, 2, 3), tuple[int, int], "Expected `array` of length 2, got 3"),
        (PairMap((([1], 2),)), dict[str, int], "unhashable"),
        ([[1]], set, "unhashable"),
        (Pid(b"Xw\x00" + bytes(12)), int, "Expected `int`, got `Pid`"),
        (None, BadgeFile, "Expected `object`, got `null`"),
        ({"name": "B", "fields": {}}, Struct, "Expected `Struct`, got `dict`"),
        ([None, {"name": "B", "fields": {}}], list[Struct | None], "Expected .*Struct.*, got `dict`"),
        (1 << 20_000, Literal[1, 2], "the term is not what was expected"),
        (1 << 20_000, Level, "the term is not what was expected"),
        ([1 << 20_000], list[float], "Number out of range"),
    ],
    ids=lambda value: f"{value!r:.40}" if not isinstance(value, (int, list)) else type(value).__name__,
)
def test_anything_else_is_a_decode_error_with_the_path(value: Any, annotation: Any, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        etf.decode(etf.encode(value, "native"), type=annotation)


@pytest.mark.parametrize("annotation", [Decimal, Decimal | None, Decimal | float, list[Decimal], dict[str, Decimal]])
def test_an_integer_that_takes_seconds_to_become_a_decimal_is_refused_at_once(annotation: Any) -> None:
    wide: Any = 1 << 4_000_000
    value = {list[Decimal]: [wide], dict[str, Decimal]: {"a": wide}}.get(annotation, wide)
    began = time_module.process_time()
    with pytest.raises(DecodeError, match=r"at most 3,322 bits, not 4,000,001"):
        etf.decode(etf.encode(value, "native"), type=annotation)
    assert time_module.process_time() - began < 1


def test_an_annotation_that_msgspec_does_not_know_is_the_callers_mistake() -> None:
    with pytest.raises(TypeError):
        etf.decode(etf.encode("a"), type=bytes | str)
