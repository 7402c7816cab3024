"""Traces with OpenTelemetry's own SDK: who is linked to whom, across the table and across languages."""

import asyncio
import time

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from bridge import Job
from bridge.errors import ValidationError
from bridge.telemetry import otel
from tests.queues.rig import ENDS, PATIENCE, events_of, insert_row, make_worker, row_of

# As an Elixir application with opentelemetry_oban writes it.
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ELIXIR = f'{{"traceparent": "00-{TRACE}-{SPAN}-01", "tracestate": "vendor=x"}}'


class Traces(SpanExporter):
    """Keeps the spans that ended."""

    def __init__(self):
        self._spans = []
        self._grown = asyncio.Event()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self))
        self.tracer = self.provider.get_tracer("tests")

    def export(self, spans):
        self._spans += spans
        self._grown.set()
        return SpanExportResult.SUCCESS

    def of(self, kind):
        return [span for span in self._spans if span.kind is kind]

    async def consumers(self, count):
        """Wait for so many runs."""
        async with asyncio.timeout(PATIENCE):
            while len(found := self.of(SpanKind.CONSUMER)) < count:
                self._grown.clear()
                await self._grown.wait()
        return found


@pytest.fixture
def traces():
    found = Traces()
    otel.instrument(found.provider)
    yield found
    otel.uninstrument()


async def nothing(job):
    return None


@pytest.fixture
def run(start, registry):
    """A function that runs one job and returns it as it came out of its run."""

    async def run_one(process=nothing, **options):
        oban = await start(queues={"badges": 5})
        with events_of(*ENDS) as ends:
            job = await oban.enqueue(make_worker(registry, process, "W").new(queue="badges", **options))
            return await ends.of(job)

    return run_one


# Insertions


async def test_an_insertion_is_a_producers_span(traces, start, conn):
    oban = await start(queues={}, name="Shop", node="web.1")
    with traces.tracer.start_as_current_span("request") as request:
        job = await oban.enqueue(Job("W", queue="badges", priority=2))

    [span] = traces.of(SpanKind.PRODUCER)
    assert span.name == "send badges"
    assert span.parent.span_id == request.get_span_context().span_id
    assert dict(span.attributes) == {
        "messaging.system": "oban",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": "badges",
        "messaging.client.id": "web.1",
        "messaging.message.id": str(job.id),
        "oban.name": "Shop",
        "oban.prefix": "public",
        "oban.job.job_id": job.id,
        "oban.job.worker": "W",
        "oban.job.queue": "badges",
        "oban.job.priority": 2,
        "oban.job.max_attempts": 20,
    }
    meta = (await row_of(conn, job))["meta"]
    assert set(meta) == {"traceparent"}
    # Not a bit more than Level 1 of W3C's recommendation has: Erlang's decoder takes 00 and 01 alone.
    assert meta["traceparent"] == f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-01"


async def test_many_jobs_are_one_span_whose_context_each_carries(traces, start, conn):
    oban = await start(queues={})
    jobs = await oban.enqueue_many([Job("W", queue="a"), Job("V", queue="b", meta={"mine": 1})])

    [span] = traces.of(SpanKind.PRODUCER)
    assert span.name == "send"
    assert span.attributes["messaging.batch.message_count"] == 2
    metas = [(await row_of(conn, job))["meta"] for job in jobs]
    assert [meta["traceparent"].split("-")[2] for meta in metas] == [f"{span.context.span_id:016x}"] * 2
    assert metas[1]["mine"] == 1


async def test_many_jobs_of_one_queue_and_worker_are_named_after_it(traces, start):
    oban = await start(queues={})
    await oban.enqueue_many(Job("W", queue="a") for _ in range(2))

    [span] = traces.of(SpanKind.PRODUCER)
    assert (span.name, span.attributes["oban.job.worker"]) == ("send a", "W")


async def test_an_insertion_that_is_refused_is_a_failed_span(traces, start):
    oban = await start(queues={})
    job = Job("W")
    job.queue = 5
    with pytest.raises(ValidationError):
        await oban.enqueue(job)

    [span] = traces.of(SpanKind.PRODUCER)
    assert span.status.status_code is StatusCode.ERROR
    assert [event.name for event in span.events] == ["exception"]
    assert otel.uninstrument(), "tracing goes on"


