"""Terms as typed objects: a msgspec Struct, a dataclass, a TypedDict or any other annotation."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time
from functools import lru_cache
from itertools import zip_longest
from typing import Any, Final

import msgspec
from msgspec import inspect

from bridge.codecs.etf.terms import BitString, ImproperList, PairMap, Struct
from bridge.errors import DecodeError

# A Decimal of a wider integer takes quadratic time to make; a double's widest has 1,024 bits.
_DECIMAL_BITS: Final = 3_322

_ANY: Final = inspect.AnyType()
_TERMS: Final = (BitString, ImproperList, Struct)
_BYTES: Final = (inspect.BytesType, inspect.ByteArrayType, inspect.MemoryViewType)
_OBJECT: Final = (inspect.StructType, inspect.DataclassType, inspect.TypedDictType, inspect.NamedTupleType)
_ARRAY: Final = (inspect.ListType, inspect.SetType, inspect.FrozenSetType, inspect.VarTupleType)
_TEXT: Final = (
    inspect.StrType,
    inspect.EnumType,
    inspect.LiteralType,
    inspect.DateTimeType,
    inspect.DateType,
    inspect.TimeType,
    inspect.TimeDeltaType,
    inspect.UUIDType,
    inspect.DecimalType,
)


def convert(value: Any, annotation: Any) -> Any:
    """Return `value` as what `annotation` says, under msgspec's strict rules.

    Atoms are text, maps with keys of atoms are objects, and so are Elixir's structs. A binary is what the annotation
    says it is, `str` or `bytes`.

    Raises:
        DecodeError: It is something else; the message has the path.
        TypeError: msgspec doesn't know the annotation.
    """
    info = _info(annotation)
    try:
        return msgspec.convert(_adapt(value, info), annotation)
    except (ValueError, TypeError, RecursionError) as error:
        raise DecodeError(f"the term is not what was expected: {error}") from None


def _info(annotation: Any) -> inspect.Type:
    try:
        hash(annotation)
    except TypeError:  # as an Annotated with a dict in it
        return _inspect(annotation)
    return _cached_info(annotation)


@lru_cache(maxsize=512)
def _cached_info(annotation: Any) -> inspect.Type:
    return _inspect(annotation)


def _inspect(annotation: Any) -> inspect.Type:
    msgspec.msgpack.Decoder(annotation)  # refuses an annotation that msgspec can't convert to
    return inspect.type_info(annotation)


def _adapt(value: Any, info: inspect.Type) -> Any:
    """Return `value` with the exact types that msgspec converts from, as far as `info` reaches."""
    if isinstance(info, inspect.Metadata):
        info = info.type
    if isinstance(info, inspect.UnionType):
        info = _member(value, info)
    if isinstance(info, (inspect.AnyType, inspect.CustomType)):
        return value
    if isinstance(info, inspect.DataclassType) and info.cls in _TERMS:
        return _adapt_term(value, info.cls)
    if isinstance(value, (Struct, Mapping)):
        return _adapt_mapping(value, info)
    if isinstance(value, (list, tuple, frozenset)):
        return _adapt_array(value, info)
    return _adapt_scalar(value, info)


def _adapt_term(value: Any, kind: type[Any]) -> dict[str, Any]:
    """Return the attributes of one of this package's own terms, which msgspec makes it of again."""
    if type(value) is not kind:
        raise DecodeError(f"Expected `{kind.__name__}`, got `{type(value).__name__}`")
    return {name: getattr(value, name) for name in kind.__dataclass_fields__}


