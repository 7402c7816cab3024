"""Metrics for Prometheus.

Labels are `oban`, the instance's name (`instance` and `job` are Prometheus's own), `queue`, `worker`, `state` and the
like; a metric has as many series as there are combinations that occur. Times are in seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from bridge.telemetry import bus, events

try:
    from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

    from bridge.telemetry.watching import Watcher
except ImportError as missing:
    raise ImportError("metrics need prometheus-client: pip install 'oban-bridge[prometheus]'") from missing

_ID: Final = "bridge-prometheus"

_ENGINE: Final = tuple(
    f"{events.engine_span(name)}.{part}" for name in events.OPERATIONS for part in ("stop", "exception")
)
_PLUGIN: Final = (f"{events.PLUGIN}.stop", f"{events.PLUGIN}.exception")
_ELECTION: Final = (f"{events.ELECTION}.stop", f"{events.ELECTION}.exception")

#: From a millisecond, about the shortest job, to an hour.
BUCKETS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0)


class Metrics:
    """The metrics of one registry, kept up to date until `close`.

    Args:
        registry: Default the process's own, `prometheus_client.REGISTRY`.
        buckets: Of the histograms of jobs, in seconds.
        handler_id: The telemetry handler's, where there are several.

    Raises:
        ValidationError: A handler of that id is attached already.
        ValueError: The registry has these metrics already.
    """

    def __init__(
        self,
        registry: CollectorRegistry = REGISTRY,
        *,
        buckets: Sequence[float] = BUCKETS,
        handler_id: str = _ID,
    ) -> None:
        self._registry = registry
        self._handler_id = handler_id
        self._collectors: list[Any] = []
        worker = ("oban", "queue", "worker")
        self._ended = self._make(Counter, "oban_jobs", "Runs of jobs that came to an end", (*worker, "state"))
        self._inserted = self._make(Counter, "oban_jobs_inserted", "Jobs inserted by this process", worker)
        self._duration = self._make(
            Histogram, "oban_job_duration_seconds", "How long workers ran", worker, buckets=buckets
        )
        self._queue_time = self._make(
            Histogram, "oban_job_queue_time_seconds", "How long jobs waited once due", worker, buckets=buckets
        )
        self._staged = self._make(Counter, "oban_jobs_staged", "Due jobs made available", ("oban",))
        self._pruned = self._make(Counter, "oban_jobs_pruned", "Ended jobs deleted", ("oban",))
        self._rescued = self._make(Counter, "oban_jobs_rescued", "Jobs taken from dead nodes", ("oban", "state"))
        self._rounds = self._make(
            Histogram, "oban_plugin_duration_seconds", "Rounds of background services", ("oban", "plugin")
        )
        self._rounds_failed = self._make(Counter, "oban_plugin_failures", "Rounds that failed", ("oban", "plugin"))
        self._operations = self._make(
            Histogram, "oban_engine_duration_seconds", "Operations on the database", ("oban", "operation")
        )
        self._operations_failed = self._make(
            Counter, "oban_engine_failures", "Operations that failed", ("oban", "operation")
        )
        self._leader = self._make(Gauge, "oban_leader", "Whether the node leads", ("oban", "node"))
        self._status = self._make(
            Gauge, "oban_notifier_status", "1 for what the node knows of others", ("oban", "node", "status")
        )
        self._mode = self._make(Gauge, "oban_stager_mode", "1 for the stager's mode", ("oban", "node", "mode"))
        self._children: dict[tuple[str, ...], tuple[Any, Any, Any]] = {}
        self._one_of: dict[tuple[str, str, str], str] = {}
        names = (events.JOB_STOP, events.JOB_EXCEPTION, *_ENGINE, *_PLUGIN, *_ELECTION)
        try:
            bus.attach(handler_id, (*names, events.NOTIFIER_SWITCH, events.STAGER_SWITCH), self._hear)
        except ValueError:
            self._unregister()
            raise

    def watch(
        self,
        oban: Any,
        *,
        interval: float = 15.0,
        states: Sequence[str] = ("available", "scheduled", "retryable", "executing"),
    ) -> None:
        """Show an instance's queues as well: their limits, how much runs here, and how many jobs wait in the table.

        Args:
            oban: An instance that has started, on the running event loop.
            interval: The database is asked when somebody collects, at most every so many seconds; 0 never asks it.
            states: Which jobs are counted. Counting those that have ended takes long in a large table.
        """
        self._register(Watcher(oban, interval, states))

    def close(self) -> None:
        """Hear no more, and take the metrics out of the registry."""
        bus.detach(self._handler_id)
        self._unregister()

    # Registering

    def _make(self, kind: type[Any], name: str, text: str, labels: Sequence[str], **options: Any) -> Any:
        try:
            made = kind(name, text, labels, registry=None, **options)
            self._register(made)
        except ValueError:
            self._unregister()
            raise
        return made

    def _register(self, collector: Any) -> None:
        self._registry.register(collector)
        self._collectors.append(collector)

    def _unregister(self) -> None:
        while self._collectors:
            self._registry.unregister(self._collectors.pop())

    # Hearing

    def _hear(self, name: str, event: Any) -> None:
        self._HEARERS[type(event)](self, event)

    def _hear_job(self, event: events.JobStop | events.JobException) -> None:
        job = event.job
        key = (event.oban.name, job.queue, job.worker, event.state)
        children = self._children.get(key)
        if children is None:
            worker = key[:3]
            children = (self._ended.labels(*key), self._duration.labels(*worker), self._queue_time.labels(*worker))
            self._children[key] = children
        ended, duration, queue_time = children
        ended.inc()
        duration.observe(event.duration / 1e9)
        queue_time.observe(event.queue_time / 1e9)

    def _hear_operation(self, event: events.Operation) -> None:
        labels = (event.oban.name, event.operation)
        self._operations.labels(*labels).observe(event.duration / 1e9)
        if event.error is not None:
            self._operations_failed.labels(*labels).inc()
        elif event.operation in ("insert_job", "insert_all_jobs"):
            for job in event.jobs:
                if not getattr(job, "conflict", False):
                    self._inserted.labels(event.oban.name, job.queue, job.worker).inc()

    def _hear_plugin(self, event: events.Plugin) -> None:
        labels = (event.oban.name, event.plugin)
        self._rounds.labels(*labels).observe(event.duration / 1e9)
        if event.error is not None:
            self._rounds_failed.labels(*labels).inc()
        if event.staged_count:
            self._staged.labels(event.oban.name).inc(event.staged_count)
        if event.pruned_count:
            self._pruned.labels(event.oban.name).inc(event.pruned_count)
        for state, jobs in (("available", event.rescued_jobs), ("discarded", event.discarded_jobs)):
            if jobs:
                self._rescued.labels(event.oban.name, state).inc(len(jobs))

    def _hear_election(self, event: events.Election) -> None:
        self._leader.labels(event.oban.name, event.oban.node).set(event.leader)

    def _hear_notifier(self, event: events.NotifierSwitch) -> None:
        self._turn("status", self._status, event.oban, event.status)

    def _hear_stager(self, event: events.StagerSwitch) -> None:
        self._turn("mode", self._mode, event.oban, event.mode)

    def _turn(self, what: str, gauge: Any, oban: events.Instance, now: str) -> None:
        key = (what, oban.name, oban.node)
        if (before := self._one_of.get(key)) is not None:
            gauge.labels(oban.name, oban.node, before).set(0)
        self._one_of[key] = now
        gauge.labels(oban.name, oban.node, now).set(1)

    _HEARERS: Final[dict[type, Callable[[Metrics, Any], None]]] = {
        events.JobStop: _hear_job,
        events.JobException: _hear_job,
        events.Operation: _hear_operation,
        events.Plugin: _hear_plugin,
        events.Election: _hear_election,
        events.NotifierSwitch: _hear_notifier,
        events.StagerSwitch: _hear_stager,
    }
