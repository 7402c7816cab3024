"""The formats of text: a regular expression each, over ASCII alone, and a small check where a grammar isn't enough.

The expressions are written so that Python's `re` and PCRE read them alike, and are matched against the whole text;
the Elixir runtime takes them from here. Formats without a check in `CHECKS` are their expression.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from typing import Final

# RFC 3339, 5.6. The years are those that both languages' dates hold.
_YEAR: Final = r"(?!0000)[0-9]{4}"
_DATE: Final = rf"({_YEAR})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_OFFSET: Final = r"(?:[Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))"
_DATE_TIME: Final = rf"{_DATE}[Tt]([01][0-9]|2[0-3]):([0-5][0-9]):[0-5][0-9](?:\.[0-9]{{1,6}})?{_OFFSET}"
_TIME: Final = rf"([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]|60)(?:\.[0-9]+)?{_OFFSET}"

# RFC 3339, appendix A: a unit may only follow the next larger one.
_CLOCK: Final = r"T(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S)"
_DAYS: Final = r"(?:[0-9]+Y(?:[0-9]+M(?:[0-9]+D)?)?|[0-9]+M(?:[0-9]+D)?|[0-9]+D)"
_DURATION: Final = rf"P(?:[0-9]+W|{_CLOCK}|{_DAYS}(?:{_CLOCK})?)"

# RFC 9562, 4.
_UUID: Final = r"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"

# RFC 2673, 3.2 and RFC 4291, 2.2; the grammar is RFC 3986's, 3.2.2.
_OCTET: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4: Final = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_H16: Final = r"[0-9A-Fa-f]{1,4}"
_LS32: Final = rf"(?:{_H16}:{_H16}|{_IPV4})"
_IPV6: Final = "(?:{})".format(
    "|".join(
        [
            rf"(?:{_H16}:){{6}}{_LS32}",
            rf"::(?:{_H16}:){{5}}{_LS32}",
            *(rf"(?:(?:{_H16}:){{0,{before}}}{_H16})?::(?:{_H16}:){{{4 - before}}}{_LS32}" for before in range(5)),
            rf"(?:(?:{_H16}:){{0,5}}{_H16})?::{_H16}",
            rf"(?:(?:{_H16}:){{0,6}}{_H16})?::",
        ]
    )
)

# RFC 5321, 4.1.2: a dotted or quoted local part, a domain or an address in brackets.
_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_QUOTED: Final = r'"(?:[ !#-\[\]-~]|\\[ -~])*"'
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_EMAIL: Final = (
    rf"(?:{_ATOM}(?:\.{_ATOM})*|{_QUOTED})"
    rf"@(?:{_LABEL}(?:\.{_LABEL})*|\[(?:{_IPV4}|[Ii][Pp][Vv]6:{_IPV6})\])"
)

# RFC 3986, appendix A.
_PLAIN: Final = r"A-Za-z0-9._~!$&'()*+,;=\-"
_ESCAPE: Final = r"%[0-9A-Fa-f]{2}"
_PCHAR: Final = rf"(?:[{_PLAIN}:@]|{_ESCAPE})"
_HOST: Final = rf"(?:\[(?:{_IPV6}|[Vv][0-9A-Fa-f]+\.[{_PLAIN}:]+)\]|(?:[{_PLAIN}]|{_ESCAPE})*)"
_AUTHORITY: Final = rf"//(?:(?:[{_PLAIN}:]|{_ESCAPE})*@)?{_HOST}(?::[0-9]*)?(?:/{_PCHAR}*)*"
_ABSOLUTE: Final = rf"/(?:{_PCHAR}+(?:/{_PCHAR}*)*)?"
_TAIL: Final = rf"(?:\?(?:{_PCHAR}|[/?])*)?(?:#(?:{_PCHAR}|[/?])*)?"
_URI: Final = rf"[A-Za-z][A-Za-z0-9+.-]*:(?:{_AUTHORITY}|{_ABSOLUTE}|{_PCHAR}+(?:/{_PCHAR}*)*|){_TAIL}"
_NO_SCHEME: Final = rf"(?:[{_PLAIN}@]|{_ESCAPE})+(?:/{_PCHAR}*)*"
_URI_REFERENCE: Final = rf"(?:{_URI}|(?:{_AUTHORITY}|{_ABSOLUTE}|{_NO_SCHEME}|){_TAIL})"

# RFC 6901, 3, and draft-bhutton-relative-json-pointer-00.
_POINTER: Final = r"(?:/(?:[^~/]|~[01])*)*"

#: Each format's expression, for the whole text.
PATTERNS: Final[dict[str, str]] = {
    "date-time": _DATE_TIME,
    "date": _DATE,
    "time": _TIME,
    "duration": _DURATION,
    "uuid": _UUID,
    "email": _EMAIL,
    "uri": _URI,
    "uri-reference": _URI_REFERENCE,
    "ipv4": _IPV4,
    "ipv6": _IPV6,
    "json-pointer": _POINTER,
    "relative-json-pointer": rf"(?:0|[1-9][0-9]*)(?:#|{_POINTER})",
    "decimal": r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?",
    "bigint": r"-?(?:0|[1-9][0-9]*)",
}

#: What a message calls a text of that format.
NAMES: Final[dict[str, str]] = {
    "date-time": "a date-time with offset, such as 2026-01-31T09:30:00Z, of at most 6 decimals and without leap second",
    "date": "a date such as 2026-01-31",
    "time": "a time with offset, such as 09:30:00Z",
    "duration": "a duration such as P1DT12H",
    "uuid": "a UUID with dashes",
    "email": "an email address",
    "uri": "a URI with its scheme",
    "uri-reference": "a URI or a relative reference",
    "ipv4": "an IPv4 address",
    "ipv6": "an IPv6 address",
    "json-pointer": "a JSON Pointer",
    "relative-json-pointer": "a relative JSON Pointer",
    "decimal": "a decimal number as text, such as '12.50'",
    "bigint": "an integer as text",
}

#: RFC 4648, 4: the standard alphabet, padded, without line breaks.
BASE64: Final = r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"


def matcher(name: str) -> Callable[[str], bool]:
    """Return the test of a format, or of `base64`.

    Raises:
        KeyError: No such format.
    """
    match = re.compile(BASE64 if name == "base64" else PATTERNS[name]).fullmatch
    check = CHECKS.get(name)
    if check is None:
        return lambda text: match(text) is not None
    return lambda text: (found := match(text)) is not None and check(found)


def _is_date(found: re.Match[str]) -> bool:
    return int(found[3]) <= 28 or int(found[3]) <= monthrange(int(found[1]), int(found[2]))[1]


def _is_moment(found: re.Match[str]) -> bool:
    """Tell whether the day exists, and the moment is within the years 1 to 9999 in UTC too."""
    if not _is_date(found):
        return False
    if (found[0][:10], found[6]) not in (("0001-01-01", "+"), ("9999-12-31", "-")):
        return True
    utc = _minute_of_day(found[4], found[5], *found.group(6, 7, 8))
    return 0 <= utc < 1440


def _is_time(found: re.Match[str]) -> bool:
    """Tell whether a second numbered 60 is where leap seconds are: the end of a day in UTC."""
    if found[3] != "60":
        return True
    return _minute_of_day(found[1], found[2], *found.group(4, 5, 6)) % 1440 == 1439


def _minute_of_day(hour: str, minute: str, sign: str | None, hours: str | None, minutes: str | None) -> int:
    offset = int(hours or 0) * 60 + int(minutes or 0)
    return int(hour) * 60 + int(minute) + (offset if sign == "-" else -offset)


CHECKS: Final[dict[str, Callable[[re.Match[str]], bool]]] = {
    "date-time": _is_moment,
    "date": _is_date,
    "time": _is_time,
}
