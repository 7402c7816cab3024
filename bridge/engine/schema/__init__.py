"""Oban's tables in one PostgreSQL schema: what is there, what it lacks, and how to make it version 14.

Oban calls the schema that holds its tables the prefix; so does Bridge.
"""

from bridge.engine.schema.catalog import (
    MANAGED_ELSEWHERE,
    NEWEST_VERSION,
    OLDEST_VERSION,
    Catalog,
    count_jobs,
    inspect,
)
from bridge.engine.schema.install import install, install_sql
from bridge.engine.schema.lacks import Lack
from bridge.engine.schema.own import install_own, own_sql
from bridge.engine.schema.statements import OWN_TABLES, quote_ident
from bridge.engine.schema.uninstall import require_ours, uninstall, uninstall_sql
from bridge.engine.schema.unique_index import install_unique_index, unique_index_sql
from bridge.engine.schema.upgrade import numbered_version, repair, upgrade, upgrade_sql
from bridge.engine.schema.worker_index import install_worker_index, worker_index_sql

__all__ = [
    "MANAGED_ELSEWHERE",
    "NEWEST_VERSION",
    "OLDEST_VERSION",
    "OWN_TABLES",
    "Catalog",
    "Lack",
    "count_jobs",
    "inspect",
    "install",
    "install_own",
    "install_sql",
    "install_unique_index",
    "install_worker_index",
    "numbered_version",
    "own_sql",
    "quote_ident",
    "repair",
    "require_ours",
    "uninstall",
    "uninstall_sql",
    "unique_index_sql",
    "upgrade",
    "upgrade_sql",
    "worker_index_sql",
]
