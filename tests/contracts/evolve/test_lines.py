from __future__ import annotations

from pathlib import Path

import pytest

from bridge.contracts.evolve.lines import locate

ARGS = """{
  "type": "object",
  "properties": {
    "id": {"type": "integer", "minimum": 1},
    "list": [1, {"a": 2},
      "three"],
    "file": {
      "$ref": "shared.json#/$defs/File"
    },
    "to": {"oneOf": [
      {"properties": {"kind": {"const": "mail"}}},
      {"properties": {"kind": {"const": "disk"},
                      "path\\u002f~": {"maxLength": 3}}}
    ]}
  },
  "allOf": [
    {"properties": {
      "beside": true
    }}
  ]
}
"""

SHARED = """{
  "$defs": {
    "File": {
      "properties": {
        "url": {
          "maxLength": 20
        }
      }
    }
  }
}
"""


@pytest.mark.parametrize(
    ("pointer", "file", "line"),
    [
        ("", "args.json", 1),
        ("/properties/id", "args.json", 4),
        ("/properties/id/minimum", "args.json", 4),
        ("/properties/list/1/a", "args.json", 5),
        ("/properties/list/2", "args.json", 6),
        ("/properties/file/properties/url/maxLength", "shared.json", 6),
        ("/properties/to/oneOf/disk/properties/path~1~0/maxLength", "args.json", 13),
        ("/properties/beside", "args.json", 18),
        ("/properties/gone/type", "args.json", 3),
        ("/nothing", "args.json", 1),
    ],
)
def test_a_place_has_a_line(tmp_path: Path, pointer: str, file: str, line: int) -> None:
    (tmp_path / "args.json").write_text(ARGS)
    (tmp_path / "shared.json").write_text(SHARED)

    found, at = locate(tmp_path / "args.json", pointer)

    assert (found.name, at) == (file, line)
