"""Rows, held against what Oban's protocol says of all eighteen columns."""

import re
from datetime import UTC, datetime, timedelta

COLUMNS = {
    *("id", "state", "queue", "worker", "args", "errors", "attempt", "max_attempts", "priority", "tags", "meta"),
    *("inserted_at", "scheduled_at", "attempted_at", "completed_at", "cancelled_at", "discarded_at", "attempted_by"),
}

#: What a job has that was inserted with a worker and nothing else.
FRESH = {
    "state": "available",
    "args": {},
    "errors": [],
    "attempt": 0,
    "max_attempts": 20,
    "priority": 0,
    "tags": [],
    "meta": {},
    "attempted_at": None,
    "attempted_by": None,
    "completed_at": None,
    "cancelled_at": None,
    "discarded_at": None,
}

_UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class Matching:
    """Equal to whatever its function is true of; failures show its name."""

    def __init__(self, name, holds):
        self._name, self._holds = name, holds

    def __eq__(self, other):
        return bool(self._holds(other))

    __hash__ = None

    def __repr__(self):
        return f"<{self._name}>"


def check(row, **expected):
    """Compare all columns; the times of insertion need not be named, and are those of the last minute."""
    expected = {"id": NUMBER, "inserted_at": RECENT, "scheduled_at": RECENT, **FRESH, **expected}
    assert expected.keys() == COLUMNS, f"not all columns are named: {COLUMNS ^ expected.keys()}"
    assert {key: row[key] for key in sorted(row)} == {key: expected[key] for key in sorted(expected)}


def between(low, high):
    """A naive time of UTC between two others."""
    return Matching(f"between {low} and {high}", lambda value: isinstance(value, datetime) and low <= value <= high)


def about(time, seconds=1.0):
    """A naive time of UTC within so many seconds of another."""
    margin = timedelta(seconds=seconds)
    return between(time - margin, time + margin)


def ran_by(node):
    """What a producer of `node` leaves in attempted_by: the node, and a random UUID of version 4."""
    return Matching(
        f"[{node!r}, uuid]", lambda value: len(value) == 2 and value[0] == node and bool(_UUID.fullmatch(value[1]))
    )


def error(attempt, text):
    """An element of errors: at in UTC with six digits and Z; `text` is a pattern for all of the message."""
    return Matching(
        f"error {attempt}: {text}",
        lambda value: (
            value.keys() == {"at", "attempt", "error"}
            and value["attempt"] == attempt
            and bool(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", value["at"]))
            and bool(re.fullmatch(text, value["error"], re.DOTALL))
        ),
    )


def now():
    """The time as the columns have it: UTC, naive."""
    return datetime.now(UTC).replace(tzinfo=None)


RECENT = Matching(
    "within the last minute",
    lambda value: isinstance(value, datetime) and abs((now() - value).total_seconds()) < 60,
)
NUMBER = Matching("a number", lambda value: isinstance(value, int) and value > 0)
EMPTY = Matching("empty or null", lambda value: not value)