def _member(value: Any, union: inspect.UnionType) -> inspect.Type:
    """Return the member of a union that `value` is meant for; a binary is text where text is allowed."""
    members = [member.type if isinstance(member, inspect.Metadata) else member for member in union.types]
    for member in members:
        if isinstance(member, inspect.CustomType) and isinstance(value, member.cls):
            return member
    for member in members:
        if isinstance(member, inspect.DataclassType) and member.cls in _TERMS and type(value) is member.cls:
            return member
    if isinstance(value, str):
        return next((member for member in members if isinstance(member, _TEXT)), _bytes_or_any(members))
    if type(value) is int:
        return _number_member(members)
    if isinstance(value, (Struct, Mapping)):
        return _object_member(value, members)
    return next((member for member in members if isinstance(member, (*_ARRAY, inspect.TupleType))), _ANY)


def _bytes_or_any(members: list[inspect.Type]) -> inspect.Type:
    return next((member for member in members if isinstance(member, _BYTES)), _ANY)


def _number_member(members: list[inspect.Type]) -> inspect.Type:
    if any(isinstance(member, inspect.IntType) for member in members):
        return _ANY
    return next((member for member in members if isinstance(member, inspect.DecimalType)), _ANY)


def _object_member(value: Struct | Mapping[Any, Any], members: list[inspect.Type]) -> inspect.Type:
    fields = value.fields if isinstance(value, Struct) else value
    objects = [member for member in members if isinstance(member, (*_OBJECT, inspect.DictType))]
    for member in objects:
        if isinstance(member, inspect.StructType) and member.tag_field and fields.get(member.tag_field) == member.tag:
            return member
    return objects[0] if objects else _ANY


def _adapt_mapping(value: Struct | Mapping[Any, Any], info: inspect.Type) -> Any:
    items = value.fields if isinstance(value, Struct) else value
    pairs = items.pairs if isinstance(items, PairMap) else items.items()
    if isinstance(info, _OBJECT):
        types = {getattr(field, "encode_name", field.name): field.type for field in info.fields}
        if isinstance(info, inspect.StructType) and info.tag_field:
            types[info.tag_field] = inspect.StrType()
        return {_text(key): _adapt(item, types.get(_text(key), _ANY)) for key, item in pairs}
    if isinstance(info, inspect.DictType):
        return {_adapt(key, info.key_type): _adapt(item, info.value_type) for key, item in pairs}
    return {_text(key): item for key, item in pairs}


def _adapt_array(value: list[Any] | tuple[Any, ...] | frozenset[Any], info: inspect.Type) -> Any:
    items = list(value)
    if isinstance(info, _ARRAY):
        items = [_adapt(item, info.item_type) for item in items]
    elif types := _item_types(info):
        items = [_adapt(item, kind) for item, kind in zip_longest(items, types[: len(items)], fillvalue=_ANY)]
    return tuple(items) if isinstance(value, tuple) else items


def _item_types(info: inspect.Type) -> list[inspect.Type]:
    """Return the types of an array whose items differ: a tuple, a NamedTuple, an `array_like` Struct."""
    if isinstance(info, inspect.TupleType):
        return list(info.item_types)
    if isinstance(info, inspect.NamedTupleType):
        return [field.type for field in info.fields]
    if isinstance(info, inspect.StructType) and info.array_like:
        return [_ANY] * (info.tag is not None) + [field.type for field in info.fields]
    return []


def _adapt_scalar(value: Any, info: inspect.Type) -> Any:
    if isinstance(value, str):
        text = _text(value)
        return text.encode() if isinstance(info, _BYTES) else text
    if isinstance(info, inspect.DecimalType) and type(value) is int and value.bit_length() > _DECIMAL_BITS:
        bits = value.bit_length()
        raise DecodeError(f"a Decimal is made of an integer of at most {_DECIMAL_BITS:,} bits, not {bits:,}")
    if isinstance(value, datetime):
        return datetime.combine(value.date(), _plain_time(value.timetz()))
    return _plain_time(value) if isinstance(value, time) else value


def _plain_time(value: time) -> time:
    return time(value.hour, value.minute, value.second, value.microsecond, value.tzinfo)


def _text(key: Any) -> Any:
    return str.__str__(key) if isinstance(key, str) else key
