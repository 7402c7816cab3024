"""Elixir, Bridge and Oban for Python on one database: each exchanges jobs and signals with the two others."""

import asyncio
import itertools
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from bridge import Job
from interop.conftest import ELIXIR, PYTHON, done, ran
from interop.rows import RECENT, check, error, ran_by
from interop.sides import ElixirSide, PythonSide

from .ours import Ours
from .peer import until
from .rows import OURS_AT, THEIRS_AT
from .rows import error as error_at

THEIRS = "py@host-p"
SHARED = {"prefix": "public", "queues": {"elixir": 10, "alpha": 5, "beta": 5}}

#: Who makes a job, and who runs it; or who steers, and who obeys.
PAIRS = list(itertools.permutations(("elixir", "bridge", "oban-py"), 2))
EACH = ("elixir", "bridge", "oban-py")

ARGS = {
    "text": "Łukasz 漢字 👩‍🚀",
    "big": 2**70,
    "list": [1, 2.5, None, {"deep": [True]}],
    "": {},
    "long": -(10**39),
}

#: Seconds that a job may be late.
LATE = 4.0

_WORKERS = {"elixir": "Interop.Ok", "bridge": "mail.Send", "oban-py": "workers.Echo"}
_NODES = {"elixir": ELIXIR, "bridge": PYTHON, "oban-py": THEIRS}


@pytest.fixture
async def three(shared, python, peer):
    """A node of each on one database; each runs a queue of its own, and alpha and beta."""
    await peer.call("install", dsn=shared.at.dsn)
    queues = {"alpha": 5, "beta": 5}
    bridge = await python(shared.at, queues={"bridge": 10, **queues})
    theirs = await peer.node(shared.at.dsn, queues={"oban-py": 10, **queues}, node=THEIRS)
    await shared.ex.rpc("Interop.Control.reset(Oban, queues)", queues=list(SHARED["queues"].items()))
    return SimpleNamespace(
        at=shared.at, ex=shared.ex, oban=bridge.oban, ours=Ours(bridge.registry), theirs=theirs, peer=peer
    )


@pytest.mark.item("oban-py: jobs three ways")
@pytest.mark.parametrize(("maker", "runner"), PAIRS)
async def test_a_job_of_each_is_run_by_each_other(three, maker, runner):
    three.ours.serve("mail.Send")
    options = {"queue": runner, "priority": 2, "max_attempts": 4, "tags": ["b", "a"], "meta": {"from": maker}}
    job_id = await enqueue(three, maker, _WORKERS[runner], ARGS, **options)
    seen = await run_of(three, runner, job_id)
    assert exactly(seen["args"]) == exactly(ARGS)
    row = await three.at.settled(job_id, "completed")
    check(
        row,
        id=job_id,
        state="completed",
        queue=runner,
        worker=_WORKERS[runner],
        args=ARGS,
        attempt=1,
        max_attempts=4,
        priority=2,
        tags=["a", "b"] if maker == "oban-py" else ["b", "a"],
        meta={"from": maker},
        attempted_at=RECENT,
        attempted_by=ran_by(_NODES[runner]),
        completed_at=RECENT,
    )
    for reader in EACH:
        found = await read(three, reader, job_id)
        assert (found["state"], found["attempted_by"], exactly(found["args"])) == (
            "completed",
            row["attempted_by"],
            exactly(ARGS),
        )


@pytest.mark.item("oban-py: errors three ways")
@pytest.mark.parametrize("runner", EACH)
async def test_the_error_of_each_is_read_by_all(three, runner):
    three.ours.serve("mail.Send")
    worker, args = {
        "elixir": ("Interop.Outcome", {"mode": "raise", "message": "bad é"}),
        "bridge": ("mail.Send", {"act": "raise", "value": "bad é"}),
        "oban-py": ("workers.Act", {"act": "raise", "value": "bad é"}),
    }[runner]
    job_id = await enqueue(three, "bridge", worker, args, queue=runner)
    row = await three.at.settled(job_id, "retryable")
    at = THEIRS_AT if runner == "oban-py" else OURS_AT
    assert row["errors"] == [error_at(1, ".*bad é.*", at)]
    for reader in EACH:
        [entry] = (await read(three, reader, job_id))["errors"]
        assert (entry["attempt"], entry["error"]) == (1, row["errors"][0]["error"])


