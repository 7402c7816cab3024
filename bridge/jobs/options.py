"""What a worker's definition says: the options of `@worker`, checked, and agreed with its contract where it has one."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from msgspec import Struct

from bridge.errors import InvalidWorker
from bridge.jobs import checks, contracts
from bridge.jobs.replace import parse_replace
from bridge.jobs.unique import Unique, parse_unique

OnInvalid = Literal["cancel", "quarantine"]

WORKER_OPTIONS = (
    "queue", "max_attempts", "priority", "tags", "meta", "timeout", "name", "aliases", "oban", "contract", "on_invalid",
    "cron", "unique", "replace",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """What a worker's definition says: the defaults of its jobs and how they run here."""

    name: str
    aliases: tuple[str, ...] = ()
    queue: str = "default"
    max_attempts: int = 20
    priority: int = 0
    tags: tuple[str, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)
    timeout: float | None = None
    oban: str = "Oban"
    contract: contracts.JobContract | None = None
    on_invalid: OnInvalid = "cancel"
    cron: tuple[Any, ...] = ()
    unique: Unique | None = None
    replace: Mapping[str, tuple[str, ...]] | None = None


def refuse_unknown(options: Mapping[str, Any]) -> None:
    """Raise InvalidWorker for an option that a worker doesn't have."""
    for option in options:
        if option not in WORKER_OPTIONS:
            raise InvalidWorker("option", option, "an option of a worker", checks.suggest(option, WORKER_OPTIONS))


def build_options(path: str, options: Mapping[str, Any]) -> WorkerOptions:
    """Return checked options; `path` is the default of `name`.

    Raises:
        InvalidWorker: A bad value.
    """
    contract = _contract(options)
    if contract is not None:
        options = agreed_options(contract, options)
    timeout = options.get("timeout")
    if timeout is not None and not checks.seconds("timeout", timeout, InvalidWorker) > 0:
        raise InvalidWorker("timeout", timeout, "more than 0 seconds", "leave it out for no limit")
    return WorkerOptions(
        name=checks.name("name", options.get("name", path), InvalidWorker),
        aliases=_names("aliases", options.get("aliases", ())),
        queue=checks.name("queue", options.get("queue", "default"), InvalidWorker),
        max_attempts=checks.max_attempts(options.get("max_attempts", 20), InvalidWorker),
        priority=checks.priority(options.get("priority", 0), InvalidWorker),
        tags=tuple(checks.tags(options.get("tags", ()), InvalidWorker)),
        meta=checks.mapping("meta", options.get("meta", {}), InvalidWorker),
        timeout=None if timeout is None else checks.seconds("timeout", timeout, InvalidWorker),
        oban=checks.name("oban", options.get("oban", "Oban"), InvalidWorker),
        contract=contract,
        on_invalid=_on_invalid(options.get("on_invalid", "cancel"), contract),
        cron=_cron(options.get("cron", ())),
        unique=parse_unique(options.get("unique"), InvalidWorker),
        replace=parse_replace(options.get("replace"), InvalidWorker),
    )


def _contract(options: Mapping[str, Any]) -> contracts.JobContract | None:
    cls = options.get("contract")
    if cls is None:
        return None
    found: contracts.JobContract | None = getattr(cls, "__contract__", None)
    if inspect.isclass(cls) and issubclass(cls, Struct) and found is None:
        mend = f"the contract file of {cls.__name__} has no x-job; pass the class of a job's args"
        raise InvalidWorker("contract", cls, "a class of a contract file with x-job", mend)
    if not inspect.isclass(cls) or found is None:
        raise InvalidWorker("contract", cls, "a class that bridge contracts build wrote", "pass the class of the args")
    return found


def agreed_options(contract: contracts.JobContract, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a worker's options with those that its contract says.

    Raises:
        InvalidWorker: One of them says something else, or the contract has Elixir serve the worker, and `name` doesn't
            say that this one takes it over.
    """
    own = contract.options
    if own.serves != "python" and "name" not in options:
        mend = f"pass name={own.worker!r} to take the worker over from Elixir, or change serves in the contract"
        raise InvalidWorker("contract", contract.cls.__name__, f"a contract that {own.serves} doesn't serve", mend)
    agreed: dict[str, Any] = {
        "name": own.worker,
        "aliases": own.aliases,
        "queue": own.queue,
        "max_attempts": own.max_attempts,
        "priority": own.priority,
        "tags": own.tags,
        "timeout": own.timeout,
        "unique": parse_unique(own.unique, InvalidWorker),
    }
    if "unique" in options:
        options = {**options, "unique": parse_unique(options["unique"], InvalidWorker)}
    for option, value in agreed.items():
        if option in options and _comparable(options[option]) != _comparable(value):
            expected = f"{value!r}, as the contract {contract.tag} has it"
            raise InvalidWorker(option, options[option], expected, "leave it out, or change the contract")
    return {**options, **agreed}


def _comparable(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value.total_seconds()
    return tuple(value) if isinstance(value, list) else value


def _on_invalid(value: Any, contract: contracts.JobContract | None) -> OnInvalid:
    if value not in ("cancel", "quarantine"):
        raise InvalidWorker("on_invalid", value, "'cancel' or 'quarantine'")
    if value != "cancel" and contract is None:
        raise InvalidWorker("on_invalid", value, "a worker with a contract", "pass contract=…, or leave it out")
    return value  # type: ignore[no-any-return]  # it is one of the two


def _cron(value: Any) -> tuple[Any, ...]:
    # They are read when an instance starts, which knows their time zone; a worker alone inserts nothing.
    found = (value,) if isinstance(value, str | Mapping) else value
    if not isinstance(found, list | tuple) or not all(isinstance(entry, str | Mapping) for entry in found):
        mend = 'such as cron="0 6 * * *", or cron=[{"expression": "@daily", "args": {…}}]'
        raise InvalidWorker("cron", value, "an expression, a dict with one, or a list of these", mend)
    return tuple(found)


def _names(field_name: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise InvalidWorker(field_name, value, "a list of names")
    return tuple(checks.name(field_name, name, InvalidWorker) for name in value)
