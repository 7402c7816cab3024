"""What a contract describes beside args: its result, the data of its errors, its events."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from bridge.contracts.model import Schema
from bridge.contracts.runtime.build import Builder
from bridge.contracts.runtime.check import TOO_DEEP, Checker, compile_checks
from bridge.contracts.runtime.classes import Classes
from bridge.contracts.runtime.renamed import Rename, compile_renames
from bridge.errors import ContractError


class Part:
    """One such schema; what reads and writes its values is made when it is first needed.

    Args:
        name: What errors call it, such as `GenerateBadge@1 result`.
        schema: Its normalised schema.
        classes: Where the generated classes are found.
    """

    def __init__(self, name: str, schema: Schema, classes: Classes) -> None:
        self.schema = schema
        self._name = name
        self._classes = classes

    def dump(self, value: Any) -> Any:
        """Return a value as JSON has it.

        Raises:
            ContractError: It breaks the schema, or has a field that the schema doesn't declare.
            EncodeError: A field of any type holds what JSON can't.
        """
        try:
            found = self._builder.native.dump(value)
        except RecursionError:
            raise ContractError(self._name, [TOO_DEEP]) from None
        self._refuse(self._write, found)
        return found

    def load(self, value: Any) -> Any:
        """Return a value of JSON as the schema's classes have it; unknown fields and new values of enums are let pass.

        Raises:
            ContractError: It breaks the schema.
        """
        try:
            found = value if self._rename is None else self._rename(value)
            self._refuse(self._read, found)
            return self._builder.native.load(found)
        except RecursionError:
            raise ContractError(self._name, [TOO_DEEP]) from None

    def _refuse(self, check: Checker, value: Any) -> None:
        if violations := check(value):
            raise ContractError(self._name, violations)

    @cached_property
    def _rename(self) -> Rename | None:
        return compile_renames(self.schema)

    @cached_property
    def _read(self) -> Checker:
        return compile_checks(self.schema, mode="read")

    @cached_property
    def _write(self) -> Checker:
        return compile_checks(self.schema, mode="write")

    @cached_property
    def _builder(self) -> Builder:
        return Builder(self.schema, self._classes)
