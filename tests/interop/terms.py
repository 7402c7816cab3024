"""Terms that both languages know: those that OTP wrote down once, and random ones."""

import base64
import importlib.util
import json
from pathlib import Path

from bridge.codecs import etf
from bridge.codecs.etf.native import identity

_CODECS = Path(__file__).parents[1] / "codecs"


def _load(name):
    # The folder is no package: `codecs` is a module of Python's own.
    spec = importlib.util.spec_from_file_location(name, _CODECS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


random_value = _load("codec_terms").random_value
NAMES = _load("codec_terms").NAMES

#: By label, a term as OTP 25 writes it.
GOLDEN = {
    sample["label"] or "nil": base64.b64decode(sample["default"])
    for sample in json.loads((_CODECS / "golden" / "terms.json").read_text())["samples"]
}

#: By label, the Elixir of what a Record makes of the term: what every node reads, whatever atoms it has.
PORTABLE = {
    "nil": "nil",
    "true": "true",
    "ok": '"ok"',
    "atom_utf8": '"ünï"',
    "atom_mix": '"日本"',
    "int0": "0",
    "int255": "255",
    "int256": "256",
    "neg1": "-1",
    "i32max": "2_147_483_647",
    "i32over": "2_147_483_648",
    "i32min": "-2_147_483_648",
    "i64": "9_223_372_036_854_775_807",
    "big2040": "2 ** 2040",
    "float": "1.5",
    "str_bin": '"héllo"',
    "bin_raw": "<<0, 255>>",
    "empty_bin": '""',
    "nil_list": "[]",
    "bytes_list": "[1, 2, 3]",
    "list": '[256, "a"]',
    "tuple": '["ok", 1]',
    "tuple0": "[]",
    "bigtuple": "Enum.to_list(1..300)",
    "map0": "%{}",
    "map_atom": '%{"a" => 1}',
    "map_str": '%{"a" => 1}',
    "map_int": '%{"1" => 2}',
    "datetime": '"2026-01-01T00:00:00.000001Z"',
    "naive": '"2026-01-01T00:00:00"',
    "date": '"2026-01-01"',
    "decimal": '["struct_decimal", 1]',
    "keyword": '[["a", 1]]',
}

#: Labels of what only the native profile holds.
REFUSED = sorted(GOLDEN.keys() - PORTABLE.keys())


def same(left, right):
    """Whether two values are one term to the BEAM, and of one type in Python."""
    return type(left) is type(right) and identity(left) == identity(right)


def native(value):
    return etf.encode(value, "native")
