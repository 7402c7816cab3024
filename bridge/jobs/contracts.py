"""The contracts that this process knows, by the worker whose args they describe.

Contracts lie above jobs, so what jobs ask of one stands here as a protocol.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from msgspec import Struct

from bridge.errors import EncodeError, InvalidJob, InvalidWorker, ValidationError

if TYPE_CHECKING:
    from bridge.jobs.job import Job

E = TypeVar("E", bound=ValidationError)


class Options(Protocol):
    """How jobs under a contract are inserted and run; the defaults are Oban's."""

    @property
    def worker(self) -> str: ...  # noqa: D102 - the columns' names
    @property
    def serves(self) -> str: ...  # noqa: D102
    @property
    def queue(self) -> str: ...  # noqa: D102
    @property
    def max_attempts(self) -> int: ...  # noqa: D102
    @property
    def priority(self) -> int: ...  # noqa: D102
    @property
    def tags(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def unique(self) -> Mapping[str, Any] | None: ...  # noqa: D102
    @property
    def timeout(self) -> float | None: ...  # noqa: D102
    @property
    def aliases(self) -> tuple[str, ...]: ...  # noqa: D102


class JobContract(Protocol):
    """What jobs ask of a contract; `bridge.contracts.runtime.Terms` is one."""

    cls: type[Any]
    tag: str

    @property
    def options(self) -> Options:
        """How its jobs are inserted and run."""
        ...

    @property
    def result(self) -> Any:
        """The schema of what the worker returns; None: the contract doesn't say."""
        ...

    @property
    def result_class(self) -> type[Any] | None:
        """The class of what the worker returns; None where it isn't one of the contract's."""
        ...

    @property
    def sensitive(self) -> bool:
        """Whether it has values that no message may show."""
        ...

    def cast(self, args: Any) -> Any:
        """Return args of a row as an object, or raise ContractError."""
        ...

    def dump(self, value: Any) -> dict[str, Any]:
        """Return an object's JSON, or raise ContractError."""
        ...

    def redact(self, args: Any) -> Any:
        """Return a row's args without the values that must not be shown."""
        ...

    def check_row(self, args: Any) -> None:
        """Raise ContractError for args that can't be read."""
        ...

    def check_new(self, args: Any) -> None:
        """Raise ContractError for args that may not be written."""
        ...

    def check_edited(self, before: Any, after: Any) -> None:
        """Raise ContractError for a row's args after a change by hand."""
        ...

    def build(self, args: Any, options: Mapping[str, Any]) -> Job[Any]:
        """Return a job with these args."""
        ...

    def record(self, result: Any) -> Any:
        """Return what a worker returned as what is recorded, or raise ContractError."""
        ...

    def load_result(self, value: Any) -> Any:
        """Return what was recorded as a typed value, or raise ContractError."""
        ...


_known: dict[str, JobContract] = {}


def register(contract: JobContract, names: Iterable[str]) -> None:
    """Make a contract known by its worker's names; a class takes over from one of the same name, after a reload.

    Raises:
        InvalidWorker: Another class has a name already.
    """
    wanted = list(names)
    for name in wanted:
        other = _known.get(name)
        if other is not None and _path(other) != _path(contract):
            raise InvalidWorker("worker", name, "a worker without a contract", f"{_path(other)} describes it already")
    _known.update(dict.fromkeys(wanted, contract))


def find(worker: str) -> JobContract | None:
    """Return the contract of a worker; None where there is none in this process."""
    return _known.get(worker)


def contract_of(args: Any) -> JobContract | None:
    """Return the contract whose object `args` is; None for a mapping."""
    found: JobContract | None = getattr(type(args), "__contract__", None)
    return found


def settle(worker: str, args: Any) -> JobContract | None:
    """Return the contract that args for a worker must keep, or None.

    Raises:
        InvalidJob: The args are another worker's.
    """
    own, known = contract_of(args), _known.get(worker)
    if known is not None:
        refuse_other(known, args)
    elif own is not None:
        raise InvalidJob("worker", worker, f"{own.options.worker}, whose args these are", "use args.new()")
    return known


def refuse_other(contract: JobContract, args: Any) -> None:
    """Raise InvalidJob for an object of another class, even where its fields would do."""
    own = contract_of(args)
    if own is contract or (own is None and not isinstance(args, Struct)):
        return
    mend = "" if own is None else f"build the job with {own.cls.__name__}.new()"
    raise InvalidJob("args", type(args).__name__, f"{contract.cls.__name__} or a dict", mend)


def veiled(error: EncodeError, contract: JobContract | None) -> EncodeError:
    """Return the error without its value, where the contract has values that no message may show."""
    if contract is None or not contract.sensitive:
        return error
    return EncodeError(error.field, _HIDDEN, error.expected, error.mend)


def veiled_by_any(error: E) -> E:
    """Return the error without its value, where any contract hides values: whose args they are isn't known yet."""
    if not any(contract.sensitive for contract in _known.values()):
        return error
    return type(error)(error.field, _HIDDEN, error.expected, error.mend)


class _Hidden:
    """Stands for a value in a message."""

    def __repr__(self) -> str:
        return "a value that is not shown"


_HIDDEN: Final = _Hidden()


def _path(contract: JobContract) -> str:
    return f"{contract.cls.__module__}.{contract.cls.__qualname__}"
