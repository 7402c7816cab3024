"""What is told for each statement that a role may not send: by which GRANT it may."""

import pytest
from queues.rig import insert_row

from bridge import Job
from bridge.engine.denials import what_was_denied
from bridge.engine.statements import Statements
from bridge.errors import SchemaError

from .roles import engine_of


def test_every_statement_s_refusal_has_a_mend():
    statements = Statements("jobs")
    for name in ("fetch_jobs", "insert_job", "prune_jobs", "elect_leader", "lock_minute", "beat_producers"):
        text = (
            statements[name]
            if "{" not in statements[name]
            else statements.fill(name, table="oban_peers", condition="true")
        )
        for table in ("oban_jobs", "oban_peers", "bridge_crons", "bridge_producers"):
            if f'"jobs".{table}' in text:
                denied = what_was_denied(text, f"permission denied for table {table}")
                assert denied.table == table
                assert denied.rights
    assert what_was_denied("select 1", "permission denied for table x") is None
    assert (
        what_was_denied('select 1 from "a".b', "keine Berechtigung für Schema a").mend("R")
        == 'grant usage on schema "a" to "R"; grant select on "a".b to "R"'
    )
    made = what_was_denied(statements["create_crons"], "permission denied for schema jobs")
    assert "`bridge install`, which makes bridge_crons" in made.mend("R")
    assert "owner" in what_was_denied(statements.fill("reindex", index='"x"'), "must be owner of index x").mend("R")


async def test_a_stranger_is_told_of_the_schema(roles):
    await roles.execute("revoke usage on schema jobs from app_reader")
    async with engine_of(roles.dsns["reader"], roles.prefix) as engine:
        with pytest.raises(SchemaError, match=f'grant usage on schema "jobs" to "{roles.names["app_reader"]}"'):
            await engine.get(1)


async def test_rows_that_others_wrote_stay_as_they_are_for_a_role_that_may_not_write(roles, reader):
    await insert_row(roles.admin, prefix=roles.prefix)
    for act in (lambda: reader.insert(Job("W")), lambda: reader.insert_many([Job("W")])):
        with pytest.raises(SchemaError, match=r"permission denied for (table|sequence)"):
            await act()
    assert await roles.admin.fetchval(f"select count(*) from {roles.schema}.oban_jobs") == 1
