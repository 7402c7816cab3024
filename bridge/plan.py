"""What an instance was told to be, checked before anything is opened."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bridge.address import check_dsn
from bridge.cluster import check_leader
from bridge.config import check_node, check_prefix, default_node
from bridge.cron import CronOptions, Expression, find_zone, parse_cron
from bridge.cron.options import placed
from bridge.engine import check_options, check_prepared
from bridge.errors import InvalidSetting
from bridge.jobs import Registry
from bridge.jobs import registry as default_registry
from bridge.jobs.checks import MAX_INT4, integer, seconds, suggest
from bridge.jobs.checks import name as check_name
from bridge.jobs.modes import Mode, check_mode
from bridge.maintenance import Service, check_lifeline, check_pruner, check_reindexer, check_stager
from bridge.pubsub import signals
from bridge.queues import QueueOptions, parse_queues
from bridge.queues.processes.options import ProcessOptions, parse_processes


@dataclass(frozen=True, slots=True)
class Plan:
    """The checked options of an instance; `Oban` says what each means."""

    dsn: str | None = field(repr=False)  # it may hold a password, and a repr ends up in logs
    pool: Any
    name: str
    prefix: str
    node: str
    registry: Registry
    queues: Mapping[str, QueueOptions]
    insert_trigger: bool
    grace: float
    stager: Mapping[str, Any]
    leader: Mapping[str, Any]
    cron: CronOptions
    lifeline: Mapping[str, Any]
    pruner: Mapping[str, Any]
    reindexer: Mapping[str, Any]
    notifier: Mapping[str, Any] = field(repr=False)  # it may hold a DSN
    pool_options: Mapping[str, Any]
    services: tuple[Service, ...] = ()
    processes: ProcessOptions = field(default_factory=ProcessOptions)
    testing: Mode = "disabled"

    @property
    def ident(self) -> str:
        """This node's address in signals."""
        return signals.ident(self.name, self.node)


def make_plan(
    *,
    dsn: Any,
    pool: Any,
    queues: Any,
    name: Any,
    prefix: Any,
    node: Any,
    insert_trigger: Any,
    shutdown_grace_period: Any,
    stager: Any,
    leader: Any,
    cron: Any,
    lifeline: Any,
    pruner: Any,
    reindexer: Any,
    notifier: Any,
    pool_options: Any,
    registry: Registry,
    services: Any = (),
    processes: Any = 1,
    testing: Any = "disabled",
) -> Plan:
    """Return the options of `Oban` as a plan.

    Raises:
        InvalidSetting: A value of the wrong kind, an unknown option, or not just one of `dsn` and `pool`.
    """
    if (dsn is None) == (pool is None):
        raise InvalidSetting("dsn", "both" if dsn else None, "either dsn or pool", "pass Oban(dsn='postgresql://…')")
    plan = Plan(
        dsn=None if dsn is None else _dsn("dsn", dsn),
        pool=pool,
        name=check_name("name", name, InvalidSetting),
        prefix=check_prefix("prefix", prefix),
        node=check_node("node", node or default_node()),
        registry=registry,
        queues=parse_queues(queues or {}),
        insert_trigger=_boolean("insert_trigger", insert_trigger),
        grace=_grace(shutdown_grace_period),
        stager=_stager(_known("stager", stager, ("interval", "mode"))),
        leader=_leader(_known("leader", leader, ("interval", "enabled"))),
        cron=parse_cron(cron),
        lifeline=_lifeline(_known("lifeline", lifeline, ("interval", "rescue_after", "enabled"))),
        pruner=_pruner(_known("pruner", pruner, _PRUNER)),
        reindexer=_reindexer(_known("reindexer", reindexer, _REINDEXER)),
        notifier=_notifier(_known("notifier", notifier, ("dsn", "enabled"))),
        pool_options=_pool(_known("pool_options", pool_options, ("min_size", "max_size", "timeout", "prepared"))),
        services=_services(services),
        processes=_processes(processes, pool, registry),
        testing=check_mode("testing", testing),
    )
    return plan if plan.testing == "disabled" else _at_rest(plan)


