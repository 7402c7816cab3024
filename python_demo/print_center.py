"""The print centre where no Elixir node is there: a Python worker with the name of the Elixir one.

Importing this module registers it, and a node that has it takes the jobs of that name. So it is imported only
where nobody else prints.
"""

from __future__ import annotations

from pathlib import Path

from bridge import Job, Worker, worker

from . import contracts
from .workers import settings


@worker(contract=contracts.PrintCenter, name="BadgeForge.PrintCenter")
class PrintCenter(Worker):
    """Stands in for `BadgeForge.PrintCenter`: it makes sure that there is a PDF to print, and no more."""

    def process(self, job: Job[contracts.PrintCenter]) -> None:
        """Look at the PDF.

        Raises:
            ValueError: The file is not a PDF.
            OSError: It is not there.
        """
        if not settings.render:
            return
        path = Path(job.args.path)
        with path.open("rb") as file:
            start = file.read(5)
        if start != b"%PDF-":
            raise ValueError(f"expected a PDF in {path}, and it begins with {start!r}")
