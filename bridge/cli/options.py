"""Options that several commands share, and the database that is meant where none is named."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from bridge.cli.target import remember, remember_embedded
from bridge.config import Setting, load_settings

Dsn = Annotated[
    str | None,
    typer.Option(help="postgresql://user@host/database; default DATABASE_URL, the file's dsn, the embedded server."),
]
Prefix = Annotated[str | None, typer.Option(help="The schema of Oban's tables; default public.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help=r"A settings file; default bridge.toml, or \[tool.bridge] of pyproject.toml."),
]


def resolve_dsn(dsn: str | None = None) -> str:
    """Return the DSN that is given or configured, or else that of the embedded server, which is started."""
    return configured_dsn({"dsn": dsn}) or embedded_dsn()


def resolve_prefix(prefix: str | None = None) -> str:
    """Return the prefix that is given or configured, or `public`."""
    return str(load_settings({"prefix": prefix})["prefix"].value)


def configured_dsn(arguments: Mapping[str, Any]) -> str | None:
    """Return the DSN of the arguments, the environment or the file; None where nobody names one."""
    setting = load_settings(arguments)["dsn"]
    remember(setting)
    found: str | None = setting.value
    return found


def embedded_dsn() -> str:
    """Start the embedded PostgreSQL, or find it running, and return its DSN."""
    from bridge.postgres import Server  # noqa: PLC0415 - not there on Windows, and not needed with a DSN

    server = Server()
    server.start()
    typer.echo(f"no DSN given: using the embedded PostgreSQL in {server.data_dir}", err=True)
    remember_embedded(server.url())
    return server.url()


def values_of(settings: Mapping[str, Setting], section: str) -> dict[str, Any]:
    """Return a section's settings as options, those without a value left out."""
    return {
        name.removeprefix(f"{section}."): setting.value
        for name, setting in settings.items()
        if name.startswith(f"{section}.") and setting.value is not None
    }
