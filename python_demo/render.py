"""From an attendee to a PDF on disk, by the best renderer that works on this machine."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

from .badge import Attendee

# What brings WeasyPrint's libraries along, by the package manager that is there. Each pulls in GLib, HarfBuzz
# and Fontconfig; Debian has the part of HarfBuzz that makes WeasyPrint fast in a package of its own.
_INSTALLERS = {
    "brew": "brew install pango",
    "apt-get": "sudo apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0",
    "dnf": "sudo dnf install pango",
    "apk": "sudo apk add pango",
    "pacman": "sudo pacman -S pango",
    "zypper": "sudo zypper install libpango-1_0-0",
}
_LIBRARY = re.compile(r"library '([^']+)'")


class Renderer(Protocol):
    """What draws a badge."""

    @property
    def name(self) -> str:
        """The library that does it."""
        ...

    def render(self, attendee: Attendee) -> bytes:
        """Return the badge as a PDF."""
        ...


@dataclass(frozen=True, slots=True)
class Choice:
    """A renderer and, where it is not the best there could be, why, and what to do about it."""

    renderer: Renderer
    note: str | None = None


@cache
def choose() -> Choice:
    """Return WeasyPrint where its system libraries can be loaded, else fpdf2, which needs none.

    The first call imports the library, which takes a second.
    """
    try:
        from .with_weasyprint import WeasyPrintRenderer  # noqa: PLC0415 - the import is what may fail
    except (ImportError, OSError) as error:
        return _without_weasyprint(error)
    renderer = WeasyPrintRenderer()
    if renderer.fast:
        return Choice(renderer)
    return Choice(renderer, f"it is slow without the library libharfbuzz-subset; {_mend()}")


def save(attendee: Attendee, path: Path) -> bytes:
    """Render a badge into a file and return its bytes; whoever looks at the path sees a whole PDF or none."""
    pdf = choose().renderer.render(attendee)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        partial.write_bytes(pdf)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return pdf


def _without_weasyprint(error: ImportError | OSError) -> Choice:
    from .with_fpdf2 import Fpdf2Renderer  # noqa: PLC0415 - it is not needed where WeasyPrint works

    if isinstance(error, ImportError):
        note = f"WeasyPrint can't be imported ({error}); pip install weasyprint"
    else:
        library = found[1] if (found := _LIBRARY.search(str(error))) else str(error)
        note = f"WeasyPrint lacks the system library {library}; {_mend()}"
    return Choice(Fpdf2Renderer(), note)


def _mend() -> str:
    command = next((command for tool, command in _INSTALLERS.items() if shutil.which(tool)), None)
    command = command and (command.removeprefix("sudo ") if _is_root() else command)
    return f"install it with: {command}" if command else "install Pango: https://doc.courtbouillon.org/weasyprint"


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0
