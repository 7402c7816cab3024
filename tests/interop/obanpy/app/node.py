"""A process with nodes of Oban for Python, driven by lines of JSON: `{"ask", "op", …}` in, answers and events out.

It ends when its input ends, so nothing is left behind of whoever drove it.
"""

import asyncio
import gc
import json
import logging
import os
import sys
import threading
from importlib.metadata import version

import workers
from lines import send, tell
from oban import Job, Oban, schema
from oban._recorded import decode_recorded  # there is no public way to a recorded result
from psycopg_pool import AsyncConnectionPool

#: Seconds for an orderly end once the input has ended.
LAST_CALL = 10.0

_nodes = {}
_pools = {}


class Complaints(logging.Handler):
    """Tells of every warning and error: messages of others must not cause any."""

    def emit(self, record):
        tell("complaint", text=self.format(record))


class Operations:
    """What the driver may ask for; each is a method."""

    async def start(self, key, dsn, **options):
        """Start a node and wait until it hears."""
        pool = _pools[key] = AsyncConnectionPool(conninfo=dsn, min_size=1, max_size=4, open=False)
        await pool.open(wait=True)
        node = Oban(pool=pool, shutdown_grace_period=0.2, **options)
        await node.start()
        _nodes[key] = node
        for channel in ("signal", "insert"):
            await self.listen(key, channel)

    async def stop(self, key):
        await _nodes.pop(key).stop()
        await callbacks()
        await _pools.pop(key).close()

    async def stop_all(self):
        workers.released.set()
        for key in list(_nodes):
            await self.stop(key)
        workers.released.clear()
        gc.collect()  # an error that nobody asked for is told of when its task goes
        await asyncio.sleep(0)

    async def install(self, dsn, prefix="public"):
        async with AsyncConnectionPool(conninfo=dsn, min_size=1, max_size=1, open=False) as pool:
            await schema.install(pool, prefix)

    async def release(self):
        workers.released.set()

    async def listen(self, key, channel):
        """Tell of every message that arrives on a channel from now on."""

        def heard(_channel, payload):
            tell("heard", channel=channel, payload=dict(payload))

        await _nodes[key]._notifier.listen(channel, heard, wait=True, timeout=10)

    async def listens(self, key):
        """Whether messages still arrive."""
        return not _nodes[key]._notifier._loop_task.done()

    async def notify(self, key, channel, payload):
        await _nodes[key]._notifier.notify(channel, payload)

    # Jobs

    async def enqueue(self, key, jobs):
        built = [Job(**options) for options in jobs]
        return [job.id for job in await _nodes[key].enqueue_many(built)]

    async def job(self, key, job):
        found = await _nodes[key].get_job(job)
        return None if found is None else workers.shown(found)

    async def result(self, key, job):
        """A recorded result, as a literal of Python."""
        return repr(decode_recorded((await _nodes[key].get_job(job)).meta["return"]))

    async def cancel(self, key, ids):
        return await _nodes[key].cancel_many_jobs(ids)

    async def retry(self, key, ids):
        return await _nodes[key].retry_many_jobs(ids)

    async def delete(self, key, ids):
        return await _nodes[key].delete_many_jobs(ids)

    async def update(self, key, job, changes):
        return workers.shown(await _nodes[key].update_job(job, changes))

    # Queues

    async def control(self, key, action, **options):
        """Call `pause_queue`, `scale_queue` and so on."""
        await getattr(_nodes[key], action)(**options)

    async def check(self, key, queue):
        info = _nodes[key].check_queue(queue)
        return info and {"limit": info.limit, "paused": info.paused, "running": info.running, "uuid": info.uuid}

    async def leads(self, key):
        return _nodes[key].is_leader


async def callbacks():
    """Wait for those that messages have started: a node that stops doesn't, and they need the pool."""
    names = ("._on_notification", "._on_signal")
    running = [task for task in asyncio.all_tasks() if task.get_coro().__qualname__.endswith(names)]
    if running:
        await asyncio.wait(running, timeout=LAST_CALL)


async def answer(message):
    """Do what a message asks, and say what came of it."""
    reply = {"ask": message.pop("ask")}
    try:
        reply["value"] = await getattr(Operations(), message.pop("op"))(**message)
    except Exception as error:
        reply["error"] = f"{type(error).__name__}: {error}"
    send(reply)


def read(loop, ended):
    """Hand each line to the loop; at the end of the input, end the process in order, or else at once."""
    answering = set()

    def start(message):
        task = loop.create_task(answer(message))
        answering.add(task)
        task.add_done_callback(answering.discard)

    for line in sys.stdin:
        loop.call_soon_threadsafe(start, json.loads(line))
    threading.Timer(LAST_CALL, os._exit, [1]).start()
    loop.call_soon_threadsafe(ended.set)


async def main():
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.set_exception_handler(lambda _loop, context: tell("complaint", text=repr(context)))
    logging.getLogger().addHandler(Complaints(logging.WARNING))
    threading.Thread(target=read, args=(loop, ended), daemon=True).start()
    tell("ready", pid=os.getpid(), oban=version("oban"), python=sys.version.split()[0])
    await ended.wait()
    await Operations().stop_all()
    os._exit(0)  # the timer is no longer wanted


if __name__ == "__main__":
    asyncio.run(main())
