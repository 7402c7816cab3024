"""Messages as nodes of different releases write them, and what is no message."""

import base64
import gzip
import json


def _squeeze(payload):
    return base64.b64encode(gzip.compress(json.dumps(payload).encode())).decode()


#: Which releases of Oban write it, and how.
ENCODINGS = {
    "plain, all releases": lambda payload: json.dumps(payload, separators=(",", ":")),
    "with spaces, triggers up to V11": lambda payload: json.dumps(payload, separators=(", ", " : ")),
    "base64 of gzip, 2.15 to 2.20": _squeeze,
    "the same with a mark, since 2.21": lambda payload: "Z:" + _squeeze({**payload, "padding": "x" * 600}),
}

JUNK = ["", "junk", "[1,2]", "null", '"text"', "Z:", "H4sI", "Z:%%%", '{"action":', "{'a': 1}", "é"]
