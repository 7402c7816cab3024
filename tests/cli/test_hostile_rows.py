"""Rows as strangers write them: nothing in them reaches the terminal as a command, or breaks a table."""

import json
import re
import unicodedata
from datetime import UTC, datetime, timedelta

import pytest
from queues.rig import insert_row, states

from bridge.cli.moments import parse_duration, parse_moment, relative, span
from bridge.cli.tables import clean

EVIL = "\x1b]0;owned\x07\x1b[2J\r\n\t[red]bold[/red]\x9b31m\u202egnp\u2066\u2028\u200e\ufeff:smile:"
ARGS = {
    "a list": "[1, 2]",
    "null in JSON": "null",
    "a text": '"text"',
    "a number of 10,000 digits": '{"n": ' + "9" * 10_000 + "}",
    "a number beyond floats": '{"n": 1e400, "small": 1e-400}',
    "deeply nested": '{"a": ' + "[" * 2_000 + "]" * 2_000 + "}",
    "huge": json.dumps({"text": "x" * 2_000_000}),
    "hostile": json.dumps({EVIL: EVIL}),
}


def dangerous(text):
    """What a terminal would obey in a text, beside line breaks."""
    unsafe = {"Cc", "Cf", "Zl", "Zp"}
    return {char for char in text if unicodedata.category(char) in unsafe} - {"\n"}


async def put_evil(conn, **columns):
    errors = [json.dumps({"attempt": EVIL, "at": EVIL, "error": f"{EVIL}\nsecond line"}), json.dumps([EVIL])]
    return await insert_row(
        conn,
        worker=f"W{EVIL}",
        queue=f"q{EVIL}",
        tags=[EVIL],
        meta=json.dumps({"contract": EVIL, "return": EVIL}),
        errors=errors,
        **columns,
    )


@pytest.mark.parametrize("columns", [30, 60, 100, 200])
async def test_a_table_keeps_its_shape_whatever_stands_in_the_rows(bridge, conn, columns):
    job_id = await put_evil(conn, args=ARGS["hostile"], state="executing", attempt=1, attempted_by=[EVIL, EVIL])
    for command in (["jobs", "list"], ["jobs", "list", "--count", "queue,worker"], ["queues", "list"]):
        lines = (await bridge.run(*command, columns=columns)).stdout.splitlines()
        assert len(lines) == 5
        assert not dangerous("".join(lines))
        assert len(set(map(len, lines))) == 1
    shown = (await bridge.run("jobs", "show", job_id, columns=columns)).output
    assert dangerous(shown) == {"\t"}  # as it stands in the error's text
    assert "[red]bold[/red]" in shown
    assert "\\x1b]0;owned\\x07" in shown


@pytest.mark.parametrize("args", ARGS.values(), ids=ARGS.keys())
async def test_rows_that_no_worker_could_read_are_listed_shown_and_told_to_scripts(bridge, conn, args):
    job_id = await insert_row(conn, args=args)
    await insert_row(conn, worker="Other")
    table = (await bridge.run("jobs", "list", columns=120)).stdout.splitlines()
    assert (len(table), max(map(len, table)) <= 120) == (6, True)
    shown = await bridge.run("jobs", "show", job_id)
    assert shown.exit_code == 0
    assert len(shown.output) < 30_000
    [other, row] = [json.loads(line) for line in (await bridge.run("jobs", "list", "--json")).stdout.splitlines()]
    assert (other["worker"], row["id"]) == ("Other", job_id)
    if args in ("[1, 2]", "null", '"text"', ARGS["huge"], ARGS["hostile"]):
        assert row["args"] == json.loads(args)


async def test_rows_without_meta_tags_and_errors(bridge, conn):
    await conn.execute("alter table oban_jobs alter errors drop not null")
    job_id = await insert_row(conn, meta=None, tags=None, attempted_by=None)
    await conn.execute("update oban_jobs set errors = null")
    [row] = [json.loads(line) for line in (await bridge.run("jobs", "list", "--json")).stdout.splitlines()]
    assert (row["meta"], row["tags"], row["attempted_by"], row["errors"]) == (None, [], [], [])
    assert (await bridge.run("jobs", "show", job_id)).exit_code == 0


async def test_queues_with_hostile_names_are_told_to_scripts_as_they_are(bridge, conn):
    await put_evil(conn, state="executing", attempt=1, attempted_by=[EVIL, EVIL])
    [line] = (await bridge.run("queues", "list", "--json")).stdout.splitlines()
    assert not dangerous(line)
    assert json.loads(line)["queue"] == f"q{EVIL}"
    assert json.loads(line)["nodes"][0]["node"] == EVIL


async def test_messages_hold_nothing_of_it_either(bridge, conn):
    await put_evil(conn)
    told = await bridge.run("jobs", "enqueue", f"W{EVIL}", "-q", EVIL)
    assert (told.exit_code, dangerous(told.output)) == (0, set())
    paused = await bridge.run("queues", "pause", f"q{EVIL}")
    assert (paused.exit_code, dangerous(paused.output)) == (0, set())
    assert await states(conn) == {"available": 2}


def test_words_of_all_scripts_stay_as_they_are():
    for text in ("Zoë", "日本語", "\u0645\u06cc\u200c\u062e\u0648", "👩\u200d🔬", "e\u0301"):
        assert clean(text) == text
    assert clean("a\nb\tc", keep="\n") == "a\nb\\tc"
    assert re.fullmatch(r"[\x20-\x7e]*", clean("".join(map(chr, range(256))).encode("ascii", "ignore").decode()))


# Times


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("1.5", 1.5), ("5m", 300), ("1h30m", 5_400), ("2d", 172_800), ("1w", 604_800), ("0s", 0)],
)
def test_durations(text, seconds):
    assert parse_duration("--in", text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "m", "-5m", "5 m", "5y", "1e3", "nan", "٣m", "9" * 400 + "s"])
def test_texts_that_are_no_durations(text):
    with pytest.raises(ValueError, match=r"--in: expected a duration such as 90 \(seconds\)"):
        parse_duration("--in", text)


def test_moments():
    now = datetime(2026, 3, 1, tzinfo=UTC)
    assert parse_moment("--at", "now", now) == now
    assert parse_moment("--at", "in 1h", now) == now + timedelta(hours=1)
    assert parse_moment("--at", "1d ago", now) == now - timedelta(days=1)
    assert parse_moment("--at", "2026-03-01T02:00:00+02:00", now) == now
    for text in ("", "tomorrow", "in", "ago", "in 5m ago", "2026-03-01", "2026-03-01T00:00:00", "in 99999999w"):
        with pytest.raises(ValueError, match="--at: expected a"):
            parse_moment("--at", text, now)


def test_times_are_told_in_one_unit():
    now = datetime(2026, 3, 1, tzinfo=UTC)
    spans = [(0.5, "now"), (59, "59 s ago"), (119, "119 s ago"), (120, "2 min ago"), (7_200, "2 h ago"),
             (200_000, "2 d ago"), (86_400 * 20, "2 w ago"), (86_400 * 400, "13 mo ago")]  # fmt: skip
    assert [(seconds, relative(now - timedelta(seconds=seconds), now)) for seconds, _ in spans] == spans
    assert relative(now + timedelta(minutes=5), now) == "in 5 min"
    assert span(0) == "0 s"
