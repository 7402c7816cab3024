"""The three forms of a message, and the readers of other releases, rebuilt from what they were seen to do."""

import base64
import gzip
import json
from pathlib import Path

GOLDEN = Path(__file__).parent / "golden"


def golden(name):
    return json.loads((GOLDEN / f"{name}.json").read_text())["samples"]


def squeeze(text):
    data = text if isinstance(text, bytes) else text.encode()
    return base64.b64encode(gzip.compress(data)).decode()


def marked(text):
    return "Z:" + squeeze(text)


def read_as_2_14(text):
    return json.loads(text)


def read_as_2_15(text):
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        return json.loads(text)
    return json.loads(gzip.decompress(data))


def read_as_2_21(text):
    if text.startswith("Z:"):
        return json.loads(gzip.decompress(base64.b64decode(text[2:], validate=True)))
    if text.startswith("H4sI"):
        return json.loads(gzip.decompress(base64.b64decode(text, validate=True)))
    return json.loads(text)


def read_as_oban_py(text):
    if text.startswith("{"):
        return json.loads(text)
    return json.loads(gzip.decompress(base64.b64decode(text)))


WHOLE = squeeze('{"queue":"alpha","padding":"0123456789abcdefghijklmnopqrstuvwxyz"}')

#: What may stand on a channel and is no message; a few of these end the notifier of an Elixir node.
JUNK = {
    "empty": "",
    "white space": " \n\t",
    "garbage": "garbage",
    "array": "[1,2]",
    "array of objects": '[{"queue":"alpha"}]',
    "string": '"text"',
    "number": "42",
    "null": "null",
    "true": "true",
    "NaN": '{"a":NaN}',
    "infinity": '{"a":-Infinity}',
    "number out of range": '{"a":1e400}',
    "integer of 5,000 digits": '{"a":' + "9" * 5_000 + "}",
    "high surrogate": '{"a":"\\ud800"}',
    "low surrogate": '{"a":"\\udc00"}',
    "surrogate in a key": '{"\\ud800":1}',
    "trailing junk": '{"a":1} x',
    "two objects": '{"a":1}{"b":2}',
    "unfinished": '{"a":',
    "unfinished string": '{"a":"b',
    "single quotes": "{'a':1}",
    "trailing comma": '{"a":1,}',
    "comment": '{"a":1/*b*/}',
    "control character": '{"a":"\x01"}',
    "byte order mark": '\ufeff{"a":1}',
    "base64 of plain JSON": base64.b64encode(b'{"a":1}').decode(),
    "mark alone": "Z:",
    "mark before plain JSON": 'Z:{"a":1}',
    "mark before bad base64": "Z:%%%%",
    "mark before non-ASCII": "Z:ü",
    "mark before base64 of no gzip": "Z:" + base64.b64encode(b"no gzip").decode(),
    "mark in small letters": "z:" + squeeze('{"a":1}'),
    "mark twice": "Z:" + marked('{"a":1}'),
    "gzip header alone": "H4sI",
    "gzip with bad base64": "H4sI*" + WHOLE[5:],
    "gzip with a line break in its base64": f"{WHOLE[:8]}\n{WHOLE[8:]}",
    "gzip without padding": squeeze('{"ab":1}').rstrip("="),
    "gzip truncated in its data": base64.b64encode(base64.b64decode(WHOLE)[:30]).decode(),
    "gzip truncated in its checksum": base64.b64encode(base64.b64decode(WHOLE)[:-4]).decode(),
    "gzip with a wrong checksum": base64.b64encode(base64.b64decode(WHOLE)[:-8] + bytes(8)).decode(),
    "gzip and more": base64.b64encode(base64.b64decode(WHOLE) + b"more").decode(),
    "gzip of nothing": squeeze(""),
    "gzip of an array": squeeze("[1]"),
    "gzip of null, marked": marked("null"),
    "gzip of invalid UTF-8": squeeze(b'{"a":"\xff"}'),
    "gzip of gzip": squeeze(squeeze('{"a":1}')),
    "bomb": squeeze('{"a":"' + "x" * 5_000_000 + '"}'),
    "bomb, marked": marked("[" * 5_000_000),
    "nested 3,900 lists": "[" * 3_900 + "]" * 3_900,
    "nested 1,000 objects": '{"a":' * 1_000 + "1" + "}" * 1_000,
    "nested 101 levels": '{"a":' + "[" * 100 + "]" * 100 + "}",
    "nested 400,000 lists, compressed": squeeze("[" * 400_000 + "]" * 400_000),
}
assert len(JUNK["gzip without padding"]) % 4, "a text without padding to take away shows nothing"
