"""The fields of generated classes: an annotation, a default, and a docstring below."""

from __future__ import annotations

import re
from typing import Final

from bridge.contracts.emit.python import layout, literals
from bridge.contracts.emit.python.layout import Code, Group, Led, call, flat
from bridge.contracts.emit.python.native import Native
from bridge.contracts.shapes import NO_DEFAULT, Constant, Field, Shape
from bridge.errors import InvalidContract

_INDENT: Final = 4
_UNNAMABLE: Final = re.compile(r'[\x00-\x1f"\\]')  # msgspec writes names as they are
_IMMUTABLE: Final = (str, int, float, bool, type(None))


class Fields:
    """Writes the fields of one module's classes; `source` is the contract file, for errors."""

    def __init__(self, native: Native, source: str) -> None:
        self._native = native
        self._scope = native.scope
        self._source = source

    def lines(self, field: Field, name: str) -> list[str]:
        """Return a field's lines; `name` is its attribute.

        Raises:
            InvalidContract: A name that msgspec can't map to the attribute, or a default that can't be written.
        """
        optional = not field.required and field.default is NO_DEFAULT
        more = [self._scope.runtime("UnsetType")] if optional else []
        about = f"Deprecated. {field.description}" if field.deprecated else field.description
        value = self._value(field, name)
        return [*self._assignment(name, field.shape, more, value), *literals.docstring(about, _INDENT)]

    def _value(self, field: Field, name: str) -> Code | None:
        """Return what stands behind the equals sign, or None for nothing."""
        default = self._default(field)
        if name == field.name and not isinstance(default, Led):
            return default
        if _UNNAMABLE.search(field.name):
            mend = "rename it, or leave it to additionalProperties"
            expected = "a property without quotes, backslashes and control characters, as Python's classes have it"
            raise InvalidContract(self._source, field.name, expected, mend)
        given: list[Code] = [] if name == field.name else [f"name={literals.text(field.name)}"]
        if default is not None:
            given.append(default if isinstance(default, Led) else Led("default=", default))
        return call(self._scope.runtime("field"), given)

    def _default(self, field: Field) -> Code | None:
        if field.default is NO_DEFAULT:
            if isinstance(field.shape, Constant) and field.required:
                return literals.value(field.shape.value)
            return None if field.required else self._scope.runtime("UNSET")
        if self._native.is_late(field.shape):
            mend = "move the enum or object to a file of its own"
            raise InvalidContract(f"{self._source}: {field.name}", field.default, "no default here", mend)
        if field.default in ([], {}):
            return Led("default_factory=", self._scope.builtin(type(field.default).__name__))
        value = self._native.default(field.shape, field.default)
        return value if isinstance(field.default, _IMMUTABLE) else Led("default_factory=lambda: ", value)

    def _assignment(self, name: str, shape: Shape, more: list[str], value: Code | None) -> list[str]:
        before, after = f"{name}: ", f" = {flat(value)}" if value else ""
        annotation = flat(self._native.annotation(shape, *more))
        whole = f"    {before}{annotation}{after}"
        if literals.fits(whole):
            return [whole]
        wide = layout.lines(self._native.annotation(shape, *more, wide=True), _INDENT, before, after)
        if isinstance(value, str) and not _keeps_broken(wide):
            value = call(self._scope.runtime("field"), [Led("default=", value)])
        if isinstance(value, Group) and literals.fits(f"    {before}{annotation} = {value.opening}"):
            return layout.lines(value, _INDENT, f"{before}{annotation} = ")
        if not _keeps_broken(wide):
            return [literals.kept(whole)]
        if isinstance(value, Group) and not literals.fits(wide[-1]):
            head = wide[-1].removesuffix(flat(value)).strip()
            return [*wide[:-1], *layout.lines(value, _INDENT, f"{head} ")]
        return wide


def _keeps_broken(lines: list[str]) -> bool:
    """Tell whether a comma behind a last item keeps formatters from joining the lines."""
    return any(line.endswith(",") for line in lines)
