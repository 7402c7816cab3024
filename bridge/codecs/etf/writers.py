"""The writers that encoding begins with: compiled where the package was built with a C compiler, else of Python.

Both write the same bytes and refuse the same values, so which it is shows in the time alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

from bridge.codecs.etf.write import NATIVE, PORTABLE, write


def write_portable(value: Any) -> bytes:
    """Return `value` as a term of the portable profile, if it needs no lowering."""
    return write(value, PORTABLE)


def write_native(value: Any) -> bytes:
    """Return `value` as a term of the native profile, if it needs no lowering."""
    return write(value, NATIVE)


Profiles = dict[str, Callable[[Any], bytes]]


def _compiled() -> Profiles | None:
    if os.environ.get("BRIDGE_PURE", "0") not in {"", "0"}:
        return None
    try:
        from bridge.codecs.etf import _write  # noqa: PLC0415 - it is optional
    except ImportError:
        return None
    return {"portable": _write.write_portable, "native": _write.write_native}


PYTHON: Final[Profiles] = {"portable": write_portable, "native": write_native}
COMPILED: Final[Profiles | None] = _compiled()
"""None where it wasn't compiled, or where the environment says `BRIDGE_PURE=1`."""
