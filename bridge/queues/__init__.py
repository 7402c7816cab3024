"""Queues on this node: fetching, running, acking, control and shutdown."""

from bridge.queues.census import Census, QueueState, Respondent, census
from bridge.queues.draining import DrainCounts, Drainer
from bridge.queues.info import QueueInfo
from bridge.queues.inline import Inline
from bridge.queues.manager import QueueManager
from bridge.queues.options import QueueOptions, parse_queue, parse_queues
from bridge.queues.producer import Producer

__all__ = [
    "Census",
    "DrainCounts",
    "Drainer",
    "Inline",
    "Producer",
    "QueueInfo",
    "QueueManager",
    "QueueOptions",
    "QueueState",
    "Respondent",
    "census",
    "parse_queue",
    "parse_queues",
]
