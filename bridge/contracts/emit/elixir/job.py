"""What a contract's module has beside its struct: reading, writing, and for a job its changeset, result and worker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from bridge.contracts.emit.elixir import text as elixir_text
from bridge.contracts.emit.elixir.layout import (
    Choice,
    Doc,
    Group,
    Pair,
    Tuple,
    annotation,
    flat,
    items,
    mapping,
    render,
)
from bridge.contracts.emit.elixir.schema import literal, lowered
from bridge.contracts.emit.elixir.types import Module, parts_of
from bridge.contracts.model import JobOptions, Model, Schema
from bridge.contracts.shapes import EnumOf, Shape, StructRef, shape_of

_INDENT: Final = 2
_VIOLATIONS: Final = "{:error, [Runtime.violation(), ...]}"
_BESIDE_REF: Final = frozenset({"$ref", "$defs", "title", "description", "deprecated", "examples"})


def schema_lines(name: str, schema: Schema) -> list[str]:
    """Return a schema as an attribute."""
    found = literal(lowered(schema))
    if isinstance(found, Group):
        found = Group(found.opening, [_spread(item) for item in found.items], found.closing)
    return [_attribute(name, found), ""]


def function_lines(shape: Shape, module: Module) -> list[str]:
    """Return `cast/1` and `dump/1`."""
    term = flat(module.term_of(shape))
    return [
        '  @doc "Reads a value of JSON; unknown fields and new values of open enums are let pass."',
        annotation("@spec cast(term()) ::", Choice(["{:ok, t()}", _VIOLATIONS])),
        *_function("cast(value)", f"Runtime.cast(value, @schema, {term})"),
        "",
        '  @doc "Returns the value as JSON has it; raises `ArgumentError` with every violation."',
        annotation("@spec dump(t()) ::", "Runtime.object()" if isinstance(shape, StructRef) else "Runtime.json()"),
        *_function("dump(value)", f"Runtime.dump(value, @schema, {term})"),
    ]


def job_lines(model: Model, job: JobOptions) -> list[str]:
    """Return the job's options as an attribute."""
    return [_attribute("@job", items(_options(model, job), broken=True)), ""]


def new_lines() -> list[str]:
    """Return `new/2`.

    It takes a map too; the type is the struct's alone, because dialyzer checks no field of a union with maps.
    """
    return [
        "",
        '  @doc "Builds the job; `opts` are those of `Oban.Job.new/2`. Raises as `dump/1` does."',
        "  @spec new(t(), [Oban.Job.option()]) :: Oban.Job.changeset()",
        "  def new(args, opts \\\\ []), do: args |> dump() |> Runtime.new(@job, opts)",
    ]


def result_lines(model: Model, result: Schema, module: Module) -> list[str]:
    """Return `fetch_result/1`."""
    shape = shape_of(result, result)
    lent = lent_result(model, module.roots)
    term = flat(module.term_of(shape))
    cast = f"&{module.short(module.full_name(lent))}.cast/1" if lent else f"&Runtime.cast(&1, @result, {term})"
    returned = Tuple([":ok", module.type_of(shape)])
    return [
        "",
        '  @doc "Reads what the job\'s worker returned, from `meta`."',
        annotation("@spec fetch_result(map()) ::", Choice([returned, "{:error, Runtime.no_result()}"])),
        *_function("fetch_result(job)", f"Runtime.fetch_result(job, {cast})"),
    ]


def parts_lines(model: Model, module: Module) -> list[str]:
    """Return `cast_error/2`, `dump_error/2`, `cast_event/2` and `dump_event/2`, where the contract describes them."""
    lines: list[str] = []
    for kind, schemas in parts_of_model(model).items():
        if schemas:
            lines += ["", _attribute(f"@{kind}s", mapping(_parts(schemas, module))), "", *_part_functions(kind)]
    return lines


def parts_of_model(model: Model) -> dict[str, dict[str, Schema]]:
    """Return the schemas of a contract's errors' data and of its events, by kind and name."""
    errors = {code: error.data for code, error in model.errors.items() if error.data is not None}
    return {"error": errors, "event": dict(model.events)}


