"""The rows of the table as the account reads them, and what each must hold by its order."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bridge.codecs.recorded import decode_recorded
from bridge.errors import DecodeError

from .workers import Recording, recorded

if TYPE_CHECKING:
    from .orders import Orders

#: As `Row` has them. A job without errors is not asked for their attempts: most are such.
COLUMNS: Final = """
    id, state::text, worker, attempt, max_attempts, queue, priority, args::text, meta::text, tags,
    case when cardinality(errors) > 0
      then jsonb_path_query_array(to_jsonb(errors), '$[*].attempt')::text
    end,
    attempted_by[1], extract(epoch from attempted_at)::float8, args ->> 'n'
"""


class Row(NamedTuple):
    """What the account needs of a row; `errors` are the attempts of its errors in JSON, `attempted_at` is Unix time."""

    id: int
    state: str
    worker: str
    attempt: int
    max_attempts: int
    queue: str = ""
    priority: int = 0
    args: str = "{}"
    meta: str | None = "{}"
    tags: tuple[str, ...] | list[str] | None = ()
    errors: str | None = None
    node: str | None = None
    attempted_at: float | None = None
    n: str | None = None

    @property
    def number(self) -> int | None:
        """Its order's number, where it is of one."""
        return int(self.n) if self.n is not None and self.n.isdecimal() else None

    @property
    def failed(self) -> frozenset[int]:
        """The attempts of which the row has an error."""
        found = json.loads(self.errors) if self.errors else []
        return frozenset(attempt for attempt in found if isinstance(attempt, int))

    def __str__(self) -> str:
        told = f"job {self.id} of {self.worker}, {self.state}, attempt {self.attempt} of {self.max_attempts}"
        return f"{told}, errors {self.errors or 'none'}, last by {self.node}"


def changes(row: Row, number: int, orders: Orders) -> Iterator[tuple[str, str]]:
    """Yield what is otherwise in a row than in its order: the kind of change, and what it is."""
    cls = orders.worker_of(number)
    own = cls.options
    if row.worker != own.name:
        yield "jobs of another worker", f"job {row.id} of {row.worker}, ordered of {own.name}"
        return
    recording = issubclass(cls, Recording)
    if not recording and not own.meta and orders.is_bare(number):  # the plain case, told without decoding anything
        plain = row.args == f'{{"n": {number}}}' and row.meta == "{}"
        if plain and (row.queue, row.priority, not row.tags) == (own.queue, own.priority, not own.tags):
            return
    wanted = orders.wanted(number)
    found = {"queue": row.queue, "priority": row.priority, "tags": tuple(row.tags or ()), "args": _decoded(row.args)}
    for name, value in found.items():
        if not _is_same(value, getattr(wanted, name)):
            yield "jobs that were changed", f"job {row.id}: {name} {value!r}, ordered {getattr(wanted, name)!r}"
    meta = _decoded(row.meta)
    if recording and row.state == "completed":
        meta, why = _without_record(meta, number, row.attempt)
        if why:
            yield "recorded results that are wrong", f"{row}: {why}"
    if not _is_same(meta, wanted.meta):
        yield "jobs that were changed", f"job {row.id}: meta {meta!r}, ordered {wanted.meta!r}"


def _without_record(meta: Any, number: int, attempt: int) -> tuple[Any, str]:
    """Return meta but for the record in it, and what is wrong with that."""
    if not isinstance(meta, dict) or meta.get("recorded") is not True:
        return meta, f"nothing is recorded in {meta!r}"
    rest = {key: value for key, value in meta.items() if key not in ("recorded", "return")}
    try:
        found = decode_recorded(meta.get("return", ""))
    except DecodeError as error:
        return rest, str(error)
    wanted = recorded(number, attempt)
    return rest, "" if _is_same(found, wanted) else f"{found!r} in place of {wanted!r}"


def _decoded(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _is_same(one: Any, other: Any) -> bool:
    """Return whether two values are the same in JSON: `==`, but that 1 is neither 1.0 nor true."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_is_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_is_same, one, other))
    return type(one) is type(other) and bool(one == other)
