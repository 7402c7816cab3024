"""How a message is written into a notification, and read from one.

Three forms are in use. Plain JSON is read by every release of Oban. Base64 of gzip (`H4sI…`) is written by
2.15 to 2.20 and read by all since 2.15. The same behind `Z:` is written since 2.21 for more than 512 bytes,
and makes the notifier of older releases crash. So `encode` writes the first, or the second where the first is
too long, and never the third; `decode` reads all three.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from bridge.codecs.json import encode_object
from bridge.errors import DecodeError, EncodeError, InvalidPayload

MAX_BYTES: Final = 7_999
"""The longest notification that PostgreSQL takes. Oban drops a longer one in silence, Bridge refuses it."""
MAX_JSON_BYTES: Final = 1_000_000
"""The longest message once it is unpacked, so that a few bytes can't fill a node's memory."""
MAX_DEPTH: Final = 100
"""How deeply objects and lists may be nested, the message itself being the first level."""

_GZIP_WBITS: Final = 31  # zlib's number for a gzip header and nothing else
_GZIP_MAGIC: Final = "H4sI"  # base64 of gzip's first three bytes
_MARK: Final = "Z:"


def encode(payload: Mapping[str, Any]) -> str:
    """Return `payload` in the form that most readers know; the same payload gives the same text.

    Raises:
        InvalidPayload: It is no object, JSON or an Elixir node can't hold it, or it is longer than
            `MAX_BYTES` even when compressed.
    """
    json = _to_json(payload)
    text = _wrap(json)
    if text is None:
        raise _too_long(payload, json)
    return text


def encode_parts(payload: Mapping[str, Any], by: str) -> list[str]:
    """Return `payload` as one text or, where it is too long, as several that share the list at the key `by`.

    Every part repeats the other keys. Meant for lists of independent items, like the `checks` of Oban Met.

    Raises:
        InvalidPayload: As for `encode`, or one item alone is too long.
    """
    json = _to_json(payload)
    text = _wrap(json)
    if text is not None:
        return [text]
    items = payload.get(by)
    if not isinstance(items, (list, tuple)) or len(items) < 2:
        raise _too_long(payload, json)
    middle = len(items) // 2
    halves = (items[:middle], items[middle:])
    return [part for half in halves for part in encode_parts({**payload, by: half}, by)]


def decode(text: str) -> dict[str, Any] | None:
    """Return the object that `text` holds in any of the three forms, or None for junk. Never raises."""
    try:
        return decode_strict(text)
    except DecodeError:
        return None


def decode_strict(text: str) -> dict[str, Any]:
    """Return the object that `text` holds in any of the three forms.

    Raises:
        DecodeError: It holds none; the reason says why.
    """
    return _parse_object(_unwrap(text))


def _to_json(payload: Mapping[str, Any]) -> bytes:
    if not isinstance(payload, Mapping):
        raise InvalidPayload("payload", payload, "a JSON object, given as a mapping")
    try:
        json = encode_object(payload, "payload").encode()
        if len(json) <= MAX_JSON_BYTES:
            _parse_object(json)
    except EncodeError as error:
        raise InvalidPayload(error.field, error.value, error.expected, error.mend) from error
    except DecodeError as error:
        raise InvalidPayload("payload", payload, f"what every node can read ({error.reason})") from error
    return json


def _wrap(json: bytes) -> str | None:
    if len(json) <= MAX_BYTES:
        return json.decode()
    if len(json) > MAX_JSON_BYTES:
        return None
    # Not gzip.compress: the header it writes has changed between releases of Python.
    packer = zlib.compressobj(zlib.Z_BEST_COMPRESSION, wbits=_GZIP_WBITS)
    text = base64.b64encode(packer.compress(json) + packer.flush()).decode()
    return text if len(text) <= MAX_BYTES else None


def _too_long(payload: Mapping[str, Any], json: bytes) -> InvalidPayload:
    return InvalidPayload(
        "payload",
        payload,
        f"at most {MAX_BYTES} bytes when compressed, and {MAX_JSON_BYTES} before (it has {len(json)})",
        "send less, send several messages, or send the id of a row that holds the rest",
    )


def _unwrap(text: str) -> bytes:
    if text.startswith(_MARK):
        return _inflate(text.removeprefix(_MARK))
    if text.startswith(_GZIP_MAGIC):
        return _inflate(text)
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise DecodeError("not valid Unicode") from error


def _inflate(text: str) -> bytes:
    unpacker = zlib.decompressobj(_GZIP_WBITS)
    try:
        json = unpacker.decompress(base64.b64decode(text, validate=True), MAX_JSON_BYTES + 1)
    except (ValueError, zlib.error) as error:
        raise DecodeError(f"not gzip in base64: {error}") from error
    if len(json) > MAX_JSON_BYTES:
        raise DecodeError(f"longer than {MAX_JSON_BYTES} bytes once unpacked")
    if not unpacker.eof:
        raise DecodeError("the gzip stream ends too early")
    if unpacker.unused_data:
        raise DecodeError("something follows the gzip stream")
    return json


def _parse_object(json: bytes) -> dict[str, Any]:
    # Not codecs.json.decode: that follows any depth and any number, which takes a second where junk wants it.
    try:
        value = msgspec.json.decode(json)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise DecodeError(f"not JSON: {error}") from error
    except RecursionError as error:
        raise DecodeError(_TOO_DEEP) from error
    if not isinstance(value, dict):
        raise DecodeError(f"expected a JSON object, got a value of type {type(value).__name__}")
    # Counting brackets is quick and spares nearly every message the walk.
    if json.count(b"{") + json.count(b"[") > MAX_DEPTH and _nested_too_deeply(value):
        raise DecodeError(_TOO_DEEP)
    return value


_TOO_DEEP: Final = f"nested more than {MAX_DEPTH} levels deep"


def _nested_too_deeply(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in _children(node)]
        if not level:
            return False
    return True


def _children(node: Any) -> list[Any]:
    members = node.values() if isinstance(node, dict) else node
    return [member for member in members if isinstance(member, (dict, list))]
