"""Args cross both ways: what one language writes, the other's worker is given, type by type."""

import enum
import math
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest

from bridge import Job
from bridge.errors import EncodeError, RemoteError

from .crossings import exact, in_elixir, in_python, into_elixir, into_python
from .rows import check


def nested(levels):
    value = {"leaf": [[], {}, [[1, [2, [3.5]]]]]}
    for level in range(levels):
        value = {"level": level, "next": value} if level % 2 else {"list": [value, level]}
    return value


#: Plain JSON, which is the same on both sides.
SAME = {
    "empty": {},
    "empty parts": {"object": {}, "list": [], "text": "", "": "empty key"},
    "plain": {"null": None, "true": True, "false": False, "int": -5, "text": "a"},
    "unicode": {"näme": "é✓😀", "日本": "\u2028\u2029</script>", "rtl": "שלום", "e\u0301": "é", "\U0010ffff": "\ufffe"},
    "control": {"text": 'a\tb\n\r\u0001\u001f\x7f\u0085 "quoted" \\ back / slash'},
    "big integers": {"n": [2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1, -(2**63), 2**64, 10**30, -(10**30), 10**1023]},
    "floats": {"f": [1.0, 0.1, -2.5, 1e-7, 123456789.12345679, 0.30000000000000004, 2.2250738585072014e-308, 5e-324]},
    "nested": nested(80),
    "many": {f"key {n}": {"n": n, "list": [n] * 3} for n in range(3_000)},
    "1 MB of text": {"text": "ünïcödé " * 100_000},
    "1 MB of values": {"values": list(range(150_000))},
}
ITEMS = {
    "empty": "empty", "empty parts": "empty", "plain": "plain", "unicode": "unicode", "control": "unicode",
    "big integers": "big integers", "floats": "floats", "nested": "nested", "many": "nested",
    "1 MB of text": "1 MB", "1 MB of values": "1 MB",
}  # fmt: skip
CASES = [pytest.param(SAME[name], id=name, marks=pytest.mark.item(f"jobs: {ITEMS[name]} args")) for name in SAME]


@pytest.mark.parametrize("args", CASES)
async def test_args_of_python_are_given_to_elixir_as_they_are(shared, python, args):
    py = await python(shared.at, queues={})

    _, given, row = await into_elixir(shared, py, args=args)

    assert exact(given["args"]) == exact(args)
    check(row, **in_elixir(args=args))


@pytest.mark.parametrize("args", CASES)
async def test_args_of_elixir_are_given_to_python_as_they_are(shared, python, args):
    py = await python(shared.at)

    _, given, row = await into_python(shared, py, args)

    assert exact(given.args) == exact(args)
    check(row, **in_python(args=args))


class Size(enum.Enum):
    LARGE = "large"


@dataclass
class Point:
    x: int
    y: float


MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)


@pytest.mark.parametrize(
    ("args", "read"),
    [
        pytest.param(
            [Decimal("1.10"), Decimal("-12.50"), Decimal(10**30)], ["1.10", "-12.50", "1" + "0" * 30], id="decimals"
        ),
        pytest.param(
            [MOMENT, MOMENT.replace(tzinfo=None), MOMENT.date(), MOMENT.time()],
            ["2026-01-02T03:04:05.678901Z", "2026-01-02T03:04:05.678901", "2026-01-02", "03:04:05.678901"],
            id="times",
        ),
        pytest.param(
            [(1, 2), Size.LARGE, Point(1, 2.0), uuid.UUID(int=1)],
            [[1, 2], "large", {"x": 1, "y": 2.0}, "00000000-0000-0000-0000-000000000001"],
            id="objects",
        ),
        pytest.param({1: "int", Size.LARGE: "enum"}, {"1": "int", "large": "enum"}, id="keys"),
        # jsonb keeps no zero of its own sign, and prints no exponent: what is whole is an integer.
        pytest.param([-0.0, 1e22, 1.7976931348623157e308], [0.0, 10**22, 17976931348623157 * 10**292], id="floats"),
    ],
)
@pytest.mark.item("jobs: decimals, times and other values")
async def test_values_of_python_reach_elixir_as_elixir_itself_writes_them(shared, python, args, read):
    py = await python(shared.at, queues={})

    _, given, row = await into_elixir(shared, py, args={"v": args})

    assert exact(given["args"]["v"]) == exact(read)
    check(row, **in_elixir(args={"v": read}))


