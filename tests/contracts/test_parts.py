"""Errors and events of a contract have classes, and both languages write and read their values alike."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from bridge.contracts.build import plan
from bridge.contracts.model import Model
from bridge.contracts.source import load_text
from bridge.errors import ContractError, InvalidPayload
from bridge.jobs import contracts as known

DOCUMENT: dict[str, Any] = {
    "title": "Render",
    "x-job": {
        "worker": "app.Render",
        "serves": "python",
        "errors": {
            "no_font": {
                "retry": "cancel",
                "data": {
                    "type": "object",
                    "required": ["font", "since"],
                    "properties": {"font": {"type": "string"}, "since": {"type": "string", "format": "date"}},
                },
            },
            "busy": {"retry": "snooze"},
        },
        "events": {
            "progress": {
                "type": "object",
                "required": ["percent"],
                "properties": {
                    "percent": {"type": "integer", "maximum": 100, "x-was": "done"},
                    "phase": {"enum": ["render", "print"]},
                },
            }
        },
    },
    "type": "object",
    "properties": {"id": {"type": "integer"}},
}

#: Calls, their values, and what comes: JSON, or what is told of it.
CASES: list[tuple[str, str, Any, Any]] = [
    ("event", "progress", {"percent": 5, "phase": "render"}, {"percent": 5, "phase": "render"}),
    ("event", "progress", {"percent": 5, "phase": "fold", "more": 1}, None),
    ("event", "progress", {"done": 7}, None),
    ("event", "progress", {"percent": 101}, {("/percent", "maximum")}),
    ("error", "no_font", {"font": "Inter", "since": "2026-01-31"}, {"font": "Inter", "since": "2026-01-31"}),
    ("error", "no_font", {"font": 1}, {("/font", "type"), ("/since", "required")}),
]


def model() -> Model:
    return load_text(json.dumps(DOCUMENT), "render.json")


@pytest.fixture
def render(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The generated module."""
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "render.json").write_text(json.dumps(DOCUMENT))
    plan(tmp_path / "contracts", python_folder=tmp_path / "with_parts").apply()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(known, "_known", {})
    return importlib.import_module("with_parts.render")


def test_events_and_the_data_of_errors_have_classes(render: Any) -> None:
    progress = render.RenderProgress(percent=5)
    no_font = render.Render.read_error("no_font", {"font": "Inter", "since": "2026-01-31"})

    assert render.Render.dump_event("progress", progress) == {"percent": 5}
    assert isinstance(no_font, render.RenderNoFontError)
    assert no_font.since.year == 2026
    assert render.Render.dump_error("no_font", no_font) == {"font": "Inter", "since": "2026-01-31"}


@pytest.mark.parametrize(("kind", "name", "value", "expected"), CASES)
def test_values_are_checked_as_they_are_read(render: Any, kind: str, name: str, value: Any, expected: Any) -> None:
    read, dump = getattr(render.Render, f"read_{kind}"), getattr(render.Render, f"dump_{kind}")
    if isinstance(expected, set):
        with pytest.raises(ContractError) as caught:
            read(name, value)
        assert {(found.path, found.rule) for found in caught.value.violations} == expected
        assert caught.value.contract == f"Render@1 {kind} {name}"
    elif expected is None:
        read(name, value)
    else:
        assert dump(name, read(name, value)) == expected


def test_what_is_written_is_checked_as_a_writer_does(render: Any) -> None:
    with pytest.raises(ContractError, match="/percent"):
        render.Render.dump_event("progress", render.RenderProgress(percent=101))
    with pytest.raises(ContractError, match="/more"):
        render.Render.dump_event("progress", {"percent": 1, "more": 2})


@pytest.mark.parametrize(
    ("call", "name", "told"),
    [
        ("dump_event", "progres", "did you mean 'progress'"),
        ("read_event", "", "an event of Render@1 .progress."),
        ("dump_error", "busy", "an error with data of Render@1 .no_font."),
    ],
)
def test_what_the_contract_does_not_describe_is_refused(render: Any, call: str, name: str, told: str) -> None:
    with pytest.raises(InvalidPayload, match=told):
        getattr(render.Render, call)(name, {})