async def test_a_trace_that_the_application_put_there_itself_stays(traces, start, conn):
    oban = await start(queues={})
    job = await oban.enqueue(Job("W", meta={"traceparent": "mine"}))

    assert (await row_of(conn, job))["meta"] == {"traceparent": "mine"}


async def test_baggage_goes_along_only_where_it_is_asked_for(traces, start, conn):
    oban = await start(queues={})
    token = context.attach(baggage.set_baggage("tenant", "acme"))
    try:
        without = await oban.enqueue(Job("W"))
        otel.uninstrument()
        both = CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()])
        otel.instrument(traces.provider, propagator=both)
        with_it = await oban.enqueue(Job("W"))
    finally:
        context.detach(token)

    assert set((await row_of(conn, without))["meta"]) == {"traceparent"}
    assert (await row_of(conn, with_it))["meta"]["baggage"] == "tenant=acme"


async def test_a_trace_that_is_not_sampled_says_so(start, conn):
    otel.instrument(TracerProvider(sampler=ALWAYS_OFF))
    oban = await start(queues={})
    job = await oban.enqueue(Job("W"))

    assert (await row_of(conn, job))["meta"]["traceparent"].endswith("-00")
    assert otel.uninstrument()


async def test_without_a_tracer_nothing_goes_along(start, conn):
    otel.instrument(trace.NoOpTracerProvider())
    oban = await start(queues={})
    job = await oban.enqueue(Job("W"))

    assert (await row_of(conn, job))["meta"] == {}
    assert otel.uninstrument()


# Runs


async def test_a_run_is_a_consumers_span_linked_to_the_insertion(traces, run):
    event = await run()

    [producer], [consumer] = traces.of(SpanKind.PRODUCER), await traces.consumers(1)
    assert consumer.name == "process badges"
    assert consumer.parent is None
    assert consumer.context.trace_id != producer.context.trace_id
    [link] = consumer.links
    assert (link.context.trace_id, link.context.span_id) == (producer.context.trace_id, producer.context.span_id)
    found = dict(consumer.attributes)
    job = event.job
    for name in ("inserted_at", "scheduled_at", "attempted_at"):
        assert found.pop(f"oban.job.{name}") == getattr(job, name).isoformat()
    found.pop("messaging.client.id")
    assert found == {
        "messaging.system": "oban",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "badges",
        "messaging.message.id": str(job.id),
        "oban.name": "Oban",
        "oban.prefix": "public",
        "oban.job.job_id": job.id,
        "oban.job.worker": "W",
        "oban.job.queue": "badges",
        "oban.job.priority": 0,
        "oban.job.attempt": 1,
        "oban.job.max_attempts": 20,
        "oban.job.state": "completed",
    }
    assert consumer.status.status_code is StatusCode.UNSET


async def test_a_run_may_be_a_child_of_the_insertion(traces, run):
    otel.uninstrument()
    otel.instrument(traces.provider, relationship="child")
    await run()

    [producer], [consumer] = traces.of(SpanKind.PRODUCER), await traces.consumers(1)
    assert consumer.parent.span_id == producer.context.span_id
    assert consumer.context.trace_id == producer.context.trace_id
    assert consumer.links == ()


async def test_a_run_may_have_nothing_of_the_insertion(traces, run):
    otel.uninstrument()
    otel.instrument(traces.provider, relationship="none")
    await run()

    [consumer] = await traces.consumers(1)
    assert (consumer.parent, consumer.links) == (None, ())


def test_an_unknown_relationship():
    with pytest.raises(ValidationError, match="one of link, child, none"):
        otel.instrument(relationship="sibling")


def test_tracing_twice(traces):
    with pytest.raises(ValidationError, match="in use"):
        otel.instrument(traces.provider)


