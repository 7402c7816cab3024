"""Numbers as JSON Schema sees them: by their value, whatever Python type they have."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

#: What JSON decodes numbers to; a Decimal where a fraction is out of a float's range.
NUMBERS = (int, float, Decimal)


def is_number(value: Any) -> bool:
    """Tell whether a decoded value is a finite number; True and False are none."""
    if isinstance(value, bool) or not isinstance(value, NUMBERS):
        return False
    # math.isfinite makes a float of a Decimal, which a signaling NaN refuses and 1e400 has no room in.
    return isinstance(value, int) or (value.is_finite() if isinstance(value, Decimal) else math.isfinite(value))


def is_integer(value: Any) -> bool:
    """Tell whether a decoded value is a number without a fraction: 1.0 is one (JSON Schema 2020-12, 6.1.1)."""
    if isinstance(value, int):
        return not isinstance(value, bool)
    if isinstance(value, float):
        return value.is_integer()
    return is_number(value) and value == value.to_integral_value()


def is_multiple(value: float | Decimal, divisor: float | Decimal) -> bool:
    """Tell whether a number is a multiple of another one, both taken as they are written in decimal."""
    if isinstance(value, int) and isinstance(divisor, int):
        return value % divisor == 0
    above, below = _ratio(value)
    by_above, by_below = _ratio(divisor)
    return (above * by_below) % (by_above * below) == 0


def _ratio(value: float | Decimal) -> tuple[int, int]:
    # 0.1 is a tenth here, and not the nearest binary fraction.
    return value.as_integer_ratio() if isinstance(value, int) else Decimal(str(value)).as_integer_ratio()
