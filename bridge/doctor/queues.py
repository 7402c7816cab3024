"""The queues: jobs that nobody fetches, stages or knows how to run."""

from __future__ import annotations

from asyncio import sleep
from collections import defaultdict
from typing import Any, Final

from bridge.doctor.check import Check, Patient
from bridge.doctor.finding import Seen, count, note, ok, problem, span, warning
from bridge.engine.acks import QUARANTINE
from bridge.engine.diagnosis import COUNTED, SAMPLE

#: Seconds that a queue's next job may wait before somebody is asked after, and that a due job may wait for its staging.
_WAITING, _OVERDUE = 60.0, 10.0

#: From how many jobs of others on, at the head of a queue, an index of known workers' jobs is worth its cost.
_IN_THE_WAY: Final = 1_000


async def unserved_queues(patient: Patient) -> Seen:
    """Look for queues whose next job waits and waits: nobody fetches them."""
    old = {row["queue"]: row for row in await patient.once(patient.ask.heads) if _waits(row)}
    if not old:
        return ok(f"no queue's next job has waited for longer than {span(_WAITING)}", queues={})
    # A queue with a long backlog has an old next job too; but where it is fetched, that is soon another one.
    await sleep(patient.patience)
    now = {row["queue"]: row for row in await patient.ask.heads()}
    found = [row for queue, row in old.items() if queue in now and now[queue]["id"] == row["id"]]
    served = _nodes_by_queue(await patient.once(patient.ask.producers))
    figures = {"queues": {row["queue"]: {"jobs": row["jobs"], "waited": round(row["waited"])} for row in found}}
    if not found:
        return ok("queues with a backlog are being worked through", **figures)
    details = [
        f"{row['queue']}: {count(row['jobs'], 'job', most=COUNTED)}, the next one ({row['worker']}, id {row['id']}) "
        f"for {span(row['waited'])}; {_served(served.get(row['queue'], []))}"
        for row in found
    ]
    queues = ",".join(f"{row['queue']}:10" for row in found)
    mend = (
        f"start a node that serves them, such as `bridge start --queues {queues}`; "
        "where one does, `bridge queues resume`, or import the workers there"
    )
    return warning(f"nobody fetches {count(len(found), 'queue')}", mend, details, **figures)


async def overdue(patient: Patient) -> Seen:
    """Look for scheduled jobs whose time has passed: nobody stages."""
    found = await patient.ask.overdue(_OVERDUE)
    if not found["jobs"]:
        return ok(f"no scheduled job is late by more than {span(_OVERDUE)}", jobs=0)
    jobs, longest = found["jobs"], found["longest"]
    figures = {"jobs": jobs, "longest": round(longest), "queues": found["queues"]}
    text = f"{count(jobs, 'job', most=COUNTED)} late, one for {span(longest)}, in {', '.join(found['queues'])}"
    leases = [row for row in await patient.once(patient.ask.leases) if row["remaining"] > 0]
    elixir = [row["node"] for row in leases if not row["name"].endswith("@python")]
    if elixir:
        mend = f"staging is the duty of {elixir[0]}, an Elixir node: look at its log; restart it"
    else:
        mend = 'start a node with queues, in either language, which stages; or [stager] mode = "on"'
    return problem(f"nobody makes due jobs available: {text}", mend, **figures)


async def unknown_workers(patient: Patient) -> Seen:
    """Look for waiting jobs whose worker nobody is known to have: neither imported here, nor seen to run."""
    runs = defaultdict(set)
    for row in await patient.once(patient.ask.recent_runs):
        runs[row["worker"]].add(row["node"])
    groups = [row for row in await patient.once(patient.ask.waiting_workers) if row["queue"] != QUARANTINE]
    unknown = [row for row in groups if row["worker"] not in patient.workers]
    foreign = [row for row in unknown if runs[row["worker"]]]
    never = [row for row in unknown if not runs[row["worker"]]]
    figures = {"never_run": [_group(row) for row in never], "foreign": [_group(row) for row in foreign]}
    told = [f"{_where(row)}: no node has been seen to run it" for row in never]
    told += [f"{_where(row)}: ran on {', '.join(sorted(runs[row['worker']]))}" for row in foreign]
    if never:
        mend = (
            "name the modules of these workers by --import here, and on the node that serves the queue; "
            "correct a misspelt name by `bridge jobs update ID --set worker=…`, or cancel the jobs"
        )
        if not patient.workers:
            text = f"{count(len(never), 'worker')} waiting that nobody was seen to run; none was imported here"
            return note(text, mend, told, **figures)
        return warning(f"{count(len(never), 'worker')} waiting that nobody is known to have", mend, told, **figures)
    if foreign and patient.workers:
        text = f"{count(len(foreign), 'worker')} of other nodes waiting; nodes here leave them alone"
        return note(text, "", told, **figures)
    return ok("every worker whose jobs wait is known here, or was seen to run", **figures)


