"""The fields of a msgspec Struct or a dataclass, as JSON names them."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """One field.

    Attributes:
        attribute: Its name in Python.
        name: Its name in JSON, after a Struct's `rename`.
        declares_bytes: Whether its annotation mentions `bytes`.
        is_default: Tells whether a value is the field's default and may be left out.
    """

    attribute: str
    name: str
    declares_bytes: bool
    is_default: typing.Callable[[Any], bool]


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """The fields of a class and how they are put together.

    Attributes:
        fields: In the order of their definition.
        tag: A tagged Struct's field name and tag.
        array: Whether the Struct is `array_like`.
    """

    fields: tuple[Field, ...]
    tag: tuple[str, Any] | None = None
    array: bool = False

    def items(self, value: Any) -> Iterator[tuple[Field, Any]]:
        """Yield each field that `value` has set, with what it holds."""
        for field in self.fields:
            item = getattr(value, field.attribute)
            if item is not msgspec.UNSET and not field.is_default(item):
                yield field, item

    def assemble(self, items: list[tuple[str, Any]]) -> Any:
        """Return the object, or for an `array_like` Struct the array, that holds `items` and the tag."""
        if self.array:
            tagged = [self.tag[1]] if self.tag else []
            return tagged + [item for _, item in items]
        return dict([self.tag, *items] if self.tag else items)


@lru_cache(maxsize=512)
def fields_of(cls: Any) -> Layout:
    """Return the layout of a Struct class or a dataclass."""
    hints = _hints(cls)
    if issubclass(cls, msgspec.Struct):
        return _struct_layout(cls, hints)
    return Layout(
        tuple(
            Field(field.name, field.name, _mentions_bytes(hints.get(field.name)), _never)
            for field in dataclasses.fields(cls)
        )
    )


def _struct_layout(cls: type[msgspec.Struct], hints: dict[str, Any]) -> Layout:
    config = cls.__struct_config__
    omit = config.omit_defaults and not config.array_like
    required = len(cls.__struct_fields__) - len(cls.__struct_defaults__)
    defaults = (msgspec.NODEFAULT,) * required + cls.__struct_defaults__
    fields = tuple(
        Field(attribute, name, _mentions_bytes(hints.get(attribute)), _default_test(default) if omit else _never)
        for attribute, name, default in zip(cls.__struct_fields__, cls.__struct_encode_fields__, defaults, strict=True)
    )
    tag = None if config.tag is None else (config.tag_field or "type", config.tag)
    return Layout(fields, tag, config.array_like)


def _hints(cls: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(cls)
    except Exception:  # an annotation that can't be evaluated here declares nothing
        return {}


def _mentions_bytes(annotation: Any) -> bool:
    if annotation in (bytes, bytearray, memoryview):
        return True
    return any(_mentions_bytes(part) for part in typing.get_args(annotation))


def _never(_: Any) -> bool:
    return False


def _default_test(default: Any) -> typing.Callable[[Any], bool]:
    factory = getattr(default, "factory", None)
    if factory in (list, dict, set):
        return lambda value: type(value) is factory and not value
    if default is msgspec.NODEFAULT or factory is not None:
        return _never
    return lambda value: value is default or (type(value) is type(default) and bool(value == default))
