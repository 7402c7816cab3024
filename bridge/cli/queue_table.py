"""How `bridge queues list` shows queues, to people and to scripts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, Final

from bridge.cli.queue_view import Place, QueueView
from bridge.cli.tables import Column, print_table, say
from bridge.jobs.states import FINAL, JobState

_COLUMNS: Final = (
    Column("queue", flexible=True),
    Column("available", right=True),
    Column("scheduled", right=True, rank=4),
    Column("retryable", right=True, rank=4),
    Column("suspended", right=True, rank=5),
    Column("executing", right=True),
    Column("ended", right=True, rank=5),
    Column("node", flexible=True, rank=1),
    Column("running", right=True, rank=2),
    Column("status", rank=1),
)


def lines(queues: Sequence[QueueView]) -> Iterator[dict[str, Any]]:
    """Yield a JSON object for each queue."""
    for queue in queues:
        places = [dataclasses.asdict(place) for place in queue.places]
        yield {"queue": queue.name, "jobs": dict(queue.jobs), "nodes": places}


def show(queues: Sequence[QueueView], *, hears: bool = True) -> None:
    """Print a table: a line for each queue, and one more for each further node of it.

    Where this command itself `hears` nothing, that no node has answered says nothing about the node.
    """
    if not queues:
        say("no queue has jobs, and none runs on a Python node")
        return
    rows = [cells for queue in queues for cells in _cells(queue)]
    print_table(_COLUMNS, [[row.get(column.name, "") for column in _COLUMNS] for row in rows])
    statuses = {place.status for queue in queues for place in queue.places}
    for node, silent in sorted(_silent(queues).items() if hears else ()):
        told = f"{node} was last heard {silent:.0f} s ago; perhaps it is dead, or it doesn't listen"
        say(f"no answer: {told}, so control messages don't reach it", err=True)
    if "other" in statuses:
        say("other: a node of Elixir's, or one without a heartbeat, known by what it runs", err=True)


def _silent(queues: Sequence[QueueView]) -> dict[str, float]:
    """Return the seconds since the last heartbeat of the nodes that don't answer."""
    found: dict[str, float] = {}
    for place in (place for queue in queues for place in queue.places):
        if place.silent is not None:
            node = place.node or "?"
            found[node] = min(place.silent, found.get(node, place.silent))
    return found


def _cells(queue: QueueView) -> Iterator[dict[str, str]]:
    ended = sum(queue.jobs.get(state, 0) for state in FINAL)
    counts = {state.value: f"{queue.jobs.get(state, 0):,}" for state in JobState} | {"ended": f"{ended:,}"}
    first = queue.places[0] if queue.places else None
    yield {"queue": queue.name, **counts, **_place(first)}
    for place in queue.places[1:]:
        yield _place(place)


def _place(place: Place | None) -> dict[str, str]:
    if place is None:
        return {"node": "-"}
    running = f"{place.running:,}" if place.limit is None else f"{place.running:,}/{place.limit:,}"
    return {"node": place.node or "?", "running": running, "status": place.status}