async def foreign_jobs(patient: Patient) -> Seen:
    """Look for queues worked here at whose head many jobs of unknown workers stand, which each fetch reads past."""
    if not patient.workers:
        return ok("whose jobs stand in the way of whose can't be told: no workers were imported here", queues={})
    served = _nodes_by_queue(await patient.once(patient.ask.producers))
    found = [
        row
        for row in await patient.ask.foreign_heads(patient.workers)
        if row["ahead"] >= _IN_THE_WAY and (row["known"] or row["queue"] in served)
    ]
    figures = {"queues": {row["queue"]: row["ahead"] for row in found}, "index": patient.catalog.has_worker_index}
    if not found:
        return ok("no queue that is worked here begins with many jobs of unknown workers", **figures)
    total = sum(row["ahead"] for row in found)
    text = f"{count(total, 'job')} of unknown workers at the head of {count(len(found), 'queue')}"
    if patient.catalog.has_worker_index:
        return ok(f"{text}; nodes fetch past them by the index bridge_jobs_worker", **figures)
    details = [
        f"{row['queue']}: each fetch reads {row['ahead']:,}{' or more' if row['ahead'] == SAMPLE else ''} jobs of "
        f"{', '.join(row['workers'])} first"
        for row in found
    ]
    mend = "bridge install --worker-index, which blocks nobody, and restart the nodes; or give the others a queue"
    return warning(text, mend, details, **figures)


async def refused_jobs(patient: Patient) -> Seen:
    """Look for jobs that a node took though it hasn't their worker: each time, an attempt is lost."""
    found = [row for row in await patient.once(patient.ask.waiting_workers) if row["refused"]]
    if not found:
        return ok("no waiting job was refused as unknown where it ran", workers=[])
    details = [
        f"{_where(row)}: {count(row['refused'], 'job')} refused, ids {', '.join(map(str, row['ids']))}" for row in found
    ]
    mend = (
        'let no queue be served by both languages, unless it is by Python\'s `workers = "known"` alone: '
        "move the workers of one language to a queue of their own"
    )
    text = f"{count(sum(row['refused'] for row in found), 'job')} lost attempts on a node that doesn't know the worker"
    return problem(text, mend, details, workers=[row["worker"] for row in found])


async def quarantined(patient: Patient) -> Seen:
    """Look for jobs that were set aside because their args break their contract."""
    found = await patient.ask.quarantined()
    jobs = sum(row["jobs"] for row in found)
    if not found:
        return ok("no job is in quarantine", jobs=0)
    details = [
        f"{row['worker']}, from {row['came_from'] or 'an unnamed queue'}: {count(row['jobs'], 'job')}, "
        f"ids {', '.join(map(str, row['ids']))}"
        for row in found
    ]
    mend = (
        "`bridge jobs show ID` tells what is wrong; mend the args and move it back: "
        "`bridge jobs update ID --set args=… --set queue=…`, or cancel it"
    )
    return warning(
        f"{count(jobs, 'job', most=COUNTED)} in quarantine: args that break a contract", mend, details, jobs=jobs
    )


async def cron_twins(patient: Patient) -> Seen:
    """Look for cron jobs that were inserted twice for a minute."""
    found = await patient.ask.cron_twins()
    if not found:
        return ok("no cron job was inserted twice for a minute", entries=[])
    details = [
        f"{row['worker']} ({row['expression']}): {count(row['times'], 'minute')} with more than one, ids {row['ids']}"
        for row in found
    ]
    mend = "keep the entry in one place: one language, one instance; or let it be unique for its period"
    text = f"{count(len(found), 'cron entry', 'cron entries')} inserted more than once for a minute"
    return warning(text, mend, details, entries=[row["worker"] for row in found])


def _waits(head: Any) -> bool:
    return (
        head["waited"] is not None and head["waited"] > _WAITING and not head["running"] and head["queue"] != QUARANTINE
    )


def _nodes_by_queue(producers: list[Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in producers:
        if row["silent"] <= row["rescue_after"]:
            found.setdefault(row["queue"], []).append(row["node"])
    return found


def _served(nodes: list[str]) -> str:
    return f"paused on {', '.join(nodes)}, or the worker is unknown there" if nodes else "no Python node serves it"


def _where(row: Any) -> str:
    jobs = f"{row['jobs']:,} or more jobs" if row["more"] else count(row["jobs"], "job")
    return f"{row['queue']}: {jobs} of {row['worker']}"


def _group(row: Any) -> dict[str, Any]:
    return {"queue": row["queue"], "worker": row["worker"], "jobs": row["jobs"], "or_more": row["more"]}


CHECKS: Final = (
    Check("unserved-queues", "queues", unserved_queues),
    Check("overdue-jobs", "queues", overdue),
    Check("unknown-workers", "queues", unknown_workers),
    Check("foreign-jobs", "queues", foreign_jobs),
    Check("refused-jobs", "queues", refused_jobs),
    Check("quarantined-jobs", "queues", quarantined),
    Check("cron-duplicates", "queues", cron_twins),
)
