"""`bridge contracts samples`, `docs`, `drift`, `infer` and `retention`: contracts beside data."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from bridge.cli.contract_build import ContractsFolder
from bridge.cli.database import known_dsn
from bridge.cli.options import ConfigFile, Dsn, Prefix, resolve_prefix
from bridge.config import load_settings
from bridge.engine import connect, schema
from bridge.engine.scan import STATEMENT_TIMEOUT, ScannedRow, count_live, scan_jobs
from bridge.errors import InvalidContract, InvalidFilter, printable
from bridge.jobs import JobState
from bridge.jobs.checks import suggest

if TYPE_CHECKING:
    from bridge.contracts.data.drift import Drift
    from bridge.contracts.model import Model

Result = TypeVar("Result")
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Timeout = Annotated[float, typer.Option(help="Seconds that one statement may take.")]

_ROWS = 50_000
#: What JSON lets stand in text and some readers take for the end of a line.
_LINE_ENDS = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}


def samples(
    name: Annotated[str, typer.Argument(help="The contract's class or file name.")],
    count: Annotated[int, typer.Option(min=1, help="How many.")] = 10,
    seed: Annotated[int, typer.Option(help="The same seed gives the same samples.")] = 0,
    invalid: Annotated[
        bool, typer.Option("--invalid", help="Args that break one rule each, with the place and the rule.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array; default one value a line.")] = False,
    ndjson: Annotated[bool, typer.Option("--ndjson", help="One value a line, which is the default.")] = False,
    contracts: ContractsFolder = None,
    file: ConfigFile = None,
) -> None:
    """Print args that keep a contract, or that nearly do; all of them have been checked."""
    if as_json and ndjson:
        raise typer.BadParameter("expected --json or --ndjson, not both")
    found = _samples(_model(name, contracts, file), count, seed, invalid=invalid)
    if as_json:
        typer.echo(json.dumps(list(found), ensure_ascii=False, indent=2))
        return
    for value in found:
        typer.echo(json.dumps(value, ensure_ascii=False).translate(_LINE_ENDS))


def docs(
    out: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("docs/contracts"),
    contracts: ContractsFolder = None,
    file: ConfigFile = None,
) -> None:
    """Write one HTML page for each contract, and an index. The pages need no network."""
    from bridge.contracts.emit.docs import GENERATOR, pages  # noqa: PLC0415 - slow to import

    folder = _folder(contracts, file)
    written = pages(_load(folder), _released(folder) or ())
    out.mkdir(parents=True, exist_ok=True)
    for name, text in written.items():
        (out / name).write_text(text, encoding="utf-8", newline="\n")
        typer.echo(f"wrote {out / name}")
    for path in sorted(out.glob("*.html")):
        if path.name not in written and f'content="{GENERATOR}"' in path.read_text(encoding="utf-8", errors="replace"):
            path.unlink()
            typer.echo(f"removed {path}")


def drift(
    workers: Annotated[list[str] | None, typer.Argument(help="Names of workers; default all.")] = None,
    sample: Annotated[int, typer.Option(min=1, help="How many rows at most, the newest first.")] = _ROWS,
    since: Annotated[str | None, typer.Option(help="Only jobs inserted since: 2026-01-31, or 12h, 7d.")] = None,
    states: Annotated[str | None, typer.Option(help="Only jobs in these states, with commas between.")] = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 1 where rows break a contract.")] = False,
    statement_timeout: Timeout = STATEMENT_TIMEOUT,
    as_json: Json = False,
    contracts: ContractsFolder = None,
    file: ConfigFile = None,
    dsn: Dsn = None,
    prefix: Prefix = None,
) -> None:
    """Compare the jobs in the database with their contracts; nothing is written, and no value is shown.

    It reads page by page in read-only transactions, so a replica serves as well.
    """
    from bridge.contracts.data.drift import Drift  # noqa: PLC0415 - slow to import

    found = Drift(_load(_folder(contracts, file)))
    options = {"workers": workers or None, "states": _states(states), "since": _since(since), "limit": sample}

    def observe(rows: list[ScannedRow]) -> None:
        for row in rows:
            found.observe(row.id, row.worker, row.contract, row.args)

    _scan(dsn, prefix, observe, statement_timeout=statement_timeout, **options)
    _require_known(workers or (), found)
    shown = json.dumps(found.as_json(), ensure_ascii=False, indent=2) if as_json else _text(found.lines())
    typer.echo(shown or "no jobs")
    if exit_code and any(report.invalid for report in found.reports()):
        raise typer.Exit(1)


def _require_known(workers: Iterable[str], found: Drift) -> None:
    """Refuse a name that neither a contract nor a row that was read has."""
    known = {*found.workers, *found.uncontracted}
    for worker in workers:
        if worker not in known:
            mend = f"{suggest(worker, known)}; without a name, all workers are shown"
            raise InvalidFilter("worker", worker, "a worker with a contract, or with jobs that were looked at", mend)


def infer(
    worker: Annotated[str, typer.Argument(help="The worker's name in the rows.")],
    sample: Annotated[int, typer.Option(min=1, help="How many rows at most, the newest first.")] = _ROWS,
    since: Annotated[str | None, typer.Option(help="Only jobs inserted since: 2026-01-31, or 12h, 7d.")] = None,
    no_values: Annotated[
        bool, typer.Option("--no-values", help="Take no text of the rows into the draft: no enums, no tags.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="The folder to write the file to; default prints it.")] = None,
    statement_timeout: Timeout = STATEMENT_TIMEOUT,
    dsn: Dsn = None,
    prefix: Prefix = None,
) -> None:
    """Draft a contract from a worker's jobs.

    Enums hold texts of rows, where many rows repeat them: look at the draft before you commit it.
    """
    from bridge.contracts.data.infer import Observed, infer  # noqa: PLC0415 - slow to import

    rows = list[Observed]()

    def observe(page: list[ScannedRow]) -> None:
        rows.extend(Observed(row.id, row.queue, row.max_attempts, row.args) for row in page)

    _scan(
        dsn, prefix, observe, statement_timeout=statement_timeout, workers=[worker], since=_since(since), limit=sample
    )
    if not rows:
        raise InvalidFilter("worker", worker, "a worker with jobs in the database", "bridge contracts drift lists them")
    draft = infer(worker, rows, values=not no_values)
    if out is None:
        typer.echo(draft.text, nl=False)
    else:
        _write_new(out / draft.name, draft.text)
    for line in draft.lines():
        typer.echo(printable(line), err=True)


def retention(
    dropping: Annotated[
        list[str] | None, typer.Option(help="A version that is to go, such as GenerateBadge@1; may be repeated.")
    ] = None,
    statement_timeout: Timeout = 10 * STATEMENT_TIMEOUT,
    as_json: Json = False,
    contracts: ContractsFolder = None,
    file: ConfigFile = None,
    dsn: Dsn = None,
    prefix: Prefix = None,
) -> None:
    """Say which versions of contracts the jobs in the database need.

    The exit code is 1 where one of them is gone or is to go.
    """
    from bridge.contracts.data.retention import needs, refusals  # noqa: PLC0415 - slow to import

    folder = _folder(contracts, file)
    models = _load(folder)
    name = resolve_prefix(prefix)
    groups = _run(dsn, name, lambda conn: count_live(conn, name, statement_timeout=statement_timeout))
    found = needs((row.worker, row.contract, row.state, row.count, row.last_scheduled_at) for row in groups)
    released = _released(folder)
    workers = None if released is None else {model.tag: model.job.worker for model in released if model.job}
    rows = (need.contract for need in found if need.contract)
    _require_versions(dropping or (), (*rows, *(workers or ()), *(model.tag for model in models if model.job)))
    refused = list(refusals(found, models, dropping or (), workers))
    if as_json:
        document = {"needs": [need.as_json() for need in found], "refused": [one.as_json() for one in refused]}
        typer.echo(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        typer.echo(_text(map(str, found)) if found else "no jobs")
        for refusal in refused:
            typer.echo(f"error: {printable(str(refusal))}", err=True)
    if refused:
        raise typer.Exit(1)


def _require_versions(dropping: Iterable[str], tags: Iterable[str]) -> None:
    """Refuse what is to go and is neither a version nor a name of any contract, released ones and rows included."""
    known = set(tags)
    names = {tag.partition("@")[0] for tag in known}
    for tag in dropping:
        if tag not in known | names:
            expected = "a version of a contract, or a contract's name for all of them"
            raise InvalidFilter("dropping", tag, expected, suggest(tag, known))


def _samples(model: Model, count: int, seed: int, *, invalid: bool) -> Iterable[Any]:
    from random import Random  # noqa: PLC0415 - only here

    from bridge.contracts.data.sample import sampler  # noqa: PLC0415 - slow to import

    random, make = Random(seed), sampler(model.schema)  # noqa: S311 - samples are to be repeatable
    if not invalid:
        return (make.valid(random) for _ in range(count))
    return (
        {"args": value, "path": path, "rule": rule} for value, (path, rule) in islice(make.near_misses(random), count)
    )


def _folder(contracts: Path | None, file: Path | None) -> Path:
    given = None if contracts is None else str(contracts)
    return Path(load_settings({"contracts.path": given}, file=file)["contracts.path"].value)


def _load(folder: Path) -> list[Model]:
    from bridge.contracts.source import load  # noqa: PLC0415 - jsonschema is slow to import

    return load(folder)


def _released(folder: Path) -> list[Model] | None:
    """Return every released version of every contract, or None without a lock."""
    from bridge.contracts.evolve.lock import FILE_NAME, load_lock  # noqa: PLC0415 - slow to import

    return list(load_lock(folder)) if (folder / FILE_NAME).exists() else None


def _model(name: str, contracts: Path | None, file: Path | None) -> Model:
    models = {known: model for model in _load(_folder(contracts, file)) for known in (model.module, model.name)}
    if name not in models:
        raise InvalidContract("contract", name, "a contract of the folder", suggest(name, models))
    return models[name]


def _scan(dsn: str | None, prefix: str | None, observe: Callable[[list[ScannedRow]], None], **options: Any) -> None:
    name = resolve_prefix(prefix)

    async def scan(conn: Any) -> None:
        async for page in scan_jobs(conn, name, **options):
            observe(page)

    _run(dsn, name, scan)


def _run(dsn: str | None, prefix: str, act: Callable[[Any], Awaitable[Result]]) -> Result:
    address = known_dsn(load_settings({"dsn": dsn}))

    async def run() -> Result:
        conn = await connect(address, timeout=None)
        try:
            (await schema.inspect(conn, prefix)).require()
            return await act(conn)
        finally:
            await conn.close()

    return asyncio.run(run())


def _states(text: str | None) -> list[str] | None:
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in tuple(JobState):
            known = [state.value for state in JobState]
            raise InvalidFilter("states", name, f"one of {', '.join(known)}", suggest(name, known))
    return names


def _since(text: str | None) -> datetime | None:
    if text is None:
        return None
    if ago := re.fullmatch(r"([0-9]{1,5})([hd])", text):
        return datetime.now(UTC) - int(ago[1]) * timedelta(hours=1 if ago[2] == "h" else 24)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidFilter("since", text, "a date such as 2026-01-31, or a time ago such as 12h or 7d") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _write_new(path: Path, text: str) -> None:
    if path.exists():
        raise InvalidContract("out", str(path), "a file that is not there yet", "move it away, or print the draft")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
    typer.echo(f"wrote {path}", err=True)


def _text(lines: Iterable[str]) -> str:
    return printable("\n".join(lines))
