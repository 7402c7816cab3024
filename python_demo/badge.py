"""What a badge says: the attendee of a job's args, and the look that belongs to their type."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .contracts import GenerateBadge

CONFERENCE = "Bridge Conf"
EDITION = "2026"
MOTTO = "Where Elixir meets Python"

# An id becomes part of a file's name, and args come from whoever may insert a row.
_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# Embeddings, overrides and isolates: they would turn the rest of the badge around.
_BIDI_CONTROLS = dict.fromkeys([0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours of one attendee type.

    Attributes:
        label: The word on the band.
        color: Of the band; it carries white text at a contrast of 4.5 and more.
        tint: Its pale companion, for the dark header.
    """

    label: str
    color: str
    tint: str


THEMES = {
    "attendee": Theme("Attendee", "#1d4ed8", "#93c5fd"),
    "speaker": Theme("Speaker", "#c2410c", "#fdba74"),
    "sponsor": Theme("Sponsor", "#047857", "#6ee7b7"),
    "organizer": Theme("Organizer", "#7e22ce", "#d8b4fe"),
}


@dataclass(frozen=True, slots=True)
class Attendee:
    """One person's badge.

    Attributes:
        id: What the job called them, a number or a short name; it is in the QR code and in the file's name.
        name: Cleaned of control characters, never empty.
        company: The same, may be empty.
        type: As it came; the theme decides how it looks.
    """

    id: int | str
    name: str
    company: str
    type: str

    @classmethod
    def from_contract(cls, badge: GenerateBadge) -> Attendee:
        """Read a job's args, which keep their contract.

        Raises:
            ValueError: The name has nothing that could be seen, such as a control character alone.
        """
        return cls(
            id=badge.id,
            name=_required("name", badge.name),
            company=_clean(badge.company or ""),
            type=_clean(badge.type) or "attendee",
        )

    @classmethod
    def from_args(cls, args: Mapping[str, Any]) -> Attendee:
        """Read args that nobody checked.

        Raises:
            ValueError: An argument is missing or of the wrong kind; no later attempt could mend that.
        """
        return cls(
            id=_identifier(args),
            name=_text(args, "name", required=True),
            company=_text(args, "company"),
            type=_text(args, "type") or "attendee",
        )

    @property
    def filename(self) -> str:
        """The name of the badge's PDF."""
        return f"badge-{self.id}.pdf"

    @property
    def theme(self) -> Theme:
        """The colours of the attendee's type; a type that is not known gets its own word in neutral grey."""
        known = THEMES.get(self.type.casefold())
        return known or Theme(self.type.capitalize(), "#475569", "#cbd5e1")


def _identifier(args: Mapping[str, Any]) -> int | str:
    value = args.get("id")
    if isinstance(value, (int, str)) and not isinstance(value, bool) and _SAFE_ID.fullmatch(str(value)):
        return value
    raise ValueError(
        "args.id: expected a number or up to 64 letters, digits, dots, dashes and underscores, "
        f"got {value!r:.80}; enqueue the badge with an id"
    )


def _text(args: Mapping[str, Any], key: str, *, required: bool = False) -> str:
    value = args.get(key)
    if value is None and not required:
        return ""
    if isinstance(value, str):
        return _required(key, value) if required else _clean(value)
    raise ValueError(f"args.{key}: expected text, got {value!r:.80}; enqueue the badge with a {key}")


def _required(key: str, value: str) -> str:
    if text := _clean(value):
        return text
    raise ValueError(f"args.{key}: expected text, got {value!r:.80}; enqueue the badge with a {key}")


def _clean(text: str) -> str:
    composed = unicodedata.normalize("NFC", text).translate(_BIDI_CONTROLS)
    visible = "".join(" " if unicodedata.category(char) == "Cc" else char for char in composed)
    return " ".join(visible.split())
