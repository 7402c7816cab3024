"""`bridge start` where no server is there that it can work on: it waits, or says in one line why it doesn't."""

import asyncio
import json
import re
import signal
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from bridge import Oban
from bridge.cli.node import _may_come, _start_when_possible
from bridge.config import Setting
from bridge.engine.schema import install

from .node_process import options, run
from .rig import PATIENCE

#: A name that is nobody's for ever, and an address to which no connection leads, whatever the network.
NAMELESS = "postgresql://u:tell-nobody@nowhere.invalid/x"
UNREACHABLE = "postgresql://u:tell-nobody@224.0.0.1:5432/x"


async def test_waits_for_a_socket_that_is_not_there_yet(node: Any, tmp_path: Path) -> None:
    running = node(*options(f"postgresql://u@/x?host={tmp_path}"))
    assert "FileNotFoundError" in running.until("bridge.waiting")["reason"]
    running.signal(signal.SIGTERM)
    assert running.ends() == 0


async def test_waits_for_a_database_that_is_not_there_yet(node: Any) -> None:
    running = node(*options("postgresql://u:tell-nobody@127.0.0.1:1/x"))
    line = running.until("bridge.waiting")
    assert "ConnectionRefusedError" in line["reason"]
    assert (line["database"], line["source"]) == ("127.0.0.1:1/x", "argument --dsn")
    running.signal(signal.SIGTERM)
    out, err = running.process.communicate(timeout=PATIENCE)
    assert running.process.returncode == 0
    assert "tell-nobody" not in json.dumps(line) + out + err


async def test_waits_for_tables_where_it_is_told_to(node: Any, database: str) -> None:
    running = node("--dsn", database, "--queues", "default:1", "--wait")
    assert "SchemaError" in running.until("bridge.waiting")["reason"]
    conn = await asyncpg.connect(database)
    await install(conn, "public")
    await conn.close()
    running.until("bridge.started")


def writable(dsn: str) -> str:
    return f"{dsn}{'&' if '?' in dsn else '?'}target_session_attrs=read-write"


async def take_no_writes(conn: Any, dsn: str) -> None:
    """Make the database as a standby's in a failover: sessions that begin from now on can't write."""
    name = dsn.partition("?")[0].rpartition("/")[2]
    await conn.execute(f'alter database "{name}" set default_transaction_read_only = on')


async def take_writes(conn: Any, dsn: str) -> None:
    name = dsn.partition("?")[0].rpartition("/")[2]
    await conn.execute(f'alter database "{name}" reset default_transaction_read_only')


def test_waits_until_a_server_takes_writes_where_it_is_told_to(node: Any, installed: str) -> None:
    async def change(how: Any) -> None:
        conn = await asyncpg.connect(installed, server_settings={"default_transaction_read_only": "off"})
        await how(conn, installed)
        await conn.close()

    asyncio.run(change(take_no_writes))
    running = node(*options(writable(installed)), "--wait")
    assert "TargetServerAttributeNotMatched" in running.until("bridge.waiting")["reason"]
    asyncio.run(change(take_writes))
    running.until("bridge.started")
    running.signal(signal.SIGTERM)
    assert running.ends() == 0


async def test_says_in_one_line_that_no_server_takes_writes(tmp_path: Path, installed: str, conn: Any) -> None:
    await take_no_writes(conn, installed)
    done = await asyncio.to_thread(run, tmp_path, "start", "--queues", "a:1", "--dsn", writable(installed))
    assert done.returncode == 1
    assert "has no server of the kind that target_session_attrs asks for; try again" in done.stderr
    assert done.stderr.startswith("error: the database at ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("dsn", "options", "reason"),
    [
        (NAMELESS, ["--wait"], "gaierror"),
        (UNREACHABLE, ["--wait"], "OSError"),
        (UNREACHABLE, [], "OSError"),
    ],
    ids=["no such name", "no way", "no way, without --wait"],
)
def test_waits_for_a_server_to_which_no_way_leads(node: Any, dsn: str, options: list[str], reason: str) -> None:
    running = node("--dsn", dsn, "--queues", "default:1", *options)
    line = running.until("bridge.waiting")
    assert reason in line["reason"]
    running.signal(signal.SIGTERM)
    out, err = running.process.communicate(timeout=PATIENCE)
    assert running.process.returncode == 0
    assert "tell-nobody" not in json.dumps(line) + out + err


@pytest.mark.parametrize("options", [["--wait"], []], ids=["--wait", "without"])
def test_a_signal_ends_the_wait_for_a_server_that_says_nothing(node: Any, options: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        dsn = f"postgresql://u@127.0.0.1:{server.getsockname()[1]}/x?sslmode=disable"
        running = node("--dsn", dsn, "--queues", "default:1", *options)
        with server.accept()[0] as asking:
            asking.recv(8)  # so it handles signals
            running.signal(signal.SIGTERM)
            assert running.until("bridge.stopping")["waiting"] is True
            running.until("bridge.stopped")
            assert running.ends() == 0


async def test_what_is_waited_for_is_told_while_an_attempt_lasts(monkeypatch: Any, caplog: Any) -> None:
    """Twice a minute, though one attempt may take as long as several limits of connections and statements."""
    caplog.set_level("INFO", "oban")
    monkeypatch.setattr("bridge.cli.node._TELL", 0.2)
    reached = asyncio.Queue[None]()

    ended = asyncio.Queue[None]()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.put_nowait(None)
        with suppress(OSError):
            await reader.read()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        ended.put_nowait(None)

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        dsn = f"postgresql://u@127.0.0.1:{port}/x?sslmode=disable&connect_timeout=3"
        oban, stopping = Oban(dsn=dsn, queues={"a": 1}), asyncio.Event()
        starting = asyncio.create_task(_start_when_possible(oban, stopping, Setting("dsn", dsn, "test"), wait=False))
        for _ in range(2):
            await asyncio.wait_for(reached.get(), PATIENCE)
        stopping.set()
        assert await starting is False
        for _ in range(2 + reached.qsize()):
            await asyncio.wait_for(ended.get(), PATIENCE)
    told = [json.loads(text) for text in caplog.messages if "bridge.waiting" in text]
    assert re.fullmatch("no answer for [0-9] s", told[0]["reason"])
    assert any("NoAnswerError" in line["reason"] for line in told)
    assert told[0]["database"] == f"127.0.0.1:{port}/x"


def test_says_in_one_line_that_nobody_knows_the_servers_name(tmp_path: Path) -> None:
    done = run(tmp_path, "start", "--queues", "a:1", "--dsn", NAMELESS)
    assert done.returncode == 1
    assert done.stderr.startswith("error: the database at nowhere.invalid/x (from argument --dsn) can't be found: ")
    assert done.stderr.count("\n") == 1
    assert "tell-nobody" not in done.stderr


async def test_a_host_of_several_addresses_is_waited_for_as_one_of_a_single_one(monkeypatch: Any) -> None:
    loop = asyncio.get_running_loop()

    async def two(*_host: Any, **_options: Any) -> list[Any]:
        stream = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [(*stream, ("127.0.0.1", 1)), (*stream, ("127.0.0.2", 1))]

    monkeypatch.setattr(loop, "getaddrinfo", two)
    with pytest.raises(OSError, match="Multiple exceptions") as found:
        await loop.create_connection(asyncio.Protocol, "two.invalid", 1)
    assert _may_come(found.value)


@pytest.mark.parametrize("error", [PermissionError(13, "no"), socket.gaierror(-2, "no"), OSError(28, "no")], ids=repr)
def test_what_no_waiting_mends_is_not_waited_for(error: OSError) -> None:
    assert not _may_come(error)
