"""Numbers and text within bounds: usual ones, and the ones at the edges."""

from __future__ import annotations

import base64
import math
from fractions import Fraction
from random import Random
from typing import Any, Final

from bridge.contracts.data.formats import text_of
from bridge.contracts.data.patterns import matching
from bridge.contracts.data.plain import PATTERNS, Plain, exact

#: Where integer types of languages and stores end.
_WIDE: Final = (2**31 - 1, 2**31, 2**53 - 1, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 10**30)
_FLOATS: Final = (0.5, 0.1, 1.5, 1e-7, 2.5e10, 1e21, 1.7976931348623157e308, 5e-324)
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -_.,"
#: A combining accent, a joiner and its faces, right-to-left text, a separator that JSON lets through, and what HTML,
#: SQL and shells take for their own.
_ODD: Final = (
    "é\u0301ß\u0130中\U0001f600\U0001d4b3\u200d\U0001f469\u05d0\u0623\u2028\ufeff\ufffd\x01\x7f\t\n\r\"'\\<>&%$;{}/"
)
_LONGEST_EDGE: Final = 1_000


def integer(schema: Plain, random: Random) -> int | None:
    """Return an integer within the schema's bounds, or None where there is none."""
    step = _step(schema).numerator
    low, high = _bounds(schema)
    first = None if low is None else math.ceil(low / step)
    last = None if high is None else math.floor(high / step)
    found = _between(first, last, random)
    return None if found is None else found * step


def number(schema: Plain, random: Random) -> float | None:
    """Return a number within the schema's bounds, whole or not, or None where there is none."""
    if "multipleOf" in schema:
        return _multiple(schema, random)
    if random.random() < 0.4:
        whole = integer(schema, random)
        if whole is not None:
            return whole
    return _fraction(schema, random)


def text(schema: Plain, random: Random, size: int) -> str:
    """Return text that was made by the schema's pattern, encoding, format or lengths, the first that it has."""
    low, high = schema.get("minLength", 0), schema.get("maxLength")
    if PATTERNS in schema and random.random() < 0.7:
        # Where patterns look for a part each, texts of both side by side keep both.
        parts = random.sample(schema[PATTERNS], len(schema[PATTERNS]))
        return "".join(matching(part, random, 1) for part in parts)
    if "pattern" in schema:
        return _matching(schema["pattern"], low, high, random)
    if "contentEncoding" in schema:
        return _base64(low, high, random)
    if "format" in schema:
        return text_of(schema["format"], random)
    return free_text(low, high, random, size)


def free_text(low: int, high: int | None, random: Random, size: int) -> str:
    """Return any text of `low` to `high` code points, mostly plain."""
    length = low if random.random() < 0.1 else low + random.randint(0, 4 * size)
    if high is not None:
        length = high if high <= _LONGEST_EDGE and random.random() > 0.9 else min(length, high)
    pool = _LETTERS if random.random() < 0.7 else _ODD
    return "".join(random.choices(pool, k=int(length)))


def _matching(pattern: str, low: int, high: int | None, random: Random) -> str:
    found = ""
    for attempt in range(12):
        found = matching(pattern, random, 2**attempt if attempt > 3 else 4)
        if len(found) >= low and (high is None or len(found) <= high):
            break
        if len(found) > low:
            found = matching(pattern, random, 1)
            break
    if not pattern.startswith("^") and random.random() < 0.2:
        found = random.choice(("x", " ", "é")) + found
    return found


def _base64(low: int, high: int | None, random: Random) -> str:
    least = math.ceil(low / 4) * 3
    most = least + 24 if high is None else max(least, high // 4 * 3)
    size = random.randint(least, min(most, least + 24))
    return base64.b64encode(bytes(random.getrandbits(8) for _ in range(size))).decode()


def _step(schema: Plain) -> Fraction:
    return exact(schema["multipleOf"]) if "multipleOf" in schema else Fraction(1)


def _bounds(schema: Plain, step: Fraction | int = 1) -> tuple[Fraction | None, Fraction | None]:
    """Return the bounds of multiples of `step`; an exclusive one is moved to the next such number."""
    low, high = _edge(schema, "minimum"), _edge(schema, "maximum")
    above, below = _edge(schema, "exclusiveMinimum"), _edge(schema, "exclusiveMaximum")
    if above is not None:
        above = (above // step + 1) * Fraction(step)
        low = above if low is None else max(low, above)
    if below is not None:
        below = -((-below) // step + 1) * Fraction(step)
        high = below if high is None else min(high, below)
    return low, high


def _edge(schema: Plain, keyword: str) -> Fraction | None:
    return exact(schema[keyword]) if keyword in schema else None


def _between(first: int | None, last: int | None, random: Random) -> int | None:
    if first is not None and last is not None:
        return _within(first, last, random) if first <= last else None
    if first is not None:
        return first + _distance(random)
    return (0 if last is None else last) - _distance(random) * (1 if last is not None else random.choice((1, -1)))


def _within(first: int, last: int, random: Random) -> int:
    draw = random.random()
    if draw < 0.2:
        return first if draw < 0.1 else last
    if draw < 0.6:
        return random.randint(first, min(last, first + 100))
    return random.randint(first, last)


def _distance(random: Random) -> int:
    draw = random.random()
    if draw < 0.85:
        return random.randint(0, 9 if draw < 0.3 else 1_000)
    return random.choice(_WIDE)


def _multiple(schema: Plain, random: Random) -> float | None:
    step = _step(schema)
    low, high = _bounds(schema, step)
    first = None if low is None else math.ceil(low / step)
    last = None if high is None else math.floor(high / step)
    times = _between(first, last, random)
    if times is None:
        return None
    found: Fraction = times * step
    if found.denominator == 1:
        return found.numerator
    # A float has 15 digits that are sure; with more, its text would be no multiple.
    return float(found) if abs(times) < 10**15 else float(found % 1 + step)


def _fraction(schema: Plain, random: Random) -> float | None:
    low, high = _float_bounds(schema)
    if low is None and high is None:
        return random.choice((1, -1)) * (random.choice(_FLOATS) if random.random() < 0.5 else _short(random))
    if low is not None and high is not None:
        return _fraction_within(low, high, random) if low <= high else None
    edge, sign = (low, 1) if low is not None else (high, -1)
    found: float = edge + sign * random.choice((0.0, 0.5, 0.1, 1e6, _short(random)))  # type: ignore[operator] # one is there
    return found


def _fraction_within(low: float, high: float, random: Random) -> float:
    draw = random.random()
    if draw < 0.2:
        return low if draw < 0.1 else high
    found: float = low + (high - low) * random.random()
    return found if low <= found <= high else low  # an endless width gives no number between


def _short(random: Random) -> float:
    return random.randint(0, 10**6) / random.choice((1, 10, 100, 1_000, 10_000))


def _float_bounds(schema: Plain) -> tuple[float | None, float | None]:
    lows = [schema["minimum"]] if "minimum" in schema else []
    highs = [schema["maximum"]] if "maximum" in schema else []
    if "exclusiveMinimum" in schema:
        lows.append(math.nextafter(schema["exclusiveMinimum"], math.inf))
    if "exclusiveMaximum" in schema:
        highs.append(math.nextafter(schema["exclusiveMaximum"], -math.inf))
    return max(lows, default=None), min(highs, default=None)


def is_storable(value: Any) -> bool:
    """Tell whether jsonb holds the text: U+0000 and lone surrogates it does not."""
    return "\0" not in value and not any("\ud800" <= char <= "\udfff" for char in value)
