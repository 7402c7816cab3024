"""What each term becomes in Python."""

import base64
import copy
import json
import pickle
import struct
import zlib
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bridge.codecs import etf
from bridge.codecs.etf import (
    Atom,
    BitString,
    Fun,
    ImproperList,
    LegacySet,
    LocalTerm,
    PairMap,
    Pid,
    Port,
    Reference,
    Struct,
)
from bridge.codecs.etf.temporal import ElixirZone, PreciseDateTime, PreciseTime

GOLDEN = json.loads((Path(__file__).parent / "golden" / "terms.json").read_text())
NODE = b"w\x0dnonode@nohost"
EXPECTED: dict[str, Any] = {
    "": None,
    "true": True,
    "ok": Atom("ok"),
    "atom_utf8": Atom("ünï"),
    "atom_mix": Atom("日本"),
    "int0": 0,
    "int255": 255,
    "int256": 256,
    "neg1": -1,
    "i32max": 2**31 - 1,
    "i32over": 2**31,
    "i32min": -(2**31),
    "i64": 2**63 - 1,
    "big2040": 2**2040,
    "float": 1.5,
    "str_bin": "héllo",
    "bin_raw": b"\x00\xff",
    "empty_bin": "",
    "bits": BitString(b"\xa0", 3),
    "nil_list": [],
    "bytes_list": [1, 2, 3],
    "list": [256, "a"],
    "improper": ImproperList((1,), 2),
    "tuple": (Atom("ok"), 1),
    "tuple0": (),
    "bigtuple": tuple(range(1, 301)),
    "map0": {},
    "map_atom": {Atom("a"): 1},
    "map_str": {"a": 1},
    "map_int": {1: 2},
    "datetime": datetime(2026, 1, 1, 0, 0, 0, 1, UTC),
    "naive": datetime(2026, 1, 1),  # noqa: DTZ001 - a NaiveDateTime
    "date": date(2026, 1, 1),
    "decimal": (Atom("struct_decimal"), 1),
    "mapset": frozenset({1}),
    "range": range(1, 4),
    "keyword": [(Atom("a"), 1)],
    "exception": Struct("RuntimeError", {"__exception__": True, "message": "x"}),
}
OPAQUE = {"pid": Pid, "ref": Reference, "fun_ext": Fun, "fun_local": Fun, "port": Port}
REWRITTEN = {"bytes_list", "exception", "map_atom"}


# What `term_to_binary(Term, [local, compressed])` writes since OTP 26.
SQUEEZED_LOCAL = b"P" + struct.pack(">I", 9) + zlib.compress(b"y\x01\x02\x03\x04h\x01a\x01")


def term(body: bytes) -> bytes:
    return b"\x83" + body


@pytest.mark.parametrize("sample", GOLDEN["samples"], ids=lambda sample: sample["label"] or "nil")
@pytest.mark.parametrize("form", ["default", "minor2"])
def test_what_a_node_wrote_is_read_and_written_back(sample: dict[str, Any], form: str) -> None:
    if sample[form] is None:
        form = "default"
    data = base64.b64decode(sample[form])
    value = etf.decode(data)
    label = sample["label"]
    if label in OPAQUE:
        assert type(value) is OPAQUE[label]
        assert etf.encode(value, "native") == data
        return
    assert (value, type(value)) == (EXPECTED[label], type(EXPECTED[label]))
    written = etf.encode(value, "native")
    assert etf.decode(written) == value
    if isinstance(value, (type(None), bool, Atom, int, float, str, bytes, BitString)):
        assert written == base64.b64decode(sample["minor2"] or sample["default"]) or label == "atom_mix"


