"""A JSON decoder for what the fast one can't: numbers of any size and any depth of nesting.

It follows RFC 8259 without recursion, so that a document of 100,000 brackets costs memory and not the stack.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from json.decoder import scanstring  # type: ignore[attr-defined]  # typeshed leaves it out
from typing import Any, Final, NoReturn

from bridge.codecs.numerals import parse_integer
from bridge.errors import DecodeError

# The range of PostgreSQL's numeric: digits before and after the point.
_WHOLE_DIGITS: Final = 131_072
_FRACTION_DIGITS: Final = 16_383

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_NUMBER: Final = re.compile(r"(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORD: Final = re.compile(r"true|false|null")
_WORDS: Final = {"true": True, "false": False, "null": None}
_OPENED: Final = object()


def decode_exactly(text: str) -> Any:
    """Return the value of a JSON document, each integer exact and each fraction a float where one is near.

    Raises:
        DecodeError: The text is not JSON, or holds a number or a string that jsonb couldn't.
    """
    return _Reader(text).document()


class _Reader:
    """A cursor over the text, and the containers that are open at it, outermost first."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.open: list[dict[str, Any] | list[Any]] = []
        self.keys: list[str] = []  # for each open object, the key that waits for its value

    def document(self) -> Any:
        while True:
            value = self._value()
            if value is _OPENED:
                continue
            value = self._attach(value)
            if value is not _OPENED:
                break
        if self._peek():
            self._fail("expected nothing after the document")
        return value

    def _value(self) -> Any:
        """Read a scalar or an empty container; open one with content up to its first value."""
        first = self._peek()
        if first == "[":
            return self._open([], "]")
        if first == "{":
            return self._open({}, "}")
        if first == '"':
            return self._string()
        if word := _WORD.match(self.text, self.at):
            self.at = word.end()
            return _WORDS[word[0]]
        return self._number()

    def _open(self, container: dict[str, Any] | list[Any], closing: str) -> Any:
        self.at += 1
        if self._peek() == closing:
            self.at += 1
            return container
        self.open.append(container)
        if isinstance(container, dict):
            self.keys.append(self._key())
        return _OPENED

    def _attach(self, value: Any) -> Any:
        """Put a complete value where it belongs, and close what it completes; return the document once it is whole."""
        while self.open:
            container = self.open[-1]
            if isinstance(container, dict):
                container[self.keys.pop()] = value
            else:
                container.append(value)
            if self._goes_on(container):
                return _OPENED
            value = self.open.pop()
        return value

    def _goes_on(self, container: dict[str, Any] | list[Any]) -> bool:
        """Read a comma, and in an object the next key, or the closing bracket."""
        closing = "}" if isinstance(container, dict) else "]"
        mark = self._peek()
        if mark not in (",", closing):
            self._fail(f"expected a comma or {closing}")
        self.at += 1
        if mark == closing:
            return False
        if isinstance(container, dict):
            self.keys.append(self._key())
        return True

    def _key(self) -> str:
        if self._peek() != '"':
            self._fail("expected a key in quotes")
        key = self._string()
        if self._peek() != ":":
            self._fail("expected a colon")
        self.at += 1
        return key

    def _string(self) -> str:
        start = self.at
        try:
            text: str
            text, self.at = scanstring(self.text, start + 1, True)
            text.encode()
        except UnicodeEncodeError:
            self._fail("a string holds a lone surrogate", start)
        except ValueError as error:
            self._fail(f"a string is malformed ({getattr(error, 'msg', error)})", start)
        return text

    def _number(self) -> int | float | Decimal:
        match = _NUMBER.match(self.text, self.at)
        if match is None:
            self._fail("expected a JSON value")
        start, self.at = self.at, match.end()
        whole, fraction, exponent = match.groups()
        if fraction is None and exponent is None:
            if len(whole.lstrip("-")) > _WHOLE_DIGITS:
                self._fail("a number is out of numeric's range", start)
            return parse_integer(whole)
        return self._fractional(match[0], start)

    def _fractional(self, text: str, start: int) -> int | float | Decimal:
        number = float(text)
        if math.isfinite(number) and (number or not _has_digits(text)):
            return number
        exponent = _exponent(text)
        if not -_FRACTION_DIGITS <= exponent <= _WHOLE_DIGITS or len(text) > _WHOLE_DIGITS + _FRACTION_DIGITS + 16:
            self._fail("a number is out of numeric's range", start)
        exact = Decimal(text)
        whole = exact.to_integral_value()
        # Not int(whole), which takes quadratic time.
        return parse_integer(f"{whole:f}") if exact == whole else exact

    def _peek(self) -> str:
        """Skip white space, and return the character at the cursor, or nothing at the end."""
        match = _SPACE.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return self.text[self.at : self.at + 1]

    def _fail(self, reason: str, at: int | None = None) -> NoReturn:
        before = self.text[: self.at if at is None else at]
        raise DecodeError(f"malformed JSON: {reason}", len(before.encode(errors="surrogatepass"))) from None


def _has_digits(number: str) -> bool:
    return re.search("[1-9]", re.split("[eE]", number)[0]) is not None


def _exponent(number: str) -> int:
    """Return the power of ten that is written, cut to a number that int() takes."""
    written = re.split("[eE]", number)[1:] or ["0"]
    return max(-(10**9), min(10**9, int(written[0][:12])))
