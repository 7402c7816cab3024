"""What `bridge start`, and the commands that ask a database, refuse in one line: settings, DSNs, servers."""

import asyncio
from pathlib import Path

import pytest

from .node_process import WORKERS, run


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
@pytest.mark.parametrize("command", [("start", "--queues", "a:1"), ("status",)])
def test_a_certificate_that_is_not_there_is_no_reason_to_wait(
    tmp_path: Path, mode: str, command: tuple[str, ...]
) -> None:
    path = tmp_path / "absent.pem"
    done = run(tmp_path, *command, "--dsn", f"postgresql://u:nobody@127.0.0.1:1/x?sslmode={mode}&sslrootcert={path}")
    assert done.returncode == 1
    assert f"error: sslrootcert: expected a file that can be read, got '{path}'"[:70] in done.stderr
    assert "nobody" not in done.stderr
    assert done.stderr.count("\n") == 1


async def test_a_server_without_tls_is_no_reason_to_wait(tmp_path: Path) -> None:
    ended = asyncio.Event()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)  # PostgreSQL's request for TLS
        writer.write(b"N")
        await reader.read()
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)  # the other side may have reset it
        ended.set()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        dsn = f"postgresql://u:nobody@127.0.0.1:{port}/x?sslmode=require"
        done = await asyncio.to_thread(run, tmp_path, "start", "--queues", "a:1", "--dsn", dsn)
        await ended.wait()
    assert done.returncode == 1
    assert "error: sslmode: expected a mode for a server without TLS, got 'require'" in done.stderr
    assert "nobody" not in done.stderr


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://u:nobody@127.0.0.1/f?nobody",
        f"postgresql://u:nobody@{'h' * 64}.example/f",
        "postgresql://u:nobody@a..b/f",
        "postgresql:///f?host=127.0.0.1&port=nobody",
        "postgresql://u@nobody:nobody@127.0.0.1/f",
    ],
    ids=["an option without a value", "an overlong host", "an empty label", "a port", "two @"],
)
@pytest.mark.parametrize("command", [("start", "--queues", "a:1"), ("status",)], ids=["start", "status"])
def test_a_dsn_that_can_t_be_read_is_refused_in_one_line(tmp_path: Path, dsn: str, command: tuple[str, ...]) -> None:
    done = run(tmp_path, *command, "--dsn", dsn)
    assert done.returncode == 1
    assert done.stderr.startswith("error: dsn: expected ")
    assert "nobody" not in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("given", "ends"), [("7", 0), ("0", 0), ("soon", 1)])
def test_connect_timeout_is_taken_from_the_dsn(tmp_path: Path, installed: str, given: str, ends: int) -> None:
    joint = "&" if "?" in installed else "?"
    done = run(tmp_path, "status", "--dsn", f"{installed}{joint}connect_timeout={given}&application_name=a")
    assert done.returncode == ends, done.stderr
    assert ("error: connect_timeout: expected whole seconds" in done.stderr) == bool(ends)


async def test_connect_timeout_ends_a_silent_connection(tmp_path: Path) -> None:
    ended = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)  # the other side may have reset it
        ended.set()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        dsn = f"postgresql://u@127.0.0.1:{port}/x?sslmode=disable&connect_timeout=1"
        done = await asyncio.to_thread(run, tmp_path, "status", "--dsn", dsn)
        await ended.wait()
    assert done.returncode == 1
    address = f"the database at 127.0.0.1:{port}/x (from argument --dsn)"
    assert f"{address} did not answer: no answer to a new connection" in done.stderr


async def test_names_the_command_that_mends_a_database_without_tables(tmp_path: Path, database: str) -> None:
    done = run(tmp_path, "start", "--dsn", database, "--queues", "a:1")
    assert done.returncode == 1
    assert "bridge install" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("service", ["work_here.Greet", "work_here.Nothing", "Sweep"])
def test_what_is_no_service_is_refused(tmp_path: Path, service: str) -> None:
    (tmp_path / "work_here.py").write_text(WORKERS)
    done = run(tmp_path, "start", "--queues", "a:1", "--dry-run", BRIDGE_SERVICES=service)
    assert done.returncode == 1
    told = f"services: expected a subclass of bridge.maintenance.Service, such as work.Sweep, got {service!r}"
    assert told in done.stderr
    assert "(from environment BRIDGE_SERVICES)" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--queues", "a"), "queues: expected a name and a limit, such as badges:10, got 'a' (from argument --queues)"),
        (("--queues", "a:1,a:2"), "queues: expected each queue once, with commas between, got 'a:2'"),
        (("--queues", "a:1;b:2"), "queues: expected each queue once, with commas between, got 'a:1;b:2'"),
        (
            ("--queues", "a:0"),
            "queues.a.limit: expected an integer from 1 to 2147483647, got 0 (from argument --queues)",
        ),
        ((), "queues: expected at least one queue, got {}; add --queues default:10, or [queues] to bridge.toml"),
        (("--queues", "a:1", "--import", "no_such"), "no module 'no_such' from here or the environment"),
        (("--queues", "a:1", "--node", "a b"), "node: expected a name without white space, got 'a b'"),
        (("--queues", "a:1", "--prefix", "x" * 64), "prefix: expected a schema's name of at most 63 bytes"),
        (
            ("--queues", "a:1", "--dsn", "mysql://u:tell-nobody@h/d"),
            "dsn: expected postgresql://user@host:port/database",
        ),
        (("--queues", "a:1", "--dsn", "postgresql://u:tell:nobody@h:x/d"), "dsn: expected a port from 0 to 65535"),
    ],
)
def test_refuses_bad_settings_in_one_line(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    done = run(tmp_path, "start", *arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert "nobody" not in done.stderr
    assert done.stderr.count("\n") == 1
