"""Which runner a line of text names, for the command line and the environment."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from bridge.errors import InvalidSetting, NodeError, NodeFailed, NodeUnavailable
from bridge.testing.interop.containers import Containers
from bridge.testing.interop.host import Mix, Release
from bridge.testing.interop.runner import Runner
from bridge.testing.interop.running import Running

FORMS: Final = (
    "mix:FOLDER (a Mix project), release:SCRIPT (bin/NAME of a release), image:NAME (a container's image), "
    "build:FOLDER (an image built from its Dockerfile), rpc:COMMAND (a node that runs, by the command that evaluates "
    "Elixir there) or auto:FOLDER (a Mix project in a container, else with mix)"
)

_RUNNERS: Final[dict[str, Callable[[str], Runner]]] = {
    "mix": Mix,
    "release": Release,
    "image": Containers,
    "build": lambda folder: Containers(build=folder),
    "rpc": lambda command: Running(shlex.split(command)),
}


def choose(text: str) -> Runner:
    """Return the runner that `text` names, ready to launch; `FORMS` has the forms.

    Raises:
        InvalidSetting: The text has none of the forms.
        NodeUnavailable: It is empty, or this machine lacks what runs it; for `auto`, with the reason of each way.
        NodeFailed: It did not build; for `auto`, the project did not compile.
    """
    if not text:
        raise NodeUnavailable(f"none is named; --bridge-elixir takes {FORMS}")
    kind, _, rest = text.partition(":")
    if kind == "auto" and rest:
        return _first_that_runs(Path(rest))
    runner = _named(kind, rest)
    if runner is None:
        raise InvalidSetting("bridge_elixir", text, FORMS)
    if lack := runner.missing():
        raise NodeUnavailable(lack)
    runner.prepare()
    return runner


def _named(kind: str, rest: str) -> Runner | None:
    make = _RUNNERS.get(kind)
    return make(rest) if make and rest else None


def _first_that_runs(project: Path) -> Runner:
    reasons = []
    for runner in _candidates(project):
        try:
            if lack := runner.missing():
                raise NodeUnavailable(lack)
            runner.prepare()
        except NodeError as error:
            reasons.append(f"{runner.name}: {error}")
            # An image may not build for want of a network; a project that doesn't compile is broken.
            if isinstance(error, NodeFailed) and isinstance(runner, Mix):
                raise NodeFailed("\n".join(reasons)) from error
        else:
            return runner
    raise NodeUnavailable("none can run here:\n" + "\n".join(reasons))


def _candidates(project: Path) -> Iterator[Runner]:
    if (project / "Dockerfile").is_file():
        yield Containers(build=project)
    yield Mix(project)
