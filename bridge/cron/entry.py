"""An entry of the crontab, as it is written in code, in a file or on a worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.cron.expression import Expression
from bridge.cron.zones import find_zone
from bridge.errors import InvalidSetting
from bridge.jobs import FunctionWorker, Worker, checks
from bridge.jobs.job import OPTIONS

_OWN = ("args", "name", "timezone", "external")


class Entry:
    """When to insert which job: `Entry("0 6 * * MON-FRI", Report, args={"kind": "daily"}, timezone="Europe/Vienna")`.

    Attributes:
        expression: The parsed expression.
        worker: The worker's class, a function with `@job`, or the name that stands in the row.
        args: The job's args.
        options: The job's other options.
        timezone: The zone by whose clock the expression is read; None for the instance's.
        name: `meta.cron_name` of its jobs; None for one that is made of the entry's content.
        external: Whether a worker that isn't known here is meant, which another node runs.
    """

    __slots__ = ("args", "expression", "external", "name", "options", "timezone", "worker")

    def __init__(
        self,
        expression: str | Expression,
        worker: type[Worker] | FunctionWorker | str,
        *,
        args: Any = None,
        timezone: str | None = None,
        name: str | None = None,
        external: bool = False,
        **options: Any,
    ) -> None:
        """Describe an entry; the worker is looked up when the instance starts.

        Args:
            expression: As `Expression.parse` takes it.
            worker: Its class, a function with `@job`, or its name.
            args: What the worker gets.
            timezone: An IANA name, such as `Europe/Vienna`; default the instance's, which is `Etc/UTC`.
            name: Tells entries apart in `meta.cron_name`, in lists and logs.
            external: True for a worker that only other nodes have, such as an Elixir module without a contract.
            options: Any option of a job: `queue`, `priority`, `max_attempts`, `tags`, `meta`, `schedule_in`, …; they
                win over the worker's own.

        Raises:
            InvalidSetting: An expression that Oban would refuse, an unknown zone, option or kind of worker.
        """
        self.expression = expression if isinstance(expression, Expression) else Expression.parse(expression)
        self.worker = _check_worker(worker)
        self.args = args
        self.timezone = timezone
        if timezone is not None:
            find_zone(timezone)
        self.name = None if name is None else checks.name("name", name, InvalidSetting)
        if not isinstance(external, bool):
            raise InvalidSetting("external", external, "True or False")
        self.external = external
        for option in options:
            if option not in OPTIONS:
                known = (*OPTIONS, *_OWN)
                raise InvalidSetting("option", option, "an option of a job or an entry", checks.suggest(option, known))
        if not isinstance(options.get("meta", {}), Mapping):
            raise InvalidSetting("meta", options["meta"], "a dict, to which the keys of cron jobs are added")
        self.options = options

    @classmethod
    def read(cls, value: Any, worker: type[Worker] | None = None) -> Entry:
        """Make an entry of an `Entry`, a dict, or `(expression, worker)` with or without a dict of options behind.

        Args:
            value: One of these; for a `worker`, which the value doesn't name then, an expression alone will do.
            worker: The worker that the value was found at.

        Raises:
            InvalidSetting: Anything else, or as in `Entry`.
        """
        if isinstance(value, Entry):
            return value
        if isinstance(value, Mapping):
            return cls._of_mapping(value, worker)
        if worker is not None and isinstance(value, str | Expression):
            return cls(value, worker)
        if worker is None and isinstance(value, tuple | list) and len(value) in (2, 3):
            expression, found, *options = value
            if not options or isinstance(options[0], Mapping):
                return cls._of_mapping({**(options[0] if options else {}), "expression": expression, "worker": found})
        forms = (
            "an expression, or a dict with one" if worker else "an Entry, a dict, or (expression, worker, {options})"
        )
        raise InvalidSetting("entry", value, forms)

    @classmethod
    def _of_mapping(cls, value: Mapping[str, Any], worker: type[Worker] | None = None) -> Entry:
        if worker is not None:
            if "worker" in value:
                raise InvalidSetting("worker", value["worker"], "no worker here", "it is the one the entry stands on")
            value = {**value, "worker": worker}
        for key in ("expression", "worker"):
            if key not in value:
                raise InvalidSetting(key, None, f"an entry with the key {key}")
        for key in value:
            if not isinstance(key, str):
                raise InvalidSetting("option", key, "text as an option's name")
        return cls(**value)


def _check_worker(worker: Any) -> type[Worker] | FunctionWorker | str:
    if isinstance(worker, str):
        return checks.name("worker", worker, InvalidSetting)
    if isinstance(worker, FunctionWorker) or (isinstance(worker, type) and issubclass(worker, Worker)):
        return worker
    raise InvalidSetting("worker", worker, "a class with @worker, a function with @job, or a worker's name")
