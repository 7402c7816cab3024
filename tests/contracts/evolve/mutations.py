"""Random contracts and random changes of them, all from one seed."""

from __future__ import annotations

import copy
import json
from random import Random
from typing import Any

from bridge.contracts.normalise import normalise
from bridge.errors import InvalidContract

WORDS = ("red", "green", "blue", "", "é")
NAMES = ("a", "b", "c", "kind", "x1")
FORMATS = ("date", "date-time", "uuid", "decimal", "bigint", "email", "uri")
PATTERNS = ("^a", "b$", "^[a-z]*$", "[0-9]")


def pair(seed: int) -> tuple[Any, Any]:
    """Return a normalised schema and a changed one."""
    random = Random(seed)
    while True:
        old = document(random)
        new = copy.deepcopy(old)
        for _ in range(random.choice((1, 1, 1, 2, 3))):
            new = mutate(new, random)
        if json.dumps(old) == json.dumps(new):
            continue
        try:
            return normalise(old, module="m"), normalise(new, module="m")
        except InvalidContract:
            continue


def renamed_pair(seed: int) -> tuple[Any, Any]:
    """Return a normalised schema and one where a field or an enum's member has a new name, and perhaps more changed."""
    random = Random(seed)
    while True:
        old = document(random)
        new = renamed(copy.deepcopy(old), random)
        if new is None:
            continue
        if random.random() < 0.4:
            new = mutate(new, random)
        try:
            return normalise(old, module="m"), normalise(new, module="m")
        except InvalidContract:
            continue


def renamed(root: Any, random: Random) -> Any:
    """Return the schema with another name in one place, and `x-was` beside it; None where nothing can be renamed."""
    nodes = [_at(root, place) for place in _places(root)]
    objects = [node for node in nodes if isinstance(node, dict) and node.get("properties")]
    enums = [node for node in nodes if isinstance(node, dict) and "enum" in node and node.get("type") == "string"]
    if enums and random.random() < 0.3:
        node = random.choice(enums)
        old = node["enum"][0]
        node["enum"] = ["new", *node["enum"][1:]]
        node["x-was"] = {old: "new"}
        return root
    if not objects:
        return None
    node = random.choice(objects)
    old = random.choice(list(node["properties"]))
    inner = node["properties"][old]
    inner = {"allOf": [inner]} if isinstance(inner, bool) else inner
    node["properties"] = {name: part for name, part in node["properties"].items() if name != old}
    node["properties"]["new"] = {**inner, "x-was": random.choice([old, [old, "older"]])}
    node["required"] = ["new" if name == old else name for name in node.get("required", ())]
    return root


def _at(root: Any, place: tuple[Any, ...]) -> Any:
    for step in place:
        root = root[step]
    return root


def document(random: Random) -> Any:
    root = struct(random, 3)
    if random.random() < 0.5:
        root["$defs"] = {"Node": struct(random, 2, refs=True), "Leaf": schema(random, 1)}
        root["properties"]["node"] = {"$ref": "#/$defs/Node"}
        root["properties"]["leaf"] = {"$ref": "#/$defs/Leaf"}
    return root


def struct(random: Random, depth: int, *, refs: bool = False) -> dict[str, Any]:
    names = random.sample(NAMES, random.randint(1, 3))
    found: dict[str, Any] = {"type": "object", "properties": {name: schema(random, depth - 1) for name in names}}
    if refs:
        found["properties"]["next"] = {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}
    found["required"] = [name for name in names if random.random() < 0.5]
    if random.random() < 0.15:
        found["additionalProperties"] = random.choice([False, True, {"type": "integer"}])
    if random.random() < 0.08:
        found["patternProperties"] = {random.choice(PATTERNS): schema(random, 0)}
    if random.random() < 0.08:
        found["dependentRequired"] = {names[0]: [random.choice(names)]}
    if random.random() < 0.06:
        found["dependentSchemas"] = {names[0]: {"minProperties": 2}}
    if random.random() < 0.06:
        found["maxProperties"] = random.randint(1, 4)
    if random.random() < 0.08:
        name = random.choice(names)
        found["if"] = {"required": [name], "properties": {name: schema(random, 0)}}
        found["then"] = {"required": [random.choice(names)]}
        found["else"] = {"properties": {random.choice(names): schema(random, 0)}}
    if random.random() < 0.08:
        found["allOf"] = [{"type": "object", "properties": {"z": schema(random, 0)}, "required": ["z"]}]
    return found


def schema(random: Random, depth: int) -> Any:
    makers = [text, number, enum, plain, listing, const]
    if depth > 0:
        makers += [array, array, struct_of, mapping, union, tagged, choice, nullable, exotic]
    return random.choice(makers)(random, depth)


def text(random: Random, _: int) -> Any:
    found: dict[str, Any] = {"type": "string"}
    match random.randint(0, 5):
        case 0:
            found["maxLength"] = random.randint(1, 4)
        case 1:
            found["minLength"] = random.randint(0, 3)
        case 2:
            found["pattern"] = random.choice(PATTERNS)
        case 3:
            found["format"] = random.choice(FORMATS)
        case 4:
            found["contentEncoding"] = "base64"
    return found


def number(random: Random, _: int) -> Any:
    found: dict[str, Any] = {"type": random.choice(("integer", "number"))}
    for keyword in random.sample(("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf"), 2):
        if random.random() < 0.5:
            found[keyword] = random.choice((1, 2, 0.5)) if keyword == "multipleOf" else _limit(random, keyword)
    return found


