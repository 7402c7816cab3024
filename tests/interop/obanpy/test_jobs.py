"""Jobs that one Python enqueues and the other runs, on the tables of either."""

import json
from datetime import timedelta

import asyncpg
import pytest

from bridge import Job

from .rows import check, now, ran_by, read_row, since

pytestmark = pytest.mark.item("oban-py: jobs")

#: Whose tables: those that Bridge and Elixir make, with what Oban for Python adds, or its own alone.
BOTH = pytest.mark.parametrize("tables", ["elixir's", "oban-py's"], indirect=True)

#: What JSON can say, and PostgreSQL's jsonb can hold.
EVERY_KIND = {
    "null": None,
    "true": True,
    "false": False,
    "zero": 0,
    "negative": -17,
    "beyond 53 bits": 2**53 + 1,
    "beyond 64 bits": 2**64 + 1,
    "forty digits": -(10**39) - 7,
    "fraction": 0.1,
    "small": 1.5e-7,
    "large": 123456789.125,
    "empty text": "",
    "text": "Łukasz Müller, 漢字, עברית, 👩‍🚀, e\u0301",
    "odd text": 'tab\t quote" back\\slash \u2028 \x7f \U0010ffff',
    "list": [1, "two", None, [3, [4, []]], {"five": 5}],
    "empty list": [],
    "empty object": {},
    "nested": {"a": {"b": {"c": {"d": [{"e": "f"}]}}}},
    "": "an empty key",
    "ключ 键": "keys of any script",
}


@BOTH
async def test_a_job_of_bridge_is_run_by_oban_py(obanpy, peer, start, installed, row_when, tables):
    begun = now()
    bridge = await start()
    await obanpy({"shared": 5}, node="py@host-p")
    job = await bridge.enqueue(
        _job("workers.Echo", EVERY_KIND, priority=3, max_attempts=7, tags=["Zeta", "alpha"], meta={"from": "bridge"})
    )
    seen = (await peer.events.next("ran"))["job"]
    assert exactly(seen["args"]) == exactly(EVERY_KIND)
    # It sorts tags when it reads them too; the row keeps their order.
    assert (seen["tags"], seen["meta"]) == (["alpha", "zeta"], {"from": "bridge"})
    row = await row_when(job.id, "completed")
    check(
        row,
        id=job.id,
        state="completed",
        queue="shared",
        worker="workers.Echo",
        args=EVERY_KIND,
        attempt=1,
        max_attempts=7,
        priority=3,
        tags=["zeta", "alpha"],
        meta={"from": "bridge"},
        inserted_at=since(begun),
        scheduled_at=row["inserted_at"],
        attempted_at=since(row["inserted_at"]),
        attempted_by=ran_by("py@host-p"),
        completed_at=since(row["attempted_at"]),
    )


@BOTH
async def test_a_job_of_oban_py_is_run_by_bridge(obanpy, ours, start, row_when, tables):
    begun = now()
    ours.serve("mail.Send")
    await start(queues={"shared": 5}, node="bridge@host-b")
    theirs = await obanpy()
    job_id = await theirs.enqueue(
        "mail.Send",
        EVERY_KIND,
        queue="shared",
        priority=3,
        max_attempts=7,
        tags=["Zeta", "alpha", "zeta "],
        meta={"from": "oban-py"},
    )
    seen = await ours.run_of(job_id)
    assert exactly(seen.args) == exactly(EVERY_KIND)
    assert (seen.tags, seen.meta) == (["alpha", "zeta"], {"from": "oban-py"})
    row = await row_when(job_id, "completed")
    check(
        row,
        id=job_id,
        state="completed",
        queue="shared",
        worker="mail.Send",
        args=EVERY_KIND,
        attempt=1,
        max_attempts=7,
        priority=3,
        tags=["alpha", "zeta"],
        meta={"from": "oban-py"},
        inserted_at=since(begun),
        scheduled_at=row["inserted_at"],
        attempted_at=since(row["inserted_at"]),
        attempted_by=ran_by("bridge@host-b"),
        completed_at=since(row["attempted_at"]),
    )


@BOTH
async def test_new_rows_differ_by_who_made_them_in_the_order_of_tags_alone(obanpy, start, installed, tables):
    begun = now()
    ours, theirs = await start(), await obanpy()
    options = {"queue": "idle", "tags": ["b", "a"], "args": {"n": 1}}
    made = [(await ours.enqueue(_job("mail.Send", **options))).id, await theirs.enqueue("mail.Send", **options)]
    for job_id, tags in zip(made, (["b", "a"], ["a", "b"]), strict=True):
        row = await read_row(installed, job_id)
        check(
            row,
            id=job_id,
            state="available",
            queue="idle",
            worker="mail.Send",
            args={"n": 1},
            attempt=0,
            tags=tags,
            inserted_at=since(begun),
            scheduled_at=row["inserted_at"],
            attempted_at=None,
            attempted_by=None if tables == "elixir's" else [],
        )


