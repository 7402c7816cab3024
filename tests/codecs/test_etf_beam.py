"""Terms judged by a real BEAM, in both directions."""

import os
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import codec_terms as terms
import pytest
from beam_oracle import MISSING, Beam, is_missing
from hypothesis import HealthCheck, given, settings

from bridge.codecs import etf
from bridge.codecs.etf import Atom
from bridge.codecs.etf.native import identity
from bridge.codecs.recorded import encode_recorded

pytestmark = pytest.mark.skipif(is_missing(), reason=MISSING)

# How many random terms go each way, in batches.
TERMS = int(os.environ.get("BRIDGE_TEST_TERMS", "50000"))
BATCH = 5_000
WRITERS = (
    [],
    [(Atom("minor_version"), 1)],
    [(Atom("minor_version"), 2)],
    [Atom("compressed")],
    [(Atom("compressed"), 9), (Atom("minor_version"), 2)],
)
PORTABLE_TAGS = {70, 97, 98, 106, 108, 109, 110, 111, 116, 119}

both_writers = pytest.mark.usefixtures("writer")
few = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def beam() -> Iterator[Beam]:
    with Beam() as running:
        yield running


def assert_same(beam: Beam, pairs: list[tuple[bytes, bytes]], note: object = "") -> None:
    """Each pair is one term to the BEAM; show the first that isn't."""
    for (left, right), same in zip(pairs, beam.ask("same", pairs), strict=True):
        assert same, (note, etf.decode(left), left, right)


@both_writers
@few
@given(value=terms.native_values)
def test_the_beam_reads_what_the_native_profile_writes_and_gives_it_back(beam: Beam, value: Any) -> None:
    data = etf.encode(value, "native")
    for options in WRITERS:
        (rewritten,) = beam.ask_bytes("rewrite", ([data], options))
        assert rewritten != b"bad"
        decoded = etf.decode(rewritten)
        assert identity(decoded) == identity(value)
        assert_same(beam, [(data, rewritten), (data, etf.encode(decoded, "native"))])


@both_writers
@few
@given(value=terms.json_values)
def test_a_node_without_our_atoms_reads_what_the_portable_profile_writes(beam: Beam, value: Any) -> None:
    data = etf.encode(value)
    assert beam.ask("safe", [data]) == [True]
    (rewritten,) = beam.ask_bytes("rewrite", ([data], []))
    assert etf.decode(rewritten) == value
    assert tags_of(value) <= PORTABLE_TAGS


def tags_of(value: Any) -> set[int]:
    """The tags that the parts of `value` are written with."""
    parts = value if isinstance(value, list) else [*value, *value.values()] if isinstance(value, dict) else []
    return {etf.encode(value)[1]}.union(*map(tags_of, parts))


