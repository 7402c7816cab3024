"""Which renderer is chosen, and how a PDF gets into its file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from python_demo.badge import Attendee
from python_demo.render import choose, save

PROGRAM = "from python_demo.render import choose; c = choose(); print(c.renderer.name); print(c.note)"


def chosen(**environment: str) -> tuple[str, str]:
    """The renderer and the note of a fresh process."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    name, note = done.stdout.splitlines()
    return name, note


@pytest.mark.skipif(sys.platform != "linux", reason="hides a library the way Linux's loader looks for it")
def test_fpdf2_stands_in_where_a_system_library_can_not_be_loaded(tmp_path: Path) -> None:
    (tmp_path / "libgobject-2.0.so.0").write_bytes(b"")  # found first, and no library
    name, note = chosen(LD_LIBRARY_PATH=str(tmp_path))
    assert name == "fpdf2"
    assert "WeasyPrint lacks the system library libgobject-2.0-0" in note
    assert "install" in note


@pytest.mark.skipif(sys.platform != "linux", reason="hides a library the way Linux's loader looks for it")
def test_the_library_that_makes_weasyprint_fast_is_named_where_it_is_missing(tmp_path: Path) -> None:
    if chosen()[0] != "WeasyPrint" and not os.environ.get("CI"):
        pytest.skip("WeasyPrint's system libraries are not installed")
    (tmp_path / "libharfbuzz-subset.so.0").write_bytes(b"")
    name, note = chosen(LD_LIBRARY_PATH=str(tmp_path))
    assert name.startswith("WeasyPrint")
    assert "libharfbuzz-subset" in note


def test_fpdf2_stands_in_where_weasyprint_is_not_installed(tmp_path: Path) -> None:
    (tmp_path / "weasyprint.py").write_text("raise ImportError('no such package')")
    name, note = chosen(PYTHONPATH=str(tmp_path))
    assert name == "fpdf2"
    assert "pip install weasyprint" in note


def test_the_pdf_is_in_its_file_and_nothing_beside_it(tmp_path: Path) -> None:
    subject = Attendee(1, "Ada", "", "attendee")
    path = tmp_path / "new" / "folder" / subject.filename
    save(subject, path)
    assert path.read_bytes() == choose().renderer.render(subject)
    save(subject, path)
    assert [file.name for file in path.parent.iterdir()] == ["badge-1.pdf"]


def test_a_pdf_that_can_not_be_put_in_its_place_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "badge-1.pdf"
    path.mkdir()
    with pytest.raises(OSError, match="badge-1"):
        save(Attendee(1, "Ada", "", "attendee"), path)
    assert list(tmp_path.iterdir()) == [path]
