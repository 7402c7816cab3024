"""A BEAM that judges terms: `oracle.erl`, compiled once and driven over two pipes.

It is the first on the PATH, so another release judges where its folder is put in front: `PATH=~/otp28/bin:$PATH`.
"""

import os
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Self

from bridge.codecs import etf

MISSING = "needs a BEAM: no `erl` and `erlc` on the PATH (Debian: apt-get install erlang-base)"
ROOMY = etf.Limits(size=2**31, inflated=2**31, elements=2**31)

_length = struct.Struct(">I")


def is_missing() -> bool:
    return shutil.which("erl") is None or shutil.which("erlc") is None


class Beam:
    """A running `oracle`; a context manager."""

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory()
        source = Path(__file__).with_name("oracle.erl")
        subprocess.run(["erlc", "-Werror", "-o", self._folder.name, source], check=True)
        (requests, ask), (hear, answers) = os.pipe(), os.pipe()
        main = ["-s", "oracle", "main", str(requests), str(answers)]
        self._process = subprocess.Popen(
            ["erl", "-noinput", "-boot", "start_clean", "-pa", self._folder.name, *main], pass_fds=(requests, answers)
        )
        os.close(requests)
        os.close(answers)
        self._ask, self._hear = os.fdopen(ask, "wb"), os.fdopen(hear, "rb")
        return self

    def __exit__(self, *_: object) -> None:
        self._ask.close()
        self._process.wait(timeout=60)
        self._hear.close()
        self._folder.cleanup()

    def ask(self, command: str, argument: Any) -> Any:
        request = etf.encode((etf.Atom(command), argument), "native")
        self._ask.write(_length.pack(len(request)) + request)
        self._ask.flush()
        (size,) = _length.unpack(self._hear.read(4))
        return etf.decode(self._hear.read(size), limits=ROOMY)

    def ask_bytes(self, command: str, argument: Any) -> list[Any]:
        """As `ask`, for an answer of binaries, which stay `bytes`."""
        return [item.encode() if type(item) is str else item for item in self.ask(command, argument)]
