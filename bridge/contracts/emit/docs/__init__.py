"""Models as pages for people."""

from bridge.contracts.emit.docs.pages import GENERATOR, page_name, pages

__all__ = ["GENERATOR", "page_name", "pages"]
