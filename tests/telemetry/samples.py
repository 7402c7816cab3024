"""Events of jobs, made up, for tests of what is logged of them."""

import json
from datetime import datetime

from bridge import Job
from bridge.telemetry import JobException, JobStop, events

FIELDS = ["event", "level", "id", "worker", "queue", "attempt", "max_attempts", "args", "meta", "tags"]
ENDS = [*FIELDS, "state", "duration", "queue_time"]

SHOP = events.Instance("Shop", "public", "web.1")
OBAN = events.Instance(node="web.1")


def make_job(args='{"a": 1}', meta='{"m": 2}', **columns):
    moment = datetime(2026, 1, 1)  # noqa: DTZ001 - as the column has it
    times = dict.fromkeys(
        ["inserted_at", "scheduled_at", "attempted_at", "completed_at", "cancelled_at", "discarded_at"], moment
    )
    row = {
        "id": 7,
        "state": "executing",
        "queue": "badges",
        "worker": "Badges.Generate",
        "args": args,
        "meta": meta,
        "tags": ["x"],
        "errors": "[]",
        "attempt": 1,
        "max_attempts": 20,
        "priority": 0,
        "attempted_by": ["node", "uuid"],
        **times,
        **columns,
    }
    return Job.from_row(row)


def stop(job=None, **fields):
    return JobStop(
        job or make_job(), **{"state": "completed", "duration": 2_513_000, "queue_time": 5_449_999, **fields}
    )


def failed(error, job=None, **fields):
    return JobException(
        job or make_job(), **{"state": "retryable", "duration": 1_000_000, "queue_time": 0, "error": error, **fields}
    )


class Unspeakable:
    def __repr__(self):
        raise RuntimeError("no repr")


def lines_of(caught):
    return [json.loads(record.getMessage()) for record in caught.records]
