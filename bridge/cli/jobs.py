"""`bridge jobs`: one module a family of commands, gathered here."""

from __future__ import annotations

import typer

from bridge.cli import job_change, job_enqueue, job_read

app = typer.Typer(help="Jobs: list, show, enqueue, cancel, retry, delete, update.", no_args_is_help=True)
app.command("list")(job_read.list_jobs)
app.command()(job_read.show)
app.command()(job_enqueue.enqueue)
app.command()(job_change.cancel)
app.command()(job_change.retry)
app.command()(job_change.delete)
app.command()(job_change.update)
