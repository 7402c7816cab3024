"""`bridge config`: every setting, its value, and where that came from."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from bridge.address import mask_password
from bridge.cli.options import ConfigFile
from bridge.config import Setting, load_settings
from bridge.maintenance.lifeline import LOOKS

_WIDEST = 100_000  # columns


def config(
    file: ConfigFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Show each setting's value and its source; passwords are masked."""
    settings = load_settings(file=file)
    _derive(settings)
    if as_json:
        found = {name: {"value": _shown(setting), "source": setting.source} for name, setting in settings.items()}
        typer.echo(json.dumps(found, indent=2))
        return
    from rich.console import Console  # noqa: PLC0415 - a node that runs for months needs no tables
    from rich.table import Table  # noqa: PLC0415 - likewise

    table = Table()
    for heading in ("setting", "value", "source"):
        table.add_column(heading, no_wrap=True)
    for name, setting in settings.items():
        table.add_row(name, _text(setting), setting.source)
    console = Console(markup=False, highlight=False)
    # As wide as its rows, whatever the terminal's width: a DSN that is cut can't be read or copied.
    console.width = max(console.width, console.measure(table, options=console.options.update(width=_WIDEST)).maximum)
    console.print(table)


def _derive(settings: dict[str, Setting]) -> None:
    """Put in what is in force where a default follows from another setting."""
    if settings["lifeline.interval"].value is None:
        interval = settings["lifeline.rescue_after"].value / LOOKS
        settings["lifeline.interval"] = Setting("lifeline.interval", interval, f"lifeline.rescue_after / {LOOKS}")


def _text(setting: Setting) -> str:
    value = _shown(setting)
    if value is None:
        return "(embedded server)" if setting.name == "dsn" else ""
    return json.dumps(value, ensure_ascii=False)


def _shown(setting: Setting) -> Any:
    if setting.name.endswith("dsn") and setting.value is not None:
        return mask_password(setting.value)
    return setting.value
