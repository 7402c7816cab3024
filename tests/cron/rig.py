"""A scheduler with a clock that tests set."""

import json
import logging
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from cluster.rig import engine_on

from bridge.cluster import Leader
from bridge.cron import Scheduler, load_crontab, parse_cron

EVERY = {"expression": "* * * * *", "worker": "W", "name": "every"}
HOURLY = {"expression": "@hourly", "worker": "W", "name": "hourly"}
BOOT = {"expression": "@reboot", "worker": "W", "name": "boot"}


class Clock:
    """Shows the time that it was set to."""

    def __init__(self, text="2026-03-01 12:00:30"):
        self.set(text)

    def set(self, text):
        self.now = datetime.fromisoformat(text).replace(tzinfo=UTC)

    def pass_(self, **delta):
        self.now += timedelta(**delta)

    def __call__(self):
        return self.now


@asynccontextmanager
async def node_on(dsn, registry, entries, *, clock, node="a", instance="Oban"):
    """A scheduler and the leader that it asks, of a node of its own; neither is started."""
    async with engine_on(dsn) as engine:
        leader = Leader(engine, instance=instance, node=node)
        lines = load_crontab(parse_cron(entries), registry, instance=instance)
        scheduler = Scheduler(engine, leader, lines, instance=instance, clock=clock)
        scheduler.leader = leader
        try:
            yield scheduler
        finally:
            await scheduler.stop()
            await leader.stop()


async def jobs_of(conn):
    """The names of the cron jobs in the table, in the order of their insertion."""
    rows = await conn.fetch("select meta->>'cron_name' as name from oban_jobs order by id")
    return [row["name"] for row in rows]


async def metas(conn):
    rows = await conn.fetch("select meta from oban_jobs order by id")
    return [json.loads(row["meta"]) for row in rows]


async def nothing(_job):
    return None


@pytest.fixture(autouse=True)
def a_worker(worker):
    return worker(nothing, name="W")


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
