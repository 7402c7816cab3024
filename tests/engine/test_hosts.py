"""DSNs of several hosts: the first that answers and suits is taken, and one that is silent doesn't hide the others."""

import socket
import time
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import asyncpg
import pytest
from proxy import wire_to

from bridge.engine.connections import connect, create_pool
from bridge.engine.hosts import Hosts, several_hosts


@contextmanager
def silent_host():
    """A port that takes connections and answers nothing, as a machine that vanished behind a firewall."""
    with silent_server() as server:
        yield address_of(server)


def silent_server():
    return socket.create_server(("127.0.0.1", 0))


def address_of(server):
    return f"127.0.0.1:{server.getsockname()[1]}"


def count_asked(server):
    """Count the connections that were made to a silent server."""
    server.setblocking(False)
    count = 0
    with suppress(BlockingIOError):
        while True:
            server.accept()[0].close()
            count += 1
    return count


@pytest.fixture
async def wire(installed):
    async with wire_to(installed) as wire:
        yield wire


def dsn_of(wire, *first, query=""):
    parts = urlsplit(wire.dsn)
    hosts = ",".join([*first, parts.netloc.rpartition("@")[2]])
    return f"postgresql://postgres@{hosts}{parts.path}{query}"


async def test_a_silent_host_uses_up_its_own_time_and_not_that_of_the_next(wire):
    with silent_host() as silent:
        begun = time.monotonic()
        conn = await connect(dsn_of(wire, silent, query="?connect_timeout=3"))
        took = time.monotonic() - begun

    assert await conn.fetchval("select 1") == 1
    assert took >= 3  # with one limit for both, nothing is left for the second
    await conn.close()


async def test_a_pool_tries_a_silent_host_last_for_a_while(wire):
    with silent_server() as silent:
        dsn = dsn_of(wire, address_of(silent), query="?connect_timeout=3")
        pool = await create_pool(dsn, min_size=1, max_size=3)
        async with pool.acquire(), pool.acquire(), pool.acquire() as conn:
            assert await conn.fetchval("select 1") == 1
        assert count_asked(silent) == 1
        await pool.close()


async def test_the_host_that_takes_writes_is_found_behind_one_that_is_away(wire):
    conn = await connect(dsn_of(wire, "127.0.0.1:1", query="?target_session_attrs=read-write"))
    assert await conn.fetchval("select 1") == 1
    await conn.close()


async def test_where_no_host_takes_writes_that_is_told(wire):
    same = urlsplit(wire.dsn).netloc.rpartition("@")[2]
    query = "?target_session_attrs=read-write&default_transaction_read_only=on"
    with pytest.raises(asyncpg.TargetServerAttributeNotMatched):
        await connect(dsn_of(wire, same, query=query))


async def test_where_all_are_silent_the_limit_is_told(wire):
    with silent_host() as one, silent_host() as two, pytest.raises(TimeoutError):
        await connect(f"postgresql://postgres@{one},{two}/a?connect_timeout=1")


@pytest.mark.parametrize("hosts", ["127.0.0.1:1,nobody.invalid", "nobody.invalid,127.0.0.1:1"])
async def test_a_host_that_may_answer_later_counts_for_more_than_one_without_an_address(hosts):
    with pytest.raises(ConnectionRefusedError):
        await connect(f"postgresql://postgres@{hosts}/a")


async def test_what_no_other_host_would_mend_ends_the_search(wire):
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await connect(dsn_of(wire, "127.0.0.1:1").replace(urlsplit(wire.dsn).path, "/not_there_at_all"))


async def test_a_host_that_answers_again_is_tried_in_its_turn(wire):
    hosts = Hosts()
    first = urlsplit(wire.dsn).netloc.rpartition("@")[2]
    address = ("127.0.0.1", int(first.rpartition(":")[2]))
    hosts._silent[address] = time.monotonic() + 30

    conn = await hosts.connect(dsn_of(wire, "127.0.0.1:1"))
    await conn.close()

    assert address not in hosts._silent


@pytest.mark.parametrize(
    ("dsn", "hosts"),
    [
        ("postgresql://a:1,b:2/db", [("a", 1), ("b", 2)]),
        ("postgresql://me:se%2Ccret@a,b:2/db", [("a", 5432), ("b", 2)]),
        ("postgresql://[::1]:1,[::2]/db", [("::1", 1), ("::2", 5432)]),
        ("postgresql:///db?host=a,/run/postgresql&port=1,2", [("a", 1), ("/run/postgresql", 2)]),
        ("postgresql:///db?host=a,b&port=1", [("a", 1), ("b", 1)]),
        ("postgresql://%2Frun,b/db", [("/run", 5432), ("b", 5432)]),
        ("postgresql://a:3,b/db?port=7", [("a", 3), ("b", 5432)]),
        ("postgresql:///db?host=a,b,c&port=1,2", []),
        ("postgresql://a/db", []),
        ("postgresql:///db", []),
        ("postgresql://a:x,b/db", []),
        ("postgresql://a,b/db?target_session_attrs=prefer-standby", []),
    ],
)
def test_the_hosts_of_a_dsn(dsn, hosts, monkeypatch):
    monkeypatch.delenv("PGPORT", raising=False)
    assert several_hosts(dsn) == hosts
