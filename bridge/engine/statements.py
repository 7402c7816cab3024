"""The SQL of `sql/*.sql` for one schema: one statement a file, read once."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final, Literal

_FOLDER: Final = Path(__file__).parent / "sql"
_TIMES = ("inserted_at", "scheduled_at", "attempted_at", "completed_at", "cancelled_at", "discarded_at")


def _readable(time: str) -> str:
    bounds = f"least(greatest({time}, '0001-01-01'), '9999-12-31 23:59:59.999999')"
    return f"  case when {time} is not null then {bounds} end as {time}"


#: A job's columns by name: they stand in another order in databases that grew. JSON is asked for as text, so that a
#: codec that the application set on its connections changes nothing here, and `to_jsonb` reads `errors` whether it is
#: jsonb[] (Oban for Elixir) or jsonb (Oban for Python). A time that was given in milliseconds lies beyond Python's
#: years: such a row must not make the others of its batch unreadable.
COLUMNS = """
  id, state::text, queue, worker, args::text, meta::text, tags::text[], to_jsonb(errors)::text as errors,
  attempt, max_attempts, priority, attempted_by,
""" + ",\n".join(map(_readable, _TIMES))

#: The same without what whoever claims a job knows before.
CLAIMED = """
  id, worker, args::text, meta::text, tags::text[], to_jsonb(errors)::text as errors, attempt, max_attempts,
  coalesce(priority, 0) as priority,
""" + ",\n".join(_readable(time) for time in _TIMES if time != "attempted_at")

#: Entries that a job's `errors` keep, the newest: a job that fails for ever must not become a row without bounds, which
#: every fetch of it reads. Oban keeps all; nothing in it counts them.
ERRORS_KEPT: Final = 100

#: The errors of the row `j` with that of `a` at their end, by the column's type. An array may begin at any number, so
#: its end is asked for and not its length; what lies before its begin is passed over without a word, as in a path.
_ERRORS: Final = {
    "jsonb[]": f"(j.errors || a.error::jsonb)[coalesce(array_upper(j.errors, 1), 0) - {ERRORS_KEPT - 2}:]",
    "jsonb": f"jsonb_path_query_array(j.errors || a.error::jsonb, '$[last - {ERRORS_KEPT - 1} to last]')",
}


class Statements:
    """Statements by file name, with the schema's name in them.

    Args:
        prefix: The schema.
        errors_type: The type of `errors`; statements that add to them are different.
    """

    def __init__(self, prefix: str, errors_type: Literal["jsonb[]", "jsonb"] = "jsonb[]") -> None:
        self._schema = '"' + prefix.replace('"', '""') + '"'
        self._errors = _ERRORS[errors_type]
        self._texts: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        if name not in self._texts:
            # The schema's name comes last: it may hold braces of its own.
            self._texts[name] = self.fill(name)
        return self._texts[name]

    @staticmethod
    def part(name: str) -> str:
        """Return a statement that is to be a part of another one, for `fill`."""
        return _read(name)

    def fill(self, name: str, **parts: str) -> str:
        """Return a statement with its `{parts}` filled in; they are SQL of ours, never a value."""
        text = _read(name).replace("{columns}", COLUMNS).replace("{claimed}", CLAIMED)
        text = text.replace("{errors}", self._errors)
        for part, sql in parts.items():
            text = text.replace("{" + part + "}", sql)
        return text.replace("{prefix}", self._schema)


@cache
def _read(name: str) -> str:
    return (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")
