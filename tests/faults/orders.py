"""The book of the load: what was asked for, what was confirmed, and what was done to jobs from outside."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from bridge import Worker


@dataclass(slots=True)
class Deed:
    """Something that was done to a job from outside while it waited, ran, or was over.

    Attributes:
        what: "cancel" or "retry".
        asked: When it was asked for, by `time.monotonic()`.
        answered: When the answer came; None where none did, so that it may have been done or not.
        done: What the answer was.
    """

    what: str
    asked: float
    answered: float | None = None
    done: bool | None = None


class Wanted(NamedTuple):
    """What the row of an order must hold, but for what executions add."""

    worker: str
    queue: str
    args: Mapping[str, Any]
    meta: Mapping[str, Any]
    tags: tuple[str, ...]
    priority: int
    max_attempts: int


_NOTHING: Final[Mapping[str, Any]] = {}


class Orders:
    """What the client asked for: each job has a number, in its args as `n`, and the id that was confirmed for it.

    An order without an id is in doubt: the client saw an error, so the job may be there or not, but never twice.
    It takes ten bytes an order, and more only where args or options were given.
    """

    def __init__(self) -> None:
        self._ids = array("Q")
        self._workers = array("H")  # places in `_classes`
        self._classes: list[type[Worker]] = []
        self._places: dict[type[Worker], int] = {}
        self._args: dict[int, Mapping[str, Any]] = {}
        self._options: dict[int, Mapping[str, Any]] = {}
        #: The first number of each insert whose answer was an error, and its jobs' count: all are there, or none is.
        self.doubts: list[tuple[int, int]] = []
        #: What was done to jobs from outside, by their numbers.
        self.deeds: dict[int, list[Deed]] = {}
        #: Answers that can't be.
        self.wrong: list[str] = []

    def __len__(self) -> int:
        return len(self._ids)

    def add(
        self, worker: type[Worker], args: Mapping[str, Any] | None = None, options: Mapping[str, Any] | None = None
    ) -> int:
        """Return the number of a new order, in doubt yet; args without the number, and options of the insert."""
        number = len(self._ids)
        self._ids.append(0)
        self._workers.append(self._place(worker))
        if args:
            self._args[number] = args
        if options:
            self._options[number] = options
        return number

    def _place(self, worker: type[Worker]) -> int:
        if worker not in self._places:
            self._places[worker] = len(self._classes)
            self._classes.append(worker)
        return self._places[worker]

    def confirm(self, number: int, job: int) -> None:
        """Note that a job was inserted for an order."""
        self._ids[number] = job

    def id_of(self, number: int) -> int:
        """Return the id of an order's job, 0 where it is in doubt."""
        return self._ids[number]

    def worker_of(self, number: int) -> type[Worker]:
        """Return the worker of an order."""
        return self._classes[self._workers[number]]

    def is_bare(self, number: int) -> bool:
        """Return whether an order has no args but its number, and no options but its worker's."""
        return number not in self._args and number not in self._options

    def granted(self, number: int) -> int:
        """Return the attempts that an order's job was given."""
        declared = self.worker_of(number).options.max_attempts
        given: int = self._options.get(number, _NOTHING).get("max_attempts", declared)
        return given

    def wanted(self, number: int) -> Wanted:
        """Return what an order's row must hold."""
        options, own = self._options.get(number, _NOTHING), self.worker_of(number).options
        return Wanted(
            own.name,
            options.get("queue", own.queue),
            {**self._args.get(number, _NOTHING), "n": number},
            {**own.meta, **options.get("meta", _NOTHING)},
            normal(options.get("tags", own.tags)),
            options.get("priority", own.priority),
            self.granted(number),
        )

    def deed(self, number: int, deed: Deed) -> Deed:
        """Note what is about to be done to an order's job, and return it, to be completed with the answer."""
        self.deeds.setdefault(number, []).append(deed)
        return deed

    @property
    def confirmed(self) -> int:
        """How many were confirmed."""
        return len(self._ids) - self._ids.count(0)


def normal(tags: Iterable[str]) -> tuple[str, ...]:
    """Return tags as rows have them: trimmed, in lower case, each once, and none that is empty."""
    return tuple(dict.fromkeys(found for tag in tags if (found := tag.strip().lower())))
