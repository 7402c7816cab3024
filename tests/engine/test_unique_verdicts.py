"""Which jobs are the same to a unique job is what Oban says."""

import json
from pathlib import Path

import pytest

from bridge.engine import probes
from bridge.jobs import Job

from .unique_jobs import count

#: Cases with the verdict of Oban 2.23.1 on a real node.
VERDICTS = [
    json.loads(line)
    for line in (Path(__file__).parent / "data" / "unique_verdicts.jsonl").read_text("utf-8").splitlines()
]


async def store(conn, stored):
    """Put a verdict's stored job there; `age` and `due` are seconds."""
    return await conn.fetchval(
        """insert into oban_jobs (worker, queue, args, meta, state, inserted_at, scheduled_at)
        values (
          $1, $2, $3::text::jsonb, $4::text::jsonb, $5::text::oban_job_state,
          timezone('UTC', now()) - make_interval(secs => $6), timezone('UTC', now()) + make_interval(secs => $7)
        )
        returning id""",
        *(stored["worker"], stored["queue"], json.dumps(stored["args"]), json.dumps(stored["meta"])),
        *(stored["state"], float(stored["age"]), float(stored["due"])),
    )


@pytest.mark.parametrize("singly", [0, probes.SINGLY], ids=["many", "few"])
async def test_verdicts_are_obans(engine, conn, monkeypatch, singly):
    """Both ways of asking the database give them."""
    monkeypatch.setattr(probes, "SINGLY", singly)
    assert len(VERDICTS) == 320
    wrong = []
    for case in VERDICTS:
        await conn.execute("truncate oban_jobs")
        job_id = await store(conn, case["stored"])

        job = await engine.insert(Job(**case["new"], unique=case["unique"]))

        if job.conflict is not case["conflict"] or (job.id == job_id) is not case["conflict"]:
            wrong.append(case)
        assert await count(conn) == 2 - job.conflict
    assert wrong == []


async def test_verdicts_within_a_batch_are_those_of_one_by_one(engine, conn):
    fresh = [case for case in VERDICTS if case["stored"]["state"] == "available"]
    assert len(fresh) > 30
    for case in fresh:
        stored = {name: case["stored"][name] for name in ("worker", "queue", "args", "meta")}
        second = Job(**case["new"], unique=case["unique"])
        await conn.execute("truncate oban_jobs")
        await engine.insert(Job(**stored))
        alone = await engine.insert(second)
        await conn.execute("truncate oban_jobs")

        _, together = await engine.insert_many([Job(**stored), second.again()])

        assert together.conflict is alone.conflict, case
