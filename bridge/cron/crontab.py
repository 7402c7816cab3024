"""The crontab of an instance: its entries, bound to their workers and zones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from functools import partial
from itertools import chain, islice
from typing import Any

from msgspec import Struct

from bridge.cron.entry import Entry
from bridge.cron.expression import Expression
from bridge.cron.options import CronOptions, placed
from bridge.cron.zones import find_zone
from bridge.errors import InvalidSetting, UnknownWorker
from bridge.jobs import FunctionWorker, Job, Registry, Worker, checks, contracts


class Line(Struct, frozen=True):
    """An entry that can be inserted.

    Attributes:
        expression: When.
        worker: The name in the row.
        name: `meta.cron_name`: the entry's own, or eight digits made of what it inserts.
        timezone: The zone's name.
        zone: The zone.
        place: Where the entry was found, for messages.
    """

    expression: Expression
    worker: str
    name: str
    timezone: str
    zone: tzinfo
    place: str
    _build: Callable[[], Job[Any]]

    def job(self) -> Job[Any]:
        """Build a job, with the keys in its meta that Oban's cron jobs have; they win over others of their names."""
        job = self._build()
        job.meta = {
            **job.meta,
            "cron": True,
            "cron_expr": self.expression.source,
            "cron_name": self.name,
            "cron_tz": self.timezone,
        }
        return job

    def is_due(self, minute: datetime) -> bool:
        """Tell whether its job is to be inserted in a minute."""
        return not self.expression.reboot and self.expression.matches(minute.astimezone(self.zone))

    def upcoming(self, after: datetime) -> Iterator[datetime]:
        """Yield the times when it is due, in its zone, after the minute of `after`."""
        moment: datetime | None = after.astimezone(self.zone)
        while moment is not None and (moment := self.expression.next_at(moment)) is not None:
            yield moment

    def missed(self, after: datetime, before: datetime, most: int) -> list[datetime]:
        """Return when it was due between two minutes, `most` times at most."""
        found = []
        for moment in islice(self.upcoming(after), most):
            if moment.astimezone(UTC) >= before:
                break
            found.append(moment)
        return found


def load_crontab(options: CronOptions, registry: Registry, *, instance: str) -> list[Line]:
    """Return the entries of the options, and those of the registered workers that enqueue to `instance`, as lines.

    Raises:
        InvalidSetting: An entry that couldn't be inserted, and where it stands: an expression that Oban would refuse,
            an unknown worker, args that break its contract, a bad option; or two entries with one name.
    """
    if not options.enabled:
        return []
    found = []
    for place, value, worker in chain(options.entries, _of_workers(registry, instance)):
        with placed(place):
            found.append(_line(Entry.read(value, worker), registry, options.timezone, place))
    _refuse_twins(found)
    return found


def _of_workers(registry: Registry, instance: str) -> Iterator[tuple[str, Any, type[Worker]]]:
    for worker in dict.fromkeys(registry.resolve(name) for name in registry.names()):
        if worker.options.oban == instance:
            for value in worker.options.cron:
                yield f"cron of {worker.__module__}.{worker.__qualname__}", value, worker


def _line(entry: Entry, registry: Registry, timezone: str, place: str) -> Line:
    zone_name = entry.timezone or timezone
    build = _builder(entry, registry)
    job = build()
    return Line(
        expression=entry.expression,
        worker=job.worker,
        name=entry.name or _digest(entry.expression.source, job, zone_name),
        timezone=zone_name,
        zone=find_zone(zone_name),
        place=place,
        _build=build,
    )


def _builder(entry: Entry, registry: Registry) -> Callable[[], Job[Any]]:
    args, options = entry.args, entry.options
    worker = _find(entry.worker, registry)
    if worker is not None:
        _check_call(worker, args)
        return partial(worker.new, args, **options)
    name = str(entry.worker)
    contract = contracts.find(name)
    if contract is not None:
        return partial(contract.build, args, options)
    if not entry.external:
        mend = "import its module, or say external=True for one that only other nodes have"
        near = checks.suggest(name, registry.names()) if registry.names() else "no worker is registered"
        raise InvalidSetting("worker", name, "a worker that is known here", f"{mend}; {near}")
    return partial(Job, name, args=args, **options)


def _check_call(worker: type[Worker], args: Any) -> None:
    signature = getattr(worker, "signature", None)  # of a function with @job, whose arguments the args are
    if signature is not None:
        try:
            signature.bind(**({} if args is None else args))
        except TypeError as error:
            raise InvalidSetting("args", args, f"the arguments {signature}", str(error)) from None


def _find(worker: type[Worker] | FunctionWorker | str, registry: Registry) -> type[Worker] | None:
    if isinstance(worker, FunctionWorker):
        return worker.worker
    if not isinstance(worker, str):
        return worker
    try:
        return registry.resolve(worker)
    except UnknownWorker:
        return None


def _digest(source: str, job: Job[Any], timezone: str) -> str:
    content = json.dumps([source, job.worker, timezone, job.queue, job.args_json()])
    return hashlib.sha256(content.encode()).hexdigest()[:8]


def _refuse_twins(lines: Sequence[Line]) -> None:
    known: dict[str, Line] = {}
    for line in lines:
        other = known.setdefault(line.name, line)
        if other is not line:
            expected = f"an entry that {other.place} is not already"
            raise InvalidSetting(line.place, line.name, expected, "remove one of them, or give each a name")
