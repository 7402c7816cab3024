"""Notifiers on a real server, and what hears and sends for them."""

import asyncio
from contextlib import asynccontextmanager

import asyncpg

from bridge.pubsub.notifier import Notifier
from bridge.pubsub.timing import Timing

QUICK = Timing(probe_interval=30, timeout=5, first_delay=0.01, longest_delay=0.05)
IDENT = "Oban.py@host-a"


class Inbox(asyncio.Queue):
    """A callback that keeps what it was called with."""

    def __call__(self, channel, payload):
        self.put_nowait((channel, payload))

    async def next(self):
        async with asyncio.timeout(10):
            return await self.get()

    async def payloads(self, count):
        return [(await self.next())[1] for _ in range(count)]


class Sender:
    """Sends any text on any channel, as another program would."""

    def __init__(self, connection):
        self.connection = connection

    async def publish(self, channel, texts):
        # A statement each: equal texts of one transaction are delivered once.
        for text in texts:
            await self.connection.execute("select pg_notify($1, $2)", channel, text)

    async def end_listeners(self):
        """End every connection that has listened, as an administrator or a failover would."""
        statement = """
            select pg_terminate_backend(pid)
            from pg_stat_activity
            where datname = current_database()
              and pid <> pg_backend_pid()
              and backend_type = 'client backend'
        """
        return len(await self.connection.fetch(statement))

    async def others(self):
        """Return how many other connections the database has."""
        statement = """
            select count(*)
            from pg_stat_activity
            where datname = current_database()
              and pid <> pg_backend_pid()
              and backend_type = 'client backend'
        """
        return await self.connection.fetchval(statement)


@asynccontextmanager
async def sending(dsn):
    connection = await asyncpg.connect(dsn)
    try:
        yield Sender(connection)
    finally:
        await connection.close()


def make(dsn, sender, *, connect=None, prefix="public", ident=IDENT, timing=QUICK, **options):
    return Notifier(
        connect=connect or (lambda: asyncpg.connect(dsn)),
        publish=sender.publish,
        prefix=prefix,
        ident=ident,
        timing=timing,
        **options,
    )


@asynccontextmanager
async def listening(dsn, **options):
    """A started notifier and the sender that it publishes through."""
    async with sending(dsn) as sender:
        notifier = make(dsn, sender, **options)
        await notifier.start()
        try:
            yield notifier, sender
        finally:
            await notifier.stop()


async def send_and_hear(notifier, sender, channel, texts):
    """Send texts and then a last message; return what came before the last."""
    inbox = Inbox()
    await notifier.listen(channel, inbox).ready()
    await sender.publish(f"public.oban_{channel}", [*texts, '{"last":true}'])
    heard = []
    while (payload := (await inbox.next())[1]) != {"last": True}:
        heard.append(payload)
    notifier.unlisten(channel, inbox)
    return heard
