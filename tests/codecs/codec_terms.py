"""Random values: hypothesis strategies, and a plain generator where hundreds of thousands are wanted."""

import random
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from bridge.codecs.etf import Atom, BitString, ImproperList, Struct

NAMES = ("ok", "error", "ünï", "日本", "", "a b", "Elixir.Exp.Ok", "x" * 255, "é" * 255)

text = st.text(st.characters(exclude_categories=["Cs"]))
wide = st.binary(min_size=250, max_size=260).map(lambda raw: int.from_bytes(raw, "little", signed=True))
numbers = st.integers() | wide | st.floats(allow_nan=False, allow_infinity=False)
json_scalars = (
    st.none() | st.booleans() | numbers | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
)
json_keys = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
json_values = st.recursive(
    json_scalars, lambda inner: st.lists(inner) | st.dictionaries(json_keys, inner), max_leaves=20
)

# Binaries that are UTF-8 come back as text, so these are not.
binaries = st.binary().map(lambda data: data + b"\xff")
atoms = st.integers(0, len(NAMES) - 1).map(lambda index: Atom(NAMES[index]))
moments = (
    st.datetimes() | st.datetimes(timezones=st.just(UTC)) | st.datetimes(timezones=st.just(ZoneInfo("Europe/Berlin")))
)
structs_of_python = (
    moments
    | st.dates()
    | st.times()
    | st.decimals(allow_nan=False)
    | st.just(Decimal("NaN"))
    | st.builds(range, st.integers(), st.integers(), st.sampled_from([1, -1, 3, -7]))
)
bit_strings = st.builds(
    lambda data, last, high: BitString(data + bytes((high >> (8 - last) << (8 - last),)), last),
    st.binary(max_size=8),
    st.integers(1, 7),
    st.integers(0, 255),
)
hashable = st.recursive(
    st.none() | st.booleans() | numbers | text | binaries | atoms | structs_of_python | bit_strings,
    lambda inner: st.tuples(inner) | st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=4,
)
native_values = st.recursive(
    hashable,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(hashable, inner, max_size=5)
        | st.builds(ImproperList, st.lists(inner, min_size=1).map(tuple), numbers | atoms | text)
        | st.builds(
            Struct,
            st.sampled_from(["Exp", "My.App"]),
            st.dictionaries(text.filter(lambda name: len(name) < 200), inner, max_size=3),
        )
    ),
    max_leaves=20,
)


def random_value(rng: random.Random, depth: int = 5) -> Any:
    """A value of the native profile."""
    make = rng.choice(_CONTAINERS) if depth and rng.random() < 0.3 else rng.choice(_LEAVES)
    return make(rng, depth - 1)


def _few(rng: random.Random, depth: int) -> list[Any]:
    return [random_value(rng, depth) for _ in range(rng.randrange(6))]


def _dict(rng: random.Random, depth: int) -> dict[Any, Any]:
    return {rng.choice(_LEAVES)(rng, 0): random_value(rng, depth) for _ in range(rng.randrange(6))}


def _text(rng: random.Random, _: int) -> str:
    return "".join(rng.choices('ab \0"\\é€😀\U0010ffff', k=rng.randrange(12))) * rng.choice((1, 1, 1, 40))


def _integer(rng: random.Random, _: int) -> int:
    return rng.getrandbits(rng.choice((1, 8, 16, 31, 32, 33, 63, 64, 65, 2040, 2041, 3000))) * rng.choice((1, -1))


def _float(rng: random.Random, _: int) -> float:
    return rng.choice((0.0, -0.0, 5e-324, 1.7976931348623157e308, 1e22, rng.random(), rng.uniform(-1e300, 1e300)))


def _datetime(rng: random.Random, _: int) -> datetime:
    # Midday, because Python holds wall times that a zone skips or repeats to differ from all of other zones.
    day = timedelta(hours=12) + datetime.fromordinal(rng.randint(2, 3_652_000))
    moment = day + timedelta(microseconds=rng.choice((0, rng.getrandbits(30))))
    return moment.replace(
        tzinfo=rng.choice((None, UTC, ZoneInfo("Europe/Berlin"), timezone(timedelta(hours=5, minutes=30))))
    )


def _bits(rng: random.Random, _: int) -> BitString:
    last = rng.randint(1, 7)
    return BitString(rng.randbytes(rng.randrange(4)) + bytes((rng.getrandbits(last) << (8 - last),)), last)


def _decimal(rng: random.Random, _: int) -> Decimal:
    return Decimal((rng.getrandbits(1), tuple(rng.choices(range(10), k=rng.randint(1, 30))), rng.randint(-50, 50)))


_LEAVES: tuple[Any, ...] = (
    lambda rng, _: rng.choice((None, True, False)),
    lambda rng, _: rng.randrange(256),
    lambda rng, _: rng.randbytes(rng.randrange(20)) + b"\xff",
    lambda rng, _: Atom(rng.choice(NAMES)),
    lambda rng, _: date.fromordinal(rng.randint(1, 3_652_059)),
    lambda rng, _: time(rng.randrange(24), rng.randrange(60), rng.randrange(60), rng.choice((0, rng.randrange(10**6)))),
    lambda rng, _: range(rng.randint(-9, 9), rng.randint(-9, 9), rng.choice((1, -1, 5))),
    _text, _text, _integer, _integer, _float, _datetime, _bits, _decimal,
)  # fmt: skip
_CONTAINERS: tuple[Any, ...] = (
    _few,
    _few,
    _dict,
    _dict,
    lambda rng, depth: {_text(rng, 0): random_value(rng, depth) for _ in range(rng.randrange(6))},
    lambda rng, depth: tuple(_few(rng, depth)),
    lambda rng, depth: ImproperList((random_value(rng, depth),), _integer(rng, 0)),
    lambda rng, depth: Struct("My.App", {"a": random_value(rng, depth), "ünï": random_value(rng, depth)}),
    lambda rng, _: frozenset(_integer(rng, 0) for _ in range(rng.randrange(5))),
    lambda rng, _: [rng.randrange(256) for _ in range(rng.randrange(20))],
)
