"""The contract of badges that tests of workers run jobs under."""

from .rig import enum, obj

BADGE = obj(
    "Badge",
    {
        "id": {"type": "integer", "minimum": 1},
        "name": {"type": "string", "minLength": 1},
        "theme": enum("Theme", "light", "dark"),
        "copies": {"type": "integer", "default": 1},
        "note": {"type": ["string", "null"]},
    },
    required=["id", "name"],
)
FILE = obj("File", {"path": {"type": "string", "minLength": 1}, "size": {"type": "integer"}}, required=["path", "size"])
GOOD = {"id": 1, "name": "Ada"}
BAD = {"id": 0, "name": 5}