def test_compressed_terms_are_read_like_any_other() -> None:
    value = etf.decode(base64.b64decode(GOLDEN["compressed"]))
    assert (
        etf.decode(term(b"P" + struct.pack(">I", len(etf.encode(value)) - 1) + zlib.compress(etf.encode(value)[1:])))
        == value
    )
    assert etf.decode(base64.b64decode(GOLDEN["compressed_small"])) == {"k": "small"}


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"d\x00\x02ok", Atom("ok")),
        (b"d\x00\x02\xfcb", Atom("üb")),
        (b"s\x02ok", Atom("ok")),
        (b"s\x03nil", None),
        (b"s\x04true", True),
        (b"v\x00\x05false", False),
        (b"v\x00\x02\xc3\xbc", Atom("ü")),
        (b"w\x02\xc3\xbc", Atom("ü")),
        (b"w\x00", Atom("")),
        (b"w\xff" + b"a" * 255, Atom("a" * 255)),
        (b"v\x01\xfe" + "ü".encode() * 255, Atom("ü" * 255)),
        (b"c1.50000000000000000000e+00\0\0\0\0\0", 1.5),
        (b"c-1.00000000000000000000e+300\0\0\0", -1e300),
        (b"n\x08\x00" + b"\xff" * 8, 2**64 - 1),
        (b"n\x01\x01\x05", -5),
        (b"n\x00\x00", 0),
        (b"o\x00\x00\x00\x01\x00\x07", 7),
        (b"M\x00\x00\x00\x01\x08a", "a"),
        (b"M\x00\x00\x00\x01\x03\xff", BitString(b"\xe0", 3)),
        (b"l\x00\x00\x00\x00j", []),
        (b"l\x00\x00\x00\x00a\x07", 7),
        (b"l\x00\x00\x00\x01a\x01k\x00\x01\x02", [1, 2]),
        (b"l\x00\x00\x00\x01a\x01l\x00\x00\x00\x01a\x02a\x03", ImproperList((1, 2), 3)),
        (b"k\x00\x00", []),
        (b"i\x00\x00\x00\x01a\x01", (1,)),
        (b"X" + NODE + b"\0" * 12, Pid(b"X" + NODE + b"\0" * 12)),
        (b"g" + NODE + b"\0" * 9, Pid(b"g" + NODE + b"\0" * 9)),
        (b"Y" + NODE + b"\0" * 8, Port(b"Y" + NODE + b"\0" * 8)),
        (b"x" + NODE + b"\0" * 12, Port(b"x" + NODE + b"\0" * 12)),
        (b"f" + NODE + b"\0" * 5, Port(b"f" + NODE + b"\0" * 5)),
        (b"e" + NODE + b"\0" * 5, Reference(b"e" + NODE + b"\0" * 5)),
        (b"r\x00\x03" + NODE + b"\0" * 13, Reference(b"r\x00\x03" + NODE + b"\0" * 13)),
        (b"Z\x00\x05" + NODE + b"\0" * 24, Reference(b"Z\x00\x05" + NODE + b"\0" * 24)),
        (b"qw\x01mw\x01fa\x02", Fun(b"qw\x01mw\x01fa\x02")),
        (b"y\x01\x02\x03anything", LocalTerm(b"y\x01\x02\x03anything")),
        (SQUEEZED_LOCAL, LocalTerm(SQUEEZED_LOCAL)),
    ],
)
def test_every_tag_is_read(body: bytes, value: Any) -> None:
    decoded = etf.decode(term(body))
    assert (decoded, type(decoded)) == (value, type(value))
    assert etf.decode(etf.encode(decoded, "native")) == value


def test_an_atom_is_its_text_and_says_what_it_is() -> None:
    atom = etf.decode(term(b"w\x02ok"))
    assert atom == "ok"
    assert {atom: 1}["ok"] == 1
    assert repr(atom) == "Atom('ok')"
    assert (str(atom), type(str(atom))) == ("ok", str)
    assert pickle.loads(pickle.dumps(atom)) == atom


def test_keys_that_python_cannot_tell_apart_stay_apart() -> None:
    pairs = PairMap(((1, "integer"), (1.0, "float"), (True, "atom")))
    back = etf.decode(etf.encode(pairs, "native"))
    assert back == pairs
    assert [type(key) for key in back] == [int, float, bool]
    assert len(back) == 3
    mixed = PairMap(((Atom("a"), 1), ("a", 2)))
    assert [type(key) for key in etf.decode(etf.encode(mixed, "native"))] == [Atom, str]