@pytest.mark.item("oban-py: recorded output three ways")
@pytest.mark.parametrize("recorder", EACH)
async def test_what_each_records_is_read_by_all(three, recorder):
    """Elixir records as Oban Pro does, by hand, and reads with `[:safe]`."""
    value = {"page": 7, "name": "ü 漢", "parts": [1, 2.5, None, True, {"x": -(2**62)}], "none": None}
    if recorder == "elixir":
        text = await three.ex.rpc("Base.encode64(:erlang.term_to_binary(value), padding: false)", value=value)
        meta = {"recorded": True, "return": text}
        job_id = await enqueue(three, "elixir", "Some.Worker", {}, queue="nobodys", meta=meta)
    else:
        three.ours.serve("mail.Send")
        worker = {"bridge": "mail.Send", "oban-py": "workers.Act"}[recorder]
        job_id = await enqueue(three, "elixir", worker, {"act": "record", "value": value}, queue=recorder)
        await three.at.settled(job_id, "completed")
    code = 'Base.decode64!(Interop.job(id)["meta"]["return"], padding: false) |> :erlang.binary_to_term([:safe])'
    assert await three.ex.rpc(code, id=job_id) == value
    assert await three.oban.fetch_result(job_id) == value
    assert await three.theirs.call("result", job=job_id) in (repr(value), repr(dict(sorted(value.items()))))


@pytest.mark.item("oban-py: signals three ways")
@pytest.mark.parametrize("sender", EACH)
async def test_signals_of_each_are_obeyed_by_all(three, sender):
    sides = {"elixir": ElixirSide(three.ex), "bridge": PythonSide(three.oban), "oban-py": ObanPySide(three.theirs)}
    tell = sides[sender]

    async def all_show(queue, *expected):
        await asyncio.gather(*(side.shows(queue, *expected) for side in sides.values()))

    await tell.pause("alpha")
    await all_show("alpha", 5, True)
    await tell.resume("alpha")
    await all_show("alpha", 5, False)
    await tell.scale("alpha", 7)
    await all_show("alpha", 7, False)
    await tell.pause_all()
    await all_show("alpha", 7, True)
    await all_show("beta", 5, True)
    await tell.resume_all()
    await all_show("beta", 5, False)
    await tell.start("gamma", 3, paused=True)
    await all_show("gamma", 3, True)
    await tell.stop("gamma")
    await all_show("gamma")
    for name, side in sides.items():
        await tell.pause("beta", node=_NODES[name])
        await side.shows("beta", 5, True)
        others = [await other.check("beta") for key, other in sides.items() if key != name]
        assert others == [(5, False)] * 2
        await tell.resume("beta", node=_NODES[name])
        await side.shows("beta", 5, False)


@pytest.mark.item("oban-py: cancel three ways")
@pytest.mark.parametrize(("canceller", "runner"), PAIRS)
async def test_a_job_that_one_runs_is_cancelled_by_each_other(three, canceller, runner):
    three.ours.serve("mail.Send")
    worker, args = {
        "elixir": ("Interop.Outcome", {"mode": "sleep", "ms": 60_000}),
        "bridge": ("mail.Send", {"act": "hold"}),
        "oban-py": ("workers.Hold", {}),
    }[runner]
    job_id = await enqueue(three, runner, worker, args, queue=runner)
    await started(three, runner, job_id)
    await cancel(three, canceller, job_id)
    if runner == "oban-py":
        await three.peer.events.next("stopped", id=job_id)
        after = await enqueue(three, "bridge", "workers.Echo", {}, queue=runner)
        await three.at.settled(after, "completed")
    elif runner == "bridge":
        await three.ours.stop_of(job_id)
    else:
        await done(three.ex, job_id)
    row = await three.at.settled(job_id, "cancelled")
    if runner != "oban-py":

        async def told():
            found = await three.at.row(job_id)
            return found["errors"] and found

        row = await until(told)
    errors = {
        "elixir": [error(1, r"\*\* \(Oban\.PerformError\) .*:cancel, :shutdown.*")],
        "bridge": [error(1, r"\*\* \(bridge\.errors\.JobCancelled\) .*")],
        "oban-py": [],  # what it says of the end comes too late: the row was cancelled before
    }[runner]
    check(
        row,
        id=job_id,
        state="cancelled",
        queue=runner,
        worker=worker,
        args=args,
        attempt=1,
        max_attempts=row["max_attempts"],
        errors=errors,
        attempted_at=RECENT,
        attempted_by=ran_by(_NODES[runner]),
        cancelled_at=RECENT,
    )


