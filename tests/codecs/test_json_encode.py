"""What becomes of Python values in `args` and `meta`."""

import dataclasses
import enum
import sys
import uuid
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from time import process_time
from types import MappingProxyType
from typing import Any, NamedTuple, TypedDict
from zoneinfo import ZoneInfo

import codec_terms as terms
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.codecs import json, plain
from bridge.codecs.etf import Atom, ImproperList, Pid, Struct
from bridge.errors import EncodeError


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Mode(enum.StrEnum):
    FAST = "fast"


class OldMode(str, enum.Enum):  # noqa: UP042 - the form from before StrEnum
    FAST = "fast"


class Badge(msgspec.Struct):
    id: int
    name: str = "Ada"
    photo: bytes | None = None
    note: str | msgspec.UnsetType = msgspec.UNSET


class Renamed(msgspec.Struct, rename="camel", tag="renamed", tag_field="kind"):
    badge_id: int


class Sparse(msgspec.Struct, omit_defaults=True):
    id: int
    tags: list[str] = msgspec.field(default_factory=list)
    level: int = 1


class Pair(msgspec.Struct, array_like=True):
    left: int
    right: Any


@dataclasses.dataclass
class Card:
    owner: Badge | int
    seals: list[bytes]
    anything: Any = None


class Args(TypedDict):
    id: int


class Point(NamedTuple):
    x: int
    y: int


class Text(str):
    def __str__(self) -> str:
        return "not this"


class Number(int):
    pass


UUID = uuid.UUID("12345678-1234-5678-1234-567812345678")
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({}, "{}"),
        ({"a": [1, -2.5, None, True, "é✓😀"]}, '{"a":[1,-2.5,null,true,"é✓😀"]}'),
        ({"a": (1, (2,))}, '{"a":[1,[2]]}'),
        ({"a": Point(1, 2)}, '{"a":[1,2]}'),
        (Args(id=1), '{"id":1}'),
        (OrderedDict(b=1, a=2), '{"b":1,"a":2}'),
        (MappingProxyType({"a": MappingProxyType({})}), '{"a":{}}'),
        ({1: 2, "a": 3, Color.RED: 5, Level.HIGH: 6, Mode.FAST: 7}, '{"1":2,"a":3,"red":5,"3":6,"fast":7}'),
        ({UUID: 1}, '{"12345678-1234-5678-1234-567812345678":1}'),
        ({"a": [Color.RED, Level.HIGH, Mode.FAST, OldMode.FAST]}, '{"a":["red",3,"fast","fast"]}'),
        ({"a": [Text("text"), Number(7), Atom("ok")]}, '{"a":["text",7,"ok"]}'),
        ({"a": UUID}, '{"a":"12345678-1234-5678-1234-567812345678"}'),
        ({"a": [Decimal("1.10"), Decimal("1E+2"), Decimal("-0")]}, '{"a":["1.10","1E+2","-0"]}'),
        ({"a": datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)}, '{"a":"2026-01-02T03:04:05.678901Z"}'),
        ({"a": datetime(2026, 7, 1, 12, tzinfo=BERLIN)}, '{"a":"2026-07-01T10:00:00Z"}'),
        ({"a": datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=-5)))}, '{"a":"2026-01-02T05:00:00Z"}'),
        ({"a": datetime(2026, 1, 2, 3, 4, 5)}, '{"a":"2026-01-02T03:04:05"}'),  # noqa: DTZ001 - a naive one
        ({"a": [date(2026, 1, 2), time(3, 4, 5)]}, '{"a":["2026-01-02","03:04:05"]}'),
        ({"a": time(3, 4, 5, 1)}, '{"a":"03:04:05.000001"}'),
        ({"a": 2**70}, '{"a":1180591620717411303424}'),
        ({"a": "\\u0000", "b": "null", "c": 1.5}, '{"a":"\\\\u0000","b":"null","c":1.5}'),
        (Badge(1), '{"id":1,"name":"Ada","photo":null}'),
        (Badge(1, photo=b"\x00\xff", note="n"), '{"id":1,"name":"Ada","photo":"AP8=","note":"n"}'),
        (Renamed(7), '{"kind":"renamed","badgeId":7}'),
        (Sparse(1), '{"id":1}'),
        (Sparse(1, ["a"], 2), '{"id":1,"tags":["a"],"level":2}'),
        ({"pair": Pair(1, Pair(2, None))}, '{"pair":[1,[2,null]]}'),
        (Card(1, [b"x", bytearray(b"y")]), '{"owner":1,"seals":["eA==","eQ=="],"anything":null}'),
        (Card(Badge(1), []), '{"owner":{"id":1,"name":"Ada","photo":null},"seals":[],"anything":null}'),
    ],
)  # fmt: skip
def test_values_become_what_an_elixir_person_expects(value: Any, text: str) -> None:
    assert json.encode_object(value) == text


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(0), "PT0S"),
        (timedelta(days=1, hours=2), "P1DT2H"),
        (timedelta(minutes=90), "PT1H30M"),
        (timedelta(seconds=1, microseconds=500_000), "PT1.5S"),
        (timedelta(microseconds=-1), "-PT0.000001S"),
        (timedelta(weeks=2), "P14D"),
        (timedelta.max, "P999999999DT23H59M59.999999S"),
    ],
)
def test_durations_use_only_parts_that_both_languages_read(duration: timedelta, text: str) -> None:
    assert json.encode(duration) == f'"{text}"'
    assert msgspec.convert(text, timedelta) == duration


