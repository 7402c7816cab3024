"""Options that several commands share, and the database that is meant where none is named."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from bridge.cli.target import embedded_dsn, impatient, remember
from bridge.config import load_settings

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
    return impatient(configured_dsn({"dsn": dsn}) or embedded_dsn())


def resolve_prefix(prefix: str | None = None) -> str:
    """Return the prefix that is given or configured, or `public`."""
    return str(load_settings({"prefix": prefix})["prefix"].value)


def configured_dsn(arguments: Mapping[str, Any]) -> str | None:
    """Return the DSN of the arguments, the environment or the file; None where nobody names one."""
    setting = load_settings(arguments)["dsn"]
    remember(setting)
    found: str | None = setting.value
    return found
