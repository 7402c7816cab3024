"""The logger of the maintenance services."""

import logging

logger = logging.getLogger("bridge.maintenance")
