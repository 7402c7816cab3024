"""`bridge start`: runs queues until a signal ends it."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from bridge.cli import handover
from bridge.cli import node as nodes
from bridge.cli.options import ConfigFile, Dsn, Prefix


def start(
    ctx: typer.Context,
    *,
    dsn: Dsn = None,
    queues: Annotated[str | None, typer.Option(help="Names and limits: badges:10,default:5.")] = None,
    imports: Annotated[str | None, typer.Option("--import", help="Modules with workers, with commas between.")] = None,
    node: Annotated[str | None, typer.Option(help="This process's name; default DYNO, or host and process id.")] = None,
    name: Annotated[str | None, typer.Option(help="The instance's name; default Oban.")] = None,
    prefix: Prefix = None,
    processes: Annotated[
        int | None, typer.Option(help="Processes that run jobs, which import the workers too; default 1, this one.")
    ] = None,
    pool_max_size: Annotated[int | None, typer.Option(help="Connections at most; default 10.")] = None,
    shutdown_grace_period: Annotated[float | None, typer.Option(help="Seconds for running jobs; default 15.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error; default info.")] = None,
    file: ConfigFile = None,
    wait: Annotated[
        bool,
        typer.Option(help="Wait for the database, its tables and the server's name too, not only for its answer."),
    ] = False,
    dry_run: Annotated[bool, typer.Option(help="Check settings and imports, show them, and run nothing.")] = False,
) -> None:
    """Run queues until SIGTERM, SIGINT or SIGHUP, which let running jobs end; a second one but SIGHUP stops at once."""
    arguments = {
        "dsn": dsn,
        "queues": queues,
        "imports": imports,
        "node": node,
        "name": name,
        "prefix": prefix,
        "processes": processes,
        "pool.max_size": pool_max_size,
        "shutdown_grace_period": shutdown_grace_period,
        "log_level": log_level,
    }
    if ctx.obj is handover.PROCESS and not dry_run:
        handover.become_node(handover.Order(arguments, str(file) if file else None, wait))
    prepared = nodes.prepare(arguments, file)
    if dry_run:
        shown = nodes.summary(prepared.settings) | {"cron": prepared.crontab}
        typer.echo(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    nodes.run(prepared, wait=wait)
