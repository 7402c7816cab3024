"""The census: how the queues of all Python nodes stand now, asked and answered over PubSub.

Nothing of it is kept anywhere. Who doesn't answer doesn't listen either, so pausing and scaling don't reach it; Oban's
own nodes don't know the channel.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bridge.pubsub import Notifier, channels
from bridge.queues.manager import QueueManager

if TYPE_CHECKING:
    from bridge.queues.info import QueueInfo


#: Characters of a reason that other nodes are told.
_TOLD: Final = 300


@dataclass(frozen=True, slots=True)
class QueueState:
    """How a queue stands on a Python node.

    Attributes:
        uuid: The producer's.
        name: The instance.
        node: The node.
        queue: The queue's name.
        limit: How many jobs may run there at once.
        paused: Whether it fetches none.
        running: How many jobs run.
        stopping: Whether it was told to stop and waits for its jobs.
        stalled: Why it fetches nothing though it is not paused; empty where nothing is in its way.
    """

    uuid: str
    name: str
    node: str
    queue: str
    limit: int
    paused: bool
    running: int
    stopping: bool
    stalled: str = ""

    @classmethod
    def of(cls, info: QueueInfo) -> QueueState:
        """Return what other nodes are told of a queue here."""
        stopping = info.shutdown_started_at is not None
        running, stalled = len(info.running), info.stalled[:_TOLD]
        return cls(info.uuid, info.name, info.node, info.queue, info.limit, info.paused, running, stopping, stalled)

    def to_payload(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {field: getattr(self, field) for field in self.__slots__}

    @classmethod
    def parse(cls, payload: Any) -> QueueState | None:
        """Return what a node has answered; None for anything else, because anybody may write to the channel."""
        if not isinstance(payload, Mapping):
            return None
        # Nodes of earlier versions don't tell of the last one.
        values = [payload.get(field) for field in cls.__slots__[:-1]] + [payload.get(cls.__slots__[-1], "")]
        kinds = (str, str, str, str, int, bool, int, bool, str)
        right = all(type(value) is kind for value, kind in zip(values, kinds, strict=True))
        return cls(*values) if right else None  # type: ignore[arg-type]  # each was checked


class Respondent:
    """Answers for the queues of this node."""

    def __init__(self, queues: QueueManager, notifier: Notifier) -> None:
        self._queues = queues
        self._notifier = notifier

    async def hear(self, _channel: str, payload: Mapping[str, Any]) -> None:
        """Answer a question; what others answer is none of ours."""
        question = payload.get("question")
        # Those of nodes are printable; what is not, no answer could repeat.
        if isinstance(question, str) and question.isprintable():
            states = [QueueState.of(info).to_payload() for info in self._queues.check_all()]
            await self._notifier.notify(channels.CENSUS, {"answer": question[:64], "queues": states}, split="queues")


class Census:
    """Asks; made by `census`."""

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier
        self._question = ""
        self._answers: dict[str, QueueState] = {}
        self._news = asyncio.Event()

    async def ask(self, expected: Collection[str], timeout: float) -> list[QueueState]:
        """Return how the queues stand, by queue and node.

        Args:
            expected: The producers that are known to be alive; their answers are enough. Without any, whatever is
                answered until the timeout counts.
            timeout: Seconds to wait for them.
        """
        self._question, self._answers = uuid.uuid4().hex, {}
        await self._notifier.notify(channels.CENSUS, {"question": self._question})
        try:
            async with asyncio.timeout(timeout):
                while not expected or not self._answers.keys() >= {*expected}:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pass
        return sorted(self._answers.values(), key=lambda state: (state.queue, state.node, state.uuid))

    def hear(self, _channel: str, payload: Mapping[str, Any]) -> None:
        """Take down an answer to the last question."""
        if payload.get("answer") != self._question or not isinstance(payload.get("queues"), list):
            return
        for found in map(QueueState.parse, payload["queues"]):
            if found is not None:
                self._answers[found.uuid] = found
        self._news.set()


@asynccontextmanager
async def census(notifier: Notifier) -> AsyncIterator[Census]:
    """Listen for answers; the notifier is this block's own, is started here and stopped at the end.

    Raises:
        OSError, asyncpg.PostgresError, TimeoutError: It can't listen.
    """
    asking = Census(notifier)
    notifier.listen(channels.CENSUS, asking.hear)
    await notifier.start()
    try:
        yield asking
    finally:
        await notifier.stop()
