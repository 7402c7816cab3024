"""The Python side of Badge Forge: the worker that Elixir enqueues badges for.

Beside an Elixir node: `bridge start --import python_demo.workers --queues badges:10`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge import Cancel, Job, Oban, Worker, worker

from .badge import Attendee
from .render import save


@dataclass
class Settings:
    """Where the PDFs go (`BADGES_FOLDER`, default `badges`), and whether they are made at all."""

    folder: Path = field(default_factory=lambda: Path(os.environ.get("BADGES_FOLDER", "badges")))
    render: bool = True


settings = Settings()


@worker(queue="badges", max_attempts=5)
class GenerateBadge(Worker):
    """Renders one attendee's badge as a PDF and confirms it to the print centre."""

    async def process(self, job: Job) -> Cancel | None:
        """Render in a thread, since that is work for the CPU, then enqueue for Elixir.

        A job that runs twice writes the same bytes to the same place.
        """
        try:
            attendee = Attendee.from_args(job.args)
        except ValueError as error:
            return Cancel(str(error))  # no later attempt could mend the args
        path = settings.folder.resolve() / attendee.filename
        if settings.render:
            await asyncio.to_thread(save, attendee, path)
        await Oban.get_instance().enqueue(confirmation(attendee, path, job.meta))
        return None


def confirmation(attendee: Attendee, path: Path, meta: Mapping[str, Any]) -> Job:
    """Return the job that tells Elixir's `BadgeForge.PrintCenter` which PDF to print.

    It belongs to the batch that its badge belongs to.
    """
    return Job(
        worker="BadgeForge.PrintCenter",
        queue="printing",
        args={"id": attendee.id, "name": attendee.name, "path": str(path)},
        meta={key: meta[key] for key in ("batch",) if key in meta},
    )
