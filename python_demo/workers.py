"""The Python side of Badge Forge: the worker that Elixir enqueues badges for.

Beside an Elixir node: `bridge start --import python_demo.workers --queues badges:10`.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from bridge import Cancel, Job, Worker, worker

from . import contracts
from .badge import Attendee
from .contracts import BadgeFile, PrintCenter
from .render import save


@dataclass
class Settings:
    """Where the PDFs go (`BADGES_FOLDER`, default `badges`), and whether they are made at all."""

    folder: Path = field(default_factory=lambda: Path(os.environ.get("BADGES_FOLDER", "badges")))
    render: bool = True


settings = Settings()


@worker(contract=contracts.GenerateBadge)
class GenerateBadge(Worker):
    """Renders one attendee's badge as a PDF and confirms it to the print centre."""

    async def process(self, job: Job[contracts.GenerateBadge]) -> BadgeFile | Cancel:
        """Render in a thread, since that is work for the CPU, then enqueue for Elixir.

        A job that runs twice writes the same bytes to the same place.
        """
        try:
            attendee = Attendee.from_contract(job.args)
        except ValueError as error:
            return Cancel(str(error))  # no later attempt could mend the args
        path = settings.folder.resolve() / attendee.filename
        pdf = await asyncio.to_thread(save, attendee, path) if settings.render else b""
        confirmation = PrintCenter(id=job.args.id, name=attendee.name, path=str(path))
        # It belongs to the batch that its badge belongs to.
        await confirmation.enqueue(meta={key: job.meta[key] for key in ("batch",) if key in job.meta})
        return badge_file(path, pdf)


def badge_file(path: Path, pdf: bytes) -> BadgeFile:
    """Return what the badge's job records, for whoever asks for its result; no bytes stand for no file."""
    if not pdf:
        return BadgeFile(path=str(path), size=0)
    return BadgeFile(path=str(path), size=len(pdf), sha256=hashlib.sha256(pdf).hexdigest())
