"""Schemas of every kind that samples are made of."""

SCHEMAS = {
    "allOf": {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "integer", "minimum": 3}}, "required": ["a"]},
            {"properties": {"a": {"maximum": 5}, "b": {"type": "string"}}, "required": ["b"]},
        ]
    },
    "anyOf": {
        "anyOf": [
            {"type": "string", "maxLength": 3},
            {"type": "integer", "multipleOf": 7},
            {"type": "array", "items": {"type": "boolean"}, "minItems": 2, "uniqueItems": True},
        ]
    },
    "either of two fields": {
        "type": "object",
        "properties": {"email": {"type": "string", "maxLength": 9}, "phone": {"type": "string"}},
        "anyOf": [{"required": ["email"]}, {"required": ["phone"]}],
    },
    "oneOf": {
        "oneOf": [
            {"type": "object", "required": ["k", "x"], "properties": {"k": {"const": "a"}, "x": {"type": "integer"}}},
            {"type": "object", "required": ["k", "y"], "properties": {"k": {"const": "b"}, "y": {"type": "string"}}},
        ]
    },
    "oneOf that overlap": {"oneOf": [{"type": "integer", "multipleOf": 2}, {"type": "integer", "multipleOf": 3}]},
    "not": {"type": "integer", "minimum": 0, "maximum": 10, "not": {"enum": [1, 2, 3, 4, 5]}},
    "not within an array": {
        "type": "array",
        "minItems": 3,
        "items": {"type": "integer", "minimum": 0, "maximum": 9, "not": {"multipleOf": 2}},
    },
    "if": {
        "type": "object",
        "properties": {"t": {"enum": ["a", "b"]}, "v": {}},
        "required": ["t", "v"],
        "if": {"properties": {"t": {"const": "a"}}},
        "then": {"properties": {"v": {"type": "string"}}},
        "else": {"properties": {"v": {"type": "null"}}},
    },
    "dependents": {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}, "c": {"type": "string"}},
        "dependentRequired": {"a": ["b"]},
        "dependentSchemas": {"c": {"required": ["a"], "properties": {"a": {"minimum": 100}}}},
    },
    "patternProperties": {
        "type": "object",
        "patternProperties": {"^x_[a-z]+$": {"type": "integer"}, "^S": {"type": "string"}},
        "additionalProperties": False,
        "minProperties": 2,
        "maxProperties": 4,
    },
    "propertyNames": {
        "type": "object",
        "propertyNames": {"pattern": "^[a-z]{2,5}$"},
        "additionalProperties": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.5},
    },
    "closed": {
        "type": "object",
        "properties": {"a": {"type": "string"}, "never": False},
        "additionalProperties": False,
    },
    "few properties": {
        "type": "object",
        "maxProperties": 1,
        "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
    },
    "many properties": {
        "type": "object",
        "minProperties": 3,
        "properties": {"a": {"type": "string"}},
        "additionalProperties": {"type": "integer"},
    },
    "tuple": {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "items": False, "minItems": 2},
    "contains": {
        "type": "array",
        "items": {"type": "integer"},
        "contains": {"minimum": 100},
        "minContains": 2,
        "maxContains": 3,
        "maxItems": 6,
    },
    "uniqueItems": {"type": "array", "items": {"enum": [1, 2, 3]}, "uniqueItems": True, "minItems": 3},
    "recursion through an array": {
        "$ref": "#/$defs/Tree",
        "$defs": {
            "Tree": {
                "type": "object",
                "required": ["v", "kids"],
                "properties": {"v": {"type": "integer"}, "kids": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}},
            }
        },
    },
    "recursion through a required field": {
        "$ref": "#/$defs/Link",
        "$defs": {
            "Link": {
                "anyOf": [
                    {"type": "null"},
                    {"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#/$defs/Link"}}},
                ]
            }
        },
    },
    "recursion that doubles": {
        "$ref": "#/$defs/Sum",
        "$defs": {
            "Sum": {
                "oneOf": [
                    {
                        "type": "object",
                        "required": ["k", "l", "r"],
                        "properties": {
                            "k": {"const": "add"},
                            "l": {"$ref": "#/$defs/Sum"},
                            "r": {"$ref": "#/$defs/Sum"},
                        },
                    },
                    {
                        "type": "object",
                        "required": ["k", "n"],
                        "properties": {"k": {"const": "num"}, "n": {"type": "number"}},
                    },
                ]
            }
        },
    },
    "big integers": {"type": "integer", "minimum": 10**30, "multipleOf": 7},
    "open bounds": {"type": "integer", "exclusiveMinimum": 1.5, "exclusiveMaximum": 3},
    "pattern with lengths": {
        "type": "string",
        "pattern": "^[a-z]+(-[a-z]+)*$",
        "minLength": 10,
        "maxLength": 12,
    },
    "two patterns": {"type": "string", "pattern": "[0-9]", "maxLength": 3, "allOf": [{"pattern": "^[a-f]"}]},
    "long text": {"type": "string", "minLength": 3000},
    "no text": {"type": "string", "maxLength": 0},
    "base64": {"type": "string", "contentEncoding": "base64", "minLength": 8, "maxLength": 20},
    "several types": {"type": ["integer", "null", "array"], "minItems": 1, "minimum": 5},
    "no type": {"minimum": 3, "minLength": 2},
    "enum with bounds": {"type": "string", "enum": ["a", "bb", "ccc"], "minLength": 2},
    "enum of all kinds": {"enum": [1, 1.5, None, True, "x", [], {"a": 1}]},
    "const": {"const": {"a": [1, 2.0]}},
    "anything": True,
}

