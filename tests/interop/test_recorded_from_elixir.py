"""What Elixir recorded, with every option of its writer, as Bridge's fetch_result returns it."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from bridge import Job
from bridge.codecs.etf import Atom, BitString, Fun, ImproperList, PairMap, Pid, Port, Reference, Struct

from .conftest import ELIXIR
from .endings import all_done, check_ended
from .terms import native, same

BERLIN = 'time_zone: "Europe/Berlin", zone_abbr: "CEST", utc_offset: 3600, std_offset: 3600'
SUMMER = (
    f"%DateTime{{year: 2026, month: 7, day: 1, hour: 3, minute: 4, second: 5, microsecond: {{678901, 6}}, {BERLIN}}}"
)

#: Elixir, and what Python makes of it: all golden terms, and every struct that has a type in Python.
TERMS = {
    "nil": None,
    "true": True,
    "false": False,
    ":ok": Atom("ok"),
    ":ünï": Atom("ünï"),
    ":日本": Atom("日本"),
    "Enum": Atom("Elixir.Enum"),
    "0": 0,
    "255": 255,
    "256": 256,
    "-1": -1,
    "2_147_483_647": 2**31 - 1,
    "2_147_483_648": 2**31,
    "-2_147_483_648": -(2**31),
    "9_223_372_036_854_775_807": 2**63 - 1,
    "2 ** 2040": 2**2040,
    "-(2 ** 5000)": -(2**5000),
    "1.5": 1.5,
    "1.0e22": 1e22,
    "5.0e-324": 5e-324,
    '"héllo"': "héllo",
    '"a" <> <<0>>': "a\0",
    "<<0, 255>>": b"\x00\xff",
    '""': "",
    "<<5::size(3)>>": BitString(b"\xa0", 3),
    "[]": [],
    "[1, 2, 3]": [1, 2, 3],
    '~c"abc"': [97, 98, 99],
    '[256, "a"]': [256, "a"],
    "[1 | 2]": ImproperList((1,), 2),
    "{:ok, 1}": (Atom("ok"), 1),
    "{}": (),
    "List.to_tuple(Enum.to_list(1..300))": tuple(range(1, 301)),
    "%{}": {},
    "%{a: 1}": {Atom("a"): 1},
    '%{"a" => 1}': {"a": 1},
    "%{1 => 2}": {1: 2},
    "%{1 => :a, 1.0 => :b}": PairMap(((1, Atom("a")), (1.0, Atom("b")))),
    "[a: 1]": [(Atom("a"), 1)],
    "~U[2026-01-01 00:00:00.000001Z]": datetime(2026, 1, 1, 0, 0, 0, 1, UTC),
    SUMMER: datetime(2026, 7, 1, 3, 4, 5, 678901, ZoneInfo("Europe/Berlin")),
    "~N[2026-01-01 00:00:00]": datetime(2026, 1, 1),  # noqa: DTZ001 - it is naive in Elixir, too
    "~D[2026-01-01]": date(2026, 1, 1),
    "~T[23:59:59.123456]": time(23, 59, 59, 123456),
    'Decimal.new("-1.10")': Decimal("-1.10"),
    'Decimal.new("NaN")': Decimal("NaN"),
    'Decimal.new("Infinity")': Decimal("Infinity"),
    'MapSet.new([1, "two", :three])': frozenset((1, "two", Atom("three"))),
    "MapSet.new()": frozenset(),
    "1..3": range(1, 4),
    "10..1//-3": range(10, 0, -3),
    '%RuntimeError{message: "x"}': Struct("RuntimeError", {"message": "x", "__exception__": True}),
    '%{"rows" => [%{at: ~D[2026-01-01], sum: Decimal.new("0.30"), tags: MapSet.new(["a"])}]}': {
        "rows": [{Atom("at"): date(2026, 1, 1), Atom("sum"): Decimal("0.30"), Atom("tags"): frozenset(["a"])}]
    },
    'String.duplicate("ab", 500_000)': "ab" * 500_000,
    'Enum.map(1..2000, &%{"n" => &1})': [{"n": number} for number in range(1, 2001)],
}

#: What means something only on the node that wrote it.
LOCAL = {
    "self()": Pid,
    "make_ref()": Reference,
    "hd(Port.list())": Port,
    "&String.upcase/1": Fun,
    "fn x -> x end": Fun,
}

WRITERS = {
    "default": {},
    "padded": {"padding": True},
    "as OTP 26 writes atoms": {"options": [["minor_version", 2]]},
    "as OTP 25 writes atoms": {"options": [["minor_version", 1]]},
    "compressed": {"options": ["compressed"]},
    "compressed as far as it goes, padded": {"options": [["compressed", 9]], "padding": True},
}


async def run(shared, py, sources, writer):
    """Have Elixir record what the sources say; returns the jobs' ids."""
    jobs = [Job("Interop.Recorder", args={"source": source, **writer}, queue="elixir") for source in sources]
    numbers = [job.id for job in await py.oban.enqueue_many(jobs)]
    await all_done(shared.ex, numbers)
    return numbers


async def back(shared, numbers, results):
    """Tell whether each result, written in Python, is the very term that Elixir recorded."""
    kept = "for {id, binary} <- Enum.zip(ids, binaries), do: Interop.Recorder.kept?(id, binary)"
    return await shared.ex.rpc(kept, ids=numbers, binaries=[native(result) for result in results])


@pytest.mark.item("recorded: Elixir's terms and structs in Python")
@pytest.mark.parametrize("writer", WRITERS)
async def test_python_fetches_what_elixir_recorded(shared, python, writer):
    py = await python(shared.at, queues={})
    numbers = await run(shared, py, TERMS, WRITERS[writer])

    results = [await py.oban.fetch_result(number) for number in numbers]

    assert {
        source: result
        for (source, value), result in zip(TERMS.items(), results, strict=True)
        if not same(result, value)
    } == {}
    assert all(await back(shared, numbers, results))


@pytest.mark.item("recorded: Elixir's terms and structs in Python")
async def test_a_recorded_row_of_elixir_is_as_oban_pro_writes_it(shared, python):
    py = await python(shared.at, queues={})
    args = {"source": '%{name: "oban"}', "options": [["minor_version", 2]]}
    (number,) = await run(shared, py, [args["source"]], {"options": args["options"]})

    row = await shared.at.row(number)

    meta = {"recorded": True, "return": "g3QAAAABdwRuYW1lbQAAAARvYmFu"}
    check_ended(row, "completed", node=ELIXIR, worker="Interop.Recorder", queue="elixir", args=args, meta=meta)
    assert same(await py.oban.fetch_result(number), {Atom("name"): "oban"})


@pytest.mark.item("recorded: pids, references, ports and funs")
async def test_what_means_something_only_to_elixir_is_carried_by_python_unopened(shared, python):
    py = await python(shared.at, queues={})
    numbers = await run(shared, py, LOCAL, {})

    results = [await py.oban.fetch_result(number) for number in numbers]

    assert dict(zip(LOCAL, map(type, results), strict=True)) == LOCAL
    assert all(await back(shared, numbers, results))
