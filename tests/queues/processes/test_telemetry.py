"""Instruments, durations and what handlers change, of jobs that run in other processes."""

import asyncio
import os
import signal

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from bridge import telemetry
from bridge.telemetry import instruments, otel
from queues.rig import events_of

from . import instrumented
from .conftest import ready


@pytest.fixture
def around():
    instrumented.install()
    yield
    instruments.uninstall("around")


async def test_instruments_go_around_here_where_there_are_none_there(begin, app, ended, around, said):
    oban = await begin()
    job = await oban.enqueue(app.Where.new())
    await ended(job)
    assert (await said.of(f"around {job.id}")).getMessage().endswith(f"in {os.getpid()}: completed")


async def test_instruments_of_the_processes_go_around_there_and_there_alone(
    begin, app, ended, around, said, monkeypatch
):
    monkeypatch.setenv("BRIDGE_TESTS_CHILD", "yes")
    oban = await begin(processes={"count": 2, "imports": ["queues.processes.instrumented"]})
    job = await oban.enqueue(app.Where.new())
    await ended(job)
    pid = await oban.fetch_result(job)
    assert (await said.of(f"around {job.id}")).getMessage().endswith(f"in {pid}: completed")
    await asyncio.sleep(0)
    assert sum(text.startswith("around") for text in said.texts()) == 1


async def test_a_module_that_sets_up_a_log_of_its_own_does_not_take_ours(begin, app, ended, said, monkeypatch):
    monkeypatch.setenv("BRIDGE_TESTS_CHILD", "yes")
    oban = await begin(processes={"count": 2, "imports": ["queues.processes.instrumented"]})
    await ended(await oban.enqueue(app.Talk.new()))
    assert (await said.of("hello there")).levelname == "INFO"


async def test_spans_of_this_process_tell_what_jobs_came_to(begin, app, ends):
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    otel.instrument(provider)
    try:
        oban = await begin()
        for job in (app.Where.new(), app.Fail.new({"how": "own"})):
            await ends.of(await oban.enqueue(job))
    finally:
        otel.uninstrument()
    runs = [span for span in exporter.get_finished_spans() if span.kind.name == "CONSUMER"]
    assert [span.status.status_code.name for span in runs] == ["UNSET", "ERROR"]
    assert "TooHeavy" in str(runs[1].events[0].attributes)


async def test_the_duration_is_that_of_the_run_and_not_of_the_way(begin, app, ends):
    oban = await begin(queues={"default": 2})
    [victim, _] = ready(oban)
    os.kill(victim.pid, signal.SIGSTOP)  # what it gets lies there
    jobs = await oban.enqueue_many(app.Where.new() for _ in range(2))
    await ends.first(1)
    await asyncio.sleep(4)  # what the way takes more than a run may, also on a busy machine
    os.kill(victim.pid, signal.SIGCONT)
    events = [await ends.of(job) for job in jobs]
    assert all(0 < event.duration < 4e9 for event in events)


async def test_what_a_handler_of_the_start_changes_is_what_runs(begin, app, ended):
    def change(_name, event):
        event.job.args = {"changed": True}

    telemetry.attach("change", "oban.job.start", change)
    try:
        oban = await begin()
        job = await oban.enqueue(app.Echo.new({"changed": False}))
        await ended(job)
    finally:
        telemetry.detach("change")
    assert await oban.fetch_result(job) == {"changed": True}


async def test_each_job_starts_and_stops_once_though_it_changes_its_process(begin, app, ended):
    with events_of("oban.job.start") as starts, events_of("oban.job.stop") as stops:
        oban = await begin()
        [victim, _] = ready(oban)
        os.kill(victim.pid, signal.SIGSTOP)
        jobs = await oban.enqueue_many(app.Where.new() for _ in range(4))
        await starts.first(4)
        os.kill(victim.pid, signal.SIGKILL)
        await ended(*jobs)
        await stops.first(4)
    assert sorted(event.job.id for _, event in starts) == sorted(event.job.id for _, event in stops)