@both_writers
def test_random_terms_of_python_survive_the_beam(beam: Beam) -> None:
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    for batch in range(TERMS // BATCH):
        values = [terms.random_value(rng) for _ in range(BATCH)]
        data = [etf.encode(value, "native") for value in values]
        rewritten = beam.ask_bytes("rewrite", (data, WRITERS[batch % len(WRITERS)]))
        decoded = [etf.decode(item) for item in rewritten]
        assert_same(
            beam, list(zip(data, (etf.encode(value, "native") for value in decoded), strict=True)), f"seed {seed}"
        )
        for before, after in zip(values, decoded, strict=True):
            assert before == after, f"seed {seed}"


@both_writers
def test_random_terms_of_the_beam_survive_python(beam: Beam) -> None:
    seed = random.randrange(2**32)
    names = [Atom(name) for name in terms.NAMES]
    for batch in range(TERMS // BATCH):
        data = beam.ask_bytes("random", (seed + batch, BATCH, names))
        back = [etf.encode(etf.decode(item), "native") for item in data]
        assert_same(beam, list(zip(data, back, strict=True)), f"seed {seed}")


@pytest.mark.parametrize(
    ("value", "erlang"),
    [
        ({"a": [1, 2.5, None, True, False]}, '#{<<"a">> => [1, 2.5, nil, true, false]}'),
        ("é", '<<"é"/utf8>>'),
        (b"\x00\xff", "<<0, 255>>"),
        ([], "[]"),
        ((1, 2), "[1, 2]"),
        (Atom("ok"), '<<"ok">>'),
        ({1: 2}, '#{<<"1">> => 2}'),
        (2**64, "18446744073709551616"),
        (-(2**31) - 1, "-2147483649"),
        (datetime(2026, 1, 2, 3, 4, 5, 6, UTC), '<<"2026-01-02T03:04:05.000006Z">>'),
        (Decimal("1.10"), '<<"1.10">>'),
    ],
)
def test_the_portable_profile_means_this_in_erlang(beam: Beam, value: Any, erlang: str) -> None:
    assert_same(beam, [(etf.encode(value), *beam.ask_bytes("evaluate", [erlang]))])


CALENDAR = "calendar => 'Elixir.Calendar.ISO'"
CLOCK = "hour => 3, minute => 4, second => 5"
MOMENT = f"year => 2026, month => 7, day => 1, {CLOCK}, microsecond => {{0, 0}}"
BERLIN = 'time_zone => <<"Europe/Berlin">>, zone_abbr => <<"CEST">>, utc_offset => 3600, std_offset => 3600'


@pytest.mark.parametrize(
    ("value", "erlang"),
    [
        ((1, [2]), "{1, [2]}"),
        ([], "[]"),
        (Atom("ok"), "ok"),
        (Atom("nil"), "nil"),
        (Atom("日本"), "'日本'"),
        ({Atom("a"): b"\xff"}, "#{a => <<255>>}"),
        ({1: 2, 1.5: None}, "#{1 => 2, 1.5 => nil}"),
        (etf.PairMap(((1, 2), (1.0, 3))), "#{1 => 2, 1.0 => 3}"),
        (etf.ImproperList((1, 2), 3), "[1, 2 | 3]"),
        (etf.BitString(b"\xa0", 3), "<<5:3>>"),
        ({2, 1}, "#{map => #{1 => [], 2 => []}, '__struct__' => 'Elixir.MapSet'}"),
        (range(1, 11, 3), "#{last => 10, first => 1, step => 3, '__struct__' => 'Elixir.Range'}"),
        (Decimal("-1.10"), "#{sign => -1, coef => 110, exp => -2, '__struct__' => 'Elixir.Decimal'}"),
        (Decimal("Infinity"), "#{sign => 1, coef => inf, exp => 0, '__struct__' => 'Elixir.Decimal'}"),
        (etf.Struct("A.B", {"x": 1}), "#{x => 1, '__struct__' => 'Elixir.A.B'}"),
        (date(2026, 1, 2), f"#{{year => 2026, month => 1, day => 2, {CALENDAR}, '__struct__' => 'Elixir.Date'}}"),
        (time(3, 4, 5, 6), f"#{{{CLOCK}, microsecond => {{6, 6}}, {CALENDAR}, '__struct__' => 'Elixir.Time'}}"),
        (
            datetime(2026, 7, 1, 3, 4, 5, tzinfo=ZoneInfo("Europe/Berlin")),
            f"#{{{MOMENT}, {BERLIN}, {CALENDAR}, '__struct__' => 'Elixir.DateTime'}}",
        ),
    ],
)
def test_the_native_profile_means_this_in_erlang(beam: Beam, value: Any, erlang: str) -> None:
    data = etf.encode(value, "native")
    (expected,) = beam.ask_bytes("evaluate", [erlang])
    assert_same(beam, [(data, expected)])
    assert identity(etf.decode(expected)) == identity(value)


@pytest.mark.parametrize("options", ["[local]", "[local, compressed]"])
def test_a_local_term_is_kept_for_the_node_that_wrote_it(beam: Beam, options: str) -> None:
    content = "{a, self(), make_ref(), lists:duplicate(99, b)}"
    writing = f"try term_to_binary({content}, {options}) catch error:badarg -> old end"
    data = etf.decode(*beam.ask_bytes("evaluate", [writing]))
    if data == "old":
        assert int(beam.ask("release", None)) < 26
        return
    value = etf.decode(data)
    assert type(value) is etf.LocalTerm
    assert etf.encode(value, "native") == data
    assert beam.ask("same", [(data, data)]) == [True]


def test_a_new_atom_is_refused_under_safe_so_the_portable_profile_has_none(beam: Beam) -> None:
    name = Atom(f"never_seen_{random.randrange(2**64)}")
    assert beam.ask("safe", [etf.encode(name, "native"), etf.encode({name: name})]) == [False, True]


def test_the_widest_integer_is_read_and_a_wider_one_refused(beam: Beam) -> None:
    widest = 2**4_194_240 - 1
    data = [etf.encode(widest), etf.encode(-widest)]
    assert beam.ask("safe", data) == [True, True]
    with pytest.raises(ValueError, match="at most 4,194,240 bits"):
        etf.encode(widest + 1)


@pytest.mark.parametrize("value", [{"name": "oban"}, {"name": "oban!"}, {"name": "oban!!"}, None])
def test_the_beam_reads_a_recorded_result(beam: Beam, value: Any) -> None:
    (read,) = beam.ask_bytes("recorded", [encode_recorded(value)])
    assert etf.decode(read) == value
