"""Compiles the fast writer of Erlang terms into the package where that works, and leaves it out where it doesn't.

Nothing needs it: without it, or with `BRIDGE_PURE=1` while building, the package is plain Python and its wheel fits any
machine.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MODULE = "bridge.codecs.etf._write"


class WriterHook(BuildHookInterface):
    """Adds the library to a wheel, or to the source tree for an editable installation."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before the files of the wheel are collected."""
        if os.environ.get("BRIDGE_PURE", "0") not in {"", "0"} or sys.implementation.name != "cpython":
            return
        try:
            library = compile_writer(Path(self.root))
        except Exception as error:  # whatever is missing, a compiler, Python's headers or a folder to write to
            self.app.display_warning(f"Terms are going to be written in Python, the compiled writer fails: {error}")
            return
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"cp311-abi3-{platform}"  # by the stable ABI it serves all later versions too
        build_data["pure_python"] = False
        build_data["artifacts"].append(library.relative_to(self.root).as_posix())


def compile_writer(root: Path) -> Path:
    """Compile `_write.c` beside its source, and return the library."""
    from setuptools import Distribution, Extension  # noqa: PLC0415 - one more thing that may be missing

    source = root.joinpath(*MODULE.split(".")).with_suffix(".c")
    extension = Extension(MODULE, [str(source)], py_limited_api=True)
    build = Distribution({"name": "oban-bridge", "ext_modules": [extension]}).get_command_obj("build_ext")
    with tempfile.TemporaryDirectory() as folder:
        build.build_temp, build.build_lib, build.force = folder, str(root), True
        build.ensure_finalized()
        build.run()
    return Path(build.get_ext_fullpath(MODULE))
