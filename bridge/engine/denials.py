"""Which right a refused statement lacked, and the GRANT that gives it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_ORDER: Final = ("select", "insert", "update", "delete")

_NAMED: Final = re.compile(
    r"\b(insert into|delete from|update|from|join|using|lock table|create (?:unlogged )?table if not exists)\s+"
    r'("(?:[^"]|"")+")\.(\w+)'
)
_RIGHTS: Final = {
    "insert into": ("insert",),
    "delete from": ("delete", "select"),
    "update": ("update", "select"),
    "lock table": ("update",),
    "from": ("select",),
    "join": ("select",),
    "using": ("select",),
}
_COMMENT: Final = re.compile(r"^\s*--.*$", re.MULTILINE)
_OWNERS_ALONE: Final = ("reindex", "drop", "alter", "comment")
_WHOEVER: Final = "<the role>"


@dataclass(frozen=True, slots=True)
class Denied:
    """What was refused.

    Attributes:
        schema: The schema, quoted.
        table: The table, or None where it was something else.
        rights: What the statement needs of it, in lower case.
        sequence: The sequence that it was, or None.
        owners: Whether only its owner may do that.
        creates: Whether it would have made the table.
    """

    schema: str
    table: str | None = None
    rights: tuple[str, ...] = ()
    sequence: str | None = None
    owners: bool = False
    creates: bool = False

    def mend(self, role: str | None = None, lacking: tuple[str, ...] = ()) -> str:
        """Return what to do, in SQL where SQL does it.

        Args:
            role: Whom to give it to; None where that is not known.
            lacking: Those of `rights` that are known to be missing; none where nobody has asked.
        """
        grantee = _WHOEVER if role is None else '"' + role.replace('"', '""') + '"'
        if self.creates:
            return (
                f"let the owner of Oban's tables run `bridge install`, which makes {self.table}, and grant select, "
                f"insert, update, delete on {self.schema}.{self.table} to {grantee}"
            )
        if self.owners:
            return "only the owner of Oban's tables may do this: run it as that role"
        if self.sequence is not None:
            return f"grant usage on sequence {self.schema}.{self.sequence} to {grantee}"
        if self.table is None:
            return f"grant usage on schema {self.schema} to {grantee}"
        return f"grant {', '.join(lacking or self.rights)} on {self.schema}.{self.table} to {grantee}"


def what_was_denied(statement: str, refusal: str) -> Denied | None:
    """Return what PostgreSQL refused; None where the statement is none of ours, or can't be told.

    Args:
        statement: One of ours, with its comments.
        refusal: The server's message, in whatever language: it names the table, sequence or schema.
    """
    text = _COMMENT.sub("", statement).strip()
    named = [(match[1], match[2], match[3]) for match in _NAMED.finditer(text)]
    if text.startswith(_OWNERS_ALONE):
        return Denied("", owners=True)
    if not named:
        return None
    schema = named[0][1]
    for verb, _, table in named:
        if verb.startswith("create"):
            return Denied(schema, table, creates=True)
        if _names(refusal, f"{table}_id_seq"):
            return Denied(schema, sequence=f"{table}_id_seq")
        if _names(refusal, table):
            return Denied(schema, table, _needed(text, table, named))
    return Denied(schema) if schema[1:-1].replace('""', '"') in refusal else None


def _names(refusal: str, name: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", refusal) is not None


def _needed(text: str, table: str, named: list[tuple[str, str, str]]) -> tuple[str, ...]:
    verbs = {verb for verb, _, name in named if name == table}
    needed = {right for verb in verbs for right in _RIGHTS.get(verb, ())}
    if "insert into" in verbs:
        needed |= {"select"} if "returning" in text else set()
        needed |= {"update", "select"} if "do update" in text else set()
    if re.search(r"\bfor (no key )?update\b", text) and table == "oban_jobs":
        needed.add("update")
    return tuple(right for right in _ORDER if right in needed)
