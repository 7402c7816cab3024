"""What is written, and what is refused, under each profile."""

import enum
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from bridge.codecs import etf
from bridge.codecs.etf import Atom, BitString, ImproperList, LocalTerm, PairMap, Pid, Struct
from bridge.codecs.etf.write import _KEYS
from bridge.codecs.etf.writers import PYTHON
from bridge.errors import EncodeError

pytestmark = pytest.mark.usefixtures("writer")


class Color(enum.Enum):
    RED = "red"


class Badge(msgspec.Struct):
    id: int
    photo: bytes = b"\xff"


@dataclass
class Card:
    badge: Badge
    when: date


def nested(levels: int, leaf: Any = 1, kind: type = list) -> Any:
    value = leaf
    for _ in range(levels):
        value = {"a": value} if kind is dict else kind([value])
    return value


def cycle() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("value", "back"),
    [
        ({"a": (1, (2,)), "b": b"\xff", "c": [True, None]}, {"a": [1, [2]], "b": b"\xff", "c": [True, None]}),
        ({1: 2, Color.RED: Color.RED}, {"1": 2, "red": "red"}),
        ({"nul": "\0"}, {"nul": "\0"}),
        (Atom("ok"), "ok"),
        ({Atom("a"): Atom("b")}, {"a": "b"}),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00Z"),
        (timedelta(hours=2), "PT2H"),
        (Decimal("1.10"), "1.10"),
        (uuid.UUID(int=0), "00000000-0000-0000-0000-000000000000"),
        (bytearray(b"\xfe"), b"\xfe"),
        (Card(Badge(1), date(2026, 1, 2)), {"badge": {"id": 1, "photo": b"\xff"}, "when": "2026-01-02"}),
        (PairMap(((1, 2), ("a", 3))), {"1": 2, "a": 3}),
    ],
)
def test_the_portable_profile_writes_json_values_and_binaries(value: Any, back: Any) -> None:
    assert etf.decode(etf.encode(value)) == back


@pytest.mark.parametrize(
    "value",
    [
        {"a": (1, [2, ()]), 1: 1.5, (1, Atom("a")): b"\xff", None: True},
        {"a": 1, b"\xff": 2, Atom("b"): 3},
        [datetime(2026, 1, 2, 3, 4, 5, 6, UTC), datetime(2026, 1, 2), date(2026, 1, 2), time(1, 2, 3)],  # noqa: DTZ001 - a naive one
        [Decimal("1.10"), Decimal("-0"), Decimal("1E+5"), Decimal("Infinity")],
        [frozenset({1, frozenset(), "a"}), range(5), range(5, 0, -2), range(0)],
        Struct("MyApp.Badge", {"id": 1, "card": Struct("MyApp.Card", {})}),
        ImproperList((1, [2]), (3,)),
        BitString(b"\xff\x80", 1),
    ],
)
def test_the_native_profile_keeps_each_type(value: Any) -> None:
    back = etf.decode(etf.encode(value, "native"))
    assert back == value
    assert type(back) is type(value)


def test_the_native_profile_takes_python_objects_as_the_portable_one_does() -> None:
    back = etf.decode(
        etf.encode([Card(Badge(1), date(2026, 1, 2)), Color.RED, uuid.UUID(int=0), timedelta(1)], "native")
    )
    assert back == [
        {"badge": {"id": 1, "photo": b"\xff"}, "when": date(2026, 1, 2)}, "red", str(uuid.UUID(int=0)), "P1D"
    ]  # fmt: skip


def test_a_moment_of_an_unnamed_zone_is_written_in_utc() -> None:
    moment = datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    back = etf.decode(etf.encode(moment, "native"))
    assert back == moment
    assert back.tzinfo is UTC


@pytest.mark.parametrize("profile", ["portable", "native"])
@pytest.mark.parametrize(
    ("value", "path", "expected"),
    [
        ([1, float("nan")], "value[1]", "a finite number"),
        ({"a": float("inf")}, "value.a", "a finite number"),
        (["\ud800"], "value[0]", "text without lone surrogates"),
        ({"\ud800": 1}, "value['\\ud800']", "text without lone surrogates"),
        ([object()], "value[0]", "a value of a JSON type"),
        ([datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1)))], "value[0]", "a "),
        ([time(1, tzinfo=UTC)], "value[0]", "a time of day without a zone"),
        (cycle(), "value[0][0][0][0][0][0][0]…[0][0][0][0][0][0][0][0]", "at most 256 levels"),
        (nested(257), "value[0][0][0][0][0][0][0]…[0][0][0][0][0][0][0][0]", "at most 256 levels"),
    ],
)
def test_what_no_term_can_hold_is_refused_with_its_path(value: Any, path: str, expected: str, profile: Any) -> None:
    with pytest.raises(EncodeError) as caught:
        etf.encode(value, profile)
    assert caught.value.field == path
    assert caught.value.expected.startswith(expected)
    assert caught.value.mend


