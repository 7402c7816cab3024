"""Python's side of a contract: a module of frozen classes, and the data that its checks need."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Final

from bridge.contracts.emit.header import HEADER
from bridge.contracts.emit.python import layout, literals
from bridge.contracts.emit.python.embedded import checked_part, data_text, schema_text
from bridge.contracts.emit.python.fields import Fields
from bridge.contracts.emit.python.graph import circular, known_structs, roots
from bridge.contracts.emit.python.layout import Code, Group, Led, flat
from bridge.contracts.emit.python.names import field_names, member_names
from bridge.contracts.emit.python.native import Native
from bridge.contracts.emit.python.scope import Scope
from bridge.contracts.model import ErrorCode, JobOptions, Model
from bridge.contracts.runtime import Contract, ContractStruct
from bridge.contracts.shapes import EnumOf, StructOf, enums, shape_of, structs
from bridge.errors import InvalidContract

"""How every file begins that the command may overwrite and remove, behind the sign of a comment."""

_DEPRECATED: Final = "# pyright: reportDeprecated=false"  # in generated code itself, where nobody can mend it
_JOB_DEFAULTS: Final = JobOptions(worker="", serves="python")
_TAKEN: Final = frozenset({"self", *(name for name in (*dir(Contract), *dir(ContractStruct)) if name[0] != "_")})


def emit(model: Model, models: Mapping[str, Model]) -> str:
    """Return the module of one contract file.

    Args:
        model: The file.
        models: All files of the folder, by module.

    Raises:
        InvalidContract: A name that Python can't have, or text that no file can hold.
    """
    return _Module(model, models).text()


def emit_package(models: Mapping[str, Model]) -> str:
    """Return the package's `__init__.py`, which exports the root class of each file.

    Nested classes are imported from their modules: their names may repeat from file to file.
    """
    exported = [(module, model.name) for module, model in sorted(models.items()) if _root_of(model)]
    imports = [f"from .{module} import {name}" for module, name in exported]
    names = layout.listing([literals.text(name) for name in sorted(name for _, name in exported)])
    return _joined(
        literals.comment(f"{HEADER}this folder's contracts. Change those instead."),
        *([_DEPRECATED] if any(map(_is_deprecated, models.values())) else []),
        '"""The contracts of this folder as classes, one module a file."""',
        *(["", *imports] if imports else []),
        "",
        *layout.lines(names, before="__all__ = "),
    )


class _Module:
    """One module while it is written."""

    def __init__(self, model: Model, models: Mapping[str, Model]) -> None:
        self._model = model
        known = known_structs(model)
        self._structs = [struct for (module, _), struct in known.items() if module == model.module]
        self._enums = _enums(model)
        self._classes = frozenset([*(struct.name for struct in self._structs), *(enum.name for enum in self._enums)])
        _check_names(model, self._classes)
        attributes = {name for struct in self._structs for name in self._attributes(struct).values()}
        self._scope = Scope(self._classes | attributes, circular(model, models))
        self._native = Native(self._scope, model.module, known, self._attributes)
        self._fields = Fields(self._native, model.path.name)

    def text(self) -> str:
        root = _root_of(self._model)
        if root is None and self._model.job:
            raise InvalidContract(self._model.path.name, self._model.name, "args that are an object with properties")
        nested = [struct for struct in self._structs if struct != root]
        parts = [self._enum(enum) for enum in self._enums]
        parts += [self._struct(struct, self._scope.runtime("ContractStruct")) for struct in nested]
        if root:
            parts.append(self._struct(root, self._base))
        if self._model.job:
            parts.append(self._definition(self._model.job))
        body = [line for part in parts for line in ("", "", *part)]
        return _joined(*self._head(), *self._scope.imports("\n".join(body)), *body)

    def _head(self) -> list[str]:
        model = self._model
        about = f"The contract {model.tag}." if model.job else f"{model.name}, which contracts refer to."
        source = literals.comment(f"{HEADER}{model.path.name}. Change that file instead.")
        silenced = [_DEPRECATED] if _is_deprecated(model) else []
        return [source, *silenced, *literals.docstring(about), "", "from __future__ import annotations"]

    @cached_property
    def _base(self) -> str:
        """The base of the root's class: what the worker returns is its parameter."""
        result = self._model.result
        if not self._model.job:
            return self._scope.runtime("ContractStruct")
        shape = None if result is None else shape_of(result, result)
        returned = "None" if shape is None else flat(self._native.annotation(shape))
        is_own = self._model.name in re.findall(r"\w+", returned)
        if shape is not None and (is_own or self._native.is_late(shape)):
            returned = literals.text(returned)  # the class itself, or a name that is there for type checkers alone
        return f"{self._scope.runtime('Contract')}[{returned}]"

    @property
    def _part(self) -> str:
        return f"Part of {self._model.name}."

    def _enum(self, enum: EnumOf) -> list[str]:
        base = self._scope.use("enum", "StrEnum") if enum.closed else self._scope.runtime("OpenEnum")
        names = member_names(enum.values)
        members = [literals.kept(f"    {names[value]} = {literals.text(value)}") for value in enum.values]
        return [
            literals.kept(f"class {enum.name}({base}):"),
            *_documented(enum.description.strip() or self._part, members),
        ]

    def _struct(self, struct: StructOf, base: str) -> list[str]:
        head = layout.lines(Group("(", (base, "frozen=True", "kw_only=True"), ")"), 0, f"class {struct.name}", ":")
        names = self._attributes(struct)
        fields = _hidden([names[field.name] for field in struct.fields if field.sensitive])
        fields += [line for field in struct.fields for line in self._fields.lines(field, names[field.name])]
        return [*self._deprecation(struct), *head, *_documented(struct.description.strip() or self._part, fields)]

    def _deprecation(self, struct: StructOf) -> list[str]:
        if not struct.deprecated:
            return []
        # Without a category it is told by type checkers alone: old rows must be readable in silence.
        mark = self._scope.runtime("deprecated")
        return [f'@{mark}("its contract is deprecated", category=None)']

    def _definition(self, job: JobOptions) -> list[str]:
        arguments = [self._model.name, *_options(job), *_schemas(self._model)]
        inner = [line for argument in arguments for line in layout.lines(argument, 4, after=",")]
        return [f"{self._scope.runtime('define')}(", *inner, ")"]

    def _attributes(self, struct: StructOf) -> Mapping[str, str]:
        return field_names([field.name for field in struct.fields], _TAKEN | self._classes)


