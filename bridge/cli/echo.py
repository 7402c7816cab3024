"""Whether a command hears messages on its connection: it sends itself one."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any, Final

from bridge.pubsub import Notifier

#: What is told where it hears none.
DEAF: Final = (
    "this command can't hear answers on this connection (is there a pooler?): name one straight to the server by "
    "BRIDGE_NOTIFIER_DSN, or by dsn under [notifier] in bridge.toml"
)

#: The channel, which is Bridge's own: nobody else listens there.
_CHANNEL: Final = "echo"
#: Seconds in which a message comes back.
_BACK: Final = 3.0


async def hears_itself(notifier: Notifier) -> bool:
    """Tell whether a message to itself comes back; the notifier is this call's own, is started and stopped here."""
    token, back = uuid.uuid4().hex, asyncio.Event()

    def hear(_channel: str, payload: Mapping[str, Any]) -> None:
        if payload.get("token") == token:
            back.set()

    notifier.listen(_CHANNEL, hear)
    await notifier.start()
    try:
        async with asyncio.timeout(_BACK):
            await notifier.notify(_CHANNEL, {"token": token})
            await back.wait()
    except TimeoutError:
        return False
    finally:
        await notifier.stop()
    return True
