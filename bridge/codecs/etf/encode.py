"""Python values as Erlang terms in the external format, version 131."""

from __future__ import annotations

from typing import Any, Literal

from bridge.codecs.etf.native import TERM_RULES, lower_native
from bridge.codecs.etf.write import LOWERED, NATIVE, PORTABLE, NotWritable, write
from bridge.codecs.plain import Place, lower
from bridge.errors import EncodeError

Profile = Literal["portable", "native"]
"""`portable` writes what every BEAM reads, `native` what keeps each type."""


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
        EncodeError: A value that no term can hold: NaN, infinity, a lone surrogate, an unknown type.
    """
    try:
        return write(value, PORTABLE if profile == "portable" else NATIVE)
    except NotWritable:
        pass  # lowering it says why, or makes it writable
    try:
        if profile == "portable":
            return write(lower(value, Place(field), TERM_RULES), PORTABLE)
        return write(lower_native(value, Place(field), TERM_RULES), LOWERED)
    except (NotWritable, RecursionError):
        raise EncodeError(field, value, "less nesting than the stack has room for", "flatten it") from None
