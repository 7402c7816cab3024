"""What an instance was told about cron: entries, the zone they are read in, and whether they are inserted here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bridge.cron.entry import Entry
from bridge.cron.zones import DEFAULT, find_zone
from bridge.errors import ContractError, InvalidSetting, ValidationError
from bridge.jobs import Worker, checks

#: Where an entry stands, the entry, and the worker that it stands on, if any.
Placed = tuple[str, Any, type[Worker] | None]


@dataclass(frozen=True, slots=True)
class CronOptions:
    """The section `cron`.

    Attributes:
        entries: Those that were given, each with its place; the ones on workers come from the registry.
        timezone: The zone of entries that name none.
        enabled: False inserts nothing here.
    """

    entries: tuple[Placed, ...] = ()
    timezone: str = DEFAULT
    enabled: bool = True


def parse_cron(value: Any) -> CronOptions:
    """Read the option `cron` of an instance.

    Args:
        value: A list of entries, or a dict with `entries`, `timezone` and `enabled`; False for none at all, not even
            those of workers; None for these alone. An entry is as in `Entry.read`.

    Raises:
        InvalidSetting: Anything else, with the place where it stands.
    """
    if value is None or isinstance(value, bool):
        return CronOptions(enabled=value is not False)
    if not isinstance(value, Mapping):
        return CronOptions(_entries("cron", value))
    known = ("entries", "timezone", "enabled")
    for key in value:
        if key not in known:
            raise InvalidSetting("cron", key, "an option of it", checks.suggest(key, known))
    timezone, enabled = value.get("timezone", DEFAULT), value.get("enabled", True)
    with placed("cron"):
        find_zone(timezone)
    if not isinstance(enabled, bool):
        raise InvalidSetting("cron.enabled", enabled, "True or False")
    entries = _entries("cron.entries", value.get("entries", ()))
    return CronOptions(entries if enabled else (), timezone, enabled)


@contextmanager
def placed(place: str) -> Iterator[None]:
    """Say where the entry stands that is refused."""
    try:
        yield
    except ContractError as error:
        raise InvalidSetting(place, error.value, f"args that keep the contract {error.contract}", error.mend) from None
    except ValidationError as error:
        raise InvalidSetting(f"{place}: {error.field}", error.value, error.expected, error.mend) from error


def _entries(field: str, value: Any) -> tuple[Placed, ...]:
    if not isinstance(value, list | tuple):
        raise InvalidSetting(field, value, "a list of entries")
    found: list[Placed] = []
    for nth, each in enumerate(value):
        place = f"{field}[{nth}]"
        with placed(place):
            found.append((place, Entry.read(each), None))
    return tuple(found)
