"""The named rules of evolution: what each means, whom it breaks, and how to mend it.

Whom a change breaks, the category: ROWS, jobs and results that are in the table already and meet new code; ROLLING,
old code that meets what new code writes, as the two languages never deploy at once; SOURCE, users' code that compiles
against generated classes; IDENTITY, what makes a job the same job for everybody. NOTE never fails.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

Category = Literal["ROWS", "ROLLING", "SOURCE", "IDENTITY", "NOTE"]

CATEGORIES: Final[tuple[Category, ...]] = ("ROWS", "ROLLING", "SOURCE", "IDENTITY", "NOTE")

#: What fails a check unless other categories are asked for; SOURCE warns.
FAILING: Final[frozenset[Category]] = frozenset({"ROWS", "ROLLING", "IDENTITY"})


@dataclass(frozen=True)
class Rule:
    """One kind of change.

    Attributes:
        name: Its id, which never changes.
        purpose: What happened, in one line.
        breaks: The categories that it fails by itself. ROWS and ROLLING of a rule about content come from comparing
            what one version writes with what the other reads, and are not listed.
        mend: What to do about it.
        policy: It is about identity or order, so that no row can show it.
    """

    name: str
    purpose: str
    breaks: frozenset[Category] = field(default=frozenset())
    mend: str = ""
    policy: bool = False


def _rule(name: str, purpose: str, breaks: str = "", mend: str = "", *, policy: bool = False) -> Rule:
    found = frozenset(category for category in CATEGORIES if category in breaks.split())
    return Rule(name, purpose, found, mend, policy)


_LATER = "wait until no old code runs and no old row is left, or make a new contract"
_BOTH = "keep the old form readable beside the new one for a release"

_CONTENT: Final = [
    _rule("FIELD_ADDED", "an optional field is new", "NOTE"),
    _rule("FIELD_REQUIRED_ADDED", "a new field is required, and old rows lack it", "SOURCE", "make it optional"),
    _rule("FIELD_REMOVED", "an optional field is gone, its name reserved", "SOURCE"),
    _rule("FIELD_REMOVED_UNRESERVED", "a field is gone, and its name may come back with another meaning", "ROWS SOURCE",
          "add the name to x-reserved of its object", policy=True),
    _rule("FIELD_REQUIRED_REMOVED", "a field that old readers insist on is gone", "SOURCE",
          "make it optional first, release that everywhere, then remove it"),
    _rule("FIELD_NOW_REQUIRED", "a field became required, and old rows may lack it", "SOURCE",
          "leave it optional, or write it always for a retention period first"),
    _rule("FIELD_NOW_OPTIONAL", "a field became optional, and old readers insist on it", "SOURCE",
          "let writers go on writing it until all readers are new"),
    _rule("FIELD_RENAMED", "a field has a new name; new readers take the old one too, by x-was", "ROLLING SOURCE",
          "add the new field beside the old one, write both, then remove the old one; or accept it where no old reader "
          "runs any more", policy=True),
    _rule("FIELD_NAME_DROPPED", "a former name is read no more, and rows may still have it", "ROWS",
          "keep it in x-was until no row has it", policy=True),
    _rule("FIELD_ADDED_CLOSED", "a field is new, and old readers refuse fields that they don't know", "",
          "leave additionalProperties: false out of readers, one release before"),
    _rule("FIELD_REMOVED_CLOSED", "a field is gone, and new readers refuse the rows that have it", "SOURCE",
          "leave additionalProperties: false out"),
    _rule("RESERVED_NAME_REUSED", "a reserved name is used again", "ROWS ROLLING", "choose another name", policy=True),
    _rule("RESERVED_NAME_DROPPED", "a name is no longer reserved", "NOTE"),
    _rule("NULL_ADDED", "null is new, and old readers refuse it", "SOURCE", "leave the field out instead"),
    _rule("NULL_REMOVED", "null is refused now, and old rows may hold it", "", "keep null readable"),
    _rule("TYPE_CHANGED", "the type is another one", "SOURCE", "add a field with the new type under a new name"),
    _rule("TYPE_WIDENED", "types are new that old readers refuse", "SOURCE", "add a field under a new name"),
    _rule("TYPE_NARROWED", "types are refused now that old rows may hold", "SOURCE", "keep them readable"),
    _rule("CONSTRAINT_TIGHTENED", "values are refused now that old rows may hold", "", "keep the old limit"),
    _rule("CONSTRAINT_LOOSENED", "values are allowed now that old readers refuse", "", _LATER),
    _rule("CONST_CHANGED", "the one value allowed is another one", "SOURCE", "use an enum with both"),
    _rule("FORMAT_CHANGED", "text has another format or encoding", "ROWS ROLLING SOURCE",
          "add a field with the new format under a new name"),
    _rule("ENUM_VALUE_ADDED", "an open enum has a new value", "NOTE"),
    _rule("ENUM_VALUE_ADDED_CLOSED", "a closed list has a new value, and old readers refuse it", "",
          "leave x-closed out, or release readers of the new value first"),
    _rule("ENUM_VALUE_RENAMED", "a value has a new text, and x-was names the old one", "SOURCE"),
    _rule("ENUM_VALUE_REMOVED", "a value is gone that old rows may hold", "SOURCE", "keep the value readable"),
    _rule("ENUM_CLOSED", "an open enum refuses unknown values now", "ROWS ROLLING SOURCE",
          "leave x-closed out", policy=True),
    _rule("ENUM_OPENED", "a closed enum takes unknown values now", "NOTE"),
    _rule("UNION_BRANCH_ADDED", "a union has a new branch, and old readers refuse it", "SOURCE",
          "release readers that know the branch first"),
    _rule("UNION_BRANCH_REMOVED", "a union lost a branch that old rows may hold", "SOURCE", "keep the branch readable"),
    _rule("UNION_TAG_CHANGED", "a union is told apart by another field", "SOURCE", "write both tags for a release"),
    _rule("READER_CLOSED", "an open object refuses undeclared fields now", "ROWS",
          "leave additionalProperties: false out", policy=True),
    _rule("READER_OPENED", "a closed object takes undeclared fields now", "NOTE"),
    _rule("WRITER_OPENED", "undeclared fields may be written now, and old readers refuse them", "", _LATER),
    _rule("DEFAULT_CHANGED", "a default is another one: versions disagree about an absent field", "NOTE"),
    _rule("DEPRECATION_CHANGED", "a field is deprecated, or no longer", "NOTE"),
    _rule("SENSITIVITY_CHANGED", "a value is shown in messages now, or no longer", "NOTE"),
    _rule("TEXT_CHANGED", "a description, title or example is another one", "NOTE"),
    _rule("SCHEMA_CHANGED", "a rule outside the named ones is another one", "", _BOTH),
]  # fmt: skip

_JOB: Final = [
    _rule("WORKER_RENAMED", "the worker has a new name, and no alias keeps the old one", "ROWS ROLLING SOURCE IDENTITY",
          "add the old name to x-job.aliases", policy=True),
    _rule("WORKER_ALIASED", "the worker has a new name, and an alias keeps the old one", "NOTE", policy=True),
    _rule("ALIAS_REMOVED", "an alias is gone, and rows may still name it", "ROWS IDENTITY", "keep it", policy=True),
    _rule("OWNER_CHANGED", "another language or another queue gets the jobs", "ROLLING IDENTITY",
          "move the worker by a route plan: both sides first serve both, then one", policy=True),
    _rule("UNIQUE_CHANGED", "versions disagree about which jobs are the same", "ROLLING IDENTITY",
          "change it while no old producer runs", policy=True),
    _rule("OPTIONS_CHANGED", "jobs are inserted with other options", "NOTE", policy=True),
    _rule("VERSION_LOWERED", "the version is lower than one that was there before", "IDENTITY",
          "count x-job.version upwards", policy=True),
    _rule("CONTRACT_ADDED", "a contract is new", "NOTE", policy=True),
    _rule("CONTRACT_RENAMED", "a contract's class or module has another name", "SOURCE",
          "keep its title and its file's name", policy=True),
    _rule("CONTRACT_REMOVED_LIVE", "a contract is gone while rows may need it", "ROWS SOURCE",
          "keep it until no row of its worker is left, then retire it from the lock", policy=True),
    _rule("SHARED_REMOVED", "a shared schema is gone, and the classes made of it", "SOURCE", policy=True),
    _rule("RELEASED_EDITED", "a released version has another content", "ROWS IDENTITY",
          "put the released content back, or count x-job.version up", policy=True),
    _rule("RELEASED_DROPPED", "the lock lost a released version, whose rows may be there", "ROWS IDENTITY",
          "put it back into the lock, or take it out with `bridge contracts release --retire`", policy=True),
    _rule("RESULT_ADDED", "a result is described where none was", "NOTE", policy=True),
    _rule("RESULT_REMOVED", "a result is no longer described, and readers want it", "ROLLING SOURCE",
          "keep x-job.result", policy=True),
    _rule("ERROR_CODE_ADDED", "an error has a new code, which old readers don't know", "NOTE", policy=True),
    _rule("ERROR_CODE_REMOVED", "an error code is gone that readers handle", "ROLLING SOURCE",
          "keep it, marked as no longer raised in its description", policy=True),
    _rule("ERROR_CHANGED", "an error is retried otherwise, or carries data now or no longer", "NOTE", policy=True),
    _rule("EVENT_ADDED", "an event is new", "NOTE", policy=True),
    _rule("EVENT_REMOVED", "an event is gone that listeners wait for", "ROLLING SOURCE", "keep it", policy=True),
]  # fmt: skip

RULES: Final[dict[str, Rule]] = {rule.name: rule for rule in (*_CONTENT, *_JOB)}
"""Every rule by its id. Rules about content have a prefix where they stand for a result, an error or an event."""

PREFIXES: Final = ("RESULT_", "ERROR_", "EVENT_")


def rule_of(name: str) -> Rule:
    """Return a rule by its id, with or without a prefix.

    Raises:
        KeyError: No rule has that id.
    """
    if name in RULES:
        return RULES[name]
    bare = next((name.removeprefix(prefix) for prefix in PREFIXES if name.startswith(prefix)), name)
    found = RULES[bare]
    if found not in _CONTENT:
        raise KeyError(name)
    return found
