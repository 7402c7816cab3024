"""`bridge contracts build`: contracts become Python and Elixir."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.options import ConfigFile
from bridge.config import load_settings
from bridge.errors import InvalidSetting, printable

if TYPE_CHECKING:
    from bridge.contracts.build import Plan

ContractsFolder = Annotated[Path | None, typer.Option("--contracts", help="The contract files; default contracts.")]


def build(
    contracts: ContractsFolder = None,
    python: Annotated[Path | None, typer.Option(help="The folder for Python's modules.")] = None,
    elixir: Annotated[Path | None, typer.Option(help="The folder for Elixir's modules.")] = None,
    elixir_module: Annotated[
        str | None, typer.Option(help="The module that Elixir's are under, such as MyApp.Contracts.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 where a file is not what its contract says.")
    ] = False,
    file: ConfigFile = None,
) -> None:
    r"""Write typed classes for every contract, in Python and Elixir.

    Folders that are not given are those of \[contracts] in bridge.toml. Only files that a build wrote are replaced or
    removed, and nothing is written where any contract is invalid.
    """
    found = _plan(contracts, python, elixir, elixir_module, file)
    if found.errors:
        for error in found.errors:
            typer.echo(f"error: {printable(str(error))}", err=True)
        raise typer.Exit(1)
    if check:
        _check(found)
        return
    found.apply()
    for path in found.writes:
        typer.echo(f"wrote {path}")
    for path in found.removals:
        typer.echo(f"removed {path}")
    typer.echo(f"{_files(found.unchanged)} unchanged")


def _plan(
    contracts: Path | None, python: Path | None, elixir: Path | None, elixir_module: str | None, file: Path | None
) -> Plan:
    from bridge.contracts.build import plan  # noqa: PLC0415 - jsonschema is slow to import

    given = {"path": contracts, "python": python, "elixir": elixir, "elixir_module": elixir_module}
    settings = load_settings(
        {f"contracts.{name}": None if value is None else str(value) for name, value in given.items()}, file=file
    )
    values = {name: settings[f"contracts.{name}"].value for name in given}
    if not values["python"] and not values["elixir"]:
        raise InvalidSetting("contracts.python", None, "a folder for Python or Elixir", "pass --python or --elixir")
    if values["elixir"] and not values["elixir_module"]:
        raise InvalidSetting("contracts.elixir_module", None, "a module, as --elixir is given", "pass --elixir-module")
    return plan(
        Path(values["path"]),
        python_folder=Path(values["python"]) if values["python"] else None,
        elixir_folder=Path(values["elixir"]) if values["elixir"] else None,
        namespace=values["elixir_module"] or "",
    )


def _check(found: Plan) -> None:
    if not found.changes:
        typer.echo(f"{_files(found.unchanged)} as the contracts say")
        return
    for line in found.differences():
        typer.echo(printable(line))
    count = len(found.changes)
    typer.echo(f"error: {_files(count)} to build again: run `bridge contracts build`", err=True)
    raise typer.Exit(1)


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"
