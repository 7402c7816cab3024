"""A callback on a channel."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from bridge.pubsub.mailbox import Mailbox

Callback: TypeAlias = Callable[[str, dict[str, Any]], object]
"""Called with the channel's short name and the message. May be async; what it returns is ignored."""


@dataclass(frozen=True, slots=True, eq=False)
class Subscription:
    """What `Notifier.listen` returns.

    Attributes:
        channel: The channel's short name.
        callback: What is called with each message.
        mailbox: The messages on their way to it.
    """

    channel: str
    callback: Callback
    mailbox: Mailbox = field(repr=False)
    _ready: Callable[[], Awaitable[None]] = field(repr=False)
    _cancel: Callable[[str, Callback], None] = field(repr=False)

    async def ready(self) -> None:
        """Wait until the channel is being listened to: what is sent after this arrives.

        Waits as long as there is no connection.
        """
        await self._ready()

    def cancel(self) -> None:
        """End it, like `Notifier.unlisten`."""
        self._cancel(self.channel, self.callback)
