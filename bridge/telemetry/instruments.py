"""Instruments: what goes around the insertion and the run of jobs, such as tracing, which events alone can't do.

An instrument that raises is taken out and logged, and the job goes its way.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final

from msgspec import Struct

from bridge.errors import ValidationError
from bridge.telemetry.events import Instance

logger = logging.getLogger("bridge.telemetry")


class Insertion(Struct):
    """An insertion of jobs.

    Attributes:
        oban: The instance that inserts.
        job: The job, where it is one alone.
        jobs: What was inserted, once it is.
        carrier: What goes into the meta of each job, unless it has a key of that name.
    """

    oban: Instance
    job: Any = None
    jobs: Sequence[Any] = ()
    carrier: Mapping[str, str] | None = None


class Run(Struct):
    """A run of a job.

    Attributes:
        oban: The instance that runs it.
        job: The job.
        state: The row's next state, once the run is over; None hands the job back, because its queue stops.
        result: What `process` returned.
        error: Why it failed.
    """

    oban: Instance
    job: Any
    state: str | None = None
    result: Any = None
    error: BaseException | None = None


class Instrument(ABC):
    """The shape of an instrument. Both methods return a context manager, which need not do anything."""

    @abstractmethod
    def insertion(self, insertion: Insertion) -> AbstractContextManager[Any]:
        """Go around an insertion; a `carrier` is to be set when it is entered."""

    @abstractmethod
    def run(self, run: Run) -> AbstractContextManager[Any]:
        """Go around a run, in the task that runs the job: what is set in its context is seen by the worker."""


_instruments: Final[dict[str, Instrument]] = {}
_carrier: Final[ContextVar[Mapping[str, str] | None]] = ContextVar("bridge_carrier", default=None)


def install(instrument_id: str, instrument: Instrument) -> None:
    """Let an instrument go around every job of this process.

    Raises:
        ValidationError: The id is taken.
    """
    if instrument_id in _instruments:
        raise ValidationError("instrument_id", instrument_id, "an id that is not in use", "uninstall the other first")
    _instruments[instrument_id] = instrument


def uninstall(instrument_id: str) -> bool:
    """Take an instrument out; False where there is none of that id."""
    return _instruments.pop(instrument_id, None) is not None


def installed() -> bool:
    """Tell whether there is an instrument at all."""
    return bool(_instruments)


def carried() -> Mapping[str, str] | None:
    """Return what the insertion that is under way adds to each job's meta."""
    return _carrier.get()


@contextmanager
def inserting(insertion: Insertion) -> Iterator[Insertion]:
    """Go around an insertion with all instruments."""
    with ExitStack() as stack:
        for instrument_id, instrument in tuple(_instruments.items()):
            stack.enter_context(_Guard(instrument_id, instrument.insertion, insertion))
        token = _carrier.set(insertion.carrier)
        try:
            yield insertion
        finally:
            _carrier.reset(token)


@contextmanager
def running(run: Run) -> Iterator[Run]:
    """Go around a run with all instruments."""
    with ExitStack() as stack:
        for instrument_id, instrument in tuple(_instruments.items()):
            stack.enter_context(_Guard(instrument_id, instrument.run, run))
        yield run


class _Guard:
    """A context manager of an instrument's, which breaks nothing."""

    def __init__(self, instrument_id: str, enter: Any, subject: Any) -> None:
        self._id = instrument_id
        self._enter = enter
        self._subject = subject
        self._held: AbstractContextManager[Any] | None = None

    def __enter__(self) -> None:
        try:
            held = self._enter(self._subject)
            held.__enter__()
            self._held = held
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as raised:
            self._give_up(raised)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._held is None:
            return
        try:
            self._held.__exit__(kind, error, trace)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as raised:
            self._give_up(raised)

    def _give_up(self, error: BaseException) -> None:
        uninstall(self._id)
        logger.error("the telemetry instrument %r raised and was taken out", self._id, exc_info=error)
