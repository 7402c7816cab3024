"""How an instance steers queues, here and on other nodes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from bridge.errors import InvalidSignal
from bridge.jobs.checks import seconds
from bridge.oban.base import Base
from bridge.pubsub import Notifier, signals
from bridge.queues import QueueInfo


class Control(Base):
    """Queues: pause, scale, start, stop, and tell how they stand."""

    async def pause_queue(self, queue: str, *, node: str | None = None, local_only: bool = False) -> None:
        """Let a queue fetch no more, on all nodes of both languages, on `node`, or here alone; what runs goes on."""
        await self._signal(signals.Pause(queue), node, local_only)

    async def resume_queue(self, queue: str, *, node: str | None = None, local_only: bool = False) -> None:
        """Let a queue fetch again; scoped as in `pause_queue`."""
        await self._signal(signals.Resume(queue), node, local_only)

    async def pause_all_queues(self, *, node: str | None = None, local_only: bool = False) -> None:
        """Let no queue fetch; scoped as in `pause_queue`."""
        await self._signal(signals.Pause(signals.ALL_QUEUES), node, local_only)

    async def resume_all_queues(self, *, node: str | None = None, local_only: bool = False) -> None:
        """Let every queue fetch again; scoped as in `pause_queue`."""
        await self._signal(signals.Resume(signals.ALL_QUEUES), node, local_only)

    async def scale_queue(self, queue: str, limit: int, *, node: str | None = None, local_only: bool = False) -> None:
        """Let a queue run at most `limit` jobs at once on each node; scoped as in `pause_queue`.

        Raises:
            InvalidSignal: A limit that would break an Elixir node: not an integer, or less than 1.
        """
        await self._signal(signals.Scale(queue, limit), node, local_only)

    async def start_queue(
        self,
        queue: str,
        limit: int,
        *,
        paused: bool = False,
        dispatch_cooldown: float | timedelta | None = None,
        refresh_interval: float | timedelta | None = None,
        node: str | None = None,
        local_only: bool = False,
    ) -> None:
        """Start a queue; nodes where it runs leave it as it is. Scoped as in `pause_queue`.

        What is not said is as the node had it when the queue last ran there, also its `workers`, or else the default of
        `QueueOptions`.

        Raises:
            InvalidSignal: As in `scale_queue`, or an interval that is not 1 ms to a day.
        """
        intervals = (
            _milliseconds("dispatch_cooldown", dispatch_cooldown),
            _milliseconds("refresh_interval", refresh_interval),
        )
        await self._signal(signals.Start(queue, limit, paused, *intervals), node, local_only)

    async def stop_queue(self, queue: str, *, node: str | None = None, local_only: bool = False) -> None:
        """Stop a queue, giving its running jobs the grace period; scoped as in `pause_queue`."""
        await self._signal(signals.Stop(queue), node, local_only)

    def check_queue(self, queue: str) -> QueueInfo | None:
        """Tell how a queue stands on this node; None where it doesn't run here."""
        return self._parts.queues.check(queue)

    def check_all_queues(self) -> list[QueueInfo]:
        """Tell how each queue of this node stands."""
        return [info for name in self._parts.queues.names() if (info := self._parts.queues.check(name))]

    def running_jobs(self) -> list[int]:
        """Return the ids of the jobs that run on this node now; empty where the instance is not running."""
        return [] if self._runtime is None else self._runtime.queues.running_jobs()

    @property
    def is_leader(self) -> bool:
        """Whether this node leads its instance's Python nodes: it holds the lease, by what it knows now."""
        return self._runtime is not None and self._runtime.leader.is_leader

    async def get_leader(self) -> str | None:
        """Return the node that leads this instance's Python nodes; None where none does at the moment.

        An Elixir node of the same instance has a lease of its own, which `peers` tells.
        """
        return await self._parts.leader.find()

    @property
    def notifier(self) -> Notifier:
        """Messages between nodes: `listen`, `unlisten`, `notify`, and `status`, whether any arrive.

        An instance without queues hears nothing until its notifier's `start` is awaited.
        """
        return self._parts.notifier

    async def _signal(self, signal: signals.Signal, node: str | None, local_only: bool) -> None:
        target = self.node if local_only else node
        if target is not None and (not isinstance(target, str) or not target):
            raise InvalidSignal("node", target, "a node's name as text")
        ident = signals.ANY if target is None else signals.ident(self.name, target)
        await self._parts.signal(signal, ident)


def _milliseconds(field: str, value: Any) -> int | None:
    return None if value is None else max(round(seconds(field, value, InvalidSignal) * 1_000), 0)
