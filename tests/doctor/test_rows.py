"""Rows that no node should have written: each is made, seen, mended, and gone."""

import pytest

from bridge.doctor import Level

from .rig import examined, found, put

POISON = {
    "args": {"args": "'[1]'"},
    "meta": {"meta": "'\"text\"'"},
    "errors": {"errors": "array['\"boom\"']::jsonb[]"},
    "infinite": {"scheduled_at": "'infinity'"},
}
ODD = {
    "error_at": {"errors": """array['{"at": "yesterday", "attempt": 1, "error": "x"}']::jsonb[]"""},
    "error_text": {"errors": """array['{"at": "2026-01-01T00:00:00.000000Z", "attempt": 1}']::jsonb[]"""},
    "no_start": {"state": "'executing'"},
    "no_end": {"state": "'discarded'"},
    "priority": {"priority": "12"},
}
SOUND = {
    "errors of Elixir": {"errors": """array['{"at":"2026-11-21T21:47:24.4652Z","attempt":1,"error":"x"}']::jsonb[]"""},
    "another zone": {"errors": """array['{"at":"2026-11-21T21:47:24+01:00","attempt":1,"error":"x"}']::jsonb[]"""},
    "no meta": {"meta": "null", "tags": "null"},
    "ended": {"state": "'completed'", "completed_at": "now()"},
    "running": {"state": "'executing'", "attempt": "1", "attempted_at": "now()", "attempted_by": "array['ex@a']"},
}  # fmt: skip


@pytest.mark.parametrize("state", ["available", "scheduled", "retryable"])
@pytest.mark.parametrize("fault", POISON)
async def test_what_stops_a_queue_of_elixirs_is_a_problem_until_it_is_mended(installed, own, fault, state):
    job = await put(own, **POISON[fault], state=f"'{state}'")
    await put(own)
    finding = await found(installed, "poison-rows", "problem")
    assert finding.figures["faults"] == {fault: {"jobs": 1, "ids": [job]}}
    assert f"({state}), ids {job}" in finding.details[0]

    await own.execute("delete from oban_jobs where id = $1", job)
    await found(installed, "poison-rows", "ok")


@pytest.mark.parametrize("fault", ODD)
async def test_what_no_node_writes_is_a_warning_until_it_is_gone(installed, own, fault):
    job = await put(own, **ODD[fault])
    finding = await found(installed, "odd-rows", "warning")
    assert finding.figures["faults"] == {fault: {"jobs": 1, "ids": [job]}}

    await own.execute("delete from oban_jobs where id = $1", job)
    await found(installed, "odd-rows", "ok")


@pytest.mark.parametrize("columns", SOUND.values(), ids=SOUND.keys())
async def test_what_nodes_write_is_sound(installed, own, columns):
    await put(own, **columns)

    findings = await examined(installed)

    assert findings["poison-rows"].level is findings["odd-rows"].level is Level.OK


async def test_a_waiting_job_without_attempts_left_is_a_problem_that_a_cancellation_mends(installed, own, start):
    job = await put(own, attempt="3", max_attempts="3")
    finding = await found(installed, "exhausted-rows", "problem")
    assert finding.figures == {"jobs": 1}
    assert f"ids {job}" in finding.details[0]
    assert "bridge jobs cancel" in finding.mend

    await (await start()).cancel_job(job)
    await found(installed, "exhausted-rows", "ok")


async def test_one_that_is_not_staged_yet_is_a_warning(installed, own):
    await put(own, attempt="3", max_attempts="3", state="'retryable'")

    await found(installed, "exhausted-rows", "warning")


async def test_a_fault_is_told_once_though_a_row_is_looked_at_for_its_state_and_for_its_newness(installed, own):
    await put(own, args="'[]'")

    assert (await found(installed, "poison-rows", "problem")).figures["looked_at"] == 1
