"""The command line's root, and how errors are told."""

from __future__ import annotations

import errno
import sys
from typing import Annotated, Final

import asyncpg
import typer

from bridge.cli import config, contracts, cron, db, doctor, jobs, maintain, queues, schema, start
from bridge.cli.tables import clean
from bridge.cli.target import describe_target
from bridge.errors import BridgeError, printable

app = typer.Typer(
    help="Durable jobs between Elixir and Python, through Oban's table in PostgreSQL.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(start.start)
app.command()(config.config)
app.command()(doctor.doctor)
for command in (schema.install, schema.upgrade, schema.uninstall, schema.status):
    app.command()(command)
app.add_typer(db.app, name="db")
app.add_typer(jobs.app, name="jobs")
app.add_typer(queues.app, name="queues")
app.add_typer(cron.app, name="cron")
app.add_typer(maintain.app, name="maintain")
app.add_typer(contracts.app, name="contracts")


@app.command("version")
def show_version() -> None:
    """Print the version."""
    from importlib.metadata import version  # noqa: PLC0415 - brings email and zipfile along

    typer.echo(version("oban-bridge"))


def _on_version(wanted: bool) -> None:
    if wanted:
        show_version()
        raise typer.Exit


@app.callback()
def bridge(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_on_version, is_eager=True)
    ] = False,
) -> None:
    """Durable jobs between Elixir and Python, through Oban's table in PostgreSQL."""


def main() -> None:
    """Run the command line; an error of ours or the database's is one line, and exit status 1."""
    try:
        app()
    except BridgeError as error:
        _fail(str(error))
    except asyncpg.ClientConfigurationError:
        # Its text may quote the DSN, password and all.
        _fail("the DSN can't be read; expected postgresql://user:password@host:port/database, odd characters as %xx")
    except (OSError, asyncpg.PostgresError) as error:
        _fail(_told(error))


def _told(error: OSError | asyncpg.PostgresError) -> str:
    """Return what went wrong; an error of a socket names no file."""
    if isinstance(error, OSError) and (error.filename is not None or error.errno in _DISK):
        path = f"{error.filename}: " if error.filename is not None else ""
        mend = next((mend for kind, mend in _MENDS.items() if isinstance(error, kind)), _DISK.get(error.errno or 0, ""))
        return f"{path}{error.strerror}; {mend or 'check the path'}"
    told = str(error) or type(error).__name__
    if isinstance(error, asyncpg.PostgresError) and not isinstance(error, _NOT_THERE):
        return f"{describe_target()} refused: {told}"
    return f"{describe_target()} did not answer: {told}; check its address and that the server runs"


#: Messages of several lines are ours.
_LINES: Final = "\n\t"

#: Errors of the server's by which it isn't there for us.
_NOT_THERE: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
)
_MENDS: Final[dict[type[OSError], str]] = {
    PermissionError: "let this user read and write there, or pass another path",
    FileExistsError: "a folder is needed and a file is in its place; move it away, or pass another path",
    NotADirectoryError: "a folder is needed and a file is in its place; move it away, or pass another path",
    IsADirectoryError: "a file is needed and a folder is in its place; move it away, or pass another path",
    FileNotFoundError: "check the path, and that its folder is there",
}
_DISK: Final = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EROFS: "pass a path that can be written to",
}


def _fail(message: str) -> None:
    # It may quote a row, whose texts are no commands to this terminal.
    typer.echo(f"error: {clean(printable(message), keep=_LINES)}", err=True)
    sys.exit(1)
