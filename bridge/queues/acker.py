"""The acker of a producer: outcomes are gathered while a write is under way, and written together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from bridge.engine import Ack, Engine, is_doubtful, is_unavailable, utc_now
from bridge.errors import InvalidSetting, JobError, SchemaError
from bridge.pubsub.throttle import Throttle
from bridge.queues.aside import TRIED, Aside
from bridge.queues.backoff import RetryDelay
from bridge.queues.failures import error_entry
from bridge.queues.log import logger
from bridge.queues.outcome import Outcome
from bridge.queues.troubles import Troubles

#: Outcomes in one write.
BATCH = 2_000

#: How often a single outcome's write may fail for what may be the server's fault, or be cut short by it, before it is
#: asked whether the outcome is to blame.
ATTEMPTS = 5

#: Seconds that a write gets to come to an end once the acker stops.
UNWIND = 1.0


class Acker:
    """Writes outcomes in the background, and goes on trying while the database is away.

    An outcome that the database refuses fails its job. One whose row takes nothing at all, though the database is
    there, is put aside, so that it holds up no other, and tried again every few seconds.

    Args:
        engine: Where to.
        uuid: The producer's; a row that another one took over is left alone.
        on_written: Called for each outcome, with whether its row took it.
    """

    def __init__(self, engine: Engine, uuid: str, on_written: Callable[[Outcome, bool], None]) -> None:
        self._engine = engine
        self._uuid = uuid
        self._on_written = on_written
        self._pending: list[Outcome] = []
        self._aside = Aside()
        self._told = Throttle()
        self._troubles = Troubles()
        self._held = _Held()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None

    @property
    def pending(self) -> int:
        """How many outcomes are not written yet."""
        return len(self._pending) + len(self._aside)

    def pending_keys(self) -> set[tuple[int | None, int]]:
        """Return (id, attempt) of each outcome that is not written yet."""
        return {_key(outcome) for outcome in (*self._pending, *self._aside)}

    def start(self) -> None:
        """Begin to write, also what an earlier stop has left."""
        if self._pending:
            self._wake.set()
        self._task = asyncio.create_task(self._run(), name="bridge-acker")

    def add(self, outcome: Outcome) -> None:
        """Take an outcome to write."""
        self._pending.append(outcome)
        self._idle.clear()
        self._wake.set()

    async def write(self, outcome: Outcome) -> None:
        """Write one outcome at once, for a caller that runs jobs itself; nothing need be started.

        Raises:
            OSError, asyncpg.PostgresError: The database is away; nothing is tried again.
        """
        held = RetryDelay(longest=1.0)
        self._pending.append(outcome)
        while True:
            try:
                await self._write([outcome])
            except Exception as error:
                if _may_pass(error) or is_doubtful(error):
                    raise
                await self._write_refused(outcome, error)
            if not any(left is outcome for left in self._pending):
                return
            await asyncio.sleep(held.next())  # Another transaction holds the row.

    def abandon(self) -> None:
        """Write no more, without a word about what is left."""
        if self._task is not None:
            self._task.cancel()

    async def stop(self, timeout: float | None) -> list[Outcome]:
        """Write what is left, for at most `timeout` seconds where there are any; return what could not be written."""
        self._bring_back()
        try:
            async with asyncio.timeout(timeout):
                await self._idle.wait()
        except TimeoutError:
            pass
        if self._task is not None:
            self._task.cancel()
            # A write that no server answers is left behind; its pool ends it.
            await asyncio.wait([self._task], timeout=UNWIND)
        return [*self._pending, *self._aside]

    async def _run(self) -> None:
        held = RetryDelay(longest=1.0)
        while True:
            await self._rest(self._aside.wait)
            # The queue's next fetch is on its way first, and what ends meanwhile is written, too.
            await asyncio.sleep(0)
            self._wake.clear()
            while self._pending or self._aside.is_due:
                if self._aside.is_due:
                    await self._look_aside()
                await self._write_next(held)
            self._idle.set()

    async def _rest(self, seconds: float | None) -> None:
        """Wait so long, or until there is another outcome."""
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    async def _write_next(self, held: RetryDelay) -> None:
        batch = self._pending[:BATCH]
        await self._write_batch(batch)
        left = {id(outcome) for outcome in self._pending}
        if batch and all(id(outcome) in left for outcome in batch):  # Other transactions hold these rows.
            await self._rest(held.next())
        else:
            held.reset()

    async def _write_batch(self, batch: Sequence[Outcome]) -> None:
        delay = RetryDelay()
        while len(batch) > 1:
            try:
                await self._write(batch)
            except Exception as error:
                if not _may_pass(error):
                    await self._write_parts(batch, len(batch) // 2)
                    return
                await self._wait(delay, error)
            else:
                return
        for outcome in batch:
            await self._write_alone(outcome, ATTEMPTS)

    async def _write_alone(self, outcome: Outcome, attempts: int) -> None:
        delay, doubts = RetryDelay(), 0
        while True:
            try:
                await self._write([outcome])
            except Exception as error:
                if not _may_pass(error):
                    if doubts >= ATTEMPTS or not is_doubtful(error):
                        await self._write_refused(outcome, error)
                        return
                    doubts += 1
                    if doubts >= attempts and not await self._is_writable(outcome):
                        self._put_aside(outcome, error)
                        return
                await self._wait(delay, error)
            else:
                return

    # Rows that take nothing for now

    def _put_aside(self, outcome: Outcome, error: Exception) -> None:
        if not outcome.given_up and (more := self._told.note("put aside")) is not None:
            logger.warning("the row of job %s can't be written, and is tried again: %s%s", outcome.job.id, error, more)
        self._pending = [other for other in self._pending if other is not outcome]
        self._aside.put(outcome)

    async def _look_aside(self) -> None:
        """Try some of those that were put aside; where one is written, the others' time may have come too."""
        for _ in range(min(TRIED, len(self._aside))):
            if not self._aside:  # a stop has brought all back
                return
            outcome = self._aside.take()
            self._pending.insert(0, outcome)
            await self._write_alone(outcome, 1)
            if not any(other is outcome for other in self._aside):
                self._bring_back()
                return
        self._aside.put_off()

    def _bring_back(self) -> None:
        if self._aside:
            self._pending += self._aside.take_all()
            self._idle.clear()
            self._wake.set()

    # Beneath

    async def _is_writable(self, outcome: Outcome) -> bool:
        """Tell whether the outcome's row can be written in time: then it is the outcome itself that can't be.

        Where a lock, a busy server or a broken one fails whatever is asked of that row, the outcome waits.
        """
        try:
            await self._engine.touch(self._uuid, outcome.job.id or 0, outcome.job.attempt)
        except Exception:  # whatever it is, it is no fault of the outcome's
            return False
        return True

    async def _wait(self, delay: RetryDelay, error: Exception) -> None:
        # Once an outage, and then about twice a minute.
        if self._troubles.failed():
            logger.warning("%s for the database: %s", _count(self.pending, "waits", "wait"), type(error).__name__)
        await asyncio.sleep(delay.next())

    async def _write(self, batch: Sequence[Outcome]) -> None:
        acks = [outcome.ack for outcome in batch if outcome.ack is not None]
        written = await self._engine.ack(self._uuid, acks)
        left = [ack for ack in acks if (ack.id, ack.attempt) not in written] if len(written) < len(acks) else []
        put_off = await self._engine.put_off(self._uuid, left)
        if (seconds := self._troubles.over()) is not None:
            self._held = _Held(len(self._pending), seconds)
        gone = set(map(id, batch))
        self._pending = [outcome for outcome in self._pending if id(outcome) not in gone]
        for outcome in batch:
            key = _key(outcome)
            if key in put_off:
                self._pending.append(outcome)  # It goes behind what has come meanwhile.
            else:
                self._tell(outcome, key in written)
        self._tell_recovery(len(batch) - len(put_off))

    def _tell_recovery(self, written: int) -> None:
        """Say once that the outcomes which had to wait are written; others may have come meanwhile."""
        held = self._held
        if held.count:
            held.left -= written
            if held.left <= 0 or not self._pending:
                told = _count(held.count, "was", "were")
                logger.info("%s written that had to wait for the database, for up to %.1f s", told, held.seconds)
                self._held = _Held()

    def _tell(self, outcome: Outcome, recorded: bool) -> None:
        if outcome.given_up:  # that was told
            return
        try:
            self._on_written(outcome, recorded)
        except BaseException:  # such as a CancelledError out of a telemetry handler: the acker must outlive it
            logger.exception("telling of the end of job %s failed", outcome.job.id)

    async def _write_parts(self, batch: Sequence[Outcome], size: int) -> None:
        for start in range(0, len(batch), size):
            await self._write_batch(batch[start : start + size])

    async def _write_refused(self, outcome: Outcome, error: Exception) -> None:
        """Fail a job whose outcome the database refuses, such as a meta too large for jsonb.

        Where its row takes no error either, the state alone is written. If it takes not even that, the end is told as
        not recorded, and what was to be written at first is tried again and again: else the row would stay `executing`
        as long as the producer lives.
        """
        ack = outcome.ack
        assert ack is not None  # noqa: S101 - there is nothing to write of a job that is handed back
        if outcome.given_up:
            self._put_aside(outcome, error)
            return
        if (more := self._told.note("refused")) is not None:
            logger.error("the database refused the outcome of job %s: %s%s", outcome.job.id, error, more)
        if outcome.refused is None:
            outcome.refused, outcome.error = ack, RefusedOutcome(f"the database refused the outcome: {error}")
            entry = error_entry(outcome.error, ack.attempt, utc_now())
            outcome.ack = Ack(ack.id, ack.attempt, "discarded", utc_now(), error=entry)
        elif ack.error is not None:
            outcome.ack = Ack(ack.id, ack.attempt, "discarded", utc_now())
        else:
            self._give_up(outcome, error)
            return
        await self._write_batch([outcome])

    def _give_up(self, outcome: Outcome, error: Exception) -> None:
        if (more := self._told.note("given up")) is not None:
            text = "the row of job %s takes no outcome and stays executing; it is tried again now and then: %s%s"
            logger.error(text, outcome.job.id, error, more)
        self._tell(outcome, False)
        outcome.given_up = True
        self._put_aside(outcome, error)


class _Held:
    """Outcomes that an outage held up, until they are written."""

    def __init__(self, count: int = 0, seconds: float = 0.0) -> None:
        self.count = self.left = count
        self.seconds = seconds


def _count(outcomes: int, one: str, many: str) -> str:
    return f"1 outcome {one}" if outcomes == 1 else f"{outcomes} outcomes {many}"


def _key(outcome: Outcome) -> tuple[int | None, int]:
    return (outcome.job.id, outcome.job.attempt)


def _may_pass(error: Exception) -> bool:
    # Our own limit is reached where the network is dead. A table or a right that is missing comes back, and so may
    # prepared statements, of which a pooler loses some.
    if isinstance(error, TimeoutError | SchemaError | InvalidSetting):
        return True
    return is_unavailable(error) and not is_doubtful(error)


class RefusedOutcome(JobError):
    """The database would not store what came of a job."""
