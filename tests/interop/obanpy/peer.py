"""A process with nodes of Oban for Python, and what the tests ask of it."""

import asyncio
import json
import subprocess
import threading
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from itertools import count
from pathlib import Path

PATIENCE = 45  # seconds for what should take milliseconds, on a busy machine

_SCRIPT = Path(__file__).with_name("app") / "node.py"


class PeerError(Exception):
    """Oban for Python refused what it was asked, or said nothing in time; with the end of its log."""


class ObanPy:
    """The process. It is driven through its standard input, and ends with it."""

    def __init__(self, python):
        self._process = subprocess.Popen(
            [python, "-u", str(_SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._numbers = count(1)
        self._asked = {}
        self._log = deque(maxlen=40)
        self.events = Happenings(self.logs)
        self._threads = [threading.Thread(target=read, daemon=True) for read in (self._read, self._read_log)]
        for thread in self._threads:
            thread.start()
        self.hello = self.events.wait("ready")
        self.pid = self.hello["pid"]

    async def node(self, dsn, **options):
        """Start a node; `queues`, `node`, `leadership` and so on are its options."""
        key = f"node-{next(self._numbers)}"
        node = Node(self, key, options.setdefault("node", f"py-{key}@peer"))
        await self.call("start", key=key, dsn=dsn, **options)
        return node

    async def call(self, op, **values):
        """Ask for an operation and return what it returned."""
        number = next(self._numbers)
        reply = self._asked[number] = Future()
        self._process.stdin.write(json.dumps({"ask": number, "op": op, **values}) + "\n")
        self._process.stdin.flush()
        try:
            message = await asyncio.wait_for(asyncio.wrap_future(reply), PATIENCE)
        except TimeoutError:
            raise PeerError(f"{op}: no answer within {PATIENCE} s{self.logs()}") from None
        if "error" in message:
            raise PeerError(f"{op}: {message['error']}{self.logs()}")
        return message["value"]

    async def clear(self):
        """Stop every node, and forget what was told; return what they complained of."""
        await self.call("stop_all")
        complaints = [event["text"] for event in self.events.all("complaint")]
        self.events.clear()
        return complaints

    def close_input(self):
        """Let the process end, as its driver's end would."""
        self._process.stdin.close()

    def kill(self):
        """End the process at once, with all its nodes."""
        self._process.kill()

    def wait(self, patience=PATIENCE):
        """Wait for its end, and return its exit status."""
        status = self._process.wait(patience)
        for thread in self._threads:
            thread.join(patience)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with suppress(BrokenPipeError):
                pipe.close()
        return status

    def logs(self):
        """The end of the log, to be put under a message."""
        return "".join(f"\n    {line}" for line in self._log)

    def _read(self):
        for line in self._process.stdout:
            message = json.loads(line)
            if "event" in message:
                self.events.add(message)
            else:
                self._asked.pop(message["ask"]).set_result(message)

    def _read_log(self):
        self._log.extend(line.rstrip() for line in self._process.stderr)


class Node:
    """One node of the process: its operations, with the node filled in."""

    def __init__(self, peer, key, name):
        self._peer = peer
        self._key = key
        self.name = name

    async def enqueue(self, worker, args=None, **options):
        """Enqueue a job as any worker's `enqueue` does; return its id."""
        [job_id] = await self.call("enqueue", jobs=[{"worker": worker, "args": args or {}, **options}])
        return job_id

    async def stop(self):
        """Stop it; its running jobs get a moment."""
        await self.call("stop")

    async def call(self, op, **values):
        """Ask for an operation on this node and return what it returned."""
        return await self._peer.call(op, key=self._key, **values)


class Happenings:
    """What the process told, in its order."""

    def __init__(self, logs):
        self._logs = logs
        self._told = []
        self._grown = threading.Condition()

    def add(self, event):
        with self._grown:
            self._told.append(event)
            self._grown.notify_all()

    def clear(self):
        with self._grown:
            self._told.clear()

    def all(self, name, **values):
        """The events of a name that have these values, so far."""
        return [event for event in list(self._told) if event["event"] == name and _holds(event, values)]

    async def next(self, name, nth=1, patience=PATIENCE, **values):
        """Wait for the `nth` event of a name that has these values, and return it."""
        return await asyncio.to_thread(self.wait, name, nth, patience, **values)

    def wait(self, name, nth=1, patience=PATIENCE, **values):
        """The same, blocking."""
        found = []

        def there():
            found[:] = self.all(name, **values)
            return len(found) >= nth

        with self._grown:
            if not self._grown.wait_for(there, patience):
                wanted = f"event {name} {values}, {nth} times"
                raise PeerError(f"waited {patience} s for {wanted}; told was {self._told[-20:]}{self._logs()}")
        return found[nth - 1]


async def until(holds):
    """Wait for what no event tells; `holds` is async."""
    async with asyncio.timeout(PATIENCE):
        while not (found := await holds()):  # noqa: ASYNC110 - a row sets no Event
            await asyncio.sleep(0.005)
    return found


def _holds(event, values):
    return all(_at(event, name.split("__")) == value for name, value in values.items())


def _at(value, path):
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value
