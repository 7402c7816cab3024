"""Errors of jobs are objects of the form that Elixir reads, whatever was raised."""

import asyncio

import pytest

from bridge.queues.failures import error_entry

from .rig import AT, UUID, ack, insert_and_fetch


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no text")


def raised(error):
    try:
        raise error
    except BaseException as caught:
        return caught


@pytest.mark.parametrize(
    ("error", "headline"),
    [
        (ValueError("no"), "** (ValueError) no"),
        (ValueError('"quoted" \\'), '** (ValueError) "quoted" \\'),
        (ValueError("one\ntwo"), "** (ValueError) one"),
        (ValueError("NUL \0, half a pair \ud800"), "** (ValueError) NUL \\x00, half a pair \\ud800"),
        (ValueError("x" * 1_000_000), "** (ValueError) " + "x" * (20_000 - 16)),
        (Unprintable(), "** (engine.test_error_entries.Unprintable) <no text: __str__ raised RuntimeError>"),
        (asyncio.CancelledError(), "** (asyncio.exceptions.CancelledError) "),
        (SystemExit(3), "** (SystemExit) 3"),
        (ExceptionGroup("several", [ValueError("a")]), "** (ExceptionGroup) several (1 sub-exception)"),
    ],
    ids=["plain", "quotes", "lines", "what jsonb can't hold", "long", "no text", "cancelled", "exit", "group"],
)
async def test_every_error_becomes_an_object_that_elixir_reads(engine, conn, error, headline):
    """An entry that is none stops an Elixir queue, and Oban Web needs a time with zone and a text."""
    job = await insert_and_fetch(engine, max_attempts=1)

    entry = error_entry(raised(error), job.attempt, AT)
    assert await engine.ack(UUID, [ack(job, "discarded", error=entry)]) == {(job.id, 1)}

    [found] = (await engine.get(job.id)).errors
    assert found.keys() == {"attempt", "at", "error"}
    assert found["attempt"] == 1
    assert found["at"] == "2026-03-01T12:30:15.123456Z"
    assert found["error"].splitlines()[0] == headline
    assert await conn.fetchval("select jsonb_typeof(to_jsonb(errors)->0) from oban_jobs") == "object"


async def test_an_error_of_a_whole_second_has_six_digits(engine):
    job = await insert_and_fetch(engine)

    entry = error_entry(ValueError("no"), 1, AT.replace(microsecond=0))
    await engine.ack(UUID, [ack(job, "discarded", error=entry)])

    assert (await engine.get(job.id)).errors[0]["at"] == "2026-03-01T12:30:15.000000Z"
