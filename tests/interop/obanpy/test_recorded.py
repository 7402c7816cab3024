"""Results that one Python records are fetched by the other, value by value."""

import pytest

from bridge import Job
from bridge.errors import DecodeError, JobNotFound

from .peer import PeerError

pytestmark = pytest.mark.item("oban-py: recorded output")

#: What both write, and read as it was. Text and bytes are one type in Erlang.
VALUES = [
    None,
    True,
    False,
    0,
    255,
    256,
    -1,
    2**31 - 1,
    2**31,
    -(2**31) - 1,
    2**63 - 1,
    -(2**63),
    0.0,
    0.1,
    -1.5e300,
    "",
    "Łukasz 漢字 👩‍🚀",
    "x" * 100_000,
    [],
    [1, 2, 3],
    list(range(256)),
    [1, "two", None, [True, [2.5]]],
    {},
    {"a": {"b": [1, {"c": None}]}, "é": "ü"},
]

#: What oban-py alone writes, and what comes of it.
THEIRS_ALONE = [
    ((1, 2), (1, 2)),
    ({1: "one", 2.5: "half"}, {1: "one", 2.5: "half"}),
    (b"text", "text"),
    (b"\xff", b"\xff"),
    (2**64 - 1, 2**64 - 1),
]

#: What Bridge alone writes, and what oban-py makes of it.
OURS_ALONE = [
    ((1, 2), "[1, 2]"),
    ({1: "one"}, "{'1': 'one'}"),
    (b"text", "'text'"),
    (b"\xff", "UnicodeDecodeError"),
    (10**40, str(10**40)),
]


async def test_what_oban_py_records_is_fetched_by_bridge(obanpy, start, row_when):
    bridge = await start()
    await obanpy({"shared": 20})
    pairs = [*((value, value) for value in VALUES), *THEIRS_ALONE]
    jobs = [await bridge.enqueue(_record(repr(value))) for value, _ in pairs]
    for job, (_, value) in zip(jobs, pairs, strict=True):
        row = await row_when(job.id, "completed")
        assert (set(row["meta"]), row["meta"]["recorded"]) == ({"recorded", "return"}, True)
        found = await bridge.fetch_result(job)
        assert (found, type(found)) == (value, type(value))


async def test_what_bridge_records_is_fetched_by_oban_py(obanpy, ours, start, row_when):
    pairs = [*((value, repr(value)) for value in VALUES), *OURS_ALONE]
    ours.serve("mail.Send")
    ours.values = [value for value, _ in pairs]
    bridge, theirs = await start(queues={"shared": 20}), await obanpy()
    for nth, (value, expected) in enumerate(pairs):
        job_id = await theirs.enqueue("mail.Send", {"act": "record nth", "value": nth}, queue="shared")
        row = await row_when(job_id, "completed")
        assert (set(row["meta"]), row["meta"]["recorded"]) == ({"recorded", "return"}, True)
        assert await fetched(theirs, job_id) == expected
        if value in VALUES:
            assert await bridge.fetch_result(job_id) == value


async def test_nan_which_erlang_has_not_is_refused_by_bridge_and_passed_on_by_oban_py(obanpy, ours, start, row_when):
    ours.serve("mail.Send", max_attempts=1)
    ours.values = [float("nan")]
    bridge, theirs = await start(queues={"ours": 1}), await obanpy({"theirs": 1})
    for_us = await theirs.enqueue("mail.Send", {"act": "record nth", "value": 0}, queue="ours", max_attempts=1)
    row = await row_when(for_us, "discarded")
    assert "nan" in row["errors"][0]["error"]
    assert "return" not in row["meta"]

    for_them = await bridge.enqueue(Job("workers.Act", queue="theirs", args={"act": "record nan"}))
    await row_when(for_them.id, "completed")
    with pytest.raises(DecodeError):
        await bridge.fetch_result(for_them)


async def test_a_job_without_a_result_says_so_whoever_ran_it(obanpy, start, row_when):
    bridge = await start()
    await obanpy({"shared": 1})
    job = await bridge.enqueue(Job("workers.Echo", queue="shared"))
    await row_when(job.id, "completed")
    with pytest.raises(JobNotFound, match="is completed and has recorded nothing"):
        await bridge.fetch_result(job)


async def fetched(node, job_id):
    """What oban-py reads, as a literal, or the name of the error."""
    try:
        return await node.call("result", job=job_id)
    except PeerError as error:
        return str(error).split(": ")[1]


def _record(value):
    return Job("workers.Act", queue="shared", args={"act": "record literal", "value": value})