@pytest.mark.parametrize("profile", ["portable", "native"])
def test_an_integer_that_some_release_cannot_read_is_refused(profile: Any) -> None:
    widest = 2**4_194_240 - 1
    assert etf.decode(etf.encode(-widest, profile)) == -widest
    with pytest.raises(EncodeError, match=r"value\[0\]: expected at most 4,194,240 bits"):
        etf.encode([widest + 1], profile)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({1}, "a list"),
        (Decimal("NaN"), "a finite number"),
        (Struct("A", {}), "data that any reader understands"),
        (Pid(b""), "data that any reader understands"),
        (BitString(b"\x80", 1), "data that any reader understands"),
        ({1.5: 2}, "a key that is text"),
        ({(1,): 2}, "a key that is text"),
    ],
)
def test_what_only_some_nodes_can_read_needs_the_native_profile(value: Any, expected: str) -> None:
    with pytest.raises(EncodeError, match=expected):
        etf.encode([value])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": 1, b"a": 2}, "each key once"),
        ({None: 1, Atom("nil"): 2}, "each key once"),
        ({("a",): 1, (b"a",): 2}, "each key once"),
        (PairMap((([1], 1), ([1], 2))), "each key once"),
        ({"a", b"a"}, "each key once"),
        (Atom("x" * 256), "an atom of at most 255 characters"),
        (Struct("A", {"x" * 256: 1}), "an atom of at most 255 characters"),
        (Struct("A", {1: 1}), "a value that an Elixir struct can hold"),  # type: ignore[dict-item]  # on purpose
        (Struct("A", {"__struct__": 1}), "a value that an Elixir struct can hold"),
        ([LocalTerm(b"y")], "a local term to stand alone"),
    ],
)
def test_terms_that_a_beam_would_refuse_are_not_written(value: Any, expected: str) -> None:
    with pytest.raises(EncodeError, match=expected):
        etf.encode(value, "native")


@pytest.mark.parametrize("profile", ["portable", "native"])
@pytest.mark.parametrize("kind", [list, dict, tuple])
@pytest.mark.parametrize("leaf", [1, date(2026, 1, 1)])
def test_nesting_is_written_and_read_to_the_same_depth(profile: Any, kind: type, leaf: Any) -> None:
    room = 255 if leaf != 1 and profile == "native" else 256  # a struct is a level of its own
    assert etf.decode(etf.encode(nested(room, leaf, kind), profile))
    with pytest.raises(EncodeError, match="256 levels"):
        etf.encode(nested(room + 1, leaf, kind), profile)


def test_an_object_used_over_and_over_is_refused_before_it_fills_the_memory() -> None:
    value: list[Any] = [1] * 10
    for _ in range(30):
        value = [value] * 10
    for profile in ("portable", "native"):
        with pytest.raises(EncodeError, match="at most 4,000,000 values"):
            etf.encode(value, profile)  # type: ignore[arg-type]  # one of the two


def test_an_unknown_profile_is_refused() -> None:
    with pytest.raises(EncodeError, match="profile: expected 'portable' or 'native'"):
        etf.encode(1, "both")  # type: ignore[arg-type]  # on purpose


def test_keys_are_not_kept_for_ever() -> None:
    write = PYTHON["portable"]
    for number in range(10_000):
        write({f"key {number}": number})
    assert etf.decode(write({"key 9999": 1, "x" * 1_000: 2})) == {"key 9999": 1, "x" * 1_000: 2}
    assert len(_KEYS) <= 4_096
    assert max(map(len, _KEYS)) <= 64


def test_a_wall_time_that_a_zone_skips_or_repeats_is_the_moment_that_python_means() -> None:
    for day, fold, wall in ((29, 0, (3, 30)), (25, 0, (2, 30)), (25, 1, (2, 30))):
        month = 3 if day == 29 else 10
        moment = datetime(2026, month, day, 2, 30, fold=fold, tzinfo=ZoneInfo("Europe/Berlin"))
        back = etf.decode(etf.encode(moment, "native"))
        assert back.astimezone(UTC) == moment.astimezone(UTC)
        assert (back.hour, back.minute) == wall


def test_the_ends_of_the_calendar_are_written_too() -> None:
    for zone in (None, UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")):
        for moment in (datetime.min.replace(tzinfo=zone), datetime.max.replace(tzinfo=zone)):
            back = etf.decode(etf.encode(moment, "native"))
            assert (back.replace(tzinfo=None), back.utcoffset()) == (moment.replace(tzinfo=None), moment.utcoffset())