@pytest.mark.parametrize(
    ("literal", "read"),
    [
        pytest.param('[Decimal.new("1.10"), Decimal.new("-12.50")]', ["1.10", "-12.50"], id="decimals"),
        pytest.param(
            "[~U[2026-01-02 03:04:05.678901Z], ~N[2026-01-02 03:04:05], ~D[2026-01-02], ~T[03:04:05.1]]",
            ["2026-01-02T03:04:05.678901Z", "2026-01-02T03:04:05", "2026-01-02", "03:04:05.1"],
            id="times",
        ),
        pytest.param("[:foo, Interop.Ok, nil, 'abc']", ["foo", "Elixir.Interop.Ok", None, [97, 98, 99]], id="atoms"),
        pytest.param('%{1 => 2, :a => 4, "b" => 5}', {"1": 2, "a": 4, "b": 5}, id="keys"),
        pytest.param("[-0.0, 1.0e22, 1.7976931348623157e308]", [0.0, 10**22, 17976931348623157 * 10**292], id="floats"),
    ],
)
@pytest.mark.item("jobs: decimals, times and other values")
async def test_values_of_elixir_reach_python_as_jason_writes_them(shared, python, literal, read):
    py = await python(shared.at)

    _, given, row = await into_python(shared, py, literal=f"%{{v: {literal}}}")

    assert exact(given.args["v"]) == exact(read)
    check(row, **in_python(args={"v": read}))


@pytest.mark.item("jobs: decimals, times and other values")
async def test_what_crosses_is_read_back_as_the_type_that_it_was(shared, python):
    """Both languages parse what the other has written."""
    py = await python(shared.at)
    literal = '%{decimal: Decimal.new("1.10"), moment: ~U[2026-01-02 03:04:05.678901Z], day: ~D[2026-01-02]}'

    _, given, _ = await into_python(shared, py, literal=literal)
    read = {
        "decimal": Decimal(given.args["decimal"]),
        "moment": datetime.fromisoformat(given.args["moment"]),
        "day": date.fromisoformat(given.args["day"]),
    }
    job, _, _ = await into_elixir(shared, py, args=read)

    assert read == {"decimal": Decimal("1.10"), "moment": MOMENT, "day": date(2026, 1, 2)}
    code = f"""
    %{{"args" => args}} = Interop.job(id)
    {{:ok, moment, 0}} = DateTime.from_iso8601(args["moment"])
    %{{decimal: Decimal.new(args["decimal"]), moment: moment, day: Date.from_iso8601!(args["day"])}} == {literal}
    """
    assert await shared.ex.rpc(code, id=job.id)


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, "a\x00b", "\ud800", {1, 2}, 10**1024, time, object()],
    ids=lambda value: repr(value)[:20],
)
@pytest.mark.item("jobs: args that JSON can't hold")
async def test_python_refuses_what_would_stop_a_queue_of_elixir(shared, python, value):
    py = await python(shared.at, queues={})
    before = await shared.at.conn.fetchval(f"select count(*) from {shared.at.table}")

    with pytest.raises(EncodeError, match=r"args.*v"):
        await py.oban.enqueue(Job("Interop.Ok", queue="elixir", args={"v": value}))

    assert await shared.at.conn.fetchval(f"select count(*) from {shared.at.table}") == before


@pytest.mark.parametrize("literal", ["{1, 2}", "[a: 1]", "<<255>>", "self()", "1..2"])
@pytest.mark.item("jobs: args that JSON can't hold")
async def test_elixir_refuses_what_python_could_not_read(shared, literal):
    before = await shared.at.conn.fetchval(f"select count(*) from {shared.at.table}")

    with pytest.raises(RemoteError):
        await shared.ex.rpc(f'Interop.insert("interop.Ok", %{{v: {literal}}}, queue: "python")')

    assert await shared.at.conn.fetchval(f"select count(*) from {shared.at.table}") == before
