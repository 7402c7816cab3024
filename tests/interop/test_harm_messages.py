"""Ten thousand odd values and calls against a live Elixir node, 2,900 of them here: control of queues and messages."""

from datetime import timedelta

import asyncpg
import pytest

from bridge import Oban
from bridge.errors import ValidationError
from bridge.jobs import Registry
from bridge.pubsub import envelope

from .conftest import ELIXIR
from .harm import Caller, told, unharmed
from .storm import Storm
from .watch import Watch

#: Letters beyond ASCII stand within channels, too; Oban itself can do with no dots there.
SHARED = {
    "queues": {"elixir": 20, "shared": 5, "one": 1},
    "config": "Logger.configure(level: :info)",
    "options": "plugins: []",  # the pruner takes rows that calls were to leave alone
    "prefix": "o'b an",
}

pytestmark = pytest.mark.timeout(180)

#: Oban's channels, those of Oban Met and Web, and some of an application's own, to which the node listens.
OWN = ["custom", "diagnostics", "handoff", "update", "Ünï 'code"]
CHANNELS = ["insert", "signal", "leader", "sonar", "gossip", "metrics", "cronitor", *OWN]
QUEUES = ["elixir", "shared", "one", "more", "Elixir.Oban", "q\"u'o te", "ü" * 127]


class Ear:
    """A connection that hears what one other sends: its messages on all channels, once they were sent."""

    def __init__(self, conn, pid):
        self._conn, self._pid = conn, pid
        self.heard = []
        self.only = ""  # a client that was told to start a queue begins to ping

    @classmethod
    async def open(cls, place, pid):
        ear = cls(await asyncpg.connect(place.dsn), pid)
        for channel in CHANNELS:
            await ear._conn.add_listener(f"{place.prefix}.oban_{channel}", ear._hear)
        return ear

    def _hear(self, _conn, pid, channel, payload):
        if pid == self._pid and channel.endswith(self.only):
            self.heard.append((channel, payload))

    async def count(self):
        """How many messages there were; what was sent before is heard before the answer."""
        await self._conn.execute("select 1")
        return len(self.heard)

    async def close(self):
        await self._conn.close()


class Sender(Caller):
    """A caller of whom a refused call leaves no message, either."""

    def __init__(self, at, ear):
        super().__init__(at)
        self._ear = ear

    async def state(self):
        return await self._ear.count()


@pytest.fixture
async def client(shared):
    """A client that hears nothing itself, so that it sends only what its calls do, on one connection."""
    options = {"node": "py@host-b", "registry": Registry(), "pool_options": {"min_size": 1, "max_size": 1}}
    named = f"{shared.at.dsn}{'&' if '?' in shared.at.dsn else '?'}application_name=storm"
    async with Oban(dsn=named, prefix=shared.at.prefix, **options) as oban:
        yield oban


@pytest.fixture
async def ear(shared, client):
    await client.jobs(limit=1)
    found = await shared.at.conn.fetch("select pid from pg_stat_activity where application_name = 'storm'")
    [pid] = [row["pid"] for row in found]
    ear = await Ear.open(shared.at, pid)
    yield ear
    await ear.close()


@pytest.fixture
async def watch(shared):
    await shared.ex.rpc("Interop.Control.listen(channels)", channels=OWN)
    return await Watch.begin(shared.ex)


@pytest.mark.item("harm: 900 odd calls to pause, resume, scale, start and stop queues")
async def test_odd_control_of_queues_harms_no_node(shared, client, ear, watch):
    storm, call = Storm(), Sender(shared.at, ear)
    ear.only = ".oban_signal"
    for _ in range(900):
        heard = len(ear.heard)
        await call(lambda: control(storm, client))
        await ear.count()
        for _channel, payload in ear.heard[heard:]:
            print(payload)
            await watch.obey(envelope.decode_strict(payload))
    told(call, queues=watch.queues)
    assert 100 < call.refused < 850
    await unharmed(shared.ex, shared.at, watch)


