"""Contracts as HTML pages for people: one a contract, and an index, without scripts, network or other files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Final

from bridge.contracts import objects, shapes
from bridge.contracts.emit.docs import classes as docs_classes
from bridge.contracts.emit.docs import samples as docs_samples
from bridge.contracts.emit.docs.html import Html, join, tag
from bridge.contracts.model import ErrorCode, JobOptions, Model, Schema

GENERATOR: Final = "bridge contracts docs"
"""What the pages name as their maker: a page with this mark may be replaced or removed."""

_LANGUAGES: Final = {"python": "Python", "elixir": "Elixir"}


def pages(models: Sequence[Model], released: Sequence[Model] = ()) -> dict[str, str]:
    """Return the pages of a folder's contracts by file name; the same contracts give the same text.

    Args:
        models: The contracts and shared schemas.
        released: Every released version of them, the oldest first.
    """
    found = {page_name(model): _page(model, [old for old in released if old.name == model.name]) for model in models}
    return {"index.html": _index(models), **found}


def page_name(model: Model) -> str:
    """Return the file name of a contract's page."""
    return "index-contract.html" if model.module == "index" else f"{model.module}.html"


def _index(models: Sequence[Model]) -> str:
    jobs = [model for model in models if model.job]
    shared = [model for model in models if not model.job]
    body = [tag("h1", "Contracts"), tag("p", "What jobs carry between Elixir and Python.", class_="soft")]
    if jobs:
        rows = [_index_row(model) for model in jobs]
        body += [_heading("Jobs", "jobs"), docs_classes.table("Jobs", ("Contract", "Runs in", "Queue", "What"), rows)]
    if shared:
        rows = [[_link(model), model.description] for model in shared]
        body += [_heading("Shared schemas", "shared"), docs_classes.table("Shared schemas", ("Class", "What"), rows)]
    return _document("Contracts", join(*body), home=False)


def _index_row(model: Model) -> list[str]:
    assert model.job  # noqa: S101 - for mypy
    return [_link(model), _LANGUAGES[model.job.serves], tag("code", model.job.queue), model.description]


def _link(model: Model) -> Html:
    return tag("a", model.tag if model.job else model.name, href=page_name(model))


def _page(model: Model, released: Sequence[Model]) -> str:
    return _document(model.tag if model.job else model.name, join(*_sections(model, released)))


def _sections(model: Model, released: Sequence[Model]) -> Iterator[Html]:
    yield tag("h1", model.name)
    yield from docs_classes.marks(model.schema)
    if model.description:
        yield tag("p", model.description, dir="auto")
    if model.job:
        yield from _job(model.job)
    yield _heading("Args" if model.job else "Fields", "args")
    yield from docs_classes.classes(model.schema, own=model)
    yield from _example(model.schema, model.name)
    if model.result is not None:
        yield from _part("Result", "result", "What the worker returns.", model.result, f"{model.name}.result")
    if model.errors:
        yield from _errors(model.errors)
    for name, schema in model.events.items():
        yield from _part(f"Event {name}", f"event-{name}", "Told while the job runs.", schema, f"{model.name}.{name}")
    if model.job:
        yield from _versions(model, released)
    yield _heading("Schema", "schema")
    yield tag("details", tag("summary", "As both languages check it"), docs_samples.block(model.schema))


def _job(job: JobOptions) -> Iterator[Html]:
    yield _heading("Job", "job")
    rows: dict[str, str] = {
        "Runs in": _LANGUAGES[job.serves],
        "Worker": tag("code", job.worker),
        "Queue": tag("code", job.queue),
        "Version": str(job.version),
        "Attempts": f"at most {job.max_attempts}",
        "Priority": str(job.priority),
    }
    if job.timeout is not None:
        rows["Timeout"] = f"{job.timeout:g} seconds"
    if job.tags:
        rows["Tags"] = join(*_codes(job.tags))
    if job.aliases:
        rows["Also known as"] = join(*_codes(job.aliases))
    if job.unique is not None:
        rows["Unique"] = join(*_unique(job))
    yield tag("dl", [join(tag("dt", name), tag("dd", value)) for name, value in rows.items()])


def _unique(job: JobOptions) -> Iterator[str]:
    for at, (name, value) in enumerate((job.unique or {}).items()):
        shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        yield join("; " if at else "", f"{name} ", tag("code", shown))


def _codes(names: Sequence[str]) -> Iterator[Html]:
    for at, name in enumerate(names):
        yield join(", " if at else "", tag("code", name))


def _part(title: str, anchor: str, words: str, schema: Schema, seed: str) -> Iterator[Html]:
    yield _heading(title, anchor)
    yield tag("p", words, class_="soft")
    if not shapes.structs(schema):
        yield docs_classes.type_line(schema)
    yield from docs_classes.classes(schema, prefix=f"{anchor}.")
    yield from _example(schema, seed)


def _errors(errors: Mapping[str, ErrorCode]) -> Iterator[Html]:
    yield _heading("Errors", "errors")
    rows = [[tag("code", error.code), error.retry, error.description] for error in errors.values()]
    yield docs_classes.table("Errors", ("Code", "Then", "What"), rows)
    for error in errors.values():
        if error.data is not None:
            yield tag("h3", "Data of ", tag("code", error.code))
            yield from docs_classes.classes(error.data, prefix=f"error-{error.code}.")


def _versions(model: Model, released: Sequence[Model]) -> Iterator[Html]:
    """Yield the versions that rows may name, with the fields that each added and removed."""
    shown = [*released, *([] if model.tag in [old.tag for old in released] else [model])]
    fields = [list(objects.fields_of(version.schema, version.schema)) for version in shown]
    rows = []
    for at, version in enumerate(shown):
        before = fields[at - 1] if at else fields[at]
        changes = [f"{name} added" for name in fields[at] if name not in before]
        changes += [f"{name} removed" for name in before if name not in fields[at]]
        state = "not released" if version is model else "released"
        rows.append([tag("code", version.tag), state, ", ".join(changes)])
    yield _heading("Versions", "versions")
    yield docs_classes.table("Versions", ("Version", "State", "Fields"), rows)


def _example(schema: Schema, seed: str) -> Iterator[Html]:
    for title, value, mark in docs_samples.samples(schema, seed):
        yield tag("h3", title, " ", mark)
        yield docs_samples.block(value)


def _heading(text: str, anchor: str) -> Html:
    return tag("h2", text, id=anchor)


def _document(title: str, body: Html, *, home: bool = True) -> str:
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    head = join(
        Html('<meta charset="utf-8">'),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="generator", content=GENERATOR),
        tag("title", title),
        tag("style", Html(_style())),
    )
    skip = tag("a", "Skip to the contents", class_="skip", href="#main")
    nav = tag("nav", tag("a", "All contracts", href="index.html"), aria_label="Contracts") if home else ""
    page = join(skip, tag("header", nav), tag("main", body, id="main"), tag("footer", f"Written by {GENERATOR}."))
    return f'<!doctype html>\n<html lang="en">\n<head>{head}</head>\n<body>\n{page}\n</body>\n</html>\n'


@cache
def _style() -> str:
    return files("bridge.contracts.emit.docs").joinpath("docs.css").read_text(encoding="utf-8")
