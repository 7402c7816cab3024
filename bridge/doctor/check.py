"""The one shape of a check, and how each is run so that none stops the others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from bridge.doctor.finding import Finding, Level, Seen
from bridge.engine.diagnosis import Diagnosis, NoAnswerError, NotAllowedError

if TYPE_CHECKING:
    from bridge.engine.schema import Catalog

PATIENCE: Final = 1.5
"""Seconds between two looks at what may be moving."""

Open = Callable[[], AbstractAsyncContextManager[Any]]


@dataclass(slots=True)
class Patient:
    """What the checks look at.

    Attributes:
        ask: The questions to the database.
        catalog: What the schema has.
        workers: The names of the workers that are known here.
        open: Opens another connection of the same kind.
        listen: Opens a connection that listens, which may go another way.
        settings: Settings that are known here, such as `pruner.mode`.
        patience: Seconds between two looks at what may be moving.
    """

    ask: Diagnosis
    catalog: Catalog
    workers: frozenset[str]
    open: Open
    listen: Open
    settings: Mapping[str, Any] = field(default_factory=dict)
    patience: float = PATIENCE
    _answers: dict[str, Any] = field(default_factory=dict)

    async def once(self, question: Callable[[], Awaitable[Any]]) -> Any:
        """Return a question's answer, asked for once though several checks want it; no answer is one too.

        Raises:
            NoAnswerError: There was none, now or before.
        """
        name = getattr(question, "__name__", repr(question))
        if name not in self._answers:
            try:
                self._answers[name] = await question()
            except NoAnswerError as error:
                self._answers[name] = error
        answer = self._answers[name]
        if isinstance(answer, NoAnswerError):
            raise answer
        return answer


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at.

    Attributes:
        id: Its stable name.
        topic: What it is about.
        look: Looks, and says what it saw.
        needs_table: It asks for jobs, so it is left out where there is no table that Bridge knows.
    """

    id: str
    topic: str
    look: Callable[[Patient], Awaitable[Seen]]
    needs_table: bool = True

    async def run(self, patient: Patient) -> Finding:
        """Look, or say why that was not possible.

        Raises:
            NotAllowedError: The role may not look.
            OSError, asyncpg.PostgresError: The connection was lost.
        """
        try:
            seen = await self.look(patient)
        except NotAllowedError:
            raise
        except NoAnswerError as error:
            mend = "pass a longer --timeout" if "no answer within" in str(error) else "look again in a while"
            return Finding(self.id, self.topic, Level.WARNING, f"not looked at: {error}", mend, looked=False)
        return Finding(self.id, self.topic, seen.level, seen.text, seen.mend, seen.details, seen.figures)
