"""The nodes: who leads, who is alive, what the dead left behind, and whose clock is off."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any, Final

from bridge.doctor.check import Check, Patient
from bridge.doctor.finding import Level, Seen, count, note, ok, problem, span, warning

#: Seconds that clocks may differ without harm, and beyond which leases and schedules go wrong.
_SKEW, _HARMFUL_SKEW = 1.0, 10.0

#: The longest that a lease lasts: Oban's and ours are 30 s, and may be set to more.
_LEASE: Final = 300.0

#: Seconds after which a job that is executing is worth a look. Oban 2.23: Lifeline takes it for an orphan then.
_LONG: Final = 3_600.0


async def leases(patient: Patient) -> Seen:
    """Look who leads, among Elixir's nodes and among Python's."""
    found = await patient.once(patient.ask.leases)
    live = [row for row in found if row["remaining"] > 0]
    figures = {"live": [_lease(row) for row in live], "expired": [_lease(row) for row in found if row not in live]}
    details = [f"{row['name']} ({_language(row)}): {row['node']}, {_remaining(row['remaining'])}" for row in found]
    far = [row for row in live if row["remaining"] > _LEASE]
    if far:
        mend = "correct the clock of that node; a lease that nobody renews is deleted from oban_peers by hand"
        return warning(
            f"a lease runs for {span(far[0]['remaining'])} yet, which no node asks for", mend, details, **figures
        )
    if not patient.catalog.has_peers and "bridge_peers" not in patient.catalog.objects:
        return note("there is no table of leases, so nobody leads by one", "", details, **figures)
    if not live:
        return note("nobody leads: no node with queues runs, or none may", "", details, **figures)
    leaders = ", ".join(f"{row['node']} leads {row['name']}" for row in live)
    return Seen(Level.OK, leaders, "", tuple(details), figures)


async def nodes(patient: Patient) -> Seen:
    """List the nodes: Python's by their heartbeats, Elixir's by their leases and what they run or have just run.

    A Python node that has stopped in order leaves no heartbeat behind: what it ran looks like an Elixir node's.
    """
    producers = await patient.once(patient.ask.producers)
    python = _group_by_node(producers)
    past = await _past_nodes(patient, set(python))
    others = await _other_nodes(patient, {row["uuid"] for row in producers}, set(python), past)
    past = {node: how for node, how in past.items() if node not in others}
    details = [_python_node(node, rows) for node, rows in python.items()]
    details += [f"{node} (Elixir, or no heartbeat): {how}" for node, how in sorted(others.items())]
    details += [f"{node} (Elixir, or stopped since): {how}" for node, how in sorted(past.items())]
    figures: dict[str, Any] = {
        "python": {
            node: {"queues": sorted({row["queue"] for row in rows}), "silent": round(_silence(rows), 1)}
            for node, rows in python.items()
        },
        "others": others,
        "past": past,
    }
    if not details:
        return note("no node is to be seen: nobody fetches jobs here", "bridge start --queues …", **figures)
    beating = sum(any(map(_beats, rows)) for rows in python.values())
    silent = f", {len(python) - beating} silent" if beating < len(python) else ""
    text = f"{count(beating, 'live Python node')}{silent}, {count(len(others), 'other')} by what they run or lead"
    text += f", {len(past)} more by what they ran in the last hour" if past else ""
    return Seen(Level.OK, text, "", tuple(details), figures)


async def node_names(patient: Patient) -> Seen:
    """Look for two live processes of one node name: signals for one would reach both, and so would a lease.

    One that was killed and replaced is silent by then.
    """
    seen: dict[tuple[str, str, str], int] = {}
    for row in await patient.once(patient.ask.producers):
        if _beats(row):
            key = (row["name"], row["node"], row["queue"])
            seen[key] = seen.get(key, 0) + 1
    twice = sorted({node for (_, node, _), times in seen.items() if times > 1})
    if twice:
        mend = (
            "give each process a name of its own: leave --node out, or add the process to it; "
            "where one was killed and replaced just now, look again in a minute"
        )
        return warning(f"several live processes are called {', '.join(twice)}", mend, names=twice)
    return ok("each live process has a name of its own", names=[])


async def orphans(patient: Patient) -> Seen:
    """Look for jobs of Python nodes that died."""
    dead = {row["uuid"]: row for row in await patient.once(patient.ask.producers) if not _alive(row)}
    found = [row for row in await patient.once(patient.ask.executing) if row["uuid"] in dead]
    jobs = sum(row["jobs"] for row in found)
    if not found:
        return ok("no job is left of a Python node that died", jobs=0)
    details = [
        f"{row['node']}: {count(row['jobs'], 'job')}, silent for {span(dead[row['uuid']]['silent'])}, ids {_ids(row)}"
        for row in found
    ]
    leading = any(row["name"].endswith("@python") and row["remaining"] > 0 for row in await _known_leases(patient))
    text = f"{count(jobs, 'job')} executing on Python nodes that died"
    if leading:
        return warning(
            f"{text}; the Python leader is about to rescue them", "bridge maintain rescue", details, jobs=jobs
        )
    mend = "bridge maintain rescue, or start a node with queues, which does it by itself"
    return problem(f"{text}, and no Python node leads, so nobody rescues them", mend, details, jobs=jobs)


async def unknown_producers(patient: Patient) -> Seen:
    """Look for jobs that have been executing for long and that no heartbeat speaks for."""
    known = {row["uuid"] for row in await patient.once(patient.ask.producers)}
    rows = [row for row in await patient.once(patient.ask.executing) if row["uuid"] not in known]
    found = [row for row in rows if (row["longest"] or 0) > _LONG]
    if not found:
        jobs = sum(row["jobs"] for row in rows)
        return ok(f"{count(jobs, 'job')} executing without a heartbeat, none for longer than {span(_LONG)}", jobs=jobs)
    details = [
        f"{row['node'] or 'no node named'}: {count(row['jobs'], 'job')}, the longest for {span(row['longest'])}, "
        f"ids {_ids(row)}"
        for row in found
    ]
    mend = (
        "if the node is gone: bridge jobs cancel ID …, then bridge jobs retry ID …; "
        "Elixir's Lifeline plugin rescues jobs of every node after an hour"
    )
    text = f"executing for more than {span(_LONG)} on {count(len(found), 'producer')} that no heartbeat speaks for"
    return warning(text, mend, details, jobs=sum(row["jobs"] for row in found))


async def long_running(patient: Patient) -> Seen:
    """Look for jobs that live Python nodes have been running for long."""
    live = {row["uuid"] for row in await patient.once(patient.ask.producers) if _alive(row)}
    found = [
        row
        for row in await patient.once(patient.ask.executing)
        if row["uuid"] in live and (row["longest"] or 0) > _LONG
    ]
    if not found:
        return ok(f"no live Python node runs a job for longer than {span(_LONG)}", nodes=[])
    details = [f"{row['node']}: the longest for {span(row['longest'])}, ids {_ids(row)}" for row in found]
    mend = "give the worker a timeout if that is too long; where Elixir's Lifeline plugin runs, raise its rescue_after"
    text = f"jobs have been running for more than {span(_LONG)} on {count(len(found), 'live producer')}"
    return note(text, mend, details, nodes=sorted({row["node"] for row in found}))


async def clocks(patient: Patient) -> Seen:
    """Compare the clocks of this machine, the database and the nodes."""
    before, begun = datetime.now(UTC).replace(tzinfo=None), time.perf_counter()
    theirs = await patient.ask.clock()
    took = time.perf_counter() - begun
    here = (theirs - before).total_seconds() - took / 2
    off = {"this machine": here if abs(here) > took else 0.0}
    for row in await patient.once(patient.ask.recent_runs):
        node = row["node"] or "no node named"
        if row["ahead"] > _SKEW:
            off[node] = min(off.get(node, 0.0), -row["ahead"])
        elif row["behind"] > _SKEW:
            off[node] = max(off.get(node, 0.0), row["behind"])
    figures = {"seconds_behind_the_database": {node: round(value, 3) for node, value in off.items()}}
    wrong = {node: value for node, value in off.items() if abs(value) > _SKEW}
    if not wrong:
        return ok(f"this machine's clock differs from the database's by {abs(here) * 1_000:.0f} ms at most", **figures)
    details = [f"{node}: {span(abs(value))} {'behind' if value > 0 else 'ahead'}" for node, value in wrong.items()]
    mend = "let NTP set these clocks: jobs start early or late, and leases of Elixir's nodes end too soon or too late"
    text = f"clocks differ from the database's: {', '.join(wrong)}"
    tell = problem if max(map(abs, wrong.values())) > _HARMFUL_SKEW else warning
    return tell(text, mend, details, **figures)


async def _known_leases(patient: Patient) -> list[Any]:
    found: list[Any] = await patient.once(patient.ask.leases)
    return found


async def _past_nodes(patient: Patient, python: set[str]) -> dict[str, str]:
    ago: dict[str, float] = {}
    for row in await patient.once(patient.ask.recent_runs):
        if row["node"] and row["node"] not in python and row["ago"] < _LONG:
            ago[row["node"]] = min(row["ago"], ago.get(row["node"], _LONG))
    return {node: f"started its last job {span(max(seconds, 0))} ago" for node, seconds in ago.items()}


async def _other_nodes(patient: Patient, uuids: set[str], python: set[str], past: dict[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for row in await patient.once(patient.ask.executing):
        if row["node"] and row["uuid"] not in uuids:
            found[row["node"]] = f"runs {count(row['jobs'], 'job')} of {', '.join(sorted(row['queues']))}"
    for row in await _known_leases(patient):
        if row["remaining"] > 0 and row["node"] not in python:
            more = found.get(row["node"]) or past.get(row["node"])
            found[row["node"]] = f"leads {row['name']}" + (f", {more}" if more else "")
    return found


def _group_by_node(producers: list[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for row in producers:
        found.setdefault(row["node"], []).append(row)
    return found


def _alive(producer: Any) -> bool:
    return bool(producer["silent"] <= producer["rescue_after"])


def _beats(producer: Any) -> bool:
    """Tell whether no beat is late: there are four in `rescue_after`, and one may be lost."""
    return bool(producer["silent"] < producer["rescue_after"] / 2)


def _python_node(node: str, rows: list[Any]) -> str:
    queues, since = ", ".join(sorted({row["queue"] for row in rows})), span(_silence(rows))
    if any(map(_beats, rows)):
        return f"{node} (Python): {queues}; last beat {since} ago"
    due = span(max(row["rescue_after"] for row in rows) / 4)
    return f"{node} (Python): {queues}; silent for {since}, and due every {due}: it died, or can't reach the database"


def _silence(producers: list[Any]) -> float:
    return float(max(0.0, min(row["silent"] for row in producers)))


def _lease(row: Any) -> dict[str, Any]:
    return {
        "name": row["name"],
        "node": row["node"],
        "language": _language(row),
        "remaining": round(row["remaining"], 1),
    }


def _language(lease: Any) -> str:
    return "Python" if lease["name"].endswith("@python") else "Elixir"


def _remaining(seconds: float) -> str:
    return f"for {span(seconds)} more" if seconds > 0 else f"ran out {span(-seconds)} ago"


def _ids(row: Any) -> str:
    return ", ".join(map(str, row["ids"])) + ("…" if row["jobs"] > len(row["ids"]) else "")


CHECKS = (
    Check("leases", "nodes", leases),
    Check("nodes", "nodes", nodes),
    Check("node-names", "nodes", node_names),
    Check("orphans", "nodes", orphans),
    Check("unknown-producers", "nodes", unknown_producers),
    Check("long-running", "nodes", long_running),
    Check("clocks", "nodes", clocks),
)
