"""What tables of an older version, or Oban for Python's, can't hold is refused with that database's limit."""

from dataclasses import replace

import pytest

from bridge.errors import InvalidJob
from bridge.jobs import Job

from .rig import put, untouched


async def test_suspended_where_the_enum_lacks_it(engine, conn, ear):
    old = replace(engine.catalog, states=tuple(state for state in engine.catalog.states if state != "suspended"))
    older = type(engine)(engine._connections, "public", old)

    async with untouched(conn, ear):
        with pytest.raises(InvalidJob) as refusal:
            await older.insert(Job("W", state="suspended"))

    assert str(refusal.value) == ("state: expected a state that this database has, got 'suspended'; run bridge upgrade")


LIMITS = {
    "priority": (
        {"max_priority": 3},
        {"priority": 4},
        {"priority": 3},
        "priority: expected 0 to 3 in this database, got 4",
    ),
    "max_attempts": (
        {"max_attempts_limit": 32_767},
        {"max_attempts": 32_768},
        {"max_attempts": 32_767},
        "max_attempts: expected at most 32767 in this database, got 32768",
    ),
    "tags": (
        {"max_tag_length": 255},
        {"tags": ["ok", "t" * 256]},
        {"tags": ["t" * 255]},
        f"tags: expected tags of at most 255 characters in this database, got '{'t' * 78}…",
    ),
}


@pytest.mark.parametrize(("limit", "bad", "good", "message"), LIMITS.values(), ids=LIMITS.keys())
async def test_limits_of_older_tables(engine, conn, ear, limit, bad, good, message):
    older = type(engine)(engine._connections, "public", replace(engine.catalog, **limit))
    job_id = await put(conn, "scheduled")

    acts = [
        (lambda values: older.insert(Job("W", **values)), ""),
        (lambda values: older.insert_many([Job("W"), Job("W", **values)]), "; this is jobs[1]"),
        (lambda values: older.update({"id": job_id}, values), ""),
    ]
    for act, place in acts:
        async with untouched(conn, ear):
            with pytest.raises(InvalidJob) as refusal:
                await act(bad)
        assert str(refusal.value) == f"{message}; run bridge status to see what this database lacks{place}"
        await act(good)
