"""Recorded output: the result of a job as `meta.return`, with `meta.recorded` true.

The text is the result as an Erlang term, in base64 without padding, as Oban Pro and oban-py write it. A node
without either reads it with `Base.decode64!(text, padding: false)` and `:erlang.binary_to_term(bin, [:safe])`.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, Final

from bridge.errors import DecodeError, EncodeError

if TYPE_CHECKING:
    from bridge.codecs import etf

DEFAULT_LIMIT: Final = 64_000_000
"""The longest text in characters that is written."""


def encode_recorded(value: Any, limit: int = DEFAULT_LIMIT, *, profile: etf.Profile = "portable") -> str:
    """Return `value` as the text of `meta.return`.

    Args:
        value: What the worker recorded; `etf.encode` says what it may hold.
        limit: The longest text, in characters. Default: 64,000,000.
        profile: `"portable"` for every reader, `"native"` for nodes that have the structs and atoms in it.

    Raises:
        EncodeError: The value can't be a term, or its text is longer than `limit`.
    """
    from bridge.codecs import etf  # noqa: PLC0415 - most nodes record nothing

    data = etf.encode(value, profile, field="result")
    length = (len(data) * 4 + 2) // 3
    if length > limit:
        raise EncodeError(
            "result",
            f"a result of {length:,} characters",
            f"at most {limit:,} characters once encoded",
            "store it elsewhere and record a reference",
        )
    return base64.b64encode(data).rstrip(b"=").decode("ascii")


def decode_recorded(text: str, *, type: Any = Any, limits: etf.Limits | None = None) -> Any:  # noqa: A002 - as in etf.decode
    """Return the value that `meta.return` holds, padded or not, compressed or not, whoever wrote it.

    Args:
        text: The base64.
        type: What the value must be, as for `etf.decode`. Default: whatever it is.
        limits: Bounds on the work. Default: `etf.DEFAULT_LIMITS`.

    Raises:
        DecodeError: It is not base64, or not a term.
    """
    from bridge.codecs import etf  # noqa: PLC0415 - as above

    limits = limits or etf.DEFAULT_LIMITS
    return etf.decode(_from_base64(text, limits), type=type, limits=limits)


def _from_base64(text: Any, limits: etf.Limits) -> bytes:
    if not isinstance(text, str):
        raise DecodeError(f"a recorded result is text, not {type(text).__name__}")
    if len(text) * 3 // 4 > limits.size + 2:
        raise DecodeError(f"the recorded result has {len(text):,} characters, too many for {limits.size:,} bytes")
    bare = text.rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise DecodeError(f"the recorded result is not base64 ({error})") from None
