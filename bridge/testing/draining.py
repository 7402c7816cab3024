"""Draining the queue of an instance that a test needn't hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.oban import Oban

if TYPE_CHECKING:
    from datetime import datetime

    from bridge.queues import DrainCounts


async def drain_queue(
    oban: Oban | None = None,
    /,
    *,
    queue: str,
    with_limit: int | None = None,
    with_recursion: bool = False,
    with_safety: bool = True,
    with_scheduled: bool | datetime = False,
) -> DrainCounts:
    """Run the jobs of a queue here and now, as `Oban.drain_queue` does, which says what each option means.

    Args:
        oban: The instance; default the running one named `Oban`.
        queue: Its name.
        with_limit: How many jobs one round takes; default all.
        with_recursion: Go on until a round finds none.
        with_safety: Failures are recorded and counted, and not raised.
        with_scheduled: Run scheduled and retryable jobs too, all or those due by an aware time.

    Returns:
        A dict with the counts `cancelled`, `discard`, `failure`, `snoozed` and `success`.

    Raises:
        InstanceNotFound: No such instance is running.
        InvalidSetting, InvalidJob, Exception: As `Oban.drain_queue` does.
    """
    return await (oban or Oban.get_instance()).drain_queue(
        queue,
        with_limit=with_limit,
        with_recursion=with_recursion,
        with_safety=with_safety,
        with_scheduled=with_scheduled,
    )
