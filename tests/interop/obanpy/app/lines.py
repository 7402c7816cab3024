"""The pipe to whoever drives this process: lines of JSON, answers and events."""

import json
import os
import sys
import threading

# Only lines of JSON go to the pipe; what anything else prints goes to the log.
_out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
_lock = threading.Lock()


def send(message):
    """Send a line; once nobody reads any more, nothing is to be said."""
    line = json.dumps(message, ensure_ascii=True, default=str)
    try:
        with _lock:
            _out.write(line + "\n")
            _out.flush()
    except BrokenPipeError:
        pass


def tell(event, **values):
    """Tell of an event."""
    send({"event": event, **values})
