"""The processes in which nodes run jobs, where they have any beside their own: asked of the nodes themselves."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any, Final

from bridge.doctor.check import Check, Patient
from bridge.doctor.finding import Seen, count, ok, problem
from bridge.engine import is_unavailable
from bridge.engine.diagnosis import NoAnswerError
from bridge.pubsub import channels, envelope

#: Seconds that a connection which listens may take to be opened.
_OPENING: Final = 5.0


async def child_processes(patient: Patient) -> Seen:
    """Ask the live Python nodes whether anything but a pause keeps their queues from fetching."""
    rows = await patient.once(patient.ask.producers)
    live = {row["uuid"] for row in rows if row["silent"] <= row["rescue_after"]}
    answers = await _ask(patient, live) if live and channels.fits(_channel(patient)) else {}
    stalled: dict[tuple[str, str], list[str]] = {}
    for state in answers.values():
        if state.get("stalled"):
            stalled.setdefault((str(state.get("node")), str(state["stalled"])), []).append(str(state.get("queue")))
    figures = {"asked": len(live), "answered": len(answers), "stalled": sorted({node for node, _ in stalled})}
    if not stalled:
        return ok(f"{count(len(answers), 'queue')} of live Python nodes can run jobs, as they say", **figures)
    details = [f"{node}: {', '.join(sorted(queues))}; {reason}" for (node, reason), queues in sorted(stalled.items())]
    mend = (
        "see that node's log for why its processes don't start, such as a module that can't be imported after a "
        "deployment, or no memory left; they are tried again every 30 s, and need no restart once that is mended"
    )
    return problem(f"{count(len(stalled), 'node')} can't run jobs", mend, details, **figures)


def _channel(patient: Patient) -> str:
    return channels.channel_name(patient.catalog.prefix, channels.CENSUS)


async def _ask(patient: Patient, expected: set[str]) -> dict[str, Mapping[str, Any]]:
    """Return what the queues' nodes answer, by the producers' ids; nothing where none can be heard."""
    found: dict[str, Mapping[str, Any]] = {}
    complete = asyncio.Event()
    question = secrets.token_hex(16)

    def hear(_conn: Any, _pid: int, _channel: str, text: object) -> None:
        message = envelope.decode(str(text)) or {}
        states = message.get("queues")
        if message.get("answer") == question and isinstance(states, list):
            found.update({str(state.get("uuid")): state for state in states if isinstance(state, Mapping)})
            if found.keys() >= expected:
                complete.set()

    try:
        async with asyncio.timeout(_OPENING), patient.listen() as conn:
            await conn.add_listener(_channel(patient), hear)
            try:
                await patient.ask.notify(_channel(patient), envelope.encode({"question": question}))
                async with asyncio.timeout(patient.patience):
                    await complete.wait()
            finally:
                await conn.remove_listener(_channel(patient), hear)
    except NoAnswerError:
        raise
    except Exception as error:  # who listens where is what another check looks at
        if not isinstance(error, TimeoutError) and not is_unavailable(error):
            raise
    return found


CHECKS: Final = (Check("child-processes", "nodes", child_processes),)
