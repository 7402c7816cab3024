"""`bridge db`: the embedded PostgreSQL, from the command line."""

from __future__ import annotations

import dataclasses
import enum
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bridge.postgres import Server, Status

app = typer.Typer(no_args_is_help=True, help="The embedded PostgreSQL: a server with nothing to set up.")

_NOT_RUNNING = 3  # the exit code that pg_ctl and service managers use for it

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        envvar="BRIDGE_POSTGRES_DIR",
        help="The folder for the data; by default one of this user, kept between runs.",
    ),
]


class Mode(enum.StrEnum):
    """How connections end when the server stops."""

    smart = "smart"
    fast = "fast"
    immediate = "immediate"


@app.command()
def start(
    port: Annotated[
        int | None,
        typer.Option(help="Listen on this TCP port of 127.0.0.1 too, 0 for any free one. Any local user may connect."),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Start the server, or find it running, and say how to connect."""
    _show(_server(data_dir, port).start())


@app.command()
def stop(
    mode: Annotated[Mode, typer.Option(help="Wait for clients (smart), end them, or leave recovery.")] = Mode.fast,
    data_dir: DataDir = None,
) -> None:
    """Stop the server; its data stay."""
    server = _server(data_dir)
    stopped = server.stop(mode.value)
    typer.echo(f"stopped; the data stay in {server.data_dir}" if stopped else "was not running")


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Say whether the server runs, and where; the exit code is 3 when it doesn't."""
    found = _server(data_dir).status()
    _print_json(found) if as_json else _show(found)
    if not found.running:
        raise typer.Exit(_NOT_RUNNING)


@app.command()
def url(
    database: Annotated[str, typer.Option(help="The database's name.")] = "bridge",
    tcp: Annotated[bool, typer.Option("--tcp", help="Over TCP, for clients that know no Unix sockets.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Print the DSN of a database, and nothing else: psql "$(bridge db url)"."""
    typer.echo(_server(data_dir).url(database, tcp=tcp))


def _server(data_dir: Path | None, port: int | None = None) -> Server:
    from bridge.postgres import Server  # noqa: PLC0415 - `bridge --help` needs none of it

    return Server(data_dir, port=port)


def _show(status: Status) -> None:
    from rich.console import Console  # noqa: PLC0415 - slow to import, and `url` prints without it
    from rich.text import Text  # noqa: PLC0415

    console = Console(highlight=False, soft_wrap=True)  # a URL that is cut can't be copied
    for name, value in _facts(status).items():
        console.print(Text.assemble((f"{name:<9}", "bold"), value))


def _facts(status: Status) -> dict[str, str]:
    facts = {
        "server": f"PostgreSQL {status.version}, process {status.pid}" if status.running else "not running",
        "data": status.data_dir,
        "url": status.url,
        "tcp url": status.tcp_url,
    }
    return {name: str(value) for name, value in facts.items() if value is not None}


def _print_json(status: Status) -> None:
    typer.echo(json.dumps(dataclasses.asdict(status), default=str))
