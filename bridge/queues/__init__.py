"""Queues on this node: fetching, running, acking, control and shutdown."""

from bridge.queues.manager import QueueManager
from bridge.queues.options import QueueOptions, parse_queue, parse_queues
from bridge.queues.producer import Producer, QueueInfo

__all__ = ["Producer", "QueueInfo", "QueueManager", "QueueOptions", "parse_queue", "parse_queues"]
