"""The whole examination: every check, in the order in which a reader wants to know."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping
from typing import Any

from bridge.doctor import connection, nodes, processes, queues, rights, rows, schema, table
from bridge.doctor.check import PATIENCE, Open, Patient
from bridge.doctor.finding import Finding, Level
from bridge.engine.diagnosis import TIMEOUT, Diagnosis, NoAnswerError, NotAllowedError

CHECKS = (
    *connection.CHECKS,
    *rights.CHECKS,
    *schema.CHECKS,
    *nodes.CHECKS,
    *processes.CHECKS,
    *queues.CHECKS,
    *rows.CHECKS,
    *table.CHECKS,
)


async def examine(
    open_connection: Open,
    prefix: str = "public",
    *,
    workers: Collection[str] = (),
    listen: Open | None = None,
    settings: Mapping[str, Any] | None = None,
    timeout: float = TIMEOUT,
    patience: float = PATIENCE,
) -> AsyncGenerator[Finding, None]:
    """Yield what each check finds, as it finds it. Nothing is changed.

    Args:
        open_connection: Opens a connection, as a context manager; two more are open for a moment behind a pooler.
        prefix: The schema.
        workers: The names of the workers that are known here.
        listen: Opens the connection that listens, where it goes another way.
        settings: Settings by name, such as `pruner.mode`, where they are known.
        timeout: Seconds that one question to the database may take.
        patience: Seconds between two looks at queues whose next job has waited for long.

    Raises:
        OSError, asyncpg.PostgresError: The database can't be reached, or was lost.
    """
    async with open_connection() as conn:
        try:
            ask = await Diagnosis.begin(conn, prefix, timeout=timeout)
        except NoAnswerError as error:
            mend = "see who locks the table (pg_stat_activity, pg_blocking_pids), and wait, or pass a longer --timeout"
            text = f"the tables of schema {prefix} can't be looked at: {error}"
            yield Finding("schema", "schema", Level.PROBLEM, text, mend, looked=False)
            return
        patient = Patient(
            ask=ask,
            catalog=ask.catalog,
            workers=frozenset(workers),
            open=open_connection,
            listen=listen or open_connection,
            settings=dict(settings or {}),
            patience=patience,
        )
        blind = []
        for check in CHECKS:
            if not patient.catalog.supported and check.needs_table:
                continue
            try:
                yield await check.run(patient)
            except NotAllowedError as error:
                blind.append((check.id, str(error)))
        if blind:
            yield await rights.not_looked_at(patient, blind)
