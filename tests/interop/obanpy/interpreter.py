"""A Python that has Oban for Python: the one that is named, or a venv made once and kept in the user's cache."""

import fcntl
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

#: The version that the tests were written against; `BRIDGE_OBANPY` names a Python with another one.
RELEASE = "0.7.0"

#: The oldest Python that it runs on.
OLDEST = (3, 12)

#: The variable that names a Python which has it.
NAMED = "BRIDGE_OBANPY"

#: Where one of these is set, what can't run fails instead of being skipped.
REQUIRE = ("BRIDGE_INTEROP_REQUIRE", "BRIDGE_ELIXIR_REQUIRED")

_PATIENCE = 120


class NoObanPy(Exception):
    """Oban for Python can't be had here; the message says what is missing, and what mends that."""


def find_interpreter():
    """Return the path of a Python that has Oban for Python.

    Raises:
        NoObanPy: There is none, and none can be made.
    """
    named = os.environ.get(NAMED)
    if named:
        return _checked(named)
    python = _newest_python()
    folder = _cache() / f"oban-{RELEASE}-python{_dotted(_version(python))}"
    made = folder / "bin" / "python"
    with _alone(folder):
        if not _has_oban(made):
            _make(python, folder)
    return str(made)


def give_up(error):
    """Skip the test with the error's reason, or fail it where a variable asks for that."""
    if any(os.environ.get(variable, "0") not in ("", "0") for variable in REQUIRE):
        pytest.fail(str(error), pytrace=False)
    pytest.skip(str(error))


def _checked(named):
    path = shutil.which(named)
    if path is None:
        raise NoObanPy(f"{NAMED} is {named}, which is no program; name a Python of {_dotted(OLDEST)} or later")
    if not _has_oban(path):
        raise NoObanPy(f"{NAMED} is {named}, which can't import oban; run: {named} -m pip install oban=={RELEASE}")
    return path


def _newest_python():
    """This Python if it will do, else the newest on the path, else of pyenv's or uv's."""
    homes = [Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"]
    homes.append(Path.home() / ".local/share/uv/python")
    installed = [str(path) for home in homes for path in home.glob("*3.1[2-9]*/bin/python3")]
    on_path = [f"python3.{minor}" for minor in range(20, OLDEST[1] - 1, -1)]
    for python in (sys.executable, *on_path, *sorted(installed, reverse=True), "python3"):
        if (path := shutil.which(python)) and _version(path) >= OLDEST:
            return path
    raise NoObanPy(
        f"Oban for Python needs Python {_dotted(OLDEST)} or later, and none is here; "
        f"install one, or name one that has it in {NAMED}"
    )


def _version(python):
    """A Python's version as `(3, 12)`; empty where it doesn't run, as a shim of a version that is not chosen."""
    found = _run(python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])")
    return tuple(map(int, found.stdout.split("."))) if found.returncode == 0 else ()


def _dotted(version):
    return ".".join(map(str, version))


def _cache():
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "oban-bridge" / "interop"


def _has_oban(python):
    return Path(python).exists() and _run(python, "-c", "import oban").returncode == 0


def _make(python, folder):
    shutil.rmtree(folder, ignore_errors=True)
    try:
        for command in (
            [python, "-m", "venv", str(folder)],
            [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", f"oban=={RELEASE}"],
        ):
            done = _run(*command)
            if done.returncode != 0:
                raise NoObanPy(
                    f"Oban for Python can't be installed: {_last_line(done)}; let pip reach PyPI "
                    f"(`{python} -m pip download oban=={RELEASE}` must work), or name a Python that has it in {NAMED}"
                )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _last_line(done):
    lines = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("WARNING")]
    return lines[-1] if lines else f"it ended with {done.returncode}"


@contextmanager
def _alone(folder):
    """Let one process at a time make a folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{folder}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"nothing came of it within {_PATIENCE} s")