def test_keys_that_python_cannot_hash_stay_readable() -> None:
    value = etf.decode(etf.encode(PairMap((([1], "list"), ({}, "map"))), "native"))
    assert value[[1]] == "list"
    assert dict.fromkeys(value.values()) == {"list": None, "map": None}
    with pytest.raises(KeyError):
        value["missing"]
    assert value != PairMap(())


ISO = Atom("Elixir.Calendar.ISO")
BERLIN = ElixirZone("Europe/Berlin", "CEST", 3600, 3600)


@pytest.mark.parametrize(
    ("name", "changes", "kind"),
    [
        ("DateTime", {}, datetime),
        ("DateTime", {"microsecond": (0, 6)}, PreciseDateTime),
        ("DateTime", {"microsecond": (120_000, 3)}, PreciseDateTime),
        (
            "DateTime",
            {"time_zone": "Europe/Berlin", "zone_abbr": "CEST", "utc_offset": 3600, "std_offset": 3600},
            datetime,
        ),
        ("DateTime", {"year": 0}, Struct),
        ("DateTime", {"year": -44}, Struct),
        ("DateTime", {"year": 10_000}, Struct),
        ("DateTime", {"year": 2**70}, Struct),
        ("DateTime", {"month": 13}, Struct),
        ("DateTime", {"second": 60}, Struct),
        ("DateTime", {"day": True}, Struct),
        ("DateTime", {"day": "1"}, Struct),
        ("DateTime", {"microsecond": (0, 7)}, Struct),
        ("DateTime", {"microsecond": 0}, Struct),
        ("DateTime", {"microsecond": (-1, 6)}, Struct),
        ("DateTime", {"utc_offset": 86_400}, Struct),
        ("DateTime", {"time_zone": None}, Struct),
        ("DateTime", {"calendar": Atom("Elixir.Cldr.Calendar")}, Struct),
        ("DateTime", {"extra": 1}, Struct),
        ("MyApp.DateTime", {}, Struct),
    ],
)
def test_a_struct_is_native_where_python_holds_it_exactly_and_goes_back_as_it_was(
    name: str, changes: dict[str, Any], kind: type
) -> None:
    fields = {
        "calendar": Atom("Elixir.Calendar.ISO"), "year": 2026, "month": 7, "day": 1, "hour": 12, "minute": 30,
        "second": 15, "microsecond": (0, 0), "time_zone": "Etc/UTC", "zone_abbr": "UTC", "utc_offset": 0,
        "std_offset": 0,
    }  # fmt: skip
    struct = Struct(name, fields | changes)
    value = etf.decode(etf.encode(struct, "native"))
    assert type(value) is kind
    again = etf.encode(value, "native")
    assert etf.decode(again) == value
    assert etf.native.identity(value) == etf.native.identity(struct)


