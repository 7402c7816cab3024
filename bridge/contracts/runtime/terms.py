"""What a generated class knows of its contract: the options of its jobs, and its schemas, compiled when needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, Literal

from bridge.codecs import json
from bridge.contracts import shapes
from bridge.contracts.model import JobOptions, Language, Schema
from bridge.contracts.runtime.build import Builder
from bridge.contracts.runtime.check import TOO_DEEP, Checker, compile_checks
from bridge.contracts.runtime.classes import Classes
from bridge.contracts.runtime.fast import Reader, compile_reader
from bridge.contracts.runtime.hidden import hidden_names
from bridge.contracts.runtime.part import Part
from bridge.contracts.runtime.renamed import Rename, compile_renames
from bridge.errors import ContractError, EncodeError, InvalidJob, InvalidPayload, Violation
from bridge.jobs import Cancel, Discard, Job, Record, Snooze, checks, contracts
from bridge.jobs.job import OPTIONS
from bridge.jobs.unique import Unique, merge_unique, parse_unique

SENSITIVE = "<sensitive>"


def define(
    cls: type[Any],
    /,
    *,
    schema: str,
    worker: str,
    serves: Language,
    queue: str = "default",
    max_attempts: int = 20,
    priority: int = 0,
    tags: Iterable[str] = (),
    unique: Mapping[str, Any] | None = None,
    timeout: float | None = None,
    aliases: Iterable[str] = (),
    version: int = 1,
    result: str | None = None,
    errors: str | None = None,
    events: str | None = None,
) -> None:
    """Give a generated class its contract, and make that known by the worker's names: generated code ends with it.

    Every job for that worker is then checked, however it is built.

    Args:
        cls: The class of the args.
        schema: The normalised schema of the args, as JSON.
        worker: The name that stands in the row.
        serves: The language whose node runs the jobs.
        queue: This and what follows until `version` are as in the contract file, which has the same defaults.
        max_attempts: How often a job may be tried.
        priority: 0, the first, to 9, the last.
        tags: The jobs' tags.
        unique: Oban's options of unique jobs.
        timeout: Seconds that one attempt may take.
        aliases: Former names of the worker.
        version: The contract's version.
        result: The schema of what the worker returns, as JSON; None: nothing is recorded.
        errors: The errors that a job may end with, as a JSON object by their codes.
        events: The schemas of its events, as a JSON object by their names.

    Raises:
        InvalidWorker: Another contract has one of the worker's names.
    """
    options = JobOptions(
        worker, serves, queue, max_attempts, priority, tuple(tags), unique, timeout, tuple(aliases), version
    )
    cls.__contract__ = Terms(cls, options, {"schema": schema, "result": result, "errors": errors, "events": events})
    contracts.register(cls.__contract__, (worker, *options.aliases))


class Terms:
    """A contract at run time.

    Attributes:
        cls: The generated class.
        options: What jobs for its worker are inserted with, and who runs them.
        tag: What `meta.contract` says, such as `GenerateBadge@1`.
    """

    def __init__(self, cls: type[Any], options: JobOptions, texts: Mapping[str, str | None]) -> None:
        self.cls = cls
        self.options = options
        self.tag = f"{cls.__name__}@{options.version}"
        self._texts = texts
        self._classes = Classes(cls.__module__)

    @cached_property
    def sensitive(self) -> bool:
        """Whether it has values that no message may show."""
        return any('"x-sensitive"' in text for text in self._texts.values() if text is not None)

    # Schemas

    @cached_property
    def schema(self) -> Schema:
        """The normalised schema of the args."""
        found: Schema = json.decode(self._texts["schema"] or "true")
        return found

    @cached_property
    def result(self) -> Schema | None:
        """The normalised schema of what the worker returns; None: the contract doesn't say."""
        text = self._texts["result"]
        return None if text is None else json.decode(text)

    @cached_property
    def errors(self) -> dict[str, Any]:
        """The errors that a job may end with: `retry`, `description` and `data` of each code."""
        found: dict[str, Any] = json.decode(self._texts["errors"] or "{}")
        return found

    @cached_property
    def events(self) -> dict[str, Schema]:
        """The schemas of the worker's events."""
        found: dict[str, Schema] = json.decode(self._texts["events"] or "{}")
        return found

    # Args

    def cast(self, args: Any) -> Any:
        """Return the object of args that were decoded from JSON; raises as `Contract.cast` does."""
        try:
            known = args if self._rename is None else self._rename(args)
            found = self._read_fast(known)
            if found is not None:
                return found
            self.check_row(known)
            return self._builder.native.load(known)
        except RecursionError:
            raise ContractError(self.tag, [TOO_DEEP]) from None

    def dump(self, value: Any) -> dict[str, Any]:
        """Return the JSON of an object; raises as `Contract.dump` does."""
        try:
            found: dict[str, Any] = self._builder.native.dump(value)
            self.check_new(found)
            json.encode_object(found, "args")
        except RecursionError:
            raise ContractError(self.tag, [TOO_DEEP]) from None
        except EncodeError as error:
            field = f"args{error.field.removeprefix('value')}" if error.field.startswith("value") else error.field
            placed = EncodeError(field, error.value, error.expected, error.mend)
            raise contracts.veiled(placed, self) from None
        return found

    def redact(self, args: Any) -> Any:
        """Return args as a row holds them, with `"<sensitive>"` for fields that any part of the contract calls so.

        Of args that are no object nothing tells which part is which, so nothing is shown.
        """
        if self._sensitive and not isinstance(args, Mapping):
            return SENSITIVE
        try:
            return redacted(args, self._sensitive) if self._sensitive else args
        except RecursionError:  # too deep to look through, so nothing of it is shown
            return SENSITIVE

    @cached_property
    def _sensitive(self) -> frozenset[str]:
        return frozenset(hidden_names(self.schema))

    def check_row(self, args: Any) -> None:
        """Raise ContractError for args that can't be read."""
        _refuse(self.tag, self._read(args))

    def check_new(self, args: Any) -> None:
        """Raise ContractError for args that may not be written."""
        if not self._is_new(args):
            _refuse(self.tag, self._write(args))

    def check_edited(self, before: Any, after: Any) -> None:
        """Raise ContractError for a row's edited args; what already stood there and can be read may stay."""
        old = {(violation.path, violation.rule) for violation in self._write(before)}
        new = [violation for violation in self._write(after) if (violation.path, violation.rule) not in old]
        _refuse(self.tag, list(dict.fromkeys([*self._read(after), *new])))

    def _is_new(self, args: Any) -> bool:
        """Tell whether args are sure to keep the contract; where this doubts, the checker decides."""
        try:
            return self._write_fast(args) is not None
        except RecursionError:
            return False

    # Jobs

    def build(self, args: Any, options: Mapping[str, Any]) -> Job[Any]:
        """Return a job with these args, an object of the class or a mapping that makes one."""
        for option in options:
            if option not in OPTIONS:
                raise InvalidJob("option", option, "an option of a job", checks.suggest(option, OPTIONS))
        own = self.options
        if "unique" in options:
            options = {**options, "unique": merge_unique(self._unique, options["unique"])}
        defaults = {
            "queue": own.queue,
            "max_attempts": own.max_attempts,
            "priority": own.priority,
            "tags": own.tags,
            "unique": self._unique,
        }
        return Job(own.worker, args=self._typed(args), **{**defaults, **options})

    @cached_property
    def _unique(self) -> Unique | None:
        return parse_unique(self.options.unique)

    def _typed(self, args: Any) -> Any:
        if isinstance(args, self.cls):
            self.dump(args)
            return args
        contracts.refuse_other(self, args)
        try:
            value = json.decode(json.encode_object({} if args is None else args))
        except EncodeError as error:
            raise contracts.veiled(error, self) from None
        self.check_new(value)
        return self.cast(value)

    # Results

    @property
    def result_class(self) -> type[Any] | None:
        """The class of what the worker returns; None where that is no object with a class, or isn't described."""
        shape = None if self.result is None else shapes.shape_of(self.result, self.result)
        if not isinstance(shape, shapes.StructRef):
            return None
        found: type[Any] = self._classes.find(shape.name, shape.module)
        return found

    def record(self, result: Any) -> Any:
        """Return what a worker returned, checked, as a Record; what isn't to be recorded as it is.

        Raises:
            ContractError: The result breaks the contract.
            EncodeError: A field of any type holds what JSON can't.
        """
        if self.result is None or isinstance(result, Cancel | Discard | Snooze):
            return result
        recorded = result if isinstance(result, Record) else Record(result)
        return Record(self._result_part.dump(recorded.value), recorded.limit)

    def load_result(self, value: Any) -> Any:
        """Return a recorded result as what the contract says that it is.

        Raises:
            ContractError: It is something else.
        """
        return value if self.result is None else self._result_part.load(value)

    # Errors and events

    def dump_part(self, kind: Literal["error", "event"], name: str, value: Any) -> Any:
        """Return the JSON of an error's data or an event; raises as `Contract.dump_event` does."""
        part = self.part(kind, name)
        try:
            found = part.dump(value)
            json.encode(found, name)
        except EncodeError as error:
            raise contracts.veiled(error, self) from None
        return found

    def part(self, kind: Literal["error", "event"], name: str) -> Part:
        """Return what reads and writes the data of an error, by its code, or an event, by its name.

        Raises:
            InvalidPayload: The contract describes no such event, or no data of such an error.
        """
        found = self._parts.get((kind, name))
        if found is None:
            known = [known for known_kind, known in self._parts if known_kind == kind]
            what = "an error with data" if kind == "error" else "an event"
            told = ", ".join(known) or "none are there"
            mend = checks.suggest(name, known) or f"add it to the contract's x-job.{kind}s"
            raise InvalidPayload(kind, name, f"{what} of {self.tag} ({told})", mend)
        return found

    @cached_property
    def _parts(self) -> dict[tuple[str, str], Part]:
        schemas = {("error", code): error["data"] for code, error in self.errors.items() if "data" in error}
        schemas |= {("event", name): schema for name, schema in self.events.items()}
        return {key: Part(f"{self.tag} {' '.join(key)}", schema, self._classes) for key, schema in schemas.items()}

    # Compiled

    @cached_property
    def _rename(self) -> Rename | None:
        return compile_renames(self.schema)

    @cached_property
    def _read(self) -> Checker:
        return compile_checks(self.schema, mode="read")

    @cached_property
    def _write(self) -> Checker:
        return compile_checks(self.schema, mode="write")

    @cached_property
    def _read_fast(self) -> Reader:
        return compile_reader(self.schema, self._classes)

    @cached_property
    def _write_fast(self) -> Reader:
        return compile_reader(self.schema, self._classes, "write")

    @cached_property
    def _builder(self) -> Builder:
        return Builder(self.schema, self._classes)

    @cached_property
    def _result_part(self) -> Part:
        return Part(f"{self.tag} result", True if self.result is None else self.result, self._classes)


def redacted(value: Any, names: frozenset[str]) -> Any:
    """Return a JSON value with `"<sensitive>"` in place of what these names hold, however deep."""
    if isinstance(value, Mapping):
        return {name: SENSITIVE if name in names else redacted(inner, names) for name, inner in value.items()}
    return [redacted(inner, names) for inner in value] if isinstance(value, list) else value


def _refuse(name: str, violations: list[Violation]) -> None:
    if violations:
        raise ContractError(name, violations)
