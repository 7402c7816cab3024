"""The locks under which unique jobs are inserted, so that two of them can't miss each other."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final, NamedTuple

from bridge.engine.documents import digest

if TYPE_CHECKING:
    from bridge.engine.candidates import Candidate

#: The first of a lock's two numbers: these three are Bridge's, whatever else an application locks.
MIXED: Final = 1_651_664_385
GROUP: Final = 1_651_664_386
IDENTITY: Final = 1_651_664_387

#: How many identities are locked one by one; PostgreSQL has room for some thousands of locks in all.
FINE: Final = 100

#: How many different locks there are for groups.
_GROUPS: Final = 1_024


class Lock(NamedTuple):
    """An advisory lock of a transaction: two numbers, and whether others may hold it too."""

    space: int
    key: int
    shared: bool


def locks_of(candidates: Collection[Candidate], prefix: str, *, alone: bool) -> list[Lock]:
    """Return the locks that new unique jobs need, in the order in which to take them.

    A few jobs share the lock of their group (the rule, and the worker and queue that it compares) and lock what each is
    compared by. Many lock their groups alone. What spans groups, or is inserted part by part,
    holds a lock of its own before, so that no two of these wait for each other.

    Args:
        candidates: The jobs.
        prefix: The schema.
        alone: False where they are a part of more that one transaction inserts.
    """
    groups = sorted({_group_key(prefix, candidate) for candidate in candidates})
    identities = sorted({_number(prefix, candidate.identity.hex()) for candidate in candidates})
    few = alone and len(identities) <= FINE
    found = [Lock(GROUP, key, few) for key in groups]
    if few:
        found += [Lock(IDENTITY, key, False) for key in identities]
    if len(groups) > 1 or not alone:
        found.insert(0, Lock(MIXED, _number(prefix), False))
    return found


def lock_columns(locks: list[Lock]) -> tuple[list[int], list[int], list[bool]]:
    """Return locks as a list a column."""
    return [lock.space for lock in locks], [lock.key for lock in locks], [lock.shared for lock in locks]


def _group_key(prefix: str, candidate: Candidate) -> int:
    return _number(prefix, candidate.group.hex()) % _GROUPS


def _number(*parts: str) -> int:
    return int.from_bytes(digest(parts)[:4], "big", signed=True)
