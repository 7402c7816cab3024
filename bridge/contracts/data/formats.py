"""Text of each format: usual values, the ones at its edges, and ones that just miss it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from random import Random
from typing import Final

_HOSTS: Final = ("example.org", "a.b", "xn--bcher-kva.example", "mail-1.example.com", "localhost")
_WORDS: Final = ("a", "Ada", "x1", "badge", "z" * 20)


def text_of(name: str, random: Random) -> str:
    """Return a text of that format, now and then one at its edges; plain text for a format that is not known."""
    edges = _EDGES.get(name, ("text",))
    make = _MAKERS.get(name)
    if make is None or random.random() < 0.2:  # often enough that a few dozen samples hold all edges
        return random.choice(edges)
    return make(random)


def near_misses_of(name: str) -> tuple[str, ...]:
    """Return texts that look like the format and are not of it."""
    return _NEAR_MISSES.get(name, ())


def _date(random: Random) -> str:
    return date.fromordinal(random.randint(719_163, 767_010)).isoformat()  # 1970 to 2100


def _offset(random: Random) -> str:
    if random.random() < 0.5:
        return "Z"
    minutes = random.randint(0, 14 * 60)
    return f"{random.choice('+-')}{minutes // 60:02}:{minutes % 60:02}"


def _time(random: Random) -> str:
    second = random.randint(0, 86_399)
    digits = random.randint(0, 6)
    fraction = "." + str(random.randrange(10**digits)).zfill(digits) if digits else ""
    return f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}{fraction}{_offset(random)}"


def _date_time(random: Random) -> str:
    return f"{_date(random)}T{_time(random)}"


def _duration(random: Random) -> str:
    if random.random() < 0.2:
        return f"P{random.randint(0, 99)}W"
    days = f"{random.randint(0, 400)}D"
    hours = f"{random.randint(0, 99)}H{random.randint(0, 99)}M{random.randint(0, 99)}S"
    return random.choice((f"P{days}", f"PT{hours}", f"P{days}T{hours}"))


def _uuid(random: Random) -> str:
    text = str(uuid.UUID(int=random.getrandbits(128)))
    return text.upper() if random.random() < 0.2 else text


def _email(random: Random) -> str:
    return f"{random.choice(_WORDS)}{random.choice(('', '.b', '+tag', '_1'))}@{random.choice(_HOSTS[:4])}"


def _uri(random: Random) -> str:
    tail = random.choice(("", "/", "/a/b.pdf", "/%C3%A9?q=1&r=%20", "/#top", ":8443/x"))
    return f"{random.choice(('https', 'http', 's3', 'ftp'))}://{random.choice(_HOSTS)}{tail}"


def _ipv4(random: Random) -> str:
    return ".".join(str(random.randint(0, 255)) for _ in range(4))


def _ipv6(random: Random) -> str:
    return ":".join(f"{random.getrandbits(16):x}" for _ in range(8))


def _decimal(random: Random) -> str:
    whole = f"{random.choice(('', '-'))}{random.randint(0, 10 ** random.randint(1, 20))}"
    return whole if random.random() < 0.3 else f"{whole}.{random.randint(0, 10**6)}"


def _bigint(random: Random) -> str:
    return str(random.randint(1, 10 ** random.randint(1, 40))) if random.random() < 0.7 else f"-{random.randint(1, 99)}"


_MAKERS: Final[dict[str, Callable[[Random], str]]] = {
    "date-time": _date_time, "date": _date, "time": _time, "duration": _duration, "uuid": _uuid, "email": _email,
    "idn-email": _email, "uri": _uri, "uri-reference": _uri, "iri": _uri, "iri-reference": _uri, "ipv4": _ipv4,
    "ipv6": _ipv6, "decimal": _decimal, "bigint": _bigint,
}  # fmt: skip

_LATE: Final = datetime(2026, 3, 29, 1, 59, 59, 999_999, UTC).astimezone(timezone(timedelta(hours=-9, minutes=-30)))

_EDGES: Final[dict[str, tuple[str, ...]]] = {
    "date-time": (
        "2026-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "2024-02-29T23:59:59+14:00",
        "1970-01-01T00:00:00.1-12:00", _LATE.isoformat(), "2026-06-15T12:00:00+00:00",
    ),
    "date": ("2026-01-01", "0001-01-01", "9999-12-31", "2024-02-29", "2000-02-29"),
    "time": ("00:00:00Z", "23:59:59.999999Z", "12:00:00+14:00", "12:00:00.1-00:30"),
    "duration": ("PT0S", "P1W", "P1Y2M3DT4H5M6S", "P1M", "PT1M", "P999D"),
    "uuid": ("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
    "email": ("a@b.c", "ada.lovelace@example.org", "x+y=z@sub.example.com"),
    "idn-email": ("a@b.c", "ada@example.org"),
    "hostname": _HOSTS, "idn-hostname": _HOSTS,
    "uri": ("https://example.org", "urn:isbn:9780131103627", "mailto:a@b.c", "http://[::1]/", "a:b"),
    "uri-reference": ("https://example.org", "/a", "b?c#d", ""),
    "iri": ("https://example.org/é", "urn:x:y"), "iri-reference": ("/é", ""),
    "ipv4": ("255.255.255.255", "127.0.0.1", "1.2.3.4"), "ipv6": ("::", "::1", "2001:db8::ff", "::ffff:192.0.2.1"),
    "uri-template": ("https://example.org/{id}", "/a/{b}{?c,d}"),
    "json-pointer": ("", "/a/0", "/a~1b/~0", "/"), "relative-json-pointer": ("0", "1/a", "2#"),
    "regex": ("^a$", "[a-z]+", "a|b", ""),
    "decimal": ("0", "-0.00", "0.1", "1.10", "123456789012345678901234567890.000000001"),
    "bigint": ("0", "9007199254740993", "-9223372036854775809", "18446744073709551616", "1" + 40 * "0"),
}  # fmt: skip

_NEAR_MISSES: Final[dict[str, tuple[str, ...]]] = {
    "date-time": (
        "2026-01-01T00:00:00", "2026-01-01 00:00:00", "2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01",
        "2026-01-01T00:00:60Z", "2026-01-01T00:00:00.1234567Z", "2026-01-01T00:00:00+0100", "2026-01-01T00:00:00Z\n",
    ),
    "date": ("2026-02-29", "2026-13-01", "2026-1-1", "20260101", "2026-01-01T00:00:00Z", "2026-01-01\n"),
    "time": ("12:00:00", "24:00:00Z", "12:60:00Z", "12:00Z", "12:00:00z0"),
    "duration": ("P", "PT", "1D", "P1S", "P1DT", "P1W2D", "PT1H2S3M", "P1.5D"),
    "uuid": (
        "00000000000000000000000000000000", "00000000-0000-0000-0000-00000000000", "{0}",
        "g0000000-0000-0000-0000-000000000000",
    ),
    "email": ("a", "@b.c", "a@", "a b@c.d", "a@b@c.d"), "idn-email": ("a", "@b.c", "a@"),
    "hostname": ("-a.b", "a..b", "a_b", "a b"), "idn-hostname": ("-a.b", "a b"),
    "uri": ("example.org", "//example.org", "https://a b", "http://é.example/\n", ""),
    "uri-reference": ("\\\\a", "a b"), "iri": ("/a", "a b"), "iri-reference": ("\\\\a", "a b"),
    "ipv4": ("256.0.0.1", "1.2.3", "01.2.3.4", "1.2.3.4.5"), "ipv6": ("1::2::3", ":::", "12345::", "1.2.3.4"),
    "uri-template": ("/{a", "/{}"), "json-pointer": ("a", "/~2"), "relative-json-pointer": ("/a", "-1", "01"),
    "regex": ("(", "[", "*"),
    "decimal": ("1.", ".5", "01", "+1", "1e5", "1,5", "NaN", ""), "bigint": ("1.0", "01", "+1", "-0x1", "1e5", ""),
}  # fmt: skip
