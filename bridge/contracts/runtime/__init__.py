"""What generated code imports: the bases of its classes, and what their fields are made of."""

from msgspec import UNSET, UnsetType, field
from typing_extensions import deprecated

from bridge.contracts.runtime.base import Contract, ContractStruct
from bridge.contracts.runtime.terms import define
from bridge.contracts.runtime.values import Duration, OpenEnum

__all__ = ["UNSET", "Contract", "ContractStruct", "Duration", "OpenEnum", "UnsetType", "define", "deprecated", "field"]
