"""What is wrong with a database or its nodes, each with the mend."""

from bridge.doctor.check import Check, Patient
from bridge.doctor.examination import CHECKS, examine
from bridge.doctor.finding import Finding, Level, worst

__all__ = ["CHECKS", "Check", "Finding", "Level", "Patient", "examine", "worst"]
