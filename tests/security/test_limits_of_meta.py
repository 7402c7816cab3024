"""Meta grows by what is merged into it: no merge of ours makes it longer than meta may be."""

import json
from contextlib import nullcontext

import pytest
from queues.conftest import ends, gate, worker
from queues.rig import insert_row, row_of

from bridge import Job, Record, Snooze, Unique
from bridge.engine.schema import install_unique_index
from bridge.errors import EncodeError
from bridge.telemetry import instruments
from bridge.telemetry.instruments import Instrument

from .limits import document, fresh_limits, limits

__all__ = ["ends", "fresh_limits", "gate", "limits", "worker"]

TOO_LONG = r"meta: expected at most 2,000, got '2,\d\d\d bytes'; store it elsewhere .* raise BRIDGE_META_LIMIT"


def named(name, size):
    """An object of one key of that name, so long that as many bytes are added to a document with other keys."""
    return {name: "x" * (size - len(f',"{name}":""'))}


# Updates


async def test_an_update_may_fill_meta_up_and_no_further(start, conn, limits):
    limits(meta=2_000)
    oban = await start()
    job = await oban.enqueue(Job("W", meta=document(1_500)))
    await oban.update_job(job, {"meta": named("b", 500)})
    before = await row_of(conn, job)
    assert len(json.dumps(before["meta"], separators=(",", ":"))) == 2_000
    for more in ({"c": 1}, named("b", 501), document(2_000)):
        with pytest.raises(EncodeError, match=TOO_LONG):
            await oban.update_job(job, {"meta": more})
    assert await row_of(conn, job) == before
    await oban.update_job(job, {"meta": named("b", 500)})  # replaced by as much
    await oban.update_job(job, {"meta": {"a": None}})  # what makes it shorter
    await oban.update_job(job, {"meta": named("c", 1_000)})


async def test_one_job_whose_meta_has_no_room_keeps_all_of_an_update_as_they_are(start, conn, limits):
    limits(meta=2_000)
    oban = await start()
    await oban.enqueue_many([Job("W", meta={"n": n}) for n in range(3)] + [Job("W", meta=document(1_900))])
    before = await conn.fetch("select xmin::text, j::text from oban_jobs as j order by id")
    with pytest.raises(EncodeError, match=TOO_LONG):
        await oban.update_jobs(None, {"meta": named("b", 200)}, worker="W")
    assert await conn.fetch("select xmin::text, j::text from oban_jobs as j order by id") == before


async def test_longer_meta_that_somebody_else_wrote_is_left_alone_or_made_shorter(start, conn, limits):
    limits(meta=2_000)
    oban = await start()
    job = await insert_row(conn, meta=json.dumps(document(5_000)))
    await oban.update_job(job, {"priority": 1})
    with pytest.raises(EncodeError, match=r"got '5,\d\d\d bytes'"):
        await oban.update_job(job, {"meta": {"b": 1}})
    assert (await oban.update_job(job, {"meta": {"a": 1}})).meta == {"a": 1}


async def test_longer_meta_that_is_no_object_is_replaced(start, conn, limits):
    limits(meta=2_000)
    oban = await start()
    job = await insert_row(conn, meta=json.dumps(["x" * 5_000]))
    assert (await oban.update_job(job, {"meta": {"b": 1}})).meta == {"b": 1}


# What a job adds


async def test_snoozes_that_add_a_key_each_time_end_at_the_limit(start, registry, worker, ends, conn, limits):
    limits(meta=2_000)
    runs = []

    async def process(_job):
        runs.append(None)
        return Snooze(0, meta=named(f"k{len(runs)}", 600))

    cls = worker(process)
    oban = await start(queues={"default": 1})
    job = await oban.enqueue(cls.new({}, meta={"own": 1}))
    assert [event.state for event in await ends.first(4)] == ["scheduled", "scheduled", "scheduled", "retryable"]
    row = await row_of(conn, job)
    assert list(row["meta"]) == ["k1", "k2", "k3", "own"]
    assert "meta: expected at most 2,000, got '2,409 bytes'" in row["errors"][0]["error"]


async def test_a_result_has_room_beside_the_meta_that_is_there_or_fails_its_job(
    start, registry, worker, ends, conn, limits
):
    limits(meta=2_000)
    cls = worker(lambda _job: Record("x" * 900))
    oban = await start(queues={"default": 2})
    full, free = await oban.enqueue_many([cls.new({}, meta=document(1_000)), cls.new({}, meta=document(100))])
    await ends.of(full)
    await ends.of(free)
    row = await row_of(conn, full)
    assert (row["state"], row["meta"]) == ("retryable", document(1_000))
    assert "meta: expected at most 2,000, got '2," in row["errors"][0]["error"]
    assert await oban.fetch_result(await oban.get_job(free.id)) == "x" * 900


async def test_what_a_job_does_to_its_own_object_is_not_counted(start, registry, worker, ends, conn, limits):
    limits(meta=2_000)

    async def process(job):
        job.meta["note"] = "x" * 5_000
        return Snooze(60, meta={"b": 1})

    cls = worker(process)
    oban = await start(queues={"default": 1})
    job = await oban.enqueue(cls.new({}, meta={"own": 1}))
    await ends.of(job)
    row = await row_of(conn, job)
    assert (row["state"], row["meta"]) == ("scheduled", {"own": 1, "b": 1})


# What Bridge adds to a new job


async def test_the_rule_for_the_unique_index_counts_as_meta(start, conn, limits):
    await install_unique_index(conn)
    limits(meta=2_000)
    oban = await start()
    held = Unique(period="infinity", index=True)
    await oban.enqueue(Job("W", args={"n": 1}, meta=document(1_800), unique=held))
    with pytest.raises(EncodeError, match=TOO_LONG):
        await oban.enqueue(Job("W", args={"n": 2}, meta=document(1_990), unique=held))
    assert await conn.fetchval("select count(*) from oban_jobs") == 1


class Tracer(Instrument):
    """Sends along what tracing would."""

    def insertion(self, insertion):
        insertion.carrier = {"traceparent": "t" * 55}
        return nullcontext()

    def run(self, _run):
        return nullcontext()


async def test_what_tracing_adds_is_left_out_where_it_has_no_room(start, conn, limits):
    limits(meta=2_000)
    oban = await start()
    instruments.install("tracer", Tracer())
    try:
        with_room, without = [await oban.enqueue(Job("W", meta=document(size))) for size in (1_900, 1_950)]
    finally:
        instruments.uninstall("tracer")
    assert (await row_of(conn, with_room))["meta"] == {**document(1_900), "traceparent": "t" * 55}
    assert (await row_of(conn, without))["meta"] == document(1_950)


# Jobs like one that is there


@pytest.mark.parametrize("field", ["args", "meta"])
async def test_a_job_like_a_larger_one_of_somebody_else_s_is_refused(start, conn, limits, field):
    limits(args=2_000, meta=2_000)
    oban = await start()
    found = await oban.get_job(await insert_row(conn, **{field: json.dumps(document(5_000))}))
    with pytest.raises(EncodeError, match=f"{field}: expected at most 2,000, got '5,000 bytes'"):
        await oban.enqueue(found.again())


async def test_the_spaces_that_postgresql_writes_are_not_counted(start, conn, limits):
    limits(args=2_000)
    oban = await start()
    args = {"a": [1] * 900}
    found = await oban.get_job((await oban.enqueue(Job("W", args=args))).id)
    again = await oban.enqueue(found.again())
    assert (await row_of(conn, again))["args"] == args
