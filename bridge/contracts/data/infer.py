"""A draft of a contract from the rows of a worker, and how many of them it accepts.

What was guessed says so in `$comment`: a person decides what stays. Text of rows gets into a draft as the values of
enums and tags alone, and only where many rows repeat each of them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from bridge.codecs.json import decode
from bridge.contracts.data.guesses import Guesser, titled
from bridge.contracts.names import pascal
from bridge.contracts.runtime.check import compile_checks
from bridge.contracts.source import load_text
from bridge.errors import DecodeError, InvalidContract

ENOUGH: Final = 0.999
"""The share of rows that a draft accepts at least, where any contract could."""

_OUTLIERS_SHOWN: Final = 10


@dataclass(frozen=True)
class Draft:
    """A contract file that was drafted, and how it does on the rows.

    Attributes:
        name: The file's name, such as `send_mail.json`.
        document: The contract.
        rows: How many rows were read.
        accepted: How many of them the draft accepts, by the checker that the runtime uses.
        outliers: Ids of jobs that it refuses, some of them, with the first violation of each without its value.
    """

    name: str
    document: dict[str, Any]
    rows: int
    accepted: int
    outliers: list[tuple[int, str, str]] = field(default_factory=list)

    @property
    def share(self) -> float:
        """The share of rows that are accepted; 1.0 where there are none."""
        return self.accepted / self.rows if self.rows else 1.0

    @property
    def text(self) -> str:
        """The file's contents."""
        return json.dumps(self.document, indent=2, ensure_ascii=False) + "\n"

    def lines(self) -> Iterator[str]:
        """Yield how the draft does on the rows, as text."""
        # Rounded down: nothing short of all is 100 %.
        percent = "100" if self.accepted == self.rows else f"{self.accepted * 10_000 // self.rows / 100:.2f}"
        yield f"accepts {self.accepted:,} of {self.rows:,} rows read, {percent} %"
        yield from (f"  refuses job {job}: {path or '(root)'} breaks {rule}" for job, path, rule in self.outliers)
        if self.rows - self.accepted > len(self.outliers):
            yield f"  and {self.rows - self.accepted - len(self.outliers)} more"


@dataclass(frozen=True)
class Observed:
    """What a draft is made of: a row's id, its queue and attempts, and its args as JSON text."""

    id: int
    queue: str
    max_attempts: int | None
    args: str | None


def infer(worker: str, rows: Iterable[Observed], *, values: bool = True) -> Draft:
    """Draft a contract for a worker.

    Args:
        worker: Its name in the rows.
        rows: Some of its rows, the more the better.
        values: False keeps every text of the rows out of the draft: no enums and no tags.
    """
    found = list(rows)
    decoded = [_decoded(row.args) for row in found]
    objects = [value for value in decoded if isinstance(value, dict)]
    name = f"{module_of(worker)}.json"
    document = _document(worker, found, _schema(objects, values=values))
    try:
        model = load_text(json.dumps(document), name)
    except InvalidContract:  # two places would have one class
        document = titled(document)
        model = load_text(json.dumps(document), name)
    check = compile_checks(model.schema, mode="read")
    checked = ((row.id, check(value)) for row, value in zip(found, decoded, strict=True))
    refused = [(job, violations[0].path, violations[0].rule) for job, violations in checked if violations]
    return Draft(name, document, len(found), len(found) - len(refused), refused[:_OUTLIERS_SHOWN])


def module_of(worker: str) -> str:
    """Return the stem of the file for a worker: `send_mail` for `MyApp.Workers.SendMail`."""
    last = worker.rpartition(".")[2]
    kept = "".join(char if char.isascii() and char.isalnum() else "_" for char in last)
    spread = "".join(
        f"_{char}" if char.isupper() and place and not kept[place - 1].isupper() else char
        for place, char in enumerate(kept)
    )
    stem = "_".join(part for part in spread.lower().split("_") if part)
    return stem if stem[:1].isalpha() else f"job_{stem}".rstrip("_")


def _schema(objects: Sequence[dict[str, Any]], *, values: bool) -> dict[str, Any]:
    """Return a schema of all but a few odd objects, or of all of them."""
    rough = Guesser(tolerance=1 - ENOUGH, values=values).object_schema(objects, root=True)
    check = compile_checks(rough, mode="strict")
    usual = [value for value in objects if not check(value)]
    kept = usual if len(usual) >= ENOUGH * len(objects) else objects
    return Guesser(tolerance=0, values=values).object_schema(kept, root=True)


def _document(worker: str, rows: Sequence[Observed], schema: dict[str, Any]) -> dict[str, Any]:
    module = module_of(worker)
    queues = Counter(row.queue for row in rows)
    attempts = Counter(row.max_attempts for row in rows if row.max_attempts)
    job = {
        "worker": worker,
        "serves": "elixir" if _is_elixir(worker) else "python",
        **({"queue": queues.most_common(1)[0][0]} if queues else {}),
        **({"max_attempts": attempts.most_common(1)[0][0]} if attempts else {}),
        "version": 1,
    }
    return {
        "title": pascal(module),
        "$comment": f"A draft from {len(rows):,} rows: check who serves it, and each guess; then describe the fields.",
        "x-job": job,
        **schema,
    }


def _is_elixir(worker: str) -> bool:
    return all(part[:1].isupper() for part in worker.split(".")) and worker.isascii()


def _decoded(args: str | None) -> Any:
    try:
        return None if args is None else decode(args)
    except DecodeError:
        return None
