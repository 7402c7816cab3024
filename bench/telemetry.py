"""What listening costs: the processor time of a drained job, with nobody attached and with each exporter.

Run it with `python bench/telemetry.py`. It starts a PostgreSQL of its own, inserts jobs that do nothing, and drains
them in one queue; a round of each kind in turn, several times, and the least of each counts.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sentry_sdk
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import CollectorRegistry

from bridge import Job, Oban, telemetry
from bridge.jobs import Registry, Worker
from bridge.jobs.options import build_options
from bridge.postgres import temporary_server
from bridge.telemetry import otel, sentry
from bridge.telemetry.log import attach_logger, detach_logger
from bridge.telemetry.prometheus import Metrics

LOGGER = logging.getLogger("bench")


class Nothing(Worker):
    """A worker that does nothing, so that all that is left is the runtime's."""

    async def process(self, job: Job[Any]) -> None:
        """Do nothing."""


Nothing.options = build_options("Nothing", {})


@contextmanager
def nobody() -> Iterator[None]:
    """Nobody listens."""
    yield


@contextmanager
def handler() -> Iterator[None]:
    """A handler that does nothing."""
    telemetry.attach("bench", "oban.job.*", lambda _name, _event: None)
    yield
    telemetry.detach("bench")


@contextmanager
def logger() -> Iterator[None]:
    """A JSON line for each start and each end."""
    attach_logger(logger=LOGGER)
    yield
    detach_logger()


@contextmanager
def metrics() -> Iterator[None]:
    """All metrics, and nobody who scrapes them."""
    found = Metrics(CollectorRegistry())
    yield
    found.close()


@contextmanager
def traces() -> Iterator[None]:
    """A span for each run, and nobody who exports it."""
    otel.instrument(TracerProvider())
    yield
    otel.uninstrument()


@contextmanager
def errors() -> Iterator[None]:
    """A scope for each run; nothing fails."""
    sentry_sdk.init()
    sentry.instrument()
    yield
    sentry.uninstrument()


KINDS = {
    "nobody": nobody,
    "a handler of oban.job.*": handler,
    "the logger, to /dev/null": logger,
    "Prometheus": metrics,
    "OpenTelemetry": traces,
    "Sentry": errors,
}


async def drain(oban: Oban, jobs: int) -> float:
    """Return the processor seconds of draining so many jobs."""
    await oban.pause_queue("default", local_only=True)
    for _ in range(jobs // 5_000):
        await oban.enqueue_many(Job("Nothing") for _ in range(5_000))
    await asyncio.sleep(0.2)  # for what the insertion left to do
    begun = time.process_time()
    await oban.resume_queue("default", local_only=True)
    while await oban.count_jobs(state=["available", "executing"]):  # noqa: ASYNC110 - an event would be a listener
        await asyncio.sleep(0.05)
    return time.process_time() - begun


async def run(dsn: str, jobs: int, rounds: int) -> dict[str, float]:
    """Return microseconds a job, by kind."""
    registry = Registry()
    registry.register(Nothing, ("Nothing",))
    best = dict.fromkeys(KINDS, float("inf"))
    async with Oban(dsn=dsn, queues={"default": 500}, registry=registry, pruner={"mode": "off"}) as oban:
        await drain(oban, 5_000)
        for _ in range(rounds):
            for kind, attached in KINDS.items():
                with attached():
                    best[kind] = min(best[kind], await drain(oban, jobs) / jobs * 1e6)
    return best


def main() -> None:
    """Print a line for each kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=20_000, help="a round, a multiple of 5,000")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with Path(os.devnull).open("w", encoding="utf-8") as sink:
        LOGGER.addHandler(logging.StreamHandler(sink))
        LOGGER.setLevel(logging.INFO)
        LOGGER.propagate = False
        with temporary_server(settings={"fsync": "off"}) as server:
            asyncio.run(_installed(server.url("postgres"), options.jobs, options.rounds))


async def _installed(dsn: str, jobs: int, rounds: int) -> None:
    await Oban(dsn=dsn).install()
    found = await run(dsn, jobs, rounds)
    for kind, cost in found.items():
        more = cost - found["nobody"]
        print(f"{kind:26}{cost:8.1f} µs a job{more:+8.1f} µs{cost / found['nobody']:7.2f} times")


if __name__ == "__main__":
    main()
