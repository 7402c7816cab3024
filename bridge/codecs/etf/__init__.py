"""Erlang's External Term Format: what `term_to_binary/1` writes and `binary_to_term/1` reads."""

from __future__ import annotations

from bridge.codecs.etf.decode import decode
from bridge.codecs.etf.encode import ACCELERATED, Profile, encode
from bridge.codecs.etf.limits import DEFAULT_LIMITS, Limits
from bridge.codecs.etf.terms import (
    Atom,
    BitString,
    Fun,
    ImproperList,
    LegacySet,
    LocalTerm,
    Opaque,
    PairMap,
    Pid,
    Port,
    Reference,
    Struct,
)

__all__ = [
    "ACCELERATED",
    "DEFAULT_LIMITS",
    "Atom",
    "BitString",
    "Fun",
    "ImproperList",
    "LegacySet",
    "Limits",
    "LocalTerm",
    "Opaque",
    "PairMap",
    "Pid",
    "Port",
    "Profile",
    "Reference",
    "Struct",
    "decode",
    "encode",
]
