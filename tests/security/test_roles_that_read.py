"""The role of docs/roles.md that only reads: it looks at everything, and changes nothing."""

import pytest

from .roles import state_of


async def test_the_reader_looks_at_everything(roles, bridge):
    await roles.admin.execute(f"insert into {roles.schema}.oban_jobs (worker, args) values ('W', '{{\"n\": 1}}')")
    for command in (["jobs", "list"], ["jobs", "show", "1"], ["queues", "list"], ["status"], ["doctor"]):
        told = await bridge("reader", *command)
        assert told.returncode == 0, told.stdout + told.stderr
    assert "rights: role" in told.stdout
    assert "only reads: enough for looking, and for no node" in told.stdout
    assert "not looked at" not in told.stdout


@pytest.mark.parametrize(
    ("command", "right"),
    [
        (["jobs", "cancel", "1", "--yes"], "select, insert, update, delete"),
        (["jobs", "retry", "2", "--yes"], "select, insert, update, delete"),
        (["jobs", "delete", "1", "--yes"], "select, insert, update, delete"),
        (["jobs", "enqueue", "W"], "insert (state"),
        (["jobs", "enqueue", "V", "--unique", "true"], "insert (state"),
        (["maintain", "prune"], ""),
        (["install"], ""),
        (["maintain", "reindex"], ""),
    ],
)
async def test_the_reader_is_told_what_it_may_not(roles, bridge, command, right):
    await roles.admin.execute(
        f"insert into {roles.schema}.oban_jobs (worker, state, cancelled_at) "
        "values ('W', 'available', null), ('W', 'cancelled', '2020-01-01')"
    )
    told = await bridge("reader", *command)
    if command == ["install"]:
        assert told.returncode == 0  # everything is there already, so nothing has to be made
        return
    assert told.returncode == 1, told.stdout
    assert "Traceback" not in told.stderr
    if right:
        assert f"grant {right}" in told.stderr
        assert f'on {roles.schema}.oban_jobs to "{roles.names["app_reader"]}"' in told.stderr
    assert await state_of(roles, 1) == "available"
