"""What signals do to `bridge start`: running jobs end in their grace period, or the process ends at once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bridge import Job

from .node_process import enqueue, options, state_of


@contextmanager
def at_sighup(does: signal.Handlers) -> Iterator[None]:
    """Let processes that are started meanwhile begin with this, as those of a terminal or of `nohup` do."""
    before = signal.signal(signal.SIGHUP, does)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


async def test_sigterm_lets_running_jobs_end_and_exits_with_0(node: Any, installed: str) -> None:
    running = node(*options(installed))
    running.until("bridge.started")
    [job] = await enqueue(installed, Job("Tests.Held"))
    running.until("oban.job.start")
    running.signal(signal.SIGTERM)
    running.until("bridge.stopping")
    running.release()
    running.until("oban.job.stop", id=job.id)
    running.until("bridge.stopped")
    assert running.ends() == 0
    assert await state_of(installed, job.id) == "completed"


async def test_a_second_signal_stops_at_once(node: Any, installed: str) -> None:
    running = node(*options(installed))
    running.until("bridge.started")
    [job] = await enqueue(installed, Job("Tests.Slow", args={"seconds": 60}))
    running.until("oban.job.start")
    running.signal(signal.SIGTERM)
    running.until("bridge.stopping")
    running.signal(signal.SIGTERM)
    line = running.until("bridge.aborted")
    assert list(line)[:3] == ["time", "event", "level"]
    assert (line["signal"], line["orphaned"]) == ("SIGTERM", [job.id])
    assert running.ends() == 128 + signal.SIGTERM
    assert await state_of(installed, job.id) == "executing"


async def test_a_closed_terminal_lets_running_jobs_end(node: Any, installed: str) -> None:
    """It sends SIGHUP by its shell and once more by the kernel, which is no second signal of anybody's."""
    with at_sighup(signal.SIG_DFL):
        running = node(*options(installed))
    running.until("bridge.started")
    [job] = await enqueue(installed, Job("Tests.Held"))
    running.until("oban.job.start")
    running.signal(signal.SIGHUP)
    running.until("bridge.stopping")
    running.signal(signal.SIGHUP)
    running.signal(signal.SIGTERM)
    running.release()
    running.until("oban.job.stop", id=job.id)
    running.until("bridge.stopped")
    assert running.ends() == 0
    assert await state_of(installed, job.id) == "completed"


async def test_sighup_stays_ignored_where_nohup_says_so(node: Any, installed: str) -> None:
    with at_sighup(signal.SIG_IGN):
        running = node(*options(installed))
    running.until("bridge.started")
    running.signal(signal.SIGHUP)
    await enqueue(installed, Job("Tests.Greet"))
    running.until("oban.job.stop")
    running.signal(signal.SIGTERM)
    assert "grace" in running.until("bridge.stopping")
    assert running.ends() == 0


async def test_a_job_beyond_the_grace_period_is_handed_back(node: Any, installed: str) -> None:
    running = node(*options(installed), "--shutdown-grace-period", "0.2")
    running.until("bridge.started")
    [job] = await enqueue(installed, Job("Tests.Slow", args={"seconds": 60}))
    running.until("oban.job.start")
    running.signal(signal.SIGINT)
    running.until("bridge.stopped")
    assert running.ends() == 0
    assert await state_of(installed, job.id) == "available"


async def test_a_job_that_ignores_its_cancellation_is_abandoned(node: Any, installed: str) -> None:
    running = node(*options(installed), "--shutdown-grace-period", "0.2")
    running.until("bridge.started")
    await enqueue(installed, Job("Tests.Stubborn"))
    running.until("oban.job.start")
    running.signal(signal.SIGTERM)
    running.until("bridge.stopped")
    assert running.until("bridge.abandoned")["tasks"] == 1
    assert running.ends() == 0
