"""Uses of generated classes: what type checkers must take, and each mistake that they must report.

A line with a mistake ends with `# error`, and no other line may be reported.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import assert_never, assert_type

from msgspec import UNSET, UnsetType

from bridge import Cancel, Job, Oban, Worker, worker

from .badge_file import BadgeFile
from .generate_badge import Attendee, Desk, GenerateBadge, Mail, Theme
from .print_center import PrintCenter

NOW = datetime.now(UTC)
ADA = Attendee(name="Ada")
BADGE = GenerateBadge(
    badge_id=1, attendee=ADA, theme=Theme.DARK, event_at=NOW, price=Decimal(1), delivery=Desk(number=3), sponsor=None
)
JOB: Job[GenerateBadge] = BADGE.new(schedule_in=60)


@worker(contract=GenerateBadge, on_invalid="quarantine")
class Forge:
    """A plain class."""

    async def process(self, job: Job[GenerateBadge]) -> BadgeFile | Cancel:
        """Take the contract's args and return its result."""
        assert_type(job.args.note, str | UnsetType)
        assert_type(job.args.printed_name, str | UnsetType | None)
        return BadgeFile(path=job.args.attendee.name, size=1)


@worker(contract=GenerateBadge)
class SyncForge(Worker):
    """A worker's subclass."""

    def process(self, job: Job[GenerateBadge]) -> BadgeFile:
        """Run in a thread."""
        return BadgeFile(path=str(job.args.badge_id), size=1)


async def fetch(oban: Oban, job: Job[GenerateBadge]) -> None:
    """Fetch results."""
    assert_type(await oban.fetch_result(job), BadgeFile)
    assert_type(await oban.enqueue(job), Job[GenerateBadge])
    assert_type(await job.args.enqueue(oban), Job[GenerateBadge])
    await oban.fetch_result(17)
    await oban.fetch_result(Job("W", args={"a": 1}))


def where(delivery: Mail | Desk, theme: Theme) -> str:
    """Tell all cases apart."""
    match delivery:
        case Mail(address=address):
            return address
        case Desk(number=number):
            return str(number)
        case _:
            assert_never(delivery)
    match theme:
        case Theme.LIGHT | Theme.DARK:
            return "known"
        case _:
            assert_never(theme)


# The mistakes.

BadgeFile(path=1, size=1)  # error
BadgeFile(path="a")  # error
BadgeFile(path="a", size=1, pages=2)  # error
BadgeFile("a", 1)  # error
GenerateBadge(
    badge_id=1,
    attendee=ADA,
    theme="dark",  # error
    event_at="2026-05-01T09:30:00Z",  # error
    price=1.5,  # error
    delivery=Desk(number=3),
    sponsor=UNSET,  # error
    note=None,  # error
)
PrintCenter(path="a", id=1)  # error
ADA.name = "Bob"  # error
LENGTH = len(BADGE.note)  # error
WRONG: Job[GenerateBadge] = PrintCenter(path="a").new()  # error
NAME: str = GenerateBadge.cast({}).badge_id  # error


async def fetch_wrong(oban: Oban, job: Job[GenerateBadge]) -> str:
    """Take a result for something else."""
    return await oban.fetch_result(job)  # error


def where_wrong(delivery: Mail | Desk) -> str:
    """Forget a case."""
    match delivery:
        case Mail(address=address):
            return address
        case _:
            assert_never(delivery)  # error


async def run_wrong(forge: SyncForge, job: Job[PrintCenter]) -> None:
    """Give a worker another contract's job."""
    forge.process(job)  # error


@worker(contract=GenerateBadge)  # error
class OtherResult:
    """A worker that returns something else."""

    async def process(self, job: Job[GenerateBadge]) -> str:
        """Return a path alone."""
        return job.args.attendee.name


@worker(contract=GenerateBadge)  # error
class OtherArgs:
    """A worker for other args."""

    async def process(self, job: Job[PrintCenter]) -> BadgeFile:
        """Take the printer's job."""
        return BadgeFile(path=job.args.path, size=1)
