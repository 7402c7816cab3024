"""Workers and events, as the tests of the queues have them."""

from queues.conftest import ends, gate, worker

__all__ = ["ends", "gate", "worker"]
