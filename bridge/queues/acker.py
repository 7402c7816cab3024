"""The acker of a producer: outcomes are gathered while a write is under way, and written together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from bridge.engine import Ack, Engine, is_cut_short, is_unavailable, utc_now
from bridge.errors import JobError, SchemaError
from bridge.queues.backoff import RetryDelay
from bridge.queues.failures import error_entry
from bridge.queues.log import logger
from bridge.queues.outcome import Outcome

#: Outcomes in one write.
BATCH = 2_000

#: How often the server may cut a single outcome's write short before it is asked whether the outcome is to blame.
ATTEMPTS = 5

#: Seconds that a write gets to come to an end once the acker stops.
UNWIND = 1.0


class Acker:
    """Writes outcomes in the background, and goes on trying while the database is away.

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
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None

    @property
    def pending(self) -> int:
        """How many outcomes are not written yet."""
        return len(self._pending)

    def pending_keys(self) -> set[tuple[int | None, int]]:
        """Return (id, attempt) of each outcome that is not written yet."""
        return {_key(outcome) for outcome in self._pending}

    def start(self) -> None:
        """Begin to write."""
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
                if _may_pass(error) or is_cut_short(error):
                    raise
                await self._write_refused(outcome, error)
            if not any(left is outcome for left in self._pending):
                return
            await asyncio.sleep(held.next())  # Another transaction holds the row.

    def abandon(self) -> None:
        """Write no more, without a word about what is left."""
        if self._task is not None:
            self._task.cancel()

    async def stop(self, timeout: float) -> list[Outcome]:
        """Write what is left, for at most `timeout` seconds; return what could not be written."""
        try:
            async with asyncio.timeout(timeout):
                await self._idle.wait()
        except TimeoutError:
            pass
        if self._task is not None:
            self._task.cancel()
            # A write that no server answers is left behind; its pool ends it.
            await asyncio.wait([self._task], timeout=UNWIND)
        return self._pending

    async def _run(self) -> None:
        held = RetryDelay(longest=1.0)
        while True:
            await self._wake.wait()
            # The queue's next fetch is on its way first, and what ends meanwhile is written, too.
            await asyncio.sleep(0)
            self._wake.clear()
            while self._pending:
                batch = self._pending[:BATCH]
                await self._write_batch(batch)
                left = {id(outcome) for outcome in self._pending}
                if all(id(outcome) in left for outcome in batch):  # Other transactions hold these rows.
                    await asyncio.sleep(held.next())
                else:
                    held.reset()
            self._idle.set()

    async def _write_batch(self, batch: Sequence[Outcome]) -> None:
        delay, too_slow = RetryDelay(), False
        while True:
            try:
                await self._write(batch)
            except Exception as error:
                if len(batch) > 1 and not _may_pass(error):
                    await self._write_parts(batch, len(batch) // 2 if is_cut_short(error) else 1)
                    return
                if not _may_pass(error) and (not is_cut_short(error) or too_slow):
                    await self._write_refused(batch[0], error)
                    return
                await self._wait(delay, error)
                too_slow = delay.failures >= ATTEMPTS and await self._is_writable(batch[0])
            else:
                return

    async def _is_writable(self, outcome: Outcome) -> bool:
        """Tell whether the outcome's row can be written in time: then it is the outcome itself that takes too long.

        Where a lock, or a busy server, cuts short whatever is asked of it, outcomes wait.
        """
        try:
            await self._engine.touch(self._uuid, outcome.job.id or 0, outcome.job.attempt)
        except Exception:  # whatever it is, it is no fault of the outcome's
            return False
        return True

    async def _wait(self, delay: RetryDelay, error: Exception) -> None:
        # Once an outage, and then about twice a minute.
        if delay.failures % 10 == 0:
            logger.warning("%d outcomes wait for the database: %s", len(self._pending), type(error).__name__)
        await asyncio.sleep(delay.next())

    async def _write(self, batch: Sequence[Outcome]) -> None:
        acks = [outcome.ack for outcome in batch if outcome.ack is not None]
        written = await self._engine.ack(self._uuid, acks)
        left = [ack for ack in acks if (ack.id, ack.attempt) not in written] if len(written) < len(acks) else []
        put_off = await self._engine.put_off(self._uuid, left)
        gone = set(map(id, batch))
        self._pending = [outcome for outcome in self._pending if id(outcome) not in gone]
        for outcome in batch:
            key = _key(outcome)
            if key in put_off:
                self._pending.append(outcome)  # It goes behind what has come meanwhile.
            else:
                self._tell(outcome, key in written)

    def _tell(self, outcome: Outcome, recorded: bool) -> None:
        try:
            self._on_written(outcome, recorded)
        except BaseException:  # such as a CancelledError out of a telemetry handler: the acker must outlive it
            logger.exception("telling of the end of job %s failed", outcome.job.id)

    async def _write_parts(self, batch: Sequence[Outcome], size: int) -> None:
        for start in range(0, len(batch), size):
            await self._write_batch(batch[start : start + size])

    async def _write_refused(self, outcome: Outcome, error: Exception) -> None:
        """Fail a job whose outcome the database refuses, such as a meta too large for jsonb."""
        logger.error("the database refused the outcome of job %s: %s", outcome.job.id, error)
        ack = outcome.ack
        if ack is None or outcome.error is error or isinstance(outcome.error, RefusedOutcome):
            self._pending.remove(outcome)
            self._tell(outcome, False)
            return
        refused = RefusedOutcome(f"the database refused the outcome: {error}")
        entry = error_entry(refused, ack.attempt, utc_now())
        outcome.ack = Ack(ack.id, ack.attempt, "discarded", utc_now(), error=entry)
        outcome.error = refused
        await self._write_batch([outcome])


def _key(outcome: Outcome) -> tuple[int | None, int]:
    return (outcome.job.id, outcome.job.attempt)


def _may_pass(error: Exception) -> bool:
    # A statement that the server cut short was too slow for its limit, and may be so again; our own limit is reached
    # where the network is dead. A table or a right that is missing comes back.
    if is_cut_short(error):
        return isinstance(error, TimeoutError)
    return is_unavailable(error) or isinstance(error, SchemaError)


class RefusedOutcome(JobError):
    """The database would not store what came of a job."""