@BOTH
async def test_a_scheduled_job_waits_and_is_then_run_by_the_other(
    obanpy, peer, ours, start, installed, row_when, tables
):
    ours.serve("mail.Send")
    bridge = await start(queues={"ours": 5})
    theirs = await obanpy({"theirs": 5})
    begun = now()
    for_them = (await bridge.enqueue(_job("workers.Echo", queue="theirs", schedule_in=600))).id
    for_us = await theirs.enqueue("mail.Send", queue="ours", scheduled_in=600)
    for job_id in (for_them, for_us):
        row = await read_row(installed, job_id)
        assert (row["state"], row["attempt"]) == ("scheduled", 0)
        assert begun <= row["scheduled_at"] - timedelta(seconds=600) <= now()
    conn = await asyncpg.connect(installed)
    await conn.execute("update oban_jobs set scheduled_at = timezone('utc', now()) + interval '1 second'")
    await conn.close()
    await peer.events.next("ran", job__id=for_them)
    await ours.run_of(for_us)
    for job_id in (for_them, for_us):
        row = await row_when(job_id, "completed")
        assert row["attempted_at"] >= row["scheduled_at"]


async def test_jobs_in_bulk_and_with_large_args_arrive_whole(obanpy, peer, ours, start):
    ours.serve("mail.Send")
    large = {"page": "ä\n" * 500_000}
    bridge, theirs = await start(queues={"ours": 20}), await obanpy({"theirs": 20})
    for_them = await bridge.enqueue_many(_job("workers.Echo", {"n": n}, queue="theirs") for n in range(200))
    for_us = await theirs.call("enqueue", jobs=[_dict("mail.Send", {"n": n}, queue="ours") for n in range(200)])
    for_them.append(await bridge.enqueue(_job("workers.Echo", large, queue="theirs")))
    for_us.append(await theirs.enqueue("mail.Send", large, queue="ours"))
    await ours.runs(201)
    await peer.events.next("ran", nth=201)
    expected = [{"n": n} for n in range(200)] + [large]
    ran_there = {event["job"]["id"]: event["job"]["args"] for event in peer.events.all("ran")}
    assert ran_there == dict(zip((job.id for job in for_them), expected, strict=True))
    assert {job.id: job.args for job in ours.ran} == dict(zip(for_us, expected, strict=True))
    assert (len(ours.ran), len(peer.events.all("ran"))) == (201, 201)


async def test_priorities_and_age_order_the_jobs_of_both(obanpy, peer, ours, start):
    ours.serve("mail.Send")
    bridge, theirs = await start(), await obanpy()
    expected = []
    for queue, worker in (("theirs", "workers.Echo"), ("ours", "mail.Send")):
        ids = {}
        for nth, priority in enumerate((5, 0, 9, 0, 5, 1)):
            job = {"queue": queue, "priority": priority}
            made = theirs.enqueue(worker, **job) if nth % 2 else bridge.enqueue(_job(worker, **job))
            found = await made
            ids[nth] = found if nth % 2 else found.id
        expected.append([ids[nth] for nth in (1, 3, 5, 0, 4, 2)])
    await obanpy({"theirs": 1})
    await start(queues={"ours": 1}, name="Second")
    await ours.runs(6)
    await peer.events.next("ran", nth=6)
    assert [event["job"]["id"] for event in peer.events.all("ran")] == expected[0]
    assert [job.id for job in ours.ran] == expected[1]


async def test_either_reads_and_changes_the_others_jobs(obanpy, start, installed):
    bridge, theirs = await start(), await obanpy()
    for_them = await bridge.enqueue(_job("workers.Echo", {"n": 1}, queue="idle"))
    for_us = await theirs.enqueue("mail.Send", {"n": 1}, queue="idle")

    assert (await theirs.call("job", job=for_them.id))["args"] == {"n": 1}
    changed = await theirs.call(
        "update", job=for_them.id, changes={"args": {"n": 2}, "tags": ["b", "a"], "priority": 4}
    )
    assert changed["args"] == {"n": 2}
    found = await bridge.get_job(for_them.id)
    assert (found.args, found.tags, found.priority, found.state) == ({"n": 2}, ["a", "b"], 4, "available")

    changed = await bridge.update_job(for_us, {"args": {"n": 2}, "tags": ["b", "a"], "meta": {"x": 1}})
    assert changed.args == {"n": 2}
    found = await theirs.call("job", job=for_us)
    assert (found["args"], found["tags"], found["meta"], found["state"]) == (
        {"n": 2},
        ["a", "b"],
        {"x": 1},
        "available",
    )

    assert await theirs.call("delete", ids=[for_them.id]) == 1
    assert await bridge.delete_job(for_us)
    assert await read_row(installed, for_them.id) is None
    assert await theirs.call("job", job=for_us) is None


async def test_a_unique_job_of_bridge_sees_what_oban_py_enqueued(obanpy, start):
    """The other way round nothing is unique: oban-py has no such option."""
    bridge, theirs = await start(), await obanpy()
    there = await theirs.enqueue("mail.Send", {"to": "ada"}, queue="idle")
    again = await bridge.enqueue(_job("mail.Send", {"to": "ada"}, queue="idle", unique={"period": 60}))
    other = await bridge.enqueue(_job("mail.Send", {"to": "eve"}, queue="idle", unique={"period": 60}))
    assert (again.id, again.conflict) == (there, True)
    assert (other.id, other.conflict) == (there + 1, False)
    assert await theirs.enqueue("mail.Send", {"to": "eve"}, queue="idle") == there + 2


def exactly(value):
    """A value so that 1, 1.0 and True differ, and the order of keys doesn't count."""
    return json.dumps(value, sort_keys=True)


def _job(worker, args=None, *, queue="shared", **options):
    return Job(worker, queue=queue, args=args or {}, **options)


def _dict(worker, args, **options):
    return {"worker": worker, "args": args, **options}
