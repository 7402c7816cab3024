"""Data folders with awkward paths, and where the folder is when none is named."""

import subprocess
from pathlib import Path

import pytest

from bridge.errors import DataFolderError
from bridge.postgres import Server, default_data_dir

from .rig import HASTE, PSQL, as_root, kill, python, run_as_other, value


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("with space", id="space"),
        pytest.param("$HOME `id` & 100%25?x=1#y;", id="shell and URL"),
        pytest.param('it\'s a "daten-übung", 資料 \\y', id="quotes and Unicode"),
        pytest.param("/".join(["long" * 15] * 4), id="long"),
    ],
)
def test_any_path_serves(place: Path, name: str) -> None:
    server = Server(place / name / "data", settings=HASTE)
    status = server.start()
    socket_dir = Path(value(status.url, "select trim('\"' from current_setting('unix_socket_directories'))"))
    try:
        assert socket_dir.stat().st_mode & 0o777 == 0o700
        said = subprocess.run(
            [PSQL, "-XAtc", "show data_directory", server.url()], capture_output=True, text=True, check=True
        )
        assert said.stdout == f"{place / name / 'data' / 'pgdata'}\n"
        assert Server(server.data_dir).status() == status
        assert server.stop()
        assert server.start().url == status.url
    finally:
        server.destroy()
    assert not socket_dir.exists()


def test_killed_server_with_a_long_path_leaves_no_socket_folder(server: Server, place: Path) -> None:
    server = Server(server.data_dir.rename(place / ("long" * 30)), settings=HASTE)
    status = server.start()
    socket_dir = Path(value(status.url, "select trim('\"' from current_setting('unix_socket_directories'))"))
    kill(status.pid)
    server.destroy()

    assert not socket_dir.exists()


def test_socket_folder_that_a_stranger_made_is_not_used(server: Server, place: Path) -> None:
    server = Server(server.data_dir.rename(place / ("long" * 30)), settings=HASTE)
    sql = "select trim('\"' from current_setting('unix_socket_directories'))"
    usual = Path(value(server.start().url, sql))
    server.stop()
    usual.mkdir(mode=0o777)
    usual.chmod(0o777)
    try:
        other = Path(value(server.start().url, sql))
        assert other != usual
        assert other.stat().st_mode & 0o777 == 0o700
        assert Server(server.data_dir).status().running
    finally:
        server.destroy()
        usual.rmdir()
    assert not other.exists()


def test_links_to_the_folder_lead_to_the_same_server(server: Server, place: Path) -> None:
    status = server.start()
    (place / "link").symlink_to(server.data_dir)

    assert Server(place / "link").status() == status


def test_relative_path_is_taken_from_where_we_are(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(server.data_dir.parent)

    assert Server(Path("data")).data_dir == server.data_dir


@pytest.mark.parametrize("name", ["line\nbreak", "~no-such-user-here/x", "nul\0"])
def test_path_that_can_not_be_is_refused(name: str) -> None:
    with pytest.raises(DataFolderError, match="--data-dir"):
        Server(Path(name))


def test_file_in_the_way_is_told_with_the_mend(place: Path) -> None:
    (place / "file").touch()

    for path in (place / "file", place / "file" / "data"):
        with pytest.raises(DataFolderError, match=r"can't be used .* --data-dir or BRIDGE_POSTGRES_DIR"):
            Server(path, settings=HASTE).start()
        assert not Server(path).status().running


def test_default_folder_comes_from_the_environment(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_POSTGRES_DIR", str(place / "chosen"))
    assert default_data_dir() == place / "chosen"
    monkeypatch.chdir(place)
    monkeypatch.setenv("BRIDGE_POSTGRES_DIR", "beside")
    assert default_data_dir() == place / "beside"


@as_root
def test_default_folder_of_root_lies_outside_of_its_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BRIDGE_POSTGRES_DIR", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", "/srv/data")

    assert default_data_dir() == Path("/var/lib/oban-bridge/postgres")


@as_root
def test_default_folder_of_a_user_lies_in_their_data_home(place: Path) -> None:
    script = """
os.environ.pop("BRIDGE_POSTGRES_DIR", None)
for name, value in [("HOME", "/h"), ("XDG_DATA_HOME", "/x"), ("XDG_DATA_HOME", "relative")]:
    os.environ[name] = value
    print(default_data_dir())
"""
    assert run_as_other(script, place).split() == [
        "/h/.local/share/oban-bridge/postgres",
        "/x/oban-bridge/postgres",
        "/h/.local/share/oban-bridge/postgres",
    ]


@as_root
def test_user_whose_home_can_not_be_made_is_told_what_to_set(place: Path) -> None:
    script = """
from bridge.errors import DataFolderError
for name in ("BRIDGE_POSTGRES_DIR", "XDG_DATA_HOME"):
    os.environ.pop(name, None)
try:
    Server().start()
except DataFolderError as error:
    print(error)
"""
    said = run_as_other(script, place)
    assert "/nonexistent" in said
    assert "BRIDGE_POSTGRES_DIR" in said


@as_root
def test_user_without_a_home_is_told_what_to_set(place: Path) -> None:
    script = """
import os
from bridge.errors import DataFolderError
from bridge.postgres import default_data_dir
for name in ("BRIDGE_POSTGRES_DIR", "XDG_DATA_HOME", "HOME"):
    os.environ.pop(name, None)
os.setuid(4242424)
try:
    default_data_dir()
except DataFolderError as error:
    print(error)
"""
    said = python(script).communicate(timeout=60)[0]
    assert "user 4242424 has none: set HOME, or name a folder with BRIDGE_POSTGRES_DIR" in said