@pytest.mark.item("harm: 2,000 odd messages on every channel")
async def test_odd_messages_harm_no_node(shared, client, ear, watch):
    storm, call = Storm(), Sender(shared.at, ear)

    async def one():
        channel = storm.name(*CHANNELS)
        split = "list" if storm.random() < 0.1 else None
        await client.notifier.notify(channel, payload(storm, channel), split=split)

    for _ in range(2_000):
        heard = len(ear.heard)
        await call(one)
        await ear.count()
        for channel, text in ear.heard[heard:]:
            assert not text.startswith("Z:")
            if channel.endswith(".oban_signal"):
                await watch.obey(envelope.decode_strict(text))
    told(call, sent=len(ear.heard), queues=watch.queues)
    assert 100 < call.refused < 1_900
    await unharmed(shared.ex, shared.at, watch)


@pytest.mark.item("harm: what is refused is refused with its field and what was expected")
async def test_refusals_say_what_was_expected(client):
    storm = Storm()
    for _ in range(100):
        with pytest.raises(ValidationError, match=r"(?s)^\S.*: expected "):
            await client.notifier.notify("signal", {"action": "scale", "queue": "elixir", "limit": storm.text()})


async def control(storm, client):
    """Call one of the methods that steer queues."""
    queue = storm.either(lambda: storm.name(*QUEUES))
    where = storm.some(
        0.05, node=lambda: storm.name(ELIXIR, ELIXIR, "py@host-b"), local_only=lambda: storm.random() < 0.3
    )
    limit = storm.either(lambda: storm.choice([1, 2, 7, 2**31 - 1, 0, -1, 2**31]), 0.2)
    more = storm.some(
        paused=lambda: storm.random() < 0.5, refresh_interval=lambda: storm.choice([60, 0.5, timedelta(2)])
    )
    if storm.random() < 0.3:  # not anything: a queue may rest for a day between its looks for jobs
        more["dispatch_cooldown"] = storm.choice([0.005, 1, timedelta(milliseconds=20), 0, -1, "1", 10**9, [], 1e400])
    match storm.randrange(7):
        case 0:
            await client.pause_queue(queue, **where)
        case 1:
            await client.resume_queue(queue, **where)
        case 2:
            await client.pause_all_queues(**where)
        case 3:
            await client.resume_all_queues(**where)
        case 4:
            await client.scale_queue(queue, limit, **where)
        case 5:
            await client.start_queue(queue, limit, **more, **where)
        case 6:
            await client.stop_queue(queue, **where)


def payload(storm, channel):
    """A message for a channel, or several; most are what its readers expect, with something odd about some."""
    if storm.random() < 0.08:
        return storm.value()
    found = {
        "insert": lambda: {"queue": storm.name(*QUEUES)},
        "signal": lambda: signal(storm),
        "leader": lambda: {"down": storm.name("Oban", "Oban@python")},
        "sonar": lambda: {"node": storm.name("py@host-c", ELIXIR), "ping": True},
    }.get(channel, lambda: {**storm.object(), "list": [storm.json() for _ in range(storm.choice([0, 1, 30]))]})()
    for _ in range(storm.choice([0, 0, 0, 1, 2])):
        found[storm.choice([storm.text(), "ident", "time", "limit", "queue", *found])] = storm.either(storm.json, 0.5)
    return found if storm.random() < 0.9 else [found, payload(storm, channel)]


def signal(storm):
    queue, ident = storm.name(*QUEUES), storm.choice(["any", f"Oban.{ELIXIR}", storm.fine_text()])
    action = storm.choice(["pause", "resume", "scale", "start", "stop", "pkill", storm.fine_text()])
    more = {
        "scale": {"limit": storm.choice([1, 3, 50])},
        "start": {"limit": storm.choice([1, 9]), **({"paused": True} if storm.random() < 0.3 else {})},
    }
    if action == "pkill":
        return {"action": action, "job_id": storm.choice([1, 2**62, "1"])}
    return {"action": action, "queue": queue, "ident": ident, **more.get(action, {})}
