"""The bases of generated classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, Unpack

import msgspec

from bridge.codecs import json
from bridge.contracts.runtime.terms import SENSITIVE, Terms
from bridge.jobs import Job, instances
from bridge.jobs.insert import InsertOptions
from bridge.jobs.instances import Enqueuer

R = TypeVar("R")


class ContractStruct(msgspec.Struct, frozen=True, kw_only=True):
    """An object inside of a contract's args or result."""

    __sensitive__: ClassVar[tuple[str, ...]] = ()

    def __repr__(self) -> str:
        return _shown(self, super().__repr__)


class Contract(msgspec.Struct, Generic[R], frozen=True, kw_only=True):
    """The args of one kind of job; `R` is what its worker returns, None where the contract doesn't say."""

    __contract__: ClassVar[Terms]
    __sensitive__: ClassVar[tuple[str, ...]] = ()

    def __repr__(self) -> str:
        return _shown(self, super().__repr__)

    if TYPE_CHECKING:

        @classmethod
        def __result__(cls) -> R:
            """Tell type checkers what a worker under this contract returns."""
            ...

    @classmethod
    def cast(cls, args: Mapping[str, Any] | bytes | str) -> Self:
        """Return args, as a row holds them, as an object: unknown fields and new values of open enums are let pass.

        Raises:
            ContractError: They break the contract; `.violations` lists how, by path.
            DecodeError: Text that is not JSON.
        """
        value: Any = json.decode(args) if isinstance(args, str | bytes) else args
        if isinstance(value, Mapping) and type(value) is not dict:
            value = dict(value)
        found: Self = cls.__contract__.cast(value)
        return found

    def dump(self) -> dict[str, Any]:
        """Return the args as they go into the row, made of JSON's types alone.

        Raises:
            ContractError: They break the contract: type checkers see types, and not bounds or patterns.
            EncodeError: A field of any type holds what JSON can't.
        """
        return type(self).__contract__.dump(self)

    def new(self, **options: Unpack[InsertOptions]) -> Job[Self]:
        """Build a job with these args; nothing is inserted.

        Args:
            options: As in `Job`; they win over the contract's own. `meta` gains `contract`, such as `GenerateBadge@1`.

        Raises:
            ContractError: As in `dump`.
            InvalidJob: An unknown option, or a value that the table or an Elixir node can't take.
        """
        return type(self).__contract__.build(self, options)

    async def enqueue(
        self, oban: Enqueuer | None = None, /, *, conn: Any = None, **options: Unpack[InsertOptions]
    ) -> Job[Self]:
        """Build a job with these args and insert it.

        Args:
            oban: The instance; default: the running one named `Oban`.
            conn: An asyncpg connection, to insert within its transaction.
            options: As in `new`.

        Raises:
            ContractError, InvalidJob: As in `new`; nothing was inserted.
            InstanceNotFound: No instance is running in this process.
        """
        instance = instances.find("Oban") if oban is None else oban
        return await instance.enqueue(self.new(**options), conn=conn)


def _shown(value: ContractStruct | Contract[Any], plain: Callable[[], str]) -> str:
    """Return the `repr` of an object without the values of its sensitive fields."""
    hidden = type(value).__sensitive__
    if not hidden:
        return plain()
    fields = value.__struct_fields__
    shown = (f"{name}={SENSITIVE if name in hidden else repr(getattr(value, name))}" for name in fields)
    return f"{type(value).__name__}({', '.join(shown)})"
