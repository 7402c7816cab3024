"""How an instance runs what a queue holds without running the queue."""

from __future__ import annotations

from datetime import datetime

from bridge.oban.base import Base
from bridge.queues import DrainCounts, Drainer


class Draining(Base):
    """Draining, for tests above all."""

    async def drain_queue(
        self,
        queue: str,
        *,
        with_limit: int | None = None,
        with_recursion: bool = False,
        with_safety: bool = True,
        with_scheduled: bool | datetime = False,
    ) -> DrainCounts:
        """Run the jobs of a queue here and now, one after the other, in the calling task (Oban 2.23: `drain_queue`).

        Each is fetched, run and acked as a queue would do it, in the transaction of a test too. Jobs whose worker is
        not registered here stay where they are.

        Args:
            queue: Its name; it need not run here, and should not run anywhere.
            with_limit: How many jobs one round takes; default all.
            with_recursion: Go on until a round finds none, so that jobs which these jobs enqueue run too. With
                `with_scheduled=True`, what fails is tried until it is discarded, and what snoozes forever runs forever.
            with_safety: Failures are recorded and counted. False raises the first once it is recorded, and hands back
                what would have run after it.
            with_scheduled: True runs scheduled and retryable jobs too, whatever their time; an aware datetime those
                that are due by then.

        Returns:
            A dict with the counts `cancelled`, `discard`, `failure`, `snoozed` and `success`.

        Raises:
            InvalidSetting, InvalidJob: An option or a queue's name of the wrong kind.
            Exception: What a job raised, without safety.
        """
        drainer = Drainer(
            self._parts.engine,
            self._plan.registry,
            node=self.node,
            queue=queue,
            with_limit=with_limit,
            with_recursion=with_recursion,
            with_safety=with_safety,
            with_scheduled=with_scheduled,
        )
        return await drainer.drain()