def _parts(schemas: Mapping[str, Schema], module: Module) -> Iterator[Pair]:
    for name, schema in schemas.items():
        shape = shape_of(schema, schema)
        # An enum's members are an attribute of the struct that has it; here is none.
        term = ":any" if any(isinstance(part, EnumOf) for part in parts_of(shape)) else module.term_of(shape)
        yield Pair(f"{elixir_text.text(name)} =>", Tuple([literal(lowered(schema)), term]))


def _part_functions(kind: str) -> list[str]:
    about, name = ("an error's data", "code") if kind == "error" else ("an event", "name")
    return [
        f'  @doc "Reads {about}, by its {name}, as `cast/1` reads args."',
        annotation(f"@spec cast_{kind}(String.t(), term()) ::", Choice(["{:ok, term()}", _VIOLATIONS])),
        *_function(f"cast_{kind}({name}, value)", f"Runtime.cast_part(value, @{kind}s, {name})"),
        "",
        f'  @doc "Returns {about} as JSON has it; raises `ArgumentError` with every violation."',
        annotation(f"@spec dump_{kind}(String.t(), term()) ::", "Runtime.json()"),
        *_function(f"dump_{kind}({name}, value)", f"Runtime.dump_part(value, @{kind}s, {name})"),
    ]


def lent_result(model: Model, roots: Mapping[str, str]) -> StructRef | None:
    """Return the root class of another file, where a result is that and nothing else."""
    result = model.result
    if not isinstance(result, dict) or not result.keys() <= _BESIDE_REF:
        return None
    shape = shape_of(result, result)
    if isinstance(shape, StructRef) and shape.module != model.module and roots.get(shape.module) == shape.name:
        return shape
    return None


def worker_lines(job: JobOptions) -> list[str]:
    """Return the callback and the macro for the worker that Elixir serves."""
    names = items(map(elixir_text.text, (job.worker, *job.aliases)))
    timeout = ":infinity" if job.timeout is None else elixir_text.number(max(1, round(job.timeout * 1000)))
    served = items([Pair("names:", names), Pair("timeout:", timeout)])
    line = f"  @served {render(served, _INDENT, column=10)}"
    return [
        "",
        '  @doc "Runs a job whose args keep the contract; returns what `c:Oban.Worker.perform/1` may."',
        "  @callback process(args :: t(), job :: Oban.Job.t()) :: Oban.Worker.result()",
        "",
        line,
        "",
        "  defmacro __using__(opts), do: Runtime.worker(__MODULE__, @job, @served, opts)",
    ]


def _options(model: Model, job: JobOptions) -> list[Doc]:
    pairs = [
        Pair("worker:", elixir_text.text(job.worker)),
        Pair("queue:", elixir_text.text(job.queue)),
        Pair("max_attempts:", elixir_text.number(job.max_attempts)),
    ]
    if job.priority:
        pairs.append(Pair("priority:", elixir_text.number(job.priority)))
    if job.tags:
        pairs.append(Pair("tags:", literal(job.tags)))
    if job.unique is not None:
        pairs.append(Pair("unique:", items(_unique(job.unique))))
    meta = Group("%{", [Pair('"contract" =>', elixir_text.text(model.tag))], "}")
    return [*pairs, Pair("meta:", meta)]


def _unique(unique: Mapping[str, Any]) -> list[Doc]:
    found: list[Doc] = []
    for key, value in {"period": 60, **unique}.items():
        if isinstance(value, list | tuple):
            found.append(Pair(f"{key}:", items(elixir_text.atom(part) for part in value)))
        else:
            found.append(
                Pair(f"{key}:", elixir_text.atom(value) if isinstance(value, str) else elixir_text.scalar(value))
            )
    return found


def _spread(item: Doc) -> Doc:
    """Give each property of a root, and each definition, a line of its own."""
    if isinstance(item, Pair) and item.label in ('"properties" =>', '"$defs" =>') and isinstance(item.value, Group):
        group = item.value
        return Pair(item.label, Group(group.opening, group.items, group.closing, broken=bool(group.items)))
    return item


def _function(head: str, body: str) -> list[str]:
    line = f"  def {head}, do: {body}"
    return [line] if len(line) <= elixir_text.WIDTH else [f"  def {head} do", f"    {body}", "  end"]


def _attribute(name: str, doc: Doc) -> str:
    return f"  {name} {render(doc, _INDENT, column=_INDENT + len(name) + 1)}"
