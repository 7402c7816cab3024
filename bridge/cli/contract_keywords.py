"""`bridge contracts keywords`: what becomes of each keyword and format of JSON Schema."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.contracts.keywords import FORMATS, KEYWORDS, Keyword, Status

if TYPE_CHECKING:
    from rich.table import Table

_STYLES: dict[Status, str] = {"supported": "green", "inert": "yellow", "refused": "red"}


def keywords(as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False) -> None:
    """Show every keyword and format of JSON Schema: supported, inert (read and left out) or refused, with the mend."""
    if as_json:
        found = {"keywords": list(map(_row, KEYWORDS.values())), "formats": list(map(_row, FORMATS.values()))}
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    from rich.console import Console  # noqa: PLC0415 - slow to import

    console = Console()
    console.print(_table("Keywords", list(KEYWORDS.values())))
    console.print(_table("Formats", list(FORMATS.values())))


def _row(keyword: Keyword) -> dict[str, str]:
    return {key: value for key, value in asdict(keyword).items() if key != "takes"}


def _table(title: str, rows: list[Keyword]) -> Table:
    from rich.table import Table  # noqa: PLC0415 - slow to import
    from rich.text import Text  # noqa: PLC0415

    table = Table("name", "status", "what it does, or the mend", title=title)
    for row in rows:
        table.add_row(Text(row.name), Text(row.status, style=_STYLES[row.status]), Text(row.note))
    return table
