"""JSON that went through a real jsonb column, and what Elixir stored for the same values."""

import asyncio
import json as standard
import os
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import asyncpg
import codec_terms as terms
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.codecs import json
from bridge.errors import EncodeError

ELIXIR = standard.loads((Path(__file__).parent / "golden" / "args.json").read_text())
STORED: dict[str, str] = ELIXIR["stored"]

SAME: dict[str, Any] = {
    "atom": "foo",
    "module": "Elixir.Exp.Ok",
    "nil": None,
    "bools": [True, False],
    "charlist": [97, 98, 99],
    "decimal": Decimal("1.10"),
    "datetime": datetime(2026, 1, 2, 3, 4, 5, 678901, UTC),
    "naive": datetime(2026, 1, 2, 3, 4, 5),  # noqa: DTZ001 - a NaiveDateTime
    "date": date(2026, 1, 2),
    "bigint": 123456789012345678901234567890,
    "int64max": 2**63 - 1,
    "neg": -5,
    "float": 1.0,
    "float2": 0.1,
    "floatbig": 1.0e22,
    "floatbig2": 1.7976931348623157e308,
    "floatsmall": 5e-324,
    "floatexp": 1e-7,
    "negzero": -0.0,
    "float3": 123456789.12345679,
    "control": "a\tb\u0001\x7f",
    "unicode": "é✓😀",
    "slash": "a/b</script>",
    "u2028": "\u2028",
    "intkeys": {1: 2, "a": 4, "b": 5, 10: 3},
    "nested": {"z": 1, "a": 2, "bb": 3},
    "empty": {},
    "emptylist": [],
}
REFUSED: dict[str, Any] = {
    "mapset": {1},
    "range": range(3),
    "struct": object(),
    "fun": len,
    "nul": "a\0b",
    "invalid_utf8": b"\xff",
}


class Database:
    """A connection for synchronous tests; a context manager."""

    def __enter__(self) -> Self:
        self.runner = asyncio.Runner()
        self.conn = self.runner.run(asyncpg.connect(os.environ["BRIDGE_TEST_DSN"]))
        return self

    def __exit__(self, *_: object) -> None:
        self.runner.run(self.conn.close())
        self.runner.close()

    def stored(self, texts: list[str]) -> list[str]:
        """What jsonb prints for each text."""
        query = "select t::jsonb::text as text from unnest($1::text[]) with ordinality as u(t, n) order by n"
        return [row["text"] for row in self.runner.run(self.conn.fetch(query, texts))]

    def equal(self, left: str, right: str) -> bool:
        return bool(self.runner.run(self.conn.fetchval("select $1::text::jsonb = $2::text::jsonb", left, right)))


@pytest.fixture(scope="module")
def database_of_jsonb() -> Iterator[Database]:
    with Database() as running:
        yield running


@pytest.mark.parametrize("case", SAME)
def test_the_column_holds_what_elixir_would_have_stored(database_of_jsonb: Database, case: str) -> None:
    assert database_of_jsonb.equal(json.encode_object({"v": SAME[case]}), STORED[case])


@pytest.mark.parametrize("case", REFUSED)
def test_what_elixir_cannot_store_is_refused(case: str) -> None:
    assert case in ELIXIR["refused"]
    with pytest.raises(EncodeError):
        json.encode_object({"v": REFUSED[case]})


@pytest.mark.parametrize("case", sorted(STORED))
def test_what_elixir_stored_is_read(case: str) -> None:
    value = json.decode(STORED[case])["v"]
    if case in SAME and isinstance(SAME[case], (int, float)) and SAME[case] is not True:
        assert float(value) == float(SAME[case])
    assert json.decode(json.encode_object({"v": value})) == {"v": value}


def same_numbers(before: Any, after: Any) -> Any:
    """`after` with floats where `before` has them: jsonb prints 1e22 as an integer."""
    if isinstance(before, float) and isinstance(after, (int, Decimal)):
        return float(after)
    if isinstance(before, dict):
        return {key: same_numbers(before[key], item) for key, item in after.items()}
    if isinstance(before, list):
        return [same_numbers(old, new) for old, new in zip(before, after, strict=True)]
    return after


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.data_too_large, HealthCheck.too_slow])
@given(values=st.lists(terms.json_values, min_size=5, max_size=20))
def test_a_round_trip_through_jsonb_changes_nothing(database_of_jsonb: Database, values: list[Any]) -> None:
    stored = database_of_jsonb.stored([json.encode(value) for value in values])
    for value, text in zip(values, stored, strict=True):
        assert same_numbers(value, json.decode(text)) == value


@pytest.mark.parametrize(
    "text",
    [
        "1" * 401,
        "-1e400",
        "1e131071",
        "-" + "9" * 131_072,
        "1e-16383",
        "1e-400",
        "0." + "1" * 16_383,
        "9" * 5_000 + "." + "9" * 5_000,
        "1e22",
        "0.12345678901234567890123",
        '"\\u0001\\u007f\\u2028\\"\\\\/"',
        '{"a": 1, "a": 2}',
        '{"": [[], {}, null]}',
        "[" * 3_000 + "]" * 3_000,
        '{"a":' * 3_000 + "1" + "}" * 3_000,
    ],
    ids=lambda text: text[:12],
)
def test_whatever_jsonb_prints_is_read_to_the_digit(database_of_jsonb: Database, text: str) -> None:
    (printed,) = database_of_jsonb.stored([text])
    value = json.decode(printed)
    if isinstance(value, (int, Decimal)):
        assert value == Decimal(printed)


def test_the_limits_of_jsonb_are_where_we_think(database_of_jsonb: Database) -> None:
    widest = "9" * 131_072
    assert json.decode(*database_of_jsonb.stored([widest])) == 10**131_072 - 1
    for text in (widest + "0", '"\\u0000"', '"\\ud800"', "NaN"):
        with pytest.raises(asyncpg.PostgresError):
            database_of_jsonb.stored([text])
