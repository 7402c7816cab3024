"""The lifeline: rescues jobs of Python nodes that died."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec import Struct

from bridge.engine import DatabaseClock, Engine, Orphan
from bridge.engine.producers import RESCUE_LIMIT
from bridge.errors import InvalidSetting, SchemaError
from bridge.jobs.checks import seconds
from bridge.maintenance.heartbeat import RESCUE_AFTER
from bridge.maintenance.log import logger
from bridge.maintenance.service import Service

#: Seconds that a job of a producer that never beat must have been executing before it is told of; after so long, Oban
#: takes any job for an orphan (2.23).
UNHEARD: Final = 3_600.0

#: How often a lifeline looks in `rescue_after` seconds, where it has no interval of its own. A dead node's jobs are
#: free after `rescue_after`, an interval and the tenth by which rounds vary: with the default, 55 seconds. What is left
#: of a minute is for a slow database, and for a node that was alone, and is started again before anybody looks.
LOOKS: Final = 5

#: How many rounds pass until it is looked for such jobs again.
TELL: Final = 20

#: How many ids a message shows.
_SHOWN: Final = 20


def check_lifeline(*, interval: Any = None, rescue_after: Any = RESCUE_AFTER, enabled: Any = True) -> None:
    """Refuse options that a lifeline can't have.

    Raises:
        InvalidSetting: A `rescue_after` that is not 1 to 86,400 seconds, an interval that is not 0.1 seconds to a
            third of that, or an `enabled` that is no boolean.
    """
    longest = seconds("lifeline.rescue_after", rescue_after, InvalidSetting)
    if not 1 <= longest <= 86_400:
        raise InvalidSetting("lifeline.rescue_after", rescue_after, "1 to 86400 seconds")
    if interval is not None and not 0.1 <= seconds("lifeline.interval", interval, InvalidSetting) <= longest / 3:
        expected = f"0.1 to {longest / 3:g} seconds, a third of rescue_after"
        raise InvalidSetting("lifeline.interval", interval, expected, "what is watched seldom looks silent")
    if not isinstance(enabled, bool):
        raise InvalidSetting("lifeline.enabled", enabled, "True or False")


class Rescue(Struct, frozen=True):
    """What one round did, or would do.

    Attributes:
        rescued: The jobs that are available again.
        discarded: Those that had no attempts left.
    """

    rescued: tuple[Orphan, ...] = ()
    discarded: tuple[Orphan, ...] = ()


class Lifeline(Service):
    """Hands back jobs whose producer, of a Python node, is dead: it is listed, and has been silent too long.

    How long a job runs doesn't matter, and jobs of Elixir's producers, which are not listed, are never touched.

    Silence counts only from when it is known that producers could reach the database: since this node itself has
    reached it without a break, which it tries in every round, whether it leads or not, and since its own heartbeat has
    been written. So after an outage, a stall, a lock on the list of producers or a step of the database's clock, which
    silence everybody, nodes have `rescue_after` seconds to be heard again.

    Any number of these may run at once.

    Args:
        engine: Where the jobs are.
        is_leader: Tells whether this node is the one to rescue.
        workers: Returns the workers known here: their jobs are told of where they seem left behind by producers that
            never beat.
        beats: Tells whether this node's own heartbeat is written in time; default: it has none.
        interval: Seconds between rounds, at most a third of `rescue_after`; default a fifth.
        rescue_after: Seconds of silence after which a producer is dead, where it didn't give a longer time itself;
            default 45, so that its jobs run again within a minute of its death.
    """

    def __init__(
        self,
        engine: Engine,
        is_leader: Callable[[], bool],
        *,
        workers: Callable[[], Sequence[str]] = tuple,
        beats: Callable[[], bool] = lambda: True,
        interval: float | None = None,
        rescue_after: float = RESCUE_AFTER,
    ) -> None:
        check_lifeline(interval=interval, rescue_after=rescue_after)
        super().__init__("lifeline", rescue_after / LOOKS if interval is None else interval, engine.oban)
        self.rescue_after = rescue_after
        self._engine = engine
        self._is_leader = is_leader
        self._workers = workers
        self._beats = beats
        self._since = self._last = datetime.min  # noqa: DTZ901 - as the database's clock comes
        self._told: set[int] = set()

    async def run_once(self) -> None:
        """See that the database is there, and rescue what is orphaned, if this node leads."""
        try:
            clock = await self._engine.read_clock()
            self._watch(clock.now)
            if self._is_leader():
                await self.rescue(clock, self._since)
                if self.rounds % TELL == 0:
                    await self._tell_unheard(clock.now)
        except SchemaError as error:
            logger.debug("no producers are listed: %s", error)
        except BaseException:
            self._last = datetime.min  # noqa: DTZ901 - as above
            raise

    async def rescue(self, clock: DatabaseClock, since: datetime) -> Rescue:
        """Rescue what is orphaned at a time, where silence counts from `since` on.

        Raises:
            SchemaError: There is no list of producers.
        """
        found: list[Orphan] = []
        while True:
            batch = await self._engine.rescue(clock.now, since, self.rescue_after)
            found += batch
            if len(batch) < RESCUE_LIMIT:
                break
        rescue = _sorted(found)
        self.span.set(rescued_jobs=_all_ids(rescue.rescued), discarded_jobs=_all_ids(rescue.discarded))
        _report(rescue)
        return rescue

    def _watch(self, now: datetime) -> None:
        # A producer beats every quarter of `rescue_after`, and soon after an outage: one that fits into the gap can't
        # silence it for all of that time.
        gap = timedelta(seconds=self.rescue_after / 2)
        if not (timedelta(0) <= now - self._last <= gap and self._beats()):
            self._since = now
        self._last = now

    async def _tell_unheard(self, now: datetime) -> None:
        before = now - timedelta(seconds=max(UNHEARD, self.rescue_after))
        found = await self._engine.unheard(list(self._workers()), before)
        new = [orphan for orphan in found if orphan.id not in self._told]
        self._told = {orphan.id for orphan in found}
        if new:
            logger.warning(
                "%s been executing for over an hour on producers that keep no heartbeat (nodes %s), and left alone; if "
                "these are gone, cancel the jobs and retry them",
                f"job {_ids(new)} has" if len(new) == 1 else f"jobs {_ids(new)} have",
                ", ".join(sorted({orphan.node for orphan in new})),
            )


def _all_ids(orphans: Sequence[Orphan]) -> tuple[int, ...]:
    return tuple(orphan.id for orphan in orphans)


def _sorted(found: list[Orphan]) -> Rescue:
    return Rescue(
        tuple(orphan for orphan in found if orphan.state == "available"),
        tuple(orphan for orphan in found if orphan.state == "discarded"),
    )


def _report(rescue: Rescue) -> None:
    if rescue.rescued:
        logger.warning("%s made available again", _those_of_the_dead(rescue.rescued))
    if rescue.discarded:
        told = "%s discarded for good: it was the last attempt, whose error nobody knows"
        logger.warning(told, _those_of_the_dead(rescue.discarded))


def _those_of_the_dead(orphans: Sequence[Orphan]) -> str:
    nodes = ", ".join(sorted({orphan.node for orphan in orphans}))
    one = len(orphans) == 1
    return f"{'job' if one else 'jobs'} {_ids(orphans)} of nodes that died ({nodes}) {'was' if one else 'were'}"


def _ids(orphans: Sequence[Orphan]) -> str:
    shown = ", ".join(str(orphan.id) for orphan in orphans[:_SHOWN])
    more = len(orphans) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
