"""What a person sees while the demo runs: the steps, the job log, two progress bars, a table at the end.

In a terminal there are the bars, and of the log only what failed, unless all of it is asked for. Anywhere else, as in a
CI log, there are plain lines only, those of the log among them.
"""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.highlighter import JSONHighlighter
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from bridge.telemetry.log import encode_event

from .tally import Tally

_QUEUES = {"badges": "Badges rendered", "printing": "Badges printed"}
# How often a bar says how far it is where there is no terminal to move it in.
_PLAIN_STEPS = 4


class Screen:
    """The demo's output."""

    def __init__(self, *, quiet: bool, log: bool) -> None:
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="replace")  # names of all scripts, on a terminal that may know only one
        self.console = Console(highlight=False, soft_wrap=True)
        self._quiet = quiet
        self._stops = log or not self.console.is_terminal
        self._json = JSONHighlighter()

    def title(self, text: str) -> None:
        """Begin."""
        self.console.print(Text(f"\n{text}\n", style="bold"))

    def say(self, topic: str, text: str, style: str = "cyan") -> None:
        """Tell one step, under a topic of a word."""
        self.console.print(Text(f"{topic:>10}  ", style=style), Text(text), sep="")

    def warn(self, topic: str, text: str) -> None:
        """Tell something to look at."""
        self.say(topic, text, style="bold yellow")

    def log(self, name: str, event: Any) -> None:
        """Write an event of a job as a line of JSON, in the shape of Oban's log."""
        if not self._quiet and (self._stops or name != "oban.job.stop"):
            self.console.print(self._json(Text(encode_event(name, event))))

    def bars(self, jobs: int) -> Bars:
        """Return the progress bars, to be used in a `with`."""
        return Bars(self.console, jobs)

    def table(self, tally: Tally) -> None:
        """Show the batch's jobs by queue and state."""
        states = tally.states
        table = Table("queue", title="Jobs by state", title_justify="left", title_style="bold")
        for state in states:
            table.add_column(state, justify="right", style="green" if state == "completed" else "yellow")
        for queue in _QUEUES:
            table.add_row(queue, *(str(tally.counts.get((queue, state), 0)) for state in states))
        self.console.print()
        self.console.print(table)


class Bars:
    """A bar for each of the two queues."""

    def __init__(self, console: Console, jobs: int) -> None:
        self._console, self._jobs = console, jobs
        self._progress = Progress(
            TextColumn("{task.description:>16}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {
            queue: self._progress.add_task(label, total=jobs, rate="") for queue, label in _QUEUES.items()
        }
        self._told = dict.fromkeys(_QUEUES, 0)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, queue: str, done: int) -> None:
        """Move a queue's bar to `done` jobs."""
        if self._console.is_terminal:
            speed = self._progress.tasks[self._tasks[queue]].speed
            self._progress.update(self._tasks[queue], completed=done, rate=f"{speed:.0f}/s" if speed else "")
        elif (step := done * _PLAIN_STEPS // self._jobs) > self._told[queue]:
            self._told[queue] = step
            self._console.print(f"{_QUEUES[queue]}: {done} of {self._jobs}")
