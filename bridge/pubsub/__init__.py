"""Messages between nodes: channels, envelopes, control signals, and the notifier that carries them."""

from bridge.pubsub import channels, envelope, signals
from bridge.pubsub.notifier import Notifier, Status

__all__ = ["Notifier", "Status", "channels", "envelope", "signals"]
