"""Holds contracts against SchemaStore: real schemas, and the documents that they were written for.

    make schemastore STORE=../schemastore

Every schema is spelt in draft 2020-12, and then refused with a reason, or built: no keyword is lost, both languages'
code compiles, and on every instance the checks of Python and Elixir say what others' validators say by the schema as
it was published. Exits with 1 where one of this fails. https://github.com/SchemaStore/schemastore
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from contracts.elixir.beam import MISSING, is_missing
from contracts.outside import scoreboard
from contracts.outside.catalog import Catalog, Entry
from contracts.outside.compiling import compile_elixir, compile_python
from contracts.outside.store import Store
from contracts.outside.verdicts import JUDGES, Tally, judge
from contracts.outside.witnesses import versions

FORMATS = {False: "formats not asserted", True: "formats asserted"}


def main() -> int:
    """Run everything, print it, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path, help="a checkout of SchemaStore, or its Git directory")
    parser.add_argument("--only", default="", help="schemas whose name has this in it")
    parser.add_argument("--refusals", action="store_true", help="list every refused schema")
    parser.add_argument("--verbose", action="store_true", help="list every disagreement, those of the witnesses too")
    parser.add_argument("--write", action="store_true", help=f"write the counts into {scoreboard.PAGE.name}")
    options = parser.parse_args()
    if not options.store.exists():
        parser.error(f"{options.store} isn't there; clone {__doc__.split()[-1]} and pass STORE=")
    store = Store(options.store)
    catalog = Catalog(store, only=options.only)
    print("normalising, compiling and judging; this takes some minutes", file=sys.stderr)
    catalog.normalise()
    faults = list(_faults(catalog))
    tallies = judge(catalog)
    lines = [*_summary(store, catalog, tallies), *_refusals(catalog, listed=options.refusals)]
    print(*lines, *faults, sep="\n")
    for formats, tally in tallies.items():
        found = tally.lines(ours_only=not options.verbose)
        print(f"{FORMATS[formats]}:", *(found or ["no disagreement of ours"]), sep="\n  ")
    if options.write:
        scoreboard.write("SchemaStore", [f"Run on {scoreboard.today()} with {versions()}.", "", *lines])
    return 1 if faults or any(tally.lines(ours_only=True) for tally in tallies.values()) else 0


def _faults(catalog: Catalog) -> Iterator[str]:
    """Yield what should not be: crashes, lost keywords, code that doesn't compile."""
    for entry in catalog.entries.values():
        yield from (f"{entry.stem}: {fault}" for fault in entry.faults)
    yield from compile_python(catalog)
    if is_missing():
        yield f"Elixir: {MISSING}"
    else:
        yield from compile_elixir(catalog)


def _summary(store: Store, catalog: Catalog, tallies: dict[bool, Tally]) -> Iterator[str]:
    entries = list(catalog.entries.values())
    drafts = ", ".join(
        f"{count} of {draft}" for draft, count in Counter(entry.draft for entry in entries).most_common()
    )
    instances = sum(len(entry.instances) for entry in entries)
    yield f"SchemaStore at {store.version[:12]}: {len(entries)} schemas ({drafts}) and {instances:,} documents."
    yield f"Not read: {len(store.unread)} files, which are missing in the copy or hold what JSON can't."
    yield ""
    faults = sum(len(entry.faults) for entry in entries)
    rows = [
        *(
            (f"accepted, {label}", sum(formats in entry.schemas for entry in entries))
            for formats, label in FORMATS.items()
        ),
        ("refused with a reason, formats asserted", sum(True in entry.errors for entry in entries)),
        ("keywords of accepted schemas", sum(entry.keywords for entry in entries)),
        ("lost keywords, crashes", faults),
        ("modules of Python that compile", catalog.compiled["python"]),
        ("files of Elixir that compile", catalog.compiled["elixir"]),
        ("defaults and examples left out, which break their schema", sum(entry.samples for entry in entries)),
        *sum((entry.notes for entry in entries), Counter[str]()).most_common(),
    ]
    yield from scoreboard.table(("what", "number"), rows)
    for formats, tally in tallies.items():
        yield ""
        yield f"{tally.asked:,} documents of {tally.schemas} accepted schemas, {FORMATS[formats]}:"
        yield ""
        head = ("witness", *(f"{name} differs from it" for name in JUDGES), "it can't judge")
        yield from scoreboard.table(head, tally.rows())
    yield ""


def _refusals(catalog: Catalog, *, listed: bool) -> Iterator[str]:
    refused = [entry for entry in catalog.entries.values() if True in entry.errors]
    found = Counter(_kind(entry) for entry in refused)
    shown = found.most_common(None if listed else 20)
    rest = len(refused) - sum(count for _, count in shown)
    rows = [(f"`{kind}`", count) for kind, count in shown]
    head = ("refused, formats asserted, because it expected", "schemas")
    yield from scoreboard.table(head, [*rows, *([("other reasons", rest)] if rest else [])])
    if listed:
        yield from (f"{entry.stem}: {entry.errors[True]}" for entry in refused)


def _kind(entry: Entry) -> str:
    error = entry.errors[True]
    kind = re.sub(r" \S+\.json#\S*", " another", error.expected)
    kind = re.sub(r"(that of|near) .*", r"\1 …", kind)
    return f"{error.value}: {kind}" if re.search("keyword|format", kind) else kind


if __name__ == "__main__":
    sys.exit(main())
