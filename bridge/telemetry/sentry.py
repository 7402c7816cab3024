"""Failures of jobs as Sentry's events, by the recipe that Oban's guide to error reporting gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final

from bridge.errors import message_of
from bridge.telemetry import bus, events, instruments
from bridge.telemetry.instruments import Insertion, Instrument, Run

try:
    import sentry_sdk
    from sentry_sdk.integrations.logging import ignore_logger
    from sentry_sdk.utils import event_from_exception
except ImportError as missing:
    raise ImportError("error reports need Sentry's SDK: pip install 'oban-bridge[sentry]'") from missing

_ID: Final = "bridge-sentry"

_EXTRA: Final = ("args", "attempt", "id", "max_attempts", "meta", "queue", "tags", "worker")
#: Modules whose variables no event shows: a driver has the password in its own, as Bridge has args.
_VEILED: Final = ("bridge.", "asyncpg.", "psycopg.", "psycopg2.", "psycopg_pool.", "sqlalchemy.", "django.db.")
_SHOWN: Final = {"args": "shown_args", "meta": "shown_meta"}


def instrument(*, when: Callable[[events.JobException], bool] | None = None) -> None:
    """Report each run that fails, once its row is written; `sentry_sdk.init` is the application's to call.

    Runs have an isolation scope each, so breadcrumbs and tags that a worker sets are its own. What Bridge logs to the
    logger `oban` is not reported a second time.

    Args:
        when: Tells whether to report; default always. `lambda event: event.state == "discarded"` reports only what
            will not be tried again.

    Raises:
        ValidationError: It is instrumented already.
    """

    def hear(_name: str, event: events.JobException) -> None:
        if sentry_sdk.is_initialized() and (when is None or when(event)):
            _report(event)

    bus.attach(_ID, events.JOB_EXCEPTION, hear)
    instruments.install(_ID, _Scopes())
    ignore_logger("oban")


def uninstrument() -> bool:
    """Report no more; False where nothing was reported."""
    return any([bus.detach(_ID), instruments.uninstall(_ID)])


class _Scopes(Instrument):
    def insertion(self, insertion: Insertion) -> AbstractContextManager[None]:
        """Do nothing."""
        return nullcontext()

    @contextmanager
    def run(self, run: Run) -> Iterator[None]:
        """Give the run a scope of its own."""
        with sentry_sdk.isolation_scope() as scope:
            scope.clear_breadcrumbs()
            scope.set_transaction_name(run.job.worker, source="task")
            yield


def _report(event: events.JobException) -> None:
    job = event.job
    kind = type(event.error)
    with sentry_sdk.new_scope() as scope:
        # One group for each way in which a worker fails.
        scope.fingerprint = [kind.__qualname__, job.worker, message_of(event.error)]
        scope.set_tag("oban_worker", job.worker)
        scope.set_tag("oban_queue", job.queue)
        scope.set_tag("oban_state", event.state)
        for field in _EXTRA:
            scope.set_extra(field, _readable(job, _SHOWN.get(field, field)))
        found, hint = _described(event)
        sentry_sdk.capture_event(found, hint=hint)


def _described(event: events.JobException) -> tuple[Any, Any]:
    options = sentry_sdk.get_client().options
    mechanism = {"type": "oban", "handled": False}
    found, hint = event_from_exception(event.error, client_options=options, mechanism=mechanism)
    for part in found["exception"]["values"]:
        frames = part.get("stacktrace", {}).get("frames") or []
        if not frames and part is found["exception"]["values"][-1]:
            frames = [{"module": event.job.worker, "function": "process", "filename": event.job.worker, "in_app": True}]
            part["stacktrace"] = {"frames": frames}
        _veil(frames, everything=_holds_secrets(event.job))
    return found, hint


def _veil(frames: list[dict[str, Any]], *, everything: bool) -> None:
    """Take out the values of variables: in Bridge's own code they are args before anything in them is hidden."""
    for frame in frames:
        module = f"{frame.get('module') or ''}."
        if module.startswith("bridge."):
            frame["in_app"] = False
        if module.startswith(_VEILED) or everything:
            frame.pop("vars", None)


def _holds_secrets(job: Any) -> bool:
    # A value that its contract calls sensitive may stand in any variable of a worker.
    return bool(_readable(job, "shown_args") != _readable(job, "raw_args"))


def _readable(job: Any, field: str) -> Any:
    try:
        return getattr(job, field)
    except ValueError as error:  # a poison row's args or meta can't be decoded
        return f"<{error}>"
