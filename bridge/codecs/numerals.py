"""Integers of any size as decimal text and back.

CPython refuses `int(text)` and `str(number)` beyond 4,300 digits, because both take quadratic time; jsonb
prints up to 131,072 digits. Halving the number keeps each step short and uses the fast multiplication.
"""

from __future__ import annotations

# The lowest limit that `sys.set_int_max_str_digits` accepts, so no setting of the host gets in the way.
_SHORT = 640
# A decimal digit is worth log2(10), about 3.32, bits; 3 keeps the estimate on the safe side.
_SHORT_BITS = _SHORT * 3


def parse_integer(text: str) -> int:
    """Return the integer that `text` writes: decimal digits with an optional minus, of any length."""
    return -_parse(text[1:]) if text.startswith("-") else _parse(text)


def format_integer(number: int) -> str:
    """Return the decimal digits of `number`, of any size."""
    if number.bit_length() <= _SHORT_BITS:
        return str(number)
    digits = _format(abs(number)).lstrip("0")
    return f"-{digits}" if number < 0 else digits


def _parse(digits: str) -> int:
    if len(digits) <= _SHORT:
        return int(digits)
    half = len(digits) // 2
    result: int = _parse(digits[:-half]) * 10**half + _parse(digits[-half:])
    return result


def _format(number: int) -> str:
    if number.bit_length() <= _SHORT_BITS:
        return str(number)
    half = number.bit_length() * 3 // 20  # about half of the digits: 0.30103 of the bits, halved
    high, low = divmod(number, 10**half)
    return _format(high) + _format(low).rjust(half, "0")
