"""Turns a JSON Schema document into the one form that everything else reads: see `model.Schema`.

What each keyword becomes is decided by the table in `keywords`; nothing is left out silently.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any, Final

from referencing import Registry

from bridge.contracts.documents import Document, Library, Place, class_name
from bridge.contracts.former import check_former
from bridge.contracts.keywords import AT_ROOT, FORMATS, ORDER, Keyword, keyword_of, nearest, nearest_format, slip_of
from bridge.contracts.model import Schema
from bridge.contracts.naming import name_classes
from bridge.contracts.patterns import translate
from bridge.contracts.soundness import check_loops, check_soundness
from bridge.errors import InvalidContract

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
CONTRACT_DIALECT: Final = "urn:bridge:contract:1"
_DEEPEST: Final = 100
_TYPES: Final = ("null", "boolean", "integer", "number", "string", "array", "object")


def normalise(
    document: Any,
    *,
    registry: Registry[Any] | None = None,
    base_uri: str = "",
    module: str = "schema",
    name: str | None = None,
    formats_assert: bool = True,
    pointer: str = "",
    all_defs: bool = False,
) -> Schema:
    """Return a schema with all that it refers to bundled, and its classes named.

    Args:
        document: The document, as JSON has it: a dict or a boolean.
        registry: The documents that references may lead to, by URI; none are fetched.
        base_uri: The document's own URI, from which relative references start.
        module: The stem of the document's file.
        name: The class of the document's root; default: its title, or the stem in PascalCase.
        formats_assert: Whether `format` and `contentEncoding` are checked; if not, they are left out, whatever they
            say, as for the annotation tests of JSON-Schema-Test-Suite.
        pointer: The part of the document to normalise, such as `/x-job/result`.
        all_defs: Whether `$defs` that nothing leads to are kept too; other files may refer to them.

    Raises:
        InvalidContract: A keyword, value or reference that both languages can't keep; `.field` says where.
    """
    owner = Document(base_uri, document, module, name or class_name(document, module))
    library = Library(owner, registry if registry is not None else Registry())
    return _Normaliser(library, formats_assert).run(pointer, all_defs)


class _Normaliser:
    def __init__(self, library: Library, formats_assert: bool) -> None:
        self._library = library
        self._formats_assert = formats_assert
        self._defs: dict[str, Schema] = {}
        self._owners: dict[str, Place] = {}
        self._origins: dict[int, Place] = {}

    def run(self, pointer: str, all_defs: bool) -> Schema:
        tokens = tuple(token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:])
        raw, place = self._library.root(tokens)
        root = self._schema(raw, place)
        if all_defs and isinstance(raw, dict):
            for keyword in ("$defs", "definitions"):
                for key in _mapping(raw.get(keyword, {}), place.at(keyword)):
                    self._reference(*self._library.root((*tokens, keyword, key)))
        if self._defs:
            root = {**root, "$defs": dict(sorted(self._defs.items()))} if isinstance(root, dict) else root
            self._origins[id(root)] = place
        check_loops(root, self._origins)
        name_classes(root, self._origins)
        check_former(root, self._origins)
        check_soundness(root, self._origins)
        ordered: Schema = _ordered(root)
        return ordered

    def _schema(self, raw: Any, place: Place) -> Schema:
        if isinstance(raw, bool):
            return raw
        if not isinstance(raw, dict):
            raise place.refuse(raw, "a schema: an object or a boolean")
        if len(place.tokens) > 2 * _DEEPEST:
            raise place.refuse("…", f"schemas nested at most {_DEEPEST} deep", "move the inner ones to $defs")
        found = {}
        for key, value in raw.items():
            keyword = _keyword(key, place)
            if key == "$schema":
                _check_dialect(value, place.at(key))
            elif keyword.status == "supported" and not self._is_left_out(key):
                found[key] = self._value(keyword, value, place)
        self._origins[id(found)] = place
        return found

    def _is_left_out(self, key: str) -> bool:
        return key == "$defs" or (key in ("format", "contentEncoding") and not self._formats_assert)

    def _value(self, keyword: Keyword, value: Any, place: Place) -> Any:
        at = place.at(keyword.name)
        match keyword.takes:
            case "schema":
                return self._child(value, at)
            case "schema list":
                return [self._child(part, at.at(index)) for index, part in enumerate(_filled(value, at))]
            case "schema map":
                return {key: self._child(part, at.at(key)) for key, part in _mapping(value, at).items()}
            case "patterns":
                for key in _mapping(value, at):
                    _pattern(key, at.at(key))
                return {key: self._child(part, at.at(key)) for key, part in value.items()}
            case "reference":
                return f"#/$defs/{self._reference(*self._library.resolve(_text(value, at), place))}"
            case takes:
                return _CHECKS[takes](value, at)

    def _child(self, raw: Any, place: Place) -> Schema:
        return self._schema(raw, place.entered(raw))

    def _reference(self, raw: Any, place: Place) -> str:
        """Normalise what a reference leads to, once, and return its key in `$defs`."""
        name = place.name
        owner = self._owners.setdefault(name, place)
        if (owner.document, owner.tokens) != (place.document, place.tokens):
            mend = "give one of them a `title` that is an identifier, or rename its key in $defs"
            raise place.refuse(name, f"a name that {owner.field} doesn't have", mend)
        if owner is place:
            self._defs[name] = self._schema(raw, place)
        return name


def _keyword(key: str, place: Place) -> Keyword:
    keyword = keyword_of(key)
    if keyword is None:
        raise place.at(key).refuse(key, "a keyword of JSON Schema 2020-12", nearest(key))
    if keyword.name != key and (meant := slip_of(key)):
        mend = f"did you mean {meant!r}? If it is yours, give it a name that is less like that"
        raise place.at(key).refuse(key, "a keyword of Bridge, or one that is unlike them all", mend)
    if keyword.status == "refused" and (key not in AT_ROOT or place.tokens):
        raise place.at(key).refuse(key, "a keyword that Python and Elixir can both keep", keyword.note)
    return keyword


def _ordered(schema: Any) -> Any:
    """Return a schema with its keywords in the order of the table, at every depth."""
    if not isinstance(schema, dict):
        return schema
    found = {}
    for key in sorted(schema, key=ORDER.__getitem__):
        value, keyword = schema[key], keyword_of(key)
        takes = "schema map" if key == "$defs" else keyword.takes if keyword else "any"
        if takes == "schema":
            value = _ordered(value)
        elif takes == "schema list":
            value = [_ordered(part) for part in value]
        elif takes in ("schema map", "patterns"):
            value = {name: _ordered(part) for name, part in value.items()}
        found[key] = value
    return found


def _check_dialect(value: Any, at: Place) -> None:
    known = isinstance(value, str) and (
        value.rstrip("#") in (DIALECT, CONTRACT_DIALECT) or value.rpartition("/")[2] == "contract.schema.json"
    )
    if not known:
        raise at.refuse(value, "JSON Schema 2020-12", f'write "$schema": "{DIALECT}", or leave it out')


def _text(value: Any, at: Place) -> str:
    if not isinstance(value, str):
        raise at.refuse(value, "text")
    return value


def _mapping(value: Any, at: Place) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise at.refuse(value, "an object")
    return value


def _list(value: Any, at: Place) -> list[Any]:
    if not isinstance(value, list):
        mend = "write prefixItems for a schema an item" if at.tokens[-1] == "items" else ""
        raise at.refuse(value, "a list", mend)
    return value


def _filled(value: Any, at: Place) -> list[Any]:
    if not _list(value, at):
        raise at.refuse(value, "a list with at least one entry", "leave the keyword out")
    return list(value)


def _texts(value: Any, at: Place) -> list[str]:
    found = [_text(part, at.at(index)) for index, part in enumerate(_list(value, at))]
    if len(set(found)) < len(found):
        raise at.refuse(value, "texts that are all different", "remove the repeated one")
    return found


def _boolean(value: Any, at: Place) -> bool:
    if not isinstance(value, bool):
        raise at.refuse(value, "true or false")
    return value


def _number(value: Any, at: Place) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise at.refuse(value, "a number")
    return value


def _positive(value: Any, at: Place) -> float:
    if _number(value, at) <= 0:
        raise at.refuse(value, "a number above 0")
    return _number(value, at)


def _size(value: Any, at: Place) -> int:
    if _number(value, at) < 0 or value != int(value):
        raise at.refuse(value, "a whole number, at least 0")
    return int(value)


def _type(value: Any, at: Place) -> Any:
    types = [value] if isinstance(value, str) else _texts(_filled(value, at), at)
    for name in types:
        if name not in _TYPES:
            raise at.refuse(name, f"one of {', '.join(_TYPES)}", _type_mend(name))
    return value


def _type_mend(name: str) -> str:
    known = {"int": "integer", "float": "number", "str": "string", "text": "string", "bool": "boolean", "map": "object",
             "dict": "object", "list": "array", "any": "nothing: leave `type` out"}  # fmt: skip
    if name in known:
        return f"write {known[name]}"
    close = difflib.get_close_matches(name, _TYPES, n=1)
    return f"did you mean {close[0]!r}?" if close else ""


def _pattern(value: Any, at: Place) -> str:
    try:
        translate(_text(value, at))
    except InvalidContract as error:
        raise at.refuse(value, error.expected, error.mend) from None
    return str(value)


def _format(value: Any, at: Place) -> str:
    row = FORMATS.get(_text(value, at))
    if row is None or row.status == "refused":
        raise at.refuse(value, "a format that both languages check alike", row.note if row else nearest_format(value))
    return str(value)


def _base64(value: Any, at: Place) -> str:
    if value != "base64":
        raise at.refuse(value, "base64", "no other encoding is checked; leave it out and say it in the description")
    return "base64"


def _text_lists(value: Any, at: Place) -> dict[str, list[str]]:
    return {key: _texts(part, at.at(key)) for key, part in _mapping(value, at).items()}


def _former(value: Any, at: Place) -> Any:
    """Take a field's former name or names, or an object of an enum's old and new texts."""
    if isinstance(value, dict) and value:
        return {old: _text(new, at.at(old)) for old, new in value.items()}
    if isinstance(value, str) and value:
        return value
    if isinstance(value, list) and value and all(_texts(value, at)):
        return value
    raise at.refuse(value, "a former name, a list of them, or an object of an enum's old and new texts")


_CHECKS: Final[dict[str, Callable[[Any, Place], Any]]] = {
    "any": lambda value, _: value,
    "any list": _list,
    "base64": _base64,
    "boolean": _boolean,
    "enum": _filled,
    "format": _format,
    "former": _former,
    "number": _number,
    "pattern": _pattern,
    "positive number": _positive,
    "size": _size,
    "string": _text,
    "string map": _text_lists,
    "strings": _texts,
    "type": _type,
}
