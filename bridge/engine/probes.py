"""The statements that look for jobs which are the same as new ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from bridge.jobs import Job

if TYPE_CHECKING:
    from bridge.engine.candidates import Candidate, Mode, Shape
    from bridge.engine.connections import Connections
    from bridge.engine.schema import Catalog
    from bridge.engine.statements import Statements

#: So many jobs of one shape are looked for one by one, as Oban does, by the index of args or meta.
SINGLY: Final = 20

#: The parameters that all these statements have.
_FIXED: Final = 6

# One document by a GIN index, with constants that the planner sees.
_BY_INDEX: Final[Mapping[str, str]] = {
    "equal": "{column} @> {sought} and {column} <@ {sought}",
    "alike": "{column} @> {sought} and {column} <@ {sought}",
    "holding": "{column} @> {sought}",
    "empty": "{column} <@ {sought}",
}

# Every scalar of a document, each once, is the same wherever `@>` holds both ways.
_SCALARS: Final = (
    "coalesce((select jsonb_agg(distinct v order by v) from jsonb_path_query({document}, "
    """'strict $.** ? (@.type() != "object" && @.type() != "array")') as v), '[]')"""
)

# Many documents by hash.
_BY_HASH: Final[Mapping[str, str]] = {
    "equal": "{column} = {sought}",
    "alike": (
        f"{_SCALARS.replace('{document}', '{column}')} = {_SCALARS.replace('{document}', '{sought}')} "
        "and {column} @> {sought} and {column} <@ {sought}"
    ),
    "holding": "{column} @> {sought}",
    "empty": "{column} = {sought}",
}


class Probes:
    """Finds stored jobs that are the same as new ones.

    Args:
        connections: Where the statements run.
        sql: The statements.
        catalog: What the database has.
    """

    def __init__(self, connections: Connections, sql: Statements, catalog: Catalog) -> None:
        self._connections = connections
        self._sql = sql
        self._catalog = catalog

    async def find(self, candidates: Mapping[int, Candidate], conn: Any) -> dict[int, Job[Any]]:
        """Return the stored job that is the same, by the place of the new one; those without one are left out."""
        shapes: dict[Shape, dict[tuple[bytes, float | None], list[int]]] = {}
        for nth, candidate in candidates.items():
            same = shapes.setdefault(candidate.shape(self._catalog), {})
            same.setdefault((candidate.identity, candidate.unique.seconds), []).append(nth)
        found: dict[int, Job[Any]] = {}
        for shape, groups in shapes.items():
            places = list(groups.values())
            values = [candidates[nths[0]].values for nths in places]
            look = self._find_each if len(places) <= SINGLY else self._find_all
            for at, row in await look(shape, values, conn):
                found |= {nth: Job.from_row(row) for nth in places[at]}
        return found

    async def _find_each(self, shape: Shape, values: Sequence[Any], conn: Any) -> list[tuple[int, Any]]:
        conditions, paths = _conditions(shape, _BY_INDEX)
        statement = self._sql.fill("find_duplicate", same=conditions)
        found = []
        for at, each in enumerate(values):
            rows = await self._connections.fetch(statement, list(shape.states), *each, *paths, conn=conn)
            found += [(at, row) for row in rows]
        return found

    async def _find_all(self, shape: Shape, values: Sequence[Any], conn: Any) -> list[tuple[int, Any]]:
        conditions, paths = _conditions(shape, _BY_HASH)
        statement = self._sql.fill("find_duplicates", found=_found(shape), same=conditions)
        columns = [list(column) for column in zip(*values, strict=True)]
        rows = await self._connections.fetch(statement, list(shape.states), *columns, *paths, conn=conn)
        return [(row["nth"] - 1, row) for row in rows]


def _found(shape: Shape) -> str:
    if shape.args is None and shape.meta is None:
        # Without a document to compare, one new job may be the same as every stored one.
        return """select nth, one.id as found_id
  from sought
  cross join lateral (select id from {prefix}.oban_jobs where {same} limit 1) as one"""
    return """select distinct on (nth) nth, id as found_id
  from sought
  join {prefix}.oban_jobs on {same}
  order by nth"""


def _conditions(shape: Shape, forms: Mapping[str, str]) -> tuple[str, list[list[str]]]:
    """Return what must hold between a stored job and a sought one, and the paths that are parameters of it."""
    clock = "timezone('UTC', clock_timestamp())"
    since = f"{shape.timestamp} >= {clock} - make_interval(secs => sought_period)"
    found = ["state = any($1::text[]::{prefix}.oban_job_state[])", f"(sought_period is null or {since})"]
    found += [f"{column} = sought_{column}" for column in ("worker", "queue") if getattr(shape, column)]
    paths: list[list[str]] = []
    documents: tuple[tuple[str, Mode | None, Any], ...] = (
        ("args", shape.args, shape.args_paths),
        ("meta", shape.meta, shape.meta_paths),
    )
    for column, mode, own_paths in documents:
        if mode is None:
            continue
        found.append(_form(forms[mode], column))
        for path in own_paths if forms is _BY_HASH else ():
            paths.append(list(path))
            found.append(f"{column} #> ${_FIXED + len(paths)}::text[] = sought_{column} #> ${_FIXED + len(paths)}")
    return "\n  and ".join(found), paths


def _form(form: str, column: str) -> str:
    return form.replace("{column}", column).replace("{sought}", f"sought_{column}")
