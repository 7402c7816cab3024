"""Args that keep a contract, for property tests of workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.errors import InvalidWorker

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from bridge.contracts.runtime.terms import Terms


def args_of(contract: type[Any]) -> SearchStrategy[dict[str, Any]]:
    """Return a Hypothesis strategy of args, as rows hold them, that keep the contract of a generated class.

    Hypothesis must be installed. `GenerateBadge.cast(args)` makes an object of the class of them.

    Raises:
        InvalidWorker: Not the class of a job's args.
    """
    from bridge.contracts.data.strategies import strategy  # noqa: PLC0415 - imports hypothesis, which takes a second

    terms: Terms | None = getattr(contract, "__contract__", None)
    if terms is None:
        raise InvalidWorker("contract", contract, "a class that bridge contracts build wrote", "pass the args' class")
    return strategy(terms.schema)
