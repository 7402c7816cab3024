"""DSNs: which are taken, and that nobody gets to see their passwords."""

import pytest

from bridge import Oban
from bridge.address import check_dsn, mask_password
from bridge.errors import InvalidSetting

PASSWORDS = {
    "postgresql://ada:secret@host/db": "postgresql://ada:***@host/db",
    "postgresql://ada:secret@host:5432,other:5433/db?sslmode=require": (
        "postgresql://ada:***@host:5432,other:5433/db?sslmode=require"
    ),
    "postgres://ada:sec%40ret%2F@host/db": "postgres://ada:***@host/db",
    "postgresql://ada:sec@ret@host/db": "postgresql://ada:***@host/db",
    "postgresql://ada:sec:ret@host/db": "postgresql://ada:***@host/db",
    "postgresql://ada:sec/ret@host/db": "postgresql://ada:***@host/db",
    "postgresql://ada:sec?ret@host/db": "postgresql://ada:***@host/db",
    "postgresql://ada:sec?a=ret@host/db": "postgresql://ada:***@host/db",
    "postgresql://ada:sec#ret@host/db": "postgresql://ada:***@host/db",
    "postgresql://ada:sec ret\n@host/db": "postgresql://ada:***@host/db",
    "postgresql://:secret@host/db": "postgresql://:***@host/db",
    "postgresql://ada:@host/db": "postgresql://ada:***@host/db",
    "postgresql://host/db?password=secret": "postgresql://host/db?password=***",
    "postgresql://host/db?user=ada&password=secret&sslmode=require": (
        "postgresql://host/db?user=ada&password=***&sslmode=require"
    ),
    "postgresql://host/db?sslpassword=secret": "postgresql://host/db?sslpassword=***",
    "postgresql://ada:secret@host/db?password=secret": "postgresql://ada:***@host/db?password=***",
    "postgresql:///db?host=/tmp&password=secret": "postgresql:///db?host=/tmp&password=***",
    "host=h user=ada password=secret dbname=d": "host=h user=ada password=*** dbname=d",
    "password = 'sec\\' ret' host=h": "password = *** host=h",
    "password='sec ret host=h": "password=***",
    "postgresql://user@azsrv:secret@host/db": "postgresql://user@azsrv:***@host/db",
    "postgresql://us/er:secret@host/db": "postgresql://us/er:***@host/db",
    "postgresql://host/db?pass%77ord=secret": "postgresql://host/db?pass%77ord=***",
    "postgresql://host/db?PASSWORD=secret&user=ada": "postgresql://host/db?PASSWORD=***&user=ada",
    "postgresql://host/db?password=sec&ret&sslmode=require": "postgresql://host/db?password=***&sslmode=require",
    "postgresql://host/db?password=sec?sslmode=ret": "postgresql://host/db?password=***",
    "postgresql://host/db?password=a=sec#ret": "postgresql://host/db?password=***",
    "postgresql://ada:secret@host/db?password=p@sec": "postgresql://ada:***",
    "postgresql://ada:sec?password=ret@host/db": "postgresql://ada:***",
    "postgresql://host/db?scram_client_key=sec": "postgresql://host/db?scram_client_key=***",
}
OPEN = [
    "postgresql://host/db",
    "postgresql://ada@host:5432/db",
    "postgresql:///db",
    "postgresql://host:5432/db?application_name=a:b",
    "postgresql://[::1]:5432/db",
    "host=h passfile=/home/ada/.pgpass",
    "",
]


@pytest.mark.parametrize(("dsn", "shown"), PASSWORDS.items())
def test_a_password_is_not_shown(dsn, shown):
    assert mask_password(dsn) == shown
    assert "sec" not in shown


@pytest.mark.parametrize("dsn", OPEN)
def test_what_holds_no_password_is_shown_as_it_is(dsn):
    assert mask_password(dsn) == dsn


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://ada:secret@host:port/db",
        "postgresql://ada:sec/ret@host/db",
        "postgresql://ada:12345/sec@host/db",
        "postgresql://ada:12345/sec/ret@host:5432/db?sslmode=require",
        "postgresql://ada:12345#sec@host/db",
        "postgresql://ada:12345?sec@host/db",
        "postgresql://ada:12345?sec=ret@host/db",
        "postgresql://ada:12345/a?sec=ret@host/db",
        "postgresql://ada:secret@host/db@other",
        "postgresql://ada:sec[ret@host/db",
        "postgresql://ada:sec]ret@host/db",
        "postgresql://ada@azure:secret@host/db",
        "postgresql://ada:sec@ret@host/db",
        "postgresql://ada:sec℀ret@host/db",
        "postgresql://ada:secret@host:99999/db",
        "postgresql://ada:secret@host:" + "9" * 5_000,
        "mysql://ada:secret@host/db",
        "ada:secret@host/db",
        "host=h password=secret",
        1,
        None,
    ],
    ids=lambda dsn: str(dsn)[:40],
)
def test_a_refused_dsn_is_not_shown(dsn):
    with pytest.raises(InvalidSetting) as refusal:
        check_dsn("dsn", dsn)

    assert str(refusal.value).startswith("dsn: expected ")
    assert "sec" not in f"{refusal.value} {refusal.value!r} {refusal.value.__cause__}"
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None


@pytest.mark.parametrize("rest", ["/abc", "#abc", "?abc=1", "?abc"])
def test_a_password_that_begins_like_a_port_is_told_how_to_be_written(rest):
    with pytest.raises(InvalidSetting, match=r"no @ in the DSN but the one before the host.*written %2F, %3F and %23"):
        check_dsn("dsn", f"postgresql://ada:12345{rest}@db/app")


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://",
        "postgres://ada@host/db",
        "postgresql://ada:sec%2Fret@host:5432/db",
        "postgresql://host1:1,host2:2/db",
        "postgresql://[::1]/db",
        "postgresql://[::1]:5432/db",
        "postgresql:///db?host=/tmp/run&port=5432",
        "postgresql://host:5432/db?user=ada@azure&application_name=a@b&password=p@w&options=-c%20a.b=c@d",
        "postgresql://ada:p%40ss@host/a%40b?passfile=/home/ada@home/.pgpass",
    ],
)
def test_a_dsn_that_is_one(dsn):
    assert check_dsn("dsn", dsn) == dsn


def test_an_instance_s_options_are_shown_without_their_dsns():
    dsn = "postgresql://ada:secret@host/db"
    plan = Oban(dsn=dsn, notifier={"dsn": dsn})._plan

    assert (plan.dsn, plan.notifier) == (dsn, {"dsn": dsn})
    assert "secret" not in repr(plan)
