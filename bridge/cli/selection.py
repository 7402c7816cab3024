"""Which jobs a command means: by id or by filters, the same options for every command."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer

from bridge.cli.job_values import parse_object
from bridge.cli.moments import parse_duration, parse_moment
from bridge.errors import InvalidFilter

_Texts = list[str] | None
_Text = str | None
_Numbers = list[int] | None

_AGE = "'2h ago' or a time"

#: The options by their parameters' names, in the order of the help.
_OPTIONS: Final[Mapping[str, Any]] = {
    "ids": Annotated[list[int] | None, typer.Argument(metavar="ID...", help="Jobs by their ids.")],
    "state": Annotated[_Texts, typer.Option("--state", "-s", help="A state; repeat this for one of several.")],
    "queue": Annotated[_Texts, typer.Option("--queue", "-q", help="A queue, or one of several.")],
    "worker": Annotated[_Texts, typer.Option("--worker", "-w", help="A worker's name, or one of several.")],
    "tag": Annotated[_Texts, typer.Option("--tag", "-t", help="A tag that they have; all of several.")],
    "args": Annotated[_Text, typer.Option("--args", help="A JSON object that their args contain.")],
    "meta": Annotated[_Text, typer.Option("--meta", help="A JSON object that their meta contains.")],
    "priority": Annotated[_Numbers, typer.Option("--priority", help="A priority, or one of several.")],
    "min_attempt": Annotated[int | None, typer.Option("--min-attempt", help="Tried so often or more.")],
    "error": Annotated[_Text, typer.Option("--error", help="Text in the error of any attempt, in any case.")],
    "node": Annotated[_Texts, typer.Option("--node", help="The node of the last attempt, or one of several.")],
    "min_id": Annotated[int | None, typer.Option("--min-id", help="This id or a later one.")],
    "max_id": Annotated[int | None, typer.Option("--max-id", help="This id or an earlier one.")],
    "older_than": Annotated[_Text, typer.Option("--older-than", help="Inserted before so long: 30m, 2h, 3d.")],
    "newer_than": Annotated[_Text, typer.Option("--newer-than", help="Inserted within so long.")],
    "scheduled_before": Annotated[_Text, typer.Option("--scheduled-before", help=f"Due before 'in 5m', {_AGE}.")],
    "scheduled_after": Annotated[_Text, typer.Option("--scheduled-after", help=f"Due then or later: 'in 5m', {_AGE}.")],
    "attempted_before": Annotated[_Text, typer.Option("--attempted-before", help=f"Last begun before {_AGE}.")],
}


@dataclass(frozen=True, slots=True)
class Selection:
    """What was asked for: ids, and filters as the engine takes them, the ids among them."""

    ids: tuple[int, ...]
    filters: Mapping[str, Any]

    @property
    def by_filters(self) -> bool:
        """Whether anything but ids was given."""
        return self.filters.keys() - {"id"} != set()


def selecting(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that select jobs; it gets them as `selection`, its first argument."""

    def run(**values: Any) -> None:
        given = {name: values.pop(name) for name in _OPTIONS}
        command(parse(given), **values)

    _, *own = inspect.signature(command, eval_str=True).parameters.values()
    named = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in _OPTIONS.items()
    ]
    parameters = [*named, *(each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own)]
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what Typer reads
    return run


def parse(given: Mapping[str, Any]) -> Selection:
    """Return the selection of the options' values.

    Raises:
        InvalidFilter: A value that can't be read; the engine checks the rest.
    """
    now = datetime.now(UTC)
    ids = tuple(given["ids"] or ())
    filters: dict[str, Any] = {"id": list(ids)} if ids else {}
    for name in ("state", "queue", "worker", "priority", "node", "min_attempt", "min_id", "max_id", "error"):
        filters[name] = given[name]
    filters["has_tags"] = given["tag"]
    for name in ("args", "meta"):
        filters[name] = None if given[name] is None else parse_object(f"--{name}", given[name], InvalidFilter)
    for name in ("scheduled_before", "scheduled_after", "attempted_before"):
        filters[name] = None if given[name] is None else parse_moment(f"--{name.replace('_', '-')}", given[name], now)
    for name, column in (("older_than", "inserted_before"), ("newer_than", "inserted_after")):
        if given[name] is not None:
            filters[column] = _ago(f"--{name.replace('_', '-')}", given[name], now)
    return Selection(ids, {name: value for name, value in filters.items() if value not in (None, [])})


def _ago(option: str, text: str, now: datetime) -> datetime:
    try:
        return now - parse_duration(option, text)
    except OverflowError:
        raise InvalidFilter(option, text, "a duration that ends after the year 1") from None
