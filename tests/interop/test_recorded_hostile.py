"""Recordings that are damaged, or meant to do harm: each side says what is wrong, and goes on."""

import asyncio
import base64
import time
import uuid
import zlib

import pytest

from bridge import Job
from bridge.codecs.etf import Atom, Fun
from bridge.codecs.recorded import encode_recorded
from bridge.errors import DecodeError, JobNotFound

from .conftest import done, ran

RESULT = "BadgeForge.Contracts.GenerateBadge.fetch_result(Oban.Repo.get!(Oban.config(), Oban.Job, id))"


def text(data):
    return base64.b64encode(data).rstrip(b"=").decode()


def u32(number):
    return number.to_bytes(4, "big")


def bomb(size, said=None):
    """A binary of so many zeros, compressed: 50 MB of them are 48 kB."""
    content = b"m" + u32(size) + bytes(size)
    return b"\x83P" + u32(len(content) if said is None else said) + zlib.compress(content, 9)


def in_a_map(term):
    return b"\x83t" + u32(1) + b"m" + u32(4) + b"path" + term


GOOD = in_a_map(b"m" + u32(3) + b"abc")

#: The text, why Python refuses it, and what a contract's module in Elixir says.
DAMAGED = {
    "empty": ("", "truncated", "unreadable"),
    "no base64": ("g3Q!", "not base64", "unreadable"),
    "a version only": (text(b"\x83"), "truncated", "unreadable"),
    "another version": (text(b"\x82j"), "131", "unreadable"),
    "an unknown tag": (text(b"\x83\x00"), "no tag of a term", "unreadable"),
    "cut short": (text(GOOD[:-1]), "truncated", "unreadable"),
    "cut in a key": (text(GOOD[:9]), "truncated", "unreadable"),
    "cut in base64": (text(GOOD)[:-2], "not base64", "unreadable"),
    "NaN": (text(in_a_map(b"F\x7f\xf8" + bytes(6))), "finite", "unreadable"),
    "a key twice": (text(b"\x83t" + u32(2) + b"a\x01j" * 2), "twice", "unreadable"),
    "a length of 4 GiB": (text(b"\x83m" + u32(2**32 - 1)), "truncated", "unreadable"),
    "a list of 4 billion": (text(b"\x83l" + u32(2**32 - 1)), "truncated", "unreadable"),
    "an atom that is no UTF-8": (text(b"\x83w\x02\xff\xff"), "UTF-8", "unreadable"),
    "a bomb that lies": (text(bomb(50_000_000, 100)), "doesn't hold the 100 bytes", "unreadable"),
    "no zlib": (text(b"\x83P" + u32(10) + b"junk"), "damaged", "unreadable"),
    "a bomb of 70 MB": (text(bomb(70_000_000)), "the limit is", "too_large"),
}


async def inserted(shared, recording):
    insert = 'Interop.Recorder.insert([text], worker: "python_demo.workers.GenerateBadge")'
    (number,) = await shared.ex.rpc(insert, text=recording)
    return number


async def nobody_is_hurt(shared, py, before):
    """Both nodes run a job, and Elixir's processes are those of `before`."""
    assert await shared.ex.rpc("Interop.pids()") == before
    theirs = await py.oban.enqueue(Job("Interop.Ok", queue="elixir"))
    await ran(shared.ex, theirs.id)
    await done(shared.ex, theirs.id)
    ours = await shared.ex.rpc('Interop.insert("interop.Ok", %{}, queue: :python)')
    assert (await py.ran.next()).id == ours


@pytest.mark.item("recorded: damaged or hostile")
@pytest.mark.parametrize("kind", DAMAGED)
async def test_a_damaged_recording_is_refused_by_both_and_hurts_nobody(shared, python, kind):
    recording, reason, verdict = DAMAGED[kind]
    py = await python(shared.at)
    before = await shared.ex.rpc("Interop.pids()")
    number = await inserted(shared, recording)
    started = time.process_time()

    with pytest.raises(DecodeError, match=reason):
        await py.oban.fetch_result(number)

    assert time.process_time() - started < 2
    assert await shared.ex.rpc(RESULT, id=number) == (Atom("error"), Atom(verdict))
    await nobody_is_hurt(shared, py, before)