# A date makes the whole document take the careful way, which comes with and without text around the integer.
AROUND: dict[str, list[Any]] = {
    "alone": [],
    "with text": ["a" * 100],
    "with digits": ["1" * 5_000],
    "with a date": [date.min],
}


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
@pytest.mark.parametrize("widest", [10**1_024 - 1, 10**1_023, 1 - 10**1_023, 1 << 3_400], ids=["9…", "1…", "-9…", "2^"])
def test_integers_go_in_up_to_the_1024_characters_that_elixir_reads(widest: int, around: list[Any]) -> None:
    assert f'"b":{widest}' in json.encode_object({"a": around, "b": widest, "c": around})


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
@pytest.mark.parametrize(
    "wider", [10**1_024, -(10**1_023), 10**1_500, 10**5_000, -(10**131_071)], ids=lambda n: f"{n.bit_length()}"
)
def test_integers_of_more_characters_are_refused(wider: int, around: list[Any]) -> None:
    with pytest.raises(EncodeError) as caught:
        json.encode_object({"a": around, "b": [{"c": wider}]})
    assert str(caught.value) == (
        "args.b[0].c: expected an integer of at most 1,024 characters with its sign, "
        f"got 'an integer of {wider.bit_length()} bits'; "
        "send it as text: Elixir's JSON decoder takes 1,024 digits at most"
    )


@pytest.mark.parametrize("before", range(130))
def test_a_long_integer_is_found_wherever_it_lies(before: int) -> None:
    for wider in (10**1_024, -(10**1_023)):
        with pytest.raises(EncodeError, match="1,024 characters"):
            json.encode(["x" * before, wider, "x" * 3_000])


@settings(deadline=None)
@given(st.integers(3_395, 3_405).flatmap(lambda bits: st.integers(1 << bits, (2 << bits) - 1)), st.booleans())
def test_the_bound_is_the_length_of_the_text(number: int, negative: bool) -> None:
    text = f"-{number}" if negative else str(number)
    if len(text) <= 1_024:
        assert json.encode([int(text)]) == f"[{text}]"
    else:
        with pytest.raises(EncodeError):
            json.encode([int(text)])


def test_the_host_s_limit_on_digits_does_not_matter() -> None:
    before = sys.get_int_max_str_digits()
    widest = 10**1_024 - 1
    sys.set_int_max_str_digits(640)
    try:
        text = json.encode_object({"a": widest})
        assert json.decode(text) == {"a": widest}
    finally:
        sys.set_int_max_str_digits(before)
    assert text == f'{{"a":{widest}}}'


def test_a_key_may_be_longer_than_an_integer() -> None:
    assert json.encode({10**5_000: 1}) == '{"1' + "0" * 5_000 + '":1}'


def test_long_digits_in_text_and_floats_stay() -> None:
    value = {"a": "7" * 9_000, "b": [1.7976931348623157e308] * 50, "c": [5e-324] * 50}
    assert json.decode(json.encode_object(value)) == value


def cycle() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["again"] = value
    return value


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "path", "expected"),
    [
        ({"a": float("nan")}, "args.a", "a finite number"),
        ({"a": [1, None, float("-inf")]}, "args.a[2]", "a finite number"),
        ({"a": Decimal("NaN")}, "args.a", "a finite number"),
        ({"a": "x\0y"}, "args.a", "text without U+0000"),
        ({"a": {"x\0y": 1}}, "args.a['x\\x00y']", "text without U+0000"),
        ({"a": "\ud800"}, "args.a", "text without lone surrogates"),
        ({"\udfff": 1}, "args['\\udfff']", "text without lone surrogates"),
        ({"a": b"bytes"}, "args.a", "text or another JSON type"),
        (Card(Badge(1), [], {"b": b"x"}), "args.anything.b", "text or another JSON type"),
        ({"a": {1, 2}}, "args.a", "a list"),
        ({"a": frozenset()}, "args.a", "a list"),
        ({"a": range(3)}, "args.a", "a value of a JSON type"),
        ({"a": object}, "args.a", "a value of a JSON type"),
        ({"a": 1j}, "args.a", "a value of a JSON type"),
        ({"a": Badge}, "args.a", "a value of a JSON type"),
        ({"a": Card}, "args.a", "a value of a JSON type"),
        ({"a": msgspec.UNSET}, "args.a", "a value of a JSON type"),
        ({"a": msgspec.Raw(b"1")}, "args.a", "a value of a JSON type"),
        ({"a": (item for item in ())}, "args.a", "a value of a JSON type"),
        ({"a": Struct("Exp", {})}, "args.a", "data that any reader understands"),
        ({"a": Pid(b"")}, "args.a", "data that any reader understands"),
        ({"a": ImproperList((1,), 2)}, "args.a", "data that any reader understands"),
        ({True: 1}, "args[True]", "a key that is text"),
        ({None: 1}, "args[None]", "a key that is text"),
        ({1.5: 1}, "args[1.5]", "a key that is text"),
        ({b"a": 1}, "args[b'a']", "a key that is text"),
        ({(): 1}, "args[()]", "a key that is text"),
        ({1: "a", "1": "b"}, "args['1']", "each key once"),
        ({"a": time(1, tzinfo=UTC)}, "args.a", "a time of day without a zone"),
        ({"a": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=2)))}, "args.a", "a moment within"),
        ([1], "args", "an object"),
        ("text", "args", "an object"),
        (None, "args", "an object"),
        (Pair(1, 2), "args", "an object"),
    ],
)
def test_what_jsonb_or_the_beam_cannot_hold_is_refused_with_its_path(value: Any, path: str, expected: str) -> None:
    with pytest.raises(EncodeError) as caught:
        json.encode_object(value)
    assert caught.value.field == path
    assert caught.value.expected.startswith(expected)
    assert caught.value.mend
    assert isinstance(caught.value, ValueError)


