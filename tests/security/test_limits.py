"""What is too large is refused where it begins, by a message with the limit, the size and the mend; nothing is lost."""

import json
import random
import re

import pytest
from queues.conftest import ends, gate, worker
from queues.rig import insert_row, row_of

from bridge import Cancel, Job, Record, Snooze
from bridge.codecs import json as codec
from bridge.errors import EncodeError, InvalidPayload, InvalidSetting, ValidationError
from bridge.queues.failures import TEXT_LIMIT

from .limits import document, fresh_limits, limits

__all__ = ["ends", "fresh_limits", "gate", "limits", "worker"]


# Args and meta


@pytest.mark.parametrize("field", ["args", "meta"])
async def test_too_large_args_and_meta_are_refused_and_nothing_is_written(start, conn, limits, field):
    limits(args=2_000, meta=2_000)
    oban = await start()
    kept = await oban.enqueue(Job("W", **{field: document(2_000)}))
    message = (
        rf"{field}: expected at most 2,000, got '2,001 bytes'; store it elsewhere .* raise BRIDGE_{field.upper()}_LIMIT"
    )
    for refused in (
        lambda: oban.enqueue(Job("W", **{field: document(2_001)})),
        lambda: oban.enqueue_many([Job("W"), Job("W", **{field: document(2_001)})]),
        lambda: oban.update_job(kept, {field: document(2_001)}),
    ):
        with pytest.raises(EncodeError, match=message):
            await refused()
    assert await conn.fetchval("select count(*) from oban_jobs") == 1


async def test_bytes_are_counted_and_not_characters(limits):
    limits(args=1_024)
    codec.encode_object({"a": "ü" * 508}, "args")
    with pytest.raises(EncodeError, match="got '1,026 bytes'"):
        codec.encode_object({"a": "ü" * 509}, "args")


def test_the_defaults():
    assert (codec.limit_of("args"), codec.limit_of("meta")) == (16 * 2**20, 128 * 2**20)
    with pytest.raises(EncodeError, match="args: expected at most 16,777,216, got '16,777,217 bytes'"):
        codec.encode_object(document(16 * 2**20 + 1), "args")
    codec.encode_object(document(16 * 2**20), "args")


@pytest.mark.parametrize("value", ["lots", "-1", "1_000_000", "1023", "268435456", "٣٣٣٣", "1e6"])
def test_limits_that_are_none(limits, value):
    limits(args=value)
    with pytest.raises(InvalidSetting, match="BRIDGE_ARGS_LIMIT: expected a number of bytes from 1,024"):
        codec.encode_object(document(2_000), "args")


async def test_a_larger_row_that_somebody_else_wrote_runs(start, registry, worker, ends, conn, limits):
    limits(args=1_024)
    seen = []
    worker(lambda job: seen.append(len(job.args["a"])))
    await insert_row(conn, args=json.dumps(document(50_000)))
    await start(queues={"default": 1})
    await ends.first(1)
    assert seen == [50_000 - 8]


# Errors


async def test_a_long_error_is_cut_with_a_mark(start, registry, worker, ends, conn):
    async def process(_job):
        raise ValueError("x" * 1_000_000)

    cls = worker(process)
    oban = await start(queues={"default": 1})
    job = await oban.enqueue(cls.new({}))
    await ends.of(job)
    [entry] = (await row_of(conn, job))["errors"]
    assert entry["error"].startswith("** (ValueError) xxx")
    assert TEXT_LIMIT < len(entry["error"]) < TEXT_LIMIT + 60
    assert re.search(r"\n… \d+ characters more$", entry["error"])


async def test_a_long_reason_is_cut_too(start, registry, worker, ends, conn):
    async def process(_job):
        return Cancel("y" * 1_000_000)

    cls = worker(process)
    oban = await start(queues={"default": 1})
    job = await oban.enqueue(cls.new({}))
    await ends.of(job)
    row = await row_of(conn, job)
    assert row["state"] == "cancelled"
    assert len(row["errors"][0]["error"]) < 2 * TEXT_LIMIT + 200


# Results


async def test_a_result_that_is_too_large_fails_its_job_clearly_and_no_other(start, registry, worker, ends, conn):
    async def process(job):
        return Record("x" * job.args["size"], limit=2_000)

    cls = worker(process)
    oban = await start(queues={"default": 2})
    large, small = await oban.enqueue_many([cls.new({"size": 2_000}), cls.new({"size": 1_000})])
    await ends.of(large)
    await ends.of(small)
    row = await row_of(conn, large)
    assert row["state"] == "retryable"
    assert "return" not in row["meta"]
    assert re.search(
        r"a result of 2,\d{3} characters.*|expected at most 2,000 characters once encoded", row["errors"][0]["error"]
    )
    assert "store it elsewhere and record a reference" in row["errors"][0]["error"]
    assert await oban.fetch_result(await oban.get_job(small.id)) == "x" * 1_000


async def test_meta_of_a_snooze_that_is_too_large_fails_that_execution(start, registry, worker, ends, conn, limits):
    limits(meta=2_000)

    async def process(_job):
        return Snooze(60, meta=document(2_001))

    cls = worker(process)
    oban = await start(queues={"default": 1})
    job = await oban.enqueue(cls.new({}))
    await ends.of(job)
    row = await row_of(conn, job)
    assert row["state"] == "retryable"
    assert "meta: expected at most 2,000, got '2,001 bytes'" in row["errors"][0]["error"]


# Notifications


async def test_a_notification_that_is_too_long_is_refused(start):
    oban = await start()
    # Random digits, because what repeats becomes short by compression.
    digits = "".join(random.Random(1).choices("0123456789abcdef", k=30_000))
    with pytest.raises(InvalidPayload, match="at most 7999 bytes"):
        await oban.notifier.notify("gossip", {"text": digits})


# Names and tags


@pytest.mark.parametrize("options", [{"worker": "W" * 128}, {"queue": "q" * 128}])
async def test_names_that_are_too_long(start, options):
    oban = await start()
    with pytest.raises(ValidationError, match=r"text of 1 to 127 characters, got .*; this has 128"):
        await oban.enqueue(Job(**{"worker": "W", **options}))
