"""How queues stand: by the table, by the heartbeats of Python's producers, and by what their nodes answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from bridge.engine import Engine, LiveProducer
from bridge.errors import InvalidPayload
from bridge.pubsub import Notifier, signals
from bridge.queues import QueueState, census

#: Seconds in which nodes may answer that no heartbeat tells of.
_UNEXPECTED: Final = 0.3


@dataclass(frozen=True, slots=True)
class Place:
    """A queue on a node.

    Attributes:
        node: The node; None where a row doesn't tell.
        instance: The instance, of a Python node.
        uuid: The producer's.
        running: How many jobs it runs.
        status: `running`, `paused`, `stopping`, or `stalled` where none of its processes takes jobs, as the node
            answers; `no answer` of a Python node that is alive by its heartbeat; `other` for Elixir's nodes, and those
            without a heartbeat, known by what they run.
        limit: How many jobs may run at once, where the node answers.
        silent: Seconds since the last heartbeat, where a Python node doesn't answer.
    """

    node: str | None
    instance: str | None
    uuid: str | None
    running: int
    status: str
    limit: int | None = None
    silent: float | None = None


@dataclass(frozen=True, slots=True)
class QueueView:
    """A queue: how many jobs it has in each state, and where it runs."""

    name: str
    jobs: Mapping[str, int]
    places: Sequence[Place]


async def look(engine: Engine, notifier: Notifier, patience: float) -> list[QueueView]:
    """Return every queue that has jobs or runs on a Python node, by name; nodes get `patience` seconds to answer."""
    jobs: dict[str, dict[str, int]] = {}
    for row in await engine.count({}, ("queue", "state")):
        jobs.setdefault(row["queue"], {})[row["state"]] = row["jobs"]
    producers = await engine.live_producers()
    states = await _ask(notifier, producers, patience)
    places = _places(states, producers, await _running(engine), (await engine.read_clock()).now)
    return [QueueView(name, jobs.get(name, {}), places.get(name, [])) for name in sorted({*jobs, *places})]


def concerned(signal: Any, name: str, node: str | None, producers: Sequence[LiveProducer]) -> list[LiveProducer]:
    """Return the Python queues that a signal to every node, or to the instance `name` on `node`, is meant for."""
    reached = _reached(name, node, producers)
    if isinstance(signal, signals.Start):  # for all that are reached, whatever they run
        return reached
    return [each for each in reached if signal.queue in (signals.ALL_QUEUES, each.queue)]


def laggards(
    signal: Any, name: str, node: str | None, producers: Sequence[LiveProducer], states: Sequence[QueueState]
) -> list[str]:
    """Return which of these queues don't show yet what the signal asked for."""
    shown = {state.uuid for state in states if _shows(signal, state)}
    if isinstance(signal, signals.Start):
        reached = _reached(name, node, producers)
        running = {each.node for each in reached if each.queue == signal.queue and each.uuid in shown}
        return [f"{signal.queue} on {each}" for each in sorted({each.node for each in reached} - running)]
    late = concerned(signal, name, node, producers)
    return [f"{each.queue} on {each.node}" for each in late if each.uuid not in shown]


def _reached(name: str, node: str | None, producers: Sequence[LiveProducer]) -> list[LiveProducer]:
    return [each for each in producers if node is None or (each.name, each.node) == (name, node)]


def _shows(signal: Any, state: QueueState) -> bool:
    match signal:
        case signals.Pause():
            return state.paused
        case signals.Resume():
            return not state.paused
        case signals.Scale(limit=limit):
            return state.limit == limit
        case signals.Start():
            return not state.stopping
        case _:  # A queue that has stopped is on no list.
            return False


async def _ask(notifier: Notifier, producers: Sequence[LiveProducer], patience: float) -> list[QueueState]:
    if not patience:
        return []
    try:
        async with census(notifier) as asking:
            expected = {each.uuid for each in producers}
            return await asking.ask(expected, patience if expected else min(patience, _UNEXPECTED))
    except InvalidPayload:  # the prefix is too long for a channel, so no node listens either
        return []


_Running = dict[tuple[str, str | None, str | None], int]


async def _running(engine: Engine) -> _Running:
    return {(load.queue, load.node, load.uuid): load.jobs for load in await engine.loads()}


def _places(
    states: Sequence[QueueState], producers: Sequence[LiveProducer], running: _Running, now: datetime
) -> dict[str, list[Place]]:
    found: dict[str, list[Place]] = {}
    answered = {state.uuid for state in states}
    known = answered | {each.uuid for each in producers}
    for state in states:
        place = Place(state.node, state.name, state.uuid, state.running, _status(state), state.limit)
        found.setdefault(state.queue, []).append(place)
    for each in producers:
        if each.uuid not in answered:
            jobs = running.get((each.queue, each.node, each.uuid), 0)
            silent = max((now - each.beat_at).total_seconds(), 0.0)
            place = Place(each.node, each.name, each.uuid, jobs, "no answer", silent=silent)
            found.setdefault(each.queue, []).append(place)
    for (queue, node, uuid), jobs in running.items():
        if uuid not in known:
            found.setdefault(queue, []).append(Place(node, None, uuid, jobs, "other"))
    return found


def _status(state: QueueState) -> str:
    if state.stopping:
        return "stopping"
    return "paused" if state.paused else "stalled" if state.stalled else "running"
