"""Names in Elixir: modules for classes, atoms for fields, types for enums."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from bridge.contracts import names
from bridge.contracts.emit.elixir import text as elixir_text

_HUMPS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_LONGEST: Final = 60

# A struct has these already, `:unset` stands for what is not there, and the first three are no names of a key.
_TAKEN: Final = frozenset({"nil", "true", "false", "unset", "__struct__", "__exception__"})

# Atoms that mean something else; such members of an enum stay text.
_NO_MEMBERS: Final = frozenset({"nil", "true", "false", "unset"})

# The formatter counts the escapes of an atom as written.
_LONGEST_ATOM: Final = 255

# Within a contract's module these mean Elixir's own, or the support module.
_OWN_MODULES: Final = frozenset(
    {"Access", "DateTime", "Date", "Elixir", "Enum", "Kernel", "Keyword", "List", "Map", "Oban", "Runtime", "String"}
)

# Module attributes with a meaning to Elixir, and those of generated modules themselves.
_ATTRIBUTES: Final = frozenset({
    "after_compile", "after_verify", "before_compile", "behavior", "behaviour", "callback", "compile", "debug_info",
    "deprecated", "derive", "dialyzer", "doc", "enforce_keys", "errors", "events", "external_resource", "fields",
    "file", "former", "hidden", "impl", "job", "macrocallback", "moduledoc", "nifs", "on_definition", "on_load",
    "opaque", "optional_callbacks", "result", "schema", "served", "since", "spec", "type", "typedoc", "typep", "vsn",
})  # fmt: skip

_BUILT_IN_TYPES: Final = frozenset({
    "any", "arity", "as_boolean", "atom", "binary", "bitstring", "boolean", "byte", "char", "charlist", "dynamic",
    "float", "fun", "function", "identifier", "integer", "iodata", "iolist", "keyword", "list", "map",
    "maybe_improper_list", "mfa", "module", "neg_integer", "nil", "no_return", "node", "non_neg_integer", "none",
    "nonempty_binary", "nonempty_bitstring", "nonempty_charlist", "nonempty_improper_list", "nonempty_list",
    "nonempty_maybe_improper_list", "nonempty_string", "number", "pid", "port", "pos_integer", "record",
    "reference", "string", "struct", "t", "term", "timeout", "tuple",
})  # fmt: skip


def atoms_of(wires: Iterable[str]) -> dict[str, str]:
    """Return the atom for each field of an object: `userName` and `user-name` are `:user_name`.

    Where two would be the same, and where nothing but ASCII letters and digits can't tell the name, the field is called
    what the wire calls it.
    """
    plain = {wire: _snake(wire) for wire in wires}
    count = Counter(plain.values())
    found: dict[str, str] = {}
    for wire, name in plain.items():
        atom = name if count[name] == 1 else _exact(wire)
        while atom in found.values():
            atom += "_"
        found[wire] = atom
    return found


def module_of(name: str, module: str, roots: Mapping[str, str]) -> str:
    """Return a class's module, below the namespace: that of a file's root, or one within it.

    Args:
        name: The class.
        module: The stem of the file that it belongs to.
        roots: The class of each file's root, by stem; a file that is missing has its stem in PascalCase.
    """
    root = roots.get(module) or names.pascal(module)
    return root_module(root) if name == root else f"{root_module(root)}.{nested_module(name)}"


def root_module(name: str) -> str:
    """Return the module of a file's root class: its own name, unless the support module has it."""
    return f"{_capital(name)}_" if name == "Runtime" else _capital(name)


def nested_module(name: str) -> str:
    """Return the last part of the module of a class within a file."""
    return f"{_capital(name)}_" if name in _OWN_MODULES else _capital(name)


def is_own_module(name: str) -> bool:
    """Tell whether contract modules call one of Elixir's modules, or the support module, by that name."""
    return name in _OWN_MODULES


def type_of(name: str) -> str:
    """Return the type of an enum: `AttendeeType` is `attendee_type`."""
    plain = _short(_HUMPS.sub("_", name).lower().strip("_") or "enum")
    return f"{plain}_enum" if plain in _BUILT_IN_TYPES or not plain[0].isalpha() else plain


def attribute_of(name: str) -> str:
    """Return the module attribute of an enum, without its sign: its type's name, or that and `_` where it is taken."""
    found = type_of(name)
    return f"{found}_" if found in _ATTRIBUTES else found


def is_member(value: str) -> bool:
    """Tell whether a member of an enum is an atom in Elixir; others stay text."""
    return value not in _NO_MEMBERS and len(elixir_text.atom(value)) <= _LONGEST_ATOM


def _snake(wire: str) -> str:
    name = re.sub(r"[^A-Za-z0-9]+", "_", _HUMPS.sub("_", wire)).strip("_").lower() if wire.isascii() else ""
    if wire.isascii() and re.fullmatch(r"[a-z_][a-z0-9_]*", wire):
        name = wire
    return _exact(name if re.match(r"[a-z_]", name) else wire)


def _exact(wire: str) -> str:
    return f"{wire}_" if wire in _TAKEN else _short(wire)


def _short(name: str) -> str:
    if len(elixir_text.atom(name)) <= _LONGEST:
        return name
    start = re.sub(r"[^a-z0-9]+", "_", name[:40].lower()).strip("_")
    return f"{start}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _capital(name: str) -> str:
    # A class may begin with an underscore or a small letter, a module may not.
    bare = name.lstrip("_")
    found = bare[:1].upper() + bare[1:] if bare[:1].isalpha() else f"Class{bare}"
    return found if len(found) <= _LONGEST else f"{found[:40]}{hashlib.sha256(name.encode()).hexdigest()[:8]}"
