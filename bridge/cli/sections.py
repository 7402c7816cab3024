"""Settings of a section, such as `[pool]`, as the options of what they are for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.config import Setting


def values_of(settings: Mapping[str, Setting], section: str) -> dict[str, Any]:
    """Return a section's settings as options, those without a value left out."""
    return {
        name.removeprefix(f"{section}."): setting.value
        for name, setting in settings.items()
        if name.startswith(f"{section}.") and setting.value is not None
    }