def _limit(random: Random, keyword: str) -> float:
    return random.choice((-2, 0, 0.5, 1)) if "inimum" in keyword else random.choice((3, 5, 5.5, 9))


def enum(random: Random, _: int) -> Any:
    found: dict[str, Any] = {"type": "string", "enum": random.sample(WORDS[:4], random.randint(1, 3))}
    if random.random() < 0.4:
        found["x-closed"] = True
    return found


def listing(random: Random, _: int) -> Any:
    return {"enum": random.sample([None, 1, 2.5, True, "red", [1], {"a": 1}], random.randint(1, 4))}


def const(random: Random, _: int) -> Any:
    return {"const": random.choice(["red", 1, 1.0, None, True])}


def plain(random: Random, _: int) -> Any:
    return random.choice([True, {"type": "boolean"}, {"type": "null"}, {"type": ["string", "null"]}, {}])


def nullable(random: Random, depth: int) -> Any:
    inner = schema(random, depth - 1)
    return {random.choice(("anyOf", "oneOf")): [inner, {"type": "null"}]}


def array(random: Random, depth: int) -> Any:
    found: dict[str, Any] = {"type": "array", "items": schema(random, depth - 1)}
    match random.randint(0, 5):
        case 0:
            found["maxItems"] = random.randint(0, 3)
        case 1:
            found["minItems"] = random.randint(0, 2)
        case 2:
            found["uniqueItems"] = True
        case 3:
            found["prefixItems"] = [schema(random, 0), schema(random, 0)]
            if random.random() < 0.5:
                found |= {"minItems": 2, "maxItems": 2}
                del found["items"]
        case 4:
            found["contains"] = schema(random, 0)
            found["maxContains"] = 2
    return found


def struct_of(random: Random, depth: int) -> Any:
    return struct(random, depth)


def mapping(random: Random, depth: int) -> Any:
    found: dict[str, Any] = {"type": "object", "additionalProperties": schema(random, depth - 1)}
    if random.random() < 0.4:
        found["patternProperties"] = {random.choice(PATTERNS): schema(random, 0)}
    if random.random() < 0.3:
        found["propertyNames"] = {"maxLength": random.randint(1, 3)}
    return found


def union(random: Random, depth: int) -> Any:
    return {random.choice(("anyOf", "oneOf")): [schema(random, depth - 1) for _ in range(2)]}


def tagged(random: Random, depth: int) -> Any:
    kinds = random.sample(("p", "q", "r"), 2)
    return {random.choice(("oneOf", "oneOf", "anyOf")): [_branch(kind, random, depth) for kind in kinds]}


def _branch(kind: str, random: Random, depth: int) -> Any:
    found = struct(random, depth)
    tag = {"const": kind} if random.random() < 0.7 else {"enum": [kind]}
    found["properties"]["kind"] = tag
    found["required"] = [*{*found["required"], "kind"}]
    found["title"] = kind.upper()
    return found


def choice(random: Random, depth: int) -> Any:
    found = struct(random, depth)
    found["anyOf"] = [{"required": [name]} for name in list(found["properties"])[:2]]
    return found


def exotic(random: Random, depth: int) -> Any:
    inner = schema(random, depth - 1)
    return random.choice(
        [{"not": inner}, {"type": "string", "not": {"enum": ["red"]}}, {"allOf": [inner, schema(random, 0)]}]
    )


def mutate(node: Any, random: Random) -> Any:
    """Return the schema with one change, somewhere."""
    places = [place for place in _places(node) if place]
    place = random.choice(places) if places and random.random() < 0.8 else ()
    return _changed(node, place, random)


def _places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if not isinstance(node, dict):
        return found
    for key in ("properties", "patternProperties", "$defs", "dependentSchemas"):
        for name in node.get(key, {}):
            found += _places(node[key][name], (*path, key, name))
    for key in ("items", "additionalProperties", "contains", "not", "if", "then", "else"):
        if key in node:
            found += _places(node[key], (*path, key))
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for index, _ in enumerate(node.get(key, ())):
            found += _places(node[key][index], (*path, key, index))
    return found


def _changed(node: Any, place: tuple[Any, ...], random: Random) -> Any:  # noqa: C901, PLR0912 - a list of changes
    if place:
        copied = copy.copy(node)
        copied[place[0]] = _changed(node[place[0]], place[1:], random)
        return copied
    if not isinstance(node, dict) or random.random() < 0.1:
        return schema(random, 1)
    copied = copy.deepcopy(node)
    match random.randint(0, 7):
        case 0 if copied.get("properties"):
            copied["properties"].pop(random.choice(list(copied["properties"])))
        case 1 if "properties" in copied:
            copied["properties"][random.choice(NAMES)] = schema(random, 1)
        case 2 if "properties" in copied:
            name = random.choice(list(copied["properties"]) or ["a"])
            required = set(copied.get("required", ())) ^ {name}
            copied["required"] = sorted(required)
        case 3 if "enum" in copied:
            copied["enum"] = random.sample(WORDS[:4], random.randint(1, 3))
        case 4:
            copied["x-closed" if "enum" in copied else "additionalProperties"] = random.choice([True, False])
        case 5:
            copied |= text(random, 0) if copied.get("type") == "string" else number(random, 0)
        case 6:
            for key in random.sample(list(copied), min(1, len(copied))):
                if key != "$defs":
                    del copied[key]
        case _:
            return {"anyOf": [copied, {"type": "null"}]} if "$defs" not in copied else copied
    if isinstance(copied.get("required"), list):
        copied["required"] = [
            name for name in copied["required"] if name in copied.get("properties", ()) or "allOf" in copied
        ]
    return copied
