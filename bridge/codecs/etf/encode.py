"""Python values as Erlang terms in the external format, version 131."""

from __future__ import annotations

from typing import Any, Final, Literal

from bridge.codecs.etf.native import TERM_RULES, lower_native
from bridge.codecs.etf.write import LOWERED, NotWritable, TooMuch, write
from bridge.codecs.etf.writers import COMPILED, PYTHON
from bridge.codecs.plain import MAX_ELEMENTS, Place, lower
from bridge.errors import EncodeError

Profile = Literal["portable", "native"]
"""`portable` writes what every BEAM reads, `native` what keeps each type."""

ACCELERATED: Final = COMPILED is not None
"""Whether the compiled writer is used: it was built along, and the environment doesn't say `BRIDGE_PURE=1`."""

_WRITERS: Final = COMPILED or PYTHON


def encode(value: Any, profile: Profile = "portable", *, field: str = "value") -> bytes:
    """Return `value` as a term.

    Args:
        value: Anything that JSON takes, and `bytes`.
        profile: `"portable"`, the default, writes maps with text keys, binaries, integers, floats, lists, nil, true
            and false, so that a node reads it under `binary_to_term(bin, [:safe])` with no atom of ours loaded;
            datetimes and Decimals are text as in JSON, tuples lists, atoms text. `"native"` writes real structs
            (DateTime, NaiveDateTime, Date, Time, Decimal, MapSet, Range), atoms, tuples and maps with any keys, and
            gives back every term that `decode` read.
        field: The name with which the path in an error begins.

    Raises:
        EncodeError: A value that no term can hold: NaN, infinity, a lone surrogate, an unknown type, too much.
    """
    if profile not in _WRITERS:
        raise EncodeError("profile", profile, "'portable' or 'native'", "leave it out for 'portable'")
    try:
        return _encode(value, profile, field)
    except TooMuch:
        shown, mend = f"a {type(value).__name__}", "store it elsewhere and pass a reference"
        expected = f"at most {MAX_ELEMENTS:,} values in all, and none of 4 GiB or more"
        raise EncodeError(field, shown, expected, mend) from None
    except (NotWritable, RecursionError):
        raise EncodeError(
            field, f"a {type(value).__name__}", "less nesting than the stack has room for", "flatten it"
        ) from None


def _encode(value: Any, profile: Profile, field: str) -> bytes:
    """Write what can be written as it is; else lower it first, which also finds the path for an error."""
    try:
        return _WRITERS[profile](value)
    except NotWritable:
        pass
    if profile == "portable":
        return _WRITERS[profile](lower(value, Place(field), TERM_RULES))
    return write(lower_native(value, Place(field), TERM_RULES), LOWERED)