HOPELESS = {
    "false": False,
    "crossed bounds": {"type": "integer", "minimum": 5, "maximum": 4},
    "no common type": {"allOf": [{"type": "string"}, {"type": "integer"}]},
    "enum of another type": {"type": "integer", "enum": ["a"]},
    "required and forbidden": {"type": "object", "required": ["a"], "properties": {"a": False}},
    "recursion without end": {
        "$ref": "#/$defs/N",
        "$defs": {"N": {"type": "object", "required": ["n"], "properties": {"n": {"$ref": "#/$defs/N"}}}},
    },
    "not anything": {"not": {}},
    "too few different items": {"type": "array", "items": {"enum": [1, 2]}, "uniqueItems": True, "minItems": 3},
    "pattern against length": {"type": "string", "pattern": "^a$", "minLength": 2},
    "pattern that looks elsewhere": {"type": "string", "pattern": "^(?=b)a"},
    "too few fields": {"type": "object", "minProperties": 2, "properties": {"a": {}}, "additionalProperties": False},
}


def struct(name, **schema):
    """An object schema with a class, as the normaliser leaves it."""
    return {"type": "object", "x-name": name, "x-module": "order", **schema}


ORDER = struct(
    "Order",
    required=["id", "email", "kind", "at", "items"],
    properties={
        "id": {"type": "integer", "minimum": 1, "maximum": 9007199254740991},
        "email": {"type": "string", "format": "email", "x-sensitive": True},
        "kind": {"type": "string", "enum": ["new", "again", "gift"], "x-name": "Kind", "x-module": "order"},
        "at": {"type": "string", "format": "date-time"},
        "total": {"type": "string", "format": "decimal"},
        "ratio": {"type": "number", "minimum": 0, "maximum": 1},
        "note": {"type": ["string", "null"], "maxLength": 200},
        "code": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]{4}$"},
        "items": {"type": "array", "minItems": 1, "maxItems": 20, "items": {"$ref": "#/$defs/Item"}},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    **{
        "$defs": {
            "Item": struct(
                "Item",
                required=["sku", "count"],
                properties={
                    "sku": {"type": "string", "minLength": 1, "maxLength": 40},
                    "count": {"type": "integer", "minimum": 1},
                    "parts": {"type": "array", "items": {"$ref": "#/$defs/Item"}},
                },
            )
        }
    },
)
"""A contract of ten fields."""
