"""The gate between a node and PostgreSQL: what passes, what doesn't, and who learns of it."""

import asyncio
import hashlib
import os
import random
import socket
import threading
import time
from contextlib import suppress

import asyncpg
import pytest

from bridge.errors import NodeError
from bridge.testing.interop import Gate

SILENCE = 0.2  # seconds in which nothing comes


class Far:
    """A server that hands over its ends of the connections; `dsn` leads to it."""

    def __init__(self, port=0):
        self.listener = socket.create_server(("127.0.0.1", port))
        self.listener.settimeout(10)
        self.port = self.listener.getsockname()[1]
        self.dsn = f"postgresql://someone:s3cret@127.0.0.1:{self.port}/somewhere"
        self.ends = [self.listener]

    def accept(self, timeout=10):
        self.listener.settimeout(timeout)
        end, _ = self.listener.accept()
        return self.keep(end)

    def keep(self, end):
        end.settimeout(10)
        self.ends.append(end)
        return end

    def close(self):
        for end in self.ends:
            end.close()


@pytest.fixture
def far():
    server = Far()
    yield server
    server.close()


@pytest.fixture
def gate(far):
    with Gate(far.dsn) as opened:
        yield opened


@pytest.fixture
def connect(gate, far):
    """A function that returns both ends of a connection by way of the gate."""

    def ends():
        near = far.keep(socket.create_connection(("127.0.0.1", gate.port), 10))
        return near, far.accept()

    return ends


def silent(end):
    """Whether neither bytes nor an end come."""
    end.settimeout(SILENCE)
    try:
        end.recv(1)
    except TimeoutError:
        return True
    finally:
        end.settimeout(10)
    return False


def read(end, size):
    got = b""
    while len(got) < size and (more := end.recv(size - len(got))):
        got += more
    return got


def is_reset(end):
    with pytest.raises(ConnectionResetError):
        end.recv(1)
    return True


def is_turned_away(gate, far):
    """Whether a connection is ended at once, be it before the caller knows that it stands."""
    with pytest.raises(ConnectionResetError):
        far.keep(socket.create_connection(("127.0.0.1", gate.port), 10)).recv(1)
    return True


def refused(gate):
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", gate.port), 10)
    return True


# What passes


def test_bytes_pass_both_ways(connect):
    near, end = connect()
    near.sendall(b"question")
    assert read(end, 8) == b"question"
    end.sendall(b"answer")
    assert read(near, 6) == b"answer"


def test_an_end_passes_after_the_bytes_and_the_other_direction_goes_on(connect):
    near, end = connect()
    near.sendall(b"last")
    near.shutdown(socket.SHUT_WR)

    assert read(end, 5) == b"last"
    end.sendall(b"more")
    assert read(near, 4) == b"more"
    end.close()
    assert near.recv(1) == b""


def test_a_reset_passes_as_a_reset(connect):
    near, end = connect()
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    end.close()
    assert is_reset(near)


