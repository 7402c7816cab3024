"""The life cycle of one server, seen from one process."""

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import asyncpg
import pytest

from bridge.errors import DataFolderError, InvalidSetting, PortTaken, ServerError
from bridge.postgres import Server, Status, temporary_server

from .rig import HASTE, PATIENCE, PSQL, client, value, wait_until


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    """One server for the tests that leave it as it was."""
    with temporary_server() as server:
        yield server


def test_first_start_makes_a_server_with_the_database(new_server: Server, place: Path) -> None:
    status = new_server.start()

    assert status == new_server.status()
    assert (status.running, status.data_dir, status.port, status.tcp_url) == (True, place / "data", None, None)
    assert value(status.url, "select current_database()::text") == "bridge"
    assert value(status.url, "show server_version") == status.version


def test_server_keeps_unicode_in_utc_with_room_for_many_and_full_durability(place: Path) -> None:
    server = Server(place / "data")
    url = server.start().url
    names = ("server_encoding", "timezone", "max_connections", "fsync", "synchronous_commit", "full_page_writes")
    try:
        assert [value(url, f"show {name}") for name in names] == ["UTF8", "UTC", "200", "on", "on", "on"]
        assert value(url, "select upper('ñandú čaj')") == "ÑANDÚ ČAJ"
    finally:
        server.destroy()


def test_socket_is_the_only_way_in_unless_a_port_is_asked_for(running: Server) -> None:
    assert value(running.url(), "show listen_addresses") == ""


def test_second_start_finds_the_first(running: Server) -> None:
    assert Server(running.data_dir).start() == running.start() == running.status()


def test_data_and_url_stay_over_a_stop(server: Server) -> None:
    url = server.start().url
    value(url, "create table kept as select 42 as answer")
    assert server.stop() is True

    assert server.start().url == url
    assert value(url, "select answer from kept") == 42


def test_stop_of_a_server_that_does_not_run_says_so(server: Server, place: Path) -> None:
    assert server.stop() is False
    assert Server(place / "missing").stop() is False
    server.start()
    assert server.stop() is True
    assert server.stop() is False
    assert server.status() == Status(running=False, data_dir=server.data_dir)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_stop_ends_connections(server: Server, mode: Literal["fast", "immediate"]) -> None:
    with client(server.start().url) as process:
        assert server.stop(mode) is True
        assert b"1 row" not in process.communicate(b"select 1;\n", timeout=PATIENCE)[0]


def test_smart_stop_waits_for_connections(server: Server) -> None:
    with client(server.start().url) as process:
        stopping = threading.Thread(target=server.stop, args=["smart"])
        stopping.start()
        wait_until(lambda: "received smart shutdown request" in (server.data_dir / "log/server.log").read_text())
        assert stopping.is_alive()
        assert process.poll() is None
    stopping.join(PATIENCE)

    assert not server.status().running


async def test_server_starts_inside_a_running_event_loop(running: Server) -> None:
    conn = await asyncpg.connect(running.start().url)
    assert await conn.fetchval("select 1") == 1
    await conn.close()


