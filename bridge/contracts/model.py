"""What a contract says, once its file has been read: normalised schemas and the options of its job.

A normalised schema holds only keywords that Bridge supports, in one order; its references are all of the form
`#/$defs/Name`, and `$defs` stands at its root, so it needs nothing outside itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Schema = dict[str, Any] | bool
"""A normalised JSON Schema."""

Language = Literal["python", "elixir"]
Retry = Literal["retry", "cancel", "snooze", "discard"]


@dataclass(frozen=True)
class ErrorCode:
    """One error that a job may end with: what the other side does about it, and what it is told."""

    code: str
    retry: Retry = "retry"
    description: str = ""
    data: Schema | None = None


@dataclass(frozen=True)
class JobOptions:
    """The `x-job` object: who runs the job, and how it is inserted.

    `timeout` is in seconds, None for no limit; `unique` has Oban's fields, or is None. What the file leaves out has
    Oban's defaults.
    """

    worker: str
    serves: Language
    queue: str = "default"
    max_attempts: int = 20
    priority: int = 0
    tags: tuple[str, ...] = ()
    unique: Mapping[str, Any] | None = None
    timeout: float | None = None
    aliases: tuple[str, ...] = ()
    version: int = 1


@dataclass(frozen=True)
class Model:
    """One file of a contracts folder.

    `name` is its class, `module` its file's stem. `schema` describes args, `result` what the worker returns. A shared
    schema file, without `x-job`, has no `job`.
    """

    name: str
    module: str
    path: Path
    schema: Schema
    job: JobOptions | None = None
    result: Schema | None = None
    errors: Mapping[str, ErrorCode] = field(default_factory=dict)
    events: Mapping[str, Schema] = field(default_factory=dict)

    @property
    def description(self) -> str:
        """The root schema's description, or nothing."""
        return "" if isinstance(self.schema, bool) else str(self.schema.get("description", ""))

    @property
    def tag(self) -> str:
        """What a job's `meta.contract` says: `GenerateBadge@1`."""
        return f"{self.name}@{self.job.version if self.job else 1}"
