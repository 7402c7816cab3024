"""`bridge contracts diff`, `check` and `release`: what a change of a contract breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.contract_build import ContractsFolder
from bridge.cli.options import ConfigFile
from bridge.config import load_settings
from bridge.errors import BridgeError, printable

if TYPE_CHECKING:
    from bridge.contracts.evolve.change import Change
    from bridge.contracts.evolve.lock import Lock
    from bridge.contracts.evolve.report import Report
    from bridge.contracts.model import Model


class Format(StrEnum):
    """How a report is printed."""

    TEXT = "text"
    GITHUB = "github"
    JSON = "json"


Categories = Annotated[
    list[str] | None,
    typer.Option("--category", help="What fails: ROWS, ROLLING, SOURCE, IDENTITY; default all but SOURCE."),
]
Lenient = Annotated[
    bool, typer.Option("--lenient", help="Let pass what could neither be proven compatible nor shown to break.")
]
Formats = Annotated[Format, typer.Option("--format", help="text, github for annotations of a workflow, or json.")]


def diff(
    old: Annotated[Path, typer.Argument(help="A contract file or a folder of them.")],
    new: Annotated[Path, typer.Argument(help="The newer one, of the same kind.")],
    category: Categories = None,
    lenient: Lenient = False,
    style: Formats = Format.TEXT,
) -> None:
    """Show what changed between two contract files or folders, whom it breaks, and a row that shows it.

    Exit codes: 0 nothing breaks, 1 something does or can't be proven not to, 2 a file or an option is wrong.
    """
    from bridge.contracts.evolve.diff import compare_all  # noqa: PLC0415 - jsonschema is slow to import

    with _usage():
        before, after = _models(old), _models(new)
        if old.is_file() and new.is_file():
            before, after = _only(before, old), _only(after, new)
        _finish(compare_all(before, after), after, category, style, lenient=lenient)


def check(
    against: Annotated[
        str | None,
        typer.Option(
            help="A git revision, or a folder of one (main:old/contracts), a lock, or a folder; default the lock of "
            "the contracts."
        ),
    ] = None,
    contracts: ContractsFolder = None,
    category: Categories = None,
    lenient: Lenient = False,
    style: Formats = Format.TEXT,
    file: ConfigFile = None,
) -> None:
    """Check that the contracts keep to what was there before: every released version, or those of a revision.

    A change is accepted where its contract file says so: "x-ignore": [{"rule": ..., "path": ..., "reason": ...,
    "until": "2027-03-01"}] at its root; path and until may be left out. What has expired fails.

    Exit codes: 0 nothing breaks, 1 something does or can't be proven not to, 2 a file or an option is wrong.
    """
    with _usage():
        folder = _folder(contracts, file)
        models = _models(folder)
        _finish(_changes(models, folder, against), models, category, style, lenient=lenient)


def release(
    contracts: ContractsFolder = None,
    retire: Annotated[
        list[str] | None,
        typer.Option(help="Take a version out of the lock, such as PrintBadge@1, once no row of it is left."),
    ] = None,
    lenient: Lenient = False,
    file: ConfigFile = None,
) -> None:
    """Write the versions that are new to contracts.lock, where they keep to all that were released before.

    Exit codes: 0 the lock is up to date, 1 something breaks or can't be proven not to, and nothing was written, 2 a
    file or an option is wrong.
    """
    from bridge.contracts.evolve.lock import FILE_NAME, Lock, dump_lock, load_lock  # noqa: PLC0415
    from bridge.contracts.evolve.release import release as prepare  # noqa: PLC0415

    with _usage():
        folder = _folder(contracts, file)
        models = _models(folder)
        path = folder / FILE_NAME
        lock = _retired(load_lock(path) if path.exists() else Lock(), retire or ())
        prepared = prepare(models, lock)
        report = _report(prepared.changes, models, None, lenient=lenient)
        if report.failed:
            from bridge.contracts.evolve.report import as_text  # noqa: PLC0415

            typer.echo(as_text(report))
            raise typer.Exit(1)
        path.write_text(dump_lock(prepared.lock), encoding="utf-8")
        for tag in prepared.added:
            typer.echo(f"released {tag}")
        typer.echo(f"{path}: {sum(1 for _ in prepared.lock)} versions")


@contextmanager
def _usage() -> Iterator[None]:
    """Tell what is wrong with a file or an option, and exit with 2."""
    try:
        yield
    except (BridgeError, ValueError) as error:
        typer.echo(f"error: {printable(str(error))}", err=True)
        raise typer.Exit(2) from None


def _folder(contracts: Path | None, file: Path | None) -> Path:
    given = {"contracts.path": None if contracts is None else str(contracts)}
    return Path(str(load_settings(given, file=file)["contracts.path"].value))


def _models(path: Path) -> list[Model]:
    from bridge.contracts.source import load  # noqa: PLC0415

    return load(path.parent if path.is_file() else path)


def _only(models: Sequence[Model], path: Path) -> list[Model]:
    return [model for model in models if model.path.name == path.name]


def _changes(models: Sequence[Model], folder: Path, against: str | None) -> list[Change]:
    from bridge.contracts.evolve.diff import compare_all  # noqa: PLC0415
    from bridge.contracts.evolve.git import load_at  # noqa: PLC0415
    from bridge.contracts.evolve.lock import FILE_NAME, Lock, load_lock  # noqa: PLC0415
    from bridge.contracts.evolve.release import check_lock, compare_locks  # noqa: PLC0415

    own = folder / FILE_NAME
    if against is None:
        return check_lock(models, load_lock(own))
    if not against.strip():
        raise ValueError(
            "--against: expected a git revision, a lock or a folder, got nothing; leave it out for the lock"
        )
    path = Path(against)
    if path.is_file() or (path / FILE_NAME).is_file():
        lock = load_lock(path)
        lost = compare_locks(lock, load_lock(own)) if own.exists() else []
        return [*lost, *check_lock(models, lock)]
    if path.is_dir():
        return compare_all(_models(path), models)
    before = load_at(against, folder, models)
    lost = compare_locks(before.lock, load_lock(own) if own.exists() else Lock()) if before.lock else []
    return [*lost, *compare_all(before.models, models)]


def _report(
    changes: Sequence[Change], models: Sequence[Model], category: list[str] | None, *, lenient: bool = False
) -> Report:
    from bridge.contracts.evolve.ignores import apply_ignores, read_ignores  # noqa: PLC0415
    from bridge.contracts.evolve.report import Report, parse_categories  # noqa: PLC0415

    marked, expired, unused = apply_ignores(changes, read_ignores(models))
    files = {model.name: model.path for model in models}
    return Report(marked, parse_categories(category or ()), expired, unused, files, lenient)


def _finish(
    changes: Sequence[Change], models: Sequence[Model], category: list[str] | None, style: Format, *, lenient: bool
) -> None:
    from bridge.contracts.evolve import report as reports  # noqa: PLC0415

    writers: dict[Format, Callable[[Report], str]] = {
        Format.TEXT: reports.as_text,
        Format.GITHUB: reports.as_github,
        Format.JSON: reports.as_json,
    }
    report = _report(changes, models, category, lenient=lenient)
    typer.echo(writers[style](report))
    if report.failed:
        raise typer.Exit(1)


def _retired(lock: Lock, tags: Sequence[str]) -> Lock:
    for tag in tags:
        name, _, version = tag.partition("@")
        if not version.isdigit() or int(version) not in lock.released(name):
            raise ValueError(f"expected a released version such as PrintBadge@1, got {tag}")
        lock = lock.without(name, int(version))
    return lock
