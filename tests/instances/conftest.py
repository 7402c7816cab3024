"""Workers and events for each test."""

from queues.conftest import ends, gate, worker

__all__ = ["ends", "gate", "worker"]
