"""Services that keep the table in order."""

from bridge.maintenance.heartbeat import RESCUE_AFTER, Heartbeat
from bridge.maintenance.lifeline import Lifeline, Rescue, check_lifeline
from bridge.maintenance.pruner import Pruner, PrunerMode, check_pruner
from bridge.maintenance.reindexer import Reindexer, Reindexing, check_reindexer
from bridge.maintenance.retention import parse_retention
from bridge.maintenance.service import Service
from bridge.maintenance.stager import Stager, StagerMode, check_stager

__all__ = [
    "RESCUE_AFTER",
    "Heartbeat",
    "Lifeline",
    "Pruner",
    "PrunerMode",
    "Reindexer",
    "Reindexing",
    "Rescue",
    "Service",
    "Stager",
    "StagerMode",
    "check_lifeline",
    "check_pruner",
    "check_reindexer",
    "check_stager",
    "parse_retention",
]
