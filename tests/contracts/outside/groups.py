"""Groups of a schema and values whose validity is known, judged by the generated classes of both languages."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from referencing import Registry

from bridge.contracts.emit import python
from bridge.contracts.model import JobOptions, Model
from bridge.contracts.normalise import DIALECT, normalise
from bridge.errors import ContractError, InvalidContract
from contracts.elixir.beam import Elixir

_SAMPLES = frozenset({"const", "enum", "default", "examples"})


@dataclass
class Group:
    """One group.

    Attributes:
        file: Where it stands.
        name: What it is about.
        schema: The schema.
        values: What is judged.
        expected: Whether each value is valid.
        descriptions: What each value is about.
        formats: Whether formats are asserted.
        model: The schema as the one field, `value`, of a contract; None: it was refused.
        refusal: Why.
        verdicts: What each judge says of the values.
    """

    file: str
    name: str
    schema: Any
    values: list[Any]
    expected: list[bool]
    descriptions: list[str]
    formats: bool = True
    model: Model | None = None
    refusal: str = ""
    verdicts: dict[str, list[bool]] = field(default_factory=dict)

    def disagreements(self, judge: str) -> list[str]:
        """Return what a judge gets wrong; nothing where it wasn't asked."""
        rows = zip(self.descriptions, self.verdicts.get(judge, self.expected), self.expected, strict=True)
        return [
            f"{judge} says {'valid' if said else 'invalid'}: {self.file}: {self.name}: {description}"
            for description, said, expected in rows
            if said != expected
        ]


def build(group: Group, number: int, registry: Registry[Any] | None = None) -> None:
    """Make a contract of a group, or note why it is refused.

    The schema is a resource of its own in it, so that its `#` stays its own root.
    """
    inner = group.schema
    if isinstance(inner, dict):
        inner = {"$id": "urn:suite:group", **_closed(inner)}
        if inner.pop("$schema", DIALECT) != DIALECT:
            group.refusal = "$schema: another dialect than draft 2020-12"
            return
    document = {"type": "object", "required": ["value"], "properties": {"value": inner}}
    name, module = f"Group{number}", f"group{number}"
    try:
        schema = normalise(
            document, registry=registry, base_uri="urn:suite:contract", module=module, name=name,
            formats_assert=group.formats,
        )  # fmt: skip
    except InvalidContract as error:
        group.refusal = f"{error.value}: expected {error.expected}"
    else:
        group.model = Model(name, module, Path(f"{module}.json"), schema, JobOptions(f"Suite.{name}", "python"))


def ask_python(group: Group) -> None:
    """Run the generated module of a group, and cast every value with its class."""
    model = _built(group)
    module = types.ModuleType(f"suite.{model.module}")
    sys.modules[module.__name__] = module  # annotations of generated classes are looked up there
    code = compile(python.emit(model, {model.module: model}), module.__name__, "exec")
    exec(code, vars(module))  # generated code is what is tried
    contract = getattr(module, model.name)
    group.verdicts["python"] = [_is_cast(contract, {"value": value}) for value in group.values]


def ask_elixir(groups: Iterable[Group], running: Elixir) -> None:
    """Compile the generated modules of groups in one Elixir, and cast every value there."""
    groups = list(groups)
    for group in groups:
        running.load([_built(group)])
    asked = [(_built(group).name, [{"value": value} for value in group.values]) for group in groups]
    for group, answers in zip(groups, running.cast(asked), strict=True):
        group.verdicts["elixir"] = [answer[0] == "ok" for answer in answers]


def _built(group: Group) -> Model:
    if group.model is None:
        raise ValueError(f"{group.name} was refused: {group.refusal}")
    return group.model


def _closed(schema: Any) -> Any:
    """Close every enum, as JSON Schema has it: ours are open for readers."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: item if key in _SAMPLES else _closed(item) for key, item in schema.items()}
    return {**closed, "x-closed": True} if isinstance(schema.get("enum"), list) else closed


def _is_cast(contract: Any, value: dict[str, Any]) -> bool:
    try:
        contract.cast(value)
    except ContractError:
        return False
    return True
