"""One run of the demo: a batch of badges through the table, and back."""

from __future__ import annotations

import asyncio
import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge import Job, Oban
from bridge.errors import BridgeError
from bridge.telemetry import attach, detach

from . import workers
from .attendees import badges
from .contracts import GenerateBadge
from .render import choose
from .screen import Bars, Screen
from .tally import Tally

# Seconds between two counts in the table, for what other nodes do; our own jobs are heard of at once.
_INTERVAL = 0.25


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line said.

    Attributes:
        jobs: How many badges.
        out: The folder for the PDFs.
        limit: How many jobs of a queue run at once.
        patience: Seconds without any movement after which to give up, since nobody takes what is left.
        dsn: The database, or None for `DATABASE_URL` or the embedded server.
        render: Whether PDFs are made.
        quiet: Whether the job log is left out.
        log: Whether all of it is shown in a terminal too, where what failed is shown else.
    """

    jobs: int
    out: Path
    limit: int
    patience: int
    dsn: str | None = None
    render: bool = True
    quiet: bool = False
    log: bool = False


async def run(options: Options) -> bool:
    """Run the demo; return whether every job completed."""
    screen = Screen(quiet=options.quiet, log=options.log)
    screen.title("Badge Forge: Elixir enqueues, Python renders, Elixir prints")
    dsn = _server(options, screen)
    workers.settings.folder, workers.settings.render = options.out, options.render
    if options.render:
        _ready(options.out, screen)
    batch = uuid.uuid4().hex[:12]
    queues = await _prepare(dsn, batch, options, screen)
    tally = Tally(batch, options.jobs)
    try:
        await _work(dsn, queues, tally, screen, options)
    except asyncio.CancelledError:
        async with Oban(dsn=dsn) as oban:
            await tally.refresh(oban)  # some jobs ended while the node stopped
        raise
    finally:
        _report(tally, options, screen)
    return tally.succeeded


def _server(options: Options, screen: Screen) -> str:
    if options.dsn:
        screen.say("server", "the one of --dsn")
        return options.dsn
    if dsn := os.environ.get("DATABASE_URL"):
        screen.say("server", "the one of DATABASE_URL")
        return dsn
    return _embedded(screen)


def _embedded(screen: Screen) -> str:
    from bridge.postgres import Server  # noqa: PLC0415 - a run with a DSN needs none, and Windows has none

    server = Server()
    status = server.start()
    screen.say("server", f"PostgreSQL {status.version}, embedded; it stays until `bridge db stop`: {server.data_dir}")
    return server.url()


def _ready(folder: Path, screen: Screen) -> None:
    """Load the renderer and try the folder, because a job that can't write would be tried again for days."""
    choice = choose()
    screen.say("renderer", f"{choice.renderer.name} writes PDFs to {folder}")
    if choice.note:
        screen.warn("note", choice.note)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass


async def _prepare(dsn: str, batch: str, options: Options, screen: Screen) -> dict[str, int]:
    """Install the schema, enqueue the badges and find out who prints; return the queues that Python runs."""
    client = Oban(dsn=dsn)
    installed = await client.install()
    screen.say("schema", "Oban's tables are installed now" if installed else "Oban's tables are there already")
    async with client as oban:
        node = await _elixir_node(oban)
        if node and not options.render:
            mend = "stop that node, or leave out --no-render"
            raise BridgeError(f"the Elixir node {node} would print PDFs that --no-render does not make; {mend}")
        if left := sum((await oban.count_jobs("queue", queue=["badges", "printing"], state="available")).values()):
            screen.say("earlier", f"{left} jobs of earlier runs wait in the table, and are done too")
        jobs = await oban.enqueue_many(_badge_jobs(options.jobs, batch))
        screen.say("enqueue", f"{len(jobs)} of {jobs[0].worker} on queue badges, batch {batch}")
    if node:
        screen.say("printing", f"the Elixir node {node} prints: it takes BadgeForge.PrintCenter's jobs", "magenta")
        return {"badges": options.limit}
    # Importing it makes this node take the print centre's jobs.
    from . import print_center  # noqa: F401, PLC0415

    screen.say("printing", "no Elixir node is here: a Python worker named BadgeForge.PrintCenter takes over", "magenta")
    return {"badges": options.limit, "printing": options.limit}


def _badge_jobs(count: int, batch: str) -> Iterator[Job[GenerateBadge]]:
    """Build what Elixir's `Oban.insert_all` would insert.

    In Elixir: `BadgeForge.Contracts.GenerateBadge.new(%{id: 1, name: "Ada"}, meta: %{batch: batch})`. Worker, queue and
    the number of attempts are the contract's, so neither side repeats them.
    """
    for badge in badges(count):
        yield badge.new(meta={"batch": batch})


async def _elixir_node(oban: Oban) -> str | None:
    """Return the node that leads the Elixir nodes; names of Python's leases end in `@python`."""
    return next((str(peer.node) for peer in await oban.peers() if not peer.name.endswith("@python")), None)


async def _work(dsn: str, queues: dict[str, int], tally: Tally, screen: Screen, options: Options) -> None:
    with screen.bars(options.jobs) as bars, _listening(tally, screen, bars):
        async with Oban(dsn=dsn, queues=queues) as oban:
            while not tally.ended and tally.idle < options.patience:
                await tally.news(max(_INTERVAL, 5 * tally.cost))
                await tally.refresh(oban)
                for queue in ("badges", "printing"):
                    bars.show(queue, tally.completed(queue))


@contextmanager
def _listening(tally: Tally, screen: Screen, bars: Bars) -> Iterator[None]:
    def handle(name: str, event: Any) -> None:
        screen.log(name, event)
        if queue := tally.hear(event):
            bars.show(queue, tally.completed(queue))

    attach("python_demo", ["oban.job.stop", "oban.job.exception"], handle)
    try:
        yield
    finally:
        detach("python_demo")


def _report(tally: Tally, options: Options, screen: Screen) -> None:
    screen.table(tally)
    completed = tally.completed("badges") + tally.completed("printing")
    screen.say("speed", f"{completed / tally.elapsed:.1f} jobs/s: {completed} jobs in {tally.elapsed:.2f} s")
    if options.render:
        screen.say("PDFs", f"{tally.completed('badges')} in {options.out.resolve()}")
    if tally.waiting:
        screen.warn("not done", f"{tally.waiting}, which stay in the table for a node that knows their workers")
