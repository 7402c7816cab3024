"""Services that keep the table in order."""

from bridge.maintenance.service import Service
from bridge.maintenance.stager import Stager, StagerMode, check_stager

__all__ = ["Service", "Stager", "StagerMode", "check_stager"]
