"""The command line's root, and how errors are told."""

from __future__ import annotations

import sys
from importlib.metadata import version

import asyncpg
import typer

from bridge.cli import config, contracts, cron, db, maintain, schema, start
from bridge.errors import BridgeError, printable

app = typer.Typer(
    help="Durable jobs between Elixir and Python, through Oban's table in PostgreSQL.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(start.start)
app.command()(config.config)
for command in (schema.install, schema.upgrade, schema.uninstall, schema.status):
    app.command()(command)
app.add_typer(db.app, name="db")
app.add_typer(cron.app, name="cron")
app.add_typer(maintain.app, name="maintain")
app.add_typer(contracts.app, name="contracts")


@app.command("version")
def show_version() -> None:
    """Print the version."""
    typer.echo(version("oban-bridge"))


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
        _fail(
            f"the database did not answer: {str(error) or type(error).__name__}; check --dsn and that the server runs"
        )


def _fail(message: str) -> None:
    typer.echo(f"error: {printable(message)}", err=True)
    sys.exit(1)
