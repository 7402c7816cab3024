"""`bridge doctor`: what is wrong with the database or its nodes, each with the mend."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli.database import known_dsn
from bridge.cli.imports import import_workers
from bridge.cli.options import ConfigFile, Dsn, Prefix
from bridge.cli.tables import clean, forgive_encoding, print_json
from bridge.config import Setting, load_settings
from bridge.doctor import Finding, Level, examine, worst
from bridge.engine import connect
from bridge.engine.diagnosis import TIMEOUT
from bridge.jobs import registry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

_MARKS = {
    Level.OK: ("✔", "green"),
    Level.NOTE: ("•", "cyan"),
    Level.WARNING: ("▲", "yellow"),
    Level.PROBLEM: ("✖", "red"),
}

#: How many lines of a finding people get to see.
_SHOWN = 12

#: Seconds that a connection gets to close in order.
_CLOSE = 1.0


def doctor(
    dsn: Dsn = None,
    prefix: Prefix = None,
    imports: Annotated[str | None, typer.Option("--import", help="Modules with workers, with commas between.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 on warnings too.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show only what is not as it should be.")] = False,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds that one question may take.")] = TIMEOUT,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    file: ConfigFile = None,
) -> None:
    """Examine the database and its nodes, and say what mends each thing that is wrong. Nothing is changed.

    The exit code is 0 where no problem was found, else 1.
    """
    settings = load_settings({"dsn": dsn, "prefix": prefix, "imports": imports}, file=file)
    import_workers(settings["imports"].value)
    address = known_dsn(settings)
    findings = asyncio.run(_examine(address, settings, timeout, shown=None if as_json else _Report(quiet=quiet)))
    if as_json:
        print_json(_as_json(findings), indent=2)
    limit = Level.WARNING if strict else Level.PROBLEM
    if worst(findings).rank >= limit.rank:
        raise typer.Exit(1)


async def _examine(
    dsn: str, settings: Mapping[str, Setting], timeout: float, *, shown: _Report | None
) -> list[Finding]:
    listen = settings["notifier.dsn"].value
    known = {name: setting.value for name, setting in settings.items() if not name.endswith("dsn")}
    known["notifier.dsn"] = listen is not None
    found = []
    examination = examine(
        lambda: _connection(dsn, timeout),
        settings["prefix"].value,
        workers=registry.names(),
        listen=None if listen is None else lambda: _connection(listen, timeout),
        settings=known,
        timeout=timeout,
    )
    async with aclosing(examination):  # a reader such as head may be gone in the midst of it
        async for finding in examination:
            found.append(finding)
            if shown is not None:
                shown.add(finding)
    if shown is not None:
        shown.sum_up(found)
    return found


@asynccontextmanager
async def _connection(dsn: str, timeout: float) -> AsyncIterator[Any]:
    # No statement is kept in the session, so that any pooler will do; a dead network is noticed by the client.
    async with asyncio.timeout(timeout + 5):
        conn = await connect(dsn, timeout=timeout + 5, statement_cache_size=0)
    try:
        yield conn
    finally:
        try:
            await conn.close(timeout=_CLOSE)
        except TimeoutError:
            conn.terminate()


class _Report:
    """Findings for people, each as soon as it is there."""

    def __init__(self, *, quiet: bool) -> None:
        from rich.console import Console  # noqa: PLC0415 - slow to import

        forgive_encoding()
        self._console: Console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._quiet = quiet
        self._topic = ""

    def add(self, finding: Finding) -> None:
        if self._quiet and finding.level is Level.OK:
            return
        from rich.text import Text  # noqa: PLC0415 - slow to import

        if finding.topic != self._topic:
            self._topic = finding.topic
            self._console.print(Text(finding.topic, style="bold"))
        mark, colour = _MARKS[finding.level]
        line = Text.assemble(("  " + mark, colour), " ", (finding.id, "bold"), ": ", clean(finding.seen))
        self._console.print(line)
        more = len(finding.details) - _SHOWN
        for detail in finding.details[:_SHOWN]:
            self._console.print(Text(f"      {clean(detail)}"))
        if more > 0:
            self._console.print(Text(f"      … and {more:,} more: --json has them all"))
        if finding.mend:
            self._console.print(Text.assemble(("      → ", colour), clean(finding.mend)))

    def sum_up(self, findings: list[Finding]) -> None:
        counts = {level: sum(finding.level is level for finding in findings) for level in Level}
        told = [f"{number} {level.value}{'' if number == 1 else 's'}" for level, number in counts.items() if number]
        self._console.print(", ".join(reversed(told)).replace("oks", "ok") or "nothing was looked at")


def _as_json(findings: list[Finding]) -> dict[str, Any]:
    return {"level": worst(findings), "findings": [dataclasses.asdict(finding) for finding in findings]}
