"""HTML from text: everything is escaped, unless it was made here."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import Final

#: What HTML can't hold or readers can't see: controls, surrogates, and marks that turn the direction of what follows.
_UNSEEN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_EMPTY: Final = frozenset(("br", "meta", "link"))


class Html(str):
    """Text that is HTML already; any other text is escaped before it gets into a page."""

    __slots__ = ()


Content = str | Iterable[str]


def tag(name: str, /, *content: Content, **attributes: str) -> Html:
    """Return an element. An attribute's `_` is written `-`, and one at its end, as in `class_`, is left out."""
    opening = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items() if value
    )
    if name in _EMPTY:
        return Html(f"<{name}{opening}>")
    return Html(f"<{name}{opening}>{join(*content)}</{name}>")


def join(*content: Content) -> Html:
    """Return several pieces as one, those that are plain text escaped."""
    pieces = [[piece] if isinstance(piece, str) else piece for piece in content]
    return Html("".join(piece if isinstance(piece, Html) else escape(piece) for group in pieces for piece in group))


def escape(text: str) -> str:
    r"""Return text that stands for itself in elements and attributes; unseen characters are shown as `\u202e`."""
    return html.escape(_UNSEEN.sub(_shown, text))


def _shown(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
