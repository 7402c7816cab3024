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

    def __init_subclass__(cls) -> None:
        """Refuse a subclass of a generated class: what it adds would be lost on the way to the row and back."""
        _refuse_subclass(cls, ContractStruct)

    def __repr__(self) -> str:
        return _shown(self, super().__repr__)


class Contract(msgspec.Struct, Generic[R], frozen=True, kw_only=True):
    """The args of one kind of job; `R` is what its worker returns, None where the contract doesn't say."""

    __contract__: ClassVar[Terms]
    __sensitive__: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        """Refuse a subclass of a generated class, as `ContractStruct` does."""
        _refuse_subclass(cls, Contract)

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

    @classmethod
    def dump_event(cls, name: str, value: Any) -> dict[str, Any]:
        """Return one of the contract's events as JSON, such as the payload of a notification.

        Args:
            name: Its name in `x-job.events`.
            value: The object of the event's class, or a dict.

        Raises:
            ContractError: It breaks the event's schema; `.violations` lists how.
            EncodeError: A field of any type holds what JSON can't.
            InvalidPayload: The contract has no such event.
        """
        found: dict[str, Any] = cls.__contract__.dump_part("event", name, value)
        return found

    @classmethod
    def read_event(cls, name: str, payload: Any) -> Any:
        """Return a payload as the object of an event's class; raises as `dump_event` does."""
        return cls.__contract__.part("event", name).load(payload)

    @classmethod
    def dump_error(cls, code: str, data: Any) -> Any:
        """Return the data of one of the contract's errors as JSON; `code` is its key in `x-job.errors`.

        Raises:
            ContractError: They break the error's schema; `.violations` lists how.
            InvalidPayload: The contract has no such error, or it has no data.
        """
        return cls.__contract__.dump_part("error", code, data)

    @classmethod
    def read_error(cls, code: str, data: Any) -> Any:
        """Return the data of an error as the object of its class; raises as `dump_error` does."""
        return cls.__contract__.part("error", code).load(data)

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
        self, oban: Enqueuer | str | None = None, *, conn: Any = None, **options: Unpack[InsertOptions]
    ) -> Job[Self]:
        """Build a job with these args and insert it.

        Args:
            oban: An instance, or a running one's name; default `Oban`.
            conn: An asyncpg connection, to insert within its transaction.
            options: As in `new`.

        Raises:
            ContractError, InvalidJob: As in `new`; nothing was inserted.
            InstanceNotFound: No instance is running in this process.
        """
        return await instances.choose(oban, "Oban").enqueue(self.new(**options), conn=conn)


def _refuse_subclass(cls: type[Any], base: type[Any]) -> None:
    parent = next((parent for parent in cls.__mro__[1:] if parent is not base and issubclass(parent, base)), None)
    if parent is not None:
        told = (
            f"{cls.__name__}: expected no subclass of {parent.__name__}, which has the contract's fields and no others"
        )
        raise TypeError(f"{told}; add a field to the contract, or hold the object in a class of your own")


def _shown(value: ContractStruct | Contract[Any], plain: Callable[[], str]) -> str:
    """Return the `repr` of an object without the values of its sensitive fields."""
    hidden = type(value).__sensitive__
    if not hidden:
        return plain()
    fields = value.__struct_fields__
    shown = (f"{name}={SENSITIVE if name in hidden else repr(getattr(value, name))}" for name in fields)
    return f"{type(value).__name__}({', '.join(shown)})"