@pytest.mark.item("oban-py: staging three ways")
async def test_scheduled_jobs_of_elixir_and_bridge_run_once_while_oban_py_stages_too(three):
    """While Elixir leads, Bridge leaves staging to it, and so the two never undo each other's work.

    Oban for Python stages its own queues all the same. Its runs are not counted here: where Elixir's stager has to wait
    for a row, it may make a job available again that oban-py has begun meanwhile (seen with 2.23.1 and 0.7.0).
    """
    three.ours.serve("mail.Send")
    await three.ex.rpc("Bridge.Console.await(fn -> Oban.Peer.leader?(Oban) end, 15_000)", timeout=20)
    assert {peer.name: peer.node for peer in await three.oban.peers()} == {"Oban": ELIXIR, "Oban@python": PYTHON}
    assert await three.theirs.call("leads")
    due = datetime.now(UTC) + timedelta(seconds=0.5)
    jobs = await three.oban.enqueue_many(
        Job(_WORKERS[runner], queue=runner, args={"n": n}, scheduled_at=due + timedelta(milliseconds=n))
        for n in range(300)
        for runner in EACH
    )
    ids = [job.id for job in jobs]

    async def all_ran():
        return await three.oban.count_jobs(id=ids) == {"completed": 900}

    await until(all_ran)
    rows = await three.at.conn.fetch(
        "select queue, attempt, count(*), max(extract(epoch from attempted_at - scheduled_at))::float8 as late "
        "from oban_jobs where id = any($1) group by queue, attempt",
        ids,
    )
    counted = {(row["queue"], row["attempt"]): row["count"] for row in rows if row["queue"] != "oban-py"}
    assert counted == {("elixir", 1): 300, ("bridge", 1): 300}
    # Beside them, what an earlier test let fail may be tried again by now.
    runs = Counter(job.id for job in three.ours.ran if job.id in ids)
    assert runs == Counter(job.id for job in jobs if job.queue == "bridge")
    assert max(row["late"] for row in rows) < LATE


class ObanPySide:
    """A node of Oban for Python behind the methods of the other sides."""

    language = "Oban for Python"

    def __init__(self, node):
        self._node = node

    async def check(self, queue):
        seen = await self._node.call("check", queue=queue)
        return None if seen is None else (seen["limit"], seen["paused"])

    async def shows(self, queue, *expected):
        async def as_expected():
            return await self.check(queue) == (expected or None)

        await until(as_expected)

    async def pause(self, queue, **scope):
        await self._tell("pause_queue", queue=queue, **scope)

    async def resume(self, queue, **scope):
        await self._tell("resume_queue", queue=queue, **scope)

    async def pause_all(self, **scope):
        await self._tell("pause_all_queues", **scope)

    async def resume_all(self, **scope):
        await self._tell("resume_all_queues", **scope)

    async def scale(self, queue, limit, **scope):
        await self._tell("scale_queue", queue=queue, limit=limit, **scope)

    async def start(self, queue, limit, **more):
        await self._tell("start_queue", queue=queue, limit=limit, **more)

    async def stop(self, queue, **scope):
        await self._tell("stop_queue", queue=queue, **scope)

    async def _tell(self, action, **options):
        await self._node.call("control", action=action, **options)


async def enqueue(three, maker, worker, args, **options):
    """Have one of them enqueue a job; return its id."""
    if maker == "elixir":
        code = "Interop.Jobs.insert(worker, args, opts)"
        return (await three.ex.rpc(code, worker=worker, args=args, opts=options))["id"]
    if maker == "bridge":
        return (await three.oban.enqueue(Job(worker, args=args, **options))).id
    return await three.theirs.enqueue(worker, args, **options)


async def run_of(three, runner, job_id):
    """Wait until one of them runs a job, and return what its worker was given."""
    if runner == "elixir":
        return await ran(three.ex, job_id)
    if runner == "bridge":
        return {"args": (await three.ours.run_of(job_id)).args}
    return (await three.peer.events.next("ran", job__id=job_id))["job"]


async def started(three, runner, job_id):
    """Wait until a job runs that goes on until it is cancelled."""
    if runner == "elixir":
        await three.at.settled(job_id, "executing")
    else:
        await run_of(three, runner, job_id)


async def cancel(three, canceller, job_id):
    if canceller == "elixir":
        await three.ex.rpc("Oban.cancel_job(id)", id=job_id)
    elif canceller == "bridge":
        assert await three.oban.cancel_job(job_id)
    else:
        assert await three.theirs.call("cancel", ids=[job_id]) == 1


async def read(three, reader, job_id):
    """A job as one of them reads it: state, args, attempted_by and errors."""
    if reader == "elixir":
        return await three.ex.rpc("Interop.Rows.read(id)", id=job_id)
    if reader == "oban-py":
        return await three.theirs.call("job", job=job_id)
    job = await three.oban.get_job(job_id)
    return {name: getattr(job, name) for name in ("state", "args", "attempted_by", "errors")}


def exactly(value):
    return json.dumps(value, sort_keys=True)
