"""Make the virtual environment that the Makefile's targets run in.

Usage: make_env.py FOLDER EXTRA, where EXTRA is `demo`, `dev` or `bench`. It needs Python 3.11 and nothing else; `uv` is
taken where it is installed, because it is faster, and a C compiler, because then Erlang terms are written faster.
"""

import shutil
import subprocess
import sys
from pathlib import Path


def main(folder: str, extra: str) -> None:
    """Make or update the environment at `folder` with the package's `extra` dependencies."""
    if sys.version_info < (3, 11):
        found = ".".join(map(str, sys.version_info[:3]))
        sys.exit(
            f"Bridge needs Python 3.11 or later, and {sys.executable} is {found}.\n"
            "Name another one: make demo PYTHON=python3.12"
        )
    print(f"Making the environment {folder} ({extra}) …", flush=True)
    target = Path(folder)
    requirement = f"{Path(__file__).resolve().parent.parent}[{extra}]"
    if uv := shutil.which("uv"):
        run([uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, folder])
        run([uv, "pip", "install", "--quiet", "--python", str(python_of(target)), "--editable", requirement])
    else:
        make_venv(folder)
        run(
            [
                str(python_of(target)),
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--editable",
                requirement,
            ]
        )
    (target / f".{extra}").touch()


def make_venv(folder: str) -> None:
    """Make the environment with the standard library's venv, and say what is missing where that can't be done."""
    if works(python_of(Path(folder))):
        return  # another Python on the PATH by now must not spoil it
    try:
        import ensurepip  # noqa: F401
    except ImportError:
        major, minor = sys.version_info[:2]
        sys.exit(
            f"{sys.executable} comes without ensurepip, which venv needs.\n"
            f"On Debian and Ubuntu: apt-get install python{major}.{minor}-venv"
        )
    run([sys.executable, "-m", "venv", folder])


def works(python: Path) -> bool:
    """Return whether the interpreter runs, with a pip."""
    try:
        done = subprocess.run([str(python), "-c", "import pip"], check=False, capture_output=True)
    except OSError:
        return False
    return done.returncode == 0


def python_of(target: Path) -> Path:
    """Return the interpreter of the environment."""
    return target / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def run(command: list[str]) -> None:
    """Run `command`; where it fails, stop with its exit status."""
    done = subprocess.run(command, check=False)
    if done.returncode:
        sys.exit(done.returncode)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
