"""What a worker's `process` says of its types, held against the contract that it is defined with."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

from bridge.errors import InvalidContract, InvalidWorker
from bridge.jobs.contracts import JobContract
from bridge.jobs.job import Job
from bridge.jobs.results import Cancel, Discard, Record, Snooze

#: What `process` may return beside the contract's result; a dict is checked when it is there.
_ALLOWED: Final = (NoneType, Mapping, Cancel, Discard, Record, Snooze)


def refuse_other_types(process: Any, contract: JobContract) -> None:
    """Raise InvalidWorker for a `process` that wants another contract's job, or says that it returns another class.

    Annotations that can't be resolved here, such as imports for type checkers alone, are not looked at.
    """
    try:
        hints = get_type_hints(process)
        names = list(inspect.signature(process).parameters)
    except Exception:  # an annotation may be any expression
        return
    mend = "change the annotation, or pass the other contract"
    _refuse_args(hints.get(names[1]) if len(names) > 1 else None, contract, mend)
    if contract.result is not None and "return" in hints:
        _refuse_result(hints["return"], contract, mend)


def _refuse_args(hint: Any, contract: JobContract, mend: str) -> None:
    if get_origin(hint) is Job:
        members = list(_members(get_args(hint)[0]))
        if not any(_is_unknown(member) or issubclass(contract.cls, member) for member in members):
            names = " | ".join(member.__name__ for member in members)
            raise InvalidWorker("process", f"Job[{names}]", f"a Job[{contract.cls.__name__}]", mend)


def _refuse_result(hint: Any, contract: JobContract, mend: str) -> None:
    try:
        result = contract.result_class
    except InvalidContract:  # `bridge contracts build` tells of it
        return
    if result is None:
        return
    for member in _members(hint):
        related = _is_unknown(member) or issubclass(member, (result, *_ALLOWED)) or issubclass(result, member)
        if not related:
            raise InvalidWorker("process", f"-> {member.__name__}", f"-> {result.__name__}", mend)


def _members(hint: Any) -> Iterator[Any]:
    if get_origin(hint) in (Union, UnionType):
        for member in get_args(hint):
            yield from _members(member)
    else:
        yield hint


def _is_unknown(hint: Any) -> bool:
    """Tell whether a hint is no plain class, so that nothing can be said against it."""
    return (
        hint is Any or not inspect.isclass(hint) or get_origin(hint) is not None or getattr(hint, "_is_protocol", False)
    )
