"""Which right a refused statement lacked, and the GRANT that gives it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from bridge.engine.rights import ALL, GRANT, enqueuing, grant
from bridge.engine.schema import quote_ident

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
_JOBS: Final = "oban_jobs"


@dataclass(frozen=True, slots=True)
class Denied:
    """What was refused.

    Attributes:
        schema: The schema, quoted.
        table: The table, or None where it was something else.
        rights: What the statement needs of it, in lower case.
        whole: Whether it needs these of every column.
        sequence: The sequence that it was, or None.
        outside: Whether it was the schema that the table is in.
        owners: Whether only its owner may do that.
        creates: Whether it would have made the table.
    """

    schema: str
    table: str | None = None
    rights: tuple[str, ...] = ()
    whole: bool = False
    sequence: str | None = None
    outside: bool = False
    owners: bool = False
    creates: bool = False

    def told(self, refusal: str, role: str | None = None) -> str:
        """Return the server's message with what to do about it."""
        mend = self.mend(role)
        return f"{refusal}; {mend if self.owners or self.creates else f'{GRANT}: {mend}'}"

    def mend(self, role: str | None = None) -> str:
        """Return what to do, in SQL where SQL does it: all that the statement's purpose needs, in one go.

        Args:
            role: Whom to give it to; None where that is not known.
        """
        grantee = _WHOEVER if role is None else quote_ident(role)
        if self.creates:
            made = f"let the owner of Oban's tables run `bridge install`, which makes {self.table}"
            return f"{made}, and {'; '.join(self._grants(grantee))}"
        if self.owners:
            return "only the owner of Oban's tables may do this: run it as that role"
        usage = [f"grant usage on schema {self.schema} to {grantee}"] if self.outside else []
        return "; ".join(usage + self._grants(grantee))

    def _grants(self, grantee: str) -> list[str]:
        """Return what a reader, a client that only enqueues, or a worker needs, whichever does such a thing."""
        drawing = f"grant usage on sequence {self.schema}.{self.sequence or f'{_JOBS}_id_seq'} to {grantee}"
        if self.table is None:
            return [drawing] if self.sequence else []
        if self.rights == ("select",):
            return [grant(self.rights, [self.table], self.schema, grantee)]
        if self.table != _JOBS or not {"update", "delete"}.isdisjoint(self.rights):
            return [grant(ALL, [self.table], self.schema, grantee)]
        insert = ["select", "insert"] if self.whole else [enqueuing()]
        return [grant(insert, [self.table], self.schema, grantee), drawing]


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
    return _find(text, refusal, named) if named else None


def _find(text: str, refusal: str, named: list[tuple[str, str, str]]) -> Denied | None:
    schema = named[0][1]
    for verb, _, table in named:
        if verb.startswith("create"):
            return Denied(schema, table, ALL, creates=True)
        if _names(refusal, f"{table}_id_seq"):
            return Denied(schema, sequence=f"{table}_id_seq")
        if _names(refusal, table):
            return _denied(text, schema, table, named)
    if schema[1:-1].replace('""', '"') in refusal:
        return _denied(text, schema, named[0][2], named, outside=True)
    return None


def _names(refusal: str, name: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", refusal) is not None


def _denied(text: str, schema: str, table: str, named: list[tuple[str, str, str]], *, outside: bool = False) -> Denied:
    # Of a row that meets another one, the server has to read more than the insert returns.
    return Denied(schema, table, _needed(text, table, named), whole="on conflict" in text, outside=outside)


def _needed(text: str, table: str, named: list[tuple[str, str, str]]) -> tuple[str, ...]:
    verbs = {verb for verb, _, name in named if name == table}
    needed = {right for verb in verbs for right in _RIGHTS.get(verb, ())}
    if "insert into" in verbs:
        needed |= {"select"} if "returning" in text else set()
        needed |= {"update", "select"} if "do update" in text else set()
    if re.search(r"\bfor (no key )?update\b", text) and table == "oban_jobs":
        needed.add("update")
    return tuple(right for right in ALL if right in needed)
