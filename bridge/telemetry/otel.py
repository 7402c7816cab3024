"""Traces by OpenTelemetry: a span for each insertion and each run, linked by what goes along in the job's meta.

The meta keys are `traceparent` and `tracestate`, as W3C's Trace Context has them. They stand in `meta` itself, where
the Elixir library opentelemetry_oban writes and reads them, so a trace goes on in the other language. Attributes are
those of the semantic conventions for messaging, and that library's own `oban.job.…`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Literal, get_args

from bridge.errors import ValidationError, message_of
from bridge.telemetry import instruments
from bridge.telemetry.events import Instance
from bridge.telemetry.instruments import Insertion, Instrument, Run

try:
    from opentelemetry import context as contexts
    from opentelemetry import trace
    from opentelemetry.context import Context
    from opentelemetry.propagators.textmap import TextMapPropagator
    from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, Tracer, TracerProvider
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ImportError as missing:
    raise ImportError("traces need OpenTelemetry's API: pip install 'oban-bridge[otel]'") from missing

Relationship = Literal["link", "child", "none"]

_ID: Final = "bridge-otel"


def instrument(
    tracer_provider: TracerProvider | None = None,
    *,
    relationship: Relationship = "link",
    propagator: TextMapPropagator | None = None,
) -> None:
    """Trace every insertion and every run of jobs in this process.

    Args:
        tracer_provider: Default the global one.
        relationship: What a run's span has of the insertion's: `"link"`, a trace of its own with a link to it;
            `"child"`, the same trace; `"none"`, nothing (as in opentelemetry_oban).
        propagator: What writes into meta, and reads; default W3C's Trace Context alone. OpenTelemetry's global one,
            `opentelemetry.propagate.get_global_textmap()`, may write baggage too, which then stands in the table.

    Raises:
        ValidationError: An unknown relationship, or jobs are traced already.
    """
    if relationship not in get_args(Relationship):
        raise ValidationError("relationship", relationship, f"one of {', '.join(get_args(Relationship))}")
    tracer = trace.get_tracer("bridge", tracer_provider=tracer_provider)
    instruments.install(_ID, _Tracing(tracer, relationship, propagator or TraceContextTextMapPropagator()))


def uninstrument() -> bool:
    """Trace no more; False where jobs were not traced."""
    return instruments.uninstall(_ID)


class _Tracing(Instrument):
    def __init__(self, tracer: Tracer, relationship: Relationship, propagator: TextMapPropagator) -> None:
        self._tracer = tracer
        self._relationship = relationship
        self._propagator = propagator

    @contextmanager
    def insertion(self, insertion: Insertion) -> Iterator[None]:
        """Trace an insertion, and let its context go along."""
        attributes = _operation("send", insertion.oban)
        with self._tracer.start_as_current_span("send", kind=SpanKind.PRODUCER, attributes=attributes) as span:
            carrier: dict[str, str] = {}
            self._propagator.inject(carrier)
            insertion.carrier = _readable_in_elixir(carrier)
            if insertion.job is not None:
                _describe(span, [insertion.job])
            yield
            _describe(span, insertion.jobs)
            if insertion.job is None:
                span.set_attribute("messaging.batch.message_count", len(insertion.jobs))
            else:
                _set(span, _inserted(insertion.jobs[0]))

    @contextmanager
    def run(self, run: Run) -> Iterator[None]:
        """Trace a run, in a context of its own: what was current when the instance started is not the job's."""
        origin = self._origin(run.job)
        links = [Link(found)] if self._relationship == "link" and (found := _span_context(origin)) else []
        token = contexts.attach(origin if self._relationship == "child" else Context())
        try:
            job = run.job
            attributes = _operation("process", run.oban) | _running(job)
            with self._tracer.start_as_current_span(
                f"process {job.queue}", kind=SpanKind.CONSUMER, attributes=attributes, links=links
            ) as span:
                yield
                _end(span, run)
        finally:
            contexts.detach(token)

    def _origin(self, job: Any) -> Context:
        try:
            meta: Mapping[str, Any] = job.meta
        except ValueError:  # a poison row's meta can't be read
            meta = {}
        texts = {key: value for key, value in meta.items() if isinstance(value, str)}
        return self._propagator.extract(texts, context=Context())


def _readable_in_elixir(carrier: dict[str, str]) -> dict[str, str]:
    """Leave only the flag "sampled" in a traceparent: OpenTelemetry for Erlang takes no origin from one with others."""
    version, _, rest = carrier.get("traceparent", "").partition("-")
    origin, _, flags = rest.rpartition("-")
    if version == "00" and origin:
        carrier["traceparent"] = f"00-{origin}-{int(flags, 16) & 1:02x}"
    return carrier


def _span_context(context: Context) -> trace.SpanContext | None:
    found = trace.get_current_span(context).get_span_context()
    return found if found.is_valid else None


def _operation(name: str, oban: Instance) -> dict[str, Any]:
    return {
        "messaging.system": "oban",
        "messaging.operation.name": name,
        "messaging.operation.type": name,
        "messaging.client.id": oban.node,
        "oban.name": oban.name,
        "oban.prefix": oban.prefix,
    }


def _describe(span: Span, jobs: Any) -> None:
    """Name an insertion's queue and worker, where all jobs have the same; what is no text will be refused."""
    if len(queues := {job.queue for job in jobs if isinstance(job.queue, str)}) == 1:
        queue = queues.pop()
        span.update_name(f"send {queue}")
        _set(span, {"messaging.destination.name": queue, "oban.job.queue": queue})
    if len(workers := {job.worker for job in jobs if isinstance(job.worker, str)}) == 1:
        span.set_attribute("oban.job.worker", workers.pop())


def _inserted(job: Any) -> dict[str, Any]:
    return {
        "messaging.message.id": str(job.id),
        "oban.job.job_id": job.id,
        "oban.job.priority": job.priority,
        "oban.job.max_attempts": job.max_attempts,
        "oban.job.conflict": getattr(job, "conflict", False) or None,
    }


def _running(job: Any) -> dict[str, Any]:
    times = {f"oban.job.{name}": getattr(job, name) for name in ("inserted_at", "scheduled_at", "attempted_at")}
    return {
        "messaging.message.id": str(job.id),
        "messaging.destination.name": job.queue,
        "oban.job.job_id": job.id,
        "oban.job.queue": job.queue,
        "oban.job.worker": job.worker,
        "oban.job.priority": job.priority,
        "oban.job.attempt": job.attempt,
        "oban.job.max_attempts": job.max_attempts,
        **{name: time.isoformat() for name, time in times.items() if time is not None},
    }


def _end(span: Span, run: Run) -> None:
    # A job that is handed back is available again.
    span.set_attribute("oban.job.state", run.state or "available")
    if run.error is not None:
        kind = f"{type(run.error).__module__}.{type(run.error).__qualname__}".removeprefix("builtins.")
        span.set_attribute("error.type", kind)
        span.set_status(Status(StatusCode.ERROR, f"{kind}: {message_of(run.error)}"))
        _attempt(span.record_exception, run.error)


def _attempt(record: Callable[[BaseException], None], error: BaseException) -> None:
    try:
        record(error)
    except Exception:  # its __str__ raises: the status tells what can be told
        return


def _set(span: Span, attributes: Mapping[str, Any]) -> None:
    span.set_attributes({name: value for name, value in attributes.items() if value is not None})
