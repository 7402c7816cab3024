"""`bridge jobs enqueue`: one job, or one a line of a file, checked against the contracts that are known."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from bridge.cli import job_row
from bridge.cli.database import known_dsn, open_engine
from bridge.cli.imports import import_workers
from bridge.cli.job_read import Imports
from bridge.cli.job_values import parse_json, parse_object, with_times
from bridge.cli.moments import parse_duration, parse_moment
from bridge.cli.options import ConfigFile, Dsn, Prefix
from bridge.cli.tables import print_json, say
from bridge.config import Setting, load_settings
from bridge.errors import ContractError, DecodeError, InvalidContract, InvalidJob, SchemaError, ValidationError
from bridge.jobs import Job, checks, contracts, registry
from bridge.jobs.job import OPTIONS

_Text = str | None


def enqueue(
    worker: Annotated[_Text, typer.Argument(metavar="[WORKER]", help="The worker's name, as it is in the row.")] = None,
    *,
    args: Annotated[_Text, typer.Option("--args", help="A JSON object, @file, or - for standard input.")] = None,
    lines: Annotated[
        _Text, typer.Option("--from", help="One job a line, JSON objects: a file, or - for standard input.")
    ] = None,
    queue: Annotated[_Text, typer.Option("--queue", "-q", help="Default: the worker's, or default.")] = None,
    delay: Annotated[_Text, typer.Option("--in", help="Run it in so long: 90 (seconds), 5m, 2h.")] = None,
    moment: Annotated[_Text, typer.Option("--at", help="Run it then: 2030-01-31T09:00:00Z.")] = None,
    priority: Annotated[int | None, typer.Option(help="0, the first, to 9.")] = None,
    max_attempts: Annotated[int | None, typer.Option(help="How often it may be tried.")] = None,
    tags: Annotated[list[str] | None, typer.Option("--tag", "-t", help="A tag; repeat this for more.")] = None,
    meta: Annotated[_Text, typer.Option("--meta", help="A JSON object.")] = None,
    unique: Annotated[_Text, typer.Option("--unique", help="true, or a JSON object of Oban's options.")] = None,
    replace: Annotated[_Text, typer.Option("--replace", help="What to replace on a conflict, in JSON.")] = None,
    suspended: Annotated[bool, typer.Option("--suspended", help="Hold it until somebody retries it.")] = False,
    imports: Imports = None,
    dsn: Dsn = None,
    prefix: Prefix = None,
    file: ConfigFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Insert a job, or many of them in one transaction.

    Workers and contracts of the imported modules give their defaults, and their contracts hold; so do those of the
    folder of contract files. For any other worker, Oban's defaults apply. Lines have the keys worker, args, and options
    as in Python: queue, schedule_in, tags, ...
    """
    settings = load_settings({"dsn": dsn, "prefix": prefix, "imports": imports}, file=file)
    import_workers(settings["imports"].value)
    if worker is None or contracts.find(worker) is None:
        know_files(settings)
    options = _given(
        queue=queue,
        schedule_in=None if delay is None else parse_duration("--in", delay, InvalidJob),
        scheduled_at=None if moment is None else parse_moment("--at", moment, error=InvalidJob),
        priority=priority,
        max_attempts=max_attempts,
        tags=tags or None,
        meta=None if meta is None else parse_object("--meta", meta),
        unique=None if unique is None else parse_json("--unique", unique),
        replace=None if replace is None else parse_json("--replace", replace),
        state="suspended" if suspended else None,
    )
    if lines is not None and args is not None:
        raise typer.BadParameter("each line has its own args", param_hint="--args")
    if lines is not None:
        _enqueue_lines(settings, lines, _given(worker=worker) | options, as_json=as_json)
    elif worker is None:
        raise typer.BadParameter("name the worker, or pass --from", param_hint="WORKER")
    else:
        _enqueue_one(settings, worker, {} if args is None else parse_object("--args", args), options, as_json=as_json)


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def build_job(worker: str, args: Any, options: Mapping[str, Any]) -> Job[Any]:
    """Build a job with the defaults of its worker or its contract, where one of them is known here.

    Raises:
        ContractError: Args that break the contract.
        InvalidJob: An option that there is none, or a value that the table or an Elixir node can't take.
    """
    for option in options:
        if option not in OPTIONS:
            raise InvalidJob("option", option, "an option of a job", checks.suggest(option, OPTIONS))
    if worker in registry.names():
        found = registry.resolve(worker)
        _check_arguments(found, args)
        return found.new(args, **options)
    contract = contracts.find(worker)
    return Job(worker, args=args, **options) if contract is None else contract.build(args, options)


def _check_arguments(worker: Any, args: Any) -> None:
    """Refuse args that the function of a function's worker doesn't take."""
    signature = getattr(worker, "signature", None)
    if signature is not None and isinstance(args, Mapping):
        try:
            signature.bind(**args)
        except TypeError as error:
            raise InvalidJob("args", dict(args), f"the arguments of {worker.__name__}{signature}", str(error)) from None


# One


