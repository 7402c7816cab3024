"""The logger of the queues."""

import logging

logger = logging.getLogger("bridge.queues")
