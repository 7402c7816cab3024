"""Where a gate leads: DSNs, the URLs by way of it, and a real server behind it."""

import asyncio
import os
import socket

import asyncpg
import pytest

from bridge.errors import NodeError
from bridge.testing.interop import Gate

from .far import PATIENCE, SILENCE, Far, read


@pytest.mark.parametrize(
    ("dsn", "user_and_rest"),
    [
        ("postgresql://bob@db.example:6000/shop", ("bob", "shop")),
        ("postgres://bob:pa%20ss@db.example/shop", ("bob:pa%20ss", "shop")),
        ("postgresql://bob:a%40b%2Fc:d@db.example/shop", ("bob:a%40b%2Fc%3Ad", "shop")),
        ("postgresql://bob@/shop?host=/run/dir&port=7", ("bob", "shop")),
        ("postgresql://bob@%2Frun%2Fdir:7/shop", ("bob", "shop")),
        ("postgresql:///shop?host=/run/dir&user=bob&password=se%26cret", ("bob:se%26cret", "shop")),
        ("postgresql://bob@h1:1,h2:2/shop?sslmode=require&options=%20", ("bob", "shop?sslmode=require&options=%20")),
        ("postgresql://bob@h/shop?connect_timeout=5&ssl=true", ("bob", "shop?ssl=true")),
        ("postgresql://bob@[::1]:6000/my%20shop", ("bob", "my%20shop")),
        ("postgresql://bob@h/x?dbname=shop&hostaddr=127.0.0.1", ("bob", "shop")),
        ("postgresql://bob@h", ("bob", "bob")),
    ],
)  # fmt: skip
def test_the_url_keeps_everything_but_the_place(dsn, user_and_rest, monkeypatch):
    for name in ("PGUSER", "PGPASSWORD", "PGDATABASE", "PGHOST", "PGPORT"):
        monkeypatch.delenv(name, raising=False)
    user, rest = user_and_rest
    with Gate(dsn) as gate:
        assert gate.url("172.17.0.1") == f"postgresql://{user}@172.17.0.1:{gate.port}/{rest}"


def test_what_the_environment_says_of_the_user_and_the_database_is_spelled_out(monkeypatch):
    monkeypatch.setenv("PGUSER", "bob")
    monkeypatch.setenv("PGDATABASE", "shop")
    monkeypatch.setenv("PGPASSWORD", "s3cret")
    with Gate("postgresql://") as gate:
        assert gate.url() == f"postgresql://bob:s3cret@127.0.0.1:{gate.port}/shop"


def test_an_ipv6_address_stands_in_brackets(gate):
    assert f"@[fd00::1]:{gate.port}/" in gate.url("fd00::1")


@pytest.mark.parametrize(
    "dsn",
    [
        "mysql://bob:s3cret@db/shop",
        "host=db password=s3cret",
        "postgresql://bob:s3cret@db:port/shop",
        "postgresql://bob:s3cret@[::1/shop",
        "postgresql://bob:s3cret@h1:1,h2:2,h3:3/shop?port=1,2",
        "",
    ],
)
def test_a_dsn_that_is_none_is_refused_without_telling_its_password(dsn):
    with pytest.raises(NodeError, match="expected postgresql://user@host:port/database") as caught:
        Gate(dsn)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_the_gate_shows_where_it_leads_and_no_password(far):
    gate = Gate(far.dsn)
    assert repr(gate) == f"<Gate to 127.0.0.1:{far.port}: closed>"
    with gate:
        assert repr(gate) == f"<Gate to 127.0.0.1:{far.port}: open at 127.0.0.1:{gate.port}, 0 connections>"
        gate.freeze()
        assert "frozen" in repr(gate)
        gate.cut()
        assert "cut" in repr(gate)


def test_of_several_servers_the_first_that_answers_is_taken(far):
    gone = Far()
    gone.refuse()
    with Gate(f"postgresql://bob@127.0.0.1:{gone.port},127.0.0.1:{far.port}/shop") as gate:
        far.keep(socket.create_connection(("127.0.0.1", gate.port), PATIENCE)).sendall(b"x")
        assert read(far.accept(), 1) == b"x"
    gone.close()


# PostgreSQL


@pytest.fixture
def server():
    return os.environ["BRIDGE_TEST_DSN"]


async def test_postgresql_is_reached_by_a_socket_and_by_tcp(server):
    with Gate(server) as first, Gate(first.url()) as second:
        for gate in (first, second):
            conn = await asyncpg.connect(gate.url())
            assert len(await conn.fetchval("select repeat('x', 30000000)")) == 30_000_000
            await conn.close()


async def test_a_query_through_a_frozen_gate_is_answered_once_it_is_thawed(server):
    with Gate(server) as gate:
        conn = await asyncpg.connect(gate.url())
        gate.freeze()
        asked = asyncio.create_task(conn.fetchval("select 7"))
        done, _ = await asyncio.wait([asked], timeout=SILENCE)
        assert not done
        gate.thaw()
        assert await asked == 7
        await conn.close()


async def test_a_session_that_is_cut_off_ends_at_the_server_too(server, database):
    with Gate(server) as gate:
        conn = await asyncpg.connect(gate.url())
        session = conn.get_server_pid()
        gate.cut()
        with pytest.raises((asyncpg.ConnectionDoesNotExistError, ConnectionError)):
            await conn.fetchval("select 1")
        watcher = await asyncpg.connect(database)
        async with asyncio.timeout(PATIENCE):
            gone = "select not exists (select from pg_stat_activity where pid = $1)"
            while not await watcher.fetchval(gone, session):  # noqa: ASYNC110 - no event tells of a session's end
                await asyncio.sleep(0.01)
        await watcher.close()
        gate.mend()
        conn = await asyncpg.connect(gate.url())
        assert await conn.fetchval("select 1") == 1
        await conn.close()
