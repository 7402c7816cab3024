"""The instance: what an application holds. Each method delegates."""

from bridge.oban.instance import Oban

__all__ = ["Oban"]
