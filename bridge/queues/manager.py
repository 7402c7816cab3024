"""The queues of this node: starts and stops producers, and hands them the messages that concern them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bridge.engine import Engine
from bridge.jobs import Registry
from bridge.pubsub import signals
from bridge.pubsub.throttle import Throttle
from bridge.queues.info import Pulse, QueueInfo
from bridge.queues.log import logger
from bridge.queues.options import QueueOptions
from bridge.queues.producer import Producer

if TYPE_CHECKING:
    from bridge.queues.processes.pool import ProcessPool

#: Seconds from one line that tells of a signal to the next one of the same action and queue.
TELL = 2.0


class QueueManager:
    """Holds a producer for each queue that runs on this node.

    Args:
        engine: Where the jobs are.
        registry: The workers that may run.
        name: The instance's name.
        node: This node's name.
        grace: Seconds that running jobs get when a queue stops.
        pulse: What keeps the producers from being taken for dead.
        processes: What runs jobs in other processes; default they run in this one.
    """

    def __init__(
        self,
        engine: Engine,
        registry: Registry,
        *,
        name: str,
        node: str,
        grace: float,
        pulse: Pulse | None = None,
        processes: ProcessPool | None = None,
    ) -> None:
        self._engine = engine
        self._registry = registry
        self._name = name
        self._node = node
        self._grace = grace
        self._pulse = pulse
        self._processes = processes
        if processes is not None:
            processes.on_ready(self.wake)
        self._producers: dict[str, Producer] = {}
        self._last: dict[str, QueueOptions] = {}
        self._ending: list[Producer] = []
        self._stopping: set[asyncio.Task[None]] = set()
        self._lingering: set[asyncio.Task[None]] = set()
        self._told = Throttle(TELL)
        self._closed = False

    def start(self, options: QueueOptions) -> None:
        """Start a queue; one that runs already is left as it is (Oban 2.23), and after `stop_all` none starts."""
        if options.queue not in self._producers and not self._closed:
            producer = Producer(
                options,
                self._engine,
                self._registry,
                name=self._name,
                node=self._node,
                pulse=self._pulse,
                processes=self._processes,
            )
            self._producers[options.queue] = producer
            self._last[options.queue] = options
            if self._processes is not None:
                self._processes.start()
            producer.start()

    async def stop(self, queue: str) -> bool:
        """Stop a queue and wait until its jobs have ended; False where it doesn't run here."""
        producer = self._producers.pop(queue, None)
        if producer is None:
            return False
        self._ending.append(producer)
        try:
            await producer.stop(self._grace)
        finally:
            self._ending.remove(producer)
        if producer.unfinished and not self._closed:
            self._linger(producer)
        return True

    def _linger(self, producer: Producer) -> None:
        task = asyncio.create_task(producer.linger(), name=f"bridge-linger-{producer.options.queue}")
        self._lingering.add(task)
        task.add_done_callback(self._lingering.discard)

    async def stop_all(self) -> None:
        """Stop every queue at the same time, for good: a signal to start one may still come while jobs end."""
        self._closed = True
        if self._processes is not None:
            self._processes.rest()
        await asyncio.gather(*(self.stop(queue) for queue in list(self._producers)), *self._stopping)
        # What goes on now ends with the node.
        for task in self._lingering:
            task.cancel()
        await asyncio.gather(*self._lingering, return_exceptions=True)

    def check(self, queue: str) -> QueueInfo | None:
        """Tell how a queue stands; None where it doesn't run here."""
        producer = self._producers.get(queue)
        return None if producer is None else self._check(producer)

    def check_all(self) -> list[QueueInfo]:
        """Tell how every queue stands, also those that are being stopped."""
        return [self._check(producer) for producer in (*self._producers.values(), *self._ending)]

    def _check(self, producer: Producer) -> QueueInfo:
        info = producer.check()
        return info if self._processes is None else replace(info, stalled=self._processes.stalled)

    def running_jobs(self) -> list[int]:
        """Return the ids of the jobs that run here, also in queues that are being stopped."""
        return [job for info in self.check_all() for job in info.running]

    def names(self) -> list[str]:
        """Return the queues that run here."""
        return list(self._producers)

    def wake(self, queues: Iterable[str] | None = None) -> None:
        """Make queues look for jobs: those named, or all."""
        for queue in self._producers if queues is None else queues:
            if producer := self._producers.get(queue):
                producer.wake()

    def cancel(self, job_id: int) -> None:
        """Cancel a job, if it runs here."""
        for producer in (*self._producers.values(), *self._ending):
            producer.cancel(job_id)

    async def cancel_marked(self) -> None:
        """Cancel the jobs that run here though their rows say that somebody cancelled them."""
        running = [job_id for producer in self._producers.values() for job_id in producer.check().running]
        if running:
            found = await self._engine.select({"id": running, "state": "cancelled"}, len(running))
            marked = {job.id for job in found}
            for job_id in running:
                if job_id in marked:
                    self.cancel(job_id)

    def apply(self, signal: signals.Signal) -> None:
        """Do what a control message says."""
        match signal:
            case signals.Pause(queue=queue):
                self._pause(queue, paused=True)
            case signals.Resume(queue=queue):
                self._pause(queue, paused=False)
            case signals.Scale():
                self._scale(signal)
            case signals.Start():
                self._start(signal)
            case signals.Stop(queue=queue):
                self._stop_later(queue)
            case signals.Pkill(job_id=job_id):
                self.cancel(job_id)

    # Messages

    def on_insert(self, _channel: str, payload: Mapping[str, Any]) -> None:
        """Hear that a queue has new jobs."""
        queue = payload.get("queue")
        if isinstance(queue, str):
            self.wake([queue])

    def on_signal(self, _channel: str, payload: Mapping[str, Any]) -> None:
        """Hear a control message, from this node or any other, of either language."""
        signal = signals.parse(payload)
        if signal is not None:
            self.apply(signal)

    def _options(self, start: signals.Start) -> QueueOptions:
        """Return what a signal says, and for the rest what this node last had for the queue: signals can't say all."""
        said: dict[str, Any] = {"limit": start.limit, "paused": start.paused}
        for option in ("dispatch_cooldown", "refresh_interval"):
            if (milliseconds := getattr(start, option)) is not None:
                said[option] = milliseconds / 1_000
        return replace(self._last.get(start.queue, QueueOptions(start.queue)), **said)

    def _named(self, queue: str) -> list[Producer]:
        return [producer for name, producer in self._producers.items() if queue in ("*", name)]

    def _pause(self, queue: str, *, paused: bool) -> None:
        changed = [producer for producer in self._named(queue) if producer.options.paused is not paused]
        for producer in changed:
            (producer.pause if paused else producer.resume)()
        self._tell("paused" if paused else "resumed", queue, changed)

    def _scale(self, scale: signals.Scale) -> None:
        for producer in self._named(scale.queue):
            if producer.options.limit != scale.limit:
                producer.scale(scale.limit)
                self._tell(f"scaled to {scale.limit}", scale.queue, [producer])
        if scale.paused is not None:
            self._pause(scale.queue, paused=scale.paused)

    def _start(self, start: signals.Start) -> None:
        before = self._producers.get(start.queue)
        self.start(self._options(start))
        if (producer := self._producers.get(start.queue)) not in (None, before):
            self._tell(
                f"started{' and paused' if start.paused else ''} with limit {start.limit}", start.queue, [producer]
            )

    def _tell(self, done: str, queue: str, producers: Sequence[Producer]) -> None:
        """Let the log say what a signal did, at a bounded rate: anybody may send them."""
        action = done.partition(" ")[0]
        if producers and (more := self._told.note((action, queue))) is not None:
            names = ", ".join(producer.options.queue for producer in producers)
            words = "queue %s was %s by a signal%s" if len(producers) == 1 else "queues %s were %s by a signal%s"
            logger.info(words, names, done, more)

    def _stop_later(self, queue: str) -> None:
        if (producer := self._producers.get(queue)) is not None:
            self._tell("told to stop", queue, [producer])
        task = asyncio.create_task(self._stop_logged(queue))
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)

    async def _stop_logged(self, queue: str) -> None:
        if await self.stop(queue):
            logger.info("queue %s has stopped, as a signal said", queue)