def _at_rest(plan: Plan) -> Plan:
    """Return the plan of an instance under test, whose options were checked and of which nothing runs by itself."""
    return replace(
        plan,
        queues={},
        stager={**plan.stager, "mode": "off"},
        leader={**plan.leader, "enabled": False},
        cron=parse_cron(False),
        lifeline={**plan.lifeline, "enabled": False},
        pruner={**plan.pruner, "mode": "off"},
        reindexer={**plan.reindexer, "enabled": False},
        services=(),
        processes=ProcessOptions(),
    )


def check_known(unknown: Collection[str], owner: type) -> None:
    """Refuse options that a class's `__init__` doesn't have, and name the nearest ones that it has.

    Raises:
        InvalidSetting: There are such.
    """
    known = [name for name in inspect.signature(owner).parameters if name != "unknown"]
    for option in unknown:
        raise InvalidSetting("option", option, f"an option of {owner.__name__}", suggest(option, known))


def _known(field: str, options: Any, known: tuple[str, ...]) -> dict[str, Any]:
    if options is not None and not isinstance(options, Mapping):
        raise InvalidSetting(field, options, "a dict of options")
    for option in options or {}:
        if option not in known:
            raise InvalidSetting(
                field, option, "an option of it", suggest(option if isinstance(option, str) else "", known)
            )
    return dict(options or {})


def _dsn(field: str, value: Any) -> str:
    """Return a DSN; a listener that can't ever connect would only be told of in the log."""
    check_options(dsn := check_dsn(field, value))
    return dsn


def _services(values: Any) -> tuple[Service, ...]:
    found = tuple(values) if isinstance(values, Iterable) else (values,)
    for place, service in enumerate(found):
        if not isinstance(service, Service):
            raise InvalidSetting(f"services[{place}]", service, "an object of a subclass of bridge.maintenance.Service")
        if service in found[:place]:
            raise InvalidSetting(f"services[{place}]", service.name, "each object once")
    return found


def _processes(value: Any, pool: Any, registry: Registry) -> ProcessOptions:
    found = parse_processes(value)
    if found.count > 1 and pool is not None:
        raise InvalidSetting(
            "processes", found.count, "1 where Oban is given a pool", "pass dsn=, which others can use"
        )
    if found.count > 1 and registry is not default_registry:
        raise InvalidSetting("processes", found.count, "1 with a registry of one's own", "leave out registry=")
    return found


def _boolean(field: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidSetting(field, value, "True or False")
    return value


def _grace(value: Any) -> float:
    found = seconds("shutdown_grace_period", value, InvalidSetting)
    if found < 0:
        raise InvalidSetting("shutdown_grace_period", value, "0 seconds or more")
    return found


def _stager(options: dict[str, Any]) -> dict[str, Any]:
    check_stager(**options)
    return options


def _leader(options: dict[str, Any]) -> dict[str, Any]:
    check_leader(**options)
    return options


_PRUNER = ("interval", "mode", "limit", "max_age", "max_len", "states", "queues", "workers")
_REINDEXER = ("enabled", "schedule", "timezone", "indexes", "timeout")


def _lifeline(options: dict[str, Any]) -> dict[str, Any]:
    check_lifeline(**options)
    return options


def _pruner(options: dict[str, Any]) -> dict[str, Any]:
    check_pruner(**options)
    return options


def _reindexer(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options with the schedule and the time zone read."""
    options = {"schedule": "@midnight", "timezone": "Etc/UTC"} | options
    with placed("reindexer"):
        schedule, timezone = Expression.parse(options.pop("schedule")), find_zone(options.pop("timezone"))
        if schedule.reboot:
            raise InvalidSetting("schedule", "@reboot", "a time", "such as @midnight or 0 3 * * SUN")
    check_reindexer(**options)
    return options | {"schedule": schedule, "timezone": timezone}


def _notifier(options: dict[str, Any]) -> dict[str, Any]:
    _boolean("notifier.enabled", options.get("enabled", True))
    if options.get("dsn") is not None:
        _dsn("notifier.dsn", options["dsn"])
    return options


def _pool(options: dict[str, Any]) -> dict[str, Any]:
    most = integer("pool_options.max_size", options.get("max_size", 10), 1, MAX_INT4, InvalidSetting)
    integer("pool_options.min_size", options.get("min_size", 1), 0, most, InvalidSetting)
    if seconds("pool_options.timeout", options.get("timeout", 60), InvalidSetting) <= 0:
        raise InvalidSetting("pool_options.timeout", options["timeout"], "more than 0 seconds")
    check_prepared(options.get("prepared", "auto"))
    return options
