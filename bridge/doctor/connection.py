"""The way to the database: server, encryption, poolers and notifications."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Any, Final

from bridge.doctor.check import Check, Patient
from bridge.doctor.finding import Seen, note, ok, problem, warning
from bridge.engine import is_unavailable
from bridge.engine.diagnosis import BACKEND_PID, NoAnswerError

#: Versions of PostgreSQL that Bridge is tested on.
_OLDEST, _NEWEST = 14, 18

#: Seconds after which a notification counts as lost, and as slow.
_LOST, _SLOW = 2.0, 0.5

#: How many notifications have to be slow, so that a moment's pause of anybody is not taken for the way.
_TRIES: Final = 3

#: Seconds for opening another connection and all that is done with it.
_OPENING: Final = 5.0

_HERE: Final = ("127.0.0.1", "::1")


async def server(patient: Patient) -> Seen:
    """Look at the server: a version that is supported, writable, in UTF-8."""
    found = await patient.once(patient.ask.server)
    where = f"PostgreSQL {found['version']}, database {found['database']}, role {found['role']}"
    figures = {name: found[name] for name in ("version", "database", "role", "encoding", "standby")}
    if found["standby"] or found["read_only"]:
        why = "is a standby" if found["standby"] else "only reads (default_transaction_read_only)"
        return problem(f"{where}; it {why}, so no job can run here", "point the DSN at the primary", **figures)
    if found["major"] < _OLDEST:
        return problem(f"{where}; Bridge needs {_OLDEST} or later", "upgrade PostgreSQL", **figures)
    if found["encoding"] != "UTF8":
        mend = "jobs belong into a database with the encoding UTF8"
        return warning(f"{where}; its encoding {found['encoding']} can't hold every text", mend, **figures)
    if found["major"] > _NEWEST:
        return note(f"{where}; Bridge was tested up to {_NEWEST}", **figures)
    return ok(where, **figures)


async def tls(patient: Patient) -> Seen:
    """Look whether others on the way can read along."""
    found = await patient.once(patient.ask.server)
    figures = {"tls": found["tls"], "client": found["client"]}
    if await _pooled(patient) != "direct":
        return note("a pooler is in between, so the server doesn't know whether the way here is encrypted", **figures)
    if found["tls"]:
        return ok(f"encrypted with {found['cipher']}", **figures)
    if not found["client"] or found["client"] in _HERE:
        return ok("not encrypted, and on this machine alone", **figures)
    mend = "add sslmode=require, or better verify-full, to the DSN"
    return warning(f"not encrypted, from {found['client']}: passwords and args can be read on the way", mend, **figures)


async def pooler(patient: Patient) -> Seen:
    """Look for a pooler in between, and whether it hands each transaction to another session."""
    kind = await _pooled(patient)
    if kind == "direct":
        return ok("straight to the server", pooler=None)
    if kind == "session":
        return ok("by a pooler that keeps a session for each connection", pooler="session")
    mend = "set notifier.dsn to a DSN that goes around the pooler, or let the pooler keep sessions"
    text = "by a pooler in transaction mode: LISTEN doesn't work through it"
    if patient.settings.get("notifier.dsn"):
        return ok(f"{text}, and notifier.dsn goes another way", pooler="transaction")
    return warning(f"{text}, so queues look for jobs every second instead", mend, pooler="transaction")


async def notifications(patient: Patient) -> Seen:
    """Send a notification to a channel of its own, and measure when it is back."""
    try:
        async with asyncio.timeout(_OPENING) as limit, patient.listen() as conn:
            limit.reschedule(asyncio.get_running_loop().time() + _OPENING + _TRIES * _LOST)
            took = await _measure(patient, conn)
    except NoAnswerError:
        raise
    except Exception as error:
        if not is_unavailable(error):
            raise
        mend = "check notifier.dsn, and that the server and its pooler take one more connection"
        told = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return warning(f"no connection that listens could be had: {told}", mend)
    if took is None:
        mend = "behind a pooler in transaction mode, set notifier.dsn to a DSN that goes around it"
        text = f"a notification was not back within {_LOST:g} s; queues look for jobs every second instead"
        return warning(text, mend)
    figures: dict[str, Any] = {"milliseconds": round(took * 1_000, 2)}
    text = f"a notification is back after {took * 1_000:.1f} ms"
    if took > _SLOW:
        return warning(text, "look for a long way to the server, or a busy one: each job starts that late", **figures)
    return ok(text, **figures)


async def _measure(patient: Patient, conn: Any) -> float | None:
    """Return how many seconds a notification takes, the last of several where they are slow; None where it is lost."""
    arrived: asyncio.Queue[float] = asyncio.Queue()
    channel, token = f"bridge_doctor_{secrets.token_hex(8)}", secrets.token_hex(8)

    def hear(_conn: Any, _pid: int, _channel: str, payload: object) -> None:
        if payload == token:
            arrived.put_nowait(time.perf_counter())

    await conn.add_listener(channel, hear)
    try:
        for _ in range(_TRIES):
            took = await _round_trip(patient, channel, token, arrived)
            if took is None or took <= _SLOW:
                break
        return took
    finally:
        await conn.remove_listener(channel, hear)


async def _round_trip(patient: Patient, channel: str, token: str, arrived: asyncio.Queue[float]) -> float | None:
    begun = time.perf_counter()
    await patient.ask.notify(channel, token)
    try:
        async with asyncio.timeout(_LOST):
            return await arrived.get() - begun
    except TimeoutError:
        return None


async def _pooled(patient: Patient) -> str:
    async def kind_of_way() -> str:
        return await _kind_of_way(patient)

    return str(await patient.once(kind_of_way))


async def _kind_of_way(patient: Patient) -> str:
    """Return `direct`, or `session` or `transaction` for a pooler's mode.

    A pooler makes up the process that a client is told of. In transaction mode the process that answers can be had by
    another connection between two transactions; two connections of a session pooler never have the same.
    """
    told, answering = await patient.ask.backend()
    if told == answering:
        return "direct"
    async with patient.open() as one, patient.open() as other:
        try:
            before = await _backend(one)
        except TimeoutError:  # the first connection has the pooler's only session
            return "session"
        async with other.transaction(readonly=True):
            try:
                theirs, now = await _backend(other), await _backend(one)
            except TimeoutError:  # both go by the same session, in turn
                return "transaction"
    return "transaction" if before == theirs or before != now else "session"


async def _backend(conn: Any) -> int:
    async with asyncio.timeout(_LOST):
        return int(await conn.fetchval(BACKEND_PID))


CHECKS = (
    Check("server", "connection", server, needs_table=False),
    Check("tls", "connection", tls, needs_table=False),
    Check("pooler", "connection", pooler, needs_table=False),
    Check("notifications", "connection", notifications, needs_table=False),
)
