"""What the role may do, what that is enough for, and what nobody could look at for want of a right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from bridge.doctor.check import Check, Patient
from bridge.doctor.finding import Finding, Level, Seen, count, note, ok, problem
from bridge.engine.rights import ALL, grant, worker_grants
from bridge.engine.schema import quote_ident

_COSTS: Final = {
    "select": "nothing can be read",
    "insert": "no job can be enqueued",
    "update": "no job can run, be staged, cancelled or retried",
    "delete": "nothing can be pruned or deleted",
}
_COSTS_ELSEWHERE: Final = {
    "oban_peers": "no Python node leads: no cron, no staging without Elixir",
    "bridge_peers": "no Python node leads: no cron",
    "bridge_producers": "jobs of nodes that die are not rescued",
    "bridge_crons": "no cron entries are inserted",
}

Rows = Mapping[str, Any]


async def rights(patient: Patient) -> Seen:
    """Look which of Bridge's statements the role may not run."""
    found = await _read(patient)
    role = (await patient.once(patient.ask.server))["role"]
    if not found:
        return ok("there is no table to have rights to")
    hidden = [name for name, row in found.items() if row["filtered"]]
    if hidden:
        mend = f"give the role bypassrls, or a policy for all rows: alter role {quote_ident(role)} bypassrls"
        return problem(f"row security hides rows of {', '.join(hidden)} from role {role}", mend, lacks=hidden)
    lacks = _lacking(patient.catalog.prefix, found)
    if not lacks:
        return ok(f"role {role} may do all that Bridge does", lacks=[])
    if purpose := _purpose(found):
        return note(f"role {role} {purpose}", lacks=list(lacks))
    text = f"role {role} may not do all that Bridge does: {len(lacks)} of its rights are missing"
    details = [f"without {right}: {cost}" for right, cost in lacks.items()]
    return problem(text, "; ".join(worker_grants(patient.catalog.prefix, role, found)), details, lacks=list(lacks))


async def not_looked_at(patient: Patient, blind: Sequence[tuple[str, str]]) -> Finding:
    """Return what the role may not look at: one finding, however many checks ask for it.

    Args:
        patient: What was looked at.
        blind: The checks that were refused an answer, each with the reason.
    """
    found = await _read(patient)
    role = (await patient.once(patient.ask.server))["role"]
    named = ", ".join(name for name, _ in blind)
    text = f"role {role} may not look at what {count(len(blind), 'check')} {'asks' if len(blind) == 1 else 'ask'} for"
    grants = _reading_grants(patient.catalog.prefix, role, found)
    mend = (
        f"examine by a role that reads, or let this one: {'; '.join(grants)}" if grants else "examine by another role"
    )
    level = Level.NOTE if _purpose(found) else Level.WARNING
    details = () if grants else tuple(dict.fromkeys(reason for _, reason in blind))
    figures = {"checks": [name for name, _ in blind]}
    return Finding("not-looked-at", "examination", level, f"{text}: {named}", mend, details, figures, looked=False)


async def _read(patient: Patient) -> Rows:
    return {row["name"]: row for row in await patient.once(patient.ask.rights)}


def _purpose(found: Rows) -> str:
    """Return what a role is for that may not do everything, and all that this takes; nothing where it is a fault."""
    jobs, others = found.get("oban_jobs"), [row for name, row in found.items() if name != "oban_jobs"]
    if jobs is None or not jobs["may_use_schema"] or jobs["delete"]:
        return ""
    writes = [row["name"] for row in others if row["any_insert"] or row["any_update"] or row["delete"]]
    if not jobs["any_update"] and not writes:
        if jobs["may_enqueue"] and jobs["may_number"] is not False:
            return "only enqueues: enough for enqueueing, and for no node"
        if not jobs["any_insert"] and all(row["select"] for row in found.values()):
            return "only reads: enough for looking, and for no node"
    runs = jobs["select"] and jobs["may_run"] and not jobs["update"] and not jobs["any_insert"]
    producers = found.get("bridge_producers")
    if runs and writes == ["bridge_producers"] and producers and all(producers[right] for right in ALL):
        return "only runs jobs: enough for a node with leader.enabled = false, and for no other one"
    return ""


def _lacking(prefix: str, found: Rows) -> dict[str, str]:
    """Return each missing right, and what it costs."""
    lacks = {}
    if not all(row["may_use_schema"] for row in found.values()):
        lacks[f"USAGE on schema {prefix}"] = "nothing works"
    for name, row in found.items():
        for right, cost in _COSTS.items():
            if not row[right]:
                lacks[f"{right.upper()} on {name}"] = _COSTS_ELSEWHERE.get(name, cost)
        if row["may_number"] is False:
            lacks[f"USAGE on the sequence of {name}"] = "no job can be enqueued"
    return lacks


def _reading_grants(prefix: str, role: str, found: Rows) -> list[str]:
    schema, grantee = quote_ident(prefix), quote_ident(role)
    grants = []
    if not all(row["may_use_schema"] for row in found.values()):
        grants.append(f"grant usage on schema {schema} to {grantee}")
    if tables := [name for name, row in found.items() if not row["select"]]:
        grants.append(grant(["select"], tables, schema, grantee))
    return grants


CHECKS: Final = (Check("rights", "connection", rights, needs_table=False),)