def test_much_passes_both_ways_at_once_and_unchanged(connect):
    near, end = connect()
    data = random.Random(1).randbytes(1 << 20)
    sums = {}

    def write(to):
        for _ in range(40):
            to.sendall(data)
        to.shutdown(socket.SHUT_WR)

    def digest(name, source):
        seen = hashlib.sha256()
        while got := source.recv(1 << 16):
            seen.update(got)
        sums[name] = seen.hexdigest()

    tasks = [(write, (near,)), (write, (end,)), (digest, ("far", end)), (digest, ("near", near))]
    threads = [threading.Thread(target=task, args=args) for task, args in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    expected = hashlib.sha256(data * 40).hexdigest()
    assert sums == {"far": expected, "near": expected}


def test_a_reader_that_does_not_read_holds_up_the_writer(connect):
    near, _end = connect()
    near.setblocking(False)
    sent, block = 0, bytes(1 << 20)
    last = time.monotonic()
    while time.monotonic() - last < SILENCE and sent < 1 << 28:
        with suppress(BlockingIOError):
            sent += near.send(block)
            last = time.monotonic()
    assert sent < 1 << 26


def test_one_connection_that_stalls_does_not_hold_up_another(connect):
    stalled, _ = connect()
    stalled.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            stalled.send(bytes(1 << 20))
    near, end = connect()
    near.sendall(b"x")
    assert read(end, 1) == b"x"


def test_connections_are_counted(gate, connect):
    assert (gate.taken, gate.standing) == (0, 0)
    connect()
    connect()
    assert (gate.taken, gate.standing) == (2, 2)
    gate.drop()
    assert (gate.taken, gate.standing) == (2, 0)


# Cut and mended


def test_a_cut_resets_what_stands_at_both_ends_and_refuses_what_comes(gate, connect):
    near, end = connect()
    gate.cut()
    assert is_reset(near)
    assert is_reset(end)
    assert refused(gate)


def test_a_cut_gate_keeps_its_port_and_takes_connections_there_once_mended(gate, connect):
    port = gate.port
    gate.cut()
    gate.cut()
    with pytest.raises(OSError, match="in use"):
        socket.create_server(("127.0.0.1", port))
    gate.mend()
    gate.mend()
    near, end = connect()
    near.sendall(b"back")
    assert (gate.port, read(end, 4)) == (port, b"back")


def test_a_drop_resets_what_stands_and_takes_what_comes(gate, connect):
    near, end = connect()
    gate.drop()
    assert is_reset(near)
    assert is_reset(end)
    near, end = connect()
    near.sendall(b"x")
    assert read(end, 1) == b"x"


# Frozen


def test_a_frozen_gate_delivers_nothing_until_it_is_thawed(gate, connect):
    near, end = connect()
    gate.freeze()
    near.sendall(b"question")
    end.sendall(b"answer")
    assert silent(end)
    assert silent(near)
    gate.thaw()
    assert (read(end, 8), read(near, 6)) == (b"question", b"answer")


def test_nobody_learns_through_a_frozen_gate_that_the_other_has_gone(gate, connect):
    near, end = connect()
    gate.freeze()
    near.close()
    assert silent(end)
    gate.thaw()
    assert end.recv(1) == b""


def test_connections_to_a_frozen_gate_are_made_and_not_answered(gate, far):
    gate.freeze()
    near = far.keep(socket.create_connection(("127.0.0.1", gate.port), 10))
    near.sendall(b"hello")
    with pytest.raises(TimeoutError):
        far.accept(SILENCE)
    gate.thaw()
    assert read(far.accept(), 5) == b"hello"


def test_a_frozen_gate_can_be_cut_and_stays_frozen_when_mended(gate, connect, far):
    near, _ = connect()
    gate.freeze()
    gate.cut()
    assert is_reset(near)
    gate.mend()
    far.keep(socket.create_connection(("127.0.0.1", gate.port), 10))
    with pytest.raises(TimeoutError):
        far.accept(SILENCE)


def test_what_is_under_way_when_the_gate_is_frozen_stays_there(gate, connect):
    near, end = connect()
    gate.delay(SILENCE / 2)
    near.sendall(b"question")
    time.sleep(SILENCE / 4)  # so that it was read before
    gate.freeze()
    time.sleep(SILENCE / 2)  # so that it is due
    gate.delay(0)
    assert silent(end)
    gate.thaw()
    assert read(end, 8) == b"question"


# Late


def test_a_delayed_answer_takes_the_delay_twice(gate, connect):
    near, end = connect()
    gate.delay(0.1)
    began = time.monotonic()
    near.sendall(b"question")
    read(end, 8)
    asked = time.monotonic() - began
    end.sendall(b"answer")
    read(near, 6)
    answered = time.monotonic() - began
    assert asked >= 0.1
    assert answered >= 0.2


def test_a_delay_that_ends_puts_nothing_out_of_order(gate, connect):
    near, end = connect()
    gate.delay(0.2)
    near.sendall(b"first ")
    time.sleep(0.05)  # so that it was read before the delay ended
    gate.delay(0)
    near.sendall(b"second")
    near.shutdown(socket.SHUT_WR)
    assert read(end, 13) == b"first second"


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_a_delay_that_can_not_be_is_refused(gate, seconds):
    with pytest.raises(NodeError, match="expected seconds, 0 or more"):
        gate.delay(seconds)


# The server


def test_without_a_server_connections_are_ended_and_the_log_tells_why(gate, far, caplog):
    far.listener.close()
    assert is_turned_away(gate, far)
    assert f"could not reach PostgreSQL, and ended a connection: ('127.0.0.1', {far.port}): Connection" in caplog.text
    assert gate.standing == 0


def test_a_server_that_comes_back_is_reached_again(gate, far):
    far.listener.close()
    assert is_turned_away(gate, far)
    again = Far(far.port)
    try:
        far.keep(socket.create_connection(("127.0.0.1", gate.port), 10)).sendall(b"x")
        assert read(again.accept(), 1) == b"x"
    finally:
        again.close()


# Life


def test_a_closed_gate_leaves_no_thread_no_port_and_no_connection(far):
    gate = Gate(far.dsn)
    gate.open()
    port = gate.port
    near = far.keep(socket.create_connection(("127.0.0.1", port), 10))
    far.accept()
    gate.close()
    gate.close()

    assert is_reset(near)
    assert not [thread for thread in threading.enumerate() if thread.name == "bridge-gate"]
    socket.create_server(("127.0.0.1", port)).close()


def test_a_gate_that_is_not_open_says_so(far):
    gate = Gate(far.dsn)
    for ask in (gate.cut, gate.mend, gate.freeze, gate.thaw, gate.drop, gate.url, lambda: gate.delay(1)):
        with pytest.raises(NodeError, match="not open"):
            ask()
    with gate, pytest.raises(NodeError, match="open already"):
        gate.open()


def test_an_address_of_another_machine_is_refused(far):
    with pytest.raises(NodeError, match=r"can't listen on 203\.0\.113\.1: .*name an address of this machine"):
        Gate(far.dsn, bind="203.0.113.1").open()


def test_the_gate_obeys_several_threads_at_once(gate, connect, far):
    def meddle(seed):
        chance = random.Random(seed)
        for _ in range(100):
            chance.choice([gate.cut, gate.mend, gate.freeze, gate.thaw, gate.drop, lambda: gate.delay(0.001)])()
            with suppress(OSError), socket.create_connection(("127.0.0.1", gate.port), 1) as near:
                near.sendall(b"x" * 1000)

    threads = [threading.Thread(target=meddle, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    gate.cut()
    gate.thaw()
    gate.delay(0)
    gate.mend()
    with suppress(TimeoutError):  # what the threads left
        while True:
            far.accept(SILENCE)

    assert gate.standing == 0
    near, end = connect()
    near.sendall(b"calm")
    assert read(end, 4) == b"calm"


# DSNs


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
    gone.close()
    with Gate(f"postgresql://bob@127.0.0.1:{gone.port},127.0.0.1:{far.port}/shop") as gate:
        far.keep(socket.create_connection(("127.0.0.1", gate.port), 10)).sendall(b"x")
        assert read(far.accept(), 1) == b"x"


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
        async with asyncio.timeout(10):
            gone = "select not exists (select from pg_stat_activity where pid = $1)"
            while not await watcher.fetchval(gone, session):  # noqa: ASYNC110 - no event tells of a session's end
                await asyncio.sleep(0.01)
        await watcher.close()
        gate.mend()
        conn = await asyncpg.connect(gate.url())
        assert await conn.fetchval("select 1") == 1
        await conn.close()
