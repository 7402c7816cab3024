"""The command line's root."""

from __future__ import annotations

from typing import Annotated

import typer

from bridge.cli import config, contracts, cron, db, doctor, jobs, maintain, queues, schema, start

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
