"""Who runs the server: root lends it an account and changes nothing around the data; others use their own."""

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.errors import DataFolderError, ServerError
from bridge.postgres import Server
from bridge.postgres.account import Account

from .rig import HASTE, OTHER, as_root, give, processes_of, python, run_as_other, value

pytestmark = as_root


def owner_of(pid: int | None) -> str:
    return pwd.getpwuid(Path(f"/proc/{pid}").stat().st_uid).pw_name


def permissions(*paths: Path) -> list[tuple[int, int, int]]:
    return [(found.st_mode, found.st_uid, found.st_gid) for found in (path.stat() for path in paths)]


def test_roots_server_runs_as_another_user_and_nothing_outside_changes(new_server: Server, place: Path) -> None:
    server = new_server
    outside = [place, *place.parents, place / "neighbour"]
    (place / "neighbour").mkdir(mode=0o700)
    before = permissions(*outside)
    status = server.start()

    assert owner_of(status.pid) in {"postgres", "nobody"}
    assert permissions(*outside) == before
    assert (server.data_dir / "pgdata").stat().st_mode & 0o777 == 0o700
    assert (server.data_dir / "run").stat().st_mode & 0o777 == 0o700
    assert value(status.url, "select 1") == 1


def test_server_has_none_of_roots_groups_and_a_bare_environment(server: Server) -> None:
    script = """
import os, sys
from pathlib import Path
from bridge.postgres import Server
os.setgroups([0, 4])
os.environ["DATABASE_PASSWORD"] = "secret"
print(Server(Path(sys.argv[1])).start().pid)
"""
    pid = int(python(script, server.data_dir).communicate(timeout=60)[0])
    facts = Path(f"/proc/{pid}/status").read_text()

    assert "\nGroups:\t" in facts
    assert facts.partition("\nGroups:\t")[2].partition("\n")[0].split() == []
    assert "secret" not in Path(f"/proc/{pid}/environ").read_text()


def test_parent_that_is_closed_to_the_servers_user_is_named_and_stays_closed(place: Path) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    for data_dir in (closed / "data", closed / "deep" / "data"):
        with pytest.raises(DataFolderError, match=rf"and {closed}, on the way to .* /var/lib/oban-bridge"):
            Server(data_dir, settings=HASTE).start()

    assert closed.stat().st_mode & 0o777 == 0o700
    assert list(closed.iterdir()) == []


def test_closed_folder_of_our_own_is_opened_just_enough(place: Path) -> None:
    (place / "data").mkdir(mode=0o700)
    server = Server(place / "data", settings=HASTE)
    server.start()

    assert server.data_dir.stat().st_mode & 0o777 == 0o711
    server.destroy()


def test_strict_umask_shuts_nobody_out(place: Path) -> None:
    script = """
import os, sys
from pathlib import Path
from bridge.postgres import Server
os.umask(0o077)
server = Server(Path(sys.argv[1]), settings={"fsync": "off"})
print(server.start().running)
server.destroy()
"""
    assert python(script, place / "new" / "deep" / "data").communicate(timeout=60) == ("True\n", "")


def test_owner_of_the_folder_runs_its_server(place: Path) -> None:
    server = Server(give(place / "data"), settings=HASTE)
    status = server.start()

    assert owner_of(status.pid) == OTHER
    server.stop()
    assert run_as_other("print(Server(place / 'data').start().running)", place) == "True\n"
    assert server.status().running
    server.destroy()


def test_user_of_sudo_runs_the_server_and_keeps_it(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_UID", str(pwd.getpwnam("daemon").pw_uid))
    server = Server(place / "data", settings=HASTE)
    assert owner_of(server.start().pid) == "daemon"
    server.stop()
    monkeypatch.delenv("SUDO_UID")

    assert owner_of(server.start().pid) == "daemon"
    server.destroy()


@pytest.mark.parametrize("number", ["0", "", "x", "4242424"])
def test_sudo_by_nobody_we_know_gives_the_usual_account(number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_UID", number)

    assert Account.for_data().name in {"postgres", "nobody"}


def test_root_that_may_not_become_another_user_is_told_so(place: Path) -> None:
    script = """
import sys
from pathlib import Path
from bridge.errors import ServerError
from bridge.postgres import Server
try:
    Server(Path(sys.argv[1])).start()
except ServerError as error:
    print(error)
"""
    bound = ["setpriv", "--bounding-set=-setuid,-setgid", "--inh-caps=-setuid,-setgid"]
    said = subprocess.run(
        [*bound, sys.executable, "-c", script, place / "data"], capture_output=True, text=True, check=True
    )
    assert "PostgreSQL does not run as root, and root may not become" in said.stdout
    assert "or pass a DSN" in said.stdout


def test_ordinary_user_starts_finds_stops_and_destroys_a_server(place: Path) -> None:
    give(place / "home")
    script = """
place = place / "home" / "data"
server = Server(place, settings={"fsync": "off"})
status = server.start()
assert status == Server(place).start()
async def ask():
    conn = await asyncpg.connect(status.url)
    print(await conn.fetchval("select current_user::text"))
    await conn.close()
asyncio.run(ask())
print(os.stat(place).st_mode & 0o777 == 0o700, os.stat(f"/proc/{status.pid}").st_uid == os.getuid())
print(server.stop(), server.stop(), server.start().running)
server.destroy()
print(place.exists())
"""
    assert run_as_other(script, place) == "postgres\nTrue True\nTrue False True\nFalse\n"


def test_ordinary_user_has_temporary_servers(place: Path) -> None:
    script = """
with temporary_server() as server:
    print(server.status().running)
print(server.data_dir.exists())
"""
    assert run_as_other(script, place) == "True\nFalse\n"


def test_server_of_another_user_is_told_and_left_alone(server: Server, place: Path) -> None:
    status = server.start()
    script = """
from bridge.errors import DataFolderError
for act in ("start", "status", "stop", "destroy"):
    try:
        getattr(Server(place / "data"), act)()
    except DataFolderError as error:
        print(act, "Permission denied" in str(error), "--data-dir" in str(error))
"""
    assert run_as_other(script, place) == "".join(
        f"{act} True True\n" for act in ("start", "status", "stop", "destroy")
    )
    assert server.status() == status


def test_user_without_an_entry_is_told_what_postgresql_misses(place: Path) -> None:
    os.chown(give(place / "data"), 4242, 4242)

    with pytest.raises(ServerError, match="needs an entry in /etc/passwd"):
        Server(place / "data", settings=HASTE).start()
    assert not processes_of(place)