def _enqueue_one(
    settings: Mapping[str, Setting], worker: str, args: Any, options: Mapping[str, Any], *, as_json: bool
) -> None:
    try:
        job, row = asyncio.run(_insert(settings, build_job(worker, args, options), read=as_json))
    except ContractError as error:
        _tell_violations(error)
        raise typer.Exit(1) from None
    conflict = bool(getattr(job, "conflict", False))
    _note_unknown([job])
    if as_json:
        print_json((job_row.columns_of(row) if row else {"id": job.id}) | {"conflict": conflict})
    elif conflict:
        say(f"nothing was inserted: job {job.id} was there already, {job.state}")
    else:
        due = f", due {job.scheduled_at:%Y-%m-%d %H:%M:%S} UTC" if job.state == "scheduled" else ""
        say(f"enqueued job {job.id} of {job.worker} on queue {job.queue}, {job.state}{due}")


async def _insert(settings: Mapping[str, Setting], job: Job[Any], *, read: bool) -> tuple[Job[Any], Job[Any] | None]:
    async with open_engine(settings, known_dsn(settings)) as engine:
        job = await engine.insert(job)
        if not read or job.id is None:
            return job, None
        try:
            return job, await engine.get(job.id)
        except SchemaError:  # a role that may only insert: the job is there, so this must not look like a failure
            return job, None


def know_files(settings: Mapping[str, Setting]) -> None:
    """Make the contract files of the project hold, where their generated modules were not imported.

    Raises:
        InvalidContract: A file of the folder that the settings name is no contract.
    """
    setting = settings["contracts.path"]
    folder = Path(setting.value)
    if not any(folder.glob("*.json")):
        return
    from bridge.contracts import unbuilt  # noqa: PLC0415 - jsonschema is slow to import

    try:
        unbuilt.know(folder)
    except InvalidContract as error:
        if setting.source != "default":
            raise
        say(f"note: the files in {folder} are no contracts, so they check nothing: {error}", err=True)


def _note_unknown(jobs: Iterable[Job[Any]]) -> None:
    """Tell of workers that neither a module nor a contract knows."""
    for worker in sorted({job.worker for job in jobs} - set(registry.names())):
        if contracts.find(worker) is None:
            near = checks.suggest(worker, registry.names()) if registry.names() else "name modules with --import"
            told = f"no imported module knows {worker}, and no contract file"
            say(f"note: {told}, so nothing checked its args; {near}", err=True)


def _tell_violations(error: ContractError, place: str = "") -> None:
    say(f"error: {place}nothing was inserted: the args break the contract {error.contract}", err=True)
    for violation in error.violations:
        say(f"  {violation}", err=True)


# Many


class _Lines:
    """Jobs of a file's lines, built as they are asked for; `number` is the line's whose job is being built, or 0."""

    def __init__(self, lines: Iterable[bytes], defaults: Mapping[str, Any]) -> None:
        self._lines = lines
        self._defaults = defaults
        self.number = 0

    def __iter__(self) -> Iterator[Job[Any]]:
        for number, line in enumerate(self._lines, 1):
            if line.strip():
                self.number = number
                job = self._build(line)
                self.number = 0
                yield job

    def _build(self, line: bytes) -> Job[Any]:
        try:
            found = parse_json("the line", line.decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise contracts.veiled_by_any(InvalidJob("the line", line[:80], "text in UTF-8")) from None
        if not isinstance(found, dict):
            expected = 'a JSON object, such as {"worker": "Mail.Send", "args": {"id": 1}}'
            raise contracts.veiled_by_any(InvalidJob("the line", found, expected))
        options = {**self._defaults, **found}
        worker, args = options.pop("worker", None), options.pop("args", {})
        return build_job(checks.name("worker", worker), args, with_times(options))


def _enqueue_lines(settings: Mapping[str, Setting], name: str, defaults: Mapping[str, Any], *, as_json: bool) -> None:
    with sys.stdin.buffer if name == "-" else Path(name).open("rb") as stream:
        lines = _Lines(stream, defaults)
        try:
            jobs = asyncio.run(_insert_all(settings, lines))
        except ContractError as error:
            _tell_violations(error, f"line {lines.number}: " if lines.number else "")
            raise typer.Exit(1) from None
        except (ValidationError, DecodeError) as error:
            place = f"line {lines.number}: " if lines.number else ""
            say(f"error: {place}nothing was inserted: {error}", err=True)
            raise typer.Exit(1) from None
    _note_unknown(jobs)
    there = sum(bool(getattr(job, "conflict", False)) for job in jobs)
    if as_json:
        print_json({"enqueued": len(jobs) - there, "conflicts": there, "ids": [job.id for job in jobs]})
    else:
        already = f"; {there:,} were there already" if there else ""
        say(f"enqueued {len(jobs) - there:,} {'job' if len(jobs) - there == 1 else 'jobs'}{already}")


async def _insert_all(settings: Mapping[str, Setting], lines: _Lines) -> list[Job[Any]]:
    async with open_engine(settings, known_dsn(settings)) as engine:
        return await engine.insert_many(lines)