def test_url_serves_asyncpg_and_psql_whatever_the_environment_says(
    running: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGHOST", "elsewhere.invalid")
    monkeypatch.setenv("PGDATABASE", "other")
    asked = [str(PSQL), "-XAtd", running.url(), "-c", "select current_database()"]

    assert subprocess.run(asked, capture_output=True, check=True).stdout == b"bridge\n"
    assert value(running.url(), "select current_database()::text") == "bridge"


def test_start_ignores_the_environment_of_other_servers(new_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGDATA", "/nonexistent")
    monkeypatch.setenv("PGOPTIONS", "--nonsense")
    monkeypatch.setenv("LC_ALL", "xx_YY.UTF-8")
    monkeypatch.setenv("TZ", "Asia/Tokyo")

    assert value(new_server.start().url, "show timezone") == "UTC"


def test_url_names_any_database(running: Server) -> None:
    value(running.url(), 'create database "a/b c?"')

    assert value(running.url("a/b c?"), "select current_database()::text") == "a/b c?"


def test_url_of_a_stopped_server_is_an_error_with_the_mend(server: Server) -> None:
    with pytest.raises(ServerError, match=r"not running: start it with `bridge db start`"):
        server.url()


def test_missing_database_is_made_again_even_while_somebody_uses_the_template(running: Server) -> None:
    value(running.url("postgres"), "drop database bridge")
    with client(running.url("template1")):
        running.start()

    assert value(running.url(), "select 1") == 1


def test_server_full_of_connections_still_counts_as_running(server: Server) -> None:
    few = {"max_connections": "4", "superuser_reserved_connections": "0", "max_wal_senders": "0"}
    server = Server(server.data_dir, settings={**HASTE, **few})
    status = server.start()
    with ExitStack() as clients:
        for _ in range(4):
            clients.enter_context(client(status.url))
        assert server.status().running
        assert server.start().pid == status.pid
        assert server.stop() is True


def test_settings_reach_the_server(server: Server) -> None:
    odd = 'it\'s $HOME "x" \\ `id`'
    url = Server(server.data_dir, settings={"Work_Mem": "17MB", "bridge_test.odd": odd}).start().url

    assert value(url, "show work_mem") == "17MB"
    assert value(url, "show bridge_test.odd") == odd


@pytest.mark.parametrize("name", ["work mem", "-c", "", "a.b.c", "wörk", "port", "LISTEN_ADDRESSES", "data_directory"])
def test_setting_that_can_not_be_is_refused_before_anything_happens(place: Path, name: str) -> None:
    with pytest.raises(InvalidSetting, match="settings"):
        Server(place / "data", settings={name: "1"})


@pytest.mark.parametrize("given", ["a\0b", 64])
def test_value_that_is_no_text_is_refused(place: Path, given: Any) -> None:
    with pytest.raises(InvalidSetting, match=r"settings\.work_mem"):
        Server(place / "data", settings={"work_mem": given})


def test_setting_that_postgresql_refuses_is_quoted(server: Server) -> None:
    for name, given in [("no_such_setting", "1"), ("work_mem", "plenty"), ("work_mem", "1")]:
        mend = rf"(?s)mend `settings`.*{name}.*server\.log"
        with pytest.raises(ServerError, match=mend):
            Server(server.data_dir, settings={name: given}).start()
        assert not server.status().running


@pytest.mark.parametrize("port", [-1, 65536])
def test_port_that_can_not_be_is_refused(place: Path, port: int) -> None:
    with pytest.raises(InvalidSetting, match="port"):
        Server(place / "data", port=port)


def test_port_zero_takes_a_free_one_and_keeps_the_socket(server: Server) -> None:
    status = Server(server.data_dir, port=0).start()

    assert status.tcp_url == server.url(tcp=True) == f"postgresql://postgres@127.0.0.1:{status.port}/bridge"
    assert value(status.tcp_url, "select host(inet_server_addr())") == "127.0.0.1"
    assert value(status.url, "select host(inet_server_addr())") is None
    for port in (None, 0, status.port):
        assert Server(server.data_dir, port=port).start() == status


def test_port_of_another_program_is_named_and_the_data_are_unharmed(server: Server) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        told = rf"(?s)another program listens on port {port} .*--port.*Address already in use.*server\.log"
        with pytest.raises(PortTaken, match=told):
            Server(server.data_dir, port=port, settings=HASTE).start()

    assert server.start().running


def test_port_for_a_server_that_runs_without_one_is_an_error_with_the_mend(running: Server) -> None:
    with pytest.raises(ServerError, match=r"to have port 50999, and it runs with only its socket: stop it"):
        Server(running.data_dir, port=50999).start()
    with pytest.raises(ServerError, match=r"no TCP port: give it one"):
        running.url(tcp=True)
    assert value(running.url(), "select 1") == 1


def test_destroy_leaves_nothing_and_may_be_repeated(server: Server, place: Path) -> None:
    server.start()
    server.destroy()
    server.destroy()

    assert list(place.iterdir()) == []


def test_destroy_spares_what_others_put_into_the_folder(server: Server) -> None:
    server.start()
    (server.data_dir / "notes.txt").write_text("mine")
    server.destroy()

    assert [entry.name for entry in server.data_dir.iterdir()] == ["notes.txt"]
    shutil.rmtree(server.data_dir)


def test_folder_of_somebody_else_is_neither_used_nor_deleted(place: Path) -> None:
    (place / "thesis.txt").write_text("mine")
    server = Server(place, settings=HASTE)

    with pytest.raises(DataFolderError, match=r"to be empty or made by Bridge, and it holds thesis\.txt"):
        server.start()
    with pytest.raises(DataFolderError, match="not made by Bridge, so it is not deleted"):
        server.destroy()
    assert server.stop() is False
    assert [entry.name for entry in place.iterdir()] == ["thesis.txt"]


def test_fresh_file_system_counts_as_empty(place: Path) -> None:
    (place / "lost+found").mkdir()
    server = Server(place, settings=HASTE)
    server.start()
    server.destroy()

    assert [entry.name for entry in place.iterdir()] == ["lost+found"]
