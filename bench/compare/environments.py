"""An environment for each peer, made once below `build/bench` and kept until what it should hold changes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = ROOT / "build" / "bench"
_WANTED: Final = (3, 12)  # what the Python port of Oban needs; all run on the same Python


def find_python() -> Path:
    """Return the Python that all environments are made of: BENCH_PYTHON, else this one or a newer one that is found."""
    for candidate in _candidates():
        if (found := _version(candidate)) and found >= _WANTED:
            return candidate
    sys.stderr.write(
        "No Python 3.12 or later was found (BENCH_PYTHON names one): oban-py, which needs it, will fail.\n"
    )
    return Path(sys.executable)


def interpreter(name: str, requirements: tuple[str, ...], python: Path) -> Path:
    """Return the interpreter of an environment that has the requirements; it is made where it is missing.

    Raises:
        subprocess.CalledProcessError: It could not be made.
    """
    folder = FOLDER / name
    mark, wanted = folder / ".requirements", "\n".join([str(python), *requirements])
    program = folder / "bin" / "python"
    if not (mark.exists() and mark.read_text() == wanted and program.exists()):
        print(f"Making the environment {folder.relative_to(ROOT)} …", flush=True)
        _make(folder, requirements, python)
        mark.write_text(wanted)
    return program


def _make(folder: Path, requirements: tuple[str, ...], python: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if uv := shutil.which("uv"):
        _run(uv, "venv", "--quiet", "--python", python, folder)
        _run(uv, "pip", "install", "--quiet", "--python", folder / "bin" / "python", *requirements)
    else:
        _run(python, "-m", "venv", folder)
        quiet = ("--quiet", "--disable-pip-version-check")
        _run(folder / "bin" / "python", "-m", "pip", "install", *quiet, *requirements)


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, cwd=ROOT)  # noqa: S603 - a list of our own


def _candidates() -> list[Path]:
    named = [Path(os.environ["BENCH_PYTHON"])] if os.environ.get("BENCH_PYTHON") else []
    found = [shutil.which(f"python3.{minor}") for minor in (13, 12, 14)]
    managed = sorted(Path.home().glob(".pyenv/versions/3.1[234].*/bin/python"), reverse=True)
    return [*named, Path(sys.executable), *(Path(each) for each in found if each), *managed]


def _version(python: Path) -> tuple[int, ...] | None:
    """Return a Python's version, or None where it doesn't run, as a manager's stand-in for one that isn't chosen."""
    try:
        said = subprocess.run([python, "--version"], capture_output=True, text=True, check=True)  # noqa: S603 - as above
    except (OSError, subprocess.CalledProcessError):
        return None
    match = re.search(r"(\d+)\.(\d+)", said.stdout)
    return (int(match[1]), int(match[2])) if match else None