def _hidden(names: list[str]) -> list[str]:
    """What keeps fields out of the class's `repr`."""
    if not names:
        return []
    texts = tuple(literals.text(name) for name in names)
    value = Group("(", texts, ")") if len(texts) > 1 else f"({texts[0]},)"
    return [*layout.lines(value, 4, "__sensitive__ = "), ""]


def _root_of(model: Model) -> StructOf | None:
    return structs(model.schema).get((model.module, model.name))


def _is_deprecated(model: Model) -> bool:
    """Tell whether the module names a deprecated class."""
    return any(struct.deprecated for struct in known_structs(model).values())


def _enums(model: Model) -> list[EnumOf]:
    found = {key: enum for root in roots(model) for key, enum in enums(root).items()}
    return [enum for (module, _), enum in found.items() if module == model.module]


def _check_names(model: Model, classes: frozenset[str]) -> None:
    for name in (model.module, *sorted(classes)):
        if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
            kind = "file" if name == model.module else "class"
            raise InvalidContract(model.path.name, name, f"a {kind}'s name that Python can have", "rename it")


def _documented(description: str, body: list[str]) -> list[str]:
    about = literals.docstring(description, 4)
    return [*about, "", *body] if body else about


def _options(job: JobOptions) -> Iterator[Code]:
    for name in JobOptions.__dataclass_fields__:
        value = getattr(job, name)
        if value != getattr(_JOB_DEFAULTS, name) or name == "serves":
            yield Led(f"{name}=", _literal(value))


def _literal(value: Any) -> Code:
    if isinstance(value, Mapping):
        return layout.table([(literals.text(name), _literal(item)) for name, item in value.items()])
    if isinstance(value, list):
        return layout.listing(list(map(_literal, value)))
    return layout.pair(list(map(_literal, value))) if isinstance(value, tuple) else literals.value(value)


def _schemas(model: Model) -> Iterator[Code]:
    yield f"schema={_raw(schema_text(model.schema))}"
    if model.result is not None:
        yield f"result={_raw(schema_text(model.result))}"
    if model.errors:
        yield f"errors={_raw(data_text({code: _error(error) for code, error in model.errors.items()}))}"
    if model.events:
        yield f"events={_raw(data_text({name: checked_part(schema) for name, schema in model.events.items()}))}"


def _error(error: ErrorCode) -> dict[str, Any]:
    found: dict[str, Any] = {"retry": error.retry, "description": error.description}
    return found if error.data is None else {**found, "data": checked_part(error.data)}


def _raw(text: str) -> str:
    return f'r"""{text}"""'


def _joined(*lines: str) -> str:
    return "\n".join(lines) + "\n"