def test_nesting_is_followed_to_256_levels_and_no_further() -> None:
    assert json.encode(nested(256)) == "[" * 256 + "1" + "]" * 256
    assert json.encode([*nested(255), date(2026, 1, 1)]).endswith('"2026-01-01"]')
    for value in (nested(257), nested(100_000), [nested(256), None], [nested(256), date(2026, 1, 1)], cycle()):
        with pytest.raises(EncodeError, match="256 levels"):
            json.encode(value)


def shared(make: Callable[[Any], Any], times: int) -> Any:
    """A value of `times` levels, each of which holds the next one twice."""
    value: Any = make(1)
    for _ in range(times):
        value = make(value)
    return value


@pytest.mark.parametrize(
    "make",
    [
        lambda value: [value, value],
        lambda value: {"a": value, "b": value},
        lambda value: (value, value),
        lambda value: [value, date.min, value],
        lambda value: Pair(value, value),
        lambda value: Card(value, [], value),
        lambda value: MappingProxyType({"a": value, "b": value}),
    ],
    ids=["lists", "dicts", "tuples", "with dates", "Structs", "dataclasses", "mappings"],
)
def test_what_is_shared_counts_as_often_as_it_would_be_written(
    make: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json, "MAX_ELEMENTS", 10_000)
    monkeypatch.setattr(plain, "MAX_ELEMENTS", 10_000)
    assert json.encode(shared(make, 5)).count("1") >= 64
    with pytest.raises(EncodeError, match=r"expected at most 10,000 values in all, got 'a "):
        json.encode_object({"a": shared(make, 100)})


def test_a_document_of_four_million_values_is_written_and_one_of_more_is_not() -> None:
    row = [0] * 1_998
    assert len(json.encode([row] * 2_000)) == 2_000 * (2 * 1_998 + 2) + 1
    began = process_time()
    for more in ([row] * 2_002, shared(lambda value: [value, value], 100)):
        with pytest.raises(EncodeError, match="at most 4,000,000 values"):
            json.encode(more)
    assert process_time() - began < 10


def test_many_brackets_side_by_side_are_no_nesting() -> None:
    wide = {"a": [[]] * 1_000, "b": "[" * 1_000}
    assert json.decode(json.encode_object(wide)) == wide


def test_a_document_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json, "MAX_BYTES", 1_000)  # jsonb's own takes a gigabyte to reach
    assert json.encode({"a": "x" * 990})
    with pytest.raises(EncodeError, match="expected at most 1,000, got '1,001 bytes'"):
        json.encode({"a": "x" * 993})


def test_an_object_without_a_truth_value_is_written() -> None:
    @dataclasses.dataclass
    class Undecided:
        n: int

        def __bool__(self) -> bool:
            raise ValueError

    assert json.encode_object(Undecided(1)) == '{"n":1}'


def test_a_field_name_leads_the_path() -> None:
    with pytest.raises(EncodeError, match=r"^meta\.a: expected"):
        json.encode_object({"a": float("nan")}, "meta")


def test_the_path_to_a_deep_error_stays_readable() -> None:
    value = [nested(200), float("nan")]
    for _ in range(200):
        value = [value]
    with pytest.raises(EncodeError) as caught:
        json.encode(value)
    assert len(str(caught.value)) < 300


@settings(deadline=None)
@given(terms.json_values)
def test_plain_data_comes_back_as_it_was(value: Any) -> None:
    assert json.decode(json.encode(value)) == value


@settings(deadline=None)
@given(terms.json_values)
def test_the_careful_way_writes_what_the_fast_one_does(value: Any) -> None:
    # A date makes the whole document take the careful way.
    assert json.encode([value, date(2026, 1, 1)]) == f'[{json.encode(value)},"2026-01-01"]'
