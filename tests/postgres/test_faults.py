"""A full disk is told as one, wherever it strikes."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bridge.errors import DiskFull, ServerError
from bridge.postgres import Server
from bridge.postgres.faults import Fault
from bridge.postgres.folder import Folder

from .rig import HASTE


@pytest.fixture
def small_disk(place: Path) -> Iterator[Callable[[str], Path]]:
    """Mount a file system with the given limits."""
    disk = place / "disk"
    disk.mkdir()

    def mount(options: str) -> Path:
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", disk], capture_output=True, check=False)
        if made.returncode != 0:
            pytest.skip(f"a small file system can't be mounted here: {made.stderr.decode().strip()}")
        return disk

    yield mount
    subprocess.run(["umount", disk], capture_output=True, check=False)


def test_disk_too_small_for_the_data(small_disk: Callable[[str], Path]) -> None:
    disk = small_disk("size=20m,mode=755")
    server = Server(disk / "data", settings=HASTE)

    with pytest.raises(DiskFull, match=r"no space is left on the disk of .*/disk/data; free some"):
        server.start()
    assert not list(server.data_dir.glob("initdb-*"))
    assert not (server.data_dir / "pgdata").exists()
    server.destroy()


def test_disk_too_full_for_the_folder(small_disk: Callable[[str], Path]) -> None:
    disk = small_disk("nr_inodes=2,mode=755")

    with pytest.raises(DiskFull, match=r"No space is left for the server's data in .*: free some"):
        Server(disk / "deep" / "data", settings=HASTE).start()


def test_disk_that_filled_up_keeps_the_data_until_there_is_space(small_disk: Callable[[str], Path]) -> None:
    disk = small_disk("size=80m,mode=755")
    server = Server(disk / "data", settings={**HASTE, "shared_buffers": "1MB"})
    server.start()
    server.stop()
    subprocess.run(["dd", "if=/dev/zero", f"of={disk / 'filler'}", "bs=4k"], capture_output=True, check=False)

    with pytest.raises(DiskFull):
        server.start()
    (disk / "filler").unlink()
    assert server.start().running
    server.destroy()


def test_full_shared_memory_is_not_taken_for_a_full_disk(place: Path) -> None:
    words = 'FATAL:  could not resize shared memory segment "/PostgreSQL.1" to 8 bytes: No space left on device'
    error = Fault("PostgreSQL did not start", words, Folder(place)).error()

    assert not isinstance(error, DiskFull)
    assert "--shm-size" in str(error)


def test_unknown_fault_quotes_the_last_lines(place: Path) -> None:
    words = "\n".join(f"line {number}" for number in range(30))
    error = Fault("PostgreSQL did not start", words, Folder(place)).error()

    assert type(error) is ServerError
    assert "line 29" in str(error)
    assert "line 21" not in str(error)
