"""What every part of an instance knows: its plan, and what runs while it is started."""

from __future__ import annotations

from bridge.engine.schema import Catalog
from bridge.errors import NotRunning
from bridge.plan import Plan
from bridge.runtime import Runtime


class Base:
    """The plan of an instance and its running parts."""

    _plan: Plan
    _runtime: Runtime | None
    _catalog: Catalog | None = None  # what the schema has, where that is known before it connects
    _hindrance: str = ""

    @property
    def name(self) -> str:
        """The instance's name."""
        return self._plan.name

    @property
    def node(self) -> str:
        """This process's name."""
        return self._plan.node

    @property
    def prefix(self) -> str:
        """The schema of Oban's tables."""
        return self._plan.prefix

    @property
    def _parts(self) -> Runtime:
        if self._runtime is None:
            if self._hindrance:
                raise NotRunning(f"the instance {self.name!r} is not running yet: {self._hindrance}")
            raise NotRunning(f"the instance {self.name!r} is not running; await its start(), or use `async with`")
        return self._runtime
