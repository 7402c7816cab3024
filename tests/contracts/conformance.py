"""Holds generated Python and Elixir against JSON-Schema-Test-Suite, draft 2020-12.

    make conformance SUITE=../JSON-Schema-Test-Suite

Every group of the suite becomes a contract with one field, `value`. Either the contract is refused, with a reason that
is printed, or its classes in both languages, compiled and run, must agree with the suite on every test; others'
validators are asked beside them. Exits with 1 where one of the classes disagrees.
https://github.com/json-schema-org/JSON-Schema-Test-Suite
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from referencing import Registry
from referencing.jsonschema import DRAFT202012

from contracts.elixir.beam import MISSING, Elixir, is_missing
from contracts.outside import scoreboard
from contracts.outside.groups import Group, ask_elixir, ask_python, build
from contracts.outside.witnesses import Witnesses, versions

REMOTES = "http://localhost:1234/"
OURS = ("python", "elixir")
JUDGES = (*OURS, *Witnesses.names)
NARROWER = {
    "a valid date-time with a leap second, UTC": "datetimes of neither language have leap seconds",
    "a valid date-time with a leap second, with minus offset": "datetimes of neither language have leap seconds",
    "a second fraction of fifteen nines is valid": "datetimes of both languages have six digits at most",
}
"""Tests of formats that the wire profile refuses on purpose; their group counts as refused."""


def main() -> int:
    """Run everything, print it, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("suite", type=Path, help="a checkout of JSON-Schema-Test-Suite")
    parser.add_argument("--refusals", action="store_true", help="list every reason for refusals")
    parser.add_argument("--verbose", action="store_true", help="list every disagreement of the witnesses")
    parser.add_argument("--write", action="store_true", help=f"write the counts into {scoreboard.PAGE.name}")
    options = parser.parse_args()
    if not (options.suite / "tests" / "draft2020-12").is_dir():
        parser.error(f"no tests/draft2020-12 in {options.suite}; clone {__doc__.split()[-1]} and pass SUITE=")
    groups = run(options.suite)
    accepted = [group for group in groups if group.model]
    wrong = [line for group in accepted for judge in OURS for line in group.disagreements(judge)]
    lines = [*_counts(groups), *_refusals(groups, most=None if options.refusals else 12), "", *_witnesses(accepted)]
    print(*lines, *wrong, sep="\n")
    if options.verbose:
        print(*(line for group in accepted for name in Witnesses.names for line in group.disagreements(name)), sep="\n")
    if is_missing():
        print(f"elixir: not asked; {MISSING}")
    elif options.write:
        scoreboard.write("the suite", [f"Run on {scoreboard.today()} with {versions()}.", "", *lines])
    return 1 if wrong or is_missing() else 0


def run(suite: Path) -> list[Group]:
    """Read the suite and let every judge speak."""
    documents = dict(_remotes(suite))
    registry: Registry[Any] = Registry().with_resources(
        (uri, DRAFT202012.create_resource(document)) for uri, document in documents.items()
    )
    witnesses = Witnesses(documents)
    groups = list(_groups(suite))
    for number, group in enumerate(groups):
        narrower = {NARROWER[about] for about in group.descriptions if about in NARROWER and group.formats}
        if narrower:
            group.refusal = f"{Path(group.file).stem}: {' and '.join(sorted(narrower))}"
        else:
            build(group, number, registry)
    built = [group for group in groups if group.model]
    for group in built:
        ask_python(group)
        for name in Witnesses.names:
            judge = witnesses.of(name, group.schema, formats=group.formats)
            group.verdicts[name] = [judge(value) for value in group.values]
    if not is_missing():
        with Elixir() as running:
            ask_elixir(built, running)
    return groups


def _counts(groups: list[Group]) -> Iterator[str]:
    accepted = [group for group in groups if group.model]
    total, tests = sum(len(group.values) for group in groups), sum(len(group.values) for group in accepted)
    yield f"{len(groups)} groups with {total:,} tests, those of formats included:"
    yield ""
    yield from scoreboard.table(
        ("groups", "number", "tests"),
        [("accepted", len(accepted), tests), ("refused", len(groups) - len(accepted), total - tests)],
    )
    yield ""
    wrong = {judge: sum(len(group.disagreements(judge)) for group in accepted) for judge in _asked(accepted)}
    rows = [(judge, tests - count, count) for judge, count in wrong.items()]
    yield from scoreboard.table(("judge of the accepted", "as the suite says", "otherwise"), rows)
    yield ""


def _refusals(groups: list[Group], *, most: int | None) -> Iterator[str]:
    reasons = Counter(group.refusal for group in groups if group.refusal)
    shown = reasons.most_common(most)
    rest = sum(reasons.values()) - sum(count for _, count in shown)
    rows = [(f"`{reason}`", count) for reason, count in shown]
    yield from scoreboard.table(("refused because of", "groups"), [*rows, *([("other reasons", rest)] if rest else [])])


def _witnesses(accepted: list[Group]) -> list[str]:
    """Return the files in which a witness differs from the suite, with how often."""
    found = {name: Counter[str]() for name in Witnesses.names}
    for group in accepted:
        for name in Witnesses.names:
            found[name][group.file] += len(group.disagreements(name))
    files = sorted({file for counts in found.values() for file, count in counts.items() if count})
    rows = [(file, *(counts[file] for counts in found.values())) for file in files]
    return scoreboard.table(("a witness differs from the suite in", *Witnesses.names), rows)


def _asked(accepted: list[Group]) -> list[str]:
    return [judge for judge in JUDGES if all(judge in group.verdicts for group in accepted)]


def _groups(suite: Path) -> Iterator[Group]:
    folder = suite / "tests" / "draft2020-12"
    for path in [*sorted(folder.glob("*.json")), *sorted((folder / "optional" / "format").glob("*.json"))]:
        for group in json.loads(path.read_text("utf-8")):
            tests = group["tests"]
            yield Group(
                file=path.relative_to(folder).as_posix(),
                name=group["description"],
                schema=group["schema"],
                values=[test["data"] for test in tests],
                expected=[test["valid"] for test in tests],
                descriptions=[test["description"] for test in tests],
                formats=path.parent.name == "format",
            )


def _remotes(suite: Path) -> Iterator[tuple[str, Any]]:
    """Yield the documents that the suite expects to find under its own address; nothing is fetched."""
    for path in sorted((suite / "remotes").rglob("*.json")):
        name = path.relative_to(suite / "remotes").as_posix()
        if name.startswith("draft2020-12/") or not name.startswith(("draft", "v1/")):
            yield REMOTES + name, json.loads(path.read_text("utf-8"))


if __name__ == "__main__":
    sys.exit(main())