@pytest.mark.parametrize("threaded", [False, True], ids=["on the event loop", "in a thread"])
async def test_what_a_worker_traces_is_within_its_run(traces, run, threaded):
    def work(job):
        with traces.tracer.start_as_current_span("inner"):
            time.sleep(0.02)

    async def work_async(job):
        work(job)

    await run(work if threaded else work_async)

    [consumer], [inner] = await traces.consumers(1), traces.of(SpanKind.INTERNAL)
    assert inner.parent.span_id == consumer.context.span_id
    assert consumer.end_time - consumer.start_time >= 20_000_000


async def test_a_run_is_no_part_of_what_was_traced_when_the_instance_started(traces, run):
    with traces.tracer.start_as_current_span("start"):
        await run()

    [consumer] = await traces.consumers(1)
    assert consumer.parent is None


async def test_a_job_that_a_job_enqueues_is_traced_to_it(traces, start, registry):
    async def follow(job):
        if job.args.get("again"):
            await oban.enqueue(cls.new({}, queue="badges"))

    cls = make_worker(registry, follow, "W")
    oban = await start(queues={"badges": 2})
    with events_of(*ENDS) as ends:
        await oban.enqueue(cls.new({"again": True}, queue="badges"))
        await ends.first(2)

    first, second = await traces.consumers(2)
    producers = {span.context.span_id: span for span in traces.of(SpanKind.PRODUCER)}
    origin = max((first, second), key=lambda span: span.start_time).links[0].context.span_id
    assert producers[origin].parent.span_id == min((first, second), key=lambda span: span.start_time).context.span_id


async def test_a_failed_run_is_a_failed_span_with_the_exception(traces, run):
    async def work(job):
        raise ValueError("no")

    await run(work)

    [consumer] = await traces.consumers(1)
    assert consumer.status.status_code is StatusCode.ERROR
    assert consumer.status.description == "ValueError: no"
    assert consumer.attributes["error.type"] == "ValueError"
    assert consumer.attributes["oban.job.state"] == "retryable"
    [event] = consumer.events
    assert event.attributes["exception.message"] == "no"
    assert "raise ValueError" in event.attributes["exception.stacktrace"]


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no text")


async def test_an_exception_without_a_text_fails_its_span_and_tracing_goes_on(traces, run):
    async def work(job):
        raise Mute

    await run(work)

    [consumer] = await traces.consumers(1)
    assert consumer.status.status_code is StatusCode.ERROR
    assert otel.uninstrument()


async def test_a_job_that_is_handed_back_ends_its_span(traces, start, registry):
    begun = asyncio.Event()

    async def work(job):
        begun.set()
        await asyncio.Event().wait()

    oban = await start(queues={"badges": 1}, shutdown_grace_period=0)
    await oban.enqueue(make_worker(registry, work, "W").new(queue="badges"))
    async with asyncio.timeout(PATIENCE):
        await begun.wait()
    await oban.stop()

    [consumer] = await traces.consumers(1)
    assert consumer.attributes["oban.job.state"] == "available"
    assert consumer.status.status_code is StatusCode.UNSET


# The other language


async def test_a_trace_that_began_in_elixir_goes_on(traces, start, registry, conn):
    make_worker(registry, nothing, "W")
    await start(queues={"badges": 1})
    await insert_row(conn, worker="W", queue="badges", meta=ELIXIR)

    [consumer] = await traces.consumers(1)
    [link] = consumer.links
    assert (f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}") == (TRACE, SPAN)
    assert link.context.is_remote
    assert link.context.trace_state == {"vendor": "x"}


JUNK = ["{}", '{"traceparent": 5}', '{"traceparent": "junk", "tracestate": null}', '{"traceparent": ["a"]}', "[]", None]


@pytest.mark.parametrize("meta", JUNK)
async def test_junk_where_a_trace_should_stand_is_no_origin(traces, start, registry, conn, meta):
    make_worker(registry, nothing, "W")
    await start(queues={"badges": 1})
    await insert_row(conn, worker="W", queue="badges", **({} if meta is None else {"meta": meta}))

    [consumer] = await traces.consumers(1)
    assert consumer.links == ()
    assert otel.uninstrument(), "tracing goes on"
