"""Servers and their users die, and start at once: one server with its data comes out of it."""

import os
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from bridge.errors import ServerError
from bridge.postgres import Server

from .rig import HASTE, PATIENCE, PSQL, client, kill, processes_of, python, value, wait_until

START = """
import sys
from pathlib import Path
from bridge.postgres import Server
print(Server(Path(sys.argv[1]), settings={"fsync": "off"}).start().pid, flush=True)
sys.stdin.read()
"""


def test_processes_that_start_at_once_get_one_server(new_server: Server) -> None:
    users = [python(START, new_server.data_dir) for _ in range(4)]
    said = [user.communicate(timeout=60) for user in users]

    assert [err for _, err in said] == [""] * 4
    assert {out for out, _ in said} == {f"{new_server.status().pid}\n"}


def test_threads_that_start_and_stop_at_once_take_turns(server: Server) -> None:
    errors = []

    def cycle() -> None:
        try:
            for _ in range(2):
                mine = Server(server.data_dir, settings=HASTE)
                mine.start()
                mine.stop()
        except ServerError as error:
            errors.append(error)

    threads = [threading.Thread(target=cycle) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert len(set(processes_of(server.data_dir))) == 0
    assert server.start().running


def test_server_outlives_the_whole_process_group_of_its_user(server: Server) -> None:
    user = python(START, server.data_dir, start_new_session=True)
    assert user.stdout
    pid = int(user.stdout.readline())
    os.killpg(user.pid, signal.SIGINT)  # Ctrl-C in a terminal
    os.killpg(user.pid, signal.SIGKILL)
    user.communicate()

    found = Server(server.data_dir).start()
    assert found.pid == pid
    assert value(found.url, "select 1") == 1


def test_user_killed_while_the_data_are_made_leaves_no_half_made_server(new_server: Server) -> None:
    user = python(START, new_server.data_dir)
    wait_until(lambda: list(new_server.data_dir.glob("initdb-*/base")))
    user.kill()
    user.communicate()

    assert value(new_server.start().url, "select 1") == 1
    wait_until(lambda: not any("initdb" in command for command in processes_of(new_server.data_dir).values()))
    new_server.stop()
    new_server.start()
    assert not list(new_server.data_dir.glob("initdb-*"))


def test_killed_postmaster_is_started_again_with_its_data(server: Server) -> None:
    first = server.start()
    value(first.url, "create table kept as select 42 as answer")
    kill(first.pid)
    wait_until(lambda: first.pid not in processes_of(server.data_dir))

    assert server.status().running is False
    assert server.stop() is False
    again = server.start()
    assert again.pid != first.pid
    assert value(again.url, "select answer from kept") == 42


def test_start_waits_for_orphaned_backends_of_a_killed_postmaster(server: Server) -> None:
    first = server.start()
    # Nothing but a file of the server's reaches one that is busy and has no postmaster.
    busy = "do $$ begin raise notice 'on'; while pg_stat_file('release', true) is null loop end loop; end $$"
    psql = [str(PSQL), "-X", "-d", server.url(), "-c", busy]
    released: list[bool] = []

    def release() -> None:
        released.append(True)
        (server.data_dir / "pgdata" / "release").touch()

    releasing = threading.Timer(1, release)  # a start that does not wait gets so much time to show it
    with subprocess.Popen(psql, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as client:
        assert client.stderr
        assert b"on" in client.stderr.readline()
        kill(first.pid)
        releasing.start()
        assert server.start().running
        assert released
        client.communicate()


def test_number_of_a_dead_server_that_another_process_has_now_misleads_nobody(server: Server) -> None:
    first = server.start()
    owner = (server.data_dir / "pgdata").stat()
    kill(first.pid)
    wait_until(lambda: first.pid not in processes_of(server.data_dir))
    with subprocess.Popen(["/bin/sleep", "60"], user=owner.st_uid, group=owner.st_gid) as other:
        file = server.data_dir / "pgdata" / "postmaster.pid"
        file.write_text(file.read_text().replace(str(first.pid), str(other.pid), 1))
        for lock in (server.data_dir / "run").glob("*.lock"):
            lock.write_text(lock.read_text().replace(str(first.pid), str(other.pid), 1))

        assert server.status().running is False
        assert server.stop() is False
        assert server.start().running
        assert other.poll() is None
        other.kill()


def test_broken_pid_file_is_no_obstacle(server: Server) -> None:
    server.start()
    for content in ("", "nonsense\n", "-5\n/x\n", "0\n"):
        server.stop()
        (server.data_dir / "pgdata" / "postmaster.pid").write_text(content)

        assert server.status().running is False
        assert server.stop() is False
        assert server.start().running


def test_copy_of_a_running_servers_folder_is_not_the_server(server: Server, place: Path) -> None:
    first = server.start()
    subprocess.run(["cp", "-a", server.data_dir, place / "copy"], check=False)
    copy = Server(place / "copy")

    assert copy.status().running is False
    assert copy.stop() is False
    copy.destroy()
    assert server.status() == first
    assert value(first.url, "select 1") == 1


def test_server_whose_socket_was_deleted_is_told_and_can_be_stopped(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = server.start()
    for entry in (server.data_dir / "run").iterdir():
        entry.unlink()

    monkeypatch.setattr("bridge.postgres.server._PATIENCE", 3_600)  # nothing is worth waiting for
    with pytest.raises(ServerError, match=rf"process {first.pid}\) runs and does not answer .* `bridge db stop`"):
        server.start()
    monkeypatch.undo()
    assert server.stop() is True
    assert server.start().running


def test_start_waits_for_a_server_that_is_stopping(server: Server) -> None:
    first = server.start()
    assert first.pid
    started: list[int | None] = []
    starting = threading.Thread(target=lambda: started.append(server.start().pid))
    with client(first.url):
        os.kill(first.pid, signal.SIGTERM)
        wait_until(lambda: "received smart shutdown request" in (server.data_dir / "log/server.log").read_text())
        starting.start()
    starting.join(PATIENCE)

    assert started == [server.status().pid]
    assert started != [first.pid]


def test_waiting_start_survives_that_the_folder_is_destroyed(server: Server) -> None:
    server.start()
    with server._folder.locked():
        user = python(START, server.data_dir)
        kill(server.status().pid)
        wait_until(lambda: _waits_for_lock(user.pid))
        shutil.rmtree(server.data_dir)
    out, err = user.communicate(timeout=60)

    assert err == ""
    assert out == f"{server.status().pid}\n"


def _waits_for_lock(pid: int) -> bool:
    return any("->" in line and f" {pid} " in line for line in Path("/proc/locks").read_text().splitlines())


def test_log_that_grew_too_long_is_put_aside(server: Server) -> None:
    server.start()
    server.stop()
    log = server.data_dir / "log" / "server.log"
    os.truncate(log, 17 * 2**20)
    server.start()

    assert log.stat().st_size < 2**20
    assert log.with_suffix(".log.1").exists()
