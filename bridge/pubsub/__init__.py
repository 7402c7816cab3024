"""Messages between nodes: channels, envelopes, control signals, and the notifier that carries them."""

from bridge.pubsub import channels, envelope, signals
from bridge.pubsub.notifier import Notifier
from bridge.pubsub.sonar import Pace
from bridge.pubsub.status import Link, Status
from bridge.pubsub.timing import Timing

__all__ = ["Link", "Notifier", "Pace", "Status", "Timing", "channels", "envelope", "signals"]
