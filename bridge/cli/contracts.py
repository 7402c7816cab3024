"""`bridge contracts`: one module a family of commands, gathered here."""

from __future__ import annotations

import typer

from bridge.cli import contract_build, contract_data, contract_evolve, contract_keywords

app = typer.Typer(help="Contracts: typed jobs for both languages from one JSON Schema.", no_args_is_help=True)
app.command()(contract_build.build)
app.command()(contract_keywords.keywords)
app.command()(contract_evolve.diff)
app.command()(contract_evolve.check)
app.command()(contract_evolve.release)
app.command()(contract_data.drift)
app.command()(contract_data.infer)
app.command()(contract_data.retention)
app.command()(contract_data.samples)
app.command()(contract_data.docs)
