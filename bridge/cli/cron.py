"""`bridge cron list`: the crontab, and when each entry is due next."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli.imports import import_workers
from bridge.cli.options import ConfigFile
from bridge.cli.sections import values_of
from bridge.config import load_settings
from bridge.cron import Line, load_crontab, parse_cron
from bridge.jobs import registry

if TYPE_CHECKING:
    from rich.table import Table

app = typer.Typer(help="Periodic jobs.", no_args_is_help=True)


@app.callback()
def cron() -> None:
    """Periodic jobs."""


@app.command("list")
def list_entries(
    imports: Annotated[str | None, typer.Option("--import", help="Modules with workers, with commas between.")] = None,
    name: Annotated[str | None, typer.Option(help="The instance whose entries are meant; default Oban.")] = None,
    times: Annotated[int, typer.Option(min=1, max=100, help="How many of the next times to show.")] = 3,
    file: ConfigFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Show each entry with its next times, in its time zone; no database is asked."""
    settings = load_settings({"imports": imports, "name": name}, file=file)
    import_workers(settings["imports"].value)
    options = parse_cron(values_of(settings, "cron"))
    lines = load_crontab(options, registry, instance=settings["name"].value)
    found = [_facts(line, times) for line in lines]
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
    elif not found:
        typer.echo(_nothing(enabled=options.enabled))
    else:
        from rich.console import Console  # noqa: PLC0415 - slow to import

        Console(highlight=False, markup=False, emoji=False).print(_table(found))


def _facts(line: Line, times: int) -> dict[str, Any]:
    job = line.job()
    return {
        "name": line.name,
        "expression": line.expression.source,
        "timezone": line.timezone,
        "worker": line.worker,
        "queue": job.queue,
        "args": json.loads(job.args_json()),
        "place": line.place,
        "next": [moment.isoformat() for moment in islice(line.upcoming(datetime.now(UTC)), times)],
    }


def _table(found: list[dict[str, Any]]) -> Table:
    from rich.table import Column, Table  # noqa: PLC0415 - slow to import

    times = Column("next", no_wrap=True)  # half a time reads as another one
    folded = (Column(name, overflow="fold") for name in ("time zone", "name", "from"))
    table = Table("expression", Column("worker", overflow="fold"), "queue", times, *folded)
    for each in found:
        shown = [datetime.fromisoformat(moment).strftime("%a %Y-%m-%d %H:%M %z") for moment in each["next"]]
        following = "\n".join(shown) or ("when a node begins to lead" if each["expression"] == "@reboot" else "never")
        columns = ("timezone", "name", "place")
        table.add_row(each["expression"], each["worker"], each["queue"], following, *(each[key] for key in columns))
    return table


def _nothing(*, enabled: bool) -> str:
    if not enabled:
        return "cron.enabled is false: no cron jobs are inserted by nodes with these settings"
    return "no entries: put [[cron.entries]] into bridge.toml, or cron=… on workers, and name their modules by --import"
