"""The guide's tables name every event and field that there is, and no other."""

import re
from pathlib import Path

import pytest

from bridge.telemetry import events

GUIDE = (Path(__file__).parents[2] / "docs" / "telemetry.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(oban\.[^|]+)\| `(\w+)` \| (.+) \|$", re.MULTILINE)
TABLE = {match[2]: (match[1], re.findall(r"`(\w+)`", match[3])) for match in ROW.finditer(GUIDE)}
CLASSES = [cls for cls in vars(events).values() if isinstance(cls, type) and cls.__module__ == events.__name__]
OF_SPANS = {"system_time", "duration", "error"}


@pytest.mark.parametrize("cls", [cls for cls in CLASSES if cls is not events.Instance])
def test_an_events_fields(cls):
    _, told = TABLE[cls.__name__]
    fields = set(cls.__struct_fields__) - {"oban"}
    assert fields in (set(told), set(told) | OF_SPANS)
    assert len(told) == len(set(told))


def test_every_event_is_told_of():
    told = set()
    for names, _ in TABLE.values():
        first, *others = re.findall(r"`([^`]+)`", "`" + names)
        base = first.rpartition(".")[0]
        for name in (first, *(f"{base}{other}" for other in others)):
            operations = events.OPERATIONS if "<operation>" in name else [""]
            told |= {name.replace("<operation>", operation) for operation in operations}

    assert told == set(events.EVENTS)


def test_every_operation_is_told_of():
    assert all(f"`{operation}`" in GUIDE for operation in events.OPERATIONS)