@pytest.mark.item("recorded: damaged or hostile")
@pytest.mark.parametrize(
    ("meta", "reason"),
    [
        ({"recorded": True, "return": None}, "text, not NoneType"),
        ({"recorded": True, "return": 7}, "text, not int"),
        ({"recorded": True, "return": {"g3Q": 1}}, "text, not dict"),
    ],
)
async def test_a_recording_that_is_no_text_is_refused_by_both(shared, python, meta, reason):
    py = await python(shared.at, queues={})
    job = await py.oban.enqueue(Job("interop.Ok", queue="nobody", meta=meta))

    with pytest.raises(DecodeError, match=reason):
        await py.oban.fetch_result(job)
    assert await shared.ex.rpc(RESULT, id=job.id) == (Atom("error"), Atom("not_recorded"))


@pytest.mark.item("recorded: damaged or hostile")
@pytest.mark.parametrize("tag", [b"l" + u32(1), b"h\x01"], ids=["lists", "tuples"])
async def test_nesting_that_elixir_reads_and_no_stack_of_python_holds_is_refused_by_python(shared, python, tag):
    py = await python(shared.at)
    before = await shared.ex.rpc("Interop.pids()")
    tail = b"j" if tag[:1] == b"l" else b""
    number = await inserted(shared, text(b"\x83" + tag * 200_000 + b"j" + tail * 200_000))

    with pytest.raises(DecodeError, match="more than 256 levels"):
        await py.oban.fetch_result(number)

    status, violations = await shared.ex.rpc(RESULT, id=number)
    assert (status, len(violations)) == (Atom("error"), 1)  # A list is no BadgeFile.
    await nobody_is_hurt(shared, py, before)


@pytest.mark.item("recorded: damaged or hostile")
async def test_an_unknown_atom_is_text_to_python_and_refused_by_elixir_and_stays_unknown(shared, python):
    py = await python(shared.at, queues={})
    name = f"never_seen_{uuid.uuid4().hex}"
    number = await inserted(shared, encode_recorded({"path": Atom(name), "size": 1}, profile="native"))

    assert await py.oban.fetch_result(await inserted_for_nobody(shared, number)) == {"path": name, "size": 1}

    assert await shared.ex.rpc(RESULT, id=number) == (Atom("error"), Atom("unreadable"))
    known = "try do is_atom(String.to_existing_atom(name)) rescue ArgumentError -> false end"
    assert await shared.ex.rpc(known, name=name) is False


async def inserted_for_nobody(shared, number):
    """The same recording, of a worker without a contract."""
    same = '[Oban.Repo.get!(Oban.config(), Oban.Job, id).meta["return"]] |> Interop.Recorder.insert([])'
    return (await shared.ex.rpc(same, id=number))[0]


@pytest.mark.item("recorded: damaged or hostile")
async def test_a_fun_that_was_recorded_is_neither_called_nor_taken_for_a_result(shared, python):
    py = await python(shared.at)
    before = await shared.ex.rpc("Interop.pids()")
    source = '%{"path" => fn -> Bridge.Console.send("harm") end, "size" => &System.halt/0}'
    job = await py.oban.enqueue(Job("Interop.Recorder", args={"source": source}, queue="elixir"))
    await done(shared.ex, job.id)

    found = await py.oban.fetch_result(job.id)

    assert {key: type(value) for key, value in found.items()} == {"path": Fun, "size": Fun}
    recording = (await py.oban.get_job(job.id)).meta["return"]
    number = await inserted(shared, recording)
    status, violations = await shared.ex.rpc(RESULT, id=number)
    assert (status, sorted(each[Atom("path")] for each in violations)) == (Atom("error"), ["/path", "/size"])
    await nobody_is_hurt(shared, py, before)
    with pytest.raises(TimeoutError):
        await shared.ex.event("harm", 0.1)


@pytest.mark.item("recorded: damaged or hostile")
async def test_many_bombs_at_once_do_not_hold_up_a_node_for_long(shared, python):
    py = await python(shared.at)
    before = await shared.ex.rpc("Interop.pids()")
    recording = text(bomb(50_000_000))
    numbers = [await inserted(shared, recording) for _ in range(20)]

    async with asyncio.timeout(20):
        found = await asyncio.gather(*map(py.oban.fetch_result, numbers), return_exceptions=True)

    assert {type(error) for error in found} == {DecodeError}
    await nobody_is_hurt(shared, py, before)


@pytest.mark.item("recorded: nothing")
async def test_where_nothing_is_recorded_both_say_so(shared, python):
    py = await python(shared.at, queues={})
    job = await py.oban.enqueue(Job("Interop.Ok", queue="elixir"))
    await ran(shared.ex, job.id)
    await done(shared.ex, job.id)

    with pytest.raises(JobNotFound, match=f"job {job.id} is completed and has recorded nothing"):
        await py.oban.fetch_result(job)
    assert await shared.ex.rpc(RESULT, id=job.id) == (Atom("error"), Atom("not_recorded"))