@pytest.mark.parametrize(
    ("name", "fields", "value"),
    [
        ("Decimal", {"sign": -1, "coef": 110, "exp": -2}, Decimal("-1.10")),
        ("Decimal", {"sign": -1, "coef": 0, "exp": 0}, Decimal("-0")),
        ("Decimal", {"sign": 1, "coef": 10**999, "exp": 7}, Decimal("1" + "0" * 999 + "E7")),
        ("Decimal", {"sign": -1, "coef": Atom("inf"), "exp": 0}, Decimal("-Infinity")),
        ("Decimal", {"sign": 1, "coef": 10**1001, "exp": 0}, None),
        ("Decimal", {"sign": 1, "coef": 1, "exp": 10**30}, None),
        ("Decimal", {"sign": 1, "coef": 1, "exp": 10**18}, None),
        ("Decimal", {"sign": 0, "coef": 1, "exp": 0}, None),
        ("Decimal", {"sign": True, "coef": 1, "exp": 0}, None),
        ("Decimal", {"sign": 1, "coef": -1, "exp": 0}, None),
        ("Decimal", {"sign": 1, "coef": 1.5, "exp": 0}, None),
        ("Decimal", {"sign": 1, "coef": Atom("qNaN"), "exp": 0}, None),
        ("MapSet", {"map": {}}, frozenset()),
        ("MapSet", {"map": {1: [], "a": []}}, frozenset({1, "a"})),
        ("MapSet", {"map": {1: []}, "version": 2}, LegacySet({1})),
        ("MapSet", {"map": {1: []}, "version": 1}, None),
        ("MapSet", {"map": {1: True}}, None),
        ("MapSet", {"map": PairMap((([], []),))}, None),
        ("MapSet", {"map": [1]}, None),
        ("Range", {"first": 1, "last": 10, "step": 3}, range(1, 11, 3)),
        ("Range", {"first": 5, "last": 1, "step": -1}, range(5, 0, -1)),
        ("Range", {"first": 1, "last": 0, "step": 1}, range(1, 1)),
        ("Range", {"first": 1, "last": 3, "step": 0}, None),
        ("Range", {"first": 1, "last": 3}, None),
        ("Range", {"first": 1, "last": 3.0, "step": 1}, None),
        ("Time", {"calendar": ISO, "hour": 1, "minute": 2, "second": 3, "microsecond": (0, 0)}, time(1, 2, 3)),
        ("Date", {"calendar": ISO, "year": 0, "month": 1, "day": 1}, None),
        ("Version", {"major": 1, "minor": 2, "patch": 3, "pre": [], "build": None}, None),
    ],
)  # fmt: skip
def test_other_structs_too(name: str, fields: dict[str, Any], value: Any) -> None:
    struct = Struct(name, fields)
    decoded = etf.decode(etf.encode(struct, "native"))
    expected = struct if value is None else value
    assert (decoded, type(decoded)) == (expected, type(expected))
    assert etf.native.identity(decoded) == etf.native.identity(struct)


def test_nan_is_a_decimal_too() -> None:
    decoded = etf.decode(etf.encode(Struct("Decimal", {"sign": 1, "coef": Atom("NaN"), "exp": 0}), "native"))
    assert decoded.is_nan()
    assert etf.encode(decoded, "native") == etf.encode(Decimal("NaN"), "native")


def test_a_map_that_only_looks_like_a_struct_stays_a_map() -> None:
    for value in (
        {Atom("__struct__"): "text"},
        {Atom("__struct__"): Atom("erlang_atom")},
        {Atom("__struct__"): Atom("Elixir.A"), "text": 1},
        {"__struct__": Atom("Elixir.A"), Atom("a"): 1},
        {Atom("__struct__"): Atom("Elixir.A"), None: 1},
    ):
        assert etf.decode(etf.encode(PairMap(tuple(value.items())), "native")) == value


def test_the_zone_of_a_datetime_is_known_to_python() -> None:
    moment = datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("Europe/Berlin"))
    value = etf.decode(etf.encode(moment, "native"))
    assert value == moment
    assert value.tzinfo == BERLIN
    assert (value.utcoffset(), value.dst(), value.tzname()) == (timedelta(hours=2), timedelta(hours=1), "CEST")
    assert copy.deepcopy(value).tzinfo == pickle.loads(pickle.dumps(value)).tzinfo == BERLIN
    assert "Europe/Berlin" in repr(value)


def test_a_precise_time_remembers_its_digits() -> None:
    value = etf.decode(etf.encode(Struct("Time", {
        "calendar": Atom("Elixir.Calendar.ISO"), "hour": 1, "minute": 2, "second": 3, "microsecond": (100_000, 1),
    }), "native"))  # fmt: skip
    assert value == time(1, 2, 3, 100_000)
    assert isinstance(value, PreciseTime)
    assert value.precision == 1
