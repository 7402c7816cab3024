"""Messages of a wanted length, and ears that hear them on either side."""

import asyncio
import base64
import gzip
import itertools
import json
import random
import string

_numbers = itertools.count(1)

#: A message for each channel that both languages use, and for one of an application's own; none means anybody.
CHANNELS = {
    "custom": {"greeting": "hällo"},
    "insert": {"queue": "nobody's"},
    "signal": {"action": "pause", "ident": "any", "queue": "nobody's"},
    "leader": {"down": "Nobody"},
    "sonar": {"node": "nobody@nowhere", "ping": True},
}

#: The three ways in which releases of Oban write a message.
FORMS = {
    "plain": lambda text: text,
    "H4sI": lambda text: base64.b64encode(gzip.compress(text.encode())).decode(),
    "Z:": lambda text: "Z:" + base64.b64encode(gzip.compress(text.encode())).decode(),
}


def padded(message, size, letters="x"):
    """A message whose JSON, as Elixir writes it too, has so many bytes; a key of its own tells it from all others."""
    key = f"pad{next(_numbers)}"
    missing = size - len(compact({**message, key: ""}))
    return {**message, key: (letters * missing)[:missing]}


def marked(message):
    """A message with a key of its own, however long."""
    return {**message, f"pad{next(_numbers)}": True}


def incompressible(size):
    """A message of so many bytes of JSON, which base64 of gzip makes longer."""
    plain = [char for char in string.printable[:94] if char not in "\"\\'"]
    return padded({}, size, "".join(random.Random(size).choices(plain, k=size)))


def compact(message):
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def key_of(message):
    return next(key for key in message if key.startswith("pad"))


class Ear:
    """A callback that keeps what a Python node hears."""

    def __init__(self):
        self.messages = asyncio.Queue()

    def __call__(self, _channel, payload):
        self.messages.put_nowait(payload)

    async def hear(self, message):
        """Wait for a message with the key of this one, and return it."""
        async with asyncio.timeout(10):
            while key_of(message) not in (found := await self.messages.get()):
                pass
        return found


class ElixirEar:
    """What an Elixir node hears, once Interop.Control.listen was called."""

    def __init__(self, ex, channel):
        self._ex, self._channel = ex, channel

    async def hear(self, message):
        """Wait for a message with the key of this one on the channel, and return it."""
        async with asyncio.timeout(10):
            while (found := await self._ex.event("heard"))[0] != self._channel or key_of(message) not in found[1]:
                pass
        return found[1]
