# As `bridge contracts build` writes it.
"""The contract Weigh@1."""

from __future__ import annotations

from bridge.contracts.runtime import Contract, ContractStruct, define


class Weight(ContractStruct, frozen=True, kw_only=True):
    """Part of Weigh."""

    kilograms: float


class Weigh(Contract[Weight], frozen=True, kw_only=True):
    """Weighs a parcel."""

    grams: int


define(
    Weigh,
    worker="Processes.Weigh",
    serves="python",
    schema=r"""{
 "type":"object",
 "required":["grams"],
 "properties":{"grams":{"type":"integer","minimum":1}},
 "x-name":"Weigh",
 "x-module":"weigh"
}""",
    result=r"""{
 "type":"object",
 "required":["kilograms"],
 "properties":{"kilograms":{"type":"number"}},
 "x-name":"Weight",
 "x-module":"weigh"
}""",
)
