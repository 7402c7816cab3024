"""Right and wrong uses of contracts; a type checker must complain about exactly the lines marked `# error`.

It is checked as a file beside the package `generated`, which the test builds from the contracts next to it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import assert_never, assert_type

from generated import BadgeFile, OrderBadge, PrintBadge
from generated.order_badge import Desk, Mail, Theme

from bridge import Cancel, Job, Oban, Worker, worker

MAIL = Mail(address="ada@example.org")

# Right

order = OrderBadge(badge_id=1, name="Ada", theme=Theme.LIGHT, delivery=MAIL, sponsor=None)
full = OrderBadge(
    badge_id=1,
    name="Ada",
    theme=Theme.DARK,
    delivery=Desk(number=3),
    sponsor="Analytical Engines",
    note="by hand",
    printed_name=None,
    printed_at=datetime(2026, 1, 1, tzinfo=UTC),
    date=date(2026, 1, 1),
    other_date=date(2026, 1, 2),
    labels=["speaker"],
)

# Building

OrderBadge(badge_id="1", name="Ada", theme=Theme.LIGHT, delivery=MAIL, sponsor=None)  # error: a wrong type
OrderBadge(badge_id=1, theme=Theme.LIGHT, delivery=MAIL, sponsor=None)  # error: a missing field
OrderBadge(badge_id=1, name="Ada", theme=Theme.LIGHT, delivery=MAIL, sponsor=None, size=2)  # error: an unknown field
OrderBadge(badge_id=1, name="Ada", theme="light", delivery=MAIL, sponsor=None)  # error: raw text for an enum
OrderBadge(badge_id=1, name=None, theme=Theme.LIGHT, delivery=MAIL, sponsor=None)  # error: null where none may be
OrderBadge(badge_id=1, name="Ada", theme=Theme.LIGHT, delivery=order, sponsor=None)  # error: no branch of the union
OrderBadge(id=1, name="Ada", theme=Theme.LIGHT, delivery=MAIL, sponsor=None)  # error: id for badge_id, enqueued
OrderBadge(1, "Ada", Theme.LIGHT, MAIL, None)  # error: fields without their names
Mail(kind="desk", address="ada@example.org")  # error: another branch's tag

order.name = "Bo"  # error: an object is frozen
MAIL.address = "bo@example.org"  # error: those inside are, too


# Reading


def read(found: OrderBadge) -> str:
    assert_type(found.badge_id, int)
    print(found.id)  # error: id for badge_id, read
    found.note.upper()  # error: it may be unset
    found.sponsor.upper()  # error: it may be null
    if found.sponsor is not None:
        found.sponsor.upper()
    found.labels.append(3)  # error: a list of text
    if isinstance(found.note, str):
        return found.note
    return found.badge_id  # error: no text


def all_ways(way: Mail | Desk) -> str:
    match way:
        case Mail():
            return way.address
        case Desk():
            return str(way.number)
        case _:
            assert_never(way)


def some_ways(way: Mail | Desk) -> str:
    match way:
        case Mail():
            return way.address
        case _:
            assert_never(way)  # error: desks are forgotten


def some_themes(theme: Theme) -> str:
    match theme:
        case Theme.LIGHT:
            return "white"
        case _:
            assert_never(theme)  # error: dark ones are forgotten


# Workers


@worker(contract=OrderBadge)
class Orders(Worker):
    """Right."""

    async def process(self, job: Job[OrderBadge]) -> BadgeFile | Cancel:
        assert_type(job.args, OrderBadge)
        if job.args.theme is Theme.DARK:
            return Cancel("no black paper")
        print(job.args.id)  # error: id for badge_id, in the worker
        print(job.args["badge_id"])  # error: args are an object
        return BadgeFile(path="badge.pdf", size=1)


class Results(Worker):
    """What comes back is held against the annotation."""

    async def process(self, job: Job[OrderBadge]) -> BadgeFile:
        if job.attempt > 1:
            return {"path": "badge.pdf", "size": 1}  # error: a dict for the result
        if job.attempt > 2:
            return PrintBadge(badge_id=1, path="badge.pdf")  # error: another class
        return BadgeFile(path="badge.pdf")  # error: a missing field of the result


# Enqueueing


async def enqueue(oban: Oban) -> None:
    job = await order.enqueue(oban)
    assert_type(job, Job[OrderBadge])
    assert_type(await oban.fetch_result(job), BadgeFile)
    assert_type(await oban.enqueue(full.new(priority=2)), Job[OrderBadge])
    found = await oban.fetch_result(job)
    print(found.size)
    print(found.length)  # error: no field of the result
    other = PrintBadge(badge_id=1, path="badge.pdf")
    await Orders().process(other.new())  # error: another contract's job
    read(other)  # error: another contract's args
    wrong: Job[OrderBadge] = await other.enqueue(oban)  # error: another contract's job
    print(wrong)
