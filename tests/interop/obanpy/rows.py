"""Rows of jobs that Oban for Python had a part in, compared column by column."""

import json
import re
from datetime import timedelta

import asyncpg

from interop.rows import Matching, between, check, now, ran_by

__all__ = ["OURS_AT", "THEIRS_AT", "between", "check", "error", "matching", "now", "ran_by", "read_row", "since"]

#: How far the times of a row may be out of order: some are the node's, some the server's, some of the moment at which
#: a transaction began, which a job that was made since may still have been found by.
_SLACK = timedelta(seconds=3)

#: How the two write the time of an error. Bridge writes it as Elixir does.
OURS_AT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
THEIRS_AT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?\+00:00"


async def read_row(dsn, job_id):
    """A job's row, its JSON read, `errors` whatever its type; None where there is none."""
    conn = await asyncpg.connect(dsn)
    try:
        found = await conn.fetchrow("select *, to_jsonb(errors) as listed from oban_jobs where id = $1", job_id)
    finally:
        await conn.close()
    if found is None:
        return None
    row = dict(found)
    row["errors"] = row.pop("listed")
    return {name: json.loads(value) if name in ("args", "meta", "errors") else value for name, value in row.items()}


def since(moment):
    """A naive time of UTC from `moment` on and until now."""
    return Matching(f"since {moment}", lambda value: moment - _SLACK <= value <= now() + _SLACK)


def matching(pattern):
    """A text that a pattern describes, from its start to its end."""
    return Matching(f"matching {pattern!r}", lambda value: re.fullmatch(pattern, value, re.DOTALL) is not None)


def error(attempt, text, at):
    """An entry of `errors`: three keys, the text matching a pattern, the time written as a pattern says."""
    shape = {"attempt": attempt, "at": matching(at), "error": matching(text)}
    return Matching(f"error {shape}", lambda value: value == shape)
