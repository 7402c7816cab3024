"""Messages between nodes over PostgreSQL's LISTEN and NOTIFY."""

from __future__ import annotations

import asyncio
import copy
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bridge import telemetry
from bridge.errors import DecodeError, InvalidPayload, shorten
from bridge.pubsub import channels, contracts, envelope, signals
from bridge.pubsub.counters import Counters
from bridge.pubsub.listener import Listener
from bridge.pubsub.mailbox import Mailbox
from bridge.pubsub.sonar import Pace, Sonar
from bridge.pubsub.status import Link, Status
from bridge.pubsub.subscription import Callback, Subscription
from bridge.pubsub.throttle import Throttle
from bridge.pubsub.timing import Timing
from bridge.telemetry import events
from bridge.telemetry.events import NOBODY, Instance

if TYPE_CHECKING:
    from bridge.pubsub.listener import Connection

logger = logging.getLogger("bridge.pubsub")


class Notifier:
    """Hears and sends the messages of one Oban instance.

    It holds one connection of its own, replaces it whenever it is lost, and lets nothing that arrives end it:
    junk is counted and logged at a bounded rate. (In Oban 2.23 one undecodable message ends the notifier.)

    PostgreSQL keeps no messages for those who are away, so what must not be missed has to be looked up again
    in a callback given to `on_reconnect`. It merges equal messages that one transaction sends on one channel.
    """

    def __init__(
        self,
        *,
        connect: Callable[[], Awaitable[Connection]],
        publish: Callable[[str, list[str]], Awaitable[None]],
        prefix: str,
        ident: str,
        node: str | None = None,
        timing: Timing | None = None,
        pace: Pace | None = None,
        backlog: int = 10_000,
        oban: Instance = NOBODY,
    ) -> None:
        """Make a notifier that is not started yet.

        Args:
            connect: Opens the connection to listen on, straight to the server: through a pooler in
                transaction mode no message ever arrives.
            publish: Sends texts on a channel, given by its full name, by calling `pg_notify` for each.
            prefix: The schema of Oban's tables, which is part of every channel's name.
            ident: This instance's address, from `signals.ident`.
            node: This node's name, by which it pings while it listens; without one its status stays unknown.
            timing: Probes, timeouts and delays between attempts; the default is `Timing()`.
            pace: How often it pings; the default is `Pace()`.
            backlog: How many messages may wait for one busy async callback.
            oban: The instance that its events name.
        """
        self.counters = Counters()
        self._publish = publish
        self._prefix = prefix
        self._ident = ident
        self._backlog = backlog
        self._oban = oban
        self._subscriptions: dict[str, list[Subscription]] = {}
        self._hooks: list[Mailbox] = []
        self._junk = Throttle()
        self._was_connected = False
        self._listener = Listener(
            connect=connect,
            on_message=self._receive,
            on_connect=self._greet,
            on_disconnect=self._part,
            timing=timing or Timing(),
        )
        self._switched = asyncio.Event()
        self._watchers: list[Callable[[Status], None]] = []
        self._sonar = self._make_sonar(node, pace)

    async def start(self, *, wait: bool = True) -> None:
        """Connect and listen until `stop`; a second call does nothing.

        Args:
            wait: Return once every channel is being listened to. With False, return at once and keep trying
                in the background, so that a node starts while the database is away.

        Raises:
            OSError, asyncpg.PostgresError, TimeoutError: Only with `wait`: the first attempt failed.
        """
        await self._listener.start(wait=wait)
        if self._sonar is not None:
            self._sonar.start()

    async def stop(self) -> None:
        """Close the connection and cancel callbacks that run; subscriptions stay for another `start`."""
        if self._sonar is not None:
            await self._sonar.stop()
        await self._listener.stop()
        mailboxes = [each.mailbox for group in self._subscriptions.values() for each in group]
        tasks = [mailbox.cancel() for mailbox in (*self._hooks, *mailboxes)]
        if running := [task for task in tasks if task is not None]:
            await asyncio.wait(running)

    def listen(self, channel: str, callback: Callback) -> Subscription:
        """Call `callback(channel, payload)` with every message on `channel` that is meant for this instance.

        Messages come in the order in which they were sent. A callback that raises is logged and gets the next
        one. An async callback is awaited before it gets the next one, and others don't wait for it. Listening
        takes effect within moments; `await subscription.ready()` to be sure.

        Args:
            channel: `"insert"`, `"signal"`, `"leader"` or any name of your own, without the prefix.
            callback: Listening twice with the same one on a channel is listening once.

        Raises:
            InvalidPayload: The name and the prefix are too long for PostgreSQL.
        """
        name = channels.require(self._prefix, channel)
        group = self._subscriptions.setdefault(name, [])
        for subscription in group:
            if subscription.callback == callback:
                return subscription
        subscription = self._subscribe(channel, callback)
        group.append(subscription)
        self._listener.add(name)
        return subscription

    def unlisten(self, channel: str, callback: Callback) -> None:
        """Call `callback` no more for `channel`; does nothing where it wasn't called."""
        name = channels.channel_name(self._prefix, channel)
        group = self._subscriptions.get(name, [])
        for subscription in [each for each in group if each.callback == callback]:
            group.remove(subscription)
            subscription.mailbox.clear()
        if not group and self._subscriptions.pop(name, None) is not None:
            self._listener.remove(name)

    async def notify(
        self,
        channel: str,
        payload: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        split: str | None = None,
    ) -> None:
        """Send one message or several on `channel`; nothing is sent if one of them is refused.

        Args:
            channel: The short name.
            payload: A JSON object, or several.
            split: The key of a list that may be shared among several messages where one would be too long.

        Raises:
            InvalidPayload: Not a JSON object, too long (Oban 2.23 drops such a one in silence), or a message that
                would harm an Elixir node, see `bridge.pubsub.contracts`.
            InvalidSignal: The same on `"signal"`.
        """
        name = channels.require(self._prefix, channel)
        texts = [text for each in _listed(payload) for text in _encode(channel, each, split)]
        if texts:
            with telemetry.span(events.NOTIFY, events.Notify, self._oban, channel, tuple(_listed(payload))):
                await self._publish(name, texts)

    def on_reconnect(self, callback: Callable[[], object]) -> None:
        """Call `callback()` whenever the channels are being listened to again, the first time included.

        It may be async. What was sent while the connection was away is lost: now is the time to look it up.
        """
        self._hooks.append(Mailbox(callback, "reconnects", self.counters, limit=1))

    def on_switch(self, callback: Callable[[Status], None]) -> None:
        """Call `callback(status)` whenever the status is another one."""
        self._watchers.append(callback)

    @property
    def running(self) -> bool:
        """Whether it was started and not stopped; it may be without a connection meanwhile."""
        return self._listener.running

    @property
    def link(self) -> Link:
        """Whether there is a connection to listen on; whether anything arrives by it, `status` knows."""
        return Link.CONNECTED if self._listener.connected.is_set() else Link.DISCONNECTED

    def status(self) -> Status:
        """Tell whom this node hears: unknown, isolated, solitary or clustered."""
        return Status.UNKNOWN if self._sonar is None else self._sonar.status

    @property
    def hears(self) -> bool:
        """Whether messages arrive: this node hears itself at least."""
        return self.status() in (Status.SOLITARY, Status.CLUSTERED)

    @property
    def nodes(self) -> frozenset[str]:
        """The nodes of both languages that were heard in the last two minutes, this one among them."""
        return frozenset() if self._sonar is None else self._sonar.nodes

    async def wait_for(self, *wanted: Status | Link) -> None:
        """Wait until the status, or the link, is one of those wanted."""
        while self.status() not in wanted and self.link not in wanted:
            await self._switched.wait()

    def _subscribe(self, channel: str, callback: Callback) -> Subscription:
        mailbox = Mailbox(callback, f"channel {channel!r}", self.counters, self._backlog)
        return Subscription(channel, callback, mailbox, self._listener.ready, self.unlisten)

    def _make_sonar(self, node: str | None, pace: Pace | None) -> Sonar | None:
        if node is None or not channels.fits(channels.channel_name(self._prefix, channels.SONAR)):
            return None

        async def ping(payload: Mapping[str, Any]) -> None:
            await self.notify(channels.SONAR, payload)

        sonar = Sonar(node, ping=ping, ready=self._listener.ready, on_switch=self._switch, pace=pace)
        self.listen(channels.SONAR, sonar.hear)
        return sonar

    def _switch(self, status: Status) -> None:
        if telemetry.wanted(events.NOTIFIER_SWITCH):
            telemetry.emit(events.NOTIFIER_SWITCH, events.NotifierSwitch(status.value, self._oban))
        for watcher in self._watchers:
            watcher(status)
        self._tell()

    def _tell(self) -> None:
        self._switched.set()
        self._switched = asyncio.Event()

    def _part(self) -> None:
        if self._sonar is not None:
            self._sonar.deafen()
        self._tell()

    def _greet(self) -> None:
        if self._sonar is not None:
            self._sonar.wake()
        self._tell()
        self.counters.reconnects += self._was_connected
        self._was_connected = True
        for hook in self._hooks:
            if not hook.waiting:
                hook.put()

    def _receive(self, pid: int, name: str, text: str) -> None:
        if not self._listener.running or name not in self._subscriptions:
            return
        self.counters.received += 1
        try:
            payload = envelope.decode_strict(text)
        except DecodeError as error:
            self._report_junk(pid, name, text, error)
            return
        if signals.in_scope(payload, self._ident):
            self._deliver(self._subscriptions[name], payload)
        else:
            self.counters.ignored += 1

    def _deliver(self, group: list[Subscription], payload: dict[str, Any]) -> None:
        for subscription in tuple(group):
            # A callback may have ended the next one's subscription, or have changed what it was given.
            if subscription in group:
                own = copy.deepcopy(payload) if len(group) > 1 else payload
                subscription.mailbox.put(subscription.channel, own)

    def _report_junk(self, pid: int, name: str, text: str, error: DecodeError) -> None:
        self.counters.junk += 1
        if (held_back := self._junk.admit(name)) is not None:
            message = "ignored junk on channel %r from backend %d: %s: %s (%d more before)"
            logger.warning(message, name, pid, error, shorten(text), held_back)


def _listed(payload: Any) -> Sequence[Any]:
    if isinstance(payload, Mapping):
        return [payload]
    if isinstance(payload, Sequence) and not isinstance(payload, (str, bytes, bytearray)):
        return payload
    raise InvalidPayload("payload", payload, "a mapping, or a sequence of mappings")


def _encode(channel: str, payload: Mapping[str, Any], split: str | None) -> list[str]:
    texts = [envelope.encode(payload)] if split is None else envelope.encode_parts(payload, split)
    for text in texts:
        contracts.check(channel, envelope.decode_strict(text))
    return texts
