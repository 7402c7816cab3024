"""A process that inserts unique jobs from many tasks at once, until each of its numbers was tried in several ways."""

import asyncio
import random
import sys

import asyncpg

from bridge.engine import Connections, Engine, inserts
from bridge.engine.schema import inspect
from bridge.jobs import Job, Unique


def make(number, unique, worker):
    # Written in two ways that are the same to PostgreSQL.
    number = float(number) if random.random() < 0.5 else number
    return Job(worker, args={"id": number, "tags": random.sample(["a", "b"], 2)}, unique=unique)


async def insert(engine, numbers, rule):
    order = random.sample(range(numbers), numbers)
    for number in order[: numbers // 4]:
        await engine.insert(make(number, rule, "A"))
    for worker, size in (("A", 150), ("B", 30), ("A", 10)):
        random.shuffle(order)
        await engine.insert_many([make(number, rule, worker) for number in order[:size]])
    for size in (20, 100):
        both = [make(number, rule, worker) for number in order[:size] for worker in "AB"]
        await engine.insert_many(random.sample(both, len(both)))
    for worker in "AB":
        await engine.insert_many([make(number, rule, worker) for number in order])


async def main(dsn, tasks, numbers, seed, index):
    random.seed(seed)
    if seed % 2:  # calls that take several statements, beside others that take one
        inserts.CHUNK = 60
    rule = Unique(period="infinity", index=index == "index")
    async with asyncpg.create_pool(dsn, min_size=tasks, max_size=tasks) as pool:
        async with pool.acquire() as conn:
            engine = Engine(Connections(pool), "public", await inspect(conn))
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        await asyncio.gather(*(insert(engine, numbers, rule) for _ in range(tasks)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], *map(int, sys.argv[2:5]), sys.argv[5]))
