"""The scheduler: inserts the jobs that are due, each minute, on the one node that leads."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from bridge.cron.crontab import Line
from bridge.cron.options import placed
from bridge.engine import Engine, LastMinute, is_unavailable
from bridge.errors import SchemaError
from bridge.jobs import Job
from bridge.maintenance import Service

logger = logging.getLogger("bridge.cron")

_MINUTE: Final = timedelta(minutes=1)

#: A clock that goes back by no more than this was ahead for a while: what was inserted is not inserted again. One that
#: goes back farther was wrong, and is believed now (as in Vixie's cron).
CORRECTION: Final = timedelta(hours=3)

#: Missed times of an entry that a message counts.
_COUNTED: Final = 100


class Leadership(Protocol):
    """What a scheduler asks of a leader."""

    @property
    def is_leader(self) -> bool:
        """Whether this node leads now."""
        ...


def _now() -> datetime:
    return datetime.now(UTC)


class Scheduler(Service):
    """Inserts the jobs of each minute once, whichever node leads and whatever dies.

    The minute that was done last stands in `bridge_crons`, written in the transaction that inserts its jobs. So a node
    that takes over within a minute inserts what the last leader left undone, and nothing else. A minute in which nobody
    led, or that a clock left out, is not made up for (Oban 2.23), and a warning names the entries that were due. Where
    the table can't be made, a node begins with the minute after the one in which it took over, as Oban does.

    `@reboot` entries are inserted with the first minute that this node does as a leader (Oban 2.23).

    Args:
        engine: Where the jobs go.
        leader: Tells whether this node leads.
        lines: The crontab.
        instance: The instance's name.
        clock: Returns the time, aware; default the system's.
    """

    def __init__(
        self,
        engine: Engine,
        leader: Leadership,
        lines: Sequence[Line],
        *,
        instance: str,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        super().__init__("cron", 1.0, engine.oban)
        self.lines = lines
        self._engine = engine
        self._leader = leader
        self._instance = instance
        self._clock = clock
        self._uuid = str(uuid.uuid4())
        self._rebooted = False
        self._forgetful = False
        self._own: datetime | None = None
        self._done: datetime | None = None
        self._held: datetime | None = None

    def check(self) -> None:
        """Refuse jobs that an insert would refuse.

        Raises:
            InvalidSetting: What an insert would say, and where the entry stands.
        """
        for line in self.lines:
            with placed(line.place):
                self._engine.check_new(line.job())

    async def run_once(self) -> None:
        """Insert what is due in this minute, if this node leads and the minute is not done."""
        minute = self._clock().astimezone(UTC).replace(second=0, microsecond=0)
        if self._own is None or not self._leader.is_leader:
            self._own = minute
        if self._leader.is_leader and minute != self._done:
            await self._do(minute, self._own)
            self._done = self._own = minute

    def _delay(self) -> float:
        if self._failures:
            return super()._delay()
        now = self._clock()
        return min(self.interval, 60.0 - now.second - now.microsecond / 1_000_000)

    async def _do(self, minute: datetime, own: datetime) -> None:
        durable = await self._prepare()
        async with self._engine.transaction() as conn:
            done = await self._engine.lock_minute(self._instance, conn) if durable else LastMinute(own, None)
            # Where the answer to a commit was lost, the minute is this node's own work.
            self._rebooted = self._rebooted or done.leader == self._uuid
            last = done.minute or own
            inserting = minute > last
            jobs = await self._insert(minute, conn) if inserting else []
            if durable and (inserting or done.minute is None or last - minute > CORRECTION):
                leader = self._uuid if inserting else None
                await self._engine.record_minute(self._instance, minute, leader, conn)
        self._rebooted = self._rebooted or inserting
        self.span.set(jobs=tuple(job.id for job in jobs if job.id is not None))
        self._tell(last, minute)
        logger.debug("inserted %d cron jobs for %s", len(jobs), _clocked(minute))

    async def _prepare(self) -> bool:
        try:
            await self._engine.prepare_crons()
        except SchemaError as error:
            if not self._forgetful:
                logger.warning("a leader that dies may leave out a minute's cron jobs, without bridge_crons: %s", error)
            self._forgetful = True
        else:
            self._forgetful = False
        return not self._forgetful

    async def _insert(self, minute: datetime, conn: Any) -> list[Job[Any]]:
        due = [line for line in self.lines if line.is_due(minute) or (line.expression.reboot and not self._rebooted)]
        jobs = [job for line in due if (job := await self._insert_one(line, conn))]
        return [job for job in jobs if not job.conflict]  # a unique one that was there already

    async def _insert_one(self, line: Line, conn: Any) -> Job[Any] | None:
        try:
            async with self._engine.transaction(conn) as savepoint:
                return await self._engine.insert(line.job(), savepoint)
        except Exception as error:
            if is_unavailable(error) or isinstance(error, SchemaError):
                raise
            logger.exception("the cron job %s (%s) could not be inserted; the others are", line.name, line.place)
            return None

    # What went wrong with the time

    def _tell(self, last: datetime, minute: datetime) -> None:
        if minute - last > _MINUTE:
            self._tell_missed(last, minute)
        elif last - minute > CORRECTION:
            logger.warning(
                "the clock went back from %s to %s: it counts from the next minute on, whatever was inserted before",
                _clocked(last),
                _clocked(minute),
            )
        elif last - minute > _MINUTE and self._held != last:  # the clocks of two leaders may differ a little
            self._held = last
            logger.warning(
                "the clock went back from %s to %s: what was due until the end of %s was inserted, or told as missed",
                _clocked(last),
                _clocked(minute),
                _clocked(last),
            )

    def _tell_missed(self, last: datetime, minute: datetime) -> None:
        missed = [(line, times) for line in self.lines if (times := line.missed(last, minute, _COUNTED))]
        told = ", ".join(f"{line.worker} ({line.expression}, {line.name}) {_count(times)}" for line, times in missed)
        logger.log(
            logging.WARNING if missed else logging.INFO,
            "no cron jobs were inserted between %s and %s: no node led, or a clock or machine stood still; missed: %s",
            _clocked(last),
            _clocked(minute),
            told or "nothing",
        )


def _count(times: Sequence[datetime]) -> str:
    if len(times) == 1:
        return f"at {_clocked(times[0])}"
    return f"{len(times)} times{' or more' if len(times) == _COUNTED else ''} from {_clocked(times[0])}"


def _clocked(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M %Z")
